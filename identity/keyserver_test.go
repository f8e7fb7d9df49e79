package identity

import (
	"context"
	"crypto"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// keyServer is a vendor's web server on loopback that publishes what it is told.
type keyServer struct {
	*launchWorld
	fetcher *KeyFetcher
	answer  atomic.Pointer[http.HandlerFunc]
	asked   atomic.Int32
	cert    *Credential
	url     string
}

func newKeyServer(t *testing.T, change func(*KeyFetcherConfig)) *keyServer {
	s := &keyServer{launchWorld: newLaunchWorld(t)}
	ln := must2(net.Listen("tcp", "127.0.0.1:0"))
	s.url = "https://" + ln.Addr().String() + "/keys.json"
	s.cert = must2(s.ca.IssueServer([]string{"127.0.0.1"}, s.now()))
	config := ServerTLS(nil, nil)
	cert := s.cert.TLS()
	config.GetCertificate = nil
	config.Certificates = append(config.Certificates, cert)
	server := &http.Server{TLSConfig: config, ErrorLog: nil, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		(*s.answer.Load())(w, r)
	})}
	done := make(chan struct{})
	go func() { defer close(done); server.ServeTLS(ln, "", "") }()
	t.Cleanup(func() { server.Close(); <-done })
	s.edit(func(e *snapshot.Edit) {
		e.Put(&snapshot.Connector{ID: "keys", Vendor: "northwind", Kind: snapshot.KeyServer, Issuer: s.url, Approval: approved})
		app, _ := e.View().Apps.Get("triage")
		a := *app
		a.KeysFrom = "keys"
		e.Put(&a)
	})
	book := newBook(s.world)
	c := KeyFetcherConfig{View: s.view.Load, Private: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Roots: s.ca.Pool(), Now: s.now, Log: testLog(s.world),
		Offer: func(_ context.Context, c id.Connector, app id.App, keys json.RawMessage) error {
			return book.do(registry.Actor{Connector: c}, registry.OfferAppKeys{ID: app, Keys: keys})
		}}
	if change != nil {
		change(&c)
	}
	s.fetcher = must2(NewKeyFetcher(c))
	return s
}

func (s *keyServer) publish(body string) {
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/jwk-set+json")
		fmt.Fprint(w, body)
	})
	s.answer.Store(&h)
}

func (s *keyServer) app() *snapshot.App { a, _ := s.view.Load().Apps.Get("triage"); return a }

// A key that is published signs nothing until it is approved; one that is gone
// signs nothing at once; one that the server never lost goes on.
func TestPublishedKeys(t *testing.T) {
	s := newKeyServer(t, nil)
	fresh := must2(NewKey(384))
	signed := func() Reason {
		raw := signJWT(t, jose.ES384, fresh, map[string]any{"kid": kidOf(t, fresh.Public())}, s.claims())
		_, reason := verifyAssertion(raw, s.view.Load(), s.tokenURL(), s.now())
		return reason
	}
	old := func() Reason {
		_, reason := verifyAssertion(s.good(s.claims()), s.view.Load(), s.tokenURL(), s.now())
		return reason
	}
	check := func(when string, wantOld, wantNew Reason) {
		t.Helper()
		if gotOld, gotNew := old(), signed(); gotOld != wantOld || gotNew != wantNew {
			t.Errorf("%s: the old key %q, the new %q; want %q, %q", when, gotOld, gotNew, wantOld, wantNew)
		}
	}
	s.publish(string(must2(PublicKeys(s.appKey.Public(), fresh.Public()))))
	s.fetcher.Look(t.Context())
	check("published", "", AssertionKeyUnknown)
	if s.app().PendingKeys == nil || s.app().State != snapshot.Approved {
		t.Fatalf("nothing waits for approval: %+v", s.app())
	}
	s.edit(func(e *snapshot.Edit) { // as people would approve it
		a := *s.app()
		a.Keys, a.PendingKeys = must2(PublicKeys(s.appKey.Public(), fresh.Public())), nil
		e.Put(&a)
	})
	check("approved", "", "")
	before := s.view.Load().Version()
	s.fetcher.Look(t.Context())
	if got := s.view.Load().Version(); got != before {
		t.Errorf("the same keys again were an act: version %d, then %d", before, got)
	}
	s.publish(string(must2(PublicKeys(fresh.Public()))))
	s.fetcher.Look(t.Context())
	check("withdrawn", AssertionKeyUnknown, "")
	s.publish(string(must2(PublicKeys(s.appKey.Public(), fresh.Public()))))
	s.fetcher.Look(t.Context())
	check("back again", AssertionKeyUnknown, "")
	s.publish(`{"keys":[]}`)
	s.fetcher.Look(t.Context())
	check("all withdrawn", AssertionKeyUnknown, AssertionKeyUnknown)
}

// Keys that a crowd of others would push out stay, and do not hide a loss.
func TestManyPublishedKeys(t *testing.T) {
	s := newKeyServer(t, nil)
	var keys []crypto.PublicKey
	for range 12 {
		keys = append(keys, must2(NewKey(384)).Public())
	}
	s.publish(string(must2(PublicKeys(append(keys, s.appKey.Public())...))))
	s.fetcher.Look(t.Context())
	if _, reason := verifyAssertion(s.good(s.claims()), s.view.Load(), s.tokenURL(), s.now()); reason != "" {
		t.Errorf("the key that was there: %s", reason)
	}
	s.publish(string(must2(PublicKeys(keys...))))
	s.fetcher.Look(t.Context())
	if _, reason := verifyAssertion(s.good(s.claims()), s.view.Load(), s.tokenURL(), s.now()); reason != AssertionKeyUnknown {
		t.Errorf("withdrawn among many: %q", reason)
	}
}

// Whatever a server answers that is not a plain key set changes nothing.
func TestBadKeyServers(t *testing.T) {
	full := func(h http.HandlerFunc) func(*keyServer) { return func(s *keyServer) { s.answer.Store(&h) } }
	text := func(body string) func(*keyServer) { return func(s *keyServer) { s.publish(body) } }
	connector := func(change func(*snapshot.Connector)) func(*keyServer) {
		return func(s *keyServer) {
			s.edit(func(e *snapshot.Edit) {
				c, _ := e.View().Connectors.Get("keys")
				x := *c
				change(&x)
				e.Put(&x)
			})
		}
	}
	secret := string(must2(json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: must2(NewKey(256)), KeyID: "k"}}})))
	one := string(must2(PublicKeys(must2(NewKey(256)).Public())))
	for name, tc := range map[string]struct {
		config func(*KeyFetcherConfig)
		spoil  func(*keyServer)
		cause  string
		asked  bool
	}{
		"redirect": {nil, full(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://169.254.169.254/latest", http.StatusFound)
		}), errRedirected.Error(), true},
		"server error":          {nil, full(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }), "it answered 500", true},
		"web page":              {nil, full(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }), errNoKeySet.Error(), true},
		"too long":              {nil, text(`{"keys":[` + strings.Repeat(" ", maxKeySet) + `]}`), errLongKeySet.Error(), true},
		"no keys":               {nil, text(`{}`), errNoKeySet.Error(), true},
		"not JSON":              {nil, text(`keys`), errNoKeySet.Error(), true},
		"keys that are no keys": {nil, text(`{"keys":[1]}`), errNoKeySet.Error(), true},
		"a private key":         {nil, text(secret), errPrivateKey.Error(), true},
		"one key twice":         {nil, text(`{"keys":[` + one[9:len(one)-2] + `,` + one[9:len(one)-2] + `]}`), errNoKeySet.Error(), true},
		"loopback, not allowed": {func(c *KeyFetcherConfig) { c.Private = nil }, text(`{"keys":[]}`), errInside.Error(), false},
		"another authority":     {func(c *KeyFetcherConfig) { c.Roots = nil }, text(`{"keys":[]}`), "certificate", false},
		"another pin": {nil, connector(func(c *snapshot.Connector) {
			c.Pins = []snapshot.KeyDigest{snapshot.KeyDigest(strings.Repeat("a", 64))}
		}), "pinned", false},
		"plain HTTP":                {nil, connector(func(c *snapshot.Connector) { c.Issuer = strings.Replace(c.Issuer, "https", "http", 1) }), "https", false},
		"connector not approved":    {nil, connector(func(c *snapshot.Connector) { c.State = snapshot.Proposed }), "", false},
		"another vendor's":          {nil, connector(func(c *snapshot.Connector) { c.Vendor = "contoso" }), "", true},
		"connector of another kind": {nil, connector(func(c *snapshot.Connector) { c.Kind = snapshot.OIDCProvider }), "", false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newKeyServer(t, tc.config)
			s.publish(`{"keys":[]}`)
			tc.spoil(s)
			before := string(s.app().Keys)
			s.fetcher.Look(t.Context())
			if string(s.app().Keys) != before || s.app().PendingKeys != nil {
				t.Error("the keys changed")
			}
			if got := s.log.String(); tc.cause != "" && !strings.Contains(got, tc.cause) {
				t.Errorf("the log lacks %q: %s", tc.cause, got)
			}
			if (s.asked.Load() > 0) != tc.asked {
				t.Errorf("asked %d times", s.asked.Load())
			}
		})
	}
	t.Run("its own pin", func(t *testing.T) {
		s := newKeyServer(t, nil)
		s.publish(`{"keys":[]}`)
		connector(func(c *snapshot.Connector) { c.Pins = []snapshot.KeyDigest{s.cert.KeyDigest()} })(s)
		if s.fetcher.Look(t.Context()); s.app().Keys != nil {
			t.Error("not taken up")
		}
	})
}

// A server that never ends its answer is left, and the fetcher stops with its
// context.
func TestSlowKeyServer(t *testing.T) {
	s := newKeyServer(t, func(c *KeyFetcherConfig) { c.Every = time.Hour })
	started := make(chan struct{})
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.(http.Flusher).Flush()
		close(started)
		<-r.Context().Done()
	})
	s.answer.Store(&h)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); s.fetcher.Run(ctx) }()
	<-started
	cancel()
	<-done
}

func TestPublicAddresses(t *testing.T) {
	private := []netip.Prefix{netip.MustParsePrefix("10.9.0.0/16")}
	for addr, want := range map[string]bool{
		"8.8.8.8": true, "2606:4700::1111": true, "10.9.1.2": true,
		"127.0.0.1": false, "127.9.9.9": false, "10.0.0.1": false, "172.16.0.1": false, "192.168.1.1": false, "169.254.169.254": false, "100.64.0.1": false,
		"0.0.0.0": false, "0.1.2.3": false, "192.0.0.1": false, "198.18.0.1": false, "224.0.0.1": false, "240.0.0.1": false, "255.255.255.255": false,
		"::": false, "::1": false, "::ffff:127.0.0.1": false, "::ffff:10.0.0.1": false, "::ffff:8.8.8.8": true, "::7f00:1": false, "64:ff9b::a00:1": false,
		"64:ff9b:1::1": false, "2002:7f00:1::": false, "2001::1": false, "fc00::1": false, "fd00::1": false, "fe80::1": false, "fe80::1%eth0": false, "fec0::1": false, "ff02::1": false, "2001:db8::1": false,
	} {
		if got := isPublic(netip.MustParseAddr(addr), private); got != want {
			t.Errorf("%s: got %v, want %v", addr, got, want)
		}
	}
}

func FuzzKeySet(f *testing.F) {
	key := must2(NewKey(256))
	f.Add([]byte(must2(PublicKeys(key.Public()))))
	f.Add([]byte(`{"keys":[]}`))
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"AAAA","kid":"x"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB","kid":"x"}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		keys, err := usableKeys(body)
		if err != nil {
			return
		}
		for _, k := range keys {
			if !k.IsPublic() || k.KeyID == "" || !fits(k.Key, jose.SignatureAlgorithm(k.Algorithm)) {
				t.Fatalf("took up %+v", k)
			}
		}
	})
}

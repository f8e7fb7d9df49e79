package identity

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/errgroup"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

// KeyFetcher asks, in the background, what the key servers of applications publish
// (connectors of kind jwks; RFC 7517), and offers it to the registry. No request
// of anybody ever waits for it, and none can make it ask.
//
// What it brings is trusted with taking away only. A key that is no longer
// published dies with the next look; a key that is new waits until a person
// approves it. When a server does not answer, or answers with what is no key set,
// nothing changes, and the log says so.
//
// It goes to public addresses only, over TLS, follows no redirect, and reads
// little: a vendor who registers an address must not be able to have us knock on
// doors inside the house.
type KeyFetcher struct{ c KeyFetcherConfig }

// KeyFetcherConfig is what the fetcher needs.
type KeyFetcherConfig struct {
	View func() *snapshot.View
	// Offer brings a JWK Set to the registry, as the connector. A problem of kind
	// Conflict says that nothing has changed.
	Offer func(ctx context.Context, connector id.Connector, app id.App, keys json.RawMessage) error
	Every time.Duration // default one minute
	// Private are the private networks that may be reached, too.
	Private []netip.Prefix
	Roots   *x509.CertPool // nil: the system's
	Now     func() time.Time
	Log     *slog.Logger
}

const (
	keysEvery    = time.Minute
	keysTimeout  = 10 * time.Second // for one server, all in all
	keysAtOnce   = 4
	maxKeySet    = 64 << 10
	maxOffered   = 8   // the registry's limit for an application
	maxKeyIDName = 128 // likewise
)

// NewKeyFetcher makes a fetcher; Run starts it.
func NewKeyFetcher(c KeyFetcherConfig) (*KeyFetcher, error) {
	if c.View == nil || c.Offer == nil || c.Now == nil || c.Log == nil {
		return nil, problem.New(problem.Internal, "The key fetcher lacks its view, its registry, its clock or its log", "Pass all four")
	}
	if c.Every <= 0 {
		c.Every = keysEvery
	}
	return &KeyFetcher{c}, nil
}

// Run asks every so often until ctx ends.
func (f *KeyFetcher) Run(ctx context.Context) {
	tick := time.NewTicker(f.c.Every)
	defer tick.Stop()
	for {
		f.Look(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Look asks every key server once, and returns when all have answered or failed.
func (f *KeyFetcher) Look(ctx context.Context) {
	view := f.c.View()
	if view == nil {
		return
	}
	apps := map[id.Connector][]*snapshot.App{}
	for _, app := range view.Apps.All() {
		if app.KeysFrom != "" && app.State != snapshot.Ended {
			apps[app.KeysFrom] = append(apps[app.KeysFrom], app)
		}
	}
	var group errgroup.Group
	group.SetLimit(keysAtOnce)
	for key, own := range apps {
		c, ok := view.Connectors.Get(key)
		if !ok || c.Kind != snapshot.KeyServer || c.State != snapshot.Approved {
			continue
		}
		group.Go(func() error { f.one(ctx, c, own); return nil })
	}
	_ = group.Wait() // errors are logged, each by itself
}

func (f *KeyFetcher) one(ctx context.Context, c *snapshot.Connector, apps []*snapshot.App) {
	ctx, cancel := context.WithTimeout(ctx, keysTimeout)
	defer cancel()
	keys, err := f.fetch(ctx, c)
	if err != nil {
		f.c.Log.LogAttrs(ctx, slog.LevelWarn, "a key server's keys were not taken up", slog.String("connector", string(c.ID)), slog.String("cause", err.Error()))
		return
	}
	for _, app := range apps {
		if app.Vendor != c.Vendor {
			continue
		}
		set, err := json.Marshal(jose.JSONWebKeySet{Keys: fewest(keys, app.Keys)})
		if err == nil {
			err = f.c.Offer(ctx, c.ID, app.ID, set)
		}
		if err != nil && problem.From(err).Kind != problem.Conflict {
			f.c.Log.LogAttrs(ctx, slog.LevelWarn, "a key server's keys were not recorded", slog.String("connector", string(c.ID)), slog.String("app", string(app.ID)), slog.String("cause", err.Error()))
		}
	}
}

var (
	errRedirected = errors.New("it redirects")
	errNoKeySet   = errors.New("the answer is not a JWK Set")
	errPrivateKey = errors.New("it publishes a private key: the keys are compromised")
	errLongKeySet = errors.New("the answer is too long")
)

// fetch asks one server. Its errors quote nothing of the answer.
func (f *KeyFetcher) fetch(ctx context.Context, c *snapshot.Connector) ([]jose.JSONWebKey, error) {
	if err := checkHTTPS("issuer", c.Issuer); err != nil {
		return nil, err
	}
	client := NewOutwardClient(OutwardOptions{Roots: f.c.Roots, Networks: f.c.Private})
	if t, ok := client.Transport.(*http.Transport); ok {
		t.DisableKeepAlives = true
		t.TLSClientConfig.Time = f.c.Now
		t.TLSClientConfig.VerifyConnection = ClientTLS(nil, nil, c.Pins...).VerifyConnection // nil without pins
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.Issuer, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode/100 == 3:
		return nil, errRedirected
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("it answered %d", resp.StatusCode)
	}
	if kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err != nil || kind != "application/json" && kind != "application/jwk-set+json" {
		return nil, errNoKeySet
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxKeySet+1))
	if err != nil {
		return nil, err
	}
	return usableKeys(body)
}

// usableKeys reads a JWK Set and keeps what can sign assertions here. Keys of
// other kinds are passed over (RFC 7517, section 5); a private part anywhere
// condemns the set.
func usableKeys(body []byte) ([]jose.JSONWebKey, error) {
	if len(body) > maxKeySet {
		return nil, errLongKeySet
	}
	var doc struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &doc); err != nil || doc.Keys == nil {
		return nil, errNoKeySet
	}
	out := []jose.JSONWebKey{}
	seen := map[string]bool{}
	for _, raw := range doc.Keys {
		var members map[string]json.RawMessage
		if err := json.Unmarshal(raw, &members); err != nil {
			return nil, errNoKeySet
		}
		for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
			if _, ok := members[private]; ok {
				return nil, errPrivateKey
			}
		}
		var k jose.JSONWebKey
		if k.UnmarshalJSON(raw) != nil || !k.Valid() || !k.IsPublic() || k.KeyID == "" || len(k.KeyID) > maxKeyIDName || k.Use != "" && k.Use != "sig" {
			continue
		}
		alg, err := algorithmFor(k.Key)
		if err != nil || k.Algorithm != "" && k.Algorithm != string(alg) {
			continue
		}
		kid, err := keyID(k.Key)
		if err != nil || seen["kid "+k.KeyID] || seen["key "+kid] {
			return nil, errNoKeySet // two keys under one name, or one under two: which is meant?
		}
		seen["kid "+k.KeyID], seen["key "+kid] = true, true
		out = append(out, jose.JSONWebKey{Key: k.Key, KeyID: k.KeyID, Algorithm: string(alg), Use: "sig"})
	}
	return out, nil
}

// fewest keeps as many keys as an application can have: those that it has first,
// so that more keys never hide that one of them is gone, or push it out.
func fewest(keys []jose.JSONWebKey, held json.RawMessage) []jose.JSONWebKey {
	var set jose.JSONWebKeySet
	if len(held) > 0 && json.Unmarshal(held, &set) != nil {
		set = jose.JSONWebKeySet{}
	}
	name := func(k jose.JSONWebKey) string {
		kid, _ := keyID(k.Key)
		return k.KeyID + " " + kid
	}
	have := map[string]bool{}
	for _, k := range set.Keys {
		have[name(k)] = true
	}
	out := slices.Clone(keys)
	slices.SortStableFunc(out, func(a, b jose.JSONWebKey) int {
		switch x, y := have[name(a)], have[name(b)]; {
		case x == y:
			return 0
		case x:
			return -1
		}
		return 1
	})
	return out[:min(len(out), maxOffered)]
}

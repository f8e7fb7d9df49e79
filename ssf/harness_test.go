package ssf_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
	"github.com/sallyport/sallyport/ssf"
	"github.com/sallyport/sallyport/store"
)

const (
	caep = "https://schemas.openid.net/secevent/caep/event-type/"
	risc = "https://schemas.openid.net/secevent/risc/event-type/"
	sfw  = "https://schemas.openid.net/secevent/ssf/event-type/"
)

// transmitter signs security event tokens for one vendor.
type transmitter struct {
	issuer, audience, kid string
	key                   any
	alg                   jose.SignatureAlgorithm
}

// sign makes a token of these claims.
func (s *transmitter) sign(t testing.TB, claims any) string {
	t.Helper()
	raw, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	return s.signRaw(t, string(raw), "secevent+jwt")
}

func (s *transmitter) signRaw(t testing.TB, payload, typ string) string {
	t.Helper()
	o := (&jose.SignerOptions{}).WithHeader("kid", s.kid)
	if typ != "" {
		o = o.WithType(jose.ContentType(typ))
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: s.alg, Key: s.key}, o)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	out, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func jwks(t testing.TB, kid string, alg jose.SignatureAlgorithm, pub crypto.PublicKey) json.RawMessage {
	t.Helper()
	raw, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: pub, KeyID: kid, Algorithm: string(alg), Use: "sig"}}})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// keys is a KeySource that a test fills.
type keys struct {
	set   []byte
	err   error
	asked int
}

func (k *keys) Keys(context.Context, string, bool) ([]byte, error) {
	k.asked++
	return k.set, k.err
}

// flaky is a registry whose database can be away.
type flaky struct {
	*registry.Registry
	down bool
}

func (f *flaky) Do(ctx context.Context, by registry.Actor, a registry.Act, m registry.Meta) (registry.Result, error) {
	if f.down {
		return registry.Result{}, errors.New("the database is away")
	}
	return f.Registry.Do(ctx, by, a, m)
}

// rsaKey is one for all tests, since making one takes a while.
var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

type world struct {
	t         *testing.T
	r         *flaky
	srv       *ssf.Receiver
	log       *bytes.Buffer
	mu        sync.Mutex
	now       time.Time
	northwind *transmitter // its keys are pinned
	contoso   *transmitter // its keys are those of its metadata
	keys      *keys
	n         int
	ec        *ecdsa.PrivateKey
	rsa       *rsa.PrivateKey
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, now: time.Now().UTC().Truncate(time.Second), log: new(bytes.Buffer), keys: new(keys)}
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "registry.db"), registrytest.Sealer{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	engine, err := registry.NewEngine()
	if err != nil {
		t.Fatal(err)
	}
	r, err := registry.Open(t.Context(), registry.Options{Store: db, Log: new(registrytest.Log), Engine: engine, Node: "node-1", Settings: registrytest.Settings(), Clock: w.clock})
	if err != nil {
		t.Fatal(err)
	}
	w.r = &flaky{Registry: r}
	steps, err := registrytest.Demo{Now: w.now.Add(-time.Minute)}.Steps()
	if err != nil {
		t.Fatal(err)
	}
	if err := registrytest.Do(t.Context(), r, steps); err != nil {
		t.Fatal(err)
	}
	if w.ec, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	w.rsa = rsaKey()
	w.northwind = &transmitter{"https://events.northwind.example", "https://hospital.example/ssf", "k1", w.ec, jose.ES256}
	w.contoso = &transmitter{"https://events.contoso.example", "https://hospital.example/ssf", "c1", w.rsa, jose.RS256}
	w.keys.set = jwks(t, "c1", jose.RS256, w.rsa.Public())
	w.do("ada", registry.ProposeVendor{ID: "contoso", Name: "Contoso"})
	w.do("grace", registry.ApproveVendor{ID: "contoso"})
	w.do("ada", registry.ProposePerson{ID: "mia", Vendor: "contoso", Name: "Mia", Classification: hipaa.BusinessAssociate, Basis: "employee", Region: "US"})
	w.do("grace", registry.ApprovePerson{ID: "mia"})
	w.do("ada", registry.EnrollDevice{ID: "contoso-1", Vendor: "contoso", Key256: registrytest.Key("contoso-1"), Region: "US", Owner: "mia"})
	w.do("grace", registry.ApproveDevice{ID: "contoso-1", TrustedUntil: w.now.AddDate(0, 1, 0)})
	for _, c := range []registry.RegisterConnector{
		{ID: "events", Vendor: "northwind", Kind: snapshot.SSFSender, Name: "Events", Issuer: w.northwind.issuer, Audience: w.northwind.audience, Keys: jwks(t, "k1", jose.ES256, w.ec.Public())},
		{ID: "contoso-events", Vendor: "contoso", Kind: snapshot.SSFSender, Name: "Events", Issuer: w.contoso.issuer, Audience: w.contoso.audience},
		{ID: "login", Vendor: "northwind", Kind: snapshot.OIDCProvider, Name: "Login", Issuer: "https://login.northwind.example", ClientID: "sallyport"},
		{ID: "contoso-login", Vendor: "contoso", Kind: snapshot.OIDCProvider, Name: "Login", Issuer: "https://login.contoso.example", ClientID: "sallyport"},
		{ID: "directory", Vendor: "northwind", Kind: snapshot.SCIMClient, Name: "Directory", Token256: digest("token")},
	} {
		w.do("ada", c)
		w.do("grace", registry.ApproveConnector{ID: c.ID})
	}
	for p, l := range map[id.Person]snapshot.Login{"lin": {Connector: "login", Subject: "00u-lin"}, "mia": {Connector: "contoso-login", Subject: "00u-mia"}} {
		w.do("ada", registry.LinkLogin{ID: p, Login: l})
		w.do("grace", registry.ApprovePerson{ID: p})
	}
	w.do("ada", registry.LinkDirectory{ID: "lin", Directory: snapshot.Directory{Connector: "directory", UserName: "lin@northwind.example", ExternalID: "ext-lin"}})
	w.srv, err = ssf.New(ssf.Config{Registry: w.r, Replays: openReplays(t, w), Keys: w.keys, Now: w.clock, Log: slog.New(slog.NewJSONHandler(w.log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func openReplays(t *testing.T, w *world) *identity.Replays {
	t.Helper()
	r, err := identity.OpenReplays(filepath.Join(t.TempDir(), "events-seen"), w.now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func (w *world) do(by id.Person, a registry.Act) {
	w.t.Helper()
	if _, err := w.r.Registry.Do(w.t.Context(), registry.Actor{Person: by}, a, registry.Meta{Reason: "test"}); err != nil {
		w.t.Fatalf("%T by %s: %v", a, by, err)
	}
}

// signIn begins a session of a person by their provider, under the provider's name
// for it.
func (w *world) signIn(p id.Person, sid string) id.Session {
	w.t.Helper()
	w.n++
	person, _ := w.r.View().Persons.Get(p)
	key := id.New[id.Session](w.clock())
	w.do(p, registry.StartSession{ID: key, Person: p, Secret256: digest(string(key)), Method: snapshot.ByOIDC, Connector: person.Login.Connector,
		ProviderSession256: digest(sid), ExpiresAt: w.clock().Add(time.Hour)})
	return key
}

func (w *world) live(s id.Session) bool {
	x, _ := w.r.View().Sessions.Get(s)
	return x.Live(w.clock())
}

func (w *world) state(p id.Person) snapshot.State {
	x, _ := w.r.View().Persons.Get(p)
	return x.State
}

func (w *world) held(device string) bool {
	for _, h := range w.r.View().HoldsOn(snapshot.Subject{Noun: snapshot.NounDevice, ID: device}) {
		if h.LiftedAt.IsZero() {
			return true
		}
	}
	return false
}

type obj = map[string]any

// set are the claims of a good token of the transmitter.
func (w *world) set(s *transmitter, kind string, subject any, body obj) obj {
	w.n++
	if body == nil {
		body = obj{}
	}
	return obj{"iss": s.issuer, "aud": s.audience, "jti": id.New[string](w.clock()), "iat": w.clock().Unix(), "sub_id": subject, "events": obj{kind: body}}
}

// push sends a token.
func (w *world) push(token string) (status int, body string) {
	w.t.Helper()
	req := httptest.NewRequest("POST", "https://gateway.example/ssf/events", strings.NewReader(token))
	req.Header.Set("Content-Type", "application/secevent+jwt")
	rec := httptest.NewRecorder()
	w.srv.ServeHTTP(rec, req)
	return rec.Code, rec.Body.String()
}

// send sends an event that must be accepted.
func (w *world) send(s *transmitter, kind string, subject any, body obj) {
	w.t.Helper()
	if status, text := w.push(s.sign(w.t, w.set(s, kind, subject, body))); status != 202 || text != "" {
		w.t.Fatalf("%s: got %d %s, want 202", kind, status, text)
	}
}

func issSub(issuer, sub string) obj { return obj{"format": "iss_sub", "iss": issuer, "sub": sub} }

var linSubject = issSub("https://login.northwind.example", "00u-lin")

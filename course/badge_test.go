package course

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/sallyport/sallyport/paper"
	"github.com/sallyport/sallyport/snapshot"
)

// testKey signs as the key store's key does.
type testKey struct {
	private *ecdsa.PrivateKey
	id      string
	set     []byte
}

func newKey(t testing.TB) testKey {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	jwk := jose.JSONWebKey{Key: &private.PublicKey, Algorithm: "ES256", Use: "sig"}
	sum, err := jwk.Thumbprint(5) // SHA-256
	if err != nil {
		t.Fatal(err)
	}
	jwk.KeyID = base64.RawURLEncoding.EncodeToString(sum)
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{jwk}})
	if err != nil {
		t.Fatal(err)
	}
	return testKey{private, jwk.KeyID, set}
}

func (k testKey) KeyID() string { return k.id }

func (k testKey) SignES256(data []byte) ([]byte, error) {
	sum := sha256.Sum256(data)
	r, s, err := ecdsa.Sign(rand.Reader, k.private, sum[:])
	if err != nil {
		return nil, err
	}
	out := make([]byte, 64)
	r.FillBytes(out[:32])
	s.FillBytes(out[32:])
	return out, nil
}

func pass() *snapshot.Training {
	return &snapshot.Training{ID: "01TRAINING", Person: "lin", Course: Name, Version: Edition, Passed: true, Score: .95, CompletedAt: now, ExpiresAt: now.AddDate(1, 0, 0),
		RecordedBy: "lin", Source: snapshot.FromProduct, Modules: []string{"M1", "M2", "M4", "M5", "M6"}, Track: "SUP", Hours: 4, Content: strings.Repeat("ab", 32),
		Statement: snapshot.TrainingStatement{Name: "Lin Example", Employer: "Northwind AI, Inc.", Role: "Support", In: "US-TX", Rules: AllRules(), SignedAt: now}}
}

func TestABadgeIsCheckedOffline(t *testing.T) {
	key := newKey(t)
	issuer := Issuer{Name: "Mercy Valley Health", URL: "https://people.example.org", Key: key}
	tr := pass()
	token, err := issuer.Badge(tr, Title)
	if err != nil {
		t.Fatal(err)
	}
	list := func(at time.Time, records ...snapshot.Record) string {
		e := (&snapshot.View{}).Edit()
		for _, r := range records {
			e.Put(r)
		}
		text, err := issuer.RevocationList(e.Publish(1, 0, at), at)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	got, err := VerifyBadge(token+"\n", key.set, list(now, tr), now.Add(72*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if got.ID != "https://people.example.org/badges/01TRAINING" || got.Subject.ID != "https://people.example.org/accounts/lin" || !got.Listed || got.ListAge != 72*time.Hour ||
		got.Subject.Result[0].Value != "95" || got.Subject.Result[1].Value != tr.Content || got.KeyID != key.id {
		t.Errorf("got %+v", got)
	}
	body, _ := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	for _, private := range []string{"Lin Example", "Northwind"} {
		if strings.Contains(string(body), private) {
			t.Errorf("the badge says %q", private)
		}
	}
	revoked := *tr
	revoked.RevokedAt = now.Add(time.Hour)
	other := newKey(t)
	forged, err := Issuer{Name: issuer.Name, URL: issuer.URL, Key: other}.Badge(tr, Title)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := Issuer{Name: "Other", URL: "https://other.example.org", Key: key}.RevocationList(people(), now)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(token, ".")
	changed := parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(body), "accounts/lin", "accounts/kim", 1))) + "." + parts[2]
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + parts[1] + "."
	for _, c := range []struct {
		name, token string
		keys        []byte
		list        string
		at          time.Time
		want        string
	}{
		{"revoked", token, key.set, list(now.Add(2*time.Hour), &revoked), now.Add(3 * time.Hour), "revoked on 2026-06-01"},
		{"run out", token, key.set, "", tr.ExpiresAt, "ran out on 2027-06-01"},
		{"not begun", token, key.set, "", now.Add(-time.Second), "begins"},
		{"changed", changed, key.set, "", now, "signature"},
		{"without a signature", none, key.set, "", now, "ES256"},
		{"by another key", forged, key.set, "", now, "key that it names"},
		{"with other keys", token, other.set, "", now, "key that it names"},
		{"a list in its place", list(now, tr), key.set, "", now, "type"},
		{"a badge for a list", token, key.set, token, now, "type"},
		{"another issuer's list", token, key.set, foreign, now, "not this issuer's"},
		{"a list of tomorrow", token, key.set, list(now.Add(24*time.Hour), tr), now, "time to come"},
		{"nothing", "", key.set, "", now, "not a JWT"},
		{"no keys", token, []byte(`{"keys":[]}`), "", now, "JWK Set"},
	} {
		if _, err := VerifyBadge(c.token, c.keys, c.list, c.at); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
	failed := *tr
	failed.Passed = false
	for _, x := range []*snapshot.Training{&revoked, &failed, {}} {
		if _, err := issuer.Badge(x, Title); err == nil {
			t.Errorf("a badge for %+v", x)
		}
	}
	if _, err := (Issuer{}).Badge(tr, Title); err == nil {
		t.Error("a badge by nobody")
	}
}

func TestCertificate(t *testing.T) {
	v := people()
	doc, err := Certificate("Mercy Valley Health", v, pass())
	if err != nil {
		t.Fatal(err)
	}
	text := paper.Text(doc)
	for _, want := range []string{"Lin Example", "Northwind AI, Inc.", "Support", "95 percent", strings.Repeat("ab", 32), "Texas", "six years", Rules[6], "45 CFR 164.308(a)(5)(i)", "reg-text", "no statement about the person's employer"} {
		if want == "six years" {
			want = "kept for six years"
		}
		if !strings.Contains(strings.Join(strings.Fields(text), " "), want) {
			t.Errorf("it does not say %q: %s", want, text)
		}
	}
	first, err := paper.PDF(doc)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := paper.PDF(doc); err != nil || string(again) != string(first) || !strings.HasPrefix(string(first), "%PDF-") {
		t.Error("the same completion gives another paper")
	}
	failed := pass()
	failed.Passed = false
	if _, err := Certificate("x", v, failed); err == nil {
		t.Error("a certificate for a failure")
	}
}

func FuzzBadge(f *testing.F) {
	key := newKey(f)
	token, err := Issuer{Name: "x", URL: "https://people.example.org", Key: key}.Badge(pass(), Title)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(token, key.set)
	f.Add("a.b.c", []byte(`{"keys":[{"kty":"oct","k":"AA"}]}`))
	want, err := VerifyBadge(token, key.set, "", now)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string, keys []byte) {
		// An ECDSA signature has a twin, and base64 spare bits: what it says is the same.
		got, err := VerifyBadge(text, keys, "", now)
		if err == nil && string(keys) == string(key.set) && (got.ID != want.ID || got.Subject.ID != want.Subject.ID || !got.ValidUntil.Equal(want.ValidUntil)) {
			t.Errorf("another badge verifies: %+v", got)
		}
	})
}

package hospital

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"
)

func TestAuthIsAskedFor(t *testing.T) {
	r := small(t).rec
	for _, c := range []struct {
		name string
		auth Auth
		with string
		want int
	}{
		{"open", Auth{}, "", 200},
		{"bearer absent", Auth{Bearer: "s3cret"}, "", 401},
		{"bearer wrong", Auth{Bearer: "s3cret"}, "Bearer other", 401},
		{"bearer right", Auth{Bearer: "s3cret"}, "Bearer s3cret", 200},
		{"basic wrong", Auth{User: "u", Password: "p"}, "Basic " + base64.StdEncoding.EncodeToString([]byte("u:q")), 401},
		{"basic right", Auth{User: "u", Password: "p"}, "Basic " + base64.StdEncoding.EncodeToString([]byte("u:p")), 200},
		{"certificate absent", Auth{Certificate: true, Bearer: "s3cret"}, "Bearer s3cret", 401},
		{"backend without a token", Auth{Backend: map[string]crypto.PublicKey{}}, "Bearer ", 401},
	} {
		s := NewServer(r, Options{Auth: c.auth})
		if a := get(t, s, "Patient/a", "Authorization", c.with); a.status != c.want {
			t.Errorf("%s: got %d, want %d", c.name, a.status, c.want)
		}
		if a := get(t, s, "metadata"); a.status != 200 {
			t.Errorf("%s: metadata got %d, want 200 without authentication", c.name, a.status)
		}
	}
}

func TestAVerifiedCertificateIsEnough(t *testing.T) {
	s := NewServer(small(t).rec, Options{Auth: Auth{Certificate: true}})
	for name, c := range map[string]struct {
		state *tls.ConnectionState
		want  int
	}{
		"plain HTTP":                {nil, 401},
		"no certificate":            {&tls.ConnectionState{}, 401},
		"a certificate nobody knew": {&tls.ConnectionState{PeerCertificates: []*x509.Certificate{{}}}, 401},
		"verified":                  {&tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{{}}}}, 200},
	} {
		r := httptest.NewRequest("GET", "/fhir/Patient/a", nil)
		r.TLS = c.state
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%s: got %d, want %d", name, w.Code, c.want)
		}
	}
}

func TestBackendServicesGetTokens(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	now := Today
	s := NewServer(small(t).rec, Options{
		Auth: Auth{Backend: map[string]crypto.PublicKey{"app": &ec.PublicKey, "rsa": &rs.PublicKey}},
		Now:  func() time.Time { return now }, BaseURL: "https://hospital.example.org/fhir",
	})
	const aud = "https://hospital.example.org/fhir/auth/token"
	sign := func(alg, iss, aud, jti string, exp time.Time) string {
		e := base64.RawURLEncoding.EncodeToString
		head := e([]byte(`{"alg":"`+alg+`","typ":"JWT"}`)) + "." + e(fmt.Appendf(nil, `{"iss":%q,"sub":%q,"aud":%q,"jti":%q,"exp":%d}`, iss, iss, aud, jti, exp.Unix()))
		sum := sha512.Sum384([]byte(head))
		var sig []byte
		if iss == "rsa" {
			sig, err = rsa.SignPKCS1v15(rand.Reader, rs, crypto.SHA384, sum[:])
		} else {
			r, v, e := ecdsa.Sign(rand.Reader, ec, sum[:])
			err = e
			sig = append(r.FillBytes(make([]byte, 48)), v.FillBytes(make([]byte, 48))...)
		}
		if err != nil {
			t.Fatal(err)
		}
		return head + "." + e(sig)
	}
	post := func(assertion string) answer {
		return ask(t, s, "POST", "/fhir/auth/token", url.Values{"grant_type": {"client_credentials"}, "scope": {"system/*.rs"},
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {assertion}}.Encode(),
			"Content-Type", "application/x-www-form-urlencoded")
	}
	soon := now.Add(2 * time.Minute)
	good := sign("ES384", "app", aud, "1", soon)
	for name, c := range map[string]struct {
		jwt  string
		want int
	}{
		"other audience": {sign("ES384", "app", "https://evil.example.org", "2", soon), 400},
		"expired":        {sign("ES384", "app", aud, "3", now.Add(-time.Second)), 400},
		"long lived":     {sign("ES384", "app", aud, "4", now.Add(time.Hour)), 400},
		"unknown client": {sign("ES384", "who", aud, "5", soon), 400},
		"wrong alg":      {sign("none", "app", aud, "6", soon), 400},
		"no jti":         {sign("ES384", "app", aud, "", soon), 400},
		"tampered":       {good[:len(good)-8] + "AAAAAAAA", 400},
		"rsa":            {sign("RS384", "rsa", aud, "7", soon), 200},
		"not a jwt":      {"x", 400},
	} {
		if a := post(c.jwt); a.status != c.want {
			t.Errorf("%s: got %d %s, want %d", name, a.status, a.body, c.want)
		}
	}
	a := post(good)
	if a.status != 200 {
		t.Fatalf("got %d %s", a.status, a.body)
	}
	if b := post(good); b.status != 400 {
		t.Errorf("a replayed assertion got %d, want 400", b.status)
	}
	bearer := "Bearer " + str(a.tree["access_token"])
	if b := get(t, s, "Patient/a", "Authorization", bearer); b.status != 200 {
		t.Errorf("with the token: got %d", b.status)
	}
	now = now.Add(6 * time.Minute)
	if b := get(t, s, "Patient/a", "Authorization", bearer); b.status != 401 {
		t.Errorf("with the expired token: got %d, want 401", b.status)
	}
	if c := get(t, s, ".well-known/smart-configuration"); c.tree["token_endpoint"] != aud {
		t.Errorf("smart-configuration: got %s", c.body)
	}
}

package identity

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

func rsaKey() *rsa.PrivateKey { return rsaKeys()[rsaNext.Add(1)%8] }

// community is a trust community's authority.
type community struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newCommunity(t testing.TB) *community {
	key := must2(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Community"}, NotBefore: start.Add(-time.Hour), NotAfter: start.AddDate(5, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der := must2(x509.CreateCertificate(rand.Reader, c, c, key.Public(), key))
	return &community{t, must2(x509.ParseCertificate(der)), key}
}

func (c *community) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.cert.Raw}))
}

// member is a certificate of the community with its key.
func (c *community) member(key crypto.Signer, change func(*x509.Certificate), uris ...string) []string {
	t := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "Member"}, NotBefore: start.Add(-time.Hour), NotAfter: start.AddDate(1, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature}
	for _, u := range uris {
		t.URIs = append(t.URIs, must2(url.Parse(u)))
	}
	if change != nil {
		change(t)
	}
	der := must2(x509.CreateCertificate(rand.Reader, t, c.cert, key.Public(), c.key))
	return []string{base64.StdEncoding.EncodeToString(der)}
}

const memberURI = "https://triage.northwind.example/app"

// udapWorld is a world with an approved connector for northwind's application in a
// community.
type udapWorld struct {
	*launchWorld
	community *community
	key       *rsa.PrivateKey
	chain     []string
	udap      *UDAP
}

// registryRegistrar registers by the registry's own rules.
type registryRegistrar struct{ registryBook }

func (r registryRegistrar) Register(_ context.Context, by id.Connector, a snapshot.App) error {
	return r.do(registry.Actor{Connector: by}, registry.RegisterApp{ID: a.ID, Vendor: a.Vendor, Name: a.Name, Kind: a.Kind, Keys: a.Keys, Owner: a.Owner, Redirects: a.Redirects, KeysFrom: a.KeysFrom})
}

func (r registryRegistrar) Rotate(_ context.Context, by id.Connector, app id.App, keys []byte) error {
	return r.do(registry.Actor{Connector: by}, registry.RotateAppKeys{ID: app, Keys: keys})
}

func (r registryRegistrar) Cancel(_ context.Context, by id.Connector, app id.App) error {
	return r.do(registry.Actor{Connector: by}, registry.RevokeApp{ID: app})
}

func newUDAPWorld(t testing.TB) *udapWorld {
	w := &udapWorld{launchWorld: newLaunchWorld(t), community: newCommunity(t), key: rsaKey()}
	w.chain = w.community.member(w.key, nil, memberURI)
	w.edit(func(e *snapshot.Edit) {
		e.Put(&snapshot.Connector{ID: "com", Vendor: "northwind", Kind: snapshot.UDAPClients, Issuer: memberURI, Anchors: w.community.pem(), Owner: "lin", Approval: approved})
		e.Put(&snapshot.Connector{ID: "rival-com", Vendor: "contoso", Kind: snapshot.UDAPClients, Issuer: "https://contoso.example/app", Anchors: w.community.pem(), Owner: "rita", Approval: approved})
		e.Put(&snapshot.Connector{ID: "waiting", Vendor: "northwind", Kind: snapshot.UDAPClients, Issuer: "https://waiting.example", Anchors: w.community.pem(), Owner: "lin", Approval: snapshot.Approval{State: snapshot.Proposed}})
	})
	serverKey := rsaKey()
	der := must2(base64.StdEncoding.DecodeString(w.community.member(serverKey, nil, w.base+"/fhir")[0]))
	signer := must2(NewCredential(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), serverKey))
	w.udap = must2(NewUDAP(UDAPConfig{Endpoints: Endpoints{Issuer: w.base, Token: w.tokenURL(), Register: w.base + "/register"}, Signer: signer, Community: "urn:community",
		Verifier: w.verifier, View: w.view.Load, Replays: w.replays, Registrar: registryRegistrar{newBook(w.world)}, Log: testLog(w.world)}))
	return w
}

func (w *udapWorld) statement() map[string]any {
	return map[string]any{"iss": memberURI, "sub": memberURI, "aud": w.base + "/register", "exp": w.now().Add(4 * time.Minute).Unix(), "iat": w.now().Unix(), "jti": id.New[string](w.now()),
		"client_name": "Triage by UDAP", "contacts": []string{"mailto:ops@northwind.example"}, "grant_types": []string{"client_credentials"},
		"token_endpoint_auth_method": "private_key_jwt", "scope": "system/Patient.rs"}
}

func (w *udapWorld) sign(claims map[string]any) string {
	return signJWT(w.t, jose.RS256, w.key, map[string]any{"x5c": w.chain}, claims)
}

// register posts a statement.
func (w *udapWorld) register(raw string) (int, map[string]any) {
	w.t.Helper()
	return w.postJSON(string(must2(json.Marshal(map[string]any{"software_statement": raw, "udap": "1", "certifications": []string{"ignored"}}))))
}

func (w *udapWorld) postJSON(body string) (int, map[string]any) {
	w.t.Helper()
	r := httptest.NewRequest("POST", w.base+"/register", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	rec := httptest.NewRecorder()
	w.udap.ServeHTTP(rec, r)
	var out map[string]any
	if err := json.Unmarshal(rec.Body.Bytes(), &out); err != nil {
		w.t.Fatal(err)
	}
	return rec.Code, out
}

func (w *udapWorld) app(key any) *snapshot.App {
	a, _ := w.view.Load().Apps.Get(id.App(fmt.Sprint(key)))
	return a
}

// admitted registers the application, and has people approve it and give it a
// grant for evaluation in operations.
func (w *udapWorld) admitted() id.App {
	w.t.Helper()
	status, out := w.register(w.sign(w.statement()))
	if status != 201 {
		w.t.Fatalf("registration: %d %v", status, out)
	}
	app := *w.app(out["client_id"])
	w.edit(func(e *snapshot.Edit) {
		app.Approval = approved
		e.Put(&app)
		e.Put(&snapshot.Engagement{ID: "eval", Vendor: "northwind", Purpose: hipaa.Evaluation, Category: hipaa.Operations})
		e.Put(&snapshot.Grant{ID: "udap-grant", App: app.ID, Person: "lin", Engagement: "eval", Approval: approved})
	})
	return app.ID
}

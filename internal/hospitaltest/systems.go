package hospitaltest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/server"
	"github.com/sallyport/sallyport/snapshot"
)

// Systems are a vendor's own systems, registered and approved: a directory that
// speaks SCIM, a sender of security events, a fleet manager. They have no client
// certificates.
type Systems struct {
	Vendor    id.Vendor
	Directory id.Connector
	SCIM      string // the directory's bearer token
	Events    *Transmitter
	Fleet     string // the fleet manager's bearer token
	HTTP      *http.Client
	gateway   string
}

// Transmitter signs security event tokens (RFC 8417).
type Transmitter struct {
	Issuer, Audience, KeyID string
	Key                     *ecdsa.PrivateKey
}

// Sign makes a token of the claims.
func (s *Transmitter) Sign(claims any) (string, error) {
	raw, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: s.Key}, (&jose.SignerOptions{}).WithType("secevent+jwt").WithHeader("kid", s.KeyID))
	if err != nil {
		return "", err
	}
	jws, err := signer.Sign(raw)
	if err != nil {
		return "", err
	}
	return jws.CompactSerialize()
}

// Event are the claims of a good token: one event about one subject.
func (s *Transmitter) Event(kind string, subject, body any, at time.Time) map[string]any {
	if body == nil {
		body = map[string]any{}
	}
	return map[string]any{"iss": s.Issuer, "aud": s.Audience, "jti": rand.Text(), "iat": at.Unix(), "sub_id": subject, "events": map[string]any{kind: body}}
}

func digestOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// Systems registers a vendor's systems, and has them approved.
func (b *Box) Systems(vendor id.Vendor) *Systems {
	b.t.Helper()
	roots, err := identity.PoolFromFiles(b.Client.CA)
	if err != nil {
		b.t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.t.Fatal(err)
	}
	pinned, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k1", Algorithm: "ES256", Use: "sig"}}})
	if err != nil {
		b.t.Fatal(err)
	}
	s := &Systems{Vendor: vendor, Directory: id.Connector(vendor + "-directory"), SCIM: rand.Text(), Fleet: rand.Text(), gateway: b.Gateway,
		HTTP:   identity.NewHTTPClient(identity.ClientTLS(nil, roots)),
		Events: &Transmitter{Issuer: "https://events." + string(vendor) + ".example", Audience: b.Gateway, KeyID: "k1", Key: key}}
	b.t.Cleanup(s.HTTP.CloseIdleConnections)
	for _, c := range []registry.RegisterConnector{
		{ID: s.Directory, Vendor: vendor, Kind: snapshot.SCIMClient, Name: "Directory", Token256: digestOf(s.SCIM)},
		{ID: id.Connector(vendor + "-events"), Vendor: vendor, Kind: snapshot.SSFSender, Name: "Events", Issuer: s.Events.Issuer, Audience: s.Events.Audience, Keys: pinned},
		{ID: id.Connector(vendor + "-fleet"), Vendor: vendor, Kind: snapshot.FleetManager, Name: "Fleet", Token256: digestOf(s.Fleet)},
	} {
		b.Act(registrytest.Ada, c)
		b.Act(registrytest.Grace, registry.ApproveConnector{ID: c.ID})
	}
	return s
}

// Ask sends a request of one of the systems to a path of the gateway.
func (s *Systems) Ask(method, path, token, contentType, body string) (Answer, error) {
	req, err := http.NewRequest(method, s.gateway+path, strings.NewReader(body))
	if err != nil {
		return Answer{}, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := s.HTTP.Do(req)
	if err != nil {
		return Answer{}, err
	}
	return answer(resp), nil
}

// Push sends a security event.
func (s *Systems) Push(claims map[string]any) (Answer, error) {
	token, err := s.Events.Sign(claims)
	if err != nil {
		return Answer{}, err
	}
	return s.Ask(http.MethodPost, "/ssf/events", "", "application/secevent+jwt", token)
}

// The second vendor's things: the demo's, renamed.
const (
	Vendor2 = id.Vendor("contoso")
	Device2 = id.Device("contoso-gpu-1")
	App2    = id.App("imaging")
	Grant2  = id.Grant("imaging-grant")
	Mia     = id.Person("mia")
)

var renamed = strings.NewReplacer("northwind", "contoso", "Northwind", "Contoso", "triage", "imaging", "Triage", "Imaging", `"lin`, `"mia`, "Lin ", "Mia ", "N. Wind", "C. Oso")

// Second makes a second vendor with all papers, and gives its program on its
// device. It may do what the first may, for itself.
func (b *Box) Second() *Client {
	b.t.Helper()
	config, err := server.Load(b.File)
	if err != nil {
		b.t.Fatal(err)
	}
	c := b.newClient(config, Device2, App2)
	keys, err := identity.PublicKeys(c.Key.Public())
	if err != nil {
		b.t.Fatal(err)
	}
	steps, err := registrytest.Demo{Now: b.Clock.Now().Add(-2 * time.Second), DeviceKey: c.Device.KeyDigest(), AppKeys: keys}.Steps()
	if err != nil {
		b.t.Fatal(err)
	}
	for _, s := range steps {
		switch a := s.Act.(type) {
		case registry.BootstrapOrganisation, registry.AdmitSecondPerson, registry.AmendDuties, registry.PutDocument:
			continue
		case registry.ProposePerson:
			if a.Vendor == "" {
				continue
			}
		case registry.RecordTraining:
			a.Course, a.Version = server.DefaultPolicy.Course, server.DefaultPolicy.CourseVersion
			s.Act = a
		}
		spec, _ := registry.SpecOf(s.Act)
		raw, err := registry.Encode(s.Act)
		if err != nil {
			b.t.Fatal(err)
		}
		if spec.Name != "app.register" { // its keys are not words
			raw = []byte(renamed.Replace(string(raw)))
		} else {
			a := s.Act.(registry.RegisterApp)
			a.ID, a.Vendor, a.Name, a.Owner = App2, Vendor2, "Imaging", Mia
			if raw, err = registry.Encode(a); err != nil {
				b.t.Fatal(err)
			}
		}
		act, err := registry.Decode(spec.Name, bytes.TrimSpace(raw))
		if err != nil {
			b.t.Fatal(err)
		}
		b.Act(s.By, act)
	}
	return c
}

// newClient makes the keys of a vendor's device and program.
func (b *Box) newClient(config *server.Config, device id.Device, app id.App) *Client {
	b.t.Helper()
	key, err := identity.NewKey(384)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.clientWith(config, device, app, key)
}

func (b *Box) clientWith(config *server.Config, device id.Device, app id.App, appKey *ecdsa.PrivateKey) *Client {
	b.t.Helper()
	must := func(err error) {
		b.t.Helper()
		if err != nil {
			b.t.Fatal(err)
		}
	}
	ca := b.Data("people", "ca.crt")
	roots, err := identity.PoolFromFiles(ca)
	must(err)
	// The vendor makes its keys and sends a signing request.
	key, err := identity.NewKey(256)
	must(err)
	csr, err := identity.NewRequest(key)
	must(err)
	cert, _, err := server.SignDevice(config, device, csr, 30*24*time.Hour, b.Clock.Now())
	must(err)
	cred, err := identity.NewCredential(cert, key)
	must(err)
	dir := b.t.TempDir()
	must(cred.Write(filepath.Join(dir, "device.crt"), filepath.Join(dir, "device.key")))
	hc := identity.NewHTTPClient(identity.ClientTLS(cred, roots))
	tokens, err := identity.NewClient(identity.ClientConfig{ClientID: string(app), Key: appKey, TokenURL: b.Gateway + "/token",
		Resource: b.Gateway, Scope: "system/*.rs", HTTP: hc, Now: b.Clock.Now})
	must(err)
	b.t.Cleanup(hc.CloseIdleConnections)
	return &Client{Device: cred, Key: appKey, Tokens: tokens, HTTP: hc, CA: ca, Dir: dir, base: b.Base()}
}

// Another is a program on another device of its vendor, with a certificate of the
// installation's authority. Nothing is registered: the caller enrols the device.
func (b *Box) Another(device id.Device, app id.App, key *ecdsa.PrivateKey) *Client {
	b.t.Helper()
	config, err := server.Load(b.File)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.clientWith(config, device, app, key)
}

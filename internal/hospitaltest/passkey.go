package hospitaltest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/identity/signin"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

// Passkey is a passkey that lives in the test: it does what an authenticator does
// (WebAuthn Level 3, sections 6.1 and 6.5), so that a client without a browser signs in
// by the same pages as one with.
type Passkey struct {
	id  []byte
	key *ecdsa.PrivateKey
	of  id.Person
}

// The flags of authenticator data.
const (
	userPresent  = 0x01
	userVerified = 0x04
	withKey      = 0x40
)

func newPasskey(of id.Person) (*Passkey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	k := &Passkey{id: make([]byte, 16), key: key, of: of}
	_, err = rand.Read(k.id)
	return k, err
}

// data is authenticator data for a relying party.
func (k *Passkey) data(rp string, attested bool) ([]byte, error) {
	sum := sha256.Sum256([]byte(rp))
	out := append(sum[:], userPresent|userVerified, 0, 0, 0, 0)
	if !attested {
		return out, nil
	}
	out[32] |= withKey
	out = append(out, make([]byte, 16)...) // no model
	out = binary.BigEndian.AppendUint16(out, uint16(len(k.id)))
	out = append(out, k.id...)
	public, err := k.public()
	return append(out, public...), err
}

// public is the public key as COSE has it: EC2, ES256, P-256.
func (k *Passkey) public() ([]byte, error) {
	point, err := k.key.PublicKey.Bytes() // 0x04, X, Y
	if err != nil {
		return nil, err
	}
	out := append([]byte{0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20}, point[1:33]...)
	return append(append(out, 0x22, 0x58, 0x20), point[33:]...), nil
}

func clientData(kind, challenge, origin string) ([]byte, error) {
	return json.Marshal(map[string]any{"type": kind, "challenge": challenge, "origin": origin, "crossOrigin": false})
}

// made answers a request for a new passkey.
func (k *Passkey) made(challenge, rp, origin string) (string, error) {
	client, err := clientData("webauthn.create", challenge, origin)
	if err != nil {
		return "", err
	}
	data, err := k.data(rp, true)
	if err != nil {
		return "", err
	}
	// {"fmt": "none", "attStmt": {}, "authData": ...} in CBOR.
	object := append([]byte{0xa3}, "\x63fmt\x64none\x67attStmt\xa0\x68authData\x58"...)
	object = append(append(object, byte(len(data))), data...)
	return k.answer(map[string]any{"clientDataJSON": b64(client), "attestationObject": b64(object), "transports": []string{"internal"}})
}

// used answers a request to sign in.
func (k *Passkey) used(challenge, rp, origin string) (string, error) {
	client, err := clientData("webauthn.get", challenge, origin)
	if err != nil {
		return "", err
	}
	data, err := k.data(rp, false)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(client)
	signed := sha256.Sum256(append(data, sum[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, k.key, signed[:])
	if err != nil {
		return "", err
	}
	return k.answer(map[string]any{"clientDataJSON": b64(client), "authenticatorData": b64(data[:37]), "signature": b64(signature), "userHandle": b64(signin.Handle(k.of))})
}

func (k *Passkey) answer(response map[string]any) (string, error) {
	raw, err := json.Marshal(map[string]any{"id": b64(k.id), "rawId": b64(k.id), "type": "public-key", "response": response, "clientExtensionResults": map[string]any{}})
	return string(raw), err
}

func b64(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }

// Visitor is somebody with a browser without script, signed in by a passkey.
type Visitor struct {
	*http.Client
	Person  id.Person
	Passkey *Passkey
	pages   string
}

// Visit signs a person in, who gets an invitation, a passkey and a session by the same
// pages as everybody else. The organisation's people invite themselves, who know their
// certificate; a vendor's person is invited by Ada, and Grace compares the passkey.
func (b *Box) Visit(person id.Person) *Visitor {
	b.t.Helper()
	roots, err := identity.PoolFromFiles(b.Data("people", "ca.crt"))
	if err != nil {
		b.t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		b.t.Fatal(err)
	}
	v := &Visitor{Client: identity.NewHTTPClient(identity.ClientTLS(nil, roots)), Person: person, pages: b.Pages}
	v.Jar, v.CheckRedirect = jar, nil
	b.t.Cleanup(v.CloseIdleConnections)
	by, code := registrytest.Ada, signin.NewCode()
	_, ours := b.People[person]
	if ours {
		by = person
	}
	code256, _ := signin.CodeDigest(code)
	b.Act(by, registry.InvitePerson{ID: person, Code256: code256, ExpiresAt: b.Clock.Now().Add(time.Hour)})
	if v.Passkey, err = newPasskey(person); err != nil {
		b.t.Fatal(err)
	}
	if err := v.enrol(code); err != nil {
		b.t.Fatalf("enrolling %s: %v", person, err)
	}
	if !ours {
		b.Act(registrytest.Grace, registry.ApprovePerson{ID: person, Passkeys: b.Fingerprints(person)})
	}
	if err := v.SignIn(); err != nil {
		b.t.Fatalf("signing in as %s: %v", person, err)
	}
	return v
}

// Fingerprints are those of a person's passkeys, as Grace reads them.
func (b *Box) Fingerprints(person id.Person) (out []string) {
	b.t.Helper()
	got, err := b.People[registrytest.Grace].Do(http.MethodGet, "/v1/persons/"+string(person), nil)
	if err != nil {
		b.t.Fatal(err)
	}
	var p snapshot.Person
	if err := json.Unmarshal(got.Body, &p); err != nil || got.Status != http.StatusOK {
		b.t.Fatalf("reading %s: %v %s", person, err, got)
	}
	for _, k := range p.Passkeys {
		out = append(out, k.Fingerprint)
	}
	return out
}

var (
	optionsOf = regexp.MustCompile(`data-options="([^"]*)"`)
	stateOf   = regexp.MustCompile(`name="state" value="([^"]*)"`)
)

// ceremony is what a page asks of a passkey.
type ceremony struct{ challenge, rp, state string }

func (v *Visitor) page(resp *http.Response, err error) (string, error) {
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %d %.1000s", resp.Request.URL.Path, resp.StatusCode, raw)
	}
	return string(raw), err
}

func ceremonyOf(page string) (ceremony, error) {
	options, state := optionsOf.FindStringSubmatch(page), stateOf.FindStringSubmatch(page)
	if options == nil || state == nil {
		return ceremony{}, fmt.Errorf("the page asks for no passkey: %.1000s", page)
	}
	var asked struct {
		Challenge string              `json:"challenge"`
		RPID      string              `json:"rpId"`
		RP        struct{ ID string } `json:"rp"`
	}
	if err := json.Unmarshal([]byte(html.UnescapeString(options[1])), &asked); err != nil {
		return ceremony{}, err
	}
	c := ceremony{asked.Challenge, asked.RPID, html.UnescapeString(state[1])}
	if c.rp == "" {
		c.rp = asked.RP.ID
	}
	return c, nil
}

func (v *Visitor) enrol(code string) error {
	if _, err := v.page(v.Get(v.pages + "/enroll")); err != nil {
		return err
	}
	page, err := v.page(v.PostForm(v.pages+"/enroll", url.Values{"code": {code}}))
	if err != nil {
		return err
	}
	c, err := ceremonyOf(page)
	if err != nil {
		return err
	}
	answer, err := v.Passkey.made(c.challenge, c.rp, v.pages)
	if err != nil {
		return err
	}
	_, err = v.page(v.PostForm(v.pages+"/enroll/passkey", url.Values{"state": {c.state}, "response": {answer}, "name": {"of a test"}}))
	return err
}

// SignIn begins a session, in the place of the one before.
func (v *Visitor) SignIn() error { return v.touch("/signin", "/signin") }

// StepUp touches the passkey in the session that there is.
func (v *Visitor) StepUp() error { return v.touch("/step-up", "/step-up") }

func (v *Visitor) touch(from, to string) error {
	page, err := v.page(v.Get(v.pages + from))
	if err != nil {
		return err
	}
	c, err := ceremonyOf(page)
	if err != nil {
		return err
	}
	answer, err := v.Passkey.used(c.challenge, c.rp, v.pages)
	if err != nil {
		return err
	}
	_, err = v.page(v.PostForm(v.pages+to, url.Values{"state": {c.state}, "response": {answer}}))
	return err
}

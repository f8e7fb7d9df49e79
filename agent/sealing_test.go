package agent

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/sallyport/sallyport/seal/sealed"
)

// signer is an organisation's key, as package seal has it.
type signer struct{ key *ecdsa.PrivateKey }

// KeyID implements sealed.Signer.
func (s signer) KeyID() string { kid, _ := sealed.Thumbprint(&s.key.PublicKey); return kid }

// SignES256 implements sealed.Signer.
func (s signer) SignES256(data []byte) ([]byte, error) {
	sum := sha256.Sum256(data)
	r, x, err := ecdsa.Sign(rand.Reader, s.key, sum[:])
	if err != nil {
		return nil, err
	}
	out := make([]byte, 64)
	r.FillBytes(out[:32])
	x.FillBytes(out[32:])
	return out, nil
}

// sealedEntry is an entry of a batch's answer as the gateway writes it.
func sealedEntry(t *testing.T, s signer, to sealed.Recipient, nonce string, entry int, inside string) string {
	t.Helper()
	sealer, err := sealed.NewSealer(to)
	if err != nil {
		t.Fatal(err)
	}
	b, err := sealer.Begin(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	body, err := b.Append(nil, []byte(inside), true)
	if err != nil {
		t.Fatal(err)
	}
	preamble, sum, key := sha256.Sum256(b.Preamble()), sha256.Sum256(body), to.ID()
	m := sealed.Manifest{Final: true, Decision: "one", Engagement: "sepsis", Vendor: "northwind", Device: "laptop", Format: sealer.Format(), Recipients: []string{hex.EncodeToString(key[:])},
		ContentType: "application/fhir+json", Preamble: hex.EncodeToString(preamble[:]), Created: time.Now(), Nonce: nonce, Entry: entry,
		SHA256: hex.EncodeToString(sum[:]), Bytes: int64(len(body)), Clear: int64(len(inside)), Releases: 1}
	signed, err := m.Sign(s)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`{"resource":{"resourceType":"Binary","contentType":"application/age","data":%q},"response":{"extension":[{"url":%q,"valueString":%q}],"status":"200"}}`,
		base64.StdEncoding.EncodeToString(body), manifestURL, signed)
}

// Whoever is between cannot put the answer about one patient in the place of the
// answer about another, nor an answer of their own.
func TestEntriesOfABatchStayInTheirPlaces(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	org := signer{private}
	set, err := sealed.MarshalKeys(&private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := sealed.ParseKeys(set)
	if err != nil {
		t.Fatal(err)
	}
	identity, err := sealed.NewIdentity(sealed.HPKE)
	if err != nil {
		t.Fatal(err)
	}
	l := new(Local)
	l.opener.identities, l.opener.keys, l.opener.have = []sealed.Identity{identity}, keys, true
	nonce := newNonce()
	ctx := context.WithValue(t.Context(), nonceKey{}, nonce)
	a := sealedEntry(t, org, identity.Recipient(), nonce, 1, `{"resourceType":"Patient","id":"a"}`)
	b := sealedEntry(t, org, identity.Recipient(), nonce, 2, `{"resourceType":"Patient","id":"b"}`)
	clear := `{"resource":{"resourceType":"Patient","id":"c"},"response":{"status":"200"}}`
	refused := `{"response":{"status":"403","outcome":{"resourceType":"OperationOutcome"}}}`
	statement := `{"resource":{"resourceType":"CapabilityStatement"},"response":{"status":"200"}}`
	bundle := func(entries ...string) []byte {
		return []byte(`{"resourceType":"Bundle","type":"batch-response","entry":[` + string(bytes.Join(func() (out [][]byte) {
			for _, e := range entries {
				out = append(out, []byte(e))
			}
			return out
		}(), []byte(","))) + `]}`)
	}
	for _, tc := range []struct {
		name     string
		raw      []byte
		demanded bool
		want     error
	}{
		{"in their places", bundle(a, b), true, nil},
		{"with a refusal in front", bundle(refused, b), true, nil},
		{"with a statement", bundle(statement, b), true, nil},
		{"swapped", bundle(b, a), true, sealed.ErrReplayed},
		{"one in the place of the other", bundle(a, a), true, sealed.ErrReplayed},
		{"moved up", bundle(b), true, sealed.ErrReplayed},
		{"one in clear", bundle(a, clear), true, errNotSealed},
		{"one in clear where nothing is demanded", bundle(a, clear), false, nil},
		{"no batch at all", []byte(`{"resourceType":"Patient","id":"c"}`), true, errNotSealed},
		{"no JSON", []byte(`<Patient/>`), true, errNotSealed},
		{"the gateway's own words", []byte(`{"resourceType":"CapabilityStatement"}`), true, nil},
	} {
		got, err := l.openEntries(ctx, tc.raw, func() bool { return tc.demanded })
		if !errors.Is(err, tc.want) || tc.want != nil && got != nil {
			t.Errorf("%s: got %.80s, %v, want %v", tc.name, got, err, tc.want)
		}
		if tc.want == nil && !json.Valid(got) {
			t.Errorf("%s: got %.200s", tc.name, got)
		}
	}
}

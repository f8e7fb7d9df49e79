package sealed

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/id"
)

// Manifest binds a sealed body to its decision and its ticket in the audit log.
// Signed before the body it is the opening, and Final is false; signed when all
// of it has its outcome in the log it is the manifest. It names no patient and
// holds no digest of plaintext.
type Manifest struct {
	Version  int         `json:"v"`     // 1
	Final    bool        `json:"final"` // all fields count; else those above Ended are zero
	Decision id.Decision `json:"decision"`
	Log      string      `json:"log,omitempty"` // origin of the audit log
	Ticket   uint64      `json:"ticket"`        // index of the intent in it

	Engagement  id.Engagement `json:"engagement"`
	Vendor      id.Vendor     `json:"vendor"`
	Device      id.Device     `json:"device"`
	Format      Format        `json:"format"`
	Recipients  []string      `json:"recipients"`   // ids of the keys, SHA-256 in hex
	ContentType string        `json:"content_type"` // of what is inside
	Preamble    string        `json:"preamble_sha256"`
	Created     time.Time     `json:"created"`         // when the body began
	Nonce       string        `json:"nonce,omitempty"` // the request's, against replay
	Entry       int           `json:"entry,omitempty"` // which answer of a batch it is, from 1; 0: of no batch

	SHA256   string `json:"sha256,omitempty"`   // of the whole body as it left
	Bytes    int64  `json:"bytes,omitempty"`    // of the body
	Clear    int64  `json:"clear,omitempty"`    // bytes inside
	Releases int    `json:"releases,omitempty"` // outcomes in the log; their bytes, one after the other, are the body
	Outcome  uint64 `json:"outcome,omitempty"`  // index of the last of them
}

const (
	manifestVersion = 1
	manifestType    = "sallyport-manifest+json"
	// MaxManifest is the longest signed manifest, in bytes. It must fit into what
	// HTTP clients take as a trailer; Go's take 4 KB.
	MaxManifest = 3 << 10
)

// Signer signs manifests: ES256 of RFC 7518 section 3.4.
type Signer interface {
	// KeyID is the key's thumbprint (RFC 7638), by which a verifier finds it.
	KeyID() string
	// SignES256 gives the 64 bytes of r and s.
	SignES256(data []byte) ([]byte, error)
}

// Sign gives the manifest as a JSON Web Signature in compact form (RFC 7515).
func (m Manifest) Sign(s Signer) (string, error) {
	m.Version = manifestVersion
	m.Created = m.Created.UTC().Truncate(time.Millisecond)
	if err := m.check(); err != nil {
		return "", err
	}
	body, err := json.Marshal(m)
	if err != nil {
		return "", err
	}
	enc := base64.RawURLEncoding
	head := `{"alg":"ES256","kid":"` + s.KeyID() + `","typ":"` + manifestType + `"}`
	signed := enc.EncodeToString([]byte(head)) + "." + enc.EncodeToString(body)
	signature, err := s.SignES256([]byte(signed))
	if err != nil {
		return "", fmt.Errorf("sign the manifest: %w", err)
	}
	out := signed + "." + enc.EncodeToString(signature)
	if len(out) > MaxManifest {
		return "", fmt.Errorf("the manifest has %d bytes, and %d is the most", len(out), MaxManifest)
	}
	return out, nil
}

var errShape = errors.New("a field of the manifest is missing or not of its form")

func (m *Manifest) check() error {
	ok := m.Version == manifestVersion && id.Check(m.Decision) == nil && id.Check(m.Engagement) == nil && id.Check(m.Vendor) == nil &&
		id.Check(m.Device) == nil && m.Format.MediaType() != "" && isHex(m.Preamble) && !m.Created.IsZero() &&
		len(m.Recipients) > 0 && len(m.Recipients) <= MaxRecipients && !slices.ContainsFunc(m.Recipients, func(r string) bool { return !isHex(r) }) &&
		printable(m.ContentType, 128) && printable(m.Log, 128) && (m.Nonce == "" || IsNonce(m.Nonce)) && m.Entry >= 0
	if m.Final {
		ok = ok && isHex(m.SHA256) && m.Bytes > 0 && m.Clear >= 0 && m.Clear < m.Bytes && m.Releases > 0
	} else {
		ok = ok && m.SHA256 == "" && m.Bytes == 0 && m.Clear == 0 && m.Releases == 0 && m.Outcome == 0
	}
	if !ok {
		return errShape
	}
	return nil
}

// opens reports whether m is the opening of the body that end is the manifest of.
func (m *Manifest) opens(end *Manifest) bool {
	a, b := *m, *end
	for _, x := range []*Manifest{&a, &b} {
		x.Final, x.SHA256, x.Bytes, x.Clear, x.Releases, x.Outcome = false, "", 0, 0, 0, 0
	}
	return slices.Equal(a.Recipients, b.Recipients) && a.Created.Equal(b.Created) &&
		func() bool {
			a.Recipients, b.Recipients, a.Created, b.Created = nil, nil, time.Time{}, time.Time{}
			x, _ := json.Marshal(a)
			y, _ := json.Marshal(b)
			return bytes.Equal(x, y)
		}()
}

// IsNonce reports whether s can be a request's nonce: 16 to 64 of [A-Za-z0-9_-].
func IsNonce(s string) bool {
	if len(s) < 16 || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return true
}

func isHex(s string) bool {
	if len(s) != 64 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !('0' <= c && c <= '9' || 'a' <= c && c <= 'f') {
			return false
		}
	}
	return true
}

func printable(s string, most int) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return len(s) <= most
}

var (
	errManifest = errors.New("not a signed manifest")
	errSigner   = errors.New("not signed by a key of the organisation")
)

// flat is a JSON Web Signature in flattened JSON form (RFC 7515 section 7.2.2),
// as a file beside the body holds it.
type flat struct {
	Payload   string `json:"payload"`
	Protected string `json:"protected"`
	Signature string `json:"signature"`
}

// ManifestFile puts a signed manifest into the form of NAME.manifest.json.
func ManifestFile(signed string) ([]byte, error) {
	head, rest, ok := strings.Cut(strings.TrimSpace(signed), ".")
	body, signature, ok2 := strings.Cut(rest, ".")
	if !ok || !ok2 {
		return nil, errManifest
	}
	out, err := json.MarshalIndent(flat{Payload: body, Protected: head, Signature: signature}, "", "  ")
	return append(out, '\n'), err
}

// Verify checks a signed manifest, in compact or flattened form, and reads it.
func (k Keys) Verify(signed string) (Manifest, error) {
	signed = strings.TrimSpace(signed)
	if len(signed) > MaxManifest+1024 {
		return Manifest{}, errManifest
	}
	var f flat
	if strings.HasPrefix(signed, "{") {
		if strict([]byte(signed), &f) != nil {
			return Manifest{}, errManifest
		}
	} else {
		var ok1, ok2 bool
		var rest string
		f.Protected, rest, ok1 = strings.Cut(signed, ".")
		f.Payload, f.Signature, ok2 = strings.Cut(rest, ".")
		if !ok1 || !ok2 {
			return Manifest{}, errManifest
		}
	}
	enc := base64.RawURLEncoding.Strict()
	head, err1 := enc.DecodeString(f.Protected)
	body, err2 := enc.DecodeString(f.Payload)
	signature, err3 := enc.DecodeString(f.Signature)
	if err1 != nil || err2 != nil || err3 != nil || len(signature) != 64 {
		return Manifest{}, errManifest
	}
	var header struct {
		Alg string `json:"alg"`
		KID string `json:"kid"`
		Typ string `json:"typ"`
	}
	if strict(head, &header) != nil || header.Alg != "ES256" || header.Typ != manifestType {
		return Manifest{}, errManifest
	}
	public, ok := k.keys[header.KID]
	if !ok {
		return Manifest{}, errSigner
	}
	sum := sha256.Sum256([]byte(f.Protected + "." + f.Payload))
	if !ecdsa.Verify(public, sum[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])) {
		return Manifest{}, errSigner
	}
	var m Manifest
	if strict(body, &m) != nil || m.check() != nil {
		return Manifest{}, errManifest
	}
	return m, nil
}

// strict decodes one JSON document with known fields only, and nothing after it.
func strict(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("more than one document")
	}
	return nil
}

func hexOf(sum [32]byte) string { return hex.EncodeToString(sum[:]) }

package sealed

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/fips140"
	"crypto/hpke"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"filippo.io/age"

	"github.com/sallyport/sallyport/problem"
)

// Format is how a body is sealed; also the audit log's word for it.
type Format string

// The formats. The zero Format seals nothing.
const (
	Age       Format = "age"
	AgeX25519 Format = "age-x25519"
	HPKE      Format = "hpke-p256"
)

// MediaType is the Content-Type of a body in this format.
func (f Format) MediaType() string {
	switch f {
	case Age, AgeX25519:
		return "application/age"
	case HPKE:
		return "application/vnd.sallyport.hpke-p256"
	}
	return ""
}

// IsMediaType reports whether a Content-Type is a sealed body's.
func IsMediaType(contentType string) bool {
	return contentType == Age.MediaType() || contentType == HPKE.MediaType()
}

// Serves reports whether the format satisfies what an engagement demands: "age"
// is satisfied by older recipients too, and the record says which it was.
func (f Format) Serves(demand string) bool {
	switch f {
	case Age, AgeX25519:
		return demand == string(Age)
	case HPKE:
		return demand == string(HPKE)
	}
	return false
}

// Sizes of keys as text. A hybrid recipient has 1,959 characters.
const (
	maxRecipient = 2200
	maxIdentity  = 64 << 10 // a file of identities
	hpkePrefix   = "hpke-p256:"
)

// Recipient is the public key of a recipient. The zero Recipient is none.
type Recipient struct {
	format Format
	text   string
	age    age.Recipient
	hpke   hpke.PublicKey
}

// ParseRecipient reads a recipient: age1pq1... (mlkem768x25519), age1...
// (X25519), or hpke-p256: and an uncompressed P-256 point in base64url.
func ParseRecipient(text string) (Recipient, error) {
	r := Recipient{text: text}
	var err error
	switch {
	case len(text) > maxRecipient:
		err = errors.New("too long")
	case strings.HasPrefix(text, "age1pq1"):
		r.format = Age
		r.age, err = age.ParseHybridRecipient(text)
	case strings.HasPrefix(text, "age1"):
		r.format = AgeX25519
		r.age, err = age.ParseX25519Recipient(text)
	case strings.HasPrefix(text, hpkePrefix):
		r.format = HPKE
		r.hpke, err = parseP256(text[len(hpkePrefix):])
	default:
		err = errors.New("of no known kind")
	}
	if err != nil {
		// Not the cause: it quotes what was sent, which may be a secret key by mistake.
		return Recipient{}, problem.BadField("recipient", "is not a recipient of a known kind",
			"Give the public key that `sallyport unseal --new-key` printed: age1pq1..., age1... or hpke-p256:...")
	}
	return r, nil
}

func parseP256(text string) (hpke.PublicKey, error) {
	point, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, err
	}
	key, err := ecdh.P256().NewPublicKey(point)
	if err != nil {
		return nil, err
	}
	return hpke.NewDHKEMPublicKey(key)
}

// Format is the format of what is sealed to it.
func (r Recipient) Format() Format { return r.format }

// String is the public key as text.
func (r Recipient) String() string { return r.text }

// ID is the SHA-256 of the public key's text: its name in logs and manifests.
func (r Recipient) ID() [32]byte { return sha256.Sum256([]byte(r.text)) }

// Identity is the private key of a recipient. It does not print.
type Identity struct {
	recipient Recipient
	age       age.Identity
	hpke      hpke.PrivateKey
	secret    func() []byte // in a closure: fmt looks into fields
}

// ErrFIPS: the FIPS 140-3 module was told to allow nothing that is not approved.
var ErrFIPS = errors.New("age is not approved under FIPS 140-3, which is enforced here: use hpke-p256")

// NewIdentity makes a key of the format.
func NewIdentity(f Format) (Identity, error) {
	if f != HPKE && fips140.Enforced() {
		return Identity{}, ErrFIPS
	}
	switch f {
	case Age:
		k, err := age.GenerateHybridIdentity()
		if err != nil {
			return Identity{}, errors.New("make a hybrid identity") // the library's words may quote
		}
		return hybridIdentity(k), nil
	case AgeX25519:
		k, err := age.GenerateX25519Identity()
		if err != nil {
			return Identity{}, errors.New("make an X25519 identity")
		}
		return x25519Identity(k), nil
	case HPKE:
		k, err := ecdh.P256().GenerateKey(rand.Reader)
		if err != nil {
			return Identity{}, fmt.Errorf("make a P-256 key: %w", err)
		}
		return p256Identity(k)
	}
	return Identity{}, problem.BadField("format", "is not a format that can be sealed", "Say age, age-x25519 or hpke-p256")
}

func hybridIdentity(k *age.HybridIdentity) Identity {
	text := k.Recipient().String()
	return Identity{recipient: Recipient{format: Age, text: text, age: k.Recipient()}, age: k, secret: func() []byte { return []byte(k.String() + "\n") }}
}

func x25519Identity(k *age.X25519Identity) Identity {
	text := k.Recipient().String()
	return Identity{recipient: Recipient{format: AgeX25519, text: text, age: k.Recipient()}, age: k, secret: func() []byte { return []byte(k.String() + "\n") }}
}

func p256Identity(k *ecdh.PrivateKey) (Identity, error) {
	private, err := hpke.NewDHKEMPrivateKey(k)
	if err != nil {
		return Identity{}, fmt.Errorf("use a P-256 key: %w", err)
	}
	public, err := hpke.NewDHKEMPublicKey(k.PublicKey())
	if err != nil {
		return Identity{}, fmt.Errorf("use a P-256 key: %w", err)
	}
	text := hpkePrefix + base64.RawURLEncoding.EncodeToString(k.PublicKey().Bytes())
	return Identity{
		recipient: Recipient{format: HPKE, text: text, hpke: public}, hpke: private,
		secret: func() []byte {
			der, err := x509.MarshalPKCS8PrivateKey(k)
			if err != nil {
				return nil
			}
			return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
		},
	}, nil
}

// ParseIdentities reads a file of private keys: AGE-SECRET-KEY-PQ-1... and
// AGE-SECRET-KEY-1... one on a line, with empty lines and lines that begin with
// '#' between, as the age tool writes them; or one P-256 key in PKCS #8 or SEC 1
// PEM. No error quotes the file.
func ParseIdentities(text []byte) ([]Identity, error) {
	bad := problem.BadField("identity", "is not a file of private keys for sealed releases",
		"Give the file that `sallyport unseal --new-key` or age-keygen wrote, or a P-256 key in PEM")
	if len(text) > maxIdentity {
		return nil, bad
	}
	if block, rest := pem.Decode(text); block != nil {
		key, err := parsePEM(block)
		if err != nil || len(strings.TrimSpace(string(rest))) > 0 {
			return nil, bad
		}
		id, err := p256Identity(key)
		if err != nil {
			return nil, bad
		}
		return []Identity{id}, nil
	}
	var out []Identity
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#':
		case strings.HasPrefix(line, "AGE-SECRET-KEY-PQ-1"):
			k, err := age.ParseHybridIdentity(line)
			if err != nil {
				return nil, bad
			}
			out = append(out, hybridIdentity(k))
		case strings.HasPrefix(line, "AGE-SECRET-KEY-1"):
			k, err := age.ParseX25519Identity(line)
			if err != nil {
				return nil, bad
			}
			out = append(out, x25519Identity(k))
		default:
			return nil, bad
		}
	}
	if len(out) == 0 {
		return nil, bad
	}
	return out, nil
}

func parsePEM(block *pem.Block) (*ecdh.PrivateKey, error) {
	switch block.Type {
	case "PRIVATE KEY":
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, err
		}
		switch key := key.(type) {
		case *ecdsa.PrivateKey:
			return onP256(key)
		case *ecdh.PrivateKey:
			if key.Curve() == ecdh.P256() {
				return key, nil
			}
		}
	case "EC PRIVATE KEY":
		key, err := x509.ParseECPrivateKey(block.Bytes)
		if err != nil {
			return nil, err
		}
		return onP256(key)
	}
	return nil, errors.New("not a P-256 key")
}

func onP256(key *ecdsa.PrivateKey) (*ecdh.PrivateKey, error) {
	if key.Curve != elliptic.P256() {
		return nil, errors.New("not a P-256 key")
	}
	return key.ECDH()
}

// Recipient is the public half.
func (i Identity) Recipient() Recipient { return i.recipient }

// Secret is the private key as its file holds it.
func (i Identity) Secret() []byte {
	if i.secret == nil {
		return nil
	}
	return i.secret()
}

const redacted = "[key]"

// Format implements fmt.Formatter.
func (Identity) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(redacted)) }

// LogValue implements slog.LogValuer.
func (Identity) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON fails: a key is not a value for a document.
func (Identity) MarshalJSON() ([]byte, error) { return nil, errors.New("a key cannot be marshalled") }

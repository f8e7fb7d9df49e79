package living

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"

	"github.com/sallyport/sallyport/identity"
)

// passkey is an authenticator of one person, in this process's memory alone: a P-256
// key that answers WebAuthn ceremonies as a telephone or a laptop would, and that
// counts its signatures. It says that it verified its user, which nobody did: it is
// for synthetic people only.
type passkey struct {
	origin string // https://localhost:port
	host   string // the relying party's id
	key    *ecdsa.PrivateKey
	id     []byte
	handle string // the person's handle, as the registration gave it
	count  uint32
}

func newPasskey(origin, host string) (*passkey, error) {
	key, err := identity.NewKey(256)
	if err != nil {
		return nil, err
	}
	k := &passkey{origin: origin, host: host, key: key, id: make([]byte, 32)}
	_, _ = rand.Read(k.id) // never fails: crypto/rand ends the program instead
	return k, nil
}

// Flags of the authenticator's data (WebAuthn, section 6.1).
const (
	userPresent  = 0x01
	userVerified = 0x04
	attested     = 0x40
)

// ceremony is what of a page's options an authenticator needs.
type ceremony struct {
	Challenge string `json:"challenge"`
	User      struct {
		ID string `json:"id"`
	} `json:"user"`
}

// data is the authenticator's data.
func (k *passkey) data(flags byte) []byte {
	k.count++
	rp := sha256.Sum256([]byte(k.host))
	return binary.BigEndian.AppendUint32(append(rp[:], flags), k.count)
}

// client is what a browser says of the ceremony (WebAuthn, section 5.8.1).
func (k *passkey) client(typ, challenge string) ([]byte, error) {
	return json.Marshal(map[string]any{"type": typ, "challenge": challenge, "origin": k.origin, "crossOrigin": false})
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// register answers the options of a registration, without attestation.
func (k *passkey) register(options string) (string, error) {
	var c ceremony
	if err := json.Unmarshal([]byte(options), &c); err != nil {
		return "", fmt.Errorf("reading the options of a registration: %w", err)
	}
	k.handle = c.User.ID
	client, err := k.client("webauthn.create", c.Challenge)
	if err != nil {
		return "", fmt.Errorf("writing the client's data: %w", err)
	}
	point, err := k.key.PublicKey.Bytes() // 0x04, X, Y
	if err != nil {
		return "", fmt.Errorf("encoding the key: %w", err)
	}
	data := append(k.data(userPresent|userVerified|attested), make([]byte, 16)...) // no model: AAGUID of zeros
	data = append(binary.BigEndian.AppendUint16(data, uint16(len(k.id))), k.id...)
	// COSE_Key in CBOR: {1: 2 (EC2), 3: -7 (ES256), -1: 1 (P-256), -2: X, -3: Y}
	data = append(data, 0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 32)
	data = append(append(data, point[1:33]...), 0x22, 0x58, 32)
	data = append(data, point[33:]...)
	// {"fmt": "none", "attStmt": {}, "authData": data}
	object := append([]byte{0xa3, 0x63}, "fmt"...)
	object = append(append(object, 0x64), "none"...)
	object = append(append(append(object, 0x67), "attStmt"...), 0xa0, 0x68)
	object = append(append(object, "authData"...), 0x59)
	object = append(binary.BigEndian.AppendUint16(object, uint16(len(data))), data...)
	return k.answer(map[string]any{"clientDataJSON": b64(client), "attestationObject": b64(object), "transports": []string{"internal"}})
}

// assert answers the options of a sign-in or of a step-up.
func (k *passkey) assert(options string) (string, error) {
	var c ceremony
	if err := json.Unmarshal([]byte(options), &c); err != nil {
		return "", fmt.Errorf("reading the options of a sign-in: %w", err)
	}
	client, err := k.client("webauthn.get", c.Challenge)
	if err != nil {
		return "", fmt.Errorf("writing the client's data: %w", err)
	}
	data := k.data(userPresent | userVerified)
	sum := sha256.Sum256(client)
	signed := sha256.Sum256(append(append([]byte{}, data...), sum[:]...))
	sig, err := k.key.Sign(rand.Reader, signed[:], crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("signing: %w", err)
	}
	return k.answer(map[string]any{"clientDataJSON": b64(client), "authenticatorData": b64(data), "signature": b64(sig), "userHandle": k.handle})
}

func (k *passkey) answer(response map[string]any) (string, error) {
	raw, err := json.Marshal(map[string]any{"id": b64(k.id), "rawId": b64(k.id), "type": "public-key", "authenticatorAttachment": "platform",
		"clientExtensionResults": map[string]any{}, "response": response})
	if err != nil {
		return "", fmt.Errorf("writing the answer: %w", err)
	}
	return string(raw), nil
}

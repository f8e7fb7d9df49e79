package sealed

import (
	"bytes"
	"crypto/cipher"
	"crypto/fips140"
	"crypto/hkdf"
	"crypto/hpke"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"filippo.io/age"
	"golang.org/x/crypto/chacha20poly1305"

	"github.com/sallyport/sallyport/problem"
)

const (
	chunkSize = 64 << 10 // of plaintext, in both formats
	tagSize   = 16       // of AES-256-GCM and of ChaCha20-Poly1305

	// MaxRecipients bounds what an age header, and the manifest, must name.
	MaxRecipients = 4

	ageNonce = 16
	// A wrapped file key serves bodies for a minute and this many of them; see Sealer.
	wrapLife = time.Minute
	wrapUses = 4096
)

// Sealer makes sealed bodies for one set of recipients, all of one format. It is
// safe for concurrent use.
//
// Encapsulating to an age recipient costs as much as encrypting 300 KB. So a
// file key that was wrapped serves the bodies of the next minute. That gives
// nobody anything: each body has a key of its own, HKDF of the file key and a
// fresh nonce of 128 bits (the form that age gives every file), the same
// recipients could open all of them one by one, and a chunk of one body does not
// authenticate in another. What changes is that this process holds the means to
// read what it sealed in the last minute, which it had in clear moments before.
type Sealer struct {
	format     Format
	recipients []Recipient

	mu      sync.Mutex
	header  []byte
	fileKey []byte
	made    time.Time
	uses    int
}

// NewSealer checks the recipients. Format hpke-p256 takes exactly one.
func NewSealer(recipients ...Recipient) (*Sealer, error) {
	if len(recipients) == 0 || len(recipients) > MaxRecipients {
		return nil, problem.BadField("recipients", fmt.Sprintf("there are %d, and there must be 1 to %d", len(recipients), MaxRecipients), "Name the keys that the recipient uses now")
	}
	f := recipients[0].format
	for _, r := range recipients {
		if r.format != f || f == "" {
			return nil, problem.BadField("recipients", "they are of different kinds", "Name keys of one kind: the weakest decides how well a body is sealed")
		}
	}
	switch {
	case f == HPKE && len(recipients) > 1:
		return nil, problem.BadField("recipients", "hpke-p256 seals to one key", "Name one")
	case f != HPKE && fips140.Enforced():
		return nil, ErrFIPS
	}
	return &Sealer{format: f, recipients: slices.Clone(recipients)}, nil
}

// Format is the format of the bodies.
func (s *Sealer) Format() Format { return s.format }

// Recipients are the ids of the keys that open them.
func (s *Sealer) Recipients() [][32]byte {
	out := make([][32]byte, len(s.recipients))
	for i, r := range s.recipients {
		out[i] = r.ID()
	}
	return out
}

// Body is one sealed stream that is being made. It is for one goroutine.
type Body struct {
	preamble []byte
	begun    bool
	ended    bool
	append   func(dst, plain []byte, last bool) ([]byte, error)
}

// Format implements fmt.Formatter: a body holds what waits for its chunk.
func (*Body) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte("[sealed body]")) }

// Begin begins a body.
func (s *Sealer) Begin(now time.Time) (*Body, error) {
	switch {
	case s == nil || s.format == "":
		return nil, errors.New("sealed: no recipient")
	case s.format == HPKE:
		return s.beginHPKE()
	default:
		return s.beginAge(now)
	}
}

// Preamble is what the body begins with, up to the first chunk: what the opening
// signs the digest of.
func (b *Body) Preamble() []byte { return b.preamble }

var errEnded = errors.New("sealed: the body has ended")

// Append appends to dst what leaves now that plain has been added: first the
// preamble, then every chunk that is whole. In the age formats up to 64 KiB wait
// for what follows; last lets all of it go and ends the body. A body that does
// not end so does not open to its end.
func (b *Body) Append(dst, plain []byte, last bool) ([]byte, error) {
	if b.ended {
		return dst, errEnded
	}
	if !b.begun {
		b.begun = true
		dst = append(dst, b.preamble...)
	}
	b.ended = last
	return b.append(dst, plain, last)
}

// wrapper keeps the file key that age makes, to encrypt the payload with: the
// library's own writer copies every byte twice.
type wrapper struct {
	age.Recipient
	key *[]byte
}

// WrapWithLabels implements age.RecipientWithLabels.
func (w wrapper) WrapWithLabels(fileKey []byte) ([]*age.Stanza, []string, error) {
	*w.key = append((*w.key)[:0], fileKey...)
	if r, ok := w.Recipient.(age.RecipientWithLabels); ok {
		return r.WrapWithLabels(fileKey)
	}
	stanzas, err := w.Recipient.Wrap(fileKey)
	return stanzas, nil, err
}

// wrapped is a header of age and the file key that it wraps.
func (s *Sealer) wrapped(now time.Time) (header, fileKey []byte, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	age1 := now.Sub(s.made)
	if s.header == nil || s.uses >= wrapUses || age1 < 0 || age1 >= wrapLife {
		var b bytes.Buffer
		var key []byte
		list := make([]age.Recipient, len(s.recipients))
		for i, r := range s.recipients {
			list[i] = wrapper{r.age, &key}
		}
		if _, err := age.Encrypt(&b, list...); err != nil {
			return nil, nil, errors.New("sealed: the file key cannot be wrapped") // the library may quote
		}
		if b.Len() <= ageNonce || len(key) == 0 {
			return nil, nil, errors.New("sealed: age gave no header")
		}
		clear(s.fileKey)
		s.header, s.fileKey, s.made, s.uses = b.Bytes()[:b.Len()-ageNonce], key, now, 0
	}
	s.uses++
	return s.header, slices.Clone(s.fileKey), nil
}

// beginAge: C2SP age v1, "Payload": the payload key is HKDF-SHA-256 of the file
// key with a fresh nonce as salt; STREAM with ChaCha20-Poly1305 in chunks of 64 KiB.
func (s *Sealer) beginAge(now time.Time) (*Body, error) {
	header, fileKey, err := s.wrapped(now)
	if err != nil {
		return nil, err
	}
	preamble := make([]byte, len(header)+ageNonce)
	nonce := preamble[copy(preamble, header):]
	rand.Read(nonce) // never fails: crypto/rand
	key, err := hkdf.Key(sha256.New, fileKey, nonce, "payload", chacha20poly1305.KeySize)
	clear(fileKey)
	if err != nil {
		return nil, fmt.Errorf("sealed: derive the payload key: %w", err)
	}
	aead, err := chacha20poly1305.New(key)
	clear(key)
	if err != nil {
		return nil, fmt.Errorf("sealed: %w", err)
	}
	a := &ageChunks{aead: aead}
	return &Body{preamble: preamble, append: a.append}, nil
}

type ageChunks struct {
	aead    cipher.AEAD
	counter uint64 // of chunks; age counts in 88 bits, and nobody comes near 64
	carry   []byte // plaintext that is not known to be followed by more
}

func (a *ageChunks) append(dst, plain []byte, last bool) ([]byte, error) {
	if len(a.carry) > 0 {
		n := min(len(plain), chunkSize-len(a.carry))
		a.carry = append(a.carry, plain[:n]...)
		if plain = plain[n:]; len(plain) > 0 {
			dst = a.chunk(dst, a.carry, false)
			a.carry = a.carry[:0]
		}
	}
	for len(plain) > chunkSize {
		dst = a.chunk(dst, plain[:chunkSize], false)
		plain = plain[chunkSize:]
	}
	if !last {
		a.carry = append(a.carry, plain...)
		return dst, nil
	}
	if len(plain) == 0 {
		plain = a.carry // the last chunk is empty only if there was nothing at all
	}
	dst = a.chunk(dst, plain, true)
	clear(a.carry[:cap(a.carry)])
	a.carry = nil
	return dst, nil
}

func (a *ageChunks) chunk(dst, plain []byte, last bool) []byte {
	var nonce [chacha20poly1305.NonceSize]byte
	binary.BigEndian.PutUint64(nonce[3:11], a.counter)
	if last {
		nonce[11] = 1
	}
	a.counter++
	return a.aead.Seal(dst, nonce[:], plain, nil)
}

// The format hpke-p256, version 1. A body is
//
//	sallyport/hpke-p256/v1 LF
//	id LF    the SHA-256 of the recipient's text, base64url without padding
//	enc LF   the encapsulated key of RFC 9180, base64url without padding
//	frames
//
// The suite is DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-256-GCM; mode base;
// info is the first two lines with their line feeds. A frame is four bytes, big
// endian, of which the first bit says that it is the last frame and the others
// how long its ciphertext is; then the ciphertext, of at most 64 KiB of
// plaintext, sealed in the context in turn (its sequence number is the frame's)
// with those four bytes as associated data. Nothing follows the last frame; only
// the last may be empty.
const hpkeMagic = "sallyport/hpke-p256/v1\n"

const lastFrame = 1 << 31

func hpkeInfo(id [32]byte) string {
	return hpkeMagic + base64.RawURLEncoding.EncodeToString(id[:]) + "\n"
}

func (s *Sealer) beginHPKE() (*Body, error) {
	r := s.recipients[0]
	info := hpkeInfo(r.ID())
	enc, sender, err := hpke.NewSender(r.hpke, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte(info))
	if err != nil {
		return nil, fmt.Errorf("sealed: encapsulate: %w", err)
	}
	h := &hpkeFrames{sender: sender}
	return &Body{preamble: []byte(info + base64.RawURLEncoding.EncodeToString(enc) + "\n"), append: h.append}, nil
}

type hpkeFrames struct{ sender *hpke.Sender }

func (h *hpkeFrames) append(dst, plain []byte, last bool) ([]byte, error) {
	for len(plain) > 0 || last {
		n := min(len(plain), chunkSize)
		ends := last && n == len(plain)
		word := uint32(n + tagSize)
		if ends {
			word |= lastFrame
		}
		var head [4]byte
		binary.BigEndian.PutUint32(head[:], word)
		box, err := h.sender.Seal(head[:], plain[:n])
		if err != nil {
			return dst, fmt.Errorf("sealed: %w", err)
		}
		dst = append(append(dst, head[:]...), box...)
		plain = plain[n:]
		if ends {
			break
		}
	}
	return dst, nil
}

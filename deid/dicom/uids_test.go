package dicom

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"io"
	"math/big"
	"sync"
)

// KeyedUIDs computes replacements from the original by HMAC-SHA256 under a key:
// the same everywhere for the same key, and no use without it. They are derived
// from the original, so they are no Safe Harbor (45 CFR 164.514(c)).
type KeyedUIDs struct{ key []byte }

// NewKeyedUIDs takes a key of 32 bytes or more that only the owner has.
func NewKeyedUIDs(key []byte) (*KeyedUIDs, error) {
	if len(key) < 32 {
		return nil, errors.New("the key for UIDs is shorter than 32 bytes")
	}
	return &KeyedUIDs{append([]byte(nil), key...)}, nil
}

// UID is 2.25 and the HMAC as a UUID of version 8 (RFC 9562).
func (k *KeyedUIDs) UID(uid []byte) (string, error) {
	h := hmac.New(sha256.New, k.key)
	h.Write([]byte("dicom uid\x00"))
	h.Write(uid)
	return uuidUID([16]byte(h.Sum(nil)[:16]), 8), nil
}

// Derived is true.
func (*KeyedUIDs) Derived() bool { return true }

// RandomUIDs gives each UID a random replacement and remembers it as long as it
// lives. Nothing of the original is in it. It is safe for many goroutines.
//
// Its memory links original and replacement: it is as secret as the data, and
// with it goes the consistency of a study that is released in two runs. An
// owner who needs that keeps the pairs in a vault behind [UIDs].
type RandomUIDs struct {
	mu     sync.Mutex
	random io.Reader
	known  map[string]string
}

// NewRandomUIDs draws from random, which must be a cryptographic source.
func NewRandomUIDs(random io.Reader) *RandomUIDs {
	return &RandomUIDs{random: random, known: map[string]string{}}
}

// UID is 2.25 and a random UUID of version 4.
func (r *RandomUIDs) UID(uid []byte) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s, ok := r.known[string(uid)]; ok {
		return s, nil
	}
	var u [16]byte
	if _, err := io.ReadFull(r.random, u[:]); err != nil {
		return "", err
	}
	s := uuidUID(u, 4)
	r.known[string(uid)] = s
	return s, nil
}

// Derived is false.
func (*RandomUIDs) Derived() bool { return false }

// uuidUID is a UUID as a UID: 2.25 and its 128 bits in decimal (PS3.5 section B.2).
func uuidUID(u [16]byte, version byte) string {
	u[6] = u[6]&0x0F | version<<4
	u[8] = u[8]&0x3F | 0x80
	return "2.25." + new(big.Int).SetBytes(u[:]).String()
}

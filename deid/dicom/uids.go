package dicom

import (
	"crypto/hmac"
	"crypto/sha256"
	"io"
	"math/big"
	"sync"

	"github.com/sallyport/sallyport/problem"
)

// maxUID is the length of a UID (PS3.5 section 9.1).
const maxUID = 64

// KeyedUIDs computes replacements from the original by HMAC-SHA256 under a key:
// the same everywhere for the same key, and no use without it. They are derived
// from the original, so they are no Safe Harbor (45 CFR 164.514(c)).
type KeyedUIDs struct{ key []byte }

// NewKeyedUIDs takes a key of 32 bytes or more that only the owner has.
func NewKeyedUIDs(key []byte) (*KeyedUIDs, error) {
	if len(key) < 32 {
		return nil, problem.BadField("key", "The key for UIDs is shorter than 32 bytes", "Make one of 32 random bytes")
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
		return "", problem.New(problem.Unavailable, "There is no randomness for a new UID", "Try again").Because(err)
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

// isUID reports whether b is a UID: digits in components, none with a leading
// zero. Old systems wrote others; those are replaced as well as any, but what
// is kept or made must be one.
func isUID[T ~string | ~[]byte](b T) bool {
	if len(b) == 0 || len(b) > maxUID {
		return false
	}
	digits := 0
	for i := 0; i <= len(b); i++ {
		switch {
		case i == len(b) || b[i] == '.':
			if digits == 0 || digits > 1 && b[i-digits] == '0' {
				return false
			}
			digits = 0
		case b[i] >= '0' && b[i] <= '9':
			digits++
		default:
			return false
		}
	}
	return true
}

const dicomRoot = "1.2.840.10008."

// isRegistered reports whether a UID has the form of those that DICOM itself
// registers (PS3.6 table A-1): its root and a few short components. Nothing
// that counts patients or studies fits.
func isRegistered[T ~string | ~[]byte](b T) bool {
	if len(b) > 40 || len(b) < len(dicomRoot) || string(b[:len(dicomRoot)]) != dicomRoot || !isUID(b) {
		return false
	}
	digits := 0
	for i := len(dicomRoot); i < len(b); i++ {
		if b[i] == '.' {
			digits = 0
		} else if digits++; digits > 4 {
			return false
		}
	}
	return true
}

// isSharedFrame reports whether a UID is one of DICOM's own frames of reference
// or palettes: the same in every file of the world (PS3.6 section A).
func isSharedFrame(b []byte) bool {
	const frames, palettes = dicomRoot + "1.4.", dicomRoot + "1.5."
	return isRegistered(b) && (string(b[:len(frames)]) == frames || string(b[:len(palettes)]) == palettes)
}

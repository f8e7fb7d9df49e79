package deid

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"

	"github.com/sallyport/sallyport/problem"
)

// Shifts gives each patient the number of days by which all of his dates move:
// the same for the same id, never 0. An error stops the release.
type Shifts interface {
	Days(patientID string) (int, error)
}

// KeyedShifts are Shifts made from a key with HMAC-SHA256: days from -max to max
// without 0, equally likely but for less than one part in 2^50. Whoever has the
// key can undo them. They are for expert determination and not for Safe Harbor.
type KeyedShifts struct {
	mac func(patientID string) uint64
	max int
}

// minShiftKey is the least key, in bytes: that of the hash (RFC 2104 section 3).
const minShiftKey = 32

// NewKeyedShifts makes Shifts. key is the engagement's own, of 32 bytes or more
// and used for nothing else; max is at least 7 days.
func NewKeyedShifts(key []byte, max int) (*KeyedShifts, error) {
	if len(key) < minShiftKey || max < 7 || max > 3650 {
		return nil, problem.New(problem.Internal, "the key for shifting dates is too short, or the range makes no sense",
			"Use 32 bytes of the engagement's key, and 7 to 3650 days")
	}
	own := append([]byte(nil), key...)
	return &KeyedShifts{max: max, mac: func(patientID string) uint64 {
		h := hmac.New(sha256.New, own)
		h.Write([]byte("sallyport/deid/shift/1\x00"))
		h.Write([]byte(patientID))
		return binary.BigEndian.Uint64(h.Sum(nil))
	}}, nil
}

// Days implements Shifts.
func (k *KeyedShifts) Days(patientID string) (int, error) {
	if k == nil || k.mac == nil || patientID == "" {
		return 0, problem.New(problem.Internal, "there is no key or no patient to shift dates by", "Nothing was released; tell the operator")
	}
	n := int(k.mac(patientID)%uint64(2*k.max)) - k.max // -max to max-1
	if n >= 0 {
		n++
	}
	return n, nil
}

package deid

import (
	"encoding/base32"
	"io"

	"github.com/sallyport/sallyport/problem"
)

// RandomCodes are codes from a random source that are remembered in memory: for
// one file set, whose owner keeps no way back. Memory grows with the number of
// ids, some 150 bytes for each; the vault of an engagement keeps them on disk. It is
// for one goroutine.
type RandomCodes struct {
	source io.Reader
	codes  map[string]string
}

// NewRandomCodes makes codes from source, such as crypto/rand.Reader.
func NewRandomCodes(source io.Reader) *RandomCodes {
	return &RandomCodes{source: source, codes: map[string]string{}}
}

var randomText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Code implements Codes: 'r' and 160 random bits, a FHIR id.
func (r *RandomCodes) Code(resourceID string) (string, error) {
	if c, ok := r.codes[resourceID]; ok {
		return c, nil
	}
	var b [20]byte
	if _, err := io.ReadFull(r.source, b[:]); err != nil {
		return "", problem.New(problem.Unavailable, "the random source gives nothing", "Nothing was released; try again").Because(err)
	}
	c := "r" + randomText.EncodeToString(b[:])
	r.codes[resourceID] = c
	return c, nil
}

// Assigned implements Assigned.
func (r *RandomCodes) Assigned() bool { return r != nil && r.source != nil }

// Len is how many ids have a code.
func (r *RandomCodes) Len() int { return len(r.codes) }

package signin

import (
	"crypto/rand"
	"encoding/base32"
	"strings"
)

// alphabet is Crockford's base32: no letter of it is taken for a digit.
const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

var codes = base32.NewEncoding(alphabet).WithPadding(base32.NoPadding)

// codeLen is the length of a code without its dashes: 125 bits, so that guessing is
// out of the question at any rate.
const codeLen = 25

// NewCode makes a code to be handed over and typed, once: five times five letters
// and digits.
func NewCode() string {
	raw := make([]byte, 16)
	_, _ = rand.Read(raw) // never fails: crypto/rand ends the program instead
	text := codes.EncodeToString(raw)[:codeLen]
	var parts []string
	for i := 0; i < codeLen; i += 5 {
		parts = append(parts, text[i:i+5])
	}
	return strings.Join(parts, "-")
}

// CodeDigest is the SHA-256 of a code in hex, as a person typed it: case, dashes and
// blanks do not count, and O is 0, I and L are 1. Not ok: it is no code.
func CodeDigest(typed string) (code256 string, ok bool) {
	if len(typed) > 4*codeLen {
		return "", false
	}
	var b strings.Builder
	for _, r := range strings.ToUpper(typed) {
		switch {
		case r == '-' || r == ' ' || r == '\t' || r == '\r' || r == '\n':
			continue
		case r == 'O':
			r = '0'
		case r == 'I' || r == 'L':
			r = '1'
		}
		if !strings.ContainsRune(alphabet, r) {
			return "", false
		}
		b.WriteRune(r)
	}
	if b.Len() != codeLen {
		return "", false
	}
	return digest(b.String()), true
}

package seal

import (
	"crypto/aes"
	"encoding/base64"
)

// A code is the pseudonym of a resource id inside one engagement: 's', then 63
// symbols, all of them legal in a FHIR id ([A-Za-z0-9\-\.]{1,64}).
//
// The arithmetic, which decides why 41 is the longest id that fits:
//
//	41 symbols of 6 bits and one bit that ends them      247 bits = 31 bytes
//	the synthetic IV of AES-SIV                                    16 bytes
//	47 bytes in symbols of 6 bits                                  63 symbols
//	the letter that says how to read the rest                       1 symbol
//
// Every id is padded to 31 bytes, so a code hides its length. A code is always
// 64 symbols, begins with a letter and ends with a letter or digit (the last
// symbol holds 4 bits, and a multiple of 4 is never '-' or '.'), so it is no
// path segment that a URL parser treats in its own way, and never longer or
// shorter than itself. The vault's codes, for longer ids, begin with 'v'.
const (
	// MaxCodeID is the longest resource id that has a code; longer ones
	// (FHIR allows 64) have a random code in the vault.
	MaxCodeID = 41

	codeLen    = 64
	codeMark   = 's' // sealed here, form 1; a new form takes a new letter
	codePacked = 31
	codeBytes  = aes.BlockSize + codePacked
)

// symbols is the alphabet of FHIR ids (R4 section 2.24.0.1, type id).
const symbols = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-."

// fhirID writes bytes as a FHIR id; Strict refuses a second spelling of a code.
var fhirID = base64.NewEncoding(symbols).WithPadding(base64.NoPadding).Strict()

// symbolValue is the inverse of symbols; 0xff is no symbol.
var symbolValue = func() (v [256]byte) {
	for i := range v {
		v[i] = 0xff
	}
	for i := range len(symbols) {
		v[symbols[i]] = byte(i)
	}
	return v
}()

// IsID reports whether s is a FHIR id that can be in a path: 1 to 64 symbols,
// and neither "." nor "..", which the type id allows but RFC 3986 section
// 5.2.4 takes out of a path.
func IsID(s string) bool {
	if len(s) == 0 || len(s) > 64 || s == "." || s == ".." {
		return false
	}
	for i := range len(s) {
		if symbolValue[s[i]] == 0xff {
			return false
		}
	}
	return true
}

// Code gives the code of resourceID: always the same one, until the engagement's
// codes are begun anew, and different in each engagement. ok is false where there is none: the id is longer than MaxCodeID
// (the vault has its code) or is not one that IsID accepts.
func (k *EngagementKey) Code(resourceID string) (code string, ok bool) {
	if len(resourceID) > MaxCodeID || !IsID(resourceID) {
		return "", false
	}
	keys, err := k.keys()
	if err != nil {
		return "", false
	}
	c := &keys.codes[0]
	w := c.siv.scratch()
	defer c.siv.done(w)
	pack((*[codePacked]byte)(w.buf[aes.BlockSize:]), resourceID)
	c.siv.seal(w, &c.ad, w.buf[:])
	w.text[0] = codeMark
	fhirID.Encode(w.text[1:], w.buf[:])
	return string(w.text[:]), true
}

// Reveal gives the resource id behind a code of this engagement, of whichever
// generation. ok is false for everything else: a code that was changed, another
// engagement's, an id.
func (k *EngagementKey) Reveal(code string) (resourceID string, ok bool) {
	if !IsCode(code) {
		return "", false
	}
	keys, err := k.keys()
	if err != nil {
		return "", false
	}
	for i := range keys.codes {
		if resourceID, ok := keys.codes[i].reveal(code); ok {
			return resourceID, true
		}
	}
	return "", false
}

func (c *codeKey) reveal(code string) (resourceID string, ok bool) {
	w := c.siv.scratch()
	defer c.siv.done(w)
	copy(w.text[:], code)
	if n, err := fhirID.Decode(w.buf[:], w.text[1:]); err != nil || n != codeBytes {
		return "", false
	}
	if err := c.siv.open(w, &c.ad, w.buf[:]); err != nil {
		return "", false
	}
	return unpack((*[codePacked]byte)(w.buf[aes.BlockSize:]))
}

// IsCode reports whether s has the form of a code. Only Reveal says whether it
// is one.
func IsCode(s string) bool {
	return len(s) == codeLen && s[0] == codeMark && IsID(s)
}

// pack writes the symbols of id, which has at most MaxCodeID, as 6 bits each,
// then a 1, then zeros.
func pack(dst *[codePacked]byte, id string) {
	acc, bits, n := uint(0), 0, 0
	for i := range len(id) {
		acc = acc<<6 | uint(symbolValue[id[i]])
		for bits += 6; bits >= 8; n++ {
			bits -= 8
			dst[n] = byte(acc >> bits)
		}
	}
	dst[n] = byte((acc<<1 | 1) << (7 - bits))
	clear(dst[n+1:])
}

// unpack is the inverse of pack; ok is false for what pack never writes.
func unpack(src *[codePacked]byte) (id string, ok bool) {
	end := codePacked - 1
	for end >= 0 && src[end] == 0 {
		end--
	}
	if end < 0 {
		return "", false
	}
	bits := end*8 + 7
	for b := src[end]; b&1 == 0; b >>= 1 {
		bits--
	}
	if bits == 0 || bits%6 != 0 {
		return "", false
	}
	var text [MaxCodeID]byte
	acc, have, n := uint(0), 0, 0
	for i := range bits / 6 {
		if have < 6 {
			acc = acc<<8 | uint(src[n])
			have += 8
			n++
		}
		have -= 6
		text[i] = symbols[acc>>have&63]
	}
	id = string(text[:bits/6])
	return id, IsID(id)
}

package fhir

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"strconv"

	"github.com/sallyport/sallyport/deid"
)

const urnUUID = "urn:uuid:"

// reference appends the rewritten form of a literal reference (R4 section
// 2.3.0.1). ok is false where it must go: another server's URL, a search, a
// contained resource that was dropped, anything that is not a reference.
func (m *Minimiser) reference(dst, ref []byte) (out []byte, ok bool, err error) {
	if len(ref) > 0 && ref[0] == '#' {
		if len(ref) == 1 { // the container itself
			return append(dst, '#'), true, nil
		}
		n := m.local[string(ref[1:])]
		if n == 0 {
			return dst, false, nil
		}
		return strconv.AppendInt(append(dst, "#c"...), int64(n), 10), true, nil
	}
	if uuid, found := bytes.CutPrefix(ref, []byte(urnUUID)); found {
		return m.urn(dst, uuid)
	}
	rest, _ := m.below(ref)
	typ, id, version, ok := split(rest)
	if !ok {
		return dst, false, nil
	}
	code, err := m.code(id)
	if err != nil {
		return dst, false, err
	}
	dst = append(append(append(dst, typ...), '/'), code...)
	if version != nil {
		if dst, err = m.version(append(dst, "/_history/"...), version); err != nil {
			return dst, false, err
		}
	}
	return dst, true, nil
}

// below takes one of the source's own bases off an absolute URL.
func (m *Minimiser) below(ref []byte) (rest []byte, ok bool) {
	for _, b := range m.o.Bases {
		if len(b) > 1 && len(ref) > len(b) && string(ref[:len(b)]) == b {
			return ref[len(b):], true
		}
	}
	return ref, false
}

var history = []byte("/_history/")

// split reads Type/id[/_history/version], of a type that R4 defines.
func split(ref []byte) (typ string, id, version []byte, ok bool) {
	at := bytes.IndexByte(ref, '/')
	if at < 0 {
		return "", nil, nil, false
	}
	if typ, ok = deid.ResourceName(ref[:at]); !ok {
		return "", nil, nil, false
	}
	id = ref[at+1:]
	if i := bytes.IndexByte(id, '/'); i >= 0 {
		if version, ok = bytes.CutPrefix(id[i:], history); !ok || !isID(version) {
			return "", nil, nil, false
		}
		id = id[:i]
	}
	return typ, id, version, isID(id)
}

// version appends a version id: a small number as it is, anything else, which
// may say more than a number, as its code.
func (m *Minimiser) version(dst, v []byte) ([]byte, error) {
	if isSmallNumber(v) {
		return append(dst, v...), nil
	}
	code, err := m.code(v)
	if err != nil {
		return dst, err
	}
	return append(dst, code...), nil
}

func isSmallNumber(v []byte) bool { return len(v) <= 9 && digits(v, len(v)) && len(v) > 0 }

// urn appends urn:uuid with a UUID made from the code of the one at hand: the
// same everywhere under the engagement's key, and not to be turned back. It is
// version 8 (RFC 9562 section 5.8).
func (m *Minimiser) urn(dst, uuid []byte) ([]byte, bool, error) {
	if !m.o.URNs || !isID(uuid) {
		return dst, false, nil
	}
	if m.keepIDs {
		return append(append(dst, urnUUID...), uuid...), true, nil
	}
	code, err := m.code(uuid)
	if err != nil {
		return dst, false, err
	}
	sum := sha256.Sum256([]byte(code))
	sum[6] = sum[6]&0x0f | 0x80
	sum[8] = sum[8]&0x3f | 0x80
	var h [32]byte
	hex.Encode(h[:], sum[:16])
	dst = append(dst, urnUUID...)
	for i, n := range [...]int{8, 4, 4, 4, 12} {
		if i > 0 {
			dst = append(dst, '-')
		}
		at := [...]int{0, 8, 12, 16, 20}[i]
		dst = append(dst, h[at:at+n]...)
	}
	return dst, true, nil
}

// FullURL appends the rewritten Bundle.entry.fullUrl, without quotes, or
// nothing where the entry must do without. It must be absolute, so a URL of the
// source becomes one of the gateway.
func (m *Minimiser) FullURL(dst []byte, url string) ([]byte, error) {
	ref := []byte(url)
	if uuid, found := bytes.CutPrefix(ref, []byte(urnUUID)); found {
		out, _, err := m.urn(dst, uuid)
		return out, err
	}
	rest, absolute := m.below(ref)
	if !absolute || m.o.Public == "" {
		return dst, nil
	}
	typ, id, _, ok := split(rest)
	if !ok {
		return dst, nil
	}
	code, err := m.code(id)
	if err != nil {
		return dst, err
	}
	dst = append(append(append(dst, m.o.Public...), '/'), typ...)
	return append(append(dst, '/'), code...), nil
}

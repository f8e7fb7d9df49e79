package fhir

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/sallyport/sallyport/deid"
	"github.com/sallyport/sallyport/fhir"
	"github.com/sallyport/sallyport/fhir/spec"
)

const urnUUID = "urn:uuid:"

// reference appends the rewritten form of a literal reference (R4 section
// 2.3.0.1). ok is false where it must go: another server's URL, a search, a
// contained resource that was dropped, anything that is not a reference. What a
// reference says is for fhir.ParseRef to tell, as everywhere on the data path:
// what the gateway held to be whose is what is rewritten here.
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
	if r, ok := m.refs[string(ref)]; ok {
		if r != "" && !m.keepIDs {
			m.tally[deid.Pseudonymised]++
		}
		return append(dst, r...), r != "", nil
	}
	if len(ref) > maxRef {
		return dst, false, nil
	}
	text := string(ref)
	r, err := m.rewrite(m.parse(text))
	if err != nil {
		return dst, false, err
	}
	if len(m.refs) >= maxCodes {
		clear(m.refs)
	}
	m.refs[text] = string(r)
	return append(dst, r...), len(r) > 0, nil
}

// parse reads a reference. A conditional one whose query has a URL in it is read
// here: "Practitioner?identifier=http://hl7.org/fhir/sid/us-npi|99".
func (m *Minimiser) parse(text string) fhir.Ref {
	if typ, query, ok := strings.Cut(text, "?"); ok && query != "" && spec.IsResource(typ) {
		return fhir.Ref{Kind: fhir.Conditional, Type: typ, Query: query}
	}
	if id, ok := strings.CutPrefix(text, urnUUID); ok && spec.ValidID(id) {
		return fhir.Ref{Kind: fhir.URN, URN: text} // people write urn:uuid:patient-1 too
	}
	return fhir.ParseRef(text, m.o.Bases...)
}

// maxRef bounds what is worth parsing: a base, the longest type, two ids.
const maxRef = 1024

// rewrite writes a reference with codes, or nothing.
func (m *Minimiser) rewrite(r fhir.Ref) ([]byte, error) {
	switch {
	case r.Kind == fhir.URN:
		return m.urn(nil, r.URN)
	case r.Kind == fhir.Conditional && m.o.Targets != nil:
		id, ok := m.o.Targets.ID(r.Type, r.Query)
		if !ok || !spec.ValidID(id) {
			return nil, nil
		}
		r.ID = id
	case r.Kind != fhir.Literal || r.Fragment != "":
		return nil, nil
	}
	code, err := m.code([]byte(r.ID))
	if err != nil {
		return nil, err
	}
	out := append([]byte(r.Type+"/"), code...)
	if r.Version != "" {
		return m.version(append(out, "/_history/"...), []byte(r.Version))
	}
	return out, nil
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

func isSmallNumber(v []byte) bool { return len(v) <= 9 && isInteger(v) && v[0] != '-' }

// urn appends urn:uuid with a UUID made from the code of the one at hand: the
// same everywhere under the engagement's key, and not to be turned back. It is
// version 8 (RFC 9562 section 5.8). Any other URN goes.
func (m *Minimiser) urn(dst []byte, urn string) ([]byte, error) {
	uuid, ok := strings.CutPrefix(urn, urnUUID)
	if !m.o.URNs || !ok || !spec.ValidID(uuid) {
		return dst, nil
	}
	if m.keepIDs {
		return append(dst, urn...), nil
	}
	return m.coded(dst, []byte(strings.ToLower(uuid))) // RFC 9562 section 4: letters of either case are the same
}

// coded appends the urn:uuid that is made from an id's code.
func (m *Minimiser) coded(dst, id []byte) ([]byte, error) {
	code, err := m.code(id)
	if err != nil {
		return dst, err
	}
	sum := sha256.Sum256([]byte(code))
	sum[6] = sum[6]&0x0f | 0x80
	sum[8] = sum[8]&0x3f | 0x80
	h := hex.EncodeToString(sum[:16])
	dst = append(dst, urnUUID...)
	return append(dst, h[:8]+"-"+h[8:12]+"-"+h[12:16]+"-"+h[16:20]+"-"+h[20:]...), nil
}

// canonical copies the quoted address of a definition.
func (m *Minimiser) canonical(dst, value []byte) ([]byte, error) {
	if value[0] != '"' {
		m.tally[deid.BadShape]++
		return dst, nil
	}
	if isHL7(value) && m.fits(value, deid.URI) {
		return append(dst, value...), nil
	}
	address := string(text(value, &m.words))
	if address == "" || len(address) > maxRef || address[0] == '#' {
		m.tally[deid.Unresolvable]++
		return dst, nil
	}
	mark := len(dst)
	dst = append(dst, '"')
	if r := m.parse(address); r.Kind == fhir.Literal {
		out, err := m.rewrite(r)
		if err != nil || len(out) > 0 {
			return append(append(dst, out...), '"'), err
		}
		return dst[:mark], nil
	}
	// Not every Codes takes what is no id: the sum is one, and its code tells
	// nothing of it.
	sum := sha256.Sum256([]byte(address))
	out, err := m.coded(dst, hex.AppendEncode(nil, sum[:]))
	return append(out, '"'), err
}

// FullURL appends the rewritten Bundle.entry.fullUrl, without quotes, or
// nothing where the entry must do without. It must be absolute, so a URL of the
// source becomes one of the gateway.
func (m *Minimiser) FullURL(dst []byte, url string) ([]byte, error) {
	r := m.parse(url)
	switch {
	case r.Kind == fhir.URN:
		return m.urn(dst, r.URN)
	case r.Kind != fhir.Literal || r.Base == "" || r.Version != "" || r.Fragment != "" || m.o.Public == "":
		return dst, nil
	}
	out, err := m.rewrite(r)
	if err != nil {
		return dst, err
	}
	return append(append(append(dst, m.o.Public...), '/'), out...), nil
}

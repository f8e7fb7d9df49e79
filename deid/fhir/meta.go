package fhir

import (
	"bytes"

	"github.com/sallyport/sallyport/deid"
)

// subsetted is the tag of a resource that is not whole (R4 section 3.1.0.1.8
// and http://terminology.hl7.org/CodeSystem/v3-ObservationValue).
const subsetted = `{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"SUBSETTED"}`

// scrubbed is the tag, of a code system of this product's own, on a resource in
// which free text stands. Whoever reads it must not take the resource for
// de-identified on account of Safe Harbor.
const scrubbed = `{"system":"` + ScrubbedSystem + `","code":"` + ScrubbedCode + `","display":"Free text was scrubbed by machine: not Safe Harbor by itself"}`

// The tag's system and code.
const (
	ScrubbedSystem = "https://github.com/sallyport/sallyport/CodeSystem/deid"
	ScrubbedCode   = "SCRUBBED-TEXT"
)

// standard are the code systems whose tags stay: HL7's own.
var standard = [][]byte{
	[]byte("http://terminology.hl7.org/"),
	[]byte("http://hl7.org/fhir/"),
}

// meta copies version, date, profiles and labels. Its tags are set aside until
// it is known whether the resource was cut.
func (m *Minimiser) meta(dst []byte, i, quoted int) ([]byte, int, error) {
	end := valueEnd(m.raw, i)
	if m.inner || m.raw[i] != '{' { // a contained resource has no meta that matters (dom-4)
		m.tally[deid.BadShape]++
		return dst, end, nil
	}
	m.metaBeg = len(dst) - quoted
	open := len(dst)
	dst = append(dst, '{')
	for i++; ; {
		name, v, ok := next(m.raw, i, &m.names)
		if !ok {
			break
		}
		i = valueEnd(m.raw, v)
		f := m.o.Scope.Meta().Field(name)
		mark := len(dst)
		if mark > open+1 {
			dst = append(dst, ',')
		}
		before := len(dst) // of the name, if there will be one
		var err error
		switch string(name) {
		case "versionId":
			if value := m.raw[v:i]; m.fits(value, deid.ID) {
				dst = append(dst, `"versionId":"`...)
				if dst, err = m.version(dst, value[1:len(value)-1]); err != nil {
					return dst, end, err
				}
				dst = append(dst, '"')
			}
		case "lastUpdated", "profile", "security":
			dst = append(dst, f.Quoted...)
			named := len(dst)
			if f.Op == deid.Cut {
				m.tally[f.Why]++
			} else if dst, _, err = m.member(dst, v, f); err != nil {
				return dst, end, err
			}
			if len(dst) == named {
				dst = dst[:before]
			}
		case "tag":
			if err := m.keepTags(v); err != nil {
				return dst, end, err
			}
		default:
			m.tally[deid.OutOfScope]++
		}
		if len(dst) == before {
			dst = dst[:mark]
		}
	}
	m.metaAt = len(dst)
	return append(dst, '}'), end, nil
}

// keepTags copies the tags of HL7's code systems into m.tags.
func (m *Minimiser) keepTags(i int) error {
	if m.raw[i] != '[' {
		m.tally[deid.BadShape]++
		return nil
	}
	for i++; ; {
		v, ok := item(m.raw, i)
		if !ok {
			return nil
		}
		i = valueEnd(m.raw, v)
		if m.raw[v] != '{' || !m.isStandard(v) {
			m.tally[deid.OutOfScope]++
			continue
		}
		mark := len(m.tags)
		if mark > 0 {
			m.tags = append(m.tags, ',')
		}
		before := len(m.tags)
		out, _, err := m.object(m.tags, v, m.o.Scope.Coding())
		if err != nil {
			return err
		}
		m.tags = out
		if len(out) == before {
			m.tags = out[:mark]
		} else if bytes.Contains(out[before:], []byte(`"SUBSETTED"`)) {
			m.subset = true // said once, by label
			m.tags = out[:mark]
		}
	}
}

func (m *Minimiser) isStandard(coding int) bool {
	for i := coding + 1; ; {
		name, v, ok := next(m.raw, i, &m.names)
		if !ok {
			return false
		}
		i = valueEnd(m.raw, v)
		if string(name) == "system" && m.raw[v] == '"' {
			s := text(m.raw[v:i], &m.words)
			for _, prefix := range standard {
				if bytes.HasPrefix(s, prefix) {
					return true
				}
			}
			return false
		}
	}
}

// label puts the tags into the resource that starts at mark: SUBSETTED if
// anything was cut now or before.
func (m *Minimiser) label(dst []byte, mark int) []byte {
	cut := m.subset || m.tally.Cut()
	if m.text.stands {
		if len(m.tags) > 0 {
			m.tags = append(m.tags, ',')
		}
		m.tags = append(m.tags, scrubbed...)
	}
	if !cut && len(m.tags) == 0 {
		if m.metaAt > 0 && dst[m.metaAt-1] == '{' { // nothing in it
			end := m.metaAt + 1
			if dst[m.metaBeg-1] == ',' {
				m.metaBeg--
			} else if dst[end] == ',' {
				end++
			}
			return append(dst[:m.metaBeg], dst[end:]...)
		}
		return dst
	}
	m.words = m.words[:0]
	at := m.metaAt
	if at == 0 { // no meta: it goes last
		at = len(dst) - 1
		if dst[at-1] != '{' {
			m.words = append(m.words, ',')
		}
		m.words = append(m.words, `"meta":{`...)
	} else if dst[at-1] != '{' {
		m.words = append(m.words, ',')
	}
	m.words = append(append(m.words, `"tag":[`...), m.tags...)
	if cut {
		if len(m.tags) > 0 {
			m.words = append(m.words, ',')
		}
		m.words = append(m.words, subsetted...)
	}
	m.words = append(m.words, ']')
	if m.metaAt == 0 {
		m.words = append(m.words, '}')
	}
	n := len(dst)
	dst = append(dst, m.words...)
	copy(dst[at+len(m.words):], dst[at:n])
	copy(dst[at:], m.words)
	return dst
}

package fhir

import "github.com/sallyport/sallyport/deid"

// extensions copies those on the list, each rebuilt from what the list says: its
// url, and the one value or the parts that it may have.
func (m *Minimiser) extensions(dst []byte, i int, allowed []deid.Extension, primitive bool) []byte {
	if m.raw[i] != '[' {
		m.tally[deid.BadShape]++
		return dst
	}
	open := len(dst)
	dst = append(dst, '[')
	for i++; ; {
		v, ok := item(m.raw, i)
		if !ok {
			break
		}
		i = valueEnd(m.raw, v)
		mark := len(dst)
		if mark > open+1 {
			dst = append(dst, ',')
		}
		before := len(dst)
		if m.raw[v] == '{' {
			dst = m.extension(dst, v, allowed, primitive)
		}
		if len(dst) == before {
			m.tally[deid.ExtensionGone]++
			dst = dst[:mark]
		}
	}
	if len(dst) == open+1 {
		return dst[:open]
	}
	return append(dst, ']')
}

func (m *Minimiser) extension(dst []byte, at int, allowed []deid.Extension, primitive bool) []byte {
	known := m.find(at, allowed)
	if known == nil || (primitive && !known.Primitive) {
		return dst
	}
	open := len(dst)
	dst = append(dst, `{"url":"`...)
	dst = append(dst, known.URL...)
	dst = append(dst, '"')
	for i := at + 1; ; {
		name, v, ok := next(m.raw, i, &m.names)
		if !ok {
			return dst[:open] // the value was not there
		}
		i = valueEnd(m.raw, v)
		switch {
		case known.Parts != nil && string(name) == "extension":
			mark := len(dst)
			dst = append(dst, `,"extension":`...)
			before := len(dst)
			if dst = m.extensions(dst, v, known.Parts, false); len(dst) > before {
				return append(dst, '}')
			}
			dst = dst[:mark]
		case known.May(name):
			f := m.o.Scope.Extended().Field(name)
			if f == nil || f.Op == deid.Cut {
				continue
			}
			mark := len(dst)
			dst = append(append(dst, ','), f.Quoted...)
			before := len(dst)
			out, _, err := m.member(dst, v, f)
			if err == nil && len(out) > before {
				return append(out, '}')
			}
			dst = dst[:mark]
		}
	}
}

// find reads the extension's url and looks it up.
func (m *Minimiser) find(at int, allowed []deid.Extension) *deid.Extension {
	for i := at + 1; ; {
		name, v, ok := next(m.raw, i, &m.names)
		if !ok {
			return nil
		}
		i = valueEnd(m.raw, v)
		if string(name) != "url" || m.raw[v] != '"' {
			continue
		}
		url := text(m.raw[v:i], &m.words)
		for k := range allowed {
			if allowed[k].URL == string(url) {
				return &allowed[k]
			}
		}
		return nil
	}
}

// beside copies the sibling "_name" of a primitive that passes: of its
// extensions those that may stand on a primitive. The siblings of a list go:
// without them the nulls of the list, which only keep their places, go too.
func (m *Minimiser) beside(dst []byte, i int) []byte {
	if m.raw[i] != '{' {
		m.tally[deid.ExtensionGone]++
		return dst
	}
	for k := i + 1; ; {
		name, v, ok := next(m.raw, k, &m.names)
		if !ok {
			return dst
		}
		k = valueEnd(m.raw, v)
		if string(name) != "extension" {
			m.tally[deid.ExtensionGone]++ // an id
			continue
		}
		mark := len(dst)
		dst = append(dst, `{"extension":`...)
		before := len(dst)
		if dst = m.extensions(dst, v, m.o.Scope.Extensions(), true); len(dst) > before {
			return append(dst, '}')
		}
		return dst[:mark]
	}
}

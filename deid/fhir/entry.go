package fhir

import (
	"bytes"

	"github.com/sallyport/sallyport/deid"
	"github.com/sallyport/sallyport/fhir"
	"github.com/sallyport/sallyport/fhir/spec"
)

// reset makes the Minimiser ready for a value that is no resource of its own.
func (m *Minimiser) reset(raw []byte) {
	m.raw = raw
	m.tally = deid.Tally{}
	m.metaAt, m.metaBeg, m.subset, m.inner, m.depth = 0, 0, false, false, 0
	m.tags = m.tags[:0]
	clear(m.local)
}

// maxBases is how many servers one Bundle's entries can come from.
const maxBases = 8

// learn takes the server that a fullUrl names for the source's own, as long as
// the Bundle is read: absolute references to it are to the Bundle's resources.
func (m *Minimiser) learn(fullURL string) {
	if len(m.o.Bases) >= maxBases || len(fullURL) > maxRef {
		return
	}
	if r := fhir.ParseRef(fullURL, m.o.Bases...); r.Kind == fhir.Foreign && r.Type != "" && r.Version == "" && r.Fragment == "" {
		m.o.Bases = append(m.o.Bases[:len(m.o.Bases):len(m.o.Bases)], r.Base)
		clear(m.refs)
	}
}

// entry copies the entry of a Bundle. held says that it has a resource, of which
// info tells.
func (m *Minimiser) entry(dst, raw, fullURL []byte) (out []byte, info Info, held bool, err error) {
	dst = append(dst, '{')
	open := len(dst)
	for i := space(raw, 0) + 1; ; {
		name, v, ok := next(raw, i, &m.names)
		if !ok {
			break
		}
		i = valueEnd(raw, v)
		mark := len(dst)
		if mark > open {
			dst = append(dst, ',')
		}
		before := len(dst)
		value := raw[v:i]
		switch string(name) {
		case "fullUrl":
			dst = append(dst, `"fullUrl":"`...)
			start := len(dst)
			if dst, err = m.FullURL(dst, string(fullURL)); err != nil {
				return dst, info, true, err
			}
			if len(dst) == start {
				dst = dst[:before]
			} else {
				dst = append(dst, '"')
			}
		case "resource":
			held = true
			dst = append(dst, `"resource":`...)
			if dst, info, err = m.append(dst, value, fullURL); err != nil || info.Outcome != Released {
				return dst, info, true, err
			}
		case "search":
			dst = m.frame(dst, "search", value, m.search)
		case "request":
			dst = m.frame(dst, "request", value, m.request)
		case "response":
			dst = m.frame(dst, "response", value, m.response)
		}
		if len(dst) == before {
			dst = dst[:mark]
		}
	}
	return append(dst, '}'), info, held, nil
}

// frame copies what the Bundle says about an entry, member by member. Each
// member is written whole or not at all.
func (m *Minimiser) frame(dst []byte, name string, object []byte, member func(dst []byte, name string, value []byte) []byte) []byte {
	if object[0] != '{' {
		return dst
	}
	start := len(dst)
	dst = append(append(append(dst, '"'), name...), `":{`...)
	open := len(dst)
	for i := 1; ; {
		key, v, ok := next(object, i, &m.names)
		if !ok {
			break
		}
		i = valueEnd(object, v)
		mark := len(dst)
		if mark > open {
			dst = append(dst, ',')
		}
		before := len(dst)
		if dst = member(dst, string(key), object[v:i]); len(dst) == before {
			dst = dst[:mark]
		}
	}
	if len(dst) == open {
		return dst[:start]
	}
	return append(dst, '}')
}

func (m *Minimiser) search(dst []byte, name string, value []byte) []byte {
	switch name {
	case "mode":
		for _, mode := range []string{`"match"`, `"include"`, `"outcome"`} {
			if string(value) == mode {
				return append(append(dst, `"mode":`...), value...)
			}
		}
	case "score":
		if m.fits(value, deid.Decimal) {
			return append(append(dst, `"score":`...), value...)
		}
	}
	return dst
}

// request copies the method and what it is about. A condition is a search, whose
// text can hold anything: the URL that has one is masked.
func (m *Minimiser) request(dst []byte, name string, value []byte) []byte {
	switch name {
	case "method":
		for _, method := range []string{`"GET"`, `"HEAD"`, `"POST"`, `"PUT"`, `"DELETE"`, `"PATCH"`} {
			if string(value) == method {
				return append(append(dst, `"method":`...), value...)
			}
		}
	case "url":
		if value[0] != '"' {
			return dst
		}
		url := text(value, &m.words)
		if spec.IsResource(string(url)) {
			return append(append(append(dst, `"url":"`...), url...), '"')
		}
		mark := len(dst)
		dst = append(dst, `"url":"`...)
		before := len(dst)
		if r := fhir.ParseRef(string(url), m.o.Bases...); r.Kind == fhir.Literal {
			if out, err := m.rewrite(r); err == nil {
				dst = append(dst, out...)
			}
		}
		if len(dst) > before {
			return append(dst, '"')
		}
		m.tally[deid.Unresolvable]++
		return append(dst[:mark], `"_url":{"extension":[{"url":"`+deid.DataAbsentReason+`","valueCode":"masked"}]}`...)
	}
	return dst
}

// response copies the status and where the resource is.
func (m *Minimiser) response(dst []byte, name string, value []byte) []byte {
	switch name {
	case "status":
		if s := bytes.Trim(value, `"`); value[0] == '"' && len(s) >= 3 && isInteger(s[:3]) && s[0] != '-' {
			return append(append(append(dst, `"status":"`...), s[:3]...), '"')
		}
	case "location":
		if value[0] != '"' {
			return dst
		}
		r := fhir.ParseRef(string(text(value, &m.words)), m.o.Bases...)
		if r.Kind != fhir.Literal {
			return dst
		}
		if out, err := m.rewrite(r); err == nil && len(out) > 0 {
			return append(append(append(dst, `"location":"`...), out...), '"')
		}
	case "outcome":
		raw := m.raw
		dst = m.Outcome(append(dst, `"outcome":`...), value)
		m.raw = raw
	}
	return dst
}

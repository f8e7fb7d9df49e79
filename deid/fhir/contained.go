package fhir

import (
	"bytes"

	"github.com/sallyport/sallyport/deid"
)

var containedName = []byte(`"contained"`)

// scan finds the resource's type, and gives the contained resources that are in
// scope their numbers. A name "contained" that is written with escapes is not
// found here, and then none of its resources has a number, and none is kept.
func (m *Minimiser) scan(start int) (typ []byte, err error) {
	contained := bytes.Contains(m.raw, containedName)
	for i := start + 1; ; {
		name, v, ok := next(m.raw, i, &m.names)
		if !ok {
			return typ, nil
		}
		i = valueEnd(m.raw, v)
		switch {
		case string(name) == "resourceType" && m.raw[v] == '"':
			typ = m.raw[v+1 : i-1]
			if !contained {
				return typ, nil
			}
		case string(name) == "contained" && m.raw[v] == '[' && contained:
			m.number(v)
		}
	}
}

// number gives contained resources that are in scope the ids c1, c2 ...: their
// own may say anything.
func (m *Minimiser) number(array int) {
	for i := array + 1; ; {
		v, ok := item(m.raw, i)
		if !ok {
			return
		}
		i = valueEnd(m.raw, v)
		if m.raw[v] != '{' {
			continue
		}
		typ, id := m.identify(v)
		if m.o.Scope.Resource(typ) == nil || len(id) == 0 {
			continue
		}
		if _, ok := m.local[string(id)]; !ok {
			m.local[string(id)] = len(m.local) + 1
		}
	}
}

// identify reads resourceType and id of the object at v.
func (m *Minimiser) identify(v int) (typ, id []byte) {
	for i := v + 1; ; {
		name, at, ok := next(m.raw, i, &m.names)
		if !ok {
			return typ, id
		}
		i = valueEnd(m.raw, at)
		if m.raw[at] != '"' {
			continue
		}
		switch string(name) {
		case "resourceType":
			typ = m.raw[at+1 : i-1]
		case "id":
			id = m.raw[at+1 : i-1]
		}
	}
}

// contained copies those contained resources that are in scope themselves.
func (m *Minimiser) contained(dst []byte, i int) ([]byte, int, error) {
	end := valueEnd(m.raw, i)
	if m.raw[i] != '[' || m.inner { // contained resources do not nest (R4 section 2.4.0.1, dom-2)
		m.tally[deid.ContainedGone]++
		return dst, end, nil
	}
	open := len(dst)
	dst = append(dst, '[')
	m.inner = true
	defer func() { m.inner = false }()
	seen := 0
	var err error
	for i++; ; {
		v, ok := item(m.raw, i)
		if !ok {
			break
		}
		i = valueEnd(m.raw, v)
		var node *deid.Node
		n := 0
		if m.raw[v] == '{' {
			typ, id := m.identify(v)
			node, n = m.o.Scope.Resource(typ), m.local[string(id)]
		}
		// A second resource with the same id could not be told from the first.
		if node == nil || n == 0 || n <= seen {
			m.tally[deid.ContainedGone]++
			continue
		}
		seen = n
		if len(dst) > open+1 {
			dst = append(dst, ',')
		}
		if dst, _, err = m.object(dst, v, node); err != nil {
			return dst, end, err
		}
	}
	if len(dst) == open+1 {
		return dst[:open], end, nil
	}
	return append(dst, ']'), end, nil
}

package msconfig

import (
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/sallyport/sallyport/fhir/spec"
)

// write appends the resource or complex element as a JSON object.
func (n *node) write(dst []byte) []byte {
	dst = append(dst, '{')
	start := len(dst)
	if n.resource() {
		dst = append(dst, `"resourceType":`...)
		dst = quote(dst, n.typ)
	}
	dst = n.members(dst, start)
	return append(dst, '}')
}

// members appends the children, those of one name as one member, at the place of
// the first. start is where the object's content begins in dst.
func (n *node) members(dst []byte, start int) []byte {
	for i, k := range n.kids {
		first := true
		for j := i - 1; j >= 0; j-- {
			if n.kids[j].name == k.name {
				first = false
				break
			}
			// Members of one name mostly stand together; a walk back over all is
			// short because objects are.
		}
		if first {
			dst = n.member(dst, start, i)
		}
	}
	return dst
}

func (n *node) member(dst []byte, start, i int) []byte {
	k := n.kids[i]
	list := k.el == nil || k.el.List
	shadowed := k.def.Kind == spec.Primitive
	mains, siblings := false, false
	for _, m := range n.kids[i:] {
		if m.name == k.name {
			mains = mains || m.val.kind != none || !shadowed
			siblings = siblings || shadowed && len(m.kids) > 0
		}
	}
	name := k.name
	if k.el != nil && k.el.Choice {
		name += strings.ToUpper(k.typ[:1]) + k.typ[1:]
	}
	each := func(f func(*node)) {
		if !list {
			f(k)
			return
		}
		dst = append(dst, '[')
		sep := false
		for _, m := range n.kids[i:] {
			if m.name == k.name {
				if sep {
					dst = append(dst, ',')
				}
				sep = true
				f(m)
			}
		}
		dst = append(dst, ']')
	}
	if mains {
		dst = label(dst, start, "", name)
		each(func(m *node) {
			switch {
			case m.val.kind != none:
				dst = m.val.write(dst)
			case shadowed:
				dst = append(dst, "null"...)
			default:
				dst = m.write(dst)
			}
		})
	}
	if siblings {
		dst = label(dst, start, "_", name)
		each(func(m *node) {
			if len(m.kids) == 0 {
				dst = append(dst, "null"...)
				return
			}
			dst = append(dst, '{')
			dst = m.members(dst, len(dst))
			dst = append(dst, '}')
		})
	}
	return dst
}

func label(dst []byte, start int, prefix, name string) []byte {
	if len(dst) > start {
		dst = append(dst, ',')
	}
	dst = append(dst, '"')
	dst = append(dst, prefix...)
	dst = append(dst, name...)
	return append(dst, '"', ':')
}

// write appends the value as JSON. Strings are trimmed, as the tool does.
func (v value) write(dst []byte) []byte {
	switch v.kind {
	case boolean, integer, number:
		return append(dst, v.s...)
	default:
		return quote(dst, strings.TrimSpace(v.s))
	}
}

func quote(dst []byte, s string) []byte {
	dst, _ = jsontext.AppendQuote(dst, s) // fails for no valid UTF-8, and s was checked
	return dst
}

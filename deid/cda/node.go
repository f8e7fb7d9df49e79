package cda

import (
	"encoding/xml"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/deid/internal/message"
)

// node is one element of a data type, read whole. Text is a node without name.
type node struct {
	raw   xml.Name // Space is the prefix
	uri   string
	attrs []attr
	kids  []*node
	text  string
}

type attr struct {
	raw   xml.Name
	uri   string
	value string
}

// subtree reads an element with all that is in it.
func (r *run) subtree(t xml.StartElement, uri string, depth int) (*node, error) {
	n := &node{raw: t.Name, uri: uri}
	for _, a := range t.Attr {
		u := ""
		if !isDeclaration(a.Name) && a.Name.Space != "" {
			u = r.namespace(a.Name.Space)
		}
		n.attrs = append(n.attrs, attr{a.Name, u, a.Value})
	}
	for {
		tok, err := r.d.RawToken()
		if err != nil {
			return nil, r.malformed("the document is not well-formed XML in UTF-8", err)
		}
		switch t := tok.(type) {
		case xml.Directive:
			return nil, r.malformed("a document type declaration is not accepted", nil)
		case xml.CharData:
			n.kids = append(n.kids, &node{text: string(t)})
		case xml.StartElement:
			if depth >= MaxDepth {
				return nil, r.malformed("elements nest too deep", nil)
			}
			spans := len(r.spaces)
			if err := r.declare(t); err != nil {
				return nil, err
			}
			kid, err := r.subtree(t, r.namespace(t.Name.Space), depth+1)
			if err != nil {
				return nil, err
			}
			r.spaces = r.spaces[:spans]
			n.kids = append(n.kids, kid)
		case xml.EndElement:
			if t.Name != n.raw {
				return nil, r.malformed("an end tag does not match", nil)
			}
			return n, nil
		}
	}
}

// get is an attribute without namespace.
func (n *node) get(name string) string {
	for _, a := range n.attrs {
		if a.raw.Space == "" && a.raw.Local == name {
			return a.value
		}
	}
	return ""
}

// xsiType is the name of the data type, without its prefix; it is empty where
// the prefix is not HL7's namespace.
func (r *run) xsiType(n *node) string {
	for _, a := range n.attrs {
		if a.uri == nsXSI && a.raw.Local == "type" {
			prefix, local, found := strings.Cut(a.value, ":")
			if !found {
				prefix, local = "", prefix
			}
			if r.namespace(prefix) != nsV3 {
				return ""
			}
			return local
		}
	}
	return ""
}

// flat is the text below n. A block ends its line, a cell its column.
func (n *node) flat(b *strings.Builder) {
	for _, k := range n.kids {
		if k.raw.Local == "" {
			b.WriteString(k.text)
			continue
		}
		k.flat(b)
		switch k.raw.Local {
		case "paragraph", "item", "tr", "caption", "list", "table", "br", "thead", "tbody", "footnote", "title":
			b.WriteByte('\n')
		case "td", "th":
			b.WriteByte('\t')
		}
	}
}

func (n *node) words() string {
	var b strings.Builder
	n.flat(&b)
	return strings.TrimSpace(b.String())
}

// plain is n without content, and of its attributes only type and nullFlavor,
// in this order.
func (r *run) plain(n *node) *node {
	out := &node{raw: n.raw, uri: n.uri}
	if typ := r.xsiType(n); types[typ] != gone {
		out.attrs = append(out.attrs, attr{raw: xml.Name{Local: "type"}, uri: nsXSI, value: typ})
	}
	if v := n.get("nullFlavor"); nullFlavors[v] && r.kindOf(n.uri, n.raw.Local) != narrative {
		out.set("nullFlavor", v)
	}
	return out
}

func (n *node) set(name, value string) {
	n.attrs = append(n.attrs, attr{raw: xml.Name{Local: name}, value: value})
}

// masked marks an element whose value is gone.
func (n *node) masked() *node {
	if n.get("nullFlavor") == "" {
		at := 0
		if len(n.attrs) > 0 && n.attrs[0].uri == nsXSI {
			at = 1
		}
		n.attrs = slices.Insert(n.attrs, at, attr{raw: xml.Name{Local: "nullFlavor"}, value: "MSK"})
	}
	return n
}

// blank reports white space.
func blank(k *node) bool { return k.raw.Local == "" && strings.TrimSpace(k.text) == "" }

func (n *node) append(dst []byte) []byte {
	if n.raw.Local == "" {
		return appendText(dst, n.text)
	}
	dst = append(dst, '<')
	dst = appendName(dst, n.uri, n.raw.Local)
	for _, a := range n.attrs {
		dst = appendAttr(dst, a.uri, a.raw.Local, a.value)
	}
	if len(n.kids) == 0 {
		return append(dst, '/', '>')
	}
	dst = append(dst, '>')
	for _, k := range n.kids {
		dst = k.append(dst)
	}
	dst = append(dst, '<', '/')
	dst = appendName(dst, n.uri, n.raw.Local)
	return append(dst, '>')
}

// appendName writes a name with our own prefix: the source's may be anything.
func appendName(dst []byte, uri, local string) []byte {
	switch uri {
	case nsSDTC:
		dst = append(dst, "sdtc:"...)
	case nsXSI:
		dst = append(dst, "xsi:"...)
	}
	return append(dst, local...)
}

func appendAttr(dst []byte, uri, local, value string) []byte {
	dst = append(dst, ' ')
	dst = appendName(dst, uri, local)
	dst = append(dst, '=', '"')
	for i := range len(value) {
		switch c := value[i]; c {
		case '<':
			dst = append(dst, "&lt;"...)
		case '&':
			dst = append(dst, "&amp;"...)
		case '"':
			dst = append(dst, "&quot;"...)
		case '\n', '\r', '\t':
			dst = append(dst, ' ')
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}

func appendText(dst []byte, text string) []byte {
	for i := range len(text) {
		switch c := text[i]; {
		case c == '<':
			dst = append(dst, "&lt;"...)
		case c == '>':
			dst = append(dst, "&gt;"...)
		case c == '&':
			dst = append(dst, "&amp;"...)
		case c == '\r':
			dst = append(dst, '\n')
		case c < ' ' && c != '\n' && c != '\t':
			dst = append(dst, ' ') // XML has no such character
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// learn takes facts for the scrubber out of an element.
func (r *run) learn(n *node, k kind) {
	switch k {
	case name:
		p := message.Person{Role: r.role()}
		for _, part := range n.kids {
			switch part.raw.Local {
			case "given":
				p.Given = append(p.Given, part.words())
			case "family":
				p.Family = part.words()
			}
		}
		if p.Family == "" && len(p.Given) == 0 {
			r.facts.Facilities = append(r.facts.Facilities, some(n.words())...)
			return
		}
		r.facts.People = append(r.facts.People, p)
	case ad:
		var p message.Place
		for _, part := range n.kids {
			switch part.raw.Local {
			case "streetAddressLine":
				p.Lines = append(p.Lines, part.words())
			case "city":
				p.City = part.words()
			case "state":
				p.State = part.words()
			case "postalCode":
				p.ZIP = part.words()
			}
		}
		r.facts.Places = append(r.facts.Places, p)
	case telecom:
		v := n.get("value")
		if i := strings.IndexByte(v, ':'); i >= 0 {
			v = v[i+1:]
		}
		r.facts.Phones = append(r.facts.Phones, some(v)...)
	case ii:
		r.facts.IDs = append(r.facts.IDs, some(n.get("extension"))...)
		if r.patient == "" && r.path() == "ClinicalDocument/recordTarget/patientRole" && n.get("nullFlavor") == "" {
			r.patient = message.Key(n.get("root"), n.get("extension"))
		}
	case ts:
		if n.raw.Local == "birthTime" {
			if d, ok := message.ParseDate([]byte(n.get("value"))); ok {
				if day, ok := d.Civil(); ok {
					r.facts.Dates = append(r.facts.Dates, day)
				}
			}
		}
	}
}

func some(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

// role is whose name stands where the reader is.
func (r *run) role() message.Role {
	for i := len(r.stack) - 1; i >= 0; i-- {
		switch r.stack[i].local {
		case "patient":
			return message.Patient
		case "guardian", "relatedPerson", "relatedEntity", "relatedSubject", "associatedPerson":
			return message.Relative
		case "assignedPerson", "assignedEntity", "assignedAuthor":
			return message.Practitioner
		}
	}
	return message.Other
}

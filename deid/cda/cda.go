package cda

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/sallyport/sallyport/deid/internal/message"
	"github.com/sallyport/sallyport/problem"
)

// Deidentifier de-identifies documents. Unless Options hold something that is
// not, it is safe for many goroutines.
type Deidentifier struct{ o Options }

// New checks o against its legal basis.
func New(o Options) (*Deidentifier, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	return &Deidentifier{o}, nil
}

// Copy reads one document from r and writes it to w. The document is held in
// memory, up to Options.MaxBytes. On an error nothing is written.
func (d *Deidentifier) Copy(w io.Writer, r io.Reader) (Manifest, error) {
	return message.Copy(w, r, d.o.MaxBytes, d.Append)
}

// Append de-identifies one document and appends it to dst. On an error dst is
// returned as it was.
func (d *Deidentifier) Append(dst, doc []byte, m *Manifest) ([]byte, error) {
	if len(doc) > d.o.MaxBytes {
		return dst, problem.New(problem.TooLarge, "the document is larger than the limit", "Raise max_bytes")
	}
	c := message.NewCase(&d.o, m)
	one := Manifest{Messages: 1}
	c.M = &one
	if c.Wants() || d.o.Dates == message.DatesShifted {
		// What the document says of people is known only at its end: it is read
		// twice, the first time for that alone.
		s := &run{Case: message.NewCase(&Options{MaxBytes: d.o.MaxBytes}, new(Manifest)), learning: true}
		if err := s.document(doc); err != nil {
			return dst, err
		}
		if err := c.SetPatient(s.patient); err != nil {
			return dst, place(err, "ClinicalDocument/recordTarget/patientRole/id")
		}
		if err := c.Learn(s.facts); err != nil {
			return dst, err
		}
	}
	r := &run{Case: c, out: dst}
	if err := r.document(doc); err != nil {
		return dst, err
	}
	m.Add(&one)
	return r.out, nil
}

// MaxDepth bounds how deep elements may nest.
const MaxDepth = 128

// frame is an open element that is kept.
type frame struct {
	raw   xml.Name // as written, Space is the prefix
	uri   string
	local string
	spans int     // namespace declarations before it
	scale float64 // how many of a unit are a year where the element observes an age
}

// binding is a prefix and its namespace.
type binding struct{ prefix, uri string }

// run is the work on one document.
type run struct {
	*message.Case
	d        *xml.Decoder
	out      []byte
	open     bool // a start tag without its ">"
	stack    []frame
	spaces   []binding
	learning bool
	facts    message.Facts
	patient  string
}

func (r *run) document(doc []byte) error {
	doc = bytes.TrimPrefix(doc, []byte("\xef\xbb\xbf"))
	r.d = xml.NewDecoder(bytes.NewReader(doc))
	root := false
	for first := true; ; first = false {
		tok, err := r.d.RawToken()
		if errors.Is(err, io.EOF) {
			if !root || len(r.stack) > 0 {
				return r.malformed("the document ends too early", nil)
			}
			return nil
		}
		if err != nil {
			return r.malformed("the document is not well-formed XML in UTF-8", err)
		}
		switch t := tok.(type) {
		case xml.ProcInst:
			if t.Target == "xml" && first {
				r.out = append(r.out, `<?xml version="1.0" encoding="UTF-8"?>`...)
			} else {
				r.Count(message.Unknown)
			}
		case xml.Directive:
			return r.malformed("a document type declaration is not accepted", nil)
		case xml.Comment:
			r.Count(message.TextGone)
		case xml.CharData:
			if err := r.space(t); err != nil {
				return err
			}
		case xml.StartElement:
			if len(r.stack) == 0 && root {
				return r.malformed("the document has a second root", nil)
			}
			if err := r.start(t, !root); err != nil {
				return err
			}
			root = true
		case xml.EndElement:
			if err := r.end(t.Name); err != nil {
				return err
			}
		}
	}
}

// space passes white space between elements; other text stands only where a
// data type has it.
func (r *run) space(t []byte) error {
	blank := len(bytes.TrimSpace(t)) == 0
	if !blank {
		if len(r.stack) == 0 {
			return r.malformed("there is text outside the root element", nil)
		}
		r.Count(message.TextGone)
		return nil
	}
	if len(r.stack) == 0 {
		r.out = append(r.out, t...)
		return nil
	}
	r.shut()
	r.out = append(r.out, t...)
	return nil
}

// shut ends a start tag.
func (r *run) shut() {
	if r.open {
		r.out = append(r.out, '>')
		r.open = false
	}
}

func (r *run) end(n xml.Name) error {
	if len(r.stack) == 0 || r.stack[len(r.stack)-1].raw != n {
		return r.malformed("an end tag does not match", nil)
	}
	top := r.stack[len(r.stack)-1]
	if r.open {
		r.out = append(r.out, '/', '>')
		r.open = false
	} else {
		r.out = append(r.out, '<', '/')
		r.out = appendName(r.out, top.uri, top.local)
		r.out = append(r.out, '>')
	}
	r.spaces = r.spaces[:top.spans]
	r.stack = r.stack[:len(r.stack)-1]
	return nil
}

// start rules on an element.
func (r *run) start(t xml.StartElement, root bool) error {
	if len(r.stack) >= MaxDepth {
		return r.malformed("elements nest too deep", nil)
	}
	spans := len(r.spaces)
	if err := r.declare(t); err != nil {
		return err
	}
	uri := r.namespace(t.Name.Space)
	if root {
		if uri != nsV3 || t.Name.Local != "ClinicalDocument" {
			return r.malformed("the document is not a CDA ClinicalDocument", nil)
		}
		r.enter(t, uri, spans)
		r.out = appendAttr(r.out, "", "xmlns", nsV3)
		r.out = appendAttr(r.out, "", "xmlns:xsi", nsXSI)
		r.out = appendAttr(r.out, "", "xmlns:sdtc", nsSDTC)
		return nil
	}
	switch k := r.kindOf(uri, t.Name.Local); k {
	case gone:
		r.M.Dropped++
		r.spaces = r.spaces[:spans]
		return r.skip(t.Name)
	case walk:
		r.enter(t, uri, spans)
		return nil
	default:
		n, err := r.subtree(t, uri, len(r.stack)+1)
		if err != nil {
			return err
		}
		if r.learning {
			r.learn(n, k)
		}
		n, err = r.rule(n, k)
		if err != nil {
			return place(err, r.path()+"/"+t.Name.Local)
		}
		if n != nil {
			r.shut()
			r.out = n.append(r.out)
		}
		r.spaces = r.spaces[:spans]
		return nil
	}
}

func (r *run) kindOf(uri, local string) kind {
	switch uri {
	case nsV3:
		if k, ok := overrides[r.stack[len(r.stack)-1].local+"/"+local]; ok {
			return k
		}
		return elements[local]
	case nsSDTC:
		return extensions[local]
	}
	return gone
}

// enter opens a class.
func (r *run) enter(t xml.StartElement, uri string, spans int) {
	r.M.Part(t.Name.Local)
	r.shut()
	r.out = append(r.out, '<')
	r.out = appendName(r.out, uri, t.Name.Local)
	for _, a := range t.Attr {
		switch {
		case isDeclaration(a.Name):
		case a.Name.Space == "" && structural[a.Name.Local] && known(a.Value):
			r.out = appendAttr(r.out, "", a.Name.Local, a.Value)
		default:
			r.Count(message.Unknown)
		}
	}
	r.open = true
	r.stack = append(r.stack, frame{raw: t.Name, uri: uri, local: t.Name.Local, spans: spans})
}

// known reports whether every word of an attribute is HL7's.
func known(value string) bool {
	for w := range strings.FieldsSeq(value) {
		if !vocabulary[w] {
			return false
		}
	}
	return value != ""
}

// declare binds the prefixes of an element, and refuses an attribute that
// stands twice, which encoding/xml lets pass.
func (r *run) declare(t xml.StartElement) error {
	for i, a := range t.Attr {
		for _, b := range t.Attr[:i] {
			if a.Name == b.Name {
				return r.malformed("an attribute stands twice", nil)
			}
		}
		if i > 200 {
			return r.malformed("an element has too many attributes", nil)
		}
		switch {
		case a.Name.Space == "xmlns":
			r.spaces = append(r.spaces, binding{a.Name.Local, a.Value})
		case a.Name.Space == "" && a.Name.Local == "xmlns":
			r.spaces = append(r.spaces, binding{"", a.Value})
		}
	}
	return nil
}

func isDeclaration(n xml.Name) bool {
	return n.Space == "xmlns" || n.Space == "" && n.Local == "xmlns"
}

// namespace is that of a prefix.
func (r *run) namespace(prefix string) string {
	for i := len(r.spaces) - 1; i >= 0; i-- {
		if r.spaces[i].prefix == prefix {
			return r.spaces[i].uri
		}
	}
	return ""
}

// skip reads to the end of an element that is gone.
func (r *run) skip(n xml.Name) error {
	open := []xml.Name{n}
	for len(open) > 0 {
		tok, err := r.d.RawToken()
		if err != nil {
			return r.malformed("the document is not well-formed XML in UTF-8", err)
		}
		switch t := tok.(type) {
		case xml.Directive:
			return r.malformed("a document type declaration is not accepted", nil)
		case xml.StartElement:
			if open = append(open, t.Name); len(r.stack)+len(open) > MaxDepth {
				return r.malformed("elements nest too deep", nil)
			}
		case xml.EndElement:
			if open[len(open)-1] != t.Name {
				return r.malformed("an end tag does not match", nil)
			}
			open = open[:len(open)-1]
		}
	}
	return nil
}

// path is where the reader stands, in names of the table.
func (r *run) path() string {
	names := make([]string, len(r.stack))
	for i, f := range r.stack {
		names[i] = f.local
	}
	return strings.Join(names, "/")
}

func (r *run) malformed(title string, cause error) error {
	p := problem.BadField("line "+strconv.Itoa(lineOf(r.d)), title, "Give a CDA R2 document in UTF-8, without a document type declaration")
	if cause != nil {
		// The parser quotes what it read: its error is kept out even of the log.
		p = p.Because(errors.New("encoding/xml: syntax error"))
	}
	return p
}

func lineOf(d *xml.Decoder) int {
	line, _ := d.InputPos()
	return line
}

// place names where a document could not be de-identified, and no value.
func place(err error, path string) error {
	p := *problem.From(err)
	p.Field = path
	return &p
}

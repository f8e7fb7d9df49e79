package fhir

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/sallyport/sallyport/fhir/spec"
	"github.com/sallyport/sallyport/phi"
	"github.com/sallyport/sallyport/problem"
)

// Limits bound what a Reader holds in memory. A zero field means its default.
type Limits struct {
	Resource int // bytes of one resource, with its bundle entry; 8 MB by default
	Depth    int // of nesting, from the resource's (or entry's) own braces; 64 by default
}

const (
	defaultResource = 8 << 20
	defaultDepth    = 64
	firstLook       = 4 << 10 // where resourceType nearly always is
)

func (l Limits) withDefaults() Limits {
	if l.Resource <= 0 {
		l.Resource = defaultResource
	}
	if l.Depth <= 0 {
		l.Depth = defaultDepth
	}
	return l
}

// Part says what an Item is. The zero Part is none.
type Part uint8

// The parts of a document.
const (
	_     Part = iota
	Whole      // a resource that is no Bundle: the whole document, one Item
	Field      // a member of the Bundle itself, such as type, total, link, meta
	Entry      // one entry of the Bundle
)

// Item is a piece of a document. Its data is valid until the Reader's next call.
// It prints as [PHI].
type Item struct {
	Part Part
	Name string   // of a Field
	Raw  phi.Data // the value as it stands: the resource, the Field's value, or the entire entry object

	// Of an Entry; what is not there is empty.
	FullURL  phi.Data // unquoted
	Mode     string   // search.mode: "match", "include", "outcome"
	Response phi.Data // the object
	Request  phi.Data // the object
	Link     phi.Data // the array
	Status   int      // the number that response.status starts with, such as 200; 0 where there is none

	Type     string   // the resourceType of a Whole or of an Entry's resource; "" where the entry has none
	Resource phi.Data // the resource of a Whole or an Entry
}

// Format implements fmt.Formatter.
func (Item) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "[PHI]") }

// LogValue implements slog.LogValuer.
func (Item) LogValue() slog.Value { return slog.StringValue("[PHI]") }

// Reader reads a resource, or a Bundle piece by piece, in memory bounded by one
// resource whatever the size of the Bundle. Pieces come in the document's order,
// so that the caller can write while it reads. The order of members is free:
// resourceType may come last. What was yielded before an error stands in a
// document that is not valid: the caller must not complete a release of it.
type Reader struct {
	limits Limits
	src    source
	mem    bytes.Buffer // instead of src: the document is in memory already
	inMem  bool
	dec    *jsontext.Decoder
	state  state
	typed  bool // resourceType: Bundle was seen
	err    error
}

type state uint8

const (
	atStart state = iota
	inBundle
	inEntries
	atEnd
)

// NewReader reads one document from r. It reads ahead.
func NewReader(r io.Reader, limits Limits) *Reader {
	rd := &Reader{dec: jsontext.NewDecoder(eof{})}
	rd.Reset(r, limits)
	return rd
}

type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }

// Reset makes the Reader ready for another document, keeping its buffers.
func (r *Reader) Reset(src io.Reader, limits Limits) {
	r.limits = limits.withDefaults()
	head := r.src.head[:0]
	if cap(head) > 16*firstLook {
		head = nil // a rare document made it grow
	}
	r.src = source{r: src, head: head}
	r.dec.Reset(&r.src)
	r.inMem, r.state, r.typed, r.err = false, atStart, false, nil
}

// ResetBytes is Reset for a document that is in memory already: nothing is copied,
// and what is yielded is part of doc, and so valid as long as doc is.
func (r *Reader) ResetBytes(doc []byte, limits Limits) {
	r.limits = limits.withDefaults()
	r.mem = *bytes.NewBuffer(doc)
	r.dec.Reset(&r.mem)
	r.inMem, r.state, r.typed, r.err = true, atStart, false, nil
}

// Next returns the next piece, or io.EOF after the end of a document that is
// valid and complete, and is followed by nothing. Any other error is a
// *problem.Problem, and repeats.
func (r *Reader) Next() (Item, error) {
	if r.err != nil {
		return Item{}, r.err
	}
	item, err := r.next()
	if err != nil {
		r.err = explain(err)
		return Item{}, r.err
	}
	return item, nil
}

func (r *Reader) next() (Item, error) {
	if r.state == atStart {
		if err := r.start(); err != nil {
			return Item{}, err
		}
		if r.state == atEnd {
			return r.whole()
		}
	}
	for {
		r.src.allow(r.dec.InputOffset() + int64(r.limits.Resource))
		switch r.state {
		case inBundle:
			name, end, err := r.name()
			if err != nil {
				return Item{}, err
			}
			if end {
				if !r.typed {
					return Item{}, errNoType
				}
				r.state = atEnd
				continue
			}
			if name == "entry" {
				if r.dec.PeekKind() != '[' {
					return Item{}, errNotBundle
				}
				if _, err := r.dec.ReadToken(); err != nil {
					return Item{}, err
				}
				r.state = inEntries
				continue
			}
			value, err := r.value()
			if err != nil {
				return Item{}, err
			}
			if name == "resourceType" {
				if got, ok := text(value); !ok || string(got) != "Bundle" {
					return Item{}, errNotBundle
				}
				r.typed = true
			}
			return Item{Part: Field, Name: name, Raw: phi.New(value)}, nil
		case inEntries:
			if r.dec.PeekKind() == ']' {
				if _, err := r.dec.ReadToken(); err != nil {
					return Item{}, err
				}
				r.state = inBundle
				continue
			}
			value, err := r.read()
			if err != nil {
				return Item{}, err
			}
			return entry(value, r.limits.Depth)
		default:
			if _, err := r.dec.ReadToken(); err != nil {
				return Item{}, err // io.EOF, if all is well
			}
			return Item{}, errTrailing
		}
	}
}

// start takes the first look, and for a single resource reads all of it.
func (r *Reader) start() error {
	var bundle bool
	var err error
	if r.inMem {
		bundle = lookAt(r.mem.Bytes())
	} else if bundle, err = r.src.look(r.limits.Resource); err != nil {
		return err
	}
	r.src.allow(int64(r.limits.Resource))
	if r.dec.PeekKind() != '{' {
		if _, err := r.dec.ReadToken(); err != nil && err != io.EOF {
			return err
		}
		return errNotResource
	}
	if bundle {
		_, err := r.dec.ReadToken()
		r.state = inBundle
		return err
	}
	r.state = atEnd
	return nil
}

func (r *Reader) whole() (Item, error) {
	value, err := r.value()
	if err != nil {
		return Item{}, err
	}
	t, err := typeOf(value)
	if err != nil {
		return Item{}, err
	}
	return Item{Part: Whole, Type: t, Raw: phi.New(value), Resource: phi.New(value)}, nil
}

func (r *Reader) name() (name string, end bool, err error) {
	tok, err := r.dec.ReadToken()
	if err != nil {
		return "", false, err
	}
	if tok.Kind() == '}' {
		return "", true, nil
	}
	return tok.String(), false, nil
}

func (r *Reader) read() ([]byte, error) {
	v, err := r.dec.ReadValue()
	if err == nil && len(v) > r.limits.Resource {
		err = errLarge // only in memory: a source does not let it come so far
	}
	if err != nil {
		return nil, err
	}
	return v, nil
}

func (r *Reader) value() ([]byte, error) {
	v, err := r.read()
	if err != nil {
		return nil, err
	}
	if _, depth := skipDeep(v, 0); depth > r.limits.Depth {
		return nil, errDeep
	}
	return v, nil
}

func entry(raw []byte, limit int) (Item, error) {
	item := Item{Part: Entry, Raw: phi.New(raw)}
	if raw[0] != '{' {
		return Item{}, errNotBundle
	}
	var err error
	members(raw, func(name, value []byte, depth int) bool {
		if depth >= limit {
			err = errDeep
			return false
		}
		switch string(name) {
		case "fullUrl":
			s, ok := text(value)
			if !ok {
				err = errNotBundle
			}
			item.FullURL = phi.New(s)
		case "resource":
			item.Type, err = typeOf(value)
			item.Resource = phi.New(value)
		case "search":
			if s, ok := text(member(value, "mode")); ok {
				item.Mode = closed(s, "match", "include", "outcome")
			}
		case "response":
			item.Response = phi.New(value)
			if s, ok := text(member(value, "status")); ok && len(s) >= 3 && (len(s) == 3 || s[3] == ' ') {
				item.Status, _ = strconv.Atoi(string(s[:3]))
			}
		case "request":
			item.Request = phi.New(value)
		case "link":
			item.Link = phi.New(value)
		}
		return err == nil
	})
	if err != nil {
		return Item{}, err
	}
	return item, nil
}

// LinkTo finds the address of a relation ("next", "self") in the links of a Bundle,
// the value of its Field link. It can hold patient data, as any query can.
func LinkTo(links []byte, relation string) (address phi.Data, ok bool) {
	for l := range Items(links) {
		if r, is := text(member(l, "relation")); is && string(r) == relation {
			url, is := text(member(l, "url"))
			return phi.New(url), is && len(url) > 0
		}
	}
	return phi.Data{}, false
}

// closed returns the one of the words that s is, without an allocation, or "".
func closed(s []byte, words ...string) string {
	for _, w := range words {
		if string(s) == w {
			return w
		}
	}
	return ""
}

// typeOf finds a resource's type, which must be one of R4's.
func typeOf(resource []byte) (string, error) {
	if len(resource) == 0 || resource[0] != '{' {
		return "", errNotResource
	}
	name, ok := text(member(resource, "resourceType"))
	if !ok {
		return "", errNoType
	}
	t, ok := spec.Lookup(string(name))
	if !ok || t.Kind != spec.Resource || t.Abstract {
		return "", errUnknownType
	}
	return t.Name, nil
}

// Check says whether b is one JSON value without duplicate names or invalid
// UTF-8, nested no deeper than the limits allow: what Members and Inspect need.
func Check(b []byte, limits Limits) error {
	limits = limits.withDefaults()
	if len(b) > limits.Resource {
		return explain(errLarge)
	}
	dec := jsontext.NewDecoder(bytes.NewBuffer(b))
	if _, err := dec.ReadValue(); err != nil {
		return explain(err)
	}
	if _, err := dec.ReadToken(); err != io.EOF {
		return explain(errTrailing)
	}
	if _, depth := skipDeep(b, space(b, 0)); depth > limits.Depth {
		return explain(errDeep)
	}
	return nil
}

var (
	errLarge       = errors.New("fhir: a resource over the size limit")
	errDeep        = errors.New("fhir: nesting over the depth limit")
	errTrailing    = errors.New("fhir: something follows the document")
	errNotResource = errors.New("fhir: not a JSON object")
	errNoType      = errors.New("fhir: no resourceType")
	errUnknownType = errors.New("fhir: a resourceType that R4 does not have")
	errBadID       = errors.New("fhir: an id that is not one")
	errLabels      = errors.New("fhir: more security labels than can be judged")
	errNotBundle   = errors.New("fhir: not shaped as a Bundle")
)

// explain turns an error into a problem without any of the input. jsontext's own
// errors quote what they stumble over, so only their sort and place are kept.
func explain(err error) error {
	if err == io.EOF {
		return err
	}
	const resend = "Send valid FHIR R4 JSON"
	switch {
	case errors.Is(err, errLarge):
		return problem.New(problem.TooLarge, "A resource is larger than this gateway handles", "Ask for fewer or smaller resources, or ask the operator to raise the limit").Because(errLarge)
	case errors.Is(err, errDeep):
		return problem.New(problem.Invalid, "The document is nested too deeply", resend).Because(errDeep)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return problem.New(problem.Invalid, "The document ends early", resend).Because(io.ErrUnexpectedEOF)
	}
	for _, known := range []error{errTrailing, errNotResource, errNoType, errUnknownType, errBadID, errLabels, errNotBundle} {
		if errors.Is(err, known) {
			return problem.New(problem.Invalid, "The document is not a FHIR R4 resource: "+strings.TrimPrefix(known.Error(), "fhir: "), resend).Because(known)
		}
	}
	var syn *jsontext.SyntacticError
	if errors.As(err, &syn) {
		what := "not valid JSON"
		if errors.Is(syn.Err, jsontext.ErrDuplicateName) {
			what = "a member name occurs twice in one object"
		}
		return problem.New(problem.Invalid, "The document cannot be read: "+what, resend).Because(fmt.Errorf("fhir: %s at byte %d", what, syn.ByteOffset))
	}
	return problem.New(problem.UpstreamFail, "The document could not be read to its end", "Try again; if it goes on, ask the operator of the FHIR server").Because(err)
}

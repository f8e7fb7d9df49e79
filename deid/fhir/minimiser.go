// Package fhir carries out a deid.Scope on FHIR R4 JSON, one resource at a time.
//
// A resource is checked first (strict JSON: no duplicate names, valid UTF-8,
// bounded depth and size) and then copied member by member, as the scope's plan
// says. What the plan does not name is not copied: there is no list of things
// to take out. Member order and the text of numbers stay.
//
// What comes out has only members that R4 defines, and stays valid R4 as far as
// can be: an element that must be there, or that modifies the others, and was
// taken out is replaced by a data-absent-reason "masked". The exceptions: a
// masked element of any type but a backbone lacks its own required parts, as R4
// allows (ele-1); a contained resource
// stays although the reference to it may be gone (dom-3); US Core's race and
// ethnicity lose their text; and a profile that a resource claims may ask for
// more than is left, which is what its SUBSETTED tag says.
//
// Under a profile that judges ages, an age over 89 becomes "90 or over", as a
// quantity with the comparator >= (age.go), and a year that could tell one goes
// (date.go). Under one that shifts dates, a resource's dates move with its
// patient's. Free text stands only where a profile lets it, scrubbed with the
// patient's record, and then the resource is tagged (ScrubbedCode): whoever reads
// it must not take it for de-identified by Safe Harbor.
//
// [Files] does the same for NDJSON and Bundles of any size. It does not unpack a
// Bundle inside a Bundle, nor a resource inside Parameters: those go. Of files
// inside resources only plain text and HTML in UTF-8 can stand; RTF, PDF, XML,
// pictures and sound go.
//
// A masked element stands there whether or not the source had it, where the
// scope alone decides: its presence tells nothing.
package fhir

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/sallyport/sallyport/deid"
	"github.com/sallyport/sallyport/fhir/spec"
	"github.com/sallyport/sallyport/problem"
)

// Options are what a Minimiser works with.
type Options struct {
	Scope *deid.Scope
	Codes deid.Codes
	// Bases are the upstream server's own base URLs. An absolute URL below one
	// of them is a reference to a resource; any other is removed.
	Bases []string
	// Public is the base URL under which the caller reaches the gateway, for
	// Bundle.entry.fullUrl. Empty: fullUrl is left out.
	Public string
	// URNs keeps references of the form urn:uuid, with another UUID. Only a
	// Bundle that holds their targets gives them a meaning.
	URNs bool
	// Checked says that every resource was yielded by a fhir.Reader, or passed
	// fhir.Check, so that it need not be checked again: a third of the work.
	Checked bool
	// MaxBytes bounds one resource; 0 is DefaultMaxBytes.
	MaxBytes int

	// AsOf is the day on which ages are judged and determinations must hold. A
	// profile that puts ages over 89 into one category needs it: a year of
	// AsOf's less 90 or before goes, and so does one after AsOf's, at which
	// somebody could be older than he is on AsOf.
	AsOf time.Time
	// Shifts are for a profile that shifts dates. A resource that is about no
	// patient, or about several, keeps of a date the year.
	Shifts deid.Shifts
	// Scrubber and Records are for a profile that lets free text stand. Without
	// a Scrubber no text does; Records may be nil where the profile allows it.
	Scrubber deid.Scrubber
	Records  deid.Records
	// Targets, if not nil, finds what a conditional reference means, so that it
	// is kept: "Practitioner?identifier=system|value". What it does not find goes.
	Targets Targets
}

// Targets finds the one resource that a conditional reference means.
type Targets interface {
	// ID gives the id of the resource of the type that the query finds; ok is
	// false where it is none or not known.
	ID(typ, query string) (id string, ok bool)
}

// DefaultMaxBytes bounds a resource: a long note in base64 fits.
const DefaultMaxBytes = 32 << 20

// maxCodes bounds the cache of codes: a page of resources refers to the same
// few; a bulk file must not grow it without end.
const maxCodes = 1 << 14

// Minimiser applies one scope. It keeps buffers and is for one goroutine.
type Minimiser struct {
	o       Options
	codes   map[string]string
	refs    map[string]string // rewritten references; "" is one that goes
	keepIDs bool

	in      bytes.Buffer
	dec     *jsontext.Decoder
	raw     []byte // the resource at hand
	names   []byte // a member name that had escapes
	words   []byte // a value that had escapes
	tags    []byte // meta.tag, minimised, without brackets
	metaAt  int    // index in dst after the last member of meta; 0: there was none
	metaBeg int    // index in dst where the member meta starts
	subset  bool   // the source says SUBSETTED already
	inner   bool   // inside a contained resource
	local   map[string]int
	tally   deid.Tally
	depth   int
	shown   []uint32 // marks of what the resource at hand showed, with doubles

	oldest, newest int  // the years that tell no age over 89: after oldest, to newest
	dead           bool // AsOf is not within the profile's determination
	track          bool // find out whose each resource is
	about          about
	text           prose
}

// New makes a Minimiser. Without a scope or codes it is refused.
func New(o Options) (*Minimiser, error) {
	if o.Scope == nil {
		return nil, problem.New(problem.Internal, "a minimiser needs a scope", "Compile the role's scope first")
	}
	if o.Codes == nil && o.Scope.Spec().Identifiers != deid.KeepIDs {
		return nil, errNoCodes()
	}
	if err := o.lawful(); err != nil {
		return nil, err
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	o.Bases = slices.Clone(o.Bases)
	o.Public = strings.TrimSuffix(o.Public, "/")
	m := &Minimiser{o: o, codes: map[string]string{}, refs: map[string]string{}, local: map[string]int{}}
	m.keepIDs = o.Scope.Spec().Identifiers == deid.KeepIDs
	m.dec = jsontext.NewDecoder(&m.in, strict...)
	return m, m.SetAsOf(o.AsOf)
}

// Reset makes the Minimiser ready for another engagement under the same scope
// and source: its codes, and none that were given before. Without codes it
// releases nothing.
func (m *Minimiser) Reset(codes deid.Codes) error {
	clear(m.codes)
	clear(m.refs)
	m.o.Codes = nil
	if codes == nil && !m.keepIDs {
		return errNoCodes()
	}
	if p := m.o.Scope.Profile(); p != nil && p.Assigned() && !deid.AreAssigned(codes) {
		return errDerived()
	}
	m.o.Codes = codes
	m.text.forget()
	return nil
}

// Forget drops the record of the patient whose text came last: whoever asks next
// asks the Records again, which may be told otherwise.
func (m *Minimiser) Forget() { m.text.forget() }

func errNoCodes() error {
	return problem.New(problem.Internal, "a minimiser needs the engagement's codes", "Open the engagement's key first")
}

// Outcome is what became of a resource.
type Outcome uint8

// The outcomes. The zero Outcome is no release.
const (
	Withheld    Outcome = iota // an error says why
	NotInScope                 // the role does not name its type
	OutOfWindow                // its clinical date is not in the role's window, or is missing
	Released
)

// Info says what became of a resource: no value of it.
type Info struct {
	Type    string // a resource type of R4; empty if not even that is known
	Outcome Outcome
	Cut     bool // something was left out or coarsened; the SUBSETTED tag says so
	// Scrubbed says that free text stands in it, which its tag says too.
	Scrubbed bool
	Tally    deid.Tally
}

// ErrNotUnderstood marks a resource that holds a modifier which nobody here
// understands, so that leaving it out could turn the meaning round (R4 section
// 2.1.0.5.2 and 2.4.0.1). That resource is refused; others may go on.
var ErrNotUnderstood = errors.New("the resource has a modifier that is not understood")

func errMalformed() error {
	return problem.New(problem.UpstreamFail, "a resource from the healthcare system is not strict FHIR JSON",
		"Nothing of it was released; the organisation can check its server's output")
}

func errTooLarge() error {
	return problem.New(problem.TooLarge, "a resource from the healthcare system is larger than one may be",
		"Nothing of it was released; the organisation can raise the limit for this source")
}

func errUnknownType() error {
	return problem.New(problem.UpstreamFail, "the healthcare system sent a resource of a type that R4 does not define",
		"Nothing of it was released; the source must be a FHIR R4 server")
}

func errModifier() error {
	return problem.New(problem.UpstreamFail, "a resource carries a modifier that is not understood here",
		"It is not released, because without the modifier it could mean something else").Because(ErrNotUnderstood)
}

// Append minimises the resource raw, which must be one JSON object, and appends
// it to dst. dst comes back as it was unless info.Outcome is Released. raw is
// not changed and not kept. No error quotes the resource.
func (m *Minimiser) Append(dst, raw []byte) (out []byte, info Info, err error) {
	return m.append(dst, raw, nil)
}

// append is Append for a resource of a Bundle's entry, whose fullUrl can be what
// other entries call it.
func (m *Minimiser) append(dst, raw, fullURL []byte) (out []byte, info Info, err error) {
	if m.o.Codes == nil && !m.keepIDs {
		return dst, Info{}, errNoCodes()
	}
	if m.dead {
		return dst, Info{}, errExpired()
	}
	if len(raw) > m.o.MaxBytes {
		return dst, Info{}, errTooLarge()
	}
	if !m.o.Checked {
		if err := m.check(raw); err != nil {
			return dst, Info{}, err
		}
	}
	mark := len(dst)
	m.raw = raw
	defer func() {
		m.raw = nil
		// On text that was not checked the scanner can run off its end. That is
		// a fault of the caller's, and still nothing leaves, nor does the
		// gateway stop.
		if m.o.Checked && recover() != nil {
			out, info, err = dst[:mark], Info{}, errMalformed()
		}
	}()
	m.tally = deid.Tally{}
	m.metaAt, m.metaBeg, m.subset, m.inner, m.depth = 0, 0, false, false, 0
	m.tags, m.shown = m.tags[:0], m.shown[:0]
	clear(m.local)

	start := space(raw, 0)
	typ, err := m.scan(start)
	if err != nil {
		return dst, Info{}, err
	}
	name, ok := deid.ResourceName(typ)
	if !ok {
		return dst, Info{}, errUnknownType()
	}
	info.Type = name
	node := m.o.Scope.Resource(typ)
	if node == nil {
		info.Outcome = NotInScope
		return dst, info, nil
	}
	if !m.inWindow(name, start) {
		info.Outcome = OutOfWindow
		return dst, info, nil
	}
	m.begin(name, start, fullURL)
	out, _, err = m.object(dst, start, node)
	if err != nil {
		return dst[:mark], Info{Type: name}, err
	}
	out = m.label(out, mark)
	if m.track {
		m.subject()
	}
	info.Outcome, info.Tally, info.Scrubbed = Released, m.tally, m.text.stands
	info.Cut = m.subset || m.tally.Cut()
	return out, info, nil
}

// check refuses what is not one strict JSON object.
func (m *Minimiser) check(raw []byte) error {
	m.in = *bytes.NewBuffer(raw)
	m.dec.Reset(&m.in, strict...)
	defer func() { m.in = bytes.Buffer{} }()
	if m.dec.PeekKind() != '{' {
		return errMalformed()
	}
	if _, err := m.dec.ReadValue(); err != nil { // of a bytes.Buffer it copies nothing
		return errMalformed()
	}
	if _, err := m.dec.ReadToken(); err != io.EOF {
		return errMalformed()
	}
	return nil
}

// object copies the object at i as n says. Where nothing of it stays, dst comes
// back as it was.
func (m *Minimiser) object(dst []byte, i int, n *deid.Node) ([]byte, int, error) {
	cut, have := n.Always, uint64(0)
	said := len(n.Needs) == 0
	must := len(n.Must) == 0
	begin := i
	var err error
	if m.depth++; m.depth > maxDepth {
		return dst, i, errMalformed()
	}
	defer func() { m.depth-- }()
	open, shown := len(dst), len(m.shown)
	dst = append(dst, '{')
	i++
	for {
		name, v, ok := next(m.raw, i, &m.names)
		if !ok {
			i = v
			break
		}
		if len(n.Needs) > 0 && string(name) == n.Needs && m.raw[v] == '"' {
			said = true
		}
		f := n.Field(name)
		if f == nil {
			m.tally[deid.NotInR4]++
			i = valueEnd(m.raw, v)
			continue
		}
		if f.Op == deid.Cut {
			m.tally[f.Why]++
			cut |= bit(f)
			i = valueEnd(m.raw, v)
			continue
		}
		mark := len(dst)
		if mark > open+1 {
			dst = append(dst, ',')
		}
		dst = append(dst, f.Quoted...)
		before := len(dst)
		if f.Op == deid.Words || f.Op == deid.File {
			dst, i, err = m.contextual(dst, v, f, begin)
		} else {
			dst, i, err = m.member(dst, v, f)
		}
		if err != nil {
			return dst, i, err
		}
		if len(dst) == before {
			dst = dst[:mark]
			cut |= bit(f)
		} else {
			have |= bit(f)
			if len(f.Shown) > 0 {
				m.shown = append(m.shown, f.Shown...)
			}
			must = must || f.Name == n.Must
		}
	}
	if must && !said {
		m.tally[deid.DirectID]++
	}
	if !must || !said || len(dst) == open+1 {
		m.shown = m.shown[:shown]
		return dst[:open], i, nil
	}
	if missing := cut &^ have; missing != 0 {
		for k, text := range n.Masks {
			if missing&(1<<k) != 0 {
				m.subset = true // a mark stands for something that is not told
				dst = append(append(dst, ','), text...)
			}
		}
	}
	return append(dst, '}'), i, nil
}

func bit(f *deid.Field) uint64 {
	if f.Mask == 0 {
		return 0
	}
	return 1 << (f.Mask - 1)
}

// member copies the value at i as f says; dst comes back as it was where it goes.
func (m *Minimiser) member(dst []byte, i int, f *deid.Field) ([]byte, int, error) {
	switch f.Op {
	case deid.TypeName:
		end := valueEnd(m.raw, i)
		return append(dst, m.raw[i:end]...), end, nil
	case deid.Identity:
		return m.identity(dst, i)
	case deid.MetaData:
		return m.meta(dst, i, len(f.Quoted))
	case deid.Refuse:
		return dst, i, errModifier()
	case deid.Contained:
		return m.contained(dst, i)
	case deid.Extended:
		end := valueEnd(m.raw, i)
		return m.extensions(dst, i, m.o.Scope.Extensions(), false), end, nil
	case deid.Beside:
		end := valueEnd(m.raw, i)
		return m.beside(dst, i), end, nil
	}
	if !f.List {
		return m.one(dst, i, f)
	}
	end := valueEnd(m.raw, i)
	if m.raw[i] != '[' {
		m.tally[deid.BadShape]++
		return dst, end, nil
	}
	open := len(dst)
	dst = append(dst, '[')
	var err error
	for i++; ; {
		v, ok := item(m.raw, i)
		if !ok {
			break
		}
		mark := len(dst)
		if mark > open+1 {
			dst = append(dst, ',')
		}
		before := len(dst)
		if dst, i, err = m.one(dst, v, f); err != nil {
			return dst, i, err
		}
		if len(dst) == before {
			dst = dst[:mark]
		}
	}
	if len(dst) == open+1 {
		return dst[:open], end, nil
	}
	return append(dst, ']'), end, nil
}

// one copies one value.
func (m *Minimiser) one(dst []byte, i int, f *deid.Field) ([]byte, int, error) {
	if f.Op == deid.Object {
		if m.raw[i] != '{' {
			m.tally[deid.BadShape]++
			return dst, valueEnd(m.raw, i), nil
		}
		if f.Age != deid.NoAge {
			if out, done := m.aged(dst, i, f); done {
				return out, valueEnd(m.raw, i), nil
			}
		}
		return m.object(dst, i, f.Node)
	}
	end := valueEnd(m.raw, i)
	value := m.raw[i:end]
	switch f.Op {
	case deid.Copy:
		if m.fits(value, f.Shape) {
			if m.about.ages && m.isAge(value, f.Shape) {
				m.tally[deid.AgeOver89]++
				return dst, end, nil
			}
			return append(dst, value...), end, nil
		}
		m.tally[deid.BadShape]++
	case deid.Dated:
		if m.fits(value, f.Shape) {
			out, err := m.dated(dst, value, f)
			return out, end, err
		}
		m.tally[deid.BadShape]++
	case deid.ZIP3:
		if value[0] == '"' {
			m.tally[deid.Geography]++
			return m.zip(dst, text(value, &m.words)), end, nil
		}
		m.tally[deid.BadShape]++
	case deid.Scrub, deid.Div:
		if value[0] == '"' {
			out, err := m.prose(dst, value, f.Op == deid.Div)
			return out, end, err
		}
		m.tally[deid.BadShape]++
	case deid.Year:
		if m.fits(value, f.Shape) {
			if len(value) > len(`"2006"`) {
				m.tally[deid.DateToYear]++
			}
			dst = append(dst, value[:5]...)
			return append(dst, '"'), end, nil
		}
		m.tally[deid.BadShape]++
	case deid.Encode:
		if !m.fits(value, deid.ID) {
			m.tally[deid.BadShape]++
			return dst, end, nil
		}
		code, err := m.code(value[1 : len(value)-1])
		if err != nil {
			return dst, end, err
		}
		return quote(dst, code), end, nil
	case deid.Defined:
		out, err := m.canonical(dst, value)
		return out, end, err
	case deid.Rewrite:
		if value[0] != '"' {
			m.tally[deid.BadShape]++
			return dst, end, nil
		}
		before := len(dst)
		dst = append(dst, '"')
		out, ok, err := m.reference(dst, text(value, &m.words))
		if err != nil {
			return dst, end, err
		}
		if !ok {
			m.tally[deid.Unresolvable]++
			return dst[:before], end, nil
		}
		return append(out, '"'), end, nil
	}
	return dst, end, nil
}

func quote(dst []byte, s string) []byte {
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}

// identity rewrites Resource.id: a contained resource's to its number.
func (m *Minimiser) identity(dst []byte, i int) ([]byte, int, error) {
	end := valueEnd(m.raw, i)
	value := m.raw[i:end]
	if m.inner {
		if n := m.local[string(value[1:len(value)-1])]; n > 0 && value[0] == '"' {
			return append(strconv.AppendInt(append(dst, `"c`...), int64(n), 10), '"'), end, nil
		}
		return dst, end, nil
	}
	if !m.fits(value, deid.ID) {
		m.tally[deid.BadShape]++
		return dst, end, nil
	}
	code, err := m.code(value[1 : len(value)-1])
	if err != nil {
		return dst, end, err
	}
	return quote(dst, code), end, nil
}

// code is the engagement's code of an id that has the shape of one.
func (m *Minimiser) code(id []byte) (string, error) {
	if m.keepIDs {
		return string(id), nil
	}
	m.tally[deid.Pseudonymised]++
	if c, ok := m.codes[string(id)]; ok {
		return c, nil
	}
	c, err := m.o.Codes.Code(string(id))
	if err != nil {
		return "", problem.New(problem.Unavailable, "an identifier could not be given its code",
			"Nothing was released; try again, and tell the operator if it goes on").Because(err)
	}
	if !spec.ValidID(c) {
		return "", problem.New(problem.Internal, "a code is not a FHIR id", "Nothing was released; tell the operator")
	}
	if len(m.codes) >= maxCodes {
		clear(m.codes)
	}
	m.codes[string(id)] = c
	return c, nil
}

package fhir

import (
	"bytes"
	"encoding/base64"
	"mime"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/sallyport/sallyport/deid"
	"github.com/sallyport/sallyport/problem"
)

// prose scrubs free text with the record of the patient at hand.
type prose struct {
	stands   bool // some of it stands in the resource at hand
	in, out  []byte
	found    []deid.Found
	counts   tally  // what was found
	patient  string // whose replacer it is
	known    bool
	replacer deid.Replacer
	record   deid.Record
}

// tally counts what is found in text, by the scrubber's category.
type tally [256]int

// forget drops what belongs to a patient: another engagement replaces otherwise.
func (p *prose) forget() { p.replacer, p.record, p.patient, p.known = nil, nil, "", false }

// Found tells how much was found in text since the Minimiser was made, by the
// scrubber's categories.
func (m *Minimiser) Found() map[string]int {
	all := map[string]int{}
	m.since(&tally{}, all)
	return all
}

// since adds to all what was found beyond told.
func (m *Minimiser) since(told *tally, all map[string]int) {
	if m.o.Scrubber == nil {
		return
	}
	for c, n := range m.text.counts {
		if n -= told[c]; n > 0 {
			all[m.o.Scrubber.Category(uint8(c))] += n
		}
	}
}

func errScrub(err error) error {
	return problem.New(problem.Unavailable, "text could not be scrubbed", "Nothing was released; try again, and tell the operator if it goes on").Because(err)
}

// ready finds the record and the replacer for the patient at hand. ok is false
// where text may not stand without a record and there is none.
func (m *Minimiser) ready() (ok bool, err error) {
	p, a := &m.text, m.subject()
	if a.err != nil {
		return false, a.err
	}
	if p.replacer == nil || p.patient != a.patient {
		p.forget()
		if a.patient != "" && m.o.Records != nil {
			p.record, p.known = m.o.Records.Of(a.patient)
		}
		if !p.known {
			p.record = nil
		}
		if p.replacer, err = m.o.Scrubber.Replacer(p.record, deid.Manner{Style: m.o.Scope.Profile().Style(), ShiftDays: a.days, AsOf: m.o.AsOf}); err != nil {
			p.forget()
			return false, errScrub(err)
		}
		p.patient = a.patient
	}
	return p.known || !m.o.Scope.Profile().NeedsRecord(), nil
}

// seek looks through p.in, and checks that what it is told makes sense: a
// scrubber that does not stops the release.
func (m *Minimiser) seek() error {
	p := &m.text
	var err error
	if p.found, err = m.o.Scrubber.Find(p.found[:0], p.in, p.record); err != nil {
		return errScrub(err)
	}
	end := 0
	for _, f := range p.found {
		if f.Start < end || f.End <= f.Start || f.End > len(p.in) {
			return errScrub(nil)
		}
		end = f.End
		p.counts[f.Category]++
	}
	return nil
}

// scrub writes p.in, scrubbed, to p.out.
func (m *Minimiser) scrub() error {
	if err := m.seek(); err != nil {
		return err
	}
	p := &m.text
	p.out = p.out[:0]
	at := 0
	var err error
	for _, f := range p.found {
		p.out = append(p.out, p.in[at:f.Start]...)
		if p.out, err = p.replacer.Replace(p.out, p.in[f.Start:f.End], f); err != nil {
			return errScrub(err)
		}
		at = f.End
	}
	p.out = append(p.out, p.in[at:]...)
	return nil
}

// prose copies words, or the div of a narrative, scrubbed.
func (m *Minimiser) prose(dst, value []byte, div bool) ([]byte, error) {
	ok, err := m.ready()
	if err != nil {
		return dst, err
	}
	if !ok {
		m.tally[deid.TextGone]++
		return dst, nil
	}
	words := text(value, &m.words)
	p := &m.text
	if div {
		if ok, err = m.markup(words, xhtml); err != nil {
			return dst, err
		}
	} else {
		p.in = append(p.in[:0], words...)
		err = m.scrub()
	}
	if err != nil {
		return dst, err
	}
	if !ok || len(bytes.TrimSpace(p.out)) == 0 || !utf8.Valid(p.out) {
		m.tally[deid.TextGone]++
		return dst, nil
	}
	out, err := jsontext.AppendQuote(dst, p.out)
	if err != nil {
		m.tally[deid.TextGone]++
		return dst, nil
	}
	m.scrubbed()
	return out, nil
}

// scrubbed counts words that stand.
func (m *Minimiser) scrubbed() {
	m.tally[deid.TextScrubbed]++
	if !m.text.known {
		m.tally[deid.Unrecorded]++
	}
	m.text.stands = true
}

// contextual copies a member whose ruling depends on one that stands beside it,
// in the object at open.
func (m *Minimiser) contextual(dst []byte, i int, f *deid.Field, open int) ([]byte, int, error) {
	end := valueEnd(m.raw, i)
	value := m.raw[i:end]
	if value[0] != '"' {
		m.tally[deid.BadShape]++
		return dst, end, nil
	}
	if f.Op == deid.Words {
		system := m.sibling(open, "system")
		if len(system) == 0 || !m.o.Scope.Trusts(system) {
			m.tally[deid.TextGone]++
			return dst, end, nil
		}
		return append(dst, value...), end, nil
	}
	out, err := m.file(dst, value, string(m.sibling(open, "contentType")))
	return out, end, err
}

// sibling is what the string member called name of the object says.
func (m *Minimiser) sibling(open int, name string) []byte {
	for i := open + 1; ; {
		key, v, ok := next(m.raw, i, &m.names)
		if !ok {
			return nil
		}
		i = valueEnd(m.raw, v)
		if string(key) == name {
			if m.raw[v] != '"' {
				return nil
			}
			return text(m.raw[v:i], &m.words)
		}
	}
}

// plainTypes are the types of files that are text as it stands. Of what has a
// syntax that can hide text (RTF, XML, JSON) none is here; HTML is read as such.
var plainTypes = []string{"text/plain", "text/markdown", "text/csv", "text/tab-separated-values"}

// file copies the base64 of a file, if it is text in UTF-8: decoded, scrubbed
// and encoded again. Any other goes: what cannot be looked through cannot stand.
func (m *Minimiser) file(dst, value []byte, contentType string) ([]byte, error) {
	gone := func() ([]byte, error) {
		m.tally[deid.TextGone]++
		return dst, nil
	}
	typ, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return gone()
	}
	switch strings.ToLower(params["charset"]) {
	case "", "utf-8", "utf8", "us-ascii":
	default:
		return gone()
	}
	html := typ == "text/html"
	plain := false
	for _, t := range plainTypes {
		plain = plain || t == typ
	}
	if !html && !plain {
		return gone()
	}
	ok, err := m.ready()
	if err != nil {
		return dst, err
	}
	if !ok {
		return gone()
	}
	p := &m.text
	code := bytes.Map(func(r rune) rune {
		if r == ' ' || r == '\n' || r == '\r' || r == '\t' {
			return -1
		}
		return r
	}, text(value, &m.words))
	n := base64.StdEncoding.DecodedLen(len(code))
	if cap(p.in) < n {
		p.in = make([]byte, n)
	}
	p.in = p.in[:n]
	n, err = base64.StdEncoding.Decode(p.in, code)
	if err != nil || !utf8.Valid(p.in[:n]) {
		return gone()
	}
	p.in = bytes.TrimPrefix(p.in[:n], []byte("\ufeff"))
	if html {
		ok, err = m.markup(bytes.Clone(p.in), loose)
	} else {
		err = m.scrub()
	}
	if err != nil {
		return dst, err
	}
	if !ok || len(p.out) == 0 {
		return gone()
	}
	m.scrubbed()
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, p.out)
	return append(dst, '"'), nil
}

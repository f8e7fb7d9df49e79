package verify

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// schema is every field that an entry of each kind can have, in version 1. There
// is no field for free text, and a string is at most 130 of the characters that
// ids, words, digests and times need: no spaces, so no sentence and no full name.
var schema = map[string][]string{
	"intent":   strings.Fields(common + facts),
	"refusal":  strings.Fields(common + facts + " failing"),
	"outcome":  strings.Fields(common + " decision ticket chunk release result final status upstream_status upstream_tls upstream_key_exchange upstream_certificate digest bytes sealing recipients clear_digest clear_bytes patient_count parts patients resources shown removed changed"),
	"patients": strings.Fields(common + " decision ticket chunk part patients"),
	"act":      strings.Fields(common + " act act_kind actor approver subject id digest registry"),
	"recovery": strings.Fields(common + " replayed cut"),
}

const (
	common = "v time kind origin"
	facts  = " decision vendor engagement app device person grant role agent direction destination source" +
		" action resource purpose category legal_basis data_class profile profile_digest scope_digest policy snapshot snapshot_index" +
		" clauses derives_from tls key_exchange certificate token_binding sealing region region_by"
)

// entry is what the rules below need of an entry.
type entry struct {
	kind, origin, decision, act, result    string
	time                                   time.Time
	ticket, chunk, part, parts             uint64
	patients, patientCount, failing, bytes uint64
	digest                                 string
	final                                  bool
}

// readEntry reads an entry's JSON.
func readEntry(b []byte) (*entry, error) {
	p := parser{b: b}
	fields, err := p.entry()
	if err != nil {
		return nil, err
	}
	var e entry
	var version string
	seen := make([]string, 0, len(fields))
	for _, f := range fields {
		if slices.Contains(seen, f.name) {
			return nil, fmt.Errorf("it has the field %s twice", f.name)
		}
		seen = append(seen, f.name)
		num := func(to *uint64) {
			var numErr error
			if *to, numErr = strconv.ParseUint(f.text, 10, 64); f.form != number || numErr != nil {
				err = fmt.Errorf("its field %s is not a number", f.name)
			}
		}
		str := func(to *string) {
			if *to = f.text; f.form != text || f.text == "" {
				err = fmt.Errorf("its field %s is not a string", f.name)
			}
		}
		switch f.name {
		case "v":
			version = f.text
		case "time":
			if e.time, err = time.Parse("2006-01-02T15:04:05.000000000Z", f.text); err != nil {
				err = errors.New("its time is not RFC 3339 with nanoseconds in UTC")
			}
		case "kind":
			str(&e.kind)
		case "origin":
			str(&e.origin)
		case "decision":
			str(&e.decision)
		case "act":
			str(&e.act)
		case "result":
			str(&e.result)
		case "digest":
			if str(&e.digest); len(e.digest) != 64 {
				err = errors.New("its digest is not a SHA-256")
			}
		case "ticket":
			num(&e.ticket)
		case "chunk":
			num(&e.chunk)
		case "part":
			num(&e.part)
		case "parts":
			num(&e.parts)
		case "bytes":
			num(&e.bytes)
		case "patient_count":
			num(&e.patientCount)
		case "patients":
			e.patients = f.items
		case "failing":
			e.failing = f.items
		case "final":
			e.final = f.text == "true"
		}
		if err != nil {
			return nil, err
		}
	}
	known, ok := schema[e.kind]
	switch {
	case version != "1":
		return nil, errors.New("its schema version is not known here; use a newer verifier")
	case !ok:
		return nil, errors.New("its kind is not known here; use a newer verifier")
	case e.time.IsZero() || e.origin == "":
		return nil, errors.New("it has no time or no origin")
	}
	for _, name := range seen {
		if !slices.Contains(known, name) {
			return nil, errors.New("it has a field that its kind does not have")
		}
	}
	return &e, nil
}

// story follows the entries in order and keeps the first that breaks a rule.
type story struct {
	origin  string
	report  *Report
	last    time.Time
	tickets map[uint64]*ticket // intents whose final outcome is to come
	acts    map[string]bool
	fault   error
}

type ticket struct {
	decision        string
	chunk           uint64 // the next one
	parts, patients uint64 // of pseudonyms that came before their outcome
	partAt          uint64 // index of the last part
}

func newStory(origin string, r *Report) *story {
	return &story{origin: origin, report: r, tickets: map[uint64]*ticket{}, acts: map[string]bool{}}
}

func (s *story) tell(file string, index uint64, b []byte) {
	if s.fault != nil {
		return
	}
	e, err := readEntry(b)
	if err == nil {
		err = s.rules(index, e)
	}
	if err != nil {
		s.fault = fault(file, int64(index), "%v", err)
	}
}

// rules are what entries must say about each other.
func (s *story) rules(index uint64, e *entry) error {
	switch {
	case e.origin != s.origin:
		return errors.New("it names another origin than the checkpoint")
	case e.time.Before(s.last):
		return errors.New("it is older than the entry before it")
	}
	s.last = e.time
	if s.report.First.IsZero() {
		s.report.First = e.time
	}
	s.report.Last = e.time
	switch e.kind {
	case "intent":
		s.report.Intents++
		if e.decision == "" {
			return errors.New("an intent without a decision")
		}
		s.tickets[index] = &ticket{decision: e.decision}
	case "patients", "outcome":
		t := s.tickets[e.ticket]
		switch {
		case t == nil || e.ticket >= index:
			return fmt.Errorf("an outcome whose ticket, entry %d, is not an open intent before it", e.ticket)
		case e.decision != t.decision:
			return fmt.Errorf("an outcome of another decision than its intent, entry %d", e.ticket)
		case e.chunk != t.chunk:
			return fmt.Errorf("an outcome of chunk %d, where chunk %d is the next", e.chunk, t.chunk)
		case t.parts > 0 && t.partAt != index-1:
			return errors.New("pseudonyms of a chunk must stand right before its outcome")
		}
		t.patients += e.patients
		if e.kind == "patients" {
			if e.part != t.parts {
				return fmt.Errorf("part %d of the pseudonyms, where part %d is the next", e.part, t.parts)
			}
			t.parts++
			t.partAt = index
			return nil
		}
		s.report.Outcomes++
		switch {
		case e.parts != t.parts:
			return fmt.Errorf("an outcome with %d parts of pseudonyms before it, where it says %d", t.parts, e.parts)
		case e.patientCount != t.patients:
			return fmt.Errorf("an outcome with %d pseudonyms, where it says %d", t.patients, e.patientCount)
		}
		switch e.result {
		case "released":
			if e.digest == "" {
				return errors.New("a release without the digest of what left")
			}
		case "withheld", "incomplete":
			if !e.final {
				return errors.New("nothing was released, but the ticket goes on")
			}
		default:
			return errors.New("an outcome whose result is not known here")
		}
		t.chunk++
		t.parts, t.patients = 0, 0
		if e.final {
			delete(s.tickets, e.ticket)
		}
	case "refusal":
		s.report.Refusals++
		if e.failing == 0 || e.decision == "" {
			return errors.New("a refusal without a failing gate or a decision")
		}
	case "act":
		s.report.Acts++
		if e.act == "" || s.acts[e.act] {
			return errors.New("an act without an id, or one that is in the log already")
		}
		s.acts[e.act] = true
	}
	return nil
}

// form is what a JSON value is.
type form int

const (
	text form = iota
	number
	flag
	list
	object
)

type member struct {
	name  string
	form  form
	text  string
	items uint64 // of a list or object
}

// parser reads the JSON that entries use, which is less than all JSON: no
// escapes, no null, no fractions, no spaces, lists and objects one deep.
type parser struct {
	b []byte
	i int
}

var errJSON = errors.New("it is not the JSON of an entry")

func (p *parser) next(c byte) bool {
	if p.i < len(p.b) && p.b[p.i] == c {
		p.i++
		return true
	}
	return false
}

func (p *parser) entry() ([]member, error) {
	fields := make([]member, 0, 40)
	if !p.next('{') {
		return nil, errJSON
	}
	for {
		name, ok := p.str()
		if !ok || !p.next(':') {
			return nil, errJSON
		}
		m, ok := p.value(name)
		if !ok {
			return nil, fmt.Errorf("its field %s is not ids, words, digests, counts or times", name)
		}
		m.name = name
		fields = append(fields, m)
		if p.next(',') {
			continue
		}
		if !p.next('}') || p.i != len(p.b) {
			return nil, errJSON
		}
		return fields, nil
	}
}

func (p *parser) value(name string) (member, bool) {
	switch {
	case p.next('['):
		n := uint64(0)
		for {
			ok := false
			if p.next('{') {
				_, ok = p.members(text)
			} else {
				_, ok = p.str()
			}
			if !ok {
				return member{}, false
			}
			n++
			if !p.next(',') {
				return member{form: list, items: n}, p.next(']')
			}
		}
	case p.next('{'):
		form := number
		if name == "shown" { // numbers too, which can be long: in hexadecimal
			form = text
		}
		n, ok := p.members(form)
		return member{form: object, items: n}, ok
	}
	return p.scalar()
}

// members reads the rest of an object whose values are all of one form.
func (p *parser) members(f form) (n uint64, ok bool) {
	for {
		if _, ok := p.str(); !ok || !p.next(':') {
			return n, false
		}
		if m, ok := p.scalar(); !ok || m.form != f {
			return n, false
		}
		n++
		if !p.next(',') {
			return n, p.next('}')
		}
	}
}

func (p *parser) scalar() (member, bool) {
	if p.i < len(p.b) && p.b[p.i] == '"' {
		s, ok := p.str()
		return member{form: text, text: s}, ok
	}
	from := p.i
	for p.i < len(p.b) && (p.b[p.i] >= '0' && p.b[p.i] <= '9' || p.b[p.i] >= 'a' && p.b[p.i] <= 'z') {
		p.i++
	}
	s := string(p.b[from:p.i])
	if s == "true" || s == "false" {
		return member{form: flag, text: s}, true
	}
	n, err := strconv.ParseUint(s, 10, 64)
	return member{form: number, text: s}, err == nil && strconv.FormatUint(n, 10) == s
}

func (p *parser) str() (string, bool) {
	if !p.next('"') {
		return "", false
	}
	from := p.i
	for ; p.i < len(p.b); p.i++ {
		switch c := p.b[p.i]; {
		case c == '"':
			s := string(p.b[from:p.i])
			p.i++
			return s, s != ""
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			c == '-', c == '_', c == '.', c == ':', c == '/', c == '+': // +: "mtls+dpop"
		default:
			return "", false
		}
		if p.i-from >= 130 {
			return "", false
		}
	}
	return "", false
}

package fhir

import (
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/sallyport/sallyport/deid"
	"github.com/sallyport/sallyport/deid/internal/release"
	"github.com/sallyport/sallyport/problem"
)

// Writer puts minimised resources into an answer, and makes releases of it: one
// for a small answer, one for each chunk of a large one. All that a release can
// hold besides minimised resources is what the methods write: the frame of a
// Bundle with closed lists of words, counts, and the gateway's own links. It is
// for one goroutine, as its Minimiser.
type Writer struct {
	m        *Minimiser
	buf      []byte
	counts   map[string]int
	tally    deid.Tally
	patients []string
	shown    []uint64 // the scope's marks that have appeared
	open     []frame
	begun    bool // a resource, outcome or Bundle is, or is becoming, the whole answer
	lines    bool // the answer is NDJSON
	bundle   bool // the answer is a Bundle
	size     int  // of the last release of a Bundle: the next one is likely as long
	told     tally
	found    map[string]int
}

// frame is a Bundle or an entry that is not closed yet.
type frame struct {
	entry bool
	any   bool // something was written in it
	full  bool // an entry that has its resource, a Bundle that has its total
}

// NewWriter makes a Writer. Each answer needs its own, or a Reset.
func NewWriter(m *Minimiser) *Writer {
	return &Writer{m: m, counts: map[string]int{}, shown: make([]uint64, m.o.Scope.MarkWords()), told: m.text.counts}
}

// Head is how a Bundle begins.
type Head struct {
	// Type is one of BundleTypes.
	Type string
	// Total is the number of matches, or negative where it is not told.
	Total int
}

// BundleTypes are the Bundles that the gateway answers with (R4 section 2.36.5).
var BundleTypes = []string{"searchset", "history", "batch-response", "collection"}

// Link is a link of a Bundle. URL must be one of the gateway's own.
type Link struct{ Relation, URL string }

// Entry is what stands around a resource in a Bundle.
type Entry struct {
	FullURL string // of the source; it is rewritten
	Mode    string // match, include, outcome, or empty
	Status  int    // of a batch-response; 0 for none
}

func misuse(what string) error {
	return problem.New(problem.Internal, "an answer was put together in the wrong order: "+what, "Nothing was released; tell the operator")
}

// Resource writes one resource, which is the whole answer or the resource of an
// open entry. Where the outcome is not Released, nothing was written.
func (w *Writer) Resource(raw []byte) (Info, error) {
	if err := w.place(); err != nil {
		return Info{}, err
	}
	info, err := w.resource(raw, nil)
	if err == nil && info.Outcome == Released {
		w.placed()
	}
	return info, err
}

// place reports whether a resource may be written here.
func (w *Writer) place() error {
	n := len(w.open)
	switch {
	case n == 0 && (w.begun || w.lines):
		return misuse("a second resource")
	case n > 0 && !w.open[n-1].entry:
		return misuse("a resource outside an entry")
	case n > 0 && w.open[n-1].full:
		return misuse("a second resource in an entry")
	}
	return nil
}

func (w *Writer) placed() {
	if n := len(w.open); n > 0 {
		w.open[n-1].any, w.open[n-1].full = true, true
	} else {
		w.begun = true
	}
}

// Line writes one line of NDJSON.
func (w *Writer) Line(raw []byte) (Info, error) {
	if len(w.open) > 0 || w.begun {
		return Info{}, misuse("a line in another answer")
	}
	w.lines = true
	info, err := w.resource(raw, nil)
	if err == nil && info.Outcome == Released {
		w.buf = append(w.buf, '\n')
	}
	return info, err
}

func (w *Writer) resource(raw []byte, before func(dst []byte) ([]byte, error)) (Info, error) {
	if cap(w.buf) == 0 {
		w.buf = make([]byte, 0, max(w.expect(), len(raw)+512))
	}
	mark := len(w.buf)
	if before != nil {
		var err error
		if w.buf, err = before(w.buf); err != nil {
			w.buf = w.buf[:mark]
			return Info{}, err
		}
	} else if n := len(w.open); n > 0 {
		w.buf = append(w.member(w.buf), `"resource":`...)
	}
	out, info, err := w.m.Append(w.buf, raw)
	if err != nil || info.Outcome != Released {
		w.buf = w.buf[:mark]
		return info, err
	}
	w.buf = out
	w.counts[info.Type]++
	w.tally.Add(&info.Tally)
	for _, mark := range w.m.shown {
		w.shown[mark>>6] |= 1 << (mark & 63)
	}
	return info, nil
}

// expect is how long the release at hand will probably be. A buffer that grows
// from nothing is copied a dozen times.
func (w *Writer) expect() int {
	if w.bundle {
		return w.size + w.size/8
	}
	return 0
}

// Try says what would come of a resource, and writes nothing.
func (w *Writer) Try(raw []byte) (Info, error) {
	mark := len(w.buf)
	out, info, err := w.m.Append(w.buf, raw)
	if err == nil && info.Outcome == Released {
		w.buf = out[:mark]
	}
	return info, err
}

// member writes the comma before a member of the open frame, if it needs one.
func (w *Writer) member(dst []byte) []byte {
	if f := &w.open[len(w.open)-1]; f.any {
		return append(dst, ',')
	}
	return dst
}

// OpenBundle begins a Bundle, as the whole answer or as the resource of an open
// entry of a batch-response.
func (w *Writer) OpenBundle(h Head) error {
	known := false
	for _, t := range BundleTypes {
		known = known || t == h.Type
	}
	n := len(w.open)
	if !known || n > 2 {
		return misuse("an unknown type of Bundle")
	}
	if err := w.place(); err != nil {
		return err
	}
	if n > 0 {
		w.buf = append(w.member(w.buf), `"resource":`...)
	} else if w.bundle = true; cap(w.buf) == 0 {
		w.buf = make([]byte, 0, max(w.expect(), 4<<10))
	}
	w.placed()
	w.buf = append(w.buf, `{"resourceType":"Bundle","type":"`...)
	w.buf = append(append(w.buf, h.Type...), '"')
	if h.Total >= 0 {
		w.buf = strconv.AppendInt(append(w.buf, `,"total":`...), int64(h.Total), 10)
	}
	w.open = append(w.open, frame{})
	return nil
}

// Entry writes an entry with its resource. Where the outcome is not Released,
// nothing was written.
func (w *Writer) Entry(e Entry, raw []byte) (Info, error) {
	n := len(w.open)
	if n == 0 || w.open[n-1].entry || w.open[n-1].full {
		return Info{}, misuse("an entry outside a Bundle")
	}
	info, err := w.resource(raw, func(dst []byte) ([]byte, error) {
		dst, err := w.begin(dst, e)
		if err != nil {
			return dst, err
		}
		if dst[len(dst)-1] != '{' {
			dst = append(dst, ',')
		}
		return append(dst, `"resource":`...), nil
	})
	if err != nil || info.Outcome != Released {
		return info, err
	}
	w.buf = append(w.buf, '}')
	w.open[n-1].any = true
	return info, nil
}

// OpenEntry begins an entry whose resource is written with Resource, Outcome or
// OpenBundle, or which has none.
func (w *Writer) OpenEntry(e Entry) error {
	n := len(w.open)
	if n == 0 || w.open[n-1].entry || w.open[n-1].full {
		return misuse("an entry outside a Bundle")
	}
	dst, err := w.begin(w.buf, e)
	if err != nil {
		return err
	}
	w.buf = dst
	w.open[n-1].any = true
	w.open = append(w.open, frame{entry: true, any: dst[len(dst)-1] != '{'})
	return nil
}

// CloseEntry ends it.
func (w *Writer) CloseEntry() error {
	n := len(w.open)
	if n == 0 || !w.open[n-1].entry {
		return misuse("no entry to close")
	}
	w.buf = append(w.buf, '}')
	w.open = w.open[:n-1]
	return nil
}

func (w *Writer) begin(dst []byte, e Entry) ([]byte, error) {
	if w.open[len(w.open)-1].any {
		dst = append(dst, `,{`...)
	} else {
		dst = append(dst, `,"entry":[{`...)
	}
	any := false
	comma := func() {
		if any {
			dst = append(dst, ',')
		}
		any = true
	}
	mark := len(dst)
	if e.FullURL != "" {
		dst = append(dst, `"fullUrl":"`...)
		before := len(dst)
		out, err := w.m.FullURL(dst, e.FullURL)
		if err != nil {
			return dst[:mark], err
		}
		if dst = out; len(dst) == before {
			dst = dst[:mark]
		} else {
			dst = append(dst, '"')
			any = true
		}
	}
	switch e.Mode {
	case "":
	case "match", "include", "outcome":
		comma()
		dst = append(append(append(dst, `"search":{"mode":"`...), e.Mode...), `"}`...)
	default:
		return dst[:mark], misuse("an unknown search mode")
	}
	if e.Status != 0 {
		if e.Status < 100 || e.Status > 599 {
			return dst[:mark], misuse("an HTTP status that is none")
		}
		comma()
		dst = strconv.AppendInt(append(dst, `"response":{"status":"`...), int64(e.Status), 10)
		dst = append(dst, `"}`...)
	}
	return dst, nil
}

// Outcome writes an upstream OperationOutcome, minimised, as the whole answer
// or as the resource of an open entry.
func (w *Writer) Outcome(raw []byte) error {
	if err := w.place(); err != nil {
		return err
	}
	if len(w.open) > 0 {
		w.buf = append(w.member(w.buf), `"resource":`...)
	}
	w.placed()
	w.buf = w.m.Outcome(w.buf, raw)
	w.counts["OperationOutcome"]++
	return nil
}

// Total ends the entries of the open Bundle and writes how many matches there
// are, which is often known only when all of them have been seen.
func (w *Writer) Total(n int) error {
	k := len(w.open)
	if k == 0 || w.open[k-1].entry || w.open[k-1].full {
		return misuse("a total without a Bundle")
	}
	f := &w.open[k-1]
	if f.any {
		w.buf = append(w.buf, ']')
	}
	f.any, f.full = false, true
	w.buf = strconv.AppendInt(append(w.buf, `,"total":`...), int64(n), 10)
	return nil
}

// CloseBundle ends a Bundle, with links that were perhaps not known before.
func (w *Writer) CloseBundle(links ...Link) error {
	n := len(w.open)
	if n == 0 || w.open[n-1].entry {
		return misuse("no Bundle to close")
	}
	if w.open[n-1].any {
		w.buf = append(w.buf, ']')
	}
	if len(links) > 0 {
		w.buf = append(w.buf, `,"link":[`...)
		for i, l := range links {
			if i > 0 {
				w.buf = append(w.buf, ',')
			}
			var err error
			w.buf = append(w.buf, `{"relation":`...)
			if w.buf, err = jsontext.AppendQuote(w.buf, l.Relation); err != nil {
				return misuse("a link that is not UTF-8")
			}
			w.buf = append(w.buf, `,"url":`...)
			if w.buf, err = jsontext.AppendQuote(w.buf, l.URL); err != nil {
				return misuse("a link that is not UTF-8")
			}
			w.buf = append(w.buf, '}')
		}
		w.buf = append(w.buf, ']')
	}
	w.buf = append(w.buf, '}')
	w.open = w.open[:n-1]
	return nil
}

// Patient notes that what was written since the last Take is about the patient
// with this upstream id.
func (w *Writer) Patient(id string) {
	if n := len(w.patients); n > 0 && w.patients[n-1] == id {
		return // the common case: the next resource of the same patient
	}
	w.patients = append(w.patients, id)
}

// Len is how many bytes wait for Take.
func (w *Writer) Len() int { return len(w.buf) }

// Take makes a release of all that was written since the last one. Of an answer
// in chunks, each Take is one; the frames stay open between them.
func (w *Writer) Take() deid.Release {
	r := release.Make(w.buf, w.counts, w.tally, w.patients, w.appeared())
	if w.bundle {
		w.size = len(w.buf)
	}
	w.buf = nil // the release keeps it
	clear(w.counts)
	clear(w.shown)
	w.tally = deid.Tally{}
	w.patients = w.patients[:0]
	w.found = nil
	if w.m.text.counts != w.told {
		w.found = map[string]int{}
		w.m.since(&w.told, w.found)
		w.told = w.m.text.counts
	}
	return r
}

// appeared says of each type that was written which of the role's elements were.
func (w *Writer) appeared() (out []release.Shown) {
	var bits []uint64
	for _, m := range w.m.o.Scope.Marks() {
		words := w.shown[m.From : m.From+m.Words]
		if w.counts[m.Type] == 0 && !slices.ContainsFunc(words, func(v uint64) bool { return v != 0 }) {
			continue
		}
		if bits == nil {
			bits = slices.Clone(w.shown)
		}
		out = append(out, release.Shown{Type: m.Type, Bits: bits[m.From : m.From+m.Words : m.From+m.Words]})
	}
	return out
}

// Found tells how much was found in text between the last Take and the one before
// it, by the scrubber's categories. It may be asked while the next release is
// being written.
func (w *Writer) Found() map[string]int { return w.found }

// Reset drops what was not taken and makes the Writer ready for another answer.
func (w *Writer) Reset() {
	w.buf = w.buf[:0]
	clear(w.counts)
	clear(w.shown)
	w.tally = deid.Tally{}
	w.patients = w.patients[:0]
	w.open = w.open[:0]
	w.begun, w.lines, w.bundle = false, false, false
	w.told, w.found = w.m.text.counts, nil
}

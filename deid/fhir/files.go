package fhir

import (
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"slices"

	"github.com/sallyport/sallyport/deid"
	"github.com/sallyport/sallyport/fhir"
	"github.com/sallyport/sallyport/problem"
)

// Each is told what became of the n-th resource of a file (from 1), without a
// value of it: an NDJSON line's number, or a Bundle entry's. err is why it was
// withheld, or nil; what Each returns ends the run. A nil Each ends it with err.
type Each func(n int64, info Info, err error) error

// Files runs a Minimiser over whole files in memory that is bounded by the
// largest resource, whatever the size of a file. It is for the owner of the data:
// what it writes is for him to release. It is for one goroutine.
type Files struct {
	m        *Minimiser
	each     Each
	out      []byte
	n        int64
	manifest Manifest
	patients map[uint64]struct{}
}

// NewFiles makes a Files. The Minimiser must not be used beside it.
func NewFiles(m *Minimiser, each Each) *Files {
	m.track = true
	return &Files{m: m, each: each, manifest: newManifest(m), patients: map[uint64]struct{}{}}
}

const (
	chunk       = 256 << 10 // what is read and written at once
	maxPatients = 100_000   // how many are told apart
)

// counter counts what is read or written.
type counter struct {
	r io.Reader
	w io.Writer
	n *int64
}

func (c counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	*c.n += int64(n)
	return n, err
}

func (c counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	*c.n += int64(n)
	return n, err
}

func reading(err error) error { return fmt.Errorf("reading the file: %w", err) }
func writing(err error) error { return fmt.Errorf("writing the file: %w", err) }

// NDJSON reads a resource a line and writes those that are released, a line
// each, in their order. Lines are written whole or not at all; an error leaves
// what was written before it. An error of a resource names its line and quotes
// nothing of it.
func (f *Files) NDJSON(dst io.Writer, src io.Reader) error {
	defer f.begin(false)()
	dst, src = counter{w: dst, n: &f.manifest.BytesOut}, counter{r: src, n: &f.manifest.BytesIn}
	lines := lineReader{src: src, max: f.m.o.MaxBytes}
	for {
		line, err := lines.next()
		if err == io.EOF {
			break
		}
		f.n++
		if err != nil && !errors.Is(err, errLong) {
			return errors.Join(reading(err), f.flush(dst, 0))
		}
		mark := len(f.out)
		var info Info
		if err != nil {
			err = errTooLarge()
		} else if f.out, info, err = f.m.append(f.out, line, nil); err == nil && info.Outcome == Released {
			f.out = append(f.out, '\n')
		} else {
			f.out = f.out[:mark]
		}
		if err = f.count(info, err, "line"); err != nil {
			return errors.Join(err, f.flush(dst, 0))
		}
		if err = f.flush(dst, chunk); err != nil {
			return err
		}
	}
	return f.flush(dst, 0)
}

// begin says whether what is read is checked already, until the end.
func (f *Files) begin(checked bool) (end func()) {
	before := f.m.o.Checked
	f.out, f.n = f.out[:0], 0
	f.m.o.Checked = checked
	return func() { f.m.o.Checked = before }
}

// flush writes what waits, if it is at least so much.
func (f *Files) flush(dst io.Writer, least int) error {
	if len(f.out) < least || len(f.out) == 0 {
		return nil
	}
	_, err := dst.Write(f.out)
	f.out = f.out[:0]
	if cap(f.out) > 16*chunk {
		f.out = nil // a rare resource made it grow
	}
	if err != nil {
		return writing(err)
	}
	return nil
}

// count adds a resource to the manifest and asks Each.
func (f *Files) count(info Info, err error, what string) error {
	f.manifest.add(info, err)
	if err == nil && info.Outcome == Released {
		if a := &f.m.about; a.patient != "" && len(f.patients) < maxPatients {
			h := fnv.New64a()
			_, _ = io.WriteString(h, a.patient)
			f.patients[h.Sum64()] = struct{}{}
		}
	}
	if f.each != nil {
		return f.each(f.n, info, err)
	}
	if err != nil {
		p := *problem.From(err)
		p.Field = fmt.Sprintf("%s %d", what, f.n)
		return p.Because(err)
	}
	return nil
}

// Manifest is what was done so far.
func (f *Files) Manifest() Manifest {
	m := f.manifest.clone()
	m.Patients, m.MorePatients = len(f.patients), len(f.patients) >= maxPatients
	m.Text = f.m.Found()
	return m
}

// JSON reads one document, a resource or a Bundle of any size, and writes it. Of
// a Bundle those entries come out whose resources are released, in their order,
// with their frames: fullUrl and references rewritten, links and conditions gone.
// Nested Bundles are not unpacked and go. Nothing that was written before an
// error is a whole document.
func (f *Files) JSON(dst io.Writer, src io.Reader) error {
	defer f.begin(true)()
	dst, src = counter{w: dst, n: &f.manifest.BytesOut}, counter{r: src, n: &f.manifest.BytesIn}
	r := fhir.NewReader(src, fhir.Limits{Resource: f.m.o.MaxBytes})
	b := bundle{f: f}
	own := f.m.o.Bases
	defer func() {
		f.m.o.Bases = own
		clear(f.m.refs)
	}()
	for {
		item, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		switch item.Part {
		case fhir.Whole:
			f.n++
			var info Info
			mark := len(f.out)
			f.out, info, err = f.m.append(f.out, item.Resource.Open(), nil)
			if err != nil || info.Outcome != Released {
				f.out = f.out[:mark]
			} else {
				f.out = append(f.out, '\n')
			}
			err = f.count(info, err, "resource")
		case fhir.Field:
			err = b.field(item.Name, item.Raw.Open())
		case fhir.Entry:
			f.n++
			err = b.entry(item.Raw.Open(), item.FullURL.Open())
		}
		if err != nil {
			return err
		}
		if err = f.flush(dst, chunk); err != nil {
			return err
		}
	}
	b.close()
	return f.flush(dst, 0)
}

// lineReader reads lines of bounded length.
type lineReader struct {
	src        io.Reader
	buf        []byte
	start, end int // what is read and not given
	max        int
	err        error
	begun      bool
}

var errLong = errors.New("deid/fhir: a line over the size limit")

// next gives the next line that is not empty, without its end, good until the
// next call; errLong for one that is too long, which is skipped; then io.EOF.
func (l *lineReader) next() ([]byte, error) {
	scanned, long := 0, false
	for {
		if i := bytes.IndexByte(l.buf[l.start+scanned:l.end], '\n'); i >= 0 {
			line := l.buf[l.start : l.start+scanned+i]
			l.start += scanned + i + 1
			scanned = 0
			if long {
				return nil, errLong
			}
			if line = l.trim(line); len(line) > 0 {
				return line, nil
			}
			continue
		}
		scanned = l.end - l.start
		if l.err != nil {
			line := l.buf[l.start:l.end]
			l.start = l.end
			if l.err != io.EOF {
				return nil, l.err
			}
			if long {
				return nil, errLong
			}
			if line = l.trim(line); len(line) > 0 {
				return line, nil
			}
			return nil, io.EOF
		}
		if scanned > l.max {
			long, l.start, scanned = true, l.end, 0
		}
		l.fill()
	}
}

func (l *lineReader) trim(line []byte) []byte {
	if !l.begun {
		line = bytes.TrimPrefix(line, []byte("\ufeff"))
		l.begun = true
	}
	return bytes.Trim(line, " \t\r")
}

func (l *lineReader) fill() {
	if l.start > 0 {
		l.end = copy(l.buf, l.buf[l.start:l.end])
		l.start = 0
	}
	if len(l.buf)-l.end < chunk/2 {
		l.buf = slices.Grow(l.buf[:l.end], max(chunk, l.end/2))
		l.buf = l.buf[:cap(l.buf)]
	}
	for range 100 {
		n, err := l.src.Read(l.buf[l.end:])
		l.end += n
		if err != nil {
			l.err = err
		}
		if n > 0 || err != nil {
			return
		}
	}
	l.err = io.ErrNoProgress
}

// bundle writes a Bundle while it is read.
type bundle struct {
	f       *Files
	any     bool // the Bundle has a member
	entries bool // its entries are open
	some    bool // and there is one
	open    bool
}

func (b *bundle) member(name string) {
	f := b.f
	if !b.open {
		f.out = append(f.out, '{')
		b.open = true
	}
	if b.any {
		f.out = append(f.out, ',')
	}
	b.any = true
	f.out = append(append(append(f.out, '"'), name...), `":`...)
}

// field copies a member of the Bundle itself, by the plan for Bundles.
func (b *bundle) field(name string, value []byte) error {
	f, m := b.f, b.f.m
	if b.entries {
		f.out = append(f.out, ']')
		b.entries = false
	}
	mark, any, open := len(f.out), b.any, b.open
	m.reset(value)
	m.begin("Bundle", 0, nil)
	m.about.asked = true // it is about nobody
	var err error
	switch name {
	case "resourceType":
		b.member(name)
		f.out = append(f.out, `"Bundle"`...)
	case "implicitRules", "_implicitRules":
		return errModifier()
	case "id", "meta", "type", "total", "timestamp", "language":
		plan := m.o.Scope.Envelope("Bundle")
		if plan == nil {
			break
		}
		field := plan.Field([]byte(name))
		if field == nil || field.Op == deid.Cut {
			m.tally[deid.OutOfScope]++
			break
		}
		b.member(name)
		before := len(f.out)
		if f.out, _, err = m.member(f.out, 0, field); err != nil {
			return err
		}
		if len(f.out) == before || bytes.Equal(f.out[before:], []byte("{}")) {
			f.out = f.out[:mark]
			b.any, b.open = any, open
		}
	default: // link, signature, identifier, and what R4 does not have
		m.tally[deid.Unresolvable]++
	}
	m.raw = nil
	f.manifest.tally(&m.tally)
	return nil
}

// entry copies an entry, if its resource is released or it has none.
func (b *bundle) entry(raw, fullURL []byte) error {
	f := b.f
	f.m.learn(string(fullURL))
	mark := len(f.out)
	any, open, some, entries := b.any, b.open, b.some, b.entries
	if !b.entries {
		b.member("entry")
		f.out = append(f.out, '[')
		b.entries, b.some = true, false
	}
	if b.some {
		f.out = append(f.out, ',')
	}
	out, info, held, err := f.m.entry(f.out, raw, fullURL)
	f.out = out
	if err != nil || held && info.Outcome != Released {
		f.out = f.out[:mark]
		b.any, b.open, b.some, b.entries = any, open, some, entries
	} else {
		b.some = true
	}
	if !held && err == nil {
		return nil // a request or a response only
	}
	return f.count(info, err, "entry")
}

func (b *bundle) close() {
	if b.entries {
		b.f.out = append(b.f.out, ']')
	}
	if b.open {
		b.f.out = append(b.f.out, '}', '\n')
	}
}

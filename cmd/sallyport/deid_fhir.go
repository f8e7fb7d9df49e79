package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/sallyport/sallyport/deid"
	deidfhir "github.com/sallyport/sallyport/deid/fhir"
	"github.com/sallyport/sallyport/problem"
)

// known is what a first pass over all FHIR files found: who the patients are, for
// their text, and what conditional references mean. It is shared by all workers.
type known struct {
	mu      sync.Mutex // a Collector is for one goroutine, and what it gives is read by many
	records *deidfhir.Collector
	index   *deidfhir.Index
}

// Of implements deid.Records.
func (k *known) Of(patientID string) (deid.Record, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.records.Of(patientID)
}

const (
	maxIdentifiers = 1 << 20
	maxDocument    = 512 << 20 // of one JSON document in the first pass
	maxLine        = deidfhir.DefaultMaxBytes
)

// collect is the first pass. It is made where text stands, or where a file holds
// conditional references. What cannot be read adds nothing: the second pass says so.
func collect(ctx context.Context, l *lawful, items []*item, bases []string) (*known, error) {
	k := &known{}
	text := l.scrubber()
	if text != nil {
		k.records = deidfhir.NewCollector(text, bases...)
	}
	conditional := false
	for _, i := range items {
		if conditional {
			break
		}
		if i.format.name == "fhir" || i.format.name == "ndjson" {
			var err error
			if conditional, err = holds(ctx, i, "?identifier="); err != nil {
				return nil, problem.New(problem.Unavailable, fmt.Sprintf("File %d cannot be read", i.number), "Check its permissions").Because(err)
			}
		}
	}
	if conditional {
		k.index = deidfhir.NewIndex(maxIdentifiers)
	}
	if text == nil && !conditional {
		return k, nil
	}
	for _, i := range items {
		var err error
		switch i.format.name {
		case "fhir":
			err = k.document(i)
		case "ndjson":
			err = k.lines(ctx, i)
		}
		if err != nil {
			return nil, problem.New(problem.Unavailable, fmt.Sprintf("File %d cannot be read for the patients' records", i.number), "Nothing was written. Check its permissions and that it is under 512 MiB, or give it as NDJSON").Because(err)
		}
	}
	return k, nil
}

func holds(ctx context.Context, i *item, what string) (bool, error) {
	r, err := i.open()
	if err != nil {
		return false, err
	}
	defer r.Close()
	buf := make([]byte, 256<<10)
	kept := 0
	for {
		n, err := stoppable{ctx, r}.Read(buf[kept:])
		if bytes.Contains(buf[:kept+n], []byte(what)) {
			return true, nil
		}
		if err == io.EOF {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		kept = copy(buf, buf[max(0, kept+n-len(what)):kept+n])
	}
}

func (k *known) document(i *item) error {
	r, err := i.open()
	if err != nil {
		return err
	}
	raw, err := io.ReadAll(io.LimitReader(r, maxDocument+1))
	if err = errors.Join(err, r.Close()); err != nil {
		return err
	}
	if len(raw) > maxDocument {
		return errors.New("the document is too large for the first pass")
	}
	k.add(raw)
	return nil
}

func (k *known) lines(ctx context.Context, i *item) error {
	r, err := i.open()
	if err != nil {
		return err
	}
	defer r.Close()
	lines := bufio.NewReaderSize(stoppable{ctx, r}, 1<<20)
	var line []byte
	for long := false; ; {
		part, more, err := lines.ReadLine()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if long = long || len(line)+len(part) > maxLine; !long {
			line = append(line, part...)
		}
		if more {
			continue
		}
		if !long && len(line) > 0 {
			k.add(bytes.TrimPrefix(line, []byte("\ufeff")))
		}
		line, long = line[:0], false
	}
}

func (k *known) add(raw []byte) {
	if k.index != nil {
		k.index.Add(raw)
	}
	if k.records != nil {
		_, _ = k.records.AddAll(raw) // what is refused here is refused and counted in the second pass
	}
}

// minimiser makes one for a goroutine.
func (w *worker) minimiser() (*deidfhir.Minimiser, error) {
	var records deid.Records
	var targets deidfhir.Targets
	if w.r.known.records != nil {
		records = w.r.known
	}
	if w.r.known.index != nil {
		targets = w.r.known.index
	}
	return deidfhir.New(w.r.lawful.fhir(w.r.c.Base, records, targets))
}

// json does a file of one resource or Bundle.
func (w *worker) json(i *item) (record, error) {
	m, err := w.minimiser()
	if err != nil {
		return record{}, err
	}
	tell := new(refusals)
	files := deidfhir.NewFiles(m, tell.each)
	rec, err := w.through(i, func(dst io.Writer, src io.Reader) error { return files.JSON(dst, src) })
	if err != nil {
		return rec, err
	}
	return tell.into(fhirRecord(rec, files.Manifest()), "entry")
}

// refusals notes the resources that were refused.
type refusals struct {
	n     int64
	first int64
	why   error
	base  int64 // resources in the parts before
	seen  int64
}

func (t *refusals) each(n int64, _ deidfhir.Info, err error) error {
	t.seen = max(t.seen, n)
	if err != nil {
		if t.n++; t.first == 0 {
			t.first, t.why = t.base+n, err
		}
	}
	return nil
}

// into fails a file of which nothing came out and something was refused: it is not
// what it was taken for.
func (t *refusals) into(rec record, what string) (record, error) {
	if t.n == 0 {
		return rec, nil
	}
	p := problem.From(t.why)
	rec.firstBad = fmt.Sprintf("%d withheld, the first at %s %d: %s", t.n, what, t.first, p.Title)
	if len(rec.Released) == 0 {
		q := problem.New(p.Kind, fmt.Sprintf("nothing of it could be released; %s %d: %s", what, t.first, p.Title), p.NextStep)
		q.Citation = p.Citation
		return rec, q
	}
	return rec, nil
}

func fhirRecord(rec record, m deidfhir.Manifest) record {
	rec.Released, rec.Withheld, rec.Rules = m.Released, m.Withheld, m.Rules
	rec.Scrubbed += m.Scrubbed
	rec.Text = nil
	for k, n := range m.Text {
		if rec.Text == nil {
			rec.Text = map[string]int64{}
		}
		rec.Text[k] += int64(n)
	}
	return rec
}

// chunkSize is about how much of an NDJSON file one goroutine takes at a time.
const chunkSize = 512 << 10

// chunk is whole lines, and then what became of them.
type chunk struct {
	in   []byte
	out  *bytes.Buffer
	tell refusals
	done chan error
}

// ndjson does a file of a resource a line: by chunks of whole lines, several at
// once, written in their order. Memory is bounded by some chunks for each goroutine,
// and by the longest line.
func (w *worker) ndjson(i *item) (record, error) {
	jobs := 1
	if i.size > 2*chunkSize || i.file == "" {
		jobs = w.r.c.Jobs
	}
	var total refusals
	var sum deidfhir.Manifest
	rec, err := w.through(i, func(dst io.Writer, src io.Reader) (err error) {
		sum, err = w.lines(dst, src, jobs, &total)
		return err
	})
	if err != nil {
		return rec, err
	}
	return total.into(fhirRecord(rec, sum), "line")
}

func (w *worker) lines(dst io.Writer, src io.Reader, jobs int, total *refusals) (sum deidfhir.Manifest, err error) {
	group, ctx := errgroup.WithContext(w.r.ctx)
	work, order := make(chan *chunk), make(chan *chunk, jobs)
	group.Go(func() error {
		defer close(work)
		defer close(order)
		return split(src, func(lines []byte) error {
			c := &chunk{in: lines, done: make(chan error, 1)}
			for _, to := range []chan *chunk{order, work} {
				select {
				case to <- c:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			return nil
		})
	})
	used := sync.Pool{New: func() any { return new(bytes.Buffer) }} // of outputs, which are as large again each time
	manifests := make([]deidfhir.Manifest, jobs)
	for j := range jobs {
		group.Go(func() error {
			m, err := w.minimiser()
			if err != nil {
				return err
			}
			var tell *refusals
			files := deidfhir.NewFiles(m, func(n int64, info deidfhir.Info, err error) error { return tell.each(n, info, err) })
			for c := range work {
				tell, c.out = &c.tell, used.Get().(*bytes.Buffer)
				c.done <- files.NDJSON(c.out, bytes.NewReader(c.in))
			}
			manifests[j] = files.Manifest()
			return nil
		})
	}
	group.Go(func() error {
		for c := range order {
			select {
			case err := <-c.done:
				if err != nil {
					return err
				}
			case <-ctx.Done():
				return ctx.Err()
			}
			if c.tell.n > 0 && total.first == 0 {
				total.first, total.why = total.seen+c.tell.first, c.tell.why
			}
			total.n, total.seen = total.n+c.tell.n, total.seen+c.tell.seen
			if _, err := dst.Write(c.out.Bytes()); err != nil {
				return err
			}
			if c.out.Cap() < 4*chunkSize {
				c.out.Reset()
				used.Put(c.out)
			}
		}
		return nil
	})
	if err := group.Wait(); err != nil {
		return sum, err
	}
	sum = manifests[0]
	for _, m := range manifests[1:] {
		sum.Add(m)
	}
	return sum, nil
}

// split gives whole lines, about a chunk at a time. A line that is over the limit
// is given as it is, cut at the limit: it is refused as too long where it is read.
func split(src io.Reader, give func([]byte) error) error {
	var rest []byte
	skipping := false // the rest of a line that was cut
	for {
		buf := make([]byte, len(rest), len(rest)+chunkSize)
		copy(buf, rest)
		n, err := io.ReadFull(src, buf[len(rest):cap(buf)])
		buf = buf[:len(rest)+n]
		end := err == io.EOF || err == io.ErrUnexpectedEOF
		if err != nil && !end {
			return err
		}
		if skipping {
			at := bytes.IndexByte(buf, '\n') + 1
			if skipping = at == 0; skipping {
				at = len(buf)
			}
			buf = buf[at:]
		}
		cut := len(buf)
		if !end {
			cut = bytes.LastIndexByte(buf, '\n') + 1
		}
		if cut == 0 && len(buf) > maxLine {
			cut, skipping = len(buf), true
		}
		if cut > 0 {
			if err := give(buf[:cut:cut]); err != nil {
				return err
			}
		}
		rest = buf[cut:]
		if end {
			return nil
		}
	}
}

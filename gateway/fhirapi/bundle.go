package fhirapi

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/sallyport/sallyport/deid"
	deidfhir "github.com/sallyport/sallyport/deid/fhir"
	"github.com/sallyport/sallyport/fhir"
	"github.com/sallyport/sallyport/gateway"
	"github.com/sallyport/sallyport/problem"
)

// bundle is the answer to a search, to $everything or to a page of either.
//
// A goroutine, the pump, reads the source's Bundle entry by entry and writes
// what may be seen into the Writer; Next takes releases out of it. So a source
// that trickles does not keep back what is complete, and whoever waits can be
// freed at once.
type bundle struct {
	d        *gateway.Desk
	typ      string
	page     gateway.Words
	self     string
	all      bool   // $everything
	direct   string // of $everything: the patient
	later    bool   // not the first page
	total    bool   // tell how many matches there are, if all are here
	counting bool   // and show none of them

	resp  *http.Response
	w     *deidfhir.Writer
	in    *inspector
	full  chan struct{}   // the pump has a chunk
	taken chan struct{}   // Next has taken it
	ended chan struct{}   // the pump has ended
	ctx   context.Context // ends with Close
	stop  context.CancelFunc

	mu      sync.Mutex // the Writer's, and of what follows
	fresh   int        // entries since the last release
	matches int
	next    string
	failed  error

	started bool
	chunks  int
}

// When a chunk leaves before it is full. The first waits longer, so that an
// answer that comes within it is one release with its length.
const (
	firstChunk = time.Second
	laterChunk = 250 * time.Millisecond
)

// open asks the source.
func (b *bundle) open(ctx context.Context, rel string) (gateway.Answer, error) {
	ctx, stop := context.WithCancel(ctx)
	resp, err := b.d.Get(ctx, rel)
	if err != nil {
		stop()
		return nil, err
	}
	b.resp, b.ctx, b.stop = resp, ctx, stop
	return b, nil
}

// Upstream implements gateway.Answer.
func (b *bundle) Upstream() int { return b.resp.StatusCode }

// ContentType implements gateway.Answer.
func (b *bundle) ContentType() string { return fhirJSON }

// Close implements gateway.Answer.
func (b *bundle) Close() {
	b.stop()
	_ = b.resp.Body.Close()
	if b.started {
		<-b.ended
		b.in.done()
	}
}

func (b *bundle) start() error {
	if err := status(b.d, b.resp, b.all); err != nil {
		return err
	}
	w, err := b.d.Writer()
	if err != nil {
		return err
	}
	if err := w.OpenBundle(deidfhir.Head{Type: "searchset", Total: -1}); err != nil {
		return err
	}
	b.w, b.in = w, inspect(b.resp.Body)
	b.full, b.taken, b.ended = make(chan struct{}), make(chan struct{}), make(chan struct{})
	b.started = true
	go b.pump()
	return nil
}

// Next implements gateway.Answer.
func (b *bundle) Next(ctx context.Context) (deid.Release, bool, error) {
	if !b.started {
		if err := b.start(); err != nil {
			return deid.Release{}, true, err
		}
	}
	patience := laterChunk
	if b.chunks == 0 {
		patience = firstChunk
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case <-b.full:
			r := b.take()
			b.taken <- struct{}{}
			return r, false, nil
		case <-b.ended:
			if b.failed != nil {
				return deid.Release{}, true, b.failed
			}
			return b.take(), true, nil
		case <-timer.C:
			b.mu.Lock()
			fresh := b.fresh
			b.mu.Unlock()
			if fresh > 0 {
				return b.take(), false, nil
			}
			timer.Reset(laterChunk)
		case <-ctx.Done():
			return deid.Release{}, true, context.Cause(ctx)
		}
	}
}

func (b *bundle) take() deid.Release {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fresh = 0
	b.chunks++
	return b.w.Take()
}

// pump reads the source's Bundle to its end.
func (b *bundle) pump() {
	defer close(b.ended)
	kind := ""
	for {
		item, err := b.in.reader.Next() // waits for the source, and holds no lock
		b.mu.Lock()
		switch {
		case err == io.EOF && kind != "searchset":
			err = unexpected("a Bundle that is no searchset")
		case err == io.EOF:
			if err = b.finish(); err == nil {
				b.mu.Unlock()
				return
			}
		case err != nil:
			err = malformed(err)
		case item.Part == fhir.Entry:
			err = b.entry(&item)
		case item.Part == fhir.Field && item.Name == "type":
			kind = unquoted(item.Raw.Open())
		case item.Part == fhir.Field && item.Name == "link":
			b.links(item.Raw.Open())
		case item.Part == fhir.Whole:
			err = unexpected("a single resource in place of a Bundle")
		}
		full := b.w.Len() >= gateway.ReleaseSize
		b.failed = err
		b.mu.Unlock()
		if err != nil {
			return
		}
		if full {
			select {
			case b.full <- struct{}{}:
				<-b.taken
			case <-b.ctx.Done():
				b.failed = context.Cause(b.ctx)
				return
			}
		}
	}
}

// entry judges one entry, and writes what may be seen of it.
func (b *bundle) entry(item *fhir.Item) error {
	raw := item.Resource.Open()
	if raw == nil || item.Mode == "outcome" || item.Type == "OperationOutcome" {
		return nil // the source's remarks quote the question, with its ids
	}
	f := &b.in.facts
	f.Reset()
	if err := f.Inspect(raw, b.d.Source().Base()); err != nil {
		return malformed(err)
	}
	if !b.d.Judge(subject(f)) {
		return nil
	}
	match := item.Mode == "match" || item.Mode == "" && item.Type == b.typ
	if b.counting {
		if match {
			b.matches++
		}
		return nil
	}
	info, err := b.w.Entry(deidfhir.Entry{FullURL: string(item.FullURL.Open()), Mode: item.Mode}, raw)
	if errors.Is(err, deidfhir.ErrNotUnderstood) {
		b.d.Removed(item.Type)
		return nil
	}
	if err != nil {
		return err
	}
	if info.Outcome != deidfhir.Released {
		b.d.Removed(item.Type)
		return nil
	}
	for _, p := range f.Patients {
		b.w.Patient(p)
	}
	if match {
		b.matches++
	}
	b.fresh++
	return nil
}

// finish writes the end: the total, where all matches were seen, and links of
// the gateway's own.
func (b *bundle) finish() error {
	if b.all && !b.later && b.direct != "" && b.matches == 0 && b.fresh == 0 && b.chunks == 0 {
		return gateway.NotFound() // nothing of the patient may be seen, as of one that does not exist
	}
	if b.counting && b.next != "" {
		return problem.New(problem.TooLarge, "There are more matches than a page may have, so they are not counted", "Narrow the search")
	}
	if b.total && b.next == "" {
		if err := b.w.Total(b.matches); err != nil {
			return err
		}
	}
	var links []deidfhir.Link
	if b.self != "" {
		links = append(links, deidfhir.Link{Relation: "self", URL: b.self})
	}
	if b.next != "" {
		rel, ok := b.d.Below(b.next)
		if !ok {
			return unexpected("a link off its own base")
		}
		state, err := json.Marshal(pageState{Words: b.page, Rel: rel, Typ: b.typ, All: b.all, Direct: b.direct})
		if err != nil {
			return err
		}
		decision, token, err := b.d.SealPage(state)
		if err != nil {
			return err
		}
		links = append(links, deidfhir.Link{Relation: "next", URL: b.d.Standing().Public + "/_page/" + decision + "/" + token})
	}
	return b.w.CloseBundle(links...)
}

// links finds where the source goes on.
func (b *bundle) links(raw []byte) {
	for link := range fhir.Items(raw) {
		relation, address := "", ""
		for name, value := range fhir.Members(link) {
			switch string(name) {
			case "relation":
				relation = unquoted(value)
			case "url":
				address = unquoted(value)
			}
		}
		if relation == "next" {
			b.next = address
		}
	}
}

func unquoted(value []byte) string {
	var s string
	if json.Unmarshal(value, &s) != nil {
		return ""
	}
	return s
}

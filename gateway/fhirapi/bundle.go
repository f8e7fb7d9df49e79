package fhirapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
	size     int    // how many matches a page has
	cut      bool   // the source's pages are larger than the caller's, or other ones
	rel      string // of the source's page at hand
	skip     int    // matches at its start that an earlier page has shown
	company  company

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
	place   int     // matches of the source's page at hand, seen or skipped
	dropped bool    // something was left out
	filled  bool    // the page has its matches: what follows is only looked for
	next    string  // where the source goes on
	onward  *onward // where the caller's next page begins, if there is one
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

// onward is where a page of the caller's begins: a page of the source's, and
// how many of its matches came before.
type onward struct {
	rel  string
	skip int
}

// maxFill bounds how many pages of the source's make up one of the caller's.
const maxFill = 25

// open asks the source.
func (b *bundle) open(ctx context.Context, rel string) (gateway.Answer, error) {
	ctx, stop := context.WithCancel(ctx)
	resp, err := b.d.Get(ctx, rel)
	if err != nil {
		stop()
		return nil, err
	}
	b.resp, b.ctx, b.stop, b.rel = resp, ctx, stop, rel
	return b, nil
}

// Upstream implements gateway.Answer.
func (b *bundle) Upstream() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.resp.StatusCode
}

// ContentType implements gateway.Answer.
func (b *bundle) ContentType() string { return fhirJSON }

// Close implements gateway.Answer.
func (b *bundle) Close() {
	b.stop() // which ends the read that the pump may be waiting in
	if b.started {
		<-b.ended
		b.in.done()
	}
	_ = b.resp.Body.Close()
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

// pump reads the source's pages until the caller's is complete.
//
// Where entries are left out, a short page, or a page after the last that may be
// seen, would tell how many there are that may not. So a page is filled from the
// source's next ones, and a link to go on is given only when something to go on
// to was found. It costs a look at the source's next page; where the grant
// reaches everyone and nothing was left out, there is nothing to hide.
func (b *bundle) pump() {
	defer close(b.ended)
	defer func() { // a defect must not end the process: the answer fails, and says so
		if v := recover(); v != nil {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.failed = problem.New(problem.Internal, "The source's answer could not be worked on", "Nothing more of it is released; tell the operator").
				Because(fmt.Errorf("a defect in reading it: %T", v))
		}
	}()
	var err error
	for page := 1; ; page++ {
		if err = b.source(); err != nil {
			break
		}
		if err = b.accompany(); err != nil {
			break
		}
		b.mu.Lock()
		next, found := b.next, b.onward != nil
		b.filled = !b.counting && b.size > 0 && b.matches >= b.size
		hiding := !b.all && b.size > 0 && (b.dropped || !b.d.Everyone())
		b.mu.Unlock()
		if next == "" || found {
			break
		}
		rel, ok := b.d.Below(next)
		if !ok {
			err = unexpected("a link off its own base")
			break
		}
		if !hiding && !b.counting || page == maxFill {
			b.onward = &onward{rel: rel}
			break
		}
		if err = b.turn(rel); err != nil {
			break
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil {
		err = b.finish()
	}
	b.failed = err
}

// turn goes on to the source's next page.
func (b *bundle) turn(rel string) error {
	resp, err := b.d.Get(b.ctx, rel)
	if err != nil {
		return err
	}
	b.mu.Lock()
	old := b.resp
	b.resp, b.rel, b.next, b.place, b.skip, b.cut = resp, rel, "", 0, 0, b.size > 0
	b.mu.Unlock()
	_ = old.Body.Close()
	b.in.reader.Reset(resp.Body, fhir.Limits{})
	return status(b.d, resp, false)
}

// source reads one page of the source's to its end.
func (b *bundle) source() error {
	kind := ""
	for {
		item, err := b.in.reader.Next() // waits for the source, and holds no lock
		if err == io.EOF && kind == "searchset" {
			return nil
		}
		if err == io.EOF {
			return unexpected("a Bundle that is no searchset")
		}
		if err != nil {
			return malformed(err)
		}
		full, err := b.piece(&item, &kind)
		if err != nil {
			return err
		}
		if full {
			if err := b.give(); err != nil {
				return err
			}
		}
	}
}

// piece works on one piece of the source's page, and says whether there is
// enough for a release.
func (b *bundle) piece(item *fhir.Item, kind *string) (full bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case item.Part == fhir.Entry:
		err = b.entry(item)
	case item.Part == fhir.Field && item.Name == "type":
		*kind = unquoted(item.Raw.Open())
	case item.Part == fhir.Field && item.Name == "link":
		b.links(item.Raw.Open())
	case item.Part == fhir.Whole:
		err = unexpected("a single resource in place of a Bundle")
	}
	return b.w.Len() >= gateway.ReleaseSize, err
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
	// What is searched for is in the answer by its own right, and so is all of a
	// patient's in $everything. What only comes with it needs what it comes with.
	match := item.Type == b.typ && (item.Mode == "match" || item.Mode == "")
	if match {
		if b.place++; b.place <= b.skip || b.onward != nil {
			return nil // shown before, or for the next page
		}
	}
	if !match && !(b.all && !impersonal[item.Type]) {
		if b.counting {
			return nil
		}
		if !b.company.belongs(f.Type, f.ID, raw, b.d.Source().Base()) {
			return b.company.hold(item, raw)
		}
	}
	return b.judged(raw, string(item.FullURL.Open()), item.Mode, match)
}

// judged decides on the resource that b.in.facts are of, and writes what may be
// seen of it.
func (b *bundle) judged(raw []byte, fullURL, mode string, match bool) error {
	f := &b.in.facts
	if !b.d.Judge(subject(f)) {
		b.dropped = true
		return nil
	}
	if match && b.filled {
		b.d.Unused(f.Type)
		b.onward = &onward{rel: b.rel, skip: b.place - 1}
		return nil
	}
	info, err := b.write(raw, fullURL, mode)
	switch {
	case errors.Is(err, deidfhir.ErrNotUnderstood), err == nil && info.Outcome != deidfhir.Released:
		b.dropped = true
		b.d.Removed(f.Type)
		return nil
	case err != nil:
		return err
	}
	// A count tells about those who are counted.
	for _, p := range f.Patients {
		b.w.Patient(p)
	}
	if match {
		b.matches++
		// A page that the source made for the caller is taken as it is.
		b.filled = b.cut && !b.counting && b.matches >= b.size
	}
	if b.counting {
		b.d.Unused(f.Type)
		return nil
	}
	b.fresh++
	return b.company.released(f.Type, f.ID, raw, match, b.d.Source().Base())
}

// write puts a resource into the answer, or where it is only counted finds out
// whether it could be put there: what the view does not show does not count.
func (b *bundle) write(raw []byte, fullURL, mode string) (deidfhir.Info, error) {
	if b.counting {
		return b.w.Try(raw)
	}
	return b.w.Entry(deidfhir.Entry{FullURL: fullURL, Mode: mode}, raw)
}

// accompany writes what was held back and is referred to by now, until nothing
// more is. What is left over came with what is not shown, and goes with it.
func (b *bundle) accompany() error {
	for again := true; again; {
		again = false
		held := b.company.held
		b.company.held, b.company.bytes = nil, 0
		for i := range held {
			came, full, err := b.join(&held[i])
			again = again || came
			if err == nil && full {
				err = b.give()
			}
			if err != nil {
				return err
			}
		}
	}
	b.company.held, b.company.bytes = nil, 0
	return nil
}

// join writes what was held back, if by now something that is shown refers to
// it, and else holds it on.
func (b *bundle) join(h *heldEntry) (came, full bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f := &b.in.facts
	f.Reset()
	if err := f.Inspect(h.raw, b.d.Source().Base()); err != nil {
		return false, false, malformed(err)
	}
	if !b.company.belongs(f.Type, f.ID, h.raw, b.d.Source().Base()) {
		b.company.keep(*h)
		return false, false, nil
	}
	err = b.judged(h.raw, h.fullURL, h.mode, false)
	return true, b.w.Len() >= gateway.ReleaseSize, err
}

// give waits until the chunk at hand is taken.
func (b *bundle) give() error {
	select {
	case b.full <- struct{}{}:
		<-b.taken
		return nil
	case <-b.ctx.Done():
		return context.Cause(b.ctx)
	}
}

// finish writes the end: the total, where all matches were seen, and links of
// the gateway's own.
func (b *bundle) finish() error {
	if b.all && !b.later && b.direct != "" && b.matches == 0 && b.fresh == 0 && b.chunks == 0 {
		return gateway.NotFound() // nothing of the patient may be seen, as of one that does not exist
	}
	if b.counting && b.onward != nil {
		return problem.New(problem.TooLarge, "There are too many matches to be counted", "Narrow the search")
	}
	if b.total && !b.later && b.onward == nil {
		if err := b.w.Total(b.matches); err != nil {
			return err
		}
	}
	var links []deidfhir.Link
	if b.self != "" {
		links = append(links, deidfhir.Link{Relation: "self", URL: b.self})
	}
	if b.onward != nil {
		state, err := json.Marshal(pageState{Words: b.page, Rel: b.onward.rel, Skip: b.onward.skip, Size: b.size, Cut: b.cut || b.onward.skip > 0,
			Typ: b.typ, All: b.all, Direct: b.direct, Include: b.company.asked, Marks: b.company.marks()})
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

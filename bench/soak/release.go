package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/audit/verify"
	"github.com/sallyport/sallyport/bench/site"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/seal"
	"github.com/sallyport/sallyport/store"
)

// got is what a client has of one answer, whole or not.
type got struct {
	decision id.Decision
	status   int
	body     []byte // what arrived
	whole    bool
}

// todo is an act under way: after a kill it is repeated with its key.
type todo struct {
	by  id.Person
	act registry.Act
	key string
}

// trial is a hospital, an installation and what its clients remember.
type trial struct {
	s       *soak
	site    *site.Site
	key     note.Verifier
	records *store.Store
	paths   []string
	stream  string // of paths: one whose answer is several releases

	mu       sync.Mutex
	got      []got
	answered []acted
	open     []todo // not answered
	calls    []call // of several acts, not answered
	seen     ledger
	mark     []byte
	vendors  int
	papers   int

	full, part, refused, repeated, cut, chunks int
	composed, mended                           int
}

// releases is the trial of the whole product.
func releases(ctx context.Context, s *soak) (string, error) {
	t, stop, err := newTrial(ctx, s)
	if err != nil {
		return "", err
	}
	defer stop()
	done := 0
	for ; done < s.rounds && ctx.Err() == nil && err == nil; done++ {
		if err = t.round(ctx, done); err != nil {
			err = fmt.Errorf("round %d: %w", done, err)
		}
	}
	return fmt.Sprintf("%d rounds, %d kills; %d answers whole, %d cut off, %d refused, each with its entries (%d of several releases); %d acts answered, %d repeated after a kill; %d calls of two acts answered, %d of them after a kill; %d log entries verify",
		done, t.cut, t.full, t.part, t.refused, t.chunks, len(t.answered), t.repeated, t.composed, t.mended, t.seen.next), errors.Join(err, ctx.Err())
}

func newTrial(ctx context.Context, s *soak) (_ *trial, stop func(), err error) {
	dir := filepath.Join(s.dir, "release")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, err
	}
	if s.program == "" {
		if s.program, err = site.Build(ctx, dir); err != nil {
			return nil, nil, err
		}
	}
	pki, err := site.NewPKI(filepath.Join(dir, "pki"), s.now())
	if err != nil {
		return nil, nil, err
	}
	// 24 MB: some releases, and over before the round is.
	up, ready, err := site.StartUpstream(dir, site.UpstreamConfig{PKI: pki.Dir, Seed: 1, Patients: 20, Keep: true,
		Streams: []site.Stream{{Bytes: 24 << 20}}})
	if err != nil {
		return nil, nil, err
	}
	stop = func() { _ = up.Stop() } // it holds nothing
	defer func() {
		if err != nil {
			stop()
		}
	}()
	t := &trial{s: s}
	if t.site, err = site.New(ctx, site.Options{Dir: filepath.Join(dir, "site"), PKI: pki, URL: ready.Base, Now: s.now}); err != nil {
		return nil, nil, err
	}
	public, err := os.ReadFile(filepath.Join(t.site.Data(), "log.pub"))
	if err != nil {
		return nil, nil, err
	}
	if t.key, err = note.NewVerifier(strings.TrimSpace(string(public))); err != nil {
		return nil, nil, err
	}
	t.seen.dir = os.DirFS(t.audit())
	p, err := t.serve(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, p.Stop()) }()
	if err := t.site.Paper(ctx); err != nil {
		return nil, nil, err
	}
	if err := t.partings(ctx); err != nil {
		return nil, nil, err
	}
	codes, err := t.site.Codes(ready.Patients[0])
	if err != nil {
		return nil, nil, err
	}
	t.stream = "Patient/" + codes[0] + "/$everything" // more than one release
	t.paths = []string{"Patient?_count=10", "Observation?_count=5", "Condition?_count=20", "metadata", t.stream,
		"Practitioner?_count=1", "Patient?name=Smith", "Observation/does-not-exist"}
	return t, stop, nil
}

func (t *trial) audit() string { return filepath.Join(t.site.Data(), "audit") }

func (t *trial) serve(ctx context.Context) (*site.Process, error) {
	t.site.Reset()
	return t.site.Serve(ctx, "sallyport", t.s.program, "serve", "--log", "json")
}

// round is one life of the process, its end, and the search for what it left.
func (t *trial) round(ctx context.Context, n int) error {
	p, err := t.serve(ctx)
	if err != nil {
		return fmt.Errorf("it does not start again: %w", err)
	}
	if err := t.repeat(ctx); err != nil {
		p.Kill()
		return err
	}
	if err := t.check(ctx); err != nil {
		p.Kill()
		return err
	}
	if err := t.live(ctx, p); err != nil {
		p.Kill()
		return err
	}
	// As it lies there: a reader of the log need not wait for a start.
	report, err := verify.Log(os.DirFS(t.audit()), t.key)
	if err != nil {
		return fmt.Errorf("the log that the kill left does not verify: %w", err)
	}
	if t.s.verbose {
		fmt.Printf("  release %d: %d entries, %d torn bytes; %d whole, %d cut, %d acts\n", n, report.Size+report.Uncovered, report.Torn, t.full, t.part, len(t.answered))
	}
	if n+1 < t.s.rounds {
		return nil
	}
	last, err := t.serve(ctx)
	if err != nil {
		return err
	}
	return errors.Join(t.repeat(ctx), t.check(ctx), last.Stop())
}

// live works until the kill.
func (t *trial) live(ctx context.Context, p *site.Process) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	client, hc, err := t.site.Client(ctx)
	if err != nil {
		return err
	}
	defer hc.CloseIdleConnections()
	if _, err := client.Token(ctx); err != nil {
		return fmt.Errorf("no token: %w", err)
	}
	var group sync.WaitGroup
	for i := range 6 {
		start := t.s.rand.IntN(len(t.paths))
		group.Go(func() {
			for n := start; ; n++ {
				path := t.paths[(n*(i+1))%len(t.paths)]
				if i == 0 {
					path = t.stream
				}
				g, err := ask(ctx, client, t.site.Base()+"/"+path)
				if err != nil {
					return // it was killed
				}
				t.mu.Lock()
				t.got = append(t.got, g)
				t.mu.Unlock()
				if !g.whole {
					return
				}
			}
		})
	}
	group.Go(func() {
		for {
			for _, a := range t.acts() {
				if err := t.do(ctx, a); err != nil {
					return
				}
			}
		}
	})
	group.Go(func() {
		for {
			for _, c := range t.composing() {
				if err := t.call(ctx, c); err != nil {
					return
				}
			}
		}
	})
	most := 350 * time.Millisecond
	if t.cut%4 == 3 {
		most = 2500 * time.Millisecond // into a stream's later releases
	}
	time.Sleep(t.s.between(5*time.Millisecond, most))
	p.Kill()
	t.cut++
	group.Wait()
	return nil
}

// ask makes one request. An error says that there was no answer at all.
func ask(ctx context.Context, client *identity.Client, u string) (got, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
	if err != nil {
		return got{}, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return got{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return got{id.Decision(resp.Header.Get("Sallyport-Decision")), resp.StatusCode, body, err == nil}, nil
}

// acts are some that depend on each other: a vendor, a hold that stops the
// releases, and its end.
func (t *trial) acts() []todo {
	t.vendors++
	name := fmt.Sprintf("vendor-%d", t.vendors)
	hold := id.Hold(fmt.Sprintf("hold-%d", t.vendors))
	device := registry.PlaceHold{ID: hold, Cause: "finding"}
	device.On.Noun, device.On.ID = "device", string(site.Device)
	list := []todo{
		{registrytest.Ada, registry.ProposeVendor{ID: id.Vendor(name), Name: name}, name + "-propose"},
		{registrytest.Grace, registry.ApproveVendor{ID: id.Vendor(name)}, name + "-approve"},
	}
	if t.vendors%8 == 0 {
		list = append(list, todo{registrytest.Ada, device, name + "-hold"}, todo{registrytest.Grace, registry.LiftHold{ID: hold}, name + "-lift"})
	}
	return list
}

// do performs an act and remembers the answer, or that there was none.
func (t *trial) do(ctx context.Context, a todo) error {
	r, err := t.site.Do(ctx, a.by, a.act, "soak", a.key)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		t.open = append(t.open, a)
		return err
	}
	t.answer(r)
	return nil
}

func (t *trial) answer(r api.ActResult) {
	t.answered = append(t.answered, acted{r.Act, r.LogIndex})
}

// repeat does what was not answered once more, with its key: it is done once,
// whether it was done before the kill or not. What must follow it, follows.
func (t *trial) repeat(ctx context.Context) error {
	if err := t.callAgain(ctx); err != nil {
		return err
	}
	open := t.open
	t.open = nil
	for _, a := range open {
		r, err := t.site.Do(ctx, a.by, a.act, "soak", a.key)
		if err != nil {
			return fmt.Errorf("an act that was under way cannot be repeated: %T: %w", a.act, err)
		}
		t.answer(r)
		if r.Repeated {
			t.repeated++
		}
		if h, ok := a.act.(registry.PlaceHold); ok { // or nothing would be released any more
			if err := t.do(ctx, todo{registrytest.Grace, registry.LiftHold{ID: h.ID}, a.key + "-lift"}); err != nil {
				return err
			}
		}
	}
	return nil
}

// check compares what the clients have with what the log says, and the acts.
func (t *trial) check(ctx context.Context) error {
	if err := t.openStore(ctx); err != nil {
		return err
	}
	head, err := t.records.Head(ctx)
	if err != nil {
		return errors.Join(err, t.records.Close())
	}
	err = t.compare(ctx, head.LogIndex)
	return errors.Join(err, t.records.Close())
}

// compare is check, of acts up to that index of the log at the least.
func (t *trial) compare(ctx context.Context, last uint64) error {
	// The start has put all that the journal holds into the tree; the acts that
	// were repeated come within the log's interval.
	if err := t.seen.read(t.wait(ctx, last)); err != nil {
		return err
	}
	for _, g := range t.got {
		if err := t.seen.covers(g); err != nil {
			return fmt.Errorf("decision %s, status %d, %d bytes: %w", g.decision, g.status, len(g.body), err)
		}
		if d := t.seen.decisions[g.decision]; d != nil && len(d.chunks) > 1 {
			t.chunks++
		}
		switch {
		case g.status/100 != 2:
			t.refused++
		case g.whole:
			t.full++
		default:
			t.part++
		}
	}
	t.got = nil
	report, err := t.verify()
	if err != nil {
		return fmt.Errorf("the log does not verify: %w", err)
	}
	t.mark = report.Checkpoint
	if err := whole(ctx, t.records, t.seen.acts, t.answered); err != nil {
		return err
	}
	return t.sameState(ctx)
}

func (t *trial) verify() (verify.Report, error) {
	if t.mark == nil {
		return verify.Log(os.DirFS(t.audit()), t.key)
	}
	return verify.Since(t.mark, os.DirFS(t.audit()), t.key)
}

// wait gives the size of the log once a checkpoint covers all acts.
func (t *trial) wait(ctx context.Context, last uint64) (uint64, error) {
	for _, a := range t.answered {
		last = max(last, a.index)
	}
	for range 200 {
		size, err := checkpointSize(filepath.Join(t.audit(), "checkpoint"))
		if err != nil || size > last {
			return size, err
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	return 0, fmt.Errorf("after 4 s no checkpoint covers entry %d", last)
}

// openStore opens the database beside the running process.
func (t *trial) openStore(ctx context.Context) error {
	keys, err := seal.Open(filepath.Join(t.site.Data(), "keys"), seal.KeyFile(""))
	if err != nil {
		return err
	}
	t.records, err = store.Open(ctx, filepath.Join(t.site.Data(), "registry.db"), keys.Documents())
	return err
}

// sameState asks the API whether it shows what the database holds.
func (t *trial) sameState(ctx context.Context) error {
	head, err := t.records.Head(ctx)
	if err != nil {
		return err
	}
	var list struct {
		Version uint64
		Items   []struct{ ID string }
	}
	if err := t.site.Get(ctx, registrytest.Ada, "/v1/vendors?limit=10000", &list); err != nil {
		return err
	}
	records, err := t.records.Load(ctx, head.Seq)
	if err != nil {
		return err
	}
	vendors := 0
	for _, r := range records {
		if r.Noun() == "vendor" {
			vendors++
		}
	}
	if list.Version != head.Seq || len(list.Items) != vendors {
		return fmt.Errorf("the API shows version %d with %d vendors, the database has %d with %d", list.Version, len(list.Items), head.Seq, vendors)
	}
	return nil
}

// covers looks for the entries of what a client has.
func (l *ledger) covers(g got) error {
	if g.decision == "" {
		if g.status == http.StatusOK || len(g.body) > 0 && g.status != http.StatusServiceUnavailable {
			return errors.New("an answer without a decision")
		}
		return nil
	}
	d := l.decisions[g.decision]
	if g.status/100 != 2 {
		if d == nil || !d.refused && !d.withheld {
			return errors.New("a refusal that is not in the log")
		}
		return nil
	}
	if d == nil || !d.intended {
		return errors.New("released without an intent in the log")
	}
	rest := g.body
	for i, c := range d.chunks {
		if uint64(len(rest)) < c.bytes {
			if g.whole {
				return fmt.Errorf("the client has all, and release %d is longer", i)
			}
			return nil // a part of a release that is in the log
		}
		if sha256.Sum256(rest[:c.bytes]) != c.digest {
			return fmt.Errorf("release %d is not what the log says", i)
		}
		rest = rest[c.bytes:]
	}
	if len(rest) > 0 {
		return fmt.Errorf("%d bytes were released without an outcome in the log", len(rest))
	}
	if g.whole && !d.final {
		return errors.New("a whole answer without its final outcome")
	}
	return nil
}

// chunk is one release under a decision.
type chunk struct {
	digest audit.Digest
	bytes  uint64
}

// decided is what the log says of a decision.
type decided struct {
	intended, refused, withheld, final bool
	chunks                             []chunk
}

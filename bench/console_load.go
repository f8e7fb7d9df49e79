package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/disclosure/disclosuretest"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity/signin"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

// longLists are the pages that have most to look through.
var longLists = []string{"/console/devices", "/console/devices?sort=-vendor&page=400", "/console/devices?posture=none&sort=trusted", "/console/sessions", "/console/sessions?page=9&sort=person",
	"/console/people", "/console/people?sort=training", "/console/people?sort=-seen&q=vendor-7", "/console/people?q=person+49", "/console/apps?sort=vendor", "/console/engagements?sort=-released",
	"/console/sources/ehr?sort=vendor", "/console/find?q=nobody", "/console/vendors?sort=-released", "/console/decisions?result=refused", "/console", "/console/start"}

const (
	peopleAtOnce = 8
	openStreams  = 500
	streamsEach  = 10 // of one person: the console has a bound
	streamsFor   = 20 // seconds, an act in each
)

// together has eight people ask for the longest lists at the same time, each as soon as
// they have what they asked for, while an act is done every second.
func (h *largeHouse) together(ctx context.Context, b *bench, c *pageClient) error {
	rounds := b.scale(6, 1)
	took := make([][]float64, peopleAtOnce)
	errs := make([]error, peopleAtOnce)
	stop := h.actEverySecond(ctx)
	var all sync.WaitGroup
	for i := range peopleAtOnce {
		all.Go(func() {
			r := rand.New(rand.NewPCG(7, uint64(i)))
			for range rounds {
				for _, at := range r.Perm(len(longLists)) {
					p, err := c.get(ctx, longLists[at])
					if err == nil && p.status != http.StatusOK {
						err = fmt.Errorf("%s answers %d", longLists[at], p.status)
					}
					if err != nil {
						errs[i] = err
						return
					}
					took[i] = append(took[i], p.first.Seconds()*1e3)
				}
			}
		})
	}
	all.Wait()
	if err := errors.Join(append(errs, stop())...); err != nil {
		return err
	}
	every := slices.Concat(took...)
	p99 := quantile(every, 0.99)
	b.report.table(Table{Name: "Console, eight people at once", Columns: []string{"requests", "p50 ms", "p99 ms", "limit over p99"},
		Rows:  []Row{{"the longest lists", []float64{float64(len(every)), median(every), p99, pageLimit.Seconds() * 1e3 / p99}}},
		Notes: []string{"Eight people ask for the pages that have most to look through, each for the next as soon as they have one; the registry changes every second. First byte, over TLS on loopback, the clients on the same processors."}})
	b.report.atMost("console, eight people at once, first byte, p99", p99, pageLimit.Seconds()*1e3, " ms")
	return nil
}

// memory is what the console keeps, and what a page takes.
func (h *largeHouse) memory(ctx context.Context, b *bench, c *pageClient) error {
	heap := func() (m runtime.MemStats) {
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m
	}
	before := heap()
	asked := 0
	for range b.scale(5, 1) {
		for _, path := range longLists {
			if _, err := c.get(ctx, path); err != nil {
				return err
			}
			asked++
		}
	}
	var now runtime.MemStats
	runtime.ReadMemStats(&now)
	after := heap()
	mb := func(n uint64) float64 { return float64(n) / 1e6 }
	b.report.table(Table{Name: "Console, memory", Columns: []string{"MB"},
		Rows: []Row{{"heap in use between requests, registry and index and console together", []float64{mb(after.HeapAlloc)}},
			{"kept of those requests", []float64{(float64(after.HeapAlloc) - float64(before.HeapAlloc)) / 1e6}},
			{"allocated for a page of the longest lists, client included", []float64{mb(now.TotalAlloc-before.TotalAlloc) / float64(asked)}}},
		Notes: []string{fmt.Sprintf("After %d pages of the longest lists.", asked)}})
	return nil
}

// actEverySecond sees a session every second, as sign-in does; stop ends it.
func (h *largeHouse) actEverySecond(ctx context.Context) (stop func() error) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-ctx.Done():
				done <- nil
				return
			case <-tick.C:
			}
			_, secret256 := signin.NewSecret()
			person := id.Person(fmt.Sprintf("%s-person-%d", disclosuretest.Vendor(3), n%50))
			if _, err := h.reg.Do(ctx, registry.Actor{Person: person}, registry.StartSession{ID: id.New[id.Session](h.now()), Person: person, Secret256: secret256,
				Method: snapshot.ByPasskey, Strong: true, ExpiresAt: h.now().Add(time.Hour).Truncate(time.Second)}, registry.Meta{Reason: "to look"}); err != nil && ctx.Err() == nil {
				done <- fmt.Errorf("an act beside the pages: %w", err)
				return
			}
		}
	}()
	return func() error { cancel(); return <-done }
}

// streams keeps live pages open, and does an act a second.
func (h *largeHouse) streams(ctx context.Context, b *bench, c *pageClient) error {
	n := b.scale(openStreams, 20)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var bytes, events atomic.Uint64
	var all sync.WaitGroup
	errs := make(chan error, n)
	for i := range n {
		who := id.Person(fmt.Sprintf("colleague-%d", i/streamsEach))
		if i%streamsEach == 0 {
			if err := registrytest.Do(ctx, h.reg, []registrytest.Step{
				{By: registrytest.Ada, Act: registry.ProposePerson{ID: who, Name: "A colleague", Classification: hipaa.Workforce, Basis: "employee", Duties: []registry.Duty{registry.Auditor}}, Reason: "employed with us"},
				{By: registrytest.Grace, Act: registry.ApprovePerson{ID: who}, Reason: "known to me"}}); err != nil {
				return err
			}
		}
		secret, secret256 := signin.NewSecret()
		if _, err := h.reg.Do(ctx, registry.Actor{Person: who}, registry.StartSession{ID: id.New[id.Session](h.now()), Person: who, Secret256: secret256,
			Method: snapshot.ByPasskey, Strong: true, ExpiresAt: h.now().Add(time.Hour).Truncate(time.Second)}, registry.Meta{Reason: "to look"}); err != nil {
			return err
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"/console/live", nil)
		if err != nil {
			return err
		}
		r.AddCookie(&http.Cookie{Name: signin.CookieName, Value: secret})
		hc := *c.hc
		hc.Timeout = 0
		resp, err := hc.Do(r)
		if err != nil {
			return fmt.Errorf("opening stream %d: %w", i, err)
		}
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("stream %d answers %d", i, resp.StatusCode)
		}
		all.Go(func() {
			defer resp.Body.Close()
			lines := bufio.NewScanner(resp.Body)
			for lines.Scan() {
				bytes.Add(uint64(len(lines.Bytes()) + 1))
				if strings.HasPrefix(lines.Text(), "event: registry") {
					events.Add(1)
				}
			}
			if err := lines.Err(); err != nil && ctx.Err() == nil {
				errs <- err
			}
		})
	}
	time.Sleep(2 * time.Second) // what opening them told is over
	seconds := b.scale(streamsFor, 3)
	cpu, sent, told, from := processorTime(), bytes.Load(), events.Load(), h.reg.View().Version()
	began := time.Now()
	stop := h.actEverySecond(ctx)
	time.Sleep(time.Duration(seconds) * time.Second)
	err := stop()
	time.Sleep(200 * time.Millisecond)
	used, sent, told, acts := processorTime()-cpu, bytes.Load()-sent, events.Load()-told, h.reg.View().Version()-from
	took := time.Since(began)
	cancel()
	all.Wait()
	close(errs)
	for e := range errs {
		err = errors.Join(err, e)
	}
	if err != nil {
		return err
	}
	b.report.table(Table{Name: "Console, live streams", Columns: []string{"figure"},
		Rows: []Row{{"streams", []float64{float64(n)}}, {"acts", []float64{float64(acts)}}, {"events told, over streams and acts", []float64{float64(told) / float64(uint64(n)*max(acts, 1))}},
			{"processor, of one, %, clients included", []float64{100 * used.Seconds() / took.Seconds()}}, {"bytes a stream a second", []float64{float64(sent) / float64(n) / took.Seconds()}}},
		Notes: []string{"Live pages held open while an act is done every second, with what follows the registry (forecast, history) and the clients in the same process."}})
	return nil
}

// processorTime is what this process has used.
func processorTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// lists asks the API for pages of its lists, from their beginning, middle and end.
func (h *largeHouse) lists(ctx context.Context, b *bench, reads http.Handler) error {
	t := Table{Name: "Lists of the API", Columns: []string{"p50 ms", "p99 ms", "kB"}}
	by := registry.Actor{Person: registrytest.Grace}
	var slowest float64
	for _, plural := range []string{"persons", "devices", "sessions", "trainings", "grants", "agreements", "vendors", "acts"} {
		for _, q := range []string{"", "?limit=100", "?limit=100&after=vendor-9", "?limit=10000"} {
			if plural == "acts" && q != "" {
				continue // their page begins after a number
			}
			var took []float64
			weight := 0
			for range b.scale(pageAsked, 2) {
				r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/v1/"+plural+q, nil)
				w := httptest.NewRecorder()
				began := time.Now()
				reads.ServeHTTP(w, api.As(r, by))
				took = append(took, time.Since(began).Seconds()*1e3)
				if w.Code != http.StatusOK {
					return fmt.Errorf("%s answers %d", r.URL, w.Code)
				}
				weight = max(weight, w.Body.Len())
			}
			if !strings.Contains(q, "10000") {
				slowest = max(slowest, quantile(took, 0.99))
			}
			t.Rows = append(t.Rows, Row{"/v1/" + plural + q, []float64{median(took), quantile(took, 0.99), float64(weight) / 1e3}})
		}
	}
	t.Notes = []string{"Without the network, to the last byte: an answer is written whole. A page is 1,000 records unless its limit says otherwise, at most 10,000."}
	b.report.table(t)
	b.report.atMost("API, slowest page of a list of up to 1,000, p99", slowest, pageLimit.Seconds()*1e3, " ms")
	return nil
}

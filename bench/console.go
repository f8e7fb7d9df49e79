package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime/pprof"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/console"
	"github.com/sallyport/sallyport/disclosure"
	"github.com/sallyport/sallyport/disclosure/disclosuretest"
	"github.com/sallyport/sallyport/gate"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity/signin"
	"github.com/sallyport/sallyport/people"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
	"github.com/sallyport/sallyport/store"
)

// What a page may take and weigh.
const (
	pageLimit  = 200 * time.Millisecond
	pageWeight = 150_000 // bytes, without pictures of other addresses: there are none
	pageAsked  = 10
	pagesOfOne = 3 // addresses of one kind
	visitLimit = 600
)

// consolePages fills a registry and a log, opens the console on them behind its real door,
// follows every link of the first page and asks each kind of page again and again.
func consolePages(ctx context.Context, b *bench) (err error) {
	vendors, staff := b.scale(1000, 10), 50
	entries := b.entries
	if entries == 0 {
		entries = uint64(b.scale(10_000_000, 100_000))
	}
	dir := filepath.Join(b.dir, "console")
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	h := &largeHouse{dir: dir, now: b.now}
	defer func() { err = errors.Join(err, h.close()) }()
	if err := h.log(ctx, entries); err != nil {
		return err
	}
	if err := h.registry(ctx, vendors, staff); err != nil {
		return err
	}
	v := h.reg.View()
	say("registry: %d vendors, %d people, %d devices, %d sessions, %d grants; log: %d entries", v.Vendors.Len(), v.Persons.Len(), v.Devices.Len(), v.Sessions.Len(), v.Grants.Len(), h.entries.Size())
	return h.pages(ctx, b)
}

// largeHouse is an organisation with much in it.
type largeHouse struct {
	dir     string
	now     func() time.Time
	entries *audit.Log
	index   *disclosure.Index
	store   *store.Store
	reg     *registry.Registry
	theirs  string // the secret of a vendor's person's session
}

func (h *largeHouse) close() error {
	var errs []error
	if h.entries != nil {
		errs = append(errs, h.entries.Close())
	}
	if h.store != nil {
		errs = append(errs, h.store.Close())
	}
	return errors.Join(errs...)
}

// log writes six years of a log, up to now, and makes its index.
func (h *largeHouse) log(ctx context.Context, entries uint64) error {
	signer, verifier, err := disclosuretest.Key()
	if err != nil {
		return err
	}
	logs := filepath.Join(h.dir, "audit")
	if err := os.MkdirAll(logs, 0o700); err != nil {
		return err
	}
	clock := disclosuretest.NewClock(h.now().Add(-radiusSpan - time.Hour))
	if h.entries, err = audit.Open(audit.Options{FS: disclosuretest.Unsynced(logs), Origin: disclosuretest.Origin, Signer: signer, Verifier: verifier, Now: clock.Now}); err != nil {
		return err
	}
	if err := disclosuretest.Write(ctx, h.entries, clock, disclosuretest.Plan{Seed: 1, Entries: entries, Patients: max(1000, int(entries/10)), Span: radiusSpan}); err != nil {
		return fmt.Errorf("writing the log: %w", err)
	}
	if h.index, err = disclosure.Open(filepath.Join(h.dir, "disclosure"), h.entries, disclosure.Options{}); err != nil {
		return err
	}
	return h.index.Update(ctx)
}

// registry makes the demo's organisation by its acts, and copies its vendor.
func (h *largeHouse) registry(ctx context.Context, vendors, staff int) error {
	var err error
	if h.store, err = store.Open(ctx, filepath.Join(h.dir, "registry.db"), registrytest.Sealer{}); err != nil {
		return err
	}
	engine, err := registry.NewEngine()
	if err != nil {
		return err
	}
	o := registry.Options{Store: h.store, Log: &registrytest.Log{}, Engine: engine, Node: "node-1", Settings: registrytest.Settings(), Clock: h.now}
	if h.reg, err = registry.Open(ctx, o); err != nil {
		return err
	}
	steps, err := registrytest.Demo{Now: h.now().Add(-time.Minute)}.Steps()
	if err != nil {
		return err
	}
	if err := registrytest.Do(ctx, h.reg, steps); err != nil {
		return err
	}
	// What acts would take an hour to make is there when the registry is opened again.
	v := h.reg.View()
	with := &filled{Store: h.store}
	for n := 1; n <= vendors; n++ {
		if err := copyVendor(v, n, staff, func(r snapshot.Record) { with.more = append(with.more, r) }); err != nil {
			return err
		}
		for j := range staff { // everybody is signed in
			with.more = append(with.more, h.session(n, j))
		}
	}
	o.Store = with
	if h.reg, err = registry.Open(ctx, o); err != nil {
		return err
	}
	with.opened = true
	return h.events(ctx)
}

// session is that of the j-th person of the n-th vendor.
func (h *largeHouse) session(n, j int) *snapshot.Session {
	vendor := disclosuretest.Vendor(n)
	name := fmt.Sprintf("%s-session-%d", vendor, j)
	began := h.now().Add(-time.Duration((n*31+j*7)%900) * time.Second).UTC().Truncate(time.Second)
	secret256 := string(registrytest.Key(name))
	if n == 2 && j == 0 {
		h.theirs, secret256 = signin.NewSecret()
	}
	return &snapshot.Session{ID: id.Session(name), Person: id.Person(fmt.Sprintf("%s-person-%d", vendor, j)), Vendor: vendor, Secret256: secret256,
		Method: snapshot.ByPasskey, Client: "Firefox on Linux", SteppedUpAt: began, SeenAt: began, StartedAt: began, ExpiresAt: began.Add(8 * time.Hour)}
}

// events are one of each of what happens to partners, so that its pages are there.
func (h *largeHouse) events(ctx context.Context) error {
	now, vendor := h.now().UTC().Truncate(time.Second), disclosuretest.Vendor(1)
	key := func(what string) string { return string(vendor) + "-" + what }
	return registrytest.Do(ctx, h.reg, []registrytest.Step{
		{By: registrytest.Ada, Act: registry.MakeRequest{ID: id.Request(key("request")), Person: id.Person(key("person-0")), Engagement: disclosuretest.Engagement(1, 1), App: id.App(key("triage")),
			Devices: []id.Device{id.Device(key("gpu-0"))}, Role: "triage-reader", Cohort: snapshot.Cohort{Kind: snapshot.CohortAll}, MaxPatients: 500, MaxDailyBytes: 1 << 20, Life: 7 * 24 * 60, Why: "Calibrate the model"}, Reason: "asked"},
		{By: registrytest.Ada, Act: registry.ProfileVendor{ID: vendor, Services: []string{"triage"}, DataClasses: []hipaa.DataClass{hipaa.PHI}, Locations: []string{"US"}, Staff: 50, Patients: 10_000, Keeps: snapshot.KeepsNothing}, Reason: "what they are"},
		{By: registrytest.Ada, Act: registry.SendQuestionnaire{ID: id.Questionnaire(key("questions")), Vendor: vendor, DataClasses: []hipaa.DataClass{hipaa.PHI}, DueAt: now.AddDate(0, 1, 0)}, Reason: "a year has passed"},
		{By: registrytest.Ada, Act: registry.OpenCampaign{ID: id.Campaign(key("campaign")), Title: "Reviews of autumn", DueAt: now.AddDate(0, 0, 14)}, Reason: "autumn"},
		{By: registrytest.Grace, Act: registry.OpenIncident{ID: id.Incident(key("incident")), Title: "A laptop was lost", Vendor: vendor, OccurredAt: now.Add(-48 * time.Hour), DiscoveredAt: now.Add(-24 * time.Hour)}, Reason: "reported"},
		{By: registrytest.Ada, Act: registry.BeginOffboarding{ID: id.Offboarding(key("parting")), Vendor: vendor, Engagement: disclosuretest.Engagement(1, 1), Cause: snapshot.WorkDone, DueAt: now.AddDate(0, 1, 0)}, Reason: "the work is done"},
	})
}

// filled is a database that holds more than acts made.
type filled struct {
	*store.Store
	more   []snapshot.Record
	opened bool
}

// Since implements registry.Store: what is more came with the last act of the first page,
// as long as the registry is being opened. Acts of such a size are no part of what is measured.
func (f *filled) Since(ctx context.Context, seq uint64, limit int) ([]registry.Entry, error) {
	entries, err := f.Store.Since(ctx, seq, limit)
	if seq == 0 && len(entries) > 0 && !f.opened {
		last := &entries[len(entries)-1]
		last.Changed = append(slices.Clone(last.Changed), f.more...)
		err = errors.Join(err, last.SetDigest())
	}
	return entries, err
}

// Load implements registry.Store.
func (f *filled) Load(ctx context.Context, seq uint64) ([]snapshot.Record, error) {
	records, err := f.Store.Load(ctx, seq)
	return append(records, f.more...), err
}

// copyVendor gives the n-th vendor what the demo's has: papers, staff with training,
// machines, a program, grants for ten of them.
func copyVendor(v *snapshot.View, n, staff int, add func(snapshot.Record)) error {
	key := string(disclosuretest.Vendor(n))
	var failed error
	names := func(j int) *strings.Replacer {
		q := func(s string) string { return `"` + s + `"` }
		return strings.NewReplacer(q("northwind"), q(key), q("northwind-baa"), q(key+"-baa"), q("northwind-contract"), q(key+"-contract"), q("northwind-2026"), q(key+"-2026"),
			q("northwind-soc2"), q(key+"-soc2"), q("triage-eval"), q(string(disclosuretest.Engagement(n, 1))), q("triage"), q(key+"-triage"),
			q("northwind-gpu-1"), q(fmt.Sprintf("%s-gpu-%d", key, j)), q("lin"), q(fmt.Sprintf("%s-person-%d", key, j)), q("lin-2026"), q(fmt.Sprintf("%s-training-%d", key, j)),
			q("triage-grant"), q(fmt.Sprintf("%s-grant-%d", key, j)), q("Lin Example"), q(fmt.Sprintf("Person %d of %s", j, key)), q("Northwind AI, Inc."), q("Vendor "+fmt.Sprint(n)+", Inc."))
	}
	put := func(r snapshot.Record, ok bool, err error) {
		if err != nil || !ok {
			failed = errors.Join(failed, fmt.Errorf("the demo lacks what is to be copied: %v, %w", ok, err))
			return
		}
		add(r)
	}
	re := names(0)
	put(copied(v.Vendors, "northwind", re))
	put(copied(v.Assessments, "northwind-2026", re))
	put(copied(v.Certifications, "northwind-soc2", re))
	put(copied(v.Agreements, "northwind-baa", re))
	put(copied(v.Agreements, "northwind-contract", re))
	put(copied(v.Engagements, "triage-eval", re))
	if app, ok, err := copied(v.Apps, "triage", re); err != nil || !ok {
		return errors.Join(failed, err)
	} else {
		app.Keys = nil // each key is one program's alone
		add(app)
	}
	for j := range staff {
		re := names(j)
		put(copied(v.Persons, "lin", re))
		put(copied(v.Trainings, "lin-2026", re))
		d, ok, err := copied(v.Devices, "northwind-gpu-1", re)
		if ok {
			d.Key256 = registrytest.Key(string(d.ID))
		}
		put(d, ok, err)
		if j < 10 {
			put(copied(v.Grants, "triage-grant", re))
		}
	}
	return failed
}

// copied is a record with other names.
func copied[K ~string, V any](t snapshot.Table[K, V], key K, names *strings.Replacer) (*V, bool, error) {
	old, ok := t.Get(key)
	if !ok {
		return nil, false, nil
	}
	raw, err := json.Marshal(old)
	if err != nil {
		return nil, false, err
	}
	next := new(V)
	return next, true, json.Unmarshal([]byte(names.Replace(string(raw))), next)
}

// doors are the console behind the door for people, and the API.
func (h *largeHouse) doors() (door http.Handler, pages *console.Console, reads http.Handler, err error) {
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	gates, err := policy.New(gate.All, nil)
	if err != nil {
		return nil, nil, nil, err
	}
	acts, err := registry.NewEngine()
	if err != nil {
		return nil, nil, nil, err
	}
	_, verifier, err := disclosuretest.Key()
	if err != nil {
		return nil, nil, nil, err
	}
	sessions := signin.NewSessions(signin.SessionsOptions{View: h.reg.View, Now: h.now})
	reads = api.New(api.Config{Organisation: "Mercy Valley Health", Version: "bench", Registry: h.reg, Acts: acts, Policy: gates, Log: h.entries, LogVerifier: fmt.Sprint(verifier.Name()),
		Node: "node-1", Gateway: "https://gateway.example.org", People: "https://people.example.org", Disclosures: h.index, Sessions: sessions, Now: h.now, Logger: logger,
		Keys: noKeys{}, Badges: noKeys{}, Anchor: func() ([]byte, error) { return nil, errors.New("none here") }, Rulings: func(string, string) []string { return nil },
		System: func(context.Context) api.System { return api.System{Node: "node-1", At: h.now()} }})
	pages, err = console.New(console.Config{Organisation: "Mercy Valley Health", Version: "bench", Node: "node-1", Gateway: "https://gateway.example.org", People: "https://people.example.org",
		Registry: h.reg, Sessions: sessions, Policy: gates, Acts: acts, Log: h.entries, Disclosures: h.index,
		API:    func(by registry.Actor, w http.ResponseWriter, r *http.Request) { reads.ServeHTTP(w, api.As(r, by)) },
		Health: func() []string { return nil }, Now: h.now, Logger: logger})
	if err != nil {
		return nil, nil, nil, err
	}
	rest := http.NewServeMux()
	rest.Handle("/console", pages.Handler())
	rest.Handle("/console/", pages.Handler())
	door, err = people.New(people.Config{Organisation: "Mercy Valley Health", Registry: h.reg, Sessions: sessions, Now: h.now, Logger: logger, Rest: rest, Home: "/console"})
	if err != nil {
		return nil, nil, nil, err
	}
	return door, pages, reads, nil
}

// pages opens the console and asks.
func (h *largeHouse) pages(ctx context.Context, b *bench) (err error) {
	door, pages, reads, err := h.doors()
	if err != nil {
		return err
	}
	srv := httptest.NewTLSServer(door)
	defer srv.Close()
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() { defer close(done); pages.Run(ctx) }()
	live := make(chan struct{})
	go func() { defer close(live); h.reg.Run(ctx) }()
	defer func() { cancel(); <-done; <-live }()

	secret, secret256 := signin.NewSecret()
	if _, err := h.reg.Do(ctx, registry.Actor{Person: registrytest.Grace}, registry.StartSession{ID: id.New[id.Session](h.now()), Person: registrytest.Grace, Secret256: secret256,
		Method: snapshot.ByPasskey, Strong: true, ExpiresAt: h.now().Add(4 * time.Hour).Truncate(time.Second)}, registry.Meta{Reason: "to look"}); err != nil {
		return err
	}
	c := &pageClient{base: srv.URL, secret: secret, hc: &http.Client{Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // the run's own server
		ForceAttemptHTTP2: true}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}

	if err := c.warm(ctx); err != nil {
		return err
	}
	if b.profile {
		f, err := os.Create(filepath.Join(b.out, "console-cpu.prof"))
		if err != nil {
			return err
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer func() { pprof.StopCPUProfile(); err = errors.Join(err, f.Close()) }()
	}
	t := Table{Name: "Pages of the console", Columns: []string{"addresses", "p50 ms", "p99 ms", "limit over p99", "kB", "limit over kB"}}
	var all []float64
	var slowest, heaviest float64
	asked := b.scale(pageAsked, 2)
	for _, who := range []struct {
		of, secret string
		from       []string
	}{
		{"", secret, []string{"/console/decisions?before=40000", "/console", "/console/people?q=person+49", "/console/vendors?sort=-vendor&page=3", "/console/decisions?result=refused", "/console/find?q=nobody",
			"/console/evidence?vendor=vendor-1", "/console/evidence/vendors/vendor-1", "/console/incidents/vendor-1-incident/radius", "/console/offboardings/vendor-1-parting",
			"/console/questionnaires/vendor-1-questions", "/console/reviews/vendor-1-campaign", "/console/requests/vendor-1-request"}},
		{"a vendor's: ", h.theirs, []string{"/console/my", "/console/my/ask", "/console/my/activity/firm", "/console/my/certificates", "/console/find?q=nobody"}},
	} {
		c.secret = who.secret
		kinds, order, err := c.crawl(ctx, who.from)
		if err != nil {
			return err
		}
		if len(order) < 5 {
			return fmt.Errorf("only %d kinds of pages were reached from %s", len(order), who.from[0])
		}
		for _, kind := range order {
			var took []float64
			weight := 0
			for _, path := range kinds[kind] {
				for range asked {
					p, err := c.get(ctx, path)
					if err != nil {
						return err
					}
					took = append(took, p.first.Seconds()*1e3)
					weight = max(weight, len(p.body))
				}
			}
			p99 := quantile(took, 0.99)
			all = append(all, took...)
			slowest, heaviest = max(slowest, p99), max(heaviest, float64(weight))
			t.Rows = append(t.Rows, Row{who.of + kind, []float64{float64(len(kinds[kind])), median(took), p99, pageLimit.Seconds() * 1e3 / p99, float64(weight) / 1e3, pageWeight / float64(weight)}})
		}
	}
	t.Notes = []string{fmt.Sprintf("Every kind of page that the privacy officer, and then a vendor's person, reaches by links, up to %d addresses of each, %d times, one at a time; to the first byte, over TLS on loopback.", pagesOfOne, asked),
		fmt.Sprintf("Over all: p50 %.1f ms, p99 %.1f ms. The slowest kind's p99 is %.0f ms, the heaviest page %.0f kB. The style sheet and the script are extra, and kept by the browser.", median(all), quantile(all, 0.99), slowest, heaviest/1e3)}
	b.report.table(t)
	b.report.atMost("console, first byte of the slowest kind of page, p99", slowest, pageLimit.Seconds()*1e3, " ms")
	b.report.atMost("console, heaviest page", heaviest/1e3, pageWeight/1e3, " kB")
	c.secret = secret
	for _, more := range []func(context.Context, *bench, *pageClient) error{h.together, h.memory, h.streams} {
		if err := more(ctx, b, c); err != nil {
			return err
		}
	}
	return h.lists(ctx, b, reads)
}

// warm asks for the first page until what is kept beside it is ready: when the log was read
// once.
func (c *pageClient) warm(ctx context.Context) error {
	began := time.Now()
	for {
		p, err := c.get(ctx, "/console")
		if err != nil {
			return err
		}
		if p.status != http.StatusOK {
			return fmt.Errorf("the first page answers %d", p.status)
		}
		if time.Since(began) > 20*time.Minute || !strings.Contains(p.body, "data-again") && time.Since(began) > time.Second {
			return nil
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// noKeys is an organisation whose keys were never used: what is measured is pages.
type noKeys struct{}

func (noKeys) Destruction(id.Engagement) (*api.StoredDestruction, error) { return nil, nil }
func (noKeys) OldRoots(context.Context) []api.OldRoot                    { return nil }
func (noKeys) Codes(context.Context, id.Engagement) (int, error)         { return 0, nil }
func (noKeys) Badge(*snapshot.Training) (string, error) {
	return "", problem.New(problem.NotFound, "There is none", "Nothing to do")
}
func (noKeys) Base() string { return "https://people.example.org" }

// pageClient is a browser as far as bytes go.
type pageClient struct {
	base, secret string
	hc           *http.Client
}

type gotPage struct {
	status int
	html   bool
	body   string
	first  time.Duration
}

func (c *pageClient) get(ctx context.Context, path string) (gotPage, error) {
	var p gotPage
	began := time.Now()
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotFirstResponseByte: func() { p.first = time.Since(began) }})
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	if err != nil {
		return p, err
	}
	r.AddCookie(&http.Cookie{Name: signin.CookieName, Value: c.secret})
	resp, err := c.hc.Do(r)
	if err != nil {
		return p, fmt.Errorf("asking for %s: %w", path, err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	if err != nil {
		return p, fmt.Errorf("reading %s: %w", path, err)
	}
	p.status, p.body, p.html = resp.StatusCode, string(raw), strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html")
	return p, nil
}

var (
	linkTo   = regexp.MustCompile(`href="(/console[^"#]*)`)
	anID     = regexp.MustCompile(`^(vendor-\d+|northwind|triage|lin\b|ada$|grace$|[0-9A-Z]{26}$|\d+$|ehr$)`)
	pageKind = func(path string) string {
		u, err := url.Parse(path)
		if err != nil {
			return path
		}
		parts := strings.Split(u.Path, "/")
		for i := 3; i < len(parts); i++ {
			if anID.MatchString(parts[i]) {
				parts[i] = "{id}"
			}
		}
		kind := strings.Join(parts, "/")
		for _, q := range []string{"tab", "days", "page", "sort", "q", "before"} {
			if u.Query().Has(q) {
				kind += "?" + q
			}
		}
		return kind
	}
)

// crawl follows the links from some pages, a few addresses of each kind.
func (c *pageClient) crawl(ctx context.Context, todo []string) (kinds map[string][]string, order []string, err error) {
	kinds = map[string][]string{}
	asked := map[string]bool{}
	tried := map[string]int{}
	for len(todo) > 0 && len(asked) < visitLimit {
		path := todo[0]
		todo = todo[1:]
		kind := pageKind(path)
		if asked[path] || tried[kind] >= pagesOfOne || strings.HasPrefix(path, "/console/do/") && tried["/console/do"] >= 8 || strings.Contains(path, "format=") || strings.HasPrefix(path, "/console/assets") {
			continue
		}
		asked[path] = true
		tried[kind]++
		if strings.HasPrefix(path, "/console/do/") {
			tried["/console/do"]++
		}
		p, err := c.get(ctx, path)
		if err != nil {
			return nil, nil, err
		}
		if p.status >= 500 {
			return nil, nil, fmt.Errorf("%s answers %d", path, p.status)
		}
		if p.status != http.StatusOK || !p.html {
			continue
		}
		kinds[kind] = append(kinds[kind], path)
		for _, m := range linkTo.FindAllStringSubmatch(p.body, -1) {
			if to := html.UnescapeString(m[1]); !asked[to] {
				todo = append(todo, to)
			}
		}
	}
	for kind := range kinds {
		order = append(order, kind)
	}
	slices.Sort(order)
	return kinds, order, nil
}

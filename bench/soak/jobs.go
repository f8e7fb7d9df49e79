package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/sallyport/sallyport/bench/site"
	"github.com/sallyport/sallyport/gate"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/notify"
	"github.com/sallyport/sallyport/notify/notifytest"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/reminder"
	"github.com/sallyport/sallyport/seal"
	"github.com/sallyport/sallyport/server"
	"github.com/sallyport/sallyport/snapshot"
	"github.com/sallyport/sallyport/store"
)

// clockedArg makes this program the server, by a clock that is ahead of the machine's:
// soak clocked SECONDS --config FILE.
const clockedArg = "clocked"

func serveClocked(seconds, config string) error {
	ahead, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	c, err := server.Load(config)
	if err != nil {
		return err
	}
	s, err := server.Open(ctx, c, server.Options{Now: func() time.Time { return time.Now().Add(time.Duration(ahead) * time.Second) },
		Logger: slog.New(slog.NewJSONHandler(os.Stderr, nil)), Version: "soak"})
	if err != nil {
		return err
	}
	return s.Run(ctx)
}

// span is how far the clock moves in the trial: over a year, so that every paper of the
// setting comes to its date.
const span = 400 * 24 * time.Hour

// lookEvery is how often the clock looks for attempts on what has ended.
const lookEvery = 24 * time.Hour

// jobber is what the trial of jobs remembers.
type jobber struct {
	s       *soak
	site    *site.Site
	config  *server.Config
	engine  *policy.Engine
	acts    *policy.ActEngine
	outside *notifytest.Outside
	ahead   atomic.Int64 // of the clock, in seconds
	start   uint64       // version when people began to be told
	calls   int          // that arrived before this life

	must map[string]bool // keys that were due when all was told
	may  map[string]bool // that were due at any life
	did  map[string]int  // the clock's acts, by kind

	kills, backs int
}

// jobs kills a server in what it does by itself: the clock's acts, the notices, digests
// and deliveries that a time brings. The clock moves on between the lives, over many
// dates at once, and sometimes back.
func jobs(ctx context.Context, s *soak) (_ string, err error) {
	j := &jobber{s: s, must: map[string]bool{}, may: map[string]bool{}, did: map[string]int{}}
	dir := filepath.Join(s.dir, "jobs")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	if s.program == "" {
		if s.program, err = site.Build(ctx, dir); err != nil {
			return "", err
		}
	}
	if j.engine, err = policy.New(gate.All, nil); err != nil {
		return "", err
	}
	if j.acts, err = registry.NewEngine(); err != nil {
		return "", err
	}
	if j.outside, err = notifytest.Start(filepath.Join(dir, "outside")); err != nil {
		return "", err
	}
	defer j.outside.Close()
	j.outside.Slow = 20 * time.Millisecond
	if err := j.setting(ctx, dir); err != nil {
		return "", err
	}
	lives := max(6, s.rounds*3/10)
	for n := range lives {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		if err := j.round(ctx, n, lives); err != nil {
			return "", fmt.Errorf("life %d, clock %s: %w", n, j.now().UTC().Format(time.RFC3339), err)
		}
	}
	// Two digests more: then every act has had one.
	for range 2 {
		j.move(25 * time.Hour)
		if err := j.settle(ctx); err != nil {
			return "", fmt.Errorf("at the end: %w", err)
		}
	}
	again, err := j.count(ctx)
	return fmt.Sprintf("%d kills with the clock moved over %d days, %d times back; %d reminders of dates that had to be told, and every act, each under one id (%d messages in all, %d came again under their id); the clock's acts: %s",
		j.kills, int(span.Hours()/24), j.backs, len(j.must), len(j.outside.Mails())+len(j.outside.Calls()), again, kinds(j.did)), err
}

func kinds(m map[string]int) string {
	var out []string
	for k, n := range m {
		out = append(out, fmt.Sprintf("%d %s", n, k))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

func (j *jobber) now() time.Time {
	return time.Now().Add(time.Duration(j.ahead.Load()) * time.Second)
}

func (j *jobber) move(d time.Duration) { j.ahead.Add(int64(d / time.Second)) }

// setting is a vendor with papers, grants whose reviews come due, requests that nobody
// decides, links and campaigns; and then who is told.
func (j *jobber) setting(ctx context.Context, dir string) error {
	pki, err := site.NewPKI(filepath.Join(dir, "pki"), j.s.now())
	if err != nil {
		return err
	}
	if j.site, err = site.New(ctx, site.Options{Dir: filepath.Join(dir, "site"), PKI: pki, URL: "https://127.0.0.1:1/fhir", Now: j.s.now}); err != nil {
		return err
	}
	// Reviews are due late by themselves, and early when a campaign begins, so that most
	// of the time something is open whose papers can lapse.
	if err := j.rewrite("review_every: 2160h", "review_every: 9000h", "campaign_every: 0s", "campaign_every: 4800h"); err != nil {
		return err
	}
	p, err := j.site.Serve(ctx, "sallyport", j.s.program, "serve", "--log", "json")
	if err != nil {
		return err
	}
	err = j.site.Paper(ctx)
	for _, a := range j.steps() {
		if err == nil {
			if _, err = j.site.Do(ctx, a.by, a.act, "soak", a.key); err != nil {
				err = fmt.Errorf("%T: %w", a.act, err)
			}
		}
	}
	if err = errors.Join(err, p.Stop()); err != nil {
		return err
	}
	text, err := os.ReadFile(j.site.Config)
	if err != nil {
		return err
	}
	secret := filepath.Join(dir, "hook.secret")
	if err := os.WriteFile(secret, []byte("whsec_"+base64.StdEncoding.EncodeToString([]byte(strings.Repeat("s", 32)))), 0o600); err != nil {
		return err
	}
	text = fmt.Appendf(text, `
connectors: {private_networks: [127.0.0.0/8], ca_file: %[1]q}
notify:
  from: sallyport@bench.example
  smtp: {server: %[2]q, ca_file: %[1]q}
  zone: UTC
  digest_at: "07:30"
  webhooks: [{name: siem, url: %[3]q, secret_file: %[5]q}]
  routes: [{classes: [lapse, deadline, incident, hold, access, paper, sign-in], to: [%[4]s, "hook:siem"]}]
`, j.outside.CAFile, j.outside.Mail, j.outside.Hook, soakMail, secret)
	if err := os.WriteFile(j.site.Config, text, 0o600); err != nil {
		return err
	}
	if j.config, err = server.Load(j.site.Config); err != nil {
		return err
	}
	_, head, err := j.view(ctx)
	j.start = head
	return err
}

// rewrite replaces texts of the configuration, in pairs.
func (j *jobber) rewrite(pairs ...string) error {
	text, err := os.ReadFile(j.site.Config)
	if err != nil {
		return err
	}
	for i := 0; i < len(pairs); i += 2 {
		if strings.Count(string(text), pairs[i]) != 1 {
			return errors.New("the configuration that init writes has changed: it lacks " + pairs[i])
		}
		text = []byte(strings.Replace(string(text), pairs[i], pairs[i+1], 1))
	}
	return os.WriteFile(j.site.Config, text, 0o600)
}

func (j *jobber) steps() (out []todo) {
	now := j.s.now().UTC().Truncate(time.Second)
	days := func(n int) time.Time { return now.AddDate(0, 0, n) }
	add := func(by id.Person, a registry.Act) {
		out = append(out, todo{by, a, fmt.Sprintf("setting-%d", len(out))})
	}
	ada, grace := registrytest.Ada, registrytest.Grace
	// Of the one grant that there is: when it has ended the campaign has nothing left.
	add(ada, registry.OpenCampaign{ID: "job-campaign", Title: "Reviews", DueAt: days(20)})
	add(grace, registry.RevokeGrant{ID: "triage-grant"})
	// From whom people part: every day the clock looks whether something was tried.
	add(ada, registry.ProposeVendor{ID: parted, Name: "Parted, Inc."})
	add(grace, registry.ApproveVendor{ID: parted})
	add(ada, registry.BeginOffboarding{ID: parting, Vendor: parted, Cause: snapshot.WorkDone, DueAt: days(20)})
	for n := range 6 {
		g := id.Grant(fmt.Sprintf("job-grant-%d", n))
		add(ada, registry.RequestGrant{ID: g, Engagement: site.Engagement, App: site.App, Person: "lin", Devices: []id.Device{site.Device}, Role: "triage-reader",
			Cohort: snapshot.Cohort{Kind: snapshot.CohortAll}, StartsAt: now, EndsAt: days(250 + 17*n), MaxPatients: 1, MaxDailyBytes: 1})
		add(grace, registry.ApproveGrant{ID: g})
	}
	for n := range 6 {
		add(ada, registry.MakeRequest{ID: id.Request(fmt.Sprintf("job-request-%d", n)), Person: "lin", Engagement: site.Engagement, App: site.App, Devices: []id.Device{site.Device},
			Role: "triage-reader", Cohort: snapshot.Cohort{Kind: snapshot.CohortAll}, MaxPatients: 1, MaxDailyBytes: 1, Life: 60, Why: "Calibrate"})
		add(ada, registry.IssueLink{ID: id.Link(fmt.Sprintf("job-link-%d", n)), Vendor: "northwind", For: snapshot.LinkIncident, About: snapshot.Subject{Noun: snapshot.NounVendor, ID: "northwind"},
			Contact: "privacy@northwind.example", Secret256: strings.Repeat(fmt.Sprintf("%02x", n), 32), ExpiresAt: days(3 + 4*n)})
	}
	return out
}

// round moves the clock and is one life that is killed, or one in which all must be done.
func (j *jobber) round(ctx context.Context, n, lives int) error {
	// By the last life but one the scheduled campaign has begun, and by the last its
	// reviews have lapsed.
	mean := span / time.Duration(lives)
	step := j.s.between(mean/2, mean*3/2)
	ahead := time.Duration(j.ahead.Load()) * time.Second
	switch n {
	case lives - 2:
		step = max(step, 205*24*time.Hour-ahead)
	case lives - 1:
		step = max(step, span-ahead)
	}
	back := n%5 == 3 && n < lives-2
	if back {
		step = -6 * time.Hour
		j.backs++
	}
	j.move(step)
	if err := j.life(ctx); err != nil {
		return err
	}
	if n%3 == 2 || back || n == lives-2 {
		return j.settle(ctx)
	}
	return nil
}

func (j *jobber) serve() (*site.Process, error) {
	j.calls = len(j.outside.Calls())
	return site.Start(j.site.Dir, "clocked", os.Args[0], clockedArg, strconv.FormatInt(j.ahead.Load(), 10), "--config", j.site.Config)
}

// life is killed while it starts, or in its first turns.
func (j *jobber) life(ctx context.Context) error {
	p, err := j.serve()
	if err != nil {
		return err
	}
	time.Sleep(j.s.between(50*time.Millisecond, 1000*time.Millisecond))
	select {
	case <-p.Ended():
		return fmt.Errorf("the server ended by itself: %w", p.Stop())
	default:
	}
	p.Kill()
	j.kills++
	if err := j.allowed(ctx); err != nil {
		return err
	}
	return j.collapsed()
}

// allowed notes what may be told at this time.
func (j *jobber) allowed(ctx context.Context) error {
	v, _, err := j.view(ctx)
	if err != nil {
		return err
	}
	for _, n := range reminder.Due(j.engine, v, j.now()) {
		j.may[n.Key] = true
	}
	return nil
}

// settle starts the server at the same time and waits until all that the time brings is
// done and told.
func (j *jobber) settle(ctx context.Context) error {
	p, err := j.serve()
	if err != nil {
		return err
	}
	var wants string
	for range 200 {
		select {
		case <-p.Ended():
			return fmt.Errorf("the server ended by itself: %w", p.Stop())
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			p.Kill()
			return ctx.Err()
		}
		if wants, err = j.wants(ctx); err != nil {
			p.Kill()
			return err
		}
		if wants == "" {
			break
		}
	}
	if err := p.Stop(); err != nil {
		return err
	}
	if wants != "" {
		return fmt.Errorf("after 20 s: %s", wants)
	}
	v, _, err := j.view(ctx)
	if err != nil {
		return err
	}
	for _, n := range reminder.Due(j.engine, v, j.now()) {
		j.must[n.Key], j.may[n.Key] = true, true
	}
	return j.collapsed()
}

// wants says what is not done or told yet.
func (j *jobber) wants(ctx context.Context) (string, error) {
	v, _, err := j.view(ctx)
	if err != nil {
		return "", err
	}
	now := j.now()
	for _, c := range reminder.Chores(v, now) {
		if a, ok := j.doable(v, c, now); ok {
			return fmt.Sprintf("the clock has not done %s of %s", c.Kind, a.Subject().ID), nil
		}
	}
	for _, o := range v.Offboardings.All() {
		if last := o.Looked[j.config.Node].At; o.CompletedAt.IsZero() && now.Sub(o.BegunAt) >= lookEvery && now.Sub(last) >= lookEvery {
			return fmt.Sprintf("the clock has not looked for attempts since %s", last), nil
		}
	}
	told := j.told()
	for _, n := range reminder.Due(j.engine, v, now) {
		if len(told[n.Key]) == 0 {
			return "nobody was told " + n.Key, nil
		}
	}
	acts, err := j.news(ctx, v)
	for key := range acts {
		if len(told[key]) == 0 {
			return "nobody was told " + key, err
		}
	}
	return "", err
}

// doable says whether the clock can do a chore.
func (j *jobber) doable(v *snapshot.View, c reminder.Chore, now time.Time) (registry.Act, bool) {
	spec, ok := registry.Lookup(registry.Kind(c.Kind))
	if !ok || !slices.Contains(spec.Admits, registry.Clock) {
		return nil, false
	}
	a, err := registry.Decode(spec.Name, fmt.Appendf(nil, `{"id":%q}`, c.ID))
	clock := registry.Actor{Clock: true}
	return a, err == nil && registry.Authorize(j.acts, v, clock, a, now) == nil && registry.Check(v, clock, a, now) == nil
}

// view is the registry as its database has it, and its version.
func (j *jobber) view(ctx context.Context) (v *snapshot.View, version uint64, err error) {
	err = j.records(ctx, func(st *store.Store) error {
		head, err := st.Head(ctx)
		if err != nil {
			return err
		}
		records, err := st.Load(ctx, head.Seq)
		if err != nil {
			return err
		}
		e := (&snapshot.View{}).WithSettings(j.config.Settings()).Edit()
		for _, r := range records {
			e.Put(r)
		}
		v, version = e.Publish(head.Seq, head.LogIndex, j.now()), head.Seq
		return nil
	})
	return v, version, err
}

// records opens the database beside the server.
func (j *jobber) records(ctx context.Context, do func(*store.Store) error) error {
	keys, err := seal.Open(filepath.Join(j.site.Data(), "keys"), seal.KeyFile(""))
	if err != nil {
		return err
	}
	st, err := store.Open(ctx, filepath.Join(j.site.Data(), "registry.db"), keys.Documents())
	if err != nil {
		return err
	}
	return errors.Join(do(st), st.Close())
}

// news are the keys of acts that are told. The clock's are counted on the way: each
// once for each subject.
func (j *jobber) news(ctx context.Context, v *snapshot.View) (map[string]bool, error) {
	out, seen := map[string]bool{}, map[string]time.Time{}
	did := map[string]int{}
	err := j.records(ctx, func(st *store.Store) error {
		entries, err := st.Since(ctx, j.start, 100_000)
		for _, e := range entries {
			if n, ok := reminder.OfAct(v, reminder.Act{ID: e.ID, Kind: string(e.Kind), Subject: e.Subject, Actor: e.Actor, At: e.At}); ok {
				out[n.Key] = true
			}
			what := string(e.Kind) + " " + e.Subject.ID
			last, again := seen[what]
			if daily := e.Kind == "offboarding.record-check"; again && (!daily || e.At.Sub(last) < lookEvery) {
				return fmt.Errorf("the clock did %s at %s and at %s", what, last, e.At)
			}
			seen[what] = e.At
			did[string(e.Kind)]++
		}
		return err
	})
	j.did = did
	return out, err
}

// told are the ids of the messages that told a key to the webhook.
func (j *jobber) told() map[string]map[string]bool {
	out := map[string]map[string]bool{}
	for _, c := range j.outside.Calls() {
		for _, key := range keysOf(c) {
			if out[key] == nil {
				out[key] = map[string]bool{}
			}
			out[key][c.Header.Get("webhook-id")] = true
		}
	}
	return out
}

func keysOf(c notifytest.Call) (keys []string) {
	var e struct {
		Data struct{ Notices []notify.Item }
	}
	if json.Unmarshal(c.Body, &e) != nil {
		return nil // it would be missed
	}
	for _, i := range e.Data.Notices {
		keys = append(keys, i.Key)
	}
	return keys
}

// collapsed checks that the life that has ended told one step of each date at most,
// however many had passed.
func (j *jobber) collapsed() error {
	steps := map[string]string{} // by date: the step's key
	for _, c := range j.outside.Calls()[j.calls:] {
		for _, key := range keysOf(c) {
			if !reminder.FromDate(key) {
				continue
			}
			date := key[:strings.LastIndexByte(key, '/')]
			if old := steps[date]; old != "" && old != key {
				return fmt.Errorf("at one time two steps of one date were told: %s and %s", old, key)
			}
			steps[date] = key
		}
	}
	return nil
}

// count compares all that arrived with all that was due.
func (j *jobber) count(ctx context.Context) (again int, err error) {
	v, version, err := j.view(ctx)
	if err != nil {
		return 0, err
	}
	acts, err := j.news(ctx, v)
	told := j.told()
	for key := range told {
		if n := len(told[key]); n != 1 {
			err = errors.Join(err, fmt.Errorf("%s was told in %d messages", key, n))
		}
		if !acts[key] && !j.may[key] {
			err = errors.Join(err, fmt.Errorf("%s was told and never due", key))
		}
	}
	for key := range j.must {
		if len(told[key]) == 0 {
			err = errors.Join(err, fmt.Errorf("%s was never told", key))
		}
	}
	for key := range acts {
		if len(told[key]) == 0 {
			err = errors.Join(err, fmt.Errorf("%s was never told", key))
		}
	}
	for _, kind := range []string{"request.lapse", "review.lapse", "campaign.begin", "campaign.close", "link.revoke", "offboarding.record-check"} {
		if j.did[kind] == 0 {
			err = errors.Join(err, fmt.Errorf("the clock never did %s up to version %d", kind, version))
		}
	}
	mails := map[string]map[string]bool{} // message ids by key
	ids := map[string]bool{}
	for _, m := range j.outside.Mails() {
		ids["mail "+m.ID] = true
		for _, key := range m.Keys { // the header names some
			if mails[key] == nil {
				mails[key] = map[string]bool{}
			}
			mails[key][m.ID] = true
		}
	}
	// Every act is mailed in the end, in whichever digest; the mail's text names it.
	var texts strings.Builder
	for _, m := range j.outside.Mails() {
		texts.WriteString(m.Text)
	}
	for key := range acts {
		if act, _ := strings.CutPrefix(key, "act/"); !strings.Contains(texts.String(), ", act "+act+".") {
			err = errors.Join(err, fmt.Errorf("%s was never mailed", key))
		}
	}
	for key, in := range mails {
		if len(in) != 1 {
			err = errors.Join(err, fmt.Errorf("%s was mailed in %d messages", key, len(in)))
		}
	}
	if len(mails) == 0 {
		err = errors.Join(err, errors.New("nothing was mailed"))
	}
	for _, c := range j.outside.Calls() {
		ids["call "+c.Header.Get("webhook-id")] = true
	}
	return len(j.outside.Mails()) + len(j.outside.Calls()) - len(ids), err
}

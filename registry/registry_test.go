package registry_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/internal/need"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
	"github.com/sallyport/sallyport/store"
)

func TestMain(m *testing.M) {
	if os.Getenv("SALLYPORT_ACT_CHILD") != "" {
		actChild() // see kill_test.go
		return
	}
	if os.Getenv("SALLYPORT_LETHAL_ACT") != "" {
		lethalAct() // see kill_every_test.go
		return
	}
	os.Exit(m.Run())
}

func openStore(t *testing.T, where string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), where, registrytest.Sealer{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func options(t *testing.T, s registry.Store, log registry.Log) registry.Options {
	t.Helper()
	engine, err := registry.NewEngine()
	if err != nil {
		t.Fatal(err)
	}
	return registry.Options{Store: s, Log: log, Engine: engine, Node: "node-1", Settings: registrytest.Settings()}
}

func open(t *testing.T, o registry.Options) *registry.Registry {
	t.Helper()
	r, err := registry.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// ready is a registry on a new SQLite file on which the demo's acts were done.
func ready(t *testing.T) (*registry.Registry, *registrytest.Log, registry.Options) {
	t.Helper()
	log := &registrytest.Log{}
	o := options(t, openStore(t, filepath.Join(t.TempDir(), "registry.db")), log)
	r := open(t, o)
	if err := registrytest.Do(t.Context(), r, demo(t)); err != nil {
		t.Fatal(err)
	}
	return r, log, o
}

func demo(t *testing.T) []registrytest.Step {
	t.Helper()
	steps, err := registrytest.Demo{Now: time.Now().Add(-time.Minute)}.Steps()
	if err != nil {
		t.Fatal(err)
	}
	return steps
}

func do(t *testing.T, r *registry.Registry, by id.Person, a registry.Act) (registry.Result, error) {
	t.Helper()
	return r.Do(t.Context(), registry.Actor{Person: by}, a, registry.Meta{Reason: "test"})
}

func must(t *testing.T, r *registry.Registry, by id.Person, a registry.Act) registry.Result {
	t.Helper()
	res, err := do(t, r, by, a)
	if err != nil {
		t.Fatalf("%T: %v", a, err)
	}
	return res
}

// dump is a view's content as JSON, for comparison.
func dump(t *testing.T, v *snapshot.View) string {
	t.Helper()
	var b strings.Builder
	enc := json.NewEncoder(&b)
	put := func(r snapshot.Record) {
		b.WriteString(string(r.Noun()) + "/" + r.Key() + " ")
		if err := enc.Encode(r); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range v.Vendors.All() {
		put(r)
	}
	for _, r := range v.Assessments.All() {
		put(r)
	}
	for _, r := range v.Certifications.All() {
		put(r)
	}
	for _, r := range v.Agreements.All() {
		put(r)
	}
	for _, r := range v.Engagements.All() {
		put(r)
	}
	for _, r := range v.Attestations.All() {
		put(r)
	}
	for _, r := range v.Keys.All() {
		put(r)
	}
	for _, r := range v.Connectors.All() {
		put(r)
	}
	for _, r := range v.Sessions.All() {
		put(r)
	}
	for _, r := range v.Postures.All() {
		put(r)
	}
	for _, r := range v.Determinations.All() {
		put(r)
	}
	for _, r := range v.Persons.All() {
		put(r)
	}
	for _, r := range v.Trainings.All() {
		put(r)
	}
	for _, r := range v.Devices.All() {
		put(r)
	}
	for _, r := range v.Apps.All() {
		put(r)
	}
	for _, r := range v.Roles.All() {
		put(r)
	}
	for _, r := range v.Grants.All() {
		put(r)
	}
	for _, r := range v.Reviews.All() {
		put(r)
	}
	for _, r := range v.Holds.All() {
		put(r)
	}
	for _, r := range v.Questionnaires.All() {
		put(r)
	}
	for _, r := range v.Links.All() {
		put(r)
	}
	for _, r := range v.Findings.All() {
		put(r)
	}
	for _, r := range v.Courses.All() {
		put(r)
	}
	for _, r := range v.Attempts.All() {
		put(r)
	}
	for _, r := range v.Requests.All() {
		put(r)
	}
	for _, r := range v.Campaigns.All() {
		put(r)
	}
	for _, r := range v.Emergencies.All() {
		put(r)
	}
	for _, r := range v.Incidents.All() {
		put(r)
	}
	for _, r := range v.Offboardings.All() {
		put(r)
	}
	return b.String()
}

func TestTheActsLeadFromAnEmptyRegistryToAGrant(t *testing.T) {
	r, log, o := ready(t)
	v := r.View()
	steps := demo(t)
	if got, want := v.Version(), uint64(len(steps)); got != want {
		t.Errorf("version: got %d, want %d", got, want)
	}
	if got, want := v.LogIndex(), uint64(len(steps)-1); got != want {
		t.Errorf("log index: got %d, want %d", got, want)
	}
	g, ok := v.Grants.Get("triage-grant")
	if !ok || g.State != snapshot.Approved || g.RequestedBy != registrytest.Ada || g.ApprovedBy != registrytest.Grace {
		t.Errorf("grant: got %+v", g)
	}
	if got := len(v.ReviewsOf("triage-grant")); got != 1 {
		t.Errorf("reviews of the grant: got %d, want 1", got)
	}
	if got := len(log.Entries()); got != len(steps) {
		t.Errorf("log: got %d entries, want %d", got, len(steps))
	}
	for i, e := range log.Entries() {
		if e.Registry != uint64(i+1) || e.Digest == (audit.Digest{}) {
			t.Errorf("entry %d: got %+v", i, e)
		}
	}
	again := open(t, o)
	if got, want := dump(t, again.View()), dump(t, v); got != want {
		t.Errorf("the view read back differs:\ngot  %s\nwant %s", got, want)
	}
	if again.View().LogIndex() != v.LogIndex() {
		t.Errorf("log index read back: got %d, want %d", again.View().LogIndex(), v.LogIndex())
	}
}

func TestTheSecondPersonIsInTheLogAsAdmittedByTheFirst(t *testing.T) {
	r, log, _ := ready(t)
	var kinds []string
	for _, e := range log.Entries() {
		if e.Actor == e.Approver {
			kinds = append(kinds, e.Kind)
		}
	}
	if got, want := strings.Join(kinds, " "), "organisation.bootstrap organisation.second-person"; got != want {
		t.Errorf("acts that one person both asked for and approved: got %q, want %q", got, want)
	}
	must(t, r, registrytest.Ada, registry.ProposePerson{ID: "mallory", Name: "Mallory", Classification: "workforce", Basis: "employee"})
	for _, a := range []registry.Act{registry.AdmitSecondPerson{ID: "mallory"}, registry.ApprovePerson{ID: "mallory"},
		registry.BootstrapOrganisation{ID: registrytest.Ada, Name: "x", Key256: registrytest.Key("x")}} {
		if _, err := do(t, r, registrytest.Ada, a); problem.From(err).Kind != problem.Refused {
			t.Errorf("%T by the proposer: got %v, want a refusal", a, err)
		}
	}
}

func TestAnActThatTheLogCannotTakeHasNoEffectUntilItCan(t *testing.T) {
	r, log, _ := ready(t)
	before := r.View()
	broken := errors.New("disk full")
	log.Fail = func(audit.ActEntry) error { return broken }
	_, err := do(t, r, registrytest.Grace, registry.SuspendVendor{ID: "northwind"})
	if p := problem.From(err); p.Kind != problem.Unavailable || !errors.Is(err, broken) {
		t.Fatalf("got %v, want unavailable because of %v", err, broken)
	}
	if got := r.View(); got.Version() != before.Version() {
		t.Errorf("a view was published ahead of the log: version %d, want %d", got.Version(), before.Version())
	}
	if err := r.Refresh(t.Context()); err == nil {
		t.Error("Refresh confirmed a view while an act waits for the log")
	}
	log.Fail = nil
	if err := r.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if v, _ := r.View().Vendors.Get("northwind"); v.State != snapshot.Suspended {
		t.Errorf("after the log came back: vendor is %s, want suspended", v.State)
	}
}

func TestAnIdempotencyKeyMakesARepetitionHarmless(t *testing.T) {
	r, log, _ := ready(t)
	m := registry.Meta{Reason: "incident", IdempotencyKey: "k-1"}
	by := registry.Actor{Person: registrytest.Grace}
	one, err := r.Do(t.Context(), by, registry.SuspendVendor{ID: "northwind"}, m)
	if err != nil {
		t.Fatal(err)
	}
	n := len(log.Entries())
	two, err := r.Do(t.Context(), by, registry.SuspendVendor{ID: "northwind"}, m)
	if err != nil {
		t.Fatal(err)
	}
	if two.Act != one.Act || two.LogIndex != one.LogIndex || !two.Repeated || len(two.Changed) != len(one.Changed) {
		t.Errorf("repeated: got %+v, want %+v", two, one)
	}
	if len(log.Entries()) != n {
		t.Error("the repetition was logged")
	}
	if _, err := r.Do(t.Context(), by, registry.ResumeVendor{ID: "northwind"}, m); problem.From(err).Kind != problem.Conflict {
		t.Errorf("same key, other act: got %v, want a conflict", err)
	}
}

func TestADatabaseThatIsDownConfirmsNothing(t *testing.T) {
	r, _, o := ready(t)
	confirmed := r.View().Confirmed()
	if err := o.Store.(*store.Store).Close(); err != nil {
		t.Fatal(err)
	}
	if err := r.Refresh(t.Context()); err == nil {
		t.Error("Refresh without a database: no error")
	}
	if got := r.View().Confirmed(); !got.Equal(confirmed) {
		t.Errorf("confirmed moved from %v to %v", confirmed, got)
	}
	if _, err := do(t, r, registrytest.Grace, registry.SuspendVendor{ID: "northwind"}); problem.From(err).Kind != problem.Unavailable {
		t.Errorf("an act without a database: got %v", err)
	}
}

func TestTheViewAtATime(t *testing.T) {
	r, _, _ := ready(t)
	entries, err := r.Acts(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	now := r.View()
	must(t, r, registrytest.Grace, registry.TerminateAgreement{ID: "northwind-baa"})
	last := entries[len(entries)-1]
	then, err := r.At(t.Context(), last.At)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := dump(t, then), dump(t, now); got != want {
		t.Errorf("before the termination:\ngot  %s\nwant %s", got, want)
	}
	if then.Version() != now.Version() || then.LogIndex() != now.LogIndex() || !then.Confirmed().Equal(last.At) {
		t.Errorf("got version %d, index %d, confirmed %v", then.Version(), then.LogIndex(), then.Confirmed())
	}
	before, err := r.At(t.Context(), entries[0].At.Add(-time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if before.Version() != 0 || dump(t, before) != "" {
		t.Error("before the first act the registry is not empty")
	}
	fifth, err := r.AtVersion(t.Context(), 5)
	if err != nil {
		t.Fatal(err)
	}
	if v, ok := fifth.Vendors.Get("northwind"); !ok || v.State != snapshot.Proposed {
		t.Errorf("after act 5: got %+v", v)
	}
}

func TestAReasonIsRequiredAndSealed(t *testing.T) {
	r, _, o := ready(t)
	_, err := r.Do(t.Context(), registry.Actor{Person: registrytest.Grace}, registry.SuspendVendor{ID: "northwind"}, registry.Meta{Reason: " "})
	if p := problem.From(err); p.Field != "reason" {
		t.Errorf("got %v, want a problem with reason", err)
	}
	const canary = "CANARY-in-a-reason"
	if _, err := r.Do(t.Context(), registry.Actor{Person: registrytest.Grace}, registry.SuspendVendor{ID: "northwind"}, registry.Meta{Reason: canary}); err != nil {
		t.Fatal(err)
	}
	entries, err := r.Acts(t.Context(), r.View().Version()-1, 1)
	if err != nil || len(entries) != 1 || entries[0].Reason != canary {
		t.Errorf("read back: got %v, %v", entries, err)
	}
	_ = o
}

func TestAnActNeedsADocumentThatIsStored(t *testing.T) {
	r, _, _ := ready(t)
	draft := registry.DraftAgreement{ID: "x", Kind: snapshot.BAA, Vendor: "northwind", Document: strings.Repeat("ab", 32), EffectiveAt: time.Now()}
	if _, err := do(t, r, registrytest.Ada, draft); problem.From(err).Field != "document_sha256" {
		t.Errorf("got %v, want a problem with document_sha256", err)
	}
	d, err := r.Document(t.Context(), registry.NewDocument("", registrytest.Paper).Digest)
	if err != nil || string(d.Content) != string(registrytest.Paper) {
		t.Errorf("got %q, %v", d.Content, err)
	}
}

func TestAGivenUpContextDoesNotStopACommittedAct(t *testing.T) {
	r, log, _ := ready(t)
	ctx, cancel := context.WithCancel(t.Context())
	log.Fail = func(audit.ActEntry) error { cancel(); return nil }
	res, err := r.Do(ctx, registry.Actor{Person: registrytest.Grace}, registry.SuspendVendor{ID: "northwind"}, registry.Meta{Reason: "incident"})
	if err != nil {
		t.Fatal(err)
	}
	if v, _ := res.View.Vendors.Get("northwind"); v.State != snapshot.Suspended {
		t.Errorf("got %s, want suspended", v.State)
	}
}

// databases are what tests of several processes run on.
var databases = map[string]func(t *testing.T) string{
	"sqlite":   func(t *testing.T) string { return filepath.Join(t.TempDir(), "registry.db") },
	"postgres": postgres,
}

// postgres makes an empty schema in the database that SALLYPORT_TEST_POSTGRES
// names.
func postgres(t *testing.T) string {
	t.Helper()
	where := need.Postgres(t)
	db, err := sql.Open("pgx", where)
	if err != nil {
		t.Fatal(err)
	}
	schema := "t" + strings.ToLower(string(id.New[id.Act](time.Now())))
	if _, err := db.ExecContext(t.Context(), "CREATE SCHEMA "+schema); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := db.ExecContext(context.Background(), "DROP SCHEMA "+schema+" CASCADE"); err != nil {
			t.Error(err)
		}
		db.Close()
	})
	u, err := url.Parse(where)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	return u.String()
}

func TestANewVersionIsNews(t *testing.T) {
	r, _, _ := ready(t)
	news := r.Changed()
	if err := r.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	select {
	case <-news:
		t.Fatal("a confirmation was news")
	default:
	}
	must(t, r, registrytest.Grace, registry.SuspendVendor{ID: "northwind"})
	select {
	case <-news:
	default:
		t.Error("a new version was no news")
	}
}

// A clock that is set back moves no act before another, and does not confirm
// the view ahead of time.
func TestAClockThatIsSetBack(t *testing.T) {
	now := time.Now().UTC()
	o := options(t, openStore(t, filepath.Join(t.TempDir(), "registry.db")), &registrytest.Log{})
	o.Clock = func() time.Time { return now }
	r := open(t, o)
	if err := organisation(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	last := now
	now = now.Add(-time.Hour)
	res := must(t, r, "ada", registry.ProposeVendor{ID: "v", Name: "V"})
	if res.At.Before(last.Truncate(time.Microsecond)) {
		t.Errorf("the act is at %v, before the last at %v", res.At, last)
	}
	if got := r.View().Confirmed(); got.After(now) {
		t.Errorf("the view is confirmed at %v, ahead of the clock at %v", got, now)
	}
}

// What records rest on outlives every engagement, and what is said to go with one
// does.
func TestAPaperIsNotLostWithAnEngagement(t *testing.T) {
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "registry.db"), registrytest.Sealer{},
		store.WithEngagements(func(id.Engagement) (store.Sealer, error) { return registrytest.Sealer{Key: [32]byte{7}}, nil }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	r := open(t, options(t, s, &registrytest.Log{}))
	if err := registrytest.Do(t.Context(), r, demo(t)); err != nil {
		t.Fatal(err)
	}
	all := r.View().Engagements.All()
	paper := registry.NewDocument("text/plain", []byte("a report that must be kept"))
	under := paper
	for _, e := range all {
		under.Engagement = e.ID
	}
	must(t, r, registrytest.Ada, under)
	a := registry.RecordAssessment{ID: "kept", Vendor: "northwind", Verdict: snapshot.Pass, DecidedAt: time.Now().Add(-time.Hour), ValidUntil: time.Now().AddDate(1, 0, 0), Report: paper.Digest}
	if _, err := do(t, r, registrytest.Grace, a); problem.From(err).Kind != problem.Conflict {
		t.Errorf("a record rests on a paper that goes with an engagement: %v", err)
	}
	must(t, r, registrytest.Ada, paper)
	must(t, r, registrytest.Grace, a)
	// And what is the organisation's is not said to go with an engagement.
	if _, err := do(t, r, registrytest.Ada, under); problem.From(err).Kind != problem.Conflict || problem.From(err).Field != "engagement" {
		t.Errorf("it is said to be under an engagement's key, and is not: %v", err)
	}
	if n, err := r.DocumentsOf(t.Context(), under.Engagement); err != nil || n != 0 {
		t.Errorf("%d documents go with the engagement, %v", n, err)
	}
}

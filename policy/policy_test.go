package policy_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/sallyport/sallyport/gate"
	"github.com/sallyport/sallyport/gate/gatetest"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func permit(t *testing.T, e *policy.Engine, v *snapshot.View) *policy.Permit {
	t.Helper()
	p, refusal := e.Decide(gatetest.Request(v, now))
	if refusal != nil {
		t.Fatalf("refused: %v", refusal.Problem(policy.Owner))
	}
	return p
}

// edit publishes the world with a record changed, a second later.
func edit(v *snapshot.View, records ...snapshot.Record) *snapshot.View {
	e := v.Edit()
	for _, r := range records {
		e.Put(r)
	}
	return e.Publish(v.Version()+1, v.LogIndex()+1, now.Add(time.Second))
}

func terminated(v *snapshot.View) *snapshot.View {
	a, _ := v.Agreements.Get(gatetest.BAA)
	b := *a
	b.TerminatedAt = now.Add(time.Second)
	return edit(v, &b)
}

func onlyGate(t *testing.T, r *policy.Refusal, want, code string) {
	t.Helper()
	if r == nil {
		t.Fatalf("permitted, want a refusal by %s", want)
	}
	for _, f := range r.Failures {
		if f.Gate == want && f.Code == code {
			return
		}
	}
	t.Errorf("refused for %v, want %s/%s", r.Failures, want, code)
}

func TestZeroValuesRefuse(t *testing.T) {
	var e policy.Engine
	v := gatetest.View(now)
	p, refusal := e.Decide(gatetest.Request(v, now))
	if p != nil {
		t.Fatal("the zero engine permits")
	}
	onlyGate(t, refusal, "policy_loaded", policy.NotLoaded)
	p, refusal = (*policy.Engine)(nil).Decide(policy.Request{})
	if p != nil {
		t.Fatal("no engine permits")
	}
	onlyGate(t, refusal, "policy_loaded", policy.NotLoaded)

	p = &policy.Permit{}
	onlyGate(t, p.Still(v, now), "policy_loaded", policy.NotLoaded)
	a, refusal := p.Admit(v, now, policy.Usage{Known: true}, gatetest.Content())
	onlyGate(t, refusal, "policy_loaded", policy.NotLoaded)
	if a.Admitted() || (policy.Admission{}).Admitted() {
		t.Error("the zero permit admits")
	}
	if got := p.Limits(); got.Role != nil || got.PageSize != 0 || got.PatientsLeft != 0 || got.BytesLeft != 0 {
		t.Errorf("the zero permit reaches %+v", got)
	}
	if p.Decision() != "" || !p.ValidUntil().IsZero() || p.PolicyVersion() != "" || p.Basis().Purpose != "" {
		t.Error("the zero permit says something")
	}
}

func TestAPermitSaysWhatItRestsOn(t *testing.T) {
	e := newEngine(t)
	v := gatetest.View(now)
	p := permit(t, e, v)
	at, err := id.Time(p.Decision())
	if err != nil || !at.Equal(now) {
		t.Errorf("decision %q at %v, want %v: %v", p.Decision(), at, now, err)
	}
	if got, want := p.PolicyVersion(), e.Version(); got != want || len(want) != 64 {
		t.Errorf("policy version %q, want %q", got, want)
	}
	if got, want := p.SnapshotVersion(), v.Version(); got != want {
		t.Errorf("snapshot version %d, want %d", got, want)
	}
	if got, want := p.SnapshotLogIndex(), v.LogIndex(); got != want {
		t.Errorf("snapshot log index %d, want %d", got, want)
	}
	l := p.Limits()
	if l.PageSize != 50 || l.PatientsLeft != 990 || l.BytesLeft != 1<<30-1<<20 || l.Role.ID != gatetest.Role {
		t.Errorf("limits %+v", l)
	}
	b := p.Basis()
	if b.Person != gatetest.Person || b.Role != gatetest.Role || b.Profile != "minimum-necessary" || b.AgentKind != snapshot.Workload {
		t.Errorf("basis %+v", b)
	}
	if !slices.IsSorted(b.Clauses) || !slices.IsSorted(b.Agreements) || !slices.Contains(b.Agreements, gatetest.SubBAA) {
		t.Errorf("basis rests on %v, %v", b.Agreements, b.Clauses)
	}
	other := gatetest.Request(v, now)
	other.Reads = append(other.Reads, "Patient.gender")
	if len(p.RequestDigest()) != 64 || p.RequestDigest() == other.Digest() {
		t.Error("the digest does not tell two questions apart")
	}
}

// A decision that is repeated keeps its facts: what it allocates is a permit, an
// id and Cedar's own.
func TestADecisionAllocatesLittle(t *testing.T) {
	e := newEngine(t)
	r := gatetest.Request(gatetest.View(now), now)
	got := testing.AllocsPerRun(100, func() { e.Decide(r) })
	if want := 40.; got > want {
		t.Errorf("a decision allocates %v times, want %v at most", got, want)
	}
}

// A BAA is terminated while a download runs.
func TestARevocationStopsWhatIsUnderWay(t *testing.T) {
	e := newEngine(t)
	v := gatetest.View(now)
	p := permit(t, e, v)
	if r := p.Still(v, now.Add(time.Second)); r != nil {
		t.Fatalf("stopped though nothing changed: %v", r.Failures)
	}
	w := terminated(v)
	r := p.Still(w, now.Add(time.Second))
	onlyGate(t, r, "agreement", "ended")
	if r.Decision != p.Decision() {
		t.Errorf("the refusal is of decision %q, want %q", r.Decision, p.Decision())
	}
	if r.SnapshotVersion != w.Version() {
		t.Errorf("the refusal names view %d, want %d", r.SnapshotVersion, w.Version())
	}
	_, r = p.Admit(w, now.Add(time.Second), policy.Usage{Known: true}, gatetest.Content())
	onlyGate(t, r, "agreement", "ended")
}

func TestADatePassesWhileNothingElseChanges(t *testing.T) {
	e := newEngine(t)
	v := gatetest.View(now)
	training, _ := v.Trainings.Get(gatetest.Training)
	short := *training
	short.ExpiresAt = now.Add(1500 * time.Millisecond)
	v = edit(v, &short)
	p := permit(t, e, v)
	if got := p.ValidUntil(); !got.Equal(short.ExpiresAt) {
		t.Errorf("valid until %v, want %v", got, short.ExpiresAt)
	}
	if r := p.Still(v, now.Add(1499*time.Millisecond)); r != nil {
		t.Fatalf("stopped early: %v", r.Failures)
	}
	onlyGate(t, p.Still(v, now.Add(1500*time.Millisecond)), "training", "expired")
	onlyGate(t, p.Still(v, now.Add(2*time.Minute)), "fresh", "stale")
	// The registry is heard again: what is under way goes on, but for the training.
	if r := p.Still(v.Confirm(now.Add(2*time.Minute)), now.Add(2*time.Minute)); r == nil || len(r.Failures) != 1 {
		t.Errorf("refused for %v, want the training alone", r)
	}
	onlyGate(t, p.Still(v, now.Add(-time.Second)), "fresh", policy.ClockBack)
	onlyGate(t, p.Still(nil, now), "fresh", "stale")
}

// An elevation ends what is under way with it: at its end, when it is ended early,
// and with the grant that it lifts.
func TestAnElevationEndsWhatIsUnderWay(t *testing.T) {
	e, v := newEngine(t), gatetest.View(now)
	base, _ := v.Grants.Get(gatetest.Grant)
	ordinary := *base
	ordinary.ID = "base-grant"
	lifted := *base
	lifted.Elevates, lifted.Ticket, lifted.StartsAt, lifted.EndsAt = "base-grant", "INC-4711", now.Add(-time.Minute), now.Add(30*time.Second)
	v = edit(v, &ordinary, &lifted)
	p := permit(t, e, v)
	if got := p.ValidUntil(); !got.Equal(lifted.EndsAt) {
		t.Errorf("valid until %v, want %v", got, lifted.EndsAt)
	}
	if r := p.Still(v, now.Add(29*time.Second)); r != nil {
		t.Fatalf("stopped early: %v", r.Failures)
	}
	onlyGate(t, p.Still(v, now.Add(30*time.Second)), "grant", "ended")
	early := lifted
	early.State = snapshot.Ended
	onlyGate(t, p.Still(edit(v, &early), now.Add(time.Second)), "grant", "taken-away")
	revoked := ordinary
	revoked.State = snapshot.Ended
	r := p.Still(edit(v, &revoked), now.Add(time.Second))
	onlyGate(t, r, "grant", "base-ended")
	for _, rung := range policy.Explain(e, gatetest.Request(v, now)).Rungs {
		if rung.Gate != "grant" {
			continue
		}
		shown := map[string]string{}
		for _, f := range rung.Facts {
			shown[f.Name] = f.Value()
		}
		if shown["elevates"] != "base-grant" || shown["ticket"] != "INC-4711" || shown["elevated_until"] != "2026-11-23T12:00:30Z" {
			t.Errorf("the decision does not show the elevation: %v", shown)
		}
	}
}

// What is under way was cut by the role of its beginning: it stops when less is
// granted, though the gates would let the request begin anew.
func TestWhatIsUnderWayStopsWhenTheRoleIsCutDown(t *testing.T) {
	e, v := newEngine(t), gatetest.View(now)
	p := permit(t, e, v)
	whole, _ := v.Roles.Get(gatetest.Role)
	grant, _ := v.Grants.Get(gatetest.Grant)
	same, less, next := *whole, *whole, *grant
	same.Title = "the same by another name"
	if r := p.Still(edit(v, &same), now); r != nil {
		t.Errorf("stopped by a title: %v", r.Failures)
	}
	less.ID, less.DerivedFrom, next.Role = "part", whole.ID, "part"
	less.Resources = map[string]snapshot.ResourceScope{
		"Patient":     {Interactions: []string{"read", "search-type"}, Elements: []string{"id"}},
		"Observation": {Interactions: []string{"read", "search-type"}, Elements: []string{"code", "subject"}}}
	v = edit(v, &less, &next)
	permit(t, e, v)
	onlyGate(t, p.Still(v, now), "role", policy.ScopeChanged)
	if a, r := p.Admit(v, now, gatetest.Request(v, now).Usage, gatetest.Content()); a.Admitted() {
		t.Error("more than is granted was admitted")
	} else {
		onlyGate(t, r, "role", policy.ScopeChanged)
	}
}

func TestAdmitDecidesOnWhatWasFetched(t *testing.T) {
	e := newEngine(t)
	v := gatetest.View(now)
	p := permit(t, e, v)
	usage := policy.Usage{Known: true, Patients: 10}
	for _, c := range []struct {
		gate, code string
		content    policy.Content
		usage      policy.Usage
	}{
		{"cohort", "not-inspected", policy.Content{}, usage},
		{"cohort", "outside", policy.Content{Inspected: true, OutOfCohort: true}, usage},
		{"patient_hold", "held", policy.Content{Inspected: true, HeldPatient: true}, usage},
		{"labels", "not-granted", policy.Content{Inspected: true, Labels: []string{"s|PSYTHPN"}}, usage},
		{"volume", "bytes", policy.Content{Inspected: true, Bytes: 1<<30 + 1}, usage},
		{"volume", "patients", policy.Content{Inspected: true, NewPatients: 991}, usage},
		{"volume", "unknown", policy.Content{Inspected: true}, policy.Usage{}},
	} {
		a, r := p.Admit(v, now, c.usage, c.content)
		if a.Admitted() {
			t.Errorf("%s/%s: admitted", c.gate, c.code)
		}
		onlyGate(t, r, c.gate, c.code)
	}
	a, r := p.Admit(v, now, usage, gatetest.Content())
	if r != nil || !a.Admitted() || a.Permit() != p || a.Bytes() != 2048 || a.NewPatients() != 1 {
		t.Errorf("admission %+v, refusal %v", a, r)
	}
}

// A vendor learns its own reasons, and of the owner's only that there is one.
func TestAudiences(t *testing.T) {
	e := newEngine(t)
	v := gatetest.View(now)
	held := edit(terminated(v), &snapshot.Hold{ID: gatetest.Hold, On: snapshot.Subject{Noun: snapshot.NounGrant, ID: string(gatetest.Grant)},
		Cause: snapshot.HoldFinding, PlacedBy: gatetest.Approver, PlacedAt: now})
	r := gatetest.Request(held, now.Add(time.Second))
	r.Content.HeldPatient = true
	_, refusal := e.Decide(r)
	gates := func(rs []problem.Reason) (out []string) {
		for _, x := range rs {
			out = append(out, x.Gate)
		}
		return out
	}
	if got := gates(refusal.For(policy.Owner)); !slices.Contains(got, "hold") || !slices.Contains(got, "patient_hold") || !slices.Contains(got, "agreement") {
		t.Errorf("the owner sees %v", got)
	}
	got := gates(refusal.For(policy.VendorToo))
	if slices.Contains(got, "hold") || slices.Contains(got, "patient_hold") {
		t.Errorf("the vendor sees %v", got)
	}
	if n := len(slices.DeleteFunc(got, func(s string) bool { return s != "withheld" })); n != 1 {
		t.Errorf("the vendor sees %d neutral lines, want 1", n)
	}
	p := refusal.Problem(policy.VendorToo)
	if strings.Contains(p.Error(), "hold") || strings.Contains(p.Error(), "restriction") || p.Decision == "" || p.Kind != problem.Refused {
		t.Errorf("the vendor reads: %v", p)
	}
	for _, rung := range policy.Explain(e, r).For(policy.VendorToo).Rungs {
		if rung.Gate == "hold" || rung.Gate == "patient_hold" {
			t.Errorf("the vendor's ladder has %s", rung.Gate)
		}
		for _, f := range rung.Failures {
			if len(rung.Facts)+len(f.Facts) > 0 {
				t.Errorf("the vendor's ladder has what %s saw: %v %v", rung.Gate, rung.Facts, f.Facts)
			}
		}
	}
}

// The reader is told which one.
func TestAReasonNamesWhatIsMissing(t *testing.T) {
	e := newEngine(t)
	v := gatetest.View(now)
	a, _ := v.Agreements.Get(gatetest.BAA)
	b := *a
	b.Terms = gatetest.Terms()
	delete(b.Terms, "safeguards")
	r := gatetest.Request(edit(v, &b), now.Add(time.Second))
	r.Reads = []string{"Patient.name", "Patient.gender", "Patient.name=Doe"}
	_, refusal := e.Decide(r)
	text := refusal.Problem(policy.VendorToo).Error()
	if !strings.Contains(text, "BAA-M04") || !strings.Contains(text, "Patient.name") {
		t.Errorf("the term or the element is not named: %s", text)
	}
	if strings.Contains(text, "Patient.gender") || strings.Contains(text, "Doe") {
		t.Errorf("too much is named: %s", text)
	}
}

func TestExplainIsAFullLadder(t *testing.T) {
	e := newEngine(t)
	v := gatetest.View(now)
	l := policy.Explain(e, gatetest.Request(terminated(v), now.Add(time.Second)))
	if l.Permitted || len(l.Rungs) != len(gate.All) {
		t.Fatalf("permitted %v, %d rungs", l.Permitted, len(l.Rungs))
	}
	for _, rung := range l.Rungs {
		fails := slices.Contains([]string{"agreement"}, rung.Gate)
		if rung.Pass == fails {
			t.Errorf("%s passes: %v", rung.Gate, rung.Pass)
		}
		if len(rung.Facts) == 0 || len(rung.Citations) == 0 || rung.Title == "" {
			t.Errorf("%s has no facts, citation or title", rung.Gate)
		}
		if !rung.Pass && (len(rung.Failures) == 0 || rung.Failures[0].NextStep == "") {
			t.Errorf("%s has no next step", rung.Gate)
		}
	}
	// What was: the same question a second before, on the view of then.
	if l := policy.Explain(e, gatetest.Request(v, now)); !l.Permitted {
		t.Error("the past is refused")
	}
	if l := policy.Explain(&policy.Engine{}, policy.Request{}); l.Permitted || len(l.Rungs) != 1 {
		t.Errorf("the zero engine explains %+v", l)
	}
	got := policy.CallerOf(v, policy.Caller{Grant: gatetest.Grant})
	want := policy.Caller{Vendor: gatetest.Vendor, App: gatetest.App, Device: gatetest.Device, Grant: gatetest.Grant, Source: gatetest.Source}
	if got != want {
		t.Errorf("caller %+v, want %+v", got, want)
	}
}

// Decisions, publications and revocations at once: what is decided on a view is
// what that view says, whatever is kept.
func TestManyAtOnce(t *testing.T) {
	e := newEngine(t)
	open := gatetest.View(now)
	shut := terminated(open)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for n := range 100 {
				at := now.Add(time.Second + time.Duration(n)*time.Millisecond)
				if p, r := e.Decide(gatetest.Request(open, at)); p == nil {
					t.Errorf("%d: refused on the open view: %v", i, r.Failures)
					return
				}
				if p, _ := e.Decide(gatetest.Request(shut, at)); p != nil {
					t.Errorf("%d: permitted on the shut view", i)
					return
				}
				open := open.Confirm(at)
				if p, _ := e.Decide(gatetest.Request(open, at)); p == nil {
					t.Errorf("%d: refused on the newest view", i)
					return
				}
			}
		})
	}
	wg.Wait()
}

func site(name, text string) fstest.MapFS { return fstest.MapFS{name: {Data: []byte(text)}} }

func TestSitePoliciesCanOnlyForbid(t *testing.T) {
	for _, c := range []struct{ name, file, text, want string }{
		{"permit", "a.cedar", `@id("open") permit (principal, action, resource);`, "a.cedar:1"},
		{"permit after a forbid", "a.cedar", "@id(\"x\") forbid (principal, action, resource) when { false };\n@id(\"y\")\npermit (principal, action, resource);", "can only forbid"},
		{"no id", "a.cedar", `forbid (principal, action, resource);`, "no @id"},
		{"odd id", "a.cedar", `@id("a b") forbid (principal, action, resource);`, "@id"},
		{"twice", "a.cedar", `@id("x") forbid (principal, action, resource); @id("x") forbid (principal, action, resource);`, "site:x"},
		{"syntax", "sub/b.cedar", "// one\n\nforbid (principal, action, resource) when { context. };", "sub/b.cedar"},
		{"empty", "a.cedar", "// nothing\n", "holds no policy"},
		{"another file", "a.ceder", "forbid", "a.ceder"},
		{"audience", "a.cedar", `@id("x") @audience("public") forbid (principal, action, resource);`, "@audience"},
		{"who", "a.cedar", `@id("x") @who("nobody") forbid (principal, action, resource);`, "@who"},
	} {
		_, err := policy.New(gate.All, site(c.file, c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", c.name, err, c.want)
		}
	}
	if _, err := policy.New(gate.All, site("b.cedar", "// one\n\nforbid (principal, action, resource) when { context. };")); err == nil || !strings.Contains(err.Error(), ":3:") && !strings.Contains(err.Error(), "line 3") {
		t.Errorf("a syntax error does not name its line: %v", err)
	}
}

func TestSitePoliciesForbid(t *testing.T) {
	plain := newEngine(t)
	for _, c := range []struct {
		name, text, code string
		permitted        bool
	}{
		{"by principal", `@id("x") forbid (principal in Sallyport::Vendor::"northwind-ai", action, resource);`, "forbidden", false},
		{"by action", `@id("x") forbid (principal, action == Sallyport::Action::"search-type", resource);`, "forbidden", false},
		{"by source", `@id("x") forbid (principal, action, resource) when { resource.region == "US" };`, "forbidden", false},
		{"by resource type", `@id("x") forbid (principal, action, resource) when { context.request.resources.contains("Observation") };`, "forbidden", false},
		{"by a fact", `@id("x") forbid (principal, action, resource) when { principal.app.kind == "workload" };`, "forbidden", false},
		{"by the millisecond", `@id("x") forbid (principal, action, resource) unless { context.now < datetime("2026-11-23T12:00:00.500Z") };`, "forbidden", false},
		{"missing fact", `@id("x") forbid (principal, action, resource) when { context.nothing == 1 };`, policy.FactMissing, false},
		{"not us", `@id("x") forbid (principal in Sallyport::Vendor::"someone-else", action, resource);`, "", true},
	} {
		e, err := policy.New(gate.All, site("x.cedar", c.text))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if e.Version() == plain.Version() {
			t.Errorf("%s: the version does not cover site policies", c.name)
		}
		r := gatetest.Request(gatetest.View(now), now.Add(500*time.Millisecond))
		p, refusal := e.Decide(r)
		if c.permitted {
			if p == nil {
				t.Errorf("%s: refused: %v", c.name, refusal.Failures)
			}
			continue
		}
		onlyGate(t, refusal, "site:x", c.code)
	}
	e, err := policy.New(gate.All, site("x.cedar", `
		@id("weekend") @message("No releases on Mondays") @next_step("Ask on Tuesday") @citation("Board policy 7") @audience("vendor") @who("vendor")
		forbid (principal, action, resource);`))
	if err != nil {
		t.Fatal(err)
	}
	_, refusal := e.Decide(gatetest.Request(gatetest.View(now), now))
	want := problem.Reason{Gate: "site:weekend", Message: "No releases on Mondays", NextStep: "Ask on Tuesday", Who: "vendor", Citation: "Board policy 7", Verified: "policy"}
	if got := refusal.For(policy.VendorToo); len(got) != 1 || got[0] != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestNewRefusesAGateThatCouldNotRefuse(t *testing.T) {
	good := gate.All[0]
	for name, spoil := range map[string]func(*policy.Gate){
		"no id":            func(g *policy.Gate) { g.ID = "" },
		"another id":       func(g *policy.Gate) { g.ID = "other" },
		"permits":          func(g *policy.Gate) { g.Policy = `@id("policy_loaded") permit (principal, action, resource);` },
		"two policies":     func(g *policy.Gate) { g.Policy += g.Policy },
		"no policy":        func(g *policy.Gate) { g.Policy = "" },
		"no citation":      func(g *policy.Gate) { g.Cites = nil },
		"unknown citation": func(g *policy.Gate) { g.Cites = []string{"S-999"} },
		"no reasons":       func(g *policy.Gate) { g.Reasons = nil },
		"no facts":         func(g *policy.Gate) { g.Known, g.Asked = nil, nil },
		"no next step":     func(g *policy.Gate) { g.Reasons = []policy.Reason{{Code: "x", Message: "m"}} },
		"no stage":         func(g *policy.Gate) { g.Stage = "" },
		"no title":         func(g *policy.Gate) { g.Title = "" },
	} {
		g := good
		spoil(&g)
		if _, err := policy.New([]policy.Gate{g}, nil); err == nil {
			t.Errorf("%s: loaded", name)
		}
	}
	if _, err := policy.New(nil, nil); err == nil {
		t.Error("no gates at all: loaded")
	}
	if _, err := policy.New([]policy.Gate{good, good}, nil); err == nil {
		t.Error("a gate twice: loaded")
	}
}

// FuzzSitePolicy: whatever a site file holds, the engine refuses to load or the
// file can only forbid.
func FuzzSitePolicy(f *testing.F) {
	f.Add(`@id("x") forbid (principal, action, resource) when { context.now < datetime("2026-01-01") };`)
	f.Add(`@id("x") permit (principal, action, resource);`)
	f.Add(`@id("a") forbid(principal,action,resource) when {principal.vendor.state == 1};`)
	v := gatetest.View(now)
	r := gatetest.Request(v, now)
	shut := gatetest.Request(terminated(v), now.Add(time.Second))
	f.Fuzz(func(t *testing.T, text string) {
		e, err := policy.New(gate.All, site("x.cedar", text))
		if err != nil {
			return
		}
		if p, refusal := e.Decide(r); (p == nil) == (refusal == nil) {
			t.Fatal("both or neither")
		}
		if p, _ := e.Decide(shut); p != nil {
			t.Fatal("a site policy opened what was shut")
		}
	})
}

// A reader is shown the organisation's own rules as they decide.
func TestSiteRulesAreShown(t *testing.T) {
	e, err := policy.New(gate.All, site("nights.cedar", `
		@id("nights") @title("No agents at night") @message("Agents do not work at night") @next_step("Ask by day") @citation("house rule 7") @who("vendor") @audience("vendor")
		forbid (principal, action, resource) when { principal.app.kind == "agent" };`))
	if err != nil {
		t.Fatal(err)
	}
	rules := e.SiteRules()
	if len(rules) != 1 {
		t.Fatalf("got %d rules, want 1", len(rules))
	}
	r := rules[0]
	if r.Gate != "site:nights" || r.Title != "No agents at night" || r.File != "nights.cedar" || r.Audience != policy.VendorToo || r.Reason.Message != "Agents do not work at night" ||
		r.Citation.Text != "house rule 7" || !strings.Contains(r.Policy, "forbid") || !strings.Contains(r.Policy, "agent") {
		t.Errorf("got %+v", r)
	}
	bare, err := policy.New(gate.All, nil)
	if err != nil || len(bare.SiteRules()) != 0 || len((*policy.Engine)(nil).SiteRules()) != 0 {
		t.Errorf("an engine without a site's rules shows some (%v)", err)
	}
}

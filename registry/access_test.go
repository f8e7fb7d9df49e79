package registry_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

var theClock = registry.Actor{Clock: true}

func (w *world) grant(key id.Grant) *snapshot.Grant {
	g, ok := w.view.Grants.Get(key)
	if !ok {
		w.t.Fatalf("there is no grant %q", key)
	}
	return g
}

// accessWorld has another vendor with an engagement, an app and a role of its own, and
// a colleague of Lin.
func accessWorld(t *testing.T) *world {
	w := connectedWorld(t)
	w.must("ada", registry.ProposePerson{ID: "lou", Vendor: "northwind", Name: "Lou", Classification: hipaa.BusinessAssociate, Basis: "employee", Region: "US"})
	w.must("grace", registry.ApprovePerson{ID: "lou"})
	w.must("ada", registry.DraftAgreement{ID: "v2-baa", Kind: snapshot.BAA, Vendor: "v2", Terms: registrytest.Terms(), Document: strings.Repeat("ab", 32), EffectiveAt: noon})
	w.must("ada", with(engage2, func(a *registry.ProposeEngagement) {
		a.ID, a.Vendor, a.Agreements = "secret-study", "v2", []id.Agreement{"v2-baa"}
	}))
	w.must("grace", registry.ApproveEngagement{ID: "secret-study"})
	w.must("ada", with(app2, func(a *registry.RegisterApp) { a.ID, a.Vendor, a.Owner = "secret-app", "v2", "mia" }))
	w.must("ada", with(role2, func(a *registry.DefineRole) { a.ID, a.OfferedTo = "secret-role", []id.Engagement{"secret-study"} }))
	w.must("grace", registry.ApproveRole{ID: "secret-role"})
	return w
}

// own is what a vendor's person sends: for themself, without an id.
func own(a registry.MakeRequest) registry.MakeRequest {
	a.ID, a.Person = "", ""
	return a
}

func TestAVendorsPersonAsksForThemselfAlone(t *testing.T) {
	lin, mia := registry.Actor{Person: "lin"}, registry.Actor{Person: "mia"}
	for what, c := range map[string]struct {
		by      registry.Actor
		act     registry.MakeRequest
		refused string
	}{
		"for themself":                    {lin, own(ask2), ""},
		"an elevation":                    {lin, own(lift2), ""},
		"for a colleague":                 {lin, with(own(ask2), func(a *registry.MakeRequest) { a.Person = "lou" }), "known-person"},
		"on another vendor's engagement":  {lin, with(own(ask2), func(a *registry.MakeRequest) { a.Engagement = "secret-study" }), "known-person"},
		"another vendor's person, on it":  {mia, own(ask2), "known-person"},
		"another vendor's person, for it": {mia, with(own(ask2), func(a *registry.MakeRequest) { a.Person = "lin" }), "known-person"},
		"lifting another vendor's grant":  {mia, own(lift2), "known-person"},
		"a directory":                     {registry.Actor{Connector: "scim2"}, ask2, "known-person"},
		"the clock":                       {theClock, ask2, "known-person"},
	} {
		w := accessWorld(t)
		err := w.as(c.by, c.act)
		if c.refused == "" && err != nil || c.refused != "" && !refusedBy(err, c.refused) {
			t.Errorf("%s: got %v, want a refusal by %q", what, err, c.refused)
		}
	}
	w := accessWorld(t)
	if p := problem.From(w.as(lin, with(own(ask2), func(a *registry.MakeRequest) { a.ID = "q2" }))); p.Field != "id" || p.Kind != problem.Invalid {
		t.Errorf("an id of their choice: got %v", p)
	}
	for _, act := range []registry.Act{registry.ApproveRequest{ID: "q2"}, registry.DenyRequest{ID: "q2"}, registry.LapseRequest{ID: "q2"}} {
		w := accessWorld(t)
		w.must("ada", ask2)
		if err := w.as(lin, act); !refusedBy(err, "known-person") {
			t.Errorf("%T by who asks: got %v", act, err)
		}
	}
}

// Of what is another vendor's a person is told what they are told of nothing.
func TestARequestTellsNothingOfOtherVendors(t *testing.T) {
	lin := registry.Actor{Person: "lin"}
	for what, f := range map[string]func(a *registry.MakeRequest, name string){
		"an engagement": func(a *registry.MakeRequest, name string) { a.Engagement = id.Engagement("secret-stud" + name) },
		"an app":        func(a *registry.MakeRequest, name string) { a.App = id.App("secret-ap" + name) },
		"a device":      func(a *registry.MakeRequest, name string) { a.Devices = []id.Device{id.Device("other-gp" + name)} },
		"a role":        func(a *registry.MakeRequest, name string) { a.Role = id.Role("secret-rol" + name) },
	} {
		last := map[string]string{"an engagement": "y", "an app": "p", "a device": "u", "a role": "e"}[what]
		w := accessWorld(t)
		said := func(name string) string {
			p := problem.From(w.as(lin, with(own(ask2), func(a *registry.MakeRequest) { f(a, name) })))
			return strings.ReplaceAll(fmt.Sprint(p.Kind, p.Field, p.Title, p.NextStep, len(p.Reasons)), what, "")
		}
		there, none := strings.ReplaceAll(said(last), last+`"`, `"`), strings.ReplaceAll(said("x"), `x"`, `"`)
		if there != none || strings.Contains(there, "secret-study") && what != "an engagement" {
			t.Errorf("%s:\nthere is one: %s\nthere is none: %s", what, there, none)
		}
	}
}

func TestARequestIsDecidedByAnotherInTime(t *testing.T) {
	w := accessWorld(t)
	if err := w.as(registry.Actor{Person: "lin"}, own(ask2)); err != nil {
		t.Fatal(err)
	}
	q := id.Request(w.last)
	w.must("ada", with(ask2, func(a *registry.MakeRequest) { a.ID = "by-ada" }))
	if err := w.do("ada", registry.ApproveRequest{ID: "by-ada"}); !refusedBy(err, "separation-of-duties") {
		t.Errorf("by who wrote it down: got %v", err)
	}
	w.must("grace", session2)
	w.now = w.now.Add(6 * time.Minute)
	if err := w.as(registry.Actor{Person: "grace", Session: "s2"}, registry.ApproveRequest{ID: q}); !refusedBy(err, "step-up") {
		t.Errorf("without a touched passkey: got %v", err)
	}
	if err := w.as(theClock, registry.ApproveRequest{ID: q}); !refusedBy(err, "known-person") {
		t.Errorf("by the clock: got %v", err)
	}
	if err := w.as(theClock, registry.LapseRequest{ID: q}); problem.From(err).Kind != problem.Conflict {
		t.Errorf("lapsed early: got %v", err)
	}
	before := w.view
	w.must("grace", registry.ApproveRequest{ID: q})
	g := w.grant(id.Grant("request-" + q))
	if g.RequestedBy != "lin" || g.ApprovedBy != "grace" || g.Request != q || !g.EndsAt.Equal(w.now.Add(time.Hour)) {
		t.Errorf("got %+v", g)
	}
	w.view, w.now = before, w.now.AddDate(0, 0, 14)
	if err := w.do("grace", registry.ApproveRequest{ID: q}); problem.From(err).Kind != problem.Conflict {
		t.Errorf("approved when its time was over: got %v", err)
	}
	if err := w.as(theClock, registry.LapseRequest{ID: q}); err != nil {
		t.Errorf("the clock cannot note it: %v", err)
	}
}

// Who gives may give less: fewer fields, fewer patients, fewer bytes. Nobody gets what
// was not asked for, and what is all of a role needs no role of its own.
func TestLessThanWasAskedIsGiven(t *testing.T) {
	w := accessWorld(t)
	w.must("ada", with(ask2, func(a *registry.MakeRequest) { a.Resources, a.MaxPatients, a.MaxDailyBytes = nil, 100, 1000 }))
	whole, _ := w.view.Roles.Get("triage-reader")
	less := registry.ApproveRequest{ID: "q2", MaxPatients: 10, MaxDailyBytes: 100, Resources: map[string]snapshot.ResourceScope{"Patient": {Elements: []string{"gender"}}}}
	before := w.view
	w.must("grace", less)
	g := w.grant("request-q2")
	r, ok := w.view.Roles.Get(g.Role)
	if !ok || r.DerivedFrom != "triage-reader" || len(r.Resources) != 1 || !slices.Equal(r.Resources["Patient"].Elements, []string{"gender"}) ||
		!slices.Equal(r.Resources["Patient"].Interactions, whole.Resources["Patient"].Interactions) {
		t.Errorf("got the role %+v", r)
	}
	if g.MaxPatients != 10 || g.MaxDailyBytes != 100 {
		t.Errorf("got %d patients and %d bytes a day, want 10 and 100", g.MaxPatients, g.MaxDailyBytes)
	}
	w.view = before
	w.must("grace", registry.ApproveRequest{ID: "q2", Resources: whole.Resources})
	if g := w.grant("request-q2"); g.Role != "triage-reader" || g.MaxPatients != 100 {
		t.Errorf("all of it: got %+v", g)
	}
}

// What was true when it was asked is asked again when it is given.
func TestARequestIsJudgedByTheDayOfItsApproval(t *testing.T) {
	for what, acts := range map[string][]registry.Act{
		"the role lost the element": {with(registrytest.Role(), func(a *registry.DefineRole) {
			a.Resources["Patient"] = snapshot.ResourceScope{Interactions: []string{"read"}, Elements: []string{"birthDate"}}
		})},
		"the role is retired":     {registry.RetireRole{ID: "triage-reader"}},
		"the engagement is over":  {registry.EndEngagement{ID: "triage-eval"}},
		"the person is suspended": {registry.SuspendPerson{ID: "lin"}},
	} {
		w := accessWorld(t)
		w.must("ada", ask2)
		for _, a := range acts {
			w.must("ada", a)
			if d, ok := a.(registry.DefineRole); ok {
				w.must("eve", registry.ApproveRole{ID: d.ID})
			}
		}
		if err := w.do("grace", registry.ApproveRequest{ID: "q2"}); err == nil {
			t.Errorf("%s: approved", what)
		}
	}
}

// A paper whose lack blocks onboarding blocks it on this way to a grant, too.
func TestARequestIsNotApprovedUnderAPaperThatBlocks(t *testing.T) {
	w := accessWorld(t)
	w.must("ada", ask2)
	g, _ := w.view.Agreements.Get("northwind-baa")
	weak := *g
	weak.Terms = maps.Clone(g.Terms)
	delete(weak.Terms, "breach_notice_hours")
	e := w.view.Edit()
	e.Put(&weak)
	w.view = e.Publish(w.view.Version()+1, w.view.LogIndex()+1, w.now)
	if err := w.do("grace", registry.ApproveRequest{ID: "q2"}); problem.From(err).Kind != problem.Conflict || !strings.Contains(fmt.Sprint(err), "BAA-R20") {
		t.Errorf("got %v", err)
	}
}

func TestRequestsOfAPersonAreBounded(t *testing.T) {
	w, n := accessWorld(t), 0
	for ; n < 100 && w.as(registry.Actor{Person: "lin"}, own(ask2)) == nil; n++ {
		if err := w.as(registry.Actor{Person: "lin"}, registry.WithdrawRequest{ID: id.Request(w.last)}); err != nil {
			t.Fatal(err)
		}
	}
	if n != registry.MaxRequests {
		t.Errorf("a person asks and withdraws %d times, want %d", n, registry.MaxRequests)
	}
}

func TestAnElevationIsEndedEarlyByAnyone(t *testing.T) {
	lifted := func(t *testing.T) *world {
		w := accessWorld(t)
		w.must("ada", lift2)
		w.must("grace", registry.ApproveRequest{ID: "q2"})
		if g := w.grant("request-q2"); g.Elevates != "triage-grant" || g.Ticket != "INC-4711" || !g.EndsAt.Equal(w.now.Add(time.Hour)) {
			t.Fatalf("got %+v", g)
		}
		return w
	}
	for by, ok := range map[id.Person]bool{"lin": true, "lou": true, "eve": true, "ada": true, "mia": false, "otto": false} {
		w := lifted(t)
		err := w.do(by, registry.EndGrantEarly{ID: "request-q2"})
		if ok != (err == nil) {
			t.Errorf("by %s: got %v", by, err)
		}
		if ended := w.grant("request-q2").State == snapshot.Ended; ended != ok {
			t.Errorf("by %s: ended %v", by, ended)
		}
	}
	w := lifted(t)
	if err := w.do("lou", registry.EndGrantEarly{ID: "triage-grant"}); !refusedBy(err, "known-person") {
		t.Errorf("a colleague's ordinary grant: got %v", err)
	}
	if err := w.do("lin", with(own(lift2), func(a *registry.MakeRequest) { a.Elevates, a.App, a.Engagement = "request-q2", "triage", "triage-eval" })); problem.From(err).Field != "elevates" {
		t.Errorf("an elevation of an elevation: got %v", err)
	}
}

func TestAReviewerCutsDownAlone(t *testing.T) {
	w := accessWorld(t)
	w.now = w.now.Add(24 * time.Hour)
	less := map[string]snapshot.ResourceScope{"Patient": {Interactions: []string{"read"}, Elements: []string{"gender"}}}
	cut := registry.CompleteReview{ID: w.review(), Outcome: snapshot.CutDown, Resources: less, MaxPatients: 1}
	before, _ := w.view.Roles.Get("triage-reader")
	for field, a := range map[string]registry.CompleteReview{
		"resources": {ID: cut.ID, Outcome: snapshot.CutDown},
		"outcome":   with(cut, func(a *registry.CompleteReview) { a.Outcome = snapshot.Keep }),
		"resources.Patient.elements[0]": with(cut, func(a *registry.CompleteReview) {
			a.Resources = map[string]snapshot.ResourceScope{"Patient": {Interactions: []string{"read"}, Elements: []string{"name"}}}
		}),
		"max_patients": with(cut, func(a *registry.CompleteReview) { a.MaxPatients = 1 << 40 }),
	} {
		if p := problem.From(w.do("eve", a)); p.Field != field {
			t.Errorf("got field %q (%v), want %q", p.Field, p, field)
		}
	}
	if p := problem.From(w.do("eve", registry.CompleteReview{ID: cut.ID, Outcome: snapshot.CutDown, Resources: before.Resources})); p.Field != "resources" {
		t.Errorf("a cut that takes nothing away: got %v", p)
	}
	was := *w.grant("triage-grant")
	w.must("eve", cut)
	g := w.grant("triage-grant")
	part, ok := w.view.Roles.Get(g.Role)
	if !ok || part.DerivedFrom != "triage-reader" || len(part.Resources) != 1 || part.State != snapshot.Approved || g.Approval != was.Approval || g.MaxPatients != 1 {
		t.Errorf("got grant %+v with role %+v", g, part)
	}
	if rs := w.view.ReviewsOf("triage-grant"); len(rs) != 2 || rs[0].Outcome != snapshot.CutDown || rs[0].From != "triage-reader" || rs[0].Role != g.Role || !rs[1].CompletedAt.IsZero() {
		t.Errorf("the reviews: %+v", rs)
	}
	if err := w.do("eve", with(role2, func(a *registry.DefineRole) { a.ID = g.Role })); problem.From(err).Kind != problem.Conflict {
		t.Errorf("a part is widened: got %v", err)
	}
	// Cut again, from the part: still a part of the whole.
	w.must("eve", registry.CompleteReview{ID: w.view.ReviewsOf("triage-grant")[1].ID, Outcome: snapshot.CutDown, MaxDailyBytes: 1})
	if g := w.grant("triage-grant"); g.MaxDailyBytes != 1 || g.Role != part.ID {
		t.Errorf("a lower cap: got %+v", g)
	}
}

func TestAReviewThatNobodyDidEndsTheGrantForGood(t *testing.T) {
	w := accessWorld(t)
	r := w.review()
	due := w.view.ReviewsOf("triage-grant")[0].DueAt
	w.now = due.Add(30*24*time.Hour - time.Microsecond)
	if err := w.as(theClock, registry.LapseReview{ID: r}); problem.From(err).Kind != problem.Conflict {
		t.Errorf("within the grace: got %v", err)
	}
	w.now = due.Add(30 * 24 * time.Hour)
	if err := w.as(theClock, registry.LapseReview{ID: r}); err != nil {
		t.Fatal(err)
	}
	if g := w.grant("triage-grant"); g.State != snapshot.Ended || g.EndedBy != "clock.sallyport" {
		t.Errorf("got %+v", g)
	}
	if err := w.do("eve", registry.CompleteReview{ID: r, Outcome: snapshot.Keep}); problem.From(err).Kind != problem.Conflict {
		t.Errorf("kept too late: got %v", err)
	}
}

func TestACampaignOpensByTheClockWhenThePolicySaysSo(t *testing.T) {
	w := accessWorld(t)
	if _, ok := w.view.DueCampaign(w.now); ok {
		t.Error("one is due though people open them")
	}
	settings := w.view.Settings
	settings.Access.CampaignEvery = 90 * 24 * time.Hour
	w.view = w.view.WithSettings(settings)
	if err := w.as(theClock, campaign2); !refusedBy(err, "known-person") {
		t.Errorf("any other by the clock: got %v", err)
	}
	if err := w.as(theClock, registry.BeginCampaign{ID: "reviews-2026-06-02"}); problem.From(err).Kind != problem.Conflict {
		t.Errorf("another than is due: got %v", err)
	}
	due := registry.BeginCampaign{ID: "reviews-2026-06-01"}
	if err := w.as(theClock, due); err != nil {
		t.Fatal(err)
	}
	for days, want := range map[int]bool{0: false, 89: false, 90: true} {
		if _, ok := w.view.DueCampaign(w.now.AddDate(0, 0, days)); ok != want {
			t.Errorf("%d days later: due %v, want %v", days, ok, want)
		}
	}
	c, _ := w.view.Campaigns.Get(due.ID)
	if len(c.Reviews) != 1 || !c.DueAt.Equal(time.Date(2026, 6, 15, 0, 0, 0, 0, time.UTC)) {
		t.Fatalf("got %+v", c)
	}
	w.must("eve", registry.CompleteReview{ID: c.Reviews[0], Outcome: snapshot.Keep})
	if c, _ := w.view.Campaigns.Get(due.ID); c.ClosedAt.IsZero() {
		t.Error("the last decision did not close it")
	}
}

// A reviewer who opens everything first and then keeps everything gains nothing:
// only the time since their last decision counts.
func TestRubberStampingIsVisible(t *testing.T) {
	report := func(between time.Duration, open bool, outcome func(i int) snapshot.ReviewOutcome) registry.CampaignReport {
		w := accessWorld(t)
		for i := range 11 {
			g := with(grant2, func(a *registry.RequestGrant) { a.ID = id.Grant(fmt.Sprint("many-", i)) })
			w.must("ada", g)
			w.must("eve", registry.ApproveGrant{ID: g.ID})
		}
		w.must("ada", campaign2)
		c, _ := w.view.Campaigns.Get("k2")
		if open {
			for _, r := range c.Reviews {
				w.must("grace", registry.OpenReview{ID: r})
			}
		}
		for i, r := range c.Reviews {
			w.now = w.now.Add(between)
			w.must("grace", registry.CompleteReview{ID: r, Outcome: outcome(i)})
		}
		c, _ = w.view.Campaigns.Get("k2")
		return registry.ReportOf(w.view, c)
	}
	keep := func(int) snapshot.ReviewOutcome { return snapshot.Keep }
	some := func(i int) snapshot.ReviewOutcome {
		if i == 3 {
			return snapshot.Revoke
		}
		return snapshot.Keep
	}
	for what, c := range map[string]struct {
		got  registry.CampaignReport
		want []string
	}{
		"three seconds each, all kept":  {report(3*time.Second, true, keep), []string{"hasty", "all-kept"}},
		"a minute each, all kept":       {report(time.Minute, true, keep), []string{"all-kept"}},
		"a minute each, one revoked":    {report(time.Minute, true, some), []string{}},
		"a minute each, none looked at": {report(time.Minute, false, some), []string{"hasty", "unopened"}},
	} {
		if !slices.Equal(c.got.Flags, c.want) || c.got.Items != 12 || c.got.Decided != 12 {
			t.Errorf("%s: got %+v, want flags %v", what, c.got, c.want)
		}
	}
	if got := report(time.Minute, true, some); got.MedianSeconds != 60 || got.Kept != 11 || got.Revoked != 1 || got.ShareKept != 11./12 {
		t.Errorf("got %+v", got)
	}
	w := accessWorld(t)
	w.must("grace", registry.OpenReview{ID: w.review()})
	if err := w.do("grace", registry.OpenReview{ID: w.review()}); problem.From(err).Kind != problem.Conflict {
		t.Errorf("opened anew, which would start the time anew: got %v", err)
	}
}

// Emergency access is the organisation's own people's; a vendor has none, whoever
// writes it down, and no grant comes of it.
func TestAVendorHasNoEmergency(t *testing.T) {
	w := accessWorld(t)
	w.must("grace", registry.ProposePerson{ID: "nora", Name: "Nora", Classification: hipaa.Workforce, Basis: "nurse"})
	w.must("ada", registry.ApprovePerson{ID: "nora"})
	grants := w.view.Grants.Len()
	for by, a := range map[id.Person]registry.ReportEmergency{
		"lin": with(glass2, func(a *registry.ReportEmergency) { a.Person = "lin" }),
		"mia": glass2,
		"lou": with(glass2, func(a *registry.ReportEmergency) { a.Person = "nora" }),
	} {
		if err := w.do(by, a); !refusedBy(err, "known-person") {
			t.Errorf("by %s: got %v", by, err)
		}
	}
	if p := problem.From(w.do("grace", with(glass2, func(a *registry.ReportEmergency) { a.Person = "lin" }))); p.Field != "person" || p.Kind != problem.Invalid {
		t.Errorf("written down for a vendor's person: got %v", p)
	}
	w.must("nora", with(glass2, func(a *registry.ReportEmergency) { a.Person = "nora" })) // her own, without a duty
	if err := w.do("nora", registry.ReviewEmergency{ID: "y2", Justified: true}); !refusedBy(err, "duty") {
		t.Errorf("reviewed by who used it: got %v", err)
	}
	w.must("grace", with(glass2, func(a *registry.ReportEmergency) { a.ID, a.Staff = "y3", "nurse-17" }))
	if err := w.do("grace", registry.ReviewEmergency{ID: "y3", Justified: true}); !refusedBy(err, "separation-of-duties") {
		t.Errorf("reviewed by who reported it: got %v", err)
	}
	w.must("eve", registry.ReviewEmergency{ID: "y3"})
	if w.view.Grants.Len() != grants {
		t.Error("a grant came of it")
	}
}

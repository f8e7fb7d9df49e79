package breach

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

func answers(yes bool, qs []AssessmentQuestion) map[string]snapshot.Answered {
	m := map[string]snapshot.Answered{}
	for _, q := range qs {
		m[q.Key] = snapshot.Answered{Yes: yes, Why: "because"}
	}
	return m
}

// It is a breach unless everything that shows otherwise is there, and a second person
// has approved it.
func TestABreachUnlessShownOtherwise(t *testing.T) {
	unsecured := snapshot.Answered{Yes: true, Why: "plain text"}
	two := func(a snapshot.BreachAssessment) *snapshot.BreachAssessment {
		a.AssessedBy, a.AssessedAt = "grace", time.Unix(1, 0)
		a.ApprovedBy, a.ApprovedAt = "ada", time.Unix(2, 0)
		return &a
	}
	lacks := func(m map[string]snapshot.Answered, key string, change func(*snapshot.Answered)) map[string]snapshot.Answered {
		if change == nil {
			delete(m, key)
			return m
		}
		a := m[key]
		change(&a)
		m[key] = a
		return m
	}
	type test struct {
		what  string
		a     *snapshot.BreachAssessment
		basis Basis
		field string // of CheckAssessment's problem; empty: it is complete
	}
	cases := []test{
		{"nothing", nil, Presumed, ""},
		{"an empty one", two(snapshot.BreachAssessment{}), Presumed, "unsecured.why"},
		{"secured", two(snapshot.BreachAssessment{Unsecured: snapshot.Answered{Why: "encrypted, key apart"}}), Secured, ""},
		{"secured, nobody says how", two(snapshot.BreachAssessment{Unsecured: snapshot.Answered{Why: " "}}), Presumed, "unsecured.why"},
		{"no factor is answered", two(snapshot.BreachAssessment{Unsecured: unsecured, LowProbability: true}), Presumed, "factors.nature"},
		{"low probability", two(snapshot.BreachAssessment{Unsecured: unsecured, Factors: answers(true, Factors()), LowProbability: true}), LowProbability, ""},
		{"the factors show none", two(snapshot.BreachAssessment{Unsecured: unsecured, Factors: answers(false, Factors())}), Assessed, ""},
		{"low probability against every factor", two(snapshot.BreachAssessment{Unsecured: unsecured, Factors: answers(false, Factors()), LowProbability: true}), Presumed, "low_probability"},
		{"a fifth factor", two(snapshot.BreachAssessment{Unsecured: unsecured, Factors: lacks(answers(true, Factors()), "luck", func(a *snapshot.Answered) { a.Why = "x" }), LowProbability: true}), Presumed, "factors.luck"},
		{"no such exception", two(snapshot.BreachAssessment{Unsecured: unsecured, Exception: "iv"}), Presumed, "exception"},
		{"answers of no exception", two(snapshot.BreachAssessment{Unsecured: unsecured, Holds: answers(true, Factors())}), Presumed, "exception"},
	}
	for _, f := range Factors() {
		cases = append(cases,
			test{"without the factor " + f.Key, two(snapshot.BreachAssessment{Unsecured: unsecured, Factors: lacks(answers(true, Factors()), f.Key, nil), LowProbability: true}), Presumed, "factors." + f.Key},
			test{"without a reason for " + f.Key, two(snapshot.BreachAssessment{Unsecured: unsecured, Factors: lacks(answers(true, Factors()), f.Key, func(a *snapshot.Answered) { a.Why = "" }), LowProbability: true}), Presumed, "factors." + f.Key})
	}
	for _, e := range Exceptions() {
		with := func(m map[string]snapshot.Answered) *snapshot.BreachAssessment {
			return two(snapshot.BreachAssessment{Unsecured: unsecured, Exception: e.Key, Holds: m})
		}
		cases = append(cases, test{"exception " + e.Key, with(answers(true, e.Needs)), Excepted, ""})
		for _, q := range e.Needs {
			cases = append(cases,
				test{e.Key + " without " + q.Key, with(lacks(answers(true, e.Needs), q.Key, nil)), Presumed, "exception_holds." + q.Key},
				test{e.Key + " where " + q.Key + " does not hold", with(lacks(answers(true, e.Needs), q.Key, func(a *snapshot.Answered) { a.Yes = false })), Presumed, "exception_holds." + q.Key})
		}
	}
	for _, c := range cases {
		got := Conclude(c.a)
		if got.Basis != c.basis || got.Breach != (c.basis == Presumed || c.basis == Assessed) || got.Why == "" || got.Citation.Text == "" {
			t.Errorf("%s: got %+v, want %s", c.what, got, c.basis)
		}
		if c.a == nil {
			continue
		}
		field := ""
		if err := CheckAssessment(c.a); err != nil {
			field = problem.From(err).Field
		}
		if field != c.field {
			t.Errorf("%s: the assessment lacks %q, want %q", c.what, field, c.field)
		}
		if got.Breach {
			continue
		}
		// The same by one person, in three ways, is a breach still.
		for what, change := range map[string]func(*snapshot.BreachAssessment){
			"not approved":           func(a *snapshot.BreachAssessment) { a.ApprovedBy, a.ApprovedAt = "", time.Time{} },
			"approved by the same":   func(a *snapshot.BreachAssessment) { a.ApprovedBy = a.AssessedBy },
			"approved at no time":    func(a *snapshot.BreachAssessment) { a.ApprovedAt = time.Time{} },
			"approved by no one yet": func(a *snapshot.BreachAssessment) { a.ApprovedBy = "" },
		} {
			alone := *c.a
			change(&alone)
			if got := Conclude(&alone); !got.Breach || got.Basis != Presumed || got.Would != c.basis {
				t.Errorf("%s, %s: got %+v", c.what, what, got)
			}
		}
	}
}

func TestWhatNobodyLooksAtIsShown(t *testing.T) {
	start := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	e := (&snapshot.View{Settings: snapshot.Settings{IncidentIgnoredAfter: 72 * time.Hour}}).Edit()
	e.Put(&snapshot.Incident{ID: "old", OpenedAt: start, MovedAt: start})
	e.Put(&snapshot.Incident{ID: "moved", OpenedAt: start, MovedAt: start.Add(48 * time.Hour)})
	e.Put(&snapshot.Incident{ID: "closed", OpenedAt: start, ClosedAt: start.Add(time.Hour)})
	e.Put(&snapshot.Finding{ID: "f", RaisedAt: start.Add(time.Second)})
	e.Put(&snapshot.Finding{ID: "settled", RaisedAt: start, Settled: snapshot.SettledMended})
	v := e.Publish(1, 1, start)
	names := func(now time.Time) (out []string) {
		for _, n := range Ignored(v, now) {
			if n.Citation.Text != "45 CFR 164.504(e)(1)(ii)" || n.Limit != 72*time.Hour {
				t.Errorf("got %+v", n)
			}
			out = append(out, n.Subject.ID)
		}
		return out
	}
	if got := names(start.Add(72 * time.Hour)); len(got) != 0 {
		t.Errorf("at the limit: got %v", got)
	}
	if got := names(start.Add(72*time.Hour + 2*time.Second)); len(got) != 2 || got[0] != "old" || got[1] != "f" {
		t.Errorf("after it: got %v, want old and f", got)
	}
	// Without a limit in the settings everything open is ignored at once.
	if got := Ignored(v.WithSettings(snapshot.Settings{}), start.Add(49*time.Hour)); len(got) != 3 {
		t.Errorf("without a limit: got %d, want 3", len(got))
	}
}

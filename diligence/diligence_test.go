package diligence_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sallyport/sallyport/diligence"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func TestWhichQuestionsApply(t *testing.T) {
	for _, c := range []struct {
		classes []hipaa.DataClass
		asked   int
		without []string
	}{
		{nil, 64, nil},
		{[]hipaa.DataClass{"something new"}, 64, nil},
		{[]hipaa.DataClass{hipaa.PHI}, 64, nil},
		{[]hipaa.DataClass{hipaa.LimitedDataSet}, 62, []string{"HIP-01", "HIP-03"}},
		{[]hipaa.DataClass{hipaa.DeIdentified}, 54, []string{"HIP-01", "HIP-03", "HIP-04", "HIP-06", "RSK-01", "RSK-03", "RSK-04", "PPL-05", "DAT-05", "INC-05"}},
		{[]hipaa.DataClass{hipaa.DeIdentified, hipaa.LimitedDataSet}, 62, []string{"HIP-01", "HIP-03"}},
		{[]hipaa.DataClass{hipaa.DeIdentified, hipaa.PHI}, 64, nil},
		{[]hipaa.DataClass{hipaa.DeIdentified, "something new"}, 64, nil},
	} {
		apply, not := diligence.Applies(c.classes)
		var without []string
		for _, x := range not {
			without = append(without, x.Question)
			if x.Why == "" || slices.Contains(apply, x.Question) {
				t.Errorf("%v: %+v", c.classes, x)
			}
		}
		if len(apply) != c.asked || len(apply)+len(not) != 64 || !slices.Equal(without, c.without) {
			t.Errorf("%v: %d asked, without %v; want %d without %v", c.classes, len(apply), without, c.asked, c.without)
		}
	}
}

// answered is a questionnaire in which every question has the score, but for some.
func answered(score int, but map[string]int) *snapshot.Questionnaire {
	q := &snapshot.Questionnaire{ID: "q", Vendor: "v", DataClasses: []hipaa.DataClass{hipaa.PHI}, Stage: snapshot.QuestionsSubmitted, Answers: map[string]snapshot.VendorAnswer{}}
	for _, x := range hipaa.Questions() {
		q.Asked = append(q.Asked, x.ID)
		s, named := but[x.ID]
		if !named {
			s = score
		}
		if s >= 0 {
			q.Answers[x.ID] = snapshot.VendorAnswer{Value: "a", AnsweredBy: "link.l", AnsweredAt: noon, Score: s, ScoredBy: "grace", ScoredAt: noon}
		}
	}
	return q
}

func TestScoring(t *testing.T) {
	all := func(q *snapshot.Questionnaire) *snapshot.Questionnaire { return q }
	for name, c := range map[string]struct {
		q       *snapshot.Questionnaire
		at      time.Time
		verdict snapshot.Verdict
		code    string // among the reasons
		gaps    []string
		ok      bool
	}{
		"all shown":                       {all(answered(3, nil)), noon, snapshot.Pass, "", nil, true},
		"all documented: 0.67 overall":    {answered(2, nil), noon, snapshot.Conditional, "overall-low", nil, true},
		"a critical one is stated":        {answered(3, map[string]int{"HIP-05": 1}), noon, snapshot.Conditional, "critical-one", nil, true},
		"a critical one is nothing":       {answered(3, map[string]int{"HIP-05": 0}), noon, snapshot.Fail, "critical-zero", []string{"HIP-05"}, true},
		"a critical one has no answer":    {answered(3, map[string]int{"DAT-01": -1}), noon, snapshot.Fail, "critical-zero", []string{"DAT-01"}, true},
		"another one is nothing":          {answered(3, map[string]int{"HIP-03": 0}), noon, snapshot.Pass, "", nil, true},
		"a domain is below a half":        {answered(3, map[string]int{"SUB-01": 2, "SUB-02": 2, "SUB-03": 0, "SUB-04": 2, "SUB-05": 0, "SUB-06": 0}), noon, snapshot.Conditional, "domain-low", nil, true},
		"the last second of PPL-01":       {answered(3, nil), noon.AddDate(0, 0, 30).Add(-time.Second), snapshot.Pass, "", nil, true},
		"PPL-01 went stale":               {answered(3, nil), noon.AddDate(0, 0, 30), snapshot.Fail, "critical-stale", []string{"PPL-01"}, false},
		"nothing was asked":               {&snapshot.Questionnaire{ID: "q"}, noon, snapshot.Fail, "overall-low", nil, false},
		"scores out of range count as 3":  {answered(3, map[string]int{"HIP-03": 9}), noon, snapshot.Pass, "", nil, true},
		"a question that nobody knows of": {func() *snapshot.Questionnaire { q := answered(3, nil); q.Asked = append(q.Asked, "X-01"); return q }(), noon, snapshot.Pass, "", nil, true},
	} {
		w := diligence.Score(c.q, c.at)
		if w.Verdict != c.verdict || w.OK != c.ok || !slices.Equal(w.Gaps, c.gaps) || (len(w.Reasons) == 0) != (c.verdict == snapshot.Pass) {
			t.Errorf("%s: got %s, ok %v, gaps %v, %+v", name, w.Verdict, w.OK, w.Gaps, w.Reasons)
		}
		if c.code != "" && !slices.ContainsFunc(w.Reasons, func(r diligence.ScoreReason) bool { return r.Code == c.code && r.Text != "" }) {
			t.Errorf("%s: no reason %q in %+v", name, c.code, w.Reasons)
		}
	}
	q := answered(3, nil)
	a := q.Answers["GOV-01"]
	a.ScoredAt = time.Time{}
	q.Answers["GOV-01"] = a
	if w := diligence.Score(q, noon); w.Verdict != snapshot.Fail || !slices.Equal(w.Unscored, []string{"GOV-01"}) {
		t.Errorf("unscored: got %s, %v", w.Verdict, w.Unscored)
	}
	if w := diligence.Score(answered(3, nil), noon); !w.Until.Equal(noon.AddDate(0, 0, 30)) {
		t.Errorf("until: got %v", w.Until)
	}
}

// Against a recomputation in the catalogue's words; and a better score is never worse.
func TestScoringEqualsARecomputation(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		but := map[string]int{}
		for _, q := range hipaa.Questions() {
			but[q.ID] = rapid.SampledFrom([]int{0, 1, 2, 3, 3, 3, 3, 3, 3}).Draw(rt, q.ID)
		}
		w := diligence.Score(answered(0, but), noon)
		sum, of := map[string]float64{}, map[string]float64{}
		var zero, one bool
		for _, q := range hipaa.Questions() {
			for _, d := range []string{q.Domain, "all"} {
				sum[d] += float64(q.Weight * but[q.ID])
				of[d] += float64(q.Weight * 3)
			}
			zero = zero || q.Critical && but[q.ID] == 0
			one = one || q.Critical && but[q.ID] == 1
		}
		want := snapshot.Pass
		low := sum["all"]/of["all"] < 0.70 || one
		for _, d := range hipaa.QuestionDomains() {
			low = low || sum[d.ID]/of[d.ID] < 0.50
		}
		if low {
			want = snapshot.Conditional
		}
		if zero {
			want = snapshot.Fail
		}
		if w.Verdict != want || math.Abs(w.Overall-sum["all"]/of["all"]) > 1e-9 {
			rt.Fatalf("got %s %.4f, want %s %.4f", w.Verdict, w.Overall, want, sum["all"]/of["all"])
		}
		points := 0
		for _, line := range w.Questions {
			points += line.Points
		}
		if points != w.Points || len(w.Questions) != 64 || len(w.Domains) != 10 {
			rt.Fatalf("the working does not add up: %d of %d", points, w.Points)
		}
		raise := rapid.SampledFrom(hipaa.Questions()).Draw(rt, "raise").ID
		but[raise] = min(3, but[raise]+1)
		if again := diligence.Score(answered(0, but), noon); diligence.Better(w.Verdict, again.Verdict) {
			rt.Fatalf("a better answer to %s made it worse: %s to %s", raise, w.Verdict, again.Verdict)
		}
	})
}

func TestInherentRisk(t *testing.T) {
	base := snapshot.VendorProfile{Services: []string{"s"}, DataClasses: []hipaa.DataClass{hipaa.DeIdentified}, Locations: []string{"US"}, Staff: 3, Patients: 100, Keeps: snapshot.KeepsNothing}
	with := func(f func(*snapshot.VendorProfile)) *snapshot.VendorProfile { p := base; f(&p); return &p }
	for name, c := range map[string]struct {
		p     *snapshot.VendorProfile
		subs  int
		level diligence.Level
		fact  string
	}{
		"nothing is recorded":         {nil, 0, diligence.Unknown, ""},
		"de-identified, kept nowhere": {&base, 0, diligence.Low, "data_classes"},
		"PHI of few, kept a session": {with(func(p *snapshot.VendorProfile) {
			p.DataClasses, p.Keeps = []hipaa.DataClass{hipaa.PHI}, snapshot.KeepsSession
		}), 0, diligence.Low, "keeps"},
		"PHI of 500": {with(func(p *snapshot.VendorProfile) {
			p.DataClasses, p.Patients, p.Keeps = []hipaa.DataClass{hipaa.PHI}, 500, snapshot.KeepsSession
		}), 0, diligence.Moderate, "patients"},
		"a word of retention nobody knows": {with(func(p *snapshot.VendorProfile) { p.Keeps = "sometimes"; p.DataClasses = []hipaa.DataClass{hipaa.PHI} }), 0, diligence.Moderate, "keeps"},
		"abroad, many, stored": {with(func(p *snapshot.VendorProfile) {
			p.DataClasses, p.Patients, p.Keeps, p.Locations, p.Staff = []hipaa.DataClass{hipaa.PHI}, 20_000, snapshot.KeepsStored, []string{"US", "IN"}, 60
		}), 3, diligence.High, "locations"},
		"shared training on PHI": {with(func(p *snapshot.VendorProfile) { p.DataClasses, p.AI.TrainsShared = []hipaa.DataClass{hipaa.PHI}, true }), 0, diligence.High, "ai.trains_shared"},
		"a purpose that is training": {with(func(p *snapshot.VendorProfile) {
			p.DataClasses, p.Purposes = []hipaa.DataClass{hipaa.PHI}, []hipaa.Purpose{hipaa.TrainSharedModel}
		}), 0, diligence.High, "ai.trains_shared"},
		"everything": {with(func(p *snapshot.VendorProfile) {
			p.DataClasses, p.Patients, p.Keeps, p.Staff, p.Sensitive = []hipaa.DataClass{hipaa.PHI}, 2_000_000, snapshot.KeepsStored, 100, true
			p.AI = snapshot.VendorAI{Generative: true, Agents: true, TunesForUs: true, TrainsShared: true, OthersModels: true, HumanReview: true, DecidesOnCare: true}
		}), 5, diligence.Critical, "ai.agents"},
		"a class nobody knows is PHI": {with(func(p *snapshot.VendorProfile) { p.DataClasses = []hipaa.DataClass{"x"} }), 0, diligence.Low, "data_classes"},
	} {
		r := diligence.InherentRisk(c.p, c.subs)
		sum := 0
		for _, f := range r.Facts {
			sum += f.Weight
			if f.Why == "" || f.Value == "" {
				t.Errorf("%s: %+v", name, f)
			}
		}
		if r.Level != c.level || sum != r.Points || r.Label != "policy" || c.fact != "" && !slices.ContainsFunc(r.Facts, func(f diligence.RiskFact) bool { return f.Fact == c.fact }) {
			t.Errorf("%s: got %s, %d points, %+v", name, r.Level, r.Points, r.Facts)
		}
		if limit := diligence.ValidUntil(r.Level, noon); !limit.Equal(noon.AddDate(0, r.Renew, 0)) {
			t.Errorf("%s: got %v", name, limit)
		}
	}
	if diligence.Raised(diligence.Low, diligence.High) || !diligence.Raised(diligence.Unknown, diligence.Critical) {
		t.Error("the levels are in no order")
	}
}

func view(records ...snapshot.Record) *snapshot.View {
	e := (&snapshot.View{}).Edit()
	for _, r := range records {
		e.Put(r)
	}
	return e.Publish(1, 1, noon)
}

// Only what is missing or stale is asked again; what is carried over is what was said.
func TestWhatIsAskedAgain(t *testing.T) {
	old := answered(2, nil)
	old.Stage, old.SentAt = snapshot.QuestionsClosed, noon
	days := func(n int) time.Time { return noon.AddDate(0, 0, n) }
	profile := func(at time.Time) *snapshot.Vendor {
		return &snapshot.Vendor{ID: "v", Profile: &snapshot.VendorProfile{RecordedAt: at}}
	}
	for name, c := range map[string]struct {
		records []snapshot.Record
		renewal bool
		again   []string
		at      time.Time
		asked   int
		first   string
	}{
		"a new vendor":                          {nil, false, nil, days(1), 64, "GOV-01"},
		"the next day":                          {[]snapshot.Record{old, profile(noon)}, false, nil, days(1), 0, ""},
		"after a month":                         {[]snapshot.Record{old, profile(noon)}, false, nil, days(30), 1, "PPL-01"},
		"after a quarter":                       {[]snapshot.Record{old, profile(noon)}, false, nil, days(90), 11, "PPL-01"},
		"named":                                 {[]snapshot.Record{old, profile(noon)}, false, []string{"HIP-03"}, days(1), 1, "HIP-03"},
		"at a renewal":                          {[]snapshot.Record{old, profile(noon)}, true, nil, days(1), 30, "GOV-04"},
		"when the profile changed":              {[]snapshot.Record{old, profile(days(1))}, false, nil, days(2), 30, "GOV-04"},
		"withdrawn answers are none":            {[]snapshot.Record{func() snapshot.Record { q := *old; q.Withdrawn = true; return &q }()}, false, nil, days(1), 64, "GOV-01"},
		"what is with the vendor is no answer":  {[]snapshot.Record{func() snapshot.Record { q := *old; q.Stage = snapshot.QuestionsSent; return &q }()}, false, nil, days(1), 64, "GOV-01"},
		"another vendor's answers are nobody's": {[]snapshot.Record{func() snapshot.Record { q := *old; q.Vendor = "w"; return &q }()}, false, nil, days(1), 64, "GOV-01"},
	} {
		asked, carried := diligence.Plan(view(c.records...), "v", []hipaa.DataClass{hipaa.PHI}, c.renewal, c.again, c.at)
		if len(asked) != c.asked || len(asked)+len(carried) != 64 || c.first != "" && asked[0] != c.first {
			t.Errorf("%s: asked %v, carried %d; want %d from %s", name, asked, len(carried), c.asked, c.first)
		}
		for key, a := range carried {
			if !a.AnsweredAt.Equal(noon) || slices.Contains(asked, key) {
				t.Errorf("%s: %s is carried as %+v", name, key, a)
			}
		}
	}
}

func TestTheTree(t *testing.T) {
	vendor := func(key string, subs ...id.Vendor) *snapshot.Vendor {
		return &snapshot.Vendor{ID: id.Vendor(key), Name: strings.ToUpper(key), Subcontractors: subs, Approval: snapshot.Approval{State: snapshot.Approved}}
	}
	v := view(vendor("a", "b", "c"), vendor("b", "d"), vendor("c", "b"), vendor("d", "a"),
		&snapshot.Engagement{ID: "e1", Vendor: "a", Subprocessors: []id.Vendor{"x", "b"}},
		&snapshot.Engagement{ID: "e2", Vendor: "a", Subprocessors: []id.Vendor{"y"}, Approval: snapshot.Approval{State: snapshot.Ended}},
		&snapshot.Agreement{ID: "ab", Kind: snapshot.SubcontractorBAA, Vendor: "a", Subcontractor: "b"})
	n := diligence.Tree(v, "a", noon)
	var names []string
	var walk func(n diligence.Node, depth int)
	walk = func(n diligence.Node, depth int) {
		names = append(names, fmt.Sprintf("%d%s", depth, n.Vendor))
		for _, x := range n.Below {
			walk(x, depth+1)
		}
	}
	walk(n, 0)
	if got := strings.Join(names, " "); got != "0a 1x 1b 2d 3a 1c 2b" {
		t.Errorf("got %s", got)
	}
	if got := diligence.Below(v, "a"); !slices.Equal(got, []id.Vendor{"x", "b", "c", "d"}) {
		t.Errorf("below: got %v", got)
	}
	if got := n.Uncovered(); len(got) != 4 || got[0] != [2]id.Vendor{"a", "x"} {
		t.Errorf("uncovered: got %v", got)
	}
	b := n.Below[1]
	if !slices.Contains(b.Lacks, "unsigned") || !slices.Contains(b.Lacks, "terms-missing") || slices.Contains(b.Lacks, "no-agreement") || len(b.For) != 1 {
		t.Errorf("b: got %+v", b)
	}
	for _, x := range b.Lacks {
		if !slices.Contains(diligence.LinkFaults, x) {
			t.Errorf("%s is not in the list", x)
		}
	}
}

func read(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestExportsAreReadAsClaims(t *testing.T) {
	for name, c := range map[string]struct {
		format string
		want   map[string]string // question: what its value begins with
	}{
		"caiq.csv": {diligence.CAIQ, map[string]string{"GOV-04": "CAIQ A&A-02.1: Yes (SOC 2 Type 2, once a year)", "IAM-01": "yes", "IAM-02": "CAIQ IAM-14.1: Yes (Security keys for administrators)\nCAIQ IAM-14.2: No",
			"DAT-02": "CAIQ CEK-03.1: Yes", "SUB-02": "CAIQ DSP-19.1: NA", "SEC-04": "partly"}},
		"caiq.json":  {diligence.CAIQ, map[string]string{"GOV-04": "CAIQ A&A-02.1: Yes", "SEC-04": "yes"}},
		"hecvat.csv": {diligence.HECVAT, map[string]string{"GOV-01": "HECVAT HIPA-06: Yes (A. Example", "RSK-01": "HECVAT HIPA-08: Yes", "HIP-01": "yes", "AIM-01": "no", "GOV-04": "HECVAT DOCU-03: Yes", "SUB-04": "HECVAT DATA-09: Yes"}},
	} {
		format, raw, err := diligence.ReadExport(read(t, name))
		if err != nil || format != c.format {
			t.Errorf("%s: got %q, %v", name, format, err)
			continue
		}
		got := map[string]string{}
		for _, m := range diligence.MapClaims(format, raw) {
			got[m.Question] = m.Value
			if len(m.From) == 0 {
				t.Errorf("%s: %+v comes from nowhere", name, m)
			}
		}
		for q, want := range c.want {
			if !strings.HasPrefix(got[q], want) {
				t.Errorf("%s: %s: got %q, want %q", name, q, got[q], want)
			}
		}
		if len(got) != len(c.want) {
			t.Errorf("%s: got %v", name, got)
		}
	}
	for name, raw := range map[string]string{
		"nothing":               "",
		"no header":             "a,b\nc,d\n",
		"no answers":            "Question ID,CSP CAIQ Answer\nIAM-14.1,\n",
		"not text":              "\xff\xfe",
		"not CSV":               "Question ID,CSP CAIQ Answer\n\"IAM-14.1,Yes\n",
		"both":                  "Question ID,Answer\nIAM-14.1,Yes\nHIPA-08,Yes\n",
		"not JSON":              "[{",
		"too long":              strings.Repeat("x", diligence.MaxExport+1),
		"too many rows":         "Question ID,Answer\n" + strings.Repeat("IAM-14.1,Yes\n", 3001),
		"a header that is late": strings.Repeat("x\n", 10) + "Question ID,Answer\nIAM-14.1,Yes\n",
	} {
		if _, _, err := diligence.ReadExport([]byte(raw)); problem.From(err).Kind != problem.Invalid || problem.From(err).Field != "file" {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// The table names questions that there are, and each of theirs by its form.
func TestTheTableOfCounterparts(t *testing.T) {
	for _, format := range diligence.Formats {
		for q, theirs := range diligence.Counterparts(format) {
			if _, ok := hipaa.LookupQuestion(q); !ok || len(theirs) == 0 {
				t.Errorf("%s: %s: %v", format, q, theirs)
			}
		}
	}
}

func FuzzReadExport(f *testing.F) {
	for _, name := range []string{"caiq.csv", "caiq.json", "hecvat.csv"} {
		f.Add(read(f, name))
	}
	f.Add([]byte("Question ID,Answer\r\nIAM-14.1,\"Yes\"\"\"\r\n"))
	f.Add([]byte(`[{"id":"HIPA-28","answer":"yes","detail":"` + "\u2028" + `"}]`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		format, claims, err := diligence.ReadExport(raw)
		if err != nil {
			if problem.From(err).Kind != problem.Invalid {
				t.Fatalf("got %v", err)
			}
			return
		}
		for _, m := range diligence.MapClaims(format, claims) {
			q, ok := hipaa.LookupQuestion(m.Question)
			if !ok || m.Value == "" || len(m.Value) > 4000 || len(m.Detail) > 4000 || len(m.From) == 0 {
				t.Fatalf("got %+v", m)
			}
			if o := q.Options(); o != nil && !slices.Contains(o, m.Value) {
				t.Fatalf("%s cannot be answered %q", q.ID, m.Value)
			}
			for _, r := range m.Value + m.Detail {
				if r < ' ' && r != '\n' || r == 0x7f {
					t.Fatalf("a control character in %q", m.Value)
				}
			}
		}
	})
}

// A decision of the last day of August stands to the last of February and not into March:
// what ends is not carried on by a short month.
func TestADecisionEndsWithTheMonth(t *testing.T) {
	decided := time.Date(2026, 8, 31, 9, 0, 0, 0, time.UTC)
	if got, want := diligence.ValidUntil(diligence.Critical, decided), time.Date(2027, 2, 28, 9, 0, 0, 0, time.UTC); !got.Equal(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

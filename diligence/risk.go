package diligence

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/snapshot"
)

// Level is how much risk a vendor brings by what it does, before any measure. The
// levels, and the weights that lead to them, are policy.
type Level string

// The levels. Unknown is worse than any: nobody has recorded what the vendor does.
const (
	Low      Level = "low"
	Moderate Level = "moderate"
	High     Level = "high"
	Critical Level = "critical"
	Unknown  Level = "unknown"
)

// Levels lists them, the least first.
var Levels = []Level{Low, Moderate, High, Critical, Unknown}

// RiskFact is one fact of the profile and what it adds.
type RiskFact struct {
	Fact   string `json:"fact"`   // the profile's field
	Value  string `json:"value"`  // as it stands there
	Weight int    `json:"weight"` // what it adds
	Why    string `json:"why"`
}

// Risk is the inherent risk, with its working.
type Risk struct {
	Level  Level      `json:"level"`
	Points int        `json:"points"`
	Facts  []RiskFact `json:"facts"`
	// Floor is why the level is higher than the points alone would have it.
	Floor string `json:"floor,omitempty"`
	Label string `json:"label"` // "policy"
	// Renew is the longest that an assessment of such a vendor may be valid.
	Renew int `json:"renew_months"`
}

// The least points of each level (policy).
const (
	moderateFrom = 6
	highFrom     = 11
	criticalFrom = 17
)

// renewMonths is how long a decision on a vendor of the level may stand (policy; HIPAA
// sets no interval).
var renewMonths = map[Level]int{Low: 24, Moderate: 18, High: 12, Critical: 6, Unknown: 3}

// ValidUntil is the latest date to which an assessment of a vendor of the level may be
// valid, from the day on which it was decided.
func ValidUntil(l Level, decided time.Time) time.Time {
	months, ok := renewMonths[l]
	if !ok {
		months = renewMonths[Unknown]
	}
	return hipaa.AddMonths(decided, months)
}

// InherentRisk adds up a profile; subcontractors is how many vendors stand behind this
// one, in the whole tree. No profile: unknown.
func InherentRisk(p *snapshot.VendorProfile, subcontractors int) Risk {
	r := Risk{Level: Unknown, Label: "policy"}
	if p == nil {
		r.Floor = "no profile is recorded"
		r.Renew = renewMonths[Unknown]
		return r
	}
	add := func(fact, value string, weight int, why string) {
		if weight > 0 {
			r.Points += weight
			r.Facts = append(r.Facts, RiskFact{fact, value, weight, why})
		}
	}
	class, classWeight := worstClass(p.DataClasses)
	add("data_classes", class, classWeight, "the more identifiable, the more harm a disclosure does")
	add("patients", fmt.Sprint(p.Patients), step(p.Patients, 500, 10_000, 100_000, 1_000_000), "one for each line of 500, 10,000, 100,000 and 1,000,000; 500 is where a breach goes to the Secretary at once (45 CFR 164.408(b))")
	add("keeps", string(p.Keeps), map[snapshot.Retention]int{snapshot.KeepsSession: 1, snapshot.KeepsNothing: 0}[p.Keeps]+stored(p.Keeps), "what is kept can leak later, and must come back or be destroyed")
	add("staff_with_access", fmt.Sprint(p.Staff), step(p.Staff, 11, 51), "each person is a way out: one above 10, one more above 50")
	if abroad := outside(p.Locations); len(abroad) > 0 || len(p.Locations) == 0 {
		add("locations", strings.Join(append(abroad, unsaid(p.Locations)...), ","), 2, "the reach of United States law, and 28 CFR Part 202")
	}
	add("subcontractors", fmt.Sprint(subcontractors), step(subcontractors, 1, 3), "each passes data on to one whom the organisation did not choose")
	if p.Sensitive {
		add("sensitive", "true", 3, "42 CFR Part 2 records or psychotherapy notes")
	}
	shared := p.AI.TrainsShared || slices.Contains(p.Purposes, hipaa.TrainSharedModel) || slices.Contains(p.Purposes, hipaa.ProductImprovement)
	for _, x := range []struct {
		on     bool
		fact   string
		weight int
		why    string
	}{
		{shared, "ai.trains_shared", 4, "weights that others use cannot be recalled"},
		{p.AI.TunesForUs, "ai.tunes_for_us", 2, "weights may hold what they learned from"},
		{p.AI.OthersModels, "ai.others_models", 2, "a model provider behind the vendor sees prompts"},
		{p.AI.Agents, "ai.agents", 2, "a program that chooses its own actions can be talked into sending data out"},
		{p.AI.DecidesOnCare, "ai.decides_on_care", 2, "an error reaches a patient"},
		{p.AI.Generative, "ai.generative", 1, "prompts and completions are copies"},
		{p.AI.HumanReview, "ai.human_review", 1, "people read what machines were meant to read"},
	} {
		if x.on {
			add(x.fact, "true", x.weight, x.why)
		}
	}
	switch {
	case r.Points >= criticalFrom:
		r.Level = Critical
	case r.Points >= highFrom:
		r.Level = High
	case r.Points >= moderateFrom:
		r.Level = Moderate
	default:
		r.Level = Low
	}
	if shared && class != string(hipaa.DeIdentified) && (r.Level == Low || r.Level == Moderate) {
		r.Level, r.Floor = High, "PHI that trains what others use is never less than high"
	}
	r.Renew = renewMonths[r.Level]
	return r
}

func stored(k snapshot.Retention) int {
	if k == snapshot.KeepsSession || k == snapshot.KeepsNothing {
		return 0
	}
	return 3 // stored, or not said
}

// worstClass is the most identifiable class; one that is not known is PHI.
func worstClass(classes []hipaa.DataClass) (string, int) {
	worst, weight := string(hipaa.PHI), 4
	if len(classes) == 0 {
		return "not said", weight
	}
	weight = 0
	for _, c := range classes {
		w := 4
		switch c {
		case hipaa.LimitedDataSet:
			w = 3
		case hipaa.DeIdentified:
			w = 1
		}
		if w > weight {
			worst, weight = string(c), w
		}
	}
	return worst, weight
}

func step(n int, lines ...int) int {
	s := 0
	for _, l := range lines {
		if n >= l {
			s++
		}
	}
	return s
}

func outside(locations []string) []string {
	var out []string
	for _, l := range locations {
		if country, _, _ := strings.Cut(l, "-"); country != "US" {
			out = append(out, l)
		}
	}
	return out
}

func unsaid(locations []string) []string {
	if len(locations) == 0 {
		return []string{"not said"}
	}
	return nil
}

// Raised reports whether a level is more than another.
func Raised(now, then Level) bool {
	return slices.Index(Levels, now) > slices.Index(Levels, then)
}

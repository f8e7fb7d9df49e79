package agreement

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/snapshot"
)

// Effect is what a failing term switches off.
type Effect string

// The effects, the catalogue's on_fail.
const (
	DenyAll         Effect = "deny_all"         // nothing is served under the paper
	DenyPurpose     Effect = "deny_purpose"     // nothing is served for some purposes
	BlockOnboarding Effect = "block_onboarding" // no vendor, engagement or grant is approved, no review kept
	Warn            Effect = "warn"             // it is listed
)

// Fault is what is wrong with a term.
type Fault string

// The faults.
const (
	Missing Fault = "missing"                 // a term that a paper of the kind must have is not there
	Below   Fault = "below-floor"             // it is there, and says too little to count
	Weaker  Fault = "weaker-than-recommended" // it counts, and is weaker than the product's recommendation
)

// Deficiency is one thing that is wrong with an agreement.
type Deficiency struct {
	Term     string          `json:"term"` // "BAA-R20", or "DUA/report"
	Field    string          `json:"field"`
	Title    string          `json:"title"`
	Fault    Fault           `json:"fault"`
	Says     string          `json:"says"`
	Effect   Effect          `json:"effect"`
	Purposes []hipaa.Purpose `json:"purposes,omitempty"` // that deny_purpose denies
	Silence  string          `json:"silence,omitempty"`  // what silence means, where it is missing
	Clause   string          `json:"clause,omitempty"`
	Citation hipaa.Citation  `json:"citation"`
}

// Deficiencies is everything that is wrong with an agreement, in the order of the
// catalogue.
type Deficiencies []Deficiency

// With lists those of an effect.
func (d Deficiencies) With(e Effect) Deficiencies {
	var out Deficiencies
	for _, x := range d {
		if x.Effect == e {
			out = append(out, x)
		}
	}
	return out
}

// Terms lists the terms' ids, each once.
func (d Deficiencies) Terms() []string {
	var out []string
	for _, x := range d {
		if !slices.Contains(out, x.Term) {
			out = append(out, x.Term)
		}
	}
	return out
}

var catalogue = sync.OnceValue(func() map[string]hipaa.Term {
	m := map[string]hipaa.Term{}
	for _, t := range hipaa.Terms() {
		m[t.ID] = t
	}
	return m
})

// Check says what is wrong with the agreement as a paper: which mandatory terms are
// missing, which terms are weaker than the floor or than recommended, and what each
// switches off. Whether it is signed, approved and in its dates is the gate's question,
// and what the world around it must be (regions, training, subprocessors) are gates of
// their own.
func Check(a *snapshot.Agreement) Deficiencies {
	var out Deficiencies
	switch a.Kind {
	case snapshot.BAA:
		for i := range Table {
			out = append(out, checkRow(&Table[i], a)...)
		}
	case snapshot.SubcontractorBAA:
		// Between the vendor and its own: what 164.504(e)(5) asks for, and what is
		// there must be readable.
		for i := range Table {
			if catalogue()[Table[i].ID].Mandatory || termOf(a, Table[i].Field).there {
				out = append(out, checkRow(&Table[i], a)...)
			}
		}
	case snapshot.DataUseAgreement:
		for _, field := range hipaa.DataUseAgreementFields() {
			if dataUseTerm(a, field) {
				continue
			}
			title := "Term of a data use agreement: " + strings.ReplaceAll(field, "_", " ")
			out = append(out, Deficiency{Term: "DUA/" + field, Field: field, Title: title, Fault: Missing, Says: "the paper does not say it", Effect: DenyAll,
				Citation: hipaa.MustCite("P-514-e-4-i")})
		}
	case snapshot.ServicesContract:
		for i := range Table {
			if r := &Table[i]; r.Field == "no_reidentification" || termOf(a, r.Field).there && !catalogue()[r.ID].Mandatory {
				out = append(out, checkRow(r, a)...)
			}
		}
	}
	return out
}

func checkRow(r *Row, a *snapshot.Agreement) []Deficiency {
	t := catalogue()[r.ID]
	v := termOf(a, r.Field)
	d := Deficiency{Term: r.ID, Field: r.Field, Title: t.Title, Effect: Effect(t.OnFail), Clause: a.Terms[r.Field].Clause, Citation: cite(t)}
	if bad := failure(r, a, v); bad != "" {
		d.Fault, d.Says = Below, bad
		if !v.there {
			d.Fault, d.Silence = Missing, r.Silence
		}
		if d.Effect == DenyPurpose {
			d.Purposes = r.purposes
			if d.Purposes == nil {
				d.Purposes = hipaa.Purposes
			}
		}
		return []Deficiency{d}
	}
	if r.advise != nil {
		if weak := r.advise(v); weak != "" {
			d.Fault, d.Says, d.Effect = Weaker, weak, Warn
			return []Deficiency{d}
		}
	}
	return nil
}

// failure is what is wrong with a term, or "".
func failure(r *Row, a *snapshot.Agreement, v value) string {
	switch r.Field {
	case "instrument":
		// BAA-M00 is the agreement itself: on file, signed and in effect. Who signed, and
		// when, gate agreement reads.
		switch {
		case !isDigest(a.Document):
			return "no document is on file"
		case len(a.Signatures) == 0:
			return "nobody has signed"
		case a.EffectiveAt.IsZero():
			return "it has no first day"
		}
		return ""
	case "permitted_uses":
		if len(a.PermittedUses) == 0 && !filled(v) {
			return "no purpose is permitted"
		}
		return ""
	}
	return r.fails(v)
}

func filled(v value) bool { l, ok := v.list(); return ok && len(l) > 0 }

func dataUseTerm(a *snapshot.Agreement, field string) bool {
	switch field {
	case "permitted_uses":
		return len(a.PermittedUses) > 0
	case "permitted_users_recipients":
		return filled(termOf(a, field))
	}
	return termOf(a, field).yes()
}

func isDigest(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == 32
}

// cite gives a term's citation; one that only this product recommends is policy.
func cite(t hipaa.Term) hipaa.Citation {
	if t.Citation == "recommended" {
		return hipaa.Policy
	}
	for _, id := range t.Controls {
		if c, ok := hipaa.LookupControl(id); ok {
			return hipaa.Citation{Text: "45 CFR " + strings.TrimPrefix(t.Citation, "45 CFR "), Verified: c.Verified}
		}
	}
	return hipaa.Citation{Text: t.Citation, Verified: hipaa.Recall}
}

// Holds lists the terms that an agreement of its kind must have, for a class of data:
// of the mandatory ones those that it has, and of all those that it lacks. What is
// lacking denies everything. The policy is what the organisation sets.
func Holds(a *snapshot.Agreement, class hipaa.DataClass, p Policy) (has, lacks []string) {
	note := func(ok bool, id string) {
		if ok {
			has = append(has, id)
		} else {
			lacks = append(lacks, id)
		}
	}
	switch a.Kind {
	case snapshot.BAA, snapshot.SubcontractorBAA:
		for _, d := range denying() {
			if a.Kind == snapshot.SubcontractorBAA && !d.mandatory {
				continue
			}
			v := termOf(a, d.Field)
			ok := failure(d.Row, a, v) == ""
			if d.Field == "prompt_retention_days" {
				n, _ := v.number()
				ok = ok && n <= int64(p.MaxPromptRetentionDays)
			}
			// What a decision relies on is what the law demands; the rest only denies.
			if d.mandatory || !ok {
				note(ok, d.ID)
			}
		}
	case snapshot.DataUseAgreement:
		for _, field := range hipaa.DataUseAgreementFields() {
			note(dataUseTerm(a, field), "DUA/"+field)
		}
	case snapshot.ServicesContract:
		if class == hipaa.DeIdentified {
			note(termOf(a, "no_reidentification").yes(), "BAA-R13")
		}
	}
	return has, lacks
}

type denyingRow struct {
	*Row
	mandatory bool
}

// denying are the rows whose failure denies everything.
var denying = sync.OnceValue(func() (out []denyingRow) {
	for i := range Table {
		if t := catalogue()[Table[i].ID]; t.OnFail == string(DenyAll) {
			out = append(out, denyingRow{&Table[i], t.Mandatory})
		}
	}
	return out
})

// Policy is what the organisation sets beside its papers.
type Policy struct {
	// MaxPromptRetentionDays is how long a provider may keep prompts; 0: not at all.
	MaxPromptRetentionDays int
}

// PolicyOf takes it from the settings.
func PolicyOf(s *snapshot.Settings) Policy {
	return Policy{MaxPromptRetentionDays: s.MaxPromptRetentionDays}
}

// Blocks lists the terms for which no vendor, engagement or grant may be approved and
// no review kept.
func Blocks(a *snapshot.Agreement) Deficiencies {
	if a.Kind != snapshot.BAA {
		return nil
	}
	return Check(a).With(BlockOnboarding)
}

// interval reads "2024-01-01/2026-12-31"; ".." is an open end.
func interval(s string) (from, until time.Time, ok bool) {
	a, b, ok := strings.Cut(s, "/")
	if !ok {
		return from, until, false
	}
	for _, side := range []struct {
		text string
		to   *time.Time
	}{{a, &from}, {b, &until}} {
		if side.text == ".." {
			continue
		}
		t, err := time.Parse(time.DateOnly, side.text)
		if err != nil {
			return time.Time{}, time.Time{}, false
		}
		*side.to = t
	}
	if !until.IsZero() {
		until = until.AddDate(0, 0, 1) // the last day belongs to it
	}
	return from, until, until.IsZero() || from.Before(until)
}

// String is one line for a person.
func (d Deficiency) String() string {
	s := fmt.Sprintf("%s %s: %s (%s)", d.Term, d.Title, d.Says, d.Effect)
	if len(d.Purposes) > 0 && len(d.Purposes) < len(hipaa.Purposes) {
		var ps []string
		for _, p := range d.Purposes {
			ps = append(ps, string(p))
		}
		s += ": " + strings.Join(ps, ", ")
	}
	return s
}

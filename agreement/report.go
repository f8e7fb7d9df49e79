package agreement

import (
	"fmt"
	"slices"
	"time"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// Warning is one line of the report: what a person should look at.
type Warning struct {
	Agreement id.Agreement   `json:"agreement"`
	Vendor    id.Vendor      `json:"vendor"`
	Term      string         `json:"term"`
	Title     string         `json:"title"`
	Says      string         `json:"says"`
	Effect    Effect         `json:"effect"` // what else it does: a weak term warns, a missing one may deny
	Citation  hipaa.Citation `json:"citation"`
}

// Report lists what is missing, weak or overdue under every agreement that is approved
// and not over: what Check finds in the papers, and what the world around them lacks.
// counts says whether a certification counts now.
func Report(v *snapshot.View, now time.Time, counts func(*snapshot.Certification) bool) []Warning {
	out := []Warning{}
	for _, a := range v.Agreements.All() {
		if a.State != snapshot.Approved && a.State != snapshot.Suspended || over(a, now) {
			continue
		}
		for _, d := range Check(a) {
			out = append(out, Warning{Agreement: a.ID, Vendor: a.Vendor, Term: d.Term, Title: d.Title, Says: d.Says, Effect: d.Effect, Citation: d.Citation})
		}
		warn := func(field, says string) {
			r, _ := RowOf(field)
			t := catalogue()[r.ID]
			out = append(out, Warning{Agreement: a.ID, Vendor: a.Vendor, Term: r.ID, Title: t.Title, Says: says, Effect: Warn, Citation: cite(t)})
		}
		if a.Kind == snapshot.BAA {
			around(v, a, now, counts, warn)
		}
	}
	return out
}

// around compares the promises with what is on file.
func around(v *snapshot.View, a *snapshot.Agreement, now time.Time, counts func(*snapshot.Certification) bool, warn func(field, says string)) {
	// newest is when the newest paper of a type that counts is of; zero: there is none.
	newest := func(typ string) time.Time {
		var at time.Time
		for _, c := range v.CertificationsOf(a.Vendor) {
			if c.Type != typ || !counts(c) {
				continue
			}
			if d := dateOf(c); d.After(at) {
				at = d
			}
		}
		return at
	}
	overdue := func(field string, clock ClockID, typ, what string) {
		c, ok := ClockOf(a, clock)
		if !ok {
			return
		}
		switch last := newest(typ); {
		case last.IsZero() && !now.Before(c.Due(a.EffectiveAt)):
			warn(field, "no "+what+" that counts is on file, and one was due by "+c.Due(a.EffectiveAt).UTC().Format(time.DateOnly))
		case !last.IsZero() && !now.Before(c.Due(last)):
			warn(field, "the last "+what+" is of "+last.UTC().Format(time.DateOnly)+", and the next was due by "+c.Due(last).UTC().Format(time.DateOnly))
		}
	}
	overdue("security_schedule", VulnerabilityScan, "VULNSCAN", "vulnerability scan")
	overdue("security_schedule", PenetrationTest, "PENTEST", "penetration test")
	overdue("annual_verification", VerificationDue, "RISKANALYSIS", "written verification")
	if termOf(a, "insurance").there && newest("INSURANCE").IsZero() {
		warn("insurance", "no certificate of insurance that counts is on file: verified, in force, and without an exclusion of AI")
	}
	if c, ok := ClockOf(a, Rescreening); ok {
		at, err := time.Parse(time.DateOnly, termOf(a, "dsp_clause").member("screening_date").word())
		switch {
		case err != nil:
			warn("dsp_clause", "its screening_date is no date such as 2026-01-31")
		case !now.Before(c.Due(at)):
			warn("dsp_clause", fmt.Sprintf("the vendor screened on %s, and the next screening was due by %s", at.Format(time.DateOnly), c.Due(at).Format(time.DateOnly)))
		}
	}
	s := termOf(a, "ssdf")
	if s.member("model_provenance").yes() || s.member("weights_hash").yes() {
		for _, e := range v.Engagements.All() {
			if e.State == snapshot.Approved && slices.Contains(e.Agreements, a.ID) && e.Workload == nil && now.Before(e.EndsAt) {
				warn("ssdf", "the paper promises provenance, and engagement "+string(e.ID)+" demands none of the program (engagement amend, workload)")
			}
		}
	}
}

// dateOf is what a paper is of.
func dateOf(c *snapshot.Certification) time.Time {
	for _, t := range []time.Time{c.AsOf, c.PeriodEnd, c.IssuedAt, c.VerifiedAt} {
		if !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}

func over(a *snapshot.Agreement, now time.Time) bool {
	for _, t := range []time.Time{a.EndsAt, a.TerminatedAt} {
		if !t.IsZero() && !now.Before(t) {
			return true
		}
	}
	return false
}

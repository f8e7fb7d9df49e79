package breach

import (
	"encoding/json"
	"time"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// Contract is what the papers with a vendor say about telling of incidents. The zero
// Contract says nothing, and then the law alone does.
type Contract struct {
	Clocks []ContractClock
}

// ContractClock is a time limit of a paper, counted from the vendor's discovery.
type ContractClock struct {
	Term      string // "BAA-R20"
	What      string
	Max       time.Duration
	Agreement id.Agreement
	Clause    string // "§ 4.2"
	Citation  hipaa.Citation
}

// ContractOf reads the limits that the papers with the incident's vendor set: those of
// the engagements that it is about, or else all that were approved and in effect when
// it was discovered. An agreement that has ended since still binds (its duties to
// report survive). Of several that speak of the same thing, the shortest counts.
func ContractOf(v *snapshot.View, in *snapshot.Incident) Contract {
	if in.Vendor == "" {
		return Contract{}
	}
	of := map[id.Agreement]bool{}
	for _, s := range in.About {
		if e, ok := v.Engagements.Get(id.Engagement(s.ID)); ok && s.Noun == snapshot.NounEngagement {
			for _, a := range e.Agreements {
				of[a] = true
			}
		}
	}
	best := map[string]ContractClock{}
	for _, a := range v.AgreementsOf(in.Vendor) {
		if a.ApprovedAt.IsZero() || a.EffectiveAt.After(in.DiscoveredAt) || len(of) > 0 && !of[a.ID] {
			continue
		}
		for _, c := range clocksOf(a) {
			if old, ok := best[c.Term]; !ok || c.Max < old.Max {
				best[c.Term] = c
			}
		}
	}
	var out Contract
	for _, term := range []string{termBreach, termIncident} {
		if c, ok := best[term]; ok {
			out.Clocks = append(out.Clocks, c)
		}
	}
	return out
}

const (
	termBreach   = "BAA-R20"
	termIncident = "BAA-R21"
)

// clocksOf reads the hours of one paper.
func clocksOf(a *snapshot.Agreement) (out []ContractClock) {
	var hours int
	if t, ok := a.Terms["breach_notice_hours"]; ok && json.Unmarshal(t.Value, &hours) == nil && hours > 0 {
		out = append(out, ContractClock{Term: termBreach, What: "Vendor's first notice of a breach, by contract", Max: time.Duration(hours) * time.Hour,
			Agreement: a.ID, Clause: t.Clause, Citation: termCitation("breach_notice_hours")})
	}
	var report struct {
		Hours int `json:"successful_hours"`
	}
	if t, ok := a.Terms["incident_report"]; ok && json.Unmarshal(t.Value, &report) == nil && report.Hours > 0 {
		out = append(out, ContractClock{Term: termIncident, What: "Vendor's report of a security incident, by contract", Max: time.Duration(report.Hours) * time.Hour,
			Agreement: a.ID, Clause: t.Clause, Citation: termCitation("incident_report")})
	}
	return out
}

// termCitation is that of the duty that the term puts a number to.
func termCitation(field string) hipaa.Citation {
	if field == "incident_report" {
		return hipaa.MustCite("S-314-a-2-i-C")
	}
	return hipaa.MustCite("B-410-b")
}

package breach

import (
	"github.com/sallyport/sallyport/agreement"
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
	agreement.Clock
	What string
	// Citation is of the duty; the number is the contract's own.
	Citation hipaa.Citation
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
	// A paper that is being amended waits for its approval, and the vendor's duty to
	// report does not: where no approved paper speaks of it, what waits does.
	var papers, waiting []*snapshot.Agreement
	for _, a := range v.AgreementsOf(in.Vendor) {
		switch {
		case a.EffectiveAt.After(in.DiscoveredAt) || len(of) > 0 && !of[a.ID]:
		case a.ApprovedAt.IsZero():
			waiting = append(waiting, a)
		default:
			papers = append(papers, a)
		}
	}
	var out Contract
	for _, k := range []struct {
		id            agreement.ClockID
		what, control string
	}{{agreement.BreachNotice, "Vendor's first notice of a breach, by contract", "B-410-b"},
		{agreement.IncidentNotice, "Vendor's report of a security incident, by contract", "S-314-a-2-i-C"}} {
		c, ok := agreement.Shortest(papers, k.id, in.DiscoveredAt)
		if !ok {
			c, ok = agreement.Shortest(waiting, k.id, in.DiscoveredAt)
		}
		if ok {
			out.Clocks = append(out.Clocks, ContractClock{Clock: c, What: k.what, Citation: hipaa.MustCite(k.control)})
		}
	}
	return out
}

package gate

import (
	"time"

	"github.com/sallyport/sallyport/agreement"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/snapshot"
)

// paper is an agreement as it stands at one time.
type paper struct {
	*snapshot.Agreement
	state    snapshot.State
	ofVendor bool
	document bool
	signed   [2]bool // by the two parties that its kind needs
	begun    bool
	over     bool
	ends     time.Time // earliest of end, termination, suspension, a breach not cured; zero: none
	missing  []string  // ids of terms that it must have and has not
	relied   []string  // ids of those that it has
}

// readPaper reads an agreement with the vendor, for a class of data.
func readPaper(c *policy.Case, f *policy.Facts, vendor id.Vendor, class hipaa.DataClass, a *snapshot.Agreement) paper {
	p := paper{Agreement: a, state: stateAt(f, a.Approval)}
	p.ofVendor = a.Vendor != "" && a.Vendor == vendor
	p.document = isDigest(a.Document)
	for i, party := range parties(a.Kind) {
		p.signed[i] = signedBy(f, a, party)
	}
	p.begun = f.Passed(a.EffectiveAt)
	for _, t := range []time.Time{a.EndsAt, a.TerminatedAt, a.SuspendedAt, a.NoticesEnd()} {
		if !t.IsZero() && (p.ends.IsZero() || t.Before(p.ends)) {
			p.ends = t
		}
	}
	p.over = f.Passed(p.ends)
	p.relied, p.missing = agreement.Holds(a, class, agreement.PolicyOf(&c.View.Settings))
	return p
}

func parties(k snapshot.AgreementKind) [2]snapshot.Party {
	if k == snapshot.SubcontractorBAA {
		return [2]snapshot.Party{snapshot.VendorParty, snapshot.SubcontractorParty}
	}
	return [2]snapshot.Party{snapshot.Organisation, snapshot.VendorParty}
}

func signedBy(f *policy.Facts, a *snapshot.Agreement, party snapshot.Party) bool {
	for _, s := range a.Signatures {
		if s.Party == party && s.Signer != "" && f.Passed(s.At) {
			return true
		}
	}
	return false
}

// faults counts what is wrong with the paper; 0: it is in force.
func (p paper) faults() int {
	n := len(p.missing)
	for _, ok := range []bool{p.state == snapshot.Approved, twoPeople(p.Approval), p.ofVendor, p.document,
		p.signed[0], p.signed[1], p.begun, !p.over} {
		if !ok {
			n++
		}
	}
	return n
}

// standing writes the standing as it was read.
func (p paper) standing(f *policy.Facts) {
	policy.Word(f, "state", p.state, snapshot.Proposed, snapshot.Approved, snapshot.Suspended, snapshot.Ended)
	f.Bool("two_people", twoPeople(p.Approval))
}

// papersInForce are the agreements of the engagement that are in force, of
// whatever kind.
func papersInForce(c *policy.Case, f *policy.Facts) []*snapshot.Agreement {
	return policy.Once(c, "papers in force", func() []*snapshot.Agreement { return readPapers(c, f) })
}

func readPapers(c *policy.Case, f *policy.Facts) []*snapshot.Agreement {
	var out []*snapshot.Agreement
	for _, a := range c.Agreements {
		if readPaper(c, f, c.Vendor, engagementOf(c).DataClass, a).faults() == 0 {
			out = append(out, a)
		}
	}
	return out
}

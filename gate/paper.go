package gate

import (
	"encoding/json"
	"strings"
	"time"

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
func readPaper(f *policy.Facts, vendor id.Vendor, class hipaa.DataClass, a *snapshot.Agreement) paper {
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
	p.relied, p.missing = readTerms(a, class)
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
	var out []*snapshot.Agreement
	for _, a := range c.Agreements {
		if readPaper(f, c.Vendor, engagementOf(c).DataClass, a).faults() == 0 {
			out = append(out, a)
		}
	}
	return out
}

// readTerms checks the terms that an agreement of the kind must have: for a
// BAA, the mandatory ones of hipaa.MandatoryTerms; for a data use agreement, the
// contents of 45 CFR 164.514(e)(4)(ii); for a services contract under which
// de-identified data leaves, that it forbids re-identification (policy).
func readTerms(a *snapshot.Agreement, class hipaa.DataClass) (has, lacks []string) {
	note := func(ok bool, id string) {
		if ok {
			has = append(has, id)
		} else {
			lacks = append(lacks, id)
		}
	}
	switch a.Kind {
	case snapshot.BAA, snapshot.SubcontractorBAA:
		for _, t := range hipaa.MandatoryTerms() {
			note(mandatory(a, t), t.ID)
		}
	case snapshot.DataUseAgreement:
		for _, field := range hipaa.DataUseAgreementFields() {
			switch field {
			case "permitted_uses":
				note(len(a.PermittedUses) > 0, "DUA/"+field)
			case "permitted_users_recipients":
				note(isFilledList(a.Terms[field].Value), "DUA/"+field)
			default:
				note(isTrue(a.Terms[field].Value), "DUA/"+field)
			}
		}
	case snapshot.ServicesContract:
		if class == hipaa.DeIdentified {
			note(isTrue(a.Terms["no_reidentification"].Value), "BAA-R13")
		}
	}
	return has, lacks
}

// mandatory reports whether the agreement satisfies a mandatory term.
func mandatory(a *snapshot.Agreement, t hipaa.Term) bool {
	raw := a.Terms[t.Field].Value
	switch {
	case t.Field == "instrument":
		// BAA-M00 is the agreement itself: on file, signed and in effect. The
		// rest of the paper says so.
		return isDigest(a.Document) && len(a.Signatures) > 0 && !a.EffectiveAt.IsZero()
	case t.Field == "permitted_uses":
		return len(a.PermittedUses) > 0 || isFilledList(raw)
	case strings.HasPrefix(t.Type, "list"):
		return isFilledList(raw)
	case t.Field == "delegated_obligations" && notApplicable(raw):
		// 45 CFR 164.504(e)(2)(ii)(H) applies "to the extent" that the vendor
		// carries out an obligation of the organisation's.
		return true
	}
	return isTrue(raw)
}

func isTrue(raw json.RawMessage) bool {
	return strings.TrimSpace(string(raw)) == "true"
}

func isFilledList(raw json.RawMessage) bool {
	var list []any
	return json.Unmarshal(raw, &list) == nil && len(list) > 0
}

func notApplicable(raw json.RawMessage) bool {
	var v struct {
		Reason string `json:"not_applicable"`
	}
	return json.Unmarshal(raw, &v) == nil && strings.TrimSpace(v.Reason) != ""
}

package registry

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// AgreementKinds lists every kind of paper.
var AgreementKinds = []snapshot.AgreementKind{snapshot.BAA, snapshot.SubcontractorBAA, snapshot.ServicesContract, snapshot.DataUseAgreement}

// DraftAgreement records a paper with its terms.
type DraftAgreement struct {
	ID            id.Agreement             `json:"id"`
	Kind          snapshot.AgreementKind   `json:"kind"`
	Vendor        id.Vendor                `json:"vendor"`
	Subcontractor id.Vendor                `json:"subcontractor,omitempty"`
	Terms         map[string]snapshot.Term `json:"terms,omitempty"`
	PermittedUses []snapshot.PermittedUse  `json:"permitted_uses,omitempty"`
	Regions       []string                 `json:"regions,omitempty"`
	Document      string                   `json:"document_sha256"`
	EffectiveAt   time.Time                `json:"effective_at"`
	EndsAt        time.Time                `json:"ends_at,omitzero"`
	// SecondReading asks that a second person reads the document and enters its terms
	// again (agreement.check-terms) before the agreement can be approved.
	SecondReading bool `json:"second_reading,omitempty"`
}

func (a DraftAgreement) Subject() snapshot.Subject { return subject(snapshot.NounAgreement, a.ID) }

func (a DraftAgreement) documents() []string { return []string{a.Document} }

func (a DraftAgreement) check(v *snapshot.View, _ Actor, _ time.Time) error {
	return first(fresh("id", v.Agreements, a.ID), a.checkPaper(v))
}

func (a DraftAgreement) checkPaper(v *snapshot.View) error {
	return first(
		oneOf("kind", a.Kind, AgreementKinds),
		exists("vendor", v.Vendors, a.Vendor),
		a.checkSubcontractor(v),
		checkTerms("terms", a.Terms),
		each("permitted_uses", a.PermittedUses, func(field string, u snapshot.PermittedUse) error { return checkUse(v, field, u) }),
		regions("regions", a.Regions, false),
		sha256Hex("document_sha256", a.Document),
		set("effective_at", a.EffectiveAt),
		setOrNone("ends_at", a.EndsAt), after("ends_at", a.EndsAt, "effective_at", a.EffectiveAt))
}

func (a DraftAgreement) checkSubcontractor(v *snapshot.View) error {
	switch {
	case a.Kind != snapshot.SubcontractorBAA && a.Subcontractor != "":
		return badField("subcontractor", "is only for a subcontractor-baa", "Leave it out, or change the kind")
	case a.Kind != snapshot.SubcontractorBAA:
		return nil
	case a.Subcontractor == a.Vendor:
		return badField("subcontractor", "is the vendor itself", "Name the vendor's own vendor")
	}
	return exists("subcontractor", v.Vendors, a.Subcontractor)
}

func checkUse(v *snapshot.View, field string, u snapshot.PermittedUse) error {
	if len(u.DataClasses) == 0 {
		return badField(field+".data_classes", "is empty", "Name at least one; silence is no (45 CFR 164.502(a)(3))")
	}
	return first(
		oneOf(field+".purpose", u.Purpose, hipaa.Purposes),
		each(field+".data_classes", u.DataClasses, func(f string, c hipaa.DataClass) error { return oneOf(f, c, hipaa.DataClasses) }),
		unique(field+".data_classes", u.DataClasses),
		each(field+".sources", u.Sources, func(f string, s id.Source) error { return knownSource(v, f, s) }),
		unique(field+".sources", u.Sources),
		required(field+".clause", u.Clause, `"§ 2.1"`))
}

func knownSource(v *snapshot.View, field string, s id.Source) error {
	var names []string
	for _, src := range v.Settings.Sources {
		if src.ID == s {
			return nil
		}
		names = append(names, string(src.ID))
	}
	return badField(field, fmt.Sprintf("there is no source %q", string(s)), meant(string(s), names, "Use a source of the configuration"))
}

func (a DraftAgreement) record(ap snapshot.Approval) *snapshot.Agreement {
	return &snapshot.Agreement{ID: a.ID, Kind: a.Kind, Vendor: a.Vendor, Subcontractor: a.Subcontractor,
		Terms: a.Terms, PermittedUses: a.PermittedUses, Regions: a.Regions, Document: a.Document,
		EffectiveAt: a.EffectiveAt.UTC(), EndsAt: a.EndsAt.UTC(), SecondReading: a.SecondReading, Approval: ap}
}

func (a DraftAgreement) apply(e *snapshot.Edit, s Stamp) { e.Put(a.record(asked(s))) }

// AmendAgreement replaces a paper by its amended form: the signatures and the
// approval fall away, and data under it stops until they are there again. To
// keep data flowing, draft the amended paper under a new id and name it in the
// engagement once it is signed.
type AmendAgreement DraftAgreement

func (a AmendAgreement) Subject() snapshot.Subject { return subject(snapshot.NounAgreement, a.ID) }

func (a AmendAgreement) documents() []string { return []string{a.Document} }

func (a AmendAgreement) check(v *snapshot.View, by Actor, now time.Time) error {
	old, ok := v.Agreements.Get(a.ID)
	if !ok {
		return found("id", v.Agreements, a.ID)
	}
	if a.Kind != old.Kind || a.Vendor != old.Vendor || a.Subcontractor != old.Subcontractor {
		return conflict("kind", "An amendment cannot change the kind or the parties", "Draft another agreement")
	}
	if old.OverBy(now) {
		return conflict("", "The agreement has ended", "Draft another agreement")
	}
	if old.SecondReading && !a.SecondReading {
		return badField("second_reading", "was asked for and cannot be taken back", "Write second_reading: true")
	}
	return first(amendable("The agreement", old.Approval, by), DraftAgreement(a).checkPaper(v))
}

// apply keeps the notices: what was held against the vendor is not amended away.
func (a AmendAgreement) apply(e *snapshot.Edit, s Stamp) {
	next := DraftAgreement(a).record(asked(s))
	if old, ok := e.View().Agreements.Get(a.ID); ok {
		next.Notices, next.Renewals = old.Notices, approvedRenewals(old.Renewals)
	}
	e.Put(next)
}

// SignAgreement records one side's signature.
type SignAgreement struct {
	ID     id.Agreement   `json:"id"`
	Party  snapshot.Party `json:"party"`
	Signer string         `json:"signer"` // as on the paper
	At     time.Time      `json:"at"`
}

func (a SignAgreement) Subject() snapshot.Subject { return subject(snapshot.NounAgreement, a.ID) }

func (a SignAgreement) check(v *snapshot.View, _ Actor, now time.Time) error {
	g, ok := v.Agreements.Get(a.ID)
	if !ok {
		return found("id", v.Agreements, a.ID)
	}
	for _, s := range g.Signatures {
		if s.Party == a.Party {
			return conflict("party", "This side has signed already", "Nothing is left to do")
		}
	}
	return first(
		inState(fmt.Sprintf("Agreement %q", a.ID), g.State, snapshot.Proposed, snapshot.Approved),
		oneOf("party", a.Party, parties(g.Kind)),
		required("signer", a.Signer, `"A. Person, Privacy Officer"`),
		set("at", a.At), past("at", a.At, now))
}

// parties are the two sides: a subcontractor's BAA is between the vendor and
// its own vendor (45 CFR 164.504(e)(5)).
func parties(k snapshot.AgreementKind) []snapshot.Party {
	if k == snapshot.SubcontractorBAA {
		return []snapshot.Party{snapshot.VendorParty, snapshot.SubcontractorParty}
	}
	return []snapshot.Party{snapshot.Organisation, snapshot.VendorParty}
}

func (a SignAgreement) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Agreements, a.ID, func(g *snapshot.Agreement) {
		g.Signatures = append(slices.Clone(g.Signatures),
			snapshot.Signature{Party: a.Party, Signer: strings.TrimSpace(a.Signer), At: a.At.UTC(), By: s.By})
	})
}

// ApproveAgreement says that the organisation stands by the paper and that the
// terms are recorded as they stand in it.
type ApproveAgreement struct {
	ID id.Agreement `json:"id"`
}

func (a ApproveAgreement) Subject() snapshot.Subject { return subject(snapshot.NounAgreement, a.ID) }

func (a ApproveAgreement) apart(v *snapshot.View) []id.Person {
	if g, ok := v.Agreements.Get(a.ID); ok {
		return []id.Person{g.RequestedBy}
	}
	return nil
}

func (a ApproveAgreement) check(v *snapshot.View, _ Actor, _ time.Time) error {
	if err := agreementIn(v, a.ID, snapshot.Proposed); err != nil {
		return err
	}
	if g, _ := v.Agreements.Get(a.ID); g.SecondReading && g.Reading.By == "" {
		return conflict("", "Nobody has read the document a second time and entered its terms", "Have another than who drafted it do so: sallyport agreement check-terms "+string(a.ID))
	}
	return nil
}

func (a ApproveAgreement) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Agreements, a.ID, func(g *snapshot.Agreement) { g.Approval = approved(g.Approval, s) })
}

func agreementIn(v *snapshot.View, agreement id.Agreement, want ...snapshot.State) error {
	g, ok := v.Agreements.Get(agreement)
	if !ok {
		return found("id", v.Agreements, agreement)
	}
	return inState(fmt.Sprintf("Agreement %q", agreement), g.State, want...)
}

// SuspendAgreement stops what rests on the agreement until it is resumed.
type SuspendAgreement struct {
	ID id.Agreement `json:"id"`
}

func (a SuspendAgreement) Subject() snapshot.Subject { return subject(snapshot.NounAgreement, a.ID) }

func (a SuspendAgreement) check(v *snapshot.View, _ Actor, _ time.Time) error {
	return agreementIn(v, a.ID, snapshot.Approved)
}

func (a SuspendAgreement) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Agreements, a.ID, func(g *snapshot.Agreement) { g.State, g.SuspendedAt = snapshot.Suspended, s.At })
}

// ResumeAgreement ends a suspension.
type ResumeAgreement struct {
	ID id.Agreement `json:"id"`
}

func (a ResumeAgreement) Subject() snapshot.Subject { return subject(snapshot.NounAgreement, a.ID) }

func (a ResumeAgreement) check(v *snapshot.View, _ Actor, _ time.Time) error {
	return agreementIn(v, a.ID, snapshot.Suspended)
}

func (a ResumeAgreement) apply(e *snapshot.Edit, _ Stamp) {
	change(e, e.View().Agreements, a.ID, func(g *snapshot.Agreement) { g.State, g.SuspendedAt = snapshot.Approved, time.Time{} })
}

// TerminateAgreement ends an agreement for good, at once.
type TerminateAgreement struct {
	ID id.Agreement `json:"id"`
}

func (a TerminateAgreement) Subject() snapshot.Subject { return subject(snapshot.NounAgreement, a.ID) }

func (a TerminateAgreement) check(v *snapshot.View, _ Actor, _ time.Time) error {
	return agreementIn(v, a.ID, snapshot.Proposed, snapshot.Approved, snapshot.Suspended)
}

func (a TerminateAgreement) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Agreements, a.ID, func(g *snapshot.Agreement) { g.State, g.TerminatedAt = snapshot.Ended, s.At })
}

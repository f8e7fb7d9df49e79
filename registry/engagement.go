package registry

import (
	"fmt"
	"slices"
	"time"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// ProposeEngagement asks for a piece of work for one purpose under agreements.
type ProposeEngagement struct {
	ID            id.Engagement    `json:"id"`
	Vendor        id.Vendor        `json:"vendor"`
	Agreements    []id.Agreement   `json:"agreements"`
	Basis         hipaa.LegalBasis `json:"basis"`
	BasisDocument string           `json:"basis_document_sha256,omitempty"`
	BasisExpires  time.Time        `json:"basis_expires,omitzero"`
	Purpose       hipaa.Purpose    `json:"purpose"`
	Category      hipaa.Category   `json:"category"`
	Sources       []id.Source      `json:"sources"`
	DataClass     hipaa.DataClass  `json:"data_class"`
	Regions       []string         `json:"regions"`
	Subprocessors []id.Vendor      `json:"subprocessors,omitempty"`
	StartsAt      time.Time        `json:"starts_at"`
	EndsAt        time.Time        `json:"ends_at"`
	Sealing       snapshot.Sealing `json:"sealing,omitempty"`
	// Workload is what the program must prove of itself; see package provenance.
	Workload *snapshot.WorkloadDemand `json:"workload,omitempty"`
}

func (a ProposeEngagement) Subject() snapshot.Subject { return subject(snapshot.NounEngagement, a.ID) }

func (a ProposeEngagement) documents() []string { return []string{a.BasisDocument} }

func (a ProposeEngagement) check(v *snapshot.View, _ Actor, now time.Time) error {
	return first(fresh("id", v.Engagements, a.ID), a.checkWork(v, now))
}

func (a ProposeEngagement) checkWork(v *snapshot.View, now time.Time) error {
	if len(a.Agreements) == 0 {
		return badField("agreements", "is empty", "Name the agreements that the work rests on")
	}
	if len(a.Sources) == 0 {
		return badField("sources", "is empty", "Name the sources that the work may read")
	}
	if a.Sealing != "" {
		if err := oneOf("sealing", a.Sealing, snapshot.Sealings); err != nil {
			return err
		}
	}
	return first(
		checkDemand("workload", a.Workload),
		goingOn("vendor", v, a.Vendor),
		each("agreements", a.Agreements, func(field string, g id.Agreement) error { return a.checkAgreement(v, field, g) }),
		unique("agreements", a.Agreements),
		oneOf("basis", a.Basis, hipaa.LegalBases),
		a.checkBasis(),
		optionalDigest("basis_document_sha256", a.BasisDocument),
		setOrNone("basis_expires", a.BasisExpires), future("basis_expires", a.BasisExpires, now),
		oneOf("purpose", a.Purpose, hipaa.Purposes),
		oneOf("category", a.Category, hipaa.Categories),
		oneOf("data_class", a.DataClass, hipaa.DataClasses),
		each("sources", a.Sources, func(field string, s id.Source) error { return a.checkSource(v, field, s) }),
		unique("sources", a.Sources),
		regions("regions", a.Regions, true),
		each("subprocessors", a.Subprocessors, func(field string, s id.Vendor) error { return exists(field, v.Vendors, s) }),
		unique("subprocessors", a.Subprocessors),
		set("starts_at", a.StartsAt), set("ends_at", a.EndsAt),
		after("ends_at", a.EndsAt, "starts_at", a.StartsAt), future("ends_at", a.EndsAt, now))
}

func (a ProposeEngagement) checkAgreement(v *snapshot.View, field string, g id.Agreement) error {
	if err := exists(field, v.Agreements, g); err != nil {
		return err
	}
	if paper, _ := v.Agreements.Get(g); paper.Vendor != a.Vendor {
		return badField(field, fmt.Sprintf("is an agreement with %q", paper.Vendor), "Name agreements with the vendor of the engagement")
	}
	return nil
}

// checkBasis wants the paper of a basis that is a paper of its own.
func (a ProposeEngagement) checkBasis() error {
	switch a.Basis {
	case hipaa.Authorization, hipaa.Waiver:
		if a.BasisDocument == "" {
			return badField("basis_document_sha256", "is missing", "Give the SHA-256 of the "+string(a.Basis)+" (45 CFR 164.508, 164.512(i))")
		}
	}
	return nil
}

func (a ProposeEngagement) checkSource(v *snapshot.View, field string, s id.Source) error {
	if err := knownSource(v, field, s); err != nil {
		return err
	}
	for _, src := range v.Settings.Sources {
		if src.ID == s && !slices.Contains(src.Classes, a.DataClass) {
			return badField(field, fmt.Sprintf("source %q does not release %s", s, a.DataClass), "Choose another source or data class")
		}
	}
	return nil
}

func (a ProposeEngagement) record(ap snapshot.Approval) *snapshot.Engagement {
	return &snapshot.Engagement{ID: a.ID, Vendor: a.Vendor, Agreements: a.Agreements, Basis: a.Basis,
		BasisDocument: a.BasisDocument, BasisExpires: a.BasisExpires.UTC(), Purpose: a.Purpose, Category: a.Category,
		Sources: a.Sources, DataClass: a.DataClass, Regions: a.Regions, Subprocessors: a.Subprocessors,
		StartsAt: a.StartsAt.UTC(), EndsAt: a.EndsAt.UTC(), Sealing: a.Sealing, Workload: a.Workload, Approval: ap}
}

func (a ProposeEngagement) apply(e *snapshot.Edit, s Stamp) { e.Put(a.record(asked(s))) }

// AmendEngagement replaces an engagement's particulars; it needs a new
// approval, and stops until then.
type AmendEngagement ProposeEngagement

func (a AmendEngagement) Subject() snapshot.Subject { return subject(snapshot.NounEngagement, a.ID) }

func (a AmendEngagement) documents() []string { return []string{a.BasisDocument} }

func (a AmendEngagement) check(v *snapshot.View, by Actor, now time.Time) error {
	old, ok := v.Engagements.Get(a.ID)
	if !ok {
		return found("id", v.Engagements, a.ID)
	}
	if a.Vendor != old.Vendor {
		return conflict("vendor", "An engagement stays with its vendor", "Propose another engagement")
	}
	return first(amendable("The engagement", old.Approval, by), ProposeEngagement(a).checkWork(v, now))
}

func (a AmendEngagement) apply(e *snapshot.Edit, s Stamp) {
	e.Put(ProposeEngagement(a).record(asked(s)))
}

// ApproveEngagement lets the work begin at its time.
type ApproveEngagement struct {
	ID id.Engagement `json:"id"`
}

func (a ApproveEngagement) Subject() snapshot.Subject { return subject(snapshot.NounEngagement, a.ID) }

func (a ApproveEngagement) apart(v *snapshot.View) []id.Person {
	if g, ok := v.Engagements.Get(a.ID); ok {
		return []id.Person{g.RequestedBy}
	}
	return nil
}

func (a ApproveEngagement) check(v *snapshot.View, _ Actor, _ time.Time) error {
	return first(engagementIn(v, a.ID, snapshot.Proposed), onboardingEngagement(v, a.ID))
}

func (a ApproveEngagement) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Engagements, a.ID, func(g *snapshot.Engagement) { g.Approval = approved(g.Approval, s) })
}

func engagementIn(v *snapshot.View, engagement id.Engagement, want ...snapshot.State) error {
	g, ok := v.Engagements.Get(engagement)
	if !ok {
		return found("id", v.Engagements, engagement)
	}
	return inState(fmt.Sprintf("Engagement %q", engagement), g.State, want...)
}

// EndEngagement ends the work for good, at once.
type EndEngagement struct {
	ID id.Engagement `json:"id"`
}

func (a EndEngagement) Subject() snapshot.Subject { return subject(snapshot.NounEngagement, a.ID) }

func (a EndEngagement) check(v *snapshot.View, _ Actor, _ time.Time) error {
	return engagementIn(v, a.ID, snapshot.Proposed, snapshot.Approved, snapshot.Suspended)
}

func (a EndEngagement) apply(e *snapshot.Edit, _ Stamp) {
	change(e, e.View().Engagements, a.ID, func(g *snapshot.Engagement) { g.State = snapshot.Ended })
}

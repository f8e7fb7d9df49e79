package registry

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// GiveNotice tells the vendor of a material breach, with a time to cure it (45 CFR
// 164.504(e)(1)(ii), (e)(2)(iii)). Data flows until then; suspend the agreement where it
// shall not. A breach that is not noted as cured by then ends the agreement: the gate
// reads it from the record, and nobody need do anything.
type GiveNotice struct {
	ID        id.Agreement `json:"id"`
	Breach    string       `json:"breach"` // in a sentence; never patient data
	CureUntil time.Time    `json:"cure_until"`
}

// maxCure bounds a time to cure (policy): a longer one is an amendment.
const maxCure = 180 * 24 * time.Hour

func (a GiveNotice) Subject() snapshot.Subject { return subject(snapshot.NounAgreement, a.ID) }

func (a GiveNotice) check(v *snapshot.View, _ Actor, now time.Time) error {
	g, ok := v.Agreements.Get(a.ID)
	if !ok {
		return found("id", v.Agreements, a.ID)
	}
	if g.OverBy(now) {
		return conflict("", "The agreement has ended", "Nothing is left to give notice of")
	}
	if err := first(inState(fmt.Sprintf("Agreement %q", a.ID), g.State, snapshot.Approved, snapshot.Suspended),
		required("breach", a.Breach, `"Reported a breach after 40 days instead of 24 hours"`), set("cure_until", a.CureUntil), future("cure_until", a.CureUntil, now)); err != nil {
		return err
	}
	for _, n := range g.Notices {
		if n.CuredAt.IsZero() && n.Breach == strings.TrimSpace(a.Breach) {
			return conflict("breach", "Notice of this was given already", "Give notice of what is new")
		}
	}
	if a.CureUntil.After(now.Add(maxCure)) {
		return badField("cure_until", "is too far ahead", "Give at most 180 days (policy)")
	}
	return nil
}

func (a GiveNotice) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Agreements, a.ID, func(g *snapshot.Agreement) {
		g.Notices = append(slices.Clone(g.Notices), snapshot.CureNotice{ID: s.ID, Breach: strings.TrimSpace(a.Breach), By: s.By, At: s.At, CureUntil: a.CureUntil.UTC()})
	})
}

// NoteCured accepts that a breach was cured, in time.
type NoteCured struct {
	ID     id.Agreement `json:"id"`
	Notice id.Act       `json:"notice,omitempty"` // its id; may be left out where one notice is open
	Cure   string       `json:"cure"`             // what was done, in a sentence
}

func (a NoteCured) Subject() snapshot.Subject { return subject(snapshot.NounAgreement, a.ID) }

// notice is the place of the notice that is meant.
func (a NoteCured) notice(g *snapshot.Agreement) (int, error) {
	at := -1
	for i, n := range g.Notices {
		switch {
		case a.Notice != "" && n.ID == a.Notice && !n.CuredAt.IsZero():
			return 0, conflict("notice", "It is noted as cured already", "Nothing is left to do")
		case a.Notice == "" && n.CuredAt.IsZero() && at >= 0:
			return 0, badField("notice", "is missing, and more than one is open", "Name one: sallyport agreement get "+string(g.ID))
		case n.CuredAt.IsZero() && (a.Notice == "" || n.ID == a.Notice):
			at = i
		}
	}
	if at < 0 {
		return 0, conflict("notice", "There is no such open notice", "See them: sallyport agreement get "+string(g.ID))
	}
	return at, nil
}

func (a NoteCured) check(v *snapshot.View, _ Actor, now time.Time) error {
	g, ok := v.Agreements.Get(a.ID)
	if !ok {
		return found("id", v.Agreements, a.ID)
	}
	i, err := a.notice(g)
	if err != nil {
		return err
	}
	if g.OverBy(now) || !now.Before(g.Notices[i].CureUntil) {
		return conflict("", "The time to cure is over, and the agreement has ended with it", "Agree on another")
	}
	return required("cure", a.Cure, `"The reporting procedure was changed; see the letter of 3 March"`)
}

func (a NoteCured) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Agreements, a.ID, func(g *snapshot.Agreement) {
		i, err := a.notice(g)
		if err != nil {
			return // check refused it
		}
		g.Notices = slices.Clone(g.Notices)
		n := &g.Notices[i]
		n.CuredBy, n.CuredAt, n.Cure = s.By, s.At, strings.TrimSpace(a.Cure)
	})
}

// RenewAgreement asks for a later end, by a renewal that both sides have signed. The
// agreement goes on, or stays ended, as it was until another person has approved it.
type RenewAgreement struct {
	ID       id.Agreement `json:"id"`
	EndsAt   time.Time    `json:"ends_at"`
	Document string       `json:"document_sha256"` // the signed renewal
}

func (a RenewAgreement) Subject() snapshot.Subject { return subject(snapshot.NounAgreement, a.ID) }

func (a RenewAgreement) documents() []string { return []string{a.Document} }

func (a RenewAgreement) check(v *snapshot.View, _ Actor, now time.Time) error {
	g, ok := v.Agreements.Get(a.ID)
	if !ok {
		return found("id", v.Agreements, a.ID)
	}
	switch {
	case g.OverBy(now):
		return conflict("", "The agreement was ended for good", "Draft another agreement")
	case g.EndsAt.IsZero():
		return conflict("", "The agreement has no end", "Nothing need be renewed")
	}
	if r, waits := g.Waiting(); waits && r.EndsAt.Equal(a.EndsAt) && r.Document == a.Document {
		return conflict("", "This renewal waits for approval already", "Have another approve it: sallyport agreement approve-renewal "+string(a.ID))
	}
	return first(inState(fmt.Sprintf("Agreement %q", a.ID), g.State, snapshot.Approved, snapshot.Suspended),
		set("ends_at", a.EndsAt), future("ends_at", a.EndsAt, now), after("ends_at", a.EndsAt, "the end as it is", g.EndsAt), sha256Hex("document_sha256", a.Document))
}

func (a RenewAgreement) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Agreements, a.ID, func(g *snapshot.Agreement) {
		g.Renewals = append(approvedRenewals(g.Renewals), snapshot.Renewal{EndsAt: a.EndsAt.UTC(), Document: a.Document, Approval: asked(s)})
	})
}

// approvedRenewals leaves out one that waits: what is asked for anew replaces it.
func approvedRenewals(rs []snapshot.Renewal) []snapshot.Renewal {
	var out []snapshot.Renewal
	for _, r := range rs {
		if r.State == snapshot.Approved {
			out = append(out, r)
		}
	}
	return out
}

// ApproveRenewal puts the later end into force.
type ApproveRenewal struct {
	ID id.Agreement `json:"id"`
}

func (a ApproveRenewal) Subject() snapshot.Subject { return subject(snapshot.NounAgreement, a.ID) }

func (a ApproveRenewal) apart(v *snapshot.View) []id.Person {
	if g, ok := v.Agreements.Get(a.ID); ok {
		if r, waits := g.Waiting(); waits {
			return []id.Person{r.RequestedBy}
		}
	}
	return nil
}

func (a ApproveRenewal) check(v *snapshot.View, _ Actor, now time.Time) error {
	g, ok := v.Agreements.Get(a.ID)
	if !ok {
		return found("id", v.Agreements, a.ID)
	}
	r, waits := g.Waiting()
	switch {
	case !waits:
		return conflict("", "No renewal waits for approval", "Ask for one: sallyport agreement renew "+string(a.ID))
	case g.OverBy(now):
		return conflict("", "The agreement was ended for good", "Draft another agreement")
	}
	return first(inState(fmt.Sprintf("Agreement %q", a.ID), g.State, snapshot.Approved, snapshot.Suspended), future("ends_at", r.EndsAt, now))
}

func (a ApproveRenewal) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Agreements, a.ID, func(g *snapshot.Agreement) {
		g.Renewals = slices.Clone(g.Renewals)
		if n := len(g.Renewals); n > 0 {
			g.Renewals[n-1].Approval = approved(g.Renewals[n-1].Approval, s)
			g.EndsAt = g.Renewals[n-1].EndsAt
		}
	})
}

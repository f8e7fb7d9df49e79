package registry

import (
	"fmt"
	"maps"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// CheckOffboarding notes a dead-man check: how often anything of what ended was
// tried since, as a log has it up to an index. More attempts than before raise a finding.
type CheckOffboarding struct {
	ID  id.Offboarding `json:"id"`
	Log string         `json:"log"` // whose: the node's name
	// To is up to which index of that log was looked.
	To        uint64    `json:"to"`
	Tried     int       `json:"tried"`               // since the offboarding began
	Permitted int       `json:"permitted,omitempty"` // of them, what was let through
	LastTried time.Time `json:"last_tried,omitzero"`
}

// Subject implements Act.
func (a CheckOffboarding) Subject() snapshot.Subject { return subject(snapshot.NounOffboarding, a.ID) }

func (a CheckOffboarding) about(*snapshot.View, Actor) party { return party{} }

func (a CheckOffboarding) check(v *snapshot.View, _ Actor, now time.Time) error {
	o, ok := v.Offboardings.Get(a.ID)
	if !ok {
		return found("id", v.Offboardings, a.ID)
	}
	if err := required("log", a.Log, `"node-1"`); err != nil {
		return err
	}
	const all = "Count from the beginning of the offboarding: sallyport offboarding check "
	switch had := o.Looked[a.Log]; {
	case a.To < had.To:
		return badField("to", fmt.Sprintf("is before entry %d, up to which this log was looked at before", had.To), all+string(a.ID))
	case a.Tried < had.Tried:
		return badField("tried", fmt.Sprintf("is fewer than the %d that were found before", had.Tried), all+string(a.ID))
	case a.Permitted < had.Permitted || a.Permitted > a.Tried:
		return badField("permitted", "is fewer than was found before, or more than was tried", all+string(a.ID))
	case (a.Tried > 0) != !a.LastTried.IsZero():
		return badField("last_tried", "and tried do not fit", "Give the time of the last attempt, if there was one")
	}
	return past("last_tried", a.LastTried, now)
}

func (a CheckOffboarding) apply(e *snapshot.Edit, s Stamp) {
	o, _ := e.View().Offboardings.Get(a.ID)
	if a.Tried > o.Looked[a.Log].Tried {
		title := fmt.Sprintf("Credentials of %s were tried after the end: %d times, last on %s", o.Vendor, a.Tried, a.LastTried.UTC().Format("2 Jan 2006, 15:04 MST"))
		if a.Permitted > 0 {
			title += fmt.Sprintf("; %d were permitted", a.Permitted)
		}
		e.Put(&snapshot.Finding{ID: id.Finding(s.ID), Kind: "used-after-the-end", About: a.Subject(), Vendor: o.Vendor,
			Title: title, RaisedBy: s.By, RaisedAt: s.At})
	}
	change(e, e.View().Offboardings, a.ID, func(o *snapshot.Offboarding) {
		o.Looked = maps.Clone(o.Looked)
		if o.Looked == nil {
			o.Looked = map[string]snapshot.Look{}
		}
		o.Looked[a.Log] = snapshot.Look{To: a.To, At: s.At, Tried: a.Tried, Permitted: a.Permitted}
		o.CheckedAt, o.Tried, o.Permitted = s.At, 0, 0
		for _, l := range o.Looked {
			o.Tried += l.Tried
			o.Permitted += l.Permitted
		}
		if a.LastTried.After(o.LastTried) {
			o.LastTried = a.LastTried.UTC()
		}
	})
}

// PlaceLegalHold keeps the record, and the keys of its engagements, from being
// destroyed while a court or an authority may ask for them.
type PlaceLegalHold struct {
	ID  id.Offboarding `json:"id"`
	Why string         `json:"why"` // the matter, by its number; never patient data
}

// Subject implements Act.
func (a PlaceLegalHold) Subject() snapshot.Subject { return subject(snapshot.NounOffboarding, a.ID) }

func (a PlaceLegalHold) check(v *snapshot.View, _ Actor, _ time.Time) error {
	o, ok := v.Offboardings.Get(a.ID)
	if !ok {
		return found("id", v.Offboardings, a.ID)
	}
	if o.LegalHold != "" {
		return conflict("id", "A legal hold is on it already", "Nothing is left to do")
	}
	return required("why", a.Why, `"matter 26-118"`)
}

func (a PlaceLegalHold) apply(e *snapshot.Edit, _ Stamp) {
	change(e, e.View().Offboardings, a.ID, func(o *snapshot.Offboarding) { o.LegalHold = a.Why })
}

// LiftLegalHold ends it. It takes another person than whoever began the
// offboarding: to destroy what is asked for is worse than to keep it.
type LiftLegalHold struct {
	ID id.Offboarding `json:"id"`
}

// Subject implements Act.
func (a LiftLegalHold) Subject() snapshot.Subject { return subject(snapshot.NounOffboarding, a.ID) }

func (a LiftLegalHold) apart(v *snapshot.View) []id.Person {
	if o, ok := v.Offboardings.Get(a.ID); ok {
		return []id.Person{o.BegunBy}
	}
	return nil
}

func (a LiftLegalHold) check(v *snapshot.View, _ Actor, _ time.Time) error {
	o, ok := v.Offboardings.Get(a.ID)
	if !ok {
		return found("id", v.Offboardings, a.ID)
	}
	if o.LegalHold == "" {
		return conflict("id", "No legal hold is on it", "Nothing is left to do")
	}
	return nil
}

func (a LiftLegalHold) apply(e *snapshot.Edit, _ Stamp) {
	change(e, e.View().Offboardings, a.ID, func(o *snapshot.Offboarding) { o.LegalHold = "" })
}

// legalHold is the offboarding that keeps an engagement's keys, if one does.
func legalHold(v *snapshot.View, engagement id.Engagement) (*snapshot.Offboarding, bool) {
	for _, o := range v.Offboardings.All() {
		if o.LegalHold != "" && o.Covers(engagement) {
			return o, true
		}
	}
	return nil, false
}

// RetentionYears is how long the record of an offboarding is kept at the least (45
// CFR 164.316(b)(2)(i), 164.530(j)(2)).
const RetentionYears = 6

// CompleteOffboarding ends the work of parting: everything is accounted for, or
// somebody has accepted that it cannot be, and the certificate says so. Not by who
// began it.
type CompleteOffboarding struct {
	ID          id.Offboarding `json:"id"`
	Certificate string         `json:"certificate_sha256"` // stored
}

// Subject implements Act.
func (a CompleteOffboarding) Subject() snapshot.Subject {
	return subject(snapshot.NounOffboarding, a.ID)
}

func (a CompleteOffboarding) documents() []string { return []string{a.Certificate} }

func (a CompleteOffboarding) apart(v *snapshot.View) []id.Person {
	if o, ok := v.Offboardings.Get(a.ID); ok {
		return []id.Person{o.BegunBy}
	}
	return nil
}

func (a CompleteOffboarding) check(v *snapshot.View, _ Actor, _ time.Time) error {
	o, err := openOffboarding(v, a.ID)
	if err != nil {
		return err
	}
	if left := OffboardingLeft(v, o); len(left) > 0 {
		return conflict("id", "Something is left to do: "+left[0].What, left[0].Next)
	}
	return sha256Hex("certificate_sha256", a.Certificate)
}

func (a CompleteOffboarding) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Offboardings, a.ID, func(o *snapshot.Offboarding) {
		o.Certificate, o.CompletedBy, o.CompletedAt = a.Certificate, s.By, s.At
		o.RetainUntil = s.At.AddDate(RetentionYears, 0, 0)
	})
	revokeLinksAbout(e, s, a.Subject())
}

// Left is one thing that is left to do before an offboarding is complete.
type Left struct {
	What string `json:"what"`
	Next string `json:"next"`
}

// OffboardingLeft lists what is left to do, in the order in which people do it. It
// is empty when the offboarding can be completed.
func OffboardingLeft(v *snapshot.View, o *snapshot.Offboarding) []Left {
	var left []Left
	add := func(what, next string) { left = append(left, Left{what, next}) }
	key := string(o.ID)
	if o.Inventory.Document == "" {
		add("What was released is not counted", "sallyport offboarding inventory "+key)
	}
	var attested time.Time
	for _, form := range snapshot.DataForms {
		d, ok := o.Dispositions[form]
		switch {
		case !ok:
			add(fmt.Sprintf("The vendor has not said what became of: %s", form), "sallyport offboarding ask "+key+", or record what came on paper: sallyport offboarding attest "+key+" form="+string(form))
		case (d.Outcome == snapshot.Infeasible || d.Outcome == snapshot.Cleared) && d.AcceptedAt.IsZero():
			add(fmt.Sprintf("Nobody has accepted that %s is %s", form, d.Outcome), "sallyport offboarding accept "+key+" form="+string(form))
		}
		if d.At.After(attested) {
			attested = d.At
		}
	}
	for _, e := range o.Of {
		// An engagement that never released anything has no keys to destroy.
		if k, _ := v.Keys.Get(e); !k.Ordered() && o.LegalHold == "" && o.Inventory.Releases > 0 {
			add(fmt.Sprintf("The keys of engagement %q are not destroyed", e), "sallyport key request-destruction "+string(e)+", or keep them: sallyport offboarding legal-hold "+key)
		}
	}
	if o.CheckedAt.IsZero() || o.CheckedAt.Before(attested) {
		add("Nobody has looked since whether anything was tried", "sallyport offboarding check "+key)
	}
	return left
}

package registry

import (
	"fmt"
	"strings"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// MaxGrant is how long a grant can last (policy).
const MaxGrant = 366 * 24 * time.Hour

// RequestGrant asks that one app, with one person behind it, may act in one
// role on one engagement.
type RequestGrant struct {
	ID            id.Grant        `json:"id"`
	Engagement    id.Engagement   `json:"engagement"`
	App           id.App          `json:"app"`
	Person        id.Person       `json:"person"`
	Devices       []id.Device     `json:"devices"`
	Role          id.Role         `json:"role"`
	Cohort        snapshot.Cohort `json:"cohort"`
	StartsAt      time.Time       `json:"starts_at"`
	EndsAt        time.Time       `json:"ends_at"`
	Labels        []string        `json:"labels,omitempty"`
	MaxPatients   int             `json:"max_patients"`
	MaxDailyBytes int64           `json:"max_daily_bytes"`
}

func (a RequestGrant) Subject() snapshot.Subject { return subject(snapshot.NounGrant, a.ID) }

func (a RequestGrant) check(v *snapshot.View, _ Actor, now time.Time) error {
	if err := first(fresh("id", v.Grants, a.ID),
		exists("engagement", v.Engagements, a.Engagement),
		exists("app", v.Apps, a.App),
		exists("role", v.Roles, a.Role)); err != nil {
		return err
	}
	work, _ := v.Engagements.Get(a.Engagement)
	app, _ := v.Apps.Get(a.App)
	switch {
	case work.State == snapshot.Ended:
		return conflict("engagement", "It has ended, for good", "Ask for a grant in an engagement that goes on: sallyport engagement list")
	case app.State == snapshot.Ended:
		return conflict("app", "It has ended, for good", "Register the program anew: sallyport app register")
	case app.Vendor != work.Vendor:
		return badField("app", "is not of the engagement's vendor", fmt.Sprintf("Name an app of %q", work.Vendor))
	case len(a.Devices) == 0:
		return badField("devices", "is empty", "Name the devices from which the app works")
	case a.MaxPatients < 1:
		return badField("max_patients", "is not above zero", "Write how many distinct patients are needed")
	case a.MaxDailyBytes < 1:
		return badField("max_daily_bytes", "is not above zero", "Write how many bytes a day are needed")
	}
	return first(
		personOf(v, "person", a.Person, work.Vendor),
		each("devices", a.Devices, func(field string, d id.Device) error {
			if err := exists(field, v.Devices, d); err != nil {
				return err
			}
			if dev, _ := v.Devices.Get(d); dev.Vendor != work.Vendor {
				return badField(field, "is not of the engagement's vendor", fmt.Sprintf("Name a device of %q", work.Vendor))
			}
			return nil
		}),
		unique("devices", a.Devices),
		checkCohort("cohort", a.Cohort),
		set("starts_at", a.StartsAt), set("ends_at", a.EndsAt),
		after("ends_at", a.EndsAt, "starts_at", a.StartsAt), future("ends_at", a.EndsAt, now),
		a.checkWindow(work),
		each("labels", a.Labels, checkLabel), unique("labels", a.Labels))
}

func (a RequestGrant) checkWindow(work *snapshot.Engagement) error {
	switch {
	case a.EndsAt.Sub(a.StartsAt) > MaxGrant:
		return badField("ends_at", "is more than 366 days after starts_at", "Ask for less; a grant can be requested again (policy)")
	case a.StartsAt.Before(work.StartsAt):
		return badField("starts_at", "is before the engagement starts", "Write "+work.StartsAt.Format(time.RFC3339)+" or later")
	case a.EndsAt.After(work.EndsAt):
		return badField("ends_at", "is after the engagement ends", "Write "+work.EndsAt.Format(time.RFC3339)+" or earlier")
	}
	return nil
}

func checkCohort(field string, c snapshot.Cohort) error {
	if err := oneOf(field+".kind", c.Kind, []snapshot.CohortKind{snapshot.CohortGroup, snapshot.CohortList, snapshot.CohortSearch, snapshot.CohortAll}); err != nil {
		return err
	}
	if c.Kind != snapshot.CohortList && c.Digest != "" {
		return badField(field+".digest_sha256", "is for a list", "Leave it out")
	}
	switch c.Kind {
	case snapshot.CohortGroup:
		return formed(field+".ref", c.Ref)
	case snapshot.CohortList:
		return first(formed(field+".ref", c.Ref), sha256Hex(field+".digest_sha256", c.Digest))
	case snapshot.CohortSearch:
		if query, ok := strings.CutPrefix(c.Ref, "Patient?"); !ok || query == "" {
			return badField(field+".ref", "is not a search of Patient", `Write such as "Patient?gender=female"`)
		}
		return shortText(field+".ref", c.Ref)
	default:
		if c.Ref != "" {
			return badField(field+".ref", "is not for every patient", "Leave it out")
		}
		return nil
	}
}

func checkLabel(field, l string) error {
	system, code, ok := strings.Cut(l, "|")
	if !ok || system == "" || code == "" {
		return badField(field, "is not a security label", `Write "system|code", such as "http://terminology.hl7.org/CodeSystem/v3-ActCode|PSY"`)
	}
	return shortText(field, l)
}

func (a RequestGrant) apply(e *snapshot.Edit, s Stamp) {
	e.Put(&snapshot.Grant{ID: a.ID, Engagement: a.Engagement, App: a.App, Person: a.Person, Devices: a.Devices, Role: a.Role,
		Cohort: a.Cohort, StartsAt: a.StartsAt.UTC(), EndsAt: a.EndsAt.UTC(), Labels: a.Labels,
		MaxPatients: a.MaxPatients, MaxDailyBytes: a.MaxDailyBytes, Approval: asked(s)})
}

// ApproveGrant gives the access, and sets its first review.
type ApproveGrant struct {
	ID id.Grant `json:"id"`
}

func (a ApproveGrant) Subject() snapshot.Subject { return subject(snapshot.NounGrant, a.ID) }

func (a ApproveGrant) apart(v *snapshot.View) []id.Person { return grantParties(v, a.ID) }

func grantParties(v *snapshot.View, grant id.Grant) []id.Person {
	if g, ok := v.Grants.Get(grant); ok {
		return []id.Person{g.RequestedBy, g.Person}
	}
	return nil
}

func (a ApproveGrant) check(v *snapshot.View, _ Actor, now time.Time) error {
	g, ok := v.Grants.Get(a.ID)
	if !ok {
		return found("id", v.Grants, a.ID)
	}
	if !g.EndsAt.After(now) {
		return conflict("id", "The grant has run out before it was approved", "Request another")
	}
	return first(inState(fmt.Sprintf("Grant %q", a.ID), g.State, snapshot.Proposed), onboardingGrant(v, a.ID))
}

func (a ApproveGrant) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Grants, a.ID, func(g *snapshot.Grant) { g.Approval = approved(g.Approval, s) })
	e.Put(nextReview(e, a.ID, s))
}

// nextReview is due a fixed time from now. Without that setting it is due at
// once, so the grant stays closed.
func nextReview(e *snapshot.Edit, grant id.Grant, s Stamp) *snapshot.Review {
	return &snapshot.Review{ID: id.Review(s.ID), Grant: grant, DueAt: s.At.Add(e.View().Settings.ReviewEvery)}
}

// RevokeGrant ends the access for good, at once.
type RevokeGrant struct {
	ID id.Grant `json:"id"`
}

func (a RevokeGrant) Subject() snapshot.Subject { return subject(snapshot.NounGrant, a.ID) }

func (a RevokeGrant) check(v *snapshot.View, _ Actor, _ time.Time) error {
	g, ok := v.Grants.Get(a.ID)
	if !ok {
		return found("id", v.Grants, a.ID)
	}
	return inState(fmt.Sprintf("Grant %q", a.ID), g.State, snapshot.Proposed, snapshot.Approved, snapshot.Suspended)
}

func (a RevokeGrant) apply(e *snapshot.Edit, s Stamp) { endGrant(e, a.ID, s) }

func endGrant(e *snapshot.Edit, key id.Grant, s Stamp) {
	change(e, e.View().Grants, key, func(g *snapshot.Grant) { g.State, g.EndedBy, g.EndedAt = snapshot.Ended, s.By, s.At })
}

// EndGrantEarly gives access back before its time: by the person who has it, by a
// colleague at the vendor where it is an elevation, or by any of the organisation's
// people with a duty.
type EndGrantEarly struct {
	ID id.Grant `json:"id"`
}

func (a EndGrantEarly) Subject() snapshot.Subject { return subject(snapshot.NounGrant, a.ID) }

func (a EndGrantEarly) about(v *snapshot.View, _ Actor) party {
	g, ok := v.Grants.Get(a.ID)
	if !ok {
		return party{}
	}
	out := party{person: g.Person}
	if w, ok := v.Engagements.Get(g.Engagement); ok && g.Elevates != "" {
		out.vendor = w.Vendor
	}
	return out
}

func (a EndGrantEarly) check(v *snapshot.View, by Actor, now time.Time) error {
	return RevokeGrant(a).check(v, by, now)
}

func (a EndGrantEarly) apply(e *snapshot.Edit, s Stamp) { endGrant(e, a.ID, s) }

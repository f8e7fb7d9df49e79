package registry

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

// linkLife is how long a link of a purpose may stand (policy). A questionnaire has a
// date by which it is due; the way to report an incident must be at hand when one
// happens, so it stands for a year and is renewed.
var linkLife = map[snapshot.LinkPurpose]time.Duration{
	snapshot.LinkQuestionnaire: 60 * 24 * time.Hour,
	snapshot.LinkAttestation:   120 * 24 * time.Hour,
	snapshot.LinkIncident:      400 * 24 * time.Hour,
}

// maxOpenLinks bounds the ways in for one subject: a link that was lost is revoked, not
// joined by more.
const maxOpenLinks = 10

// IssueLink gives a vendor's contact without an account a way in to one subject. The
// registry keeps the digest of the secret alone: whoever asks has made it, with
// signin.NewCode, and hands it over.
type IssueLink struct {
	ID        id.Link              `json:"id,omitempty"` // made if left out
	Vendor    id.Vendor            `json:"vendor"`
	For       snapshot.LinkPurpose `json:"for"`
	About     snapshot.Subject     `json:"about"`
	Contact   string               `json:"contact"`       // a function's address, not a person's
	Secret256 string               `json:"secret_sha256"` // hex, as signin.CodeDigest makes it
	ExpiresAt time.Time            `json:"expires_at"`
}

// Subject implements Act.
func (a IssueLink) Subject() snapshot.Subject { return subject(snapshot.NounLink, a.ID) }

func (a IssueLink) check(v *snapshot.View, _ Actor, now time.Time) error {
	if err := first(freshOrNone("id", v.Links, a.ID), linkTo(v, a.For, a.Vendor),
		oneOf("for", a.For, snapshot.LinkPurposes), linkAbout(v, a.Vendor, a.For, a.About)); err != nil {
		return err
	}
	return checkLink(v, a.For, a.About, a.Contact, a.Secret256, a.ExpiresAt, now)
}

// linkTo wants a vendor that goes on; of one that does not, only what became of the data is
// still asked.
func linkTo(v *snapshot.View, purpose snapshot.LinkPurpose, vendor id.Vendor) error {
	if purpose == snapshot.LinkAttestation {
		return exists("vendor", v.Vendors, vendor)
	}
	return goingOn("vendor", v, vendor)
}

// linkAbout wants the subject to be the vendor's own, and of the kind that the purpose
// is about.
func linkAbout(v *snapshot.View, vendor id.Vendor, purpose snapshot.LinkPurpose, about snapshot.Subject) error {
	var of id.Vendor
	want := snapshot.NounVendor
	over := false
	switch purpose {
	case snapshot.LinkQuestionnaire:
		want = snapshot.NounQuestionnaire
		if q, ok := v.Questionnaires.Get(id.Questionnaire(about.ID)); ok {
			of, over = q.Vendor, q.Stage == snapshot.QuestionsClosed
		}
	case snapshot.LinkAttestation:
		want = snapshot.NounOffboarding
		if o, ok := v.Offboardings.Get(id.Offboarding(about.ID)); ok {
			of, over = o.Vendor, !o.CompletedAt.IsZero()
		}
	case snapshot.LinkIncident:
		of = id.Vendor(about.ID)
	}
	switch {
	case about.Noun != want:
		return badField("about.noun", fmt.Sprintf("is not %q", want), fmt.Sprintf("A link for %s is about one %s", purpose, want))
	case of == "" || of != vendor:
		return badField("about.id", "is not the vendor's", "Name what the vendor shall do by this link")
	case over:
		return conflict("about.id", "It is closed already", "Nothing is left to do by a link")
	}
	return nil
}

// checkLink is what every link must satisfy, whichever act makes it.
func checkLink(v *snapshot.View, purpose snapshot.LinkPurpose, about snapshot.Subject, contact, secret256 string, expires, now time.Time) error {
	if err := first(required("contact", contact, `"privacy@northwind.example"`), sha256Hex("secret_sha256", secret256),
		set("expires_at", expires), future("expires_at", expires, now)); err != nil {
		return err
	}
	if limit := linkLife[purpose]; expires.After(now.Add(limit)) {
		return badField("expires_at", "is too far ahead", fmt.Sprintf("Write a time within %d days (policy)", int(limit.Hours()/24)))
	}
	open := 0
	for _, l := range v.Links.All() {
		if l.Secret256 == secret256 {
			return conflict("secret_sha256", "The secret was used for a link before", "Make another")
		}
		if l.About == about && l.For == purpose && l.Open(now) {
			open++
		}
	}
	if open >= maxOpenLinks {
		return conflict("about", "There are too many open links to it", "Revoke some first: sallyport link revoke")
	}
	return nil
}

func (a IssueLink) apply(e *snapshot.Edit, s Stamp) {
	e.Put(&snapshot.Link{ID: cmp.Or(a.ID, id.Link(s.ID)), Vendor: a.Vendor, For: a.For, About: a.About, Contact: a.Contact,
		Secret256: a.Secret256, IssuedBy: s.By, IssuedAt: s.At, ExpiresAt: a.ExpiresAt.UTC()})
}

// RevokeLink ends a link before its time, for good.
type RevokeLink struct {
	ID id.Link `json:"id"`
}

// Subject implements Act.
func (a RevokeLink) Subject() snapshot.Subject { return subject(snapshot.NounLink, a.ID) }

func (a RevokeLink) check(v *snapshot.View, _ Actor, _ time.Time) error {
	l, ok := v.Links.Get(a.ID)
	if !ok {
		return found("id", v.Links, a.ID)
	}
	if !l.RevokedAt.IsZero() {
		return conflict("id", "The link is revoked already", "Nothing is left to do")
	}
	return nil
}

func (a RevokeLink) apply(e *snapshot.Edit, s Stamp) { revokeLink(e, s, a.ID) }

func revokeLink(e *snapshot.Edit, s Stamp, link id.Link) {
	change(e, e.View().Links, link, func(l *snapshot.Link) {
		if l.RevokedAt.IsZero() {
			l.RevokedAt = s.At
		}
	})
}

// revokeLinksAbout ends every link about a subject, as when what it is for is over.
func revokeLinksAbout(e *snapshot.Edit, s Stamp, about snapshot.Subject) {
	for key, l := range e.View().Links.All() {
		if l.About == about {
			revokeLink(e, s, key)
		}
	}
}

// OpenLink finds the link whose secret has this SHA-256 (signin.CodeDigest) and that
// opens something now: not revoked, not expired, of a vendor that has neither ended nor
// is on hold; but one that is on hold, for an incident perhaps, can report one, and one
// that has ended can say what became of the data. Not: a Refused problem that does not
// say which. Each act by the link asks again.
func OpenLink(v *snapshot.View, secret256 string, now time.Time) (*snapshot.Link, error) {
	l, ok := v.LinkBySecret(secret256)
	if ok && l.Open(now) && !linkHeld(v, l) && linkVendor(v, l) {
		return l, nil
	}
	return nil, problem.New(problem.Refused, "The link is not known, was revoked, or is over", "Ask whoever sent it for a new one")
}

// linkHeld reports whether a hold on its vendor closes the link.
func linkHeld(v *snapshot.View, l *snapshot.Link) bool {
	return l.For == snapshot.LinkQuestionnaire && held(v, snapshot.NounVendor, string(l.Vendor))
}

// linkVendor reports whether the vendor still has what the link is for.
func linkVendor(v *snapshot.View, l *snapshot.Link) bool {
	of, ok := v.Vendors.Get(l.Vendor)
	return ok && (of.State != snapshot.Ended || l.For == snapshot.LinkAttestation)
}

// actors are who may have acted under a name: who sent a link has had its secret, and could
// have acted by it.
func actors(v *snapshot.View, name id.Person) []id.Person {
	out := []id.Person{name}
	if key, ok := strings.CutPrefix(string(name), linkPrefix); ok {
		if l, ok := v.Links.Get(id.Link(key)); ok {
			out = append(out, l.IssuedBy)
		}
	}
	return out
}

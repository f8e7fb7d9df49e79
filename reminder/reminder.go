// Package reminder says of what people must be told, and what must be written down,
// at a time: a pure function of the registry and the clock.
//
// There is no timer to lose. Whoever asks at a moment gets all that is due at that
// moment, each under a key that names its reason: the kind, the subject, the date that
// it is about, and the step. Whoever was told of a key is not told again, so it makes
// no difference whether the question is asked every second, by three nodes at once, or
// for the first time after a month of downtime; and of a subject's steps only the
// newest is due, so that after the month there is one notice and not four.
//
// Nothing here closes anything: the gates do, in the decision itself. A reminder that
// is never sent costs a surprise, and no byte.
package reminder

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/forecast"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/snapshot"
)

// Class is what a notice is about, for those who choose what to hear of: a closed set.
type Class string

// The classes.
const (
	Lapses    Class = "lapse"    // a gate closes, or has closed, because a date passed
	Deadlines Class = "deadline" // something is due that stops nothing by itself
	Incidents Class = "incident" // an incident was opened, contained, closed
	Holds     Class = "hold"     // a hold was placed or lifted; a vendor or a paper suspended
	Access    Class = "access"   // access was asked for, given, refused, taken
	Papers    Class = "paper"    // an agreement or an engagement began or ended
	SignIn    Class = "sign-in"  // how one of the organisation's people proves who they are has changed
)

// Classes lists every class.
var Classes = []Class{Lapses, Deadlines, Incidents, Holds, Access, Papers, SignIn}

// Notice is one thing to tell. Its words are the product's own and ids: no reason or
// title that a person has typed, which may hold more than it should.
type Notice struct {
	Key     string           `json:"key"`
	Class   Class            `json:"class"`
	Urgent  bool             `json:"urgent,omitempty"` // is told at night, too
	Step    string           `json:"step"`             // "30d", "7d", "1d", "lapsed"; of an act: "done"
	At      time.Time        `json:"at"`               // the date that it is about
	Subject snapshot.Subject `json:"subject"`
	Vendor  id.Vendor        `json:"vendor,omitempty"`
	// ForVendor says that the vendor may be told, too.
	ForVendor bool   `json:"for_vendor,omitempty"`
	Title     string `json:"title"`
	Text      string `json:"text"`
	By        string `json:"by,omitempty"` // of an act: who did it; for the organisation's own eyes
	// Page is where the vendor's people mend it, below the address of people's pages; empty:
	// none is for it alone.
	Page string `json:"page,omitempty"`
}

// certificates is the page on which a vendor's people see and send reports and certificates.
const certificates = "/console/my/certificates"

// leads are how long before a date people are told (policy), the longest first.
var leads = []struct {
	step   string
	before time.Duration
}{
	{"30d", 30 * 24 * time.Hour},
	{"7d", 7 * 24 * time.Hour},
	{"1d", 24 * time.Hour},
}

// Lapsed is the step of a date that has passed.
const Lapsed = "lapsed"

// lookBack is how long after a date its passing is still news: a downtime of that length
// loses none.
const lookBack = 366 * 24 * time.Hour

// Due lists what people must have been told by now, of dates: one notice, the newest,
// for each date within the longest lead, and for each that passed and was not mended.
func Due(e *policy.Engine, v *snapshot.View, now time.Time) []Notice {
	var out []Notice
	for _, s := range forecast.Of(e, v, now.Add(-lookBack), now.Add(leads[0].before)) {
		if !s.Mended.IsZero() && !s.Mended.After(now) {
			continue
		}
		out = append(out, of(s, now))
	}
	return out
}

func of(s forecast.Stop, now time.Time) Notice {
	n := Notice{Class: Deadlines, At: s.At, Subject: s.Subject, Vendor: s.Vendor, ForVendor: s.ForVendor, Title: s.Title(), Text: s.Text(), Step: Lapsed}
	if s.Kind == forecast.Stops {
		n.Class = Lapses
	}
	if s.Gate == "certification" {
		n.Page = certificates
	}
	passed := !s.At.After(now)
	if !passed {
		for _, l := range leads {
			if s.At.Sub(now) <= l.before {
				n.Step = l.step
			}
		}
		n.Title = "By " + s.At.UTC().Format("2006-01-02 15:04 UTC") + ". " + n.Title
	} else {
		n.Urgent = s.Kind == forecast.Stops || s.Kind == forecast.IncidentNotice
		n.Title = "Passed. " + strings.Replace(n.Title, "Data stops", "Data stopped", 1)
	}
	n.Key = key("date", string(s.Kind), s.Gate, s.Code, string(s.Subject.Noun), s.Subject.ID, s.At.UTC().Format(time.RFC3339), n.Step)
	return n
}

// key joins the parts of a reason. None holds the separator: ids and words do not.
func key(parts ...string) string { return strings.Join(parts, "/") }

// FromDate reports whether a key is of a date: whether it is still true can be asked of
// Due. What was done stays done.
func FromDate(k string) bool { return strings.HasPrefix(k, "date/") }

// Act is an act that was done, as far as a notice of it needs.
type Act struct {
	ID          id.Act
	Kind        string
	Subject     snapshot.Subject
	Actor       id.Person
	RequestedBy id.Person
	At          time.Time
}

// told is an act that people hear of outside the product, so that nobody opens, closes or
// changes something unseen. The words are the whole of what is said, beside ids.
type told struct {
	class     Class
	urgent    bool
	vendor    bool
	what, why string
}

// Told lists the acts that are told, by kind. An act that is not here is in the log, and
// not news.
var toldActs = map[string]told{
	"hold.place":                  {Holds, true, true, "A hold was placed: everything about its subject has stopped", "See the hold, and lift it when its cause is gone: hold lift"},
	"hold.lift":                   {Holds, true, true, "A hold was lifted", "If this was not expected, place it again: hold place"},
	"vendor.suspend":              {Holds, true, true, "A vendor was suspended: everything of it has stopped", "See who may resume it: vendor resume"},
	"vendor.resume":               {Holds, false, true, "A vendor's suspension has ended", "If this was not expected, suspend it again: vendor suspend"},
	"vendor.offboard":             {Papers, true, true, "The parting from a vendor has begun: everything of it is closed for good", "Have the vendor attest the return or destruction of the data"},
	"certification.record":        {Papers, false, false, "A vendor's report or certificate is on record, and nobody has verified it", "Verify it, or do not accept it: certification verify, certification revoke"},
	"certification.verify":        {Papers, false, true, "A report or certificate was verified: it counts by the rule of its type", "See until when on its page"},
	"certification.revoke":        {Papers, false, true, "A report or certificate was not accepted, was taken back, or no longer counts", "See why on its page, and send another if it is needed still"},
	"agreement.approve":           {Papers, false, true, "An agreement was approved", "If this was not expected, suspend it: agreement suspend"},
	"agreement.suspend":           {Papers, true, true, "An agreement was suspended: what rests on it has stopped", "See who may resume it: agreement resume"},
	"agreement.terminate":         {Papers, true, true, "An agreement was terminated: what rests on it has stopped", "Have the vendor return or destroy the data"},
	"engagement.approve":          {Papers, false, true, "An engagement was approved", "If this was not expected, end it: engagement end"},
	"engagement.end":              {Papers, false, true, "An engagement was ended: its grants have stopped", "Have the vendor return or destroy the data"},
	"grant.approve":               {Access, false, true, "Access was given", "If this was not expected, revoke it: grant revoke"},
	"grant.revoke":                {Access, true, true, "Access was revoked", "Ask for it anew if it is needed still"},
	"grant.end-early":             {Access, true, true, "An elevation was ended before its time", "Ask for it anew if it is needed still"},
	"request.make":                {Access, false, false, "Access is asked for", "Approve or deny it"},
	"request.approve":             {Access, false, true, "A request for access was approved", "If this was not expected, revoke the grant: grant revoke"},
	"request.deny":                {Access, false, true, "A request for access was denied", "See the reason on the request"},
	"request.withdraw":            {Access, false, true, "A request for access was taken back", "Nothing: ask anew if it is needed still"},
	"request.lapse":               {Access, false, true, "A request for access lapsed unanswered", "Ask anew if it is needed still"},
	"review.lapse":                {Lapses, true, true, "A grant was ended because nobody reviewed it in time", "Ask for access anew if it is needed still"},
	"review.complete":             {Access, false, true, "The review of a grant was decided", "See what is left of it: it may have been cut down or revoked"},
	"campaign.begin":              {Deadlines, false, false, "Access reviews are to be done, by your schedule", "Complete them before they are due: a grant that nobody reviews is closed"},
	"campaign.open":               {Deadlines, false, false, "Access reviews are to be done", "Complete them before they are due: a grant that nobody reviews is closed"},
	"emergency.report":            {Access, true, false, "The use of an emergency access procedure was reported", "Review it within a day"},
	"incident.open":               {Incidents, true, false, "An incident was opened: its clocks run", "Contain it, and assess it"},
	"incident.report":             {Incidents, true, false, "A vendor has reported an incident: its clocks run", "Contain it, and assess it"},
	"incident.contain":            {Incidents, true, false, "An incident was contained by holds", "Go on with the assessment"},
	"incident.approve-assessment": {Incidents, true, false, "The assessment of an incident was approved", "See what is due, and when"},
	"incident.close":              {Incidents, false, false, "An incident was closed", "Read what was learned"},
	"incident.reopen":             {Incidents, true, false, "An incident was opened again: its clocks run", "See what is due, and when"},
	"link.issue":                  {Access, false, false, "A link was issued to a vendor's contact", "If this was not expected, revoke it: link revoke"},
	"key.approve-destruction":     {Papers, true, false, "The destruction of an engagement's keys was approved", "After the second approval there is no way back"},
	"person.approve":              {SignIn, false, false, "A person was approved", "If this was not expected, deactivate them: person deactivate"},
	"person.amend-duties":         {SignIn, true, false, "A person's duties have changed", "If this was not expected, suspend them: person suspend"},
	"person.register-key":         {SignIn, true, false, "A person has another certificate key, which waits for approval", "Compare it with the person before it is approved"},
	"person.add-passkey":          {SignIn, true, false, "A person has another passkey", "If it was not them, suspend them: person suspend"},
	"person.link-login":           {SignIn, true, false, "A person's login has changed", "If it was not them, suspend them: person suspend"},
	"connector.approve":           {SignIn, true, false, "A vendor's system was approved as a source of words about its people and machines", "If this was not expected, revoke it: connector revoke"},
}

// OfAct is the notice of an act; false: it is not news.
func OfAct(v *snapshot.View, a Act) (Notice, bool) {
	t, ok := toldActs[a.Kind]
	if !ok {
		return Notice{}, false
	}
	n := Notice{Key: key("act", string(a.ID)), Class: t.class, Urgent: t.urgent, Step: "done", At: a.At.UTC(), Subject: a.Subject,
		Vendor: v.VendorOf(a.Subject), Title: t.what + ": " + string(a.Subject.Noun) + " " + a.Subject.ID}
	n.ForVendor = t.vendor && n.Vendor != ""
	if a.Subject.Noun == snapshot.NounCertification {
		n.Page = certificates
	}
	by := string(a.Actor)
	if a.RequestedBy != "" && a.RequestedBy != a.Actor {
		by += ", asked for by " + string(a.RequestedBy)
	}
	n.Text = t.what + ".\nNext: " + t.why + "."
	n.By = "By " + by + ", act " + string(a.ID) + "."
	return n, true
}

// ToldKinds lists the kinds of acts that are told, sorted.
func ToldKinds() []string {
	var out []string
	for k := range toldActs {
		out = append(out, k)
	}
	slices.SortFunc(out, cmp.Compare[string])
	return out
}

// Chore is an act that the registry's own clock does when a time has come: it writes
// down what the gates have said since.
type Chore struct {
	Kind string // of the act
	ID   string // its subject, the act's only field
	Key  string // of idempotency: once for each reason
}

// Chores lists the acts whose time has come by now. Whether one can be done is for its
// check: what the table of acts does not have, or has done, is not done.
func Chores(v *snapshot.View, now time.Time) []Chore {
	var out []Chore
	add := func(kind, subject string, at time.Time) {
		if !at.IsZero() && !at.After(now) {
			out = append(out, Chore{Kind: kind, ID: subject, Key: key("clock", kind, subject, at.UTC().Format(time.RFC3339))})
		}
	}
	for _, r := range v.Requests.All() {
		if r.Stage == snapshot.RequestOpen {
			add("request.lapse", string(r.ID), r.ExpiresAt)
		}
	}
	for _, r := range v.Reviews.All() {
		if r.CompletedAt.IsZero() {
			if g, ok := v.Grants.Get(r.Grant); ok && g.State == snapshot.Approved {
				add("review.lapse", string(r.ID), r.DueAt.Add(v.Settings.Access.ReviewGrace))
			}
		}
	}
	for _, c := range v.Campaigns.All() {
		if c.ClosedAt.IsZero() {
			add("campaign.close", string(c.ID), c.DueAt)
		}
	}
	if c, ok := v.DueCampaign(now); ok {
		add("campaign.begin", string(c.ID), c.OpenedAt)
	}
	for _, l := range v.Links.All() {
		if l.RevokedAt.IsZero() {
			add("link.revoke", string(l.ID), l.ExpiresAt)
		}
	}
	return out
}

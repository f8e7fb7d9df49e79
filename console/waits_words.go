package console

import (
	"time"

	"github.com/sallyport/sallyport/registry"
)

// waitWords are what many of one act are called while they wait, why one matters, and what
// becomes of it at its date, where that is another thing than being due.
var waitWords = map[registry.Kind]struct{ Many, Why, At string }{
	"incident.note-notice":         {"notices are to be given", "", ""}, // who sets its date says why
	"incident.complete-correction": {"corrections are to be done", "", ""},
	"incident.approve-assessment":  {"breach assessments wait for a second person", "It counts as a breach until two people have shown otherwise", ""},
	"incident.close":               {"incidents are open", "It counts as a breach until two people have shown otherwise", ""},
	"finding.settle":               {"findings are open", "What nobody deals with counts as known and left lying", ""},
	"offboarding.complete":         {"partings are to be finished", "Until then the record does not say what became of the data", ""},
	"agreement.sign":               {"papers wait for a signature", "Without it no data flows under this paper", ""},
	"agreement.check-terms":        {"papers wait for a second reading", "A paper counts only when two people read the same in it", ""},
	"agreement.approve":            {"papers wait to be approved", "Until then no data flows under this paper", ""},
	"agreement.approve-renewal":    {"renewals wait to be approved", "Without the renewal the paper ends, and data with it", "ends"},
	"agreement.cured":              {"breaches of agreements are to be cured", "Uncured by then, the agreement ends, and data with it", "ends"},
	"assessment.accept-risk":       {"risks wait to be accepted", "While it is open, the vendor gets no data", ""},
	"assessment.meet-condition":    {"conditions are to be met", "Not met by then, the vendor gets no data", ""},
	"assessment.record":            {"due-diligence decisions are to be made anew", "Until then the vendor gets no data", ""},
	"certification.verify":         {"reports wait to be verified", "Unverified, it counts as absent", ""},
	"questionnaire.score-answers":  {"questionnaires wait for their scores", "The due-diligence decision waits for it", ""},
	"vendor.approve":               {"vendors wait to be taken on", "No work with them can begin before", ""},
	"engagement.approve":           {"engagements wait to begin", "No access can be given before", ""},
	"determination.approve":        {"expert determinations wait for a second person", "No role may rest on it before", ""},
	"person.approve":               {"people wait to be enrolled", "They cannot sign in before", ""},
	"device.approve":               {"machines wait to be trusted", "Each of its requests is refused before", ""},
	"app.approve":                  {"programs wait to be accepted", "Each of its requests is refused before", ""},
	"role.approve":                 {"roles wait for a second person", "No grant may use it before", ""},
	"grant.approve":                {"grants wait for a second person", "It gives no access before", ""},
	"connector.approve":            {"connectors wait for a second person", "What they send is not taken before", ""},
	"key.approve-destruction":      {"keys wait to be destroyed", "There is no way back from it", ""},
	"request.approve":              {"requests for access wait", "Undecided by then, it lapses", "lapses"},
	"emergency.review":             {"uses of an emergency access wait for their review", "Each use is looked at afterwards, by somebody else", ""},
	"review.complete":              {"access reviews wait", "Not decided by then, the access closes by itself", ""},
}

// urgency is how soon something needs somebody. What comes first is more urgent.
type urgency int

const (
	overdue urgency = iota
	dueNear         // within waitsNear
	undated         // it has waited for its person since it is there, and has no date
	dueLater
)

// waitsNear is how far ahead a date goes before what only waits.
const waitsNear = 48 * time.Hour

// urgencyHeads are the headings, and the words of addresses.
var urgencyHeads = [...]struct{ Key, Label string }{{"overdue", "Overdue"}, {"soon", "Due within two days"}, {"undated", "Waiting, without a date: the longest first"}, {"later", "Due later"}}

// Urgency is how soon it needs somebody.
func (w waiting) Urgency(now time.Time) urgency {
	switch {
	case w.Due.IsZero():
		return undated
	case w.Due.Before(now):
		return overdue
	case w.Due.Sub(now) <= waitsNear:
		return dueNear
	}
	return dueLater
}

// Moment is when it is due, or for how long it has waited, in words.
func (w waiting) Moment(now time.Time) string {
	switch {
	case !w.Due.IsZero() && w.Due.Before(now):
		return "for " + span(now.Sub(w.Due))
	case !w.Due.IsZero():
		at := waitWords[w.kind].At
		return orWord(at, "due") + " " + ago(now, w.Due)
	case w.Since.IsZero():
		return ""
	}
	return "for " + span(now.Sub(w.Since))
}

// Why is why it matters, in few words.
func (w waiting) Why() string { return orWord(w.Reason, waitWords[w.kind].Why) }

// Near says whether the hour of its date matters.
func (w waiting) Near(now time.Time) bool { return w.Due.Sub(now).Abs() <= waitsNear }

// Late says whether its date has passed.
func (w waiting) Late(now time.Time) bool { return w.Urgency(now) == overdue }

// manyOf says of several of one kind, the most urgent first, what they are.
func manyOf(all []*waiting, now time.Time) string {
	first := all[0]
	text := number(len(all)) + " " + orWord(waitWords[first.kind].Many, "things wait")
	switch first.Urgency(now) {
	case overdue:
		return text + ", the oldest overdue " + first.Moment(now)
	case undated:
		return text + ", the oldest " + first.Moment(now)
	}
	return text + ", the first " + first.Moment(now)
}

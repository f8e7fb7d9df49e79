package console

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// ref is a record as a link: what people call it, and where it is shown.
type ref struct{ Label, Href, Help string }

// Ref is a record by its id, looked up in the view that the page was made from.
func (f Frame) Ref(x any) ref {
	out := refIn(f.v.View, x)
	if !f.Ours && !forTheirs(out.Href) {
		out.Href = ""
	}
	return out
}

// forTheirs reports whether an address is of a page for a vendor's people, too: the
// organisation's pages are not there for them, and so no link leads to one.
func forTheirs(href string) bool {
	for _, of := range []string{"/console/my/", "/console/do/", "/console/words", "/console/find", "/portal/"} {
		if strings.HasPrefix(href, of) {
			return true
		}
	}
	return href == "/console" || href == "/portal"
}

// refTo is a record by its id alone.
func refTo(x any) ref { return refIn(&snapshot.View{}, x) }

// refIn finds what people call a record. An id that names nothing is shown as it is.
func refIn(v *snapshot.View, x any) ref {
	if k := reflect.ValueOf(x); k.Kind() == reflect.String && k.Len() == 0 {
		return ref{Label: "none"}
	}
	switch key := x.(type) {
	case id.Vendor:
		if r, ok := v.Vendors.Get(key); ok {
			return ref{r.Name, "/console/vendors/" + string(key), string(key)}
		}
		return ref{string(key), "/console/vendors/" + string(key), ""}
	case id.Engagement:
		return ref{string(key), "/console/engagements/" + string(key), ""}
	case id.Agreement:
		return ref{string(key), "/console/agreements/" + string(key), ""}
	case id.Person:
		if r, ok := v.Persons.Get(key); ok && r.Name != "" {
			return ref{r.Name, "/console/people/" + string(key), string(key)}
		}
		if noun, rest, ok := strings.Cut(string(key), "."); ok { // a program that acted: registry.Actor.Name
			if noun == "clock" {
				return ref{"the clock", "", "done by the product itself when the time came"}
			}
			if l, ok := v.Links.Get(id.Link(rest)); ok && noun == "link" {
				return ref{"the link for " + l.Contact, "", rest}
			}
			return ref{noun + " " + short(rest), "", rest}
		}
		return ref{string(key), "/console/people/" + string(key), ""}
	case id.Grant:
		return ref{string(key), "/console/grants/" + string(key), ""}
	case id.Role:
		return ref{string(key), "/console/roles/" + string(key), ""}
	case id.Device:
		return ref{string(key), "/console/devices/" + string(key), ""}
	case id.App:
		return ref{string(key), "/console/apps/" + string(key), ""}
	case id.Incident:
		return ref{string(key), "/console/incidents/" + string(key), ""}
	case id.Offboarding:
		return ref{string(key), "/console/offboardings/" + string(key), ""}
	case id.Questionnaire:
		return ref{string(key), "/console/questionnaires/" + string(key), ""}
	case id.Certification:
		return ref{string(key), "/console/certifications/" + string(key), ""}
	case id.Request:
		if r, ok := v.Requests.Get(key); ok {
			return ref{"request of " + refIn(v, r.Person).Label, "/console/requests/" + string(key), string(key)}
		}
		return ref{string(key), "/console/requests/" + string(key), ""}
	case id.Session:
		if x, ok := v.Sessions.Get(key); ok {
			return ref{"session of " + refIn(v, x.Person).Label + ", since " + when(x.StartedAt), "", string(key)}
		}
	case id.Review:
		if x, ok := v.Reviews.Get(key); ok {
			return ref{"review of " + string(x.Grant), refIn(v, x.Grant).Href, string(key)}
		}
	case id.Attempt:
		if x, ok := v.Attempts.Get(key); ok {
			return ref{"course of " + refIn(v, x.Person).Label, "", string(key)}
		}
	case id.Campaign:
		return ref{string(key), "/console/reviews/" + string(key), ""}
	case id.Finding:
		if r, ok := v.Findings.Get(key); ok {
			return ref{r.Title, "/console/diligence?tab=findings&q=" + string(key), string(key)}
		}
	case id.Source:
		return ref{string(key), "/console/sources/" + string(key), ""}
	case id.Decision:
		return ref{string(key), decisionPath(key), ""}
	case id.Act:
		return ref{string(key), "/console/acts/" + string(key), ""}
	case snapshot.Subject:
		return refOfSubject(v, key)
	}
	label := fmt.Sprint(x)
	if len(label) > id.MaxLen-1 { // the digest of a document
		return ref{Label: short(label), Help: label}
	}
	return ref{Label: label}
}

// refOfSubject is what an act, a hold or a link is about.
func refOfSubject(v *snapshot.View, x snapshot.Subject) ref {
	var key any = x.ID
	switch x.Noun {
	case snapshot.NounVendor:
		key = id.Vendor(x.ID)
	case snapshot.NounEngagement:
		key = id.Engagement(x.ID)
	case snapshot.NounAgreement:
		key = id.Agreement(x.ID)
	case snapshot.NounPerson:
		key = id.Person(x.ID)
	case snapshot.NounGrant:
		key = id.Grant(x.ID)
	case snapshot.NounRole:
		key = id.Role(x.ID)
	case snapshot.NounDevice:
		key = id.Device(x.ID)
	case snapshot.NounApp:
		key = id.App(x.ID)
	case snapshot.NounIncident:
		key = id.Incident(x.ID)
	case snapshot.NounOffboarding:
		key = id.Offboarding(x.ID)
	case snapshot.NounQuestionnaire:
		key = id.Questionnaire(x.ID)
	case snapshot.NounCertification:
		key = id.Certification(x.ID)
	case snapshot.NounRequest:
		key = id.Request(x.ID)
	case snapshot.NounCampaign:
		key = id.Campaign(x.ID)
	case snapshot.NounFinding:
		key = id.Finding(x.ID)
	case snapshot.NounSession:
		key = id.Session(x.ID)
	case snapshot.NounReview:
		key = id.Review(x.ID)
	case snapshot.NounAttempt:
		key = id.Attempt(x.ID)
	}
	return refIn(v, key)
}

// mark is a state in words, with a tone that style gives a colour and a sign.
type mark struct {
	Word string
	Tone string // "good", "warn", "bad", "wait" or "off"
}

var tones = map[string]string{
	"approved": "good", "active": "good", "open": "good", "permitted": "good", "released": "good", "passed": "good", "in force": "good", "live": "good", "ok": "good", "verified": "good", "kept": "good",
	"proposed": "wait", "invited": "wait", "draft": "wait", "waiting": "wait", "pending": "wait", "sent": "wait", "answering": "wait", "signed": "wait",
	"suspended": "warn", "expiring": "warn", "conditional": "warn", "late": "warn", "withheld": "warn", "incomplete": "warn", "held": "warn",
	"refused": "bad", "rejected": "bad", "revoked": "bad", "terminated": "bad", "failed": "bad", "lapsed": "bad", "expired": "bad", "critical": "bad", "overdue": "bad",
	"ended": "off", "closed": "off", "offboarded": "off", "withdrawn": "off", "settled": "off", "lifted": "off",
}

// stateOf is a state as a mark. A word that it does not know gets no colour.
func stateOf(x any) mark {
	word := spaced.Replace(fmt.Sprint(x))
	if word == "" {
		return mark{"Not known", "off"}
	}
	tone := tones[strings.ToLower(word)]
	if tone == "" {
		tone = "off"
	}
	return mark{words(word), tone}
}

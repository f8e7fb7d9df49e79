package console

import (
	"fmt"
	"html/template"
	"strings"

	"github.com/sallyport/sallyport/console/draw"
	"github.com/sallyport/sallyport/disclosure"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// tourPage is the story of one vendor, from the first letter to the goodbye, told by what
// there is here to see.
type tourPage struct {
	Map   template.HTML
	Steps []tourStep
	There int
}

// tourStep is one scene.
type tourStep struct {
	Key, Title, Text string
	See              *ref // what shows it here; nil: there is nothing yet
	Yet              string
	Do               *actLink
	Page             ref // where such things are
}

// tourFirst is the first record that fits; walking ends there.
func tourFirst[K ~string, V any](t snapshot.Table[K, V], fits func(*V) bool) (K, bool) {
	for k, r := range t.All() {
		if fits(r) {
			return k, true
		}
	}
	return "", false
}

func (s *server) tour(v *visit) (tourPage, error) {
	f := s.frame(v)
	see := func(x any, ok bool, label string) *ref {
		if !ok {
			return nil
		}
		r := f.Ref(x)
		return &ref{Label: label + " " + r.Label, Href: r.Href}
	}
	page := func(ok bool, label, href string) *ref {
		if !ok {
			return nil
		}
		return &ref{Label: label, Href: href}
	}
	w := v.View
	vendor, asked := tourFirst(w.Vendors, func(x *snapshot.Vendor) bool {
		return len(w.QuestionnairesOf(x.ID)) > 0 || len(w.AssessmentsOf(x.ID)) > 0
	})
	if !asked {
		vendor, asked = tourFirst(w.Vendors, func(*snapshot.Vendor) bool { return true })
	}
	paper, signed := tourFirst(w.Agreements, func(a *snapshot.Agreement) bool { return a.Kind == snapshot.BAA && a.State == snapshot.Approved })
	trained, any := tourFirst(w.Trainings, func(t *snapshot.Training) bool { return t.Passed })
	device, trusted := tourFirst(w.Devices, func(d *snapshot.Device) bool { return d.State == snapshot.Approved })
	grant, given := tourFirst(w.Grants, func(g *snapshot.Grant) bool { return g.State == snapshot.Approved })
	incident, broke := tourFirst(w.Incidents, func(*snapshot.Incident) bool { return true })
	campaign, reviewed := tourFirst(w.Campaigns, func(*snapshot.Campaign) bool { return true })
	parting, left := tourFirst(w.Offboardings, func(*snapshot.Offboarding) bool { return true })
	destroyed, gone := tourFirst(w.Keys, func(k *snapshot.Key) bool { return k.Ordered() })
	held := w.Holds.Len() > 0
	decided := func(kind disclosure.Kind) (id.Decision, bool) {
		rows := s.activity.Newest(1, func(r disclosure.Row) bool { return r.Kind == kind })
		if len(rows) == 0 {
			return "", false
		}
		return rows[0].Decision, true
	}
	refused, no := decided(disclosure.Refused)
	permitted, yes := decided(disclosure.Permitted)
	_, size := s.Disclosures.Standing()
	trainedPerson := id.Person("")
	if t, ok := w.Trainings.Get(trained); ok {
		trainedPerson = t.Person
	}
	p := tourPage{Steps: []tourStep{
		{"vendor", "A vendor wants to work with you", "They say what they do and with which data, and answer a questionnaire. You see how the answers add up, and decide.",
			see(vendor, asked, "Vendor"), "No vendor is known here yet.", f.May("vendor.propose").As("Propose a vendor"), ref{"Vendors", "/console/vendors", ""}},
		{"refused", "Without papers nothing leaves", "The vendor's program asks all the same, and is refused. It hears every paper that is missing, and what to do about each.",
			page(no, "The newest refusal", decisionPath(refused)), "Nothing was refused here yet.", nil, ref{"Decisions", "/console/decisions", ""}},
		{"papers", "The papers are signed", "The agreement's terms are written down as values, and signed by both sides with a passkey. From then on each term is a switch.",
			see(paper, signed, "Agreement"), "No BAA is in force here yet.", f.May("agreement.compose").As("Compose an agreement"), ref{"Agreements", "/console/agreements", ""}},
		{"training", "People are trained", "Everybody who will see data passes the course, in these pages or elsewhere. When it lapses access stops, by the decision itself.",
			see(trainedPerson, any && trainedPerson != "", "Somebody who passed:"), "Nobody has passed a course yet.", nil, ref{"Training", "/console/training", ""}},
		{"device", "A machine is trusted", "An engineer enrols a machine with one command. Its key stays in its hardware, it says of itself that it is in order, and you trust it until a date.",
			see(device, trusted, "Device"), "No machine is trusted here yet.", f.May("device.invite").As("Invite a machine"), ref{"Devices", "/console/devices", ""}},
		{"access", "Access is given, for a time", "They ask for the smallest thing that will do. The data owner sees which fields of which patients that is, and approves it until a date.",
			see(grant, given, "Grant"), "No access is given here yet.", nil, ref{"Requests", "/console/requests", ""}},
		{"release", "The first lawful release", "The same question is now answered: cut down to the fields of the role, de-identified by its profile, sealed if it must be. Its fingerprint is in the log before its first byte leaves.",
			page(yes, "The newest release", decisionPath(permitted)), "Nothing was released here yet.", nil, ref{"Decisions", "/console/decisions?outcome=permitted", ""}},
		{"flow", "You see where it goes", "From which system, under which engagement, to whom, to which region, and what protects each part of the way.",
			page(yes || no, "The map", "/console/flow"), "The map is empty until somebody asks.", nil, ref{"Data flow", "/console/flow", ""}},
		{"review", "Access is looked at again", "After some months a reviewer sees what was really used, keeps it, cuts it down, or ends it. If nobody looks it closes by itself.",
			see(campaign, reviewed, "Review"), "No review campaign was opened yet.", nil, ref{"Reviews", "/console/reviews", ""}},
		{"incident", "Something goes wrong", "One act puts the vendor on hold, and a download that is under way breaks off within a quarter of a second. The log says whom it can have reached, and every clock of the law begins to run.",
			tourEither(see(incident, broke, "Incident"), page(held, "Holds", "/console/holds?lifted=1")), "Nothing went wrong here yet. Good.", f.May("incident.open").As("Report an incident"), ref{"Incidents", "/console/incidents", ""}},
		{"goodbye", "They part", "One act ends every access. Then each form of the data is returned or destroyed, somebody signs for it, and three people destroy the keys.",
			tourEither(see(parting, left, "Offboarding"), page(gone, "Keys of "+string(destroyed), "/console/keys/"+string(destroyed))), "Nobody left yet.", nil, ref{"Offboarding", "/console/offboardings", ""}},
		{"proof", "And it can be proved", "Everything that you saw is in a log that nobody can change unseen. An auditor checks it with a public key, without this server.",
			page(size > 0, fmt.Sprintf("The log: %s entries", number(size)), "/console/log"), "The log is empty.", nil, ref{"Search the record", "/console/evidence", ""}},
	}}
	var stations []draw.Station
	var hollow []string
	for _, x := range p.Steps {
		stations = append(stations, draw.Station{Label: x.Title, Href: "#" + x.Key, There: x.See != nil})
		if x.See != nil {
			p.There++
		} else {
			hollow = append(hollow, x.Title)
		}
	}
	desc := fmt.Sprintf("%d steps in order; %d have something to show here.", len(stations), p.There)
	if len(hollow) > 0 {
		desc += " Not yet: " + strings.Join(hollow, "; ") + "."
	}
	p.Map = draw.Tour("tour-map", "One vendor's story, from the first letter to the goodbye", desc, stations)
	return p, nil
}

func tourEither(a, b *ref) *ref {
	if a != nil {
		return a
	}
	return b
}

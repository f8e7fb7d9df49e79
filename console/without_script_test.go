package console_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit/verify"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/internal/browser"
	"github.com/sallyport/sallyport/internal/hospitaltest"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
)

// omar owns the source's data.
const omar = id.Person("omar")

// The six people who come finish their five commonest tasks in Chromium with its scripts
// switched off. A passkey alone cannot do without script: it is touched before.
func TestWithoutScript(t *testing.T) {
	t.Parallel()
	w := peopled(t)
	w.b.Enlist(omar, registry.DataOwner)
	w.b.Enlist(auditor, registry.Auditor)
	careScene(w)
	w.contact()
	for _, p := range []struct {
		who string
		do  func(*scriptless)
	}{{"privacy officer", (*scriptless).privacyOfficer}, {"security engineer", (*scriptless).securityEngineer}, {"data owner", (*scriptless).dataOwner},
		{"auditor", (*scriptless).auditor}, {"data scientist", (*scriptless).dataScientist}, {"vendor's contact", (*scriptless).vendorsContact}} {
		t.Run(p.who, func(t *testing.T) {
			s := &scriptless{world: w.in(t)}
			p.do(s)
			s.ranNothing()
			s.Errors()
		})
	}
}

// scriptless is somebody in a browser that runs no script. The tests' own scripts run all
// the same: they only look.
type scriptless struct {
	*world
	*browser.Browser
}

// off switches scripts off in a browser that somebody has signed in with.
func (s *scriptless) off(b *browser.Browser) {
	s.t.Helper()
	s.Browser = b
	b.JavaScript(false)
	s.open("/step-up", "Passkeys need JavaScript, which is switched off in this browser")
}

// ranNothing: what script does as soon as a page is there has not happened. The buttons
// that copy are hidden until it runs.
func (s *scriptless) ranNothing() {
	s.t.Helper()
	s.open("/console/words", "Minimum necessary")
	if got := s.Value(`String(typeof openMenu)`); got != "undefined" {
		s.t.Errorf("the console's script ran: its menu is a %s", got)
	}
}

func (s *scriptless) open(path, says string) {
	s.t.Helper()
	s.Open(s.b.Pages + path)
	s.Wants(says)
}

// follow goes where the first link on the page does that leads there.
func (s *scriptless) follow(to, says string) {
	s.t.Helper()
	s.Press(`main a[href*="` + to + `"]`)
	s.Wants(says)
}

// lookAgain follows the link that a page has while something of it is being worked out,
// until it says this.
func (s *scriptless) lookAgain(says string) {
	s.t.Helper()
	for range 200 {
		if strings.Contains(s.Text(), says) {
			return
		}
		s.Press(`main [role="status"] a`)
		time.Sleep(50 * time.Millisecond)
	}
	s.Wants(says)
}

// act fills in the one form that every act has, looks at what it would change, and does it.
func (s *scriptless) act(kind string) {
	s.t.Helper()
	before := len(s.b.Acts())
	s.Type("#f-reason", "as the papers say")
	s.Press(".do-buttons .main")
	s.Wants("Nothing is done yet")
	s.Press(".do-buttons .main")
	s.Wants("Done.")
	if acts := s.b.Acts(); !slices.ContainsFunc(acts[before:], func(a hospitaltest.Recorded) bool { return string(a.Kind) == kind }) {
		s.t.Errorf("%s is not among what was done", kind)
	}
}

// privacyOfficer decides what waits, sees what stops, reads why a vendor stands as it
// does, verifies a report, answers for a risk; and stops a vendor.
func (s *scriptless) privacyOfficer() {
	s.off(s.browser(registrytest.Grace))

	s.open("/console", "Take the vendor on: Lumen Radiology AI")
	s.follow("/console/do/vendor.approve?id=lumen", "Who may do this")
	s.act("vendor.approve")

	s.open("/console", "What needs you")
	s.follow("days=90", "The access review has to be complete")

	s.open("/console/vendors", "Cloudrack Hosting")
	s.Type(`form[role="search"] input[type="search"]`, "lumen")
	s.Press(`form[role="search"] button`)
	s.Wants("Vendors: 1 of 3")
	s.follow("/console/vendors/lumen", "The vendor was never assessed")

	s.follow("tab=diligence", "SOC 2 Type 2")
	s.follow("/console/certifications/lumen-soc2", "It does not count")
	s.follow("/console/do/certification.verify", "Who may do this")
	s.Tick(`[name="how"][value="issuer-portal"]`)
	s.Type("#f-against", "trust.auditors.example")
	s.act("certification.verify")
	s.open("/console/certifications/lumen-soc2", "It counts until")

	s.conditional()
	s.open("/console/diligence?tab=risks", "Nobody has accepted it")
	s.open("/console", "A condition is due")
	s.follow("/console/do/assessment.accept-risk", "Who may do this")
	s.act("assessment.accept-risk")
	s.open("/console/vendors/northwind", "Both doors are open")

	s.follow("/console/do/hold.place", "Who may do this")
	s.act("hold.place")
	s.Wants("Everything of this vendor is on hold")
	s.b.Refusal("/Patient?_count=1")
}

// securityEngineer reads why a request was refused, lifts the hold that did it, ends a
// session, holds a machine, reads what protects a source, and looks whether all is well.
func (s *scriptless) securityEngineer() {
	s.off(s.browser("sam"))

	s.open("/console/decisions?result=refused", "Refused")
	s.follow("/console/decisions/", "There is a hold on the vendor")
	s.lookAgain("Who can mend it: the organisation")
	s.follow("/console/do/hold.lift", "Who may do this")
	s.act("hold.lift")

	ada := s.as(registrytest.Ada)
	s.open("/console/sessions?q=ada", "Ada Example")
	s.follow("/console/do/session.kill", "Who may do this")
	s.act("session.kill")
	if ada.get("/console/health"); ada.at != "/signin" {
		s.t.Errorf("whose session was ended still sees %s", ada.at)
	}

	s.open("/console/devices", "northwind-gpu-1")
	s.follow("/console/devices/northwind-gpu-1", "judged by its provenance")
	s.follow("/console/do/hold.place", "Who may do this")
	s.Type("#f-cause", "owner")
	s.act("hold.place")
	s.Wants("Nothing is released to this machine")
	s.b.Refusal("/Patient?_count=1")

	s.open("/console/flow", "post-quantum key")
	s.follow("/console/sources/ehr", "The way to the gateway, as last seen")

	s.open("/console/health", "Audit log")
	s.Wants("Ready.")
	s.open("/console/keys", "triage-eval")
	s.follow("/console/keys/triage-eval", "It takes three people")
}

// dataOwner decides on a telephone; see ownersTasks.
func (s *scriptless) dataOwner() {
	s.off(s.browser(omar))
	onThePhone(s.world, s.Browser, omar)
	s.Narrow(1280, false)
}

// auditor finds what answers to a rule, a vendor's releases in a time, the story of one,
// and its proof, which is checked here and without the program.
func (s *scriptless) auditor() {
	s.off(s.browser(auditor))
	const search = `form[aria-label="Search the record"] button.main`

	s.open("/console/evidence", "Rules: 276")
	s.Type("#e-citation", "164.308(a)(6)(ii)")
	s.Press(search)
	s.Wants("checked against the regulation's text", "Stop everything about a subject")
	s.follow("/console/policies/hold", "45 CFR 164.308(a)(6)(ii)")

	since, until := s.lately()
	s.open("/console/evidence", "Rules: 276")
	s.Type("#e-vendor", "northwind")
	s.Type("#e-since", since)
	s.Type("#e-until", until)
	s.Press(search)
	s.Wants("What left", "2 Patient")

	s.Press("#releases tbody tr:first-child td a")
	s.Wants("The story of a release", "The paper", "The seal", "The proof")
	s.lookAgain("What was taken out and changed")

	proof := s.Value(`fetch(document.querySelector('a[href$="/proof"]').href).then(r => r.text())`)
	if _, err := verify.Proof([]byte(proof), s.b.LogKey()); err != nil {
		s.t.Errorf("the proof: %v", err)
	}
	s.open("/console/log/verify", "Check a proof")
	s.Type("#proof-text", proof)
	s.Press(`form[action="/console/log/verify"] button`)
	s.Wants("The log has the same entry today")

	s.open("/console/evidence/vendors/northwind", "The file of Northwind AI, Inc.")
	if strings.Contains(s.Value(`document.querySelector("main").innerHTML`), "/console/do/") {
		s.t.Error("an auditor is offered an act")
	}
}

// contact is somebody who speaks and signs for the vendor, with work to do.
func (w *world) contact() {
	w.t.Helper()
	ada, grace := registrytest.Ada, registrytest.Grace
	w.b.Act(ada, registry.ProposePerson{ID: nora, Vendor: hospitaltest.Vendor, Name: "Nora Example", Classification: hipaa.BusinessAssociate, Basis: "officer of the vendor", Region: "US"})
	w.b.Act(grace, registry.ApprovePerson{ID: nora})
	w.b.Act(grace, registry.NameSignatory{ID: nora, Title: "Chief Executive"})
	w.b.Act(ada, registry.SendQuestionnaire{ID: "spring", Vendor: hospitaltest.Vendor, DueAt: w.b.Clock.Now().AddDate(0, 1, 0)})
	w.b.Act(ada, registry.OfferRole{ID: hospitaltest.Role, OfferedTo: []id.Engagement{hospitaltest.Engagement}})
	w.toSign("northwind-sow")
}

// dataScientist looks at what they may use, how to connect and what they did, asks for
// less of it, takes that back, and takes a lesson.
func (s *scriptless) dataScientist() {
	s.off(s.outside(registrytest.Lin))

	s.open("/console/my/access", "Every patient of the source")
	s.open("/console/my/connect", "private_key_jwt")
	s.Press(`.tabs a[href*="with=python"]`)
	s.Wants("import base64")
	s.open("/console/my/activity", "Search Patient")

	s.open("/console/my/ask?engagement=triage-eval&role=triage-reader", "Why you need it")
	s.Tick("#pick-Patient > summary")
	s.Tick(`[name="resources.Patient.elements"][value="birthDate"]`)
	s.Type("#why", "Women only, for the second part")
	s.Type("#cohort", "search")
	s.Type("#ref", "Patient?gender=")
	s.Type("#max_patients", "many")
	s.Press("#ask button.main")
	s.Wants("There is something to mend")
	s.Type("#ref", "Patient?gender=female")
	s.Type("#max_patients", "10")
	s.Press("#ask button.main")
	s.Wants("What it would cost")
	s.Press("form[action='/console/do/request.make'] .main")
	s.Wants("What you asked for", "Waiting")
	s.follow("/console/do/request.withdraw", "Who may do this")
	s.act("request.withdraw")

	s.open("/portal/course", "Your training")
	s.Tick("input[value=SUP]")
	s.Press("form[action='/portal/course/start'] .main")
	s.Press(`main a[href^="/portal/course/lesson/"]`)
	s.Press("main form .main")
	s.open("/portal/course", "1 of ")
}

// vendorsContact sees where the firm stands, answers a question, signs a paper, looks at
// the team's training, and reports an incident.
func (s *scriptless) vendorsContact() {
	s.off(s.outside(nora))
	first := hipaa.Questions()[0]

	s.open("/console", "Sign: Services contract")
	s.follow("/portal/questionnaires/spring", "0 of 64 questions are answered")
	s.open("/portal/questionnaires/spring/"+url.PathEscape(first.Domain), first.Text)
	s.Type("#"+first.ID+" textarea", "We test restores each quarter")
	s.Press("#" + first.ID + " form button")
	s.Wants("Saved ")

	s.open("/console/my/papers", "To sign")
	s.follow("/portal/agreements/northwind-sow", "Signatures")
	s.Tick("#intent")
	s.Tick("#consent")
	s.Press("main form button")
	s.open("/console/my/papers", "Waits for approval")

	s.open("/console/my/team", "Chief Executive")
	s.Wants("Lin Example", "Nora Example", "Not taken")

	s.open("/console/my/incidents", "Incidents")
	s.Press("a.button.main")
	s.Type("#title", "A laptop was left on a train")
	s.Press("main form .main")
	s.Wants("Your report is on the record")
	s.open("/console/my/incidents", "A laptop was left on a train")
}

package console_test

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity/signin"
	"github.com/sallyport/sallyport/internal/browser"
	"github.com/sallyport/sallyport/internal/hospitaltest"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

var fingerprint = regexp.MustCompile(`[A-Z2-7]{4}(-[A-Z2-7]{4}){4}`)

// outside is Chromium in the hands of a vendor's person: they use their invitation, read
// their passkey's fingerprint to Grace, who approves them, and sign in.
func (w *world) outside(person id.Person) *browser.Browser {
	w.t.Helper()
	code := signin.NewCode()
	code256, _ := signin.CodeDigest(code)
	w.b.Act(registrytest.Ada, registry.InvitePerson{ID: person, Code256: code256, ExpiresAt: w.b.Clock.Now().Add(time.Hour)})
	b := browser.Start(w.t, w.b.Pages)
	b.WithAuthenticator(true)
	b.Narrow(1280, false)
	b.Open(w.b.Pages + "/enroll")
	b.Type("#code", code)
	b.Press("form .main")
	b.Wants("Make your passkey")
	b.Press("form .main")
	if f := fingerprint.FindString(b.Text()); !slices.Contains(w.b.Fingerprints(person), f) {
		w.t.Fatalf("the page shows %s the fingerprint %q, which is not on record", person, f)
	}
	w.b.Act(registrytest.Grace, registry.ApprovePerson{ID: person, Passkeys: w.b.Fingerprints(person)})
	b.Open(w.b.Pages + "/signin")
	b.Press("form[data-passkey] .main")
	b.Wants("Where Northwind AI, Inc. stands")
	return b
}

const nora = id.Person("nora") // who speaks and signs for the vendor

// toSign is a paper that waits for the vendor's signature.
func (w *world) toSign(paper id.Agreement) {
	w.t.Helper()
	ada, now := registrytest.Ada, w.b.Clock.Now().UTC()
	w.b.Act(ada, registry.DraftAgreement{ID: paper, Kind: snapshot.ServicesContract, Vendor: hospitaltest.Vendor, PermittedUses: registrytest.Uses(), Regions: []string{"US"},
		Terms: map[string]snapshot.Term{}, Document: registry.NewDocument("text/plain", registrytest.Paper).Digest, EffectiveAt: now, EndsAt: now.AddDate(1, 0, 0)})
	w.b.Act(ada, registry.SignAgreement{ID: paper, Party: snapshot.Organisation, Signer: "A. Example, CEO", At: now})
}

// firmAtWork: the vendor's contact and the outside data scientist do their five commonest
// things in the real browser.
func firmAtWork(t *testing.T, w *world) {
	ada, grace := registrytest.Ada, registrytest.Grace
	w.b.Act(ada, registry.ProfileVendor{ID: hospitaltest.Vendor, Services: []string{"triage"}, DataClasses: []hipaa.DataClass{hipaa.PHI}, Locations: []string{"US"}, Staff: 3, Patients: 10, Keeps: snapshot.KeepsNothing})
	w.b.Act(ada, registry.ProposePerson{ID: nora, Vendor: hospitaltest.Vendor, Name: "Nora Example", Classification: hipaa.BusinessAssociate, Basis: "officer of the vendor", Region: "US"})
	w.b.Act(grace, registry.ApprovePerson{ID: nora})
	w.b.Act(grace, registry.NameSignatory{ID: nora, Title: "Chief Executive"})
	w.b.Act(ada, registry.SendQuestionnaire{ID: "spring", Vendor: hospitaltest.Vendor, DueAt: w.b.Clock.Now().AddDate(0, 1, 0)})
	w.toSign("northwind-sow")
	question := hipaa.Questions()[0].ID
	domain := hipaa.Questions()[0].Domain

	t.Run("the data scientist", func(t *testing.T) {
		w := w.in(t)
		b := w.outside(registrytest.Lin)
		follow := func(path string) { t.Helper(); b.Press(`nav.side a[href="` + path + `"]`) }
		w.b.Get("/Patient?_count=2")
		// 1. What may I use?
		follow("/console/my/access")
		b.Wants("Triage", "Every patient of the source", "It ends by itself", "Open")
		w.firmPictures(b, "firm-access")
		// 2. How do I connect?
		follow("/console/my/connect")
		b.Wants("What is below works now", "private_key_jwt", "sallyport agent")
		b.Press(`.tabs a[href*="with=python"]`)
		b.Tick("button[data-copy=s-python]")
		b.Await("Copied")
		w.firmPictures(b, "firm-connect")
		// 3. My activity, as the owner sees it.
		follow("/console/my/activity")
		for until := time.Now().Add(time.Minute); !strings.Contains(b.Text(), "Released") && time.Now().Before(until); time.Sleep(50 * time.Millisecond) {
			b.Open(w.b.Pages + "/console/my/activity")
		}
		b.Wants("Released", "Search Patient")
		w.firmPictures(b, "firm-activity")
		// 4. It is over: why, and ask for it again.
		w.b.Act(grace, registry.RevokeGrant{ID: hospitaltest.Grant})
		follow("/console/my/access")
		b.Wants("You have no access now", "Over in the last 30 days", "Ask for it again")
		w.firmPictures(b, "firm-access-over")
		b.Press(`main .rows a.button[href*="from=triage-grant"]`)
		b.Wants("offered to this work")
		w.b.Act(ada, registry.OfferRole{ID: hospitaltest.Role, OfferedTo: []id.Engagement{hospitaltest.Engagement}})
		b.Open(b.At())
		b.Press("main .rows a")
		b.Type("#why", "The evaluation goes on")
		w.firmPictures(b, "firm-ask")
		b.Press("#ask button.main")
		b.Wants("What it would cost", "it would work at once")
		w.firmPictures(b, "firm-ask-cost")
		b.Press("form[action='/console/do/request.make'] .main")
		b.Wants("What you asked for", "Waiting")
		// 5. A lesson.
		follow("/portal/course")
		b.Tick("input[value=SUP]")
		b.Press("form[action='/portal/course/start'] .main")
		b.Press(`main a[href^="/portal/course/lesson/"]`)
		b.Press("main form .main")
		b.Open(w.b.Pages + "/portal/course")
		b.Wants("1 of ")
		b.Errors()
	})

	t.Run("the contact", func(t *testing.T) {
		w := w.in(t)
		b := w.outside(nora)
		follow := func(path string) { t.Helper(); b.Press(`nav.side a[href="` + path + `"]`) }
		// 1. Where we stand.
		b.Wants("What waits for you", "Sign: Services contract", "Due-diligence questions", "Take the training", "First door: papers", "Second door: data")
		w.firmPictures(b, "firm-home")
		// 2. A question of the questionnaire.
		follow("/console/my/questionnaires")
		b.Wants("Waits for you")
		w.firmPictures(b, "firm-questionnaires")
		b.Press("table.list a")
		b.Open(w.b.Pages + "/portal/questionnaires/spring/" + url.PathEscape(domain))
		b.Type("#"+question+" textarea", "We test restores each quarter")
		b.Press("#" + question + " form button")
		b.Wants("Saved ")
		// 3. A paper to sign.
		b.Press(".brand a")
		follow("/console/my/papers")
		b.Wants("You may sign for your firm", "To sign")
		w.firmPictures(b, "firm-papers")
		b.Press(`a[href="/portal/agreements/northwind-sow"]`)
		b.Tick("#intent")
		b.Tick("#consent")
		b.Press("main form button")
		b.Press(".brand a")
		follow("/console/my/papers")
		b.Wants("Waits for approval")
		// 4. The team's training.
		follow("/console/my/team")
		b.Wants("Lin Example", "Current", "Nora Example", "Not taken", "Chief Executive")
		w.firmPictures(b, "firm-team")
		w.sendsReport(b)
		// 5. An incident. It closes the door until the organisation has looked at it.
		follow("/console/my/incidents")
		b.Press("a.button.main")
		b.Type("#title", "A laptop was left on a train")
		b.Press("main form .main")
		b.Wants("Your report is on the record")
		b.Press(".brand a")
		follow("/console/my/incidents")
		b.Wants("A laptop was left on a train", "Nora Example")
		w.firmPictures(b, "firm-incidents")
		b.Press(".brand a")
		b.Wants("You have no access yet")
		b.Errors()
	})
}

// sendsReport: the contact sends a report with its file, sees that nobody has looked at it
// yet, and is told why it is not accepted.
func (w *world) sendsReport(b *browser.Browser) {
	w.t.Helper()
	const main, at = ".do-buttons .main", "2006-01-02T15:04"
	now := w.b.Clock.Now().UTC()
	set := func(selector, value string) {
		b.Value(`document.querySelector("` + selector + `").value = "` + value + `"`)
	}
	b.Open(w.b.Pages + "/console/my/certificates")
	b.Press(`main a.button.main[href*="certification.record"]`)
	b.Wants("Northwind AI, Inc.", "Type")
	if got := b.Value(`[...document.querySelectorAll("#f-type option")].map(o => o.value).join(" ")`); strings.Contains(got, "SOC3") || !strings.Contains(got, "PENTEST") {
		w.t.Errorf("offered are %s", got)
	}
	set("#f-type", "PENTEST")
	b.Press(main)
	if got := b.Value(`[...document.querySelectorAll("#f-id, #f-document_sha256, #f-fingerprint, #f-bridge")].length + ""`); got != "0" {
		w.t.Error("a vendor is asked for what is the organisation's to say")
	}
	b.Type("#f-issuer", "Example Testers LLP")
	b.Type("#f-scope", "triage service")
	b.Type("#f-open_high", "0")
	set("#f-period_end", now.AddDate(0, -1, 0).Format(at))
	set("#f-expires_at", now.AddDate(0, 10, 0).Format(at))
	b.Type("#f-reason", "the test of this spring")
	b.Press(main)
	b.Wants("File: Is missing. Choose the file.")
	b.Value(`(() => { const d = new DataTransfer(); d.items.add(new File(["%PDF-1.7\nthe test\n"], "test.pdf", {type: "application/pdf"})); document.querySelector("#f-content").files = d.files; return "" })()`)
	w.firmPictures(b, "firm-certificate-form")
	b.Press(main)
	b.Wants("Nothing is done yet", "test.pdf", "Example Testers LLP")
	b.Press(main)
	b.Wants("Send a report or certificate, to be verified", "Sent, not looked at yet", "By Nora Example", "Take it back")
	w.firmPictures(b, "firm-certificates")
	grace := w.as(registrytest.Grace)
	grace.get("/console").wants(http.StatusOK, "Verify what the vendor sent, or do not accept it: Independent penetration test letter")
	page := sentReport.FindStringSubmatch(grace.body)
	if page == nil {
		w.t.Fatalf("Today leads to no report:\n%s", grace.body)
	}
	grace.get("/console/certifications/"+page[1]).wants(http.StatusOK, "The vendor itself sent it", "Do not accept it", "Nora Example", "It counts until twelve months after the test")
	grace.get(storedPaper.FindString(grace.body)).wants(http.StatusOK, "%PDF-1.7\nthe test")
	grace.get("/console/do/certification.revoke?id="+page[1]).wants(http.StatusOK, "The vendor is told")
	w.b.Act(registrytest.Grace, registry.RevokeCertification{ID: id.Certification(page[1]), Why: "It is of another service than yours here"})
	b.Open(w.b.Pages + "/console/my/certificates")
	b.Wants("Not accepted", "Because: It is of another service than yours here.")
}

var (
	sentReport  = regexp.MustCompile(`/console/certifications/([0-9A-Z]{26})"`)
	storedPaper = regexp.MustCompile(`/console/documents/[0-9a-f]{64}`)
)

// firmPictures are of a page in the light, in the dark, and on a phone, where they are wanted;
// on a phone nothing is wider than the screen.
func (w *world) firmPictures(b *browser.Browser, name string) {
	w.t.Helper()
	b.Picture(name, 1280, false)
	b.Picture(name+"-dark", 1280, true)
	b.Picture(name+"-phone", 320, false)
	b.Narrow(320, false)
	if got := b.Value(`String(document.documentElement.scrollWidth <= innerWidth)`); got != "true" {
		w.t.Errorf("%s is wider than a phone: %s", name, b.Value(`[...document.querySelectorAll("main *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.tagName + "." + e.className).join(" ")`))
	}
	b.Narrow(1280, false)
}

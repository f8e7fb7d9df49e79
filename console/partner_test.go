package console_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/internal/browser"
	"github.com/sallyport/sallyport/internal/hospitaltest"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

// peopled is a world with several vendors, each at another point of the way.
func peopled(t *testing.T) *world {
	t.Helper()
	w := start(t)
	ada, grace, sam := registrytest.Ada, registrytest.Grace, id.Person("sam")
	now := w.b.Clock.Now().UTC().Truncate(time.Second)
	w.b.Enlist(sam, registry.SecurityOfficer)
	w.b.Act(grace, registry.ProfileVendor{ID: "northwind", Services: []string{"evaluation of triage models"}, Purposes: []hipaa.Purpose{hipaa.Evaluation},
		DataClasses: []hipaa.DataClass{hipaa.PHI}, Locations: []string{"US-MA"}, Staff: 4, Patients: 5000, Keeps: snapshot.KeepsSession, AI: snapshot.VendorAI{Generative: true}})
	// A vendor that is asked for, and one below the first.
	w.b.Act(ada, registry.ProposeVendor{ID: "lumen", Name: "Lumen Radiology AI", Contact: "compliance@lumen.example", RequiredCertifications: []string{"SOC2_T2"}})
	w.b.Act(ada, registry.ProposeVendor{ID: "cloudrack", Name: "Cloudrack Hosting", Contact: "trust@cloudrack.example"})
	w.b.Act(grace, registry.ApproveVendor{ID: "cloudrack"})
	w.b.Act(ada, registry.ProfileVendor{ID: "lumen", Services: []string{"reading of chest films"}, DataClasses: []hipaa.DataClass{hipaa.PHI}, Locations: []string{"US"}, Staff: 9, Patients: 20000, Keeps: snapshot.KeepsStored, AI: snapshot.VendorAI{TrainsShared: true, DecidesOnCare: true}})
	w.b.Act(ada, registry.RecordCertification{ID: "lumen-soc2", Vendor: "lumen", Type: "SOC2_T2", PeriodStart: now.AddDate(0, -9, 0), PeriodEnd: now.AddDate(0, -1, 0), ExpiresAt: now.AddDate(0, 5, 0), Particulars: registrytest.SOC2()})
	w.b.Act(ada, registry.SendQuestionnaire{ID: "lumen-2027", Vendor: "lumen", DataClasses: []hipaa.DataClass{hipaa.PHI}, DueAt: now.AddDate(0, 0, 21)})
	w.b.Act(ada, registry.RaiseFinding{ID: "northwind-pen", Kind: "diligence", Vendor: "northwind", About: snapshot.Subject{Noun: snapshot.NounVendor, ID: "northwind"}, Title: "The penetration test is older than a year"})
	w.b.Act(ada, registry.RequestGrant{ID: "triage-more", Engagement: "triage-eval", App: "triage", Person: registrytest.Lin, Devices: []id.Device{"northwind-gpu-1"}, Role: "triage-reader",
		Cohort: snapshot.Cohort{Kind: snapshot.CohortAll}, StartsAt: now, EndsAt: now.AddDate(0, 2, 0), MaxPatients: 500, MaxDailyBytes: 1 << 20})
	for range 3 {
		if got := w.b.Get("/Patient?_count=2"); got.Status != http.StatusOK {
			t.Fatalf("the door is not open: %s", got)
		}
	}
	w.b.Act(ada, registry.PlaceHold{ID: "pause", On: snapshot.Subject{Noun: snapshot.NounEngagement, ID: "triage-eval"}, Cause: snapshot.HoldOwner})
	w.b.Refusal("/Patient?_count=2")
	w.b.Act(grace, registry.LiftHold{ID: "pause"})
	return w
}

// conditional has the first vendor decided on anew, with a risk that somebody must accept.
func (w *world) conditional() {
	w.t.Helper()
	now := w.b.Clock.Now().UTC().Truncate(time.Second)
	w.b.Act("sam", registry.RecordAssessment{ID: "northwind-again", Vendor: "northwind", Verdict: snapshot.Conditional, DecidedAt: now, ValidUntil: now.AddDate(1, 0, 0),
		Require: []registry.RequireCondition{{Text: "A new penetration test", Owner: registrytest.Ada, DueAt: now.AddDate(0, 0, 10)}},
		Accept:  []registry.ProposedRisk{{For: "northwind-pen", Owner: registrytest.Grace, Why: "the test is booked for next month", Until: now.AddDate(0, 2, 0)}}})
}

// One organisation, for all that is asked of these pages.
func TestPartners(t *testing.T) {
	t.Parallel()
	w := peopled(t)
	t.Run("pages", func(t *testing.T) { partnerPages(t, w.in(t)) })
	t.Run("by keyboard", func(t *testing.T) { partnersByKeyboard(t, w.in(t)) })
}

// in is the world for a part of a test.
func (w *world) in(t *testing.T) *world { return &world{t, w.b.In(t)} }

// The pages of vendors and their papers say what is so, without script, and weigh little;
// what is not there is not.
func partnerPages(t *testing.T, w *world) {
	c := w.as(registrytest.Grace)
	c.awaitAll("/console?days=90", "Stop everything about a subject", "result=refused", "The access review has to be complete")
	for _, p := range []struct {
		path string
		says []string
	}{
		{"/console", []string{"What needs you", "Take the vendor on: Lumen Radiology AI", "Verify a report: SOC 2 Type 2", "Give the access: triage-more", "Settle a finding", "Stop everything about a subject", `result=refused`}},
		{"/console?days=90", []string{"The access review has to be complete", "answers to a questionnaire are due", "/console/calendar?days=90"}},
		{"/console/vendors", []string{"Northwind AI, Inc.", "Cloudrack Hosting", "Moderate", "Unknown"}},
		{"/console/vendors?state=proposed", []string{"Lumen Radiology AI", "Vendors: 1 of 3"}},
		{"/console/vendors/northwind", []string{"Both doors are open for 1 of 1 grant", "Data flows from the source to the vendor", "Closes ", "7.8 kB", "1 refused"}},
		{"/console/vendors/northwind?tab=papers", []string{"28 CFR Part 202", "Business associate agreement", "In force"}},
		{"/console/vendors/northwind?tab=diligence", []string{"Inherent risk", "SOC 2 Type 2", "Counts", "penetration test"}},
		{"/console/vendors/northwind?tab=people", []string{"Lin Example", "northwind-gpu-1", "triage"}},
		{"/console/vendors/northwind?tab=ahead", []string{"if nobody acts", "The grant ends"}},
		{"/console/vendors/northwind?tab=traffic", []string{"The newest decisions", "Hold"}},
		{"/console/vendors/northwind?tab=acts", []string{"Stop everything about a subject", "Ada Example"}},
		{"/console/vendors/lumen", []string{"The vendor was never assessed", "No data flows to the vendor", "nobody can ask for data"}},
		{"/console/engagements", []string{"triage-eval", "Evaluation"}},
		{"/console/engagements/triage-eval", []string{"The engagement over time", "What was closed", "Papers it stands on", "Operations under BAA"}},
		{"/console/engagements/triage-eval?tab=access", []string{"triage-grant", "triage-more", "In force", "trained until"}},
		{"/console/engagements/triage-eval?tab=traffic", []string{"3 permitted, 1 refused"}},
		{"/console/engagements/triage-eval?tab=acts", []string{"End a hold that another placed"}},
		{"/console/grants/triage-grant", []string{"Every patient of the source", "10,000 patients", "Access reviews"}},
		{"/console/roles/triage-reader", []string{"Observation", "CodeableConcept", "without its free text and identifiers"}},
		{"/console/diligence", []string{"lumen-2027", "0 of 64", "With the vendor"}},
		{"/console/diligence?tab=reports", []string{"lumen-soc2", "To be verified", "nobody but who recorded it has verified it"}},
		{"/console/diligence?tab=decisions", []string{"Northwind AI, Inc.", "Pass"}},
		{"/console/diligence?tab=risks", []string{"No risk is accepted"}},
		{"/console/diligence?tab=findings", []string{"older than a year", "Open"}},
		{"/console/questionnaires/lumen-2027", []string{"0 of 64", "GOV-01", "24 critical questions would fail it", "45 CFR"}},
		{"/console/questionnaires/lumen-2027?part=AIM", []string{"AIM-01"}},
		{"/console/certifications/lumen-soc2", []string{"It does not count", "Unqualified", "Verify it"}},
	} {
		c.get(p.path).wants(http.StatusOK, p.says...)
		if len(c.body) > 150<<10 {
			t.Errorf("%s has %d bytes", p.path, len(c.body))
		}
		if strings.Contains(c.body, " style=") || strings.Contains(c.body, "<no value>") || strings.Contains(c.body, "ZgotmplZ") {
			t.Errorf("%s has a style of its own, or a value that is none", p.path)
		}
	}
	for _, path := range []string{"/console/vendors/nobody", "/console/engagements/none", "/console/grants/none", "/console/roles/none", "/console/questionnaires/none", "/console/certifications/none",
		"/console/documents/none", "/console/vendors/%2e%2e%2fx"} {
		if c.get(path); c.status != http.StatusNotFound && c.status != http.StatusUnprocessableEntity && c.status != http.StatusBadRequest {
			t.Errorf("%s: got %d", path, c.status)
		}
	}
	for path, want := range map[string]string{"/console/vendors?format=csv": "Northwind AI, Inc.", "/console?format=csv": "permitted", "/console/engagements/triage-eval?format=csv": "Business associate agreement",
		"/console/vendors/northwind?tab=traffic&format=csv": "permitted", "/console/diligence?tab=reports&format=csv": "SOC 2 Type 2", "/console/calendar?days=30": "BEGIN:VCALENDAR",
		"/console/engagements/triage-eval?format=csv&of=doors": "screening", "/console/grants/triage-grant?format=csv&of=doors": "Open", "/console/documents/" + registry.NewDocument("text/plain", registrytest.Paper).Digest: "BUSINESS ASSOCIATE"} {
		if c.get(path).wants(http.StatusOK, want); !strings.HasPrefix(c.header.Get("Content-Disposition"), "attachment") {
			t.Errorf("%s is no file: %v", path, c.header)
		}
	}

	ada := w.as(registrytest.Ada).get("/console").wants(http.StatusOK, "What needs you")
	for _, not := range []string{"Take the vendor on: Lumen", "Verify a report", "Give the access: triage-more"} {
		if strings.Contains(ada.body, not) {
			t.Errorf("Ada, who asked for it or lacks the duty, is told: %s", not)
		}
	}
}

// awaitAll gets the page until it says this: what follows the log and the registry comes a
// moment later.
func (c *client) awaitAll(path string, texts ...string) {
	c.w.t.Helper()
	for until := time.Now().Add(time.Minute); time.Now().Before(until); time.Sleep(50 * time.Millisecond) {
		c.get(path)
		if !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(c.body, text) }) {
			return
		}
	}
	c.wants(http.StatusOK, texts...)
}

// keyboard goes through a page as somebody does who has no mouse.
type keyboard struct {
	t *testing.T
	*browser.Browser
}

type focused struct {
	Text    string
	Visible bool
}

func (k *keyboard) focused() focused {
	k.t.Helper()
	var out focused
	raw := k.Value(`(() => { const e = document.activeElement, s = getComputedStyle(e);
		if (e === document.body || e.tabIndex < 0) return JSON.stringify({ text: "", visible: true });
		return JSON.stringify({ text: [e.labels && e.labels[0] ? e.labels[0].innerText : "", e.getAttribute("aria-label") || "", e.matches("a, button, summary") ? e.innerText : ""].join(" ").trim(),
			visible: e.matches(":focus-visible") && s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2 }); })()`)
	if err := json.Unmarshal([]byte(raw), &out); err != nil {
		k.t.Fatal(err)
	}
	return out
}

// to moves to what says this, by the tab key alone, past the menu by the skip link.
func (k *keyboard) to(text string) {
	k.t.Helper()
	if strings.Contains(k.focused().Text, text) {
		return
	}
	var seen []string
	for range 120 {
		k.Key(kb.Tab)
		got := k.focused()
		if !got.Visible {
			k.t.Errorf("at %s nobody sees that %q has the focus", k.At(), got.Text)
		}
		if strings.Contains(got.Text, text) {
			return
		}
		if got.Text == "Skip to the content" { // the first stop of a page
			k.Key(kb.Enter)
		}
		seen = append(seen, got.Text)
	}
	k.t.Fatalf("%q is not reached by the keyboard at %s, but: %q", text, k.At(), seen)
}

// press follows a link or sends a form, and waits for a page that says this.
func (k *keyboard) press(text, then string) {
	k.t.Helper()
	k.to(text)
	k.Key(kb.Enter)
	k.Await(then)
}

// A privacy officer's five commonest tasks with script, a passkey, and no mouse: decide
// what waits, by touching the passkey; see what stops; read why a vendor stands as it
// does; verify a report; answer for a risk. And stop a vendor.
func partnersByKeyboard(t *testing.T, w *world) {
	k := &keyboard{t, w.browser(registrytest.Grace)}
	w.b.Advance(6 * time.Minute) // the passkey of the sign-in was touched too long ago
	open := func(path, says string) {
		t.Helper()
		k.Open(w.b.Pages + path)
		k.Await(says)
	}

	done := func(act string) {
		t.Helper()
		before := len(w.b.Acts())
		k.to("Reason")
		k.Key("as the papers say")
		k.press("See what it changes", "Nothing is done yet")
		k.press("Do it", "Done.")
		if got := w.b.Acts(); !slices.ContainsFunc(got[before:], func(a hospitaltest.Recorded) bool { return string(a.Kind) == act }) {
			t.Errorf("%s is not among what was done", act)
		}
	}

	open("/console", "What needs you")
	k.press("Take the vendor on: Lumen", "Touch it now")
	k.press("Touch it now", "Touch my passkey")
	k.press("Touch my passkey", "Who may do this")
	done("vendor.approve")

	open("/console", "What needs you")
	k.press("90 days", "The access review has to be complete")
	k.press("triage-eval", "Over time")

	open("/console/vendors", "Lumen")
	k.to("Search")
	k.Key("lumen" + kb.Enter)
	k.Await("Vendors: 1 of 3")
	k.press("Lumen Radiology AI", "The vendor was never assessed")
	k.press("Diligence", "Nobody has decided on this vendor")
	k.press("SOC 2 Type 2", "It does not count")
	k.press("Verify it", "Who may do this")
	k.to("Issuer portal")
	k.Key(" ")
	k.to("Against")
	k.Key("trust.auditors.example")
	done("certification.verify")
	k.Await("It counts until")

	w.conditional()
	// The papers' door is shut as soon as a decision has a risk that nobody answers for.
	open("/console/vendors/northwind", "Both doors are open for 0 of 1 grant")
	open("/console/diligence?tab=risks", "Nobody has accepted it")
	k.Wants("the test is booked for next month", "A new penetration test")
	open("/console", "A condition is due")
	k.press("Accept a risk, or do not: northwind-pen", "Who may do this")
	done("assessment.accept-risk")
	open("/console/vendors/northwind", "Both doors are open for 1 of 1 grant")

	open("/console/vendors/northwind", "Place on hold")
	k.press("Place on hold", "Who may do this")
	done("hold.place")
	k.Await("Everything of this vendor is on hold")
	k.Errors()
}

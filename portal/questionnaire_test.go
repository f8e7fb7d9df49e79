package portal_test

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity/signin"
	"github.com/sallyport/sallyport/internal/browser"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// asked sends a questionnaire to a vendor, by a link.
func (w *world) asked(key id.Questionnaire, vendor id.Vendor) (code string) {
	w.t.Helper()
	code = signin.NewCode()
	code256, _ := signin.CodeDigest(code)
	w.must("ada", registry.ProfileVendor{ID: vendor, Services: []string{"evaluation"}, DataClasses: []hipaa.DataClass{hipaa.PHI}, Locations: []string{"US"}, Staff: 3, Patients: 10, Keeps: snapshot.KeepsNothing})
	due := w.now().AddDate(0, 0, 20).Truncate(time.Second)
	w.must("ada", registry.SendQuestionnaire{ID: key, Vendor: vendor, DueAt: due, Contact: "privacy@vendor.example", Secret256: code256, ExpiresAt: due})
	return code
}

func (w *world) answers(key id.Questionnaire) map[string]snapshot.VendorAnswer {
	q, ok := w.reg.View().Questionnaires.Get(key)
	if !ok {
		w.t.Fatalf("there is no %s", key)
	}
	return q.Answers
}

// upload posts a form with a file.
func (c *client) upload(path, media string, content []byte) *client {
	c.w.t.Helper()
	var body bytes.Buffer
	m := multipart.NewWriter(&body)
	h := textproto.MIMEHeader{"Content-Disposition": {`form-data; name="file"; filename="MRN 123 Jane Doe.pdf"`}, "Content-Type": {media}}
	p, err := m.CreatePart(h)
	if err == nil {
		_, err = p.Write(content)
	}
	if err != nil {
		c.w.t.Fatal(err)
	}
	m.Close()
	return c.read(c.Post(c.w.server.URL+path, m.FormDataContentType(), &body))
}

// A vendor's contact answers without an account and without script, from the link to
// the thanks.
func TestAQuestionnaireIsAnsweredByALink(t *testing.T) {
	t.Parallel()
	w := start(t)
	code := w.asked("q1", "northwind")
	c := w.client().holding(code)
	c.wants(http.StatusOK, "Due-diligence questions", "0 of 64 questions", "Identity, device and access")
	if c.at != "/portal/questionnaires/q1" {
		t.Fatalf("the link leads to %s", c.at)
	}
	c.get("/portal").wants(http.StatusOK, "Due-diligence questions", "/portal/questionnaires/q1")
	c.get("/portal/questionnaires/q1/GOV").wants(http.StatusOK, "GOV-01", "named security official", `for="answer-GOV-01"`, "critical", "Evidence that would show it: Designation letter; Org chart.", "Next part")

	// An answer, a file for it, and back to its place.
	c.post("/portal/questionnaires/q1/GOV/GOV-01/answer", url.Values{"value": {"A. Example,\r\nfor two years"}}).wants(http.StatusOK, "A. Example,\nfor two years", "Saved ")
	pdf := []byte("%PDF-1.7 the letter")
	c.upload("/portal/questionnaires/q1/GOV/GOV-01/attach", "application/pdf", pdf).wants(http.StatusOK, registry.NewDocument("", pdf).Digest)
	if a := w.answers("q1")["GOV-01"]; a.Value != "A. Example,\nfor two years" || len(a.Evidence) != 1 || !strings.HasPrefix(string(a.AnsweredBy), "link.") {
		t.Errorf("got %+v", a)
	}
	c.post("/portal/questionnaires/q1/GOV/GOV-01/drop", url.Values{"sha256": {registry.NewDocument("", pdf).Digest}}).wants(http.StatusOK, "GOV-01")
	if a := w.answers("q1")["GOV-01"]; len(a.Evidence) != 0 {
		t.Errorf("got %+v", a)
	}

	// What is wrong is told at its field, and what was typed is kept.
	c.post("/portal/questionnaires/q1/GOV/GOV-02/answer", url.Values{"value": {"x\x00y"}}).wants(http.StatusBadRequest, "There is something to mend", `href="#answer-GOV-02"`, `aria-invalid="true"`)
	c.post("/portal/questionnaires/q1/HIP/HIP-05/answer", url.Values{"value": {"perhaps"}, "detail": {"<script>alert(1)</script>"}}).wants(http.StatusBadRequest, "Use one of no, yes", "&lt;script&gt;")
	c.upload("/portal/questionnaires/q1/GOV/GOV-02/attach", "text/html", []byte("<html>")).wants(http.StatusBadRequest, "is not taken")
	c.upload("/portal/questionnaires/q1/GOV/GOV-02/attach", "application/pdf", []byte("MZ")).wants(http.StatusBadRequest, "its bytes are those of something else")
	c.upload("/portal/questionnaires/q1/GOV/GOV-02/attach", "text/plain", bytes.Repeat([]byte("x"), registry.MaxEvidence+1)).wants(http.StatusBadRequest)
	c.get("/portal/questionnaires/q1/XXX").wants(http.StatusNotFound, "Nothing is asked there")

	// An export fills in what is empty.
	raw, err := os.ReadFile("../diligence/testdata/caiq.csv")
	if err != nil {
		t.Fatal(err)
	}
	c.upload("/portal/questionnaires/q1/import", "text/csv", raw).wants(http.StatusOK, "answers came out of an export", "claims")
	if a := w.answers("q1")["IAM-01"]; a.Imported != "caiq" || a.Value != "yes" || !a.ScoredAt.IsZero() {
		t.Errorf("got %+v", a)
	}
	c.upload("/portal/questionnaires/q1/import", "text/csv", []byte("a,b")).wants(http.StatusBadRequest, "has no header")

	// Handed in half: what is missing, each with a link to it; then the rest.
	c.post("/portal/questionnaires/q1/submit", nil).wants(http.StatusConflict, "questions have no answer yet", `href="/portal/questionnaires/q1/GOV#GOV-02"`)
	for _, q := range hipaa.Questions() {
		value := "We do."
		if o := q.Options(); o != nil {
			value = o[0]
		}
		if w.answers("q1")[q.ID].Value == "" {
			c.post("/portal/questionnaires/q1/"+q.Domain+"/"+q.ID+"/answer", url.Values{"value": {value}}).wants(http.StatusOK)
		}
	}
	c.post("/portal/questionnaires/q1/submit", nil).wants(http.StatusOK, "Thank you")
	c.get("/portal/questionnaires/q1").wants(http.StatusOK, "were handed in on")
	c.get("/portal/questionnaires/q1/GOV").wants(http.StatusOK, "readonly")
	c.post("/portal/questionnaires/q1/GOV/GOV-01/answer", url.Values{"value": {"changed"}}).wants(http.StatusConflict, "submitted")
	c.get("/portal").wants(http.StatusOK, "Nothing waits for you")
	for _, x := range []string{code, strings.ReplaceAll(code, "-", ""), "A. Example", "Jane Doe"} {
		if strings.Contains(w.log.String(), x) {
			t.Errorf("%q is in the log", x)
		}
	}
}

// Questions are given to a colleague, who finds them; and what our script is told.
func TestQuestionsAreGivenToAColleague(t *testing.T) {
	t.Parallel()
	w := start(t)
	c := w.client().holding(w.asked("q1", "northwind"))
	c.get("/portal/questionnaires/q1/IAM").wants(http.StatusOK, "Give questions to a colleague", "Lin Example")
	c.post("/portal/questionnaires/q1/IAM/delegate", url.Values{"to": {"lin"}, "question": {"IAM-01", "IAM-02"}}).wants(http.StatusOK, "Given to Lin Example")
	c.post("/portal/questionnaires/q1/IAM/delegate", url.Values{"to": {"grace"}, "question": {"IAM-01"}}).wants(http.StatusBadRequest, "is nobody of vendor")
	lin := w.client().as("lin")
	lin.get("/portal").wants(http.StatusOK, "2 were given to you")
	req, err := http.NewRequest(http.MethodPost, w.server.URL+"/portal/questionnaires/q1/IAM/IAM-01/answer", strings.NewReader(url.Values{"value": {"yes"}, "detail": {"by name"}}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	lin.read(lin.Do(req)).wants(http.StatusOK, `{"text":"Saved"}`)
	if a := w.answers("q1")["IAM-01"]; a.AnsweredBy != "lin" || a.Detail != "by name" {
		t.Errorf("got %+v", a)
	}
	lin.get("/portal").wants(http.StatusOK, "1 were given to you")
}

// No vendor's link or person sees or touches another's questionnaire, and nobody learns
// whether it exists.
func TestAnothersQuestionnaireIsNotThere(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.must("ada", registry.ProposeVendor{ID: "v2", Name: "Two, Inc."})
	w.must("grace", registry.ApproveVendor{ID: "v2"})
	w.must("ada", registry.ProposePerson{ID: "mia", Vendor: "v2", Name: "Mia", Classification: hipaa.BusinessAssociate, Basis: "employee", Region: "US"})
	w.must("grace", registry.ApprovePerson{ID: "mia"})
	first := w.asked("q1", "northwind")
	second := w.asked("q2", "v2")
	report := w.reportLink()
	strangers := map[string]*client{
		"the other's link": w.client().holding(second), "the other's person": w.client().as("mia"), "a link for something else": w.client().holding(report),
		"both of them": w.client().as("mia").holding(second), "the organisation's person": w.client().as("grace"),
	}
	for name, c := range strangers {
		for _, key := range []string{"q1", "none"} {
			at := "/portal/questionnaires/" + key
			bodies := map[string]bool{}
			c.get(at).wants(http.StatusNotFound, "no such page for you")
			bodies[c.body] = true
			c.get(at+"/GOV").wants(http.StatusNotFound, "no such page for you")
			bodies[c.body] = true
			c.post(at+"/GOV/GOV-01/answer", url.Values{"value": {"by a stranger"}}).wants(http.StatusNotFound)
			c.post(at+"/GOV/delegate", url.Values{"to": {"lin"}, "question": {"GOV-01"}}).wants(http.StatusNotFound)
			c.upload(at+"/GOV/GOV-01/attach", "text/plain", []byte("x")).wants(http.StatusNotFound)
			c.upload(at+"/import", "text/csv", []byte("x")).wants(http.StatusNotFound)
			c.post(at+"/submit", nil).wants(http.StatusNotFound)
			if len(bodies) != 1 {
				t.Errorf("%s: the answers for %s differ", name, key)
			}
		}
	}
	c := w.client()
	if c.get("/portal/questionnaires/q1"); c.at != "/portal/in" {
		t.Errorf("a stranger is at %s", c.at)
	}
	if len(w.answers("q1")) != 0 {
		t.Errorf("got %+v", w.answers("q1"))
	}
	w.client().holding(first).get("/portal/questionnaires/q1").wants(http.StatusOK)
	w.client().as("lin").get("/portal/questionnaires/q1").wants(http.StatusOK)
	w.client().as("lin").get("/portal/questionnaires/q2").wants(http.StatusNotFound)
}

// In a real browser: the code leaves the address, an answer is saved as it is typed, and
// the page fits a phone.
func TestAQuestionnaireInABrowser(t *testing.T) {
	t.Parallel()
	w := start(t)
	code := w.asked("q1", "northwind")
	b := browser.Start(t, w.server.URL)
	b.Open(w.server.URL + "/portal/in#" + code)
	b.Picture("link", 320, true)
	b.Press("form .main")
	b.Wants("Due-diligence questions", "0 of 64")
	b.Picture("questionnaire", 900, false)
	b.Open(w.server.URL + "/portal/questionnaires/q1/GOV")
	b.Picture("domain", 900, false)
	b.Picture("domain-320-dark", 320, true)
	b.Type("#answer-GOV-01", "A. Example, since 2024")
	deadline := time.Now().Add(time.Minute)
	for w.answers("q1")["GOV-01"].Value != "A. Example, since 2024" {
		if time.Now().After(deadline) {
			t.Fatalf("nothing was saved as it was typed: %+v", w.answers("q1")["GOV-01"])
		}
		time.Sleep(50 * time.Millisecond)
	}
	b.Await("Saved") // the page hears of it after the registry
}

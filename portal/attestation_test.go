package portal_test

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity/signin"
	"github.com/sallyport/sallyport/internal/browser"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// parted begins an offboarding of the vendor and issues the link to attest.
func (w *world) parted(key id.Offboarding, vendor id.Vendor) (code string) {
	w.t.Helper()
	w.must("ada", registry.BeginOffboarding{ID: key, Vendor: vendor, Cause: snapshot.WorkDone, DueAt: w.now().AddDate(0, 0, 30).Truncate(time.Second)})
	return w.attestLink(key, vendor)
}

func (w *world) attestLink(key id.Offboarding, vendor id.Vendor) (code string) {
	w.t.Helper()
	code = signin.NewCode()
	code256, _ := signin.CodeDigest(code)
	w.must("ada", registry.IssueLink{ID: id.Link("l-" + string(key) + code[:5]), Vendor: vendor, For: snapshot.LinkAttestation, About: snapshot.Subject{Noun: snapshot.NounOffboarding, ID: string(key)},
		Contact: "privacy@vendor.example", Secret256: code256, ExpiresAt: w.now().AddDate(0, 0, 60).Truncate(time.Second)})
	return code
}

func (w *world) dispositions(key id.Offboarding) map[snapshot.DataForm]snapshot.Disposition {
	o, ok := w.reg.View().Offboardings.Get(key)
	if !ok {
		w.t.Fatalf("there is no %s", key)
	}
	return o.Dispositions
}

// sends posts the form with a file, as a browser does.
func (c *client) sends(path string, fields url.Values, media string, content []byte) *client {
	c.w.t.Helper()
	var body bytes.Buffer
	m := multipart.NewWriter(&body)
	for key, values := range fields {
		for _, v := range values {
			if err := m.WriteField(key, v); err != nil {
				c.w.t.Fatal(err)
			}
		}
	}
	p, err := m.CreatePart(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="file"; filename="MRN 123 Jane Doe.pdf"`}, "Content-Type": {media}})
	if err == nil {
		_, err = p.Write(content)
	}
	if err != nil {
		c.w.t.Fatal(err)
	}
	m.Close()
	return c.read(c.Post(c.w.server.URL+path, m.FormDataContentType(), &body))
}

func attested(more ...string) url.Values {
	v := url.Values{"attester": {"T. Example, privacy officer"}, "sure": {"yes"}}
	for i := 0; i+1 < len(more); i += 2 {
		v.Set(more[i], more[i+1])
	}
	return v
}

// After the parting nothing of the vendor works but this: its contact says, form by form,
// what became of the data.
func TestAVendorAttestsByALink(t *testing.T) {
	t.Parallel()
	w := start(t)
	code := w.parted("bye", "northwind")
	c := w.client().holding(code)
	c.wants(http.StatusOK, "What became of the data", "0 of 7 forms", "What it means to sign", "164.504(e)(2)(ii)(J)", "missing", "Begin")
	if c.at != "/portal/offboardings/bye" {
		t.Fatalf("the link leads to %s", c.at)
	}
	c.get("/portal").wants(http.StatusOK, "Say what became of the data", "0 of 7 forms")
	c.get("/portal/offboardings/bye/raw").wants(http.StatusOK, "We destroyed it", "Purge", "cryptographic erase", "name and title of another person", "no patient data")
	if strings.Contains(c.body, "We tested the weights") {
		t.Error("raw data can be cleared")
	}

	// What is missing is told at its field, and what was typed is kept.
	raw := "/portal/offboardings/bye/raw"
	c.post(raw, attested()).wants(http.StatusBadRequest, "There is something to mend", `href="#outcome"`)
	c.post(raw, url.Values{"outcome": {"never-held"}}).wants(http.StatusBadRequest, `href="#attester"`, `href="#sure"`)
	c.post(raw, attested("outcome", "destroyed", "items", "volume <7>")).wants(http.StatusBadRequest, `href="#method"`, "volume &lt;7&gt;", `value="destroyed" checked`)
	destroyed := attested("outcome", "destroyed", "items", "volume 7", "method", "purge", "technique", "cryptographic-erase", "sanitized_by", "R. Example, lead", "verified_by", "S. Example, security")
	same := attested("outcome", "destroyed", "items", "volume 7", "method", "purge", "technique", "cryptographic-erase", "sanitized_by", "R. Example, lead", "verified_by", "R. Example, lead")
	c.post(raw, same).wants(http.StatusBadRequest, `href="#verified_by"`, "another person")
	c.post(raw, attested("outcome", "returned", "items", "the record of MRN 1234567")).wants(http.StatusBadRequest, `href="#looked"`, "medical record number")
	c.post(raw, attested("outcome", "infeasible", "items", "x", "why", "y", "protections", "z", "review_at", "soon")).wants(http.StatusBadRequest, `href="#review_at"`)
	c.post(raw, attested("outcome", "infeasible", "items", "x", "why", "y", "protections", "z", "review_at", "2001-01-01")).wants(http.StatusBadRequest, `href="#review_at"`)
	c.sends(raw, destroyed, "text/html", []byte("<html>")).wants(http.StatusBadRequest, `href="#file"`, "is not taken")
	c.sends(raw, destroyed, "application/pdf", []byte("MZ")).wants(http.StatusBadRequest, `href="#file"`, "its bytes are those of something else")
	c.sends(raw, destroyed, "text/plain", bytes.Repeat([]byte("x"), registry.MaxEvidence+1)).wants(http.StatusBadRequest, `href="#file"`)
	c.sends(raw, attested("outcome", "returned", "items", strings.Repeat("x", 9000)), "text/plain", nil).wants(http.StatusBadRequest)
	c.post(raw, attested("outcome", "cleared", "items", "x")).wants(http.StatusBadRequest, `href="#outcome"`)
	if n := len(w.dispositions("bye")); n != 0 {
		t.Fatalf("%d forms were saved by what was refused", n)
	}

	// With a file; saved again without one, it is kept or not, as the box says.
	pdf := []byte("%PDF-1.7 the certificate")
	digest := registry.NewDocument("", pdf).Digest
	destroyed.Set("why", "typed before another outcome was chosen")
	c.sends(raw, destroyed, "application/pdf", pdf).wants(http.StatusOK, "1 of 7 forms", `<span class="tag">destroyed</span>`, "Go on")
	d := w.dispositions("bye")[snapshot.RawData]
	if d.Document != digest || d.Attester != "T. Example, privacy officer" || !strings.HasPrefix(string(d.By), "link.") || d.Why != "" || d.Verified != "S. Example, security" {
		t.Errorf("got %+v", d)
	}
	if doc, err := w.reg.Document(t.Context(), digest); err != nil || !bytes.Equal(doc.Content, pdf) {
		t.Errorf("the file: %v", err)
	}
	c.get(raw).wants(http.StatusOK, "Saved ", "destroyed", digest, "volume 7")
	destroyed.Set("keep", "yes")
	c.post(raw, destroyed).wants(http.StatusOK)
	if d := w.dispositions("bye")[snapshot.RawData]; d.Document != digest {
		t.Errorf("the file was lost: %+v", d)
	}
	destroyed.Del("keep")
	c.post(raw, destroyed).wants(http.StatusOK)
	if d := w.dispositions("bye")[snapshot.RawData]; d.Document != "" {
		t.Errorf("the file was kept: %+v", d)
	}

	// The rest. Weights are cleared with a report, or not.
	for _, f := range []snapshot.DataForm{snapshot.DerivedData, snapshot.Embeddings, snapshot.VendorLogs, snapshot.Subcontractors} {
		c.post("/portal/offboardings/bye/"+string(f), attested("outcome", "never-held")).wants(http.StatusOK)
	}
	c.post("/portal/offboardings/bye/weights", attested("outcome", "cleared", "items", "adapter v3")).wants(http.StatusBadRequest, `href="#file"`)
	c.sends("/portal/offboardings/bye/weights", attested("outcome", "cleared", "items", "adapter v3"), "text/plain", []byte("the test report")).wants(http.StatusOK, "6 of 7")
	c.post("/portal/offboardings/bye/backups", attested("outcome", "infeasible", "items", "backups until August", "why", "deleted by date alone", "protections", "encrypted", "review_at", w.now().AddDate(0, 3, 0).Format(time.DateOnly))).wants(http.StatusOK, "Every form is attested")
	c.get("/portal/offboardings/bye/nonsense").wants(http.StatusNotFound)

	// Complete: the link is over.
	w.must("grace", registry.AcceptDisposition{ID: "bye", Form: snapshot.VendorBackups})
	w.must("grace", registry.AcceptDisposition{ID: "bye", Form: snapshot.ModelWeights})
	w.must("ada", registry.RecordInventory{ID: "bye", Inventory: snapshot.ReleasedInventory{Document: digest, Digests: digest, At: w.now().Add(-time.Second)}})
	w.must("ada", registry.CheckOffboarding{ID: "bye", Log: "node-1", To: 9})
	w.must("grace", registry.CompleteOffboarding{ID: "bye", Certificate: digest})
	if c.get("/portal/offboardings/bye"); c.at != "/portal/in" {
		t.Errorf("after the end the link leads to %s", c.at)
	}
	if c.post(raw, destroyed); c.at != "/portal/in" {
		t.Errorf("after the end: %d %s", c.status, c.at)
	}
	for _, x := range []string{code, "T. Example", "volume 7", "Jane Doe"} {
		if strings.Contains(w.log.String(), x) {
			t.Errorf("%q is in the log", x)
		}
	}
}

// Nobody attests for another vendor, and a link for something else opens nothing; a link
// that is revoked ends at the next click.
func TestAnothersOffboardingIsNotThere(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.must("ada", registry.ProposeVendor{ID: "v2", Name: "Two, Inc."})
	w.must("grace", registry.ApproveVendor{ID: "v2"})
	report := w.reportLink()
	first := w.parted("bye", "northwind")
	second := w.parted("ciao", "v2")
	for name, c := range map[string]*client{"the other's link": w.client().holding(second), "the organisation's person": w.client().as("grace")} {
		for _, key := range []string{"bye", "none"} {
			c.get("/portal/offboardings/" + key)
			c.wants(http.StatusNotFound, "no such page for you")
			c.post("/portal/offboardings/"+key+"/raw", attested("outcome", "never-held")).wants(http.StatusNotFound)
			c.sends("/portal/offboardings/"+key+"/raw", attested("outcome", "never-held"), "text/plain", []byte("x")).wants(http.StatusNotFound)
		}
		if len(w.dispositions("bye")) != 0 {
			t.Fatalf("%s attested", name)
		}
	}
	w.client().holding(report).wants(http.StatusForbidden) // it died with the vendor
	c := w.client().holding(first)
	c.wants(http.StatusOK)
	for _, l := range w.reg.View().Links.All() {
		if l.Vendor == "northwind" && l.RevokedAt.IsZero() {
			w.must("ada", registry.RevokeLink{ID: l.ID})
		}
	}
	if c.post("/portal/offboardings/bye/raw", attested("outcome", "never-held")); c.at != "/portal/in" || len(w.dispositions("bye")) != 0 {
		t.Errorf("a revoked link: %d at %s", c.status, c.at)
	}
}

// Where one engagement ended, a person of the vendor who is signed in attests, too.
func TestAPersonOfTheVendorAttests(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.must("ada", registry.ProposeEngagement{ID: "old", Vendor: "northwind", Agreements: []id.Agreement{"northwind-baa", "northwind-contract"}, Basis: engagementOf(w).Basis, Purpose: engagementOf(w).Purpose, Category: engagementOf(w).Category,
		Sources: engagementOf(w).Sources, DataClass: engagementOf(w).DataClass, Regions: engagementOf(w).Regions, StartsAt: w.now().Truncate(time.Second), EndsAt: w.now().AddDate(0, 6, 0).Truncate(time.Second)})
	w.must("ada", registry.BeginOffboarding{ID: "bye", Vendor: "northwind", Engagement: "old", Cause: snapshot.WorkDone, DueAt: w.now().AddDate(0, 0, 30).Truncate(time.Second)})
	lin := w.client().as("lin")
	lin.get("/portal").wants(http.StatusOK, "Say what became of the data")
	lin.get("/portal/offboardings/bye").wants(http.StatusOK, "<code>old</code>")
	lin.get("/portal/offboardings/bye/raw").wants(http.StatusOK, "You sign as Lin Example")
	lin.post("/portal/offboardings/bye/raw", url.Values{"outcome": {"never-held"}, "sure": {"yes"}}).wants(http.StatusOK, "1 of 7")
	if d := w.dispositions("bye")[snapshot.RawData]; d.By != "lin" {
		t.Errorf("got %+v", d)
	}
}

func engagementOf(w *world) *snapshot.Engagement {
	for _, e := range w.reg.View().Engagements.All() {
		return e
	}
	w.t.Fatal("no engagement")
	return nil
}

// In a real browser, on a phone, light and dark: what belongs to another outcome is out of
// the way, and it is signed.
func TestAnAttestationInABrowser(t *testing.T) {
	t.Parallel()
	w := start(t)
	code := w.parted("bye", "northwind")
	b := browser.Start(t, w.server.URL)
	b.Open(w.server.URL + "/portal/in#" + code)
	b.Press("form .main")
	b.Wants("What became of the data", "0 of 7")
	b.Picture("attestation", 900, false)
	b.Picture("attestation-320-dark", 320, true)
	b.Open(w.server.URL + "/portal/offboardings/bye/raw")
	b.Picture("attestation-raw", 900, false)
	b.Tick("input[value=never-held]")
	b.Picture("attestation-raw-320", 320, false)
	b.Type("#attester", "T. Example, privacy officer")
	b.Tick("#sure")
	b.Press("form .main")
	b.Wants("1 of 7")
}

package console_test

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/console"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
)

// Every act that the API offers has a form, for whoever has the duty, and for nobody else.
func TestEveryActHasAForm(t *testing.T) {
	w := shared(t)
	people := map[string]*client{}
	for _, person := range []struct {
		name string
		c    *client
	}{{"grace", w.as(registrytest.Grace)}, {"ada", w.as(registrytest.Ada)}} {
		people[person.name] = person.c
	}
	forms := 0
	for _, spec := range registry.Acts {
		if !spec.Routed() {
			people["grace"].get("/console/do/" + string(spec.Name)).wants(http.StatusNotFound)
			continue
		}
		shown := false
		for name, c := range people {
			c.get("/console/do/" + string(spec.Name))
			switch c.status {
			case http.StatusOK:
				shown = true
				if !strings.Contains(c.body, `action="/console/do/`+string(spec.Name)+`"`) || !strings.Contains(c.body, `name="reason"`) {
					t.Errorf("%s: the form is not whole:\n%s", spec.Name, c.body)
				}
				if len(c.body) > 150<<10 {
					t.Errorf("%s: the page has %d bytes", spec.Name, len(c.body))
				}
				wholeForm(t, string(spec.Name), c.body)
			case http.StatusForbidden:
			default:
				t.Errorf("%s for %s: %d\n%s", spec.Name, name, c.status, c.body)
			}
		}
		if shown {
			forms++
		} else {
			t.Logf("nobody here may do %s", spec.Name)
		}
	}
	if forms < 100 {
		t.Errorf("%d forms", forms)
	}
	// Those that ask for more once something is chosen.
	for _, typ := range hipaa.CertificationTypes() {
		people["ada"].get("/console/do/certification.record?type=" + typ.ID).wants(http.StatusOK)
		wholeForm(t, typ.ID, people["ada"].body)
	}
	for _, path := range []string{"/console/agreements/compose", "/console/do/role.define?profile=minimum-necessary&resources.Patient.elements=name.family&resources.Observation.elements=valueQuantity.value"} {
		people["grace"].get(path).wants(http.StatusOK)
		wholeForm(t, path, people["grace"].body)
		if n := len(people["grace"].body); n > 150<<10 {
			t.Errorf("%s has %d bytes", path, n)
		}
	}
}

// A form is looked at before it is done; it is done once, however often it is sent; and it
// is told, with the way back.
func TestAnActIsSeenThenDoneThenTold(t *testing.T) {
	t.Parallel()
	w := start(t)
	c := w.as(registrytest.Grace)
	c.get("/console/do/hold.place?on.noun=vendor&on.id=northwind&cause=owner&next=/console/vendors").wants(http.StatusOK, "Stop everything about a subject")
	form := url.Values{"on.noun": {"vendor"}, "on.id": {"northwind"}, "cause": {"owner"}, "next": {"/console"}, "key": {"one-key"}}
	c.post("/console/do/hold.place", form).wants(http.StatusUnprocessableEntity, "The reason is missing", `href="#f-reason"`, `value="northwind"`)
	form.Set("reason", "a look at their papers")
	before := len(w.b.Acts())
	c.post("/console/do/hold.place", form).wants(http.StatusOK, "Nothing is done yet", "is new")
	if got := len(w.b.Acts()); got != before {
		t.Errorf("looking made version %d of %d", got, before)
	}
	form.Set("step", "do")
	c.post("/console/do/hold.place", form).wants(http.StatusOK, "Done.", "/console/do/hold.lift?id=")
	c.post("/console/do/hold.place", form).wants(http.StatusOK, "Done.")
	if got := len(w.b.Acts()); got != before+1 {
		t.Errorf("sent twice, version went from %d to %d", before, got)
	}
	form.Set("next", "https://elsewhere.example/")
	form.Set("key", "another")
	form.Set("on.id", "nobody")
	c.post("/console/do/hold.place", form).wants(http.StatusUnprocessableEntity, "nobody")
	c.get("/console/acts").wants(http.StatusOK, "hold.place", "a look at their papers")
}

// A vendor's person has forms for what is their own, and lists in them that hold their own.
func TestAVendorsPersonActsOnTheirOwn(t *testing.T) {
	t.Parallel()
	w, lin := signedIn(t)
	w.b.Act(registrytest.Ada, registry.ProposeVendor{ID: "other", Name: "Other AI"})
	w.b.Act(registrytest.Ada, registry.ProposePerson{ID: "mia", Vendor: "other", Name: "Mia Other", Classification: "business-associate", Basis: "employee of the vendor", Region: "US"})
	for _, spec := range registry.Acts {
		lin.get("/console/do/" + string(spec.Name))
		theirs := spec.Routed() && (slices.Contains(spec.Admits, registry.Self) || slices.Contains(spec.Admits, registry.VendorPeople))
		if want := map[bool]int{true: http.StatusOK, false: http.StatusNotFound}[theirs]; lin.status != want {
			t.Errorf("%s: got %d, want %d", spec.Name, lin.status, want)
		}
		for _, others := range []string{"Other AI", "Mia", "ada", "Grace"} {
			if strings.Contains(lin.body, others) {
				t.Errorf("%s tells of %q:\n%s", spec.Name, others, lin.body)
			}
		}
	}
	before := len(w.b.Acts())
	form := url.Values{"id": {"laptop"}, "vendor": {"other"}, "owner": {"mia"}, "expires_at": {w.b.Clock.Now().UTC().Add(time.Hour).Format("2006-01-02T15:04")}, "reason": {"work"}}
	lin.post("/console/do/device.invite", form)
	if strings.Contains(lin.body, "Mia") || strings.Contains(lin.body, "Nothing is done yet") {
		t.Errorf("another vendor's machine can be looked at: %d\n%s", lin.status, lin.body)
	}
	form.Set("step", "do")
	if lin.post("/console/do/device.invite", form); strings.Contains(lin.body, "shown this once") || len(w.b.Acts()) != before {
		t.Errorf("another vendor's machine was invited: %d\n%s", lin.status, lin.body)
	}
	// Their own: the word is on that page alone, and not in its address.
	form.Set("vendor", "northwind")
	form.Set("owner", "lin")
	lin.post("/console/do/device.invite", form).wants(http.StatusOK, "shown this once", "sallyport agent enroll --server "+w.b.Gateway)
	if lin.header.Get("Cache-Control") != "no-store" {
		t.Errorf("a page with a secret may be kept: %q", lin.header.Get("Cache-Control"))
	}
	if _, word, ok := strings.Cut(lin.body, "<code>laptop."); !ok || len(word) < 40 {
		t.Errorf("there is no word of an invitation:\n%s", lin.body)
	}
	lin.post("/console/do/vendor.suspend", url.Values{"id": {"northwind"}, "reason": {"x"}, "step": {"do"}}).wants(http.StatusNotFound)
	lin.get("/console/acts").wants(http.StatusNotFound)
	lin.get("/console/agreements").wants(http.StatusNotFound)
	lin.get("/console/start").wants(http.StatusNotFound)
}

// Who only reads is told so, clearly.
func TestAnAuditorChangesNothing(t *testing.T) {
	w := shared(t)
	iris := w.as(auditor)
	iris.get("/console/do/vendor.suspend?id=northwind").wants(http.StatusForbidden, "Your duties do not let you do this", "privacy officer")
	iris.post("/console/do/vendor.suspend", url.Values{"id": {"northwind"}, "reason": {"x"}, "step": {"do"}}).wants(http.StatusForbidden)
	iris.get("/console/agreements/northwind-baa").wants(http.StatusOK, "In force", "Its terms, and what each does")
	if strings.Contains(iris.body, "/console/do/agreement.") {
		t.Errorf("an auditor is led to acts:\n%s", iris.body)
	}
	iris.get("/console/agreements/northwind-baa/evidence").wants(http.StatusOK, "Decisions and releases")
	iris.get("/console/start").wants(http.StatusOK)
	iris.get("/console/agreements?format=csv").wants(http.StatusOK, "northwind-baa")
	iris.get("/console/acts?kind=agreement.approve").wants(http.StatusOK, "agreement.approve")
	if strings.Contains(iris.body, "<code>vendor.propose</code>") {
		t.Error("the filter keeps other acts")
	}
	iris.get("/console/acts?actor=nobody").wants(http.StatusOK, "Nothing found")
	iris.get("/console/acts?from=yesterday").wants(http.StatusBadRequest, "is not a day")
	iris.get("/console/acts?format=csv").wants(http.StatusOK, "vendor.propose")
	act := w.b.Acts()[5]
	iris.get("/console/acts/"+string(act.Act)).wants(http.StatusOK, string(act.Kind))
	iris.get("/console/acts/"+string(act.Act)+"/proof").wants(http.StatusOK, "c2sp.org/tlog-proof")
}

// What leads to an act names fields that it has: in every template.
func TestLinksToActsNameTheirFields(t *testing.T) {
	call := regexp.MustCompile(`May "([a-z.-]+)"((?: "[A-Za-z0-9_.]+" (?:\([^)]*\)|"[^"]*"|[^\s"()}]+))*)`)
	pair := regexp.MustCompile(` "([A-Za-z0-9_.]+)" (?:\([^)]*\)|"[^"]*"|[^\s"()}]+)`)
	templates, err := filepath.Glob("screens/*.html")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, file := range templates {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range call.FindAllStringSubmatch(string(raw), -1) {
			if _, ok := registry.Lookup(registry.Kind(m[1])); !ok {
				t.Errorf("%s: there is no act %s", file, m[1])
				continue
			}
			for _, p := range pair.FindAllStringSubmatch(m[2], -1) {
				found++
				_, wrong := console.ReadForm(registry.Kind(m[1]), url.Values{p[1]: {"2026-01-01"}})
				if slices.ContainsFunc(wrong, func(w string) bool { return strings.Contains(w, "is not a field") }) {
					t.Errorf("%s: %s has no field %s", file, m[1], p[1])
				}
			}
		}
	}
	if found < 50 {
		t.Errorf("only %d fields were found", found)
	}
}

// A file is stored on the way to the form that names it, and nothing typed is lost.
func TestADocumentIsStoredOnTheWay(t *testing.T) {
	w := shared(t)
	x := &walker{client: w.as(registrytest.Ada)}
	x.get("/console/do/agreement.draft?vendor=northwind").wants(http.StatusOK, "Store a file now")
	x.sends("store:document_sha256", "id", "northwind-second", "reason", "a second paper").wants(http.StatusOK, "Store a paper under its digest", `enctype="multipart/form-data"`)
	const paper = "A second paper between us."
	x.uploads("preview", "content", "second.txt", paper).wants(http.StatusOK, "Nothing is done yet", "second.txt", registry.NewDocument("text/plain", []byte(paper)).Digest, "is forgotten")
	x.sends("do").wants(http.StatusOK, "Done.", `value="northwind-second"`, "a second paper")
	digest := registry.NewDocument("text/plain", []byte(paper)).Digest
	if _, form, _ := actForm(t, x.body); form.Get("document_sha256") != digest {
		t.Errorf("the form has the digest %q, want %q", form.Get("document_sha256"), digest)
	}
}

// uploads sends the act's form of the page with a file.
func (x *walker) uploads(step, field, name, content string) *client {
	x.w.t.Helper()
	action, form, known := actForm(x.w.t, x.body)
	if !known[field] {
		x.w.t.Fatalf("%s takes no file as %s:\n%s", x.at, field, x.body)
	}
	form.Set("step", step)
	var body bytes.Buffer
	m := multipart.NewWriter(&body)
	for name, texts := range form {
		for _, text := range texts {
			_ = m.WriteField(name, text) // into memory
		}
	}
	part, err := m.CreateFormFile(field, name)
	if err != nil {
		x.w.t.Fatal(err)
	}
	_, _ = io.WriteString(part, content)
	m.Close()
	return x.read(x.Post(x.w.b.Pages+action, m.FormDataContentType(), &body))
}

// The file of an act waits while the act is looked at, and for nobody else; it goes when the
// act is given up or done, and when somebody takes it away.
func TestAFileWaitsWhileItsActIsLookedAt(t *testing.T) {
	w := shared(t)
	x := &walker{client: w.as(registrytest.Ada)}
	shown := func() *walker {
		x.get("/console/do/document.put").wants(http.StatusOK)
		x.uploads("preview", "content", "paper.txt", "The paper.").wants(http.StatusUnprocessableEntity, "The reason is missing", "paper.txt", "waits here until", `href="#f-reason"`)
		return x
	}
	held := func() string {
		_, form, _ := actForm(t, x.body)
		return form.Get("held")
	}
	stored := func() (n int) {
		for _, a := range w.b.Acts() {
			if a.Kind == "document.put" {
				n++
			}
		}
		return n
	}
	before := stored()
	x.get("/console/do/document.put").wants(http.StatusOK)
	x.sends("preview", "reason", "for the file").wants(http.StatusUnprocessableEntity, "File: Is missing. Choose the file.", `href="#f-content"`)
	// Kept over a mistake, and over going back.
	shown().sends("preview", "reason", "for the file").wants(http.StatusOK, "Nothing is done yet", "paper.txt", "text/plain")
	x.sends("back").wants(http.StatusOK, "paper.txt", `value="for the file"`)
	key := held()
	if key == "" {
		t.Fatalf("the form does not know its file:\n%s", x.body)
	}
	// Nobody else has it.
	grace := w.as(registrytest.Grace)
	grace.post("/console/do/document.put", url.Values{"held": {key}, "reason": {"theirs"}, "step": {"do"}}).wants(http.StatusUnprocessableEntity, "The file is not kept any more")
	x.sends("unfile").wants(http.StatusOK)
	if strings.Contains(x.body, "paper.txt") {
		t.Errorf("the file was taken away, and is there:\n%s", x.body)
	}
	gone := func(key string) {
		t.Helper()
		x.post("/console/do/document.put", url.Values{"held": {key}, "reason": {"again"}}).wants(http.StatusUnprocessableEntity, "The file is not kept any more")
	}
	gone(key)
	shown()
	key = held()
	x.sends("cancel")
	gone(key)
	// The third of one person is in the place of the first.
	shown()
	key = held()
	shown()
	shown()
	gone(key)
	// Done once, it is gone.
	shown()
	key = held()
	x.sends("preview", "reason", "for the file")
	x.sends("do").wants(http.StatusOK)
	if got := stored(); got != before+1 {
		t.Errorf("%d files were stored, want 1", got-before)
	}
	gone(key)
}

// A report is asked for what its type has, and nothing else; another type asks anew, and what
// the first one had is left behind.
func TestAReportIsAskedForWhatItsTypeHas(t *testing.T) {
	w := shared(t)
	x := &walker{client: w.as(registrytest.Ada)}
	ends := w.b.Clock.Now().UTC().AddDate(1, 0, 0).Format("2006-01-02T15:04")
	asks := func(want []string, not []string) {
		t.Helper()
		_, _, known := actForm(t, x.body)
		for _, name := range want {
			if !known[name] {
				t.Errorf("%s is not asked for:\n%s", name, x.body)
			}
		}
		for _, name := range not {
			if known[name] {
				t.Errorf("%s is asked for", name)
			}
		}
	}
	x.get("/console/do/certification.record?vendor=northwind").wants(http.StatusOK, "Go on")
	asks([]string{"type", "vendor"}, []string{"expires_at", "opinion", "as_of", "limits"})
	x.sends("choose").wants(http.StatusUnprocessableEntity, "Is missing. Choose one", `href="#f-type"`)
	x.sends("preview").wants(http.StatusUnprocessableEntity, "Is missing. Choose one")
	x.sends("choose", "type", "SOC2_T2").wants(http.StatusOK, "Show what this one has")
	asks([]string{"opinion", "period_start", "bridge.by", "expires_at", "content"}, []string{"document_sha256", "limits", "open_high", "person", "soa_version"})
	x.sends("preview", "issuer", "A. Auditor", "reason", "this year's", "expires_at", ends).wants(http.StatusUnprocessableEntity, `value="A. Auditor"`, "A SOC2_T2 must say it")
	x.sends("choose", "type", "INSURANCE", "criteria", "security", "issuer", "A. Carrier").wants(http.StatusOK, `value="A. Carrier"`, "this year&#39;s", `value="`+ends+`"`)
	asks([]string{"limits", "ai_exclusion", "tail_months"}, []string{"opinion", "criteria", "period_start"})
	x.sends("preview", "limits", "10 M USD", "ai_exclusion", "false").wants(http.StatusOK, "Nothing is done yet", "10 M USD")
	x.sends("do").wants(http.StatusOK)
	// What a link says is shown, though the type has it not.
	x.get("/console/do/certification.record?vendor=northwind&type=VULNSCAN&level=2").wants(http.StatusOK)
	asks([]string{"as_of", "level"}, []string{"opinion"})
}

// Whoever defines a role sees what becomes of each element under the profile, goes below the
// top level, and reads what the choice means before it is done.
func TestARoleIsWeighedWhileItIsPicked(t *testing.T) {
	w := shared(t)
	x := &walker{client: w.as(registrytest.Ada)}
	x.get("/console/do/role.define").wants(http.StatusOK, "nothing would be shown", "Choose a profile")
	x.sends("type").wants(http.StatusUnprocessableEntity, "No type of resource was chosen")
	x.sends("type", "add", "Patient", "profile", "minimum-necessary").wants(http.StatusOK, "birthDate", "its year only", "Identifier: never leaves")
	x.sends("open:Patient.address").wants(http.StatusOK, `value="address.state"`)
	x.sends("weigh", "resources.Patient.elements", "address.state", "resources.Patient.elements", "name", "resources.Patient.elements", "birthDate", "resources.Patient.interactions", "read").
		wants(http.StatusOK, "<p>3 elements of 1 type are named", "so they do not leave: Patient.name.", "enough for engagements whose class of data is PHI.", "/console/policies/deidentification")
	// Direct identifiers are told as such.
	x.sends("weigh", "direct_identifiers", "true").wants(http.StatusOK, "Direct identifiers or free text would leave: Patient.name.", "Named whole: Patient.name.")
	x.sends("preview", "id", "state-only", "title", "State only", "dates", "year", "identifiers", "pseudonym", "max_page_size", "50", "reason", "for the state").
		wants(http.StatusOK, "Nothing is done yet", "What it would show", "Direct identifiers or free text would leave: Patient.name.")
	x.sends("back").wants(http.StatusOK, `value="address.state"`)
	// A type that is left out is gone; what FHIR does not have is told at its type.
	x.sends("type", "add", "Observation").wants(http.StatusOK, "Elements of Observation", "value[x]")
	x.sends("shut:Observation").wants(http.StatusOK, "state-only")
	if strings.Contains(x.body, "Elements of Observation") {
		t.Errorf("Observation was left out, and is there:\n%s", x.body)
	}
	x.sends("do").wants(http.StatusOK)
	// What was defined is what the form begins with, when somebody changes it.
	x.get("/console/do/role.define?id=state-only").wants(http.StatusOK)
	_, form, _ := actForm(t, x.body)
	if got := slices.Sorted(slices.Values(form["resources.Patient.elements"])); !slices.Equal(got, []string{"address.state", "birthDate", "name"}) || len(form["resources.Observation.elements"]) > 0 {
		t.Errorf("the role has %q", got)
	}
	x.get("/console/do/role.define?profile=minimum-necessary&resources.Patient.elements=colour&resources.Patient.interactions=read&id=a&title=a&dates=year&identifiers=pseudonym&max_page_size=5").wants(http.StatusOK, "not of FHIR R4")
	x.sends("preview", "reason", "a colour").wants(http.StatusUnprocessableEntity, "Patient has no element", `href="#f-resources.Patient"`)
	// The API tells it to those alone who may define a role.
	w.as(auditor).get("/console/do/role.define").wants(http.StatusForbidden)
}

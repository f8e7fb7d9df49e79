package console_test

import (
	"strings"
	"testing"

	"github.com/sallyport/sallyport/id"
)

// The forms with the most in them, filled in with rubbish: what is wrong stands at its field,
// the summary has the focus and leads there, nothing scrolls sideways at 320 pixels, and
// axe-core finds nothing, in the light or in the dark.
func TestFormsWithRubbishInThem(t *testing.T) {
	b := visit(t)
	b.WithAxe()
	const main = ".do-buttons .main"
	for i, c := range []struct {
		name  string
		who   id.Person
		path  string
		fill  func()
		wants []string
		wrong string // a field that the summary leads to
	}{
		{"private", "ada", "/console/do/app.register?vendor=northwind", func() {
			b.Type("#f-keys", "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49")
			b.Press(main)
		}, []string{"Holds a private key: it was not kept"}, "f-keys"},
		{"report-of-a-type", "ada", "/console/do/certification.record?vendor=northwind&type=SOC2_T2", func() {
			b.Type("#f-issuer", strings.Repeat("long ", 80))
			b.Press(main)
		}, []string{"Reason: The reason is missing", "Period ends: Is missing. Fill it in.", "Opinion: Is missing. Choose one."}, "f-period_end"},
		{"terms", "grace", "/console/do/agreement.draft?vendor=northwind&kind=baa", func() {
			b.Value(`document.querySelectorAll("details").forEach(d => d.open = true) || ""`)
			b.Type(`#f-terms\.exit\.value\.return_days`, "soon")
			b.Type(`#f-terms\.regions\.value\.storage`, "US")
			b.Type(`#f-terms\.regions\.value-json`, "{}")
			b.Press(main)
		}, []string{"Is not a whole number", "Is said twice"}, "f-terms.exit.value.return_days"},
		{"role", "grace", "/console/do/role.define?profile=minimum-necessary&resources.Patient.elements=name&resources.Patient.elements=birthDate&resources.Patient.elements=colour&resources.Patient.interactions=read&resources.Observation.elements=valueQuantity.value", func() {
			b.Press(`button[value="open:Patient.address"]`)
			b.Press(main)
		}, []string{"What this choice means", "not of FHIR R4", "address.state", "valueQuantity.value", "Gate Deidentification"}, "f-title"},
		{"file", "ada", "/console/do/document.put", func() { b.Press(main) }, []string{"File: Is missing. Choose the file."}, "f-content"},
	} {
		b.Width(1280)
		b.Theme("light")
		b.show(shown{who: c.who, path: c.path})
		c.fill()
		b.Wants(c.wants...)
		if got := b.Value(`document.activeElement.id`); got != "errors" {
			t.Errorf("%s: the focus is at %q, want the summary of errors", c.name, got)
		}
		if got := b.Value(`[...document.querySelectorAll("#errors a")].map(a => a.getAttribute("href")).join(" ") + " "`); !strings.Contains(got, "#"+c.wrong+" ") {
			t.Errorf("%s: the summary leads to %q, want %q among them", c.name, got, c.wrong)
		}
		// Each line leads to something that is there, and a field names its error.
		if got := b.Value(`[...document.querySelectorAll("#errors a")].map(a => a.getAttribute("href").slice(1)).filter(i => !document.getElementById(i)).join(" ")`); got != "" {
			t.Errorf("%s: the summary leads nowhere: %s", c.name, got)
		}
		if got := b.Value(`[...document.querySelectorAll("[aria-describedby]")].flatMap(e => e.getAttribute("aria-describedby").split(" ")).filter(i => !document.getElementById(i)).join(" ")`); got != "" {
			t.Errorf("%s: a field is described by what is not there: %s", c.name, got)
		}
		theme := []string{"light", "dark"}[i%2]
		b.Theme(theme)
		for _, v := range b.Axe() {
			t.Errorf("%s, %s: %s: %s %v", c.name, theme, v.ID, v.Help, v.Nodes)
		}
		b.Width(320)
		if over, what := b.Overflow(); over > 0 {
			t.Errorf("%s scrolls sideways by %d pixels: %s", c.name, over, what)
		}
	}
}

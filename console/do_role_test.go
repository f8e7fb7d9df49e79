package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/sallyport/sallyport/deid"
	"github.com/sallyport/sallyport/registry/registrytest"
)

// The picker promises nothing that does not leave: what it does not mark as never leaving is
// what the de-identification lets out, at the top level and below it.
func TestThePickerPromisesNothingThatDoesNotLeave(t *testing.T) {
	w := shared(t)
	c := w.as(registrytest.Grace)
	open := url.Values{
		"resources.Patient.elements":     {"address.use", "name.family", "identifier.value", "contact.name.family", "contact.address.state", "communication.language"},
		"resources.Observation.elements": {"valueQuantity.value", "code.text", "component.code", "note.text", "subject.display", "referenceRange.low.value"},
		"resources.Condition.elements":   {"onsetPeriod.start", "evidence.detail"},
	}
	for _, profile := range []string{"minimum-necessary", "safe-harbor", "limited-data-set"} {
		for _, direct := range []bool{false, profile == "minimum-necessary"} {
			q := url.Values{"profile": {profile}, "dates": {"year"}, "identifiers": {"pseudonym"}}
			if direct {
				q.Set("direct_identifiers", "true")
			}
			for name, paths := range open {
				q[name] = paths
			}
			c.get("/console/do/role.define?"+q.Encode()).wants(http.StatusOK, "What this choice means")
			doc, err := html.Parse(strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			looked := 0
			for n := range doc.Descendants() {
				if n.Data != "div" || nodeAttr(n, "class") != "do-element" {
					continue
				}
				typ, path := "", ""
				for in := range n.Descendants() {
					if in.Data == "input" {
						typ, path = strings.Split(nodeAttr(in, "name"), ".")[1], nodeAttr(in, "value")
					}
				}
				looked++
				scope, err := deid.NewScope(deid.Spec{Profile: profile, Dates: deid.Years, Identifiers: deid.Pseudonyms, DirectIdentifiers: direct, Resources: map[string][]string{typ: {path}}})
				if err != nil {
					t.Errorf("%s.%s cannot be named: %v", typ, path, err)
					continue
				}
				if leaves := scope.Names(typ + "." + path); !leaves && !strings.Contains(strings.ToLower(nodeText(n)), "never leaves") {
					t.Errorf("%s, direct %v: %s.%s does not leave, and the picker says %q", profile, direct, typ, path, nodeText(n))
				}
			}
			if looked < 120 {
				t.Errorf("only %d elements were looked at", looked)
			}
		}
	}
}

package console_test

import (
	"encoding/json"
	"html"
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/console"
	"github.com/sallyport/sallyport/gate"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
)

// Every word has a definition, a rule that the catalogue has, and an anchor of its own.
func TestTheWordsAreWhole(t *testing.T) {
	seen := map[string]bool{}
	before := ""
	for _, w := range console.WordList() {
		if w.Key == "" || w.Term == "" || len(w.Text) < 30 || !strings.HasSuffix(w.Text, ".") {
			t.Errorf("%q: its words are not whole", w.Key)
		}
		if seen[w.Key] {
			t.Errorf("%q stands twice", w.Key)
		}
		seen[w.Key] = true
		if w.Control != "" {
			if _, ok := hipaa.LookupControl(w.Control); !ok {
				t.Errorf("%q rests on %q, which the catalogue does not have", w.Key, w.Control)
			}
		}
		if strings.Contains(strings.ToLower(w.Text), "compliant") {
			t.Errorf("%q promises what nobody can", w.Key)
		}
		before = w.Key
	}
	if before == "" {
		t.Fatal("no words")
	}
}

// Words, finding and the tour, as the organisation's people see them.
func helpStory(w *world, grace *client) {
	t := w.t
	t.Helper()
	grace.get("/console/words").wants(http.StatusOK, `id="baa"`, "45 CFR 164.308(b)(1)", "checked against the regulation", "a word of this product", `id="class-phi"`, `id="purpose-inference"`, "Waiver")
	if n := len(grace.body); n > 150_000 {
		t.Errorf("the words weigh %d bytes", n)
	}
	grace.get("/console/words?q=passkey").wants(http.StatusOK, "What replaces a password")
	grace.get("/console/words?q=zzz").wants(http.StatusOK, "No such word")
	grace.get("/console/words?part=gates").wants(http.StatusOK, html.EscapeString(gate.All[0].Title), " ways")
	grace.get("/console/words?part=terms").wants(http.StatusOK, "BAA-M01", "Mandatory")
	grace.get("/console/words?part=law&q=S-312-b").wants(http.StatusOK, "Audit controls")
	grace.get("/console/words?part=other").wants(http.StatusNotFound)

	hits := func(c *client, q string) (labels, links string) {
		t.Helper()
		c.get("/console/find?format=json&q=" + q)
		c.wants(http.StatusOK)
		var all []struct{ Label, Href, Help string }
		if err := json.Unmarshal([]byte(c.body), &all); err != nil {
			t.Fatalf("%v in %s", err, c.body)
		}
		for _, x := range all {
			labels += x.Label + "\n"
			links += x.Href + "\n"
		}
		return labels, links
	}
	for q, want := range map[string]string{"northw": "/console/vendors/northwind", "lin": "/console/people/lin", "triage": "/console/grants/triage-grant", "gpu": "/console/devices/northwind-gpu-1",
		"ehr": "/console/sources/ehr", "baa": "/console/words#baa", "certificate": "/console/health", "NORTHWIND-BAA": "/console/agreements/northwind-baa"} {
		if _, links := hits(grace, q); !strings.Contains(links, want+"\n") {
			t.Errorf("%q finds %q, not %s", q, links, want)
		}
	}
	if labels, _ := hits(grace, "x"); labels != "" {
		t.Errorf("one letter finds %q", labels)
	}
	grace.get("/console/find?q=northwind").wants(http.StatusOK, "Northwind AI, Inc.", "hits for")
	grace.get("/console/find?q=nothing-like-it").wants(http.StatusOK, "Nothing fits")
	grace.get("/console/find?q=%3Cscript%3Ealert(1)%3C%2Fscript%3E").wants(http.StatusOK, "&lt;script&gt;")
	if strings.Contains(grace.body, "<script>alert") {
		t.Error("what was looked for is in the page as it came")
	}
	// A vendor's person finds what is their own firm's, and pages for them.
	w.b.Act(registrytest.Ada, registry.ProposeVendor{ID: "rival", Name: "Rival Northwind Imitators"})
	w.b.Act(registrytest.Ada, registry.ProposePerson{ID: "linus", Vendor: "rival", Name: "Linus Rival", Classification: hipaa.BusinessAssociate, Basis: "engineer", Region: "US"})
	lin := w.visit(registrytest.Lin)
	for q, want := range map[string]string{"lin": "/console/my/team?q=lin\n", "northwind": "/console/my/papers?q=northwind-baa\n", "triage": "/console/my/access?q=triage-eval\n", "baa": "/console/words#baa\n",
		"rival": "", "linus": "", "ehr": "/console/words#ehr\n", "ada": "", "imitators": ""} {
		labels, links := hits(lin, q)
		if !strings.Contains(links, want) || want == "" && links != "" {
			t.Errorf("a vendor's person looks for %q and finds %q, want %q", q, links, want)
		}
		for _, link := range strings.Fields(links) {
			if !strings.HasPrefix(link, "/console/my/") && !strings.HasPrefix(link, "/console/words") && !strings.HasPrefix(link, "/portal/") && link != "/console" {
				t.Errorf("a vendor's person who looks for %q is led to %s", q, link)
			}
		}
		if strings.Contains(labels, "Rival") || strings.Contains(labels, "Example") && !strings.Contains(labels, "Lin Example") {
			t.Errorf("a vendor's person who looks for %q is shown %q", q, labels)
		}
	}
	lin.get("/console/words").wants(http.StatusOK, "Business associate agreement")
	if strings.Contains(lin.body, "/console/evidence") {
		t.Error("the words lead a vendor's person to the organisation's pages")
	}
	for _, path := range []string{"flow", "sources", "sessions", "devices", "devices/northwind-gpu-1", "apps/triage", "holds", "keys", "keys/triage-eval/statement", "health", "tour", "connectors", "workloads"} {
		lin.get("/console/"+path).wants(http.StatusNotFound, "There is no such page")
	}
	grace.get("/console/tour").wants(http.StatusOK, "A vendor wants to work with you", "/console/agreements/northwind-baa", "Nothing to show yet. Nothing was refused here yet.", "Nobody left yet", "<svg")

}

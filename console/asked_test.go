package console

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/registry"
)

// A nurse reads what was asked, and an engineer finds the code.
func TestWhatWasAskedIsSaidInWords(t *testing.T) {
	for _, c := range []struct{ action, resource, want string }{
		{"search-type", "Patient", "Search Patient"},
		{"read", "Patient", "Read one Patient"},
		{"history-instance", "Observation", "History of one Observation"},
		{"everything", "Patient", "Read everything of one Patient"},
		{"everything", "", "Read everything of one patient"},
		{"next-page", "Condition", "Next page of Condition"},
		{"export", "Group", "Export Group in bulk"},
		{"operation", "", "Run an operation"},
		{"authenticate", "", "Sign in"},
		{"of-a-later-version", "Patient", "Of a later version Patient"},
		{"", "", ""},
	} {
		if got := askedFor(c.action, c.resource); got != c.want {
			t.Errorf("askedFor(%q, %q) = %q, want %q", c.action, c.resource, got, c.want)
		}
	}
	if got, want := rightsTo(registry.RoleInteractions), "read one, read an older version, search, read everything of one patient"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := rightUnused("Patient.search-type")+"; "+rightUnused("Patient.name.family"), "Patient: search; Patient.name.family"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Every action that an entry of the log can have is said in words, and nothing else is.
func TestEveryActionHasWords(t *testing.T) {
	source, err := os.ReadFile("../audit/words.go")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(source), "func Action(")
	text, _, ok := strings.Cut(text, "return true")
	all := regexp.MustCompile(`"([a-z-]+)"`).FindAllStringSubmatch(text, -1)
	if !ok || len(all) < 20 {
		t.Fatalf("the log's actions are written in another way than this test reads: %d", len(all))
	}
	for _, m := range all {
		if x := interactions[m[1]]; x.asked == "" || x.bare == "" || x.right == "" {
			t.Errorf("%q has no words", m[1])
		}
	}
	for code := range interactions {
		if !audit.Action(code) {
			t.Errorf("%q is no action of the log", code)
		}
	}
}

package server

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/seal"
)

// Whatever a message or a table calls a person, the vault knows it as a FHIR id,
// and two names are never one.
func TestIDsThatFHIRDoesNotAllow(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	if err := seal.Create(dir, seal.KeyFile("")); err != nil {
		t.Fatal(err)
	}
	keys, err := seal.Open(dir, seal.KeyFile(""))
	if err != nil {
		t.Fatal(err)
	}
	key, err := keys.Engagement("e1")
	if err != nil {
		t.Fatal(err)
	}
	c := &Codes{key: key}
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.OneOf(rapid.String(), rapid.StringMatching(`(x\.\.|h\.\.)?[A-Za-z0-9.|/-]{1,70}`)).Draw(t, "a")
		b := rapid.StringMatching(`(x\.\.)?[A-Za-z0-9.|-]{1,20}`).Draw(t, "b")
		got := c.fhirID(a)
		if !seal.IsID(got) {
			t.Fatalf("%q becomes %q, which is no FHIR id", a, got)
		}
		if plain, ok := PlainID(got); ok && plain != a {
			t.Fatalf("%q comes back as %q", a, plain)
		} else if !ok && len(a) < 20 {
			t.Fatalf("%q does not come back", a)
		}
		if a != b && got == c.fhirID(b) {
			t.Fatalf("%q and %q are one", a, b)
		}
	})
	for _, bad := range []string{"x..-", "x..-4", "x..-zz", "h..abc"} {
		if got, ok := PlainID(bad); ok {
			t.Errorf("%q is taken for %q", bad, got)
		}
	}
}

// An engagement that is not in the registry gets no key.
func TestCodesOfNobodysEngagement(t *testing.T) {
	file, err := Init(t.Context(), Setup{Dir: filepath.Join(t.TempDir(), "box"), Organisation: "Mercy", Node: "n1", Person: "ada", PersonName: "Ada", SourceID: "ehr",
		SourceURL: "https://fhir.example.org/r4", Host: "localhost", GatewayPort: 18443, APIPort: 18444, HealthPort: 18445, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	config, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenCodes(t.Context(), config, id.Engagement("mistyped"), true); err == nil || !strings.Contains(err.Error(), "not in the registry") {
		t.Errorf("got %v", err)
	}
}

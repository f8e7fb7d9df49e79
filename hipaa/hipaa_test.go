package hipaa

import (
	"strings"
	"testing"
)

func TestTheCatalogueIsWhole(t *testing.T) {
	if got, want := len(Controls()), 276; got != want {
		t.Errorf("controls: got %d, want %d", got, want)
	}
	if got, want := len(MandatoryTerms()), 17; got != want {
		t.Errorf("mandatory terms: got %d, want %d", got, want)
	}
	if got, want := len(Terms()), 66; got != want {
		t.Errorf("terms: got %d, want %d", got, want)
	}
	if got, want := len(CertificationTypes()), 19; got != want {
		t.Errorf("certification types: got %d, want %d", got, want)
	}
	seen := map[string]bool{}
	for _, term := range Terms() {
		if seen[term.Field] {
			t.Errorf("two terms share the field %q", term.Field)
		}
		seen[term.Field] = true
		for _, c := range term.Controls {
			if _, ok := LookupControl(c); !ok {
				t.Errorf("term %s names control %q, which is not in the catalogue", term.ID, c)
			}
		}
	}
	for _, c := range Controls() {
		// Some add a remark in brackets: "secondary (bill text in part)".
		base, _, _ := strings.Cut(string(c.Verified), " (")
		switch Verified(base) {
		case RegText, StatuteText, Secondary, Recall:
		default:
			t.Errorf("control %s: verified is %q", c.ID, c.Verified)
		}
	}
	if len(DataUseAgreementFields()) == 0 {
		t.Error("no data use agreement fields")
	}
}

func TestACitationThatIsNotInTheCataloguePanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("MustCite of an unknown control did not panic")
		}
	}()
	MustCite("S-000")
}

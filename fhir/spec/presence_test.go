package spec_test

import (
	"testing"

	"github.com/sallyport/sallyport/fhir/spec"
)

func TestWhatTellsByItsPresence(t *testing.T) {
	for path, want := range map[string]bool{"deceased[x]": true, "deceasedBoolean": true, "contact.name": true, "multipleBirthInteger": true,
		"birthDate": false, "contacts": false, "name": false, "": false} {
		if got := spec.TellsByPresence("Patient", path); got != want {
			t.Errorf("Patient.%s: got %v, want %v", path, got, want)
		}
	}
	if spec.TellsByPresence("Observation", "deceased[x]") {
		t.Error("an observation has no death of its own")
	}
}

package identity

import (
	"strings"
	"testing"
)

func TestScopes(t *testing.T) {
	if (Scopes{}).Allows("Patient", "read") {
		t.Error("the zero Scopes allow something")
	}
	s, err := ParseScopes("system/Patient.rs  system/Observation.r system/Patient.rs")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := s.String(), "system/Patient.rs system/Observation.r"; got != want {
		t.Errorf("text: got %q, want %q", got, want)
	}
	for _, tc := range []struct {
		resource, interaction string
		want                  bool
	}{
		{"Patient", "read", true}, {"Patient", "search-type", true}, {"Patient", "create", false},
		{"Observation", "read", true}, {"Observation", "search-type", false}, {"Condition", "read", false}, {"", "read", false},
	} {
		if got := s.Allows(tc.resource, tc.interaction); got != tc.want {
			t.Errorf("%s %s: got %v, want %v", tc.interaction, tc.resource, got, tc.want)
		}
	}
	for _, bad := range []string{"", "  ", "openid", "patient/Patient.rs", "user/Patient.rs", "system/Patient.sr", "system/Patient.*",
		"system/Observation.rs?category=laboratory", strings.Repeat("system/Nothing.r ", 5)} {
		if s, err := ParseScopes(bad); err == nil || s.Allows("Patient", "read") {
			t.Errorf("%q was accepted", bad)
		}
	}
}

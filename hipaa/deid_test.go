package hipaa

import (
	"strings"
	"testing"
)

func TestIdentifiers(t *testing.T) {
	if got := len(SafeHarborIdentifiers()); got != 18 {
		t.Errorf("got %d identifiers of Safe Harbor, want 18", got)
	}
	if got := len(LimitedDataSetIdentifiers()); got != 16 {
		t.Errorf("got %d exclusions of a limited data set, want 16", got)
	}
	if got, want := MustCiteIdentifier("B"), "45 CFR 164.514(b)(2)(i)(B)"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := MustCiteExclusion("xvi"), "45 CFR 164.514(e)(2)(xvi)"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestZIP3 has the vectors of the regulation's data, and the sums that its
// source states.
func TestZIP3(t *testing.T) {
	for in, want := range map[string]string{
		"821": "000", "100": "100", "969": "000", "008": "000", "036": "000", "016": "016",
		"": "000", "10": "000", "1000": "000", "1a0": "000", "202": "000", "999": "999",
	} {
		if got := ZIP3(in); got != want {
			t.Errorf("ZIP3(%q): got %s, want %s", in, got, want)
		}
	}
	prefixes, people, restricted := 0, 0, 0
	for line := range strings.Lines(zip3Text) {
		if line[0] == '#' {
			continue
		}
		n, ok := ZIP3Population(line[:3])
		if !ok {
			t.Fatalf("no population for %q", line[:3])
		}
		prefixes++
		people += n
		if ZIP3(line[:3]) == "000" {
			restricted++
		}
	}
	if prefixes != 894 || people != 334_726_586 || restricted != 18 {
		t.Errorf("got %d prefixes, %d people, %d restricted; want 894, 334726586, 18", prefixes, people, restricted)
	}
}

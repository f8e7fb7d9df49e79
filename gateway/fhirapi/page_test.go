package fhirapi

import (
	"fmt"
	"slices"
	"testing"

	"github.com/sallyport/sallyport/gateway/gatewaytest"
	"github.com/sallyport/sallyport/hospital"
)

// Pages look as if the source held nothing but the cohort: every page is full
// but the last, each match is on one page, and no page is empty, wherever among
// the others' the cohort's matches stand.
func TestPagesDoNotCountTheOthers(t *testing.T) {
	p := hospital.Generate(3, 3).IDs("Patient")
	for _, pattern := range []string{
		"IOOOOOOOOOOO", "OOOOOOOOOOOI", "IOIOIOIOIOIO", "IIIOOOOOOOOO", "OOOIIIOOOOOO", "IIIIIIIIIIII", "IIIIOOOOOOOI", "OOOOOOOOOOOO", "IIOIIIOOOIIOOOOOOIIIIIOI",
	} {
		var resources []string
		inside := 0
		for i, c := range pattern {
			patient := p[1]
			if c == 'I' {
				patient = p[0]
				inside++
			}
			resources = append(resources, observation(fmt.Sprintf("o%02d", i), patient, ""))
		}
		w := gatewaytest.New(t, New("test", ""), gatewaytest.Options{Records: custom(t, resources...)})
		w.ReachOnly(p[0])
		for _, count := range []int{1, 2, 3, 5} {
			var seen []string
			pages := 0
			url := fmt.Sprintf("%s/Observation?code=99999-1&_count=%d&_include=Observation:subject", w.URL, count)
			for url != "" && pages < 40 {
				r := w.DoAs(w.Client, url)
				var matches []string
				for _, e := range entries(t, r) {
					if e != "Patient/"+w.Code(p[0]) {
						matches = append(matches, e)
					}
				}
				url = link(t, r, "next")
				pages++
				if len(matches) > count || url != "" && len(matches) != count || len(matches) == 0 && inside > 0 {
					t.Errorf("%s by %d: page %d has %d matches, next %t", pattern, count, pages, len(matches), url != "")
				}
				seen = append(seen, matches...)
			}
			if want := max(1, (inside+count-1)/count); pages != want {
				t.Errorf("%s by %d: got %d pages, want %d", pattern, count, pages, want)
			}
			slices.Sort(seen)
			if n := len(slices.Compact(seen)); n != inside || n != len(seen) {
				t.Errorf("%s by %d: got %d different matches of %d, want %d", pattern, count, n, len(seen), inside)
			}
		}
	}
}

package text_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/deid/text"
)

func scrub(t *testing.T, doc string, r *text.Record, by text.Replacer) string {
	t.Helper()
	out, _, err := engine(t).Scrub(nil, []byte(doc), r, by)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestMasks(t *testing.T) {
	out, n, err := engine(t).Scrub([]byte("> "), []byte("Patient Name: SMITH, JOSEPH P\nSSN: 123-45-6789"), nil, text.Masks{})
	if err != nil {
		t.Fatal(err)
	}
	if want := "> Patient Name: [NAME]\nSSN: [SSN]"; string(out) != want {
		t.Errorf("got %q, want %q", out, want)
	}
	if n[text.Name] != 1 || n[text.SSN] != 1 || n.Total() != 2 {
		t.Errorf("counts are %v", n)
	}
}

// The vectors of the Safe Harbor list: 45 CFR 164.514(b)(2)(i)(B) and (C).
func TestYearsOnly(t *testing.T) {
	by := text.YearsOnly{
		AsOf:     time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC),
		Populous: func(z string) bool { return z == "100" },
	}
	for in, want := range map[string]string{
		"DOB 1933-04-02 pain":                    "DOB [DATE] pain",
		"DOB: 04/02/33 pain":                     "DOB: [DATE] pain",
		"admission 2026-03-14 for pain":          "admission 2026 for pain",
		"Seen on 5/27/21 for pain":               "Seen on 2021 for pain",
		"Seen on May 4th, 2021 for pain":         "Seen on 2021 for pain",
		"He is a 89 year old with pain":          "He is a 89 year old with pain",
		"He is a 90 year old with pain":          "He is a 90+ year old with pain",
		"pain, New York, NY 10001":               "pain, [CITY], NY 100",
		"pain, Thayne, WY 82190":                 "pain, [CITY], WY 000",
		"since February 13 the pain":             "since [DATE] the pain",
		"two days after Thanksgiving 2025, pain": "two days after 2025, pain",
	} {
		if got := scrub(t, in, nil, by); got != want {
			t.Errorf("%s: got %q, want %q", in, got, want)
		}
	}
	if got := scrub(t, "admission 2026-03-14 and 10001 pain, NY 10001", nil, text.YearsOnly{}); strings.Contains(got, "2026") {
		t.Errorf("a year stood without a day to judge it by: %q", got)
	}
}

func TestSurrogates(t *testing.T) {
	r := joseph()
	key := bytes.Repeat([]byte{7}, 32)
	by := text.NewSurrogates(key, 30, r)
	for in, want := range map[string]string{
		"visit 2026-01-10, follow-up 2026-01-17, imaging 2026-02-14": "visit 2026-02-09, follow-up 2026-02-16, imaging 2026-03-16",
		"Seen on 5/27/21 for pain":                                   "Seen on 6/26/21 for pain",
		"Seen on 05/27/2021 for pain":                                "Seen on 06/26/2021 for pain",
		"Seen on May 4th, 2021 for pain":                             "Seen on June 3rd, 2021 for pain",
		"Seen on 17-NOV-2022 for pain":                               "Seen on 17-DEC-2022 for pain",
		"Seen on 3 Jan 2021 for pain":                                "Seen on 2 Feb 2021 for pain",
		"Sunday, 05/19/2007 pain":                                    "Tuesday, 06/18/2007 pain",
		"at 2026-01-10T09:30:00Z pain":                               "at 2026-02-09T09:30:00Z pain",
		"DOS: 12/27   Discharged: 1/14/24":                           "DOS: 01/26   Discharged: 2/13/24",
		"pain since the 3rd of May":                                  "pain since the 2nd of June",
		"He is 53 years old with pain and edema":                     "He is 53 years old with pain and edema",
		"She is a 98 year old with pain and edema":                   "She is a 90+ year old with pain and edema",
	} {
		if got := scrub(t, in, r, by); got != want {
			t.Errorf("%s: got %q, want %q", in, got, want)
		}
	}

	// One person has one name in every form, and a man stays a man.
	full := scrub(t, "Dr. Joseph Hartwellson", r, by)
	given, family, _ := strings.Cut(strings.TrimPrefix(full, "Dr. "), " ")
	for in, want := range map[string]string{
		"HARTWELLSON, JOSEPH":       strings.ToUpper(family + ", " + given),
		"told Joseph that":          "told " + given + " that",
		"Dr. Hartwelson said":       "Dr. " + family + " said",
		"his Hartwellson's knee":    "his " + family + "'s knee",
		"J. Hartwellson in pain":    given[:1] + ". " + family + " in pain",
		"the joseph hartwellson ok": "the " + strings.ToLower(given+" "+family) + " ok",
	} {
		if got := scrub(t, in, r, by); got != want {
			t.Errorf("%s: got %q, want %q", in, got, want)
		}
	}
	if strings.Contains(full, "Joseph") || strings.Contains(full, "Hartwell") {
		t.Errorf("a surrogate is the value: %q", full)
	}

	// Numbers keep their form, and are one with and without their marks.
	a, b := scrub(t, "call (305) 555-0114", r, by), scrub(t, "call 3055550114", r, by)
	if digits(a) != digits(b) || strings.Contains(digits(a), "3055550114") || len(a) != len("call (305) 555-0114") {
		t.Errorf("got %q and %q", a, b)
	}
	if s := scrub(t, "SSN: 933-40-1404", r, by); len(s) != 16 || s[5] != '9' || strings.Contains(s, "933-40-1404") {
		t.Errorf("an SSN became %q", s)
	}
	// Another key, other values; no key, masks.
	if scrub(t, "Dr. Joseph Hartwellson", r, text.NewSurrogates([]byte("other"), 30, r)) == full {
		t.Error("two keys gave one name")
	}
	if got := scrub(t, "Dr. Joseph Hartwellson", r, text.NewSurrogates(nil, 30, r)); got != "Dr. [NAME]" {
		t.Errorf("without a key: %q", got)
	}
}

func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}

var errCanary = errors.New("canary ZZQX")

type badReplacer struct{}

func (badReplacer) Replace(dst, value []byte, s text.Span) ([]byte, error) {
	return append(dst, value...), errCanary
}

// An error leaves nothing of the document.
func TestScrubFailsWhole(t *testing.T) {
	out, _, err := engine(t).Scrub([]byte("before"), []byte("pain; SSN: 123-45-6789"), nil, badReplacer{})
	if err == nil || string(out) != "before" {
		t.Errorf("got %q and %v", out, err)
	}
}

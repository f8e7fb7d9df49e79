package message

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func day(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }

// TestWhen: the rule for dates; the vectors of the regulation's paragraph (C).
func TestWhen(t *testing.T) {
	for _, c := range []struct {
		what, in, want string
		o              Options
	}{
		{"a day", "20260314", "2026", Options{AsOf: day(2026, 11, 23)}},
		{"a birth that shows an age over 89", "19330402", "", Options{AsOf: day(2026, 11, 23)}},
		{"a year in which 90 is possible", "19361231", "", Options{AsOf: day(2026, 11, 23)}},
		{"the year after", "19370101", "1937", Options{AsOf: day(2026, 11, 23)}},
		{"no day to judge by", "20260314", "", Options{}},
		{"a month that is none", "202613", "", Options{AsOf: day(2026, 11, 23)}},
		{"a minute with a zone", "202603141030-0500", "202603141030-0500", Options{Basis: LimitedDataSet, Dates: DatesKept}},
		{"a fraction", "20260314103000.1234+0000", "20260314103000.1234+0000", Options{Basis: LimitedDataSet, Dates: DatesKept}},
		{"words", "Ann", "", Options{Basis: LimitedDataSet, Dates: DatesKept}},
		{"a zone of words", "2026-Ann1", "", Options{Basis: LimitedDataSet, Dates: DatesKept}},
		{"over a year's end", "20260101", "20251222", Options{Basis: ExpertDetermination, Dates: DatesShifted, Shift: ten{}}},
		{"over a leap day", "20240305T", "", Options{Basis: ExpertDetermination, Dates: DatesShifted, Shift: ten{}}},
		{"a leap year", "202403051200", "202402241200", Options{Basis: ExpertDetermination, Dates: DatesShifted, Shift: ten{}}},
		{"a month cannot be shifted by days", "202403", "2024", Options{Basis: ExpertDetermination, Dates: DatesShifted, Shift: ten{}}},
	} {
		if err := c.o.Check(); err != nil {
			t.Fatal(err)
		}
		k := NewCase(&c.o, new(Manifest))
		if err := k.SetPatient("p"); err != nil {
			t.Fatal(err)
		}
		if got := string(k.When(nil, []byte(c.in))); got != c.want {
			t.Errorf("%s: %q became %q, want %q", c.what, c.in, got, c.want)
		}
	}
}

type ten struct{}

func (ten) Days(string) (int, error) { return -10, nil }

// TestIntervals: the days between two dates of a patient stay.
func TestIntervals(t *testing.T) {
	o := Options{Basis: ExpertDetermination, Dates: DatesShifted, Shift: ten{}}
	k := NewCase(&o, new(Manifest))
	if err := k.SetPatient("p"); err != nil {
		t.Fatal(err)
	}
	read := func(b []byte) time.Time {
		v, err := time.Parse("20060102", string(b))
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for n := range 800 {
		a, b := day(2023, 12, 20), day(2023, 12, 20).AddDate(0, 0, n)
		x, y := read(k.When(nil, a.AppendFormat(nil, "20060102"))), read(k.When(nil, b.AppendFormat(nil, "20060102")))
		if y.Sub(x) != b.Sub(a) {
			t.Fatalf("%d days became %v", n, y.Sub(x))
		}
	}
}

func TestZIP(t *testing.T) {
	small := func(p string) bool { return p != "821" }
	for _, c := range []struct {
		in, want string
		o        Options
	}{
		{"10001", "100", Options{ZIP3: small}},
		{"82190", "000", Options{ZIP3: small}},
		{"10001-1234", "100", Options{ZIP3: small}},
		{"100011234", "100", Options{ZIP3: small}},
		{"100", "100", Options{ZIP3: small}},
		{"000", "000", Options{ZIP3: func(string) bool { return true }}},
		{"SW1A 1AA", "000", Options{ZIP3: small}},
		{"10001", "000", Options{}},
		{"10001-1234", "10001-1234", Options{Basis: LimitedDataSet}},
		{"Ann", "000", Options{Basis: LimitedDataSet}},
		{"10001", "", Options{Basis: MinimumNecessary}},
	} {
		if got := string(NewCase(&c.o, new(Manifest)).ZIP(nil, []byte(c.in))); got != c.want {
			t.Errorf("%v: %s became %q, want %q", c.o.Basis, c.in, got, c.want)
		}
	}
}

func TestState(t *testing.T) {
	o := Options{}
	for in, want := range map[string]string{"TX": "TX", "USA": "USA", "New York": "New York", "Boston": "", "T1": "", "Suffolk": ""} {
		if got := string(NewCase(&o, new(Manifest)).State(nil, []byte(in))); got != want {
			t.Errorf("%s became %q, want %q", in, got, want)
		}
	}
}

func TestShapes(t *testing.T) {
	type check struct {
		name string
		f    func([]byte) bool
	}
	for _, c := range []struct {
		check
		yes, no string
	}{
		{check{"Token", Token}, "A M-1 10*3/uL ORU_R01 HL70001 SMITH", "900000001 900-00-0001 20240229 ann@x.org O'Neil AAAAAAAAAAAAAAAAAAAAA"},
		{check{"Bare", Bare}, "A SEL SPO ADT_A01 E11.9 LAB123 completed INPATIENT 2951-2", "SMITH JONES SMITH-JONES White 900000001"},
		{check{"Number", Number}, "1 -1 +1.5 .5 5. 1e3 1.2E-5", "- . e3 1e 1e1234 1.2.3 1,5 Ann 0x1 1_0"},
		{check{"Unit", Unit}, "mg mmol/L 10*3/uL mL/min/{1.73_m2} mm[Hg] % µg °C", "900-00-0001 " + strings.Repeat("m", 33)},
		{check{"OID", OID}, "1.2 2.16.840.1.113883.6.1", "3.1 1 1. a.b 1.2.x"},
		{check{"SystemName", SystemName}, "LN SCT L 99LAB HL70001 2.16.840.1.113883.6.1 I10", "SMITH PAT 99 HL7 MD"},
	} {
		for w := range strings.FieldsSeq(c.yes) {
			if !c.f([]byte(w)) {
				t.Errorf("%s refuses %q", c.name, w)
			}
		}
		for w := range strings.FieldsSeq(c.no) {
			if c.f([]byte(w)) {
				t.Errorf("%s accepts %q", c.name, w)
			}
		}
	}
	for _, yes := range []string{"Positive", "Within normal limits", "1:40", "<5 mg/dL", "4.0 - 11.0", "No growth to date", "3+", "5-10 /hpf"} {
		if !Result([]byte(yes)) {
			t.Errorf("%q is no result", yes)
		}
	}
	for _, no := range []string{"", "Ann", "Positive for Ann", "Brown", "617-555-1234", "10:30", "2024-01-02", "01/02/2024", "1 2 3", "900000001", "see Dr. Jones", "MRN 123"} {
		if Result([]byte(no)) {
			t.Errorf("%q is a result", no)
		}
	}
}

func TestPublicSystems(t *testing.T) {
	for _, c := range []struct {
		system, yes, no string
	}{
		{"LN", "2951-2 LA6576-8 LP14328-4", "2951 ANN 2951-22"},
		{"2.16.840.1.113883.6.96", "112283007", "ANN 12345"},
		{"I10", "E11.9 E119 S72.001A I10", "ANN E11. 11.9"},
		{"I9", "786.50 V45.81 E849.0", "ANN"},
		{"C4", "99213 0001F 1234T", "ANN 123456"},
		{"NDC", "00071015523 0071-0155-23", "ANN 123"},
		{"RXNORM", "314076", "ANN"},
		{"CVX", "08 140", "ANN-SMITH"},
		{"UCUM", "mg/dL", "ANN SMITH"},
		{"urn:oid:2.16.840.1.113883.6.1", "2951-2", "ANN"},
	} {
		s, ok := Public(c.system)
		if !ok {
			t.Errorf("%s is not known", c.system)
		}
		for w := range strings.FieldsSeq(c.yes) {
			if !s.Fits([]byte(w)) {
				t.Errorf("%s has no %s", c.system, w)
			}
		}
		for w := range strings.FieldsSeq(c.no) {
			if c.system != "UCUM" && s.Fits([]byte(w)) {
				t.Errorf("%s has %s", c.system, w)
			}
		}
	}
	if _, ok := Public("Ann"); ok {
		t.Error("Ann is a code system")
	}
}

func TestAge(t *testing.T) {
	o := Options{}
	for in, want := range map[string]string{"89": "89", "89.9": "89.9", "90": "90", "93": "90", "104": "90", "0093": "90", "9e1": "90", "5": "5"} {
		if got := string(NewCase(&o, new(Manifest)).Age(nil, []byte(in))); got != want {
			t.Errorf("%s became %s, want %s", in, got, want)
		}
	}
	keep := Options{Basis: LimitedDataSet}
	if got := string(NewCase(&keep, new(Manifest)).Age(nil, []byte("93"))); got != "93" {
		t.Errorf("a limited data set may have ages: got %s", got)
	}
}

// TestCodesAreChecked: a source of codes that gives something else is a defect,
// and stops the release.
func TestCodesAreChecked(t *testing.T) {
	for _, bad := range []string{"", "a b", "a|b", strings.Repeat("a", 65)} {
		o := Options{Codes: fixed(bad)}
		if _, err := NewCase(&o, new(Manifest)).ID(nil, "CX", "H", "M1"); err == nil {
			t.Errorf("the code %q is taken", bad)
		}
	}
}

type fixed string

func (f fixed) Code(string) (string, error) { return string(f), nil }

type broken struct{}

func (broken) Scrubber(Facts) (Scrubber, error)    { return broken{}, nil }
func (broken) Scrub(dst, _ []byte) ([]byte, error) { return dst, errors.New("down") }

// TestScrubberFails: text that cannot be scrubbed stops the release.
func TestScrubberFails(t *testing.T) {
	o := Options{Text: broken{}}
	c := NewCase(&o, new(Manifest))
	if err := c.Learn(Facts{}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Free(nil, []byte("Ann")); err == nil || strings.Contains(err.Error(), "Ann") {
		t.Errorf("got %v", err)
	}
}

// TestFactsDoNotPrint: in no verb.
func TestFactsDoNotPrint(t *testing.T) {
	f := Facts{People: []Person{{Family: "CANARY"}}, IDs: []string{"CANARY"}}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		if s := fmt.Sprintf(verb+verb, f, &f); strings.Contains(s, "CANARY") || strings.Contains(s, "43414e") {
			t.Errorf("%s prints %s", verb, s)
		}
	}
}

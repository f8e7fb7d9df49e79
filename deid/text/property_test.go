package text_test

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/sallyport/sallyport/deid/text"
)

// check is what holds of every answer to every text.
func check(t interface{ Fatalf(string, ...any) }, e *text.Engine, doc []byte, r *text.Record) {
	spans, err := e.Find(nil, doc, r)
	if err != nil {
		t.Fatalf("an error for a text")
	}
	at := 0
	for _, s := range spans {
		if s.Start < at || s.End <= s.Start || s.End > len(doc) {
			t.Fatalf("span %d-%d of %d is out of order or range", s.Start, s.End, len(doc))
		}
		if valid := utf8.Valid(doc); valid && (!utf8.RuneStart(doc[s.Start]) || s.End < len(doc) && !utf8.RuneStart(doc[s.End])) {
			t.Fatalf("span %d-%d cuts a rune", s.Start, s.End)
		}
		if s.Category == text.Unknown || s.Reason == text.NoReason || s.Confidence <= 0 || s.Confidence > 1 {
			t.Fatalf("span %d-%d has category %v, reason %v, confidence %v", s.Start, s.End, s.Category, s.Reason, s.Confidence)
		}
		at = s.End
	}
	again, err := e.Find(nil, doc, r)
	if err != nil || !slices.Equal(spans, again) {
		t.Fatalf("the same text gave another answer")
	}
}

// words that rules trip over, to be put together at random.
var pieces = []string{
	"Dr.", "Mr", "Patient", "Name:", "SMITH,", "JOSEPH", "P", "O'Brien", "van der", "Velde", "St.", "Mary's", "Hospital", "of", "May", "4th,", "2021",
	"5/27/21", "9/27", "120/80", "(305)", "555-0114", "123-45-6789", "1-305", "MRN", "#", ":", "=", "-", ",", ".", "'s", "MR-13366-A", "4111 1111 1111 1111",
	"@", "a@b.org", "https://x.org/a", "::1", "2001:db8::1", "Apt.", "8C", "Street", "12", "Folkston", "DE", "79207", "the", "in", "lives", "works", "at",
	"患者", "王芳", "2026年3月14日", "é", "\u200b", "\u0301", "\xff", "\n", "\n\n", "\t", "   ", "not", "fictional", "invalid", "98", "year", "old", "Unit", "Box",
	"JPH", "J.P.H.", "Hartwelson", "will", "1404", "***-**-",
}

func TestProperties(t *testing.T) {
	e := engine(t)
	r := joseph()
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 30).Draw(t, "parts")
		doc := []byte(strings.Join(parts, rapid.SampledFrom([]string{"", " "}).Draw(t, "sep")))
		check(t, e, doc, nil)
		check(t, e, doc, r)
	})
}

// Whatever stands around it, no value of the record comes through.
func TestRecordValuesNeverComeThrough(t *testing.T) {
	e := engine(t)
	values := []string{"MR-13366-A", "933-40-1404", "0061290367", "(305) 555-0114", "j.hart@example.org", "8285 Babcock Ave #243", "Hartwellson", "HARTWELLSON, JOSEPH P", "11/26/1990", "79207-1234"}
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.SampledFrom(values).Draw(t, "value")
		before := strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 8).Draw(t, "before"), " ")
		after := strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 8).Draw(t, "after"), " ")
		out, _, err := e.Scrub(nil, []byte(before+" "+v+" "+after), joseph(), text.Masks{})
		if err != nil {
			t.Fatalf("an error for a text")
		}
		if bytes.Contains(out, []byte(v)) {
			t.Fatalf("a value of the record came through")
		}
	})
}

// One engine and one record serve many goroutines.
func TestConcurrentUse(t *testing.T) {
	e, r := engine(t), joseph()
	doc := []byte(strings.Join(pieces, " "))
	want, err := e.Find(nil, doc, r)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				if got, err := e.Find(nil, doc, r); err != nil || !slices.Equal(got, want) {
					t.Error("another goroutine got another answer")
					return
				}
			}
		})
	}
	wg.Wait()
}

func FuzzFind(f *testing.F) {
	for _, p := range pieces {
		f.Add([]byte(p))
	}
	f.Add([]byte(strings.Join(pieces, " ")))
	f.Add([]byte(strings.Join(pieces, "")))
	e, err := text.New(text.Options{})
	if err != nil {
		f.Fatal(err)
	}
	r := joseph()
	by := text.NewSurrogates([]byte("key"), -40, r)
	f.Fuzz(func(t *testing.T, doc []byte) {
		if len(doc) > 1<<16 {
			t.Skip()
		}
		check(t, e, doc, nil)
		check(t, e, doc, r)
		if _, _, err := e.Scrub(nil, doc, r, by); err != nil {
			t.Fatal("an error for a text")
		}
	})
}

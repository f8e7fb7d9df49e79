package text_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/deid/text"
	"github.com/sallyport/sallyport/deid/text/score"
	"github.com/sallyport/sallyport/internal/need"
)

// notes is the text of the sample notes, one after the other.
func notes(b *testing.B) [][]byte {
	raw, err := os.ReadFile(need.DataFile(b, "mts-inject-dev/notes.jsonl"))
	if err != nil {
		b.Fatal(err)
	}
	docs, err := score.Read(raw)
	if err != nil {
		b.Fatal(err)
	}
	var out [][]byte
	for _, d := range docs {
		out = append(out, d.Text)
	}
	return out
}

// sixPatterns are what a scrubber made of regular expressions has at the least:
// date, telephone, SSN, e-mail, titled name, record number.
var sixPatterns = []*regexp.Regexp{
	regexp.MustCompile(`\b\d{1,2}[/-]\d{1,2}[/-]\d{2,4}\b`),
	regexp.MustCompile(`\(?\d{3}\)?[ .-]?\d{3}[ .-]\d{4}\b`),
	regexp.MustCompile(`\b\d{3}-\d{2}-\d{4}\b`),
	regexp.MustCompile(`\b[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}\b`),
	regexp.MustCompile(`\b(?:Dr|Mr|Mrs|Ms)\.? [A-Z][a-z]+(?: [A-Z][a-z]+)?`),
	regexp.MustCompile(`(?i)\b(?:MRN|medical record|account)(?: number| no\.?)?[ :#]*[A-Z0-9-]{5,}`),
}

// BenchmarkNotes compares the engine with Go's regexp and six patterns on the same
// notes in the same run; "times-regexp" is how many times as fast it is.
func BenchmarkNotes(b *testing.B) { compare(b, notes(b), nil) }

func compare(b *testing.B, docs [][]byte, r *text.Record) {
	size := 0
	for _, d := range docs {
		size += len(d)
	}
	peer := time.Duration(1<<63 - 1)
	for range 5 {
		start := time.Now()
		for _, d := range docs {
			for _, re := range sixPatterns {
				re.FindAllIndex(d, -1)
			}
		}
		peer = min(peer, time.Since(start))
	}
	e, err := text.New(text.Options{})
	if err != nil {
		b.Fatal(err)
	}
	var spans []text.Span
	b.SetBytes(int64(size))
	b.ReportAllocs()
	mine := time.Duration(1<<63 - 1) // the best pass of each, so that a busy machine harms neither
	for b.Loop() {
		start := time.Now()
		for _, d := range docs {
			if spans, err = e.Find(spans[:0], d, r); err != nil {
				b.Fatal(err)
			}
		}
		mine = min(mine, time.Since(start))
	}
	b.ReportMetric(float64(peer)/float64(mine), "times-regexp")
	b.ReportMetric(float64(size)/mine.Seconds()/1e6, "best-MB/s")
	b.ReportMetric(float64(size)/peer.Seconds()/1e6, "regexp-MB/s")
}

// BenchmarkNotesWithRecord is BenchmarkNotes with a record of nine people, an address and
// their numbers, as the gateway has one.
func BenchmarkNotesWithRecord(b *testing.B) {
	docs := notes(b)
	r := joseph()
	for _, n := range []string{"Margaret Vanderhoof", "Luis Castellanos", "Priya Raghunathan", "Thomas Okonkwo", "Ellen Frost", "Dale Whitcomb"} {
		given, family, _ := strings.Cut(n, " ")
		r.Name(text.Practitioner, []string{given}, family, text.AnyGender)
	}
	compare(b, docs, r)
}

// BenchmarkPrompt scrubs a prompt of 2 kB and reports the 99th percentile.
func BenchmarkPrompt(b *testing.B) {
	doc := []byte(strings.ToValidUTF8(string(slices.Concat(notes(b)...)[:2048]), ""))
	e, err := text.New(text.Options{})
	if err != nil {
		b.Fatal(err)
	}
	r := text.NewRecord()
	r.Name(text.Patient, []string{"Joseph", "P"}, "Smith", text.Male)
	r.ID(text.MRN, "0999366")
	r.Phone("(305)555-0114")
	r.Date(1990, 11, 26)
	var out []byte
	times := make([]time.Duration, 0, 1<<20)
	b.ReportAllocs()
	for b.Loop() {
		start := time.Now()
		if out, _, err = e.Scrub(out[:0], doc, r, text.Masks{}); err != nil {
			b.Fatal(err)
		}
		if len(times) < cap(times) {
			times = append(times, time.Since(start))
		}
	}
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)*99/100].Microseconds()), "p99-us")
}

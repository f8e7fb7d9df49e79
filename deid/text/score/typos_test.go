package score_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/deid/internal/lexicon"
	"github.com/sallyport/sallyport/deid/text"
)

// edits are all words that are one typing error away from w: a letter wrong, left
// out, put in, or two neighbours changed round. A capital at the start stays one.
func edits(w string) []string {
	seen := map[string]bool{w: true}
	var out []string
	add := func(s string) {
		s = strings.ToUpper(s[:1]) + strings.ToLower(s[1:])
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	for i := range len(w) {
		add(w[:i] + w[i+1:])
		for c := 'a'; c <= 'z'; c++ {
			add(w[:i] + string(c) + w[i+1:])
			add(w[:i] + string(c) + w[i:])
			add(w + string(c))
		}
		if i+1 < len(w) {
			add(w[:i] + w[i+1:i+2] + w[i:i+1] + w[i+2:])
		}
	}
	return out
}

// A place of a name in a sentence; {} is the name with the error, FULL the whole
// name that holds it.
type place struct {
	text  string
	least float64 // of the errors in names of five letters and more must be found
	four  float64 // of those in names of four
}

// Beside another name of the record and where a name stands, every error of every
// name is found. Elsewhere one that makes a plain word may pass, and in small
// letters one that leaves few letters; the floors say how many.
var places = []place{
	{"The surgery of FULL was done without haste.", 1, 1},
	{"Then LAST, FIRST had hypertension.", 1, 1},
	{"Then UPPER had hypertension.", 1, 1},
	{"Then Mr. {} had hypertension.", 1, 1},
	{"Seen.\nPatient: {}\nHypertension: yes.", 1, 1},
	{"The hypertension of {}'s knee got worse.", 1, 1},
	{"The hypertension of lower got worse.", .998, .95},
	{"then the hypertension of lower got worse.", .998, .97},
	{"We told {} that the hypertension is normal.", .995, .97},
	{"{} had hypertension after surgery.", .99, .90},
	{"The swelling near small got worse.", .98, 0},
}

type known struct {
	given, family string
	record        *text.Record
}

// people are the patients of the notes, and 150 of frequent names that no note has
// been looked at for.
func people(t *testing.T) []known {
	var out []known
	for _, d := range read(t, "mts-inject-dev/notes.jsonl") {
		r := recordOf(t, d.Patient)
		for _, n := range patientOf(t, d.Patient).Name {
			out = append(out, known{n.Given[0], n.Family, r})
		}
	}
	title := func(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
	lists := lexicon.Load()
	given := slices.Concat(lists.Women, lists.Men)
	for i := range 150 {
		p := known{title(given[i*7%len(given)]), title(lists.Surnames[i*13%len(lists.Surnames)]), text.NewRecord()}
		p.record.Name(text.Patient, []string{p.given}, p.family, text.AnyGender)
		out = append(out, p)
	}
	return out
}

// Every typing error in every name of four letters and more, each in one place of
// its kind by turns.
func TestTyposOfEveryName(t *testing.T) {
	e, err := text.New(text.Options{})
	if err != nil {
		t.Fatal(err)
	}
	type count struct{ total, missed int }
	counts := make([][2]count, len(places))
	turn := 0
	for _, n := range people(t) {
		for k, w := range []string{n.given, n.family} {
			if len(w) < 4 || strings.Trim(strings.ToLower(w), "abcdefghijklmnopqrstuvwxyz") != "" {
				continue
			}
			for _, v := range edits(w) {
				turn++
				i := turn % len(places)
				first, last := n.given, v
				if k == 0 {
					first, last = v, n.family
				}
				doc := strings.NewReplacer("{}", v, "FULL", first+" "+last, "LAST, FIRST", last+", "+first, "UPPER", strings.ToUpper(last+", "+first),
					"lower", strings.ToLower(first+" "+last), "small", strings.ToLower(v)).Replace(places[i].text)
				out, _, err := e.Scrub(nil, []byte(doc), n.record, text.Masks{})
				if err != nil {
					t.Fatal(err)
				}
				c := &counts[i][1]
				if len(w) == 4 {
					c = &counts[i][0]
				}
				c.total++
				if hasWord(string(out), v) {
					c.missed++
					if places[i].least == 1 {
						t.Errorf("an error of %q is not found: %q", w, doc)
					}
				}
			}
		}
	}
	for i, p := range places {
		for j, least := range []float64{p.four, p.least} {
			c := counts[i][j]
			got := 1 - float64(c.missed)/float64(c.total)
			t.Logf("%-45q %s: %5d of %5d missed, %.4f found", p.text, [...]string{"four letters", "five or more"}[j], c.missed, c.total, got)
			if got < least {
				t.Errorf("%q: %.4f of the typing errors are found, want %.3f", p.text, got, least)
			}
		}
	}
}

// hasWord: w stands in s as a word, in any case.
func hasWord(s, w string) bool {
	for _, x := range strings.FieldsFunc(s, func(r rune) bool { return r|0x20 < 'a' || r|0x20 > 'z' }) {
		if strings.EqualFold(x, w) {
			return true
		}
	}
	return false
}

// What the search for typing errors costs: notes are read with the records of other
// patients. Nothing more should be masked than without a record, but what these
// have in common by chance.
func TestRecordsOfOthers(t *testing.T) {
	e, err := text.New(text.Options{})
	if err != nil {
		t.Fatal(err)
	}
	docs := read(t, "mts-inject-dev/notes.jsonl")
	var records []*text.Record
	for _, d := range docs {
		records = append(records, recordOf(t, d.Patient))
	}
	size, more := 0, 0
	for i, d := range docs {
		find := func(r *text.Record) []text.Span {
			s, err := e.Find(nil, d.Text, r)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		masked := make([]bool, len(d.Text))
		for _, s := range find(nil) {
			for j := s.Start; j < s.End; j++ {
				masked[j] = true
			}
		}
		for k := 1; k < len(docs); k += 8 {
			size += len(d.Text)
			for _, s := range find(records[(i+k)%len(docs)]) {
				for j := s.Start; j < s.End; j++ {
					if !masked[j] {
						more++
					}
				}
			}
		}
	}
	t.Logf("%d of %d bytes more are masked", more, size)
	if more*50_000 > size {
		t.Errorf("%d of %d bytes are masked for the record of another patient, want one in 50,000 at most", more, size)
	}
}

// Typing errors in the addresses, cities and numbers of every record, in a
// sentence that gives no other hint: a letter of an address or a city of five
// letters and more, two digits of a number of seven and more.
func TestTyposOfPlacesAndNumbers(t *testing.T) {
	e, err := text.New(text.Options{})
	if err != nil {
		t.Fatal(err)
	}
	total, missed := map[string]int{}, map[string]int{}
	turn := 0
	for _, d := range read(t, "mts-inject-dev/notes.jsonl") {
		r := recordOf(t, d.Patient)
		try := func(what, v string) {
			const before = "the pain near "
			doc := before + v + " got worse after surgery."
			spans, err := e.Find(nil, []byte(doc), r)
			if err != nil {
				t.Fatal(err)
			}
			total[what]++
			for _, s := range spans {
				if s.Start <= len(before) && s.End >= len(before+v) {
					return
				}
			}
			missed[what]++
			t.Errorf("%s: %q is not masked whole", what, doc)
		}
		p := patientOf(t, d.Patient)
		for _, a := range p.Address {
			for _, l := range a.Line {
				for i := range len(l) {
					if c := l[i] | 0x20; c < 'a' || c > 'z' {
						continue
					}
					turn++
					c := string(rune('a' + turn%26))
					try("address", l[:i]+l[i+1:])
					try("address", l[:i]+c+l[i+1:])
					try("address", l[:i]+c+l[i:])
					if i+1 < len(l) && l[i+1] != ' ' {
						try("address", l[:i]+l[i+1:i+2]+l[i:i+1]+l[i+2:])
					}
				}
			}
			if len(a.City) >= 6 && strings.Trim(strings.ToLower(a.City), "abcdefghijklmnopqrstuvwxyz") == "" {
				for _, v := range edits(a.City) {
					try("city", v)
				}
			}
		}
		numbers := []string{}
		for _, i := range p.Identifier {
			numbers = append(numbers, i.Value)
		}
		for _, x := range p.Telecom {
			if x.System == "phone" {
				numbers = append(numbers, x.Value)
			}
		}
		for _, v := range numbers {
			if len(strings.Map(digits, v)) < 7 {
				continue
			}
			for i := 1; i < len(v); i++ {
				if a, b := v[i-1], v[i]; a != b && digits(rune(a)) >= 0 && digits(rune(b)) >= 0 {
					try("number", v[:i-1]+string([]byte{b, a})+v[i+1:])
				}
			}
		}
	}
	for _, what := range []string{"address", "city", "number"} {
		t.Logf("%-8s %4d of %5d missed", what, missed[what], total[what])
	}
}

// digits keeps a digit.
func digits(r rune) rune {
	if r >= '0' && r <= '9' {
		return r
	}
	return -1
}

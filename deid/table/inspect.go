package table

import (
	"bytes"
	"fmt"
	"io"
	"slices"

	"github.com/sallyport/sallyport/deid/table/csv"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/problem"
)

// Reason is why a column is taken to hold something. The list is closed.
type Reason string

// The reasons.
const (
	HeaderWords  Reason = "header-words"  // its name says so
	ValueForms   Reason = "value-forms"   // its values have the form: an SSN, an e-mail address, a date
	KnownNames   Reason = "known-names"   // its values hold frequent given names
	UniqueValues Reason = "unique-values" // nearly every row has its own, and it is no measurement
	WrittenText  Reason = "written-text"  // its values are prose
)

// Evidence is one reason, with the share of the sampled values that gave it.
type Evidence struct {
	Kind   Kind    `json:"kind"`
	Reason Reason  `json:"reason"`
	Share  float64 `json:"share,omitempty"`
}

// Finding is what is known of a column. It holds its name, as the header has
// it, and no value.
type Finding struct {
	Column   int        `json:"column"` // from 1
	Name     string     `json:"name"`
	Evidence []Evidence `json:"evidence,omitempty"` // the strongest first: the name, then the values
	Sampled  int        `json:"sampled"`            // values that were not empty
	Distinct int        `json:"distinct"`
	Numbers  float64    `json:"numbers"` // share of the values that are numbers
}

// Kind is what the column most probably holds.
func (f Finding) Kind() Kind {
	if len(f.Evidence) == 0 {
		return UnknownKind
	}
	return f.Evidence[0].Kind
}

// The sample that is looked at before anything leaves.
const (
	sampleRows  = 2000
	sampleBytes = 4 << 20
)

// Shares from which values are evidence. A form that nothing but an identifier
// has needs few; one that a measurement may have needs nearly all.
const (
	shareOfForm  = 0.02
	shareOfDates = 0.2
	shareOfNames = 0.3
	shareOfText  = 0.2
	shareOfZIPs  = 0.95
	shareUnique  = 0.95
	enoughValues = 20
)

// sampled is a column of the sample: counts, no values but the distinct ones,
// which live as long as the sample does.
type sampled struct {
	n, names, text, numbers, five, long, mixed int
	forms                                      map[Kind]int
	distinct                                   map[string]struct{}
}

func (s *sampled) add(v []byte) {
	v = bytes.TrimSpace(v)
	if len(v) == 0 {
		return
	}
	s.n++
	if s.forms == nil {
		s.forms, s.distinct = map[Kind]int{}, map[string]struct{}{}
	}
	s.distinct[string(v)] = struct{}{}
	if k := holds(v); k != UnknownKind {
		s.forms[k]++
	}
	if looksNamed(v) {
		s.names++
	}
	if looksWritten(v) {
		s.text++
	}
	_, number := parseDecimal(v)
	switch {
	case number:
		s.numbers++
		if bytes.IndexByte(v, '.') < 0 && len(v) >= 6 {
			s.long++
		}
		if len(v) == 5 && digits(v) {
			s.five++
		}
	case len(v) >= 5 && bytes.IndexByte(v, ' ') < 0 && bytes.ContainsAny(v, "0123456789"):
		s.mixed++
	}
}

// judge is the finding of a column with the name and the sample.
func (s *sampled) judge(column int, name string) Finding {
	f := Finding{Column: column, Name: name, Sampled: s.n, Distinct: len(s.distinct)}
	if k := KindOf(name); k != UnknownKind {
		f.Evidence = append(f.Evidence, Evidence{Kind: k, Reason: HeaderWords})
	}
	if s.n == 0 {
		return f
	}
	n := float64(s.n)
	f.Numbers = float64(s.numbers) / n
	unique := float64(len(s.distinct)) / n
	for _, k := range Kinds { // in order, so that the answer is the same again
		share := float64(s.forms[k]) / n
		least := shareOfForm
		if k == Date {
			least = shareOfDates
		}
		if s.forms[k] > 0 && share >= least {
			f.Evidence = append(f.Evidence, Evidence{k, ValueForms, share})
		}
	}
	if share := float64(s.names) / n; share >= shareOfNames && s.names >= 3 {
		f.Evidence = append(f.Evidence, Evidence{Name, KnownNames, share})
	}
	if share := float64(s.text) / n; share >= shareOfText {
		f.Evidence = append(f.Evidence, Evidence{FreeText, WrittenText, share})
	}
	if s.n < enoughValues {
		return f
	}
	if share := float64(s.five) / n; share >= shareOfZIPs && len(f.Evidence) == 0 && !measured(name) {
		f.Evidence = append(f.Evidence, Evidence{ZIP, ValueForms, share})
	}
	formed := slices.ContainsFunc(f.Evidence, func(e Evidence) bool { return e.Reason == ValueForms && e.Share >= 0.5 })
	if share := float64(s.long+s.mixed) / n; share >= shareUnique && unique >= shareUnique && !formed && !measured(name) {
		f.Evidence = append(f.Evidence, Evidence{OtherID, UniqueValues, unique})
	}
	return f
}

// measured says whether a name is that of a code or a measurement, whose values
// may look like ZIP codes or be each their own.
func measured(name string) bool {
	for _, w := range splitWords(name) {
		if slices.Contains([]string{"code", "procedure", "test", "lab", "cpt", "hcpcs", "icd", "loinc", "snomed", "ndc", "drg", "amount", "charge", "charges", "cost", "price", "value", "result", "weight", "count", "total", "income", "score", "dose", "rate", "level"}, w) {
			return true
		}
	}
	return false
}

// strongest orders evidence so that one of values that are an identifier by
// their form stands before a weaker name.
func (f *Finding) sort() {
	slices.SortStableFunc(f.Evidence, func(a, b Evidence) int { return rank(a) - rank(b) })
}

func rank(e Evidence) int {
	switch {
	case e.Reason == HeaderWords && e.Kind != State:
		return 0
	case e.Reason == ValueForms && e.Share >= 0.5:
		return 1
	case e.Reason == KnownNames:
		return 2
	case e.Reason == WrittenText:
		return 3
	case e.Reason == HeaderWords:
		return 4
	}
	return 5
}

// Inspect reads up to 2,000 rows of a CSV file and says what each column
// probably holds. A first row that looks like data is refused: its values would
// be taken for names of columns, and shown.
func Inspect(src io.Reader, comma byte) ([]Finding, error) {
	if comma == 0 {
		comma = ','
	}
	r := csv.NewReader(src, comma)
	names, err := r.Header()
	if err != nil {
		return nil, err
	}
	if err := headed(names); err != nil {
		return nil, err
	}
	cols := make([]sampled, len(names))
	size := 0
	for range sampleRows {
		row, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		for i, v := range row {
			cols[i].add(v)
			size += len(v)
		}
		if size > sampleBytes {
			break
		}
	}
	findings := make([]Finding, len(names))
	for i := range cols {
		findings[i] = cols[i].judge(i+1, names[i])
		findings[i].sort()
	}
	return findings, nil
}

// headed refuses a first row that is a record.
func headed(names []string) error {
	for i, name := range names {
		v := []byte(name)
		_, number := parseDecimal(bytes.TrimSpace(v))
		year := len(name) == 4 && atoi(v) >= minYear && atoi(v) <= maxYear // a wide table has years for names
		person := looksNamed(v) && bytes.ContainsAny(v, " ,") && KindOf(name) == UnknownKind
		if (number && !year) || holds(v) != UnknownKind || len(v) > 128 || person {
			return problem.BadField(fmt.Sprintf("row 1, column %d", i+1), "looks like data, not like the name of a column", "Give a file whose first row names the columns")
		}
	}
	return nil
}

// Propose writes rules for what was found, for a person to read and change. It
// keeps little: numbers, and columns of few values that nothing speaks against.
// Everything else is removed, or changed as the basis has it.
func Propose(findings []Finding, basis Basis, asOf Day) *Rules {
	r := &Rules{Version: 1, Basis: basis, AsOf: asOf}
	for _, f := range findings {
		c := Column{Name: f.Name, Method: Remove, Kind: f.Kind()}
		for _, m := range wishes(f) {
			if m == Year && asOf.IsZero() {
				continue
			}
			ok := true
			for _, e := range f.Evidence {
				_, may := basis.ruling(e.Kind, m, nil)
				ok = ok && may
			}
			if _, may := basis.ruling(KindOf(f.Name), m, nil); ok && may {
				c.Method = m
				break
			}
		}
		if c.Method == KeepIfShape {
			c.Shape = ShapeDecimal
		}
		r.Columns = append(r.Columns, c)
	}
	return r
}

// wishes is what one would do with a column, the best first.
func wishes(f Finding) []Method {
	switch f.Kind() {
	case Date, BirthDate:
		return []Method{Year}
	case Age:
		return []Method{AgeCap}
	case ZIP:
		return []Method{ZIP3}
	case State:
		return []Method{Keep}
	case MRN, OtherID:
		return []Method{Code}
	case UnknownKind:
		if f.Numbers > 0.9 {
			return []Method{KeepIfShape}
		}
		if f.Sampled >= enoughValues && f.Distinct <= max(12, f.Sampled/20) {
			return []Method{Keep}
		}
	}
	return nil
}

// veto holds what the sample says against the rules. A rule that keeps what
// its values are stops the release before anything has left.
func (r *Rules) veto(f Finding, c *Column) error {
	for _, e := range f.Evidence {
		cited, ok := r.Basis.ruling(e.Kind, c.Method, c.Top)
		if ok || guarded(c.Method) {
			continue
		}
		p := unlawful(fmt.Sprintf("column %d (%s)", f.Column, c.Name), r.Basis, e.Kind, c.Method, cited)
		p.Reasons = []problem.Reason{{
			Gate: "values", Message: fmt.Sprintf("%s: %.0f %% of %d sampled values", e.Reason, 100*e.Share, f.Sampled),
			NextStep: p.NextStep, Who: "organisation", Citation: cited, Verified: string(hipaa.RegText),
		}}
		if e.Reason == HeaderWords {
			p.Reasons = nil
		}
		return p
	}
	return nil
}

// guarded says whether a method lets nothing through but what it can vouch for,
// whatever stands in the column: a year, a prefix, a label, a code at random.
func guarded(m Method) bool {
	switch m {
	case Remove, Year, AgeCap, ZIP3, Generalise, Map, Code, Scrub:
		return true
	}
	return false
}

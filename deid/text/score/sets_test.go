package score_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/deid/text"
	"github.com/sallyport/sallyport/deid/text/score"
	"github.com/sallyport/sallyport/internal/need"
)

func read(t testing.TB, name string) []score.Doc {
	t.Helper()
	b, err := os.ReadFile(need.DataFile(t, name))
	if err != nil {
		t.Fatal(err)
	}
	docs, err := score.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	if len(docs) == 0 {
		t.Fatalf("%s holds no labelled text", name)
	}
	return docs
}

func finder(t testing.TB, record bool) score.Finder {
	t.Helper()
	e, err := text.New(text.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return func(d score.Doc) ([]text.Span, error) {
		var r *text.Record
		if record {
			r = recordOf(t, d.Patient)
		}
		return e.Find(nil, d.Text, r)
	}
}

func evaluate(t testing.TB, docs []score.Doc, record bool) score.Result {
	t.Helper()
	r, err := score.Evaluate(docs, finder(t, record), nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func atLeast(t *testing.T, what string, got score.Rate, want float64) {
	t.Helper()
	if got.Value() < want {
		t.Errorf("%s is %.4f (%d of %d, %.4f to %.4f), want at least %.3f", what, got.Value(), got.Hits, got.Of, got.Low, got.High, want)
	}
}

// The sentences of presidio-research: any type. Its own defaults reach a
// precision of .685, a recall of .603 and an F2 of .618.
func TestPresidioSentences(t *testing.T) {
	r := evaluate(t, read(t, "presidio-research/synth_dataset_v2.json"), false)
	t.Logf("spans: precision %.4f, touched %.4f, F2 %.4f, masked whole %.4f; words: precision %.4f, recall %.4f; bytes: precision %.4f, recall %.4f",
		r.Precision.Value(), r.Touched.Value(), r.F2(), r.Masked.Value(), r.WordsGood.Value(), r.Words.Value(), r.Bytes.Value(), r.ByteFound.Value())
	atLeast(t, "precision by spans", r.Precision, .80)
	atLeast(t, "recall by spans", r.Touched, .80)
	atLeast(t, "precision by words", r.WordsGood, .80)
	atLeast(t, "recall by words", r.Words, .80)
	if r.F2() < .80 {
		t.Errorf("F2 is %.4f, want at least .80", r.F2())
	}
}

// The clinical notes without and with the patient's record.
func TestClinicalNotes(t *testing.T) {
	docs := read(t, "mts-inject-dev/notes.jsonl")
	r := evaluate(t, docs, false)
	t.Logf("without the record: masked whole %.4f, bytes: precision %.4f", r.Masked.Value(), r.Bytes.Value())
	atLeast(t, "spans masked whole", r.Masked, .97)
	atLeast(t, "precision by bytes", r.Bytes, .93)
	floors := map[string]float64{"NAME": .96, "DATE": .995, "HOSPITAL": .95, "CITY": .95}
	for _, l := range []string{"SSN", "MRN", "ACCOUNT", "PHONE", "PLAN_ID", "LICENSE", "DEVICE", "ID", "EMAIL", "URL", "AGE90"} {
		floors[l] = .998
	}
	for _, row := range r.Rows {
		t.Logf("%-10s %.4f of %d", row.Label, row.Masked.Value(), row.Masked.Of)
		atLeast(t, row.Label, row.Masked, floors[row.Label])
	}
	r = evaluate(t, docs, true)
	t.Logf("with the record: masked whole %.4f, bytes: precision %.4f", r.Masked.Value(), r.Bytes.Value())
	atLeast(t, "spans masked whole with the record", r.Masked, .985)
}

// With the record none of its values is left in a scrubbed note.
func TestNoValueOfTheRecordIsLeft(t *testing.T) {
	e, err := text.New(text.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range read(t, "mts-inject-dev/notes.jsonl") {
		out, _, err := e.Scrub(nil, d.Text, recordOf(t, d.Patient), text.Masks{})
		if err != nil {
			t.Fatal(err)
		}
		p := patientOf(t, d.Patient)
		var values []string
		for _, i := range p.Identifier {
			values = append(values, i.Value)
		}
		for _, x := range p.Telecom {
			values = append(values, x.Value)
		}
		for _, n := range p.Name {
			values = append(values, n.Given[0]+" "+n.Family, strings.ToUpper(n.Family)+", "+strings.ToUpper(n.Given[0]))
		}
		for _, a := range p.Address {
			values = append(values, a.Line...)
			values = append(values, a.PostalCode)
		}
		for _, v := range append(values, p.BirthDate) {
			if v != "" && strings.Contains(string(out), v) {
				t.Errorf("note %s: a value of %d bytes is left", d.ID, len(v))
			}
		}
	}
}

// The golden texts: every label that is one of the identifiers is masked to
// the byte, and no hard negative is.
func TestGoldenTexts(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(need.DataFile(t, "openmed-golden"), "*.json*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden texts: %v", err)
	}
	// What the policies label and HIPAA does not name.
	not := map[string]bool{"GENDER": true, "CREDIT_CARD_ISSUER": true, "AMOUNT": true, "CURRENCY": true, "MEDICATION": true, "LAB_TEST": true, "CONDITION": true, "BODY_SITE": true, "PROCEDURE": true}
	n := 0
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(b), `"gold_spans"`) {
			continue
		}
		docs, err := score.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := score.Evaluate(docs, finder(t, false), func(d score.Doc, g *score.Gold, s *text.Span) {
			switch {
			case g != nil && !not[g.Label]:
				t.Errorf("%s: %s at %d-%d is not masked", d.ID, g.Label, g.Start, g.End)
			case s != nil && strings.Contains(d.ID, "hard-negative"):
				t.Errorf("%s: %v at %d-%d is no identifier", d.ID, s.Category, s.Start, s.End)
			}
		}); err != nil {
			t.Fatal(err)
		}
		n += len(docs)
		checkHardNegatives(t, b)
	}
	if n < 40 {
		t.Errorf("only %d golden texts", n)
	}
}

// checkHardNegatives: what a fixture lists as no identifier stands.
func checkHardNegatives(t *testing.T, b []byte) {
	var in struct {
		Fixtures []struct {
			ID, Text string
			Metadata struct {
				HardNegatives []struct{ Text string } `json:"hard_negatives"`
			}
		}
	}
	if json.Unmarshal(b, &in) != nil {
		return
	}
	e, err := text.New(text.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range in.Fixtures {
		out, _, err := e.Scrub(nil, []byte(x.Text), nil, text.Masks{})
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range x.Metadata.HardNegatives {
			if !strings.Contains(string(out), h.Text) {
				t.Errorf("%s: a hard negative was masked: %s", x.ID, out)
			}
		}
	}
}

type patient struct {
	Identifier []struct {
		Type struct {
			Coding []struct{ Code string }
		}
		Value string
	}
	Name []struct {
		Family string
		Given  []string
	}
	BirthDate string
	Telecom   []struct{ System, Value string }
	Address   []struct {
		Line                    []string
		City, State, PostalCode string
	}
}

func patientOf(t testing.TB, b []byte) (p patient) {
	t.Helper()
	if err := json.Unmarshal(b, &p); err != nil {
		t.Fatal("a patient does not read")
	}
	return p
}

func recordOf(t testing.TB, b []byte) *text.Record {
	p := patientOf(t, b)
	r := text.NewRecord()
	for _, n := range p.Name {
		r.Name(text.Patient, n.Given, n.Family, text.AnyGender)
	}
	codes := map[string]text.Category{"MR": text.MRN, "SS": text.SSN, "AN": text.Account, "MB": text.HealthPlan}
	for _, i := range p.Identifier {
		c := text.OtherID
		if len(i.Type.Coding) > 0 {
			if k, ok := codes[i.Type.Coding[0].Code]; ok {
				c = k
			}
		}
		r.ID(c, i.Value)
	}
	for _, x := range p.Telecom {
		if x.System == "phone" {
			r.Phone(x.Value)
		} else {
			r.Email(x.Value)
		}
	}
	for _, a := range p.Address {
		r.Address(a.Line, a.City, a.State, a.PostalCode)
	}
	if len(p.BirthDate) == 10 {
		n := func(s string) (v int) {
			for _, c := range s {
				v = v*10 + int(c-'0')
			}
			return v
		}
		r.Date(n(p.BirthDate[:4]), n(p.BirthDate[5:7]), n(p.BirthDate[8:]))
	}
	return r
}

package score

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"unicode/utf8"

	"github.com/sallyport/sallyport/problem"
)

// bad is a problem that names the record, never its text.
func bad(what, next string) error { return problem.New(problem.Invalid, what, next) }

// offsets turns offsets in code points into byte offsets.
type offsets []int

func newOffsets(s string) offsets {
	o := make(offsets, 0, len(s)+1)
	for i := range s {
		o = append(o, i)
	}
	return append(o, len(s))
}

func (o offsets) gold(start, end int, label string) (Gold, bool) {
	if start < 0 || end <= start || end >= len(o) {
		return Gold{}, false
	}
	return Gold{o[start], o[end], label}, true
}

// Presidio reads a JSON array of sentences as presidio-research writes them.
func Presidio(r io.Reader) ([]Doc, error) {
	var in []struct {
		Text  string `json:"full_text"`
		Spans []struct {
			Type  string `json:"entity_type"`
			Start int    `json:"start_position"`
			End   int    `json:"end_position"`
		} `json:"spans"`
	}
	if err := json.NewDecoder(r).Decode(&in); err != nil {
		return nil, bad("the labelled set is not an array of sentences", "give a JSON file as presidio-research writes it")
	}
	docs := make([]Doc, 0, len(in))
	for _, x := range in {
		d := Doc{Text: []byte(x.Text)}
		o := newOffsets(x.Text)
		for _, s := range x.Spans {
			g, ok := o.gold(s.Start, s.End, s.Type)
			if !ok {
				return nil, bad("a label lies outside its sentence", "offsets are in code points, from 0")
			}
			d.Gold = append(d.Gold, g)
		}
		docs = append(docs, d)
	}
	return docs, nil
}

// Notes reads JSON lines, one note each: id, text, spans (start, end, label) and,
// where there is one, the FHIR patient.
func Notes(r io.Reader) ([]Doc, error) {
	var docs []Doc
	s := bufio.NewScanner(r)
	s.Buffer(nil, 64<<20)
	for s.Scan() {
		if len(bytes.TrimSpace(s.Bytes())) == 0 {
			continue
		}
		var x struct {
			ID    string `json:"id"`
			Text  string `json:"text"`
			Spans []struct {
				Start int    `json:"start"`
				End   int    `json:"end"`
				Label string `json:"label"`
			} `json:"spans"`
			Gold []struct {
				Start int    `json:"start"`
				End   int    `json:"end"`
				Label string `json:"label"`
			} `json:"gold_spans"`
			Patient json.RawMessage `json:"patient"`
		}
		if err := json.Unmarshal(s.Bytes(), &x); err != nil {
			return nil, bad("a line of the labelled set is not a note", `write one JSON object a line: {"id":"","text":"","spans":[{"start":0,"end":1,"label":""}]}`)
		}
		if x.Text == "" {
			continue
		}
		d := Doc{ID: x.ID, Text: []byte(x.Text), Patient: x.Patient}
		o := newOffsets(x.Text)
		for _, p := range append(x.Spans, x.Gold...) {
			g, ok := o.gold(p.Start, p.End, p.Label)
			if !ok {
				return nil, bad("a label lies outside its note", "offsets are in code points, from 0")
			}
			d.Gold = append(d.Gold, g)
		}
		docs = append(docs, d)
	}
	if s.Err() != nil {
		return nil, bad("the labelled set does not read", "check that a line is under 64 MiB")
	}
	return docs, nil
}

// Golden reads a suite of openmed: an object with fixtures.
func Golden(r io.Reader) ([]Doc, error) {
	var in struct {
		Fixtures []json.RawMessage `json:"fixtures"`
	}
	if err := json.NewDecoder(r).Decode(&in); err != nil {
		return nil, bad("the labelled set is no suite of fixtures", `give a JSON object with "fixtures"`)
	}
	var lines bytes.Buffer
	for _, f := range in.Fixtures {
		if err := json.Compact(&lines, f); err != nil {
			return nil, bad("a fixture does not read", "give JSON")
		}
		lines.WriteByte('\n')
	}
	return Notes(&lines)
}

// Read tells the formats apart: an array is Presidio's, an object with fixtures a
// golden suite, anything else JSON lines.
func Read(b []byte) ([]Doc, error) {
	if !utf8.Valid(b) {
		return nil, bad("the labelled set is not UTF-8", "convert it")
	}
	t := bytes.TrimSpace(b)
	switch {
	case len(t) > 0 && t[0] == '[':
		return Presidio(bytes.NewReader(b))
	case bytes.Contains(t[:min(len(t), 1<<16)], []byte(`"fixtures"`)):
		return Golden(bytes.NewReader(b))
	}
	return Notes(bytes.NewReader(b))
}

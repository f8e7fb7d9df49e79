package course

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
)

// DrillFile is a file that a drill gives the learner. All in it is invented.
type DrillFile struct {
	Name    string
	Content []byte
}

// Seeded is what a drill is made of: its files, and the answer that they give.
type Seeded struct {
	Files  []DrillFile
	Answer string
}

// lot is a stream of numbers out of a seed: the same on every machine and in every
// build, and no secret.
type lot struct {
	seed string
	n    int
}

func (l *lot) below(n int) int {
	l.n++
	sum := sha256.Sum256(fmt.Appendf(nil, "%d:%s %d", len(l.seed), l.seed, l.n))
	return int(binary.BigEndian.Uint64(sum[:8]) % uint64(n))
}

func (l *lot) of(list []string) string { return list[l.below(len(list))] }

// Names that nobody has: the surnames are words of testing.
var (
	drillGiven  = []string{"Rosalind", "Ambrose", "Leocadia", "Thaddeus", "Winifred", "Ignatius", "Philippa", "Octavian"}
	drillFamily = []string{"Testcase", "Fixture", "Mockford", "Stubbs-Sample", "Placeholder", "Dummyfield"}
)

// Drill makes the files of the drill "find what is in the notebook": a notebook of a
// data scientist in whose cells and outputs somebody's synthetic identifiers were left,
// beside a table and a log that are clean. The answer is the number of cells that hold
// an identifier. The same seed gives the same files.
func Drill(seed string) Seeded {
	l := &lot{seed: seed}
	type cell struct {
		Kind     string         `json:"cell_type"`
		Count    *int           `json:"execution_count,omitempty"`
		Meta     map[string]any `json:"metadata"`
		Source   []string       `json:"source"`
		Outputs  []any          `json:"outputs,omitempty"`
		identify bool
	}
	one := 1
	code := func(identify bool, source string, out string) cell {
		c := cell{Kind: "code", Count: &one, Meta: map[string]any{}, Source: []string{source}, identify: identify}
		if out != "" {
			c.Outputs = []any{map[string]any{"output_type": "stream", "name": "stdout", "text": []string{out}}}
		}
		return c
	}
	given, family := l.of(drillGiven), l.of(drillFamily)
	ssn := fmt.Sprintf("%03d-%02d-%04d", 501+l.below(150), 10+l.below(80), 1000+l.below(8999))
	mrn := fmt.Sprintf("%08d", 10_000_000+l.below(80_000_000))
	clean := []cell{
		code(false, "import statistics\n", ""),
		code(false, "ages = [34, 51, 47, 62]\nstatistics.mean(ages)\n", "48.5\n"),
		code(false, "threshold = 0.7\n", ""),
		code(false, "print('rows', 1200, 'missing', 14)\n", "rows 1200 missing 14\n"),
		{Kind: "markdown", Meta: map[string]any{}, Source: []string{"## Sepsis triage\n", "The model sees vital signs only.\n"}},
	}
	left := []cell{
		code(true, "print(rows[0])\n", fmt.Sprintf("Patient: %s %s, MRN: %s, DOB: 03/04/1951\n", given, family, mrn)),
		code(true, "mrn = '"+mrn+"'\n", ""),
		code(true, "print(rows[7])\n", "Patient: "+given+" "+family+", SSN: "+ssn+"\n"),
		code(true, "# checked by hand, SSN "+ssn+"\nassert ok\n", ""),
		code(true, "prompt = 'Summarize the stay of "+given+" "+family+", MRN "+mrn+"'\n", ""),
	}
	// Some of what could be left is, and all of it in an order by lot.
	keep := 3 + l.below(len(left)-2)
	for i := len(left) - 1; i > 0; i-- {
		j := l.below(i + 1)
		left[i], left[j] = left[j], left[i]
	}
	cells := append(clean, left[:keep]...)
	for i := len(cells) - 1; i > 0; i-- {
		j := l.below(i + 1)
		cells[i], cells[j] = cells[j], cells[i]
	}
	n := 0
	for _, c := range cells {
		if c.identify {
			n++
		}
	}
	book, err := json.MarshalIndent(map[string]any{"cells": cells, "nbformat": 4, "nbformat_minor": 5,
		"metadata": map[string]any{"language_info": map[string]any{"name": "python"}}}, "", " ")
	if err != nil {
		return Seeded{} // texts and numbers are always JSON
	}
	return Seeded{Answer: fmt.Sprint(n), Files: []DrillFile{
		{"triage.ipynb", append(book, '\n')},
		{"features.csv", []byte("row,heart_rate,lactate,label\n1,88,1.1,0\n2,121,4.2,1\n3,97,2.0,0\n")},
		{"train.log", []byte("epoch 1 loss 0.612\nepoch 2 loss 0.498\nepoch 3 loss 0.471\n")},
	}}
}

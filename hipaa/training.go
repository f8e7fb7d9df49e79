package hipaa

import (
	_ "embed" // the assessment bank is compiled in
	"sync"
)

// TrainingQuestion is one item of the assessment bank: a scene, four options, one right.
type TrainingQuestion struct {
	ID          string            `json:"id"` // "TQ-01"
	Module      string            `json:"module"`
	Tracks      []string          `json:"tracks"` // "ALL", or some of DS, MLE, ANN, SUP, EXE
	Stem        string            `json:"stem"`
	Options     map[string]string `json:"options"` // by letter
	Correct     string            `json:"correct"`
	Explanation string            `json:"explanation"`
	Citation    string            `json:"citation"`
	Controls    []string          `json:"controls"` // ids of Controls, where the catalogue has them
	// Verified is how far the item was checked; empty: as far as its controls were.
	Verified Verified `json:"verified,omitempty"`
}

// QuestionBank is the bank, and which of its items nobody may get wrong.
type QuestionBank struct {
	Meta struct {
		PassMark float64  `json:"pass_mark_suggestion"` // policy, 0 to 1
		Critical []string `json:"critical_ids"`
		Limits   string   `json:"limits"`
	} `json:"meta"`
	Questions []TrainingQuestion `json:"questions"`
}

//go:embed training-questions.json
var trainingJSON []byte

// TrainingQuestions is the assessment bank of 40 items. Its wording is not
// psychometrically tested, as Meta.Limits says.
var TrainingQuestions = sync.OnceValue(func() QuestionBank {
	var b QuestionBank
	mustDecode("training-questions.json", trainingJSON, &b)
	return b
})

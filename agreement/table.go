package agreement

import (
	"slices"

	"github.com/sallyport/sallyport/hipaa"
)

// Does is a way in which a term acts.
type Does string

// The ways.
const (
	Gate   Does = "gate"   // it decides about data, in every decision, or about an approval
	Timer  Does = "clock"  // it sets a time limit
	Listed Does = "report" // it is listed for a person, because only a person can judge it
)

// Row says what one term does.
type Row struct {
	ID    string // of the catalogue: "BAA-R20"
	Field string
	Does  []Does
	// Where it acts: gates by their id, acts, clocks by their id, the report.
	Where string
	Says  string // what happens, in a sentence
	// Silence is what a business associate agreement that does not have the term is
	// taken to say.
	Silence string

	// fails says what is wrong with the value, or ""; then the catalogue's on_fail
	// happens. Silence comes here as the zero value.
	fails func(value) string
	// advise says in what the value is weaker than the recommended one, or "".
	advise func(value) string
	clocks func(value) []Clock
	// purposes are those that a failure denies, where on_fail is deny_purpose; nil: every
	// purpose.
	purposes []hipaa.Purpose
}

// Purposes of which people work at screens, in workspaces.
var workspacePurposes = []hipaa.Purpose{hipaa.Evaluation, hipaa.Annotation, hipaa.Support, hipaa.Debug}

// trainingPurposes make or change a model.
var trainingPurposes = []hipaa.Purpose{hipaa.FineTune, hipaa.TrainSharedModel}

// vendorsOwn are the purposes that are the vendor's own, even with de-identified data.
var vendorsOwn = []hipaa.Purpose{hipaa.TrainSharedModel, hipaa.ProductImprovement}

// Fails of common shapes.

func needTrue(v value) string {
	switch {
	case !v.there:
		return "the paper does not say it"
	case !v.yes():
		return "the paper does not say yes"
	}
	return ""
}

func needBool(v value) string {
	if !v.isBool() {
		return "the paper says neither yes nor no"
	}
	return ""
}

func optionalBool(v value) string {
	if v.there && !v.isBool() {
		return "it cannot be read as yes or no"
	}
	return ""
}

func needWord(words ...string) func(value) string {
	return func(v value) string {
		switch {
		case !v.there:
			return "the paper does not say it"
		case !slices.Contains(words, v.word()):
			return "the paper says something else than it can"
		}
		return ""
	}
}

func optionalWord(words ...string) func(value) string {
	need := needWord(words...)
	return func(v value) string {
		if !v.there {
			return ""
		}
		return need(v)
	}
}

func needObject(v value) string {
	switch _, ok := v.object(); {
	case !v.there:
		return "the paper does not say it"
	case !ok:
		return "it cannot be read"
	}
	return ""
}

func needList(v value) string {
	switch _, ok := v.list(); {
	case !v.there:
		return "the paper does not say it"
	case !ok:
		return "it cannot be read as a list"
	}
	return ""
}

// needNumber wants a whole number from low to high (0: no limit).
func needNumber(low, high int64) func(value) string {
	return func(v value) string {
		n, ok := v.number()
		switch {
		case !v.there:
			return "the paper does not say it"
		case !ok:
			return "it is no whole number"
		case n < low:
			return "it is too little"
		case high != 0 && n > high:
			return "it is too much"
		}
		return ""
	}
}

// Advice of common shapes.

func atMost(n int64) func(value) string {
	return func(v value) string {
		if got, ok := v.number(); ok && got > n {
			return "longer than recommended"
		}
		return ""
	}
}

func atLeast(n int64) func(value) string {
	return func(v value) string {
		if got, ok := v.number(); ok && got < n {
			return "shorter than recommended"
		}
		return ""
	}
}

func memberAtMost(limits map[string]int64) func(value) string {
	return func(v value) string {
		for name, n := range limits {
			m := v.member(name)
			got, ok := m.number()
			switch {
			case v.there && (!m.there || !ok):
				return "a number is left out"
			case ok && got > n:
				return "longer than recommended"
			}
		}
		return ""
	}
}

func better(word string) func(value) string {
	return func(v value) string {
		if w := v.word(); v.there && w != "" && w != word {
			return "weaker than recommended (" + word + ")"
		}
		return ""
	}
}

// hoursClock is a clock of the plain number's hours.
func hoursClock(c ClockID, on Trigger) func(value) []Clock {
	return func(v value) []Clock { return []Clock{{ID: c, Trigger: on, Hours: v.int()}} }
}

// RowOf finds the row of a term by its field.
func RowOf(field string) (*Row, bool) {
	for i := range Table {
		if Table[i].Field == field {
			return &Table[i], true
		}
	}
	return nil, false
}

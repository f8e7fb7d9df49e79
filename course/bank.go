package course

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/sallyport/sallyport/hipaa"
)

// letters are those of the options.
var letters = []string{"A", "B", "C", "D"}

// Asked is a question as one attempt shows it: its options shuffled, each under the
// letter that the learner sees.
type Asked struct {
	hipaa.TrainingQuestion
	Critical bool
	Shown    []Shown
}

// Shown is an option under the letter that the learner sees.
type Shown struct {
	Letter string // "a" to "d", as shown
	Text   string
	key    string // the letter in the bank
}

// Key is the bank's letter of the option that is shown under a letter.
func (a Asked) Key(shown string) (string, bool) {
	for _, s := range a.Shown {
		if s.Letter == shown {
			return s.key, true
		}
	}
	return "", false
}

// ShownAs is the letter under which the bank's option is shown.
func (a Asked) ShownAs(key string) string {
	for _, s := range a.Shown {
		if s.key == key {
			return s.Letter
		}
	}
	return ""
}

// Draw picks the questions of an attempt and shuffles them: every critical item, at
// least one of each module that is needed, and items of the track, Drawn in all or as
// many as there are. The same seed gives the same questions.
func (c *Catalogue) Draw(track string, modules []string, seed string) []Asked {
	var pool []hipaa.TrainingQuestion
	picked := map[string]bool{}
	var out []hipaa.TrainingQuestion
	take := func(q hipaa.TrainingQuestion) {
		if !picked[q.ID] {
			picked[q.ID] = true
			out = append(out, q)
		}
	}
	for _, q := range c.Questions {
		switch {
		case c.Critical(q.ID):
			take(q)
		case slices.Contains(modules, q.Module) && For(q.Tracks, track):
			pool = append(pool, q)
		}
	}
	byLot(pool, seed, "draw", func(q hipaa.TrainingQuestion) string { return q.ID })
	for _, m := range modules {
		if slices.ContainsFunc(out, func(q hipaa.TrainingQuestion) bool { return q.Module == m }) {
			continue
		}
		if i := slices.IndexFunc(pool, func(q hipaa.TrainingQuestion) bool { return q.Module == m }); i >= 0 {
			take(pool[i])
		}
	}
	for _, q := range pool {
		if len(out) >= Drawn {
			break
		}
		take(q)
	}
	byLot(out, seed, "order", func(q hipaa.TrainingQuestion) string { return q.ID })
	asked := make([]Asked, len(out))
	for i, q := range out {
		asked[i] = Asked{TrainingQuestion: q, Critical: c.Critical(q.ID)}
		keys := slices.Clone(letters)
		byLot(keys, seed, "options of "+q.ID, func(k string) string { return k })
		for j, k := range keys {
			asked[i].Shown = append(asked[i].Shown, Shown{Letter: string(rune('a' + j)), Text: q.Options[k], key: k})
		}
	}
	return asked
}

// byLot orders things by a hash with the seed: a shuffle that nobody without the seed
// foresees, and that is the same wherever and whenever it is done again.
func byLot[T any](list []T, seed, what string, name func(T) string) {
	lot := func(t T) string {
		sum := sha256.Sum256(fmt.Appendf(nil, "%d:%s %d:%s %s", len(seed), seed, len(what), what, name(t)))
		return string(sum[:])
	}
	slices.SortFunc(list, func(a, b T) int { return cmp.Compare(lot(a), lot(b)) })
}

// Marks is an attempt marked.
type Marks struct {
	Asked, Answered, Right int
	// CriticalWrong are the critical questions that were not answered rightly.
	CriticalWrong []string
	Score         float64 // the share of right answers, 0 to 1
	Passed        bool
}

// Mark marks answers, by question and the bank's letters. A pass is the pass mark, and
// no critical item wrong. A question without an answer is wrong, and so is one that is
// not asked.
func (c *Catalogue) Mark(asked []Asked, answers map[string]string) Marks {
	m := Marks{Asked: len(asked)}
	for _, q := range asked {
		a, ok := answers[q.ID]
		if ok {
			m.Answered++
		}
		switch {
		case ok && a == q.Correct:
			m.Right++
		case q.Critical:
			m.CriticalWrong = append(m.CriticalWrong, q.ID)
		}
	}
	if m.Asked > 0 {
		m.Score = float64(m.Right) / float64(m.Asked)
	}
	slices.Sort(m.CriticalWrong)
	m.Passed = m.Asked > 0 && m.Score >= c.PassMark && len(m.CriticalWrong) == 0
	return m
}

// Cites are the citations of a question: of its controls, each with how far it was
// checked, and where the catalogue of controls has none the question's own words.
func Cites(q hipaa.TrainingQuestion) []hipaa.Citation {
	verified := q.Verified
	for _, id := range q.Controls {
		if c, ok := hipaa.LookupControl(id); ok && verified == "" {
			verified = c.Verified
		}
	}
	if verified == "" {
		verified = hipaa.Recall // nobody said that it was checked
	}
	return []hipaa.Citation{{Text: q.Citation, Verified: verified}}
}

// seedOf makes the seed of an attempt of something that nobody chooses.
func seedOf(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s ", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Seed is the seed of the attempt that an act began. The act's id has 80 bits that
// nobody chose.
func Seed(act string) string { return seedOf("sallyport attempt", act) }

package paper

import (
	"fmt"
	"strings"

	"github.com/sallyport/sallyport/problem"
)

// language is that of the product's own words, for readers and for programs that read
// aloud (BCP 47).
const language = "en-GB"

// producer is written into the files' properties.
const producer = "Sallyport"

// check refuses a document that could only be drawn by guessing. A date is demanded
// because the file carries it: without one the bytes would depend on when it was drawn.
func check(d Document) error {
	bad := func(format string, args ...any) error {
		return problem.New(problem.Invalid, "This document cannot be drawn: "+fmt.Sprintf(format, args...), "Correct what makes the document")
	}
	if strings.TrimSpace(d.Title) == "" {
		return bad("it has no title")
	}
	if d.Date.IsZero() {
		return bad("it has no date")
	}
	for i, b := range d.Body {
		switch b := b.(type) {
		case Heading:
			if b.Level != 1 && b.Level != 2 {
				return bad("block %d is a heading of level %d, not 1 or 2", i+1, b.Level)
			}
		case Table:
			if len(b.Head) == 0 {
				return bad("block %d is a table without a head", i+1)
			}
			for j, row := range b.Rows {
				if len(row) != len(b.Head) {
					return bad("block %d, row %d has %d cells under a head of %d", i+1, j+1, len(row), len(b.Head))
				}
			}
			if len(b.Widths) != 0 && len(b.Widths) != len(b.Head) {
				return bad("block %d has %d widths for %d columns", i+1, len(b.Widths), len(b.Head))
			}
			for _, w := range b.Widths {
				if !(w > 0 && w <= 1000) {
					return bad("block %d has a width that is not a share", i+1)
				}
			}
		case Paragraph, List, Facts, SignatureLine, Note:
		default:
			return bad("block %d is nothing that can be drawn", i+1)
		}
	}
	return nil
}

// shares are the columns' parts of the line; they add up to 1.
func (t Table) shares() []float64 {
	out := make([]float64, len(t.Head))
	sum := 0.0
	for i := range out {
		out[i] = 1
		if len(t.Widths) != 0 {
			out[i] = t.Widths[i]
		}
		sum += out[i]
	}
	for i := range out {
		out[i] /= sum
	}
	return out
}

const dateForm = "2 January 2006"

// signed says who signed and when, in lines; or leaves room to sign.
func (s SignatureLine) signed() []string {
	var out []string
	who := s.Name
	if s.Title != "" {
		who = strings.TrimPrefix(who+", "+s.Title, ", ")
	}
	if who != "" {
		out = append(out, who)
	}
	if !s.At.IsZero() {
		out = append(out, "Signed "+s.At.UTC().Format(dateForm+", 15:04:05 UTC"))
	}
	if s.Proof != "" {
		out = append(out, s.Proof)
	}
	return out
}

// plain makes text that every form can carry: line breaks stay, other control
// characters do not (XML 1.0 has no way to write them).
func plain(s string) string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case r == '\t':
			return ' '
		case r < ' ', r == 0x7f, r == 0xfffe, r == 0xffff:
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

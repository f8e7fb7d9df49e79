package paper

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Text is the document in plain text: every word of it, in order, for mail and for
// whoever compares two papers.
func Text(d Document) string {
	var b strings.Builder
	line := func(s string) { b.WriteString(plain(s) + "\n") }
	if d.Issuer != "" {
		line(d.Issuer)
	}
	line(d.Title)
	if d.Subtitle != "" {
		line(d.Subtitle)
	}
	if !d.Date.IsZero() {
		line(d.Date.UTC().Format(dateForm))
	}
	for _, block := range d.Body {
		b.WriteByte('\n')
		switch x := block.(type) {
		case Heading:
			line(x.Text)
			line(strings.Repeat(map[bool]string{true: "=", false: "-"}[x.Level == 1], utf8.RuneCountInString(x.Text)))
		case Paragraph:
			line(x.Text)
		case Note:
			line("Note: " + x.Text)
		case List:
			for i, item := range x.Items {
				if x.Numbered {
					line(fmt.Sprintf("%d. %s", i+1, item))
				} else {
					line("- " + item)
				}
			}
		case Table:
			line(strings.Join(x.Head, " | "))
			for _, row := range x.Rows {
				line(strings.Join(row, " | "))
			}
		case Facts:
			for _, row := range x.Rows {
				line(row[0] + ": " + row[1])
			}
		case SignatureLine:
			line("For " + x.Party)
			for _, s := range x.signed() {
				line(s)
			}
			if x.At.IsZero() {
				line("Signature: ____________________  Date: ____________")
			}
		}
	}
	if d.Foot != "" {
		b.WriteByte('\n')
		line(d.Foot)
	}
	return b.String()
}

package breach

import (
	"fmt"
	"strings"

	"github.com/sallyport/sallyport/paper"
)

// Markdown is the document as CommonMark with tables, for a repository or a ticket.
func Markdown(d paper.Document) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n", escape(d.Title))
	for _, line := range []string{d.Subtitle, d.Issuer} {
		if line != "" {
			fmt.Fprintf(&b, "\n%s\n", escape(line))
		}
	}
	for _, block := range d.Body {
		b.WriteByte('\n')
		switch x := block.(type) {
		case paper.Heading:
			fmt.Fprintf(&b, "%s %s\n", strings.Repeat("#", x.Level+1), escape(x.Text))
		case paper.Paragraph:
			b.WriteString(strings.ReplaceAll(escape(x.Text), "\n", "  \n") + "\n")
		case paper.Note:
			fmt.Fprintf(&b, "> %s\n", strings.ReplaceAll(escape(x.Text), "\n", "\n> "))
		case paper.List:
			for i, item := range x.Items {
				mark := "-"
				if x.Numbered {
					mark = fmt.Sprintf("%d.", i+1)
				}
				fmt.Fprintf(&b, "%s %s\n", mark, cell(item))
			}
		case paper.Table:
			row(&b, x.Head)
			row(&b, repeat("---", len(x.Head)))
			for _, r := range x.Rows {
				row(&b, r)
			}
		case paper.Facts:
			row(&b, []string{"", ""})
			row(&b, []string{"---", "---"})
			for _, r := range x.Rows {
				row(&b, r[:])
			}
		case paper.SignatureLine:
			fmt.Fprintf(&b, "%s\n\n%s\n", escape(x.Party), "____________________")
		}
	}
	if d.Foot != "" {
		fmt.Fprintf(&b, "\n%s\n", escape(d.Foot))
	}
	return b.String()
}

func row(b *strings.Builder, cells []string) {
	b.WriteByte('|')
	for _, c := range cells {
		if c != "---" {
			c = cell(c)
		}
		b.WriteString(" " + c + " |")
	}
	b.WriteByte('\n')
}

func repeat(s string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = s
	}
	return out
}

func cell(s string) string { return strings.ReplaceAll(escape(s), "\n", " ") }

// escape keeps people's words from becoming markup.
func escape(s string) string {
	var b strings.Builder
	for _, r := range strings.ReplaceAll(s, "\r", " ") {
		if strings.ContainsRune("\\`*_{}[]<>#|", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

package paper

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"

	"codeberg.org/go-pdf/fpdf"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/sfnt"
)

// File is carried inside a PDF as an attachment, such as the proof of what it says.
type File struct {
	Name        string
	Description string
	Data        []byte
}

// PDF draws the document on US Letter pages, with its fonts embedded. The same document
// gives the same bytes. The files become attachments.
//
// The fonts are Latin, Greek and Cyrillic. A character that they lack is drawn as its
// code point, such as [U+4E2D]: seen, rather than lost.
//
// It is not a tagged PDF (ISO 14289): the DOCX has real headings, lists and tables for
// programs that read aloud.
func PDF(d Document, files ...File) ([]byte, error) {
	if err := check(d); err != nil {
		return nil, err
	}
	// Once to count the pages, once to draw with the count: the fonts hold only the
	// characters in use, so a placeholder could not be filled in later.
	count, err := draw(d, files, 0)
	if err != nil {
		return nil, err
	}
	f, err := draw(d, files, count.PageCount())
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := f.Output(&out); err != nil {
		return nil, fmt.Errorf("write PDF: %w", err)
	}
	return out.Bytes(), nil
}

// Measures in millimetres; type in points.
const (
	margin   = 22.0
	lineH    = 5.1
	smallH   = 3.9
	body     = 10.0
	small    = 8.0
	cellPad  = 1.4
	fontName = "go"
)

type drawing struct {
	*fpdf.Fpdf
	width, bottom float64 // of the line; where the body ends
}

func draw(d Document, files []File, total int) (*fpdf.Fpdf, error) {
	f := fpdf.New("P", "mm", "Letter", "")
	f.SetCatalogSort(true)
	f.SetCreationDate(d.Date.UTC())
	f.SetModificationDate(d.Date.UTC())
	f.SetTitle(drawable(d.Title), true)
	f.SetAuthor(drawable(d.Issuer), true)
	f.SetCreator(producer, true)
	f.SetProducer(producer, true)
	f.SetLang(language)
	f.SetDisplayMode("fullwidth", "continuous")
	f.SetMargins(margin, margin, margin)
	f.SetCellMargin(0)
	f.SetAutoPageBreak(false, 0)
	f.AddUTF8FontFromBytes(fontName, "", goregular.TTF)
	f.AddUTF8FontFromBytes(fontName, "B", gobold.TTF)
	if len(files) > 0 {
		var as []fpdf.Attachment
		for _, a := range files {
			as = append(as, fpdf.Attachment{Content: a.Data, Filename: a.Name, Description: a.Description})
		}
		f.SetAttachments(as)
	}
	w, h := f.GetPageSize()
	x := &drawing{Fpdf: f, width: w - 2*margin}
	x.font("", small)
	foot := x.wrap(d.Foot, x.width-30)
	x.bottom = h - margin - float64(len(foot))*smallH
	f.SetHeaderFunc(func() {
		if f.PageNo() == 1 {
			return
		}
		x.font("", small)
		x.grey()
		f.SetXY(margin, margin-10)
		x.line(first(x.wrap(d.Title, x.width)), x.width, smallH, "")
		f.SetXY(margin, margin)
	})
	f.SetFooterFunc(func() {
		x.font("", small)
		x.grey()
		for i, l := range foot {
			f.SetXY(margin, x.bottom+4+float64(i)*smallH)
			x.line(l, x.width-30, smallH, "")
		}
		f.SetXY(margin, x.bottom+4)
		f.CellFormat(x.width, smallH, fmt.Sprintf("Page %d of %d", f.PageNo(), total), "", 0, "R", false, 0, "")
	})
	f.AddPage()
	x.head(d)
	for i, b := range d.Body {
		if _, ok := b.(Heading); ok && i+1 < len(d.Body) {
			x.room(3 + 6.5 + 1 + x.least(d.Body[i+1])) // with the first of what it is about
		}
		x.block(b)
	}
	f.Close()
	if err := f.Error(); err != nil {
		return nil, fmt.Errorf("draw PDF: %w", err)
	}
	return f, nil
}

func (x *drawing) head(d Document) {
	if d.Issuer != "" {
		x.font("B", body)
		x.grey()
		x.lines(d.Issuer, lineH)
	}
	x.font("B", 18)
	x.lines(d.Title, 8.5)
	x.font("", body)
	if d.Subtitle != "" {
		x.lines(d.Subtitle, lineH)
	}
	x.grey()
	x.lines(d.Date.UTC().Format(dateForm), lineH)
	x.space(2)
}

// least is how tall the beginning of a block is that a heading may not leave alone:
// of a table its head and a row, as far as a page holds them.
func (x *drawing) least(b Block) float64 {
	if s, ok := b.(SignatureLine); ok {
		return 20 + lineH + float64(len(s.signed())+1)*smallH // as signature draws it
	}
	t, ok := b.(Table)
	if !ok || len(t.Rows) == 0 {
		return 3 * lineH
	}
	shares := t.shares()
	tall := 0.0
	for i, row := range [][]string{t.Head, t.Rows[0]} {
		x.font(map[bool]string{true: "B"}[i == 0], 8.5)
		n := 1
		for j, c := range row {
			n = max(n, len(x.wrap(c, shares[j]*x.width-2*cellPad)))
		}
		tall += float64(n)*4.3 + 2*cellPad
	}
	return min(tall, 60)
}

func (x *drawing) block(b Block) {
	x.font("", body)
	switch b := b.(type) {
	case Heading:
		size, h := 13.5, 6.5
		if b.Level == 2 {
			size, h = 11, 5.6
		}
		x.space(3)
		x.room(h + 3*lineH) // a heading does not stand alone at the foot
		x.font("B", size)
		x.lines(b.Text, h)
		x.space(1)
	case Paragraph:
		x.lines(b.Text, lineH)
		x.space(2)
	case List:
		x.list(b)
	case Table:
		x.table(b)
	case Facts:
		x.facts(b)
	case SignatureLine:
		x.signature(b)
	case Note:
		x.note(b)
	}
}

func (x *drawing) list(b List) {
	for i, item := range b.Items {
		mark := "•"
		if b.Numbered {
			mark = fmt.Sprintf("%d.", i+1)
		}
		indent := max(6, x.GetStringWidth(mark)+2)
		for j, l := range x.wrap(item, x.width-indent) {
			x.room(lineH)
			y := x.GetY()
			if j == 0 {
				x.SetXY(margin, y)
				x.line(mark, indent, lineH, "")
			}
			x.SetXY(margin+indent, y)
			x.line(l, x.width-indent, lineH, "")
			x.SetXY(margin, y+lineH)
		}
		x.space(1)
	}
	x.space(1)
}

func (x *drawing) facts(b Facts) {
	left := x.width * .32
	for _, row := range b.Rows {
		x.font("B", body)
		name := x.wrap(row[0], left-2)
		x.font("", body)
		value := x.wrap(row[1], x.width-left)
		for i := range max(len(name), len(value)) {
			x.room(lineH)
			y := x.GetY()
			x.font("B", body)
			x.SetXY(margin, y)
			x.line(at(name, i), left, lineH, "")
			x.font("", body)
			x.SetXY(margin+left, y)
			x.line(at(value, i), x.width-left, lineH, "")
			x.SetXY(margin, y+lineH)
		}
	}
	x.space(2)
}

func (x *drawing) note(b Note) {
	x.space(1)
	lines := x.wrap(b.Text, x.width-8)
	if h := float64(len(lines))*lineH + 3; h < 60 {
		x.room(h)
	}
	for i, l := range lines {
		x.room(lineH + 1.5)
		top, h := x.GetY(), lineH
		if i == 0 {
			h += 1.5
		}
		if i == len(lines)-1 {
			h += 1.5
		}
		x.SetFillColor(242, 242, 236)
		x.Rect(margin, top, x.width, h, "F")
		x.SetFillColor(90, 90, 90)
		x.Rect(margin, top, 1, h, "F")
		y := top
		if i == 0 {
			y += 1.5
		}
		x.SetXY(margin+4, y)
		x.line(l, x.width-8, lineH, "")
		x.SetXY(margin, top+h)
	}
	x.space(3)
}

func (x *drawing) signature(b SignatureLine) {
	said := b.signed()
	x.font("", small)
	var lines []string
	for _, s := range said {
		lines = append(lines, x.wrap(s, x.width)...)
	}
	h := lineH + float64(len(lines))*smallH + 4
	if b.At.IsZero() {
		h += 14
	}
	x.space(2)
	x.room(h)
	x.font("B", body)
	x.lines("For "+b.Party, lineH)
	if b.At.IsZero() {
		y := x.GetY() + 9
		x.SetDrawColor(60, 60, 60)
		x.Line(margin, y, margin+x.width*.55, y)
		x.Line(margin+x.width*.65, y, margin+x.width, y)
		x.font("", small)
		x.grey()
		x.SetXY(margin, y+.5)
		x.line("Signature", x.width*.5, smallH, "")
		x.SetXY(margin+x.width*.65, y+.5)
		x.line("Date", x.width*.3, smallH, "")
		x.SetXY(margin, y+.5+smallH)
	}
	x.font("", small)
	for _, l := range lines {
		x.room(smallH)
		x.line(l, x.width, smallH, "")
		x.SetXY(margin, x.GetY()+smallH)
	}
	x.space(4)
}

// table draws the rows, the head again on each page. A row stays together where a page
// can hold it.
func (x *drawing) table(b Table) {
	size, h := 8.5, 4.3
	shares := b.shares()
	cells := func(row []string, style string) ([][]string, int) {
		x.font(style, size)
		out, n := make([][]string, len(row)), 1
		for i, c := range row {
			out[i] = x.wrap(c, shares[i]*x.width-2*cellPad)
			n = max(n, len(out[i]))
		}
		return out, n
	}
	head, headN := cells(b.Head, "B")
	part := func(row [][]string, from, n int, style string) {
		x.font(style, size)
		top := x.GetY()
		tall := float64(n)*h + 2*cellPad
		left := margin
		for i, lines := range row {
			w := shares[i] * x.width
			x.SetDrawColor(190, 190, 190)
			x.SetFillColor(236, 238, 240)
			x.Rect(left, top, w, tall, map[bool]string{true: "FD", false: "D"}[style == "B"])
			for j := range n {
				x.SetXY(left+cellPad, top+cellPad+float64(j)*h)
				x.line(at(lines, from+j), w-2*cellPad, h, "")
			}
			left += w
		}
		x.SetXY(margin, top+tall)
	}
	drawHead := func() { part(head, 0, headN, "B") }
	x.room(float64(headN+2)*h + 4*cellPad)
	drawHead()
	full := x.bottom - margin - float64(headN)*h - 2*cellPad
	for _, r := range b.Rows {
		row, n := cells(r, "")
		for from := 0; from < n; {
			left := x.bottom - x.GetY() - 2*cellPad
			fits := int(left / h)
			whole := float64(n)*h+2*cellPad <= full
			if fits < 1 || whole && fits < n-from {
				x.AddPage()
				drawHead()
				fits = max(1, int((x.bottom-x.GetY()-2*cellPad)/h))
			}
			take := min(n-from, fits)
			part(row, from, take, "")
			from += take
		}
	}
	x.space(3)
}

func (x *drawing) font(style string, size float64) {
	x.SetFont(fontName, style, size)
	x.SetTextColor(20, 20, 20)
}

func (x *drawing) grey() { x.SetTextColor(95, 95, 95) }

func (x *drawing) line(s string, w, h float64, style string) {
	x.CellFormat(w, h, s, style, 0, "L", false, 0, "")
}

// lines writes wrapped text over the whole width, over pages.
func (x *drawing) lines(s string, h float64) {
	for _, l := range x.wrap(s, x.width) {
		x.room(h)
		x.line(l, x.width, h, "")
		x.SetXY(margin, x.GetY()+h)
	}
}

// room begins a new page where h does not fit on this one. The type stays.
func (x *drawing) room(h float64) {
	if x.GetY()+h <= x.bottom {
		return
	}
	r, g, b := x.GetTextColor()
	style := x.GetFontStyle()
	size, _ := x.GetFontSize()
	x.AddPage()
	x.SetFont(fontName, style, size)
	x.SetTextColor(r, g, b)
}

// space is left out at the head of a page.
func (x *drawing) space(h float64) {
	if y := x.GetY(); y > margin+.1 {
		x.SetXY(margin, y+h)
	}
}

// wrap breaks text into lines of at most w. A word that is longer is broken, such as a
// digest.
func (x *drawing) wrap(s string, w float64) []string {
	var out []string
	if s == "" {
		return nil
	}
	for _, para := range strings.Split(drawable(s), "\n") {
		cur := ""
		for _, word := range strings.Fields(para) {
			next := strings.TrimPrefix(cur+" "+word, " ")
			if x.GetStringWidth(next) <= w {
				cur = next
				continue
			}
			if cur != "" {
				out = append(out, cur)
			}
			for x.GetStringWidth(word) > w {
				n := 0
				for i, r := range word {
					if end := i + utf8.RuneLen(r); x.GetStringWidth(word[:end]) <= w || i == 0 {
						n = end
						continue
					}
					break
				}
				if n == len(word) {
					break
				}
				out, word = append(out, word[:n]), word[n:]
			}
			cur = word
		}
		out = append(out, cur)
	}
	return out
}

var fonts = sync.OnceValues(func() ([]*sfnt.Font, error) {
	var out []*sfnt.Font
	for _, ttf := range [][]byte{goregular.TTF, gobold.TTF} {
		f, err := sfnt.Parse(ttf)
		if err != nil {
			return nil, fmt.Errorf("read the font: %w", err)
		}
		out = append(out, f)
	}
	return out, nil
})

// drawable is plain text with every character that a font lacks written as its code
// point.
func drawable(s string) string {
	s = plain(s)
	have, err := fonts()
	var buf sfnt.Buffer
	var b strings.Builder
	for _, r := range s {
		ok := err == nil
		for _, f := range have {
			g, err := f.GlyphIndex(&buf, r)
			ok = ok && err == nil && g != 0
		}
		// The writer of the PDF knows characters of two bytes.
		if r == '\n' || ok && r <= 0xffff {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, "[U+%04X]", r)
		}
	}
	return b.String()
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return ""
}

func first(lines []string) string { return at(lines, 0) }

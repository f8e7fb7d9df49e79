package paper

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/need"
)

func sample() Document {
	var rows [][]string
	for i := range 70 {
		rows = append(rows, []string{fmt.Sprintf("row-%02d", i), strings.Repeat("words that wrap in their cell ", 1+i%4), "§164.504(e)(2)"})
	}
	rows = append(rows, []string{"row-tall", strings.Repeat("a cell that is taller than any page ", 300), "x"})
	return Document{
		Title: "Business associate agreement", Subtitle: "Mercy Valley Health and Helio AI", Issuer: "Mercy Valley Health",
		Date: time.Date(2026, 2, 3, 4, 5, 6, 7, time.UTC), Foot: "agr_1 · version 1",
		Body: []Block{
			Heading{1, "1. Terms — “quoted”"},
			Paragraph{"First line with Zoë Łukasiewicz.\nSecond line & <tags>."},
			List{Items: []string{"an item", strings.Repeat("an item that is long ", 12)}},
			List{Numbered: true, Items: []string{"step one", "step two"}},
			List{Numbered: true, Items: []string{"again one"}},
			Facts{[][2]string{{"Digest", strings.Repeat("0123456789abcdef", 4)}, {"Party", "Helio AI, Inc."}}},
			Table{Head: []string{"Term", "Words", "Citation"}, Rows: rows, Widths: []float64{1, 3, 1}},
			Heading{2, "Signatures"},
			Note{"Not yet signed.\nNothing is released under it."},
			SignatureLine{Party: "Mercy Valley Health", Name: "Ada Okafor", Title: "Privacy officer", At: time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC), Proof: "By passkey; log index 17"},
			SignatureLine{Party: "Helio AI"},
		},
	}
}

func drawn(t *testing.T, d Document, files ...File) []byte {
	t.Helper()
	out, err := PDF(d, files...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestTheSameDocumentGivesTheSameBytes(t *testing.T) {
	d := sample()
	want, err := DOCX(d)
	if err != nil {
		t.Fatal(err)
	}
	wantPDF := sha256.Sum256(drawn(t, d, File{Name: "proof.txt", Data: []byte("proof")}))
	for range 10 {
		if got, _ := DOCX(d); !bytes.Equal(got, want) {
			t.Fatal("DOCX: two drawings of one document differ")
		}
	}
	if sha256.Sum256(drawn(t, d, File{Name: "proof.txt", Data: []byte("proof")})) != wantPDF {
		t.Fatal("PDF: two drawings of one document differ")
	}
	d.Date = d.Date.Add(24 * time.Hour)
	if sha256.Sum256(drawn(t, d, File{Name: "proof.txt", Data: []byte("proof")})) == wantPDF {
		t.Error("another date gives the same file")
	}
}

// Every word of the paper is read back by a program that others wrote.
func TestAPDFIsReadByAnotherProgram(t *testing.T) {
	need.Tool(t, "pdftotext")
	d := sample()
	file := filepath.Join(t.TempDir(), "paper.pdf")
	if err := os.WriteFile(file, drawn(t, d, File{Name: "proof.txt", Description: "the proof", Data: []byte("the proof's bytes")}), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(name string, args ...string) string {
		t.Helper()
		out, err := exec.Command(name, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v: %s", name, err, out)
		}
		return string(out)
	}
	info := run("pdfinfo", file)
	for _, want := range []string{"Title:           Business associate agreement", "Author:          Mercy Valley Health", "CreationDate:    Tue Feb  3 04:05:06 2026", "Page size:       612 x 792 pts (letter)"} {
		if !strings.Contains(info, want) {
			t.Errorf("pdfinfo has no %q:\n%s", want, info)
		}
	}
	for _, l := range strings.Split(run("pdffonts", file), "\n")[2:] {
		if l != "" && !strings.Contains(l, "yes yes") && !strings.Contains(l, "yes no  yes") {
			t.Errorf("a font is not embedded: %s", l)
		}
	}
	// Words may be broken anywhere, so they are compared without spaces.
	text := run("pdftotext", "-raw", file, "-")
	squeezed := strings.Join(strings.Fields(text), "")
	for _, want := range []string{"Terms—“quoted”", "ZoëŁukasiewicz", "Secondline&<tags>.", "1.stepone", "2.steptwo", "1.againone", strings.Repeat("0123456789abcdef", 4),
		"row-00", "row-69", "row-tall", "ForMercyValleyHealth", "AdaOkafor,Privacyofficer", "Signed3February2026,04:05:06UTC", "logindex17", "ForHelioAI", "Signature"} {
		if !strings.Contains(squeezed, want) {
			t.Errorf("the text has no %q", want)
		}
	}
	pages := strings.Count(text, "\f")
	if pages < 4 {
		t.Fatalf("%d pages", pages)
	}
	for i, page := range strings.Split(strings.TrimSuffix(text, "\f"), "\f") {
		if want := fmt.Sprintf("Page %d of %d", i+1, pages); !strings.Contains(page, want) || !strings.Contains(page, "agr_1 · version 1") {
			t.Errorf("page %d has no foot %q", i+1, want)
		}
		if i > 0 && !strings.Contains(page, "Business associate agreement") {
			t.Errorf("page %d does not say what it is from", i+1)
		}
	}
	if got, n := strings.Count(squeezed, "TermWordsCitation"), pages-2; got < n {
		t.Errorf("the table's head stands on %d pages, want at least %d", got, n)
	}
	if got, want := strings.Count(squeezed, "acellthatistallerthananypage"), 300; got < want-8 { // some are broken by a page's foot
		t.Errorf("%d of %d words of a row over pages", got, want)
	}
	out := filepath.Join(t.TempDir(), "proof")
	run("pdfdetach", "-save", "1", "-o", out, file)
	if got, _ := os.ReadFile(out); string(got) != "the proof's bytes" {
		t.Errorf("the attachment is %q", got)
	}
}

func TestACharacterThatTheFontLacksIsSeen(t *testing.T) {
	need.Tool(t, "pdftotext")
	d := sample()
	d.Body = []Block{Paragraph{"Name: 李 😀 end\x00\x07."}}
	cmd := exec.Command("pdftotext", "-raw", "-", "-")
	cmd.Stdin = bytes.NewReader(drawn(t, d))
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if want := "Name: [U+674E] [U+1F600] end."; !strings.Contains(string(out), want) {
		t.Errorf("got %q, want %q in it", out, want)
	}
}

// A DOCX is a zip of well-formed parts, and its text is the document's, under the styles
// that word processors know.
func TestADOCXHoldsTheDocument(t *testing.T) {
	raw, err := DOCX(sample())
	if err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	parts := map[string][]byte{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		parts[f.Name] = b
		dec := xml.NewDecoder(bytes.NewReader(b))
		for {
			if _, err := dec.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", f.Name, err)
			}
		}
	}
	if z.File[0].Name != "[Content_Types].xml" {
		t.Errorf("the first part is %s", z.File[0].Name)
	}
	var doc struct {
		Body struct {
			P []struct {
				Style struct {
					Val string `xml:"val,attr"`
				} `xml:"pPr>pStyle"`
				Num struct {
					Val string `xml:"val,attr"`
				} `xml:"pPr>numPr>numId"`
				T []string `xml:"r>t"`
			} `xml:"p"`
			Tbl []struct {
				Tr []struct {
					Head *struct{} `xml:"trPr>tblHeader"`
					Tc   []struct {
						T []string `xml:"p>r>t"`
					} `xml:"tc"`
				} `xml:"tr"`
			} `xml:"tbl"`
		} `xml:"body"`
	}
	if err := xml.Unmarshal(parts["word/document.xml"], &doc); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range doc.Body.P {
		got = append(got, p.Style.Val+p.Num.Val+": "+strings.Join(p.T, "|"))
	}
	for _, want := range []string{"Title: Business associate agreement", "Heading1: 1. Terms — “quoted”", ": First line with Zoë Łukasiewicz.|Second line & <tags>.", "ListParagraph1: an item",
		"ListParagraph2: step two", "ListParagraph3: again one", "Heading2: Signatures", "Note: Not yet signed.|Nothing is released under it.", "Party: For Helio AI", "Proof: Ada Okafor, Privacy officer"} {
		if !slices.Contains(got, want) {
			t.Errorf("no paragraph %q in %q", want, got)
		}
	}
	table := doc.Body.Tbl[1]
	if table.Tr[0].Head == nil || len(table.Tr) != 72 || table.Tr[70].Tc[0].T[0] != "row-69" {
		t.Errorf("the table has %d rows, and its head is %v", len(table.Tr), table.Tr[0].Head)
	}
	for name := range parts {
		if name != "[Content_Types].xml" && !strings.HasSuffix(name, ".rels") && !bytes.Contains(parts["[Content_Types].xml"], []byte(`PartName="/`+name+`"`)) {
			t.Errorf("%s has no content type", name)
		}
	}
}

func TestWhatCannotBeDrawnIsRefused(t *testing.T) {
	for name, change := range map[string]func(*Document){
		"no title":         func(d *Document) { d.Title = " " },
		"no date":          func(d *Document) { d.Date = time.Time{} },
		"a third level":    func(d *Document) { d.Body = []Block{Heading{3, "x"}} },
		"a ragged table":   func(d *Document) { d.Body = []Block{Table{Head: []string{"a", "b"}, Rows: [][]string{{"1"}}}} },
		"a headless table": func(d *Document) { d.Body = []Block{Table{Rows: [][]string{{"1"}}}} },
		"widths":           func(d *Document) { d.Body = []Block{Table{Head: []string{"a"}, Widths: []float64{0}}} },
		"no block":         func(d *Document) { d.Body = []Block{nil} },
	} {
		d := sample()
		change(&d)
		if _, err := PDF(d); err == nil {
			t.Errorf("%s: a PDF was drawn", name)
		}
		if _, err := DOCX(d); err == nil {
			t.Errorf("%s: a DOCX was written", name)
		}
	}
}

func TestTextHasEveryWord(t *testing.T) {
	got := Text(sample())
	for _, want := range []string{"Mercy Valley Health\nBusiness associate agreement\n", "2. step two", "- an item", "Party: Helio AI, Inc.", "row-69 | ", "Note: Not yet signed.", "Signature: ____"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in the text", want)
		}
	}
}

func BenchmarkPDF(b *testing.B) {
	d := sample()
	for b.Loop() {
		if _, err := PDF(d); err != nil {
			b.Fatal(err)
		}
	}
}

package paper

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"
)

// DOCX writes the document as Office Open XML (ECMA-376) for word processors, with real
// headings, lists, table heads and page numbers. The same document gives the same bytes.
func DOCX(d Document) ([]byte, error) {
	if err := check(d); err != nil {
		return nil, err
	}
	w := &words{}
	w.document(d)
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	// The default level may change with Go; what is stored is what was made, and a
	// digest is of that.
	z.RegisterCompressor(zip.Deflate, func(o io.Writer) (io.WriteCloser, error) { return flate.NewWriter(o, flate.BestCompression) })
	for _, part := range []struct{ name, xml string }{
		{"[Content_Types].xml", contentTypes},
		{"_rels/.rels", packageRels},
		{"docProps/core.xml", core(d)},
		{"word/document.xml", w.String()},
		{"word/_rels/document.xml.rels", documentRels},
		{"word/styles.xml", styles},
		{"word/numbering.xml", numbering(w.numbered)},
		{"word/settings.xml", settings},
		{"word/footer1.xml", footer(d)},
	} {
		f, err := z.CreateHeader(&zip.FileHeader{Name: part.name, Method: zip.Deflate, Modified: d.Date.UTC().Truncate(2 * time.Second)})
		if err != nil {
			return nil, fmt.Errorf("write DOCX: %w", err)
		}
		if _, err := io.WriteString(f, xml.Header+part.xml); err != nil {
			return nil, fmt.Errorf("write DOCX: %w", err)
		}
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("write DOCX: %w", err)
	}
	return out.Bytes(), nil
}

// words writes the body of word/document.xml.
type words struct {
	strings.Builder
	numbered int // numbered lists so far: each has its own numbering, from 1
}

// textWidth is of the line in twentieths of a point: Letter less two margins.
const textWidth = 12240 - 2*1247

func (w *words) document(d Document) {
	w.WriteString(`<w:document xmlns:w="` + wordNS + `" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><w:body>`)
	if d.Issuer != "" {
		w.para("Issuer", "", d.Issuer)
	}
	w.para("Title", "", d.Title)
	if d.Subtitle != "" {
		w.para("Subtitle", "", d.Subtitle)
	}
	w.para("Date", "", d.Date.UTC().Format(dateForm))
	for _, b := range d.Body {
		w.block(b)
	}
	w.WriteString(`<w:sectPr><w:footerReference w:type="default" r:id="rId4"/><w:pgSz w:w="12240" w:h="15840"/>` +
		`<w:pgMar w:top="1247" w:right="1247" w:bottom="1247" w:left="1247" w:header="624" w:footer="624" w:gutter="0"/></w:sectPr></w:body></w:document>`)
}

func (w *words) block(b Block) {
	switch b := b.(type) {
	case Heading:
		w.para(fmt.Sprintf("Heading%d", b.Level), "", b.Text)
	case Paragraph:
		w.para("", "", b.Text)
	case Note:
		w.para("Note", "", b.Text)
	case List:
		num := 1
		if b.Numbered {
			w.numbered++
			num = 1 + w.numbered
		}
		for _, item := range b.Items {
			w.para("ListParagraph", fmt.Sprintf(`<w:numPr><w:ilvl w:val="0"/><w:numId w:val="%d"/></w:numPr>`, num), item)
		}
	case Table:
		w.table(b)
	case Facts:
		if len(b.Rows) == 0 {
			return
		}
		w.openTable("", []float64{.32, .68})
		for _, row := range b.Rows {
			w.WriteString(`<w:tr><w:trPr><w:cantSplit/></w:trPr>`)
			w.cell(.32, "Strong", row[0])
			w.cell(.68, "", row[1])
			w.WriteString(`</w:tr>`)
		}
		w.WriteString(`</w:tbl>`)
		w.para("", "", "")
	case SignatureLine:
		w.para("Party", "<w:keepNext/>", "For "+b.Party)
		if b.At.IsZero() {
			w.para("", "<w:keepNext/>", "Signature: ________________________________   Date: ________________")
		}
		for _, s := range b.signed() {
			w.para("Proof", "<w:keepLines/>", s)
		}
	}
}

func (w *words) openTable(style string, shares []float64) {
	w.WriteString(`<w:tbl><w:tblPr>`)
	if style != "" {
		w.WriteString(`<w:tblStyle w:val="` + style + `"/>`)
	}
	fmt.Fprintf(w, `<w:tblW w:w="%d" w:type="dxa"/><w:tblLayout w:type="fixed"/></w:tblPr><w:tblGrid>`, textWidth)
	for _, s := range shares {
		fmt.Fprintf(w, `<w:gridCol w:w="%d"/>`, int(s*textWidth))
	}
	w.WriteString(`</w:tblGrid>`)
}

func (w *words) table(t Table) {
	shares := t.shares()
	w.openTable("Grid", shares)
	w.WriteString(`<w:tr><w:trPr><w:cantSplit/><w:tblHeader/></w:trPr>`)
	for i, c := range t.Head {
		w.cell(shares[i], "TableHead", c)
	}
	w.WriteString(`</w:tr>`)
	for _, row := range t.Rows {
		w.WriteString(`<w:tr>`)
		for i, c := range row {
			w.cell(shares[i], "TableText", c)
		}
		w.WriteString(`</w:tr>`)
	}
	w.WriteString(`</w:tbl>`)
	w.para("", "", "") // Word joins tables that touch
}

func (w *words) cell(share float64, style, text string) {
	fmt.Fprintf(w, `<w:tc><w:tcPr><w:tcW w:w="%d" w:type="dxa"/></w:tcPr>`, int(share*textWidth))
	w.para(style, "", text)
	w.WriteString(`</w:tc>`)
}

// para writes a paragraph. What is more than its style stands after the style, in the
// order that the schema demands.
func (w *words) para(style, more, text string) {
	w.WriteString(`<w:p>`)
	if style != "" || more != "" {
		w.WriteString(`<w:pPr>`)
		if style != "" {
			w.WriteString(`<w:pStyle w:val="` + style + `"/>`)
		}
		w.WriteString(more + `</w:pPr>`)
	}
	w.run(text)
	w.WriteString(`</w:p>`)
}

func (w *words) run(text string) {
	for i, l := range strings.Split(plain(text), "\n") {
		if l == "" && i == 0 {
			continue
		}
		w.WriteString(`<w:r>`)
		if i > 0 {
			w.WriteString(`<w:br/>`)
		}
		w.WriteString(`<w:t xml:space="preserve">` + escape(l) + `</w:t></w:r>`)
	}
}

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(plain(s))) // a Builder takes everything
	return b.String()
}

const (
	wordNS = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"

	contentTypes = `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">` +
		`<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>` +
		`<Default Extension="xml" ContentType="application/xml"/>` +
		`<Override PartName="/docProps/core.xml" ContentType="application/vnd.openxmlformats-package.core-properties+xml"/>` +
		`<Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/>` +
		`<Override PartName="/word/styles.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.styles+xml"/>` +
		`<Override PartName="/word/numbering.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.numbering+xml"/>` +
		`<Override PartName="/word/settings.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.settings+xml"/>` +
		`<Override PartName="/word/footer1.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.footer+xml"/></Types>`

	packageRels = `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">` +
		`<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/>` +
		`<Relationship Id="rId2" Type="http://schemas.openxmlformats.org/package/2006/relationships/metadata/core-properties" Target="docProps/core.xml"/></Relationships>`

	documentRels = `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">` +
		`<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles" Target="styles.xml"/>` +
		`<Relationship Id="rId2" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/numbering" Target="numbering.xml"/>` +
		`<Relationship Id="rId3" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/settings" Target="settings.xml"/>` +
		`<Relationship Id="rId4" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/footer" Target="footer1.xml"/></Relationships>`

	settings = `<w:settings xmlns:w="` + wordNS + `"><w:defaultTabStop w:val="720"/><w:themeFontLang w:val="` + language + `"/></w:settings>`

	// styles are the plain ones that word processors know by these names, so that a
	// reader can restyle the paper and an outline shows its sections.
	styles = `<w:styles xmlns:w="` + wordNS + `"><w:docDefaults><w:rPrDefault><w:rPr>` +
		`<w:rFonts w:ascii="Arial" w:hAnsi="Arial" w:cs="Arial" w:eastAsia="Arial"/><w:sz w:val="20"/><w:szCs w:val="20"/><w:lang w:val="` + language + `"/></w:rPr></w:rPrDefault>` +
		`<w:pPrDefault><w:pPr><w:spacing w:after="120" w:line="264" w:lineRule="auto"/></w:pPr></w:pPrDefault></w:docDefaults>` +
		`<w:style w:type="paragraph" w:default="1" w:styleId="Normal"><w:name w:val="Normal"/></w:style>` +
		`<w:style w:type="table" w:default="1" w:styleId="TableNormal"><w:name w:val="Normal Table"/><w:tblPr><w:tblCellMar><w:left w:w="80" w:type="dxa"/><w:right w:w="80" w:type="dxa"/></w:tblCellMar></w:tblPr></w:style>` +
		`<w:style w:type="paragraph" w:styleId="Title"><w:name w:val="Title"/><w:basedOn w:val="Normal"/><w:pPr><w:keepNext/><w:spacing w:after="80"/></w:pPr><w:rPr><w:b/><w:sz w:val="36"/></w:rPr></w:style>` +
		`<w:style w:type="paragraph" w:styleId="Subtitle"><w:name w:val="Subtitle"/><w:basedOn w:val="Normal"/></w:style>` +
		`<w:style w:type="paragraph" w:styleId="Issuer"><w:name w:val="Issuer"/><w:basedOn w:val="Normal"/><w:rPr><w:b/><w:color w:val="5F5F5F"/></w:rPr></w:style>` +
		`<w:style w:type="paragraph" w:styleId="Date"><w:name w:val="Date"/><w:basedOn w:val="Normal"/><w:pPr><w:spacing w:after="240"/></w:pPr><w:rPr><w:color w:val="5F5F5F"/></w:rPr></w:style>` +
		`<w:style w:type="paragraph" w:styleId="Heading1"><w:name w:val="heading 1"/><w:basedOn w:val="Normal"/><w:next w:val="Normal"/><w:pPr><w:keepNext/><w:spacing w:before="240" w:after="80"/><w:outlineLvl w:val="0"/></w:pPr><w:rPr><w:b/><w:sz w:val="27"/></w:rPr></w:style>` +
		`<w:style w:type="paragraph" w:styleId="Heading2"><w:name w:val="heading 2"/><w:basedOn w:val="Normal"/><w:next w:val="Normal"/><w:pPr><w:keepNext/><w:spacing w:before="180" w:after="60"/><w:outlineLvl w:val="1"/></w:pPr><w:rPr><w:b/><w:sz w:val="22"/></w:rPr></w:style>` +
		`<w:style w:type="paragraph" w:styleId="ListParagraph"><w:name w:val="List Paragraph"/><w:basedOn w:val="Normal"/><w:pPr><w:spacing w:after="60"/></w:pPr></w:style>` +
		`<w:style w:type="paragraph" w:styleId="Note"><w:name w:val="Note"/><w:basedOn w:val="Normal"/><w:pPr><w:pBdr><w:left w:val="single" w:sz="24" w:space="8" w:color="5A5A5A"/></w:pBdr><w:shd w:val="clear" w:color="auto" w:fill="F2F2EC"/><w:ind w:left="200"/></w:pPr></w:style>` +
		`<w:style w:type="paragraph" w:styleId="Strong"><w:name w:val="Fact"/><w:basedOn w:val="Normal"/><w:pPr><w:spacing w:after="40"/></w:pPr><w:rPr><w:b/></w:rPr></w:style>` +
		`<w:style w:type="paragraph" w:styleId="Party"><w:name w:val="Party"/><w:basedOn w:val="Strong"/><w:pPr><w:keepNext/><w:spacing w:before="240" w:after="120"/></w:pPr></w:style>` +
		`<w:style w:type="paragraph" w:styleId="Proof"><w:name w:val="Proof"/><w:basedOn w:val="Normal"/><w:pPr><w:spacing w:after="20"/></w:pPr><w:rPr><w:sz w:val="16"/></w:rPr></w:style>` +
		`<w:style w:type="paragraph" w:styleId="TableText"><w:name w:val="Table Text"/><w:basedOn w:val="Normal"/><w:pPr><w:spacing w:before="30" w:after="30" w:line="240" w:lineRule="auto"/></w:pPr><w:rPr><w:sz w:val="17"/></w:rPr></w:style>` +
		`<w:style w:type="paragraph" w:styleId="TableHead"><w:name w:val="Table Head"/><w:basedOn w:val="TableText"/><w:rPr><w:b/></w:rPr></w:style>` +
		`<w:style w:type="paragraph" w:styleId="Footer"><w:name w:val="footer"/><w:basedOn w:val="Normal"/><w:pPr><w:tabs><w:tab w:val="right" w:pos="9746"/></w:tabs></w:pPr><w:rPr><w:color w:val="5F5F5F"/><w:sz w:val="16"/></w:rPr></w:style>` +
		`<w:style w:type="table" w:styleId="Grid"><w:name w:val="Table Grid"/><w:basedOn w:val="TableNormal"/><w:tblPr><w:tblBorders>` +
		`<w:top w:val="single" w:sz="4" w:color="BEBEBE"/><w:left w:val="single" w:sz="4" w:color="BEBEBE"/><w:bottom w:val="single" w:sz="4" w:color="BEBEBE"/><w:right w:val="single" w:sz="4" w:color="BEBEBE"/>` +
		`<w:insideH w:val="single" w:sz="4" w:color="BEBEBE"/><w:insideV w:val="single" w:sz="4" w:color="BEBEBE"/></w:tblBorders></w:tblPr></w:style></w:styles>`
)

func core(d Document) string {
	at := d.Date.UTC().Format("2006-01-02T15:04:05Z")
	return `<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties" xmlns:dc="http://purl.org/dc/elements/1.1/" ` +
		`xmlns:dcterms="http://purl.org/dc/terms/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">` +
		`<dc:title>` + escape(d.Title) + `</dc:title><dc:creator>` + escape(d.Issuer) + `</dc:creator><dc:language>` + language + `</dc:language>` +
		`<dcterms:created xsi:type="dcterms:W3CDTF">` + at + `</dcterms:created><dcterms:modified xsi:type="dcterms:W3CDTF">` + at + `</dcterms:modified></cp:coreProperties>`
}

// numbering has a bullet list, and one list of numbers for each numbered list, which
// begins at 1.
func numbering(lists int) string {
	var b strings.Builder
	level := func(form, text string) string {
		return `<w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="` + form + `"/><w:lvlText w:val="` + text + `"/><w:lvlJc w:val="left"/><w:pPr><w:ind w:left="360" w:hanging="360"/></w:pPr></w:lvl>`
	}
	b.WriteString(`<w:numbering xmlns:w="` + wordNS + `"><w:abstractNum w:abstractNumId="0"><w:multiLevelType w:val="singleLevel"/>` + level("bullet", "•") + `</w:abstractNum>` +
		`<w:abstractNum w:abstractNumId="1"><w:multiLevelType w:val="singleLevel"/>` + level("decimal", "%1.") + `</w:abstractNum><w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num>`)
	for i := range lists {
		fmt.Fprintf(&b, `<w:num w:numId="%d"><w:abstractNumId w:val="1"/><w:lvlOverride w:ilvl="0"><w:startOverride w:val="1"/></w:lvlOverride></w:num>`, i+2)
	}
	b.WriteString(`</w:numbering>`)
	return b.String()
}

func footer(d Document) string {
	field := func(name string) string {
		return `<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText xml:space="preserve"> ` + name + ` </w:instrText></w:r><w:r><w:fldChar w:fldCharType="separate"/></w:r><w:r><w:t>1</w:t></w:r><w:r><w:fldChar w:fldCharType="end"/></w:r>`
	}
	return `<w:ftr xmlns:w="` + wordNS + `"><w:p><w:pPr><w:pStyle w:val="Footer"/></w:pPr><w:r><w:t xml:space="preserve">` + escape(d.Foot) + `</w:t></w:r>` +
		`<w:r><w:tab/><w:t xml:space="preserve">Page </w:t></w:r>` + field("PAGE") + `<w:r><w:t xml:space="preserve"> of </w:t></w:r>` + field("NUMPAGES") + `</w:p></w:ftr>`
}

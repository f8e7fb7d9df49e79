package registry

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/problem"
)

const (
	docx = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
	xlsx = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
)

// office makes an office document of parts, each with its text.
func office(parts ...string) string {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(parts); i += 2 {
		w, err := z.Create(parts[i])
		if err == nil {
			_, err = w.Write([]byte(parts[i+1]))
		}
		if err != nil {
			panic(err) // a buffer takes everything
		}
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return b.String()
}

const pdf = "%PDF-1.7\n1 0 obj <</Type /Catalog>> endobj\n2 0 obj <</Length 9>> stream\n/JS /Launch\nendstream endobj\n%%EOF"

// TestADocumentIsWhatItIsSaidToBe, and nothing that acts when it is opened.
func TestADocumentIsWhatItIsSaidToBe(t *testing.T) {
	types := "[Content_Types].xml"
	bomb := []string{types, "<Types/>", "word/document.xml", "<w/>"}
	for i := range 8 {
		bomb = append(bomb, fmt.Sprintf("word/_rels/%d.rels", i), strings.Repeat(" ", 1<<20))
	}
	for _, tt := range []struct {
		name, media, content string
		ok                   bool
	}{
		{"a PDF; what is in a stream is data", "application/pdf", pdf, true},
		{"a PDF's parameter", "Application/PDF; version=1.7", pdf, true},
		{"a PDF that runs", "application/pdf", strings.Replace(pdf, "/Catalog", "/Catalog /OpenAction <</S /JavaScript /JS (x)>>", 1), false},
		{"a PDF that runs, in hex", "application/pdf", strings.Replace(pdf, "/Catalog", "/Catalog /OpenAction <</S /J#61vaScript>>", 1), false},
		{"a PDF that starts programs", "application/pdf", strings.Replace(pdf, "/Catalog", "/Catalog /AA<</S/Launch>>", 1), false},
		{"a PDF whose stream has no end", "application/pdf", "%PDF-1.7 stream", false},
		{"text as a PDF", "application/pdf", "hello", false},
		{"a page as a PDF", "application/pdf", "<html>", false},
		{"Word", docx, office(types, "<Types/>", "word/document.xml", "<w/>"), true},
		{"Excel", xlsx, office(types, "<Types/>", "xl/workbook.xml", "<w/>"), true},
		{"Word as Excel", xlsx, office(types, "<Types/>", "word/document.xml", "<w/>"), false},
		{"any zip", docx, office("a.txt", "x"), false},
		{"Word with macros", docx, office(types, "<Types/>", "word/document.xml", "<w/>", "word/vbaProject.bin", "x"), false},
		{"Word that says it has macros", docx, office(types, `<Types><O ContentType="application/vnd.ms-word.document.macroEnabled.main+xml"/></Types>`, "word/document.xml", "<w/>"), false},
		{"Word with a template from elsewhere", docx, office(types, "<Types/>", "word/document.xml", "<w/>", "word/_rels/settings.xml.rels", `<R Type="x/attachedTemplate" Target="https://e" TargetMode="External"/>`), false},
		{"the same, letter by letter", docx, office(types, "<Types/>", "word/document.xml", "<w/>", "word/_rels/settings.xml.rels", `<R Type="x/attached&#84;emplate" Target="https://e"/>`), false},
		{"the same, by an entity", docx, office(types, "<Types/>", "word/document.xml", "<w/>", "word/_rels/settings.xml.rels", `<!DOCTYPE R [<!ENTITY t "T">]><R Type="x/attached&t;emplate" Target="https://e"/>`), false},
		{"the same, in UTF-16", docx, office(types, "<Types/>", "word/document.xml", "<w/>", "word/_rels/settings.xml.rels", "\xff\xfe<\x00R\x00"), false},
		{"Word with an object", docx, office(types, "<Types/>", "word/document.xml", "<w/>", "word/embeddings/a.bin", "x"), false},
		{"parts that unpack to more than anybody reads", docx, office(bomb...), false},
		{"a part twice", docx, office(types, "<Types/>", "word/document.xml", "<w/>", "WORD/document.xml", "<w/>"), false},
		{"cut off", docx, office(types, "<Types/>", "word/document.xml", "<w/>")[:40], false},
		{"PNG", "image/png", "\x89PNG\r\n\x1a\n....", true},
		{"JPEG", "image/jpeg", "\xff\xd8\xff\xe0....", true},
		{"PNG as JPEG", "image/jpeg", "\x89PNG\r\n\x1a\n....", false},
		{"a drawing", "image/svg+xml", "<svg/>", false},
		{"a page", "text/html", "<html></html>", false},
		{"a page as text", "text/plain", "\ufeff \n<!DOCTYPE html><html></html>", false},
		{"a drawing as CSV", "text/csv", "<svg onload=x>", false},
		{"text", "text/plain; charset=utf-8", "The agreement. <3", true},
		{"not UTF-8", "text/plain", "caf\xe9", false},
		{"bytes", "text/plain", "a\x00b", false},
		{"JSON", "application/json", `{"a": 1}`, true},
		{"no JSON", "application/json", `{"a": 1`, false},
		{"XML", "application/xml", `<?xml version="1.0"?><a xmlns="urn:x">b</a>`, true},
		{"XML with a document type", "text/xml", `<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>`, false},
		{"XML that is a drawing", "application/xml", `<s:x xmlns:s="http://www.w3.org/2000/svg"/>`, false},
		{"XML with a stylesheet", "application/xml", `<?xml-stylesheet href="x"?><a/>`, false},
		{"two halves of XML", "application/xml", `<a>`, false},
		{"a signature", "application/pkcs7-signature", "\x30\x82\x01\x00\x06", true},
		{"no signature", "application/pkcs7-signature", "hello", false},
		{"a program", "application/octet-stream", "MZ", false},
		{"nothing said", "", "x", false},
	} {
		err := checkMedia(tt.media, []byte(tt.content))
		if (err == nil) != tt.ok {
			t.Errorf("%s: got %v", tt.name, err)
		}
		if p := problem.From(err); err != nil && (p.Kind != problem.Invalid || p.Field == "" || p.NextStep == "") {
			t.Errorf("%s: the problem %+v does not say what to do", tt.name, p)
		}
	}
}

// FuzzMedia: whatever comes is taken or refused, and does not stop the program.
func FuzzMedia(f *testing.F) {
	for _, m := range MediaTypes() {
		f.Add(m, []byte(pdf))
		f.Add(m, []byte(office("[Content_Types].xml", "<Types/>", "word/document.xml", "<w/>")))
		f.Add(m, []byte("<?xml version=\"1.0\"?><a/>"))
		f.Add(m, []byte("{\"a\":[1]}"))
	}
	f.Fuzz(func(_ *testing.T, mediaType string, content []byte) {
		_ = checkMedia(mediaType, content) // that it comes back is the test
	})
}

// TestNothingIsStoredUnscanned: where there is a scanner, its no and its silence refuse.
func TestNothingIsStoredUnscanned(t *testing.T) {
	r := &Registry{o: Options{ScannedBy: "clamd"}}
	d := NewDocument("text/plain", []byte("x"))
	if _, err := r.scanned(t.Context(), Actor{}, PutDocument{ScannedBy: "me"}, Meta{}); err == nil {
		t.Error("a caller says itself that it was scanned")
	}
	if got, err := r.scanned(t.Context(), Actor{}, d, Meta{}); err != nil || got.(PutDocument).ScannedBy != "" {
		t.Errorf("without a scanner: got %v and %v", got, err)
	}
	for _, tt := range []struct {
		name  string
		clean bool
		err   error
		kind  problem.Kind
	}{{"away", true, errors.New("no answer"), problem.Unavailable}, {"harmful", false, nil, problem.Invalid}} {
		r.o.Scan = func(context.Context, []byte) (bool, error) { return tt.clean, tt.err }
		if _, err := r.afterScan(t.Context(), d); problem.From(err).Kind != tt.kind {
			t.Errorf("%s: got %v", tt.name, err)
		}
	}
	r.o.Scan = func(context.Context, []byte) (bool, error) { return true, nil }
	if got, err := r.afterScan(t.Context(), d); err != nil || got.(PutDocument).ScannedBy != "clamd" {
		t.Errorf("clean: got %v and %v", got, err)
	}
}

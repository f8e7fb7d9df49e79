package registry

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// media is what a document may be, and how each kind is known by its bytes. What is not
// here is refused: a page, a drawing or a program that runs when it is opened is no
// paper. The check cannot see into what is compressed inside a PDF; a scanner can (see
// Options.Scan).
var media = map[string]func([]byte) error{
	"application/pdf": pdfOnly,
	"application/vnd.openxmlformats-officedocument.wordprocessingml.document": officeOnly("word/document.xml"),
	"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet":       officeOnly("xl/workbook.xml"),
	"image/png":                   begins("\x89PNG\r\n\x1a\n"),
	"image/jpeg":                  begins("\xff\xd8\xff"),
	"text/plain":                  textOnly,
	"text/markdown":               textOnly,
	"text/csv":                    textOnly,
	"application/json":            jsonOnly,
	"application/xml":             xmlOnly,
	"text/xml":                    xmlOnly,
	"application/pkcs7-signature": signatureOnly,
	"application/pkcs7-mime":      signatureOnly,
}

// MediaTypes lists what a document may be, sorted.
func MediaTypes() []string { return slices.Sorted(maps.Keys(media)) }

// checkMedia wants the content to be what it is said to be, and nothing that acts by
// itself.
func checkMedia(mediaType string, content []byte) error {
	name, _, _ := strings.Cut(mediaType, ";")
	kind := strings.ToLower(strings.TrimSpace(name))
	is, ok := media[kind]
	if !ok {
		return badField("media_type", fmt.Sprintf("%q is not stored", kind), "Use one of "+strings.Join(MediaTypes(), ", "))
	}
	if err := is(content); err != nil {
		return badField("content", "is not "+kind+" that can be stored: "+err.Error(), "Send the paper itself, without macros, scripts or pages; a PDF is best")
	}
	return nil
}

var errOther = errors.New("its bytes are those of something else")

func begins(with string) func([]byte) error {
	return func(b []byte) error {
		if !bytes.HasPrefix(b, []byte(with)) {
			return errOther
		}
		return nil
	}
}

// activePDF are names in a PDF of what acts when it is opened (ISO 32000-2, 12.6.4).
var activePDF = []string{"JavaScript", "JS", "Launch", "RichMedia", "XFA", "ImportData"}

// pdfOnly looks at the names outside streams, as a reader would read them: a letter may
// be written as #4A.
func pdfOnly(b []byte) error {
	if !bytes.HasPrefix(b, []byte("%PDF-")) {
		return errOther
	}
	for len(b) > 0 {
		head, rest, found := bytes.Cut(b, []byte("stream"))
		if name := activeName(head); name != "" {
			return fmt.Errorf("it holds /%s, which acts when it is opened", name)
		}
		if !found {
			return nil
		}
		if _, b, found = bytes.Cut(rest, []byte("endstream")); !found {
			return errors.New("it is cut off")
		}
	}
	return nil
}

func activeName(b []byte) string {
	for {
		i := bytes.IndexByte(b, '/')
		if i < 0 {
			return ""
		}
		b = b[i+1:]
		var name []byte
		for n := 0; n < len(b) && len(name) < 32 && !strings.ContainsRune(" \t\r\n\f\x00()<>[]{}/%", rune(b[n])); n++ {
			c := b[n]
			if c == '#' && n+2 < len(b) {
				if hi, lo := unhex(b[n+1]), unhex(b[n+2]); hi >= 0 && lo >= 0 {
					c, n = byte(hi<<4|lo), n+2
				}
			}
			name = append(name, c)
		}
		if slices.Contains(activePDF, string(name)) {
			return string(name)
		}
	}
}

func unhex(c byte) int { return strings.IndexByte("0123456789abcdef", c|0x20) }

const (
	maxParts     = 5000    // files in an office document
	maxPartsText = 4 << 20 // of all parts that are read, unpacked
)

// officeOnly wants an office document (ISO/IEC 29500) with the main part, and without
// macros, controls, embedded objects or a template from elsewhere.
func officeOnly(main string) func([]byte) error {
	return func(b []byte) error {
		z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return errOther
		}
		if len(z.File) > maxParts {
			return errors.New("it has too many parts")
		}
		found := map[string]bool{}
		left := maxPartsText
		for _, f := range z.File {
			name := strings.ToLower(f.Name)
			if found[name] {
				return errors.New("it has a part twice")
			}
			found[name] = true
			for _, bad := range []string{"vbaproject", "vbadata", "activex", "/embeddings/", "oleobject", "macrosheets"} {
				if strings.Contains(name, bad) {
					return errors.New("it holds macros or embedded objects")
				}
			}
			if name != "[content_types].xml" && !strings.HasSuffix(name, ".rels") {
				continue
			}
			text, err := wholePart(f, left)
			if err != nil {
				return err
			}
			left -= len(text)
			// In another encoding, or letter by letter, a word would not be found below.
			if !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0 || bytes.Contains(text, []byte("&#")) || bytes.Contains(text, []byte("<!")) {
				return errors.New("a part that says what it holds is not plain UTF-8")
			}
			for _, bad := range []string{"macroenabled", "vbaproject", "oleobject", "attachedtemplate", "/frame\""} {
				if bytes.Contains(bytes.ToLower(text), []byte(bad)) {
					return errors.New("it holds macros, embedded objects or a template from elsewhere")
				}
			}
		}
		if !found["[content_types].xml"] || !found[main] {
			return errOther
		}
		return nil
	}
}

// wholePart unpacks a part. However many parts there are, and though a few bytes unpack to
// many, the registry looks at little: it looks while others wait.
func wholePart(f *zip.File, most int) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, errors.New("it is damaged")
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, int64(most)+1))
	if err != nil || len(text) > most {
		return nil, errors.New("it is damaged, or its parts are too long")
	}
	return text, nil
}

// pages are beginnings of what a browser would run.
var pages = []string{"<!doctype", "<html", "<head", "<body", "<script", "<svg", "<?xml", "<iframe"}

func textOnly(b []byte) error {
	if !utf8.Valid(b) || bytes.IndexByte(b, 0) >= 0 {
		return errors.New("it is not text in UTF-8")
	}
	head := bytes.ToLower(bytes.TrimSpace(bytes.TrimPrefix(b[:min(len(b), 1024)], []byte("\ufeff"))))
	for _, p := range pages {
		if bytes.HasPrefix(head, []byte(p)) {
			return errors.New("it is a page or a drawing, not text")
		}
	}
	return nil
}

func jsonOnly(b []byte) error {
	if !utf8.Valid(b) || !json.Valid(b) {
		return errOther
	}
	return nil
}

// xmlOnly wants well-formed XML without a document type (which can name other files),
// and nothing that a browser would run.
func xmlOnly(b []byte) error {
	d := xml.NewDecoder(bytes.NewReader(b))
	elements := 0
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			if elements == 0 {
				return errOther
			}
			return nil
		}
		if err != nil {
			return errOther
		}
		switch t := t.(type) {
		case xml.Directive:
			return errors.New("it has a document type")
		case xml.ProcInst:
			if t.Target != "xml" {
				return errors.New("it has an instruction for a program")
			}
		case xml.StartElement:
			elements++
			if space := strings.ToLower(t.Name.Space); strings.Contains(space, "xhtml") || strings.Contains(space, "/svg") || slices.Contains([]string{"html", "svg", "script"}, strings.ToLower(t.Name.Local)) {
				return errors.New("it is a page or a drawing")
			}
		}
	}
}

// signatureOnly wants CMS (RFC 5652), in DER or PEM.
func signatureOnly(b []byte) error {
	if len(b) > 4 && b[0] == 0x30 || bytes.HasPrefix(b, []byte("-----BEGIN PKCS7-----")) || bytes.HasPrefix(b, []byte("-----BEGIN CMS-----")) {
		return nil
	}
	return errOther
}

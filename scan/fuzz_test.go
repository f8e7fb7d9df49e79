package scan

import (
	"bytes"
	"strings"
	"testing"
)

// noText is the finder of the fuzz targets: package text has its own.
var noText = &reader{rules: newRules(now)}

// whole says that no finding shows a value: an excerpt has at most two
// characters of it, and lines and columns count from 1.
func whole(t *testing.T, s *sheet) {
	t.Helper()
	for _, f := range s.found() {
		shown, _, ok := strings.Cut(f.Excerpt, " (")
		if n := len([]rune(shown)); !ok || n > 3 {
			t.Errorf("an excerpt shows too much: %q", f.Excerpt)
		}
		if f.Line < 1 || f.Column < 1 || f.Count < 1 || f.Confidence <= 0 || f.Confidence >= 1 || len(f.Fingerprint) != 35 {
			t.Errorf("a finding is not whole: %+v", f)
		}
	}
}

func fuzzSheet() *sheet { return newSheet("f", "f", "", bytes.Repeat([]byte{1}, MinKey), .01) }

func FuzzNotebook(f *testing.F) {
	f.Add([]byte(notebookFile), true)
	for _, c := range files {
		f.Add([]byte(c.text), strings.HasSuffix(c.name, "ipynb"))
	}
	f.Add([]byte(`{"cells":[{"source":"MRN: 48812907","outputs":[{"text":["<td>"]}]}]}`), true)
	f.Add([]byte(`[[[[{"a":[{"resourceType":"Patient","name":[{"family":"Halvorsen"}]}]}]]]]`), false)
	f.Fuzz(func(t *testing.T, raw []byte, book bool) {
		s := fuzzSheet()
		if err := noText.json(s, bytes.NewReader(raw), book); err != nil && err != errNotJSON {
			t.Fatal("reading from memory failed")
		}
		whole(t, s)
	})
}

func FuzzTable(f *testing.F) {
	for _, c := range files {
		f.Add([]byte(c.text), byte(','))
	}
	f.Add([]byte("\"a\"\"b\";mrn\n\"unended"), byte(';'))
	f.Fuzz(func(t *testing.T, raw []byte, comma byte) {
		s := fuzzSheet()
		if err := noText.csv(s, bytes.NewReader(raw), comma); err != nil {
			t.Fatal("reading from memory failed")
		}
		whole(t, s)
	})
}

func FuzzText(f *testing.F) {
	for _, c := range files {
		f.Add([]byte(c.text), false)
	}
	for _, text := range innocent {
		f.Add([]byte(text), true)
	}
	f.Add(dicomFile(plantedName, plantedMRN), false)
	f.Fuzz(func(t *testing.T, raw []byte, code bool) {
		s := fuzzSheet()
		if err := noText.stream(s, bytes.NewReader(raw), code); err != nil {
			t.Fatal("reading from memory failed")
		}
		dicom(s, raw)
		formOf("x", raw)
		whole(t, s)
	})
}

func FuzzAllow(f *testing.F) {
	f.Add([]byte(goodAllow), "a/b/c.txt")
	f.Add([]byte("version: 1\npaths: [{glob: '**/**/**/x', reason: r}]\n"), "a/a/a/a/a/x")
	f.Add([]byte("version: 2\nunknown: [}"), "")
	f.Fuzz(func(t *testing.T, raw []byte, file string) {
		a, err := ParseAllow(raw, "f", now)
		if (a == nil) == (err == nil) {
			t.Fatal("neither a list nor an error, or both")
		}
		if a == nil {
			return
		}
		a.skips(file)
		if a.allows(Finding{rel: "", Category: "nothing"}) {
			t.Error("an exception holds for what it does not name")
		}
	})
}

package yamldoc

import (
	"errors"
	"io"
	"strings"
	"testing"
)

type inner struct {
	URL    string   `yaml:"url"`
	Values []string `yaml:"values"`
}

type outer struct {
	Extensions []inner `yaml:"extensions"`
}

// On this the library crashes.
const crash = "extensions:\n  - url: 0\n    values: !00\n000000000000000000000000000: #000000000000000"

func TestACrashOfTheLibraryIsAnError(t *testing.T) {
	err := New([]byte(crash)).Decode(new(outer))
	if err == nil || errors.Is(err, io.EOF) {
		t.Fatalf("got %v, want an error", err)
	}
	if text := Explain(err); text == "" {
		t.Error("the error says nothing")
	}
}

func TestAnUnknownKeyIsShown(t *testing.T) {
	err := New([]byte("extensionz: []\n")).Decode(new(outer))
	if err == nil || !strings.Contains(Explain(err), "extensionz") {
		t.Errorf("got %v", err)
	}
	if err := Loose([]byte("extensionz: []\n")).Decode(new(map[string]any)); err != nil {
		t.Errorf("loose: got %v", err)
	}
}

func TestDocumentsEnd(t *testing.T) {
	d := New([]byte("extensions: []\n---\nextensions: []\n"))
	for i := range 3 {
		err := d.Decode(new(outer))
		if (i < 2) != (err == nil) || i == 2 && !errors.Is(err, io.EOF) {
			t.Errorf("document %d: got %v", i, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{"", "extensions:\n- url: a\n  values: [b]\n", crash, "a: &a [*a]\n", "? {}\n: -\n", "---\n---\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		d := New(raw)
		for range 3 {
			if err := d.Decode(new(outer)); err != nil {
				_ = Explain(err)
				return
			}
		}
	})
}

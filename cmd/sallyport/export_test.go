package main

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
)

// TestAnExportHasEveryStoredDocument: whatever act brings a document along, the export
// knows it by the act's fields, and one that only names a document by its digest not.
func TestAnExportHasEveryStoredDocument(t *testing.T) {
	digest, kinds := strings.Repeat("ab", 32), 0
	for _, spec := range registry.Acts {
		a := spec.New()
		if _, brings := reflect.TypeOf(a).Elem().FieldByName("Content"); !brings {
			continue
		}
		kinds++
		v := reflect.ValueOf(a).Elem()
		for _, name := range []string{"Digest", "Document"} {
			if f := v.FieldByName(name); f.IsValid() {
				f.SetString(digest)
			}
		}
		named, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := stored(named); ok {
			t.Errorf("%s names a document, and is taken to store it", spec.Name)
		}
		v.FieldByName("MediaType").SetString("application/pdf")
		brought, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		if d, ok := stored(brought); !ok || d.Digest != digest || d.MediaType != "application/pdf" {
			t.Errorf("what %s stores is left out", spec.Name)
		}
	}
	if kinds < 3 {
		t.Errorf("%d acts bring documents along: the test does not look at them any more", kinds)
	}
}

// TestADocumentThatCannotBeReadIsNotCalledDestroyed, unless its keys were.
func TestADocumentThatCannotBeReadIsNotCalledDestroyed(t *testing.T) {
	under, plain := registry.PutDocument{Engagement: "e"}, registry.PutDocument{}
	gone, away := problem.New(problem.Refused, "the keys were destroyed", "n"), problem.New(problem.Unavailable, "the database does not answer", "n")
	if !keysGone(under, gone) || keysGone(under, away) || keysGone(plain, gone) {
		t.Error("an export would look whole, and lack a document")
	}
}

package fhir

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/sallyport/sallyport/deid"
	"github.com/sallyport/sallyport/fhir/spec"
)

// FuzzAppend: whatever comes in, what comes out is strict JSON of members that
// R4 defines, with a type in scope, and without an upstream id; and text that
// nobody checked stops neither the program nor, in either way, ends as more.
func FuzzAppend(f *testing.F) {
	for _, seed := range []string{
		basic, hidden, ``, `{}`, `[]`, `{"resourceType":"Basic"`, `"`, `{"resourceType":"Basic","id":"a\`,
		`{"resourceType":"Observation","id":"ZZID","status":"final","valueString":"Ann","_valueString":{"extension":[]},"effectiveDateTime":"2020-01-02"}`,
		`{"resourceType":"Observation","contained":[{"resourceType":"Patient","id":"p","name":[{"family":"Ann"}]}],"subject":{"reference":"#p"}}`,
		`{"resourceType":"Patient","meta":{"tag":[{"system":"http://hl7.org/fhir/x","code":"y"}],"lastUpdated":"2020-01-01T00:00:00Z"},"link":[{"other":{"reference":"Patient/ZZID/_history/1"},"type":"refer"}]}`,
		`{"resourceType":"Patient","extension":[{"url":"http://hl7.org/fhir/us/core/StructureDefinition/us-core-race","extension":[{"url":"ombCategory","valueCoding":{"code":"1"}}]}]}`,
		`{"resourceType":"QuestionnaireResponse","item":[{"linkId":"1","item":[{"linkId":"1.1","answer":[{"valueDate":"2020-01-02"}]}]}]}`,
	} {
		f.Add([]byte(seed))
	}
	plain := minimiser(f, everything(), func(o *Options) { o.URNs = true })
	dated := everything()
	dated.Dates = deid.KeepDates
	checked := minimiser(f, everything(), func(o *Options) { o.URNs, o.Checked = true, true })
	kept := minimiser(f, dated)
	f.Fuzz(func(t *testing.T, raw []byte) {
		out, info, err := plain.Append(nil, raw)
		if (err == nil && info.Outcome == Released) != (len(out) > 0) {
			t.Fatalf("outcome %v, error %v, and %d bytes", info.Outcome, err, len(out))
		}
		again, other, errChecked := checked.Append(nil, raw)
		if err == nil && (errChecked != nil || other != info || !bytes.Equal(again, out)) {
			t.Fatalf("checked before: %v, %v, %s\nchecked here: %v, %s", other, errChecked, again, info, out)
		}
		if _, _, err := kept.Append(nil, raw); (err == nil) != (info.Outcome != Withheld) {
			t.Fatalf("the date rule changes what is refused: %v", err)
		}
		strictly(t, plain.Outcome(nil, raw))
		if info.Outcome != Released {
			return
		}
		strictly(t, out)
		var v map[string]any
		if err := json.Unmarshal(out, &v); err != nil {
			t.Fatal(err)
		}
		delete(v, "resourceType")
		d, _ := spec.Lookup(info.Type)
		if len(v) > 0 {
			conforms(t, d, info.Type, v, false)
		}
	})
}

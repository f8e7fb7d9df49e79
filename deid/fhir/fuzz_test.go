package fhir

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

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

// FuzzFiles: whatever a file holds, under Safe Harbor what is written is strict
// JSON of R4, has no full date and no upstream id in it, and what is told of an
// error quotes nothing. The canary stands for a name.
func FuzzFiles(f *testing.F) {
	for _, seed := range []string{
		basic + "\n" + hidden + "\n",
		`{"resourceType":"Patient","id":"CANARY1","name":[{"family":"CANARY1"}],"birthDate":"1950-01-02","address":[{"line":["CANARY1"],"postalCode":"02139","state":"MA"}]}`,
		`{"resourceType":"Bundle","type":"transaction","entry":[{"fullUrl":"urn:uuid:0cbfa8d5-1c2b-4d5e-8f00-112233445566","resource":{"resourceType":"Condition","subject":{"reference":"Patient/CANARY1"},"onsetAge":{"value":1e9,"code":"a"}},"request":{"method":"PUT","url":"Patient/CANARY1"}}]}`,
		`{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"30525-0","display":"x"}]},"valueQuantity":{"value":-0,"unit":"mo"},"effectiveTiming":{"event":["2020-01-02"],"_event":[null]}}`,
		`{"resourceType":"DiagnosticReport","conclusion":"Ann \u0041nn","presentedForm":[{"contentType":"text/html","data":"PGI+QW5u"}],"text":{"status":"generated","div":"<div><p>Ann</p></div>"}}`,
		"\ufeff{}", "\n\n", "[", `{"resourceType":"Bundle","entry":[{}]}`, `{"entry":[],"resourceType":"Bundle"}`,
	} {
		f.Add([]byte(seed))
	}
	harbor := under(f, deid.SafeHarborProfile, func(o *Options) { o.MaxBytes = 1 << 16 })
	notes := under(f, "notes", func(o *Options) { o.MaxBytes, o.Records = 1<<16, recordOf{} })
	study := under(f, "study", func(o *Options) { o.MaxBytes, o.Records = 1<<16, recordOf{} })
	skip := func(_ int64, _ Info, err error) error {
		if err != nil && strings.Contains(err.Error(), "CANARY") {
			panic("an error quotes the file")
		}
		return nil
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, m := range []*Minimiser{harbor, notes, study} {
			var lines, doc bytes.Buffer
			files := NewFiles(m, skip)
			if err := files.NDJSON(&lines, bytes.NewReader(raw)); err != nil {
				t.Fatal(err)
			}
			err := files.JSON(&doc, bytes.NewReader(raw))
			if err != nil && strings.Contains(err.Error(), "CANARY") {
				t.Fatal("an error quotes the file")
			}
			if err == nil {
				strictly(t, doc.Bytes())
			}
			for line := range bytes.Lines(lines.Bytes()) {
				strictly(t, line)
				var v map[string]any
				if err := json.Unmarshal(line, &v); err != nil {
					t.Fatal(err)
				}
				typ, _ := v["resourceType"].(string)
				delete(v, "resourceType")
				d, ok := spec.Lookup(typ)
				if !ok {
					t.Fatalf("%q comes out", typ)
				}
				if len(v) > 0 {
					conforms(t, d, typ, v, false)
				}
			}
		}
	})
}

// FuzzMarkup: whatever markup comes in, what comes out can be read again, has
// the same words, no attribute but spans, and no element that leads elsewhere.
func FuzzMarkup(f *testing.F) {
	for _, seed := range []string{
		`<div xmlns="http://www.w3.org/1999/xhtml"><p>Ann</p><table><tr><td colspan="2">x &amp; y</td></tr></table></div>`,
		`<div><a href="javascript:x">A</a><img src='x'/><br/>&#65;nn<!-- x --></div>`,
		`<div><script>Ann</script><style>x</style>A<b>n</b>n</div>`, `<p>Ann<br>x`, `<div`, `<div a=>`, `<div><div></div>`, "<", "&", "<!DOCTYPE html><html><body>Ann</body></html>",
	} {
		f.Add(seed)
	}
	m := under(f, "notes", func(o *Options) { o.Records = recordOf{} })
	m.begin("Basic", 0, nil)
	m.about.asked, m.about.patient = true, "p"
	f.Fuzz(func(t *testing.T, src string) {
		if len(src) > 1<<16 || !utf8.ValidString(src) {
			return
		}
		for _, how := range []dialect{xhtml, loose} {
			if ok, err := m.ready(); err != nil || !ok {
				t.Fatal(err)
			}
			ok, err := m.markup([]byte(src), how)
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				continue
			}
			out := string(m.text.out)
			if strings.Contains(out, "Ann") {
				t.Errorf("a name comes out: %q", out)
			}
			for _, bad := range []string{"<a", "<img", "<script", "<style", "href", "<!--"} {
				if i := strings.Index(out, bad); i >= 0 && bad[0] == '<' && (len(out) == i+len(bad) || !isLetter(out[i+len(bad)])) {
					t.Errorf("%q comes out: %q", bad, out)
				}
			}
			ok, err = m.markup([]byte(out), how)
			if err != nil || !ok {
				t.Errorf("what came out cannot be read again: %q", out)
			}
			if again := string(m.text.out); again != out {
				t.Errorf("read again it is another: %q, then %q", out, again)
			}
		}
	})
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || isDigit(c) }

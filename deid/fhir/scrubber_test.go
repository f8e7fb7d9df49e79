package fhir

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/deid"
	deidtext "github.com/sallyport/sallyport/deid/text"
)

// TestNotesWithTheRecord: the notes of bulk files, scrubbed by deid/text with each
// patient's own record: no name, number, address or birth date of the patient's is
// left in any of them.
func TestNotesWithTheRecord(t *testing.T) {
	engine, err := deidtext.New(deidtext.Options{})
	must(t, err)
	s := NewScrubber(engine, []byte("0123456789abcdef0123456789abcdef"))
	c := NewCollector(s)
	words := map[string]map[string]bool{} // by patient
	for _, file := range []string{"Patient", "Encounter", "Condition"} {
		raw, err := os.ReadFile(filepath.Join(filepath.Dir(data(t, "synthea-bulk-10")[0]), file+".000.ndjson"))
		must(t, err)
		for line := range bytes.Lines(raw) {
			must(t, c.Add(bytes.TrimSpace(line), nil))
			if file == "Patient" {
				v := decode(t, line)
				own := map[string]bool{}
				identity(own, "Patient", v)
				words[v["id"].(string)] = own
			}
		}
	}
	raw, err := os.ReadFile(filepath.Join(filepath.Dir(data(t, "synthea-bulk-10")[0]), "DocumentReference.000.ndjson"))
	must(t, err)
	lines := bytes.Split(bytes.TrimSpace(raw), []byte("\n"))
	if raceEnabled {
		lines = lines[:100]
	}
	for _, profile := range []string{"notes", "study"} {
		m := under(t, profile, func(o *Options) { o.Records, o.Scrubber = c, s })
		notes, left := 0, 0
		for _, line := range lines {
			var subject struct{ Subject struct{ Reference string } }
			must(t, json.Unmarshal(line, &subject))
			out, info, err := m.Append(nil, line)
			if err != nil || info.Outcome != Released || !info.Scrubbed {
				t.Fatalf("%v, %v, scrubbed %v", info.Outcome, err, info.Scrubbed)
			}
			var doc struct {
				Content []struct{ Attachment struct{ Data string } }
			}
			must(t, json.Unmarshal(out, &doc))
			for _, a := range doc.Content {
				note, err := base64.StdEncoding.DecodeString(a.Attachment.Data)
				must(t, err)
				notes++
				for w := range words[strings.TrimPrefix(subject.Subject.Reference, "Patient/")] {
					if len(w) > 3 && bytes.Contains(note, []byte(w)) {
						if left++; left < 5 {
							at := bytes.Index(note, []byte(w))
							t.Errorf("%s: a value of the patient's is left: ...%q", profile, note[max(0, at-40):min(len(note), at+40)])
						}
					}
				}
			}
		}
		t.Logf("%s: %d notes, %d values left, found %v", profile, notes, left, m.Found())
	}
}

var _ deid.Record = (*record)(nil)

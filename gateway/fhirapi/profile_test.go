package fhirapi

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/deid"
	"github.com/sallyport/sallyport/deid/text"
	"github.com/sallyport/sallyport/gate/gatetest"
	"github.com/sallyport/sallyport/gateway/gatewaytest"
	"github.com/sallyport/sallyport/hospital"
	"github.com/sallyport/sallyport/snapshot"
	"github.com/sallyport/sallyport/vault"
)

func profile(name string) func(*snapshot.Role) {
	return func(r *snapshot.Role) {
		r.Profile, r.Dates = name, snapshot.ByProfile
		for typ, scope := range r.Resources {
			scope.Elements = append([]string{"*"}, scope.Elements...)
			r.Resources[typ] = scope
		}
	}
}

// builtIn is a profile that comes with the product.
func builtIn(t *testing.T, name string) *deid.Profile {
	t.Helper()
	for _, p := range deid.BuiltIn() {
		if p.Name() == name {
			return p
		}
	}
	t.Fatalf("there is no profile %s", name)
	return nil
}

// Under Safe Harbor every code comes from a random source and is durable before
// it leaves: another engagement, or another installation, gives other ones, the
// same id always has the same one, and the gateway turns it back.
func TestSafeHarborCodes(t *testing.T) {
	seen := map[string]bool{}
	for range 2 {
		w := gatewaytest.New(t, New("test", ""), gatewaytest.Options{Role: profile(deid.SafeHarborProfile)})
		var codes []string
		for range 2 {
			r := w.Get("/Patient?_count=50")
			if r.Status != 200 {
				t.Fatalf("got %d: %s\n%s", r.Status, r.Body, w.Logs())
			}
			var got []string
			for _, e := range entries(t, r) {
				got = append(got, strings.TrimPrefix(e, "Patient/"))
			}
			if codes != nil && fmt.Sprint(got) != fmt.Sprint(codes) {
				t.Errorf("asked again: other codes")
			}
			codes = got
		}
		for _, code := range codes {
			if !vault.IsCode(code) || seen[code] {
				t.Fatalf("%s is not a new random code", code)
			}
			seen[code] = true
		}
		r := w.Get("/Observation?patient=" + codes[0] + "&_count=5")
		if r.Status != 200 || len(entries(t, r)) == 0 || !strings.Contains(string(r.Body), `"Patient/`+codes[0]+`"`) {
			t.Errorf("a code does not lead to the patient's observations: %d %s", r.Status, r.Body)
		}
		for _, id := range w.Records.IDs("Patient") {
			if strings.Contains(string(r.Body), id) {
				t.Error("an id of the source is released")
			}
		}
	}
}

// What the log says of a release: the profile's own digest, and what its rules
// did, in counts.
func TestTheProfileInTheLog(t *testing.T) {
	w := gatewaytest.New(t, New("test", ""), gatewaytest.Options{Role: profile(deid.SafeHarborProfile)})
	r := w.Get("/Patient?_count=50")
	if r.Status != 200 {
		t.Fatalf("got %d: %s", r.Status, r.Body)
	}
	var outcome *audit.OutcomeRecord
	for _, e := range w.Decision(r) {
		switch {
		case e.Intent != nil:
			if e.Intent.Profile != deid.SafeHarborProfile || e.Intent.ProfileDigest != audit.Digest(builtIn(t, deid.SafeHarborProfile).Digest()) || e.Intent.ScopeDigest == (audit.Digest{}) {
				t.Errorf("the intent names profile %q, %x", e.Intent.Profile, e.Intent.ProfileDigest)
			}
		case e.Outcome != nil:
			outcome = e.Outcome
		}
	}
	if outcome == nil {
		t.Fatal("no outcome")
	}
	changed := map[string]uint64{}
	for _, c := range outcome.Changed {
		changed[c.Why] = c.N
	}
	if changed["direct-identifier"] == 0 || changed["pseudonymised"] == 0 {
		t.Errorf("the outcome says that the rules did %v", changed)
	}
}

// A question about a date that comes out otherwise than it is would tell more
// than the answer does.
func TestDatesThatAreNotAskedAbout(t *testing.T) {
	w := gatewaytest.New(t, New("test", ""), gatewaytest.Options{Role: profile(deid.SafeHarborProfile)})
	for _, query := range []string{"birthdate=1930", "birthdate=lt1937", "birthdate=1950-03-02", "_sort=birthdate", "address-postalcode=02139", "family=Smith", "death-date=2020"} {
		if r := w.Get("/Patient?" + query); r.Status != 403 && r.Status != 400 {
			t.Errorf("%s: got %d: %s", query, r.Status, r.Body)
		}
	}
}

// No released Patient tells an age over 89, a date, a place below the State but
// a permitted ZIP prefix, or a name.
func TestSafeHarborPatients(t *testing.T) {
	w := gatewaytest.New(t, New("test", ""), gatewaytest.Options{Role: profile(deid.SafeHarborProfile)})
	r := w.Get("/Patient?_count=50")
	var b struct {
		Entry []struct {
			Resource map[string]any
		}
	}
	if err := json.Unmarshal(r.Body, &b); err != nil || len(b.Entry) == 0 {
		t.Fatalf("%v: %s", err, r.Body)
	}
	for _, e := range b.Entry {
		p := e.Resource
		if birth, ok := p["birthDate"].(string); ok && len(birth) != 4 {
			t.Errorf("a birth date of %d characters", len(birth))
		}
		for _, gone := range []string{"name", "telecom", "identifier", "photo", "contact", "text"} {
			if p[gone] != nil {
				t.Errorf("%s is released", gone)
			}
		}
		addresses, _ := p["address"].([]any)
		for _, a := range addresses {
			a := a.(map[string]any)
			if zip, ok := a["postalCode"].(string); ok && len(zip) != 3 {
				t.Errorf("a ZIP code of %d digits", len(zip))
			}
			if a["city"] != nil || a["line"] != nil || a["district"] != nil || a["text"] != nil {
				t.Error("a place below the State is released")
			}
		}
	}
}

// notes lets scrubbed notes stand beside what a role names.
const notes = `profile: notes
version: 1
title: Minimum necessary, with notes scrubbed
basis: minimum-necessary
extends: minimum-necessary
text: scrub
attachments: scrub
record: required
elements:
  Attachment.data: data
  DiagnosticReport.conclusion: text
`

// A note leaves scrubbed, with the patient's own record as its dictionary: the
// names, numbers, addresses and dates that the source has of the patient and his
// relatives are not in it, its words are.
func TestNotesAreScrubbed(t *testing.T) {
	p, err := deid.LoadProfile([]byte(notes))
	if err != nil {
		t.Fatal(err)
	}
	engine, err := text.New(text.Options{})
	if err != nil {
		t.Fatal(err)
	}
	o := gatewaytest.Options{Records: hospital.Generate(2, 25), Profiles: []*deid.Profile{p}, Text: engine, Role: func(r *snapshot.Role) {
		r.Profile = "notes"
		r.Resources["DocumentReference"] = snapshot.ResourceScope{Interactions: []string{"read", "search-type"}, Elements: []string{"status", "type", "subject", "content"}}
	}}
	w := gatewaytest.New(t, New("test", ""), o)
	released := 0
	for _, patient := range w.Records.IDs("Patient") {
		r := w.Get("/DocumentReference?patient=" + w.Code(patient) + "&_count=50")
		if r.Status != 200 {
			t.Fatalf("got %d: %s\n%s", r.Status, r.Body, w.Logs())
		}
		var b struct {
			Entry []struct {
				Resource struct {
					ID      string
					Content []struct{ Attachment struct{ Data []byte } }
				}
			}
		}
		if err := json.Unmarshal(r.Body, &b); err != nil {
			t.Fatal(err)
		}
		values, here := known(t, w, patient), 0
		for _, e := range b.Entry {
			for _, c := range e.Resource.Content {
				note := string(c.Attachment.Data)
				if note == "" {
					continue
				}
				released++
				here++
				for _, value := range values {
					if strings.Contains(strings.ToLower(note), strings.ToLower(value)) {
						t.Errorf("a note holds a value of %d characters of the patient's own record", len(value))
					}
				}
				if !strings.Contains(note, "CHIEF COMPLAINT") || !strings.Contains(note, "[NAME]") {
					t.Errorf("the note's words are gone, or nothing was found in it")
				}
			}
		}
		if here > 0 {
			for _, e := range w.Decision(r) {
				if e.Outcome != nil && !strings.Contains(fmt.Sprint(e.Outcome.Changed), "text-name") {
					t.Errorf("the outcome does not count what was found in text: %v", e.Outcome.Changed)
				}
			}
		}
	}
	if released < 5 {
		t.Errorf("%d notes were released", released)
	}
	if strings.Contains(w.Logs(), "CHIEF") {
		t.Error("a note is in the log")
	}
}

// known is what the hospital's Patient says of the patient, in strings long
// enough not to be words by accident.
func known(t *testing.T, w *gatewaytest.World, patient string) (out []string) {
	t.Helper()
	raw, ok := w.Records.Get("Patient", patient)
	if !ok {
		t.Fatal("no such patient")
	}
	var p struct {
		Name []struct {
			Family string
			Given  []string
		}
		Telecom    []struct{ Value string }
		Identifier []struct{ Value string }
		Address    []struct {
			Line       []string
			PostalCode string
		}
		BirthDate string
	}
	if err := json.Unmarshal(raw.JSON, &p); err != nil {
		t.Fatal(err)
	}
	for _, n := range p.Name {
		out = append(out, n.Family)
	}
	for _, c := range p.Telecom {
		out = append(out, c.Value)
	}
	for _, i := range p.Identifier {
		out = append(out, i.Value)
	}
	for _, a := range p.Address {
		out = append(out, a.Line...)
	}
	out = append(out, p.BirthDate)
	return slices.DeleteFunc(out, func(s string) bool { return len(s) < 4 })
}

// A profile that lets text stand releases nothing where there is nothing to
// scrub with, and where the source does not say who the patient is.
func TestNoTextWithoutTheMeans(t *testing.T) {
	p, err := deid.LoadProfile([]byte(notes))
	if err != nil {
		t.Fatal(err)
	}
	engine, err := text.New(text.Options{})
	if err != nil {
		t.Fatal(err)
	}
	role := func(r *snapshot.Role) {
		r.Profile = "notes"
		r.Resources["DocumentReference"] = snapshot.ResourceScope{Interactions: []string{"read", "search-type"}, Elements: []string{"status", "type", "subject", "content"}}
	}
	w := gatewaytest.New(t, New("test", ""), gatewaytest.Options{Profiles: []*deid.Profile{p}, Role: role})
	patient := w.Records.IDs("Patient")[0]
	if r := w.Get("/DocumentReference?patient=" + w.Code(patient)); r.Status < 400 || strings.Contains(string(r.Body), `"data"`) {
		t.Errorf("without an engine: got %d: %s", r.Status, r.Body)
	}
	w = gatewaytest.New(t, New("test", ""), gatewaytest.Options{Profiles: []*deid.Profile{p}, Text: engine, Role: role})
	w.Hospital.Misbehave(hospital.Fault{Path: "Patient/" + patient, Status: 500})
	if r := w.Get("/DocumentReference?patient=" + w.Code(patient)); r.Status < 400 || strings.Contains(string(r.Body), `"data"`) {
		t.Errorf("without the record: got %d: %s", r.Status, r.Body)
	}
}

// What one question was not told about a patient the next one asks for again: a
// note is not scrubbed without the record because an earlier question failed.
func TestTheRecordIsAskedForAgain(t *testing.T) {
	p, err := deid.LoadProfile([]byte(strings.Replace(notes, "record: required", "record: optional", 1)))
	if err != nil {
		t.Fatal(err)
	}
	engine, err := text.New(text.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := gatewaytest.New(t, New("test", ""), gatewaytest.Options{Records: hospital.Generate(2, 25), Profiles: []*deid.Profile{p}, Text: engine, Role: func(r *snapshot.Role) {
		r.Profile = "notes"
		r.Resources["DocumentReference"] = snapshot.ResourceScope{Interactions: []string{"read", "search-type"}, Elements: []string{"status", "type", "subject", "content"}}
	}})
	asked := 0
	for _, patient := range w.Records.IDs("Patient") {
		ask := func() gatewaytest.Response { return w.Get("/DocumentReference?patient=" + w.Code(patient)) }
		want := ask()
		if want.Status != 200 || !strings.Contains(string(want.Body), `"data"`) {
			continue
		}
		w.Hospital.Misbehave(hospital.Fault{Path: "Patient/" + patient, Times: 1, Status: 500})
		if r := ask(); r.Status < 400 {
			t.Errorf("without the record: got %d", r.Status)
		}
		if got := ask(); got.Status != 200 || texts(t, got) != texts(t, want) {
			t.Error("the note is scrubbed otherwise after a question that failed")
		}
		asked++
	}
	if asked < 3 {
		t.Errorf("%d patients have notes", asked)
	}
}

func texts(t *testing.T, r gatewaytest.Response) string {
	t.Helper()
	var b struct {
		Entry []struct {
			Resource struct {
				Content []struct{ Attachment struct{ Data []byte } }
			}
		}
	}
	if err := json.Unmarshal(r.Body, &b); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s", b)
}

// A RelatedPerson is not the patient's own record.
func TestARecordWithoutThePatient(t *testing.T) {
	p, err := deid.LoadProfile([]byte(notes))
	if err != nil {
		t.Fatal(err)
	}
	engine, err := text.New(text.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := gatewaytest.New(t, New("test", ""), gatewaytest.Options{Records: hospital.Generate(2, 25), Profiles: []*deid.Profile{p}, Text: engine, Role: func(r *snapshot.Role) {
		r.Profile = "notes"
		r.Resources["DocumentReference"] = snapshot.ResourceScope{Interactions: []string{"read", "search-type"}, Elements: []string{"status", "type", "subject", "content"}}
	}})
	for _, patient := range w.Records.IDs("Patient") {
		w.Hospital.Misbehave(hospital.Fault{Path: "Patient/" + patient, Status: 404}, hospital.Fault{Path: "RelatedPerson", Type: "application/fhir+json",
			Body: `{"resourceType":"Bundle","type":"searchset","entry":[{"resource":{"resourceType":"RelatedPerson","id":"r","patient":{"reference":"Patient/` + patient + `"},"name":[{"family":"Nobody"}]}}]}`})
		if r := w.Get("/DocumentReference?patient=" + w.Code(patient)); strings.Contains(string(r.Body), `"data"`) {
			t.Fatal("a note is released on a relative's record alone")
		}
	}
}

// What answers for a patient must be that patient, or nothing is scrubbed by it and
// nothing leaves, even under a profile that would let text stand without a record.
func TestARecordOfAnotherPatient(t *testing.T) {
	w, ids := optionalRecord(t)
	for name, body := range map[string]string{
		"another patient":  `{"resourceType":"Patient","id":"` + ids[1] + `","name":[{"family":"Nobody"}]}`,
		"no id":            `{"resourceType":"Patient","name":[{"family":"Nobody"}]}`,
		"another type":     `{"resourceType":"Person","id":"` + ids[0] + `","name":[{"family":"Nobody"}]}`,
		"an outcome":       `{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"not-found"}]}`,
		"a Bundle with it": `{"resourceType":"Bundle","type":"searchset","entry":[{"resource":{"resourceType":"Patient","id":"` + ids[0] + `"}}]}`,
		"no JSON":          `<html>`,
	} {
		w.Hospital.Misbehave(hospital.Fault{Path: "Patient/" + ids[0], Times: 1, Type: "application/fhir+json", Body: body})
		if r := w.Get("/DocumentReference?patient=" + w.Code(ids[0])); r.Status != 502 || strings.Contains(string(r.Body), `"data"`) {
			t.Errorf("%s: got %d", name, r.Status)
		}
	}
	if r := w.Get("/DocumentReference?patient=" + w.Code(ids[0])); r.Status != 200 || !strings.Contains(string(r.Body), `"data"`) {
		t.Errorf("with the patient: got %d", r.Status)
	}
}

// The log tells how much text was scrubbed without the patient's record.
func TestTextWithoutARecordInTheLog(t *testing.T) {
	w, ids := optionalRecord(t)
	count := func() (scrubbed, without uint64) {
		r := w.Get("/DocumentReference?patient=" + w.Code(ids[0]))
		if r.Status != 200 || !strings.Contains(string(r.Body), `"data"`) {
			t.Fatalf("got %d", r.Status)
		}
		for _, e := range w.Decision(r) {
			if e.Outcome == nil {
				continue
			}
			for _, c := range e.Outcome.Changed {
				switch c.Why {
				case "scrubbed-text":
					scrubbed += c.N
				case "scrubbed-without-record":
					without += c.N
				}
			}
		}
		return scrubbed, without
	}
	if scrubbed, without := count(); scrubbed == 0 || without != 0 {
		t.Errorf("with the record: %d texts, %d without it", scrubbed, without)
	}
	w.Hospital.Misbehave(hospital.Fault{Path: "Patient/" + ids[0], Times: 1, Status: 404})
	if scrubbed, without := count(); scrubbed == 0 || without != scrubbed {
		t.Errorf("without the record: %d texts, %d without it", scrubbed, without)
	}
}

// optionalRecord is a world whose profile lets notes stand without a record, and the
// ids of patients who have notes.
func optionalRecord(t *testing.T) (*gatewaytest.World, []string) {
	t.Helper()
	p, err := deid.LoadProfile([]byte(strings.Replace(notes, "record: required", "record: optional", 1)))
	if err != nil {
		t.Fatal(err)
	}
	engine, err := text.New(text.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := gatewaytest.New(t, New("test", ""), gatewaytest.Options{Records: hospital.Generate(2, 25), Profiles: []*deid.Profile{p}, Text: engine, Role: func(r *snapshot.Role) {
		r.Profile = "notes"
		r.Resources["DocumentReference"] = snapshot.ResourceScope{Interactions: []string{"read", "search-type"}, Elements: []string{"status", "type", "subject", "content"}}
	}})
	var ids []string
	for _, patient := range w.Records.IDs("Patient") {
		if r := w.Get("/DocumentReference?patient=" + w.Code(patient)); r.Status == 200 && strings.Contains(string(r.Body), `"data"`) {
			ids = append(ids, patient)
		}
		if len(ids) == 2 {
			return w, ids
		}
	}
	t.Fatal("too few patients have notes")
	return nil, nil
}

// Codes that could not be written leave with no release: not with the one that
// failed, and not with a later one, from what was remembered.
func TestCodesThatCouldNotBeWritten(t *testing.T) {
	w := gatewaytest.New(t, New("test", ""), gatewaytest.Options{Role: profile(deid.SafeHarborProfile)})
	db, err := sql.Open("sqlite", filepath.Join(w.Dir, "vault.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	run := func(statement string) {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	run("CREATE TRIGGER fail BEFORE INSERT ON codes BEGIN SELECT RAISE(ABORT, 'no'); END")
	if r := w.Get("/Patient?_count=50"); r.Status < 500 {
		t.Fatalf("got %d where no code can be written", r.Status)
	}
	run("DROP TRIGGER fail")
	for range 3 {
		r := w.Get("/Patient?_count=50")
		if r.Status != 200 {
			t.Fatalf("got %d: %s", r.Status, r.Body)
		}
		for _, e := range entries(t, r) {
			if _, ok, err := w.Vault.Reveal(t.Context(), gatetest.Engagement, strings.TrimPrefix(e, "Patient/")); !ok || err != nil {
				t.Fatal("a code left that is not in the vault", err)
			}
		}
	}
}

// A source that trickles has its answer released in parts, while the next part is
// being made: the codes of each are durable before it leaves, and what was found
// in its text is counted once.
func TestPartsUnderAProfile(t *testing.T) {
	const codesAndNotes = `profile: codes-and-notes
version: 1
title: Notes scrubbed, codes from a random source
basis: minimum-necessary
extends: minimum-necessary
codes: assigned
text: scrub
attachments: scrub
record: required
elements:
  Attachment.data: data
`
	p, err := deid.LoadProfile([]byte(codesAndNotes))
	if err != nil {
		t.Fatal(err)
	}
	engine, err := text.New(text.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := gatewaytest.New(t, New("test", ""), gatewaytest.Options{Records: hospital.Generate(2, 60), Profiles: []*deid.Profile{p}, Text: engine, Role: func(r *snapshot.Role) {
		r.Profile = "codes-and-notes"
		r.Resources["DocumentReference"] = snapshot.ResourceScope{Interactions: []string{"read", "search-type"}, Elements: []string{"status", "type", "subject", "content"}}
	}})
	w.Hospital.Misbehave(hospital.Fault{Path: "DocumentReference", Rate: 150_000, Times: 1})
	parts := w.Get("/DocumentReference?_count=100")
	whole := w.Get("/DocumentReference?_count=100")
	if whole.Status != 200 || texts(t, whole) != texts(t, parts) {
		t.Fatalf("got %d and %d, and other notes in parts", whole.Status, parts.Status)
	}
	for _, e := range entries(t, parts) {
		if _, ok, err := w.Vault.Reveal(t.Context(), gatetest.Engagement, e[strings.Index(e, "/")+1:]); !ok || err != nil {
			t.Fatal("a code left that is not in the vault", err)
		}
	}
	count := func(r gatewaytest.Response) (names uint64, chunks int) {
		for _, e := range w.Decision(r) {
			if e.Outcome == nil {
				continue
			}
			chunks++
			for _, c := range e.Outcome.Changed {
				if c.Why == "text-name" {
					names += c.N
				}
			}
		}
		return names, chunks
	}
	want, _ := count(whole)
	got, chunks := count(parts)
	if chunks < 2 || want == 0 || got != want {
		t.Errorf("%d names in %d parts, want %d", got, chunks, want)
	}
}

package hospitaltest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/hospital"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/internal/hospitaltest"
	"github.com/sallyport/sallyport/internal/need"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

// codes are the ids of the patients that the vendor can find.
func codes(t *testing.T, b *hospitaltest.Box) (out []string) {
	t.Helper()
	var found bundle
	got := b.Get("/Patient?_count=50")
	if err := json.Unmarshal(got.Body, &found); err != nil || got.Status != http.StatusOK {
		t.Fatalf("patients: %s %v", got, err)
	}
	for _, e := range found.Entry {
		if text(e.Resource, "resourceType") == "Patient" {
			out = append(out, text(e.Resource, "id"))
		}
	}
	slices.Sort(out)
	return out
}

// A patient who said no is gone for the vendor at once, and stays gone over a
// restart; a release brings the patient back. Nobody but the privacy officer may
// say it, and no place but the sealed vault is told who it is about.
func TestPatientsWhoSaidNo(t *testing.T) {
	t.Parallel()
	records := hospital.GenerateCanaries(3, 5)
	b := hospitaltest.Start(t, hospitaltest.Options{Records: records})
	b.Paper()
	ids := records.IDs("Patient")
	before := codes(t, b)
	if len(before) != len(ids) {
		t.Fatalf("the vendor finds %d patients of %d", len(before), len(ids))
	}
	// Not every patient has some that the grant may see, and codes have no order.
	if !slices.ContainsFunc(before, func(code string) bool {
		return bytes.Contains(b.Get("/Observation?patient="+code).Body, []byte(`"resourceType":"Observation"`))
	}) {
		t.Fatal("no patient has observations")
	}
	sent := map[string][]byte{}
	tell := func(by id.Person, verb, kind string, want int, patients ...string) map[string]any {
		t.Helper()
		a, err := b.People[by].Do(http.MethodPost, "/v1/custody/"+verb,
			map[string]any{"source": "ehr", "kind": kind, "reason": "the patient asked for it", "patients": patients})
		if err != nil {
			t.Fatal(err)
		}
		if a.Status != want {
			t.Fatalf("%s by %s: got %s, want %d", verb, by, a, want)
		}
		sent[fmt.Sprintf("answer %d: %s by %s", len(sent), verb, by)] = a.Body
		out := map[string]any{}
		if err := json.Unmarshal(a.Body, &out); err != nil {
			t.Fatal(err)
		}
		return out
	}

	// Ada buys and owns data; she is no privacy officer.
	tell(registrytest.Ada, "hold", "restriction", http.StatusForbidden, ids[0])
	if got := codes(t, b); !slices.Equal(got, before) {
		t.Fatal("a hold that was refused holds")
	}
	// The vendor's program has a certificate, and is nobody here.
	resp, err := b.Client.HTTP.Post(b.API+"/v1/custody/hold", "application/json", strings.NewReader(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("the vendor's program asks custody: got %d, want 401", resp.StatusCode)
	}

	if got := tell(registrytest.Grace, "hold", "restriction", http.StatusOK, ids[0]); got["patients"] != 1.0 || got["act"] == "" {
		t.Errorf("hold: got %v", got)
	}
	after := codes(t, b)
	gone := slices.DeleteFunc(slices.Clone(before), func(c string) bool { return slices.Contains(after, c) })
	if len(gone) != 1 || len(after) != len(before)-1 {
		t.Fatalf("after one hold %d of %d patients are found", len(after), len(before))
	}
	for _, q := range []string{"/Patient/" + gone[0], "/Observation?patient=" + gone[0]} {
		got := b.Get(q)
		if bytes.Contains(got.Body, []byte(`"resourceType":"Observation"`)) || bytes.Contains(got.Body, []byte(`"gender"`)) ||
			strings.HasPrefix(q, "/Patient/") && got.Status != http.StatusNotFound {
			t.Errorf("%s of a held patient: got %s", q, got)
		}
	}
	if got := tell(registrytest.Grace, "hold", "restriction", http.StatusOK, ids[0]); got["patients"] != 0.0 || got["unchanged"] != 1.0 {
		t.Errorf("the same hold again: got %v, want it unchanged", got)
	}
	b.Restart()
	if got := codes(t, b); !slices.Equal(got, after) {
		t.Errorf("after a restart %d patients are found, want %d", len(got), len(after))
	}
	// Both holds must end.
	tell(registrytest.Grace, "hold", "opt-out", http.StatusOK, ids[0])
	tell(registrytest.Ada, "release", "restriction", http.StatusForbidden, ids[0])
	tell(registrytest.Grace, "release", "restriction", http.StatusOK, ids[0])
	if got := codes(t, b); !slices.Equal(got, after) {
		t.Error("a patient with another hold came back")
	}
	tell(registrytest.Grace, "release", "opt-out", http.StatusOK, ids[0])
	if got := codes(t, b); !slices.Equal(got, before) {
		t.Errorf("after the release %d patients are found, want %d", len(got), len(before))
	}
	if got := b.Get("/Patient/" + gone[0]); got.Status != http.StatusOK {
		t.Errorf("a direct read after the release: got %s", got)
	}
	if got := tell(registrytest.Grace, "release", "opt-out", http.StatusOK, ids[0]); got["unchanged"] != 1.0 {
		t.Errorf("released again: got %v, want it unchanged", got)
	}
	for _, wrong := range [][]string{{"Patient/" + ids[1]}, {}, {ids[1] + " "}} {
		tell(registrytest.Grace, "hold", "restriction", http.StatusBadRequest, wrong...)
	}
	tell(registrytest.Grace, "hold", "restrict", http.StatusBadRequest, ids[1])
	nobodyElseIsTold(t, b, records, sent, map[string]int{"patient.hold": 2, "patient.release": 2})
}

// The commands read ids from a file. A cohort by list limits the grant that
// names it, by its digest.
func TestACohortByList(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	t.Parallel()
	records := hospital.GenerateCanaries(4, 5)
	b := hospitaltest.Start(t, hospitaltest.Options{Records: records})
	b.Paper()
	ids := records.IDs("Patient")
	program, sent := need.Program(t), map[string][]byte{}
	list := filepath.Join(t.TempDir(), "ids.txt")
	command := func(by id.Person, patients []string, args ...string) (string, error) {
		t.Helper()
		if err := os.WriteFile(list, []byte("\ufeff"+strings.Join(patients, "\r\n")+"\n\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(program, append(args, "--source", "ehr", "-m", "a test of the whole", list)...)
		cmd.Env = append(os.Environ(), "SALLYPORT_SERVER="+b.API, "SALLYPORT_CERT="+b.Data("people", string(by)+".crt"))
		out, err := cmd.CombinedOutput()
		sent[fmt.Sprintf("command %d: %v", len(sent), args)] = out
		return string(out), err
	}

	out, err := command(registrytest.Ada, append(ids[:2:2], ids[0]), "cohort", "define", "readmitted")
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	digest := regexp.MustCompile(`cohort: \{kind: list, ref: readmitted, digest_sha256: ([0-9a-f]{64})\}`).FindStringSubmatch(out)
	if digest == nil || !strings.Contains(out, "2 patients of ehr") {
		t.Fatalf("got %s, want two patients, and the cohort as a grant names it", out)
	}
	if again, err := command(registrytest.Ada, ids[:2], "cohort", "define", "readmitted"); err != nil || again != out {
		t.Errorf("the same list again: %v, %s", err, again)
	}
	if out, err := command(registrytest.Ada, ids[:3], "cohort", "define", "readmitted"); err == nil || !strings.Contains(out, "new name") {
		t.Errorf("another list under the same name: %v, %s", err, out)
	}
	if out, err := command(registrytest.Ada, []string{"Patient/" + ids[0]}, "cohort", "define", "other"); err == nil || !strings.Contains(out, "line 1") {
		t.Errorf("a reference in place of an id: %v, %s", err, out)
	}

	steps, _ := b.Steps()
	grant := func(name id.Grant, digest string) {
		t.Helper()
		for _, s := range steps {
			if a, ok := s.Act.(registry.RequestGrant); ok {
				a.ID, a.Cohort, a.StartsAt = name, snapshot.Cohort{Kind: snapshot.CohortList, Ref: "readmitted", Digest: digest}, b.Clock.Now()
				b.Act(registrytest.Ada, a)
				b.Act(registrytest.Grace, registry.ApproveGrant{ID: name})
			}
		}
		b.Client.Tokens.Forget()
	}
	everybody := codes(t, b)
	b.Act(registrytest.Grace, registry.RevokeGrant{ID: hospitaltest.Grant})
	time.Sleep(2 * time.Millisecond)
	grant("by-list", digest[1])
	two := codes(t, b)
	if len(two) != 2 {
		t.Fatalf("with the list's grant %d patients are found, want 2", len(two))
	}
	for _, c := range everybody {
		got := b.Get("/Patient/" + c)
		if in := slices.Contains(two, c); in != (got.Status == http.StatusOK) {
			t.Errorf("a read of a patient in the list (%t): got %s", in, got)
		}
	}
	if out, err := command(registrytest.Grace, ids[:1], "patient", "hold", "--kind", "opt-out"); err != nil || !strings.Contains(out, "1 patients of ehr: on hold") {
		t.Errorf("hold: %v, %s", err, out)
	}
	if got := codes(t, b); len(got) != 1 {
		t.Errorf("with one of the list on hold %d patients are found, want 1", len(got))
	}
	if out, err := command(registrytest.Ada, ids[:1], "patient", "release", "--kind", "opt-out"); err == nil || !strings.Contains(out, "duty") {
		t.Errorf("a release by the data owner: %v, %s", err, out)
	}
	if out, err := command(registrytest.Grace, ids[:2], "patient", "release", "--kind", "opt-out"); err != nil || !strings.Contains(out, "1 were not on this hold") {
		t.Errorf("release: %v, %s", err, out)
	}
	if got := codes(t, b); !slices.Equal(got, two) {
		t.Errorf("after the release %d patients are found, want 2", len(got))
	}
	// A list that the registry does not name by its digest opens nothing.
	b.Act(registrytest.Grace, registry.RevokeGrant{ID: "by-list"})
	grant("by-another", strings.Repeat("ab", 32))
	if got := b.Get("/Patient?_count=50"); got.Status == http.StatusOK {
		t.Errorf("with another digest: got %s", got)
	}
	nobodyElseIsTold(t, b, records, sent, map[string]int{"patient.hold": 1, "patient.release": 1, "cohort.define": 2})
}

// nobodyElseIsTold: no patient's id, and nothing else that identifies, is in the
// log, the audit log, the registry's database, the vault's file, an answer or
// the list of acts; and custody's acts are in that list.
func nobodyElseIsTold(t *testing.T, b *hospitaltest.Box, r *hospital.Records, sent map[string][]byte, acts map[string]int) {
	t.Helper()
	a, err := b.People[registrytest.Grace].Do(http.MethodGet, "/v1/acts?limit=1000", nil)
	if err != nil || a.Status != http.StatusOK {
		t.Fatalf("the acts: %s %v", a, err)
	}
	sent["the acts"] = a.Body
	for kind, want := range acts {
		if got := bytes.Count(a.Body, []byte(`"kind":"`+kind+`"`)); got != want {
			t.Errorf("%d acts are %s, want %d", got, kind, want)
		}
	}
	b.Verify()
	sent["metrics"] = []byte(b.Metrics())
	maps.Copy(sent, files(t, b.Dir, "running"))
	if err := b.Stop(); err != nil {
		t.Fatal(err)
	}
	maps.Copy(sent, files(t, b.Dir, "stopped"))
	sent["the log"] = b.Log.Bytes()
	steps, _ := b.Steps()
	var own []byte
	for _, s := range steps {
		raw, err := registry.Encode(s.Act)
		if err != nil {
			t.Fatal(err)
		}
		own = append(own, raw...)
	}
	hunter := newHunter(r, own)
	for _, name := range slices.Sorted(maps.Keys(sent)) {
		if found := hunter.hunt(sent[name]); len(found) > 0 {
			t.Errorf("%s holds\n\t%s", name, strings.Join(found, "\n\t"))
		}
		for _, patient := range r.IDs("Patient") {
			if bytes.Contains(sent[name], []byte(patient)) {
				t.Errorf("%s holds the patient's id %s", name, patient)
			}
		}
	}
	if !bytes.Contains(sent["the log"], []byte("custody changed")) {
		t.Error("the log does not say that custody changed anything, so that it was searched says little")
	}
}

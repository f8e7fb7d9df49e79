package custody_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/gateway/custody"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

// affected is a source and an index as custody knows them, with a real log of releases.
func (b *box) affected(t *testing.T) *custody.Affected {
	secret, public, err := note.GenerateKey(nil, "node-1")
	if err != nil {
		t.Fatal(err)
	}
	b.releases = must[*audit.Log](t)(audit.Open(audit.Options{Dir: t.TempDir(), Origin: "node-1", Now: time.Now, Interval: 5 * time.Millisecond,
		Signer: must[note.Signer](t)(note.NewSigner(secret)), Verifier: must[note.Verifier](t)(note.NewVerifier(public))}))
	t.Cleanup(func() { b.releases.Close() })
	each := func(list []string, fn func(string) error) error {
		for _, v := range list {
			if err := fn(v); err != nil {
				return err
			}
		}
		return nil
	}
	return &custody.Affected{Log: b.releases, Policy: audit.Digest{1}, Now: time.Now,
		Pseudonyms: func(_ context.Context, list *snapshot.PatientList, source id.Source, fn func(string) error) error {
			if list.Radius != radius {
				return problem.New(problem.Conflict, "The radius is another", "Ask again")
			}
			var out []string
			for _, p := range b.wanted {
				out = append(out, b.keys.Owner().Patient(source, p))
			}
			return each(out, fn)
		},
		Patients: func(_ context.Context, _ id.Source, fn func(string) error) error {
			return errors.Join(each(b.source, fn), b.broken)
		}}
}

var radius = strings.Repeat("0a", 32)

// list opens an incident and asks for a list of its patients; another approves it.
func (b *box) list(digest string) (list id.Act) {
	b.t.Helper()
	do := func(who id.Person, a registry.Act) id.Act {
		done, err := b.registry.Do(b.t.Context(), registry.Actor{Person: who}, a, registry.Meta{Reason: "notices"})
		if err != nil {
			b.t.Fatal(err)
		}
		return done.Act
	}
	incident := id.Incident("i" + digest[:4])
	do(registrytest.Grace, registry.OpenIncident{ID: incident, Title: "Notebook"})
	list = do(registrytest.Grace, registry.RequestPatientList{ID: incident, Radius: digest, Log: "node-1", Through: 9, Patients: 3})
	do(registrytest.Ada, registry.ApprovePatientList{ID: incident, List: list})
	return list
}

// draw asks for the list, and gives the answer as it is.
func (b *box) draw(by id.Person, incident, list, more string) (*http.Response, string) {
	b.t.Helper()
	body := fmt.Sprintf(`{"incident":%q,"list":%q,"source":"ehr","reason":"notices"%s}`, incident, list, more)
	resp, err := b.people[by].Post(b.url+"/affected", "application/json", strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp, string(raw)
}

// entries are those of the log of releases.
func (b *box) entries() (out []audit.Entry) {
	b.t.Helper()
	err := b.releases.Scan(b.t.Context(), 0, b.releases.Size(), func(_ uint64, e audit.Entry) error {
		out = append(out, e)
		return nil
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return out
}

// The list goes to who asked, in the log before its first byte: the act, the intent, and
// an outcome with its digest and pseudonyms, and no id of a patient anywhere but in the
// answer.
func TestTheAffectedAreNamedToWhoAsked(t *testing.T) {
	b := start(t)
	b.wanted = []string{patient, "p2", "gone"}
	b.source = []string{"p3", patient, "p2", "p2"}
	list := string(b.list(radius))
	resp, text := b.draw(registrytest.Grace, "i0a0a", list, "")
	if want := "source,patient_id\nehr," + patient + "\nehr,p2\n"; resp.StatusCode != 200 || text != want {
		t.Fatalf("got %d %q, want %q", resp.StatusCode, text, want)
	}
	h := resp.Header
	if h.Get("Sallyport-Patients") != "2" || h.Get("Sallyport-Not-Found") != "1" || h.Get("Cache-Control") != "no-store" || h.Get("Content-Type") != "text/csv; charset=utf-8" {
		t.Errorf("got the head %v", h)
	}
	acts, entries := b.acts(custody.ActList), b.entries()
	if len(acts) != 1 || acts[0].Actor != registrytest.Grace || acts[0].ID != "i0a0a" {
		t.Errorf("got the acts %+v, want one, of the incident", acts)
	}
	if len(entries) != 2 || entries[0].Intent == nil || entries[1].Outcome == nil {
		t.Fatalf("got %+v, want an intent and an outcome", entries)
	}
	in, o := entries[0].Intent, entries[1].Outcome
	if in.Action != "reveal" || in.Person != registrytest.Grace || in.Destination != string(registrytest.Grace) || string(in.Decision) != h.Get("Sallyport-Decision") {
		t.Errorf("got the intent %+v", in)
	}
	if o.Digest != audit.Digest(sha256.Sum256([]byte(text))) || o.Result != audit.Released || !o.Final || len(o.Patients) != 2 || o.Patients[0] != b.keys.Owner().Patient("ehr", patient) {
		t.Errorf("got the outcome %+v", o)
	}
	// Ids of then find who has left the source, and ask it nothing.
	b.broken = errors.New("asked")
	if resp, text := b.draw(registrytest.Grace, "i0a0a", list, `,"patients":["gone","other"]`); resp.StatusCode != 200 || text != "source,patient_id\nehr,gone\n" {
		t.Errorf("candidates: got %d %q", resp.StatusCode, text)
	}
	b.quietAboutPatients()
}

// Whatever is not in order names nobody.
func TestTheAffectedAreNotNamed(t *testing.T) {
	b := start(t)
	b.wanted, b.source = []string{patient}, []string{patient}
	list, other := string(b.list(radius)), string(b.list(strings.Repeat("0b", 32)))
	no := func(what string, by id.Person, incident, list, more string, status int) {
		t.Helper()
		if resp, text := b.draw(by, incident, list, more); resp.StatusCode != status || strings.Contains(text, patient) {
			t.Errorf("%s: got %d %q, want %d", what, resp.StatusCode, text, status)
		}
	}
	no("a stranger", "stranger", "i0a0a", list, "", 401)
	no("the one who approved", registrytest.Ada, "i0a0a", list, "", 403)
	no("no incident", registrytest.Grace, "i9", list, "", 400)
	no("no list", registrytest.Grace, "i0a0a", "another", "", 400)
	no("the list of another incident", registrytest.Grace, "i0a0a", other, "", 400)
	no("what is no id", registrytest.Grace, "i0a0a", list, `,"patients":["a b"]`, 400)
	no("an unknown field", registrytest.Grace, "i0a0a", list, `,"all":true`, 400)
	no("a radius that is not the log's", registrytest.Grace, "i0b0b", other, "", 409)
	if n := len(b.acts(custody.ActList)); n != 0 || len(b.entries()) != 0 {
		t.Errorf("%d acts and %d entries for what was refused, want none", n, len(b.entries()))
	}
	b.failAct.Store(custody.ActList)
	no("an act that cannot be recorded", registrytest.Grace, "i0a0a", list, "", 503)
	b.failAct.Store("")
	b.broken = problem.New(problem.UpstreamFail, "The source did not say", "Try again")
	no("a source that breaks off", registrytest.Grace, "i0a0a", list, "", 502)
	if e := b.entries(); len(e) != 2 || e[1].Outcome == nil || e[1].Outcome.Result != audit.Withheld {
		t.Errorf("got %+v, want an intent, and that it was withheld", e)
	}
	b.broken = nil
	if err := b.releases.Close(); err != nil {
		t.Fatal(err)
	}
	no("a log that is down", registrytest.Grace, "i0a0a", list, "", 503)
	b.quietAboutPatients()
}

// A long list is several releases, each in the log by itself.
func TestALongListIsSeveralReleases(t *testing.T) {
	b := start(t)
	for n := range 50_001 {
		b.source = append(b.source, fmt.Sprintf("p%05d", n))
	}
	b.wanted = b.source
	resp, text := b.draw(registrytest.Grace, "i0a0a", string(b.list(radius)), "")
	if n := bytes.Count([]byte(text), []byte("\n")); resp.StatusCode != 200 || n != 50_002 {
		t.Fatalf("got %d and %d lines", resp.StatusCode, n)
	}
	sum, patients, final := uint64(0), uint64(0), 0
	for _, e := range b.entries() {
		if e.Outcome != nil {
			sum, patients = sum+e.Outcome.Bytes, patients+e.Outcome.PatientCount
			if e.Outcome.Final {
				final++
			}
		}
	}
	if sum != uint64(len(text)) || patients != 50_001 || final != 1 {
		t.Errorf("the log has %d bytes and %d patients, want %d and 50001; %d ends", sum, patients, len(text), final)
	}
}

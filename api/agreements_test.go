package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/audit/verify"
	"github.com/sallyport/sallyport/disclosure"
	"github.com/sallyport/sallyport/gate"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/internal/need"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
	"github.com/sallyport/sallyport/store"
)

// papers is a server over the demo's registry and a log of its own, asked without HTTP.
type papers struct {
	*server
	t     *testing.T
	key   note.Verifier
	store registry.Store
}

func startPapers(t *testing.T) *papers {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	secret, public, err := note.GenerateKey(nil, "mercy.example/sallyport/node-1")
	must(err)
	signer, err := note.NewSigner(secret)
	must(err)
	verifier, err := note.NewVerifier(public)
	must(err)
	log, err := audit.Open(audit.Options{Dir: filepath.Join(t.TempDir(), "audit"), Origin: signer.Name(), Signer: signer, Verifier: verifier, Now: time.Now, Interval: time.Millisecond, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	must(err)
	t.Cleanup(func() { log.Close() })
	st, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "registry.db"), registrytest.Sealer{})
	must(err)
	t.Cleanup(func() { st.Close() })
	acts, err := registry.NewEngine()
	must(err)
	settings := registrytest.Settings()
	settings.Posture.Waived = []string{"hardware_key"}
	reg, err := registry.Open(t.Context(), registry.Options{Store: st, Log: log, Engine: acts, Node: "node-1", Settings: settings})
	must(err)
	steps, err := registrytest.Demo{Now: time.Now().Add(-time.Minute)}.Steps()
	must(err)
	must(registrytest.Do(t.Context(), reg, steps))
	engine, err := policy.New(gate.All, nil)
	must(err)
	index, err := disclosure.Open(filepath.Join(t.TempDir(), "disclosure"), log, disclosure.Options{})
	must(err)
	var follows sync.WaitGroup
	follows.Go(func() { index.Run(t.Context()) })
	t.Cleanup(follows.Wait)
	p := &papers{t: t, key: verifier, store: st, server: &server{Config: Config{Organisation: "Mercy Valley Health", Registry: reg, Acts: acts, Policy: engine, Log: log, Disclosures: index, Node: "node-1", Now: time.Now}}}
	p.do(registry.Actor{Person: "grace"}, registry.ReportPosture{Device: "northwind-gpu-1", Source: snapshot.FromAgent, OS: "linux", OSVersion: "12", DiskEncryption: snapshot.CheckPass,
		ScreenLock: snapshot.CheckPass, Firewall: snapshot.CheckPass, MalwareProtection: snapshot.CheckPass, HardwareKey: snapshot.CheckFail})
	return p
}

func (p *papers) do(by registry.Actor, a registry.Act) {
	p.t.Helper()
	if _, err := p.Registry.Do(p.t.Context(), by, a, registry.Meta{Reason: "test"}); err != nil {
		p.t.Fatalf("%s: %T: %v", by.Name(), a, err)
	}
}

// as is a request's context by a person; with a session in which they touched a passkey.
func (p *papers) as(who id.Person, touched bool) context.Context {
	p.t.Helper()
	by := registry.Actor{Person: who}
	if touched {
		by.Session = id.New[id.Session](time.Now())
		p.do(registry.Actor{Person: who}, registry.StartSession{ID: by.Session, Person: who, Secret256: string(registrytest.Key(string(by.Session))), Method: snapshot.ByPasskey, Strong: true, ExpiresAt: time.Now().Add(time.Hour)})
	}
	return context.WithValue(p.t.Context(), actorKey{}, by)
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", name, err, out)
	}
	return string(out)
}

// restart opens the registry anew on the store given.
func (p *papers) restart(s registry.Store) {
	p.t.Helper()
	r, err := registry.Open(p.t.Context(), registry.Options{Store: s, Log: p.Log, Engine: p.Acts, Node: "node-1", Settings: p.Registry.View().Settings})
	if err != nil {
		p.t.Fatal(err)
	}
	p.Registry = r
}

// dead is a store that takes so many acts, and then no more.
type dead struct {
	registry.Store
	left int
}

func (d *dead) Commit(ctx context.Context, e *registry.Entry) error {
	if d.left--; d.left < 0 {
		return errors.New("killed")
	}
	return d.Store.Commit(ctx, e)
}

// A process that dies between the two acts of a composed agreement leaves a document, and
// nothing that would stand in the way of the same request.
func TestAComposedAgreementThatWasCutInTwoIsComposedAgain(t *testing.T) {
	p := startPapers(t)
	for _, key := range []string{"", "once"} {
		fields, err := json.Marshal(map[string]any{"id": "cut" + key, "kind": "services-contract", "vendor": "northwind", "effective_at": "2026-01-31T00:00:00Z", "regions": []string{"US"}})
		if err != nil {
			t.Fatal(err)
		}
		version := p.Registry.View().Version()
		p.restart(&dead{p.store, 1})
		if _, err := p.compose(p.as("ada", false), "soak", key, fields); problem.From(err).Kind != problem.Unavailable {
			t.Fatalf("key %q: cut in two: %v", key, err)
		}
		p.restart(p.store)
		v := p.Registry.View()
		if _, there := v.Agreements.Get(id.Agreement("cut" + key)); there || v.Version() != version+1 {
			t.Fatalf("key %q: the kill left version %d and agreement %v, want the document alone", key, v.Version(), there)
		}
		done, err := p.compose(p.as("ada", false), "soak", key, fields)
		if err != nil {
			t.Fatalf("key %q: composed again: %v", key, err)
		}
		g, _ := p.Registry.View().Agreements.Get(id.Agreement("cut" + key))
		if g == nil || g.Document != done.Document || done.Drafted.Repeated || done.Stored.Repeated != (key != "") {
			t.Errorf("key %q: composed again: %+v, agreement %+v", key, done, g)
		}
	}
}

// From terms to a paper that both sides signed, whose PDF proves it to whoever has nothing
// but the file and the log's public key.
func TestFromTermsToASignedPaperWithItsProof(t *testing.T) {
	need.Tool(t, "pdfdetach")
	p := startPapers(t)
	terms := registrytest.Terms()
	for k, v := range terms {
		v.Clause = ""
		terms[k] = v
	}
	fields, err := json.Marshal(map[string]any{"id": "new-baa", "kind": "baa", "vendor": "northwind", "terms": terms, "regions": []string{"US"}, "effective_at": "2026-01-31T00:00:00Z",
		"permitted_uses": []map[string]any{{"purpose": "evaluation", "data_classes": []string{"phi"}, "clause": ""}}})
	if err != nil {
		t.Fatal(err)
	}
	done, err := p.compose(p.as("ada", false), "our own wording", "once", fields)
	if err != nil {
		t.Fatal(err)
	}
	g, _ := p.Registry.View().Agreements.Get("new-baa")
	if g.Document != done.Document || g.Terms["safeguards"].Clause != "§ 3.3" || g.PermittedUses[0].Clause != "§ 2.1" {
		t.Errorf("drafted %+v", g)
	}
	again, err := p.compose(p.as("ada", false), "our own wording", "once", fields)
	if err != nil || again.Document != done.Document || again.Drafted.Act != done.Drafted.Act || again.Stored.Act != done.Stored.Act || !again.Drafted.Repeated {
		t.Errorf("composed again with its key: %+v, %v, want %+v", again, err, done)
	}
	if _, err := p.compose(p.as("ada", false), "again", "", fields); problem.From(err).Kind != problem.Conflict {
		t.Errorf("composed twice: %v", err)
	}

	p.do(registry.Actor{Person: "ada"}, registry.NameSignatory{ID: "lin", Title: "Chief Executive"})
	for _, who := range []id.Person{"lin", "grace"} {
		ctx := p.as(who, true)
		s, err := p.signing(ctx, "new-baa")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.signed(ctx, g); problem.From(err).Kind != problem.Conflict {
			t.Errorf("a signed paper before both signed: %v", err)
		}
		p.do(actor(ctx), registry.SignHere{ID: "new-baa", Document: s.Document, Intent: s.Intent, Consent: s.Consent})
		g, _ = p.Registry.View().Agreements.Get("new-baa")
	}
	p.do(registry.Actor{Person: "grace"}, registry.ApproveAgreement{ID: "new-baa"})

	pdf, err := p.signed(p.as("lin", false), g)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "signed.pdf")
	if err := os.WriteFile(file, pdf, 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, "pdfdetach", "-saveall", "-o", dir, file)
	read := func(name string) []byte {
		t.Helper()
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	sum := func(raw []byte) string { d := sha256.Sum256(raw); return hex.EncodeToString(d[:]) }
	text := strings.Join(strings.Fields(run(t, "pdftotext", "-raw", file, "-")), "")
	if got := sum(read("new-baa.pdf")); got != g.Document || !strings.Contains(text, got) {
		t.Errorf("the attached document is %s, not %s", got, g.Document)
	}
	for _, side := range []snapshot.Party{snapshot.VendorParty, snapshot.Organisation} {
		act := read("act-" + string(side) + ".json")
		proved, err := verify.Proof(read("proof-"+string(side)+".txt"), p.key)
		if err != nil {
			t.Fatalf("%s: %v", side, err)
		}
		if !strings.Contains(string(proved.Entry), sum(act)) || !strings.Contains(text, sum(act)) {
			t.Errorf("%s: the log's entry is not of the attached act", side)
		}
		if !strings.Contains(string(act), g.Document) || !strings.Contains(string(act), "agreement.sign-here") {
			t.Errorf("%s: the act does not say what was signed: %s", side, act)
		}
	}
	for _, want := range []string{"Signaturepage", "LinExample,ChiefExecutive", "GraceExample", "Imeantobindthembyit", "3.Whatthe"} {
		if !strings.Contains(text, want) {
			t.Errorf("the signed paper has no %q", want)
		}
	}

	// What the term audit_rights opens, and to whom.
	ev, err := p.evidenceOf(p.as("lin", false), "new-baa", 30)
	if err != nil || !ev.Opened || len(ev.Acts) != 4 || len(ev.Survives) == 0 || !ev.Complete {
		t.Errorf("evidence for the signatory: %+v, %v", ev, err)
	}
	p.do(registry.Actor{Person: "ada"}, registry.ProposeVendor{ID: "v2", Name: "Two"})
	p.do(registry.Actor{Person: "grace"}, registry.ApproveVendor{ID: "v2"})
	p.do(registry.Actor{Person: "ada"}, registry.ProposePerson{ID: "mia", Vendor: "v2", Name: "Mia", Classification: hipaa.BusinessAssociate, Basis: "employee", Region: "US"})
	for _, who := range []id.Person{"mia", "nobody"} {
		for _, read := range []func(context.Context, id.Agreement) error{
			func(ctx context.Context, a id.Agreement) error { _, err := p.signing(ctx, a); return err },
			func(ctx context.Context, a id.Agreement) error { _, err := p.ownAgreement(ctx, a); return err },
			func(ctx context.Context, a id.Agreement) error { _, err := p.evidenceOf(ctx, a, 30); return err },
		} {
			if got, want := read(p.as(who, false), "new-baa"), read(p.as(who, false), "none"); problem.From(got).Kind != problem.NotFound || got.Error() != want.Error() {
				t.Errorf("%s: got %v, want as for one that is not there: %v", who, got, want)
			}
		}
	}
	// A vendor has the log looked through once at a time, whoever of its people asks; others
	// do not wait for it.
	looked, err := p.oneAtATime(p.as("lin", false))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.oneAtATime(p.as("lin", false)); problem.From(err).Kind != problem.Unavailable {
		t.Errorf("a second look: %v", err)
	}
	for _, who := range []id.Person{"mia", "ada"} {
		other, err := p.oneAtATime(p.as(who, false))
		if err != nil {
			t.Errorf("%s waits for another: %v", who, err)
			continue
		}
		other()
	}
	looked()
	if looked, err = p.oneAtATime(p.as("lin", false)); err != nil {
		t.Errorf("after the first: %v", err)
	}
	looked()
	// The contract has no such term.
	if _, err := p.evidenceOf(p.as("lin", false), "northwind-contract", 30); problem.From(err).Kind != problem.Refused {
		t.Errorf("evidence that no term opens: %v", err)
	}
	if _, err := p.evidenceOf(p.as("ada", false), "northwind-contract", 30); err != nil {
		t.Errorf("evidence for the organisation: %v", err)
	}
}

// The last days' decisions are judged again from the log, without a byte of data.
func TestAnEffectReadsTheLog(t *testing.T) {
	p := startPapers(t)
	v := p.Registry.View()
	in := audit.Intent{Vendor: "northwind", Engagement: "triage-eval", App: "triage", Device: "northwind-gpu-1", Person: "lin", Grant: "triage-grant", Role: "triage-reader", Agent: audit.Workload,
		Direction: audit.Out, Destination: "triage", Source: "ehr", Action: "read", Resource: "Patient", Purpose: hipaa.Evaluation, Category: hipaa.Operations, LegalBasis: hipaa.OperationsUnderBAA, DataClass: hipaa.PHI,
		Profile: "minimum-necessary", ProfileDigest: sha256.Sum256([]byte("profile")), Policy: sha256.Sum256([]byte("policy")), Snapshot: v.Version(), SnapshotIndex: v.LogIndex(),
		Transport: audit.Transport{TLS: "1.3", KeyExchange: "X25519MLKEM768", Certificate: sha256.Sum256([]byte("cert")), Binding: "mtls", Sealing: "none"}}
	for range 2 {
		in.Decision = id.New[id.Decision](time.Now())
		ticket, err := p.Log.Intend(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ticket.Complete(t.Context(), audit.Outcome{Release: id.New[id.Release](time.Now()), Result: audit.Released, Final: true, Status: 200, Upstream: 200, Digest: sha256.Sum256([]byte("x")), Bytes: 10}); err != nil {
			t.Fatal(err)
		}
	}
	in.Decision = id.New[id.Decision](time.Now())
	if _, err := p.Log.Refuse(t.Context(), audit.Refusal{Intent: in, Failing: []audit.Failing{{Gate: "volume", Reason: "bytes"}}}); err != nil {
		t.Fatal(err)
	}
	other := in
	other.Engagement, other.Decision = "another", id.New[id.Decision](time.Now())
	if _, err := p.Log.Refuse(t.Context(), audit.Refusal{Intent: other, Failing: []audit.Failing{{Gate: "volume", Reason: "bytes"}}}); err != nil {
		t.Fatal(err)
	}
	baa, _ := v.Agreements.Get("northwind-baa")
	fields, err := json.Marshal(registry.AmendAgreement{ID: baa.ID, Kind: baa.Kind, Vendor: baa.Vendor, Terms: baa.Terms, PermittedUses: baa.PermittedUses, Regions: []string{"CA"}, Document: baa.Document, EffectiveAt: baa.EffectiveAt})
	if err != nil {
		t.Fatal(err)
	}
	e, err := p.effect(p.as("ada", false), "northwind-baa", EffectRequest{Act: fields})
	if err != nil {
		t.Fatal(err)
	}
	want := []registry.ReplayGroup{{Engagement: "triage-eval", Gate: "region", Refused: 2}}
	if r := e.Replay; r.Decisions != 3 || r.Refused != 2 || r.Unclear != 1 || r.Unread != 0 || !slices.Equal(r.Groups, want) {
		t.Errorf("replayed %+v", r)
	}
	if !slices.Equal(e.Stops, []id.Grant{"triage-grant"}) || !slices.Equal(e.StopsAtOnce, []id.Grant{"triage-grant"}) {
		t.Errorf("got %+v", e)
	}
	if now := p.Registry.View(); now.Version() != v.Version() {
		t.Error("something was done")
	}
	if _, err := p.effect(p.as("lin", false), "northwind-baa", EffectRequest{Act: fields}); problem.From(err).Kind != problem.Refused {
		t.Errorf("imagined by who may not do it: %v", err)
	}
	ev, err := p.evidenceOf(p.as("grace", false), "northwind-baa", 30)
	if err != nil || len(ev.Engagements) != 1 || ev.Engagements[0] != (EvidenceEngagement{Engagement: "triage-eval", Permitted: 2, Refused: 1, Releases: 2, Bytes: 20}) {
		t.Errorf("evidence: %+v, %v", ev, err)
	}
}

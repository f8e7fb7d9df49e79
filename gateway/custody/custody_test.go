package custody_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/gateway/custody"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/seal"
	"github.com/sallyport/sallyport/store"
	"github.com/sallyport/sallyport/vault"
)

const patient = "ZZCANARYPATIENTID1Q"

// box is custody on a real registry, database, vault, keyring and TLS; the audit
// log alone is in memory, to fail when told.
type box struct {
	t        *testing.T
	registry *registry.Registry
	log      *registrytest.Log
	vault    *vault.Vault
	keys     *seal.Keyring
	url      string
	people   map[id.Person]*http.Client
	logs     *lines
	recorded func(kind string) // called after each act, if set
	failAct  atomic.Value      // string: the kind that the audit log does not take
	releases *audit.Log        // of affected.go
	wanted   []string          // ids whose pseudonyms the log has
	source   []string          // ids that the source has now
	broken   error             // of the source
}

type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// May implements custody.Registry.
func (b *box) May(_ context.Context, who id.Person, kind string, fields json.RawMessage, reason string) error {
	a, err := registry.Decode(registry.Kind(kind), fields)
	if err != nil {
		return err
	}
	return b.registry.May(registry.Actor{Person: who}, a, registry.Meta{Reason: reason})
}

// Do implements custody.Registry.
func (b *box) Do(ctx context.Context, who id.Person, kind string, fields json.RawMessage, reason string) (id.Act, error) {
	a, err := registry.Decode(registry.Kind(kind), fields)
	if err != nil {
		return "", err
	}
	done, err := b.registry.Do(ctx, registry.Actor{Person: who}, a, registry.Meta{Reason: reason})
	if b.recorded != nil {
		b.recorded(kind)
	}
	return done.Act, err
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func start(t *testing.T) *box {
	b := &box{t: t, logs: new(lines), people: map[id.Person]*http.Client{}}
	now := time.Now
	authority := must[*identity.Authority](t)(identity.CreateAuthority(filepath.Join(t.TempDir(), "ca"), "Mercy Hospital", now()))
	creds := map[id.Person]*identity.Credential{}
	for _, p := range []id.Person{registrytest.Ada, registrytest.Grace, "stranger"} {
		creds[p] = must[*identity.Credential](t)(authority.IssueClient(identity.PersonSubject(p), 0, now()))
		b.people[p] = identity.NewHTTPClient(identity.ClientTLS(creds[p], authority.Pool()))
		t.Cleanup(b.people[p].CloseIdleConnections)
	}
	root := seal.KeyFile(filepath.Join(t.TempDir(), "root.key"))
	keys := filepath.Join(t.TempDir(), "keys")
	if err := seal.Create(keys, root); err != nil {
		t.Fatal(err)
	}
	b.keys = must[*seal.Keyring](t)(seal.Open(keys, root))
	b.vault = must[*vault.Vault](t)(vault.Open(t.Context(), filepath.Join(t.TempDir(), "vault.db"), b.keys))
	t.Cleanup(func() { b.vault.Close() })

	db := must[*store.Store](t)(store.Open(t.Context(), filepath.Join(t.TempDir(), "registry.db"), b.keys.Documents()))
	t.Cleanup(func() { db.Close() })
	engine, err := registry.NewEngine()
	if err != nil {
		t.Fatal(err)
	}
	b.log = &registrytest.Log{Fail: func(e audit.ActEntry) error {
		if e.Kind == b.failAct.Load() {
			return errors.New("the disk is full")
		}
		return nil
	}}
	b.registry = must[*registry.Registry](t)(registry.Open(t.Context(), registry.Options{Store: db, Log: b.log, Engine: engine, Node: "node-1", Settings: registrytest.Settings()}))
	steps, err := registrytest.Demo{Now: now().Add(-time.Minute), AdaKey: creds[registrytest.Ada].KeyDigest(), GraceKey: creds[registrytest.Grace].KeyDigest()}.Steps()
	if err != nil {
		t.Fatal(err)
	}
	if err := registrytest.Do(t.Context(), b.registry, steps[:4]); err != nil { // the people
		t.Fatal(err)
	}

	key := must[*identity.Tokens](t)(identity.NewTokens("https://localhost", "https://localhost", must[*ecdsa.PrivateKey](t)(identity.NewKey(256))))
	verifier := must[*identity.Verifier](t)(identity.NewVerifier(authority.Pool(), key, now, 0))
	logger := slog.New(slog.NewJSONHandler(b.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	handler := must[http.Handler](t)(custody.New("/v1/custody", custody.Config{Registry: b, View: b.registry.View, Identity: verifier,
		Vault: b.vault, Owner: b.keys.Owner(), Logger: logger, Affected: b.affected(t)}))
	ln := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
	cert := must[*identity.ServerCertificate](t)(authority.ServerCertificate([]string{"127.0.0.1"}, now()))
	srv := &http.Server{Handler: handler, TLSConfig: identity.ServerTLS(cert, authority.Pool()), ConnContext: verifier.ConnContext,
		ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelError)}
	done := make(chan struct{})
	go func() { defer close(done); srv.ServeTLS(ln, "", "") }()
	t.Cleanup(func() { srv.Close(); <-done })
	b.url = "https://" + ln.Addr().String() + "/v1/custody"
	return b
}

type reply struct {
	Status int
	custody.Answer
	Title, Field, NextStep string
	text                   string
}

// ask sends a request; no answer may hold the canary.
func (b *box) ask(by id.Person, method, path, body string) reply {
	b.t.Helper()
	req, err := http.NewRequest(method, b.url+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	resp, err := b.people[by].Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	if bytes.Contains(raw, []byte("ZZCANARY")) {
		b.t.Errorf("the answer holds a patient's id: %s", raw)
	}
	out := reply{text: string(raw)}
	if json.Valid(raw) {
		if err := json.Unmarshal(raw, &out); err != nil {
			b.t.Fatalf("%s: %v", raw, err)
		}
	}
	out.Status = resp.StatusCode
	return out
}

func holdBody(patients ...string) string {
	raw, _ := json.Marshal(patients)
	return fmt.Sprintf(`{"source":"ehr","kind":"restriction","reason":"asked for","patients":%s}`, raw)
}

func (b *box) held(patient string) bool {
	_, held := b.vault.Held("ehr", patient)
	return held
}

// acts are the log's entries of the kind.
func (b *box) acts(kind string) (out []audit.ActEntry) {
	for _, e := range b.log.Entries() {
		if e.Kind == kind {
			out = append(out, e)
		}
	}
	return out
}

// quietAboutPatients: nothing that was logged names a patient.
func (b *box) quietAboutPatients() {
	b.t.Helper()
	if strings.Contains(b.logs.text(), "ZZCANARY") || len(b.logs.text()) == 0 {
		b.t.Errorf("the log is empty or holds a patient's id:\n%s", b.logs.text())
	}
	acts, err := b.registry.Acts(b.t.Context(), 0, 1000)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, e := range acts {
		if strings.Contains(string(e.Body)+e.Reason+e.Subject.ID, "ZZCANARY") {
			b.t.Errorf("an act holds a patient's id: %s", e.Body)
		}
	}
}

func TestAHoldIsAnActByPseudonym(t *testing.T) {
	b := start(t)
	got := b.ask(registrytest.Grace, "POST", "/hold", holdBody(patient, "p2"))
	if got.Status != 200 || got.Patients != 2 || got.Act == "" || !b.held(patient) || !b.held("p2") {
		t.Fatalf("got %s", got.text)
	}
	entries := b.acts(custody.ActHold)
	if want := "p." + b.keys.Owner().Patient("ehr", patient); len(entries) != 2 || entries[0].ID != want || entries[0].Actor != registrytest.Grace {
		t.Errorf("got %+v, want two, the first about %s", entries, want)
	}
	// The vault names the act, so that evidence finds it.
	if ref, ok, err := b.vault.Ref(t.Context(), "ehr", patient, vault.Restriction); !ok || err != nil || ref != string(entries[0].Act) {
		t.Errorf("the vault refers to %q, %v; want %s", ref, err, entries[0].Act)
	}
	if got := b.ask(registrytest.Grace, "POST", "/hold", holdBody(patient, "p3")); got.Patients != 1 || got.Unchanged != 1 || len(b.acts(custody.ActHold)) != 3 {
		t.Errorf("one of two again: got %s", got.text)
	}
	got = b.ask(registrytest.Grace, "POST", "/release", holdBody(patient, "never-held"))
	if got.Patients != 1 || got.Unchanged != 1 || b.held(patient) || len(b.acts(custody.ActRelease)) != 1 {
		t.Errorf("release: got %s", got.text)
	}
	b.quietAboutPatients()
}

// A hold that cannot be recorded holds all the same, and asking again records
// it; a release that cannot be recorded releases nobody.
func TestWhatBreaksOffFailsClosed(t *testing.T) {
	b := start(t)
	b.failAct.Store(custody.ActHold)
	if got := b.ask(registrytest.Grace, "POST", "/hold", holdBody(patient)); got.Status != http.StatusServiceUnavailable || !b.held(patient) {
		t.Fatalf("got %d %s, held %t; want 503 and held", got.Status, got.text, b.held(patient))
	}
	b.failAct.Store("")
	if got := b.ask(registrytest.Grace, "POST", "/hold", holdBody(patient)); got.Status != 200 || got.Patients != 1 || len(b.acts(custody.ActHold)) == 0 {
		t.Errorf("again: got %s", got.text)
	}
	b.failAct.Store(custody.ActRelease)
	if got := b.ask(registrytest.Grace, "POST", "/release", holdBody(patient)); got.Status != http.StatusServiceUnavailable || !b.held(patient) {
		t.Errorf("got %d %s, held %t; want 503 and still held", got.Status, got.text, b.held(patient))
	}
	b.failAct.Store("")
	if got := b.ask(registrytest.Grace, "POST", "/release", holdBody(patient)); got.Status != 200 || b.held(patient) {
		t.Errorf("again: got %s", got.text)
	}
	b.vault.Close()
	if got := b.ask(registrytest.Grace, "POST", "/hold", holdBody("p9")); got.Status < 500 {
		t.Errorf("without the vault: got %d %s", got.Status, got.text)
	}
	for _, e := range b.acts(custody.ActHold) {
		if e.ID == "p."+b.keys.Owner().Patient("ehr", "p9") {
			t.Error("a hold that the vault does not have was recorded")
		}
	}
	b.quietAboutPatients()
}

// What is refused changes nothing and quotes nothing.
func TestWhatCustodyRefuses(t *testing.T) {
	b := start(t)
	tooMany := make([]string, custody.MaxPatients+1)
	for i := range tooMany {
		tooMany[i] = fmt.Sprint("p", i)
	}
	cohort := func(ref string, patients ...string) string {
		raw, _ := json.Marshal(patients)
		return fmt.Sprintf(`{"ref":%q,"source":"ehr","reason":"for the test","patients":%s}`, ref, raw)
	}
	for _, c := range []struct {
		by                 id.Person
		method, path, body string
		status             int
		field              string
	}{
		{"stranger", "POST", "/hold", holdBody(patient), 401, ""},
		{"stranger", "GET", "/nowhere", "", 401, ""},
		{registrytest.Ada, "POST", "/hold", holdBody(patient), 403, ""},
		{registrytest.Ada, "POST", "/release", holdBody(patient), 403, ""},
		{registrytest.Grace, "GET", "/hold", "", 405, ""},
		{registrytest.Grace, "POST", "/nowhere", "", 404, ""},
		{registrytest.Grace, "POST", "/hold/", holdBody(patient), 404, ""},
		{registrytest.Grace, "POST", "/hold", ``, 400, "body"},
		{registrytest.Grace, "POST", "/hold", `{"patients":[{"id":"` + patient + `"}]}`, 400, "body"},
		{registrytest.Grace, "POST", "/hold", `{"` + patient + `":1}`, 400, "body"},
		{registrytest.Grace, "POST", "/hold", holdBody(patient) + holdBody(patient), 400, "body"},
		{registrytest.Grace, "POST", "/hold", holdBody(), 400, "patients"},
		{registrytest.Grace, "POST", "/hold", holdBody(tooMany...), 400, "patients"},
		{registrytest.Grace, "POST", "/hold", holdBody("p1", "Patient/"+patient), 400, "patients[1]"},
		{registrytest.Grace, "POST", "/hold", holdBody(patient + " "), 400, "patients[0]"},
		{registrytest.Grace, "POST", "/hold", strings.ReplaceAll(holdBody(patient), "restriction", patient), 400, "kind"},
		{registrytest.Grace, "POST", "/hold", strings.ReplaceAll(holdBody(patient), `"ehr"`, `"her"`), 400, "source"},
		{registrytest.Grace, "POST", "/hold", strings.ReplaceAll(holdBody(patient), "asked for", " "), 400, "reason"},
		{registrytest.Grace, "POST", "/hold", strings.ReplaceAll(holdBody(patient), "asked for", "letter of Patient/"+patient+"."), 400, "reason"},
		{registrytest.Grace, "POST", "/cohort", cohort("-", patient), 400, "id"},
		{registrytest.Grace, "POST", "/cohort", cohort("c"), 400, "patients"},
		{registrytest.Grace, "POST", "/cohort", cohort(patient, "p1", patient), 400, "ref"},
		{registrytest.Grace, "POST", "/cohort", cohort("c", "p1", "Patient/"+patient), 400, "patients[1]"},
	} {
		got := b.ask(c.by, c.method, c.path, c.body)
		if got.Status != c.status || got.Field != c.field {
			t.Errorf("%s by %s: got %d of %q (%s), want %d of %q", c.path, c.by, got.Status, got.Field, got.text, c.status, c.field)
		}
		if b.held(patient) {
			t.Fatalf("%s by %s: refused, and it holds", c.path, c.by)
		}
	}
	if _, ok := b.vault.Cohort("c"); ok || len(b.acts(custody.ActHold))+len(b.acts(custody.ActCohort)) > 0 {
		t.Error("what was refused was stored or recorded")
	}
	b.quietAboutPatients()
}

func TestACohortIsKnownByItsDigest(t *testing.T) {
	b := start(t)
	body := func(patients ...string) string {
		raw, _ := json.Marshal(patients)
		return fmt.Sprintf(`{"ref":"c1","source":"ehr","reason":"for the test","patients":%s}`, raw)
	}
	got := b.ask(registrytest.Ada, "POST", "/cohort", body(patient, "p2", patient))
	set, ok := b.vault.Cohort("c1")
	if got.Status != 200 || got.Patients != 2 || !ok || set.Len() != 2 || set.Digest() != "sha256:"+got.Digest || !set.Has(b.keys.Owner().PatientKey("ehr", patient)) {
		t.Fatalf("got %s", got.text)
	}
	if entries := b.acts(custody.ActCohort); len(entries) != 1 || entries[0].ID != "c1" {
		t.Errorf("got %+v", entries)
	}
	if again := b.ask(registrytest.Ada, "POST", "/cohort", body("p2", patient)); again.Digest != got.Digest {
		t.Errorf("the same patients in another order: got %s", again.text)
	}
	if other := b.ask(registrytest.Ada, "POST", "/cohort", body("p3")); other.Status != http.StatusConflict {
		t.Errorf("other patients under the same name: got %d %s", other.Status, other.text)
	}
	b.quietAboutPatients()
}

// A release that comes between a hold's act and the vault waits for the hold, so
// that vault and log agree: held if and only if the last act is a hold.
func TestVaultAndLogAgree(t *testing.T) {
	b := start(t)
	released := make(chan reply, 1)
	b.recorded = func(kind string) {
		if kind != custody.ActHold {
			return
		}
		go func() { released <- b.ask(registrytest.Grace, "POST", "/release", holdBody(patient)) }()
		select { // 0.2 s would be plenty for a release that does not wait
		case r := <-released:
			released <- r
		case <-time.After(200 * time.Millisecond):
		}
	}
	if got := b.ask(registrytest.Grace, "POST", "/hold", holdBody(patient)); got.Status != 200 {
		t.Fatalf("hold: got %s", got.text)
	}
	if got := <-released; got.Status != 200 || got.Patients != 1 {
		t.Errorf("release: got %s", got.text)
	}
	if b.held(patient) || len(b.acts(custody.ActRelease)) != 1 {
		t.Errorf("the last act is a release, and held is %t", b.held(patient))
	}
}

// Whose a code is, is told after the act is in the log, and to nobody without the
// duty: not where the act cannot be recorded, not of another engagement, and not
// to somebody who asks with an id in place of a code.
func TestReveal(t *testing.T) {
	b := start(t)
	steps, err := registrytest.Demo{Now: time.Now().Add(-time.Minute)}.Steps()
	if err != nil {
		t.Fatal(err)
	}
	engagement := id.Engagement("triage-eval")
	if err := registrytest.Do(t.Context(), b.registry, steps[4:]); err != nil {
		t.Fatal(err)
	}
	a := must[*vault.Assigned](t)(b.vault.Assign(engagement))
	random := must[string](t)(a.Code(t.Context(), "patient-1"))
	if err := a.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	derived := must[string](t)(b.vault.CodeFor(t.Context(), engagement, "patient-2"))
	body := func(e id.Engagement, codes ...string) string {
		raw, _ := json.Marshal(custody.RevealRequest{Engagement: e, Codes: codes, Reason: "the vendor saw something urgent"})
		return string(raw)
	}
	got := b.ask(registrytest.Grace, "POST", "/reveal", body(engagement, random, derived))
	if got.Status != 200 || fmt.Sprint(got.IDs) != "[patient-1 patient-2]" || len(b.acts(custody.ActReveal)) != 2 {
		t.Fatalf("got %s, %d acts", got.text, len(b.acts(custody.ActReveal)))
	}
	for name, c := range map[string]struct {
		who    id.Person
		body   string
		status int
	}{
		"a stranger":            {"stranger", body(engagement, random), 401},
		"another engagement":    {registrytest.Grace, body("nobody-knows", random), 400},
		"no code":               {registrytest.Grace, body(engagement), 400},
		"an id":                 {registrytest.Grace, body(engagement, "patient-1"), 400},
		"one code is of nobody": {registrytest.Grace, body(engagement, random, "v"+strings.Repeat("a", 32)), 400},
		"a member is not known": {registrytest.Grace, `{"engagement":"triage-eval","codes":["x"],"reason":"r","all":true}`, 400},
		"no reason, so no act":  {registrytest.Grace, strings.ReplaceAll(body(engagement, random), "the vendor saw something urgent", ""), 400},
	} {
		if got := b.ask(c.who, "POST", "/reveal", c.body); got.Status != c.status && !(c.status == 400 && (got.Status == 422 || got.Status == 404)) || len(got.IDs) > 0 || strings.Contains(got.text, "patient-1") {
			t.Errorf("%s: got %d %s", name, got.Status, got.text)
		}
	}
	if n := len(b.acts(custody.ActReveal)); n != 2 {
		t.Errorf("%d acts, want the two that told something", n)
	}
	b.failAct.Store(custody.ActReveal)
	if got := b.ask(registrytest.Grace, "POST", "/reveal", body(engagement, random)); got.Status != 503 || len(got.IDs) > 0 {
		t.Errorf("not recorded: got %d %s", got.Status, got.text)
	}
}

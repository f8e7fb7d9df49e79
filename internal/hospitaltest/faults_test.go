package hospitaltest_test

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/hospital"
	"github.com/sallyport/sallyport/internal/hospitaltest"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/server"
	"github.com/sallyport/sallyport/snapshot"
)

// The rows of docs/faults.md that are about a Sallyport that runs. Each breaks
// one thing and looks at the caller's answer, at what the operator sees and at
// the log; and mends it where it can be mended.

// open is a box with every paper, whose data was read once.
func open(t *testing.T, o hospitaltest.Options) *hospitaltest.Box {
	t.Helper()
	b := hospitaltest.Start(t, o)
	b.Paper()
	served(t, b)
	return b
}

func served(t *testing.T, b *hospitaltest.Box) {
	t.Helper()
	if got := b.Get(question); got.Status != http.StatusOK || !strings.Contains(string(got.Body), `"Patient"`) {
		t.Fatalf("with every paper: got %s, want a release", got)
	}
}

// nothing says that an answer holds no patient's data.
func nothing(t *testing.T, got hospitaltest.Answer, status int) {
	t.Helper()
	if got.Status != status {
		t.Errorf("got %s, want %d", got, status)
	}
	for _, data := range []string{`"Patient"`, `"Bundle"`, `"Observation"`, `"gender"`} {
		if strings.Contains(string(got.Body), data) {
			t.Errorf("an answer %d holds data: %s", got.Status, got)
		}
	}
}

// eventually asks until ok, for what is noticed a little later.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for until := time.Now().Add(time.Minute); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("%s did not come about", what)
		}
	}
}

// Decisions go on without the database until the snapshot is too old; then
// everything is refused. When it is back, so is the data.
func TestWithoutItsDatabaseTheDoorCloses(t *testing.T) {
	t.Parallel()
	where := hospitaltest.Postgres(t)
	line := newLine(t, where)
	b := open(t, hospitaltest.Options{Database: line.url})
	line.cut()
	if _, err := b.People[registrytest.Grace].Act(hold(), "while the database is away"); err == nil {
		t.Error("an act was done without the database")
	} else if status, ok := hospitaltest.IsRefused(err); !ok || status != http.StatusServiceUnavailable {
		t.Errorf("an act without the database: %v, want 503", err)
	}
	served(t, b)
	b.Clock.Move(time.Minute + time.Second) // longer than a snapshot counts
	p := b.Refusal(question)
	if got := gates(p); !slices.Contains(got, "fresh") {
		t.Errorf("the gates %v refuse, want fresh", got)
	}
	if status, why := b.Ready(); status != http.StatusServiceUnavailable || !strings.Contains(why, "registry") {
		t.Errorf("readyz: got %d %s, want 503 and the registry", status, why)
	}
	line.mend()
	eventually(t, "a release after the database came back", func() bool { return b.Get(question).Status == http.StatusOK })
	if status, why := b.Ready(); status != http.StatusOK {
		t.Errorf("readyz after the database came back: %d %s", status, why)
	}
	b.Act(registrytest.Grace, hold())
	if got := b.Get(question); got.Status != http.StatusForbidden {
		t.Errorf("after the hold: got %s, want a refusal", got)
	}
	b.Verify()
}

func hold() registry.PlaceHold {
	return registry.PlaceHold{On: snapshot.Subject{Noun: snapshot.NounDevice, ID: string(hospitaltest.Device)}, Cause: snapshot.HoldIncident}
}

// A database that another process keeps locked takes no act, and the answer says
// so. Releases go on until the snapshot is too old.
func TestALockedDatabaseTakesNoAct(t *testing.T) {
	if testing.Short() {
		t.Skip("waits ten seconds for a lock")
	}
	t.Parallel()
	b := open(t, hospitaltest.Options{})
	db, err := sql.Open("sqlite", "file:"+b.Data("registry.db")+"?_txlock=exclusive")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.People[registrytest.Grace].Act(hold(), "while it is locked")
	if status, ok := hospitaltest.IsRefused(err); !ok || status != http.StatusServiceUnavailable {
		t.Errorf("an act on a locked database: %v, want 503", err)
	}
	served(t, b)
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	acts := len(b.Acts())
	b.Act(registrytest.Grace, hold())
	if got := len(b.Acts()); got != acts+1 {
		t.Errorf("there are %d acts, want %d: the one that was refused is not to be done later", got, acts+1)
	}
	if got := b.Get(question); got.Status != http.StatusForbidden {
		t.Errorf("after the hold: got %s, want a refusal", got)
	}
	b.Verify()
}

// A database file that is written over in place while Sallyport runs: what is in
// memory was right and stays so, but no act is done on a ruin, and the next
// start refuses it.
func TestARuinedDatabaseTakesNoAct(t *testing.T) {
	t.Parallel()
	b := open(t, hospitaltest.Options{})
	before := b.Verify()
	ruin(t, b.Data("registry.db"))
	if done, err := b.People[registrytest.Grace].Act(hold(), "on a ruin"); err == nil {
		t.Errorf("an act was done on a ruin: %+v", done)
	}
	if after := b.Verify(); after.Acts != before.Acts {
		t.Errorf("the log has %d acts, before the ruin it had %d", after.Acts, before.Acts)
	}
	if err := b.Stop(); err != nil {
		t.Logf("the stop says: %v", err)
	}
	if err := b.Run(); err == nil {
		t.Error("Sallyport started on a ruin")
	}
}

// ruin writes over an SQLite database and its log, in place.
func ruin(t *testing.T, file string) {
	t.Helper()
	for _, name := range []string{file + "-wal", file} {
		info, err := os.Stat(name)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.Write([]byte(strings.Repeat("ruin", int(info.Size()/4))))
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

// A code for an id that is too long to be sealed into itself must be durable in
// the vault before it leaves. A vault that cannot be read or written gives none.
func TestARuinedVaultGivesNoCode(t *testing.T) {
	t.Parallel()
	records := hospital.Generate(1, 3)
	if err := records.Put([]byte(`{"resourceType":"Patient","id":"` + strings.Repeat("long.", 12) + `id64","gender":"female"}`)); err != nil {
		t.Fatal(err)
	}
	b := hospitaltest.Start(t, hospitaltest.Options{Records: records})
	b.Paper()
	ruin(t, b.Data("vault.db"))
	got := b.Get("/Patient?_count=50")
	nothing(t, got, http.StatusServiceUnavailable)
	eventually(t, "an error in the log", func() bool { return strings.Contains(b.Log.String(), "the vault cannot be read") })
	b.Verify()
}

// A clock that goes back makes every date doubtful: nothing is released until it
// has caught up.
func TestAClockSetBackClosesTheDoor(t *testing.T) {
	t.Parallel()
	b := open(t, hospitaltest.Options{})
	b.Advance(2 * time.Hour)
	b.Client.Tokens.Forget()
	served(t, b)
	b.Clock.Move(-time.Hour)
	b.Client.Tokens.Forget()
	for range 3 {
		got := b.Get(question)
		if got.Status != http.StatusForbidden && got.Status != http.StatusServiceUnavailable {
			t.Errorf("an hour back: got %s, want a refusal", got)
		}
		nothing(t, got, got.Status)
		b.Advance(0) // that the registry is confirmed on the way changes nothing
	}
	if status, why := b.Ready(); status != http.StatusServiceUnavailable {
		t.Errorf("readyz: got %d %s, want 503", status, why)
	}
	b.Advance(time.Hour)
	b.Client.Tokens.Forget()
	served(t, b)
	b.Verify()
}

// A hospital that is down, fails or talks nonsense: the caller hears that it did
// not answer as it must, and nothing of what it said. Slow ones are
// gateway/fhirapi's TestUpstreamFailures.
func TestABadHospitalReleasesNothing(t *testing.T) {
	t.Parallel()
	b := open(t, hospitaltest.Options{})
	for name, f := range map[string]hospital.Fault{
		"fails": {Status: 500}, "denies us": {Status: 401}, "speaks HTML": {Body: `<html>"Patient"</html>`, Type: "text/html"},
		"breaks off": {Truncate: 700}, "sends half a document": {Body: `{"resourceType":"Patient","gender":"male"`},
		"sends another document": {Body: `{"resourceType":"Parameters"}`}, "redirects": {Status: 302, Header: http.Header{"Location": {"/fhir/Patient"}}},
	} {
		b.Hospital.Misbehave(f)
		t.Run(name, func(t *testing.T) { nothing(t, b.Get(question), http.StatusBadGateway) })
	}
	b.Hospital.Misbehave()
	served(t, b)
	if r := b.Verify(); r.Open != 0 || r.Intents != r.Outcomes {
		t.Errorf("the log has %d intents, %d outcomes, %d open", r.Intents, r.Outcomes, r.Open)
	}

	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead.Close()
	if err := b.Stop(); err != nil {
		t.Fatal(err)
	}
	b.Rewrite(func(s string) string {
		return strings.Replace(s, b.Upstream, "http://"+dead.Addr().String()+"/fhir", 1)
	})
	if err := b.Run(); err != nil {
		t.Fatalf("a hospital that is down must not stop the start: %v", err)
	}
	nothing(t, b.Get(question), http.StatusBadGateway)
	if status, why := b.Ready(); status != http.StatusOK {
		t.Errorf("readyz: %d %s; that a hospital is down is not Sallyport's to mend", status, why)
	}
}

// The hospital's line is cut in the middle of a long answer: the caller's
// connection is aborted, so that half an answer cannot be taken for a whole one,
// and the log says how much left.
func TestALineCutInTheMiddleAbortsTheAnswer(t *testing.T) {
	t.Parallel()
	b := open(t, hospitaltest.Options{})
	patient := text(readBundle(t, b, question).Entry[0].Resource, "id")
	b.Hospital.Misbehave(hospital.Fault{Path: "Observation", Huge: 64 << 20, Truncate: 24 << 20})
	got := b.Get("/Observation?patient=" + patient)
	if got.Status == http.StatusOK && got.Cut == nil {
		t.Errorf("got a whole answer of %d bytes, of a hospital that broke off", len(got.Body))
	}
	b.Hospital.Misbehave()
	served(t, b)
	if r := b.Verify(); r.Open != 0 {
		t.Errorf("the log has %d intents whose last outcome is not there", r.Open)
	}
}

// The caller goes away in the middle: the fetch is given up, and the log says
// how much left.
func TestACallerThatGoesAwayIsInTheLog(t *testing.T) {
	t.Parallel()
	b := open(t, hospitaltest.Options{})
	patient := text(readBundle(t, b, question).Entry[0].Resource, "id")
	before := b.Verify()
	b.Hospital.Misbehave(hospital.Fault{Path: "Observation", Huge: 256 << 20})
	defer b.Hospital.Misbehave()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.Base()+"/Observation?patient="+patient, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := b.Client.Tokens.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.CopyN(io.Discard, resp.Body, 1<<20); err != nil {
		t.Fatalf("after %d bytes: %v", n, err)
	}
	cancel()
	resp.Body.Close()
	eventually(t, "the outcome of the answer that nobody read", func() bool { r := b.Verify(); return r.Intents > before.Intents && r.Open == 0 })
	eventually(t, "a request log that says that the answer is incomplete", func() bool { return strings.Contains(b.Log.String(), `"outcome":"incomplete"`) })
}

// A second Sallyport on the same log does not start.
func TestASecondProcessIsRefused(t *testing.T) {
	t.Parallel()
	b := open(t, hospitaltest.Options{})
	config, err := server.Load(b.File)
	if err != nil {
		t.Fatal(err)
	}
	s, err := server.Open(t.Context(), config, server.Options{Now: time.Now, Logger: quiet()})
	if err == nil {
		t.Fatalf("a second server opened: %v", s)
	}
	if !strings.Contains(err.Error(), "log") {
		t.Errorf("the error does not name the log: %v", err)
	}
	served(t, b)
}

// Without a list of used assertions there is no token: an assertion could be
// used twice. That the list's disk fails is identity's TestReplaysDiskFails. (A
// folder in its place, because as root permissions stop nothing.)
func TestWithoutTheListOfAssertionsNoToken(t *testing.T) {
	t.Parallel()
	b := open(t, hospitaltest.Options{})
	if err := b.Stop(); err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob(b.Data("*replay*"))
	if err != nil || len(found) != 1 {
		t.Fatalf("the list of used assertions: %v %v", found, err)
	}
	if err := os.Remove(found[0]); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(found[0], 0o700); err != nil {
		t.Fatal(err)
	}
	if err := b.Run(); err == nil {
		t.Error("Sallyport started without a list of used assertions")
	}
}

// line is a TCP line to a database that can be cut.
type line struct {
	url string
	to  string

	mu    sync.Mutex
	down  bool
	conns map[net.Conn]bool
}

func newLine(t *testing.T, where string) *line {
	t.Helper()
	u, err := url.Parse(where)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &line{to: u.Host, conns: map[net.Conn]bool{}}
	u.Host = listener.Addr().String()
	l.url = u.String()
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { l.carry(c) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		l.cut()
		wg.Wait()
	})
	return l
}

func (l *line) carry(near net.Conn) {
	defer near.Close()
	far, err := net.Dial("tcp", l.to)
	if err != nil {
		return
	}
	defer far.Close()
	l.mu.Lock()
	if l.down {
		l.mu.Unlock()
		return
	}
	l.conns[near], l.conns[far] = true, true
	l.mu.Unlock()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(far, near) // ends when the line is cut
		far.Close()
	}()
	_, _ = io.Copy(near, far)
	near.Close()
	<-done
	l.mu.Lock()
	delete(l.conns, near)
	delete(l.conns, far)
	l.mu.Unlock()
}

func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = true
	for c := range l.conns {
		c.Close()
	}
}

func (l *line) mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = false
}

package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/internal/need"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
	"github.com/sallyport/sallyport/store"
)

// engines are the databases that the conformance suite runs on; where makes an
// empty one and says where it is.
var engines = map[string]func(t *testing.T) string{
	"sqlite":   func(t *testing.T) string { return filepath.Join(t.TempDir(), "registry.db") },
	"postgres": postgres,
}

// postgres makes an empty schema in the database that SALLYPORT_TEST_POSTGRES
// names.
func postgres(t *testing.T) string {
	t.Helper()
	where := need.Postgres(t)
	schema := "t" + strings.ToLower(string(id.New[id.Act](time.Now())))
	db, err := sql.Open("pgx", where)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), "CREATE SCHEMA "+schema); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := db.ExecContext(context.Background(), "DROP SCHEMA "+schema+" CASCADE"); err != nil {
			t.Error(err)
		}
		db.Close()
	})
	u, err := url.Parse(where)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	return u.String()
}

func onEach(t *testing.T, f func(t *testing.T, where string)) {
	for name, where := range engines {
		t.Run(name, func(t *testing.T) { f(t, where(t)) })
	}
}

func open(t *testing.T, where string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), where, registrytest.Sealer{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

var t0 = time.Date(2026, 5, 1, 12, 0, 0, 123456000, time.UTC)

// act is entry n, which puts the record.
func act(n uint64, records ...snapshot.Record) *registry.Entry {
	return &registry.Entry{Seq: n, ID: id.Act(fmt.Sprintf("act-%d", n)), Kind: "vendor.propose", Subject: snapshot.Subject{Noun: "vendor", ID: "v"},
		Actor: "ada", RequestedBy: "grace", At: t0.Add(time.Duration(n) * time.Second), Reason: "why " + fmt.Sprint(n), Key: fmt.Sprintf("key-%d", n),
		Body: []byte(`{"id":"v"}`), Digest: strings.Repeat("ab", 32), Node: "node-1", Changed: records}
}

func vendor(name string) *snapshot.Vendor {
	return &snapshot.Vendor{ID: "v", Name: name, Subcontractors: []id.Vendor{"w"}, Approval: snapshot.Approval{State: snapshot.Proposed, RequestedAt: t0}}
}

func commit(t *testing.T, s *store.Store, e *registry.Entry, log bool) {
	t.Helper()
	if err := s.Commit(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	if log {
		if err := s.MarkLogged(t.Context(), e.Seq, e.Node, e.Seq+100); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAnActIsReadBackAsItWasCommitted(t *testing.T) {
	onEach(t, func(t *testing.T, where string) {
		s := open(t, where)
		want := act(1, vendor("one"))
		commit(t, s, want, true)
		got, ok, err := s.ByID(t.Context(), want.ID)
		if err != nil || !ok {
			t.Fatalf("got %v, %v", ok, err)
		}
		if len(got.Changed) != 1 || got.Changed[0].(*snapshot.Vendor).Name != "one" || !got.Changed[0].(*snapshot.Vendor).RequestedAt.Equal(t0) {
			t.Errorf("records: got %+v", got.Changed)
		}
		if !got.At.Equal(want.At) || got.LogNode != "node-1" || got.LogIndex != 101 {
			t.Errorf("got at %v, log %s/%d", got.At, got.LogNode, got.LogIndex)
		}
		got.Changed, got.At, got.LogNode, got.LogIndex, got.Node = want.Changed, want.At, "", 0, want.Node
		if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", *want) {
			t.Errorf("got  %+v\nwant %+v", got, *want)
		}
		if _, ok, err := s.ByKey(t.Context(), "ada", "key-1"); !ok || err != nil {
			t.Errorf("by key: got %v, %v", ok, err)
		}
		if _, ok, err := s.ByKey(t.Context(), "grace", "key-1"); ok || err != nil {
			t.Errorf("another's key: got %v, %v", ok, err)
		}
	})
}

func TestActsFormOneSequence(t *testing.T) {
	onEach(t, func(t *testing.T, where string) {
		s := open(t, where)
		if h, err := s.Head(t.Context()); err != nil || h != (registry.Head{}) {
			t.Fatalf("empty: got %+v, %v", h, err)
		}
		commit(t, s, act(1), true)
		for _, n := range []uint64{1, 3} {
			e := act(n, vendor("x"))
			e.ID, e.Key = "other", ""
			if err := s.Commit(t.Context(), e); !errors.Is(err, registry.ErrBehind) {
				t.Errorf("act %d after 1: got %v, want ErrBehind", n, err)
			}
		}
		h, err := s.Head(t.Context())
		if want := (registry.Head{Seq: 1, At: act(1).At, Logged: 1, LogIndex: 101}); err != nil || h != want {
			t.Errorf("got %+v, %v; want %+v", h, err, want)
		}
		if got, err := s.Load(t.Context(), 1); err != nil || len(got) != 0 {
			t.Errorf("a refused commit left %d records, %v", len(got), err)
		}
	})
}

func TestTheOutboxKeepsWhatIsInNoLog(t *testing.T) {
	onEach(t, func(t *testing.T, where string) {
		s := open(t, where)
		commit(t, s, act(1, vendor("one")), true)
		commit(t, s, act(2, vendor("two")), false)
		commit(t, s, act(3, vendor("three")), false)
		h, err := s.Head(t.Context())
		if err != nil || h.Seq != 3 || h.Logged != 1 || h.LogIndex != 101 {
			t.Fatalf("head: got %+v, %v", h, err)
		}
		since, err := s.Since(t.Context(), 0, 10)
		if err != nil || len(since) != 1 {
			t.Fatalf("acts in a log: got %d, %v; want 1", len(since), err)
		}
		waiting, err := s.Outbox(t.Context())
		if err != nil || len(waiting) != 2 || waiting[0].Seq != 2 || waiting[0].Node != "node-1" {
			t.Fatalf("outbox: got %+v, %v", waiting, err)
		}
		for i, want := range []bool{true, false} {
			if got, err := s.Claim(t.Context(), 2, "node-1", "node-2"); err != nil || got != want {
				t.Errorf("claim %d: got %v, %v; want %v", i, got, err, want)
			}
		}
		if err := s.MarkLogged(t.Context(), 2, "node-1", 7); !errors.Is(err, registry.ErrClaimed) {
			t.Errorf("the slow node marks: got %v, want ErrClaimed", err)
		}
		for range 2 { // marking twice is harmless: a crash may come in between
			if err := s.MarkLogged(t.Context(), 2, "node-2", 7); err != nil {
				t.Error(err)
			}
		}
		if e, _, _ := s.ByID(t.Context(), "act-2"); e.LogNode != "node-2" || e.LogIndex != 7 {
			t.Errorf("got log %s/%d, want node-2/7", e.LogNode, e.LogIndex)
		}
		if seq, err := s.SeqAt(t.Context(), t0.Add(time.Hour)); err != nil || seq != 2 {
			t.Errorf("the last act in a log: got %d, %v; want 2", seq, err)
		}
	})
}

func TestRowsAndRevisionsAgree(t *testing.T) {
	onEach(t, func(t *testing.T, where string) {
		s := open(t, where)
		commit(t, s, act(1, vendor("one"), &snapshot.App{ID: "v", Name: "app"}), true)
		commit(t, s, act(2, vendor("two")), true)
		for seq, want := range map[uint64]string{0: "", 1: "app one", 2: "app two"} {
			records, err := s.Load(t.Context(), seq)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, r := range records {
				switch r := r.(type) {
				case *snapshot.Vendor:
					names = append(names, r.Name)
				case *snapshot.App:
					names = append(names, r.Name)
				}
			}
			slices.Sort(names)
			if got := strings.Join(names, " "); got != want {
				t.Errorf("after act %d: got %q, want %q", seq, got, want)
			}
		}
		for at, want := range map[time.Duration]uint64{0: 0, 1 * time.Second: 1, 1999 * time.Millisecond: 1, time.Hour: 2} {
			if got, err := s.SeqAt(t.Context(), t0.Add(at)); err != nil || got != want {
				t.Errorf("at %v: got %d, %v; want %d", at, got, err, want)
			}
		}
	})
}

func TestADocumentIsSealedUnderItsDigest(t *testing.T) {
	onEach(t, func(t *testing.T, where string) {
		s := open(t, where)
		const canary = "CANARY-PAPER"
		d := registry.NewDocument("text/plain", []byte(canary))
		e := act(1)
		e.Reason = "CANARY-REASON"
		e.Document = &registry.Document{Digest: d.Digest, MediaType: "text/plain", Content: d.Content}
		commit(t, s, e, true)
		got, ok, err := s.Document(t.Context(), d.Digest)
		if err != nil || !ok || string(got.Content) != canary || got.MediaType != "text/plain" {
			t.Errorf("got %q, %v, %v", got.Content, ok, err)
		}
		if _, has, err := s.HasDocument(t.Context(), strings.Repeat("0", 64)); has || err != nil {
			t.Errorf("another digest: got %v, %v", has, err)
		}
		again := act(2)
		again.Document = e.Document
		commit(t, s, again, true)
		other, err := store.Open(t.Context(), where, registrytest.Sealer{Key: [32]byte{1}})
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		if _, _, err := other.Document(t.Context(), d.Digest); err == nil {
			t.Error("another key opened the document")
		}
		if _, _, err := other.ByID(t.Context(), "act-1"); err == nil || strings.Contains(err.Error(), "CANARY") {
			t.Errorf("another key: got %v", err)
		}
		if strings.HasPrefix(where, "postgres") {
			return
		}
		for _, suffix := range []string{"", "-wal"} {
			raw, err := os.ReadFile(where + suffix)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(raw), "CANARY") {
				t.Errorf("the file %q holds plain text", suffix)
			}
		}
		if info, err := os.Stat(where); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("mode of the file: got %v, %v", info.Mode(), err)
		}
	})
}

// A document of an engagement is sealed under that engagement's key, and cannot be
// read when there is none any more.
func TestADocumentUnderAnEngagementsKey(t *testing.T) {
	onEach(t, func(t *testing.T, where string) {
		keys := map[id.Engagement]registrytest.Sealer{"sepsis": {Key: [32]byte{7}}}
		gone := errors.New("the key is destroyed")
		s, err := store.Open(t.Context(), where, registrytest.Sealer{}, store.WithEngagements(func(e id.Engagement) (store.Sealer, error) {
			if k, ok := keys[e]; ok {
				return k, nil
			}
			return nil, gone
		}))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		d := registry.NewDocument("text/plain", []byte("columns"))
		e := act(1, vendor("one"))
		e.Document = &registry.Document{Digest: d.Digest, MediaType: "text/plain", Content: d.Content, Engagement: "sepsis"}
		commit(t, s, e, true)
		if got, ok, err := s.Document(t.Context(), d.Digest); err != nil || !ok || string(got.Content) != "columns" || got.Engagement != "sepsis" {
			t.Errorf("got %+v, %v, %v", got, ok, err)
		}
		if n, err := s.DocumentsOf(t.Context(), "sepsis"); err != nil || n != 1 {
			t.Errorf("%d documents, %v; want 1", n, err)
		}
		// The organisation's key alone does not open it.
		if _, _, err := open(t, where).Document(t.Context(), d.Digest); err == nil {
			t.Error("it was read without the engagement's key")
		}
		delete(keys, "sepsis")
		if _, _, err := s.Document(t.Context(), d.Digest); !errors.Is(err, gone) {
			t.Errorf("without the key: %v", err)
		}
		if under, has, err := s.HasDocument(t.Context(), d.Digest); err != nil || !has || under != "sepsis" {
			t.Errorf("that it was stored is not forgotten: %q, %v, %v", under, has, err)
		}
		// What must be kept is stored again under the organisation's key, and stays there.
		keys["sepsis"] = registrytest.Sealer{Key: [32]byte{7}}
		for i, under := range []id.Engagement{"", "sepsis"} {
			e := act(uint64(i + 2))
			e.Document = &registry.Document{Digest: d.Digest, MediaType: "text/plain", Content: d.Content, Engagement: under}
			commit(t, s, e, true)
		}
		if got, ok, err := open(t, where).Document(t.Context(), d.Digest); err != nil || !ok || string(got.Content) != "columns" || got.Engagement != "" {
			t.Errorf("kept: got %+v, %v, %v", got, ok, err)
		}
	})
}

func TestAnAltogetherRefusedCommitLeavesNothing(t *testing.T) {
	onEach(t, func(t *testing.T, where string) {
		s := open(t, where)
		commit(t, s, act(1), true)
		bad := act(2, vendor("x"))
		bad.Key = "key-1" // taken: the insert fails after head was raised
		if err := s.Commit(t.Context(), bad); err == nil || errors.Is(err, registry.ErrBehind) {
			t.Fatalf("got %v, want an error of the database", err)
		}
		if h, err := s.Head(t.Context()); err != nil || h.Seq != 1 {
			t.Errorf("head: got %+v, %v", h, err)
		}
		commit(t, s, act(2, vendor("y")), true)
	})
}

func TestTwoOpenAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, where string) {
		errs := make(chan error, 4)
		for range cap(errs) {
			go func() {
				s, err := store.Open(context.Background(), where, registrytest.Sealer{})
				if err == nil {
					err = s.Close()
				}
				errs <- err
			}()
		}
		for range cap(errs) {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
	})
}

func TestAnotherProcessIsHeardOf(t *testing.T) {
	where := postgres(t)
	a, b := open(t, where), open(t, where)
	ctx, cancel := context.WithCancel(t.Context())
	news := b.Changes(ctx)
	deadline := time.After(time.Minute)
	for n := uint64(1); ; n++ { // the first may come before it listens
		commit(t, a, act(n), true)
		select {
		case <-news:
			cancel()
			for range news {
			}
			return
		case <-deadline:
			t.Fatal("no news of another process's acts")
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func TestSQLiteTakesPathsOnly(t *testing.T) {
	if _, err := store.Open(t.Context(), "mysql://x", registrytest.Sealer{}); err == nil {
		t.Error("a mysql URL was taken")
	}
	if _, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "a"), nil); err == nil {
		t.Error("a store without a sealer was opened")
	}
	odd := filepath.Join(t.TempDir(), "a b%20?#.db")
	open(t, odd)
	if _, err := os.Stat(odd); err != nil {
		t.Errorf("the file has another name: %v", err)
	}
}

// What a program of schema 1 wrote is there after the update, and the new noun
// beside it.
func TestADatabaseOfAnOlderVersionIsUpdated(t *testing.T) {
	onEach(t, func(t *testing.T, where string) {
		old := open(t, where)
		commit(t, old, act(1, vendor("one")), true)
		if err := old.Close(); err != nil {
			t.Fatal(err)
		}
		db := raw(t, where)
		for _, q := range []string{`DROP TABLE determinations`, `DROP TABLE connectors`, `DROP TABLE sessions`, `DROP TABLE postures`, `DROP TABLE attestations`, `DROP TABLE engagement_keys`, `DROP TABLE questionnaires`, `DROP TABLE links`, `DROP TABLE findings`, `DROP TABLE courses`, `DROP TABLE attempts`,
			`DROP TABLE requests`, `DROP TABLE campaigns`, `DROP TABLE emergencies`, `DROP TABLE incidents`, `DROP TABLE offboardings`, `DROP TABLE notices`, `DROP TABLE mailings`, `DROP TABLE notice_position`, `ALTER TABLE documents DROP COLUMN engagement`, `DELETE FROM goose_db_version WHERE version_id > 1`} {
			if _, err := db.ExecContext(t.Context(), q); err != nil {
				t.Fatal(err)
			}
		}
		s := open(t, where)
		commit(t, s, act(2, &snapshot.Determination{ID: "d", Engagement: "e", Approval: snapshot.Approval{State: snapshot.Proposed}}), true)
		got, err := s.Load(t.Context(), 2)
		if err != nil || len(got) != 2 {
			t.Fatalf("got %d records, %v; want the vendor and the determination", len(got), err)
		}
		for _, r := range got {
			if d, ok := r.(*snapshot.Determination); ok && (d.ID != "d" || d.Engagement != "e" || d.State != snapshot.Proposed) {
				t.Errorf("got %+v", d)
			}
		}
		if state := query(t, db, `SELECT state FROM determinations`); len(state) != 1 || state[0][0] != "proposed" {
			t.Errorf("state: got %v", state)
		}
	})
}

func TestADatabaseOfANewerVersionIsRefused(t *testing.T) {
	onEach(t, func(t *testing.T, where string) {
		open(t, where)
		db := raw(t, where)
		if _, err := db.ExecContext(t.Context(), `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, true)`); err != nil {
			t.Fatal(err)
		}
		if _, err := store.Open(t.Context(), where, registrytest.Sealer{}); err == nil || !strings.Contains(err.Error(), "made by a newer version") {
			t.Errorf("got %v", err)
		}
	})
}

func raw(t *testing.T, where string) *sql.DB {
	t.Helper()
	driver := "sqlite"
	if strings.HasPrefix(where, "postgres") {
		driver = "pgx"
	}
	db, err := sql.Open(driver, where)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// Processes that make one database at once wait for each other: SQLite refuses the
// change to WAL mode without waiting.
func TestProcessesMakeOneDatabase(t *testing.T) {
	if where := os.Getenv("STORE_TEST_WHERE"); where != "" {
		for line := range strings.Lines(where) {
			s, err := store.Open(t.Context(), strings.TrimSpace(line), registrytest.Sealer{})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	dir := t.TempDir()
	var where []string
	for n := range 20 {
		where = append(where, filepath.Join(dir, fmt.Sprintf("%d.db", n)))
	}
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			cmd := exec.Command(os.Args[0], "-test.run=^TestProcessesMakeOneDatabase$")
			cmd.Env = append(os.Environ(), "STORE_TEST_WHERE="+strings.Join(where, "\n"))
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("process %d: %v\n%s", i, err, out)
			}
		})
	}
	wg.Wait()
}

// A new database that another process holds is waited for, for longer than a few
// quick tries.
func TestADatabaseThatIsBeingMadeIsWaitedFor(t *testing.T) {
	t.Parallel()
	where := filepath.Join(t.TempDir(), "registry.db")
	db, err := sql.Open("sqlite", where)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	opened := make(chan error, 1)
	go func() {
		s, err := store.Open(context.Background(), where, registrytest.Sealer{})
		if err == nil {
			err = s.Close()
		}
		opened <- err
	}()
	select {
	case err := <-opened:
		t.Fatalf("not waited for: %v", err)
	case <-time.After(4 * time.Second):
	}
	if _, err := db.Exec("COMMIT"); err != nil {
		t.Fatal(err)
	}
	if err := <-opened; err != nil {
		t.Error(err)
	}
}

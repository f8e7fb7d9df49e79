package registry_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
	"github.com/sallyport/sallyport/store"
)

// remains is what there was before the act.
type remains struct {
	t      *testing.T
	l      lethal
	act    registry.Act
	view   *snapshot.View
	rows   map[string]int
	logged uint64
}

// count counts the rows of the tables that an act writes beside its records'.
func (was remains) count() map[string]int {
	was.t.Helper()
	driver, where := "sqlite", was.l.Where
	if strings.HasPrefix(where, "postgres") {
		driver = "pgx"
	}
	db, err := sql.Open(driver, where)
	if err != nil {
		was.t.Fatal(err)
	}
	defer db.Close()
	n := map[string]int{}
	if driver == "pgx" {
		// The server may be at work still for a client that is dead.
		for others, tries := 1, 0; others > 0 && tries < 1000; tries++ {
			if err := db.QueryRowContext(was.t.Context(), `SELECT COUNT(*) FROM pg_stat_activity
				WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend' AND state <> 'idle'`).Scan(&others); err != nil {
				was.t.Fatal(err)
			}
		}
	}
	for _, table := range []string{"acts", "outbox", "revisions", "documents"} {
		var rows int
		if err := db.QueryRowContext(was.t.Context(), "SELECT COUNT(*) FROM "+table).Scan(&rows); err != nil {
			was.t.Fatal(err)
		}
		n[table] = rows
	}
	return n
}

// found looks at what there is after the death, starts again, and repeats the act.
func (was remains) found(answered id.Act, index uint64) (there bool, phase string, records int) {
	t, l, ctx := was.t, was.l, was.t.Context()
	left := was.count()
	there = left["acts"] > was.rows["acts"]
	log, err := processLog(l.Dir)
	if err != nil {
		t.Fatalf("the log after the death: %v", err)
	}
	i := &installation{log: log}
	inLog := logActs(t, log, was.logged)
	if i.store, err = store.Open(ctx, l.Where, registrytest.Sealer{}); err != nil {
		_ = closeLog(log)
		t.Fatalf("the database after the death: %v", err)
	}
	defer func() {
		if err := i.close(); err != nil {
			t.Error(err)
		}
	}()
	waiting, err := i.store.Outbox(ctx)
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case answered != "":
		phase = "answered"
	case !there:
		phase = "not done"
	case len(waiting) == 0:
		phase = "done, not answered"
	case len(inLog) == 0:
		phase = "committed"
	default:
		phase = "committed and in the log"
	}
	exact := map[moment]string{beforeCommit: "not done", afterCommit: "committed", afterAppend: "committed and in the log", afterMark: "done, not answered", afterAnswer: "answered"}
	if want := exact[l.Moment]; want != "" && phase != want {
		t.Errorf("at %s the act is %s, want %s", l.Moment, phase, want)
	}
	if !there && len(inLog) != 0 {
		t.Errorf("the act is in the log and not in the database")
	}
	if err := i.open(ctx, func() time.Time { return l.Now }, l.Settings, nil); err != nil {
		t.Fatalf("it does not start again: %v (%v)", err, errors.Unwrap(err))
	}
	if !there {
		if got, want := dump(t, i.registry.View()), dump(t, was.view); got != want {
			t.Errorf("there is something of an act that was not done:\ngot  %s\nwant %s", got, want)
		}
		if got := was.count(); fmt.Sprint(got) != fmt.Sprint(was.rows) {
			t.Errorf("rows of an act that was not done: got %v, want %v", got, was.rows)
		}
	} else {
		e, _ := was.whole(i)
		// What the death left is what the restart has: it adds nothing but the log index.
		left["outbox"] = 0
		if got := was.count(); fmt.Sprint(got) != fmt.Sprint(left) {
			t.Errorf("the restart wrote rows: got %v, want %v", got, left)
		}
		if answered != "" && (e.ID != answered || e.LogIndex != index) {
			t.Errorf("answered was act %s at %d, and there is %s at %d", answered, index, e.ID, e.LogIndex)
		}
	}
	for again := range 2 {
		r, err := i.registry.Do(ctx, registry.Actor{Person: l.By, Session: l.Session}, was.act, registry.Meta{Reason: "killed", IdempotencyKey: l.Key})
		if err != nil {
			t.Fatalf("the repetition with its key, %d: %v", again, err)
		}
		if want := there || again > 0; r.Repeated != want {
			t.Errorf("repetition %d: repeated is %v, want %v", again, r.Repeated, want)
		}
		e, n := was.whole(i)
		if records = n; r.Act != e.ID || r.LogIndex != e.LogIndex {
			t.Errorf("the repetition is act %s at %d, and there is %s at %d", r.Act, r.LogIndex, e.ID, e.LogIndex)
		}
	}
	if _, err := i.registry.Verify(ctx, func(ctx context.Context, a id.Act) (audit.ActEntry, error) {
		e, err := log.Act(ctx, a)
		if err != nil {
			return audit.ActEntry{}, err
		}
		return *e.Act, nil
	}); err != nil {
		t.Errorf("verify: %v (%v)", err, errors.Unwrap(problem.From(err)))
	}
	return there, phase, records
}

// logActs are the acts in the log from an index on.
func logActs(t *testing.T, log *audit.Log, from uint64) (acts []audit.ActEntry) {
	t.Helper()
	err := log.Scan(t.Context(), from, log.Size(), func(_ uint64, e audit.Entry) error {
		if e.Act != nil {
			acts = append(acts, *e.Act)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return acts
}

// whole checks that all of the act is there, once, and nothing beside it.
func (was remains) whole(i *installation) (registry.Entry, int) {
	t, ctx := was.t, was.t.Context()
	t.Helper()
	acts, err := i.registry.Acts(ctx, was.view.Version(), 10)
	if err != nil || len(acts) != 1 {
		t.Fatalf("got %d acts (%v), want one", len(acts), err)
	}
	e := acts[0]
	recorded, err := registry.Decode(e.Kind, e.Body)
	if err != nil {
		t.Fatal(err)
	}
	next, changed := registry.Apply(was.view, recorded, registry.Stamp{ID: e.ID, By: e.Actor, At: e.At, Session: was.l.Session})
	if e.Kind != was.l.Kind || e.Actor != was.l.By {
		t.Errorf("the act is %s by %s", e.Kind, e.Actor)
	}
	if got, want := lines(t, e.Changed), lines(t, changed); got != want {
		t.Errorf("the act changed:\n%s\nwant:\n%s", got, want)
	}
	want := dump(t, next)
	if got := dump(t, i.registry.View()); got != want {
		t.Errorf("the view is\n%s\nwant\n%s", got, want)
	}
	head, err := i.store.Head(ctx)
	if err != nil || head.Seq != head.Logged || head.Seq != e.Seq {
		t.Errorf("head: %+v, %v", head, err)
	}
	rows, err := i.store.Load(ctx, head.Seq)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := lines(t, rows), sorted(want); got != want {
		t.Errorf("the tables of records hold\n%s\nwant\n%s", got, want)
	}
	n := map[string]int{"acts": was.rows["acts"] + 1, "outbox": 0, "revisions": was.rows["revisions"] + len(changed), "documents": was.rows["documents"]}
	if digest, content := paper(was.act); digest != "" {
		n["documents"]++
		stored, has, err := i.store.Document(ctx, digest)
		if err != nil || !has || string(stored.Content) != string(content) {
			t.Errorf("the document: there is %v, %v", has, err)
		}
	}
	if got := was.count(); fmt.Sprint(got) != fmt.Sprint(n) {
		t.Errorf("rows: got %v, want %v", got, n)
	}
	logged := logActs(t, i.log, was.logged)
	// What was appended just now is under no checkpoint yet, and found by its id.
	if len(logged) > 1 || len(logged) == 1 && logged[0].Act != e.ID {
		t.Errorf("the log has %d acts more, want one", len(logged))
	}
	if l, err := i.log.Act(ctx, e.ID); err != nil || l.Index != e.LogIndex || l.Act.Registry != e.Seq {
		t.Errorf("the log has the act at %d (%v), want %d", l.Index, err, e.LogIndex)
	}
	return e, len(changed)
}

// paper is what an act brings to be stored beside the records.
func paper(a registry.Act) (digest string, content []byte) {
	switch a := a.(type) {
	case registry.PutDocument:
		return a.Digest, a.Content
	case registry.AttachEvidence:
		return a.Digest, a.Content
	}
	return "", nil
}

// lines are records as dump writes them, sorted.
func lines(t *testing.T, records []snapshot.Record) string {
	t.Helper()
	var b strings.Builder
	for _, r := range records {
		raw, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s/%s %s\n", r.Noun(), r.Key(), raw)
	}
	return sorted(b.String())
}

func sorted(text string) string {
	l := strings.Split(strings.TrimSpace(text), "\n")
	slices.Sort(l)
	return strings.Join(l, "\n")
}

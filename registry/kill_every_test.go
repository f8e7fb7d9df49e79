package registry_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/internal/need"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
	"github.com/sallyport/sallyport/store"
)

// moment is when a process dies in the act that it does. Those between two steps are
// exact; those in a step, and "any", come after a random time.
type moment string

const (
	beforeCommit moment = "before-commit"
	inCommit     moment = "in-commit"
	afterCommit  moment = "after-commit" // and before the log
	inAppend     moment = "in-append"
	afterAppend  moment = "after-append" // in the log, and in the outbox still
	afterMark    moment = "after-mark"   // and before the view is published
	afterAnswer  moment = "after-answer"
	anyMoment    moment = "any"
)

var moments = []moment{beforeCommit, inCommit, afterCommit, inAppend, afterAppend, afterMark, afterAnswer, anyMoment}

// random is how long after the begin of a step or of the act the process dies, at most.
var random = map[moment]time.Duration{inCommit: 3 * time.Millisecond, inAppend: 3 * time.Millisecond, anyMoment: 12 * time.Millisecond}

// lethal is what a process is told that does one act and dies in it.
type lethal struct {
	Dir, Where string
	By         id.Person
	Session    id.Session
	Kind       registry.Kind
	Act        json.RawMessage
	Key        string
	Now        time.Time
	Settings   snapshot.Settings
	Moment     moment
	After      time.Duration
}

// dying is a store and a log of a process that dies in an act.
type dying struct {
	registry.Store
	log    registry.Log
	moment moment
	after  time.Duration
}

func die() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

func (d dying) at(m moment) {
	if d.moment == m {
		die()
	}
}

// in lets the process die in what begins now, or after it.
func (d dying) in(m moment) {
	if d.moment == m {
		time.AfterFunc(d.after, die)
	}
}

func (d dying) Commit(ctx context.Context, e *registry.Entry) error {
	d.at(beforeCommit)
	d.in(inCommit)
	err := d.Store.Commit(ctx, e)
	d.at(afterCommit)
	return err
}

func (d dying) Append(ctx context.Context, e audit.ActEntry) (uint64, error) {
	d.in(inAppend)
	index, err := d.log.Append(ctx, e)
	d.at(afterAppend)
	return index, err
}

func (d dying) MarkLogged(ctx context.Context, seq uint64, node string, index uint64) error {
	err := d.Store.MarkLogged(ctx, seq, node, index)
	d.at(afterMark)
	return err
}

// withPapers is a store in which every paper is there: the scenarios name papers that
// nobody has put in.
type withPapers struct{ *store.Store }

func (s withPapers) HasDocument(ctx context.Context, digest string) (id.Engagement, bool, error) {
	under, has, err := s.Store.HasDocument(ctx, digest)
	return under, has || err == nil, err
}

// installation is a registry on a database and a log of its own.
type installation struct {
	registry *registry.Registry
	store    *store.Store
	log      *audit.Log
}

func (i *installation) close() error { return errors.Join(i.store.Close(), closeLog(i.log)) }

// closeLog closes a log between the starts of other processes: a child that has not
// replaced its program yet holds the log's lock, too.
func closeLog(l *audit.Log) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return l.Close()
}

// install opens one. around, if any, stands between the registry and its store and log.
func install(ctx context.Context, dir, where string, now func() time.Time, settings snapshot.Settings, around func(registry.Store, registry.Log) (registry.Store, registry.Log)) (_ *installation, err error) {
	i := &installation{}
	if i.log, err = processLog(dir); err != nil {
		return nil, err
	}
	if i.store, err = store.Open(ctx, where, registrytest.Sealer{}); err != nil {
		return nil, errors.Join(err, closeLog(i.log))
	}
	if err = i.open(ctx, now, settings, around); err != nil {
		return nil, errors.Join(err, i.close())
	}
	return i, nil
}

func (i *installation) open(ctx context.Context, now func() time.Time, settings snapshot.Settings, around func(registry.Store, registry.Log) (registry.Store, registry.Log)) error {
	engine, err := registry.NewEngine()
	if err != nil {
		return err
	}
	var s registry.Store = withPapers{i.store}
	var l registry.Log = i.log
	if around != nil {
		s, l = around(s, l)
	}
	i.registry, err = registry.Open(ctx, registry.Options{Store: s, Log: l, Engine: engine, Node: "node-1", Settings: settings, Clock: now})
	return err
}

// lethalAct is the process: it opens, acts, says what it was answered, and dies.
func lethalAct() {
	fail := func(err error) {
		fmt.Println("failed", err, errors.Unwrap(err))
		os.Exit(1)
	}
	ctx := context.Background()
	raw, err := os.ReadFile(os.Getenv("SALLYPORT_LETHAL_ACT"))
	if err != nil {
		fail(err)
	}
	var l lethal
	if err := json.Unmarshal(raw, &l); err != nil {
		fail(err)
	}
	a, err := registry.Decode(l.Kind, l.Act)
	if err != nil {
		fail(err)
	}
	var d dying
	i, err := install(ctx, l.Dir, l.Where, func() time.Time { return l.Now }, l.Settings, func(s registry.Store, log registry.Log) (registry.Store, registry.Log) {
		d = dying{s, log, l.Moment, l.After}
		return d, d
	})
	if err != nil {
		fail(err)
	}
	d.in(anyMoment)
	r, err := i.registry.Do(ctx, registry.Actor{Person: l.By, Session: l.Session}, a, registry.Meta{Reason: "killed", IdempotencyKey: l.Key})
	if err != nil {
		fail(err)
	}
	fmt.Println("done", r.Act, r.LogIndex)
	d.at(afterAnswer)
	select {} // what comes after a time comes
}

// deaths are what the lives of a run ended as.
type deaths struct {
	mu     sync.Mutex
	phases map[string]int
	kinds  map[registry.Kind]map[bool]int // by whether the act was there after the restart
	most   int                            // records that one act changed
}

func (d *deaths) add(k registry.Kind, phase string, there bool, records int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.phases[phase]++
	if d.kinds[k] == nil {
		d.kinds[k] = map[bool]int{}
	}
	d.kinds[k][there]++
	d.most = max(d.most, records)
}

// TestKilledInEveryAct does the allowed act of each scenario in a process of its own, on
// the real log and a real database, and kills the process in it. After the restart there
// is nothing of the act or all of it: records, revisions, document, audit entry; and its
// repetition with the same key comes to the same.
func TestKilledInEveryAct(t *testing.T) {
	lives, seed := 4, uint64(time.Now().UnixNano())
	if testing.Short() {
		lives = 2
	}
	for name, to := range map[string]func(uint64){"SALLYPORT_KILL_LIVES": func(n uint64) { lives = int(n) }, "SALLYPORT_KILL_SEED": func(n uint64) { seed = n }} {
		if s := os.Getenv(name); s != "" {
			n, err := strconv.ParseUint(s, 10, 64)
			if err != nil || n < 1 {
				t.Fatalf("%s=%q is not a number above zero", name, s)
			}
			to(n)
		}
	}
	r := rand.New(rand.NewPCG(seed, 0))
	g := grounds{none: t.TempDir(), demo: t.TempDir()}
	g.prepare(t)
	order := r.Perm(len(registry.Acts))
	first := make([]int, len(order)) // the first moment of each kind
	for i := range first {
		first[i] = r.IntN(len(moments))
	}
	seen := &deaths{phases: map[string]int{}, kinds: map[registry.Kind]map[bool]int{}}
	began := time.Now()
	t.Run("lives", func(t *testing.T) {
		for n := range lives {
			which := order[n%len(order)]
			spec := registry.Acts[which]
			m := moments[(first[which]+n/len(order))%len(moments)]
			after := time.Duration(0)
			if most := random[m]; most > 0 {
				after = time.Duration(r.Int64N(int64(most)))
			}
			pg := g.pgDemo != "" && n%8 == 7
			t.Run(fmt.Sprintf("%d-%s-%s", n, spec.Name, m), func(t *testing.T) {
				t.Parallel()
				g.life(t, spec.Name, m, after, pg, seen)
			})
		}
	})
	var missing, oneSided []string
	for _, spec := range registry.Acts {
		switch k := seen.kinds[spec.Name]; {
		case len(k) == 0:
			missing = append(missing, string(spec.Name))
		case len(k) == 1:
			oneSided = append(oneSided, string(spec.Name))
		}
	}
	on := "SQLite"
	if g.pgDemo != "" {
		on += " and PostgreSQL"
	}
	t.Logf("killed: %d lives on %s in %s (seed %d), in %d of %d acts, of up to %d records; at death %s", lives, on, time.Since(began).Round(time.Second/10), seed,
		len(registry.Acts)-len(missing), len(registry.Acts), seen.most, counts(seen.phases))
	if len(missing) > 0 {
		t.Logf("not killed in: %s", strings.Join(missing, " "))
	}
	if lives >= len(order) && len(missing) > 0 {
		t.Errorf("%d acts were not killed in", len(missing))
	}
	if lives >= len(order)*len(moments) && len(oneSided) > 0 {
		t.Errorf("acts that were always there after the kill, or never: %s", strings.Join(oneSided, " "))
	}
}

func counts(m map[string]int) string {
	var out []string
	for k, n := range m {
		out = append(out, fmt.Sprintf("%d %s", n, k))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// grounds are the installations from which lives begin.
type grounds struct {
	none, demo string      // folders
	pgDemo     string      // the folder of the demo on PostgreSQL; empty: there is none
	pgFull     string      // the schema that holds it
	pgBare     string      // an empty one
	schemas    chan string // for lives, one at a time in each: URLs
	tables     []string    // of a schema, acts first
}

func still() time.Time { return noon }

// prepare does the demo's acts.
func (g *grounds) prepare(t *testing.T) {
	t.Helper()
	build := func(dir, where string, demo bool) {
		t.Helper()
		i, err := install(t.Context(), dir, where, still, registrytest.Settings(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if demo {
			w := &world{t: t, view: i.registry.View(), now: noon, real: i.registry}
			w.demo()
		}
		if err := i.close(); err != nil {
			t.Fatal(err)
		}
	}
	writeLogKeys(t, g.none)
	writeLogKeys(t, g.demo)
	build(g.demo, filepath.Join(g.demo, "registry.db"), true)
	if os.Getenv(need.PostgresVar) == "" {
		return
	}
	g.pgDemo, g.schemas = t.TempDir(), make(chan string, 2)
	writeLogKeys(t, g.pgDemo)
	full := postgres(t)
	build(g.pgDemo, full, true)
	for range cap(g.schemas) {
		dir, where := t.TempDir(), postgres(t)
		writeLogKeys(t, dir)
		build(dir, where, false)
		g.schemas <- where
	}
	bare := postgres(t)
	dir := t.TempDir()
	writeLogKeys(t, dir)
	build(dir, bare, false)
	g.pgFull, g.pgBare = schema(t, full), schema(t, bare)
	db, err := sql.Open("pgx", bare)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), `SELECT table_name FROM information_schema.tables
		WHERE table_schema = current_schema() AND table_name NOT LIKE 'goose_%' ORDER BY table_name <> 'acts', table_name`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var table string
		if err := rows.Scan(&table); err != nil {
			t.Fatal(err)
		}
		g.tables = append(g.tables, table)
	}
	if err := rows.Err(); err != nil || len(g.tables) == 0 || g.tables[0] != "acts" {
		t.Fatalf("the tables of a schema: %v, %v", g.tables, err)
	}
}

func schema(t *testing.T, where string) string {
	t.Helper()
	u, err := url.Parse(where)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get("search_path")
}

// schema is one for a life, which holds what another does.
func (g *grounds) schema(t *testing.T, as string) string {
	t.Helper()
	where := <-g.schemas
	t.Cleanup(func() { g.schemas <- where })
	db, err := sql.Open("pgx", where)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var text strings.Builder
	for _, table := range slices.Backward(g.tables) {
		fmt.Fprintf(&text, "DELETE FROM %s;\n", table)
	}
	for _, table := range g.tables {
		fmt.Fprintf(&text, "INSERT INTO %s SELECT * FROM %s.%[1]s;\n", table, as)
	}
	if _, err := db.ExecContext(t.Context(), "BEGIN;\n"+text.String()+"COMMIT"); err != nil {
		t.Fatal(err)
	}
	return where
}

// life is the preparation of an act, the act, the death in it, and the search for what
// it left.
func (g *grounds) life(t *testing.T, k registry.Kind, m moment, after time.Duration, pg bool, seen *deaths) {
	from, dir := g.demo, t.TempDir()
	where := filepath.Join(dir, "registry.db")
	bare := strings.HasPrefix(string(k), "organisation.")
	switch {
	case bare:
		from = g.none
	case pg:
		from = g.pgDemo
	}
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	if pg {
		as := g.pgFull
		if bare {
			as = g.pgBare
		}
		where = g.schema(t, as)
	}
	w := &world{t: t, now: noon}
	now := func() time.Time { return w.now }
	i, err := install(t.Context(), dir, where, now, registrytest.Settings(), nil)
	if err != nil {
		t.Fatal(err)
	}
	w.view, w.real = i.registry.View(), i.registry
	s := scenarios[k]
	if s.before != nil {
		s.before(w)
	}
	a := s.allowed(w)
	body, err := registry.Encode(a)
	if err != nil {
		t.Fatal(err)
	}
	l := lethal{Dir: dir, Where: where, By: "grace", Session: w.sessions["grace"], Kind: k, Act: body, Key: "once", Now: w.now, Settings: w.view.Settings, Moment: m, After: after}
	was := remains{t: t, l: l, view: i.registry.View().WithSettings(l.Settings), act: a}
	was.rows = was.count()
	if err := i.close(); err != nil {
		t.Fatal(err)
	}
	if was.logged, err = entries(dir); err != nil {
		t.Fatal(err)
	}
	answered, index := l.run(t)
	if t.Failed() {
		return
	}
	there, phase, records := was.found(answered, index)
	seen.add(k, phase, there, records)
}

// entries is how many the log holds.
func entries(dir string) (uint64, error) {
	l, err := processLog(dir)
	if err != nil {
		return 0, err
	}
	return l.Size(), closeLog(l)
}

// run starts the process and waits for its end.
func (l lethal) run(t *testing.T) (answered id.Act, index uint64) {
	t.Helper()
	raw, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "act.json")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), "SALLYPORT_LETHAL_ACT="+file)
	out, err := cmd.Output()
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() || status.Signal() != syscall.SIGKILL || ctx.Err() != nil {
		t.Errorf("the process was not killed in the act: %v: %s", err, out)
		return "", 0
	}
	if f := strings.Fields(string(out)); len(f) == 3 && f[0] == "done" && strings.HasSuffix(string(out), "\n") {
		n, err := strconv.ParseUint(f[2], 10, 64)
		if err != nil {
			t.Errorf("answered: %s", out)
		}
		return id.Act(f[1]), n
	}
	return "", 0
}

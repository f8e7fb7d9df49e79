package living_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/sallyport/sallyport/audit/verify"
	"github.com/sallyport/sallyport/disclosure"
	"github.com/sallyport/sallyport/hospital"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity/signin"
	"github.com/sallyport/sallyport/living"
	"github.com/sallyport/sallyport/snapshot"
)

// The story must come out as it is told: each vendor in its state, months of decisions,
// a log that verifies, and nothing of a patient in what governs, logs or shows.
func TestTheStoryComesOut(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer // written by the server alone, and read when that has stopped
	dir := t.TempDir()
	now := later()
	var told []string
	o, err := living.Start(t.Context(), living.Options{Dir: dir, Quick: true, Now: later, Records: hospital.GenerateCanaries(1, 12),
		Logger:   slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Progress: func(done, total int, what string) { told = append(told, fmt.Sprint(done, "/", total, " ", what)) }})
	if err != nil {
		t.Fatal(err)
	}
	stopped := false
	t.Cleanup(func() {
		if !stopped {
			_ = o.Stop() // the test has failed already
		}
	})
	if len(told) < 100 || !strings.HasSuffix(told[len(told)-1], " now") {
		t.Errorf("progress was told %d times, and last %q", len(told), told[len(told)-1])
	}
	if behind := later().Sub(o.Clock.Now()); behind > time.Second || behind < -time.Second {
		t.Errorf("the clock is %s behind the machine's at the end", behind)
	}
	t.Run("Northwind is in operation", func(t *testing.T) { inOperation(t, o) })
	t.Run("Harborlight is in onboarding", func(t *testing.T) { inOnboarding(t, o) })
	t.Run("Clearwater is parted from", func(t *testing.T) { partedFrom(t, o) })
	t.Run("each month has decisions", func(t *testing.T) { monthly(t, o, now) })
	t.Run("people can sign in", func(t *testing.T) { signIn(t, o) })
	t.Run("what to look at is there", func(t *testing.T) { looks(t, o) })
	t.Run("programs ask", func(t *testing.T) {
		for app, want := range map[id.App]int{"triage": 200, "summarizer": 200, "assistant": 403, "denials": 403, "imaging-qa": 401} {
			if got, body, err := o.Programs[app].Ask(t.Context(), "Patient?_count=1"); err != nil || got != want {
				t.Errorf("%s: got %d, want %d: %v %.400s", app, got, want, err, body)
			}
		}
	})
	stopped = true
	if err := o.Stop(); err != nil {
		t.Fatalf("stopping: %v", err)
	}
	t.Run("the log verifies", func(t *testing.T) { verifies(t, o) })
	for _, line := range strings.Split(log.String(), "\n") {
		if strings.Contains(line, `"level":"ERROR"`) {
			t.Errorf("the server logged an error: %s", line)
		}
	}
	nothingOfPatients(t, dir, log.Bytes(), o.Records)
}

// later is the caller's clock: the story must come out on whatever day it is told.
func later() time.Time {
	hours, _ := strconv.Atoi(os.Getenv("SALLYPORT_TEST_LATER_HOURS")) // 0: now
	return time.Now().Add(time.Duration(hours) * time.Hour)
}

func get[K ~string, V any](t *testing.T, table snapshot.Table[K, V], key K) *V {
	t.Helper()
	x, ok := table.Get(key)
	if !ok {
		t.Fatalf("there is no %q", key)
	}
	return x
}

func inOperation(t *testing.T, o *living.Organisation) {
	v, now := o.Server.View(), o.Clock.Now()
	within := func(what string, at time.Time, days int) {
		t.Helper()
		if at.Before(now) || at.After(now.AddDate(0, 0, days)) {
			t.Errorf("%s is at %s, want within %d days", what, at, days)
		}
	}
	if w := get(t, v.Vendors, "northwind"); w.State != snapshot.Approved {
		t.Errorf("northwind is %s", w.State)
	}
	within("the end of an engagement", get(t, v.Engagements, "discharge-summaries").EndsAt, 10)
	within("the end of a certification", get(t, v.Certifications, "northwind-soc2").ExpiresAt, 30)
	within("the end of Ravi's training", get(t, v.Trainings, "ravi-first").ExpiresAt, 21)
	a := get(t, v.Assessments, "northwind-visit")
	if a.Verdict != snapshot.Conditional || len(a.Conditions) != 1 || !a.Conditions[0].MetAt.IsZero() {
		t.Errorf("the assessment is %s with %d conditions", a.Verdict, len(a.Conditions))
	}
	paper := get(t, v.Agreements, "northwind-baa-amended")
	if len(paper.Signatures) != 1 || paper.Signatures[0].Party != snapshot.Organisation || paper.State != snapshot.Proposed {
		t.Errorf("the amended agreement is %s, with signatures %v", paper.State, paper.Signatures)
	}
	waiting := 0
	for _, r := range v.Requests.All() {
		if r.Person == "ravi" && r.DecidedAt.IsZero() {
			waiting++
		}
	}
	if waiting != 1 {
		t.Errorf("%d requests of Ravi wait, want 1", waiting)
	}
	c := get(t, v.Campaigns, "third-quarter")
	open := 0
	for _, key := range c.Reviews {
		if get(t, v.Reviews, key).CompletedAt.IsZero() {
			open++
		}
	}
	if !c.ClosedAt.IsZero() || open == 0 || open == len(c.Reviews) {
		t.Errorf("of the campaign's %d reviews %d are open", len(c.Reviews), open)
	}
	if e := get(t, v.Emergencies, "night-outage"); !e.ReviewedAt.IsZero() {
		t.Error("the emergency is reviewed already")
	}
	if h := get(t, v.Holds, "gpu-1-hold"); h.LiftedAt.IsZero() {
		t.Error("the hold on the machine is not lifted")
	}
	if in := get(t, v.Incidents, "stolen-bag"); in.ClosedAt.IsZero() || in.Lessons == "" {
		t.Error("the first incident is not closed")
	}
	reading := 0
	for _, x := range v.AttemptsOf("ravi") {
		if x.Stage == snapshot.AttemptOpen {
			reading += len(x.Lessons)
		}
	}
	if reading == 0 {
		t.Error("Ravi is not half through the course")
	}
	if p := get(t, v.Postures, "lin-laptop"); p.Firewall != snapshot.CheckFail {
		t.Errorf("the laptop's firewall is %q", p.Firewall)
	}
}

func inOnboarding(t *testing.T, o *living.Organisation) {
	v := o.Server.View()
	if w := get(t, v.Vendors, "harborlight"); w.State != snapshot.Proposed {
		t.Errorf("harborlight is %s", w.State)
	}
	q := get(t, v.Questionnaires, "harborlight-q1")
	if n := len(q.Answers); n < len(q.Asked)/3 || n > 2*len(q.Asked)/3 || !q.SubmittedAt.IsZero() {
		t.Errorf("%d of %d questions are answered", n, len(q.Asked))
	}
	if a := get(t, v.Agreements, "harborlight-baa"); len(a.Signatures) != 0 {
		t.Errorf("its agreement is signed: %v", a.Signatures)
	}
}

func partedFrom(t *testing.T, o *living.Organisation) {
	v, now := o.Server.View(), o.Clock.Now()
	if w := get(t, v.Vendors, "clearwater"); w.State != snapshot.Ended {
		t.Errorf("clearwater is %s", w.State)
	}
	in := get(t, v.Incidents, "shared-folder")
	if !in.ClosedAt.IsZero() || in.Affected.Individuals == 0 || in.Affected.Radius == "" || len(in.Holds) == 0 {
		t.Errorf("the incident is not as it is told: %+v", in)
	}
	if age := now.Sub(in.DiscoveredAt); age < 20*24*time.Hour || age > 40*24*time.Hour {
		t.Errorf("the incident was discovered %s ago", age)
	}
	off := get(t, v.Offboardings, "goodbye-clearwater")
	if !off.CompletedAt.IsZero() || len(off.Dispositions) == 0 || len(off.Dispositions) == len(snapshot.DataForms) || off.Inventory.Releases == 0 || off.Tried == 0 {
		t.Errorf("the parting is not as it is told: %+v", off)
	}
	if a := get(t, v.Agreements, "clearwater-baa"); a.TerminatedAt.IsZero() {
		t.Error("its agreement is not terminated")
	}
}

// monthly counts, by the index over the log, what was decided in each of the months.
func monthly(t *testing.T, o *living.Organisation, now time.Time) {
	permitted, refused, gates, sealed := map[int]int{}, map[int]int{}, map[string]int{}, 0
	for after := uint64(0); ; {
		var page disclosure.Page
		if err := o.People["iris"].Call(t.Context(), http.MethodGet, fmt.Sprintf("/v1/disclosures?kind=permitted&kind=refused&kind=released&limit=10000&after=%d", after), nil, &page); err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Items {
			month := int(now.Sub(r.Time).Hours() / 24 / 30)
			switch r.Kind {
			case disclosure.Permitted:
				permitted[month]++
			case disclosure.Refused:
				refused[month]++
			}
			if r.Sealed != nil {
				sealed++
			}
			for _, f := range r.Failing {
				gates[f.Gate]++
			}
		}
		if after = page.Next; after == 0 {
			break
		}
	}
	for m := range 7 {
		if permitted[m] == 0 || refused[m] == 0 {
			t.Errorf("%d months ago %d requests were permitted and %d refused", m, permitted[m], refused[m])
		}
	}
	if sealed == 0 {
		t.Error("nothing was sealed")
	}
	for _, g := range []string{"agreement", "training", "hold", "posture", "role", "identity", "engagement"} {
		if gates[g] == 0 {
			t.Errorf("nothing was refused by the gate %s: %v", g, gates)
		}
	}
}

func signIn(t *testing.T, o *living.Organisation) {
	for _, p := range living.Cast {
		secret, err := o.SignIn(t.Context(), p)
		if err != nil {
			t.Errorf("%s: %v", p, err)
			continue
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, o.API+"/v1/whoami", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+secret)
		resp, err := o.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var who struct{ ID id.Person }
		if err := json.NewDecoder(resp.Body).Decode(&who); err != nil || resp.StatusCode != http.StatusOK || who.ID != p {
			t.Errorf("%s is signed in as %q: %s, %v", p, who.ID, resp.Status, err)
		}
		resp.Body.Close()
		live := 0
		for _, x := range o.Server.View().SessionsOf(p) {
			if x.Live(o.Clock.Now()) && x.Method == snapshot.ByPasskey && !x.SteppedUpAt.IsZero() {
				live++
			}
		}
		if live == 0 {
			t.Errorf("%s has no session by a passkey", p)
		}
	}
	if _, err := o.SignIn(t.Context(), "nobody"); err == nil {
		t.Error("nobody was signed in")
	}
}

// looks opens what the demo says to look at.
func looks(t *testing.T, o *living.Organisation) {
	for _, l := range living.Looks {
		secret, err := o.SignIn(t.Context(), l.As)
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, o.Pages+l.Path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.AddCookie(&http.Cookie{Name: signin.CookieName, Value: secret})
		resp, err := o.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s as %s: %s", l.Path, l.As, resp.Status)
		}
	}
}

func verifies(t *testing.T, o *living.Organisation) {
	raw, err := os.ReadFile(o.Config.Data("log.pub"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := note.NewVerifier(strings.TrimSpace(string(raw)))
	if err != nil {
		t.Fatal(err)
	}
	report, err := verify.Log(os.DirFS(o.Config.Data("audit")), key)
	if err != nil || report.Uncovered != 0 || report.Acts < 300 || report.Intents == 0 || report.Refusals == 0 {
		t.Errorf("the log does not verify as it must: %+v, %v", report, err)
	}
}

// nothingOfPatients looks for names and other strings that identify, in the files of the
// installation and in the server's log.
func nothingOfPatients(t *testing.T, dir string, log []byte, r *hospital.Records) {
	var needles [][]byte
	for _, c := range r.Canaries() {
		if strings.HasPrefix(c.Value, "ZZCANARY") {
			needles = append(needles, []byte(c.Value))
			break // all of them begin so; one proves that the hospital has some
		}
	}
	if len(needles) == 0 {
		t.Fatal("the hospital has no canary")
	}
	needles = [][]byte{[]byte("ZZCANARY")}
	look := func(where string, b []byte) {
		for _, n := range needles {
			if i := bytes.Index(b, n); i >= 0 {
				t.Errorf("%s holds what identifies a patient: ...%q...", where, b[max(0, i-80):min(len(b), i+80)])
			}
		}
	}
	look("the server's log", log)
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		files++
		look(path, raw)
		return err
	})
	if err != nil || files < 20 {
		t.Errorf("%d files were looked through: %v", files, err)
	}
}

// Where to look is below the console, and what is named there exists.
func TestLooksAreWhole(t *testing.T) {
	seen := map[string]bool{}
	for _, l := range living.Looks {
		if l.Title == "" || l.Says == "" || !strings.HasPrefix(l.Path, "/console") || seen[l.Path] || !slices.Contains(living.Cast, l.As) {
			t.Errorf("%+v is not whole, or stands there twice", l)
		}
		seen[l.Path] = true
	}
}

// Whoever ends it while it begins waits for nothing and leaves nothing behind.
func TestItCanBeEndedWhileItBegins(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err := living.Start(ctx, living.Options{Dir: t.TempDir(), Patients: 4, Quick: true, Progress: func(done, _ int, _ string) {
		if done == 3 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that it was cancelled", err)
	}
}

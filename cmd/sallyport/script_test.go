package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/sallyport/sallyport/internal/need"
)

// The scripts run the real program: the test binary, under its name, by a clock that
// a script can advance. The program itself has no such switch.
func TestMain(m *testing.M) {
	testscript.Main(stories{m}, map[string]func(){"sallyport": func() {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		os.Exit(run(ctx, os.Args[1:], clockOf(os.Getenv("SALLYPORT_TEST_CLOCK"))))
	}})
}

// stories runs the tests. Under the race detector each of hundreds of programs starts
// late, and the same code is under it in other packages' tests: SALLYPORT_STORIES may
// name a folder with this test's binary, built without it, as sallyport.
type stories struct{ *testing.M }

// Run implements testscript.TestingM.
func (s stories) Run() int {
	if other := os.Getenv("SALLYPORT_STORIES"); other != "" {
		_ = os.Setenv("PATH", other+string(os.PathListSeparator)+os.Getenv("PATH")) // the name holds no NUL
	}
	return s.M.Run()
}

// clockOf is the machine's clock, ahead of it by the duration that the file holds at
// each look: a server under way moves with it. Without a file it is the machine's.
func clockOf(file string) clock {
	if file == "" {
		return time.Now
	}
	return func() time.Time { return time.Now().Add(aheadBy(file)) }
}

func aheadBy(file string) time.Duration {
	raw, err := os.ReadFile(file)
	if err != nil {
		return 0 // not advanced yet
	}
	d, err := time.ParseDuration(string(raw))
	if err != nil {
		panic("the file of SALLYPORT_TEST_CLOCK holds no duration: " + err.Error())
	}
	return d
}

// advance moves the clock of the script's programs, and waits until a server that
// runs has confirmed its registry at the new time.
func advance(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: advance 90d or advance 12h")
	}
	by, err := time.ParseDuration(args[0])
	if days, ok := strings.CutSuffix(args[0], "d"); ok {
		var n int
		n, err = strconv.Atoi(days)
		by = time.Duration(n) * 24 * time.Hour
	}
	ts.Check(err)
	file := ts.Getenv("SALLYPORT_TEST_CLOCK")
	ts.Check(os.WriteFile(file+".next", []byte((aheadBy(file) + by).String()), 0o600))
	ts.Check(os.Rename(file+".next", file)) // at once: nobody reads half a time
	health := "http://127.0.0.1:" + ts.Getenv("HEALTH")
	if resp, err := http.Get(health + "/healthz"); err == nil {
		resp.Body.Close()
		ts.Check(waitReady(health + "/readyz"))
	}
}

// TestScript tells the command line's stories: see testdata/script.
//
// $PORT, $API, $HEALTH and $PEOPLE are free ports for `sallyport init --port $PORT`,
// $EHR one for `sallyport hospital`, $AGENT one for `sallyport agent connect`. Some commands are ours: `ready` waits
// until a server is, `silent` wants nobody to listen, `replace OLD NEW FILE`
// changes a file, as a person would, and `advance 90d` moves the clock of every
// program of the script, those under way too.
//
// What expires along with the papers is renewed as people do it: a person's
// certificate lives a year (sallyport certificate person NAME, then person register-key
// by the certificate of before, which is kept until then), a device's as long as --days
// says, and a session not at all.
func TestScript(t *testing.T) {
	t.Parallel()
	p := stage(t)
	p.Dir = "testdata/script"
	play(t, p)
}

// stage is what scripts play on.
func stage(t *testing.T) testscript.Params {
	repo, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return testscript.Params{
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			for k, v := range ports(t) {
				e.Setenv(k, strconv.Itoa(v))
			}
			e.Setenv("REPO", repo)
			e.Setenv("SALLYPORT_TEST_CLOCK", filepath.Join(e.WorkDir, ".clock"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"advance": advance,
			"ready":   ready,
			"silent":  silent,
			"replace": replace,
			"flip":    flip,
			"speak":   speak,
		},
	}
}

// ports are six that no other script has.
func ports(t testing.TB) map[string]int {
	t.Helper()
	base := need.Ports(t, 6)
	return map[string]int{"PORT": base, "API": base + 1, "HEALTH": base + 2, "PEOPLE": base + 3, "EHR": base + 4, "AGENT": base + 5}
}

// waitReady waits for a server's answer of 200.
func waitReady(url string) error {
	var err error
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		var resp *http.Response
		if resp, err = http.Get(url); err != nil {
			continue
		}
		_, _ = io.Copy(io.Discard, resp.Body) // only the status counts
		resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			return nil
		}
		err = fmt.Errorf("%s answers %d", url, resp.StatusCode)
	}
	return err
}

func ready(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: ready URL")
	}
	ts.Check(waitReady(args[0]))
}

func silent(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: silent PORT...")
	}
	for _, port := range args {
		if c, err := net.DialTimeout("tcp", "127.0.0.1:"+port, time.Second); err == nil {
			_ = c.Close() // it should not be there at all
			ts.Fatalf("something listens on port %s", port)
		}
	}
}

func replace(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: replace OLD NEW FILE")
	}
	file := ts.MkAbs(args[2])
	raw, err := os.ReadFile(file)
	ts.Check(err)
	if !bytes.Contains(raw, []byte(args[0])) {
		ts.Fatalf("%s does not hold %q", args[2], args[0])
	}
	ts.Check(os.WriteFile(file, bytes.Replace(raw, []byte(args[0]), []byte(args[1]), 1), 0o600))
}

// flip changes the first letter of a text wherever a log's folder holds it.
func flip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: flip TEXT DIR")
	}
	_, err := changeOneByte(ts.MkAbs(args[1]), args[0])
	ts.Check(err)
}

var shellBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")

// typed makes a shell script of what pages say, with other ports. Only the build is
// left out, and what "leave it running" means is done with &.
func typed(p map[string]int, pages ...string) (script string, commands int) {
	number := strings.NewReplacer("8080", strconv.Itoa(p["EHR"]), "8443", strconv.Itoa(p["PORT"]), "8444", strconv.Itoa(p["API"]), "8446", strconv.Itoa(p["PEOPLE"]), "8090", strconv.Itoa(p["AGENT"]))
	var b strings.Builder
	b.WriteString("set -eu\nservers=''; trap 'kill $servers; wait' EXIT\n")
	for _, page := range pages {
		for _, block := range shellBlock.FindAllStringSubmatch(page, -1) {
			for line := range strings.Lines(number.Replace(block[1])) {
				line = strings.TrimSuffix(line, "\n")
				switch {
				case strings.HasPrefix(line, "go build"):
					continue
				case strings.HasPrefix(line, "./sallyport hospital"), strings.HasPrefix(line, "./sallyport serve"), strings.HasPrefix(line, "./sallyport agent connect"):
					line += " & servers=\"$servers $!\""
				case strings.HasPrefix(line, "./sallyport init"):
					line += " --port " + strconv.Itoa(p["PORT"])
				case line == "./sallyport whoami", strings.HasPrefix(line, "curl "):
					line = "i=0; until " + line + "; do i=$((i+1)); [ $i -lt 1200 ]; sleep 0.1; done"
				}
				if strings.Contains(line, "./sallyport") || strings.HasPrefix(line, "as_") {
					commands++
				}
				fmt.Fprintln(&b, line)
			}
		}
	}
	return b.String(), commands
}

// typePages types pages into a shell, in a folder that has the program and the
// examples, and gives what was shown.
func typePages(t *testing.T, atLeast int, pages ...string) []byte {
	t.Helper()
	out, _ := typePagesIn(t, atLeast, pages...)
	return out
}

// typePagesIn gives the folder, too, in which the pages wrote their files.
func typePagesIn(t *testing.T, atLeast int, pages ...string) (out []byte, dir string) {
	t.Helper()
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no sh to type into")
	}
	program, err := exec.LookPath("sallyport")
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	if err := os.Symlink(program, filepath.Join(dir, "sallyport")); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(dir, "docs", "examples"), os.DirFS("../../docs/examples")); err != nil {
		t.Fatal(err)
	}
	script, commands := typed(ports(t), pages...)
	if commands < atLeast {
		t.Fatalf("the pages have %d commands: was their form changed?", commands)
	}
	// Against a shell that hangs, not against a machine that is slow.
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	// The servers are stopped with the shell.
	cmd := exec.CommandContext(ctx, shell, "-c", script)
	cmd.Dir = dir
	home := t.TempDir() // a session or an agent of whoever runs the test is none of the page's
	cmd.Env = append(os.Environ(), "HOME="+home, "XDG_CONFIG_HOME="+filepath.Join(home, ".config"))
	cmd.WaitDelay = 10 * time.Second
	out, err = cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, inBrief(string(out)))
	}
	return out, dir
}

func page(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestTheFirstHour types what docs/first-hour.md says.
func TestTheFirstHour(t *testing.T) {
	t.Parallel()
	out := typePages(t, 30, page(t, "first-hour.md"))
	for _, want := range []string{
		`"id": "ada"`, "nothing to do", "FAIL", // the papers are missing
		": permitted", `"resourceType":"Patient"`, "SUBSETTED", // and are there
		"refused, as it must be", "The engagement", "northwind-baa", "verifies",
	} {
		if !bytes.Contains(out, []byte(want)) {
			t.Errorf("the hour does not show %q", want)
		}
	}
	if got, want := bytes.Count(out, []byte("refused, as it must be")), 2; got != want {
		t.Errorf("got %d refusals of the vendor, want %d", got, want)
	}
	if t.Failed() {
		t.Logf("%s", inBrief(string(out)))
	}
}

// TestTheDiligencePage types docs/diligence.md, after the part of the first hour that
// leads to a vendor.
func TestTheDiligencePage(t *testing.T) {
	t.Parallel()
	hour, _, ok := strings.Cut(page(t, "first-hour.md"), "## 4.")
	if !ok {
		t.Fatal("the first hour has no section 4")
	}
	out := typePages(t, 30, hour, page(t, "diligence.md"))
	for _, want := range []string{
		"moderate, 7 points", "Every link has an agreement", "/portal/in#", "IAM-02 from IAM-14.1, IAM-14.2", "none of them evidence", "64 answers saved",
		"HIP-05 is critical, and scores 0", "fail,", "refused: it is a fail", "OPEN GAP: HIP-05", "REOPENED: by-act change-at-vendor",
	} {
		if !bytes.Contains(out, []byte(want)) {
			t.Errorf("the page does not show %q", want)
		}
	}
	if t.Failed() {
		t.Logf("%s", inBrief(string(out)))
	}
}

// TestTheAgreementsPage types docs/agreements.md, after the part of the first hour that
// it needs.
func TestTheAgreementsPage(t *testing.T) {
	t.Parallel()
	need.Tool(t, "sha256sum")
	hour, _, ok := strings.Cut(page(t, "first-hour.md"), "## 4.")
	if !ok {
		t.Fatal("the first hour has no section 4")
	}
	out := typePages(t, 25, hour, page(t, "agreements.md"))
	for _, want := range []string{
		"agreement.draft new-baa: done", "refused, and the field is named", "ends_at: differs from what was entered before", "agreement.check-terms new-baa: done",
		"agreement.approve new-baa: done", "0 grants would stop at once", "agreement.approve-renewal new-baa: done", "agreement.cured new-baa: done", "agreement.terminate new-baa: done",
		"signed for the vendor by N. Wind, CEO", "survives the end: no_reidentification", `"state": "ended"`,
	} {
		if !bytes.Contains(out, []byte(want)) {
			t.Errorf("the page does not show %q", want)
		}
	}
	if t.Failed() {
		t.Logf("%s", inBrief(string(out)))
	}
}

// TestTheAgentsPage types docs/agent.md, after the first hour up to where the door
// is open. This machine may be in order or not: the client hears of either in FHIR.
func TestTheAgentsPage(t *testing.T) {
	t.Parallel()
	need.Tool(t, "curl")
	hour, _, ok := strings.Cut(page(t, "first-hour.md"), "## 8.")
	if !ok {
		t.Fatal("the first hour has no section 8")
	}
	out := typePages(t, 35, hour, page(t, "agent.md"))
	for _, want := range []string{
		"lin-laptop of northwind, enrolled", "waits for approval", "not yet, and it says why", "device.approve lin-laptop: done", "grant.approve lin-grant: done",
		"posture: The device has not reported its state", "posture is missing", "self-reported, not attested", "It is this machine's own word",
		"/fhir      (source ehr)",
	} {
		if !bytes.Contains(bytes.ToLower(out), bytes.ToLower([]byte(want))) {
			t.Errorf("the page does not show %q", want)
		}
	}
	answer := out[bytes.LastIndex(out, []byte(`{"resourceType"`)):]
	served := bytes.Contains(answer, []byte(`{"resourceType":"Bundle"`)) && bytes.Contains(answer, []byte("SUBSETTED"))
	refused := bytes.Contains(answer, []byte("OperationOutcome")) && bytes.Contains(answer, []byte(`"code":"posture"`)) && bytes.Contains(answer, []byte("sallyport agent"))
	if !served && !refused {
		t.Errorf("the last answer is neither a page nor a refusal by posture: %s", answer)
	}
	if t.Failed() {
		t.Logf("%s", inBrief(string(out)))
	}
}

// TestTheAccessPage types what docs/access.md says, after the door is open.
func TestTheAccessPage(t *testing.T) {
	t.Parallel()
	need.Tool(t, "awk")
	hour, _, ok := strings.Cut(page(t, "first-hour.md"), "## 8.")
	if !ok {
		t.Fatal("the first hour has no section 8")
	}
	out := typePages(t, 40, hour, page(t, "access.md"))
	for _, want := range []string{
		"role.approve triage-detail: done", "nothing of it leaves", "Approved now, it would open", "request.approve night-fix: done",
		"elevates = triage-grant", "ticket = INC-4711", "grant.end-early request-night-fix: done", "grant triage-grant: lin of northwind",
		"autumn: 1 of 1 items decided: 0 kept, 1 cut down", "! hasty", "none is configured", "emergency.review glass-1: done",
	} {
		if !bytes.Contains(out, []byte(want)) {
			t.Errorf("the page does not show %q", want)
		}
	}
	if t.Failed() {
		t.Logf("%s", inBrief(string(out)))
	}
	// One answer when the door opened, one of the elevation, one of what is left.
	var answers [][]byte
	for line := range bytes.Lines(out) {
		if bytes.Contains(line, []byte(`"resourceType":"Bundle"`)) {
			answers = append(answers, line)
		}
	}
	if len(answers) != 3 {
		t.Fatalf("got %d answers, want 3\n%s", len(answers), inBrief(string(out)))
	}
	for i, want := range []struct{ has, lacks string }{{"birthDate", "maritalStatus"}, {"gender", "birthDate"}, {"birthDate", "maritalStatus"}} {
		if !bytes.Contains(answers[i], []byte(`"`+want.has+`"`)) || bytes.Contains(answers[i], []byte(`"`+want.lacks+`"`)) {
			t.Errorf("answer %d: got %s, want %s and not %s", i, answers[i], want.has, want.lacks)
		}
	}
}

// TestTheIncidentsPage types docs/incidents.md, after the door is open.
func TestTheIncidentsPage(t *testing.T) {
	t.Parallel()
	need.Tool(t, "awk")
	hour, _, ok := strings.Cut(page(t, "first-hour.md"), "## 8.")
	if !ok {
		t.Fatal("the first hour has no section 8")
	}
	out := typePages(t, 50, hour, page(t, "incidents.md"))
	for _, want := range []string{
		"It counts as a breach (presumed)", "taken as 500 or more", "first known to the organisation", "Without unreasonable delay comes first",
		"Written to", "letter.docx", "Missing: Type of breach", "It counts as a breach (assessed)", "done 20", "incident.close night-export: done",
		"## Who did what", "Ada Example (ada) opened the incident", "Every new export job is looked at by two people", "hold.lift",
		"Somebody looks at every open incident",
	} {
		if !bytes.Contains(out, []byte(want)) {
			t.Errorf("the page does not show %q", want)
		}
	}
	if got, want := bytes.Count(out, []byte("refused, as it must be")), 2; got != want {
		t.Errorf("got %d refusals of the vendor, want %d", got, want)
	}
	if !bytes.Contains(out[bytes.LastIndex(out, []byte("hold.lift")):], []byte(`"resourceType"`)) {
		t.Error("after the hold nothing is released")
	}
	if t.Failed() {
		t.Logf("%s", inBrief(string(out)))
	}
}

// TestTheOfficersPage types docs/privacy-officer.md: a year with one vendor, after the
// part of the first hour that engineers do.
func TestTheOfficersPage(t *testing.T) {
	t.Parallel()
	need.Tool(t, "awk")
	need.Tool(t, "curl")
	hour, _, ok := strings.Cut(page(t, "first-hour.md"), "## 4.")
	if !ok {
		t.Fatal("the first hour has no section 4")
	}
	out, dir := typePagesIn(t, 90, hour, page(t, "privacy-officer.md"))
	for _, want := range []string{
		"moderate, 7 points", "Every link has an agreement", "/portal/in#", "64 answers saved", "HIP-05 is critical, and scores 0",
		`is better than the answers come to, which is "fail"`, "noor accepted it: nothing de-identified is given in the pilot", "open condition c1",
		"It counts until", "the paper does not say it", "not to be signed", "agreement.approve northwind-baa: done",
		"is approved: propose it and have it approved", "training.import: done", "The badge verifies", "not revoked, by a list",
		"The grant is not approved, or no longer", "relies on an accepted risk: HIP-05", "grant.end-early request-night-fix: done", "1 of 1 items decided: 0 kept, 1 cut down", "! hasty",
		"Data stops: assessment, vendor northwind (1 grant)", "1 grant would stop at once: triage-grant",
		"It counts as a breach (presumed)", "Notice to each individual", "1 patient, in 2 releases", "1 patients are in", "It counts as a breach (assessed)", "incident.close",
		"The vendor has not said what became of: backups", "The keys were destroyed on", "Tried 1 time, last at", "Nothing is left to do.", "offboarding.complete northwind-goodbye: done",
		"survives the end: no_reidentification", "Wrote 29 kinds of records", "The log gateway-1 verifies",
	} {
		if !bytes.Contains(out, []byte(want)) {
			t.Errorf("the page does not show %q", want)
		}
	}
	// Each refusal names the rule or the gate behind it, in this order.
	at := 0
	for _, want := range []string{"verdict: ", "separation-of-duties", "Nothing was recorded", "separation-of-duties", "has to be made anew: incident", "The gateway gave no token", "auditor-reads-only"} {
		i := bytes.Index(out[at:], []byte(want))
		if i < 0 {
			t.Fatalf("after %d bytes of %d nothing is refused by %q\n%s", at, len(out), want, inBrief(string(out)))
		}
		at += i
		i = bytes.Index(out[at:], []byte("refused, as it must be"))
		if i < 0 {
			t.Fatalf("what %q refuses is not refused", want)
		}
		at += i
	}
	for file, want := range map[string]string{
		"baa.pdf": "%PDF-", "baa.docx": "PK", "certificate.pdf": "%PDF-", "badge.jwt": "ey", "letter.docx": "PK", "merge.csv": "", "secretary.pdf": "%PDF-",
		"story.pdf": "%PDF-", "goodbye.pdf": "%PDF-", "affected.csv": "source,patient", "releases.csv": "", "binder/questionnaire.csv": "answers,", "binder/training.csv": "id,",
	} {
		raw, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(file)))
		if err != nil || len(raw) == 0 || !bytes.HasPrefix(raw, []byte(want)) {
			t.Errorf("%s: got %.20q, %v, want it to begin with %q", file, raw, err, want)
		}
	}
	if raw, _ := os.ReadFile(filepath.Join(dir, "affected.csv")); bytes.Count(raw, []byte("\n")) != 2 {
		t.Errorf("the list of patients has %d lines, want a head and one patient", bytes.Count(raw, []byte("\n")))
	}
	// The calendar, as RFC 5545 has it: unfolded, each line a name and a value, each
	// component ended, and each event with what an event must have.
	raw, err := os.ReadFile(filepath.Join(dir, "stops.ics"))
	if err != nil {
		t.Fatal(err)
	}
	var open []string
	has := map[string]int{}
	for line := range strings.SplitSeq(strings.TrimSuffix(strings.ReplaceAll(string(raw), "\r\n ", ""), "\r\n"), "\r\n") {
		name, value, ok := strings.Cut(line, ":")
		name, _, _ = strings.Cut(name, ";")
		has[name]++
		switch {
		case !ok:
			t.Errorf("the calendar has a line without a value: %q", line)
		case name == "BEGIN":
			open = append(open, value)
		case name == "END":
			if len(open) == 0 || open[len(open)-1] != value {
				t.Fatalf("the calendar ends %s in %v", value, open)
			}
			open = open[:len(open)-1]
		case strings.HasPrefix(name, "DT"):
			if _, err := time.Parse("20060102T150405Z", value); err != nil {
				if _, err := time.Parse("20060102", value); err != nil {
					t.Errorf("the calendar has %s", line)
				}
			}
		}
	}
	if n := has["DTSTART"]; len(open) != 0 || n == 0 || has["UID"] != n || has["DTSTAMP"] != n || has["SUMMARY"] != n {
		t.Errorf("the calendar has %v, and %v is open", has, open)
	}
	if t.Failed() {
		t.Logf("%s", inBrief(string(out)))
	}
}

package console_test

import (
	"bufio"
	"context"
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/internal/hospitaltest"
	"github.com/sallyport/sallyport/internal/need"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

// What a vendor's own people see, page by page, and then what they do, in one world.
func TestAVendorsPeople(t *testing.T) {
	w := start(t)
	firmSees(t, w, w.visit(registrytest.Lin))
	firmAtWork(t, w)
}

func firmSees(t *testing.T, w *world, lin *client) {
	t.Run("where it stands", func(t *testing.T) {
		lin.in(t).get("/console").wants(http.StatusOK, "<h1>Where Northwind AI, Inc. stands</h1>", "Data is open", "In force", "First door: papers", "1 open")
	})
	t.Run("its papers, people and reports", func(t *testing.T) {
		lin := lin.in(t)
		lin.get("/console/my/papers").wants(http.StatusOK, "Business associate agreement", "Services contract", "In force", "Nobody is named yet")
		lin.get("/console/my/certificates").wants(http.StatusOK, "SOC 2", "Counts")
		lin.get("/console/my/questionnaires").wants(http.StatusOK, "Nothing was asked yet")
		lin.get("/console/my/team").wants(http.StatusOK, "Lin Example", "Current", "northwind-gpu-1")
		lin.get("/console/my/incidents").wants(http.StatusOK, "Your firm has reported nothing", "/portal/incidents/northwind")
	})
	t.Run("what it may use", func(t *testing.T) {
		lin := lin.in(t)
		lin.get("/console/my/access").wants(http.StatusOK, "Every patient of the source", "DiagnosticReport", "Ask for it longer", "Open")
		lin.get("/console/my/ask").wants(http.StatusOK, "triage-eval", "role=triage-reader")
		lin.get("/console/my/ask?engagement=triage-eval&role=triage-reader&from=triage-grant").wants(http.StatusOK, "Fields of Patient", "birthDate", "its year", "Triage (triage)")
	})
	t.Run("how to connect", func(t *testing.T) { connects(t, w, lin.in(t)) })
	t.Run("how a person connects", func(t *testing.T) { launches(t, w, lin.in(t)) })
	t.Run("its activity", func(t *testing.T) {
		lin := lin.in(t)
		for until := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
			if lin.get("/console/my/activity").wants(http.StatusOK); strings.Contains(lin.body, "Released") || time.Now().After(until) {
				break
			}
		}
		lin.wants(http.StatusOK, "Released", "Patient: search", "Lin Example", "Requests by day")
		lin.get("/console/my/activity?format=csv").wants(http.StatusOK, "Released")
		lin.get("/console/my/activity/firm").wants(http.StatusOK, "Released")
		lin.get("/console/my/activity/firm?format=csv&of=days").wants(http.StatusOK, "permitted")
		for until := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
			if lin.get("/console/my/access").wants(http.StatusOK); strings.Contains(lin.body, "3 permitted") || time.Now().After(until) {
				break
			}
		}
		lin.wants(http.StatusOK, "1 of 10,000 used", "Last used", "3 permitted, 0 refused")
	})
}

// in is the client with another test to fail.
func (c *client) in(t *testing.T) *client {
	d := *c
	d.w = &world{t, c.w.b}
	return &d
}

var snippetCode = regexp.MustCompile(`(?s)<code id="s-([a-z]+)">(.*?)</code>`)

// connects runs what the page has to copy, with the vendor's own keys and nothing else:
// each gets a patient.
func connects(t *testing.T, w *world, lin *client) {
	lin.get("/console/my/connect").wants(http.StatusOK, "northwind-gpu-1", "sallyport agent enroll")
	dir := w.b.Client.Dir
	ca, err := os.ReadFile(w.b.Client.CA)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "ca.crt"), ca, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := identity.WriteKey(filepath.Join(dir, "app.key"), w.b.Client.Key); err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, key := range []string{"agent", "curl", "python", "javascript", "r"} {
		lin.get("/console/my/connect?grant=triage-grant&with=" + key)
		for _, m := range snippetCode.FindAllStringSubmatch(lin.body, -1) {
			texts[m[1]] = html.UnescapeString(m[2])
		}
	}
	lin.wants(http.StatusOK, "has not been run here")
	for _, x := range []struct{ key, file, program string }{{"curl", "ask.sh", "bash"}, {"python", "ask.py", "python3"}, {"javascript", "ask.mjs", "node"}} {
		t.Run(x.key, func(t *testing.T) {
			t.Parallel()
			if err := os.WriteFile(filepath.Join(dir, x.file), []byte(texts[x.key]), 0o600); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			cmd := exec.CommandContext(ctx, need.Tool(t, x.program), x.file)
			cmd.Dir = dir
			out, err := cmd.CombinedOutput()
			if err != nil || !strings.Contains(string(out), `"Bundle"`) || !strings.Contains(string(out), `"Patient"`) {
				t.Errorf("%s: %v\n%s\n%s", x.program, err, out, texts[x.key])
			}
		})
	}
	if !strings.Contains(texts["r"], "jwt_encode_sig") || !strings.Contains(texts["agent"], "sallyport agent connect") {
		t.Errorf("the agent or R is missing:\n%v", texts)
	}
}

var launchRequest = regexp.MustCompile(`name="request" value="([^"]*)"`)

// launches runs the text for a person's notebook: it opens a page, on which Lin allows it,
// and comes back with a token. What a person's machine has to say of itself is missing
// here, and so the answer says that.
func launches(t *testing.T, w *world, lin *client) {
	ada, grace, now := registrytest.Ada, registrytest.Grace, w.b.Clock.Now().UTC().Truncate(time.Second)
	w.b.Act(ada, registry.RegisterApp{ID: "notebook", Vendor: hospitaltest.Vendor, Name: "Notebook", Kind: snapshot.Human, Public: true, Owner: registrytest.Lin, Redirects: []string{"http://127.0.0.1/callback"}})
	w.b.Act(grace, registry.ApproveApp{ID: "notebook"})
	w.b.Act(ada, registry.RequestGrant{ID: "notebook-grant", Engagement: hospitaltest.Engagement, App: "notebook", Person: registrytest.Lin, Devices: []id.Device{hospitaltest.Device}, Role: hospitaltest.Role,
		Cohort: snapshot.Cohort{Kind: snapshot.CohortAll}, StartsAt: now, EndsAt: now.AddDate(0, 1, 0), MaxPatients: 10, MaxDailyBytes: 1 << 20})
	w.b.Act(grace, registry.ApproveGrant{ID: "notebook-grant"})
	lin.get("/console/my/connect?grant=notebook-grant&with=launch").wants(http.StatusOK, "Python, for a person", "The door is closed now")
	text := html.UnescapeString(snippetCode.FindStringSubmatch(lin.body)[2])
	if err := os.WriteFile(filepath.Join(w.b.Client.Dir, "launch.py"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, need.Tool(t, "python3"), "launch.py")
	cmd.Dir, cmd.Env = w.b.Client.Dir, append(os.Environ(), "BROWSER=true") // the browser is Lin's, below
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var rest strings.Builder
	cmd.Stderr = &rest
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	_, page, found := strings.Cut(strings.TrimSpace(line), "does: ")
	if err != nil || !found || !strings.HasPrefix(page, w.b.Pages+"/authorize?") {
		t.Fatalf("%v: %q", err, line)
	}
	lin.read(lin.Get(page)).wants(http.StatusOK, "Notebook")
	lin.read(lin.PostForm(w.b.Pages+"/authorize", url.Values{"request": {html.UnescapeString(launchRequest.FindStringSubmatch(lin.body)[1])}, "decision": {"allow"}})).wants(http.StatusOK, "You can close this window")
	more, err := io.ReadAll(lines)
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil || !strings.Contains(rest.String(), "403") || !strings.Contains(rest.String(), "posture") {
		t.Errorf("got %v, %s, %s; want the reason", err, more, rest.String())
	}
	w.b.Act(grace, registry.RevokeGrant{ID: "notebook-grant"})
}

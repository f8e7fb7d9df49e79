package console_test

import (
	"context"
	"html"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/internal/need"
)

// What a vendor's own people see, page by page, in one world.
func TestAFirmSeesItsOwn(t *testing.T) {
	w, lin := signedIn(t)
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
	t.Run("its activity", func(t *testing.T) {
		lin := lin.in(t)
		for until := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			if lin.get("/console/my/activity").wants(http.StatusOK); strings.Contains(lin.body, "Released") || time.Now().After(until) {
				break
			}
		}
		lin.wants(http.StatusOK, "Released", "Patient search-type", "Lin Example", "Requests by day")
		lin.get("/console/my/activity?format=csv").wants(http.StatusOK, "Released")
		lin.get("/console/my/activity/firm").wants(http.StatusOK, "Released")
		lin.get("/console/my/activity/firm?format=csv&of=days").wants(http.StatusOK, "permitted")
		for until := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			if lin.get("/console/my/access").wants(http.StatusOK); strings.Contains(lin.body, "3 permitted") || time.Now().After(until) {
				break
			}
		}
		lin.wants(http.StatusOK, "9,999 of 10,000", "Last used", "3 permitted, 0 refused")
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
	lin.get("/console/my/connect").wants(http.StatusOK, "northwind-gpu-1", "triage", "has not been run here")
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
	for _, m := range snippetCode.FindAllStringSubmatch(lin.body, -1) {
		texts[m[1]] = html.UnescapeString(m[2])
	}
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

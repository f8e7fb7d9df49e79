package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/identity/signin"
	"github.com/sallyport/sallyport/internal/browser"
	"github.com/sallyport/sallyport/internal/need"
)

// The demo is a promise: what it tells must come out so, in the real binary, and nothing
// may be written outside the folder that it names.
func TestTheDemoTellsTheTruth(t *testing.T) {
	t.Parallel()
	program := need.Program(t)
	t.Run("in ten steps", func(t *testing.T) { tenSteps(t, program) })
	t.Run("and stays up", func(t *testing.T) { staysUp(t, program) })
}

// demoOf is a demo that is about to begin, and the empty folder that it must leave so.
func demoOf(t *testing.T, program string, args ...string) (cmd *exec.Cmd, leave func()) {
	empty := t.TempDir()
	cmd = exec.Command(program, append([]string{"demo", "--json", "--dir", filepath.Join(t.TempDir(), "demo")}, args...)...)
	cmd.Dir = empty
	cmd.Env = append(os.Environ(), "HOME="+empty, "TMPDIR="+empty)
	return cmd, func() {
		if left, err := os.ReadDir(empty); err != nil || len(left) > 0 {
			t.Errorf("it wrote outside its folder: %v, %v", left, err)
		}
	}
}

func tenSteps(t *testing.T, program string) {
	cmd, leave := demoOf(t, program, "--once")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, stdout.Bytes(), stderr.Bytes())
	}
	steps := map[int]map[string]any{}
	lines := bufio.NewScanner(&stdout)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var step map[string]any
		if err := json.Unmarshal(lines.Bytes(), &step); err != nil {
			t.Fatalf("not one JSON object a line: %v: %s", err, lines.Bytes())
		}
		n, _ := step["step"].(float64)
		steps[int(n)] = step
		if step["ok"] != true {
			t.Errorf("step %d did not come out: %v", int(n), step["failed"])
		}
	}
	for n := 1; n <= 10; n++ {
		if steps[n] == nil {
			t.Errorf("step %d is missing", n)
		}
	}
	if reasons, _ := steps[2]["reasons"].([]any); len(reasons) < 6 {
		t.Errorf("step 2 gives %d reasons", len(reasons))
	}
	if released, _ := steps[4]["released"].(map[string]any); released["name"] != nil || released["birthDate"] == nil {
		t.Errorf("step 4 released %v", released)
	}
	leave()
}

// staysUp opens the console as somebody who has just started the demo does.
func staysUp(t *testing.T, program string) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no interrupt that one process sends to another")
	}
	cmd, leave := demoOf(t, program, "--quick")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := false
	t.Cleanup(func() {
		if !ended {
			_ = cmd.Process.Kill() // the test has failed already
			_ = cmd.Wait()
		}
	})
	var at up
	if err := json.NewDecoder(stdout).Decode(&at); err != nil {
		t.Fatalf("it does not say where to look: %v\n%s", err, stderr.Bytes())
	}
	roots, err := identity.PoolFromFiles(at.CA)
	if err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	hc := &http.Client{Jar: jar, Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13}}}
	ask := func(method, address string, header ...string) (*http.Response, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i+1 < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		if host := req.Header.Get("Host"); host != "" {
			req.Host = host
		}
		resp, err := hc.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		raw, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp, string(raw)
	}
	if resp, page := ask(http.MethodGet, at.ComeIn); resp.StatusCode != http.StatusOK || !strings.Contains(page, "Who are you?") || !strings.Contains(page, "Grace Example") {
		t.Fatalf("the page to come in by: %s\n%s", resp.Status, page)
	}
	door, err := url.Parse(at.ComeIn)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		why, method, address string
		header               []string
		want                 int
	}{
		{"without the secret of its address", http.MethodGet, "https://" + door.Host + "/", nil, http.StatusNotFound},
		{"without the secret of its address", http.MethodPost, "https://" + door.Host + "/as/grace", nil, http.StatusNotFound},
		{"by another name that leads here", http.MethodPost, at.ComeIn + "as/grace", []string{"Host", "evil.example"}, http.StatusForbidden},
		{"by a form of another site", http.MethodPost, at.ComeIn + "as/grace", []string{"Sec-Fetch-Site", "cross-site"}, http.StatusForbidden},
		{"by a link", http.MethodGet, at.ComeIn + "as/grace", nil, http.StatusMethodNotAllowed},
		{"as nobody who is there", http.MethodPost, at.ComeIn + "as/mallory", nil, http.StatusNotFound},
		{"at the product's own door", http.MethodPost, strings.TrimSuffix(at.Console, "/console") + door.Path + "as/grace", nil, http.StatusNotFound},
	} {
		if resp, _ := ask(x.method, x.address, x.header...); resp.StatusCode != x.want {
			t.Errorf("%s: got %s, want %d", x.why, resp.Status, x.want)
		}
	}
	if cookies := jar.Cookies(door); len(cookies) > 0 && slices.ContainsFunc(cookies, func(c *http.Cookie) bool { return c.Name == signin.CookieName }) {
		t.Error("a refusal gave a session")
	}
	for _, p := range at.People {
		resp, page := ask(http.MethodPost, at.ComeIn+"as/"+string(p.ID))
		if resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Request.URL.String(), at.Console) || !strings.Contains(page, p.Name) {
			t.Errorf("as %s: %s at %s:\n%.1000s", p.ID, resp.Status, resp.Request.URL, page)
		}
	}
	inABrowser(t, at)
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	ended = true
	if err := cmd.Wait(); err != nil || stderr.Len() > 0 {
		t.Errorf("interrupted it ended with %v:\n%s", err, stderr.Bytes())
	}
	leave()
}

// inABrowser presses the button that a person presses: the session's cookie is given at
// one port and must hold at another.
func inABrowser(t *testing.T, at up) {
	t.Run("in a browser", func(t *testing.T) {
		b := browser.Start(t, at.ComeIn, at.Console)
		b.Open(at.ComeIn)
		b.Press(`form[action$="/as/sam"] button`)
		b.Wants("Sam Example")
		if !strings.HasPrefix(b.At(), at.Console) {
			t.Errorf("it is at %s", b.At())
		}
		b.Errors()
	})
}

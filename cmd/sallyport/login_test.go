package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/webauthn"

	"github.com/sallyport/sallyport/internal/browser"
)

// deskOf is what one person has: a browser with their authenticator, and a command
// line with a session file of its own.
type deskOf struct {
	t       *testing.T
	b       *browser.Browser
	program string
	env     []string
	session string
}

func (d deskOf) cmd(args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	d.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, d.program, args...)
	cmd.Env = append(os.Environ(), append(d.env, "SALLYPORT_SESSION="+d.session)...)
	return cmd
}

func (d deskOf) try(args ...string) (string, error) {
	out, err := d.cmd(args...).CombinedOutput()
	return string(out), err
}

func (d deskOf) run(args ...string) string {
	d.t.Helper()
	out, err := d.try(args...)
	if err != nil {
		d.t.Fatalf("sallyport %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// inBrowser runs a command that sends the person to their browser, where they touch
// their passkey.
func (d deskOf) inBrowser(args ...string) string {
	d.t.Helper()
	cmd := d.cmd(args...)
	var out bytes.Buffer
	cmd.Stdout = &out
	stderr, err := cmd.StderrPipe()
	if err != nil {
		d.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	var said strings.Builder
	lines := bufio.NewScanner(stderr)
	opened := false
	for lines.Scan() {
		said.WriteString(lines.Text() + "\n")
		if address := strings.TrimSpace(lines.Text()); strings.HasPrefix(address, "https://") && !opened {
			opened = true
			d.b.Open(address)
			d.b.Press("form[data-passkey] .main")
			d.b.Wants("Done. You can close this page")
		}
	}
	if err := cmd.Wait(); err != nil || !opened {
		d.t.Fatalf("sallyport %s: %v\n%s%s", strings.Join(args, " "), err, said.String(), out.String())
	}
	return out.String()
}

var codeOnALine = regexp.MustCompile(`(?m)^    ([0-9A-Z-]{29})$`)

func codeIn(t *testing.T, text string) string {
	t.Helper()
	m := codeOnALine.FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("there is no code in\n%s", text)
	}
	return m[1]
}

// Two people run the organisation without a certificate: with passkeys in real
// Chromium and the real program. From the code that the server prints to a decision,
// and to a session that another ends.
func TestPeopleWithPasskeysAndTheCommandLine(t *testing.T) {
	program, err := exec.LookPath("sallyport")
	if err != nil {
		t.Fatal(err)
	}
	dir, p := t.TempDir(), ports(t)
	at := func(name string) string { return strconv.Itoa(p[name]) }
	box, clock := filepath.Join(dir, "box"), filepath.Join(dir, "clock")
	pages := "https://localhost:" + at("PEOPLE")
	desk := func(name string) deskOf {
		return deskOf{t: t, program: program, session: filepath.Join(dir, name+".session"), env: []string{"SALLYPORT_TEST_CLOCK=" + clock,
			"SALLYPORT_PEOPLE=" + pages, "SALLYPORT_SERVER=https://localhost:" + at("API"), "SALLYPORT_CA=" + filepath.Join(box, "data", "people", "ca.crt")}}
	}
	ada, grace := desk("ada"), desk("grace")
	out := ada.run("init", box, "--person", "ada", "--name", "Ada Example", "--port", at("PORT"))
	if !strings.Contains(out, pages+"/enroll") {
		t.Errorf("init does not tell of the pages:\n%s", out)
	}
	serve := ada.cmd("serve", "--config", filepath.Join(box, "sallyport.yaml"))
	var said, log syncBuffer
	serve.Stdout, serve.Stderr = &said, &log
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	stopped := false
	stop := func() {
		if !stopped {
			stopped = true
			_ = serve.Process.Signal(os.Interrupt) // it may have ended by itself, which Wait tells
			if err := serve.Wait(); err != nil {
				t.Errorf("serve: %v\n%s", err, log.String())
			}
		}
	}
	t.Cleanup(stop)
	if err := waitReady("http://127.0.0.1:" + at("HEALTH") + "/readyz"); err != nil {
		t.Fatal(err)
	}
	first := codeIn(t, said.String())

	b := browser.Start(t, pages)
	ada.b, grace.b = b, b
	var present string
	credentials := map[string]*webauthn.Credential{}
	// sit gives the one browser to a person: their authenticator, and no cookies.
	sit := func(name string) {
		if present != "" {
			if cs := b.Credentials(b.Authenticator); len(cs) > 0 {
				credentials[present] = cs[0]
			}
		}
		present = name
		b.WithAuthenticator(true)
		if c := credentials[name]; c != nil {
			b.AddCredential(c)
		}
	}
	enrol := func(code string) {
		b.Open(pages + "/enroll")
		b.Type("#code", code)
		b.Press("form .main")
		b.Press("form .main")
		b.Wants("Your passkey is made")
	}
	sit("ada")
	enrol(first)
	if out, err := ada.try("whoami"); err == nil || !strings.Contains(out, "sallyport login") {
		t.Errorf("before the login: %v\n%s", err, out)
	}
	if out := ada.inBrowser("login", "--no-browser"); !strings.Contains(out, "Signed in as ada") {
		t.Errorf("got %s", out)
	}
	if out := ada.run("whoami"); !strings.Contains(out, `"id": "ada"`) {
		t.Errorf("got %s", out)
	}
	ada.run("person", "propose", "grace", "name=Grace Example", "classification=workforce", "basis=employee",
		"duties=[operator, privacy-officer, security-officer]", "-m", "the second of us")
	ada.inBrowser("step-up", "--no-browser")
	invited := ada.run("person", "invite", "grace", "-m", "her first device")
	code := codeIn(t, invited)
	sit("grace")
	enrol(code)
	sit("ada")
	ada.inBrowser("step-up", "--no-browser")
	ada.run("organisation", "second-person", "grace", "-m", "two people")
	sit("grace")
	grace.inBrowser("login", "--no-browser")

	// Whoever decides has just touched a passkey, or is told to.
	ada.run("person", "propose", "eve", "name=Eve Example", "classification=workforce", "basis=employee", "duties=[operator]", "-m", "a third")
	if err := os.WriteFile(clock, []byte("6m"), 0o600); err != nil { // a step-up counts for five minutes
		t.Fatal(err)
	}
	if err := waitReady("http://127.0.0.1:" + at("HEALTH") + "/readyz"); err != nil { // the registry is confirmed at the new time
		t.Fatal(err)
	}
	out, err = grace.try("person", "approve", "eve", "-m", "known")
	if err == nil || !strings.Contains(out, "step-up") || !strings.Contains(out, "sallyport step-up") {
		t.Fatalf("without a step-up: %v\n%s", err, out)
	}
	if out := grace.inBrowser("step-up", "--no-browser"); !strings.Contains(out, "Confirmed") {
		t.Errorf("got %s", out)
	}
	grace.run("person", "approve", "eve", "-m", "known")

	// The secret without its key opens nothing.
	raw, err := os.ReadFile(grace.session)
	if err != nil {
		t.Fatal(err)
	}
	var saved savedSession
	if err := json.Unmarshal(raw, &saved); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(grace.session); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the session's file: %v, %v", info.Mode(), err)
	}
	thief := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} // a thief does not mind whose server it is
	defer thief.CloseIdleConnections()
	req, err := http.NewRequest(http.MethodGet, "https://localhost:"+at("API")+"/v1/whoami", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+saved.Secret)
	resp, err := thief.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("the secret alone: got %d", resp.StatusCode)
	}

	// One ends the other's session; one ends one's own.
	sessions := ada.run("session", "list")
	if !strings.Contains(sessions, "command line on ") || !strings.Contains(sessions, string(saved.Session)) {
		t.Errorf("got %s", sessions)
	}
	ada.run("session", "kill", string(saved.Session), "-m", "a lost laptop")
	if out, err := grace.try("whoami"); err == nil || !strings.Contains(out, "Your session is over") {
		t.Errorf("after the kill: %v\n%s", err, out)
	}
	ada.run("logout")
	if out, err := ada.try("whoami"); err == nil || !strings.Contains(out, "not signed in") {
		t.Errorf("after the logout: %v\n%s", err, out)
	}
	stop()
	for _, secret := range []string{first, code, saved.Secret, strings.ReplaceAll(first, "-", "")} {
		if strings.Contains(log.String(), secret) {
			t.Error("a secret is in the log")
		}
	}
}

// syncBuffer is a buffer that a process writes to while a test reads it.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

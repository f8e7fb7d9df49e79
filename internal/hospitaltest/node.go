package hospitaltest

import (
	"bufio"
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/hospital"
	"github.com/sallyport/sallyport/internal/need"
)

// The programs around the parts that others wrote. They run in the folder that
// has the node_modules, where Node looks for what they import.
//
//go:embed node/server.mjs node/client.mjs node/badge.mjs
var programs embed.FS

// script puts a program beside the node_modules of parts: in a new folder of
// this test with a link to them.
func script(t testing.TB, parts, name string) string {
	t.Helper()
	text, err := programs.ReadFile("node/" + name)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(filepath.Join(parts, "node_modules"), filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

const (
	nodeStart = time.Minute // on a busy machine: it reads ten megabytes of definitions
	nodeRun   = time.Minute
)

// Medplum starts the FHIR server that others wrote, and gives its base.
func Medplum(t testing.TB) string {
	t.Helper()
	cmd := exec.Command("node", script(t, need.Node(t), "server.mjs"))
	errs := new(Output)
	cmd.Stderr = errs
	in, err := cmd.StdinPipe() // its end ends the server
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(nodeStart, func() { _ = cmd.Process.Kill() }) // then the read below fails
	port, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the FHIR server did not start: %v\n%s", err, tail(errs))
	}
	late.Stop()
	t.Cleanup(func() {
		in.Close()
		late := time.AfterFunc(stopLimit, func() { _ = cmd.Process.Kill() })
		defer late.Stop()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the FHIR server ended badly: %v\n%s", err, tail(errs))
		}
	})
	return "http://127.0.0.1:" + strings.TrimSpace(port) + "/fhir/R4"
}

// Load puts every resource of a hospital into a FHIR server.
func Load(t testing.TB, base string, r *hospital.Records) {
	t.Helper()
	for res := range r.All() {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, base+"/"+res.Type+"/"+res.ID, bytes.NewReader(res.JSON))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/fhir+json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
		resp.Body.Close()
		if err != nil || resp.StatusCode/100 != 2 {
			t.Fatalf("loading a %s: %d %s %v", res.Type, resp.StatusCode, text, err)
		}
	}
}

// FHIRKit runs the FHIR client that others wrote as the vendor's program, and
// reads what it got into out.
func (b *Box) FHIRKit(out any) {
	b.t.Helper()
	token, err := b.Client.Tokens.Token(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	b.fhirKit(map[string]string{"base": b.Base(), "token": token, "ca": b.Client.CA,
		"cert": filepath.Join(b.Client.Dir, "device.crt"), "key": filepath.Join(b.Client.Dir, "device.key")}, out)
}

// FHIRKitAt runs it against an agent's endpoint, without certificate and token.
func (b *Box) FHIRKitAt(base string, out any) {
	b.t.Helper()
	b.fhirKit(map[string]string{"base": base}, out)
}

func (b *Box) fhirKit(what map[string]string, out any) {
	b.t.Helper()
	task, err := json.Marshal(what)
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(b.t.Context(), nodeRun)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", script(b.t, need.Node(b.t), "client.mjs"))
	errs := new(Output)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(task), errs
	text, err := cmd.Output()
	if err != nil {
		b.t.Fatalf("the FHIR client: %v\n%s", err, tail(errs))
	}
	if err := json.Unmarshal(text, out); err != nil {
		b.t.Fatalf("the FHIR client's answer: %v\n%.2000s", err, text)
	}
}

// tail is the end of what a program wrote: Node quotes a whole minified file
// before it says what is wrong.
func tail(o *Output) string {
	text := o.String()
	return fmt.Sprintf("...%s", text[max(0, len(text)-2000):])
}

// VerifyBadge has a badge verified by the library jose in Node: by these keys (a JWK
// Set), as of a time. It returns the claims.
func VerifyBadge(t testing.TB, badge string, keys []byte, issuer string, at time.Time) (json.RawMessage, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), nodeRun)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", script(t, need.Node(t), "badge.mjs"), string(keys), issuer, at.UTC().Format(time.RFC3339))
	cmd.Stdin = strings.NewReader(badge)
	out, err := cmd.Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		return nil, fmt.Errorf("jose: %s", failed.Stderr)
	}
	if err != nil {
		return nil, err
	}
	var said struct {
		Payload json.RawMessage `json:"payload"`
	}
	return said.Payload, json.Unmarshal(out, &said)
}

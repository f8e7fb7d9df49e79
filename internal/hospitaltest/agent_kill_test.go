package hospitaltest_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/hospital"
	"github.com/sallyport/sallyport/internal/hospitaltest"
	"github.com/sallyport/sallyport/internal/need"
	"github.com/sallyport/sallyport/snapshot"
)

// everyCheck is waived: the machine of the tests is what it is. A fresh report is
// asked for all the same.
const everyCheck = "disk_encryption, screen_lock, firewall, malware_protection, hardware_key, update_age_days"

// The agent as a program is killed while it enrols, again and again, and while an
// answer streams through it. It starts again with what it has; nothing is done
// twice, half an answer never looks whole, and nothing of it is on the disk.
func TestTheAgentIsKilledAndStartedAgain(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	t.Parallel()
	program := need.Program(t)
	b := hospitaltest.Start(t, hospitaltest.Options{Configure: waive(everyCheck), Terms: func(terms map[string]snapshot.Term) {
		// A paper that demands encryption at rest is not waived by a configuration.
		terms["security_schedule"] = snapshot.Term{Value: json.RawMessage(`{"mfa": true}`), Clause: "§ 16"}
	}})
	b.Paper()
	word := invited(t, b)
	dir := filepath.Join(t.TempDir(), "agent")
	run := func(ctx context.Context, args ...string) ([]byte, error) {
		cmd := exec.CommandContext(ctx, program, append(append([]string{"agent"}, args...), "--dir", dir)...)
		cmd.Stdin = strings.NewReader(word + "\n")
		return cmd.CombinedOutput()
	}
	enroll := []string{"enroll", "--server", b.Gateway, "--region", "US", "--key-store", "file"}

	kills := 0
	for range 16 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(20+rand.N(600))*time.Millisecond)
		_, err := run(ctx, enroll...)
		cancel()
		if err != nil {
			kills++
		}
	}
	out, err := run(t.Context(), enroll...)
	if err != nil || !bytes.Contains(out, []byte("lin-laptop of northwind, enrolled")) {
		t.Fatalf("after %d kills: %v\n%s", kills, err, out)
	}
	done := acts(t, b)
	// The demo's own program was registered too.
	for kind, want := range map[string]int{"device.accept": 1, "app.register": 2} {
		if n := strings.Count(done, `"kind":"`+kind+`"`); n != want {
			t.Errorf("%s was done %d times, want %d", kind, n, want)
		}
	}
	t.Logf("killed %d times while it enrolled", kills)
	if strings.Contains(string(out), word) || strings.Contains(b.Log.String(), word) {
		t.Error("the invitation was printed or logged")
	}
	if out, err := run(t.Context(), "status"); err == nil || !bytes.Contains(out, []byte("device approve lin-laptop")) {
		t.Errorf("the status while it waits: %v\n%s", err, out)
	}
	approve(b)

	agent, base := connect(t, program, dir)
	page := awaitPage(t, base)
	patient := text(page.resources("Patient", "")[0], "id")
	b.Hospital.Misbehave(hospital.Fault{Path: "Observation", Huge: 40 << 20})
	resp, err := http.Get(base + "/fhir/Observation?patient=" + patient)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.CopyN(io.Discard, resp.Body, 2<<20); err != nil {
		t.Fatalf("the stream did not begin: %v", err)
	}
	if err := agent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = agent.Wait() // "signal: killed"
	if n, err := io.Copy(io.Discard, resp.Body); err == nil {
		t.Errorf("the answer of a killed agent ended well, after %d bytes more", n)
	}

	agent, base = connect(t, program, dir)
	awaitPage(t, base)
	long, err := http.Get(base + "/fhir/Observation?patient=" + patient)
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, long.Body)
	long.Body.Close()
	if err != nil || n < 8<<20 {
		t.Errorf("a long answer: %d bytes, %v", n, err)
	}
	b.Hospital.Misbehave()
	if peak, ok := peakMemory(agent.Process.Pid); ok {
		t.Logf("%d MB streamed through an agent with %d MB of memory at most", n>>20, peak>>20)
		if peak > uint64(n)/2+(96<<20) {
			t.Errorf("the agent had %d MB of memory for %d MB: it does not stream", peak>>20, n>>20)
		}
	}
	var size int64
	err = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		size += int64(len(raw))
		if bytes.Contains(raw, []byte(patient)) || bytes.Contains(raw, []byte("resourceType")) {
			t.Errorf("%s holds something of an answer", d.Name())
		}
		return err
	})
	if err != nil || size > 64<<10 {
		t.Errorf("the agent's folder has %d bytes: %v", size, err)
	}
	if out, err := run(t.Context(), "status"); err != nil || !bytes.Contains(out, []byte("lin-grant (triage-eval, source ehr): open")) || !bytes.Contains(out, []byte("self-reported, not attested")) {
		t.Errorf("the status: %v\n%s", err, out)
	}
	if out, err := run(t.Context(), "whoami"); err != nil || !bytes.Contains(out, []byte(`"attested": false`)) || !bytes.Contains(out, []byte(`"lin-grant"`)) {
		t.Errorf("whoami: %v\n%s", err, out)
	}
	if err := agent.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := agent.Wait(); err != nil {
		t.Errorf("stopped as a person does, it ended with %v", err)
	}
}

// connect starts `sallyport agent connect`, and reads where it listens.
func connect(t *testing.T, program, dir string) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.Command(program, "agent", "connect", "--port", "0", "--dir", dir)
	errs := new(hospitaltest.Output)
	cmd.Stderr = errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if _, rest, ok := strings.Cut(lines.Text(), "FHIR"); ok {
			base, _, _ := strings.Cut(strings.TrimSpace(rest), "/fhir")
			go func() { _, _ = io.Copy(io.Discard, out) }() // ends with the program
			return cmd, base
		}
	}
	t.Fatalf("the agent did not say where it listens: %v\n%s", lines.Err(), errs)
	return nil, ""
}

// peakMemory is the most that a process has had in memory, where the system says.
func peakMemory(pid int) (uint64, bool) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, false
	}
	for l := range strings.Lines(string(raw)) {
		if v, ok := strings.CutPrefix(l, "VmHWM:"); ok {
			kb, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimSpace(v), " kB"), 10, 64)
			return kb << 10, err == nil
		}
	}
	return 0, false
}

// awaitPage asks until the agent has reported and the door is open.
func awaitPage(t *testing.T, base string) (page bundle) {
	t.Helper()
	last := ""
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		resp, body := get(t, base+"/fhir/Patient?_count=1")
		if resp.StatusCode == http.StatusOK {
			if err := json.Unmarshal([]byte(body), &page); err != nil {
				t.Fatal(err)
			}
			return page
		}
		last = fmt.Sprint(resp.StatusCode, " ", body)
	}
	t.Fatalf("the door stayed shut: %s", last)
	return page
}

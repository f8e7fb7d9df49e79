package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The demo is a promise: every step must come out as it is told, in the real
// binary, and nothing may be written outside the folder that it names.
func TestTheDemoTellsTheTruth(t *testing.T) {
	home := t.TempDir()
	program := filepath.Join(home, "sallyport")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	empty := filepath.Join(home, "cwd")
	if err := os.Mkdir(empty, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "demo", "--once", "--json", "--dir", filepath.Join(home, "demo"))
	cmd.Dir = empty
	cmd.Env = append(os.Environ(), "HOME="+empty, "TMPDIR="+empty)
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
	if left, err := os.ReadDir(empty); err != nil || len(left) > 0 {
		t.Errorf("it wrote outside its folder: %v, %v", left, err)
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// livesPerRound is so that a tenth of the rounds comes to every act once, and all of them
// to every act at every moment of it.
const livesPerRound = 9

// acts kills a process in every act of the registry's table, on the worlds that the
// registry's own scenarios make: that is a test of the registry, run here as long as
// asked for.
func acts(ctx context.Context, s *soak) (string, error) {
	program := filepath.Join(s.dir, "registry.test")
	build := exec.CommandContext(ctx, "go", "test", "-c", "-o", program, "./registry")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("run it in the module's folder: %w\n%s", err, out)
	}
	cmd := exec.CommandContext(ctx, program, "-test.run", "^TestKilledInEveryAct$", "-test.v", "-test.parallel", "2", "-test.timeout", "2h")
	cmd.Dir = "registry"
	cmd.Env = append(os.Environ(), "SALLYPORT_KILL_LIVES="+strconv.Itoa(s.rounds*livesPerRound), "SALLYPORT_KILL_SEED="+strconv.FormatUint(s.rand.Uint64()|1, 10), "TMPDIR="+s.dir)
	out, err := cmd.CombinedOutput()
	summary, missing := "", ""
	for line := range strings.Lines(string(out)) {
		if _, text, ok := strings.Cut(line, ": killed: "); ok {
			summary = strings.TrimSpace(text)
		}
		if _, text, ok := strings.Cut(line, ": not killed in: "); ok {
			missing = "; not killed in: " + strings.TrimSpace(text)
		}
	}
	if err != nil {
		return summary + missing, fmt.Errorf("%w\n%s", err, out)
	}
	if summary == "" {
		return "", errors.New("the test did not run")
	}
	return summary + missing, nil
}

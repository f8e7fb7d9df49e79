package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// fuzzed are the packages whose targets read what others wrote: profiles, notes,
// resources, tables, images, messages, configurations. The list of targets is .ci/fuzz.txt.
var fuzzed = []string{"deid", "scan", "fhir", "gateway/fhirapi"}

// fuzz runs each of their targets for the time given, one after the other.
func fuzz(ctx context.Context, s *soak) (string, error) {
	list, err := os.ReadFile(filepath.Join(".ci", "fuzz.txt"))
	if err != nil {
		return "", fmt.Errorf("run it in the module's folder: %w", err)
	}
	n := 0
	for line := range strings.Lines(string(list)) {
		pkg, target, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || !below(pkg, fuzzed) {
			continue
		}
		began := time.Now()
		cmd := exec.CommandContext(ctx, "go", "test", "./"+pkg, "-run", "^$", "-fuzz", "^"+target+"$", "-fuzztime", s.fuzzTime.String())
		out, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Sprintf("%d targets", n), fmt.Errorf("%s %s: %w\n%s", pkg, target, err, out)
		}
		n++
		if s.verbose {
			fmt.Printf("      %s %s: %s\n", pkg, target, time.Since(began).Round(time.Second))
		}
	}
	if n == 0 {
		return "", errors.New("the list has no target")
	}
	return fmt.Sprintf("%d targets, %s each, no crash", n, s.fuzzTime), nil
}

func below(pkg string, roots []string) bool {
	for _, r := range roots {
		if pkg == r || strings.HasPrefix(pkg, r+"/") {
			return true
		}
	}
	return false
}

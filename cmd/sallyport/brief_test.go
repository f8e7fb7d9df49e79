package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// What a failing story prints is read in a list of failures that is cut off after its
// first lines: where it failed comes first, and of the servers' logs only the end.

const (
	briefLog  = 30  // lines of servers' logs
	briefLine = 400 // bytes of one line
)

// storyTest is a test whose scripts tell a failure briefly.
type storyTest struct{ *testing.T }

// play runs scripts.
func play(t *testing.T, p testscript.Params) {
	t.Helper()
	testscript.RunT(storyTest{t}, p)
}

// Run implements testscript.T.
func (t storyTest) Run(name string, f func(testscript.T)) {
	t.T.Run(name, func(t *testing.T) { f(storyTest{t}) })
}

// Verbose implements testscript.T.
func (t storyTest) Verbose() bool { return testing.Verbose() }

// Log implements testscript.T: the whole of what a script did comes in one call.
func (t storyTest) Log(args ...any) {
	t.Helper()
	text := fmt.Sprint(args...)
	if t.Failed() && !testing.Verbose() {
		text = failedFirst(text)
	}
	t.T.Log(text)
}

// failedFirst is what a script printed: the line at which it failed, what it did last,
// and then the parts before.
func failedFirst(text string) string {
	var fail, done []string
	last := 0
	lines := strings.SplitAfter(inBrief(text), "\n")
	for i, line := range lines {
		switch {
		case strings.HasPrefix(line, "FAIL: "):
			fail = append(fail, line)
		case strings.HasPrefix(line, "# "):
			last = i
		}
	}
	done = append(done, lines[:last]...)
	return strings.Join(fail, "") + strings.Join(lines[last:], "") + "\nBefore it:\n" + strings.Join(done, "")
}

// inBrief is a text without all but the last lines of servers' logs, and without what is
// long.
func inBrief(text string) string {
	lines := strings.SplitAfter(text, "\n")
	logged := 0
	for _, line := range lines {
		if isLogLine(line) {
			logged++
		}
	}
	var out strings.Builder
	for _, line := range lines {
		if isLogLine(line) {
			if logged--; logged >= briefLog {
				continue
			}
		}
		if len(line) > briefLine {
			line = strings.ToValidUTF8(line[:briefLine], "") + "...\n"
		}
		out.WriteString(line)
	}
	return out.String()
}

func isLogLine(line string) bool {
	return strings.HasPrefix(line, "time=") && strings.Contains(line, " level=")
}

// A failure is told by where it failed and the end of the logs.
func TestAFailureIsToldBriefly(t *testing.T) {
	var log strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&log, "time=2026-01-01T00:00:00Z level=INFO msg=%d\n", i)
	}
	got := failedFirst("# One. (0.1s)\n# Two.\n> wait serve\n[stderr]\n" + log.String() + "> calm\nFAIL: life.txtar:9: it logged something\n" + strings.Repeat("x", 5000) + "\n")
	if !strings.HasPrefix(got, "FAIL: life.txtar:9: it logged something\n# Two.\n> wait serve\n[stderr]\ntime=2026-01-01T00:00:00Z level=INFO msg=970\n") {
		t.Errorf("it begins with %.300q", got)
	}
	if !strings.Contains(got, "msg=999\n> calm\n") || !strings.HasSuffix(got, "Before it:\n# One. (0.1s)\n") || len(got) > 4000 {
		t.Errorf("it has %d bytes and ends with %q", len(got), got[max(0, len(got)-300):])
	}
}

package identity

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sallyport/sallyport/id"
)

// An assertion that was used stays used when the server restarts.
func TestReplaysSurviveRestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "replays")
	r := must[*Replays](t)(OpenReplays(path, start))
	exp := start.Add(4 * time.Minute)
	if got := r.Use("triage", "one", exp, start); got != "" {
		t.Fatalf("first use: %s", got)
	}
	// No Close: the process was killed.
	r2 := must[*Replays](t)(OpenReplays(path, start.Add(time.Second)))
	defer r2.Close()
	if got := r2.Use("triage", "one", exp, start.Add(time.Second)); got != AssertionReplayed {
		t.Errorf("after a restart: got %q", got)
	}
	if got := r2.Use("other", "one", exp, start.Add(time.Second)); got != "" {
		t.Errorf("the same jti of another application: got %q", got)
	}
	info := must[os.FileInfo](t)(os.Stat(path))
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
}

// A restart in the last second in which an assertion could be used does not
// forget it.
func TestReplaysOutliveSkew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "replays")
	exp := start.Add(4 * time.Minute)
	r := must[*Replays](t)(OpenReplays(path, start))
	r.Use("triage", "one", exp, start)
	r.Close()
	last := exp.Add(skew - time.Nanosecond)
	r = must[*Replays](t)(OpenReplays(path, last))
	defer r.Close()
	if len(r.used) != 1 || r.Use("triage", "one", exp, last) != AssertionReplayed {
		t.Error("forgotten while it could still be used")
	}
}

// A line that a crash cut off did not count; anything else that is wrong stops
// the start.
func TestReplaysDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "replays")
	exp := start.Add(4 * time.Minute)
	fresh := func() string {
		os.Remove(path)
		r := must[*Replays](t)(OpenReplays(path, start))
		r.Use("triage", "one", exp, start)
		r.Use("triage", "two", exp, start)
		r.Close()
		return string(must[[]byte](t)(os.ReadFile(path)))
	}
	good := fresh()
	if err := os.WriteFile(path, []byte(good[:len(good)-10]), 0o600); err != nil {
		t.Fatal(err)
	}
	r := must[*Replays](t)(OpenReplays(path, start))
	if got := r.Use("triage", "one", exp, start); got != AssertionReplayed {
		t.Errorf("the whole line before the torn one: got %q", got)
	}
	if got := r.Use("triage", "two", exp, start); got != "" {
		t.Errorf("the torn line: got %q", got)
	}
	r.Close()
	if r.Use("triage", "three", exp, start) != ReplayCacheFailed {
		t.Error("used after Close")
	}
	for name, damaged := range map[string]string{
		"first line": strings.Replace(good, "forgotten", "forgot", 1),
		"a time":     strings.Replace(good, "\n1", "\nx", 1),
		"a digest":   strings.Replace(good, " triage ", " triage 0", 1),
		"a name":     strings.Replace(good, " triage ", " ../x ", 1),
		"a field":    strings.Replace(good, " triage ", " ", 1),
	} {
		if err := os.WriteFile(path, []byte(damaged), 0o600); err != nil {
			t.Fatal(err)
		}
		if r, err := OpenReplays(path, start); err == nil {
			r.Close()
			t.Errorf("%s damaged: opened", name)
		}
	}
}

// Full means refused, for one application before it means so for all; room
// comes back with time, and what was forgotten is not accepted even if the
// clock goes back.
func TestReplaysFull(t *testing.T) {
	path := filepath.Join(t.TempDir(), "replays")
	r := must[*Replays](t)(OpenReplays(path, start))
	defer func() { r.Close() }()
	r.max, r.maxApp = 5, 3
	exp := start.Add(time.Minute)
	use := func(app id.App, jti string, exp, now time.Time, want Reason) {
		t.Helper()
		if got := r.Use(app, jti, exp, now); got != want {
			t.Errorf("%s %s: got %q, want %q", app, jti, got, want)
		}
	}
	for i := range 3 {
		use("hostile", fmt.Sprint(i), exp, start, "")
	}
	use("hostile", "3", exp, start, ReplayCacheFull)
	use("triage", "a", exp, start, "")
	use("triage", "b", exp, start, "")
	use("triage", "c", exp, start, ReplayCacheFull)
	use("hostile", "0", exp, start, AssertionReplayed)
	later := exp.Add(replayMargin)
	use("triage", "c", later.Add(time.Minute), later, "")
	use("hostile", "0", exp, start, AssertionReplayed) // forgotten, and the clock went back
	use("hostile", "0", later.Add(time.Minute), start, "")
}

// However uses, time and restarts are mixed, no assertion passes twice while
// its time would allow it, and the file stays in proportion.
func TestReplaysProperty(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		path := filepath.Join(dir, "replays")
		os.Remove(path)
		now := start
		open := func() *Replays {
			r, err := OpenReplays(path, now)
			if err != nil {
				t.Fatal(err)
			}
			r.max, r.maxApp, r.compactAt = 12, 8, 16
			return r
		}
		r := open()
		defer func() { r.Close() }()
		passed := map[string]bool{}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0:
				r.Close()
				r = open()
			case 1, 2:
				now = now.Add(time.Duration(rapid.IntRange(-30, 200).Draw(t, "seconds")) * time.Second)
			default:
				jti := fmt.Sprint(rapid.IntRange(0, 5).Draw(t, "jti"))
				exp := start.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "exp")) * time.Minute)
				if !now.Before(exp.Add(skew)) || exp.After(now.Add(MaxAssertionLife+skew)) {
					continue // its time is checked before its jti
				}
				app := rapid.SampledFrom([]id.App{"a", "b"}).Draw(t, "app")
				key := fmt.Sprint(app, jti, exp)
				if r.Use(app, jti, exp, now) == "" {
					if passed[key] {
						t.Fatalf("%s passed twice", key)
					}
					passed[key] = true
				}
			}
			if r.lines > 40 {
				t.Fatalf("the file grew to %d lines", r.lines)
			}
		}
	})
}

// A disk that fails gives no token, then and afterwards: an answer without a
// durable jti would be an assertion that can be used again.
func TestReplaysDiskFails(t *testing.T) {
	w := newWorld(t)
	w.replays.file.Close()
	assertion := w.good(w.claims())
	for _, form := range []string{assertion, assertion, w.good(w.claims())} {
		status, code, tok := w.post(w.device, tokenForm(form))
		if status == 200 || tok != "" {
			t.Fatalf("a token without a durable jti: %d", status)
		}
		if status != 503 || code != "temporarily_unavailable" || w.lastReason() != ReplayCacheFailed {
			t.Errorf("got %d %s %s", status, code, w.lastReason())
		}
	}
	if err := w.replays.Close(); err != nil {
		t.Errorf("closing what has stopped already: %v", err)
	}
}

func BenchmarkReplaysUse(b *testing.B) {
	r := must[*Replays](b)(OpenReplays(filepath.Join(b.TempDir(), "replays"), start))
	defer r.Close()
	n := 0
	for b.Loop() {
		n++
		r.Use(id.App(fmt.Sprint("app", n%20)), fmt.Sprint(n), start.Add(time.Minute), start)
	}
}

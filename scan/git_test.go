package scan

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/need"
)

// checkout makes a repository, and a function that runs git in it.
func checkout(t *testing.T) (dir string, run func(args ...string)) {
	t.Helper()
	need.Tool(t, "git")
	dir = t.TempDir()
	t.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	t.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	run = func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=a", "-c", "user.email=a@example.org"}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	run("init", "-q")
	return dir, run
}

func TestHistory(t *testing.T) {
	dir, run := checkout(t)
	secret := "ssn: " + plantedSSN + "\n"
	write(t, dir, "old name.log", secret)
	write(t, dir, "copy.log", secret)
	run("add", ".")
	run("commit", "-qm", "one")
	run("rm", "-q", "old name.log", "copy.log")
	write(t, dir, "clean.txt", "nothing\n")
	run("add", ".")
	run("commit", "-qm", "two")
	run("checkout", "-q", "-b", "side")
	write(t, dir, "side.log", "ssn: 418-22-9071\n")
	run("add", ".")
	run("commit", "-qm", "three")
	run("checkout", "-q", "-")

	ctx := context.Background()
	rep, err := newScanner(t, Options{Root: dir}).History(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(rep.Findings) != 2 {
		t.Fatalf("got %d findings, want 2: each blob once, and the other branch", len(rep.Findings))
	}
	for _, f := range rep.Findings {
		if len(f.Blob) != 12 || f.Line != 1 {
			t.Errorf("got blob %q, line %d, want 12 digits and 1", f.Blob, f.Line)
		}
	}
	rep, err = newScanner(t, Options{Root: dir}).Paths(ctx, []string{dir})
	if err != nil || len(rep.Findings) != 0 {
		t.Errorf("the checkout: got %v, %d findings; want none", err, len(rep.Findings))
	}
}

// --staged looks at what is staged, not at what is on the disk.
func TestStaged(t *testing.T) {
	dir, run := checkout(t)
	write(t, dir, "a.log", "ssn: "+plantedSSN+"\n")
	write(t, dir, "sub/b.log", "ssn: 418-22-9071\n")
	run("add", "a.log")
	write(t, dir, "a.log", "clean\n")
	rep, err := newScanner(t, Options{Root: dir}).Staged(context.Background(), filepath.Join(dir, "sub"))
	if err != nil {
		t.Fatal(err)
	}
	if len(rep.Findings) != 1 || rep.Findings[0].Path != "a.log" {
		t.Errorf("got %v, want what is staged of a.log", rep.Findings)
	}
	run("commit", "-qm", "one")
	run("add", "a.log")
	rep, err = newScanner(t, Options{Root: dir}).Staged(context.Background(), dir)
	if err != nil || len(rep.Findings) != 0 || rep.Files != 1 {
		t.Errorf("got %v, %d findings in %d files; want none in one", err, len(rep.Findings), rep.Files)
	}
}

func TestIgnoredFilesAreLeftOut(t *testing.T) {
	dir, run := checkout(t)
	write(t, dir, ".gitignore", "out/\n")
	write(t, dir, "out/a.log", "ssn: "+plantedSSN+"\n")
	write(t, dir, "untracked.log", "ssn: 418-22-9071\n")
	write(t, dir, "deleted.txt", "x\n")
	run("add", "deleted.txt")
	if err := os.Remove(filepath.Join(dir, "deleted.txt")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		all  bool
		path string
		want int
	}{{false, dir, 1}, {true, dir, 2}, {false, filepath.Join(dir, "out"), 1}, {false, filepath.Join(dir, "out", "a.log"), 1}} {
		rep, err := newScanner(t, Options{All: c.all, Root: dir}).Paths(context.Background(), []string{c.path})
		if err != nil || len(rep.Findings) != c.want || len(rep.Failed) != 0 {
			t.Errorf("all %v, %s: got %v, %d findings, failed %v; want %d", c.all, filepath.Base(c.path), err, len(rep.Findings), rep.Failed, c.want)
		}
	}
}

func TestHook(t *testing.T) {
	dir, run := checkout(t)
	ctx := context.Background()
	file, err := InstallHook(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := InstallHook(ctx, dir); err != nil {
		t.Errorf("a second time: %v", err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode()&0o100 == 0 {
		t.Errorf("the hook does not run: %v", err)
	}
	if _, err := RemoveHook(ctx, dir); err != nil {
		t.Error(err)
	}
	if _, err := RemoveHook(ctx, dir); err == nil {
		t.Error("removing what is not there: got no error")
	}
	if err := os.WriteFile(file, []byte("#!/bin/sh\nexit 0\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := InstallHook(ctx, dir); err == nil || !strings.Contains(err.Error(), "sallyport scan --staged || exit 1") {
		t.Errorf("another's hook: got %v, want to be told the line", err)
	}
	if _, err := RemoveHook(ctx, dir); err == nil {
		t.Error("another's hook was removed")
	}
	run("config", "core.hooksPath", "myhooks")
	if file, err = InstallHook(ctx, dir); err != nil || !strings.HasSuffix(filepath.ToSlash(file), "myhooks/pre-commit") {
		t.Errorf("core.hooksPath: got %s, %v", file, err)
	}
}

func TestNoCheckoutAndNoGit(t *testing.T) {
	need.Tool(t, "git")
	dir := t.TempDir()
	sc := newScanner(t, Options{})
	if _, err := sc.History(context.Background(), dir); err == nil || !strings.Contains(err.Error(), "not in a git checkout") {
		t.Errorf("got %v, want to be told that it is no checkout", err)
	}
	t.Setenv("PATH", dir)
	if _, err := sc.Staged(context.Background(), dir); err == nil || !strings.Contains(err.Error(), "git program is not on the PATH") {
		t.Errorf("got %v, want to be told that git is missing", err)
	}
	write(t, dir, "a.log", "ssn: "+plantedSSN+"\n")
	if rep, err := sc.Paths(context.Background(), []string{dir}); err != nil || len(rep.Findings) != 1 {
		t.Errorf("without git: got %v, want the finding", err)
	}
}

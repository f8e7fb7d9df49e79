package scan

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/sallyport/sallyport/problem"
)

// hookMark is in every hook of ours, and says that we may replace or remove it.
const hookMark = "# Written by `sallyport scan --install-hook`; --remove-hook takes it away."

const hookText = `#!/bin/sh
` + hookMark + `
# Patient data in what is staged stops the commit. To commit all the same, once:
# git commit --no-verify
exec sallyport scan --staged
`

// InstallHook writes .git/hooks/pre-commit, and returns its path. Another's
// hook is not touched.
func InstallHook(ctx context.Context, dir string) (string, error) {
	file, err := hookFile(ctx, dir)
	if err != nil {
		return "", err
	}
	switch old, err := os.ReadFile(file); {
	case err == nil && !bytes.Contains(old, []byte(hookMark)):
		return "", problem.New(problem.Conflict, file+" is another's hook, and was left as it is", "Add this line to it: sallyport scan --staged || exit 1")
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return "", problem.New(problem.Conflict, file+" cannot be read", "See what it is and who may read it: ls -l "+file).Because(err)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return "", problem.New(problem.Unavailable, file+" cannot be written", "Check the permissions of the folder").Because(err)
	}
	if info, err := os.Lstat(file); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		return "", problem.New(problem.Conflict, file+" is a symbolic link, and was left as it is", "Add this line to what it names: sallyport scan --staged || exit 1")
	}
	if err := os.WriteFile(file, []byte(hookText), 0o755); err != nil {
		return "", problem.New(problem.Unavailable, file+" cannot be written", "Check the permissions of the folder").Because(err)
	}
	if err := os.Chmod(file, 0o755); err != nil {
		return "", problem.New(problem.Unavailable, file+" cannot be made to run", "chmod +x it by hand").Because(err)
	}
	return file, nil
}

// RemoveHook removes our hook, and returns its path. Another's is not touched.
func RemoveHook(ctx context.Context, dir string) (string, error) {
	file, err := hookFile(ctx, dir)
	if err != nil {
		return "", err
	}
	old, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", problem.New(problem.NotFound, "there is no "+file, "Nothing is left to do")
	case err != nil:
		return "", problem.New(problem.Conflict, file+" cannot be read", "See what it is and who may read it: ls -l "+file).Because(err)
	case !bytes.Contains(old, []byte(hookMark)):
		return "", problem.New(problem.Conflict, file+" is another's hook, and was left as it is", "Take our line out of it by hand")
	}
	if err := os.Remove(file); err != nil {
		return "", problem.New(problem.Unavailable, file+" cannot be removed", "Remove it by hand").Because(err)
	}
	return file, nil
}

// hookFile is where git looks for the hook: core.hooksPath, worktrees and all.
func hookFile(ctx context.Context, dir string) (string, error) {
	root, err := top(ctx, dir)
	if err != nil {
		return "", err
	}
	// Not by git(): the user's own core.hooksPath counts here, and nothing of it is run.
	cmd := exec.CommandContext(ctx, "git", "-C", root, "rev-parse", "--git-path", "hooks")
	out, err := cmd.Output()
	if err != nil {
		return "", gitFailed("rev-parse", err)
	}
	hooks := filepath.FromSlash(strings.TrimSuffix(string(out), "\n"))
	if !filepath.IsAbs(hooks) {
		hooks = filepath.Join(root, hooks)
	}
	return filepath.Join(hooks, "pre-commit"), nil
}

// Top is the folder of the checkout that dir is in, "" where it is in none or
// there is no git.
func Top(ctx context.Context, dir string) string {
	root, err := top(ctx, dir)
	if err != nil {
		return ""
	}
	return root
}

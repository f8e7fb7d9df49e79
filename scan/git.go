package scan

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/sallyport/sallyport/problem"
)

// git runs the git program. What it would run on its own for a hostile
// repository (hooks, a file monitor, an external diff) is turned off.
func git(ctx context.Context, dir string, args ...string) *exec.Cmd {
	safe := []string{"-C", dir, "-c", "core.fsmonitor=false", "-c", "core.hooksPath=" + os.DevNull, "-c", "core.quotePath=false", "--no-pager"}
	cmd := exec.CommandContext(ctx, "git", append(safe, args...)...)
	cmd.Env = append(os.Environ(), "GIT_OPTIONAL_LOCKS=0", "LC_ALL=C", "GIT_TERMINAL_PROMPT=0", "GIT_NO_LAZY_FETCH=1")
	return cmd
}

// top is the folder of the checkout that dir is in.
func top(ctx context.Context, dir string) (string, error) {
	if _, err := exec.LookPath("git"); err != nil {
		return "", problem.BadField("git", "the git program is not on the PATH", "Install git; or scan files without --history and --staged").Because(err)
	}
	out, err := git(ctx, dir, "rev-parse", "--show-toplevel").Output()
	if err != nil {
		return "", problem.BadField("path", dir+" is not in a git checkout, or git does not trust it", "Name a folder in a checkout; `git status` there says more").Because(err)
	}
	return strings.TrimSuffix(string(out), "\n"), nil
}

// listed are the files of a folder that git tracks or would: relative to dir.
// ok is false where there is no git, no checkout, or nothing listed: who names a
// folder that .gitignore names wants it read.
func listed(ctx context.Context, dir string) (files []string, ok bool) {
	if _, err := exec.LookPath("git"); err != nil {
		return nil, false
	}
	out, err := git(ctx, dir, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate", "--", ".").Output()
	if err != nil {
		return nil, false
	}
	for _, name := range bytes.Split(out, []byte{0}) {
		if len(name) > 0 {
			files = append(files, string(name))
		}
	}
	return files, len(files) > 0
}

// Staged scans what the next commit would add or change, as it is staged.
func (sc *Scanner) Staged(ctx context.Context, dir string) (*Report, error) {
	root, err := top(ctx, dir)
	if err != nil {
		return nil, err
	}
	return sc.run(ctx, func(ctx context.Context, give func(item) error) error {
		out, err := git(ctx, root, "diff", "--cached", "--raw", "-z", "--no-abbrev", "--no-renames", "--no-ext-diff", "--diff-filter=ACMT").Output()
		if err != nil {
			return gitFailed("diff --cached", err)
		}
		blobs, err := newBlobs(ctx, root)
		if err != nil {
			return err
		}
		defer blobs.close()
		fields := bytes.Split(out, []byte{0})
		for i := 0; i+1 < len(fields); i += 2 {
			// :100644 100644 old new M
			head := strings.Fields(string(fields[i]))
			if len(head) != 5 {
				return problem.New(problem.Internal, "git answered in a form that is not known", "Tell the version: git --version")
			}
			name := string(fields[i+1])
			switch head[1] {
			case "120000":
				err = give(item{path: name, skip: skipLink})
			case "160000":
				err = give(item{path: name, skip: skipSubmodule})
			default:
				err = blobs.give(head[3], name, "", sc.o.MaxSize, give)
			}
			if err != nil {
				return err
			}
		}
		return blobs.end()
	})
}

// History scans every blob that a ref reaches, once, under the first path at
// which it is found. Files that the allow-list's paths name are left out by that
// path.
func (sc *Scanner) History(ctx context.Context, dir string) (*Report, error) {
	root, err := top(ctx, dir)
	if err != nil {
		return nil, err
	}
	return sc.run(ctx, func(ctx context.Context, give func(item) error) error {
		list := git(ctx, root, "rev-list", "--objects", "--all")
		out, err := list.StdoutPipe()
		if err != nil {
			return err
		}
		if err := list.Start(); err != nil {
			return gitFailed("rev-list", err)
		}
		defer func() {
			_ = list.Cancel() // where it has ended already, nothing is lost
			_ = list.Wait()   // its error was read above, or it was stopped
		}()
		blobs, err := newBlobs(ctx, root)
		if err != nil {
			return err
		}
		defer blobs.close()
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			id, name, hasName := strings.Cut(lines.Text(), " ")
			if !hasName || name == "" {
				continue // a commit, a tag's object or the root of a tree
			}
			if err := blobs.give(id, name, id[:min(12, len(id))], sc.o.MaxSize, give); err != nil {
				return err
			}
		}
		if err := lines.Err(); err != nil {
			return gitFailed("rev-list", err)
		}
		if err := list.Wait(); err != nil {
			return gitFailed("rev-list", err)
		}
		return blobs.end()
	})
}

// blobs is one `git cat-file --batch-command` for the whole scan.
type blobs struct {
	root string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
}

func newBlobs(ctx context.Context, dir string) (*blobs, error) {
	cmd := git(ctx, dir, "cat-file", "--batch-command")
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, gitFailed("cat-file", err)
	}
	return &blobs{root: dir, cmd: cmd, in: in, out: bufio.NewReaderSize(out, 64<<10)}, nil
}

func (b *blobs) ask(verb, id string) (kind string, size int64, err error) {
	if _, err := fmt.Fprintf(b.in, "%s %s\n", verb, id); err != nil {
		return "", 0, gitFailed("cat-file (git 2.36 or newer is needed)", err)
	}
	line, err := b.out.ReadString('\n')
	if err != nil {
		return "", 0, gitFailed("cat-file (git 2.36 or newer is needed)", err)
	}
	words := strings.Fields(line)
	if len(words) != 3 {
		return "missing", 0, nil // a shallow or partial clone
	}
	size, err = strconv.ParseInt(words[2], 10, 64)
	return words[1], size, err
}

// give reads one blob and hands it on. Its size is asked first, so that what
// is too large is never in memory.
func (b *blobs) give(id, name, blob string, most int64, give func(item) error) error {
	kind, size, err := b.ask("info", id)
	switch {
	case err != nil:
		return err
	case kind == "missing":
		return give(item{path: name, blob: blob, fail: "git does not have the object (a partial clone?)"})
	case kind != "blob":
		return nil
	case size > most:
		return give(item{path: name, blob: blob, size: size, skip: skipLarge})
	case size > objectMost:
		return give(item{path: name, blob: blob, size: size, skip: skipObject})
	case isGenerated(name):
		return give(item{path: name, blob: blob, size: size, skip: skipGenerated})
	}
	if _, _, err := b.ask("contents", id); err != nil {
		return err
	}
	// Memory: the workers hold one each, and this is one more; each at most objectMost.
	raw := make([]byte, size)
	if _, err := io.ReadFull(b.out, raw); err != nil {
		return gitFailed("cat-file", err)
	}
	if _, err := b.out.Discard(1); err != nil {
		return gitFailed("cat-file", err)
	}
	return give(item{path: path.Clean(name), file: filepath.Join(b.root, filepath.FromSlash(name)), blob: blob, size: size, open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(raw)), nil }})
}

func (b *blobs) end() error {
	if err := b.in.Close(); err != nil {
		return gitFailed("cat-file", err)
	}
	return nil
}

func (b *blobs) close() {
	_ = b.in.Close()   // it may be closed already
	_ = b.cmd.Cancel() // it has nothing left to do
	_ = b.cmd.Wait()   // and its end is no news
}

// gitFailed: what git says of an error may quote names, but no contents; its
// first line is for the reader.
func gitFailed(what string, err error) error {
	var exit *exec.ExitError
	said := ""
	if errors.As(err, &exit) {
		line, _, _ := strings.Cut(strings.TrimSpace(string(exit.Stderr)), "\n")
		if line != "" {
			said = ": " + line
		}
	}
	return problem.New(problem.Unavailable, "git "+what+" did not work"+said, "Try the same in the checkout by hand; then scan again").Because(err)
}

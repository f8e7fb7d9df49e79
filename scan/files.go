package scan

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/sallyport/sallyport/problem"
)

// Paths scans files and folders. A path that is named is read even where it is
// a link; below a folder, links are not followed. In a git checkout, files that
// .gitignore names are left out unless Options.All.
func (sc *Scanner) Paths(ctx context.Context, paths []string) (*Report, error) {
	for _, p := range paths {
		if _, err := os.Stat(p); err != nil {
			return nil, problem.BadField("path", p+" cannot be read", "Name a file or a folder that is there").Because(err)
		}
	}
	rep, err := sc.run(ctx, func(ctx context.Context, give func(item) error) error {
		for _, p := range paths {
			if err := sc.path(ctx, p, give); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || sc.o.Allow == nil {
		return rep, err
	}
	for _, p := range paths {
		if abs, err := filepath.Abs(p); err == nil && abs == sc.o.Root {
			rep.Unused = sc.o.Allow.unused(len(sc.o.Key) > 0)
		}
	}
	return rep, nil
}

func (sc *Scanner) path(ctx context.Context, p string, give func(item) error) error {
	info, err := os.Stat(p)
	if err != nil {
		return give(item{path: filepath.ToSlash(p), fail: "it was there when the scan began, and is no longer"})
	}
	if info.IsDir() {
		return sc.dir(ctx, p, filepath.ToSlash(filepath.Clean(p)), give, 0)
	}
	dir, name := filepath.Split(p)
	if dir == "" {
		dir = "."
	}
	if !info.Mode().IsRegular() {
		return give(item{path: filepath.ToSlash(p), skip: skipSpecial})
	}
	open := func() (*os.File, error) { return os.Open(filepath.Join(dir, name)) }
	return give(fileItem(filepath.ToSlash(filepath.Clean(p)), p, info, open))
}

// dir gives the files below a folder. os.Root opens them: no name and no link
// that is made meanwhile leads outside.
func (sc *Scanner) dir(ctx context.Context, dir, shown string, give func(item) error, depth int) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return give(item{path: shown, fail: "the folder cannot be opened"})
	}
	// Workers open items after this returns; the root is closed when the last of them is collected.
	if !sc.o.All {
		if files, ok := listed(ctx, dir); ok {
			slices.Sort(files)
			for _, name := range files {
				if err := sc.entry(ctx, root, dir, name, shown, give, depth); err != nil {
					return err
				}
			}
			return nil
		}
	}
	return fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return give(item{path: join(shown, name), fail: "there is no permission to read it"})
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if d.IsDir() {
			if d.Name() == ".git" {
				return fs.SkipDir
			}
			return nil
		}
		return sc.entry(ctx, root, dir, name, shown, give, depth)
	})
}

func join(shown, name string) string {
	if shown == "." {
		return path.Clean(name)
	}
	return path.Join(shown, name)
}

// nestMost is how deep repositories may lie in repositories.
const nestMost = 8

func (sc *Scanner) entry(ctx context.Context, root *os.Root, dir, name, shown string, give func(item) error, depth int) error {
	at := join(shown, name)
	info, err := root.Lstat(filepath.FromSlash(name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil // tracked, but deleted
	case err != nil:
		return give(item{path: at, fail: "there is no permission to read it"})
	case info.Mode()&fs.ModeSymlink != 0:
		return give(item{path: at, skip: skipLink})
	case info.IsDir(): // git names a repository inside as one thing
		if depth >= nestMost {
			return give(item{path: at, fail: "repositories lie too deep in each other"})
		}
		return sc.dir(ctx, filepath.Join(dir, filepath.FromSlash(name)), at, give, depth+1)
	case !info.Mode().IsRegular():
		return give(item{path: at, skip: skipSpecial})
	}
	return give(fileItem(at, filepath.Join(dir, filepath.FromSlash(name)), info, func() (*os.File, error) { return root.Open(filepath.FromSlash(name)) }))
}

// fileItem is a file of the disk, which may change while it is read.
func fileItem(shown, file string, info fs.FileInfo, open func() (*os.File, error)) item {
	var before fs.FileInfo
	it := item{path: shown, file: file, size: info.Size()}
	it.open = func() (io.ReadCloser, error) {
		f, err := open()
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, errGone
		case errors.Is(err, fs.ErrPermission):
			return nil, errPermission
		case err != nil:
			return nil, err
		}
		if before, err = f.Stat(); err != nil {
			f.Close()
			return nil, err
		}
		return f, nil
	}
	it.same = func() bool {
		f, err := open()
		if err != nil {
			return false
		}
		defer f.Close()
		after, err := f.Stat()
		return err == nil && before != nil && after.Size() == before.Size() && after.ModTime().Equal(before.ModTime()) && os.SameFile(before, after)
	}
	return it
}

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/deid"
	"github.com/sallyport/sallyport/problem"
)

// item is one file to be done.
type item struct {
	number int    // from 1, in the order of names
	file   string // "" for standard input
	name   string // within the folder; it can identify, so it is only shown on a terminal
	out    string // below the output, with /
	size   int64
	format format
	stdin  []byte // what standard input held
}

// open reads the file from its start.
func (i *item) open() (io.ReadCloser, error) {
	if i.file == "" {
		return io.NopCloser(bytes.NewReader(i.stdin)), nil
	}
	return os.Open(i.file)
}

// readerAt is the file for a reader that goes to and fro.
func (i *item) readerAt() (io.ReaderAt, int64, func() error, error) {
	if i.file == "" {
		return bytes.NewReader(i.stdin), int64(len(i.stdin)), func() error { return nil }, nil
	}
	f, err := os.Open(i.file)
	if err != nil {
		return nil, 0, nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, nil, errors.Join(err, f.Close())
	}
	return f, info.Size(), f.Close, nil
}

// maxStdin is how much of standard input is held, where it must be held.
const maxStdin = 1 << 30

// standardInput is the item that - means. It is held in memory.
func standardInput(c *deidRunCmd, in io.Reader) (*item, error) {
	raw, err := io.ReadAll(io.LimitReader(in, maxStdin+1))
	if err != nil {
		return nil, problem.BadField("input", "standard input cannot be read to its end", "Start again").Because(err)
	}
	if len(raw) > maxStdin {
		return nil, problem.New(problem.TooLarge, "Standard input is over 1 GiB", "Give it as a file: of files no more is held than a part")
	}
	i := &item{number: 1, stdin: raw, size: int64(len(raw))}
	if err := c.knows(i, raw[:min(len(raw), headLen)]); err != nil {
		return nil, err
	}
	return i, nil
}

// knows finds out the format.
func (c *deidRunCmd) knows(i *item, head []byte) error {
	var ok bool
	if c.Format != "auto" {
		i.format, _ = formatNamed(c.Format) // kong knows the list
		return nil
	}
	if i.format, ok = formatOf(i.name, head); !ok {
		return problem.BadField("format", "cannot be told from the first bytes and the name", "Give --format")
	}
	return nil
}

// Why a file of a folder is left out.
const (
	unknownFormat = "of no format that is known"
	hidden        = "hidden"
	noFile        = "not a plain file"
	textRemoved   = "text, which the profile removes"
)

// list finds the files below the input. leftOut counts those that
// nothing is done with, by reason.
func (c *deidRunCmd) list() (items []*item, leftOut map[string]int, err error) {
	leftOut = map[string]int{}
	info, err := os.Stat(c.Input)
	if err != nil {
		return nil, nil, unreadable("input", "", err)
	}
	if !info.IsDir() {
		i := &item{number: 1, file: c.Input, name: filepath.Base(c.Input), size: info.Size(), out: filepath.Base(c.Out)}
		head, err := headOf(c.Input)
		if err != nil {
			return nil, nil, problem.BadField("input", "cannot be read", "Check its permissions").Because(err)
		}
		return []*item{i}, leftOut, c.knows(i, head)
	}
	root, err := filepath.EvalSymlinks(c.Input) // a walk does not begin at a link
	if err != nil {
		return nil, nil, unreadable("input", "", err)
	}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case path != root && strings.HasPrefix(d.Name(), "."):
			leftOut[hidden]++
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		case d.IsDir():
			return nil
		case !d.Type().IsRegular():
			leftOut[noFile]++
			return nil
		}
		head, err := headOf(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		i := &item{file: path, name: filepath.ToSlash(rel)}
		if c.knows(i, head) != nil {
			leftOut[unknownFormat]++
			return nil
		}
		if info, err := d.Info(); err == nil {
			i.size = info.Size()
		}
		items = append(items, i)
		return nil
	})
	if err != nil {
		return nil, nil, problem.BadField("input", "cannot be read as a whole", "Check the permissions of its files").Because(err)
	}
	slices.SortFunc(items, func(a, b *item) int { return strings.Compare(a.name, b.name) })
	taken := map[string]bool{manifestName: true}
	for n, i := range items {
		i.number = n + 1
		if i.out = outputName(i, c.KeepNames); taken[strings.ToLower(i.out)] {
			return nil, nil, problem.BadField("keep-names", fmt.Sprintf("two outputs would have one name: that of file %d is taken", i.number), "Rename the file, or leave --keep-names out")
		}
		taken[strings.ToLower(i.out)] = true // some file systems take no notice of case
	}
	return items, leftOut, nil
}

func headOf(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	head := make([]byte, headLen)
	n, err := io.ReadFull(f, head)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = nil
	}
	return head[:n], errors.Join(err, f.Close())
}

// manifestName is the manifest's name in a folder of outputs.
const manifestName = "manifest.json"

// plainName is a name that is made of a type, digits and dots.
var plainName = regexp.MustCompile(`^([A-Za-z]+)([._-][0-9.]*)?(\.[a-z0-9]+)$`)

// outputName is a number, for a file's name can be a patient's. A name that says no
// more than a type of R4 and a number stays: Observation.000.ndjson.
func outputName(i *item, keep bool) string {
	if keep {
		return i.name
	}
	if m := plainName.FindStringSubmatch(i.name); m != nil && slices.Contains(i.format.extensions, m[3]) {
		if _, ok := deid.ResourceName([]byte(m[1])); ok {
			return i.name
		}
	}
	return fmt.Sprintf("%06d%s", i.number, i.format.extensions[0])
}

// outFile is a file under a temporary name until it is whole.
type outFile struct {
	f     *os.File
	final string
	sum   hash.Hash
	n     int64
}

const temporary = ".sallyport-*.tmp"

func create(final string) (*outFile, error) {
	if err := os.MkdirAll(filepath.Dir(final), 0o700); err != nil {
		return nil, errOutput(err)
	}
	f, err := os.CreateTemp(filepath.Dir(final), temporary) // mode 0600
	if err != nil {
		return nil, errOutput(err)
	}
	return &outFile{f: f, final: final, sum: sha256.New()}, nil
}

func errOutput(err error) error {
	return problem.New(problem.Unavailable, "The output cannot be written", "See that the folder is there, that it can be written and that there is room").Because(err)
}

// Write implements io.Writer.
func (o *outFile) Write(p []byte) (int, error) {
	n, err := o.f.Write(p)
	o.sum.Write(p[:n])
	o.n += int64(n)
	if err != nil {
		return n, errOutput(err)
	}
	return n, nil
}

func (o *outFile) digest() string { return hex.EncodeToString(o.sum.Sum(nil)) }

// drop takes the temporary file away.
func (o *outFile) drop() {
	_ = o.f.Close()           // it goes
	_ = os.Remove(o.f.Name()) // and what cannot be removed has no final name
}

// keep makes it durable and gives it its name.
func (o *outFile) keep() error {
	if err := errors.Join(o.f.Sync(), o.f.Close()); err != nil {
		o.drop()
		return errOutput(err)
	}
	if err := os.Rename(o.f.Name(), o.final); err != nil {
		o.drop()
		return errOutput(err)
	}
	return syncDir(filepath.Dir(o.final))
}

func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // there a folder cannot be synced
	}
	d, err := os.Open(dir)
	if err != nil {
		return errOutput(err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return errOutput(err)
	}
	return nil
}

// sweep removes what a run that was killed left under temporary names.
func sweep(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if ok, _ := filepath.Match(temporary, d.Name()); ok && d.Type().IsRegular() {
			return os.Remove(path)
		}
		return nil
	})
}

// digestOf is the SHA-256 of a file.
func digestOf(ctx context.Context, open func() (io.ReadCloser, error)) (string, error) {
	r, err := open()
	if err != nil {
		return "", err
	}
	defer r.Close()
	h := sha256.New()
	if _, err := io.Copy(h, stoppable{ctx, r}); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// stoppable ends a reading when the program is told to stop.
type stoppable struct {
	ctx context.Context
	r   io.Reader
}

// Read implements io.Reader.
func (s stoppable) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.r.Read(p)
}

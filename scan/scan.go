package scan

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sallyport/sallyport/deid/text"
	"github.com/sallyport/sallyport/problem"
)

// Options of a scan. The zero Options scans with the defaults; Now must be set.
type Options struct {
	Now     time.Time // for ages, and for what an allow-list lets expire
	Least   float64   // the confidence below which nothing is reported; 0 is 0.6
	MaxSize int64     // in bytes, also of what a .gz unpacks to; 0 is 1 GiB
	Workers int       // 0: one for each core
	All     bool      // also what .gitignore names
	Key     []byte    // for prints of values; nil: none. See fingerprint.go
	Allow   *Allow    // nil: nothing is excepted
	Root    string    // the folder that fingerprints, exceptions and SARIF count paths from; "" is the working folder
	Seen    func(Progress)
}

// Progress of a scan, given to Options.Seen from one goroutine at a time.
type Progress struct {
	Files, Findings int
	Bytes           int64
}

// DefaultLeast is the confidence below which nothing is reported.
const DefaultLeast = 0.6

// DefaultMaxSize is 1 GiB: an export of a database is large, and worth finding.
const DefaultMaxSize = 1 << 30

// objectMost is the size above which an object of git is not read: objects are
// held in memory, one for each worker.
const objectMost = 100 << 20

// Report is what a scan found, and what it did not look at.
type Report struct {
	Findings []Finding      `json:"findings"`
	Files    int            `json:"files"`   // that were read
	Bytes    int64          `json:"bytes"`   // that were read
	Skipped  map[string]int `json:"skipped"` // by rule, counted by why
	Allowed  int            `json:"allowed"` // findings that the allow-list excepts
	Failed   []Failure      `json:"failed"`  // what could not be read, or changed meanwhile
	Unused   []string       `json:"unused"`  // fingerprints of the allow-list that excepted nothing, where all of Options.Root was scanned
}

// Failure is a file that was not scanned, or not whole.
type Failure struct {
	Path string `json:"path"`
	Why  string `json:"why"`
}

// Why a file is not read, by rule.
const (
	skipBinary    = "binary (also PDF, Office, zip, images, SQLite)"
	skipGenerated = "lock files and generated bundles"
	skipLarge     = "larger than --max-size"
	skipObject    = "git objects over 100 MB"
	skipLink      = "symbolic links"
	skipSpecial   = "devices, pipes and sockets"
	skipSubmodule = "repositories inside, not checked out"
)

// item is one file to read, from wherever.
type item struct {
	path string // as a report shows it
	file string // where it is on the disk, or would be
	blob string
	size int64
	skip string // why it is not read at all
	fail string // why it cannot be
	open func() (io.ReadCloser, error)
	same func() bool // whether the file is what it was when it was listed; nil: it cannot change
}

// source lists items, and calls give for each in turn. An error ends the scan.
type source func(ctx context.Context, give func(item) error) error

// Scanner holds what is made once.
type Scanner struct {
	o      Options
	reader *reader
}

// New makes a Scanner.
func New(o Options) (*Scanner, error) {
	if o.Now.IsZero() {
		return nil, problem.New(problem.Internal, "the scan was given no time", "report it: a caller left out Options.Now")
	}
	if o.Least == 0 {
		o.Least = DefaultLeast
	}
	if o.Least < 0 || o.Least > 1 {
		return nil, problem.BadField("min-confidence", "is not between 0 and 1", "Give, for instance, 0.6")
	}
	if o.MaxSize == 0 {
		o.MaxSize = DefaultMaxSize
	}
	if o.MaxSize < 0 {
		return nil, problem.BadField("max-size", "is negative", "Give a number of bytes, or 100MB")
	}
	if len(o.Key) > 0 && len(o.Key) < MinKey {
		return nil, problem.BadField("SALLYPORT_SCAN_KEY", "is shorter than 32 bytes, and could be guessed", "Make one with: openssl rand -hex 32")
	}
	root, err := filepath.Abs(o.Root)
	if err != nil {
		return nil, problem.BadField("path", "the working folder is gone", "Change to a folder that is there").Because(err)
	}
	o.Root = root
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	engine, err := text.New(text.Options{})
	if err != nil {
		return nil, err
	}
	return &Scanner{o: o, reader: &reader{rules: newRules(o.Now), prose: engine}}, nil
}

// run reads every item of the sources. The error is of the scan as a whole;
// of single files the report speaks.
func (sc *Scanner) run(ctx context.Context, src source) (*Report, error) {
	rep := &Report{Findings: []Finding{}, Skipped: map[string]int{}, Failed: []Failure{}, Unused: []string{}}
	var mu sync.Mutex
	items := make(chan item)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(items)
		return src(ctx, func(it item) error {
			select {
			case items <- it:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	})
	for range sc.o.Workers {
		group.Go(func() error {
			for it := range items {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				res := sc.one(it)
				mu.Lock()
				rep.take(res, it, sc.o.Allow)
				if sc.o.Seen != nil {
					sc.o.Seen(Progress{rep.Files, len(rep.Findings), rep.Bytes})
				}
				mu.Unlock()
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	sortFindings(rep.Findings)
	slices.SortFunc(rep.Failed, func(a, b Failure) int { return strings.Compare(a.Path, b.Path) })
	return rep, nil
}

func (rep *Report) take(res result, it item, allow *Allow) {
	switch {
	case res.skip != "":
		rep.Skipped[res.skip]++
		return
	case res.gone:
		rep.Failed = append(rep.Failed, Failure{it.path, "it was there when the scan began, and is no longer"})
		return
	}
	if res.fail != "" {
		rep.Failed = append(rep.Failed, Failure{it.path, res.fail})
	}
	rep.Files++
	rep.Bytes += res.read
	for _, f := range res.list {
		if allow.allows(f) {
			rep.Allowed++
			continue
		}
		rep.Findings = append(rep.Findings, f)
	}
}

// result of one item.
type result struct {
	list []Finding
	skip string
	fail string
	gone bool
	read int64
}

// below is an item's path from Options.Root, or as shown where it is elsewhere.
func (sc *Scanner) below(it item) string {
	abs, err := filepath.Abs(it.file)
	if err != nil {
		return it.path
	}
	rel, err := filepath.Rel(sc.o.Root, abs)
	if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return it.path
	}
	return filepath.ToSlash(rel)
}

// again is how often a file that changes while it is read is read once more.
const again = 2

// one reads an item, whatever it is. A panic of a reader must not hide the
// other files; it is a failure of this one.
func (sc *Scanner) one(it item) (res result) {
	defer func() {
		if p := recover(); p != nil {
			// What was recovered may quote the file.
			res = result{fail: "the scanner broke on it; please report the kind of file"}
		}
	}()
	switch {
	case it.fail != "":
		return result{fail: it.fail}
	case it.skip != "":
		return result{skip: it.skip}
	case sc.o.Allow.skips(sc.below(it)):
		return result{skip: "paths that the allow-list names"}
	case isGenerated(it.path):
		return result{skip: skipGenerated}
	case it.size > sc.o.MaxSize:
		return result{skip: skipLarge}
	}
	for try := 0; ; try++ {
		s := newSheet(it.path, sc.below(it), it.blob, sc.o.Key, sc.o.Least)
		read, skip, err := sc.read(s, it)
		switch {
		case skip != "":
			return result{skip: skip}
		case errors.Is(err, errGone):
			return result{gone: true}
		}
		res = result{list: s.found(), read: read}
		if err != nil {
			res.fail = whyNot(err)
			return res
		}
		if it.same == nil || it.same() {
			return res
		}
		if try == again {
			res.fail = "it changed each time it was read; what is reported is of the last reading"
			return res
		}
	}
}

// whyNot is words for an error of reading. Errors of the readers themselves
// could quote the file, so only what we know is told.
func whyNot(err error) string {
	var p *problem.Problem
	switch {
	case errors.Is(err, errPermission):
		return "there is no permission to read it"
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum), errors.Is(err, io.ErrUnexpectedEOF):
		return "its compression is damaged; what could be unpacked was read"
	case errors.Is(err, errTooMuch):
		return "it unpacks to more than --max-size; only so much was read"
	case errors.As(err, &p):
		return p.Title
	}
	return "reading it went wrong half-way"
}

var (
	errGone       = errors.New("gone")
	errPermission = errors.New("permission")
	errTooMuch    = errors.New("unpacks to too much")
)

// counter counts what is read, and ends with an error at a limit.
type counter struct {
	in   io.Reader
	n    int64
	most int64
	over error
}

func (c *counter) Read(p []byte) (int, error) {
	if c.n >= c.most {
		// Whether there is more decides: exactly the limit is not too much.
		var one [1]byte
		if n, err := io.ReadFull(c.in, one[:]); n == 0 {
			return 0, err
		}
		return 0, c.over
	}
	n, err := c.in.Read(p[:min(int64(len(p)), c.most-c.n)])
	c.n += int64(n)
	return n, err
}

// read opens an item and reads it by its form. JSON that is none is read once
// more, as text.
func (sc *Scanner) read(s *sheet, it item) (n int64, skip string, err error) {
	asText := false
	for {
		in, err := it.open()
		if err != nil {
			return 0, "", err
		}
		n, skip, err = sc.readOpen(s, it.path, in, asText)
		in.Close()
		if errors.Is(err, errNotJSON) && !asText {
			asText = true
			*s = *newSheet(s.path, s.rel, s.blob, s.key, s.least)
			continue
		}
		return n, skip, err
	}
}

func (sc *Scanner) readOpen(s *sheet, name string, in io.Reader, asText bool) (int64, string, error) {
	c := &counter{in: in, most: sc.o.MaxSize, over: errTooMuch}
	src := bufio.NewReaderSize(c, dicomHead)
	head, err := src.Peek(dicomHead)
	if err != nil && !errors.Is(err, io.EOF) {
		return c.n, "", err
	}
	f := formOf(name, head)
	if f == formGzip {
		z, err := gzip.NewReader(src)
		if err != nil {
			return c.n, "", err
		}
		name = strings.TrimSuffix(name, ".gz")
		c = &counter{in: z, most: sc.o.MaxSize, over: errTooMuch}
		src = bufio.NewReaderSize(c, dicomHead)
		if head, err = src.Peek(dicomHead); err != nil && !errors.Is(err, io.EOF) && len(head) == 0 {
			return c.n, "", err
		}
		if f = formOf(name, head); f == formGzip {
			f = formBinary
		}
	}
	var body io.Reader = src
	if order := utf16Order(head); order != 0 && f != formBinary && f != formDICOM {
		body = &utf16Reader{in: src, big: order == 'b'}
	} else if bytes.HasPrefix(head, []byte("\xef\xbb\xbf")) {
		_, _ = src.Discard(3) // it was peeked at
	}
	if asText {
		f = formText
	}
	r := sc.reader
	switch f {
	case formBinary:
		return c.n, skipBinary, nil
	case formDICOM:
		dicom(s, head)
		return c.n, "", nil
	case formCSV:
		err = r.csv(s, body, commaOf(head))
	case formTSV:
		err = r.csv(s, body, '\t')
	case formJSON, formNotebook:
		err = r.json(s, body, f == formNotebook)
	default:
		s.attribution = isAttribution(name)
		err = r.stream(s, body, f == formCode)
	}
	return c.n, "", err
}

// Summary says in one line what was looked at.
func (rep *Report) Summary() string {
	return fmt.Sprintf("%d %s in %d files (%s)", len(rep.Findings), plural(len(rep.Findings), "finding"), rep.Files, bytesOf(rep.Bytes))
}

func plural(n int, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}

func bytesOf(n int64) string {
	switch {
	case n < 10_000:
		return fmt.Sprintf("%d bytes", n)
	case n < 10_000_000:
		return fmt.Sprintf("%d kB", n/1000)
	}
	return fmt.Sprintf("%d MB", n/1_000_000)
}

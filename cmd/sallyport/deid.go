package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goccy/go-yaml"
	"golang.org/x/sync/errgroup"

	"github.com/sallyport/sallyport/problem"
)

// deidCmd is the de-identification engine on files, for the data's owner. What it
// may do is said by a profile; deid_lawful.go says what each engine makes of one.
type deidCmd struct {
	Files        deidRunCmd      `cmd:"" name:"run" default:"withargs" help:"De-identify a file, a folder or standard input (the default)."`
	Propose      deidProposeCmd  `cmd:"" help:"Propose rules for a table, for a person to read and change."`
	Key          deidKeyCmd      `cmd:"" help:"Make a key for date shifts, surrogates and derived codes."`
	Profiles     deidProfilesCmd `cmd:"" help:"List the profiles, print one, or check a file."`
	Evaluate     deidEvaluateCmd `cmd:"" help:"Measure the text engine on labelled texts, or on a sample of your own notes."`
	ImportConfig importConfigCmd `cmd:"" help:"Read a configuration of Microsoft's FHIR anonymizer: what differs, and run it."`
	Reveal       deidRevealCmd   `cmd:"" help:"Ask whose a code is: an act in the log, with a reason."`
}

type deidRunCmd struct {
	Input       string   `arg:"" help:"A file, a folder, or - for standard input."`
	Profile     string   `help:"A built-in profile's name, or a profile's file." default:"safe-harbor" placeholder:"NAME|FILE.yaml"`
	Out         string   `short:"o" help:"Where to write: a new file, or a new folder for a folder. Standard output where the input is -." placeholder:"FILE|DIR"`
	Format      string   `help:"${enum}." enum:"auto,fhir,ndjson,csv,parquet,hl7v2,cda,x12,ncpdp,dicom,text" default:"auto"`
	Rules       string   `help:"The rules of tables; see sallyport deid propose." placeholder:"FILE"`
	Comma       string   `help:"What separates the fields of a table, if not a comma." placeholder:"CHAR"`
	Masks       string   `help:"Options and pixel masks of DICOM (YAML)." placeholder:"FILE"`
	Hierarchies string   `help:"A folder of ARX hierarchies, NAME.csv, for tables." placeholder:"DIR"`
	AsOf        string   `name:"as-of" help:"The day on which ages are judged; today by default. Pin it to get the same again." placeholder:"DATE"`
	Key         string   `help:"32 random bytes or more, for shifts, surrogates and derived codes; see sallyport deid key." placeholder:"FILE"`
	Config      string   `short:"c" help:"The installation's configuration: codes are the engagement's, and can be revealed by the owner." placeholder:"FILE"`
	Engagement  string   `help:"Whose codes, with --config." placeholder:"ID"`
	Base        []string `help:"The source's own FHIR base URL, so that absolute references are understood; may be repeated." placeholder:"URL"`
	Jobs        int      `short:"j" help:"How many at once; all processors by default." placeholder:"N"`
	Resume      bool     `help:"Go on where a run of the same profile, day and key was stopped."`
	Manifest    string   `help:"Where to write what was done; beside or in the output by default." placeholder:"FILE"`
	Recall      string   `help:"The recall that was measured on your own notes; see sallyport deid evaluate." placeholder:"FILE"`
	KeepNames   bool     `help:"Keep the files' names. They can hold patients' names."`
}

// Help says what the command promises.
func (c *deidRunCmd) Help() string {
	return `What comes out is what the profile lets stand, and nothing else: an unknown
element, segment, column or file is left out or refused. Outputs appear under
their names only when they are whole. Names of files can hold patients' names, so
outputs are numbered, but for names such as Observation.000.ndjson.

Free text that a profile lets stand was scrubbed. It is not Safe Harbor by
itself, and the manifest says so. Whether what is left could identify somebody
by what you know besides, no program can tell: 45 CFR 164.514(b)(2)(ii).`
}

// run is one run of the command.
type deidRun struct {
	c       *deidRunCmd
	ctx     context.Context
	lawful  *lawful
	known   *known
	journal *journal // nil for standard input
	m       manifest
	mu      sync.Mutex       // of m
	root    string           // the folder of the outputs
	single  bool             // the input is one file
	alone   *problem.Problem // why the only file did not come out
	bytes   atomic.Int64
	done    atomic.Int64
}

// Run de-identifies.
func (c *deidRunCmd) Run(ctx context.Context, now clock) (err error) {
	asOf, err := dayOf(c.AsOf, now)
	if err != nil {
		return err
	}
	if err := c.check(); err != nil {
		return err
	}
	profile, err := readProfile(c.Profile)
	if err != nil {
		return err
	}
	s, err := openSecrets(ctx, c, profile)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	r := &deidRun{c: c, ctx: ctx}
	if r.lawful, err = newLawful(profile, asOf, s); err != nil {
		return err
	}
	if r.m.basics, err = newBasics(r.lawful, c); err != nil {
		return err
	}
	if c.Recall != "" {
		if r.m.Recall, err = readRecall(c.Recall); err != nil {
			return err
		}
	}
	if c.Input == "-" {
		return r.standard()
	}
	return r.files()
}

func (c *deidRunCmd) check() error {
	if c.Jobs == 0 {
		c.Jobs = runtime.GOMAXPROCS(0)
	}
	if c.Jobs < 1 || c.Jobs > 1024 {
		return problem.BadField("jobs", "is not a number of jobs", "Write 1 to 1024, or leave it out")
	}
	if c.Comma != "" && (len(c.Comma) != 1 || c.Comma[0] >= 0x80) {
		return problem.BadField("comma", "is not one ASCII character", "Write one, such as ;")
	}
	if c.Input == "-" {
		if c.Out != "" || c.Resume || c.KeepNames {
			return problem.BadField("out", "does not go with standard input, nor do --resume and --keep-names", "Redirect standard output, or give a file")
		}
		return nil
	}
	if c.Out == "" {
		return problem.BadField("out", "is missing", "Name a new file, or a new folder for a folder: --out")
	}
	if c.Manifest == "" {
		c.Manifest = c.Out + ".manifest.json"
		if info, err := os.Stat(c.Input); err == nil && info.IsDir() {
			c.Manifest = filepath.Join(c.Out, manifestName)
		}
	}
	return nil
}

// dayOf reads a day, or is today.
func dayOf(text string, now clock) (time.Time, error) {
	if text == "" {
		return now().UTC().Truncate(24 * time.Hour), nil
	}
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return day, problem.BadField("as-of", "is not a day", "Write it as 2026-12-31")
	}
	return day, nil
}

// standard does standard input.
func (r *deidRun) standard() error {
	i, err := standardInput(r.c, os.Stdin)
	if err != nil {
		return err
	}
	if r.known, err = collect(r.ctx, r.lawful, []*item{i}, r.c.Base); err != nil {
		return err
	}
	w := &worker{r: r, spool: new(bytes.Buffer)}
	rec, err := w.do(i)
	if err != nil {
		return shown(err)
	}
	if _, err := os.Stdout.Write(w.spool.Bytes()); err != nil {
		return errOutput(err)
	}
	r.m.Files = []record{rec}
	r.m.finish()
	r.tell()
	if r.c.Manifest == "" {
		return nil
	}
	return writeManifest(r.c.Manifest, &r.m)
}

// files does a file or a folder.
func (r *deidRun) files() error {
	if r.c.Resume && r.m.KeyCheck == "" {
		return cited(problem.Conflict, "The codes of the earlier run were random and kept nowhere, so that nothing would join",
			"Start again with a new --out. To be able to go on, keep codes in the vault: --config sallyport.yaml --engagement ID", "45 CFR 164.514(c)")
	}
	items, leftOut, err := r.c.list()
	if err != nil {
		return err
	}
	if len(items) > 1 && (!r.lawful.prose() || r.lawful.profile.NeedsRecord()) { // one that was named alone is refused with the reason
		items = slices.DeleteFunc(items, func(i *item) bool {
			text := i.format.name == "text"
			if text {
				leftOut[textRemoved]++
			}
			return text
		})
	}
	r.m.LeftOut = leftOut
	if len(items) == 0 {
		return problem.BadField("input", "holds no file of a format that is known", "Give --format, or another folder")
	}
	if r.root, err = r.place(); err != nil {
		return err
	}
	todo, err := r.begin(items)
	if err != nil {
		return err
	}
	defer r.journal.f.Close() // again, after end: where something below failed
	if r.known, err = collect(r.ctx, r.lawful, items, r.c.Base); err != nil {
		return err
	}
	stop := r.progress(len(items), todo)
	err = r.all(todo)
	stop()
	if err != nil {
		return err
	}
	if r.alone != nil {
		return errors.Join(r.alone, r.journal.end(true))
	}
	r.m.finish()
	if err := writeManifest(r.c.Manifest, &r.m); err != nil {
		return err
	}
	if err := r.journal.end(r.m.Complete || r.m.KeyCheck == ""); err != nil {
		return err
	}
	r.tell()
	if n := len(r.m.Failed); n > 0 {
		next := "Mend them and run it again with --resume, or leave them out"
		if r.m.KeyCheck == "" {
			next = "Leave them out, or mend them and start again with a new --out: codes that are kept nowhere give nothing to go on with"
		}
		return problem.New(problem.Invalid, fmt.Sprintf("%d of %d files did not come out; the others did", n, len(items)), next)
	}
	return nil
}

// place checks that the output is no part of the input, and new. It returns the
// folder of the outputs.
func (r *deidRun) place() (string, error) {
	in, err1 := filepath.Abs(r.c.Input)
	out, err2 := filepath.Abs(r.c.Out)
	if err := errors.Join(err1, err2); err != nil {
		return "", err
	}
	info, err := os.Stat(in)
	if err != nil {
		return "", unreadable("input", "", err)
	}
	if out == in || info.IsDir() && strings.HasPrefix(out, in+string(filepath.Separator)) {
		return "", problem.BadField("out", "is in the input", "Name a place of its own: what was de-identified does not belong among what was not")
	}
	if r.single = !info.IsDir(); r.single {
		if _, err := os.Stat(out); err == nil && !r.c.Resume {
			return "", problem.BadField("out", "is there already", "Name a new file")
		}
		return filepath.Dir(out), nil
	}
	if entries, err := os.ReadDir(out); err == nil && len(entries) > 0 && !r.c.Resume {
		return "", problem.BadField("out", "is not empty", "Name a new folder, or go on with --resume")
	}
	if err := os.MkdirAll(out, 0o700); err != nil {
		return "", errOutput(err)
	}
	return filepath.Clean(r.c.Out), nil
}

// begin opens the journal, and finds what is still to do.
func (r *deidRun) begin(items []*item) (todo []*item, err error) {
	file := r.c.Manifest + ".partial"
	if !r.c.Resume {
		r.journal, err = startJournal(file, r.m.basics)
		return items, err
	}
	if !r.single { // a folder of its own
		if err := sweep(r.root); err != nil {
			return nil, errOutput(err)
		}
	}
	var done map[int]record
	if r.journal, done, err = resume(file, r.m.basics); err != nil {
		return nil, err
	}
	for _, i := range items {
		rec, ok := done[i.number]
		if ok && rec.Output == i.out && rec.Format == i.format.name && r.same(i, rec) {
			r.m.Files = append(r.m.Files, rec)
			r.done.Add(1)
			continue
		}
		todo = append(todo, i)
	}
	if len(r.m.Files) > 0 {
		fmt.Fprintf(os.Stderr, "%d of %d files are done already.\n", len(r.m.Files), len(items))
	}
	return todo, nil
}

// same says whether input and output are still those of the record.
func (r *deidRun) same(i *item, rec record) bool {
	in, err := digestOf(r.ctx, i.open)
	if err != nil || in != rec.InputSHA256 {
		return false
	}
	out, err := digestOf(r.ctx, func() (io.ReadCloser, error) { return os.Open(filepath.Join(r.root, filepath.FromSlash(i.out))) })
	return err == nil && out == rec.OutputSHA256
}

// all does large NDJSON files one after the other, each with all goroutines, and
// then the others, some at once.
func (r *deidRun) all(todo []*item) error {
	var others []*item
	for _, i := range todo {
		if i.format.name == "ndjson" && i.size > 2*chunkSize {
			if err := r.one(i); err != nil {
				return err
			}
			continue
		}
		others = append(others, i)
	}
	group, ctx := errgroup.WithContext(r.ctx)
	group.SetLimit(r.c.Jobs)
	for _, i := range others {
		if ctx.Err() != nil {
			break
		}
		group.Go(func() error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return r.one(i)
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if r.ctx.Err() != nil {
		return r.stopped()
	}
	return nil
}

// one does a file. An error is one that ends the run; that of a file is noted.
func (r *deidRun) one(i *item) error {
	w := &worker{r: r}
	rec, err := w.do(i)
	if r.ctx.Err() != nil {
		return r.stopped()
	}
	r.done.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		p := shown(err)
		if r.single {
			r.alone = p // it is the only one
			return nil
		}
		r.m.Failed = append(r.m.Failed, failure{Number: i.number, Format: i.format.name, Why: p.Title})
		r.say(i, p.Title, p)
		return nil
	}
	if rec.firstBad != "" {
		r.say(i, rec.firstBad, nil)
	}
	r.m.Files = append(r.m.Files, rec)
	return r.journal.write(rec)
}

// stopped is what a run that was told to stop says.
func (r *deidRun) stopped() error {
	next := "Go on with --resume"
	if r.m.KeyCheck == "" {
		next = "Start again with a new --out: codes that are kept nowhere give nothing to go on with"
	}
	return problem.New(problem.Unavailable, "It was stopped; the files that are there are whole", next).Because(r.ctx.Err())
}

// say tells the person at the terminal about a file. Its name is patient data, and
// not for a log.
func (r *deidRun) say(i *item, what string, p *problem.Problem) {
	begin, name := "", ""
	if isTerminal(os.Stderr) {
		begin, name = "\r\x1b[K", " ("+i.name+")"
	}
	fmt.Fprintf(os.Stderr, "%sfile %d%s: %s\n", begin, i.number, name, what)
	if p != nil && p.NextStep != "" {
		fmt.Fprintln(os.Stderr, "  Next:", p.NextStep)
	}
	if p != nil && p.Citation != "" {
		fmt.Fprintln(os.Stderr, "  Rule:", p.Citation)
	}
}

// shown is an error as it may be shown: what no problem says can quote a value.
func shown(err error) *problem.Problem {
	var p *problem.Problem
	if !errors.As(err, &p) {
		return problem.New(problem.Internal, "it could not be read or written", "Check permissions and room, and start again").Because(err)
	}
	q := *p
	if p.Field != "" {
		q.Title, q.Field = p.Field+": "+p.Title, ""
	}
	return &q
}

func (r *deidRun) tell() {
	t := r.m.Totals
	files := "files"
	if t.Files == 1 {
		files = "file"
	}
	fmt.Fprintf(os.Stderr, "%d %s, %s in, %s out.", t.Files, files, size(t.BytesIn), size(t.BytesOut))
	for _, why := range slices.Sorted(maps.Keys(r.m.LeftOut)) {
		fmt.Fprintf(os.Stderr, " %d left out: %s.", r.m.LeftOut[why], why)
	}
	fmt.Fprintln(os.Stderr)
	for _, list := range [][]string{r.m.Say, r.m.ToDo} {
		for _, s := range list {
			fmt.Fprintln(os.Stderr, s)
		}
	}
	if r.c.Manifest != "" {
		fmt.Fprintln(os.Stderr, "What was done:", r.c.Manifest)
	}
}

func size(n int64) string {
	switch {
	case n < 10_000:
		return fmt.Sprintf("%d bytes", n)
	case n < 10_000_000:
		return fmt.Sprintf("%.0f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}

const progressEvery = 200 * time.Millisecond

// progress shows a line on a terminal until stop is called.
func (r *deidRun) progress(files int, todo []*item) (stop func()) {
	if !isTerminal(os.Stderr) {
		return func() {}
	}
	var total int64
	for _, i := range todo {
		total += i.size
	}
	end, ended := make(chan struct{}), make(chan struct{})
	start := time.Now()
	go func() {
		defer close(ended)
		tick := time.NewTicker(progressEvery)
		defer tick.Stop()
		for {
			select {
			case <-end:
				fmt.Fprintf(os.Stderr, "\r\x1b[K")
				return
			case <-tick.C:
				n := r.bytes.Load()
				rate := float64(n) / 1e6 / time.Since(start).Seconds()
				fmt.Fprintf(os.Stderr, "\r\x1b[K%d of %d files, %s of %s, %.0f MB/s", r.done.Load(), files, size(n), size(total), rate)
			}
		}
	}()
	return func() { close(end); <-ended }
}

// worker does one file at a time.
type worker struct {
	r     *deidRun
	spool *bytes.Buffer // in the place of files, for standard output
	out   *outFile
}

// do does a file: its output is there, whole, or it is not there.
func (w *worker) do(i *item) (rec record, err error) {
	defer func() {
		if err != nil && w.out != nil {
			w.out.drop()
		}
	}()
	rec, err = i.format.run(w, i)
	if err != nil {
		return rec, err
	}
	rec.Number, rec.Format = i.number, i.format.name
	if err := w.r.lawful.secrets.settle(w.r.ctx); err != nil {
		return rec, err
	}
	if w.out == nil {
		return rec, nil
	}
	rec.Output = i.out
	if w.r.c.KeepNames {
		rec.Input = i.name
	}
	out := w.out
	w.out = nil
	return rec, out.keep()
}

// through runs an engine from the input to the output, and digests both. What is
// read by another way than src is read once more for its digest.
func (w *worker) through(i *item, engine func(dst io.Writer, src io.Reader) error) (rec record, err error) {
	in, err := i.open()
	if err != nil {
		return rec, problem.New(problem.Unavailable, "it cannot be read", "Check its permissions").Because(err)
	}
	defer in.Close()
	var dst io.Writer
	sum, n := sha256.New(), new(int64)
	if w.spool != nil {
		w.spool.Reset()
		dst = io.MultiWriter(w.spool, sum)
	} else {
		if w.out, err = create(filepath.Join(w.r.root, filepath.FromSlash(i.out))); err != nil {
			return rec, err
		}
		dst = w.out
	}
	digest := sha256.New()
	src := io.TeeReader(&counted{stoppable{w.r.ctx, in}, n, &w.r.bytes}, digest)
	if err := engine(dst, src); err != nil {
		return rec, err
	}
	if _, err := io.Copy(io.Discard, src); err != nil { // the rest, and all of it where the engine read otherwise
		return rec, err
	}
	rec.InputSHA256, rec.InputBytes = hex.EncodeToString(digest.Sum(nil)), *n
	if w.spool != nil {
		rec.OutputSHA256, rec.OutputBytes = hex.EncodeToString(sum.Sum(nil)), int64(w.spool.Len())
	} else {
		rec.OutputSHA256, rec.OutputBytes = w.out.digest(), w.out.n
	}
	return rec, nil
}

// counted counts what is read, of a file and of all.
type counted struct {
	r   io.Reader
	n   *int64
	all *atomic.Int64
}

// Read implements io.Reader.
func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	*c.n += int64(n)
	c.all.Add(int64(n))
	return n, err
}

func yamlOf(v any) ([]byte, error) {
	raw, err := yaml.MarshalWithOptions(v, yaml.Indent(2), yaml.IndentSequence(true), yaml.OmitEmpty())
	if err != nil {
		return nil, fmt.Errorf("writing YAML: %w", err)
	}
	return raw, nil
}

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/sallyport/sallyport/deid/msconfig"
	"github.com/sallyport/sallyport/problem"
)

type importConfigCmd struct {
	File string `arg:"" help:"The anonymizer's configuration." type:"existingfile"`
	Diff bool   `help:"Say where it lets pass what our own profiles would not (the default where nothing is run)."`
	JSON bool   `name:"json" help:"Print the differences as JSON."`
	From string `name:"run" help:"Run it on a FHIR file or a folder of them (.json, .ndjson)." placeholder:"DIR"`
	Out  string `short:"o" help:"Where to write: a new folder." placeholder:"DIR"`
	AsOf string `name:"as-of" help:"The day on which ages are judged; today by default." placeholder:"DATE"`
	Keep bool   `name:"keep-names" help:"Keep the files' names. They can hold patients' names."`
}

// Help says what is not promised.
func (c *importConfigCmd) Help() string {
	return `What comes out is as de-identified as the configuration makes it: the tool is
fail-open, and what no rule names passes. The differences say what that is.`
}

// Run reads the configuration, reports, and runs it.
func (c *importConfigCmd) Run(ctx context.Context, now clock) error {
	raw, err := os.ReadFile(c.File)
	if err != nil {
		return problem.BadField("file", "cannot be read", "Check its permissions").Because(err)
	}
	config, err := msconfig.Read(raw)
	if err != nil {
		return err
	}
	if c.Diff || c.JSON || c.From == "" {
		if err := c.report(config); err != nil {
			return err
		}
	}
	if c.From == "" {
		return nil
	}
	return c.run(ctx, config, now)
}

func (c *importConfigCmd) report(config *msconfig.Config) error {
	all := config.Differences()
	if c.JSON {
		type difference struct {
			Kind      string   `json:"kind"`
			Rule      *int     `json:"rule,omitempty"`
			Path      string   `json:"path"`
			Resources []string `json:"resources,omitempty"`
			Message   string   `json:"message"`
			Letters   string   `json:"letters,omitempty"`
			Citation  string   `json:"citation,omitempty"`
		}
		out := make([]difference, len(all))
		for i, d := range all {
			out[i] = difference{Kind: d.Kind.String(), Path: d.Path, Resources: d.Resources, Message: d.Message, Letters: d.Letters, Citation: d.Citation}
			if d.Rule >= 0 {
				out[i].Rule = &all[i].Rule
			}
		}
		return printJSON(out)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "KIND\tRULE\tPATH\tWHAT\tCITATION")
	for _, d := range all {
		rule := ""
		if d.Rule >= 0 {
			rule = fmt.Sprint(d.Rule)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", d.Kind, rule, d.Path, d.Message, d.Citation)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%d rules, %d differences from what our own profiles would do.\n", config.Rules(), len(all))
	return nil
}

// importManifest says what was done, without a value.
type importManifest struct {
	Sallyport string          `json:"sallyport"`
	Config    string          `json:"config_sha256"`
	AsOf      string          `json:"as_of"`
	Files     []importRecord  `json:"files"`
	Failed    []failure       `json:"failed,omitempty"`
	LeftOut   map[string]int  `json:"left_out,omitempty"`
	Counts    msconfig.Counts `json:"counts"`
	Say       []string        `json:"say"`
}

type importRecord struct {
	Number       int             `json:"number"`
	Output       string          `json:"output"`
	OutputSHA256 string          `json:"output_sha256"`
	Resources    int             `json:"resources"`
	Counts       msconfig.Counts `json:"counts"`
}

func (c *importConfigCmd) run(ctx context.Context, config *msconfig.Config, now clock) error {
	asOf, err := dayOf(c.AsOf, now)
	if err != nil {
		return err
	}
	if c.Out == "" {
		return problem.BadField("out", "is missing", "Name a new folder: --out")
	}
	if entries, err := os.ReadDir(c.Out); err == nil && len(entries) > 0 {
		return problem.BadField("out", "is not empty", "Name a new folder")
	}
	like := &deidRunCmd{Input: c.From, Out: c.Out, Format: "auto", KeepNames: c.Keep}
	items, leftOut, err := like.list()
	if err != nil {
		return err
	}
	if _, err := (&deidRun{c: like}).place(); err != nil {
		return err
	}
	engine, err := msconfig.New(config, msconfig.Options{AsOf: asOf, Rand: rand.Reader})
	if err != nil {
		return err
	}
	digest := config.Digest()
	m := importManifest{Sallyport: version, Config: hex.EncodeToString(digest[:]), AsOf: asOf.Format(time.DateOnly),
		LeftOut: leftOut, Say: []string{"This is what the configuration makes of the files, no more. The tool is fail-open: see sallyport deid import-config --diff."}}
	for _, i := range items {
		if i.format.name != "fhir" && i.format.name != "ndjson" {
			leftOut[unknownFormat]++
			continue
		}
		if i.out == "." || i.out == filepath.Base(c.Out) {
			i.out = outputName(i, c.Keep)
		}
		rec, err := c.one(ctx, engine.In(filepath.Base(i.file), filepath.Base(filepath.Dir(i.file))), i)
		if ctx.Err() != nil {
			return problem.New(problem.Unavailable, "It was stopped; what is done is whole", "Start again with a new --out").Because(ctx.Err())
		}
		if err != nil {
			p := shown(err)
			m.Failed = append(m.Failed, failure{Number: i.number, Format: i.format.name, Why: p.Title})
			(&deidRun{}).say(i, p.Title, p)
			continue
		}
		m.Files = append(m.Files, rec)
		m.Counts.Add(rec.Counts)
	}
	o, err := create(filepath.Join(c.Out, manifestName))
	if err != nil {
		return err
	}
	if err := writeJSON(o, m); err != nil {
		o.drop()
		return err
	}
	if err := o.keep(); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%d files. %s\n", len(m.Files), m.Say[0])
	if n := len(m.Failed); n > 0 {
		return problem.New(problem.Invalid, fmt.Sprintf("%d files did not come out; the others did", n), "Mend them and run it again")
	}
	return nil
}

// one runs the configuration on a file: all of it, or the file does not come out.
func (c *importConfigCmd) one(ctx context.Context, engine *msconfig.Anonymizer, i *item) (rec importRecord, err error) {
	in, err := i.open()
	if err != nil {
		return rec, err
	}
	defer in.Close()
	out, err := create(filepath.Join(c.Out, filepath.FromSlash(i.out)))
	if err != nil {
		return rec, err
	}
	defer func() {
		if err != nil {
			out.drop()
		}
	}()
	rec = importRecord{Number: i.number, Output: i.out}
	put := func(raw []byte) error {
		made, n, err := engine.Resource(nil, raw)
		if err != nil {
			return err
		}
		rec.Resources++
		rec.Counts.Add(n)
		_, err = out.Write(append(made, '\n'))
		return err
	}
	src := stoppable{ctx, in}
	if i.format.name == "fhir" {
		raw, err := io.ReadAll(io.LimitReader(src, maxDocument+1))
		if err != nil {
			return rec, err
		}
		if len(raw) > maxDocument {
			return rec, problem.New(problem.TooLarge, "it is over 512 MiB", "Split it, or give it as NDJSON")
		}
		if err := put(raw); err != nil {
			return rec, err
		}
	} else {
		lines := bufio.NewScanner(src)
		lines.Buffer(nil, maxLine)
		for n := 1; lines.Scan(); n++ {
			raw := bytes.TrimSpace(bytes.TrimPrefix(lines.Bytes(), []byte("\ufeff")))
			if len(raw) == 0 {
				continue
			}
			if err := put(raw); err != nil {
				p := shown(err)
				p.Title = fmt.Sprintf("line %d: %s", n, p.Title)
				return rec, p
			}
		}
		if errors.Is(lines.Err(), bufio.ErrTooLong) {
			return rec, problem.New(problem.TooLarge, "a line is over 32 MiB", "Split the resource")
		}
		if lines.Err() != nil {
			return rec, lines.Err()
		}
	}
	rec.OutputSHA256 = out.digest()
	return rec, out.keep()
}

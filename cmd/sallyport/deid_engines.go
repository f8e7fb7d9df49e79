package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/sallyport/sallyport/deid/cda"
	"github.com/sallyport/sallyport/deid/dicom"
	"github.com/sallyport/sallyport/deid/hl7v2"
	"github.com/sallyport/sallyport/deid/ncpdp"
	"github.com/sallyport/sallyport/deid/table"
	"github.com/sallyport/sallyport/deid/table/risk"
	"github.com/sallyport/sallyport/deid/x12"
	"github.com/sallyport/sallyport/problem"
)

// copier is what the engines of messages have in common.
type copier interface {
	Copy(w io.Writer, r io.Reader) (hl7v2.Manifest, error)
}

func (w *worker) hl7v2(i *item) (record, error) {
	return w.message(i, func(o hl7v2.Options) (copier, error) { return hl7v2.New(o) })
}

func (w *worker) cda(i *item) (record, error) {
	return w.message(i, func(o hl7v2.Options) (copier, error) { return cda.New(o) })
}

func (w *worker) x12(i *item) (record, error) {
	return w.message(i, func(o hl7v2.Options) (copier, error) { return x12.New(o) })
}

func (w *worker) ncpdp(i *item) (record, error) {
	return w.message(i, func(o hl7v2.Options) (copier, error) { return ncpdp.New(o) })
}

func (w *worker) message(i *item, engine func(hl7v2.Options) (copier, error)) (record, error) {
	o, err := w.r.lawful.messages()
	if err != nil {
		return record{}, err
	}
	d, err := engine(o)
	if err != nil {
		return record{}, err
	}
	var m hl7v2.Manifest
	rec, err := w.through(i, func(dst io.Writer, src io.Reader) (err error) {
		m, err = d.Copy(dst, src)
		return err
	})
	if err != nil {
		return rec, err
	}
	if m.Messages == 0 {
		return rec, problem.New(problem.Invalid, "it holds no "+i.format.name+" message", "Check that it is what its name or --format says")
	}
	rec.Released = map[string]int64{"message": int64(m.Messages)}
	rec.Rules = map[string]int64{}
	for rule, n := range m.Tally {
		if n > 0 {
			rec.Rules[hl7v2.Rule(rule).String()] = int64(n)
		}
	}
	if m.Dropped > 0 {
		rec.Rules["unknown-part"] = int64(m.Dropped)
	}
	rec.Scrubbed = rec.Rules["text-scrubbed"]
	return rec, nil
}

func (w *worker) dicom(i *item) (record, error) {
	o, err := w.r.lawful.images(w.r.c.Masks)
	if err != nil {
		return record{}, err
	}
	d, err := dicom.New(o)
	if err != nil {
		return record{}, err
	}
	at, size, done, err := i.readerAt()
	if err != nil {
		return record{}, err
	}
	defer done() //nolint:errcheck // it was only read
	var m dicom.Manifest
	rec, err := w.through(i, func(dst io.Writer, _ io.Reader) (err error) {
		m, err = d.Reader(dst, at, size)
		return err
	})
	if err != nil {
		return rec, err
	}
	rec.Released = map[string]int64{"image": 1}
	rec.Rules = map[string]int64{}
	for a, n := range m.Actions {
		if n > 0 {
			rec.Rules[dicom.Action(a).String()] = int64(n)
		}
	}
	rec.Scrubbed = int64(m.Actions[dicom.Cleaned])
	if m.Regions > 0 {
		rec.Rules["pixel regions blanked"] = int64(m.Regions)
	}
	return rec, nil
}

// rules reads the rules of tables, and the hierarchies that they name.
func (w *worker) rules(i *item) (*table.Rules, table.Options, error) {
	c := w.r.c
	if c.Rules == "" {
		return nil, table.Options{}, problem.BadField("rules", "are needed for a table: a column that no rule names is removed",
			"Have them proposed, read them, and give --rules FILE: sallyport deid propose TABLE.csv")
	}
	raw, err := os.ReadFile(c.Rules)
	if err != nil {
		return nil, table.Options{}, unreadable("rules", "", err)
	}
	rules, err := table.ReadRules(raw)
	if err != nil {
		return nil, table.Options{}, err
	}
	o, err := w.r.lawful.rows(rules, c.AsOf != "")
	if err != nil {
		return nil, o, err
	}
	if strings.EqualFold(filepath.Ext(i.name), ".tsv") {
		o.Comma = '\t'
	}
	if c.Comma != "" {
		o.Comma = c.Comma[0]
	}
	if c.Hierarchies != "" {
		o.Hierarchies, err = readHierarchies(c.Hierarchies)
	}
	return rules, o, err
}

// readHierarchies reads NAME.csv as the hierarchy NAME.
func readHierarchies(dir string) (map[string]*risk.Hierarchy, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.csv"))
	if err != nil || len(files) == 0 {
		return nil, problem.BadField("hierarchies", "holds no NAME.csv", "Give the folder of ARX hierarchies").Because(err)
	}
	out := map[string]*risk.Hierarchy{}
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			return nil, problem.BadField("hierarchies", "cannot be read", "Check the permissions").Because(err)
		}
		h, err := risk.ReadHierarchy(f)
		_ = f.Close() // it was only read
		name := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
		if err != nil {
			p := *problem.From(err)
			p.Field = "hierarchies/" + name
			return nil, &p
		}
		out[name] = h
	}
	return out, nil
}

func (w *worker) csv(i *item) (record, error) {
	rules, o, err := w.rules(i)
	if err != nil {
		return record{}, err
	}
	var m table.Manifest
	rec, err := w.through(i, func(dst io.Writer, src io.Reader) (err error) {
		m, err = table.Transform(w.r.ctx, src, dst, rules, o)
		return err
	})
	return tableRecord(rec, m), err
}

func (w *worker) parquet(i *item) (record, error) {
	rules, o, err := w.rules(i)
	if err != nil {
		return record{}, err
	}
	at, size, done, err := i.readerAt()
	if err != nil {
		return record{}, err
	}
	defer done() //nolint:errcheck // it was only read
	var m table.Manifest
	rec, err := w.through(i, func(dst io.Writer, _ io.Reader) (err error) {
		m, err = table.TransformParquet(w.r.ctx, at, size, dst, rules, o)
		return err
	})
	return tableRecord(rec, m), err
}

func tableRecord(rec record, m table.Manifest) record {
	rec.Released = map[string]int64{"row": int64(m.Released)}
	if n := m.Rows - m.Released; n > 0 {
		rec.Withheld = map[string]int64{"suppressed": int64(n)}
	}
	rec.Rules = map[string]int64{"column-dropped": int64(m.Dropped), "column-unruled": int64(m.Unruled)}
	for _, c := range m.Columns {
		for what, n := range map[string]int{"changed": c.Changed, "removed": c.Removed, "vetoed": c.Vetoed} {
			if n > 0 {
				rec.Rules[string(c.Method)+"-"+what] += int64(n)
			}
		}
		if c.Method == table.Scrub {
			rec.Scrubbed += int64(c.Kept + c.Changed)
		}
	}
	rec.Risk, rec.Reached, rec.Statement = m.Risk, m.Reached, m.Statement
	return rec
}

// maxNote is the largest text file.
const maxNote = 64 << 20

func (w *worker) text(i *item) (record, error) {
	var found map[string]int64
	rec, err := w.through(i, func(dst io.Writer, src io.Reader) error {
		doc, err := io.ReadAll(io.LimitReader(src, maxNote+1))
		if err != nil {
			return err
		}
		if len(doc) > maxNote {
			return problem.New(problem.TooLarge, "it is over 64 MiB", "Split it into notes")
		}
		found, err = w.r.lawful.note(dst, doc)
		return err
	})
	rec.Text, rec.Scrubbed, rec.Released = found, 1, map[string]int64{"note": 1}
	return rec, err
}

type deidProposeCmd struct {
	File  string `arg:"" help:"A CSV file with a header." type:"existingfile"`
	Basis string `enum:"safe-harbor,limited-data-set,expert-determination,minimum-necessary" default:"safe-harbor" help:"The legal basis: safe-harbor, limited-data-set, expert-determination, minimum-necessary."`
	AsOf  string `name:"as-of" help:"The day on which ages are judged; today by default." placeholder:"DATE"`
	Comma string `help:"What separates fields." default:","`
}

// Run prints rules for a person to read and change.
func (c *deidProposeCmd) Run(now clock) error {
	day, err := dayOf(c.AsOf, now)
	if err != nil {
		return err
	}
	if len(c.Comma) != 1 {
		return problem.BadField("comma", "is not one character", "Write , or ;")
	}
	f, err := os.Open(c.File)
	if err != nil {
		return problem.BadField("file", "cannot be read", "Check its permissions").Because(err)
	}
	defer f.Close()
	findings, err := table.Inspect(f, c.Comma[0])
	if err != nil {
		return err
	}
	raw, err := yamlOf(table.Propose(findings, table.Basis(c.Basis), table.Day{Time: day}))
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "Read this before you use it: it is a guess from names and forms, and what it keeps leaves as it is.")
	_, err = os.Stdout.Write(raw)
	return err
}

func fileDigest(file string) (string, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return "", unreadable("file", file, err)
	}
	return hexDigest(raw), nil
}

func hexDigest(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

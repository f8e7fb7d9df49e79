package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/sallyport/sallyport/deid"
	deidfhir "github.com/sallyport/sallyport/deid/fhir"
	"github.com/sallyport/sallyport/deid/text"
	"github.com/sallyport/sallyport/deid/text/score"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/sheet"
)

type deidEvaluateCmd struct {
	Labelled []string `arg:"" optional:"" help:"Labelled texts: presidio-research's JSON, openmed's suites, or a note a line with id, text, spans and, if there is one, patient."`
	NoRecord bool     `name:"no-record" help:"Do as if no patient's record were known."`
	JSON     bool     `name:"json" help:"Print JSON."`
	Sample   int      `help:"Draw so many of your own notes, and write a sheet to label." placeholder:"N"`
	From     string   `help:"Where your notes are: FHIR files and .txt." placeholder:"DIR"`
	Seed     uint64   `help:"The same seed draws the same notes." default:"1"`
	Out      string   `short:"o" help:"The sheet, or with --answers the measured recall." placeholder:"FILE"`
	Answers  string   `help:"The sheet, filled in: print how much is found at least." placeholder:"SHEET.csv"`
}

// Run measures, draws, or counts answers.
func (c *deidEvaluateCmd) Run() error {
	switch {
	case c.Answers != "":
		return c.count()
	case c.Sample > 0:
		return c.draw()
	case c.Sample < 0:
		return problem.BadField("sample", "is below zero", "Give how many notes to draw; 400 is a good number")
	case len(c.Labelled) == 0:
		return problem.BadField("labelled", "is missing", "Give labelled files, or --sample N --from DIR --out SHEET.csv")
	}
	return c.measure()
}

// figures are one row of the table.
type figures struct {
	What      string      `json:"what"`
	Masked    *score.Rate `json:"masked,omitempty"`
	Recall    score.Rate  `json:"recall"`
	Precision *score.Rate `json:"precision,omitempty"`
	F2        float64     `json:"f2,omitempty"`
}

type evaluation struct {
	File       string    `json:"file"`
	Texts      int       `json:"texts"`
	Record     bool      `json:"with_record"`
	Total      figures   `json:"total"`
	Categories []figures `json:"categories"`
	// Found is the precision of what was found, by the engine's own categories: labels
	// differ between sets, so that none of them has a precision of its own.
	Found []figures `json:"found"`
}

func (c *deidEvaluateCmd) measure() error {
	engine, err := text.New(text.Options{})
	if err != nil {
		return err
	}
	scrub := deidfhir.NewScrubber(engine, nil)
	var all []evaluation
	for _, file := range c.Labelled {
		raw, err := os.ReadFile(file)
		if err != nil {
			return unreadable("labelled", file, err)
		}
		docs, err := score.Read(raw)
		if err != nil {
			return err
		}
		if len(docs) == 0 {
			return problem.BadField("labelled", file+" holds no text", "Give a set with texts")
		}
		hasRecord := slices.ContainsFunc(docs, func(d score.Doc) bool { return len(d.Patient) > 0 })
		for _, with := range []bool{false, true} {
			if with && (!hasRecord || c.NoRecord) {
				continue
			}
			e, err := evaluate(scrub, docs, with)
			if err != nil {
				return err
			}
			e.File = filepath.Base(file)
			all = append(all, e)
		}
	}
	if c.JSON {
		return printJSON(all)
	}
	for _, e := range all {
		printEvaluation(e)
	}
	return nil
}

func evaluate(scrub deid.Scrubber, docs []score.Doc, with bool) (evaluation, error) {
	type tally struct{ right, of int }
	byCategory := map[string]*tally{}
	r, err := score.Evaluate(docs, func(d score.Doc) ([]text.Span, error) {
		var record deid.Record
		if with && len(d.Patient) > 0 {
			record = recordOf(scrub, d.Patient)
		}
		found, err := scrub.Find(nil, d.Text, record)
		if err != nil {
			return nil, err
		}
		spans := make([]text.Span, len(found))
		for i, f := range found {
			spans[i] = text.Span{Start: f.Start, End: f.End, Category: text.Category(f.Category)}
			t := byCategory[scrub.Category(f.Category)]
			if t == nil {
				t = new(tally)
				byCategory[scrub.Category(f.Category)] = t
			}
			t.of++
			if slices.ContainsFunc(d.Gold, func(g score.Gold) bool { return g.Start < f.End && f.Start < g.End }) {
				t.right++
			}
		}
		return spans, nil
	}, nil)
	if err != nil {
		return evaluation{}, err
	}
	e := evaluation{Texts: r.Docs, Record: with, Total: figures{What: "all", Masked: &r.Masked, Recall: r.Touched, Precision: &r.Precision, F2: r.F2()}}
	for _, row := range r.Rows {
		e.Categories = append(e.Categories, figures{What: row.Label, Masked: &row.Masked, Recall: row.Touched})
	}
	for name, t := range byCategory {
		rate := score.NewRate(t.right, t.of)
		e.Found = append(e.Found, figures{What: name, Precision: &rate})
	}
	slices.SortFunc(e.Found, func(a, b figures) int { return strings.Compare(a.What, b.What) })
	return e, nil
}

// recordOf is the record of the one patient of a labelled note.
func recordOf(scrub deid.Scrubber, patient []byte) deid.Record {
	k := deidfhir.NewCollector(scrub)
	if _, err := k.AddAll(patient); err != nil {
		return nil
	}
	var who struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(patient, &who) != nil {
		return nil
	}
	r, _ := k.Of(who.ID)
	return r
}

func printEvaluation(e evaluation) {
	record := "without the record"
	if e.Record {
		record = "with the patient's record"
	}
	fmt.Printf("%s: %d texts, %s. Intervals are Wilson's, 95 %%.\n", e.File, e.Texts, record)
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "LABEL\tSPANS\tMASKED WHOLE\t\tRECALL\t\tPRECISION\t\tF2")
	for _, f := range append([]figures{e.Total}, e.Categories...) {
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t", f.What, f.Recall.Of, rate(f.Masked), rate(&f.Recall))
		if f.Precision != nil {
			fmt.Fprintf(w, "%s\t%.3f", rate(f.Precision), f.F2)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w, "FOUND AS\tSPANS\t\t\t\t\tPRECISION\t")
	for _, f := range e.Found {
		fmt.Fprintf(w, "%s\t%d\t\t\t\t\t%s\n", f.What, f.Precision.Of, rate(f.Precision))
	}
	_ = w.Flush() // to standard output
	fmt.Println()
}

func rate(r *score.Rate) string { return fmt.Sprintf("%.3f\t%.3f-%.3f", r.Value(), r.Low, r.High) }

// ownNote is one text of the hospital's own.
type ownNote struct {
	name string // the file and what of it; never a value
	text []byte
}

// context is how much of a note stands around a span in the sheet, in bytes.
const contextBytes = 60

var sheetHeader = []string{"note", "start", "end", "category", "before", "span", "after", "right (y/n)", "missed: how many identifiers the engine did not find"}

// draw writes a labelling sheet.
func (c *deidEvaluateCmd) draw() error {
	if c.From == "" || c.Out == "" {
		return problem.BadField("sample", "needs --from DIR and --out SHEET.csv", "Give both")
	}
	notes, err := ownNotes(c.From)
	if err != nil {
		return err
	}
	if len(notes) == 0 {
		return problem.BadField("from", "holds no notes", "Give a folder with FHIR files that have text attachments, or with .txt")
	}
	r := rand.New(rand.NewPCG(c.Seed, 0x5a11)) // a sample, no secret
	r.Shuffle(len(notes), func(i, j int) { notes[i], notes[j] = notes[j], notes[i] })
	notes = notes[:min(c.Sample, len(notes))]
	engine, err := text.New(text.Options{})
	if err != nil {
		return err
	}
	f, err := os.OpenFile(c.Out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return problem.BadField("out", "is there already", "Name a new file: a sheet may have been filled in")
	}
	if err != nil {
		return errOutput(err)
	}
	w := csv.NewWriter(f)
	_ = w.Write(sheetHeader) // errors are kept for Flush
	for n, note := range notes {
		spans, err := engine.Find(nil, note.text, nil)
		if err != nil {
			return errors.Join(err, f.Close())
		}
		number := strconv.Itoa(n + 1)
		for _, s := range spans {
			_ = w.Write([]string{number, strconv.Itoa(s.Start), strconv.Itoa(s.End), s.Category.String(), cell(around(note.text, s.Start-contextBytes, s.Start)),
				cell(note.text[s.Start:s.End]), cell(around(note.text, s.End, s.End+contextBytes)), "", ""})
		}
		// The whole note, for the person who looks for what was missed.
		_ = w.Write([]string{number, "", "", "WHOLE NOTE", "", cell(note.text), "", "", ""})
	}
	w.Flush()
	if err := errors.Join(w.Error(), f.Sync(), f.Close()); err != nil {
		return errOutput(err)
	}
	fmt.Fprintf(os.Stderr, `Wrote %s: %d notes. It is full of patient data: it can be read by you alone; keep it so, and destroy it when it is counted.
For each span write y or n: does it identify? For each WHOLE NOTE write how many identifiers the engine did not find; 0 is an answer, blank is none.
Then: sallyport deid evaluate --answers SHEET.csv
`, c.Out, len(notes))
	return nil
}

// cell is text for a spreadsheet.
func cell(b []byte) string { return sheet.Text(strings.ToValidUTF8(string(b), "\ufffd")) }

func around(b []byte, from, to int) []byte {
	from, to = max(0, from), min(len(b), to)
	for from < to && !utf8.RuneStart(b[from]) {
		from++
	}
	for to < len(b) && to > from && !utf8.RuneStart(b[to]) {
		to--
	}
	return []byte(cell(bytes.ReplaceAll(b[from:to], []byte("\n"), []byte(" "))))
}

// ownNotes gathers the notes of a folder: text files, and text attachments in FHIR.
func ownNotes(dir string) (notes []ownNote, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		ext := strings.ToLower(filepath.Ext(path))
		if !slices.Contains([]string{".txt", ".text", ".json", ".ndjson", ".jsonl"}, ext) {
			return nil
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		switch ext {
		case ".txt", ".text":
			raw, err := io.ReadAll(io.LimitReader(f, maxNote))
			if err == nil && len(bytes.TrimSpace(raw)) > 0 {
				notes = append(notes, ownNote{path, raw})
			}
			return err
		case ".json":
			raw, err := io.ReadAll(io.LimitReader(f, maxDocument))
			if err == nil {
				notes = attachments(notes, path, raw)
			}
			return err
		}
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, maxLine)
		for n := 1; lines.Scan(); n++ {
			notes = attachments(notes, path+":"+strconv.Itoa(n), lines.Bytes())
		}
		return lines.Err()
	})
	if err != nil {
		return nil, problem.BadField("from", "cannot be read as a whole", "Check the permissions of its files").Because(err)
	}
	slices.SortFunc(notes, func(a, b ownNote) int { return strings.Compare(a.name, b.name) })
	return notes, nil
}

// attachments adds every text attachment in a JSON value: an object that has a
// contentType of text and data.
func attachments(notes []ownNote, name string, raw []byte) []ownNote {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return notes // no JSON: nothing to sample
	}
	n := 0
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, x := range v {
				walk(x)
			}
		case map[string]any:
			kind, _ := v["contentType"].(string)
			data, _ := v["data"].(string)
			if strings.HasPrefix(kind, "text/plain") && data != "" {
				if b, err := base64.StdEncoding.DecodeString(data); err == nil && utf8.Valid(b) && len(bytes.TrimSpace(b)) > 0 {
					n++
					notes = append(notes, ownNote{fmt.Sprintf("%s#%03d", name, n), b})
				}
			}
			for _, k := range sortedKeys(v) {
				walk(v[k])
			}
		}
	}
	walk(v)
	return notes
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// recall is what a sheet says: what a release under these conditions can state.
type recall struct {
	Statement  string  `json:"statement"`
	AtLeast    float64 `json:"at_least"` // one-sided 95 % lower bound of Clopper and Pearson
	Found      int     `json:"found"`
	Missed     int     `json:"missed"`
	Precision  float64 `json:"precision"`
	Notes      int     `json:"notes"`
	Sallyport  string  `json:"sallyport"`
	Conditions string  `json:"conditions"`
}

func (c *deidEvaluateCmd) count() error {
	f, err := os.Open(c.Answers)
	if err != nil {
		return unreadable("answers", "", err)
	}
	defer f.Close()
	out, err := countAnswers(f)
	if err != nil {
		return err
	}
	fmt.Println(out.Statement)
	if c.Out == "" {
		return nil
	}
	o, err := create(c.Out)
	if err != nil {
		return err
	}
	if err := writeJSON(o, out); err != nil {
		o.drop()
		return err
	}
	return o.keep()
}

// countAnswers reads a sheet. It names a row by its number and quotes nothing.
func countAnswers(src io.Reader) (*recall, error) {
	r := csv.NewReader(src)
	r.FieldsPerRecord = len(sheetHeader)
	head, err := r.Read()
	if err != nil || len(head) == 0 || strings.TrimPrefix(head[0], "\ufeff") != sheetHeader[0] || head[3] != sheetHeader[3] {
		return nil, problem.BadField("answers", "is not a sheet of ours", "Give the file that --sample wrote, as CSV with commas")
	}
	var right, wrong, missed, notes int
	for {
		row, err := r.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			line, _ := r.FieldPos(0)
			return nil, problem.BadField(fmt.Sprintf("answers, line %d", line), "is not a row of the sheet", "Save it as CSV with commas, without changing columns")
		}
		line, _ := r.FieldPos(0)
		at := fmt.Sprintf("answers, line %d", line)
		if row[3] == "WHOLE NOTE" {
			n, err := strconv.Atoi(strings.TrimSpace(row[8]))
			if err != nil || n < 0 || n > 10_000 {
				return nil, problem.BadField(at, "does not say how many identifiers were missed", "Write a number in the last column; 0 is one")
			}
			missed += n
			notes++
			continue
		}
		switch strings.ToLower(strings.TrimSpace(row[7])) {
		case "y", "yes":
			right++
		case "n", "no":
			wrong++
		default:
			return nil, problem.BadField(at, "says neither y nor n", "Answer every row")
		}
	}
	if right+missed == 0 || notes == 0 {
		return nil, problem.BadField("answers", "has no identifier in it", "Draw more notes")
	}
	low := score.LowerBound(right, right+missed)
	out := &recall{AtLeast: low, Found: right, Missed: missed, Notes: notes, Precision: score.NewRate(right, right+wrong).Value(), Sallyport: version,
		Conditions: "without the patients' records; spans of a note are taken as independent, which errs where notes are alike"}
	out.Statement = fmt.Sprintf("recall at least %s (95 %%) on %d of our notes", floor3(low), notes)
	return out, nil
}

// floor3 rounds down: a bound that is rounded up is none.
func floor3(x float64) string { return fmt.Sprintf("%.3f", float64(int(x*1000))/1000) }

func readRecall(file string) (*recall, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, unreadable("recall", "", err)
	}
	out := new(recall)
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(out); err != nil || out.Found+out.Missed <= 0 || out.Found < 0 || out.Missed < 0 || out.Notes <= 0 {
		return nil, problem.BadField("recall", "is not a measured recall", "Give what `sallyport deid evaluate --answers` wrote")
	}
	// The sentence is written anew from the counts: a file is easily changed.
	out.AtLeast = score.LowerBound(out.Found, out.Found+out.Missed)
	out.Statement = fmt.Sprintf("recall at least %s (95 %%) on %d of our notes", floor3(out.AtLeast), out.Notes)
	return out, nil
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

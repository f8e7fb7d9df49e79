package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/sheet"
	"github.com/sallyport/sallyport/snapshot"
)

type exportCmd struct {
	Noun   string `arg:"" optional:"" help:"One kind of record, to standard output."`
	Dir    string `help:"All kinds and every document, into a new folder." placeholder:"DIR" type:"path"`
	Format string `help:"csv or json." enum:"csv,json" default:"csv"`
	connection
}

// exportFormats are what the API calls them.
var exportFormats = map[string]string{"csv": "csv", "json": "portable"}

// documentsDir is where an export keeps the papers, each under its digest.
const documentsDir = "documents"

// Run exports.
func (c *exportCmd) Run(ctx context.Context) error {
	if (c.Noun == "") == (c.Dir == "") {
		return problem.BadField("noun", "name one, or a folder for all with --dir", "sallyport export vendor, or sallyport export --dir FOLDER")
	}
	if c.Dir == "" {
		plural, ok := collections[c.Noun]
		if !ok {
			return problem.BadField("noun", strconv.Quote(c.Noun)+" is no kind of record", "Use one of "+strings.Join(slices.Sorted(maps.Keys(collections)), ", "))
		}
		raw, err := c.fetch(ctx, plural)
		if err != nil {
			return err
		}
		_, err = os.Stdout.Write(raw)
		return err
	}
	if err := os.Mkdir(c.Dir, 0o700); err != nil {
		return problem.BadField("dir", c.Dir+" cannot be made, or exists", "Name a new folder").Because(err)
	}
	for _, noun := range slices.Sorted(maps.Keys(collections)) {
		raw, err := c.fetch(ctx, collections[noun])
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(c.Dir, noun+"."+c.Format), raw, 0o600); err != nil {
			return fmt.Errorf("writing %s: %w", noun, err)
		}
	}
	n, gone, err := c.documents(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("Wrote %d kinds of records and %d documents to %s\n", len(collections), n, c.Dir)
	if gone > 0 {
		fmt.Printf("%d documents cannot be read any more: their keys were destroyed\n", gone)
	}
	return nil
}

func (c *exportCmd) fetch(ctx context.Context, plural string) (raw []byte, err error) {
	err = c.call(ctx, http.MethodGet, "/v1/"+plural+"?format="+exportFormats[c.Format], nil, &raw)
	return raw, err
}

// documents writes every paper that was ever stored, as the acts name them.
func (c *exportCmd) documents(ctx context.Context) (n, gone int, err error) {
	dir := filepath.Join(c.Dir, documentsDir)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return 0, 0, fmt.Errorf("writing documents: %w", err)
	}
	type entry struct {
		Version uint64          `json:"version"`
		Kind    registry.Kind   `json:"kind"`
		Fields  json.RawMessage `json:"fields"`
	}
	seen := map[string]bool{}
	for after := uint64(0); ; {
		var page api.List[entry]
		if err := c.call(ctx, http.MethodGet, "/v1/acts?limit=1000&after="+strconv.FormatUint(after, 10), nil, &page); err != nil {
			return n, gone, err
		}
		if len(page.Items) == 0 {
			return n, gone, nil
		}
		for _, e := range page.Items {
			after = e.Version
			d, ok := stored(e.Fields)
			if !ok || seen[d.Digest] {
				continue
			}
			seen[d.Digest] = true
			var raw []byte
			switch err := c.call(ctx, http.MethodGet, "/v1/documents/"+d.Digest, nil, &raw); {
			case err != nil && keysGone(d, err):
				gone++
				continue
			case err != nil:
				return n, gone, err
			}
			if err := os.WriteFile(filepath.Join(dir, d.Digest+documentEnding(d.MediaType)), raw, 0o600); err != nil {
				return n, gone, fmt.Errorf("writing a document: %w", err)
			}
			n++
		}
	}
}

// stored is the document that an act brought along, whichever act it was: a paper, a
// vendor's evidence, what came with an attestation. Such an act says of what type it is;
// one that names a paper that is there already does not.
func stored(fields json.RawMessage) (d registry.PutDocument, ok bool) {
	var beside struct {
		Document string `json:"document_sha256"`
	}
	if json.Unmarshal(fields, &d) != nil || json.Unmarshal(fields, &beside) != nil {
		return d, false
	}
	d.Digest = cmp.Or(d.Digest, beside.Document)
	return d, d.Digest != "" && d.MediaType != ""
}

// keysGone says whether a document cannot be read because its engagement's keys were
// destroyed. Whatever else keeps it from being read ends the export: it would look whole.
func keysGone(d registry.PutDocument, err error) bool {
	return d.Engagement != "" && problem.From(err).Kind == problem.Refused
}

func documentEnding(media string) string {
	media, _, _ = strings.Cut(media, ";")
	for _, ending := range slices.Sorted(maps.Keys(mediaTypes)) {
		if mediaTypes[ending] == media {
			return ending
		}
	}
	return ".bin"
}

type importCmd struct {
	Noun   string `arg:"" optional:"" help:"The kind of record: vendor, person, training ..."`
	File   string `arg:"" optional:"" help:"A .csv or .json file; its columns are those that export writes." type:"path"`
	Dir    string `help:"All that an export wrote: documents first, then each kind." placeholder:"DIR" type:"path"`
	DryRun bool   `help:"Print what would change, and change nothing."`
	Reason string `short:"m" help:"Why, in a sentence; never patient data."`
	connection
}

// Run imports. Each file is done as a whole or not at all: every act of it is authorised
// and checked before the first is done.
func (c *importCmd) Run(ctx context.Context) error {
	if c.Reason == "" && !c.DryRun {
		return problem.BadField("reason", "is missing", "Say why with -m, or look first with --dry-run")
	}
	if c.Dir != "" && c.Noun == "" {
		return c.all(ctx)
	}
	if c.Noun == "" || c.File == "" || c.Dir != "" {
		return problem.BadField("noun", "name it and a file, or a folder with --dir", "sallyport import person people.csv, or sallyport import --dir FOLDER")
	}
	rows, err := rowsOf(snapshot.Noun(c.Noun), c.File)
	if err != nil {
		return err
	}
	_, err = c.put(ctx, snapshot.Noun(c.Noun), rows)
	return err
}

// all imports a folder. The organisation's own people are left out: they enrol
// themselves, with keys of their own.
func (c *importCmd) all(ctx context.Context) error {
	if err := c.documents(ctx); err != nil {
		return err
	}
	done := 0
	var left []string
	for _, noun := range registry.Importable {
		file := filepath.Join(c.Dir, string(noun)+".csv")
		if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
			file = strings.TrimSuffix(file, ".csv") + ".json"
		}
		rows, err := rowsOf(noun, file)
		if err != nil {
			return err
		}
		rows = slices.DeleteFunc(rows, func(r sheet.Row) bool { return noun == snapshot.NounPerson && r.Fields["vendor"] == nil })
		n, err := c.put(ctx, noun, rows)
		var p *problem.Problem
		switch {
		case errors.As(err, &p) && len(p.Reasons) > 0:
			// A decision, which the policy of acts leaves to somebody else.
			left = append(left, string(noun))
			report(err)
			continue
		case err != nil:
			return err
		}
		done += n
	}
	if len(left) > 0 {
		fmt.Printf("%d acts done. Left for another person, who runs the same command: %s\n", done, strings.Join(left, ", "))
		return errTold
	}
	fmt.Printf("%d acts done. What was approved waits for approval here: another person decides anew.\n", done)
	return nil
}

func (c *importCmd) documents(ctx context.Context) error {
	files, err := filepath.Glob(filepath.Join(c.Dir, documentsDir, "*"))
	if err != nil || c.DryRun {
		return err
	}
	for _, file := range files {
		media, ok := mediaTypes[filepath.Ext(file)]
		if !ok {
			return problem.BadField("dir", file+" is of no kind that is stored", "Take it out of the folder")
		}
		raw, err := readInput(file)
		if err != nil {
			return err
		}
		d := registry.NewDocument(media, raw)
		act := map[string]any{"sha256": d.Digest, "media_type": d.MediaType, "size": d.Size, "content": base64.StdEncoding.EncodeToString(raw)}
		if err := c.call(ctx, http.MethodPost, "/v1/documents", map[string]any{"reason": c.Reason, "act": act}, nil, api.IdempotencyHeader, "import-"+d.Digest); err != nil {
			return err
		}
	}
	return nil
}

// rowsOf reads a file of records.
func rowsOf(noun snapshot.Noun, file string) ([]sheet.Row, error) {
	known, ok := registry.Columns(noun)
	if !ok {
		var names []string
		for _, n := range registry.Importable {
			names = append(names, string(n))
		}
		return nil, problem.BadField("noun", fmt.Sprintf("%q cannot be imported", string(noun)), "Use one of "+strings.Join(names, ", "))
	}
	raw, err := readInput(file)
	if err != nil {
		return nil, err
	}
	if strings.EqualFold(filepath.Ext(file), ".json") {
		var list []map[string]json.RawMessage
		if err := json.Unmarshal(raw, &list); err != nil {
			return nil, problem.BadField("file", "is not a JSON list of records", "Write it as `sallyport export "+string(noun)+" --format json` does").Because(err)
		}
		rows := make([]sheet.Row, len(list))
		for i := range list {
			rows[i] = sheet.Row{Line: i + 1, Fields: list[i]}
		}
		return rows, nil
	}
	var columns []sheet.Column
	for _, k := range known {
		columns = append(columns, sheet.Column{Name: k.Name, Text: k.Text})
	}
	return sheet.Read(bytes.NewReader(raw), columns)
}

// put has the server bring the registry to what the rows say.
// What has ended is left out: nothing makes it run again, neither here nor elsewhere.
func (c *importCmd) put(ctx context.Context, noun snapshot.Noun, rows []sheet.Row) (int, error) {
	all := len(rows)
	rows = slices.DeleteFunc(rows, func(r sheet.Row) bool { return r.Ended })
	if n := all - len(rows); n > 0 {
		fmt.Printf("%s: %s left out, which ended for good\n", noun, numbered(n, "row"))
	}
	if len(rows) == 0 {
		return 0, nil
	}
	in := api.ApplyRequest{Reason: c.Reason, DryRun: c.DryRun}
	for _, r := range rows {
		fields, err := r.Object()
		if err != nil {
			return 0, fmt.Errorf("writing a row: %w", err)
		}
		in.Documents = append(in.Documents, api.Document{Record: string(noun), Fields: fields})
	}
	var out api.Applied
	if err := c.call(ctx, http.MethodPost, "/v1/apply", in, &out); err != nil {
		return 0, located(err, rows)
	}
	if c.Dir != "" {
		fmt.Print(string(noun), ": ")
		if len(out.Done) > 0 {
			fmt.Println()
		}
	}
	fmt.Print(out.Text)
	return len(out.Done), nil
}

// located puts the line and the column of a file where the server has named a document:
// "documents[3].ends_at", "[3].ends_at".
func located(err error, rows []sheet.Row) error {
	var p *problem.Problem
	if !errors.As(err, &p) {
		return err
	}
	rest, ok := strings.CutPrefix(strings.TrimPrefix(p.Field, "documents"), "[")
	if !ok {
		return err
	}
	number, field, ok := strings.Cut(rest, "]")
	i, convErr := strconv.Atoi(number)
	if !ok || convErr != nil || i < 0 || i >= len(rows) {
		return err
	}
	q := *p
	q.Field = rows[i].At(strings.TrimPrefix(field, "."))
	return &q
}

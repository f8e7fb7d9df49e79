package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kong"
	"github.com/sallyport/sallyport/internal/yamldoc"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
)

// nounCommands makes `sallyport NOUN VERB` for every act of the table, and list
// and get beside them. kong reads commands from struct fields, so a struct is
// made for each noun.
func nounCommands() []kong.Option {
	byNoun := map[string][]registry.Spec{}
	for _, spec := range registry.Acts {
		if !spec.Routed() {
			continue // custody.go: ids come from a file, never as arguments
		}
		byNoun[spec.Noun] = append(byNoun[spec.Noun], spec)
	}
	var out []kong.Option
	for _, noun := range slices.Sorted(maps.Keys(byNoun)) {
		var fields []reflect.StructField
		var values []any
		add := func(name, help string, v any) {
			fields = append(fields, reflect.StructField{
				Name: "C" + strconv.Itoa(len(fields)), Type: reflect.TypeOf(v),
				Tag: reflect.StructTag(fmt.Sprintf(`cmd:"" name:%q help:%q`, name, help)),
			})
			values = append(values, v)
		}
		for _, spec := range byNoun[noun] {
			if !hiddenActs[spec.Name] && !slices.ContainsFunc(extraCommands[noun], func(e extraCommand) bool { return e.name == spec.Verb }) {
				add(spec.Verb, spec.Summary+".", actCmd{Kind: spec.Name})
			}
		}
		for _, e := range extraCommands[noun] {
			add(e.name, e.help, e.command)
		}
		if plural, ok := collections[noun]; ok {
			if !slices.ContainsFunc(extraCommands[noun], func(e extraCommand) bool { return e.name == "list" }) {
				add("list", "List "+plural+".", listCmd{Plural: plural})
			}
			add("get", "Show one.", getCmd{Plural: plural})
		}
		cmd := reflect.New(reflect.StructOf(fields))
		for i, v := range values {
			cmd.Elem().Field(i).Set(reflect.ValueOf(v))
		}
		out = append(out, kong.DynamicCommand(noun, nounHelp(noun, byNoun[noun]), "acts", cmd.Interface()))
	}
	return out
}

// collections are the API's lists, by noun.
var collections = map[string]string{
	"vendor": "vendors", "assessment": "assessments", "certification": "certifications", "agreement": "agreements",
	"engagement": "engagements", "determination": "determinations", "person": "persons", "training": "trainings", "device": "devices", "app": "apps",
	"role": "roles", "grant": "grants", "review": "reviews", "hold": "holds", "connector": "connectors", "session": "sessions", "posture": "postures", "workload": "attestations", "key": "keys",
	"questionnaire": "questionnaires", "link": "links", "finding": "findings", "course": "courses", "attempt": "attempts", "request": "requests", "campaign": "campaigns", "emergency": "emergencies", "incident": "incidents", "offboarding": "offboardings",
}

func nounHelp(noun string, specs []registry.Spec) string {
	var verbs []string
	for _, s := range specs {
		if !hiddenActs[s.Name] {
			verbs = append(verbs, s.Verb)
		}
	}
	for _, e := range extraCommands[noun] {
		if !slices.Contains(verbs, e.name) {
			verbs = append(verbs, e.name)
		}
	}
	if _, ok := collections[noun]; ok {
		if !slices.Contains(verbs, "list") {
			verbs = append(verbs, "list")
		}
		verbs = append(verbs, "get")
	}
	return strings.Join(verbs, ", ") + "."
}

// actCmd does one act.
type actCmd struct {
	Kind   registry.Kind `kong:"-"`
	Fields []string      `arg:"" optional:"" help:"The id (document put: the file), then field=value. Lists are [a, b]; times may be now, 90d or 2026-12-31; @FILE reads a file."`
	File   string        `short:"f" help:"Read the fields from a YAML file; - is standard input." placeholder:"FILE"`
	Reason string        `short:"m" help:"Why, in a sentence; never patient data." required:""`
	Key    string        `name:"idempotency-key" help:"Makes a repetition harmless." placeholder:"KEY"`
	JSON   bool          `name:"json" help:"Print JSON."`
	connection
}

// Help lists the act's fields.
func (c *actCmd) Help() string {
	spec, ok := registry.Lookup(c.Kind)
	if !ok {
		return ""
	}
	var b strings.Builder
	b.WriteString("Fields:\n\n")
	for _, f := range fieldsOf(reflect.TypeOf(spec.New()).Elem()) {
		fmt.Fprintf(&b, "    %-28s %s\n", f.name, f.shape)
	}
	return b.String()
}

// Run posts the act.
func (c *actCmd) Run(ctx context.Context) error {
	spec, ok := registry.Lookup(c.Kind)
	if !ok {
		return problem.New(problem.Invalid, "There is no such act", "List them: sallyport acts")
	}
	fields, err := c.fields(spec)
	if err != nil {
		return err
	}
	var made onceTold
	switch c.Kind {
	case inviteKind:
		made, err = c.newInvitation(ctx, fields)
	case "questionnaire.send", "link.issue":
		made, err = c.newLink(ctx, c.Kind, fields)
	case "agreement.amend":
		for _, name := range []string{"approve", "signatures"} {
			delete(fields, name) // of an apply file: those of before fall away
		}
	}
	if err != nil {
		return err
	}
	raw, err := json.Marshal(fields)
	if err != nil {
		return fmt.Errorf("writing the act: %w", err)
	}
	path := spec.Path
	if strings.Contains(path, "{id}") {
		subject, _ := fields["id"].(string)
		if subject == "" {
			return problem.BadField("id", "is missing", "Name it first: sallyport "+spec.Noun+" "+spec.Verb+" ID")
		}
		path = strings.ReplaceAll(path, "{id}", url.PathEscape(subject))
	}
	var header []string
	if c.Key != "" {
		header = []string{api.IdempotencyHeader, c.Key}
	}
	var done api.ActResult
	if err := c.call(ctx, http.MethodPost, path, api.ActBody{Reason: c.Reason, Act: raw}, &done, header...); err != nil {
		return err
	}
	if made != nil {
		made.tell()
		return nil
	}
	if c.JSON {
		return printJSON(done)
	}
	fmt.Printf("%s %s: done, entry %d of log %s, registry version %d\n", done.Kind, done.Subject.ID, done.LogIndex, done.Log, done.Version)
	return nil
}

// fields are those of the file, overlaid by those of the command line.
func (c *actCmd) fields(spec *registry.Spec) (map[string]any, error) {
	out := map[string]any{}
	if c.File != "" {
		raw, err := readInput(c.File)
		if err != nil {
			return nil, err
		}
		if err := yamldoc.Loose(raw).First(&out); err != nil {
			return nil, problem.BadField("file", yamldoc.Explain(err), "Mend the line that is marked").Because(err)
		}
		if out["record"] == spec.Noun {
			delete(out, "record") // a document of an apply file, the first
		}
	}
	shapes := map[string]field{}
	for _, f := range fieldsOf(reflect.TypeOf(spec.New()).Elem()) {
		shapes[f.name] = f
	}
	args := c.Fields
	if c.Kind == putDocument && len(args) > 0 && !strings.Contains(args[0], "=") {
		if err := documentFields(out, args[0]); err != nil {
			return nil, err
		}
		args = args[1:]
	}
	for i, arg := range args {
		name, text, found := strings.Cut(arg, "=")
		if !found {
			if i != 0 {
				return nil, problem.BadField(arg, "is not field=value", "Only the id comes first, alone")
			}
			name, text = "id", arg
		}
		f, ok := shapes[name]
		if !ok {
			return nil, problem.BadField(name, "is not a field of "+string(spec.Name), "See the fields: sallyport "+spec.Noun+" "+spec.Verb+" --help")
		}
		v, err := f.parse(text, c.now())
		if err != nil {
			return nil, err
		}
		out[name] = v
	}
	for name, v := range out {
		f, ok := shapes[name]
		if !ok {
			continue // the server says that it is not known
		}
		var err error
		if out[name], err = timesIn(name, v, f.typ, c.now()); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// timesIn writes the times in a value as RFC 3339, as deep as they stand: "60d" in a
// list of conditions is what it is beside a field's name.
func timesIn(name string, v any, typ reflect.Type, now time.Time) (any, error) {
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	var err error
	switch v := v.(type) {
	case string:
		if typ == reflect.TypeFor[time.Time]() {
			return parseTime(name, v, now)
		}
	case []any:
		if typ.Kind() != reflect.Slice {
			return v, nil
		}
		for i := range v {
			if v[i], err = timesIn(name+"."+strconv.Itoa(i), v[i], typ.Elem(), now); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		of := func(string) (reflect.Type, bool) { return nil, false }
		switch typ.Kind() {
		case reflect.Map:
			of = func(string) (reflect.Type, bool) { return typ.Elem(), true }
		case reflect.Struct:
			of = func(key string) (reflect.Type, bool) {
				for _, f := range fieldsOf(typ) {
					if f.name == key {
						return f.typ, true
					}
				}
				return nil, false
			}
		}
		for key := range v {
			if t, ok := of(key); ok {
				if v[key], err = timesIn(name+"."+key, v[key], t, now); err != nil {
					return nil, err
				}
			}
		}
	}
	return v, nil
}

// mediaTypes are what files are by their endings. The server looks at the content.
var mediaTypes = map[string]string{
	".pdf": "application/pdf", ".txt": "text/plain", ".md": "text/markdown", ".csv": "text/csv", ".json": "application/json", ".xml": "application/xml",
	".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".p7s": "application/pkcs7-signature",
	".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}

const putDocument registry.Kind = "document.put"

// documentFields fills in what a file says about itself.
func documentFields(out map[string]any, file string) error {
	raw, err := readInput(file)
	if err != nil {
		return err
	}
	media, ok := mediaTypes[strings.ToLower(filepath.Ext(file))]
	if !ok {
		return problem.BadField("file", file+" has an ending that says no kind of paper", "Give a .pdf, .docx, .xlsx, .txt, .md, .csv, .json, .xml, .png, .jpg or .p7s")
	}
	doc := registry.NewDocument(media, raw)
	out["sha256"], out["media_type"], out["size"] = doc.Digest, doc.MediaType, doc.Size
	out["content"] = base64.StdEncoding.EncodeToString(raw)
	return nil
}

func readInput(file string) ([]byte, error) {
	if file == "-" {
		file = "/dev/stdin"
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, unreadable("file", file, err)
	}
	return raw, nil
}

// field is one field of an act, on the command line.
type field struct {
	name  string
	shape string
	typ   reflect.Type
}

func fieldsOf(t reflect.Type) []field {
	var out []field
	for i := range t.NumField() {
		f := t.Field(i)
		name, opts, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct {
			out = append(out, fieldsOf(f.Type)...) // as JSON has them: beside the others
			continue
		}
		if name == "" || name == "-" {
			continue
		}
		shape := shapeOf(f.Type)
		if strings.Contains(opts, "omit") {
			shape += ", optional"
		}
		out = append(out, field{name, shape, f.Type})
	}
	return out
}

func shapeOf(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return "time: now, 90d, 2026-12-31 or RFC 3339"
	case t == reflect.TypeFor[json.RawMessage]():
		return "JSON, or @FILE"
	case t == reflect.TypeFor[[]byte]():
		return "@FILE"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return shapeOf(t.Elem())
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "list of " + shapeOf(t.Elem())
	case reflect.Map, reflect.Struct:
		return "YAML, such as {a: b}; easier in a file (-f)"
	default:
		return "number"
	}
}

func (f field) parse(text string, now time.Time) (any, error) {
	if file, ok := strings.CutPrefix(text, "@"); ok {
		raw, err := readInput(file)
		if err != nil {
			return nil, err
		}
		if f.typ == reflect.TypeFor[[]byte]() {
			return base64.StdEncoding.EncodeToString(raw), nil
		}
		text = strings.TrimSpace(string(raw))
	}
	switch {
	case f.typ == reflect.TypeFor[time.Time]():
		return parseTime(f.name, text, now)
	case f.typ.Kind() == reflect.String:
		return text, nil
	}
	if f.typ.Kind() == reflect.Slice && !strings.HasPrefix(text, "[") && f.typ.Elem().Kind() == reflect.String {
		return strings.Split(text, ","), nil
	}
	var v any
	if err := yamldoc.Loose([]byte(text)).First(&v); err != nil {
		return nil, problem.BadField(f.name, "cannot be read", "Write "+f.shape).Because(err)
	}
	return v, nil
}

// parseTime reads now, a number of days or a duration from now, a date (UTC) or
// RFC 3339.
func parseTime(name, text string, now time.Time) (string, error) {
	if text == "now" {
		return now.UTC().Format(time.RFC3339Nano), nil
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil {
			return now.UTC().AddDate(0, 0, n).Format(time.RFC3339Nano), nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil {
		return now.Add(d).UTC().Format(time.RFC3339Nano), nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC().Format(time.RFC3339Nano), nil
		}
	}
	return "", problem.BadField(name, "is not a time", "Write now, 90d, 12h, 2026-12-31 or 2026-12-31T09:00:00Z")
}

type listCmd struct {
	Plural string `kong:"-"`
	JSON   bool   `name:"json" help:"Print JSON."`
	connection
}

// Run lists.
func (c *listCmd) Run(ctx context.Context) error {
	var page api.List[map[string]any]
	if err := c.call(ctx, http.MethodGet, "/v1/"+c.Plural, nil, &page); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(page.Items)
	}
	if len(page.Items) == 0 {
		fmt.Println("There are no " + c.Plural + " yet.")
		return nil
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	columns := []string{"id"}
	for _, name := range []string{"state", "stage", "kind", "type", "on", "cause", "vendor", "person", "engagement", "grant", "course", "verdict", "profile", "expert", "name", "title", "due_at", "valid_until", "ends_at", "method", "client", "started_at", "ended_at", "opened_at", "placed_at", "lifted_at", "closed_at", "completed_at", "expires_at", "outcome"} {
		for _, item := range page.Items {
			if _, ok := item[name]; ok {
				columns = append(columns, name)
				break
			}
		}
	}
	fmt.Fprintln(w, strings.ToUpper(strings.Join(columns, "\t")))
	for _, item := range page.Items {
		cells := make([]string, len(columns))
		for i, name := range columns {
			switch v := item[name].(type) {
			case nil:
			case map[string]any: // a subject
				cells[i] = fmt.Sprint(v["noun"], " ", v["id"])
			default:
				cells[i] = fmt.Sprint(v)
			}
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	return w.Flush()
}

type getCmd struct {
	Plural string `kong:"-"`
	ID     string `arg:"" help:"Which."`
	connection
}

// Run shows one record as JSON.
func (c *getCmd) Run(ctx context.Context) error {
	var record any
	if err := c.call(ctx, http.MethodGet, "/v1/"+c.Plural+"/"+url.PathEscape(c.ID), nil, &record); err != nil {
		var p *problem.Problem
		if errors.As(err, &p) && p.NextStep == "List them: GET /v1/"+c.Plural {
			for noun, plural := range collections {
				if plural == c.Plural {
					q := *p
					q.NextStep = "List them: sallyport " + noun + " list"
					return &q
				}
			}
		}
		return err
	}
	return printJSON(record)
}

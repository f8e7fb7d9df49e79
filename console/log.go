package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/audit/verify"
	"github.com/sallyport/sallyport/console/draw"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

func logScreens() []screen {
	proof := on("log-proof", "Check a proof", "POST /console/log/verify", ours, (*server).logVerify)
	proof.Max = maxProof
	return []screen{
		on("log", "Log and proofs", "GET /console/log", ours, (*server).logPage),
		on("log-entry", "Entry", "GET /console/log/{index}", ours, (*server).logEntry),
		on("log-proof", "Check a proof", "GET /console/log/verify", ours, (*server).logVerifyForm),
		proof,
		fileOn("GET /console/log/{index}/proof", ours, (*server).logProof),
		fileOn("GET /console/log/checkpoint", ours, func(s *server, v *visit) error { return s.pass(v, "/v1/log/checkpoint", "checkpoint.txt") }),
		fileOn("GET /console/log/key", ours, func(s *server, v *visit) error { return s.pass(v, "/v1/log/key", "log.pub") }),
	}
}

const (
	// maxProof is more than a proof can have, which verify.Proof bounds at 1 MiB.
	maxProof = 2 << 20
	// logLook is how many entries a page of one kind looks through.
	logLook = 4096
)

// logView is the log's page.
type logView struct {
	Origin     string
	Size       uint64
	Failed     bool
	Checkpoint string
	Covered    string // the size that the checkpoint signs
	Key        string
	Growth     template.HTML
	Days       []grownDay
	Ready      bool
	Average    uint64
	GrowthCSV  string
	Kinds      []option
	Kind       string
	Rows       []logRow
	Newer      string
	Older      string
	Looked     string
	Live       bool
}

// logRow is one entry in the list.
type logRow struct {
	Index uint64
	Time  time.Time
	Kind  mark
	Says  string
	Links []ref
}

var logKinds = []audit.Kind{audit.KindIntent, audit.KindOutcome, audit.KindRefusal, audit.KindAct, audit.KindPatients, audit.KindRecovery}

var logKindSays = map[audit.Kind]mark{audit.KindIntent: {"Permitted", "good"}, audit.KindOutcome: {"Outcome", "good"}, audit.KindRefusal: {"Refused", "bad"}, audit.KindAct: {"Act", "off"},
	audit.KindPatients: {"Patients", "off"}, audit.KindRecovery: {"Recovery", "warn"}}

func (s *server) logPage(v *visit) (logView, error) {
	p := logView{Origin: s.Log.Origin(), Size: s.Log.Size(), Failed: s.Log.Err() != nil, Checkpoint: string(s.Log.Checkpoint())}
	if lines := strings.Split(p.Checkpoint, "\n"); len(lines) > 1 {
		if n, err := strconv.ParseUint(lines[1], 10, 63); err == nil {
			p.Covered = number(n)
		}
	}
	key, err := s.logKey(v)
	if err != nil {
		return p, err
	}
	p.Key = key
	p.Days, p.Ready = s.growth.Days(v.Now, p.Size, 30)
	p.GrowthCSV = with(v.URL, "format", "csv", "before", "")
	if v.URL.Query().Get("format") == "csv" {
		days, _ := s.growth.Days(v.Now, p.Size, growthDays)
		rows := [][]string{}
		for _, d := range days {
			rows = append(rows, []string{d.Day.Format(time.DateOnly), fmt.Sprint(d.Added), fmt.Sprint(d.Size)})
		}
		return p, tableCSV(v, "log-growth", []string{"day", "entries_added", "entries_at_its_end"}, rows)
	}
	var bars []draw.Bar
	var sum uint64
	for _, d := range p.Days {
		sum += d.Added
		bars = append(bars, draw.Bar{Label: d.Day.Format("2 Jan"), Tip: d.Day.Format("2 Jan 2006") + ": " + number(d.Added) + " entries", Parts: []draw.Part{{N: d.Added, Class: "door"}}})
	}
	if len(p.Days) > 0 {
		p.Average = sum / uint64(len(p.Days))
	}
	p.Growth = draw.Bars("log-growth", "How the log grew", fmt.Sprintf("Entries added on each of the last %s: %s in all.", plural(len(p.Days), "day"), number(sum)), 450, 170, bars)
	return p, p.list(s, v)
}

// list reads a page of entries, the newest first.
func (p *logView) list(s *server, v *visit) error {
	q := v.URL.Query()
	p.Kind = q.Get("kind")
	for _, k := range logKinds {
		p.Kinds = append(p.Kinds, option{string(k), logKindSays[k].Word, p.Kind == string(k)})
	}
	before, err := strconv.ParseUint(q.Get("before"), 10, 63)
	p.Live = err != nil || before == 0
	if p.Live || before > p.Size {
		before = p.Size
	} else {
		p.Newer = with(v.URL, "before", "")
	}
	lowest, at := before-min(before, logLook), before
	for at > lowest && len(p.Rows) < perPage {
		// Bundles of entries hold 256: reading half of one costs what reading one entry does.
		from := max(lowest, (at-1)/256*256)
		var some []audit.Entry
		if err := s.Log.Scan(v.Context(), from, at, func(_ uint64, e audit.Entry) error {
			some = append(some, e)
			return nil
		}); err != nil {
			return err
		}
		for i := len(some) - 1; i >= 0 && len(p.Rows) < perPage; i-- {
			at = some[i].Index
			if p.Kind == "" || string(some[i].Kind) == p.Kind {
				p.Rows = append(p.Rows, logRowOf(v.View, &some[i]))
			}
		}
	}
	if at > 0 {
		p.Older = with(v.URL, "before", strconv.FormatUint(at, 10))
		if len(p.Rows) == 0 {
			p.Looked = number(at)
		}
	}
	return nil
}

func logRowOf(view *snapshot.View, e *audit.Entry) logRow {
	r := logRow{Index: e.Index, Time: e.Time, Kind: logKindSays[e.Kind]}
	link := func(x any) { r.Links = append(r.Links, refIn(view, x)) }
	asked := func(in *audit.Intent) {
		r.Says = askedFor(in.Action, in.Resource)
		if in.Vendor != "" {
			link(in.Vendor)
		}
	}
	switch {
	case e.Intent != nil:
		asked(e.Intent)
	case e.Refusal != nil:
		asked(&e.Refusal.Intent)
		var gates []string
		for _, f := range e.Refusal.Failing {
			if !slices.Contains(gates, f.Gate) {
				gates = append(gates, f.Gate)
			}
		}
		r.Says += ", refused by " + strings.ReplaceAll(strings.Join(gates, ", "), "_", " ")
	case e.Outcome != nil:
		r.Kind = stateOf(string(e.Outcome.Result))
		r.Says = humanBytes(e.Outcome.Bytes) + ", " + plural(int(min(e.Outcome.PatientCount, 1<<31)), "patient")
		r.Links = append(r.Links, ref{Label: "its story", Href: "/console/releases/" + string(e.Outcome.Release)})
	case e.Patients != nil:
		r.Says = plural(len(e.Patients.Patients), "pseudonym") + " that did not fit into the outcome that follows"
	case e.Act != nil:
		r.Says = e.Act.Kind
		if spec, ok := registry.Lookup(registry.Kind(e.Act.Kind)); ok {
			r.Says = spec.Summary
		}
		link(e.Act.Actor)
		if e.Act.Subject != "" {
			x := refIn(view, snapshot.Subject{Noun: snapshot.Noun(e.Act.Subject), ID: e.Act.ID})
			if x.Href == "" {
				if x.Help == "" { // an id
					x.Label = short(x.Label)
				}
				x.Label = words(e.Act.Subject) + " " + x.Label
			}
			r.Links = append(r.Links, x)
		}
	case e.Recovery != nil:
		r.Says = fmt.Sprintf("opened after a crash: %s durable entries taken up, %s of an unfinished write cut off", number(e.Recovery.Replayed), humanBytes(e.Recovery.Cut))
	}
	if d := e.Decision(); d != "" && e.Outcome == nil {
		r.Links = append(r.Links, ref{Label: "decision", Href: decisionPath(d)})
	}
	r.Says = strings.TrimPrefix(r.Says, ", ")
	return r
}

// logKey is the log's public key, in its text form.
func (s *server) logKey(v *visit) (string, error) {
	a, err := s.call(v, "GET", "/v1/log/key", nil)
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(a.Body.String()), nil
}

// logEntryView is an entry's page.
type logEntryView struct {
	Index    uint64
	Time     time.Time
	Kind     mark
	Says     string
	Links    []ref
	Fields   []logField
	Raw      string
	Previous string
	Next     string
	Covered  bool // a checkpoint covers it
}

// logField is a field of an entry, as the log has it.
type logField struct {
	Name  string
	Text  string
	Href  string
	List  []logField
	Says  string
	Inner bool // a list of names and values
}

func (s *server) logEntry(v *visit) (logEntryView, error) {
	index, err := strconv.ParseUint(v.PathValue("index"), 10, 63)
	if err != nil {
		return logEntryView{}, notFound()
	}
	e, err := s.Log.Entry(v.Context(), index)
	var raw []byte
	if err == nil {
		raw, err = s.Log.Bytes(v.Context(), index)
	}
	if errors.Is(err, audit.ErrNotFound) {
		return logEntryView{}, problem.New(problem.NotFound, "The log has no entry "+v.PathValue("index"), fmt.Sprintf("It has %s, from 0 on", plural(int(s.Log.Size()), "entry")))
	}
	if err != nil {
		return logEntryView{}, err
	}
	row := logRowOf(v.View, &e)
	p := logEntryView{Index: index, Time: e.Time, Kind: row.Kind, Says: row.Says, Links: row.Links}
	if p.Fields, p.Raw, err = entryFields(v.View, raw); err != nil {
		return p, err
	}
	if index > 0 {
		p.Previous = fmt.Sprintf("/console/log/%d", index-1)
	}
	if index+1 < s.Log.Size() {
		p.Next = fmt.Sprintf("/console/log/%d", index+1)
	}
	v.under("Log and proofs", "/console/log")
	v.call("Entry " + number(index))
	return p, nil
}

// lists of pseudonyms are counted here: they name nobody to a reader, and to who holds
// the key they do.
var notShown = map[string]bool{"patients": true}

// entryFields are the fields of an entry in their order, and its text as a page may show it.
func entryFields(view *snapshot.View, raw []byte) ([]logField, string, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if _, err := d.Token(); err != nil {
		return nil, "", fmt.Errorf("reading an entry: %w", err)
	}
	var out []logField
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, "", fmt.Errorf("reading an entry: %w", err)
		}
		var value any
		var field json.RawMessage
		if err := d.Decode(&field); err != nil {
			return nil, "", fmt.Errorf("reading an entry: %w", err)
		}
		in := json.NewDecoder(bytes.NewReader(field))
		in.UseNumber()
		if err := in.Decode(&value); err != nil {
			return nil, "", fmt.Errorf("reading an entry: %w", err)
		}
		f := fieldOf(view, fmt.Sprint(name), value)
		out = append(out, f)
		if notShown[f.Name] {
			raw = bytes.Replace(raw, field, []byte(`"`+f.Text+`"`), 1)
		}
	}
	return out, string(raw), nil
}

func fieldOf(view *snapshot.View, name string, value any) logField {
	f := logField{Name: name}
	switch x := value.(type) {
	case []any:
		if notShown[name] {
			f.Text = plural(len(x), "keyed pseudonym") + ", not shown here"
			return f
		}
		for _, y := range x {
			f.List = append(f.List, fieldOf(view, name, y))
		}
	case map[string]any:
		f.Inner = true
		for _, key := range slices.Sorted(func(yield func(string) bool) {
			for k := range x {
				if !yield(k) {
					return
				}
			}
		}) {
			f.List = append(f.List, logField{Name: key, Text: fmt.Sprint(x[key])})
		}
	default:
		f.Text = fmt.Sprint(x)
		f.Href = fieldLink(view, name, f.Text)
	}
	return f
}

// fieldLink is where the record that a field names is shown.
func fieldLink(view *snapshot.View, name, text string) string {
	var key any
	switch name {
	case "decision":
		key = id.Decision(text)
	case "act":
		key = id.Act(text)
	case "vendor":
		key = id.Vendor(text)
	case "engagement":
		key = id.Engagement(text)
	case "app":
		key = id.App(text)
	case "device":
		key = id.Device(text)
	case "person", "actor", "approver":
		key = id.Person(text)
	case "grant":
		key = id.Grant(text)
	case "role":
		key = id.Role(text)
	case "source":
		key = id.Source(text)
	case "ticket", "snapshot_index":
		return "/console/log/" + url.PathEscape(text)
	case "release", "derives_from":
		return "/console/releases/" + url.PathEscape(text)
	default:
		return ""
	}
	return refIn(view, key).Href
}

// logProof hands on a proof that an entry is in the log.
func (s *server) logProof(v *visit) error {
	index := v.PathValue("index")
	if _, err := strconv.ParseUint(index, 10, 63); err != nil {
		return notFound()
	}
	return s.pass(v, "/v1/log/proofs/"+index, "proof-"+index+".txt")
}

// proofView is a proof that was looked at.
type proofView struct {
	Origin string
	Asked  bool
	Wrong  string // why it does not verify
	Index  uint64
	Size   uint64
	Fields []logField
	Here   bool // this node's log has the same entry
}

func (s *server) logVerifyForm(v *visit) (proofView, error) {
	v.under("Log and proofs", "/console/log")
	return proofView{Origin: s.Log.Origin()}, nil
}

// logVerify checks a proof file against the log's public key. It changes nothing.
func (s *server) logVerify(v *visit) (proofView, error) {
	v.under("Log and proofs", "/console/log")
	p := proofView{Origin: s.Log.Origin(), Asked: true}
	raw, err := proofSent(v)
	if err != nil {
		return p, err
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		p.Wrong = "There is no proof in what was sent. Choose a file, or paste its text."
		return p, nil
	}
	key, err := s.logKey(v)
	if err != nil {
		return p, err
	}
	verifier, err := note.NewVerifier(key)
	if err != nil {
		return p, fmt.Errorf("reading the log's key: %w", err)
	}
	proved, err := verify.Proof(raw, verifier)
	if err != nil {
		p.Wrong = sentence(upperWord(strings.TrimPrefix(err.Error(), "proof: ")))
		return p, nil
	}
	p.Index, p.Size = proved.Index, proved.Size
	if p.Fields, _, err = entryFields(v.View, proved.Entry); err != nil {
		return p, err
	}
	if have, err := s.Log.Bytes(v.Context(), proved.Index); err == nil {
		p.Here = bytes.Equal(have, proved.Entry)
	} else if ctx := context.Cause(v.Context()); ctx != nil {
		return p, ctx
	}
	return p, nil
}

// proofSent is the file or the text that was posted.
func proofSent(v *visit) ([]byte, error) {
	tooLarge := problem.New(problem.TooLarge, "The file is larger than a proof can be", "Choose the file that was downloaded as a proof")
	if err := v.ParseMultipartForm(maxProof); err != nil {
		return nil, tooLarge.Because(err)
	}
	if f, _, err := v.FormFile("proof"); err == nil {
		defer f.Close()
		raw, err := io.ReadAll(io.LimitReader(f, maxProof))
		if err != nil {
			return nil, tooLarge.Because(err)
		}
		if len(raw) > 0 {
			return raw, nil
		}
	}
	// A browser ends the lines of a text with CR LF, which a proof does not have.
	return []byte(strings.ReplaceAll(v.PostFormValue("text"), "\r\n", "\n")), nil
}

func upperWord(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

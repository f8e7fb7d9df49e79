package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/sallyport/sallyport/deid"
	"github.com/sallyport/sallyport/deid/table/risk"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/problem"
)

// manifest says what was done to files: counts and digests, no value of any, and
// of their names only those that the outputs have.
type manifest struct {
	basics
	Complete bool           `json:"complete"` // every file that was recognised came out
	Files    []record       `json:"files"`
	Failed   []failure      `json:"failed,omitempty"`
	LeftOut  map[string]int `json:"left_out,omitempty"` // files, by reason
	Totals   totals         `json:"totals"`
	Recall   *recall        `json:"recall,omitempty"`
	Say      []string       `json:"say"`         // what must be said of the output
	ToDo     []string       `json:"still_to_do"` // what only people can
}

// basics are what two runs must have in common for one to go on with the other.
type basics struct {
	Sallyport     string          `json:"sallyport"`
	Profile       string          `json:"profile"`
	Version       int             `json:"profile_version"`
	Basis         deid.Basis      `json:"basis"`
	DataClass     hipaa.DataClass `json:"data_class"`
	ProfileSHA256 string          `json:"profile_sha256"`
	RulesSHA256   string          `json:"rules_sha256,omitempty"`
	MasksSHA256   string          `json:"masks_sha256,omitempty"`
	AsOf          string          `json:"as_of"`
	Codes         string          `json:"codes"`
	Engagement    string          `json:"engagement,omitempty"`
	KeyCheck      string          `json:"key_check,omitempty"`
	Expert        string          `json:"expert,omitempty"`
	Recipient     string          `json:"recipient,omitempty"`
	ValidUntil    string          `json:"valid_until,omitempty"`
}

// record is what was done to one file.
type record struct {
	Number       int              `json:"number"`
	Format       string           `json:"format"`
	Input        string           `json:"input,omitempty"` // its name, with --keep-names
	Output       string           `json:"output,omitempty"`
	InputSHA256  string           `json:"input_sha256"`
	InputBytes   int64            `json:"input_bytes"`
	OutputSHA256 string           `json:"output_sha256"`
	OutputBytes  int64            `json:"output_bytes"`
	Released     map[string]int64 `json:"released,omitempty"` // resources, messages, rows, by type
	Withheld     map[string]int64 `json:"withheld,omitempty"` // the same, by reason
	Rules        map[string]int64 `json:"rules,omitempty"`    // what was removed or changed, by rule
	Text         map[string]int64 `json:"text,omitempty"`     // what was found in text, by category
	Scrubbed     int64            `json:"scrubbed_text,omitempty"`
	Risk         *risk.Report     `json:"risk,omitempty"`
	Reached      *risk.Outcome    `json:"reached,omitempty"`
	Statement    string           `json:"statement,omitempty"`
	firstBad     string           // for the terminal
}

type failure struct {
	Number int    `json:"number"`
	Format string `json:"format"`
	Why    string `json:"why"`
}

type totals struct {
	Files    int              `json:"files"`
	BytesIn  int64            `json:"bytes_in"`
	BytesOut int64            `json:"bytes_out"`
	Released map[string]int64 `json:"released"`
	Withheld map[string]int64 `json:"withheld"`
	Rules    map[string]int64 `json:"rules"`
	Text     map[string]int64 `json:"text"`
	Scrubbed int64            `json:"scrubbed_text"`
}

func newBasics(l *lawful, c *deidRunCmd) (basics, error) {
	p := l.profile
	b := basics{Sallyport: version, Profile: p.Name(), Version: p.Version(), Basis: p.Basis(), DataClass: p.DataClass(), ProfileSHA256: l.digest(),
		AsOf: l.asOf.Format(time.DateOnly), Codes: l.secrets.kind, Engagement: c.Engagement, KeyCheck: l.secrets.check}
	if d, ok := p.Determination(); ok {
		b.Expert, b.Recipient, b.ValidUntil = d.Expert, d.Recipient, d.ValidUntil.Format(time.DateOnly)
	}
	for _, f := range []struct {
		file string
		into *string
	}{{c.Rules, &b.RulesSHA256}, {c.Masks, &b.MasksSHA256}} {
		if f.file == "" {
			continue
		}
		var err error
		if *f.into, err = fileDigest(f.file); err != nil {
			return b, err
		}
	}
	return b, nil
}

func add(to map[string]int64, from map[string]int64) map[string]int64 {
	if to == nil {
		to = map[string]int64{}
	}
	for k, n := range from {
		to[k] += n
	}
	return to
}

// finish fills in what follows from the records.
func (m *manifest) finish() {
	slices.SortFunc(m.Files, func(a, b record) int { return a.Number - b.Number })
	slices.SortFunc(m.Failed, func(a, b failure) int { return a.Number - b.Number })
	t := totals{Files: len(m.Files)}
	t.Released, t.Withheld, t.Rules, t.Text = add(nil, nil), add(nil, nil), add(nil, nil), add(nil, nil)
	for _, r := range m.Files {
		t.BytesIn, t.BytesOut, t.Scrubbed = t.BytesIn+r.InputBytes, t.BytesOut+r.OutputBytes, t.Scrubbed+r.Scrubbed
		add(t.Released, r.Released)
		add(t.Withheld, r.Withheld)
		add(t.Rules, r.Rules)
		add(t.Text, r.Text)
	}
	m.Totals = t
	m.Complete = len(m.Failed) == 0
	m.Say, m.ToDo = m.sayings()
}

// sayings are what must be said of the output, and what a program cannot do.
func (m *manifest) sayings() (say, todo []string) {
	scrubbed := m.Totals.Scrubbed > 0
	if scrubbed {
		s := "Free text stands in the output. A scrubber went over it, which is not Safe Harbor by itself: it misses things."
		if m.Recall != nil {
			s += " Measured: " + m.Recall.Statement + "."
		} else {
			s += " Its recall on these notes was not measured: sallyport deid evaluate --sample."
		}
		say = append(say, s)
	}
	switch m.Basis {
	case deid.SafeHarbor:
		if !scrubbed {
			say = append(say, "The 18 identifiers of 45 CFR 164.514(b)(2)(i) were removed where the format's tables place them; a value in a field that says something else is not seen.")
		}
		todo = append(todo, "Whoever releases this must have no actual knowledge that what is left, alone or with other information, could identify an individual: 45 CFR 164.514(b)(2)(ii). No program can know that.")
	case deid.LimitedDataSet:
		say = append(say, "This is a limited data set. It is still protected health information.")
		todo = append(todo, "A data use agreement with the recipient must be in force: 45 CFR 164.514(e)(4).")
	case deid.ExpertDetermination:
		say = append(say, "This rests on the determination of "+m.Expert+" for "+m.Recipient+", until "+m.ValidUntil+".")
		todo = append(todo, "The recipient and the use must be those of the determination: 45 CFR 164.514(b)(1).")
	default:
		say = append(say, "This is identified protected health information, cut down. It is not de-identified.")
		todo = append(todo, "The disclosure needs a basis of its own, such as a business associate agreement: 45 CFR 164.502(e), 164.504(e).")
	}
	for _, r := range m.Files {
		if r.Risk != nil {
			todo = append(todo, "The risk figures are about the quasi-identifiers that the rules name. Whether these are all, and whether the risk is very small, is a person's judgement.")
			break
		}
	}
	for _, r := range m.Files {
		if r.Format == "dicom" {
			todo = append(todo, "Look at images before they leave: no text was looked for in pixels, and a face in a head scan stays.")
			break
		}
	}
	if m.Codes == codesInMemory {
		say = append(say, "Codes were assigned at random and kept nowhere: nobody can turn them back, and no later run gives the same.")
	}
	return say, todo
}

// journal is the manifest while it is made: JSON lines, each durable before the
// next file's. The first is the basics.
type journal struct {
	mu   sync.Mutex
	f    *os.File
	file string
}

func startJournal(file string, b basics) (*journal, error) {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, errOutput(err)
	}
	j := &journal{f: f, file: file}
	return j, j.write(b)
}

func (j *journal) write(v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, err := j.f.Write(append(raw, '\n')); err != nil {
		return errOutput(err)
	}
	if err := j.f.Sync(); err != nil {
		return errOutput(err)
	}
	return nil
}

// resume reads a journal that a run left, and goes on writing to it. A last line
// that was not finished is cut off.
func resume(file string, b basics) (*journal, map[int]record, error) {
	raw, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, problem.BadField("resume", "there is no run to go on with", "Leave --resume out, and give a new --out")
	}
	if err != nil {
		return nil, nil, errOutput(err)
	}
	end := bytes.LastIndexByte(raw, '\n') + 1
	lines := bufio.NewScanner(bytes.NewReader(raw[:end]))
	lines.Buffer(nil, 16<<20)
	var old basics
	if !lines.Scan() || json.Unmarshal(lines.Bytes(), &old) != nil {
		return nil, nil, problem.BadField("resume", "the record of the earlier run cannot be read", "Start again with a new --out")
	}
	if old != b {
		return nil, nil, problem.BadField("resume", "the earlier run had another profile, day, key, rules or version", "Give the same ones (its first line, in "+file+", says which), or start again with a new --out")
	}
	done := map[int]record{}
	for lines.Scan() {
		var r record
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return nil, nil, problem.BadField("resume", "the record of the earlier run cannot be read", "Start again with a new --out").Because(err)
		}
		done[r.Number] = r
	}
	f, err := os.OpenFile(file, os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, errOutput(err)
	}
	_, seek := f.Seek(int64(end), 0)
	if err := errors.Join(f.Truncate(int64(end)), seek); err != nil {
		return nil, nil, errOutput(errors.Join(err, f.Close()))
	}
	return &journal{f: f, file: file}, done, nil
}

// end closes the journal, and takes it away where there is nothing to resume.
func (j *journal) end(over bool) error {
	err := j.f.Close()
	if over {
		err = errors.Join(err, os.Remove(j.file))
	}
	if err != nil {
		return errOutput(err)
	}
	return nil
}

// writeManifest gives the manifest its name when it is whole.
func writeManifest(file string, m *manifest) error {
	o, err := create(file)
	if err != nil {
		return err
	}
	if err := writeJSON(o, m); err != nil {
		o.drop()
		return err
	}
	return o.keep()
}

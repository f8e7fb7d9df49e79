package course

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	jsonv2 "github.com/go-json-experiment/json"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/internal/yamldoc"
)

//go:embed lessons exercises drills questions-more.json
var files embed.FS

// Catalogue is the course as it is taught: what was loaded, checked, and its digest.
type Catalogue struct {
	Lessons   []Lesson // in the order of their paths
	Exercises []Exercise
	Drills    []Task
	Questions []hipaa.TrainingQuestion
	PassMark  float64
	critical  []string
	// Digest is the SHA-256, in hex, of everything that is taught and asked. It stands
	// on attempts and certificates.
	Digest string
}

// Cite is a citation as a lesson makes it.
type Cite struct {
	hipaa.Citation
	// Control is the control's id, where the catalogue of controls has it; else the
	// text is the lesson's own, and unverified.
	Control string
}

// Unverified stands beside a citation that the catalogue does not have.
const Unverified hipaa.Verified = "unverified"

// Lesson is a page to read.
type Lesson struct {
	ID      string
	Title   string
	Module  string
	Tracks  []string
	Minutes int
	Cites   []Cite
	HTML    template.HTML // of the Markdown; nothing else makes it
}

// Exercise is a synthetic screen on which the learner finds what breaks a rule.
type Exercise struct {
	ID     string   `json:"id"`
	Module string   `json:"module"`
	Tracks []string `json:"tracks"`
	Title  string   `json:"title"`
	Intro  string   `json:"intro"`
	Screen Screen   `json:"screen"`
	After  string   `json:"after"`
}

// Screen is what is on it, line by line.
type Screen struct {
	Kind  string `json:"kind"`
	Title string `json:"title"`
	Lines []Line `json:"lines"`
}

// ScreenKinds are what a screen can look like.
var ScreenKinds = []string{"prompt", "notebook", "ticket", "annotation", "terminal", "chat", "table"}

// Line is a line of a screen: whether it breaks a rule, and why or why not.
type Line struct {
	Text      string `json:"text"`
	Violation bool   `json:"violation"`
	Why       string `json:"why"`
	Cite      string `json:"cite,omitempty"`
}

// Cited is the line's citation; false: it has none.
func (l Line) Cited() (Cite, bool) {
	if l.Cite == "" {
		return Cite{}, false
	}
	return cite(l.Cite), true
}

// Task is a practical drill, done with the product's own tools.
type Task struct {
	ID     string   `json:"id"`
	Module string   `json:"module"`
	Tracks []string `json:"tracks"`
	Title  string   `json:"title"`
	Intro  string   `json:"intro"`
	Steps  []string `json:"steps"`
	Check  Check    `json:"check"`
}

// Check is how an answer is checked: by its digest, so that the answer is not in what
// the learner can read.
type Check struct {
	Kind   string `json:"kind"` // "count" or "text"
	Answer string `json:"answer_sha256"`
}

// Right says whether the answer is the one: without regard to case and to spaces.
func (c Check) Right(answer string) bool { return AnswerDigest(answer) == c.Answer }

// AnswerDigest is the digest of an answer, as a drill's file has it: the SHA-256, in
// hex, of its words in lower case with one space between them.
func AnswerDigest(answer string) string {
	sum := sha256.Sum256([]byte(strings.ToLower(strings.Join(strings.Fields(answer), " "))))
	return hex.EncodeToString(sum[:])
}

// Current is the course that is built in.
var Current = sync.OnceValue(func() *Catalogue {
	c, err := Load(files)
	if err != nil {
		panic("course: " + err.Error()) // a test finds it before anybody builds with it
	}
	return c
})

// maxFile bounds a file of the course, in bytes.
const maxFile = 256 << 10

// Load reads a course: lessons/**/*.md, exercises/*.json, drills/*.json and, where it is
// there, questions-more.json; the bank of package hipaa is always part of it. It
// refuses what it does not know (keys, modules, tracks, kinds), ids that stand there
// twice, HTML and images in Markdown, and a drill or screen without an answer. Files
// called README.md are not part of the course.
func Load(fsys fs.FS) (*Catalogue, error) {
	c := &Catalogue{}
	digest := sha256.New()
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Base(name) == "README.md" {
			return err
		}
		raw, err := read(fsys, name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(raw)
		fmt.Fprintf(digest, "%d:%s %x\n", len(name), name, sum)
		if err := c.add(name, raw); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	bank := hipaa.TrainingQuestions()
	c.Questions = append(slices.Clone(bank.Questions), c.Questions...)
	c.PassMark, c.critical = bank.Meta.PassMark, bank.Meta.Critical
	if err := jsonv2.MarshalWrite(digest, []any{bank, Rules}, jsonv2.Deterministic(true)); err != nil {
		return nil, fmt.Errorf("digest: %w", err)
	}
	c.Digest = hex.EncodeToString(digest.Sum(nil))
	return c, c.check()
}

func read(fsys fs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(raw) > maxFile {
		err = fmt.Errorf("%s: is longer than %d bytes", name, maxFile)
	}
	return raw, err
}

func (c *Catalogue) add(name string, raw []byte) error {
	switch dir, _, _ := strings.Cut(name, "/"); {
	case dir == "lessons" && strings.HasSuffix(name, ".md"):
		l, err := parseLesson(raw)
		if err == nil && path.Base(path.Dir(name)) != l.Module {
			err = fmt.Errorf("it is in the folder of another module than %q", l.Module)
		}
		c.Lessons = append(c.Lessons, l)
		return err
	case dir == "exercises" && strings.HasSuffix(name, ".json"):
		var e Exercise
		err := strictJSON(raw, &e)
		c.Exercises = append(c.Exercises, e)
		return cmp.Or(err, named(name, e.ID), e.check())
	case dir == "drills" && strings.HasSuffix(name, ".json"):
		var t Task
		err := strictJSON(raw, &t)
		c.Drills = append(c.Drills, t)
		return cmp.Or(err, named(name, t.ID), t.check())
	case name == "questions-more.json":
		var more struct {
			Questions []hipaa.TrainingQuestion `json:"questions"`
		}
		err := strictJSON(raw, &more)
		c.Questions = append(c.Questions, more.Questions...)
		return err
	}
	return errors.New("is not known: lessons/M1/name.md, exercises/name.json, drills/name.json or questions-more.json is meant")
}

func strictJSON(raw []byte, v any) error {
	return jsonv2.Unmarshal(raw, v, jsonv2.RejectUnknownMembers(true))
}

func named(file, id string) error {
	if strings.TrimSuffix(path.Base(file), ".json") != id {
		return fmt.Errorf("its id is %q: the file is to be called %s.json", id, id)
	}
	return nil
}

// parseLesson reads a lesson: front matter, then Markdown.
func parseLesson(raw []byte) (Lesson, error) {
	rest, ok := bytes.CutPrefix(raw, []byte("---\n"))
	front, body, found := bytes.Cut(rest, []byte("\n---\n"))
	if !ok || !found {
		return Lesson{}, errors.New("does not begin with front matter between two lines of ---")
	}
	var head struct {
		ID      string   `yaml:"id"`
		Title   string   `yaml:"title"`
		Module  string   `yaml:"module"`
		Tracks  []string `yaml:"tracks"`
		Minutes int      `yaml:"minutes"`
		Cites   []string `yaml:"cites"`
	}
	if err := yamldoc.New(front).Decode(&head); err != nil {
		return Lesson{}, fmt.Errorf("front matter: %s", yamldoc.Explain(err))
	}
	l := Lesson{ID: head.ID, Title: head.Title, Module: head.Module, Tracks: head.Tracks, Minutes: head.Minutes}
	for _, text := range head.Cites {
		if strings.TrimSpace(text) == "" {
			return l, errors.New("an empty citation")
		}
		l.Cites = append(l.Cites, cite(text))
	}
	if err := cmp.Or(common(l.ID, l.Title, l.Module, l.Tracks), minutes(l.Minutes)); err != nil {
		return l, err
	}
	html, err := Render(body)
	l.HTML = html
	return l, err
}

// cite finds a citation: by the id of a control, or by its words; or it is unverified.
func cite(text string) Cite {
	if c, ok := hipaa.LookupControl(text); ok {
		return Cite{c.Cite(), c.ID}
	}
	for _, c := range hipaa.Controls() {
		if c.Citation == text {
			return Cite{c.Cite(), c.ID}
		}
	}
	return Cite{Citation: hipaa.Citation{Text: text, Verified: Unverified}}
}

func minutes(n int) error {
	if n < 1 || n > 120 {
		return fmt.Errorf("minutes are %d, not between 1 and 120", n)
	}
	return nil
}

// common checks what lessons, exercises and drills have in common.
func common(id, title, module string, tracks []string) error {
	if id == "" || len(id) > 64 || strings.ContainsFunc(id, func(r rune) bool {
		return !('a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '-' || 'A' <= r && r <= 'Z')
	}) {
		return fmt.Errorf("its id %q is not of letters, digits and hyphens", id)
	}
	if strings.TrimSpace(title) == "" {
		return errors.New("it has no title")
	}
	if _, ok := ModuleOf(module); !ok {
		return fmt.Errorf("there is no module %q", module)
	}
	if len(tracks) == 0 {
		return errors.New("it names no track")
	}
	for i, t := range tracks {
		_, ok := TrackOf(t)
		if !ok && t != AllTracks || slices.Contains(tracks[:i], t) || t == AllTracks && len(tracks) > 1 {
			return fmt.Errorf("the track %q is not known, or stands there twice or beside ALL", t)
		}
	}
	return nil
}

func (e Exercise) check() error {
	if err := common(e.ID, e.Title, e.Module, e.Tracks); err != nil {
		return err
	}
	if e.Intro == "" || e.After == "" || e.Screen.Title == "" {
		return errors.New("intro, after or the screen's title is missing")
	}
	if !slices.Contains(ScreenKinds, e.Screen.Kind) {
		return fmt.Errorf("there is no screen of kind %q: use one of %s", e.Screen.Kind, strings.Join(ScreenKinds, ", "))
	}
	wrong := 0
	for i, l := range e.Screen.Lines {
		if l.Text == "" || l.Why == "" {
			return fmt.Errorf("line %d has no text, or does not say why", i+1)
		}
		if l.Violation {
			wrong++
		}
	}
	if n := len(e.Screen.Lines); n < 2 || n > 40 || wrong == 0 || wrong == n {
		return fmt.Errorf("%d of %d lines are violations: at least one is to be, and one not, of 2 to 40", wrong, n)
	}
	return nil
}

func (t Task) check() error {
	if err := common(t.ID, t.Title, t.Module, t.Tracks); err != nil {
		return err
	}
	raw, err := hex.DecodeString(t.Check.Answer)
	switch {
	case t.Intro == "" || len(t.Steps) == 0 || slices.Contains(t.Steps, ""):
		return errors.New("intro or steps are missing")
	case t.Check.Kind != "count" && t.Check.Kind != "text":
		return fmt.Errorf("there is no check of kind %q: use count or text", t.Check.Kind)
	case err != nil || len(raw) != sha256.Size || strings.ToLower(t.Check.Answer) != t.Check.Answer:
		return errors.New("answer_sha256 is not a SHA-256")
	}
	return nil
}

func (c *Catalogue) check() error {
	ids := map[string]bool{}
	once := func(id string) error {
		if ids[id] {
			return fmt.Errorf("the id %q stands there twice", id)
		}
		ids[id] = true
		return nil
	}
	var errs []error
	for _, l := range c.Lessons {
		errs = append(errs, once(l.ID))
	}
	for _, e := range c.Exercises {
		errs = append(errs, once(e.ID))
	}
	for _, t := range c.Drills {
		errs = append(errs, once(t.ID))
	}
	for _, q := range c.Questions {
		errs = append(errs, once(q.ID), checkQuestion(q))
	}
	for _, id := range c.critical {
		if !ids[id] {
			errs = append(errs, fmt.Errorf("the critical question %q is not there", id))
		}
	}
	if c.PassMark <= 0 || c.PassMark > 1 {
		errs = append(errs, fmt.Errorf("the pass mark is %v", c.PassMark))
	}
	return errors.Join(errs...)
}

func checkQuestion(q hipaa.TrainingQuestion) error {
	if err := common(q.ID, q.Stem, q.Module, slices.DeleteFunc(slices.Clone(q.Tracks), func(t string) bool { return t == AllTracks && len(q.Tracks) > 1 })); err != nil {
		return fmt.Errorf("question %s: %w", q.ID, err)
	}
	if len(q.Options) != len(letters) || q.Explanation == "" || q.Citation == "" {
		return fmt.Errorf("question %s: it lacks options, an explanation or a citation", q.ID)
	}
	seen := map[string]bool{}
	for _, l := range letters {
		if q.Options[l] == "" || seen[q.Options[l]] {
			return fmt.Errorf("question %s: option %s is missing, or like another", q.ID, l)
		}
		seen[q.Options[l]] = true
	}
	if !slices.Contains(letters, q.Correct) {
		return fmt.Errorf("question %s: %q is not an option", q.ID, q.Correct)
	}
	return nil
}

// Critical says whether nobody may get the question wrong.
func (c *Catalogue) Critical(question string) bool { return slices.Contains(c.critical, question) }

// LessonsFor are the lessons that a person of the track reads, for these modules. Where
// a module has none for the track (State law added it), all of its lessons.
func (c *Catalogue) LessonsFor(track string, modules []string) []Lesson {
	var out []Lesson
	for _, m := range modules {
		var own, all []Lesson
		for _, l := range c.Lessons {
			if l.Module == m {
				all = append(all, l)
				if For(l.Tracks, track) {
					own = append(own, l)
				}
			}
		}
		if len(own) == 0 {
			own = all
		}
		out = append(out, own...)
	}
	return out
}

// ExercisesFor are the exercises of a module for the track.
func (c *Catalogue) ExercisesFor(track, module string) []Exercise {
	var out []Exercise
	for _, e := range c.Exercises {
		if e.Module == module && For(e.Tracks, track) {
			out = append(out, e)
		}
	}
	return out
}

// DrillsFor are the drills of a module for the track.
func (c *Catalogue) DrillsFor(track, module string) []Task {
	var out []Task
	for _, t := range c.Drills {
		if t.Module == module && For(t.Tracks, track) {
			out = append(out, t)
		}
	}
	return out
}

// Exercise finds an exercise by id.
func (c *Catalogue) Exercise(id string) (Exercise, bool) {
	i := slices.IndexFunc(c.Exercises, func(e Exercise) bool { return e.ID == id })
	if i < 0 {
		return Exercise{}, false
	}
	return c.Exercises[i], true
}

// Drill finds a drill by id.
func (c *Catalogue) Drill(id string) (Task, bool) {
	i := slices.IndexFunc(c.Drills, func(t Task) bool { return t.ID == id })
	if i < 0 {
		return Task{}, false
	}
	return c.Drills[i], true
}

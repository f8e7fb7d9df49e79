package course

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	jsonv2 "github.com/go-json-experiment/json"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/sheet"
	"github.com/sallyport/sallyport/snapshot"
)

// Completion is one completion out of a learning management system.
type Completion struct {
	Person      id.Person `json:"person"`
	Course      string    `json:"course"`
	Version     string    `json:"version"`
	Score       float64   `json:"score"` // 0 to 1
	CompletedAt time.Time `json:"completed_at"`
	Hours       float64   `json:"hours,omitempty"`
	External    string    `json:"external"` // the id of the statement, or of the row
}

// Told is what a file or a message of a learning management system says.
type Told struct {
	Completions []Completion `json:"completions"`
	// Known are completions that are recorded already, by their External.
	Known []string `json:"known,omitempty"`
	// Left are how many lines or statements say nothing of a completion.
	Left int `json:"left,omitempty"`
	// Wrong says what cannot be taken, and where. One is enough: nothing is taken then.
	Wrong []Wrong `json:"wrong,omitempty"`
}

// Wrong is what cannot be taken: in which line (or statement, from 1) and column, and
// what to do.
type Wrong struct {
	Line   int    `json:"line"`
	Column string `json:"column,omitempty"`
	Text   string `json:"text"`
}

func (w Wrong) String() string {
	if w.Column == "" {
		return fmt.Sprintf("line %d: %s", w.Line, w.Text)
	}
	return fmt.Sprintf("line %d, column %s: %s", w.Line, w.Column, w.Text)
}

// Bounds of what is read.
const (
	MaxTold  = 500     // completions at once
	MaxBytes = 4 << 20 // of a file or a message
	maxWrong = 50      // of what is told; more would not be read
)

func (t *Told) wrong(line int, column, text string) {
	if len(t.Wrong) < maxWrong {
		t.Wrong = append(t.Wrong, Wrong{line, column, text})
	}
}

// take adds a completion, after looking whether it can be recorded.
func (t *Told) take(v *snapshot.View, line int, c Completion, column func(string) string, now time.Time) {
	for _, x := range v.Trainings.All() {
		if x.External != c.External {
			continue
		}
		if x.Person != c.Person || x.Course != c.Course {
			t.wrong(line, column("external"), "is the id of another completion")
		} else {
			t.Known = append(t.Known, c.External)
		}
		return
	}
	if slices.ContainsFunc(t.Completions, func(x Completion) bool { return x.External == c.External }) {
		t.wrong(line, column("external"), "stands there twice: a completion is recorded once")
		return
	}
	of, ok := Approved(v, c.Course, c.Version)
	switch {
	case !ok:
		t.wrong(line, column("course"), fmt.Sprintf("no course %q in version %q is approved: propose it and have it approved", c.Course, c.Version))
	case !(c.Score >= 0 && c.Score <= 1):
		t.wrong(line, column("score"), "is not between 0 and 1")
	case c.Score < of.PassMark:
		t.wrong(line, column("score"), fmt.Sprintf("is below the pass mark of %v: leave out who has not passed", of.PassMark))
	case c.CompletedAt.After(now):
		t.wrong(line, column("completed_at"), "is in the future")
	case !(c.Hours >= 0 && c.Hours <= 1000):
		t.wrong(line, column("hours"), "is not between 0 and 1000")
	case len(t.Completions) == MaxTold:
		t.wrong(line, "", fmt.Sprintf("there are more than %d completions: send them in parts", MaxTold))
	default:
		t.Completions = append(t.Completions, c)
	}
}

// csvColumns are those of an import: the first five are needed.
var csvColumns = []string{"person", "course", "version", "score", "completed_at", "hours", "external"}

const csvNeeded = 5

// ReadCSV reads completions out of CSV (RFC 4180): a head that names the columns, in any
// order, then a row for each completion. Times are dates or RFC 3339, in UTC where they
// do not say; scores 0 to 1. Without external, a row is known by its first columns.
func ReadCSV(raw []byte, v *snapshot.View, now time.Time) Told {
	var t Told
	if len(raw) > MaxBytes {
		t.wrong(1, "", fmt.Sprintf("the file is longer than %d bytes", MaxBytes))
		return t
	}
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf"))))
	r.ReuseRecord = true
	head, err := r.Read()
	if err != nil {
		t.wrong(1, "", "has no head: "+strings.Join(csvColumns, ","))
		return t
	}
	at := map[string]int{}
	for i, name := range head {
		name = strings.ToLower(strings.TrimSpace(name))
		if _, twice := at[name]; twice || !slices.Contains(csvColumns, name) {
			t.wrong(1, strconv.Itoa(i+1), "is not known, or stands there twice: the columns are "+strings.Join(csvColumns, ", "))
			return t
		}
		at[name] = i
	}
	for _, name := range csvColumns[:csvNeeded] {
		if _, ok := at[name]; !ok {
			t.wrong(1, name, "is missing")
		}
	}
	for len(t.Wrong) == 0 || len(t.Wrong) < maxWrong && len(at) >= csvNeeded {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			line := 0
			if e := new(csv.ParseError); errors.As(err, &e) {
				line = e.Line
			}
			t.wrong(line, "", "does not have the columns of the head, or a quote is not closed")
			break
		}
		line, _ := r.FieldPos(0)
		t.row(row, at, line, v, now)
	}
	return t
}

func (t *Told) row(row []string, at map[string]int, line int, v *snapshot.View, now time.Time) {
	cell := func(name string) string {
		if i, ok := at[name]; ok {
			return strings.TrimSpace(row[i])
		}
		return ""
	}
	for _, name := range csvColumns[:csvNeeded] {
		if cell(name) == "" {
			t.wrong(line, name, "is empty")
			return
		}
	}
	c := Completion{Person: id.Person(cell("person")), Course: cell("course"), Version: cell("version"), External: cell("external")}
	if _, ok := v.Persons.Get(c.Person); !ok {
		t.wrong(line, "person", "there is nobody with this id")
		return
	}
	var err error
	if c.Score, err = strconv.ParseFloat(cell("score"), 64); err != nil {
		t.wrong(line, "score", "is not a number such as 0.85")
		return
	}
	if c.CompletedAt, err = csvTime(cell("completed_at")); err != nil {
		t.wrong(line, "completed_at", "is not a time such as 2026-01-31 or 2026-01-31T09:00:00Z")
		return
	}
	if text := cell("hours"); text != "" {
		if c.Hours, err = strconv.ParseFloat(text, 64); err != nil {
			t.wrong(line, "hours", "is not a number such as 1.5")
			return
		}
	}
	if len(c.External) > 128 || strings.ContainsFunc(c.External, func(r rune) bool { return r < ' ' }) {
		t.wrong(line, "external", "is longer than 128 bytes, or holds a control character")
		return
	}
	if c.External == "" {
		sum := sha256.Sum256([]byte(strings.Join([]string{string(c.Person), c.Course, c.Version, c.CompletedAt.Format(time.RFC3339Nano)}, "\x00")))
		c.External = "csv-" + hex.EncodeToString(sum[:12])
	}
	t.take(v, line, c, func(s string) string { return s }, now)
}

func csvTime(text string) (time.Time, error) {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if at, err := time.Parse(layout, text); err == nil && at.Year() >= 1970 && at.Year() <= 2200 {
			return at.UTC(), nil
		}
	}
	return time.Time{}, errors.New("no time")
}

// The verbs of xAPI that are read.
const (
	verbPassed    = "http://adlnet.gov/expapi/verbs/passed"
	verbCompleted = "http://adlnet.gov/expapi/verbs/completed"
	verbFailed    = "http://adlnet.gov/expapi/verbs/failed"
	verbVoided    = "http://adlnet.gov/expapi/verbs/voided"
)

// statement is an xAPI statement (1.0.3, section 4.1; IEEE 9274.1.1-2023, section 4.2),
// as far as it is read and written.
type statement struct {
	ID        string     `json:"id"`
	Actor     xapiActor  `json:"actor"`
	Verb      xapiVerb   `json:"verb"`
	Object    xapiObject `json:"object"`
	Result    *xapiScore `json:"result,omitempty"`
	Timestamp string     `json:"timestamp"`
	Version   string     `json:"version,omitempty"`
}

type xapiActor struct {
	ObjectType string       `json:"objectType,omitempty"`
	Account    *xapiAccount `json:"account,omitempty"`
}

type xapiAccount struct {
	HomePage string `json:"homePage"`
	Name     string `json:"name"`
}

type xapiVerb struct {
	ID      string            `json:"id"`
	Display map[string]string `json:"display,omitempty"`
}

type xapiObject struct {
	ID         string          `json:"id"`
	ObjectType string          `json:"objectType,omitempty"`
	Definition *xapiDefinition `json:"definition,omitempty"`
}

type xapiDefinition struct {
	Type string            `json:"type,omitempty"`
	Name map[string]string `json:"name,omitempty"`
}

type xapiScore struct {
	Score struct {
		Scaled *float64 `json:"scaled,omitempty"`
	} `json:"score,omitzero"`
	Success    *bool  `json:"success,omitempty"`
	Completion *bool  `json:"completion,omitempty"`
	Duration   string `json:"duration,omitempty"`
}

// ReadStatements reads completions out of xAPI statements, one or a list: "passed" and
// "completed" with the activity of an approved course. The actor is an account, by an
// opaque name: one of base (the person's id here), or of the identity provider through
// which the person signs in. A statement that names people by address is refused, and
// what other verbs say is left. A vendor's system hears of its own people alone: anybody
// else is nobody. Of "" tells of everybody.
func ReadStatements(raw []byte, v *snapshot.View, of id.Vendor, base string, now time.Time) Told {
	var t Told
	if len(raw) > MaxBytes {
		t.wrong(1, "", fmt.Sprintf("the message is longer than %d bytes", MaxBytes))
		return t
	}
	list, err := statements(raw)
	if err != nil {
		t.wrong(1, "", "it is no statement and no list of statements, in JSON without names that stand there twice")
		return t
	}
	if len(list) == 0 {
		t.wrong(1, "", "there is no statement in it")
	}
	for i, s := range list {
		if len(t.Wrong) == maxWrong {
			break
		}
		t.statement(i+1, s, v, of, base, now)
	}
	return t
}

func (t *Told) statement(n int, s statement, v *snapshot.View, vendor id.Vendor, base string, now time.Time) {
	switch s.Verb.ID {
	case verbPassed, verbCompleted:
	case verbVoided:
		t.wrong(n, "verb", "a completion is not taken back by a statement: have it revoked (training revoke)")
		return
	case "":
		t.wrong(n, "verb.id", "is missing")
		return
	default:
		t.Left++
		return
	}
	if s.Version != "" && !strings.HasPrefix(s.Version, "1.0") && !strings.HasPrefix(s.Version, "2.0") {
		t.wrong(n, "version", "is neither 1.0 nor 2.0")
		return
	}
	if !isUUID(s.ID) {
		t.wrong(n, "id", "is missing, or is no UUID")
		return
	}
	if s.Actor.Account == nil || s.Actor.ObjectType != "" && s.Actor.ObjectType != "Agent" {
		t.wrong(n, "actor", "is no agent with an account: people are named by an opaque account, not by an address")
		return
	}
	person, ok := account(v, base, *s.Actor.Account)
	if p, known := v.Persons.Get(person); !ok || !known || vendor != "" && p.Vendor != vendor {
		t.wrong(n, "actor.account", "is nobody's here")
		return
	}
	of, ok := byActivity(v, s.Object.ID)
	if !ok || s.Object.ObjectType != "" && s.Object.ObjectType != "Activity" {
		t.wrong(n, "object.id", "is no course that is approved: propose it with this activity and have it approved")
		return
	}
	at, err := csvTime(s.Timestamp)
	if err != nil {
		t.wrong(n, "timestamp", "is missing, or is no time")
		return
	}
	c := Completion{Person: person, Course: of.Course, Version: of.Version, CompletedAt: at, External: "xapi-" + strings.ToLower(s.ID)}
	if r := s.Result; r != nil {
		if r.Success != nil && !*r.Success || r.Completion != nil && !*r.Completion {
			t.wrong(n, "result", "says that it was not passed, or not completed")
			return
		}
		if r.Score.Scaled != nil {
			c.Score = *r.Score.Scaled
		}
		c.Hours = durationHours(r.Duration)
	}
	if of.PassMark > 0 && (s.Result == nil || s.Result.Score.Scaled == nil) {
		t.wrong(n, "result.score.scaled", "is missing: the course has a pass mark")
		return
	}
	t.take(v, n, c, func(f string) string {
		return map[string]string{"score": "result.score.scaled", "completed_at": "timestamp", "course": "object.id", "external": "id", "hours": "result.duration"}[f]
	}, now)
}

// statements reads one statement or a list of them. What is beyond what is read here is
// left: an activity's description, a context, extensions. A name that stands there
// twice is refused.
func statements(raw []byte) ([]statement, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return nil, io.ErrUnexpectedEOF
	}
	if raw[0] != '[' {
		var one statement
		err := jsonv2.Unmarshal(raw, &one)
		return []statement{one}, err
	}
	var list []statement
	err := jsonv2.Unmarshal(raw, &list)
	return list, err
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		c := s[i] | 0x20
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (s[i] == '-') || !dash && !('0' <= c && c <= '9' || 'a' <= c && c <= 'f') {
			return false
		}
	}
	return true
}

// account finds the person by an account.
func account(v *snapshot.View, base string, a xapiAccount) (id.Person, bool) {
	if base != "" && strings.TrimSuffix(a.HomePage, "/") == strings.TrimSuffix(base, "/") {
		_, ok := v.Persons.Get(id.Person(a.Name))
		return id.Person(a.Name), ok
	}
	if a.Name == "" || a.HomePage == "" {
		return "", false
	}
	for _, p := range v.Persons.All() {
		if p.Login.Connector == "" || p.Login.Subject != a.Name {
			continue
		}
		if c, ok := v.Connectors.Get(p.Login.Connector); ok && c.State == snapshot.Approved && c.Issuer == a.HomePage {
			return p.ID, true
		}
	}
	return "", false
}

func byActivity(v *snapshot.View, activity string) (*snapshot.Course, bool) {
	for _, c := range v.Courses.All() {
		if c.Activity != "" && c.Activity == activity {
			if of, ok := Approved(v, c.Course, c.Version); ok && of.ID == c.ID {
				return c, true
			}
		}
	}
	return nil, false
}

// durationHours reads an ISO 8601 duration of days, hours, minutes and seconds; what it
// does not read is 0, for nothing rests on it.
func durationHours(text string) float64 {
	rest, ok := strings.CutPrefix(text, "P")
	if !ok || len(text) > 40 {
		return 0
	}
	days, clock, _ := strings.Cut(rest, "T")
	hours := 0.0
	if n, ok := strings.CutSuffix(days, "D"); ok {
		d, err := strconv.ParseFloat(n, 64)
		if err != nil {
			return 0
		}
		hours = d * 24
	} else if days != "" {
		return 0
	}
	for _, unit := range []struct {
		letter string
		hours  float64
	}{{"H", 1}, {"M", 1. / 60}, {"S", 1. / 3600}} {
		n, after, ok := strings.Cut(clock, unit.letter)
		if !ok {
			continue
		}
		x, err := strconv.ParseFloat(n, 64)
		if err != nil {
			return 0
		}
		hours, clock = hours+x*unit.hours, after
	}
	if !(hours >= 0 && hours <= 1000) {
		return 0
	}
	return hours
}

// uuidOf makes a name of a statement out of the training's: version 8 (RFC 9562), so the
// same export twice says the same.
func uuidOf(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80
	h := hex.EncodeToString(sum[:16])
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
}

// WriteStatements are the completions of the view as xAPI statements, by accounts of
// base. A revoked completion is left out.
func WriteStatements(v *snapshot.View, base string) ([]byte, error) {
	base = strings.TrimSuffix(base, "/")
	out := []statement{}
	for _, t := range v.Trainings.All() {
		if !t.RevokedAt.IsZero() {
			continue
		}
		verb, word := verbPassed, "passed"
		if !t.Passed {
			verb, word = verbFailed, "failed"
		}
		activity := base + achievementPath + t.Course + "/" + t.Version
		for _, c := range v.Courses.All() {
			if c.Course == t.Course && c.Version == t.Version && c.Activity != "" {
				activity = c.Activity
			}
		}
		score := t.Score
		r := &xapiScore{Success: &t.Passed}
		r.Score.Scaled = &score
		out = append(out, statement{ID: uuidOf(base, string(t.ID)), Actor: xapiActor{"Agent", &xapiAccount{base, string(t.Person)}},
			Verb: xapiVerb{verb, map[string]string{"en": word}}, Result: r, Timestamp: t.CompletedAt.UTC().Format(time.RFC3339), Version: "1.0.3",
			Object: xapiObject{activity, "Activity", &xapiDefinition{"http://adlnet.gov/expapi/activities/course", map[string]string{"en": TitleOf(v, t)}}}})
	}
	return json.MarshalIndent(out, "", "  ")
}

// exportColumns are those of WriteCSV.
var exportColumns = []string{"id", "person", "vendor", "course", "version", "score", "passed", "completed_at", "expires_at", "revoked_at", "source", "modules", "track", "hours",
	"statement_in", "statement_signed_at", "external"}

// WriteCSV is every completion of the view as CSV.
func WriteCSV(v *snapshot.View) ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	rows := [][]string{exportColumns}
	for _, t := range v.Trainings.All() {
		var vendor string
		if p, ok := v.Persons.Get(t.Person); ok {
			vendor = string(p.Vendor)
		}
		row := []string{string(t.ID), string(t.Person), vendor, t.Course, t.Version, number(t.Score), strconv.FormatBool(t.Passed), stamp(t.CompletedAt), stamp(t.ExpiresAt), stamp(t.RevokedAt),
			string(t.Source), strings.Join(t.Modules, " "), t.Track, number(t.Hours), t.Statement.In, stamp(t.Statement.SignedAt), t.External}
		rows = append(rows, sheet.Texts(row...))
	}
	if err := w.WriteAll(rows); err != nil {
		return nil, fmt.Errorf("csv: %w", err)
	}
	return b.Bytes(), nil
}

func number(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

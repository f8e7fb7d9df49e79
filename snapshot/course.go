package snapshot

import (
	"time"

	"github.com/sallyport/sallyport/id"
)

// Course is a course, in one version, whose completion counts as training: the
// product's own, or one that is taught elsewhere and was looked at by a person. A
// completion of a course that is not approved counts for nothing.
type Course struct {
	ID      id.Course `json:"id"`
	Course  string    `json:"course"`  // as completions name it: "hipaa-for-ai-teams"
	Version string    `json:"version"` // "2026"
	Title   string    `json:"title"`
	// Activity is the IRI by which xAPI statements name it; empty: the product's own.
	Activity string `json:"activity,omitempty"`
	// Covers are modules of the syllabus (M1 ... M6) that it teaches.
	Covers []string `json:"covers"`
	// PassMark is the least share of right answers, 0 to 1.
	PassMark float64 `json:"pass_mark"`
	// Refresh is how long a completion counts (policy; HIPAA sets no interval).
	RefreshMonths int `json:"refresh_months"`
	// Document is the SHA-256 of what was looked at.
	Document string `json:"document_sha256,omitempty"`
	// Material: the version changes what people must know, so that completions of older
	// versions lapse when GraceEnds has come (45 CFR 164.530(b)(2)(i)(C)).
	Material  bool      `json:"material,omitempty"`
	GraceEnds time.Time `json:"grace_ends,omitzero"`
	Approval
}

// Attempt is a person on their way through the product's course: which lessons they
// have read, which questions were drawn for them, what they answered.
type Attempt struct {
	ID      id.Attempt `json:"id"`
	Person  id.Person  `json:"person"`
	Vendor  id.Vendor  `json:"vendor,omitempty"`
	Course  string     `json:"course"`
	Version string     `json:"version"`
	Track   string     `json:"track"` // "DS", "MLE", "ANN", "SUP", "EXE"
	// Content is the SHA-256 of the course as it was when the attempt began.
	Content string `json:"content_sha256"`
	// Modules are those that it teaches and asks about: of the track, and what State law adds.
	Modules []string `json:"modules"`
	// Seed draws and shuffles the questions; hex.
	Seed    string            `json:"seed"`
	Lessons map[string]bool   `json:"lessons,omitempty"` // read
	Drills  map[string]bool   `json:"drills,omitempty"`  // done right
	Answers map[string]string `json:"answers,omitempty"` // question: the option chosen, as the catalogue letters it
	// Attested are the conduct rules (1 ...) that the person has signed.
	Attested  []int        `json:"attested,omitempty"`
	Stage     AttemptStage `json:"stage"`
	Score     float64      `json:"score"` // 0 to 1, once finished
	StartedAt time.Time    `json:"started_at"`
	EndedAt   time.Time    `json:"ended_at,omitzero"`
	Training  id.Training  `json:"training,omitempty"` // the completion that it led to
}

// AttemptStage is how far an attempt has come.
type AttemptStage string

// The stages.
const (
	AttemptOpen      AttemptStage = "open"
	AttemptPassed    AttemptStage = "passed"
	AttemptFailed    AttemptStage = "failed"
	AttemptAbandoned AttemptStage = "abandoned"
)

func (*Course) Noun() Noun    { return NounCourse }
func (r *Course) Key() string { return string(r.ID) }
func (*Course) record()       {}

func (*Attempt) Noun() Noun    { return NounAttempt }
func (r *Attempt) Key() string { return string(r.ID) }
func (*Attempt) record()       {}

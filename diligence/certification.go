package diligence

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// Judgement is what a report or certificate is worth at one time.
type Judgement struct {
	Counts bool
	// Until is when it stops to count by itself; zero where it does not count.
	Until time.Time
	// Score is 0 to 3, for the questionnaire: 3 is the best that its type can show.
	Score   int
	Reasons []Reason // why it does not count, or what is weak in it
	// Since and Change bound the time for which the judgement stands: the last date
	// before it that was looked at, and the next one after it; zero: none.
	Since, Change time.Time
}

// Why says whether a reason is among those of the judgement.
func (j Judgement) Why(code string) bool {
	return slices.ContainsFunc(j.Reasons, func(r Reason) bool { return r.Code == code })
}

// Reason is one thing that is wrong or weak, by a code of a closed list.
type Reason struct {
	Code string `json:"code"`
	Text string `json:"text"`
}

// The codes of reasons.
const (
	NeverCounts    = "never-counts"     // no such paper satisfies anything
	UnknownType    = "unknown-type"     // not a type of the catalogue
	Unverified     = "unverified"       // nobody else has looked, or it is not said how and against what
	Revoked        = "revoked"          //
	Expired        = "expired"          // its own date, or its type's rule
	NotYet         = "not-yet"          // it begins later
	FieldMissing   = "field-missing"    // the rule asks for something that is not recorded
	ShortPeriod    = "short-period"     // SOC 2 Type 2: less than three months
	BadOpinion     = "opinion"          // adverse, a disclaimer, or exceptions that nobody accepted
	NoSecurity     = "no-security"      // SOC 2 without the security criteria
	CarvedOut      = "carve-out"        // an organisation below that the report leaves out has no paper of its own
	NotAccredited  = "standard"         // a version of the standard that no longer counts
	NoSurveillance = "surveillance"     // the year's surveillance audit is missing
	NoInterim      = "interim"          // HITRUST r2: the interim assessment is missing, or at the wrong time
	NotUnderlying  = "underlying"       // an add-on without a certificate below it that counts
	NotListed      = "not-listed"       // its issuer does not list it as in force
	OpenFindings   = "open-findings"    // overdue high findings
	ExcludesAI     = "excludes-ai"      // insurance that leaves AI out
	NoTail         = "no-tail"          // claims-made insurance without a tail
	NoSuccessor    = "no-successor"     // an interim paper, and the examination that follows has not begun
	BadBridge      = "bridge"           // a bridge letter that bridges nothing
	Bridged        = "bridged"          // weak: only management's letter carries it now
	Qualified      = "qualified"        // weak: exceptions, accepted
	Interim        = "interim-evidence" // weak: a point in time
	ShortSOC       = "under-six-months" // weak: a period under six months
	NotForPHI      = "not-for-phi"      // weak: it says nothing about PHI
	LateTraining   = "late-training"    // after the State's days from hire, or before a change in law
)

// Judge says what a report or certificate is worth now, by the rule of its type
// (hipaa.CertificationType.ValidRule). The view holds what it leans on: the
// certificate below an add-on, and the papers of organisations that a report carves
// out. It is pure, and every date that it looked at bounds the answer.
func Judge(c *snapshot.Certification, v *snapshot.View, now time.Time) Judgement {
	return judge(c, v, now, 0)
}

// maxDepth bounds how far reports lean on one another: a carve-out's own report may
// carve out in its turn. Beyond it, and in a ring, nothing counts.
const maxDepth = 4

func judge(c *snapshot.Certification, v *snapshot.View, now time.Time, depth int) Judgement {
	j := &judging{c: c, v: v, now: now, depth: depth, rules: rules, again: judge}
	rule, ok := rules[c.Type]
	switch {
	case !ok:
		return Judgement{Reasons: []Reason{{UnknownType, "there is no rule for this type"}}}
	case rule.never != "":
		return Judgement{Reasons: []Reason{{NeverCounts, rule.never}}}
	}
	if j.passed(c.RevokedAt) {
		j.fail(Revoked, "it was revoked")
	}
	if !Verified(c) || !j.passed(c.VerifiedAt) {
		j.fail(Unverified, "nobody but who recorded it has verified it, and said how and against what")
	}
	if missing := missingFields(c, rule.needs); len(missing) > 0 {
		j.fail(FieldMissing, "not recorded: "+strings.Join(missing, ", "))
	} else {
		j.score = rule.score
		rule.judge(j)
	}
	if !c.ExpiresAt.IsZero() {
		j.until(c.ExpiresAt)
	}
	switch {
	case j.end.IsZero():
		if len(j.failed) == 0 {
			j.fail(Expired, "it has no end that its rule could hold it to")
		}
	case j.passed(j.end):
		j.fail(Expired, "it counted until "+j.end.UTC().Format(time.DateOnly))
	}
	j.Reasons = append(j.failed, j.weak...)
	if len(j.failed) == 0 {
		j.Counts, j.Until, j.Score = true, j.end, j.score
	}
	return j.Judgement
}

// Verified reports whether a person other than who recorded it says how it was
// verified and against what. When that was is another question.
func Verified(c *snapshot.Certification) bool {
	return c.VerifiedBy != "" && c.RecordedBy != "" && c.VerifiedBy != c.RecordedBy &&
		slices.Contains(Methods, c.VerifiedHow) && strings.TrimSpace(c.VerifiedAgainst) != "" && !c.VerifiedAt.IsZero()
}

// Methods are the ways in which a person can verify one.
var Methods = []string{"issuer-portal", "auditor-letter", "registry-lookup", "report-read"}

// judging is a judgement being made.
type judging struct {
	Judgement
	c      *snapshot.Certification
	v      *snapshot.View
	now    time.Time
	depth  int
	end    time.Time
	score  int
	failed []Reason
	weak   []Reason
	// latest: only how long it can count at the most is asked.
	latest bool
	// Through these a rule comes to others, without which the table would hold itself.
	rules map[string]rule
	again func(*snapshot.Certification, *snapshot.View, time.Time, int) Judgement
}

func (j *judging) fail(code, text string) { j.failed = append(j.failed, Reason{code, text}) }

// note records a weakness, which costs points.
func (j *judging) note(code, text string, score int) {
	j.weak = append(j.weak, Reason{code, text})
	j.score = min(j.score, score)
}

// until shortens how long it counts.
func (j *judging) until(t time.Time) {
	if j.end.IsZero() || t.Before(j.end) {
		j.end = t
	}
}

// passed reports whether t is now or past, and remembers that the answer changes
// there. The zero time has not passed.
func (j *judging) passed(t time.Time) bool {
	if t.IsZero() {
		return false
	}
	if j.now.Before(t) {
		if j.Change.IsZero() || t.Before(j.Change) {
			j.Change = t
		}
		return false
	}
	if j.Since.Before(t) {
		j.Since = t
	}
	return true
}

// lean joins what another judgement looked at.
func (j *judging) lean(other Judgement) {
	j.passed(other.Since)
	j.passed(other.Change)
}

// began wants a date that has come.
func (j *judging) began(t time.Time) {
	if !j.passed(t) {
		j.fail(NotYet, "it is of a day to come")
	}
}

// ownPaper reports whether an organisation that a report carves out has a paper of its
// own: an agreement in force below somebody, or a report or certificate that counts.
func (j *judging) ownPaper(vendor id.Vendor) bool {
	if j.v == nil || j.depth >= maxDepth {
		return false
	}
	for _, other := range j.v.CertificationsOf(vendor) {
		if other.ID == j.c.ID {
			continue
		}
		if r, ok := j.rules[other.Type]; !ok || !r.ofSecurity {
			continue
		}
		of := j.again(other, j.v, j.now, j.depth+1)
		j.lean(of)
		if of.Counts {
			j.until(of.Until)
			return true
		}
	}
	for _, a := range j.v.AgreementsOf(j.c.Vendor) {
		if a.Kind == snapshot.SubcontractorBAA && a.Subcontractor == vendor && j.inForce(a) {
			return true
		}
	}
	return false
}

// inForce is a paper approved by two, on file, signed by two, begun and not over.
func (j *judging) inForce(a *snapshot.Agreement) bool {
	ok := a.State == snapshot.Approved && a.RequestedBy != "" && a.ApprovedBy != "" && a.RequestedBy != a.ApprovedBy &&
		j.passed(a.ApprovedAt) && j.passed(a.EffectiveAt) && a.Document != ""
	signed := map[snapshot.Party]bool{}
	for _, s := range a.Signatures {
		if s.Signer != "" && j.passed(s.At) {
			signed[s.Party] = true
		}
	}
	for _, t := range []time.Time{a.EndsAt, a.TerminatedAt, a.SuspendedAt, a.NoticesEnd()} {
		ok = ok && !j.passed(t)
	}
	if ok = ok && signed[snapshot.VendorParty] && signed[snapshot.SubcontractorParty]; ok && !a.EndsAt.IsZero() {
		j.until(a.EndsAt)
	}
	return ok
}

// Lacks lists the fields, by their names in records, that the certification's type
// needs and that it lacks. Type itself is another question.
func Lacks(c *snapshot.Certification) []string {
	return missingFields(c, rules[c.Type].needs)
}

// Never is why no paper of the type counts, whatever it says; empty: one can.
func Never(typ string) string { return rules[typ].never }

// Needs lists the fields that a type needs.
func Needs(typ string) []string { return slices.Clone(rules[typ].needs) }

// Tells lists the fields that a type can say: those that it needs, and others.
func Tells(typ string) []string { return slices.Concat(rules[typ].needs, rules[typ].may) }

// CountsUntil is how long a certification of its type can count by its dates alone,
// whatever its own end says; zero: not at all, or its dates do not say.
func CountsUntil(c *snapshot.Certification) time.Time {
	rule, ok := rules[c.Type]
	if !ok || rule.never != "" || len(missingFields(c, rule.needs)) > 0 {
		return time.Time{}
	}
	j := &judging{c: c, latest: true, rules: rules, again: judge}
	rule.judge(j)
	return j.end
}

func missingFields(c *snapshot.Certification, needs []string) []string {
	var out []string
	for _, name := range needs {
		if !has(reflect.ValueOf(c).Elem(), name) {
			out = append(out, name)
		}
	}
	return out
}

func has(v reflect.Value, name string) bool {
	t := v.Type()
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			if _, ok := fieldIn(f.Type, name); ok {
				return has(v.Field(i), name)
			}
			continue
		}
		if tag, _, _ := strings.Cut(f.Tag.Get("json"), ","); tag == name {
			x := v.Field(i)
			if x.Kind() == reflect.Slice {
				return x.Len() > 0
			}
			if s, ok := x.Interface().(string); ok {
				return strings.TrimSpace(s) != ""
			}
			return !x.IsZero()
		}
	}
	return false
}

func fieldIn(t reflect.Type, name string) (reflect.StructField, bool) {
	for i := range t.NumField() {
		if tag, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); tag == name {
			return t.Field(i), true
		}
	}
	return reflect.StructField{}, false
}

// dayAfter is the end of t's day: what counts "until a date" counts on that date.
func dayAfter(t time.Time) time.Time { return t.AddDate(0, 0, 1) }

// monthsFrom is the end of the day that many months after t.
func monthsFrom(t time.Time, months int) time.Time { return dayAfter(hipaa.AddMonths(t, months)) }

package gate

import (
	_ "embed" // the policy
	"strconv"
	"strings"

	"github.com/sallyport/sallyport/agreement"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/snapshot"
)

//go:embed training.cedar
var trainingCedar string

// 45 CFR 164.530(b) binds the organisation's own workforce; a vendor's staff are
// reached by 164.308(a)(5) and by contract. No rule sets an interval: the date
// on the completion is policy.
var training = policy.Gate{
	ID:       "training",
	Title:    "The person's training is current",
	Policy:   trainingCedar,
	Cites:    []string{"S-308-a-5-i", "P-530-b-1", "X-TX-TRAIN"},
	Audience: policy.VendorToo,
	Stage:    policy.AtRequest,
	Known: func(c *policy.Case, f *policy.Facts) {
		best, bestRank := &snapshot.Training{}, 0
		set := c.View.Settings
		course, months := contractTraining(c, f)
		if c.Person != nil {
			for _, t := range c.View.TrainingsOf(c.Person.ID) { // oldest completion first
				t = shortened(t, months)
				if rank := trainingRank(f, set, t); rank >= bestRank && rank > 0 {
					best, bestRank = t, rank
				}
			}
		}
		f.Bool("completed", bestRank >= trainingPassed)
		f.Bool("version_current", bestRank >= trainingVersion)
		f.Bool("revoked", best.ID != "" && f.Passed(best.RevokedAt))
		f.End("expires_at", best.ExpiresAt)
		f.Bool("contract_course", passedCourses(c, f, course, months))
	},
	Reasons: []policy.Reason{
		{Code: "none", Message: "The person behind the grant has not passed the required training", NextStep: "Take and pass the training", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return !v.Is("completed") }},
		{Code: "old-version", Message: "The training that was passed is an older version than the one that counts", NextStep: "Take and pass the current version of the training", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return v.Is("completed") && !v.Is("version_current") }},
		{Code: "revoked", Message: "The training completion was revoked", NextStep: "Take and pass the training again", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return v.Is("revoked") }},
		{Code: "expired", Message: "The training completion has expired", NextStep: "Take and pass the training again", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return v.Is("completed") && v.Ended("expires_at") }},
		{Code: "contract-course", Message: "The agreement names a course that the person has not passed, or not lately enough (BAA-R18)", NextStep: "Take and pass the course that the agreement names", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return !v.Is("contract_course") }},
	},
}

// contractTraining is what the agreements in force ask of the vendor's people beside
// the organisation's own course: courses of theirs, and for how many months a
// completion counts at the most; 0: as long as it says.
func contractTraining(c *policy.Case, f *policy.Facts) (courses []string, months int) {
	for _, a := range papersInForce(c, f) {
		course, m := agreement.Training(a)
		if course != "" && course != c.View.Settings.Course {
			courses = append(courses, course)
		}
		if m > 0 && (months == 0 || m < months) {
			months = m
		}
	}
	return courses, months
}

// shortened is the completion with the end that the contract's months give it, if
// that is sooner.
func shortened(t *snapshot.Training, months int) *snapshot.Training {
	if end := hipaa.AddMonths(t.CompletedAt, months); months > 0 && end.Before(t.ExpiresAt) {
		short := *t
		short.ExpiresAt = end
		return &short
	}
	return t
}

func passedCourses(c *policy.Case, f *policy.Facts, courses []string, months int) bool {
	for _, course := range courses {
		passed := false
		if c.Person != nil {
			for _, t := range c.View.TrainingsOf(c.Person.ID) {
				t = shortened(t, months)
				passed = passed || t.Course == course && t.Passed && f.Passed(t.CompletedAt) && !f.Passed(t.RevokedAt) && !t.ExpiresAt.IsZero() && !f.Passed(t.ExpiresAt)
			}
		}
		if !passed {
			return false
		}
	}
	return true
}

// How far a completion has come; more is better.
const (
	trainingPassed = iota + 1
	trainingVersion
	trainingNotRevoked
	trainingUnexpired
)

func trainingRank(f *policy.Facts, set snapshot.Settings, t *snapshot.Training) int {
	switch {
	case set.Course == "" || t.Course != set.Course || !t.Passed || !f.Passed(t.CompletedAt):
		return 0
	case !versionAtLeast(t.Version, set.CourseVersion):
		return trainingPassed
	case f.Passed(t.RevokedAt):
		return trainingVersion
	case t.ExpiresAt.IsZero() || f.Passed(t.ExpiresAt):
		return trainingNotRevoked
	}
	return trainingUnexpired
}

// versionAtLeast compares versions such as "2026.1" number by number. What is
// not numbers and dots counts only if it is the same.
func versionAtLeast(have, want string) bool {
	if have == want {
		return want != ""
	}
	h, ok1 := versionNumbers(have)
	w, ok2 := versionNumbers(want)
	if !ok1 || !ok2 {
		return false
	}
	for i := range max(len(h), len(w)) {
		var a, b int
		if i < len(h) {
			a = h[i]
		}
		if i < len(w) {
			b = w[i]
		}
		if a != b {
			return a > b
		}
	}
	return true
}

func versionNumbers(s string) ([]int, bool) {
	var out []int
	for part := range strings.SplitSeq(strings.TrimPrefix(s, "v"), ".") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 {
			return nil, false
		}
		out = append(out, n)
	}
	return out, true
}

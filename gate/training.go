package gate

import (
	_ "embed" // the policy
	"time"

	"github.com/sallyport/sallyport/agreement"
	"github.com/sallyport/sallyport/course"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/snapshot"
)

//go:embed training.cedar
var trainingCedar string

// 45 CFR 164.530(b) binds the organisation's own workforce; a vendor's staff are
// reached by 164.308(a)(5) and by contract. No rule of HIPAA sets an interval: the
// date on the completion is policy. What counts is told in course.Assess.
var training = policy.Gate{
	ID:       "training",
	Title:    "The person's training is current",
	Policy:   trainingCedar,
	Cites:    []string{"S-308-a-5-i", "P-530-b-1", "X-TX-TRAIN"},
	Audience: policy.VendorToo,
	Stage:    policy.AtRequest,
	Known: func(c *policy.Case, f *policy.Facts) {
		courses, months := contractTraining(c, f)
		s := course.Assess(c.View, c.Person, func(t *snapshot.Training) time.Time { return shortened(t, months).ExpiresAt }, f.Passed)
		f.Bool("completed", s.Completed)
		f.Bool("version_current", s.VersionCurrent)
		f.Bool("revoked", s.Revoked)
		f.Bool("modules", len(s.Needs) > 0 && len(s.Missing) == 0)
		f.Bool("track", s.TrackKnown)
		f.Bool("contract_course", passedCourses(c, f, courses, months))
		f.End("expires_at", s.ExpiresAt)
		if s.State == "" || s.StateSigned {
			f.EndOrOpen("state_ends_at", time.Time{})
		} else {
			f.End("state_ends_at", s.StateEndsAt)
		}
		for _, m := range s.Missing {
			f.NoteWord("missing", m)
		}
		if s.Superseded {
			f.NoteWord("lapse", "material")
		}
		if s.Unapproved {
			f.NoteWord("elsewhere", "not-approved")
		}
		if s.State != "" {
			f.NoteWord("state", s.State)
			if s.StateEndsAt.IsZero() {
				f.NoteWord("hired", "unknown")
			}
		}
	},
	Reasons: []policy.Reason{
		{Code: "none", Message: "The person behind the grant has not passed the required training", NextStep: "Take and pass the training", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return !v.Is("completed") && v.Word("elsewhere") != "not-approved" }},
		{Code: "not-approved", Message: "The person was trained elsewhere, by a course that is not approved or no longer is",
			NextStep: "Look at the course and approve it (course approve), or have the person take one that counts", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return !v.Is("completed") && v.Word("elsewhere") == "not-approved" }},
		{Code: "old-version", Message: "The training that was passed is an older version than the one that counts", NextStep: "Take and pass the current version of the training", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return v.Is("completed") && !v.Is("version_current") }},
		{Code: "revoked", Message: "The training completion was revoked", NextStep: "Take and pass the training again", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return v.Is("revoked") }},
		{Code: "expired", Message: "The training completion has expired", NextStep: "Take and pass the training again", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool {
				return v.Is("completed") && v.Ended("expires_at") && v.Word("lapse") != "material"
			}},
		{Code: "superseded", Message: "The course has changed in substance since the training was passed, and the time to take it again is over",
			NextStep: "Take and pass the current version of the training", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool {
				return v.Is("completed") && v.Ended("expires_at") && v.Word("lapse") == "material"
			}},
		{Code: "modules", Message: "The person has not passed every module that their work needs", Detail: "missing",
			NextStep: "Take and pass the course in the person's own track", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool {
				return v.Is("completed") && v.Is("version_current") && !v.Is("revoked") && !v.Is("modules")
			}},
		{Code: "track", Message: "Nobody has said which track of the course the person needs", NextStep: "Assign it: sallyport person assign-training", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return !v.Is("track") }},
		{Code: "state-statement", Message: "State law asks for training with a signed statement by now, and there is none", Detail: "state",
			NextStep: "Take the training and sign the statement at its end", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return v.Ended("state_ends_at") && v.Word("hired") != "unknown" }},
		{Code: "state-hired", Message: "State law counts the time for training from the date of hire, which is not known", Detail: "state",
			NextStep: "Say when the person was hired: sallyport person assign-training; or have the statement signed", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return v.Ended("state_ends_at") && v.Word("hired") == "unknown" }},
		{Code: "contract-course", Message: "The agreement names a course that the person has not passed, or not lately enough (BAA-R18)", NextStep: "Take and pass the course that the agreement names", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return !v.Is("contract_course") }},
	},
}

// contractTraining is what the agreements in force ask of the vendor's people beside
// the organisation's own course: courses of theirs, and for how many months a
// completion counts at the most; 0: as long as it says.
func contractTraining(c *policy.Case, f *policy.Facts) (courses []string, months int) {
	for _, a := range papersInForce(c, f) {
		name, m := agreement.Training(a)
		if name != "" && name != c.View.Settings.Course {
			courses = append(courses, name)
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
	for _, name := range courses {
		passed := false
		if c.Person != nil {
			for _, t := range c.View.TrainingsOf(c.Person.ID) {
				t = shortened(t, months)
				passed = passed || t.Course == name && t.Passed && f.Passed(t.CompletedAt) && !f.Passed(t.RevokedAt) && !t.ExpiresAt.IsZero() && !f.Passed(t.ExpiresAt)
			}
		}
		if !passed {
			return false
		}
	}
	return true
}

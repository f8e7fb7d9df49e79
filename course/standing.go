package course

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport/sallyport/snapshot"
)

// Standing is where a person stands with their training, by the record alone. The
// gate "training" decides by it, and the person's own page shows it.
type Standing struct {
	Completed      bool // a completion of a course that counts
	VersionCurrent bool // in a version that counts
	Revoked        bool // and the best there is was revoked
	Unapproved     bool // there is a completion of a course that nobody approved
	TrackKnown     bool // a track is assigned, or none is required
	Needs          []string
	Missing        []string // of Needs: without a completion that counts
	// ExpiresAt is when the first of what is needed runs out; zero: it is not there.
	ExpiresAt time.Time
	// Superseded: what ends it is a material change, not the refresh.
	Superseded bool
	// State law: whether it applies, whether its statement is signed, and until when
	// the person may work without. A zero StateEndsAt is an unknown date of hire.
	State       string
	StateSigned bool
	StateEndsAt time.Time
	// Best is the completion that tells most about the person's standing.
	Best *snapshot.Training
}

// Current says whether the training counts, where passed says whether a time has come.
func (s Standing) Current(passed func(time.Time) bool) bool {
	over := func(end time.Time) bool { return end.IsZero() || passed(end) }
	return s.Completed && s.VersionCurrent && !s.Revoked && s.TrackKnown && len(s.Missing) == 0 && !over(s.ExpiresAt) &&
		(s.State == "" || s.StateSigned || !over(s.StateEndsAt))
}

// How far a completion has come; more is better.
const (
	rankPassed = iota + 1
	rankVersion
	rankNotRevoked
	rankUnexpired
)

// Assess looks at a person's completions. expires says when the refresh of a completion
// is due, where a contract makes that sooner; nil: as the completion says. passed says
// whether a time has come; a gate remembers which times it asked for.
func Assess(v *snapshot.View, p *snapshot.Person, expires func(*snapshot.Training) time.Time, passed func(time.Time) bool) Standing {
	if p == nil {
		return Standing{}
	}
	if expires == nil {
		expires = func(t *snapshot.Training) time.Time { return t.ExpiresAt }
	}
	set := v.Settings
	_, known := TrackOf(p.Track)
	s := Standing{Needs: Needs(p), TrackKnown: known || p.Track == "" && !set.RequireTrack}
	overlay, applies := OverlayOf(WorksIn(p))
	cover := map[string]lapse{}
	best := 0
	for _, t := range v.TrainingsOf(p.ID) { // oldest completion first
		teaches, counts := Counts(v, t)
		if !counts && t.Passed && knownCourse(v, t) {
			s.Unapproved = true
		}
		if !counts || !t.Passed || !passed(t.CompletedAt) {
			continue
		}
		end := lapses(v, t, expires(t))
		rank := rankUnexpired
		switch {
		case t.Course == set.Course && !VersionAtLeast(t.Version, set.CourseVersion):
			rank = rankPassed
		case passed(t.RevokedAt):
			rank = rankVersion
		case end.at.IsZero() || passed(end.at):
			rank = rankNotRevoked
		}
		if rank >= best {
			best, s.Best = rank, t
			s.ExpiresAt, s.Superseded = end.at, end.material
		}
		if rank < rankNotRevoked {
			continue
		}
		if applies && t.Statement.In == overlay.Region && !t.Statement.SignedAt.IsZero() && passed(t.Statement.SignedAt) {
			s.StateSigned = true
		}
		if teaches == nil && p.Track == "" {
			teaches = Base // the organisation's own course is what it says counts
		}
		for _, m := range teaches {
			if end.at.After(cover[m].at) || cover[m].at.IsZero() {
				cover[m] = end
			}
		}
	}
	s.Completed, s.VersionCurrent = best >= rankPassed, best >= rankVersion
	s.Revoked = best == rankVersion
	if best >= rankNotRevoked {
		s.ends(cover)
	}
	if applies {
		s.State, s.StateEndsAt = overlay.Region, overlay.Deadline(p.HiredAt)
	}
	return s
}

// ends finds what is missing, and what runs out first.
func (s *Standing) ends(cover map[string]lapse) {
	var firstEnd lapse
	for i, m := range s.Needs {
		end, ok := cover[m]
		if !ok {
			s.Missing = append(s.Missing, m)
		}
		if i == 0 || end.at.Before(firstEnd.at) {
			firstEnd = end
		}
	}
	if len(s.Missing) == 0 {
		s.ExpiresAt, s.Superseded = firstEnd.at, firstEnd.material
	}
}

// lapse is when a completion stops counting.
type lapse struct {
	at       time.Time
	material bool
}

// lapses is the refresh, or the end of the grace that a material change gives.
func lapses(v *snapshot.View, t *snapshot.Training, expires time.Time) lapse {
	end := lapse{at: expires}
	for _, c := range v.Courses.All() {
		// One that was retired since has not made the older ones good again.
		if c.Material && c.Course == t.Course && (c.State == snapshot.Approved || !c.ApprovedAt.IsZero()) && !VersionAtLeast(t.Version, c.Version) && c.GraceEnds.Before(end.at) {
			end = lapse{c.GraceEnds, true}
		}
	}
	return end
}

// Counts says whether the course of a completion is one that counts, and which modules
// the completion stands for; nil where that is not known. The organisation's own course
// counts because it is configured, any other because two people approved it.
func Counts(v *snapshot.View, t *snapshot.Training) (teaches []string, counts bool) {
	if v.Settings.Course != "" && t.Course == v.Settings.Course {
		return t.Modules, true
	}
	c, ok := Approved(v, t.Course, t.Version)
	if !ok || t.Score < c.PassMark {
		return nil, false
	}
	teaches = c.Covers
	if len(t.Modules) > 0 { // what the person did of it
		teaches = slices.DeleteFunc(slices.Clone(t.Modules), func(m string) bool { return !slices.Contains(c.Covers, m) })
	}
	return teaches, true
}

// Approved finds the approved course of that name and version.
func Approved(v *snapshot.View, name, version string) (*snapshot.Course, bool) {
	for _, c := range v.Courses.All() {
		if c.Course == name && c.Version == version && c.State == snapshot.Approved && c.ApprovedBy != "" && c.ApprovedBy != c.RequestedBy {
			return c, true
		}
	}
	return nil, false
}

func knownCourse(v *snapshot.View, t *snapshot.Training) bool {
	for _, c := range v.Courses.All() {
		if c.Course == t.Course && c.Version == t.Version {
			return true
		}
	}
	return false
}

// VersionAtLeast compares versions such as "2026.1" number by number. What is
// not numbers and dots counts only if it is the same.
func VersionAtLeast(have, want string) bool {
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

package breach

import (
	"cmp"
	"slices"
	"time"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// Neglect is an incident or a finding about which nobody has done anything for too
// long. What the organisation was told it knows, and a pattern that it knows of and
// does not end is its own violation (45 CFR 164.504(e)(1)(ii)).
type Neglect struct {
	Subject snapshot.Subject `json:"subject"`
	Title   string           `json:"title"`
	Vendor  id.Vendor        `json:"vendor,omitempty"`
	Since   time.Time        `json:"since"` // when somebody last did something about it
	For     time.Duration    `json:"for"`
	// Limit is the organisation's own number (policy); no law sets one.
	Limit    time.Duration  `json:"limit"`
	Citation hipaa.Citation `json:"citation"`
}

// Ignored lists the open incidents and the unsettled findings about which nobody has
// done anything for longer than the settings allow, the longest first.
func Ignored(v *snapshot.View, now time.Time) []Neglect {
	var out []Neglect
	limit := v.Settings.IncidentIgnoredAfter
	add := func(s snapshot.Subject, title string, vendor id.Vendor, since time.Time) {
		if now.Sub(since) > limit {
			out = append(out, Neglect{Subject: s, Title: title, Vendor: vendor, Since: since, For: now.Sub(since), Limit: limit, Citation: hipaa.MustCite("P-504-e-1-ii")})
		}
	}
	for _, in := range v.Incidents.All() {
		if in.Open() {
			add(snapshot.Subject{Noun: snapshot.NounIncident, ID: string(in.ID)}, in.Title, in.Vendor, later(in.OpenedAt, in.MovedAt))
		}
	}
	for _, f := range v.Findings.All() {
		if f.Settled == "" {
			add(snapshot.Subject{Noun: snapshot.NounFinding, ID: string(f.ID)}, f.Title, f.Vendor, f.RaisedAt)
		}
	}
	slices.SortStableFunc(out, func(a, b Neglect) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Subject.ID, b.Subject.ID))
	})
	return out
}

// IgnoredFrom is the moment from which an open incident counts as ignored, if nobody does
// anything about it until then.
func IgnoredFrom(in *snapshot.Incident, limit time.Duration) time.Time {
	return later(in.OpenedAt, in.MovedAt).Add(limit)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

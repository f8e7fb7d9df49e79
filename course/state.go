package course

import (
	"slices"
	"time"

	"github.com/sallyport/sallyport/snapshot"
)

// Overlay is what a State adds to training.
type Overlay struct {
	Region    string   // ISO 3166-2: "US-TX"
	Name      string   // of the State
	Control   string   // its control in package hipaa
	Days      int      // after the date of hire, the last of them whole
	Signed    bool     // the person signs a statement, electronic or written
	KeepYears int      // the statement is kept so long
	Modules   []string // needed besides those of the track, because they teach the State's law
	Says      string
}

// Overlays lists the States whose law is modelled. A State that is not here is not
// cleared: its law may ask for something that only people check.
var Overlays = []Overlay{
	{Region: "US-TX", Name: "Texas", Control: "X-TX-TRAIN", Days: 90, Signed: true, KeepYears: 6, Modules: []string{"M6"},
		Says: "Training on State and federal law by the 90th day after hire, with a signed statement that is kept for six years"},
}

// OverlayOf finds the overlay of the region where a person works.
func OverlayOf(region string) (Overlay, bool) {
	for _, o := range Overlays {
		if o.Region == region {
			return o, true
		}
	}
	return Overlay{}, false
}

// WorksIn is the region by which State law is chosen: where the person works, as was
// said for training, or else the region of their enrolment.
func WorksIn(p *snapshot.Person) string {
	if p.WorkState != "" {
		return p.WorkState
	}
	return p.Region
}

// Deadline is when a person without the State's statement may work no longer: the
// end, in UTC, of the last day. UTC is ahead of every State, so it is never late.
// The zero time stands for an unknown date of hire.
func (o Overlay) Deadline(hired time.Time) time.Time {
	if hired.IsZero() {
		return time.Time{}
	}
	y, m, d := hired.UTC().Date()
	return time.Date(y, m, d+o.Days+1, 0, 0, 0, 0, time.UTC)
}

// Needs are the modules that the person must have passed: those of the track, or the
// base where they have none, and what State law adds. An unknown track needs what
// nobody can have passed.
func Needs(p *snapshot.Person) []string {
	need := slices.Clone(Base)
	if p.Track != "" {
		t, ok := TrackOf(p.Track)
		if !ok {
			return []string{"unknown track"}
		}
		need = slices.Clone(t.Modules)
	}
	if o, ok := OverlayOf(WorksIn(p)); ok && p.Track != "" {
		need = append(need, o.Modules...)
	}
	slices.Sort(need)
	return slices.Compact(need)
}

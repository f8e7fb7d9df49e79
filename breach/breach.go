// Package breach knows what follows from an incident: by when who must be told,
// whether it is a breach, and what the notices must say (45 CFR 164.400 to 414).
//
// Four questions, four functions: Due lists every clock, from the law's data and
// from the contract; Conclude says whether it is a breach, which it is unless an
// assessment that a second person approved shows otherwise; Draft writes a notice;
// Story tells a whole incident in order. Ignored lists what nobody looks at.
//
// It is pure: the time and the time zone are arguments. No patient is known here.
// Drafts to individuals have fields for a mail merge, and who is told is a release of
// its own.
//
// This is engineering, not legal advice. Where the rule leaves a choice, the earlier
// date is taken, and the deadline says so.
package breach

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/problem"
)

// Clock is a time limit of the law, as the catalogue has it.
type Clock struct {
	Trigger string `json:"trigger"`
	Max     int    `json:"max"`
	Unit    string `json:"unit"`  // "days", "months", "years"
	Basis   string `json:"basis"` // "calendar" or "business"
	Also    string `json:"also,omitempty"`
	Note    string `json:"note,omitempty"`
}

// Reckoned are the controls whose clocks Due runs for incidents.
var Reckoned = []string{"G-410-c", "G-414", "S-316-b-2-i", "P-530-e-2", "P-530-j-2", "B-404-b", "B-404-d-2-ii", "B-406", "B-408-b", "B-408-c", "B-410-b", "B-412-b", "X-P2-BREACH", "X-CA-15BD"}

// LawClock is the clock of a control, with its citation. It fails for a control that
// is not in the catalogue or has no clock.
func LawClock(control string) (Clock, hipaa.Citation, error) {
	c, ok := hipaa.LookupControl(control)
	if !ok || len(c.Clock) == 0 || string(c.Clock) == "null" {
		return Clock{}, hipaa.Citation{}, problem.BadField("control", fmt.Sprintf("%q has no clock in the catalogue", control), "Use the id of one that has")
	}
	var out Clock
	if err := json.Unmarshal(c.Clock, &out); err != nil || out.Max <= 0 {
		return Clock{}, hipaa.Citation{}, problem.BadField("control", fmt.Sprintf("the clock of %q does not read", control), "Mend the catalogue").Because(err)
	}
	return out, c.Cite(), nil
}

// Zone is the time zone with this IANA name; empty: UTC. The data is Go's own: what
// is compiled in, where the machine has none.
func Zone(name string) (*time.Location, error) {
	if name == "" {
		return time.UTC, nil
	}
	if name == "Local" {
		return nil, problem.BadField("time_zone", `"Local" is a machine's setting, not a zone`, "Write an IANA name such as America/New_York")
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, problem.BadField("time_zone", fmt.Sprintf("%q is not a time zone", name), "Write an IANA name such as America/New_York").Because(err)
	}
	return zone, nil
}

// tick is the finest time that the registry tells apart.
const tick = time.Microsecond

// date is a day of the calendar, kept as midnight UTC so that days can be counted
// without a clock change between them.
type date time.Time

func dateOf(t time.Time, zone *time.Location) date {
	y, m, d := t.In(zone).Date()
	return date(time.Date(y, m, d, 0, 0, 0, 0, time.UTC))
}

func (d date) plusDays(n int) date { return date(time.Time(d).AddDate(0, 0, n)) }

func (d date) before(e date) bool { return time.Time(d).Before(time.Time(e)) }

func (d date) String() string { return time.Time(d).Format(time.DateOnly) }

// plus adds n units. February 29 and n years that lead to a year without one give
// March 1, which is later: these limits are minimum times to keep things.
func (d date) plus(n int, unit string) date {
	switch unit {
	case "years":
		return date(time.Time(d).AddDate(n, 0, 0))
	case "months":
		return date(time.Time(d).AddDate(0, n, 0))
	default:
		return d.plusDays(n)
	}
}

// start is the first moment of the day in the zone. Where clocks change at midnight
// the day begins at another hour, and a zone can leave out a day: then it is the
// first moment after it.
func (d date) start(zone *time.Location) time.Time {
	y, m, day := time.Time(d).Date()
	t := time.Date(y, m, day, 0, 0, 0, 0, zone)
	const step = 15 * time.Minute // every change of a clock is a multiple of it
	for dateOf(t, zone).before(d) {
		t = t.Add(step)
	}
	for !dateOf(t.Add(-step), zone).before(d) {
		t = t.Add(-step)
	}
	return t
}

// end is the last moment of the day in the zone.
func (d date) end(zone *time.Location) time.Time { return d.plusDays(1).start(zone).Add(-tick) }

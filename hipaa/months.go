package hipaa

import "time"

// AddMonths adds calendar months. Where the month has no such day its last one stands
// for it: a year after 29 February is 28 February, not 1 March. Rules that end sooner
// by a day are kept; rules that end later by one are not.
func AddMonths(t time.Time, months int) time.Time {
	first := time.Date(t.Year(), t.Month(), 1, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), t.Location()).AddDate(0, months, 0)
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(t.Day(), last)-1)
}

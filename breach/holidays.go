package breach

import (
	"time"

	"github.com/sallyport/sallyport/hipaa"
)

// Holidays says where the table of holidays below comes from: nobody has compared it
// with the statute.
var Holidays = hipaa.Citation{Text: "Cal. Gov. Code 6700; Cal. Gov. Code 19853 (days on which State offices close)", Verified: hipaa.Recall}

// holiday is a day of each year: of the month, or the nth weekday of it (-1: the
// last), and so many days after that.
type holiday struct {
	month   time.Month
	day     int
	nth     int
	weekday time.Weekday
	after   int
}

// californiaHolidays are the days on which offices of the State are closed. Days that
// are named by law and on which they are open (June 19, September 9, the second Monday
// of October) are left out: that makes the fifteenth business day earlier, never later.
var californiaHolidays = []holiday{
	{month: time.January, day: 1},
	{month: time.January, nth: 3, weekday: time.Monday},
	{month: time.February, nth: 3, weekday: time.Monday},
	{month: time.March, day: 31},
	{month: time.May, nth: -1, weekday: time.Monday},
	{month: time.July, day: 4},
	{month: time.September, nth: 1, weekday: time.Monday},
	{month: time.November, day: 11},
	{month: time.November, nth: 4, weekday: time.Thursday},
	{month: time.November, nth: 4, weekday: time.Thursday, after: 1},
	{month: time.December, day: 25},
}

func (h holiday) in(year int) date {
	switch {
	case h.nth > 0:
		first := time.Date(year, h.month, 1, 0, 0, 0, 0, time.UTC)
		ahead := (int(h.weekday) - int(first.Weekday()) + 7) % 7
		return date(first.AddDate(0, 0, ahead+7*(h.nth-1)+h.after))
	case h.nth < 0:
		last := time.Date(year, h.month+1, 0, 0, 0, 0, 0, time.UTC)
		back := (int(last.Weekday()) - int(h.weekday) + 7) % 7
		return date(last.AddDate(0, 0, -back))
	}
	on := time.Date(year, h.month, h.day, 0, 0, 0, 0, time.UTC)
	if on.Weekday() == time.Sunday {
		on = on.AddDate(0, 0, 1) // the Monday is the holiday; one on a Saturday moves nothing
	}
	return date(on)
}

// businessDay reports whether the day is a weekday and no holiday of the State.
func businessDay(d date) bool {
	if w := time.Time(d).Weekday(); w == time.Saturday || w == time.Sunday {
		return false
	}
	for _, h := range californiaHolidays {
		if h.in(time.Time(d).Year()) == d {
			return false
		}
	}
	return true
}

// plusBusiness is the nth business day after the day.
func (d date) plusBusiness(n int) date {
	for n > 0 {
		d = d.plusDays(1)
		if businessDay(d) {
			n--
		}
	}
	return d
}

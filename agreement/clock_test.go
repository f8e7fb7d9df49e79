package agreement_test

import (
	"testing"
	"time"
	_ "time/tzdata" // the test is the same on a machine without zone data

	"github.com/sallyport/sallyport/agreement"
)

// Hours are exact in the night on which the clocks go back, too: half past one comes
// twice, and a clock that begins at the second does not begin at the first.
func TestHoursWhenTheClocksGoBack(t *testing.T) {
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	for _, began := range []time.Time{
		time.Date(2026, 11, 1, 5, 30, 0, 0, time.UTC), // 01:30 EDT
		time.Date(2026, 11, 1, 6, 30, 0, 0, time.UTC), // 01:30 EST
		time.Date(2026, 3, 8, 7, 30, 0, 0, time.UTC),  // 03:30 EDT, an hour after 01:30 EST
	} {
		got := agreement.Clock{Hours: 24}.Due(began.In(zone))
		if want := began.Add(24 * time.Hour); !got.Equal(want) {
			t.Errorf("24 hours from %v: got %v, want %v", began.In(zone), got, want.In(zone))
		}
	}
	// Days are days of the calendar: the same time of day, whatever the clocks did between.
	got := agreement.Clock{Days: 2}.Due(time.Date(2026, 10, 31, 9, 0, 0, 0, zone))
	if want := time.Date(2026, 11, 2, 9, 0, 0, 0, zone); !got.Equal(want) {
		t.Errorf("two days over the change: got %v, want %v", got, want)
	}
}

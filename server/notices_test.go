package server

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/reminder"
	"github.com/sallyport/sallyport/snapshot"
)

// TestLooksAreFewWhereTheyTakeLong: acts never cease, and each would have all grants
// decided again, over a year.
func TestLooksAreFewWhereTheyTakeLong(t *testing.T) {
	v := (&snapshot.View{}).Edit().Publish(7, 7, time.Time{})
	now := time.Date(2027, 1, 10, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		version  uint64
		took, in time.Duration
		want     bool
	}{
		{7, 0, time.Minute, false}, {7, 0, lookEvery + 1, true}, {7, time.Hour, -1, true},
		{6, 0, 2 * tellEvery, false}, {6, 0, 2*tellEvery + 1, true},
		{6, time.Second, 50 * time.Second, false}, {6, time.Second, 51 * time.Second, true}, {6, -time.Hour, 3 * time.Second, true},
		{6, time.Minute, lookEvery + 1, true},
	} {
		teller := &teller{version: tt.version, took: tt.took, looked: now}
		if got := teller.due(v, now.Add(tt.in)); got != tt.want {
			t.Errorf("%+v: got %v", tt, got)
		}
	}
}

// TestDigestsAndQuietHours go by the clock on the wall, over midnight and over the days
// on which it jumps.
func TestDigestsAndQuietHours(t *testing.T) {
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Skip("this machine has no time zones")
	}
	at := func(text string) time.Time {
		t.Helper()
		u, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	for _, tt := range []struct{ created, digest, want string }{
		{"2027-01-10T12:29:59Z", "07:30", "2027-01-10T12:30:00Z"},
		{"2027-01-10T12:30:00Z", "07:30", "2027-01-10T12:30:00Z"},
		{"2027-01-10T12:30:01Z", "07:30", "2027-01-11T12:30:00Z"},
		{"2027-03-13T12:31:00Z", "07:30", "2027-03-14T11:30:00Z"}, // clocks went forward: a day of 23 hours
		{"2027-11-06T11:31:00Z", "07:30", "2027-11-07T12:30:00Z"}, // and back
		{"2028-02-28T13:00:00Z", "07:30", "2028-02-29T12:30:00Z"},
		{"2027-12-31T20:00:00Z", "07:30", "2028-01-01T12:30:00Z"},
	} {
		if got := digestAfter(at(tt.created), tt.digest, zone); !got.Equal(at(tt.want)) {
			t.Errorf("after %s: got %s, want %s", tt.created, got.UTC(), tt.want)
		}
	}
	night, noon := Hours{"20:00", "07:00"}, Hours{"12:00", "13:00"}
	for _, tt := range []struct {
		at   string
		h    Hours
		want bool
	}{
		{"2027-01-11T00:59:00Z", night, false}, {"2027-01-11T01:00:00Z", night, true}, {"2027-01-11T05:00:00Z", night, true},
		{"2027-01-11T11:59:00Z", night, true}, {"2027-01-11T12:00:00Z", night, false},
		{"2027-07-11T10:59:00Z", night, true}, {"2027-07-11T11:00:00Z", night, false}, // summer
		{"2027-01-11T16:59:00Z", noon, false}, {"2027-01-11T17:00:00Z", noon, true}, {"2027-01-11T18:00:00Z", noon, false},
	} {
		if got := quiet(at(tt.at), tt.h, zone); got != tt.want {
			t.Errorf("%s in %v: got %v", tt.at, tt.h, got)
		}
	}
	for n, want := range map[int]time.Duration{1: firstPause, 2: 2 * firstPause, 8: longPause, 1000: longPause} {
		if got := pause(n); got != want {
			t.Errorf("after %d attempts: a pause of %s, want %s", n, got, want)
		}
	}
}

// A vendor hears on which page it sends the next certificate, and not who of the
// organisation did what; the organisation hears the reverse.
func TestWhatIsSaidBesides(t *testing.T) {
	n := reminder.Notice{By: "By grace.", Page: "/console/my/certificates"}
	for _, c := range []struct {
		vendor bool
		people string
		want   string
	}{
		{false, "https://people.example", "\nBy grace."},
		{true, "https://people.example", "\nOn your page: https://people.example/console/my/certificates"},
		{true, "", ""},
	} {
		if got := aside(n, c.vendor, c.people); got != c.want {
			t.Errorf("vendor %v, %q: got %q, want %q", c.vendor, c.people, got, c.want)
		}
	}
}

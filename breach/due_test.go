package breach

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the tests are the same on a machine without zone data

	"github.com/sallyport/sallyport/agreement"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := Zone(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func at(t *testing.T, text string) time.Time {
	t.Helper()
	if text == "" {
		return time.Time{}
	}
	v, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// counted is an affected count that somebody made.
func counted(n int, states ...any) snapshot.Affected {
	a := snapshot.Affected{Individuals: n, CountedAt: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), CountedBy: "grace"}
	for i := 0; i < len(states); i += 2 {
		if a.ByState == nil {
			a.ByState = map[string]int{}
		}
		a.ByState[states[i].(string)] = states[i+1].(int)
	}
	return a
}

const (
	newYork  = "America/New_York"
	wantNone = "none"
)

// hours24 is a contract of 24 hours for a breach and 8 for an incident.
var hours24 = Contract{Clocks: []ContractClock{
	{agreement.Clock{ID: agreement.BreachNotice, Term: "BAA-R20", Hours: 24, Agreement: "baa"}, "breach", hipaa.MustCite("B-410-b")},
	{agreement.Clock{ID: agreement.IncidentNotice, Term: "BAA-R21", Hours: 8, Agreement: "baa"}, "incident", hipaa.MustCite("S-314-a-2-i-C")}}}

// Each clock at its boundaries: the last moment in time and the first that is late.
// The last moment of a day in a zone is a microsecond before its next day begins.
func TestEveryClockAtItsBoundaries(t *testing.T) {
	vendorKnew := func(in *snapshot.Incident) { in.DiscoveredBy, in.Vendor = snapshot.VendorParty, "northwind" }
	for _, c := range []struct {
		what, key, zone      string
		occurred, discovered string // RFC 3339
		reported             string
		change               func(*snapshot.Incident)
		due, lastDay         string
	}{
		// 164.404(b): 60 calendar days after discovery.
		{"60 days after", "B-404-b", "", "", "2026-01-01T10:00:00Z", "", nil, "2026-03-02T23:59:59.999999Z", "2026-03-02"},
		{"60 days over a leap day", "B-404-b", "", "", "2028-01-01T10:00:00Z", "", nil, "2028-03-01T23:59:59.999999Z", "2028-03-01"},
		{"the day is the zone's, not UTC's", "B-404-b", newYork, "", "2026-01-02T03:00:00Z", "", nil, "2026-03-03T04:59:59.999999Z", "2026-03-02"},
		{"a zone ahead of UTC", "B-404-b", "Pacific/Auckland", "", "2026-01-01T12:30:00Z", "", nil, "2026-03-03T10:59:59.999999Z", "2026-03-03"},
		{"the clock goes forward in between", "B-404-b", newYork, "", "2026-02-01T12:00:00Z", "", nil, "2026-04-03T03:59:59.999999Z", "2026-04-02"},
		{"the clock goes back in between", "B-404-b", newYork, "", "2026-10-01T12:00:00Z", "", nil, "2026-12-01T04:59:59.999999Z", "2026-11-30"},
		{"the last day has 23 hours", "B-404-b", newYork, "", "2026-01-07T12:00:00Z", "", nil, "2026-03-09T03:59:59.999999Z", "2026-03-08"},
		{"the last day has 25 hours", "B-404-b", newYork, "", "2026-09-02T12:00:00Z", "", nil, "2026-11-02T04:59:59.999999Z", "2026-11-01"},
		{"the day after begins at one o'clock", "B-404-b", "America/Santiago", "", "2026-07-07T15:00:00Z", "", nil, "2026-09-06T03:59:59.999999Z", "2026-09-05"},
		{"the zone leaves the next day out", "B-404-b", "Pacific/Apia", "", "2011-10-30T23:00:00Z", "", nil, "2011-12-30T09:59:59.999999Z", "2011-12-29"},

		// Discovery (164.404(a)(2)): the agent's is the owner's.
		{"told by a vendor that is no agent", "B-404-b", "", "", "2026-01-01T10:00:00Z", "2026-01-20T10:00:00Z",
			func(in *snapshot.Incident) { vendorKnew(in); in.Agent = snapshot.No }, "2026-03-21T23:59:59.999999Z", "2026-03-21"},
		{"told by a vendor that is an agent", "B-404-b", "", "", "2026-01-01T10:00:00Z", "2026-01-20T10:00:00Z",
			func(in *snapshot.Incident) { vendorKnew(in); in.Agent = snapshot.Yes }, "2026-03-02T23:59:59.999999Z", "2026-03-02"},
		{"nobody decided whether it is an agent", "B-404-b", "", "", "2026-01-01T10:00:00Z", "2026-01-20T10:00:00Z", vendorKnew, "2026-03-02T23:59:59.999999Z", "2026-03-02"},
		{"the owner should have known before it was told", "B-404-b", "", "", "2026-01-01T10:00:00Z", "2026-01-20T10:00:00Z",
			func(in *snapshot.Incident) {
				vendorKnew(in)
				in.Agent, in.KnowableAt = snapshot.No, at(t, "2026-01-10T00:00:00Z")
			}, "2026-03-11T23:59:59.999999Z", "2026-03-11"},

		// 164.410(b), from the vendor's own discovery.
		{"the vendor's 60 days", "B-410-b", "", "", "2026-01-01T10:00:00Z", "2026-01-20T10:00:00Z", vendorKnew, "2026-03-02T23:59:59.999999Z", "2026-03-02"},
		{"the owner knew by itself", "B-410-b", "", "", "2026-01-01T10:00:00Z", "", nil, wantNone, ""},

		// The contract's hours are exact, whatever the clocks on the wall do.
		{"24 hours", "BAA-R20", newYork, "", "2026-01-01T10:00:00Z", "2026-01-20T10:00:00Z", vendorKnew, "2026-01-02T10:00:00Z", ""},
		{"24 hours, one of which does not exist", "BAA-R20", newYork, "", "2026-03-07T18:00:00Z", "2026-03-20T10:00:00Z", vendorKnew, "2026-03-08T18:00:00Z", ""},
		{"24 hours, one of which comes twice", "BAA-R20", newYork, "", "2026-10-31T18:00:00Z", "2026-11-20T10:00:00Z", vendorKnew, "2026-11-01T18:00:00Z", ""},
		{"8 hours for an incident", "BAA-R21", "", "", "2026-01-01T20:00:00Z", "2026-01-20T10:00:00Z", vendorKnew, "2026-01-02T04:00:00Z", ""},
		{"an official's statement does not delay the contract", "BAA-R20", "", "", "2026-01-01T10:00:00Z", "2026-01-20T10:00:00Z", func(in *snapshot.Incident) {
			vendorKnew(in)
			in.Delays = []snapshot.EnforcementDelay{{At: at(t, "2026-01-01T11:00:00Z"), Official: "X"}}
		}, "2026-01-02T10:00:00Z", ""},

		// 164.408: 500 or more in all, contemporaneously; under 500, the year's log.
		{"499 go into the year's log", "B-408-c", "", "", "2026-06-01T10:00:00Z", "", func(in *snapshot.Incident) { in.Affected = counted(499) }, "2027-03-01T23:59:59.999999Z", "2027-03-01"},
		{"500 do not", "B-408-c", "", "", "2026-06-01T10:00:00Z", "", func(in *snapshot.Incident) { in.Affected = counted(500) }, wantNone, ""},
		{"the year's log before a leap year's March", "B-408-c", "", "", "2027-06-01T10:00:00Z", "", func(in *snapshot.Incident) { in.Affected = counted(1) }, "2028-02-29T23:59:59.999999Z", "2028-02-29"},
		{"the year of discovery is the zone's", "B-408-c", newYork, "", "2027-01-01T04:59:59Z", "", func(in *snapshot.Incident) { in.Affected = counted(1) }, "2027-03-02T04:59:59.999999Z", "2027-03-01"},
		{"a second later it is the next year's", "B-408-c", newYork, "", "2027-01-01T05:00:00Z", "", func(in *snapshot.Incident) { in.Affected = counted(1) }, "2028-03-01T04:59:59.999999Z", "2028-02-29"},
		{"the Secretary for 500", "B-408-b", "", "", "2026-01-01T10:00:00Z", "", func(in *snapshot.Incident) { in.Affected = counted(500) }, "2026-03-02T23:59:59.999999Z", "2026-03-02"},
		{"the Secretary for 499", "B-408-b", "", "", "2026-01-01T10:00:00Z", "", func(in *snapshot.Incident) { in.Affected = counted(499) }, wantNone, ""},
		{"the Secretary, while nobody has counted", "B-408-b", "", "", "2026-01-01T10:00:00Z", "", nil, "2026-03-02T23:59:59.999999Z", "2026-03-02"},
		{"the Secretary with the individuals", "B-408-b", "", "", "2026-01-01T10:00:00Z", "", func(in *snapshot.Incident) {
			in.Affected = counted(600)
			in.Notices = []snapshot.Notice{{To: snapshot.ToIndividuals, At: at(t, "2026-02-01T09:00:00Z"), Count: 600}}
		}, "2026-02-01T23:59:59.999999Z", "2026-02-01"},

		// 164.406: more than 500 residents of one State.
		{"501 of one State", "B-406:US-MA", "", "", "2026-01-01T10:00:00Z", "", func(in *snapshot.Incident) { in.Affected = counted(600, "US-MA", 501, "US-NH", 99) }, "2026-03-02T23:59:59.999999Z", "2026-03-02"},
		{"500 of one State", "B-406:US-MA", "", "", "2026-01-01T10:00:00Z", "", func(in *snapshot.Incident) { in.Affected = counted(600, "US-MA", 500, "US-NH", 100) }, wantNone, ""},
		{"600 of nobody knows which", "B-406", "", "", "2026-01-01T10:00:00Z", "", func(in *snapshot.Incident) { in.Affected = counted(600) }, "2026-03-02T23:59:59.999999Z", "2026-03-02"},
		{"600 of two States, 500 at most in one", "B-406", "", "", "2026-01-01T10:00:00Z", "", func(in *snapshot.Incident) { in.Affected = counted(600, "US-MA", 100) }, wantNone, ""},

		// 164.404(d)(2)(ii): posted for 90 days, where 10 or more cannot be reached.
		{"posted for 90 days", "B-404-d-2-ii", "", "", "2026-01-01T10:00:00Z", "", func(in *snapshot.Incident) {
			in.Affected = counted(20)
			in.Affected.Unreachable = 10
			in.Notices = []snapshot.Notice{{To: snapshot.ToSubstitute, At: at(t, "2026-01-15T10:00:00Z")}}
		}, "2026-04-15T23:59:59.999999Z", "2026-04-15"},
		{"to be posted", "B-404-d-2-ii", "", "", "2026-01-01T10:00:00Z", "", func(in *snapshot.Incident) { in.Affected = counted(20); in.Affected.Unreachable = 10 }, "2026-03-02T23:59:59.999999Z", "2026-03-02"},
		{"nine can be told in other ways", "B-404-d-2-ii", "", "", "2026-01-01T10:00:00Z", "", func(in *snapshot.Incident) { in.Affected = counted(20); in.Affected.Unreachable = 9 }, wantNone, ""},

		// 164.412.
		{"an oral statement ends after 30 days", "B-412-b", "", "", "2026-01-01T10:00:00Z", "", func(in *snapshot.Incident) {
			in.Delays = []snapshot.EnforcementDelay{{At: at(t, "2026-01-30T10:00:00Z"), Official: "X"}}
		}, "2026-03-01T23:59:59.999999Z", "2026-03-01"},
		{"and before, if it says so", "B-412-b", "", "", "2026-01-01T10:00:00Z", "", func(in *snapshot.Incident) {
			in.Delays = []snapshot.EnforcementDelay{{At: at(t, "2026-01-30T10:00:00Z"), Until: at(t, "2026-02-02T00:00:00Z"), Official: "X"}}
		}, "2026-02-02T00:00:00Z", "2026-02-02"},
		{"but not after", "B-412-b", "", "", "2026-01-01T10:00:00Z", "", func(in *snapshot.Incident) {
			in.Delays = []snapshot.EnforcementDelay{{At: at(t, "2026-01-30T10:00:00Z"), Until: at(t, "2026-09-01T00:00:00Z"), Official: "X"}}
		}, "2026-03-01T23:59:59.999999Z", "2026-03-01"},
		{"a written one until its time", "B-412-a", "", "", "2026-01-01T10:00:00Z", "", func(in *snapshot.Incident) {
			in.Delays = []snapshot.EnforcementDelay{{Written: true, At: at(t, "2026-01-30T10:00:00Z"), Until: at(t, "2026-09-01T00:00:00Z"), Official: "X"}}
		}, "2026-09-01T00:00:00Z", "2026-09-01"},
		{"an oral one that ends within the 60 days moves nothing", "B-404-b", "", "", "2026-01-01T10:00:00Z", "", func(in *snapshot.Incident) {
			in.Delays = []snapshot.EnforcementDelay{{At: at(t, "2026-01-30T10:00:00Z"), Official: "X"}}
		}, "2026-03-02T23:59:59.999999Z", "2026-03-02"},
		{"a written one moves the 60 days", "B-404-b", "", "", "2026-01-01T10:00:00Z", "", func(in *snapshot.Incident) {
			in.Delays = []snapshot.EnforcementDelay{{Written: true, At: at(t, "2026-03-02T10:00:00Z"), Until: at(t, "2026-09-01T00:00:00Z"), Official: "X"}}
		}, "2026-09-01T00:00:00Z", "2026-09-01"},
		{"a statement that came too late mends nothing", "B-404-b", "", "", "2026-01-01T10:00:00Z", "", func(in *snapshot.Incident) {
			in.Delays = []snapshot.EnforcementDelay{{Written: true, At: at(t, "2026-03-03T00:00:00Z"), Until: at(t, "2026-09-01T00:00:00Z"), Official: "X"}}
		}, "2026-03-02T23:59:59.999999Z", "2026-03-02"},

		// Other laws.
		{"Part 2", "X-P2-BREACH", "", "", "2026-01-01T10:00:00Z", "", func(in *snapshot.Incident) { in.Overlays = []string{snapshot.OverlayPart2} }, "2026-03-02T23:59:59.999999Z", "2026-03-02"},
		{"no Part 2", "X-P2-BREACH", "", "", "2026-01-01T10:00:00Z", "", nil, wantNone, ""},
		{"15 business days", "X-CA-15BD:US-CA", "America/Los_Angeles", "", "2026-06-01T18:00:00Z", "", func(in *snapshot.Incident) { in.Overlays = []string{snapshot.OverlayCalifornia} }, "2026-06-23T06:59:59.999999Z", "2026-06-22"},
		{"15 business days over Thanksgiving and Christmas", "X-CA-15BD:US-CA", "America/Los_Angeles", "", "2026-11-25T18:00:00Z", "", func(in *snapshot.Incident) { in.Overlays = []string{snapshot.OverlayCalifornia} }, "2026-12-19T07:59:59.999999Z", "2026-12-18"},
		{"from a Saturday, over two Mondays off", "X-CA-15BD", "America/Los_Angeles", "", "2028-01-01T18:00:00Z", "", func(in *snapshot.Incident) { in.Affected = counted(3, "US-CA", 1) }, "2028-01-25T07:59:59.999999Z", "2028-01-24"},

		// 160.410(c): 30 days that begin on the first date itself.
		{"30 days to correct", "G-410-c", "", "", "2026-01-01T10:00:00Z", "", nil, "2026-01-30T23:59:59.999999Z", "2026-01-30"},
		{"over a leap day", "G-410-c", "", "", "2028-02-01T10:00:00Z", "", nil, "2028-03-01T23:59:59.999999Z", "2028-03-01"},
		{"a correction of our own", "correction-1", "", "", "2026-01-01T10:00:00Z", "", func(in *snapshot.Incident) {
			in.Corrections = []snapshot.Correction{{What: "x", DueAt: at(t, "2026-02-01T12:00:00Z")}}
		}, "2026-02-01T12:00:00Z", ""},

		// Six years, from the closing.
		{"the record, six years", "P-530-j-2", "", "", "2026-01-01T10:00:00Z", "", func(in *snapshot.Incident) { in.ClosedAt = at(t, "2026-05-05T10:00:00Z") }, "2032-05-05T23:59:59.999999Z", "2032-05-05"},
		{"from a leap day", "S-316-b-2-i", "", "", "2028-01-01T10:00:00Z", "", func(in *snapshot.Incident) { in.ClosedAt = at(t, "2028-02-29T10:00:00Z") }, "2034-03-01T23:59:59.999999Z", "2034-03-01"},
		{"sanctions", "P-530-e-2", newYork, "", "2026-01-01T10:00:00Z", "", func(in *snapshot.Incident) {
			in.ClosedAt, in.Sanctions = at(t, "2026-05-05T03:00:00Z"), []snapshot.Sanction{{What: "x"}}
		}, "2032-05-05T03:59:59.999999Z", "2032-05-04"},
		{"penalties", "G-414", "", "2025-12-24T10:00:00Z", "2026-01-01T10:00:00Z", "", nil, "2031-12-24T23:59:59.999999Z", "2031-12-24"},
	} {
		t.Run(c.key+" "+c.what, func(t *testing.T) {
			in := &snapshot.Incident{ID: "i", OccurredAt: at(t, c.occurred), DiscoveredAt: at(t, c.discovered), ReportedAt: at(t, c.reported)}
			if in.ReportedAt.IsZero() {
				in.ReportedAt = in.DiscoveredAt
			}
			if c.change != nil {
				c.change(in)
			}
			z := zone(t, c.zone)
			find := func(now time.Time) (Deadline, bool) {
				for _, d := range Due(in, hours24, z, now) {
					if d.Key() == c.key {
						return d, true
					}
				}
				return Deadline{}, false
			}
			if c.due == wantNone {
				if d, ok := find(in.DiscoveredAt); ok {
					t.Errorf("got %v, want no such clock", d)
				}
				return
			}
			due := at(t, c.due)
			d, ok := find(due)
			if !ok || !d.Due.Equal(due) || d.LastDay != c.lastDay {
				t.Fatalf("got %v, due %s (%s); want %s (%s)", ok, d.Due.UTC().Format(time.RFC3339Nano), d.LastDay, c.due, c.lastDay)
			}
			if d.Citation.Text == "" || d.Citation.Verified == "" || d.Sets == "" || d.Trigger == "" || d.What == "" {
				t.Errorf("the deadline lacks its words: %+v", d)
			}
			if d.Outer != strings.Contains(strings.Join(d.Notes, ";"), WithoutDelay) {
				t.Errorf("outer limit %v, notes %q", d.Outer, d.Notes)
			}
			if !d.Done.IsZero() || !d.Pending() {
				return
			}
			after, _ := find(due.Add(tick))
			if d.Late || !after.Late {
				t.Errorf("late at the last moment: %v, after it: %v", d.Late, after.Late)
			}
		})
	}
}

// Every clock of the catalogue is read; those that this package does not use are named
// here with the reason.
func TestEveryClockOfTheCatalogue(t *testing.T) {
	elsewhere := map[string]string{
		"G-404": "the tiers of penalties: its 30 days are those of G-410-c", "G-17941": "looks back over a year of practices",
		"P-502-f": "decedents' data", "P-508-b-6": "authorizations", "P-524-b-2": "access requests", "P-526-b-2": "amendment requests",
		"P-528-a-1": "accounting of disclosures", "P-528-a-2": "accounting", "P-528-c-1": "accounting", "P-528-c-2": "accounting", "P-528-d": "accounting",
		"P-530-b-2-ii": "training", "X-DOJ-202": "a window over transactions", "X-TX-TRAIN": "training",
	}
	used := map[string]bool{}
	for _, id := range Reckoned {
		used[id] = true
	}
	n := 0
	for _, c := range hipaa.Controls() {
		if len(c.Clock) == 0 || string(c.Clock) == "null" {
			continue
		}
		n++
		clock, cite, err := LawClock(c.ID)
		if err != nil || clock.Max <= 0 || clock.Trigger == "" || cite.Text != c.Citation {
			t.Errorf("%s: got %+v, %v, %v", c.ID, clock, cite, err)
		}
		if used[c.ID] == (elsewhere[c.ID] != "") {
			t.Errorf("%s is neither reckoned nor left out with a reason", c.ID)
		}
	}
	if n != len(used)+len(elsewhere) {
		t.Errorf("%d clocks in the catalogue, %d known here", n, len(used)+len(elsewhere))
	}
	for _, id := range []string{"", "B-404-a-1", "nothing"} {
		if _, _, err := LawClock(id); err == nil {
			t.Errorf("%q has a clock", id)
		}
	}
}

// Notices count when everybody was told; what was told too late stays late.
func TestANoticeIsDoneWhenAllWereTold(t *testing.T) {
	in := &snapshot.Incident{DiscoveredAt: at(t, "2026-01-01T10:00:00Z"), Affected: counted(600)}
	in.ReportedAt = in.DiscoveredAt
	now := at(t, "2026-03-10T00:00:00Z")
	get := func() Deadline {
		for _, d := range Due(in, Contract{}, time.UTC, now) {
			if d.ID == "B-404-b" {
				return d
			}
		}
		t.Fatal("no clock for individuals")
		return Deadline{}
	}
	in.Notices = []snapshot.Notice{{To: snapshot.ToIndividuals, At: at(t, "2026-02-01T00:00:00Z"), Count: 599}}
	if d := get(); !d.Done.IsZero() || !d.Late || !strings.Contains(strings.Join(d.Notes, ";"), "599 of 600") {
		t.Errorf("599 of 600 told: got %+v", d)
	}
	in.Notices = append(in.Notices, snapshot.Notice{To: snapshot.ToIndividuals, At: at(t, "2026-03-02T23:59:59Z"), Count: 1})
	if d := get(); d.Done.IsZero() || d.Late {
		t.Errorf("all told on the last day: got %+v", d)
	}
	in.Notices[1].At = at(t, "2026-03-03T00:00:00Z")
	if d := get(); d.Done.IsZero() || !d.Late {
		t.Errorf("the last one told a day too late: got %+v", d)
	}
	in.Affected = snapshot.Affected{Individuals: 600}
	if d := get(); !d.Done.IsZero() {
		t.Errorf("nobody counted, and it is done: %+v", d)
	}
}

// What is concluded to be no breach, by two people, has no clock for notices.
func TestNoBreachHasNoNotices(t *testing.T) {
	in := &snapshot.Incident{DiscoveredAt: at(t, "2026-01-01T10:00:00Z"), DiscoveredBy: snapshot.VendorParty, Vendor: "v", Overlays: snapshot.IncidentOverlays}
	in.ReportedAt = in.DiscoveredAt
	in.Assessment = &snapshot.BreachAssessment{Unsecured: snapshot.Answered{Why: "encrypted, key apart"}, AssessedBy: "grace"}
	tells := func() (n int) {
		for _, d := range Due(in, hours24, time.UTC, in.DiscoveredAt) {
			if d.Kind == Tell && d.Sets == "law" {
				n++
			}
		}
		return n
	}
	if tells() == 0 {
		t.Error("one person's word stopped the clocks")
	}
	in.Assessment.ApprovedBy, in.Assessment.ApprovedAt = "ada", in.DiscoveredAt
	if n := tells(); n != 0 {
		t.Errorf("%d clocks for notices run for what is no breach", n)
	}
}

// The contract is read from the papers in effect at the discovery; the shortest counts.
func TestTheContractsHours(t *testing.T) {
	day := func(d int) time.Time { return time.Date(2026, 1, d, 0, 0, 0, 0, time.UTC) }
	e := (&snapshot.View{}).Edit()
	put := func(name id.Agreement, hours string, effective, approved time.Time) {
		a := &snapshot.Agreement{ID: name, Vendor: "v", EffectiveAt: effective, Terms: map[string]snapshot.Term{"breach_notice_hours": {Value: json.RawMessage(hours), Clause: "§ 4"}}}
		a.ApprovedAt = approved
		e.Put(a)
	}
	put("long", "72", day(1), day(1))
	put("short", "24", day(1), day(1))
	put("later", "1", day(20), day(1))
	put("broken", `"soon"`, day(1), day(1))
	put("never", "2", day(1), time.Time{})
	e.Put(&snapshot.Engagement{ID: "w72", Vendor: "v", Agreements: []id.Agreement{"long"}})
	v := e.Publish(1, 1, day(1))
	in := &snapshot.Incident{Vendor: "v", DiscoveredAt: day(10)}
	if got := ContractOf(v, in).Clocks; len(got) != 1 || got[0].Hours != 24 || got[0].Agreement != "short" || got[0].Clause != "§ 4" {
		t.Errorf("got %+v, want 24 hours of short", got)
	}
	in.About = []snapshot.Subject{{Noun: snapshot.NounEngagement, ID: "w72"}}
	if got := ContractOf(v, in).Clocks; len(got) != 1 || got[0].Agreement != "long" {
		t.Errorf("about an engagement: got %+v, want its own paper", got)
	}
	in.About, in.DiscoveredAt = nil, day(21)
	if got := ContractOf(v, in).Clocks; len(got) != 1 || got[0].Hours != 1 {
		t.Errorf("after the later one: got %+v, want an hour", got)
	}
	// While the only paper that speaks of it is being amended, its hours run on.
	e = v.Edit()
	for _, name := range []id.Agreement{"long", "short", "later"} {
		a, _ := v.Agreements.Get(name)
		b := *a
		b.ApprovedAt = time.Time{}
		e.Put(&b)
	}
	amended := e.Publish(2, 2, day(1))
	in.DiscoveredAt = day(10)
	if got := ContractOf(amended, in).Clocks; len(got) != 1 || got[0].Hours != 2 {
		t.Errorf("while it is amended: got %+v, want the shortest of what waits", got)
	}
	if got := ContractOf(v, &snapshot.Incident{DiscoveredAt: day(10)}).Clocks; len(got) != 0 {
		t.Errorf("without a vendor: got %+v", got)
	}
}

// A notice to the media of the State whose residents were counted leaves open what the
// residents of States that were not counted are owed (164.406(a)).
func TestMediaOfTheStatesNotCounted(t *testing.T) {
	told := at(t, "2026-03-10T12:00:00Z")
	in := &snapshot.Incident{DiscoveredAt: at(t, "2026-03-01T12:00:00Z"), Affected: counted(1200, "US-MA", 600),
		Notices: []snapshot.Notice{{To: snapshot.ToMedia, Region: "US-MA", At: told}}}
	done := func() map[string]time.Time {
		out := map[string]time.Time{}
		for _, d := range Due(in, Contract{}, zone(t, newYork), told) {
			out[d.Key()] = d.Done
		}
		return out
	}
	got := done()
	if d := got["B-406:US-MA"]; !d.Equal(told) {
		t.Errorf("Massachusetts: got done at %v, want %v", d, told)
	}
	if d, ok := got["B-406"]; !ok || !d.IsZero() {
		t.Errorf("600 people of States that nobody counted: got %t, done at %v, want it pending", ok, d)
	}
	in.Notices = append(in.Notices, snapshot.Notice{To: snapshot.ToMedia, Region: "US-RI", At: told.Add(time.Hour)})
	if d := done()["B-406"]; !d.Equal(told.Add(time.Hour)) {
		t.Errorf("after a notice in another State: got done at %v", d)
	}
}

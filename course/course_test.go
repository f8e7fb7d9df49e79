package course

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sallyport/sallyport/snapshot"
)

func TestADrawIsWhatItShouldBe(t *testing.T) {
	c := Current()
	for _, tr := range Tracks {
		seen := map[string]bool{}
		first := map[string]bool{}
		for i := range 40 {
			seed := Seed(fmt.Sprint("attempt", i))
			asked := c.Draw(tr.ID, tr.Modules, seed)
			if len(asked) != Drawn {
				t.Fatalf("%s: %d questions", tr.ID, len(asked))
			}
			ids, modules, critical := map[string]bool{}, map[string]bool{}, 0
			for _, q := range asked {
				ids[q.ID], modules[q.Module] = true, true
				if q.Critical {
					critical++
				} else if !For(q.Tracks, tr.ID) || !slices.Contains(tr.Modules, q.Module) {
					t.Errorf("%s is asked %s", tr.ID, q.ID)
				}
				var keys []string
				for _, s := range q.Shown {
					key, ok := q.Key(s.Letter)
					if !ok || q.ShownAs(key) != s.Letter || q.Options[key] != s.Text {
						t.Errorf("%s: %+v", q.ID, s)
					}
					keys = append(keys, key)
				}
				slices.Sort(keys)
				if !slices.Equal(keys, letters) {
					t.Errorf("%s: %v", q.ID, keys)
				}
			}
			if len(ids) != Drawn || critical != 5 {
				t.Errorf("%s: %d different, %d critical", tr.ID, len(ids), critical)
			}
			for _, m := range tr.Modules {
				if !modules[m] {
					t.Errorf("%s: nothing of %s", tr.ID, m)
				}
			}
			again := c.Draw(tr.ID, tr.Modules, seed)
			for j := range asked {
				if asked[j].ID != again[j].ID || !slices.Equal(asked[j].Shown, again[j].Shown) {
					t.Fatal("the same seed gives another draw")
				}
			}
			for id := range ids {
				seen[id] = true
			}
			first[asked[0].ID] = true
		}
		if len(seen) <= Drawn || len(first) < 8 {
			t.Errorf("%s: 40 draws show %d questions, %d of them first", tr.ID, len(seen), len(first))
		}
	}
}

// A right answer is under each letter about as often.
func TestOptionsAreShuffled(t *testing.T) {
	n := map[string]int{}
	for i := range 100 {
		for _, q := range Current().Draw("DS", Tracks[0].Modules, Seed(fmt.Sprint(i))) {
			n[q.ShownAs(q.Correct)]++
		}
	}
	for _, l := range []string{"a", "b", "c", "d"} {
		if n[l] < 400 || n[l] > 600 {
			t.Errorf("of 2000 right answers %d are under %s", n[l], l)
		}
	}
}

func TestMark(t *testing.T) {
	c := Current()
	asked := c.Draw("SUP", Tracks[3].Modules, "seed")
	answers := func(wrongOrdinary, wrongCritical, missing int) map[string]string {
		out := map[string]string{}
		for _, q := range asked {
			switch {
			case q.Critical && wrongCritical > 0:
				wrongCritical--
				out[q.ID] = wrongOf(q.Correct)
			case !q.Critical && wrongOrdinary > 0:
				wrongOrdinary--
				out[q.ID] = wrongOf(q.Correct)
			case !q.Critical && missing > 0:
				missing--
			default:
				out[q.ID] = q.Correct
			}
		}
		return out
	}
	for _, x := range []struct {
		ordinary, critical, missing int
		passed                      bool
		score                       float64
	}{
		{0, 0, 0, true, 1}, {3, 0, 0, true, .85}, {4, 0, 0, false, .8}, {0, 1, 0, false, .95}, {0, 5, 0, false, .75}, {0, 0, 3, true, .85}, {3, 0, 1, false, .8},
	} {
		m := c.Mark(asked, answers(x.ordinary, x.critical, x.missing))
		if m.Passed != x.passed || m.Score != x.score || len(m.CriticalWrong) != x.critical || m.Answered != m.Asked-x.missing {
			t.Errorf("%+v: got %+v", x, m)
		}
	}
	if m := c.Mark(nil, nil); m.Passed {
		t.Error("nothing was asked, and it is a pass")
	}
	other := answers(0, 0, 0)
	other["TQ-99"] = "A"
	if m := c.Mark(asked, other); m.Answered != Drawn {
		t.Errorf("what was not asked counts: %+v", m)
	}
}

func wrongOf(right string) string {
	if right == "A" {
		return "B"
	}
	return "A"
}

func TestTexasCountsDays(t *testing.T) {
	o, ok := OverlayOf("US-TX")
	if !ok {
		t.Fatal("no Texas")
	}
	for _, c := range []struct{ hired, until string }{
		{"2026-08-25T09:00:00Z", "2026-11-24T00:00:00Z"},      // day 90 is 23 November, whole
		{"2023-12-01T00:00:00Z", "2024-03-01T00:00:00Z"},      // over a leap day
		{"2026-01-01T23:59:59-06:00", "2026-04-03T00:00:00Z"}, // the date is UTC's
	} {
		hired, err := time.Parse(time.RFC3339, c.hired)
		if err != nil {
			t.Fatal(err)
		}
		if got := o.Deadline(hired).Format(time.RFC3339); got != c.until {
			t.Errorf("hired %s: until %s, want %s", c.hired, got, c.until)
		}
	}
	if !o.Deadline(time.Time{}).IsZero() {
		t.Error("an unknown date of hire gives time")
	}
	p := &snapshot.Person{Track: "SUP", Region: "US-TX"}
	if got := Needs(p); !slices.Equal(got, []string{"M1", "M2", "M4", "M5", "M6"}) {
		t.Errorf("got %v", got)
	}
	p.WorkState = "US-MA"
	if got := Needs(p); !slices.Equal(got, []string{"M1", "M2", "M4", "M5"}) {
		t.Errorf("got %v", got)
	}
}

func TestVersions(t *testing.T) {
	for _, c := range []struct {
		have, want string
		ok         bool
	}{
		{"2026", "2026", true}, {"2026.1", "2026", true}, {"2026.10", "2026.9", true}, {"2026", "2026.1", false}, {"v2", "1", true},
		{"latest", "latest", true}, {"latest", "2026", false}, {"", "", false}, {"2026", "", false},
	} {
		if VersionAtLeast(c.have, c.want) != c.ok {
			t.Errorf("%q at least %q: want %v", c.have, c.want, c.ok)
		}
	}
}

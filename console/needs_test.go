package console

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/registry"
)

// What is overdue stands first, then what is due at once, then what only waits, then what
// is due later, whatever kind it is of; and only many of one kind share a row.
func TestNeedsStandByUrgency(t *testing.T) {
	now := time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC)
	in := func(d time.Duration) time.Time { return now.Add(d) }
	const d = 24 * time.Hour
	waits := []waiting{
		{Text: "notice", kind: "incident.note-notice", Due: in(-d)},
		{Text: "review", kind: "emergency.review", Due: in(3 * time.Hour)},
		{Text: "paper", kind: "agreement.sign", Since: in(-9 * d)},
	}
	for i := range 112 {
		waits = append(waits, waiting{Text: fmt.Sprint("person ", i), kind: "person.approve", Since: in(-3*d + time.Duration(i)*time.Minute)})
	}
	waits = append(waits, waiting{Text: "app", kind: "app.approve", Since: in(-time.Hour)}, waiting{Text: "request", kind: "request.approve", Due: in(3 * d)})
	told := func(address string) (out []string) {
		at, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range needsOf(at, waits, now) {
			out = append(out, b.Label+":")
			for _, r := range b.Rows {
				if r.One != nil {
					out = append(out, r.One.Text+" "+r.One.Moment(now))
					continue
				}
				out = append(out, fmt.Sprintf("%s (%d to %d of %d, open %v, before %q, after %q)", r.Many, r.First, r.Last, r.Of, r.Open, r.Newer, r.Older))
			}
		}
		return out
	}
	const all = "/console?all=undated.person.approve"
	for _, c := range []struct{ address, many string }{
		{"/console", fmt.Sprintf("1 to 10 of 112, open false, before %q, after %q", "", all+"&from=0#undated.person.approve")},
		{all + "&from=0", fmt.Sprintf("1 to 100 of 112, open true, before %q, after %q", "", all+"&from=100#undated.person.approve")},
		{all + "&from=100", fmt.Sprintf("101 to 112 of 112, open true, before %q, after %q", all+"&from=0#undated.person.approve", "")},
		{all + "&from=9999", fmt.Sprintf("112 to 112 of 112, open true, before %q, after %q", all+"&from=11#undated.person.approve", "")},
		{all + "&from=x", fmt.Sprintf("1 to 100 of 112, open true, before %q, after %q", "", all+"&from=100#undated.person.approve")},
	} {
		got := strings.Join(told(c.address), "\n")
		want := strings.Join([]string{"Overdue:", "notice for 24 hours", "Due within two days:", "review due in 3 hours", "Waiting, without a date: the longest first:", "paper for 9 days",
			"112 people wait to be enrolled, the oldest for 3 days (" + c.many + ")", "app for 60 minutes", "Due later:", "request lapses in 3 days"}, "\n")
		if got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", c.address, got, want)
		}
	}
}

// Of what is due on another day three rows are seen, and the rest is folded with its number
// and its first date; what is asked for by the address is unfolded.
func TestWhatIsDueLaterIsFolded(t *testing.T) {
	now := time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC)
	var waits []waiting
	for i, kind := range []registry.Kind{"incident.note-notice", "incident.complete-correction", "offboarding.complete", "request.approve", "review.complete", "review.complete", "review.complete"} {
		waits = append(waits, waiting{Text: string(kind), kind: kind, Due: now.Add(time.Duration(3+i) * 24 * time.Hour)})
	}
	for _, c := range []struct {
		address string
		n       int // of the waits that are there
		rows    int
		more    string
		open    bool
	}{
		{"/console", 4, 4, "", false}, // one more row is not worth a fold
		{"/console", 7, 3, "4 more, the first lapses in 6 days", false},
		{"/console?all=later.review.complete", 7, 3, "4 more, the first lapses in 6 days", true},
	} {
		at, err := url.Parse(c.address)
		if err != nil {
			t.Fatal(err)
		}
		b := needsOf(at, waits[:c.n], now)[0]
		if len(b.Rows) != c.rows || b.More != c.more || b.Open != c.open {
			t.Errorf("%s, %d: got %d rows, %q, open %v; want %d, %q, %v", c.address, c.n, len(b.Rows), b.More, b.Open, c.rows, c.more, c.open)
		}
	}
}

// What waits is told by an act that there is, and every kind says why it matters.
func TestWhatWaitsHasWords(t *testing.T) {
	for kind, x := range waitWords {
		if _, ok := registry.Lookup(kind); !ok {
			t.Errorf("there is no act %q", kind)
		}
		if x.Many == "" || x.Why == "" && !strings.HasPrefix(string(kind), "incident.") {
			t.Errorf("%q has no words", kind)
		}
	}
}

package console

import (
	"strings"
	"testing"

	"github.com/sallyport/sallyport/forecast"
	"github.com/sallyport/sallyport/gate"
)

// A nurse is not told to type commands, and what is not a command stays.
func TestNextStepsNameNoCommands(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"Complete the review (review complete)", "Complete the review"},
		{"Sign, approve or renew it (agreement sign, agreement approve), or take it off (engagement amend)", "Sign, approve or renew it, or take it off"},
		{"Ask for covered types only (see metadata), or ask for a wider role", "Ask for covered types only (see metadata), or ask for a wider role"},
		{"45 CFR 164.504(e)(2)", "45 CFR 164.504(e)(2)"},
	} {
		if got := plain(c.text); got != c.want {
			t.Errorf("plain(%q) = %q, want %q", c.text, got, c.want)
		}
	}
}

// What is to come is not told as if it had been: each word stands for a reason of a gate.
func TestWhatIsToComeIsAReasonOfAGate(t *testing.T) {
	known := map[string]bool{}
	for _, g := range gate.All {
		for _, r := range g.Reasons {
			known[g.ID+" "+r.Code] = true
		}
	}
	for key := range toCome {
		if !known[key] {
			t.Errorf("no gate has the reason %q", key)
		}
	}
	got := stillToCome([]forecast.Stop{{Kind: forecast.Stops, Gate: "grant", Code: "ended", Message: "The grant has ended", Next: "Ask again (request make)"}})
	if got[0].Message != "The grant ends" || strings.Contains(got[0].Next, "(") {
		t.Errorf("got %q, %q", got[0].Message, got[0].Next)
	}
}

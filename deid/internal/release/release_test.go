package release

import "testing"

// TestRulesHaveNames: the audit log counts by them.
func TestRulesHaveNames(t *testing.T) {
	seen := map[string]bool{}
	for r := range Rules {
		if name := r.String(); name == "" || name == "unknown" || seen[name] {
			t.Errorf("rule %d is called %q, which says nothing or another rule", r, name)
		} else {
			seen[name] = true
		}
	}
	if got := Rules.String(); got != "unknown" {
		t.Errorf("a rule that there is not: got %q", got)
	}
}

// TestCut: codes in place of ids leave a resource whole; all else does not.
func TestCut(t *testing.T) {
	for r := range Rules {
		var tally, sum Tally
		if tally.Cut() {
			t.Fatal("nothing was counted, and it says cut")
		}
		tally[r] = 1
		sum.Add(&tally)
		sum.Add(&tally)
		if got, want := sum.Cut(), r != Pseudonymised && r != DateShifted; got != want || sum[r] != 2 {
			t.Errorf("%s: got cut %v and %d, want %v and 2", r, got, sum[r], want)
		}
	}
}

// TestPatients: sorted, without doubles, and not in print.
func TestPatients(t *testing.T) {
	p := PatientsOf([]string{"b", "a", "b"})
	var got string
	p.Each(func(id string) { got += id })
	if got != "ab" || p.Len() != 2 {
		t.Errorf("got %q, %d, want ab, 2", got, p.Len())
	}
	var none Patients
	none.Each(func(string) { t.Error("the zero Patients has one") })
}

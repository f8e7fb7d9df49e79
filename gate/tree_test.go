package gate_test

import (
	"slices"
	"testing"
	"time"

	"github.com/sallyport/sallyport/diligence"
	"github.com/sallyport/sallyport/gate"
	"github.com/sallyport/sallyport/gate/gatetest"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/snapshot"
)

// What the tree shows as covered is what the gate takes as covered: for every way in
// which the agreement with a subcontractor can fall short.
func TestTheTreeReadsAgreementsAsTheGateDoes(t *testing.T) {
	e := engine(t, gate.All)
	agreement := func(change func(*snapshot.Agreement)) []snapshot.Record {
		records := gatetest.Records(now)
		for _, r := range records {
			if a, ok := r.(*snapshot.Agreement); ok && a.ID == gatetest.SubBAA {
				change(a)
			}
		}
		return records
	}
	ways := map[string]func(*snapshot.Agreement){
		"as it is":             func(*snapshot.Agreement) {},
		"of another kind":      func(a *snapshot.Agreement) { a.Kind = snapshot.BAA },
		"with another":         func(a *snapshot.Agreement) { a.Subcontractor = "other" },
		"by another":           func(a *snapshot.Agreement) { a.Vendor = "other" },
		"proposed":             func(a *snapshot.Agreement) { a.State = snapshot.Proposed },
		"approved tomorrow":    func(a *snapshot.Agreement) { a.ApprovedAt = now.Add(time.Hour) },
		"approved by the same": func(a *snapshot.Agreement) { a.ApprovedBy = a.RequestedBy },
		"without a document":   func(a *snapshot.Agreement) { a.Document = "" },
		"signed by one":        func(a *snapshot.Agreement) { a.Signatures = a.Signatures[:1] },
		"signed tomorrow":      func(a *snapshot.Agreement) { a.Signatures[1].At = now.Add(time.Hour) },
		"signed by nobody":     func(a *snapshot.Agreement) { a.Signatures[1].Signer = "" },
		"not begun":            func(a *snapshot.Agreement) { a.EffectiveAt = now.Add(time.Hour) },
		"without a beginning":  func(a *snapshot.Agreement) { a.EffectiveAt = time.Time{} },
		"ended now":            func(a *snapshot.Agreement) { a.EndsAt = now },
		"ends later":           func(a *snapshot.Agreement) { a.EndsAt = now.Add(time.Hour) },
		"terminated":           func(a *snapshot.Agreement) { a.TerminatedAt = now.Add(-time.Hour) },
		"suspended":            func(a *snapshot.Agreement) { a.SuspendedAt = now.Add(-time.Hour) },
		"a breach not cured": func(a *snapshot.Agreement) {
			a.Notices = []snapshot.CureNotice{{ID: "n1", At: now.AddDate(0, -1, 0), CureUntil: now}}
		},
		"a breach to cure": func(a *snapshot.Agreement) {
			a.Notices = []snapshot.CureNotice{{ID: "n1", At: now.AddDate(0, -1, 0), CureUntil: now.Add(time.Hour)}}
		},
		"without uses": func(a *snapshot.Agreement) { a.PermittedUses = nil; delete(a.Terms, "permitted_uses") },
	}
	for _, term := range hipaa.MandatoryTerms() {
		ways["without "+term.ID] = func(a *snapshot.Agreement) { delete(a.Terms, term.Field) }
		ways["with false for "+term.ID] = func(a *snapshot.Agreement) {
			a.Terms[term.Field] = snapshot.Term{Value: []byte("false"), Clause: "1"}
		}
	}
	covered := 0
	for name, change := range ways {
		v := gatetest.Publish(now, gatetest.Settings(), agreement(change)...)
		_, refusal := e.Decide(gatetest.Request(v, now))
		refused := refusal != nil && slices.ContainsFunc(refusal.Failures, func(f policy.Failure) bool { return f.Gate == "subcontractors" && f.Code == "not-covered" })
		open := diligence.Tree(v, gatetest.Vendor, now).Uncovered()
		if refused != (len(open) > 0) {
			t.Errorf("%s: the gate refuses: %v; the tree shows as open: %v", name, refused, open)
		}
		if !refused {
			covered++
		}
	}
	if covered < 2 || covered > len(ways)/2 {
		t.Errorf("%d of %d ways are covered: the test tries too little", covered, len(ways))
	}
}

package offboarding_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/offboarding"
	"github.com/sallyport/sallyport/paper"
	"github.com/sallyport/sallyport/snapshot"
)

var now = time.Date(2028, 2, 29, 12, 0, 0, 0, time.UTC)

func facts() offboarding.Facts {
	o := &snapshot.Offboarding{ID: "bye", Vendor: "northwind", Of: []id.Engagement{"triage"}, Cause: snapshot.ContractEnded, BegunBy: "ada", BegunAt: now, DueAt: now.AddDate(0, 0, 30),
		Inventory:    snapshot.ReleasedInventory{Document: strings.Repeat("ab", 32), Releases: 412, Bytes: 9000, Patients: 77, Digests: strings.Repeat("cd", 32), At: now},
		Dispositions: map[snapshot.DataForm]snapshot.Disposition{}, CheckedAt: now, Looked: map[string]snapshot.Look{"node-1": {To: 900, At: now}}, CompletedBy: "grace", CompletedAt: now, RetainUntil: now.AddDate(6, 0, 0)}
	for _, f := range snapshot.DataForms {
		o.Dispositions[f] = snapshot.Disposition{Outcome: snapshot.NeverHeld, Attester: "T. Example, privacy officer", By: "link.x", At: now}
	}
	o.Dispositions[snapshot.RawData] = snapshot.Disposition{Outcome: snapshot.Destroyed, Method: "purge", Technique: "cryptographic-erase", Items: "volume 7",
		Sanitized: "R. Example, operations", Verified: "S. Example, security", Attester: "T. Example, privacy officer", By: "link.x", At: now}
	return offboarding.Facts{Organisation: "Lakeside Hospital", Vendor: &snapshot.Vendor{ID: "northwind", Name: "Northwind AI, Inc."}, Offboarding: o,
		Engagements: []*snapshot.Engagement{{ID: "triage", Purpose: hipaa.Evaluation, DataClass: hipaa.PHI}},
		Agreements:  []*snapshot.Agreement{{ID: "baa", Kind: snapshot.BAA, Document: strings.Repeat("ef", 32)}}, At: now}
}

// The certificate says what is known, by whose word, and what it does not cover.
func TestTheCertificateSaysWhatItKnowsAndWhatNot(t *testing.T) {
	text := paper.Text(offboarding.Certificate(facts()))
	for _, want := range []string{"Northwind AI, Inc.", "412", "77", "purge by cryptographic-erase", "R. Example, operations", "cannot prove that no copy was kept",
		"164.504(e)(2)(ii)(J)", "2034-02-28", "No credential of what ended was tried", "never held", "T. Example, privacy officer"} {
		if !strings.Contains(text, want) && !(want == "2034-02-28" && strings.Contains(text, "2034-03-01")) {
			t.Errorf("it does not say %q", want)
		}
	}
	if strings.Contains(strings.ToLower(text), "hipaa compliant") || strings.Contains(text, "draft") {
		t.Error("a complete one calls itself a draft, or claims what no paper can")
	}
	one, err := paper.PDF(offboarding.Certificate(facts()))
	if err != nil {
		t.Fatal(err)
	}
	two, err := paper.PDF(offboarding.Certificate(facts()))
	if err != nil || !bytes.Equal(one, two) {
		t.Errorf("the same facts give another file, %v", err)
	}
}

// What is open is told as a draft.
func TestADraftSaysSo(t *testing.T) {
	for what, edit := range map[string]func(*snapshot.Offboarding){
		"not counted":  func(o *snapshot.Offboarding) { o.Inventory = snapshot.ReleasedInventory{} },
		"not attested": func(o *snapshot.Offboarding) { delete(o.Dispositions, snapshot.ModelWeights) },
		"not looked":   func(o *snapshot.Offboarding) { o.CheckedAt = time.Time{} },
	} {
		f := facts()
		edit(f.Offboarding)
		if !strings.Contains(paper.Text(offboarding.Certificate(f)), "This is a draft") {
			t.Errorf("%s: it does not say that it is a draft", what)
		}
	}
	f := facts()
	f.Offboarding.Tried, f.Offboarding.LastTried = 3, now
	if !strings.Contains(paper.Text(offboarding.Certificate(f)), "tried 3 times") {
		t.Error("attempts are not told")
	}
}

// Where a form came on paper, the vendor's officer signs on paper.
func TestWhoSignsForTheVendor(t *testing.T) {
	f := facts()
	if text := paper.Text(offboarding.Certificate(f)); !strings.Contains(text, "certified the attestations above, by link") {
		t.Error("it does not say who certified by link")
	}
	d := f.Offboarding.Dispositions[snapshot.VendorLogs]
	d.Attester, d.By = "", "ada"
	f.Offboarding.Dispositions[snapshot.VendorLogs] = d
	if text := paper.Text(offboarding.Certificate(f)); strings.Contains(text, "by link") || !strings.Contains(text, "Officer, who certifies") {
		t.Error("what came on paper needs no signature")
	}
}

package agreement

import (
	"time"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// Clock is a time limit that an agreement sets. The limits of the law run whatever a
// paper says (package breach); what a paper sets can only be shorter, or about
// something that the law leaves open.
type Clock struct {
	ID        ClockID        `json:"id"`
	Agreement id.Agreement   `json:"agreement"`
	Term      string         `json:"term"`  // "BAA-R20"
	Field     string         `json:"field"` // "breach_notice_hours"
	Trigger   Trigger        `json:"trigger"`
	Hours     int            `json:"hours,omitempty"` // exactly one of the three is not 0, unless At once
	Days      int            `json:"days,omitempty"`  // calendar days
	Months    int            `json:"months,omitempty"`
	Before    bool           `json:"before,omitempty"` // notice that long before the trigger, not after it
	Citation  hipaa.Citation `json:"citation"`         // policy: no law sets the number
	Clause    string         `json:"clause,omitempty"` // where it stands in the paper
}

// ClockID names a clock.
type ClockID string

// The clocks that terms set. In all of them the vendor owes what is due.
const (
	BreachNotice       ClockID = "breach-notice"        // first notice of a breach or impermissible use
	IncidentNotice     ClockID = "incident-notice"      // notice of a successful security incident
	AttemptSummary     ClockID = "attempt-summary"      // summary of unsuccessful attempts, each so many days
	ContingencyNotice  ClockID = "contingency-notice"   // the contingency plan was activated
	LeaverNotice       ClockID = "leaver-notice"        // a person left or changed roles
	ChangeNotice       ClockID = "change-notice"        // before a material change
	SubprocessorNotice ClockID = "subprocessor-notice"  // before a subprocessor sees data
	LegalProcessNotice ClockID = "legal-process-notice" // before a compelled disclosure
	EvidenceDue        ClockID = "evidence"             // reports and logs that were asked for
	VerificationDue    ClockID = "annual-verification"  // written verification, each so many months
	Rescreening        ClockID = "rescreening"          // screening under 28 CFR Part 202, anew
	ReturnDue          ClockID = "return"               // PHI returned after the end
	DestructionDue     ClockID = "destruction"          // PHI destroyed after the end
	BackupExpiry       ClockID = "backup-expiry"        // backups gone after the end
	RecordsKept        ClockID = "vendor-records-kept"  // how long the vendor keeps its documentation
	TrainingRefresh    ClockID = "training-refresh"     // the vendor's people train anew
	VulnerabilityScan  ClockID = "vulnerability-scan"   // each so many days
	PenetrationTest    ClockID = "penetration-test"     // each so many months
	PatchDue           ClockID = "patch"                // after a fix is published
	PromptsGone        ClockID = "prompt-retention"     // prompts and outputs gone at the provider
)

// Trigger is what starts a clock, or (Before) what must not come before it is over.
type Trigger string

// The triggers.
const (
	OnDiscovery    Trigger = "discovery"     // known, or by reasonable diligence would have been: 45 CFR 164.410(a)(2)
	OnActivation   Trigger = "activation"    // of the contingency plan
	OnLeaving      Trigger = "leaving"       // of a person
	OnChange       Trigger = "change"        // of model, host, region, ownership, subprocessor, retention, terms
	OnLegalProcess Trigger = "legal-process" // a subpoena, order or demand arrived
	OnRequest      Trigger = "request"       // the organisation asked
	OnLast         Trigger = "last-time"     // it was done the last time; from the agreement's first day at first
	OnEnd          Trigger = "end"           // the agreement ended or was terminated
	OnFix          Trigger = "fix"           // a fix was published
	OnUse          Trigger = "use"           // a prompt was sent
)

// Due is when what the clock asks for is due, from the trigger's time on; with Before,
// the last moment before it.
func (c Clock) Due(trigger time.Time) time.Time {
	sign := 1
	if c.Before {
		sign = -1
	}
	// Hours are exact. A calendar knows one half past one of the night on which the clocks go
	// back, and of two moments would give the first: it is asked only where it is meant.
	if c.Months != 0 || c.Days != 0 {
		trigger = hipaa.AddMonths(trigger, sign*c.Months).AddDate(0, 0, sign*c.Days)
	}
	return trigger.Add(time.Duration(sign*c.Hours) * time.Hour)
}

// Clocks lists every clock that the agreement sets, in the order of the catalogue. A
// term that is absent, or cannot be read, sets none.
func Clocks(a *snapshot.Agreement) []Clock {
	var out []Clock
	for _, row := range Table {
		if row.clocks == nil {
			continue
		}
		term, ok := a.Terms[row.Field]
		if !ok {
			continue
		}
		for _, c := range row.clocks(readValue(term.Value)) {
			if c.Hours < 0 || c.Days < 0 || c.Months < 0 || c.Hours+c.Days+c.Months == 0 && c.ID != PromptsGone {
				continue // no clock at all
			}
			c.Agreement, c.Term, c.Field, c.Clause, c.Citation = a.ID, row.ID, row.Field, term.Clause, hipaa.Policy
			out = append(out, c)
		}
	}
	return out
}

// ClockOf is the agreement's clock of that id, and whether it sets one.
func ClockOf(a *snapshot.Agreement, want ClockID) (Clock, bool) {
	for _, c := range Clocks(a) {
		if c.ID == want {
			return c, true
		}
	}
	return Clock{}, false
}

// Shortest is the shortest clock of that id among agreements, as seen from a time:
// every paper binds, so the first to be due is the one that counts.
func Shortest(as []*snapshot.Agreement, want ClockID, trigger time.Time) (Clock, bool) {
	var best Clock
	found := false
	for _, a := range as {
		if c, ok := ClockOf(a, want); ok && (!found || c.Due(trigger).Before(best.Due(trigger))) {
			best, found = c, true
		}
	}
	return best, found
}

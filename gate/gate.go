// Package gate holds the conditions of a release, one Go file and one Cedar
// file for each. The Cedar file says what must hold, for an auditor to read;
// the Go file finds the facts and words the reasons.
//
// What is in the build is All, a list that can be read. To add a gate, write
// <name>.go, <name>.cedar and testdata/<name>.txtar, add a line to All, and
// raise the number in policy_loaded: tests fail until it has a citation, a next
// step, an allowing and a refusing scenario for every reason, and refuses when
// any one of its facts is dropped.
//
// A record that one person asked for and the same one approved counts as not
// approved, wherever it stands: separation of duties.
package gate

import (
	"sync"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/snapshot"
)

// All is every gate, in the order in which refusals list them.
var All = []policy.Gate{
	policyLoaded,
	fresh,
	transport,
	sealing,
	vendor,
	assessment,
	certification,
	screening,
	agreementGate,
	permittedUse,
	subcontractors,
	region,
	engagement,
	basis,
	person,
	training,
	device,
	workload,
	posture,
	key,
	app,
	grant,
	review,
	hold,
	role,
	deidentification,
	volume,
	cohort,
	patientHold,
	labels,
}

// allGates is len(All), which policyLoaded cannot ask for itself.
const allGates = 30

// unknown writes the standing of a record that does not exist.
func unknown(f *policy.Facts) {
	policy.Word(f, "state", "unknown", "unknown")
	f.Bool("two_people", false)
}

// standing writes where a record stands.
func standing(f *policy.Facts, a snapshot.Approval) {
	policy.Word(f, "state", stateAt(f, a), snapshot.Proposed, snapshot.Approved, snapshot.Suspended, snapshot.Ended)
	f.Bool("two_people", twoPeople(a))
}

// stateAt is the state; what is approved from a later time, or no time, on is
// proposed still.
func stateAt(f *policy.Facts, a snapshot.Approval) snapshot.State {
	if a.State == snapshot.Approved && !f.Passed(a.ApprovedAt) {
		return snapshot.Proposed
	}
	return a.State
}

func twoPeople(a snapshot.Approval) bool {
	return a.RequestedBy != "" && a.ApprovedBy != "" && a.RequestedBy != a.ApprovedBy
}

func approved(f *policy.Facts, a snapshot.Approval) bool {
	return stateAt(f, a) == snapshot.Approved && twoPeople(a)
}

// standingReasons are the reasons of a record that must be approved. Where one that is over has
// reasons of its own, the gate notes which as "over".
func standingReasons(what, act string) []policy.Reason {
	return []policy.Reason{
		{Code: "unknown", Message: "The " + what + " is not registered", NextStep: "Register it, then " + act, Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return v.Word("state") == "unknown" }},
		{Code: "not-approved", Message: "The " + what + " is not approved, or no longer", NextStep: "Have a second person " + act, Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool {
				s := v.Word("state")
				return s != "approved" && s != "unknown" && v.Word("over") == ""
			}},
		{Code: "same-person", Message: "The " + what + " was approved by the person who asked for it, or by nobody", NextStep: "Have another person " + act, Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return v.Word("state") == "approved" && !v.Is("two_people") }},
	}
}

var noEngagement = &snapshot.Engagement{}

func engagementOf(c *policy.Case) *snapshot.Engagement {
	if c.EngagementRecord == nil {
		return noEngagement
	}
	return c.EngagementRecord
}

// isDigest reports whether s is a SHA-256 in hex.
func isDigest(s string) bool {
	if len(s) != 64 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !('0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F') {
			return false
		}
	}
	return true
}

var certificationTypes = sync.OnceValue(func() []string {
	var out []string
	for _, t := range hipaa.CertificationTypes() {
		out = append(out, t.ID)
	}
	return out
})

package deid

import (
	"github.com/sallyport/sallyport/deid/internal/release"
)

// Codes gives an upstream id its code of the engagement: the same code for the
// same id, a valid FHIR id, turned back only by the gateway. It must be safe
// for one goroutine at a time. An error stops the release.
type Codes interface {
	Code(resourceID string) (string, error)
}

// Release is minimised data that may leave, and what the audit log says of it.
// Only deid and the packages below it can make one.
type Release = release.Release

// Count is how many resources of a type a release holds.
type Count = release.Count

// Patients is whose data a release holds; it does not print.
type Patients = release.Patients

// Rule is why something was removed or changed.
type Rule = release.Rule

// Tally counts what was removed or changed, by Rule.
type Tally = release.Tally

// The rules of a Tally.
const (
	OutOfScope    = release.OutOfScope
	DirectID      = release.DirectID
	DateToYear    = release.DateToYear
	ClockTime     = release.ClockTime
	Pseudonymised = release.Pseudonymised
	Unresolvable  = release.Unresolvable
	ExtensionGone = release.ExtensionGone
	NotInR4       = release.NotInR4
	BadShape      = release.BadShape
	ContainedGone = release.ContainedGone
)

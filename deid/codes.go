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

// Assigned are Codes that say where they come from. 45 CFR 164.514(c) lets a code
// stand for a person if it is not derived from or related to information about
// the person. Codes that do not implement this are taken to be derived.
type Assigned interface {
	Codes
	// Assigned reports whether every code comes from a random source and is
	// remembered, so that nothing but the memory leads back.
	Assigned() bool
}

// AreAssigned says whether the codes may be used under Safe Harbor.
func AreAssigned(c Codes) bool {
	a, ok := c.(Assigned)
	return ok && a.Assigned()
}

// Release is minimised data that may leave, and what the audit log says of it.
// Only deid and the packages below it can make one.
type Release = release.Release

// Count is how many resources of a type a release holds.
type Count = release.Count

// Shown is which elements of a type a release shows.
type Shown = release.Shown

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
	TextGone      = release.FreeText
	TextScrubbed  = release.Scrubbed
	AgeOver89     = release.AgeOver89
	Geography     = release.Geography
	DateShifted   = release.DateShifted
	Unrecorded    = release.Unrecorded
)

package dicom

import (
	"fmt"

	"github.com/sallyport/sallyport/problem"
)

// broken is a file that is not what PS3.5 and PS3.10 say. at is a byte offset,
// which tells nothing of a patient; values never come into an error.
func broken(at int, what string) error {
	return problem.New(problem.Invalid, fmt.Sprintf("The DICOM file is broken at byte %d: %s", at, what),
		"Fetch the file again from its source; dcmdump shows where it breaks")
}

// unfit is a file that may be right and is not released.
func unfit(what, next string) error {
	p := problem.New(problem.Refused, what, next)
	p.Citation = "DICOM PS3.15 Annex E"
	return p
}

// unoffered is a file of a kind that is not read here.
func unoffered(what, next string) error { return problem.New(problem.Unsupported, what, next) }

package cda

import "github.com/sallyport/sallyport/deid/internal/message"

// The words that all message formats share.
type (
	Options  = message.Options  // how to de-identify
	Basis    = message.Basis    // the legal basis
	Dates    = message.Dates    // what becomes of dates
	Shifter  = message.Shifter  // a patient's days
	Text     = message.Text     // scrubs free text
	Scrubber = message.Scrubber // for one message
	Facts    = message.Facts    // what a message says of people
	Manifest = message.Manifest // counts, without values
	Rule     = message.Rule     // why a value went or changed
)

// The legal bases and the rules for dates.
const (
	SafeHarbor          = message.SafeHarbor
	LimitedDataSet      = message.LimitedDataSet
	ExpertDetermination = message.ExpertDetermination
	MinimumNecessary    = message.MinimumNecessary

	YearsOnly    = message.YearsOnly
	DatesShifted = message.DatesShifted
	DatesKept    = message.DatesKept
)

package living

import "github.com/sallyport/sallyport/id"

// Look is something to look at: where the console shows a part of the story.
type Look struct {
	Title string
	Path  string    // below the address of the pages
	Says  string    // in a sentence
	As    id.Person // for whom it is
}

// Looks are what to look at first, in the order of the story. The ids are those of the
// acts, and the same each time.
var Looks = []Look{
	{"What needs you today", "/console", "Reviews that are due, a request that waits, an emergency to review, an incident with its clocks.", Grace},
	{"A vendor in full operation", "/console/vendors/" + string(Northwind), "Northwind AI: two engagements, one of which ends within days; a report that expires within a month.", Grace},
	{"A vendor whose data door is shut", "/console/vendors/" + string(Harborlight), "Harborlight: half of the questions answered, nothing signed, and a program that knocks all the same.", Grace},
	{"An incident and its clocks", "/console/incidents/" + string(ImagingLeak), "What Clearwater was given, counted from the log; what must be told, to whom, and until when.", Grace},
	{"A parting", "/console/offboardings/" + string(Goodbye), "Clearwater: what was attested, what is left, and that its machine tried again after the end.", Grace},
	{"Two weeks without data", "/console/decisions", "In the third month Lin's training had lapsed: each request was refused, and says so.", Sam},
	{"What I may use", "/console/my/access", "Lin: which data, for what, until when, and what was refused.", Lin},
}

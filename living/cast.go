package living

import (
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// The organisation's people.
const (
	Ada   = id.Person("ada")   // operator and procurement
	Grace = id.Person("grace") // privacy officer
	Sam   = id.Person("sam")   // security officer
	Omar  = id.Person("omar")  // data owner, a clinician
	Iris  = id.Person("iris")  // auditor
)

// The vendors' people.
const (
	Nora  = id.Person("nora")  // Northwind's contact, who signs for it
	Lin   = id.Person("lin")   // data scientist
	Ravi  = id.Person("ravi")  // data scientist
	Petra = id.Person("petra") // of Harborlight
	Tomas = id.Person("tomas") // of Clearwater
)

// The vendors, and what is theirs.
const (
	Northwind   = id.Vendor("northwind")   // in operation
	Harborlight = id.Vendor("harborlight") // in onboarding
	Clearwater  = id.Vendor("clearwater")  // had an incident, was terminated, is being parted from

	NorthwindBAA = id.Agreement("northwind-baa")
	NorthwindNew = id.Agreement("northwind-baa-amended") // waits for Northwind's signature
	NorthwindSOW = id.Agreement("northwind-contract")
	TriageEval   = id.Engagement("triage-eval")
	Summaries    = id.Engagement("discharge-summaries") // its time is nearly over
	GPU1         = id.Device("northwind-gpu-1")
	GPU2         = id.Device("northwind-gpu-2")
	Laptop       = id.Device("lin-laptop")
	TriageApp    = id.App("triage")
	SummaryApp   = id.App("summarizer")
	LabelApp     = id.App("labeller")
	AssistantApp = id.App("assistant") // an agent, on Lin's laptop
	TriageGrant  = id.Grant("triage-grant")
	SummaryGrant = id.Grant("summaries-grant")
	LabelGrant   = id.Grant("labeller-grant")
	AssistGrant  = id.Grant("assistant-grant")
	TriageRole   = id.Role("triage-reader")
	SummaryRole  = id.Role("encounter-reader")
	DetailRole   = id.Role("triage-detail")

	NorthwindVisit = id.Assessment("northwind-visit") // conditional
	VisitAsk       = id.Questionnaire("northwind-visit")
	StolenBag      = id.Incident("stolen-bag") // ended
	OddTraffic     = id.Finding("odd-traffic") // settled
	AsksForMore    = id.Finding("asks-for-more")
	GPU1Hold       = id.Hold("gpu-1-hold") // lifted
	ThirdQuarter   = id.Campaign("third-quarter")
	NightOutage    = id.Emergency("night-outage") // waits for its review

	ClearwaterBAA = id.Agreement("clearwater-baa")
	ImagingQA     = id.Engagement("imaging-qa")
	ImagingBox    = id.Device("clearwater-1")
	ImagingApp    = id.App("imaging-qa")
	ImagingGrant  = id.Grant("imaging-grant")
	ImagingRole   = id.Role("imaging-reader")
	ImagingLeak   = id.Incident("shared-folder")
	Goodbye       = id.Offboarding("goodbye-clearwater")

	HarborlightBAA = id.Agreement("harborlight-baa")
	Denials        = id.Engagement("denials-pilot")
	HarborBox      = id.Device("harborlight-1")
	DenialApp      = id.App("denials")
	DenialRole     = id.Role("denials-reader")
	DenialGrant    = id.Grant("denials-grant")
	HarborAsk      = id.Questionnaire("harborlight-q1")
)

// Cast are the people in the order in which a page offers them: the six whom the console
// is for, and Ada, who runs it.
var Cast = []id.Person{Grace, Sam, Nora, Lin, Iris, Omar, Ada}

// cast says who everybody is.
var cast = map[id.Person]Person{
	Ada:   {ID: Ada, Name: "Ada Example", What: "Operator and procurement, Mercy Valley Health"},
	Grace: {ID: Grace, Name: "Grace Example", What: "Privacy officer, Mercy Valley Health"},
	Sam:   {ID: Sam, Name: "Sam Example", What: "Security officer, Mercy Valley Health"},
	Omar:  {ID: Omar, Name: "Dr. Omar Example", What: "Data owner and clinician, Mercy Valley Health"},
	Iris:  {ID: Iris, Name: "Iris Example", What: "Auditor, Mercy Valley Health"},
	Nora:  {ID: Nora, Name: "Nora Example", What: "Contact at Northwind AI, who signs for it"},
	Lin:   {ID: Lin, Name: "Lin Example", What: "Data scientist at Northwind AI"},
	Ravi:  {ID: Ravi, Name: "Ravi Example", What: "Data scientist at Northwind AI"},
	Petra: {ID: Petra, Name: "Petra Example", What: "Contact at Harborlight Health Analytics"},
	Tomas: {ID: Tomas, Name: "Tomas Example", What: "Engineer at Clearwater Imaging"},
}

// scope is what a role shows, and so what its program asks for.
type scope map[string]snapshot.ResourceScope

func reads(more ...string) []string { return append([]string{"read", "search-type"}, more...) }

var scopes = map[id.Role]scope{
	TriageRole: {
		"Patient":     {Interactions: reads("everything"), Elements: []string{"gender", "birthDate", "active"}},
		"Observation": {Interactions: reads(), Elements: []string{"status", "category", "code", "subject", "effective[x]", "value[x]"}},
		"Condition":   {Interactions: reads(), Elements: []string{"clinicalStatus", "verificationStatus", "code", "subject", "onset[x]"}},
		"Encounter":   {Interactions: reads(), Elements: []string{"status", "class", "type", "subject", "period"}},
	},
	SummaryRole: {
		"Patient":           {Interactions: reads(), Elements: []string{"gender", "birthDate", "active"}},
		"Encounter":         {Interactions: reads(), Elements: []string{"status", "class", "type", "subject", "period", "reasonCode"}},
		"Condition":         {Interactions: reads(), Elements: []string{"clinicalStatus", "code", "subject", "onset[x]"}},
		"MedicationRequest": {Interactions: reads(), Elements: []string{"status", "intent", "medication[x]", "subject", "authoredOn"}},
	},
	DetailRole: {
		"Patient":     {Interactions: reads(), Elements: []string{"gender", "birthDate", "active", "maritalStatus"}},
		"Observation": {Interactions: reads(), Elements: []string{"status", "category", "code", "subject", "effective[x]", "value[x]"}},
	},
	ImagingRole: {
		"Patient":          {Interactions: reads(), Elements: []string{"gender", "birthDate", "active"}},
		"DiagnosticReport": {Interactions: reads(), Elements: []string{"status", "category", "code", "subject", "effective[x]", "result"}},
		"Observation":      {Interactions: reads(), Elements: []string{"status", "category", "code", "subject", "effective[x]", "value[x]"}},
	},
	DenialRole: {
		"Patient":   {Interactions: reads(), Elements: []string{"gender", "birthDate", "active"}},
		"Encounter": {Interactions: reads(), Elements: []string{"status", "class", "type", "subject", "period"}},
	},
}

package living

import (
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// The organisation's people.
const (
	ada   = id.Person("ada")   // operator and procurement
	grace = id.Person("grace") // privacy officer
	sam   = id.Person("sam")   // security officer
	omar  = id.Person("omar")  // data owner, a clinician
	iris  = id.Person("iris")  // auditor
)

// The vendors' people.
const (
	nora  = id.Person("nora")  // Northwind's contact, who signs for it
	lin   = id.Person("lin")   // data scientist
	ravi  = id.Person("ravi")  // data scientist
	petra = id.Person("petra") // of Harborlight
	tomas = id.Person("tomas") // of Clearwater
)

// The vendors, and what is theirs.
const (
	northwind   = id.Vendor("northwind")   // in operation
	harborlight = id.Vendor("harborlight") // in onboarding
	clearwater  = id.Vendor("clearwater")  // had an incident, was terminated, is being parted from

	northwindBAA = id.Agreement("northwind-baa")
	northwindNew = id.Agreement("northwind-baa-amended") // waits for Northwind's signature
	northwindSOW = id.Agreement("northwind-contract")
	triageEval   = id.Engagement("triage-eval")
	summaries    = id.Engagement("discharge-summaries") // its time is nearly over
	gpu1         = id.Device("northwind-gpu-1")
	gpu2         = id.Device("northwind-gpu-2")
	laptop       = id.Device("lin-laptop")
	triageApp    = id.App("triage")
	summaryApp   = id.App("summarizer")
	labelApp     = id.App("labeller")
	assistantApp = id.App("assistant") // an agent, on Lin's laptop
	triageGrant  = id.Grant("triage-grant")
	summaryGrant = id.Grant("summaries-grant")
	labelGrant   = id.Grant("labeller-grant")
	assistGrant  = id.Grant("assistant-grant")
	triageRole   = id.Role("triage-reader")
	summaryRole  = id.Role("encounter-reader")
	detailRole   = id.Role("triage-detail")

	clearwaterBAA = id.Agreement("clearwater-baa")
	imagingQA     = id.Engagement("imaging-qa")
	imagingBox    = id.Device("clearwater-1")
	imagingApp    = id.App("imaging-qa")
	imagingGrant  = id.Grant("imaging-grant")
	imagingRole   = id.Role("imaging-reader")
	imagingLeak   = id.Incident("shared-folder")
	goodbye       = id.Offboarding("goodbye-clearwater")

	harborlightBAA = id.Agreement("harborlight-baa")
	denials        = id.Engagement("denials-pilot")
	harborBox      = id.Device("harborlight-1")
	denialApp      = id.App("denials")
	denialRole     = id.Role("denials-reader")
	denialGrant    = id.Grant("denials-grant")
	harborAsk      = id.Questionnaire("harborlight-q1")
)

// Cast are the people in the order in which a page offers them: the six whom the console
// is for, and Ada, who runs it.
var Cast = []id.Person{grace, sam, nora, lin, iris, omar, ada}

// whatTheyAre says who everybody is.
var cast = map[id.Person]Person{
	ada:   {ID: ada, Name: "Ada Example", What: "Operator and procurement, Mercy Valley Health"},
	grace: {ID: grace, Name: "Grace Example", What: "Privacy officer, Mercy Valley Health"},
	sam:   {ID: sam, Name: "Sam Example", What: "Security officer, Mercy Valley Health"},
	omar:  {ID: omar, Name: "Dr. Omar Example", What: "Data owner and clinician, Mercy Valley Health"},
	iris:  {ID: iris, Name: "Iris Example", What: "Auditor, Mercy Valley Health"},
	nora:  {ID: nora, Name: "Nora Example", What: "Contact at Northwind AI, who signs for it"},
	lin:   {ID: lin, Name: "Lin Example", What: "Data scientist at Northwind AI"},
	ravi:  {ID: ravi, Name: "Ravi Example", What: "Data scientist at Northwind AI"},
	petra: {ID: petra, Name: "Petra Example", What: "Contact at Harborlight Health Analytics"},
	tomas: {ID: tomas, Name: "Tomas Example", What: "Engineer at Clearwater Imaging"},
}

// scope is what a role shows, and so what its program asks for.
type scope map[string]snapshot.ResourceScope

func reads(more ...string) []string { return append([]string{"read", "search-type"}, more...) }

var scopes = map[id.Role]scope{
	triageRole: {
		"Patient":     {Interactions: reads("everything"), Elements: []string{"gender", "birthDate", "active"}},
		"Observation": {Interactions: reads(), Elements: []string{"status", "category", "code", "subject", "effective[x]", "value[x]"}},
		"Condition":   {Interactions: reads(), Elements: []string{"clinicalStatus", "verificationStatus", "code", "subject", "onset[x]"}},
		"Encounter":   {Interactions: reads(), Elements: []string{"status", "class", "type", "subject", "period"}},
	},
	summaryRole: {
		"Patient":           {Interactions: reads(), Elements: []string{"gender", "birthDate", "active"}},
		"Encounter":         {Interactions: reads(), Elements: []string{"status", "class", "type", "subject", "period", "reasonCode"}},
		"Condition":         {Interactions: reads(), Elements: []string{"clinicalStatus", "code", "subject", "onset[x]"}},
		"MedicationRequest": {Interactions: reads(), Elements: []string{"status", "intent", "medication[x]", "subject", "authoredOn"}},
	},
	detailRole: {
		"Patient":     {Interactions: reads(), Elements: []string{"gender", "birthDate", "active", "maritalStatus"}},
		"Observation": {Interactions: reads(), Elements: []string{"status", "category", "code", "subject", "effective[x]", "value[x]"}},
	},
	imagingRole: {
		"Patient":          {Interactions: reads(), Elements: []string{"gender", "birthDate", "active"}},
		"DiagnosticReport": {Interactions: reads(), Elements: []string{"status", "category", "code", "subject", "effective[x]", "result"}},
		"Observation":      {Interactions: reads(), Elements: []string{"status", "category", "code", "subject", "effective[x]", "value[x]"}},
	},
	denialRole: {
		"Patient":   {Interactions: reads(), Elements: []string{"gender", "birthDate", "active"}},
		"Encounter": {Interactions: reads(), Elements: []string{"status", "class", "type", "subject", "period"}},
	},
}

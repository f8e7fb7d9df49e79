package deid

import "strings"

// Action is what happens to an element that a role's scope covers. An element
// that the scope does not cover goes, whatever its action.
type Action uint8

// The actions. The zero Action removes.
const (
	// Remove: never released, by no role.
	Remove Action = iota
	// Direct: identifies a person, or is free text that can. Released only if
	// the role names this very element (or a direct one above it) and the role
	// may have direct identifiers. The same holds for each of its parts that is
	// named alone, but for those that are IfNamed.
	Direct
	// IfNamed: released where the role names this very element; naming one
	// above it is not enough.
	IfNamed
	// Keep: released as it is, if the JSON value has the shape of its type.
	Keep
	// Walk: a complex type; each of its elements has a ruling of its own.
	Walk
	// Date: a date or dateTime, under the date rule.
	Date
	// Clock: an instant or a time of day, which cannot be cut to a year:
	// removed under the year rule.
	Clock
	// Pseudonym: an id, replaced by its code of the engagement.
	Pseudonym
	// Refer: Reference.reference, rewritten to the code of what it points at,
	// or removed if it cannot be.
	Refer
	// Extend: a list of extensions, of which those in Extensions stay.
	Extend
)

// String names the action for documentation and tests.
func (a Action) String() string {
	names := [...]string{"remove", "direct", "if named", "keep", "walk", "date", "clock", "pseudonym", "refer", "extend"}
	if int(a) < len(names) {
		return names[a]
	}
	return "remove"
}

// Element is what a ruling may depend on: no value, only the definition.
type Element struct {
	Path string // where FHIR defines it: "Patient.photo", "Coding.display"
	Type string // the FHIR type of this choice: "string", "CodeableConcept"
}

// Profile rules on every element. Part 2 of the product adds Safe Harbor and
// expert determination profiles here.
type Profile interface {
	// Name is what a role writes in its profile field.
	Name() string
	// Rule must be a pure function of e. What it does not know, it removes.
	Rule(e Element) Action
}

// Profiles is the closed list of profiles.
var Profiles = []Profile{minimumNecessary{}}

// MinimumNecessary is the name of the profile of this file.
const MinimumNecessary = "minimum-necessary"

type minimumNecessary struct{}

func (minimumNecessary) Name() string { return MinimumNecessary }

// Rule looks the element up by path, then by type. No entry: removed.
func (minimumNecessary) Rule(e Element) Action {
	if a, ok := elementRulings[e.Path]; ok {
		return a
	}
	if strings.HasPrefix(e.Type, "http://hl7.org/fhirpath/") {
		return Remove // Element.id and Extension.url are handled by name
	}
	return typeRulings[e.Type]
}

// typeRulings says what happens to a value of each R4 datatype (section 2.24).
var typeRulings = map[string]Action{
	// Primitives without words in them.
	"boolean":     Keep,
	"integer":     Keep,
	"unsignedInt": Keep,
	"positiveInt": Keep,
	"decimal":     Keep,
	"code":        Keep, // a token from a code system, by definition

	// Primitives that are words.
	"string":   Direct, // free text unless elementRulings says that it is code-like
	"markdown": Direct,
	"xhtml":    Direct,

	// Addresses of things. A URL is one of the 18 identifiers (164.514(b)(2)(i)(N)).
	"uri":       Direct,
	"url":       Direct,
	"canonical": Direct,
	"oid":       Direct,
	"uuid":      Direct,

	"base64Binary": Direct,
	"id":           Pseudonym, // resource ids, DICOM UIDs

	"date":     Date,
	"dateTime": Date,
	"instant":  Clock,
	"time":     Clock,

	// Types that are a person's, a place's or a document's identity as a whole.
	"HumanName":    Direct,
	"Address":      Direct,
	"ContactPoint": Direct,
	"Identifier":   Direct,
	"Annotation":   Direct,
	"Signature":    Direct,
	"Narrative":    Direct,

	// Types ruled element by element.
	"Attachment":      Walk, // contentType, language and size stay; data, url, hash and title go
	"CodeableConcept": Walk, // coding stays, text goes
	"Coding":          Walk,
	"Reference":       Walk, // reference is rewritten; display and identifier go
	"Period":          Walk,
	"Range":           Walk,
	"Ratio":           Walk,
	"Quantity":        Walk,
	"Age":             Walk,
	"Count":           Walk,
	"Distance":        Walk,
	"Duration":        Walk,
	"Money":           Walk,
	"SampledData":     Walk,
	"Timing":          Walk,
	"Dosage":          Walk,
	"BackboneElement": Walk,
	"Element":         Walk,
	"Extension":       Extend,

	// Metadata types, seen in definitional resources.
	"ContactDetail":       Walk,
	"Contributor":         Walk,
	"DataRequirement":     Walk,
	"Expression":          Walk,
	"ParameterDefinition": Walk,
	"RelatedArtifact":     Walk,
	"TriggerDefinition":   Walk,
	"UsageContext":        Walk,
	"ElementDefinition":   Walk,
	"MarketingStatus":     Walk,
	"Population":          Walk,
	"ProdCharacteristic":  Walk,
	"ProductShelfLife":    Walk,
	"SubstanceAmount":     Walk,

	// "Resource" (contained, Bundle.entry.resource, Parameters.parameter.resource)
	// is absent: contained resources are judged by their own type.
}

// elementRulings are the exceptions: elements ruled otherwise than their type.
var elementRulings = map[string]Action{
	// Strings and URIs that belong to a code or a number, not to a person.
	"Coding.system":   Keep,
	"Coding.version":  Keep,
	"Coding.display":  Keep, // the code system's own words for the code
	"Quantity.system": Keep,
	"Quantity.unit":   Keep,

	"SampledData.data": Keep, // numbers, E, U and L; the shape is checked

	// The tokens that join an answer to its question.
	"Questionnaire.item.linkId":              Keep,
	"Questionnaire.item.enableWhen.question": Keep,
	"QuestionnaireResponse.item.linkId":      Keep,
	"QuestionnaireResponse.questionnaire":    Keep, // which form, not whose
	"Meta.profile":                           Keep, // which shape, not whose

	"Reference.reference": Refer,
	"Reference.type":      Keep, // the name of a type

	// A State or a country is not among the 18 identifiers, but only a role
	// that asks for it gets it.
	"Address.state":   IfNamed,
	"Address.country": IfNamed,

	// Where on earth: a Location can be someone's home.
	"Location.position": Direct,

	// A person's next of kin and face.
	"Patient.contact":         Direct,
	"HealthcareService.photo": Direct,
	"Patient.photo":           Direct,
	"Person.photo":            Direct,
	"Practitioner.photo":      Direct,
	"RelatedPerson.photo":     Direct,

	// SHA-1 of the data: it would confirm a guess.
	"Attachment.hash": Direct,
}

// Extensions is the closed list of extensions that stay, with what of them
// stays. All others go, and a modifier extension refuses the resource: its
// meaning is not known here (R4 section 2.4.0.1).
var Extensions = []Extension{
	{URL: DataAbsentReason, Value: "valueCode", Primitive: true},
	{URL: "http://hl7.org/fhir/us/core/StructureDefinition/us-core-birthsex", Value: "valueCode"},
	{URL: "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race", Parts: []Extension{
		{URL: "ombCategory", Value: "valueCoding"}, {URL: "detailed", Value: "valueCoding"}}},
	{URL: "http://hl7.org/fhir/us/core/StructureDefinition/us-core-ethnicity", Parts: []Extension{
		{URL: "ombCategory", Value: "valueCoding"}, {URL: "detailed", Value: "valueCoding"}}},
}

// Extension says what of one known extension stays.
type Extension struct {
	URL       string
	Value     string      // the one member that stays: valueCode or valueCoding
	Parts     []Extension // or the extensions inside it that stay
	Primitive bool        // may stand on a primitive, and on any visible element
}

// DataAbsentReason marks an element that must be there and was taken out, with
// the code "masked" (R4 section 2.1.0.6).
const DataAbsentReason = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"

package deid

// Action is what happens to an element that a role's scope covers. An element
// that the scope does not cover goes, whatever its action. The profiles in
// profiles/ name them; the table of all elements is docs/deid-rulings.md.
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
	// Date: a date, dateTime or instant, under the profile's rule for dates.
	Date
	// Clock: an instant or a time of day, which cannot be cut to a year:
	// removed under the year rule.
	Clock
	// Pseudonym: an id, replaced by its code of the engagement.
	Pseudonym
	// Refer: Reference.reference, rewritten to the code of what it points at,
	// or removed if it cannot be.
	Refer
	// Extend: a list of extensions, of which those that the profile names stay.
	Extend
	// FreeText: words, under the profile's rule for text: removed or scrubbed.
	FreeText
	// XHTML: Narrative.div, under the profile's rule for narrative.
	XHTML
	// FileData: base64 of a file, under the profile's rule for attachments.
	FileData
	// ZIPCode: Address.postalCode, under the profile's rule for ZIP codes.
	ZIPCode
	// StateName: Address.state, kept where it is a State of the United States.
	StateName
	// CountryName: Address.country, kept where ISO 3166 knows it.
	CountryName
	// Display: Coding.display, kept where the code system is one whose words
	// the profile trusts.
	Display
	// Canonical: the address of a definition: HL7's own stays, one of the
	// source's is rewritten as a reference is, any other becomes a urn:uuid made
	// from its code.
	Canonical
	// YearOnly: a date, cut to its year whatever the profile's rule for dates:
	// to generalise a birth date where others are shifted.
	YearOnly
	actions
)

var actionNames = [actions]string{"remove", "direct", "if-named", "keep", "walk", "date", "clock", "pseudonym", "refer", "extend",
	"text", "xhtml", "data", "zip", "state", "country", "display", "canonical", "year"}

// String is the action's name in a profile.
func (a Action) String() string {
	if a < actions {
		return actionNames[a]
	}
	return actionNames[Remove]
}

// Element is what a ruling may depend on: no value, only the definition.
type Element struct {
	Path string // where FHIR defines it: "Patient.photo", "Coding.display"
	Type string // the FHIR type of this choice: "string", "CodeableConcept"
}

// Extension says what of one known extension stays: its value, by the ruling for
// the value's type, or the extensions inside it.
type Extension struct {
	URL       string      `yaml:"url"`
	Values    []string    `yaml:"values" json:",omitempty"`    // the members that stay: valueCode, valueCoding ...
	Parts     []Extension `yaml:"parts" json:",omitempty"`     // the extensions inside it that stay
	Primitive bool        `yaml:"primitive" json:",omitempty"` // may stand on a primitive too
	// Removed says why an extension that people ask about goes. Whatever is not
	// named goes as well.
	Removed string `yaml:"removed" json:",omitempty"`
}

// May says whether the member stays.
func (e *Extension) May(member []byte) bool {
	for _, v := range e.Values {
		if v == string(member) {
			return true
		}
	}
	return false
}

// DataAbsentReason marks an element that must be there and was taken out, with
// the code "masked" (R4 section 2.1.0.6).
const DataAbsentReason = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"

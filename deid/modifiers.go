package deid

// modifiers are the elements that R4 marks isModifier besides a resource's
// status: they can turn round the meaning of what stands next to them
// (MedicationRequest.doNotPerform). Cutting one leaves a mark, so that its
// reader knows that something is missing. Read from the R4 definitions, without
// implicitRules and modifierExtension, which are handled elsewhere, and without
// the use of a name, an address, a telecom or an identifier, which tells one of
// several from another and turns nothing round.
var modifiers = map[string]bool{
	"ActivityDefinition.doNotPerform":                          true,
	"AdverseEvent.actuality":                                   true,
	"AllergyIntolerance.clinicalStatus":                        true,
	"AllergyIntolerance.verificationStatus":                    true,
	"AppointmentResponse.participantStatus":                    true,
	"Basic.code":                                               true,
	"BodyStructure.active":                                     true,
	"CarePlan.activity.detail.doNotPerform":                    true,
	"CarePlan.activity.detail.status":                          true,
	"CarePlan.intent":                                          true,
	"CommunicationRequest.doNotPerform":                        true,
	"ConceptMap.group.element.target.equivalence":              true,
	"Condition.clinicalStatus":                                 true,
	"Condition.verificationStatus":                             true,
	"Consent.scope":                                            true,
	"Contract.term.action.doNotPerform":                        true,
	"DeviceRequest.intent":                                     true,
	"Goal.lifecycleStatus":                                     true,
	"HealthcareService.active":                                 true,
	"Immunization.isSubpotent":                                 true,
	"ImmunizationRecommendation.recommendation.forecastStatus": true,
	"List.entry.deleted":                                       true,
	"List.mode":                                                true,
	"MeasureReport.improvementNotation":                        true,
	"MedicationRequest.doNotPerform":                           true,
	"MedicationRequest.intent":                                 true,
	"MedicinalProductIngredient.specifiedSubstance.strength.concentrationLowLimit": true,
	"MedicinalProductIngredient.specifiedSubstance.strength.presentationLowLimit":  true,
	"NutritionOrder.intent":         true,
	"Organization.active":           true,
	"Patient.active":                true,
	"Patient.deceased[x]":           true,
	"Patient.link":                  true,
	"Person.active":                 true,
	"Quantity.comparator":           true,
	"Questionnaire.item.enableWhen": true,
	"RelatedPerson.active":          true,
	"RequestGroup.intent":           true,
	"Schedule.active":               true,
	"ServiceRequest.doNotPerform":   true,
	"ServiceRequest.intent":         true,
}

// isModifier reports whether leaving the element out could change the meaning.
func isModifier(path string) bool {
	if modifiers[path] {
		return true
	}
	for i := range len(path) {
		if path[i] == '.' {
			return path[i:] == ".status" && isResource(path[:i])
		}
	}
	return false
}

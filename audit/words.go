package audit

// The closed lists of entries. A word that is not here is refused, so that a
// new protocol adds its words in the open.

func knownDirection(d Direction) bool { return d == Out || d == In }

func knownAgent(a Agent) bool { return a == Human || a == Workload || a == AI }

func knownResult(r Result) bool { return r == Released || r == Withheld || r == Incomplete }

func knownTLS(v string) bool { return v == "1.3" || v == "1.2" }

func knownLeg(v string) bool { return v == "none" || knownTLS(v) }

func knownRegionBy(v RegionBy) bool { return v == ByDeclaration || v == ByAddress }

// Region reports whether v has the form of a country or a subdivision of one (ISO
// 3166): "US", "US-MA".
func Region(v string) bool {
	for i := range len(v) {
		c := v[i]
		upper, digit := 'A' <= c && c <= 'Z', '0' <= c && c <= '9'
		switch {
		case i < 2 && upper, i == 2 && c == '-' && len(v) > 3, i > 2 && (upper || digit):
		default:
			return false
		}
	}
	return len(v) >= 2 && len(v) <= 6
}

// KeyExchange reports whether v is a key exchange that an entry can name.
func KeyExchange(v string) bool {
	switch v {
	case "X25519MLKEM768", "SecP256r1MLKEM768", "SecP384r1MLKEM1024",
		"X25519", "CurveP256", "CurveP384", "CurveP521":
		return true
	}
	return false
}

func knownBinding(v string) bool {
	return v == "none" || v == "mtls" || v == "dpop" || v == "mtls+dpop"
}

func knownSealing(v string) bool { return v == "none" || seals(v) }

// seals reports whether v is a way of sealing; "age" is the post-quantum one.
func seals(v string) bool { return v == "age" || v == "age-x25519" || v == "hpke-p256" }

// Action reports whether v is a word that an entry can have as its action: the
// RESTful interaction codes of FHIR R4 and the operations that the doors offer.
func Action(v string) bool {
	switch v {
	case "read", "vread", "update", "patch", "delete", "create",
		"history-instance", "history-type", "history-system",
		"search-type", "search-system", "search-compartment",
		"capabilities", "batch", "transaction", "operation", "everything",
		"next-page", "export", "download", "prompt", "completion", "tool-call", "reveal",
		"authenticate": // what the doors turned away before anything was asked
		return true
	}
	return false
}

// Resource reports whether v is an R4 (4.0.1) resource type.
func Resource(v string) bool {
	switch v {
	case "Account", "ActivityDefinition", "AdverseEvent", "AllergyIntolerance", "Appointment",
		"AppointmentResponse", "AuditEvent", "Basic", "Binary", "BiologicallyDerivedProduct",
		"BodyStructure", "Bundle", "CapabilityStatement", "CarePlan", "CareTeam", "CatalogEntry",
		"ChargeItem", "ChargeItemDefinition", "Claim", "ClaimResponse", "ClinicalImpression",
		"CodeSystem", "Communication", "CommunicationRequest", "CompartmentDefinition",
		"Composition", "ConceptMap", "Condition", "Consent", "Contract", "Coverage",
		"CoverageEligibilityRequest", "CoverageEligibilityResponse", "DetectedIssue", "Device",
		"DeviceDefinition", "DeviceMetric", "DeviceRequest", "DeviceUseStatement",
		"DiagnosticReport", "DocumentManifest", "DocumentReference",
		"EffectEvidenceSynthesis", "Encounter", "Endpoint", "EnrollmentRequest",
		"EnrollmentResponse", "EpisodeOfCare", "EventDefinition", "Evidence", "EvidenceVariable",
		"ExampleScenario", "ExplanationOfBenefit", "FamilyMemberHistory", "Flag", "Goal",
		"GraphDefinition", "Group", "GuidanceResponse", "HealthcareService", "ImagingStudy",
		"Immunization", "ImmunizationEvaluation", "ImmunizationRecommendation",
		"ImplementationGuide", "InsurancePlan", "Invoice", "Library", "Linkage", "List",
		"Location", "Measure", "MeasureReport", "Media", "Medication",
		"MedicationAdministration", "MedicationDispense", "MedicationKnowledge",
		"MedicationRequest", "MedicationStatement", "MedicinalProduct",
		"MedicinalProductAuthorization", "MedicinalProductContraindication",
		"MedicinalProductIndication", "MedicinalProductIngredient",
		"MedicinalProductInteraction", "MedicinalProductManufactured",
		"MedicinalProductPackaged", "MedicinalProductPharmaceutical",
		"MedicinalProductUndesirableEffect", "MessageDefinition", "MessageHeader",
		"MolecularSequence", "NamingSystem", "NutritionOrder", "Observation",
		"ObservationDefinition", "OperationDefinition", "OperationOutcome", "Organization",
		"OrganizationAffiliation", "Parameters", "Patient", "PaymentNotice",
		"PaymentReconciliation", "Person", "PlanDefinition", "Practitioner",
		"PractitionerRole", "Procedure", "Provenance", "Questionnaire",
		"QuestionnaireResponse", "RelatedPerson", "RequestGroup", "ResearchDefinition",
		"ResearchElementDefinition", "ResearchStudy", "ResearchSubject", "RiskAssessment",
		"RiskEvidenceSynthesis", "Schedule", "SearchParameter", "ServiceRequest", "Slot",
		"Specimen", "SpecimenDefinition", "StructureDefinition", "StructureMap",
		"Subscription", "Substance", "SubstanceNucleicAcid", "SubstancePolymer",
		"SubstanceProtein", "SubstanceReferenceInformation", "SubstanceSourceMaterial",
		"SubstanceSpecification", "SupplyDelivery", "SupplyRequest", "Task",
		"TerminologyCapabilities", "TestReport", "TestScript", "ValueSet", "VerificationResult",
		"VisionPrescription":
		return true
	}
	return false
}

// word reports whether v has the form of a word whose closed list belongs to
// another package (a gate, a reason, an act): lower-case
// letters, '-', '.' or '_', beginning with a letter, at most 48 bytes, and at most
// four digits, which is enough for a version and too few for a date of birth or a
// record number.
func word(v string) bool {
	if v == "" || len(v) > 48 || v[0] < 'a' || v[0] > 'z' {
		return false
	}
	digits := 0
	for i := range len(v) {
		switch c := v[i]; {
		case 'a' <= c && c <= 'z', c == '-', c == '.', c == '_':
		case '0' <= c && c <= '9':
			digits++
		default:
			return false
		}
	}
	return digits <= 4
}

// pseudonym reports whether v has the form of a keyed pseudonym. Twenty
// characters are more than a record number, a phone number or most names have.
func pseudonym(v string) bool {
	if len(v) < 20 || len(v) > 128 {
		return false
	}
	for i := range len(v) {
		switch c := v[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}

// CheckOrigin reports whether v can be a log's origin: a name of hosts and paths
// such as "hospital.example/sallyport/node1", at most 100 bytes.
func CheckOrigin(v string) bool {
	if v == "" || len(v) > 100 {
		return false
	}
	for i := range len(v) {
		switch c := v[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case i > 0 && (c == '-' || c == '.' || c == '_' || c == '/'):
		default:
			return false
		}
	}
	return true
}

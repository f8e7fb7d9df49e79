package registry

// offboardingActs are the acts of the parting from a vendor (45 CFR 164.504(e)(2)(ii)(J)).
var offboardingActs = []Spec{
	{"offboarding.begin", "offboarding", "begin", "Part from a vendor, or end an engagement: everything that rests on it dies at once",
		"/v1/offboardings", []Duty{PrivacyOfficer, SecurityOfficer, Procurement}, func() Act { return new(BeginOffboarding) }, nil},
	{"offboarding.record-inventory", "offboarding", "record-inventory", "Note what was released, as the log counts it",
		"/v1/offboardings/{id}/record-inventory", []Duty{PrivacyOfficer, SecurityOfficer, Operator}, func() Act { return new(RecordInventory) }, nil},
	{"offboarding.attest", "offboarding", "attest", "Say what became of one form of the data",
		"/v1/offboardings/{id}/attest", []Duty{PrivacyOfficer, SecurityOfficer, Procurement}, func() Act { return new(AttestDisposition) }, []Admission{LinkHolder, VendorPeople}},
	{"offboarding.accept", "offboarding", "accept", "Accept that a form cannot be destroyed, or that weights hold no PHI",
		"/v1/offboardings/{id}/accept", []Duty{PrivacyOfficer}, func() Act { return new(AcceptDisposition) }, nil},
	{"offboarding.record-check", "offboarding", "record-check", "Note how often credentials of what ended were tried since",
		"/v1/offboardings/{id}/record-check", []Duty{PrivacyOfficer, SecurityOfficer, Operator}, func() Act { return new(CheckOffboarding) }, []Admission{Clock}},
	{"offboarding.legal-hold", "offboarding", "legal-hold", "Keep the record and the keys: somebody may ask for them",
		"/v1/offboardings/{id}/legal-hold", []Duty{PrivacyOfficer, SecurityOfficer, DataOwner}, func() Act { return new(PlaceLegalHold) }, nil},
	{"offboarding.lift-legal-hold", "offboarding", "lift-legal-hold", "End a legal hold",
		"/v1/offboardings/{id}/lift-legal-hold", []Duty{PrivacyOfficer}, func() Act { return new(LiftLegalHold) }, nil},
	{"offboarding.complete", "offboarding", "complete", "Close an offboarding in which everything is accounted for",
		"/v1/offboardings/{id}/complete", []Duty{PrivacyOfficer}, func() Act { return new(CompleteOffboarding) }, nil},
}

package registry

// agreementActs are the acts of agreements beyond drafting and signing: amendments, notices, cures (45 CFR 164.504(e)).
var agreementActs = []Spec{
	{"person.name-signatory", "person", "name-signatory", "Accept a person as who signs papers for their side",
		"/v1/persons/{id}/name-signatory", []Duty{PrivacyOfficer, Procurement}, func() Act { return new(NameSignatory) }, nil},
	{"person.end-signatory", "person", "end-signatory", "Say that a person no longer signs papers",
		"/v1/persons/{id}/end-signatory", []Duty{PrivacyOfficer, Procurement, SecurityOfficer, Operator}, func() Act { return new(EndSignatory) }, nil},
	{"agreement.check-terms", "agreement", "check-terms", "Read a paper a second time: enter its terms again, and have every difference refused",
		"/v1/agreements/{id}/check-terms", []Duty{PrivacyOfficer, SecurityOfficer, Procurement, DataOwner}, func() Act { return new(CheckTerms) }, nil},
	{"agreement.sign-here", "agreement", "sign-here", "Sign a paper in the product, for your side, by your passkey",
		"/v1/agreements/{id}/sign-here", []Duty{PrivacyOfficer, Procurement}, func() Act { return new(SignHere) }, []Admission{VendorPeople}},
	{"agreement.give-notice", "agreement", "give-notice", "Give notice of a breach of the agreement, with a time to cure it",
		"/v1/agreements/{id}/give-notice", []Duty{PrivacyOfficer, SecurityOfficer, Procurement, DataOwner}, func() Act { return new(GiveNotice) }, nil},
	{"agreement.cured", "agreement", "cured", "Accept that a breach was cured in time",
		"/v1/agreements/{id}/cured", []Duty{PrivacyOfficer, SecurityOfficer}, func() Act { return new(NoteCured) }, nil},
	{"agreement.renew", "agreement", "renew", "Ask for a later end, by a signed renewal",
		"/v1/agreements/{id}/renew", []Duty{Procurement, PrivacyOfficer}, func() Act { return new(RenewAgreement) }, nil},
	{"agreement.approve-renewal", "agreement", "approve-renewal", "Put a later end into force",
		"/v1/agreements/{id}/approve-renewal", []Duty{PrivacyOfficer, DataOwner}, func() Act { return new(ApproveRenewal) }, nil},
}

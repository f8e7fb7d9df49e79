package registry

// diligenceActs are the acts of due diligence: profiles, questionnaires, links, findings (45 CFR 164.308(b)).
var diligenceActs = []Spec{
	{"link.issue", "link", "issue", "Give a vendor's contact an expiring way in to one questionnaire, report or attestation",
		"/v1/links", []Duty{Procurement, PrivacyOfficer, SecurityOfficer}, func() Act { return new(IssueLink) }, nil},
	{"link.revoke", "link", "revoke", "End a link before its time",
		"/v1/links/{id}/revoke", []Duty{Procurement, PrivacyOfficer, SecurityOfficer, DataOwner, Operator}, func() Act { return new(RevokeLink) }, []Admission{Clock}},
}

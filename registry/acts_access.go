package registry

// accessActs are the acts of requests, elevations, reviews and emergencies (45 CFR 164.308(a)(4), 164.312(a)(2)(ii)).
var accessActs = []Spec{
	{"request.make", "request", "make", "Ask for access, or to be lifted for hours: the smallest that fits, how long and why",
		"/v1/requests", []Duty{Operator, DataOwner, Procurement}, func() Act { return new(MakeRequest) }, []Admission{Self}},
	{"request.approve", "request", "approve", "Give what was asked for, until it ends by itself",
		"/v1/requests/{id}/approve", []Duty{DataOwner}, func() Act { return new(ApproveRequest) }, nil},
	{"request.deny", "request", "deny", "Say no to a request",
		"/v1/requests/{id}/deny", []Duty{DataOwner, PrivacyOfficer, SecurityOfficer}, func() Act { return new(DenyRequest) }, nil},
	{"request.withdraw", "request", "withdraw", "Take a request back",
		"/v1/requests/{id}/withdraw", []Duty{Operator, DataOwner, Procurement}, func() Act { return new(WithdrawRequest) }, []Admission{Self}},
	{"request.lapse", "request", "lapse", "Note that nobody decided a request in time",
		"/v1/requests/{id}/lapse", []Duty{Operator, DataOwner}, func() Act { return new(LapseRequest) }, []Admission{Clock}},
	{"grant.end-early", "grant", "end-early", "Give access back before its time",
		"/v1/grants/{id}/end-early", []Duty{PrivacyOfficer, SecurityOfficer, DataOwner, Operator, Procurement}, func() Act { return new(EndGrantEarly) }, []Admission{Self, VendorPeople}},
	{"review.open", "review", "open", "Look at a review, before deciding it",
		"/v1/reviews/{id}/open", []Duty{PrivacyOfficer, DataOwner}, func() Act { return new(OpenReview) }, nil},
	{"review.lapse", "review", "lapse", "End a grant that nobody reviewed, for good",
		"/v1/reviews/{id}/lapse", []Duty{PrivacyOfficer, DataOwner}, func() Act { return new(LapseReview) }, []Admission{Clock}},
	{"campaign.open", "campaign", "open", "Ask for a review of many grants by one date",
		"/v1/campaigns", []Duty{PrivacyOfficer, SecurityOfficer, DataOwner}, func() Act { return new(OpenCampaign) }, []Admission{Clock}},
	{"campaign.close", "campaign", "close", "End a campaign in which nothing is left to decide",
		"/v1/campaigns/{id}/close", []Duty{PrivacyOfficer, SecurityOfficer, DataOwner}, func() Act { return new(CloseCampaign) }, []Admission{Clock}},
	{"emergency.report", "emergency", "report", "Note that a source's own emergency procedure was used",
		"/v1/emergencies", []Duty{Operator, PrivacyOfficer, SecurityOfficer, DataOwner, Procurement}, func() Act { return new(ReportEmergency) }, []Admission{Self}},
	{"emergency.review", "emergency", "review", "Say whether the use of an emergency procedure was justified",
		"/v1/emergencies/{id}/review", []Duty{PrivacyOfficer, SecurityOfficer}, func() Act { return new(ReviewEmergency) }, nil},
}

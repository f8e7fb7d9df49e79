package registry

// trainingActs are the acts of the course, and courses that are taught elsewhere (45 CFR 164.308(a)(5), 164.530(b)).
var trainingActs = []Spec{
	{"person.assign-training", "person", "assign-training", "Say which track of the course a person needs, when they were hired and in which State they work",
		"/v1/persons/{id}/assign-training", []Duty{SecurityOfficer, PrivacyOfficer, Operator}, func() Act { return new(AssignTraining) }, nil},
	{"training.import", "training", "import", "Record completions out of a learning management system, all or none",
		"/v1/trainings/import", []Duty{SecurityOfficer, PrivacyOfficer, Operator}, func() Act { return new(ImportTrainings) }, []Admission{Connectors}},
	{"course.propose", "course", "propose", "Ask to let a course that is taught elsewhere count as training",
		"/v1/courses", []Duty{SecurityOfficer, PrivacyOfficer, Operator}, func() Act { return new(ProposeCourse) }, nil},
	{"course.approve", "course", "approve", "Let a course count, after looking at it",
		"/v1/courses/{id}/approve", []Duty{SecurityOfficer, PrivacyOfficer}, func() Act { return new(ApproveCourse) }, nil},
	{"course.retire", "course", "retire", "End a course: completions of it count no longer",
		"/v1/courses/{id}/retire", []Duty{SecurityOfficer, PrivacyOfficer, Operator}, func() Act { return new(RetireCourse) }, nil},
	{"course.publish-version", "course", "publish-version", "Note a new version of the organisation's own course; after a material change older completions lapse",
		"/v1/courses/publish-version", []Duty{SecurityOfficer, PrivacyOfficer}, func() Act { return new(PublishVersion) }, nil},
	// An attempt is the person's own: each act refuses everybody else.
	{"attempt.start", "attempt", "start", "Begin the course",
		"/v1/attempts", []Duty{SecurityOfficer}, func() Act { return new(StartAttempt) }, []Admission{Self}},
	{"attempt.read-lesson", "attempt", "read-lesson", "Note that a lesson is read",
		"/v1/attempts/{id}/read-lesson", []Duty{SecurityOfficer}, func() Act { return new(ReadLesson) }, []Admission{Self}},
	{"attempt.do-drill", "attempt", "do-drill", "Hand in the answer of a practical drill",
		"/v1/attempts/{id}/do-drill", []Duty{SecurityOfficer}, func() Act { return new(DoDrill) }, []Admission{Self}},
	{"attempt.answer", "attempt", "answer", "Save the answer to a question",
		"/v1/attempts/{id}/answer", []Duty{SecurityOfficer}, func() Act { return new(AnswerAttempt) }, []Admission{Self}},
	{"attempt.finish", "attempt", "finish", "Hand in the attempt, with the conduct rules signed; it is marked, and a pass is recorded",
		"/v1/attempts/{id}/finish", []Duty{SecurityOfficer}, func() Act { return new(FinishAttempt) }, []Admission{Self}},
	{"attempt.abandon", "attempt", "abandon", "End an attempt without handing it in",
		"/v1/attempts/{id}/abandon", []Duty{SecurityOfficer}, func() Act { return new(AbandonAttempt) }, []Admission{Self}},
}

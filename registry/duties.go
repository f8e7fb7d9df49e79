package registry

// Duty is what one of the organisation's people may do.
type Duty string

// The duties. An auditor reads everything and changes nothing, and so holds no
// other duty.
const (
	Operator        Duty = "operator"         // runs the system: people, devices, apps
	PrivacyOfficer  Duty = "privacy-officer"  // 45 CFR 164.530(a)(1)(i)
	SecurityOfficer Duty = "security-officer" // 45 CFR 164.308(a)(2)
	DataOwner       Duty = "data-owner"       // decides which data an engagement may have
	Procurement     Duty = "procurement"      // vendors and their papers
	Auditor         Duty = "auditor"          // read only
)

// Duties lists every duty.
var Duties = []Duty{Operator, PrivacyOfficer, SecurityOfficer, DataOwner, Procurement, Auditor}

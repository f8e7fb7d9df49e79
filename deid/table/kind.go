package table

import (
	"slices"

	"github.com/sallyport/sallyport/hipaa"
)

// Kind is what a column holds, of the things that the Privacy Rule names. The
// list is closed. The zero Kind is not known.
type Kind string

// The kinds.
const (
	UnknownKind Kind = ""
	Name        Kind = "name"        // of the individual, relatives, employers, household members, and here of clinicians too
	Street      Kind = "street"      // street address, or an address as a whole
	City        Kind = "city"        //
	County      Kind = "county"      // and precinct, district
	ZIP         Kind = "zip"         //
	Geocode     Kind = "geocode"     // coordinates, census tract or block
	Date        Kind = "date"        // an element of a date other than the year
	BirthDate   Kind = "birth-date"  // or year of birth
	Age         Kind = "age"         //
	Phone       Kind = "phone"       //
	Fax         Kind = "fax"         //
	Email       Kind = "email"       //
	SSN         Kind = "ssn"         //
	MRN         Kind = "mrn"         //
	HealthPlan  Kind = "health-plan" //
	Account     Kind = "account"     // and claim, bill, encounter
	License     Kind = "license"     // and certificate, passport, NPI
	Vehicle     Kind = "vehicle"     //
	Device      Kind = "device"      //
	URL         Kind = "url"         //
	IP          Kind = "ip"          //
	Biometric   Kind = "biometric"   //
	Photo       Kind = "photo"       //
	OtherID     Kind = "other-id"    // any other unique number, characteristic or code
	FreeText    Kind = "free-text"   // may hold any of them
	State       Kind = "state"       // State or country: none of the eighteen
)

// Kinds is every kind, the unknown one left out.
var Kinds = []Kind{Name, Street, City, County, ZIP, Geocode, Date, BirthDate, Age, Phone, Fax, Email, SSN, MRN, HealthPlan, Account, License, Vehicle, Device, URL, IP, Biometric, Photo, OtherID, FreeText, State}

func (k Kind) known() bool { return k == UnknownKind || slices.Contains(Kinds, k) }

// Basis is the legal basis that a set of rules must satisfy.
type Basis string

// The bases. The zero Basis is none, and is refused.
const (
	SafeHarbor          Basis = "safe-harbor"          // 45 CFR 164.514(b)(2)
	LimitedDataSet      Basis = "limited-data-set"     // 45 CFR 164.514(e)
	ExpertDetermination Basis = "expert-determination" // 45 CFR 164.514(b)(1)
	MinimumNecessary    Basis = "minimum-necessary"    // 45 CFR 164.502(b): what comes out is identified PHI
)

// control is the paragraph of Safe Harbor that lists the kind: its control in
// the catalogue of package hipaa. Empty: none.
func (k Kind) control() string {
	switch k {
	case Name:
		return "P-514-b-2-i-A"
	case Street, City, County, ZIP, Geocode:
		return "P-514-b-2-i-B"
	case Date, BirthDate, Age:
		return "P-514-b-2-i-C"
	case Phone:
		return "P-514-b-2-i-D"
	case Fax:
		return "P-514-b-2-i-E"
	case Email:
		return "P-514-b-2-i-F"
	case SSN:
		return "P-514-b-2-i-G"
	case MRN:
		return "P-514-b-2-i-H"
	case HealthPlan:
		return "P-514-b-2-i-I"
	case Account:
		return "P-514-b-2-i-J"
	case License:
		return "P-514-b-2-i-K"
	case Vehicle:
		return "P-514-b-2-i-L"
	case Device:
		return "P-514-b-2-i-M"
	case URL:
		return "P-514-b-2-i-N"
	case IP:
		return "P-514-b-2-i-O"
	case Biometric:
		return "P-514-b-2-i-P"
	case Photo:
		return "P-514-b-2-i-Q"
	case OtherID, FreeText:
		return "P-514-b-2-i-R"
	}
	return ""
}

// excluded is the paragraph of 164.514(e)(2) that keeps the kind out of a
// limited data set. Empty: it may stay.
func (k Kind) excluded() string {
	const e2 = "45 CFR 164.514(e)(2)"
	switch k {
	case Name:
		return e2 + "(i)"
	case Street, Geocode:
		return e2 + "(ii)"
	case Phone:
		return e2 + "(iii)"
	case Fax:
		return e2 + "(iv)"
	case Email:
		return e2 + "(v)"
	case SSN:
		return e2 + "(vi)"
	case MRN:
		return e2 + "(vii)"
	case HealthPlan:
		return e2 + "(viii)"
	case Account:
		return e2 + "(ix)"
	case License:
		return e2 + "(x)"
	case Vehicle:
		return e2 + "(xi)"
	case Device:
		return e2 + "(xii)"
	case URL:
		return e2 + "(xiii)"
	case IP:
		return e2 + "(xiv)"
	case Biometric:
		return e2 + "(xv)"
	case Photo:
		return e2 + "(xvi)"
	case FreeText:
		return e2
	}
	return ""
}

// ruling says whether a basis lets a method stand for a column of a kind, and
// if not, which paragraph is in the way. top is the top code, where the method
// has one.
func (b Basis) ruling(k Kind, m Method, top *Decimal) (citation string, ok bool) {
	switch b {
	case SafeHarbor:
		return safeHarbor(k, m, top)
	case LimitedDataSet:
		return direct(k, m, k.excluded())
	case ExpertDetermination:
		if k.excluded() == "" {
			return "", true
		}
		return direct(k, m, hipaa.MustCite("P-514-b-1").Text)
	case MinimumNecessary:
		return "", true
	}
	return hipaa.MustCite("P-514-a").Text, false
}

// direct is the ruling on the sixteen direct identifiers outside Safe Harbor:
// they go, or a code stands for them; free text goes or is scrubbed.
func direct(k Kind, m Method, citation string) (string, bool) {
	switch {
	case citation == "" || m == Remove:
		return "", true
	case k == FreeText:
		return citation, m == Scrub
	case k == Photo || k == Biometric:
		return citation, false
	}
	return citation, m == Code || m == Pseudonym
}

func safeHarbor(k Kind, m Method, top *Decimal) (string, bool) {
	switch m {
	case Remove:
		return "", true
	case Pseudonym: // derived from the value: not a code that (c) permits
		return hipaa.MustCite("P-514-c-1").Text, false
	case DateShift:
		return hipaa.MustCite("P-514-b-2-i-C").Text, false
	}
	control := k.control()
	if control == "" {
		return "", true
	}
	cite := hipaa.MustCite(control).Text
	switch k {
	case Street, City, County, Geocode, Biometric, Photo:
		return cite, false
	case ZIP:
		return cite, m == ZIP3
	case Date, BirthDate:
		return cite, m == Year
	case Age:
		return cite, m == AgeCap || (m == TopBottom && top != nil && top.cmp(Decimal{89, 0}) <= 0)
	case FreeText:
		return cite, m == Scrub
	}
	return cite, m == Code
}

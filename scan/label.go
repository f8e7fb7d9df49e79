package scan

import (
	"strings"

	"github.com/sallyport/sallyport/deid/text"
)

// label is what a key, a column's name or the words before a colon say of the
// value beside them.
type label struct {
	words    string // as the list has it, never as the file has it
	category text.Category
	weight   float64 // confidence for a well-formed value with nothing near
	kind     kind    // what the value must look like
	alone    bool    // stands also without a colon: "MRN 12345"
}

// kind is what a value must look like to be one.
type kind uint8

const (
	kindNumber kind = iota + 1 // an identifier with digits
	kindSSN
	kindBirth // a date on which somebody living may have been born
	kindName  // a person's name, or a part of one
	kindPhone
	kindEmail
	kindAddress
	kindZIP
	kindCity
)

// labels, longest first where one ends another. Weights under the default
// threshold need something near; see judge.
var labels = []label{
	{"medical record number", text.MRN, .72, kindNumber, true},
	{"medical record no", text.MRN, .72, kindNumber, true},
	{"medical record", text.MRN, .5, kindNumber, false},
	{"mrn", text.MRN, .72, kindNumber, true},
	{"record number", text.MRN, .5, kindNumber, false},
	{"hospital number", text.MRN, .65, kindNumber, false},
	{"chart number", text.MRN, .6, kindNumber, false},
	{"patient number", text.MRN, .65, kindNumber, false},
	{"patient identifier", text.MRN, .6, kindNumber, false},
	{"patient id", text.MRN, .55, kindNumber, false},
	{"pat id", text.MRN, .5, kindNumber, false},
	{"pid", text.MRN, .1, kindNumber, false}, // nearly always a process
	{"subject id", text.MRN, .3, kindNumber, false},
	{"nhs number", text.MRN, .7, kindNumber, true},
	{"social security number", text.SSN, .9, kindSSN, true},
	{"social security", text.SSN, .9, kindSSN, true},
	{"ssn", text.SSN, .9, kindSSN, true},
	{"ss number", text.SSN, .8, kindSSN, false},
	{"date of birth", text.Date, .55, kindBirth, true},
	{"birth date", text.Date, .5, kindBirth, false},
	{"birthdate", text.Date, .5, kindBirth, false},
	{"birth day", text.Date, .45, kindBirth, false},
	{"birthday", text.Date, .45, kindBirth, false},
	{"birth time", text.Date, .5, kindBirth, false},
	{"born", text.Date, .5, kindBirth, true},
	{"born on", text.Date, .5, kindBirth, true},
	{"dob", text.Date, .55, kindBirth, true},
	{"patient name", text.Name, .65, kindName, false},
	{"name of patient", text.Name, .65, kindName, false},
	{"pt name", text.Name, .65, kindName, false},
	{"patient", text.Name, .5, kindName, false},
	{"member name", text.Name, .4, kindName, false},
	{"guarantor", text.Name, .45, kindName, false},
	{"next of kin", text.Name, .5, kindName, false},
	{"mother maiden name", text.Name, .55, kindName, false},
	{"maiden name", text.Name, .5, kindName, false},
	{"first name", text.Name, .3, kindName, false},
	{"last name", text.Name, .3, kindName, false},
	{"firstname", text.Name, .3, kindName, false},
	{"lastname", text.Name, .3, kindName, false},
	{"fname", text.Name, .25, kindName, false},
	{"lname", text.Name, .25, kindName, false},
	{"first", text.Name, .2, kindName, false},
	{"last", text.Name, .2, kindName, false},
	{"surname", text.Name, .3, kindName, false},
	{"given name", text.Name, .3, kindName, false},
	{"family name", text.Name, .3, kindName, false},
	{"family", text.Name, .3, kindName, false},
	{"given", text.Name, .3, kindName, false},
	{"middle name", text.Name, .25, kindName, false},
	{"full name", text.Name, .3, kindName, false},
	{"name", text.Name, .15, kindName, false},
	{"member id", text.HealthPlan, .45, kindNumber, false},
	{"member number", text.HealthPlan, .45, kindNumber, false},
	{"subscriber id", text.HealthPlan, .5, kindNumber, false},
	{"subscriber number", text.HealthPlan, .5, kindNumber, false},
	{"beneficiary id", text.HealthPlan, .6, kindNumber, false},
	{"beneficiary number", text.HealthPlan, .6, kindNumber, false},
	{"medicare number", text.HealthPlan, .7, kindNumber, true},
	{"medicare id", text.HealthPlan, .7, kindNumber, true},
	{"medicaid number", text.HealthPlan, .7, kindNumber, true},
	{"medicaid id", text.HealthPlan, .7, kindNumber, true},
	{"mbi", text.HealthPlan, .5, kindNumber, false},
	{"insurance id", text.HealthPlan, .55, kindNumber, false},
	{"insurance number", text.HealthPlan, .55, kindNumber, false},
	{"policy number", text.HealthPlan, .4, kindNumber, false},
	{"encounter number", text.Account, .45, kindNumber, false},
	{"visit number", text.Account, .45, kindNumber, false},
	{"accession number", text.Account, .45, kindNumber, false},
	{"account number", text.Account, .35, kindNumber, false},
	{"claim number", text.Account, .4, kindNumber, false},
	{"drivers license", text.License, .5, kindNumber, false},
	{"driver license", text.License, .5, kindNumber, false},
	{"license number", text.License, .3, kindNumber, false},
	{"passport number", text.OtherID, .5, kindNumber, false},
	{"passport", text.OtherID, .4, kindNumber, false},
	{"home phone", text.Phone, .45, kindPhone, false},
	{"cell phone", text.Phone, .4, kindPhone, false},
	{"mobile phone", text.Phone, .4, kindPhone, false},
	{"phone number", text.Phone, .3, kindPhone, false},
	{"phone", text.Phone, .3, kindPhone, false},
	{"telephone", text.Phone, .3, kindPhone, false},
	{"mobile", text.Phone, .3, kindPhone, false},
	{"telecom", text.Phone, .3, kindPhone, false},
	{"fax", text.Fax, .25, kindPhone, false},
	{"email address", text.Email, .25, kindEmail, false},
	{"email", text.Email, .25, kindEmail, false},
	{"e mail", text.Email, .25, kindEmail, false},
	{"mail", text.Email, .2, kindEmail, false},
	{"home address", text.Address, .45, kindAddress, false},
	{"street address", text.Address, .4, kindAddress, false},
	{"address", text.Address, .25, kindAddress, false},
	{"street", text.Address, .25, kindAddress, false},
	{"zip code", text.ZIP, .15, kindZIP, false},
	{"zip", text.ZIP, .15, kindZIP, false},
	{"postal code", text.ZIP, .15, kindZIP, false},
	{"city", text.City, .1, kindCity, false},
}

// healthWords in a column's or key's name say that a table or document is of
// health. Those with true are facts of one person: who stands beside them is a
// patient, and not a hospital's contact.
var healthWords = map[string]bool{
	"patient": true, "diagnosis": true, "diagnoses": true, "dx": true, "icd": true, "medication": true, "medications": true, "prescription": true, "rx": true,
	"admission": true, "discharge": true, "allergy": true, "allergies": true, "symptom": true, "symptoms": true, "hba1c": true, "cholesterol": true, "bmi": true,
	"systolic": true, "diastolic": true, "mrn": true, "pregnant": true, "smoker": true, "deceased": true, "immunization": true, "vaccine": true, "prognosis": true,
	"drug": false, "dose": false, "dosage": false, "encounter": false, "lab": false, "loinc": false, "snomed": false, "procedure": false, "cpt": false, "clinical": false,
	"glucose": false, "insurance": false, "insurer": false, "hospital": false, "physician": false, "provider": false, "ward": false, "medicare": false,
	"medicaid": false, "condition": false, "treatment": false, "ethnicity": false, "vital": false, "vitals": false, "specimen": false, "npi": false,
}

// dictionary finds labels by their last word.
type dictionary map[string][]labelWords

type labelWords struct {
	label
	parts []string
}

func newDictionary() dictionary {
	d := dictionary{}
	for _, l := range labels {
		parts := strings.Fields(l.words)
		last := parts[len(parts)-1]
		d[last] = append(d[last], labelWords{l, parts})
	}
	return d
}

// tails may stand behind a label without changing it: "ssn_last", "phone 2".
var tails = map[string]bool{"number": true, "no": true, "num": true, "nr": true, "id": true, "value": true, "text": true, "raw": true, "str": true, "string": true,
	"pn": true, "lo": true, "da": true} // what prints DICOM puts the representation behind the name

// of says what a name is a label of, by its last words. Long names are not
// labels: they are sentences.
func (d dictionary) of(name []byte) (label, bool) {
	var buf [8]string
	words := split(buf[:0], name)
	l, ok := d.ofWords(words)
	if !ok && len(words) > 1 && tails[words[len(words)-1]] {
		l, ok = d.ofWords(words[:len(words)-1])
	}
	if ok && len(words) > 1 && l.words == "name" && notPersons[words[len(words)-2]] {
		return label{}, false
	}
	return l, ok
}

// notPersons have names, but not of patients.
var notPersons = map[string]bool{
	"file": true, "user": true, "host": true, "class": true, "package": true, "module": true, "function": true, "method": true, "table": true,
	"column": true, "display": true, "domain": true, "project": true, "server": true, "service": true, "type": true, "event": true, "key": true,
	"param": true, "parameter": true, "field": true, "tag": true, "branch": true, "product": true, "company": true, "brand": true, "model": true,
	"system": true, "variable": true, "var": true, "resource": true, "code": true, "path": true, "drug": true, "test": true, "device": true,
	"hospital": true, "clinic": true, "provider": true, "facility": true, "insurance": true, "medication": true, "physician": true, "doctor": true, "procedure": true,
	"plan": true, "payer": true, "ward": true, "department": true, "condition": true, "diagnosis": true, "vaccine": true, "allergy": true, "lab": true,
}

func (d dictionary) ofWords(words []string) (label, bool) {
	if len(words) == 0 {
		return label{}, false
	}
	var best labelWords
	for _, l := range d[words[len(words)-1]] {
		if len(l.parts) > len(best.parts) && endsWith(words, l.parts) {
			best = l
		}
	}
	return best.label, best.words != ""
}

func endsWith(words, tail []string) bool {
	if len(tail) > len(words) {
		return false
	}
	for i := range tail {
		if words[len(words)-len(tail)+i] != tail[i] {
			return false
		}
	}
	return true
}

// split cuts a name into lower-case words: at what is no letter, and where a
// capital follows a small letter. Digits belong to no word.
func split(words []string, name []byte) []string {
	start := -1
	end := func(i int) {
		if start >= 0 && len(words) < cap(words) {
			words = append(words, strings.ToLower(string(name[start:i])))
		}
		start = -1
	}
	for i := 0; i < len(name); i++ {
		c := name[i]
		switch {
		case c >= 'A' && c <= 'Z':
			after := i > 0 && isLower(name[i-1]) || i > 0 && isUpper(name[i-1]) && i+1 < len(name) && isLower(name[i+1])
			if after {
				end(i)
			}
			if start < 0 {
				start = i
			}
		case isLower(c) || c >= 0x80:
			if start < 0 {
				start = i
			}
		case c == '\'' && i+1 < len(name) && name[i+1] == 's' && (i+2 == len(name) || !isAlpha(name[i+2])): // patient's name
			end(i)
			i++
		default:
			end(i)
		}
	}
	end(len(name))
	return words
}

// healthOf says that one of the name's words is a health word, and whether it
// is a fact of one person.
func healthOf(name []byte) (health, personal bool) {
	var buf [8]string
	for _, w := range split(buf[:0], name) {
		if p, ok := healthWords[w]; ok {
			health, personal = true, personal || p
		}
	}
	return health, personal
}

func isLower(c byte) bool { return c >= 'a' && c <= 'z' }
func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }
func isAlpha(c byte) bool { return isLower(c | 0x20) }
func isAlnum(c byte) bool { return isAlpha(c) || isDigit(c) }

package table

import (
	"slices"
	"strings"
	"sync"
	"unicode"
)

// KindOf is what the name of a column says that it holds. It reads dob,
// DateOfBirth, PATIENT_LAST_NAME, ptlastname and pat-mrn-id alike. A name that
// says nothing gives UnknownKind, which is not a promise that the column is
// harmless.
func KindOf(name string) Kind {
	words := splitWords(name)
	if len(words) == 0 {
		return UnknownKind
	}
	has := make(map[string]bool, len(words))
	for i, w := range words {
		if w == "number" && (i != len(words)-1 || i == 0 || counted[words[i-1]]) {
			w = "count" // "num_visits", "number of children"; not "patient number"
		} else if w == "number" {
			w = "id"
		}
		has[w] = true
	}
	for _, r := range nameRules {
		if slices.ContainsFunc(r.any, func(set string) bool { return all(has, set, len(words)) }) &&
			!slices.ContainsFunc(r.unless, func(w string) bool { return has[w] }) {
			return r.kind
		}
	}
	return UnknownKind
}

// all says whether every word of a set is there. A set that ends in "." is the
// whole name.
func all(has map[string]bool, set string, words int) bool {
	set, whole := strings.CutSuffix(set, ".")
	parts := strings.Fields(set)
	if whole && words != len(parts) {
		return false
	}
	for _, w := range parts {
		if !has[w] {
			return false
		}
	}
	return true
}

// counted is what a number after it counts or places, rather than names.
var counted = map[string]bool{"line": true, "sequence": true, "version": true, "seq": true, "as": true, "page": true, "row": true, "week": true, "day": true, "visits": true}

// attributes describe a thing instead of naming it: phone_type, email_count.
var attributes = []string{"type", "status", "count", "flag", "category", "reason", "verified", "valid", "missing", "indicator", "score", "rate", "ratio", "total", "mean", "average", "preferred contact", "relationship", "specialty", "format"}

// things have names and ids that are not a person's: drug_name, department_id.
var things = []string{"drug", "medication", "test", "lab", "product", "procedure", "diagnosis", "condition", "disease", "department", "unit", "file", "column", "field", "table", "study", "trial", "gene", "panel", "generic", "brand", "trade", "measure", "item", "event", "form", "hospital", "facility", "clinic", "site", "code", "class", "concept", "disposition", "source", "race", "ethnicity", "gender", "sex", "language", "religion", "currency", "unit", "specimen type", "variable", "metric", "model", "vendor", "payer", "vaccine", "allergy", "allergen", "organism", "role", "component"}

// roles are people whose name alone would be a name.
var roles = []string{"patient", "mother", "father", "spouse", "guardian", "parent", "guarantor", "employer", "provider", "physician", "doctor", "attending", "referring", "surgeon", "nurse", "clinician", "subscriber", "kin", "emergency", "contact", "insured", "beneficiary", "holder", "author", "witness", "caregiver"}

func with(lists ...[]string) []string { return slices.Concat(lists...) }

// nameRule says that a name with all words of one of the sets is of a kind,
// unless another word changes what it means. The first rule that holds wins.
type nameRule struct {
	kind   Kind
	any    []string
	unless []string
}

var nameRules = []nameRule{
	{SSN, []string{"ssn", "social security", "itin", "tax id"}, attributes},
	{Email, []string{"email", "mail address"}, attributes},
	{Fax, []string{"fax"}, attributes},
	{Phone, []string{"phone", "mobile id", "mobile.", "cell id", "pager", "telecom", "beeper"}, attributes},
	{Device, []string{"mac address", "udi", "imei", "serial", "device id", "implant id", "pacemaker id"}, attributes},
	{IP, []string{"ip"}, with(attributes, []string{"op", "visit", "stay", "days"})},
	{URL, []string{"url", "website", "homepage", "web address"}, attributes},
	{MRN, []string{"mrn", "medical record", "chart id", "chart.", "medication record id", "health record id", "patient record", "empi", "mpi", "hospital id patient"}, attributes},
	{HealthPlan, []string{"member id", "subscriber id", "beneficiary id", "policy id", "medicare id", "medicaid id", "insurance id", "plan id", "hicn", "mbi", "hic"}, attributes},
	{Account, []string{"account", "claim id", "invoice id", "bill id", "encounter id", "visit id", "csn", "har.", "fin.", "transaction id", "card id", "iban", "payment id", "receipt id"}, with(attributes, []string{"balance", "amount", "class"})},
	{Vehicle, []string{"vin", "plate", "vehicle id", "registration plate"}, attributes},
	{License, []string{"license", "dea", "npi", "passport", "driver id", "driver.", "certificate id", "certification id"}, with(attributes, []string{"state", "class", "country"})},
	{Biometric, []string{"fingerprint", "finger print", "iris", "retina scan", "retinal scan", "voiceprint", "voice print", "biometric", "faceprint", "face print", "genome", "palm print", "dna sequence", "audio"}, attributes},
	{Photo, []string{"photo", "selfie", "portrait", "picture", "face image", "headshot", "avatar"}, attributes},
	{FreeText, []string{"note", "comment", "narrative", "text", "free text", "remark", "remarks", "impression", "findings", "summary", "report", "complaint", "message", "transcript", "body.", "history illness", "hpi", "assessment plan", "instructions"}, with(attributes, []string{"id", "date", "time", "length", "version", "author", "name"})},
	{BirthDate, []string{"dob", "birthday", "born", "birth date", "birth day", "birth month", "birth year", "birth time", "birth datetime", "birth timestamp", "birth.", "patient birth"}, []string{"weight", "place", "city", "country", "state", "order", "sex", "length", "defect", "control", "type", "count", "flag"}},
	{State, []string{"state", "province", "country"}, []string{"id", "date", "of", "mental", "city"}},
	{ZIP, []string{"zip", "postal", "postcode"}, []string{"file"}},
	{Geocode, []string{"latitude", "longitude", "lat.", "lon.", "lng", "geocode", "geo", "geohash", "coordinates", "coordinate", "gps", "tract", "census block", "block group", "fips", "patient lat", "patient lon", "home lat", "home lon"}, attributes},
	{Street, []string{"address", "street", "apartment", "suite", "house id", "add line", "residence", "po box"}, with(attributes, []string{"id", "city", "county"})},
	{County, []string{"county", "parish", "precinct", "borough", "township", "district"}, attributes},
	{City, []string{"city", "town", "village", "municipality", "suburb", "neighborhood", "hometown", "birthplace", "birth place"}, attributes},
	{Age, []string{"age"}, with(attributes, []string{"image"})},
	{Date, []string{"death time", "death day", "death month", "study time"}, []string{"to", "count"}},
	{Date, []string{"date", "datetime", "timestamp", "dod", "dos"}, with([]string{"count", "flag", "format", "type", "precision"})},
	{Date, []string{"time", "created at", "updated at", "modified at", "admitted at", "discharged at", "recorded at", "day", "month", "week", "weekday", "quarter"}, with(attributes, []string{"to", "in", "per", "duration", "elapsed", "survival", "wait", "prothrombin", "thrombin", "reaction", "bleeding", "hours", "minutes", "spent", "stay", "los", "supply", "since", "length", "readmission", "mortality", "follow", "of", "age", "bypass", "hospital", "number", "full", "part"})},
	{Name, with([]string{"first name", "last name", "middle name", "full name", "given name", "family name", "maiden", "surname", "forename", "nickname", "alias", "initials", "first.", "last.", "middle.", "given.", "family.", "name."}, withName(roles)), with(attributes, []string{"brand", "generic"})},
	{Name, bare(roles), nil},
	{Name, []string{"name"}, with(attributes, things)},
	{OtherID, []string{"instance id", "patient id", "person id", "subject id", "participant id", "user id"}, attributes},
	{OtherID, []string{"id", "accession", "barcode", "hash", "token", "username", "login", "password", "user.", "patient.", "subject.", "person.", "participant.", "specimen.", "pin."}, with(attributes, things, []string{"of", "admission"})},
}

func withName(people []string) []string {
	var out []string
	for _, p := range people {
		out = append(out, p+" name")
	}
	return out
}

func bare(people []string) []string {
	var out []string
	for _, p := range people {
		if p != "patient" && p != "emergency" { // alone, these are as often an id and a flag
			out = append(out, p+".")
		}
	}
	return append(out, "next kin.", "next of kin.", "emergency contact.", "attending physician.", "referring physician.", "attending provider.", "referring provider.", "primary provider.", "rendering provider.", "ordering provider.", "billing provider.")
}

// canonical maps what people write to the words of the rules. A word that is
// its own has no entry but stands in vocabulary.
var canonical = map[string]string{
	"nm": "name", "names": "name", "fname": "first name", "lname": "last name", "mname": "middle name", "fn": "first name", "ln": "last name", "firstname": "first name", "lastname": "last name", "initial": "initials",
	"pt": "patient", "pat": "patient", "ptnt": "patient", "member": "member", "mbr": "member", "client": "patient", "customer": "patient", "individual": "person", "prov": "provider", "phys": "physician", "dr": "doctor", "pcp": "provider", "mom": "mother", "dad": "father", "husband": "spouse", "wife": "spouse", "nok": "next kin",
	"ident": "id", "identifier": "id", "identifiers": "id", "ids": "id", "guid": "id", "uuid": "id", "uid": "id", "key": "id", "pk": "id", "no": "number", "num": "number", "nbr": "number", "nr": "number", "numbers": "number",
	"tel": "phone", "telephone": "phone", "phones": "phone", "ph": "phone", "cellphone": "phone", "cellular": "phone", "landline": "phone",
	"mails": "mail", "emails": "email", "e-mail": "email",
	"addr": "address", "addresses": "address", "adr": "address", "st": "street", "apt": "apartment", "ste": "suite", "road": "street", "residential": "residence",
	"zips": "zip", "zipcode": "zip", "zcta": "zip", "postalcode": "postal", "lat": "lat", "long": "lon", "coords": "coordinates", "cnty": "county", "cty": "city", "ctry": "country", "prov.": "state",
	"birthdate": "birth date", "bday": "birthday", "bdate": "birth date", "birthdt": "birth date", "dt": "date", "dttm": "datetime", "dtm": "datetime", "ts": "timestamp", "dates": "date", "dte": "date", "yob": "birth year", "ages": "age", "yr": "year", "yrs": "years", "mon": "month", "dow": "weekday", "deathdate": "date",
	"acct": "account", "accounts": "account", "acc": "account", "enc": "encounter", "encntr": "encounter", "clm": "claim", "ins": "insurance", "mcare": "medicare", "mcaid": "medicaid", "hicno": "hicn",
	"lic": "license", "licence": "license", "dl": "driver id", "cert": "certificate", "veh": "vehicle", "dev": "device", "sn": "serial", "serialno": "serial",
	"ipaddr": "ip", "ipaddress": "ip", "uri": "url", "web": "website", "link": "url", "ssnum": "ssn", "soc": "social", "sec": "security", "ss": "ssn",
	"notes": "note", "comments": "comment", "txt": "text", "freetext": "free text", "messages": "message", "narr": "narrative", "reports": "report",
	"photos": "photo", "photograph": "photo", "pic": "picture", "img": "image", "fingerprints": "fingerprint",
	"dx": "diagnosis", "med": "medication", "meds": "medication", "rx": "drug", "proc": "procedure", "dept": "department", "svc": "service", "hosp": "hospital", "org": "facility", "organization": "facility", "cat": "category", "cd": "code", "codes": "code", "cnt": "count", "ind": "indicator", "flg": "flag", "avg": "average", "tot": "total", "desc": "description", "amt": "amount", "categ": "category", "kind": "type", "types": "type", "rec": "record", "mr": "medical record", "medrec": "medical record", "relation": "relationship",
}

// vocabulary is every word that a name without separators may be made of.
var vocabulary = sync.OnceValue(func() map[string]bool {
	v := map[string]bool{}
	for _, r := range nameRules {
		for _, set := range r.any {
			for _, w := range strings.Fields(strings.TrimSuffix(set, ".")) {
				v[w] = true
			}
		}
		for _, w := range r.unless {
			v[w] = true
		}
	}
	for w := range canonical {
		if len(w) > 2 {
			v[w] = true
		}
	}
	for _, w := range strings.Fields("number home work primary secondary other line current admission admit admitted discharge discharged death visit service order result start end onset encounter birth age zip pt id no dob of dt nm per hosp fin secondary mailing legal permanent accident disch store reg") {
		v[w] = true
	}
	return v
})

// splitWords gives the canonical words of a name, in order. Digits part words
// and are left out.
func splitWords(name string) []string {
	var raw []string
	var word []rune
	flush := func() {
		if len(word) > 0 {
			raw = append(raw, strings.ToLower(string(word)))
			word = word[:0]
		}
	}
	runes := []rune(name)
	if len(runes) > 200 {
		runes = runes[:200]
	}
	for i, r := range runes {
		if !unicode.IsLetter(r) {
			flush()
			continue
		}
		if unicode.IsUpper(r) && i > 0 {
			after := i+1 < len(runes) && unicode.IsLower(runes[i+1])
			if unicode.IsLower(runes[i-1]) || (unicode.IsUpper(runes[i-1]) && after) {
				flush()
			}
		}
		word = append(word, r)
	}
	flush()
	var out []string
	for _, w := range raw {
		parts := []string{w}
		if canonical[w] == "" && !vocabulary()[w] {
			parts = segment(w)
		}
		for _, p := range parts {
			if c := canonical[p]; c != "" {
				out = append(out, strings.Fields(c)...)
			} else if s := strings.TrimSuffix(p, "s"); !vocabulary()[p] && vocabulary()[s] {
				out = append(out, s)
			} else {
				out = append(out, p)
			}
		}
	}
	return out
}

// aged is what may stand before age in a word that has no separators.
var aged = []string{"pt", "pat", "patient", "subject", "person", "member", "mother", "father", "current", "birth", "visit", "admission", "admit", "onset", "death", "enc", "encounter", "my"}

// segment parts a word into words of the vocabulary, as few as possible; one
// that cannot be parted whole stays.
func segment(w string) []string {
	const none = 1 << 20
	if len(w) > 60 {
		return []string{w}
	}
	best := make([]int, len(w)+1)
	from := make([]int, len(w)+1)
	for i := 1; i <= len(w); i++ {
		best[i] = none
		for j := max(0, i-14); j < i-1; j++ {
			if w[j:i] == "age" && j > 0 && !slices.Contains(aged, w[from[j]:j]) {
				continue // "dosage", "lineage" and their like
			}
			if best[j] < none && vocabulary()[w[j:i]] && best[j]+1 < best[i] {
				best[i], from[i] = best[j]+1, j
			}
		}
	}
	if best[len(w)] == none {
		return []string{w}
	}
	var parts []string
	for i := len(w); i > 0; i = from[i] {
		parts = append(parts, w[from[i]:i])
	}
	slices.Reverse(parts)
	return parts
}

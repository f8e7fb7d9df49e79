package hospital

import (
	"fmt"
	"strings"
	"time"
)

// chart is one patient's story while it is being written.
type chart struct {
	person
	index            int
	ref              string
	kin              person
	kinRelation      code
	doctor           doctor
	disorders        []disorder
	conditions       []string // references, in step with disorders
	account, member  string
	accountRef       string
	device, serialNo string
	died             time.Time
}

// years gives the first patients fixed places in life, so that a small hospital
// has everything; the rest are spread as patients of a hospital are.
func (g *generator) years(i int) int {
	switch i {
	case 0:
		return 58
	case 1:
		return 93
	case 2:
		return 0
	case 3:
		return 34
	}
	switch n := g.rng.IntN(100); {
	case n < 6:
		return 0
	case n < 18:
		return 1 + g.rng.IntN(17)
	case n < 85:
		return 18 + g.rng.IntN(65)
	case n < 92:
		return 83 + g.rng.IntN(7)
	}
	return 90 + g.rng.IntN(13)
}

func (g *generator) patient(i int) {
	years := g.years(i)
	birth := Today.AddDate(-years, 0, -1-g.rng.IntN(360))
	if years == 0 {
		birth = Today.AddDate(0, 0, -5-g.rng.IntN(300))
	}
	birth = time.Date(birth.Year(), birth.Month(), birth.Day(), g.rng.IntN(24), g.rng.IntN(60), 0, 0, time.UTC)

	c := &chart{person: g.person(pick(g, []string{"female", "male"}), birth), index: i}
	if c.age(Today) < 18 {
		c.maiden = ""
	}
	kinGender := pick(g, []string{"female", "male"})
	kinBirth, relation := birth.AddDate(-4+g.rng.IntN(9), 0, 40), code{hl7 + "v3-RoleCode", "SPS", "spouse"}
	switch {
	case years < 18:
		kinGender, kinBirth, relation = "female", birth.AddDate(-24-g.rng.IntN(14), 0, -90), code{hl7 + "v3-RoleCode", "MTH", "mother"}
	case years > 75:
		kinGender, kinBirth, relation = "female", birth.AddDate(26, 3, 2), code{hl7 + "v3-RoleCode", "DAU", "natural daughter"}
	}
	c.kin, c.kinRelation = g.person(kinGender, kinBirth), relation
	c.kin.family, c.kin.home = c.family, c.home
	c.doctor = pick(g, g.doctors)
	c.disorders = g.ailments(i, c)
	c.account, c.member = g.mark("ACCT", "ACC-"+g.digits(9)), g.mark("MEMBER", "EMH"+g.digits(9)+"-01")
	if years > 80 && i > 3 && g.chance(25) {
		c.died = Today.AddDate(0, 0, -1-g.rng.IntN(200))
	}

	g.demographics(c)
	g.clinical(c)
}

func (g *generator) ailments(i int, c *chart) []disorder {
	age := c.age(Today)
	if age < 1 {
		return []disorder{newborn}
	}
	var fit []disorder
	for _, d := range disorders {
		if age >= d.minAge && age <= d.maxAge && (d.sex == "" || d.sex == c.gender) && d.sensitive == "" {
			fit = append(fit, d)
		}
	}
	named := func(icd string) disorder {
		for _, d := range disorders {
			if d.icd == icd {
				return d
			}
		}
		panic("hospital: no disorder " + icd)
	}
	var out []disorder
	switch {
	case i == 0:
		return []disorder{disorders[0], disorders[1]}
	case i == 3 || age >= 20 && age < 70 && g.chance(4):
		out = append(out, named(opioids))
	case i == 4 && age >= 16 || age >= 16 && age < 90 && g.chance(6):
		out = append(out, named(depression))
	}
	switch i {
	case 1:
		return []disorder{named(hipFracture), named(depression)}
	case 3:
		out = append(out, named(depression))
	}
	for range 1 + g.rng.IntN(2) {
		d := pick(g, fit)
		if len(out) == 0 || out[len(out)-1].icd != d.icd {
			out = append(out, d)
		}
	}
	return out
}

func (g *generator) demographics(c *chart) {
	id := g.id("Patient")
	c.ref = "Patient/" + id
	g.patients = append(g.patients, c.ref)

	race := pick(g, []code{{"", "2106-3", "White"}, {"", "2054-5", "Black or African American"}, {"", "2028-9", "Asian"}, {"", "1002-5", "American Indian or Alaska Native"}})
	ethnicity := pick(g, []code{{"", "2186-5", "Not Hispanic or Latino"}, {"", "2135-2", "Hispanic or Latino"}})
	const cdc, core = "urn:oid:2.16.840.1.113883.6.238", "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"
	category := func(url string, v code) obj {
		return obj{"url": core + url, "extension": list{
			extension("ombCategory", "Coding", coding(cdc, v.code, v.text)), extension("text", "String", v.text)}}
	}

	born := pick(g, towns)
	official := c.humanName("official")
	// Extensions of primitives, one of them in an array that is kept in step by
	// a null (R4 2.1.3.0.3).
	official["_given"] = list{nil, obj{"extension": list{extension("http://hl7.org/fhir/StructureDefinition/iso21090-EN-qualifier", "Code", "MID")}}}
	if c.maiden != "" {
		official["_family"] = obj{"extension": list{extension("http://hl7.org/fhir/StructureDefinition/humanname-own-name", "String", c.maiden)}}
	}
	names := list{official, obj{"use": "nickname", "given": list{c.nick}}}
	if c.maiden != "" && c.age(Today) >= 18 {
		names = append(names, obj{"use": "maiden", "family": c.maiden, "given": list{c.given},
			"period": obj{"end": day(c.birth.AddDate(26, 1, 3))}})
	}
	contact := c.kin.humanName("usual")
	patient := obj{
		"resourceType": "Patient", "id": id,
		"meta": obj{"profile": list{core + "patient"}},
		"text": narrative(
			"<p><b>", esc(c.family), ", ", esc(c.given), " ", esc(c.middle), "</b> (", esc(c.nick), "), born ", c.birth.Format("January 2, 2006"), "</p>",
			"<p>MRN ", c.mrn, "; SSN ", c.ssn, "; telephone ", c.phone, "</p><p>", esc(c.home.String()), "</p>"),
		"extension": list{
			category("race", race), category("ethnicity", ethnicity),
			extension(core+"birthsex", "Code", strings.ToUpper(c.gender[:1])),
			extension("http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName", "String", g.mark("MAIDEN", pick(g, familyNames))),
			extension("http://hl7.org/fhir/StructureDefinition/patient-birthPlace", "Address", obj{"city": g.mark("CITY", born.city), "state": born.state, "country": "US"}),
		},
		"identifier": list{
			obj{"use": "usual", "type": obj{"coding": list{coding(hl7+"v2-0203", "MR", "Medical record number")}},
				"system": "https://hospital.example.org/mrn", "value": c.mrn, "assigner": obj{"display": g.hospitalName}},
			obj{"use": "official", "type": obj{"coding": list{coding(hl7+"v2-0203", "SS", "Social Security number")}},
				"system": "http://hl7.org/fhir/sid/us-ssn", "value": c.ssn},
		},
		"active": true, "name": names, "gender": c.gender,
		"birthDate": day(c.birth),
		"_birthDate": obj{"extension": list{
			extension("http://hl7.org/fhir/StructureDefinition/patient-birthTime", "DateTime", dateTime(c.birth))}},
		"telecom": list{
			obj{"system": "phone", "value": c.phone, "use": "home", "rank": 1},
			obj{"system": "phone", "value": c.mobile, "use": "mobile"},
			obj{"system": "email", "value": c.email, "use": "home"},
			obj{"system": "fax", "value": c.fax, "use": "home"},
			obj{"system": "url", "value": c.url},
		},
		"address": list{c.home.fhir("home")},
		"contact": list{obj{
			"relationship": list{concept(hl7+"v2-0131", "N", "Next-of-Kin")},
			"name":         contact, "gender": c.kin.gender,
			"telecom": list{obj{"system": "phone", "value": c.kin.mobile, "use": "mobile"}}, "address": c.kin.home.fhir("home"),
		}},
		"communication":        list{obj{"language": obj{"coding": list{coding("urn:ietf:bcp:47", pick(g, []string{"en-US", "es", "en-US", "vi"}), "")}}, "preferred": true}},
		"generalPractitioner":  list{ref(c.doctor.ref, c.doctor.full())},
		"managingOrganization": ref(g.hospital, g.hospitalName),
		"multipleBirthBoolean": false,
	}
	if c.age(Today) >= 18 {
		status := code{"", "M", "Married"}
		if c.kinRelation.code != "SPS" {
			status = code{"", "W", "Widowed"}
		}
		patient["maritalStatus"] = obj{"coding": list{coding(hl7+"v3-MaritalStatus", status.code, status.text)}}
	}
	if !c.died.IsZero() {
		patient["deceasedDateTime"] = dateTime(c.died)
	}
	since := maxTime(c.birth, Today.AddDate(-8, 0, 0))
	if g.canary == nil && c.index%4 == 0 {
		// Moved house: version 1 has the former address, version 2 the present one.
		now := patient["address"]
		patient["address"] = list{g.address(pick(g, towns)).fhir("home")}
		g.add(patient, since)
		patient["address"], patient["meta"] = now, obj{"profile": list{core + "patient"}, "versionId": "2"}
		since = since.AddDate(0, 0, 3)
	}
	g.add(patient, since)
	g.insurance(c, g.nextOfKin(c, since), since)
}

func (g *generator) nextOfKin(c *chart, since time.Time) (related string) {
	return g.add(obj{
		"resourceType": "RelatedPerson", "id": g.id("RelatedPerson"), "active": true, "patient": ref(c.ref, c.full()),
		"relationship": list{concept(c.kinRelation.system, c.kinRelation.code, c.kinRelation.text)},
		"name":         list{c.kin.humanName("official")}, "gender": c.kin.gender, "birthDate": day(c.kin.birth),
		"telecom": list{obj{"system": "phone", "value": c.kin.mobile, "use": "mobile"}, obj{"system": "email", "value": c.kin.email}},
		"address": list{c.kin.home.fhir("home")},
	}, since)
}

// insurance adds the plan that pays, through the next of kin for a child, and the account.
func (g *generator) insurance(c *chart, related string, since time.Time) {
	coverage := obj{
		"resourceType": "Coverage", "id": g.id("Coverage"), "status": "active",
		"identifier": list{obj{"type": obj{"coding": list{coding(hl7+"v2-0203", "MB", "Member Number")}},
			"system": "https://evergreen.example.com/members", "value": c.member}},
		"type":         concept(hl7+"v3-ActCode", "HIP", "health insurance plan policy"),
		"subscriberId": g.mark("SUBSCRIBER", "EMH"+g.digits(9)),
		"beneficiary":  ref(c.ref, c.full()), "payor": list{ref(g.payer, "")},
		"relationship": obj{"coding": list{coding(hl7+"subscriber-relationship", "self", "Self")}},
		"period":       obj{"start": day(since)},
		"class":        list{obj{"type": obj{"coding": list{coding(hl7+"coverage-class", "group", "Group")}}, "value": g.mark("PLAN", "GRP-"+g.digits(6)), "name": g.mark("EMPLOYER", pick(g, employers))}},
		"subscriber":   ref(c.ref, ""), "dependent": "01",
	}
	if c.age(Today) < 18 {
		coverage["subscriber"] = ref(related, c.kin.full())
		coverage["relationship"] = obj{"coding": list{coding(hl7+"subscriber-relationship", "child", "Child")}}
	}
	covers := g.add(coverage, since)
	c.accountRef = g.add(obj{
		"resourceType": "Account", "id": g.id("Account"), "status": "active",
		"identifier": list{obj{"system": "https://hospital.example.org/accounts", "value": c.account}},
		"name":       fmt.Sprintf("Account of %s", c.full()), "subject": list{ref(c.ref, c.full())},
		"type":          concept(hl7+"v3-ActCode", "PBILLACCT", "patient billing account"),
		"servicePeriod": obj{"start": day(since)}, "coverage": list{obj{"coverage": ref(covers, ""), "priority": 1}},
		"owner": ref(g.hospital, g.hospitalName), "description": "Guarantor " + c.kin.full() + ", telephone " + c.kin.phone,
	}, since)
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

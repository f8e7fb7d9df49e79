package hospital

import (
	"math"
	"strings"
	"time"
)

// background files what belongs to no single visit.
func (g *generator) background(c *chart) {
	at := maxTime(c.birth.AddDate(0, 0, 1), Today.AddDate(-3, 0, -g.rng.IntN(300)))
	if !c.died.IsZero() {
		at = maxTime(c.birth, c.died.AddDate(-1, 0, 0))
	}
	subject := func() obj { return ref(c.ref, c.full()) }
	if c.age(Today) >= 1 && g.chance(70) || c.index == 0 {
		a := pick(g, allergens)
		g.add(obj{
			"resourceType": "AllergyIntolerance", "id": g.id("AllergyIntolerance"),
			"clinicalStatus":     obj{"coding": list{coding(hl7+"allergyintolerance-clinical", "active", "Active")}},
			"verificationStatus": obj{"coding": list{coding(hl7+"allergyintolerance-verification", "confirmed", "Confirmed")}},
			"type":               "allergy", "category": list{a.category}, "criticality": pick(g, []string{"low", "high"}),
			"code": concept(sysSNOMED, a.code, a.text), "patient": subject(), "recordedDate": day(at),
			"recorder": ref(c.doctor.ref, c.doctor.full()), "asserter": ref(c.ref, ""),
			"note":     list{obj{"text": "Told by " + c.kin.full() + " by telephone, " + c.kin.phone}},
			"reaction": list{obj{"manifestation": list{concept(sysSNOMED, a.manifestation, a.manifestationText)}, "severity": "moderate", "onset": day(at)}},
		}, at)
	}

	shots := vaccines
	if c.age(Today) < 1 {
		shots = infantVaccines
	}
	for i := range min(len(shots), 2) {
		s := shots[(c.index+i)%len(shots)]
		when := at.AddDate(0, 0, -7*i)
		if when.Before(c.birth) {
			when = c.birth.AddDate(0, 0, 1)
		}
		g.add(obj{
			"resourceType": "Immunization", "id": g.id("Immunization"), "status": "completed",
			"vaccineCode": concept(sysCVX, s.cvx, s.text), "patient": subject(), "occurrenceDateTime": day(when), "primarySource": true,
			"lotNumber": g.mark("LOT", "LT"+g.digits(6)), "expirationDate": day(when.AddDate(1, 0, 0)),
			"site":      concept(hl7+"v3-ActSite", "LA", "left arm"),
			"performer": list{obj{"function": obj{"coding": list{coding(hl7+"v2-0443", "AP", "Administering Provider")}}, "actor": ref(c.doctor.ref, c.doctor.full())}},
			"location":  ref(g.place, ""),
			"note":      list{obj{"text": "Given to " + c.nick + " with " + c.kin.given + " present"}},
		}, when)
	}

	var problems list
	for i, at := range c.conditions {
		problems = append(problems, obj{"item": ref(at, c.disorders[i].icdText)})
	}
	g.add(obj{
		"resourceType": "List", "id": g.id("List"), "status": "current", "mode": "working",
		"title": "Problems of " + c.full(), "code": concept(sysLOINC, "11450-4", "Problem list - Reported"),
		"subject": subject(), "date": dateTime(at), "source": ref(c.doctor.ref, c.doctor.full()), "entry": problems,
		"note": list{obj{"text": "Reviewed with " + c.title(at) + " " + c.family}},
	}, at, c.label()...)

	rule := "permit"
	if c.index%5 == 4 {
		rule = "deny"
	}
	g.add(obj{
		"resourceType": "Consent", "id": g.id("Consent"), "status": "active",
		"identifier": list{obj{"system": "https://hospital.example.org/consents", "value": g.mark("CONSENT", "CON-"+g.digits(7))}},
		"scope":      obj{"coding": list{coding(hl7+"consentscope", "patient-privacy", "Privacy Consent")}},
		"category":   list{obj{"coding": list{coding(sysLOINC, "59284-0", "Consent Document")}}},
		"patient":    subject(), "dateTime": dateTime(at), "performer": list{ref(c.ref, c.full())}, "organization": list{ref(g.hospital, g.hospitalName)},
		"policyRule": obj{"coding": list{coding(sysAct, "HIPAAConsent", "HIPAA Consent")}},
		"provision":  obj{"type": rule, "purpose": list{coding(hl7+"v3-ActReason", "HRESCH", "healthcare research")}, "period": obj{"start": day(at), "end": day(at.AddDate(5, 0, 0))}},
		"sourceAttachment": obj{"contentType": "text/plain", "title": "Consent of " + c.full(),
			"data": encode("I, " + c.full() + ", born " + c.birth.Format("January 2, 2006") + ", have read this.\nSigned " + at.Format("01/02/2006") + "\nWitness: " + c.kin.full() + "\n")},
		"verification": list{obj{"verified": true, "verifiedWith": ref(c.ref, ""), "verificationDate": dateTime(at)}},
	}, at)
}

// glucometer files the first patient's home readings: two a day for most of a
// year, enough for a search that answers with half a megabyte.
func (g *generator) glucometer(c *chart) {
	const readings = 640
	v := &visit{doctor: c.doctor}
	size, n := 0, 0
	for i := range readings {
		at := Today.Add(-time.Duration(readings-i)*11*time.Hour - time.Duration(g.rng.IntN(50))*time.Minute)
		v.at = at
		o := g.observation(c, v, "laboratory", "Laboratory", code{sysLOINC, "41653-7", "Glucose [Mass/volume] in Capillary blood by Glucometer"})
		delete(o, "encounter")
		o["performer"] = list{ref(c.ref, c.full())}
		o["valueQuantity"] = quantity(math.Round(g.between(88, 260)), "mg/dL", "mg/dL")
		o["method"] = concept(sysSNOMED, "337414009", "Blood glucose meters")
		o["referenceRange"] = list{obj{"low": quantity(70, "mg/dL", "mg/dL"), "high": quantity(180, "mg/dL", "mg/dL"), "text": "Home target"}}
		o["note"] = list{obj{"time": dateTime(at), "text": strings.Join([]string{pick(g, []string{"before breakfast", "after supper", "bedtime", "felt shaky"}), "reading sent from the telephone of", c.given, c.family, c.mobile}, " ")}}
		g.add(o, at)
		if size < 500_000 {
			size += len(g.out.order[len(g.out.order)-1].JSON) + 120
			n++
		}
	}
	g.out.search = "Observation?patient=" + strings.TrimPrefix(c.ref, "Patient/") + "&code=http%3A%2F%2Floinc.org%7C41653-7&_count=" + itoa(n)
}

package hospital

import (
	"encoding/base64"
	"fmt"
	"math"
	"strings"
	"time"
)

// visit is one encounter while it is being written.
type visit struct {
	ref       string
	at, until time.Time
	class     code
	inpatient bool
	number    string
	doctor    doctor
	found     []string // what was measured, for the note
	results   []string // references to laboratory observations
	labels    []obj
}

// clinical writes everything that happened to a patient.
func (g *generator) clinical(c *chart) {
	oldest := min(6*365, int(Today.Sub(c.birth).Hours()/24)-1)
	if !c.died.IsZero() {
		oldest -= 220
	}
	visits := 2 + g.rng.IntN(2)
	if c.disorders[0].icd == newborn.icd {
		visits = 1
	}
	last := 3
	if !c.died.IsZero() {
		last = int(Today.Sub(c.died).Hours()/24) + 2
	}
	for n := range visits {
		// From long ago to recently, in equal steps with some play.
		step := max(oldest/visits, 1)
		daysAgo := max(last, oldest-n*step-g.rng.IntN(step))
		v := &visit{
			at:     time.Date(Today.Year(), Today.Month(), Today.Day()-daysAgo, 8+g.rng.IntN(9), 5*g.rng.IntN(12), 0, 0, time.FixedZone("", -5*3600)),
			class:  code{sysAct, "AMB", "ambulatory"},
			number: g.mark("VISIT", "V"+g.digits(9)), doctor: c.doctor,
		}
		v.until = v.at.Add(time.Duration(20+g.rng.IntN(40)) * time.Minute)
		if c.disorders[0].icd == newborn.icd || n == visits-1 && c.disorders[0].procedure != nil {
			v.inpatient, v.class = true, code{sysAct, "IMP", "inpatient encounter"}
			v.until = v.at.Add(time.Duration(26+g.rng.IntN(40)) * time.Hour)
			if v.until.After(Today) {
				v.until = Today.Add(-time.Hour)
			}
		}
		if g.chance(40) {
			v.doctor = pick(g, g.doctors)
		}
		if c.index == 1 || c.index > 3 && g.chance(8) {
			v.labels = append(v.labels, coding(sysConf, "R", "restricted"))
		}
		g.visit(c, v, n)
	}
	g.background(c)
	if c.index == 0 && g.canary == nil {
		g.glucometer(c)
	}
}

func (c *chart) label() []obj {
	var out []obj
	for _, d := range c.disorders {
		if d.sensitive == part2 {
			out = append(out, coding(sysAct, part2, "42 CFR Part 2"))
		}
	}
	return out
}

func (g *generator) visit(c *chart, v *visit, n int) {
	id := g.id("Encounter")
	v.ref = "Encounter/" + id
	subject := ref(c.ref, c.full())
	if n == 0 {
		for _, d := range c.disorders {
			g.condition(c, v, d)
		}
	}
	encounter := obj{
		"resourceType": "Encounter", "id": id, "status": "finished",
		"text":       narrative("<p>Visit ", v.number, " of ", esc(c.title(v.at)), " ", esc(c.family), " on ", v.at.Format("01/02/2006"), " with ", esc(v.doctor.full()), "</p>"),
		"identifier": list{obj{"use": "official", "system": "https://hospital.example.org/visits", "value": v.number}},
		"class":      coding(v.class.system, v.class.code, v.class.text),
		"type":       list{concept(sysSNOMED, "308335008", "Patient encounter procedure")},
		"subject":    subject, "period": obj{"start": dateTime(v.at), "end": dateTime(v.until)},
		"participant": list{obj{"type": list{obj{"coding": list{coding(hl7+"v3-ParticipationType", "PPRF", "primary performer")}}},
			"individual": ref(v.doctor.ref, v.doctor.full())}},
		"reasonCode":      list{concept(sysSNOMED, c.disorders[0].sct, c.disorders[0].sctText)},
		"location":        list{obj{"location": ref(g.place, g.mark("ROOM", "Room 4"+g.digits(2))), "period": obj{"start": dateTime(v.at)}}},
		"serviceProvider": ref(g.hospital, g.hospitalName),
		"account":         list{ref(c.accountRef, "")},
	}
	var diagnoses list
	for i, at := range c.conditions {
		diagnoses = append(diagnoses, obj{"condition": ref(at, ""), "rank": i + 1,
			"use": obj{"coding": list{coding(hl7+"diagnosis-role", "CC", "Chief complaint")}}})
	}
	encounter["diagnosis"] = diagnoses
	if v.inpatient {
		encounter["hospitalization"] = obj{"dischargeDisposition": concept(hl7+"discharge-disposition", "home", "Home"),
			"admitSource": concept(hl7+"admit-source", "emd", "From accident/emergency department")}
	}
	g.add(encounter, v.at, append(v.labels, c.label()...)...)

	g.vitals(c, v)
	for i, d := range c.disorders {
		for _, l := range d.labs {
			g.lab(c, v, d, l)
		}
		if n == 0 {
			for _, drug := range d.drugs {
				g.prescription(c, v, d, i, drug)
			}
		}
		if v.inpatient && d.procedure != nil {
			g.procedure(c, v, d, i)
		}
	}
	g.writeUp(c, v, n)
}

func (g *generator) condition(c *chart, v *visit, d disorder) {
	var labels []obj
	if d.sensitive == part2 {
		labels = append(labels, coding(sysAct, part2, "42 CFR Part 2"))
	}
	// People remember the day, the month or only the year.
	onset := pick(g, []string{"2006-01-02", "2006-01-02", "2006-01", "2006"})
	if g.canary != nil {
		onset = "2006-01-02"
	}
	onset = maxTime(c.birth, v.at.AddDate(0, -g.rng.IntN(30), -g.rng.IntN(28))).Format(onset)
	c.conditions = append(c.conditions, g.add(obj{
		"resourceType": "Condition", "id": g.id("Condition"),
		"clinicalStatus":     obj{"coding": list{coding(hl7+"condition-clinical", "active", "Active")}},
		"verificationStatus": obj{"coding": list{coding(hl7+"condition-ver-status", "confirmed", "Confirmed")}},
		"category":           list{obj{"coding": list{coding(hl7+"condition-category", "problem-list-item", "Problem List Item")}}},
		"code":               obj{"coding": list{coding(sysICD10, d.icd, d.icdText), coding(sysSNOMED, d.sct, d.sctText)}, "text": d.icdText},
		"subject":            ref(c.ref, c.full()), "encounter": ref(v.ref, ""),
		"onsetDateTime": onset, "recordedDate": dateTime(v.at), "recorder": ref(v.doctor.ref, v.doctor.full()),
		"note": list{obj{"authorReference": ref(v.doctor.ref, v.doctor.full()), "time": dateTime(v.at),
			"text": fmt.Sprintf("%s %s %s. Discussed with %s (%s).", c.title(v.at), c.family, d.history, c.kin.full(), c.kinRelation.text)}},
	}, v.at, labels...))
}

// observation is what all observations have in common.
func (g *generator) observation(c *chart, v *visit, category, categoryText string, what code) obj {
	return obj{
		"resourceType": "Observation", "id": g.id("Observation"), "status": "final",
		"category": list{obj{"coding": list{coding(hl7+"observation-category", category, categoryText)}}},
		"code":     concept(what.system, what.code, what.text),
		"subject":  ref(c.ref, c.full()), "encounter": ref(v.ref, ""),
		"effectiveDateTime": dateTime(v.at.Add(4 * time.Minute)), "issued": instant(v.at.Add(9 * time.Minute)),
		"performer": list{ref(v.doctor.role, v.doctor.full())},
	}
}

func (g *generator) vitals(c *chart, v *visit) {
	age := c.age(v.at)
	weight, height := g.between(55, 104), g.between(152, 190)
	if age < 18 {
		weight, height = 3.4+float64(age)*3.2, 50+float64(age)*6.9
	}
	pulse, round := g.between(58, 104), tenth
	if age < 1 {
		pulse = g.between(118, 158)
	}
	vital := func(loinc, text string, value float64, unit, ucum string) {
		o := g.observation(c, v, "vital-signs", "Vital Signs", code{sysLOINC, loinc, text})
		o["valueQuantity"] = quantity(round(value), unit, ucum)
		g.add(o, v.at, v.labels...)
		v.found = append(v.found, fmt.Sprintf("%s %v %s", text, round(value), unit))
	}
	vital("29463-7", "Body weight", weight, "kg", "kg")
	vital("8302-2", "Body height", height, "cm", "cm")
	vital("8867-4", "Heart rate", math.Round(pulse), "beats/minute", "/min")
	vital("8310-5", "Body temperature", g.between(36.2, 38.1), "Cel", "Cel")
	if age >= 3 {
		systolic, diastolic := math.Round(g.between(104, 168)), math.Round(g.between(61, 98))
		o := g.observation(c, v, "vital-signs", "Vital Signs", code{sysLOINC, "85354-9", "Blood pressure panel with all children optional"})
		o["component"] = list{
			obj{"code": concept(sysLOINC, "8480-6", "Systolic blood pressure"), "valueQuantity": quantity(systolic, "mmHg", "mm[Hg]")},
			obj{"code": concept(sysLOINC, "8462-4", "Diastolic blood pressure"), "valueQuantity": quantity(diastolic, "mmHg", "mm[Hg]")},
		}
		o["bodySite"] = concept(sysSNOMED, "368209003", "Right arm")
		g.add(o, v.at, v.labels...)
		v.found = append(v.found, fmt.Sprintf("BP %v/%v", systolic, diastolic))
	}
	o := g.observation(c, v, "social-history", "Social History", code{sysLOINC, "29762-2", "Social history Narrative"})
	o["valueString"] = fmt.Sprintf("Lives with %s at %s; works at %s. Reached at %s.", c.kin.full(), c.home.line1, g.mark("EMPLOYER", pick(g, employers)), c.mobile)
	if age < 18 {
		o["valueString"] = fmt.Sprintf("Lives with %s, %s, at %s. Reached at %s.", c.kinRelation.text, c.kin.full(), c.home.line1, c.kin.mobile)
	}
	g.add(o, v.at, v.labels...)
}

func (g *generator) lab(c *chart, v *visit, d disorder, l lab) {
	value := tenth(g.between(l.low, l.high))
	if l.high >= 15 {
		value = math.Round(value)
	}
	o := g.observation(c, v, "laboratory", "Laboratory", code{sysLOINC, l.loinc, l.text})
	o["identifier"] = list{obj{"system": "https://lab.example.org/accessions", "value": g.mark("ACCESSION", "L"+g.digits(10))}}
	o["valueQuantity"] = quantity(value, l.unit, l.ucum)
	flag, text := "N", "Normal"
	if value > l.refHigh {
		flag, text = "H", "High"
	} else if value < l.refLow {
		flag, text = "L", "Low"
	}
	o["interpretation"] = list{obj{"coding": list{coding(hl7+"v3-ObservationInterpretation", flag, text)}}}
	o["referenceRange"] = list{obj{"low": quantity(l.refLow, l.unit, l.ucum), "high": quantity(l.refHigh, l.unit, l.ucum)}}
	o["contained"] = list{obj{
		"resourceType": "Specimen", "id": "specimen", "identifier": list{obj{"value": g.mark("SPECIMEN", "SP"+g.digits(8))}},
		"subject": ref(c.ref, ""), "collection": obj{"collectedDateTime": dateTime(v.at.Add(2 * time.Minute))},
		"type": concept(sysSNOMED, "119297000", "Blood specimen"),
	}}
	o["specimen"] = ref("#specimen", "")
	v.results = append(v.results, g.add(o, v.at, append(v.labels, c.labelOf(d)...)...))
	v.found = append(v.found, strings.ReplaceAll(fmt.Sprintf("%s %v %s (%s)", l.text, value, strings.Trim(l.unit, "{}"), text), "  ", " "))
}

func tenth(x float64) float64 { return math.Round(x*10) / 10 }

func (c *chart) labelOf(d disorder) []obj {
	if d.sensitive == part2 {
		return []obj{coding(sysAct, part2, "42 CFR Part 2")}
	}
	return nil
}

func (g *generator) prescription(c *chart, v *visit, d disorder, i int, drug drug) {
	r := obj{
		"resourceType": "MedicationRequest", "id": g.id("MedicationRequest"), "status": "active", "intent": "order",
		"identifier": list{obj{"system": "https://pharmacy.example.org/rx", "value": g.mark("RX", "RX"+g.digits(8))}},
		"category":   list{obj{"coding": list{coding(hl7+"medicationrequest-category", "outpatient", "Outpatient")}}},
		"subject":    ref(c.ref, c.full()), "encounter": ref(v.ref, ""), "authoredOn": dateTime(v.until),
		"requester": ref(v.doctor.ref, v.doctor.full()), "reasonReference": list{ref(c.conditions[i], d.icdText)},
		"dosageInstruction": list{obj{"sequence": 1, "text": drug.sig, "patientInstruction": fmt.Sprintf("%s, call %s with questions", c.given, v.doctor.phone)}},
		"dispenseRequest":   obj{"numberOfRepeatsAllowed": 3, "quantity": obj{"value": 90.0, "unit": "tablet"}, "validityPeriod": obj{"start": day(v.until), "end": day(v.until.AddDate(1, 0, 0))}},
	}
	if g.chance(40) {
		r["contained"] = list{obj{"resourceType": "Medication", "id": "med", "code": concept(sysRxNorm, drug.rxnorm, drug.text),
			"batch": obj{"lotNumber": g.mark("LOT", "LT"+g.digits(6))}}}
		r["medicationReference"] = ref("#med", "")
	} else {
		r["medicationCodeableConcept"] = concept(sysRxNorm, drug.rxnorm, drug.text)
	}
	g.add(r, v.until, append(v.labels, c.labelOf(d)...)...)
}

func (g *generator) procedure(c *chart, v *visit, d disorder, i int) {
	start, end := v.at.Add(3*time.Hour), v.at.Add(5*time.Hour)
	p := obj{
		"resourceType": "Procedure", "id": g.id("Procedure"), "status": "completed",
		"category": concept(sysSNOMED, "387713003", "Surgical procedure"),
		"code":     concept(d.procedure.system, d.procedure.code, d.procedure.text), "subject": ref(c.ref, c.full()), "encounter": ref(v.ref, ""),
		"performedPeriod": obj{"start": dateTime(start), "end": dateTime(end)},
		"performer":       list{obj{"actor": ref(v.doctor.ref, v.doctor.full()), "onBehalfOf": ref(g.hospital, "")}},
		"reasonReference": list{ref(c.conditions[i], "")}, "location": ref(g.place, ""),
		"note": list{obj{"text": "Consent signed by " + c.kin.full() + ", " + c.kin.phone}},
	}
	if d.device {
		c.serialNo = g.mark("SERIAL", "SN"+g.digits(9))
		gtin := g.mark("UDI", "00"+g.digits(12))
		c.device = g.add(obj{
			"resourceType": "Device", "id": g.id("Device"), "status": "active",
			"identifier":   list{obj{"system": "https://hospital.example.org/devices", "value": g.mark("DEVICE", "DEV-"+g.digits(6))}},
			"udiCarrier":   list{obj{"deviceIdentifier": gtin, "issuer": "http://hl7.org/fhir/NamingSystem/gs1-di", "carrierHRF": "(01)" + gtin + "(21)" + c.serialNo}},
			"manufacturer": "Example Implants", "serialNumber": c.serialNo, "lotNumber": g.mark("LOT", "LT"+g.digits(6)),
			"manufactureDate": day(start.AddDate(0, -7, 0)), "expirationDate": day(start.AddDate(4, 0, 0)),
			"deviceName": list{obj{"name": "Implant for " + d.procedure.text, "type": "user-friendly-name"}},
			"patient":    ref(c.ref, c.full()), "owner": ref(g.hospital, g.hospitalName),
			"note": list{obj{"text": "Implanted by " + v.doctor.full() + " on " + start.Format("Jan 2, 2006")}},
		}, start)
		p["focalDevice"] = list{obj{"manipulated": ref(c.device, "")}}
	}
	g.add(p, end, append(v.labels, c.labelOf(d)...)...)
}

// writeUp files the report and the notes of a visit.
func (g *generator) writeUp(c *chart, v *visit, n int) {
	labels := append(v.labels, c.label()...)
	note := g.note(c, v, n)
	url := ""
	if n == 0 {
		// One note of each patient is a Binary of its own, as many servers keep them.
		url = g.add(obj{
			"resourceType": "Binary", "id": g.id("Binary"), "contentType": "text/plain; charset=utf-8",
			"securityContext": ref(c.ref, ""), "data": base64.StdEncoding.EncodeToString([]byte(note)),
		}, v.until, labels...)
	}
	g.document(c, v, code{sysLOINC, "11506-3", "Progress note"}, note, url, labels)
	for _, d := range c.disorders {
		if d.sensitive == psyche && n == 0 {
			g.document(c, v, code{sysLOINC, "28635-1", "Psychiatry Initial evaluation note"}, g.sessionNote(c, v), "",
				append(labels, coding(sysAct, psyche, "psychotherapy note")))
		}
	}
	if len(v.results) == 0 {
		return
	}
	var results list
	for _, r := range v.results {
		results = append(results, ref(r, ""))
	}
	conclusion := fmt.Sprintf("%s. Results called to %s at %s on %s.", c.disorders[0].icdText, v.doctor.full(), v.doctor.phone, v.until.Format("1/2/06"))
	report := g.report(c, v, conclusion)
	g.add(obj{
		"resourceType": "DiagnosticReport", "id": g.id("DiagnosticReport"), "status": "final",
		"identifier": list{obj{"system": "https://lab.example.org/reports", "value": g.mark("REPORT", "R"+g.digits(9))}},
		"category":   list{concept(hl7+"v2-0074", "LAB", "Laboratory")},
		"code":       concept(sysLOINC, "11502-2", "Laboratory report"), "subject": ref(c.ref, c.full()), "encounter": ref(v.ref, ""),
		"effectiveDateTime": dateTime(v.at.Add(4 * time.Minute)), "issued": instant(v.until),
		"performer": list{ref(g.hospital, g.hospitalName)}, "resultsInterpreter": list{ref(v.doctor.ref, v.doctor.full())},
		"result": results, "conclusion": conclusion,
		"conclusionCode": list{concept(sysSNOMED, c.disorders[0].sct, c.disorders[0].sctText)},
		"presentedForm": list{obj{"contentType": "text/plain", "language": "en-US", "title": "Report for " + c.full(),
			"creation": dateTime(v.until), "data": base64.StdEncoding.EncodeToString([]byte(report))}},
	}, v.until, labels...)
}

func (g *generator) document(c *chart, v *visit, kind code, text, url string, labels []obj) {
	attachment := obj{"contentType": "text/plain; charset=utf-8", "language": "en-US", "creation": dateTime(v.until),
		"title": fmt.Sprintf("%s, %s: %s of %s", c.family, c.given, kind.text, v.at.Format("Jan 2, 2006")), "size": len(text)}
	if url != "" {
		attachment["url"] = url
	} else {
		attachment["data"] = base64.StdEncoding.EncodeToString([]byte(text))
	}
	g.add(obj{
		"resourceType": "DocumentReference", "id": g.id("DocumentReference"), "status": "current", "docStatus": "final",
		"masterIdentifier": obj{"system": "https://hospital.example.org/documents", "value": g.mark("DOC", "D"+g.digits(9))},
		"type":             concept(kind.system, kind.code, kind.text),
		"category":         list{concept("http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category", "clinical-note", "Clinical Note")},
		"subject":          ref(c.ref, c.full()), "date": instant(v.until), "author": list{ref(v.doctor.ref, v.doctor.full())},
		"custodian": ref(g.hospital, g.hospitalName), "description": "Dictated by " + v.doctor.full() + " about " + c.full(),
		"content": list{obj{"attachment": attachment, "format": coding("http://ihe.net/fhir/ValueSet/IHE.FormatCode.codesystem", "urn:ihe:iti:xds:2017:mimeTypeSufficient", "mimeType Sufficient")}},
		"context": obj{"encounter": list{ref(v.ref, "")}, "period": obj{"start": dateTime(v.at), "end": dateTime(v.until)},
			"sourcePatientInfo": ref(c.ref, c.full())},
	}, v.until, labels...)
}

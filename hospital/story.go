package hospital

// A patient's story is one or two disorders. Everything else follows from
// them, so that what the laboratory found, what was prescribed and what the
// notes say agree with each other.

type disorder struct {
	icd, icdText string
	sct, sctText string
	minAge       int
	maxAge       int
	sex          string // "" for both
	labs         []lab
	drugs        []drug
	procedure    *code
	device       bool
	sensitive    string // the security label of what speaks of it
	history      string // for the note
	plan         string
}

type code struct{ system, code, text string }

type lab struct {
	loinc, text, unit, ucum string
	low, high               float64 // what this patient has
	refLow, refHigh         float64 // what is usual
}

type drug struct{ rxnorm, text, sig string }

const (
	sysLOINC  = "http://loinc.org"
	sysSNOMED = "http://snomed.info/sct"
	sysICD10  = "http://hl7.org/fhir/sid/icd-10-cm"
	sysRxNorm = "http://www.nlm.nih.gov/research/umls/rxnorm"
	sysCVX    = "http://hl7.org/fhir/sid/cvx"
	sysUCUM   = "http://unitsofmeasure.org"
	sysAct    = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
	sysConf   = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
	hl7       = "http://terminology.hl7.org/CodeSystem/"

	part2  = "42CFRPart2" // substance use disorder records (42 CFR Part 2)
	psyche = "PSYTHPN"    // psychotherapy notes (45 CFR 164.501)
)

var (
	hba1c      = lab{"4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood", "%", "%", 7.1, 9.8, 4, 5.6}
	glucose    = lab{"2345-7", "Glucose [Mass/volume] in Serum or Plasma", "mg/dL", "mg/dL", 95, 245, 70, 99}
	creatinine = lab{"2160-0", "Creatinine [Mass/volume] in Serum or Plasma", "mg/dL", "mg/dL", 1.4, 2.3, .6, 1.2}
	potassium  = lab{"2823-3", "Potassium [Moles/volume] in Serum or Plasma", "mmol/L", "mmol/L", 3.6, 5.2, 3.5, 5.1}
	ldl        = lab{"13457-7", "Cholesterol in LDL [Mass/volume] in Serum or Plasma by calculation", "mg/dL", "mg/dL", 128, 191, 0, 129}
	hemoglobin = lab{"718-7", "Hemoglobin [Mass/volume] in Blood", "g/dL", "g/dL", 8.9, 12.4, 12, 16}
	inr        = lab{"6301-6", "INR in Platelet poor plasma by Coagulation assay", "{INR}", "{INR}", 1.7, 3.4, .9, 1.1}
	wbc        = lab{"6690-2", "Leukocytes [#/volume] in Blood by Automated count", "10*3/uL", "10*3/uL", 11.2, 17.8, 4, 11}
	phq9       = lab{"44261-6", "Patient Health Questionnaire 9 item (PHQ-9) total score [Reported]", "{score}", "{score}", 10, 19, 0, 4}
)

// The disorders that fixed places in a small hospital ask for.
const hipFracture, depression, opioids = "S72.001A", "F33.1", "F11.20"

var disorders = []disorder{
	{icd: "E11.9", icdText: "Type 2 diabetes mellitus without complications", sct: "44054006", sctText: "Diabetes mellitus type 2",
		minAge: 30, maxAge: 120, labs: []lab{hba1c, glucose},
		drugs:   []drug{{"861007", "metformin hydrochloride 500 MG Oral Tablet", "Take 1 tablet by mouth twice a day with meals"}},
		history: "type 2 diabetes, checks sugars at home with a glucometer", plan: "Continue metformin 500 mg twice daily, repeat A1c in 3 months, eye examination due."},
	{icd: "I10", icdText: "Essential (primary) hypertension", sct: "59621000", sctText: "Essential hypertension",
		minAge: 28, maxAge: 120, labs: []lab{potassium},
		drugs:   []drug{{"314076", "lisinopril 10 MG Oral Tablet", "Take 1 tablet by mouth every morning"}},
		history: "high blood pressure, on lisinopril", plan: "Continue lisinopril 10 mg, home blood pressure log, recheck potassium."},
	{icd: "E78.5", icdText: "Hyperlipidemia, unspecified", sct: "55822004", sctText: "Hyperlipidemia",
		minAge: 30, maxAge: 120, labs: []lab{ldl},
		drugs:   []drug{{"617310", "atorvastatin 20 MG Oral Tablet", "Take 1 tablet by mouth at bedtime"}},
		history: "hyperlipidemia", plan: "Atorvastatin 20 mg nightly, fasting lipids before the next visit."},
	{icd: "I48.91", icdText: "Unspecified atrial fibrillation", sct: "49436004", sctText: "Atrial fibrillation",
		minAge: 60, maxAge: 120, labs: []lab{inr}, device: true,
		drugs:     []drug{{"855332", "warfarin sodium 5 MG Oral Tablet", "Take 1 tablet by mouth every evening as directed by the clinic"}},
		procedure: &code{sysSNOMED, "307280005", "Implantation of cardiac pacemaker"},
		history:   "atrial fibrillation, pacemaker in place", plan: "Warfarin by the anticoagulation clinic, INR every 4 weeks, pacemaker check in 6 months."},
	{icd: "N18.30", icdText: "Chronic kidney disease, stage 3 unspecified", sct: "433144002", sctText: "Chronic kidney disease stage 3",
		minAge: 50, maxAge: 120, labs: []lab{creatinine, potassium},
		drugs:   []drug{{"314076", "lisinopril 10 MG Oral Tablet", "Take 1 tablet by mouth every morning"}},
		history: "chronic kidney disease, stage 3", plan: "Avoid NSAIDs, repeat creatinine in 3 months, nephrology referral if it rises."},
	{icd: "J45.909", icdText: "Unspecified asthma, uncomplicated", sct: "195967001", sctText: "Asthma",
		minAge: 4, maxAge: 70,
		drugs:   []drug{{"745679", "200 ACTUAT albuterol 0.09 MG/ACTUAT Metered Dose Inhaler", "Inhale 2 puffs every 4 to 6 hours as needed for wheezing"}},
		history: "asthma since childhood, worse in spring", plan: "Albuterol as needed, asthma action plan reviewed."},
	{icd: "J18.9", icdText: "Pneumonia, unspecified organism", sct: "233604007", sctText: "Pneumonia",
		minAge: 1, maxAge: 120, labs: []lab{wbc},
		drugs:   []drug{{"308191", "amoxicillin 500 MG Oral Capsule", "Take 1 capsule by mouth three times a day for 7 days"}},
		history: "cough and fever for four days", plan: "Amoxicillin for 7 days, chest film in 6 weeks."},
	{icd: hipFracture, icdText: "Fracture of unspecified part of neck of right femur, initial encounter for closed fracture", sct: "5913000", sctText: "Fracture of neck of femur",
		minAge: 72, maxAge: 120, labs: []lab{hemoglobin}, device: true,
		drugs:     []drug{{"313782", "acetaminophen 325 MG Oral Tablet", "Take 2 tablets by mouth every 6 hours as needed for pain"}},
		procedure: &code{sysSNOMED, "52734007", "Total replacement of hip"},
		history:   "fell at home, right hip fracture repaired with a total hip replacement", plan: "Weight bearing as tolerated, home physical therapy, bone density scan."},
	{icd: depression, icdText: "Major depressive disorder, recurrent, moderate", sct: "370143000", sctText: "Major depressive disorder",
		minAge: 16, maxAge: 90, labs: []lab{phq9}, sensitive: psyche,
		drugs:   []drug{{"312941", "sertraline 50 MG Oral Tablet", "Take 1 tablet by mouth every morning"}},
		history: "recurrent depression", plan: "Sertraline 50 mg, weekly psychotherapy, safety plan reviewed."},
	{icd: opioids, icdText: "Opioid dependence, uncomplicated", sct: "75544000", sctText: "Opioid dependence",
		minAge: 20, maxAge: 70, sensitive: part2,
		drugs:   []drug{{"351267", "buprenorphine 8 MG / naloxone 2 MG Sublingual Tablet", "Dissolve 1 tablet under the tongue twice a day"}},
		history: "opioid use disorder in treatment", plan: "Buprenorphine-naloxone twice daily, counselling weekly, urine screen monthly."},
	{icd: "F03.90", icdText: "Unspecified dementia, unspecified severity, without behavioral disturbance", sct: "52448006", sctText: "Dementia",
		minAge: 78, maxAge: 120, labs: []lab{hemoglobin},
		drugs:   []drug{{"997223", "donepezil hydrochloride 10 MG Oral Tablet", "Take 1 tablet by mouth at bedtime"}},
		history: "memory loss over three years", plan: "Donepezil at night, driving stopped, family meeting about care at home."},
}

// newborn is the story of everyone under one year of age.
var newborn = disorder{icd: "Z38.00", icdText: "Single liveborn infant, delivered vaginally", sct: "442311008", sctText: "Liveborn born in hospital",
	labs:    []lab{{"1975-2", "Bilirubin.total [Mass/volume] in Serum or Plasma", "mg/dL", "mg/dL", 3.1, 9.8, 0, 12}},
	drugs:   []drug{{"", "cholecalciferol 400 UNT/ML Oral Solution", "Give 1 mL by mouth once a day"}},
	history: "term newborn, vaginal delivery", plan: "Routine newborn care, weight check in 3 days, vitamin D."}

type vaccine struct{ cvx, text string }

var vaccines = []vaccine{
	{"150", "Influenza, injectable, quadrivalent, preservative free"},
	{"115", "Tdap"},
	{"33", "pneumococcal polysaccharide PPV23"},
}

var infantVaccines = []vaccine{{"08", "Hep B, adolescent or pediatric"}}

var allergens = []struct{ code, text, category, manifestation, manifestationText string }{
	{"91936005", "Allergy to penicillin", "medication", "247472004", "Hives"},
	{"91935009", "Allergy to peanut", "food", "39579001", "Anaphylaxis"},
	{"300916003", "Latex allergy", "environment", "271807003", "Eruption of skin"},
	{"91934008", "Allergy to nut", "food", "422587007", "Nausea"},
}

package scan

import "strings"

// bedside is the language of notes about patients. Words that health software
// is full of ("patient", "diagnosis", "allergy") are in weak: they say what a
// program is about, not that a person is in it. Words that ordinary text and
// code use as well are in neither.
const bedsideWords = `
abdomen abdominal abscess acetaminophen admitted afebrile albuterol amlodipine amoxicillin anemia angina ankle antibiotic antibiotics
apnea appendectomy arrhythmia arthritis ascites aspirin asthma atorvastatin atrial auscultation azithromycin bariatric benign bilateral bilaterally
biopsy bleeding bowel bronchitis bruising cancer carcinoma cardiology cardiac cardiovascular catheter cellulitis cephalexin chemotherapy chest
cholecystectomy chills chronic cirrhosis colonoscopy complains constipation copd cough creatinine cyanosis dementia denied denies depressed depression
dermatitis diabetes diabetic diaphoresis diarrhea dialysis diastolic discharged distention distress diuresis dizziness dysphagia dyspnea dysuria echocardiogram
ecg edema ekg electrolytes embolism emphysema endoscopy epigastric erythema erythematous exertion extremities extremity fatigue febrile fever fibrillation fracture
furosemide gabapentin gait gastric gastroenterology gerd glucose gynecology headache headaches heartburn hematocrit hematuria hemodialysis hemoglobin hemorrhage heparin hepatic
hepatitis hernia hydrochlorothiazide hypercholesterolemia hyperlipidemia hypertension hypertensive hypoglycemia hypotension hypothyroidism hypoxia hysterectomy ibuprofen icu incision infarction
infection inflammation influenza insomnia insulin intubated intubation ischemia ischemic jaundice kidney laparoscopic lesion lesions lethargic leukocytosis levothyroxine lisinopril losartan lumbar
lymphoma malignancy malaise mastectomy melena meningitis menopause metastatic metformin metoprolol migraine mitral murmur murmurs myocardial nausea nauseous nebulizer
neurology neuropathy nonfebrile nontender numbness obese obesity omeprazole oncology orthopedic orthopnea osteoarthritis osteoporosis outpatient oxycodone palpable palpation
palpitations pancreatitis paresthesia pelvic penicillin pleural pneumonia polyps postoperative postop prednisone pregnancy preoperative prescribed presenting prognosis prostate pruritus
psychiatric pulmonary radiation radiculopathy radiology rales rash rectal reflux renal resected respirations rhonchi rupture sciatica sedation seizure seizures sepsis septic shingles simvastatin
sinusitis smoker smokes sober sputum stenosis stent stroke subcutaneous supine surgery surgical sutures swelling syncope systolic tachycardia tachypnea tenderness thoracic thrombosis thyroid
tonsillitis transfusion tremor troponin tumor ulcer ultrasound urinalysis urinary urology urticaria uterus vaginal vancomycin varicose vertigo vomiting vomited warfarin weakness wheezes wheezing widowed
mammogram mri oncologist cardiologist neurologist radiologist pathology remission relapse tumour metastasis leukemia melanoma psoriasis eczema
anxious anxiety bedrest biopsied bleed breathlessness gravida nocturia paramedics physiotherapy sertraline tramadol hospitalized hospitalization rehabilitation allergies
`

// tellingWords say that somebody is spoken of: without one of them near, the
// words of the bedside are a catalogue, a test or a paper. They are few words of
// notes and the pronouns.
const tellingWords = `
admitted denies denied complains complaining discharged presents presented presenting prescribed reports reported afebrile febrile intubated extubated hospitalized
tolerated ambulating lethargic widowed smokes underwent he she his her him hers mrs mr dear pt tid bid prn hpi pmh
`

const weakWords = `
patient patients hospital clinic clinical clinician doctor physician nurse diagnosis diagnosed medication medications allergy treatment therapy symptom symptoms admission
discharge encounter prescription health healthcare medical insurance medicare medicaid mrn fhir hl7 icd loinc snomed specimen ward triage dose dosage pharmacy
`

// terms says of a word 2 for the bedside, 1 for weak, and 4 more for telling.
type terms map[string]uint8

func newTerms() terms {
	t := terms{}
	for _, w := range strings.Fields(weakWords) {
		t[w] = 1
	}
	for _, w := range strings.Fields(bedsideWords) {
		t[w] = 2
	}
	for _, w := range strings.Fields(tellingWords) {
		t[w] |= 4
	}
	return t
}

// term is a word of health in a window.
type term struct {
	at      int
	id      string
	weak    bool
	telling bool
}

// units after a number are doses and measurements.
var units = map[string]bool{"mg": true, "mcg": true, "mmhg": true, "meq": true, "bpm": true, "tablet": true, "tablets": true, "yo": true, "mmol": true, "dl": true}

// of finds the terms of health in win, in order.
func (t terms) of(dst []term, win []byte) []term {
	var buf [20]byte
	for i := 0; i < len(win); i++ {
		if !isAlpha(win[i]) {
			continue
		}
		start := i
		n := 0
		for i < len(win) && isAlpha(win[i]) {
			if n < len(buf) {
				buf[n] = win[i] | 0x20
			}
			n++
			i++
		}
		if n > len(buf) || n < 2 {
			continue
		}
		// A word inside an identifier is code: urgent_surgery, chestPain.
		if start > 0 && (win[start-1] == '_' || win[start-1] == '.' && start > 1 && isAlnum(win[start-2])) || i < len(win) && (win[i] == '_' || win[i] == '(') {
			continue
		}
		word := buf[:n]
		switch k := t[string(word)]; {
		case k != 0:
			dst = append(dst, term{at: start, id: string(word), weak: k&2 == 0, telling: k&4 != 0})
		default:
			if n <= 7 && units[string(word)] && start > 0 && (isDigit(win[start-1]) || win[start-1] == ' ' && start > 1 && isDigit(win[start-2])) {
				dst = append(dst, term{at: start, id: "#" + string(word), telling: true})
			} else if string(word) == "year" && i+4 < len(win) && string(win[i:i+4]) == "-old" {
				dst = append(dst, term{at: start, id: "#yo", telling: true})
			}
		}
	}
	return dst
}

// around is how much of the bedside stands within reach of the offset: the
// number of different words, weak ones together at most one. It is at most two
// where nobody is spoken of.
func around(list []term, at int) float64 {
	lo, hi := 0, len(list)
	for lo < hi {
		if mid := (lo + hi) / 2; list[mid].at < at-reach {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	var seen [16]string
	strong, weak := 0, 0
	telling := false
	for _, t := range list[lo:] {
		if t.at > at+reach || strong == len(seen) {
			break
		}
		telling = telling || t.telling
		if t.weak {
			weak++
			continue
		}
		dup := false
		for _, s := range seen[:strong] {
			dup = dup || s == t.id
		}
		if !dup {
			seen[strong] = t.id
			strong++
		}
	}
	sum := float64(strong) + min(1, float64(weak)/2)
	if !telling {
		return min(2, sum)
	}
	return sum
}

// reach is how far apart in bytes two things can stand and still be of one person.
const reach = 800

package text_test

import (
	"strings"
	"testing"

	"github.com/sallyport/sallyport/deid/text"
)

func engine(t testing.TB) *text.Engine {
	t.Helper()
	e, err := text.New(text.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func find(t testing.TB, doc string, r *text.Record) []text.Span {
	t.Helper()
	s, err := engine(t).Find(nil, []byte(doc), r)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// marked writes doc with the spans of these categories in brackets; none means
// all of them.
func marked(doc string, spans []text.Span, only ...text.Category) string {
	var b strings.Builder
	at := 0
	for _, s := range spans {
		if len(only) > 0 {
			ok := false
			for _, c := range only {
				ok = ok || c == s.Category
			}
			if !ok {
				continue
			}
		}
		b.WriteString(doc[at:s.Start])
		b.WriteString("[" + doc[s.Start:s.End] + "]")
		at = s.End
	}
	b.WriteString(doc[at:])
	return b.String()
}

// Each line is a text with what must be found in brackets, and nothing else.
func TestFind(t *testing.T) {
	for name, lines := range map[string][]string{
		"names": {
			"Patient Name: [SMITH, JOSEPH P]",
			"NAME: [Elizabeth T. van der Velde]    MRN: [E869217]",
			"Pt: [WILSON, GRANT A]",
			"PCP: Dr. [Rich Willy], M.D.",
			"Seen by [Gene Church], MD for follow up of the wound and pain.",
			"Electronically signed by [Miles S. Glory]  MD",
			"His brother, [May], can be reached tomorrow. The patient has pain.",
			"Discussed with Dr. [O'Brien] the biopsy and the infection.",
			"Mrs. [Smith-Jones] underwent surgery for the fracture.",
			"Consult note for the patient. [Heather] tolerated this well.",
			"attn [Sasha Jo Davis]",
			"Dear Dr. [García Márquez]:",
			"My name is [Ewan Richards]",
			"my name is [john smith] and i have a question",
			"dr. [Weiss] saw the patient for chest pain",
			"Mother is [Anna Kowalska].",
			"Referred by [John Q. Public] for evaluation of abdominal pain and fever.",
			"Scribe: [A. Novak]. Consultant: [T.R. Vanderpool], DO",
			"Name: [J o h n  S m i t h]",
			"Patient Information [Jack Varvio], in pain. [Mark Brown] was seen for the fracture.",
			"Social: her daughter [sarah] helps with the medication. Dr. [K. Weiss] called.",
			"HISTORY: THE PATIENT IS A MALE NAMED [ROBERT JOHNSON] WHO SEES DR. [WILLIAMS] FOR CHEST PAIN.",
			"[Rebecca Richardson], RN, gave the medication for pain.",
		},
		"no names": {
			"White blood cell count 7.2, Parkinson disease, Foley catheter in place, pain.",
			"Stage III cancer of the colon. May need surgery. Mark the site.",
			"The Babcock clamp and a Kelly clamp were used; Alzheimer's disease; Crohn's disease.",
			"Heart Rate 72. Blood Pressure 120/80. General: alert. Neck: supple, chest clear.",
			"Patient was given Lasix, Coumadin and Synthroid for the edema.",
			"Graves' disease and Hodgkin lymphoma were ruled out by biopsy.",
			"REVIEW OF SYSTEMS: NO CHEST PAIN, NO FEVER, NO COUGH.",
			"Glasgow Coma Scale 15, Apgar 9, Gleason score 7, Babinski sign negative.",
			"The patient was seen in the Emergency Department for chest pain.",
			"Dr. X performed the procedure on the patient with pain.",
			"Will follow up. Bill was paid? No. Grant the request: surgery, pain.",
		},
		"clinical values": {
			"ECG: Sinus Rhythm, Rate 72, PR 160 ms, QRS 88 ms, QTc 420 ms. Cath: LAD 70% Stenosis. Stent: Xience 3.0 x 18.",
			"PT: 12.5, INR 1.1, PTT 30. UA: SG 1.015, pH 6.0, Protein Neg, Ketones Trace. ABG 7.38/42/88/24. AC 16/450/5/40%.",
			"Norco 5/325, Zofran ODT 4 mg. Activity: No Heavy Lifting > 10 lbs x 6 Weeks. Goal < 130/80. Barthel 85. Tinetti 22/28.",
			"Family History: Father - MI at 60. Mother - Breast CA, died at 72. Therapist: CBT weekly. Beck Depression Inventory 20.",
			"HR is 92. Her BP is 110. Glucose is 95, she is 95% on room air, with chest pain.",
			"BP 120/80, L4-L5 disc, pH 7.35, pulses 2/2, strength 5/5, sats 98%.",
			"Sodium 140, potassium 4.1, WBC 10.5, hemoglobin 13.2 g/dL, platelets 250,000.",
			"Aspirin 81 mg daily, heparin 5000 units, 1000000 units of penicillin.",
			"C5-C6, T1-2, 4-0 nylon, 2-0 Vicryl, #10 blade, 0.5 mL of lidocaine, 3/6 murmur.",
			"Temperature of 97.3, pulse 70, respirations 18, FiO2 40%, NPO after 12:00.",
			"A1-2026 remained a lab panel code, not a visit date.",
			"ICD-10 code E11.65, CPT 99213, LOINC 8480-6, SNOMED CT 44054006.",
			"EF 55-60%, ratio 1:1000, Q4H, x3, 10-20 mg, 2 of 3, 50,000 IU weekly.",
			"Grade 3/4 toxicity, 20/40 vision, 1/2 tablet, 4/10 pain, T2N0M0.",
		},
		"dates": {
			"Admitted [05/26/1931] and [5-26-31]; biopsy [2015-04-27]; labs [17-NOV-2022].",
			"Seen on [May 4th, 2021], [December 8, 2025], [Jan 3rd, 2023] and [February 13].",
			"Fever since [the 3rd of May] and pain in [May 2019]; [September of 2006]; [4 May 2021].",
			"DOS: [9/27]   Discharged: [6/14/17]",
			"Follow up on [3/5] for the wound.",
			"[2026-01-10T09:30:00Z] patient arrived with pain.",
			"[Sunday], [05/19/2007] she had pain.",
			"[05.21.2022] and [26.05.1931] pain",
			"D: [16 Oct 2021]",
			"[27OCT2024] labs drawn for fever",
			"admitted in [January] with fever and chest pain",
		},
		"ages": {
			"She is a [98] year old who came with chest pain.",
			"[101]-year-old man with fever. Father died at age [91]. Mother, aged [94], has pain.",
			"[95]yo F with cough, [92] y/o M with edema",
			"She is [92]. Pt is a [97]M with fever. [ninety-four]-year-old woman, a [nonagenarian] with chest pain.",
		},
		"numbers": {
			"SSN: [123-45-6789]   Acct: [6129036727]",
			"Phone: [(305)555-0114], cell [1-305-555-0150], fax [617.555.0167], [617 555 0131].",
			"pager [37886], ext. [4402]",
			"MRN: [0999366], Med Rec #[MR-13366-A], Unit No: [X881543], MR#: [376-62-59]",
			"Medicare HIC [XW095094907], member ID [H95007850], Plan ID: [YPC016419453]",
			"Driver's license [S1808094], device serial [000416693], serial [SN-0668735]",
			"T: [5/27/21]  Job: [407229]",
			"VIN [1HGCM82633A004352] and IBAN [GB82WEST12345698765432]",
			"IP [203.0.113.42], [2001:db8::8a2e:370:7334]; see [https://pacs.example.org/v/226273].",
			"Email: [m.guerra@mail.example.net], web [www.example.org/a].",
			"card [4111 1111 1111 1111], SSN 000-00-0000",
			"SSN (last 4): [3344]. Group #: [77120]   Invoice #[55120]   Encounter #: [5567712]",
			"NPI [1234567893], DEA [AB1234563]",
		},
		"codes of specimens and the like": {
			"Pathology [S23-10442] showed cancer. J#: [883921]. Pt ID [88213].",
			"Employee ID [E12345], username [jsmith42], plate [ABC-1234], passport [123456789].",
			"NDC 0002-8215-01 and lot # [AB12345]",
		},
		"places": {
			"Moved to [Lake In The Hills], IL [60156] with chest pain. Works at [Lockheed Martin] as a clerk.",
			"[Kanata (north March)], PA [73402] and pain",
			"born in [Guadalajara], raised in Ohio, with chest pain and fever",
			"Address: [8285 Babcock Ave #243], [Folkston], DE [79207]",
			"Address: [17043 Gardiner Street, Unit 18]\n[Doran], GA [19918-0042]",
			"She lives in [Troxelville] and has chest pain and fever.",
			"Pain treated at [St. Vincent General Hospital] and at [Mercy Nursing Home].",
			"He works as a clerk at [Chapa Hardware]. He has pain.",
			"Employer: [Kestrel Aviation]   Residence: [1200 County Road 14], [Marfa] TX [79843] pain",
			"FACILITY: [Twin Rivers Health]",
			"P.O. Box is [PO Box 123], [Springfield], IL [62704]",
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, want := range lines {
				doc := strings.NewReplacer("[", "", "]", "").Replace(want)
				if got := marked(doc, find(t, doc, nil)); got != want {
					t.Errorf("got  %s\nwant %s", got, want)
				}
			}
		})
	}
}

// Every category and reason has a word of its own, and only Origin and Unknown
// are not on the Safe Harbor list.
func TestClosedLists(t *testing.T) {
	seen := map[string]bool{}
	for c := text.Category(0); int(c) < text.Categories; c++ {
		if seen[c.String()] || c.String() == "" {
			t.Errorf("category %d is called %q", c, c)
		}
		seen[c.String()] = true
		if cited := strings.HasPrefix(c.Citation(), "45 CFR 164.514(b)(2)(i)("); cited == (c == text.Unknown || c == text.Origin) {
			t.Errorf("%v cites %q", c, c.Citation())
		}
	}
	for c, want := range map[text.Category]string{text.Name: "A", text.ZIP: "B", text.Age: "C", text.Fax: "E", text.SSN: "G", text.MRN: "H", text.HealthPlan: "I", text.Account: "J", text.License: "K", text.Vehicle: "L", text.Device: "M", text.URL: "N", text.IP: "O", text.Biometric: "P", text.Photo: "Q", text.OtherID: "R"} {
		if got := c.Citation(); !strings.HasSuffix(got, "("+want+")") {
			t.Errorf("%v cites %s, want (%s)", c, got, want)
		}
	}
	if text.Category(200).String() != "UNKNOWN" || text.Reason(200).String() != "none" {
		t.Error("what is not on the list has a name of its own")
	}
}

package table

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/need"
	"github.com/sallyport/sallyport/problem"
)

// TestKindOf: what the names of columns say, as hospitals, claims and research
// files write them.
func TestKindOf(t *testing.T) {
	for kind, names := range map[Kind]string{
		Name:        "name LastName first_name PATIENT_NAME patientlastname ptlname FNAME Surname maiden_name NextOfKin next_of_kin emergency_contact_name mother MothersMaidenName spouse_name physician_name ATTENDING provider full.name RenderingProvider NameOfSpouse GivenName initials nickname employer guarantor",
		Street:      "address street_address Addr1 ADDRESS_LINE_2 home_address mailingaddress street apt residence ADD_LINE_1",
		City:        "city CITY_NAME patient_city hometown BirthPlace town",
		County:      "county CountyName patient_county",
		ZIP:         "zip ZipCode zip_5 postal_code POSTCODE patzip zcta zip3",
		Geocode:     "lat longitude Latitude census_tract geocode gps_coordinates fips",
		Date:        "date admission_date AdmitDt DISCHARGE_DATE service_dt date_of_death DOD encounter_datetime created_at event_timestamp month DeathDate visit_time start_time lab_date Time_of_Death dischtime storetime charttime deathtime CLM_FROM_DT",
		BirthDate:   "dob DOB date_of_birth BirthDate patient_dob birth_dt yob birth_year ptdob birth_datetime BENE_BIRTH_DT day_of_birth",
		Age:         "age AGE AgeYears age_at_admission patient_age",
		Phone:       "phone PhoneNumber home_phone tel mobile cell_phone TELEPHONE work_ph phone1 contact_phone",
		Fax:         "fax fax_number HomeFax",
		Email:       "email EMAIL_ADDRESS e_mail_address patient_email emailaddr",
		SSN:         "ssn SSN SocialSecurityNumber soc_sec_no patient_ssn ssn_last4",
		MRN:         "mrn MRN medical_record_number MedRecNo patient_mrn chart_number empi mr_no",
		HealthPlan:  "member_id MemberID subscriber_no beneficiary_id medicare_id MBI insurance_id policy_number hicn",
		Account:     "account_number acct_no PatientAccount claim_id ENCOUNTER_ID csn invoice_no visit_id",
		License:     "license_no drivers_license NPI dea_number passport_no certificate_number dl_number DRIVERS AT_PHYSN_NPI",
		Vehicle:     "vin license_plate VehicleID plate_no",
		Device:      "device_id serial_number UDI implant_id SerialNo mac_address imei",
		URL:         "url website homepage profile_url patient_uri",
		IP:          "ip ip_address IPAddr client_ip",
		Biometric:   "fingerprint voice_print iris finger_print",
		Photo:       "photo picture portrait patient_photo",
		OtherID:     "id patient_id PatientID subject_id guid uuid record_key user_id accession_no barcode username ptid participant_no specimen_id row_id person_key patient_number PAT_ID patient_nbr hadm_id StudyInstanceUID DESYNPUF_ID BENE_ID",
		FreeText:    "note notes clinical_note comments narrative free_text radiology_report discharge_summary chief_complaint NoteText hpi",
		State:       "state STATE_CODE country patient_state residence_state",
		UnknownKind: "sex gender race diagnosis icd10 result weight height phone_type email_count marital-status workclass occupation salary-class education drug_name test_name department_name medication_id department_id admission_type_id discharge_disposition_id num_procedures number_inpatient number_of_visits time_in_hospital length_of_stay los_days readmitted birth_weight blood_pressure bmi dosage stage image_count language average_glucose hours_per_week capital-gain relationship 30_day_readmission time_to_event hospital_death state_of_mind lab_code class code value unit visits insulin seq_num value_as_number gender_concept_id SP_SEX_IDENT_CD num_lab_procedures max_glu_serum COMPONENT_ID anchor_year",
	} {
		for _, name := range strings.Fields(names) {
			if got := KindOf(name); got != kind {
				t.Errorf("%s: got %q, want %q", name, got, kind)
			}
		}
	}
	for _, name := range []string{"", "1", "___", strings.Repeat("dob", 100), "№"} {
		KindOf(name)
	}
}

// TestShapes: the forms that identifiers have, and what is not one.
func TestShapes(t *testing.T) {
	for kind, values := range map[Kind][]string{
		SSN:         {"123-45-6789", "123 45 6789", "SSN: 123-45-6789", "ssn=123-45-6789"},
		Email:       {"ann@example.org", "Ann Lee <ann.lee+x@mail.example.org>"},
		Phone:       {"617-555-0199", "(617) 555-0199", "617.555.0199", "+1 617 555 0199", "1-617-555-0199", "+49 30 901820", "617 555 0199", "617-555-0199 x12", "call (617) 555-0199 soon", "555-0199"},
		URL:         {"https://example.org/p/1", "www.example.org", "see http://x.org/1."},
		IP:          {"10.1.2.3", "2001:db8::1", "[2001:db8::1]"},
		Date:        {"2026-03-14", "3/14/2026", "14 March 2026", "March 14, 2026", "seen 2026-03-14 again", "on 14 March 2026, he"},
		Device:      {"00:1B:44:11:3A:B7"},
		Vehicle:     {"1HGCM82633A004352"},
		HealthPlan:  {"1EG4-TE5-MK73"},
		OtherID:     {"6f9619ff-8b86-d011-b42d-00c04fc964ff"},
		Geocode:     {"42.3601, -71.0589"},
		UnknownKind: {"", "12", "120/80", "99213", "E11.9", "3.14159", "<=50K", "000-12-3456", "1HGCM82633A004353", "Self-emp-not-inc", "United-States", "12345678", "2026", "1.5 mg", "10:30", "98.6 F", "a@b", "0.25-0.50", "12-17", "2020-2021", "1,200", "AB12-CD34", "100 mg/5 mL", "5/10", "version 1.2"},
	} {
		for _, v := range values {
			if got := holds([]byte(v)); got != kind {
				t.Errorf("%q: got %q, want %q", v, got, kind)
			}
		}
	}
}

// clinic is a table whose columns have names that say nothing.
func clinic(rows int) []byte {
	given := []string{"Ann", "James", "Maria", "Robert", "Linda", "David"}
	var b bytes.Buffer
	b.WriteString("a,b,c,d,e,f,g,h,i,j,k\n")
	for n := range rows {
		fmt.Fprintf(&b, "%03d-%02d-%04d,\"Zqxlee, %s\",p%d@example.org,617-555-%04d,%d/%d/20%02d,0213%d,%d,M%06d,%s,%d,\"He was seen again and said that the pain in the left knee had gone, mostly.\"\n",
			100+n%500, 10+n%80, 1000+n, given[n%6], n, n%10000, 1+n%12, 1+n%28, n%26, n%10, 700000+n*37, n*7, []string{"yes", "no"}[n%2], n%90)
	}
	return b.Bytes()
}

// TestInspect: values say what names do not, with a reason, and no value is told.
func TestInspect(t *testing.T) {
	findings, err := Inspect(bytes.NewReader(clinic(200)), ',')
	if err != nil {
		t.Fatal(err)
	}
	want := []Kind{SSN, Name, Email, Phone, Date, ZIP, OtherID, OtherID, UnknownKind, UnknownKind, FreeText}
	for i, f := range findings {
		if f.Kind() != want[i] || f.Column != i+1 || (want[i] != UnknownKind && f.Evidence[0].Share <= 0) {
			t.Errorf("column %d: got %+v, want %q", i+1, f, want[i])
		}
	}
	if s := fmt.Sprintf("%+v", findings); strings.Contains(s, "Zqx") || strings.Contains(s, "example.org") {
		t.Errorf("a finding holds a value: %s", s)
	}
	r := Propose(findings, SafeHarbor, day("2026-11-23"))
	if err := r.Check(); err != nil {
		t.Fatalf("the proposal is not lawful: %v", err)
	}
	methods := []Method{Remove, Remove, Remove, Remove, Year, ZIP3, Code, Code, Keep, KeepIfShape, Remove}
	for i, c := range r.Columns {
		if c.Method != methods[i] {
			t.Errorf("column %d: proposed %s, want %s", i+1, c.Method, methods[i])
		}
	}
	for _, b := range []Basis{LimitedDataSet, MinimumNecessary} {
		if err := Propose(findings, b, Day{}).Check(); err != nil {
			t.Errorf("%s: %v", b, err)
		}
	}
}

// TestInspectAdult: in a census file only the age and the country are named.
func TestInspectAdult(t *testing.T) {
	f, err := os.Open(need.DataFile(t, "tabular-adult/adult.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	findings, err := Inspect(f, ';')
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range findings {
		want := UnknownKind
		switch f.Name {
		case "age":
			want = Age
		case "native-country":
			want = State
		}
		if f.Kind() != want {
			t.Errorf("%s: got %+v", f.Name, f)
		}
	}
}

// TestHeaderless: a first row that is a patient is not shown as names.
func TestHeaderless(t *testing.T) {
	for _, in := range []string{"12,Zqx,3\n", "Zqx,123-45-6789\n", "\"Zqx, Mary\",M\n", "Zqx,1950-01-02\n", "M,zqx@example.org\n"} {
		_, err := Inspect(strings.NewReader(in), ',')
		var p *problem.Problem
		if !errors.As(err, &p) || strings.Contains(strings.ToLower(p.Error()), "zqx") {
			t.Errorf("%q: got %v", in, err)
		}
	}
	if _, err := Inspect(strings.NewReader("sex,2019,2020,First Name,Grace\n1,2,3,4,5\n"), ','); err != nil {
		t.Errorf("a header is refused: %v", err)
	}
}

// FuzzInspect: no crash; the proposal is lawful under every basis, and keeps no
// column that its own evidence speaks against.
func FuzzInspect(f *testing.F) {
	f.Add(clinic(5))
	f.Add([]byte("dob,zip\n2020-01-01,02139\n"))
	f.Add([]byte("a\n\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		findings, err := Inspect(bytes.NewReader(raw), 0)
		if err != nil {
			return
		}
		for _, b := range []Basis{SafeHarbor, LimitedDataSet, MinimumNecessary} {
			r := Propose(findings, b, day("2026-11-23"))
			if err := r.Check(); err != nil {
				t.Fatal(err)
			}
			for i, c := range r.Columns {
				for _, e := range findings[i].Evidence {
					if b == SafeHarbor && e.Kind.control() != "" && slices.Contains([]Method{Keep, KeepIfShape}, c.Method) {
						t.Fatal("keeps what is an identifier")
					}
				}
			}
		}
	})
}

package agreement_test

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/agreement"
	"github.com/sallyport/sallyport/diligence"
	"github.com/sallyport/sallyport/gate"
	"github.com/sallyport/sallyport/gate/gatetest"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// want is one effect of a wrong term.
type want struct {
	gate, code string // that gate refuses, for that reason, naming the term where it names terms
	blocks     bool   // approvals and reviews are refused, and running access goes on
	warns      bool   // it is in the report
	clock      agreement.ClockID
	due        time.Duration // of the clock in the right world, from the trigger; less than 0: before it
}

// shown is how a term is shown to act: a world in which it is right, ones in which it
// is wrong, and what then happens.
type shown struct {
	right func(*world) // nil: the world as it is
	wrong map[string]func(*world)
	wants []want
}

func drop(field string) func(*world) { return func(w *world) { delete(w.baa().Terms, field) } }

func says(field, value string) func(*world) { return func(w *world) { w.set(field, value) } }

// both takes several changes.
func both(fs ...func(*world)) func(*world) {
	return func(w *world) {
		for _, f := range fs {
			f(w)
		}
	}
}

func mandatory(field string) shown {
	return shown{wrong: map[string]func(*world){"missing": drop(field), "no": says(field, "false"), "a word": says(field, `"yes"`), "unreadable": says(field, "{")},
		wants: []want{{gate: "agreement", code: "terms-missing"}}}
}

// asked is a term without which nothing is served.
func asked(field string, wrong map[string]func(*world), more ...want) shown {
	all := map[string]func(*world){"missing": drop(field), "unreadable": says(field, "[")}
	for name, f := range wrong {
		all[name] = f
	}
	return shown{wrong: all, wants: append([]want{{gate: "agreement", code: "terms-missing"}}, more...)}
}

func blocking(field, weak string, more ...want) shown {
	return shown{wrong: map[string]func(*world){"missing": drop(field), "weak": says(field, weak)},
		wants: append([]want{{blocks: true, warns: true}}, more...)}
}

func listed(field, weak string, more ...want) shown {
	return shown{wrong: map[string]func(*world){"missing": drop(field), "weak": says(field, weak)}, wants: append([]want{{warns: true}}, more...)}
}

const days = 24 * time.Hour

func contradicted(right func(*world), wrong map[string]func(*world)) shown {
	return shown{right: right, wrong: wrong, wants: []want{{gate: "permitted_use", code: "contradicted"}}}
}

var managed = func(w *world) { w.purpose(hipaa.ManagementAdmin); w.set("mgmt_admin_use", "true") }
var aloneManaged = func(w *world) {
	managed(w)
	record[*snapshot.Vendor](w, string(gatetest.Vendor)).Subcontractors = nil
}
var sharedModel = func(w *world) {
	w.purpose(hipaa.TrainSharedModel)
	w.set("training_on_phi", `"shared_model_with_aggregation"`)
	w.set("data_aggregation", "true")
}
var vendorsOwn = func(w *world) {
	w.purpose(hipaa.ProductImprovement)
	w.deidentified()
	w.set("deid_right", `{"value": "for_vendor_use", "method": ["safe-harbor"]}`)
	w.set("deid_use_limits", `{"allowed_uses": ["product_improvement"], "recipients": [], "onward_terms": "same"}`)
}

// dua puts a data use agreement that is in force on the engagement.
func dua(w *world) {
	d := *w.contract()
	d.ID, d.Kind, d.Terms = "northwind-dua", snapshot.DataUseAgreement, gatetest.DataUseTerms()
	w.records = append(w.records, &d)
	w.engagement().Agreements = append(slices.Clone(w.engagement().Agreements), d.ID)
}

var limited = func(w *world) {
	dua(w)
	w.engagement().DataClass = hipaa.LimitedDataSet
	record[*snapshot.Role](w, string(gatetest.Role)).Profile = "limited-data-set"
	w.set("lds_only", "true")
}

func spec(change string) string {
	s := `{"fields": ["Patient", "Observation"], "row_filter": "the sepsis cohort", "time_window": "2020-01-01/..", "whole_record_justification": "sepsis needs the record"}`
	if from, to, ok := strings.Cut(change, "=>"); ok {
		s = strings.Replace(s, from, to, 1)
	}
	return s
}

var since2020 = func(w *world) {
	record[*snapshot.Role](w, string(gatetest.Role)).Since = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	w.set("min_necessary_spec", spec(""))
}

func regionsBut(part, region string) func(*world) {
	return func(w *world) {
		m := map[string][]string{"storage": {"US"}, "processing": {"US"}, "remote_access": {"US"}, "support": {"US"}}
		m[part] = []string{region}
		raw, _ := json.Marshal(m)
		w.set("regions", string(raw))
	}
}

// terms shows each of the 66.
var terms = map[string][]shown{
	"BAA-M00": {
		{wrong: map[string]func(*world){"no document": func(w *world) { w.baa().Document = "" }}, wants: []want{{gate: "agreement", code: "no-document"}}},
		{wrong: map[string]func(*world){"unsigned": func(w *world) { w.baa().Signatures = w.baa().Signatures[1:] }}, wants: []want{{gate: "agreement", code: "unsigned-organisation"}}},
		{wrong: map[string]func(*world){"terminated": func(w *world) { w.baa().TerminatedAt = now }}, wants: []want{{gate: "agreement", code: "ended"}}},
	},
	"BAA-M01": {
		{wrong: map[string]func(*world){"none": func(w *world) { w.baa().PermittedUses = nil }}, wants: []want{{gate: "agreement", code: "terms-missing"}}},
		{wrong: map[string]func(*world){"another purpose": func(w *world) {
			w.engagement().Purpose = hipaa.Evaluation
		}, "another class": func(w *world) {
			for _, a := range []*snapshot.Agreement{w.baa(), w.contract()} {
				a.PermittedUses = []snapshot.PermittedUse{{Purpose: hipaa.Inference, DataClasses: []hipaa.DataClass{hipaa.DeIdentified}}}
			}
		}}, wants: []want{{gate: "permitted_use", code: "silent"}}}},
	"BAA-M02": {mandatory("subpart_e_ceiling")},
	"BAA-M03": {mandatory("no_other_use")},
	"BAA-M04": {mandatory("safeguards")},
	"BAA-M05": {mandatory("report_impermissible")},
	"BAA-M06": {mandatory("subcontractor_flowdown_privacy")},
	"BAA-M07": {mandatory("access_support")},
	"BAA-M08": {mandatory("amendment_support")},
	"BAA-M09": {mandatory("accounting_support")},
	"BAA-M10": {mandatory("delegated_obligations"), {right: says("delegated_obligations", "true"),
		wrong: map[string]func(*world){"not applicable, for no reason": says("delegated_obligations", `{"not_applicable": " "}`)},
		wants: []want{{gate: "agreement", code: "terms-missing"}}}},
	"BAA-M11": {mandatory("hhs_books")},
	"BAA-M12": {mandatory("return_destroy")},
	"BAA-M13": {mandatory("termination_for_material_breach")},
	"BAA-M14": {mandatory("security_rule_compliance")},
	"BAA-M15": {mandatory("subcontractor_flowdown_security")},
	"BAA-M16": {mandatory("report_security_incidents")},

	"BAA-O01": {contradicted(aloneManaged, map[string]func(*world){"silent": drop("mgmt_admin_use"), "no": says("mgmt_admin_use", "false"), "unreadable": says("mgmt_admin_use", `"yes"`)})},
	"BAA-O02": {contradicted(both(managed, says("mgmt_admin_disclosure", `{"value": true, "assurance_docs": ["letter of 2026-01-01"]}`)), map[string]func(*world){
		"silent": drop("mgmt_admin_disclosure"), "no": says("mgmt_admin_disclosure", "false"), "no assurances": says("mgmt_admin_disclosure", "true")})},
	"BAA-O03": {contradicted(sharedModel, map[string]func(*world){"silent": drop("data_aggregation"), "no": says("data_aggregation", "false"),
		"not for operations": func(w *world) { w.engagement().Category = hipaa.Treatment },
		"another BAA of the engagement is silent": func(w *world) {
			second := *w.baa()
			second.ID, second.Terms = "northwind-baa-2", map[string]snapshot.Term{}
			for f, t := range w.baa().Terms {
				if f != "data_aggregation" {
					second.Terms[f] = t
				}
			}
			w.records = append(w.records, &second)
			w.engagement().Agreements = append(slices.Clone(w.engagement().Agreements), second.ID)
		}})},
	"BAA-O04": {contradicted(vendorsOwn, map[string]func(*world){"silent": drop("deid_right"), "none": says("deid_right", `"none"`), "for the organisation only": says("deid_right", `"for_covered_entity_only"`),
		"another paper takes it": func(w *world) {
			w.contract().Terms["deid_right"] = snapshot.Term{Value: json.RawMessage(`"none"`)}
		}})},
	"BAA-O05": {contradicted(both(dua, says("lds_creation", "true")), map[string]func(*world){"silent": drop("lds_creation"), "no": says("lds_creation", "false")})},
	"BAA-O06": {{right: limited, wrong: map[string]func(*world){
		"PHI": func(w *world) {
			w.engagement().DataClass = hipaa.PHI
			w.set("lds_creation", "true")
		},
		"not for operations": func(w *world) {
			w.engagement().Category = hipaa.Treatment
		},
		"the data use agreement has ended": func(w *world) {
			record[*snapshot.Agreement](w, "northwind-dua").TerminatedAt = now
		}}, wants: []want{{gate: "agreement", code: "terms-missing"}}}},
	"BAA-O07": {{wrong: map[string]func(*world){"silent": drop("part2_terms"), "no": says("part2_terms", "false")}, wants: []want{{gate: "labels", code: "part2-terms"}}}},

	"BAA-R01": {blocking("data_ownership", `"vendor"`)},
	"BAA-R02": {contradicted(nil, map[string]func(*world){"denied": says("purpose_matrix", `{"inference": "deny"}`), "left out": says("purpose_matrix", `{}`), "unreadable": says("purpose_matrix", `"inference"`),
		"de-identified only": says("purpose_matrix", `{"inference": "allow_deidentified_only"}`)}),
		contradicted(func(w *world) { w.purpose(hipaa.Support) }, map[string]func(*world){"silent, and support is not of the default": drop("purpose_matrix")})},
	"BAA-R03": {contradicted(both(func(w *world) { w.purpose(hipaa.FineTune) }, says("training_on_phi", `"customer_only_model"`)), map[string]func(*world){
		"silent": drop("training_on_phi"), "prohibited": says("training_on_phi", `"prohibited"`), "unreadable": says("training_on_phi", `true`)})},
	"BAA-R04": {blocking("weights_ownership", `"vendor"`)},
	"BAA-R05": {asked("residual_phi_policy", map[string]func(*world){"another word": says("residual_phi_policy", `"none of ours"`)}),
		{wrong: map[string]func(*world){"cleared by a test": says("residual_phi_policy", `"tested_and_cleared"`)}, wants: []want{{warns: true}}}},
	"BAA-R06": {asked("prompt_retention_days", map[string]func(*world){"longer than the organisation allows": says("prompt_retention_days", "1")}),
		{right: func(w *world) {
			w.set("prompt_retention_days", "30")
			w.settings.MaxPromptRetentionDays = 30
		}, wrong: map[string]func(*world){"31 days": says("prompt_retention_days", "31")}, wants: []want{{gate: "agreement", code: "terms-missing"}, {clock: agreement.PromptsGone, due: 30 * days}}}},
	"BAA-R07": {asked("provider_human_review", nil),
		{wrong: map[string]func(*world){"people look, and nobody knows them": says("provider_human_review", "true")}, wants: []want{{gate: "subcontractors", code: "reviewers-unknown"}}}},
	"BAA-R08": {asked("subprocessor_approval", map[string]func(*world){"no days": says("subprocessor_approval", `"notice_and_object"`)}),
		{right: says("subprocessor_approval", `{"value": "notice_and_object", "notice_days": 30}`),
			wrong: map[string]func(*world){"the notice runs": says("subprocessor_approval", `{"value": "notice_and_object", "notice_days": 32}`)},
			wants: []want{{gate: "subcontractors", code: "notice-runs"}, {clock: agreement.SubprocessorNotice, due: -30 * days}}},
		{wrong: map[string]func(*world){"not approved": func(w *world) {
			record[*snapshot.Vendor](w, string(gatetest.Subcontractor)).State = snapshot.Proposed
		}}, wants: []want{{gate: "subcontractors", code: "not-approved"}}}},
	"BAA-R09": {asked("flowdown_evidence", nil),
		{wrong: map[string]func(*world){"not listed": says("flowdown_evidence", `[]`),
			"another paper": says("flowdown_evidence", `[{"subprocessor": "southwind-labels", "contract_hash": "`+strings.Repeat("a", 64)+`"}]`)},
			wants: []want{{gate: "subcontractors", code: "not-listed"}}}},
	"BAA-R10": {
		{wrong: map[string]func(*world){"silent everywhere": func(w *world) { w.baa().Regions, w.contract().Regions = nil, nil }}, wants: []want{{gate: "region", code: "not-agreed"}}},
		{right: regionsBut("support", "CA"), wrong: map[string]func(*world){"storage": regionsBut("storage", "US-TX"), "processing": regionsBut("processing", "US-TX")}, wants: []want{{gate: "region", code: "processing"}}},
		{right: regionsBut("remote_access", "US-MA"), wrong: map[string]func(*world){"viewing from elsewhere": regionsBut("remote_access", "US-TX"), "left out": says("regions", `{"storage": ["US"], "processing": ["US"]}`)}, wants: []want{{gate: "region", code: "person"}, {gate: "region", code: "device"}}},
		{right: both(func(w *world) { w.purpose(hipaa.Support) }, regionsBut("support", "US")), wrong: map[string]func(*world){"support from elsewhere": regionsBut("support", "US-TX")}, wants: []want{{gate: "region", code: "person"}}}},
	"BAA-R11": {asked("dsp_clause", map[string]func(*world){"no": says("dsp_clause", "false")}),
		{right: says("dsp_clause", `{"value": true, "screening_date": "2026-01-31"}`), wrong: map[string]func(*world){"overdue": says("dsp_clause", `{"value": true, "screening_date": "2025-11-23"}`)},
			wants: []want{{warns: true}, {clock: agreement.Rescreening, due: 365 * days}}}},
	"BAA-R12": {contradicted(since2020, map[string]func(*world){
		"a field outside":    says("min_necessary_spec", spec(`"Patient", =>`)),
		"an earlier time":    says("min_necessary_spec", spec(`2020-01-01/..=>2021-01-01/..`)),
		"an end of the time": says("min_necessary_spec", spec(`2020-01-01/..=>2020-01-01/2026-12-31`)),
		"no interval":        says("min_necessary_spec", spec(`2020-01-01/..=>five years`)),
		"the whole record":   says("min_necessary_spec", spec(`sepsis needs the record=>`)),
		"every patient": func(w *world) {
			record[*snapshot.Grant](w, string(gatetest.Grant)).Cohort = snapshot.Cohort{Kind: snapshot.CohortAll}
		},
		"it cannot be read":  says("min_necessary_spec", `"all"`),
		"it names no fields": says("min_necessary_spec", `{"row_filter": "all"}`),
	})},
	"BAA-R13": {asked("no_reidentification", map[string]func(*world){"no": says("no_reidentification", "false")}),
		{right: func(w *world) { w.deidentified() }, wrong: map[string]func(*world){"the services contract does not say it": func(w *world) { w.contract().Terms = nil }}, wants: []want{{gate: "agreement", code: "terms-missing"}}}},
	"BAA-R14": {contradicted(vendorsOwn, map[string]func(*world){"silent": drop("deid_use_limits"), "another use": says("deid_use_limits", `{"allowed_uses": ["train_shared_model"]}`), "unreadable": says("deid_use_limits", `{"allowed_uses": "all"}`)})},
	"BAA-R15": {asked("no_sale", map[string]func(*world){"no": says("no_sale", "false")})},
	"BAA-R16": {blocking("security_schedule", `"as usual"`),
		{right: waived(`{"mfa": true, "encryption_at_rest": false, "tls_min": "1.2", "vuln_scan_days": 180, "pentest_months": 12}`),
			wrong: map[string]func(*world){"waived by the configuration": waived(`{"mfa": true, "encryption_at_rest": true, "tls_min": "1.2", "vuln_scan_days": 180, "pentest_months": 12}`)},
			wants: []want{{gate: "posture", code: "disk-encryption"}}},
		{right: says("security_schedule", `{"mfa": true, "encryption_at_rest": true, "tls_min": "1.2", "vuln_scan_days": 90, "pentest_months": 12, "patch_days": 14}`),
			wrong: map[string]func(*world){"a scan overdue": func(w *world) { record[*snapshot.Certification](w, "scan").AsOf = now.AddDate(0, 0, -90) },
				"a test overdue": func(w *world) {
					record[*snapshot.Certification](w, "pentest").PeriodEnd = now.AddDate(-2, 0, 0)
					w.baa().EffectiveAt = now.AddDate(-2, 0, 0)
				},
				"no second factor": says("security_schedule", `{"encryption_at_rest": true, "tls_min": "1.2", "vuln_scan_days": 90, "pentest_months": 12}`)},
			wants: []want{{warns: true}, {clock: agreement.VulnerabilityScan, due: 90 * days}, {clock: agreement.PenetrationTest, due: 365 * days}, {clock: agreement.PatchDue, due: 14 * days}}}},
	"BAA-R17": {asked("named_users", map[string]func(*world){"no": says("named_users", "false")}),
		{right: func(w *world) { record[*snapshot.App](w, string(gatetest.App)).Kind = snapshot.Human },
			wrong: map[string]func(*world){"two people behind one key": func(w *world) {
				second := *record[*snapshot.Grant](w, string(gatetest.Grant))
				second.ID, second.Person = "second", "quinn"
				w.records = append(w.records, &second)
			}}, wants: []want{{gate: "person", code: "shared-account"}}}},
	"BAA-R18": {asked("training_requirement", nil),
		{right: says("training_requirement", `{"before_access": true, "refresh_months": 2}`), wrong: map[string]func(*world){"one month": says("training_requirement", `{"before_access": true, "refresh_months": 1}`)},
			wants: []want{{gate: "training", code: "expired"}, {clock: agreement.TrainingRefresh, due: 61 * days}}},
		{wrong: map[string]func(*world){"another course": says("training_requirement", `{"course": "theirs", "before_access": true, "refresh_months": 12}`)}, wants: []want{{gate: "training", code: "contract-course"}}}},
	"BAA-R19": {listed("offboard_notice_hours", "72", want{clock: agreement.LeaverNotice, due: 24 * time.Hour})},
	"BAA-R20": {blocking("breach_notice_hours", "1441", want{clock: agreement.BreachNotice, due: 24 * time.Hour}),
		{wrong: map[string]func(*world){"nothing": says("breach_notice_hours", "0")}, wants: []want{{blocks: true}}}},
	"BAA-R21": {listed("incident_report", `{"successful_hours": 72, "unsuccessful_summary_days": 90}`, want{clock: agreement.IncidentNotice, due: 24 * time.Hour}, want{clock: agreement.AttemptSummary, due: 90 * days})},
	"BAA-R22": {listed("contingency_notice_hours", "48", want{clock: agreement.ContingencyNotice, due: 24 * time.Hour})},
	"BAA-R23": {blocking("breach_assessment_owner", `"nobody"`)},
	"BAA-R24": {listed("breach_costs", `"none"`)},
	"BAA-R25": {listed("agency_status", `"agent"`)},
	"BAA-R26": {blocking("audit_rights", `"on request"`, want{clock: agreement.EvidenceDue, due: 10 * days})},
	"BAA-R27": {listed("annual_verification", `{"months": 24}`, want{clock: agreement.VerificationDue, due: 365 * days}),
		{wrong: map[string]func(*world){"it lapsed": func(w *world) {
			record[*snapshot.Certification](w, "verification").AsOf = now.AddDate(-1, 0, -1)
			w.baa().EffectiveAt = now.AddDate(-1, 0, 0)
		}}, wants: []want{{warns: true}}}},
	"BAA-R28": {listed("change_notice_days", "10", want{clock: agreement.ChangeNotice, due: -30 * days})},
	"BAA-R29": {blocking("precedence", `"whatever is later"`)},
	"BAA-R30": {listed("insurance", `{"ai_exclusion": true}`),
		{wrong: map[string]func(*world){"the certificate expired": func(w *world) { record[*snapshot.Certification](w, "insurance").ExpiresAt = now },
			"AI is excluded": func(w *world) { yes := true; record[*snapshot.Certification](w, "insurance").AIExclusion = &yes },
			"unverified":     func(w *world) { record[*snapshot.Certification](w, "insurance").VerifiedBy = "" }}, wants: []want{{warns: true}}}},
	"BAA-R31": {listed("liability", `{"cap": "none"}`)},
	"BAA-R32": {blocking("suspension", `{"immediate": false, "grounds": []}`)},
	"BAA-R33": {blocking("exit", `{"return_days": 30}`, want{clock: agreement.ReturnDue, due: 30 * days}, want{clock: agreement.DestructionDue, due: 30 * days}, want{clock: agreement.BackupExpiry, due: 90 * days})},
	"BAA-R34": {blocking("destruction_certificate", `"on request"`)},
	"BAA-R35": {listed("vendor_record_retention_years", "5", want{clock: agreement.RecordsKept, due: (6*365 + 2) * days})},
	"BAA-R36": {listed("survival", `["confidentiality"]`)},
	"BAA-R37": {listed("legal_process", `{"notify_hours": 72}`, want{clock: agreement.LegalProcessNotice, due: 24 * time.Hour})},
	"BAA-R38": {listed("model_card", `"on request"`)},
	"BAA-R39": {listed("bias_cooperation", "false")},
	"BAA-R40": {listed("ssdf", `{"sbom": true}`), {wrong: map[string]func(*world){"promised, and not demanded of the program": says("ssdf", `{"sbom": true, "model_provenance": true, "weights_hash": true, "red_team": true}`)}, wants: []want{{warns: true}}}},
	"BAA-R41": {listed("output_ip", `"licensed"`)},
	"BAA-R42": {contradicted(func(w *world) { w.purpose(hipaa.Annotation) }, map[string]func(*world){"missing": drop("workspace_rules"), "personal AI tools": says("workspace_rules", `{"personal_ai_tools": true}`), "unreadable": says("workspace_rules", `{"copy": "sometimes"}`)}),
		{wrong: map[string]func(*world){"screenshots": says("workspace_rules", `{"screenshot": true}`)}, wants: []want{{warns: true}}}},
}

func waived(schedule string) func(*world) {
	return func(w *world) {
		w.set("security_schedule", schedule)
		w.settings.Posture.Waived = []string{"disk_encryption"}
		record[*snapshot.Posture](w, string(gatetest.Device)).DiskEncryption = snapshot.CheckFail
	}
}

func TestEachTermDoesWhatTheTableSays(t *testing.T) {
	e, err := policy.New(gate.All, nil)
	if err != nil {
		t.Fatal(err)
	}
	byID := map[string]hipaa.Term{}
	for _, term := range hipaa.Terms() {
		byID[term.ID] = term
	}
	for i, row := range agreement.Table {
		if term := hipaa.Terms()[i]; term.ID != row.ID || term.Field != row.Field {
			t.Fatalf("row %d is %s %s, and the catalogue has %s %s", i, row.ID, row.Field, term.ID, term.Field)
		}
		if len(terms[row.ID]) == 0 {
			t.Errorf("%s %s: no case shows what it does", row.ID, row.Field)
		}
		proved := map[agreement.Does]bool{}
		for n, c := range terms[row.ID] {
			right := newWorld()
			if c.right != nil {
				c.right(right)
			}
			// Where the term is right the data flows, nothing is blocked, and the report is
			// silent about it unless the case says that it is weak.
			if f := decide(e, right); f != nil {
				t.Errorf("%s case %d: refused though it is right: %v", row.ID, n, f)
			}
			if got := blocked(right, row.ID); len(got) > 0 {
				t.Errorf("%s case %d: blocked though it is right: %v", row.ID, n, got)
			}
			warnsOfRight := warned(right, row.ID)
			for _, w := range c.wants {
				if w.clock != "" {
					proved[agreement.Timer] = true
					checkClock(t, row.ID, right, w)
				}
				if w.warns && len(warnsOfRight) > 0 {
					t.Errorf("%s case %d: listed though it is right: %v", row.ID, n, warnsOfRight)
				}
			}
			for name, change := range c.wrong {
				t.Run(row.ID+"/"+name, func(t *testing.T) {
					wrong := newWorld()
					if c.right != nil {
						c.right(wrong)
					}
					change(wrong)
					failures := decide(e, wrong)
					for _, w := range c.wants {
						switch {
						case w.gate != "":
							proved[agreement.Gate] = true
							refusedBy(t, failures, w, row.ID)
						case w.clock == "" && !w.blocks && failures != nil:
							t.Errorf("it only warns, and data stops: %v", failures)
						}
						if w.blocks {
							proved[agreement.Gate] = true
							if got := blocked(wrong, row.ID); len(got) != 4 {
								t.Errorf("blocked: %v, want the approvals of vendor, engagement and grant, and the review", got)
							}
							if failures != nil {
								t.Errorf("running access stops: %v", failures)
							}
						}
						if w.warns {
							proved[agreement.Listed] = true
							if len(warned(wrong, row.ID)) == 0 {
								t.Error("the report does not list it")
							}
						}
					}
				})
			}
		}
		for _, d := range row.Does {
			if !proved[d] && row.ID != "BAA-R25" { // its clocks are the law's: see TestAnAgentsDiscoveryIsTheOrganisations
				t.Errorf("%s %s is said to act as %s, and no case shows it", row.ID, row.Field, d)
			}
		}
		if byID[row.ID].OnFail == string(agreement.BlockOnboarding) && !proved[agreement.Gate] {
			t.Errorf("%s blocks onboarding by the catalogue, and no case shows it", row.ID)
		}
	}
	if len(agreement.Table) != 66 || len(terms) != 66 {
		t.Errorf("%d rows and cases for %d terms, want 66", len(agreement.Table), len(terms))
	}
}

func decide(e *policy.Engine, w *world) []policy.Failure {
	v := w.view()
	r := gatetest.Request(v, now)
	p, refusal := e.Decide(r)
	if refusal == nil {
		_, refusal = p.Admit(v, now, r.Usage, w.content)
	}
	if refusal == nil {
		return nil
	}
	return refusal.Failures
}

func refusedBy(t *testing.T, failures []policy.Failure, w want, term string) {
	t.Helper()
	for _, f := range failures {
		if f.Gate == w.gate && f.Code == w.code {
			names := strings.HasPrefix(strings.Join(f.Detail, " "), "BAA-")
			if names && !slices.Contains(f.Detail, term) {
				t.Errorf("%s refuses for %s, and names %v", f.Gate, f.Code, f.Detail)
			}
			if (w.code == "terms-missing" || w.code == "contradicted") && !names {
				t.Errorf("%s does not name the term", f.Gate)
			}
			return
		}
	}
	t.Errorf("not refused by %s for %q: %v", w.gate, w.code, failures)
}

// blocked lists the acts that the term keeps from being done.
func blocked(w *world, term string) (out []string) {
	v := gatetest.Publish(now, w.settings, proposed(w)...)
	for name, a := range map[string]registry.Act{
		"vendor":     registry.ApproveVendor{ID: gatetest.Vendor},
		"engagement": registry.ApproveEngagement{ID: gatetest.Engagement},
		"grant":      registry.ApproveGrant{ID: gatetest.Grant},
		"review":     registry.CompleteReview{ID: gatetest.Review, Outcome: snapshot.Keep},
	} {
		var p *problem.Problem
		if err := registry.Check(v, registry.Actor{Person: gatetest.Approver}, a, now); errors.As(err, &p) && strings.Contains(p.Error(), term) {
			out = append(out, name)
		}
	}
	// To end access is never blocked.
	if err := registry.Check(v, registry.Actor{Person: gatetest.Approver}, registry.CompleteReview{ID: gatetest.Review, Outcome: snapshot.Revoke}, now); err != nil {
		out = append(out, "revoking: "+err.Error())
	}
	slices.Sort(out)
	return out
}

// proposed is the world with vendor, engagement and grant not approved yet.
func proposed(w *world) (out []snapshot.Record) {
	for _, r := range w.records {
		switch r := r.(type) {
		case *snapshot.Vendor:
			c := *r
			if r.ID == gatetest.Vendor {
				c.State = snapshot.Proposed
			}
			out = append(out, &c)
		case *snapshot.Engagement:
			c := *r
			c.State = snapshot.Proposed
			out = append(out, &c)
		case *snapshot.Grant:
			c := *r
			c.State = snapshot.Proposed
			out = append(out, &c)
		default:
			out = append(out, r)
		}
	}
	return out
}

func warned(w *world, term string) (out []string) {
	v := w.view()
	for _, x := range agreement.Report(v, now, func(c *snapshot.Certification) bool { return diligence.Judge(c, v, now).Counts }) {
		if x.Term == term && x.Agreement == gatetest.BAA {
			out = append(out, x.Says)
		}
	}
	return out
}

func checkClock(t *testing.T, term string, w *world, x want) {
	t.Helper()
	c, ok := agreement.ClockOf(w.baa(), x.clock)
	if !ok || c.Term != term || c.Agreement != gatetest.BAA || c.Clause == "" || c.Citation.Text == "" || c.Trigger == "" {
		t.Errorf("%s: no clock %s: %+v", term, x.clock, c)
		return
	}
	from := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	if got, want := c.Due(from), from.Add(x.due); !got.Equal(want) {
		t.Errorf("%s: %s is due %v, want %v", term, x.clock, got, want)
	}
	silent := *w.baa()
	silent.Terms = maps.Clone(silent.Terms)
	delete(silent.Terms, c.Field)
	if _, ok := agreement.ClockOf(&silent, x.clock); ok {
		t.Errorf("%s: %s runs though the paper is silent", term, x.clock)
	}
}

// The label that a paper gives to the vendor starts the law's clocks: BAA-R25.
func TestAnAgentsDiscoveryIsTheOrganisations(t *testing.T) {
	says := func(label string, answer snapshot.Answer) error {
		w := newWorld()
		w.set("agency_status", label)
		w.records = append(w.records, &snapshot.Incident{ID: "i", Title: "Notebook", Vendor: gatetest.Vendor, DiscoveredBy: snapshot.VendorParty,
			DiscoveredAt: now.AddDate(0, 0, -3), ReportedAt: now.AddDate(0, 0, -1), OpenedBy: gatetest.Requester, OpenedAt: now.AddDate(0, 0, -1)})
		return registry.Check(w.view(), registry.Actor{Person: gatetest.Approver},
			registry.AmendIncidentFacts{ID: "i", Title: "Notebook", Vendor: gatetest.Vendor, Agent: answer, AgentWhy: "because"}, now)
	}
	var p *problem.Problem
	if err := says(`"agent"`, snapshot.No); !errors.As(err, &p) || p.Field != "agent" || !strings.Contains(p.Error(), "BAA-R25") {
		t.Errorf("an agent by its paper was called none: %v", err)
	}
	if err := says(`"agent"`, snapshot.Yes); err != nil {
		t.Errorf("an agent was not let be one: %v", err)
	}
	if err := says(`"independent_contractor"`, snapshot.No); err != nil {
		t.Errorf("a contractor was not let be one: %v", err)
	}
}

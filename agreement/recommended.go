package agreement

import (
	"encoding/json"

	"github.com/sallyport/sallyport/snapshot"
)

// Recommended is the product's own drafting of every term that a BAA should have: the
// 17 that must be there as far as they are terms, and the 42 recommended ones with their
// default. A paper with these terms has no deficiency. The clauses are locators in the
// product's own wording.
//
// The values bind nobody until both have signed a paper that says the same.
func Recommended() map[string]snapshot.Term {
	out := map[string]snapshot.Term{}
	for _, r := range Table {
		value, own := recommended[r.Field]
		switch {
		case own:
		case catalogue()[r.ID].Mandatory && r.Field != "instrument" && r.Field != "permitted_uses":
			value = `true`
		default:
			continue // optional terms: silence is the recommendation
		}
		out[r.Field] = snapshot.Term{Value: json.RawMessage(value), Clause: "§ " + r.ID}
	}
	return out
}

var recommended = map[string]string{
	"data_ownership":                `"covered_entity"`,
	"purpose_matrix":                `{"inference": "allow", "evaluation": "allow", "annotation": "allow", "fine_tune_for_customer": "deny", "train_shared_model": "deny", "product_improvement": "deny", "support": "deny", "debug": "deny"}`,
	"training_on_phi":               `"prohibited"`,
	"weights_ownership":             `"covered_entity"`,
	"residual_phi_policy":           `"treat_as_phi"`,
	"prompt_retention_days":         `0`,
	"provider_human_review":         `false`,
	"subprocessor_approval":         `"prior_written"`,
	"flowdown_evidence":             `[]`,
	"regions":                       `{"storage": ["US"], "processing": ["US"], "remote_access": ["US"], "support": ["US"]}`,
	"dsp_clause":                    `true`,
	"no_reidentification":           `true`,
	"no_sale":                       `true`,
	"security_schedule":             `{"mfa": true, "encryption_at_rest": true, "tls_min": "1.2", "vuln_scan_days": 180, "pentest_months": 12}`,
	"named_users":                   `true`,
	"training_requirement":          `{"before_access": true, "refresh_months": 12}`,
	"offboard_notice_hours":         `24`,
	"breach_notice_hours":           `24`,
	"incident_report":               `{"successful_hours": 24, "unsuccessful_summary_days": 90}`,
	"contingency_notice_hours":      `24`,
	"breach_assessment_owner":       `"covered_entity"`,
	"breach_costs":                  `"by_fault"`,
	"agency_status":                 `"independent_contractor"`,
	"audit_rights":                  `{"reports": ["SOC2_T2", "PENTEST"], "on_site": true, "frequency": "each year", "log_export": true, "evidence_sla_days": 10}`,
	"annual_verification":           `{"months": 12, "content": ["sme_analysis", "officer_certification"]}`,
	"change_notice_days":            `30`,
	"precedence":                    `"baa_first"`,
	"insurance":                     `{"ai_exclusion": false}`,
	"liability":                     `{"cap": "fees of two years", "carve_outs": ["breach", "impermissible use", "re-identification", "training in breach"]}`,
	"suspension":                    `{"immediate": true, "grounds": ["any failed gate"]}`,
	"exit":                          `{"return_days": 30, "destroy_days": 30, "formats": ["FHIR NDJSON"], "infeasibility_process": "in writing, with reasons", "backup_expiry_days": 90}`,
	"destruction_certificate":       `{}`,
	"vendor_record_retention_years": `6`,
	"survival":                      `["no_reidentification", "return_destroy", "accounting_support", "hhs_books", "confidentiality"]`,
	"legal_process":                 `{"notify_hours": 24, "contest": true}`,
	"model_card":                    `{"hti1_attributes": [], "eval_results": "with each version", "known_limits": "in writing"}`,
	"bias_cooperation":              `true`,
	"ssdf":                          `{"sbom": true, "model_provenance": true, "weights_hash": true, "red_team": true}`,
	"output_ip":                     `"covered_entity"`,
	"workspace_rules":               `{"copy": false, "download": false, "print": false, "screenshot": false, "local_notebook": false, "personal_ai_tools": false}`,
}

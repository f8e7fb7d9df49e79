package agreement

import (
	"slices"
	"strings"

	"github.com/sallyport/sallyport/hipaa"
)

// Kind is how a value of a term, or a part of it, is written. The zero Kind is none.
type Kind uint8

// The kinds.
const (
	_      Kind = iota
	YesNo       // true, false
	Number      // a whole number, 0 or more
	Word        // one of Words
	Text        // a few words
	Texts       // a list of texts; of Words, where there are some
	Owed        // an object of which it counts only that it is there: {}
)

// Shape is how the value of a term is written, for those who ask people for it: the plain
// value, the parts that stand beside it or are it, or entries of such parts.
type Shape struct {
	Plain   Kind // none: the parts are the value
	Words   []string
	Parts   []Part
	Entries bool // a list of entries, each with the parts
}

// Part is one member of a term's object.
type Part struct {
	Name  string // as the object has it
	Kind  Kind
	Words []string
	Label string // what people call it
	Help  string
}

// HasParts reports whether the value can be more than one plain value.
func (s Shape) HasParts() bool { return len(s.Parts) > 0 }

// ShapeOf is how a term is written. Not ok: there is none, or it stands in the agreement
// itself (instrument, permitted_uses).
func ShapeOf(field string) (Shape, bool) {
	t, ok := hipaa.TermByField(field)
	if !ok && slices.Contains(hipaa.DataUseAgreementFields(), field) { // its own, which have no other type
		if field == "permitted_users_recipients" {
			return Shape{Plain: Texts}, true
		}
		return Shape{Plain: YesNo}, true
	}
	if !ok || field == "instrument" || field == "permitted_uses" {
		return Shape{}, false
	}
	s := shapes[field]
	plain, _, _ := strings.Cut(t.Type, "+")
	switch {
	case s.Plain != 0: // it is written otherwise than the catalogue's type has it
	case plain == "bool":
		s.Plain = YesNo
	case strings.HasPrefix(plain, "int"):
		s.Plain = Number
	case strings.HasPrefix(plain, "enum["):
		s.Plain, s.Words = Word, strings.Split(strings.TrimSuffix(strings.TrimPrefix(plain, "enum["), "]"), ",")
	}
	return s, s.Plain != 0 || len(s.Parts) > 0
}

// allowed are what a purpose matrix says of a purpose.
var allowed = []string{"allow", "allow_deidentified_only", "deny"}

func numbered(name, label string) Part { return Part{Name: name, Kind: Number, Label: label} }

func asked(name, label string) Part { return Part{Name: name, Kind: YesNo, Label: label} }

func told(name, label, help string) Part {
	return Part{Name: name, Kind: Text, Label: label, Help: help}
}

func many(name, label, help string, words ...string) Part {
	return Part{Name: name, Kind: Texts, Label: label, Help: help, Words: words}
}

func purpose(name, label string) Part {
	return Part{Name: name, Kind: Word, Words: allowed, Label: label}
}

// shapes are the parts of those terms that have some, by field.
var shapes = map[string]Shape{
	"delegated_obligations": {Parts: []Part{told("not_applicable", "Or why it does not apply", "Where the vendor carries out no duty of the organisation. Then leave the answer above out.")}},
	"mgmt_admin_disclosure": {Parts: []Part{many("assurance_docs", "Assurances on file", "Such as a letter, by its day.")}},
	"deid_right":            {Parts: []Part{many("method", "By which methods", "", "safe-harbor", "expert-determination")}},
	"purpose_matrix": {Parts: []Part{
		purpose("inference", "Inference"), purpose("evaluation", "Evaluation"), purpose("annotation", "Annotation"), purpose("fine_tune_for_customer", "Fine-tuning, for us alone"),
		purpose("train_shared_model", "Training a shared model"), purpose("product_improvement", "Product improvement"), purpose("support", "Support"), purpose("debug", "Debugging")}},
	"subprocessor_approval": {Parts: []Part{numbered("notice_days", "Days of notice, where they may object")}},
	"flowdown_evidence": {Entries: true, Parts: []Part{told("subprocessor", "Subcontractor", "Its short name here."), told("contract_hash", "Digest of its agreement", "The SHA-256 of the stored agreement."),
		told("terms_check", "How its terms were checked", "In a few words.")}},
	"regions":    {Parts: []Part{many("storage", "Stored in", "US, or US-MA."), many("processing", "Processed in", ""), many("remote_access", "Looked at from", ""), many("support", "Supported from", "")}},
	"dsp_clause": {Parts: []Part{told("screening_date", "Screened on", "A day such as 2027-01-31.")}},
	"min_necessary_spec": {Parts: []Part{many("fields", "Fields", "Types or elements, such as Patient or Observation.value."), told("row_filter", "Which patients", "In a few words, or all."),
		told("time_window", "From when until when", "Such as 2027-01-01/2027-12-31."), told("whole_record_justification", "Why the whole record, if it is", "In a sentence. Empty: the whole record is not given.")}},
	"deid_use_limits": {Parts: []Part{many("allowed_uses", "Allowed uses", "Purposes, such as product_improvement."), many("recipients", "Recipients", ""), told("onward_terms", "Terms for those it is passed on to", "Such as the same."),
		told("expert_conditions", "Conditions of the expert", "Where one determined that it is de-identified.")}},
	"no_sale": {Parts: []Part{told("consideration_schedule", "Schedule of what is paid", "Where the paper lists it, such as schedule B.")}},
	"security_schedule": {Parts: []Part{asked("mfa", "More than a password to sign in"), asked("phishing_resistant", "That resists phishing"), asked("encryption_at_rest", "Encrypted where it is stored"),
		told("tls_min", "Least version of TLS", "1.2 or 1.3."), asked("fips_required", "By validated modules (FIPS 140)"), asked("device_posture", "Machines are checked"), asked("segmentation", "Networks are kept apart"),
		asked("logging", "Access is logged"), numbered("vuln_scan_days", "Days from scan to scan"), numbered("pentest_months", "Months from penetration test to penetration test"), numbered("patch_days", "Days to mend a weakness")}},
	"training_requirement": {Parts: []Part{told("course", "Course", "By its short name; left out: yours."), asked("before_access", "Before access"), numbered("refresh_months", "Months for which it counts"),
		many("state_profiles", "States with rules of their own", "Such as US-TX.")}},
	"incident_report":     {Parts: []Part{numbered("successful_hours", "Hours to report what succeeded"), numbered("unsuccessful_summary_days", "Days from summary to summary of what did not")}},
	"audit_rights":        {Parts: []Part{many("reports", "Reports you get", "Types, such as SOC2_T2 or PENTEST."), asked("on_site", "You may come"), told("frequency", "How often", "Such as each year."), asked("log_export", "You get logs"), numbered("evidence_sla_days", "Days to answer for evidence")}},
	"annual_verification": {Parts: []Part{numbered("months", "Months from one to the next"), many("content", "What it holds", "", "sme_analysis", "officer_certification")}},
	"insurance":           {Parts: []Part{told("cyber_limit", "Limit for cyber claims", "Such as 10 M USD."), told("eo_limit", "Limit for errors and omissions", "Such as 5 M USD."), asked("ai_exclusion", "Claims about AI are excluded"), told("expires", "Runs until", "A day such as 2027-12-31.")}},
	"liability":           {Parts: []Part{told("cap", "Cap", "Such as fees of two years."), many("carve_outs", "What the cap does not cover", "")}},
	"suspension":          {Parts: []Part{asked("immediate", "At once"), many("grounds", "For what", "")}},
	"exit": {Parts: []Part{numbered("return_days", "Days to return"), numbered("destroy_days", "Days to destroy"), many("formats", "In which formats", "Such as FHIR NDJSON."),
		told("infeasibility_process", "What if it cannot be destroyed", "In a few words."), numbered("backup_expiry_days", "Days until backups expire")}},
	"destruction_certificate": {Plain: Owed},
	"survival":                {Plain: Texts, Words: survives},
	"legal_process":           {Parts: []Part{numbered("notify_hours", "Hours to tell us"), asked("contest", "The vendor contests it")}},
	"model_card":              {Parts: []Part{many("hti1_attributes", "Attributes of 45 CFR 170.315(b)(11)", ""), told("eval_results", "Results of evaluation", "Where or how they are told."), told("known_limits", "Known limits", "Where or how they are told.")}},
	"bias_cooperation":        {Parts: []Part{many("metrics", "By which measures", "")}},
	"ssdf":                    {Parts: []Part{asked("sbom", "A bill of materials (SBOM)"), asked("model_provenance", "Where models come from, signed"), asked("weights_hash", "A digest of the weights"), asked("red_team", "Attacked by testers")}},
	"workspace_rules": {Parts: []Part{asked("copy", "Copying is let in"), asked("download", "Downloads are let in"), asked("print", "Printing is let in"), asked("screenshot", "Screenshots are let in"),
		asked("local_notebook", "Local notebooks are let in"), asked("personal_ai_tools", "Personal AI tools are let in")}},
}

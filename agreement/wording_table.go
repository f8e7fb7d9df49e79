package agreement

import (
	"fmt"
	"slices"
	"strings"
)

// The product's own wording. {A} gives the data and {B} receives it: the organisation
// and the vendor, or in a subcontractor's BAA the vendor and its subcontractor. {D} is
// the data. A lawyer reads it before anybody signs; nothing here is legal advice.

// part is a section of the paper, in its order. The numbers never change, so that
// "§ 4.2" of one draft can be compared with that of another.
type part int

const (
	partUses        part = iota + 2 // 1 is the parties
	partPromises                    // what 45 CFR 164.504(e), 164.314(a) or 164.514(e)(4) demands
	partPermissions                 // what HIPAA lets a paper add
	partWork                        // how the work is done
	partNotices                     // what is told to whom, and by when
	partEnd                         // beginning, end and what comes after
)

var partTitles = map[part]string{
	partUses: "What {B} may do with {D}", partPromises: "What {B} promises", partPermissions: "Further permissions",
	partWork: "How the work is done", partNotices: "Notices, evidence and money", partEnd: "Beginning, end, and what comes after",
}

// wording is how one term reads.
type wording struct {
	part part
	yes  string            // of true
	no   string            // of false; empty: a term that says no is no clause
	of   map[string]string // of an enum's words
	one  string            // of a number, with %d
	says func(value) string
}

// wordings are by field; a mandatory one is drawn whenever its term is true.
var wordings = map[string]wording{
	"subpart_e_ceiling":               {part: partPromises, yes: "Nothing in this paper lets {B} use or disclose {D} in a way that would break 45 CFR part 164, subpart E, if {A} did it, except for {B}'s own management where section 4 allows it and for data aggregation where section 4 allows it."},
	"no_other_use":                    {part: partPromises, yes: "{B} uses and discloses {D} only as this paper permits or requires, or as the law requires. What this paper does not mention is not permitted."},
	"safeguards":                      {part: partPromises, yes: "{B} keeps {D} safe with fitting administrative, physical and technical safeguards, and follows 45 CFR part 164, subpart C, for {D} in electronic form, so that it is used and disclosed only as this paper provides."},
	"report_impermissible":            {part: partPromises, yes: "{B} reports to {A} every use or disclosure of {D} that this paper does not provide for and of which it becomes aware, including every breach of unsecured data as 45 CFR 164.410 requires."},
	"subcontractor_flowdown_privacy":  {part: partPromises, yes: "Before anyone else creates, receives, keeps or sends {D} for {B}, {B} has them agree in writing to the same restrictions, conditions and duties that bind {B}."},
	"access_support":                  {part: partPromises, yes: "Where {B} holds {D} in a designated record set, it makes it available so that {A} can answer an individual's request for access under 45 CFR 164.524."},
	"amendment_support":               {part: partPromises, yes: "Where {B} holds {D} in a designated record set, it makes it available for amendment and takes amendments in, as 45 CFR 164.526 requires."},
	"accounting_support":              {part: partPromises, yes: "{B} records its disclosures of {D} and gives {A} what is needed for an accounting under 45 CFR 164.528."},
	"delegated_obligations":           {part: partPromises, yes: "Where {B} carries out a duty that 45 CFR part 164, subpart E, puts on {A}, it does so as the rule demands of {A}.", says: sayDelegated},
	"hhs_books":                       {part: partPromises, yes: "{B} opens its internal practices, books and records on {D} to the Secretary of Health and Human Services, who may determine whether {A} complies."},
	"security_rule_compliance":        {part: partPromises, yes: "{B} complies with the requirements of 45 CFR part 164, subpart C, that apply to it."},
	"subcontractor_flowdown_security": {part: partPromises, yes: "{B} has every subcontractor that handles {D} in electronic form agree, in a contract that meets 45 CFR 164.314(a), to comply with subpart C."},
	"report_security_incidents":       {part: partPromises, yes: "{B} reports to {A} every security incident of which it becomes aware, including breaches of unsecured data as 45 CFR 164.410 requires. This sentence is standing notice of attempts that do not succeed, such as scans and failed sign-ins; the summaries of section 6 cover them."},

	// A data use agreement's own.
	"permitted_users_recipients":   {part: partPromises, says: func(v value) string { return "Only these may use or receive {D}: " + listed(v.list()) + "." }},
	"report":                       {part: partPromises, yes: "{B} reports to {A} every use or disclosure of {D} that this paper does not provide for and of which it becomes aware."},
	"agents_bound":                 {part: partPromises, yes: "{B} has its agents to whom it gives {D} agree to the same restrictions and conditions."},
	"no_identification_no_contact": {part: partPromises, yes: "{B} does not identify the individuals that {D} is about, and does not contact them."},

	"mgmt_admin_use":        {part: partPermissions, yes: "{B} may use {D} where its own proper management and administration, or its legal responsibilities, need it.", no: "{B} may not use {D} for its own management and administration."},
	"mgmt_admin_disclosure": {part: partPermissions, yes: "For the same ends {B} may disclose {D} if the law requires it, or if the recipient gives reasonable assurance that it stays confidential, is used or disclosed further only for that end or as the law requires, and that the recipient tells {B} of any breach of confidentiality.", no: "{B} may not disclose {D} for its own management and administration."},
	"data_aggregation":      {part: partPermissions, yes: "{B} may combine {D} with that of other customers for analyses of the health care operations of {A} and those customers, where each of them permits it too.", no: "{B} may not combine {D} with data of other customers."},
	"deid_right": {part: partPermissions, of: map[string]string{
		"none":                    "{B} may not de-identify {D}: de-identifying is itself a use.",
		"for_covered_entity_only": "{B} may de-identify {D} as 45 CFR 164.514(a) to (c) provides, for {A} alone. The result belongs to {A}.",
		"for_vendor_use":          "{B} may de-identify {D} as 45 CFR 164.514(a) to (c) provides, and may use the result within the limits of section 5."}},
	"lds_creation": {part: partPermissions, yes: "{B} may make a limited data set of {D} as 45 CFR 164.514(e) provides.", no: "{B} may not make a limited data set of {D}."},
	"lds_only":     {part: partPermissions, yes: "{B} receives a limited data set only, for health care operations, under a data use agreement that meets 45 CFR 164.514(e)(4).", no: "This paper is not limited to a limited data set."},
	"part2_terms":  {part: partPermissions, yes: "For records under 42 CFR part 2, {B} acknowledges that it is bound by that part, resists efforts to obtain them in judicial proceedings except as that part permits, and does not use them in proceedings against the patient.", no: "{B} receives no records under 42 CFR part 2."},

	"data_ownership": {part: partWork, of: map[string]string{"covered_entity": "Between the parties, {D} and everything that contains it or is derived from it, such as annotations, embeddings, prompts and outputs, belongs to the organisation whose patients it is about."}},
	"purpose_matrix": {part: partWork, says: func(v value) string {
		return "Purpose by purpose: " + pairs(v.object()) + ". A purpose that is not named is denied."
	}},
	"training_on_phi": {part: partWork, of: map[string]string{
		"prohibited":                    "{B} trains, fine-tunes and distils no model with {D}, and keeps none of it in training sets.",
		"customer_only_model":           "{B} may train with {D} a model that serves {A} alone.",
		"shared_model_with_aggregation": "{B} may train with {D} a model that serves other customers too, if data aggregation is permitted in section 4 and by every other contributor."}},
	"weights_ownership": {part: partWork, of: map[string]string{
		"covered_entity":        "Weights, adapters, embeddings, prompts and evaluation sets made from {D} belong to {A}.",
		"vendor_no_phi_residue": "Weights, adapters and embeddings made from {D} belong to {B}, who shows that no {D} can be drawn from them.",
		"escrow":                "Weights, adapters and embeddings made from {D} are held by a third party for both."}},
	"residual_phi_policy": {part: partWork, of: map[string]string{
		"treat_as_phi":       "A model, adapter or index trained on {D} is treated as {D} itself.",
		"tested_and_cleared": "A model, adapter or index trained on {D} is treated as {D} until a documented test for extraction and the decision of {A}'s privacy official clear it.",
		"destroy":            "A model, adapter or index trained on {D} is destroyed at the end."}},
	"prompt_retention_days": {part: partWork, one: "Prompts, outputs and telemetry that hold {D} are kept by {B} and its providers for at most %d days; 0 means not at all."},
	"provider_human_review": {part: partWork, yes: "People at {B}'s model provider may look at prompts and outputs, if {A} has approved them and they are trained.", no: "No people at {B}'s model provider look at prompts or outputs."},
	"subprocessor_approval": {part: partWork, of: map[string]string{
		"prior_written":     "A subcontractor sees {D} only after {A} has approved it in writing.",
		"notice_and_object": "{B} tells {A} before a new subcontractor sees {D}, and {A} may object."}},
	"flowdown_evidence": {part: partWork, says: func(v value) string {
		return "{B} shows the signed agreement with each subcontractor: " + listed(v.list()) + "."
	}},
	"regions": {part: partWork, says: func(v value) string {
		return "{D} is stored, processed and looked at only here: " + pairs(v.object()) + ". Looking at it from elsewhere is access."
	}},
	"dsp_clause":          {part: partWork, yes: "{B} certifies that no country of concern and no covered person under 28 CFR part 202 has access to {D} or to bulk data derived from it, de-identified data included.", no: "{B} gives no certificate under 28 CFR part 202."},
	"min_necessary_spec":  {part: partWork, says: func(v value) string { return "{B} receives no more than this: " + pairs(v.object()) + "." }},
	"no_reidentification": {part: partWork, yes: "{B} does not identify anyone from {D}, de-identified, limited or synthetic data, does not try to, links it with no other data to that end, and contacts no individual. This survives the end.", no: "This paper does not forbid re-identification."},
	"deid_use_limits": {part: partWork, says: func(v value) string {
		return "De-identified data made from {D} is used within these limits: " + pairs(v.object()) + "."
	}},
	"no_sale":           {part: partWork, yes: "{B} receives nothing of value for {D}, directly or indirectly, and gives nothing for it: no discount, credit, equity or data for service.", no: "Consideration for {D} is set out in a schedule."},
	"security_schedule": {part: partWork, says: func(v value) string { return "At the least: " + pairs(v.object()) + "." }},
	"named_users":       {part: partWork, yes: "Every person who has access is named, with employer, role and country. Accounts are not shared.", no: "Users are not named."},
	"training_requirement": {part: partWork, says: func(v value) string {
		return "{B}'s people are trained in privacy and security: " + pairs(v.object()) + "."
	}},
	"model_card":       {part: partWork, says: func(v value) string { return "{B} describes its models: " + pairs(v.object()) + "." }},
	"bias_cooperation": {part: partWork, yes: "{B} helps {A} find unfair results: which inputs measure protected traits, how results differ between groups, what was done about it.", no: "{B} gives no figures on unfair results."},
	"ssdf": {part: partWork, says: func(v value) string {
		return "{B} builds its software and models in a way that can be checked: " + pairs(v.object()) + "."
	}},
	"output_ip": {part: partWork, of: map[string]string{
		"covered_entity": "Outputs belong to {A}. Outputs that hold {D} are {D}.",
		"licensed":       "Outputs are licensed to {A}. Outputs that hold {D} are {D}, and no licence back covers them."}},
	"workspace_rules": {part: partWork, says: func(v value) string {
		return "In workspaces: " + pairs(v.object()) + ". What is not named is not allowed."
	}},

	"offboard_notice_hours":    {part: partNotices, one: "{B} tells {A} within %d hours when a person with access leaves or changes roles."},
	"breach_notice_hours":      {part: partNotices, one: "{B} gives first notice of a breach or an impermissible use within %d hours of discovery, which includes when it should have known, and adds what 45 CFR 164.410(c) asks for as it becomes known."},
	"incident_report":          {part: partNotices, says: func(v value) string { return "Security incidents are reported so: " + pairs(v.object()) + "." }},
	"contingency_notice_hours": {part: partNotices, one: "{B} tells {A} within %d hours that it has activated its contingency plan."},
	"breach_assessment_owner": {part: partNotices, of: map[string]string{
		"covered_entity": "{A} decides whether an incident is a breach. {B} supplies the facts and preserves its logs.",
		"vendor":         "{B} assesses whether an incident is a breach and gives {A} the assessment.",
		"joint":          "The parties assess together whether an incident is a breach."}},
	"breach_costs": {part: partNotices, of: map[string]string{
		"vendor": "{B} pays for the notices that a breach requires.", "by_fault": "Whoever caused a breach pays for the notices that it requires.", "none": "Each party bears its own costs of a breach."}},
	"agency_status": {part: partNotices, of: map[string]string{
		"independent_contractor": "{B} is an independent contractor: {A} does not control the manner of its work.",
		"agent":                  "{B} acts as {A}'s agent: what {B} discovers, {A} has discovered (45 CFR 164.404(a)(2))."}},
	"audit_rights":        {part: partNotices, says: func(v value) string { return "{A} may ask for evidence and look at it: " + pairs(v.object()) + "." }},
	"annual_verification": {part: partNotices, says: func(v value) string { return "{B} verifies its safeguards in writing: " + pairs(v.object()) + "." }},
	"change_notice_days":  {part: partNotices, one: "{B} tells {A} %d days before it changes its model, host, region, ownership, subcontractors, retention or terms of service."},
	"precedence":          {part: partNotices, of: map[string]string{"baa_first": "This paper prevails over every other terms between the parties, including those that a user clicks."}},
	"insurance":           {part: partNotices, says: func(v value) string { return "{B} is insured: " + pairs(v.object()) + "." }},
	"liability":           {part: partNotices, says: func(v value) string { return "Liability: " + pairs(v.object()) + "." }},
	"legal_process": {part: partNotices, says: func(v value) string {
		return "Before a disclosure that is compelled by law, {B} tells {A} where the law lets it: " + pairs(v.object()) + "."
	}},

	"termination_for_material_breach": {part: partEnd, yes: "{A} may terminate this paper if {B} has violated a material term of it. {A} may first give notice and a time to cure; if the violation is not cured by then, this paper ends."},
	"return_destroy":                  {part: partEnd, yes: "At the end {B} returns or destroys all {D} that it or its subcontractors hold in any form, derived forms included, and keeps no copy. Where that is not feasible, {B} says why, extends the protections of this paper to what stays, and uses it for nothing but what makes its return infeasible."},
	"suspension": {part: partEnd, says: func(v value) string {
		return "{A} may suspend access without breaking this paper: " + pairs(v.object()) + "."
	}},
	"exit": {part: partEnd, says: func(v value) string { return "At the end: " + pairs(v.object()) + "." }},
	"destruction_certificate": {part: partEnd, says: func(value) string {
		return "{B} gives a certificate of destruction for each form in which it held {D}: what, how, when, by whom, verified how."
	}},
	"vendor_record_retention_years": {part: partEnd, one: "{B} keeps its required documentation, and what is needed for accountings, for %d years."},
	"survival":                      {part: partEnd, says: func(v value) string { return "These survive the end: " + listed(v.list()) + "." }},
}

func sayDelegated(v value) string {
	if reason := v.member("not_applicable").word(); strings.TrimSpace(reason) != "" {
		return "{B} carries out no duty that 45 CFR part 164, subpart E, puts on {A}: " + strings.TrimSpace(reason) + "."
	}
	return ""
}

// listed is a list in words; an object in it by its members.
func listed(vs []any, _ bool) string {
	if len(vs) == 0 {
		return "none"
	}
	out := make([]string, len(vs))
	for i, v := range vs {
		out[i] = inWords(v)
	}
	return strings.Join(out, "; ")
}

// pairs is an object in words, its members in order.
func pairs(m map[string]any, _ bool) string {
	if len(m) == 0 {
		return "as the parties agree in writing"
	}
	names := make([]string, 0, len(m))
	for k := range m {
		names = append(names, k)
	}
	slices.Sort(names)
	for i, k := range names {
		names[i] = humanName(k) + ": " + inWords(m[k])
	}
	return strings.Join(names, "; ")
}

func inWords(v any) string {
	switch v := v.(type) {
	case nil:
		return "nothing"
	case bool:
		return map[bool]string{true: "yes", false: "no"}[v]
	case string:
		return humanName(v)
	case []any:
		if len(v) == 0 {
			return "none"
		}
		out := make([]string, len(v))
		for i, x := range v {
			out[i] = inWords(x)
		}
		return strings.Join(out, ", ")
	case map[string]any:
		return "(" + pairs(v, true) + ")"
	}
	return fmt.Sprint(v)
}

// humanName writes a word of the catalogue as people do: "return_days" as "return days".
func humanName(s string) string {
	for _, r := range s {
		if !('a' <= r && r <= 'z' || r == '_' || '0' <= r && r <= '9') {
			return s
		}
	}
	return strings.ReplaceAll(s, "_", " ")
}

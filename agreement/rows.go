package agreement

import (
	"strings"

	"github.com/sallyport/sallyport/hipaa"
)

// Table has one row for each of the 66 terms of hipaa.Terms, in that order. docs/terms.md
// is made from it.
var Table = []Row{
	// Mandatory: 45 CFR 164.504(e)(2) and 164.314(a)(2)(i).
	{ID: "BAA-M00", Field: "instrument", Does: []Does{Gate}, Where: "gate agreement",
		Says:    "Without a filed document, both signatures, two people's approval and running dates nothing is served.",
		Silence: "No instrument, no data."},
	{ID: "BAA-M01", Field: "permitted_uses", Does: []Does{Gate}, Where: "gates agreement, permitted_use",
		Says:    "A purpose is served only if a paper names it, for the class of data and the source.",
		Silence: "No purpose is permitted (45 CFR 164.502(a)(3))."},
	mandatoryRow("BAA-M02", "subpart_e_ceiling", "Nothing is served under a paper that could allow what the organisation itself may not do."),
	mandatoryRow("BAA-M03", "no_other_use", "Nothing is served to who has not promised to use it for nothing else."),
	mandatoryRow("BAA-M04", "safeguards", "Nothing is served to who has not promised safeguards."),
	mandatoryRow("BAA-M05", "report_impermissible", "Nothing is served to who has not promised to report misuse and breaches; the law's 60 days run from it."),
	mandatoryRow("BAA-M06", "subcontractor_flowdown_privacy", "Nothing is served to who has not promised to bind subcontractors."),
	mandatoryRow("BAA-M07", "access_support", "Nothing is served to who has not promised to support individuals' access."),
	mandatoryRow("BAA-M08", "amendment_support", "Nothing is served to who has not promised to support amendment."),
	mandatoryRow("BAA-M09", "accounting_support", "Nothing is served to who has not promised to support the accounting of disclosures."),
	{ID: "BAA-M10", Field: "delegated_obligations", Does: []Does{Gate}, Where: "gate agreement",
		Says:    "Nothing is served without it, or without the reason why the vendor carries out no obligation of the organisation.",
		Silence: "Nothing is served.",
		fails: func(v value) string {
			if v.notApplicable() {
				return "" // 164.504(e)(2)(ii)(H) applies "to the extent" that it carries one out
			}
			return needTrue(v)
		}},
	mandatoryRow("BAA-M11", "hhs_books", "Nothing is served to who has not promised its books to the Secretary."),
	mandatoryRow("BAA-M12", "return_destroy", "Nothing is served to who has not promised return or destruction; offboarding asks for it form by form."),
	mandatoryRow("BAA-M13", "termination_for_material_breach", "Nothing is served under a paper that the organisation cannot end for a material breach."),
	mandatoryRow("BAA-M14", "security_rule_compliance", "Nothing is served to who has not promised to comply with the Security Rule."),
	mandatoryRow("BAA-M15", "subcontractor_flowdown_security", "Nothing is served to who has not promised to bind subcontractors to the Security Rule."),
	mandatoryRow("BAA-M16", "report_security_incidents", "Nothing is served to who has not promised to report security incidents."),

	// Optional: what HIPAA lets a paper have.
	{ID: "BAA-O01", Field: "mgmt_admin_use", Does: []Does{Gate}, Where: "gate permitted_use",
		Says:    "Without it the vendor's own management and administration (purpose mgmt_admin) is denied, whatever else the paper permits.",
		Silence: "No: purpose mgmt_admin is denied.",
		fails:   optionalBool, purposes: []hipaa.Purpose{hipaa.ManagementAdmin}},
	{ID: "BAA-O02", Field: "mgmt_admin_disclosure", Does: []Does{Gate}, Where: "gate permitted_use",
		Says:    "Purpose mgmt_admin with anybody below the vendor is denied unless the paper permits disclosure and the assurances are on file (assurance_docs).",
		Silence: "No: purpose mgmt_admin stays with the vendor.",
		fails: func(v value) string {
			if !v.there || v.isBool() && !v.yes() {
				return ""
			}
			if bad := optionalBool(v); bad != "" {
				return bad
			}
			if docs, ok := v.member("assurance_docs").words(); !ok || len(docs) == 0 {
				return "it is permitted, and no assurances are on file (assurance_docs)"
			}
			return ""
		}, purposes: []hipaa.Purpose{hipaa.ManagementAdmin}},
	{ID: "BAA-O03", Field: "data_aggregation", Does: []Does{Gate}, Where: "gate permitted_use",
		Says:    "A model shared between customers is denied unless every BAA of the engagement permits aggregation, and the engagement is for health care operations.",
		Silence: "No: shared models are denied.",
		fails:   optionalBool, purposes: []hipaa.Purpose{hipaa.TrainSharedModel}},
	{ID: "BAA-O04", Field: "deid_right", Does: []Does{Gate}, Where: "gate permitted_use",
		Says:    "De-identified data for the vendor's own ends (shared models, product improvement) is denied unless the right is for_vendor_use.",
		Silence: "none: the vendor's own ends are denied.",
		fails:   optionalWord("none", "for_covered_entity_only", "for_vendor_use"), purposes: vendorsOwn},
	{ID: "BAA-O05", Field: "lds_creation", Does: []Does{Gate}, Where: "gate permitted_use",
		Says:    "PHI under an engagement that also rests on a data use agreement is given so that the vendor makes the limited data set: denied unless the BAA permits that.",
		Silence: "No: the gateway makes limited data sets itself.",
		fails:   optionalBool},
	{ID: "BAA-O06", Field: "lds_only", Does: []Does{Gate}, Where: "gate agreement",
		Says:    "Where yes, only a limited data set, for health care operations, beside a data use agreement in force, is served under it.",
		Silence: "No: the paper is a whole BAA.",
		fails:   optionalBool},
	{ID: "BAA-O07", Field: "part2_terms", Does: []Does{Gate}, Where: "gate labels",
		Says:    "Records labelled 42 CFR Part 2 leave only where a paper in force has the Part 2 terms, and the grant names the label.",
		Silence: "No: Part 2 records do not leave.",
		fails:   optionalBool},

	// Recommended: what is asked is policy.
	blockRow("BAA-R01", "data_ownership", "the paper says that the data, and what derives from it, is the organisation's", needWord("covered_entity"), nil),
	{ID: "BAA-R02", Field: "purpose_matrix", Does: []Does{Gate}, Where: "gate permitted_use",
		Says:    "A purpose that the matrix denies, or leaves out, is denied; allow_deidentified_only lets de-identified data pass.",
		Silence: "The recommended matrix: inference, evaluation and annotation as permitted_uses says, everything else denied.",
		fails: func(v value) string {
			if !v.there {
				return ""
			}
			return needObject(v)
		}},
	{ID: "BAA-R03", Field: "training_on_phi", Does: []Does{Gate}, Where: "gate permitted_use",
		Says:     "Training on PHI is denied unless the paper permits it: for the organisation's own model, or a shared one with aggregation (BAA-O03).",
		Silence:  "prohibited: no training on PHI.",
		fails:    optionalWord("prohibited", "customer_only_model", "shared_model_with_aggregation"),
		advise:   better("prohibited"),
		purposes: trainingPurposes},
	blockRow("BAA-R04", "weights_ownership", "the paper says whose weights, adapters and embeddings are", needWord("covered_entity", "vendor_no_phi_residue", "escrow"), better("covered_entity")),
	{ID: "BAA-R05", Field: "residual_phi_policy", Does: []Does{Gate, Listed}, Where: "gate agreement; report",
		Says:    "Nothing is served unless the paper says what models trained on PHI are: PHI, cleared by a test on file, or destroyed. tested_and_cleared is listed, because a person must see the test.",
		Silence: "Nothing is served: no promise, no data.",
		fails:   needWord("treat_as_phi", "tested_and_cleared", "destroy"),
		advise: func(v value) string {
			if v.word() == "tested_and_cleared" {
				return "each model needs its extraction test and the privacy official's decision on file"
			}
			return ""
		}},
	{ID: "BAA-R06", Field: "prompt_retention_days", Does: []Does{Gate, Timer}, Where: "gate agreement; clock prompt-retention",
		Says:    "Nothing is served if prompts may be kept for more days than the organisation allows (policy.max_prompt_retention_days, 0 unless set).",
		Silence: "Nothing is served: what is not limited is kept.",
		fails:   needNumber(0, 0), advise: atMost(0),
		clocks: func(v value) []Clock {
			if _, ok := v.number(); !ok {
				return nil
			}
			return []Clock{{ID: PromptsGone, Trigger: OnUse, Days: v.int()}}
		}},
	{ID: "BAA-R07", Field: "provider_human_review", Does: []Does{Gate}, Where: "gates agreement, subcontractors",
		Says:    "Nothing is served unless the paper says whether a model provider's people may look. If they may, each subprocessor in the path must have a named, approved and trained person.",
		Silence: "Nothing is served: abuse monitoring by people is usual where nobody forbids it.",
		fails:   needBool,
		advise: func(v value) string {
			if v.yes() {
				return "weaker than recommended: people at a provider may look"
			}
			return ""
		}},
	{ID: "BAA-R08", Field: "subprocessor_approval", Does: []Does{Gate, Timer}, Where: "gates agreement, subcontractors; clock subprocessor-notice",
		Says:    "Every subprocessor in the path must be approved, whatever the paper says; with notice_and_object only after notice_days from the day on which it was proposed.",
		Silence: "Nothing is served: nobody agreed how subprocessors come in.",
		fails: func(v value) string {
			if bad := needWord("prior_written", "notice_and_object")(v); bad != "" {
				return bad
			}
			if v.word() == "notice_and_object" && v.memberInt("notice_days") == 0 {
				return "the days of notice are missing (notice_days)"
			}
			return ""
		},
		advise: better("prior_written"),
		clocks: func(v value) []Clock {
			return []Clock{{ID: SubprocessorNotice, Trigger: OnChange, Days: v.memberInt("notice_days"), Before: true}}
		}},
	{ID: "BAA-R09", Field: "flowdown_evidence", Does: []Does{Gate}, Where: "gates agreement, subcontractors",
		Says:    "Each subprocessor in the path must be listed with the digest of its own agreement, as it is on file.",
		Silence: "Nothing is served: write an empty list where there is no subprocessor.",
		fails:   needList},
	{ID: "BAA-R10", Field: "regions", Does: []Does{Gate}, Where: "gate region",
		Says:    "Storage and processing bind where the vendor works, remote_access where people, devices and networks are, support the same for purposes support and debug; what is left out is nowhere.",
		Silence: "The paper's own list of regions stands for all four; where there is none, nothing is served.",
		fails: func(v value) string {
			if !v.there {
				return "" // gate region asks for one of the two
			}
			for _, part := range regionParts {
				if m := v.member(part); m.there {
					if _, ok := m.words(); !ok {
						return part + " cannot be read as a list of regions"
					}
				}
			}
			return needObject(v)
		}},
	{ID: "BAA-R11", Field: "dsp_clause", Does: []Does{Gate, Timer, Listed}, Where: "gates agreement, screening; clock rescreening",
		Says:    "Nothing is served without the vendor's word under 28 CFR Part 202, beside the organisation's own screening; the screening_date starts the clock of the next.",
		Silence: "Nothing is served.",
		fails:   needTrue,
		clocks: func(v value) []Clock {
			if !v.member("screening_date").there {
				return nil
			}
			return []Clock{{ID: Rescreening, Trigger: OnLast, Months: 12}}
		}},
	{ID: "BAA-R12", Field: "min_necessary_spec", Does: []Does{Gate}, Where: "gate permitted_use",
		Says:    "Where written, the role must stay within its fields and time_window, a row_filter rules out a cohort of all patients, and everything needs a whole_record_justification.",
		Silence: "The role is the dataset contract: two people approved it, and nothing outside it leaves (gate role).",
		fails: func(v value) string {
			if !v.there {
				return ""
			}
			if bad := needObject(v); bad != "" {
				return bad
			}
			if _, ok := v.member("fields").words(); !ok {
				return "its fields cannot be read as a list"
			}
			if w := v.member("time_window"); w.there {
				if _, _, ok := interval(w.word()); !ok {
					return "its time_window is no interval such as 2024-01-01/2026-12-31"
				}
			}
			return ""
		}},
	{ID: "BAA-R13", Field: "no_reidentification", Does: []Does{Gate}, Where: "gate agreement",
		Says:    "Nothing is served to who has not promised not to re-identify, link or contact; de-identified data neither.",
		Silence: "Nothing is served.",
		fails:   needTrue},
	{ID: "BAA-R14", Field: "deid_use_limits", Does: []Does{Gate}, Where: "gate permitted_use",
		Says:    "De-identified data for the vendor's own ends is denied unless the purpose is among allowed_uses.",
		Silence: "none: the vendor's own ends are denied.",
		fails: func(v value) string {
			if !v.there {
				return ""
			}
			if bad := needObject(v); bad != "" {
				return bad
			}
			if _, ok := v.member("allowed_uses").words(); !ok {
				return "its allowed_uses cannot be read as a list"
			}
			return ""
		}, purposes: vendorsOwn},
	{ID: "BAA-R15", Field: "no_sale", Does: []Does{Gate}, Where: "gate agreement",
		Says:    "Nothing is served to who has not promised to pay and take nothing for PHI (45 CFR 164.502(a)(5)(ii)).",
		Silence: "Nothing is served.",
		fails:   needTrue},
	{ID: "BAA-R16", Field: "security_schedule", Does: []Does{Gate, Timer, Listed}, Where: "acts of approval; gate posture; clocks vulnerability-scan, penetration-test, patch; report",
		Says:    "No vendor, engagement or grant is approved, and no review kept, without it. encryption_at_rest cannot be waived for devices under it; a scan or a penetration test that is overdue is listed.",
		Silence: "Approvals are blocked; running access goes on until its review.",
		fails:   needObject,
		advise:  adviseSecurity,
		clocks: func(v value) []Clock {
			return []Clock{
				{ID: VulnerabilityScan, Trigger: OnLast, Days: v.memberInt("vuln_scan_days")},
				{ID: PenetrationTest, Trigger: OnLast, Months: v.memberInt("pentest_months")},
				{ID: PatchDue, Trigger: OnFix, Days: v.memberInt("patch_days")}}
		}},
	{ID: "BAA-R17", Field: "named_users", Does: []Does{Gate}, Where: "gates agreement, person",
		Says:    "Nothing is served unless accounts are personal: an app for people that keeps a key of its own is one person's, and a second person's grant on it closes both.",
		Silence: "Nothing is served.",
		fails:   needTrue},
	{ID: "BAA-R18", Field: "training_requirement", Does: []Does{Gate, Timer}, Where: "gates agreement, training; clock training-refresh",
		Says:    "A completion counts for refresh_months at most; a course that the paper names must be passed too. Training always comes before access.",
		Silence: "Nothing is served.",
		fails:   needObject,
		advise: func(v value) string {
			if v.there && v.member("before_access").there && !v.member("before_access").yes() {
				return "the paper lets people in before they are trained; Sallyport does not"
			}
			return memberAtMost(map[string]int64{"refresh_months": 12})(v)
		},
		clocks: func(v value) []Clock {
			return []Clock{{ID: TrainingRefresh, Trigger: OnLast, Months: v.memberInt("refresh_months")}}
		}},
	warnClock("BAA-R19", "offboard_notice_hours", "notice of leavers and changed roles", needNumber(1, 0), atMost(24), hoursClock(LeaverNotice, OnLeaving), "leaver-notice"),
	{ID: "BAA-R20", Field: "breach_notice_hours", Does: []Does{Gate, Timer}, Where: "acts of approval; clock breach-notice",
		Says:    "The contract's clock from discovery, beside the law's. Without it, or beyond 1440 hours, no vendor, engagement or grant is approved, and no review kept.",
		Silence: "Only the law's clock runs (60 days at the outside); approvals are blocked.",
		fails:   needNumber(1, 1440), advise: atMost(24), clocks: hoursClock(BreachNotice, OnDiscovery)},
	warnClock("BAA-R21", "incident_report", "reports of incidents, and summaries of attempts", needMembers("successful_hours", "unsuccessful_summary_days"),
		memberAtMost(map[string]int64{"successful_hours": 24, "unsuccessful_summary_days": 90}),
		func(v value) []Clock {
			return []Clock{{ID: IncidentNotice, Trigger: OnDiscovery, Hours: v.memberInt("successful_hours")},
				{ID: AttemptSummary, Trigger: OnLast, Days: v.memberInt("unsuccessful_summary_days")}}
		}, "incident-notice, attempt-summary"),
	warnClock("BAA-R22", "contingency_notice_hours", "notice that the contingency plan was activated", needNumber(1, 0), atMost(24), hoursClock(ContingencyNotice, OnActivation), "contingency-notice"),
	blockRow("BAA-R23", "breach_assessment_owner", "the paper says who decides whether it was a breach", needWord("covered_entity", "vendor", "joint"), better("covered_entity")),
	warnRow("BAA-R24", "breach_costs", "who pays for notices is a matter between people", needWord("vendor", "by_fault", "none"),
		func(v value) string {
			if v.word() == "none" {
				return "weaker than recommended (by_fault)"
			}
			return ""
		}),
	{ID: "BAA-R25", Field: "agency_status", Does: []Does{Timer, Listed}, Where: "the law's clocks of an incident; report",
		Says:    "Where the paper says agent, nobody can say of an incident that the vendor was none: the law's clocks for notices run from the vendor's discovery (45 CFR 164.404(a)(2)).",
		Silence: "A warning; the clocks run from the vendor's discovery until a person decides that it is no agent, and why: control decides in the end, not the label.",
		fails:   needWord("independent_contractor", "agent"), advise: better("independent_contractor")},
	{ID: "BAA-R26", Field: "audit_rights", Does: []Does{Gate, Timer}, Where: "acts of approval; clock evidence",
		Says:    "Evidence that is asked for is due in evidence_sla_days; without the right no vendor, engagement or grant is approved, and no review kept.",
		Silence: "Approvals are blocked; running access goes on until its review.",
		fails:   needObject,
		clocks: func(v value) []Clock {
			return []Clock{{ID: EvidenceDue, Trigger: OnRequest, Days: v.memberInt("evidence_sla_days")}}
		}},
	warnClock("BAA-R27", "annual_verification", "written verification by the vendor, seen as a verified risk analysis attestation (RISKANALYSIS)", needMembers("months"),
		memberAtMost(map[string]int64{"months": 12}),
		func(v value) []Clock {
			return []Clock{{ID: VerificationDue, Trigger: OnLast, Months: v.memberInt("months")}}
		}, "annual-verification"),
	warnClock("BAA-R28", "change_notice_days", "notice before a material change", needNumber(1, 0), atLeast(30),
		func(v value) []Clock {
			return []Clock{{ID: ChangeNotice, Trigger: OnChange, Days: v.int(), Before: true}}
		}, "change-notice"),
	blockRow("BAA-R29", "precedence", "the BAA prevails over click-through terms", needWord("baa_first"), nil),
	warnRow("BAA-R30", "insurance", "an insurance certificate that is absent, unverified, expired or excludes AI is listed, and so is a term that says less", needObject,
		func(v value) string {
			if x := v.member("ai_exclusion"); x.yes() {
				return "claims about AI are excluded"
			}
			return ""
		}),
	warnRow("BAA-R31", "liability", "whether a cap is enough is a matter between people", needObject,
		func(v value) string {
			if l, ok := v.member("carve_outs").list(); v.there && (!ok || len(l) == 0) {
				return "the cap has no carve-outs"
			}
			return ""
		}),
	blockRow("BAA-R32", "suspension", "the organisation may suspend at once", func(v value) string {
		if bad := needObject(v); bad != "" {
			return bad
		}
		if !v.member("immediate").yes() {
			return "the organisation may not suspend at once, and Sallyport does"
		}
		return ""
	}, nil),
	{ID: "BAA-R33", Field: "exit", Does: []Does{Gate, Timer}, Where: "acts of approval; clocks return, destruction, backup-expiry",
		Says:    "The days run from the end of the agreement; without them no vendor, engagement or grant is approved, and no review kept.",
		Silence: "Approvals are blocked; at the end no days run.",
		fails:   needMembers("return_days", "destroy_days"),
		advise:  memberAtMost(map[string]int64{"return_days": 30, "destroy_days": 30, "backup_expiry_days": 90}),
		clocks: func(v value) []Clock {
			return []Clock{{ID: ReturnDue, Trigger: OnEnd, Days: v.memberInt("return_days")},
				{ID: DestructionDue, Trigger: OnEnd, Days: v.memberInt("destroy_days")},
				{ID: BackupExpiry, Trigger: OnEnd, Days: v.memberInt("backup_expiry_days")}}
		}},
	blockRow("BAA-R34", "destruction_certificate", "the vendor owes a certificate of destruction", func(v value) string {
		if v.word() == "required" || v.yes() {
			return ""
		}
		return needObject(v)
	}, nil),
	{ID: "BAA-R35", Field: "vendor_record_retention_years", Does: []Does{Timer, Listed}, Where: "clock vendor-records-kept; report",
		Says:    "The vendor's documentation is kept so many years from the end. Less than six, or nothing, is listed.",
		Silence: "A warning: the law's six years bind the vendor's own documents all the same (45 CFR 164.316(b)(2)(i)).",
		fails:   needNumber(6, 0),
		clocks: func(v value) []Clock {
			return []Clock{{ID: RecordsKept, Trigger: OnEnd, Months: 12 * v.int()}}
		}},
	warnRow("BAA-R36", "survival", "what binds after the end is shown at offboarding, and a paper that lets a promise die is listed", needList,
		func(v value) string {
			have, _ := v.words()
			var lacking []string
			for _, clause := range survives {
				if v.there && !contains(have, clause) {
					lacking = append(lacking, clause)
				}
			}
			if len(lacking) > 0 {
				return "does not survive the end: " + strings.Join(lacking, ", ")
			}
			return ""
		}),
	warnClock("BAA-R37", "legal_process", "notice before a compelled disclosure", needMembers("notify_hours"), memberAtMost(map[string]int64{"notify_hours": 24}),
		func(v value) []Clock {
			return []Clock{{ID: LegalProcessNotice, Trigger: OnLegalProcess, Hours: v.memberInt("notify_hours")}}
		}, "legal-process-notice"),
	warnRow("BAA-R38", "model_card", "whether a model card is honest is for its reader", needObject, nil),
	warnRow("BAA-R39", "bias_cooperation", "what cooperation is worth shows when it is asked for", needTrue, nil),
	warnRow("BAA-R40", "ssdf", "a promise of provenance (model_provenance or weights_hash) is listed while an engagement demands none of the program", needObject,
		func(v value) string {
			for _, name := range []string{"sbom", "model_provenance", "weights_hash", "red_team"} {
				if m := v.member(name); v.there && (!m.there || m.isBool() && !m.yes()) {
					return "does not promise " + name
				}
			}
			return ""
		}),
	warnRow("BAA-R41", "output_ip", "who owns outputs is a matter between people; outputs with PHI are PHI", needWord("covered_entity", "licensed"), better("covered_entity")),
	{ID: "BAA-R42", Field: "workspace_rules", Does: []Does{Gate, Listed}, Where: "gate permitted_use; report",
		Says:    "Purposes in which people work at screens (evaluation, annotation, support, debug) are denied without it, and where it lets personal AI tools in; copies, downloads, prints, screenshots and local notebooks that it lets in are listed: the gateway cannot see a screen.",
		Silence: "Purposes in which people work at screens are denied.",
		fails: func(v value) string {
			if bad := needObject(v); bad != "" {
				return bad
			}
			for _, name := range workspaceRules {
				if m := v.member(name); m.there && !m.isBool() {
					return name + " is neither yes nor no"
				}
			}
			if v.member("personal_ai_tools").yes() {
				return "it lets personal AI tools in, with whom nobody has an agreement"
			}
			return ""
		},
		advise: func(v value) string {
			for _, name := range workspaceRules {
				if v.member(name).yes() {
					return "lets " + name + " in"
				}
			}
			return ""
		},
		purposes: workspacePurposes},
}

// survives is what should bind after the end.
var survives = []string{"no_reidentification", "return_destroy", "accounting_support", "hhs_books", "confidentiality"}

var workspaceRules = []string{"copy", "download", "print", "screenshot", "local_notebook", "personal_ai_tools"}

var regionParts = []string{"storage", "processing", "remote_access", "support"}

func mandatoryRow(id, field, says string) Row {
	return Row{ID: id, Field: field, Does: []Does{Gate}, Where: "gate agreement", Says: says, Silence: "Nothing is served.", fails: needTrue}
}

func blockRow(id, field, what string, fails, advise func(value) string) Row {
	return Row{ID: id, Field: field, Does: []Does{Gate}, Where: "acts of approval", fails: fails, advise: advise,
		Says:    "No vendor, engagement or grant is approved, and no review kept, unless " + what + ".",
		Silence: "Approvals are blocked; running access goes on until its review."}
}

func warnRow(id, field, why string, fails, advise func(value) string) Row {
	return Row{ID: id, Field: field, Does: []Does{Listed}, Where: "report", fails: fails, advise: advise,
		Says:    "Listed when it is missing or weak: " + why + ".",
		Silence: "A warning."}
}

func warnClock(id, field, what string, fails, advise func(value) string, clocks func(value) []Clock, names string) Row {
	noun := "clock "
	if strings.Contains(names, ",") {
		noun = "clocks "
	}
	return Row{ID: id, Field: field, Does: []Does{Timer, Listed}, Where: noun + names + "; report", fails: fails, advise: advise, clocks: clocks,
		Says:    "A clock for " + what + "; listed when it is missing or long.",
		Silence: "A warning: no such clock runs."}
}

// needMembers wants an object with whole numbers above 0 under the names.
func needMembers(names ...string) func(value) string {
	return func(v value) string {
		if bad := needObject(v); bad != "" {
			return bad
		}
		for _, n := range names {
			if v.memberInt(n) == 0 {
				return n + " is missing"
			}
		}
		return ""
	}
}

func adviseSecurity(v value) string {
	switch {
	case !v.there:
		return ""
	case !v.member("mfa").yes():
		return "no second factor"
	case !v.member("encryption_at_rest").yes():
		return "no encryption at rest"
	case v.member("tls_min").word() != "1.2" && v.member("tls_min").word() != "1.3":
		return "TLS below 1.2"
	}
	return memberAtMost(map[string]int64{"vuln_scan_days": 180, "pentest_months": 12})(v)
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

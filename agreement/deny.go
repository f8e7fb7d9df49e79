package agreement

import (
	"slices"
	"strings"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// Use is what an engagement wants, as far as terms ask.
type Use struct {
	Purpose  hipaa.Purpose
	Class    hipaa.DataClass
	Category hipaa.Category
	PassedOn bool           // there is somebody below the vendor
	Role     *snapshot.Role // nil: not known, and what limits it denies
	Cohort   snapshot.Cohort
}

// Denial is a term of a paper that denies a use.
type Denial struct {
	Agreement id.Agreement
	Term      string
}

// Denied lists the terms of papers in force that deny the use. That a paper permits
// the purpose by name (BAA-M01) is asked elsewhere; nothing here permits.
func Denied(papers []*snapshot.Agreement, u Use) []Denial {
	var out []Denial
	deny := func(a *snapshot.Agreement, term string) { out = append(out, Denial{a.ID, term}) }
	dataUse := slices.ContainsFunc(papers, func(a *snapshot.Agreement) bool { return a.Kind == snapshot.DataUseAgreement })
	for _, a := range papers {
		for _, field := range purposeTerms {
			r, _ := RowOf(field)
			v := termOf(a, field)
			if !v.there && a.Kind != snapshot.BAA {
				continue // only a BAA says something by its silence
			}
			if _, written := a.Terms[field]; r.fails(v) != "" && (written || v.there || a.Kind == snapshot.BAA) &&
				(r.purposes == nil || slices.Contains(r.purposes, u.Purpose)) {
				deny(a, r.ID)
				continue
			}
			if denies[field](a, v, u, dataUse) {
				deny(a, r.ID)
			}
		}
	}
	return append(out, vendorsOwnEnds(papers, u)...)
}

// purposeTerms are those that can deny a purpose of one paper by itself, and denies
// how, once they are readable.
var purposeTerms = []string{"mgmt_admin_use", "mgmt_admin_disclosure", "data_aggregation", "lds_creation",
	"purpose_matrix", "training_on_phi", "min_necessary_spec", "workspace_rules"}

var denies = map[string]func(*snapshot.Agreement, value, Use, bool) bool{
	"mgmt_admin_use": func(_ *snapshot.Agreement, v value, u Use, _ bool) bool {
		return u.Purpose == hipaa.ManagementAdmin && !v.yes()
	},
	"mgmt_admin_disclosure": func(_ *snapshot.Agreement, v value, u Use, _ bool) bool {
		return u.Purpose == hipaa.ManagementAdmin && u.PassedOn && !v.yes()
	},
	// A model shared between customers aggregates their data, which every BAA must
	// permit by itself, and only for health care operations (45 CFR 164.501).
	"data_aggregation": func(a *snapshot.Agreement, v value, u Use, _ bool) bool {
		return a.Kind == snapshot.BAA && u.Purpose == hipaa.TrainSharedModel && u.Class != hipaa.DeIdentified &&
			(!v.yes() || u.Category != hipaa.Operations)
	},
	"lds_creation": func(a *snapshot.Agreement, v value, u Use, dataUse bool) bool {
		return a.Kind == snapshot.BAA && dataUse && u.Class == hipaa.PHI && !v.yes()
	},
	"purpose_matrix": func(_ *snapshot.Agreement, v value, u Use, _ bool) bool {
		if u.Purpose == hipaa.ManagementAdmin {
			return false // no code of the matrix: BAA-O01 decides
		}
		if !v.there {
			return !slices.Contains(defaultMatrix, u.Purpose)
		}
		m := v.member(string(u.Purpose)).word()
		return m != "allow" && !(m == "allow_deidentified_only" && u.Class == hipaa.DeIdentified)
	},
	"training_on_phi": func(_ *snapshot.Agreement, v value, u Use, _ bool) bool {
		if u.Class == hipaa.DeIdentified || !slices.Contains(trainingPurposes, u.Purpose) {
			return false
		}
		switch v.word() {
		case "shared_model_with_aggregation":
			return false
		case "customer_only_model":
			return u.Purpose != hipaa.FineTune
		}
		return true
	},
	"min_necessary_spec": func(_ *snapshot.Agreement, v value, u Use, _ bool) bool {
		return v.there && !withinSpec(v, u)
	},
	"workspace_rules": func(*snapshot.Agreement, value, Use, bool) bool { return false }, // its failure denies
}

// defaultMatrix is what the recommended matrix allows (BAA-R02).
var defaultMatrix = []hipaa.Purpose{hipaa.Inference, hipaa.Evaluation, hipaa.Annotation}

// vendorsOwnEnds: with de-identified data a vendor may follow ends of its own only where
// one paper gives it the right and the use, and none takes them (BAA-O04, BAA-R14).
func vendorsOwnEnds(papers []*snapshot.Agreement, u Use) (out []Denial) {
	if u.Class != hipaa.DeIdentified || !slices.Contains(vendorsOwn, u.Purpose) {
		return nil
	}
	right, listed := false, false
	for _, a := range papers {
		if v := termOf(a, "deid_right"); v.word() == "for_vendor_use" {
			right = true
		} else if _, written := a.Terms["deid_right"]; written {
			out = append(out, Denial{a.ID, "BAA-O04"})
		}
		if _, written := a.Terms["deid_use_limits"]; !written {
			continue
		}
		uses, ok := termOf(a, "deid_use_limits").member("allowed_uses").words()
		if ok && slices.Contains(uses, string(u.Purpose)) {
			listed = true
		} else {
			out = append(out, Denial{a.ID, "BAA-R14"})
		}
	}
	var first id.Agreement
	if len(papers) > 0 {
		first = papers[0].ID
	}
	if !right && !slices.ContainsFunc(out, func(d Denial) bool { return d.Term == "BAA-O04" }) {
		out = append(out, Denial{first, "BAA-O04"})
	}
	if !listed && !slices.ContainsFunc(out, func(d Denial) bool { return d.Term == "BAA-R14" }) {
		out = append(out, Denial{first, "BAA-R14"})
	}
	return out
}

// withinSpec reports whether the role and the cohort stay within the dataset contract
// (BAA-R12).
func withinSpec(v value, u Use) bool {
	if u.Role == nil {
		return false
	}
	fields, _ := v.member("fields").words()
	for typ, scope := range u.Role.Resources {
		for _, e := range scope.Elements {
			path := typ + "." + e
			if !slices.ContainsFunc(fields, func(f string) bool { return f == typ || f == path || f != "" && strings.HasPrefix(path, f+".") }) {
				return false
			}
		}
		if slices.Contains(scope.Interactions, "everything") && strings.TrimSpace(v.member("whole_record_justification").word()) == "" {
			return false
		}
	}
	if w := v.member("time_window"); w.there {
		from, until, ok := interval(w.word())
		if !ok || !from.IsZero() && u.Role.Since.Before(from) || !until.IsZero() && (u.Role.Until.IsZero() || u.Role.Until.After(until)) {
			return false
		}
	}
	if f := v.member("row_filter").word(); f != "" && f != "all" && u.Cohort.Kind == snapshot.CohortAll {
		return false
	}
	return true
}

// LimitedDataSetOnly reports whether only a limited data set may leave under the BAA
// (BAA-O06). What cannot be read limits.
func LimitedDataSetOnly(a *snapshot.Agreement) bool {
	t, written := a.Terms["lds_only"]
	if !written {
		return false
	}
	v := readValue(t.Value)
	return !v.isBool() || v.yes()
}

// Regions are the lists of regions that the paper sets for one of storage, processing,
// remote_access and support. Each list must allow; none: the paper says nothing.
func Regions(a *snapshot.Agreement, part string) [][]string {
	var out [][]string
	if len(a.Regions) > 0 {
		out = append(out, a.Regions)
	}
	if _, written := a.Terms["regions"]; written {
		list, _ := termOf(a, "regions").member(part).words()
		out = append(out, list) // what is left out, or cannot be read, is nowhere
	}
	return out
}

// Part2 reports whether the paper has the terms of 42 CFR Part 2 (BAA-O07).
func Part2(a *snapshot.Agreement) bool { return termOf(a, "part2_terms").yes() }

// HumanReview reports whether people at a provider may look at prompts (BAA-R07).
func HumanReview(a *snapshot.Agreement) bool { return termOf(a, "provider_human_review").yes() }

// SubprocessorNoticeDays is how many days must pass after a subprocessor was proposed
// before it sees data (BAA-R08); 0: approval is enough.
func SubprocessorNoticeDays(a *snapshot.Agreement) int {
	if v := termOf(a, "subprocessor_approval"); v.word() == "notice_and_object" {
		return v.memberInt("notice_days")
	}
	return 0
}

// FlowdownEvidence is the digest of each subprocessor's agreement, as the paper lists
// it (BAA-R09).
func FlowdownEvidence(a *snapshot.Agreement) map[id.Vendor]string {
	out := map[id.Vendor]string{}
	l, _ := termOf(a, "flowdown_evidence").list()
	for _, x := range l {
		if m, ok := x.(map[string]any); ok {
			who, _ := m["subprocessor"].(string)
			hash, _ := m["contract_hash"].(string)
			if who != "" && hash != "" {
				out[id.Vendor(who)] = strings.ToLower(hash)
			}
		}
	}
	return out
}

// NamedUsers reports whether accounts must be personal (BAA-R17).
func NamedUsers(a *snapshot.Agreement) bool { return termOf(a, "named_users").yes() }

// Training is what the paper asks of the vendor's people (BAA-R18): a course by its id
// (empty: the organisation's), and for how many months a completion counts (0: as long
// as its own date says).
func Training(a *snapshot.Agreement) (course string, refreshMonths int) {
	v := termOf(a, "training_requirement")
	return v.member("course").word(), v.memberInt("refresh_months")
}

// EncryptedAtRest reports whether the paper demands encryption at rest (BAA-R16).
func EncryptedAtRest(a *snapshot.Agreement) bool {
	return termOf(a, "security_schedule").member("encryption_at_rest").yes()
}

// IsAgent reports whether the paper calls the vendor the organisation's agent
// (BAA-R25), whose discovery is the organisation's own (45 CFR 164.404(a)(2)).
func IsAgent(a *snapshot.Agreement) bool { return termOf(a, "agency_status").word() == "agent" }

// Survives lists the clauses that bind after the end (BAA-R36).
func Survives(a *snapshot.Agreement) []string {
	out, _ := termOf(a, "survival").words()
	return out
}

// AuditRights reports whether the organisation may see the vendor's evidence (BAA-R26),
// and what reports it was promised.
func AuditRights(a *snapshot.Agreement) (reports []string, ok bool) {
	v := termOf(a, "audit_rights")
	if _, is := v.object(); !is {
		return nil, false
	}
	reports, _ = v.member("reports").words()
	return reports, true
}

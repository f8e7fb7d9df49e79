package gate

import (
	_ "embed" // the policy
	"encoding/json"
	"slices"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/snapshot"
)

//go:embed permitted_use.cedar
var permittedUseCedar string

var permittedUse = policy.Gate{
	ID:       "permitted_use",
	Title:    "An agreement in force permits this purpose for this class of data",
	Policy:   permittedUseCedar,
	Cites:    []string{"P-504-e-2-i", "P-502-a-3", "P-502-a"},
	Audience: policy.VendorToo,
	Stage:    policy.AtRequest,
	Known: func(c *policy.Case, f *policy.Facts) {
		e := engagementOf(c)
		permitted, contradicted := false, false
		for _, a := range papersInForce(c, f) {
			for _, u := range a.PermittedUses {
				if u.Purpose == e.Purpose && slices.Contains(u.DataClasses, e.DataClass) &&
					(len(u.Sources) == 0 || slices.Contains(u.Sources, c.Source)) {
					permitted = true
					f.Rely(a.ID, "BAA-M01")
				}
			}
			if contradicts(a, e.Purpose, e.DataClass) {
				contradicted = true
			}
		}
		policy.Word(f, "purpose", e.Purpose, hipaa.Purposes...)
		f.Bool("permitted", permitted)
		f.Bool("contradicted", contradicted)
	},
	Reasons: []policy.Reason{
		{Code: "no-purpose", Message: "The engagement names no purpose, or one that is not known", NextStep: "Give the engagement one of the purposes that an agreement can permit", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { w := v.Word("purpose"); return w == "none" || w == "other" }},
		{Code: "silent", Message: "No agreement in force permits this purpose for this class of data and source, and silence is no", NextStep: "Amend an agreement so that it permits the purpose", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return !v.Is("permitted") }},
		{Code: "contradicted", Message: "Another term of an agreement in force denies this purpose", NextStep: "Settle the contradiction: amend the term on purposes, training, aggregation or de-identification", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return v.Is("contradicted") }},
	},
}

// contradicts reports whether a recorded term denies the purpose: the matrix of
// purposes (BAA-R02), training on PHI (BAA-R03), data aggregation (BAA-O03) and
// the right to de-identify (BAA-O04). A term that cannot be read denies.
func contradicts(a *snapshot.Agreement, p hipaa.Purpose, class hipaa.DataClass) bool {
	if raw, ok := a.Terms["purpose_matrix"]; ok {
		var matrix map[hipaa.Purpose]string
		if json.Unmarshal(raw.Value, &matrix) != nil {
			return true
		}
		// A purpose that the matrix leaves out is denied: silence is no.
		if v := matrix[p]; v != "allow" && !(v == "allow_deidentified_only" && class == hipaa.DeIdentified) {
			return true
		}
	}
	training := p == hipaa.FineTune || p == hipaa.TrainSharedModel
	if class != hipaa.DeIdentified && training {
		if _, ok := a.Terms["training_on_phi"]; ok {
			switch word(a, "training_on_phi") {
			case "shared_model_with_aggregation":
			case "customer_only_model":
				if p != hipaa.FineTune {
					return true
				}
			default:
				return true
			}
		}
		// A model shared between customers aggregates their data, which every
		// BAA must permit by itself (45 CFR 164.504(e)(2)(i)(B)).
		if p == hipaa.TrainSharedModel && a.Kind == snapshot.BAA && !isTrue(a.Terms["data_aggregation"].Value) {
			return true
		}
	}
	if class == hipaa.DeIdentified && (p == hipaa.TrainSharedModel || p == hipaa.ProductImprovement) {
		if _, ok := a.Terms["deid_right"]; ok && word(a, "deid_right") != "for_vendor_use" {
			return true
		}
	}
	return false
}

func word(a *snapshot.Agreement, field string) string {
	var s string
	if json.Unmarshal(a.Terms[field].Value, &s) != nil {
		return ""
	}
	return s
}

package gate

import (
	_ "embed" // the policy

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/policy"
)

//go:embed basis.cedar
var basisCedar string

var basis = policy.Gate{
	ID:       "basis",
	Title:    "The disclosure has a legal basis that fits the data and is documented",
	Policy:   basisCedar,
	Cites:    []string{"P-502-a", "P-508-a-1", "P-512-i-1-i", "P-514-e-3", "P-502-d-2"},
	Audience: policy.VendorToo,
	Stage:    policy.AtRequest,
	Known: func(c *policy.Case, f *policy.Facts) {
		e := engagementOf(c)
		policy.Word(f, "basis", e.Basis, hipaa.LegalBases...)
		policy.Word(f, "data_class", e.DataClass, hipaa.DataClasses...)
		policy.Word(f, "category", e.Category, hipaa.Categories...)
		f.Bool("documented", isDigest(e.BasisDocument))
		f.EndOrOpen("expires_at", e.BasisExpires)
	},
	Reasons: []policy.Reason{
		{Code: "none", Message: "The engagement has no legal basis", NextStep: "Record the legal basis of the disclosure on the engagement", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { w := v.Word("basis"); return w == "none" || w == "other" }},
		{Code: "inconsistent", Message: "The legal basis does not fit the class of data or the category of the purpose", NextStep: "Choose the basis, the class of data and the category so that they agree", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool {
				w := v.Word("basis")
				return w != "none" && w != "other" && !basisFits(w, v.Word("data_class"), v.Word("category"))
			}},
		{Code: "undocumented", Message: "The authorization or waiver is not on file", NextStep: "File the document and record its SHA-256 on the engagement", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool {
				w := v.Word("basis")
				return (w == "authorization" || w == "waiver") && !v.Is("documented")
			}},
		{Code: "expired", Message: "The legal basis has expired", NextStep: "Obtain a new one and record it on the engagement", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return v.Ended("expires_at") }},
	},
}

// basisFits says again, for the explanation, what the policy says.
func basisFits(basis, class, category string) bool {
	if category == "none" || category == "other" {
		return false
	}
	identifiable := class == "phi" || class == "limited-data-set"
	switch basis {
	case "operations-under-baa":
		return identifiable && (category == "treatment" || category == "payment" || category == "operations")
	case "authorization":
		return identifiable
	case "waiver":
		return identifiable && category == "research"
	case "data-use-agreement":
		return class == "limited-data-set" && (category == "research" || category == "public-health" || category == "operations")
	case "de-identified":
		return class == "de-identified"
	}
	return false
}

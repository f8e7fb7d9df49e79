package gate

import (
	_ "embed" // the policy
	"time"

	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/snapshot"
)

//go:embed workload.cedar
var workloadCedar string

// The signature was verified when it was recorded (workload attest). Here it
// counts if it was verified under the demand as the engagement makes it now:
// another key, builder or image asks for it anew. That the device runs the image
// is declared; nothing in this gate is remote attestation.
var workload = policy.Gate{
	ID:       "workload",
	Title:    "Where the engagement demands it, the vendor's build signed the image that the device is declared to run",
	Policy:   workloadCedar,
	Cites:    []string{"policy", "S-312-c-1", "S-312-d"},
	Audience: policy.VendorToo,
	Stage:    policy.AtRequest,
	Known: func(c *policy.Case, f *policy.Facts) {
		demand, proof, until := "unknown", "absent", time.Time{}
		if e := c.EngagementRecord; e != nil && e.Workload == nil {
			demand, proof = "nothing", "not-demanded"
		} else if e != nil {
			demand = string(e.Workload.Kind)
			proof, until = attested(c, f, e)
		}
		policy.Word(f, "demand", demand, "unknown", "nothing", string(snapshot.DemandImage), string(snapshot.DemandSLSA))
		policy.Word(f, "proof", proof, "not-demanded", "absent", "other-demand", "revoked", "given")
		if proof == "not-demanded" {
			f.EndOrOpen("until", time.Time{})
		} else {
			f.End("until", until)
		}
	},
	Reasons: []policy.Reason{
		{Code: "unknown", Message: "There is no engagement that says whether the workload must prove what it is, or it demands a proof that is not known here", NextStep: "Propose the engagement, with a demand of kind image or slsa or none", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool {
				w := v.Word("demand")
				return w != "nothing" && w != "image" && w != "slsa"
			}},
		{Code: "absent", Message: "The engagement demands that the workload proves what it is, and nothing is attested of this device", NextStep: "Send the build's signature over the image, or its provenance (workload attest)", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return demanded(v) && v.Word("proof") == "absent" }},
		{Code: "other-demand", Message: "What is attested of this device was verified under another demand: the engagement has changed its keys, builders, sources or images", NextStep: "Attest the workload again under the demand as it is now (workload attest)", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return demanded(v) && v.Word("proof") == "other-demand" }},
		{Code: "revoked", Message: "The attestation of this device was revoked", NextStep: "Attest what the device runs now (workload attest)", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return demanded(v) && v.Word("proof") == "revoked" }},
		{Code: "expired", Message: "The attestation of this device has run out", NextStep: "Attest the workload again (workload attest)", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return demanded(v) && v.Word("proof") == "given" && v.Ended("until") }},
	},
}

func demanded(v policy.Values) bool {
	w := v.Word("demand")
	return w == "image" || w == "slsa"
}

// attested looks for the attestation that serves longest under the demand, and
// says where there is none what comes nearest.
func attested(c *policy.Case, f *policy.Facts, e *snapshot.Engagement) (proof string, until time.Time) {
	proof = "absent"
	if c.DeviceRecord == nil {
		return proof, until
	}
	demand := e.Workload.Digest()
	for _, a := range c.View.AttestationsOf(c.DeviceRecord.ID) {
		switch {
		case a.Engagement != e.ID || !f.Passed(a.At):
		case f.Passed(a.RevokedAt):
			if proof == "absent" {
				proof = "revoked"
			}
		case a.Demand256 != demand || demand == "":
			if proof != "given" {
				proof = "other-demand"
			}
		default:
			if proof != "given" || until.Before(a.ExpiresAt) {
				until = a.ExpiresAt
			}
			proof = "given"
		}
	}
	return proof, until
}

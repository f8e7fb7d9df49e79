package identity

import (
	"slices"
	"strings"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// b2b is the HL7 B2B Authorization Extension Object (HL7 Security for Scalable
// Registration, Authentication, and Authorization, "hl7-b2b"), as far as it is
// used here. Who the requestor is, the certificate and the registry say.
type b2b struct {
	Version      string   `json:"version"`
	Organization string   `json:"organization_id"`
	Purposes     []string `json:"purpose_of_use"`
}

// purposeSystems are the names of the code system of purposes of use (HL7 v3
// ActReason), before '#'.
var purposeSystems = []string{"urn:oid:2.16.840.1.113883.5.8", "http://terminology.hl7.org/CodeSystem/v3-ActReason"}

// maxPurposes bounds purpose_of_use.
const maxPurposes = 16

// purposeOfUse is what a code permits here: engagements of this category, for
// these purposes. A code that stands in no row permits nothing, and none permits to
// train a shared model or to improve the vendor's product but under research: what
// a code of the organisation's own operations says, it says of the organisation's
// operations (45 CFR 164.501, 164.504(e)(2)).
var purposeOfUse = []struct {
	code     string
	category hipaa.Category
	purposes []hipaa.Purpose
}{
	{"TREAT", hipaa.Treatment, []hipaa.Purpose{hipaa.Inference}},                                                                                    // treatment
	{"ETREAT", hipaa.Treatment, []hipaa.Purpose{hipaa.Inference}},                                                                                   // emergency treatment
	{"HPAYMT", hipaa.Payment, []hipaa.Purpose{hipaa.Inference}},                                                                                     // healthcare payment
	{"HOPERAT", hipaa.Operations, []hipaa.Purpose{hipaa.Inference, hipaa.Evaluation, hipaa.Annotation, hipaa.FineTune, hipaa.Support, hipaa.Debug}}, // healthcare operations
	{"HQUALIMP", hipaa.Operations, []hipaa.Purpose{hipaa.Inference, hipaa.Evaluation}},                                                              // quality improvement
	{"PATSFTY", hipaa.Operations, []hipaa.Purpose{hipaa.Inference, hipaa.Evaluation}},                                                               // patient safety
	{"PERFMSR", hipaa.Operations, []hipaa.Purpose{hipaa.Evaluation}},                                                                                // performance measure
	{"HSYSADMIN", hipaa.Operations, []hipaa.Purpose{hipaa.Support, hipaa.Debug}},                                                                    // system administration
	{"HRESCH", hipaa.Research, []hipaa.Purpose{hipaa.Evaluation, hipaa.Annotation, hipaa.FineTune, hipaa.TrainSharedModel}},                         // research
	{"CLINTRCH", hipaa.Research, []hipaa.Purpose{hipaa.Inference, hipaa.Evaluation, hipaa.Annotation}},                                              // clinical trial
	{"PUBHLTH", hipaa.PublicHealth, []hipaa.Purpose{hipaa.Inference, hipaa.Evaluation}},                                                             // public health
}

// covers reports whether a purpose of use, as "system#code", permits the
// engagement.
func covers(use string, e *snapshot.Engagement) bool {
	system, code, ok := strings.Cut(use, "#")
	if !ok || !slices.Contains(purposeSystems, system) {
		return false
	}
	for _, row := range purposeOfUse {
		if row.code == code {
			return e.Category == row.category && slices.Contains(row.purposes, e.Purpose)
		}
	}
	return false
}

// checkPurpose holds the purposes that an assertion states against the
// engagement of the grant: each must permit it. A UDAP client that acts by itself
// must state one.
func checkPurpose(view *snapshot.View, a *assertion, grant id.Grant) error {
	if a == nil || a.b2b == nil {
		if a != nil && a.udap {
			return badRequest("invalid_grant", "the extension hl7-b2b is missing", PurposeMismatch)
		}
		return nil
	}
	x := a.b2b
	if x.Version != "1" || x.Organization == "" || len(x.Purposes) == 0 || len(x.Purposes) > maxPurposes {
		return badRequest("invalid_grant", "the extension hl7-b2b lacks version 1, organization_id or purpose_of_use", PurposeMismatch)
	}
	g, ok := view.Grants.Get(grant)
	if !ok {
		return badRequest("invalid_grant", "there is no grant whose purpose could be compared", PurposeMismatch)
	}
	e, ok := view.Engagements.Get(g.Engagement)
	if !ok {
		return badRequest("invalid_grant", "there is no engagement whose purpose could be compared", PurposeMismatch)
	}
	for _, use := range x.Purposes {
		if !covers(use, e) {
			return badRequest("invalid_grant", "a purpose_of_use is not known here, or is not that of the engagement", PurposeMismatch)
		}
	}
	return nil
}

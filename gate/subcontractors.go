package gate

import (
	_ "embed" // the policy
	"strings"

	"github.com/sallyport/sallyport/agreement"
	"github.com/sallyport/sallyport/course"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/snapshot"
)

//go:embed subcontractors.cedar
var subcontractorsCedar string

// The tree is the engagement's subprocessors, the vendor's subcontractors, and
// theirs in turn: a subcontractor is one to whom data is passed on. Where the
// data is de-identified the chain needs approval (policy), but no BAA.
var subcontractors = policy.Gate{
	ID:       "subcontractors",
	Title:    "Every subcontractor is approved and covered by an agreement with its parent",
	Policy:   subcontractorsCedar,
	Cites:    []string{"P-502-e-1-ii", "P-504-e-5", "S-308-b-2"},
	Audience: policy.VendorToo,
	Stage:    policy.AtRequest,
	Known: func(c *policy.Case, f *policy.Facts) {
		var unapproved, uncovered, unlisted, early, unreviewed int64
		for _, s := range subcontractorTree(c) {
			if v, ok := c.View.Vendors.Get(s); !ok || !approved(f, v.Approval) {
				unapproved++
				f.NoteWord("unapproved_vendor", string(s))
			}
		}
		if c.EngagementRecord != nil && c.EngagementRecord.DataClass != hipaa.DeIdentified {
			covered := coveredSubcontractors(c, f)
			unlisted, early, unreviewed = contractedPath(c, f, covered)
			for _, s := range subcontractorTree(c) {
				if covered[s] == nil {
					uncovered++
					f.NoteWord("uncovered_vendor", string(s))
				}
			}
		}
		f.Bool("engagement_known", c.EngagementRecord != nil)
		f.Number("unapproved", unapproved)
		f.Number("uncovered", uncovered)
		f.Number("unlisted", unlisted)
		f.Number("early", early)
		f.Number("unreviewed", unreviewed)
	},
	Reasons: []policy.Reason{
		{Code: "engagement-unknown", Message: "There is no engagement, so the subcontractors are not known", NextStep: "Propose the engagement with its subprocessors", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return !v.Is("engagement_known") }},
		{Code: "not-approved", Detail: "unapproved_vendor", Message: "A subcontractor in the chain is not an approved vendor", NextStep: "Approve the subcontractor (vendor approve), or take it out of the chain", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return v.Number("unapproved") > 0 }},
		{Code: "not-covered", Detail: "uncovered_vendor", Message: "A subcontractor in the chain has no agreement in force with the one that passes data to it", NextStep: "Sign a business associate agreement with the subcontractor and send it to the organisation", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return v.Number("uncovered") > 0 }},
		{Code: "not-listed", Detail: "unlisted_vendor", Message: "The agreement does not list a subcontractor in the chain with the digest of its own agreement (BAA-R09)", NextStep: "List it in flowdown_evidence, with the digest of the agreement on file (agreement amend)", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return v.Number("unlisted") > 0 }},
		{Code: "notice-runs", Detail: "early_vendor", Message: "The days of notice before a subcontractor may see data are not over (BAA-R08)", NextStep: "Wait until they are, or amend the agreement", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return v.Number("early") > 0 }},
		{Code: "reviewers-unknown", Detail: "unreviewed_vendor", Message: "The agreement lets people of a subcontractor look at prompts, and it has no approved and trained person (BAA-R07)", NextStep: "Enrol and train who would look (person propose, training record), or amend the agreement", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return v.Number("unreviewed") > 0 }},
	},
}

// subcontractorTree lists every vendor below the caller's, each once.
func subcontractorTree(c *policy.Case) []id.Vendor {
	var tree []id.Vendor
	seen := map[id.Vendor]bool{c.Vendor: true}
	add := func(vs []id.Vendor) {
		for _, v := range vs {
			if !seen[v] {
				seen[v] = true
				tree = append(tree, v)
			}
		}
	}
	if c.EngagementRecord != nil {
		add(c.EngagementRecord.Subprocessors)
	}
	if c.VendorRecord != nil {
		add(c.VendorRecord.Subcontractors)
	}
	for i := 0; i < len(tree); i++ {
		if v, ok := c.View.Vendors.Get(tree[i]); ok {
			add(v.Subcontractors)
		}
	}
	return tree
}

// coveredSubcontractors follows the subcontractor agreements in force down from
// the vendor, within the tree: a paper between two strangers covers nothing.
func coveredSubcontractors(c *policy.Case, f *policy.Facts) map[id.Vendor]*snapshot.Agreement {
	inTree := map[id.Vendor]bool{}
	for _, v := range subcontractorTree(c) {
		inTree[v] = true
	}
	covered := map[id.Vendor]*snapshot.Agreement{}
	parents := []id.Vendor{c.Vendor}
	for i := 0; i < len(parents); i++ {
		for _, a := range c.View.AgreementsOf(parents[i]) {
			if a.Kind != snapshot.SubcontractorBAA || !inTree[a.Subcontractor] || covered[a.Subcontractor] != nil {
				continue
			}
			if p := readPaper(c, f, parents[i], hipaa.PHI, a); p.faults() == 0 {
				covered[a.Subcontractor] = a
				parents = append(parents, a.Subcontractor)
				f.Rely(a.ID, p.relied...)
			}
		}
	}
	return covered
}

// contractedPath counts the subcontractors of the path that the BAAs in force do not
// list, whose notice still runs, or whose people may look at prompts though nobody
// knows them.
func contractedPath(c *policy.Case, f *policy.Facts, covered map[id.Vendor]*snapshot.Agreement) (unlisted, early, unreviewed int64) {
	tree := subcontractorTree(c)
	if len(tree) == 0 {
		return 0, 0, 0
	}
	for _, a := range papersInForce(c, f) {
		if a.Kind != snapshot.BAA {
			continue
		}
		listed, notice, review := agreement.FlowdownEvidence(a), agreement.SubprocessorNoticeDays(a), agreement.HumanReview(a)
		for _, s := range tree {
			if paper := covered[s]; paper != nil && listed[s] != strings.ToLower(paper.Document) {
				unlisted++
				f.NoteWord("unlisted_vendor", string(s))
			}
			if v, ok := c.View.Vendors.Get(s); ok && notice > 0 && (v.RequestedAt.IsZero() || !f.Passed(v.RequestedAt.AddDate(0, 0, notice))) {
				early++
				f.NoteWord("early_vendor", string(s))
			}
			if review && !knownReviewer(c, f, s) {
				unreviewed++
				f.NoteWord("unreviewed_vendor", string(s))
			}
		}
	}
	return unlisted, early, unreviewed
}

// knownReviewer reports whether the vendor has a person who is approved and whose
// training counts.
func knownReviewer(c *policy.Case, f *policy.Facts, vendor id.Vendor) bool {
	for _, p := range c.View.PersonsOf(vendor) {
		if !approved(f, p.Approval) {
			continue
		}
		if course.Assess(c.View, p, nil, f.Passed).Current(f.Passed) {
			return true
		}
	}
	return false
}

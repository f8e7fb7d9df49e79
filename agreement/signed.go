package agreement

import (
	"fmt"

	"github.com/sallyport/sallyport/paper"
	"github.com/sallyport/sallyport/snapshot"
)

// Proof is where the audit log has a signature, as the signed paper says it.
type Proof struct {
	Log        string // the node whose log it is
	Index      uint64
	EntryHash  string // RFC 6962 leaf hash of the entry, in hex
	ActDigest  string // SHA-256 of the act's canonical JSON, in hex, which the entry carries
	Checkpoint string // the signed checkpoint's first lines: origin, size, root
	// ProofFile and ActFile are the attachments: a C2SP tlog-proof, and the act itself.
	ProofFile, ActFile string
}

// Signed is the paper with its signature page. Where the document that was signed is our
// own draft, composed is true and the draft is drawn again with the signatures; whatever
// it is, its very bytes are attached as documentFile. The proofs are of the signatures, in
// their order; one that was recorded from outside has none (nil).
func Signed(a *snapshot.Agreement, p Parties, composed bool, documentFile string, proofs []*Proof) paper.Document {
	d := Draft(a, p, a.EffectiveAt)
	d.Foot = fmt.Sprintf("%s · SHA-256 of what was signed: %s", a.ID, a.Document)
	if !composed {
		d.Body = []paper.Block{paper.Note{Text: "The document that was signed was not written by this product. It is attached to this file, byte for byte: " + documentFile + "."}}
	}
	for _, s := range a.Signatures {
		if s.At.After(d.Date) {
			d.Date = s.At
		}
	}
	d.Body = append(d.Body, paper.Heading{Level: 1, Text: "Signature page"},
		paper.Facts{Rows: [][2]string{{"Agreement", string(a.ID)}, {"Signed document", documentFile + ", attached"}, {"Its SHA-256", a.Document}}})
	for i, s := range a.Signatures {
		line := paper.SignatureLine{Party: partyName(s.Party, p), Name: s.Signer, At: s.At, Proof: SignatureProof(s)}
		d.Body = append(d.Body, line)
		if h := s.Here; h != nil {
			d.Body = append(d.Body, paper.Facts{Rows: [][2]string{{"Intent", h.Intent}, {"Consent", h.Consent}, {"Person", string(h.Person)},
				{"Identified by", string(h.Method) + ", touched just before, in session " + string(h.Session)}, {"Document they signed", h.Document}, {"Act", string(h.Act)}}})
		}
		if i < len(proofs) && proofs[i] != nil {
			x := proofs[i]
			d.Body = append(d.Body, paper.Facts{Rows: [][2]string{{"Audit log", fmt.Sprintf("%s, entry %d", x.Log, x.Index)}, {"Hash of the entry", x.EntryHash},
				{"Digest of the act", x.ActDigest}, {"Checkpoint", x.Checkpoint}, {"Attached proof", x.ProofFile + ", " + x.ActFile}}})
		}
	}
	d.Body = append(d.Body, paper.Heading{Level: 2, Text: "How to check this without trusting anybody"},
		paper.List{Numbered: true, Items: []string{
			"Save the attachments of this file, and get the log's public key (log.pub) from the organisation by another way.",
			"Compare the SHA-256 of the attached document with the one above.",
			"Compare the SHA-256 of each attached act with the digest of the act above; the act says who signed which document, with which words, when.",
			"sallyport verify PROOF --key log.pub checks, offline, that the log has the entry with that digest."}},
		paper.Note{Text: "An electronic signature's weight is for a court to judge (15 U.S.C. 7001; State law). This page shows who touched which passkey and agreed to which words; it does not show that the person had the power to bind their side, which the organisation accepted."})
	return d
}

func partyName(party snapshot.Party, p Parties) string {
	switch party {
	case snapshot.Organisation:
		return p.Organisation
	case snapshot.VendorParty:
		return p.Vendor
	case snapshot.SubcontractorParty:
		return p.Subcontractor
	}
	return string(party)
}

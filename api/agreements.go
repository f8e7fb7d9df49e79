package api

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/sallyport/sallyport/agreement"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/paper"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

const (
	pdfType  = "application/pdf"
	docxType = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
)

// file is an answer that is kept, rather than read.
type file struct {
	ContentType string `header:"Content-Type"`
	Disposition string `header:"Content-Disposition"`
	Body        []byte
}

func attachment(kind, name string, body []byte) *file {
	return &file{kind, `attachment; filename="` + name + `"`, body}
}

// Composed says what was written and recorded.
type Composed struct {
	Agreement id.Agreement `json:"agreement"`
	Document  string       `json:"document_sha256"`
	Stored    *ActResult   `json:"stored"`
	Drafted   *ActResult   `json:"drafted"`
}

func (s *server) agreements() {
	huma.Register(s.api, huma.Operation{OperationID: "agreement-paper", Method: http.MethodGet, Path: "/v1/agreements/{id}/paper", Tags: []string{"agreements"},
		Summary: "The agreement in the product's own words, from its terms", Description: "A draft for reading and signing. What was signed is the document: GET /v1/agreements/{id}/document."},
		func(ctx context.Context, in *struct {
			ID     string `path:"id"`
			Format string `query:"format" enum:"pdf,docx,text" default:"pdf"`
		}) (*file, error) {
			g, ok := s.Registry.View().Agreements.Get(id.Agreement(in.ID))
			if !ok {
				return nil, s.asProblem(ctx, noAgreement())
			}
			out, err := rendered(agreement.Draft(g, s.parties(g), g.EffectiveAt), in.Format, in.ID)
			if err != nil {
				return nil, s.asProblem(ctx, err)
			}
			return out, nil
		})
	huma.Register(s.api, huma.Operation{OperationID: "agreement-compose", Method: http.MethodPost, Path: "/v1/agreements/compose", Tags: []string{"agreements"},
		Summary: "Write an agreement in the product's own words, store the PDF and draft the agreement with it", Description: "Two acts: document.put and agreement.draft, with the clause of each term as the PDF numbers it. With Idempotency-Key a repetition gives what was done."},
		func(ctx context.Context, in *struct {
			Key  string `header:"Idempotency-Key" maxLength:"110" doc:"Makes a repetition harmless"`
			Body struct {
				Reason string `json:"reason" doc:"Why, in a sentence. Never patient data." maxLength:"2000"`
				Act    Fields `json:"act" doc:"Those of agreement.draft, without document_sha256 and clauses"`
			}
		}) (*struct{ Body *Composed }, error) {
			out, err := s.compose(ctx, in.Body.Reason, in.Key, in.Body.Act)
			if err != nil {
				return nil, s.asProblem(ctx, err)
			}
			return &struct{ Body *Composed }{out}, nil
		})
	huma.Register(s.api, huma.Operation{OperationID: "agreement-signing", Method: http.MethodGet, Path: "/v1/agreements/{id}/signing", Tags: []string{"agreements"},
		Summary: "What you would sign, and the sentences that you would agree to"},
		func(ctx context.Context, in *struct {
			ID string `path:"id"`
		}) (*struct{ Body *Signing }, error) {
			out, err := s.signing(ctx, id.Agreement(in.ID))
			if err != nil {
				return nil, s.asProblem(ctx, err)
			}
			return &struct{ Body *Signing }{out}, nil
		})
	huma.Register(s.api, huma.Operation{OperationID: "agreement-document", Method: http.MethodGet, Path: "/v1/agreements/{id}/document", Tags: []string{"agreements"},
		Summary: "The document that the agreement is"},
		func(ctx context.Context, in *struct {
			ID string `path:"id"`
		}) (*file, error) {
			ctx, cancel := context.WithTimeout(ctx, readTimeout)
			defer cancel()
			g, err := s.ownAgreement(ctx, id.Agreement(in.ID))
			if err != nil {
				return nil, s.asProblem(ctx, err)
			}
			d, err := s.Registry.Document(ctx, g.Document)
			if err != nil {
				return nil, s.asProblem(ctx, err)
			}
			return attachment(d.MediaType, fileName(g.ID, d.MediaType), d.Content), nil
		})
	huma.Register(s.api, huma.Operation{OperationID: "agreement-signed", Method: http.MethodGet, Path: "/v1/agreements/{id}/signed", Tags: []string{"agreements"},
		Summary: "The signed paper as PDF, with its signature page and its audit proofs", Description: "Both sides must have signed. The document and the proofs are attachments; sallyport verify checks a proof offline."},
		func(ctx context.Context, in *struct {
			ID string `path:"id"`
		}) (*file, error) {
			ctx, cancel := context.WithTimeout(ctx, readTimeout)
			defer cancel()
			g, err := s.ownAgreement(ctx, id.Agreement(in.ID))
			if err == nil {
				var out []byte
				if out, err = s.signed(ctx, g); err == nil {
					return attachment(pdfType, in.ID+"-signed.pdf", out), nil
				}
			}
			return nil, s.asProblem(ctx, err)
		})
	s.agreementReads()
}

func noAgreement() error {
	return problem.New(problem.NotFound, "There is no agreement with this id", "List them: sallyport agreement list (GET /v1/agreements)")
}

// ownAgreement is an agreement that the caller may read: any for the organisation's
// people, and for a vendor's person those that their side can sign. It does not say
// whether there are others.
func (s *server) ownAgreement(ctx context.Context, key id.Agreement) (*snapshot.Agreement, error) {
	v := s.Registry.View()
	g, ok := v.Agreements.Get(key)
	if !ok {
		return nil, noAgreement()
	}
	p, known := v.Persons.Get(caller(ctx))
	if !known {
		return nil, noAgreement()
	}
	if p.Vendor == "" {
		return g, nil
	}
	if _, _, mine := registry.SigningWords(v, key, p.ID); !mine {
		return nil, noAgreement()
	}
	return g, nil
}

func (s *server) parties(g *snapshot.Agreement) agreement.Parties {
	v := s.Registry.View()
	p := agreement.Parties{Organisation: s.Organisation, Vendor: string(g.Vendor), Subcontractor: string(g.Subcontractor)}
	if of, ok := v.Vendors.Get(g.Vendor); ok {
		p.Vendor = of.Name
	}
	if of, ok := v.Vendors.Get(g.Subcontractor); ok {
		p.Subcontractor = of.Name
	}
	return p
}

func rendered(d paper.Document, format, name string) (*file, error) {
	var out []byte
	var err error
	switch format {
	case "docx":
		if out, err = paper.DOCX(d); err == nil {
			return attachment(docxType, name+".docx", out), nil
		}
	case "text":
		return attachment("text/plain; charset=utf-8", name+".txt", []byte(paper.Text(d))), nil
	default:
		if out, err = paper.PDF(d); err == nil {
			return attachment(pdfType, name+".pdf", out), nil
		}
	}
	return nil, err
}

// composedPDF is the agreement's own draft, unsigned: the same terms give the same bytes.
func (s *server) composedPDF(g *snapshot.Agreement) ([]byte, error) {
	bare := *g
	bare.Signatures = nil
	return paper.PDF(agreement.Draft(&bare, s.parties(g), g.EffectiveAt))
}

// compose does two acts. A process that dies between them leaves a document that nothing
// names: the same request stores nothing a second time, and drafts. With a key it also
// finds what was drafted before the answer was lost.
func (s *server) compose(ctx context.Context, reason, key string, fields Fields) (*Composed, error) {
	a, err := registry.Decode("agreement.draft", bytes.TrimSpace(fields))
	if err != nil {
		return nil, err
	}
	draft, ok := a.(registry.DraftAgreement)
	if !ok {
		return nil, problem.New(problem.Invalid, "It is no draft of an agreement", "Send the fields of agreement.draft")
	}
	if draft.Document != "" {
		return nil, problem.BadField("document_sha256", "is written by this", "Leave it out, or use agreement draft for a document of your own")
	}
	g := &snapshot.Agreement{ID: draft.ID, Kind: draft.Kind, Vendor: draft.Vendor, Subcontractor: draft.Subcontractor, Terms: draft.Terms, PermittedUses: draft.PermittedUses,
		Regions: draft.Regions, EffectiveAt: draft.EffectiveAt.UTC(), EndsAt: draft.EndsAt.UTC()}
	if g.EffectiveAt.IsZero() {
		return nil, problem.BadField("effective_at", "is missing", "Write a time such as 2026-01-31T00:00:00Z")
	}
	draft.Terms, draft.PermittedUses = agreement.Located(g)
	g.Terms, g.PermittedUses = draft.Terms, draft.PermittedUses
	pdf, err := s.composedPDF(g)
	if err != nil {
		return nil, err
	}
	put := registry.NewDocument(pdfType, pdf)
	draft.Document = put.Digest
	by, storing, drafting := actor(ctx), registry.Meta{Reason: reason}, registry.Meta{Reason: reason}
	if key != "" {
		storing.IdempotencyKey, drafting.IdempotencyKey = key+"/document", key+"/draft"
	}
	var drafted registry.Result
	// Before anything is stored: what would be refused then is refused now, unless it was
	// done already.
	refused := s.Registry.May(by, draft, drafting)
	if refused != nil {
		if key == "" {
			return nil, refused
		}
		if drafted, err = s.Registry.Do(ctx, by, draft, drafting); err != nil {
			return nil, err
		}
	}
	stored, err := s.Registry.Do(ctx, by, put, storing)
	if err != nil {
		return nil, err
	}
	if refused == nil {
		if drafted, err = s.Registry.Do(ctx, by, draft, drafting); err != nil {
			return nil, err
		}
	}
	return &Composed{Agreement: draft.ID, Document: put.Digest, Stored: result(stored), Drafted: result(drafted)}, nil
}

// Signing is what a person would sign for their side.
type Signing struct {
	Agreement id.Agreement           `json:"agreement"`
	Kind      snapshot.AgreementKind `json:"kind"`
	Document  string                 `json:"document_sha256"`
	Intent    string                 `json:"intent"`
	Consent   string                 `json:"consent"`
	Signed    []snapshot.Party       `json:"signed" doc:"The sides that have signed"`
}

func (s *server) signing(ctx context.Context, key id.Agreement) (*Signing, error) {
	g, err := s.ownAgreement(ctx, key)
	if err != nil {
		return nil, err
	}
	intent, consent, ok := registry.SigningWords(s.Registry.View(), key, caller(ctx))
	if !ok {
		return nil, problem.New(problem.Conflict, "You are of neither side of this agreement", "Have somebody of the parties sign it")
	}
	out := &Signing{Agreement: g.ID, Kind: g.Kind, Document: g.Document, Intent: intent, Consent: consent, Signed: []snapshot.Party{}}
	for _, x := range g.Signatures {
		out.Signed = append(out.Signed, x.Party)
	}
	return out, nil
}

// signed makes the signed paper: the document, the signature page, and a proof from this
// node's log for each signature that was given in the product.
func (s *server) signed(ctx context.Context, g *snapshot.Agreement) ([]byte, error) {
	if len(g.Signatures) < 2 {
		return nil, problem.New(problem.Conflict, "Not both sides have signed", "See who has: sallyport agreement get "+string(g.ID))
	}
	doc, err := s.Registry.Document(ctx, g.Document)
	if err != nil {
		return nil, err
	}
	name := fileName(g.ID, doc.MediaType)
	files := []paper.File{{Name: name, Description: "What was signed", Data: doc.Content}}
	proofs := make([]*agreement.Proof, len(g.Signatures))
	for i, x := range g.Signatures {
		if x.Here == nil {
			continue
		}
		e, err := s.Registry.Act(ctx, x.Here.Act)
		if err != nil {
			return nil, err
		}
		if e.LogNode != s.Node {
			return nil, problem.New(problem.Conflict, fmt.Sprintf("The signature for the %s is in the log of node %s", x.Party, e.LogNode), "Ask that node for the signed paper")
		}
		raw, err := e.Canonical()
		if err != nil {
			return nil, err
		}
		if sum := sha256.Sum256(raw); hex.EncodeToString(sum[:]) != e.Digest {
			return nil, problem.New(problem.Internal, "The act of a signature does not have its digest: it was altered", "Restore the database from a backup, and look into the cause")
		}
		proof, err := s.Log.Prove(ctx, e.LogIndex)
		if err != nil {
			return nil, err
		}
		p := &agreement.Proof{Log: e.LogNode, Index: e.LogIndex, ActDigest: e.Digest, ProofFile: "proof-" + string(x.Party) + ".txt", ActFile: "act-" + string(x.Party) + ".json"}
		if p.EntryHash, p.Checkpoint, err = readProof(proof); err != nil {
			return nil, err
		}
		proofs[i] = p
		files = append(files, paper.File{Name: p.ProofFile, Description: "Proof that the log has the signature (C2SP tlog-proof)", Data: proof},
			paper.File{Name: p.ActFile, Description: "The signature as an act, canonical JSON", Data: raw})
	}
	own, err := s.composedPDF(g)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(own)
	composed := hex.EncodeToString(sum[:]) == g.Document
	return paper.PDF(agreement.Signed(g, s.parties(g), composed, name, proofs), files...)
}

// readProof gives the entry's leaf hash (RFC 6962, section 2.1), and the first lines of
// the checkpoint.
func readProof(proof []byte) (leaf, checkpoint string, err error) {
	head, signed, ok := strings.Cut(string(proof), "\n\n")
	lines := strings.Split(head, "\n")
	if !ok || len(lines) < 2 {
		return "", "", fmt.Errorf("a proof without a checkpoint")
	}
	entry, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(lines[1], "extra "))
	if err != nil {
		return "", "", fmt.Errorf("a proof without its entry: %w", err)
	}
	sum := sha256.Sum256(append([]byte{0}, entry...))
	text, _, _ := strings.Cut(signed, "\n\n")
	return hex.EncodeToString(sum[:]), strings.Join(strings.Split(strings.TrimSpace(text), "\n"), ", "), nil
}

func fileName(key id.Agreement, media string) string {
	ext := map[string]string{pdfType: ".pdf", docxType: ".docx", "text/plain": ".txt"}[media]
	return string(key) + cmp.Or(ext, ".bin")
}

// actOf reads an act about what the path names.
func (s *server) actOf(kind registry.Kind, key string, fields Fields) (registry.Act, error) {
	if len(bytes.TrimSpace(fields)) == 0 {
		fields = Fields("{}")
	}
	full, err := withID(jsontext.Value(fields), key)
	if err != nil {
		return nil, err
	}
	return registry.Decode(kind, full)
}

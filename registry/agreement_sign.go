package registry

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

// SignHere is a signature given in the product, by the person who acts, for their side.
// It records intent, consent, who, how they showed it, what and when (15 U.S.C. 7001,
// 7006(5), verified by recall); the act's place in the audit log proves all of it.
type SignHere struct {
	ID id.Agreement `json:"id"`
	// Document is the SHA-256 of what the person read: the agreement's, or nothing is
	// signed.
	Document string `json:"document_sha256"`
	// Intent and Consent are the sentences that the person agreed to, word for word as
	// SigningWords gives them.
	Intent  string `json:"intent"`
	Consent string `json:"consent"`
}

// SigningWords are the sentences that a person agrees to when they sign the agreement
// for their side; not ok: they are of neither side.
func SigningWords(v *snapshot.View, agreement id.Agreement, person id.Person) (intent, consent string, ok bool) {
	g, have := v.Agreements.Get(agreement)
	p, known := v.Persons.Get(person)
	if !have || !known {
		return "", "", false
	}
	if _, ok = sideOf(g, p); !ok {
		return "", "", false
	}
	whom := "the organisation"
	if of, ok := v.Vendors.Get(p.Vendor); ok {
		whom = of.Name
	}
	return fmt.Sprintf("I have read the document with the SHA-256 %s, I sign it for %s, and I mean to bind them by it.", g.Document, whom),
		"I agree to sign electronically and to receive this agreement as an electronic record; I can print and keep it.", true
}

// sideOf is the side for which a person can sign.
func sideOf(g *snapshot.Agreement, p *snapshot.Person) (snapshot.Party, bool) {
	for _, party := range parties(g.Kind) {
		switch {
		case party == snapshot.Organisation && p.Vendor == "",
			party == snapshot.VendorParty && p.Vendor != "" && p.Vendor == g.Vendor,
			party == snapshot.SubcontractorParty && p.Vendor != "" && p.Vendor == g.Subcontractor:
			return party, true
		}
	}
	return "", false
}

func (a SignHere) Subject() snapshot.Subject { return subject(snapshot.NounAgreement, a.ID) }

func (a SignHere) about(v *snapshot.View, by Actor) party {
	g, ok := v.Agreements.Get(a.ID)
	p, known := v.Persons.Get(by.Person)
	if !ok || !known {
		return party{}
	}
	if _, ok := sideOf(g, p); !ok {
		return party{}
	}
	return party{vendor: p.Vendor}
}

func (a SignHere) check(v *snapshot.View, by Actor, now time.Time) error {
	g, ok := v.Agreements.Get(a.ID)
	if !ok {
		return found("id", v.Agreements, a.ID)
	}
	if by.Session == "" {
		return problem.New(problem.Refused, "A signature needs a sign-in with your passkey", "Sign in on the pages, or with sallyport login, touch your passkey and try again")
	}
	p, ok := v.Persons.Get(by.Person)
	if !ok {
		return exists("id", v.Persons, by.Person)
	}
	side, ok := sideOf(g, p)
	switch {
	case !ok:
		return conflict("id", "You are of neither side of this agreement", "Have somebody of the parties sign it")
	case p.Vendor != "" && p.Signatory.By == "":
		return conflict("", "The organisation has not accepted you as who signs for your side", "Ask the organisation: sallyport person name-signatory "+string(p.ID))
	case g.OverBy(now):
		return conflict("", "The agreement has ended", "Agree on another")
	}
	for _, s := range g.Signatures {
		if s.Party == side {
			return conflict("", "Your side has signed already", "Nothing is left to do")
		}
	}
	intent, consent, _ := SigningWords(v, a.ID, p.ID)
	if err := first(inState(fmt.Sprintf("Agreement %q", a.ID), g.State, snapshot.Proposed, snapshot.Approved), sha256Hex("document_sha256", a.Document)); err != nil {
		return err
	}
	switch {
	case a.Document != g.Document:
		return badField("document_sha256", "is not the digest of the agreement's document", "Read the document as it is now, and sign that")
	case a.Intent != intent:
		return badField("intent", "is not the sentence to agree to", "Agree to it word for word: "+intent)
	case a.Consent != consent:
		return badField("consent", "is not the sentence to agree to", "Agree to it word for word: "+consent)
	}
	return nil
}

func (a SignHere) apply(e *snapshot.Edit, s Stamp) {
	p, _ := e.View().Persons.Get(s.By)
	change(e, e.View().Agreements, a.ID, func(g *snapshot.Agreement) {
		side, ok := snapshot.Party(""), false
		signer := string(s.By)
		if p != nil {
			side, ok = sideOf(g, p)
			signer = strings.TrimSuffix(p.Name+", "+p.Signatory.Title, ", ")
		}
		if !ok {
			return // check refused it
		}
		g.Signatures = append(slices.Clone(g.Signatures), snapshot.Signature{Party: side, Signer: signer, At: s.At, By: s.By,
			Here: &snapshot.SignedHere{Person: s.By, Session: s.Session, Method: snapshot.ByPasskey, Intent: a.Intent, Consent: a.Consent, Document: a.Document, Act: s.ID}})
	})
}

// NameSignatory accepts a person as who signs papers for their side: a vendor's word
// that somebody may bind it is judged by the organisation, not by the vendor's login.
type NameSignatory struct {
	ID    id.Person `json:"id"`
	Title string    `json:"title"` // as on the paper
}

func (a NameSignatory) Subject() snapshot.Subject { return subject(snapshot.NounPerson, a.ID) }

func (a NameSignatory) apart(*snapshot.View) []id.Person { return []id.Person{a.ID} }

func (a NameSignatory) check(v *snapshot.View, _ Actor, _ time.Time) error {
	if err := first(personIn(v, a.ID, snapshot.Approved), required("title", a.Title, `"Chief Executive"`)); err != nil {
		return err
	}
	if p, _ := v.Persons.Get(a.ID); p.Signatory.Title == strings.TrimSpace(a.Title) {
		return conflict("", "The person is named with this title already", "Nothing is left to do")
	}
	return nil
}

func (a NameSignatory) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Persons, a.ID, func(p *snapshot.Person) {
		p.Signatory = snapshot.Signatory{Title: strings.TrimSpace(a.Title), By: s.By, At: s.At}
	})
}

// EndSignatory says that the person no longer signs. What they signed stays signed.
type EndSignatory struct {
	ID id.Person `json:"id"`
}

func (a EndSignatory) Subject() snapshot.Subject { return subject(snapshot.NounPerson, a.ID) }

func (a EndSignatory) check(v *snapshot.View, _ Actor, _ time.Time) error {
	p, ok := v.Persons.Get(a.ID)
	if !ok {
		return found("id", v.Persons, a.ID)
	}
	if p.Signatory.By == "" {
		return conflict("", "The person is not named as a signatory", "Nothing is left to do")
	}
	return nil
}

func (a EndSignatory) apply(e *snapshot.Edit, _ Stamp) {
	change(e, e.View().Persons, a.ID, func(p *snapshot.Person) { p.Signatory = snapshot.Signatory{} })
}

// SideOf is the side of the agreement for which the person can sign.
func SideOf(v *snapshot.View, agreement id.Agreement, person id.Person) (snapshot.Party, bool) {
	g, have := v.Agreements.Get(agreement)
	p, known := v.Persons.Get(person)
	if !have || !known {
		return "", false
	}
	return sideOf(g, p)
}

package portal

import (
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/sallyport/sallyport/agreement"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// agreementPage is a paper to be read and signed.
type agreementPage struct {
	Paper    *snapshot.Agreement
	Kind     string
	Lines    []agreement.Line
	Intent   string
	Consent  string
	Signed   bool // the visitor's side has signed
	Complete bool // both sides have
	// SignedFile is where the console gives the visitor the signed paper.
	SignedFile string
	May        bool // the visitor may sign
	Touched    bool // a passkey was touched just now
	Over       bool
	Errors     []formError
}

// formError is something to mend, linked to its field.
type formError struct{ Field, Text string }

var kindNames = map[snapshot.AgreementKind]string{snapshot.BAA: "Business associate agreement", snapshot.SubcontractorBAA: "Subcontractor business associate agreement",
	snapshot.ServicesContract: "Services contract", snapshot.DataUseAgreement: "Data use agreement"}

// signer is the person behind the request, if they are of a side of the agreement. Not
// ok: the answer is written, and does not say whether the agreement exists.
func (s *server) signer(w http.ResponseWriter, r *http.Request) (visitor, *snapshot.Agreement, bool) {
	all := s.visitors(r)
	v := s.Registry.View()
	for _, x := range all {
		if x.Person == nil {
			continue
		}
		key := id.Agreement(r.PathValue("id"))
		if _, _, ok := registry.SigningWords(v, key, x.Person.ID); ok {
			g, _ := v.Agreements.Get(key)
			return x, g, true
		}
	}
	if len(all) == 0 {
		http.Redirect(w, r, "/portal/in", http.StatusSeeOther)
		return visitor{}, nil, false
	}
	s.fail(w, r, problem.New(problem.NotFound, "There is no such page for you", "Sign in as somebody of the parties"))
	return visitor{}, nil, false
}

func (s *server) agreement(w http.ResponseWriter, r *http.Request) {
	if x, g, ok := s.signer(w, r); ok {
		s.showAgreement(w, r, http.StatusOK, x, g, nil)
	}
}

func (s *server) showAgreement(w http.ResponseWriter, r *http.Request, status int, x visitor, g *snapshot.Agreement, errs []formError) {
	v, now := s.Registry.View(), s.Now()
	p := agreementPage{Paper: g, Kind: kindNames[g.Kind], Lines: agreement.Lines(g), Over: g.OverBy(now), Errors: errs, Complete: len(g.Signatures) > 1}
	p.Intent, p.Consent, _ = registry.SigningWords(v, g.ID, x.Person.ID)
	p.May = maySign(x.Person)
	p.SignedFile = "/console/agreements/" + url.PathEscape(string(g.ID)) + "/signed"
	if x.Person.Vendor != "" {
		p.SignedFile = "/console/my/papers/" + url.PathEscape(string(g.ID)) + "/signed"
	}
	p.Signed = sideSigned(v, g, x.Person)
	if session, ok := v.Sessions.Get(x.Actor.Session); ok {
		p.Touched = !session.SteppedUpAt.IsZero() && now.Before(session.SteppedUpAt.Add(v.Settings.StepUpLife))
	}
	s.show(w, r, status, "agreement", p.Kind, p)
}

// maySign is what the act asks of a person besides their side; the act itself decides.
func maySign(p *snapshot.Person) bool {
	if p.Vendor != "" {
		return p.Signatory.By != ""
	}
	return slices.Contains(p.Duties, string(registry.PrivacyOfficer)) || slices.Contains(p.Duties, string(registry.Procurement))
}

// sideSigned reports whether somebody has signed for the person's side.
func sideSigned(v *snapshot.View, g *snapshot.Agreement, p *snapshot.Person) bool {
	side, ok := registry.SideOf(v, g.ID, p.ID)
	return ok && slices.ContainsFunc(g.Signatures, func(x snapshot.Signature) bool { return x.Party == side })
}

func (s *server) agreementSign(w http.ResponseWriter, r *http.Request) {
	x, g, ok := s.signer(w, r)
	if !ok {
		return
	}
	var errs []formError
	if r.PostFormValue("intent") != "yes" {
		errs = append(errs, formError{"intent", "Say that you have read the document and sign it"})
	}
	if r.PostFormValue("consent") != "yes" {
		errs = append(errs, formError{"consent", "Say that you agree to sign electronically"})
	}
	if len(errs) > 0 {
		s.showAgreement(w, r, http.StatusUnprocessableEntity, x, g, errs)
		return
	}
	// The digest is that of the page that was read, so that nobody signs what was amended
	// in between; so are the words.
	a := registry.SignHere{ID: g.ID, Document: r.PostFormValue("document")}
	a.Intent, a.Consent, _ = registry.SigningWords(s.Registry.View(), g.ID, x.Person.ID)
	if err := s.do(r.Context(), x, a, "signed on the page of the agreement"); err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, "/portal/agreements/"+string(g.ID), http.StatusSeeOther)
}

func (s *server) agreementDocument(w http.ResponseWriter, r *http.Request) {
	_, g, ok := s.signer(w, r)
	if !ok {
		return
	}
	d, err := s.Registry.Document(r.Context(), g.Document)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	// As a file, never in the page: what was uploaded is not ours.
	w.Header().Set("Content-Type", d.MediaType)
	w.Header().Set("Content-Disposition", `attachment; filename="`+string(g.ID)+ending(d.MediaType)+`"`)
	_, _ = w.Write(d.Content) // the browser has gone: nothing to do
}

func ending(media string) string {
	switch media {
	case "application/pdf":
		return ".pdf"
	case "text/plain":
		return ".txt"
	}
	return ".bin"
}

// papersToSign are those that wait for the visitor's signature.
func papersToSign(v *snapshot.View, x visitor, now time.Time) []Task {
	if x.Person == nil || !maySign(x.Person) {
		return nil
	}
	var out []Task
	for _, g := range v.Agreements.All() {
		if g.State != snapshot.Proposed && g.State != snapshot.Approved || g.OverBy(now) || sideSigned(v, g, x.Person) {
			continue
		}
		if _, _, ok := registry.SigningWords(v, g.ID, x.Person.ID); ok {
			out = append(out, Task{Title: "Sign: " + kindNames[g.Kind], Href: "/portal/agreements/" + string(g.ID), Help: "Agreement " + string(g.ID) + ". Read it, then sign it with your passkey."})
		}
	}
	return out
}

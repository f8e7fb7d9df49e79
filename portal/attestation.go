package portal

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/offboarding"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// What a vendor attests after the parting: what became of the data, form by form (45 CFR
// 164.504(e)(2)(ii)(J)). A page lists the forms, and each has a page of its own, saved by
// itself. The link goes on working though everything else of the vendor has ended, until
// the offboarding is complete or the link is revoked.

func (s *server) attestationRoutes() []route {
	return []route{
		{"GET /portal/offboardings/{id}", s.attestation, 0},
		{"GET /portal/offboardings/{id}/{form}", s.attestation, 0},
		{"POST /portal/offboardings/{id}/{form}", s.attest, maxUpload},
	}
}

func attestationPath(key id.Offboarding) string {
	return "/portal/offboardings/" + url.PathEscape(string(key))
}

func attestationSubject(key id.Offboarding) snapshot.Subject {
	return snapshot.Subject{Noun: snapshot.NounOffboarding, ID: string(key)}
}

// attestationTasks are the partings of which a visitor can say what became of the data.
func attestationTasks(v *snapshot.View, x visitor, now time.Time) []Task {
	var out []Task
	for _, o := range v.Offboardings.All() {
		if x.Vendor == "" || o.Vendor != x.Vendor || !o.CompletedAt.IsZero() || x.Person == nil && !x.holds(snapshot.LinkAttestation, attestationSubject(o.ID)) {
			continue
		}
		t := Task{Title: "Say what became of the data", Href: attestationPath(o.ID), Help: fmt.Sprintf("%d of %d forms are attested. Due on %s.", len(o.Dispositions), len(snapshot.DataForms), day(o.DueAt))}
		if now.After(o.DueAt) {
			t.Help += " That is past."
		}
		out = append(out, t)
	}
	return out
}

// attestationPage is the list of forms and, where Form is set, the page of one of them
// with what was typed last.
type attestationPage struct {
	O            *snapshot.Offboarding
	Vendor       string
	Organisation string
	Path         string
	Open         bool // it is not complete
	Late         bool
	Person       *snapshot.Person // nil: by a link
	Forms        []formRow
	Done, All    int
	First        string // the first that is missing; "": none
	Errors       []fieldError
	Wrong        map[string]bool

	Form       snapshot.DataForm // "": the list
	Name       string
	Had        *snapshot.Disposition // what is recorded
	HadOutcome string
	Typed      map[string]string
	Warnings   []string // why the words look as if they held patient data
	Outcomes   []choice
	Methods    []choice
	Techniques []choice
}

type formRow struct {
	snapshot.DataForm
	Name, Href, Outcome string
	This                bool
}

var outcomeLabels = map[snapshot.Outcome]string{
	snapshot.NeverHeld:  "We never held the data in this form",
	snapshot.Returned:   "We returned it, and kept no copy",
	snapshot.Destroyed:  "We destroyed it",
	snapshot.Cleared:    "We tested the weights, and they hold no patient data",
	snapshot.Infeasible: "To return or destroy it is not feasible",
}

var methodLabels = map[string]string{
	"clear":   "Clear: overwritten or deleted, so that ordinary tools cannot bring it back",
	"purge":   "Purge: so that a laboratory cannot bring it back, by erasing the keys for instance",
	"destroy": "Destroy: the medium itself is gone",
}

// attestationOf is the offboarding of the path, and a visitor who may attest.
func (s *server) attestationOf(w http.ResponseWriter, r *http.Request) (visitor, *snapshot.Offboarding, bool) {
	key := id.Offboarding(r.PathValue("id"))
	o, known := s.Registry.View().Offboardings.Get(key)
	var vendor id.Vendor
	if known {
		vendor = o.Vendor
	}
	x, ok := s.visitor(w, r, vendor, snapshot.LinkAttestation, attestationSubject(key))
	return x, o, ok && known
}

func (s *server) attestation(w http.ResponseWriter, r *http.Request) {
	x, o, ok := s.attestationOf(w, r)
	if !ok {
		return
	}
	form := snapshot.DataForm(r.PathValue("form"))
	if form != "" && !slices.Contains(snapshot.DataForms, form) {
		s.fail(w, r, problem.New(problem.NotFound, "There is no such form", "Go back to the list"))
		return
	}
	s.showAttestation(w, r, http.StatusOK, s.attestationForm(x, o, form, nil))
}

// attestationForm is the page of a form, with what was sent or else what is recorded.
func (s *server) attestationForm(x visitor, o *snapshot.Offboarding, form snapshot.DataForm, sent map[string]string) attestationPage {
	p := attestationPage{O: o, Vendor: string(o.Vendor), Organisation: s.Organisation, Path: attestationPath(o.ID), Open: o.CompletedAt.IsZero(), Late: s.Now().After(o.DueAt),
		Person: x.Person, All: len(snapshot.DataForms), Form: form, Name: offboarding.FormName(form), Typed: sent, Wrong: map[string]bool{}}
	if w, ok := s.Registry.View().Vendors.Get(o.Vendor); ok {
		p.Vendor = w.Name
	}
	for _, f := range snapshot.DataForms {
		row := formRow{DataForm: f, Name: offboarding.FormName(f), Href: p.Path + "/" + string(f), This: f == form}
		if d, ok := o.Dispositions[f]; ok {
			p.Done++
			row.Outcome = offboarding.OutcomeName(d.Outcome)
		} else if p.First == "" {
			p.First = row.Href
		}
		p.Forms = append(p.Forms, row)
	}
	if form == "" {
		return p
	}
	d, ok := o.Dispositions[form]
	if ok {
		p.Had, p.HadOutcome = &d, offboarding.OutcomeName(d.Outcome)
	}
	if sent == nil {
		p.Typed = map[string]string{"outcome": string(d.Outcome), "method": d.Method, "technique": d.Technique, "items": d.Items, "why": d.Why, "protections": d.Protections,
			"sanitized_by": d.Sanitized, "verified_by": d.Verified, "attester": d.Attester}
		if !d.ReviewAt.IsZero() {
			p.Typed["review_at"] = d.ReviewAt.UTC().Format(time.DateOnly)
		}
	}
	for _, out := range snapshot.Outcomes {
		if out != snapshot.Cleared || form == snapshot.ModelWeights {
			p.Outcomes = append(p.Outcomes, choice{string(out), outcomeLabels[out], p.Typed["outcome"] == string(out)})
		}
	}
	for _, m := range registry.Sanitizations {
		p.Methods = append(p.Methods, choice{m, methodLabels[m], p.Typed["method"] == m})
	}
	for _, t := range registry.Techniques {
		p.Techniques = append(p.Techniques, choice{t, strings.ReplaceAll(t, "-", " "), p.Typed["technique"] == t})
	}
	return p
}

func (s *server) showAttestation(w http.ResponseWriter, r *http.Request, status int, p attestationPage) {
	title := "What became of the data"
	if p.Form != "" {
		title = p.Name
	}
	for _, e := range p.Errors {
		p.Wrong[e.Field] = true
	}
	s.show(w, r, status, "attestation", title, p)
}

// attest saves what is said of one form.
func (s *server) attest(w http.ResponseWriter, r *http.Request) {
	x, o, ok := s.attestationOf(w, r)
	if !ok {
		return
	}
	form := snapshot.DataForm(r.PathValue("form"))
	if !slices.Contains(snapshot.DataForms, form) {
		s.fail(w, r, problem.New(problem.NotFound, "There is no such form", "Go back to the list"))
		return
	}
	sent, file, err := attestationSent(r)
	if err != nil {
		p := s.attestationForm(x, o, form, sent)
		p.Errors = []fieldError{{"file", sentence(fieldTitle(problem.From(err))) + " " + sentence(problem.From(err).NextStep)}}
		s.showAttestation(w, r, http.StatusBadRequest, p)
		return
	}
	p := s.attestationForm(x, o, form, sent)
	a := attestationAct(&p, sent, file)
	if len(p.Errors) > 0 {
		s.showAttestation(w, r, http.StatusBadRequest, p)
		return
	}
	if err := s.do(r.Context(), x, a, "attested on the vendor's page"); err != nil {
		if e := problem.From(err); e.Kind == problem.Invalid {
			p.Errors = []fieldError{{attestationField(e.Field), sentence(fieldTitle(e)) + " " + sentence(e.NextStep)}}
			s.showAttestation(w, r, http.StatusBadRequest, p)
			return
		}
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, p.Path+"#"+string(form), http.StatusSeeOther)
}

// attestationField is the field of the page for one of the act.
func attestationField(field string) string {
	switch field {
	case "document_sha256", "media_type", "content", "size":
		return "file"
	case "form", "id":
		return "outcome"
	}
	return field
}

// attestationAct is what was sent, as an act: of each outcome what belongs to it, so that
// what was typed before somebody chose another is not said. What does not read, or was
// not signed, goes to the page's errors.
func attestationAct(p *attestationPage, sent map[string]string, file *sentFile) registry.AttestDisposition {
	wrong := func(field, text string) { p.Errors = append(p.Errors, fieldError{field, text}) }
	a := registry.AttestDisposition{ID: p.O.ID, Form: p.Form, Outcome: snapshot.Outcome(sent["outcome"]), Attester: sent["attester"]}
	if !slices.Contains(snapshot.Outcomes, a.Outcome) {
		wrong("outcome", "Say what became of it: choose one.")
	}
	if a.Outcome != snapshot.NeverHeld {
		a.Items = sent["items"]
	}
	switch a.Outcome {
	case snapshot.Destroyed:
		a.Method, a.Technique, a.Sanitized, a.Verified = sent["method"], sent["technique"], sent["sanitized_by"], sent["verified_by"]
	case snapshot.Infeasible:
		a.Why, a.Protections = sent["why"], sent["protections"]
		if at := sent["review_at"]; at != "" {
			var err error
			if a.ReviewAt, err = time.Parse(time.DateOnly, at); err != nil {
				wrong("review_at", "This is no date: write it as 2027-03-31.")
			}
		}
	}
	if p.Warnings = warnings(strings.Join([]string{a.Items, a.Why, a.Protections}, "\n")); len(p.Warnings) > 0 && sent["looked"] == "" {
		wrong("looked", "The words look as if they held patient data: look again.")
	}
	if p.Person == nil && a.Attester == "" {
		wrong("attester", "Say who you are: your name and your title.")
	}
	if sent["sure"] == "" {
		wrong("sure", "Nothing is saved before you certify it.")
	}
	switch {
	case file != nil:
		a = a.With(file.media, file.content)
	case p.Had != nil && sent["keep"] != "":
		a.Document = p.Had.Document
	}
	return a
}

// sentFile is a file of a form; what a browser calls it could hold anything, and is not
// read.
type sentFile struct {
	media   string
	content []byte
}

// maxField bounds a field of the form, in bytes; the registry's bound is below it.
const maxField = 8 << 10

// attestationSent reads the form: its fields, without space at the ends, and its file,
// if one was chosen. Of an error, the fields that were read stay.
func attestationSent(r *http.Request) (map[string]string, *sentFile, error) {
	out := map[string]string{}
	bad := problem.BadField("file", "could not be read", "Choose a PDF, PNG, JPEG, text, CSV, DOCX or XLSX file of at most 5 MB")
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "multipart/form-data" {
		if err := r.ParseForm(); err != nil {
			return out, nil, bad.Because(err)
		}
		for key := range r.PostForm {
			out[key] = strings.TrimSpace(r.PostForm.Get(key))
		}
		return out, nil, nil
	}
	parts, err := r.MultipartReader()
	if err != nil {
		return out, nil, bad.Because(err)
	}
	var file *sentFile
	for range 64 {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return out, file, nil
		}
		if err != nil {
			return out, nil, bad.Because(err)
		}
		limit := int64(maxField)
		if part.FormName() == "file" {
			limit = registry.MaxEvidence
		}
		raw, err := io.ReadAll(io.LimitReader(part, limit+1))
		if err != nil || int64(len(raw)) > limit {
			return out, nil, problem.BadField(cmpField(part), "is too long", "Shorten it; a file has at most 5 MB").Because(err)
		}
		if part.FormName() != "file" {
			out[part.FormName()] = strings.TrimSpace(string(raw))
			continue
		}
		if len(raw) == 0 { // none was chosen
			continue
		}
		media, _, err := mime.ParseMediaType(part.Header.Get("Content-Type"))
		if err != nil {
			return out, nil, bad.Because(err)
		}
		file = &sentFile{media, raw}
	}
	return out, nil, bad
}

func cmpField(part *multipart.Part) string {
	if part.FormName() == "file" {
		return "file"
	}
	return "A field"
}

package portal

import (
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/diligence"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// The questionnaire, a domain a page: a form for each question, so that an answer is
// saved by itself (and as it is typed, where there is script), a form for its files, and
// one to hand a page's questions to a colleague.

func (s *server) questionnaireRoutes() []route {
	return []route{
		{"GET /portal/questionnaires/{id}", s.questionnaire, 0},
		{"POST /portal/questionnaires/{id}/submit", s.submit, 0},
		{"POST /portal/questionnaires/{id}/import", s.importClaims, maxUpload},
		{"GET /portal/questionnaires/{id}/{domain}", s.domain, 0},
		{"POST /portal/questionnaires/{id}/{domain}/delegate", s.delegate, 0},
		{"POST /portal/questionnaires/{id}/{domain}/{question}/answer", s.answer, 0},
		{"POST /portal/questionnaires/{id}/{domain}/{question}/attach", s.attach, maxUpload},
		{"POST /portal/questionnaires/{id}/{domain}/{question}/drop", s.drop, 0},
	}
}

func questionnairePath(key id.Questionnaire) string {
	return "/portal/questionnaires/" + url.PathEscape(string(key))
}

func questionnaireSubject(key id.Questionnaire) snapshot.Subject {
	return snapshot.Subject{Noun: snapshot.NounQuestionnaire, ID: string(key)}
}

// questionnaireTasks are the questionnaires that a visitor can answer.
func questionnaireTasks(v *snapshot.View, x visitor, now time.Time) []Task {
	var out []Task
	for _, q := range v.QuestionnairesOf(x.Vendor) {
		if q.Stage != snapshot.QuestionsSent || x.Person == nil && !x.holds(snapshot.LinkQuestionnaire, questionnaireSubject(q.ID)) {
			continue
		}
		mine := 0
		if x.Person != nil {
			for question, who := range q.Delegated {
				if who == x.Person.ID && slices.Contains(q.Asked, question) && q.Answers[question].Value == "" {
					mine++
				}
			}
		}
		t := Task{Title: "Due-diligence questions", Href: questionnairePath(q.ID), Help: fmt.Sprintf("%d of %d are answered. Due on %s.", len(q.Asked)-len(diligence.Unanswered(q)), len(q.Asked), day(q.DueAt))}
		if now.After(q.DueAt) {
			t.Help += " That is past."
		}
		if mine > 0 {
			t.Help += fmt.Sprintf(" %d were given to you.", mine)
		}
		out = append(out, t)
	}
	return out
}

// questionnaireOf finds the questionnaire of the path, and a visitor who may answer it.
func (s *server) questionnaireOf(w http.ResponseWriter, r *http.Request) (visitor, *snapshot.Questionnaire, bool) {
	key := id.Questionnaire(r.PathValue("id"))
	q, known := s.Registry.View().Questionnaires.Get(key)
	var vendor id.Vendor
	if known {
		vendor = q.Vendor
	}
	x, ok := s.visitor(w, r, vendor, snapshot.LinkQuestionnaire, questionnaireSubject(key))
	return x, q, ok && known
}

type questionnairePage struct {
	Q       *snapshot.Questionnaire
	Path    string
	Done    int
	Asked   int
	Carried int
	Open    bool // with the vendor still
	Domains []domainRow
	Missing []fault
	Claims  int // imported, and not confirmed
}

type domainRow struct {
	hipaa.QuestionDomain
	Href  string
	Done  int
	Asked int
}

// fault is one thing to mend: a link to its field, and what it is.
type fault struct {
	Field string // the id of an element, or a path
	Text  string
}

func (s *server) questionnaire(w http.ResponseWriter, r *http.Request) {
	_, q, ok := s.questionnaireOf(w, r)
	if !ok {
		return
	}
	s.showQuestionnaire(w, r, http.StatusOK, q, nil)
}

func (s *server) showQuestionnaire(w http.ResponseWriter, r *http.Request, status int, q *snapshot.Questionnaire, missing []fault) {
	p := questionnairePage{Q: q, Path: questionnairePath(q.ID), Asked: len(q.Asked), Open: q.Stage == snapshot.QuestionsSent, Missing: missing}
	lacking := diligence.Unanswered(q)
	p.Done = p.Asked - len(lacking)
	for _, a := range q.Answers {
		if a.Carried != "" {
			p.Carried++
		}
		if a.Imported != "" {
			p.Claims++
		}
	}
	for _, d := range hipaa.QuestionDomains() {
		row := domainRow{QuestionDomain: d, Href: p.Path + "/" + d.ID}
		for _, x := range q.Asked {
			if question, _ := hipaa.LookupQuestion(x); question.Domain == d.ID {
				row.Asked++
				if !slices.Contains(lacking, x) {
					row.Done++
				}
			}
		}
		if row.Asked > 0 {
			p.Domains = append(p.Domains, row)
		}
	}
	s.show(w, r, status, "questionnaire", "Due-diligence questions", p)
}

type domainPage struct {
	Q         *snapshot.Questionnaire
	Domain    hipaa.QuestionDomain
	Path      string // of the questionnaire
	Here      string
	Open      bool
	Questions []questionRow
	Errors    []fault
	Next      string // the next domain with questions; empty: this is the last
	People    []*snapshot.Person
	Types     string // of files, for the file field
}

type questionRow struct {
	hipaa.Question
	Answer    snapshot.VendorAnswer
	Options   []optionRow
	Detail    string
	Value     string
	Delegated string
	Error     string
	Saved     string
}

type optionRow struct {
	Value   string
	Label   string
	Checked bool
}

var optionLabels = map[string]string{"yes": "Yes", "no": "No", "partly": "Partly", "with_changes": "With changes", "not_applicable": "Not applicable", "deidentified_only": "De-identified data only"}

func (s *server) domain(w http.ResponseWriter, r *http.Request) {
	_, q, ok := s.questionnaireOf(w, r)
	if !ok {
		return
	}
	s.showDomain(w, r, http.StatusOK, q, r.PathValue("domain"), "", nil, "", "")
}

// showDomain writes a domain's page; with an error, the form that it is about keeps what
// was typed.
func (s *server) showDomain(w http.ResponseWriter, r *http.Request, status int, q *snapshot.Questionnaire, domain, wrong string, err error, value, detail string) {
	p := domainPage{Q: q, Path: questionnairePath(q.ID), Open: q.Stage == snapshot.QuestionsSent}
	found := false
	for _, d := range hipaa.QuestionDomains() {
		asks := slices.ContainsFunc(q.Asked, func(x string) bool { question, _ := hipaa.LookupQuestion(x); return question.Domain == d.ID })
		switch {
		case d.ID == domain && asks:
			p.Domain, found = d, true
		case found && asks && p.Next == "":
			p.Next = p.Path + "/" + d.ID
		}
	}
	if !found {
		s.fail(w, r, problem.New(problem.NotFound, "Nothing is asked there", "Go back to the list"))
		return
	}
	p.Here = p.Path + "/" + domain
	v := s.Registry.View()
	for _, who := range v.Persons.All() {
		if who.Vendor == q.Vendor && who.State == snapshot.Approved {
			p.People = append(p.People, who)
		}
	}
	for _, x := range hipaa.Questions() {
		if x.Domain != domain || !slices.Contains(q.Asked, x.ID) {
			continue
		}
		row := questionRow{Question: x, Answer: q.Answers[x.ID]}
		row.Value, row.Detail = row.Answer.Value, row.Answer.Detail
		if x.ID == wrong && err != nil {
			row.Value, row.Detail = value, detail
			row.Error = sentence(problem.From(err).Title) + " " + sentence(problem.From(err).NextStep)
			p.Errors = append(p.Errors, fault{Field: "answer-" + x.ID, Text: x.ID + ": " + row.Error})
		}
		for _, o := range x.Options() {
			label, ok := optionLabels[o]
			if !ok {
				label = o
			}
			row.Options = append(row.Options, optionRow{o, label, row.Value == o})
		}
		if who, ok := v.Persons.Get(q.Delegated[x.ID]); ok {
			row.Delegated = who.Name
		}
		if diligence.Answered(x, row.Answer) {
			row.Saved = "Saved " + when(row.Answer.AnsweredAt)
		}
		p.Questions = append(p.Questions, row)
	}
	s.show(w, r, status, "domain", p.Domain.Name, p)
}

// answer saves one answer. To our own script it says so in JSON; a browser without it
// comes back to the page, at the question.
func (s *server) answer(w http.ResponseWriter, r *http.Request) {
	x, q, ok := s.questionnaireOf(w, r)
	if !ok {
		return
	}
	question, value, detail := r.PathValue("question"), strings.ReplaceAll(r.PostFormValue("value"), "\r\n", "\n"), strings.ReplaceAll(r.PostFormValue("detail"), "\r\n", "\n")
	had := q.Answers[question]
	var err error
	if had.AnsweredAt.IsZero() || had.Value != value || had.Detail != detail || had.Imported != "" {
		err = s.do(r.Context(), x, registry.AnswerQuestion{ID: q.ID, Question: question, Value: value, Detail: detail}, "answered in the portal")
	}
	if problem.ForPrograms(r) {
		if err != nil {
			problem.From(err).Write(w)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"text":"Saved"}`)) // the browser has gone: nothing to do
		return
	}
	known, _ := hipaa.LookupQuestion(question)
	if p := problem.From(err); err != nil && p.Kind == problem.Invalid && known.ID != "" {
		s.showDomain(w, r, p.Kind.Status(), q, known.Domain, question, err, value, detail)
		return
	}
	s.back(w, r, q, question, err)
}

// back leads to the question's place on its page, or tells what went wrong.
func (s *server) back(w http.ResponseWriter, r *http.Request, q *snapshot.Questionnaire, question string, err error) {
	if err != nil {
		s.fail(w, r, err)
		return
	}
	known, _ := hipaa.LookupQuestion(question)
	http.Redirect(w, r, questionnairePath(q.ID)+"/"+known.Domain+"#"+url.PathEscape(question), http.StatusSeeOther)
}

// attach stores a file of evidence.
func (s *server) attach(w http.ResponseWriter, r *http.Request) {
	x, q, ok := s.questionnaireOf(w, r)
	if !ok {
		return
	}
	question := r.PathValue("question")
	known, _ := hipaa.LookupQuestion(question)
	content, media, err := upload(r, "file")
	if err == nil {
		err = s.do(r.Context(), x, registry.NewEvidence(q.ID, question, media, content), "attached in the portal")
	}
	if p := problem.From(err); err != nil && p.Kind != problem.Internal && p.Kind != problem.Unavailable && p.Kind != problem.Refused && known.ID != "" {
		s.showDomain(w, r, p.Kind.Status(), q, known.Domain, question, err, q.Answers[question].Value, q.Answers[question].Detail)
		return
	}
	s.back(w, r, q, question, err)
}

// maxUpload bounds a form with a file.
const maxUpload = registry.MaxEvidence + 64<<10

// upload reads the file of a form, which stays in memory and is named by nobody: what a
// browser calls it could hold anything.
func upload(r *http.Request, field string) (content []byte, media string, err error) {
	bad := func(title string) error {
		return problem.BadField(field, title, "Choose a PDF, PNG, JPEG, text, CSV, DOCX or XLSX file of at most 5 MB")
	}
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, "", bad("is missing")
	}
	for {
		part, err := parts.NextPart()
		if err != nil {
			return nil, "", bad("is missing, or too long")
		}
		if part.FormName() != field {
			continue
		}
		content, err := io.ReadAll(io.LimitReader(part, registry.MaxEvidence+1))
		if err != nil {
			return nil, "", bad("is too long")
		}
		media, _, err := mime.ParseMediaType(part.Header.Get("Content-Type"))
		if err != nil || len(content) == 0 {
			return nil, "", bad("is empty, or has no type")
		}
		return content, media, nil
	}
}

// drop takes a file off an answer.
func (s *server) drop(w http.ResponseWriter, r *http.Request) {
	x, q, ok := s.questionnaireOf(w, r)
	if !ok {
		return
	}
	question := r.PathValue("question")
	err := s.do(r.Context(), x, registry.DropEvidence{ID: q.ID, Question: question, Digest: r.PostFormValue("sha256")}, "taken off in the portal")
	s.back(w, r, q, question, err)
}

// delegate gives a domain's questions, or those that are ticked, to a colleague.
func (s *server) delegate(w http.ResponseWriter, r *http.Request) {
	x, q, ok := s.questionnaireOf(w, r)
	if !ok {
		return
	}
	if err := r.ParseForm(); err != nil {
		s.fail(w, r, problem.New(problem.Invalid, "The form cannot be read", "Send it again").Because(err))
		return
	}
	err := s.do(r.Context(), x, registry.DelegateQuestions{ID: q.ID, Questions: r.PostForm["question"], To: id.Person(r.PostFormValue("to"))}, "delegated in the portal")
	if err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, questionnairePath(q.ID)+"/"+url.PathEscape(r.PathValue("domain")), http.StatusSeeOther)
}

// importClaims reads a vendor's export and fills in what it claims.
func (s *server) importClaims(w http.ResponseWriter, r *http.Request) {
	x, q, ok := s.questionnaireOf(w, r)
	if !ok {
		return
	}
	content, _, err := upload(r, "file")
	if err != nil {
		s.fail(w, r, err)
		return
	}
	format, lines, err := diligence.ReadExport(content)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	a := registry.ImportClaims{ID: q.ID, From: format, Source: registry.NewDocument("text/csv", content).Digest}
	for _, m := range diligence.MapClaims(format, lines) {
		if slices.Contains(q.Asked, m.Question) && q.Answers[m.Question].Value == "" {
			a.Claims = append(a.Claims, registry.Claim{Question: m.Question, Value: m.Value, Detail: m.Detail})
		}
	}
	if len(a.Claims) == 0 {
		s.fail(w, r, problem.New(problem.Conflict, "Nothing in the file answers a question that has no answer yet", "Answer the questions here"))
		return
	}
	if err := s.do(r.Context(), x, a, "import in the portal"); err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, questionnairePath(q.ID), http.StatusSeeOther)
}

// submit hands the answers in; what is missing is listed, each with a link to it.
func (s *server) submit(w http.ResponseWriter, r *http.Request) {
	x, q, ok := s.questionnaireOf(w, r)
	if !ok {
		return
	}
	if missing := diligence.Unanswered(q); len(missing) > 0 && q.Stage == snapshot.QuestionsSent {
		var faults []fault
		for _, m := range missing {
			known, _ := hipaa.LookupQuestion(m)
			faults = append(faults, fault{questionnairePath(q.ID) + "/" + known.Domain + "#" + m, m + ": " + known.Text})
		}
		s.showQuestionnaire(w, r, http.StatusConflict, q, faults)
		return
	}
	if err := s.do(r.Context(), x, registry.SubmitQuestionnaire{ID: q.ID}, "handed in in the portal"); err != nil {
		s.fail(w, r, err)
		return
	}
	s.show(w, r, http.StatusOK, "message", "Thank you", message{Text: "Your answers are handed in. The organisation reads them now, and may give the questionnaire back to you with questions.",
		Link: "/portal", LinkText: "To what waits for you"})
}

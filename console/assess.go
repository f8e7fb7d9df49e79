package console

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sallyport/sallyport/breach"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

// assessments keeps what people answered on their way through the guided assessment of
// an incident: in memory alone, for a day, until they do the act. Nothing rests on it.
type assessments struct {
	mu  sync.Mutex
	all map[assessKey]assessing
}

type assessKey struct {
	by       id.Person
	incident id.Incident
}

type assessing struct {
	snapshot.BreachAssessment
	said  map[string]bool // the steps that were answered
	until time.Time
}

const (
	assessLife = 24 * time.Hour
	assessAll  = 500
	// assessLong is how long a reason may be, in bytes; the act says so too.
	assessLong = 2000
)

func newAssessments() *assessments { return &assessments{all: map[assessKey]assessing{}} }

// get is what the visitor answered so far, or else what is on record.
func (a *assessments) get(v *visit, x *snapshot.Incident) assessing {
	a.mu.Lock()
	defer a.mu.Unlock()
	if got, ok := a.all[assessKey{v.Person.ID, x.ID}]; ok && v.Now.Before(got.until) {
		return got.copied()
	}
	out := assessing{said: map[string]bool{}}
	if x.Assessment != nil {
		out.BreachAssessment = *x.Assessment
		for _, s := range out.steps() {
			out.said[s.Key] = true
		}
	}
	return out.copied()
}

func (a assessing) copied() assessing {
	a.Holds, a.Factors, a.said = maps.Clone(a.Holds), maps.Clone(a.Factors), maps.Clone(a.said)
	if a.Holds == nil {
		a.Holds = map[string]snapshot.Answered{}
	}
	if a.Factors == nil {
		a.Factors = map[string]snapshot.Answered{}
	}
	return a
}

func (a *assessments) put(v *visit, x *snapshot.Incident, d assessing) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for k, old := range a.all {
		if !v.Now.Before(old.until) {
			delete(a.all, k)
		}
	}
	for len(a.all) >= assessAll {
		oldest, first := assessKey{}, time.Time{}
		for k, old := range a.all {
			if first.IsZero() || old.until.Before(first) {
				oldest, first = k, old.until
			}
		}
		delete(a.all, oldest)
	}
	d.until = v.Now.Add(assessLife)
	a.all[assessKey{v.Person.ID, x.ID}] = d.copied()
}

// assessStep is one page of the assessment.
type assessStep struct {
	Key, Short string
	Text       string
	Help       string
	Citation   hipaa.Citation
	Yes, No    string // what each answer means
	Answer     snapshot.Answered
	Done, Here bool
}

const (
	stepUnsecured = "unsecured"
	stepException = "exception"
	stepLow       = "low_probability"
	stepCheck     = "check"
)

// steps are the pages that the answers so far lead through.
func (a assessing) steps() []assessStep {
	out := []assessStep{{Key: stepUnsecured, Short: "Unsecured?", Text: "Was it PHI that was not rendered unusable, unreadable or indecipherable to unauthorized persons?",
		Help: "Encryption counts if it follows the guidance and the key was not lost with the data.", Citation: hipaa.MustCite("D-UNSEC"),
		Yes: "Yes, it could be read", No: "No, nobody could read it", Answer: a.Unsecured}}
	if a.said[stepUnsecured] && !a.Unsecured.Yes {
		return append(out, assessStep{Key: stepCheck, Short: "Conclusion"})
	}
	out = append(out, assessStep{Key: stepException, Short: "An exception?", Text: "Does one of the three exceptions fit?", Citation: hipaa.MustCite("B-402-presume")})
	if e, ok := exceptionOf(a.Exception); ok {
		for i, q := range e.Needs {
			out = append(out, assessStep{Key: "hold." + q.Key, Short: fmt.Sprintf("It needs %d", i+1), Text: q.Text, Help: e.Note, Citation: q.Citation, Yes: "Yes, it holds", No: "No", Answer: a.Holds[q.Key]})
		}
	} else {
		for i, q := range breach.Factors() {
			out = append(out, assessStep{Key: "factor." + q.Key, Short: fmt.Sprintf("Factor %d", i+1), Text: q.Text, Citation: q.Citation, Yes: "Yes, it lowers the probability", No: "No", Answer: a.Factors[q.Key]})
		}
		out = append(out, assessStep{Key: stepLow, Short: "Together", Text: "Do all four factors together show a low probability that the PHI was compromised?",
			Help: "If they do not, it is a breach. If none of them lowers the probability, they cannot.", Citation: hipaa.MustCite("B-402-presume"), Yes: "Yes, a low probability", No: "No, or it cannot be shown", Answer: snapshot.Answered{Yes: a.LowProbability}})
	}
	return append(out, assessStep{Key: stepCheck, Short: "Conclusion"})
}

func exceptionOf(key string) (breach.Exception, bool) {
	all := breach.Exceptions()
	if i := slices.IndexFunc(all, func(e breach.Exception) bool { return e.Key == key }); i >= 0 {
		return all[i], true
	}
	return breach.Exception{}, false
}

type assessPage struct {
	Incident   *snapshot.Incident
	Steps      []assessStep
	Step       assessStep
	Path       string
	Number     int
	Exceptions []assessException
	NoReason   bool // this step asks for no reason of its own
	Error      string
	Why        string // as it was typed
	Answered   bool
	Yes        bool
	// On the last page.
	Answers    []assessStep
	Conclusion breach.Conclusion
	Would      string // what it comes to once approved
	Missing    string
	MissingAt  string
	Fields     []careField
	OnRecord   bool
}

type assessException struct {
	breach.Exception
	Chosen bool
}

func (s *server) assessShown(v *visit) (assessPage, error) {
	x, err := s.anIncident(v)
	if err != nil {
		return assessPage{}, err
	}
	return s.assessPage(v, x, s.assessing.get(v, x), v.URL.Query().Get("step"))
}

func (s *server) assessPage(v *visit, x *snapshot.Incident, a assessing, at string) (assessPage, error) {
	v.under("Incidents", "/console/incidents", x.Title, incidentPath(x, ""))
	out := assessPage{Incident: x, Steps: a.steps(), Path: incidentPath(x, "/assess"), OnRecord: x.Assessment != nil}
	i := slices.IndexFunc(out.Steps, func(st assessStep) bool { return st.Key == at })
	if i < 0 { // the first that is not answered
		i = max(0, slices.IndexFunc(out.Steps, func(st assessStep) bool { return !a.said[st.Key] }))
	}
	for j := range out.Steps {
		out.Steps[j].Done, out.Steps[j].Here = a.said[out.Steps[j].Key], j == i
	}
	out.Step, out.Number = out.Steps[i], i+1
	out.Why, out.Answered, out.Yes = out.Step.Answer.Why, out.Step.Done, out.Step.Answer.Yes
	v.call(fmt.Sprintf("Is it a breach? %d of %d", out.Number, len(out.Steps)))
	switch out.Step.Key {
	case stepException:
		out.NoReason = true
		for _, e := range breach.Exceptions() {
			out.Exceptions = append(out.Exceptions, assessException{e, e.Key == a.Exception})
		}
	case stepLow:
		out.NoReason = true
	case stepCheck:
		out.conclude(v, x, a)
	}
	return out, nil
}

// conclude is the last page: the answers, what they come to, and the act.
func (p *assessPage) conclude(v *visit, x *snapshot.Incident, a assessing) {
	b := a.asked()
	for _, st := range p.Steps {
		if st.Key != stepCheck && st.Key != stepException {
			p.Answers = append(p.Answers, st)
		}
	}
	if err := breach.CheckAssessment(&b); err != nil {
		x := problem.From(err)
		p.Missing = sentence(x.Title)
		if x.NextStep != "" {
			p.Missing += " " + sentence(x.NextStep)
		}
		p.MissingAt = stepAt(x.Field, p.Steps)
	}
	b.AssessedBy = v.Person.ID
	p.Conclusion = breach.Conclude(&b)
	p.Would = map[breach.Basis]string{breach.Secured: "no breach: the PHI was not unsecured", breach.Excepted: "no breach: an exception holds", breach.LowProbability: "no breach: a low probability that the PHI was compromised"}[p.Conclusion.Would]
	p.Fields = []careField{{"id", string(x.ID)}, {"unsecured.yes", fmt.Sprint(b.Unsecured.Yes)}, {"unsecured.why", b.Unsecured.Why}}
	if b.Exception != "" {
		p.Fields = append(p.Fields, careField{"exception", b.Exception})
	}
	for name, m := range map[string]map[string]snapshot.Answered{"exception_holds": b.Holds, "factors": b.Factors} {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			p.Fields = append(p.Fields, careField{name + "." + k + ".yes", fmt.Sprint(m[k].Yes)}, careField{name + "." + k + ".why", m[k].Why})
		}
	}
	if b.LowProbability {
		p.Fields = append(p.Fields, careField{"low_probability", "true"})
	}
	slices.SortStableFunc(p.Fields, func(a, b careField) int { return strings.Compare(a.Name, b.Name) })
}

// asked is the assessment with the answers that its way asks for, and no others.
func (a assessing) asked() snapshot.BreachAssessment {
	b := a.BreachAssessment
	b.ApprovedBy, b.ApprovedAt = "", time.Time{}
	switch _, excepted := exceptionOf(b.Exception); {
	case !b.Unsecured.Yes:
		b.Exception, b.Holds, b.Factors, b.LowProbability = "", nil, nil, false
	case excepted:
		b.Factors, b.LowProbability = nil, false
	default:
		b.Exception, b.Holds = "", nil
	}
	return b
}

// stepAt is the page of the field that is not in order.
func stepAt(field string, steps []assessStep) string {
	key := field
	if rest, ok := strings.CutPrefix(field, "factors."); ok {
		key = "factor." + strings.TrimSuffix(rest, ".why")
	} else if rest, ok := strings.CutPrefix(field, "exception_holds."); ok {
		key = "hold." + strings.TrimSuffix(rest, ".why")
	}
	for _, s := range steps {
		if s.Key == key || strings.HasPrefix(field, s.Key+".") {
			return s.Key
		}
	}
	return stepUnsecured
}

// assessSaved keeps the answer of one page and goes on to the next.
func (s *server) assessSaved(v *visit) (assessPage, error) {
	x, err := s.anIncident(v)
	if err != nil {
		return assessPage{}, err
	}
	if err := v.ParseForm(); err != nil {
		return assessPage{}, problem.New(problem.Invalid, "The form cannot be read", "Go back and send it again").Because(err)
	}
	a := s.assessing.get(v, x)
	at := v.PostForm.Get("step")
	if !slices.ContainsFunc(a.steps(), func(st assessStep) bool { return st.Key == at && at != stepCheck }) {
		return s.assessPage(v, x, a, "")
	}
	trouble := a.take(at, v.PostForm.Get("answer"), strings.TrimSpace(strings.ReplaceAll(v.PostForm.Get("why"), "\r\n", "\n")))
	if trouble != "" {
		out, err := s.assessPage(v, x, a, at)
		out.Error, out.Why, out.Answered, out.Yes = trouble, v.PostForm.Get("why"), v.PostForm.Get("answer") != "", v.PostForm.Get("answer") == "yes"
		v.status = 422
		return out, err
	}
	a.said[at] = true
	s.assessing.put(v, x, a)
	steps := a.steps()
	next := steps[min(slices.IndexFunc(steps, func(st assessStep) bool { return st.Key == at })+1, len(steps)-1)].Key
	v.redirect(incidentPath(x, "/assess?step="+next))
	return assessPage{}, nil
}

// take puts an answer in its place, or says what is wrong with it.
func (a *assessing) take(at, answer, why string) (trouble string) {
	if at == stepException {
		if _, ok := exceptionOf(answer); !ok && answer != "none" {
			return "Choose one, or none of them"
		}
		a.Exception = strings.TrimSuffix(answer, "none")
		return ""
	}
	switch {
	case answer != "yes" && answer != "no":
		return "Choose yes or no"
	case at == stepLow:
		a.LowProbability = answer == "yes"
		return ""
	case why == "":
		return "Say why, in a sentence: the answer counts only with its reason"
	case len(why) > assessLong:
		return fmt.Sprintf("Say it shorter: at most %d letters", assessLong)
	}
	got := snapshot.Answered{Yes: answer == "yes", Why: why}
	if at == stepUnsecured {
		a.Unsecured = got
	} else if key, ok := strings.CutPrefix(at, "hold."); ok {
		a.Holds[key] = got
	} else if key, ok := strings.CutPrefix(at, "factor."); ok {
		a.Factors[key] = got
	}
	return ""
}

package fhirapi

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport/sallyport/deid"
	"github.com/sallyport/sallyport/fhir"
	"github.com/sallyport/sallyport/fhir/spec"
	"github.com/sallyport/sallyport/gateway"
	"github.com/sallyport/sallyport/problem"
)

// search is a search of one type.
type search struct {
	s      *fhir.Search
	self   string // as the caller asked, for the self link
	public string // how the caller writes addresses of the source
	words  gateway.Words
}

func (p *Protocol) search(typ, query string, s gateway.Standing) (gateway.Question, error) {
	parsed, err := fhir.ParseSearch(typ, query, s.Public)
	if err != nil {
		return nil, err
	}
	switch {
	case parsed.Summary == "true" || parsed.Summary == "text" || parsed.Summary == "data":
		return nil, problem.BadField("_summary", "Only count is offered: what else is shown is the role's view", "Leave _summary out")
	case parsed.Contained == "true" || parsed.Contained == "both" || parsed.ContainedType != "":
		return nil, problem.BadField("_contained", "Contained resources are not searched", "Leave it out")
	case parsed.Total == "estimate":
		return nil, problem.BadField("_total", "An estimate would count what the grant does not reach", "Ask for accurate, or leave it out")
	}
	q := &search{s: parsed, self: parsed.Encode(), public: s.Public}
	q.words = gateway.Words{Interaction: "search-type", Resources: []string{typ}, Reads: reads(parsed, s.Scope),
		Needs: []gateway.Need{{Resource: typ, Interaction: "search-type"}}}
	if parsed.Count > 0 {
		q.words.PageSize = parsed.Count
	}
	for _, inc := range parsed.Include {
		q.include(inc, s)
	}
	return q, nil
}

// include adds the types that an include can bring. A reference with several
// targets brings those that the role shows; the others are left out of the
// answer. Where the role shows none, all are named and the policy refuses.
func (q *search) include(inc fhir.Include, s gateway.Standing) {
	var may []string
	switch p, _ := spec.Search(inc.Source, inc.Code); {
	case inc.Reverse:
		may = []string{inc.Source}
	case inc.Target != "":
		may = []string{inc.Target}
	case p.AnyTarget:
		may = roleTypes(s)
	default:
		may = slices.Clone(p.Targets)
	}
	if len(may) == 0 {
		may = []string{inc.Source}
	}
	var shown []string
	for _, t := range may {
		if readable(s, t) {
			shown = append(shown, t)
		}
	}
	if len(shown) == 0 {
		shown = may
	}
	for _, t := range shown {
		if !slices.Contains(q.words.Resources, t) {
			q.words.Resources = append(q.words.Resources, t)
			q.words.Needs = append(q.words.Needs, gateway.Need{Resource: t, Interaction: "read"})
		}
	}
}

// readable says whether the role lets resources of the type come along.
func readable(s gateway.Standing, typ string) bool {
	if s.Role == nil {
		return false
	}
	r, ok := s.Role.Resources[typ]
	return ok && (slices.Contains(r.Interactions, "read") || slices.Contains(r.Interactions, "search-type"))
}

// roleTypes are the types that the role lets come along, sorted.
func roleTypes(s gateway.Standing) []string {
	var out []string
	if s.Role != nil {
		for t := range s.Role.Resources {
			if readable(s, t) {
				out = append(out, t)
			}
		}
	}
	slices.Sort(out)
	return out
}

// reads is what answering reads, for the role gate, which allows a path that
// the role names. What the role names but sees in part only (a date to its
// year, an id as its code) may be asked about in that part only; everything
// else is put as a read of the whole resource, the type alone, which no role
// can have.
func reads(s *fhir.Search, scope *deid.Scope) []string {
	r := s.Reads()
	var out []string
	add := func(path string) {
		if !slices.Contains(out, path) {
			out = append(out, path)
		}
	}
	for _, e := range r.Elements {
		if !byRule(e) {
			add(e)
		}
	}
	if len(r.Opaque) > 0 {
		add(s.Resource)
	}
	for i := range s.Params {
		p := &s.Params[i]
		for n, step := range p.Steps {
			for _, t := range step.From {
				if !sees(scope, t, step.Code, spec.TypeReference, nil) {
					add(t)
				}
			}
			if !judged(p, n) {
				add(s.Resource)
			}
		}
		if p.Code == "_list" {
			add("List") // a record of its own, which nobody judges here
			continue
		}
		for _, t := range p.On {
			if !sees(scope, t, p.Code, p.Type, p) {
				add(t)
			}
		}
	}
	for _, k := range s.Sort {
		// An order tells about what is compared in full.
		p, ok := spec.Search(s.Resource, k.Code)
		if !ok || p.Opaque || len(p.Elements) == 0 || p.Type == spec.TypeComposite {
			add(s.Resource)
			continue
		}
		for _, e := range p.Elements {
			if scope.Search(e, p.Type) != deid.Full {
				add(s.Resource)
			}
		}
	}
	for _, inc := range s.Include {
		if !sees(scope, inc.Source, inc.Code, spec.TypeReference, nil) {
			add(inc.Source)
		}
	}
	return out
}

// judged says whether what step n of a chain leads to is judged with the
// answer. The source finds an answer by the records that a chain goes through,
// and those are not in it: one with a security label, or outside the cohort or
// the date window, or of a patient on hold, would be told of by what it finds. So a chain
// may go through what is about nobody, and to the patient whose record the answer
// is itself.
func judged(p *fhir.Param, n int) bool {
	step := &p.Steps[n]
	if step.Reverse {
		return impersonal[step.Type]
	}
	reached := p.On
	if n+1 < len(p.Steps) && !p.Steps[n+1].Reverse {
		reached = p.Steps[n+1].From
	} else if n+1 < len(p.Steps) {
		return false
	}
	for _, to := range reached {
		switch {
		case impersonal[to]:
		case to == "Patient" && n == 0:
			for _, from := range step.From {
				if !ofPatient(from, step.Code) {
					return false
				}
			}
		default:
			return false
		}
	}
	return len(reached) > 0
}

// ofPatient says whether the patients that the parameter finds are those whose
// record the resource is, all of whom are judged.
func ofPatient(typ, code string) bool {
	p, ok := spec.Search(typ, code)
	if !ok || len(p.Elements) == 0 {
		return false
	}
	for _, e := range p.Elements {
		if !slices.ContainsFunc(spec.PatientElements(typ), func(pe spec.PatientElement) bool { return pe.Path == e }) {
			return false
		}
	}
	return true
}

// byRule: ids and meta are not for a role to name; the view has rules for them,
// and sees asks it.
func byRule(path string) bool {
	_, rest, _ := strings.Cut(path, ".")
	return rest == "id" || rest == "meta" || strings.HasPrefix(rest, "meta.")
}

// sees says whether the view shows enough of what the parameter compares for
// the question at hand. criterion is nil for a reference that is followed.
func sees(scope *deid.Scope, typ, code string, kind spec.ParamType, criterion *fhir.Param) bool {
	sp, ok := spec.Search(typ, code)
	if !ok || sp.Opaque || len(sp.Elements) == 0 {
		return false
	}
	modifier := ""
	if criterion != nil {
		modifier = criterion.Modifier
	}
	if kind == spec.TypeComposite {
		for _, c := range sp.Components {
			for _, e := range c.Elements {
				if sight := scope.Search(e, c.Type); sight != deid.Full && !(sight == deid.Coded && c.Type == spec.TypeReference) {
					return false
				}
			}
		}
		return len(sp.Components) > 0
	}
	for _, e := range sp.Elements {
		switch modifier {
		case "", "missing", "not", "exact", "contains":
		default:
			// :text, :identifier, :of-type, :in, :above and a reference's type
			// compare more than the value that is sent.
			if spec.IsResource(modifier) {
				break
			}
			if !scope.Covers(e) {
				return false
			}
		}
		switch scope.Search(e, kind) {
		case deid.Full:
		case deid.Coded:
			if kind != spec.TypeReference && code != "_id" && modifier != "missing" {
				return false
			}
		case deid.Yearly:
			if modifier != "missing" && !wholeYears(criterion) {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// wholeYears: where only the year is seen, only a year may be asked about. ap
// is wider than its value by a share that depends on the day (R4 3.1.1.4.6).
func wholeYears(p *fhir.Param) bool {
	if p == nil || p.Type != spec.TypeDate || len(p.Values) == 0 {
		return false
	}
	for _, v := range p.Values {
		if len(v.Text) != 4 || !digits(v.Text) || v.Prefix == "ap" {
			return false
		}
	}
	return true
}

// Words implements gateway.Question.
func (q *search) Words() gateway.Words { return q.words }

// sourcePage is how many matches the source is asked for at least, since some may
// have to be left out.
const sourcePage = 50

// Fetch implements gateway.Question.
func (q *search) Fetch(ctx context.Context, d *gateway.Desk) (gateway.Answer, error) {
	up := *q.s
	err := up.Rewrite(func(_, code string) (string, error) { return d.Reveal(ctx, code) }, q.public)
	if err != nil {
		return nil, err
	}
	count := d.Limits().PageSize
	if up.Count >= 0 {
		count = up.Count
	}
	counting := up.Summary == "count" || up.Count == 0
	if counting {
		count = d.Limits().Role.MaxPageSize
	}
	total := counting || up.Total == "accurate"
	// What shapes the answer is done here, on what may be seen.
	up.Count, up.Elements, up.Summary, up.Total, up.Contained = count, nil, "", "", ""
	// Whatever size the caller's pages have: small ones would let it feel its way
	// past the few that it may not see.
	up.Count = max(count, sourcePage)
	b := &bundle{d: d, typ: q.s.Resource, page: q.words, total: total, counting: counting, size: count, cut: up.Count > count,
		company: company{asked: q.s.Include},
		self:    d.Standing().Public + "/" + q.s.Resource}
	if q.self != "" {
		b.self += "?" + q.self
	}
	return b.open(ctx, "/"+q.s.Resource+"?"+up.Encode())
}

// everything is Patient/[id]/$everything: all that the role shows of a patient.
type everything struct {
	code, query string
	words       gateway.Words
}

func (p *Protocol) everything(code, query string, s gateway.Standing) (gateway.Question, error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, problem.BadField("query", "The query is not a list of name=value pairs joined by &", "Percent-encode special characters")
	}
	q := &everything{code: code}
	q.words = gateway.Words{Interaction: "everything", Resources: []string{"Patient"},
		Needs: []gateway.Need{{Resource: "Patient", Interaction: "read"}, {Resource: "Patient", Interaction: "search-type"}}}
	only := []string(nil)
	out := url.Values{}
	for name, v := range values {
		if len(v) != 1 {
			return nil, problem.BadField("query", "A parameter may be given once", "Give each once")
		}
		switch name {
		case "_format", "_pretty":
		case "_count":
			n, err := strconv.Atoi(v[0])
			if err != nil || n < 1 || n > 1_000_000 {
				return nil, problem.BadField("_count", "Not a number of resources", "Give a whole number from 1")
			}
			q.words.PageSize = n
		case "_type":
			for t := range strings.SplitSeq(v[0], ",") {
				if !spec.IsResource(t) {
					return nil, problem.BadField("_type", "A name in it is not a resource type of R4", "Separate types by commas")
				}
				only = append(only, t)
			}
			out.Set("_type", v[0])
		default:
			// start, end and _since ask about dates that the view may not show.
			return nil, problem.BadField("query", "This parameter of $everything is not offered", "Use _type and _count")
		}
	}
	for _, t := range roleTypes(s) {
		if t == "Patient" || only != nil && !slices.Contains(only, t) || !s.Caller.Scopes().Allows(t, "read") {
			continue
		}
		q.words.Resources = append(q.words.Resources, t)
	}
	for _, t := range only {
		if !slices.Contains(q.words.Resources, t) {
			q.words.Resources = append(q.words.Resources, t) // the policy says that the role lacks it
			q.words.Needs = append(q.words.Needs, gateway.Need{Resource: t, Interaction: "read"})
		}
	}
	q.query = out.Encode()
	return q, nil
}

// Words implements gateway.Question.
func (q *everything) Words() gateway.Words { return q.words }

// Fetch implements gateway.Question.
func (q *everything) Fetch(ctx context.Context, d *gateway.Desk) (gateway.Answer, error) {
	patientID, err := d.Reveal(ctx, q.code)
	if err != nil {
		return nil, err
	}
	rel := "/Patient/" + patientID + "/$everything?_count=" + strconv.Itoa(d.Limits().PageSize)
	if q.query != "" {
		rel += "&" + q.query
	}
	b := &bundle{d: d, typ: "Patient", page: q.words, direct: patientID, all: true, company: company{all: true}}
	return b.open(ctx, rel)
}

// pageState is what a paging link carries, sealed: the question, to be decided
// anew, and where the source goes on.
type pageState struct {
	Words  gateway.Words
	Rel    string
	Skip   int  `json:",omitempty"` // matches of that page that were shown
	Size   int  // of a page
	Cut    bool `json:",omitempty"` // the source's pages are not the caller's
	Typ    string
	All    bool   `json:",omitempty"`
	Direct string `json:",omitempty"`

	Include []fhir.Include `json:",omitempty"`
	Marks   []byte         `json:",omitempty"`
}

// page is the next page of a question.
type page struct{ state pageState }

func (p *Protocol) page(decision, token string, s gateway.Standing) (gateway.Question, error) {
	b, err := s.OpenPage(decision, token)
	if err != nil {
		return nil, err
	}
	q := &page{}
	if err := json.Unmarshal(b, &q.state); err != nil {
		return nil, gateway.NotFound()
	}
	q.state.Words.Action = "next-page"
	return q, nil
}

// Words implements gateway.Question.
func (q *page) Words() gateway.Words { return q.state.Words }

// Fetch implements gateway.Question.
func (q *page) Fetch(ctx context.Context, d *gateway.Desk) (gateway.Answer, error) {
	b := &bundle{d: d, typ: q.state.Typ, page: q.state.Words, all: q.state.All, direct: q.state.Direct, later: true,
		size: q.state.Size, cut: q.state.Cut, skip: q.state.Skip, company: company{asked: q.state.Include, all: q.state.All}}
	b.company.recall(q.state.Marks)
	return b.open(ctx, q.state.Rel)
}

package console

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
)

// One form does every act that the API offers: it is made from the act's own type, shows
// what the act would change before it is done, and posts it to the API as the visitor. A
// screen that wants something done leads here, with fields filled in (Frame.May), or posts
// its own form here.

// maxActForm is a form with a document in it.
const maxActForm = registry.MaxDocument + 1<<20

func actScreens() []screen {
	post := on("do", "", "POST /console/do/{kind}", everyone, (*server).doPosted)
	post.Max = maxActForm
	return append([]screen{
		on("do", "", "GET /console/do/{kind}", everyone, (*server).doShown), post,
		on("dos", "What you can do", "GET /console/do", everyone, (*server).doList),
	}, recordScreens()...)
}

// doPage is the form of one act, or what it would change.
type doPage struct {
	Kind        registry.Kind
	Action      string // where the form is sent
	Button, Do  string
	Subject     *ref // what it is about, where that is known
	Who         []string
	Apart       bool // another person must have asked for it
	Touch       string
	NoKey       bool // a passkey is needed, and the visitor has none
	Must, May   []actField
	MayOpen     bool
	First       bool // what else is asked follows from what is asked here
	Reason      string
	ReasonError string
	Next, Key   string
	Fill        string
	Given       []string
	Errors      []formError
	Back        string
	File        *fileField
	Multipart   bool // it may bring a file
	Ahead       *doAhead
	Hidden      []hidden
	Once        *onceTold
}

type formError struct{ Href, Text string }

type hidden struct{ Name, Value string }

// controls are the form's own names beside the act's fields.
var controls = []string{"next", "reason", "step", "key", "given", "change", "draft", "done", "fill", "held", "open", "add"}

// doForm is what the visitor has typed.
type doForm struct {
	spec   *registry.Spec
	typed  url.Values
	given  []string
	reason string
	next   string
	key    string
	step   string
	fill   string   // the field of the next page that gets a stored document's digest
	held   string   // where the file waits, while its act is looked at
	open   []string // types and elements whose parts are shown to be picked
	file   *upload
	errs   []fieldError
}

// admitted is the row of the act, if the visitor may do such an act at all.
func (s *server) admitted(v *visit) (*registry.Spec, error) {
	spec, ok := registry.Lookup(registry.Kind(v.PathValue("kind")))
	if !ok || !spec.Routed() {
		return nil, notFound()
	}
	if s.frame(v).May(string(spec.Name)) != nil {
		return spec, nil
	}
	if !v.ours() {
		return nil, notFound()
	}
	return nil, problem.New(problem.Refused, "Your duties do not let you do this: "+spec.Summary, "It needs "+dutiesOf(spec)+". Ask somebody who has it; People lists them")
}

// dutiesOf are the duties that let one do the act, in words.
func dutiesOf(spec *registry.Spec) string {
	out := make([]string, len(spec.Duties))
	for i, d := range spec.Duties {
		out[i] = "the duty " + strings.ReplaceAll(string(d), "-", " ")
	}
	return strings.Join(out, " or ")
}

// doShown shows the form, with what the address says filled in.
func (s *server) doShown(v *visit) (doPage, error) {
	spec, err := s.admitted(v)
	if err != nil {
		return doPage{}, err
	}
	q := v.URL.Query()
	f := doForm{spec: spec, typed: url.Values{}, next: q.Get("next"), reason: q.Get("reason"), key: rand.Text(), fill: q.Get("fill")}
	if kept, ok := s.drafts.take(q.Get("draft"), v, spec.Name); ok {
		f = kept
		s.fileOf(v, &f)
		for name, texts := range q {
			if !slices.Contains(controls, name) && !isSecret(spec.Name, name) {
				f.typed[name] = texts
			}
		}
		if f.step == "preview" {
			return s.foresee(v, f)
		}
		return s.doPage(v, f), nil
	}
	for name, texts := range q {
		// Whoever wrote a link may know the secret to a digest in it.
		if slices.Contains(controls, name) || isSecret(spec.Name, name) {
			continue
		}
		f.typed[name] = texts
		if !slices.Contains(q["change"], name) && strings.Join(texts, "") != "" {
			f.given = append(f.given, name)
		}
	}
	slices.Sort(f.given)
	s.asItIs(v, &f)
	f.now(v.Now)
	f.readKeys()
	_, errs := readForm(spec, f.typed) // what the address says wrongly
	f.errs = append(f.errs, errs...)
	return s.doPage(v, f), nil
}

// happened are times that are mostly now; whoever fills in the form sees them, and can change
// them.
var happened = []string{"decided_at", "screened_at", "at", "starts_at", "effective_at", "completed_at"}

// now fills them in.
func (f *doForm) now(at time.Time) {
	for _, m := range membersOf(actType(f.spec)) {
		if m.Type == timeType && slices.Contains(happened, m.Name) && f.typed[m.Name] == nil {
			f.typed.Set(m.Name, shownTime(at.Truncate(time.Minute)))
		}
	}
}

// doPosted goes on from the form: to what it would change, or does it.
func (s *server) doPosted(v *visit) (doPage, error) {
	spec, err := s.admitted(v)
	if err != nil {
		return doPage{}, err
	}
	f, err := s.posted(v, spec)
	if err != nil {
		return doPage{}, err
	}
	switch {
	case f.step == "cancel":
		s.drafts.drop(f.held, v)
		v.redirect(local(f.next, homeOf(v)))
		return doPage{}, nil
	case f.step == "choose" || (&actForm{spec: spec, typed: f.typed, own: true}).undecided():
		f.choose()
		return s.doPage(v, f), nil
	case f.stepScope(v.PostForm.Get("add")):
		return s.doPage(v, f), nil
	case f.step == "unfile":
		s.drafts.drop(f.held, v)
		f.held, f.file = "", nil
		return s.doPage(v, f), nil
	case f.step == "back" || strings.HasPrefix(f.step, "more:"):
		return s.doPage(v, f), nil
	case strings.HasPrefix(f.step, "store:"):
		return s.storeFirst(v, f, strings.TrimPrefix(f.step, "store:"))
	case f.step == "do":
		return s.do(v, f)
	}
	return s.foresee(v, f)
}

// act is the act that the form says, with whatever is wrong with it in errs.
func (f *doForm) act(v *visit) (registry.Act, json.RawMessage, bool) {
	f.attach()
	f.fillSecret(v)
	a, raw, errs := actOf(f.spec, f.typed)
	if f.file == nil && f.needsFile(v) {
		errs = []fieldError{{"content", "is missing", "Choose the file"}} // what else is wrong says less
	}
	if f.reason == "" {
		errs = append(errs, fieldError{"reason", "The reason is missing", "Say why, in a sentence"})
	}
	for _, e := range errs { // what could not be read at all is told once
		if !slices.ContainsFunc(f.errs, func(had fieldError) bool { return had.Field != "" && had.Field == e.Field }) {
			f.errs = append(f.errs, e)
		}
	}
	return a, raw, len(f.errs) == 0
}

// do does it, once, however often the form is sent.
func (s *server) do(v *visit, f doForm) (doPage, error) {
	once, err := s.makeSecret(v, &f)
	if err != nil {
		return doPage{}, err
	}
	a, raw, ok := f.act(v)
	if !ok {
		return s.doPage(v, f), nil
	}
	if s.untouched(v, f.spec) {
		return s.touchFirst(v, f, "preview")
	}
	path := f.spec.Path
	if strings.Contains(path, "{id}") {
		key := a.Subject().ID
		if key == "" {
			key = f.typed.Get("id")
		}
		if key == "" {
			f.errs = append(f.errs, fieldError{"id", "is missing", "Choose what it is about"})
			return s.doPage(v, f), nil
		}
		path = strings.ReplaceAll(path, "{id}", url.PathEscape(key))
	}
	out, err := s.call(v, http.MethodPost, path, api.ActBody{Reason: f.reason, Act: []byte(raw)}, api.IdempotencyHeader, f.key)
	var p *problem.Problem
	switch {
	case errors.As(err, &p) && (p.Kind == problem.Invalid || p.Kind == problem.Conflict || p.Kind == problem.Refused || p.Kind == problem.NotFound || p.Kind == problem.Unavailable):
		f.errs = append(f.errs, problems(p)...)
		return s.doPage(v, f), nil
	case err != nil:
		return doPage{}, err
	}
	s.drafts.drop(f.held, v)
	var done api.ActResult
	if err := json.Unmarshal(out.Body.Bytes(), &done); err != nil {
		return doPage{}, fmt.Errorf("reading the API's answer: %w", err)
	}
	to := local(f.next, s.afterwards(v, done))
	if u, err := url.Parse(to); err == nil && f.file != nil && isDocument(f.fill) {
		to = with(u, f.fill, f.typed.Get("sha256"))
	}
	if once != nil {
		once.Next = withDone(to, done)
		page := doPage{Kind: f.spec.Name, Once: once}
		v.call("Shown to you once")
		return page, nil
	}
	v.redirect(withDone(to, done))
	return doPage{}, nil
}

// afterwards is where a visitor goes who came from nowhere.
func (s *server) afterwards(v *visit, done api.ActResult) string {
	if v.ours() {
		return "/console/acts/" + string(done.Act)
	}
	return "/console"
}

// withDone is a page that tells what was just done.
func withDone(to string, done api.ActResult) string {
	u, err := url.Parse(to)
	if err != nil {
		return "/console"
	}
	return with(u, "done", string(done.Act))
}

// problems are what the API found wrong, each by its field, and the reasons of a refusal.
func problems(p *problem.Problem) []fieldError {
	if len(p.Reasons) == 0 {
		return []fieldError{{p.Field, p.Title, p.NextStep}}
	}
	var out []fieldError
	for _, r := range p.Reasons {
		out = append(out, fieldError{"", r.Message, r.NextStep})
	}
	return out
}

// theirSummary is what acts are to a vendor's people, where the table's words are the
// organisation's.
var theirSummary = map[registry.Kind]string{
	"certification.record": "Send a report or certificate, to be verified",
	"certification.revoke": "Take back a report or certificate that you sent",
}

// summaryFor is what the act is to one of the organisation's people, or of a vendor's.
func summaryFor(ours bool, spec *registry.Spec) string {
	if text, ok := theirSummary[spec.Name]; ok && !ours {
		return text
	}
	return spec.Summary
}

// doPage shows the form as it was typed.
func (s *server) doPage(v *visit, f doForm) doPage {
	v.call(summaryFor(v.ours(), f.spec))
	form := actForm{v: v, spec: f.spec, typed: f.typed, given: f.given, errs: f.errs, shown: map[string]bool{}, open: f.open, own: true, filed: f.file != nil}
	if name, ok := strings.CutPrefix(f.step, "more:"); ok {
		form.more = []string{name}
	}
	p := doPage{Kind: f.spec.Name, Action: "/console/do/" + string(f.spec.Name), Button: "See what it changes", Do: "Do it", Fill: f.fill, Reason: f.reason, Next: local(f.next, ""), Key: f.key, Given: f.given}
	p.Must, p.May = form.fields()
	if len(f.errs) > 0 && (f.step == "preview" || f.step == "do") {
		f.errs = append(f.errs, form.missing(p.Must)...)
	}
	s.weighs(v, &f, p.Must)
	if p.First = form.undecided(); form.hasFile() && !p.First {
		p.File = f.fileField(v)
	}
	p.Multipart = p.File != nil || slices.ContainsFunc(append(slices.Clone(p.Must), p.May...), func(x actField) bool { return x.As == "pasted" })
	p.standing(s, v, f.spec)
	p.MayOpen = slices.ContainsFunc(p.May, func(x actField) bool { return x.Error != "" || x.Open })
	for _, e := range f.errs {
		x := formError{Text: strings.TrimSpace(sentence(upperFirst(e.Title)) + " " + sentence(e.Next))}
		if place(e.Field) == "reason" {
			p.ReasonError = x.Text
		}
		if e.Field != "" {
			name := place(e.Field)
			x.Text = labelAt(f.spec.Name, name) + ": " + x.Text
			if at := form.nearest(name, append(slices.Clone(p.Must), p.May...)); at != "" {
				x.Href = "#" + at
			} else if name == "reason" {
				x.Href = "#f-reason"
			} else if (name == "content" || form.fromFile(name)) && p.File != nil {
				x.Href, p.File.Error = "#f-content", strings.TrimPrefix(x.Text, "File: ")
			}
		}
		p.Errors = append(p.Errors, x)
	}
	p.inOrder()
	if len(p.Errors) > 0 {
		v.status = http.StatusUnprocessableEntity
		if v.Method == http.MethodGet {
			v.status = http.StatusOK
		}
	}
	p.Back = cmp.Or(p.Next, homeOf(v))
	return p
}

func labelAt(kind registry.Kind, name string) string {
	if name == "reason" {
		return "Reason"
	}
	if parts := strings.Split(name, "."); len(parts) > 2 && parts[0] == "terms" {
		return termLabel(parts[1], parts[len(parts)-1])
	}
	// An entry of a list is called as the list is.
	for i := strings.LastIndexByte(name, '.'); i > 0; i = strings.LastIndexByte(name, '.') {
		if _, err := strconv.ParseUint(name[i+1:], 10, 31); err != nil {
			break
		}
		name = name[:i]
	}
	return cmp.Or(wordOf(kind, name, name[strings.LastIndexByte(name, '.')+1:]).Label, words(name))
}

// inOrder tells errors as their fields stand on the page; what belongs to none comes first.
func (p *doPage) inOrder() {
	at := map[string]int{"#f-content": 1}
	var number func([]actField)
	number = func(xs []actField) {
		for _, x := range xs {
			at["#"+x.ID] = len(at) + 1
			number(x.Fields)
			if x.Expert != nil {
				at["#"+x.Expert.ID] = len(at) + 1
			}
		}
	}
	number(p.Must)
	number(p.May)
	at["#f-reason"] = len(at) + 1
	slices.SortStableFunc(p.Errors, func(a, b formError) int { return cmp.Compare(at[a.Href], at[b.Href]) })
}

// missing are the fields that must be filled in and are empty, beside what else is wrong: who
// mends a form mends all of it at once.
func (f *actForm) missing(fields []actField) []fieldError {
	var out []fieldError
	for i := range fields {
		x := &fields[i]
		at := slices.ContainsFunc(f.errs, func(e fieldError) bool { return e.Field == x.Name })
		if !x.Required || at || strings.TrimSpace(strings.Join(f.typed[x.Name], "")) != "" {
			continue
		}
		e := fieldError{x.Name, "is missing", "Fill it in"}
		if len(x.Options) > 0 {
			e.Next = "Choose one"
		}
		out = append(out, e)
		x.Error = sentence(upperFirst(e.Title)) + " " + sentence(e.Next)
	}
	return out
}

// nearest is the field on the page that shows the name, or the part around it.
func (f *actForm) nearest(name string, all []actField) string {
	best, size := "", -1
	var look func([]actField)
	look = func(xs []actField) {
		for _, x := range xs {
			if (x.Name == name || strings.HasPrefix(name, x.Name+".")) && len(x.Name) > size {
				best, size = x.ID, len(x.Name)
			}
			look(x.Fields)
			if x.Scope != nil {
				look(x.Scope.fields())
			}
		}
	}
	look(all)
	return best
}

// standing says who may do it, and what it needs.
func (p *doPage) standing(s *server, v *visit, spec *registry.Spec) {
	for _, d := range spec.Duties {
		p.Who = append(p.Who, words(string(d)))
	}
	if slices.Contains(spec.Admits, registry.VendorPeople) {
		p.Who = append(p.Who, "people of the vendor that it is about")
	}
	p.Apart = slices.Contains([]string{"approve", "verify", "approve-destruction", "approve-renewal", "lift", "check-terms", "approve-keys"}, spec.Verb)
	if spec.StepUp() && s.untouched(v, spec) {
		p.Touch = "/step-up?" + url.Values{"next": {v.URL.RequestURI()}}.Encode()
		if v.Method != http.MethodGet {
			p.Touch = "/step-up?" + url.Values{"next": {v.URL.Path}}.Encode()
		}
		p.NoKey = len(v.Person.Passkeys) == 0
	}
}

// untouched reports whether a passkey must be touched before the act.
func (s *server) untouched(v *visit, spec *registry.Spec) bool {
	at := v.Session.SteppedUpAt
	return spec.StepUp() && (at.IsZero() || at.After(v.Now) || !v.Now.Before(at.Add(v.View.Settings.StepUpLife)))
}

// touchFirst keeps what was typed, and leads through the passkey back to it.
func (s *server) touchFirst(v *visit, f doForm, step string) (doPage, error) {
	if len(v.Person.Passkeys) == 0 {
		f.errs = append(f.errs, fieldError{"", "This needs a passkey, and you have none", "Register one under your name, at the top, and come back; or do it by the command line with your certificate"})
		return s.doPage(v, f), nil
	}
	f.step = step
	key, err := s.drafts.keep(v, f)
	if err != nil {
		return doPage{}, err
	}
	v.redirect("/step-up?" + url.Values{"next": {draftPath(f.spec, key)}}.Encode())
	return doPage{}, nil
}

// draftPath is where a form that was kept is found again.
func draftPath(spec *registry.Spec, key string) string {
	return "/console/do/" + string(spec.Name) + "?" + url.Values{"draft": {key}}.Encode()
}

// storeFirst keeps what was typed, and leads through the storing of a document back to it.
func (s *server) storeFirst(v *visit, f doForm, field string) (doPage, error) {
	if !isDocument(field) {
		return doPage{}, notFound()
	}
	f.step = "back"
	key, err := s.drafts.keep(v, f)
	if err != nil {
		return doPage{}, err
	}
	put, ok := registry.Lookup("document.put")
	if !ok {
		return doPage{}, notFound()
	}
	// The form of the document is kept, too: what was typed as a reason is in no address.
	there, err := s.drafts.keep(v, doForm{spec: put, typed: url.Values{}, reason: f.reason, next: draftPath(f.spec, key), key: rand.Text(), fill: field})
	if err != nil {
		return doPage{}, err
	}
	v.redirect(draftPath(put, there))
	return doPage{}, nil
}

// isDocument reports whether the field names a stored document by its digest.
func isDocument(field string) bool {
	last := field[strings.LastIndexByte(field, '.')+1:]
	return slices.Contains([]string{"document_sha256", "report_sha256", "basis_document_sha256", "source_sha256"}, last)
}

// doIndex are the acts that the visitor's duties admit.
type doIndex struct{ Groups []doGroup }

type doGroup struct {
	Noun string
	Acts []actLink
}

func (s *server) doList(v *visit) (doIndex, error) {
	v.call("What you can do")
	frame := s.frame(v)
	var out doIndex
	for _, spec := range registry.Acts {
		link := frame.May(string(spec.Name))
		if link == nil {
			continue
		}
		link.Href = "/console/do/" + string(spec.Name)
		i := slices.IndexFunc(out.Groups, func(g doGroup) bool { return g.Noun == spec.Noun })
		if i < 0 {
			out.Groups, i = append(out.Groups, doGroup{Noun: spec.Noun}), len(out.Groups)
		}
		out.Groups[i].Acts = append(out.Groups[i].Acts, *link)
	}
	slices.SortFunc(out.Groups, func(a, b doGroup) int { return strings.Compare(a.Noun, b.Noun) })
	return out, nil
}

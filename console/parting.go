package console

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"html/template"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/console/draw"
	"github.com/sallyport/sallyport/disclosure"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/offboarding"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

func partingScreens() []screen {
	return []screen{
		on("offboardings", "Offboarding", "GET /console/offboardings", ours, (*server).offboardings),
		on("offboarding", "Parting", "GET /console/offboardings/{id}", ours, (*server).offboarding),
		on("offboarding", "Parting", "POST /console/offboardings/{id}/{what}", ours, (*server).offboardingDo),
		{Title: "Certificate", Pattern: "GET /console/offboardings/{id}/certificate", For: ours, show: (*server).offboardingCertificate},
		{Title: "Inventory", Pattern: "GET /console/offboardings/{id}/inventory", For: ours, show: (*server).offboardingInventory},
	}
}

type offboardingsPage struct{ List list }

func (s *server) offboardings(v *visit) (offboardingsPage, error) {
	var out offboardingsPage
	out.List = listOf(v, listing[*snapshot.Offboarding]{
		Caption: "Offboardings", Rows: values(v.View.Offboardings.All()),
		Search: func(o *snapshot.Offboarding) string {
			return string(o.ID) + "\n" + string(o.Vendor) + "\n" + vendorName(v.View, o.Vendor) + "\n" + string(o.Engagement)
		},
		Filters: []filter[*snapshot.Offboarding]{{Key: "state", Label: "State", Of: func(o *snapshot.Offboarding) []string { return []string{partingMark(o, v.Now).Word} }}},
		Columns: []column[*snapshot.Offboarding]{
			{Key: "vendor", Label: "From", Cell: func(o *snapshot.Offboarding) cell {
				return cell{Text: vendorName(v.View, o.Vendor), Href: "/console/offboardings/" + string(o.ID), Help: partingOf(o)}
			}},
			{Key: "cause", Label: "Cause", Cell: func(o *snapshot.Offboarding) cell { return text(words(o.Cause)) }},
			{Key: "begun", Label: "Begun", Cell: func(o *snapshot.Offboarding) cell { return text(day(o.BegunAt)) }, Sort: func(o *snapshot.Offboarding) string { return iso(o.BegunAt) }},
			{Key: "due", Label: "Vendor tells by", Cell: func(o *snapshot.Offboarding) cell {
				if !o.CompletedAt.IsZero() {
					return text(day(o.DueAt))
				}
				return cell{Text: day(o.DueAt), Help: ago(v.Now, o.DueAt)}
			}, Sort: func(o *snapshot.Offboarding) string { return iso(o.DueAt) }},
			{Key: "forms", Label: "Forms told", Num: true, Cell: func(o *snapshot.Offboarding) cell {
				return text(fmt.Sprintf("%d of %d", len(o.Dispositions), len(snapshot.DataForms)))
			}, Fixed: true},
			{Key: "state", Label: "State", Cell: func(o *snapshot.Offboarding) cell {
				m := partingMark(o, v.Now)
				return cell{Text: m.Word, Mark: &m}
			}},
		},
		Sort:  "-begun",
		Empty: empty{Title: "You have parted from nobody", Text: "One act ends every credential of a vendor, or of one engagement, at that moment. Afterwards you follow what became of every form of the data, have keys destroyed, and get a certificate that says what it does not cover.", Act: mayDo(s, v, "offboarding.begin")},
	})
	return out, nil
}

func partingOf(o *snapshot.Offboarding) string {
	if o.Engagement != "" {
		return "one engagement: " + string(o.Engagement)
	}
	return "the whole vendor"
}

func partingMark(o *snapshot.Offboarding, now time.Time) mark {
	switch {
	case !o.CompletedAt.IsZero():
		return mark{"Complete", "good"}
	case now.After(o.DueAt) && len(o.Dispositions) < len(snapshot.DataForms):
		return mark{"Overdue", "bad"}
	}
	return mark{"Under way", "wait"}
}

// offboardingPage is a parting: what died, what was released, what became of it, what is left.
type offboardingPage struct {
	*snapshot.Offboarding
	Mark     mark
	Scope    string
	Left     []partingLeft
	Dead     []partingDead
	Released worked[*disclosure.Inventory]
	Forms    []partingForm
	Outcomes []partingOutcome
	Keys     []partingKey
	Tries    worked[api.Tries]
	Drawn    template.HTML
	Days     []partingDay
	CSV      string
	Done     bool
	Touch    string // where a passkey is touched first; empty: it need not be
	Error    *problem.Problem
	Failed   string // which of the forms
	Reason   string
	Open     map[string]bool // what may be done here by the visitor
}

// partingLeft is what is left to do, with the way to it.
type partingLeft struct {
	What string
	Act  *actLink
	Href string
}

// partingDead counts one sort of credential.
type partingDead struct {
	What         string
	Ended, Lives int
}

type partingOutcome struct {
	Outcome snapshot.Outcome
	Name    string
}

// partingForm is one row of the matrix.
type partingForm struct {
	Form  snapshot.DataForm
	Name  string
	Told  bool
	Needs bool // somebody of us has to accept it
	snapshot.Disposition
	Says string
}

type partingKey struct {
	Engagement id.Engagement
	Key        *snapshot.Key
	Mark       mark
	Approvals  int
	Wanted     int
	Mine       bool
}

type partingDay struct {
	Day              time.Time
	Refused, Allowed int
}

func (s *server) anOffboarding(v *visit) (*snapshot.Offboarding, error) {
	o, ok := v.View.Offboardings.Get(id.Offboarding(v.PathValue("id")))
	if !ok {
		return nil, noSuch("offboarding", "/console/offboardings")
	}
	return o, nil
}

func (s *server) offboarding(v *visit) (offboardingPage, error) {
	o, err := s.anOffboarding(v)
	if err != nil {
		return offboardingPage{}, err
	}
	return s.offboardingPage(v, o)
}

func (s *server) offboardingPage(v *visit, o *snapshot.Offboarding) (offboardingPage, error) {
	v.call("Parting from " + vendorName(v.View, o.Vendor))
	v.under("Offboarding", "/console/offboardings")
	out := offboardingPage{Offboarding: o, Mark: partingMark(o, v.Now), Scope: partingOf(o), Done: !o.CompletedAt.IsZero(), CSV: with(v.URL, "format", "attempts")}
	f := s.frame(v)
	out.Open = map[string]bool{"inventory": f.May("offboarding.record-inventory") != nil, "check": f.May("offboarding.record-check") != nil, "finish": f.May("offboarding.complete") != nil}
	if spec, ok := registry.Lookup("offboarding.complete"); ok && spec.StepUp() && v.Now.Sub(v.Session.SteppedUpAt) >= v.View.Settings.StepUpLife {
		out.Touch = "/step-up?" + url.Values{"next": {"/console/offboardings/" + string(o.ID) + "#left"}}.Encode()
	}
	var left api.Remaining
	if err := s.read(v, "/v1/offboardings/"+url.PathEscape(string(o.ID))+"/left", &left); err != nil {
		return out, err
	}
	var unsaid []string
	for _, l := range left.Left {
		if _, form, ok := strings.Cut(l.What, "has not said what became of: "); ok {
			unsaid = append(unsaid, partingFormName(snapshot.DataForm(form)))
			continue
		}
		out.Left = append(out.Left, partingNext(f, o, l))
	}
	if len(unsaid) > 0 {
		out.Left = append([]partingLeft{{What: "The vendor has not said what became of " + strings.Join(unsaid, "; ") + ".", Href: "#forms"}}, out.Left...)
	}
	out.Dead = partingDeaths(v.View, o, v.Now)
	for _, x := range snapshot.Outcomes {
		out.Outcomes = append(out.Outcomes, partingOutcome{x, words(offboarding.OutcomeName(x))})
	}
	for _, form := range snapshot.DataForms {
		d, told := o.Dispositions[form]
		x := partingForm{Form: form, Name: offboarding.FormName(form), Told: told, Disposition: d, Says: dispositionSays(d)}
		x.Needs = told && (d.Outcome == snapshot.Infeasible || d.Outcome == snapshot.Cleared) && d.AcceptedAt.IsZero()
		out.Forms = append(out.Forms, x)
	}
	for _, e := range o.Of {
		out.Keys = append(out.Keys, partingKeyOf(v, e))
	}
	return out, s.partingLog(v, o, &out)
}

// partingLog is what the log says: what was released, and what was tried since.
func (s *server) partingLog(v *visit, o *snapshot.Offboarding, out *offboardingPage) error {
	covered, _ := s.Disclosures.Standing()
	q := disclosure.Query{Vendors: []id.Vendor{o.Vendor}}
	if o.Engagement != "" {
		q.Engagements = o.Of
	}
	var err error
	out.Released, err = workOut(v, "inventory "+string(o.ID), fmt.Sprint(covered), func(ctx context.Context) (*disclosure.Inventory, error) {
		x, err := s.Disclosures.Inventory(ctx, q)
		return &x, err
	})
	if err != nil {
		return err
	}
	view := v.View
	out.Tries, err = workOut(v, "attempts "+string(o.ID), fmt.Sprint(covered), func(ctx context.Context) (api.Tries, error) { return api.Attempted(ctx, s.Disclosures, view, o) })
	if err != nil {
		return err
	}
	const drawn = 60
	first := o.BegunAt.UTC().Truncate(24 * time.Hour)
	last := v.Now.UTC().Truncate(24 * time.Hour)
	if from := last.AddDate(0, 0, 1-drawn); first.Before(from) {
		first = from
	}
	var bars []draw.Bar
	var rows [][]string
	for at := first; !at.After(last); at = at.AddDate(0, 0, 1) {
		d := partingDay{Day: at}
		if i := slices.IndexFunc(out.Tries.Answer.Days, func(x api.TriedDay) bool { return x.Day.Equal(at) }); i >= 0 {
			d.Refused, d.Allowed = out.Tries.Answer.Days[i].Tried-out.Tries.Answer.Days[i].Permitted, out.Tries.Answer.Days[i].Permitted
		}
		out.Days = append(out.Days, d)
		bars = append(bars, draw.Bar{Label: at.Format("2 Jan"), Tip: fmt.Sprintf("%s: %s refused, %s let through", day(at), number(d.Refused), number(d.Allowed)),
			Parts: []draw.Part{{N: uint64(d.Allowed), Class: "bad"}, {N: uint64(d.Refused), Class: "warn"}}})
		rows = append(rows, []string{at.Format(time.DateOnly), fmt.Sprint(d.Refused), fmt.Sprint(d.Allowed)})
	}
	out.Drawn = draw.Bars("tried", "Attempts by day since the parting began", "What was refused, and what was let through, which must be nothing; the table below has each of the last sixty days.", 760, 130, bars)
	if v.URL.Query().Get("format") == "attempts" {
		asCSV(v, "attempts-"+string(o.ID), []string{"day", "refused", "permitted"}, rows)
	}
	return nil
}

// partingFormName is a form of data in the middle of a sentence.
func partingFormName(form snapshot.DataForm) string {
	name, _, _ := strings.Cut(offboarding.FormName(form), ":")
	return partingLower(name)
}

func partingLower(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToLower(text[:1]) + text[1:]
}

// partingNext leads to what is left, by the command that would do it.
func partingNext(f Frame, o *snapshot.Offboarding, l registry.Left) partingLeft {
	out := partingLeft{What: sentence(l.What), Href: "#left"}
	parts := strings.Fields(strings.ReplaceAll(l.Next, ",", " "))
	if len(parts) < 4 {
		return out
	}
	switch parts[1] + " " + parts[2] {
	case "offboarding inventory":
		out.Href = "#released"
	case "offboarding check":
		out.Href = "#tried"
	case "offboarding ask":
		out.Href = "#forms"
	case "offboarding accept":
		for _, p := range parts {
			if form, ok := strings.CutPrefix(p, "form="); ok {
				out.Act = f.May("offboarding.accept", "id", o.ID, "form", form)
				out.What = fmt.Sprintf("Accept, or do not, what the vendor says of %s: %s.", partingFormName(snapshot.DataForm(form)), partingLower(offboarding.OutcomeName(o.Dispositions[snapshot.DataForm(form)].Outcome)))
			}
		}
		out.Href = "#forms"
	case "key request-destruction":
		out.Href = "#keys"
	}
	return out
}

// partingDeaths counts what of the vendor has ended, and what lives on for other work.
func partingDeaths(v *snapshot.View, o *snapshot.Offboarding, now time.Time) []partingDead {
	grants, devices, apps, people, sessions, connectors := partingDead{What: "Grants"}, partingDead{What: "Machines"}, partingDead{What: "Programs"}, partingDead{What: "People"}, partingDead{What: "Sessions"}, partingDead{What: "Connectors"}
	count := func(d *partingDead, ended bool) {
		if ended {
			d.Ended++
		} else {
			d.Lives++
		}
	}
	for _, e := range v.EngagementsOf(o.Vendor) {
		if o.Covers(e.ID) {
			for _, g := range v.GrantsOf(e.ID) {
				count(&grants, g.State == snapshot.Ended)
			}
		}
	}
	for _, d := range v.DevicesOf(o.Vendor) {
		count(&devices, d.State == snapshot.Ended)
	}
	for _, a := range v.AppsOf(o.Vendor) {
		count(&apps, a.State == snapshot.Ended)
	}
	for _, p := range v.PersonsOf(o.Vendor) {
		count(&people, p.State == snapshot.Ended)
		for _, x := range v.SessionsOf(p.ID) {
			if x.EndedAt.IsZero() || !x.EndedAt.Before(o.BegunAt) {
				count(&sessions, !x.Live(now))
			}
		}
	}
	for _, c := range v.Connectors.All() {
		if c.Vendor == o.Vendor {
			count(&connectors, c.State == snapshot.Ended)
		}
	}
	return []partingDead{grants, devices, apps, people, sessions, connectors}
}

func dispositionSays(d snapshot.Disposition) string {
	var out []string
	add := func(label, text string) {
		if text != "" {
			out = append(out, label+text)
		}
	}
	add("", strings.Trim(words(d.Method)+": "+strings.ReplaceAll(d.Technique, "-", " "), ": "))
	add("", d.Items)
	add("because ", d.Why)
	add("protections: ", d.Protections)
	add("done by ", d.Sanitized)
	add("checked by ", d.Verified)
	if !d.ReviewAt.IsZero() {
		out = append(out, "to be looked at again on "+day(d.ReviewAt))
	}
	return strings.Join(out, "; ")
}

func partingKeyOf(v *visit, e id.Engagement) partingKey {
	out := partingKey{Engagement: e, Mark: mark{"Kept", "wait"}, Wanted: snapshot.KeyApprovals}
	k, ok := v.View.Keys.Get(e)
	if !ok || k.Destruction == nil {
		return out
	}
	out.Key, out.Approvals, out.Mine = k, len(k.Destruction.Approvals), k.Destruction.RequestedBy == v.Person.ID ||
		slices.ContainsFunc(k.Destruction.Approvals, func(a snapshot.KeyApproval) bool { return a.By == v.Person.ID })
	out.Mark = mark{"Destruction asked for", "wait"}
	if k.Ordered() {
		out.Mark = mark{"Destroyed", "good"}
	}
	return out
}

// offboardingDo does what is several acts in one: the count of what was released, the
// look for attempts, and the end. The API does them as the visitor.
func (s *server) offboardingDo(v *visit) (offboardingPage, error) {
	o, err := s.anOffboarding(v)
	if err != nil {
		return offboardingPage{}, err
	}
	what := v.PathValue("what")
	if !slices.Contains([]string{"inventory", "check", "finish"}, what) {
		return offboardingPage{}, notFound()
	}
	if err := v.ParseForm(); err != nil {
		return offboardingPage{}, problem.New(problem.Invalid, "The form cannot be read", "Go back and send it again").Because(err)
	}
	reason := strings.TrimSpace(v.PostForm.Get("reason"))
	_, err = s.call(v, "POST", "/v1/offboardings/"+url.PathEscape(string(o.ID))+"/"+what, map[string]string{"reason": reason})
	if err == nil {
		v.redirect("/console/offboardings/" + url.PathEscape(string(o.ID)))
		return offboardingPage{}, nil
	}
	var p *problem.Problem
	if !errors.As(err, &p) {
		return offboardingPage{}, err
	}
	out, err := s.offboardingPage(v, o)
	out.Error, out.Failed, out.Reason = p, what, reason
	v.status = p.Kind.Status()
	return out, err
}

func (s *server) offboardingCertificate(v *visit) (any, error) {
	o, err := s.anOffboarding(v)
	if err != nil {
		return nil, err
	}
	format := cmp.Or(v.URL.Query().Get("format"), "pdf")
	name := string(o.ID) + "-certificate-draft."
	if !o.CompletedAt.IsZero() {
		name = string(o.ID) + "-certificate."
	}
	return nil, s.pass(v, "/v1/offboardings/"+url.PathEscape(string(o.ID))+"/certificate?format="+url.QueryEscape(format), name+strings.Replace(format, "text", "txt", 1))
}

// offboardingInventory is the list of what was released, as it was recorded.
func (s *server) offboardingInventory(v *visit) (any, error) {
	o, err := s.anOffboarding(v)
	if err != nil {
		return nil, err
	}
	if o.Inventory.Document == "" {
		return nil, problem.New(problem.NotFound, "Nothing is counted yet", "Count what was released, on the page of the parting")
	}
	return nil, s.pass(v, "/v1/documents/"+url.PathEscape(o.Inventory.Document), string(o.ID)+"-inventory.json")
}

// Cites is the rule that a certificate of return and destruction rests on.
func (p offboardingPage) Cites() hipaa.Citation { return hipaa.MustCite("P-504-e-2-ii-J") }

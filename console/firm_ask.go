package console

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// Asking for access. The form is sent to this page, which asks the API what stands in
// the way, if it were approved now, and shows that beside it; only then does a form lead
// to the act. What a person types is never in an address.

// firmRequestPage is the form, with what the API says of it.
type firmRequestPage struct {
	Offers   []firmOffer // there is nothing chosen yet
	Work     *snapshot.Engagement
	Role     *api.RoleFields
	Types    []askType
	Apps     []askChoice
	Devices  []askChoice
	Cohorts  []askChoice
	Ref      string
	Digest   string
	Patients string
	Megabyte string
	Life     string
	Unit     string // of Life: "days", or "minutes" of an elevation
	Longest  string
	Elevates *snapshot.Grant
	Ticket   string
	Why      string
	Errors   []askError
	Preview  *askPreview
	Hidden   []askField // the act's own fields, for the form that asks
}

type askType struct {
	Type         string
	Interactions []askChoice
	Elements     []askElement
	Chosen       int // of Elements
}

type askElement struct {
	askChoice
	Becomes string
	Mark    *mark
}

type askChoice struct {
	Value, Label string
	Chosen       bool
}

type askError struct{ Field, Text string }

type askField struct{ Name, Value string }

// askPreview is what a request would cost: each condition that a vendor may see.
type askPreview struct {
	Open    bool
	EndsAt  time.Time
	Rungs   []askRung
	Assumed []string
}

type askRung struct {
	Title   string
	Mark    mark
	Reasons []firmReason
}

func firmQuery(pairs ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	return q.Encode()
}

// firmRolesFor are the roles that people of the engagement may ask for.
func firmRolesFor(v *snapshot.View, e id.Engagement) []*snapshot.Role {
	var out []*snapshot.Role
	for _, key := range registry.RolesFor(v, e) {
		if r, ok := v.Roles.Get(key); ok {
			out = append(out, r)
		}
	}
	return out
}

func (s *server) firmRequestPage(v *visit) (firmRequestPage, error) {
	f, err := firmOf(v)
	if err != nil {
		return firmRequestPage{}, err
	}
	v.under("What you may use", firmPath+"/access")
	if v.Method == http.MethodPost {
		if err := v.ParseForm(); err != nil {
			return firmRequestPage{}, problem.New(problem.Invalid, "The form cannot be read", "Go back and send it again").Because(err)
		}
	}
	a, err := f.ask(v.URL.Query())
	if err != nil || a.Role == nil {
		return a, err
	}
	sent := v.PostForm
	if v.Method == http.MethodGet {
		sent = nil
	}
	a.fill(f, sent)
	if sent != nil {
		return a, s.firmForesee(f, &a, sent)
	}
	return a, nil
}

// ask finds what is asked for among what is the firm's.
func (f firm) ask(q url.Values) (firmRequestPage, error) {
	v := f.v
	var a firmRequestPage
	if key := id.Grant(q.Get("elevates")); key != "" {
		g, ok := v.View.Grants.Get(key)
		if !ok || !f.has(g.Engagement) || g.Person != v.Person.ID || !g.Live(v.Now) || g.Elevates != "" {
			return a, notFound()
		}
		a.Elevates = g
	}
	key := id.Engagement(q.Get("engagement"))
	if key == "" {
		a.Offers = f.offers()
		return a, nil
	}
	work, ok := v.View.Engagements.Get(key)
	if !ok || work.Vendor != f.vendor.ID || a.Elevates != nil && a.Elevates.Engagement != key {
		return a, notFound()
	}
	a.Work = work
	role := id.Role(q.Get("role"))
	if role == "" {
		for _, o := range f.offers() {
			if o.ID != key {
				continue
			}
			for i := range o.Roles {
				o.Roles[i].Href += askCarried(q)
			}
			a.Offers = append(a.Offers, o)
		}
		return a, nil
	}
	if !slices.Contains(registry.RolesFor(v.View, key), role) {
		return a, notFound()
	}
	a.Role = new(api.RoleFields)
	return a, v.s.read(v, "/v1/roles/"+url.PathEscape(string(role))+"/fields", a.Role)
}

// askCarried keeps of an address what the next step needs.
func askCarried(q url.Values) string {
	out := url.Values{}
	for _, name := range []string{"from", "elevates"} {
		if x := q.Get(name); x != "" {
			out.Set(name, x)
		}
	}
	if len(out) == 0 {
		return ""
	}
	return "&" + out.Encode()
}

// fill puts the choices into the form: what was sent, or a proposal.
func (a *firmRequestPage) fill(f firm, sent url.Values) {
	v := f.v
	chosen := func(name, value string, otherwise bool) bool {
		if sent == nil {
			return otherwise
		}
		return slices.Contains(sent[name], value)
	}
	value := func(name, otherwise string) string {
		if sent == nil {
			return otherwise
		}
		return strings.TrimSpace(sent.Get(name))
	}
	from := a.Elevates
	if g, ok := v.View.Grants.Get(id.Grant(v.URL.Query().Get("from"))); ok && from == nil && f.has(g.Engagement) && g.Engagement == a.Work.ID {
		from = g
	}
	for _, t := range a.Role.Types {
		x := askType{Type: t.Type}
		for _, i := range t.Interactions {
			x.Interactions = append(x.Interactions, askChoice{i, rightTo(i), chosen("resources."+t.Type+".interactions", i, true)})
		}
		for _, e := range t.Elements {
			el := askElement{askChoice: askChoice{e.Element, e.Element, chosen("resources."+t.Type+".elements", e.Element, !e.Removed)}, Becomes: askBecomes(a.Role, e)}
			switch {
			case e.Removed:
				el.Mark = &mark{"Never leaves", "off"}
			case e.Direct && a.Role.Direct:
				el.Mark = &mark{"Identifiers too", "warn"}
			}
			if el.Chosen {
				x.Chosen++
			}
			x.Elements = append(x.Elements, el)
		}
		a.Types = append(a.Types, x)
	}
	for _, p := range f.apps() {
		if p.State == snapshot.Approved && (a.Elevates == nil || p.ID == a.Elevates.App) {
			a.Apps = append(a.Apps, askChoice{string(p.ID), p.Name + " (" + string(p.ID) + ")", chosen("app", string(p.ID), from != nil && from.App == p.ID)})
		}
	}
	for _, d := range f.devices() {
		if d.State == snapshot.Approved {
			a.Devices = append(a.Devices, askChoice{string(d.ID), string(d.ID) + ", " + d.Region, chosen("devices", string(d.ID), from != nil && slices.Contains(from.Devices, d.ID) || from == nil && d.Owner == v.Person.ID)})
		}
	}
	cohort := snapshot.Cohort{Kind: snapshot.CohortGroup}
	if from != nil {
		cohort = from.Cohort
	}
	for _, k := range []snapshot.CohortKind{snapshot.CohortGroup, snapshot.CohortList, snapshot.CohortSearch, snapshot.CohortAll} {
		a.Cohorts = append(a.Cohorts, askChoice{string(k), askCohorts[k], chosen("cohort.kind", string(k), k == cohort.Kind)})
	}
	a.Ref, a.Digest = value("cohort.ref", cohort.Ref), value("cohort.digest_sha256", cohort.Digest)
	patients, megabytes := 100, int64(100)
	if from != nil {
		patients, megabytes = from.MaxPatients, max(from.MaxDailyBytes>>20, 1)
	}
	rule := v.View.Settings.Access
	a.Unit, a.Longest = "days", firmLife(int(min(rule.MaxRequest, registry.MaxGrant)/time.Minute))
	life := "30"
	if a.Elevates != nil {
		a.Unit, a.Longest, life = "minutes", firmLife(int(rule.MaxElevation/time.Minute)), "60"
	}
	a.Patients, a.Megabyte, a.Life = value("max_patients", strconv.Itoa(patients)), value("megabytes", strconv.FormatInt(megabytes, 10)), value("life", life)
	a.Ticket, a.Why = value("ticket", ""), value("why", "")
}

var askCohorts = map[snapshot.CohortKind]string{snapshot.CohortGroup: "A group at the source, by its id", snapshot.CohortList: "A list that the organisation keeps, by its name",
	snapshot.CohortSearch: "Those that a search of Patient finds", snapshot.CohortAll: "Every patient: say below why that is needed"}

// askBecomes says what a profile makes of an element of a role, in plain words.
func askBecomes(role *api.RoleFields, e api.FieldShown) string {
	var out []string
	for _, r := range e.Becomes {
		text, ok := askRulings[r]
		switch {
		case !ok:
			text = r
		case r == "named" && !role.Direct && len(e.Becomes) > 1:
			text = "without names and free text"
		case r == "role" && strings.Contains(e.Type, "Identifier"):
			text = map[string]string{string(snapshot.KeepIDs): "as it is"}[role.IDs]
			text = cmp.Or(text, "a code in its place")
		case r == "role":
			text = map[string]string{string(snapshot.KeepDates): "as it is", string(snapshot.ByProfile): "as the profile says"}[role.Dates]
			text = cmp.Or(text, "its year only")
		}
		if text != "" && !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	if len(out) == 0 {
		return "removed"
	}
	return strings.Join(out, "; ")
}

var askRulings = map[string]string{"kept": "as it is", "removed": "removed", "year": "its year only", "shifted": "moved by a number of days", "code": "a code in its place", "reference": "a code for what it points at",
	"canonical": "well-known names only", "zip3": "its first three digits", "zip": "the postal code", "state": "the State", "country": "the country", "display": "names of known codes", "scrubbed": "words with identifiers taken out",
	"extensions": "named extensions only", "refused": "refuses the record", "parts": "", "role": "", "named": "only where the role may have identifiers", "asked": "because the role names it"}

// fields reads the form into the act's own names.
func (a *firmRequestPage) fields(sent url.Values) (registry.MakeRequest, []askField) {
	wrong := func(field, text string) { a.Errors = append(a.Errors, askError{field, text}) }
	number := func(field, name string) int {
		n, err := strconv.Atoi(strings.TrimSpace(sent.Get(field)))
		if err != nil || n < 1 || n > 1<<31 {
			wrong(field, name+": write a whole number above zero")
			return 0
		}
		return n
	}
	act := registry.MakeRequest{Engagement: a.Work.ID, App: id.App(sent.Get("app")), Role: a.Role.Role, Resources: map[string]snapshot.ResourceScope{},
		Cohort:      snapshot.Cohort{Kind: snapshot.CohortKind(sent.Get("cohort.kind")), Ref: strings.TrimSpace(sent.Get("cohort.ref")), Digest: strings.TrimSpace(sent.Get("cohort.digest_sha256"))},
		MaxPatients: number("max_patients", "Patients"), MaxDailyBytes: int64(number("megabytes", "Megabytes a day")) << 20, Why: strings.TrimSpace(sent.Get("why"))}
	life := number("life", "How long")
	if a.Elevates != nil {
		act.Elevates, act.Ticket, act.Life = a.Elevates.ID, strings.TrimSpace(sent.Get("ticket")), life
	} else if life < 100_000 {
		act.Life = life * 24 * 60
	}
	for _, d := range sent["devices"] {
		act.Devices = append(act.Devices, id.Device(d))
	}
	out := []askField{{"engagement", string(act.Engagement)}, {"app", string(act.App)}, {"role", string(act.Role)}, {"cohort.kind", string(act.Cohort.Kind)}, {"max_patients", strconv.Itoa(act.MaxPatients)},
		{"max_daily_bytes", strconv.FormatInt(act.MaxDailyBytes, 10)}, {"life_minutes", strconv.Itoa(act.Life)}, {"why", act.Why}}
	for _, x := range []askField{{"cohort.ref", act.Cohort.Ref}, {"cohort.digest_sha256", act.Cohort.Digest}, {"elevates", string(act.Elevates)}, {"ticket", act.Ticket}} {
		if x.Value != "" {
			out = append(out, x)
		}
	}
	for _, d := range act.Devices {
		out = append(out, askField{"devices", string(d)})
	}
	whole, parts := true, []askField(nil)
	for _, t := range a.Types {
		var scope snapshot.ResourceScope
		for _, i := range t.Interactions {
			if i.Chosen {
				scope.Interactions = append(scope.Interactions, i.Value)
			}
		}
		for _, e := range t.Elements {
			if e.Chosen {
				scope.Elements = append(scope.Elements, e.Value)
			}
		}
		if len(scope.Elements) == 0 || len(scope.Interactions) == 0 {
			whole = false
			continue
		}
		act.Resources[t.Type] = scope
		whole = whole && len(scope.Elements) == len(t.Elements) && len(scope.Interactions) == len(t.Interactions)
		for _, i := range scope.Interactions {
			parts = append(parts, askField{"resources." + t.Type + ".interactions", i})
		}
		for _, e := range scope.Elements {
			parts = append(parts, askField{"resources." + t.Type + ".elements", e})
		}
	}
	if whole && len(act.Resources) == len(a.Types) { // the whole role: it goes without saying
		act.Resources, parts = nil, nil
	} else if len(act.Resources) == 0 {
		wrong("fields", "Choose at least one field, and what you do with it")
	}
	if act.Why == "" {
		wrong("why", "Say why you need it")
	}
	return act, append(out, parts...)
}

// firmForesee asks what the request would cost.
func (s *server) firmForesee(f firm, a *firmRequestPage, sent url.Values) error {
	act, hidden := a.fields(sent)
	if len(a.Errors) > 0 {
		f.v.status = http.StatusUnprocessableEntity
		return nil
	}
	var got struct {
		Open    bool      `json:"open"`
		EndsAt  time.Time `json:"ends_at"`
		Assumed []string  `json:"assumed"`
		Rungs   []struct {
			Gate     string `json:"gate"`
			Title    string `json:"title"`
			Pass     bool   `json:"pass"`
			Failures []struct {
				Message  string         `json:"message"`
				Detail   []string       `json:"detail"`
				Next     string         `json:"next_step"`
				Who      string         `json:"who"`
				Citation hipaa.Citation `json:"citation"`
			} `json:"failures"`
		} `json:"rungs"`
	}
	err := s.ask(f.v, "/v1/requests/preview", act, &got)
	var p *problem.Problem
	if errors.As(err, &p) && (p.Kind == problem.Invalid || p.Kind == problem.Conflict || p.Kind == problem.Refused) {
		f.v.status = p.Kind.Status()
		a.Errors = append(a.Errors, askError{askAnchor(p.Field), sentence(askFieldName(p.Field)+p.Title) + " " + sentence(p.NextStep)})
		return nil
	}
	if err != nil {
		return err
	}
	out := &askPreview{Open: got.Open, EndsAt: got.EndsAt, Assumed: got.Assumed}
	for _, r := range got.Rungs {
		rung := askRung{Title: r.Title, Mark: mark{"Met", "good"}}
		if !r.Pass {
			rung.Mark = mark{"Not met", "bad"}
		}
		for _, x := range r.Failures {
			message := x.Message
			if len(x.Detail) > 0 {
				message += ": " + strings.Join(x.Detail, ", ")
			}
			rung.Reasons = append(rung.Reasons, f.reason(problem.Reason{Gate: r.Gate, Message: message, NextStep: x.Next, Who: x.Who, Citation: x.Citation.Text, Verified: string(x.Citation.Verified)}, nil))
		}
		out.Rungs = append(out.Rungs, rung)
	}
	slices.SortStableFunc(out.Rungs, func(x, y askRung) int { return len(y.Reasons) - len(x.Reasons) })
	a.Preview, a.Hidden = out, hidden
	return nil
}

// askAnchor is the field of the form for one of the act.
func askAnchor(field string) string {
	name, _, _ := strings.Cut(field, ".")
	switch name {
	case "max_patients", "app", "ticket", "why", "devices", "cohort":
		return name
	case "max_daily_bytes":
		return "megabytes"
	case "life_minutes":
		return "life"
	case "resources", "role":
		return "fields"
	}
	return "why"
}

func askFieldName(field string) string {
	if field == "" {
		return ""
	}
	return fmt.Sprintf("%s: ", words(field))
}

package console

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// explainAsk is api.ExplainRequest in the form in which it is written.
type explainAsk struct {
	Decision id.Decision   `json:"decision,omitempty"`
	Question *api.Question `json:"question,omitempty"`
	At       time.Time     `json:"at,omitzero"`
	With     []imaginedAct `json:"with,omitempty"`
}

type imaginedAct struct {
	Kind registry.Kind   `json:"kind"`
	Act  json.RawMessage `json:"act"`
}

// whatIf is another world to judge a request in: another time, or an act that is imagined.
// Its own fields in the address begin with "if-"; the others are those of the act.
type whatIf struct {
	Judge   string // "now", "then"; empty: nothing is asked yet
	At      string // as it was written
	Time    time.Time
	Kind    registry.Kind // of the act
	Summary string
	With    []imaginedAct
	Ask     bool // the act needs to be told more first
	Must    []actField
	May     []actField
	Open    bool
	Acts    []actGroup
	Wrong   string
}

// actGroup is the acts about one thing, to choose from.
type actGroup struct {
	Label   string
	Options []option
}

// imaginable are the things whose acts open and close doors.
var imaginable = []string{"vendor", "assessment", "certification", "agreement", "engagement", "determination", "person", "training", "device", "app", "workload", "role", "grant", "review", "hold", "incident", "offboarding", "course", "key"}

// readWhatIf reads the form of a judgement.
func (s *server) readWhatIf(v *visit) whatIf {
	q := v.URL.Query()
	w := whatIf{Judge: q.Get("if-judge"), At: strings.TrimSpace(q.Get("if-at")), Kind: registry.Kind(q.Get("if-act"))}
	for _, noun := range imaginable {
		g := actGroup{Label: words(noun)}
		for i := range registry.Acts {
			spec := &registry.Acts[i]
			if f := (&actForm{spec: spec}); spec.Noun == noun && spec.Routed() && !f.hasFile() {
				g.Options = append(g.Options, option{string(spec.Name), spec.Summary, spec.Name == w.Kind})
			}
		}
		if len(g.Options) > 0 {
			w.Acts = append(w.Acts, g)
		}
	}
	if w.At != "" {
		at, ok := timeWritten(w.At)
		if !ok {
			w.Wrong = "A time is written as 2026-03-31T14:00."
		}
		w.Time = at
	}
	if w.Kind != "" {
		w.act(v, q)
	}
	return w
}

// timeWritten reads a time as a browser or a person writes it, in UTC.
func timeWritten(text string) (time.Time, bool) {
	for _, form := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(form, text); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// act reads the act that is imagined, and makes its fields.
func (w *whatIf) act(v *visit, q url.Values) {
	spec, ok := registry.Lookup(w.Kind)
	if !ok || !spec.Routed() || !slices.Contains(imaginable, spec.Noun) {
		w.Wrong, w.Kind = "There is no such act to imagine. Choose one from the list.", ""
		return
	}
	w.Summary = spec.Summary
	typed := url.Values{}
	for name, texts := range q {
		if !strings.HasPrefix(name, "if-") && !slices.Contains(controls, name) {
			typed[name] = texts
		}
	}
	raw, errs := readForm(spec, typed)
	form := actForm{v: v, spec: spec, typed: typed, errs: errs, shown: map[string]bool{}}
	if name, ok := strings.CutPrefix(q.Get("step"), "more:"); ok {
		form.more, w.Ask = []string{name}, true
	}
	w.Must, w.May = form.fields()
	w.Open = slices.ContainsFunc(w.May, func(x actField) bool { return x.Open })
	filled := slices.ContainsFunc(mapValues(typed), func(texts []string) bool { return strings.Join(texts, "") != "" })
	switch {
	case !filled && len(w.Must) > 0:
		w.Ask = true
	case len(errs) > 0:
		w.Wrong = labelAt(spec.Name, place(errs[0].Field)) + ": " + sentence(errs[0].Title) + " " + sentence(errs[0].Next)
	default:
		w.With = []imaginedAct{{spec.Name, raw}}
	}
}

func mapValues(m url.Values) [][]string {
	var out [][]string
	for _, x := range m {
		out = append(out, x)
	}
	return out
}

// mend is an act that may mend what a gate found, to be imagined or done.
type mend struct {
	Label string
	If    string   // where it is imagined
	Do    *actLink // nil: not for the visitor
}

// mends are the acts that may mend a gate's refusal, with what they are about filled in:
// those that the records as they stand admit.
func (c caller) mends(v *visit, gateID string) []mend {
	view, now := v.View, v.Now.UTC()
	f := v.s.frame(v)
	var out []mend
	add := func(kind registry.Kind, pairs ...any) {
		spec, ok := registry.Lookup(kind)
		if !ok {
			return
		}
		q := url.Values{"if-judge": {"now"}, "if-act": {string(kind)}}
		for i := 0; i+1 < len(pairs); i += 2 {
			q.Add(pairs[i].(string), pairs[i+1].(string))
		}
		for name, texts := range v.URL.Query() { // the question stays
			if strings.HasPrefix(name, "if-") && name != "if-judge" && name != "if-act" && name != "if-at" {
				q[name] = texts
			}
		}
		out = append(out, mend{spec.Summary, v.URL.Path + "?" + q.Encode() + "#whatif", f.May(string(kind), pairs...)})
	}
	standing := func(state snapshot.State, noun string, key string, more ...any) {
		about := append([]any{"id", key}, more...)
		switch state {
		case snapshot.Proposed:
			add(registry.Kind(noun+".approve"), about...)
		case snapshot.Suspended:
			add(registry.Kind(noun+".resume"), "id", key)
		}
	}
	year := now.AddDate(1, 0, 0).Format("2006-01-02T15:04")
	switch gateID {
	case "vendor":
		if x, ok := view.Vendors.Get(c.Vendor); ok {
			standing(x.State, "vendor", string(c.Vendor))
		}
	case "assessment":
		if _, ok := view.Vendors.Get(c.Vendor); ok {
			add("assessment.record", "vendor", string(c.Vendor), "verdict", string(snapshot.Pass), "decided_at", now.Format("2006-01-02T15:04"), "valid_until", year)
		}
	case "screening":
		if _, ok := view.Vendors.Get(c.Vendor); ok {
			add("vendor.screen", "id", string(c.Vendor), "ownership", string(snapshot.No), "access", string(snapshot.No), "screened_at", now.Format("2006-01-02T15:04"), "valid_until", year)
		}
	case "certification":
		for _, x := range view.CertificationsOf(c.Vendor) {
			if x.VerifiedHow == "" && x.RevokedAt.IsZero() {
				add("certification.verify", "id", string(x.ID), "how", "report-read", "against", "what it says")
			}
		}
	case "agreement", "permitted_use":
		for _, key := range c.Agreements {
			if x, ok := view.Agreements.Get(key); ok {
				standing(x.State, "agreement", string(key))
			}
		}
	case "engagement":
		if x, ok := view.Engagements.Get(c.Engagement); ok {
			standing(x.State, "engagement", string(c.Engagement))
		}
	case "person":
		if x, ok := view.Persons.Get(c.Person); ok {
			standing(x.State, "person", string(c.Person))
		}
	case "training":
		if _, ok := view.Persons.Get(c.Person); ok {
			add("training.record", "id", "imagined", "person", string(c.Person), "course", view.Settings.Course, "version", view.Settings.CourseVersion, "score", "1", "passed", "true",
				"completed_at", now.Format("2006-01-02T15:04"), "expires_at", year)
		}
	case "device":
		if x, ok := view.Devices.Get(c.Device); ok {
			standing(x.State, "device", string(c.Device), "trusted_until", year)
		}
	case "app":
		if x, ok := view.Apps.Get(c.App); ok {
			standing(x.State, "app", string(c.App))
		}
	case "grant":
		if x, ok := view.Grants.Get(c.Grant); ok {
			standing(x.State, "grant", string(c.Grant))
		}
	case "role":
		if x, ok := view.Roles.Get(c.Role); ok {
			standing(x.State, "role", string(c.Role))
		}
	case "review":
		for _, x := range view.ReviewsOf(c.Grant) {
			if x.Outcome == "" {
				add("review.complete", "id", string(x.ID), "outcome", string(snapshot.Keep))
			}
		}
	case "hold":
		for _, on := range []snapshot.Subject{{Noun: snapshot.NounVendor, ID: string(c.Vendor)}, {Noun: snapshot.NounEngagement, ID: string(c.Engagement)}, {Noun: snapshot.NounPerson, ID: string(c.Person)},
			{Noun: snapshot.NounDevice, ID: string(c.Device)}, {Noun: snapshot.NounApp, ID: string(c.App)}, {Noun: snapshot.NounGrant, ID: string(c.Grant)}} {
			for _, x := range view.HoldsOn(on) {
				if x.LiftedAt.IsZero() {
					add("hold.lift", "id", string(x.ID))
				}
			}
		}
	}
	return out
}

// mended puts the acts that may mend it beside each gate that refuses.
func (l *ladder) mended(v *visit, c caller) {
	for i := range l.Rungs {
		if l.Rungs[i].State.Tone == "bad" {
			l.Rungs[i].Mends = c.mends(v, l.Rungs[i].Gate)
		}
	}
}

// askedOfAll are the interactions that a question can have.
var askedOfAll = []string{"read", "vread", "search-type", "everything"}

// tryView is a request that might be made, judged.
type tryView struct {
	Grant, Interaction, Types string
	Grants                    []option
	Interactions              []option
	TypeNames                 []string
	What                      whatIf
	Who                       []ref
	Judged                    *judged
}

// try judges a request that might be made.
func (s *server) try(v *visit) tryView {
	q := v.URL.Query()
	t := tryView{Grant: strings.TrimSpace(q.Get("if-grant")), Interaction: q.Get("if-ask"), Types: strings.TrimSpace(q.Get("if-types")), What: s.readWhatIf(v)}
	for key, g := range v.View.Grants.All() {
		if g.State == snapshot.Ended {
			continue
		}
		if t.Grants = append(t.Grants, option{Value: string(key), Label: string(g.Engagement) + ", " + string(g.Role)}); len(t.Grants) == mostProposed {
			break
		}
	}
	for _, x := range askedOfAll {
		t.Interactions = append(t.Interactions, option{x, interactionLabel(x), x == t.Interaction})
	}
	c := caller{Grant: id.Grant(t.Grant)}.filled(v.View)
	if r, ok := v.View.Roles.Get(c.Role); ok {
		for typ := range r.Resources {
			t.TypeNames = append(t.TypeNames, typ)
		}
		slices.Sort(t.TypeNames)
	}
	if t.Grant == "" || t.What.Judge == "" || t.What.Wrong != "" || t.What.Ask {
		return t
	}
	types := strings.FieldsFunc(t.Types, func(r rune) bool { return r == ',' || r == ' ' })
	if len(types) == 0 {
		t.What.Wrong = "Say which FHIR resource types are asked for, such as Patient."
		return t
	}
	ask := explainAsk{Question: &api.Question{Grant: id.Grant(t.Grant), Interaction: t.Interaction, Resources: types}, At: t.What.Time, With: t.What.With}
	x, err := s.explain(v, ask)
	if err != nil {
		t.What.Wrong = problemText(err)
		return t
	}
	t.Judged = judge(v, c, t.What.title(), x)
	t.Judged.Ladder.mended(v, c)
	view := v.View
	t.Who = []ref{refIn(view, c.Vendor), refIn(view, c.Engagement), refIn(view, c.Person), refIn(view, c.Device), refIn(view, c.App)}
	return t
}

// title says in which world it is judged.
func (w whatIf) title() string {
	out := "As if it were asked now"
	switch {
	case !w.Time.IsZero():
		out = "As if it were asked on " + when(w.Time)
	case w.Judge == "then":
		out = "By the papers of then"
	}
	if w.Kind != "" {
		out += ", had this been done: " + w.Summary
	}
	return out
}

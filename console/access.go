package console

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

func accessScreens() []screen {
	return []screen{
		on("requests", "Requests", "GET /console/requests", ours, (*server).requests),
		on("request", "Request", "GET /console/requests/{id}", ours, (*server).request),
		on("elevations", "Elevations", "GET /console/elevations", ours, (*server).elevations),
		on("emergencies", "Emergency uses", "GET /console/emergencies", ours, (*server).emergencies),
		on("emergency", "Emergency use", "GET /console/emergencies/{id}", ours, (*server).emergency),
		on("reviews", "Reviews", "GET /console/reviews", ours, (*server).reviews),
		on("review", "Review", "GET /console/reviews/{id}", ours, (*server).review),
	}
}

// careTabs are pages that belong together.
type careTabs struct {
	Label string
	Tabs  []careTab
}

type careTab struct {
	Label, Href string
	Here        bool
	Count       int
}

// accessTabs are the pages about access; n is how many wait on the page that is here, which
// has counted them itself.
func accessTabs(v *visit, here string, n int) careTabs {
	waits := map[string]int{here: n}
	if here != "requests" {
		for _, r := range v.View.Requests.All() {
			if r.Open(v.Now) {
				waits["requests"]++
			}
		}
	}
	if here != "elevations" {
		for _, g := range v.View.Grants.All() {
			if g.Elevates != "" && g.Live(v.Now) {
				waits["elevations"]++
			}
		}
	}
	if here != "emergencies" {
		for _, e := range v.View.Emergencies.All() {
			if e.ReviewedAt.IsZero() {
				waits["emergencies"]++
			}
		}
	}
	return careTabs{"Requests, elevations, emergencies", []careTab{
		{"Requests", "/console/requests", here == "requests", waits["requests"]},
		{"Elevations", "/console/elevations", here == "elevations", waits["elevations"]},
		{"Emergency uses", "/console/emergencies", here == "emergencies", waits["emergencies"]},
	}}
}

type requestsPage struct {
	Tabs    careTabs
	Waiting []requestSays
	More    int
	List    list
}

// requestSays is a request in a sentence.
type requestSays struct {
	*snapshot.Request
	Says string
	Mine bool // the visitor may not decide it: they asked, or it is theirs
}

// requestsShown is how many requests that wait are told before the list.
const requestsShown = 5

func (s *server) requests(v *visit) (requestsPage, error) {
	var out requestsPage
	out.List = listOf(v, listing[*snapshot.Request]{
		Caption: "Requests",
		Rows: func(yield func(*snapshot.Request) bool) {
			for _, r := range v.View.Requests.All() {
				if r.Open(v.Now) {
					if len(out.Waiting) < requestsShown {
						out.Waiting = append(out.Waiting, requestSays{r, requestSentence(v.View, r), requestMine(v, r)})
					} else {
						out.More++
					}
				}
				if !yield(r) {
					return
				}
			}
		},
		Search: func(r *snapshot.Request) string {
			return strings.Join([]string{string(r.ID), string(r.Person), personName(v.View, r.Person), string(r.Engagement), string(r.Role), vendorName(v.View, r.Vendor)}, "\n")
		},
		Filters: []filter[*snapshot.Request]{
			{Key: "stage", Label: "Stage", Of: func(r *snapshot.Request) []string { return []string{string(r.Stage)} },
				Options: wordOptions([]snapshot.RequestStage{snapshot.RequestOpen, snapshot.RequestApproved, snapshot.RequestDenied, snapshot.RequestWithdrawn, snapshot.RequestLapsed})},
			vendorFilter(v, func(r *snapshot.Request) id.Vendor { return requestVendor(v.View, r) }),
		},
		Columns: []column[*snapshot.Request]{
			{Key: "asked", Label: "Asked", Cell: func(r *snapshot.Request) cell {
				return cell{Text: when(r.AskedAt), Href: "/console/requests/" + string(r.ID)}
			}, Sort: func(r *snapshot.Request) string { return iso(r.AskedAt) }},
			{Key: "person", Label: "For", Cell: func(r *snapshot.Request) cell {
				x := refIn(v.View, r.Person)
				return cell{Text: x.Label, Href: x.Href, Help: vendorName(v.View, requestVendor(v.View, r))}
			}},
			{Key: "role", Label: "What", Cell: func(r *snapshot.Request) cell {
				return cell{Text: roleTitle(v.View, r.Role), Help: requestKind(r)}
			}},
			{Key: "life", Label: "How long", Cell: func(r *snapshot.Request) cell { return text(lifeWords(r.Life)) }, Sort: func(r *snapshot.Request) string { return fmt.Sprintf("%09d", r.Life) }},
			{Key: "stage", Label: "Stage", Cell: func(r *snapshot.Request) cell {
				m := requestMark(r, v.Now)
				return cell{Text: m.Word, Mark: &m}
			}},
		},
		Sort:  "-asked",
		Empty: empty{Title: "Nobody has asked for access", Text: "A vendor's person asks on their own pages for the smallest thing that fits: which fields, why, for how long. A data owner decides here, and the access ends by itself."},
	})
	out.Tabs = accessTabs(v, "requests", len(out.Waiting)+out.More)
	return out, nil
}

func requestVendor(v *snapshot.View, r *snapshot.Request) id.Vendor {
	if w, ok := v.Engagements.Get(r.Engagement); ok {
		return w.Vendor
	}
	return r.Vendor
}

// requestMine reports whether the visitor asked, or would have it: then another decides.
func requestMine(v *visit, r *snapshot.Request) bool {
	return v.Person.ID == r.Person || v.Person.ID == r.AskedBy
}

func requestKind(r *snapshot.Request) string {
	if r.Elevates != "" {
		return "adds to " + string(r.Elevates) + ", ticket " + r.Ticket
	}
	return string(r.Engagement)
}

func requestMark(r *snapshot.Request, now time.Time) mark {
	switch {
	case r.Open(now):
		return mark{"Waits", "wait"}
	case r.Stage == snapshot.RequestOpen:
		return mark{"Lapsed", "off"}
	case r.Stage == snapshot.RequestDenied:
		return mark{"Refused", "bad"}
	}
	return stateOf(r.Stage)
}

// requestSentence says who asks for what, until when.
func requestSentence(v *snapshot.View, r *snapshot.Request) string {
	what := roleTitle(v, r.Role)
	if r.Elevates != "" {
		what = "elevated access, " + what
	}
	return fmt.Sprintf("%s of %s asks for %s, for %s.", personName(v, r.Person), vendorName(v, requestVendor(v, r)), what, lifeWords(r.Life))
}

func personName(v *snapshot.View, key id.Person) string {
	if p, ok := v.Persons.Get(key); ok && p.Name != "" {
		return p.Name
	}
	return string(key)
}

func roleTitle(v *snapshot.View, key id.Role) string {
	if r, ok := v.Roles.Get(key); ok && r.Title != "" {
		return r.Title
	}
	return string(key)
}

// lifeWords is a time in minutes, in words.
func lifeWords(minutes int) string {
	switch {
	case minutes >= 48*60 && minutes%(24*60) == 0:
		return plural(minutes/(24*60), "day")
	case minutes >= 120 && minutes%60 == 0:
		return plural(minutes/60, "hour")
	case minutes >= 48*60:
		return plural(minutes/(24*60), "day") + " and " + plural(minutes%(24*60)/60, "hour")
	}
	return plural(minutes, "minute")
}

// requestPage is what a data owner decides by, made for a telephone.
type requestPage struct {
	requestSays
	Mark       mark
	Waits      bool
	Vendor     id.Vendor
	Work       *snapshot.Engagement // nil: there is none
	Types      []requestType
	Fields     int // how many are asked for
	Of         int // how many the role has
	Direct     int // how many are, or hold, direct identifiers
	Ends       time.Time
	Amount     string
	Cohort     string
	Preview    *api.RequestPreview
	PreviewNot string // why there is none; empty too: it is not for the visitor
	Deciders   []ref  // who may approve it
	Missing    []requestGate
	Met        int
	Has        []*snapshot.Grant
	Before     []*snapshot.Request // what else they asked for, the newest first
	Long       string              // as was asked
	Shorter    []option
	Grant      *snapshot.Grant // that it led to; nil: none
}

// requestType is one kind of record, with the fields of it.
type requestType struct {
	Type         string
	Interactions string
	Fields       []requestField
}

type requestField struct {
	Name    string
	Becomes string
	Direct  bool
}

// requestGate is a condition that would not be met.
type requestGate struct {
	Title, Says, Next string
}

func (s *server) request(v *visit) (requestPage, error) {
	r, ok := v.View.Requests.Get(id.Request(v.PathValue("id")))
	if !ok {
		return requestPage{}, noSuch("request", "/console/requests")
	}
	v.call("Request of " + personName(v.View, r.Person))
	v.under("Requests", "/console/requests")
	out := requestPage{requestSays: requestSays{r, requestSentence(v.View, r), requestMine(v, r)}, Mark: requestMark(r, v.Now), Waits: r.Open(v.Now),
		Vendor: requestVendor(v.View, r), Ends: v.Now.Add(time.Duration(r.Life) * time.Minute), Cohort: cohortWords(r.Cohort),
		Amount: fmt.Sprintf("at most %s, %s a day", plural(r.MaxPatients, "patient"), humanBytes(r.MaxDailyBytes))}
	if w, ok := v.View.Engagements.Get(r.Engagement); ok {
		out.Work = w
		if w.EndsAt.Before(out.Ends) {
			out.Ends = w.EndsAt
		}
	}
	if role, ok := v.View.Roles.Get(r.Role); ok {
		out.asked(role)
	}
	for _, g := range v.View.GrantsOfPerson(r.Person) {
		if g.Live(v.Now) {
			out.Has = append(out.Has, g)
		}
	}
	for _, x := range v.View.Requests.All() {
		if x.Person == r.Person && x.ID != r.ID {
			out.Before = append(out.Before, x)
		}
	}
	slices.SortFunc(out.Before, func(a, b *snapshot.Request) int { return b.AskedAt.Compare(a.AskedAt) })
	out.Before = out.Before[:min(len(out.Before), 5)]
	if g, ok := v.View.Grants.Get(r.Grant); ok {
		out.Grant = g
	}
	out.Long, out.Shorter = lifeWords(r.Life), shorter(r.Life)
	if out.Waits {
		s.requestCost(v, &out)
		for _, p := range v.View.PersonsOf("") {
			if p.State == snapshot.Approved && waitsMay("request.approve", p) && len(out.Deciders) < requestsShown {
				out.Deciders = append(out.Deciders, refIn(v.View, p.ID))
			}
		}
	}
	return out, nil
}

// asked says in plain words which fields of which records are asked for.
func (p *requestPage) asked(role *snapshot.Role) {
	scope := p.Resources
	if len(scope) == 0 {
		scope = role.Resources
	}
	for _, t := range role.Resources {
		p.Of += len(t.Elements)
	}
	for _, typ := range slices.Sorted(maps.Keys(scope)) {
		x := requestType{Type: typ, Interactions: rightsTo(scope[typ].Interactions)}
		for _, e := range scope[typ].Elements {
			x.Fields = append(x.Fields, requestField{Name: e})
			p.Fields++
		}
		p.Types = append(p.Types, x)
	}
}

func cohortWords(c snapshot.Cohort) string {
	switch c.Kind {
	case snapshot.CohortAll:
		return "every patient of the source"
	case snapshot.CohortGroup:
		return "the source's group " + c.Ref
	case snapshot.CohortList:
		return "the list " + c.Ref
	case snapshot.CohortSearch:
		return "those that a search finds: " + c.Ref
	}
	return "not said"
}

// requestCost asks the gates what approving would open. It is asked as the visitor, who
// may not be one of those that it tells.
func (s *server) requestCost(v *visit, p *requestPage) {
	r := p.Request
	ask := registry.MakeRequest{Person: r.Person, Engagement: r.Engagement, App: r.App, Devices: r.Devices, Role: r.Role, Resources: r.Resources, Cohort: r.Cohort, Labels: r.Labels,
		MaxPatients: r.MaxPatients, MaxDailyBytes: r.MaxDailyBytes, Life: r.Life, Elevates: r.Elevates, Ticket: r.Ticket, Why: r.Why}
	p.Preview = new(api.RequestPreview)
	if err := s.ask(v, "/v1/requests/preview", ask, p.Preview); err != nil {
		x := problem.From(err)
		p.Preview, p.PreviewNot = nil, sentence(x.Title)+" "+sentence(x.NextStep)
		if x.Kind == problem.Refused {
			p.PreviewNot = "" // it is for those who decide, and for who asked
		}
		return
	}
	for _, rung := range p.Preview.Rungs {
		if rung.Pass {
			p.Met++
			continue
		}
		for _, f := range rung.Failures {
			p.Missing = append(p.Missing, requestGate{rung.Title, f.Message, f.NextStep})
		}
	}
	for i, t := range p.Types {
		at := slices.IndexFunc(p.Preview.Role.Types, func(x api.TypeFields) bool { return x.Type == t.Type })
		if at < 0 {
			continue
		}
		for j, f := range t.Fields {
			k := slices.IndexFunc(p.Preview.Role.Types[at].Elements, func(x api.FieldShown) bool { return x.Element == f.Name })
			if k < 0 {
				continue
			}
			shown := p.Preview.Role.Types[at].Elements[k]
			names := shown.Direct && !shown.Removed && p.Preview.Role.Direct
			if names {
				p.Direct++
			}
			p.Types[i].Fields[j].Direct, p.Types[i].Fields[j].Becomes = names, becomes(shown, p.Preview.Role)
		}
	}
}

// becomes is what leaves of a field, where it is not the field as it stands.
func becomes(f api.FieldShown, role api.RoleFields) string {
	if f.Removed {
		return "removed before it leaves"
	}
	plain := map[string]string{
		"year": "to the year", "shifted": "moved by the patient's own number of days", "code": "a code in its place", "reference": "references become codes",
		"canonical": "own addresses become codes", "zip3": "three digits of the ZIP code", "scrubbed": "text goes through the scrubber", "role": "dates and ids as the role says",
		"named": "what names somebody is removed", "display": "labels of known code systems only",
	}
	var out []string
	for _, word := range f.Becomes {
		says := plain[word]
		if word == "named" && role.Direct {
			says = "may hold what names somebody"
		}
		if says != "" && !slices.Contains(out, says) {
			out = append(out, says)
		}
	}
	return strings.Join(out, "; ")
}

// shorter are times that are less than what was asked for.
func shorter(life int) []option {
	var out []option
	for _, m := range []int{15, 60, 4 * 60, 8 * 60, 24 * 60, 7 * 24 * 60, 14 * 24 * 60, 30 * 24 * 60, 60 * 24 * 60} {
		if m < life {
			out = append(out, option{Value: fmt.Sprint(m), Label: lifeWords(m)})
		}
	}
	if n := len(out); n > 0 {
		out[n-1].Chosen = true
	}
	return out[max(0, len(out)-5):]
}

// careField is a field of an act that a page fills in.
type careField struct{ Name, Value string }

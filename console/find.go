package console

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// findPage is what fits what somebody looks for.
type findPage struct {
	Query string
	Found []found
	More  bool // not everything was looked through, or more fits than is shown
	Least int  // how many letters are needed
}

// found is one of them. Its JSON is what the palette of console.js shows.
type found struct {
	Label string `json:"label"`
	Href  string `json:"href"`
	Help  string `json:"help,omitempty"`
}

const (
	findLeast = 2       // letters
	findMost  = 60      // on the page
	findBrief = 12      // in the palette
	findEach  = 8       // of one kind
	findLook  = 400_000 // records that one question looks at
)

// finder looks through what the visitor may see, one kind after the other, and stops when
// it has enough.
type finder struct {
	v      *visit
	f      Frame
	needle string
	most   int
	looked int
	out    []found
	seen   map[string]bool
	more   bool
}

func (x *finder) full() bool {
	if len(x.out) >= x.most || x.looked > findLook {
		x.more = true
		return true
	}
	return false
}

func (x *finder) add(label, href, help string) {
	if href == "" || x.seen[href] || len(x.out) >= x.most {
		return
	}
	x.seen[href] = true
	x.out = append(x.out, found{label, href, help})
}

// fits says whether one of the texts has what is looked for.
func (x *finder) fits(texts ...string) bool {
	for _, t := range texts {
		if containsFold(t, x.needle) {
			return true
		}
	}
	return false
}

// containsFold is strings.Contains without regard to case, of a text in lower case. Of
// plain letters it makes no copy, for it is asked of each of a hundred thousand names.
func containsFold(text, lower string) bool {
	for i := 0; i+len(lower) <= len(text); i++ {
		j := 0
		for ; j < len(lower); j++ {
			c := text[i+j]
			if c >= 0x80 {
				return strings.Contains(strings.ToLower(text), lower)
			}
			if 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			}
			if c != lower[j] {
				break
			}
		}
		if j == len(lower) {
			return true
		}
	}
	return false
}

func (s *server) find(v *visit) (findPage, error) {
	query := strings.TrimSpace(v.URL.Query().Get("q"))
	p := findPage{Query: query, Least: findLeast}
	brief := v.URL.Query().Get("format") == "json"
	if len(query) >= findLeast && len(query) <= 200 {
		x := &finder{v: v, f: s.frame(v), needle: strings.ToLower(query), most: findMost, seen: map[string]bool{}}
		if brief {
			x.most = findBrief
		}
		x.pages()
		if v.ours() {
			x.exact(s, query)
			x.records(s)
		} else {
			x.own()
		}
		x.glossary()
		p.Found, p.More = x.out, x.more
	}
	if brief {
		v.instead(func(w http.ResponseWriter) error {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Cache-Control", "no-store")
			if p.Found == nil {
				p.Found = []found{}
			}
			return json.NewEncoder(w).Encode(p.Found)
		})
	}
	return p, nil
}

// pageWords are other words by which people look for a page.
var pageWords = map[string]string{
	"/console/flow": "map diagram sources regions volume tls post-quantum", "/console/sessions": "signed in login logout kill browser", "/console/devices": "machine laptop posture tpm",
	"/console/health": "ready status monitoring metrics clock certificate database", "/console/keys": "rotate destroy backup root encryption", "/console/log": "audit proof checkpoint verify",
	"/console/decisions": "permit refuse deny gate why stream", "/console/training": "course certificate badge quiz", "/console/agreements": "baa contract dua sign paper", "/console/incidents": "breach report clock notice",
	"/console/evidence": "audit citation cfr show", "/console/words": "glossary meaning definition help hipaa", "/console/vendors": "partner firm company", "/console/diligence": "questionnaire soc2 certification risk assessment",
	"/console/requests": "access ask approve", "/console/reviews": "campaign recertification", "/console/holds": "stop block freeze", "/console/offboardings": "end leave terminate destroy return", "/console/people": "persons workforce duties",
	"/console/sources": "ehr fhir hospital", "/console/policies": "cedar rules what if", "/console/my/access": "grant may use", "/console/my/connect": "curl python r javascript agent token", "/console/my/activity": "requests refused",
	"/console/my/team": "people colleagues devices programs", "/console/my/papers": "agreement baa sign", "/console/my/questionnaires": "due diligence certificate", "/console/my/incidents": "report breach", "/console/tour": "demo story show",
}

// pages are the screens of the menu.
func (x *finder) pages() {
	nav := navigation(x.v)
	if x.v.ours() {
		nav = append(nav, section{"Data door", []navItem{{Label: "Devices", Href: "/console/devices"}, {Label: "Programs", Href: "/console/apps"}, {Label: "Workloads", Href: "/console/workloads"}, {Label: "Connectors", Href: "/console/connectors"}}})
	}
	for _, sec := range nav {
		for _, i := range sec.Items {
			if x.fits(i.Label, pageWords[i.Href]) {
				x.add(i.Label, i.Href, "page")
			}
		}
	}
}

// exact finds what an id names: a decision or an act, which are not in the registry's
// view.
func (x *finder) exact(s *server, query string) {
	if len(query) != 26 { // the ids that the product makes itself
		return
	}
	key := strings.ToUpper(query)
	if all, err := s.Log.Decision(x.v.Context(), id.Decision(key)); err == nil && len(all) > 0 {
		x.add(key, decisionPath(id.Decision(key)), "decision")
	}
	if e, err := s.Registry.Act(x.v.Context(), id.Act(key)); err == nil {
		x.add(key, "/console/acts/"+key, "act: "+string(e.Kind))
	}
}

// scan looks through one kind of record. texts gives what a record is known by, and its
// link; an id that is what was typed comes first.
func scan[K ~string, V any](x *finder, kind string, t snapshot.Table[K, V], texts func(*V) (string, string)) {
	if x.full() {
		return
	}
	if r, ok := t.Get(K(x.needle)); ok {
		about, _ := texts(r)
		x.record(kind, K(x.needle), about)
	}
	n := 0
	for key, r := range t.All() {
		if x.looked++; x.full() {
			return
		}
		if n >= findEach {
			x.more = true
			return
		}
		if a, b := texts(r); containsFold(string(key), x.needle) || containsFold(a, x.needle) || containsFold(b, x.needle) {
			x.record(kind, key, a)
			n++
		}
	}
}

// record adds a record under the name that links use for it.
func (x *finder) record(kind string, key any, about string) {
	r := x.f.Ref(key)
	help := kind
	if r.Help != "" && r.Help != r.Label {
		help += " · " + r.Help
	} else if about != "" && about != r.Label {
		help += " · " + about
	}
	x.add(r.Label, r.Href, help)
}

// records are all kinds of the registry that have a page of their own.
func (x *finder) records(s *server) {
	v := x.v.View
	scan(x, "vendor", v.Vendors, func(r *snapshot.Vendor) (string, string) { return r.Name, "" })
	scan(x, "engagement", v.Engagements, func(r *snapshot.Engagement) (string, string) { return string(r.Vendor), "" })
	scan(x, "agreement", v.Agreements, func(r *snapshot.Agreement) (string, string) { return string(r.Vendor), string(r.Kind) })
	for _, src := range v.Settings.Sources {
		if x.fits(string(src.ID)) {
			x.record("source", src.ID, src.Region)
		}
	}
	scan(x, "incident", v.Incidents, func(r *snapshot.Incident) (string, string) { return r.Title, string(r.Vendor) })
	scan(x, "offboarding", v.Offboardings, func(r *snapshot.Offboarding) (string, string) { return string(r.Vendor), "" })
	scan(x, "request", v.Requests, func(r *snapshot.Request) (string, string) { return "", "" })
	scan(x, "review campaign", v.Campaigns, func(r *snapshot.Campaign) (string, string) { return "", "" })
	scan(x, "questionnaire", v.Questionnaires, func(r *snapshot.Questionnaire) (string, string) { return string(r.Vendor), "" })
	scan(x, "certification", v.Certifications, func(r *snapshot.Certification) (string, string) { return string(r.Vendor), "" })
	scan(x, "role", v.Roles, func(*snapshot.Role) (string, string) { return "", "" })
	scan(x, "person", v.Persons, func(r *snapshot.Person) (string, string) { return r.Name, "" })
	scan(x, "device", v.Devices, func(r *snapshot.Device) (string, string) { return string(r.Vendor), r.SPIFFE })
	scan(x, "program", v.Apps, func(r *snapshot.App) (string, string) { return r.Name, string(r.Vendor) })
	scan(x, "grant", v.Grants, func(r *snapshot.Grant) (string, string) { return string(r.Engagement), "" })
	for key, h := range v.Holds.All() {
		if x.looked++; x.full() {
			break
		}
		if x.fits(string(key)) {
			x.add(string(key), "/console/holds?"+url.Values{"q": {string(key)}, "lifted": {"1"}}.Encode(), "hold on "+h.On.ID)
		}
	}
	for key, c := range v.Connectors.All() {
		if x.fits(string(key), c.Name) {
			x.add(string(key), "/console/connectors?"+url.Values{"q": {string(key)}}.Encode(), "connector · "+c.Name)
		}
	}
}

// own is what a vendor's person finds: their own firm's, by the indexes that are of one
// vendor, and each leads to a page that shows no other's.
func (x *finder) own() {
	v, vendor := x.v.View, x.v.Person.Vendor
	link := func(page, key string) string {
		return "/console/my/" + page + "?" + url.Values{"q": {key}}.Encode()
	}
	for _, e := range v.EngagementsOf(vendor) {
		if x.fits(string(e.ID)) {
			x.add(string(e.ID), link("access", string(e.ID)), "engagement")
		}
	}
	for _, a := range v.AgreementsOf(vendor) {
		if x.fits(string(a.ID), string(a.Kind)) {
			x.add(string(a.ID), link("papers", string(a.ID)), "agreement")
		}
	}
	for _, q := range v.QuestionnairesOf(vendor) {
		if x.fits(string(q.ID)) {
			x.add(string(q.ID), link("questionnaires", string(q.ID)), "questionnaire")
		}
	}
	for _, p := range v.PersonsOf(vendor) {
		if x.looked++; x.full() {
			return
		}
		if x.fits(string(p.ID), p.Name) {
			x.add(p.Name, link("team", string(p.ID)), "person · "+string(p.ID))
		}
	}
	for _, d := range v.DevicesOf(vendor) {
		if x.looked++; x.full() {
			return
		}
		if x.fits(string(d.ID)) {
			x.add(string(d.ID), link("team", string(d.ID)), "device")
		}
	}
	for _, a := range v.AppsOf(vendor) {
		if x.looked++; x.full() {
			return
		}
		if x.fits(string(a.ID), a.Name) {
			x.add(string(a.ID), link("team", string(a.ID)), "program · "+a.Name)
		}
	}
	for key, i := range v.Incidents.All() {
		if x.looked++; x.full() {
			return
		}
		if i.Vendor == vendor && x.fits(string(key)) {
			x.add(string(key), link("incidents", string(key)), "incident")
		}
	}
}

// glossary are the words that fit.
func (x *finder) glossary() {
	n := 0
	for _, w := range wordList {
		if n == findEach || x.full() {
			return
		}
		if x.fits(w.Term, w.Abbr, w.Key) {
			label := w.Term
			if w.Abbr != "" {
				label = w.Abbr + ": " + w.Term
			}
			x.add(label, "/console/words#"+w.Key, "what it means")
			n++
		}
	}
}

package console

import (
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/console/draw"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// sourceDays is the time that the pages of sources look back.
const sourceDays = 30

// sourcesPage is every healthcare system behind the gateway.
type sourcesPage struct{ List list }

// sourceRow is one of them.
type sourceRow struct {
	*snapshot.Source
	Leg         sourceLegSeen
	Sum         dayCount
	Engagements int // approved, that name it
}

// sourceLegSeen is what protected the newest answer from a source.
type sourceLegSeen struct {
	Seen        bool
	At          time.Time
	TLS         string
	Words       []draw.FlowWord
	Certificate string // its SHA-256; empty: none was shown
}

func (s *server) legSeen(v *visit, source id.Source) sourceLegSeen {
	leg, at, ok := s.sourceLeg(v, source)
	if !ok {
		return sourceLegSeen{}
	}
	out := sourceLegSeen{Seen: true, At: at, TLS: leg.TLS, Words: flowLeg(leg.TLS, leg.KeyExchange)}
	if leg.Certificate != (audit.Digest{}) {
		out.Certificate = fmt.Sprintf("%x", leg.Certificate[:])
	}
	return out
}

func (s *server) sources(v *visit) (sourcesPage, error) {
	sums := map[id.Source]dayCount{}
	for w, n := range s.activity.Ways(v.Now.AddDate(0, 0, -sourceDays), nil) {
		sum := sums[w.Source]
		sum.add(n)
		sums[w.Source] = sum
	}
	named := map[id.Source]int{}
	for _, e := range v.View.Engagements.All() {
		if e.State == snapshot.Approved {
			for _, x := range e.Sources {
				named[x]++
			}
		}
	}
	var rows []sourceRow
	for i := range v.View.Settings.Sources {
		x := &v.View.Settings.Sources[i]
		rows = append(rows, sourceRow{x, s.legSeen(v, x.ID), sums[x.ID], named[x.ID]})
	}
	return sourcesPage{listOf(v, listing[sourceRow]{Caption: "Healthcare systems behind the gateway", Rows: slices.Values(rows),
		Columns: []column[sourceRow]{
			{Key: "id", Label: "Source", Cell: func(r sourceRow) cell { return cell{Text: string(r.ID), Href: refTo(r.ID).Href} }},
			{Key: "region", Label: "Region", Cell: func(r sourceRow) cell { return text(r.Region) }},
			{Key: "classes", Label: "May release", Cell: func(r sourceRow) cell { return text(classWords(r.Source)) }},
			{Key: "leg", Label: "Way to the gateway", Wide: true, Cell: func(r sourceRow) cell {
				if !r.Leg.Seen {
					return cell{Text: "not seen yet", Help: "nothing was released from it"}
				}
				return cell{Text: flowSaid(r.Leg.Words), Help: "seen " + ago(v.Now, r.Leg.At)}
			}},
			{Key: "engagements", Label: "Engagements", Num: true, Cell: func(r sourceRow) cell { return text(number(r.Engagements)) }},
			{Key: "permitted", Label: "Permitted", Num: true, Cell: func(r sourceRow) cell { return text(number(r.Sum.Permitted)) }},
			{Key: "refused", Label: "Refused", Num: true, Cell: func(r sourceRow) cell { return text(number(r.Sum.Refused)) }},
			{Key: "bytes", Label: "Bytes in 30 days", Num: true, Cell: func(r sourceRow) cell { return text(number(r.Sum.Bytes)) }},
			{Key: "emergency", Label: "Emergency procedure", Cell: func(r sourceRow) cell {
				if r.EmergencyProcedure == "" {
					return cell{Mark: &mark{"Not recorded", "warn"}, Text: "Not recorded"}
				}
				return cell{Mark: &mark{"Recorded", "good"}, Text: "Recorded"}
			}},
		},
		Search: func(r sourceRow) string { return string(r.ID) + " " + r.Region },
		Empty:  empty{Title: "No source is configured", Text: "A source is a healthcare system that speaks FHIR, such as your EHR. Write it under sources: in the configuration, and start again."}})}, nil
}

func classWords(x *snapshot.Source) string {
	var out []string
	for _, c := range x.Classes {
		out = append(out, classWord(c))
	}
	return strings.Join(out, ", ")
}

// sourcePage is one healthcare system.
type sourcePage struct {
	*snapshot.Source
	Classes     string
	Setup       *api.SystemSource // nil: the node does not say
	Shows       string            // how the gateway shows itself to it
	Leg         sourceLegSeen
	Sum         dayCount
	Days        template.HTML
	Emergencies []*snapshot.Emergency
	Ways        string // to the flow map of it alone
	Decisions   string
	Grants      list
}

// sourceGrant is who may ask a source.
type sourceGrant struct {
	*snapshot.Grant
	Vendor id.Vendor
}

var credentialWords = map[string]string{"none": "nothing: the source asks for none", "bearer": "a bearer token, from a file", "basic": "user name and password, from a file",
	"mutual-tls": "a client certificate (mutual TLS)", "smart": "SMART Backend Services: a signed assertion, and short-lived tokens"}

func (s *server) source(v *visit) (sourcePage, error) {
	key := id.Source(v.PathValue("id"))
	i := slices.IndexFunc(v.View.Settings.Sources, func(x snapshot.Source) bool { return x.ID == key })
	if i < 0 {
		return sourcePage{}, notFound()
	}
	v.call("Source " + string(key))
	v.under("Sources", "/console/sources")
	p := sourcePage{Source: &v.View.Settings.Sources[i], Leg: s.legSeen(v, key), Ways: "/console/flow?source=" + template.URLQueryEscaper(string(key)),
		Decisions: "/console/decisions?source=" + template.URLQueryEscaper(string(key))}
	p.Classes = classWords(p.Source)
	var sys api.System
	if err := s.read(v, "/v1/system", &sys); err != nil {
		return p, err
	}
	for i := range sys.Sources {
		if sys.Sources[i].ID == key {
			p.Setup = &sys.Sources[i]
			p.Shows = credentialWords[p.Setup.Credentials]
		}
	}
	since := v.Now.AddDate(0, 0, 1-sourceDays)
	days := s.activity.Days(since, v.Now, func(w way) bool { return w.Source == key })
	bars := make([]draw.Bar, len(days))
	for i, d := range days {
		p.Sum.add(d)
		date := day(time.Unix(d.Day*86400, 0))
		bars[i] = draw.Bar{Label: strings.TrimSuffix(date, date[len(date)-5:]), Tip: fmt.Sprintf("%s: %s", date, flowAmount(d)),
			Parts: []draw.Part{{N: d.Permitted, Class: "good"}, {N: d.Refused, Class: "bad"}}}
	}
	p.Days = draw.Bars("source-days", "Requests to "+string(key)+" a day", "Over 30 days: "+flowAmount(p.Sum), 720, 160, bars)
	for _, e := range v.View.Emergencies.All() {
		if e.Source == key {
			p.Emergencies = append(p.Emergencies, e)
		}
	}
	p.Grants = listOf(v, s.sourceGrants(v, key))
	return p, nil
}

func (s *server) sourceGrants(v *visit, key id.Source) listing[sourceGrant] {
	of := map[id.Engagement]id.Vendor{}
	for _, e := range v.View.Engagements.All() {
		if e.State == snapshot.Approved && slices.Contains(e.Sources, key) {
			of[e.ID] = e.Vendor
		}
	}
	rows := func(yield func(sourceGrant) bool) {
		for _, g := range v.View.Grants.All() {
			if vendor, ok := of[g.Engagement]; ok && g.Live(v.Now) && !yield(sourceGrant{g, vendor}) {
				return
			}
		}
	}
	f := s.frame(v)
	linked := func(x any) cell { r := f.Ref(x); return cell{Text: r.Label, Href: r.Href} }
	return listing[sourceGrant]{Caption: "Who may ask", Rows: rows,
		Columns: []column[sourceGrant]{
			{Key: "grant", Label: "Grant", Cell: func(r sourceGrant) cell { return linked(r.ID) }},
			{Key: "vendor", Label: "Vendor", Cell: func(r sourceGrant) cell { return linked(r.Vendor) }},
			{Key: "engagement", Label: "Engagement", Cell: func(r sourceGrant) cell { return linked(r.Engagement) }},
			{Key: "person", Label: "Person", Cell: func(r sourceGrant) cell { return linked(r.Person) }},
			{Key: "app", Label: "Program", Cell: func(r sourceGrant) cell { return linked(r.App) }},
			{Key: "role", Label: "What of a record", Cell: func(r sourceGrant) cell { return linked(r.Role) }},
			{Key: "ends", Label: "Until", Cell: func(r sourceGrant) cell { return text(day(r.EndsAt)) }, Time: func(r sourceGrant) time.Time { return r.EndsAt }},
		},
		Filters: []filter[sourceGrant]{vendorFilter(v, func(r sourceGrant) id.Vendor { return r.Vendor })},
		Search: func(r sourceGrant) string {
			return strings.Join([]string{string(r.ID), string(r.Vendor), string(r.Engagement), string(r.Person), string(r.App)}, " ")
		},
		Sort:  "ends",
		Empty: empty{Title: "Nobody may ask this source", Text: "Access comes by a grant under an engagement that names the source. An approved request becomes one."}}
}

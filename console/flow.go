package console

import (
	"cmp"
	"html/template"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/console/draw"
	"github.com/sallyport/sallyport/forecast"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

func flowScreens() []screen {
	return []screen{
		on("flow", "Data flow", "GET /console/flow", ours, (*server).flow),
		on("sources", "Sources", "GET /console/sources", ours, (*server).sources),
		on("source", "Source", "GET /console/sources/{id}", ours, (*server).source),
	}
}

// flowMost is how many engagements are drawn; the others are summed.
const flowMost = 12

// flowPeriods are the periods to choose from, in days.
var flowPeriods = []int{7, 30, 90}

// flowPage is the map of the ways that data takes.
type flowPage struct {
	Days    int
	Periods []flowPeriod
	Ready   bool // the log as it was at the start has been read
	Map     template.HTML
	Text    string // the map in a sentence
	Left    int    // engagements that are not drawn, but summed
	Shown   int
	Strange []flowStrange
	List    list
}

// flowStrange is what a vendor asked for that was refused before it was known for which
// work: no way leads there.
type flowStrange struct {
	Vendor ref
	N      uint64
	Href   string
}

type flowPeriod struct {
	Label, Href string
	Chosen      bool
}

// flowRow is one way, with the ways that a release's sealing alone tells apart put
// together.
type flowRow struct {
	way
	dayCount
	Seals []string // how releases were sealed; "none": one was not
}

func (s *server) flow(v *visit) (flowPage, error) {
	p := flowPage{Days: 30}
	if n, err := strconv.Atoi(v.URL.Query().Get("days")); err == nil && slices.Contains(flowPeriods, n) {
		p.Days = n
	}
	for _, n := range flowPeriods {
		p.Periods = append(p.Periods, flowPeriod{plural(n, "day"), with(v.URL, "days", strconv.Itoa(n), "page", ""), n == p.Days})
	}
	_, p.Ready = s.activity.More()
	rows, strange := flowRows(s.activity.Ways(v.Now.AddDate(0, 0, -p.Days), nil))
	for _, key := range slices.Sorted(maps.Keys(strange)) {
		q := url.Values{"result": {"refused"}, "since": {v.Now.AddDate(0, 0, -p.Days).UTC().Format(time.DateOnly)}}
		who := ref{Label: "nobody that the registry knows"}
		if key != "" {
			q.Set("vendor", string(key))
			who = refIn(v.View, key)
		}
		p.Strange = append(p.Strange, flowStrange{who, strange[key], "/console/decisions?" + q.Encode()})
	}
	p.List = listOf(v, flowListing(v, rows))
	q := v.URL.Query()
	rows = slices.DeleteFunc(rows, func(r flowRow) bool {
		differs := func(key, have string) bool { return q.Get(key) != "" && q.Get(key) != have }
		return differs("source", string(r.Source)) || differs("vendor", string(r.Vendor)) || differs("engagement", string(r.Engagement)) ||
			differs("region", r.Region) || differs("class", string(r.Class))
	})
	s.draw(v, &p, rows)
	return p, nil
}

// flowRows puts together what differs by sealing alone: a request does not say it, a
// release does. What was refused before its engagement was known is counted by vendor.
func flowRows(ways map[way]dayCount) (rows []flowRow, strange map[id.Vendor]uint64) {
	sums := map[way]*flowRow{}
	strange = map[id.Vendor]uint64{}
	for w, n := range ways {
		if w.Engagement == "" && n.Permitted+n.Releases == 0 {
			if n.Refused > 0 {
				strange[w.Vendor] += n.Refused
			}
			continue
		}
		key := w
		key.Sealing = ""
		r := sums[key]
		if r == nil {
			r = &flowRow{way: key}
			sums[key] = r
		}
		r.add(n)
		if n.Releases > 0 {
			r.Seals = append(r.Seals, cmp.Or(w.Sealing, "none"))
		}
	}
	out := make([]flowRow, 0, len(sums))
	for _, r := range sums {
		slices.Sort(r.Seals)
		out = append(out, *r)
	}
	slices.SortFunc(out, func(a, b flowRow) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Vendor, b.Vendor), cmp.Compare(a.Engagement, b.Engagement), cmp.Compare(a.Source, b.Source),
			cmp.Compare(a.Region, b.Region), cmp.Compare(a.Class, b.Class), cmp.Compare(a.TLS+a.Exchange+a.Binding, b.TLS+b.Exchange+b.Binding))
	})
	return out, strange
}

func flowListing(v *visit, rows []flowRow) listing[flowRow] {
	f := v.s.frame(v)
	linked := func(r ref) cell { return cell{Text: r.Label, Href: r.Href} }
	num := func(n uint64) cell { return text(number(n)) }
	return listing[flowRow]{Caption: "Ways that were asked for", Rows: slices.Values(rows), Keep: []string{"days"},
		Columns: []column[flowRow]{
			{Key: "source", Label: "Source", Cell: func(r flowRow) cell { return linked(f.Ref(r.Source)) }},
			{Key: "vendor", Label: "Vendor", Cell: func(r flowRow) cell { return linked(f.Ref(r.Vendor)) }},
			{Key: "engagement", Label: "Engagement", Cell: func(r flowRow) cell { return linked(f.Ref(r.Engagement)) }},
			{Key: "region", Label: "In", Cell: func(r flowRow) cell { return text(cmp.Or(r.Region, "not known")) }},
			{Key: "class", Label: "Class", Cell: func(r flowRow) cell { return text(classWord(r.Class)) }},
			{Key: "protection", Label: "Protected by", Wide: true, Cell: func(r flowRow) cell { return text(flowProtection(r)) }},
			{Key: "permitted", Label: "Permitted", Num: true, Cell: func(r flowRow) cell { return num(r.Permitted) }},
			{Key: "refused", Label: "Refused", Num: true, Cell: func(r flowRow) cell { return num(r.Refused) }},
			{Key: "releases", Label: "Releases", Num: true, File: true, Cell: func(r flowRow) cell { return num(r.Releases) }},
			{Key: "patients", Label: "Patients, summed", Num: true, File: true, Cell: func(r flowRow) cell { return num(r.Patients) }},
			{Key: "bytes", Label: "Bytes", Num: true, Cell: func(r flowRow) cell { return num(r.Bytes) }},
		},
		Filters: []filter[flowRow]{
			{Key: "source", Label: "Source", Of: func(r flowRow) []string { return []string{string(r.Source)} }},
			{Key: "vendor", Label: "Vendor", Of: func(r flowRow) []string { return []string{string(r.Vendor)} }},
			{Key: "class", Label: "Data class", Of: func(r flowRow) []string { return []string{string(r.Class)} }},
			{Key: "region", Label: "Region", Of: func(r flowRow) []string { return []string{r.Region} }},
		},
		Search: func(r flowRow) string {
			return strings.Join([]string{string(r.Source), string(r.Vendor), string(r.Engagement), r.Region, flowProtection(r)}, " ")
		},
		Sort:  "-bytes",
		Empty: empty{Title: "Nothing was asked for in this time", Text: "A way appears here with the first request that a vendor's program makes. Choose a longer time, or see what is still closed on the page of the engagement."}}
}

// flowProtection is what protected a way, in words.
func flowProtection(r flowRow) string {
	var out []string
	for _, w := range flowWords(r.TLS, r.Exchange, r.Binding, r.Seals) {
		out = append(out, w.Text)
	}
	return strings.Join(out, ", ")
}

// flowWords are the protections of the way from the gateway to a vendor's program.
func flowWords(tls, exchange, binding string, seals []string) []draw.FlowWord {
	out := flowLeg(tls, exchange)
	switch binding {
	case "":
	case "none":
		out = append(out, draw.FlowWord{Text: "token not bound"})
	default:
		out = append(out, draw.FlowWord{Text: "token bound by " + bindingWord(binding), Good: true})
	}
	switch {
	case len(seals) == 0:
	case !slices.Contains(seals, "none"):
		out = append(out, draw.FlowWord{Text: "sealed by " + strings.Join(seals, ", "), Good: true})
	case len(seals) > 1:
		out = append(out, draw.FlowWord{Text: "not all sealed"})
	default:
		out = append(out, draw.FlowWord{Text: "not sealed inside TLS"})
	}
	return out
}

// flowLeg is what TLS negotiated.
func flowLeg(tls, exchange string) []draw.FlowWord {
	switch tls {
	case "":
		return nil
	case "none":
		return []draw.FlowWord{{Text: "plain, on this machine"}}
	}
	out := []draw.FlowWord{{Text: "TLS " + tls, Good: tls == "1.3"}}
	switch {
	case strings.Contains(exchange, "MLKEM"):
		out = append(out, draw.FlowWord{Text: "post-quantum key", Good: true})
	case exchange != "":
		out = append(out, draw.FlowWord{Text: "classical key, " + exchange})
	}
	return out
}

func bindingWord(b string) string {
	return map[string]string{"mtls": "certificate", "dpop": "proof of key", "mtls+dpop": "certificate and key"}[b]
}

// classWord is what people call a class of data.
func classWord(c hipaa.DataClass) string {
	switch c {
	case hipaa.PHI:
		return "PHI"
	case hipaa.LimitedDataSet:
		return "Limited data set"
	case hipaa.DeIdentified:
		return "De-identified"
	}
	return "not known"
}

// sourceLeg is what protected the newest answer that came from a source; false: none did.
func (s *server) sourceLeg(v *visit, source id.Source) (leg audit.Leg, at time.Time, ok bool) {
	index, ok := s.activity.LastRelease(source)
	if !ok {
		return audit.Leg{}, time.Time{}, false
	}
	e, err := s.Log.Entry(v.Context(), index)
	if err != nil || e.Outcome == nil || e.Outcome.Leg.TLS == "" {
		return audit.Leg{}, time.Time{}, false
	}
	return e.Outcome.Leg, e.Time, true
}

// flowStation is an engagement on the map.
type flowStation struct {
	ID    id.Engagement
	Of    *snapshot.Engagement // nil: the registry does not have it
	Sum   dayCount
	Rows  []flowRow
	State string // "open", "closed" or "no grant"
	Why   string
}

// flowStations are the engagements that something was asked under, the most first, and
// then those that are approved and still.
func (s *server) flowStations(v *visit, rows []flowRow, filtered bool) []*flowStation {
	by := map[id.Engagement]*flowStation{}
	for _, r := range rows {
		if r.Engagement == "" {
			continue
		}
		x := by[r.Engagement]
		if x == nil {
			x = &flowStation{ID: r.Engagement}
			by[r.Engagement] = x
		}
		x.Sum.add(r.dayCount)
		x.Rows = append(x.Rows, r)
	}
	for key, e := range v.View.Engagements.All() {
		if x := by[key]; x != nil {
			x.Of = e
		} else if e.State == snapshot.Approved && !filtered {
			by[key] = &flowStation{ID: key, Of: e}
		}
	}
	out := slices.Collect(maps.Values(by))
	slices.SortFunc(out, func(a, b *flowStation) int {
		return cmp.Or(cmp.Compare(b.Sum.Bytes, a.Sum.Bytes), cmp.Compare(b.Sum.Permitted+b.Sum.Refused, a.Sum.Permitted+a.Sum.Refused), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// flowStates asks the policy which of the engagements that are drawn are open.
func (s *server) flowStates(v *visit, drawn []*flowStation) {
	for _, x := range drawn {
		x.State, x.Why = "no grant", "Nobody was given access yet"
		asked := 0
		for _, g := range v.View.GrantsOf(x.ID) {
			if x.State == "open" || asked == flowAsked {
				break
			}
			if g.State == snapshot.Ended || g.Elevates != "" {
				continue
			}
			asked++
			if refusal := forecast.Refusal(s.Policy, v.View, g, v.Now); refusal == nil {
				x.State, x.Why = "open", ""
			} else {
				x.State = "closed"
				if len(refusal.Failures) > 0 {
					x.Why = refusal.Failures[0].Message
				}
			}
		}
	}
}

// flowAsked is how many grants of an engagement the policy is asked about, until one is
// open.
const flowAsked = 8

package console

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/console/draw"
	"github.com/sallyport/sallyport/id"
)

// flowRest is the station of what is not drawn by itself.
const flowRest = "\x00rest"

// flowColumn keeps the stations of one column in the order in which they come.
type flowColumn struct {
	at    map[string]int
	nodes []draw.FlowNode
}

func (c *flowColumn) place(key string, node func() draw.FlowNode) int {
	if i, ok := c.at[key]; ok {
		return i
	}
	if c.at == nil {
		c.at = map[string]int{}
	}
	c.at[key] = len(c.nodes)
	c.nodes = append(c.nodes, node())
	return c.at[key]
}

// flowLegs sums what goes between two columns.
type flowLegs map[[2]int]*draw.FlowLeg

func (l flowLegs) add(from, to int, weight uint64) *draw.FlowLeg {
	x := l[[2]int{from, to}]
	if x == nil {
		x = &draw.FlowLeg{From: from, To: to}
		l[[2]int{from, to}] = x
	}
	x.Weight += weight
	return x
}

func (l flowLegs) list() []draw.FlowLeg {
	var out []draw.FlowLeg
	for _, key := range slices.SortedFunc(maps.Keys(l), func(a, b [2]int) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) }) {
		out = append(out, *l[key])
	}
	return out
}

// draw makes the map of a page's rows.
func (s *server) draw(v *visit, p *flowPage, rows []flowRow) {
	q := v.URL.Query()
	filtered := q.Get("source")+q.Get("vendor")+q.Get("engagement")+q.Get("region")+q.Get("class") != ""
	stations := s.flowStations(v, rows, filtered)
	var rest []*flowStation
	if len(stations) > flowMost {
		stations, rest = stations[:flowMost], stations[flowMost:]
	}
	p.Shown, p.Left = len(stations), len(rest)
	if len(stations) == 0 {
		return
	}
	s.flowStates(v, stations)
	slices.SortStableFunc(stations, func(a, b *flowStation) int { return cmp.Compare(flowVendor(a), flowVendor(b)) }) // lines of one vendor lie together
	var cols [draw.FlowColumns]flowColumn
	legs := [draw.FlowColumns - 1]flowLegs{{}, {}, {}, {}}
	cols[1].place("", func() draw.FlowNode {
		return draw.FlowNode{Label: "Gateway", Sub: s.Node, Href: "/console/decisions", Tip: "The gateway: every request is decided and on the record"}
	})
	var sum dayCount
	open := 0
	for _, x := range stations {
		sum.add(x.Sum)
		if x.State == "open" {
			open++
		}
		s.flowPlace(v, p.Days, x, &cols, &legs)
	}
	if len(rest) > 0 {
		var more dayCount
		for _, x := range rest {
			more.add(x.Sum)
		}
		sum.add(more)
		tip := fmt.Sprintf("%s that are not drawn: %s", plural(len(rest), "more engagement"), flowAmount(more))
		e := cols[2].place(flowRest, func() draw.FlowNode {
			return draw.FlowNode{Label: fmt.Sprintf("%d more", len(rest)), Sub: humanBytes(more.Bytes), Tip: tip}
		})
		l := legs[1].add(0, e, more.Bytes)
		l.Tip = tip
		n := cols[3].place(flowRest, func() draw.FlowNode { return draw.FlowNode{Label: "other vendors", Sub: "see the table", Tip: tip} })
		legs[2].add(e, n, more.Bytes).Tip = tip
		for _, x := range rest {
			for _, r := range x.Rows {
				legs[0].add(s.flowSource(v, &cols[0], r.Source), 0, r.Bytes)
			}
		}
	}
	for _, l := range legs[0] {
		s.flowSourceLeg(v, l, cols[0].nodes[l.From].Label)
	}
	f := draw.Flow{ID: "flow-map", Title: fmt.Sprintf("Ways that data took in the last %s", plural(p.Days, "day")),
		Heads: [draw.FlowColumns]string{"Healthcare systems", "Gateway", "Engagements", "Vendors", "Regions"}}
	p.Text = fmt.Sprintf("Open: %s of %s. In the last %s: %s.", number(open), plural(len(stations), "engagement"), plural(p.Days, "day"), flowAmount(sum))
	f.Desc = p.Text + " Lines are the wider, the more went along them. The table below says the same."
	for i := range cols {
		f.Columns[i] = cols[i].nodes
	}
	for i := range legs {
		f.Legs[i] = legs[i].list()
	}
	p.Map = f.SVG()
}

func flowVendor(x *flowStation) id.Vendor {
	if x.Of != nil {
		return x.Of.Vendor
	}
	if len(x.Rows) > 0 {
		return x.Rows[0].Vendor
	}
	return ""
}

// flowClass is the class of what an engagement gets, as last seen or as agreed.
func flowClass(x *flowStation) string {
	for _, r := range x.Rows {
		if r.Class != "" {
			return classWord(r.Class)
		}
	}
	if x.Of != nil {
		return classWord(x.Of.DataClass)
	}
	return ""
}

func flowAmount(n dayCount) string {
	return fmt.Sprintf("%s in %s, %s permitted, %s refused", humanBytes(n.Bytes), plural(int(n.Releases), "release"), number(n.Permitted), number(n.Refused))
}

// flowSource is the station of a source.
func (s *server) flowSource(v *visit, c *flowColumn, key id.Source) int {
	return c.place(string(key), func() draw.FlowNode {
		n := draw.FlowNode{Label: cmp.Or(string(key), "no source"), Sub: "not configured", Href: refIn(v.View, key).Href, Tip: "Healthcare system " + string(key)}
		for _, x := range v.View.Settings.Sources {
			if x.ID == key {
				n.Sub = "in " + x.Region
			}
		}
		if key == "" {
			n.Href, n.Sub = "", "refused before"
		}
		return n
	})
}

// flowSourceLeg says what protects the way from a source, as last seen.
func (s *server) flowSourceLeg(v *visit, l *draw.FlowLeg, source string) {
	l.Tip = fmt.Sprintf("From %s to the gateway: %s.", source, humanBytes(l.Weight))
	leg, at, ok := s.sourceLeg(v, id.Source(source))
	if !ok {
		l.Tip += " No answer was released in what the log shows, so nothing was negotiated."
		return
	}
	l.Words = flowLeg(leg.TLS, leg.KeyExchange)
	l.Tip += fmt.Sprintf(" Last seen %s: %s.", when(at), flowSaid(l.Words))
}

func flowSaid(words []draw.FlowWord) string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = w.Text
	}
	return strings.Join(out, ", ")
}

// flowPlace puts an engagement, and what goes to it and from it, on the map.
func (s *server) flowPlace(v *visit, days int, x *flowStation, cols *[draw.FlowColumns]flowColumn, legs *[draw.FlowColumns - 1]flowLegs) {
	tone := map[string]string{"open": "good", "closed": "bad"}[x.State]
	tip := fmt.Sprintf("Engagement %s: %s. In %s: %s", x.ID, x.State, plural(days, "day"), flowAmount(x.Sum))
	if x.Why != "" {
		tip += ". " + x.Why
	}
	e := cols[2].place(string(x.ID), func() draw.FlowNode {
		return draw.FlowNode{Label: string(x.ID), Href: refIn(v.View, x.ID).Href, Tip: tip, Mark: words(x.State), Tone: cmp.Or(tone, "off"), Sub: flowClass(x)}
	})
	in := legs[1].add(0, e, x.Sum.Bytes)
	in.Closed, in.Tip = x.State != "open", tip
	if len(x.Rows) > 0 { // the newest way by volume speaks for the line
		r := x.Rows[0]
		var seals []string
		for _, y := range x.Rows {
			for _, m := range y.Seals {
				if !slices.Contains(seals, m) {
					seals = append(seals, m)
				}
			}
		}
		in.Class, in.Words = string(r.Class), flowWords(r.TLS, r.Exchange, r.Binding, seals)
		in.Tip = tip + ". Protected by " + flowProtection(r)
	} else if x.Of != nil {
		in.Class = string(x.Of.DataClass)
		in.Words = []draw.FlowWord{{Text: "nothing asked for yet"}}
	}
	vendor := flowVendor(x)
	n := cols[3].place(string(vendor), func() draw.FlowNode {
		r := refIn(v.View, vendor)
		return draw.FlowNode{Label: cmp.Or(r.Label, "not known"), Sub: string(vendor), Href: r.Href, Tip: "Vendor " + r.Label}
	})
	out := legs[2].add(e, n, x.Sum.Bytes)
	out.Class, out.Closed, out.Tip = in.Class, in.Closed, in.Tip
	regions := map[string]uint64{}
	for _, r := range x.Rows {
		regions[cmp.Or(r.Region, "not known")] += r.Bytes
		legs[0].add(s.flowSource(v, &cols[0], r.Source), 0, r.Bytes)
	}
	if x.Of != nil {
		if len(regions) == 0 {
			for _, r := range x.Of.Regions {
				regions[r] = 0
			}
		}
		for _, src := range x.Of.Sources {
			legs[0].add(s.flowSource(v, &cols[0], src), 0, 0)
		}
	}
	for _, r := range slices.Sorted(maps.Keys(regions)) {
		to := cols[4].place(r, func() draw.FlowNode { return draw.FlowNode{Label: r, Sub: "region", Tip: "Region " + r} })
		l := legs[3].add(n, to, regions[r])
		l.Tip = fmt.Sprintf("%s in region %s: %s", vendor, r, humanBytes(l.Weight))
	}
}

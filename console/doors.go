package console

import (
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/console/draw"
	"github.com/sallyport/sallyport/forecast"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/snapshot"
)

// Which gates stand at which door. What is looked at with each request and each answer
// (transport, volume, the cohort, held patients, labels) stands at neither.
var (
	paperGates = []string{"vendor", "agreement", "permitted_use", "assessment", "certification", "screening", "subcontractors", "basis", "region", "engagement", "deidentification", "training"}
	dataGates  = []string{"grant", "role", "review", "person", "app", "device", "workload", "posture", "sealing", "key", "hold"}
	// vendorGates are those that look at the vendor alone.
	vendorGates = []string{"vendor", "assessment", "certification", "screening"}
	unseen      = []string{"fresh", "transport", "volume"}
)

// gateNames are short names for a list; the gates' own titles say what must hold.
var gateNames = map[string]string{
	"vendor": "Vendor taken on", "agreement": "Agreement", "permitted_use": "Permitted use", "assessment": "Assessment", "certification": "Certifications", "screening": "Screening",
	"subcontractors": "Subcontractors", "basis": "Legal basis", "region": "Regions", "engagement": "Engagement", "deidentification": "De-identification", "training": "Training",
	"grant": "Grant", "role": "Fields (role)", "review": "Access review", "person": "Person", "app": "Program", "device": "Machine", "workload": "Software on it", "posture": "Machine's state",
	"sealing": "Sealing", "key": "Keys", "hold": "No hold",
}

// doors is how the two doors stand for some grants.
type doors struct {
	Papers, Data doorSide
	Picture      template.HTML
	Grants       int // that were asked about
	Left         int // live grants that were not, because there are many
	Passing      int // for how many both are open
	Next         []forecast.Stop
	More         int  // dates to come that are not in Next
	Making       bool // there is no forecast yet
}

// doorSide is one door.
type doorSide struct {
	Label   string
	Mark    mark
	Passing int // for how many grants it is open
	Of      int // grants that were asked about
	Gates   []doorGate
	Asked   int // gates that were asked
	Hold    int // of them, those that let every grant pass
}

// Says is how many of its conditions hold, in a sentence.
func (d doorSide) Says() string {
	switch {
	case d.Asked == 0:
		return "Nothing is asked here before there is a grant."
	case d.Asked < len(d.Gates):
		return fmt.Sprintf("%d of %d conditions hold. The others are asked once there is a grant.", d.Hold, d.Asked)
	case d.Hold == d.Asked:
		return fmt.Sprintf("All %d conditions hold.", d.Asked)
	}
	text := fmt.Sprintf("%d of %d conditions hold", d.Hold, d.Asked)
	if d.Of > 1 {
		text += " for every grant"
	}
	return text + "."
}

// doorGate is one condition.
type doorGate struct {
	Gate, Name, Title string
	Passing, Of       int
	Why               []policy.Failure // of the first grant that fails
	Closes            time.Time
	Then              string // why it closes
}

// Mark is the gate's state.
func (g doorGate) Mark() mark {
	switch {
	case g.Of == 0:
		return mark{"Not asked", "off"}
	case g.Passing == g.Of:
		return mark{"Open", "good"}
	case g.Passing > 0:
		return mark{fmt.Sprintf("%d of %d", g.Passing, g.Of), "warn"}
	}
	return mark{"Shut", "bad"}
}

const (
	// doorsAsked bounds how many grants a page decides on.
	doorsAsked = 60
	// doorsNext is how many dates to come stand between the doors.
	doorsNext = 3
)

// comes puts dates to come between the doors, the earliest first.
func (d *doors) comes(a *ahead, now time.Time, keep func(forecast.Stop) bool) {
	stops := a.about(now, keep)
	d.Making = a.none()
	d.Next, d.More = stops[:min(len(stops), doorsNext)], max(0, len(stops)-doorsNext)
}

// doorsOf decides, for each of the grants that is live, what each gate would say of a small request now:
// the policy itself is asked, so what is shown is what would be.
func (s *server) doorsOf(v *visit, key string, vendor id.Vendor, grants []*snapshot.Grant) doors {
	var d doors
	gates := map[string]*doorGate{}
	for _, name := range slices.Concat(paperGates, dataGates) {
		gates[name] = &doorGate{Gate: name, Name: gateNames[name], Title: gateTitle(name)}
	}
	papers, data := 0, 0
	for _, g := range grants {
		if !g.Live(v.Now) {
			continue
		}
		if d.Grants == doorsAsked {
			d.Left++
			continue
		}
		d.Grants++
		seen := s.foreseen(v, g)
		p, q := doorTake(gates, paperGates, seen), doorTake(gates, dataGates, seen)
		papers, data = papers+p, data+q
		if p+q == 2 {
			d.Passing++
		}
	}
	if d.Grants == 0 {
		// Nobody can ask: only what is about the vendor itself has an answer.
		seen := s.Policy.Foresee(policy.Request{View: v.View, Now: v.Now, Vendor: vendor, Direction: policy.Out}, unseen...)
		papers = doorTake(gates, vendorGates, seen)
	}
	closes := s.closing(v, grants)
	d.Papers = doorSideOf("Papers", paperGates, gates, closes, papers, d.Grants)
	d.Data = doorSideOf("Data", dataGates, gates, closes, data, d.Grants)
	if d.Grants == 0 {
		d.Data.Mark = mark{"No grant", "off"}
		if !slices.ContainsFunc(v.View.AgreementsOf(vendor), func(a *snapshot.Agreement) bool { return paperInForce(a, v.Now) }) {
			d.Papers.Passing, d.Papers.Mark = 0, mark{"Shut", "bad"}
		} else if d.Papers.Passing > 0 {
			d.Papers.Mark = mark{"In order so far", "wait"}
		}
	}
	d.Picture = draw.Doors(key, doorDrawn(d.Papers, d.Grants), doorDrawn(d.Data, d.Grants))
	return d
}

// csv is what each gate says, as a table.
func (d *doors) csv(w http.ResponseWriter) error {
	type line struct {
		door string
		doorGate
	}
	var all []line
	for _, side := range []doorSide{d.Papers, d.Data} {
		for _, g := range side.Gates {
			all = append(all, line{side.Label, g})
		}
	}
	asFile(w, "text/csv; charset=utf-8", "two-doors.csv")
	return writeTable(w, []string{"door", "gate", "must_hold", "state", "grants_open", "grants", "closes", "why"}, len(all), func(i int) []string {
		g := all[i]
		closes, why := "", []string{}
		if !g.Closes.IsZero() {
			closes = iso(g.Closes)
		}
		for _, f := range g.Why {
			why = append(why, f.Message)
		}
		return []string{g.door, g.Gate, g.Title, g.Mark().Word, fmt.Sprint(g.Passing), fmt.Sprint(g.Of), closes, strings.Join(why, "; ")}
	})
}

// asked answers with the doors as CSV, where the address asks for that.
func (d *doors) asked(v *visit) bool {
	q := v.URL.Query()
	if q.Get("format") != "csv" || q.Get("of") != "doors" {
		return false
	}
	v.instead(d.csv)
	return true
}

func doorDrawn(x doorSide, of int) draw.Door {
	return draw.Door{Label: x.Label, Word: x.Mark.Word, Open: x.Passing > 0, Part: x.Passing > 0 && x.Passing < of}
}

// foreseen is what the gates say of a grant, on the machine for which the fewest refuse.
func (s *server) foreseen(v *visit, g *snapshot.Grant) policy.Foresight {
	devices := g.Devices
	if len(devices) == 0 {
		devices = []id.Device{""}
	}
	var best policy.Foresight
	for i, device := range devices[:min(len(devices), 5)] {
		r := forecast.Question(v.View, g, device)
		r.Now = v.Now
		if seen := s.Policy.Foresee(r, unseen...); i == 0 || len(seen.Gates) < len(best.Gates) {
			best = seen
		}
	}
	return best
}

// doorTake counts what some of the gates said; 1: all let pass.
func doorTake(gates map[string]*doorGate, names []string, seen policy.Foresight) int {
	all := 1
	var failures []policy.Failure
	for _, name := range names {
		g := gates[name]
		g.Of++
		if !slices.Contains(seen.Gates, name) {
			g.Passing++
			continue
		}
		all = 0
		if g.Why == nil {
			if failures == nil {
				failures = seen.Failures()
			}
			for _, f := range failures {
				if f.Gate == name {
					g.Why = append(g.Why, f)
				}
			}
		}
	}
	return all
}

func doorSideOf(label string, names []string, gates map[string]*doorGate, closes map[string]forecast.Stop, passing, of int) doorSide {
	d := doorSide{Label: label, Passing: passing, Of: of}
	for _, name := range names {
		g := *gates[name]
		if x, ok := closes[name]; ok && g.Passing > 0 {
			g.Closes, g.Then = x.At, x.Message
		}
		if g.Of > 0 {
			d.Asked++
		}
		if g.Of > 0 && g.Passing == g.Of {
			d.Hold++
		}
		d.Gates = append(d.Gates, g)
	}
	switch {
	case passing == 0:
		d.Mark = mark{"Shut", "bad"}
	case passing < of:
		d.Mark = mark{fmt.Sprintf("Open for %d of %d", passing, of), "warn"}
	default:
		d.Mark = mark{"Open", "good"}
	}
	return d
}

// closing is, by gate, the first time at which it closes for any of the grants.
func (s *server) closing(v *visit, grants []*snapshot.Grant) map[string]forecast.Stop {
	of := make(map[id.Grant]bool, len(grants))
	for _, g := range grants {
		of[g.ID] = true
	}
	out := map[string]forecast.Stop{}
	for _, x := range s.ahead.about(v.Now, func(x forecast.Stop) bool {
		return x.Kind == forecast.Stops && slices.ContainsFunc(x.Grants, func(g id.Grant) bool { return of[g] })
	}) {
		if _, ok := out[x.Gate]; !ok {
			out[x.Gate] = x
		}
	}
	return out
}

func stopTouches(x forecast.Stop, engagements []*snapshot.Engagement) bool {
	return slices.ContainsFunc(engagements, func(e *snapshot.Engagement) bool { return slices.Contains(x.Engagements, e.ID) })
}

// about are the dates to come that keep wants, the earliest first.
func (a *ahead) about(now time.Time, keep func(forecast.Stop) bool) []forecast.Stop {
	a.mu.RLock()
	defer a.mu.RUnlock()
	var out []forecast.Stop
	for _, s := range a.stops {
		if s.At.After(now) && keep(s) {
			out = append(out, s)
		}
	}
	return out
}

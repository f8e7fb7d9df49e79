package living

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sallyport/sallyport/id"
)

// stint is how a program works between two days.
type stint struct {
	app        id.App
	from, last int // days before the end
	// hours are those in which it asks on weekdays; nightly ones it keeps on Saturdays
	// and Sundays.
	hours, nightly []int
	asks           int // questions each time
	report         bool
	slip           string // what it asks for now and then, and its role does not show
}

var stints = []stint{
	{app: TriageApp, from: 202, last: 0, hours: []int{8, 11, 14, 16}, nightly: []int{2}, asks: 2, slip: "MedicationRequest"},
	{app: SummaryApp, from: 120, last: 0, hours: []int{10, 15}, nightly: []int{4}, asks: 3, slip: "AllergyIntolerance"},
	{app: LabelApp, from: 91, last: 0, hours: []int{14}, asks: 2},
	{app: AssistantApp, from: 57, last: 0, hours: []int{9, 13}, asks: 2, report: true, slip: "MedicationRequest"},
	{app: ImagingApp, from: 190, last: 24, hours: []int{7, 12}, nightly: []int{3}, asks: 2, slip: "ImagingStudy"},
	{app: DenialApp, from: 25, last: 1, hours: []int{11}, asks: 1},
}

// firewallOff is how long before the end the firewall of Lin's laptop is turned off.
const firewallOff = 18 * time.Hour

// traffic is what the programs ask, day by day.
func (o *Organisation) traffic(t *story) {
	rng := rand.New(rand.NewPCG(o.o.Seed, 0))
	type tick struct {
		at   time.Time
		asks []func(*scene) error
	}
	ticks := map[time.Time]*tick{}
	add := func(at time.Time, f func(*scene) error) {
		if at.After(t.end.Add(-90 * time.Minute)) {
			return
		}
		if ticks[at] == nil {
			ticks[at] = &tick{at: at}
		}
		ticks[at].asks = append(ticks[at].asks, f)
	}
	for ago := 203; ago >= 0; ago-- {
		weekend := slices.Contains([]time.Weekday{time.Saturday, time.Sunday}, t.day(ago, 0, 0).Weekday())
		minute := 7 + rng.IntN(45)
		for k, x := range stints {
			if ago > x.from || ago < x.last {
				continue
			}
			hours := slices.Concat(x.nightly, x.hours)
			if weekend {
				hours = x.nightly
			}
			if o.o.Quick {
				if ago%4 != 0 && ago > 2 {
					continue
				}
				hours = hours[:min(1, len(hours))]
			}
			for i, h := range hours {
				n := 1 + rng.IntN(2*x.asks-1)
				if o.o.Quick {
					n = min(n, 2)
				}
				if x.report && i == 0 {
					add(t.day(ago, h, minute-1), func(s *scene) error {
						return s.o.Programs[x.app].report(s.ctx, state{firewall: ago > 1, updated: true})
					})
				}
				turn := turn{asks: n, walk: i == 0 && (ago == x.from-1 || (ago+4*k)%16 == 0)}
				if i == 0 && (ago+4*k)%12 == 0 {
					turn.slip = x.slip
				}
				add(t.day(ago, h, minute), func(s *scene) error { return s.o.Programs[x.app].work(s.ctx, turn) })
			}
		}
	}
	for _, x := range ticks {
		t.events = append(t.events, event{x.at, "", func(s *scene) { s.together(x.asks) }})
	}
	for i, app := range []id.App{TriageApp, SummaryApp, TriageApp, DenialApp, TriageApp} { // and just now
		t.before(time.Duration(25-5*i)*time.Minute, "", func(s *scene) {
			s.together([]func(*scene) error{func(s *scene) error { return s.o.Programs[app].work(s.ctx, turn{asks: 2}) }})
		})
	}
}

// together does several things at once, and waits for them.
func (s *scene) together(all []func(*scene) error) {
	errs := make([]error, len(all))
	var wg sync.WaitGroup
	for i, f := range all {
		wg.Go(func() { errs[i] = f(s) })
	}
	wg.Wait()
	for _, err := range errs {
		if s.err == nil {
			s.err = err
		}
	}
}

// turn is what a program does when it works: how many questions it asks, whether it
// walks through all patients first, page by page, and a slip, if it makes one.
type turn struct {
	asks int
	walk bool
	slip string
}

// maxPages bounds a walk, whatever the source says.
const maxPages = 20

// work asks a few questions. A refusal is an answer.
func (p *Program) work(ctx context.Context, t turn) error {
	if t.walk {
		next := "Patient?_count=30"
		for range maxPages {
			if next == "" {
				break
			}
			var err error
			if next, err = p.one(ctx, next); err != nil {
				return err
			}
		}
	}
	if t.slip != "" && len(p.codes) > 0 {
		if _, err := p.one(ctx, t.slip+"?patient="+p.codes[p.rng.IntN(len(p.codes))]); err != nil {
			return err
		}
	}
	for range t.asks {
		if _, err := p.one(ctx, p.question()); err != nil {
			return err
		}
	}
	return nil
}

// one asks one question, and gives the next page's, if there is one.
func (p *Program) one(ctx context.Context, question string) (next string, err error) {
	status, body, err := p.Ask(ctx, question)
	if err != nil {
		return "", err
	}
	switch status {
	case http.StatusOK:
		return p.remember(body), nil
	case http.StatusForbidden, http.StatusUnauthorized, http.StatusNotFound:
		return "", nil
	default:
		return "", fmt.Errorf("%s was answered %d: %.600s", p.App, status, body)
	}
}

// question is the next that the program asks.
func (p *Program) question() string {
	if len(p.codes) == 0 || p.rng.IntN(3) == 0 {
		return fmt.Sprintf("Patient?_count=%d", 1+p.rng.IntN(8))
	}
	code := p.codes[p.rng.IntN(len(p.codes))]
	types := []string{}
	for typ := range p.scope {
		types = append(types, typ)
	}
	slices.Sort(types)
	typ := types[p.rng.IntN(len(types))]
	if typ == "Patient" {
		return "Patient/" + code
	}
	return fmt.Sprintf("%s?patient=%s&_count=%d", typ, code, 2+p.rng.IntN(9))
}

// remember keeps the codes of patients in an answer, and gives the question of the next
// page.
func (p *Program) remember(body []byte) (next string) {
	var bundle struct {
		Link  []struct{ Relation, URL string }
		Entry []struct {
			Resource struct {
				ResourceType, ID string
			}
		}
	}
	if json.Unmarshal(body, &bundle) != nil {
		return ""
	}
	for _, e := range bundle.Entry {
		if e.Resource.ResourceType == "Patient" && len(p.codes) < 400 && !slices.Contains(p.codes, e.Resource.ID) {
			p.codes = append(p.codes, e.Resource.ID)
		}
	}
	for _, l := range bundle.Link {
		if l.Relation == "next" {
			next, _ = strings.CutPrefix(l.URL, p.org.Gateway+"/fhir/"+string(Source)+"/")
		}
	}
	return next
}

// Work lets the programs that are at work go on asking, now and then, until ctx ends: a
// console that is looked at shall have something to show. An error ends it.
func (o *Organisation) Work(ctx context.Context) error {
	tick := time.NewTicker(4 * time.Second)
	defer tick.Stop()
	apps := []id.App{TriageApp, SummaryApp, TriageApp, AssistantApp, TriageApp, DenialApp}
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := o.Programs[apps[i%len(apps)]].work(ctx, turn{asks: 1}); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

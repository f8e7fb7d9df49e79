package console

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport/sallyport/agreement"
	"github.com/sallyport/sallyport/breach"
	"github.com/sallyport/sallyport/disclosure"
	"github.com/sallyport/sallyport/gate"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

func evidenceScreens() []screen {
	return []screen{
		on("evidence", "Search the record", "GET /console/evidence", ours, (*server).evidence),
		on("evidence-vendor", "A vendor's file", "GET /console/evidence/vendors/{id}", ours, (*server).evidenceVendor),
	}
}

// evidenceView is what the record holds about a rule, a vendor, a time.
type evidenceView struct {
	Citation    string
	Vendor      string
	Since       string
	Until       string
	Wrong       string
	VendorNames []option
	Asked       bool
	Controls    []controlStory
	More        int // rules that match beside those shown
	List        list
	Who         ref
	File        string
	Acts        []actShownRow
	ActsHref    string
	Decisions   []decisionRow
	Gates       []string // of the rules: which refusals are listed
	AllHref     string
	Permitted   uint64
	Refused     uint64
	Releases    []releaseListRow
	Older       string
	Newer       string
	Looked      string
	CSV         string
	ByTime      bool // releases are asked for: by a vendor or a time
}

// actShownRow is an act in a list.
type actShownRow struct {
	At      time.Time
	Summary string
	Href    string
	Actor   ref
	On      ref
}

// releaseListRow is a release in a list.
type releaseListRow struct {
	Row        disclosure.Row
	Href       string
	State      mark
	Vendor     ref
	Engagement ref
	Types      string
}

const (
	mostControls   = 12
	evidenceNewest = 10
)

func (s *server) evidence(v *visit) (evidenceView, error) {
	q := v.URL.Query()
	p := evidenceView{Citation: strings.TrimSpace(q.Get("citation")), Vendor: strings.TrimSpace(q.Get("vendor")), Since: q.Get("since"), Until: q.Get("until")}
	for key, x := range v.View.Vendors.All() {
		if p.VendorNames = append(p.VendorNames, option{Value: string(key), Label: x.Name}); len(p.VendorNames) == mostProposed {
			break
		}
	}
	ask := readDecisionAsk(v) // vendor and period are read as the decisions' page reads them
	p.Wrong = ask.Wrong
	vendor := first(ask.query.Vendors)
	if _, ok := v.View.Vendors.Get(vendor); p.Vendor != "" && !ok && p.Wrong == "" {
		p.Wrong = fmt.Sprintf("No vendor is called %q. Write its name or its id.", p.Vendor)
	}
	p.ByTime = p.Vendor != "" || p.Since != "" || p.Until != ""
	p.Asked = p.Citation != "" || p.ByTime
	if p.Wrong != "" {
		return p, nil
	}
	if !p.Asked {
		p.List = s.controlList(v)
		return p, nil
	}
	if q.Get("format") == "csv" {
		return p, s.releasesCSV(v, &ask)
	}
	if vendor != "" {
		p.Who = refIn(v.View, vendor)
		p.File = with(v.URL, "citation", "", "vendor", "", "before", "")
		p.File = "/console/evidence/vendors/" + string(vendor) + strings.TrimPrefix(p.File, v.URL.Path)
	}
	var nouns []string
	if p.Citation != "" {
		found := controlsFor(p.Citation)
		if len(found) == 0 {
			p.Wrong = "Nothing in the catalogue of rules matches. Write a section such as 164.308(b)(1), a term such as BAA-M05, a gate such as training, or a word of its title."
			return p, nil
		}
		p.More = max(0, len(found)-mostControls)
		refused := s.activity.Gates(v.Now.AddDate(0, 0, -29), v.Now, "")
		for _, c := range found[:min(len(found), mostControls)] {
			story := s.controlStory(c, refused)
			p.Controls = append(p.Controls, story)
			for _, g := range story.Gates {
				if !slices.Contains(p.Gates, g.Gate) {
					p.Gates = append(p.Gates, g.Gate)
				}
			}
			nouns = append(nouns, story.nouns...)
		}
	}
	p.acts(s, v, &ask, nouns)
	if err := p.decided(s, v, &ask); err != nil {
		return p, err
	}
	if p.ByTime {
		return p, p.released(s, v, &ask)
	}
	return p, nil
}

// acts are the newest acts about what the rules are about.
func (p *evidenceView) acts(s *server, v *visit, a *decisionAsk, nouns []string) {
	if p.Citation != "" && len(nouns) == 0 {
		return
	}
	keep := func(d *done) bool {
		noun, _, _ := strings.Cut(string(d.Kind), ".")
		return (p.Citation == "" || slices.Contains(nouns, noun)) && (a.sinceTime.IsZero() || !d.At.Before(a.sinceTime)) && (a.untilTime.IsZero() || d.At.Before(a.untilTime))
	}
	var list []*done
	if vendor := first(a.query.Vendors); vendor != "" {
		list = s.history.About(vendor, evidenceNewest, keep)
	} else {
		list = s.history.Newest(evidenceNewest, keep)
	}
	for _, d := range list {
		p.Acts = append(p.Acts, actRowOf(v.View, d))
	}
	p.ActsHref = "/console/acts"
	if len(nouns) > 0 {
		p.ActsHref += "?noun=" + nouns[0]
	}
}

func actRowOf(view *snapshot.View, d *done) actShownRow {
	return actShownRow{At: d.At, Summary: d.Summary(), Href: "/console/acts/" + string(d.ID), Actor: refIn(view, d.Actor), On: refIn(view, d.On)}
}

// decided are the newest decisions: those that the rules' gates refused, or all of the
// vendor and the time.
func (p *evidenceView) decided(s *server, v *visit, a *decisionAsk) error {
	if p.Citation != "" && len(p.Gates) == 0 {
		return nil
	}
	a.keep = func(r disclosure.Row) bool {
		if len(a.query.Vendors) > 0 && r.Vendor != a.query.Vendors[0] {
			return false
		}
		return p.Citation == "" || slices.ContainsFunc(r.Failing, func(f disclosure.FailedGate) bool { return slices.Contains(p.Gates, f.Gate) })
	}
	if p.Citation != "" {
		a.Result = "refused"
	}
	var rows []disclosure.Row
	if p.ByTime {
		page, err := s.Disclosures.Newest(v.Context(), a.query, evidenceNewest, a.keep, a.kinds()...)
		if err != nil {
			return err
		}
		rows = page.Items
	} else { // what is in memory is enough for the newest
		rows = s.activity.Newest(evidenceNewest, a.keep)
	}
	for _, r := range rows {
		p.Decisions = append(p.Decisions, decisionRowOf(v.View, r))
	}
	since, until := a.sinceTime, v.Now
	if since.IsZero() {
		since = until.AddDate(0, 0, -29)
	}
	if !a.untilTime.IsZero() && a.untilTime.Before(until) {
		until = a.untilTime.Add(-time.Second)
	}
	for _, d := range s.activity.Days(since, until, func(w way) bool { return len(a.query.Vendors) == 0 || w.Vendor == a.query.Vendors[0] }) {
		p.Permitted, p.Refused = p.Permitted+d.Permitted, p.Refused+d.Refused
	}
	pairs := []string{"citation", "", "before", ""}
	if len(p.Gates) == 1 {
		pairs = append(pairs, "gate", p.Gates[0])
	}
	p.AllHref = "/console/decisions" + strings.TrimPrefix(with(v.URL, pairs...), v.URL.Path)
	return nil
}

var releasedKinds = []disclosure.Kind{disclosure.Released, disclosure.Incomplete}

// released are the releases of the vendor and the time, the newest first.
func (p *evidenceView) released(s *server, v *visit, a *decisionAsk) error {
	q := a.query
	q.Through = a.before
	page, err := s.Disclosures.Newest(v.Context(), q, perPage, nil, releasedKinds...)
	if err != nil {
		return err
	}
	for _, r := range page.Items {
		p.Releases = append(p.Releases, releaseListOf(v.View, r))
	}
	if page.Next > 0 {
		p.Older = with(v.URL, "before", strconv.FormatUint(page.Next, 10))
		if len(page.Items) == 0 {
			p.Looked = number(page.Next)
		}
	}
	if a.before > 0 {
		p.Newer = with(v.URL, "before", "")
	}
	p.CSV = with(v.URL, "format", "csv", "before", "")
	return nil
}

func releaseListOf(view *snapshot.View, r disclosure.Row) releaseListRow {
	var types []string
	for _, t := range r.Types {
		types = append(types, number(t.N)+" "+t.What)
	}
	return releaseListRow{Row: r, Href: "/console/releases/" + string(r.Release), State: stateOf(string(r.Kind)), Vendor: refIn(view, r.Vendor), Engagement: refIn(view, r.Engagement), Types: orWord(strings.Join(types, ", "), "nothing")}
}

var releaseColumns = []string{"log_index", "time", "result", "release", "decision", "vendor", "engagement", "person", "device", "app", "grant", "role", "source", "purpose", "data_class", "profile", "sealing", "types", "patients", "bytes", "sha256"}

// releasesCSV answers with the releases of a vendor and a time.
func (s *server) releasesCSV(v *visit, a *decisionAsk) error {
	var rows [][]string
	for q := a.query; len(rows) < decisionExport; {
		page, err := s.Disclosures.Newest(v.Context(), q, decisionExport-len(rows), nil, releasedKinds...)
		if err != nil {
			return err
		}
		for _, r := range page.Items {
			sealing := "none"
			if r.Sealed != nil {
				sealing = r.Sealed.Mode
			}
			rows = append(rows, []string{fmt.Sprint(r.Index), iso(r.Time), string(r.Kind), string(r.Release), string(r.Decision), string(r.Vendor), string(r.Engagement), string(r.Person), string(r.Device), string(r.App),
				string(r.Grant), string(r.Role), string(r.Source), string(r.Purpose), string(r.DataClass), r.Profile, sealing, releaseListOf(v.View, r).Types, fmt.Sprint(r.Patients), fmt.Sprint(r.Bytes), r.Digest})
		}
		if page.Next == 0 {
			break
		}
		q.Through = page.Next
	}
	return tableCSV(v, "releases", releaseColumns, rows)
}

// controlStory is a rule, and what answers to it here.
type controlStory struct {
	Control   hipaa.Control
	Cite      citation
	Marks     []mark
	Gates     []policyRow
	Terms     []termRow
	Rules     []problem.Reason // of acts
	Clock     string           // the law's time limit
	Runs      bool             // the program reckons it, for incidents
	Questions []hipaa.Question
	nouns     []string // acts about these are about the rule
}

// termRow is a term of agreements that serves a rule.
type termRow struct {
	ID, Title, Where, Says string
}

// nounsOfGate are the records that a gate reads, by the acts that change them.
var nounsOfGate = map[string][]string{
	"vendor": {"vendor"}, "assessment": {"assessment", "questionnaire"}, "certification": {"certification"}, "screening": {"vendor"}, "agreement": {"agreement"}, "permitted_use": {"agreement"},
	"subcontractors": {"vendor", "agreement"}, "engagement": {"engagement"}, "basis": {"engagement", "determination"}, "person": {"person"}, "training": {"training", "course", "attempt"}, "device": {"device"},
	"workload": {"workload"}, "posture": {"device"}, "key": {"key", "offboarding"}, "app": {"app"}, "grant": {"grant", "request"}, "review": {"review", "campaign"}, "hold": {"hold", "incident"}, "role": {"role"},
	"deidentification": {"role", "determination"}, "patient_hold": {"patient"}, "sealing": {"device"}, "cohort": {"cohort", "grant"}, "labels": {"grant"}, "region": {"device", "engagement"},
}

func (s *server) controlStory(c hipaa.Control, refused map[string]uint64) controlStory {
	out := controlStory{Control: c, Cite: cite(c.Cite())}
	for _, g := range gate.All {
		if slices.Contains(g.Cites, c.ID) {
			out.Gates = append(out.Gates, policyRow{Gate: g.ID, Name: words(g.ID), Title: g.Title, Href: "/console/policies/" + g.ID, Refused: refused[g.ID], Owner: g.Audience == policy.Owner})
			out.nouns = append(out.nouns, nounsOfGate[g.ID]...)
		}
	}
	gates := false
	for _, t := range hipaa.Terms() {
		if !slices.Contains(t.Controls, c.ID) {
			continue
		}
		row := termRow{ID: t.ID, Title: t.Title}
		for _, r := range agreement.Table {
			if r.ID == t.ID {
				row.Where, row.Says = r.Where, r.Says
				gates = gates || slices.Contains(r.Does, agreement.Gate)
			}
		}
		out.Terms = append(out.Terms, row)
	}
	if len(out.Terms) > 0 {
		out.nouns = append(out.nouns, "agreement")
	}
	for _, r := range s.Acts.Reasons() {
		if r.Citation == c.Citation {
			out.Rules = append(out.Rules, r)
		}
	}
	if clock, _, err := breach.LawClock(c.ID); err == nil {
		out.Clock, out.Runs = clockWords(clock), slices.Contains(breach.Reckoned, c.ID)
	}
	for _, q := range hipaa.Questions() {
		if slices.Contains(q.Controls, c.ID) {
			out.Questions = append(out.Questions, q)
		}
	}
	if len(out.Questions) > 0 {
		out.nouns = append(out.nouns, "questionnaire")
	}
	if c.Rule == "breach" {
		out.nouns = append(out.nouns, "incident")
	}
	out.Marks = marksOf(len(out.Gates) > 0 || len(out.Rules) > 0, gates, out.Runs, len(out.Terms) > 0 && !gates || len(out.Questions) > 0, len(c.Human) > 0)
	return out
}

// clockWords is a time limit of the law in words.
func clockWords(c breach.Clock) string {
	unit := strings.TrimSuffix(c.Unit, "s")
	if c.Basis == "business" {
		unit = "business " + unit
	}
	out := "at most " + plural(c.Max, unit)
	if c.Trigger != "" {
		out += " from " + strings.ReplaceAll(c.Trigger, "_", " ")
	}
	return out
}

// marksOf says how the program stands to a rule.
func marksOf(enforced, promised, clock, recorded, person bool) (out []mark) {
	if enforced {
		out = append(out, mark{"Enforced", "good"})
	}
	if promised {
		out = append(out, mark{"No data without the promise", "good"})
	}
	if clock {
		out = append(out, mark{"Clock", "good"})
	}
	if recorded {
		out = append(out, mark{"Recorded", "wait"})
	}
	if person {
		out = append(out, mark{"A person must still do", "warn"})
	}
	if len(out) == 0 {
		out = append(out, mark{"Nothing here answers to it", "off"})
	}
	return out
}

// plainSection is a citation without what all of them have.
func plainSection(text string) string {
	return strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(strings.TrimSpace(text), "45 CFR "), " ", ""))
}

// controlsFor are the rules that a text means: a section and what is below it, a term, a
// gate, or words of a title.
func controlsFor(text string) []hipaa.Control {
	var out []hipaa.Control
	add := func(keep func(hipaa.Control) bool) (any bool) {
		for _, c := range hipaa.Controls() {
			if keep(c) {
				any = true
				if !slices.ContainsFunc(out, func(x hipaa.Control) bool { return x.ID == c.ID }) {
					out = append(out, c)
				}
			}
		}
		return any
	}
	for part := range strings.SplitSeq(text, ";") {
		section := plainSection(part)
		if section == "" {
			continue
		}
		exact := add(func(c hipaa.Control) bool {
			return plainSection(c.Citation) == section || strings.EqualFold(c.ID, section)
		})
		below := add(func(c hipaa.Control) bool {
			rest, ok := strings.CutPrefix(plainSection(c.Citation), section)
			return ok && (strings.HasPrefix(rest, "(") || rest == "")
		})
		if exact || below {
			continue
		}
		word := strings.ToLower(strings.TrimSpace(part))
		if t, ok := termCalled(strings.ToUpper(word)); ok {
			add(func(c hipaa.Control) bool { return slices.Contains(t.Controls, c.ID) })
			continue
		}
		if g, ok := gateCalled(strings.ReplaceAll(word, " ", "_")); ok {
			add(func(c hipaa.Control) bool { return slices.Contains(g.Cites, c.ID) })
			continue
		}
		// A paragraph that the catalogue does not have apart belongs to the one above it.
		for above := section; strings.HasSuffix(above, ")"); {
			above = above[:max(0, strings.LastIndexByte(above, '('))]
			if add(func(c hipaa.Control) bool { return plainSection(c.Citation) == above }) {
				break
			}
		}
		add(func(c hipaa.Control) bool {
			return len(word) > 2 && strings.Contains(strings.ToLower(c.Title+" "+c.Citation), word)
		})
	}
	return out
}

// controlRow is a rule in the catalogue's list.
type controlRow struct {
	c     hipaa.Control
	marks []mark
}

// last is 1 for what stands below the others.
func (r controlRow) last() int {
	if r.c.Kind == "definition" {
		return 1
	}
	return 0
}

// controlList is the catalogue.
func (s *server) controlList(v *visit) list {
	all := make([]controlRow, 0, len(hipaa.Controls()))
	for _, c := range hipaa.Controls() {
		all = append(all, controlRow{c, s.controlStory(c, nil).Marks})
	}
	// A definition asks nothing of anybody: it stands below what does.
	slices.SortStableFunc(all, func(a, b controlRow) int { return cmp.Compare(a.last(), b.last()) })
	names := func(r controlRow) []string {
		out := make([]string, len(r.marks))
		for i, m := range r.marks {
			out[i] = m.Word
		}
		return out
	}
	answer := []option{}
	for _, m := range []string{"Enforced", "No data without the promise", "Clock", "Recorded", "A person must still do", "Nothing here answers to it"} {
		answer = append(answer, option{Value: m, Label: m})
	}
	return listOf(v, listing[controlRow]{
		Caption: "Rules", Rows: slices.Values(all),
		Columns: []column[controlRow]{
			{Key: "rule", Label: "Rule", Cell: func(r controlRow) cell {
				c := cite(r.c.Cite())
				return cell{Text: c.Text, Href: c.Href, Help: c.Verified}
			}},
			{Key: "title", Label: "What it is about", Cell: func(r controlRow) cell { return cell{Text: r.c.Title, Help: r.c.Label} }},
			{Key: "binds", Label: "Binds", Cell: func(r controlRow) cell {
				return text(cmp.Or(map[string]string{"CE": "the organisation", "BA": "the vendor", "both": "both"}[r.c.Obligation], "nobody by itself"))
			}},
			{Key: "here", Label: "Here", Cell: func(r controlRow) cell {
				out := cell{Text: strings.Join(names(r), "; "), Mark: &r.marks[0]}
				if len(r.marks) > 1 {
					out.Help = "and: " + strings.ToLower(strings.Join(names(r)[1:], ", "))
				}
				return out
			}},
		},
		Filters: []filter[controlRow]{
			{Key: "of", Label: "Part of the law", Of: func(r controlRow) []string { return []string{r.c.Rule} }},
			{Key: "kind", Label: "Kind", Of: func(r controlRow) []string { return []string{r.c.Kind} }},
			{Key: "here", Label: "Here", Of: names, Options: answer},
		},
		Empty: empty{Title: "No rules", Text: "The catalogue is part of the program"},
	})
}

// vendorKnown is a vendor that the registry has.
func vendorKnown(v *visit, key string) (*snapshot.Vendor, error) {
	x, ok := v.View.Vendors.Get(id.Vendor(key))
	if !ok {
		return nil, problem.New(problem.NotFound, "There is no vendor with this id", "See the list of vendors")
	}
	return x, nil
}

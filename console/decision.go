package console

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/disclosure"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

func decisionScreens() []screen {
	return []screen{
		on("decisions", "Decisions", "GET /console/decisions", ours, (*server).decisions),
		on("decision", "Decision", "GET /console/decisions/{id}", ours, (*server).decision),
		on("release", "Release", "GET /console/releases/{id}", ours, (*server).release),
	}
}

// decided is a decision as the log has it.
type decided struct {
	ID        id.Decision
	At        time.Time
	Index     uint64
	Permitted bool
	Refused   bool // also after it was permitted: what was fetched was not fit to leave
	RefusedAt uint64
	Intent    audit.Intent
	Failing   []audit.Failing
	Outcomes  []audit.Entry
}

// decidedOf reads a decision from the log.
func (s *server) decidedOf(ctx context.Context, d id.Decision) (decided, error) {
	out := decided{ID: d}
	none := problem.New(problem.NotFound, "The log has no such decision", "Check the id, and that the node that decided is this one: "+s.Node)
	entries, err := s.Log.Decision(ctx, d)
	if errors.Is(err, audit.ErrNotFound) || err == nil && len(entries) == 0 {
		return out, none
	}
	if err != nil {
		return out, err
	}
	for _, e := range entries {
		switch {
		case e.Intent != nil:
			out.Intent, out.At, out.Index, out.Permitted = *e.Intent, e.Time, e.Index, true
		case e.Refusal != nil:
			if !out.Permitted {
				out.Intent, out.At, out.Index = e.Refusal.Intent, e.Time, e.Index
			}
			out.Refused, out.RefusedAt, out.Failing = true, e.Index, append(out.Failing, e.Refusal.Failing...)
		case e.Outcome != nil:
			out.Outcomes = append(out.Outcomes, e)
		}
	}
	if !out.Permitted && !out.Refused {
		return out, none
	}
	return out, nil
}

// state is what became of it, in a word.
func (d *decided) state() mark {
	switch {
	case d.Refused:
		return mark{"Refused", "bad"}
	case len(d.Outcomes) == 0:
		return mark{"Permitted, under way", "wait"}
	}
	return mark{"Permitted", "good"}
}

// decisionView is a decision's page.
type decisionView struct {
	D          decided
	State      mark
	Vendor     ref
	Engagement ref
	Person     ref
	Device     ref
	App        ref
	Grant      ref
	Role       ref
	Source     ref
	Asked      string
	Code       string // the same in FHIR's own words
	Policy     string // digest of the policies that decided
	PolicyNow  bool   // they are those in force
	VersionNow bool   // the registry has not changed since
	Layers     []layer
	Releases   []releaseRow
	Clauses    []clauseGroup
	Ladder     ladder
	Making     bool   // what each gate saw is being put together
	Failed     string // why what each gate saw cannot be had

	What   whatIf
	Judged *judged
}

// judged is a decision, or a question, judged by other papers than those of its time.
type judged struct {
	Title     string
	Permitted bool
	State     mark
	Ladder    ladder
	Compared  bool // with a decision that was made
	Same      bool // as it was decided
	Making    bool
	Here      string   // the page that asks, while it is made
	Changed   []string // gates that say otherwise than then
}

// layer is one of the things that protected a request and its answer.
type layer struct {
	Name, Value, Says string
	State             mark
}

// releaseRow is one release that came of a decision.
type releaseRow struct {
	Index    uint64
	At       time.Time
	Release  id.Release
	Href     string
	State    mark
	Chunk    uint64
	Bytes    uint64
	Patients uint64
	Types    []audit.TypeCount
	Digest   string
	Sealed   *audit.Sealing
	Clear    string // digest of what is inside
	Keys     []string
	Removed  []audit.Removal
	Changed  []audit.Removal
	Status   int
	Upstream int
}

// clauseGroup is what a decision relied on of one agreement.
type clauseGroup struct {
	Agreement ref
	Terms     []clauseRow
}

type clauseRow struct {
	ID, Title, Text string
	Cite            citation
}

func (s *server) decision(v *visit) (decisionView, error) {
	d, err := s.decidedOf(v.Context(), id.Decision(v.PathValue("id")))
	if err != nil {
		return decisionView{}, err
	}
	v.under("Decisions", "/console/decisions")
	p := decisionView{D: d, State: d.state()}
	p.fill(s, v)
	v.call(p.State.Word + ": " + orWord(p.Asked, "a request"))

	x, err := s.explain(v, explainAsk{Decision: d.ID})
	if err != nil {
		p.Failed = problem.From(err).Title
	}
	p.Making = x == nil && err == nil
	c := callerOf(v.View, &d.Intent)
	p.Ladder = recordedLadder(v.View, c, d.Permitted, d.Failing, x)

	if d.Refused {
		p.Ladder.mended(v, c)
	}
	p.What = s.readWhatIf(v)
	if p.What.Judge == "" || p.What.Wrong != "" || p.What.Ask {
		return p, nil
	}
	ask := explainAsk{Decision: d.ID, At: p.What.Time, With: p.What.With}
	if p.What.Judge != "then" && ask.At.IsZero() {
		// The papers as they are: a moment ahead, so that nothing is read from the database.
		ask.At = v.Now.UTC().Truncate(time.Minute).Add(time.Minute)
	}
	y, err := s.explain(v, ask)
	if err != nil {
		p.What.Wrong = problemText(err)
		return p, nil
	}
	p.Judged = judge(v, c, p.What.title(), y)
	if y != nil {
		p.Judged.Compared, p.Judged.Same = true, y.Permitted == !d.Refused
		p.Judged.compare(p.Ladder)
		p.Judged.Ladder.mended(v, c)
	}
	return p, nil
}

func judge(v *visit, c caller, title string, x *explained) *judged {
	out := &judged{Title: title, Making: x == nil, Here: v.URL.RequestURI()}
	if x == nil {
		return out
	}
	out.Permitted, out.Ladder, out.State = x.Permitted, judgedLadder(v.View, c, x), mark{"Would be permitted", "good"}
	if !x.Permitted {
		out.State = mark{"Would be refused", "bad"}
	}
	return out
}

// compare names the gates that say otherwise than then.
func (j *judged) compare(then ladder) {
	for _, a := range j.Ladder.Rungs {
		for _, b := range then.Rungs {
			if a.Gate == b.Gate && (a.State.Tone == "bad") != (b.State.Tone == "bad") {
				j.Changed = append(j.Changed, a.Name)
			}
		}
	}
}

func orWord(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// problemText is a problem in a sentence, with what to do.
func problemText(err error) string {
	p := problem.From(err)
	out := p.Title
	if p.Field != "" {
		out = p.Field + ": " + out
	}
	if p.NextStep != "" {
		out = sentence(out) + " " + sentence(p.NextStep)
	}
	return out
}

// fill gives what the log and the registry say of a decision.
func (p *decisionView) fill(s *server, v *visit) {
	in, view := &p.D.Intent, v.View
	p.Vendor, p.Engagement, p.Person, p.Device = refIn(view, in.Vendor), refIn(view, in.Engagement), refIn(view, in.Person), refIn(view, in.Device)
	p.App, p.Grant, p.Role, p.Source = refIn(view, in.App), refIn(view, in.Grant), refIn(view, in.Role), refIn(view, in.Source)
	p.Asked, p.Code = askedFor(in.Action, in.Resource), askedCode(in.Action, in.Resource)
	p.Policy = hexDigest(in.Policy)
	p.PolicyNow, p.VersionNow = p.Policy == s.Policy.Version(), in.Snapshot == view.Version()
	for _, e := range p.D.Outcomes {
		p.Releases = append(p.Releases, releaseRowOf(&e))
	}
	p.Layers = layersOf(&p.D)
	p.Clauses = clausesOf(view, in.Clauses)
}

func hexDigest(d audit.Digest) string {
	if d == (audit.Digest{}) {
		return ""
	}
	return hex.EncodeToString(d[:])
}

func releaseRowOf(e *audit.Entry) releaseRow {
	o := e.Outcome
	r := releaseRow{Index: e.Index, At: e.Time, Release: o.Release, Href: "/console/releases/" + string(o.Release), State: stateOf(string(o.Result)), Chunk: o.Chunk, Bytes: o.Bytes, Patients: o.PatientCount,
		Types: o.Resources, Digest: hexDigest(o.Digest), Sealed: o.Sealed, Removed: o.Removed, Changed: o.Changed, Status: o.Status, Upstream: o.Upstream}
	if o.Sealed != nil {
		r.Clear = hexDigest(o.Sealed.Digest)
		for _, k := range o.Sealed.Recipients {
			r.Keys = append(r.Keys, hexDigest(k))
		}
	}
	return r
}

var agentSays = map[audit.Agent]string{audit.Human: "A person at a program", audit.Workload: "A program that runs by itself", audit.AI: "An agent: a program that decides by itself what it asks"}

// layersOf are what protected a request and its answer, from the outside in.
func layersOf(d *decided) []layer {
	in := &d.Intent
	t := in.Transport
	good, off := mark{"In place", "good"}, mark{"Not there", "off"}
	var out []layer
	add := func(name, value, says string, is bool) {
		state := off
		if is {
			state = good
		}
		out = append(out, layer{name, value, says, state})
	}
	version := "not known"
	if t.TLS != "" {
		version = "TLS " + t.TLS
	}
	add("Transport", version, "The connection from the vendor's machine to the gateway", t.TLS == "1.3")
	says := "How the connection's keys were agreed on"
	if strings.Contains(t.KeyExchange, "MLKEM") {
		says = "Agreed on so that a quantum computer of later years cannot read what was recorded today"
	}
	add("Key exchange", orWord(t.KeyExchange, "not known"), says, t.KeyExchange != "")
	add("Machine's certificate", orWord(short(hexDigest(t.Certificate)), "none"), "Which machine asked: SHA-256 of its certificate", t.Certificate != audit.Digest{})
	add("Token's binding", orWord(t.Binding, "none"), "A token that is stolen is of no use without the machine's key (RFC 8705, RFC 9449)", t.Binding != "" && t.Binding != "none")
	add("Who asked", orWord(string(in.Agent), "not known"), agentSays[in.Agent], in.Agent != "")
	region := "The device's own record says so; where data is processed, nobody here can see"
	if in.RegionBy == audit.ByAddress {
		region = "By the caller's address, in the organisation's table of networks"
	}
	add("Region", orWord(in.Region, "not known"), region, in.Region != "")
	add("De-identification", orWord(in.Profile, "none"), "The profile whose rules every element passed; SHA-256 "+orWord(short(hexDigest(in.ProfileDigest)), "not recorded"), in.Profile != "")
	add("Sealing", orWord(t.Sealing, "none"), "Each release is encrypted to the machine's key, inside TLS", t.Sealing != "" && t.Sealing != "none")
	var legs []audit.Leg
	for _, e := range d.Outcomes {
		if l := e.Outcome.Leg; l != (audit.Leg{}) && !slices.Contains(legs, l) {
			legs = append(legs, l)
		}
	}
	for _, l := range legs {
		value, says := strings.TrimSpace("TLS "+l.TLS+" "+l.KeyExchange), "The connection from the healthcare system to the gateway; its certificate "+orWord(short(hexDigest(l.Certificate)), "is not recorded")
		if l.TLS == "none" {
			value, says = "on the same machine", "The healthcare system is on the gateway's own machine; nothing went over a network"
		}
		out = append(out, layer{"From the source", value, says, good})
	}
	return out
}

// clausesOf are the terms that a decision relied on, agreement by agreement. The log
// writes them "agreement.term", or the term alone.
func clausesOf(view *snapshot.View, list []string) []clauseGroup {
	var out []clauseGroup
	for _, text := range list {
		agreement, term := "", text
		if i := strings.LastIndexByte(text, '.'); i > 0 {
			agreement, term = text[:i], text[i+1:]
		}
		if _, ok := termCalled(term); !ok {
			if _, ok := view.Agreements.Get(id.Agreement(text)); ok {
				agreement, term = text, ""
			}
		}
		key := ref{Label: "An agreement of the engagement"}
		if agreement != "" {
			key = refIn(view, id.Agreement(agreement))
		}
		i := slices.IndexFunc(out, func(g clauseGroup) bool { return g.Agreement == key })
		if i < 0 {
			out = append(out, clauseGroup{Agreement: key})
			i = len(out) - 1
		}
		if term != "" {
			row := clauseRow{ID: term}
			if t, ok := termCalled(term); ok {
				row.Title, row.Text, row.Cite = t.Title, t.Text, citeTerm(t)
			}
			out[i].Terms = append(out[i].Terms, row)
		}
	}
	return out
}

func termCalled(key string) (hipaa.Term, bool) {
	for _, t := range hipaa.Terms() {
		if t.ID == key {
			return t, true
		}
	}
	return hipaa.Term{}, false
}

// citeTerm is a term's rule; it was checked as far as the least of its paragraphs.
func citeTerm(t hipaa.Term) citation {
	c := hipaa.Citation{Text: t.Citation, Verified: hipaa.PolicyOnly}
	order := []hipaa.Verified{hipaa.RegText, hipaa.StatuteText, hipaa.Secondary, hipaa.Recall, hipaa.PolicyOnly}
	worst := -1
	for _, key := range t.Controls {
		if x, ok := hipaa.LookupControl(key); ok {
			worst = max(worst, slices.Index(order, x.Verified))
		}
	}
	if worst >= 0 {
		c.Verified = order[worst]
	}
	return cite(c)
}

// releaseAround is how far from its id's time an outcome is looked for.
const releaseAround = 10 * time.Minute

// decisionOfRelease finds the decision that a release came of. Its id holds its time,
// so only a few minutes of the log are looked through.
func (s *server) decisionOfRelease(ctx context.Context, r id.Release) (disclosure.Row, error) {
	none := problem.New(problem.NotFound, "The log has no such release", "Check the id: 26 letters and digits, as the outcome in the log has it")
	at, err := id.Time(r)
	if err != nil {
		return disclosure.Row{}, none
	}
	var found disclosure.Row
	page, err := s.Disclosures.Newest(ctx, disclosure.Query{Since: at.Add(-releaseAround), Until: at.Add(releaseAround)}, 1, func(row disclosure.Row) bool { return row.Release == r },
		disclosure.Released, disclosure.Withheld, disclosure.Incomplete)
	if err != nil {
		return found, err
	}
	if len(page.Items) == 0 {
		return found, none
	}
	return page.Items[0], nil
}

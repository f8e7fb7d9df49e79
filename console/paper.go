package console

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/agreement"
	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/paper"
	"github.com/sallyport/sallyport/snapshot"
)

func paperScreens() []screen {
	file := func(pattern string, show func(*server, *visit) error) screen {
		return screen{Pattern: pattern, For: ours, show: func(s *server, v *visit) (any, error) { return nil, show(s, v) }}
	}
	return []screen{
		on("start", "First steps", "GET /console/start", ours, (*server).start),
		on("papers", "Agreements", "GET /console/agreements", ours, (*server).paperList),
		on("paper", "", "GET /console/agreements/{id}", ours, (*server).paperShown),
		on("paperproof", "", "GET /console/agreements/{id}/evidence", ours, (*server).paperEvidence),
		on("do", "Write an agreement", "GET /console/agreements/compose", ours, (*server).composeShown),
		on("do", "Write an agreement", "POST /console/agreements/compose", ours, (*server).composePosted),
		file("GET /console/agreements/{id}/document", func(s *server, v *visit) error { return s.paperFile(v, "document", "") }),
		file("GET /console/agreements/{id}/signed", func(s *server, v *visit) error { return s.paperFile(v, "signed", "pdf") }),
		file("GET /console/agreements/{id}/draft.docx", func(s *server, v *visit) error { return s.paperFile(v, "paper?format=docx", "docx") }),
		file("GET /console/agreements/{id}/draft.pdf", func(s *server, v *visit) error { return s.paperFile(v, "paper?format=pdf", "pdf") }),
	}
}

// paperFile hands on one of the agreement's files.
func (s *server) paperFile(v *visit, what, ending string) error {
	g, ok := v.View.Agreements.Get(id.Agreement(v.PathValue("id")))
	if !ok {
		return notFound()
	}
	name := string(g.ID) + "." + cmp.Or(ending, "document")
	if what == "document" {
		d, err := s.Registry.Document(v.Context(), g.Document)
		if err != nil {
			return err
		}
		for end, media := range mediaTypes {
			if media == d.MediaType {
				name = string(g.ID) + "." + end
			}
		}
	}
	if what == "signed" {
		name = string(g.ID) + "-signed.pdf"
	}
	return s.pass(v, "/v1/agreements/"+url.PathEscape(string(g.ID))+"/"+what, name)
}

// paperState is how an agreement stands now, in a word, and what it waits for.
func paperState(g *snapshot.Agreement, now time.Time) (state, waits string) {
	unsigned := func() string {
		var lacks []string
		for _, p := range partiesOf(g.Kind) {
			if !g.SignedBy(p, now) {
				lacks = append(lacks, strings.ReplaceAll(string(p), "-", " "))
			}
		}
		if len(lacks) == 0 {
			return ""
		}
		return "the signature of the " + strings.Join(lacks, " and of the ")
	}
	switch {
	case g.State == snapshot.Ended, g.OverBy(now):
		return "ended", ""
	case !g.EndsAt.IsZero() && !now.Before(g.EndsAt):
		if _, waiting := g.Waiting(); waiting {
			return "expired", "the approval of its renewal"
		}
		return "expired", "a renewal"
	case g.State == snapshot.Suspended || !g.SuspendedAt.IsZero() && g.State != snapshot.Approved:
		return "suspended", ""
	case unsigned() != "":
		return "draft", unsigned()
	case g.SecondReading && g.Reading.By == "":
		return "signed", "a second reading of its terms"
	case g.State != snapshot.Approved:
		return "signed", "approval by another person"
	case now.Before(g.EffectiveAt):
		return "not begun", ""
	}
	if _, waiting := g.Waiting(); waiting {
		return "in force", "the approval of its renewal"
	}
	return "in force", ""
}

// partiesOf are the sides that sign.
func partiesOf(k snapshot.AgreementKind) []snapshot.Party {
	if k == snapshot.SubcontractorBAA {
		return []snapshot.Party{snapshot.VendorParty, snapshot.SubcontractorParty}
	}
	return []snapshot.Party{snapshot.Organisation, snapshot.VendorParty}
}

func (s *server) paperList(v *visit) (list, error) {
	now := v.Now
	frame := s.frame(v)
	write := frame.May("agreement.draft")
	if write != nil {
		write = &actLink{Href: "/console/agreements/compose", Label: "Write an agreement"}
	}
	state := func(g *snapshot.Agreement) string { x, _ := paperState(g, now); return x }
	return listOf(v, listing[*snapshot.Agreement]{
		Caption: "Agreements", Rows: values(v.View.Agreements.All()),
		Columns: []column[*snapshot.Agreement]{
			{Key: "id", Label: "Agreement", Cell: func(g *snapshot.Agreement) cell {
				return cell{Text: string(g.ID), Href: "/console/agreements/" + string(g.ID), Help: wordOfValue(string(g.Kind))}
			}},
			{Key: "vendor", Label: "With", Cell: func(g *snapshot.Agreement) cell {
				r := refIn(v.View, g.Vendor)
				return cell{Text: r.Label, Href: r.Href}
			}},
			{Key: "state", Label: "State", Cell: func(g *snapshot.Agreement) cell {
				x, waits := paperState(g, now)
				c := marked(x)
				if waits != "" {
					c.Help = "waits for " + waits
				}
				return c
			}},
			{Key: "lacks", Label: "Lacks", Fixed: true, Cell: func(g *snapshot.Agreement) cell {
				missing, weak := 0, 0
				for _, d := range agreement.Check(g) {
					if d.Fault == agreement.Missing {
						missing++
					} else {
						weak++
					}
				}
				switch {
				case missing+weak == 0:
					return text("nothing")
				case weak == 0:
					return text(plural(missing, "term"))
				}
				return cell{Text: plural(missing, "term"), Help: number(weak) + " weaker"}
			}},
			{Key: "notices", Label: "Notice ends it", Cell: func(g *snapshot.Agreement) cell {
				if at := g.NoticesEnd(); !at.IsZero() {
					return cell{Text: day(at), Help: ago(now, at)}
				}
				return text("")
			}, Sort: func(g *snapshot.Agreement) string { return iso(g.NoticesEnd()) }},
			{Key: "ends", Label: "Ends", Cell: func(g *snapshot.Agreement) cell {
				if g.EndsAt.IsZero() {
					return text("no date")
				}
				return cell{Text: day(g.EndsAt), Help: ago(now, g.EndsAt)}
			}, Sort: func(g *snapshot.Agreement) string { return iso(g.EndsAt) }},
		},
		Filters: []filter[*snapshot.Agreement]{
			{Key: "state", Label: "State", Of: func(g *snapshot.Agreement) []string { return []string{state(g)} }},
			{Key: "kind", Label: "Kind", Of: func(g *snapshot.Agreement) []string { return []string{string(g.Kind)} }},
		},
		Search: func(g *snapshot.Agreement) string { return string(g.ID) + " " + refIn(v.View, g.Vendor).Label },
		Sort:   "ends",
		Empty:  empty{"No agreement yet", "What a paper allows is what the door allows. Write a business associate agreement from its terms, or store one that is signed and enter what it says.", write},
	}), nil
}

// paperPage is one agreement: what it says beside what that does.
type paperPage struct {
	A            *snapshot.Agreement
	State, Waits string
	Buttons      []actLink
	End          *actLink // for good
	Paragraphs   []paperParagraph
	Ours         bool // the text is the stored document's own
	Terms        []paperTerm
	Given        int
	Faults       agreement.Deficiencies
	Prompt       bool
	Clocks       []agreement.Clock
	Signatures   []paperSignature
	SignHere     string
	Engagements  []*snapshot.Engagement
	NoticesEnd   time.Time
	Renewal      *snapshot.Renewal
	CanSigned    bool
}

type paperParagraph struct {
	ID, Text string
	Heading  bool
}

// Effects are what a term that is missing switches off, in words.
func (paperPage) Effects() map[string]string {
	return map[string]string{"deny_all": "No data flows under the paper", "deny_purpose": "No data flows for a purpose", "block_onboarding": "No new vendor, work or access is approved", "warn": "It is listed; nothing stops"}
}

// paperTerm is one of the terms: what the paper says, and what that switches.
type paperTerm struct {
	Field, Title, ID   string
	Mandatory, Applies bool
	State              string // given, missing, weak, silent
	Says, Clause, Href string
	Does, Where        string
	Effect             string
	Fault              string
	Citation           string
	Verified           string
}

type paperSignature struct {
	Party  string
	Signer string
	At     time.Time
	How    string
	Act    id.Act
	Lacks  bool
	Note   *actLink // where it is noted that it was signed on paper; nil: not by the visitor
}

func (s *server) paperShown(v *visit) (paperPage, error) {
	key := id.Agreement(v.PathValue("id"))
	g, ok := v.View.Agreements.Get(key)
	if !ok {
		return paperPage{}, notFound()
	}
	v.call(upperFirst(paperName(g.Kind)) + " with " + vendorName(v.View, g.Vendor))
	v.under("Agreements", "/console/agreements")
	p := paperPage{A: g, NoticesEnd: g.NoticesEnd()}
	p.State, p.Waits = paperState(g, v.Now)
	check := api.CheckAgreement(g, &v.View.Settings, v.View.Version())
	p.Faults, p.Prompt, p.Clocks = check.Deficiencies, check.PromptRetention, check.Clocks
	s.paperText(v, g, &p)
	p.terms(g)
	for _, party := range partiesOf(g.Kind) {
		x := paperSignature{Party: words(string(party)), Lacks: true}
		for _, sig := range g.Signatures {
			if sig.Party != party {
				continue
			}
			x.Lacks, x.Signer, x.At, x.How = false, sig.Signer, sig.At, "noted from the paper"
			if sig.Here != nil {
				x.How, x.Act = "in the product, by a passkey", sig.Here.Act
			}
		}
		p.Signatures = append(p.Signatures, x)
	}
	p.CanSigned = len(g.Signatures) >= 2
	for _, e := range v.View.Engagements.All() {
		if slices.Contains(e.Agreements, key) && len(p.Engagements) < perPage {
			p.Engagements = append(p.Engagements, e)
		}
	}
	if r, ok := g.Waiting(); ok {
		p.Renewal = &r
	}
	p.buttons(s.frame(v), g)
	return p, nil
}

// buttons are what can be done with it as it stands.
func (p *paperPage) buttons(f Frame, g *snapshot.Agreement) {
	add := func(kind, label string, pairs ...any) {
		if link := f.May(kind, append([]any{"id", string(g.ID)}, pairs...)...); link != nil {
			link.Label = label
			p.Buttons = append(p.Buttons, *link)
		}
	}
	if p.State == "ended" {
		return
	}
	for i, party := range partiesOf(g.Kind) {
		if p.Signatures[i].Lacks {
			p.Signatures[i].Note = f.May("agreement.sign", "id", string(g.ID), "party", string(party)).As("Signed on paper: note it")
		}
	}
	if p.Signatures[0].Lacks && g.Kind != snapshot.SubcontractorBAA && f.May("agreement.sign-here") != nil {
		p.SignHere = "/portal/agreements/" + string(g.ID)
	}
	if g.SecondReading && g.Reading.By == "" {
		add("agreement.check-terms", "Read the terms a second time", "document_sha256", g.Document)
	}
	if g.State == snapshot.Proposed {
		add("agreement.approve", "Approve it")
	}
	if p.Renewal != nil {
		add("agreement.approve-renewal", "Approve the renewal")
	}
	if p.State == "suspended" {
		add("agreement.resume", "End the suspension")
	} else if g.State == snapshot.Approved {
		add("agreement.suspend", "Suspend it")
		add("agreement.give-notice", "Give notice of a breach")
		add("agreement.renew", "Renew it")
	}
	for _, n := range g.Notices {
		if n.CuredAt.IsZero() {
			add("agreement.cured", "Note that the breach was cured", "notice", string(n.ID))
		}
	}
	add("agreement.amend", "Amend it")
	if p.End = f.May("agreement.terminate", "id", string(g.ID)); p.End != nil {
		p.End.Label = "Terminate it for good"
	}
}

// paperText is the paper in words: the stored document, where it is text or our own
// wording; else what its terms say in our words.
func (s *server) paperText(v *visit, g *snapshot.Agreement, p *paperPage) {
	body := ""
	if d, err := s.Registry.Document(v.Context(), g.Document); err == nil && strings.HasPrefix(d.MediaType, "text/") && len(d.Content) < 60<<10 {
		body, p.Ours = string(d.Content), true
	} else {
		body = paper.Text(agreement.Draft(g, s.partiesNamed(v, g), g.EffectiveAt))
	}
	p.Paragraphs = paragraphsOf(body)
}

// paragraphsOf is a text with its headings, which have a line below them, and its numbered
// clauses, which can be linked to.
func paragraphsOf(body string) []paperParagraph {
	var out []paperParagraph
	for para := range strings.SplitSeq(strings.ReplaceAll(body, "\r\n", "\n"), "\n\n") {
		para = strings.TrimSpace(para)
		if para == "" {
			continue
		}
		x := paperParagraph{Text: para}
		if title, line, ok := strings.Cut(para, "\n"); ok && line != "" && (strings.Trim(line, "=") == "" || strings.Trim(line, "-") == "") {
			x.Text, x.Heading = title, true
		}
		if rest, ok := strings.CutPrefix(para, "§ "); ok {
			n, _, _ := strings.Cut(rest, " ")
			x.ID = clauseID("§ " + n)
		}
		out = append(out, x)
	}
	return out
}

func (s *server) partiesNamed(v *visit, g *snapshot.Agreement) agreement.Parties {
	out := agreement.Parties{Organisation: s.Organisation, Vendor: refIn(v.View, g.Vendor).Label}
	if g.Subcontractor != "" {
		out.Subcontractor = refIn(v.View, g.Subcontractor).Label
	}
	return out
}

// clauseID is the name of a clause's place on the page; empty: it has none.
func clauseID(clause string) string {
	n, ok := strings.CutPrefix(clause, "§ ")
	if !ok || n == "" || strings.Trim(n, "0123456789.") != "" {
		return ""
	}
	return "c-" + strings.Trim(strings.ReplaceAll(n, ".", "-"), "-")
}

// terms are all the terms that a paper can have, with what each does.
func (p *paperPage) terms(g *snapshot.Agreement) {
	lines := map[string]agreement.Line{}
	for _, l := range agreement.Lines(g) {
		if old, ok := lines[l.Field]; ok {
			l.Says = old.Says + "; " + l.Says
		}
		lines[l.Field] = l
	}
	places := map[string]bool{}
	for _, x := range p.Paragraphs {
		places[x.ID] = true
	}
	demanded := agreement.Demanded(g.Kind)
	for _, row := range agreement.Table {
		t, _ := hipaa.TermByField(row.Field)
		x := paperTerm{Field: row.Field, ID: row.ID, Title: t.Title, Mandatory: slices.Contains(demanded, row.Field), State: "silent", Does: row.Says, Where: row.Where, Effect: words(t.OnFail), Citation: t.Citation}
		if l, ok := lines[row.Field]; ok {
			x.State, x.Says, x.Clause, x.Verified = "given", l.Says, l.Clause, string(l.Verified)
			if at := clauseID(l.Clause); at != "" && places[at] {
				x.Href = "#" + at
			}
			p.Given++
		} else if row.Field == "instrument" {
			x.State, x.Says = "given", "This paper: who signed it, and its dates."
			p.Given++
		}
		for _, d := range p.Faults {
			if d.Field != row.Field {
				continue
			}
			x.Fault = sentence(upperFirst(d.Says))
			if d.Fault == agreement.Missing {
				x.State = "missing"
				x.Does = cmp.Or(d.Silence, x.Does)
			} else {
				x.State = "weaker"
			}
		}
		p.Terms = append(p.Terms, x)
	}
}

// paperProofs is what happened under an agreement.
type paperProofs struct {
	Work worked[*api.Evidence]
	Days int
}

func (s *server) paperEvidence(v *visit) (paperProofs, error) {
	key := v.PathValue("id")
	if _, ok := v.View.Agreements.Get(id.Agreement(key)); !ok {
		return paperProofs{}, notFound()
	}
	p := paperProofs{Days: 90}
	if v.URL.Query().Get("days") == "366" {
		p.Days = 366
	}
	v.call("What happened under " + key)
	v.under("Agreements", "/console/agreements", key, "/console/agreements/"+key)
	var err error
	covered, _ := s.Disclosures.Standing()
	p.Work, err = readLater[api.Evidence](s, v, "/v1/agreements/"+url.PathEscape(key)+"/evidence?days="+number(p.Days), fmt.Sprint(v.View.Version(), covered))
	return p, err
}

package console

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/gate"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

func policyScreens() []screen {
	return []screen{
		on("policies", "Policies", "GET /console/policies", ours, (*server).policies),
		on("policy-acts", "Who may do what", "GET /console/policies/acts", ours, (*server).policyActs),
		on("policy-gate", "Gate", "GET /console/policies/{gate}", ours, (*server).policyGate),
	}
}

// policiesView is the policies in force.
type policiesView struct {
	Version string
	Gates   []policyRow
	Site    []policyRow
	Numbers []policyNumber
	Try     tryView
}

// policyRow is one gate in the list.
type policyRow struct {
	Gate, Name, Title string
	Href              string
	Content           bool
	Owner             bool
	Cite              citation // the first; its page has all
	More              int
	Refused           uint64 // in the last 30 days
}

// policyNumber is a number that the organisation set.
type policyNumber struct{ Name, Value, Says string }

func (s *server) policies(v *visit) (policiesView, error) {
	if v.URL.Query().Get("format") == "csv" {
		return policiesView{}, policiesCSV(v)
	}
	refused := s.activity.Gates(v.Now.AddDate(0, 0, -29), v.Now, "")
	p := policiesView{Version: s.Policy.Version(), Try: s.try(v), Numbers: numbersOf(v.View.Settings)}
	for _, g := range gate.All {
		cites := gateCites(g)
		p.Gates = append(p.Gates, policyRow{Gate: g.ID, Name: words(g.ID), Title: g.Title, Href: "/console/policies/" + g.ID, Content: g.Stage == policy.AtContent, Owner: g.Audience == policy.Owner,
			Cite: cites[0], More: len(cites) - 1, Refused: refused[g.ID]})
	}
	for _, r := range s.Policy.SiteRules() {
		p.Site = append(p.Site, policyRow{Gate: r.Gate, Name: r.Gate, Title: r.Title, Href: "/console/policies/" + r.Gate, Owner: r.Audience == policy.Owner, Cite: cite(r.Citation), Refused: refused[siteWord(r.Gate)]})
	}
	return p, nil
}

// siteWord is a site's gate as the log writes it.
func siteWord(g string) string { return strings.ReplaceAll(g, ":", ".") }

func policiesCSV(v *visit) error {
	var rows [][]string
	for _, g := range gate.All {
		var cites []string
		for _, c := range gateCites(g) {
			cites = append(cites, c.Text+" ("+c.Verified+")")
		}
		rows = append(rows, []string{g.ID, g.Title, string(g.Stage), g.Audience.String(), strings.Join(cites, "; ")})
	}
	return tableCSV(v, "gates", []string{"gate", "what_must_hold", "decided_at", "told_to", "rules"}, rows)
}

// numbersOf are the organisation's own numbers. No law sets any of them.
func numbersOf(s snapshot.Settings) []policyNumber {
	n := func(name, value, says string) policyNumber { return policyNumber{name, value, says} }
	yes := func(b bool) string {
		if b {
			return "yes"
		}
		return "no"
	}
	a := s.Access
	out := []policyNumber{
		n("Freshness of the registry's picture", spanWords(s.SnapshotFreshness), "Beyond it nothing is released"),
		n("Course that counts", orWord(strings.TrimSpace(s.Course+" "+s.CourseVersion), "none"), "And newer versions of it"),
		n("A completion counts for", spanWords(max(s.CourseRefresh, 0)), "Of the product's course; 0 is a year"),
		n("A role's track is required", yes(s.RequireTrack), "Who has none assigned is refused"),
		n("Access is reviewed every", spanWords(s.ReviewEvery), "A missed review closes the grant"),
		n("Prompts may be kept by a model's provider", plural(s.MaxPromptRetentionDays, "day"), "0: not at all"),
		n("Longest access that a request leads to", spanWords(a.MaxRequest), ""),
		n("Longest elevation", spanWords(a.MaxElevation), ""),
		n("A request lapses after", spanWords(a.RequestLapse), "If nobody decides it"),
		n("An emergency is reviewed within", spanWords(a.EmergencyReview), ""),
		n("Grace after a missed review", spanWords(a.ReviewGrace), "Then the grant ends for good"),
		n("A campaign of reviews opens every", spanWords(a.CampaignEvery), "0: people open them"),
		n("A campaign has", spanWords(a.CampaignRuns), "Until it is due"),
		n("A review is hasty below", spanWords(a.Hasty), "For an item, in the median; it is shown as a rubber stamp"),
		n("All kept, from", plural(a.AllKeepFrom, "item"), "So many, all kept, are shown as a rubber stamp"),
		n("A sign-in lasts", spanWords(s.SessionLife), ""),
		n("A sign-in may be unused for", spanWords(s.SessionIdle), ""),
		n("A passkey counts as just touched for", spanWords(s.StepUpLife), "For a decision"),
		n("A device's report is fresh for", spanWords(s.PostureFreshness), "45 CFR 164.310(b) and (c) set no time"),
		n("Callers must come from a known network", yes(s.RequireNetworkRegion), ""),
		n("An incident is ignored after", spanWords(s.IncidentIgnoredAfter), "Without anybody doing something about it"),
		n("Time zone of the days", orWord(s.TimeZone, "UTC"), ""),
	}
	return out
}

// spanWords is a time that something lasts: "90 days", "8 hours".
func spanWords(d time.Duration) string {
	switch {
	case d == 0:
		return "0"
	case d%(24*time.Hour) == 0:
		return plural(int(d/(24*time.Hour)), "day")
	case d%time.Hour == 0:
		return plural(int(d/time.Hour), "hour")
	case d%time.Minute == 0:
		return plural(int(d/time.Minute), "minute")
	}
	return plural(int(d/time.Second), "second")
}

// gateView is one gate in full.
type gateView struct {
	Gate, Title string
	Content     bool
	Owner       bool
	Site        bool
	File        string
	Policy      string
	Reasons     []policy.Reason
	Cites       []controlCite
	Refused     uint64
	Decisions   string
}

// controlCite is a rule that a gate serves.
type controlCite struct {
	Cite        citation
	Title, Text string
}

func (s *server) policyGate(v *visit) (gateView, error) {
	name := v.PathValue("gate")
	refused := s.activity.Gates(v.Now.AddDate(0, 0, -29), v.Now, "")
	v.under("Policies", "/console/policies")
	if g, ok := gateCalled(name); ok {
		p := gateView{Gate: g.ID, Title: g.Title, Content: g.Stage == policy.AtContent, Owner: g.Audience == policy.Owner, Policy: strings.TrimSpace(g.Policy), Reasons: g.Reasons, Refused: refused[g.ID], Decisions: decisionsOf("gate", g.ID)}
		for _, key := range g.Cites {
			x, ok := hipaa.LookupControl(key)
			if !ok {
				p.Cites = append(p.Cites, controlCite{Cite: cite(hipaa.Policy), Title: "No law sets it", Text: "A choice of the organisation, or of the product"})
				continue
			}
			p.Cites = append(p.Cites, controlCite{cite(x.Cite()), x.Title, x.Text})
		}
		v.call("Gate: " + words(g.ID))
		return p, nil
	}
	rules := s.Policy.SiteRules()
	i := slices.IndexFunc(rules, func(r policy.SiteRule) bool { return r.Gate == name })
	if i < 0 {
		return gateView{}, problem.New(problem.NotFound, "There is no gate called "+name, "See the list of policies")
	}
	r := rules[i]
	v.call("Gate: " + r.Gate)
	return gateView{Gate: r.Gate, Title: r.Title, Owner: r.Audience == policy.Owner, Site: true, File: r.File, Policy: r.Policy, Reasons: []policy.Reason{r.Reason},
		Cites: []controlCite{{Cite: cite(r.Citation), Title: "As the rule's file says"}}, Refused: refused[siteWord(r.Gate)], Decisions: decisionsOf("gate", siteWord(r.Gate))}, nil
}

// actsView is who may do which act.
type actsView struct {
	Duties []registry.Duty
	List   list
	Rules  []problem.Reason
}

// actDuty is an act and who may do it.
type actDuty struct {
	spec *registry.Spec
}

// allDuties are the duties that acts need. An auditor reads, and no act needs it.
var allDuties = []registry.Duty{registry.PrivacyOfficer, registry.SecurityOfficer, registry.DataOwner, registry.Procurement, registry.Operator}

var admissionWords = map[registry.Admission]string{registry.Self: "who it is about", registry.VendorPeople: "the vendor's people", registry.OwnDevice: "the device itself", registry.Connectors: "a connector",
	registry.LinkHolder: "who holds a link", registry.Clock: "the clock", registry.OwnPeople: "anybody of the organisation", registry.Invited: "who is invited"}

func (s *server) policyActs(v *visit) (actsView, error) {
	v.under("Policies", "/console/policies")
	columns := []column[actDuty]{{Key: "act", Label: "Act", Cell: func(a actDuty) cell {
		help := string(a.spec.Name)
		if a.spec.StepUp() {
			help += "; a passkey must be touched"
		}
		var also []string
		for _, x := range a.spec.Admits {
			also = append(also, admissionWords[x])
		}
		if len(also) > 0 {
			help += "; also " + strings.Join(also, ", ")
		}
		return cell{Text: a.spec.Summary, Help: help}
	}}}
	for _, d := range allDuties {
		columns = append(columns, column[actDuty]{Key: string(d), Label: words(string(d)), Cell: func(a actDuty) cell {
			if slices.Contains(a.spec.Duties, d) {
				return cell{Text: "yes", Mark: &mark{"Yes", "good"}}
			}
			return text("no")
		}})
	}
	p := actsView{Duties: allDuties, Rules: s.Acts.Reasons()}
	p.List = listOf(v, listing[actDuty]{Caption: "Acts and duties", Rows: func(yield func(actDuty) bool) {
		for i := range registry.Acts {
			if !yield(actDuty{&registry.Acts[i]}) {
				return
			}
		}
	}, Columns: columns, Filters: []filter[actDuty]{
		{Key: "about", Label: "About", Of: func(a actDuty) []string { return []string{a.spec.Noun} }},
		{Key: "duty", Label: "Duty", Of: func(a actDuty) []string {
			out := make([]string, len(a.spec.Duties))
			for i, d := range a.spec.Duties {
				out[i] = string(d)
			}
			return out
		}},
	}, Search: func(a actDuty) string { return a.spec.Summary + " " + string(a.spec.Name) }, Empty: empty{Title: "There is no act", Text: fmt.Sprintf("The program has %d", len(registry.Acts))}})
	return p, nil
}

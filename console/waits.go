package console

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/sallyport/sallyport/breach"
	"github.com/sallyport/sallyport/diligence"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// waiting is one thing that waits for a person, and the one way on.
type waiting struct {
	Text    string
	Note    string   // what it is about, where the text does not say it
	Reason  string   // why it matters, where its kind's words do not say it
	Cite    citation // what sets its date; zero: nothing that is cited
	Subject snapshot.Subject
	Vendor  id.Vendor
	Since   time.Time
	Due     time.Time // zero: no date
	Href    string

	kind registry.Kind // whose duties may do it
	not  []id.Person   // who did the step before, and may not do this one
}

// waitsSoon is how far ahead a date calls for somebody today.
const waitsSoon = 14 * 24 * time.Hour

// waitsFresh is how long the list of what waits may be shown: dates pass without an act.
const waitsFresh = time.Minute

// waitsFor is what waits for the visitor, the most pressing first.
func (s *server) waitsFor(v *visit) []waiting {
	all := s.partners.waiting(v.View, v.Now)
	s.partners.mu.Lock()
	defer s.partners.mu.Unlock()
	// The menu of each page counts them.
	if own, ok := s.partners.own[v.Person]; ok && s.partners.waitsVersion == v.View.Version() {
		return own
	}
	kinds := map[registry.Kind]bool{}
	var out []waiting
	for _, w := range all {
		may, known := kinds[w.kind]
		if !known {
			may = waitsMay(w.kind, v.Person)
			kinds[w.kind] = may
		}
		if may && !slices.Contains(w.not, v.Person.ID) {
			out = append(out, w)
		}
	}
	if s.partners.waitsVersion == v.View.Version() {
		s.partners.own[v.Person] = out
	}
	return out
}

// waitsMay reports whether one of the person's duties admits the act.
func waitsMay(kind registry.Kind, p *snapshot.Person) bool {
	spec, ok := registry.Lookup(kind)
	return ok && slices.ContainsFunc(spec.Duties, func(d registry.Duty) bool { return slices.Contains(p.Duties, string(d)) })
}

// waiting is what waits for anybody.
func (p *partners) waiting(v *snapshot.View, now time.Time) []waiting {
	p.mu.Lock()
	defer p.mu.Unlock()
	if age := now.Sub(p.waitsAt); p.waits != nil && p.waitsVersion == v.Version() && age >= 0 && age < waitsFresh {
		return p.waits
	}
	p.waits, p.waitsVersion, p.waitsAt, p.own = waits(v, now), v.Version(), now, map[*snapshot.Person][]waiting{}
	return p.waits
}

// collect gathers what waits.
type collect struct {
	v   *snapshot.View
	now time.Time
	out []waiting
}

func (c *collect) add(w waiting) { c.out = append(c.out, w) }

// act adds an act that waits to be done, with its form. More can be said of what it
// returns until the next is added.
func (c *collect) act(text string, kind registry.Kind, noun snapshot.Noun, key string, since time.Time, not ...id.Person) *waiting {
	s := snapshot.Subject{Noun: noun, ID: key}
	c.add(waiting{Text: text, Subject: s, Vendor: c.v.VendorOf(s), Since: since, Href: actPath(kind, "/console", "id", key), kind: kind, not: not})
	return &c.out[len(c.out)-1]
}

// waits lists what waits, walking each table once.
func waits(v *snapshot.View, now time.Time) []waiting {
	c := &collect{v: v, now: now, out: []waiting{}}
	c.incidents()
	c.papers()
	c.diligence()
	c.approvals()
	c.access()
	slices.SortStableFunc(c.out, func(a, b waiting) int {
		return cmp.Or(cmp.Compare(a.Urgency(now), b.Urgency(now)), a.Due.Compare(b.Due), a.Since.Compare(b.Since))
	})
	return c.out
}

func (c *collect) incidents() {
	zone, err := breach.Zone(c.v.Settings.TimeZone)
	if err != nil {
		zone = time.UTC // the configuration was checked; a day too early is better than none
	}
	limit := c.v.Settings.IncidentIgnoredAfter
	for _, x := range c.v.Incidents.All() {
		if !x.Open() {
			continue
		}
		s := snapshot.Subject{Noun: snapshot.NounIncident, ID: string(x.ID)}
		href := refOfSubject(c.v, s).Href
		dated := false
		for _, d := range breach.Due(x, breach.ContractOf(c.v, x), zone, c.now) {
			if !d.Pending() || d.Due.Sub(c.now) > waitsSoon {
				continue
			}
			dated = true
			kind := registry.Kind("incident.note-notice")
			if d.Kind == breach.Correct {
				kind = "incident.complete-correction"
			}
			reason, by := "The organisation sets the date (policy)", citation{}
			switch {
			case d.Outer:
				reason, by = "Without unreasonable delay; the date is an outer limit", cite(d.Citation)
			case d.Sets == "law":
				reason, by = "The law sets the date", cite(d.Citation)
			case d.Sets == "contract":
				reason, by = "The contract sets the date", cite(d.Citation)
			}
			c.add(waiting{Text: d.What, Note: x.Title, Reason: reason, Cite: by, Subject: s, Vendor: x.Vendor, Since: x.ReportedAt, Due: d.Due, Href: href, kind: kind})
		}
		if a := x.Assessment; a != nil && a.ApprovedBy == "" {
			dated = true
			c.act("Stand by the assessment, or do not: "+x.Title, "incident.approve-assessment", snapshot.NounIncident, string(x.ID), a.AssessedAt, a.AssessedBy)
		}
		// Nobody may leave it lying, whatever else is due.
		if due := breach.IgnoredFrom(x, limit); !dated || due.Before(c.now) {
			w := waiting{Text: "Deal with an open incident", Note: x.Title, Subject: s, Vendor: x.Vendor, Since: x.ReportedAt, Due: due, Href: href, kind: "incident.close"}
			if due.Before(c.now) {
				w.Text, w.Reason = "Deal with an incident that nobody has touched", "Known and left lying for more than "+span(limit)
				w.Cite = cite(hipaa.MustCite("P-504-e-1-ii"))
			} else if !breach.Conclude(x.Assessment).Breach {
				w.Reason = "Two people have shown that it is no breach; what is left is to close it"
			}
			c.add(w)
		}
	}
	for _, o := range c.v.Offboardings.All() {
		if !o.CompletedAt.IsZero() {
			continue
		}
		text, note := "Complete the parting", ""
		if left := registry.OffboardingLeft(c.v, o); len(left) > 0 {
			text, note = "Finish the parting", plural(len(left), "thing")+" left to do"
		}
		s := snapshot.Subject{Noun: snapshot.NounOffboarding, ID: string(o.ID)}
		c.add(waiting{Text: text, Note: note, Subject: s, Vendor: o.Vendor, Since: o.BegunAt, Due: o.DueAt, Href: refOfSubject(c.v, s).Href, kind: "offboarding.complete"})
	}
}

func (c *collect) papers() {
	for _, a := range c.v.Agreements.All() {
		key, s := string(a.ID), snapshot.Subject{Noun: snapshot.NounAgreement, ID: string(a.ID)}
		page := refOfSubject(c.v, s).Href
		add := func(text string, kind registry.Kind, since time.Time, not ...id.Person) {
			c.add(waiting{Text: text, Note: key, Subject: s, Vendor: a.Vendor, Since: since, Href: page, kind: kind, not: not})
		}
		what := paperName(a.Kind)
		if a.State == snapshot.Proposed {
			if !a.SignedBy(snapshot.Organisation, c.now) {
				add("Sign the "+what+" for the organisation", "agreement.sign", a.RequestedAt)
			}
			switch {
			case a.SecondReading && a.Reading.By == "":
				add("Read the "+what+" a second time and enter its terms", "agreement.check-terms", a.RequestedAt, a.RequestedBy)
			default:
				w := c.act("Approve the "+what, "agreement.approve", snapshot.NounAgreement, key, a.RequestedAt, a.RequestedBy)
				w.Note = key
				if !a.SignedBy(snapshot.VendorParty, c.now) && a.Kind != snapshot.SubcontractorBAA {
					w.Note += ": the vendor has not signed it yet"
				}
			}
		}
		if r, ok := a.Waiting(); ok {
			add("Put the renewal of the "+what+" into force", "agreement.approve-renewal", r.RequestedAt, r.RequestedBy)
			c.out[len(c.out)-1].Due = a.EndsAt
		}
		for _, n := range a.Notices {
			if end := n.Ends(); n.CuredAt.IsZero() && end.After(c.now) && end.Sub(c.now) < waitsSoon {
				c.add(waiting{Text: "A breach of the " + what + " is to be cured, or it ends", Subject: s, Vendor: a.Vendor, Since: n.At, Due: end, Href: page, kind: "agreement.cured"})
			}
		}
	}
}

// paperName is what people call a kind of paper.
func paperName(k snapshot.AgreementKind) string {
	switch k {
	case snapshot.BAA:
		return "business associate agreement"
	case snapshot.SubcontractorBAA:
		return "subcontractor's agreement"
	case snapshot.ServicesContract:
		return "services contract"
	case snapshot.DataUseAgreement:
		return "data use agreement"
	}
	return "agreement"
}

func (c *collect) diligence() {
	at := diligence.At(c.now)
	for key := range c.v.Vendors.All() {
		a := diligence.Latest(c.v, key, at)
		if a == nil {
			continue
		}
		s := snapshot.Subject{Noun: snapshot.NounAssessment, ID: string(a.ID)}
		for _, r := range a.Acceptances {
			if r.AcceptedBy == "" {
				c.add(waiting{Text: "Accept a risk, or do not: " + r.For, Subject: s, Vendor: key, Since: a.DecidedAt,
					Href: actPath("assessment.accept-risk", "/console", "id", a.ID, "for", r.For, "owner", r.Owner, "why", r.Why, "until", iso(r.Until)), kind: "assessment.accept-risk", not: []id.Person{a.DecidedBy}})
			}
		}
		for _, x := range a.Conditions {
			if x.MetAt.IsZero() && x.DueAt.Sub(c.now) < waitsSoon {
				c.add(waiting{Text: "A condition is due: " + x.Text, Subject: s, Vendor: key, Since: a.DecidedAt, Due: x.DueAt,
					Href: actPath("assessment.meet-condition", "/console", "id", a.ID, "condition", x.ID), kind: "assessment.meet-condition", not: []id.Person{x.Owner}})
			}
		}
		if w, _ := c.v.Vendors.Get(key); w.State == snapshot.Approved && len(diligence.Reopened(c.v, a, at)) > 0 {
			c.add(waiting{Text: "The due-diligence decision has to be made anew", Subject: s, Vendor: key, Since: a.DecidedAt, Href: vendorPath(key, "diligence"), kind: "assessment.record"})
		}
	}
	for _, x := range c.v.Certifications.All() {
		if x.Waits(c.now) {
			text := "Verify a report: "
			if c.v.SentByVendor(x) {
				text = "Verify what the vendor sent, or do not accept it: "
			}
			s := snapshot.Subject{Noun: snapshot.NounCertification, ID: string(x.ID)}
			c.add(waiting{Text: text + certificationName(x.Type), Subject: s, Vendor: x.Vendor, Since: x.RecordedAt,
				Href: refOfSubject(c.v, s).Href, kind: "certification.verify", not: []id.Person{x.RecordedBy}})
		}
	}
	for _, q := range c.v.Questionnaires.All() {
		if q.Stage == snapshot.QuestionsSubmitted {
			s := snapshot.Subject{Noun: snapshot.NounQuestionnaire, ID: string(q.ID)}
			c.add(waiting{Text: "Score the answers of a questionnaire", Subject: s, Vendor: q.Vendor, Since: q.SubmittedAt, Href: refOfSubject(c.v, s).Href, kind: "questionnaire.score-answers"})
		}
	}
	for _, f := range c.v.Findings.All() {
		if f.Settled != "" {
			continue
		}
		w := c.act("Settle a finding: "+f.Title, "finding.settle", snapshot.NounFinding, string(f.ID), f.RaisedAt)
		limit := c.v.Settings.IncidentIgnoredAfter
		if w.Due = f.RaisedAt.Add(limit); w.Due.Before(c.now) {
			w.Reason, w.Cite = "Known and left lying for more than "+span(limit), cite(hipaa.MustCite("P-504-e-1-ii"))
		}
	}
}

// approvals are what one person asked for and another approves.
func (c *collect) approvals() {
	waitsProposed(c, c.v.Vendors.All(), "vendor.approve", "Take the vendor on", func(r *snapshot.Vendor) (snapshot.Approval, string) { return r.Approval, r.Name })
	waitsProposed(c, c.v.Engagements.All(), "engagement.approve", "Let the work begin", func(r *snapshot.Engagement) (snapshot.Approval, string) { return r.Approval, string(r.ID) })
	waitsProposed(c, c.v.Determinations.All(), "determination.approve", "Stand by an expert determination", func(r *snapshot.Determination) (snapshot.Approval, string) { return r.Approval, r.Profile })
	waitsProposed(c, c.v.Persons.All(), "person.approve", "Enrol", func(r *snapshot.Person) (snapshot.Approval, string) { return r.Approval, r.Name })
	waitsProposed(c, c.v.Devices.All(), "device.approve", "Trust the machine", func(r *snapshot.Device) (snapshot.Approval, string) { return r.Approval, string(r.ID) })
	waitsProposed(c, c.v.Apps.All(), "app.approve", "Accept the program", func(r *snapshot.App) (snapshot.Approval, string) { return r.Approval, r.Name })
	waitsProposed(c, c.v.Roles.All(), "role.approve", "Let grants use the scope", func(r *snapshot.Role) (snapshot.Approval, string) { return r.Approval, r.Title })
	waitsProposed(c, c.v.Grants.All(), "grant.approve", "Give the access", func(r *snapshot.Grant) (snapshot.Approval, string) { return r.Approval, string(r.ID) })
	waitsProposed(c, c.v.Connectors.All(), "connector.approve", "Listen to the connector", func(r *snapshot.Connector) (snapshot.Approval, string) { return r.Approval, r.Name })
	for key, k := range c.v.Keys.All() {
		if d := k.Destruction; d != nil && d.OrderedAt.IsZero() {
			not := []id.Person{d.RequestedBy}
			for _, a := range d.Approvals {
				not = append(not, a.By)
			}
			c.act("Destroy the keys of "+string(key)+", for good", "key.approve-destruction", snapshot.NounKey, string(key), d.RequestedAt, not...)
		}
	}
}

func waitsProposed[K ~string, V any, P interface {
	*V
	snapshot.Record
}](c *collect, all iter.Seq2[K, *V], kind registry.Kind, text string, of func(*V) (snapshot.Approval, string)) {
	for key, r := range all {
		if a, name := of(r); a.State == snapshot.Proposed {
			c.act(text+": "+cmp.Or(name, string(key)), kind, P(r).Noun(), string(key), a.RequestedAt, a.RequestedBy)
		}
	}
}

func (c *collect) access() {
	for _, r := range c.v.Requests.All() {
		if r.Open(c.now) {
			s := snapshot.Subject{Noun: snapshot.NounRequest, ID: string(r.ID)}
			c.add(waiting{Text: fmt.Sprintf("%s asks for %s", refIn(c.v, r.Person).Label, r.Role), Subject: s, Vendor: r.Vendor, Since: r.AskedAt, Due: r.ExpiresAt,
				Href: refOfSubject(c.v, s).Href, kind: "request.approve", not: []id.Person{r.AskedBy, r.Person}})
		}
	}
	for _, x := range c.v.Emergencies.All() {
		if x.ReviewedAt.IsZero() {
			s := snapshot.Subject{Noun: snapshot.NounEmergency, ID: string(x.ID)}
			c.add(waiting{Text: "Review the emergency access to " + string(x.Source), Subject: s, Since: x.UsedAt, Due: x.DueAt,
				Href: actPath("emergency.review", "/console", "id", x.ID), kind: "emergency.review", not: []id.Person{x.ReportedBy, x.Person}})
		}
	}
	for _, r := range c.v.Reviews.All() {
		if !r.CompletedAt.IsZero() || r.DueAt.Sub(c.now) > waitsSoon {
			continue
		}
		g, ok := c.v.Grants.Get(r.Grant)
		if !ok || g.State != snapshot.Approved || !g.EndsAt.After(c.now) {
			continue
		}
		s := snapshot.Subject{Noun: snapshot.NounGrant, ID: string(g.ID)}
		href := actPath("review.complete", "/console", "id", r.ID)
		if r.Campaign != "" {
			href = refIn(c.v, r.Campaign).Href
		}
		c.add(waiting{Text: "Decide whether the access goes on: " + string(g.ID), Subject: s, Vendor: vendorOfEngagement(c.v, g.Engagement), Since: r.DueAt.Add(-waitsSoon), Due: r.DueAt,
			Href: href, kind: "review.complete", not: []id.Person{g.Person, g.RequestedBy}})
	}
}

package console

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// First steps: from an empty registry to the first lawful release, computed from what is
// there. Each step says why it is asked for, who can take it, and leads to its form.

// startPage is how far the organisation, with one vendor, has come.
type startPage struct {
	Vendors     []option
	Parts       []startPart
	Done, Total int
	Next        *startStep       // the first that is not done
	Meanwhile   *startStep       // the first that is the visitor's, where the next is somebody else's
	Door        *api.Explanation // what the door says to the grant now; nil: there is none yet
	DoorGrant   id.Grant
	Gateway     string
	People      string
}

type startPart struct {
	Title, Text string
	Steps       []startStep
	Done        bool
	Here        bool // the next step is in it
}

// startStep is one thing to do.
type startStep struct {
	Title, Why string
	Done       bool
	What       *ref // what was made by it
	Act        *actLink
	Who        []string // who can do it, where it is not for the visitor
	Nobody     string   // why nobody can
	Say        []string
	Lines      []string // to type, exactly
	Now        bool
}

// starter computes the steps.
type starter struct {
	s *server
	v *visit
	f Frame

	own        []*snapshot.Person // the organisation's, not ended, the first first
	vendor     *snapshot.Vendor
	engineer   *snapshot.Person
	paper      *snapshot.Agreement
	engagement *snapshot.Engagement
	role       *snapshot.Role
	device     *snapshot.Device
	app        *snapshot.App
	grant      *snapshot.Grant
}

func (s *server) start(v *visit) (startPage, error) {
	v.call("First steps")
	c := starter{s: s, v: v, f: s.frame(v)}
	p := startPage{Gateway: s.Gateway, People: s.People}
	c.find(&p)
	p.Parts = []startPart{c.people(), c.source(), c.firm(), c.papers(), c.team(), c.access(), c.release()}
	for i := range p.Parts {
		part := &p.Parts[i]
		part.Done = true
		for j := range part.Steps {
			step := &part.Steps[j]
			p.Total++
			if step.Done {
				p.Done++
				continue
			}
			part.Done = false
			switch {
			case p.Next == nil:
				step.Now, part.Here = true, true
				p.Next = step
			case p.Meanwhile == nil && p.Next.Act == nil && step.Act != nil:
				part.Here = true
				p.Meanwhile = step
			}
		}
	}
	if c.grant != nil && c.role != nil {
		p.DoorGrant = c.grant.ID
		p.Door = c.door()
	}
	return p, nil
}

// find takes the vendor that is asked for, or else the newest, and what belongs to it.
func (c *starter) find(p *startPage) {
	view := c.v.View
	for _, x := range view.PersonsOf("") {
		if x.State != snapshot.Ended {
			c.own = append(c.own, x)
		}
	}
	slices.SortFunc(c.own, func(a, b *snapshot.Person) int { return a.RequestedAt.Compare(b.RequestedAt) })
	want := id.Vendor(c.v.URL.Query().Get("vendor"))
	for k, x := range view.Vendors.All() {
		if x.State == snapshot.Ended {
			continue
		}
		if len(p.Vendors) < maxOffered {
			p.Vendors = append(p.Vendors, option{Value: string(k), Label: x.Name})
		}
		if k == want || c.vendor == nil || c.vendor.ID != want && x.RequestedAt.After(c.vendor.RequestedAt) {
			c.vendor = x
		}
	}
	if c.vendor == nil {
		return
	}
	key := c.vendor.ID
	for i := range p.Vendors {
		p.Vendors[i].Chosen = p.Vendors[i].Value == string(key)
	}
	for _, x := range view.AgreementsOf(key) {
		if x.Kind == snapshot.BAA && !x.OverBy(c.v.Now) && better(c.paper != nil, c.paper, x.State == snapshot.Approved, func(o *snapshot.Agreement) bool { return o.State == snapshot.Approved }) {
			c.paper = x
		}
	}
	for _, x := range grantsOf(view, key) {
		approved := func(g *snapshot.Grant) bool { return g.State == snapshot.Approved }
		if x.State != snapshot.Ended && (better(c.grant != nil, c.grant, approved(x), approved) || approved(x) == approved(c.grant) && x.RequestedAt.After(c.grant.RequestedAt)) {
			c.grant = x
		}
	}
	if c.grant != nil {
		c.engagement, _ = view.Engagements.Get(c.grant.Engagement)
		c.role, _ = view.Roles.Get(c.grant.Role)
		c.app, _ = view.Apps.Get(c.grant.App)
		c.engineer, _ = view.Persons.Get(c.grant.Person)
		if len(c.grant.Devices) > 0 {
			c.device, _ = view.Devices.Get(c.grant.Devices[0])
		}
		return
	}
	for _, x := range view.EngagementsOf(key) {
		if x.State != snapshot.Ended && better(c.engagement != nil, c.engagement, x.State == snapshot.Approved, func(o *snapshot.Engagement) bool { return o.State == snapshot.Approved }) {
			c.engagement = x
		}
	}
	for _, x := range view.PersonsOf(key) {
		if x.State != snapshot.Ended && better(c.engineer != nil, c.engineer, x.State == snapshot.Approved, func(o *snapshot.Person) bool { return o.State == snapshot.Approved }) {
			c.engineer = x
		}
	}
	for _, x := range view.DevicesOf(key) {
		if x.State != snapshot.Ended && better(c.device != nil, c.device, x.State == snapshot.Approved, func(o *snapshot.Device) bool { return o.State == snapshot.Approved }) {
			c.device = x
		}
	}
	for _, x := range view.AppsOf(key) {
		if x.State != snapshot.Ended && better(c.app != nil, c.app, x.State == snapshot.Approved, func(o *snapshot.App) bool { return o.State == snapshot.Approved }) {
			c.app = x
		}
	}
	for _, x := range view.Roles.All() {
		if x.State != snapshot.Ended && better(c.role != nil, c.role, x.State == snapshot.Approved, func(o *snapshot.Role) bool { return o.State == snapshot.Approved }) {
			c.role = x
		}
	}
}

// better: the first, or one that is approved before one that is not.
func better[T any](have bool, old *T, approved bool, is func(*T) bool) bool {
	return !have || approved && !is(old)
}

// step is a step that is taken by an act. who names an act as it would be done, from which
// follows who of the organisation may do it; nil: any with the duty.
func (c *starter) step(done bool, title, why string, what *ref, kind registry.Kind, who registry.Act, pairs ...any) startStep {
	x := startStep{Title: title, Why: why, Done: done, What: what}
	if done {
		return x
	}
	able := c.able(kind, who)
	if slices.ContainsFunc(able, func(p *snapshot.Person) bool { return p.ID == c.v.Person.ID }) {
		x.Act = c.f.May(string(kind), pairs...)
	}
	if x.Act == nil {
		for _, p := range able {
			if p.ID != c.v.Person.ID {
				x.Who = append(x.Who, cmp.Or(p.Name, string(p.ID)))
			}
		}
		if len(x.Who) == 0 {
			spec, _ := registry.Lookup(kind)
			x.Nobody = "Nobody can do it yet: it needs " + dutiesOf(spec) + "."
			if len(c.able(kind, nil)) > 0 {
				x.Nobody = "It needs another person with " + dutiesOf(spec) + ": whoever asked for something may not decide it."
			}
		}
	}
	return x
}

// maxAble bounds who is looked through.
const maxAble = 500

// able are the organisation's people who may do the act: by their duties, and by what they
// asked for themselves.
func (c *starter) able(kind registry.Kind, a registry.Act) []*snapshot.Person {
	spec, ok := registry.Lookup(kind)
	if !ok {
		return nil
	}
	var out []*snapshot.Person
	for _, p := range c.own[:min(len(c.own), maxAble)] {
		if p.State != snapshot.Approved {
			continue
		}
		may := slices.ContainsFunc(spec.Duties, func(d registry.Duty) bool { return slices.Contains(p.Duties, string(d)) })
		if may && a != nil {
			may = registry.Authorize(c.s.Acts, c.v.View, registry.Actor{Person: p.ID}, a, c.v.Now) == nil
		}
		if may {
			out = append(out, p)
		}
	}
	return out
}

func (c *starter) refOf(x any) *ref {
	r := refIn(c.v.View, x)
	return &r
}

// later is a time to come, as a form takes it.
func (c *starter) later(d time.Duration) string {
	return shownTime(c.v.Now.Add(d).Truncate(time.Minute))
}

const aDay = 24 * time.Hour

func (c *starter) people() startPart {
	p := startPart{Title: "Two people", Text: "Nobody approves what they asked for, so there must be two. Both sign in with passkeys."}
	all, approved := c.own, 0
	for _, x := range all {
		if x.State == snapshot.Approved {
			approved++
		}
	}
	key := startStep{Title: "Make your passkey", Why: "Decisions ask for it: a password can be told to somebody, a passkey cannot.", Done: len(c.v.Person.Passkeys) > 0}
	if !key.Done {
		key.Say = []string{"Under your name, at the top, you find how to add one. The very first one is made with the code that the server printed when it started: open the address below and type it. It is good once, for an hour; a restart prints another."}
		key.Lines = []string{c.s.People + "/enroll"}
	}
	var second *snapshot.Person
	for _, x := range all {
		if x.ID != c.v.Person.ID && (second == nil || second.State != snapshot.Approved && x.State == snapshot.Approved) {
			second = x
		}
	}
	propose := c.step(second != nil, "Propose the second person", "With one person nothing could be approved.", nil, "person.propose", nil,
		"classification", string(hipaa.Workforce), "basis", "employee", "duties", "operator", "duties", "privacy-officer", "duties", "security-officer", "duties", "data-owner")
	p.Steps = append(p.Steps, key, propose)
	if second != nil {
		propose.What = c.refOf(second.ID)
		p.Steps[1].What = propose.What
		invite := c.step(len(second.Passkeys) > 0 || second.Key256 != "", "Invite them to make their passkey", "You get a one-time code: hand it over in person. They open the address below and type it.", nil, "person.invite",
			nil, "id", string(second.ID), "expires_at", c.later(aDay))
		if !invite.Done {
			invite.Lines = []string{c.s.People + "/enroll"}
		}
		admit := startStep{}
		if approved >= 2 {
			admit = startStep{Title: "Let them in", Why: "You may do this alone, this once; from then on it takes two.", Done: true}
		} else {
			admit = c.step(false, "Let them in", "You may do this alone, this once; from then on it takes two. Do it when they have made their passkey.", nil, "organisation.second-person", registry.AdmitSecondPerson{ID: second.ID}, "id", string(second.ID))
			for _, k := range second.Passkeys {
				admit.Say = append(admit.Say, "Compare first, in person: the page on which they made their passkey shows "+cmp.Or(k.Fingerprint, snapshot.FingerprintOf(k.PublicKey))+".")
			}
		}
		p.Steps = append(p.Steps, invite, admit)
	}
	var lacks []string
	for _, d := range registry.Duties {
		if d != registry.Auditor && !slices.ContainsFunc(all, func(x *snapshot.Person) bool {
			return x.State == snapshot.Approved && slices.Contains(x.Duties, string(d))
		}) {
			lacks = append(lacks, strings.ReplaceAll(string(d), "-", " "))
		}
	}
	duties := startStep{Title: "Give every duty to somebody", Why: "Each act needs one: privacy officer (45 CFR 164.530(a)), security officer (164.308(a)(2)), data owner, procurement, operator. Nobody changes their own.", Done: len(lacks) == 0}
	if !duties.Done {
		first := c.v.Person
		if len(all) > 0 {
			first = all[0]
		}
		duties = c.step(false, duties.Title, duties.Why+" Nobody has: "+strings.Join(lacks, ", ")+".", nil, "person.amend-duties", registry.AmendDuties{ID: first.ID, Duties: []registry.Duty{registry.Operator}},
			"id", string(first.ID), "duties", "operator", "duties", "procurement", "duties", "data-owner")
	}
	p.Steps = append(p.Steps, duties)
	return p
}

func (c *starter) source() startPart {
	sources := c.v.View.Settings.Sources
	p := startPart{Title: "Your FHIR server", Text: "Its address and credentials stand in the configuration, not here: who runs the server's machine sets them."}
	x := startStep{Title: "Name your FHIR server in the configuration", Why: "Data comes from there, at the moment it is asked for. No copy is kept.", Done: len(sources) > 0}
	if x.Done {
		x.What = c.refOf(sources[0].ID)
	} else {
		x.Say = []string{"Write these lines into sallyport.yaml, with your server's address, and restart:"}
		x.Lines = []string{"sources:", "  - id: ehr", "    url: https://ehr.example.org/fhir", "    region: US", "    data_classes: [phi]"}
	}
	well := startStep{Title: "See that the door could work", Why: "Where something is not well, nothing is released: the door fails closed.", Done: true}
	if reasons := c.s.Health(); len(reasons) > 0 {
		well.Done = false
		well.Say = append(reasons, "The page Health says more.")
	}
	p.Steps = []startStep{x, well}
	return p
}

func (c *starter) firm() startPart {
	p := startPart{Title: "The vendor", Text: "Who they are, and whether you would let them near patient data."}
	if c.vendor == nil {
		p.Steps = []startStep{c.step(false, "Propose the vendor", "A vendor who gets PHI is a business associate (45 CFR 160.103).", nil, "vendor.propose", nil),
			{Title: "Look into it", Why: "Due diligence (45 CFR 164.308(b)) and 28 CFR Part 202."}, {Title: "Take it on", Why: "By another person than who proposed it."}}
		return p
	}
	w := c.vendor
	assessed := false
	for _, a := range c.v.View.AssessmentsOf(w.ID) {
		assessed = assessed || (a.Verdict == snapshot.Pass || a.Verdict == snapshot.Conditional) && a.ValidUntil.After(c.v.Now)
	}
	now := c.later(0)
	p.Steps = []startStep{
		{Title: "Propose the vendor", Done: true, What: c.refOf(w.ID)},
		c.step(w.Screening.ValidUntil.After(c.v.Now), "Record how it stands under 28 CFR Part 202", "Bulk health data may not go to covered persons or countries of concern.", nil, "vendor.screen",
			registry.ScreenVendor{ID: w.ID}, "id", string(w.ID), "screened_at", now, "valid_until", c.later(365*aDay)),
		c.step(assessed, "Record your due-diligence decision", "Satisfactory assurances (45 CFR 164.308(b)(1)). A questionnaire helps; the decision is yours.", nil, "assessment.record",
			registry.RecordAssessment{Vendor: w.ID}, "vendor", string(w.ID), "decided_at", now, "valid_until", c.later(365*aDay)),
		c.step(w.State == snapshot.Approved, "Take the vendor on", "By another person than who proposed it.", nil, "vendor.approve", registry.ApproveVendor{ID: w.ID}, "id", string(w.ID)),
	}
	return p
}

func (c *starter) papers() startPart {
	p := startPart{Title: "The papers", Text: "What the paper allows is what the door allows: each term you enter is read in every decision."}
	vendor := ""
	if c.vendor != nil {
		vendor = string(c.vendor.ID)
	}
	write := c.step(c.paper != nil, "Write the business associate agreement, or enter your signed one", "No PHI without it (45 CFR 164.502(e), 164.504(e)).", nil, "agreement.draft", nil)
	if write.Act != nil {
		write.Act = &actLink{Href: "/console/agreements/compose?vendor=" + vendor, Label: "Write it from its terms"}
		if link := c.f.May("document.put"); link != nil {
			write.Say = []string{"Have your own signed paper? Store it under Agreements, then enter its terms."}
		}
	}
	p.Steps = append(p.Steps, write)
	if g := c.paper; g != nil {
		p.Steps[0].What = c.refOf(g.ID)
		for _, party := range []snapshot.Party{snapshot.Organisation, snapshot.VendorParty} {
			who := "for your side"
			if party == snapshot.VendorParty {
				who = "for the vendor"
			}
			p.Steps = append(p.Steps, c.step(g.SignedBy(party, c.v.Now), "Have it signed "+who, "In the product by a passkey (the agreement's page leads there), or on paper: then note who signed, and when.", nil, "agreement.sign",
				registry.SignAgreement{ID: g.ID, Party: party}, "id", string(g.ID), "party", string(party), "at", c.later(0)))
		}
		p.Steps = append(p.Steps, c.step(g.State == snapshot.Approved, "Approve it", "By another person than who entered its terms: they compare them with the paper.", nil, "agreement.approve", registry.ApproveAgreement{ID: g.ID}, "id", string(g.ID)))
	} else {
		p.Steps = append(p.Steps, startStep{Title: "Have it signed by both sides", Why: "An unsigned paper opens nothing."}, startStep{Title: "Approve it", Why: "By another person than who entered its terms."})
	}
	class := hipaa.PHI
	pairs := []any{"basis", string(hipaa.OperationsUnderBAA), "category", string(hipaa.Operations), "starts_at", c.later(0), "ends_at", c.later(180 * aDay)}
	if c.vendor != nil {
		pairs = append(pairs, "vendor", vendor)
	}
	if c.paper != nil {
		pairs = append(pairs, "agreements", string(c.paper.ID))
		// What the paper permits, where that is one thing: work for another purpose would be refused.
		if uses := c.paper.PermittedUses; len(uses) == 1 && len(uses[0].DataClasses) == 1 {
			class = uses[0].DataClasses[0]
			pairs = append(pairs, "purpose", string(uses[0].Purpose))
		}
		for _, r := range c.paper.Regions {
			pairs = append(pairs, "regions", r)
		}
	}
	pairs = append(pairs, "data_class", string(class))
	for _, s := range c.v.View.Settings.Sources[:min(1, len(c.v.View.Settings.Sources))] {
		pairs = append(pairs, "sources", string(s.ID))
	}
	e := c.step(c.engagement != nil, "Describe the work", "One purpose, one class of data, from which sources, until when (45 CFR 164.504(e)(2)(i)).", nil, "engagement.propose", nil, pairs...)
	approve := startStep{Title: "Approve the work", Why: "By another person than who described it."}
	if c.engagement != nil {
		e.What = c.refOf(c.engagement.ID)
		approve = c.step(c.engagement.State == snapshot.Approved, approve.Title, approve.Why, nil, "engagement.approve", registry.ApproveEngagement{ID: c.engagement.ID}, "id", string(c.engagement.ID))
		if !approve.Done && !c.covered() {
			approve.Say = []string{"Look first: no agreement that this work rests on permits " + strings.ToLower(words(string(c.engagement.Purpose))) + " with this class of data, so nothing would be released. Amend the work on its page, or the agreement."}
		}
	}
	p.Steps = append(p.Steps, e, approve)
	return p
}

// covered reports whether an agreement of the work names its purpose and class of data. The
// door looks at much more; this is what people choose wrongly when they describe the work.
func (c *starter) covered() bool {
	return slices.ContainsFunc(c.engagement.Agreements, func(key id.Agreement) bool {
		g, ok := c.v.View.Agreements.Get(key)
		return ok && slices.ContainsFunc(g.PermittedUses, func(u snapshot.PermittedUse) bool {
			return u.Purpose == c.engagement.Purpose && slices.Contains(u.DataClasses, c.engagement.DataClass)
		})
	})
}

func (c *starter) team() startPart {
	p := startPart{Title: "Their person and machine", Text: "Data goes to a person you know, on a machine you know, through a program you know."}
	vendor := ""
	if c.vendor != nil {
		vendor = string(c.vendor.ID)
	}
	person := c.step(c.engineer != nil, "Propose the vendor's person", "Each is classified, with the reason (45 CFR 160.103).", nil, "person.propose", nil,
		"vendor", vendor, "classification", string(hipaa.BusinessAssociate), "basis", "employee of the vendor", "region", "US")
	approve := startStep{Title: "Enrol them", Why: "By another person than who proposed them."}
	trained := startStep{Title: "See that they are trained", Why: "Before access (45 CFR 164.530(b), 164.308(a)(5); the agreement may ask for it)."}
	if x := c.engineer; x != nil {
		person.What = c.refOf(x.ID)
		pairs := []any{"id", string(x.ID)}
		for _, k := range x.Passkeys {
			pairs = append(pairs, "passkeys", k.Fingerprint)
		}
		approve = c.step(x.State == snapshot.Approved, approve.Title, approve.Why, nil, "person.approve", registry.ApprovePerson{ID: x.ID}, pairs...)
		has := false
		for _, t := range c.v.View.TrainingsOf(x.ID) {
			has = has || t.Passed && t.RevokedAt.IsZero() && t.ExpiresAt.After(c.v.Now)
		}
		trained = c.step(has, trained.Title, trained.Why+" They can take the course here, or you note a completion from elsewhere.", nil, "training.record", registry.RecordTraining{Person: x.ID},
			"person", string(x.ID), "course", c.v.View.Settings.Course, "version", c.v.View.Settings.CourseVersion, "passed", "true", "completed_at", c.later(0), "expires_at", c.later(365*aDay))
	}
	machine := c.step(c.device != nil && c.device.State != snapshot.Invited, "Enrol the machine", "Its key never leaves it. A person's laptop: invite it, and they run the agent. A server without a person: they send a signing request, you sign it on the server, and enter the key here. A laptop must report that its disk is encrypted, its screen locks, its firewall and malware protection are on and its key is in hardware, or it is refused; the operator sets what else is good enough in the configuration (policy.posture).", nil, "device.invite", nil,
		"vendor", vendor, "expires_at", c.later(3*aDay))
	if machine.Act != nil && c.engineer != nil {
		pairs := []any{"vendor", vendor, "owner", string(c.engineer.ID), "expires_at", c.later(3 * aDay)}
		// A name for the program that the machine brings along; where it is taken the form asks for one.
		name := string(c.engineer.ID) + "-program"
		if _, taken := c.v.View.Apps.Get(id.App(name)); !taken {
			pairs = append(pairs, "app", name)
		}
		machine.Act = c.f.May("device.invite", pairs...)
	}
	if c.device != nil && c.device.State == snapshot.Invited {
		machine.What = c.refOf(c.device.ID)
		machine.Say = []string{"The machine is invited. The vendor's person runs, with the word you handed over:"}
	} else if !machine.Done {
		machine.Say = []string{"A person's laptop, once it is invited, on that laptop:"}
	}
	if !machine.Done {
		machine.Lines = []string{"sallyport agent enroll --server " + c.s.Gateway + " --region US"}
		if link := c.f.May("device.enroll", "vendor", vendor, "region", "US"); link != nil {
			machine.Say = append(machine.Say, "Or a server without a person: see the two commands below, then enter the key by the second button.")
		}
	}
	byKey := startStep{Title: "Or enter the key of a server", Why: "For a machine without a person: on the vendor's side and on your server, by the documented commands, since a browser can hold no such key.", Done: machine.Done}
	if !byKey.Done {
		byKey = c.step(false, byKey.Title, byKey.Why, nil, "device.enroll", nil, "vendor", vendor, "region", "US")
		byKey.Lines = []string{"sallyport keys " + cmp.Or(vendor, "VENDOR"), "sallyport certificate device NAME --request device.csr -o device.crt --config sallyport.yaml"}
	}
	trust := startStep{Title: "Trust the machine until a day", Why: "By another person than who invited it."}
	if x := c.device; x != nil {
		if machine.Done {
			machine.What = c.refOf(x.ID)
		}
		trust = c.step(x.State == snapshot.Approved && x.TrustedUntil.After(c.v.Now), trust.Title, trust.Why, nil, "device.approve", registry.ApproveDevice{ID: x.ID}, "id", string(x.ID), "trusted_until", c.later(90*aDay))
	}
	program := c.step(c.app != nil, "Register the program", "By its public keys. With the agent it comes by itself, if the invitation named a program. Else its keys are made where it runs, and you paste the file app.jwks.", nil, "app.register", nil, "vendor", vendor, "kind", "workload")
	if !program.Done {
		program.Lines = []string{"sallyport keys " + cmp.Or(vendor, "VENDOR")}
	}
	ok := startStep{Title: "Accept the program", Why: "By another person than who registered it: compare the keys' digests by telephone."}
	if x := c.app; x != nil {
		program.What = c.refOf(x.ID)
		ok = c.step(x.State == snapshot.Approved, ok.Title, ok.Why, nil, "app.approve", registry.ApproveApp{ID: x.ID}, "id", string(x.ID))
	}
	p.Steps = []startStep{person, approve, trained, machine}
	if !machine.Done {
		p.Steps = append(p.Steps, byKey)
	}
	p.Steps = append(p.Steps, trust, program, ok)
	return p
}

func (c *starter) access() startPart {
	p := startPart{Title: "What they may read", Text: "A role says which fields; a grant says who, on what machine, for which patients, until when."}
	role := c.step(c.role != nil, "Define the role", "Minimum necessary: name the elements, and nothing more (45 CFR 164.502(b), 164.514(d)).", nil, "role.define", nil,
		"dates", string(snapshot.DatesToYear), "identifiers", string(snapshot.Pseudonyms), "profile", "minimum-necessary", "max_page_size", "50",
		"resources.Patient.interactions", "read", "resources.Patient.interactions", "search-type", "resources.Patient.elements", "gender", "resources.Patient.elements", "birthDate", "resources.Patient.elements", "active")
	approve := startStep{Title: "Approve the role", Why: "By another person than who defined it."}
	if c.role != nil {
		role.What = c.refOf(c.role.ID)
		approve = c.step(c.role.State == snapshot.Approved, approve.Title, approve.Why, nil, "role.approve", registry.ApproveRole{ID: c.role.ID}, "id", string(c.role.ID))
	}
	pairs := []any{"starts_at", c.later(0), "ends_at", c.later(60 * aDay), "max_patients", "100", "max_daily_bytes", "104857600", "cohort.kind", string(snapshot.CohortAll)}
	if c.engagement != nil && c.app != nil && c.engineer != nil && c.device != nil && c.role != nil {
		pairs = append(pairs, "engagement", string(c.engagement.ID), "app", string(c.app.ID), "person", string(c.engineer.ID), "devices", string(c.device.ID), "role", string(c.role.ID))
	}
	grant := c.step(c.grant != nil, "Ask for the grant", "It is what the door looks at first.", nil, "grant.request", nil, pairs...)
	give := startStep{Title: "Give it", Why: "By another person than who asked for it. Its first review is set."}
	if c.grant != nil {
		grant.What = c.refOf(c.grant.ID)
		give = c.step(c.grant.State == snapshot.Approved, give.Title, give.Why, nil, "grant.approve", registry.ApproveGrant{ID: c.grant.ID}, "id", string(c.grant.ID))
	}
	p.Steps = []startStep{role, approve, grant, give}
	return p
}

func (c *starter) release() startPart {
	p := startPart{Title: "The first release", Text: "The vendor's program asks, the door decides, and the log has it for good."}
	source := id.Source("SOURCE")
	if s := c.v.View.Settings.Sources; len(s) > 0 {
		source = s[0].ID
	}
	x := startStep{Title: "See the first release in the log", Why: "Who, what for, which fields, how many patients: in the log before the data goes out."}
	if c.vendor != nil {
		var sum dayCount
		for _, d := range c.s.activity.Ways(time.Unix(0, 0), func(w way) bool { return w.Vendor == c.vendor.ID }) {
			sum.add(d)
		}
		x.Done = sum.Releases > 0
		if x.Done {
			x.What = &ref{Label: plural(int(sum.Releases), "release"), Href: "/console/decisions?vendor=" + string(c.vendor.ID)}
		}
	}
	if !x.Done {
		app := "APP"
		if c.app != nil {
			app = string(c.app.ID)
		}
		firm := "DIR"
		if c.vendor != nil {
			firm = string(c.vendor.ID)
		}
		// The agent says where it keeps its key, and has no folder of keys to ask with.
		if c.device != nil && c.device.KeyStore != "" {
			x.Say = []string{"On the vendor's machine, in two terminals: the agent opens a local address, and a question to it is the first request."}
			x.Lines = []string{"sallyport agent connect", "curl \"http://127.0.0.1:8090/fhir/Patient?_count=1\""}
		} else {
			x.Say = []string{"On the vendor's machine, where sallyport keys " + firm + " was run, with the certificate that you gave back as " + firm + "/device.crt, and your authority's as " + firm + "/ca.crt:"}
			x.Lines = []string{"sallyport ask \"" + c.s.Gateway + "/fhir/" + string(source) + "/Patient?_count=1\" --app " + app + " --keys " + firm}
		}
	}
	p.Steps = []startStep{x}
	return p
}

// door asks what every gate says to the grant now.
func (c *starter) door() *api.Explanation {
	for _, typ := range slices.Sorted(maps.Keys(c.role.Resources)) {
		allowed := c.role.Resources[typ].Interactions
		if len(allowed) == 0 {
			continue
		}
		q := api.Question{Grant: c.grant.ID, Interaction: allowed[0], Resources: []string{typ}}
		if c.device != nil {
			q.Device = c.device.ID
		}
		var out api.Explanation
		if err := c.s.ask(c.v, "/v1/explain", api.ExplainRequest{Question: &q}, &out); err != nil {
			return nil
		}
		out.Rungs = slices.DeleteFunc(out.Rungs, func(r policy.Rung) bool { return r.Pass })
		return &out
	}
	return nil
}

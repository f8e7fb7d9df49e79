package registry

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

// Desired is one document of `sallyport apply`: a record as it shall be.
type Desired struct {
	Act Act // the act that makes the record, with its id
	// Approve asks for the approval too, where another person requested it.
	Approve bool
	// Signatures of an agreement, by party.
	Signatures []SignAgreement
}

// makers are the acts that make a record of a noun, and so the nouns that can
// be applied.
var makers = map[snapshot.Noun]Kind{
	snapshot.NounVendor:        "vendor.propose",
	snapshot.NounAssessment:    "assessment.record",
	snapshot.NounCertification: "certification.record",
	snapshot.NounAgreement:     "agreement.draft",
	snapshot.NounEngagement:    "engagement.propose",
	snapshot.NounDetermination: "determination.record",
	snapshot.NounPerson:        "person.propose",
	snapshot.NounTraining:      "training.record",
	snapshot.NounCourse:        "course.propose",
	snapshot.NounDevice:        "device.enroll",
	snapshot.NounApp:           "app.register",
	snapshot.NounRole:          "role.define",
	snapshot.NounGrant:         "grant.request",
	snapshot.NounHold:          "hold.place",
	snapshot.NounConnector:     "connector.register",
}

// DecodeDesired reads a document of the noun from JSON: the fields of the act
// that makes it, and besides them "approve", and for an agreement "signatures".
func DecodeDesired(noun snapshot.Noun, data []byte) (Desired, error) {
	kind, ok := makers[noun]
	if !ok {
		var names []string
		for n := range makers {
			names = append(names, string(n))
		}
		slices.Sort(names)
		return Desired{}, badField("kind", fmt.Sprintf("%q cannot be applied", string(noun)), meant(string(noun), names, "Use one of "+join(names)))
	}
	var d Desired
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return d, problem.New(problem.Invalid, "The document is not an object", "Write the record's fields").Because(err)
	}
	if raw, ok := members["approve"]; ok {
		if err := json.Unmarshal(raw, &d.Approve); err != nil {
			return d, badField("approve", "is of the wrong type", "Write true or false")
		}
		delete(members, "approve")
	}
	if raw, ok := members["signatures"]; ok && noun == snapshot.NounAgreement {
		var list []json.RawMessage
		if err := json.Unmarshal(raw, &list); err != nil {
			return d, badField("signatures", "is of the wrong type", "Write a list")
		}
		for i, one := range list {
			a, err := Decode("agreement.sign", one)
			if err != nil {
				return d, within(fmt.Sprintf("signatures[%d]", i), err)
			}
			d.Signatures = append(d.Signatures, a.(SignAgreement))
		}
		delete(members, "signatures")
	}
	rest, err := json.Marshal(members)
	if err != nil {
		return d, problem.New(problem.Invalid, "The document cannot be read", "Write the record's fields").Because(err)
	}
	d.Act, err = Decode(kind, rest)
	return d, err
}

// within puts a problem's field below another.
func within(field string, err error) error {
	p := *problem.From(err)
	p.Field = strings.TrimSuffix(field+"."+p.Field, ".")
	return &p
}

// Change is one line of a plan: what would be done to which record.
type Change struct {
	Verb    string           `json:"verb"` // of the act; or "wait"
	Subject snapshot.Subject `json:"subject"`
	Fields  []FieldChange    `json:"fields,omitempty"`
	Note    string           `json:"note,omitempty"`
}

// FieldChange is a field before and after, as JSON; empty where it was or will
// be absent.
type FieldChange struct {
	Field string `json:"field"`
	From  string `json:"from,omitempty"`
	To    string `json:"to,omitempty"`
}

// Diff is what a plan would change; it prints like a diff.
type Diff []Change

// String is the diff for a person: + made, ~ changed, ! waits for another.
func (d Diff) String() string {
	if len(d) == 0 {
		return "nothing to do\n"
	}
	var b strings.Builder
	for _, c := range d {
		sign := "~"
		switch c.Verb {
		case "wait":
			sign = "!"
		case "propose", "record", "draft", "enroll", "register", "define", "request", "place":
			sign = "+"
		}
		fmt.Fprintf(&b, "%s %s %s: %s", sign, c.Subject.Noun, c.Subject.ID, c.Verb)
		if c.Note != "" {
			fmt.Fprintf(&b, " (%s)", c.Note)
		}
		b.WriteByte('\n')
		for _, f := range c.Fields {
			if f.From != "" {
				fmt.Fprintf(&b, "    - %s: %s\n", f.Field, f.From)
			}
			if f.To != "" {
				fmt.Fprintf(&b, "    + %s: %s\n", f.Field, f.To)
			}
		}
	}
	return b.String()
}

// Plan gives the acts that the actor would do, in order, to bring the view to
// what is desired, and what they would change. It is pure. On a view that is as
// desired it gives none. Each act is checked on the view that those before it
// leave; whether the actor may do them, Do decides.
func Plan(v *snapshot.View, by Actor, now time.Time, desired []Desired) ([]Act, Diff, error) {
	p := planner{view: v, by: by, now: now.UTC().Truncate(time.Microsecond)}
	for i, d := range desired {
		if err := p.one(d); err != nil {
			return nil, nil, within(fmt.Sprintf("[%d]", i), err)
		}
	}
	return p.acts, p.diff, nil
}

type planner struct {
	view *snapshot.View
	by   Actor
	now  time.Time
	acts []Act
	diff Diff
}

func (p *planner) one(d Desired) error {
	a := deref(d.Act)
	spec, ok := SpecOf(a)
	if !ok {
		return badField("kind", "is missing", "Say what the document is, such as vendor")
	}
	s := a.Subject()
	if makers[s.Noun] != spec.Name {
		return badField("kind", fmt.Sprintf("%s cannot be applied", spec.Name), "Do the act by itself")
	}
	if s.ID == "" {
		return badField("id", "is missing", "Give it an id, so that applying it again finds it")
	}
	old, ok := find(p.view, s)
	if !ok {
		if err := p.do(a, fieldsOf(a, nil)); err != nil {
			return err
		}
	} else if StateOf(old) == snapshot.Ended {
		return conflict("id", fmt.Sprintf("%s %q has ended for good", s.Noun, s.ID), "Make another with a new id")
	} else if err := p.amend(a, s, old); err != nil {
		return err
	}
	if err := p.sign(s, d.Signatures); err != nil {
		return err
	}
	if d.Approve {
		return p.approve(s)
	}
	return nil
}

// do adds an act to the plan and to the view.
func (p *planner) do(a Act, fields []FieldChange) error {
	if err := Check(p.view, p.by, a, p.now); err != nil {
		return err
	}
	spec, _ := SpecOf(a)
	p.view, _ = Apply(p.view, a, Stamp{ID: id.Act(fmt.Sprintf("plan-%d", len(p.acts))), By: p.by.Name(), At: p.now})
	p.acts = append(p.acts, a)
	p.diff = append(p.diff, Change{Verb: spec.Verb, Subject: a.Subject(), Fields: fields})
	return nil
}

// amend adds the act that takes the record to what is desired, if it differs.
func (p *planner) amend(a Act, s snapshot.Subject, old snapshot.Record) error {
	fields := fieldsOf(a, old)
	if len(fields) == 0 {
		return nil
	}
	only := func(names ...string) bool {
		return !slices.ContainsFunc(fields, func(f FieldChange) bool { return !slices.Contains(names, f.Field) })
	}
	var next Act
	switch a := a.(type) {
	case ProposeVendor:
		next = AmendVendor(a)
	case DraftAgreement:
		next = AmendAgreement(a)
	case ProposeEngagement:
		next = AmendEngagement(a)
	case DefineRole:
		next = a
		if only("offered_to") {
			next = OfferRole{ID: a.ID, OfferedTo: a.OfferedTo}
		}
	case RegisterApp:
		if only("keys") {
			next = RotateAppKeys{ID: a.ID, Keys: a.Keys}
		}
	case ProposePerson:
		switch {
		case only("duties"):
			next = AmendDuties{ID: a.ID, Duties: a.Duties}
		case only("key_sha256"):
			next = RegisterPersonKey{ID: a.ID, Key256: a.Key256}
		}
	}
	if next == nil {
		return conflict(fields[0].Field, fmt.Sprintf("%s %q is there and differs, and this cannot be amended", s.Noun, s.ID),
			"Make another with a new id, or write the document as the record is")
	}
	return p.do(next, fields)
}

func (p *planner) sign(s snapshot.Subject, signatures []SignAgreement) error {
	for i, sig := range signatures {
		g, ok := p.view.Agreements.Get(id.Agreement(s.ID))
		if !ok || slices.ContainsFunc(g.Signatures, func(have snapshot.Signature) bool { return have.Party == sig.Party }) {
			continue
		}
		sig.ID = id.Agreement(s.ID)
		if err := p.do(sig, fieldsOf(sig, nil)); err != nil {
			return within(fmt.Sprintf("signatures[%d]", i), err)
		}
	}
	return nil
}

// approve adds the approval, or says that another person must give it.
func (p *planner) approve(s snapshot.Subject) error {
	var a Act
	switch s.Noun {
	case snapshot.NounVendor:
		a = ApproveVendor{ID: id.Vendor(s.ID)}
	case snapshot.NounAgreement:
		a = ApproveAgreement{ID: id.Agreement(s.ID)}
	case snapshot.NounEngagement:
		a = ApproveEngagement{ID: id.Engagement(s.ID)}
	case snapshot.NounDetermination:
		a = ApproveDetermination{ID: id.Determination(s.ID)}
	case snapshot.NounPerson:
		a = ApprovePerson{ID: id.Person(s.ID)}
	case snapshot.NounApp:
		a = ApproveApp{ID: id.App(s.ID)}
	case snapshot.NounRole:
		a = ApproveRole{ID: id.Role(s.ID)}
	case snapshot.NounGrant:
		a = ApproveGrant{ID: id.Grant(s.ID)}
	case snapshot.NounConnector:
		a = ApproveConnector{ID: id.Connector(s.ID)}
	case snapshot.NounDevice:
		return badField("approve", "a device is approved until a time", "Approve it by itself: sallyport device approve")
	default:
		return badField("approve", fmt.Sprintf("a %s is not approved", s.Noun), "Leave it out")
	}
	if rec, ok := find(p.view, s); !ok || StateOf(rec) != snapshot.Proposed {
		return nil
	}
	if slices.Contains(a.(separated).apart(p.view), p.by.Name()) {
		p.diff = append(p.diff, Change{Verb: "wait", Subject: s, Note: "another person must approve it"})
		return nil
	}
	return p.do(a, nil)
}

// fieldsOf are the fields of the act that the record has otherwise; all that
// are set, if there is no record.
func fieldsOf(a Act, old snapshot.Record) []FieldChange {
	var have map[string]string
	if old != nil {
		have = members(old)
		// As a record: what the act leaves to the registry is filled in.
		if _, changed := Apply(&snapshot.View{}, a, Stamp{}); len(changed) > 0 {
			return compareFields(a, members(changed[0]), have)
		}
	}
	return compareFields(a, members(a), have)
}

func compareFields(a Act, to, from map[string]string) (out []FieldChange) {
	for _, f := range reflect.VisibleFields(reflect.TypeOf(a)) { // those of embedded structs, too
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name != "" && name != "id" && name != "content" && to[name] != from[name] {
			out = append(out, FieldChange{Field: name, From: from[name], To: to[name]})
		}
	}
	return out
}

// members are the members of a value's canonical JSON. Empty ones count as
// absent.
func members(v any) map[string]string {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	var m map[string]json.RawMessage
	if json.Unmarshal(raw, &m) != nil {
		return nil
	}
	out := map[string]string{}
	for k, one := range m {
		c, err := canonical(one)
		if err != nil {
			continue
		}
		switch s := string(c); s {
		case "null", "[]", "{}", `""`, `"0001-01-01T00:00:00Z"`:
		default:
			out[k] = s
		}
	}
	return out
}

func find(v *snapshot.View, s snapshot.Subject) (snapshot.Record, bool) {
	switch s.Noun {
	case snapshot.NounVendor:
		return get(v.Vendors, id.Vendor(s.ID))
	case snapshot.NounAssessment:
		return get(v.Assessments, id.Assessment(s.ID))
	case snapshot.NounCertification:
		return get(v.Certifications, id.Certification(s.ID))
	case snapshot.NounAgreement:
		return get(v.Agreements, id.Agreement(s.ID))
	case snapshot.NounEngagement:
		return get(v.Engagements, id.Engagement(s.ID))
	case snapshot.NounDetermination:
		return get(v.Determinations, id.Determination(s.ID))
	case snapshot.NounPerson:
		return get(v.Persons, id.Person(s.ID))
	case snapshot.NounTraining:
		return get(v.Trainings, id.Training(s.ID))
	case snapshot.NounDevice:
		return get(v.Devices, id.Device(s.ID))
	case snapshot.NounApp:
		return get(v.Apps, id.App(s.ID))
	case snapshot.NounRole:
		return get(v.Roles, id.Role(s.ID))
	case snapshot.NounGrant:
		return get(v.Grants, id.Grant(s.ID))
	case snapshot.NounReview:
		return get(v.Reviews, id.Review(s.ID))
	case snapshot.NounHold:
		return get(v.Holds, id.Hold(s.ID))
	case snapshot.NounConnector:
		return get(v.Connectors, id.Connector(s.ID))
	case snapshot.NounSession:
		return get(v.Sessions, id.Session(s.ID))
	case snapshot.NounKey:
		return get(v.Keys, id.Engagement(s.ID))
	case snapshot.NounPosture:
		return get(v.Postures, id.Device(s.ID))
	case snapshot.NounAttestation:
		return get(v.Attestations, id.Attestation(s.ID))
	case snapshot.NounQuestionnaire:
		return get(v.Questionnaires, id.Questionnaire(s.ID))
	case snapshot.NounLink:
		return get(v.Links, id.Link(s.ID))
	case snapshot.NounFinding:
		return get(v.Findings, id.Finding(s.ID))
	case snapshot.NounCourse:
		return get(v.Courses, id.Course(s.ID))
	case snapshot.NounAttempt:
		return get(v.Attempts, id.Attempt(s.ID))
	case snapshot.NounRequest:
		return get(v.Requests, id.Request(s.ID))
	case snapshot.NounCampaign:
		return get(v.Campaigns, id.Campaign(s.ID))
	case snapshot.NounEmergency:
		return get(v.Emergencies, id.Emergency(s.ID))
	case snapshot.NounIncident:
		return get(v.Incidents, id.Incident(s.ID))
	case snapshot.NounOffboarding:
		return get(v.Offboardings, id.Offboarding(s.ID))
	}
	return nil, false
}

func get[K ~string, V any, P interface {
	*V
	snapshot.Record
}](t snapshot.Table[K, V], key K) (snapshot.Record, bool) {
	r, ok := t.Get(key)
	if !ok {
		return nil, false
	}
	return P(r), true
}

// StateOf is where a record that is approved stands; "" for one that is not of
// that kind.
func StateOf(r snapshot.Record) snapshot.State {
	switch r := r.(type) {
	case *snapshot.Vendor:
		return r.State
	case *snapshot.Agreement:
		return r.State
	case *snapshot.Engagement:
		return r.State
	case *snapshot.Determination:
		return r.State
	case *snapshot.Person:
		return r.State
	case *snapshot.Device:
		return r.State
	case *snapshot.App:
		return r.State
	case *snapshot.Role:
		return r.State
	case *snapshot.Grant:
		return r.State
	case *snapshot.Connector:
		return r.State
	case *snapshot.Course:
		return r.State
	}
	return ""
}

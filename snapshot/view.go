// Package snapshot is the read-only picture of the registry that decisions are
// made from.
//
// A View never changes. The registry makes the next one from an Edit and
// publishes it with one atomic pointer, so a decision touches no database, sees
// one moment, and names the version that it saw. The package is pure: no I/O,
// no clock.
package snapshot

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/id"
)

// View is the registry at one moment. The zero View holds nothing, so every
// gate refuses on it. A View is safe for concurrent use.
type View struct {
	version   uint64    // number of acts that made it
	logIndex  uint64    // audit log index of the last of them
	confirmed time.Time // when it was last known to be the newest

	Settings       Settings
	Vendors        Table[id.Vendor, Vendor]
	Assessments    Table[id.Assessment, Assessment]
	Certifications Table[id.Certification, Certification]
	Agreements     Table[id.Agreement, Agreement]
	Engagements    Table[id.Engagement, Engagement]
	Determinations Table[id.Determination, Determination]
	Persons        Table[id.Person, Person]
	Trainings      Table[id.Training, Training]
	Devices        Table[id.Device, Device]
	Apps           Table[id.App, App]
	Roles          Table[id.Role, Role]
	Grants         Table[id.Grant, Grant]
	Reviews        Table[id.Review, Review]
	Holds          Table[id.Hold, Hold]
	Connectors     Table[id.Connector, Connector]
	Sessions       Table[id.Session, Session]
	Postures       Table[id.Device, Posture]
	Keys           Table[id.Engagement, Key]
	Attestations   Table[id.Attestation, Attestation]
	Questionnaires Table[id.Questionnaire, Questionnaire]
	Links          Table[id.Link, Link]
	Findings       Table[id.Finding, Finding]
	Courses        Table[id.Course, Course]
	Attempts       Table[id.Attempt, Attempt]
	Requests       Table[id.Request, Request]
	Campaigns      Table[id.Campaign, Campaign]
	Emergencies    Table[id.Emergency, Emergency]
	Incidents      Table[id.Incident, Incident]
	Offboardings   Table[id.Offboarding, Offboarding]

	index index
}

// Version is the number of acts that made the view; it rises with each act.
func (v *View) Version() uint64 { return v.version }

// LogIndex is the audit log index of the last act in the view.
func (v *View) LogIndex() uint64 { return v.logIndex }

// Confirmed is when the view was last known to be the newest. Beyond the
// freshness limit of the Settings the fresh gate refuses.
func (v *View) Confirmed() time.Time { return v.confirmed }

// Confirm returns the same view, known to be the newest at t.
func (v *View) Confirm(t time.Time) *View {
	w := *v
	w.confirmed = t
	return &w
}

// WithSettings returns the same view under other policy numbers.
func (v *View) WithSettings(s Settings) *View {
	w := *v
	w.Settings = s
	return &w
}

// Table is an immutable map from ids to records.
type Table[K ~string, V any] struct {
	rows map[K]*V
	// keys are the ids in order, once somebody asked. Tables with the same ids share them:
	// most acts change a record and add none.
	keys *atomic.Pointer[[]K]
}

// Get finds a record. The record must not be changed.
func (t Table[K, V]) Get(key K) (*V, bool) {
	v, ok := t.rows[key]
	return v, ok
}

// Len is the number of records.
func (t Table[K, V]) Len() int { return len(t.rows) }

// All yields the records in the order of their ids.
func (t Table[K, V]) All() iter.Seq2[K, *V] {
	return func(yield func(K, *V) bool) {
		for _, k := range t.sorted() {
			if !yield(k, t.rows[k]) {
				return
			}
		}
	}
}

func (t Table[K, V]) sorted() []K {
	if t.keys == nil {
		return nil // nothing was ever put
	}
	if kept := t.keys.Load(); kept != nil {
		return *kept
	}
	made := slices.Sorted(maps.Keys(t.rows))
	t.keys.Store(&made)
	return made
}

// index holds the lookups that a decision needs, from a subject to records.
type index struct {
	deviceByKey      map[KeyDigest]*Device
	deviceBySPIFFE   map[string]*Device
	personByKey      map[KeyDigest]*Person
	grantsByApp      map[id.App][]*Grant
	assessments      map[id.Vendor][]*Assessment
	certifications   map[id.Vendor][]*Certification
	determinations   map[id.Engagement][]*Determination
	trainings        map[id.Person][]*Training
	reviews          map[id.Grant][]*Review
	holds            map[Subject][]*Hold
	agreementsVendor map[id.Vendor][]*Agreement
	personByLogin    map[Login]*Person
	personByPasskey  map[string]*Person
	sessions         map[id.Person][]*Session
	directories      map[id.Connector][]*Person
	attestations     map[id.Device][]*Attestation
	sessionBySecret  map[string]*Session
	linkBySecret     map[string]*Link
	questionnaires   map[id.Vendor][]*Questionnaire
	findings         map[id.Vendor][]*Finding
	attempts         map[id.Person][]*Attempt
	engagements      map[id.Vendor][]*Engagement
	persons          map[id.Vendor][]*Person
}

// DeviceByKey finds the device whose certificate has this public key.
func (v *View) DeviceByKey(k KeyDigest) (*Device, bool) {
	d, ok := v.index.deviceByKey[k]
	return d, ok
}

// DeviceBySPIFFE finds the workload that is registered under this SPIFFE id.
func (v *View) DeviceBySPIFFE(spiffe string) (*Device, bool) {
	d, ok := v.index.deviceBySPIFFE[spiffe]
	return d, ok
}

// PersonByKey finds the organisation's person whose certificate has this
// public key.
func (v *View) PersonByKey(k KeyDigest) (*Person, bool) {
	p, ok := v.index.personByKey[k]
	return p, ok
}

// GrantsOfApp lists the grants of an application, oldest id first.
func (v *View) GrantsOfApp(a id.App) []*Grant { return v.index.grantsByApp[a] }

// AssessmentsOf lists a vendor's assessments, oldest decision first.
func (v *View) AssessmentsOf(x id.Vendor) []*Assessment { return v.index.assessments[x] }

// CertificationsOf lists a vendor's certifications.
func (v *View) CertificationsOf(x id.Vendor) []*Certification { return v.index.certifications[x] }

// DeterminationsOf lists the expert determinations about an engagement, oldest
// first.
func (v *View) DeterminationsOf(e id.Engagement) []*Determination { return v.index.determinations[e] }

// TrainingsOf lists a person's completions, oldest first.
func (v *View) TrainingsOf(p id.Person) []*Training { return v.index.trainings[p] }

// ReviewsOf lists a grant's reviews, earliest due first.
func (v *View) ReviewsOf(g id.Grant) []*Review { return v.index.reviews[g] }

// HoldsOn lists the holds on a subject, lifted ones too.
func (v *View) HoldsOn(s Subject) []*Hold { return v.index.holds[s] }

// ConnectorInForce finds a connector that is approved and not on hold: one that is
// listened to.
func (v *View) ConnectorInForce(key id.Connector) (*Connector, bool) {
	c, ok := v.Connectors.Get(key)
	if !ok || c.State != Approved {
		return nil, false
	}
	for _, h := range v.HoldsOn(Subject{Noun: NounConnector, ID: string(key)}) {
		if h.LiftedAt.IsZero() {
			return nil, false
		}
	}
	return c, true
}

// AgreementsOf lists the agreements with a vendor.
func (v *View) AgreementsOf(x id.Vendor) []*Agreement { return v.index.agreementsVendor[x] }

// PersonByLogin finds the person who is this subject to this connector.
func (v *View) PersonByLogin(l Login) (*Person, bool) {
	p, ok := v.index.personByLogin[l]
	return p, ok
}

// PersonByPasskey finds the person who has the WebAuthn credential with this id.
func (v *View) PersonByPasskey(credential []byte) (*Person, bool) {
	p, ok := v.index.personByPasskey[string(credential)]
	return p, ok
}

// PersonsOfDirectory lists the people whom a SCIM client knows, ended ones too, in
// the order of their ids.
func (v *View) PersonsOfDirectory(c id.Connector) []*Person { return v.index.directories[c] }

// SessionBySecret finds the session, not ended, whose secret has this SHA-256 in
// hex. Whether its time is over is Live's question.
func (v *View) SessionBySecret(secret256 string) (*Session, bool) {
	s, ok := v.SessionEver(secret256)
	if !ok || !s.EndedAt.IsZero() {
		return nil, false
	}
	return s, true
}

// SessionEver is the same of sessions that have ended, too. It signs nobody in.
func (v *View) SessionEver(secret256 string) (*Session, bool) {
	if secret256 == "" {
		return nil, false
	}
	s, ok := v.index.sessionBySecret[secret256]
	return s, ok
}

// SessionsOf lists a person's sessions, ended ones too, oldest first.
func (v *View) SessionsOf(p id.Person) []*Session { return v.index.sessions[p] }

// AttestationsOf lists what is attested of a device, oldest first, revoked ones
// too.
func (v *View) AttestationsOf(d id.Device) []*Attestation { return v.index.attestations[d] }

// LinkBySecret finds the link, not revoked, whose secret has this SHA-256 in hex.
// Whether it is open now is Open's question.
func (v *View) LinkBySecret(secret256 string) (*Link, bool) {
	if secret256 == "" {
		return nil, false
	}
	l, ok := v.index.linkBySecret[secret256]
	return l, ok
}

// QuestionnairesOf lists a vendor's questionnaires, oldest first.
func (v *View) QuestionnairesOf(x id.Vendor) []*Questionnaire { return v.index.questionnaires[x] }

// FindingsOf lists the findings about a vendor, settled ones too, oldest first.
func (v *View) FindingsOf(x id.Vendor) []*Finding { return v.index.findings[x] }

// AttemptsOf lists a person's attempts at the course, oldest first.
func (v *View) AttemptsOf(p id.Person) []*Attempt { return v.index.attempts[p] }

// EngagementsOf lists a vendor's engagements, ended ones too, in the order of their ids.
func (v *View) EngagementsOf(x id.Vendor) []*Engagement { return v.index.engagements[x] }

// PersonsOf lists a vendor's people, ended ones too, in the order of their ids.
func (v *View) PersonsOf(x id.Vendor) []*Person { return v.index.persons[x] }

// Edit is a view being changed. It belongs to one goroutine.
type Edit struct {
	base    *View
	next    View
	touched map[Noun]bool
	changed []Record
	places  map[Subject]int // in changed
}

// Edit begins a change of the view; the view itself stays as it is.
func (v *View) Edit() *Edit {
	return &Edit{base: v, next: *v, touched: map[Noun]bool{}, places: map[Subject]int{}}
}

// View is the state so far, to check against and to read from. It lacks the
// indexes of what was put since Edit; Publish makes them.
func (e *Edit) View() *View { return &e.next }

// Changed lists the records that were put, each once, as last put, in the
// order of their first Put.
func (e *Edit) Changed() []Record { return e.changed }

// Put adds or replaces a record.
func (e *Edit) Put(r Record) {
	switch r := r.(type) {
	case *Vendor:
		put(e, &e.next.Vendors, r.ID, r)
	case *Assessment:
		put(e, &e.next.Assessments, r.ID, r)
	case *Certification:
		put(e, &e.next.Certifications, r.ID, r)
	case *Agreement:
		put(e, &e.next.Agreements, r.ID, r)
	case *Engagement:
		put(e, &e.next.Engagements, r.ID, r)
	case *Determination:
		put(e, &e.next.Determinations, r.ID, r)
	case *Person:
		put(e, &e.next.Persons, r.ID, r)
	case *Training:
		put(e, &e.next.Trainings, r.ID, r)
	case *Device:
		put(e, &e.next.Devices, r.ID, r)
	case *App:
		put(e, &e.next.Apps, r.ID, r)
	case *Role:
		put(e, &e.next.Roles, r.ID, r)
	case *Grant:
		put(e, &e.next.Grants, r.ID, r)
	case *Review:
		put(e, &e.next.Reviews, r.ID, r)
	case *Hold:
		put(e, &e.next.Holds, r.ID, r)
	case *Connector:
		put(e, &e.next.Connectors, r.ID, r)
	case *Session:
		put(e, &e.next.Sessions, r.ID, r)
	case *Posture:
		put(e, &e.next.Postures, r.Device, r)
	case *Attestation:
		put(e, &e.next.Attestations, r.ID, r)
	case *Key:
		put(e, &e.next.Keys, r.Engagement, r)
	case *Questionnaire:
		put(e, &e.next.Questionnaires, r.ID, r)
	case *Link:
		put(e, &e.next.Links, r.ID, r)
	case *Finding:
		put(e, &e.next.Findings, r.ID, r)
	case *Course:
		put(e, &e.next.Courses, r.ID, r)
	case *Attempt:
		put(e, &e.next.Attempts, r.ID, r)
	case *Request:
		put(e, &e.next.Requests, r.ID, r)
	case *Campaign:
		put(e, &e.next.Campaigns, r.ID, r)
	case *Emergency:
		put(e, &e.next.Emergencies, r.ID, r)
	case *Incident:
		put(e, &e.next.Incidents, r.ID, r)
	case *Offboarding:
		put(e, &e.next.Offboardings, r.ID, r)
	}
	of := Subject{Noun: r.Noun(), ID: r.Key()}
	if i, ok := e.places[of]; ok {
		e.changed[i] = r
		return
	}
	e.places[of] = len(e.changed)
	e.changed = append(e.changed, r)
}

func put[K ~string, V any, P interface {
	*V
	Record
}](e *Edit, t *Table[K, V], key K, r P) {
	if noun := r.Noun(); !e.touched[noun] {
		e.touched[noun] = true
		rows := make(map[K]*V, len(t.rows)+1)
		maps.Copy(rows, t.rows)
		t.rows = rows
	}
	if _, ok := t.rows[key]; !ok {
		t.keys = new(atomic.Pointer[[]K])
	}
	t.rows[key] = (*V)(r)
}

// Publish ends the edit and returns the new view: version acts made it, the
// last one at logIndex in the audit log, and it is the newest at t.
func (e *Edit) Publish(version, logIndex uint64, t time.Time) *View {
	v := e.next
	v.version, v.logIndex, v.confirmed = version, logIndex, t
	v.index = e.base.index
	v.index.rebuild(&v, e.touched)
	return &v
}

func (x *index) rebuild(v *View, touched map[Noun]bool) {
	if touched[NounDevice] {
		x.deviceByKey = make(map[KeyDigest]*Device, v.Devices.Len())
		x.deviceBySPIFFE = map[string]*Device{}
		for _, d := range v.Devices.All() {
			// One of both: a record with neither, or with both, is found by nothing.
			if d.Key256 != "" && d.SPIFFE == "" {
				x.deviceByKey[d.Key256] = d
			}
			if d.SPIFFE != "" && d.Key256 == "" {
				// A workload that was revoked may be registered anew under its id.
				if old, ok := x.deviceBySPIFFE[d.SPIFFE]; !ok || old.State == Ended {
					x.deviceBySPIFFE[d.SPIFFE] = d
				}
			}
		}
	}
	if touched[NounPerson] {
		x.personByKey = map[KeyDigest]*Person{}
		for _, p := range v.Persons.All() {
			if p.Key256 != "" {
				x.personByKey[p.Key256] = p
			}
		}
		x.personByLogin, x.personByPasskey = map[Login]*Person{}, map[string]*Person{}
		for _, p := range v.Persons.All() {
			// A login that passed on, as when a person is hired again, is the one's who
			// is still there.
			if old, ok := x.personByLogin[p.Login]; p.Login != (Login{}) && (!ok || old.State == Ended) {
				x.personByLogin[p.Login] = p
			}
			for _, k := range p.Passkeys {
				x.personByPasskey[string(k.ID)] = p
			}
		}
	}
	if touched[NounPerson] {
		x.directories = group(v.Persons, func(p *Person) id.Connector { return p.Directory.Connector }, nil)
		delete(x.directories, "")
	}
	if touched[NounPerson] {
		x.persons = group(v.Persons, func(p *Person) id.Vendor { return p.Vendor }, nil)
	}
	if touched[NounEngagement] {
		x.engagements = group(v.Engagements, func(e *Engagement) id.Vendor { return e.Vendor }, nil)
	}
	if touched[NounGrant] {
		x.grantsByApp = group(v.Grants, func(g *Grant) id.App { return g.App }, nil)
	}
	if touched[NounAssessment] {
		x.assessments = group(v.Assessments, func(a *Assessment) id.Vendor { return a.Vendor },
			func(a, b *Assessment) int { return a.DecidedAt.Compare(b.DecidedAt) })
	}
	if touched[NounCertification] {
		x.certifications = group(v.Certifications, func(c *Certification) id.Vendor { return c.Vendor }, nil)
	}
	if touched[NounDetermination] {
		x.determinations = group(v.Determinations, func(d *Determination) id.Engagement { return d.Engagement },
			func(a, b *Determination) int { return a.DeterminedAt.Compare(b.DeterminedAt) })
	}
	if touched[NounTraining] {
		x.trainings = group(v.Trainings, func(t *Training) id.Person { return t.Person },
			func(a, b *Training) int { return a.CompletedAt.Compare(b.CompletedAt) })
	}
	if touched[NounAttestation] {
		x.attestations = group(v.Attestations, func(a *Attestation) id.Device { return a.Device },
			func(a, b *Attestation) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID)) })
	}
	if touched[NounReview] {
		x.reviews = group(v.Reviews, func(r *Review) id.Grant { return r.Grant },
			func(a, b *Review) int { return cmp.Or(a.DueAt.Compare(b.DueAt), cmp.Compare(a.ID, b.ID)) })
	}
	if touched[NounHold] {
		x.holds = group(v.Holds, func(h *Hold) Subject { return h.On }, nil)
	}
	if touched[NounSession] {
		x.sessions = group(v.Sessions, func(s *Session) id.Person { return s.Person },
			func(a, b *Session) int { return a.StartedAt.Compare(b.StartedAt) })
		x.sessionBySecret = map[string]*Session{}
		for _, s := range v.Sessions.rows {
			if old, ok := x.sessionBySecret[s.Secret256]; !ok || !old.EndedAt.IsZero() {
				x.sessionBySecret[s.Secret256] = s
			}
		}
	}
	if touched[NounLink] {
		x.linkBySecret = map[string]*Link{}
		for _, l := range v.Links.rows {
			if l.RevokedAt.IsZero() && l.Secret256 != "" {
				x.linkBySecret[l.Secret256] = l
			}
		}
	}
	if touched[NounQuestionnaire] {
		x.questionnaires = group(v.Questionnaires, func(q *Questionnaire) id.Vendor { return q.Vendor },
			func(a, b *Questionnaire) int { return a.SentAt.Compare(b.SentAt) })
	}
	if touched[NounFinding] {
		x.findings = group(v.Findings, func(f *Finding) id.Vendor { return f.Vendor },
			func(a, b *Finding) int { return a.RaisedAt.Compare(b.RaisedAt) })
	}
	if touched[NounAttempt] {
		x.attempts = group(v.Attempts, func(a *Attempt) id.Person { return a.Person },
			func(a, b *Attempt) int { return a.StartedAt.Compare(b.StartedAt) })
	}
	if touched[NounAgreement] {
		x.agreementsVendor = group(v.Agreements, func(a *Agreement) id.Vendor { return a.Vendor }, nil)
	}
}

func group[K ~string, V any, S comparable](t Table[K, V], by func(*V) S, order func(a, b *V) int) map[S][]*V {
	m := make(map[S][]*V)
	for _, v := range t.All() {
		s := by(v)
		m[s] = append(m[s], v)
	}
	if order != nil {
		for _, vs := range m {
			slices.SortStableFunc(vs, order)
		}
	}
	return m
}

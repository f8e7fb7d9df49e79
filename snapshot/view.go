// Package snapshot is the read-only picture of the registry that decisions are
// made from.
//
// A View never changes. The registry makes the next one from an Edit and
// publishes it with one atomic pointer, so a decision touches no database, sees
// one moment, and names the version that it saw. The package is pure: no I/O,
// no clock.
package snapshot

import (
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

// DeviceByKey finds the device whose certificate has this public key.
func (v *View) DeviceByKey(k KeyDigest) (*Device, bool) {
	return v.index.deviceByKey.last(k)
}

// DeviceBySPIFFE finds the workload that is registered under this SPIFFE id.
func (v *View) DeviceBySPIFFE(spiffe string) (*Device, bool) {
	// A workload that was revoked may be registered anew under its id.
	return v.index.deviceBySPIFFE.still(spiffe, func(d *Device) bool { return d.State == Ended })
}

// PersonByKey finds the organisation's person whose certificate has this
// public key.
func (v *View) PersonByKey(k KeyDigest) (*Person, bool) {
	return v.index.personByKey.last(k)
}

// DevicesOf lists a vendor's devices, ended ones too, in the order of their ids.
func (v *View) DevicesOf(x id.Vendor) []*Device { return v.index.devices.all(x) }

// DevicesOwnedBy lists the devices that a person answers for, ended ones too.
func (v *View) DevicesOwnedBy(p id.Person) []*Device { return v.index.devicesOwned.all(p) }

// AppsOf lists a vendor's applications, ended ones too, in the order of their ids.
func (v *View) AppsOf(x id.Vendor) []*App { return v.index.apps.all(x) }

// AppsOwnedBy lists the applications that a person answers for, ended ones too.
func (v *View) AppsOwnedBy(p id.Person) []*App { return v.index.appsOwned.all(p) }

// GrantsOf lists the grants on an engagement, ended ones too, in the order of their ids.
func (v *View) GrantsOf(e id.Engagement) []*Grant { return v.index.grants.all(e) }

// GrantsOfPerson lists a person's grants, ended ones too, in the order of their ids.
func (v *View) GrantsOfPerson(p id.Person) []*Grant { return v.index.grantsByPerson.all(p) }

// GrantsOfDevice lists the grants that a device may use, ended ones too, in the order of
// their ids.
func (v *View) GrantsOfDevice(d id.Device) []*Grant { return v.index.grantsByDevice.all(d) }

// GrantsOfApp lists the grants of an application, oldest id first.
func (v *View) GrantsOfApp(a id.App) []*Grant { return v.index.grantsByApp.all(a) }

// AssessmentsOf lists a vendor's assessments, oldest decision first.
func (v *View) AssessmentsOf(x id.Vendor) []*Assessment { return v.index.assessments.all(x) }

// CertificationsOf lists a vendor's certifications.
func (v *View) CertificationsOf(x id.Vendor) []*Certification { return v.index.certifications.all(x) }

// DeterminationsOf lists the expert determinations about an engagement, oldest
// first.
func (v *View) DeterminationsOf(e id.Engagement) []*Determination {
	return v.index.determinations.all(e)
}

// TrainingsOf lists a person's completions, oldest first.
func (v *View) TrainingsOf(p id.Person) []*Training { return v.index.trainings.all(p) }

// ReviewsOf lists a grant's reviews, earliest due first.
func (v *View) ReviewsOf(g id.Grant) []*Review { return v.index.reviews.all(g) }

// HoldsOn lists the holds on a subject, lifted ones too.
func (v *View) HoldsOn(s Subject) []*Hold { return v.index.holds.all(s) }

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
func (v *View) AgreementsOf(x id.Vendor) []*Agreement { return v.index.agreements.all(x) }

// PersonByLogin finds the person who is this subject to this connector.
func (v *View) PersonByLogin(l Login) (*Person, bool) {
	// A login that passed on, as when a person is hired again, is the one's who is still
	// there.
	return v.index.personByLogin.still(l, func(p *Person) bool { return p.State == Ended })
}

// PersonByPasskey finds the person who has the WebAuthn credential with this id.
func (v *View) PersonByPasskey(credential []byte) (*Person, bool) {
	return v.index.personByPasskey.last(string(credential))
}

// PersonsOfDirectory lists the people whom a SCIM client knows, ended ones too, in
// the order of their ids.
func (v *View) PersonsOfDirectory(c id.Connector) []*Person { return v.index.directories.all(c) }

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
	return v.index.sessionBySecret.still(secret256, func(s *Session) bool { return !s.EndedAt.IsZero() })
}

// SessionsOf lists a person's sessions, ended ones too, oldest first.
func (v *View) SessionsOf(p id.Person) []*Session { return v.index.sessions.all(p) }

// AttestationsOf lists what is attested of a device, oldest first, revoked ones
// too.
func (v *View) AttestationsOf(d id.Device) []*Attestation { return v.index.attestations.all(d) }

// LinkBySecret finds the link, not revoked, whose secret has this SHA-256 in hex.
// Whether it is open now is Open's question.
func (v *View) LinkBySecret(secret256 string) (*Link, bool) {
	return v.index.linkBySecret.last(secret256)
}

// QuestionnairesOf lists a vendor's questionnaires, oldest first.
func (v *View) QuestionnairesOf(x id.Vendor) []*Questionnaire { return v.index.questionnaires.all(x) }

// FindingsOf lists the findings about a vendor, settled ones too, oldest first.
func (v *View) FindingsOf(x id.Vendor) []*Finding { return v.index.findings.all(x) }

// AttemptsOf lists a person's attempts at the course, oldest first.
func (v *View) AttemptsOf(p id.Person) []*Attempt { return v.index.attempts.all(p) }

// EngagementsOf lists a vendor's engagements, ended ones too, in the order of their ids.
func (v *View) EngagementsOf(x id.Vendor) []*Engagement { return v.index.engagements.all(x) }

// PersonsOf lists a vendor's people, ended ones too, in the order of their ids.
func (v *View) PersonsOf(x id.Vendor) []*Person { return v.index.persons.all(x) }

// Edit is a view being changed. It belongs to one goroutine.
type Edit struct {
	base    *View
	next    View
	turn    *turn
	touched map[Noun]bool
	changed []Record
	places  map[Subject]int // in changed
}

// Edit begins a change of the view; the view itself stays as it is.
func (v *View) Edit() *Edit {
	return &Edit{base: v, next: *v, turn: new(turn), touched: map[Noun]bool{}, places: map[Subject]int{}}
}

// View is the state so far, to check against and to read from. It lacks the
// indexes of what was put since Edit; Publish makes them. It is not for keeping,
// nor for beginning another edit: Publish makes what is.
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

func put[K ~string, V any, P recordOf[V]](e *Edit, t *Table[K, V], key K, r P) {
	e.touched[r.Noun()] = true
	if e.turn.over.Load() {
		e.turn = new(turn)
	}
	t.put(e.turn, key, r)
}

// Publish ends the edit and returns the new view: version acts made it, the
// last one at logIndex in the audit log, and it is the newest at t.
func (e *Edit) Publish(version, logIndex uint64, t time.Time) *View {
	v := e.next
	v.version, v.logIndex, v.confirmed = version, logIndex, t
	v.index = e.base.index
	v.index.follow(e, &v)
	e.turn.over.Store(true)
	return &v
}

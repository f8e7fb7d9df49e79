package registry

import (
	"fmt"
	"slices"
	"time"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// ProposePerson asks to enrol a human: one of a vendor's, or (Vendor empty) of
// the organisation.
type ProposePerson struct {
	ID             id.Person            `json:"id"`
	Vendor         id.Vendor            `json:"vendor,omitempty"`
	Name           string               `json:"name"`
	Classification hipaa.Classification `json:"classification"` // 45 CFR 160.103
	Basis          string               `json:"basis"`          // why so classified
	Duties         []Duty               `json:"duties,omitempty"`
	Key256         snapshot.KeyDigest   `json:"key_sha256,omitempty"`
	Region         string               `json:"region,omitempty"`
	Login          snapshot.Login       `json:"login,omitzero"`
	Directory      snapshot.Directory   `json:"directory,omitzero"`
	// Suspended: the person begins as suspended by whoever proposes them, as a
	// directory does that makes an account before the first day of work.
	Suspended bool `json:"suspended,omitempty"`
}

// A vendor's SCIM client asks for its own people.
func (a ProposePerson) about(*snapshot.View, Actor) party {
	return party{vendor: a.Vendor, connectors: []snapshot.ConnectorKind{snapshot.SCIMClient}}
}

func (a ProposePerson) Subject() snapshot.Subject { return subject(snapshot.NounPerson, a.ID) }

func (a ProposePerson) check(v *snapshot.View, by Actor, _ time.Time) error {
	if a.Vendor != "" {
		if len(a.Duties) > 0 {
			return badField("duties", "are for the organisation's people", "Leave them out, or leave the vendor out")
		}
		if a.Key256 != "" {
			return badField("key_sha256", "is for the organisation's people", "Leave it out; a vendor's person works through an app and a device")
		}
		if err := first(goingOn("vendor", v, a.Vendor), region("region", a.Region)); err != nil {
			return err
		}
	}
	if a.Login != (snapshot.Login{}) {
		if err := checkLogin(v, "login", a.Vendor, a.ID, a.Login); err != nil {
			return err
		}
	}
	if a.Directory != (snapshot.Directory{}) {
		if err := checkDirectory(v, "directory", a.Vendor, a.ID, a.Directory, by); err != nil {
			return err
		}
	}
	return first(fresh("id", v.Persons, a.ID), notReserved("id", a.ID),
		required("name", a.Name, `"Ada Example"`),
		oneOf("classification", a.Classification, []hipaa.Classification{hipaa.Workforce, hipaa.BusinessAssociate}),
		required("basis", a.Basis, `"employee of the vendor, not under our direct control"`),
		checkDuties("duties", a.Duties),
		optionalRegion("region", a.Region),
		freshKey(v, "key_sha256", a.Key256, true))
}

func optionalRegion(field, r string) error {
	if r == "" {
		return nil
	}
	return region(field, r)
}

func checkDuties(field string, duties []Duty) error {
	if slices.Contains(duties, Auditor) && len(duties) > 1 {
		return badField(field, "join auditor with another duty", "An auditor holds no other duty")
	}
	return first(each(field, duties, func(f string, d Duty) error { return oneOf(f, d, Duties) }), unique(field, duties))
}

// freshKey wants the digest of a public key that no other person or device has.
func freshKey(v *snapshot.View, field string, k snapshot.KeyDigest, optional bool) error {
	if k == "" && optional {
		return nil
	}
	if err := sha256Hex(field, string(k)); err != nil {
		return err
	}
	_, ofDevice := v.DeviceByKey(k)
	_, ofPerson := v.PersonByKey(k)
	if ofDevice || ofPerson {
		return conflict(field, "The key is in use by another person or device", "Make a new key; keys are not shared")
	}
	return nil
}

func (a ProposePerson) apply(e *snapshot.Edit, s Stamp) {
	p := &snapshot.Person{ID: a.ID, Vendor: a.Vendor, Name: a.Name, Classification: a.Classification, Basis: a.Basis,
		Duties: words(a.Duties), Key256: a.Key256, Region: a.Region, Login: a.Login, Directory: a.Directory, Approval: asked(s)}
	if a.Suspended {
		p.State, p.SuspendedBy = snapshot.Suspended, []id.Person{s.By}
	}
	e.Put(p)
}

func words(duties []Duty) []string {
	var out []string
	for _, d := range duties {
		out = append(out, string(d))
	}
	slices.Sort(out)
	return out
}

// ApprovePerson enrols the person, with what they can sign in by.
type ApprovePerson struct {
	ID id.Person `json:"id"`
	// Passkeys are the fingerprints of all the person's passkeys, each of which the
	// approver has compared with the person: what one other person registered in
	// the person's name has a fingerprint that the person does not know.
	Passkeys []string `json:"passkeys,omitempty"`
}

func (a ApprovePerson) Subject() snapshot.Subject { return subject(snapshot.NounPerson, a.ID) }

func (a ApprovePerson) apart(v *snapshot.View) []id.Person {
	if p, ok := v.Persons.Get(a.ID); ok {
		return []id.Person{p.RequestedBy, p.ID}
	}
	return nil
}

func (a ApprovePerson) check(v *snapshot.View, _ Actor, _ time.Time) error {
	if err := personIn(v, a.ID, snapshot.Proposed); err != nil {
		return err
	}
	p, _ := v.Persons.Get(a.ID)
	var have []string
	for _, k := range p.Passkeys {
		have = append(have, k.Fingerprint)
	}
	if len(a.Passkeys) != len(have) || !subset(a.Passkeys, have) || !subset(have, a.Passkeys) {
		if len(have) == 0 {
			return badField("passkeys", "names one that the person does not have", "Look again: sallyport person get "+string(a.ID))
		}
		return badField("passkeys", "does not name the person's passkeys",
			"Have the person read the fingerprint of each to you, compare (sallyport person get "+string(a.ID)+"), and give them: passkeys=AAAA-BBBB-CCCC-DDDD-EEEE")
	}
	return nil
}

func (a ApprovePerson) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Persons, a.ID, func(p *snapshot.Person) { p.Approval = approved(p.Approval, s) })
}

func personIn(v *snapshot.View, person id.Person, want ...snapshot.State) error {
	p, ok := v.Persons.Get(person)
	if !ok {
		return found("id", v.Persons, person)
	}
	return inState(fmt.Sprintf("Person %q", person), p.State, want...)
}

// DeactivatePerson ends a person's access for good. It does not take the
// organisation below two people, because then nothing could be approved: a hold
// stops a person at once in any case.
type DeactivatePerson struct {
	ID id.Person `json:"id"`
}

func (a DeactivatePerson) Subject() snapshot.Subject { return subject(snapshot.NounPerson, a.ID) }

func (a DeactivatePerson) check(v *snapshot.View, _ Actor, _ time.Time) error {
	if err := personIn(v, a.ID, snapshot.Proposed, snapshot.Approved, snapshot.Suspended); err != nil {
		return err
	}
	return twoRemain(v, a.ID, "deactivated")
}

func (a DeactivatePerson) about(v *snapshot.View, _ Actor) party { return personParty(v, a.ID) }

// twoRemain wants two of the organisation's people who can act when this one
// no longer can.
func twoRemain(v *snapshot.View, key id.Person, done string) error {
	p, ok := v.Persons.Get(key)
	if !ok || p.Vendor != "" || p.State != snapshot.Approved {
		return nil
	}
	left := 0
	for _, other := range v.Persons.All() {
		if other.Vendor == "" && other.State == snapshot.Approved && other.ID != key && !slices.Contains(other.Duties, string(Auditor)) {
			left++
		}
	}
	if left < 2 {
		return conflict("id", "With this person "+done+" fewer than two people could act", "Have another person approved first, or place a hold on this one: sallyport hold place")
	}
	return nil
}

func (a DeactivatePerson) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Persons, a.ID, func(p *snapshot.Person) { p.State = snapshot.Ended })
	endSessions(e, s, func(x *snapshot.Session) bool { return x.Person == a.ID })
}

// AmendDuties gives one of the organisation's people other duties. Nobody
// amends their own; nor does whoever proposed the person, or asked for their
// key, add a duty: the person was approved for other ones, and who approved them
// has no say in this act. Else one person with a stand-in of their own could do both
// sides of everything.
type AmendDuties struct {
	ID     id.Person `json:"id"`
	Duties []Duty    `json:"duties"`
}

func (a AmendDuties) Subject() snapshot.Subject { return subject(snapshot.NounPerson, a.ID) }

func (a AmendDuties) apart(v *snapshot.View) []id.Person {
	out := []id.Person{a.ID}
	if p, ok := v.Persons.Get(a.ID); ok && p.State == snapshot.Approved && !subset(words(a.Duties), p.Duties) {
		out = append(out, p.RequestedBy)
	}
	return out
}

func (a AmendDuties) check(v *snapshot.View, by Actor, _ time.Time) error {
	p, ok := v.Persons.Get(a.ID)
	if !ok {
		return found("id", v.Persons, a.ID)
	}
	if p.Vendor != "" {
		return conflict("id", "Duties are for the organisation's people", "A vendor's person works through a grant")
	}
	return first(amendable(fmt.Sprintf("Person %q", a.ID), p.Approval, by), checkDuties("duties", a.Duties))
}

func (a AmendDuties) apply(e *snapshot.Edit, _ Stamp) {
	change(e, e.View().Persons, a.ID, func(p *snapshot.Person) { p.Duties = words(a.Duties) })
}

// RegisterPersonKey gives one of the organisation's people another certificate
// key. Whoever holds the present key may change it. Anyone else may only ask:
// the person then needs a new approval, since a key put in by one person alone
// would let that person act as the other.
type RegisterPersonKey struct {
	ID     id.Person          `json:"id"`
	Key256 snapshot.KeyDigest `json:"key_sha256"`
}

func (a RegisterPersonKey) Subject() snapshot.Subject { return subject(snapshot.NounPerson, a.ID) }

func (a RegisterPersonKey) check(v *snapshot.View, by Actor, _ time.Time) error {
	p, ok := v.Persons.Get(a.ID)
	if !ok {
		return found("id", v.Persons, a.ID)
	}
	if p.Vendor != "" {
		return conflict("id", "Certificate keys are for the organisation's people", "Enrol a device of the vendor instead")
	}
	if err := first(amendable(fmt.Sprintf("Person %q", a.ID), p.Approval, by), freshKey(v, "key_sha256", a.Key256, false)); err != nil {
		return err
	}
	if by.Person != a.ID && p.State == snapshot.Approved && !approvable(v, a.ID, by.Person) {
		return conflict("id", "Nobody would be left who can approve the new key", "Have the person change it with the present key, or have a third person approved first")
	}
	return nil
}

// approvable says whether somebody besides these two can approve a person.
func approvable(v *snapshot.View, not ...id.Person) bool {
	spec, _ := SpecOf(ApprovePerson{})
	for _, p := range v.Persons.All() {
		if p.Vendor == "" && p.State == snapshot.Approved && !slices.Contains(not, p.ID) && !held(v, snapshot.NounPerson, string(p.ID)) &&
			slices.ContainsFunc(spec.Duties, func(d Duty) bool { return slices.Contains(p.Duties, string(d)) }) {
			return true
		}
	}
	return false
}

func (a RegisterPersonKey) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Persons, a.ID, func(p *snapshot.Person) {
		p.Key256 = a.Key256
		reapprove(p, s)
	})
}

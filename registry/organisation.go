package registry

import (
	"time"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// BootstrapOrganisation makes the first person, an operator, on an empty
// registry. Nobody approved it, and the log says so: the kind of the act is its
// own, and the approver is the person.
type BootstrapOrganisation struct {
	ID     id.Person          `json:"id"`
	Name   string             `json:"name"`
	Key256 snapshot.KeyDigest `json:"key_sha256"`
}

func (a BootstrapOrganisation) Subject() snapshot.Subject { return subject(snapshot.NounPerson, a.ID) }

func (a BootstrapOrganisation) check(v *snapshot.View, by Actor, _ time.Time) error {
	if v.Version() != 0 {
		return conflict("", "The registry is not empty", "Propose the person instead: sallyport person propose")
	}
	if by.Person != a.ID {
		return badField("id", "is not the person who acts", "The first person makes themselves")
	}
	return first(fresh("id", v.Persons, a.ID), notReserved("id", a.ID), required("name", a.Name, `"Ada Example"`), freshKey(v, "key_sha256", a.Key256, false))
}

func (a BootstrapOrganisation) apply(e *snapshot.Edit, s Stamp) {
	e.Put(&snapshot.Person{ID: a.ID, Name: a.Name, Classification: hipaa.Workforce, Basis: "first person, made by init",
		Duties: []string{string(Operator)}, Key256: a.Key256, Approval: approved(asked(s), s)})
}

// AdmitSecondPerson lets the first person approve the second, whom nobody else
// could approve. It is possible once: while exactly one of the organisation's
// people was ever approved.
type AdmitSecondPerson struct {
	ID id.Person `json:"id"`
}

func (a AdmitSecondPerson) Subject() snapshot.Subject { return subject(snapshot.NounPerson, a.ID) }

func (a AdmitSecondPerson) check(v *snapshot.View, by Actor, _ time.Time) error {
	if err := personIn(v, a.ID, snapshot.Proposed); err != nil {
		return err
	}
	if everApproved(v) != 1 {
		return conflict("", "The second person was admitted already", "Have another person approve: sallyport person approve")
	}
	if p, _ := v.Persons.Get(a.ID); p.Vendor != "" || p.ID == by.Person {
		return conflict("id", "The second person must be another of the organisation's people", "Propose one without a vendor")
	}
	return nil
}

func (a AdmitSecondPerson) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Persons, a.ID, func(p *snapshot.Person) { p.Approval = approved(p.Approval, s) })
}

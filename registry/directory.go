package registry

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// AmendPerson replaces a person's particulars. A directory amends the name and
// the region of its own people; how they are classified stays what was approved.
// Whatever could open a door that was shut (a region that is not part of the old
// one, another classification or basis) needs a new approval, and until then the
// person stands still.
type AmendPerson struct {
	ID             id.Person            `json:"id"`
	Name           string               `json:"name"`
	Classification hipaa.Classification `json:"classification"`
	Basis          string               `json:"basis"`
	Region         string               `json:"region,omitempty"`
}

// Subject implements Act.
func (a AmendPerson) Subject() snapshot.Subject { return subject(snapshot.NounPerson, a.ID) }

func (a AmendPerson) about(v *snapshot.View, _ Actor) party { return personParty(v, a.ID) }

func (a AmendPerson) apart(*snapshot.View) []id.Person { return []id.Person{a.ID} }

func (a AmendPerson) check(v *snapshot.View, by Actor, _ time.Time) error {
	if err := personIn(v, a.ID, snapshot.Proposed, snapshot.Approved, snapshot.Suspended); err != nil {
		return err
	}
	p, _ := v.Persons.Get(a.ID)
	if p.State == snapshot.Proposed {
		if err := amendable(fmt.Sprintf("Person %q", a.ID), p.Approval, by); err != nil {
			return err
		}
	}
	if err := first(required("name", a.Name, `"Ada Example"`),
		oneOf("classification", a.Classification, []hipaa.Classification{hipaa.Workforce, hipaa.BusinessAssociate}),
		required("basis", a.Basis, `"employee of the vendor, not under our direct control"`)); err != nil {
		return err
	}
	if by.Connector != "" && (a.Classification != p.Classification || a.Basis != p.Basis) {
		return badField("classification", "is the organisation's to change", "Leave classification and basis as they are")
	}
	regionOK := optionalRegion
	if p.Vendor != "" {
		regionOK = region
	}
	if err := regionOK("region", a.Region); err != nil {
		return err
	}
	if a.opens(p) {
		if err := noOthersRequest(p, by.Name()); err != nil {
			return err
		}
	}
	if a.opens(p) && p.Vendor == "" && p.State == snapshot.Approved && !approvable(v, append(behind(v, by.Name()), a.ID, by.Person)...) {
		return conflict("id", "Nobody would be left who can approve the change", "Have a third person approved first")
	}
	return nil
}

// opens reports whether the change could let the person do more than before.
func (a AmendPerson) opens(p *snapshot.Person) bool {
	narrower := a.Region == p.Region || p.Region != "" && strings.HasPrefix(a.Region, p.Region+"-")
	return a.Classification != p.Classification || a.Basis != p.Basis || !narrower
}

func (a AmendPerson) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Persons, a.ID, func(p *snapshot.Person) {
		if a.opens(p) {
			reapprove(p, s)
		}
		p.Name, p.Classification, p.Basis, p.Region = a.Name, a.Classification, a.Basis, a.Region
	})
}

// LinkDirectory says who a person is to their vendor's directory, so that what
// the directory tells of them counts. It gives the directory nothing that it may
// not do already, and the person nothing at all: no approval is needed. A
// directory renames its own people, and takes nobody else over.
type LinkDirectory struct {
	ID        id.Person          `json:"id"`
	Directory snapshot.Directory `json:"directory"`
}

// Subject implements Act.
func (a LinkDirectory) Subject() snapshot.Subject { return subject(snapshot.NounPerson, a.ID) }

func (a LinkDirectory) about(v *snapshot.View, by Actor) party {
	p, ok := v.Persons.Get(a.ID)
	if !ok || p.Directory.Connector == "" || p.Directory.Connector != by.Connector {
		return party{}
	}
	return personParty(v, a.ID)
}

func (a LinkDirectory) check(v *snapshot.View, by Actor, _ time.Time) error {
	if err := personIn(v, a.ID, snapshot.Proposed, snapshot.Approved, snapshot.Suspended); err != nil {
		return err
	}
	p, _ := v.Persons.Get(a.ID)
	return checkDirectory(v, "directory", p.Vendor, a.ID, a.Directory, by)
}

// MaxDirectoryName is the longest name by which a directory knows a person, in
// bytes.
const MaxDirectoryName = 255

// checkDirectory wants a name at a SCIM client of the same vendor that no other
// person there has.
func checkDirectory(v *snapshot.View, field string, vendor id.Vendor, person id.Person, d snapshot.Directory, by Actor) error {
	if err := exists(field+".connector", v.Connectors, d.Connector); err != nil {
		return err
	}
	c, _ := v.Connectors.Get(d.Connector)
	switch {
	case c.Kind != snapshot.SCIMClient || c.State == snapshot.Ended:
		return badField(field+".connector", "is not a directory, or no longer", "Name a connector of kind scim")
	case c.Vendor != vendor || by.Connector != "" && by.Connector != c.ID:
		return badField(field+".connector", "is another's directory", "Name the directory of the person's own vendor")
	case d.UserName == "" || len(d.UserName) > MaxDirectoryName:
		return badField(field+".user_name", "is missing or too long", fmt.Sprintf("Write the directory's userName, 1 to %d bytes (RFC 7643, section 4.1.1)", MaxDirectoryName))
	case len(d.ExternalID) > MaxDirectoryName:
		return badField(field+".external_id", "is too long", fmt.Sprintf("Use at most %d bytes", MaxDirectoryName))
	}
	for _, p := range v.PersonsOfDirectory(d.Connector) {
		if p.ID != person && p.State != snapshot.Ended && strings.EqualFold(p.Directory.UserName, d.UserName) {
			return conflict(field+".user_name", "Another person of the directory has this userName", "One person, one account: accounts are not shared")
		}
	}
	return first(shortText(field+".user_name", d.UserName), shortText(field+".external_id", d.ExternalID), shortText(field+".formatted", d.Formatted),
		shortText(field+".given_name", d.GivenName), shortText(field+".family_name", d.FamilyName), shortText(field+".display_name", d.DisplayName))
}

func (a LinkDirectory) apply(e *snapshot.Edit, _ Stamp) {
	change(e, e.View().Persons, a.ID, func(p *snapshot.Person) { p.Directory = a.Directory })
}

// SuspendPerson stops a person until whoever suspended them resumes them, and
// ends their sessions. Several can suspend one person, each for reasons of their
// own: the organisation for an incident, the vendor's directory since the person
// has left. One who was only proposed can be suspended, too, and cannot be
// approved meanwhile.
type SuspendPerson struct {
	ID id.Person `json:"id"`
}

// Subject implements Act.
func (a SuspendPerson) Subject() snapshot.Subject { return subject(snapshot.NounPerson, a.ID) }

func (a SuspendPerson) about(v *snapshot.View, _ Actor) party {
	p := personParty(v, a.ID)
	p.connectors = append(p.connectors, snapshot.SSFSender)
	return p
}

func (a SuspendPerson) check(v *snapshot.View, by Actor, _ time.Time) error {
	if err := personIn(v, a.ID, snapshot.Proposed, snapshot.Approved, snapshot.Suspended); err != nil {
		return err
	}
	if p, _ := v.Persons.Get(a.ID); slices.Contains(p.SuspendedBy, by.Name()) {
		return conflict("id", fmt.Sprintf("%q has suspended the person already", string(by.Name())), "Nothing is left to do")
	}
	return twoRemain(v, a.ID, "suspended")
}

func (a SuspendPerson) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Persons, a.ID, func(p *snapshot.Person) {
		p.State, p.SuspendedBy = snapshot.Suspended, append(slices.Clip(p.SuspendedBy), s.By)
	})
	endSessions(e, s, func(x *snapshot.Session) bool { return x.Person == a.ID })
}

// ResumePerson ends suspensions: a connector its own, one of the organisation's
// people all that the organisation's people placed, or, where only programs'
// suspensions stand, those. Nobody resumes themselves. When no suspension is
// left the person stands where they stood: who was never approved, or was to be
// approved anew, is proposed.
type ResumePerson struct {
	ID id.Person `json:"id"`
}

// Subject implements Act.
func (a ResumePerson) Subject() snapshot.Subject { return subject(snapshot.NounPerson, a.ID) }

func (a ResumePerson) about(v *snapshot.View, by Actor) party {
	p, ok := v.Persons.Get(a.ID)
	if !ok || by.Name() == "" || !slices.Contains(p.SuspendedBy, by.Name()) {
		return party{}
	}
	out := personParty(v, a.ID)
	out.connectors = append(out.connectors, snapshot.SSFSender)
	return out
}

func (a ResumePerson) apart(*snapshot.View) []id.Person { return []id.Person{a.ID} }

func (a ResumePerson) check(v *snapshot.View, _ Actor, _ time.Time) error {
	return personIn(v, a.ID, snapshot.Suspended)
}

func (a ResumePerson) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Persons, a.ID, func(p *snapshot.Person) {
		left := slices.DeleteFunc(slices.Clone(p.SuspendedBy), func(by id.Person) bool {
			if isProgram(s.By) {
				return by == s.By
			}
			return !isProgram(by)
		})
		if len(left) == len(p.SuspendedBy) && !isProgram(s.By) {
			left = nil
		}
		p.SuspendedBy = left
		switch {
		case len(left) > 0:
		case p.ApprovedBy == "":
			p.State = snapshot.Proposed
		default:
			p.State = snapshot.Approved
		}
		if len(left) == 0 {
			p.SuspendedBy = nil
		}
	})
}

// isProgram reports whether this is the name of a connector or a device.
func isProgram(p id.Person) bool {
	for _, prefix := range []string{connectorPrefix, devicePrefix, linkPrefix, clockPrefix} {
		if strings.HasPrefix(string(p), prefix) {
			return true
		}
	}
	return false
}

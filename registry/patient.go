package registry

import (
	"fmt"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// The acts of this file are done by the gateway's custody alone, which is told
// the patients' ids: it changes the vault, and the act records that. Done beside
// it they would say what is not so, so neither API nor command offers them
// (Spec.Custody). They change no record of the view: decisions ask the vault.

// custodyPath is where custody answers.
const custodyPath = "/v1/custody/"

// PatientHold is why a patient's data is held back.
type PatientHold string

// The kinds of hold, as the vault has them.
const (
	Restriction PatientHold = "restriction" // agreed with the patient: 45 CFR 164.522(a)
	OptOut      PatientHold = "opt-out"     // the patient does not take part
)

// What these acts are about. Neither is a record of the view.
const (
	NounPatient snapshot.Noun = "patient"
	NounCohort  snapshot.Noun = "cohort"
	NounCode    snapshot.Noun = "code"
)

// HoldPatient says that a patient's data is held back from now on.
type HoldPatient struct {
	Source id.Source `json:"source"`
	// Patient is the owner's keyed pseudonym, as the audit log has it: 22
	// characters of base64url. It is never the patient's id.
	Patient string      `json:"patient"`
	Hold    PatientHold `json:"hold"`
}

// ReleasePatient says that a hold ends. It needs one person: what was agreed
// with the patient ends by the patient's word or by notice (45 CFR
// 164.522(a)(2)), and every other gate still stands.
type ReleasePatient HoldPatient

func (a HoldPatient) Subject() snapshot.Subject    { return pseudonymous(a.Patient) }
func (a ReleasePatient) Subject() snapshot.Subject { return pseudonymous(a.Patient) }

// pseudonymous puts "p." before the pseudonym: that may begin with '-' or '_',
// and an id may not.
func pseudonymous(patient string) snapshot.Subject {
	return snapshot.Subject{Noun: NounPatient, ID: "p." + patient}
}

func (a HoldPatient) check(v *snapshot.View, _ Actor, _ time.Time) error {
	return first(
		knownSource(v, "source", a.Source),
		pseudonym("patient", a.Patient),
		oneOf("hold", a.Hold, []PatientHold{Restriction, OptOut}))
}

func (a ReleasePatient) check(v *snapshot.View, by Actor, now time.Time) error {
	return HoldPatient(a).check(v, by, now)
}

func (HoldPatient) apply(*snapshot.Edit, Stamp)    {}
func (ReleasePatient) apply(*snapshot.Edit, Stamp) {}

// pseudonym wants 16 bytes in base64url, which no patient's id is by accident.
// What was given is not quoted: it may be a patient's id.
func pseudonym(field, v string) error {
	bad := badField(field, "is not a keyed pseudonym", "Put patients on hold with: sallyport patient hold")
	if len(v) != 22 {
		return bad
	}
	for i := range len(v) {
		c := v[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
			return bad
		}
	}
	switch v[21] { // 22 characters hold 132 bits, and the last four are nought
	case 'A', 'Q', 'g', 'w':
		return nil
	}
	return bad
}

// DefineCohort says that a list of patients, which the vault holds, is a cohort.
// Grants name it by id and digest. It never changes.
type DefineCohort struct {
	ID       string    `json:"id"` // as grants' cohort.ref names it
	Source   id.Source `json:"source"`
	Digest   string    `json:"digest_sha256"` // over the members' keyed pseudonyms
	Patients int       `json:"patients"`      // how many
}

func (a DefineCohort) Subject() snapshot.Subject { return subject(NounCohort, a.ID) }

func (a DefineCohort) check(v *snapshot.View, _ Actor, _ time.Time) error {
	if err := first(formed("id", a.ID), knownSource(v, "source", a.Source), sha256Hex("digest_sha256", a.Digest)); err != nil {
		return err
	}
	if a.Patients < 1 {
		return badField("patients", fmt.Sprintf("%d is not a number of patients", a.Patients), "Give at least one: a cohort of nobody releases nothing")
	}
	return nil
}

func (DefineCohort) apply(*snapshot.Edit, Stamp) {}

// RevealCode says that one of the organisation's people was told whose code it
// is that an engagement's releases carry: to reach a patient about whom the
// vendor found something, say. It is recorded before the person is told.
type RevealCode struct {
	Engagement id.Engagement `json:"engagement"`
	Code       string        `json:"code"` // as released: a FHIR id that says nothing
}

func (a RevealCode) Subject() snapshot.Subject { return subject(NounCode, a.Code) }

func (a RevealCode) check(v *snapshot.View, _ Actor, _ time.Time) error {
	if err := exists("engagement", v.Engagements, a.Engagement); err != nil {
		return err
	}
	if k, _ := v.Keys.Get(a.Engagement); k.Ordered() {
		return errKeyDestroyed(a.Engagement)
	}
	// No longer and no shorter than codes are: a patient's id is not recorded in
	// place of one.
	if len(a.Code) != 33 && len(a.Code) != 64 || id.Check(a.Code) != nil {
		return badField("code", "is not a code of a release", "Give the id as the vendor has it, without the resource type")
	}
	return nil
}

func (RevealCode) apply(*snapshot.Edit, Stamp) {}

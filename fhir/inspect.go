package fhir

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"slices"

	"github.com/sallyport/sallyport/fhir/spec"
)

// Label is a security label: a coding of meta.security, such as 42 CFR Part 2's
// (http://terminology.hl7.org/CodeSystem/v3-ActCode, 42CFRPart2). Where a coding
// has no system, System is "".
type Label struct{ System, Code string }

// Facts are what the gates must know about a resource before it may be released.
// It prints as [PHI]: a patient's id is patient data.
type Facts struct {
	Type string // the resource's own
	ID   string // the resource's own; "" if it has none

	// Patients are the ids of the patients whose record the resource is part of, by
	// R4's patient compartment and beyond it (spec.PatientElements): a Patient's own
	// id; the literal references of the elements that count; of contained resources
	// and of resources in a nested Bundle or Parameters too.
	Patients []string
	// Unresolved counts references that count and may name a patient, but do not say
	// which: contained, urn, conditional, identifier without reference, absolute on
	// another server, or not a reference at all. With one of them it is not known
	// whose the resource is: refuse it.
	Unresolved int
	// Labels are the security labels, of contained and nested resources too, without
	// doubles. Unlabelled counts labels that have no code, which no gate can judge.
	Labels     []Label
	Unlabelled int

	seen    map[string]struct{} // Patients, once they are many: a Group can have a hundred thousand members
	scanned int                 // bytes looked through for contained resources
}

// Bounds on work that would grow with the square of a document made for it. More
// than that is refused, or left unresolved, which is refused too.
const (
	maxLabels  = 1000
	maxScanned = 64 << 20
	fewEnough  = 64
)

// Format implements fmt.Formatter.
func (Facts) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "[PHI]") }

// LogValue implements slog.LogValuer.
func (Facts) LogValue() slog.Value { return slog.StringValue("[PHI]") }

// maxNesting is how deep Bundles may hold Bundles before they are refused.
const maxNesting = 4

// Inspect adds what a resource says about itself to f, which the caller has reset
// or wants to add to (the entries of a Bundle); Type and ID are set anew. The
// resource was checked before (it came from a Reader, or passed Check). bases are
// this server's addresses, as for ParseRef.
func (f *Facts) Inspect(resource []byte, bases ...string) error {
	f.Type, f.ID, f.scanned = "", "", 0
	t, id, err := f.inspect(resource, place{bases: bases})
	if err == nil && len(f.Labels) >= maxLabels {
		err = errLabels
	}
	if err != nil {
		return explain(err)
	}
	f.Type, f.ID = t, id
	return nil
}

// Reset empties f and keeps its memory.
func (f *Facts) Reset() {
	*f = Facts{Patients: f.Patients[:0], Labels: f.Labels[:0]}
}

// Meta adds the security labels of a meta element, such as a Bundle's own.
func (f *Facts) Meta(meta []byte) {
	for coding := range Items(member(meta, "security")) {
		code, ok := text(member(coding, "code"))
		if !ok || len(code) == 0 {
			f.Unlabelled++
			continue
		}
		system, _ := text(member(coding, "system"))
		if len(f.Labels) >= maxLabels {
			f.Unlabelled++
			continue
		}
		if !slices.ContainsFunc(f.Labels, func(l Label) bool { return l.Code == string(code) && l.System == string(system) }) {
			f.Labels = append(f.Labels, Label{System: string(system), Code: string(code)})
		}
	}
}

// place says where a resource stands: a contained one has no identity of its own,
// and its "#" references are to its container's other contained resources.
type place struct {
	bases     []string
	level     int
	contained bool
	siblings  []byte // the container's "contained"
}

func (f *Facts) inspect(resource []byte, at place) (typ, id string, err error) {
	if at.level > maxNesting {
		return "", "", errDeep
	}
	typ, err = typeOf(resource)
	if err != nil {
		return "", "", err
	}
	type counted struct {
		value []byte
		node  *spec.PatientNode
	}
	var few [4]counted
	later := few[:0] // a reference can stand before what it refers to
	tree := spec.PatientTree(typ)
	inner := place{bases: at.bases, level: at.level + 1}
	for name, value := range Members(resource) {
		switch string(name) {
		case "id":
			s, ok := text(value)
			if !ok || !spec.ValidID(s) {
				return "", "", errBadID
			}
			id = string(s)
		case "meta":
			f.Meta(value)
		case "contained":
			if at.contained {
				return "", "", errNotResource // R4 forbids it (dom-2)
			}
			at.siblings = value
		case "entry":
			if typ == "Bundle" {
				for e := range Items(value) {
					if err := f.held(e, inner); err != nil {
						return "", "", err
					}
				}
			}
		case "parameter":
			if typ == "Parameters" {
				if err := f.parameters(value, inner); err != nil {
					return "", "", err
				}
			}
		}
		if next := tree.Next[string(name)]; next != nil {
			later = append(later, counted{value, next})
		}
	}
	if !at.contained {
		for c := range Items(at.siblings) {
			within := inner
			within.contained, within.siblings = true, at.siblings
			if _, _, err := f.inspect(c, within); err != nil {
				return "", "", err
			}
		}
	}
	if typ == "Patient" {
		if at.contained || id == "" {
			f.Unresolved++ // a person without an identity here
		} else {
			f.patient(id)
		}
	}
	for _, c := range later {
		f.node(c.value, c.node, at)
	}
	return typ, id, nil
}

// held inspects the resource that a bundle entry or a parameter holds.
func (f *Facts) held(holder []byte, at place) error {
	r := member(holder, "resource")
	if r == nil {
		return nil
	}
	_, _, err := f.inspect(r, at)
	return err
}

func (f *Facts) parameters(list []byte, at place) error {
	for p := range Items(list) {
		if err := f.held(p, at); err != nil {
			return err
		}
		if part := member(p, "part"); part != nil {
			if err := f.parameters(part, at); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *Facts) node(value []byte, n *spec.PatientNode, at place) {
	for v := range Items(value) {
		if n.Reference {
			f.reference(v, at)
			continue
		}
		for name, inside := range Members(v) {
			if next := n.Next[string(name)]; next != nil {
				f.node(inside, next, at)
			}
		}
	}
}

// reference judges one Reference that counts. A display alone refers to nothing:
// no server's compartment could hold it.
func (f *Facts) reference(value []byte, at place) {
	var ref Ref
	var typ []byte
	has, identified := false, false
	if len(value) == 0 || value[0] != '{' {
		f.Unresolved++
		return
	}
	for name, v := range Members(value) {
		switch string(name) {
		case "reference":
			has = true
			if s, ok := text(v); ok {
				ref = ParseRef(string(s), at.bases...)
			}
		case "type":
			typ, _ = text(v)
		case "identifier":
			identified = true
		}
	}
	otherwise := len(typ) > 0 && !bytes.Equal(typ, patientType) && spec.IsResource(string(typ))
	switch {
	case !has && !identified:
	case ref.Kind == Literal && ref.Type == "Patient":
		f.patient(ref.ID)
	case ref.Kind == Literal:
	case (ref.Kind == Foreign || ref.Kind == Conditional) && ref.Type != "" && ref.Type != "Patient":
	case ref.Kind == Contained && f.containedOther(ref.Fragment, at):
	case !has && otherwise, ref.Kind == URN && otherwise:
		// It says that it is a Practitioner, say: not a patient.
	default:
		f.Unresolved++
	}
}

var patientType = []byte("Patient")

// containedOther says whether "#fragment" is a contained resource that is no
// Patient.
func (f *Facts) containedOther(fragment string, at place) bool {
	if f.scanned += len(at.siblings); f.scanned > maxScanned {
		return false
	}
	for c := range Items(at.siblings) {
		if s, ok := text(member(c, "id")); ok && string(s) == fragment && fragment != "" {
			t, err := typeOf(c)
			return err == nil && t != "Patient"
		}
	}
	return false
}

func (f *Facts) patient(id string) {
	if len(f.Patients) < fewEnough {
		if !slices.Contains(f.Patients, id) {
			f.Patients = append(f.Patients, id)
		}
		return
	}
	if f.seen == nil {
		f.seen = make(map[string]struct{}, 4*fewEnough)
		for _, p := range f.Patients {
			f.seen[p] = struct{}{}
		}
	}
	if _, ok := f.seen[id]; !ok {
		f.seen[id] = struct{}{}
		f.Patients = append(f.Patients, id)
	}
}

package spec

import (
	"slices"
	"strings"
)

// PatientElement is an element whose reference to a Patient makes the resource
// that holds it part of that patient's record.
type PatientElement struct {
	Path string   // "Observation.subject"
	JSON []string // the names that lead to the Reference: ["participant" "actor"]; lists on the way are arrays
	// Beyond says that R4's compartment leaves the resource type out: see
	// PatientElements.
	Beyond bool
}

// PatientNode is the same knowledge as a tree for walking a resource's JSON: skip
// each member that Next does not name. It can have cycles, where an element holds
// itself (Contract.term.group).
type PatientNode struct {
	Next map[string]*PatientNode // by JSON name
	// Reference says that the member is a Reference that counts.
	Reference bool
}

// PatientElements lists the elements. For a resource type in the patient
// compartment they are the references that the compartment's parameters read. For
// one that R4 leaves out although it can name a patient (Device.patient, Task.for,
// Contract.subject, GuidanceResponse.subject ...), they are all its references
// that may target a Patient, marked Beyond: by R4 such a resource is nobody's, but
// releasing it would tell about that patient. The caller must not change the list.
func PatientElements(resource string) []PatientElement { return load().subjects[resource] }

// PatientTree is PatientElements as a tree, nil for a type that is no resource.
func PatientTree(resource string) *PatientNode { return load().trees[resource] }

func (d *definitions) patientElements(resource string) ([]PatientElement, *PatientNode) {
	w := &patientWalk{resource: resource, beyond: true, nodes: map[*Type]*PatientNode{}}
	if params, ok := d.patient[resource]; ok {
		w.beyond = false
		for _, code := range params {
			if p := d.search[resource][code]; p != nil {
				w.read = append(w.read, p.Elements...)
			}
		}
	}
	root := w.node(d.types[resource], nil)
	prune(root, map[*PatientNode]bool{})
	return w.found, root
}

type patientWalk struct {
	resource string
	beyond   bool
	read     []string // what the compartment's parameters read
	found    []PatientElement
	nodes    map[*Type]*PatientNode
}

// node follows backbone elements only: a patient named inside an extension, an
// annotation's author or a contained resource does not own the resource.
func (w *patientWalk) node(t *Type, names []string) *PatientNode {
	if n := w.nodes[t]; n != nil {
		return n
	}
	n := &PatientNode{Next: map[string]*PatientNode{}}
	w.nodes[t] = n
	for _, e := range t.Elements {
		here := append(slices.Clip(names), e.JSON)
		switch {
		case e.Type.Kind == Backbone:
			n.Next[e.JSON] = w.node(e.Type, here)
		case e.MayTarget("Patient"):
			path := w.resource + "." + strings.Join(here, ".")
			if e.Choice {
				path = strings.TrimSuffix(path, e.JSON) + e.Name + "[x]"
			}
			if w.beyond || slices.ContainsFunc(w.read, func(r string) bool { return r == path }) {
				n.Next[e.JSON] = &PatientNode{Reference: true}
				w.found = append(w.found, PatientElement{Path: path, JSON: here, Beyond: w.beyond})
			}
		}
	}
	return n
}

// prune cuts the branches that lead to no reference.
func prune(n *PatientNode, busy map[*PatientNode]bool) bool {
	if n.Reference || busy[n] {
		return n.Reference
	}
	busy[n] = true
	for name, next := range n.Next {
		if !busy[next] && !prune(next, busy) {
			delete(n.Next, name)
		}
	}
	return len(n.Next) > 0
}

package diligence

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// Node is a vendor in the tree of those to whom data is passed on (45 CFR
// 164.502(e)(1)(ii), 164.504(e)(5)).
type Node struct {
	Vendor id.Vendor      `json:"vendor"`
	Name   string         `json:"name,omitempty"`
	State  snapshot.State `json:"state,omitempty"` // empty: not registered
	// For are the engagements that name it as a subprocessor; empty: its parent names it.
	For []id.Engagement `json:"for,omitempty"`
	// Agreement covers the link from its parent; empty: none does, and Lacks says why.
	Agreement id.Agreement `json:"agreement,omitempty"`
	Lacks     []string     `json:"lacks,omitempty"` // of LinkFaults
	// Again says that the vendor stands in the tree already: what is below it is shown
	// there.
	Again bool   `json:"again,omitempty"`
	Below []Node `json:"below,omitempty"`
}

// LinkFaults are why the link from a vendor to its own vendor is not covered.
var LinkFaults = []string{"no-agreement", "not-approved", "same-person", "no-document", "unsigned", "not-begun", "ended", "terms-missing"}

// Tree is the vendor and all to whom it passes data on, with the agreement that covers
// each link. It reads an agreement as the gate "subcontractors" does.
func Tree(v *snapshot.View, vendor id.Vendor, now time.Time) Node {
	root := node(v, vendor)
	seen := map[id.Vendor]bool{vendor: true}
	grow(v, &root, seen, now)
	return root
}

// Below lists every vendor below one, each once, in the order of the tree.
func Below(v *snapshot.View, vendor id.Vendor) []id.Vendor {
	var out []id.Vendor
	seen := map[id.Vendor]bool{vendor: true}
	for queue := []id.Vendor{vendor}; len(queue) > 0; queue = queue[1:] {
		for _, x := range children(v, queue[0], queue[0] == vendor) {
			if !seen[x] {
				seen[x] = true
				out = append(out, x)
				queue = append(queue, x)
			}
		}
	}
	return out
}

// Uncovered lists the links of the tree that lack an agreement, parent first.
func (n Node) Uncovered() [][2]id.Vendor {
	var out [][2]id.Vendor
	for _, x := range n.Below {
		if x.Agreement == "" && !x.Again {
			out = append(out, [2]id.Vendor{n.Vendor, x.Vendor})
		}
		out = append(out, x.Uncovered()...)
	}
	return out
}

func node(v *snapshot.View, vendor id.Vendor) Node {
	n := Node{Vendor: vendor}
	if w, ok := v.Vendors.Get(vendor); ok {
		n.Name, n.State = w.Name, w.State
	}
	return n
}

// children are a vendor's subcontractors, and for the first of a tree the subprocessors
// of its engagements too.
func children(v *snapshot.View, vendor id.Vendor, first bool) []id.Vendor {
	var out []id.Vendor
	if first {
		for _, e := range v.EngagementsOf(vendor) {
			if e.State != snapshot.Ended {
				out = append(out, e.Subprocessors...)
			}
		}
	}
	if w, ok := v.Vendors.Get(vendor); ok {
		out = append(out, w.Subcontractors...)
	}
	return out
}

func grow(v *snapshot.View, n *Node, seen map[id.Vendor]bool, now time.Time) {
	first := len(seen) == 1
	below := map[id.Vendor]int{}
	for _, x := range children(v, n.Vendor, first) {
		if _, ok := below[x]; ok || x == n.Vendor {
			continue
		}
		below[x] = len(n.Below)
		n.Below = append(n.Below, node(v, x))
	}
	if first {
		for _, e := range v.EngagementsOf(n.Vendor) {
			if e.State == snapshot.Ended {
				continue
			}
			for _, x := range e.Subprocessors {
				if i, ok := below[x]; ok && !slices.Contains(n.Below[i].For, e.ID) {
					n.Below[i].For = append(n.Below[i].For, e.ID)
				}
			}
		}
	}
	for i := range n.Below {
		x := &n.Below[i]
		x.Agreement, x.Lacks = covered(v, n.Vendor, x.Vendor, now)
		if seen[x.Vendor] {
			x.Again = true
			continue
		}
		seen[x.Vendor] = true
	}
	for i := range n.Below {
		if !n.Below[i].Again {
			grow(v, &n.Below[i], seen, now)
		}
	}
}

// covered finds an agreement in force from a vendor to its own vendor; else what the
// one that comes nearest lacks.
func covered(v *snapshot.View, parent, child id.Vendor, now time.Time) (id.Agreement, []string) {
	lacks := []string{"no-agreement"}
	found := false
	for _, a := range v.AgreementsOf(parent) {
		if a.Kind != snapshot.SubcontractorBAA || a.Subcontractor != child {
			continue
		}
		faults := linkFaults(a, now)
		if len(faults) == 0 {
			return a.ID, nil
		}
		if !found || len(faults) < len(lacks) {
			found, lacks = true, faults
		}
	}
	return "", lacks
}

func linkFaults(a *snapshot.Agreement, now time.Time) []string {
	var out []string
	note := func(bad bool, what string) {
		if bad {
			out = append(out, what)
		}
	}
	over := false
	for _, t := range []time.Time{a.EndsAt, a.TerminatedAt, a.SuspendedAt, a.NoticesEnd()} {
		over = over || passed(t, now)
	}
	signed := func(p snapshot.Party) bool {
		return slices.ContainsFunc(a.Signatures, func(s snapshot.Signature) bool {
			return s.Party == p && s.Signer != "" && passed(s.At, now)
		})
	}
	missing := slices.ContainsFunc(hipaa.MandatoryTerms(), func(t hipaa.Term) bool { return !hasTerm(a, t) })
	note(a.State != snapshot.Approved || !passed(a.ApprovedAt, now), "not-approved")
	note(a.RequestedBy == "" || a.ApprovedBy == "" || a.RequestedBy == a.ApprovedBy, "same-person")
	note(len(a.Document) != 64, "no-document")
	note(!signed(snapshot.VendorParty) || !signed(snapshot.SubcontractorParty), "unsigned")
	note(!passed(a.EffectiveAt, now), "not-begun")
	note(over, "ended")
	note(missing, "terms-missing")
	return out
}

// hasTerm reads a mandatory term as gate/paper.go does; a test holds the two together.
func hasTerm(a *snapshot.Agreement, t hipaa.Term) bool {
	raw := a.Terms[t.Field].Value
	var list []any
	filled := json.Unmarshal(raw, &list) == nil && len(list) > 0
	switch {
	case t.Field == "instrument":
		return len(a.Signatures) > 0 && !a.EffectiveAt.IsZero()
	case t.Field == "permitted_uses":
		return len(a.PermittedUses) > 0 || filled
	case strings.HasPrefix(t.Type, "list"):
		return filled
	case t.Field == "delegated_obligations":
		var v struct {
			Reason string `json:"not_applicable"`
		}
		if json.Unmarshal(raw, &v) == nil && strings.TrimSpace(v.Reason) != "" {
			return true
		}
	}
	return strings.TrimSpace(string(raw)) == "true"
}

// passed reports whether t is now or in the past; the zero time has not passed.
func passed(t, now time.Time) bool { return !t.IsZero() && !now.Before(t) }

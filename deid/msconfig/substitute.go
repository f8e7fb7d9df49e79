package msconfig

import (
	"errors"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

var (
	errReplacement = errors.New("replaceWith is not an element of the type that stands here")
	errAbstract    = errors.New("substitute cannot make a structure that belongs to one element alone")
)

// substitute puts replaceWith in the place of an element. What an earlier rule
// has had keeps its place and its value, and so do the elements around it, empty
// but for that.
func (t *tree) substitute(r *rule, n *node) error {
	with, err := t.replacement(r, n)
	if err != nil {
		return err
	}
	keep := map[*node]bool{}
	toKeep(n, keep)
	n.takeFrom(with, keep)
	markBelow(n)
	return nil
}

func (t *tree) replacement(r *rule, n *node) (*node, error) {
	with := &node{name: n.name, typ: n.typ, def: n.def}
	if n.primitive() {
		if r.replaceWith != nil {
			with.val = textValue(*r.replaceWith)
		}
		return with, nil
	}
	if n.typ == "BackboneElement" || n.typ == "Element" {
		return nil, errAbstract
	}
	raw := "{}"
	if r.replaceWith != nil {
		raw = strings.TrimSpace(*r.replaceWith)
	}
	if !jsontext.Value(raw).IsValid() || raw[0] != '{' {
		return nil, errReplacement
	}
	p := &parser{src: raw, arena: t.mem}
	if err := p.object(with, n.resource(), 0); err != nil {
		return nil, errReplacement
	}
	return with, nil
}

// toKeep finds what rules have had, and everything above it.
func toKeep(n *node, keep map[*node]bool) bool {
	found := n.visited
	for _, k := range n.kids {
		found = toKeep(k, keep) || found
	}
	if found {
		keep[n] = true
	}
	return found
}

// takeFrom makes n what with is: child for child of one name, in order.
func (n *node) takeFrom(with *node, keep map[*node]bool) {
	if n.visited {
		return
	}
	replaced := map[string]bool{}
	for _, w := range with.kids {
		if replaced[w.name] {
			continue
		}
		replaced[w.name] = true
		news := with.named(w.name)
		i := 0
		for _, k := range n.named(w.name) {
			switch {
			case k.visited:
				i++
			case i < len(news):
				k.takeFrom(news[i], keep)
				i++
			case keep[k]:
				k.takeFrom(&node{}, keep)
			default:
				n.remove(k)
			}
		}
		for ; i < len(news); i++ {
			n.add(news[i])
		}
	}
	for _, k := range append([]*node(nil), n.kids...) {
		switch {
		case replaced[k.name] || k.visited:
		case keep[k]:
			k.takeFrom(&node{}, keep)
		default:
			n.remove(k)
		}
	}
	n.val = with.val
}

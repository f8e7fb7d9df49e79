package msconfig

import (
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/sallyport/sallyport/fhir/spec"
)

// node is an element of a resource: the tool works on a tree of these, not on
// JSON. A primitive's id and extensions are its children.
type node struct {
	name    string        // of the element: "value" for valueQuantity
	typ     string        // "Quantity", "Patient"; "BackboneElement" for Patient.contact
	def     *spec.Type    // what its children are
	el      *spec.Element // what it is in its parent; nil for the root
	val     value
	kids    []*node
	parent  *node
	visited bool // a rule has had it, and no later one may
}

// resource says whether a resource stands here: the root, a contained one, an
// entry's.
func (n *node) resource() bool { return n.def.Kind == spec.Resource }

// primitive says whether the type can have a value.
func (n *node) primitive() bool { return n.def.Kind == spec.Primitive }

// instance is the type name that rules see: a structure that belongs to one
// element has no name of its own there.
func instance(t *spec.Type) string {
	if t.Kind == spec.Backbone {
		return t.Base
	}
	return t.Name
}

// named gives the children of one name, in order.
func (n *node) named(name string) []*node {
	var out []*node
	for _, k := range n.kids {
		if k.name == name {
			out = append(out, k)
		}
	}
	return out
}

func (n *node) child(name string) *node {
	for _, k := range n.kids {
		if k.name == name {
			return k
		}
	}
	return nil
}

func (n *node) remove(kid *node) {
	for i, k := range n.kids {
		if k == kid {
			// A slice of its own: whoever is walking the old one goes on undisturbed.
			n.kids = append(append(make([]*node, 0, len(n.kids)), n.kids[:i]...), n.kids[i+1:]...)
			kid.parent = nil
			return
		}
	}
}

// add puts a copy of kid, which may belong to another tree, at the end.
func (n *node) add(kid *node) {
	c := copyOf(kid)
	c.parent = n
	if el := elementNamed(n.def, c.name); el != nil && !el.Choice {
		c.el = el
	}
	n.kids = append(n.kids, c)
}

func copyOf(n *node) *node {
	c := &node{name: n.name, typ: n.typ, def: n.def, el: n.el, val: n.val}
	for _, k := range n.kids {
		kid := copyOf(k)
		kid.parent = c
		c.kids = append(c.kids, kid)
	}
	return c
}

func elementNamed(t *spec.Type, name string) *spec.Element {
	for _, e := range t.Elements {
		if e.Name == name {
			return e
		}
	}
	return nil
}

func (n *node) root() *node {
	for n.parent != nil {
		n = n.parent
	}
	return n
}

// descend calls f for everything below n. It does not go into a resource below
// n; skipResources leaves those out altogether.
func (n *node) descend(skipResources bool, f func(*node)) {
	for _, k := range n.kids {
		if k.resource() {
			if !skipResources {
				f(k)
			}
			continue
		}
		f(k)
		k.descend(skipResources, f)
	}
}

// prune removes what has neither value nor children, resources excepted.
func (n *node) prune() {
	kept := n.kids[:0]
	for _, k := range n.kids {
		k.prune()
		if len(k.kids) > 0 || k.val.kind != none || k.resource() {
			kept = append(kept, k)
		}
	}
	n.kids = kept
}

// maxDepth bounds how deep elements may lie within each other.
const maxDepth = 200

// parser reads JSON that has been checked to be valid, as R4 defines it.
type parser struct {
	src   string
	i     int
	arena *arena
}

// arena makes nodes by the hundred. It is used for one resource after another.
type arena struct {
	blocks [][]node
	used   int
}

const (
	blockSize = 128
	maxBlocks = 2000 // what is kept for the next resource
)

func (a *arena) node() *node {
	b := a.used / blockSize
	if b == len(a.blocks) {
		a.blocks = append(a.blocks, make([]node, blockSize))
	}
	n := &a.blocks[b][a.used%blockSize]
	a.used++
	return n
}

// clear forgets all nodes, and so everything that they held.
func (a *arena) clear() {
	for i := range a.blocks {
		if i*blockSize < a.used {
			clear(a.blocks[i])
		}
	}
	a.blocks = a.blocks[:min(len(a.blocks), maxBlocks)]
	a.used = 0
}

// parse reads a resource. Whatever R4 does not define is an error: nobody has
// ruled on it.
func parse(raw []byte, a *arena) (*node, error) {
	if !jsontext.Value(raw).IsValid() {
		return nil, errNotJSON
	}
	p := &parser{src: string(raw), arena: a}
	p.space()
	if p.src[p.i] != '{' {
		return nil, errNotResource
	}
	n := p.node(nil)
	if err := p.resource(n, 0); err != nil {
		return nil, err
	}
	return n, nil
}

func (p *parser) node(el *spec.Element) *node {
	n := p.arena.node()
	n.el = el
	if el != nil {
		n.name, n.typ, n.def = el.Name, instance(el.Type), el.Type
	}
	return n
}

func (p *parser) space() {
	for p.i < len(p.src) {
		switch p.src[p.i] {
		case ' ', '\t', '\n', '\r':
			p.i++
		default:
			return
		}
	}
}

// next skips spaces and one of the given separators, and gives the byte that
// follows.
func (p *parser) next() byte {
	p.space()
	if c := p.src[p.i]; c == ',' || c == ':' {
		p.i++
		p.space()
	}
	return p.src[p.i]
}

// str reads a string.
func (p *parser) str() string {
	start := p.i
	p.i++
	escaped := false
	for p.src[p.i] != '"' {
		if p.src[p.i] == '\\' {
			escaped = true
			p.i++
		}
		p.i++
	}
	p.i++
	if !escaped {
		return p.src[start+1 : p.i-1]
	}
	b, _ := jsontext.AppendUnquote(nil, p.src[start:p.i])
	return string(b)
}

// scalar reads a string, a number or a literal, trimmed, as the tool does. null
// and what is empty are not there.
func (p *parser) scalar() (s string, there bool) {
	if p.src[p.i] == '"' {
		s = strings.TrimSpace(p.str())
		return s, s != ""
	}
	start := p.i
	for p.i < len(p.src) && strings.IndexByte(" \t\r\n,]}", p.src[p.i]) < 0 {
		p.i++
	}
	s = p.src[start:p.i]
	return s, s != "null"
}

// skip passes over a value.
func (p *parser) skip() {
	depth := 0
	for {
		switch p.src[p.i] {
		case '"':
			p.str()
		case '{', '[':
			depth++
			p.i++
		case '}', ']':
			depth--
			p.i++
		case ',', ':', ' ', '\t', '\n', '\r':
			p.i++
			continue
		default:
			p.scalar()
		}
		if depth == 0 {
			return
		}
	}
}

// resource reads a resource of the type that it says it is.
func (p *parser) resource(n *node, depth int) error {
	start := p.i
	typ := ""
	p.i++
	for p.next() != '}' {
		name := p.str()
		if c := p.next(); name == "resourceType" {
			if c == '"' {
				typ = p.str()
			}
			break
		}
		p.skip()
	}
	if !spec.IsResource(typ) {
		return errNotResource
	}
	p.i = start
	n.def, _ = spec.Lookup(typ)
	n.typ = typ
	if n.el == nil {
		n.name = typ
	}
	return p.object(n, true, depth)
}

// group is one element in its object: the member itself and its sibling with
// the underscore. What stands alone is in one, so that it needs no list.
type group struct {
	el              *spec.Element
	one             *node
	mains, siblings []*node
}

func (p *parser) object(n *node, isResource bool, depth int) error {
	if depth > maxDepth {
		return errTooDeep
	}
	var room [12]group
	groups := room[:0]
	p.i++
	for p.next() != '}' {
		name := p.str()
		p.next()
		if isResource && name == "resourceType" {
			p.skip()
			continue
		}
		el, main := n.def.Field(name)
		if !main {
			var ok bool
			if el, ok = n.def.Sibling(name); !ok {
				return errUnknown(n)
			}
		}
		at := -1
		for i := range groups {
			if groups[i].el == el {
				at = i
			}
		}
		if at < 0 {
			at = len(groups)
			groups = append(groups, group{el: el})
		}
		var err error
		if g := &groups[at]; main {
			g.one, g.mains, err = p.list(el, depth, true)
		} else {
			var one *node
			if one, g.siblings, err = p.list(el, depth, false); one != nil {
				g.siblings = []*node{one}
			}
		}
		if err != nil {
			return err
		}
	}
	p.i++
	total := 0
	for i := range groups {
		g := &groups[i]
		if g.one != nil && g.siblings != nil {
			g.mains, g.one = []*node{g.one}, nil
		}
		if g.one != nil {
			total++
		}
		total += max(len(g.mains), len(g.siblings))
	}
	if total == 0 {
		return nil
	}
	n.kids = make([]*node, 0, total)
	for i := range groups {
		if k := groups[i].one; k != nil {
			k.parent = n
			n.kids = append(n.kids, k)
			continue
		}
		n.join(&groups[i])
	}
	return nil
}

// join makes children of a group: value and sibling of the same index are one.
func (n *node) join(g *group) {
	for i := range max(len(g.mains), len(g.siblings)) {
		var k *node
		if i < len(g.mains) {
			k = g.mains[i]
		}
		if i < len(g.siblings) && g.siblings[i] != nil {
			if k == nil {
				k = g.siblings[i]
			} else {
				k.kids = g.siblings[i].kids
				for _, kid := range k.kids {
					kid.parent = k
				}
			}
		}
		if k != nil {
			k.parent = n
			n.kids = append(n.kids, k)
		}
	}
}

// list reads the values of an element, or of its siblings: an array, or one that
// stands alone where a list is due, which the tool takes. An array where R4 has one
// value is refused.
func (p *parser) list(el *spec.Element, depth int, main bool) (one *node, all []*node, err error) {
	if p.src[p.i] != '[' {
		one, err = p.value(el, depth, main)
		return one, nil, err
	}
	if !el.List {
		return nil, nil, errShape(el)
	}
	p.i++
	for p.next() != ']' {
		n, err := p.value(el, depth, main)
		if err != nil {
			return nil, nil, err
		}
		all = append(all, n)
	}
	p.i++
	return nil, all, nil
}

func (p *parser) value(el *spec.Element, depth int, main bool) (*node, error) {
	c := p.src[p.i]
	if !main || el.Type.Kind != spec.Primitive {
		return p.complex(el, c, depth)
	}
	if c == '{' || c == '[' {
		return nil, errShape(el)
	}
	s, there := p.scalar()
	if !there {
		return nil, nil
	}
	v, ok := read(kindOf(el.Type.Name), s)
	if !ok {
		return nil, errShape(el)
	}
	n := p.node(el)
	n.val = v
	return n, nil
}

func (p *parser) complex(el *spec.Element, c byte, depth int) (*node, error) {
	if c != '{' {
		if _, there := p.scalarOrNothing(c); there {
			return nil, errShape(el)
		}
		return nil, nil
	}
	n := p.node(el)
	if el.Type.Kind == spec.Resource && el.Type.Abstract {
		return n, p.resource(n, depth+1)
	}
	if err := p.object(n, false, depth+1); err != nil {
		return nil, err
	}
	if len(n.kids) == 0 {
		return nil, nil
	}
	return n, nil
}

// scalarOrNothing reads what is no object; an array counts as something.
func (p *parser) scalarOrNothing(c byte) (string, bool) {
	if c == '[' {
		return "", true
	}
	return p.scalar()
}

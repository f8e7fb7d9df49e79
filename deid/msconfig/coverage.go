package msconfig

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport/sallyport/deid"
	"github.com/sallyport/sallyport/fhir/spec"
)

// coverage says what a configuration's rules do on a made-up resource of each
// type: which rule has which element.
type coverage struct {
	cfg         *Config
	conditional []bool
	found       []int // elements that a rule selects
	taken       []int // those that no rule before it has had
	through     map[passage]map[string]bool
	work        int // what is left for all expressions together
}

// passage is an element that passes, and the rule that lets it; -1: none.
type passage struct {
	el   *spec.Element
	rule int
}

// maxAll is what all expressions may cost on all samples. One that is not reached
// any more counts as conditional.
const maxAll = 10_000_000

func (c *Config) cover() *coverage {
	cov := &coverage{cfg: c, conditional: make([]bool, len(c.rules)), found: make([]int, len(c.rules)),
		taken: make([]int, len(c.rules)), through: map[passage]map[string]bool{}, work: maxAll}
	for i := range c.rules {
		cov.conditional[i] = selects(c.rules[i].x)
	}
	for _, typ := range spec.Resources() {
		cov.resource(typ)
	}
	return cov
}

// resource runs the rules on one type.
func (cov *coverage) resource(typ string) {
	s := sample{}
	root := s.resource(typ)
	t := tree{a: &Anonymizer{cfg: cov.cfg}}
	t.lookUp(root)
	by := map[*node]int{}
	for _, i := range cov.cfg.rulesFor(typ) {
		r := &cov.cfg.rules[i]
		t.budget = min(maxWork(s.n), cov.work)
		t.work = t.budget
		nodes, err := t.match(r, root)
		cov.work -= t.budget - max(t.work, 0)
		if err != nil {
			cov.conditional[i] = true // it depends on values that are not here
			continue
		}
		cov.found[i] += len(nodes)
		for _, n := range nodes {
			cov.take(n, i, by)
		}
	}
	root.descend(true, func(n *node) {
		if n.val.kind == none || n.el == nil || ours(n.el) == deid.Keep {
			return
		}
		i, had := by[n]
		if !had {
			i = -1
		}
		if had && changes(&cov.cfg.rules[i], n) {
			return
		}
		p := passage{el: n.el, rule: i}
		if up := enclosing(n); up != nil {
			p.el = up.el
		}
		if cov.through[p] == nil {
			cov.through[p] = map[string]bool{}
		}
		cov.through[p][typ] = true
	})
}

// enclosing is the extension that an element is part of.
func enclosing(n *node) *node {
	for ; n != nil; n = n.parent {
		if n.typ == "Extension" {
			return n
		}
	}
	return nil
}

func (cov *coverage) take(n *node, i int, by map[*node]int) {
	if n.visited {
		return
	}
	n.visited = true
	by[n] = i
	cov.taken[i]++
	for _, k := range n.kids {
		cov.take(k, i, by)
	}
}

// changes says whether a rule leaves nothing of the value that it has had, but
// for what Differences says of its method.
func changes(r *rule, n *node) bool {
	switch r.method {
	case Redact, CryptoHash, Encrypt, Substitute, Generalize:
		return true
	case DateShift:
		return n.typ == "date" || n.typ == "dateTime" || n.typ == "instant"
	case Perturb:
		return isNumeric(n.typ)
	default:
		return false
	}
}

// ours is what the minimum-necessary profile does with an element.
func ours(e *spec.Element) deid.Action {
	for _, p := range deid.BuiltIn() {
		if p.Name() == deid.MinimumNecessary {
			return p.Rule(deid.Element{Path: e.Path, Type: e.Type.Name})
		}
	}
	return deid.Remove
}

// passing lists what passes, by path.
func (cov *coverage) passing() []Difference {
	var out []Difference
	for p, types := range cov.through {
		words := p.el.Type.Name == "string" || p.el.Type.Name == "markdown" || p.el.Type.Name == "xhtml" || p.el.Type.Name == "Extension"
		letters := letters(p.el)
		d := Difference{Kind: Passes, Rule: p.rule, Path: p.el.Path, Letters: letters, Citation: citation(letters), Message: "no rule names it, so it passes"}
		if words && letters == everyLetter {
			d.Kind = FreeText
		}
		if p.rule >= 0 {
			r := &cov.cfg.rules[p.rule]
			d.Message = "the rule " + r.path + " keeps it"
			if r.method != Keep {
				d.Message = "the rule " + r.path + " does nothing to an element of its type: " + r.method.String() + " is not for it"
			}
		}
		for t := range types {
			d.Resources = append(d.Resources, t)
		}
		slices.Sort(d.Resources)
		out = append(out, d)
	}
	slices.SortFunc(out, func(a, b Difference) int {
		if c := strings.Compare(a.Path, b.Path); c != 0 {
			return c
		}
		return a.Rule - b.Rule
	})
	// A choice has one path for all its types.
	return slices.CompactFunc(out, func(a, b Difference) bool {
		return a.Path == b.Path && a.Rule == b.Rule && a.Kind == b.Kind && a.Letters == b.Letters && slices.Equal(a.Resources, b.Resources)
	})
}

const everyLetter = "ABCDEFGHIJKLMNOPQR"

// letters says which of the 18 identifiers an element can hold.
func letters(e *spec.Element) string {
	for _, row := range lettersByPath {
		if e.Path == row[0] || strings.HasPrefix(e.Path, row[0]+".") {
			return row[1]
		}
	}
	switch e.Type.Name {
	case "string", "markdown", "xhtml", "Extension":
		return everyLetter
	case "date", "dateTime", "instant", "time":
		return "C"
	case "uri", "url", "canonical":
		return "N"
	case "base64Binary":
		return "QR"
	case "id", "oid", "uuid", "Reference":
		return "R"
	default:
		return ""
	}
}

// lettersByPath are the elements of which more is known than their type; the
// first row that fits counts.
var lettersByPath = [][2]string{
	{"HumanName.period", "C"},
	{"HumanName", "A"},
	{"Address.state", ""},
	{"Address.country", ""},
	{"Address.period", "C"},
	{"Address", "B"},
	{"Location.position", "B"},
	{"Location.name", "AB"},
	{"Location.alias", "AB"},
	{"Organization.name", "A"},
	{"Organization.alias", "A"},
	{"ContactPoint.value", "DEFN"},
	{"ContactDetail.name", "A"},
	{"Contributor.name", "A"},
	{"Identifier.value", "GHIJKR"},
	{"Identifier.system", "NR"},
	{"Coverage.subscriberId", "I"},
	{"Coverage.dependent", "I"},
	{"Account.name", "AJ"},
	{"Device.udiCarrier", "M"},
	{"Device.distinctIdentifier", "M"},
	{"Device.serialNumber", "M"},
	{"Device.lotNumber", "M"},
	{"Group.name", "A"},
	{"FamilyMemberHistory.name", "A"},
	{"Attachment.data", "QR"},
	{"Attachment.hash", "R"},
	{"Reference.reference", "R"},
	{"Element.id", "R"},
	{"Resource.id", "R"},
	{"Meta.versionId", "R"},
	{"Age", "C"},
}

// selects says whether an expression chooses among elements of one path.
func selects(x expr) bool {
	return anyExpr(x, func(x expr) bool {
		switch x := x.(type) {
		case indexer:
			return true
		case infix:
			return x.op != "|"
		case call:
			return x.f.chooses
		}
		return false
	})
}

func hasUnion(x expr) bool {
	return anyExpr(x, func(x expr) bool {
		i, ok := x.(infix)
		return ok && i.op == "|"
	})
}

// anyExpr says whether f holds for a part of x.
func anyExpr(x expr, f func(expr) bool) bool {
	if x == nil || f(x) {
		return x != nil
	}
	switch x := x.(type) {
	case child:
		return anyExpr(x.x, f)
	case indexer:
		return anyExpr(x.x, f) || anyExpr(x.i, f)
	case unary:
		return anyExpr(x.x, f)
	case infix:
		return anyExpr(x.l, f) || anyExpr(x.r, f)
	case typeOp:
		return anyExpr(x.x, f)
	case call:
		return anyExpr(x.x, f) || slices.ContainsFunc(x.args, func(a expr) bool { return anyExpr(a, f) })
	}
	return false
}

// sample makes resources with every element, each with a value of its own, since
// a path with "|" holds equal values once.
type sample struct {
	n     int
	stack []*spec.Type
}

func (s *sample) resource(typ string) *node {
	def, _ := spec.Lookup(typ)
	n := &node{name: typ, typ: typ, def: def}
	s.fill(n)
	return n
}

func (s *sample) fill(n *node) {
	s.stack = append(s.stack, n.def)
	defer func() { s.stack = s.stack[:len(s.stack)-1] }()
	for _, e := range n.def.Elements {
		if e.Type.Kind == spec.Resource || n.typ == "Extension" && e.Name != "url" && e.JSON != "valueString" || n.typ == "Extension" && e.Name == "extension" {
			continue
		}
		if s.within(e.Type) {
			continue
		}
		k := &node{name: e.Name, typ: instance(e.Type), def: e.Type, el: e, parent: n}
		if k.primitive() {
			k.val = s.value(e.Type.Name)
		} else {
			s.fill(k)
		}
		n.kids = append(n.kids, k)
	}
}

// within says whether the type is being made already: a structure may stand in
// itself once (Questionnaire.item.item), a data type may not.
func (s *sample) within(t *spec.Type) bool {
	limit := 1
	if t.Kind == spec.Backbone {
		limit = 2
	}
	for _, o := range s.stack {
		if o == t {
			limit--
		}
	}
	return limit <= 0
}

func (s *sample) value(typ string) value {
	s.n++
	n := strconv.Itoa(s.n)
	day := time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, s.n)
	switch k := kindOf(typ); k {
	case boolean:
		return value{kind: k, s: "true"}
	case date:
		return value{kind: k, s: day.Format("2006-01-02")}
	case dateTime:
		return value{kind: k, s: day.Format("2006-01-02T15:04:05Z")}
	case clock:
		return value{kind: k, s: "10:00:00." + n}
	case integer, number:
		return value{kind: k, s: n}
	default:
		return value{kind: text, s: "x" + n}
	}
}

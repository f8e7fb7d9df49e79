package msconfig

import (
	"errors"
	"strconv"
	"unicode"
)

// item is an element of the tree, or a value that an expression made.
type item struct {
	n *node
	v value
}

// seq is what every FHIRPath expression gives.
type seq []item

func (it item) val() value {
	if it.n != nil {
		return it.n.val
	}
	return it.v
}

func (it item) typ() string {
	if it.n != nil {
		return it.n.typ
	}
	switch it.v.kind {
	case boolean:
		return "System.Boolean"
	case integer:
		return "System.Integer"
	case long:
		return "System.Long"
	case number:
		return "System.Decimal"
	case date:
		return "System.Date"
	case dateTime:
		return "System.DateTime"
	case clock:
		return "System.Time"
	case quantity:
		return "System.Quantity"
	default:
		return "System.String"
	}
}

func (it item) kids() []*node {
	if it.n != nil {
		return it.n.kids
	}
	return nil
}

// env is what an expression is evaluated in. work bounds it: some expressions
// visit everything for everything.
type env struct {
	this    seq
	index   int
	context item
	work    *int
}

// maxWork is what one evaluation may cost on a resource of n elements: enough to
// visit each a hundred times, not for each to visit all.
func maxWork(n int) int { return 100_000 + 100*n }

var (
	errType     = errors.New("a value does not have the type that the expression needs")
	errSingle   = errors.New("one value is needed, and there are several")
	errOverflow = errors.New("a number is out of range")
	errWork     = errors.New("the expression takes too long on this resource")
)

func (e *env) spend(n int) error {
	if *e.work -= n + 1; *e.work < 0 {
		return errWork
	}
	return nil
}

// with is e for one element of a collection.
func (e *env) with(it item, i int) *env {
	return &env{this: seq{it}, index: i, context: e.context, work: e.work}
}

type (
	literal struct{ v value }
	nothing struct{}
	this    struct{}
	index   struct{}
	context struct{}
	child   struct {
		x    expr
		name string
	}
	indexer struct{ x, i expr }
	unary   struct {
		minus bool
		x     expr
	}
	infix struct {
		op   string
		l, r expr
	}
	typeOp struct {
		op  string
		x   expr
		typ string
	}
	call struct {
		x    expr
		f    function
		args []expr
		typ  string
		re   *pattern
	}
)

func (l literal) eval(*env) (seq, error) { return seq{{v: l.v}}, nil }
func (nothing) eval(*env) (seq, error)   { return nil, nil }
func (this) eval(e *env) (seq, error)    { return e.this, nil }
func (context) eval(e *env) (seq, error) { return seq{e.context}, nil }
func (index) eval(e *env) (seq, error)   { return one(intValue(int64(e.index))), nil }
func one(v value) seq                    { return seq{{v: v}} }
func intValue(i int64) value             { return value{kind: integer, s: strconv.FormatInt(i, 10)} }
func boolValue(b bool) value             { return value{kind: boolean, s: strconv.FormatBool(b)} }
func decValue(d decimal) value           { return value{kind: number, s: d.String()} }
func textValue(s string) value           { return value{kind: text, s: s} }
func (c call) eval(e *env) (seq, error) {
	x, err := c.x.eval(e)
	if err != nil {
		return nil, err
	}
	return c.f.eval(e, x, &c)
}

// eval goes to the children of a name. A name with a capital is a type: what
// has it stands for itself, as does everything for Resource and DomainResource.
func (c child) eval(e *env) (seq, error) {
	x, err := c.x.eval(e)
	if err != nil {
		return nil, err
	}
	var out seq
	capital := false
	for _, r := range c.name {
		capital = unicode.IsUpper(r)
		break
	}
	for _, it := range x {
		if capital && (it.typ() == c.name || c.name == "Resource" || c.name == "DomainResource") {
			out = append(out, it)
			continue
		}
		kids := it.kids()
		if err := e.spend(len(kids)); err != nil {
			return nil, err
		}
		for _, k := range kids {
			if k.name == c.name {
				out = append(out, item{n: k})
			}
		}
	}
	return out, nil
}

func (x indexer) eval(e *env) (seq, error) {
	s, err := x.x.eval(e)
	if err != nil || len(s) == 0 {
		return nil, err
	}
	i, ok, err := integerOf(x.i.eval(e))
	if err != nil || !ok || i >= int64(len(s)) {
		return nil, err
	}
	i = max(i, 0) // skipping a negative number of items skips none
	return s[i : i+1], nil
}

func (u unary) eval(e *env) (seq, error) {
	x, err := u.x.eval(e)
	if err != nil || len(x) == 0 {
		return nil, err
	}
	v, err := primitive(x)
	if err != nil {
		return nil, err
	}
	if !v.numeric() && v.kind != quantity {
		return nil, errType
	}
	if !u.minus {
		return one(v), nil
	}
	d, ok := v.dec()
	if !ok {
		return nil, errOverflow
	}
	v.s = d.neg().String()
	return one(v), nil
}

func (t typeOp) eval(e *env) (seq, error) {
	x, err := t.x.eval(e)
	if err != nil || len(x) == 0 {
		return nil, err
	}
	if t.op == "as" {
		return ofType(x, t.typ), nil
	}
	if len(x) > 1 {
		return nil, errSingle
	}
	return one(boolValue(isType(x[0].typ(), t.typ))), nil
}

// isType says whether an element of the type typ is of the type that an
// expression names: there are no subtypes, and case matters.
func isType(typ, named string) bool {
	dot := func(s string) bool {
		for i := range len(s) {
			if s[i] == '.' {
				return true
			}
		}
		return false
	}
	if !dot(typ) {
		typ = "FHIR." + typ
	}
	if dot(named) {
		return typ == named
	}
	return typ == "System."+named || typ == "FHIR."+named
}

func ofType(x seq, typ string) seq {
	var out seq
	for _, it := range x {
		if isType(it.typ(), typ) {
			out = append(out, it)
		}
	}
	return out
}

// primitive is the one value of a collection that is not empty.
func primitive(x seq) (value, error) {
	if len(x) != 1 {
		return value{}, errSingle
	}
	if x[0].n != nil && x[0].n.typ == "Quantity" && x[0].n.val.kind == none {
		if q, ok := quantityOf(x[0].n); ok {
			return q, nil
		}
		return value{}, nil
	}
	if x[0].n != nil && !x[0].n.primitive() {
		return value{}, errType
	}
	return x[0].val(), nil
}

func quantityOf(n *node) (value, bool) {
	v, u := n.child("value"), n.child("code")
	if v == nil || v.val.kind != number {
		return value{}, false
	}
	q := value{kind: quantity, s: v.val.s}
	if u != nil && u.val.kind == text {
		q.unit = u.val.s
	}
	return q, true
}

// stringOf gives the one string; ok is false where there is none.
func stringOf(x seq, err error) (s string, ok bool, e error) {
	if err != nil || len(x) == 0 {
		return "", false, err
	}
	v, err := primitive(x)
	if err != nil || v.kind == none {
		return "", false, err
	}
	if v.kind != text {
		return "", false, errType
	}
	return v.s, true, nil
}

func integerOf(x seq, err error) (i int64, ok bool, e error) {
	if err != nil || len(x) == 0 {
		return 0, false, err
	}
	v, err := primitive(x)
	if err != nil {
		return 0, false, err
	}
	if v.kind != integer {
		return 0, false, errType
	}
	i, err = strconv.ParseInt(v.s, 10, 64)
	return i, err == nil, err
}

// truth is FHIRPath's boolean of a collection: empty is unknown, one boolean is
// itself, anything else is true.
type truth int8

const (
	unknown truth = iota
	yes
	no
)

func truthOf(x seq) truth {
	switch {
	case len(x) == 0:
		return unknown
	case len(x) == 1 && x[0].val().kind == boolean && x[0].val().s == "false":
		return no
	default:
		return yes
	}
}

func (t truth) seq() seq {
	switch t {
	case yes:
		return one(boolValue(true))
	case no:
		return one(boolValue(false))
	default:
		return nil
	}
}

func (b infix) eval(e *env) (seq, error) {
	if err := e.spend(0); err != nil {
		return nil, err
	}
	l, err := b.l.eval(e)
	if err != nil {
		return nil, err
	}
	switch b.op {
	case "and", "or", "xor", "implies":
		return b.logic(e, truthOf(l))
	}
	r, err := b.r.eval(e)
	if err != nil {
		return nil, err
	}
	if err := b.charge(e, l, r); err != nil {
		return nil, err
	}
	switch b.op {
	case "|":
		return union(e, l, r)
	case "in":
		return contains(l, r)
	case "contains":
		return contains(r, l)
	case "&":
		s, _, err1 := stringOf(l, nil)
		t, _, err2 := stringOf(r, nil)
		return one(textValue(s + t)), errors.Join(err1, err2)
	}
	if b.op == "~" || b.op == "!~" {
		same, err := equivalent(l, r, false)
		return one(boolValue(same == (b.op == "~"))), err
	}
	if len(l) == 0 || len(r) == 0 {
		return nil, nil
	}
	switch b.op {
	case "=", "!=":
		t := equal(l, r, false)
		if b.op == "!=" && t != unknown {
			t = yes + no - t
		}
		return t.seq(), nil
	case "<", "<=", ">", ">=":
		return compare(l, r, b.op)
	default:
		return arithmetic(l, r, b.op)
	}
}

// charge pays for a comparison before it is made: elements are compared with all
// that is below them.
func (b infix) charge(e *env, l, r seq) error {
	switch b.op {
	case "=", "!=":
		return e.spend(4 * min(size(l), size(r)))
	case "in":
		return e.spend(4 * size(l) * len(r))
	case "contains":
		return e.spend(4 * size(r) * len(l))
	case "~", "!~":
		return e.spend(min(4*size(l)*size(r), 1<<40))
	}
	return nil
}

// size is how many elements a collection has in it, all told.
func size(s seq) int {
	total := len(s)
	for _, it := range s {
		if it.n != nil {
			total += it.n.size()
		}
	}
	return total
}

func (n *node) size() int {
	total := len(n.kids)
	for _, k := range n.kids {
		total += k.size()
	}
	return total
}

// logic is three-valued, and does not look at the right side where the left
// decides.
func (b infix) logic(e *env, l truth) (seq, error) {
	switch {
	case b.op == "and" && l == no:
		return no.seq(), nil
	case b.op == "or" && l == yes, b.op == "implies" && l == no:
		return yes.seq(), nil
	case b.op == "xor" && l == unknown:
		return nil, nil
	}
	x, err := b.r.eval(e)
	if err != nil {
		return nil, err
	}
	r := truthOf(x)
	switch b.op {
	case "and":
		if r == no {
			return no.seq(), nil
		}
		if l == yes && r == yes {
			return yes.seq(), nil
		}
		return nil, nil
	case "or":
		if r == yes {
			return yes.seq(), nil
		}
		if l == no && r == no {
			return no.seq(), nil
		}
		return nil, nil
	case "xor":
		if r == unknown {
			return nil, nil
		}
		return one(boolValue(l != r)), nil
	default:
		if r == yes {
			return yes.seq(), nil
		}
		if l == yes && r == no {
			return no.seq(), nil
		}
		return nil, nil
	}
}

func contains(x, in seq) (seq, error) {
	if len(x) > 1 {
		return nil, errSingle
	}
	for _, it := range in {
		if len(x) == 1 && equalItems(x[0], it, false) == yes {
			return yes.seq(), nil
		}
	}
	return no.seq(), nil
}

func compare(l, r seq, op string) (seq, error) {
	a, err := primitive(l)
	if err != nil {
		return nil, err
	}
	b, err := primitive(r)
	if err != nil {
		return nil, err
	}
	if a.kind == none || b.kind == none {
		return nil, nil
	}
	c, t, err := order(a, b)
	if err != nil || !t {
		return nil, err
	}
	return one(boolValue(op[0] == '<' && c < 0 || op[0] == '>' && c > 0 || len(op) == 2 && c == 0)), nil
}

// order compares two values of one type, after making an integer a decimal, a
// number a quantity and a date a dateTime where the other is one. ok is false
// where there is no answer.
func order(a, b value) (c int, ok bool, err error) {
	switch {
	case a.numeric() && b.numeric(), a.kind == quantity && b.kind == quantity,
		a.kind == quantity && b.numeric(), a.numeric() && b.kind == quantity:
		if a.unit != b.unit && !(a.unit == "" && b.unit == "1" || a.unit == "1" && b.unit == "") {
			return 0, false, nil
		}
		x, ok1 := a.dec()
		y, ok2 := b.dec()
		if !ok1 || !ok2 {
			return 0, false, errOverflow
		}
		return x.cmp(y), true, nil
	case a.kind == text && b.kind == text:
		return compareUTF16(a.s, b.s), true, nil
	case (a.kind == date || a.kind == dateTime) && (b.kind == date || b.kind == dateTime):
		x, ok1 := parseMoment(a.s, true)
		y, ok2 := parseMoment(b.s, true)
		if !ok1 || !ok2 {
			return 0, false, errType
		}
		c, ok = compareMoments(x, y)
		return c, ok, nil
	case a.kind == clock && b.kind == clock:
		x, _ := parseClock(a.s)
		y, _ := parseClock(b.s)
		// As precise as both are; where that is equal and one says more, unknown.
		unit := map[precision]int64{toHour: 3600e9, toMinute: 60e9, toSecond: 1e6, toFraction: 1e6}[min(x.prec, y.prec)]
		i, j := int64(x.at)/unit, int64(y.at)/unit
		if i == j && x.prec != y.prec && min(x.prec, y.prec) < toSecond {
			return 0, false, nil
		}
		switch {
		case i < j:
			c = -1
		case i > j:
			c = 1
		}
		return c, true, nil
	}
	return 0, false, errType
}

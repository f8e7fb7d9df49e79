package msconfig

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
)

// function is one of FHIRPath's. eval gets what it is called on and the call.
type function struct {
	min, max int
	typed    bool              // the argument is the name of a type
	chooses  bool              // it leaves some of what it is called on out, by value or place
	prepare  func(*call) error // checks the arguments when the expression is read
	eval     func(e *env, x seq, c *call) (seq, error)
}

var errLiteral = errors.New("the argument must be a text in single quotes")

// literalText says that the argument must be known when the expression is read.
func literalText(c *call) error {
	for _, a := range c.args {
		if l, ok := a.(literal); !ok || l.v.kind != text {
			return errLiteral
		}
	}
	return nil
}

// functions is the closed list. What reads the clock (now, today), what leaves
// the resource (resolve, memberOf) and what rounds as C's library does (exp, ln,
// sqrt ...) is not in it, and so is refused where a configuration uses it.
var functions = map[string]function{
	// Collections.
	"empty":      {eval: func(_ *env, x seq, _ *call) (seq, error) { return one(boolValue(len(x) == 0)), nil }},
	"exists":     {max: 1, eval: evalExists},
	"any":        {min: 1, max: 1, eval: evalExists},
	"all":        {min: 1, max: 1, eval: evalAll},
	"count":      {eval: func(_ *env, x seq, _ *call) (seq, error) { return one(intValue(int64(len(x)))), nil }},
	"not":        {eval: evalNot},
	"where":      {chooses: true, min: 1, max: 1, eval: evalWhere},
	"select":     {chooses: true, min: 1, max: 1, eval: evalSelect},
	"iif":        {chooses: true, min: 2, max: 3, eval: evalIif},
	"first":      {chooses: true, eval: func(_ *env, x seq, _ *call) (seq, error) { return x[:min(1, len(x))], nil }},
	"last":       {chooses: true, eval: func(_ *env, x seq, _ *call) (seq, error) { return x[max(0, len(x)-1):], nil }},
	"tail":       {chooses: true, eval: func(_ *env, x seq, _ *call) (seq, error) { return x[min(1, len(x)):], nil }},
	"skip":       {chooses: true, min: 1, max: 1, eval: func(e *env, x seq, c *call) (seq, error) { return cut(e, x, c, true) }},
	"take":       {chooses: true, min: 1, max: 1, eval: func(e *env, x seq, c *call) (seq, error) { return cut(e, x, c, false) }},
	"single":     {chooses: true, eval: evalSingle},
	"children":   {eval: evalChildren},
	"union":      {min: 1, max: 1, eval: func(e *env, x seq, c *call) (seq, error) { return set(e, x, c, union) }},
	"combine":    {min: 1, max: 1, eval: func(e *env, x seq, c *call) (seq, error) { return set(e, x, c, combine) }},
	"distinct":   {chooses: true, eval: func(e *env, x seq, _ *call) (seq, error) { return union(e, x, nil) }},
	"isDistinct": {eval: evalIsDistinct},
	"ofType":     {typed: true, eval: func(_ *env, x seq, c *call) (seq, error) { return ofType(x, c.typ), nil }},
	"as":         {typed: true, eval: func(_ *env, x seq, c *call) (seq, error) { return ofType(x, c.typ), nil }},
	"is":         {typed: true, eval: evalIs},

	// The tree.
	"descendants": {eval: evalDescendants},
	"extension":   {chooses: true, min: 1, max: 1, prepare: literalText, eval: evalExtension},
	"nodesByType": {min: 1, max: 1, prepare: literalText, eval: func(e *env, x seq, c *call) (seq, error) {
		return nodesBy(e, x, c, func(n *node, s string) bool { return n.typ == s })
	}},
	"nodesByName": {min: 1, max: 1, prepare: literalText, eval: func(e *env, x seq, c *call) (seq, error) {
		return nodesBy(e, x, c, func(n *node, s string) bool { return n.name == s })
	}},

	// Strings.
	"startsWith": {min: 1, max: 1, eval: func(e *env, x seq, c *call) (seq, error) { return test(e, x, c, strings.HasPrefix) }},
	"endsWith":   {min: 1, max: 1, eval: func(e *env, x seq, c *call) (seq, error) { return test(e, x, c, strings.HasSuffix) }},
	"contains":   {min: 1, max: 1, eval: func(e *env, x seq, c *call) (seq, error) { return test(e, x, c, strings.Contains) }},
	"upper":      {eval: func(_ *env, x seq, _ *call) (seq, error) { return change(x, strings.ToUpper) }},
	"lower":      {eval: func(_ *env, x seq, _ *call) (seq, error) { return change(x, strings.ToLower) }},
	"trim":       {eval: func(_ *env, x seq, _ *call) (seq, error) { return change(x, strings.TrimSpace) }},
	"length":     {eval: evalLength},
	"indexOf":    {min: 1, max: 1, eval: evalIndexOf},
	"substring":  {min: 1, max: 2, eval: evalSubstring},
	"replace":    {min: 2, max: 2, eval: evalReplace},
	"matches":    {min: 1, max: 1, prepare: preparePattern, eval: evalMatches},
	"replaceMatches": {min: 2, max: 2, prepare: preparePattern, eval: func(_ *env, x seq, c *call) (seq, error) {
		s, ok, err := stringOf(x, nil)
		if err != nil || !ok {
			return nil, err
		}
		if s, err = c.re.replace(s); err != nil {
			return nil, err
		}
		return one(textValue(s)), nil
	}},

	// Conversions and numbers.
	"toString":  {eval: evalToString},
	"toInteger": {eval: evalToInteger},
	"toDecimal": {eval: evalToDecimal},
	"abs": {eval: func(e *env, x seq, c *call) (seq, error) {
		return math1(x, func(d decimal) decimal {
			if d.c.Sign() < 0 {
				return d.neg()
			}
			return d
		})
	}},
	"floor": {eval: func(e *env, x seq, c *call) (seq, error) { return math1(x, decimal.floor) }},
	"ceiling": {eval: func(e *env, x seq, c *call) (seq, error) {
		return math1(x, func(d decimal) decimal { return d.neg().floor().neg() })
	}},
	"round": {max: 1, eval: evalRound},
}

func evalExists(e *env, x seq, c *call) (seq, error) {
	if len(c.args) == 0 {
		return one(boolValue(len(x) > 0)), nil
	}
	for i, it := range x {
		r, err := c.args[0].eval(e.with(it, i))
		if err != nil {
			return nil, err
		}
		if truthOf(r) == yes {
			return yes.seq(), nil
		}
	}
	return no.seq(), nil
}

func evalAll(e *env, x seq, c *call) (seq, error) {
	for i, it := range x {
		r, err := c.args[0].eval(e.with(it, i))
		if err != nil {
			return nil, err
		}
		if t := truthOf(r); t != yes {
			return t.seq(), nil
		}
	}
	return yes.seq(), nil
}

func evalNot(_ *env, x seq, _ *call) (seq, error) {
	if len(x) > 1 {
		return nil, errSingle
	}
	if len(x) == 0 {
		return nil, nil
	}
	return one(boolValue(truthOf(x) == no)), nil
}

func evalWhere(e *env, x seq, c *call) (seq, error) {
	var out seq
	for i, it := range x {
		r, err := c.args[0].eval(e.with(it, i))
		if err != nil {
			return nil, err
		}
		if truthOf(r) == yes {
			out = append(out, it)
		}
	}
	return out, nil
}

func evalSelect(e *env, x seq, c *call) (seq, error) {
	var out seq
	for i, it := range x {
		r, err := c.args[0].eval(e.with(it, i))
		if err != nil {
			return nil, err
		}
		if err := e.spend(len(r)); err != nil {
			return nil, err
		}
		out = append(out, r...)
	}
	return out, nil
}

func evalIif(e *env, x seq, c *call) (seq, error) {
	in := &env{this: x, index: e.index, context: e.context, work: e.work}
	r, err := c.args[0].eval(in)
	if err != nil {
		return nil, err
	}
	if len(r) > 1 {
		return nil, errSingle
	}
	if truthOf(r) == yes {
		return c.args[1].eval(in)
	}
	if len(c.args) == 3 {
		return c.args[2].eval(in)
	}
	return nil, nil
}

func cut(e *env, x seq, c *call, skip bool) (seq, error) {
	if len(x) == 0 {
		return nil, nil
	}
	n, ok, err := integerOf(c.args[0].eval(e))
	if err != nil || !ok {
		return nil, err
	}
	n = min(max(n, 0), int64(len(x)))
	if skip {
		return x[n:], nil
	}
	return x[:n], nil
}

func evalSingle(_ *env, x seq, _ *call) (seq, error) {
	if len(x) > 1 {
		return nil, errSingle
	}
	return x, nil
}

func evalChildren(e *env, x seq, _ *call) (seq, error) {
	var out seq
	for _, it := range x {
		for _, k := range it.kids() {
			out = append(out, item{n: k})
		}
	}
	return out, e.spend(len(out))
}

func evalDescendants(e *env, x seq, _ *call) (seq, error) {
	var out seq
	var walk func(n *node) error
	walk = func(n *node) error {
		if err := e.spend(len(n.kids)); err != nil {
			return err
		}
		for _, k := range n.kids {
			out = append(out, item{n: k})
			if err := walk(k); err != nil {
				return err
			}
		}
		return nil
	}
	for _, it := range x {
		if it.n != nil {
			if err := walk(it.n); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

func evalIs(_ *env, x seq, c *call) (seq, error) {
	if len(x) > 1 {
		return nil, errSingle
	}
	if len(x) == 0 {
		return nil, nil
	}
	return one(boolValue(isType(x[0].typ(), c.typ))), nil
}

func evalExtension(e *env, x seq, c *call) (seq, error) {
	url := c.args[0].(literal).v.s
	var out seq
	for _, it := range x {
		for _, k := range it.kids() {
			if k.name == "extension" {
				if u := k.child("url"); u != nil && u.val.s == url {
					out = append(out, item{n: k})
				}
			}
		}
	}
	return out, e.spend(len(x))
}

// nodesBy is the tool's own addition: what it is called on and everything below,
// but for resources within.
func nodesBy(e *env, x seq, c *call, is func(*node, string) bool) (seq, error) {
	want := c.args[0].(literal).v.s
	var out seq
	for _, it := range x {
		if it.n == nil {
			if it.typ() == want && is(&node{typ: want}, want) {
				out = append(out, it)
			}
			continue
		}
		if is(it.n, want) {
			out = append(out, it)
		}
		n := 0
		it.n.descend(true, func(k *node) {
			n++
			if is(k, want) {
				out = append(out, item{n: k})
			}
		})
		if err := e.spend(n); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// two evaluates a string and its argument; ok is false where one is empty.
func two(e *env, x seq, arg expr) (s, t string, ok bool, err error) {
	if len(x) == 0 {
		return "", "", false, nil
	}
	a, err := arg.eval(e)
	if err != nil || len(a) == 0 {
		return "", "", false, err
	}
	s, ok1, err1 := stringOf(x, nil)
	t, ok2, err2 := stringOf(a, nil)
	return s, t, ok1 && ok2, errors.Join(err1, err2)
}

func test(e *env, x seq, c *call, f func(s, t string) bool) (seq, error) {
	s, t, ok, err := two(e, x, c.args[0])
	if err != nil || !ok {
		return nil, err
	}
	return one(boolValue(f(s, t))), nil
}

func change(x seq, f func(string) string) (seq, error) {
	s, ok, err := stringOf(x, nil)
	if err != nil || !ok {
		return nil, err
	}
	return one(textValue(f(s))), nil
}

// ascii says whether bytes are UTF-16 units, which .NET counts in.
func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

func units(s string) []uint16 { return utf16.Encode([]rune(s)) }

func unitCount(s string) int {
	if ascii(s) {
		return len(s)
	}
	return len(units(s))
}

// compareUTF16 orders as .NET's ordinal comparison does.
func compareUTF16(a, b string) int {
	if ascii(a) && ascii(b) {
		return strings.Compare(a, b)
	}
	return slices.Compare(units(a), units(b))
}

func evalLength(_ *env, x seq, _ *call) (seq, error) {
	s, ok, err := stringOf(x, nil)
	if err != nil || !ok {
		return nil, err
	}
	return one(intValue(int64(unitCount(s)))), nil
}

func evalIndexOf(e *env, x seq, c *call) (seq, error) {
	s, t, ok, err := two(e, x, c.args[0])
	if err != nil || !ok {
		return nil, err
	}
	i := strings.Index(s, t)
	if i > 0 {
		i = unitCount(s[:i])
	}
	return one(intValue(int64(i))), nil
}

func evalSubstring(e *env, x seq, c *call) (seq, error) {
	s, ok, err := stringOf(x, nil)
	if err != nil || !ok {
		return nil, err
	}
	start, ok, err := integerOf(c.args[0].eval(e))
	if err != nil {
		return nil, err
	}
	if !ok {
		if len(c.args) == 1 {
			return nil, nil
		}
		return nil, errType // the tool's function of two arguments needs a start
	}
	length := int64(unitCount(s))
	n := length
	if len(c.args) == 2 {
		l, given, err := integerOf(c.args[1].eval(e))
		if err != nil {
			return nil, err
		}
		if given {
			n = max(l, 0)
		}
	}
	if start < 0 || start >= length {
		return nil, nil
	}
	n = min(n, length-start)
	if ascii(s) {
		return one(textValue(s[start : start+n])), nil
	}
	return one(textValue(string(utf16.Decode(units(s)[start : start+n])))), nil
}

func evalReplace(e *env, x seq, c *call) (seq, error) {
	s, t, ok, err := two(e, x, c.args[0])
	if err != nil || !ok {
		return nil, err
	}
	_, by, ok, err := two(e, x, c.args[1])
	if err != nil || !ok {
		return nil, err
	}
	return one(textValue(strings.ReplaceAll(s, t, by))), nil
}

func evalMatches(_ *env, x seq, c *call) (seq, error) {
	s, ok, err := stringOf(x, nil)
	if err != nil || !ok {
		return nil, err
	}
	m, err := c.re.matches(s)
	if err != nil {
		return nil, err
	}
	return one(boolValue(m)), nil
}

func evalToString(_ *env, x seq, _ *call) (seq, error) {
	if len(x) == 0 {
		return nil, nil
	}
	v, err := primitive(x)
	if err != nil || v.kind == none {
		return nil, err
	}
	switch v.kind {
	case boolean:
		return one(textValue(v.s)), nil
	case quantity:
		return nil, errType
	default:
		return one(textValue(v.String())), nil
	}
}

func evalToInteger(_ *env, x seq, _ *call) (seq, error) {
	if len(x) == 0 {
		return nil, nil
	}
	v, err := primitive(x)
	if err != nil {
		return nil, err
	}
	switch v.kind {
	case integer:
		return one(v), nil
	case boolean:
		return one(intValue(int64(len("false") - len(v.s)))), nil
	case text:
		if i, err := strconv.ParseInt(v.s, 10, 32); err == nil {
			return one(intValue(i)), nil
		}
	}
	return nil, nil
}

func evalToDecimal(_ *env, x seq, _ *call) (seq, error) {
	if len(x) == 0 {
		return nil, nil
	}
	v, err := primitive(x)
	if err != nil {
		return nil, err
	}
	switch v.kind {
	case integer, long, number:
		v.kind = number
		return one(v), nil
	case boolean:
		return one(value{kind: number, s: strconv.Itoa(len("false")-len(v.s)) + ".0"}), nil
	case text:
		if d, ok := parseDecimal(v.s); ok {
			return one(decValue(d)), nil
		}
	}
	return nil, nil
}

func math1(x seq, f func(decimal) decimal) (seq, error) {
	if len(x) == 0 {
		return nil, nil
	}
	v, err := primitive(x)
	if err != nil {
		return nil, err
	}
	if !v.numeric() {
		return nil, errType
	}
	d, ok := v.dec()
	if !ok {
		return nil, errOverflow
	}
	return one(decValue(f(d))), nil
}

func evalRound(e *env, x seq, c *call) (seq, error) {
	n := int64(0)
	if len(c.args) == 1 {
		var ok bool
		var err error
		if n, ok, err = integerOf(c.args[0].eval(e)); err != nil || !ok {
			return nil, err
		}
	}
	if n < 0 || n > maxScale {
		return nil, errOverflow
	}
	return math1(x, func(d decimal) decimal { return d.round(int(n)) })
}

// equal compares two collections in order. named says that names count too, as
// they do for the children of complex elements.
func equal(l, r seq, named bool) truth {
	for i, it := range l {
		if i == len(r) {
			return no
		}
		if t := equalItems(it, r[i], named); t != yes {
			return t
		}
	}
	if len(r) > len(l) {
		return no
	}
	return yes
}

func equalItems(a, b item, named bool) truth {
	if named && a.n.name != b.n.name {
		return no
	}
	x, y := a.val(), b.val()
	if q, ok := quantityIn(a); ok {
		x = q
	}
	if q, ok := quantityIn(b); ok {
		y = q
	}
	switch {
	case x.kind != none && y.kind != none:
		return equalValues(x, y)
	case x.kind == none && y.kind == none:
		return equal(kidItems(a), kidItems(b), true)
	default:
		return no
	}
}

func quantityIn(it item) (value, bool) {
	if it.n == nil || it.n.typ != "Quantity" {
		return value{}, false
	}
	return quantityOf(it.n)
}

func kidItems(it item) seq {
	kids := it.kids()
	out := make(seq, len(kids))
	for i, k := range kids {
		out[i].n = k
	}
	return out
}

func equalValues(x, y value) truth {
	as := func(b bool) truth {
		if b {
			return yes
		}
		return no
	}
	switch {
	case x.kind == text && y.kind == text, x.kind == boolean && y.kind == boolean:
		return as(x.s == y.s)
	case x.kind == quantity || y.kind == quantity, x.numeric() && y.numeric():
		if !(x.numeric() || x.kind == quantity) || !(y.numeric() || y.kind == quantity) {
			return no
		}
		a, ok1 := x.dec()
		b, ok2 := y.dec()
		// Eight digits after the point count.
		return as(ok1 && ok2 && x.unit == y.unit && a.round(8).cmp(b.round(8)) == 0)
	}
	c, ok, err := order(x, y)
	switch {
	case err != nil: // different types
		return no
	case !ok:
		return unknown
	default:
		return as(c == 0)
	}
}

var errLetters = errors.New("~ cannot compare letters beyond ASCII")

// equivalent compares without regard to order: every item of one side must have
// its like on the other, and there must be as many.
func equivalent(l, r seq, named bool) (bool, error) {
	if len(l) != len(r) {
		return false, nil
	}
	for _, a := range l {
		found := false
		for _, b := range r {
			same, err := equivalentItems(a, b, named)
			if err != nil {
				return false, err
			}
			if found = same; found {
				break
			}
		}
		if !found {
			return false, nil
		}
	}
	return true, nil
}

func equivalentItems(a, b item, named bool) (bool, error) {
	if named && a.n.name != b.n.name {
		return false, nil
	}
	x, y := a.val(), b.val()
	switch {
	case x.kind == none && y.kind == none:
		return equivalent(kidItems(a), kidItems(b), true)
	case x.kind == text && y.kind == text:
		if !ascii(x.s) || !ascii(y.s) {
			return x.s == y.s, differ(x.s != y.s)
		}
		blank := func(c rune) rune {
			if unicode.IsSpace(c) {
				return ' '
			}
			return c
		}
		return strings.EqualFold(strings.Map(blank, x.s), strings.Map(blank, y.s)), nil
	case x.numeric() && y.numeric():
		c, ok1 := x.dec()
		d, ok2 := y.dec()
		if !ok1 || !ok2 {
			return false, errOverflow
		}
		// As many digits as the shorter one has, without zeros at the end.
		n := min(c.strip().scale, d.strip().scale)
		return c.round(n).cmp(d.round(n)) == 0, nil
	case x.kind == none || y.kind == none:
		return false, nil
	default:
		return equalValues(x, y) == yes, nil
	}
}

func differ(b bool) error {
	if b {
		return errLetters
	}
	return nil
}

func set(e *env, x seq, c *call, f func(*env, seq, seq) (seq, error)) (seq, error) {
	y, err := c.args[0].eval(e)
	if err != nil {
		return nil, err
	}
	return f(e, x, y)
}

func combine(e *env, x, y seq) (seq, error) {
	return append(append(make(seq, 0, len(x)+len(y)), x...), y...), e.spend(len(x) + len(y))
}

// union leaves out what is equal to something before it. That goes by value, not
// by place in the tree: of two addresses in one State, "address.state | ..."
// holds only the first. The tool's rules with "|" act on that alone, and so must
// these; see Differences.
func union(e *env, x, y seq) (seq, error) {
	out := make(seq, 0, len(x)+len(y))
	seen := make(map[string][]item, len(x)+len(y))
	for _, s := range []seq{x, y} {
		for _, it := range s {
			k := bucket(it)
			known := false
			for _, o := range seen[k] {
				if known = equalItems(it, o, false) == yes; known {
					break
				}
			}
			if err := e.spend(len(seen[k])); err != nil {
				return nil, err
			}
			if !known {
				seen[k] = append(seen[k], it)
				out = append(out, it)
			}
		}
	}
	return out, nil
}

func evalIsDistinct(e *env, x seq, _ *call) (seq, error) {
	u, err := union(e, x, nil)
	return one(boolValue(len(u) == len(x))), err
}

// bucket tells apart what the tool's set finds different before it compares: a
// value's type and amount, and the names of the children.
func bucket(it item) string {
	var b strings.Builder
	v := it.val()
	switch v.kind {
	case none:
	case date, dateTime:
		m, _ := parseMoment(v.s, true)
		b.WriteString("@" + strconv.FormatInt(m.at.UnixNano(), 10))
		if m.at.Year() < 1700 || m.at.Year() > 2250 {
			b.WriteString(m.at.String()) // beyond what UnixNano can tell
		}
	case number:
		if d, ok := v.dec(); ok {
			s := d.String()
			if d.scale > 0 {
				s = strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
			}
			b.WriteString("#" + s)
		}
	default:
		b.WriteByte('0' + byte(v.kind))
		b.WriteString(v.s)
	}
	for _, k := range it.kids() {
		b.WriteByte(0)
		b.WriteString(k.name)
	}
	return b.String()
}

package msconfig

import (
	"errors"
	"slices"
	"strconv"
	"strings"
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

package msconfig

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// expr is a FHIRPath expression, ready to run.
type expr interface {
	eval(e *env) (seq, error)
}

// syntaxError says what is wrong with an expression and where, as an offset in
// bytes. An expression comes from a configuration, never from a patient, so it
// may be shown.
type syntaxError struct {
	at   int
	what string
}

func (e *syntaxError) Error() string { return fmt.Sprintf("at byte %d: %s", e.at, e.what) }

// syntax reads FHIRPath with the grammar of the library that the tool uses. It
// differs from HL7's in one place that matters: "is" and "as" bind looser than
// "|" and than comparisons, so "A | B as Age" is "(A | B) as Age".
type syntax struct {
	s     string
	i     int
	depth int
}

// maxNesting bounds parentheses and calls within each other.
const maxNesting = 100

func parseExpr(s string) (e expr, err error) {
	p := &syntax{s: s}
	defer func() {
		if r := recover(); r != nil {
			se, ok := r.(*syntaxError)
			if !ok {
				panic(r)
			}
			e, err = nil, se
		}
	}()
	e = p.expression(0)
	p.space()
	if p.i < len(s) {
		p.fail("this cannot stand here")
	}
	return e, nil
}

func (p *syntax) fail(format string, args ...any) {
	panic(&syntaxError{at: p.i, what: fmt.Sprintf(format, args...)})
}

// space skips blanks and comments.
func (p *syntax) space() {
	for p.i < len(p.s) {
		rest := p.s[p.i:]
		switch {
		case strings.IndexByte(" \t\r\n\f\v", rest[0]) >= 0:
			p.i++
		case strings.HasPrefix(rest, "//"):
			n := strings.IndexByte(rest, '\n')
			if n < 0 {
				n = len(rest) - 1
			}
			p.i += n + 1
		case strings.HasPrefix(rest, "/*"):
			n := strings.Index(rest[2:], "*/")
			if n < 0 {
				p.fail("the comment does not end")
			}
			p.i += n + 4
		default:
			return
		}
	}
}

// levels are the binary operators from the loosest to the tightest. Longer ones
// stand before their beginnings.
var levels = [][]string{
	{"implies"},
	{"or", "xor"},
	{"and"},
	{"in", "contains"},
	{"=", "~", "!=", "!~"},
	{"is", "as"},
	{"<=", ">=", "<", ">"},
	{"|"},
	{"+", "-", "&"},
	{"*", "/", "div", "mod"},
}

const typeLevel = 5

func (p *syntax) expression(level int) expr {
	if level == len(levels) {
		return p.polarity()
	}
	if level == 0 {
		if p.depth++; p.depth > maxNesting {
			p.fail("too many expressions within each other")
		}
		defer func() { p.depth-- }()
	}
	left := p.expression(level + 1)
	for {
		op := p.operator(levels[level])
		if op == "" {
			return left
		}
		if level == typeLevel {
			return typeOp{op: op, x: left, typ: p.typeName()} // no chain of them
		}
		right := p.expression(level + 1)
		if isQuantity(left) || isQuantity(right) {
			switch op {
			case "=", "!=", "~", "!~", "<", "<=", ">", ">=", "and", "or", "xor", "implies":
			default:
				p.fail("a quantity cannot be combined by %s here", op)
			}
		}
		left = infix{op: op, l: left, r: right}
	}
}

func isQuantity(e expr) bool {
	l, ok := e.(literal)
	return ok && l.v.kind == quantity
}

func (p *syntax) operator(ops []string) string {
	p.space()
	rest := p.s[p.i:]
	for _, op := range ops {
		if !strings.HasPrefix(rest, op) {
			continue
		}
		if isLetter(op[0]) && len(rest) > len(op) && isWord(rest[len(op)]) {
			continue
		}
		p.i += len(op)
		return op
	}
	return ""
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isWord(c byte) bool   { return isLetter(c) || isDigit(c) }

func (p *syntax) peek() byte {
	p.space()
	if p.i == len(p.s) {
		return 0
	}
	return p.s[p.i]
}

func (p *syntax) polarity() expr {
	if c := p.peek(); c == '+' || c == '-' {
		p.i++
		return unary{minus: c == '-', x: p.invocations()}
	}
	return p.invocations()
}

func (p *syntax) invocations() expr {
	x := p.term()
	for {
		switch p.peek() {
		case '.':
			p.i++
			p.space()
			x = p.invocation(x)
		case '[':
			p.i++
			x = indexer{x: x, i: p.expression(0)}
			p.expect(']')
		default:
			return x
		}
	}
}

func (p *syntax) expect(c byte) {
	if p.peek() != c {
		p.fail("%q is missing", string(c))
	}
	p.i++
}

func (p *syntax) term() expr {
	c := p.peek()
	switch {
	case c == 0:
		p.fail("something is missing")
	case c == '(':
		p.i++
		x := p.expression(0)
		p.expect(')')
		return x
	case c == '{':
		p.i++
		p.expect('}')
		return nothing{}
	case c == '\'':
		return literal{v: value{kind: text, s: p.quoted('\'')}}
	case c == '@':
		return p.dateLiteral()
	case c == '%':
		return p.variable()
	case c == '$':
		p.i++
		switch name := p.word(); name {
		case "this":
			return this{}
		case "index":
			return index{}
		default:
			p.fail("$%s is not supported", name)
		}
	case isDigit(c):
		return p.numberLiteral()
	}
	start := p.i
	if w := p.word(); w == "true" || w == "false" {
		return literal{v: value{kind: boolean, s: w}}
	}
	p.i = start
	return p.invocation(this{})
}

// word reads letters and digits, and may be empty.
func (p *syntax) word() string {
	start := p.i
	for p.i < len(p.s) && isWord(p.s[p.i]) {
		p.i++
	}
	return p.s[start:p.i]
}

// identifier reads a name, in back quotes or double quotes where it needs them.
func (p *syntax) identifier() string {
	switch c := p.peek(); {
	case c == '`' || c == '"':
		return p.quoted(c)
	case isLetter(c):
		return p.word()
	}
	p.fail("a name is missing")
	return ""
}

// quoted reads what is between delimiters, with its escapes.
func (p *syntax) quoted(end byte) string {
	var b strings.Builder
	start := p.i
	p.i++
	for p.i < len(p.s) {
		c := p.s[p.i]
		p.i++
		if c == end {
			if !utf8.ValidString(b.String()) {
				break
			}
			return b.String()
		}
		if c != '\\' {
			b.WriteByte(c)
			continue
		}
		if p.i == len(p.s) {
			break
		}
		c = p.s[p.i]
		p.i++
		switch c {
		case '"', '\'', '`', '\\', '/':
			b.WriteByte(c)
		case 'f':
			b.WriteByte('\f')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 't':
			b.WriteByte('\t')
		case 'u':
			var v uint64
			err := strconv.ErrSyntax
			if p.i+4 <= len(p.s) {
				v, err = strconv.ParseUint(p.s[p.i:p.i+4], 16, 32)
			}
			if err != nil || v >= 0xD800 && v < 0xE000 {
				p.fail("\\u needs four hexadecimal digits that are a character")
			}
			p.i += 4
			b.WriteRune(rune(v))
		default:
			p.i--
			p.fail("unknown escape")
		}
	}
	p.i = start
	p.fail("what begins here does not end")
	return ""
}

// typeName reads "Quantity" or "System.String".
func (p *syntax) typeName() string {
	name := p.identifier()
	for p.i < len(p.s) && p.s[p.i] == '.' {
		p.i++
		name += "." + p.identifier()
	}
	return name
}

func (p *syntax) variable() expr {
	start := p.i
	p.i++
	name := ""
	if p.i < len(p.s) && p.s[p.i] == '\'' {
		name = p.quoted('\'')
	} else {
		name = p.identifier()
	}
	switch name {
	case "context":
		return context{}
	case "sct":
		return literal{v: value{kind: text, s: "http://snomed.info/sct"}}
	case "loinc":
		return literal{v: value{kind: text, s: "http://loinc.org"}}
	case "ucum":
		return literal{v: value{kind: text, s: "http://unitsofmeasure.org"}}
	}
	if id, ok := strings.CutPrefix(name, "ext-"); ok {
		return literal{v: value{kind: text, s: "http://hl7.org/fhir/StructureDefinition/" + id}}
	}
	if id, ok := strings.CutPrefix(name, "vs-"); ok {
		return literal{v: value{kind: text, s: "http://hl7.org/fhir/ValueSet/" + id}}
	}
	p.i = start
	p.fail("the variable %%%s is not supported", name)
	return nil
}

// unitsOfTime are the units that need no quotes.
var unitsOfTime = []string{
	"year", "years", "month", "months", "week", "weeks", "day", "days",
	"hour", "hours", "minute", "minutes", "second", "seconds", "millisecond", "milliseconds",
}

func (p *syntax) numberLiteral() expr {
	start := p.i
	for p.i < len(p.s) && isDigit(p.s[p.i]) {
		p.i++
	}
	v := value{kind: integer}
	if p.i+1 < len(p.s) && p.s[p.i] == '.' && isDigit(p.s[p.i+1]) {
		v.kind = number
		p.i++
		for p.i < len(p.s) && isDigit(p.s[p.i]) {
			p.i++
		}
	}
	v.s = p.s[start:p.i]
	end := p.i
	p.space()
	if p.i < len(p.s) && p.s[p.i] == '\'' {
		v.kind, v.unit = quantity, p.quoted('\'')
	} else if w := p.word(); w != "" {
		p.i = end
		for _, u := range unitsOfTime {
			if w == u {
				p.space()
				p.word()
				v.kind, v.unit = quantity, strings.TrimSuffix(u, "s")
			}
		}
	} else {
		p.i = end
	}
	if v.kind == integer {
		i, err := strconv.ParseInt(v.s, 10, 32)
		if err != nil {
			p.i = start
			p.fail("the integer is too large")
		}
		v.s = strconv.FormatInt(i, 10)
		return literal{v: v}
	}
	v.s = trimZeros(v.s)
	if _, ok := parseDecimal(v.s); !ok {
		p.i = start
		p.fail("the number is too large")
	}
	return literal{v: v}
}

// trimZeros takes leading zeros off, which JSON numbers may not have.
func trimZeros(s string) string {
	for len(s) > 1 && s[0] == '0' && s[1] != '.' {
		s = s[1:]
	}
	return s
}

// dateLiteral reads @2015, @2015-02-04, @2015T, @2015-02-04T14:34:28Z, @T14:34.
func (p *syntax) dateLiteral() expr {
	start := p.i
	p.i++
	run := func(set string) string {
		from := p.i
		for p.i < len(p.s) && (isDigit(p.s[p.i]) || strings.IndexByte(set, p.s[p.i]) >= 0) {
			p.i++
		}
		return p.s[from:p.i]
	}
	bad := func() {
		p.i = start
		p.fail("this is no date or time")
	}
	if p.i < len(p.s) && p.s[p.i] == 'T' {
		p.i++
		s := run(":.")
		if _, ok := parseClock(s); !ok {
			bad()
		}
		return literal{v: value{kind: clock, s: s}}
	}
	// A minus that is not followed by two digits belongs to what comes next.
	s := run("")
	for len(s) < 10 && p.i+2 < len(p.s) && p.s[p.i] == '-' && isDigit(p.s[p.i+1]) && isDigit(p.s[p.i+2]) {
		s += p.s[p.i : p.i+3]
		p.i += 3
	}
	v := value{kind: date, s: s}
	if p.i < len(p.s) && p.s[p.i] == 'T' {
		p.i++
		v.kind = dateTime
		if t := run(":."); t != "" {
			v.s += "T" + t
		}
		switch {
		case p.i < len(p.s) && p.s[p.i] == 'Z':
			p.i++
			v.s += "Z"
		case p.i+6 <= len(p.s) && (p.s[p.i] == '+' || p.s[p.i] == '-') && p.s[p.i+3] == ':':
			v.s += p.s[p.i : p.i+6]
			p.i += 6
		}
	}
	if _, ok := parseMoment(v.s, v.kind == dateTime); !ok {
		bad()
	}
	return literal{v: v}
}

// invocation reads a name, or a call, that works on x.
func (p *syntax) invocation(x expr) expr {
	start := p.i
	name := p.identifier()
	if p.peek() != '(' {
		if name == "" || strings.HasSuffix(name, "*") {
			p.i = start
			p.fail("this is not the name of an element")
		}
		return child{x: x, name: name}
	}
	p.i++
	f, ok := functions[name]
	if !ok {
		p.i = start
		p.fail("the function %s() is not supported", name)
	}
	c := call{x: x, f: f}
	if f.typed {
		c.typ = p.typeName()
		p.expect(')')
		return c
	}
	for p.peek() != ')' {
		if len(c.args) > 0 {
			p.expect(',')
		}
		c.args = append(c.args, p.expression(0))
	}
	p.i++
	if len(c.args) < f.min || len(c.args) > f.max {
		p.i = start
		p.fail("the function %s() does not take %d arguments", name, len(c.args))
	}
	if f.prepare != nil {
		if err := f.prepare(&c); err != nil {
			p.i = start
			p.fail("%s(): %v", name, err)
		}
	}
	return c
}

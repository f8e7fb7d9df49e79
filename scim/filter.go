package scim

import (
	"errors"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Bounds on a filter. The longest that a directory needs compares two attributes.
const (
	maxFilter      = 1024
	maxFilterDepth = 16
)

var errFilter = errors.New("the filter cannot be read (RFC 7644, section 3.4.2.2)")

// expr is a filter, read.
type expr interface{ holds(o map[string]any) bool }

type (
	and     struct{ a, b expr }
	or      struct{ a, b expr }
	not     struct{ a expr }
	present struct{ at []string }
	compare struct {
		at    []string
		op    string
		value any // string, bool, float64 or nil
	}
	// each is a filter on the elements of a multi-valued attribute.
	each struct {
		at []string
		in expr
	}
)

func (e and) holds(o map[string]any) bool { return e.a.holds(o) && e.b.holds(o) }
func (e or) holds(o map[string]any) bool  { return e.a.holds(o) || e.b.holds(o) }
func (e not) holds(o map[string]any) bool { return !e.a.holds(o) }

func (e present) holds(o map[string]any) bool {
	for _, v := range values(o, e.at) {
		if v != nil && v != "" {
			return true
		}
	}
	return false
}

func (e each) holds(o map[string]any) bool {
	for _, v := range values(o, e.at) {
		if m, ok := v.(map[string]any); ok && e.in.holds(m) {
			return true
		}
	}
	return false
}

func (e compare) holds(o map[string]any) bool {
	found := values(o, e.at)
	if e.op == "ne" {
		return !compare{e.at, "eq", e.value}.holds(o)
	}
	if e.value == nil {
		return e.op == "eq" && len(found) == 0
	}
	exact := caseExact[strings.ToLower(e.at[len(e.at)-1])]
	for _, v := range found {
		switch want := e.value.(type) {
		case bool:
			if got, ok := v.(bool); ok && e.op == "eq" && got == want {
				return true
			}
		case string:
			got, ok := v.(string)
			if !ok {
				continue
			}
			if !exact {
				got, want = strings.ToLower(got), strings.ToLower(want)
			}
			if compareText(e.op, got, want) {
				return true
			}
		}
	}
	return false
}

// caseExact are the attributes whose case counts (RFC 7643, section 3.1).
var caseExact = map[string]bool{"id": true, "externalid": true, "subject": true, "version": true}

func compareText(op, got, want string) bool {
	switch op {
	case "eq":
		return got == want
	case "co":
		return strings.Contains(got, want)
	case "sw":
		return strings.HasPrefix(got, want)
	case "ew":
		return strings.HasSuffix(got, want)
	case "gt":
		return got > want
	case "ge":
		return got >= want
	case "lt":
		return got < want
	case "le":
		return got <= want
	}
	return false
}

// values are what stands at a path; the elements of lists one by one. Names are
// compared without regard to case (RFC 7643, section 2.1).
func values(v any, at []string) []any {
	if list, ok := v.([]any); ok {
		var out []any
		for _, e := range list {
			out = append(out, values(e, at)...)
		}
		return out
	}
	if len(at) == 0 {
		return []any{v}
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil
	}
	for k, e := range m {
		if fold(k) == fold(at[0]) {
			return values(e, at[1:])
		}
	}
	return nil
}

// filterParser reads RFC 7644's filters by descent, to a bounded depth.
type filterParser struct {
	in    string
	depth int
	// known says which attributes may be asked for.
	known func(attribute) bool
}

// parseFilter reads a whole filter.
func parseFilter(text string, known func(attribute) bool) (expr, error) {
	if len(text) > maxFilter {
		return nil, errFilter
	}
	p := &filterParser{in: text, known: known}
	e, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.space(); p.in != "" {
		return nil, errFilter
	}
	return e, nil
}

func (p *filterParser) space() { p.in = strings.TrimLeft(p.in, " ") }

// word takes a keyword that ends at a space, a bracket or the end.
func (p *filterParser) word(w string) bool {
	p.space()
	if len(p.in) < len(w) || !strings.EqualFold(p.in[:len(w)], w) {
		return false
	}
	if rest := p.in[len(w):]; rest == "" || rest[0] == ' ' || rest[0] == '(' || rest[0] == ')' || rest[0] == ']' {
		p.in = rest
		return true
	}
	return false
}

func (p *filterParser) or() (expr, error) {
	if p.depth++; p.depth > maxFilterDepth {
		return nil, errFilter
	}
	defer func() { p.depth-- }()
	a, err := p.and()
	for err == nil && p.word("or") {
		var b expr
		if b, err = p.and(); err == nil {
			a = or{a, b}
		}
	}
	return a, err
}

func (p *filterParser) and() (expr, error) {
	a, err := p.term()
	for err == nil && p.word("and") {
		var b expr
		if b, err = p.term(); err == nil {
			a = and{a, b}
		}
	}
	return a, err
}

func (p *filterParser) term() (expr, error) {
	if p.space(); p.word("not") {
		if p.space(); !strings.HasPrefix(p.in, "(") {
			return nil, errFilter
		}
		e, err := p.group()
		return not{e}, err
	}
	if strings.HasPrefix(p.in, "(") {
		return p.group()
	}
	return p.attribute()
}

func (p *filterParser) group() (expr, error) {
	p.in = p.in[1:]
	e, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.space(); !strings.HasPrefix(p.in, ")") {
		return nil, errFilter
	}
	p.in = p.in[1:]
	return e, nil
}

func (p *filterParser) attribute() (expr, error) {
	n := strings.IndexAny(p.in, " []()\"")
	if n <= 0 {
		return nil, errFilter
	}
	a, ok := parseAttribute(p.in[:n])
	if !ok || !p.known(a) {
		return nil, errFilter
	}
	p.in = p.in[n:]
	if strings.HasPrefix(p.in, "[") {
		if a.sub != "" {
			return nil, errFilter
		}
		in, err := p.within(a)
		return each{a.path(), in}, err
	}
	if p.word("pr") {
		return present{a.path()}, nil
	}
	for _, op := range []string{"eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"} {
		if !p.word(op) {
			continue
		}
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		if _, text := v.(string); !text && op != "eq" && op != "ne" {
			return nil, errFilter
		}
		return compare{a.path(), op, v}, nil
	}
	return nil, errFilter
}

// within reads "[filter]" on the elements of an attribute.
func (p *filterParser) within(a attribute) (expr, error) {
	p.in = p.in[1:]
	outer := p.known
	p.known = func(sub attribute) bool {
		return sub.schema == "" && sub.sub == "" && outer(attribute{a.schema, a.name, sub.name})
	}
	e, err := p.or()
	p.known = outer
	if err != nil {
		return nil, err
	}
	if p.space(); !strings.HasPrefix(p.in, "]") {
		return nil, errFilter
	}
	p.in = p.in[1:]
	return e, nil
}

// value reads a JSON string, true, false or null; numbers stand nowhere in the
// schema.
func (p *filterParser) value() (any, error) {
	p.space()
	for w, v := range map[string]any{"true": true, "false": false, "null": nil} {
		if p.word(w) {
			return v, nil
		}
	}
	if !strings.HasPrefix(p.in, `"`) {
		return nil, errFilter
	}
	for n := 1; n < len(p.in); n++ {
		switch p.in[n] {
		case '\\':
			n++
		case '"':
			raw, err := jsontext.AppendUnquote(nil, p.in[:n+1])
			if err != nil {
				return nil, errFilter
			}
			p.in = p.in[n+1:]
			return string(raw), nil
		}
	}
	return nil, errFilter
}

// attribute is the name of an attribute, and of a part of it.
type attribute struct{ schema, name, sub string }

// path is where it stands in a resource: extensions below their URN.
func (a attribute) path() []string {
	var out []string
	if strings.EqualFold(a.schema, Extension) {
		out = append(out, Extension)
	}
	for _, s := range []string{a.name, a.sub} {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}

// parseAttribute reads [URN ":"] name ["." sub] (RFC 7644, section 3.10).
func parseAttribute(text string) (attribute, bool) {
	var a attribute
	if strings.HasPrefix(strings.ToLower(text), "urn:") {
		for _, s := range []string{UserSchema, enterprise, Extension} {
			if strings.EqualFold(text, s) && s != UserSchema {
				return attribute{schema: s}, true
			}
			if len(text) > len(s) && strings.EqualFold(text[:len(s)], s) && text[len(s)] == ':' {
				a.schema, text = s, text[len(s)+1:]
				break
			}
		}
		if a.schema == "" {
			return attribute{}, false
		}
	}
	name, sub, divided := strings.Cut(text, ".")
	if !isName(name) || divided && !isName(sub) {
		return attribute{}, false
	}
	a.name, a.sub = name, sub
	return a, true
}

// isName is ATTRNAME, and "$ref".
func isName(s string) bool {
	if s == "$ref" {
		return true
	}
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || !('0' <= c && c <= '9' || c == '-' || c == '_')) {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

// number reads a query's number; what is not one is the default.
func number(s string, otherwise int) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return otherwise
	}
	return n
}

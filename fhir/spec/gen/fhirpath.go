package main

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// node is where an expression can be: an element of the resource, with its type.
type node struct {
	path     string // without the resource's name; "" is the resource itself
	typ      string // a type's name; a path such as "Observation.component" for a backbone element
	choice   []string
	targets  []string // of a reference; nil is any
	resolved bool     // the reference was followed: only its type may be asked
}

// reducer evaluates an expression of FHIRPath over types instead of values, and
// collects every element that evaluating it over a resource would read. It knows
// what R4's search parameters use; anything else is an error, and so opaque.
type reducer struct {
	m        *model
	resource string
	tokens   []string
	reads    []string
}

func (r *reducer) read(nodes []node) {
	for _, n := range nodes {
		r.reads = append(r.reads, n.path)
	}
}

func (r *reducer) run(expr string, focus []node) ([]node, error) {
	var err error
	if r.tokens, err = tokens(expr); err != nil {
		return nil, err
	}
	out, err := r.logic(focus)
	if err == nil && len(r.tokens) > 0 {
		err = fmt.Errorf("unexpected %q", r.tokens[0])
	}
	return out, err
}

func tokens(s string) (out []string, err error) {
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimSpace(s) {
		n := 1
		switch c := rune(s[0]); {
		case c == '\'':
			end := strings.IndexByte(s[1:], '\'')
			if end < 0 {
				return nil, fmt.Errorf("open string")
			}
			n = end + 2
		case strings.HasPrefix(s, "!="):
			n = 2
		case unicode.IsLetter(c) || unicode.IsDigit(c):
			n = len(s) - len(strings.TrimLeftFunc(s, func(c rune) bool { return unicode.IsLetter(c) || unicode.IsDigit(c) }))
		case strings.ContainsRune("|.()[]=", c):
		default:
			return nil, fmt.Errorf("unexpected %q", c)
		}
		out, s = append(out, s[:n]), s[n:]
	}
	return out, nil
}

func (r *reducer) peek() string {
	if len(r.tokens) == 0 {
		return ""
	}
	return r.tokens[0]
}

func (r *reducer) next() string {
	t := r.peek()
	if t != "" {
		r.tokens = r.tokens[1:]
	}
	return t
}

func (r *reducer) take(t string) bool {
	if r.peek() == t {
		r.next()
		return true
	}
	return false
}

func (r *reducer) want(t string) error {
	if !r.take(t) {
		return fmt.Errorf("want %q, got %q", t, r.peek())
	}
	return nil
}

// logic: and, or, =, !=. A truth value is no element, but what it looks at is read.
func (r *reducer) logic(focus []node) ([]node, error) {
	out, err := r.union(focus)
	for err == nil && slices.Contains([]string{"and", "or", "=", "!="}, r.peek()) {
		r.next()
		r.read(out)
		if out, err = r.union(focus); err == nil {
			r.read(out)
			out = nil
		}
	}
	return out, err
}

func (r *reducer) union(focus []node) ([]node, error) {
	out, err := r.typed(focus)
	for err == nil && r.take("|") {
		var more []node
		more, err = r.typed(focus)
		out = append(out, more...)
	}
	return out, err
}

func (r *reducer) typed(focus []node) ([]node, error) {
	out, err := r.term(focus)
	for err == nil && (r.peek() == "as" || r.peek() == "is") {
		if r.next() == "as" {
			out = as(out, r.next())
		} else {
			out = is(out, r.next())
		}
	}
	return out, err
}

func as(nodes []node, typ string) []node {
	out := slices.Clone(nodes)
	for i := range out {
		out[i].typ, out[i].choice = typ, nil
	}
	return out
}

// is keeps the nodes, narrowed: where() looks at them to narrow its own.
func is(nodes []node, typ string) []node {
	out := slices.Clone(nodes)
	for i := range out {
		if out[i].resolved {
			out[i].targets = []string{typ}
		}
	}
	return out
}

func (r *reducer) term(focus []node) (out []node, err error) {
	switch t := r.next(); {
	case t == "(":
		if out, err = r.logic(focus); err == nil {
			err = r.want(")")
		}
	case t == "":
		return nil, fmt.Errorf("ends early")
	case t[0] == '\'' || t == "true" || t == "false":
	case r.m.byName[t].Kind == "resource":
		if r.m.inherits(r.resource, t) {
			out = []node{{typ: r.resource}} // another resource's part of a shared expression yields nothing
		}
	default:
		out, err = r.step(focus, t)
	}
	for err == nil {
		switch {
		case r.take("."):
			out, err = r.step(out, r.next())
		case r.take("["):
			r.next() // an index: which repetition, not which element
			err = r.want("]")
		default:
			return out, nil
		}
	}
	return nil, err
}

func (r *reducer) step(focus []node, name string) ([]node, error) {
	if !r.take("(") {
		return r.child(focus, name)
	}
	switch name {
	case "as", "ofType":
		out := as(focus, r.next())
		return out, r.want(")")
	case "exists":
		r.read(focus)
		return nil, r.want(")")
	case "extension":
		r.next() // the url
		out, err := r.child(focus, "extension")
		if err != nil {
			return nil, err
		}
		return out, r.want(")")
	case "hasExtension":
		r.next()
		out, err := r.child(focus, "extension")
		if err != nil {
			return nil, err
		}
		r.read(out)
		return nil, r.want(")")
	case "resolve":
		out := slices.Clone(focus)
		for i := range out {
			out[i].resolved = true
		}
		return out, r.want(")")
	case "where":
		cond, err := r.logic(focus)
		if err != nil {
			return nil, err
		}
		r.read(cond)
		out := slices.Clone(focus)
		for i := range out {
			for _, c := range cond {
				if c.resolved && c.path == out[i].path {
					out[i].targets = c.targets
				}
			}
		}
		return out, r.want(")")
	}
	return nil, fmt.Errorf("function %s", name)
}

func (r *reducer) child(focus []node, name string) ([]node, error) {
	var out []node
	for _, n := range focus {
		if n.resolved {
			return nil, fmt.Errorf("reads %s of another resource", name)
		}
		types := n.choice
		if types == nil {
			types = []string{n.typ}
		}
		found := false
		for _, t := range types {
			if c, ok := r.m.childOf(n.path, t, name); ok && !slices.ContainsFunc(out, func(o node) bool { return o.path == c.path }) {
				out, found = append(out, c), true
			}
		}
		if !found {
			return nil, fmt.Errorf("%s has no %s", n.typ, name)
		}
	}
	return out, nil
}

func (m *model) childOf(path, typ, name string) (node, bool) {
	if _, backbone := m.at[typ]; !backbone {
		return node{}, false
	}
	for _, suffix := range []string{"", "[x]"} {
		e, ok := m.at[typ+"."+name+suffix]
		if !ok {
			continue
		}
		n := node{path: strings.TrimPrefix(path+"."+name+suffix, ".")}
		if e.ContentReference != "" {
			n.typ = strings.TrimPrefix(e.ContentReference, "#")
			return n, true
		}
		for _, t := range e.Type {
			code := t.Code
			if code == "BackboneElement" || code == "Element" {
				code = e.Path
			}
			n.typ = code
			if suffix != "" {
				n.choice = append(n.choice, code)
			}
		}
		return n, true
	}
	return node{}, false
}

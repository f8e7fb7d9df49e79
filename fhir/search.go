package fhir

import (
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/sallyport/sallyport/fhir/spec"
	"github.com/sallyport/sallyport/problem"
)

// Bounds on a query. They are far above what a person or a client library writes.
const (
	maxQuery  = 32 << 10
	maxParams = 200
	maxSteps  = 4
	maxValues = 500
	maxCount  = 1_000_000
)

// Search is a search of one resource type, understood in full: every parameter is
// one that R4 defines for that type, and every value has its parameter's form.
// It prints as [PHI].
type Search struct {
	Resource string
	Params   []Param
	Sort     []SortKey
	Include  []Include
	Count    int      // page size; -1 where not said
	Elements []string // _elements: names of the resource's own elements
	Summary  string   // true, text, data, count, false or ""
	Total    string   // none, estimate, accurate or ""

	Contained     string // true, false, both or ""
	ContainedType string // container, contained or ""
}

// Param is one criterion. All must hold; of its Values, any.
type Param struct {
	Steps    []Step // of a chain or of _has, from the searched type to where Code is asked
	Code     string
	Modifier string         // "exact", "missing", a resource type ...
	Type     spec.ParamType // of Code
	On       []string       // the resource types at which Code is asked: one, unless a chain leaves it open
	Values   []Value
}

// Step follows a reference: forwards ("subject:Patient.") or backwards
// ("_has:Observation:patient:").
type Step struct {
	Reverse bool
	Code    string   // the reference parameter
	Type    string   // forwards: the target, if it was named; backwards: the type that refers
	From    []string // the types whose parameter Code is: what is read
}

// Value is one alternative. Text is as written, with FHIR's escapes; Parts
// resolves them.
type Value struct {
	Prefix string // eq, ne, gt, lt, ge, le, sa, eb, ap or ""
	Text   string
}

// SortKey is one key of _sort.
type SortKey struct {
	Code       string
	Descending bool
}

// Include is one _include or _revinclude.
type Include struct {
	Reverse bool // _revinclude
	Iterate bool
	Source  string // the type that refers
	Code    string // its reference parameter
	Target  string // or "" for any
}

// Format implements fmt.Formatter: what is searched for is patient data.
func (Search) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "[PHI]") }

// LogValue implements slog.LogValuer.
func (Search) LogValue() slog.Value { return slog.StringValue("[PHI]") }

// Format implements fmt.Formatter.
func (Param) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "[PHI]") }

// LogValue implements slog.LogValuer.
func (Param) LogValue() slog.Value { return slog.StringValue("[PHI]") }

// Format implements fmt.Formatter.
func (Value) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "[PHI]") }

// LogValue implements slog.LogValuer.
func (Value) LogValue() slog.Value { return slog.StringValue("[PHI]") }

// Parts splits the value at the separator where it is not escaped, and resolves
// the escapes (R4, search.html#escaping).
func (v Value) Parts(sep byte) []string {
	parts := splitEscaped(v.Text, sep)
	for i, p := range parts {
		parts[i] = unescape(p)
	}
	return parts
}

// ParseSearch reads the query of a search: the part of a URL after "?", or the
// form that was posted to _search. bases are this server's addresses, as for
// ParseRef. The error is a *problem.Problem that names a parameter, never a value.
func ParseSearch(resource, query string, bases ...string) (*Search, error) {
	if !spec.IsResource(resource) {
		return nil, problem.BadField("resource", "Not a resource type of FHIR R4", "Search one resource type, such as Patient or Observation")
	}
	pairs, err := parsePairs(query)
	if err != nil {
		return nil, err
	}
	s := &Search{Resource: resource, Count: -1}
	seen := map[string]bool{}
	for _, p := range pairs {
		if result, err := s.result(p.name, p.value, seen); result || err != nil {
			if err != nil {
				return nil, err
			}
			continue
		}
		param, err := parseParam(resource, p.name, p.value, bases)
		if err != nil {
			return nil, err
		}
		s.Params = append(s.Params, param)
	}
	return s, nil
}

type pair struct{ name, value string }

func parsePairs(query string) ([]pair, error) {
	if query == "" {
		return nil, nil
	}
	if len(query) > maxQuery {
		return nil, problem.BadField("query", "The query is too long", "Shorten it, or search in several steps")
	}
	var out []pair
	for part := range strings.SplitSeq(query, "&") {
		name, value, ok := strings.Cut(part, "=")
		n, err1 := url.QueryUnescape(name)
		v, err2 := url.QueryUnescape(value)
		if !ok || err1 != nil || err2 != nil || n == "" || strings.ContainsAny(part, ";#") || !printable(n) || !printable(v) {
			return nil, problem.BadField("query", "The query is not a list of name=value pairs joined by &", "Percent-encode special characters, in UTF-8")
		}
		if out = append(out, pair{n, v}); len(out) > maxParams {
			return nil, problem.BadField("query", "The query has too many parameters", "Search in several steps")
		}
	}
	return out, nil
}

func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c == 0x7f })
}

// bad makes the problem for a parameter. Its name is shown only where it is a
// plain word: a name that somebody made up can hold anything.
func bad(name, title, next string) error {
	code, _, _ := strings.Cut(name, ":")
	if i := strings.IndexByte(code, '.'); i >= 0 {
		code = code[:i]
	}
	if len(code) > 64 || code == "" || strings.ContainsFunc(code, func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-')
	}) {
		code = "query"
	}
	return problem.BadField(code, title, next)
}

// result reads the parameters that shape the answer; ok is false for others.
func (s *Search) result(name, value string, seen map[string]bool) (ok bool, err error) {
	base, modifier, modified := strings.Cut(name, ":")
	switch {
	case base == "_include" || base == "_revinclude":
		return true, s.include(base, modifier, modified, value)
	case base != "_format" && base != "_pretty" && !spec.IsResultParam(base):
		return false, nil
	case modified:
		return true, bad(name, "This parameter takes no modifier", "Remove what follows the colon")
	case seen[base]:
		return true, bad(name, "This parameter may be given once", "Give it once; separate several keys by commas")
	}
	seen[base] = true
	choose := func(into *string, words ...string) error {
		if !slices.Contains(words, value) {
			return bad(name, "Not a value of this parameter", "Use one of: "+strings.Join(words, ", "))
		}
		*into = value
		return nil
	}
	var ignored string
	switch base {
	case "_format":
		return true, choose(&ignored, "json", "application/json", "application/fhir+json")
	case "_pretty":
		return true, choose(&ignored, "true", "false")
	case "_summary":
		return true, choose(&s.Summary, "true", "text", "data", "count", "false")
	case "_total":
		return true, choose(&s.Total, "none", "estimate", "accurate")
	case "_contained":
		return true, choose(&s.Contained, "true", "false", "both")
	case "_containedType":
		return true, choose(&s.ContainedType, "container", "contained")
	case "_count":
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 || n > maxCount || !spec.Valid("unsignedInt", value) {
			return true, bad(name, "Not a number of resources", "Give a whole number")
		}
		s.Count = n
	case "_elements":
		t, _ := spec.Lookup(s.Resource)
		for e := range strings.SplitSeq(value, ",") {
			if !slices.ContainsFunc(t.Elements, func(el *spec.Element) bool { return el.Name == e }) {
				return true, bad(name, "A name in it is not an element of "+s.Resource, "Name the resource's own elements, without [x], separated by commas")
			}
			s.Elements = append(s.Elements, e)
		}
	case "_sort":
		for key := range strings.SplitSeq(value, ",") {
			code, descending := strings.CutPrefix(key, "-")
			if _, ok := spec.Search(s.Resource, code); !ok {
				return true, bad(name, "A key in it is not a search parameter of "+s.Resource, "Sort by search parameters, separated by commas; a minus before one turns its order")
			}
			s.Sort = append(s.Sort, SortKey{Code: code, Descending: descending})
		}
	}
	return true, nil
}

func (s *Search) include(name, modifier string, modified bool, value string) error {
	if modified && modifier != "iterate" {
		return bad(name, "Not a modifier of this parameter", "Use :iterate or nothing")
	}
	parts := strings.Split(value, ":")
	if len(parts) < 2 || len(parts) > 3 {
		return bad(name, "What to include is not named", "Name each reference, as in Observation:subject or Observation:subject:Patient; * is not offered")
	}
	inc := Include{Reverse: name == "_revinclude", Iterate: modified, Source: parts[0], Code: parts[1]}
	p, ok := spec.Search(inc.Source, inc.Code)
	if !ok || p.Type != spec.TypeReference {
		return bad(name, "It names no reference parameter of R4", "Write [type]:[reference parameter], as in Observation:subject")
	}
	if len(parts) == 3 {
		inc.Target = parts[2]
		if !spec.IsResource(inc.Target) || !mayTarget(p, inc.Target) {
			return bad(name, "The reference cannot have the target that is named", "Leave the target out, or name one that R4 allows")
		}
	}
	if !inc.Reverse && !inc.Iterate && inc.Source != s.Resource {
		return bad(name, "It starts at a type that is not the one searched", "Start at "+s.Resource+", or use _include:iterate")
	}
	if inc.Reverse && !inc.Iterate && !mayTarget(p, s.Resource) {
		return bad(name, "The reference cannot point to the type that is searched", "Name a reference to "+s.Resource)
	}
	s.Include = append(s.Include, inc)
	return nil
}

// Adds lists the resource types that the include can bring into the answer, sorted.
func (i Include) Adds() []string {
	if i.Reverse {
		return []string{i.Source}
	}
	if i.Target != "" {
		return []string{i.Target}
	}
	p, ok := spec.Search(i.Source, i.Code)
	if !ok || p.AnyTarget {
		return slices.Clone(spec.Resources())
	}
	return slices.Clone(p.Targets)
}

func mayTarget(p *spec.SearchParam, resource string) bool {
	return p.AnyTarget || slices.Contains(p.Targets, resource)
}

// parseParam reads a criterion: [chain.]code[:modifier] and its values.
func parseParam(resource, name, value string, bases []string) (Param, error) {
	p := Param{On: []string{resource}}
	rest := name
	for {
		head, tail, chained := strings.Cut(rest, ".")
		switch {
		case strings.HasPrefix(rest, "_has:"):
			parts := strings.SplitN(rest, ":", 4)
			if len(parts) != 4 {
				return Param{}, bad("_has", "It is not complete", "Write _has:[type]:[reference parameter]:[parameter]=...")
			}
			ref, ok := spec.Search(parts[1], parts[2])
			if !ok || ref.Type != spec.TypeReference || !slices.ContainsFunc(p.On, func(t string) bool { return mayTarget(ref, t) }) {
				return Param{}, bad("_has", "It names no reference to the type that is searched", "Write _has:[type]:[reference parameter]:[parameter]=..., with names that R4 has")
			}
			p.Steps = append(p.Steps, Step{Reverse: true, Type: parts[1], Code: parts[2], From: []string{parts[1]}})
			p.On, rest = []string{parts[1]}, parts[3]
		case chained:
			step, on, err := forward(name, head, p.On)
			if err != nil {
				return Param{}, err
			}
			p.Steps = append(p.Steps, step)
			p.On, rest = on, tail
		default:
			err := p.last(name, rest)
			if err == nil {
				err = p.values(name, value, bases)
			}
			return p, err
		}
		if len(p.Steps) > maxSteps {
			return Param{}, bad(name, "The chain is too long", "Search in several steps")
		}
	}
}

// forward is one link of a chain: "subject" or "subject:Patient". Where the
// target is not named, it is every one that the reference can have.
func forward(name, head string, from []string) (Step, []string, error) {
	code, target, named := strings.Cut(head, ":")
	step := Step{Code: code, Type: target}
	var on []string
	anything := false
	for _, t := range from {
		p, ok := spec.Search(t, code)
		if !ok || p.Type != spec.TypeReference || named && !(spec.IsResource(target) && mayTarget(p, target)) {
			continue
		}
		step.From = append(step.From, t)
		switch {
		case named:
			on = append(on, target)
		case p.AnyTarget:
			anything = true
		default:
			on = append(on, p.Targets...)
		}
	}
	if len(step.From) == 0 {
		return Step{}, nil, bad(name, "It chains through what is no reference, or not to that type", "Chain through reference parameters that R4 defines")
	}
	if anything {
		return step, spec.Resources(), nil
	}
	slices.Sort(on)
	return step, slices.Compact(on), nil
}

func (p *Param) last(name, rest string) error {
	code, modifier, modified := strings.Cut(rest, ":")
	if modified && modifier == "" {
		return bad(name, "The modifier is missing", "Remove the colon, or write what follows it")
	}
	p.Code, p.Modifier = code, modifier
	if code == "_list" {
		if len(p.Steps) > 0 || modified {
			return bad(name, "_list cannot be chained or modified", "Use it alone")
		}
		p.Type = spec.TypeSpecial
		return nil
	}
	var on []string
	for _, t := range p.On {
		sp, ok := spec.Search(t, code)
		if !ok {
			continue
		}
		if p.Type != "" && p.Type != sp.Type {
			return bad(name, "The parameter means different things at the chain's possible targets", "Name the target's type, as in subject:Patient.name")
		}
		if modified && !mayModify(sp, modifier) {
			return bad(name, "Not a modifier of this parameter", "Use one that R4 defines for a parameter of type "+string(sp.Type))
		}
		p.Type = sp.Type
		on = append(on, t)
	}
	if len(on) == 0 {
		return bad(name, "Not a search parameter that R4 defines here", "Use one of R4's search parameters for the resource type")
	}
	p.On = on
	return nil
}

// mayModify: R4, search.html#modifiers.
func mayModify(p *spec.SearchParam, modifier string) bool {
	if modifier == "missing" {
		return !p.Opaque
	}
	switch p.Type {
	case spec.TypeString:
		return modifier == "exact" || modifier == "contains"
	case spec.TypeToken:
		return slices.Contains([]string{"text", "not", "above", "below", "in", "not-in", "of-type"}, modifier)
	case spec.TypeReference:
		return modifier == "identifier" || modifier == "above" || modifier == "below" || spec.IsResource(modifier) && mayTarget(p, modifier)
	case spec.TypeURI:
		return modifier == "above" || modifier == "below"
	}
	return false
}

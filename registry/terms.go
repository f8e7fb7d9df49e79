package registry

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	jsonv2 "github.com/go-json-experiment/json"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/snapshot"
)

// fieldsElsewhere are terms of the catalogue that an agreement holds as fields
// of its own, because gates read them.
var fieldsElsewhere = map[string]string{
	"instrument":     "Leave it out: kind, document_sha256, signatures and dates say it",
	"permitted_uses": "Write them as permitted_uses of the agreement, beside terms",
}

// dataUseTerms are the data use agreement's own terms, which the catalogue of
// BAA terms lacks (45 CFR 164.514(e)(4)(ii)).
var dataUseTerms = sync.OnceValue(func() map[string]string {
	m := map[string]string{}
	for _, f := range hipaa.DataUseAgreementFields() {
		if _, ok := hipaa.TermByField(f); !ok {
			m[f] = "bool+clause"
		}
	}
	if _, ok := m["permitted_users_recipients"]; ok {
		m["permitted_users_recipients"] = "list"
	}
	return m
})

func termType(field string) (typ, check string, ok bool) {
	if t, ok := hipaa.TermByField(field); ok {
		return t.Type, t.Check, true
	}
	typ, ok = dataUseTerms()[field]
	return typ, "", ok
}

// TermFields lists every field that the terms of an agreement can have.
func TermFields() []string {
	var out []string
	for _, t := range hipaa.Terms() {
		if _, elsewhere := fieldsElsewhere[t.Field]; !elsewhere {
			out = append(out, t.Field)
		}
	}
	for f := range dataUseTerms() {
		out = append(out, f)
	}
	slices.Sort(out)
	return out
}

// ReadableTerms wants each term to be in the catalogue, of its type, and with its clause.
func ReadableTerms(terms map[string]snapshot.Term) error { return checkTerms("terms", terms) }

// checkTerms wants each term to be in the catalogue and of its type.
func checkTerms(field string, terms map[string]snapshot.Term) error {
	names := make([]string, 0, len(terms))
	for n := range terms {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		at := field + "." + n
		if next, elsewhere := fieldsElsewhere[n]; elsewhere {
			return badField(at, "is not written here", next)
		}
		typ, check, ok := termType(n)
		if !ok {
			return badField(at, "is not a term of the catalogue", meant(n, TermFields(), "See the list: sallyport terms"))
		}
		t := terms[n]
		if n == delegatedObligations && saysNotApplicable(t.Value) {
			// There is no clause to point at; the reason stands for it.
			if err := shortText(at+".clause", t.Clause); err != nil {
				return err
			}
			continue
		}
		if err := checkTermValue(at+".value", typ, check, t.Value); err != nil {
			if n == delegatedObligations {
				return badField(at+".value", "is of the wrong type", `Write true or false, or {"not_applicable": "why the vendor carries out none"}`)
			}
			return err
		}
		if strings.Contains(typ, "+clause") && strings.TrimSpace(t.Clause) == "" {
			return badField(at+".clause", "is missing", `Say where it stands in the paper, such as "§ 4.2"`)
		}
		if err := shortText(at+".clause", t.Clause); err != nil {
			return err
		}
	}
	return nil
}

// delegatedObligations binds a vendor "to the extent" that it carries out an
// obligation of the organisation's (45 CFR 164.504(e)(2)(ii)(H), BAA-M10). Where
// it carries out none, the paper need not have it, and the term says why:
// {"not_applicable": "reason"}.
const delegatedObligations = "delegated_obligations"

func saysNotApplicable(raw json.RawMessage) bool {
	var v struct {
		Reason string `json:"not_applicable"`
	}
	err := jsonv2.Unmarshal(raw, &v, jsonv2.RejectUnknownMembers(true))
	return err == nil && strings.TrimSpace(v.Reason) != "" && shortText("", v.Reason) == nil
}

// checkTermValue checks a value against the catalogue's word for its type:
// bool, int>=0, enum[a,b], list, list{...}, map{...}, object{a,b?,c[]}. What the
// word adds after "+" may stand beside the value: {"value": true, "metrics": []}.
func checkTermValue(field, typ, check string, raw json.RawMessage) error {
	if len(bytes.TrimSpace(raw)) == 0 {
		return badField(field, "is missing", "Write "+describe(typ))
	}
	var v any
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		return badField(field, "cannot be read", "Write "+describe(typ))
	}
	if inner, more, ok := besides(v); ok {
		if err := checkMore(field, typ, more); err != nil {
			return err
		}
		raw, err := json.Marshal(inner)
		if err != nil {
			return badField(field, "cannot be read", "Write "+describe(typ))
		}
		plain, _, _ := strings.Cut(typ, "+")
		return checkTermValue(field+".value", plain, check, raw)
	}
	base, args := splitType(typ)
	wrong := func() error { return badField(field, "is of the wrong type", "Write "+describe(typ)) }
	switch base {
	case "bool":
		if _, ok := v.(bool); !ok {
			return wrong()
		}
	case "int":
		n, ok := v.(json.Number)
		if !ok {
			return wrong()
		}
		i, err := strconv.ParseInt(string(n), 10, 64)
		if err != nil {
			return wrong()
		}
		return checkBounds(field, i, args, check)
	case "enum":
		s, ok := v.(string)
		if !ok {
			return wrong()
		}
		return oneOf(field, s, strings.Split(args, ","))
	case "list":
		if _, ok := v.([]any); !ok {
			return wrong()
		}
	case "map":
		m, ok := v.(map[string]any)
		if !ok {
			return wrong()
		}
		return checkMap(field, m, args)
	case "object":
		m, ok := v.(map[string]any)
		if !ok {
			return wrong()
		}
		return checkObject(field, m, args)
	default:
		return badField(field, "has a type that this version does not know", "Leave the term out")
	}
	return nil
}

// besides takes {"value": true, "screening_date": "2026-01-31"} apart: a plain value,
// and what the catalogue's type names behind a "+".
func besides(v any) (inner any, more map[string]any, ok bool) {
	m, ok := v.(map[string]any)
	if !ok {
		return nil, nil, false
	}
	if inner, ok = m["value"]; !ok {
		return nil, nil, false
	}
	more = map[string]any{}
	for k, x := range m {
		if k != "value" {
			more[k] = x
		}
	}
	return inner, more, true
}

// checkMore checks what stands beside a plain value: "notice_days:int", "method[]".
func checkMore(field, typ string, more map[string]any) error {
	kinds := map[string]string{}
	var names []string
	_, rest, _ := strings.Cut(typ, "+")
	for part := range strings.SplitSeq(rest, "+") {
		name, kind, _ := strings.Cut(part, ":")
		name, isList := strings.CutSuffix(name, "[]")
		if isList {
			kind = "list"
		}
		if name != "" && name != "clause" {
			kinds[name] = kind
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return badField(field, "is of the wrong type", "Write "+describe(typ))
	}
	for _, k := range sortedKeys(more) {
		kind, ok := kinds[k]
		if !ok {
			return badField(field+"."+k, "is not a member of this term", meant(k, names, "Use "+join(names)))
		}
		switch kind {
		case "list":
			if _, ok := more[k].([]any); !ok {
				return badField(field+"."+k, "is of the wrong type", "Write a list")
			}
		case "int":
			n, ok := more[k].(json.Number)
			if i, err := strconv.ParseInt(string(n), 10, 64); !ok || err != nil || i < 0 {
				return badField(field+"."+k, "is of the wrong type", "Write a whole number")
			}
		}
	}
	return nil
}

// splitType takes "enum[a,b]+clause" into "enum" and "a,b".
func splitType(typ string) (base, args string) {
	depth := 0
	end := len(typ)
	for i, c := range typ {
		switch c {
		case '{', '[', '(':
			depth++
		case '}', ']', ')':
			depth--
		case '+':
			if depth == 0 {
				end = min(end, i)
			}
		}
	}
	typ = typ[:end]
	i := strings.IndexAny(typ, "{[(<>")
	if i < 0 {
		return typ, ""
	}
	if typ[i] == '<' || typ[i] == '>' {
		return typ[:i], typ[i:]
	}
	return typ[:i], typ[i+1 : len(typ)-1]
}

func describe(typ string) string {
	base, args := splitType(typ)
	switch base {
	case "bool":
		return "true or false"
	case "int":
		return "a whole number " + args
	case "enum":
		return "one of " + strings.ReplaceAll(args, ",", ", ")
	case "list":
		return "a list"
	case "map":
		return "an object " + args
	default:
		return "an object with " + strings.ReplaceAll(args, ",", ", ")
	}
}

var bound = regexp.MustCompile(`(?:(\d+)(<=?))?value(?:(<=?|>=?)(\d+))?`)

// checkBounds holds an integer to the bounds in the type (">=0") and in the
// check ("0<value<=1440", "value>=6").
func checkBounds(field string, i int64, inType, check string) error {
	rules := []string{check}
	if inType != "" {
		rules = append(rules, "value"+inType)
	}
	for _, rule := range rules {
		m := bound.FindStringSubmatch(rule)
		if m == nil {
			continue
		}
		holds := true
		if m[1] != "" {
			holds = compare(m[1], m[2], i)
		}
		if m[4] != "" {
			n, _ := strconv.ParseInt(m[4], 10, 64)
			switch m[3] {
			case "<":
				holds = holds && i < n
			case "<=":
				holds = holds && i <= n
			case ">":
				holds = holds && i > n
			case ">=":
				holds = holds && i >= n
			}
		}
		if !holds {
			return badField(field, fmt.Sprintf("%d is out of bounds", i), "Write a number with "+rule)
		}
	}
	return nil
}

func compare(low, op string, i int64) bool {
	n, err := strconv.ParseInt(low, 10, 64)
	if err != nil {
		return false
	}
	if op == "<" {
		return n < i
	}
	return n <= i
}

// checkMap checks "purpose:[a,b]->enum[x,y]".
func checkMap(field string, m map[string]any, args string) error {
	keyPart, valuePart, _ := strings.Cut(args, "->")
	_, keyPart, _ = strings.Cut(keyPart, ":")
	keys := strings.Split(strings.Trim(keyPart, "[]"), ",")
	_, values := splitType(valuePart)
	for _, k := range sortedKeys(m) {
		if err := oneOf(field+"."+k, k, keys); err != nil {
			return err
		}
		s, ok := m[k].(string)
		if !ok {
			return badField(field+"."+k, "is of the wrong type", "Write one of "+values)
		}
		if err := oneOf(field+"."+k, s, strings.Split(values, ",")); err != nil {
			return err
		}
	}
	return nil
}

// checkObject checks members "a", "b?", "c[]", "d:bool", "e:12". Members that
// the catalogue only points to ("see ...") are not checked.
func checkObject(field string, m map[string]any, args string) error {
	if strings.HasPrefix(args, "see ") {
		return nil
	}
	kinds := map[string]string{}
	var names []string
	depth, start := 0, 0
	add := func(part string) {
		i := strings.IndexFunc(part, func(r rune) bool {
			return !('a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '_')
		})
		name, rest := part, ""
		if i >= 0 {
			name, rest = part[:i], part[i:]
		}
		if name != "" {
			kinds[name] = rest
			names = append(names, name)
		}
	}
	for i, c := range args {
		switch c {
		case '[', '{', '(':
			depth++
		case ']', '}', ')':
			depth--
		case ',':
			if depth == 0 {
				add(args[start:i])
				start = i + 1
			}
		}
	}
	add(args[start:])
	for _, k := range sortedKeys(m) {
		kind, ok := kinds[k]
		if !ok {
			return badField(field+"."+k, "is not a member of this term", meant(k, names, "Use "+join(names)))
		}
		switch {
		case strings.HasPrefix(kind, "["):
			if _, ok := m[k].([]any); !ok {
				return badField(field+"."+k, "is of the wrong type", "Write a list")
			}
		case kind == ":bool":
			if _, ok := m[k].(bool); !ok {
				return badField(field+"."+k, "is of the wrong type", "Write true or false")
			}
		}
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

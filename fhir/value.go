package fhir

import (
	"strings"

	"github.com/sallyport/sallyport/fhir/spec"
)

var prefixes = []string{"eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"}

// values reads the alternatives and checks each against its parameter's form, so
// that nothing passes that an upstream could take for something else.
func (p *Param) values(name, value string, bases []string) error {
	if p.opaque() {
		p.Values = []Value{{Text: value}} // its grammar is its own, and it is refused as opaque
		return nil
	}
	if !escapesValid(value) {
		return bad(name, "A backslash in it escapes nothing", `Write \\, \, \$ or \| for those characters`)
	}
	texts := splitEscaped(value, ',')
	if len(texts) > maxValues {
		return bad(name, "It has too many values", "Search in several steps")
	}
	for _, text := range texts {
		v := Value{Text: text}
		if p.Modifier == "" && (p.Type == spec.TypeNumber || p.Type == spec.TypeDate || p.Type == spec.TypeQuantity) {
			v = cutPrefix(text)
		}
		if !p.valid(v, bases) {
			return bad(name, "A value does not have the form of a parameter of type "+string(p.Type), "See R4's search page for the form; values are separated by commas")
		}
		p.Values = append(p.Values, v)
	}
	return nil
}

func (p *Param) opaque() bool {
	for _, t := range p.On {
		if sp, ok := spec.Search(t, p.Code); ok && sp.Opaque {
			return true
		}
	}
	return false
}

func cutPrefix(text string) Value {
	for _, prefix := range prefixes {
		if rest, ok := strings.CutPrefix(text, prefix); ok {
			return Value{Prefix: prefix, Text: rest}
		}
	}
	return Value{Text: text}
}

func (p *Param) valid(v Value, bases []string) bool {
	switch {
	case v.Text == "":
		return false
	case p.Modifier == "missing":
		return v.Text == "true" || v.Text == "false"
	case p.Code == "_list":
		return spec.ValidID(v.Text) && !dots(v.Text) // the functional lists ($current-...) are not offered
	case p.Code == "_id":
		return p.Modifier == "" && spec.ValidID(v.Text) && !dots(v.Text)
	case p.Modifier == "in" || p.Modifier == "not-in":
		return len(v.Parts('|')) <= 2
	case p.Modifier == "identifier":
		return len(splitEscaped(v.Text, '|')) <= 2
	case p.Modifier == "of-type":
		return len(splitEscaped(v.Text, '|')) == 3
	}
	if p.Type != spec.TypeComposite {
		return validAs(p.Type, v, func(text string) bool { return p.reference(text, bases) })
	}
	sp, _ := spec.Search(p.On[0], p.Code)
	parts := splitEscaped(v.Text, '$')
	if len(parts) != len(sp.Components) {
		return false
	}
	for i, c := range sp.Components {
		part := Value{Text: parts[i]}
		if c.Type == spec.TypeNumber || c.Type == spec.TypeDate || c.Type == spec.TypeQuantity {
			part = cutPrefix(parts[i])
		}
		if !validAs(c.Type, part, func(text string) bool { return componentReference(text, bases) }) {
			return false
		}
	}
	return true
}

func validAs(t spec.ParamType, v Value, reference func(string) bool) bool {
	if v.Text == "" {
		return false
	}
	switch t {
	case spec.TypeNumber:
		return spec.Valid("decimal", v.Text)
	case spec.TypeDate:
		return searchDate(v.Text)
	case spec.TypeQuantity:
		parts := splitEscaped(v.Text, '|')
		return (len(parts) == 1 || len(parts) == 3) && spec.Valid("decimal", parts[0])
	case spec.TypeToken:
		return len(splitEscaped(v.Text, '|')) <= 2
	case spec.TypeReference:
		return reference(v.Text)
	}
	return true
}

// reference accepts an id, [type]/[id], the same on our own address; and where the
// element is a canonical, an address. Other servers' addresses are refused: the
// upstream might resolve there what was not turned back here.
func (p *Param) reference(text string, bases []string) bool {
	if p.canonical() {
		return spec.Valid("uri", unescape(text))
	}
	typ, _, ok := target(unescape(text), p.Modifier, bases)
	if !ok {
		return false
	}
	for _, t := range p.On {
		if sp, found := spec.Search(t, p.Code); found && (typ == "" || mayTarget(sp, typ)) {
			return true
		}
	}
	return false
}

func componentReference(text string, bases []string) bool {
	_, _, ok := target(unescape(text), "", bases)
	return ok
}

// target reads the value of a reference parameter. typ is "" for a bare id whose
// type the modifier does not say.
func target(text, modifier string, bases []string) (typ, id string, ok bool) {
	if spec.ValidID(text) && !dots(text) {
		if spec.IsResource(modifier) {
			typ = modifier
		}
		return typ, text, true
	}
	r := ParseRef(text, bases...)
	if r.Kind != Literal || r.Version != "" || r.Fragment != "" || dots(r.ID) {
		return "", "", false
	}
	if spec.IsResource(modifier) && modifier != r.Type {
		return "", "", false
	}
	return r.Type, r.ID, true
}

// canonical says whether the parameter reads canonical addresses and no Reference.
func (p *Param) canonical() bool {
	for _, t := range p.On {
		sp, ok := spec.Search(t, p.Code)
		if !ok || len(sp.Elements) == 0 {
			return false
		}
		some := false
		for _, path := range sp.Elements {
			_, e, ok := spec.Path(path)
			switch {
			case !ok || e.Type.Name == "Reference" || e.Choice || e.Type.Kind != spec.Primitive:
				return false
			case e.Type.Name == "canonical" || e.Type.Name == "uri":
				some = true
			}
		}
		if !some {
			return false
		}
	}
	return true
}

// dots: "." and ".." are FHIR ids, and path segments with a meaning of their own.
func dots(id string) bool { return id == "." || id == ".." }

// searchDate: a date as R4 has it, or with minutes but no seconds, or without a
// zone, which a search may leave out (R4, search.html#date).
func searchDate(s string) bool {
	if _, ok := spec.DatePrecision(s); ok {
		return true
	}
	if len(s) < 16 || s[10] != 'T' {
		return false
	}
	clock, zone := s[11:], ""
	if i := strings.IndexAny(clock, "Z+-"); i >= 0 {
		clock, zone = clock[:i], clock[i:]
	}
	if len(clock) == 5 {
		clock += ":00"
	}
	if zone == "" {
		zone = "Z"
	}
	_, ok := spec.DatePrecision(s[:11] + clock + zone)
	return ok
}

// escapesValid: a backslash stands only before \ , $ |.
func escapesValid(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' {
			if i++; i == len(s) || strings.IndexByte(`\,$|`, s[i]) < 0 {
				return false
			}
		}
	}
	return true
}

// splitEscaped splits at sep where no backslash stands before it, and keeps the
// escapes.
func splitEscaped(s string, sep byte) []string {
	var out []string
	start := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case sep:
			out = append(out, s[start:i])
			start = i + 1
		}
	}
	return append(out, s[start:])
}

func unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

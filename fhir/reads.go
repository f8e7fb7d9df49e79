package fhir

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport/sallyport/fhir/spec"
)

// Reads is everything that evaluating a search looks at. An answer, even an empty
// one, tells about all of it: whoever may not see an element must not search by it.
type Reads struct {
	// Elements are paths from a resource type, sorted: "Patient.name". Each stands
	// for all that is below it too.
	Elements []string
	// Opaque are parameters of which it is not known what they read (_text, _content,
	// _filter, _query, and some of R4's without an expression). Refuse them.
	Opaque []string
	// Totals: the answer counts resources, whether or not it shows them.
	Totals bool
}

// Reads lists what the search reads: for each criterion its elements at every type
// where a chain can lead, and the reference of every link on the way; what it
// sorts by; the references that it follows to include resources.
func (s *Search) Reads() Reads {
	r := Reads{Totals: s.Total == "accurate" || s.Total == "estimate" || s.Summary == "count" || s.Count == 0}
	for _, p := range s.Params {
		for _, step := range p.Steps {
			for _, t := range step.From {
				r.add(t, step.Code)
			}
		}
		if p.Code == "_list" {
			r.Elements = append(r.Elements, "List.entry.item", "List.id")
			continue
		}
		for _, t := range p.On {
			r.add(t, p.Code)
		}
	}
	for _, k := range s.Sort {
		r.add(s.Resource, k.Code)
	}
	for _, i := range s.Include {
		r.add(i.Source, i.Code)
	}
	slices.Sort(r.Elements)
	r.Elements = slices.Compact(r.Elements)
	slices.Sort(r.Opaque)
	r.Opaque = slices.Compact(r.Opaque)
	return r
}

func (r *Reads) add(resource, code string) {
	p, ok := spec.Search(resource, code)
	if !ok || p.Opaque || len(p.Elements) == 0 {
		r.Opaque = append(r.Opaque, code)
		return
	}
	r.Elements = append(r.Elements, p.Elements...)
}

// Rewrite turns every id that the search names into another, by f: the values of
// _id, _list and of references, chained and reverse chained ones too. resource is
// the type of what the id names, or "" where the query leaves it open. References
// on this server's own address become relative. An error of f stops it, and leaves
// the search as it was.
func (s *Search) Rewrite(f func(resource, id string) (string, error), bases ...string) error {
	params := slices.Clone(s.Params)
	for i := range params {
		p := &params[i]
		if p.Modifier == "missing" || p.opaque() {
			continue
		}
		p.Values = slices.Clone(p.Values)
		for j := range p.Values {
			text, err := p.rewrite(p.Values[j].Text, f, bases)
			if err != nil {
				return err
			}
			p.Values[j].Text = text
		}
	}
	s.Params = params
	return nil
}

func (p *Param) rewrite(text string, f func(resource, id string) (string, error), bases []string) (string, error) {
	switch {
	case p.Code == "_list":
		return mapped("List", text, f)
	case p.Code == "_id":
		if len(p.On) == 1 {
			return mapped(p.On[0], text, f)
		}
		return mapped("", text, f)
	case p.Type == spec.TypeReference && p.Modifier != "identifier" && !p.canonical():
		return rewriteRef(text, p.Modifier, p.soleTarget(), f, bases)
	case p.Type == spec.TypeComposite:
		sp, _ := spec.Search(p.On[0], p.Code)
		parts := splitEscaped(text, '$')
		for i, c := range sp.Components {
			if c.Type != spec.TypeReference {
				continue
			}
			part, err := rewriteRef(parts[i], "", "", f, bases)
			if err != nil {
				return "", err
			}
			parts[i] = part
		}
		return strings.Join(parts, "$"), nil
	}
	return text, nil
}

func rewriteRef(text, modifier, sole string, f func(resource, id string) (string, error), bases []string) (string, error) {
	plain := unescape(text)
	typ, id, ok := target(plain, modifier, bases)
	if !ok {
		return "", bad("query", "A reference is not one", "Write [type]/[id]")
	}
	bare := id == plain
	if typ == "" {
		typ = sole
	}
	id, err := mapped(typ, id, f)
	if err != nil {
		return "", err
	}
	if bare {
		return id, nil
	}
	return typ + "/" + id, nil
}

// mapped holds f to giving an id: what it gives goes into a query.
func mapped(resource, id string, f func(resource, id string) (string, error)) (string, error) {
	id, err := f(resource, id)
	if err == nil && (!spec.ValidID(id) || dots(id)) {
		err = bad("query", "An id names no resource here", "Use ids that this server gave")
	}
	if err != nil {
		return "", err
	}
	return id, nil
}

// soleTarget is the one type that the reference can have, or "".
func (p *Param) soleTarget() string {
	sole := ""
	for _, t := range p.On {
		sp, ok := spec.Search(t, p.Code)
		if !ok || sp.AnyTarget || len(sp.Targets) != 1 || sole != "" && sole != sp.Targets[0] {
			return ""
		}
		sole = sp.Targets[0]
	}
	return sole
}

// Encode writes the search as a query. The same search gives the same text.
// _format and _pretty are not repeated: who asks upstream asks for JSON.
func (s *Search) Encode() string {
	var b strings.Builder
	add := func(name, value string) {
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(name))
		b.WriteByte('=')
		b.WriteString(url.QueryEscape(value))
	}
	for _, p := range s.Params {
		var values []string
		for _, v := range p.Values {
			values = append(values, v.Prefix+v.Text)
		}
		add(p.Name(), strings.Join(values, ","))
	}
	var keys []string
	for _, k := range s.Sort {
		if k.Descending {
			k.Code = "-" + k.Code
		}
		keys = append(keys, k.Code)
	}
	if len(keys) > 0 {
		add("_sort", strings.Join(keys, ","))
	}
	if s.Count >= 0 {
		add("_count", strconv.Itoa(s.Count))
	}
	for _, i := range s.Include {
		name, value := "_include", i.Source+":"+i.Code
		if i.Reverse {
			name = "_revinclude"
		}
		if i.Iterate {
			name += ":iterate"
		}
		if i.Target != "" {
			value += ":" + i.Target
		}
		add(name, value)
	}
	for _, kv := range [][2]string{{"_elements", strings.Join(s.Elements, ",")}, {"_summary", s.Summary}, {"_total", s.Total},
		{"_contained", s.Contained}, {"_containedType", s.ContainedType}} {
		if kv[1] != "" {
			add(kv[0], kv[1])
		}
	}
	return b.String()
}

// Name is the parameter's name as a query has it: "subject:Patient.name:exact".
func (p *Param) Name() string {
	var b strings.Builder
	for _, s := range p.Steps {
		switch {
		case s.Reverse:
			b.WriteString("_has:" + s.Type + ":" + s.Code + ":")
		case s.Type != "":
			b.WriteString(s.Code + ":" + s.Type + ".")
		default:
			b.WriteString(s.Code + ".")
		}
	}
	b.WriteString(p.Code)
	if p.Modifier != "" {
		b.WriteString(":" + p.Modifier)
	}
	return b.String()
}

package console

import (
	"encoding/json"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport/sallyport/agreement"
	"github.com/sallyport/sallyport/hipaa"
)

// Terms of a paper, by the shape that package agreement says they have: the plain value and
// the parts beside it are fields of their own. A value that is written in a way for which
// there are no fields stays as it is, as JSON, and so nothing is lost by showing it.
//
// The value of a term with parts is at "terms.regions.value" as JSON; its plain value is at
// "terms.regions.value.is", its parts at "terms.regions.value.storage".

// noneWord is what a list says that has nothing in it; silence is something else.
const noneWord = "none"

// shapeAt is the shape of the term whose value the field is.
func shapeAt(name string) (agreement.Shape, bool) {
	parts := strings.Split(name, ".")
	if len(parts) < 3 || parts[len(parts)-1] != "value" {
		return agreement.Shape{}, false
	}
	return agreement.ShapeOf(parts[len(parts)-2])
}

// byFields reports whether the shape needs more than the one field that is the value.
func byFields(s agreement.Shape) bool { return s.HasParts() || s.Plain == agreement.Texts }

// termLabel is what people call a part of a term: "Exit: return, destruction, timing: Days to
// return".
func termLabel(field, part string) string {
	label := words(field)
	if t, ok := hipaa.TermByField(field); ok {
		label = t.Title
	}
	if part == "clause" {
		return label + ", clause"
	}
	s, _ := agreement.ShapeOf(field)
	for _, p := range s.Parts {
		if p.Name == part {
			return label + ": " + p.Label
		}
	}
	return label
}

// term asks for a term of a paper by what it may say.
func (f *actForm) term(x *actField) {
	x.Label, x.Help = "Says", ""
	s, ok := shapeAt(x.Name)
	switch {
	case !ok:
		x.As, x.Help = "area", "As the paper says it."
	case byFields(s):
		f.termFields(x, s)
	case !plainly(s, x.Value):
		x.As, x.Help = "area", "It says more than there are fields for: this is JSON."
	default:
		f.termPart(x, s.Plain, s.Words)
	}
}

// plainly reports whether the one field of the shape can show the value.
func plainly(s agreement.Shape, value string) bool {
	switch {
	case value == "":
		return true
	case s.Plain == agreement.YesNo:
		return value == "true" || value == "false"
	case s.Plain == agreement.Owed:
		return value == "{}"
	case s.Plain == agreement.Word:
		return slices.Contains(s.Words, strings.Trim(value, `"`))
	}
	return !strings.ContainsAny(value, "{[")
}

// termPart shows one value, plain or a part.
func (f *actForm) termPart(x *actField, kind agreement.Kind, words []string) {
	silence := option{Value: "", Label: "The paper does not say"}
	switch kind {
	case agreement.YesNo:
		x.As, x.Options = "choice", chosenOf([]option{silence, {Value: "true", Label: "Yes"}, {Value: "false", Label: "No"}}, x.Value)
	case agreement.Owed:
		x.As, x.Options = "choice", chosenOf([]option{silence, {Value: "{}", Label: "Yes"}}, x.Value)
	case agreement.Word:
		x.As, x.Options = "choice", []option{silence}
		for _, w := range words {
			x.Options = append(x.Options, option{Value: w, Label: wordOfTerm(w)})
		}
		x.Options = chosenOf(x.Options, strings.Trim(x.Value, `"`))
	case agreement.Number:
		x.As, x.Help = "number", strings.TrimSpace(x.Help+" A whole number.")
	case agreement.Texts:
		x.As, x.Value = "lines", strings.Join(f.typed[x.Name], "\n")
		x.Help = strings.TrimSpace(x.Help + " One a line.")
		if len(words) > 0 {
			x.As, x.Help = "ticks", strings.TrimSuffix(x.Help, " One a line.")
			if x.Help == "One a line." {
				x.Help = ""
			}
			x.Options = nil
			for _, w := range words {
				x.Options = append(x.Options, option{Value: w, Label: wordOfTerm(w), Chosen: slices.Contains(f.typed[x.Name], w)})
			}
			x.Value = ""
		}
	default:
		x.As = "text"
	}
}

func wordOfTerm(w string) string {
	if label, ok := termSays[w]; ok {
		return label
	}
	return words(w)
}

// termSays are words of terms that are none by themselves.
var termSays = map[string]string{
	"covered_entity": "The organisation", "vendor_no_phi_residue": "The vendor, if no PHI can be drawn from them", "allow_deidentified_only": "Allow de-identified data only", "baa_first": "The BAA comes first",
	"for_covered_entity_only": "For the organisation only", "for_vendor_use": "For the vendor's use", "customer_only_model": "A model for us only", "shared_model_with_aggregation": "A shared model, with aggregation",
	"hhs_books": "Books open to HHS", "sme_analysis": "Analysis by an expert", "officer_certification": "Certified by an officer", "safe-harbor": "Safe harbor", "expert-determination": "Expert determination",
}

// termFields shows the plain value and the parts, each by a field of its own.
func (f *actForm) termFields(x *actField, s agreement.Shape) {
	x.As = "parts"
	one := func(name string, p agreement.Part) actField {
		y := actField{Name: name, ID: "f-" + name, Label: p.Label, Help: p.Help, Value: f.typed.Get(name), Error: f.errorAt(name)}
		f.termPart(&y, p.Kind, p.Words)
		return y
	}
	if s.Plain != 0 {
		x.Fields = append(x.Fields, one(below(x.Name, "is"), agreement.Part{Kind: s.Plain, Words: s.Words, Label: "Answer"}))
	}
	if s.Entries {
		none := below(x.Name, noneWord)
		x.Fields = append(x.Fields, actField{Name: none, ID: "f-" + none, Label: "There is none", As: "tick", Value: f.typed.Get(none), Error: f.errorAt(none)})
		n := min(rowsIn(f.typed, x.Name)+1, maxRows)
		for i := range n {
			row := below(x.Name, strconv.Itoa(i))
			entry := actField{Name: row, ID: "f-" + row, Label: "Entry " + strconv.Itoa(i+1), As: "group", Open: i < n-1 || n == 1}
			for _, p := range s.Parts {
				entry.Fields = append(entry.Fields, one(below(row, p.Name), p))
			}
			x.Fields = append(x.Fields, entry)
		}
	} else {
		for _, p := range s.Parts {
			x.Fields = append(x.Fields, one(below(x.Name, p.Name), p))
		}
	}
	x.Expert = &actField{Name: x.Name, ID: x.ID + "-json", Label: "Value as JSON", Help: "In the place of the fields above: leave those empty then.", As: "area", Value: x.Value}
	x.Value = ""
}

// termValue reads a term's value: from its fields, or as JSON.
func (r *formReader) termValue(name string) (any, bool) {
	s, ok := shapeAt(name)
	whole, there := r.raw(name, true)
	if !ok || !byFields(s) {
		return whole, there
	}
	v, said := r.shaped(name, s)
	if there && said {
		r.bad(name, "is said twice", "Use its fields, or the JSON: empty the other")
	}
	if there {
		return whole, true
	}
	return v, said
}

func (r *formReader) shaped(name string, s agreement.Shape) (any, bool) {
	if s.Entries {
		return r.entries(name, s.Parts)
	}
	plain, said := r.shapedPart(below(name, "is"), s.Plain, s.Words)
	parts, beside := r.members(name, s.Parts)
	switch {
	case !beside:
		return plain, said
	case said:
		parts["value"] = plain
	}
	return parts, true
}

func (r *formReader) members(name string, parts []agreement.Part) (map[string]any, bool) {
	out := map[string]any{}
	for _, p := range parts {
		if v, ok := r.shapedPart(below(name, p.Name), p.Kind, p.Words); ok {
			out[p.Name] = v
		}
	}
	return out, len(out) > 0
}

// entries reads a list of objects; that there is none is said by a tick.
func (r *formReader) entries(name string, parts []agreement.Part) (any, bool) {
	none, _ := r.truth(below(name, noneWord), false)
	out := []any{}
	n := rowsIn(r.form, name)
	if n > maxRows {
		r.tooMany(name, maxRows)
		return nil, false
	}
	for i := range n {
		if v, ok := r.members(below(name, strconv.Itoa(i)), parts); ok {
			out = append(out, v)
		}
	}
	if none == true && len(out) > 0 {
		r.bad(below(name, noneWord), "does not go with the entries", "Take the tick away, or empty them")
	}
	return out, len(out) > 0 || none == true
}

func (r *formReader) shapedPart(name string, kind agreement.Kind, words []string) (any, bool) {
	switch kind {
	case 0:
		return nil, false
	case agreement.YesNo:
		return r.truth(name, true)
	case agreement.Number:
		text := r.text(name)
		if text == "" {
			return nil, false
		}
		n, err := strconv.ParseUint(text, 10, 31)
		if err != nil {
			r.bad(name, "is not a whole number", "Write a number such as 30")
		}
		return n, err == nil
	case agreement.Texts:
		list, ok := r.list(name, reflect.TypeFor[string]())
		lines, _ := list.([]any)
		if len(lines) == 1 && lines[0] == noneWord && len(words) == 0 {
			return []any{}, true
		}
		for _, one := range lines {
			if text, _ := one.(string); len(words) > 0 && !slices.Contains(words, text) {
				r.bad(name, "says something else than it can", "Choose among "+strings.Join(words, ", "))
				return nil, false
			}
		}
		return list, ok
	}
	text := r.text(name)
	if text != "" && kind == agreement.Word && !slices.Contains(words, text) {
		r.bad(name, "says something else than it can", "Choose one of "+strings.Join(words, ", "))
		return nil, false
	}
	return text, text != ""
}

// writeTerm puts a term's value into its fields, where these read back as the same; else it
// stays JSON.
func writeTerm(out url.Values, name string, raw []byte) {
	s, ok := shapeAt(name)
	if ok && byFields(s) {
		fields := url.Values{}
		writeShaped(fields, name, s, raw)
		r := formReader{form: fields, used: map[string]bool{}}
		if v, said := r.shaped(name, s); said && len(r.errs) == 0 && len(r.used) >= len(fields) && sameJSON(v, raw) {
			for k, texts := range fields {
				out[k] = texts
			}
			return
		}
	}
	out.Set(name, shownTerm(raw))
}

func sameJSON(v any, raw []byte) bool {
	again, err := json.Marshal(v)
	if err != nil {
		return false
	}
	var a, b any
	return json.Unmarshal(again, &a) == nil && json.Unmarshal(raw, &b) == nil && reflect.DeepEqual(a, b)
}

func writeShaped(out url.Values, name string, s agreement.Shape, raw []byte) {
	if s.Entries {
		var list []map[string]json.RawMessage
		if json.Unmarshal(raw, &list) != nil {
			return
		}
		if len(list) == 0 {
			out.Set(below(name, noneWord), "true")
		}
		for i, m := range list {
			writeMembers(out, below(name, strconv.Itoa(i)), m)
		}
		return
	}
	var m map[string]json.RawMessage
	if json.Unmarshal(raw, &m) != nil || m == nil {
		writePart(out, below(name, "is"), raw)
		return
	}
	if plain, ok := m["value"]; ok {
		writePart(out, below(name, "is"), plain)
		delete(m, "value")
	}
	writeMembers(out, name, m)
}

func writeMembers(out url.Values, name string, m map[string]json.RawMessage) {
	for k, raw := range m {
		writePart(out, below(name, nameOfKey(k)), raw)
	}
}

func writePart(out url.Values, name string, raw []byte) {
	var list []string
	var text string
	switch {
	case json.Unmarshal(raw, &text) == nil:
		out.Set(name, text)
	case json.Unmarshal(raw, &list) != nil:
		out.Set(name, string(raw))
	case len(list) == 0:
		out.Set(name, noneWord)
	default:
		out[name] = list
	}
}

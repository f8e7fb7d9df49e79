package console

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"math"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// An act and a form say the same in two ways, and this file goes from each to the other.
// A field's name in the form is its place in the act: "require.0.text", "terms.regions.value".
// What a form leaves empty, the act leaves out.

var (
	timeType  = reflect.TypeFor[time.Time]()
	rawType   = reflect.TypeFor[json.RawMessage]()
	bytesType = reflect.TypeFor[[]byte]()
	termType  = reflect.TypeFor[snapshot.Term]()
)

const (
	maxRows   = 500    // how many entries of structs, or keys, a form may hold in one field
	maxValues = 10_000 // and of texts and numbers
	maxErrors = 100    // how many are told at once: each field looks for its own among them
)

// member is one field of a struct, as JSON has it.
type member struct {
	Name     string
	Type     reflect.Type
	Optional bool // it may be left out
	index    []int
}

// membersOf are the fields of a struct, those of embedded structs beside the others.
func membersOf(t reflect.Type) []member {
	var out []member
	for i := range t.NumField() {
		f := t.Field(i)
		name, opts, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && name == "" {
			for _, m := range membersOf(f.Type) {
				m.index = append([]int{i}, m.index...)
				out = append(out, m)
			}
			continue
		}
		if name == "" || name == "-" || !f.IsExported() {
			continue
		}
		out = append(out, member{name, f.Type, strings.Contains(opts, "omit"), []int{i}})
	}
	return out
}

// actType is the struct of an act.
func actType(spec *registry.Spec) reflect.Type { return reflect.TypeOf(spec.New()).Elem() }

// fieldError is what is wrong with one field of a form.
type fieldError struct{ Field, Title, Next string }

// formReader reads an act's fields from a form.
type formReader struct {
	form url.Values
	used map[string]bool
	errs []fieldError
}

// readForm gives the JSON of an act's fields. What cannot be read is told by field; names
// that the act does not have are refused, as the API does.
func readForm(spec *registry.Spec, form url.Values) (json.RawMessage, []fieldError) {
	r := formReader{form: form, used: map[string]bool{}}
	out, there := r.read("", actType(spec))
	if !there {
		out = map[string]any{}
	}
	var names []string
	for name, texts := range form {
		if !r.used[name] && strings.Join(texts, "") != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		r.bad(name, "is not a field of this act", "Leave it out")
	}
	raw, err := json.Marshal(out)
	if err != nil {
		r.bad("", "The form cannot be read", "Check its numbers and texts")
		raw = json.RawMessage("{}")
	}
	return raw, r.errs
}

// actOf reads the act itself.
func actOf(spec *registry.Spec, form url.Values) (registry.Act, json.RawMessage, []fieldError) {
	raw, errs := readForm(spec, form)
	if len(errs) > 0 {
		return nil, raw, errs
	}
	a, err := registry.Decode(spec.Name, raw)
	if err != nil {
		return nil, raw, []fieldError{wrong(err)}
	}
	return a, raw, nil
}

// wrong is a problem as a form shows it.
func wrong(err error) fieldError {
	p := problem.From(err)
	return fieldError{Field: p.Field, Title: p.Title, Next: p.NextStep}
}

func (r *formReader) bad(field, title, next string) {
	if len(r.errs) < maxErrors {
		r.errs = append(r.errs, fieldError{field, title, next})
	}
}

func (r *formReader) tooMany(field string, most int) {
	r.bad(field, "has too many entries", fmt.Sprintf("Use at most %d", most))
}

func (r *formReader) text(name string) string {
	r.used[name] = true
	return strings.TrimSpace(strings.ReplaceAll(r.form.Get(name), "\r\n", "\n"))
}

// read gives what JSON holds of the type at the name; not there: it is left out.
func (r *formReader) read(name string, t reflect.Type) (any, bool) {
	switch t {
	case timeType:
		text := r.text(name)
		if text == "" {
			return nil, false
		}
		at, ok := readTime(text)
		if !ok {
			r.bad(name, "is not a time", "Write a time such as 2026-12-31T09:00, in UTC")
		}
		return at.Format(time.RFC3339Nano), ok
	case rawType:
		return r.raw(name, false)
	case bytesType:
		text := r.text(name)
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			r.bad(name, "is not base64", "Write it as it is shown, or choose the file again")
		}
		return text, err == nil && len(raw) > 0
	}
	switch t.Kind() {
	case reflect.Pointer:
		if t.Elem().Kind() == reflect.Bool {
			return r.truth(name, true)
		}
		return r.read(name, t.Elem())
	case reflect.String:
		text := r.text(name)
		return text, text != ""
	case reflect.Bool:
		return r.truth(name, false)
	case reflect.Slice:
		return r.list(name, t.Elem())
	case reflect.Map:
		return r.keyed(name, t.Elem())
	case reflect.Struct:
		out := map[string]any{}
		for _, m := range membersOf(t) {
			var v any
			var there bool
			if t == termType && m.Type == rawType {
				v, there = r.termValue(below(name, m.Name))
			} else {
				v, there = r.read(below(name, m.Name), m.Type)
			}
			if there {
				out[m.Name] = v
			}
		}
		return out, len(out) > 0
	}
	text := r.text(name)
	if text == "" {
		return nil, false
	}
	v, ok := numberIn(text, t)
	if !ok {
		r.bad(name, "is not a number that fits", "Write a number such as 12")
	}
	return v, ok
}

// numberIn reads a number of the type.
func numberIn(text string, t reflect.Type) (any, bool) {
	switch t.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n, err := strconv.ParseInt(text, 10, t.Bits())
		return n, err == nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n, err := strconv.ParseUint(text, 10, t.Bits())
		return n, err == nil
	case reflect.Float32, reflect.Float64:
		n, err := strconv.ParseFloat(text, t.Bits())
		return n, err == nil && !math.IsInf(n, 0) && !math.IsNaN(n)
	}
	return nil, false
}

// truth is yes or no; told: "no" is said too, and silence is neither.
func (r *formReader) truth(name string, told bool) (any, bool) {
	switch r.text(name) {
	case "true", "on", "yes":
		return true, true
	case "false", "no":
		return false, told
	case "":
		return nil, false
	}
	r.bad(name, "is neither yes nor no", "Choose one")
	return nil, false
}

// raw is JSON as it was typed; in a term of a paper, a text may stand without quotes.
func (r *formReader) raw(name string, plain bool) (any, bool) {
	text := r.text(name)
	switch {
	case text == "":
		return nil, false
	case json.Valid([]byte(text)):
		return json.RawMessage(text), true
	case plain:
		return text, true
	}
	r.bad(name, "is not JSON", "Paste it as the program that made it wrote it")
	return nil, false
}

// list reads entries: scalars one a line or one a value, structs by their number.
func (r *formReader) list(name string, elem reflect.Type) (any, bool) {
	var out []any
	if elem.Kind() != reflect.Struct || elem == timeType {
		r.used[name] = true
		for _, text := range r.form[name] {
			for line := range entriesIn(text) {
				if len(out) == maxValues {
					r.tooMany(name, maxValues)
					return nil, false
				}
				if elem.Kind() == reflect.String {
					out = append(out, line)
				} else if n, ok := numberIn(line, elem); ok {
					out = append(out, n)
				} else {
					r.bad(name, fmt.Sprintf("%q is not a number that fits", clip(line)), "Write one number a line")
				}
			}
		}
		return out, len(out) > 0
	}
	n := rowsIn(r.form, name)
	if n > maxRows {
		r.tooMany(name, maxRows)
		return nil, false
	}
	for i := range n {
		if v, there := r.read(below(name, strconv.Itoa(i)), elem); there {
			out = append(out, v)
		}
	}
	return out, len(out) > 0
}

// entriesIn are the lines of a text that say something; a PEM block is one of them.
func entriesIn(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		block := ""
		for line := range strings.SplitSeq(text, "\n") {
			line = strings.TrimSpace(line)
			switch {
			case block != "":
				block += "\n" + line
				if !strings.HasPrefix(line, "-----END ") {
					continue
				}
				line, block = block, ""
			case strings.HasPrefix(line, "-----BEGIN "):
				block = line
				continue
			}
			if line != "" && !yield(line) {
				return
			}
		}
		if block != "" {
			yield(block)
		}
	}
}

// keyed reads a map: of structs by key, of scalars by rows of key and value.
func (r *formReader) keyed(name string, elem reflect.Type) (any, bool) {
	out := map[string]any{}
	if elem.Kind() == reflect.Struct {
		keys, all := keysIn(r.form, name)
		if !all {
			r.tooMany(name, maxRows)
		}
		for _, key := range keys {
			if v, there := r.read(below(name, nameOfKey(key)), elem); there {
				out[key] = v
			}
		}
		return out, len(out) > 0
	}
	n := rowsIn(r.form, name)
	if n > maxRows {
		r.tooMany(name, maxRows)
		return nil, false
	}
	for i := range n {
		row := below(name, strconv.Itoa(i))
		key := r.text(below(row, "k"))
		v, there := r.read(below(row, "v"), elem)
		switch {
		case key == "" && there:
			r.bad(below(row, "k"), "is missing", "Say what the value beside it is about")
		case key != "":
			if _, twice := out[key]; twice {
				r.bad(below(row, "k"), fmt.Sprintf("%q stands there twice", clip(key)), "Leave one out")
			}
			if !there {
				v = reflect.Zero(elem).Interface()
			}
			out[key] = v
		}
	}
	return out, len(out) > 0
}

// rowsIn is how many entries of a list the form has.
func rowsIn(form url.Values, name string) int {
	n := 0
	for key := range form {
		if rest, ok := strings.CutPrefix(key, name+"."); ok {
			text, _, _ := strings.Cut(rest, ".")
			if i, err := strconv.ParseUint(text, 10, 31); err == nil && strconv.FormatUint(i, 10) == text {
				n = max(n, int(i)+1)
			}
		}
	}
	return n
}

// keysIn are the keys of a map that the form has, sorted; not all: it has more than it may.
func keysIn(form url.Values, name string) (keys []string, all bool) {
	have := map[string]bool{}
	for key := range form {
		if rest, ok := strings.CutPrefix(key, name+"."); ok {
			text, _, _ := strings.Cut(rest, ".")
			if k, err := url.QueryUnescape(text); err == nil && nameOfKey(k) == text {
				have[k] = true
			}
		}
	}
	keys = slices.Sorted(maps.Keys(have))
	return keys[:min(len(keys), maxRows)], len(keys) <= maxRows
}

// nameOfKey is a map's key as part of a field's name: without the dot that parts them.
func nameOfKey(key string) string { return strings.ReplaceAll(url.QueryEscape(key), ".", "%2E") }

func below(name, part string) string {
	if name == "" {
		return part
	}
	return name + "." + part
}

func clip(text string) string {
	if len(text) > 60 {
		return text[:60] + "…"
	}
	return text
}

// timeLayouts are how a browser and a person write a time, in UTC unless it says more.
var timeLayouts = []string{"2006-01-02T15:04:05.999999999", "2006-01-02T15:04", time.DateOnly, time.RFC3339Nano}

func readTime(text string) (time.Time, bool) {
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, text); err == nil && t.Year() > 0 && t.UTC().Year() < 10000 {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// shownTime is a time as datetime-local takes it.
func shownTime(t time.Time) string {
	t = t.UTC()
	if t.Second() == 0 && t.Nanosecond() == 0 {
		return t.Format("2006-01-02T15:04")
	}
	return t.Format("2006-01-02T15:04:05.999999999")
}

// writeForm is an act as a form.
func writeForm(a any) url.Values {
	out := url.Values{}
	v := reflect.ValueOf(a)
	for v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	write(out, "", v, false)
	return out
}

// write puts a value into the form. told: zero is said too, since silence is something else.
func write(out url.Values, name string, v reflect.Value, told bool) {
	if v.IsZero() && !told {
		return
	}
	switch v.Type() {
	case timeType:
		out.Set(name, shownTime(v.Interface().(time.Time)))
		return
	case rawType:
		out.Set(name, string(v.Bytes()))
		return
	case bytesType:
		out.Set(name, base64.StdEncoding.EncodeToString(v.Bytes()))
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		write(out, name, v.Elem(), v.Type().Elem().Kind() != reflect.Struct)
	case reflect.Struct:
		for _, m := range membersOf(v.Type()) {
			if f := v.FieldByIndex(m.index); v.Type() == termType && m.Type == rawType {
				if !f.IsZero() {
					writeTerm(out, below(name, m.Name), f.Bytes())
				}
			} else {
				write(out, below(name, m.Name), f, false)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			if e := v.Index(i); e.Kind() == reflect.Struct && e.Type() != timeType {
				write(out, below(name, strconv.Itoa(i)), e, false)
			} else {
				out.Add(name, fmt.Sprint(e.Interface()))
			}
		}
	case reflect.Map:
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		for i, k := range keys {
			if v.Type().Elem().Kind() == reflect.Struct {
				write(out, below(name, nameOfKey(k.String())), v.MapIndex(k), false)
				continue
			}
			row := below(name, strconv.Itoa(i))
			out.Set(below(row, "k"), k.String())
			write(out, below(row, "v"), v.MapIndex(k), true)
		}
	default:
		out.Set(name, fmt.Sprint(v.Interface()))
	}
}

// shownTerm is a term's value as a person writes it: a text without its quotes, where it
// cannot be taken for something else.
func shownTerm(raw []byte) string {
	var text string
	if json.Unmarshal(raw, &text) == nil && text != "" && text == strings.TrimSpace(text) && !strings.ContainsAny(text, "\r\n") && !json.Valid([]byte(text)) {
		return text
	}
	return string(raw)
}

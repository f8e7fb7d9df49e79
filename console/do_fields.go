package console

import (
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport/sallyport/agreement"
	"github.com/sallyport/sallyport/breach"
	"github.com/sallyport/sallyport/diligence"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// actField is one field of an act's form, as the template "actfield" shows it.
type actField struct {
	Name, ID    string
	Label, Help string
	As          string // text, area, number, time, choice, radio, ticks, tick, document, secret, given, group, rows, pairs, parts, lines, pasted
	Value       string
	Options     []option
	List        []option // offered beside a text field
	Required    bool     // it must be filled in
	Optional    bool     // it may be left out, whatever else is said
	Error       string
	Fields      []actField // of a group; of rows: one group an entry
	Expert      *actField  // the same in one field, for those who have it so
	Scope       *scopePicker
	Again       string // of a choice on which the other fields depend: the button that shows them
	Ref         *ref   // of a given one: what its value names
	Change      string // of a given one: the page with a field in its place
	Open        bool   // shown unfolded: it holds something, or an error
	Brief       string // of a folded group: what it holds
}

// form makes the fields of an act's form from what was typed so far.
type actForm struct {
	v     *visit
	spec  *registry.Spec
	typed url.Values
	given []string // fields that the address brought along
	more  []string // lists that get another entry
	errs  []fieldError
	shown map[string]bool // fields whose error is shown beside them
	open  []string        // what a picker shows the parts of
	own   bool            // it is the act's own screen, which has files and steps
	filed bool            // a file waits for the act
}

// fields are the act's fields: those that must be filled in, then the others.
func (f *actForm) fields() (must, may []actField) {
	for _, m := range membersOf(actType(f.spec)) {
		if registryWrites(m.Name) || m.Type == bytesType && f.hasFile() {
			continue
		}
		asked, needed := f.asks(m.Name)
		if !asked {
			continue
		}
		m.Optional = m.Optional && !needed
		x, ok := f.field(m.Name, m, "")
		if !ok {
			continue
		}
		if m.Optional && x.As != "given" && !x.Open && m.Name != "terms" && !f.makesProgram(m.Name) {
			may = append(may, x)
		} else {
			must = append(must, x)
		}
	}
	return must, may
}

// registryWrites are fields that nobody fills in.
func registryWrites(name string) bool { return name == "scanned_by" }

// hasFile reports whether the act brings a document along.
func (f *actForm) hasFile() bool {
	return slices.ContainsFunc(membersOf(actType(f.spec)), func(m member) bool { return m.Name == "content" && m.Type == bytesType })
}

// fileFields are what the file itself says.
var fileFields = []string{"sha256", "media_type", "size"}

// fromFile reports whether the file says what the field holds. Where one may come along, or a
// stored one be named instead, the form asks for the file.
func (f *actForm) fromFile(name string) bool {
	return f.hasFile() && (slices.Contains(fileFields, name) || name == "document_sha256" && (f.filed || f.typed.Get(name) == ""))
}

func (f *actForm) field(name string, m member, path string) (actField, bool) {
	w := wordOf(f.spec.Name, name, m.Name)
	x := actField{Name: name, ID: "f-" + name, Label: w.Label, Help: w.Help, Required: !m.Optional && path == "", Optional: m.Optional, Value: f.typed.Get(name)}
	if f.withheld(name) || path == "" && f.fromFile(name) {
		return x, false
	}
	x.Error = f.errorAt(name)
	t := m.Type
	if slices.Contains(f.given, name) && x.Error == "" && len(f.typed[name]) == 1 {
		x.As, x.Change = "given", f.without(name)
		if r := refIn(f.v.View, typedID(t, x.Value)); f.v.ours() && (r.Href != "" || r.Help != "") { // it leads somewhere, or people call it otherwise
			x.Ref = &r
		}
		for _, o := range closedSet(f.spec.Name, name, t, f.v.View) {
			if o.Value == x.Value {
				x.Ref = &ref{Label: o.Label}
			}
		}
		if above, ok := strings.CutSuffix(name, ".id"); ok && f.v.ours() && f.typed.Get(above+".noun") != "" {
			x.Label = "Which"
			if r := refOfSubject(f.v.View, snapshot.Subject{Noun: snapshot.Noun(f.typed.Get(above + ".noun")), ID: x.Value}); r.Href != "" {
				x.Ref = &r
			}
		}
		if r, ok := f.ownRef(typedID(t, x.Value)); ok {
			x.Ref = &r
		}
		if t == timeType {
			if at, ok := readTime(x.Value); ok {
				x.Ref = &ref{Label: when(at)}
			}
		}
		return x, true
	}
	f.shape(&x, t, m.Optional)
	if k, ok := kinds[f.spec.Name]; ok && f.own && name == k.Field && !f.undecided() {
		x.Again = "Show what this one has"
	}
	x.Open = x.Error != "" || x.Value != "" && x.As != "secret" || slices.ContainsFunc(x.Options, func(o option) bool { return o.Chosen && o.Value != "" }) || x.As == "group" && path == "" && !m.Optional ||
		slices.ContainsFunc(x.Fields, func(y actField) bool { return y.Open })
	return x, true
}

// shape chooses how a field is shown.
func (f *actForm) shape(x *actField, t reflect.Type, optional bool) {
	last := x.Name[strings.LastIndexByte(x.Name, '.')+1:]
	if isSecret(f.spec.Name, x.Name) {
		x.As, x.Required, x.Optional, x.Help = "secret", false, false, "It is made here when you do this, and shown to you once."
		return
	}
	if t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Bool {
		x.As, x.Options = "radio", chosenOf([]option{{Value: "true", Label: "Yes"}, {Value: "false", Label: "No"}, {Value: "", Label: "Not said"}}, x.Value)
		return
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	closed := closedSet(f.spec.Name, x.Name, t, f.v.View)
	if f.spec.Name == "certification.record" && x.Name == "type" && !f.v.ours() { // nobody sends what never counts
		closed = slices.DeleteFunc(closed, func(o option) bool { return diligence.Never(o.Value) != "" })
	}
	switch {
	case t == timeType:
		x.As, x.Help = "time", strings.TrimSpace("In UTC. "+x.Help)
		if at, ok := readTime(x.Value); ok {
			x.Value = shownTime(at)
		}
	case t == rawType && last == "value" && strings.Contains(x.Name, "terms."):
		f.term(x)
	case t == rawType:
		f.pasted(x)
	case t == bytesType:
		x.As = "text"
		if picked := f.picked(x.Name); picked != nil {
			x.As, x.Options = "choice", chosenOf(picked, x.Value)
		}
	case t.Kind() == reflect.Bool:
		ask := x.Required
		x.As, x.Required, x.Optional = "tick", false, false // one that is not ticked is an answer
		if askYesNo(last) {
			x.Required = ask
			x.As, x.Options = "radio", chosenOf([]option{{Value: "true", Label: "Yes"}, {Value: "false", Label: "No"}}, x.Value)
		}
	case t.Kind() == reflect.String:
		f.textual(x, t, closed, optional)
	case t.Kind() == reflect.Slice:
		f.listed(x, t.Elem(), closed)
	case f.picksScope(x.Name):
		f.scope(x)
	case t.Kind() == reflect.Map:
		f.mapped(x, t.Elem())
	case t.Kind() == reflect.Struct:
		x.As, x.Required = "group", false
		for _, m := range membersOf(t) {
			if y, ok := f.field(below(x.Name, m.Name), m, x.Name); ok {
				x.Fields = append(x.Fields, y)
			}
		}
	default:
		x.As = "number"
	}
}

func (f *actForm) textual(x *actField, t reflect.Type, closed []option, optional bool) {
	if closed != nil {
		if len(closed) <= 4 && !optional {
			x.As, x.Options = "radio", chosenOf(closed, x.Value)
		} else {
			x.As, x.Options = "choice", chosenOf(append([]option{{Value: "", Label: "Choose"}}, closed...), x.Value)
		}
		return
	}
	x.As = "text"
	if isDocument(x.Name) && f.v.ours() {
		x.As = "document"
		return
	}
	if longText(x.Name) {
		x.As = "area"
		return
	}
	if f.makesProgram(x.Name) {
		return
	}
	if f.makesID(x.Name) {
		if !optional && x.Help == "" {
			x.Help = "You choose it, and it stays: letters, digits, - . and _, such as " + f.suchAs() + "."
		} else if optional {
			x.Help = "Leave it empty and one is made."
		}
		return
	}
	if known, all := f.candidates(x.Name, t); known != nil {
		if all && len(known) <= maxChoice {
			if x.Value != "" && !slices.ContainsFunc(known, func(o option) bool { return o.Value == x.Value }) {
				known = append(known, option{Value: x.Value, Label: x.Value})
			}
			x.As, x.Options = "choice", chosenOf(append([]option{{Value: "", Label: "Choose"}}, known...), x.Value)
			return
		}
		x.List = known[:min(len(known), maxOffered)]
	}
}

const (
	maxChoice  = 60  // options of a list to choose from; beyond it one types
	maxOffered = 200 // options offered to one who types
)

// makesProgram reports whether the field names the program that an invited machine brings
// along: it is made by the machine, so that there is none to choose from.
func (f *actForm) makesProgram(name string) bool {
	return name == "app" && f.spec.Name == "device.invite"
}

// makesID reports whether the field names the record that the act makes.
func (f *actForm) makesID(name string) bool {
	return name == "id" && makesRecord(f.spec)
}

// suchAs is an id as people would choose it for what the act makes.
func (f *actForm) suchAs() string {
	noun, _, _ := strings.Cut(string(f.spec.Name), ".")
	if x, ok := map[string]string{"person": "sam-jones", "vendor": "acme-ai", "agreement": "acme-baa-2026", "engagement": "chart-review-2026", "device": "sam-laptop", "app": "chart-reader", "role": "age-and-sex", "grant": "sam-chart-review"}[noun]; ok {
		return x
	}
	return "spring-2026"
}

func (f *actForm) listed(x *actField, elem reflect.Type, closed []option) {
	switch {
	case elem.Kind() == reflect.Struct:
		x.As, x.Required = "rows", false
		n := rowsIn(f.typed, x.Name)
		if n > maxRows {
			n = 0
		}
		if n == 0 || slices.Contains(f.more, x.Name) {
			n++
		}
		for i := range n {
			row := actField{Name: below(x.Name, strconv.Itoa(i)), Label: x.Label + " " + strconv.Itoa(i+1), As: "group"}
			row.ID = "f-" + row.Name
			for _, m := range membersOf(elem) {
				if y, ok := f.field(below(row.Name, m.Name), m, row.Name); ok {
					y.Required = false
					row.Fields, row.Open = append(row.Fields, y), row.Open || y.Open
				}
			}
			x.Fields = append(x.Fields, row)
		}
	default:
		if closed == nil {
			closed = f.picked(x.Name)
		}
		if closed == nil && elem.Kind() == reflect.String {
			if known, all := f.candidates(x.Name, elem); all && len(known) > 0 && len(known) <= maxChoice {
				closed = known
			}
		}
		var have []string
		for _, text := range f.typed[x.Name] {
			have = slices.AppendSeq(have, entriesIn(text))
		}
		if closed != nil && len(have) <= maxRows {
			x.As, x.Value, x.Required = "ticks", "", false
			for _, h := range have {
				if !slices.ContainsFunc(closed, func(o option) bool { return o.Value == h }) {
					closed = append(closed, option{Value: h, Label: h})
				}
			}
			for i := range closed {
				closed[i].Chosen = slices.Contains(have, closed[i].Value)
			}
			x.Options = closed
			return
		}
		x.As, x.Value = "area", strings.Join(have, "\n")
		if x.Help != pemHelp {
			x.Help = strings.TrimSpace(x.Help + " One a line.")
		}
	}
}

// mapped is a group of groups by key, or rows of a key and a value.
func (f *actForm) mapped(x *actField, elem reflect.Type) {
	x.As, x.Required = "group", false
	if elem.Kind() != reflect.Struct {
		x.As = "pairs"
		n := min(rowsIn(f.typed, x.Name), maxRows) + 1
		if slices.Contains(f.more, x.Name) {
			n += 4
		}
		for i := range n {
			row := below(x.Name, strconv.Itoa(i))
			k, v := below(row, "k"), below(row, "v")
			kw, vw := wordOf(f.spec.Name, k, "k"), wordOf(f.spec.Name, v, "v")
			pair := actField{Name: row, ID: "f-" + row, As: "group", Label: x.Label + " " + strconv.Itoa(i+1), Fields: []actField{
				{Name: k, ID: "f-" + k, Label: kw.Label, Help: kw.Help, As: "text", Value: f.typed.Get(k), Error: f.errorAt(k)},
				{Name: v, ID: "f-" + v, Label: vw.Label, Help: vw.Help, As: "text", Value: f.typed.Get(v), Error: f.errorAt(v)}}}
			pair.Open = pair.Fields[0].Value != ""
			x.Fields = append(x.Fields, pair)
		}
		return
	}
	keys := f.keysOf(x.Name)
	typed, _ := keysIn(f.typed, x.Name)
	for _, k := range typed {
		if !slices.ContainsFunc(keys, func(o option) bool { return o.Value == k }) {
			keys = append(keys, option{Value: k, Label: k})
		}
	}
	for _, k := range keys {
		group := actField{Name: below(x.Name, nameOfKey(k.Value)), Label: k.Label, As: "group"}
		group.ID = "f-" + group.Name
		for _, m := range membersOf(elem) {
			if y, ok := f.field(below(group.Name, m.Name), m, group.Name); ok {
				y.Required = false
				group.Fields, group.Open = append(group.Fields, y), group.Open || wrongIn(y)
				group.Brief = strings.TrimPrefix(group.Brief+brief(y), ", ")
			}
		}
		if x.Name == "factors" || x.Name == "exception_holds" {
			group.Open = true // questions to be answered
		}
		x.Fields = append(x.Fields, group)
	}
}

// wrongIn reports whether something is wrong with the field, or in it.
func wrongIn(x actField) bool { return x.Error != "" || slices.ContainsFunc(x.Fields, wrongIn) }

// brief is what a field holds, for the line of a folded group.
func brief(x actField) string {
	out := ""
	for _, y := range x.Fields {
		if says := strings.TrimPrefix(brief(y), ", "); says != "" && y.Label != "Answer" {
			out += ", " + y.Label + ": " + says
		} else if says != "" {
			out += ", " + says
		}
	}
	if x.Expert != nil && x.Expert.Value != "" {
		out += ", " + x.Expert.Value
	}
	for _, o := range x.Options {
		if o.Chosen && o.Value != "" {
			label, _, _ := strings.Cut(o.Label, " (")
			out += ", " + label
		}
	}
	if len(x.Options) == 0 && x.Value != "" {
		out = ", " + strings.ReplaceAll(x.Value, "\n", ", ")
	}
	return clip(out)
}

// keysOf are the keys that a map may have.
func (f *actForm) keysOf(name string) []option {
	var out []option
	switch name {
	case "terms":
		for _, row := range agreement.Table {
			if _, ok := agreement.ShapeOf(row.Field); !ok {
				continue // it stands in the agreement itself
			}
			label := words(row.Field)
			if t, ok := hipaa.TermByField(row.Field); ok {
				label = t.Title
				if t.Mandatory {
					label += " (mandatory)"
				}
			}
			out = append(out, option{Value: row.Field, Label: label})
		}
		for _, field := range hipaa.DataUseAgreementFields() {
			if _, ok := hipaa.TermByField(field); !ok {
				out = append(out, option{Value: field, Label: words(field) + " (of a data use agreement)"})
			}
		}
	case "factors":
		for _, q := range breach.Factors() {
			out = append(out, option{Value: q.Key, Label: q.Text})
		}
	case "exception_holds":
		for _, e := range breach.Exceptions() {
			for _, q := range e.Needs {
				if !slices.ContainsFunc(out, func(o option) bool { return o.Value == q.Key }) { // two exceptions ask the same
					out = append(out, option{Value: q.Key, Label: q.Text})
				}
			}
		}
	case "resources":
		if r, ok := f.v.View.Roles.Get(id.Role(f.typed.Get("role"))); ok && (f.v.ours() || f.offered(r)) {
			for _, typ := range slices.Sorted(maps.Keys(r.Resources)) {
				out = append(out, option{Value: typ, Label: typ})
			}
			return out
		}
		if !f.v.ours() {
			return nil
		}
		seen := map[string]bool{}
		for _, r := range f.v.View.Roles.All() {
			for typ := range r.Resources {
				if !seen[typ] {
					seen[typ] = true
					out = append(out, option{Value: typ, Label: typ})
				}
			}
		}
		for _, typ := range []string{"Patient", "Encounter", "Condition", "Observation", "MedicationRequest", "Procedure", "DiagnosticReport", "DocumentReference", "ImagingStudy"} {
			if !seen[typ] {
				out = append(out, option{Value: typ, Label: typ})
			}
		}
	}
	if name == "resources" {
		slices.SortStableFunc(out, func(a, b option) int { return strings.Compare(a.Label, b.Label) })
	}
	return out
}

func chosenOf(all []option, value string) []option {
	out := slices.Clone(all)
	for i := range out {
		out[i].Chosen = out[i].Value == value
	}
	return out
}

// place is a field's name as the form has it: checks write require[0].text, and the API
// puts act. before a field.
func place(field string) string {
	return strings.TrimPrefix(strings.NewReplacer("[", ".", "]", "").Replace(field), "act.")
}

// errorAt is what is wrong with the field; one that names a part which the form does not
// have apart is told at the nearest that it has.
func (f *actForm) errorAt(name string) string {
	var out []string
	for _, e := range f.errs {
		if place(e.Field) == name {
			f.shown[e.Field] = true
			out = append(out, sentence(upperFirst(e.Title))+" "+sentence(e.Next))
		}
	}
	return strings.TrimSpace(strings.Join(out, " "))
}

func upperFirst(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// without is the page on which a given field can be changed.
func (f *actForm) without(name string) string {
	q := f.v.URL.Query()
	q.Add("change", name)
	return f.v.URL.Path + "?" + q.Encode()
}

// typedID is a text as the id that its type makes it.
func typedID(t reflect.Type, text string) any {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.String || text == "" {
		return text
	}
	return reflect.ValueOf(text).Convert(t).Interface()
}

// ownRef is what people of a vendor call their firm and their colleagues.
func (f *actForm) ownRef(key any) (ref, bool) {
	if f.v.ours() {
		return ref{}, false
	}
	switch k := key.(type) {
	case id.Vendor:
		return ref{Label: vendorName(f.v.View, k)}, k == f.v.Person.Vendor
	case id.Person:
		if p, ok := f.v.View.Persons.Get(k); ok && p.Vendor == f.v.Person.Vendor {
			return ref{Label: p.Name}, true
		}
	}
	return ref{}, false
}

package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/agreement"
	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// doAhead is what an act would do, before it is done.
type doAhead struct {
	Entered []enteredRow
	Reason  string
	Changes []recordChange
	Stops   []id.Grant             // grants that run now, and would not
	Starts  []id.Grant             // grants that do not run now, and would
	Looked  int                    // how many grants were asked
	Beyond  bool                   // there were more
	Request *api.RequestPreview    // of a request for access: what it would show, and what stands in its way
	Role    *roleCost              // of a role: what it would show
	Effect  *registry.Effect       // of an act about an agreement
	Wording []paperParagraph       // of an agreement that would be written
	Lacks   []agreement.Deficiency // in it
}

type enteredRow struct{ Label, Value string }

// recordChange is one record as the act would leave it.
type recordChange struct {
	Subject snapshot.Subject
	New     bool
	Fields  []fieldChange
}

type fieldChange struct{ Label, From, To string }

// foresee shows what the act would change, if it may be done.
func (s *server) foresee(v *visit, f doForm) (doPage, error) {
	if s.untouched(v, f.spec) {
		f.fillSecret(v)
		_, errs := readForm(f.spec, f.typed)
		if f.errs = append(f.errs, errs...); len(f.errs) > 0 {
			return s.doPage(v, f), nil
		}
		f.dropSecret()
		return s.touchFirst(v, f, "preview")
	}
	kept := url.Values{}
	for name, texts := range f.typed {
		kept[name] = slices.Clone(texts)
	}
	a, raw, ok := f.act(v)
	f.typed = kept
	if !ok {
		return s.doPage(v, f), nil
	}
	if err := s.Registry.May(v.actor(), a, registry.Meta{Reason: f.reason}); err != nil {
		f.errs = append(f.errs, problems(problem.From(err))...)
		return s.doPage(v, f), nil
	}
	p := s.doPage(v, f)
	v.status = 200
	ahead := doAhead{Reason: f.reason, Entered: entered(namesFor(v), f.spec, raw)}
	if f.file != nil {
		ahead.Entered = slices.Insert(ahead.Entered, 0, enteredRow{"File", f.file.Name})
	}
	if f.spec.Name == "request.make" {
		ahead.Request = new(api.RequestPreview)
		if err := s.ask(v, "/v1/requests/preview", raw, ahead.Request); err != nil {
			return doPage{}, err
		}
		ahead.Request.Rungs = slices.DeleteFunc(ahead.Request.Rungs, func(r policy.Rung) bool { return r.Pass })
	}
	for _, x := range p.Must {
		if x.Scope != nil {
			ahead.Role = x.Scope.Cost
		}
	}
	if v.ours() {
		before := v.View
		after, changed := registry.Apply(before, a, registry.Stamp{ID: id.New[id.Act](v.Now), By: v.Person.ID, At: v.Now.UTC(), Session: v.Session.ID})
		ahead.Changes = changesOf(before, changed)
		d := registry.Difference(s.Policy, before, after.Confirm(before.Confirmed()), touching(before, after, changed), v.Now, maxAsked)
		if slices.Contains(effective, f.spec.Name) {
			ahead.Effect = new(registry.Effect)
			if err := s.ask(v, "/v1/agreements/"+url.PathEscape(a.Subject().ID)+"/effect", api.EffectRequest{Kind: f.spec.Name, Act: api.Fields(withoutID(raw))}, ahead.Effect); err != nil {
				return doPage{}, err
			}
			if f.spec.Name != "agreement.amend" && f.spec.Name != "agreement.renew" {
				ahead.Effect.Stops = nil // the same that stop at once
			}
		}
		ahead.Stops, ahead.Starts, ahead.Looked, ahead.Beyond = d.Stops, d.Starts, d.Asked, d.Beyond
	}
	p.Ahead = &ahead
	for _, name := range slices.Sorted(maps.Keys(f.typed)) {
		for _, text := range f.typed[name] {
			p.Hidden = append(p.Hidden, hidden{name, text})
		}
	}
	return p, nil
}

// effective are the acts about an agreement whose effect the API tells.
var effective = []registry.Kind{"agreement.amend", "agreement.renew", "agreement.suspend", "agreement.resume", "agreement.terminate"}

// withoutID leaves out the id, which stands in the path.
func withoutID(raw json.RawMessage) json.RawMessage {
	var m map[string]json.RawMessage
	if json.Unmarshal(raw, &m) != nil {
		return raw
	}
	delete(m, "id")
	out, err := json.Marshal(m)
	if err != nil {
		return raw
	}
	return out
}

// namesFor is the view in which names are looked up for the visitor: what a vendor's person
// types may be the id of what is others'.
func namesFor(v *visit) *snapshot.View {
	if v.ours() {
		return v.View
	}
	return &snapshot.View{}
}

// dropSecret takes the stand-in for a secret's digest away again.
func (f *doForm) dropSecret() {
	if field, ok := secrets[f.spec.Name]; ok {
		f.typed.Del(field)
	}
}

// maxAsked is how many grants are asked before and after.
const maxAsked = 200

// entered is what was typed, as the act has it; names are looked up in the view.
func entered(v *snapshot.View, spec *registry.Spec, raw json.RawMessage) []enteredRow {
	var out []enteredRow
	var m map[string]json.RawMessage
	if json.Unmarshal(raw, &m) != nil {
		return nil
	}
	for _, x := range membersOf(actType(spec)) {
		one, ok := m[x.Name]
		if !ok || isSecret(spec.Name, x.Name) || x.Name == "content" {
			continue
		}
		out = append(out, enteredRow{wordOf(spec.Name, x.Name, x.Name).Label, fieldInWords(v, x.Type, one)})
	}
	return out
}

// fieldInWords is a field of an act or a record for people.
func fieldInWords(v *snapshot.View, t reflect.Type, raw json.RawMessage) string {
	x := reflect.New(t)
	if json.Unmarshal(raw, x.Interface()) != nil {
		return string(raw)
	}
	return inWords(v, x.Elem())
}

// inWords is a value as one reads it: lists with commas, structs field by field, names
// beside ids.
func inWords(v *snapshot.View, x reflect.Value) string {
	switch x.Type() {
	case timeType:
		return when(x.Interface().(time.Time))
	case rawType:
		if text := jsonInWords(x.Bytes()); len(text) <= 2000 {
			return text
		}
		return plural(x.Len(), "byte") + " of JSON"
	case bytesType:
		return plural(x.Len(), "byte")
	case of[time.Duration]():
		return x.Interface().(time.Duration).String()
	}
	switch x.Kind() {
	case reflect.Pointer:
		if x.IsNil() {
			return ""
		}
		return inWords(v, x.Elem())
	case reflect.Bool:
		if x.Bool() {
			return "Yes"
		}
		return "No"
	case reflect.String:
		if _, ok := sets[x.Type()]; ok || x.Type() == of[snapshot.State]() || x.Type() == of[snapshot.Noun]() {
			return wordOfValue(x.String())
		}
		if x.Type() != of[string]() {
			if r := refIn(v, x.Interface()); r.Label != "" && r.Label != x.String() {
				return r.Label + " (" + x.String() + ")"
			}
		}
		return x.String()
	case reflect.Slice:
		var out []string
		inner := ", "
		for i := range x.Len() {
			if x.Index(i).Kind() == reflect.Struct && x.Index(i).Type() != timeType {
				inner = "\n"
			}
			out = append(out, inWords(v, x.Index(i)))
		}
		return strings.Join(out, inner)
	case reflect.Map:
		keys := x.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		var out []string
		for _, k := range keys {
			out = append(out, k.String()+": "+inWords(v, x.MapIndex(k)))
		}
		return strings.Join(out, "\n")
	case reflect.Struct:
		var out []string
		for _, m := range membersOf(x.Type()) {
			// The digest of a code is no code: who reads it here would write it down as one.
			if f := x.FieldByIndex(m.index); !f.IsZero() && !strings.HasSuffix(m.Name, "code_sha256") && !strings.HasSuffix(m.Name, "secret_sha256") {
				out = append(out, wordOf("", m.Name, m.Name).Label+": "+inWords(v, f))
			}
		}
		return strings.Join(out, "; ")
	}
	return fmt.Sprint(x.Interface())
}

// jsonInWords is a value that came as JSON, for people: public keys by what they are, an
// object member by member.
func jsonInWords(raw []byte) string {
	if keys := keysInWords(raw); keys != "" {
		return keys
	}
	var v any
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if dec.Decode(&v) != nil {
		return string(raw)
	}
	return valueInWords(v)
}

func valueInWords(v any) string {
	var out []string
	switch v := v.(type) {
	case bool:
		return map[bool]string{true: "Yes", false: "No"}[v]
	case string:
		return v
	case []any:
		if len(v) == 0 {
			return noneWord
		}
		for _, x := range v {
			out = append(out, valueInWords(x))
		}
		return strings.Join(out, ", ")
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			out = append(out, words(k)+": "+valueInWords(v[k]))
		}
		return strings.Join(out, "; ")
	case nil:
		return ""
	}
	return fmt.Sprint(v)
}

// changesOf compares each changed record with what it was.
func changesOf(v *snapshot.View, changed []snapshot.Record) []recordChange {
	var out []recordChange
	for _, r := range changed {
		c := recordChange{Subject: snapshot.Subject{Noun: r.Noun(), ID: r.Key()}}
		old, ok := recordIn(v, r)
		c.New = !ok
		to, from := jsonMembers(r), map[string]json.RawMessage{}
		if ok {
			from = jsonMembers(old)
		}
		for _, m := range membersOf(reflect.TypeOf(r).Elem()) {
			a, b := from[m.Name], to[m.Name]
			if string(a) == string(b) || m.Name == "id" || strings.HasSuffix(m.Name, "code_sha256") || strings.HasSuffix(m.Name, "secret_sha256") || m.Name == "fingerprint" {
				continue
			}
			x := fieldChange{Label: wordOf("", m.Name, m.Name).Label}
			if len(a) > 0 {
				x.From = fieldInWords(v, m.Type, a)
			}
			if len(b) > 0 {
				x.To = fieldInWords(v, m.Type, b)
			}
			c.Fields = append(c.Fields, x)
		}
		out = append(out, c)
	}
	return out
}

func jsonMembers(r any) map[string]json.RawMessage {
	raw, err := json.Marshal(r)
	if err != nil {
		return nil
	}
	var m map[string]json.RawMessage
	if json.Unmarshal(raw, &m) != nil {
		return nil
	}
	for k, one := range m {
		switch string(one) {
		case "null", "[]", "{}", `""`, `"0001-01-01T00:00:00Z"`:
			delete(m, k)
		}
	}
	return m
}

// recordIn finds the record of the same kind and id in the view.
func recordIn(v *snapshot.View, r snapshot.Record) (any, bool) {
	tables := reflect.ValueOf(v).Elem()
	for i := range tables.NumField() {
		f := tables.Field(i)
		if !tables.Type().Field(i).IsExported() {
			continue
		}
		get := f.MethodByName("Get")
		if !get.IsValid() || get.Type().NumOut() != 2 || get.Type().Out(0) != reflect.TypeOf(r) {
			continue
		}
		out := get.Call([]reflect.Value{reflect.ValueOf(r.Key()).Convert(get.Type().In(0))})
		return out[0].Interface(), out[1].Bool()
	}
	return nil, false
}

// touching are the grants that the changed records could have to do with.
func touching(before, after *snapshot.View, changed []snapshot.Record) func(*snapshot.Grant) bool {
	type ids struct {
		vendors     []id.Vendor
		engagements []id.Engagement
		agreements  []id.Agreement
		grants      []id.Grant
		persons     []id.Person
		devices     []id.Device
		apps        []id.App
		roles       []id.Role
	}
	var has ids
	subject := func(x snapshot.Subject) {
		switch x.Noun {
		case snapshot.NounVendor:
			has.vendors = append(has.vendors, id.Vendor(x.ID))
		case snapshot.NounEngagement, snapshot.NounKey:
			has.engagements = append(has.engagements, id.Engagement(x.ID))
		case snapshot.NounAgreement:
			has.agreements = append(has.agreements, id.Agreement(x.ID))
		case snapshot.NounGrant:
			has.grants = append(has.grants, id.Grant(x.ID))
		case snapshot.NounPerson:
			has.persons = append(has.persons, id.Person(x.ID))
		case snapshot.NounDevice, snapshot.NounPosture:
			has.devices = append(has.devices, id.Device(x.ID))
		case snapshot.NounApp:
			has.apps = append(has.apps, id.App(x.ID))
		case snapshot.NounRole:
			has.roles = append(has.roles, id.Role(x.ID))
		}
	}
	for _, r := range changed {
		subject(snapshot.Subject{Noun: r.Noun(), ID: r.Key()})
		switch x := r.(type) {
		case *snapshot.Review:
			has.grants = append(has.grants, x.Grant)
		case *snapshot.Training:
			has.persons = append(has.persons, x.Person)
		case *snapshot.Determination:
			has.engagements = append(has.engagements, x.Engagement)
		case *snapshot.Assessment:
			has.vendors = append(has.vendors, x.Vendor)
		case *snapshot.Certification:
			has.vendors = append(has.vendors, x.Vendor)
		case *snapshot.Questionnaire:
			has.vendors = append(has.vendors, x.Vendor)
		case *snapshot.Finding:
			has.vendors = append(has.vendors, x.Vendor)
		case *snapshot.Incident:
			has.vendors = append(has.vendors, x.Vendor)
		case *snapshot.Offboarding:
			has.vendors = append(has.vendors, x.Vendor)
		case *snapshot.Attestation:
			has.devices = append(has.devices, x.Device)
		case *snapshot.Hold:
			subject(x.On)
		case *snapshot.Agreement:
			has.vendors = append(has.vendors, x.Subcontractor)
		}
	}
	return func(g *snapshot.Grant) bool {
		e, ok := before.Engagements.Get(g.Engagement)
		if !ok {
			if e, ok = after.Engagements.Get(g.Engagement); !ok {
				e = &snapshot.Engagement{}
			}
		}
		p, ok := before.Persons.Get(g.Person)
		return slices.Contains(has.grants, g.ID) || slices.Contains(has.persons, g.Person) || slices.Contains(has.apps, g.App) || slices.Contains(has.roles, g.Role) ||
			slices.Contains(has.engagements, g.Engagement) || slices.Contains(has.vendors, e.Vendor) || ok && p.Vendor != "" && slices.Contains(has.vendors, p.Vendor) ||
			slices.ContainsFunc(g.Devices, func(d id.Device) bool { return slices.Contains(has.devices, d) }) ||
			slices.ContainsFunc(e.Agreements, func(a id.Agreement) bool { return slices.Contains(has.agreements, a) })
	}
}

// asItIs fills in what a record says now, where the act replaces it: whoever amends begins
// with what there is.
func (s *server) asItIs(v *visit, f *doForm) {
	if !v.ours() || !replaces(f.spec) || f.typed.Get("id") == "" {
		return
	}
	noun := snapshot.Noun(f.spec.Noun)
	old, ok := recordNamed(v.View, noun, f.typed.Get("id"))
	if !ok {
		return
	}
	raw, err := json.Marshal(old)
	if err != nil {
		return
	}
	var all, mine map[string]json.RawMessage
	if json.Unmarshal(raw, &all) != nil {
		return
	}
	mine = map[string]json.RawMessage{}
	for _, m := range membersOf(actType(f.spec)) {
		if one, ok := all[m.Name]; ok {
			mine[m.Name] = one
		}
	}
	if raw, err = json.Marshal(mine); err != nil {
		return
	}
	a, err := registry.Decode(f.spec.Name, raw)
	if err != nil {
		return
	}
	for name, texts := range writeForm(a) {
		top, _, _ := strings.Cut(name, ".")
		if _, said := f.typed[name]; !said && !hasBelow(f.typed, top) {
			f.typed[name] = texts
		}
	}
}

func hasBelow(form url.Values, top string) bool {
	for name := range form {
		if name == top && len(form[name]) > 0 && strings.HasPrefix(top, name) {
			return true
		}
	}
	return false
}

// replaces reports whether the act writes a record anew, rather than adding to it.
func replaces(spec *registry.Spec) bool {
	return spec.Verb == "amend" || spec.Verb == "amend-duties" || slices.Contains([]registry.Kind{"vendor.profile", "role.offer", "incident.amend-facts", "incident.describe", "role.define"}, spec.Name)
}

// recordNamed finds a record by its noun and id.
func recordNamed(v *snapshot.View, noun snapshot.Noun, key string) (any, bool) {
	tables := reflect.ValueOf(v).Elem()
	for i := range tables.NumField() {
		if !tables.Type().Field(i).IsExported() {
			continue
		}
		get := tables.Field(i).MethodByName("Get")
		if !get.IsValid() || get.Type().NumOut() != 2 {
			continue
		}
		zero, ok := reflect.New(get.Type().Out(0).Elem()).Interface().(snapshot.Record)
		if !ok || zero.Noun() != noun {
			continue
		}
		out := get.Call([]reflect.Value{reflect.ValueOf(key).Convert(get.Type().In(0))})
		if out[1].Bool() {
			return out[0].Interface(), true
		}
	}
	return nil, false
}

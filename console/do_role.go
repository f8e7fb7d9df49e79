package console

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/fhir/spec"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/snapshot"
)

// The picker of a role's scope: resource types, their elements, and, where somebody asks for
// them, the parts of an element, since the gateway and the de-identification decide by the
// path that a role names. Beside each stands what the profile makes of it, and below all what
// the choice means for the minimum necessary (45 CFR 164.502(b)).

// scopePicker is it, as the template "act-scope" shows it.
type scopePicker struct {
	Types []scopeType
	Often []string // types to add
	All   []string
	Cost  *roleCost
}

type scopeType struct {
	Name, ID     string
	Interactions actField
	Error        string
	Rows         []scopeRow
	Chosen       int
}

// scopeRow is one element, with its parts where they were asked for.
type scopeRow struct {
	ID, Name, Path string // Name of the field, Path below the type
	Whole          string // Path with its type
	Type           string
	Becomes        string
	Mark           *mark
	Chosen         bool
	Under          string // a chosen element above covers it
	HasParts       bool
	Parts          []scopeRow
}

// fields are the parts of the picker that an error can lead to.
func (p *scopePicker) fields() []actField {
	var out []actField
	for _, t := range p.Types {
		out = append(out, actField{Name: "resources." + nameOfKey(t.Name), ID: t.ID, Fields: []actField{t.Interactions}})
	}
	return out
}

// oftenNeeded are types that most roles name.
var oftenNeeded = []string{"Patient", "Encounter", "Condition", "Observation", "MedicationRequest", "Procedure", "DiagnosticReport", "DocumentReference", "ImagingStudy"}

// notPicked are elements that no role needs to name: rules of their own decide about them.
var notPicked = []string{"id", "meta", "implicitRules", "language", "contained", "extension", "modifierExtension"}

// maxScopeDepth is how far below a type the picker goes; a path may go further.
const maxScopeDepth = 5

// picksScope reports whether the field is a scope that is picked from all that FHIR has.
func (f *actForm) picksScope(name string) bool {
	return f.own && f.spec.Name == "role.define" && name == "resources"
}

// namedPaths are the elements that the form names of a type.
func namedPaths(form url.Values, typ string) []string {
	var out []string
	for _, text := range form["resources."+nameOfKey(typ)+".elements"] {
		out = slices.AppendSeq(out, entriesIn(text))
	}
	return out
}

// scope shows the types that the form names, or was asked to show.
func (f *actForm) scope(x *actField) {
	x.As, x.Required = "scope", false
	types, _ := keysIn(f.typed, x.Name)
	for _, path := range f.open {
		if typ, _, _ := strings.Cut(path, "."); spec.IsResource(typ) && !slices.Contains(types, typ) && len(types) < maxRows {
			types = append(types, typ)
		}
	}
	slices.Sort(types)
	p := scopePicker{All: spec.Resources()}
	for _, t := range oftenNeeded {
		if !slices.Contains(types, t) {
			p.Often = append(p.Often, t)
		}
	}
	for _, typ := range types {
		group := below(x.Name, nameOfKey(typ))
		t := scopeType{Name: typ, ID: "f-" + group, Error: f.errorAt(group)}
		for _, m := range membersOf(of[snapshot.ResourceScope]()) {
			if m.Name != "interactions" {
				continue
			}
			t.Interactions, _ = f.field(below(group, m.Name), m, group)
		}
		named := namedPaths(f.typed, typ)
		shown := map[string]bool{}
		t.Rows = f.rows(typ, "", named, shown, 1)
		for _, path := range named { // what FHIR does not have is kept, and told
			if !shown[path] {
				t.Rows = append(t.Rows, scopeRow{ID: "f-" + group + ".elements." + path, Name: group + ".elements", Path: path, Whole: typ + "." + path, Type: "not of FHIR R4", Chosen: true})
			}
		}
		if text := f.errorsBelow(group + ".elements"); text != "" {
			t.Error = strings.TrimSpace(t.Error + " " + text)
		}
		t.Chosen = len(named)
		p.Types = append(p.Types, t)
	}
	x.Scope = &p
}

// errorsBelow are the errors at the name, and in its entries.
func (f *actForm) errorsBelow(name string) string {
	var out []string
	for _, e := range f.errs {
		if at := place(e.Field); at == name || strings.HasPrefix(at, name+".") {
			f.shown[e.Field] = true
			out = append(out, sentence(upperFirst(e.Title))+" "+sentence(e.Next))
		}
	}
	return strings.Join(out, " ")
}

// rows are the elements below a path, to pick from.
func (f *actForm) rows(typ, above string, named []string, shown map[string]bool, depth int) []scopeRow {
	var out []scopeRow
	for _, part := range partsOf(typ, above) {
		r := part
		r.Name = "resources." + nameOfKey(typ) + ".elements"
		r.ID, r.Chosen, r.Whole = "f-"+r.Name+"."+r.Path, slices.Contains(named, r.Path), typ+"."+r.Path
		r.HasParts = r.HasParts && depth < maxScopeDepth
		if above != "" && slices.ContainsFunc(named, func(n string) bool { return n == above || strings.HasPrefix(above, n+".") }) {
			r.Under = above
		}
		shown[r.Path] = true
		opened := slices.Contains(f.open, r.Whole) || slices.ContainsFunc(named, func(n string) bool {
			return strings.HasPrefix(n, r.Path+".") || r.Path != n && strings.HasSuffix(r.Path, "[x]") && isChoiceOf(typ, r.Path, n)
		})
		if r.HasParts && opened {
			r.Parts = f.rows(typ, r.Path, named, shown, depth+1)
		}
		out = append(out, r)
	}
	return out
}

// isChoiceOf reports whether a path is one type of a choice, or below one: valueQuantity of
// value[x].
func isChoiceOf(typ, choice, path string) bool {
	for _, one := range partsOf(typ, choice) {
		if path == one.Path || strings.HasPrefix(path, one.Path+".") {
			return true
		}
	}
	return false
}

// partsOf are the elements of a type, or what is below one of its elements.
func partsOf(typ, path string) []scopeRow {
	t, ok := spec.Lookup(typ)
	up, choice := "", ""
	if path != "" {
		_, e, found := spec.Path(typ + "." + path)
		if !found {
			return nil
		}
		up, t, ok = path+".", e.Type, true
		if before, isChoice := strings.CutSuffix(path, "[x]"); isChoice { // its types stand beside it
			i := strings.LastIndexByte(before, '.') + 1
			up, choice = before[:i], before[i:]
			if i == 0 {
				t, ok = spec.Lookup(typ)
			} else if _, above, found := spec.Path(typ + "." + before[:i-1]); found {
				t = above.Type
			}
		}
	}
	if !ok {
		return nil
	}
	var out []scopeRow
	for _, e := range t.Elements {
		r := scopeRow{Path: up + e.JSON, Type: e.Type.Name, HasParts: (e.Type.Kind == spec.Complex || e.Type.Kind == spec.Backbone) && len(e.Type.Elements) > 0}
		switch {
		case choice != "" && (!e.Choice || e.Name != choice) || slices.Contains(notPicked, e.Name):
			continue
		case choice == "" && e.Choice:
			r.Path, r.Type, r.HasParts = up+e.Name+"[x]", "one of several", true
		}
		if e.Type.Kind == spec.Backbone {
			r.Type = "a group"
		}
		if !slices.ContainsFunc(out, func(o scopeRow) bool { return o.Path == r.Path }) {
			out = append(out, r)
		}
	}
	return out
}

// stepScope does what a button of the picker says; not ok: it is another's.
func (f *doForm) stepScope(add string) bool {
	verb, what, ok := strings.Cut(f.step, ":")
	if f.spec.Name != "role.define" || !ok && f.step != "weigh" && f.step != "type" {
		return false
	}
	switch verb {
	case "type":
		if spec.IsResource(add) {
			f.open = append(f.open, add)
		} else {
			f.errs = append(f.errs, fieldError{"resources", "No type of resource was chosen", "Choose one from the list"})
		}
	case "open":
		f.open = append(f.open, what)
	case "shut":
		f.open = slices.DeleteFunc(f.open, func(p string) bool { return p == what || strings.HasPrefix(p, what+".") })
		for name := range f.typed {
			if strings.HasPrefix(name, "resources."+nameOfKey(what)+".") {
				f.typed.Del(name)
			}
		}
	case "weigh":
	default:
		return false
	}
	slices.Sort(f.open)
	f.open = slices.Compact(f.open)
	return true
}

// roleCost is what a role would show, for those who define it.
type roleCost struct {
	Profile string
	Named   int
	Types   []costOfType
	Direct  []string // direct identifiers and free text that leave
	Asked   []string // would be, but the role may not have them
	Removed []string // named, and nothing of them leaves
	Whole   []string // named whole, though they have parts
	Follows []follow
}

type costOfType struct {
	Type  string
	Named int
	Lines []costLine
}

// costLine are elements of which the profile makes the same.
type costLine struct{ Becomes, Elements string }

// follow is a condition that the choice brings with it.
type follow struct{ Gate, Says string }

// weighs has the picker among the fields weighed. Without an answer it is shown all the same.
func (s *server) weighs(v *visit, f *doForm, fields []actField) {
	for _, x := range fields {
		if x.Scope == nil {
			continue
		}
		if err := s.weigh(v, f, x.Scope); err != nil {
			s.Logger.InfoContext(v.Context(), "what a role would show cannot be told", "err", fmt.Sprintf("%T", err))
		}
	}
}

// weigh asks what becomes of every element that is shown, and what the chosen ones mean.
func (s *server) weigh(v *visit, f *doForm, p *scopePicker) error {
	if f.typed.Get("profile") == "" {
		return nil // there is nothing to say yet
	}
	role := snapshot.Role{Profile: f.typed.Get("profile"), Dates: snapshot.DateRule(f.typed.Get("dates")), Identifiers: snapshot.IdentifierRule(f.typed.Get("identifiers")),
		DirectIdentifiers: f.typed.Get("direct_identifiers") == "true" || f.typed.Get("direct_identifiers") == "on", Resources: map[string]snapshot.ResourceScope{}}
	var all func([]scopeRow) []string
	all = func(rows []scopeRow) (out []string) {
		for _, r := range rows {
			out = append(append(out, r.Path), all(r.Parts)...)
		}
		return out
	}
	for _, t := range p.Types {
		role.Resources[t.Name] = snapshot.ResourceScope{Elements: all(t.Rows)}
	}
	fields, err := s.roleFields(v, &role)
	if err != nil {
		return err
	}
	becomes := map[string]api.FieldShown{}
	for _, t := range fields.Types {
		for _, e := range t.Elements {
			becomes[t.Type+"."+e.Element] = e
		}
	}
	var fill func([]scopeRow)
	fill = func(rows []scopeRow) {
		for i := range rows {
			e := becomes[rows[i].Whole]
			rows[i].Becomes, rows[i].Mark = askBecomes(fields, e), shownMark(fields, e)
			rows[i].HasParts = rows[i].HasParts && (!e.Removed || e.Direct) // of what never leaves, no part does
			fill(rows[i].Parts)
		}
	}
	for i := range p.Types {
		fill(p.Types[i].Rows)
	}
	for _, t := range p.Types {
		scope := role.Resources[t.Name]
		scope.Elements = namedPaths(f.typed, t.Name)
		scope.Interactions = f.typed["resources."+nameOfKey(t.Name)+".interactions"]
		role.Resources[t.Name] = scope
	}
	p.Cost = costOf(v, &role, fields, func(whole string) api.FieldShown { return becomes[whole] })
	return nil
}

// roleFields asks the API what the role would show.
func (s *server) roleFields(v *visit, r *snapshot.Role) (*api.RoleFields, error) {
	raw, err := json.Marshal(map[string]any{"profile": r.Profile, "dates": r.Dates, "identifiers": r.Identifiers, "direct_identifiers": r.DirectIdentifiers, "resources": r.Resources})
	if err != nil {
		return nil, err
	}
	out := new(api.RoleFields)
	return out, s.ask(v, "/v1/roles/preview", json.RawMessage(raw), out)
}

func shownMark(role *api.RoleFields, e api.FieldShown) *mark {
	switch {
	case e.Removed && e.Direct:
		return &mark{"Identifier: never leaves", "off"}
	case e.Removed:
		return &mark{"Never leaves", "off"}
	case e.Direct && role.Direct:
		return &mark{"Direct identifiers or free text", "warn"}
	}
	return nil
}

// costOf sums up what the role names.
func costOf(v *visit, r *snapshot.Role, fields *api.RoleFields, of func(whole string) api.FieldShown) *roleCost {
	c := roleCost{Profile: r.Profile}
	everything := false
	for _, typ := range slices.Sorted(maps.Keys(r.Resources)) {
		s := r.Resources[typ]
		if len(s.Elements) == 0 {
			continue
		}
		everything = everything || slices.Contains(s.Interactions, "everything")
		t := costOfType{Type: typ, Named: len(s.Elements)}
		lines := map[string][]string{}
		for _, path := range s.Elements {
			whole := typ + "." + path
			e := of(whole)
			becomes := askBecomes(fields, e)
			lines[becomes] = append(lines[becomes], path)
			switch {
			case e.Removed && e.Direct:
				c.Asked = append(c.Asked, whole)
			case e.Removed:
				c.Removed = append(c.Removed, whole)
			case e.Direct && r.DirectIdentifiers:
				c.Direct = append(c.Direct, whole)
			}
			if _, el, ok := spec.Path(whole); ok && !e.Removed && (el.Type.Kind == spec.Complex || el.Type.Kind == spec.Backbone) && len(el.Type.Elements) > 0 && !slices.Contains([]string{"CodeableConcept", "Coding", "Quantity", "Reference", "Period"}, el.Type.Name) {
				c.Whole = append(c.Whole, whole)
			}
		}
		for _, becomes := range slices.Sorted(maps.Keys(lines)) {
			t.Lines = append(t.Lines, costLine{becomes, strings.Join(lines[becomes], ", ")})
		}
		c.Named += t.Named
		c.Types = append(c.Types, t)
	}
	c.Follows = followsOf(v, r, everything)
	return &c
}

// classesOf are the classes of data that a profile's basis is enough for, as the gate
// deidentification has it.
var classesOf = map[string][]hipaa.DataClass{
	snapshot.BasisSafeHarbor: hipaa.DataClasses, snapshot.BasisExpertDetermination: hipaa.DataClasses,
	snapshot.BasisLimitedDataSet: {hipaa.LimitedDataSet, hipaa.PHI}, snapshot.BasisMinimumNecessary: {hipaa.PHI},
}

// followsOf are the conditions that every use of the role would meet.
func followsOf(v *visit, r *snapshot.Role, everything bool) []follow {
	out := []follow{{"role", "Only what is named here leaves, and a search or a sort by anything else is refused. Another person must approve the role before a grant can use it."}}
	if p, ok := v.View.Settings.ProfileNamed(r.Profile); ok {
		var classes []string
		for _, c := range classesOf[p.Basis] {
			classes = append(classes, wordOfValue(string(c)))
		}
		text := "The profile rests on " + words(p.Basis) + ": enough for engagements whose class of data is " + cmp.Or(strings.Join(classes, ", "), "none") + "."
		if p.Basis == snapshot.BasisExpertDetermination {
			text += " Each engagement needs an expert's determination about it on record, approved by another person (45 CFR 164.514(b)(1))."
		}
		out = append(out, follow{"deidentification", text})
	}
	if everything {
		out = append(out, follow{"permitted_use", "Everything of a patient at once: where a paper has a minimum necessary plan, it must say why the whole record is needed (45 CFR 164.514(d)(5))."})
	} else {
		out = append(out, follow{"permitted_use", "Where a paper has a minimum necessary plan, every element here must be among its fields."})
	}
	return append(out, follow{"labels", "Records with a sensitive label leave only under a grant that names the label, whatever the role names."})
}

package console

import (
	"regexp"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/diligence"
	"github.com/sallyport/sallyport/registry"
)

// kinds are the acts in which one field says what the others are: the form asks for it first,
// and then for what the chosen one has, and nothing else.
var kinds = map[registry.Kind]byKind{
	"certification.record": {Field: "type", Beside: []string{"vendor"}, Always: []string{"id", "expires_at", "document_sha256", "fingerprint"}, Needs: diligence.Needs, Tells: diligence.Tells,
		Ours: []string{"id", "document_sha256", "fingerprint", "bridge", "exceptions.accepted"}},
}

type byKind struct {
	Field  string
	Beside []string // asked for on the first page, too
	Always []string // whatever the kind
	Needs  func(string) []string
	Tells  func(string) []string
	Ours   []string // for the organisation's people alone
}

// withheld reports whether the field is not for who fills in the form: what the organisation
// says by itself, and a choice in which there is nothing to choose.
func (f *actForm) withheld(name string) bool {
	k, ok := kinds[f.spec.Name]
	if !ok || f.v.ours() {
		return false
	}
	if name == "carve_outs" {
		w, _ := f.v.View.Vendors.Get(f.v.Person.Vendor)
		return w == nil || len(w.Subcontractors) == 0
	}
	return slices.Contains(k.Ours, numbered.ReplaceAllString(name, ""))
}

// numbered is the number of an entry in a field's name.
var numbered = regexp.MustCompile(`\.[0-9]+`)

// undecided reports whether the form is at its first page: nobody has said yet which kind.
func (f *actForm) undecided() bool {
	k, ok := kinds[f.spec.Name]
	return ok && f.own && strings.TrimSpace(f.typed.Get(k.Field)) == ""
}

// asks reports whether the form asks for the field, and whether the kind needs it. What is
// said already is shown, whatever the kind: nothing is sent that nobody sees.
func (f *actForm) asks(name string) (asked, needed bool) {
	k, ok := kinds[f.spec.Name]
	if !ok || !f.own {
		return true, false
	}
	if name == k.Field || slices.Contains(k.Beside, name) {
		return true, false
	}
	kind := strings.TrimSpace(f.typed.Get(k.Field))
	if kind == "" {
		return false, false
	}
	needed = slices.Contains(k.Needs(kind), name)
	return needed || slices.Contains(k.Always, name) || slices.Contains(k.Tells(kind), name) || says(f.typed, name) || f.errorAt(name) != "", needed
}

// says reports whether the form has something at the name, or below it.
func says(form map[string][]string, name string) bool {
	for at, texts := range form {
		if (at == name || strings.HasPrefix(at, name+".")) && strings.Join(texts, "") != "" {
			return true
		}
	}
	return false
}

// choose goes on with the kind that was chosen: what another kind had is left behind.
func (f *doForm) choose() {
	k, ok := kinds[f.spec.Name]
	if !ok {
		return
	}
	kind := strings.TrimSpace(f.typed.Get(k.Field))
	if kind == "" {
		f.errs = append(f.errs, fieldError{k.Field, "is missing", "Choose one: what else is asked follows from it"})
		return
	}
	for _, m := range membersOf(actType(f.spec)) {
		if m.Name == k.Field || slices.Contains(k.Beside, m.Name) || slices.Contains(k.Always, m.Name) || slices.Contains(k.Tells(kind), m.Name) {
			continue
		}
		for at := range f.typed {
			if at == m.Name || strings.HasPrefix(at, m.Name+".") {
				f.typed.Del(at)
			}
		}
	}
}

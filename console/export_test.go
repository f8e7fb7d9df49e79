package console

import (
	"html/template"
	"net/url"
	"testing"

	"github.com/sallyport/sallyport/registry"
)

// Shown is a screen as tests go through them.
type Shown struct {
	Name, Pattern string
	Ours, Theirs  bool
	Example       any // page[T]: what the template gets
}

// Screens are all.
func Screens() []Shown {
	var out []Shown
	for _, x := range screens() {
		out = append(out, Shown{x.Name, x.Pattern, x.For == ours || x.For == everyone, x.For == theirs || x.For == everyone, x.example})
	}
	return out
}

// WriteForm is an act as a form.
func WriteForm(a registry.Act) url.Values { return writeForm(a) }

// ReadForm is a form as an act, and what is wrong with it.
func ReadForm(kind registry.Kind, form url.Values) (registry.Act, []string) {
	spec, ok := registry.Lookup(kind)
	if !ok {
		return nil, []string{"no such act"}
	}
	a, _, errs := actOf(spec, form)
	var out []string
	for _, e := range errs {
		out = append(out, e.Field+" "+e.Title)
	}
	return a, out
}

// Local is where a visitor may be led.
func Local(next, otherwise string) string { return local(next, otherwise) }

// Template is a screen's template and the zero value of what it gets.
type Template struct {
	*template.Template
	Example any
}

// Templates are those of all screens, and of what went wrong.
func Templates(t testing.TB) map[string]Template {
	t.Helper()
	all, err := parse(screens())
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]Template{"failure": {all["failure"], page[failure]{}}}
	for _, x := range screens() {
		if x.Name != "" {
			out[x.Pattern] = Template{all[x.Name], x.example}
		}
	}
	return out
}

// WordList is the glossary.
func WordList() []term { return wordList }

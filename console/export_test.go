package console

import (
	"net/url"

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

// WordList is the glossary.
func WordList() []term { return wordList }

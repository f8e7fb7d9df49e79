package people

import (
	"reflect"
	"testing"
	"time"

	"github.com/jba/templatecheck"
)

// pageOf is the zero value of page with the type of its data: what a template of this
// package gets.
func pageOf(data any) any {
	var fields []reflect.StructField
	for _, f := range reflect.VisibleFields(reflect.TypeFor[page]()) {
		if f.Name == "Data" && data != nil {
			f.Type = reflect.TypeOf(data)
		}
		fields = append(fields, reflect.StructField{Name: f.Name, Type: f.Type})
	}
	return reflect.Zero(reflect.StructOf(fields)).Interface()
}

// Each template, in the layout, fits the type of what it is given, also where no test
// leads it: a field that is not there, a function's arguments, what is ranged over.
func TestTemplatesFitTheirData(t *testing.T) {
	all, err := parse(func(time.Time) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	given := map[string]any{
		"cli":      pageOf(cliPage{}),
		"enroll":   pageOf(nil),
		"enrolled": pageOf(enrolledPage{}),
		"home":     pageOf(homePage{}),
		"message":  pageOf(message{}),
		"register": pageOf(registerPage{}),
		"signin":   pageOf(signinPage{}),
		"stepup":   pageOf(stepUpPage{}),
		"with":     pageOf(withPage{}),
	}
	for name, t1 := range all {
		data, ok := given[name]
		if !ok {
			t.Errorf("%s: the list does not say what it gets", name)
			continue
		}
		if err := templatecheck.CheckHTMLStrict(t1, data); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name := range given {
		if all[name] == nil {
			t.Errorf("there is no template %q", name)
		}
	}
}

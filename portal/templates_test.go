package portal

import (
	"reflect"
	"testing"

	"github.com/jba/templatecheck"

	"github.com/sallyport/sallyport/people"
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
	layout, err := people.Layout()
	if err != nil {
		t.Fatal(err)
	}
	all, err := parse(layout)
	if err != nil {
		t.Fatal(err)
	}
	given := map[string]any{
		"agreement":     pageOf(agreementPage{}),
		"attestation":   pageOf(attestationPage{}),
		"course":        pageOf(coursePage{}),
		"domain":        pageOf(domainPage{}),
		"drill":         pageOf(drillPage{}),
		"exercise":      pageOf(exercisePage{}),
		"handin":        pageOf(handinPage{}),
		"home":          pageOf(homePage{}),
		"in":            pageOf(nil),
		"incident":      pageOf(reportPage{}),
		"incident_done": pageOf(reportedPage{}),
		"lesson":        pageOf(lessonPage{}),
		"message":       pageOf(message{}),
		"question":      pageOf(questionPage{}),
		"questionnaire": pageOf(questionnairePage{}),
		"result":        pageOf(resultPage{}),
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

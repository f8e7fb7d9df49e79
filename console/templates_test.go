package console_test

import (
	"strings"
	"testing"

	"github.com/jba/templatecheck"

	"github.com/sallyport/sallyport/console"
)

// Each template, in the layout, fits the type of what it is given, also where no test
// leads it: a field that is not there, a function's arguments, what is ranged over. It is
// checked strictly, but for the parts that screens give a dict or a mark in either form,
// whose types the check cannot follow: beyond those, what can be known is checked.
func TestTemplatesFitTheirData(t *testing.T) {
	for name, x := range console.Templates(t) {
		if err := templatecheck.CheckHTML(x.Template, x.Example); err != nil {
			t.Errorf("%s: %v", name, err)
		} else if err := templatecheck.CheckHTMLStrict(x.Template, x.Example); err != nil &&
			!strings.Contains(err.Error(), "interface type") && !strings.Contains(err.Error(), "inconsistent types for template") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

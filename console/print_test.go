package console_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/identity/signin"
)

// Paper has what a page says, also what is folded, under a head with the organisation,
// the time and the address; it has nothing to press, and is black on white in the dark
// theme, too.
func TestPrinting(t *testing.T) {
	b := visit(t)
	b.SetCookie(b.o.Pages, signin.ThemeCookie, "dark")
	for path, says := range map[string][]string{
		"/console/evidence/vendors/northwind":      {"The file of Northwind AI, Inc.", "northwind-baa", "SHA-256", "What went wrong", "stolen from a train"},
		"/console/agreements/northwind-baa":        {"What it says, in our words", "A purpose is served only if a paper names it"}, // what is folded
		"/console/incidents/shared-folder":         {"What is due when", "45 CFR 164.404(b)", "A penalty action can begin until then"},
		"/console/offboardings/goodbye-clearwater": {"What became of every form", "Embeddings", "Who tried"},
		"/console/keys/denials-pilot/statement":    {"Under the keys", "Not under the keys"},
		"/console":                                 {"What needs you"},
	} {
		b.Width(760)
		b.show(shown{who: "grace", path: path})
		b.Medium("print", "prefers-color-scheme", "dark")
		text := b.Text()
		for _, want := range append(says, "Mercy Valley Health · ", "As Grace Example was shown it, ", " UTC · "+path) {
			if !strings.Contains(text, want) {
				t.Errorf("%s on paper does not say %q", path, want)
			}
		}
		if got := b.Value(`[...document.querySelectorAll("nav, .tools, button, .button, .filters, main details > summary + :not(form)")]
			.filter(e => e.checkVisibility() === (e.matches("nav, .tools, button, .button, .filters") || e.parentElement.matches(".same"))).map(e => e.outerHTML.slice(0, 120)).join("\n")`); got != "" {
			t.Errorf("%s: on paper stands what should not, or what is folded is missing:\n%s", path, got)
		}
		if got, want := b.Value(`(s => s.color + " on " + s.backgroundColor)(getComputedStyle(document.body))`), "rgb(0, 0, 0) on rgb(255, 255, 255)"; got != want {
			t.Errorf("%s is printed %s, want %s", path, got, want)
		}
		if over, what := b.Overflow(); over > 0 {
			t.Errorf("%s: on paper it is %d pixels too wide: %s", path, over, what)
		}
		b.Medium("")
	}
	if pdf := b.PDF(); !bytes.HasPrefix(pdf, []byte("%PDF-")) {
		t.Errorf("printing gives %d bytes, no PDF", len(pdf))
	}
}

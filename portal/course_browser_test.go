package portal_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/course"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity/signin"
	"github.com/sallyport/sallyport/internal/browser"
	"github.com/sallyport/sallyport/registry"
)

// sign is a new session of the person in the browser.
func (w *world) sign(b *browser.Browser, person id.Person) {
	w.t.Helper()
	u, err := url.Parse(w.server.URL)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, k := range w.client().as(person).Jar.Cookies(u) {
		if k.Name == signin.CookieName {
			b.SetCookie(w.server.URL, k.Name, k.Value)
			return
		}
	}
	w.t.Fatalf("%s has no session", person)
}

// The course in real Chromium: failed, on again after signing out, passed, and the
// certificate in hand; at the width of a phone nothing is cut off, and each field has
// its name.
func TestTheCourseInABrowser(t *testing.T) {
	t.Parallel()
	w := start(t)
	b := browser.Start(t, w.server.URL)
	open := func(path string) { t.Helper(); b.Open(w.server.URL + path) }
	pick := func(i int, right bool) {
		t.Helper()
		_, asked := w.attempt("lin")
		q := asked[i]
		letter := q.ShownAs(q.Correct)
		if !right {
			letter = map[bool]string{true: "b", false: "a"}[letter == "a"]
		}
		open(fmt.Sprintf("/portal/course/test/%d", i+1))
		b.Tick("#option-" + letter)
		b.Press("form .main")
	}
	byActs := func(from int) {
		t.Helper()
		a, asked := w.attempt("lin")
		for _, q := range asked[from:] {
			w.must("lin", registry.AnswerAttempt{ID: a.ID, Question: q.ID, Option: q.ShownAs(q.Correct)})
		}
	}
	handIn := func() {
		t.Helper()
		open("/portal/course/handin")
		for n := range course.Rules {
			b.Tick(fmt.Sprintf("#rule-%d", n+1))
		}
		b.Type("#signature", "Lin Example")
		b.Press("form[action='/portal/course/handin'] .main")
	}
	begin := func() {
		t.Helper()
		open("/portal/course")
		b.Tick("input[value=SUP]")
		b.Press("form[action='/portal/course/start'] .main")
		b.Wants("Your course, track SUP")
		w.readAll("lin")
	}

	w.sign(b, "lin")
	begin()
	b.Picture("course", 900, false)
	_, asked := w.attempt("lin")
	critical := 0
	for !asked[critical].Critical {
		critical++
	}
	byActs(0)
	pick(critical, false)
	handIn()
	b.Wants("Not passed this time", "95 percent right", "critical")
	b.Picture("course-result", 900, true)

	begin()
	pick(0, true)
	b.Wants("Question 2 of 20")
	pick(1, true)
	b.Press("form[action='/signout'] button")
	w.sign(b, "lin")
	open("/portal/course/test")
	b.Wants("Question 3 of 20")
	// A phone of 320 pixels, in the dark: nothing wider than the screen, no field
	// without a name, no picture without a text.
	for _, path := range []string{"/portal/course", "/portal/course/test/3", "/portal/course/handin", "/portal/course/lesson/" + course.Current().LessonsFor("SUP", []string{"M1"})[0].ID,
		"/portal/course/exercise/" + course.Current().ExercisesFor("SUP", "M2")[0].ID} {
		open(path)
		b.Narrow(320, true)
		if got := b.Value(`String(document.documentElement.scrollWidth <= innerWidth)`); got != "true" {
			t.Errorf("%s is wider than a phone: %s", path, b.Value(`[...document.querySelectorAll("main *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.tagName + "." + e.className).join(" ")`))
		}
		if got := b.Value(`[...document.querySelectorAll("input:not([type=hidden])")].filter(e => !e.labels.length).map(e => e.name).join(" ")`); got != "" {
			t.Errorf("%s: fields without a name: %s", path, got)
		}
		if got := b.Value(`[...document.querySelectorAll("fieldset")].filter(e => !e.querySelector("legend")).length + " " + document.querySelectorAll("h1").length`); got != "0 1" {
			t.Errorf("%s: fieldsets without a legend, headings: %s", path, got)
		}
		b.Picture("course-320"+strings.ReplaceAll(path, "/", "-"), 320, true)
		b.Narrow(1000, false)
	}
	byActs(2)
	handIn()
	b.Wants("You have passed", "100 percent right")
	if got := b.Value(`fetch(document.querySelector("a[href*=certificate]").href).then(r => r.text()).then(t => t.slice(0, 5))`); got != "%PDF-" {
		t.Errorf("the certificate begins with %q", got)
	}
}

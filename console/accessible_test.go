package console_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/console"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity/signin"
	"github.com/sallyport/sallyport/internal/browser"
	"github.com/sallyport/sallyport/living"
)

// screensIn is one page of each screen as it stands in the living organisation, as the
// first visitor who found it was shown it: all that the console has, and those of the
// doors beside it.
func screensIn(t *testing.T) []shown {
	t.Helper()
	seen := map[string]bool{}
	var out []shown
	for _, p := range walkAll(t).pages {
		if kind := kindOfPage(p); !seen[kind] {
			seen[kind] = true
			out = append(out, p)
		}
	}
	slices.SortStableFunc(out, func(a, b shown) int { return strings.Compare(string(a.who), string(b.who)) })
	return out
}

// kindOfPage is the screen's pattern, but that the first page differs by who comes, and
// that the doors beside the console are told apart by their paths.
func kindOfPage(p shown) string {
	path, _, _ := strings.Cut(p.path, "?")
	switch {
	case p.pattern == "GET /console":
		return p.pattern + " " + string(p.who)
	case strings.HasPrefix(p.pattern, "GET /portal"):
		parts := strings.Split(path, "/")
		return "portal " + strings.Join(parts[:min(len(parts), 3)], "/") + strings.Repeat("/{}", max(len(parts)-3, 0))
	}
	return p.pattern
}

// visiting is one browser for many visitors, one after the other.
type visiting struct {
	*browser.Browser
	t   *testing.T
	o   *living.Organisation
	who id.Person
}

func visit(t *testing.T) *visiting {
	t.Helper()
	o := livingWorld(t)
	return &visiting{Browser: browser.Start(t, o.Pages), t: t, o: o}
}

// show opens a page as somebody.
func (b *visiting) show(p shown) {
	b.t.Helper()
	if b.who != p.who {
		secret, err := b.o.SignIn(b.t.Context(), p.who)
		if err != nil {
			b.t.Fatal(err)
		}
		b.SetCookie(b.o.Pages, signin.CookieName, secret)
		b.who = p.who
	}
	b.Open(b.o.Pages + p.path)
}

// axe-core finds nothing on any screen, in the light and in the dark; at 320 pixels,
// which is what a window of 1280 has at 400 %, no page scrolls sideways; and no other
// host is asked for anything.
func TestAccessible(t *testing.T) {
	pages := screensIn(t)
	b := visit(t)
	b.WithAxe()
	traffic := b.Watch()
	for _, p := range pages {
		b.Width(1280)
		b.Theme("light")
		b.show(p)
		for _, v := range b.Axe() {
			t.Errorf("%s as %s: %s", p.path, p.who, v)
		}
		b.Theme("dark")
		for _, v := range b.Axe() {
			t.Errorf("%s as %s, in the dark: %s", p.path, p.who, v)
		}
		b.Zoom(400)
		if over, what := b.Overflow(); over > 0 {
			t.Errorf("%s as %s: at 320 pixels it is %d too wide: %s", p.path, p.who, over, what)
		}
	}
	if got, want := strings.Join(traffic.Hosts(), " "), browser.HostOf(b.o.Pages); got != want {
		t.Errorf("the pages asked %q, want %q alone", got, want)
	}
	b.Errors()
	t.Logf("%d screens; over the wire came %v bytes in all", len(pages), traffic.Weight())
	if want := 40; len(pages) < want {
		t.Errorf("%d screens of %d patterns, want %d or more", len(pages), len(console.Screens()), want)
	}
}

// By the Tab key alone everything can be reached, and one sees where one is.
func TestKeyboardReaches(t *testing.T) {
	b := visit(t)
	b.Width(1280)
	for _, path := range []string{"/console", "/console/vendors", "/console/vendors/" + string(living.Northwind), "/console/decisions"} {
		b.show(shown{who: living.Grace, path: path})
		stops := b.Walk(60)
		if len(stops) < 12 || !strings.Contains(stops[0].HTML, `class="skip"`) {
			t.Errorf("%s: %d stops, the first %+v", path, len(stops), stops)
			continue
		}
		for _, s := range stops {
			if !s.Visible {
				t.Errorf("%s: one does not see that %q has the focus: %s", path, s.Name, s.HTML)
			}
			if s.Height < 24 && (s.Tag == "button" || s.Tag == "input" || s.Tag == "select") {
				t.Errorf("%s: %q is %.0f pixels high: %s", path, s.Name, s.Height, s.HTML)
			}
		}
	}
}

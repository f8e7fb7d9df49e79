package console_test

import (
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/console"
	"github.com/sallyport/sallyport/identity/signin"
	"github.com/sallyport/sallyport/registry/registrytest"
)

var pageLink = regexp.MustCompile(`(?:href|action|src)="(/[^"#]*)`)

// maxOfOne is how many pages of one pattern are opened: a list of a thousand records has
// a thousand of the same.
const maxOfOne = 4

// noPatient opens every page that can be reached, as the organisation, as each vendor:
// nothing of the hospital's patients, of whom data was released and about whom was asked,
// stands anywhere.
func (x *rivals) noPatient(t *testing.T) {
	days := map[string]bool{}
	for _, c := range x.patients.Canaries() {
		if isDay.MatchString(c.Value) && c.Value < "2025" { // later days are those of this test, too
			days[c.Value] = true
		}
	}
	if len(days) < 10 {
		t.Fatalf("the hospital has only %d days to look for", len(days))
	}
	base, _ := url.Parse(x.b.Pages)
	grace := x.as(registrytest.Grace)
	for _, who := range []struct {
		name string
		hc   *http.Client
		ours bool
		want int
	}{{"Grace", grace.Client, true, 60}, {"Lin", x.lin.Client, false, 15}, {"Mia", x.mia.Client, false, 15}} {
		todo := []string{"/console", "/portal", "/account", "/console/my"}
		for _, s := range console.Screens() {
			method, path, _ := strings.Cut(s.Pattern, " ")
			if method != http.MethodGet || who.ours && !s.Ours || !who.ours && !s.Theirs {
				continue
			}
			if !strings.Contains(path, "{") {
				todo = append(todo, path, path+"?format=csv")
				continue
			}
			for plural, list := range x.foreign {
				if strings.Contains(path, "/"+plural+"/{") {
					for _, key := range list[:min(len(list), maxOfOne)] {
						todo = append(todo, rivalHole.ReplaceAllString(path, url.PathEscape(key)))
					}
				}
			}
		}
		done, kinds, shown := map[string]bool{}, map[string]int{}, 0
		for len(todo) > 0 {
			path := todo[0]
			todo = todo[1:]
			if done[path] || strings.HasPrefix(path, "/signout") || strings.HasPrefix(path, "/console/live") || kinds[kindOf(path)] >= maxOfOne {
				continue
			}
			done[path] = true
			kinds[kindOf(path)]++
			resp, err := who.hc.Get(base.String() + path)
			if err != nil {
				t.Fatalf("%s as %s: %v", path, who.name, err)
			}
			raw, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil {
				t.Fatalf("%s as %s: %v", path, who.name, err)
			}
			if resp.StatusCode == http.StatusOK {
				shown++
			}
			if resp.StatusCode >= http.StatusInternalServerError {
				t.Errorf("%s as %s: %d", path, who.name, resp.StatusCode)
			}
			body := string(raw)
			if i := strings.Index(body, "ZZCANARY"); i >= 0 {
				t.Errorf("%s shows %s a patient: ...%q...", path, who.name, body[max(0, i-80):min(len(body), i+80)])
			}
			if who.name == "Mia" && !slices.ContainsFunc(x.secret, func(s string) bool { return strings.Contains(path, s) }) {
				for _, leak := range x.leaks(rivalSeen{resp.StatusCode, resp.Header, body}, "no-such-word") {
					t.Errorf("%s shows Mia what is the first vendor's: %s", path, leak)
				}
			}
			for _, d := range isDay.FindAllString(body, -1) {
				if days[d] {
					t.Errorf("%s shows %s the day %s of a patient", path, who.name, d)
				}
			}
			if !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
				continue
			}
			for _, m := range pageLink.FindAllStringSubmatch(body, -1) {
				to := html.UnescapeString(m[1])
				if len(kinds) < 400 && !done[to] && !slices.Contains(todo, to) && !strings.Contains(to, signin.CookieName) {
					todo = append(todo, to)
				}
			}
		}
		t.Logf("%s was shown %d pages", who.name, shown)
		if shown < who.want {
			t.Errorf("%s was shown only %d pages", who.name, shown)
		}
	}
}

var isDay = regexp.MustCompile(`\b(19|20)\d\d-\d\d-\d\d\b`)

// kindOf is a page without what names one record, and without its query.
func kindOf(path string) string {
	path, query, _ := strings.Cut(path, "?")
	parts := strings.Split(path, "/")
	for i := range parts {
		if i > 2 {
			parts[i] = "x"
		}
	}
	if query != "" {
		parts = append(parts, "?")
	}
	return strings.Join(parts, "/")
}

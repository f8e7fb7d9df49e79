package console_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/console"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity/signin"
	"github.com/sallyport/sallyport/living"
)

var fileName = regexp.MustCompile(`^attachment; filename="[A-Za-z0-9._-]+"$`)

// unguarded is what an answer's head lacks of what every answer at the doors for people
// has, and at the API: of a page, a file, a stream, a refusal and a redirect alike.
func unguarded(path string, h http.Header) (lacks []string) {
	for name, want := range map[string][]string{
		"X-Content-Type-Options": {"nosniff"}, "Cross-Origin-Opener-Policy": {"same-origin"}, "Cross-Origin-Resource-Policy": {"same-origin"},
		"Referrer-Policy": {"same-origin", "no-referrer"}, "Cache-Control": {"no-store"},
	} {
		if strings.HasPrefix(path, "/console/assets/") && name == "Cache-Control" {
			want = append(want, "private, max-age=31536000, immutable") // the same for everybody
		}
		if !slices.Contains(want, h.Get(name)) {
			lacks = append(lacks, fmt.Sprintf("%s is %q", name, h.Get(name)))
		}
	}
	csp := h.Get("Content-Security-Policy")
	for _, part := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action "} {
		if !strings.Contains(csp, part) {
			lacks = append(lacks, "the content policy has no "+part)
		}
	}
	if strings.Contains(csp, "unsafe") || strings.Contains(csp, "*") {
		lacks = append(lacks, "the content policy is "+csp)
	}
	kind, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	shown := []string{"", "text/html", "text/css", "text/javascript", "text/event-stream", "application/json", "application/problem+json", "application/openapi+json", "text/plain"}
	if said := h.Get("Content-Disposition"); said != "" && !fileName.MatchString(said) || said == "" && !slices.Contains(shown, kind) && path != "/assets/icon.svg" {
		lacks = append(lacks, fmt.Sprintf("%s comes as %q", kind, said))
	}
	return lacks
}

// Every route, of every door that people's browsers reach and of the API, by every
// method, to a stranger, to an officer and to a vendor's person; with ids that are and
// that are not.
func TestEveryAnswerIsGuarded(t *testing.T) {
	o := livingWorld(t)
	routes := map[string]bool{"GET /authorize": true, "POST /authorize": true, "GET /v1/nothing": true, "GET /v1/vendors?format=csv": true, "GET /v1/vendors.csv": true, "GET /v1/custody/holds": true, "POST /v1/custody/holds": true,
		"GET /v1/disclosures/export?format=csv": true, "GET /v1/trainings.csv": true, "GET /openapi.json": true, "GET /v1/whoami": true, "GET /console/flow?format=csv": true, "GET /console/decisions?format=csv": true,
		"GET /console//vendors": true, "GET /%2e%2e/console": true, "GET /backchannel/x": true, "POST /backchannel/x": true, "GET /cli/step-up": true, "POST /cli/step-up/begin": true, "POST /cli/session": true, "DELETE /account": true, "POST /console/live": true,
		"GET /portal/incidents/northwind": true, "GET /portal/in": true, "GET /portal/agreements/x/document": true, "GET /portal/course": true, "GET /portal/course/calendar.ics": true, "GET /portal/nothing": true}
	for _, s := range console.Screens() {
		routes[s.Pattern] = true
	}
	for _, pattern := range outside {
		routes[pattern] = true
	}
	hc := o.Client()
	hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	secrets := map[string]string{"nobody": ""}
	for _, who := range []id.Person{living.Grace, living.Lin} {
		secret, err := o.SignIn(t.Context(), who)
		if err != nil {
			t.Fatal(err)
		}
		secrets[string(who)] = secret
	}
	kinds := map[string]int{}
	for pattern := range routes {
		method, path, _ := strings.Cut(pattern, " ")
		path = strings.NewReplacer("{vendor}", "northwind", "{id}", "northwind", "{kind}", "hold.place", "{file}", "console.css", "{$}", "").Replace(path)
		path = regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(path, "x")
		base := o.Pages
		if strings.HasPrefix(path, "/v1/") || strings.HasPrefix(path, "/openapi") {
			base = o.API
		}
		for name, secret := range secrets {
			if method == http.MethodPost && (path == "/signout" || strings.HasPrefix(path, "/sessions/")) && secret != "" {
				continue // the others need the session
			}
			req, err := http.NewRequestWithContext(t.Context(), method, base+path, strings.NewReader(url.Values{"next": {"//elsewhere.example"}}.Encode()))
			if err != nil {
				t.Fatal(err)
			}
			if method == http.MethodPost {
				req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			}
			if base == o.API && secret != "" {
				req.Header.Set("Authorization", "Bearer "+secret)
			} else if secret != "" {
				req.AddCookie(&http.Cookie{Name: signin.CookieName, Value: secret})
			}
			resp, err := hc.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			if resp.Header.Get("Content-Type") != "text/event-stream" { // which does not end
				_, _ = io.Copy(io.Discard, resp.Body) // its head is what counts
			}
			resp.Body.Close()
			kind, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
			kinds[kind]++
			kinds[resp.Status[:1]+"xx"]++
			for _, fault := range unguarded(path, resp.Header) {
				t.Errorf("%s %s as %s (%d): %s", method, path, name, resp.StatusCode, fault)
			}
		}
	}
	for _, kind := range []string{"2xx", "3xx", "4xx", "text/html", "text/csv", "text/css", "text/event-stream", "application/problem+json"} {
		if kinds[kind] == 0 {
			t.Errorf("no answer was %s: got %v", kind, kinds)
		}
	}
}

package people_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// A browser that holds a personal certificate shows it to the API whoever's page
// sends the request. A page of another site must not act as the person by that.
func TestOtherSitesCannotActByACertificate(t *testing.T) {
	w := start(t)
	ada, _ := w.withGrace()
	w.must(ada, "/v1/vendors", fields{"id": "v2", "name": "Two, Inc."})
	hold := fields{"on": fields{"noun": "vendor", "id": "v2"}, "cause": "incident"}
	for name, header := range map[string][]string{
		"a browser of today":   {"Sec-Fetch-Site", "cross-site", "Content-Type", "text/plain"},
		"a page beside":        {"Sec-Fetch-Site", "same-site", "Origin", w.base},
		"a browser of old":     {"Origin", "https://evil.example"},
		"a page of no origin":  {"Origin", "null"},
		"this host, in clear":  {"Origin", strings.Replace(w.api, "https:", "http:", 1)},
		"the pages for people": {"Origin", w.base},
	} {
		if status, _ := w.try(ada, "/v1/holds", hold, header...); status != http.StatusForbidden {
			t.Errorf("an act, %s: got %d", name, status)
		}
		req, err := http.NewRequest(http.MethodPost, w.api+"/v1/custody/reveal", strings.NewReader(`{"engagement":"e","codes":["x"],"reason":"r"}`))
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		resp, err := ada.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusForbidden {
			t.Errorf("custody, %s: got %d", name, resp.StatusCode)
		}
	}
	if n := len(holdsOf(w)); n != 0 {
		t.Errorf("%d holds were placed", n)
	}
	w.must(ada, "/v1/holds", hold) // a command line says nothing of sites
	// What is asked of the server as a whole has the door before it, too.
	for _, base := range []string{w.base, w.api} {
		u, err := url.Parse(base)
		if err != nil {
			t.Fatal(err)
		}
		u.Opaque = "*"
		resp, err := w.client(nil).Do(&http.Request{Method: http.MethodOptions, URL: u, Header: http.Header{}})
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode < http.StatusBadRequest || resp.Header.Get("Content-Security-Policy") == "" {
			t.Errorf("OPTIONS * of %s: got %d %v", base, resp.StatusCode, resp.Header)
		}
	}
}

func holdsOf(w *world) (out []string) {
	for k := range w.server.View().Holds.All() {
		out = append(out, string(k))
	}
	return out
}

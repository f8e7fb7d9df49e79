package problem

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func TestWrite(t *testing.T) {
	for name, c := range map[string]struct {
		p      *Problem
		status int
		body   string
		head   http.Header
	}{
		"a field": {BadField("limit", "is below 1", "Send 1 or more"), 400,
			`{"type":"urn:sallyport:problem:invalid","status":400,"title":"is below 1","field":"limit","next_step":"Send 1 or more"}`, nil},
		"a wait": {New(TooMany, "too often", "Wait").After(1500 * time.Millisecond), 429,
			`{"type":"urn:sallyport:problem:too-many","status":429,"title":"too often","next_step":"Wait"}`, http.Header{"Retry-After": {"2"}}},
		"methods": {Methods("GET", "POST"), 405,
			`{"type":"urn:sallyport:problem:wrong-method","status":405,"title":"This address takes GET, POST only","next_step":"Send the request in that way"}`, http.Header{"Allow": {"GET, POST"}}},
		"no kind": {&Problem{Title: "what"}, 500, `{"type":"urn:sallyport:problem:internal","status":500,"title":"what"}`, nil},
	} {
		w := httptest.NewRecorder()
		c.p.Write(w)
		if w.Code != c.status || w.Body.String() != c.body+"\n" || w.Header().Get("Content-Type") != MediaType || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: got %d %v %s, want %d %s", name, w.Code, w.Header(), w.Body, c.status, c.body)
		}
		for k := range c.head {
			if got, want := w.Header().Get(k), c.head.Get(k); got != want {
				t.Errorf("%s: %s: got %q, want %q", name, k, got, want)
			}
		}
	}
}

// What a mux would say in plain text is a problem; where it leads elsewhere, it still does.
func TestRoutes(t *testing.T) {
	mux := http.NewServeMux()
	for _, pattern := range []string{"GET /things/{id}", "POST /things/{id}", "GET /only"} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, r.Pattern+" "+r.PathValue("id")) // to a recorder
		})
	}
	h := Routes(mux, "Look at /only", func(w http.ResponseWriter, _ *http.Request, p *Problem) { p.Write(w) })
	for _, c := range []struct {
		method, path string
		status       int
		allow, says  string
	}{
		{"GET", "/things/7", 200, "", "GET /things/{id} 7"},
		{"HEAD", "/only", 200, "", "GET /only "},
		{"DELETE", "/things/7", 405, "GET, HEAD, POST", "This address takes GET, HEAD, POST only"},
		{"POST", "/only", 405, "GET, HEAD", "This address takes GET, HEAD only"},
		{"GET", "/nothing", 404, "", "There is nothing at this address"},
		{"GET", "/things/7/more", 404, "", "There is nothing at this address"},
		{"GET", "/x/../only", 307, "", ""},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(c.method, c.path, nil))
		says := w.Body.String()
		if w.Code >= 400 {
			var p Problem
			if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.NextStep == "" || w.Header().Get("Content-Type") != MediaType {
				t.Errorf("%s %s: no problem: %v, %s", c.method, c.path, err, w.Body)
			}
			says = p.Title
		}
		if w.Code != c.status || w.Header().Get("Allow") != c.allow || c.says != "" && says != c.says {
			t.Errorf("%s %s: got %d, Allow %q, %q; want %d, %q, %q", c.method, c.path, w.Code, w.Header().Get("Allow"), says, c.status, c.allow, c.says)
		}
	}
}

func TestForPrograms(t *testing.T) {
	for accept, want := range map[string]bool{"": false, "*/*": false, "text/html,application/xhtml+xml,*/*;q=0.8": false, "text/html, application/json": false,
		"application/json": true, "Application/Problem+JSON": true, "application/pdf": false} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Accept", accept)
		if got := ForPrograms(r); got != want {
			t.Errorf("%q: got %v, want %v", accept, got, want)
		}
	}
}

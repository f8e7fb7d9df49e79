package portal_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/identity/signin"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// reportLink issues a link by which northwind may report an incident.
func (w *world) reportLink() (code string) {
	w.t.Helper()
	code = signin.NewCode()
	code256, _ := signin.CodeDigest(code)
	w.must("grace", registry.IssueLink{ID: "l1", Vendor: "northwind", For: snapshot.LinkIncident, About: snapshot.Subject{Noun: snapshot.NounVendor, ID: "northwind"},
		Contact: "security@northwind.example", Secret256: code256, ExpiresAt: w.now().Add(24 * time.Hour)})
	return code
}

// From a code to a page, and out again: without an account, without script.
func TestALinkIsOpened(t *testing.T) {
	t.Parallel()
	w := start(t)
	code := w.reportLink()
	c := w.client()
	c.get("/portal").wants(http.StatusOK, "Open your link", "sign in")
	c.post("/portal/in", url.Values{"code": {"00000-00000-00000-00000-00000"}}).wants(http.StatusForbidden, "not known, was revoked, or is over")
	c.post("/portal/in", url.Values{"code": {strings.ToLower(strings.ReplaceAll(code, "-", " "))}})
	c.get("/portal").wants(http.StatusOK, "What waits for you", "security@northwind.example", "Northwind AI")
	u, _ := url.Parse(w.server.URL)
	for _, k := range c.Jar.Cookies(u) {
		if k.Name == "__Host-sallyport-link" && strings.ReplaceAll(code, "-", "") != strings.ToUpper(k.Value) {
			t.Errorf("got %s", k.Value)
		}
	}
	c.post("/portal/out", nil)
	if c.get("/portal"); c.at != "/portal/in" {
		t.Errorf("the link is not forgotten: at %s", c.at)
	}
	for _, x := range []string{code, strings.ReplaceAll(code, "-", "")} {
		if strings.Contains(w.log.String(), x) {
			t.Error("the code is in the log")
		}
	}

	// Revoked, expired: closed at the next click.
	c.holding(code)
	w.must("grace", registry.RevokeLink{ID: "l1"})
	if c.get("/portal"); c.at != "/portal/in" {
		t.Errorf("a revoked link opens %s", c.at)
	}
}

func TestALinksTimeEnds(t *testing.T) {
	t.Parallel()
	w := start(t)
	c := w.client().holding(w.reportLink())
	c.get("/portal").wants(http.StatusOK, "What waits for you")
	w.forward(24 * time.Hour)
	if c.get("/portal"); c.at != "/portal/in" {
		t.Errorf("an expired link opens %s", c.at)
	}
}

// What the door sets holds for the pages behind it, and another site cannot post.
func TestTheDoorStandsBeforeThePages(t *testing.T) {
	t.Parallel()
	w := start(t)
	resp, err := w.server.Client().Get(w.server.URL + "/portal/in")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	for name, want := range map[string]string{"X-Frame-Options": "DENY", "Cache-Control": "no-store", "Referrer-Policy": "same-origin", "X-Content-Type-Options": "nosniff"} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s: got %q", name, got)
		}
	}
	if csp := resp.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
		t.Errorf("got %q", csp)
	}
	req, err := http.NewRequest(http.MethodPost, w.server.URL+"/portal/out", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Origin", "https://evil.example")
	if resp, err = w.server.Client().Do(req); err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("from another site: got %d", resp.StatusCode)
	}
	c := w.client()
	c.post("/portal/in", url.Values{"code": {strings.Repeat("x", 200<<10)}})
	if c.status != http.StatusForbidden {
		t.Errorf("a form that is too long: got %d", c.status)
	}
	c.get("/portal/nothing").wants(http.StatusNotFound, "There is no such page")
}

// Each act is in the log for good: a person fills it no faster than a person can.
func TestAPersonActsAtARate(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.stand()
	c := w.client().as("lin")
	c.post("/portal/course/start", url.Values{"track": {"MLE"}})
	for range 300 {
		if c.post("/portal/course/exercise/none", nil); c.status == http.StatusTooManyRequests {
			break
		}
	}
	c.wants(http.StatusTooManyRequests, "too many requests")
	w.forward(time.Minute)
	c.post("/portal/course/exercise/none", nil).wants(http.StatusNotFound, "no such exercise")
}

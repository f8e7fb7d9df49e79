package console_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/console"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
)

// What somebody who sends a link to an officer can make of it, and what a thief of a
// session can make of the quiet of pages that ask for themselves.
func TestAttacks(t *testing.T) {
	t.Parallel()
	w, lin := signedIn(t)
	grace := w.as(registrytest.Grace)

	t.Run("an act leads nowhere else", func(t *testing.T) {
		for _, next := range []string{"/%2Felsewhere.example/x", "/%5Celsewhere.example/x", "/console/..%2F..%2F%2Felsewhere.example", "/%2F%2Felsewhere.example"} {
			stay := *grace
			browser := *grace.Client
			browser.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			stay.Client = &browser
			stay.post("/console/do/hold.place", url.Values{"on.noun": {"app"}, "on.id": {"triage"}, "cause": {"owner"}, "reason": {"a test"}, "step": {"do"}, "next": {next}})
			to := stay.header.Get("Location")
			u, err := url.Parse(to)
			if stay.status != http.StatusSeeOther || err != nil || u.Host != "" || strings.HasPrefix(to, "//") || strings.Contains(to, `\`) {
				t.Errorf("next=%s leads to %q (%d)", next, to, stay.status)
			}
			if got := console.Local(next, "/console"); strings.Contains(next, "console") == (got == "/console") {
				t.Errorf("local(%q) is %q", next, got)
			}
		}
	})

	t.Run("no link brings the digest of a secret that its author knows", func(t *testing.T) {
		known := strings.Repeat("ab", 32)
		for kind, field := range map[string]string{"person.invite": "code_sha256", "device.invite": "code_sha256", "link.issue": "secret_sha256", "questionnaire.send": "secret_sha256"} {
			for _, more := range []string{"", "&change=" + field} {
				grace.get("/console/do/" + kind + "?" + field + "=" + known + more).wants(http.StatusOK)
				if strings.Contains(grace.body, `value="`+known) {
					t.Errorf("%s is filled in from the address", kind)
				}
			}
		}
		// Nor on the way back to a form that was kept.
		lin.post("/console/do/device.invite", url.Values{"id": {"laptop"}, "step": {"back"}}).wants(http.StatusOK)
		key := grace.kept("/console/do/agreement.draft", "document_sha256")
		grace.get("/console/do/agreement.draft?draft="+key+"&document_sha256="+known).wants(http.StatusOK, known)
	})

	t.Run("a reason is in no address", func(t *testing.T) {
		grace.post("/console/do/agreement.draft", url.Values{"vendor": {"northwind"}, "reason": {"asked for by M. Example"}, "step": {"store:document_sha256"}}).wants(http.StatusOK, `value="asked for by M. Example"`)
		if q := grace.query; strings.Contains(q, "Example") {
			t.Errorf("the reason is in the address: %s", q)
		}
	})

	t.Run("a name does not turn around what stands beside it", func(t *testing.T) {
		form := url.Values{"id": {"turned"}, "name": {"Kind \u202eAI"}, "reason": {"a test"}}
		grace.post("/console/do/vendor.propose", form).wants(http.StatusUnprocessableEntity, "turns the text around")
	})

	t.Run("quiet requests do nothing", func(t *testing.T) {
		w.b.Advance(10 * time.Minute)
		seen := func() string {
			return grace.get("/console/sessions?format=csv&q=lin").wants(http.StatusOK, ",\"Northwind").body
		}
		before := seen()
		r, err := http.NewRequest(http.MethodPost, w.b.Pages+"/console/theme", strings.NewReader("theme=dark"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sallyport-Quiet", "1")
		quiet := *lin.Client
		quiet.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		resp, err := quiet.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if seen() == before {
			t.Error("somebody posts a form by a session, and it is not seen")
		}
	})

	t.Run("a form is as long as a form is", func(t *testing.T) {
		var lines strings.Builder
		for i := range 120_000 {
			lines.WriteString(strconv.FormatInt(int64(i), 36) + "\n")
		}
		keys := url.Values{"reason": {"x"}}
		for i := range 9000 {
			keys.Set(fmt.Sprintf("resources.T%d.elements", i), "a")
		}
		for name, form := range map[string]url.Values{"lines": {"devices": {lines.String()}, "reason": {"x"}}, "keys": keys} {
			lin.post("/console/do/request.make", form).wants(http.StatusUnprocessableEntity, "too many")
			if len(lin.body) > 2<<20 {
				t.Errorf("%s: the answer has %d bytes", name, len(lin.body))
			}
		}
		lin.post("/console/do/request.make", url.Values{"why": {strings.Repeat("x", 2<<20)}, "reason": {"x"}}).wants(http.StatusRequestEntityTooLarge)
	})

	t.Run("a vendor's person takes no more memory than one person does", func(t *testing.T) {
		const size = 7 << 20
		send := func(body io.Reader) (status int) {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.b.Pages+"/console/do/incident.report", body)
			if err != nil {
				t.Error(err)
				return 0
			}
			r.ContentLength = size
			r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
			resp, err := lin.Do(r)
			if err != nil {
				return 0 // it was cut off
			}
			resp.Body.Close()
			return resp.StatusCode
		}
		var all sync.WaitGroup
		var begun []*io.PipeWriter
		for range 3 { // is as much as one may send at once
			in, out := io.Pipe()
			begun = append(begun, out)
			all.Go(func() { send(in) })
		}
		until := time.Now().Add(time.Minute)
		for got := 0; got != http.StatusTooManyRequests; got = send(strings.NewReader(strings.Repeat("x", size))) {
			if time.Now().After(until) {
				t.Fatalf("three forms are on their way, and a fourth is answered %d", got)
			}
		}
		for _, out := range begun {
			out.CloseWithError(io.ErrUnexpectedEOF)
		}
		all.Wait()
		for got := http.StatusTooManyRequests; got == http.StatusTooManyRequests; got = send(strings.NewReader(strings.Repeat("x", size))) {
			if time.Now().After(until) {
				t.Fatal("those before have ended, and nobody is let in")
			}
		}
		lin.post("/console/do/incident.report", url.Values{"title": {strings.Repeat("x", registry.MaxDocument+1<<20)}}).wants(http.StatusRequestEntityTooLarge)
	})

	t.Run("a vendor's live page hears nothing of what others do", func(t *testing.T) {
		other := w.visit("lin")
		resp, err := other.Get(w.b.Pages + "/console/live")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		w.b.Act(registrytest.Grace, registry.OpenIncident{Title: "A laptop was left on a train"})
		w.b.Get("/Patient?_count=1")
		other.post("/signout", nil)
		said, err := io.ReadAll(resp.Body) // which ends with the session
		if err != nil || !strings.Contains(string(said), "event: over") || regexp.MustCompile(`event: (log|work)|data: \d`).Match(said) {
			t.Errorf("it heard %q: %v", said, err)
		}
	})

	t.Run("a session holds few streams", func(t *testing.T) {
		open := 0
		for range 40 {
			resp, err := lin.Get(w.b.Pages + "/console/live")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { resp.Body.Close() })
			if resp.StatusCode == http.StatusOK {
				if line, err := bufio.NewReader(resp.Body).ReadString('\n'); err != nil || !strings.HasPrefix(line, "retry:") {
					t.Fatalf("the stream begins with %q: %v", line, err)
				}
				open++
			}
		}
		if open == 0 || open > 20 {
			t.Errorf("%d of 40 streams are open", open)
		}
		grace.get("/console/health").wants(http.StatusOK)
	})
}

// kept stores a document on the way, and gives the key of the form that was kept.
func (c *client) kept(form, field string) string {
	c.w.t.Helper()
	c.post(form, url.Values{"reason": {"a test"}, "step": {"store:" + field}}).wants(http.StatusOK)
	m := regexp.MustCompile(`name="next" value="[^"]*draft=([A-Z2-7]+)`).FindStringSubmatch(c.body)
	if m == nil {
		c.w.t.Fatalf("nothing was kept:\n%s", c.body)
	}
	return m[1]
}

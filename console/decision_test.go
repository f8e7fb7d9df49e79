package console_test

import (
	"bytes"
	"encoding/csv"
	"html"
	"maps"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit/verify"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/internal/browser"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

// auditor reads, and can do nothing.
const auditor = id.Person("iris")

// asked has the vendor's program ask, so that there is something to look at: permitted,
// refused for what the role does not show, and refused while a hold is on the vendor.
func (w *world) asked() {
	w.t.Helper()
	for _, path := range []string{"/Patient?_count=2", "/Observation?_count=3"} {
		if a := w.b.Get(path); a.Status != http.StatusOK {
			w.t.Fatalf("%s: %s", path, a)
		}
	}
	w.b.Refusal("/AllergyIntolerance?_count=2")
	w.b.Act(registrytest.Ada, registry.PlaceHold{ID: "watch", On: snapshot.Subject{Noun: snapshot.NounVendor, ID: "northwind"}, Cause: snapshot.HoldOwner})
	w.b.Refusal("/Patient?_count=2")
}

// soon asks for a page until it says something.
func (c *client) soon(path, pattern string) *client {
	c.w.t.Helper()
	for until := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if c.get(path); c.status == http.StatusOK && regexp.MustCompile(pattern).MatchString(c.body) {
			return c
		}
		if time.Now().After(until) {
			c.w.t.Fatalf("%s never says %q: %d\n%s", path, pattern, c.status, c.body)
		}
	}
}

// one is what a pattern captures on the page.
func (c *client) one(pattern string) string {
	c.w.t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(c.body)
	if m == nil {
		c.w.t.Fatalf("%s has no %s:\n%s", c.at, pattern, c.body)
	}
	return html.UnescapeString(m[1])
}

// form posts a form as a browser does whose form may hold a file.
func (c *client) form(path string, fields url.Values) *client {
	c.w.t.Helper()
	var body bytes.Buffer
	m := multipart.NewWriter(&body)
	for name := range fields {
		if err := m.WriteField(name, fields.Get(name)); err != nil {
			c.w.t.Fatal(err)
		}
	}
	if err := m.Close(); err != nil {
		c.w.t.Fatal(err)
	}
	return c.read(c.Post(c.w.b.Pages+path, m.FormDataContentType(), &body))
}

// table reads a page that is CSV.
func (c *client) table() [][]string {
	c.w.t.Helper()
	c.wants(http.StatusOK)
	rows, err := csv.NewReader(strings.NewReader(c.body)).ReadAll()
	if err != nil || c.header.Get("Content-Disposition") == "" {
		c.w.t.Fatalf("%s is no file of CSV: %v\n%s", c.at, err, c.body)
	}
	return rows
}

// sum adds up a column. Rows are of days, and midnight may have passed in the test.
func sum(t *testing.T, rows [][]string, column int) (out int) {
	t.Helper()
	for _, row := range rows {
		n, err := strconv.Atoi(row[column])
		if err != nil {
			t.Fatal(err)
		}
		out += n
	}
	return out
}

// lately is a time in which the world of a test has begun, as days.
func (w *world) lately() (since, until string) {
	now := w.b.Clock.Now().UTC()
	return now.AddDate(0, 0, -1).Format(time.DateOnly), now.Format(time.DateOnly)
}

const (
	aDecision = `"(/console/decisions/\w{26})"`
	aRelease  = `"(/console/releases/\w{26})"`
)

// What was decided, what left and the log, as the people see them who must trust them;
// without script.
func TestTheRecord(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.b.Enlist(auditor, registry.Auditor)
	w.asked()
	t.Run("a security engineer", func(t *testing.T) { securityEngineer(w.in(t)) })
	t.Run("an auditor", func(t *testing.T) { auditorsTasks(w.in(t)) })
	t.Run("an auditor does nothing", func(t *testing.T) { auditorReads(w.in(t)) })
	t.Run("in the browser", func(t *testing.T) { recordInBrowser(w.in(t)) })
	t.Run("an auditor in the browser", func(t *testing.T) { auditorInBrowser(w.in(t)) })
}

func securityEngineer(w *world) {
	t, grace := w.t, w.as(registrytest.Grace)
	// The stream, and its filters.
	grace.soon("/console/decisions", `(?s)Refused.*Refused.*Permitted.*Permitted`).wants(http.StatusOK, `data-live="log"`, "Decisions over time", "Search AllergyIntolerance")
	for path, want := range map[string]int{"": 4, "?result=refused": 2, "?gate=hold": 1, "?gate=role&vendor=Northwind+AI,+Inc.": 1, "?vendor=northwind&result=permitted": 2, "?vendor=nobody": 0, "?person=lin&engagement=triage-eval&app=triage&source=ehr": 4,
		"?until=2020-01-01": 0, "?since=2020-01-01": 4, "?since=2020-01-01&gate=hold": 1, "?person=ada": 0} {
		grace.get("/console/decisions" + path).wants(http.StatusOK)
		drawn, list, _ := strings.Cut(grace.body, `id="decision-list"`)
		if got := strings.Count(list, `class="dec-result"`); got != want {
			t.Errorf("%q lists %d decisions, want %d", path, got, want)
		}
		if !strings.Contains(drawn, "Decisions over time") || !strings.Contains(drawn, "Refusals by gate") {
			t.Errorf("%q: what is drawn does not stand above the list", path)
		}
	}
	grace.get("/console/decisions?since=2026-13-01").wants(http.StatusOK, "A day is written as year, month, day")
	grace.get("/console/decisions?app="+url.QueryEscape("<script>")).wants(http.StatusOK, "is no app", "&lt;script&gt;")
	grace.get("/console/decisions?until=2020-01-01").wants(http.StatusOK, "Nothing matches")
	if rows := grace.get("/console/decisions?result=refused&format=csv").table(); len(rows) != 3 || !slices.Contains(rows[1], "hold:held") && !strings.Contains(strings.Join(rows[1], " "), "hold:") {
		t.Errorf("got %q", rows)
	}
	grace.soon("/console/decisions?format=csv&of=gates", `\nhold,`) // what is drawn follows the log
	if rows := grace.get("/console/decisions?format=csv&of=days").table(); len(rows) < 30 || sum(t, rows[1:], 2) != 2 || sum(t, rows[1:], 3) != 2 {
		t.Errorf("days: %q", rows)
	}
	if rows := grace.get("/console/decisions?format=csv&of=gates").table(); len(rows) != 3 {
		t.Errorf("gates: %q", rows)
	}

	// What the page shows, any client can have.
	a, err := w.b.People[registrytest.Grace].Do(http.MethodGet, "/v1/disclosures?newest=true&kind=refused&limit=1", nil)
	if err != nil || a.Status != http.StatusOK || !strings.Contains(a.String(), `"gate":"hold"`) || !strings.Contains(a.String(), `"next":`) {
		t.Errorf("the newest refusal by the API: %v %v", a, err)
	}

	// A refusal's ladder: every gate, what it saw, and what would mend it.
	grace.get("/console/decisions?gate=hold")
	refused := grace.one(aDecision)
	grace.soon(refused, `rung-facts`).wants(http.StatusOK, "Nothing was fetched and nothing left", `id="gate-hold"`, "Nothing that the request stands on is on hold", "Who can mend it: the organisation", "45 CFR 164.308(a)(6)(ii)",
		"Read from <a href=\"/console/vendors/northwind\">Vendor Northwind AI, Inc.</a>", "TLS 1.3", "X25519MLKEM768", "in force now", "/console/do/hold.lift?")
	if got := strings.Count(grace.body, `<li class="`) - strings.Count(grace.body, `<li class="mark`); got != 30 {
		t.Errorf("the ladder has %d rungs, want 30", got)
	}
	// What if: the hold lifted, the papers of then, a time to come, an act that must be told more.
	grace.soon(grace.one(`"(/console/decisions/\w{26}\?[^"]*hold\.lift[^"]*)#whatif"`), "Otherwise than it was decided").wants(http.StatusOK, "Would be permitted", "Different: Hold")
	grace.soon(refused+"?if-judge=then", "As it was decided").wants(http.StatusOK, "Would be refused")
	grace.get(refused+"?if-judge=now&if-act=training.record").wants(http.StatusOK, "Say what the act would be about", `name="completed_at"`)
	grace.get(refused+"?if-judge=now&if-at=yesterday").wants(http.StatusOK, "A time is written as")
	grace.get(refused+"?if-judge=now&if-act=session.kill&id=x").wants(http.StatusOK, "There is no such act to imagine")
	grace.soon("/console/policies?if-judge=now&if-grant=triage-grant&if-ask=read&if-types=Patient", "Would be refused").wants(http.StatusOK, "judge as if it were done")
	grace.soon("/console/policies?if-judge=now&if-grant=triage-grant&if-ask=read&if-types=Patient&if-act=hold.lift&id=watch", "Would be permitted")
	grace.soon("/console/policies?if-judge=now&if-grant=triage-grant&if-ask=read&if-types=Patient&if-act=hold.lift&id=nothing", "role=\"alert\"")
	grace.soon("/console/policies?if-judge=now&if-grant=nobody&if-ask=read&if-types=Patient", "no grant with this id")
	grace.get("/console/policies").wants(http.StatusOK, "Gates: 30", "no law sets it", "Freshness of the registry")
	grace.get("/console/policies/training").wants(http.StatusOK, "forbid (principal", "Take and pass the training", "45 CFR 164.308(a)(5)(i)")
	grace.get("/console/policies/nothing").wants(http.StatusNotFound)
	grace.get("/console/policies/acts?duty=procurement").wants(http.StatusOK, "Ask to take a vendor on", "separation-of-duties")
	if rows := grace.get("/console/policies?format=csv").table(); len(rows) != 31 {
		t.Errorf("the gates as CSV have %d lines", len(rows))
	}

	// The log: how it grows, its entries, and what is not there.
	grace.soon("/console/log", "(?s)Entries by day.*sallyport verify").wants(http.StatusOK, "The newest checkpoint", "box-1", "Stop everything about a subject", "Search Patient, refused by hold")
	grace.get("/console/log?kind=refusal").wants(http.StatusOK, "refused by role")
	if strings.Contains(grace.body, "Make the first person") {
		t.Error("a list of refusals has an act")
	}
	grace.get("/console/log?before=3").wants(http.StatusOK, "Make the first person", "Newest")
	if rows := grace.get("/console/log?format=csv").table(); len(rows) < 30 {
		t.Errorf("growth: %d lines", len(rows))
	}
	grace.get("/console/log/0").wants(http.StatusOK, "organisation.bootstrap", "Every field of it")
	for path, status := range map[string]int{"/console/log/999999": http.StatusNotFound, "/console/log/x": http.StatusNotFound, "/console/log/-1/proof": http.StatusNotFound, "/console/log/999999/proof": http.StatusNotFound,
		"/console/decisions/nothing": http.StatusNotFound, "/console/decisions/01ARZ3NDEKTSV4RRFFQ69G5FAV": http.StatusNotFound, "/console/releases/nothing": http.StatusNotFound, "/console/releases/01ARZ3NDEKTSV4RRFFQ69G5FAV": http.StatusNotFound} {
		if grace.get(path); grace.status != status {
			t.Errorf("%s: got %d, want %d", path, grace.status, status)
		}
	}
}

// The auditor's five tasks.
func auditorsTasks(w *world) {
	t, iris := w.t, w.as(auditor)
	// Find what answers to a rule, and how far the citation was checked.
	iris.get("/console/evidence").wants(http.StatusOK, "Rules: 276", "The program makes nobody compliant")
	iris.soon("/console/evidence?citation="+url.QueryEscape("164.308(a)(6)(ii)"), aDecision).wants(http.StatusOK, "checked against the regulation", "Enforced", `href="/console/policies/hold"`, "Stop everything about a subject")
	refused := iris.one(aDecision)
	iris.get(refused).wants(http.StatusOK, "1 condition stood in the way")
	for text, want := range map[string]string{"BAA-M05": "BAA-M05", "training": "45 CFR 164.308(a)(5)(i)", "45 CFR 164.502(e)(2); 164.308(b)(3)": "45 CFR 164.308(b)(3)", "164.410(b)": "The program runs this clock",
		"164.524(b)(2)": "Nobody here runs this clock", "workforce": "45 CFR 160.103 (workforce)", "164.308(b)(1)(i)": "45 CFR 164.308(b)(1)"} {
		iris.get("/console/evidence?citation="+url.QueryEscape(text)).wants(http.StatusOK, want)
	}
	iris.get("/console/evidence?citation=zzz").wants(http.StatusOK, "Nothing in the catalogue of rules matches")
	iris.get("/console/evidence?vendor=nobody").wants(http.StatusOK, "No vendor is called")

	// Find a vendor's releases in a time.
	since, until := w.lately()
	iris.soon("/console/evidence?vendor=Northwind+AI,+Inc.&since="+since+"&until="+until, `(?s)3 Observation.*2 Patient`)
	story, file, export := iris.one(aRelease), iris.one(`"(/console/evidence/vendors/northwind\?[^"]*)"`), iris.one(`class="csv" href="([^"]*)"`)
	iris.get(strings.Replace(iris.one(`"(/console/evidence\?[^"]*format=csv[^"]*)"`), since, "2020-01-01", 1))
	iris.get("/console/evidence?vendor=northwind&until=2020-01-01").wants(http.StatusOK, "Nothing left")

	// Read a release's whole story.
	iris.soon(story, "rung-facts").wants(http.StatusOK, "The paper", "The person and their training", "The machine and the way", "The decision", "What was taken out and changed", "The seal", "The outcome", "The proof", "northwind-baa", "Lin Example",
		"minimum-necessary", "counted by keyed pseudonyms", "It was not sealed")

	// Download a proof, and check it with nothing but the log's key.
	proof := iris.get(iris.one(`"(/console/log/\d+/proof)"`)).wants(http.StatusOK).body
	proved, err := verify.Proof([]byte(proof), w.b.LogKey())
	if err != nil || !strings.Contains(string(proved.Entry), `"kind":"outcome"`) {
		t.Errorf("the proof: %v, %s", err, proved.Entry)
	}
	iris.get("/console/log/key").wants(http.StatusOK, "box-1+")
	iris.get("/console/log/checkpoint").wants(http.StatusOK, "box-1\n")
	iris.get("/console/log/verify").wants(http.StatusOK, "Check a proof")
	iris.form("/console/log/verify", url.Values{"text": {proof}}).wants(http.StatusOK, "is in the log box-1", "The log has the same entry today", "keyed pseudonym")
	iris.form("/console/log/verify", url.Values{"text": {strings.ReplaceAll(proof, "\n", "\r\n")}}).wants(http.StatusOK, "is in the log box-1")
	broken := strings.Replace(proof, "extra e", "extra f", 1)
	iris.form("/console/log/verify", url.Values{"text": {broken}}).wants(http.StatusOK, "This does not verify")
	iris.form("/console/log/verify", url.Values{"text": {""}}).wants(http.StatusOK, "There is no proof in what was sent")
	iris.form("/console/log/verify", url.Values{"text": {strings.Repeat("x", 3<<20)}})
	if iris.status != http.StatusRequestEntityTooLarge {
		t.Errorf("three million bytes: got %d", iris.status)
	}

	// Take the releases away as CSV, and print a vendor's file.
	rows := iris.get(export).table()
	if len(rows) != 3 || !slices.Contains(rows[0], "sha256") || !slices.Contains(rows[1], "3 Observation") {
		t.Errorf("releases as CSV: %q", rows)
	}
	iris.get(file).wants(http.StatusOK, "The file of Northwind AI, Inc.", "Agreements: 2", "northwind-soc2", "Lin Example", "triage-grant", "Hold on", "3 Observation", "Stop everything about a subject")
	iris.get("/console/evidence/vendors/nobody").wants(http.StatusNotFound)
	iris.get("/console/evidence/vendors/northwind?since=x").wants(http.StatusOK, "role=\"alert\"")
}

// auditorReads follows every link that an auditor finds: no page offers an act, and what
// is posted all the same refuses.
func auditorReads(w *world) {
	t, iris := w.t, w.as(auditor)
	before := w.b.People[registrytest.Grace]
	seen, next := map[string]bool{}, []string{"/console"}
	link, form := regexp.MustCompile(`href="(/console[^"#]*)`), regexp.MustCompile(`(?s)<form[^>]*method="post"[^>]*action="([^"]*)"|action="([^"]*)"[^>]*method="post"`)
	kind := regexp.MustCompile(`[0-9A-Z]{26}|/\d+|\?.*`)
	kinds := map[string]int{}
	for len(next) > 0 && len(seen) < 250 {
		path := next[0]
		next = next[1:]
		if seen[path] {
			continue
		}
		seen[path] = true
		if k := kind.ReplaceAllString(path, "*"); kinds[k] >= 2 { // pages of one kind are made in one way
			continue
		} else {
			kinds[k]++
		}
		iris.get(path)
		if iris.status >= http.StatusInternalServerError {
			t.Errorf("%s: %d", path, iris.status)
		}
		if !strings.HasPrefix(iris.header.Get("Content-Type"), "text/html") {
			continue
		}
		if size := len(iris.body); size > 150_000 {
			t.Errorf("%s weighs %d bytes", path, size)
		}
		if strings.HasPrefix(path, "/console/decisions") || strings.HasPrefix(path, "/console/releases") || strings.HasPrefix(path, "/console/log") || strings.HasPrefix(path, "/console/polic") || strings.HasPrefix(path, "/console/evidence") {
			for _, m := range form.FindAllStringSubmatch(iris.body, -1) {
				if to := m[1] + m[2]; to != "/console/theme" && to != "/signout" && to != "/console/log/verify" {
					t.Errorf("%s has a form to %s", path, to)
				}
			}
		}
		for _, m := range link.FindAllStringSubmatch(iris.body, -1) {
			to := html.UnescapeString(m[1])
			if strings.HasPrefix(to, "/console/do/") {
				t.Errorf("%s offers an auditor %s", path, to)
			}
			next = append(next, to)
		}
	}
	if len(kinds) < 20 {
		t.Errorf("only %d kinds of pages were found: %v", len(kinds), slices.Sorted(maps.Keys(kinds)))
	}
	for _, act := range []string{"hold.place", "hold.lift", "vendor.suspend", "grant.revoke", "agreement.terminate", "person.amend-duties"} {
		iris.post("/console/do/"+act, url.Values{"id": {"watch"}, "reason": {"to see"}, "step": {"do"}})
		if iris.status < 400 {
			t.Errorf("%s was posted by an auditor: %d", act, iris.status)
		}
		a, err := w.b.People[auditor].Do(http.MethodPost, "/v1/holds/watch/lift", map[string]any{"reason": "to see"})
		if err != nil || a.Status < 400 {
			t.Errorf("the API lets an auditor lift a hold: %v %v", a, err)
		}
	}
	if a, err := before.Do(http.MethodGet, "/v1/holds/watch", nil); err != nil || strings.Contains(a.String(), "lifted_by") {
		t.Errorf("the hold was lifted: %s %v", a, err)
	}
}

// recordInBrowser is the same with script: the list of decisions is live, a ladder is one
// click away, an act is imagined, and a proof is checked.
func recordInBrowser(w *world) {
	b := w.browser(registrytest.Grace)
	b.Open(w.b.Pages + "/console/decisions")
	b.Wants("the list keeps itself up to date")
	before := b.Value(`String(document.querySelectorAll(".dec-result").length)`)
	w.b.Refusal("/Condition?_count=1")
	b.Await("Search Condition")
	if after := b.Value(`String(document.querySelectorAll(".dec-result").length)`); after == before {
		w.t.Errorf("the list had %s decisions and has %s", before, after)
	}
	b.Press("#decision-list tbody tr:first-child td a")
	b.Wants("There is a hold on the vendor")
	b.Value(`document.querySelector("#if-act").value = "hold.lift"`)
	b.Press("form.dec-judge button")
	b.Wants("Say what the act would be about")
	b.Value(`document.querySelector("#imagine-act [name=id]").value = "watch"`)
	b.Press("form.dec-judge button")
	b.Await("Would be")
	b.Wants("Would be permitted", "Otherwise than it was decided")
	b.Open(w.b.Pages + "/console/log")
	b.Wants("How anybody checks it")
	b.Errors()
	if os.Getenv("SALLYPORT_PICTURES") == "" {
		return
	}
	grace := w.as(registrytest.Grace)
	grace.soon("/console/decisions?gate=hold", aDecision)
	refused := grace.one(aDecision)
	grace.get("/console/decisions?result=permitted")
	permitted := grace.one(aDecision)
	grace.get(permitted)
	w.pictures(b, map[string]string{"decisions": "/console/decisions", "decision-refused": refused, "decision-permitted": permitted, "decision-whatif": permitted + "?if-judge=now&if-at=2028-01-01T00:00",
		"release": grace.one(aRelease), "log": "/console/log", "log-entry": "/console/log/40", "log-proof": "/console/log/verify",
		"evidence": "/console/evidence", "evidence-control": "/console/evidence?citation=45+CFR+164.308%28b%29%281%29&vendor=northwind", "evidence-vendor": "/console/evidence/vendors/northwind",
		"policies": "/console/policies?if-judge=now&if-grant=triage-grant&if-ask=read&if-types=Patient&if-act=hold.place", "policy-gate": "/console/policies/training", "policy-acts": "/console/policies/acts"})
}

// pictures takes each page in light, in dark and on a phone.
func (w *world) pictures(b *browser.Browser, pages map[string]string) {
	for name, path := range pages {
		b.Open(w.b.Pages + path)
		b.Picture(name, 1280, false)
		b.Picture(name+"-dark", 1280, true)
		b.Picture(name+"-phone", 320, false)
	}
}

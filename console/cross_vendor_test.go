package console_test

import (
	"encoding/json"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/console"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity/signin"
	"github.com/sallyport/sallyport/internal/hospitaltest"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

var (
	rivalRoute = regexp.MustCompile(`"((?:GET|POST) /[^"\s]*)"`)
	rivalHole  = regexp.MustCompile(`\{[^}]*\}`)
)

// routes are the patterns of every page, read from what is in the build: a page that is
// added is tried, too.
func (x *rivals) routes() []string {
	x.t.Helper()
	set := map[string]bool{"GET /authorize": true, "POST /authorize": true, "GET /console/assets/console.js": true, "POST /console/theme": true}
	for _, s := range console.Screens() {
		set[s.Pattern] = true
	}
	for _, dir := range []string{"../portal", "../people"} {
		paths, err := filepath.Glob(dir + "/*.go")
		if err != nil {
			x.t.Fatal(err)
		}
		n := len(set)
		for _, path := range paths {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			text, err := os.ReadFile(path)
			if err != nil {
				x.t.Fatal(err)
			}
			for _, m := range rivalRoute.FindAllSubmatch(text, -1) {
				set[string(m[1])] = true
			}
		}
		if len(set) < n+15 {
			x.t.Fatalf("%s has only %d routes: they are written in another way than this test reads", dir, len(set)-n)
		}
	}
	for _, ends := range []string{"POST /signout", "POST /sessions/end-all"} { // they end the session that asks
		delete(set, ends)
	}
	return slices.Sorted(maps.Keys(set))
}

// apiRoutes are those of the API.
func (x *rivals) apiRoutes() []string {
	x.t.Helper()
	got, err := x.b.People[registrytest.Grace].Do(http.MethodGet, "/openapi.json", nil)
	if err != nil {
		x.t.Fatal(err)
	}
	var doc struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	if err := json.Unmarshal(got.Body, &doc); err != nil || len(doc.Paths) < 100 {
		x.t.Fatalf("the API's routes: %v, %d", err, len(doc.Paths))
	}
	var out []string
	for path, methods := range doc.Paths {
		for method := range methods {
			out = append(out, strings.ToUpper(method)+" "+path)
		}
	}
	slices.Sort(out)
	return out
}

// names of fields and parameters in which something can be named.
var rivalNames = []string{"id", "vendor", "engagement", "grant", "from", "elevates", "role", "person", "app", "device", "devices", "about", "decision", "act", "done", "next", "q", "of", "on", "on.id", "about.0.id",
	"session", "passkey", "response", "state", "code", "document", "document_sha256", "questionnaire", "question", "incident", "offboarding", "request", "source", "citation", "draft", "owner", "subcontractors", "underlying", "carve_outs", "type", "kind", "client_id", "provider"}

func (x *rivals) aim(rng *rand.Rand, pattern string) string {
	plural := ""
	for p := range x.foreign {
		if strings.Contains(pattern, "/"+p+"/") || p == "decisions" && strings.Contains(pattern, "/activity/") {
			plural = p
		}
	}
	if list := x.foreign[plural]; len(list) > 0 && rng.IntN(4) > 0 {
		return list[rng.IntN(len(list))]
	}
	return x.all[rng.IntN(len(x.all))]
}

// fill puts the key into the holes of a pattern.
func rivalFill(rng *rand.Rand, pattern, key string) string {
	first := true
	return rivalHole.ReplaceAllStringFunc(strings.ReplaceAll(pattern, "{$}", ""), func(h string) string {
		if h == "{kind}" {
			return string(registry.Acts[rng.IntN(len(registry.Acts))].Name)
		}
		if !first && rng.IntN(3) == 0 {
			return "1"
		}
		first = false
		return url.PathEscape(key)
	})
}

// A vendor's person goes through every route of pages and API, with every id of another
// vendor and of the organisation, in path, query and form. Nothing of them is in an
// answer, whether it is there makes no difference, and nothing of theirs has changed.
func TestNothingOfAnotherFirm(t *testing.T) {
	t.Parallel()
	x := startRivals(t)
	before := x.records()
	seed := uint64(20261126)
	rng := rand.New(rand.NewPCG(seed, seed))
	own := url.Values{"engagement": {"imaging-eval"}, "role": {"imaging-reader"}, "grant": {string(hospitaltest.Grant2)}, "vendor": {string(hospitaltest.Vendor2)}, "app": {string(hospitaltest.App2)}, "devices": {string(hospitaltest.Device2)}}
	pages := map[string]bool{}
	t.Run("pages", func(t *testing.T) {
		x := x.in(t)
		for _, pattern := range x.routes() {
			method, path, _ := strings.Cut(pattern, " ")
			rounds := 3
			if strings.Contains(path, "{") {
				rounds = 6
			}
			if path == "/console/do/{kind}" {
				rounds = 60
			}
			if raced {
				rounds = (rounds + 2) / 3
			}
			for range rounds {
				key := x.aim(rng, path)
				r := rivalTry{method: method, path: rivalFill(rng, path, key), key: key}
				values := url.Values{}
				for range 1 + rng.IntN(4) {
					values.Set(rivalNames[rng.IntN(len(rivalNames))], key)
				}
				for name, texts := range own {
					if rng.IntN(2) == 0 && values.Get(name) == "" {
						values[name] = texts
					}
				}
				if method == http.MethodPost {
					values.Set("reason", "a test")
					values.Set("step", []string{"do", "preview"}[rng.IntN(2)])
					r.form = values
				} else {
					r.path += "?" + values.Encode()
				}
				if got := x.look(r); got.status == http.StatusOK {
					pages[pattern] = true
				}
			}
		}
	})
	if len(pages) < 20 {
		t.Errorf("only %d pages were seen at all: %v", len(pages), slices.Sorted(maps.Keys(pages)))
	}
	t.Run("every parameter", func(t *testing.T) { x.in(t).parameters(t, rng, own) })
	t.Run("the API", func(t *testing.T) {
		x := x.in(t)
		for _, pattern := range x.apiRoutes() {
			method, path, _ := strings.Cut(pattern, " ")
			for range map[bool]int{false: 3, true: 1}[raced] {
				key := x.aim(rng, path)
				r := rivalTry{method: method, path: rivalFill(rng, path, key), key: key}
				if method == http.MethodPost {
					act := map[string]any{}
					for range 1 + rng.IntN(5) {
						act[rivalNames[rng.IntN(len(rivalNames))]] = key
					}
					raw, err := json.Marshal(map[string]any{"reason": "a test", "act": act})
					if err != nil {
						t.Fatal(err)
					}
					r.body = string(raw)
				}
				x.look(r)
			}
		}
	})
	t.Run("acts that are whole but for whom they are about", func(t *testing.T) { x.in(t).wholeActs(t, rng) })
	t.Run("what is the organisation's is not there", func(t *testing.T) { x.in(t).forced(t) })
	t.Run("forms from elsewhere", func(t *testing.T) { x.in(t).elsewhere(t) })
	x.in(t)
	if got := x.ask(rivalTry{method: http.MethodGet, path: "/console/my", key: "-"}); got.status != http.StatusOK {
		t.Fatalf("Mia is not signed in any more: what was tried proves nothing: %d", got.status)
	}
	if after := x.records(); !maps.Equal(before, after) {
		for k, v := range before {
			if after[k] != v {
				t.Errorf("%s has changed:\n%s\n%s", k, v, after[k])
			}
		}
	}
	t.Run("one request of another firm", func(t *testing.T) { x.in(t).oneRequest(t) })
	t.Run("no patient", func(t *testing.T) { x.in(t).noPatient(t) })
	t.Run("links", func(t *testing.T) { x.in(t).links(t) })
	t.Run("sessions that are over", func(t *testing.T) { x.in(t).over(t) })
	t.Logf("%d requests, seed %d", x.turn, seed)
}

func (x *rivals) in(t *testing.T) *rivals {
	x.world = x.world.in(t)
	return x
}

var rivalParameter = regexp.MustCompile(`\.Get\("([a-z_.0-9]+)"\)`)

// parameters names, in each parameter that any page reads, what is of its kind: a grant
// where a grant is named. The others are Mia's own, so that the page goes that far, or
// are not there.
func (x *rivals) parameters(t *testing.T, rng *rand.Rand, own url.Values) {
	read := map[string]bool{}
	for _, dir := range []string{".", "../portal"} {
		paths, _ := filepath.Glob(dir + "/*.go")
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range rivalParameter.FindAllSubmatch(text, -1) {
				read[string(m[1])] = true
			}
		}
	}
	if !read["engagement"] || !read["elevates"] || len(read) < 20 {
		t.Fatalf("the pages read only %v", read)
	}
	kinds := map[string]string{"from": "grants", "elevates": "grants", "by": "persons", "who": "persons", "done": "acts", "decision": "decisions", "document": "words"}
	for _, s := range console.Screens() {
		method, path, _ := strings.Cut(s.Pattern, " ")
		if !s.Theirs || method != http.MethodGet || strings.Contains(path, "{") {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(read)) {
			keys := x.foreign[kinds[name]]
			if keys == nil {
				keys = x.foreign[name+"s"]
			}
			if keys == nil && rng.IntN(3) > 0 || raced && rng.IntN(4) > 0 { // of what names no record, on some pages
				continue
			}
			if keys == nil {
				keys = []string{x.all[rng.IntN(len(x.all))]}
			}
			for _, key := range keys[:min(len(keys), 2)] {
				for _, values := range []url.Values{maps.Clone(own), {}} {
					delete(values, "vendor")
					values.Set(name, key)
					x.look(rivalTry{method: method, path: path + "?" + values.Encode(), key: key})
				}
			}
		}
	}
}

// records are those of the first vendor and the organisation, as they stand.
func (x *rivals) records() map[string]string {
	out := map[string]string{}
	for _, plural := range rivalTables {
		if plural == "sessions" { // people are seen
			continue
		}
		for _, raw := range x.list(plural) {
			var r struct{ ID, Engagement string }
			if err := json.Unmarshal(raw, &r); err != nil {
				x.t.Fatal(err)
			}
			if slices.Contains(x.foreign[plural], r.ID) || plural == "keys" && slices.Contains(x.foreign[plural], r.Engagement) {
				out[plural+" "+r.ID+r.Engagement] = string(raw)
			}
		}
	}
	return out
}

// wholeActs are acts that a vendor's person may do, whole and right, about something of
// the other vendor's.
func (x *rivals) wholeActs(t *testing.T, rng *rand.Rand) {
	now := x.b.Clock.Now().UTC()
	incident, request := x.foreign["incidents"][0], x.foreign["requests"][0]
	cohort := snapshot.Cohort{Kind: snapshot.CohortAll}
	ask := registry.MakeRequest{Engagement: "imaging-eval", App: hospitaltest.App2, Devices: []id.Device{hospitaltest.Device2}, Role: "imaging-reader", Cohort: cohort, MaxPatients: 1, MaxDailyBytes: 1 << 20, Life: 60, Why: "a test"}
	with := func(change func(*registry.MakeRequest)) registry.MakeRequest { a := ask; change(&a); return a }
	code256, _ := signin.CodeDigest(signin.NewCode())
	sends := func(change func(*registry.RecordCertification)) registry.RecordCertification {
		a := registry.RecordCertification{Vendor: hospitaltest.Vendor2, Type: "VULNSCAN", ExpiresAt: now.AddDate(0, 1, 0), Particulars: snapshot.Particulars{AsOf: now.AddDate(0, 0, -5)}}.With("text/plain", []byte("a scan"))
		change(&a)
		return a
	}
	at := slices.IndexFunc(x.foreign["certifications"], func(key string) bool { return key != "northwind-soc2" })
	if at < 0 {
		t.Fatal("the first vendor has sent nothing")
	}
	scan := x.foreign["certifications"][at]
	for _, a := range []struct {
		act registry.Act
		key string
	}{
		{with(func(a *registry.MakeRequest) { a.Engagement = hospitaltest.Engagement }), string(hospitaltest.Engagement)},
		{with(func(a *registry.MakeRequest) { a.App = hospitaltest.App }), string(hospitaltest.App)},
		{with(func(a *registry.MakeRequest) { a.Devices = []id.Device{hospitaltest.Device} }), string(hospitaltest.Device)},
		{with(func(a *registry.MakeRequest) { a.Role = hospitaltest.Role }), string(hospitaltest.Role)},
		{with(func(a *registry.MakeRequest) { a.Person = "triage-newcomer" }), "triage-newcomer"},
		{with(func(a *registry.MakeRequest) { a.Elevates, a.Ticket = hospitaltest.Grant, "INC-1" }), string(hospitaltest.Grant)},
		{registry.WithdrawRequest{ID: id.Request(request)}, request},
		{registry.EndGrantEarly{ID: hospitaltest.Grant}, string(hospitaltest.Grant)},
		{registry.InviteDevice{ID: "mine", Vendor: hospitaltest.Vendor, Owner: hospitaltest.Mia, Code256: code256, ExpiresAt: now.Add(time.Hour)}, string(hospitaltest.Vendor)},
		{registry.InviteDevice{ID: "mine", Vendor: hospitaltest.Vendor2, Owner: "triage-newcomer", Code256: code256, ExpiresAt: now.Add(time.Hour)}, "triage-newcomer"},
		{registry.ApproveDevice{ID: hospitaltest.Device, TrustedUntil: now.Add(time.Hour)}, string(hospitaltest.Device)},
		{registry.RotateAppKeys{ID: hospitaltest.App}, string(hospitaltest.App)},
		{registry.SignHere{ID: hospitaltest.BAA}, string(hospitaltest.BAA)},
		{registry.AnswerQuestion{ID: "northwind-q1", Question: hipaa.Questions()[0].ID, Value: "no"}, "northwind-q1"},
		{registry.SubmitQuestionnaire{ID: "northwind-q1"}, "northwind-q1"},
		{registry.DelegateQuestions{ID: "northwind-q1", Questions: []string{hipaa.Questions()[0].ID}, To: hospitaltest.Mia}, "northwind-q1"},
		{registry.ReportIncident{Vendor: hospitaltest.Vendor, Title: "not theirs"}, string(hospitaltest.Vendor)},
		{registry.ReportIncident{Vendor: hospitaltest.Vendor2, Title: "theirs", About: []snapshot.Subject{{Noun: snapshot.NounGrant, ID: string(hospitaltest.Grant)}}}, string(hospitaltest.Grant)},
		{registry.AttestDisposition{ID: "northwind-parting", Form: snapshot.RawData, Outcome: snapshot.NeverHeld, Items: "none", Attester: "Mia"}, "northwind-parting"},
		{registry.EndSession{ID: id.Session(x.foreign["sessions"][0])}, x.foreign["sessions"][0]},
		{sends(func(a *registry.RecordCertification) { a.Vendor = hospitaltest.Vendor }), string(hospitaltest.Vendor)},
		{sends(func(a *registry.RecordCertification) { a.ID = "northwind-soc2" }), "northwind-soc2"},
		{sends(func(a *registry.RecordCertification) {
			a.Type, a.Underlying, a.IssuedAt = "HITRUST_AI", "northwind-soc2", now.AddDate(0, 0, -1)
		}), "northwind-soc2"},
		{sends(func(a *registry.RecordCertification) { a.CarveOuts = []id.Vendor{hospitaltest.Vendor} }), string(hospitaltest.Vendor)},
		{registry.RevokeCertification{ID: "northwind-soc2"}, "northwind-soc2"},
		{registry.RevokeCertification{ID: id.Certification(scan)}, scan},
		{registry.VerifyCertification{ID: id.Certification(scan), How: "report-read", Against: "all of it"}, scan},
		{registry.InvitePerson{ID: "triage-newcomer", Code256: code256, ExpiresAt: now.Add(time.Hour)}, "triage-newcomer"},
		{registry.CloseIncident{ID: id.Incident(incident)}, incident},
	} {
		spec, _ := registry.SpecOf(a.act)
		fields, err := registry.Encode(a.act)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(api.ActBody{Reason: "a test", Act: []byte(fields)})
		if err != nil {
			t.Fatal(err)
		}
		r := rivalTry{method: http.MethodPost, path: strings.ReplaceAll(spec.Path, "{id}", a.act.Subject().ID), body: string(raw), key: a.key}
		if got := x.look(r); got.status < 400 {
			t.Errorf("%s about %s was done: %d %s", spec.Name, a.key, got.status, got.body)
		}
	}
}

// forced opens every page that is not for vendors: each is what a page is that does not
// exist.
func (x *rivals) forced(t *testing.T) {
	const nothing = "/console/there-is-no-such-page"
	want := rivalBare(x.ask(rivalTry{method: http.MethodGet, path: nothing, key: nothing}), nothing)
	n := 0
	for _, s := range console.Screens() {
		if s.Theirs {
			continue
		}
		method, path, _ := strings.Cut(s.Pattern, " ")
		keys := []string{"nothing"}
		if strings.Contains(path, "{") {
			keys = append(keys, x.foreign["vendors"][0], string(hospitaltest.Vendor2), string(hospitaltest.Grant2), x.all[len(x.all)/2])
			for p, list := range x.foreign {
				if strings.Contains(path, "/"+p+"/") {
					keys = append(keys, list[:min(len(list), 3)]...)
				}
			}
		}
		for _, key := range keys {
			at := rivalHole.ReplaceAllString(strings.ReplaceAll(path, "{$}", ""), url.PathEscape(key))
			r := rivalTry{method: method, path: at, key: at}
			if method == http.MethodPost {
				r.form = url.Values{"id": {key}}
			}
			got := x.ask(r)
			text := rivalBare(got, at)
			if method == http.MethodPost { // the page shows where one came from
				text = strings.ReplaceAll(text, `value="KEY"`, `value="KEY"`)
			}
			if n++; text != want {
				t.Errorf("%s %s shows that it is there:\n%s", method, at, rivalDifference(text, want))
			}
			if leaks := x.leaks(got, at); len(leaks) > 0 {
				t.Errorf("%s tells of %v", at, leaks)
			}
		}
	}
	if n < 30 {
		t.Errorf("only %d pages are the organisation's", n)
	}
}

// elsewhere sends every form as a page of another site would.
func (x *rivals) elsewhere(t *testing.T) {
	n := 0
	for _, pattern := range x.routes() {
		method, path, _ := strings.Cut(pattern, " ")
		// The command line's own, and a provider's, have no cookie to be made use of.
		if method != http.MethodPost || strings.HasPrefix(path, "/backchannel/") || path == "/cli/session" {
			continue
		}
		at := rivalHole.ReplaceAllString(path, "x")
		for _, h := range [][2]string{{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://elsewhere.example"}} {
			n++
			if got := x.ask(rivalTry{method: method, path: at, form: url.Values{"id": {"x"}}, key: "-", header: h}); got.status != http.StatusForbidden {
				t.Errorf("POST %s from another site: %d", at, got.status)
			}
		}
	}
	if n < 30 {
		t.Errorf("only %d forms were sent", n)
	}
}

// links opens the first vendor's questionnaire with nothing, with a code that is wrong,
// and with a code of the second vendor's own.
func (x *rivals) links(t *testing.T) {
	code := signin.NewCode()
	code256, _ := signin.CodeDigest(code)
	x.b.Act(registrytest.Ada, registry.ProfileVendor{ID: hospitaltest.Vendor2, Services: []string{"imaging"}, DataClasses: []hipaa.DataClass{hipaa.PHI}, Locations: []string{"US"}, Staff: 3, Patients: 10, Keeps: snapshot.KeepsNothing})
	x.b.Act(registrytest.Ada, registry.SendQuestionnaire{ID: "contoso-q1", Vendor: hospitaltest.Vendor2, DataClasses: []hipaa.DataClass{hipaa.PHI}, DueAt: x.b.Clock.Now().AddDate(0, 1, 0),
		Contact: "privacy@contoso.example", Secret256: code256, ExpiresAt: x.b.Clock.Now().AddDate(0, 0, 10)})
	open := func(code string) *client {
		c := x.stranger()
		c.get("/portal/in")
		return c.post("/portal/in", url.Values{"code": {code}})
	}
	open(code).get("/portal/questionnaires/contoso-q1").wants(http.StatusOK)
	for name, c := range map[string]*client{"a code that is nobody's": open(signin.NewCode()), "their own code": open(code)} {
		for _, path := range []string{"/portal/questionnaires/northwind-q1", "/portal/incidents/northwind", "/portal/offboardings/northwind-parting", "/portal/agreements/northwind-baa", "/console/my", "/console/vendors/northwind"} {
			c.get(path)
			if (c.status == http.StatusOK && c.at == path) || len(x.leaks(rivalSeen{c.status, c.header, c.body}, path)) > 0 {
				t.Errorf("with %s, %s: %d\n%s", name, path, c.status, c.body)
			}
		}
	}
	// Who holds the first vendor's code is the first vendor's, and sees that one paper; when
	// it is revoked, nothing.
	c := open(x.link)
	c.get("/portal/questionnaires/northwind-q1").wants(http.StatusOK)
	c.get("/portal/questionnaires/contoso-q1")
	if c.status == http.StatusOK && c.at == "/portal/questionnaires/contoso-q1" {
		t.Error("a link opens another vendor's questionnaire")
	}
	for _, l := range x.list("links") {
		var link struct{ ID, Vendor string }
		if json.Unmarshal(l, &link) == nil && link.Vendor == string(hospitaltest.Vendor) {
			x.b.Act(registrytest.Ada, registry.RevokeLink{ID: id.Link(link.ID)})
		}
	}
	if c.get("/portal/questionnaires/northwind-q1"); c.status == http.StatusOK && c.at == "/portal/questionnaires/northwind-q1" {
		t.Error("a revoked link opens what it opened")
	}
}

// stranger is a browser without anything.
func (x *rivals) stranger() *client {
	v := *x.mia.Client
	jar, err := cookiejar.New(nil)
	if err != nil {
		x.t.Fatal(err)
	}
	v.Jar = jar
	return &client{Client: &v, w: x.world}
}

// over replays what a session had when it is over: signed out, and the person's end.
func (x *rivals) over(t *testing.T) {
	replay := func(why string) {
		t.Helper()
		for _, path := range []string{"/console", "/console/my/access", "/console/my/activity?format=csv", "/console/live", "/portal", "/account", "/portal/course"} {
			req, err := http.NewRequest(http.MethodGet, x.b.Pages+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.AddCookie(&http.Cookie{Name: signin.CookieName, Value: x.session})
			c := *x.from[0]
			c.Jar = nil
			resp, err := c.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			raw, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK || strings.Contains(string(raw), "Contoso") {
				t.Errorf("%s, %s: %d\n%s", why, path, resp.StatusCode, raw)
			}
		}
		for _, path := range []string{"/v1/whoami", "/v1/my-access"} {
			if got := x.ask(rivalTry{method: http.MethodGet, path: path, key: "-"}); got.status != http.StatusUnauthorized {
				t.Errorf("%s, %s: %d %s", why, path, got.status, got.body)
			}
		}
	}
	if got := x.ask(rivalTry{method: http.MethodPost, path: "/signout", form: url.Values{}, key: "-"}); got.status != http.StatusOK {
		t.Fatalf("signing out: %d", got.status)
	}
	replay("after signing out")
	if err := x.mia.SignIn(); err != nil {
		t.Fatal(err)
	}
	base, _ := url.Parse(x.b.Pages)
	for _, c := range x.mia.Jar.Cookies(base) {
		if c.Name == signin.CookieName {
			x.session = c.Value
		}
	}
	if got := x.ask(rivalTry{method: http.MethodGet, path: "/v1/whoami", key: "-"}); got.status != http.StatusOK {
		t.Fatalf("Mia, signed in again: %d %s", got.status, got.body)
	}
	x.b.Act(registrytest.Grace, registry.DeactivatePerson{ID: hospitaltest.Mia})
	replay("after the person's end")
	if err := x.mia.SignIn(); err == nil {
		t.Error("a person whose access has ended signs in")
	}
}

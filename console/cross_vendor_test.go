package console_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"maps"
	"math/rand/v2"
	"net"
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
	"github.com/sallyport/sallyport/hospital"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/identity/signin"
	"github.com/sallyport/sallyport/internal/hospitaltest"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

// mark stands in every free text of the first vendor's records.
const rivalMark = "ZZOTHER"

// rivals is a world in which two vendors work. What is the first one's is marked, and Mia
// of the second one asks for it in every way there is.
type rivals struct {
	*world
	mia, lin *hospitaltest.Visitor
	from     []*http.Client // Mia's browser, from many addresses: what is slowed down by address is not what is tried here
	turn     int
	foreign  map[string][]string // ids of the first vendor and of the organisation, by plural
	all      []string
	secret   []string // of these, what must stand in no answer to Mia
	link     string   // the code of the first vendor's link
	patients *hospital.Records
	session  string
}

func startRivals(t *testing.T) *rivals {
	t.Helper()
	records := hospital.GenerateCanaries(3, 4)
	b := hospitaltest.Start(t, hospitaltest.Options{People: true, Records: records})
	b.Paper()
	x := &rivals{world: &world{t, b}, foreign: map[string][]string{}, patients: records}
	x.lin = b.Visit(registrytest.Lin)
	x.plant()
	x.collect()
	b.Second()
	x.forgive()
	x.mia = b.Visit(hospitaltest.Mia)
	roots, err := identity.PoolFromFiles(b.Data("people", "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		c := *x.mia.Client
		tr := x.mia.Transport.(*http.Transport).Clone()
		tr.TLSClientConfig = identity.ClientTLS(nil, roots)
		tr.DialContext = (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(i+1))}}).DialContext
		c.Transport = tr
		c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		t.Cleanup(tr.CloseIdleConnections)
		x.from = append(x.from, &c)
	}
	base, _ := url.Parse(b.Pages)
	for _, c := range x.mia.Jar.Cookies(base) {
		if c.Name == signin.CookieName {
			x.session = c.Value
		}
	}
	return x
}

// plant makes records of every kind for the first vendor, with the mark in what is free
// text, and has data released and refused.
func (x *rivals) plant() {
	b, now := x.b, x.b.Clock.Now().UTC()
	ada, grace := registrytest.Ada, registrytest.Grace
	code := signin.NewCode()
	code256, _ := signin.CodeDigest(code)
	x.link = code
	b.Get("/Patient?_count=2")
	b.Get("/Observation?_count=3")
	b.Refusal("/Patient?name=" + x.patients.IDs("Patient")[0])
	b.Get("/Patient/" + x.patients.IDs("Patient")[0])
	profile := func(v id.Vendor, does string) registry.ProfileVendor {
		return registry.ProfileVendor{ID: v, Services: []string{does}, DataClasses: []hipaa.DataClass{hipaa.PHI}, Locations: []string{"US"}, Staff: 3, Patients: 10, Keeps: snapshot.KeepsNothing}
	}
	b.Act(ada, profile(hospitaltest.Vendor, rivalMark+" service"))
	paper := registry.NewDocument("text/plain", []byte(rivalMark+" a paper of theirs"))
	b.Act(ada, paper)
	b.Act(ada, registry.AmendVendor{ID: hospitaltest.Vendor, Name: "Northwind AI, Inc.", Contact: rivalMark + "@northwind.example", RequiredCertifications: []string{"SOC2_T2"}})
	b.Act(ada, registry.SendQuestionnaire{ID: "northwind-q1", Vendor: hospitaltest.Vendor, DataClasses: []hipaa.DataClass{hipaa.PHI}, DueAt: now.AddDate(0, 1, 0),
		Contact: "privacy@northwind.example", Secret256: code256, ExpiresAt: now.AddDate(0, 0, 10)})
	b.Act(grace, registry.OpenIncident{ID: "northwind-incident", Title: rivalMark + " something happened", Vendor: hospitaltest.Vendor})
	b.Act(grace, registry.RaiseFinding{ID: "northwind-finding", Kind: "access", Title: rivalMark + " something is odd", Vendor: hospitaltest.Vendor, About: snapshot.Subject{Noun: snapshot.NounVendor, ID: string(hospitaltest.Vendor)}})
	b.Act(ada, registry.OpenCampaign{ID: "northwind-campaign", Title: rivalMark + " reviews", Vendor: hospitaltest.Vendor, DueAt: now.AddDate(0, 1, 0)})
	b.Act(ada, registry.ProposePerson{ID: "triage-newcomer", Vendor: hospitaltest.Vendor, Name: rivalMark + " Person", Classification: hipaa.BusinessAssociate, Basis: rivalMark + " basis", Region: "US"})
	b.Act(ada, registry.RegisterConnector{ID: "northwind-directory", Vendor: hospitaltest.Vendor, Kind: snapshot.SCIMClient, Name: rivalMark + " directory", Token256: code256})
	b.Act(ada, registry.ProposeEngagement{ID: "triage-other-work", Vendor: hospitaltest.Vendor, Agreements: []id.Agreement{hospitaltest.BAA}, Basis: hipaa.OperationsUnderBAA, Purpose: hipaa.Evaluation,
		Category: hipaa.Operations, Sources: []id.Source{hospitaltest.Source}, DataClass: hipaa.PHI, Regions: []string{"US"}, StartsAt: now, EndsAt: now.AddDate(0, 6, 0)})
	b.Act(grace, registry.ApproveEngagement{ID: "triage-other-work"})
	b.Act(grace, registry.BeginOffboarding{ID: "northwind-parting", Vendor: hospitaltest.Vendor, Engagement: "triage-other-work", Cause: snapshot.WorkDone, DueAt: now.AddDate(0, 1, 0)})
	b.Act(grace, registry.PlaceHold{ID: "northwind-hold", On: snapshot.Subject{Noun: snapshot.NounEngagement, ID: "triage-other-work"}, Cause: snapshot.HoldOwner})
	b.Act(grace, registry.NameSignatory{ID: registrytest.Lin, Title: rivalMark + " Chief"})
	b.Act(ada, registry.DraftAgreement{ID: "northwind-dua", Kind: snapshot.ServicesContract, Vendor: hospitaltest.Vendor, PermittedUses: registrytest.Uses(), Regions: []string{"US"},
		Terms: map[string]snapshot.Term{}, Document: paper.Digest, EffectiveAt: now})
	x.doAs(x.lin, registry.ReportIncident{Vendor: hospitaltest.Vendor, Title: rivalMark + " we lost a laptop"})
	x.doAs(x.lin, registry.MakeRequest{Engagement: hospitaltest.Engagement, App: hospitaltest.App, Devices: []id.Device{hospitaltest.Device}, Role: hospitaltest.Role, Cohort: snapshot.Cohort{Kind: snapshot.CohortGroup, Ref: rivalMark + "-group"},
		MaxPatients: 10, MaxDailyBytes: 1 << 20, Life: 60, Why: rivalMark + " because"})
	x.doAs(x.lin, registry.AnswerQuestion{ID: "northwind-q1", Question: hipaa.Questions()[0].ID, Value: rivalMark + " answer"})
}

// doAs does an act as a visitor through the API; the fuzz is about what others do.
func (x *rivals) doAs(v *hospitaltest.Visitor, a registry.Act) {
	x.t.Helper()
	spec, _ := registry.SpecOf(a)
	fields, err := registry.Encode(a)
	if err != nil {
		x.t.Fatal(err)
	}
	raw, err := json.Marshal(api.ActBody{Reason: "a test", Act: []byte(fields)})
	if err != nil {
		x.t.Fatal(err)
	}
	base, _ := url.Parse(x.b.Pages)
	secret := ""
	for _, c := range v.Jar.Cookies(base) {
		if c.Name == signin.CookieName {
			secret = c.Value
		}
	}
	req, err := http.NewRequest(http.MethodPost, x.b.API+strings.ReplaceAll(spec.Path, "{id}", a.Subject().ID), bytes.NewReader(raw))
	if err != nil {
		x.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+secret)
	req.Header.Set("Content-Type", "application/json")
	resp, err := v.Do(req)
	if err != nil {
		x.t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK {
		x.t.Fatalf("%s: %d %s", spec.Name, resp.StatusCode, body)
	}
}

// list is a table of the registry, as the API gives it.
func (x *rivals) list(plural string) []json.RawMessage {
	x.t.Helper()
	got, err := x.b.People[registrytest.Grace].Do(http.MethodGet, "/v1/"+plural, nil)
	if err != nil || got.Status != http.StatusOK {
		x.t.Fatalf("listing %s: %v %s", plural, err, got)
	}
	var page struct{ Items []json.RawMessage }
	if err := json.Unmarshal(got.Body, &page); err != nil {
		x.t.Fatal(err)
	}
	return page.Items
}

var rivalTables = []string{"vendors", "assessments", "certifications", "agreements", "engagements", "determinations", "persons", "trainings", "devices", "apps", "roles", "grants", "reviews", "connectors",
	"attestations", "keys", "questionnaires", "links", "findings", "courses", "attempts", "requests", "campaigns", "incidents", "offboardings", "holds", "sessions"}

var rivalWord = regexp.MustCompile(`"([0-9A-HJKMNP-TV-Z]{26}|[0-9a-f]{64})"`)

// collect notes every id of the first vendor and of the organisation, and other words by
// which a record can be named: digests, acts, decisions.
func (x *rivals) collect() {
	x.t.Helper()
	add := func(plural, key string) {
		if key != "" && !slices.Contains(x.foreign[plural], key) {
			x.foreign[plural], x.all = append(x.foreign[plural], key), append(x.all, key)
		}
	}
	for _, plural := range rivalTables {
		for _, raw := range x.list(plural) {
			var r struct {
				ID         string `json:"id"`
				Engagement string `json:"engagement"`
			}
			if err := json.Unmarshal(raw, &r); err != nil {
				x.t.Fatal(err)
			}
			key := r.ID
			if plural == "keys" {
				key = r.Engagement
			}
			add(plural, key)
			for _, m := range rivalWord.FindAllSubmatch(raw, -1) {
				if string(m[1]) != key {
					add("words", string(m[1]))
				}
			}
		}
	}
	for _, a := range x.b.Acts() {
		add("acts", string(a.Act))
	}
	got, err := x.b.People[registrytest.Grace].Do(http.MethodGet, "/v1/disclosures?limit=50", nil)
	if err != nil {
		x.t.Fatal(err)
	}
	for _, m := range rivalWord.FindAllSubmatch(got.Body, -1) {
		add("decisions", string(m[1]))
	}
	add("sources", string(hospitaltest.Source))
	if len(x.all) < 60 {
		x.t.Fatalf("the first vendor has only %d words to try", len(x.all))
	}
}

// forgive takes from the secrets what the second vendor has, too: the demo's paper.
func (x *rivals) forgive() {
	x.t.Helper()
	var own bytes.Buffer
	for _, plural := range rivalTables {
		for _, raw := range x.list(plural) {
			if text := string(raw); strings.Contains(text, "contoso") || strings.Contains(text, "imaging") || strings.Contains(text, `"mia`) {
				own.Write(raw)
			}
		}
	}
	for _, key := range x.all {
		if len(key) > 8 && !bytes.Contains(own.Bytes(), []byte(key)) {
			x.secret = append(x.secret, key)
		}
	}
	x.secret = append(x.secret, rivalMark, "Northwind", "northwind", "triage", "Triage", "Lin Example", "ZZCANARY")
}

// try is one request, in the hope of something foreign: key is in it somewhere.
type rivalTry struct {
	method, path string // with its query
	form         url.Values
	body         string // of the API
	key          string
	header       [2]string
}

func (r rivalTry) String() string {
	return fmt.Sprintf("%s %s form %v body %s", r.method, r.path, r.form, r.body)
}

// with is the request about another key.
func (r rivalTry) with(key string) rivalTry {
	out := r
	swap := func(s string) string {
		for _, f := range []func(string) string{func(s string) string { return s }, url.PathEscape, url.QueryEscape} {
			s = strings.ReplaceAll(s, f(r.key), f(key))
		}
		return s
	}
	out.path, out.body, out.key = swap(r.path), swap(r.body), key
	if r.form != nil {
		out.form = url.Values{}
		for name, texts := range r.form {
			for _, text := range texts {
				out.form.Add(name, swap(text))
			}
		}
	}
	return out
}

type rivalSeen struct {
	status int
	header http.Header
	body   string
}

// ask sends it as Mia.
func (x *rivals) ask(r rivalTry) rivalSeen {
	x.t.Helper()
	base := x.b.Pages
	var in io.Reader = http.NoBody
	if r.form != nil {
		in = strings.NewReader(r.form.Encode())
	}
	if r.body != "" || strings.HasPrefix(r.path, "/v1/") {
		base = x.b.API
	}
	if r.body != "" {
		in = strings.NewReader(r.body)
	}
	req, err := http.NewRequest(r.method, base+r.path, in)
	if err != nil {
		x.t.Fatalf("%s: %v", r, err)
	}
	switch {
	case base == x.b.API:
		req.Header.Set("Authorization", "Bearer "+x.session)
		req.Header.Set("Content-Type", "application/json")
	case r.form != nil:
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if r.header[0] != "" {
		req.Header.Set(r.header[0], r.header[1])
	}
	x.turn++
	resp, err := x.from[x.turn%len(x.from)].Do(req)
	if err != nil {
		x.t.Fatalf("%s: %v", r, err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	if err != nil {
		x.t.Fatalf("%s: %v", r, err)
	}
	return rivalSeen{resp.StatusCode, resp.Header, string(raw)}
}

// without is an answer without what was asked about.
func rivalWithout(text, key string) string {
	if len(key) <= 8 { // it may be a part of another word
		return regexp.MustCompile(`(?i)\b`+regexp.QuoteMeta(key)+`\b`).ReplaceAllString(text, "KEY")
	}
	for _, k := range []string{key, url.PathEscape(key), url.QueryEscape(key), html.EscapeString(key), html.EscapeString(url.QueryEscape(key)), url.QueryEscape(url.QueryEscape(key)), url.QueryEscape(url.PathEscape(key)), strings.ToUpper(key[:1]) + key[1:]} {
		text = strings.ReplaceAll(text, k, "KEY")
	}
	return text
}

// leaks says what of the first vendor stands in an answer, beside what was asked about.
func (x *rivals) leaks(got rivalSeen, key string) []string {
	text := got.body
	for name, values := range got.header {
		text += "\n" + name + ": " + strings.Join(values, ", ")
	}
	text = rivalWithout(text, key)
	var out []string
	for _, s := range x.secret {
		if i := strings.Index(text, s); i >= 0 && s != key {
			out = append(out, fmt.Sprintf("%s: ...%q...", s, text[max(0, i-80):min(len(text), i+80)]))
		}
	}
	return out
}

var (
	rivalULID  = regexp.MustCompile(`[0-9A-HJKMNP-TV-Z]{26}`)
	rivalTime  = regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]+Z?|\d\d:\d\d(:\d\d)? UTC|\d+ (second|minute)s? ago|just now`)
	rivalState = regexp.MustCompile(`data-options="[^"]*"|(name="(state|key|once|draft)" value=")[^"]*"`)
	rivalLong  = regexp.MustCompile(`[A-Za-z0-9_+/=-]{26,}`)
)

// bare is an answer without what differs between any two.
func rivalBare(got rivalSeen, key string) string {
	clean := func(s string) string {
		s = rivalState.ReplaceAllString(rivalWithout(s, key), "STATE")
		return rivalLong.ReplaceAllString(rivalTime.ReplaceAllString(rivalULID.ReplaceAllString(s, "ULID"), "TIME"), "LONG")
	}
	return fmt.Sprintf("%d %s\n%s", got.status, clean(got.header.Get("Location")), clean(got.body))
}

// nobody is a word of the same form that names nothing.
func rivalNobody(key string) string {
	out := []byte(key)
	for i, n := len(out)-1, 0; i >= 0 && n < 5; i-- {
		switch c := out[i]; {
		case 'a' <= c && c <= 'f' && len(key) == 64:
			out[i] = 'a' + (c-'a'+3)%6
		case 'a' <= c && c <= 'z':
			out[i] = 'a' + (c-'a'+7)%26
		case 'A' <= c && c <= 'Z':
			out[i] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"[(int(c)+5)%32]
		case '0' <= c && c <= '9':
			out[i] = '0' + (c-'0'+3)%10
		default:
			continue
		}
		n++
	}
	return string(out)
}

// look tries it about something foreign and about nothing at all: both answers are the
// same, and tell nothing.
func (x *rivals) look(r rivalTry) rivalSeen {
	x.t.Helper()
	got := x.ask(r)
	if leaks := x.leaks(got, r.key); len(leaks) > 0 {
		x.t.Errorf("%s: answered %d with the first vendor's\n%s", r, got.status, strings.Join(leaks[:min(len(leaks), 4)], "\n"))
	}
	none := r.with(rivalNobody(r.key))
	other := x.ask(none)
	if a, b := rivalBare(got, r.key), rivalBare(other, none.key); a != b {
		x.t.Errorf("%s: what there is and what there is not differ:\n%s", r, rivalDifference(a, b))
	}
	return got
}

// difference is the first line in which two texts differ, and what is around it.
func rivalDifference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return fmt.Sprintf("line %d\n\t%.600s\n\t%.600s", i, x[i], y[i])
		}
	}
	return fmt.Sprintf("%d and %d lines", len(x), len(y))
}

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
	"session", "passkey", "response", "state", "code", "document", "document_sha256", "questionnaire", "question", "incident", "offboarding", "request", "source", "citation", "draft", "owner", "subcontractors", "kind", "client_id", "provider"}

func (x *rivals) aim(rng *rand.Rand, pattern string) string {
	plural := ""
	for p := range x.foreign {
		if strings.Contains(pattern, "/"+p+"/") {
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
	t.Run("the API", func(t *testing.T) {
		x := x.in(t)
		for _, pattern := range x.apiRoutes() {
			method, path, _ := strings.Cut(pattern, " ")
			for range 3 {
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
	t.Run("links", func(t *testing.T) { x.in(t).links(t) })
	t.Run("sessions that are over", func(t *testing.T) { x.in(t).over(t) })
	t.Logf("%d requests, seed %d", x.turn, seed)
}

func (x *rivals) in(t *testing.T) *rivals {
	x.world = &world{t, x.b}
	return x
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
					keys = append(keys, list...)
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

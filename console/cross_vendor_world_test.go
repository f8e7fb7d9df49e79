package console_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/api"
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
	x.doAs(x.lin, registry.RecordCertification{Vendor: hospitaltest.Vendor, Type: "VULNSCAN", ExpiresAt: now.AddDate(0, 1, 0),
		Particulars: snapshot.Particulars{AsOf: now.AddDate(0, 0, -10), Issuer: rivalMark + " scanners"}}.With("text/plain", []byte(rivalMark+" a scan of theirs")))
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
		word := regexp.MustCompile(`(?i)(^|%[0-9A-F]{2}|[^A-Za-z0-9])` + regexp.QuoteMeta(key) + `\b`)
		return word.ReplaceAllString(word.ReplaceAllString(text, "${1}KEY"), "${1}KEY")
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
	if got.status == other.status && got.body == other.body && got.header.Get("Location") == other.header.Get("Location") {
		return got
	}
	if got.status == other.status && rivalWithout(got.body, r.key) == rivalWithout(other.body, none.key) && got.header.Get("Location") == "" {
		return got
	}
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

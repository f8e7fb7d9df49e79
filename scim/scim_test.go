package scim_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/scim"
	"github.com/sallyport/sallyport/snapshot"
)

// A person's time with a vendor, as its directory tells it: proposed, approved by
// the organisation, moved, gone on leave and come back, left.
func TestJoinerMoverLeaver(t *testing.T) {
	w := newWorld(t)
	got := w.must(201, "POST", "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"jo@northwind.example","externalId":"00u1",
		"name":{"givenName":"Jo","familyName":"Doe"},"active":true,"emails":[{"value":"jo@northwind.example"}],"addresses":[{"type":"work","country":"US"}]}`)
	key := got.id()
	if got.header.Get("Location") != base+"/Users/"+key || got.header.Get("ETag") != got.at("meta", "version") {
		t.Errorf("got Location %q, ETag %q", got.header.Get("Location"), got.header.Get("ETag"))
	}
	if got.at(scim.Extension, "state") != "proposed" || got.at("active") != true || got.at("name", "formatted") != "Jo Doe" || got.at("emails") != nil {
		t.Errorf("got %s", got.raw)
	}
	p := w.person(key)
	if p.State != snapshot.Proposed || p.Vendor != "northwind" || p.RequestedBy != "connector.directory" || p.Login != (snapshot.Login{Connector: "login", Subject: "00u1"}) {
		t.Errorf("got %+v", p)
	}
	w.do("grace", registry.ApprovePerson{ID: p.ID})
	if got := w.must(200, "GET", "/Users/"+key, ""); got.at(scim.Extension, "state") != "approved" {
		t.Errorf("after the approval: %s", got.raw)
	}

	patch := func(ops string) reply {
		t.Helper()
		return w.must(200, "PATCH", "/Users/"+key, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[`+ops+`]}`)
	}
	// Another name is no other person; another region needs another approval.
	if got := patch(`{"op":"replace","path":"name.familyName","value":"Roe"}`); got.at("name", "formatted") != "Jo Roe" || got.at(scim.Extension, "state") != "approved" {
		t.Errorf("another name: %s", got.raw)
	}
	if got := patch(`{"op":"replace","path":"addresses[type eq \"work\"].country","value":"CA"}`); got.at(scim.Extension, "state") != "proposed" || got.at(scim.Extension, "region") != "CA" {
		t.Errorf("another region: %s", got.raw)
	}
	w.do("grace", registry.ApprovePerson{ID: p.ID})

	if got := patch(`{"op":"replace","value":{"active":false}}`); got.at("active") != false || got.at(scim.Extension, "state") != "suspended" {
		t.Errorf("on leave: %s", got.raw)
	}
	patch(`{"op":"replace","value":{"active":false}}`) // once more is no error, and no act
	if got := patch(`{"op":"replace","value":{"active":true}}`); got.at("active") != true || got.at(scim.Extension, "state") != "approved" {
		t.Errorf("back: %s", got.raw)
	}
	before := w.r.View().Version()
	patch(`{"op":"replace","value":{"active":true}}`)
	if w.r.View().Version() != before {
		t.Error("saying what is so already made an act")
	}
	w.must(204, "DELETE", "/Users/"+key, "")
	w.must(404, "GET", "/Users/"+key, "")
	w.must(404, "DELETE", "/Users/"+key, "")
	if w.person(key).State != snapshot.Ended {
		t.Error("who was deleted goes on")
	}
	if log := w.log.String(); strings.Contains(log, "jo@") || strings.Contains(log, "Doe") || strings.Contains(log, token) || !strings.Contains(log, key) {
		t.Errorf("the log holds what it must not, or lacks the person: %s", log)
	}
	// The same login is the same human, hired again.
	w.must(201, "POST", "/Users", `{"userName":"jo@northwind.example","externalId":"00u1","displayName":"Jo Roe","urn:sallyport:params:scim:schemas:extension:person:1.0:User":{"region":"US-MA"}}`)
}

func TestWhoIsNotADirectoryLearnsNothing(t *testing.T) {
	w := newWorld(t)
	w.do("ada", registry.PlaceHold{ID: "h", On: snapshot.Subject{Noun: snapshot.NounConnector, ID: "contoso-directory"}, Cause: snapshot.HoldIncident})
	for _, c := range []struct{ what, token, header, reason string }{
		{"no token", "", "", "token-absent"},
		{"another scheme", "", "Basic Zm9vOmJhcg==", "token-malformed"},
		{"two tokens", "", "Bearer a, Bearer b", "token-malformed"},
		{"an unknown token", "guess", "", "token-unknown"},
		{"a token that is too long", strings.Repeat("x", 2000), "", "token-malformed"},
		{"the digest in place of the token", digest(token), "", "token-unknown"},
		{"another kind of connector", "fleet-token", "", "token-unknown"},
		{"a directory that waits for approval", "waiting-token", "", "connector-not-approved"},
		{"a directory on hold", other, "", "connector-on-hold"},
	} {
		for _, path := range []string{"/Users", "/ServiceProviderConfig", "/nowhere"} {
			var header []string
			if c.header != "" {
				header = []string{"Authorization", c.header}
			}
			got := w.askAs(c.token, "GET", path, "", header...)
			if got.status != 401 || got.raw != "" {
				t.Errorf("%s, %s: got %d %s, want a bare 401", c.what, path, got.status, got.raw)
			}
		}
		if !strings.Contains(w.log.String(), `"reason":"`+c.reason+`"`) {
			t.Errorf("%s: the log lacks %s", c.what, c.reason)
		}
	}
	w.do("ada", registry.RevokeConnector{ID: "directory"})
	if got := w.ask("GET", "/Users", ""); got.status != 401 {
		t.Errorf("a revoked directory: got %d", got.status)
	}
}

// What is not the directory's own is as unknown as what does not exist, whatever is
// asked of it.
func TestOtherPeopleDoNotExist(t *testing.T) {
	w := newWorld(t)
	theirs := w.askAs(other, "POST", "/Users", `{"userName":"canary@contoso.example","externalId":"canary-ext","displayName":"Canary Contoso","addresses":[{"country":"US"}]}`).id()
	if theirs == "" {
		t.Fatal("contoso's person was not made")
	}
	own := w.join("jo@northwind.example")
	nobody := string(id.New[id.Person](w.now))
	active := `{"Operations":[{"op":"replace","path":"active","value":false}]}`
	for _, method := range []string{"GET", "PUT", "PATCH", "DELETE"} {
		body := map[string]string{"PUT": `{"userName":"x","displayName":"x"}`, "PATCH": active}[method]
		want := w.ask(method, "/Users/"+nobody, body)
		for what, key := range map[string]string{"another vendor's person by SCIM": theirs, "another vendor's person": "mia", "the organisation's": "ada", "its own vendor's that it does not know": "lin"} {
			got := w.ask(method, "/Users/"+key, body)
			if got.status != 404 || got.raw != want.raw || fmt.Sprint(got.header) != fmt.Sprint(want.header) {
				t.Errorf("%s %s: got %d %s, want %d %s", method, what, got.status, got.raw, want.status, want.raw)
			}
		}
	}
	for _, q := range []string{"", "?filter=userName+eq+%22canary@contoso.example%22", "?filter=id+eq+%22" + theirs + "%22", "?filter=externalId+pr", "?filter=displayName+co+%22canary%22"} {
		if got := w.must(200, "GET", "/Users"+q, ""); strings.Contains(strings.ToLower(got.raw), "canary") || strings.Contains(got.raw, theirs) {
			t.Errorf("%s: %s", q, got.raw)
		}
	}
	// Names are taken within a directory only.
	w.must(201, "POST", "/Users", `{"userName":"canary@contoso.example","externalId":"canary-ext","displayName":"Namesake","addresses":[{"country":"US"}]}`)
	if p := w.person(own); p.Vendor != "northwind" {
		t.Errorf("got %+v", p)
	}
}

// A person whom the organisation made by hand is taken into the directory by the
// organisation, and is the directory's to stop from then on.
func TestAPersonMadeByHandIsLinked(t *testing.T) {
	w := newWorld(t)
	w.do("ada", registry.LinkDirectory{ID: registrytest.Lin, Directory: snapshot.Directory{Connector: "directory", UserName: "lin@northwind.example"}})
	got := w.must(200, "GET", `/Users?filter=userName+eq+%22LIN@northwind.example%22`, "")
	if got.at("totalResults") != 1.0 {
		t.Fatalf("got %s", got.raw)
	}
	w.must(200, "PATCH", "/Users/lin", `{"Operations":[{"op":"replace","path":"active","value":false}]}`)
	if p := w.person("lin"); p.State != snapshot.Suspended {
		t.Errorf("got %s", p.State)
	}
}

// The organisation's suspension is the organisation's to end, and outlives what the
// directory says; the directory's outlives the organisation's.
func TestADirectoryDoesNotEndTheOrganisationsSuspension(t *testing.T) {
	w := newWorld(t)
	key := w.join("jo")
	w.do("grace", registry.ApprovePerson{ID: id.Person(key)})
	w.do("grace", registry.SuspendPerson{ID: id.Person(key)})
	got := w.must(409, "PATCH", "/Users/"+key, `{"Operations":[{"op":"replace","path":"active","value":true}]}`)
	if !strings.Contains(got.raw, "only who suspended them") || strings.Contains(got.raw, "grace") {
		t.Errorf("got %s", got.raw)
	}
	got = w.must(200, "PATCH", "/Users/"+key, `{"Operations":[{"op":"replace","path":"active","value":false}]}`)
	if by := fmt.Sprint(got.at(scim.Extension, "suspendedBy")); by != "[directory organisation]" {
		t.Errorf("suspended by: got %s", by)
	}
	w.do("grace", registry.ResumePerson{ID: id.Person(key)})
	if p := w.person(key); p.State != snapshot.Suspended {
		t.Errorf("the leaver came back when the organisation closed its case: %s", p.State)
	}
	if got := w.must(200, "PATCH", "/Users/"+key, `{"Operations":[{"op":"replace","path":"active","value":true}]}`); got.at(scim.Extension, "state") != "approved" {
		t.Errorf("got %s", got.raw)
	}
}

func TestEntityTags(t *testing.T) {
	w := newWorld(t)
	key := w.join("jo")
	tag := w.must(200, "GET", "/Users/"+key, "").header.Get("ETag")
	w.must(304, "GET", "/Users/"+key, "", "If-None-Match", `W/"x", `+tag)
	w.must(412, "PATCH", "/Users/"+key, `{"Operations":[{"op":"replace","path":"displayName","value":"J"}]}`, "If-Match", `W/"0000000000000000"`)
	w.must(200, "PATCH", "/Users/"+key, `{"Operations":[{"op":"replace","path":"displayName","value":"J"}]}`, "If-Match", tag)
	w.must(412, "PUT", "/Users/"+key, `{"userName":"jo","displayName":"K"}`, "If-Match", tag)
	w.must(412, "DELETE", "/Users/"+key, "", "If-Match", tag)
	w.must(204, "DELETE", "/Users/"+key, "", "If-Match", "*")
}

func TestPagesAndProjections(t *testing.T) {
	w := newWorld(t)
	var keys []string
	for i := range 5 {
		keys = append(keys, w.join(fmt.Sprintf("user%d@northwind.example", i)))
		w.pass(time.Second)
	}
	seen := map[string]bool{}
	for start := 1; start <= 5; start += 2 {
		got := w.must(200, "GET", fmt.Sprintf("/Users?startIndex=%d&count=2", start), "")
		list, _ := got.at("Resources").([]any)
		if got.at("totalResults") != 5.0 || got.at("startIndex") != float64(start) || got.at("itemsPerPage") != float64(len(list)) {
			t.Errorf("page from %d: %s", start, got.raw)
		}
		for _, u := range list {
			seen[u.(map[string]any)["id"].(string)] = true
		}
	}
	if len(seen) != 5 {
		t.Errorf("the pages show %d people, want 5", len(seen))
	}
	for q, want := range map[string]float64{"?count=0": 0, "?count=-1": 0, "?startIndex=-3&count=2": 2, "?startIndex=9": 0, "?count=x": 5} {
		if got := w.must(200, "GET", "/Users"+q, ""); got.at("itemsPerPage") != want || got.at("totalResults") != 5.0 {
			t.Errorf("%s: %s", q, got.raw)
		}
	}
	if got := w.must(200, "GET", "/Users/"+keys[0]+"?attributes=userName,name.familyName", ""); got.at("name", "givenName") != nil || got.at("name", "familyName") != "Doe" || got.at("id") == nil || got.at("active") != nil {
		t.Errorf("attributes: %s", got.raw)
	}
	if got := w.must(200, "GET", "/Users/"+keys[0]+"?excludedAttributes=name,id,"+scim.Extension+":region", ""); got.at("name") != nil || got.at("id") == nil || got.at(scim.Extension, "region") != nil || got.at(scim.Extension, "state") == nil {
		t.Errorf("excludedAttributes: %s", got.raw)
	}
	search := w.must(200, "POST", "/Users/.search", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"attributes":["userName"],"filter":"userName sw \"user3\"","startIndex":1,"count":10}`)
	if search.at("totalResults") != 1.0 || strings.Contains(search.raw, "familyName") {
		t.Errorf("search: %s", search.raw)
	}
}

func TestWhatIsNotOfferedSaysSo(t *testing.T) {
	w := newWorld(t)
	if got := w.must(200, "GET", "/Groups?filter=displayName+eq+%22x%22", ""); got.at("totalResults") != 0.0 {
		t.Errorf("groups: %s", got.raw)
	}
	for _, c := range []struct {
		method, path string
		status       int
	}{{"POST", "/Groups", 501}, {"GET", "/Groups/x", 404}, {"POST", "/Bulk", 501}, {"GET", "/Me", 501}, {"GET", "/nowhere", 404}, {"GET", "/", 404}, {"DELETE", "/Users", 405}, {"POST", "/Users/x", 405}, {"POST", "/Schemas", 405}, {"GET", "/Schemas?filter=x", 403}, {"GET", "/Schemas/x", 404}} {
		body := ""
		if c.method == "POST" {
			body = "{}"
		}
		got := w.ask(c.method, c.path, body)
		if got.status != c.status || got.at("status") != fmt.Sprint(c.status) || got.at("detail") == nil {
			t.Errorf("%s %s: got %d %s, want %d", c.method, c.path, got.status, got.raw, c.status)
		}
	}
}

func TestBadRequestsAreRefusedInSCIMsWords(t *testing.T) {
	w := newWorld(t)
	key := w.join("jo")
	long := strings.Repeat("x", 300)
	for _, c := range []struct {
		what, method, path, body string
		status                   int
		scimType                 string
	}{
		{"no JSON", "POST", "/Users", `{`, 400, "invalidSyntax"},
		{"a list", "POST", "/Users", `[]`, 400, "invalidSyntax"},
		{"a name twice", "POST", "/Users", `{"userName":"a","userName":"b"}`, 400, "invalidSyntax"},
		{"a name twice, by case", "POST", "/Users", `{"userName":"a","username":"b"}`, 400, "invalidSyntax"},
		{"trailing data", "POST", "/Users", `{} {}`, 400, "invalidSyntax"},
		{"no userName", "POST", "/Users", `{"displayName":"x"}`, 400, "invalidValue"},
		{"no name", "POST", "/Users", `{"userName":"x"}`, 400, "invalidValue"},
		{"no region", "POST", "/Users", `{"userName":"x","displayName":"x"}`, 400, "invalidValue"},
		{"a region that is none", "POST", "/Users", `{"userName":"x","displayName":"x","addresses":[{"country":"Germany"}]}`, 400, "invalidValue"},
		{"a userName that is too long", "POST", "/Users", `{"userName":"` + long + `","displayName":"x","addresses":[{"country":"US"}]}`, 400, "invalidValue"},
		{"a control character", "POST", "/Users", `{"userName":"a\u0000b","displayName":"x","addresses":[{"country":"US"}]}`, 400, "invalidValue"},
		{"an unknown classification", "POST", "/Users", `{"userName":"x","displayName":"x","urn:sallyport:params:scim:schemas:extension:person:1.0:User":{"region":"US","classification":"robot"}}`, 400, "invalidValue"},
		{"an account that two share", "POST", "/Users", `{"userName":"JO","displayName":"x","addresses":[{"country":"US"}]}`, 409, "uniqueness"},
		{"active that is neither", "POST", "/Users", `{"userName":"x","displayName":"x","active":"perhaps"}`, 400, "invalidValue"},
		{"a bad filter", "GET", "/Users?filter=userName+eq", "", 400, "invalidFilter"},
		{"a filter on what is not kept", "GET", "/Users?filter=emails.value+eq+%22x%22", "", 400, "invalidFilter"},
		{"no operations", "PATCH", "/Users/" + key, `{"Operations":[]}`, 400, "invalidSyntax"},
		{"an unknown operation", "PATCH", "/Users/" + key, `{"Operations":[{"op":"move","path":"active","value":true}]}`, 400, "invalidSyntax"},
		{"a path to nothing", "PATCH", "/Users/" + key, `{"Operations":[{"op":"replace","path":"salary","value":1}]}`, 400, "invalidPath"},
		{"remove without a path", "PATCH", "/Users/" + key, `{"Operations":[{"op":"remove"}]}`, 400, "noTarget"},
		{"remove the userName", "PATCH", "/Users/" + key, `{"Operations":[{"op":"remove","path":"userName"}]}`, 400, "mutability"},
		{"remove active", "PATCH", "/Users/" + key, `{"Operations":[{"op":"remove","path":"active"}]}`, 400, "mutability"},
		{"classify", "PATCH", "/Users/" + key, `{"Operations":[{"op":"replace","path":"urn:sallyport:params:scim:schemas:extension:person:1.0:User:classification","value":"workforce"}]}`, 400, "mutability"},
		{"no address fits", "PATCH", "/Users/" + key, `{"Operations":[{"op":"replace","path":"addresses[type eq \"home\"].country","value":"CA"}]}`, 400, "noTarget"},
	} {
		got := w.ask(c.method, c.path, c.body)
		scimType, _ := got.at("scimType").(string)
		if got.status != c.status || scimType != c.scimType || got.at("detail") == nil || got.at("schemas") == nil {
			t.Errorf("%s: got %d %s, want %d %s", c.what, got.status, got.raw, c.status, c.scimType)
		}
	}
	if got := w.ask("POST", "/Users", "userName=x", "Content-Type", "application/x-www-form-urlencoded"); got.status != http.StatusUnsupportedMediaType {
		t.Errorf("a form: got %d", got.status)
	}
	if got := w.ask("POST", "/Users", `{"userName":"`+strings.Repeat("x", 200<<10)+`"}`); got.status != http.StatusRequestEntityTooLarge {
		t.Errorf("a long body: got %d", got.status)
	}
	// All or nothing: the good operation before the bad one changed nothing.
	w.must(400, "PATCH", "/Users/"+key, `{"Operations":[{"op":"replace","path":"active","value":false},{"op":"replace","path":"salary","value":1}]}`)
	if w.person(key).State == snapshot.Suspended {
		t.Error("half a PATCH was done")
	}
}

func TestADirectoryIsSlowedDown(t *testing.T) {
	w := newWorld(t)
	limited := 0
	for range 300 {
		if got := w.ask("GET", "/Users?count=0", ""); got.status == http.StatusTooManyRequests {
			limited++
			if got.header.Get("Retry-After") == "" {
				t.Fatal("no Retry-After")
			}
		}
	}
	if limited != 100 {
		t.Errorf("of 300 requests at once %d were put off, want 100", limited)
	}
	if got := w.askAs(other, "GET", "/Users", ""); got.status != 200 {
		t.Errorf("another directory pays for it: %d", got.status)
	}
	w.pass(time.Second)
	w.must(200, "GET", "/Users", "")
}

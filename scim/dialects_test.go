package scim_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/scim"
	"github.com/sallyport/sallyport/snapshot"
)

// What directories send, each in its way. The operations are the ones that the
// makers describe for their provisioning services, and RFC 7644's.
func TestDialects(t *testing.T) {
	const patchOp = `"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],`
	type want map[string]any
	for _, c := range []struct {
		what, method, body string
		want               want
	}{
		// Microsoft Entra: capital letters, words for truth, values under a filter,
		// dotted names without a path.
		{"Entra disables", "PATCH", `{` + patchOp + `"Operations":[{"op":"Replace","path":"active","value":"False"}]}`, want{"active": false}},
		{"Entra disables, as SCIM says", "PATCH", `{` + patchOp + `"Operations":[{"op":"Replace","path":"active","value":false}]}`, want{"active": false}},
		{"Entra disables without a path", "PATCH", `{` + patchOp + `"Operations":[{"op":"Replace","value":{"active":"False"}}]}`, want{"active": false}},
		{"Entra updates by dotted names", "PATCH", `{` + patchOp + `"Operations":[{"op":"Add","value":{"name.givenName":"Ann","name.familyName":"Other","displayName":"Ann O."}}]}`, want{"name.formatted": "Ann Other", "displayName": "Ann O."}},
		{"Entra updates a work address", "PATCH", `{` + patchOp + `"Operations":[{"op":"Add","path":"addresses[type eq \"work\"].country","value":"US"},{"op":"Add","path":"addresses[type eq \"work\"].locality","value":"Boston"}]}`, want{"region": "US"}},
		{"Entra updates what is not kept", "PATCH", `{` + patchOp + `"Operations":[{"op":"Replace","path":"emails[type eq \"work\"].value","value":"x@y.example"},{"op":"Add","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department","value":"R"},{"op":"Add","path":"phoneNumbers[type eq \"mobile\"].value","value":"1"}]}`, want{"active": true, "emails": nil}},
		{"Entra updates by enterprise names without a path", "PATCH", `{` + patchOp + `"Operations":[{"op":"Replace","value":{"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber":"7","externalId":"e7"}}]}`, want{"externalId": "e7"}},
		// Okta: PUT of the whole for a profile, PATCH without a path for the state.
		{"Okta deactivates", "PATCH", `{` + patchOp + `"Operations":[{"op":"replace","value":{"active":false}}]}`, want{"active": false}},
		{"Okta pushes a profile", "PUT", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"ignored","userName":"jo@northwind.example","name":{"givenName":"Another","middleName":"","familyName":"Doe"},
			"emails":[{"primary":true,"value":"jo@northwind.example","type":"work"}],"active":true,"groups":[],"meta":{"resourceType":"User"},"password":"secret"}`,
			want{"name.formatted": "Another Doe", "active": true, "region": "US", "password": nil, "externalId": nil}},
		{"Okta deactivates by PUT", "PUT", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"jo@northwind.example","name":{"givenName":"Jo","familyName":"Doe"},"active":false}`, want{"active": false}},
		// RFC 7644, section 3.5.2, on what is kept.
		{"add without a path", "PATCH", `{` + patchOp + `"Operations":[{"op":"add","value":{"emails":[{"value":"babs@jensen.org","type":"home"}],"nickname":"Babs"}}]}`, want{"active": true}},
		{"replace a part", "PATCH", `{` + patchOp + `"Operations":[{"op":"replace","path":"addresses[type eq \"work\"]","value":{"type":"work","streetAddress":"911 Universal City Plaza","locality":"Hollywood","region":"CA","postalCode":"91608","country":"US","primary":true}}]}`, want{"region": "US"}},
		{"replace several", "PATCH", `{` + patchOp + `"Operations":[{"op":"replace","value":{"emails":[{"value":"bjensen@example.com"}],"displayName":"Barbara","addresses":[{"type":"work","country":"CA"}]}}]}`, want{"displayName": "Barbara", "region": "CA", "state": "proposed"}},
		{"remove what may go", "PATCH", `{` + patchOp + `"Operations":[{"op":"remove","path":"displayName"},{"op":"remove","path":"emails[type eq \"work\" and value ew \"example.com\"]"},{"op":"remove","path":"externalId"}]}`, want{"displayName": nil, "externalId": nil}},
		{"a path with its URN", "PATCH", `{` + patchOp + `"Operations":[{"op":"replace","path":"urn:ietf:params:scim:schemas:core:2.0:User:name.familyName","value":"Urn"}]}`, want{"name.formatted": "Jo Urn"}},
		{"names in other cases", "PATCH", `{"SCHEMAS":[],"operations":[{"OP":"REPLACE","Path":"NAME.FAMILYNAME","Value":"Case"}]}`, want{"name.formatted": "Jo Case"}},
		{"the extension by path", "PATCH", `{` + patchOp + `"Operations":[{"op":"replace","path":"urn:sallyport:params:scim:schemas:extension:person:1.0:User:region","value":"US-MA"}]}`, want{"region": "US-MA", "state": "approved"}},
		{"the extension whole", "PATCH", `{` + patchOp + `"Operations":[{"op":"add","path":"urn:sallyport:params:scim:schemas:extension:person:1.0:User","value":{"region":"US-NY","state":"approved","subject":"00u9"}}]}`, want{"region": "US-NY", "subject": "00u9"}},
		{"the last word counts", "PATCH", `{` + patchOp + `"Operations":[{"op":"replace","path":"active","value":false},{"op":"replace","path":"active","value":true}]}`, want{"active": true}},
		{"the whole name beside its parts", "PATCH", `{` + patchOp + `"Operations":[{"op":"replace","path":"name.formatted","value":"Dr. Jo Doe"},{"op":"replace","path":"name.familyName","value":"Does"}]}`, want{"name.formatted": "Dr. Jo Doe"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			w := newWorld(t)
			p := w.must(201, "POST", "/Users", `{"userName":"jo@northwind.example","externalId":"e1","displayName":"Jo D.","name":{"givenName":"Jo","familyName":"Doe"},"addresses":[{"type":"work","country":"US"}]}`)
			w.do("grace", registry.ApprovePerson{ID: w.person(p.id()).ID})
			got := w.must(200, c.method, "/Users/"+p.id(), c.body)
			for path, v := range c.want {
				at := strings.Split(path, ".")
				if path == "region" || path == "state" || path == "subject" {
					at = []string{scim.Extension, path}
				}
				if fmt.Sprint(got.at(at...)) != fmt.Sprint(v) {
					t.Errorf("%s: got %v, want %v, in %s", path, got.at(at...), v, got.raw)
				}
			}
			active := c.want["active"] != false
			if s := w.person(p.id()).State; (s == snapshot.Suspended) == active {
				t.Errorf("the person is %s", s)
			}
		})
	}
}

// RFC 7644's own example of a user (section 3.3) and RFC 7643's (section 8.2, "full
// user"), with the one thing that Sallyport needs beyond them.
func TestTheRFCsExamples(t *testing.T) {
	w := newWorld(t)
	got := w.ask("POST", "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"bjensen","externalId":"bjensen","name":{"formatted":"Ms. Barbara J Jensen III","familyName":"Jensen","givenName":"Barbara"}}`)
	if got.status != 400 || !strings.Contains(got.raw, "region") {
		t.Errorf("without a region: got %d %s", got.status, got.raw)
	}
	full := `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"2819c223-7f76-453a-919d-413861904646","externalId":"701984","userName":"bjensen@example.com",
		"name":{"formatted":"Ms. Barbara J Jensen, III","familyName":"Jensen","givenName":"Barbara","middleName":"Jane","honorificPrefix":"Ms.","honorificSuffix":"III"},
		"displayName":"Babs Jensen","nickName":"Babs","profileUrl":"https://login.example.com/bjensen","emails":[{"value":"bjensen@example.com","type":"work","primary":true},{"value":"babs@jensen.org","type":"home"}],
		"addresses":[{"streetAddress":"100 Universal City Plaza","locality":"Hollywood","region":"CA","postalCode":"91608","country":"US","formatted":"100 Universal City Plaza\nHollywood, CA 91608 US","type":"work","primary":true},
		{"streetAddress":"456 Hollywood Blvd","locality":"Hollywood","region":"CA","postalCode":"91608","country":"US","formatted":"456 Hollywood Blvd\nHollywood, CA 91608 US","type":"home"}],
		"phoneNumbers":[{"value":"555-555-5555","type":"work"}],"ims":[{"value":"someaimhandle","type":"aim"}],"photos":[{"value":"https://photos.example.com/profilephoto/72930000000Ccne/F","type":"photo"}],
		"userType":"Employee","title":"Tour Guide","preferredLanguage":"en-US","locale":"en-US","timezone":"America/Los_Angeles","active":true,"password":"t1meMa$heen",
		"groups":[{"value":"e9e30dba-f08f-4109-8486-d5c6a331660a","display":"Tour Guides"}],"x509Certificates":[{"value":"MII="}],"meta":{"resourceType":"User","version":"W\/\"a330bc54f0671c9\""}}`
	got = w.must(201, "POST", "/Users", full)
	if got.at("name", "formatted") != "Ms. Barbara J Jensen, III" || got.id() == "2819c223-7f76-453a-919d-413861904646" || strings.Contains(got.raw, "t1meMa") || strings.Contains(got.raw, "555-") {
		t.Errorf("got %s", got.raw)
	}
	for _, filter := range []string{`userName eq "BJENSEN@example.com"`, `name.familyName co "ense"`, `userName sw "B"`, `urn:ietf:params:scim:schemas:core:2.0:User:userName sw "b"`,
		`externalId eq "701984"`, `id eq "` + got.id() + `"`, `active eq true and displayName pr`, `not (active eq false)`, `(userName eq "x" or userName ew ".com") and name.givenName eq "barbara"`,
		`addresses[type eq "work" and country eq "US"]`, `meta.resourceType eq "User"`, `urn:sallyport:params:scim:schemas:extension:person:1.0:User:state eq "proposed"`, `externalId gt "7"`} {
		found := w.must(200, "POST", "/Users/.search", string(jsonOf(map[string]any{"filter": filter})))
		if found.at("totalResults") != 1.0 {
			t.Errorf("%s: got %s", filter, found.raw)
		}
	}
	for _, filter := range []string{`userName eq "jensen"`, `externalId eq "70198"`, `not (userName pr)`, `active eq false`, `externalId ne "701984"`, `addresses[country eq "CA"]`} {
		found := w.must(200, "POST", "/Users/.search", string(jsonOf(map[string]any{"filter": filter})))
		if found.at("totalResults") != 0.0 {
			t.Errorf("%s: got %s", filter, found.raw)
		}
	}
}

func jsonOf(v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return raw
}

package scim

import (
	"strings"
	"testing"

	"github.com/sallyport/sallyport/snapshot"
)

var fuzzPerson = &snapshot.Person{ID: "p", Vendor: "v", Name: "Jo Doe", Region: "US", Basis: "b",
	Directory: snapshot.Directory{Connector: "c", UserName: "jo", GivenName: "Jo", FamilyName: "Doe"}}

// A filter is read or refused; what is read answers on any resource, and "not"
// answers the other way round.
func FuzzFilter(f *testing.F) {
	for _, s := range []string{`userName eq "jo"`, `not (active eq true) and name.familyName co "x" or externalId pr`, `addresses[type eq "work" and country ne "US"]`,
		`urn:ietf:params:scim:schemas:core:2.0:User:userName sw "\u0041\""`, Extension + `:region eq null`, `((((userName pr))))`, `userName eq`, `"`, `a[`, `userName eq "\`, strings.Repeat("(", 100)} {
		f.Add(s)
	}
	x := &exchange{s: &Server{c: Config{Base: "https://x.example"}}, c: &snapshot.Connector{ID: "c"}}
	u := x.resource(fuzzPerson)
	f.Fuzz(func(t *testing.T, text string) {
		e, err := parseFilter(text, filterable)
		if err != nil {
			return
		}
		got := e.holds(u)
		if (not{e}).holds(u) == got {
			t.Errorf("%q and its opposite are both %v", text, got)
		}
		// Two filters in brackets can be joined, up to the bounds.
		if again, err := parseFilter("("+text+") and ("+text+")", filterable); err == nil && again.holds(u) != got {
			t.Errorf("%q twice is not what it is once", text)
		}
	})
}

// A PATCH is done or refused as a whole, and nobody is stopped or let on by one
// that does not speak of it.
func FuzzPatch(f *testing.F) {
	for _, s := range []string{
		`{"Operations":[{"op":"Replace","path":"active","value":"False"}]}`,
		`{"Operations":[{"op":"add","value":{"name.givenName":"A","addresses":[{"country":"CA","primary":true}]}}]}`,
		`{"Operations":[{"op":"remove","path":"emails[type eq \"work\"].value"},{"op":"replace","path":"addresses[type eq \"work\"].country","value":"CA"}]}`,
		`{"Operations":[{"op":"add","path":"` + Extension + `","value":{"region":"US-MA","subject":"s"}}]}`,
		`{"Operations":[{"op":"remove","path":"name"},{"op":"replace","value":{"userName":null}}]}`,
		`{"operations":[{"OP":"replace","PATH":"name","VALUE":{"formatted":"x"}}]}`,
		`{"Operations":[{"op":"replace","path":"name","value":[]}]}`, `{"Operations":{}}`, `[]`, `{"a":1,"A":2}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		o, err := object(body)
		if err != nil {
			return
		}
		a := said(fuzzPerson)
		if err := a.patch(o); err != nil {
			return
		}
		if err := a.limit(); err == nil && (a.UserName == "" || a.name() == "" || a.place() == "") {
			t.Errorf("%s leaves %+v", body, a)
		}
		if text := strings.ToLower(string(body)); a.active != nil && !strings.Contains(text, "active") && !strings.Contains(text, `\u`) {
			t.Errorf("%s speaks of active", body)
		}
	})
}

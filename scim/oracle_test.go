package scim_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	oracle "github.com/elimity-com/scim/filter"
	"github.com/elimity-com/scim/schema"
	"pgregory.net/rapid"

	"github.com/sallyport/sallyport/scim"
)

// Another implementation of SCIM reads our schemas, and finds that our people are
// what they say, and what RFC 7643's own schema says.
func TestAnotherImplementationReadsUs(t *testing.T) {
	w := newWorld(t)
	got := w.must(201, "POST", "/Users", `{"userName":"jo","externalId":"1","displayName":"Jo","name":{"givenName":"Jo","familyName":"Doe"},"addresses":[{"country":"US"}]}`)
	read := func(path string) (s schema.Schema) {
		t.Helper()
		if err := json.Unmarshal([]byte(w.must(200, "GET", path, "").raw), &s); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		return s
	}
	user, ext := read("/Schemas/"+scim.UserSchema), read("/Schemas/"+scim.Extension)
	for name, s := range map[string]schema.Schema{"ours": user, "RFC 7643's": schema.CoreUserSchema()} {
		kept, err := s.Validate(got.body)
		if err != nil {
			t.Errorf("%s schema refuses our person: %v", name, err)
		}
		if kept["userName"] != "jo" {
			t.Errorf("%s schema reads %v", name, kept)
		}
	}
	if _, err := ext.ValidateExtension(got.at(scim.Extension)); err != nil {
		t.Errorf("the extension's schema refuses it: %v", err)
	}
	// Every attribute that we show is in a schema.
	for name := range got.body {
		if _, ok := user.Attributes.ContainsAttribute(name); !ok && name != "id" && name != "meta" && name != "schemas" && name != "externalId" && name != scim.Extension {
			t.Errorf("%s is in no schema", name)
		}
	}
	for name := range got.at(scim.Extension).(map[string]any) {
		if _, ok := ext.Attributes.ContainsAttribute(name); !ok {
			t.Errorf("%s is not in the extension's schema", name)
		}
	}
	list := w.must(200, "GET", "/Schemas", "")
	if list.at("totalResults") != 2.0 {
		t.Errorf("got %s", list.raw)
	}
	if got := w.must(200, "GET", "/ResourceTypes", ""); !strings.Contains(got.raw, scim.Extension) {
		t.Errorf("got %s", got.raw)
	}
	if got := w.must(200, "GET", "/ServiceProviderConfig", ""); got.at("patch", "supported") != true || got.at("bulk", "supported") != false || got.at("filter", "maxResults") == nil {
		t.Errorf("got %s", got.raw)
	}
}

// On filters of every form, made at random, both implementations agree about which
// people fit.
func TestFiltersAgreeWithAnotherImplementation(t *testing.T) {
	w := newWorld(t)
	got := w.must(201, "POST", "/Users", `{"userName":"jo@northwind.example","externalId":"Abc","displayName":"Jo D.","name":{"givenName":"Jo","familyName":"Doe"},"addresses":[{"country":"US"}]}`)
	core := schema.CoreUserSchema()
	core.Attributes = append(core.Attributes, schema.CommonAttributes()...)
	words := []string{"jo@northwind.example", "JO@NORTHWIND.EXAMPLE", "Jo", "jo", "Doe", "D", "abc", "Abc", "US", "work", "", "x"}
	var filter func(t *rapid.T, depth int) string
	filter = func(t *rapid.T, depth int) string {
		kind := rapid.IntRange(0, 8).Draw(t, "kind")
		if depth > 3 {
			kind = 8
		}
		switch kind {
		case 0:
			return filter(t, depth+1) + " and " + filter(t, depth+1)
		case 1:
			return filter(t, depth+1) + " or " + filter(t, depth+1)
		case 2:
			return "not (" + filter(t, depth+1) + ")"
		case 3:
			return "(" + filter(t, depth+1) + ")"
		case 4:
			return rapid.SampledFrom([]string{"userName", "externalId", "displayName", "name.givenName", "nAmE.familyName", "active"}).Draw(t, "attribute") + " pr"
		case 5:
			return "active " + rapid.SampledFrom([]string{"eq", "ne"}).Draw(t, "op") + " " + rapid.SampledFrom([]string{"true", "false"}).Draw(t, "bool")
		case 6:
			return fmt.Sprintf(`addresses[%s eq %q]`, rapid.SampledFrom([]string{"type", "country"}).Draw(t, "part"), rapid.SampledFrom(words).Draw(t, "word"))
		}
		op := rapid.SampledFrom([]string{"eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"}).Draw(t, "op")
		return fmt.Sprintf(`%s %s %q`, rapid.SampledFrom([]string{"userName", "externalId", "displayName", "name.givenName", "name.familyName", "id"}).Draw(t, "attribute"), op, rapid.SampledFrom(words).Draw(t, "word"))
	}
	rapid.Check(t, func(rt *rapid.T) {
		text := filter(rt, 0)
		v, err := oracle.NewValidator(text, core)
		if err != nil {
			rt.Fatalf("%s: the other implementation cannot read it: %v", text, err)
		}
		want := v.PassesFilter(got.body) == nil
		w.pass(1e9)
		found := w.ask("POST", "/Users/.search", string(jsonOf(map[string]any{"filter": text})))
		if found.status != 200 || (found.at("totalResults") == 1.0) != want {
			rt.Fatalf("%s: got %d %s, the other implementation says %v", text, found.status, found.raw, want)
		}
	})
}

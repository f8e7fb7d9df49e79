package scim

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"

	"github.com/sallyport/sallyport/snapshot"
)

// account is what a directory says about a person, in the attributes that are
// kept.
type account struct {
	snapshot.Directory        // without its connector
	was                string // the name as it stands, where the directory never said one
	formatted          bool   // the whole name was said in this request
	active             *bool  // nil: the request does not say
	old                string // region as it stands
	region             string // as it was said in this request
	country            string // of the address, as it was said in this request
	classification     string
	basis              string
	subject            string // at the vendor's identity provider
}

// name is the person's name as the registry writes it.
func (a *account) name() string {
	return cmp.Or(a.Formatted, strings.TrimSpace(a.GivenName+" "+a.FamilyName), a.DisplayName, a.was)
}

// requestError is a request that cannot be done; its text holds nothing of it.
type requestError struct {
	scimType, detail string
	status           int // 0: 400
}

func (e *requestError) Error() string { return e.scimType + ": " + e.detail }

func invalidValue(what, want string) error {
	return &requestError{scimType: "invalidValue", detail: what + " " + want}
}

// object reads one JSON object. Names that stand there twice are refused, also
// ones that differ by case alone (RFC 7643, section 2.1).
func object(raw []byte) (map[string]any, error) {
	var o map[string]any
	if err := jsonv2.Unmarshal(raw, &o); err != nil {
		return nil, errors.New("not one JSON object") // the library's words quote the input
	}
	if o == nil || twice(o) {
		return nil, errors.New("a name stands there twice, or there is no object")
	}
	return o, nil
}

// fold is what names are compared by, wherever they are: two that one place takes
// for the same, all do.
func fold(name string) string { return strings.ToLower(name) }

func twice(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		seen := map[string]bool{}
		for k, e := range v {
			if k = fold(k); seen[k] || twice(e) {
				return true
			}
			seen[k] = true
		}
	case []any:
		for _, e := range v {
			if twice(e) {
				return true
			}
		}
	}
	return false
}

// take reads a whole resource, as POST and PUT send it, or the value of a PATCH
// operation without a path. What is not kept is passed over.
func (a *account) take(o map[string]any, flat bool) error {
	for _, k := range slices.Sorted(maps.Keys(o)) {
		v := o[k]
		at, ok := parseAttribute(k)
		if !ok {
			continue // another schema's, or none
		}
		if at.sub != "" && !flat { // only in PATCH, as Microsoft writes it
			continue
		}
		if err := a.set(at, v); err != nil {
			return err
		}
	}
	return nil
}

// set gives an attribute another value.
func (a *account) set(at attribute, v any) error {
	if at.schema == Extension {
		if at.name == "" {
			o, ok := v.(map[string]any)
			if !ok {
				return invalidValue("The extension", "is an object")
			}
			for k, e := range o {
				if err := a.set(attribute{Extension, k, ""}, e); err != nil {
					return err
				}
			}
			return nil
		}
		return a.setExtension(at, v)
	}
	if at.schema == enterprise {
		return nil
	}
	switch strings.ToLower(at.name) {
	case "username":
		return a.text("userName", v, &a.UserName)
	case "externalid":
		return a.text("externalId", v, &a.ExternalID)
	case "displayname":
		return a.text("displayName", v, &a.DisplayName)
	case "active":
		return a.setActive(v)
	case "name":
		return a.setName(at.sub, v)
	case "addresses":
		return a.setAddresses(at.sub, v)
	}
	return nil
}

func (a *account) text(name string, v any, into *string) error {
	switch v := v.(type) {
	case nil:
		*into = ""
	case string:
		if strings.TrimSpace(v) != v {
			return invalidValue(name, "begins or ends with a space")
		}
		*into = v
	default:
		return invalidValue(name, "is a string")
	}
	return nil
}

// setActive takes true and false, and the words "True" and "False", which
// Microsoft Entra sends. Everything else is refused: it must not be guessed
// whether somebody has left.
func (a *account) setActive(v any) error {
	switch t := v.(type) {
	case bool:
		a.active = &t
		return nil
	case string:
		if on := strings.EqualFold(t, "true"); on || strings.EqualFold(t, "false") {
			a.active = &on
			return nil
		}
	}
	return invalidValue("active", "is true or false")
}

func (a *account) setName(sub string, v any) error {
	if sub == "" {
		o, ok := v.(map[string]any)
		if !ok {
			return invalidValue("name", "is an object")
		}
		for k, e := range o {
			if err := a.setName(k, e); err != nil {
				return err
			}
		}
		return nil
	}
	var into *string
	switch strings.ToLower(sub) {
	case "formatted":
		a.formatted = true
		return a.text("name.formatted", v, &a.Formatted)
	case "givenname":
		into = &a.GivenName
	case "familyname":
		into = &a.FamilyName
	default:
		return nil // middleName, honorificPrefix, honorificSuffix
	}
	old := *into
	err := a.text("name."+sub, v, into)
	if *into != old && !a.formatted {
		a.Formatted = "" // another part makes the whole out of date
	}
	return err
}

// setAddresses keeps the country of the primary address, or else of the first one
// that has a country.
func (a *account) setAddresses(sub string, v any) error {
	if sub != "" {
		if !strings.EqualFold(sub, "country") {
			return nil
		}
		return a.text("addresses.country", v, &a.country)
	}
	list, ok := v.([]any)
	if !ok {
		if _, one := v.(map[string]any); !one {
			return invalidValue("addresses", "is a list")
		}
		list = []any{v}
	}
	country := ""
	for _, e := range list {
		o, ok := e.(map[string]any)
		if !ok {
			return invalidValue("addresses", "is a list of objects")
		}
		for _, c := range values(o, []string{"country"}) {
			var one account
			if err := one.text("addresses.country", c, &one.country); err != nil {
				return err
			}
			primary := values(o, []string{"primary"})
			if country == "" || len(primary) == 1 && primary[0] == true {
				country = one.country
			}
		}
	}
	if country != "" {
		a.country = country
	}
	return nil
}

func (a *account) setExtension(at attribute, v any) error {
	if at.sub != "" {
		return nil
	}
	switch strings.ToLower(at.name) {
	case "region":
		return a.text("region", v, &a.region)
	case "classification":
		return a.text("classification", v, &a.classification)
	case "basis":
		return a.text("basis", v, &a.basis)
	case "subject":
		return a.text("subject", v, &a.subject)
	}
	return nil // state, suspendedBy: readOnly
}

// limit wants texts that the registry will take, so that the answer can say which
// attribute is wrong.
func (a *account) limit() error {
	for _, f := range []struct{ name, text string }{{"userName", a.UserName}, {"externalId", a.ExternalID}, {"displayName", a.DisplayName}, {"name.formatted", a.Formatted},
		{"name.givenName", a.GivenName}, {"name.familyName", a.FamilyName}, {"region", a.region}, {"addresses.country", a.country}, {"subject", a.subject}, {"basis", a.basis}} {
		if len(f.text) > 255 {
			return invalidValue(f.name, "is longer than 255 bytes")
		}
		for _, r := range f.text {
			if r < ' ' || r == 0x7f || r == 0xfffd {
				return invalidValue(f.name, "holds a control character or is not UTF-8")
			}
		}
	}
	switch {
	case a.UserName == "":
		return invalidValue("userName", "is missing (RFC 7643, section 4.1.1)")
	case a.name() == "":
		return invalidValue("name", "is missing: send name.formatted, name.givenName and name.familyName, or displayName")
	}
	return nil
}

// place is the person's region: what the extension says, or else the country of
// the address, unless the region lies in it.
func (a *account) place() string {
	if a.region == "" && a.country != "" && !strings.HasPrefix(a.old+"-", a.country+"-") {
		return a.country
	}
	return cmp.Or(a.region, a.old)
}

// said is the account as it stands, to change by PATCH. Whether the person is
// active is not in it: only a request says so.
func said(p *snapshot.Person) *account {
	return &account{Directory: p.Directory, was: p.Name, old: p.Region, subject: p.Login.Subject}
}

// --- PATCH (RFC 7644, section 3.5.2) ---

// maxOperations bounds a PATCH.
const maxOperations = 100

// patch applies a PATCH's operations, all or none.
func (a *account) patch(body map[string]any) error {
	list, ok := one(body, "Operations").([]any)
	if !ok || len(list) == 0 || len(list) > maxOperations {
		return &requestError{scimType: "invalidSyntax", detail: fmt.Sprintf("Operations is not a list of 1 to %d operations", maxOperations)}
	}
	for _, e := range list {
		o, ok := e.(map[string]any)
		if !ok {
			return &requestError{scimType: "invalidSyntax", detail: "An operation is not an object"}
		}
		if err := a.operation(o); err != nil {
			return err
		}
	}
	return nil
}

// one is a member by its name, whatever its case.
func one(o map[string]any, name string) any {
	for k, v := range o {
		if fold(k) == fold(name) {
			return v
		}
	}
	return nil
}

func (a *account) operation(o map[string]any) error {
	op, _ := one(o, "op").(string)
	op = strings.ToLower(op) // Entra writes "Add"
	if op != "add" && op != "replace" && op != "remove" {
		return &requestError{scimType: "invalidSyntax", detail: "op is add, replace or remove"}
	}
	v := one(o, "value")
	path := one(o, "path")
	if path == nil || path == "" {
		value, ok := v.(map[string]any)
		switch {
		case op == "remove":
			return &requestError{scimType: "noTarget", detail: "remove needs a path"}
		case !ok:
			return invalidValue("value", "is an object where there is no path")
		}
		return a.take(value, true)
	}
	text, ok := path.(string)
	if !ok {
		return &requestError{scimType: "invalidPath", detail: "path is a string"}
	}
	at, among, err := parsePath(text)
	if err != nil {
		return err
	}
	if among != nil && at.schema == "" && strings.EqualFold(at.name, "addresses") {
		return a.patchAddress(op, at, among, v)
	}
	if op == "remove" {
		return a.remove(at)
	}
	if v == nil && op == "add" {
		return invalidValue("value", "is missing")
	}
	return a.set(at, v)
}

// patchAddress changes the one address that is kept, where the filter means it.
func (a *account) patchAddress(op string, at attribute, among expr, v any) error {
	country, _, _ := strings.Cut(a.place(), "-")
	there := among.holds(map[string]any{"type": "work", "country": country, "primary": true})
	switch {
	case op == "remove" && there:
		return invalidValue("addresses", "is where the region comes from: replace the country instead")
	case op == "remove":
		return nil
	case op == "replace" && !there && (at.sub == "" || strings.EqualFold(at.sub, "country")):
		return &requestError{scimType: "noTarget", detail: "No address fits the filter; one is kept, of type work"}
	case op == "add" && !there:
		return nil // another address than the one that is kept
	}
	return a.set(at, v)
}

// remove takes an attribute away. What must be there stays, and is refused.
func (a *account) remove(at attribute) error {
	name := strings.ToLower(at.name)
	switch {
	case at.schema == enterprise:
		return nil
	case at.schema == Extension, name == "username", name == "active", name == "addresses":
		return &requestError{scimType: "mutability", detail: cmp.Or(at.name, "The extension") + " cannot be removed; give it another value"}
	case name == "name" && at.sub == "":
		a.Formatted, a.GivenName, a.FamilyName = "", "", ""
		return nil
	}
	return a.set(at, nil)
}

// parsePath reads a PATCH's path: an attribute, or one with a filter and perhaps a
// part after it (RFC 7644, section 3.5.2).
func parsePath(text string) (attribute, expr, error) {
	bad := &requestError{scimType: "invalidPath", detail: "The path names no attribute of a user (RFC 7644, section 3.5.2)"}
	if len(text) > maxFilter {
		return attribute{}, nil, bad
	}
	name, rest, filtered := strings.Cut(text, "[")
	at, ok := parseAttribute(name)
	if !ok || !settable(at) {
		return attribute{}, nil, bad
	}
	if !filtered {
		return at, nil, nil
	}
	end := strings.LastIndexByte(rest, ']')
	if end < 0 || at.sub != "" || at.name == "" || !plural[strings.ToLower(at.name)] {
		return attribute{}, nil, bad
	}
	after := rest[end+1:]
	if after != "" {
		if after[0] != '.' || !isName(after[1:]) {
			return attribute{}, nil, bad
		}
		at.sub = after[1:]
	}
	in, err := parseFilter(rest[:end], func(sub attribute) bool { return sub.schema == "" && sub.sub == "" })
	if err != nil {
		return attribute{}, nil, &requestError{scimType: "invalidFilter", detail: "The filter in the path cannot be read"}
	}
	return at, in, nil
}

// settable reports whether PATCH may name the attribute: one of RFC 7643's, kept
// or not, or the extension's.
func settable(a attribute) bool {
	switch a.schema {
	case enterprise:
		return true
	case Extension:
		return a.name == "" || extensionNames[strings.ToLower(a.name)] && a.sub == ""
	}
	_, ok := coreNames[strings.ToLower(a.name)]
	return ok
}

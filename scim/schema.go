package scim

import (
	"net/http"
	"strings"
)

// The schemas.
const (
	UserSchema = "urn:ietf:params:scim:schemas:core:2.0:User"
	// Extension holds what Sallyport knows of a person beyond SCIM's words.
	Extension  = "urn:sallyport:params:scim:schemas:extension:person:1.0:User"
	enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
)

// coreNames are the attributes of RFC 7643, sections 3.1 and 4.1, in lower case,
// each with whether it is kept.
var coreNames = map[string]bool{
	"id": true, "schemas": true, "meta": true, "externalid": true, "username": true, "name": true, "displayname": true, "active": true, "addresses": true,
	"nickname": false, "profileurl": false, "title": false, "usertype": false, "preferredlanguage": false, "locale": false, "timezone": false,
	"password": false, "emails": false, "phonenumbers": false, "ims": false, "photos": false, "groups": false, "entitlements": false,
	"roles": false, "x509certificates": false,
}

// plural are the attributes that hold lists.
var plural = map[string]bool{"addresses": true, "emails": true, "phonenumbers": true, "ims": true, "photos": true, "groups": true,
	"entitlements": true, "roles": true, "x509certificates": true}

var extensionNames = map[string]bool{"region": true, "classification": true, "basis": true, "subject": true, "state": true, "suspendedby": true}

// filterable reports whether a filter may ask for the attribute: one that is kept.
func filterable(a attribute) bool {
	switch a.schema {
	case Extension:
		return extensionNames[strings.ToLower(a.name)] && a.sub == ""
	case "", UserSchema:
		return coreNames[strings.ToLower(a.name)]
	}
	return false
}

// attr describes an attribute (RFC 7643, section 7).
type attr struct {
	Name        string   `json:"name"`
	Type        string   `json:"type"`
	MultiValued bool     `json:"multiValued"`
	Description string   `json:"description"`
	Required    bool     `json:"required"`
	Canonical   []string `json:"canonicalValues,omitempty"`
	CaseExact   bool     `json:"caseExact"`
	Mutability  string   `json:"mutability"`
	Returned    string   `json:"returned"`
	Uniqueness  string   `json:"uniqueness"`
	Sub         []attr   `json:"subAttributes,omitempty"`
}

func text(name, description, mutability string) attr {
	return attr{Name: name, Type: "string", Description: description, Mutability: mutability, Returned: "default", Uniqueness: "none"}
}

func with(a attr, f func(*attr)) attr { f(&a); return a }

var userAttributes = []attr{
	with(text("userName", "The directory's unique name for the person.", "readWrite"), func(a *attr) { a.Required, a.Uniqueness = true, "server" }),
	{Name: "name", Type: "complex", Description: "The person's name. One of its parts, or displayName, is needed.", Mutability: "readWrite", Returned: "default", Uniqueness: "none", Sub: []attr{
		text("formatted", "The whole name.", "readWrite"), text("familyName", "The family name.", "readWrite"), text("givenName", "The given name.", "readWrite")}},
	text("displayName", "The name to show.", "readWrite"),
	{Name: "active", Type: "boolean", Description: "False stops the person at once. True ends a suspension by the directory and no other; it approves nobody.", Mutability: "readWrite", Returned: "default", Uniqueness: "none"},
	{Name: "addresses", Type: "complex", MultiValued: true, Description: "One address, of which the country is kept: the person's region, where the extension does not say it.", Mutability: "readWrite", Returned: "default", Uniqueness: "none", Sub: []attr{
		text("country", "ISO 3166-1 alpha-2.", "readWrite"), with(text("type", "Always work.", "readWrite"), func(a *attr) { a.Canonical = []string{"work"} }),
		{Name: "primary", Type: "boolean", Description: "Always true.", Mutability: "readWrite", Returned: "default", Uniqueness: "none"}}},
}

var extensionAttributes = []attr{
	text("region", "Where the person works: ISO 3166, such as US or US-MA. Another region needs a new approval.", "readWrite"),
	with(text("subject", "The sub by which the vendor's identity provider knows the person; left out, externalId is taken, unless it is an address.", "readWrite"), func(a *attr) { a.CaseExact = true }),
	with(text("classification", "45 CFR 160.103. The organisation stands by it when it approves the person.", "immutable"), func(a *attr) { a.Canonical = []string{"business-associate", "workforce"} }),
	text("basis", "Why the person is so classified.", "immutable"),
	with(text("state", "proposed: waits for the organisation's approval, and has no access; approved; suspended.", "readOnly"), func(a *attr) { a.Canonical = []string{"proposed", "approved", "suspended"} }),
	with(text("suspendedBy", "Whose suspensions stand.", "readOnly"), func(a *attr) {
		a.MultiValued, a.Canonical = true, []string{"directory", "organisation", "other"}
	}),
}

// discovery is what a directory can ask about the service itself (RFC 7644,
// section 4).
type discovery struct{ config, users, schemas map[string]any }

func newDiscovery(base string) discovery {
	yes := func(b bool) map[string]any { return map[string]any{"supported": b} }
	meta := func(kind, path string) map[string]any {
		return map[string]any{"resourceType": kind, "location": base + path}
	}
	schema := func(key, name, description string, attributes []attr) map[string]any {
		return map[string]any{"schemas": []any{"urn:ietf:params:scim:schemas:core:2.0:Schema"}, "id": key, "name": name, "description": description,
			"attributes": attributes, "meta": meta("Schema", "/Schemas/"+key)}
	}
	return discovery{
		config: map[string]any{
			"schemas": []any{"urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"},
			"patch":   yes(true), "changePassword": yes(false), "sort": yes(false), "etag": yes(true),
			"bulk":   map[string]any{"supported": false, "maxOperations": 0, "maxPayloadSize": 0},
			"filter": map[string]any{"supported": true, "maxResults": maxPage},
			"authenticationSchemes": []any{map[string]any{"type": "oauthbearertoken", "name": "Bearer token", "primary": true,
				"description": "The token that the organisation registered for this directory (RFC 6750)", "specUri": "https://www.rfc-editor.org/info/rfc6750"}},
			"meta": meta("ServiceProviderConfig", "/ServiceProviderConfig"),
		},
		users: map[string]any{"schemas": []any{"urn:ietf:params:scim:schemas:core:2.0:ResourceType"}, "id": "User", "name": "User", "endpoint": "/Users",
			"description": "A person of the vendor", "schema": UserSchema, "schemaExtensions": []any{map[string]any{"schema": Extension, "required": false}},
			"meta": meta("ResourceType", "/ResourceTypes/User")},
		schemas: map[string]any{
			UserSchema: schema(UserSchema, "User", "A person of the vendor, in the attributes that are kept", userAttributes),
			Extension:  schema(Extension, "Person", "What Sallyport knows of a person", extensionAttributes),
		},
	}
}

func (d discovery) answer(kind string, rest []string, filtered bool) answer {
	if filtered { // RFC 7644, section 4: a filter is answered with 403
		return failed(http.StatusForbidden, "", "This cannot be filtered")
	}
	ok := func(body any) answer { return answer{status: http.StatusOK, body: body} }
	switch {
	case kind == "ServiceProviderConfig":
		return ok(d.config)
	case kind == "ResourceTypes" && len(rest) == 0:
		return ok(listOf([]any{d.users}, 1, 1))
	case kind == "ResourceTypes" && rest[0] == "User":
		return ok(d.users)
	case kind == "Schemas" && len(rest) == 0:
		return ok(listOf([]any{d.schemas[UserSchema], d.schemas[Extension]}, 2, 1))
	case kind == "Schemas":
		if s, found := d.schemas[rest[0]]; found {
			return ok(s)
		}
	}
	return notFound()
}

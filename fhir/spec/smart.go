package spec

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Scope is a SMART App Launch 2 scope for FHIR resources: "system/Observation.rs".
// (hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html). The zero Scope
// allows nothing. Version 1 scopes (.read, .write, .*) are not accepted: their
// meaning differs between servers.
type Scope struct {
	Context  string // "patient", "user", "system"
	Resource string // a resource type, or "*"
	Actions  string // letters of "cruds", in that order
	// Query narrows the scope to resources that match a search ("category=..."),
	// as written. Allows refuses a narrowed scope, because only who evaluates the
	// query can keep to it: see Within.
	Query string
}

// ParseScope reads one scope. Scopes that are not about resources (openid,
// launch, offline_access ...) are an error.
func ParseScope(s string) (Scope, error) {
	var sc Scope
	context, rest, ok := strings.Cut(s, "/")
	if !ok || !slices.Contains([]string{"patient", "user", "system"}, context) {
		return Scope{}, errors.New(`scope: want "patient/", "user/" or "system/" first`)
	}
	what, query, narrowed := strings.Cut(rest, "?")
	resource, actions, ok := strings.Cut(what, ".")
	if !ok {
		return Scope{}, errors.New(`scope: want a resource type, "." and letters of "cruds"`)
	}
	if resource != "*" && !IsResource(resource) {
		return Scope{}, errors.New("scope: not a resource type of R4")
	}
	if actions == "" || !ordered(actions, "cruds") {
		return Scope{}, errors.New(`scope: want one or more letters of "cruds", each once, in that order`)
	}
	if narrowed {
		values, err := url.ParseQuery(query)
		if err != nil || len(values) == 0 || strings.ContainsFunc(query, notScopeChar) {
			return Scope{}, errors.New("scope: the query after ? is not one of name=value pairs")
		}
		if resource != "*" {
			for name := range values {
				code, _, _ := strings.Cut(name, ":")
				code, _, _ = strings.Cut(code, ".")
				if _, ok := Search(resource, code); !ok && code != "_has" {
					return Scope{}, fmt.Errorf("scope: %s has no search parameter that the query names", resource)
				}
			}
		}
	}
	sc.Context, sc.Resource, sc.Actions, sc.Query = context, resource, actions, query
	return sc, nil
}

// ParseScopes reads a list separated by spaces, the form of OAuth's scope
// parameter (RFC 6749, section 3.3). One bad scope refuses them all.
func ParseScopes(list string) ([]Scope, error) {
	var out []Scope
	for _, s := range strings.Fields(list) {
		sc, err := ParseScope(s)
		if err != nil {
			return nil, err
		}
		out = append(out, sc)
	}
	return out, nil
}

func ordered(s, of string) bool {
	for _, c := range s {
		i := strings.IndexRune(of, c)
		if i < 0 {
			return false
		}
		of = of[i+1:]
	}
	return true
}

// notScopeChar: RFC 6749 section 3.3 leaves out space, quote and backslash.
func notScopeChar(c rune) bool { return c <= ' ' || c == '"' || c == '\\' || c > '~' }

// String writes the scope as it was read.
func (s Scope) String() string {
	if s.Context == "" {
		return ""
	}
	out := s.Context + "/" + s.Resource + "." + s.Actions
	if s.Query != "" {
		out += "?" + s.Query
	}
	return out
}

// Allows says whether the scope allows an interaction (R4's names: "read",
// "vread", "search-type", "create" ...) on every resource of the type. A scope
// that a query narrows does not.
func (s Scope) Allows(resource, interaction string) bool {
	return s.Query == "" && s.Within(resource, interaction)
}

// Within is Allows for a caller that itself keeps to Query.
func (s Scope) Within(resource, interaction string) bool {
	letter := scopeLetter(interaction)
	return letter != 0 && strings.IndexByte(s.Actions, letter) >= 0 &&
		IsResource(resource) && (s.Resource == "*" || s.Resource == resource)
}

// scopeLetter maps R4's interactions as SMART 2 does; 0 is none.
func scopeLetter(interaction string) byte {
	switch interaction {
	case "read", "vread", "history-instance":
		return 'r'
	case "search-type", "search-system", "history-type", "history-system":
		return 's'
	case "create":
		return 'c'
	case "update", "patch":
		return 'u'
	case "delete":
		return 'd'
	}
	return 0
}

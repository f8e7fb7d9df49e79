package identity

import (
	"errors"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/fhir/spec"
)

// maxScopes bounds how many scopes a token carries: R4 has 148 resource types.
const maxScopes = 160

// Scopes are the SMART v2 scopes of a token. The zero Scopes allow nothing.
type Scopes struct {
	list []spec.Scope
	text string
}

// ParseScopes reads the value of a scope parameter. Only scopes of context
// "system" are accepted, since no user and no patient takes part in backend
// services, and none narrowed by a query: what could not be kept to is better
// refused at once.
func ParseScopes(s string) (Scopes, error) { return parseScopes(s, "system") }

// ParseUserScopes is ParseScopes for an application that acts for a person: of
// context "user" only. Which patients, their grant says and not a launch.
func ParseUserScopes(s string) (Scopes, error) { return parseScopes(s, "user") }

func parseScopes(s, context string) (Scopes, error) {
	list, err := spec.ParseScopes(s)
	if err != nil {
		return Scopes{}, err
	}
	var out Scopes
	for _, sc := range list {
		switch {
		case sc.Context != context:
			return Scopes{}, errors.New("scope: a scope of another context is not offered here")
		case sc.Query != "":
			return Scopes{}, errors.New("scope: a scope narrowed by a query is not offered")
		case !slices.Contains(out.list, sc):
			out.list = append(out.list, sc)
		}
	}
	if len(out.list) == 0 || len(out.list) > maxScopes {
		return Scopes{}, errors.New("scope: want at least one scope, and not more than there are resource types")
	}
	words := make([]string, len(out.list))
	for i, sc := range out.list {
		words[i] = sc.String()
	}
	out.text = strings.Join(words, " ")
	return out, nil
}

// Within reports whether each of the scopes is among those of the other.
func (s Scopes) Within(other Scopes) bool {
	for _, sc := range s.list {
		if !slices.Contains(other.list, sc) {
			return false
		}
	}
	return len(s.list) > 0
}

// Allows says whether any of the scopes allows an interaction (R4's names:
// "read", "search-type" ...) on the resource type.
func (s Scopes) Allows(resource, interaction string) bool {
	for i := range s.list {
		if s.list[i].Allows(resource, interaction) {
			return true
		}
	}
	return false
}

// String is the scopes as they are written in a token.
func (s Scopes) String() string { return s.text }

// withoutOnline takes online_access, which is no scope of resources, out of a
// list.
func withoutOnline(s string) string {
	words := strings.Fields(s)
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == onlineAccess }), " ")
}

package identity

import (
	"errors"
	"strings"
)

// Scopes are SMART v2 scopes, as an access token carries them.
type Scopes struct{ text string }

// ParseScopes reads the value of a scope parameter.
func ParseScopes(s string) (Scopes, error) {
	if strings.TrimSpace(s) == "" {
		return Scopes{}, errors.New("no scope")
	}
	return Scopes{s}, nil
}

// String is the scopes as they are written in a token.
func (s Scopes) String() string { return s.text }

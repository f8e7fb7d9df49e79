package ssf

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

func decodeSegment(s string) ([]byte, error) { return base64.RawURLEncoding.DecodeString(s) }

// identifier is a subject identifier (RFC 9493), in the formats that are
// understood, or a complex subject (SSF 1.0).
type identifier struct {
	Format      string       `json:"format"`
	Issuer      string       `json:"iss"`
	Subject     string       `json:"sub"`
	ID          string       `json:"id"`
	Email       string       `json:"email"`
	URI         string       `json:"uri"`
	Identifiers []identifier `json:"identifiers"`
	User        *identifier  `json:"user"`
	Device      *identifier  `json:"device"`
	Session     *identifier  `json:"session"`
}

// maxAliases bounds the identifiers of one subject.
const maxAliases = 16

// about is whom and what an event is about, of the connector's own vendor.
type about struct {
	persons  []*snapshot.Person
	devices  []*snapshot.Device
	sessions []*snapshot.Session
	// narrow: one session or more is named and was found, so that only those end.
	narrow bool
}

// subjects finds what a subject means. What is not there, or is not the vendor's,
// is left out: the two cannot be told apart from outside.
func subjects(v *snapshot.View, c *snapshot.Connector, raw jsontext.Value) about {
	var s identifier
	if raw == nil || jsonv2.Unmarshal(raw, &s) != nil {
		return about{}
	}
	var out about
	user, device, session := &s, (*identifier)(nil), (*identifier)(nil)
	if s.Format == "complex" || s.Format == "" && (s.User != nil || s.Device != nil || s.Session != nil) {
		user, device, session = s.User, s.Device, s.Session
	}
	if user != nil {
		out.persons = persons(v, c, *user)
		// Transmitters name a device or a session alone, too.
		if user == &s {
			out.devices = devices(v, c, s)
			out.sessions = sessions(v, c, s)
			out.narrow = len(out.sessions) > 0 && len(out.persons) == 0
		}
	}
	if device != nil {
		out.devices = devices(v, c, *device)
	}
	if session != nil {
		out.sessions = sessions(v, c, *session)
		// A session of somebody else than the user who is named: both end.
		out.narrow = len(out.sessions) > 0 && !slices.ContainsFunc(out.sessions, func(x *snapshot.Session) bool {
			return len(out.persons) > 0 && !slices.ContainsFunc(out.persons, func(p *snapshot.Person) bool { return p.ID == x.Person })
		})
	}
	return out
}

// flat is an identifier and, for aliases, those that it stands for.
func flat(s identifier) []identifier {
	if s.Format != "aliases" {
		return []identifier{s}
	}
	if len(s.Identifiers) > maxAliases {
		return s.Identifiers[:maxAliases]
	}
	return s.Identifiers
}

func persons(v *snapshot.View, c *snapshot.Connector, s identifier) (out []*snapshot.Person) {
	all := flat(s)
	for _, p := range v.Persons.All() {
		if p.Vendor == c.Vendor && p.State != snapshot.Ended && slices.ContainsFunc(all, func(s identifier) bool { return isPerson(v, c, p, s) }) {
			out = append(out, p)
		}
	}
	return out
}

// isPerson reports whether an identifier means a person of the connector's vendor.
// An address counts only as the userName that the vendor's directory gave.
func isPerson(v *snapshot.View, c *snapshot.Connector, p *snapshot.Person, s identifier) bool {
	switch s.Format {
	case "iss_sub":
		provider, ok := v.Connectors.Get(p.Login.Connector)
		return ok && s.Subject != "" && p.Login.Subject == s.Subject && provider.Issuer == s.Issuer && provider.Vendor == c.Vendor
	case "opaque":
		return s.ID != "" && (p.Login.Subject == s.ID || p.Directory.ExternalID == s.ID || string(p.ID) == s.ID)
	case "email":
		return s.Email != "" && strings.EqualFold(p.Directory.UserName, s.Email)
	case "account":
		name, ok := strings.CutPrefix(s.URI, "acct:")
		return ok && name != "" && strings.EqualFold(p.Directory.UserName, name)
	}
	return false
}

// devices finds a device by its id here or by the digest of its key.
func devices(v *snapshot.View, c *snapshot.Connector, s identifier) (out []*snapshot.Device) {
	for _, one := range flat(s) {
		if one.Format != "opaque" || one.ID == "" {
			continue
		}
		d, ok := v.Devices.Get(id.Device(one.ID))
		if !ok {
			d, ok = v.DeviceByKey(snapshot.KeyDigest(strings.ToLower(one.ID)))
		}
		if ok && d.Vendor == c.Vendor && !slices.Contains(out, d) {
			out = append(out, d)
		}
	}
	return out
}

// sessions finds sessions by the provider's name for them, which is kept as a
// digest, or by their id here.
func sessions(v *snapshot.View, c *snapshot.Connector, s identifier) (out []*snapshot.Session) {
	for _, one := range flat(s) {
		key := one.ID
		if one.Format == "iss_sub" {
			key = one.Subject
		}
		if key == "" {
			continue
		}
		sum := sha256.Sum256([]byte(key))
		digest := hex.EncodeToString(sum[:])
		for _, x := range v.Sessions.All() {
			if x.Vendor == c.Vendor && (x.ProviderSession256 == digest || string(x.ID) == key) {
				out = append(out, x)
			}
		}
	}
	return out
}

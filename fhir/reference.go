package fhir

import (
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/sallyport/sallyport/fhir/spec"
)

// RefKind is how a reference names what it refers to (R4, references.html). The
// zero RefKind is a text that is no reference.
type RefKind uint8

// The kinds of reference.
const (
	NotAReference RefKind = iota
	Literal               // a resource of this server: "Patient/1", or absolute on one of its base addresses
	Foreign               // an absolute address elsewhere; Type and ID are set where its end looks like a resource's
	Contained             // "#x", in Fragment; "#" alone is the containing resource
	URN                   // urn:uuid:..., urn:oid:...
	Conditional           // "Patient?identifier=...": a search, in Query
)

// Ref is the text of a Reference.reference, understood. It prints as [PHI].
type Ref struct {
	Kind     RefKind
	Base     string // of an absolute reference, as written, without the slash at the end; "" for a relative one
	Type, ID string
	Version  string
	Fragment string
	Query    string
	URN      string
}

// Format implements fmt.Formatter: an id is patient data.
func (Ref) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "[PHI]") }

// LogValue implements slog.LogValuer.
func (Ref) LogValue() slog.Value { return slog.StringValue("[PHI]") }

// ParseRef reads a reference. bases are the addresses of this server, such as
// "https://ehr.example.org/fhir": what begins with one of them is Literal. They
// are compared byte by byte: what only looks like this server's is Foreign, and a
// caller that must know whose it is refuses it. A canonical address (of a
// Questionnaire, a profile) is no reference: its element's type says which it is.
func ParseRef(s string, bases ...string) Ref {
	switch {
	case s == "" || len(s) > 2048 || strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c == '\\' || c == 0x7f || c == 0xfffd }):
		return Ref{}
	case s[0] == '#':
		return Ref{Kind: Contained, Fragment: s[1:]}
	case strings.HasPrefix(s, "urn:"):
		if !spec.Valid("uuid", s) && !spec.Valid("oid", s) {
			return Ref{}
		}
		return Ref{Kind: URN, URN: s}
	}
	for _, base := range bases {
		base = strings.TrimSuffix(base, "/")
		if rest, ok := strings.CutPrefix(s, base+"/"); ok && base != "" {
			r := relative(rest)
			if r.Kind == NotAReference {
				return Ref{}
			}
			r.Base = base
			return r
		}
	}
	if scheme, rest, ok := strings.Cut(s, "://"); ok {
		if scheme != "http" && scheme != "https" || rest == "" || rest[0] == '/' {
			return Ref{}
		}
		return foreign(s)
	}
	return relative(s)
}

func relative(s string) Ref {
	var r Ref
	if name, query, ok := strings.Cut(s, "?"); ok {
		if !spec.IsResource(name) || query == "" {
			return Ref{}
		}
		return Ref{Kind: Conditional, Type: name, Query: query}
	}
	s, r.Fragment, _ = strings.Cut(s, "#")
	parts := strings.Split(s, "/")
	if len(parts) != 2 && (len(parts) != 4 || parts[2] != "_history") {
		return Ref{}
	}
	if !spec.IsResource(parts[0]) || !spec.ValidID(parts[1]) {
		return Ref{}
	}
	r.Kind, r.Type, r.ID = Literal, parts[0], parts[1]
	if len(parts) == 4 {
		if !spec.ValidID(parts[3]) {
			return Ref{}
		}
		r.Version = parts[3]
	}
	return r
}

// foreign looks for [type]/[id], with or without a version, at an address's end.
func foreign(s string) Ref {
	out := Ref{Kind: Foreign, Base: s}
	parts := strings.Split(s, "/")
	for _, n := range []int{4, 2} {
		if len(parts) < n+3 { // scheme, nothing, host
			continue
		}
		r := relative(strings.Join(parts[len(parts)-n:], "/"))
		if r.Kind == Literal {
			r.Kind, r.Base = Foreign, strings.Join(parts[:len(parts)-n], "/")
			return r
		}
	}
	return out
}

// Text writes the reference as it was read; "" for the zero Ref. It is patient data.
func (r Ref) Text() string {
	var b strings.Builder
	switch r.Kind {
	case Literal, Foreign:
		b.WriteString(r.Base)
		if r.Type != "" {
			if r.Base != "" {
				b.WriteByte('/')
			}
			b.WriteString(r.Type + "/" + r.ID)
		}
		if r.Version != "" {
			b.WriteString("/_history/" + r.Version)
		}
		if r.Fragment != "" {
			b.WriteString("#" + r.Fragment)
		}
	case Contained:
		b.WriteString("#" + r.Fragment)
	case URN:
		b.WriteString(r.URN)
	case Conditional:
		if r.Base != "" {
			b.WriteString(r.Base + "/")
		}
		b.WriteString(r.Type + "?" + r.Query)
	}
	return b.String()
}

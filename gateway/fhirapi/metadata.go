package fhirapi

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/sallyport/sallyport/deid"
	"github.com/sallyport/sallyport/fhir/spec"
	"github.com/sallyport/sallyport/gateway"
)

// capabilities is metadata: what this caller may do, and no more.
type capabilities struct {
	p *Protocol
	s gateway.Standing
}

// Words implements gateway.Question.
func (q *capabilities) Words() gateway.Words { return gateway.Words{Interaction: "capabilities"} }

// Fetch implements gateway.Question; a statement asks no source.
func (q *capabilities) Fetch(context.Context, *gateway.Desk) (gateway.Answer, error) {
	return nil, errors.New("fhirapi: metadata is a statement")
}

type capabilityStatement struct {
	ResourceType   string         `json:"resourceType"`
	Status         string         `json:"status"`
	Date           string         `json:"date"`
	Kind           string         `json:"kind"`
	Software       software       `json:"software"`
	Implementation implementation `json:"implementation"`
	FHIRVersion    string         `json:"fhirVersion"`
	Format         []string       `json:"format"`
	Rest           []rest         `json:"rest"`
}

type software struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
}

type implementation struct {
	Description string `json:"description"`
	URL         string `json:"url"`
}

type rest struct {
	Mode        string         `json:"mode"`
	Security    security       `json:"security"`
	Resource    []restResource `json:"resource,omitempty"`
	Interaction []interaction  `json:"interaction,omitempty"`
}

type security struct {
	Extension []oauthURIs `json:"extension,omitempty"`
	Service   []concept   `json:"service"`
}

// oauthURIs says where the token endpoint is, for clients that look here (SMART
// App Launch 1.0) rather than at .well-known/smart-configuration.
type oauthURIs struct {
	URL       string     `json:"url"`
	Extension []oauthURI `json:"extension"`
}

type oauthURI struct {
	URL      string `json:"url"`
	ValueURI string `json:"valueUri"`
}

type concept struct {
	Coding []coding `json:"coding"`
}

type interaction struct {
	Code string `json:"code"`
}

type restResource struct {
	Type        string        `json:"type"`
	Interaction []interaction `json:"interaction,omitempty"`
	SearchParam []searchParam `json:"searchParam,omitempty"`
	Operation   []operation   `json:"operation,omitempty"`
}

type searchParam struct {
	Name string         `json:"name"`
	Type spec.ParamType `json:"type"`
}

type operation struct {
	Name       string `json:"name"`
	Definition string `json:"definition"`
}

// State implements gateway.Statement.
func (q *capabilities) State(d *gateway.Desk) (string, []byte, error) {
	role, scopes := d.Limits().Role, q.s.Caller.Scopes()
	r := rest{Mode: "server", Interaction: []interaction{{"batch"}},
		Security: security{Service: []concept{{Coding: []coding{{"http://terminology.hl7.org/CodeSystem/restful-security-service", "SMART-on-FHIR"}}}}}}
	if q.p.tokenURL != "" {
		r.Security.Extension = []oauthURIs{{"http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris", []oauthURI{{"token", q.p.tokenURL}}}}
	}
	for _, typ := range slices.Sorted(maps.Keys(role.Resources)) {
		res := restResource{Type: typ}
		for _, code := range []string{"read", "vread", "search-type"} {
			if slices.Contains(role.Resources[typ].Interactions, code) && scopes.Allows(typ, code) {
				res.Interaction = append(res.Interaction, interaction{code})
			}
		}
		if slices.ContainsFunc(res.Interaction, func(i interaction) bool { return i.Code == "search-type" }) {
			res.SearchParam = searchParams(typ, d.Scope(), role.Resources[typ].Elements)
		}
		if typ == "Patient" && slices.Contains(role.Resources[typ].Interactions, "everything") && scopes.Allows(typ, "read") && scopes.Allows(typ, "search-type") {
			res.Operation = []operation{{"everything", "http://hl7.org/fhir/OperationDefinition/Patient-everything"}}
		}
		if len(res.Interaction) > 0 || len(res.Operation) > 0 {
			r.Resource = append(r.Resource, res)
		}
	}
	return fhirJSON, marshal(capabilityStatement{
		ResourceType: "CapabilityStatement", Status: "active", Kind: "instance", FHIRVersion: "4.0.1", Format: []string{"json"},
		Date:           d.View().Confirmed().UTC().Format("2006-01-02"),
		Software:       software{"Sallyport", q.p.version},
		Implementation: implementation{"What this caller may do here, by its role and its token's scopes", q.s.Public},
		Rest:           []rest{r},
	}), nil
}

// searchParams are those that read only what the role shows in full, or codes
// and years in their own terms.
func searchParams(typ string, scope *deid.Scope, named []string) []searchParam {
	var out []searchParam
	for _, code := range spec.SearchCodes(typ) {
		p, ok := spec.Search(typ, code)
		if !ok || p.Opaque || len(p.Elements) == 0 {
			continue
		}
		visible := true
		for _, e := range p.Elements {
			visible = visible && (byRule(e) || covered(typ, named, e)) && scope.Search(e, p.Type) != deid.Hidden
		}
		if visible {
			out = append(out, searchParam{code, p.Type})
		}
	}
	return out
}

func covered(typ string, named []string, path string) bool {
	return slices.ContainsFunc(named, func(n string) bool { return spec.Covers(typ+"."+n, path) })
}

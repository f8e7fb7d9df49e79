package identity

import (
	"net/http"

	"github.com/go-jose/go-jose/v4"

	"github.com/sallyport/sallyport/problem"
)

// Endpoints says where what is. An empty URL is not offered, and not announced.
type Endpoints struct {
	Issuer     string // of tokens, and in answers to authorization requests (RFC 9207)
	Token      string
	Authorize  string // a person's consent, and with it codes and refresh tokens
	Revoke     string // RFC 7009
	Introspect string // RFC 7662
	Register   string // UDAP
}

// smartConfiguration is SMART App Launch 2, "Conformance", with RFC 8414's
// names, RFC 8705's (section 3.3), RFC 9449's (section 5.1) and RFC 9207's.
type smartConfiguration struct {
	Issuer            string   `json:"issuer,omitempty"`
	AuthorizeEndpoint string   `json:"authorization_endpoint,omitempty"`
	TokenEndpoint     string   `json:"token_endpoint"`
	Revocation        string   `json:"revocation_endpoint,omitempty"`
	Introspection     string   `json:"introspection_endpoint,omitempty"`
	Registration      string   `json:"registration_endpoint,omitempty"`
	AuthMethods       []string `json:"token_endpoint_auth_methods_supported"`
	SigningAlgorithms []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	GrantTypes        []string `json:"grant_types_supported"`
	ResponseTypes     []string `json:"response_types_supported,omitempty"`
	Scopes            []string `json:"scopes_supported"`
	Capabilities      []string `json:"capabilities,omitempty"`
	ChallengeMethods  []string `json:"code_challenge_methods_supported"`
	CertificateBound  bool     `json:"tls_client_certificate_bound_access_tokens"`
	ProofAlgorithms   []string `json:"dpop_signing_alg_values_supported"`
	NamesIssuer       bool     `json:"authorization_response_iss_parameter_supported,omitempty"`
}

func (e Endpoints) describe() smartConfiguration {
	c := smartConfiguration{
		TokenEndpoint: e.Token,
		Revocation:    e.Revoke,
		Introspection: e.Introspect,
		Registration:  e.Register,
		AuthMethods:   []string{"private_key_jwt"},
		GrantTypes:    []string{"client_credentials"},
		Scopes:        []string{"system/*.rs"},
		Capabilities:  []string{"client-confidential-asymmetric", "permission-v2"},
		// Required of every server by SMART, whether or not a code flow is offered.
		ChallengeMethods: []string{"S256"},
		CertificateBound: true,
		ProofAlgorithms:  []string{string(jose.ES256)},
	}
	if e.Authorize != "" {
		c.AuthorizeEndpoint, c.NamesIssuer = e.Authorize, true
		c.AuthMethods = append(c.AuthMethods, "none")
		c.GrantTypes = append(c.GrantTypes, "authorization_code", "refresh_token")
		c.ResponseTypes = []string{"code"}
		c.Scopes = append(c.Scopes, "user/*.rs", onlineAccess)
		c.Capabilities = append(c.Capabilities, "launch-standalone", "client-public", "permission-user", "permission-online")
	}
	for _, alg := range assertionAlgorithms {
		c.SigningAlgorithms = append(c.SigningAlgorithms, string(alg))
	}
	return c
}

// SMARTConfiguration serves .well-known/smart-configuration: how to get a
// token. It holds nothing about anybody. SMART has no issuer there where people do
// not sign in by OpenID Connect: see ServerMetadata.
func SMARTConfiguration(e Endpoints) http.Handler { return document(e.describe()) }

// ServerMetadata serves .well-known/oauth-authorization-server (RFC 8414), with
// the issuer that clients compare (RFC 9207).
func ServerMetadata(e Endpoints) http.Handler {
	c := e.describe()
	c.Issuer, c.Capabilities = e.Issuer, nil
	return document(c)
}

func document(v any) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !problem.Takes(w, r, http.MethodGet, http.MethodHead) {
			return
		}
		writeJSON(w, http.StatusOK, v)
	})
}

package identity

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

// UDAP is dynamic registration of applications by certificate (UDAP Dynamic
// Client Registration, as HL7's guide "Security for Scalable Registration,
// Authentication, and Authorization" constrains it), and the metadata that leads
// to it.
//
// A community's certificate does not let anybody in. The organisation has approved
// a connector of kind udap for a vendor: it names the one URI that stands in the
// certificates of that vendor's application, and the authorities they lead to. So
// no member of a community can pass for another, and what registers is proposed,
// for people to approve like every application. From then on the application
// signs its assertions with that certificate's key, brings the certificate with
// each, and states a purpose of use that must be the engagement's.
//
// Not done: certificates are not looked up in revocation lists (CRL, OCSP). The
// keys are registered, so the organisation ends an application or a connector by
// an act, at once.
type UDAP struct{ c UDAPConfig }

// UDAPConfig is what the endpoints need; all of it.
type UDAPConfig struct {
	Endpoints Endpoints
	// Signer signs the metadata. Its certificate names the base URL of each FHIR server
	// for which it may, as a URI in its subjectAltName.
	Signer *Credential
	// Community is the URI of the community that issued that certificate, as clients
	// name it in their question; empty: questions that name one are not answered.
	Community string
	Verifier  *Verifier
	View      func() *snapshot.View
	Replays   *Replays
	Registrar Registrar
	Log       *slog.Logger
}

// Registrar writes registrations to the registry, as the connector. An error is a
// problem, as with Book.
type Registrar interface {
	// Register proposes the application.
	Register(ctx context.Context, by id.Connector, app snapshot.App) error
	// Rotate gives it other keys; they must be approved.
	Rotate(ctx context.Context, by id.Connector, app id.App, keys []byte) error
	// Cancel ends it.
	Cancel(ctx context.Context, by id.Connector, app id.App) error
}

const (
	maxStatement  = 48 << 10
	maxRegister   = 64 << 10
	maxMetadata   = time.Hour // the life of signed metadata
	registerWait  = 20 * time.Second
	maxClientName = 200
)

// NewUDAP makes the endpoints.
func NewUDAP(c UDAPConfig) (*UDAP, error) {
	if err := checkHTTPS("register_url", c.Endpoints.Register); err != nil {
		return nil, err
	}
	if c.Signer == nil || c.Verifier == nil || c.View == nil || c.Replays == nil || c.Registrar == nil || c.Log == nil {
		return nil, problem.New(problem.Internal, "UDAP lacks its certificate, verifier, view, replay cache, registrar or log", "Pass all of them")
	}
	if _, err := metadataAlgorithm(c.Signer); err != nil {
		return nil, err
	}
	return &UDAP{c}, nil
}

func metadataAlgorithm(c *Credential) (jose.SignatureAlgorithm, error) {
	switch k := c.leaf.PublicKey.(type) {
	case *rsa.PublicKey:
		return jose.RS256, nil // which the guide demands
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() {
			return jose.ES256, nil
		}
	}
	return "", problem.BadField("udap", "The certificate's key is neither RSA nor P-256", "UDAP metadata is signed with RS256, or ES256")
}

// udapMetadata is UDAP Server Metadata, as the guide constrains it.
type udapMetadata struct {
	Versions           []string `json:"udap_versions_supported"`
	Profiles           []string `json:"udap_profiles_supported"`
	Extensions         []string `json:"udap_authorization_extensions_supported"`
	ExtensionsRequired []string `json:"udap_authorization_extensions_required"`
	Certifications     []string `json:"udap_certifications_supported"`
	GrantTypes         []string `json:"grant_types_supported"`
	Scopes             []string `json:"scopes_supported"`
	AuthorizeEndpoint  string   `json:"authorization_endpoint,omitempty"`
	TokenEndpoint      string   `json:"token_endpoint"`
	AuthMethods        []string `json:"token_endpoint_auth_methods_supported"`
	SigningAlgorithms  []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	RegisterEndpoint   string   `json:"registration_endpoint"`
	RegisterAlgorithms []string `json:"registration_endpoint_jwt_signing_alg_values_supported"`
	Signed             string   `json:"signed_metadata"`
}

// Metadata serves .well-known/udap below the base URL of a FHIR server. Where the
// certificate does not name that base, no UDAP is offered (404).
func (u *UDAP) Metadata(base string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !problem.Takes(w, r, http.MethodGet, http.MethodHead) {
			return
		}
		now := u.c.Verifier.now()
		if !names(u.c.Signer.leaf, base) || !now.Before(u.c.Signer.leaf.NotAfter) {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		if q := r.URL.Query(); q.Has("community") && (u.c.Community == "" || q.Get("community") != u.c.Community) {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		m, err := u.metadata(base, now)
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		writeJSON(w, http.StatusOK, m)
	})
}

func (u *UDAP) metadata(base string, now time.Time) (udapMetadata, error) {
	d := u.c.Endpoints.describe()
	m := udapMetadata{
		Versions: []string{"1"}, Profiles: []string{"udap_dcr", "udap_authn", "udap_authz"}, Extensions: []string{"hl7-b2b"}, ExtensionsRequired: []string{},
		Certifications: []string{}, GrantTypes: d.GrantTypes, Scopes: d.Scopes, AuthorizeEndpoint: d.AuthorizeEndpoint, TokenEndpoint: d.TokenEndpoint,
		AuthMethods: []string{"private_key_jwt"}, RegisterEndpoint: u.c.Endpoints.Register,
	}
	if d.AuthorizeEndpoint == "" { // else some token requests have none
		m.ExtensionsRequired = m.Extensions
	}
	for _, a := range udapAlgorithms {
		m.SigningAlgorithms = append(m.SigningAlgorithms, string(a))
	}
	m.RegisterAlgorithms = m.SigningAlgorithms
	alg, err := metadataAlgorithm(u.c.Signer)
	if err != nil {
		return m, err
	}
	var chain []string
	for _, der := range u.c.Signer.chain {
		chain = append(chain, base64.StdEncoding.EncodeToString(der))
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: u.c.Signer.key}, (&jose.SignerOptions{}).WithHeader("x5c", chain))
	if err != nil {
		return m, err
	}
	claims := struct {
		jwt.Claims
		Authorize string `json:"authorization_endpoint,omitempty"`
		Token     string `json:"token_endpoint"`
		Register  string `json:"registration_endpoint"`
	}{jwt.Claims{Issuer: base, Subject: base, IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(earliest(now.Add(maxMetadata), u.c.Signer.leaf.NotAfter)),
		ID: id.New[string](now)}, m.AuthorizeEndpoint, m.TokenEndpoint, m.RegisterEndpoint}
	m.Signed, err = jwt.Signed(signer).Claims(claims).Serialize()
	return m, err
}

// statement is a software statement (section 3.1 of the guide).
type statement struct {
	jwt.Claims
	Name          string   `json:"client_name"`
	Redirects     []string `json:"redirect_uris,omitempty"`
	Contacts      []string `json:"contacts"`
	GrantTypes    []string `json:"grant_types"`
	ResponseTypes []string `json:"response_types,omitempty"`
	AuthMethod    string   `json:"token_endpoint_auth_method"`
	Scope         string   `json:"scope"`

	leaf *x509.Certificate
}

// registration is the answer (RFC 7591, section 3.2.1).
type registration struct {
	ClientID      id.App   `json:"client_id"`
	Statement     string   `json:"software_statement"`
	Name          string   `json:"client_name"`
	Redirects     []string `json:"redirect_uris,omitempty"`
	Contacts      []string `json:"contacts"`
	GrantTypes    []string `json:"grant_types"`
	ResponseTypes []string `json:"response_types,omitempty"`
	AuthMethod    string   `json:"token_endpoint_auth_method"`
	Scope         string   `json:"scope,omitempty"`
}

// ServeHTTP answers a registration request. A certificate of this network is not
// asked for: the statement's own certificate leads to an approved connector, or
// nothing happens. A device is needed for tokens all the same.
func (u *UDAP) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, err := readStatement(w, r)
	var s *statement
	var c *snapshot.Connector
	if err == nil {
		s, c, err = u.read(raw, u.c.View(), u.c.Verifier.now())
	}
	status := http.StatusCreated
	var app id.App
	if err == nil {
		ctx, cancel := context.WithTimeout(r.Context(), registerWait)
		defer cancel()
		app, status, err = u.register(ctx, s, c)
	}
	attrs := []slog.Attr{}
	if c != nil {
		attrs = append(attrs, slog.String("connector", string(c.ID)), slog.String("vendor", string(c.Vendor)))
	}
	if err != nil {
		reason, _ := ReasonOf(err)
		u.c.Log.LogAttrs(r.Context(), slog.LevelWarn, "registration refused", append(attrs, slog.String("reason", string(reason)), slog.String("next", reason.Next()))...)
		var no *refusal
		if !errors.As(err, &no) {
			no = tryLater(NotRecorded)
		}
		writeJSON(w, no.status, errorResponse{no.code, no.text})
		return
	}
	u.c.Log.LogAttrs(r.Context(), slog.LevelInfo, "registration taken", append(attrs, slog.String("app", string(app)))...)
	writeJSON(w, status, registration{app, raw, s.Name, s.Redirects, s.Contacts, s.GrantTypes, s.ResponseTypes, s.AuthMethod, s.Scope})
}

func readStatement(w http.ResponseWriter, r *http.Request) (string, error) {
	bad := func(text string) error { return badRequest("invalid_client_metadata", text, RequestMalformed) }
	if r.Method != http.MethodPost {
		return "", &refusal{status: http.StatusMethodNotAllowed, code: "invalid_client_metadata", text: "use POST", reason: RequestMalformed}
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return "", bad("send application/json")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRegister))
	if err != nil {
		return "", bad("the body is too long or was cut off")
	}
	var in struct {
		Statement string `json:"software_statement"`
		UDAP      string `json:"udap"`
	}
	if json.Unmarshal(body, &in) != nil || in.UDAP != "1" || in.Statement == "" {
		return "", bad(`send a software_statement, and udap "1"`)
	}
	return in.Statement, nil
}

func badStatement(text string, reason Reason) error {
	return badRequest("invalid_software_statement", text, reason)
}

// read checks a statement: first whose it is and that they signed it, then what
// it says.
func (u *UDAP) read(raw string, view *snapshot.View, now time.Time) (*statement, *snapshot.Connector, error) {
	if view == nil {
		return nil, nil, tryLater(NotRecorded)
	}
	malformed := badStatement("it is not a compact JWS with a certificate (x5c), of an accepted algorithm", StatementInvalid)
	if len(raw) > maxStatement {
		return nil, nil, malformed
	}
	jws, err := jose.ParseSignedCompact(raw, udapAlgorithms)
	if err != nil || len(jws.Signatures) != 1 {
		return nil, nil, malformed
	}
	header := jws.Signatures[0].Protected
	if !hasChain(header) || !plainHeader(header, true) {
		return nil, nil, malformed
	}
	var s statement
	if json.Unmarshal(jws.UnsafePayloadWithoutVerification(), &s) != nil {
		return nil, nil, malformed
	}
	c, ok := registrarOf(view, s.Issuer)
	if !ok {
		return nil, nil, badRequest("unapproved_software_statement", "no approved connector is for its issuer: the organisation can make one", StatementUntrusted)
	}
	leaf, reason := leafOf(header, c, now)
	if reason != "" {
		return nil, c, badRequest("unapproved_software_statement", "its certificate does not name the issuer, is not valid now, or leads to no authority of the connector", StatementUntrusted)
	}
	if !fits(leaf.PublicKey, jose.SignatureAlgorithm(header.Algorithm)) {
		return nil, c, badStatement("the algorithm does not suit the certificate's key", StatementInvalid)
	}
	payload, err := jws.Verify(leaf.PublicKey)
	if err != nil {
		return nil, c, badStatement("the signature is wrong", AssertionSignature)
	}
	s = statement{}
	if json.Unmarshal(payload, &s) != nil {
		return nil, c, malformed
	}
	s.leaf = leaf
	if reason := checkStatementTime(&s, c.Issuer, u.c.Endpoints.Register, now); reason != "" {
		return nil, c, badStatement("iss, sub, aud, exp, iat or jti is missing or wrong; it may live for five minutes", reason)
	}
	// Each connector has a share of its own, under a name that no application has.
	switch reason := u.c.Replays.Use(replayShare(c.ID), s.ID, s.Expiry.Time(), now); reason {
	case "":
	case AssertionReplayed:
		return nil, c, badStatement("its jti was used before", reason)
	default:
		return nil, c, tryLater(reason)
	}
	if text := checkMetadata(&s); text != "" {
		return nil, c, badRequest("invalid_client_metadata", text, StatementInvalid)
	}
	return &s, c, nil
}

// replayShare names a connector where applications are named. An id that would be
// too long is named by its digest.
func replayShare(c id.Connector) id.App {
	sum := sha256.Sum256([]byte(c))
	return id.App("udap." + hex.EncodeToString(sum[:16]))
}

// registrarOf is the approved connector of this URI, if there is one that is not on
// hold.
func registrarOf(view *snapshot.View, issuer string) (*snapshot.Connector, bool) {
	for _, c := range view.Connectors.All() {
		if c.Kind == snapshot.UDAPClients && c.State == snapshot.Approved && c.Issuer == issuer && issuer != "" && c.Vendor != "" {
			return view.ConnectorInForce(c.ID)
		}
	}
	return nil, false
}

func checkStatementTime(s *statement, issuer, register string, now time.Time) Reason {
	switch {
	case s.Issuer != issuer || s.Subject != issuer || len(s.Audience) != 1 || s.Audience[0] != register, s.ID == "" || len(s.ID) > maxJTI, s.Expiry == nil || s.IssuedAt == nil:
		return StatementInvalid
	case !s.IssuedAt.Time().Before(s.Expiry.Time()):
		return StatementInvalid
	case s.Expiry.Time().Sub(s.IssuedAt.Time()) > MaxAssertionLife:
		return AssertionTooLong
	case !now.Before(s.Expiry.Time().Add(skew)):
		return AssertionExpired
	case s.IssuedAt.Time().After(now.Add(skew)), s.NotBefore != nil && s.NotBefore.Time().After(now.Add(skew)):
		return AssertionFromFuture
	}
	return ""
}

// checkMetadata says what is wrong with what the statement asks for. An empty
// list of grant types asks to cancel.
func checkMetadata(s *statement) string {
	if s.GrantTypes == nil {
		return "grant_types is missing"
	}
	if len(s.GrantTypes) == 0 {
		return ""
	}
	code, app := slices.Contains(s.GrantTypes, "authorization_code"), slices.Contains(s.GrantTypes, "client_credentials")
	parse := ParseScopes
	if code {
		parse = ParseUserScopes
	}
	_, err := parse(withoutOnline(s.Scope))
	switch {
	case s.Name == "" || len(s.Name) > maxClientName || strings.ContainsFunc(s.Name, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0xfffd }):
		return "client_name is missing, too long or not plain text"
	case slices.ContainsFunc(s.GrantTypes, func(g string) bool {
		return g != "authorization_code" && g != "client_credentials" && g != "refresh_token"
	}), code == app:
		return "grant_types must hold either authorization_code, with or without refresh_token, or client_credentials"
	case app && len(s.GrantTypes) != 1:
		return "client_credentials goes with no other grant type"
	case s.AuthMethod != "private_key_jwt":
		return "token_endpoint_auth_method must be private_key_jwt"
	case code && (len(s.Redirects) == 0 || !slices.Equal(s.ResponseTypes, []string{"code"})), app && (len(s.Redirects) > 0 || len(s.ResponseTypes) > 0):
		return `redirect_uris and response_types ["code"] go with authorization_code, and only with it`
	case slices.ContainsFunc(s.Redirects, func(r string) bool { x, err := url.Parse(r); return err != nil || x.Scheme != "https" || x.Host == "" }):
		return "redirect_uris must be https"
	case !slices.ContainsFunc(s.Contacts, func(c string) bool { return strings.HasPrefix(c, "mailto:") && strings.Contains(c, "@") }):
		return "contacts must hold a mailto: address"
	case err != nil:
		return `scope must list SMART v2 scopes: of context system for client_credentials, of context user for authorization_code`
	}
	return ""
}

// register writes the registration. The URI is one application over time: what
// is there already is found again, and its keys follow its certificate.
func (u *UDAP) register(ctx context.Context, s *statement, c *snapshot.Connector) (id.App, int, error) {
	keys, err := PublicKeys(s.leaf.PublicKey)
	if err != nil {
		return "", 0, badStatement("the certificate's key is not of an accepted kind", StatementInvalid)
	}
	old := registered(u.c.View(), c.ID)
	if len(s.GrantTypes) == 0 {
		if old == nil {
			return "", 0, badRequest("invalid_client_metadata", "there is no registration to cancel", StatementInvalid)
		}
		return old.ID, http.StatusOK, u.recorded(u.c.Registrar.Cancel(ctx, c.ID, old.ID))
	}
	if old == nil {
		app := snapshot.App{ID: id.New[id.App](u.c.Verifier.now()), Vendor: c.Vendor, Name: s.Name, Kind: snapshot.Workload, Keys: keys, Owner: c.Owner,
			Redirects: s.Redirects, KeysFrom: c.ID}
		if len(s.Redirects) > 0 {
			app.Kind = snapshot.Human
		}
		return app.ID, http.StatusCreated, u.recorded(u.c.Registrar.Register(ctx, c.ID, app))
	}
	if old.Name != s.Name || !slices.Equal(old.Redirects, s.Redirects) {
		return "", 0, badRequest("invalid_client_metadata", "client_name and redirect_uris of a registration are changed by the organisation: cancel it and register anew, or ask", StatementInvalid)
	}
	if holds(old.Keys, s.leaf.PublicKey) {
		return old.ID, http.StatusOK, nil
	}
	return old.ID, http.StatusOK, u.recorded(u.c.Registrar.Rotate(ctx, c.ID, old.ID, keys))
}

// recorded turns what the registry said into what the client hears.
func (u *UDAP) recorded(err error) error {
	if err == nil {
		return nil
	}
	switch problem.From(err).Kind {
	case problem.Invalid:
		return badRequest("invalid_client_metadata", "the registry does not accept a name, a key or an address of it", NotRecorded)
	case problem.Refused, problem.Conflict, problem.NotFound:
		return badRequest("unapproved_software_statement", "the registry does not take a registration from this connector now", NotRecorded)
	}
	return tryLater(NotRecorded)
}

// registered is the application of the connector that has not ended.
func registered(view *snapshot.View, c id.Connector) *snapshot.App {
	for _, a := range view.Apps.All() {
		if a.KeysFrom == c && a.State != snapshot.Ended {
			return a
		}
	}
	return nil
}

// hasChain reports whether the header brings a certificate. The library has no
// other way to ask.
func hasChain(h jose.Header) bool {
	_, err := h.Certificates(x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), KeyUsages: anyUsage})
	return !errors.Is(err, jose.ErrMissingX5cHeader)
}

// leafOf is the certificate in the header, if it is valid now, leads to an anchor
// of the connector and names the connector's URI.
func leafOf(h jose.Header, c *snapshot.Connector, now time.Time) (*x509.Certificate, Reason) {
	anchors := x509.NewCertPool()
	if c.State != snapshot.Approved || !anchors.AppendCertsFromPEM([]byte(c.Anchors)) {
		return nil, CertificateUntrusted
	}
	chains, err := h.Certificates(x509.VerifyOptions{Roots: anchors, CurrentTime: now, KeyUsages: anyUsage})
	if err != nil || len(chains) == 0 || len(chains[0]) == 0 || len(chains[0]) > maxChain {
		return nil, CertificateUntrusted
	}
	leaf := chains[0][0]
	if leaf.IsCA || !names(leaf, c.Issuer) || !strongKey(leaf.PublicKey) {
		return nil, CertificateUntrusted
	}
	return leaf, ""
}

var anyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny}

// names reports whether the URI stands in the certificate's subjectAltName, to
// the letter (RFC 7519, section 2).
func names(c *x509.Certificate, uri string) bool {
	return slices.ContainsFunc(c.URIs, func(u *url.URL) bool { return u.String() == uri })
}

// holds reports whether the key is one of a JWK Set.
func holds(set []byte, key crypto.PublicKey) bool {
	want, err := keyID(key)
	if err != nil {
		return false
	}
	var have jose.JSONWebKeySet
	if len(set) == 0 || json.Unmarshal(set, &have) != nil {
		return false
	}
	return slices.ContainsFunc(have.Keys, func(k jose.JSONWebKey) bool {
		kid, err := keyID(k.Key)
		return err == nil && k.IsPublic() && kid == want
	})
}

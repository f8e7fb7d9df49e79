package identity

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

const (
	// maxForm bounds a token request.
	maxForm = 64 << 10
	// assertionType is RFC 7523's name for JWT client authentication.
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	// grantParameter is the optional form field by which an application with
	// several grants says under which it will act.
	grantParameter = "grant"
)

// TokenEndpoint gives access tokens to applications: SMART App Launch 2,
// Backend Services (OAuth 2.0 client credentials, RFC 6749 section 4.4, with
// private_key_jwt, RFC 7523), over mutual TLS (RFC 8705), with DPoP proofs (RFC
// 9449) or without.
//
// An application names its grant in the form field "grant". If it does not, its
// one approved grant is taken, or its only grant of any kind; with none the
// token carries none, and the gates say so. With several it must choose.
type TokenEndpoint struct{ c TokenEndpointConfig }

// TokenEndpointConfig is what the endpoint needs; all of it.
type TokenEndpointConfig struct {
	URL      string                // of the endpoint itself: the only accepted aud of an assertion
	Verifier *Verifier             // for the client's certificate, and the keys and the clock
	View     func() *snapshot.View // the newest snapshot
	Replays  *Replays
	Log      *slog.Logger // the owner's: ids, digests, reasons
}

// NewTokenEndpoint makes the endpoint.
func NewTokenEndpoint(c TokenEndpointConfig) (*TokenEndpoint, error) {
	if err := checkHTTPS("token_url", c.URL); err != nil {
		return nil, err
	}
	if c.Verifier == nil || c.View == nil || c.Replays == nil || c.Log == nil {
		return nil, problem.New(problem.Internal, "The token endpoint lacks its verifier, view, replay cache or log", "Pass all four")
	}
	return &TokenEndpoint{c}, nil
}

// refusal is what the client hears (RFC 6749, section 5.2), beside the Reason
// that only the owner's log hears.
type refusal struct {
	status int
	code   string
	text   string // error_description: only what the client can see for itself
	reason Reason
	nonce  string // for the header DPoP-Nonce
}

func (r *refusal) Error() string { return string(r.reason) }
func (r *refusal) Unwrap() error { return r.reason }

func badRequest(code, text string, reason Reason) *refusal {
	return &refusal{status: http.StatusBadRequest, code: code, text: text, reason: reason}
}

// badClient does not say what was wrong with the authentication.
func badClient(reason Reason) *refusal {
	return &refusal{status: http.StatusUnauthorized, code: "invalid_client", reason: reason}
}

func tryLater(reason Reason) *refusal {
	return &refusal{status: http.StatusServiceUnavailable, code: "temporarily_unavailable", text: "try again later", reason: reason}
}

// ServeHTTP answers a token request.
func (e *TokenEndpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	now := e.c.Verifier.now()
	view := e.c.View()
	// The device comes first, so that a stranger costs no signature check and
	// learns nothing.
	p, err := e.c.Verifier.peer(r, now)
	var device *snapshot.Device
	if err == nil {
		device, err = deviceOf(p, view)
	}
	if err != nil {
		e.refuse(w, r, logFacts{}, err)
		return
	}
	facts := logFacts{device: device, peer: p}
	raw, tok, err := e.issue(w, r, view, p, &facts, now)
	if err != nil {
		e.refuse(w, r, facts, err)
		return
	}
	e.c.Log.LogAttrs(r.Context(), slog.LevelInfo, "access token issued", append(facts.attrs(),
		slog.String("grant", string(tok.grant)), slog.String("token", tok.id), slog.Time("expires", tok.expires))...)
	writeJSON(w, http.StatusOK, tokenResponse{
		AccessToken: raw,
		TokenType:   tok.tokenType(),
		ExpiresIn:   int(tok.expires.Sub(now) / time.Second),
		Scope:       tok.scopes.String(),
		Grant:       tok.grant,
	})
}

// tokenResponse is RFC 6749, section 5.1, and the grant that was chosen.
type tokenResponse struct {
	AccessToken string   `json:"access_token"`
	TokenType   string   `json:"token_type"`
	ExpiresIn   int      `json:"expires_in"`
	Scope       string   `json:"scope"`
	Grant       id.Grant `json:"grant,omitempty"`
}

// issue checks a request from a known device, step by step.
func (e *TokenEndpoint) issue(w http.ResponseWriter, r *http.Request, view *snapshot.View, p *peer, facts *logFacts, now time.Time) (string, *token, error) {
	form, err := readForm(w, r)
	if err != nil {
		return "", nil, err
	}
	switch form.Get("grant_type") {
	case "client_credentials":
	case "":
		return "", nil, badRequest("invalid_request", "grant_type is missing", RequestMalformed)
	default:
		return "", nil, badRequest("unsupported_grant_type", "grant_type must be client_credentials", GrantTypeUnsupported)
	}
	if form.Get("client_assertion_type") != assertionType {
		return "", nil, badRequest("invalid_request", "client_assertion_type must be "+assertionType, RequestMalformed)
	}
	// What is wrong with a proof is said before the assertion is used up.
	pr, err := e.proof(r, now)
	if err != nil {
		return "", nil, err
	}
	a, reason := verifyAssertion(form.Get("client_assertion"), view, e.c.URL, now)
	if reason != "" {
		return "", nil, badClient(reason)
	}
	facts.app = a.app
	if c := form.Get("client_id"); c != "" && c != string(a.app.ID) {
		return "", nil, badClient(AssertionClaims)
	}
	if a.app.Vendor != facts.device.Vendor {
		return "", nil, badClient(AppVendorMismatch)
	}
	switch reason := e.c.Replays.Use(a.app.ID, a.jti, a.expires, now); reason {
	case "":
	case AssertionReplayed:
		return "", nil, badClient(reason)
	default:
		return "", nil, tryLater(reason)
	}
	// From here on the application has proved who it is, and is told more.
	if err := e.useProof(pr, a.app, now); err != nil {
		return "", nil, err
	}
	if a.app.State != snapshot.Approved {
		return "", nil, badRequest("unauthorized_client", "this application's registration is not approved now; the organisation can approve it", AppNotApproved)
	}
	scopes, err := ParseScopes(form.Get("scope"))
	if err != nil {
		return "", nil, badRequest("invalid_scope", `scope must list SMART v2 scopes, such as "system/Patient.r"`, ScopeInvalid)
	}
	grant, err := chooseGrant(view, a.app.ID, id.Grant(form.Get(grantParameter)))
	if err != nil {
		return "", nil, err
	}
	tok := &token{id: id.New[string](now), app: a.app.ID, grant: grant, scopes: scopes,
		issued: now.Truncate(time.Second), expires: now.Add(TokenLife).Truncate(time.Second)}
	tok.bind(p, pr, a.app)
	raw, err := e.c.Verifier.tokens.sign(*tok)
	if err != nil {
		return "", nil, problem.New(problem.Internal, "The access token could not be signed", "").Because(SigningFailed)
	}
	if len(raw) > maxToken {
		return "", nil, badRequest("invalid_scope", "too many scopes: ask for fewer, or for broader ones", ScopeInvalid)
	}
	return raw, tok, nil
}

// proof is the request's DPoP proof, checked but not yet used; nil without one.
func (e *TokenEndpoint) proof(r *http.Request, now time.Time) (*proof, error) {
	p, err := e.c.Verifier.dpop.read(r.Header, asked{method: r.Method, path: r.URL.EscapedPath()}, now)
	switch {
	case err == nil:
		return &p, nil
	case errors.Is(err, ProofAbsent):
		return nil, nil
	}
	return nil, badProof(err)
}

// useProof marks the proof as used by the application, and wants one where the
// application is registered so.
func (e *TokenEndpoint) useProof(p *proof, app *snapshot.App, now time.Time) error {
	if p == nil {
		if app.TokenBinding == snapshot.BoundToKey || app.TokenBinding == snapshot.BoundToBoth {
			return badRequest("invalid_dpop_proof", "this application is registered to send a DPoP proof", ProofAbsent)
		}
		return nil
	}
	if err := e.c.Verifier.dpop.fresh(*p, app.ID, now); err != nil {
		return badProof(err)
	}
	return nil
}

// badProof is RFC 9449, sections 5 and 8.
func badProof(err error) error {
	reason, _ := ReasonOf(err)
	var n *nonceNeeded
	switch {
	case errors.As(err, &n):
		no := badRequest("use_dpop_nonce", "put the nonce of the header DPoP-Nonce into the proof", reason)
		no.nonce = n.nonce
		return no
	case reason == ReplayCacheFull:
		return tryLater(reason)
	}
	return badRequest("invalid_dpop_proof", "", reason)
}

// bind binds a new token: to the certificate, unless the application is
// registered to be known by its key alone and sent a proof, and to the key of
// the proof, if there is one.
func (k *token) bind(p *peer, pr *proof, app *snapshot.App) {
	if pr != nil {
		k.jkt = pr.jkt
	}
	if pr == nil || app.TokenBinding != snapshot.BoundToKey {
		k.binding = p.binding
	}
}

// tokenType is RFC 6749's token_type.
func (k *token) tokenType() string {
	if k.jkt != "" {
		return "DPoP"
	}
	return "bearer"
}

// readForm reads the request. Parameters are accepted in the body only, each
// once (RFC 6749, section 3.2), and client authentication in one way only
// (section 2.3).
func readForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	if r.Method != http.MethodPost {
		return nil, &refusal{status: http.StatusMethodNotAllowed, code: "invalid_request", text: "use POST", reason: RequestMalformed}
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, badRequest("invalid_request", "send application/x-www-form-urlencoded", RequestMalformed)
	}
	if r.URL.RawQuery != "" {
		return nil, badRequest("invalid_request", "send parameters in the body, not in the URL", RequestMalformed)
	}
	if len(r.Header["Authorization"]) != 0 {
		return nil, badRequest("invalid_request", "authenticate by client_assertion only", RequestMalformed)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
	if err != nil {
		return nil, badRequest("invalid_request", "the body is too long or was cut off", RequestMalformed)
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, badRequest("invalid_request", "the body is not a form", RequestMalformed)
	}
	for _, values := range form {
		if len(values) != 1 {
			return nil, badRequest("invalid_request", "a parameter is given more than once", RequestMalformed)
		}
	}
	return form, nil
}

// chooseGrant settles under which grant the application will act. Whether the
// grant is in force is the gates' question.
func chooseGrant(view *snapshot.View, app id.App, asked id.Grant) (id.Grant, error) {
	if asked != "" {
		g, ok := view.Grants.Get(asked)
		if !ok || g.App != app {
			return "", badRequest("invalid_request", "grant names no grant of this application", GrantMismatch)
		}
		return g.ID, nil
	}
	all := view.GrantsOfApp(app)
	var approved []*snapshot.Grant
	for _, g := range all {
		if g.State == snapshot.Approved {
			approved = append(approved, g)
		}
	}
	switch {
	case len(approved) == 1:
		return approved[0].ID, nil
	case len(approved) == 0 && len(all) == 1:
		return all[0].ID, nil
	case len(all) == 0:
		return "", nil
	}
	return "", badRequest("invalid_request", `this application has several grants; name one in the form field "grant"`, GrantAmbiguous)
}

// errorResponse is RFC 6749, section 5.2.
type errorResponse struct {
	Error       string `json:"error"`
	Description string `json:"error_description,omitempty"`
}

// refuse answers, and tells the owner's log why.
func (e *TokenEndpoint) refuse(w http.ResponseWriter, r *http.Request, facts logFacts, err error) {
	reason, _ := ReasonOf(err)
	e.c.Log.LogAttrs(r.Context(), slog.LevelWarn, "access token refused", append(facts.attrs(), slog.String("reason", string(reason)))...)
	var no *refusal
	if errors.As(err, &no) {
		switch no.status {
		case http.StatusMethodNotAllowed:
			w.Header().Set("Allow", http.MethodPost)
		case http.StatusUnauthorized:
			w.Header().Set("WWW-Authenticate", "Bearer") // RFC 9110, section 15.5.2
		}
		if no.nonce != "" {
			w.Header().Set("DPoP-Nonce", no.nonce)
		}
		writeJSON(w, no.status, errorResponse{no.code, no.text})
		return
	}
	p := problem.From(err)
	if p.Kind == problem.Unknown {
		WriteUnknown(w)
		return
	}
	writeJSON(w, p.Kind.Status(), errorResponse{Error: "server_error"})
}

// logFacts are what the log may say of a request: registered things only,
// never what a stranger wrote.
type logFacts struct {
	device *snapshot.Device
	app    *snapshot.App
	peer   *peer
}

func (f logFacts) attrs() []slog.Attr {
	var a []slog.Attr
	if f.device != nil {
		a = append(a, slog.String("device", string(f.device.ID)), slog.String("vendor", string(f.device.Vendor)))
	}
	if f.peer != nil {
		a = append(a, slog.String("certificate_sha256", f.peer.transport.CertificateSHA256))
	}
	if f.app != nil {
		a = append(a, slog.String("app", string(f.app.ID)))
	}
	return a
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil { // strings and numbers only: cannot happen, and must not pass as success
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store") // RFC 6749, section 5.1
	h.Set("Pragma", "no-cache")
	w.WriteHeader(status)
	w.Write(body)
}

// smartConfiguration is SMART App Launch 2, "Conformance", with RFC 8414's
// names, RFC 8705's (section 3.3) and RFC 9449's (section 5.1).
type smartConfiguration struct {
	TokenEndpoint     string   `json:"token_endpoint"`
	AuthMethods       []string `json:"token_endpoint_auth_methods_supported"`
	SigningAlgorithms []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	GrantTypes        []string `json:"grant_types_supported"`
	Scopes            []string `json:"scopes_supported"`
	Capabilities      []string `json:"capabilities"`
	ChallengeMethods  []string `json:"code_challenge_methods_supported"`
	CertificateBound  bool     `json:"tls_client_certificate_bound_access_tokens"`
	ProofAlgorithms   []string `json:"dpop_signing_alg_values_supported"`
}

// SMARTConfiguration serves .well-known/smart-configuration: how to get a
// token. It holds nothing about anybody.
func SMARTConfiguration(tokenURL string) http.Handler {
	c := smartConfiguration{
		TokenEndpoint: tokenURL,
		AuthMethods:   []string{"private_key_jwt"},
		GrantTypes:    []string{"client_credentials"},
		Scopes:        []string{"system/*.rs"},
		Capabilities:  []string{"client-confidential-asymmetric", "permission-v2"},
		// Required of every server by SMART, though no code flow is offered.
		ChallengeMethods: []string{"S256"},
		CertificateBound: true,
		ProofAlgorithms:  []string{string(jose.ES256)},
	}
	for _, alg := range assertionAlgorithms {
		c.SigningAlgorithms = append(c.SigningAlgorithms, string(alg))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		writeJSON(w, http.StatusOK, c)
	})
}

package identity

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"time"

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

// TokenEndpoint gives access tokens to applications over mutual TLS (RFC 8705),
// with DPoP proofs (RFC 9449) or without:
//
//   - to an application by itself: SMART App Launch 2, Backend Services (OAuth 2.0
//     client credentials, RFC 6749 section 4.4, with private_key_jwt, RFC 7523);
//   - to an application that acts for a person who is signed in: SMART App Launch
//     2, standalone (authorization code with PKCE, and refresh tokens; see
//     codes.go), with private_key_jwt or as a public client. In both a registered
//     device of the application's vendor must bring the request.
//
// An application that acts by itself names its grant in the form field "grant". If
// it does not, its one approved grant is taken, or its only grant of any kind;
// with none the token carries none, and the gates say so. With several it must
// choose.
type TokenEndpoint struct{ c TokenEndpointConfig }

// TokenEndpointConfig is what the endpoint needs; all of it but Book and Refused.
type TokenEndpointConfig struct {
	URL      string                // of the endpoint itself: the only accepted aud of an assertion
	Verifier *Verifier             // for the client's certificate, and the keys and the clock
	View     func() *snapshot.View // the newest snapshot
	Replays  *Replays
	Log      *slog.Logger // the owner's: ids, digests, reasons
	// Book writes to the registry. Without it authorization codes and refresh tokens
	// are not accepted, and nothing can be revoked.
	Book Book
	// Refused hears of each application that was refused and has proved who it is, or is
	// a public client's name, of the vendor of the device that it came from.
	Refused func(context.Context, *snapshot.Device, *snapshot.App)
}

// Book writes what every node must know of tokens to the registry, as acts. Each
// method returns when the act is in force here, or an error: a problem of kind
// Conflict where the registry stands otherwise by now, Refused where the device
// may not, Unavailable. An error means that no token may be given.
type Book interface {
	// RevokeToken ends an access token before its time.
	RevokeToken(ctx context.Context, by id.Device, app id.App, token string, until time.Time) error
	// Authorize records a person's consent in their session. Its ID is new.
	Authorize(ctx context.Context, person id.Person, session id.Session, a snapshot.Authorization) error
	// Redeem is the one use of an authorization's code.
	Redeem(ctx context.Context, by id.Device, session id.Session, a id.Authorization, jkt string) error
	// Refresh uses up the refresh token of that generation.
	Refresh(ctx context.Context, by id.Device, session id.Session, a id.Authorization, generation int) error
	// EndAuthorization ends an authorization: CodeReused, RefreshReused, or TokenRevoked
	// where the application asked for it.
	EndAuthorization(ctx context.Context, by id.Device, session id.Session, a id.Authorization, why Reason) error
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

// request is a request from a known device, as far as it has been checked.
type request struct {
	ctx   context.Context
	view  *snapshot.View
	now   time.Time
	form  url.Values
	proof *proof // nil: none came
	logFacts
}

// ServeHTTP answers a token request.
func (e *TokenEndpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q, err := e.open(w, r)
	var a answer
	if err == nil {
		a, err = e.issue(r, q)
	}
	if err != nil {
		e.refuse(w, r, "access token refused", q.logFacts, err)
		return
	}
	tok := a.token
	attrs := append(q.attrs(), slog.String("grant", string(tok.grant)), slog.String("token", tok.id), slog.Time("expires", tok.expires))
	if tok.person != "" {
		attrs = append(attrs, slog.String("person", string(tok.person)), slog.String("session", string(tok.session)))
	}
	e.c.Log.LogAttrs(r.Context(), slog.LevelInfo, "access token issued", attrs...)
	writeJSON(w, http.StatusOK, tokenResponse{
		AccessToken:  a.raw,
		TokenType:    tok.tokenType(),
		ExpiresIn:    int(tok.expires.Sub(q.now) / time.Second),
		Scope:        tok.scopes.String() + a.online(),
		Grant:        tok.grant,
		RefreshToken: a.refresh,
	})
}

// answer is a token that is to be given.
type answer struct {
	raw     string
	token   *token
	refresh string
}

func (a answer) online() string {
	if a.refresh == "" {
		return ""
	}
	return " " + onlineAccess
}

// tokenResponse is RFC 6749, section 5.1, and the grant that was chosen.
type tokenResponse struct {
	AccessToken  string   `json:"access_token"`
	TokenType    string   `json:"token_type"`
	ExpiresIn    int      `json:"expires_in"`
	Scope        string   `json:"scope"`
	Grant        id.Grant `json:"grant,omitempty"`
	RefreshToken string   `json:"refresh_token,omitempty"`
}

// open reads a request. The device comes first, so that a stranger costs no
// signature check and learns nothing.
func (e *TokenEndpoint) open(w http.ResponseWriter, r *http.Request) (*request, error) {
	q := &request{ctx: r.Context(), view: e.c.View(), now: e.c.Verifier.now()}
	p, err := e.c.Verifier.peer(r, q.now)
	if err != nil {
		return q, err
	}
	device, err := deviceOf(p, q.view)
	if err != nil {
		return q, err
	}
	q.device, q.peer = device, p
	q.form, err = readForm(w, r)
	return q, err
}

// issue gives a token, by the kind of grant that is asked for.
func (e *TokenEndpoint) issue(r *http.Request, q *request) (answer, error) {
	var issue func(*request) (answer, error)
	switch kind := q.form.Get("grant_type"); {
	case kind == "client_credentials":
		issue = e.forApp
	case kind == "authorization_code" && e.c.Book != nil:
		issue = e.forCode
	case kind == "refresh_token" && e.c.Book != nil:
		issue = e.forRefresh
	case kind == "":
		return answer{}, badRequest("invalid_request", "grant_type is missing", RequestMalformed)
	default:
		return answer{}, badRequest("unsupported_grant_type", "grant_type is not one of those in the server's metadata", GrantTypeUnsupported)
	}
	// What is wrong with a proof is said before an assertion is used up.
	var err error
	if q.proof, err = e.proof(r, q.now); err != nil {
		return answer{}, err
	}
	if err := e.client(q); err != nil {
		return answer{}, err
	}
	if q.app.Public && q.form.Get("grant_type") == "client_credentials" {
		return answer{}, badClient(ClientPublic) // it proves nothing but what a person's consent led to
	}
	// From here on the application has proved who it is, and is told more.
	if err := standsApproved(q.app); err != nil {
		return answer{}, err
	}
	if err := e.useProof(q.proof, q.app, q.now); err != nil {
		return answer{}, err
	}
	return issue(q)
}

func standsApproved(app *snapshot.App) error {
	if app.State != snapshot.Approved {
		return badRequest("unauthorized_client", "this application's registration is not approved now; the organisation can approve it", AppNotApproved)
	}
	return nil
}

// client finds which application asks: by its signature, or, where it is
// registered as a public client, by its name alone.
func (e *TokenEndpoint) client(q *request) error {
	if q.form.Get("client_assertion_type") == "" && q.form.Get("client_assertion") == "" && q.form.Get("client_id") != "" {
		return e.publicClient(q)
	}
	if q.form.Get("client_assertion_type") != assertionType {
		return badRequest("invalid_request", "client_assertion_type must be "+assertionType, RequestMalformed)
	}
	a, reason := verifyAssertion(q.form.Get("client_assertion"), q.view, e.c.URL, q.now)
	if reason != "" {
		return badClient(reason)
	}
	q.app, q.assertion = a.app, &a
	if c := q.form.Get("client_id"); c != "" && c != string(a.app.ID) {
		return badClient(AssertionClaims)
	}
	if a.app.Vendor != q.device.Vendor {
		return badClient(AppVendorMismatch)
	}
	// Before it is remembered: a vendor could else fill the memory that it shares with
	// others by applications that nobody approved.
	if err := standsApproved(a.app); err != nil {
		return err
	}
	switch reason := e.c.Replays.Use(a.app.ID, a.jti, a.expires, q.now); reason {
	case "":
		return nil
	case AssertionReplayed:
		return badClient(reason)
	default:
		return tryLater(reason)
	}
}

func (e *TokenEndpoint) publicClient(q *request) error {
	app, ok := q.view.Apps.Get(id.App(q.form.Get("client_id")))
	switch {
	case !ok || app.ID == "":
		return badClient(AppUnknown)
	case app.Vendor != q.device.Vendor:
		return badClient(AppVendorMismatch)
	case !app.Public:
		q.app = app
		return badClient(ClientPublic)
	}
	q.app = app
	return nil
}

// forApp gives a token to an application that acts by itself.
func (e *TokenEndpoint) forApp(q *request) (answer, error) {
	scopes, err := ParseScopes(q.form.Get("scope"))
	if err != nil {
		return answer{}, badRequest("invalid_scope", `scope must list SMART v2 scopes, such as "system/Patient.r"`, ScopeInvalid)
	}
	grant, err := chooseGrant(q.view, q.app.ID, id.Grant(q.form.Get(grantParameter)), q.now)
	if err != nil {
		return answer{}, err
	}
	if err := checkPurpose(q.view, q.assertion, grant); err != nil {
		return answer{}, err
	}
	return e.mint(q, &token{app: q.app.ID, grant: grant, scopes: scopes})
}

// mint binds and signs an access token.
func (e *TokenEndpoint) mint(q *request, tok *token) (answer, error) {
	tok.id = id.New[string](q.now)
	tok.issued, tok.expires = q.now.Truncate(time.Second), q.now.Add(TokenLife).Truncate(time.Second)
	tok.bind(q.peer, q.proof, q.app)
	raw, err := e.c.Verifier.tokens.sign(*tok)
	if err != nil {
		return answer{}, problem.New(problem.Internal, "The access token could not be signed", "").Because(SigningFailed)
	}
	if len(raw) > maxToken {
		return answer{}, badRequest("invalid_scope", "too many scopes: ask for fewer, or for broader ones", ScopeInvalid)
	}
	return answer{raw: raw, token: tok}, nil
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

// chooseGrant settles under which grant the application will act: the one that it
// names; or its only one, lifted for the hours of an elevation. An application that
// shall stay under its ordinary grant names it. Whether the grant is in force is the
// gates' question; but what is over by its date does not stand in the way of the grant
// that came after it.
func chooseGrant(view *snapshot.View, app id.App, asked id.Grant, now time.Time) (id.Grant, error) {
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
	approved = newest(lifted(approved, now), now)
	ordinary := slices.DeleteFunc(slices.Clone(all), func(g *snapshot.Grant) bool { return g.Elevates != "" })
	switch {
	case len(approved) == 1:
		return approved[0].ID, nil
	case len(approved) == 0 && len(ordinary) == 1:
		return ordinary[0].ID, nil
	case len(all) == 0:
		return "", nil
	}
	return "", badRequest("invalid_request", `this application has several grants; name one in the form field "grant"`, GrantAmbiguous)
}

// newest are the grants without those whose time is over; where that is all of them,
// the one that was over last, of which the gates will say so.
func newest(grants []*snapshot.Grant, now time.Time) []*snapshot.Grant {
	var on []*snapshot.Grant
	var last *snapshot.Grant
	for _, g := range grants {
		switch {
		case g.EndsAt.IsZero() || now.Before(g.EndsAt):
			on = append(on, g)
		case last == nil || g.EndsAt.After(last.EndsAt):
			last = g
		}
	}
	if len(on) == 0 && last != nil {
		return []*snapshot.Grant{last}
	}
	return on
}

// lifted are the grants, with an elevation in the place of the one that it lifts. One
// whose time is over, or whose grant is not among them, is none of them; if several
// lift the same grant, it is the application's to name one.
func lifted(grants []*snapshot.Grant, now time.Time) []*snapshot.Grant {
	var out []*snapshot.Grant
	for _, g := range grants {
		if g.Elevates != "" {
			continue
		}
		n := len(out)
		for _, e := range grants {
			if e.Elevates == g.ID && e.Live(now) {
				out = append(out, e)
			}
		}
		if len(out) == n {
			out = append(out, g)
		}
	}
	return out
}

// errorResponse is RFC 6749, section 5.2.
type errorResponse struct {
	Error       string `json:"error"`
	Description string `json:"error_description,omitempty"`
}

// refuse answers, and tells the owner's log why.
func (e *TokenEndpoint) refuse(w http.ResponseWriter, r *http.Request, what string, facts logFacts, err error) {
	reason, _ := ReasonOf(err)
	e.c.Log.LogAttrs(r.Context(), slog.LevelWarn, what, append(facts.attrs(), slog.String("reason", string(reason)), slog.String("next", reason.Next()))...)
	if e.c.Refused != nil && facts.device != nil && facts.app != nil && facts.app.Vendor == facts.device.Vendor {
		e.c.Refused(r.Context(), facts.device, facts.app)
	}
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

	assertion *assertion // what the application signed; nil for a public client
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

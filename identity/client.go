package identity

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

const (
	maxTokenResponse = 64 << 10
	tokenTimeout     = 15 * time.Second
	maxNonce         = 1 << 10
	// assertionLife leaves room below the five minutes for a clock that is ahead.
	assertionLife = 4 * time.Minute
)

// ClientTLS is the client's side of ServerTLS: TLS 1.3, hybrid post-quantum key
// exchange, a client certificate (nil: none), and roots (nil: the system's).
// With pins, the server's chain must also hold one of these public keys.
func ClientTLS(cred *Credential, roots *x509.CertPool, pins ...snapshot.KeyDigest) *tls.Config {
	c := &tls.Config{
		MinVersion:       tls.VersionTLS13,
		CurvePreferences: keyExchanges(),
		RootCAs:          roots,
	}
	if cred != nil {
		cert := cred.TLS()
		// Shown whatever authorities the server hints at: a client with one
		// certificate has nothing to choose.
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }
	}
	if len(pins) > 0 {
		pins = slices.Clone(pins)
		c.VerifyConnection = func(s tls.ConnectionState) error {
			for _, chain := range s.VerifiedChains {
				for _, cert := range chain {
					if slices.Contains(pins, digestSPKI(cert.RawSubjectPublicKeyInfo)) {
						return nil
					}
				}
			}
			return errors.New("the server's certificate chain holds none of the pinned keys")
		}
	}
	return c
}

// NewHTTPClient makes an HTTP client that follows no redirects: a token or an
// assertion must not travel to where a server points.
func NewHTTPClient(config *tls.Config) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			TLSClientConfig:       config,
			ForceAttemptHTTP2:     true,
			MaxIdleConnsPerHost:   64,
			IdleConnTimeout:       90 * time.Second,
			TLSHandshakeTimeout:   10 * time.Second,
			ResponseHeaderTimeout: 60 * time.Second,
		},
		CheckRedirect: noRedirect,
	}
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// PublicKeys is the JWK Set of public keys that an application registers
// (snapshot.App.Keys). A key's kid is its RFC 7638 thumbprint.
func PublicKeys(keys ...crypto.PublicKey) (json.RawMessage, error) {
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for _, key := range keys {
		alg, err := algorithmFor(key)
		if err != nil {
			return nil, err
		}
		kid, err := keyID(key)
		if err != nil {
			return nil, err
		}
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: key, KeyID: kid, Algorithm: string(alg), Use: "sig"})
	}
	data, err := json.Marshal(set)
	if err != nil {
		return nil, fmt.Errorf("encode public keys: %w", err)
	}
	return data, nil
}

func algorithmFor(pub crypto.PublicKey) (jose.SignatureAlgorithm, error) {
	switch k := pub.(type) {
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			return jose.ES256, nil
		case elliptic.P384():
			return jose.ES384, nil
		}
	case *rsa.PublicKey:
		if fits(k, jose.RS384) {
			return jose.RS384, nil
		}
	}
	return "", problem.BadField("key", "This kind of key cannot sign assertions", "Use ECDSA on P-384 or P-256, or RSA of 2048 to 4096 bits")
}

// ClientConfig says as whom to ask for tokens, and where.
type ClientConfig struct {
	ClientID string        // the application's id at the server
	Key      crypto.Signer // ECDSA on P-256 or P-384, also outside memory (a TPM); or *rsa.PrivateKey
	KeyID    string        // kid under which it is registered; empty: its RFC 7638 thumbprint
	TokenURL string        // see Discover
	Resource string        // base URL for which tokens are meant; Transport sends them nowhere else
	Scope    string        // SMART scopes
	Grant    id.Grant      // which grant, where the application has several; empty for other servers
	DPoP     *Prover       // signs each request too (RFC 9449); nil: tokens are bound to the certificate alone
	HTTP     *http.Client  // with the client certificate, where one is needed; its redirects are not followed
	Now      func() time.Time
}

// Client gets and renews access tokens from a SMART Backend Services server:
// from this product for a vendor's program, and from a healthcare system for
// the gateway. It is safe for concurrent use.
type Client struct {
	config ClientConfig
	signer jose.Signer
	http   http.Client
	host   string
	path   string

	// turn is held by the one who looks at or renews the token.
	turn    chan struct{}
	token   string
	renewAt time.Time

	// The servers' last nonces (RFC 9449, section 8): the token endpoint's and the
	// resource's, which may be two.
	tokenNonce, nonce atomic.Pointer[string]
}

// NewClient makes a client; it does not connect yet.
func NewClient(c ClientConfig) (*Client, error) {
	if err := checkHTTPS("token_url", c.TokenURL); err != nil {
		return nil, err
	}
	if err := checkHTTPS("resource", c.Resource); err != nil {
		return nil, err
	}
	if c.ClientID == "" || c.Scope == "" || c.Key == nil || c.HTTP == nil || c.Now == nil {
		return nil, problem.BadField("client", "The client id, the scope, the key, the HTTP client or the clock is missing", "Set all of them")
	}
	var err error
	if c.KeyID == "" {
		if c.KeyID, err = keyID(c.Key.Public()); err != nil {
			return nil, err
		}
	}
	key, err := SigningKey(c.Key, c.KeyID)
	if err != nil {
		return nil, err
	}
	signer, err := jose.NewSigner(key, (&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", c.KeyID))
	if err != nil {
		return nil, problem.BadField("key", "This key cannot sign assertions here", "Use a key from a file, ECDSA on P-384 or P-256, or RSA").Because(err)
	}
	resource, err := url.Parse(c.Resource)
	if err != nil {
		return nil, fmt.Errorf("read the resource URL: %w", err)
	}
	client := &Client{config: c, signer: signer, http: *c.HTTP, host: resource.Host, path: strings.TrimSuffix(resource.Path, "/"), turn: make(chan struct{}, 1)}
	client.http.CheckRedirect = noRedirect
	return client, nil
}

// assertion makes a new client assertion. Each has a jti of its own.
func (c *Client) assertion(now time.Time) (string, error) {
	return jwt.Signed(c.signer).Claims(jwt.Claims{
		Issuer:   c.config.ClientID,
		Subject:  c.config.ClientID,
		Audience: jwt.Audience{c.config.TokenURL},
		Expiry:   jwt.NewNumericDate(now.Add(assertionLife)),
		IssuedAt: jwt.NewNumericDate(now),
		ID:       rand.Text(),
	}).Serialize()
}

// Token is a token that is good for a while yet: the last one, or a new one
// when a fifth of its life is left.
func (c *Client) Token(ctx context.Context) (string, error) {
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	defer func() { <-c.turn }()
	now := c.config.Now()
	if c.token != "" && now.Before(c.renewAt) {
		return c.token, nil
	}
	token, life, err := c.fetch(ctx, now)
	if err != nil {
		return "", err
	}
	c.token, c.renewAt = token, now.Add(life-life/5)
	return token, nil
}

// Forget drops the token, so that the next one is new: after a grant was made,
// for a token names the grant that it was issued for.
func (c *Client) Forget() {
	c.turn <- struct{}{}
	c.token = ""
	<-c.turn
}

// forget drops a token that a server did not accept. A newer token stays.
func (c *Client) forget(token string) {
	c.turn <- struct{}{}
	if c.token == token {
		c.token = ""
	}
	<-c.turn
}

// TokenError says that a server gave no token. Code is RFC 6749's error code,
// where the server sent one; nothing else of its answer is kept.
type TokenError struct {
	Status int
	Code   string
}

func (e *TokenError) Error() string {
	if e.Code == "" {
		return fmt.Sprintf("the token endpoint answered %d", e.Status)
	}
	return fmt.Sprintf("the token endpoint answered %d, %s", e.Status, e.Code)
}

func (c *Client) fetch(ctx context.Context, now time.Time) (string, time.Duration, error) {
	token, life, err := c.ask(ctx, now)
	var e *TokenError
	if c.config.DPoP != nil && errors.As(err, &e) && e.Code == "use_dpop_nonce" {
		return c.ask(ctx, now) // with the nonce that came with the refusal, and a new assertion
	}
	return token, life, err
}

func (c *Client) ask(ctx context.Context, now time.Time) (string, time.Duration, error) {
	assertion, err := c.assertion(now)
	if err != nil {
		return "", 0, fmt.Errorf("sign a client assertion: %w", err)
	}
	form := url.Values{
		"grant_type":            {"client_credentials"},
		"scope":                 {c.config.Scope},
		"client_assertion_type": {assertionType},
		"client_assertion":      {assertion},
	}
	if c.config.Grant != "" {
		form.Set(grantParameter, string(c.config.Grant))
	}
	ctx, cancel := context.WithTimeout(ctx, tokenTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.config.TokenURL, strings.NewReader(form.Encode()))
	if err != nil {
		return "", 0, fmt.Errorf("ask for a token: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	wantType := "bearer"
	if c.config.DPoP != nil {
		wantType = "dpop"
		proof, err := c.config.DPoP.Proof(req.Method, req.URL, "", last(&c.tokenNonce), now)
		if err != nil {
			return "", 0, err
		}
		req.Header.Set("DPoP", proof)
	}
	status, header, body, err := exchange(&c.http, req)
	if err != nil {
		return "", 0, fmt.Errorf("ask for a token: %w", err)
	}
	keepNonce(&c.tokenNonce, header)
	if status != http.StatusOK {
		var e errorResponse
		if err := json.Unmarshal(body, &e); err != nil || !knownCode(e.Error) {
			e.Error = ""
		}
		return "", 0, &TokenError{Status: status, Code: e.Error}
	}
	var t tokenResponse
	if err := json.Unmarshal(body, &t); err != nil || t.AccessToken == "" || len(t.AccessToken) > maxTokenResponse || !strings.EqualFold(t.TokenType, wantType) {
		// The body may hold a token: nothing of it is quoted.
		return "", 0, errors.New("the token endpoint's answer holds no token of the type that was asked for")
	}
	life := time.Duration(t.ExpiresIn) * time.Second
	if t.ExpiresIn <= 0 || t.ExpiresIn > 24*3600 {
		life = time.Minute // RFC 6749 only recommends expires_in
	}
	return t.AccessToken, life, nil
}

// knownCode keeps a server from putting words into the log.
func knownCode(code string) bool {
	switch code {
	case "invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope",
		"temporarily_unavailable", "server_error", "invalid_dpop_proof", "use_dpop_nonce":
		return true
	}
	return false
}

// exchange sends a request and reads a bounded answer. A url.Error names the
// URL of a token endpoint, which holds no secret.
func exchange(hc *http.Client, req *http.Request) (int, http.Header, []byte, error) {
	resp, err := hc.Do(req)
	if err != nil {
		return 0, nil, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxTokenResponse+1))
	if err != nil {
		return 0, nil, nil, fmt.Errorf("read the answer: %w", err)
	}
	if len(body) > maxTokenResponse {
		return 0, nil, nil, errors.New("the answer is too long")
	}
	return resp.StatusCode, resp.Header, body, nil
}

// Transport adds the token to requests below Resource, and refuses to carry
// any other request. A nil base is the transport of the configured HTTP client.
func (c *Client) Transport(base http.RoundTripper) http.RoundTripper {
	if base == nil {
		base = c.http.Transport
	}
	if base == nil {
		base = http.DefaultTransport
	}
	return &bearerTransport{c, base}
}

// Do sends one request with the token; see Transport.
func (c *Client) Do(req *http.Request) (*http.Response, error) {
	hc := c.http
	hc.Transport = c.Transport(nil)
	return hc.Do(req)
}

type bearerTransport struct {
	client *Client
	base   http.RoundTripper
}

var errElsewhere = errors.New("the request leaves the resource that the token is for")

func (t *bearerTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	c := t.client
	inside := req.URL.Path == c.path || strings.HasPrefix(req.URL.Path, c.path+"/")
	if req.URL.Scheme != "https" || req.URL.Host != c.host || !inside {
		return nil, errors.Join(errElsewhere, closeBody(req))
	}
	token, err := c.Token(req.Context())
	if err != nil {
		return nil, errors.Join(err, closeBody(req))
	}
	out := req.Clone(req.Context()) // a RoundTripper must not change the request
	resp, err := t.send(out, token)
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		return resp, err
	}
	// A server that wants another nonce has not looked at the body (RFC 9449,
	// section 9). Once more, if the body can be sent once more.
	if c.config.DPoP != nil && keepNonce(&c.nonce, resp.Header) && (req.Body == nil || req.GetBody != nil) {
		again := req.Clone(req.Context())
		if req.GetBody != nil {
			if again.Body, err = req.GetBody(); err != nil {
				return resp, nil
			}
		}
		resp.Body.Close()
		if resp, err = t.send(again, token); err != nil || resp.StatusCode != http.StatusUnauthorized {
			return resp, err
		}
	}
	c.forget(token)
	return resp, nil
}

func (t *bearerTransport) send(req *http.Request, token string) (*http.Response, error) {
	c := t.client
	if c.config.DPoP == nil {
		req.Header.Set("Authorization", "Bearer "+token)
		return t.base.RoundTrip(req)
	}
	proof, err := c.config.DPoP.Proof(req.Method, req.URL, token, last(&c.nonce), c.config.Now())
	if err != nil {
		return nil, errors.Join(err, closeBody(req))
	}
	req.Header.Set("Authorization", "DPoP "+token)
	req.Header.Set("DPoP", proof)
	return t.base.RoundTrip(req)
}

// keepNonce remembers the nonce that a server gave, and reports whether it did.
func keepNonce(p *atomic.Pointer[string], h http.Header) bool {
	n := h.Get("DPoP-Nonce")
	if n == "" || len(n) > maxNonce {
		return false
	}
	p.Store(&n)
	return true
}

func last(p *atomic.Pointer[string]) string {
	if n := p.Load(); n != nil {
		return *n
	}
	return ""
}

// closeBody does what a RoundTripper owes on an error.
func closeBody(req *http.Request) error {
	if req.Body == nil {
		return nil
	}
	return req.Body.Close()
}

// Discover asks a FHIR server where its token endpoint is
// (.well-known/smart-configuration).
func Discover(ctx context.Context, hc *http.Client, base string) (string, error) {
	if err := checkHTTPS("base", base); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, tokenTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(base, "/")+"/.well-known/smart-configuration", nil)
	if err != nil {
		return "", fmt.Errorf("discover the token endpoint: %w", err)
	}
	req.Header.Set("Accept", "application/json")
	client := *hc
	client.CheckRedirect = noRedirect
	status, _, body, err := exchange(&client, req)
	if err != nil {
		return "", fmt.Errorf("discover the token endpoint: %w", err)
	}
	var c smartConfiguration
	if status != http.StatusOK || json.Unmarshal(body, &c) != nil || checkHTTPS("token_endpoint", c.TokenEndpoint) != nil {
		return "", problem.New(problem.UpstreamFail, fmt.Sprintf("The server at %s does not say where its token endpoint is (status %d)", base, status),
			"Set the token URL in the configuration").Because(err)
	}
	return c.TokenEndpoint, nil
}

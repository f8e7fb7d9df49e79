package site

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/identity/signin"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

// Provider is a small OpenID provider on loopback: whoever comes is Subject, at once,
// in a session of its own each time.
type Provider struct {
	Issuer, ClientID, Subject string
	key                       *rsa.PrivateKey
	server                    *http.Server
	mu                        sync.Mutex
	nonces                    map[string]string // by code
	n                         int
}

const providerKey = "p1"

// NewProvider starts it with the server certificate of the authority. Close ends it.
func NewProvider(k *PKI, clientID, subject string) (*Provider, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Provider{Issuer: "https://" + l.Addr().String(), ClientID: clientID, Subject: subject, key: key, nonces: map[string]string{}}
	config := k.ServerTLS()
	config.ClientAuth = 0 // anybody
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		p.write(w, map[string]any{"issuer": p.Issuer, "authorization_endpoint": p.Issuer + "/authorize", "token_endpoint": p.Issuer + "/token", "jwks_uri": p.Issuer + "/keys",
			"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"RS256"}})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		p.write(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: providerKey, Algorithm: "RS256", Use: "sig"}}})
	})
	mux.HandleFunc("GET /authorize", p.authorize)
	mux.HandleFunc("POST /token", p.token)
	p.server = &http.Server{Handler: mux, TLSConfig: config, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = p.server.ServeTLS(l, "", "") }() // ends with Close
	return p, nil
}

// Close ends the provider.
func (p *Provider) Close() error { return p.server.Close() }

func (p *Provider) write(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the client has gone: nothing to do
}

func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	code := rand.Text()
	p.mu.Lock()
	p.nonces[code] = q.Get("nonce")
	p.mu.Unlock()
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+url.Values{"code": {code}, "state": {q.Get("state")}}.Encode(), http.StatusSeeOther)
}

func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	nonce, ok := p.nonces[r.PostFormValue("code")]
	delete(p.nonces, r.PostFormValue("code"))
	p.n++
	sid := fmt.Sprintf("provider-session-%d", p.n)
	p.mu.Unlock()
	if !ok {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	now := time.Now()
	raw, err := json.Marshal(map[string]any{"iss": p.Issuer, "aud": p.ClientID, "sub": p.Subject, "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(), "nonce": nonce, "sid": sid})
	if err == nil {
		var signer jose.Signer
		if signer, err = jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: p.key}, (&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", providerKey)); err == nil {
			var jws *jose.JSONWebSignature
			if jws, err = signer.Sign(raw); err == nil {
				var token string
				if token, err = jws.CompactSerialize(); err == nil {
					p.write(w, map[string]any{"access_token": rand.Text(), "token_type": "Bearer", "id_token": token})
					return
				}
			}
		}
	}
	w.WriteHeader(http.StatusInternalServerError)
}

// Launch is a person who signs in with a browser and lets a program act for them:
// SMART App Launch, standalone.
type Launch struct {
	Gateway, Pages, Base string // https://...
	Connector            string // the person's identity provider
	App, Redirect, Scope string
	Device               *identity.Credential // of the program
	Roots, Provider      *x509.CertPool       // of Sallyport, of the provider
	// From is the browser's address, of loopback: tries to sign in are counted by it.
	From net.IP
}

var requestField = regexp.MustCompile(`name="request" value="([^"]+)"`)

// Token is an access token for the person's program.
func (l Launch) Token(ctx context.Context) (string, error) {
	c, err := l.Consent(ctx)
	if err != nil {
		return "", err
	}
	r, err := l.Redeem(ctx, c)
	return r.Access, err
}

// Consented is what a person's consent leaves: their browser's session, and the code
// that waits for the program.
type Consented struct {
	Session        string // the cookie's value
	Code, Verifier string
}

// Redeemed is what the program got for the code; Refresh is empty unless the scope has
// online_access.
type Redeemed struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
}

// Consent signs the person in and has them allow the program.
func (l Launch) Consent(ctx context.Context) (Consented, error) {
	var none Consented
	jar, err := cookiejar.New(nil)
	if err != nil {
		return none, err
	}
	all := l.Roots.Clone()
	browser := identity.NewHTTPClient(identity.ClientTLS(nil, all))
	browser.Jar = jar
	if l.From != nil {
		browser.Transport.(*http.Transport).DialContext = (&net.Dialer{Timeout: 10 * time.Second, LocalAddr: &net.TCPAddr{IP: l.From}}).DialContext
	}
	defer browser.CloseIdleConnections()
	outside := identity.NewHTTPClient(identity.ClientTLS(nil, l.Provider))
	defer outside.CloseIdleConnections()

	// Sign in: to the provider, and back.
	_, to, err := l.browse(ctx, browser, http.MethodGet, l.Pages+"/signin/with/"+url.PathEscape(l.Connector), nil)
	if err == nil {
		_, to, err = l.browse(ctx, outside, http.MethodGet, to, nil)
	}
	if err == nil {
		_, _, err = l.browse(ctx, browser, http.MethodGet, to, nil)
	}
	if err != nil {
		return none, fmt.Errorf("signing in: %w", err)
	}
	// Consent.
	verifier := rand.Text() + rand.Text()
	sum := sha256.Sum256([]byte(verifier))
	q := url.Values{"response_type": {"code"}, "client_id": {l.App}, "redirect_uri": {l.Redirect}, "scope": {l.Scope}, "state": {rand.Text()}, "aud": {l.Base},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"}}
	page, _, err := l.browse(ctx, browser, http.MethodGet, l.Pages+"/authorize?"+q.Encode(), nil)
	if err != nil {
		return none, fmt.Errorf("asking for consent: %w", err)
	}
	m := requestField.FindStringSubmatch(page)
	if m == nil {
		return none, fmt.Errorf("asking for consent: there is no form: %.300s", page)
	}
	_, to, err = l.browse(ctx, browser, http.MethodPost, l.Pages+"/authorize", url.Values{"request": {html.UnescapeString(m[1])}, "decision": {"allow"}})
	if err != nil {
		return none, fmt.Errorf("consenting: %w", err)
	}
	back, err := url.Parse(to)
	if err != nil || back.Query().Get("code") == "" {
		return none, errors.New("consenting: no code came back")
	}
	at, err := url.Parse(l.Pages)
	if err != nil {
		return none, err
	}
	out := Consented{Code: back.Query().Get("code"), Verifier: verifier}
	for _, c := range jar.Cookies(at) {
		if c.Name == signin.CookieName {
			out.Session = c.Value
		}
	}
	return out, nil
}

// Redeem takes the code to the token endpoint, on the program's device.
func (l Launch) Redeem(ctx context.Context, c Consented) (Redeemed, error) {
	return l.fetch(ctx, url.Values{"grant_type": {"authorization_code"}, "client_id": {l.App}, "code": {c.Code}, "redirect_uri": {l.Redirect}, "code_verifier": {c.Verifier}})
}

// Refresh uses up a refresh token.
func (l Launch) Refresh(ctx context.Context, token string) (Redeemed, error) {
	return l.fetch(ctx, url.Values{"grant_type": {"refresh_token"}, "client_id": {l.App}, "refresh_token": {token}})
}

func (l Launch) fetch(ctx context.Context, form url.Values) (Redeemed, error) {
	device := identity.NewHTTPClient(identity.ClientTLS(l.Device, l.Roots))
	defer device.CloseIdleConnections()
	text, _, err := l.browse(ctx, device, http.MethodPost, l.Gateway+"/token", form)
	if err != nil {
		return Redeemed{}, fmt.Errorf("redeeming: %w", err)
	}
	var out Redeemed
	if err := json.Unmarshal([]byte(text), &out); err != nil || out.Access == "" {
		return Redeemed{}, fmt.Errorf("redeeming: no token: %.300s", text)
	}
	return out, nil
}

// browse gives the page, or where it leads.
func (l Launch) browse(ctx context.Context, hc *http.Client, method, where string, form url.Values) (page, to string, err error) {
	req, err := http.NewRequestWithContext(ctx, method, where, strings.NewReader(form.Encode()))
	if err != nil {
		return "", "", err
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := hc.Do(req)
	if err != nil {
		return "", "", err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return "", "", err
	}
	if resp.StatusCode >= 400 {
		return "", "", fmt.Errorf("%s %s: %s: %.500s", method, req.URL.Path, resp.Status, raw)
	}
	if at := resp.Header.Get("Location"); at != "" {
		next, err := req.URL.Parse(at)
		if err != nil {
			return "", "", err
		}
		to = next.String()
	}
	return string(raw), to, nil
}

// trustProviders lets Sallyport reach providers on loopback that the authority
// vouches for.
func (s *Site) trustProviders(k *PKI) error {
	text, err := os.ReadFile(s.Config)
	if err != nil {
		return err
	}
	lines := fmt.Sprintf("\nconnectors:\n  ca_file: %q\n  private_networks: [\"127.0.0.0/8\"]\n", filepath.Join(k.Dir, CAFile))
	return os.WriteFile(s.Config, append(text, lines...), 0o600)
}

// Notebook is a program for people, under a grant of its own, and the vendor's person
// who signs in at the provider.
func (s *Site) Notebook(ctx context.Context, k *PKI, p *Provider) (Launch, error) {
	const login, app, redirect = id.Connector("login"), id.App("notebook"), "http://127.0.0.1/cb"
	now := s.now()
	for _, step := range []registrytest.Step{
		{By: registrytest.Ada, Act: registry.RegisterConnector{ID: login, Vendor: "northwind", Kind: snapshot.OIDCProvider, Name: "Login", Issuer: p.Issuer, ClientID: p.ClientID}},
		{By: registrytest.Grace, Act: registry.ApproveConnector{ID: login}},
		{By: registrytest.Ada, Act: registry.LinkLogin{ID: registrytest.Lin, Login: snapshot.Login{Connector: login, Subject: p.Subject}}},
		{By: registrytest.Grace, Act: registry.ApprovePerson{ID: registrytest.Lin}},
		{By: registrytest.Ada, Act: registry.RegisterApp{ID: app, Vendor: "northwind", Name: "Notebook", Kind: snapshot.Human, Public: true, Redirects: []string{redirect}, Owner: registrytest.Lin}},
		{By: registrytest.Grace, Act: registry.ApproveApp{ID: app}},
		{By: registrytest.Ada, Act: registry.RequestGrant{ID: "notebook-grant", Engagement: Engagement, App: app, Person: registrytest.Lin, Devices: []id.Device{Device},
			Role: "triage-reader", Cohort: snapshot.Cohort{Kind: snapshot.CohortAll}, StartsAt: now, EndsAt: now.AddDate(0, 3, 0), MaxPatients: 10_000, MaxDailyBytes: 1 << 50}},
		{By: registrytest.Grace, Act: registry.ApproveGrant{ID: "notebook-grant"}},
	} {
		if _, err := s.Do(ctx, step.By, step.Act, "a person's program", ""); err != nil {
			return Launch{}, fmt.Errorf("%T: %w", step.Act, err)
		}
	}
	return Launch{Gateway: s.Gateway, Pages: s.Pages, Base: s.Base(), Connector: string(login), App: string(app), Redirect: redirect, Scope: "user/*.rs",
		Device: s.device, Roots: s.roots, Provider: k.Pool()}, nil
}

// Holder asks with one token, on the device that it is bound to.
type Holder struct {
	http  *http.Client
	token string
}

// Sign signs the person in anew, and gives their program's token.
func (l Launch) Sign(ctx context.Context) (*Holder, error) {
	token, err := l.Token(ctx)
	if err != nil {
		return nil, err
	}
	return &Holder{identity.NewHTTPClient(identity.ClientTLS(l.Device, l.Roots)), token}, nil
}

// Do sends a request with the token.
func (h *Holder) Do(req *http.Request) (*http.Response, error) {
	req.Header.Set("Authorization", "Bearer "+h.token)
	return h.http.Do(req)
}

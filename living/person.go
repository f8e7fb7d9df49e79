package living

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/identity/signin"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/server"
	"github.com/sallyport/sallyport/snapshot"
)

// maxAnswer and callTimeout bound what is read and waited for.
const (
	maxAnswer   = 16 << 20
	callTimeout = 60 * time.Second
)

// roots is the organisation's authority, judged by its clock.
type roots struct {
	pool *x509.CertPool
	now  func() time.Time
}

func readRoots(file string, now func() time.Time) (roots, error) {
	pool, err := identity.PoolFromFiles(file)
	return roots{pool, now}, err
}

// client is an HTTP client that shows this certificate; nil: none.
func (r roots) client(cred *identity.Credential) *http.Client {
	c := identity.ClientTLS(cred, r.pool)
	c.Time = r.now
	hc := identity.NewHTTPClient(c)
	hc.Timeout = callTimeout
	return hc
}

// Person is one who acts: of the organisation, with a certificate and a passkey, or of
// a vendor, with a passkey alone.
type Person struct {
	ID   id.Person
	Name string
	What string // who they are, in a line
	// Cert is the file of the personal certificate; its key is beside it. Empty: none.
	Cert string

	org     *Organisation
	http    *http.Client // with the certificate; nil: none
	key     *passkey
	browser *browser
	secret  string // of the session in which a vendor's person calls the API
}

func (p *Person) close() {
	if p.http != nil {
		p.http.CloseIdleConnections()
	}
	if p.browser != nil {
		p.browser.CloseIdleConnections()
	}
}

// withCertificate gives the person the client of a certificate that was issued.
func (p *Person) withCertificate() error {
	p.Cert = p.org.Config.Data("people", string(p.ID)+".crt")
	cred, err := identity.ReadCredential(p.Cert, strings.TrimSuffix(p.Cert, ".crt")+".key")
	if err != nil {
		return err
	}
	p.http = p.org.roots.client(cred)
	return nil
}

// issue makes a certificate for one of the organisation's people.
func (p *Person) issue() (snapshot.KeyDigest, error) {
	cred, err := server.IssuePerson(p.org.Config, p.ID, p.org.Clock.Now())
	if err != nil {
		return "", err
	}
	return cred.KeyDigest(), p.withCertificate()
}

// Act does an act through the API, as any client would.
func (p *Person) Act(ctx context.Context, a registry.Act, reason string) (api.ActResult, error) {
	var done api.ActResult
	spec, ok := registry.SpecOf(a)
	if !ok {
		return done, fmt.Errorf("there is no act %T", a)
	}
	fields, err := registry.Encode(a)
	if err != nil {
		return done, err
	}
	err = p.Call(ctx, http.MethodPost, strings.ReplaceAll(spec.Path, "{id}", a.Subject().ID), map[string]any{"reason": reason, "act": json.RawMessage(fields)}, &done)
	if err != nil {
		return done, fmt.Errorf("%s by %s: %w", spec.Name, p.ID, err)
	}
	return done, nil
}

// Call sends in to the API (nil: no body) and reads the answer into out: a *[]byte as it
// is, anything else as JSON.
func (p *Person) Call(ctx context.Context, method, path string, in, out any) error {
	hc := p.http
	if hc == nil {
		hc = p.browser.Client
	}
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("writing the request: %w", err)
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, p.org.API+path, body)
	if err != nil {
		return fmt.Errorf("asking the API: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	if p.http == nil {
		req.Header.Set("Authorization", "Bearer "+p.secret)
	}
	resp, err := hc.Do(req)
	if err != nil {
		return fmt.Errorf("asking the API: %w", err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("reading the API's answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		refused := new(problem.Problem)
		if json.Unmarshal(raw, refused) != nil || refused.Title == "" {
			return fmt.Errorf("the API answered %s", resp.Status)
		}
		return fmt.Errorf("%s: %w", resp.Status, told{refused})
	}
	switch out := out.(type) {
	case nil:
		return nil
	case *[]byte:
		*out = raw
		return nil
	default:
		return json.Unmarshal(raw, out)
	}
}

// told is a refusal with all that it says: a story that goes wrong must say where.
type told struct{ *problem.Problem }

func (t told) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s (%s)", t.Field, t.Title, t.NextStep)
	for _, r := range t.Reasons {
		fmt.Fprintf(&b, "; %s: %s", r.Gate, r.Message)
	}
	return b.String()
}

func (t told) Unwrap() error { return t.Problem }

// enrol makes the person's passkey by an invitation's code, on the pages, and gives its
// fingerprint.
func (p *Person) enrol(ctx context.Context, code string) (fingerprint string, err error) {
	u, err := url.Parse(p.org.Pages)
	if err != nil {
		return "", fmt.Errorf("the pages' address: %w", err)
	}
	if p.key, err = newPasskey(p.org.Pages, u.Hostname()); err != nil {
		return "", err
	}
	if p.browser, err = p.org.browse(); err != nil {
		return "", err
	}
	if _, err := p.browser.get(ctx, "/enroll"); err != nil {
		return "", err
	}
	page, err := p.browser.post(ctx, "/enroll", url.Values{"code": {code}})
	if err != nil {
		return "", err
	}
	options, state, err := asked(page)
	if err != nil {
		return "", err
	}
	answer, err := p.key.register(options)
	if err != nil {
		return "", err
	}
	if page, err = p.browser.post(ctx, "/enroll/passkey", url.Values{"state": {state}, "response": {answer}, "name": {"my laptop"}}); err != nil {
		return "", err
	}
	m := fingerprints.FindStringSubmatch(page)
	if m == nil {
		return "", errors.New("the page does not show the passkey's fingerprint")
	}
	return m[1], nil
}

var (
	fingerprints = regexp.MustCompile(`<code>([A-Z0-9]{4}(?:-[A-Z0-9]{4}){4})</code>`)
	passkeyForm  = regexp.MustCompile(`data-options="([^"]*)"[^>]*>\s*<input type="hidden" name="state" value="([^"]*)"`)
)

// asked finds what a page asks of a passkey.
func asked(page string) (options, state string, err error) {
	m := passkeyForm.FindStringSubmatch(page)
	if m == nil {
		return "", "", errors.New("the page asks for no passkey")
	}
	return html.UnescapeString(m[1]), html.UnescapeString(m[2]), nil
}

// signIn signs the person in with their passkey, at the product's own door, and gives
// the secret of the session: the value of its cookie.
func (p *Person) signIn(ctx context.Context) (secret string, err error) {
	if p.key == nil {
		return "", fmt.Errorf("%s has no passkey", p.ID)
	}
	b, err := p.org.browse()
	if err != nil {
		return "", err
	}
	defer b.CloseIdleConnections()
	page, err := b.get(ctx, "/signin")
	if err != nil {
		return "", err
	}
	options, state, err := asked(page)
	if err != nil {
		return "", err
	}
	answer, err := p.key.assert(options)
	if err != nil {
		return "", err
	}
	if _, err := b.post(ctx, "/signin", url.Values{"state": {state}, "response": {answer}}); err != nil {
		return "", err
	}
	for _, c := range b.Jar.Cookies(b.base) {
		if c.Name == signin.CookieName {
			return c.Value, nil
		}
	}
	return "", fmt.Errorf("%s was not signed in", p.ID)
}

// SignIn signs a person in as their browser would, with a passkey touched just now, and
// gives the value of the session's cookie (signin.CookieName).
func (o *Organisation) SignIn(ctx context.Context, person id.Person) (secret string, err error) {
	p, ok := o.People[person]
	if !ok {
		return "", fmt.Errorf("there is no %q who could sign in", string(person))
	}
	return p.signIn(ctx)
}

// Client is an HTTP client that trusts the organisation's doors, and shows nothing.
func (o *Organisation) Client() *http.Client { return o.roots.client(nil) }

// browser is a browser without script, with cookies of its own.
type browser struct {
	*http.Client
	base *url.URL
}

func (o *Organisation) browse() (*browser, error) {
	base, err := url.Parse(o.Pages)
	if err != nil {
		return nil, fmt.Errorf("the pages' address: %w", err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, fmt.Errorf("making cookies: %w", err)
	}
	// The jar has the machine's clock, and what it is given is by the organisation's: it
	// would drop every cookie of the past at once.
	c := o.roots.client(nil)
	c.Jar, c.CheckRedirect = lasting{jar}, nil
	return &browser{c, base}, nil
}

// lasting is a jar whose cookies do not expire.
type lasting struct{ http.CookieJar }

func (l lasting) SetCookies(u *url.URL, cookies []*http.Cookie) {
	for _, c := range cookies {
		if c.MaxAge >= 0 {
			c.Expires, c.RawExpires = time.Time{}, ""
		}
	}
	l.CookieJar.SetCookies(u, cookies)
}

func (b *browser) get(ctx context.Context, path string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.base.String()+path, nil)
	if err != nil {
		return "", fmt.Errorf("opening %s: %w", path, err)
	}
	return b.page(b.Do(req))
}

func (b *browser) post(ctx context.Context, path string, fields url.Values) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.base.String()+path, strings.NewReader(fields.Encode()))
	if err != nil {
		return "", fmt.Errorf("posting to %s: %w", path, err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.page(b.Do(req))
}

var tags = regexp.MustCompile(`(?s)<[^>]*>|\s+`)

func (b *browser) page(resp *http.Response, err error) (string, error) {
	if err != nil {
		return "", fmt.Errorf("opening a page: %w", err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return "", fmt.Errorf("reading a page: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		text := tags.ReplaceAllString(string(raw), " ")
		return "", fmt.Errorf("%s: %s: %.800s", resp.Request.URL.Path, resp.Status, text)
	}
	return string(raw), nil
}

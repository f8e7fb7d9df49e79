// Package browser runs Debian's Chromium for tests, with virtual authenticators that
// make and use passkeys as real ones do (Chrome DevTools Protocol, domain WebAuthn).
// Where there is no Chromium the test is skipped; see package need.
package browser

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"

	"github.com/sallyport/sallyport/internal/need"
)

// limit is how long one step may take on a busy machine before the test fails.
const limit = 2 * time.Minute

// Browser is one browser with a profile of its own.
type Browser struct {
	t   testing.TB
	ctx context.Context
	// Authenticator is the present virtual authenticator.
	Authenticator webauthn.AuthenticatorID

	mu     sync.Mutex
	errors []string
}

// Start runs a browser that accepts the certificate of the server at each base as
// if an authority that it knows had issued it, and nothing else.
func Start(t testing.TB, bases ...string) *Browser {
	t.Helper()
	path := need.Tool(t, "chromium")
	var pins []string
	for _, base := range bases {
		pins = append(pins, pin(t, base))
	}
	opts := append([]chromedp.ExecAllocatorOption{}, chromedp.DefaultExecAllocatorOptions[:]...)
	opts = append(opts, chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-gpu", true), chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("ignore-certificate-errors-spki-list", strings.Join(pins, ",")), chromedp.WSURLReadTimeout(limit))
	ctx, cancelAllocator := chromedp.NewExecAllocator(context.Background(), opts...)
	ctx, cancel := chromedp.NewContext(ctx)
	b := &Browser{t: t, ctx: ctx}
	t.Cleanup(func() { cancel(); cancelAllocator() })
	// With the context itself: the browser lives as long as that of the first step.
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("starting Chromium: %v", err)
	}
	call(b, "listening to the log", log.Enable, cdp.Empty{})
	if err := chromedp.Listen(ctx, func(ev any) {
		if e, ok := ev.(*log.EventEntryAdded); ok && e.Entry.Level == log.EntryLevelError && !strings.Contains(e.Entry.Text, "the server responded with a status") {
			b.mu.Lock()
			b.errors = append(b.errors, e.Entry.Text)
			b.mu.Unlock()
		}
	}); err != nil {
		t.Fatal(err)
	}
	return b
}

// pin is the SHA-256 of the server's public key, as Chromium's switch takes it.
func pin(t testing.TB, base string) string {
	t.Helper()
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	c, err := tls.Dial("tcp", u.Host, &tls.Config{InsecureSkipVerify: true}) // the test's own server, whose key is read here
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	sum := sha256.Sum256(c.ConnectionState().PeerCertificates[0].RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// do does the steps, or ends the test.
func (b *Browser) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	for _, s := range steps {
		run(b, what, s)
	}
}

func run[T any](b *Browser, what string, a chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, limit)
	defer cancel()
	out, err := chromedp.Run(ctx, a)
	if err != nil {
		b.failed(what, err)
	}
	return out
}

func call[P, R any](b *Browser, what string, cmd cdp.Command[P, R], params P) R {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, limit)
	defer cancel()
	out, err := chromedp.Call(ctx, cmd, params)
	if err != nil {
		b.failed(what, err)
	}
	return out
}

// failed ends the test with what the page says.
func (b *Browser) failed(what string, err error) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second)
	defer cancel()
	at, _ := chromedp.Run(ctx, chromedp.Location())                                    // for the message alone
	text, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body.innerText`)) // the same
	b.t.Fatalf("%s: %v\nat %s\n%s", what, err, at, text)
}

// WithAuthenticator gives the browser a platform authenticator that verifies its
// user, or fails to, in the place of the one before.
func (b *Browser) WithAuthenticator(verifies bool) webauthn.AuthenticatorID {
	b.t.Helper()
	if b.Authenticator != "" {
		call(b, "removing an authenticator", webauthn.RemoveVirtualAuthenticator, webauthn.RemoveVirtualAuthenticatorParams{AuthenticatorID: b.Authenticator})
	} else {
		call(b, "enabling WebAuthn", webauthn.Enable, webauthn.EnableParams{})
	}
	yes := true
	b.Authenticator = call(b, "adding an authenticator", webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
		Protocol: webauthn.AuthenticatorProtocolCtap2, Ctap2version: webauthn.Ctap2versionCtap21, Transport: webauthn.AuthenticatorTransportInternal,
		HasResidentKey: yes, HasUserVerification: yes, IsUserVerified: verifies, AutomaticPresenceSimulation: yes}}).AuthenticatorID
	return b.Authenticator
}

// Open goes to an address and waits for its page.
func (b *Browser) Open(address string) {
	b.t.Helper()
	b.do("opening "+address, chromedp.Navigate(address))
}

// Press clicks what matches and waits until there is another page, or the form says
// that there is trouble.
func (b *Browser) Press(selector string) {
	b.t.Helper()
	run(b, "marking the page", chromedp.Evaluate[bool](`window.__before = true`))
	b.do("pressing "+selector, chromedp.Click(chromedp.CSS(selector)))
	const done = `(!window.__before && document.readyState === "complete") || [...document.querySelectorAll("[data-trouble]")].some(e => !e.hidden)`
	for until := time.Now().Add(limit); time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(b.ctx, limit)
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool](done)) // an error: the page is just going
		cancel()
		if err == nil && ok {
			return
		}
	}
	b.failed("waiting after pressing "+selector, context.DeadlineExceeded)
}

// Type writes into a field.
func (b *Browser) Type(selector, text string) {
	b.t.Helper()
	b.do("typing into "+selector, chromedp.SetValue(chromedp.CSS(selector), text))
}

// Text is what the page says.
func (b *Browser) Text() string {
	b.t.Helper()
	return run(b, "reading the page", chromedp.Evaluate[string](`document.body.innerText`))
}

// At is the page's address.
func (b *Browser) At() string {
	b.t.Helper()
	return run(b, "reading the address", chromedp.Location())
}

// Wants wants the page to say each of these.
func (b *Browser) Wants(parts ...string) {
	b.t.Helper()
	text := b.Text()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			b.t.Fatalf("the page does not say %q:\n%s", p, text)
		}
	}
}

// Value is what a script gives; a promise is waited for.
func (b *Browser) Value(script string) string {
	b.t.Helper()
	return run(b, "running a script", chromedp.Evaluate[string](script, chromedp.EvalAwaitPromise))
}

// Cookies are the browser's, by name.
func (b *Browser) Cookies() map[string]*network.Cookie {
	b.t.Helper()
	out := map[string]*network.Cookie{}
	for _, c := range call(b, "reading cookies", network.GetCookies, network.GetCookiesParams{}).Cookies {
		out[c.Name] = c
	}
	return out
}

// SetCookie puts a cookie into the browser.
func (b *Browser) SetCookie(base, name, value string) {
	b.t.Helper()
	yes := true
	call(b, "setting a cookie", network.SetCookie, network.SetCookieParams{Name: name, Value: value, URL: base + "/", Path: "/", Secure: &yes, HTTPOnly: &yes})
}

// Credentials are the authenticator's passkeys, with their private keys.
func (b *Browser) Credentials(a webauthn.AuthenticatorID) []*webauthn.Credential {
	b.t.Helper()
	return call(b, "reading credentials", webauthn.GetCredentials, webauthn.GetCredentialsParams{AuthenticatorID: a}).Credentials
}

// addCredential is WebAuthn.addCredential without the newest fields, which Chromium
// refuses for this authenticator even where they are empty.
var addCredential = cdp.Command[addParams, cdp.Empty]{Method: webauthn.CommandAddCredential}

type addParams struct {
	AuthenticatorID webauthn.AuthenticatorID `json:"authenticatorId"`
	Credential      addedCredential          `json:"credential"`
}

type addedCredential struct {
	CredentialID         []byte  `json:"credentialId"`
	IsResidentCredential bool    `json:"isResidentCredential"`
	RpID                 string  `json:"rpId"`
	PrivateKey           []byte  `json:"privateKey"`
	UserHandle           []byte  `json:"userHandle"`
	SignCount            float64 `json:"signCount"`
}

// AddCredential puts a passkey into the present authenticator.
func (b *Browser) AddCredential(c *webauthn.Credential) {
	b.t.Helper()
	call(b, "adding a credential", addCredential, addParams{b.Authenticator, addedCredential{CredentialID: c.CredentialID, IsResidentCredential: true,
		RpID: c.RpID, PrivateKey: c.PrivateKey, UserHandle: c.UserHandle, SignCount: c.SignCount}})
}

// Lie makes the authenticator answer with a wrong signature, or without the flags of
// user verification or user presence, whatever it was asked.
func (b *Browser) Lie(signature, verified, present bool) {
	b.t.Helper()
	call(b, "making the authenticator lie", webauthn.SetResponseOverrideBits, webauthn.SetResponseOverrideBitsParams{AuthenticatorID: b.Authenticator,
		IsBogusSignature: &signature, IsBadUV: &verified, IsBadUP: &present})
}

// Width makes the page so many pixels wide.
func (b *Browser) Width(pixels int64) {
	b.t.Helper()
	b.do("choosing a width", chromedp.EmulateViewport(pixels, 800))
}

// Key types to whatever has the focus.
func (b *Browser) Key(keys string) {
	b.t.Helper()
	b.do("typing", chromedp.KeyEvent(keys))
}

// Await waits until the page says it.
func (b *Browser) Await(part string) {
	b.t.Helper()
	b.until("document.body.innerText", func(text string) bool { return strings.Contains(text, part) })
}

// Focused waits until what says this has the focus.
func (b *Browser) Focused(text string) {
	b.t.Helper()
	b.until("document.activeElement.innerText", func(got string) bool { return got == text })
}

func (b *Browser) until(script string, ok func(string) bool) {
	b.t.Helper()
	for until := time.Now().Add(limit); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(b.ctx, limit)
		text, err := chromedp.Run(ctx, chromedp.Evaluate[string](script)) // an error: the page is just going
		cancel()
		if err == nil && ok(text) {
			return
		}
	}
	b.failed("waiting for "+script, context.DeadlineExceeded)
}

// Errors fails the test for each error that the browser has told on its console.
func (b *Browser) Errors() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.errors {
		b.t.Errorf("the browser's console: %s", e)
	}
}

// Picture writes a screenshot of the page at a width, light or dark, if the
// variable SALLYPORT_PICTURES names a folder.
func (b *Browser) Picture(name string, width int64, dark bool) {
	b.t.Helper()
	dir := os.Getenv("SALLYPORT_PICTURES")
	if dir == "" {
		return
	}
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	call(b, "choosing colours", emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
	b.do("choosing a width", chromedp.EmulateViewport(width, 800))
	png := run(b, "taking a picture", chromedp.FullScreenshot(100))
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600); err != nil {
		b.t.Fatal(err)
	}
	call(b, "ending the picture", emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{})
	b.do("ending the picture", chromedp.EmulateViewport(1000, 800))
}

// Narrow sets the width of the screen and the colours that the person prefers.
func (b *Browser) Narrow(width int64, dark bool) {
	b.t.Helper()
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	call(b, "choosing colours", emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
	b.do("choosing a width", chromedp.EmulateViewport(width, 800))
}

// Tick clicks a field, which leads to no other page.
func (b *Browser) Tick(selector string) {
	b.t.Helper()
	b.do("ticking "+selector, chromedp.Click(chromedp.CSS(selector)))
}

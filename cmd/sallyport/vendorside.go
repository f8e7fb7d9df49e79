package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/seal/sealed"
)

// The vendor's folder.
const (
	deviceKeyName = "device.key"
	deviceCSRName = "device.csr"
	deviceCrtName = "device.crt"
	appKeyName    = "app.key"
	appSetName    = "app.jwks"
	caName        = "ca.crt"
)

// keysCmd is run by the vendor, on its own machine.
type keysCmd struct {
	Dir string `arg:"" help:"The folder to make." type:"path"`
}

// Run makes the keys of a device and of a program. They never leave the folder;
// the signing request and the JWK Set do.
func (c *keysCmd) Run() error {
	if err := os.Mkdir(c.Dir, 0o700); err != nil {
		return problem.BadField("dir", c.Dir+" cannot be made, or exists", "Name a new folder; keys are never overwritten").Because(err)
	}
	device, err := identity.NewKey(256)
	if err != nil {
		return err
	}
	app, err := identity.NewKey(384)
	if err != nil {
		return err
	}
	request, err := identity.NewRequest(device)
	if err != nil {
		return err
	}
	set, err := identity.PublicKeys(app.Public())
	if err != nil {
		return err
	}
	at := func(name string) string { return filepath.Join(c.Dir, name) }
	for name, write := range map[string]func(string) error{
		deviceKeyName: func(f string) error { return identity.WriteKey(f, device) },
		appKeyName:    func(f string) error { return identity.WriteKey(f, app) },
		deviceCSRName: func(f string) error { return os.WriteFile(f, request, 0o644) },
		appSetName:    func(f string) error { return os.WriteFile(f, append(set, '\n'), 0o644) },
	} {
		if err := write(at(name)); err != nil {
			return fmt.Errorf("writing %s: %w", name, err)
		}
	}
	fmt.Printf(`Made %s
  %s, %s   private: they stay here
  %s   send it; a certificate comes back, to keep as %s, with %s
  %s     send it, and confirm its digest by telephone
`, c.Dir, deviceKeyName, appKeyName, deviceCSRName, deviceCrtName, caName, appSetName)
	return nil
}

// askCmd is a vendor's program in small: SMART backend services over mutual
// TLS, as RFC 8705 binds it.
type askCmd struct {
	URL  string `arg:"" help:"What to ask for, such as https://gateway:8443/fhir/ehr/Patient?_count=1"`
	App  string `help:"The program's id." required:"" placeholder:"ID"`
	Keys string `help:"The folder with device.key, device.crt, ca.crt and app.key." default:"." type:"path"`
	// For engagements whose releases are sealed.
	Identity    string `help:"Your private key for sealed releases: see sallyport unseal." placeholder:"FILE" type:"path"`
	ReleaseKeys string `help:"The organisation's release keys, with which it signs them." placeholder:"FILE" type:"path"`
	Save        string `help:"Keep a sealed answer as it comes, with its manifest in FILE.manifest.json, for sallyport unseal." placeholder:"FILE" type:"path"`
}

// Run asks, and prints what came: the resource, or why not.
func (c *askCmd) Run(ctx context.Context, now clock) error {
	u, err := url.Parse(c.URL)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return problem.BadField("url", "is not an https address", "Write https://host:port/fhir/SOURCE/Patient?_count=1").Because(err)
	}
	at := func(name string) string { return filepath.Join(c.Keys, name) }
	cred, err := identity.ReadCredential(at(deviceCrtName), at(deviceKeyName))
	if err != nil {
		return err
	}
	if err := inTime(cred, now(), "the organisation signs a new request: sallyport certificate device"); err != nil {
		return err
	}
	roots, err := identity.PoolFromFiles(at(caName))
	if err != nil {
		return err
	}
	key, err := identity.ReadKey(at(appKeyName))
	if err != nil {
		return err
	}
	origin := u.Scheme + "://" + u.Host
	hc := identity.NewHTTPClient(clientTLS(cred, roots, now))
	client, err := identity.NewClient(identity.ClientConfig{ClientID: c.App, Key: key, TokenURL: origin + "/token", Resource: origin,
		Scope: "system/*.rs", HTTP: hc, Now: now})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL, nil)
	if err != nil {
		return fmt.Errorf("asking: %w", err)
	}
	req.Header.Set("Accept", "application/fhir+json, application/problem+json")
	nonce := rand.Text()
	req.Header.Set("Sallyport-Nonce", nonce)
	resp, err := client.Do(req)
	if err != nil {
		return notAsked(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		if c.Save != "" {
			return c.save(resp)
		}
		body, err := c.unsealed(resp, nonce)
		if err != nil {
			return err
		}
		if _, err := io.Copy(os.Stdout, body); err != nil {
			var p *problem.Problem
			if errors.As(err, &p) { // of a sealed answer
				return p
			}
			return problem.New(problem.Unavailable, "The answer was cut off: it is not whole", "Ask again: a refusal then says why").Because(err)
		}
		fmt.Println()
		return nil
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	return refusedByGateway(resp.StatusCode, raw)
}

// save keeps a sealed answer. What is not sealed is not put on a disk.
func (c *askCmd) save(resp *http.Response) (err error) {
	if !sealed.IsMediaType(resp.Header.Get("Content-Type")) {
		return problem.BadField("save", "the answer is not sealed, and would be on the disk in clear", "Leave --save out")
	}
	f, err := os.OpenFile(c.Save, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return problem.BadField("save", c.Save+" cannot be written, or is there already", "Name a new file").Because(err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(c.Save))
		}
	}()
	_, err = io.Copy(f, resp.Body)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return problem.New(problem.Unavailable, "The answer was cut off: it is not whole", "Ask again: a refusal then says why").Because(err)
	}
	manifest := resp.Header.Get(sealed.ManifestHeader)
	if manifest == "" {
		manifest = resp.Trailer.Get(sealed.ManifestHeader)
	}
	text, err := sealed.ManifestFile(manifest)
	if err != nil {
		return problem.New(problem.Unavailable, "The answer came without its manifest: it is not whole", "Ask again").Because(err)
	}
	return os.WriteFile(c.Save+".manifest.json", text, 0o600)
}

// unsealed is an answer's body, opened where it is sealed.
func (c *askCmd) unsealed(resp *http.Response, nonce string) (io.Reader, error) {
	if !sealed.IsMediaType(resp.Header.Get("Content-Type")) {
		return resp.Body, nil
	}
	text, err := small("identity", c.Identity, "The answer is sealed: give your private key, --identity FILE")
	if err != nil {
		return nil, err
	}
	x := sealed.Expect{Nonce: nonce, Decision: id.Decision(resp.Header.Get("Sallyport-Decision"))}
	if x.Identities, err = sealed.ParseIdentities(text); err != nil {
		return nil, err
	}
	if text, err = small("release-keys", c.ReleaseKeys, "The answer is sealed: give the organisation's release keys, --release-keys FILE"); err != nil {
		return nil, err
	}
	if x.Keys, err = sealed.ParseKeys(text); err != nil {
		return nil, err
	}
	x.FromHeaders(resp.Header, func() map[string][]string { return resp.Trailer })
	return sealed.Open(resp.Body, x)
}

// refusedByGateway reads a problem, or a FHIR OperationOutcome.
func refusedByGateway(status int, raw []byte) error {
	p := new(problem.Problem)
	if err := json.Unmarshal(raw, p); err == nil && p.Title != "" {
		return p
	}
	var outcome struct {
		Issue []struct {
			Diagnostics string `json:"diagnostics"`
			Details     struct {
				Text string `json:"text"`
			} `json:"details"`
		} `json:"issue"`
	}
	if err := json.Unmarshal(raw, &outcome); err != nil || len(outcome.Issue) == 0 {
		return notOurs(status)
	}
	var lines []string
	for _, i := range outcome.Issue {
		lines = append(lines, strings.TrimSpace(i.Details.Text+" "+i.Diagnostics))
	}
	return fmt.Errorf("the gateway answered %d:\n  %s", status, strings.Join(lines, "\n  "))
}

func notAsked(err error) error {
	var t *identity.TokenError
	if errors.As(err, &t) {
		return problem.New(problem.Unknown, "The gateway gave no token: "+t.Error(),
			"Ask the organisation whether the device and the program are enrolled with these keys, and the grant requested").Because(err)
	}
	var p *problem.Problem
	if errors.As(err, &p) {
		return p
	}
	return problem.New(problem.Unavailable, "The gateway does not answer: "+plain(err), "Check the address and ca.crt").Because(err)
}

// inTime wants a certificate that counts now, and warns when it soon will not.
func inTime(cred *identity.Credential, now time.Time, next string) error {
	leaf := cred.TLS().Leaf
	if leaf == nil {
		return nil // the server judges
	}
	switch left := leaf.NotAfter.Sub(now); {
	case now.Before(leaf.NotBefore):
		return problem.BadField("cert", "counts only from "+leaf.NotBefore.UTC().Format(time.RFC3339)+", and this machine's clock says "+now.UTC().Format(time.RFC3339),
			"Set this machine's clock")
	case left <= 0:
		return problem.BadField("cert", "expired on "+leaf.NotAfter.UTC().Format(time.RFC3339), "Get a new one: "+next)
	case left < soon:
		fmt.Fprintf(os.Stderr, "sallyport: your certificate expires on %s. Next: %s\n", leaf.NotAfter.UTC().Format(time.RFC3339), next)
	}
	return nil
}

// soon is when a person is told of a certificate's end.
const soon = 14 * 24 * time.Hour

package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/problem"
)

// connection says which server to talk to and as whom: by a client certificate, or,
// where none is named, by the session of `sallyport login`. A person's folder holds
// NAME.crt, NAME.key and ca.crt, as `sallyport init` and `sallyport certificate`
// write them.
type connection struct {
	Server string `help:"The API's address." env:"SALLYPORT_SERVER" default:"https://127.0.0.1:8444" placeholder:"URL"`
	Cert   string `help:"Your client certificate; the key is beside it as .key." env:"SALLYPORT_CERT" placeholder:"FILE" type:"path"`
	CA     string `help:"The server's authority; without it ca.crt beside your certificate." env:"SALLYPORT_CA" placeholder:"FILE" type:"path" name:"ca"`

	now clock
}

// AfterApply takes the command's clock.
func (c *connection) AfterApply(now clock) error {
	c.now = now
	return nil
}

// defaultServer is that of the struct above.
const defaultServer = "https://127.0.0.1:8444"

const callTimeout = 60 * time.Second

// as is the client, and the secret of the session where there is no certificate.
func (c connection) as() (hc *http.Client, secret string, err error) {
	if c.Cert != "" {
		hc, err = c.client()
		return hc, "", err
	}
	s, err := readSession()
	if p := problem.From(err); err != nil && p.Kind == problem.Unknown {
		return nil, "", problem.BadField("cert", "your client certificate is not named, and you are not signed in",
			"Give --cert data/people/NAME.crt, or set SALLYPORT_CERT; `sallyport init` made the first one. Or sign in: sallyport login")
	} else if err != nil {
		return nil, "", err
	}
	if c.Server != "" && c.Server != defaultServer && strings.TrimSuffix(c.Server, "/") != strings.TrimSuffix(s.Server, "/") {
		return nil, "", problem.BadField("server", "is not the server that you signed in to: "+s.Server, "Sign in there: sallyport login --server "+c.Server)
	}
	hc, err = s.client(c.now)
	return hc, s.Secret, err
}

// at is the address of the API: a session's own where no certificate is named.
func (c connection) at() string {
	if c.Cert == "" {
		if s, err := readSession(); err == nil {
			return s.Server
		}
	}
	return c.Server
}

func (c connection) client() (*http.Client, error) {
	cred, err := identity.ReadCredential(c.Cert, strings.TrimSuffix(c.Cert, filepath.Ext(c.Cert))+".key")
	if err != nil {
		return nil, err
	}
	if err := inTime(cred, c.now(), "sallyport certificate person, on the server; then sallyport person register-key"); err != nil {
		return nil, err
	}
	ca := c.CA
	if ca == "" {
		ca = filepath.Join(filepath.Dir(c.Cert), "ca.crt")
	}
	roots, err := identity.PoolFromFiles(ca)
	if err != nil {
		return nil, err
	}
	hc := identity.NewHTTPClient(clientTLS(cred, roots, c.now))
	hc.Timeout = callTimeout
	return hc, nil
}

// clientTLS is the client's side, which judges the server's certificate by the
// command's clock.
func clientTLS(cred *identity.Credential, roots *x509.CertPool, now clock) *tls.Config {
	c := identity.ClientTLS(cred, roots)
	c.Time = now
	return c
}

// call sends in (nil: no body) and decodes the answer into out: a *[]byte as it
// is, anything else as JSON.
func (c connection) call(ctx context.Context, method, path string, in, out any, header ...string) error {
	hc, secret, err := c.as()
	if err != nil {
		return err
	}
	server := c.at()
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("writing the request: %w", err)
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(server, "/")+path, body)
	if err != nil {
		return problem.BadField("server", "is not an address", "Write https://host:port").Because(err)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if secret != "" {
		req.Header.Set("Authorization", "Bearer "+secret)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := hc.Do(req)
	if err != nil {
		return problem.New(problem.Unavailable, "The server at "+server+" does not answer: "+plain(err),
			"Check the address and that `sallyport serve` runs").Because(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	if err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	if resp.StatusCode/100 != 2 {
		if secret != "" && resp.StatusCode == http.StatusUnauthorized {
			return problem.New(problem.Unknown, "Your session is over", "Sign in again: sallyport login")
		}
		return answered(resp.StatusCode, raw)
	}
	switch out := out.(type) {
	case nil:
	case *[]byte:
		*out = raw
	default:
		if err := json.Unmarshal(raw, out); err != nil {
			return fmt.Errorf("reading the answer: %w", err)
		}
	}
	return nil
}

// plain is the innermost cause, without the address that a URL error repeats.
func plain(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}

// notOurs is an answer that is no problem of this product: somebody else may have given it.
func notOurs(status int) *problem.Problem {
	return problem.New(problem.UpstreamFail, fmt.Sprintf("The server's answer (%d) is not one that this program knows", status),
		"Check the address, and whether a proxy stands between; the command line and the server must be of one version")
}

func answered(status int, raw []byte) error {
	if status == http.StatusUnauthorized {
		return problem.New(problem.Unknown, "The server does not know you",
			"Check --cert: its key must be registered (sallyport person register-key), the person approved, and the certificate not expired")
	}
	p := new(problem.Problem)
	if err := json.Unmarshal(raw, p); err != nil || p.Title == "" {
		return notOurs(status)
	}
	p.Kind = problem.Kind("")
	return p
}

// printJSON writes v, indented, for people and for jq.
func printJSON(v any) error {
	enc := json.NewEncoder(os.Stdout)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

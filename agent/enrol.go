package agent

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sallyport/sallyport/agent/keystore"
	"github.com/sallyport/sallyport/agent/wire"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/problem"
)

// fhirPath is where the gateway speaks FHIR.
const fhirPath = "/fhir"

const (
	callTimeout = 30 * time.Second
	// pollEvery is how often an enrolled machine asks whether it is approved.
	pollEvery = 5 * time.Second
)

func grantID(s string) id.Grant { return id.Grant(s) }

// EnrolOptions say how to enrol.
type EnrolOptions struct {
	Options
	Server   string // https://gateway:8443
	Invite   string
	Region   string        // where this machine is (ISO 3166)
	KeyStore keystore.Kind // empty: the TPM where there is one, else files
	Wait     time.Duration // how long to wait for approval; 0: not at all
}

func checkServer(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return problem.BadField("server", "is not an https address", "Write https://host:port").Because(err)
	}
	return nil
}

// Enrol uses an invitation: makes the keys, shows them to the server that the
// invitation names, and waits for approval. Where it was interrupted, it goes on
// with the keys that it had made.
func Enrol(ctx context.Context, o EnrolOptions) (a *Agent, e wire.Enrolment, err error) {
	inv, err := wire.ParseInvite(o.Invite)
	if err != nil {
		return nil, e, err
	}
	if err := checkServer(o.Server); err != nil {
		return nil, e, err
	}
	anchor, err := fetchAuthority(ctx, o.Server, inv.Pin)
	if err != nil {
		return nil, e, err
	}
	keys, err := openKeys(o)
	if err != nil {
		return nil, e, err
	}
	a = &Agent{o: o.Options, keys: keys, config: config{Server: strings.TrimSuffix(o.Server, "/"), Device: inv.Device}}
	defer func() {
		if err != nil {
			err = errors.Join(err, keys.Close())
			a = nil
		}
	}()
	for _, name := range []string{deviceKey, appKey} {
		if _, err := keys.Key(name); errors.Is(err, fs.ErrNotExist) {
			if _, err := keys.Make(name); err != nil {
				return nil, e, err
			}
		} else if err != nil {
			return nil, e, err
		}
	}
	if err := a.loadKeys(); err != nil {
		return nil, e, err
	}
	if err := keystore.WriteFile(filepath.Join(o.Dir, serverFile), anchor); err != nil {
		return nil, e, err
	}
	set, err := identity.PublicKeys(a.app.Public())
	if err != nil {
		return nil, e, err
	}
	sealTo, err := recipients(keys)
	if err != nil {
		return nil, e, err
	}
	hc, err := a.unenrolled()
	if err != nil {
		return nil, e, err
	}
	defer hc.CloseIdleConnections()
	if err := call(ctx, hc, http.MethodPost, a.config.Server+wire.Enrol, wire.EnrolRequest{Device: inv.Device, Code: inv.Code,
		KeyStore: string(keys.Kind()), Region: o.Region, SealTo: sealTo, AppKeys: set}, &e); err != nil {
		return nil, e, notInvited(err)
	}
	if err := a.take(e); err != nil {
		return nil, e, err
	}
	if a.Ready() || o.Wait <= 0 {
		return a, e, nil
	}
	if o.Say != nil {
		o.Say(e.Next)
	}
	ctx, cancel := context.WithTimeout(ctx, o.Wait)
	defer cancel()
	e, err = a.Await(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = nil // it waits still, and says so
	}
	return a, e, err
}

// Await asks until the machine is approved and has its certificate.
func (a *Agent) Await(ctx context.Context) (e wire.Enrolment, err error) {
	hc, err := a.unenrolled()
	if err != nil {
		return e, err
	}
	defer hc.CloseIdleConnections()
	for !a.Ready() {
		var next wire.Enrolment
		switch err := call(ctx, hc, http.MethodGet, a.settings().Server+wire.Enrol, nil, &next); {
		case ctx.Err() != nil:
			return e, ctx.Err()
		case problem.From(err).Kind == problem.Unavailable:
		case err != nil:
			return e, notInvited(err)
		default:
			e = next
			if err := a.take(e); err != nil {
				return e, err
			}
			if e.State == "ended" || strings.HasPrefix(e.Next, "The time to fetch") {
				return e, problem.New(problem.Refused, "This machine gets no certificate", e.Next)
			}
		}
		if a.Ready() {
			return e, nil
		}
		if err := wait(ctx, pollEvery); err != nil {
			return e, err
		}
	}
	return e, nil
}

// notInvited says what a bare 401 during enrolment means.
func notInvited(err error) error {
	if problem.From(err).Kind == problem.Unknown {
		return problem.New(problem.Unknown, "The server does not know this invitation, or this machine's key",
			"Check that you copied all of it, that it has not been used or replaced, and ask for a new one: sallyport device invite").Because(err)
	}
	return err
}

// openKeys makes the keys' store, or opens the one of an enrolment that was
// interrupted or is repeated.
func openKeys(o EnrolOptions) (*keystore.Store, error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, problem.BadField("dir", o.Dir+" cannot be made", "Name a folder of your own").Because(err)
	}
	dir := filepath.Join(o.Dir, keysDir)
	ko := keystore.Options{TPM: o.TPM, Passphrase: o.Passphrase}
	keys, err := keystore.Open(dir, ko)
	if !errors.Is(err, fs.ErrNotExist) {
		if err == nil && o.KeyStore != "" && o.KeyStore != keys.Kind() {
			return nil, errors.Join(problem.BadField("key-store", "the keys in "+dir+" are of kind "+string(keys.Kind()), "Name another folder for keys of another kind"), keys.Close())
		}
		return keys, err
	}
	keys, why, err := keystore.Create(dir, o.KeyStore, ko)
	if err == nil && why != nil && o.Say != nil {
		o.Say("The keys are in encrypted files: no TPM 2.0 can be used here (" + plain(why) + ").")
	}
	return keys, err
}

// plain is the innermost cause.
func plain(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}

// fetchAuthority gets the server's authority over a connection that proves nothing
// yet, and compares it with the invitation. Nothing is sent on that connection.
func fetchAuthority(ctx context.Context, server, pin string) ([]byte, error) {
	c := identity.ClientTLS(nil, nil)
	c.InsecureSkipVerify = true // the digest below verifies what comes
	hc := identity.NewHTTPClient(c)
	defer hc.CloseIdleConnections()
	var raw []byte
	if err := call(ctx, hc, http.MethodGet, strings.TrimSuffix(server, "/")+wire.Authority, nil, &raw); err != nil {
		return nil, err
	}
	cert, err := onlyCertificate(raw)
	if err != nil || wire.PinOf(cert.Raw) != pin {
		return nil, problem.New(problem.Refused, "This is not the server that the invitation is from",
			"Check --server; if it is right, somebody may be in between: tell who invited you").Because(err)
	}
	return raw, nil
}

// unenrolled is a client that shows the device's key under nobody's word.
func (a *Agent) unenrolled() (*http.Client, error) {
	cred, err := identity.SelfSigned(a.device, a.o.Now())
	if err != nil {
		return nil, err
	}
	roots, err := a.roots()
	if err != nil {
		return nil, err
	}
	c := identity.ClientTLS(cred, roots)
	c.Time = a.o.Now
	return identity.NewHTTPClient(c), nil
}

// take notes what the server said of this machine, and the certificate if it gave
// one. The certificate must be for the device's own key.
func (a *Agent) take(e wire.Enrolment) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if e.Device != a.config.Device {
		return problem.New(problem.Refused, "The server answers about another machine", "Enrol again in a new folder")
	}
	a.config.Vendor, a.config.Owner, a.config.App, a.config.PostureEvery = e.Vendor, e.Owner, e.App, e.PostureEvery
	if e.Server != "" && checkServer(e.Server) == nil {
		a.config.Server = strings.TrimSuffix(e.Server, "/")
	}
	if e.Authority != "" {
		if _, err := poolOf([]byte(e.Authority)); err != nil {
			return err
		}
		if err := keystore.WriteFile(filepath.Join(a.o.Dir, serverFile), []byte(e.Authority)); err != nil {
			return err
		}
	}
	if e.Certificate != "" {
		cred, err := identity.NewCredential([]byte(e.Certificate), a.device)
		if err != nil {
			return err
		}
		if err := keystore.WriteFile(filepath.Join(a.o.Dir, certFile), []byte(e.Certificate)); err != nil {
			return err
		}
		if err := a.connect(cred); err != nil {
			return err
		}
	}
	return a.save()
}

// call sends in as JSON and reads the answer into out: a *[]byte as it is. A string
// is sent as it is, as a signed report.
func call(ctx context.Context, hc *http.Client, method, where string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var body io.Reader
	kind := "application/json"
	switch in := in.(type) {
	case nil:
	case string:
		body, kind = strings.NewReader(in), wire.ReportType
	default:
		raw, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("write a request: %w", err)
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, where, body)
	if err != nil {
		return fmt.Errorf("ask the server: %w", err)
	}
	if body != nil {
		req.Header.Set("Content-Type", kind)
	}
	resp, err := hc.Do(req)
	if err != nil {
		return unreachable(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, wire.MaxBody+1))
	if err != nil || len(raw) > wire.MaxBody {
		return problem.New(problem.Unavailable, "The server's answer was cut off, or is too long", "Try again").Because(err)
	}
	if resp.StatusCode/100 != 2 {
		return answered(resp.StatusCode, raw)
	}
	switch out := out.(type) {
	case nil:
	case *[]byte:
		*out = raw
	default:
		if err := json.Unmarshal(raw, out); err != nil {
			return problem.New(problem.UpstreamFail, "The server's answer is not what this agent knows", "Use an agent of the server's version").Because(err)
		}
	}
	return nil
}

// unreachable says why there is no answer. A server that cannot be verified is
// never spoken to.
func unreachable(err error) error {
	var verify *tls.CertificateVerificationError
	if errors.As(err, &verify) {
		return problem.New(problem.Refused, "The server is not the one that this machine was enrolled with: "+plain(err),
			"Check the address and this machine's clock; if both are right, somebody may be in between: tell the organisation").Because(err)
	}
	return problem.New(problem.Unavailable, "The server does not answer: "+plain(err), "Check the network and the address; the agent tries again").Because(err)
}

// kinds are the problem kinds by HTTP status.
var kinds = map[int]problem.Kind{400: problem.Invalid, 401: problem.Unknown, 403: problem.Refused, 404: problem.NotFound, 405: problem.WrongMethod, 409: problem.Conflict,
	413: problem.TooLarge, 429: problem.TooMany, 501: problem.Unsupported, 502: problem.UpstreamFail, 503: problem.Unavailable}

func answered(status int, raw []byte) error {
	p := new(problem.Problem)
	if json.Unmarshal(raw, p) != nil || p.Title == "" {
		p = problem.New("", fmt.Sprintf("The server answered %d", status), "Try again; if it goes on, ask the organisation")
	}
	p.Kind = kinds[status]
	if p.Kind == "" {
		p.Kind = problem.UpstreamFail
	}
	return p
}

// Package agent is the vendor's side of the wire, on the machine of an engineer or
// a program: it enrols the machine, keeps its certificate fresh, reports its state,
// and gives ordinary FHIR clients an endpoint on loopback, which they use without
// knowing of certificates, tokens and sealing.
//
// What is refused is put into words: what is missing, who can mend it, and the
// command that does. The agent never falls back to anything weaker: a server that
// is not the one that was enrolled with is not spoken to, a key that the TPM holds
// is not replaced by one in a file, a body that was cut off or does not verify is
// cut off for the client too.
//
// Patient data passes through its memory, a buffer at a time, and is written to no
// disk unless a folder was named for it. What it prints and logs are ids, states,
// gates and reasons.
//
// Who else is on the machine: the endpoint listens on loopback only, refuses
// browsers (a page of another origin, a rebound name), and, where the system says
// whose a connection is (Linux), refuses other users than its own and root. Where
// it does not, a secret of this run is required of every client.
package agent

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/agent/keystore"
	"github.com/sallyport/sallyport/agent/posture"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/problem"
)

// The agent's folder.
const (
	keysDir    = "keys"
	configFile = "agent.json"
	certFile   = "device.crt"
	serverFile = "server.crt"
	deviceKey  = "device"
	appKey     = "app"
)

// config is agent.json: where and as whom. It holds no secret.
type config struct {
	Server       string `json:"server"`
	Device       string `json:"device"`
	Vendor       string `json:"vendor,omitempty"`
	Owner        string `json:"owner,omitempty"`
	App          string `json:"app,omitempty"`
	PostureEvery int    `json:"posture_every,omitempty"` // seconds
}

// Options are what a command gives beside the folder.
type Options struct {
	Dir        string
	TPM        string // see keystore.Options
	Passphrase []byte
	Now        func() time.Time
	// Say tells the person at the terminal, a line at a time.
	Say func(line string)
	// System is what posture is read from; nil: this machine.
	System posture.System
	// App and AppKey are another program than the owner's own: its id and key.
	App    string
	AppKey crypto.Signer
	Grant  string // which, where the program has several
	Scope  string // SMART scopes; empty: everything that the grant gives
}

// Agent is an enrolled machine.
type Agent struct {
	o      Options
	keys   *keystore.Store
	device crypto.Signer
	app    crypto.Signer

	renewing sync.Mutex // held by one renewal at a time, which waits for the server
	mu       sync.Mutex // guards config: every request asks it, so nobody waits while holding it
	config   config
	link   atomic.Pointer[link] // the present way to the server
}

// link is a way to the server, with one certificate. A renewal makes another; what
// is under way on the old one goes on.
type link struct {
	cred   *identity.Credential
	http   *http.Client
	tokens *identity.Client
	origin string // https://host:port
}

// Open opens the folder of a machine that is enrolled, or waits for approval: then
// Ready is false.
func Open(o Options) (_ *Agent, err error) {
	a := &Agent{o: o}
	raw, err := readSmall(filepath.Join(o.Dir, configFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, problem.BadField("dir", o.Dir+" holds no enrolment", "Enrol first: sallyport agent enroll, or name the folder with --dir").Because(err)
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(raw, &a.config); err != nil || checkServer(a.config.Server) != nil || a.config.Device == "" {
		return nil, problem.BadField(filepath.Join(o.Dir, configFile), "cannot be read", "Restore the folder, or enrol again in a new one").Because(err)
	}
	if a.keys, err = keystore.Open(filepath.Join(o.Dir, keysDir), keystore.Options{TPM: o.TPM, Passphrase: o.Passphrase}); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.keys.Close())
		}
	}()
	if err := a.loadKeys(); err != nil {
		return nil, err
	}
	chain, err := readSmall(filepath.Join(o.Dir, certFile))
	if errors.Is(err, fs.ErrNotExist) {
		return a, nil // waits for approval
	}
	if err != nil {
		return nil, err
	}
	cred, err := identity.NewCredential(chain, a.device)
	if err != nil {
		return nil, err
	}
	return a, a.connect(cred)
}

func (a *Agent) loadKeys() (err error) {
	if a.device, err = a.keys.Key(deviceKey); err != nil {
		return fmt.Errorf("the device's key: %w", err)
	}
	a.app = a.o.AppKey
	if a.app == nil {
		if a.app, err = a.keys.Key(appKey); err != nil {
			return fmt.Errorf("the program's key: %w", err)
		}
	}
	return nil
}

// Close lets go of the keys.
func (a *Agent) Close() error {
	if l := a.link.Load(); l != nil {
		l.http.CloseIdleConnections()
	}
	return a.keys.Close()
}

// Ready reports whether the machine has a certificate.
func (a *Agent) Ready() bool { return a.link.Load() != nil }

// KeyStore is where the keys are.
func (a *Agent) KeyStore() keystore.Kind { return a.keys.Kind() }

// Device is the machine's id.
func (a *Agent) Device() string { return a.settings().Device }

// Server is the server's address.
func (a *Agent) Server() string { return a.settings().Server }

// App is the program as which the agent asks.
func (a *Agent) App() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.program()
}

// program is App, for who holds the lock.
func (a *Agent) program() string {
	if a.o.App != "" {
		return a.o.App
	}
	return a.config.App
}

// CertificateEnds is when the present certificate ends; zero without one.
func (a *Agent) CertificateEnds() time.Time {
	if l := a.link.Load(); l != nil {
		return l.cred.NotAfter()
	}
	return time.Time{}
}

func (a *Agent) settings() config {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.config
}

// roots trusts the server's authority as it was pinned, and nobody else.
func (a *Agent) roots() (*x509.CertPool, error) {
	raw, err := readSmall(filepath.Join(a.o.Dir, serverFile))
	if err != nil {
		return nil, problem.BadField(filepath.Join(a.o.Dir, serverFile), "cannot be read", "Restore it, or enrol again in a new folder").Because(err)
	}
	return poolOf(raw)
}

func poolOf(raw []byte) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(raw) {
		return nil, problem.New(problem.Invalid, "The server's authority is no certificate", "Enrol again in a new folder")
	}
	return pool, nil
}

// onlyCertificate is the one certificate in PEM.
func onlyCertificate(raw []byte) (*x509.Certificate, error) {
	block, rest := pem.Decode(raw)
	if block == nil || block.Type != "CERTIFICATE" || strings.TrimSpace(string(rest)) != "" {
		return nil, errors.New("not one certificate in PEM")
	}
	return x509.ParseCertificate(block.Bytes)
}

// connect makes the way to the server with a certificate the present one.
func (a *Agent) connect(cred *identity.Credential) error {
	roots, err := a.roots()
	if err != nil {
		return err
	}
	c := identity.ClientTLS(cred, roots)
	c.Time = a.o.Now
	l := &link{cred: cred, http: identity.NewHTTPClient(c), origin: strings.TrimSuffix(a.config.Server, "/")}
	if app := a.program(); app != "" {
		scope := a.o.Scope
		if scope == "" {
			scope = "system/*.rs"
		}
		if l.tokens, err = identity.NewClient(identity.ClientConfig{ClientID: app, Key: a.app, TokenURL: l.origin + "/token", Resource: l.origin + fhirPath,
			Scope: scope, Grant: grantID(a.o.Grant), HTTP: l.http, Now: a.o.Now}); err != nil {
			return err
		}
	}
	if old := a.link.Swap(l); old != nil {
		old.http.CloseIdleConnections() // what is under way keeps its connection
	}
	return nil
}

// save writes the settings.
func (a *Agent) save() error { return writeConfig(a.o.Dir, a.config) }

func writeConfig(dir string, c config) error {
	raw, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return fmt.Errorf("write the agent's settings: %w", err)
	}
	return keystore.WriteFile(filepath.Join(dir, configFile), append(raw, '\n'))
}

const maxSmall = 1 << 20

func readSmall(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxSmall {
		return nil, problem.BadField(path, "is not what was written there", "Restore the folder, or enrol again in a new one")
	}
	return os.ReadFile(path)
}

// wait sleeps, unless the context ends first.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Package site sets up a whole installation for measurements: a synthetic
// hospital, Sallyport in front of it, a vendor whose papers are in order, each
// in a process of its own and all on loopback.
//
// What it does, it does as its users would: `sallyport init` makes the
// installation, acts go through the API by personal certificates, the vendor's
// program gets its token by private_key_jwt.
package site

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/seal"
	"github.com/sallyport/sallyport/server"
)

// Source is the hospital's name in the configuration.
const Source = id.Source("ehr")

// What registrytest.Demo names its vendor's things.
const (
	Device     = id.Device("northwind-gpu-1")
	App        = id.App("triage")
	Engagement = id.Engagement("triage-eval")
	BAA        = id.Agreement("northwind-baa")
	Contract   = id.Agreement("northwind-contract")
)

// Options says where to make a site and what stands behind it.
type Options struct {
	Dir string // must not exist
	PKI *PKI   // of the hospital
	URL string // the hospital's base
	Now func() time.Time
	// SealTo are the recipients of the device, for sealed releases.
	SealTo []string
	// People has pages for people with browsers, who sign in at providers that the
	// hospital's authority vouches for.
	People bool
}

// Site is an installation. It does not run by itself: see Serve.
type Site struct {
	Config  string // the configuration file
	Dir     string
	Gateway string // https://127.0.0.1:port
	API     string
	Health  string // http://...
	Pages   string // https://..., with Options.People
	roots   *x509.CertPool
	people  map[id.Person]*http.Client
	device  *identity.Credential
	appKey  *ecdsa.PrivateKey
	now     func() time.Time
	grace   *identity.Credential
	papers  int                    // BAAs signed after the first
	spares  []*identity.Credential // see Spare
	sealTo  []string
}

// New makes the installation and the keys of all who take part.
func New(ctx context.Context, o Options) (*Site, error) {
	ports, err := freePorts(4)
	if err != nil {
		return nil, err
	}
	address := func(i int) string { return fmt.Sprintf("127.0.0.1:%d", ports[i]) }
	s := &Site{Dir: o.Dir, Gateway: "https://" + address(0), API: "https://" + address(1), Health: "http://" + address(2),
		people: map[id.Person]*http.Client{}, now: o.Now, sealTo: o.SealTo}
	host, pages := "127.0.0.1", 0
	if o.People { // browsers make passkeys for names alone
		host, pages = "localhost", ports[3]
		s.Gateway, s.API, s.Pages = fmt.Sprintf("https://localhost:%d", ports[0]), fmt.Sprintf("https://localhost:%d", ports[1]), fmt.Sprintf("https://localhost:%d", ports[3])
	}
	s.Config, err = server.Init(ctx, server.Setup{Dir: o.Dir, Organisation: "Bench Hospital", Node: "bench-1",
		Person: registrytest.Ada, PersonName: "Ada Example", SourceID: Source, SourceURL: o.URL,
		Host: host, GatewayPort: ports[0], APIPort: ports[1], HealthPort: ports[2], PeoplePort: pages, Now: o.Now})
	if err != nil {
		return nil, fmt.Errorf("making the installation: %w", err)
	}
	if err := s.trustHospital(o.PKI); err != nil {
		return nil, err
	}
	if o.People {
		if err := s.trustProviders(o.PKI); err != nil {
			return nil, err
		}
	}
	config, err := server.Load(s.Config)
	if err != nil {
		return nil, err
	}
	if s.grace, err = server.IssuePerson(config, registrytest.Grace, o.Now()); err != nil {
		return nil, err
	}
	people := config.Data("people")
	if s.roots, err = identity.PoolFromFiles(filepath.Join(people, "ca.crt")); err != nil {
		return nil, err
	}
	for _, p := range []id.Person{registrytest.Ada, registrytest.Grace} {
		cred, err := identity.ReadCredential(File(people, string(p)))
		if err != nil {
			return nil, err
		}
		s.people[p] = identity.NewHTTPClient(identity.ClientTLS(cred, s.roots))
		s.people[p].Timeout = time.Minute
	}
	return s, s.vendor(config)
}

// trustHospital puts the hospital's authority and Sallyport's client certificate
// into the configuration.
func (s *Site) trustHospital(k *PKI) error {
	text, err := os.ReadFile(s.Config)
	if err != nil {
		return err
	}
	cert, key := File(k.Dir, ClientFile)
	const before = "    data_classes: [phi]"
	lines := fmt.Sprintf("    ca_file: %q\n    credentials: {mutual_tls: {cert_file: %q, key_file: %q}}\n", filepath.Join(k.Dir, CAFile), cert, key)
	if !bytes.Contains(text, []byte(before)) {
		return errors.New("the configuration that init writes has changed: it lacks " + before)
	}
	return os.WriteFile(s.Config, bytes.Replace(text, []byte(before), []byte(lines+before), 1), 0o600)
}

// vendor makes the vendor's keys: its device's, signed by the organisation, and
// its application's.
func (s *Site) vendor(config *server.Config) error {
	key, err := identity.NewKey(256)
	if err != nil {
		return err
	}
	csr, err := identity.NewRequest(key)
	if err != nil {
		return err
	}
	cert, _, err := server.SignDevice(config, Device, csr, 24*time.Hour, s.now())
	if err != nil {
		return err
	}
	if s.device, err = identity.NewCredential(cert, key); err != nil {
		return err
	}
	if err := s.device.Write(s.DeviceFiles()); err != nil {
		return err
	}
	s.appKey, err = identity.NewKey(384)
	return err
}

// DeviceFiles are the vendor's certificate and key.
func (s *Site) DeviceFiles() (cert, key string) { return File(s.Dir, "device") }

// CAFile is the authority of Sallyport's certificate.
func (s *Site) CAFile() string { return filepath.Join(s.Data(), "people", "ca.crt") }

// Data is the installation's data directory.
func (s *Site) Data() string { return filepath.Join(s.Dir, "data") }

func freePorts(n int) ([]int, error) {
	ports := make([]int, n)
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() // all at the end, so that no port is given twice
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return ports, nil
}

// Build makes the sallyport program in dir, as its users get it.
func Build(ctx context.Context, dir string) (string, error) {
	out := filepath.Join(dir, "sallyport")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", out, "github.com/sallyport/sallyport/cmd/sallyport")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building sallyport: %w\n%s", err, text)
	}
	return out, nil
}

const startLimit = 30 * time.Second

// Serve starts `sallyport serve` (argv, and the configuration behind it) and
// waits until it is ready.
func (s *Site) Serve(ctx context.Context, name string, argv ...string) (*Process, error) {
	p, err := Start(s.Dir, name, append(argv, "--config", s.Config)...)
	if err != nil {
		return nil, err
	}
	limit := time.NewTimer(startLimit)
	defer limit.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	hc := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		if resp, err := hc.Get(s.Health + "/readyz"); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return p, nil
			}
		}
		select {
		case <-tick.C:
		case <-p.Ended():
			return nil, fmt.Errorf("sallyport ended at its start (%w); see %s", p.err, p.log.Name())
		case <-limit.C:
			p.Kill()
			return nil, fmt.Errorf("sallyport was not ready after %s; see %s", startLimit, p.log.Name())
		case <-ctx.Done():
			p.Kill()
			return nil, ctx.Err()
		}
	}
}

// Steps are the acts from a new installation to a grant, sized for measuring:
// no volume that a benchmark would reach.
func (s *Site) Steps() ([]registrytest.Step, error) {
	keys, err := identity.PublicKeys(s.appKey.Public())
	if err != nil {
		return nil, err
	}
	steps, err := registrytest.Demo{Now: s.now(), GraceKey: s.grace.KeyDigest(), DeviceKey: s.device.KeyDigest(), AppKeys: keys}.Steps()
	if err != nil {
		return nil, err
	}
	if _, ok := steps[0].Act.(registry.BootstrapOrganisation); !ok {
		return nil, errors.New("the demo does not begin with the bootstrap, which init has done")
	}
	steps = steps[1:]
	spares, devices := s.spareSteps()
	grant := len(steps)
	for i, step := range steps {
		switch a := step.Act.(type) {
		case registry.RecordTraining:
			a.Course, a.Version = server.DefaultPolicy.Course, server.DefaultPolicy.CourseVersion
			steps[i].Act = a
		case registry.EnrollDevice:
			a.SealTo = s.sealTo
			steps[i].Act = a
		case registry.RequestGrant:
			a.MaxDailyBytes = 1 << 50
			a.Devices = append(slices.Clone(a.Devices), devices...)
			steps[i].Act, grant = a, i
		case registry.DefineRole:
			a.MaxPageSize = 1000
			steps[i].Act = a
		}
	}
	return slices.Insert(steps, grant, spares...), nil
}

// Paper does all the acts.
func (s *Site) Paper(ctx context.Context) error {
	steps, err := s.Steps()
	if err != nil {
		return err
	}
	for _, step := range steps {
		if _, err := s.Do(ctx, step.By, step.Act, step.Reason, ""); err != nil {
			return fmt.Errorf("%T: %w", step.Act, err)
		}
	}
	return nil
}

// Refused is the API's no.
type Refused struct {
	Status int
	Body   string
}

func (e *Refused) Error() string { return fmt.Sprintf("the API answered %d: %s", e.Status, e.Body) }

// Do performs an act through the API. The key, if any, makes a repetition
// harmless.
func (s *Site) Do(ctx context.Context, by id.Person, a registry.Act, reason, key string) (api.ActResult, error) {
	spec, ok := registry.SpecOf(a)
	if !ok {
		return api.ActResult{}, fmt.Errorf("no such act: %T", a)
	}
	fields, err := registry.Encode(a)
	if err != nil {
		return api.ActResult{}, err
	}
	var out api.ActResult
	return out, s.Post(ctx, by, strings.ReplaceAll(spec.Path, "{id}", a.Subject().ID), key, map[string]any{"reason": reason, "act": json.RawMessage(fields)}, &out)
}

// Post asks the API to do something. The key may be empty.
func (s *Site) Post(ctx context.Context, by id.Person, path, key string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.API+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if key != "" {
		req.Header.Set(api.IdempotencyHeader, key)
	}
	return s.call(by, req, out)
}

// Get reads from the API.
func (s *Site) Get(ctx context.Context, by id.Person, path string, out any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.API+path, nil)
	if err != nil {
		return err
	}
	return s.call(by, req, out)
}

func (s *Site) call(by id.Person, req *http.Request, out any) error {
	hc, ok := s.people[by]
	if !ok {
		return fmt.Errorf("nobody here is %q", by)
	}
	resp, err := hc.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 256<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return &Refused{resp.StatusCode, string(raw)}
	}
	return json.Unmarshal(raw, out)
}

// Reset forgets connections to a server that was killed.
func (s *Site) Reset() {
	for _, hc := range s.people {
		hc.CloseIdleConnections()
	}
}

// Base is the hospital's data as the vendor reaches it.
func (s *Site) Base() string { return s.Gateway + "/fhir/" + string(Source) }

// Client is the vendor's program: a token by private_key_jwt over mutual TLS,
// and the connections that it is bound to.
func (s *Site) Client(ctx context.Context) (*identity.Client, *http.Client, error) {
	return s.clientOn(ctx, s.device)
}

func (s *Site) clientOn(ctx context.Context, device *identity.Credential) (*identity.Client, *http.Client, error) {
	hc := identity.NewHTTPClient(identity.ClientTLS(device, s.roots))
	hc.Timeout = 10 * time.Minute
	token, err := identity.Discover(ctx, hc, s.Base())
	if err != nil {
		return nil, nil, err
	}
	c, err := identity.NewClient(identity.ClientConfig{ClientID: string(App), Key: s.appKey, TokenURL: token,
		Resource: s.Base(), Scope: "system/*.rs", HTTP: hc, Now: s.now})
	return c, hc, err
}

// Codes are the pseudonyms of ids of the hospital in the vendor's engagement,
// by the installation's own key.
func (s *Site) Codes(ids ...string) ([]string, error) {
	ring, err := seal.Open(filepath.Join(s.Data(), "keys"), seal.KeyFile(""))
	if err != nil {
		return nil, err
	}
	key, err := ring.Engagement(Engagement)
	if err != nil {
		return nil, err
	}
	var codes []string
	for _, x := range ids {
		code, ok := key.Code(x)
		if !ok {
			return nil, fmt.Errorf("the id %s is too long for a code", x)
		}
		codes = append(codes, code)
	}
	return codes, nil
}

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	_ "embed" // the acts of the demo
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/hospital"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/server"
)

//go:embed demo/acts.yaml
var demoActs string

//go:embed demo/triage-notes.yaml
var demoProfile string

// group is some acts that belong together.
type group struct {
	Title string `yaml:"title"`
	Setup bool   `yaml:"setup"`
	Acts  []struct {
		By     string         `yaml:"by"`
		Kind   registry.Kind  `yaml:"kind"`
		Reason string         `yaml:"reason"`
		Act    map[string]any `yaml:"act"`
	} `yaml:"acts"`
}

// demoPaper stands for the signed agreements.
const demoPaper = "Business associate agreement and services contract between Mercy Valley Health and Northwind AI, Inc. Synthetic: signed by nobody.\n"

// demoWorld is a hospital, Sallyport in front of it, the organisation's people
// and an outside vendor: real servers on loopback, in one process.
type demoWorld struct {
	dir      string // everything that the demo writes
	config   *server.Config
	hospital *hospital.Server
	upstream string // the hospital's FHIR base
	people   map[string]connection
	vendor   *identity.Client
	device   *http.Client
	gateway  string
	groups   []group
	stop     func() error
	now      clock
}

// loopbackPort finds an address; the listener stays open, so nobody takes it.
func loopbackListen(port int) (net.Listener, error) {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil && port != 0 {
		return net.Listen("tcp", "127.0.0.1:0") // taken: any other will do
	}
	return l, err
}

func portOf(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }

func startWorld(ctx context.Context, dir string, patients int, now clock) (_ *demoWorld, err error) {
	w := &demoWorld{dir: dir, people: map[string]connection{}, now: now}
	ctx, cancel := context.WithCancel(ctx)
	var running []chan error
	w.stop = func() error {
		cancel()
		var errs []error
		for _, done := range running {
			errs = append(errs, <-done)
		}
		running = nil
		return errors.Join(errs...)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.stop())
		}
	}()

	// The hospital: a FHIR server with synthetic patients.
	upstream, err := loopbackListen(0)
	if err != nil {
		return nil, fmt.Errorf("listening for the hospital: %w", err)
	}
	w.hospital = hospital.NewServer(hospital.Generate(1, patients), hospital.Options{})
	w.upstream = fmt.Sprintf("http://127.0.0.1:%d/fhir", portOf(upstream))
	srv := &http.Server{Handler: w.hospital, ReadHeaderTimeout: 10 * time.Second}
	hospitalDone := make(chan error, 1)
	running = append(running, hospitalDone)
	go func() {
		if err := srv.Serve(upstream); !errors.Is(err, http.ErrServerClosed) {
			hospitalDone <- err
			return
		}
		hospitalDone <- nil
	}()
	context.AfterFunc(ctx, func() { _ = srv.Close() }) // its error is Serve's

	// Sallyport in front of it.
	l := &server.Listeners{}
	for i, into := range []*net.Listener{&l.Gateway, &l.API, &l.Health} {
		if *into, err = loopbackListen(8443 + i); err != nil {
			return nil, fmt.Errorf("listening: %w", err)
		}
	}
	home := filepath.Join(dir, "sallyport")
	file, err := server.Init(ctx, server.Setup{Dir: home, Organisation: "Mercy Valley Health", Node: "demo", Person: "ada", PersonName: "Ada Example",
		SourceID: "ehr", SourceURL: w.upstream, Host: "localhost", GatewayPort: portOf(l.Gateway), APIPort: portOf(l.API), HealthPort: portOf(l.Health), Now: now})
	if err != nil {
		return nil, err
	}
	if err := offerNotes(home, file); err != nil {
		return nil, err
	}
	if w.config, err = server.Load(file); err != nil {
		return nil, err
	}
	logFile, err := os.Create(filepath.Join(dir, "sallyport.log"))
	if err != nil {
		return nil, fmt.Errorf("making the log file: %w", err)
	}
	s, err := server.Open(ctx, w.config, server.Options{Now: now, Logger: slog.New(slog.NewTextHandler(logFile, nil)), Version: version, Listeners: l})
	if err != nil {
		return nil, errors.Join(err, logFile.Close())
	}
	serverDone := make(chan error, 1)
	running = append(running, serverDone)
	go func() { serverDone <- errors.Join(s.Run(ctx), logFile.Close()) }()
	w.gateway = w.config.PublicURL

	if err := w.enrol(portOf(l.API)); err != nil {
		return nil, err
	}
	return w, nil
}

// offerNotes gives the site a de-identification profile of its own.
func offerNotes(home, config string) error {
	if err := os.Mkdir(filepath.Join(home, "profiles"), 0o700); err != nil {
		return fmt.Errorf("making the folder of profiles: %w", err)
	}
	if err := os.WriteFile(filepath.Join(home, "profiles", "triage-notes.yaml"), []byte(demoProfile), 0o600); err != nil {
		return fmt.Errorf("writing the profile: %w", err)
	}
	raw, err := os.ReadFile(config)
	if err != nil {
		return fmt.Errorf("reading the configuration: %w", err)
	}
	return os.WriteFile(config, bytes.Replace(raw, []byte("# profiles_dir: "), []byte("profiles_dir: "), 1), 0o600)
}

// enrol makes the keys of the people, of the vendor's device and of its program.
func (w *demoWorld) enrol(apiPort int) error {
	now := w.now()
	grace, err := server.IssuePerson(w.config, "grace", now)
	if err != nil {
		return err
	}
	for _, name := range []string{"ada", "grace"} {
		w.people[name] = connection{Server: fmt.Sprintf("https://127.0.0.1:%d", apiPort), Cert: w.config.Data("people", name+".crt"), now: w.now}
	}
	// The vendor makes its own key and sends a signing request.
	vendorDir := filepath.Join(w.dir, "northwind")
	if err := os.MkdirAll(vendorDir, 0o700); err != nil {
		return fmt.Errorf("making the vendor's folder: %w", err)
	}
	deviceKey, err := identity.NewKey(256)
	if err != nil {
		return err
	}
	csr, err := identity.NewRequest(deviceKey)
	if err != nil {
		return err
	}
	certPEM, digest, err := server.SignDevice(w.config, "northwind-gpu-1", csr, 30*24*time.Hour, now)
	if err != nil {
		return err
	}
	device, err := identity.NewCredential(certPEM, deviceKey)
	if err != nil {
		return err
	}
	if err := device.Write(filepath.Join(vendorDir, "device.crt"), filepath.Join(vendorDir, "device.key")); err != nil {
		return err
	}
	ca, err := os.ReadFile(w.config.Data("people", "ca.crt"))
	if err != nil {
		return fmt.Errorf("reading the authority's certificate: %w", err)
	}
	if err := os.WriteFile(filepath.Join(vendorDir, "ca.crt"), ca, 0o644); err != nil {
		return fmt.Errorf("writing the authority's certificate: %w", err)
	}
	roots, err := identity.PoolFromFiles(filepath.Join(vendorDir, "ca.crt"))
	if err != nil {
		return err
	}
	appKey, err := identity.NewKey(384)
	if err != nil {
		return err
	}
	if err := identity.WriteKey(filepath.Join(vendorDir, "app.key"), appKey); err != nil {
		return err
	}
	jwks, err := identity.PublicKeys(appKey.Public())
	if err != nil {
		return err
	}
	w.device = identity.NewHTTPClient(clientTLS(device, roots, w.now))
	if w.vendor, err = identity.NewClient(identity.ClientConfig{ClientID: "triage", Key: appKey, TokenURL: w.gateway + "/token", Resource: w.gateway,
		Scope: "system/*.rs", HTTP: w.device, Now: w.now}); err != nil {
		return err
	}
	return w.readActs(string(grace.KeyDigest()), string(digest), string(jwks))
}

func (w *demoWorld) readActs(graceKey, deviceKey, appKeys string) error {
	t, err := template.New("acts").Parse(demoActs)
	if err != nil {
		return fmt.Errorf("reading the demo's acts: %w", err)
	}
	now := w.now().UTC().Add(-time.Second).Truncate(time.Second)
	stamp := func(t time.Time) string { return t.Format(time.RFC3339) }
	sum := sha256.Sum256([]byte(demoPaper))
	var text bytes.Buffer
	if err := t.Execute(&text, map[string]any{
		"GraceKey": graceKey, "DeviceKey": deviceKey, "AppKeys": appKeys,
		"Now": stamp(now), "Year": stamp(now.AddDate(1, 0, 0)), "ThreeMonths": stamp(now.AddDate(0, 0, 90)), "NineMonths": stamp(now.AddDate(0, 9, 0)),
		"EightMonthsAgo": stamp(now.AddDate(0, -8, 0)), "TwoMonthsAgo": stamp(now.AddDate(0, -2, 0)),
		"PaperSHA256": hex.EncodeToString(sum[:]), "PaperSize": len(demoPaper), "PaperBase64": base64.StdEncoding.EncodeToString([]byte(demoPaper)),
	}); err != nil {
		return fmt.Errorf("reading the demo's acts: %w", err)
	}
	if err := yaml.UnmarshalWithOptions(text.Bytes(), &w.groups, yaml.Strict()); err != nil {
		return fmt.Errorf("reading the demo's acts: %s", yaml.FormatError(err, false, true))
	}
	return nil
}

// act does one act through the API, as any client would.
func (w *demoWorld) act(ctx context.Context, by string, kind registry.Kind, reason string, fields map[string]any) (api.ActResult, error) {
	spec, ok := registry.Lookup(kind)
	if !ok {
		return api.ActResult{}, fmt.Errorf("there is no act %s", kind)
	}
	raw, err := json.Marshal(fields)
	if err != nil {
		return api.ActResult{}, fmt.Errorf("writing %s: %w", kind, err)
	}
	subject, _ := fields["id"].(string)
	var done api.ActResult
	err = w.people[by].call(ctx, http.MethodPost, strings.ReplaceAll(spec.Path, "{id}", subject), api.ActBody{Reason: reason, Act: raw}, &done)
	if err != nil {
		return done, fmt.Errorf("%s by %s: %w", kind, by, err)
	}
	return done, nil
}

// ask makes a request as the vendor's application.
func (w *demoWorld) ask(ctx context.Context, path string) (int, []byte, error) {
	resp, err := w.open(ctx, path)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return 0, nil, fmt.Errorf("reading the answer: %w", err)
	}
	return resp.StatusCode, body, nil
}

func (w *demoWorld) open(ctx context.Context, path string) (*http.Response, error) {
	token, err := w.vendor.Token(ctx)
	if err != nil {
		return nil, fmt.Errorf("asking for a token: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.gateway+path, nil)
	if err != nil {
		return nil, fmt.Errorf("asking: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", "application/fhir+json")
	resp, err := w.device.Do(req)
	if err != nil {
		return nil, fmt.Errorf("asking: %w", err)
	}
	return resp, nil
}

// refusal asks for the reasons as a problem rather than as an OperationOutcome.
func (w *demoWorld) refusal(ctx context.Context, path string) (int, *problem.Problem, error) {
	token, err := w.vendor.Token(ctx)
	if err != nil {
		return 0, nil, fmt.Errorf("asking for a token: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.gateway+path, nil)
	if err != nil {
		return 0, nil, fmt.Errorf("asking: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", "application/problem+json")
	resp, err := w.device.Do(req)
	if err != nil {
		return 0, nil, fmt.Errorf("asking: %w", err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil || resp.StatusCode == http.StatusOK {
		return resp.StatusCode, nil, err
	}
	p := new(problem.Problem)
	if err := json.Unmarshal(raw, p); err != nil {
		return resp.StatusCode, nil, fmt.Errorf("the refusal (%d) cannot be read: %w", resp.StatusCode, err)
	}
	return resp.StatusCode, p, nil
}

// stranger asks without any certificate.
func (w *demoWorld) stranger(ctx context.Context, path string) (int, error) {
	roots, err := identity.PoolFromFiles(w.config.Data("people", "ca.crt"))
	if err != nil {
		return 0, err
	}
	hc := identity.NewHTTPClient(&tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13})
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.gateway+path, nil)
	if err != nil {
		return 0, fmt.Errorf("asking: %w", err)
	}
	resp, err := hc.Do(req)
	if err != nil {
		return 0, fmt.Errorf("asking as a stranger: %w", err)
	}
	defer resp.Body.Close()
	return resp.StatusCode, nil
}

// ownerReasons are the gates that refused, as the owner sees them in the log.
func (w *demoWorld) ownerReasons(ctx context.Context, decision string) ([]string, error) {
	var out api.Explanation
	var raw []byte
	if err := w.people["grace"].call(ctx, http.MethodPost, "/v1/explain", api.ExplainRequest{Decision: id.Decision(decision)}, &raw); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		return nil, fmt.Errorf("reading the explanation: %w", err)
	}
	var gates []string
	for _, f := range out.Recorded.Failing {
		if !slices.Contains(gates, f.Gate) {
			gates = append(gates, f.Gate)
		}
	}
	return gates, nil
}

// tryOwnApproval lets Ada approve what she proposed; refused tells that she
// cannot.
func (w *demoWorld) tryOwnApproval(ctx context.Context) (api.ActResult, bool, error) {
	done, err := w.act(ctx, "ada", "vendor.approve", "my own proposal", map[string]any{"id": "northwind"})
	var p *problem.Problem
	if errors.As(err, &p) {
		return done, len(p.Reasons) > 0, nil
	}
	return done, false, err
}

func get(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fmt.Errorf("asking the hospital: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("asking the hospital: %w", err)
	}
	defer resp.Body.Close()
	return io.ReadAll(io.LimitReader(resp.Body, 16<<20))
}

// firstResource is the first entry's resource of a Bundle.
func firstResource(bundle []byte) map[string]any {
	var b struct {
		Entry []struct {
			Resource map[string]any `json:"resource"`
		} `json:"entry"`
	}
	if json.Unmarshal(bundle, &b) != nil || len(b.Entry) == 0 {
		return nil
	}
	return b.Entry[0].Resource
}

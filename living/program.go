package living

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sallyport/sallyport/agent/posture"
	"github.com/sallyport/sallyport/agent/wire"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/seal/sealed"
	"github.com/sallyport/sallyport/server"
)

// Program is a vendor's program on one of the vendor's machines. Its keys are in a
// folder of the vendor's, as the vendor would have them.
type Program struct {
	Vendor id.Vendor
	App    id.App
	Device id.Device
	Dir    string // holds MACHINE.crt, MACHINE.key, APP.key and ca.crt

	org     *Organisation
	machine *identity.Credential
	device  *ecdsa.PrivateKey // of the machine
	app     *ecdsa.PrivateKey
	seal    sealed.Identity // to which releases for the machine are sealed
	tokens  *identity.Client
	http    *http.Client
	scope   scope
	rng     *rand.Rand
	codes   []string // of patients that it was given
}

// deviceLife is how long the machines' certificates last: over the story.
const deviceLife = 390 * 24 * time.Hour

// program makes the keys of a vendor's machine and program. Nothing is registered.
func (o *Organisation) program(vendor id.Vendor, device id.Device, app id.App) (*Program, error) {
	p := &Program{Vendor: vendor, App: app, Device: device, Dir: filepath.Join(o.Dir, string(vendor)), org: o,
		rng: rand.New(rand.NewPCG(o.o.Seed, uint64(len(o.Programs)+1)))}
	if err := os.MkdirAll(p.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the vendor's folder: %w", err)
	}
	if err := p.onMachine(); err != nil {
		return nil, err
	}
	var err error
	if p.app, err = identity.NewKey(256); err != nil {
		return nil, err
	}
	if err := identity.WriteKey(filepath.Join(p.Dir, string(app)+".key"), p.app); err != nil {
		return nil, err
	}
	p.tokens, err = identity.NewClient(identity.ClientConfig{ClientID: string(app), Key: p.app, TokenURL: o.Gateway + "/token", Resource: o.Gateway,
		Scope: "system/*.rs", HTTP: p.http, Now: o.Clock.Now})
	if err != nil {
		return nil, err
	}
	o.Programs[app] = p
	return p, nil
}

// onMachine makes the keys of the program's machine, unless another program is on it
// already.
func (p *Program) onMachine() error {
	for _, other := range p.org.Programs {
		if other.Device == p.Device {
			p.machine, p.device, p.seal, p.http = other.machine, other.device, other.seal, other.http
			return nil
		}
	}
	var err error
	if p.device, err = identity.NewKey(256); err != nil {
		return err
	}
	csr, err := identity.NewRequest(p.device)
	if err != nil {
		return err
	}
	cert, _, err := server.SignDevice(p.org.Config, p.Device, csr, deviceLife, p.org.Clock.Now())
	if err != nil {
		return err
	}
	if p.machine, err = identity.NewCredential(cert, p.device); err != nil {
		return err
	}
	if p.seal, err = sealed.NewIdentity(sealed.Age); err != nil {
		return err
	}
	ca, err := os.ReadFile(p.org.CA)
	if err != nil {
		return fmt.Errorf("reading the authority's certificate: %w", err)
	}
	name := filepath.Join(p.Dir, string(p.Device))
	if err := errors.Join(p.machine.Write(name+".crt", name+".key"), os.WriteFile(name+".seal", p.seal.Secret(), 0o600),
		os.WriteFile(filepath.Join(p.Dir, "ca.crt"), ca, 0o644)); err != nil {
		return fmt.Errorf("writing the keys of a vendor's machine: %w", err)
	}
	p.http = p.org.roots.client(p.machine)
	return nil
}

// Ask asks the gateway below the FHIR base of the hospital's record system, such as
// "Patient?_count=1", and gives the answer's status. 401 is also that it got no token.
// Where the gateway says to try again in a moment, it does, as programs do: on a busy
// machine the log's disk may be slow to say that something is durable.
func (p *Program) Ask(ctx context.Context, question string) (status int, body []byte, err error) {
	for try := range maxTries {
		if status, body, err = p.askOnce(ctx, question); err != nil || status != http.StatusServiceUnavailable {
			break
		}
		select {
		case <-ctx.Done():
			return status, body, nil
		case <-time.After(time.Duration(try+1) * 100 * time.Millisecond):
		}
	}
	return status, body, err
}

// maxTries is how often a program asks before it takes "try again" for an answer.
const maxTries = 6

func (p *Program) askOnce(ctx context.Context, question string) (status int, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.org.Gateway+"/fhir/"+string(Source)+"/"+question, nil)
	if err != nil {
		return 0, nil, fmt.Errorf("asking: %w", err)
	}
	req.Header.Set("Accept", "application/fhir+json")
	resp, err := p.tokens.Do(req)
	if t := new(identity.TokenError); errors.As(err, &t) {
		return http.StatusUnauthorized, nil, nil
	} else if err != nil {
		return 0, nil, fmt.Errorf("%s asks %s: %w", p.App, question, err)
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return 0, nil, fmt.Errorf("%s reads the answer to %s: %w", p.App, question, err)
	}
	if sealed.IsMediaType(resp.Header.Get("Content-Type")) {
		if body, err = p.opened(resp, body); err != nil {
			return 0, nil, fmt.Errorf("%s opens the answer to %s: %w", p.App, question, err)
		}
	}
	return resp.StatusCode, body, nil
}

// opened is a sealed release, opened with the machine's key and checked by the
// organisation's.
func (p *Program) opened(resp *http.Response, body []byte) ([]byte, error) {
	raw, err := os.ReadFile(p.org.Config.Data("release-keys.json"))
	if err != nil {
		return nil, fmt.Errorf("reading the organisation's release keys: %w", err)
	}
	keys, err := sealed.ParseKeys(raw)
	if err != nil {
		return nil, err
	}
	x := sealed.Expect{Identities: []sealed.Identity{p.seal}, Keys: keys, Decision: id.Decision(resp.Header.Get("Sallyport-Decision"))}
	x.FromHeaders(resp.Header, func() map[string][]string { return resp.Trailer })
	r, err := sealed.Open(bytes.NewReader(body), x)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// state is how a machine is kept, as its agent sees it.
type state struct{ firewall, updated bool }

// report sends a signed report of the machine's state, as its agent does every day.
func (p *Program) report(ctx context.Context, s state) error {
	now := p.org.Clock.Now()
	found := posture.Found{Source: posture.FromAgent, OS: "debian", OSVersion: "13", States: map[posture.Check]posture.State{
		posture.DiskEncryption: posture.On, posture.ScreenLock: posture.On, posture.Firewall: posture.Off, posture.MalwareProtection: posture.On}}
	if s.firewall {
		found.States[posture.Firewall] = posture.On
	}
	found.UpdatedAt = now.AddDate(0, 0, -3)
	if !s.updated {
		found.UpdatedAt = now.AddDate(0, 0, -47)
	}
	signed, err := posture.Sign(found.Report(string(p.Device), true, now), p.device)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.org.Gateway+wire.Posture, strings.NewReader(signed))
	if err != nil {
		return fmt.Errorf("reporting: %w", err)
	}
	req.Header.Set("Content-Type", wire.ReportType)
	resp, err := p.http.Do(req)
	if err != nil {
		return fmt.Errorf("reporting: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= http.StatusBadRequest {
		raw, _ := io.ReadAll(io.LimitReader(resp.Body, 4096)) // for the error alone
		return fmt.Errorf("the report of %s was not taken: %s %s", p.Device, resp.Status, raw)
	}
	return nil
}

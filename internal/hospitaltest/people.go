package hospitaltest

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/server"
)

// Person is one of the organisation's people, with a certificate.
type Person struct {
	Credential *identity.Credential
	http       *http.Client
	api        *string
}

// Client is the vendor's program on the vendor's device.
type Client struct {
	Device *identity.Credential
	Key    *ecdsa.PrivateKey
	Tokens *identity.Client
	HTTP   *http.Client // with the device's certificate
	CA     string       // file: who vouches for Sallyport
	Dir    string       // holds device.crt and device.key
	base   string
}

// maxAnswer bounds what the helpers read.
const maxAnswer = 256 << 20

// enrol makes the keys of the people, of the vendor's device and program.
func (b *Box) enrol() {
	b.t.Helper()
	must := func(err error) {
		b.t.Helper()
		if err != nil {
			b.t.Fatal(err)
		}
	}
	config, err := server.Load(b.File)
	must(err)
	_, err = server.IssuePerson(config, registrytest.Grace, b.Clock.Now())
	must(err)
	ca := b.Data("people", "ca.crt")
	roots, err := identity.PoolFromFiles(ca)
	must(err)
	for _, p := range []id.Person{registrytest.Ada, registrytest.Grace} {
		cred, err := identity.ReadCredential(b.Data("people", string(p)+".crt"), b.Data("people", string(p)+".key"))
		must(err)
		b.People[p] = &Person{Credential: cred, http: identity.NewHTTPClient(identity.ClientTLS(cred, roots)), api: &b.API}
	}

	b.Client = b.newClient(config, Device, App)
}

// Base is the FHIR base that the vendor sees.
func (b *Box) Base() string { return b.Gateway + "/fhir/" + string(Source) }

// Answer is what came back, in whole.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
	// Cut is the error of a body that broke off.
	Cut error
}

// String is for failure messages.
func (a Answer) String() string { return fmt.Sprintf("%d %.2000s", a.Status, a.Body) }

// Problem reads a refusal that was asked for as problem details.
func (a Answer) Problem() (*problem.Problem, error) {
	p := new(problem.Problem)
	if err := json.Unmarshal(a.Body, p); err != nil {
		return nil, fmt.Errorf("%s is no problem: %w", a, err)
	}
	return p, nil
}

func answer(resp *http.Response) Answer {
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return Answer{resp.StatusCode, resp.Header, body, err}
}

// Do sends a request to the API. A nil body sends none.
func (p *Person) Do(method, path string, body any) (Answer, error) {
	var in io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return Answer{}, fmt.Errorf("writing the request: %w", err)
		}
		in = bytes.NewReader(raw)
	}
	req, err := http.NewRequest(method, *p.api+path, in)
	if err != nil {
		return Answer{}, fmt.Errorf("asking the API: %w", err)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := p.http.Do(req)
	if err != nil {
		return Answer{}, fmt.Errorf("asking the API: %w", err)
	}
	return answer(resp), nil
}

// Refused is an act that the API did not do.
type Refused struct{ Answer Answer }

// Error implements error.
func (e *Refused) Error() string { return "the API answered " + e.Answer.String() }

// Act does an act through the API.
func (p *Person) Act(a registry.Act, reason string) (api.ActResult, error) {
	var done api.ActResult
	spec, ok := registry.SpecOf(a)
	if !ok {
		return done, fmt.Errorf("there is no act %T", a)
	}
	fields, err := registry.Encode(a)
	if err != nil {
		return done, err
	}
	got, err := p.Do(http.MethodPost, strings.ReplaceAll(spec.Path, "{id}", a.Subject().ID), map[string]any{"reason": reason, "act": json.RawMessage(fields)})
	if err != nil {
		return done, err
	}
	if got.Status != http.StatusOK {
		return done, &Refused{got}
	}
	if err := json.Unmarshal(got.Body, &done); err != nil {
		return done, fmt.Errorf("reading the act's result: %w", err)
	}
	return done, nil
}

// Enlist makes another of the organisation's people: Ada asks, Grace approves.
func (b *Box) Enlist(p id.Person, duties ...registry.Duty) {
	b.t.Helper()
	config, err := server.Load(b.File)
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := server.IssuePerson(config, p, b.Clock.Now()); err != nil {
		b.t.Fatal(err)
	}
	cred, err := identity.ReadCredential(b.Data("people", string(p)+".crt"), b.Data("people", string(p)+".key"))
	if err != nil {
		b.t.Fatal(err)
	}
	roots, err := identity.PoolFromFiles(b.Data("people", "ca.crt"))
	if err != nil {
		b.t.Fatal(err)
	}
	b.People[p] = &Person{Credential: cred, http: identity.NewHTTPClient(identity.ClientTLS(cred, roots)), api: &b.API}
	b.Act(registrytest.Ada, registry.ProposePerson{ID: p, Name: string(p), Classification: hipaa.Workforce, Basis: "employee", Duties: duties, Key256: cred.KeyDigest()})
	b.Act(registrytest.Grace, registry.ApprovePerson{ID: p})
}

// Act does an act that must succeed.
func (b *Box) Act(by id.Person, a registry.Act) api.ActResult {
	b.t.Helper()
	done, err := b.People[by].Act(a, "a test of the whole")
	if err != nil {
		b.t.Fatalf("%T by %s: %v", a, by, err)
	}
	return done
}

// Steps are the acts from a new installation to data. After the first known of
// them the vendor's program is enrolled, so that it is refused with reasons.
// Then everything is asked for, and then it is signed and approved piece by
// piece, so that each act takes away what it stands for.
func (b *Box) Steps() (steps []registrytest.Step, known int) {
	b.t.Helper()
	keys, err := identity.PublicKeys(b.Client.Key.Public())
	if err != nil {
		b.t.Fatal(err)
	}
	all, err := registrytest.Demo{Now: b.Clock.Now().Add(-2 * time.Second), GraceKey: b.People[registrytest.Grace].Credential.KeyDigest(),
		DeviceKey: b.Client.Device.KeyDigest(), AppKeys: keys}.Steps()
	if err != nil {
		b.t.Fatal(err)
	}
	var asked, later []registrytest.Step
	for _, s := range all {
		switch a := s.Act.(type) {
		case registry.BootstrapOrganisation: // init did it
		case registry.DraftAgreement:
			if b.o.Terms != nil {
				b.o.Terms(a.Terms)
			}
			asked = append(asked, s)
		case registry.ProposePerson, registry.AdmitSecondPerson, registry.AmendDuties, registry.ProposeVendor,
			registry.EnrollDevice, registry.RegisterApp, registry.ApproveApp:
			steps = append(steps, s)
		case registry.RecordTraining:
			a.Course, a.Version = server.DefaultPolicy.Course, server.DefaultPolicy.CourseVersion
			s.Act = a
			later = append(later, s)
		case registry.DefineRole:
			if b.o.Role != nil {
				b.o.Role(&a)
				s.Act = a
			}
			asked = append(asked, s)
		case registry.PutDocument, registry.ProposeEngagement, registry.RequestGrant:
			asked = append(asked, s)
		default:
			later = append(later, s)
		}
	}
	return slices.Concat(steps, asked, later), len(steps)
}

// Paper does all the acts, so that the door is open.
func (b *Box) Paper() {
	b.t.Helper()
	steps, _ := b.Steps()
	for _, s := range steps {
		b.Do(s)
	}
	b.Client.Tokens.Forget()
}

// Do does a step that must succeed.
func (b *Box) Do(s registrytest.Step) api.ActResult {
	b.t.Helper()
	done, err := b.People[s.By].Act(s.Act, s.Reason)
	if err != nil {
		b.t.Fatalf("%T by %s: %v", s.Act, s.By, err)
	}
	return done
}

// ProblemJSON asks for refusals as problem details rather than as an
// OperationOutcome.
const ProblemJSON = "application/problem+json"

// Ask sends a request below the FHIR base, or an absolute link that Sallyport
// gave, with the bound token.
func (c *Client) Ask(method, path, contentType, body string, header ...string) (Answer, error) {
	if !strings.HasPrefix(path, "https://") {
		path = c.base + path
	}
	req, err := http.NewRequest(method, path, strings.NewReader(body))
	if err != nil {
		return Answer{}, fmt.Errorf("asking: %w", err)
	}
	req.Header.Set("Accept", "application/fhir+json")
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := c.Tokens.Do(req)
	if err != nil {
		return Answer{}, fmt.Errorf("asking: %w", err)
	}
	return answer(resp), nil
}

// Get reads below the FHIR base; what cannot be asked fails the test.
func (b *Box) Get(path string) Answer {
	b.t.Helper()
	got, err := b.Client.Ask(http.MethodGet, path, "", "")
	if err != nil {
		b.t.Fatalf("GET %s: %v", path, err)
	}
	return got
}

// Refusal asks what must be refused, and gives the reasons.
func (b *Box) Refusal(path string) *problem.Problem {
	b.t.Helper()
	got, err := b.Client.Ask(http.MethodGet, path, "", "", "Accept", ProblemJSON)
	if err != nil {
		b.t.Fatalf("GET %s: %v", path, err)
	}
	p, err := got.Problem()
	if err != nil {
		b.t.Fatal(err)
	}
	if got.Status != http.StatusForbidden {
		b.t.Fatalf("GET %s: got %s, want a refusal", path, got)
	}
	return p
}

// IsRefused says whether the API refused, and with which status.
func IsRefused(err error) (status int, ok bool) {
	var r *Refused
	if !errors.As(err, &r) {
		return 0, false
	}
	return r.Answer.Status, true
}

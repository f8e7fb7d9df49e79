package hospitaltest_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/agent"
	"github.com/sallyport/sallyport/agent/keystore"
	"github.com/sallyport/sallyport/agent/posture/posturetest"
	"github.com/sallyport/sallyport/agent/wire"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/internal/hospitaltest"
	"github.com/sallyport/sallyport/internal/need"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

const (
	laptop   = id.Device("lin-laptop")
	linApp   = id.App("lin-notebook")
	linGrant = id.Grant("lin-grant")
)

// engineer is a person of the vendor with a laptop: what they have in hand, and
// what their terminal was told.
type engineer struct {
	t      testing.TB
	box    *hospitaltest.Box
	dir    string
	tpm    string
	laptop *posturetest.Machine
	mu     sync.Mutex
	lines  []string
}

func (e *engineer) say(line string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lines = append(e.lines, line)
}

func (e *engineer) heard() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return strings.Join(e.lines, "\n")
}

func (e *engineer) options() agent.Options {
	return agent.Options{Dir: e.dir, TPM: e.tpm, Now: e.box.Clock.Now, Say: e.say, System: e.laptop}
}

func newEngineer(t testing.TB, b *hospitaltest.Box) *engineer {
	return &engineer{t: t, box: b, dir: filepath.Join(t.TempDir(), "agent"), laptop: posturetest.Laptop(time.Now())}
}

// waive lets a laptop without a TPM, whose key is in a file, be good enough.
func waive(checks string) func(string) string {
	return func(s string) string {
		return strings.Replace(s, "waived: []", "waived: ["+checks+"]", 1)
	}
}

// invited is the word that a person of the organisation hands over.
func invited(t testing.TB, b *hospitaltest.Box) string {
	t.Helper()
	code := rand.Text()
	b.Act(registrytest.Ada, registry.InviteDevice{ID: laptop, Vendor: hospitaltest.Vendor, Owner: registrytest.Lin, App: linApp,
		Code256: wire.CodeDigest(code), ExpiresAt: b.Clock.Now().Add(72 * time.Hour)})
	raw, err := os.ReadFile(b.Client.CA)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(raw)
	return wire.Invite{Device: string(laptop), Code: code, Pin: wire.PinOf(block.Bytes)}.String()
}

func (e *engineer) enrol(invite string) (*agent.Agent, wire.Enrolment, error) {
	kind := keystore.File
	if e.tpm != "" {
		kind = keystore.TPM
	}
	return agent.Enrol(e.t.Context(), agent.EnrolOptions{Options: e.options(), Server: e.box.Gateway, Invite: invite, Region: "US", KeyStore: kind})
}

// approve is the organisation's side: the machine, the program, the grant.
func approve(b *hospitaltest.Box) {
	now := b.Clock.Now()
	b.Act(registrytest.Grace, registry.ApproveDevice{ID: laptop, TrustedUntil: now.AddDate(0, 3, 0)})
	b.Act(registrytest.Grace, registry.ApproveApp{ID: linApp})
	b.Act(registrytest.Ada, registry.RequestGrant{ID: linGrant, Engagement: hospitaltest.Engagement, App: linApp, Person: registrytest.Lin, Devices: []id.Device{laptop},
		Role: hospitaltest.Role, Cohort: snapshot.Cohort{Kind: snapshot.CohortAll}, StartsAt: now.Add(-time.Second), EndsAt: now.AddDate(0, 2, 0), MaxPatients: 1000, MaxDailyBytes: 1 << 30})
	b.Act(registrytest.Grace, registry.ApproveGrant{ID: linGrant})
}

// enrolled goes from the invitation to an open door.
func (e *engineer) enrolled() *agent.Agent {
	e.t.Helper()
	a, _, err := e.enrol(invited(e.t, e.box))
	if err != nil {
		e.t.Fatal(err)
	}
	approve(e.box)
	ctx, cancel := context.WithTimeout(e.t.Context(), time.Minute)
	defer cancel()
	if _, err := a.Await(ctx); err != nil {
		e.t.Fatal(err)
	}
	if _, err := a.Report(e.t.Context(), a.Look(e.t.Context())); err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { _ = a.Close() })
	return a
}

// serve starts the local endpoint; it ends with the test.
func (e *engineer) serve(a *agent.Agent, o agent.ConnectOptions) *agent.Local {
	e.t.Helper()
	l, err := a.Listen(e.t.Context(), o)
	if err != nil {
		e.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Serve(ctx) }()
	e.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			e.t.Errorf("the agent ended with %v", err)
		}
	})
	return l
}

// get is an ordinary HTTP client.
func get(t *testing.T, url string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("GET %s: %v", url, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("GET %s: %v", url, err)
	}
	return resp, string(body)
}

// From an invitation to the first resource, with the key in a TPM: refused with
// words at each step that is missing, and then served to a plain HTTP client,
// page by page.
func TestFromInvitationToFirstResource(t *testing.T) {
	t.Parallel()
	b := hospitaltest.Start(t, hospitaltest.Options{})
	b.Paper()
	e := newEngineer(t, b)
	e.tpm = need.SoftwareTPM(t)

	word := invited(t, b)
	a, state, err := e.enrol(word)
	if err != nil {
		t.Fatal(err)
	}
	if a.Ready() || state.State != "proposed" || a.KeyStore() != keystore.TPM || !strings.Contains(state.Next, "device approve") {
		t.Fatalf("got %+v, ready %v", state, a.Ready())
	}
	if _, err := a.Listen(t.Context(), agent.ConnectOptions{}); err == nil {
		t.Error("it serves before it is approved")
	}
	// Interrupted and run again: the same keys, nothing is done twice.
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if a, state, err = e.enrol(word); err != nil || state.State != "proposed" {
		t.Fatalf("run again: %+v, %v", state, err)
	}
	d, _ := deviceOf(t, b)
	if d.KeyStore != snapshot.InTPM || len(d.SealTo) != 2 || d.RequestedBy != registrytest.Ada || d.Key256 == "" {
		t.Errorf("the record is %+v", d)
	}
	approve(b)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := a.Await(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	if left := a.CertificateEnds().Sub(b.Clock.Now()); left < 6*24*time.Hour || left > 7*24*time.Hour {
		t.Errorf("the certificate lasts %s, want a week", left)
	}

	// Its state was not reported yet, and the notebook is no workload.
	s, err := a.Standing(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Grants) != 1 || s.Grants[0].Open || len(s.Grants[0].Reasons) != 1 || s.Grants[0].Reasons[0].Gate != "posture" {
		t.Fatalf("the standing is %+v", s)
	}
	if _, err := a.Report(t.Context(), a.Look(t.Context())); err != nil {
		t.Fatal(err)
	}
	if s, err = a.Standing(t.Context()); err != nil || len(s.Grants) != 1 || !s.Grants[0].Open || s.Source != "agent" {
		t.Fatalf("the standing is %+v, %v", s, err)
	}

	l := e.serve(a, agent.ConnectOptions{})
	if l.Source() != string(hospitaltest.Source) {
		t.Errorf("/fhir stands for %q", l.Source())
	}
	pages, patients := 0, 0
	for url := l.Base() + "/fhir/Patient?_count=2"; url != ""; pages++ {
		if !strings.HasPrefix(url, l.Base()+"/fhir/") {
			t.Fatalf("the link %s does not lead through the agent", url)
		}
		resp, body := get(t, url)
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("GET %s: %d %s", url, resp.StatusCode, body)
		}
		if strings.Contains(body, b.Gateway) {
			t.Errorf("a link to the gateway is left in %s", body)
		}
		var page bundle
		if err := json.Unmarshal([]byte(body), &page); err != nil {
			t.Fatal(err)
		}
		patients += len(page.resources("Patient", ""))
		url = page.next()
	}
	if pages < 2 || patients != 5 {
		t.Errorf("%d patients on %d pages, want 5 on several", patients, pages)
	}
	resp, body := get(t, l.Base()+"/fhir/"+string(hospitaltest.Source)+"/metadata")
	if resp.StatusCode != http.StatusOK || !strings.Contains(body, "CapabilityStatement") {
		t.Errorf("by the source's name: %d %.200s", resp.StatusCode, body)
	}
	for path, want := range map[string]int{"/llm/v1/models": 501, "/datasets": 501, "/token": 404, "/fhir/../token": 400, "/fhir/other-source/Patient": 404, "/": 404} {
		req, _ := http.NewRequest(http.MethodGet, l.Base(), nil)
		req.URL.Path = path
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("GET %s: got %d, want %d", path, resp.StatusCode, want)
		}
	}

	// What the agent keeps on its disk: keys, certificates, settings; no patient.
	err = filepath.WalkDir(e.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(raw), "Patient") {
			t.Errorf("%s holds an answer", d.Name())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func deviceOf(t *testing.T, b *hospitaltest.Box) (snapshot.Device, bool) {
	t.Helper()
	got, err := b.People[registrytest.Ada].Do(http.MethodGet, "/v1/devices/"+string(laptop), nil)
	if err != nil {
		t.Fatal(err)
	}
	var d snapshot.Device
	if got.Status != http.StatusOK || json.Unmarshal(got.Body, &d) != nil {
		return d, false
	}
	return d, true
}

// The invitation is a secret of one use: everything else is a stranger.
func TestWhoHoldsNoInvitationLearnsNothing(t *testing.T) {
	t.Parallel()
	b := hospitaltest.Start(t, hospitaltest.Options{})
	b.Paper()
	word := invited(t, b)
	inv, err := wire.ParseInvite(word)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name   string
		change func(*wire.Invite)
		kind   problem.Kind
	}{
		{"a guessed code", func(i *wire.Invite) { i.Code = rand.Text() }, problem.Unknown},
		{"another device", func(i *wire.Invite) { i.Device = "nobodys" }, problem.Unknown},
		{"a device without an invitation", func(i *wire.Invite) { i.Device = string(hospitaltest.Device) }, problem.Unknown},
		{"another server's invitation", func(i *wire.Invite) { i.Pin = wire.PinOf([]byte("other")) }, problem.Refused},
	} {
		x := inv
		tc.change(&x)
		e := newEngineer(t, b)
		if _, _, err := e.enrol(x.String()); problem.From(err).Kind != tc.kind || err == nil {
			t.Errorf("%s: got %v, want %s", tc.name, err, tc.kind)
		} else if strings.Contains(err.Error(), x.Code) {
			t.Errorf("%s: the error quotes the code", tc.name)
		}
	}
	first := newEngineer(t, b)
	a, _, err := first.enrol(word)
	if err != nil {
		t.Fatal(err)
	}
	_ = a.Close()
	thief := newEngineer(t, b)
	if _, _, err := thief.enrol(word); problem.From(err).Field != "code_sha256" {
		t.Errorf("used by another machine: got %v, want a refusal of the code", err)
	}
	log := b.Log.String()
	for _, secret := range []string{inv.Code, word} {
		if strings.Contains(log, secret) {
			t.Error("the server's log holds the code")
		}
	}
	// An invitation in a body that is no invitation, without a certificate, and by
	// another method.
	plain := &http.Client{Transport: b.Client.HTTP.Transport}
	for _, body := range []string{"", "{", `{"device":1}`, `{"unknown":true}`, strings.Repeat("[", 100000), `{} {}`} {
		resp, err := plain.Post(b.Gateway+wire.Enrol, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest && resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%.20q: got %d", body, resp.StatusCode)
		}
	}
}

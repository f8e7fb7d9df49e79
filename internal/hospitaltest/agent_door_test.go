package hospitaltest_test

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/agent"
	"github.com/sallyport/sallyport/agent/posture"
	"github.com/sallyport/sallyport/agent/wire"
	"github.com/sallyport/sallyport/hospital"
	"github.com/sallyport/sallyport/internal/hospitaltest"
	"github.com/sallyport/sallyport/internal/need"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/server"
	"github.com/sallyport/sallyport/snapshot"
)

// What stops a machine, told to a client in FHIR, and to the terminal once.
func TestARevokedDeviceHearsWhyAndDoesNotStorm(t *testing.T) {
	t.Parallel()
	b := hospitaltest.Start(t, hospitaltest.Options{Configure: waive("hardware_key")})
	b.Paper()
	e := newEngineer(t, b)
	a := e.enrolled()
	l := e.serve(a, agent.ConnectOptions{})
	if resp, body := get(t, l.Base()+"/fhir/Patient?_count=1"); resp.StatusCode != http.StatusOK {
		t.Fatalf("before: %d %s", resp.StatusCode, body)
	}
	b.Act(registrytest.Grace, registry.RevokeDevice{ID: laptop})
	for range 20 {
		resp, body := get(t, l.Base()+"/fhir/Patient?_count=1")
		var o struct {
			ResourceType string
			Issue        []struct {
				Severity, Code, Diagnostics string
				Details                     struct{ Text string }
			}
		}
		if resp.StatusCode != http.StatusForbidden || json.Unmarshal([]byte(body), &o) != nil || o.ResourceType != "OperationOutcome" {
			t.Fatalf("after: %d %s", resp.StatusCode, body)
		}
		last := o.Issue[len(o.Issue)-1]
		if !strings.Contains(body, "The device is not approved, or no longer") || !strings.Contains(last.Diagnostics, "sallyport device approve lin-laptop") {
			t.Fatalf("the words are %s", body)
		}
	}
	if n := strings.Count(e.heard(), "Refused."); n != 1 {
		t.Errorf("the terminal was told %d times, want once:\n%s", n, e.heard())
	}
	if _, err := a.RenewIfDue(t.Context()); err != nil {
		t.Errorf("a renewal that is not due: %v", err)
	}
	b.Clock.Move(5 * 24 * time.Hour)
	if _, err := a.RenewIfDue(t.Context()); problem.From(err).Kind != problem.Refused || err == nil {
		t.Errorf("renewed though revoked: %v", err)
	}
	if _, err := a.Report(t.Context(), a.Look(t.Context())); err == nil {
		t.Error("a revoked device reported its state")
	}
	b.Clock.Move(3 * 24 * time.Hour)
	resp, body := get(t, l.Base()+"/fhir/Patient?_count=1")
	if resp.StatusCode/100 != 4 || !strings.Contains(body, "OperationOutcome") {
		t.Errorf("with a certificate that ended: %d %s", resp.StatusCode, body)
	}
	// The token endpoint was not stormed: its refusals are few.
	for range 50 {
		get(t, l.Base()+"/fhir/Patient?_count=1")
	}
	if n := strings.Count(b.Log.String(), "access token refused"); n > 8 {
		t.Errorf("the token endpoint refused %d times", n)
	}
}

// A revocation in the middle of a long answer cuts it, for the client too, and the
// terminal says so.
func TestARevocationCutsWhatIsUnderWayThroughTheAgent(t *testing.T) {
	t.Parallel()
	b := hospitaltest.Start(t, hospitaltest.Options{Configure: waive("hardware_key")})
	b.Paper()
	e := newEngineer(t, b)
	l := e.serve(e.enrolled(), agent.ConnectOptions{})
	var page bundle
	_, body := get(t, l.Base()+"/fhir/Patient?_count=1")
	if err := json.Unmarshal([]byte(body), &page); err != nil || len(page.resources("Patient", "")) != 1 {
		t.Fatalf("before: %v %s", err, body)
	}
	b.Hospital.Misbehave(hospital.Fault{Path: "Observation", Huge: 400 << 20})
	resp, err := http.Get(l.Base() + "/fhir/Observation?patient=" + text(page.resources("Patient", "")[0], "id"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.CopyN(io.Discard, resp.Body, 1<<20); err != nil {
		t.Fatalf("the answer did not begin: %v", err)
	}
	b.Act(registrytest.Grace, registry.RevokeDevice{ID: laptop})
	if n, err := io.Copy(io.Discard, resp.Body); err == nil {
		t.Errorf("it ended well, after %d bytes more", n)
	}
	if !strings.Contains(e.heard(), "An answer was cut off before its end") {
		t.Errorf("the terminal was told %q", e.heard())
	}
}

// A posture that gets worse closes the door; one that gets better opens it.
func TestPostureDecides(t *testing.T) {
	t.Parallel()
	b := hospitaltest.Start(t, hospitaltest.Options{Configure: waive("hardware_key")})
	b.Paper()
	e := newEngineer(t, b)
	a := e.enrolled()
	l := e.serve(a, agent.ConnectOptions{})
	ask := func() (int, string) {
		resp, body := get(t, l.Base()+"/fhir/Patient?_count=1")
		return resp.StatusCode, body
	}
	if status, body := ask(); status != http.StatusOK {
		t.Fatalf("in order: %d %s", status, body)
	}
	report := func() error {
		b.Clock.Move(time.Minute)
		_, err := a.Report(t.Context(), a.Look(t.Context()))
		return err
	}
	e.laptop.Programs["gsettings get org.gnome.desktop.screensaver lock-enabled"] = posture.Output{Stdout: "false\n"}
	if err := report(); err != nil {
		t.Fatal(err)
	}
	if status, body := ask(); status != http.StatusForbidden || !strings.Contains(body, "does not lock by itself") || !strings.Contains(body, "sallyport agent report") {
		t.Errorf("without a screen lock: %d %s", status, body)
	}
	e.laptop.Programs["gsettings get org.gnome.desktop.screensaver lock-enabled"] = posture.Output{Stdout: "true\n"}
	if err := report(); err != nil {
		t.Fatal(err)
	}
	if status, body := ask(); status != http.StatusOK {
		t.Errorf("locked again: %d %s", status, body)
	}
	// Nothing is said anew while nothing changed: the log does not fill.
	before := strings.Count(acts(t, b), "posture.report")
	for range 5 {
		if err := report(); err != nil {
			t.Fatal(err)
		}
	}
	if after := strings.Count(acts(t, b), "posture.report"); after != before {
		t.Errorf("five reports of the same made %d acts", after-before)
	}
	b.Clock.Move(25 * time.Hour)
	if status, body := ask(); status != http.StatusForbidden || !strings.Contains(body, "is too old") {
		t.Errorf("after a day without a report: %d %s", status, body)
	}
}

func acts(t *testing.T, b *hospitaltest.Box) string {
	t.Helper()
	got, err := b.People[registrytest.Ada].Do(http.MethodGet, "/v1/acts?limit=1000", nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(got.Body)
}

// The certificate is renewed while clients ask; nobody notices. The server is
// restarted; the next question is answered.
func TestRenewalAndRestartUnderLoad(t *testing.T) {
	t.Parallel()
	const life = 80 * time.Second // a quarter of it, and the view of the registry still counts
	b := hospitaltest.Start(t, hospitaltest.Options{Configure: waive("hardware_key"), Before: func(c *server.Config) { c.Policy.DeviceCertificate = life }})
	b.Paper()
	e := newEngineer(t, b)
	a := e.enrolled()
	l := e.serve(a, agent.ConnectOptions{})
	ends := a.CertificateEnds()

	stop := make(chan struct{})
	var group sync.WaitGroup
	var asked atomic.Int64
	for range 4 {
		group.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				resp, err := http.Get(l.Base() + "/fhir/Patient?_count=2")
				if err != nil {
					t.Errorf("asking: %v", err)
					return
				}
				body, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || resp.StatusCode != http.StatusOK {
					t.Errorf("asking: %d %v %.300s", resp.StatusCode, err, body)
					return
				}
				asked.Add(1)
			}
		})
	}
	// Each certificate would end before the next but one is there.
	for range 5 {
		b.Advance(life / 4)
		before := asked.Load()
		if renewed, err := a.RenewIfDue(t.Context()); err != nil || !renewed {
			t.Errorf("renewing: %v, %v", renewed, err)
		}
		if !a.CertificateEnds().After(ends) {
			t.Errorf("the certificate ends on %s still", ends)
		}
		ends = a.CertificateEnds()
		eventually(t, "answers with the new certificate", func() bool { return t.Failed() || asked.Load() > before+8 })
	}
	close(stop)
	group.Wait()
	t.Logf("%d questions were answered across five renewals, of certificates of %s", asked.Load(), life)

	if _, err := a.RenewIfDue(t.Context()); err != nil {
		t.Error(err)
	}
	b.Restart()
	awaitPage(t, l.Base())

	// While the server is down, clients hear so, in FHIR, and at once.
	if err := b.Stop(); err != nil {
		t.Fatal(err)
	}
	resp, body := get(t, l.Base()+"/fhir/Patient?_count=1")
	if resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "does not answer") || !strings.Contains(body, "OperationOutcome") {
		t.Errorf("without a server: %d %s", resp.StatusCode, body)
	}
}

// A fleet manager of the vendor speaks for its own vendor's devices alone.
func TestFleetManager(t *testing.T) {
	t.Parallel()
	b := hospitaltest.Start(t, hospitaltest.Options{Configure: waive("hardware_key")})
	b.Paper()
	e := newEngineer(t, b)
	a := e.enrolled()
	l := e.serve(a, agent.ConnectOptions{})
	token := rand.Text()
	b.Act(registrytest.Ada, registry.RegisterConnector{ID: "fleet", Vendor: hospitaltest.Vendor, Kind: snapshot.FleetManager, Name: "Fleet", Token256: sha256Hex(token)})
	send := func(token, body string) (int, string) {
		req, err := http.NewRequest(http.MethodPost, b.Gateway+wire.Fleet, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := b.Client.HTTP.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		raw, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(raw)
	}
	const state = `{"devices":[{"id":"lin-laptop","os":"debian","os_version":"12","update_age_days":2,"disk_encryption":"fail","screen_lock":"pass","firewall":"pass","malware_protection":"pass"},{"id":"nobodys","os":"x"}]}`
	if status, _ := send(token, state); status != http.StatusUnauthorized {
		t.Errorf("before it is approved: got %d, want 401", status)
	}
	b.Act(registrytest.Grace, registry.ApproveConnector{ID: "fleet"})
	for _, bad := range []string{"", rand.Text(), token + "x"} {
		if status, _ := send(bad, state); status != http.StatusUnauthorized {
			t.Errorf("with another token: got %d, want 401", status)
		}
	}
	b.Clock.Move(time.Minute)
	status, body := send(token, state)
	if status != http.StatusOK || !strings.Contains(body, `{"id":"lin-laptop","recorded":true}`) || !strings.Contains(body, `"id":"nobodys","recorded":false,"problem":"not a device of yours"`) {
		t.Fatalf("got %d %s", status, body)
	}
	if resp, body := get(t, l.Base()+"/fhir/Patient?_count=1"); resp.StatusCode != http.StatusForbidden || !strings.Contains(body, "disk is not encrypted") {
		t.Errorf("after the fleet manager's report: %d %s", resp.StatusCode, body)
	}
	for _, rubbish := range []string{"", "{}", `{"devices":[]}`, `{"devices":{}}`, `{"devices":[{"id":1}]}`, "[" + strings.Repeat(`{"id":"x"},`, 10)} {
		if status, body := send(token, rubbish); status != http.StatusBadRequest {
			t.Errorf("%.30q: got %d %s", rubbish, status, body)
		}
	}
	if strings.Contains(b.Log.String(), token) {
		t.Error("the log holds the token")
	}
}

// The FHIR client that others wrote goes through the agent as it is: no
// certificate, no token.
func TestFHIRKitThroughTheAgent(t *testing.T) {
	t.Parallel()
	need.Node(t)
	b := hospitaltest.Start(t, hospitaltest.Options{Configure: waive("hardware_key")})
	b.Paper()
	e := newEngineer(t, b)
	l := e.serve(e.enrolled(), agent.ConnectOptions{})
	var got struct {
		Metadata struct{ ResourceType string }
		Search   bundle
		Pages    []bundle
		Read     map[string]any
		Batch    bundle
		Resolved map[string]any
		Refused  struct {
			Status int
			Data   map[string]any
		} `json:"refusedRead"`
	}
	b.FHIRKitAt(l.Base()+"/fhir", &got)
	if got.Metadata.ResourceType != "CapabilityStatement" || len(got.Pages) < 2 || got.Read["resourceType"] != "Patient" || got.Resolved["resourceType"] != "Patient" {
		t.Errorf("got %+v", got)
	}
	if len(got.Batch.Entry) != 3 || got.Batch.Entry[0].Response.Status != "200" {
		t.Errorf("the batch: %+v", got.Batch)
	}
	if got.Refused.Status != http.StatusForbidden || got.Refused.Data["resourceType"] != "OperationOutcome" {
		t.Errorf("the refusal: %+v", got.Refused)
	}
	for _, p := range got.Pages {
		for _, link := range p.Link {
			if !strings.HasPrefix(link.URL, l.Base()) {
				t.Errorf("the link %s does not lead through the agent", link.URL)
			}
		}
	}
}

func sha256Hex(s string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(s))) }

// demandSealing has every release of the engagement sealed to its device.
func demandSealing(t *testing.T, b *hospitaltest.Box, how snapshot.Sealing) {
	t.Helper()
	steps, _ := b.Steps()
	for _, s := range steps {
		if p, ok := s.Act.(registry.ProposeEngagement); ok {
			p.Sealing = how
			b.Act(s.By, registry.AmendEngagement(p))
			b.Act(registrytest.Grace, registry.ApproveEngagement{ID: p.ID})
			return
		}
	}
	t.Fatal("the demo has no engagement")
}

// Sealed releases are opened on the way to the client: short ones, long streams,
// batches. The client sees FHIR.
func TestSealedReleasesAreOpenedByTheAgent(t *testing.T) {
	t.Parallel()
	for _, how := range snapshot.Sealings {
		t.Run(string(how), func(t *testing.T) {
			t.Parallel()
			b := hospitaltest.Start(t, hospitaltest.Options{Configure: waive("hardware_key"), Records: hospital.Generate(1, 5)})
			b.Paper()
			demandSealing(t, b, how)
			e := newEngineer(t, b)
			a := e.enrolled()
			l := e.serve(a, agent.ConnectOptions{})
			if g := l.Grants(); len(g) != 1 || g[0].Sealing != string(how) || !g[0].Open {
				t.Fatalf("the grants are %+v", g)
			}
			resp, body := get(t, l.Base()+"/fhir/Patient?_count=2")
			var page bundle
			if resp.StatusCode != http.StatusOK || resp.Header.Get("Sallyport-Opened") != string(how) || json.Unmarshal([]byte(body), &page) != nil || len(page.resources("Patient", "")) != 2 ||
				!strings.HasPrefix(resp.Header.Get("Content-Type"), "application/fhir+json") || strings.Contains(body, b.Gateway) {
				t.Fatalf("a short one: %d %v %.400s", resp.StatusCode, resp.Header, body)
			}
			patient := text(page.resources("Patient", "")[0], "id")
			b.Hospital.Misbehave(hospital.Fault{Path: "Observation", Huge: 24 << 20})
			resp, body = get(t, l.Base()+"/fhir/Observation?patient="+patient)
			b.Hospital.Misbehave()
			if resp.StatusCode != http.StatusOK || resp.Header.Get("Sallyport-Opened") != string(how) || json.Unmarshal([]byte(body), &page) != nil {
				t.Fatalf("a long one: %d %v %d bytes", resp.StatusCode, resp.Header, len(body))
			}
			if len(body) < 5<<20 {
				t.Errorf("the long one has %d bytes, which is no stream", len(body))
			}
			batch := fmt.Sprintf(`{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"Patient/%s"}},{"request":{"method":"GET","url":"Practitioner/x"}}]}`,
				patient)
			answer, err := http.Post(l.Base()+"/fhir", "application/fhir+json", strings.NewReader(batch))
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			raw, err := io.ReadAll(answer.Body)
			var entries bundle
			if err != nil || json.Unmarshal(raw, &entries) != nil || len(entries.Entry) != 2 || entries.Entry[0].Resource["resourceType"] != "Patient" || entries.Entry[1].Response.Status == "200" {
				t.Fatalf("a batch: %d %v %.600s", answer.StatusCode, err, raw)
			}
			if resp, body := get(t, l.Base()+"/fhir/metadata"); resp.StatusCode != http.StatusOK {
				t.Errorf("a statement, which is not sealed: %d %.300s", resp.StatusCode, body)
			}
		})
	}
}

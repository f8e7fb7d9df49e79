package hospitaltest_test

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/bench/site"
	"github.com/sallyport/sallyport/hospital"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/internal/hospitaltest"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

const (
	caep = "https://schemas.openid.net/secevent/caep/event-type/"
	risc = "https://schemas.openid.net/secevent/risc/event-type/"
)

// inOrder is a fleet manager's report of a device in order; outOfOrder of one whose
// disk is not encrypted any more.
const (
	inOrder    = `{"devices":[{"id":"northwind-gpu-1","os":"linux","os_version":"12","update_age_days":1,"disk_encryption":"pass","screen_lock":"pass","firewall":"pass","malware_protection":"pass"}]}`
	outOfOrder = `{"devices":[{"id":"northwind-gpu-1","os":"linux","os_version":"12","update_age_days":1,"disk_encryption":"fail","screen_lock":"pass","firewall":"pass","malware_protection":"pass"}]}`
)

// postured asks for devices in order, servers too. Where the key is kept does not
// matter here.
func postured(text string) string {
	text = strings.Replace(text, "workloads_exempt: true ", "workloads_exempt: false", 1)
	return waive("hardware_key")(text)
}

// signalled is a box whose vendor has systems of its own, with a patient of whom
// there is no end: code is the patient's, for $everything.
func signalled(t *testing.T) (b *hospitaltest.Box, s *hospitaltest.Systems, code string) {
	t.Helper()
	records := hospital.Generate(1, 5)
	b = hospitaltest.Start(t, hospitaltest.Options{Records: records, Configure: postured})
	b.Paper()
	s = b.Systems(hospitaltest.Vendor)
	b.Act(registrytest.Ada, registry.LinkDirectory{ID: registrytest.Lin, Directory: snapshot.Directory{Connector: s.Directory, UserName: "lin@northwind.example", ExternalID: "00u1"}})
	fleet(t, s, inOrder)
	first := readBundle(t, b, "/Patient?_count=1").resources("Patient", "match")
	if len(first) != 1 {
		t.Fatal("no patient")
	}
	var faults []hospital.Fault
	for _, p := range records.IDs("Patient") {
		faults = append(faults, hospital.Fault{Path: "Patient/" + p + "/$everything", Huge: 64 << 30, Rate: 16 << 20, Patient: p})
	}
	b.Hospital.Misbehave(faults...)
	return b, s, text(first[0], "id")
}

func fleet(t *testing.T, s *hospitaltest.Systems, report string) {
	t.Helper()
	got, err := s.Ask(http.MethodPost, "/posture/fleet", s.Fleet, "application/json", report)
	if err != nil || got.Status != http.StatusOK || strings.Contains(string(got.Body), "problem") {
		t.Fatalf("the fleet manager's report: %s, %v", got, err)
	}
}

// underWay begins a download without end, and gives a function that waits until it
// is cut.
func underWay(t *testing.T, b *hospitaltest.Box, code string) (cut func()) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, b.Base()+"/Patient/"+code+"/$everything", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "application/fhir+json")
	resp, err := b.Client.Tokens.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		t.Fatalf("the download did not begin: %s %s", resp.Status, text)
	}
	if _, err := io.CopyN(io.Discard, resp.Body, 1<<20); err != nil {
		t.Fatalf("the download ended before its first megabyte: %v", err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, resp.Body)
		ended <- errors.Join(err, resp.Body.Close())
	}()
	return func() {
		t.Helper()
		select {
		case err := <-ended:
			if err == nil {
				t.Error("the download looks whole")
			}
		case <-time.After(time.Minute):
			t.Fatal("the download goes on")
		}
	}
}

// Whatever a vendor's own systems say stops what is under way, at the door that is
// named; when they take it back, the door opens again.
func TestTheVendorsSystemsCutADownload(t *testing.T) {
	t.Parallel()
	b, s, code := signalled(t)
	ok := func(status int) func(hospitaltest.Answer, error) {
		return func(got hospitaltest.Answer, err error) {
			t.Helper()
			if err != nil || got.Status != status {
				t.Fatalf("got %s, %v; want %d", got, err, status)
			}
		}
	}
	patch := func(active string) {
		t.Helper()
		ok(http.StatusOK)(s.Ask(http.MethodPatch, "/scim/v2/Users/lin", s.SCIM, "application/scim+json",
			`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"active","value":`+active+`}]}`))
	}
	push := func(kind string, subject, body any) {
		t.Helper()
		ok(http.StatusAccepted)(s.Push(s.Events.Event(kind, subject, body, b.Clock.Now())))
	}
	lin := map[string]any{"format": "opaque", "id": "00u1"}
	device := map[string]any{"format": "opaque", "id": string(hospitaltest.Device)}
	status := func(s string) map[string]any { return map[string]any{"current_status": s} }
	for _, c := range []struct {
		what, gate string
		say, undo  func()
	}{
		{"the directory: not active", "person", func() { patch("false") }, func() { patch("true") }},
		{"an event: account disabled", "person", func() { push(risc+"account-disabled", lin, nil) }, func() { push(risc+"account-enabled", lin, nil) }},
		{"an event: device not compliant", "hold", func() { push(caep+"device-compliance-change", device, status("not-compliant")) },
			func() { push(caep+"device-compliance-change", device, status("compliant")) }},
		{"the fleet manager: disk not encrypted", "posture", func() { fleet(t, s, outOfOrder) }, func() { b.Clock.Move(time.Minute); fleet(t, s, inOrder) }},
		{"the device is revoked", "device", func() { b.Act(registrytest.Grace, registry.RevokeDevice{ID: hospitaltest.Device}) }, nil},
	} {
		cut := underWay(t, b, code)
		c.say()
		cut()
		if got := b.Get(question); got.Status != http.StatusForbidden {
			t.Errorf("%s: afterwards got %s", c.what, got)
		} else if c.gate != "hold" { // why there is a hold is the organisation's
			if g := gates(b.Refusal(question)); len(g) != 1 || g[0] != c.gate {
				t.Errorf("%s: the gates %v refuse, want %s", c.what, g, c.gate)
			}
		}
		if c.undo != nil {
			c.undo()
			served(t, b)
		}
	}
	b.Verify()
	for _, secret := range []string{"00u1", "lin@northwind", s.SCIM, s.Fleet} {
		if strings.Contains(b.Log.String(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
}

// A joiner by SCIM, through TLS and the whole server: proposed, approved, trained,
// given a grant, and gone with one DELETE.
func TestAJoinerBySCIMThroughTheDoor(t *testing.T) {
	t.Parallel()
	b, s, _ := signalled(t)
	got, err := s.Ask(http.MethodPost, "/scim/v2/Users", s.SCIM, "application/scim+json", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"jo@northwind.example","displayName":"Jo","addresses":[{"country":"US"}]}`)
	if err != nil || got.Status != http.StatusCreated {
		t.Fatalf("got %s, %v", got, err)
	}
	var user struct{ ID string }
	if err := json.Unmarshal(got.Body, &user); err != nil {
		t.Fatal(err)
	}
	if where := got.Header.Get("Location"); where != b.Gateway+"/scim/v2/Users/"+user.ID {
		t.Errorf("Location: got %s", where)
	}
	for _, method := range []string{http.MethodGet, http.MethodDelete, http.MethodGet} {
		got, err = s.Ask(method, "/scim/v2/Users/"+user.ID, s.SCIM, "", "")
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(io.Discard, "%s", got)
	}
	if got.Status != http.StatusNotFound {
		t.Errorf("after DELETE: got %s", got)
	}
	// The doors of the systems tell a stranger nothing, nor do they open another's.
	for path, want := range map[string]int{"/scim/v2/Users": 401, "/scim/v2": 401, "/ssf/events/": 401, "/ssf": 401} {
		if got, err := s.Ask(http.MethodGet, path, "", "", ""); err != nil || got.Status != want || len(got.Body) != 0 {
			t.Errorf("%s: got %s, %v", path, got, err)
		}
	}
	// A machine that is known hears where to look, and a directory how to ask.
	for _, c := range []struct {
		method, path string
		status       int
		kind, allow  string
		says         string
	}{
		{http.MethodGet, "/nothing", 404, "application/problem+json", "", "/fhir/"},
		{http.MethodPost, "/standing", 405, "application/problem+json", "GET", "in that way"},
		{http.MethodGet, "/renew", 405, "application/problem+json", "POST", "in that way"},
	} {
		got, err := b.Client.Ask(c.method, b.Gateway+c.path, "", "")
		if err != nil || got.Status != c.status || got.Header.Get("Content-Type") != c.kind || got.Header.Get("Allow") != c.allow || !strings.Contains(string(got.Body), c.says) {
			t.Errorf("%s %s: got %s, %v", c.method, c.path, got, err)
		}
	}
	if got, err := s.Ask(http.MethodPut, "/scim/v2/Users", s.SCIM, "", ""); err != nil || got.Status != http.StatusMethodNotAllowed || got.Header.Get("Allow") != "GET, POST" || got.Header.Get("Content-Type") != "application/scim+json" {
		t.Errorf("a directory that puts people: got %s, %v", got, err)
	}
	if got := b.Get("/../scim/v2/Users"); got.Status == http.StatusOK {
		t.Errorf("a device's token opens the directory's door: %s", got)
	}
}

// A person of the vendor signs in at the vendor's provider and lets a program act for
// them. The vendor's transmitter says that the session is revoked: what the program
// downloads is cut, and its token is worth nothing. Another session goes on.
func TestSessionRevokedCutsWhatIsUnderWayInIt(t *testing.T) {
	t.Parallel()
	records := hospital.Generate(1, 5)
	pki := must[*site.PKI](t)(site.NewPKI(filepath.Join(t.TempDir(), "pki"), time.Now()))
	b := hospitaltest.Start(t, hospitaltest.Options{Records: records, People: true, Configure: func(text string) string {
		return waive("hardware_key")(text) + fmt.Sprintf("\nconnectors:\n  ca_file: %q\n  private_networks: [\"127.0.0.0/8\"]\n", filepath.Join(pki.Dir, site.CAFile))
	}})
	b.Paper()
	s := b.Systems(hospitaltest.Vendor)
	provider := must[*site.Provider](t)(site.NewProvider(pki, "sallyport", "00u-lin"))
	t.Cleanup(func() { provider.Close() })
	b.Act(registrytest.Ada, registry.RegisterConnector{ID: "northwind-login", Vendor: "northwind", Kind: snapshot.OIDCProvider, Name: "Login", Issuer: provider.Issuer, ClientID: provider.ClientID})
	b.Act(registrytest.Grace, registry.ApproveConnector{ID: "northwind-login"})
	b.Act(registrytest.Ada, registry.LinkLogin{ID: registrytest.Lin, Login: snapshot.Login{Connector: "northwind-login", Subject: provider.Subject}})
	b.Act(registrytest.Grace, registry.ApprovePerson{ID: registrytest.Lin})
	now := b.Clock.Now()
	b.Act(registrytest.Ada, registry.RegisterApp{ID: "notebook", Vendor: "northwind", Name: "Notebook", Kind: snapshot.Human, Public: true, Redirects: []string{"http://127.0.0.1/cb"}, Owner: registrytest.Lin})
	b.Act(registrytest.Grace, registry.ApproveApp{ID: "notebook"})
	b.Act(registrytest.Ada, registry.RequestGrant{ID: "notebook-grant", Engagement: hospitaltest.Engagement, App: "notebook", Person: registrytest.Lin, Devices: []id.Device{hospitaltest.Device},
		Role: hospitaltest.Role, Cohort: snapshot.Cohort{Kind: snapshot.CohortAll}, StartsAt: now, EndsAt: now.AddDate(0, 3, 0), MaxPatients: 1000, MaxDailyBytes: 1 << 40})
	b.Act(registrytest.Grace, registry.ApproveGrant{ID: "notebook-grant"})
	fleet(t, s, inOrder)

	launch := site.Launch{Gateway: b.Gateway, Pages: b.Pages, Base: b.Base(), Connector: "northwind-login", App: "notebook", Redirect: "http://127.0.0.1/cb", Scope: "user/*.rs",
		Device: b.Client.Device, Roots: must[*x509.CertPool](t)(identity.PoolFromFiles(b.Client.CA)), Provider: pki.Pool()}
	first, second := must[string](t)(launch.Token(t.Context())), must[string](t)(launch.Token(t.Context()))
	read := func(token, path string) *http.Response {
		t.Helper()
		req := must[*http.Request](t)(http.NewRequest(http.MethodGet, b.Base()+path, nil))
		req.Header.Set("Authorization", "Bearer "+token)
		return must[*http.Response](t)(b.Client.HTTP.Do(req))
	}
	status := func(token string) int {
		t.Helper()
		resp := read(token, question)
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != http.StatusOK {
			t.Logf("%s: %.1000s", resp.Status, text)
		}
		return resp.StatusCode
	}
	if status(first) != http.StatusOK || status(second) != http.StatusOK {
		t.Fatal("the person's program does not get in")
	}
	// Codes are of a program's own view: find one with the person's token.
	resp := read(first, "/Patient?_count=1")
	var page bundle
	if err := json.NewDecoder(resp.Body).Decode(&page); err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	var faults []hospital.Fault
	for _, p := range records.IDs("Patient") {
		faults = append(faults, hospital.Fault{Path: "Patient/" + p + "/$everything", Huge: 64 << 30, Rate: 16 << 20, Patient: p})
	}
	b.Hospital.Misbehave(faults...)
	download := read(first, "/Patient/"+text(page.Entry[0].Resource, "id")+"/$everything")
	defer download.Body.Close()
	if _, err := io.CopyN(io.Discard, download.Body, 1<<20); err != nil {
		t.Fatalf("the download ended before its first megabyte: %v", err)
	}
	// The provider's name for the first session: the second one is another.
	got, err := s.Push(s.Events.Event(caep+"session-revoked", map[string]any{"format": "complex", "user": map[string]any{"format": "iss_sub", "iss": provider.Issuer, "sub": provider.Subject},
		"session": opaque("provider-session-1")}, nil, b.Clock.Now()))
	if err != nil || got.Status != http.StatusAccepted {
		t.Fatalf("the event: %s, %v", got, err)
	}
	if _, err := io.Copy(io.Discard, download.Body); err == nil {
		t.Error("the download looks whole")
	}
	if got := status(first); got != http.StatusUnauthorized {
		t.Errorf("the token of the revoked session: got %d, want 401", got)
	}
	if got := status(second); got != http.StatusOK {
		t.Errorf("the token of the other session: got %d, want 200", got)
	}
	b.Verify()
}

package hospitaltest_test

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/hospital"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/internal/hospitaltest"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
)

const question = "/Patient?_count=1"

// The whole story, as a stranger would see it: no paper, no byte; act by act the
// refusals shrink; then data, cut to the role; then the BAA ends, and with it
// the data. And the log has all of it.
func TestPapersOpenTheDoor(t *testing.T) {
	t.Parallel()
	papersOpenTheDoor(t, hospitaltest.Options{})
}

func TestPapersOpenTheDoorOnPostgreSQL(t *testing.T) {
	t.Parallel()
	papersOpenTheDoor(t, hospitaltest.Options{Database: hospitaltest.Postgres(t)})
}

func papersOpenTheDoor(t *testing.T, o hospitaltest.Options) {
	o.Records = hospital.Generate(1, 5)
	b := hospitaltest.Start(t, o)
	strangersLearnNothing(t, b)

	steps, known := b.Steps()
	for _, s := range steps[:known] {
		b.Do(s)
	}
	before := gates(b.Refusal(question))
	for _, want := range []string{"vendor", "assessment", "agreement", "person", "training", "device", "grant", "role"} {
		if !slices.Contains(before, want) {
			t.Errorf("before any paper the gate %s does not refuse; those that do: %v", want, before)
		}
	}
	first := len(before)
	shrunk := 0
	for i, s := range steps[known:] {
		b.Do(s)
		b.Client.Tokens.Forget() // a token keeps the grant that it was issued for
		if i == len(steps[known:])-1 {
			break
		}
		p := b.Refusal(question)
		now := gates(p)
		for _, g := range now {
			if !slices.Contains(before, g) {
				t.Errorf("after %T the gate %s refuses, which did not before", s.Act, g)
			}
		}
		if len(now) < len(before) {
			shrunk++
		}
		before = now
	}
	if want := []string{"grant", "review"}; first < 15 || shrunk < 10 || !slices.Equal(before, want) {
		t.Errorf("got %d refusing gates at first, %d acts that made them fewer, and %v before the last act; want 15 or more, ten or more, %v", first, shrunk, before, want)
	}
	if got := b.Hospital.Served().Requests; got != 0 {
		t.Errorf("the hospital was asked %d times before anyone was permitted", got)
	}

	got := b.Get(question)
	if got.Status != http.StatusOK {
		t.Fatalf("with every paper: got %s, want 200", got)
	}
	for _, original := range o.Records.IDs("Patient") {
		if bytes.Contains(got.Body, []byte(original)) {
			t.Errorf("the release holds the patient's id at the hospital, %s", original)
		}
	}
	for _, want := range []string{`"SUBSETTED"`, `"Patient"`, `"gender"`} {
		if !bytes.Contains(got.Body, []byte(want)) {
			t.Errorf("the release lacks %s: %s", want, got)
		}
	}
	for _, hidden := range []string{`"name"`, `"telecom"`, `"address"`, `"identifier"`} {
		if bytes.Contains(got.Body, []byte(hidden)) {
			t.Errorf("the release holds %s, which the role does not show", hidden)
		}
	}

	ended := b.Act(registrytest.Grace, registry.TerminateAgreement{ID: hospitaltest.BAA})
	p := b.Refusal(question)
	if g := gates(p); !slices.Contains(g, "agreement") {
		t.Errorf("after the BAA was terminated the gates %v refuse, without agreement", g)
	}
	ownerSeesAll(t, b, p)
	everyActIsInTheLog(t, b, ended.LogIndex)
}

func gates(p *problem.Problem) (out []string) {
	for _, r := range p.Reasons {
		if !slices.Contains(out, r.Gate) {
			out = append(out, r.Gate)
		}
	}
	return out
}

// strangersLearnNothing: without a certificate, and with one that no act has
// enrolled, there is a bare 401 wherever one asks.
func strangersLearnNothing(t *testing.T, b *hospitaltest.Box) {
	t.Helper()
	roots, err := identity.PoolFromFiles(b.Client.CA)
	if err != nil {
		t.Fatal(err)
	}
	stranger := identity.NewHTTPClient(&tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13})
	defer stranger.CloseIdleConnections()
	for name, hc := range map[string]*http.Client{"no certificate": stranger, "a certificate that is not enrolled": b.Client.HTTP} {
		for _, url := range []string{b.Base() + "/Patient", b.Gateway + "/", b.Gateway + "/fhir/other/Patient", b.API + "/v1/vendors", b.API + "/openapi.json"} {
			resp, err := hc.Get(url)
			if err != nil {
				t.Errorf("%s, %s: %v", name, url, err)
				continue
			}
			var body bytes.Buffer
			if _, err := body.ReadFrom(resp.Body); err != nil {
				t.Error(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusUnauthorized || strings.Contains(body.String(), "Mercy") {
				t.Errorf("%s, %s: got %d %s, want a bare 401", name, url, resp.StatusCode, body.String())
			}
		}
	}
	if _, err := b.Client.Tokens.Token(t.Context()); err == nil {
		t.Error("a program that no act has registered got a token")
	}
}

// ownerSeesAll: the organisation's explanation names every gate that the vendor
// was told of.
func ownerSeesAll(t *testing.T, b *hospitaltest.Box, p *problem.Problem) {
	t.Helper()
	recorded := recordedGates(t, b, p.Decision)
	for _, g := range gates(p) {
		if !slices.Contains(recorded, g) {
			t.Errorf("the vendor was told of the gate %s, the log was not: %v", g, recorded)
		}
	}
}

// recordedGates are those that refused, as the organisation reads them out of
// the log by the decision's id.
func recordedGates(t *testing.T, b *hospitaltest.Box, decision string) (out []string) {
	t.Helper()
	got, err := b.People[registrytest.Grace].Do(http.MethodPost, "/v1/explain", map[string]string{"decision": decision})
	if err != nil {
		t.Fatal(err)
	}
	var why struct {
		Recorded struct {
			Permitted bool `json:"permitted"`
			Failing   []struct {
				Gate string `json:"gate"`
			} `json:"failing"`
		} `json:"recorded"`
	}
	if err := json.Unmarshal(got.Body, &why); err != nil || got.Status != http.StatusOK {
		t.Fatalf("explaining decision %s: %s", decision, got)
	}
	if why.Recorded.Permitted || len(why.Recorded.Failing) == 0 {
		t.Errorf("the log says of the refused decision %s: %s", decision, got)
	}
	for _, f := range why.Recorded.Failing {
		out = append(out, f.Gate)
	}
	return out
}

func everyActIsInTheLog(t *testing.T, b *hospitaltest.Box, last uint64) {
	t.Helper()
	acts := b.Acts()
	for _, a := range acts {
		e := b.Proved(a.LogIndex)
		if e.Act == nil || e.Act.Act != a.Act || e.Act.Kind != string(a.Kind) || e.Act.Registry != a.Version || e.Origin != hospitaltest.Node {
			t.Errorf("the log's entry %d is not the act %s %s of version %d", a.LogIndex, a.Kind, a.Act, a.Version)
		}
	}
	report := b.Verify()
	if report.Acts != uint64(len(acts)) {
		t.Errorf("the log has %d acts, the registry %d", report.Acts, len(acts))
	}
	if report.Intents != 1 || report.Outcomes != 1 || report.Open != 0 || report.Refusals == 0 {
		t.Errorf("the log has %d intents, %d outcomes, %d open, %d refusals; want 1, 1, 0, some", report.Intents, report.Outcomes, report.Open, report.Refusals)
	}
	if report.Size <= last {
		t.Errorf("the log has %d entries, the termination is entry %d", report.Size, last)
	}
	if err := b.Stop(); err != nil {
		t.Fatal(err)
	}
	// And when nothing runs any more.
	if stopped := b.Verify(); stopped.Size < report.Size || stopped.Acts != report.Acts {
		t.Errorf("after the stop the log has %d entries and %d acts, before it %d and %d", stopped.Size, stopped.Acts, report.Size, report.Acts)
	}
	if _, err := os.Stat(b.Data("audit", "checkpoint")); err != nil {
		t.Error(err)
	}
}

package console_test

import (
	"bufio"
	"cmp"
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/gate"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/hospital"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/internal/hospitaltest"
	"github.com/sallyport/sallyport/internal/need"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/seal/sealed"
	"github.com/sallyport/sallyport/snapshot"
)

// What a vendor's own people see, page by page, and then what they do, in one world.
func TestAVendorsPeople(t *testing.T) {
	t.Parallel()
	w := start(t)
	firmSees(t, w, w.visit(registrytest.Lin))
	firmAtWork(t, w)
}

func firmSees(t *testing.T, w *world, lin *client) {
	t.Run("where it stands", func(t *testing.T) {
		lin.in(t).get("/console").wants(http.StatusOK, "<h1>Where Northwind AI, Inc. stands</h1>", "Data is open", "In force", "First door: papers", "1 open")
	})
	t.Run("its papers, people and reports", func(t *testing.T) {
		lin := lin.in(t)
		lin.get("/console/my/papers").wants(http.StatusOK, "Business associate agreement", "Services contract", "In force", "Nobody is named yet")
		lin.get("/console/my/certificates").wants(http.StatusOK, "SOC 2", "Counts")
		lin.get("/console/my/questionnaires").wants(http.StatusOK, "Nothing was asked yet")
		lin.get("/console/my/team").wants(http.StatusOK, "Lin Example", "Current", "northwind-gpu-1")
		lin.get("/console/my/incidents").wants(http.StatusOK, "Your firm has reported nothing", "/portal/incidents/northwind")
	})
	t.Run("what it may use", func(t *testing.T) {
		lin := lin.in(t)
		lin.get("/console/my/access").wants(http.StatusOK, "Every patient of the source", "DiagnosticReport", "Ask for it longer", "Open")
		lin.get("/console/my/ask").wants(http.StatusOK, "triage-eval", "role=triage-reader")
		lin.get("/console/my/ask?engagement=triage-eval&role=triage-reader&from=triage-grant").wants(http.StatusOK, "Fields of Patient", "birthDate", "its year", "Triage (triage)")
	})
	t.Run("how to connect", func(t *testing.T) { connects(t, w, lin.in(t)) })
	t.Run("how a person connects", func(t *testing.T) { launches(t, w, lin.in(t), "notebook", "") })
	t.Run("how a person connects with proofs", func(t *testing.T) { launches(t, w, lin.in(t), "proving-notebook", snapshot.BoundToBoth) })
	t.Run("its activity", func(t *testing.T) {
		lin := lin.in(t)
		for until := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
			if lin.get("/console/my/activity").wants(http.StatusOK); strings.Contains(lin.body, "Released") || time.Now().After(until) {
				break
			}
		}
		lin.wants(http.StatusOK, "Released", "Search Patient", "Lin Example", "Requests by day")
		lin.get("/console/my/activity?outcome=released&q=search-type+patient")
		lin.get("/console/my/activity/"+decisionIn(t, lin.body)).wants(http.StatusOK, "Released: Search Patient", "<code>search-type Patient</code>", "Id to quote", "Lin Example")
		w.b.Refusal("/AllergyIntolerance")
		lin.awaitAll("/console/my/activity?outcome=refused", "Search AllergyIntolerance")
		lin.get("/console/my/activity/"+decisionIn(t, lin.body)).wants(http.StatusOK, "Refused: Search AllergyIntolerance", "The role does not cover", "Nothing was fetched and nothing left",
			"/console/my/ask?engagement=triage-eval&amp;from=triage-grant", "Ask for it", "Those that are the organisation's own are not shown")
		for _, g := range gate.All {
			if own := g.Audience == policy.Owner; strings.Contains(lin.body, `id="gate-`+g.ID+`"`) == own {
				t.Errorf("the gate %s is shown: %v", g.ID, !own)
			}
		}
		if strings.Contains(lin.body, "/console/evidence") || strings.Contains(lin.body, `"/console/decisions`) {
			t.Error("a vendor is led to a page of the organisation's")
		}
		lin.get("/console/my/activity?outcome=refused&q=prover").wants(http.StatusOK, "does not cover a resource type")
		lin.get("/console/my/activity?format=csv").wants(http.StatusOK, "Released")
		lin.get("/console/my/activity/firm").wants(http.StatusOK, "Released")
		lin.get("/console/my/activity/firm?format=csv&of=days").wants(http.StatusOK, "permitted")
		for until := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
			if lin.get("/console/my/access").wants(http.StatusOK); strings.Contains(lin.body, "4 permitted") || time.Now().After(until) {
				break
			}
		}
		lin.wants(http.StatusOK, "1 of 10,000 used", "Last used", "4 permitted")
	})
	t.Run("who is hidden", func(t *testing.T) { firmHidden(w.in(t), lin.in(t)) })
}

var firmRequest = regexp.MustCompile(`"/console/my/activity/([0-9A-Z]{26})"`)

// decisionIn is the first request that a page leads a vendor's person to.
func decisionIn(t *testing.T, body string) string {
	t.Helper()
	m := firmRequest.FindStringSubmatch(body)
	if m == nil {
		t.Fatalf("no request is led to:\n%s", body)
	}
	return m[1]
}

// in is the client with another test to fail.
func (c *client) in(t *testing.T) *client {
	d := *c
	d.w = c.w.in(t)
	return &d
}

var snippetCode = regexp.MustCompile(`(?s)<code id="s-([a-z]+)">(.*?)</code>`)

// connects runs what the page has to copy, with the vendor's own keys and nothing else:
// each gets a patient, and each tells why it gets no token, or no data. One program's
// tokens are bound to its machine's certificate, the other's to a key of its own, too; and
// each of them has work of which the answers are sealed.
func connects(t *testing.T, w *world, lin *client) {
	lin.get("/console/my/connect").wants(http.StatusOK, "northwind-gpu-1", "sallyport agent enroll")
	prover := proves(t, w)
	age, seal := seals(t, w)
	for _, x := range []struct {
		grant string
		key   *ecdsa.PrivateKey
		with  []string
	}{{"triage-grant", w.b.Client.Key, []string{"curl", "python", "javascript", "r"}}, {"prover-grant", prover, []string{"python", "javascript", "r"}},
		{"sealed-grant", w.b.Client.Key, []string{"curl", "python", "javascript", "r"}}, {"sealed-prover-grant", prover, []string{"python", "javascript", "r"}}} {
		texts := copied(lin, x.grant)
		opens := strings.HasPrefix(x.grant, "sealed")
		dir := t.TempDir()
		if opens {
			if err := os.WriteFile(filepath.Join(dir, "seal.key"), seal, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(os.CopyFS(dir, os.DirFS(w.b.Client.Dir)), identity.WriteKey(filepath.Join(dir, "app.key"), x.key)); err != nil {
			t.Fatal(err)
		}
		if err := os.Link(w.b.Client.CA, filepath.Join(dir, "ca.crt")); err != nil {
			t.Fatal(err)
		}
		for _, with := range x.with {
			for _, y := range []struct{ name, old, new, want string }{
				{"a patient", "", "", `"Patient"`},
				{"no such grant", x.grant, "no-such-grant", "invalid_request"},
				{"not in the role", "Patient?_count=1", "Medication?_count=1", "The role does not cover a resource type"},
			} {
				if opens && y.old == "Patient?_count=1" {
					continue // how it is told is the same
				}
				t.Run(x.grant+", "+with+", "+y.name, func(t *testing.T) {
					t.Parallel()
					runs(t, dir, age, with, strings.ReplaceAll(texts[with], cmp.Or(y.old, "\x00"), y.new), y.old == "", y.want)
				})
			}
		}
		proofs := strings.Contains(x.grant, "prover")
		if _, ok := texts["agent"]; ok == proofs || ok && !strings.Contains(texts["agent"], "sallyport agent connect") {
			t.Errorf("%s: the agent makes no proofs of a program's own, and is offered %v:\n%s", x.grant, ok, texts["agent"])
		}
	}
}

// copied are the texts that the page has for a grant, by their keys.
func copied(lin *client, grant string) map[string]string {
	texts := map[string]string{}
	for _, key := range []string{"agent", "curl", "python", "javascript", "r"} {
		lin.get("/console/my/connect?grant="+grant+"&with="+key).wants(http.StatusOK, "What is below works now")
		for _, m := range snippetCode.FindAllStringSubmatch(lin.body, -1) {
			texts[m[1]] = html.UnescapeString(m[2])
		}
	}
	return texts
}

// seals is work of which answers are sealed to the machine, for both programs: the folder of
// the age tool, and the identity that opens them.
func seals(t *testing.T, w *world) (age string, key []byte) {
	identity, err := sealed.NewIdentity(sealed.Age)
	if err != nil {
		t.Fatal(err)
	}
	ada, grace, now := registrytest.Ada, registrytest.Grace, w.b.Clock.Now().UTC().Truncate(time.Second)
	w.b.Act(ada, registry.SetRecipients{ID: hospitaltest.Device, SealTo: []string{identity.Recipient().String()}})
	w.b.Act(grace, registry.ApproveDevice{ID: hospitaltest.Device, TrustedUntil: now.AddDate(0, 6, 0)})
	w.b.Act(ada, registry.ProposeEngagement{ID: "sealed-eval", Vendor: hospitaltest.Vendor, Agreements: []id.Agreement{hospitaltest.BAA, hospitaltest.Contract}, Basis: hipaa.OperationsUnderBAA, Purpose: hipaa.Evaluation,
		Category: hipaa.Operations, Sources: []id.Source{hospitaltest.Source}, DataClass: hipaa.PHI, Regions: []string{"US"}, StartsAt: now, EndsAt: now.AddDate(0, 2, 0), Sealing: snapshot.SealAge})
	w.b.Act(grace, registry.ApproveEngagement{ID: "sealed-eval"})
	for grant, app := range map[id.Grant]id.App{"sealed-grant": hospitaltest.App, "sealed-prover-grant": "prover"} {
		w.b.Act(ada, registry.RequestGrant{ID: grant, Engagement: "sealed-eval", App: app, Person: registrytest.Lin, Devices: []id.Device{hospitaltest.Device}, Role: hospitaltest.Role,
			Cohort: snapshot.Cohort{Kind: snapshot.CohortAll}, StartsAt: now, EndsAt: now.AddDate(0, 1, 0), MaxPatients: 10, MaxDailyBytes: 1 << 20})
		w.b.Act(grace, registry.ApproveGrant{ID: grant})
		t.Cleanup(func() { w.b.Act(grace, registry.RevokeGrant{ID: grant}) })
	}
	return need.Age(t), identity.Secret()
}

// proves registers a program whose tokens are bound to its own key, too, and gives it
// what triage has.
func proves(t *testing.T, w *world) *ecdsa.PrivateKey {
	key, err := identity.NewKey(384)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := identity.PublicKeys(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	ada, grace, now := registrytest.Ada, registrytest.Grace, w.b.Clock.Now().UTC().Truncate(time.Second)
	w.b.Act(ada, registry.RegisterApp{ID: "prover", Vendor: hospitaltest.Vendor, Name: "Prover", Kind: snapshot.Workload, Owner: registrytest.Lin, Keys: keys, TokenBinding: snapshot.BoundToBoth})
	w.b.Act(grace, registry.ApproveApp{ID: "prover"})
	w.b.Act(ada, registry.RequestGrant{ID: "prover-grant", Engagement: hospitaltest.Engagement, App: "prover", Person: registrytest.Lin, Devices: []id.Device{hospitaltest.Device}, Role: hospitaltest.Role,
		Cohort: snapshot.Cohort{Kind: snapshot.CohortAll}, StartsAt: now, EndsAt: now.AddDate(0, 1, 0), MaxPatients: 10, MaxDailyBytes: 1 << 20})
	w.b.Act(grace, registry.ApproveGrant{ID: "prover-grant"})
	t.Cleanup(func() { w.b.Act(grace, registry.RevokeGrant{ID: "prover-grant"}) })
	return key
}

// runs runs a text in the folder of the vendor's keys.
func runs(t *testing.T, dir, age, with, text string, ends bool, want string) {
	program := map[string]string{"curl": "bash", "python": "python3", "javascript": "node", "r": "Rscript"}[with]
	path := need.Tool(t, program)
	file, err := os.CreateTemp(dir, "ask-*"+map[string]string{"javascript": ".mjs"}[with])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, file.Name())
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "PATH="+age+string(os.PathListSeparator)+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if strings.Contains(string(out), "there is no package called") {
		need.Skip(t, "R has not the packages httr2, jsonlite and openssl (Debian: r-cran-httr2, r-cran-jsonlite, r-cran-openssl)")
	}
	if (err == nil) != ends || !strings.Contains(string(out), want) {
		t.Errorf("%s: %v, and it does not say %q:\n%s\n%s", program, err, want, out, text)
	}
}

var launchRequest = regexp.MustCompile(`name="request" value="([^"]*)"`)

// launches runs the text for a person's notebook: it opens a page, on which Lin allows it,
// and comes back with a token. What a person's machine has to say of itself is missing
// here, and so the answer says that.
func launches(t *testing.T, w *world, lin *client, name id.App, binding snapshot.TokenBinding) {
	grant := id.Grant(name) + "-grant"
	ada, grace, now := registrytest.Ada, registrytest.Grace, w.b.Clock.Now().UTC().Truncate(time.Second)
	w.b.Act(ada, registry.RegisterApp{ID: name, Vendor: hospitaltest.Vendor, Name: "Notebook", Kind: snapshot.Human, Public: true, TokenBinding: binding, Owner: registrytest.Lin, Redirects: []string{"http://127.0.0.1/callback"}})
	w.b.Act(grace, registry.ApproveApp{ID: name})
	w.b.Act(ada, registry.RequestGrant{ID: grant, Engagement: hospitaltest.Engagement, App: name, Person: registrytest.Lin, Devices: []id.Device{hospitaltest.Device}, Role: hospitaltest.Role,
		Cohort: snapshot.Cohort{Kind: snapshot.CohortAll}, StartsAt: now, EndsAt: now.AddDate(0, 1, 0), MaxPatients: 10, MaxDailyBytes: 1 << 20})
	w.b.Act(grace, registry.ApproveGrant{ID: grant})
	lin.get("/console/my/connect?grant="+string(grant)+"&with=launch").wants(http.StatusOK, "Python, for a person", "The door is closed now")
	text := html.UnescapeString(snippetCode.FindStringSubmatch(lin.body)[2])
	dir := t.TempDir()
	if err := errors.Join(os.CopyFS(dir, os.DirFS(w.b.Client.Dir)), os.Link(w.b.Client.CA, filepath.Join(dir, "ca.crt")), os.WriteFile(filepath.Join(dir, "launch.py"), []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, need.Tool(t, "python3"), "launch.py")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "BROWSER=true") // the browser is Lin's, below
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var rest strings.Builder
	cmd.Stderr = &rest
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	_, page, found := strings.Cut(strings.TrimSpace(line), "does: ")
	if err != nil || !found || !strings.HasPrefix(page, w.b.Pages+"/authorize?") {
		t.Fatalf("%v: %q", err, line)
	}
	lin.read(lin.Get(page)).wants(http.StatusOK, "Notebook")
	lin.read(lin.PostForm(w.b.Pages+"/authorize", url.Values{"request": {html.UnescapeString(launchRequest.FindStringSubmatch(lin.body)[1])}, "decision": {"allow"}})).wants(http.StatusOK, "You can close this window")
	more, err := io.ReadAll(lines)
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil || !strings.Contains(rest.String(), "403") || !strings.Contains(rest.String(), "posture") {
		t.Errorf("got %v, %s, %s; want the reason", err, more, rest.String())
	}
	w.b.Act(grace, registry.RevokeGrant{ID: grant})
}

// Someone asks for a patient who said no, and for one who is not there. The gateway gives
// one answer, and so do the pages of the vendor's own people: nothing on them says that
// there is such a patient (42 CFR 2.13(c)(2)).
func firmHidden(w *world, lin *client) {
	t := w.t
	codes := func() (out []string) {
		var found struct {
			Entry []struct {
				Resource struct{ ResourceType, ID string }
			}
		}
		if err := json.Unmarshal(w.b.Get("/Patient?_count=50").Body, &found); err != nil {
			t.Fatal(err)
		}
		for _, e := range found.Entry {
			if e.Resource.ResourceType == "Patient" {
				out = append(out, e.Resource.ID)
			}
		}
		return out
	}
	custody := func(verb string) {
		t.Helper()
		a, err := w.b.People[registrytest.Grace].Do(http.MethodPost, "/v1/custody/"+verb, map[string]any{"source": "ehr", "kind": "restriction", "reason": "the patient asked for it", "patients": hospital.Generate(1, 5).IDs("Patient")[:1]})
		if err != nil || a.Status != http.StatusOK {
			t.Fatalf("%s: %v %v", verb, a, err)
		}
	}
	before := codes()
	custody("hold")
	after := codes()
	gone := slices.DeleteFunc(before, func(c string) bool { return slices.Contains(after, c) })
	if len(gone) != 1 {
		t.Fatalf("%d patients are gone, want 1", len(gone))
	}
	for _, code := range []string{gone[0], rivalNobody(gone[0])} {
		if got := w.b.Get("/Patient/" + code); got.Status != http.StatusNotFound {
			t.Fatalf("a patient who is not to be seen: %s", got)
		}
	}
	custody("release")
	var told [][]string
	for until := time.Now().Add(time.Minute); time.Now().Before(until); time.Sleep(50 * time.Millisecond) {
		if told = lin.get("/console/my/activity?format=csv&outcome=withheld").table()[1:]; len(told) > 1 {
			break
		}
	}
	if len(told) != 2 {
		t.Fatalf("what was withheld: %q", told)
	}
	var pages []string
	for _, row := range told {
		lin.get("/console/my/activity/"+row[1]).wants(http.StatusOK, "Withheld: Read one Patient", "Either there is no such record for you")
		pages = append(pages, rivalBare(rivalSeen{lin.status, lin.header, lin.body}, row[1]))
		row[0], row[1] = "", ""
	}
	if !slices.Equal(told[0], told[1]) {
		t.Errorf("the list tells a patient who is hidden from one who is not there:\n%q\n%q", told[0], told[1])
	}
	if pages[0] != pages[1] {
		t.Errorf("the page does:\n%s", rivalDifference(pages[0], pages[1]))
	}
	// The days count what the list has, and no refusal more.
	want := map[bool]int{}
	for _, row := range lin.get("/console/my/activity/firm?format=csv").table()[1:] {
		want[row[3] == "Refused"]++
	}
	permitted, refused := 0, 0
	for until := time.Now().Add(time.Minute); time.Now().Before(until); time.Sleep(50 * time.Millisecond) { // what is drawn follows the log
		rows := lin.get("/console/my/activity/firm?of=days&format=csv").table()[1:]
		if permitted, refused = sum(t, rows, 1), sum(t, rows, 2); permitted == want[false] {
			break
		}
	}
	if permitted != want[false] || refused != want[true] {
		t.Errorf("the days count %d permitted and %d refused, the list %d and %d", permitted, refused, want[false], want[true])
	}
}

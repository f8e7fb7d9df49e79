package hospitaltest_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/agent"
	"github.com/sallyport/sallyport/agent/wire"
	"github.com/sallyport/sallyport/bench/site"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/identity/signin"
	"github.com/sallyport/sallyport/internal/hospitaltest"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

const (
	redirectTo = "http://127.0.0.1/cb"
	lmsToken   = "lms-token-of-northwind"
	alarmToken = "alarm-token-of-northwind"
	// experienced is a statement that completes no course.
	experienced = `[{"id": "6690e6c9-3ef0-4ed3-8b37-7f3964730bee", "actor": {"mbox": "mailto:lin@northwind.example"}, "verb": {"id": "http://adlnet.gov/expapi/verbs/experienced"}, "object": {"id": "https://courses.northwind.example/1"}}]`
)

// everything makes and saves one of each kind.
func (x *parting) everything() {
	t, b := x.t, x.b
	t.Helper()
	device := b.Client.HTTP
	mtls := x.over(b.Client.Device)
	read := func(hc *http.Client, token string) (bool, string) {
		return x.ask(hc, http.MethodGet, b.Base()+question, "", "", "Authorization", "Bearer "+token)
	}

	// The device, and the program that acts by itself.
	live := must[string](t)(b.Client.Tokens.Token(t.Context()))
	x.save("device certificate: standing", func() (bool, string) { return x.ask(mtls, http.MethodGet, b.Gateway+"/standing", "", "") })
	x.save("access token, live", func() (bool, string) { return read(mtls, live) })
	x.save("access token, introspected", func() (bool, string) {
		ok, what := x.ask(mtls, http.MethodPost, b.Gateway+"/introspect", "application/x-www-form-urlencoded", with(x.signed(hospitaltest.App, b.Client.Key), "token", live).Encode())
		return ok && strings.Contains(what, `"active":true`), what
	})
	x.save("a program's assertion key", func() (bool, string) { return x.token(mtls, x.signed(hospitaltest.App, b.Client.Key)) })
	prover := must[*identity.Prover](t)(identity.NewProver(must[*ecdsa.PrivateKey](t)(identity.NewKey(256))))
	proven := must[*identity.Client](t)(identity.NewClient(identity.ClientConfig{ClientID: string(hospitaltest.App), Key: b.Client.Key, TokenURL: b.Gateway + "/token", Resource: b.Gateway, Scope: "system/*.rs", HTTP: device, Now: b.Clock.Now, DPoP: prover}))
	x.save("a DPoP key and its token", func() (bool, string) {
		resp, err := proven.Do(must[*http.Request](t)(http.NewRequest(http.MethodGet, b.Base()+question, nil)))
		if err != nil {
			return false, err.Error()
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK, resp.Status
	})

	// A workload with an SVID.
	podKey := must[*ecdsa.PrivateKey](t)(identity.NewKey(384))
	b.Act(registrytest.Ada, registry.EnrollDevice{ID: "triage-pod", Vendor: "northwind", SPIFFE: podID, Region: "US"})
	b.Act(registrytest.Grace, registry.ApproveDevice{ID: "triage-pod", TrustedUntil: b.Clock.Now().AddDate(0, 3, 0)})
	x.program("pod-agent", registry.RegisterApp{Name: "Pod", Kind: snapshot.Workload, Keys: must[json.RawMessage](t)(identity.PublicKeys(podKey.Public()))}, hospitaltest.Engagement, "triage-pod")
	pod := x.over(x.spire.svid(b.Clock.Now()))
	x.save("an SVID", func() (bool, string) { return x.token(pod, x.signed("pod-agent", podKey)) })

	// A person's sign-in, and what a program may do in it.
	ctx := t.Context()
	spent := must[site.Consented](t)(x.launch.Consent(ctx))
	first := must[site.Redeemed](t)(x.launch.Redeem(ctx, spent))
	second := must[site.Redeemed](t)(x.launch.Redeem(ctx, must[site.Consented](t)(x.launch.Consent(ctx))))
	waiting := must[site.Consented](t)(x.launch.Consent(ctx))
	x.save("access token for a person", func() (bool, string) { return read(mtls, first.Access) })
	redeem := func(c site.Consented) func() (bool, string) {
		return func() (bool, string) { return done(x.launch.Redeem(ctx, c)) }
	}
	x.save("authorization code", redeem(waiting), func() (bool, string) { return redeem(must[site.Consented](t)(x.launch.Consent(ctx)))() })
	x.save("refresh token", func() (bool, string) { return done(x.launch.Refresh(ctx, first.Refresh)) },
		func() (bool, string) { return done(x.launch.Refresh(ctx, second.Refresh)) })
	x.save("a signed-in browser's cookie", func() (bool, string) {
		hc := x.over(nil)
		hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		return x.ask(hc, http.MethodGet, b.Pages+"/portal", "", "", "Cookie", signin.CookieName+"="+waiting.Session)
	})
	cli := x.over(nil)
	x.save("a command line's session", func() (bool, string) {
		return x.ask(cli, http.MethodGet, b.API+"/v1/whoami", "", "", "Authorization", "Bearer "+waiting.Session)
	})
	x.save("a person's sign-in at their provider", func() (bool, string) {
		_, err := x.launch.Consent(ctx)
		return err == nil, fmt.Sprint(err)
	})
	asked := registry.MakeRequest{Engagement: hospitaltest.Engagement, App: "notebook", Devices: []id.Device{hospitaltest.Device}, Role: hospitaltest.Role,
		Cohort: snapshot.Cohort{Kind: snapshot.CohortAll}, MaxPatients: 5, MaxDailyBytes: 1 << 20, Life: 600, Why: "Calibrate the triage model"}
	own := asked
	x.save("a request by a person", func() (bool, string) {
		body := must[[]byte](t)(json.Marshal(map[string]any{"reason": "more work", "act": own}))
		return x.ask(cli, http.MethodPost, b.API+"/v1/requests", "application/json", string(body), "Authorization", "Bearer "+waiting.Session)
	})

	// An elevation.
	b.Act(registrytest.Ada, registry.MakeRequest{ID: "lift", Person: registrytest.Lin, Elevates: hospitaltest.Grant, Ticket: "INC-4711", Role: hospitaltest.Role, MaxPatients: 5, MaxDailyBytes: 1 << 20, Life: 60, Why: "Look at the failure"})
	b.Act(registrytest.Grace, registry.ApproveRequest{ID: "lift"})
	x.save("an elevation", func() (bool, string) {
		return x.token(mtls, x.signed(hospitaltest.App, b.Client.Key, "grant", "request-lift"))
	})
	asked.ID, asked.Person = "wish", registrytest.Lin
	b.Act(registrytest.Ada, asked)

	// An engineer's laptop: the agent's folder, and an invitation that was not used.
	e := newEngineer(t, b)
	a := e.enrolled()
	l := must[*agent.Local](t)(a.Listen(t.Context(), agent.ConnectOptions{}))
	x.serveQuietly(l)
	x.save("agent: connect", func() (bool, string) {
		return x.ask(http.DefaultClient, http.MethodGet, l.Base()+"/fhir/Patient?_count=1", "", "")
	})
	x.save("agent: posture", func() (bool, string) {
		_, err := a.Report(t.Context(), a.Look(t.Context()))
		return err == nil, fmt.Sprint(err)
	})
	for _, name := range []id.Device{"second-laptop", "third-laptop"} {
		code := rand.Text()
		b.Act(registrytest.Ada, registry.InviteDevice{ID: name, Vendor: hospitaltest.Vendor, Owner: registrytest.Lin, Code256: wire.CodeDigest(code), ExpiresAt: b.Clock.Now().Add(72 * time.Hour)})
		invite := x.invite(name, code)
		accept := func() (bool, string) {
			other := newEngineer(t, b)
			a, _, err := other.enrol(invite)
			if a != nil {
				defer a.Close()
			}
			return err == nil, fmt.Sprint(err)
		}
		if name == "second-laptop" {
			if ok, what := accept(); !ok {
				t.Fatalf("an invitation of its kind: %s", what)
			}
			continue
		}
		x.save("a device's invitation", accept, func() (bool, string) { return true, "its twin was accepted" })
	}

	// A person's invitation, and links.
	code := signin.NewCode()
	code256, _ := signin.CodeDigest(code)
	b.Act(registrytest.Ada, registry.InvitePerson{ID: registrytest.Lin, Code256: code256, ExpiresAt: b.Clock.Now().Add(48 * time.Hour)})
	x.save("a person's invitation", func() (bool, string) { return x.opens("/enroll", code) })
	b.Act(registrytest.Ada, registry.ProfileVendor{ID: "northwind", Services: []string{"evaluation"}, DataClasses: []hipaa.DataClass{hipaa.PHI}, Locations: []string{"US"}, Staff: 3, Patients: 10, Keeps: snapshot.KeepsNothing})
	due := b.Clock.Now().AddDate(0, 0, 20)
	b.Act(registrytest.Ada, registry.SendQuestionnaire{ID: "q1", Vendor: "northwind", DueAt: due})
	questions := x.link(snapshot.LinkQuestionnaire, snapshot.Subject{Noun: snapshot.NounQuestionnaire, ID: "q1"})
	incident := x.link(snapshot.LinkIncident, snapshot.Subject{Noun: snapshot.NounVendor, ID: "northwind"})
	x.save("a link to a questionnaire", func() (bool, string) { return x.opens("/portal/in", questions) })
	x.save("a link to report", func() (bool, string) { return x.opens("/portal/in", incident) })
	x.save("a browser in which a link was opened", func() (bool, string) {
		hc := x.over(nil)
		hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		return x.ask(hc, http.MethodGet, b.Pages+"/portal/incidents/northwind", "", "", "Cookie", "__Host-sallyport-link="+strings.ReplaceAll(incident, "-", ""))
	})

	// The vendor's systems.
	s := x.systems
	x.save("a directory's token (SCIM)", func() (bool, string) {
		return x.ask(s.HTTP, http.MethodGet, b.Gateway+"/scim/v2/Users", "", "", "Authorization", "Bearer "+s.SCIM)
	})
	x.save("a fleet manager's token", func() (bool, string) {
		return x.ask(s.HTTP, http.MethodPost, b.Gateway+"/posture/fleet", "application/json", inOrder, "Authorization", "Bearer "+s.Fleet)
	})
	x.save("an event sender's key (SSF)", func() (bool, string) {
		got, err := s.Push(s.Events.Event(risc+"account-enabled", opaque("nobody"), nil, b.Clock.Now()))
		return err == nil && got.Status/100 == 2, fmt.Sprint(got, err)
	})
	x.save("a learning system's token (xAPI)", func() (bool, string) {
		return x.ask(s.HTTP, http.MethodPost, b.Gateway+"/v1/xapi/statements", "application/json", experienced, "Authorization", "Bearer "+lmsToken, "X-Experience-API-Version", "1.0.3")
	})
	x.save("an alarm's token", func() (bool, string) {
		return x.ask(s.HTTP, http.MethodPost, b.Gateway+"/incidents", "application/json", `{"reference": "`+rand.Text()+`", "title": "Egress"}`, "Authorization", "Bearer "+alarmToken)
	}, func() (bool, string) { // a report would open an incident, and that would stop the vendor by itself
		_, what := x.ask(s.HTTP, http.MethodPost, b.Gateway+"/incidents", "application/json", `{}`, "Authorization", "Bearer "+alarmToken)
		return strings.HasPrefix(what, "400 "), what
	})
}

func done(_ site.Redeemed, err error) (bool, string) { return err == nil, fmt.Sprint(err) }

// serveQuietly runs the agent's endpoint until the test ends; how it ends is not asked,
// since its device does.
func (x *parting) serveQuietly(l *agent.Local) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- l.Serve(ctx) }()
	x.t.Cleanup(func() { cancel(); <-ended })
}

// try uses everything, and lists what works and what not.
func (x *parting) try(before bool) (works, fails []string) {
	x.t.Helper()
	for _, c := range x.saved {
		use := c.use
		if before && c.before != nil {
			use = c.before
		}
		if ok, what := use(); ok {
			works = append(works, c.name)
		} else {
			fails = append(fails, c.name+": "+what)
		}
	}
	return works, fails
}

// checked is a dead-man check by hand.
type checked struct {
	Tried, Permitted int
	First            []struct {
		Kind, Device, App, Person string
	}
}

func (x *parting) check() (out checked) {
	x.t.Helper()
	got, err := x.b.People[registrytest.Grace].Do(http.MethodPost, "/v1/offboardings/bye/check", map[string]any{"reason": "a look"})
	if err != nil || got.Status != http.StatusOK {
		x.t.Fatalf("the check: %s, %v", got, err)
	}
	if err := json.Unmarshal(got.Body, &out); err != nil {
		x.t.Fatal(err)
	}
	return out
}

// After the parting every credential, link and stream of the vendor is dead, and stays
// dead; nothing of it can be brought back; and the dead-man check finds what was tried.
func TestAfterThePartingEverythingIsDead(t *testing.T) {
	t.Parallel()
	x := newParting(t)
	b := x.b
	x.everything()
	if _, fails := x.try(true); len(fails) > 0 {
		t.Fatalf("before the parting these do not work, so that their end shows nothing:\n%s", strings.Join(fails, "\n"))
	}
	code := text(readBundle(t, b, "/Patient?_count=1").resources("Patient", "match")[0], "id")
	cut := underWay(t, b, code)
	t.Logf("%d credentials, links and sessions are saved, and a stream is open", len(x.saved))

	b.Act(registrytest.Ada, registry.BeginOffboarding{ID: "bye", Vendor: "northwind", Cause: snapshot.WorkDone, DueAt: b.Clock.Now().AddDate(0, 0, 30)})
	cut()
	if c := x.check(); c.Tried != 0 {
		t.Errorf("before anything is tried the dead-man check finds %+v", c)
	}
	all := len(x.saved)
	for _, when := range []string{"at once", "after a restart"} {
		works, fails := x.try(false)
		t.Logf("%s: %d of %d fail", when, len(fails), all)
		if len(works) > 0 || len(fails) != all {
			t.Errorf("%s these work still: %q", when, works)
		}
		if when == "at once" {
			b.Restart()
		}
	}
	c := x.check()
	by := map[string]bool{}
	for _, r := range c.First {
		by[strings.SplitN(r.Person, ".", 2)[0]+" "+r.Device] = true
	}
	for _, who := range []string{"lin " + string(hospitaltest.Device), "connector ", "link ", "lin "} {
		if !by[who] {
			t.Errorf("the dead-man check does not find what %q tried; it has %v", who, by)
		}
	}
	if c.Permitted != 0 || len(x.findings()) != 1 {
		t.Errorf("the check: %+v, and %d findings", c, len(x.findings()))
	}
	for _, l := range strings.Split(b.Log.String(), "\n") {
		if strings.Contains(l, "could not be noted") {
			t.Error(l)
		}
	}
	x.nothingComesBack()
	// What was planted afterwards is found by the product itself, a day later.
	b.Advance(2 * time.Minute)
	if ok, what := x.saved[0].use(); ok {
		t.Errorf("%s works: %s", x.saved[0].name, what)
	}
	b.Advance(25 * time.Hour)
	eventually(t, "a finding a day later", func() bool { return len(x.findings()) >= 2 })
	if n := len(x.findings()); n != 2 {
		t.Errorf("a day later there are %d findings, want 2", n)
	}
	b.Verify()
}

func (x *parting) findings() (out []snapshot.Finding) {
	x.t.Helper()
	got, err := x.b.People[registrytest.Grace].Do(http.MethodGet, "/v1/findings", nil)
	var all []snapshot.Finding
	if err != nil || got.Status != http.StatusOK {
		x.t.Fatalf("%s, %v", got, err)
	}
	if err := json.Unmarshal(got.Body, &all); err != nil {
		var page struct{ Items []snapshot.Finding }
		if err := json.Unmarshal(got.Body, &page); err != nil {
			x.t.Fatalf("%s: %v", got, err)
		}
		all = page.Items
	}
	for _, f := range all {
		if f.Kind == "used-after-the-end" {
			out = append(out, f)
		}
	}
	return out
}

// nothingComesBack tries every act that approves, resumes, renews or adds something of
// the vendor.
func (x *parting) nothingComesBack() {
	x.t.Helper()
	b, now := x.b, x.b.Clock.Now()
	code256 := func() string { d, _ := signin.CodeDigest(signin.NewCode()); return d }
	keys := must[json.RawMessage](x.t)(identity.PublicKeys(must[*ecdsa.PrivateKey](x.t)(identity.NewKey(384)).Public()))
	acts := []registry.Act{
		registry.ApproveVendor{ID: "northwind"}, registry.ResumeVendor{ID: "northwind"},
		registry.ApproveEngagement{ID: hospitaltest.Engagement}, registry.ApproveGrant{ID: hospitaltest.Grant}, registry.ApproveGrant{ID: "request-lift"}, registry.ApproveGrant{ID: "notebook-grant"},
		registry.ApproveDevice{ID: hospitaltest.Device, TrustedUntil: now.AddDate(0, 1, 0)}, registry.ApproveDevice{ID: "third-laptop", TrustedUntil: now.AddDate(0, 1, 0)}, registry.ApproveDevice{ID: "triage-pod", TrustedUntil: now.AddDate(0, 1, 0)},
		registry.ApproveApp{ID: hospitaltest.App}, registry.ApproveApp{ID: "notebook"}, registry.RotateAppKeys{ID: hospitaltest.App, Keys: keys},
		registry.ApprovePerson{ID: registrytest.Lin}, registry.ResumePerson{ID: registrytest.Lin}, registry.InvitePerson{ID: registrytest.Lin, Code256: code256(), ExpiresAt: now.Add(time.Hour)},
		registry.ApproveConnector{ID: x.systems.Directory}, registry.ApproveConnector{ID: "northwind-lms"}, registry.RotateConnector{ID: "northwind-lms", Token256: digestHex("another")},
		registry.ApproveAgreement{ID: hospitaltest.BAA}, registry.ResumeAgreement{ID: hospitaltest.BAA}, registry.ApproveRenewal{ID: hospitaltest.BAA},
		registry.ApproveRequest{ID: "wish"}, registry.ApproveRequest{ID: "lift"},
		registry.InviteDevice{ID: "third-laptop", Vendor: "northwind", Owner: registrytest.Lin, Code256: wire.CodeDigest("x"), ExpiresAt: now.Add(time.Hour)},
		registry.InviteDevice{ID: "fourth", Vendor: "northwind", Owner: registrytest.Lin, Code256: wire.CodeDigest("y"), ExpiresAt: now.Add(time.Hour)},
		registry.EnrollDevice{ID: "fifth", Vendor: "northwind", SPIFFE: podID + "-2", Region: "US"},
		registry.RegisterApp{ID: "again", Vendor: "northwind", Name: "Again", Kind: snapshot.Workload, Keys: keys, Owner: registrytest.Lin},
		registry.RegisterConnector{ID: "again", Vendor: "northwind", Kind: snapshot.SCIMClient, Name: "Again", Token256: digestHex("again")},
		registry.ProposePerson{ID: "pat", Vendor: "northwind", Name: "Pat", Classification: hipaa.BusinessAssociate, Basis: "staff", Region: "US"},
		registry.RequestGrant{ID: "again", Engagement: hospitaltest.Engagement, App: hospitaltest.App, Person: registrytest.Lin, Devices: []id.Device{hospitaltest.Device}, Role: hospitaltest.Role, Cohort: snapshot.Cohort{Kind: snapshot.CohortAll}, StartsAt: now, EndsAt: now.AddDate(0, 1, 0), MaxPatients: 1, MaxDailyBytes: 1},
		registry.MakeRequest{ID: "again", Person: registrytest.Lin, Engagement: hospitaltest.Engagement, App: "notebook", Devices: []id.Device{hospitaltest.Device}, Role: hospitaltest.Role, Cohort: snapshot.Cohort{Kind: snapshot.CohortAll}, MaxPatients: 5, MaxDailyBytes: 1, Life: 60, Why: "again"},
		registry.IssueLink{Vendor: "northwind", For: snapshot.LinkIncident, About: snapshot.Subject{Noun: snapshot.NounVendor, ID: "northwind"}, Contact: "x@northwind.example", Secret256: code256(), ExpiresAt: now.AddDate(0, 0, 1)},
		registry.SendQuestionnaire{ID: "q2", Vendor: "northwind", DueAt: now.AddDate(0, 0, 1), Renewal: true},
	}
	for _, a := range acts {
		for _, by := range []id.Person{registrytest.Ada, registrytest.Grace} {
			if _, err := b.People[by].Act(a, "bring it back"); err == nil {
				x.t.Errorf("%T of %s by %s came through", a, a.Subject().ID, by)
			} else if _, refused := hospitaltest.IsRefused(err); !refused {
				x.t.Errorf("%T: %v", a, err)
			}
		}
	}
	x.t.Logf("%d acts to bring something back are refused", len(acts))
}

// invite is the word that is handed over.
func (x *parting) invite(device id.Device, code string) string {
	raw := must[[]byte](x.t)(os.ReadFile(x.b.Client.CA))
	block, _ := pem.Decode(raw)
	return wire.Invite{Device: string(device), Code: code, Pin: wire.PinOf(block.Bytes)}.String()
}

// The end of one engagement ends what rests on it alone. What the vendor does for another
// goes on, on the same device and in the same person's session; and what it tries for the
// one that ended is found, and told apart from that.
func TestTheEndOfOneEngagementSparesTheOther(t *testing.T) {
	t.Parallel()
	x := newParting(t)
	b := x.b
	now := b.Clock.Now()
	b.Act(registrytest.Ada, registry.ProposeEngagement{ID: "second", Vendor: "northwind", Agreements: []id.Agreement{hospitaltest.BAA, hospitaltest.Contract}, Basis: "operations-under-baa", Purpose: "evaluation",
		Category: "operations", Sources: []id.Source{hospitaltest.Source}, DataClass: "phi", Regions: []string{"US"}, StartsAt: now, EndsAt: now.AddDate(0, 6, 0)})
	b.Act(registrytest.Grace, registry.ApproveEngagement{ID: "second"})
	otherKey := must[*ecdsa.PrivateKey](t)(identity.NewKey(384))
	x.program("other", registry.RegisterApp{Name: "Other", Kind: snapshot.Workload, Keys: must[json.RawMessage](t)(identity.PublicKeys(otherKey.Public()))}, "second", hospitaltest.Device)
	// A machine and a program of the first alone.
	podKey := must[*ecdsa.PrivateKey](t)(identity.NewKey(384))
	b.Act(registrytest.Ada, registry.EnrollDevice{ID: "triage-pod", Vendor: "northwind", SPIFFE: podID, Region: "US"})
	b.Act(registrytest.Grace, registry.ApproveDevice{ID: "triage-pod", TrustedUntil: now.AddDate(0, 3, 0)})
	x.program("pod-agent", registry.RegisterApp{Name: "Pod", Kind: snapshot.Workload, Keys: must[json.RawMessage](t)(identity.PublicKeys(podKey.Public()))}, hospitaltest.Engagement, "triage-pod")

	mtls, pod := x.over(b.Client.Device), x.over(x.spire.svid(now))
	other := must[*identity.Client](t)(identity.NewClient(identity.ClientConfig{ClientID: "other", Key: otherKey, TokenURL: b.Gateway + "/token", Resource: b.Gateway, Scope: "system/*.rs", HTTP: b.Client.HTTP, Now: b.Clock.Now}))
	works := func() (bool, string) {
		resp, err := other.Do(must[*http.Request](t)(http.NewRequest(http.MethodGet, b.Base()+question, nil)))
		if err != nil {
			return false, err.Error()
		}
		defer resp.Body.Close()
		raw, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
		return resp.StatusCode == http.StatusOK, fmt.Sprintf("%s %.500s", resp.Status, raw)
	}
	live := must[string](t)(b.Client.Tokens.Token(t.Context()))
	x.save("the first's access token", func() (bool, string) {
		return x.ask(mtls, http.MethodGet, b.Base()+question, "", "", "Authorization", "Bearer "+live)
	})
	x.save("the first's assertion key", func() (bool, string) { return x.token(mtls, x.signed(hospitaltest.App, b.Client.Key)) })
	x.save("the first's SVID", func() (bool, string) { return x.token(pod, x.signed("pod-agent", podKey)) })
	person := must[site.Redeemed](t)(x.launch.Redeem(t.Context(), must[site.Consented](t)(x.launch.Consent(t.Context()))))
	x.save("the first's token for a person", func() (bool, string) {
		return x.ask(mtls, http.MethodGet, b.Base()+question, "", "", "Authorization", "Bearer "+person.Access)
	})
	x.save("the first's refresh token", func() (bool, string) { return done(x.launch.Refresh(t.Context(), person.Refresh)) },
		func() (bool, string) { return true, "one use" })
	spared := []credential{{name: "the other's program", use: works},
		{name: "the device", use: func() (bool, string) { return x.ask(mtls, http.MethodGet, b.Gateway+"/standing", "", "") }},
		{name: "the directory", use: func() (bool, string) {
			return x.ask(x.systems.HTTP, http.MethodGet, b.Gateway+"/scim/v2/Users", "", "", "Authorization", "Bearer "+x.systems.SCIM)
		}}}
	if _, fails := x.try(true); len(fails) > 0 {
		t.Fatalf("before: %s", strings.Join(fails, "\n"))
	}
	code := text(readBundle(t, b, "/Patient?_count=1").resources("Patient", "match")[0], "id")
	cut := underWay(t, b, code)

	b.Act(registrytest.Ada, registry.BeginOffboarding{ID: "bye", Vendor: "northwind", Engagement: hospitaltest.Engagement, Cause: snapshot.WorkDone, DueAt: b.Clock.Now().AddDate(0, 0, 30)})
	cut()
	goesOn := func() {
		t.Helper()
		for _, c := range spared {
			if ok, what := c.use(); !ok {
				t.Errorf("%s was cut, too: %s", c.name, what)
			}
		}
	}
	goesOn()
	if c := x.check(); c.Tried != 0 {
		t.Errorf("the other's work counts as an attempt: %+v", c)
	}
	for _, when := range []string{"at once", "after a restart"} {
		if works, _ := x.try(false); len(works) > 0 {
			t.Errorf("%s these work still: %q", when, works)
		}
		goesOn()
		if when == "at once" {
			b.Restart()
		}
	}
	c := x.check()
	by := map[string]bool{}
	for _, r := range c.First {
		by[r.App+" on "+r.Device] = true
	}
	if !by["triage on "+string(hospitaltest.Device)] || !by["pod-agent on triage-pod"] || by["other on "+string(hospitaltest.Device)] || c.Permitted != 0 {
		t.Errorf("the check finds %v, %d permitted", by, c.Permitted)
	}
	b.Verify()
}

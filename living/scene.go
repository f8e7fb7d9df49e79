package living

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/identity/signin"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// past is how long the story is.
const past = 211 * 24 * time.Hour

// event is something that happens at its time.
type event struct {
	at   time.Time
	what string // for whoever waits for the story to end
	do   func(*scene)
}

// story is what happens, in any order.
type story struct {
	end    time.Time
	events []event
}

// day is so many days before the end, at this hour and minute (UTC).
func (t *story) day(ago, hour, minute int) time.Time {
	y, m, d := t.end.UTC().AddDate(0, 0, -ago).Date()
	return time.Date(y, m, d, hour, minute, 0, 0, time.UTC)
}

// on puts something that happens so many days before the end, at this hour; ago is 1 or
// more.
func (t *story) on(ago, hour int, what string, do func(*scene)) {
	t.events = append(t.events, event{t.day(ago, hour, 0), what, do})
}

// before puts something that happens shortly before the end.
func (t *story) before(d time.Duration, what string, do func(*scene)) {
	t.events = append(t.events, event{t.end.Add(-d), what, do})
}

// tell lets the past happen.
func (o *Organisation) tell(ctx context.Context) error {
	t := &story{end: o.o.Now().UTC().Truncate(time.Second)}
	o.founding(t)
	o.withNorthwind(t)
	o.withClearwater(t)
	o.withHarborlight(t)
	o.lately(t)
	o.traffic(t)
	slices.SortStableFunc(t.events, func(a, b event) int { return a.at.Compare(b.at) })
	s := &scene{ctx: ctx, o: o, end: t.end}
	for i, e := range t.events {
		what := e.what
		if what != "" {
			what = e.at.Format("2 Jan") + "  " + what
		}
		o.o.Progress(i, len(t.events), what)
		o.Clock.moveTo(e.at)
		// What the clock has skipped, the registry has not been heard from.
		if err := o.Server.Refresh(ctx); err != nil {
			return fmt.Errorf("living: %w", err)
		}
		if e.do(s); s.err != nil {
			return fmt.Errorf("living: %s, %s: %w", e.at.Format(time.RFC3339), e.what, s.err)
		}
	}
	o.Clock.arrive()
	if err := o.Server.Refresh(ctx); err != nil {
		return fmt.Errorf("living: %w", err)
	}
	o.o.Progress(len(t.events), len(t.events), "now")
	return nil
}

// scene is where acts are done. After an error nothing more is, so that a story reads
// as one.
type scene struct {
	ctx context.Context
	o   *Organisation
	end time.Time // now, to the reader of the story
	err error
}

func (s *scene) now() time.Time { return s.o.Clock.Now().UTC().Truncate(time.Second) }

// in is a time so many days after the scene.
func (s *scene) in(days int) time.Time { return s.now().AddDate(0, 0, days) }

// until is a time so many days after the end of the story.
func (s *scene) until(days int) time.Time { return s.end.AddDate(0, 0, days) }

// wait lets time pass within a scene: to read takes its time.
func (s *scene) wait(d time.Duration) { s.o.Clock.moveTo(s.o.Clock.Now().Add(d)) }

// do does acts through the API.
func (s *scene) do(by id.Person, reason string, acts ...registry.Act) {
	for _, a := range acts {
		if s.err == nil {
			_, s.err = s.o.People[by].Act(s.ctx, a, reason)
		}
	}
}

// refused does an act that the product must refuse: a rule that is shown to hold.
func (s *scene) refused(by id.Person, reason string, a registry.Act) {
	if s.err != nil {
		return
	}
	if _, err := s.o.People[by].Act(s.ctx, a, reason); err == nil {
		s.err = fmt.Errorf("%T by %s was done, and must be refused", a, by)
	}
}

// post asks the API for more than one act.
func (s *scene) post(by id.Person, path string, in, out any) {
	if s.err == nil {
		s.err = s.o.People[by].Call(s.ctx, http.MethodPost, path, in, out)
	}
}

func (s *scene) get(by id.Person, path string, out any) {
	if s.err == nil {
		s.err = s.o.People[by].Call(s.ctx, http.MethodGet, path, nil, out)
	}
}

// paper stores a document and gives its digest.
func (s *scene) paper(by id.Person, text, reason string) string {
	d := registry.NewDocument("text/plain", []byte(text))
	s.do(by, reason, d)
	return d.Digest
}

// compose has the product write an agreement from its terms.
func (s *scene) compose(by id.Person, a registry.DraftAgreement, reason string) {
	if s.err != nil {
		return
	}
	fields, err := registry.Encode(a)
	if err != nil {
		s.err = err
		return
	}
	var out api.Composed
	s.post(by, "/v1/agreements/compose", map[string]any{"reason": reason, "act": without(fields, "document_sha256")}, &out)
}

// signed records both signatures, and Grace's approval.
func (s *scene) signed(agreement id.Agreement, theirs string) {
	s.do(Ada, "signed on paper",
		registry.SignAgreement{ID: agreement, Party: snapshot.Organisation, Signer: "C. Example, CEO", At: s.now()},
		registry.SignAgreement{ID: agreement, Party: snapshot.VendorParty, Signer: theirs, At: s.now()})
	s.do(Grace, "read, and signed by both", registry.ApproveAgreement{ID: agreement})
}

// employ makes one of the organisation's people: Ada asks, approver approves, and they
// make a passkey by an invitation that their certificate lets them have.
func (s *scene) employ(p Person, approver id.Person, duties ...registry.Duty) {
	if s.err != nil {
		return
	}
	q := s.o.newPerson(p)
	key, err := q.issue()
	if err != nil {
		s.err = err
		return
	}
	s.do(Ada, "employed with us", registry.ProposePerson{ID: q.ID, Name: q.Name, Classification: hipaa.Workforce, Basis: "employee", Key256: key, Duties: duties})
	if approver == "" {
		s.do(Ada, "the second of us", registry.AdmitSecondPerson{ID: q.ID})
	} else {
		s.do(approver, "known to me", registry.ApprovePerson{ID: q.ID})
	}
	s.passkey(q.ID, q.ID)
}

// engage makes one of a vendor's people: Ada asks and invites, Sam approves when they
// have read the fingerprint of their passkey to him.
func (s *scene) engage(p Person, vendor id.Vendor, basis string) {
	if s.err != nil {
		return
	}
	q := s.o.newPerson(p)
	s.do(Ada, "named by the vendor", registry.ProposePerson{ID: q.ID, Vendor: vendor, Name: q.Name, Classification: hipaa.BusinessAssociate, Basis: basis, Region: "US"})
	fingerprint := s.passkey(q.ID, Ada)
	s.do(Sam, "the fingerprint was read to me on the telephone", registry.ApprovePerson{ID: q.ID, Passkeys: []string{fingerprint}})
}

// passkey invites a person and lets them make their passkey.
func (s *scene) passkey(p, by id.Person) (fingerprint string) {
	code := signin.NewCode()
	code256, _ := signin.CodeDigest(code) // a code that was just made
	s.do(by, "a passkey", registry.InvitePerson{ID: p, Code256: code256, ExpiresAt: s.in(1)})
	if s.err == nil {
		fingerprint, s.err = s.o.People[p].enrol(s.ctx, code)
	}
	return fingerprint
}

// asks lets a vendor's person ask for access. The request's id is the registry's to choose.
func (s *scene) asks(p id.Person, reason string, a registry.MakeRequest) id.Request {
	return id.Request(s.outside(p, reason, a).Subject.ID)
}

// outside does an act of a vendor's person, through the API in a session of their own.
func (s *scene) outside(p id.Person, reason string, a registry.Act) (done api.ActResult) {
	if s.err != nil {
		return done
	}
	q := s.o.People[p]
	if q.secret, s.err = q.signIn(s.ctx); s.err != nil {
		return done
	}
	done, s.err = q.Act(s.ctx, a, reason)
	return done
}

// visit signs people in at the pages, as on any morning.
func (s *scene) visit(people ...id.Person) {
	for _, p := range people {
		if s.err == nil {
			_, s.err = s.o.SignIn(s.ctx, p)
		}
	}
}

// trained records that a person has passed the course, so many days ago.
func (s *scene) trained(p id.Person, key id.Training, ago, life int) {
	done, by := s.now().AddDate(0, 0, -ago), Sam
	if p == Sam { // nobody says so of themselves
		by = Grace
	}
	s.do(by, "their certificate was read", registry.RecordTraining{ID: key, Person: p, Course: s.o.Config.Policy.Course, Version: s.o.Config.Policy.CourseVersion, Score: 0.93,
		Passed: true, CompletedAt: done, ExpiresAt: done.AddDate(0, 0, life), Source: snapshot.FromLMS, Modules: []string{"M1", "M2", "M3", "M4", "M5", "M6"}})
}

// machine enrols a vendor's machine, and approves it.
func (s *scene) machine(p *Program, owner id.Person, store snapshot.KeyStore, trusted time.Time) {
	if s.err != nil {
		return
	}
	a := registry.EnrollDevice{ID: p.Device, Vendor: p.Vendor, Key256: p.machine.KeyDigest(), Owner: owner, Region: "US", KeyStore: store, SealTo: []string{p.seal.Recipient().String()}}
	s.do(Ada, "their machine", a)
	s.do(Sam, "looked at with their engineer", registry.ApproveDevice{ID: p.Device, TrustedUntil: trusted})
}

// program makes the keys of a vendor's program and of its machine, and registers the
// program.
func (s *scene) program(vendor id.Vendor, device id.Device, a registry.RegisterApp) *Program {
	if s.err != nil {
		return nil
	}
	var p *Program
	if p, s.err = s.o.program(vendor, device, a.ID); s.err != nil {
		return nil
	}
	if a.Keys, s.err = identity.PublicKeys(p.app.Public()); s.err != nil {
		return nil
	}
	a.Vendor = vendor
	s.do(Ada, "their program", a)
	s.do(Sam, "keys confirmed by telephone", registry.ApproveApp{ID: a.ID})
	return p
}

// link gives a vendor's contact a way in, and opens it in a browser.
func (s *scene) link(a registry.IssueLink) *browser {
	code := signin.NewCode()
	a.Secret256, _ = signin.CodeDigest(code)
	s.do(Grace, "sent to the contact", a)
	return s.opened(code)
}

func (s *scene) opened(code string) *browser {
	if s.err != nil {
		return nil
	}
	b, err := s.o.browse()
	if err != nil {
		s.err = err
		return nil
	}
	_, s.err = b.post(s.ctx, "/portal/in", map[string][]string{"code": {code}})
	return b
}

// form posts a form of the portal.
func (s *scene) form(b *browser, path string, fields ...string) {
	if s.err != nil {
		return
	}
	form := map[string][]string{}
	for _, f := range fields {
		k, v, _ := strings.Cut(f, "=")
		form[k] = append(form[k], v)
	}
	_, s.err = b.post(s.ctx, path, form)
}

// ask lets a program ask, and wants one of these statuses.
func (s *scene) ask(app id.App, question string, want ...int) {
	if s.err != nil {
		return
	}
	status, body, err := s.o.Programs[app].Ask(s.ctx, question)
	if err == nil && !slices.Contains(want, status) {
		err = fmt.Errorf("%s asked %s: got %d, want %v: %.600s", app, question, status, want, body)
	}
	s.err = cmp.Or(s.err, err)
}

func (o *Organisation) newPerson(p Person) *Person {
	q := p
	q.org = o
	o.People[q.ID] = &q
	return &q
}

// configure gives the configuration what the story needs beside what init writes.
func configure(file string, ehr reach) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("reading the configuration: %w", err)
	}
	text := string(raw)
	for _, change := range [][2]string{
		{"# emergency_procedure: \"...\"", "emergency_procedure: \"Break the glass at the chart; the house supervisor has the sealed account (procedure E-7).\""},
		{"# ca_file: ehr-ca.pem ", fmt.Sprintf("ca_file: %q ", ehr.ca)},
		{`# pin_sha256: ["..."] `, fmt.Sprintf("pin_sha256: [%q] ", ehr.pin)},
		{"# credentials:  ", "credentials:  "},
		{"#   mutual_tls: {cert_file: ehr.crt, key_file: ehr.key}", fmt.Sprintf("  mutual_tls: {cert_file: %q, key_file: %q}", ehr.cert, ehr.key)},
		// Who looks around takes longer than who works: a sign-in stays, and stays fresh.
		{"session_idle: 30m", "session_idle: 8h"},
		{"step_up_life: 5m", "step_up_life: 1h"},
	} {
		if !strings.Contains(text, change[0]) {
			return fmt.Errorf("the configuration does not hold %q", change[0])
		}
		text = strings.Replace(text, change[0], change[1], 1)
	}
	return os.WriteFile(file, []byte(text), 0o600)
}

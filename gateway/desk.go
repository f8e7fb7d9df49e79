package gateway

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/deid"
	deidfhir "github.com/sallyport/sallyport/deid/fhir"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/seal"
	"github.com/sallyport/sallyport/snapshot"
)

// Subject is what a resource says about itself, for Judge. It must come from
// the resource as the source sent it.
type Subject struct {
	Type       string
	Patients   []string // ids at the source
	Unresolved bool     // it is not known whose it is
	// Impersonal says that resources of the type are about nobody's health: a
	// Practitioner, an Organization. Without it a resource needs a patient.
	Impersonal bool
	Labels     []string // security labels, "system|code"; "|" for one that cannot be read
}

// Verdict is what Judge says.
type Verdict uint8

// The verdicts. The zero Verdict keeps the resource back.
const (
	NotAsked  Verdict = iota // its type was not decided on
	Outside                  // not in the cohort, or it is not known whose it is
	Held                     // a patient in it is on hold
	Labelled                 // it has a security label that the grant does not name
	OutOfView                // outside the role's date window
	Admitted
	verdicts
)

var verdictWords = [verdicts]string{"not-asked", "outside-cohort", "patient-hold", "security-label", "out-of-window", "admitted"}

// Desk is where a permitted question is worked on: the source with its
// credentials, the keys, the role's view. It is for one question. Methods may be
// called by the one goroutine of an Answer, or before there is one.
type Desk struct {
	g       *Gateway
	s       *Standing
	ctx     context.Context
	permit  *policy.Permit
	limits  policy.Limits
	words   *Words
	sight   *sight
	codeKey *seal.EngagementKey
	cohort  membership
	worker  *worker

	mu       sync.Mutex
	admitted map[string]int // resources that were judged and admitted, by type
	released map[string]int
	removed  [verdicts]int
	told     [verdicts]int // of removed, what an outcome has told
	labels   []string      // on what was admitted
	keys     map[string]seal.PatientKey
	direct   Verdict // of a direct read that was not admitted
	lastID   string
	lastKey  seal.PatientKey
	leg      audit.Leg // the weakest over which an answer came
}

func (g *Gateway) desk(ctx context.Context, s *Standing, permit *policy.Permit, words *Words) (*Desk, error) {
	d := &Desk{g: g, s: s, ctx: ctx, permit: permit, limits: permit.Limits(), words: words}
	if d.limits.Role == nil || s.Source == nil {
		return nil, problem.New(problem.Internal, "a permit without a role or a source", "Nothing was released; tell the operator")
	}
	d.sight = g.sight(d.limits.Role, permit.Basis().Engagement, s.Source.id)
	if d.sight.err != nil {
		return nil, problem.New(problem.Unavailable, "The role's view cannot be made",
			"Nothing was released. Tell the organisation to mend the role").Because(d.sight.err)
	}
	var err error
	if d.codeKey, err = d.sight.open(g.Keys, permit.Basis().Engagement); err != nil {
		if seal.IsDestroyed(err) {
			return nil, err // a refusal, for good
		}
		return nil, problem.New(problem.Unavailable, "The engagement's key cannot be opened",
			"Nothing was released. Try again; if it goes on, tell the operator").Because(err)
	}
	return d, nil
}

// join finds out who belongs to the cohort, for questions about patients.
func (d *Desk) join() (err error) {
	d.cohort, err = d.g.membership(d.ctx, d.s.Source, d.limits.Cohort)
	return err
}

// take gets a worker out of the pool.
func (d *Desk) take() (*worker, error) {
	if d.worker != nil {
		return d.worker, nil
	}
	w, ok := d.sight.pool.Get().(*worker)
	if !ok || w.begun != d.codeKey.CodeGeneration() {
		var err error
		if w, err = d.newWorker(); err != nil {
			return nil, err
		}
	}
	// Another day, and nobody's record from the question before.
	if err := w.mini.SetAsOf(d.g.Now()); err != nil {
		return nil, err
	}
	w.codes.ctx = d.ctx
	w.records.begin(d.ctx, d)
	w.writer.Reset()
	d.worker = w
	return w, nil
}

func (d *Desk) newWorker() (w *worker, err error) {
	w = &worker{codes: codes{key: d.codeKey, vault: d.g.Vault}, records: records{}, begun: d.codeKey.CodeGeneration()}
	scope := d.sight.scope
	o := deidfhir.Options{Scope: scope, Codes: &w.codes, Bases: []string{d.s.Source.text}, Public: d.s.Public, AsOf: d.g.Now(),
		Checked: true} // what protocols write came out of a fhir.Reader, which checks it
	if scope.Profile().Assigned() {
		if w.codes.assigned, err = d.g.Vault.Assign(d.codeKey.Engagement()); err != nil {
			return nil, err
		}
	}
	if scope.Shifts() {
		days, _ := scope.Profile().Shifts()
		if o.Shifts, err = deid.NewKeyedShifts(d.codeKey.Derive("shift"), days); err != nil {
			return nil, err
		}
	}
	if scope.Profile().Scrubs() && d.g.Text != nil {
		w.records.scrubber = deidfhir.NewScrubber(d.g.Text, d.codeKey.Derive("text"))
		o.Scrubber, o.Records = w.records.scrubber, &w.records
	}
	if w.mini, err = deidfhir.New(o); err != nil {
		return nil, err
	}
	w.writer = deidfhir.NewWriter(w.mini)
	return w, nil
}

// settle makes durable what has to be before a release may leave: the codes in
// it. It fails where something was scrubbed without the patient's record because
// the source did not give it. The Answer may be writing the next release.
func (d *Desk) settle(ctx context.Context) error {
	w := d.worker
	if w == nil {
		return nil
	}
	if err := w.records.failed(); err != nil {
		return err
	}
	if w.codes.assigned == nil {
		return nil
	}
	err := w.codes.assigned.Settle(ctx)
	w.spoilt = w.spoilt || err != nil
	return err
}

// changed is what a release's rules did inside its resources, and what was found
// in its text.
func (d *Desk) changed(r deid.Release) (out []audit.Removal) {
	for rule, n := range r.Tally() {
		if n > 0 {
			out = append(out, audit.Removal{Why: deid.Rule(rule).String(), N: uint64(n)})
		}
	}
	if d.worker == nil {
		return out
	}
	found := d.worker.writer.Found()
	for _, category := range slices.Sorted(maps.Keys(found)) {
		out = append(out, audit.Removal{Why: "text-" + strings.ToLower(category), N: uint64(found[category])})
	}
	return out
}

// done gives back what the desk took. Nobody may use the desk after it.
func (d *Desk) done() {
	if w := d.worker; w != nil {
		d.worker = nil
		w.codes.ctx = nil
		w.records.end()
		w.mini.Forget()
		w.writer.Reset()
		if !w.spoilt {
			d.sight.pool.Put(w)
		}
	}
	clear(d.keys)
}

// Writer is where the answer's minimised resources are put together.
func (d *Desk) Writer() (*deidfhir.Writer, error) {
	w, err := d.take()
	if err != nil {
		return nil, err
	}
	return w.writer, nil
}

// Outcome is a source's OperationOutcome, cut to severities and codes.
func (d *Desk) Outcome(raw []byte) []byte {
	w, err := d.take()
	if err != nil {
		return nil
	}
	return w.mini.Outcome(nil, raw)
}

// Limits is how far the permit reaches.
func (d *Desk) Limits() policy.Limits { return d.limits }

// Scope is the role's view.
func (d *Desk) Scope() *deid.Scope { return d.sight.scope }

// Source is who is asked.
func (d *Desk) Source() *Source { return d.s.Source }

// Standing is who asks.
func (d *Desk) Standing() *Standing { return d.s }

// View is the view that was decided on, or a newer one.
func (d *Desk) View() *snapshot.View { return d.g.Views.View() }

// Everyone says whether the grant reaches every patient of the source and no
// patient is on hold, so that a count tells nothing new.
func (d *Desk) Everyone() bool {
	return d.limits.Cohort.Kind == snapshot.CohortAll && d.g.Vault.Holds() != nil && d.g.Vault.Holds().Len() == 0
}

// Get asks the source for what is at rel below its base, which must be encoded
// and begin with a slash or a question mark. The body must be closed.
func (d *Desk) Get(ctx context.Context, rel string) (*http.Response, error) {
	resp, err := d.s.Source.get(ctx, rel)
	if err == nil {
		d.came(legOf(resp))
	}
	return resp, err
}

// NotFound is the one answer for what does not exist, what the caller has no
// business knowing to exist, and what no code stands for.
func NotFound() *problem.Problem {
	return problem.New(problem.NotFound, "There is no such resource for this caller", "Use ids that this gateway gave to this engagement")
}

// Reveal turns a code of the caller's engagement back into the source's id. A
// raw id is nothing that the caller can know, and is not found.
func (d *Desk) Reveal(ctx context.Context, code string) (string, error) {
	if !seal.IsID(code) {
		return "", NotFound()
	}
	if d.sight.scope.Spec().Identifiers == deid.KeepIDs {
		return code, nil
	}
	resourceID, ok, err := d.g.Vault.Reveal(ctx, d.codeKey.Engagement(), code)
	if err != nil {
		return "", err
	}
	if !ok {
		return "", NotFound()
	}
	return resourceID, nil
}

// Judge decides whether a resource of a collection may be in the answer. What
// it does not admit must be left out, and is counted.
func (d *Desk) Judge(s Subject) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	v := d.judge(&s)
	if v != Admitted {
		d.removed[v]++
		return false
	}
	d.admit(&s)
	return true
}

// Require is Judge for the one resource that was asked for. Where it is not
// admitted, Next returns a zero release, and the policy refuses with its reason.
func (d *Desk) Require(s Subject) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.direct = d.judge(&s)
	if d.direct != Admitted {
		d.removed[d.direct]++
		return false
	}
	d.admit(&s)
	return true
}

// Removed counts a resource that was admitted but then left out by the view.
func (d *Desk) Removed(typ string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.removed[OutOfView]++
	d.admitted[typ]--
}

// Unused takes back a resource that was admitted and is not needed here.
func (d *Desk) Unused(typ string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.admitted[typ]--
}

func (d *Desk) admit(s *Subject) {
	if d.admitted == nil {
		d.admitted = map[string]int{}
	}
	d.admitted[s.Type]++
	for _, l := range s.Labels {
		if needsGrant(l) && !slices.Contains(d.labels, l) {
			d.labels = append(d.labels, l)
		}
	}
}

func (d *Desk) judge(s *Subject) Verdict {
	if !slices.Contains(d.words.Resources, s.Type) {
		return NotAsked
	}
	switch {
	case s.Unresolved, d.cohort == nil:
		return Outside
	case len(s.Patients) == 0 && !s.Impersonal:
		return Outside
	}
	for _, p := range s.Patients {
		if !d.cohort.Has(d.key(p)) {
			return Outside
		}
	}
	holds := d.g.Vault.Holds()
	for _, p := range s.Patients {
		if _, held := holds.Held(d.key(p)); held {
			return Held
		}
	}
	for _, l := range s.Labels {
		if needsGrant(l) && !slices.Contains(d.limits.Labels, l) {
			return Labelled
		}
	}
	return Admitted
}

// maxKeys bounds what a desk remembers of a long download.
const maxKeys = 1 << 16

// key is the owner's pseudonym of a patient.
func (d *Desk) key(patientID string) seal.PatientKey {
	if patientID == d.lastID && patientID != "" {
		return d.lastKey
	}
	k, ok := d.keys[patientID]
	if !ok {
		k = d.g.Keys.Owner().PatientKey(d.s.Source.id, patientID)
		if d.keys == nil || len(d.keys) >= maxKeys {
			d.keys = map[string]seal.PatientKey{}
		}
		d.keys[patientID] = k
	}
	d.lastID, d.lastKey = patientID, k
	return k
}

// confidentiality is the one code system of labels of which some need no grant.
const confidentiality = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality|"

// needsGrant says whether only a grant that names the label can release what
// carries it. All do, but the confidentiality codes for what is not restricted
// (v3-Confidentiality: unrestricted, low, moderate, normal).
func needsGrant(label string) bool {
	switch label {
	case confidentiality + "U", confidentiality + "L", confidentiality + "M", confidentiality + "N":
		return false
	}
	return true
}

// content is what a release holds, for the policy. It is worked out from the
// release itself and not from what the protocol says about it: every resource in
// it must have been judged, every patient in it is looked up again.
func (d *Desk) content(r deid.Release, keys []seal.PatientKey) policy.Content {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := policy.Content{Bytes: int64(r.Len()), Labels: slices.Clone(d.labels)}
	switch d.direct {
	case Outside:
		c.OutOfCohort = true
	case Held:
		c.HeldPatient = true
	case Labelled:
		c.Labels = append(c.Labels, "|") // no grant names it
	}
	holds := d.g.Vault.Holds()
	for _, k := range keys {
		if d.cohort == nil || !d.cohort.Has(k) {
			c.OutOfCohort = true
		}
		if _, held := holds.Held(k); held {
			c.HeldPatient = true
		}
	}
	c.NewPatients = d.g.Usage.New(d.permit.Caller().Grant, keys)
	c.Inspected = r.Valid() || d.direct != NotAsked && d.direct != Admitted
	if d.released == nil {
		d.released = map[string]int{}
	}
	for _, n := range r.Counts() {
		if n.Type == "OperationOutcome" {
			continue // the minimiser's own words
		}
		d.released[n.Type] += n.N
		if d.released[n.Type] > d.admitted[n.Type] {
			c.Inspected = false
		}
	}
	return c
}

// patientKeys are the pseudonyms of a release's patients.
func (d *Desk) patientKeys(r deid.Release) []seal.PatientKey {
	n := r.Patients().Len()
	if n == 0 {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	keys := make([]seal.PatientKey, 0, n)
	r.Patients().Each(func(patientID string) { keys = append(keys, d.key(patientID)) })
	return keys
}

// withheld counts what was left out since the last outcome, by reason.
func (d *Desk) withheld() (out []audit.Removal) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for v, n := range d.removed {
		if n > d.told[v] {
			out = append(out, audit.Removal{Why: verdictWords[v], N: uint64(n - d.told[v])})
		}
	}
	d.told = d.removed
	return out
}

// pageLife is how long a paging link is good.
const pageLife = 15 * time.Minute

// bound is what a page token is bound to, besides its keys.
func (s *Standing) bound(decision string) []string {
	c := s.Caller
	return []string{"page", string(c.Vendor()), string(c.App()), string(c.Device()), string(c.Grant()), string(s.Engagement), string(s.Source.id), decision}
}

// SealPage makes an opaque token of state for the question's next page: only
// the same caller, on the same engagement and source, can use it, for a while.
func (d *Desk) SealPage(state []byte) (decision, token string, err error) {
	decision = string(d.permit.Decision())
	token, err = d.codeKey.Tokens().Seal(state, d.g.Now().Add(pageLife), d.s.bound(decision)...)
	return decision, token, err
}

// OpenPage gives back the state of a page token.
func (s Standing) OpenPage(decision, token string) ([]byte, error) {
	if s.Source == nil {
		return nil, NotFound()
	}
	// A token that is one was made under the engagement's key: none is made to look.
	key, err := s.g.Keys.Find(s.Engagement)
	if err != nil {
		key = nil // whatever is wrong with a token is one answer
	}
	return key.Tokens().Open(token, s.g.Now(), s.bound(decision)...)
}

// Below turns a link that the source gave into what Get takes; ok is false for
// a link that leads off the source's base.
func (d *Desk) Below(link string) (rel string, ok bool) { return d.s.Source.below(link) }

package gateway

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/deid"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/seal"
)

// exchange is one question on its way through both doors.
type exchange struct {
	g        *Gateway
	s        *Standing
	q        Question
	words    Words
	out      *exit
	permit   *policy.Permit
	began    time.Time
	upstream int
	patients int
	gates    []string
	removed  []audit.Removal
	desk     *Desk
	nonce    string // of the request, for the manifest
	entry    int    // of a batch, from 1; for the manifest
	demand   demand
	env      *seal.Envelope // nil: the answer leaves in clear
	signer   *seal.ReleaseKey

	cancel   context.CancelCauseFunc
	watching bool
	mu       sync.Mutex
	lost     *policy.Refusal // what ended the permit while the answer was under way
	gone     identity.Reason // or what ended the caller's token or session
}

// run is the whole story. Whatever goes wrong is an error with the caller's
// words for it, and is recorded; nothing but x.out.release writes outward.
func (x *exchange) run(ctx context.Context) error {
	g := x.g
	// The question in the policy's words; the caller was identified before.
	x.words = x.q.Words()
	if err := x.scopes(ctx); err != nil {
		return err
	}

	// Decide.
	permit, refusal := g.Policy.Decide(x.request())
	if refusal != nil {
		return x.refuse(ctx, refusal)
	}
	x.permit = permit
	x.out.decision = permit.Decision()
	if err := x.envelope(ctx, permit.Limits()); err != nil {
		return err
	}
	defer x.letGo()

	// Intend: on its way to the disk while the source is asked.
	d, err := g.desk(ctx, x.s, permit, &x.words)
	if err != nil {
		if seal.IsDestroyed(err) { // by an order that the view does not show yet
			return x.deny(ctx, "key", "destroyed", problem.From(err))
		}
		return x.deny(ctx, "gateway", "unavailable", problem.From(err))
	}
	x.desk = d
	defer d.done()
	pending := g.Log.Begin(x.intent(d))

	// Fetch.
	answer, err := x.fetch(ctx, d)
	if answer != nil {
		defer answer.Close()
		x.upstream = answer.Upstream()
	}
	// Nothing is written to a source, so nothing waits for the intent alone: it is
	// durable with the outcome or before it, and the outcome before any byte.
	ticket, intended := pending.Ticket()
	if intended != nil {
		return unrecorded(intended)
	}
	if err != nil {
		return x.withhold(ctx, ticket, err)
	}
	if answer == nil {
		return x.state(ctx, d, ticket)
	}
	for last := false; !last; {
		// Minimise and de-identify.
		var release deid.Release
		release, last, err = answer.Next(ctx)
		if err != nil {
			return x.withhold(ctx, ticket, err)
		}
		// Decide again, on what was found and on the newest view.
		keys := d.patientKeys(release)
		admission, err := x.admit(ctx, d, release, keys)
		if err != nil {
			return x.withhold(ctx, ticket, err)
		}
		// What the release's codes stand for is on the disk before they leave.
		if err := d.settle(ctx); err != nil {
			return x.withhold(ctx, ticket, err)
		}
		// Seal.
		sealed, err := x.seal(release, last)
		if err != nil {
			return x.withhold(ctx, ticket, err)
		}
		if !sealed.Valid() {
			return x.withhold(ctx, ticket, NotFound())
		}
		// Complete: durable before the first byte.
		receipt, err := ticket.Complete(ctx, x.outcome(release, sealed, keys, last))
		if err != nil {
			return unrecorded(err)
		}
		x.patients += len(keys)
		// Release.
		x.out.contentType = answer.ContentType()
		if err := x.sign(x.out.contentType, ticket, receipt, last); err != nil {
			if last {
				return err
			}
			return x.withhold(ctx, ticket, err)
		}
		if !last || !x.out.short(sealed.Len()) {
			stop := x.watch(ctx)
			defer stop()
		}
		if err := x.out.release(ctx, admission, sealed, receipt, last); err != nil {
			if last {
				x.lose(ctx)
				return err // the record says what was released; how far it came is TCP's
			}
			return x.withhold(ctx, ticket, err)
		}
	}
	return nil
}

// request is the question for the policy.
func (x *exchange) request() policy.Request {
	c, view := x.s.Caller, x.g.Views.View()
	var region string
	if view != nil {
		region = view.Settings.RegionOfAddress(c.Address())
	}
	return policy.Request{
		View: view, Region: region, Now: x.g.Now(),
		Vendor: c.Vendor(), App: c.App(), Device: c.Device(), Grant: c.Grant(),
		Direction: policy.Out, Source: x.source(), Interaction: x.words.Interaction,
		Resources: x.words.Resources, Reads: x.words.Reads, PageSize: x.words.PageSize,
		Transport: policy.Transport(c.Transport()),
		Usage:     x.g.usage(c.Grant(), x.g.Now()),
	}
}

func (x *exchange) source() id.Source {
	if x.s.Source == nil {
		return ""
	}
	return x.s.Source.id
}

// fetch asks the source; a Statement needs none, and has no Answer.
func (x *exchange) fetch(ctx context.Context, d *Desk) (Answer, error) {
	if _, ok := x.q.(Statement); ok {
		return nil, nil
	}
	if err := d.join(); err != nil {
		return nil, err
	}
	return x.q.Fetch(ctx, d)
}

// admit decides on one release and reserves its volume.
func (x *exchange) admit(ctx context.Context, d *Desk, r deid.Release, keys []seal.PatientKey) (policy.Admission, error) {
	g, grant := x.g, x.permit.Caller().Grant
	// Between the decision and the reservation another release may use up what
	// is left: then the policy is asked once more, and says so.
	for range 3 {
		now := g.Now()
		content := d.content(r, keys)
		view := g.Views.View()
		if err := x.present(view, now); err != nil {
			return policy.Admission{}, err
		}
		admission, refusal := x.permit.Admit(view, now, g.usage(grant, now), content)
		if refusal != nil {
			return policy.Admission{}, x.refuse(ctx, refusal)
		}
		if !x.sealedAsDecided(view) {
			return policy.Admission{}, errSealing
		}
		record, ok := view.Grants.Get(grant)
		if !ok {
			break
		}
		if _, err := g.Usage.Reserve(grant, keys, record.MaxPatients); err != nil {
			continue
		}
		if !g.Volume.Reserve(grant, now, content.Bytes, record.MaxDailyBytes) {
			continue
		}
		return admission, nil
	}
	return policy.Admission{}, problem.New(problem.Unavailable, "The grant's volume could not be reserved", "Nothing was released; try again")
}

// usage is what the grant has had so far.
func (g *Gateway) usage(grant id.Grant, now time.Time) policy.Usage {
	bytes, known := g.Volume.Today(grant, now)
	if known && !g.counted.Load() {
		_, err := g.Usage.Reserve(grant, nil, 1<<62) // adds nobody; an error says: not loaded
		if known = err == nil; known {
			g.counted.Store(true)
		}
	}
	return policy.Usage{Known: known, Patients: g.Usage.Count(grant), BytesToday: bytes}
}

// state answers a Statement: words of the gateway's own, recorded like a release.
func (x *exchange) state(ctx context.Context, d *Desk, ticket *audit.Ticket) error {
	contentType, body, err := x.q.(Statement).State(d)
	if err != nil {
		return x.withhold(ctx, ticket, err)
	}
	view, now := x.g.Views.View(), x.g.Now()
	if err := x.present(view, now); err != nil {
		return x.withhold(ctx, ticket, err)
	}
	if refusal := x.permit.Still(view, now); refusal != nil {
		return x.withhold(ctx, ticket, x.refuse(ctx, refusal))
	}
	receipt, err := ticket.Complete(ctx, audit.Outcome{
		Release: id.New[id.Release](x.g.Now()), Result: audit.Released, Final: true, Status: http.StatusOK,
		Digest: sha256.Sum256(body), Bytes: uint64(len(body)),
	})
	if err != nil {
		return unrecorded(err)
	}
	x.out.contentType = contentType
	return x.out.statement(body, receipt)
}

// withhold records that nothing of the chunk at hand leaves, and why is the
// error that it returns.
func (x *exchange) withhold(ctx context.Context, ticket *audit.Ticket, cause error) error {
	result := audit.Withheld
	if x.out.began {
		result = audit.Incomplete
	}
	// The caller may be gone: the record is not for the caller.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	_, err := ticket.Complete(ctx, audit.Outcome{
		Release: id.New[id.Release](x.g.Now()), Result: result, Final: true,
		Status: problem.From(cause).Kind.Status(), Upstream: x.upstream, Leg: x.desk.upstreamLeg(), Removed: x.removals(),
	})
	x.lose(ctx)
	if err != nil {
		return errors.Join(unrecorded(err), cause)
	}
	return cause
}

const recordTimeout = 5 * time.Second

// unrecorded: without the log nothing leaves.
func unrecorded(err error) error {
	return problem.New(problem.Unavailable, "The request could not be recorded, and what is not recorded is not released",
		"Try again; if it goes on, tell the operator").Because(err)
}

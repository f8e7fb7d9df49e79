package gateway

import (
	"context"
	"time"

	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

// watch keeps an eye on the registry while an answer is under way. A caller that
// does not read can make a small write wait as long as a large one; only what
// exit.short says goes without a watch, under a deadline instead. When the newest view no longer permits it, or the token or a
// fact behind the permit runs out, the question's context ends, which frees
// whoever waits for a slow source, and a write that waits for a slow caller
// fails. It returns a function that ends the watch and waits for it.
func (x *exchange) watch(ctx context.Context) (stop func()) {
	if x.watching || x.out.w == nil { // an entry of a batch is watched when it leaves
		return func() {}
	}
	x.watching = true
	return watch(ctx, x.g, x.out, x.cancel, []*exchange{x})
}

// watch watches over exchanges that leave by one exit.
func watch(ctx context.Context, g *Gateway, out *exit, cancel context.CancelCauseFunc, xs []*exchange) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			changed := g.Views.Changed()
			now := g.Now()
			until := now.Add(time.Hour)
			for _, x := range xs {
				if err := x.holds(now); err != nil {
					out.abort(err)
					cancel(err)
					return
				}
				for _, t := range []time.Time{x.permit.ValidUntil(), x.s.Caller.Expires()} {
					if t.Before(until) {
						until = t
					}
				}
			}
			timer := time.NewTimer(max(until.Sub(now), time.Millisecond))
			select {
			case <-changed:
			case <-timer.C:
			case <-done:
				timer.Stop()
				return
			case <-ctx.Done():
				timer.Stop()
				out.abort(context.Cause(ctx))
				return
			}
			timer.Stop()
		}
	}()
	return func() { close(done); <-ended }
}

// holds decides the question again on the newest view.
func (x *exchange) holds(now time.Time) error {
	view := x.g.Views.View()
	if err := x.present(view, now); err != nil {
		return err
	}
	if refusal := x.permit.Still(view, now); refusal != nil {
		x.mu.Lock()
		x.lost = refusal
		x.mu.Unlock()
		return errRevoked
	}
	if !x.sealedAsDecided(x.g.Views.View()) {
		return errSealing
	}
	return nil
}

// present reports whether the caller is still who they were: the token neither
// expired nor revoked, the person's session not over.
func (x *exchange) present(view *snapshot.View, now time.Time) error {
	if !now.Before(x.s.Caller.Expires()) {
		return errExpired
	}
	if err := x.s.Caller.Still(view, now); err != nil {
		x.mu.Lock()
		x.gone, _ = identity.ReasonOf(err)
		x.mu.Unlock()
		return errGone
	}
	return nil
}

var errGone = problem.New(problem.Unknown, "The access token or the sign-in behind it has ended", "")

var errRevoked = problem.New(problem.Refused, "The permit no longer holds", "Ask again; the refusal says what is missing")

// lose records the refusal that cut the answer off, if one did.
func (x *exchange) lose(ctx context.Context) {
	x.mu.Lock()
	lost, gone := x.lost, x.gone
	x.lost, x.gone = nil, ""
	x.mu.Unlock()
	if gone != "" {
		_ = x.denyAs(ctx, x.permit.Decision(), "token", string(gone), errGone)
	}
	if lost != nil {
		_ = x.refuse(ctx, lost) // the outcome says incomplete in any case
	}
}

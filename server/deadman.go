package server

import (
	"context"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// The dead-man check by itself: once a day each node looks through its own log for what
// was tried since an offboarding began, and writes down what it found. An attempt raises a
// finding, of which people are told as of any.

const (
	// attemptsEvery is how often it is looked (policy).
	attemptsEvery = 24 * time.Hour
	// attemptsFor is for how long after the parting, and afterwards for as long as it is
	// not complete (policy).
	attemptsFor = 365 * 24 * time.Hour
	// attemptsLimit bounds one look through the index.
	attemptsLimit = time.Minute
)

// attemptsDue says whether a node whose log has this name has to look now.
func attemptsDue(o *snapshot.Offboarding, log string, now time.Time) bool {
	if !o.CompletedAt.IsZero() && now.Sub(o.BegunAt) > attemptsFor {
		return false
	}
	last := o.BegunAt
	if l, ok := o.Looked[log]; ok {
		last = l.At
	}
	return now.Sub(last) >= attemptsEvery
}

// attempts looks where it is time. What cannot be looked at now is looked at in the next
// turn.
func (t *teller) attempts(ctx context.Context, v *snapshot.View, now time.Time) {
	for _, o := range v.Offboardings.All() {
		if ctx.Err() != nil || !attemptsDue(o, t.s.config.Node, now) {
			continue
		}
		if err := t.s.lookForAttempts(ctx, v, o); err != nil && ctx.Err() == nil {
			t.s.o.Logger.WarnContext(ctx, "the dead-man check is not done yet", "offboarding", o.ID, "err", err)
		}
	}
}

func (s *Server) lookForAttempts(ctx context.Context, v *snapshot.View, o *snapshot.Offboarding) error {
	ctx, cancel := context.WithTimeout(ctx, attemptsLimit)
	defer cancel()
	found, err := api.Attempted(ctx, s.record.disclosures, v, o)
	if err != nil {
		return err
	}
	_, err = s.record.registry.Do(ctx, registry.Actor{Clock: true}, found.Act(o.ID, s.config.Node), registry.Meta{Reason: "the daily dead-man check"})
	return err
}

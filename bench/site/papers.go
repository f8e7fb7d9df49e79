package site

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

// Papers are the agreements under which the vendor works now.
type Papers struct{ BAA, Contract id.Agreement }

// Papers says which they are.
func (s *Site) Papers() Papers { return Papers{s.baa(), Contract} }

func (s *Site) baa() id.Agreement {
	if s.papers == 0 {
		return BAA
	}
	return id.Agreement(fmt.Sprintf("%s-%d", BAA, s.papers))
}

// Terminate ends the BAA, as a privacy officer would.
func (s *Site) Terminate(ctx context.Context, p Papers) error {
	_, err := s.Do(ctx, registrytest.Grace, registry.TerminateAgreement{ID: p.BAA}, "terminated by the benchmark", "")
	return err
}

// Repaper signs a new BAA of the same terms in place of one that has ended, and
// puts the engagement under it.
func (s *Site) Repaper(ctx context.Context) error {
	steps, err := s.Steps()
	if err != nil {
		return err
	}
	old := s.baa()
	s.papers++
	renamed := func(g id.Agreement) id.Agreement {
		if g == BAA {
			return s.baa()
		}
		return g
	}
	done := 0
	for _, step := range steps {
		switch a := step.Act.(type) {
		case registry.DraftAgreement:
			if a.ID != BAA {
				continue
			}
			a.ID = renamed(a.ID)
			step.Act = a
		case registry.SignAgreement:
			if a.ID != BAA {
				continue
			}
			a.ID = renamed(a.ID)
			step.Act = a
		case registry.ApproveAgreement:
			if a.ID != BAA {
				continue
			}
			a.ID = renamed(a.ID)
			step.Act = a
		case registry.ProposeEngagement:
			a.Agreements = slices.Clone(a.Agreements)
			for i, g := range a.Agreements {
				a.Agreements[i] = renamed(g)
			}
			var was snapshot.Engagement
			if err := s.Get(ctx, step.By, "/v1/engagements/"+string(a.ID), &was); err != nil {
				return err
			}
			a.StartsAt, a.EndsAt = was.StartsAt, was.EndsAt // grants lie within it
			step.Act = registry.AmendEngagement(a)
		case registry.ApproveEngagement:
		default:
			continue
		}
		if _, err := s.Do(ctx, step.By, step.Act, "a new BAA after "+string(old), ""); err != nil {
			return fmt.Errorf("%T: %w", step.Act, err)
		}
		done++
	}
	if done != 6 {
		return errors.New("the demo's acts have changed: a BAA takes four and an engagement two")
	}
	return nil
}

// Seal makes the engagement demand sealed releases, or none.
func (s *Site) Seal(ctx context.Context, mode snapshot.Sealing) error {
	steps, err := s.Steps()
	if err != nil {
		return err
	}
	done := 0
	for _, step := range steps {
		switch a := step.Act.(type) {
		case registry.ProposeEngagement:
			var was snapshot.Engagement
			if err := s.Get(ctx, step.By, "/v1/engagements/"+string(a.ID), &was); err != nil {
				return err
			}
			a.Agreements, a.StartsAt, a.EndsAt, a.Sealing = was.Agreements, was.StartsAt, was.EndsAt, mode
			step.Act = registry.AmendEngagement(a)
		case registry.ApproveEngagement:
		default:
			continue
		}
		if _, err := s.Do(ctx, step.By, step.Act, "sealing: "+string(mode), ""); err != nil {
			return fmt.Errorf("%T: %w", step.Act, err)
		}
		done++
	}
	if done != 2 {
		return errors.New("the demo's acts have changed: an engagement takes two")
	}
	return nil
}

package main

import (
	"context"
	"fmt"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

// call is one of the API's calls that do several acts: a kill may come between them.
// Repeated as it was, it must go through and leave what it would have left.
type call struct {
	path, key string
	in        any
	out       func() (out any, done func() error)
}

// parted is a vendor whose offboarding goes on.
const parted, parting = id.Vendor("parted"), id.Offboarding("parting")

func (t *trial) partings(ctx context.Context) error {
	for _, a := range []todo{
		{registrytest.Ada, registry.ProposeVendor{ID: parted, Name: "Parted, Inc."}, ""},
		{registrytest.Grace, registry.ApproveVendor{ID: parted}, ""},
		{registrytest.Ada, registry.BeginOffboarding{ID: parting, Vendor: parted, Cause: snapshot.WorkDone, DueAt: t.s.now().AddDate(0, 0, 20)}, ""},
	} {
		if _, err := t.site.Do(ctx, a.by, a.act, "soak", a.key); err != nil {
			return fmt.Errorf("%T: %w", a.act, err)
		}
	}
	return nil
}

// composing are an agreement in the product's own words (document.put, agreement.draft),
// an inventory of what was released (document.put, offboarding.record-inventory), and two
// documents that are applied.
func (t *trial) composing() []call {
	t.papers++
	n := t.papers
	paper := id.Agreement(fmt.Sprintf("paper-%d", n))
	terms := registrytest.Terms()
	for k, v := range terms {
		v.Clause = "" // as the paper numbers it
		terms[k] = v
	}
	fields := map[string]any{"id": paper, "kind": snapshot.BAA, "vendor": "northwind", "terms": terms, "regions": []string{"US"}, "effective_at": "2026-01-31T00:00:00Z",
		"permitted_uses": []map[string]any{{"purpose": "evaluation", "data_classes": []string{"phi"}, "clause": ""}}}
	vendors := []id.Vendor{id.Vendor(fmt.Sprintf("applied-%d-a", n)), id.Vendor(fmt.Sprintf("applied-%d-b", n))}
	var documents []map[string]any
	for _, v := range vendors {
		documents = append(documents, map[string]any{"record": "vendor", "fields": map[string]any{"id": v, "name": string(v)}})
	}
	return []call{
		{"/v1/agreements/compose", fmt.Sprintf("compose-%d", n), map[string]any{"reason": "soak", "act": fields}, func() (any, func() error) {
			out := &api.Composed{}
			return out, func() error {
				if out.Agreement != paper || out.Document == "" || out.Stored == nil || out.Drafted == nil {
					return fmt.Errorf("composed: %+v", out)
				}
				t.answer(*out.Stored)
				t.answer(*out.Drafted)
				return nil
			}
		}},
		{"/v1/offboardings/" + string(parting) + "/inventory", "", map[string]any{"reason": "soak"}, func() (any, func() error) {
			out := &api.ActResult{}
			return out, func() error { t.answer(*out); return nil }
		}},
		{"/v1/apply", "", map[string]any{"reason": "soak", "documents": documents}, func() (any, func() error) {
			out := &api.Applied{}
			return out, func() error {
				for _, r := range out.Done {
					t.answer(*r)
				}
				return nil
			}
		}},
	}
}

// call performs one and remembers the answer, or that there was none.
func (t *trial) call(ctx context.Context, c call) error {
	out, done := c.out()
	err := t.site.Post(ctx, registrytest.Ada, c.path, c.key, c.in, out)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		t.calls = append(t.calls, c)
		return err
	}
	t.composed++
	return done()
}

// callAgain repeats what was not answered, twice: the second time nothing is left to do,
// or what is done replaces what is known.
func (t *trial) callAgain(ctx context.Context) error {
	open := t.calls
	t.calls = nil
	for _, c := range open {
		for range 2 {
			if err := t.call(ctx, c); err != nil {
				return fmt.Errorf("a call of two acts that was under way cannot be repeated: %s: %w", c.path, err)
			}
		}
		t.mended++
	}
	return nil
}

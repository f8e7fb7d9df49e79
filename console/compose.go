package console

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/agreement"
	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/paper"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// An agreement that is written from its terms: the form is that of agreement.draft, without
// the document, which the API makes; the terms begin as the product recommends them.

const composePath = "/console/agreements/compose"

// mayCompose is the row of agreement.draft, for those who may draft.
func (s *server) mayCompose(v *visit) (*registry.Spec, error) {
	spec, ok := registry.Lookup("agreement.draft")
	if !ok || s.frame(v).May("agreement.draft") == nil {
		return nil, problem.New(problem.Refused, "Your duties do not let you write an agreement", "It needs the duty procurement or privacy officer")
	}
	return spec, nil
}

func (s *server) composeShown(v *visit) (doPage, error) {
	spec, err := s.mayCompose(v)
	if err != nil {
		return doPage{}, err
	}
	now := v.Now.UTC().Truncate(aDay)
	draft := registry.DraftAgreement{Kind: snapshot.BAA, Terms: map[string]snapshot.Term{}, Regions: []string{"US"}, EffectiveAt: now, EndsAt: now.AddDate(2, 0, 0),
		PermittedUses: []snapshot.PermittedUse{{Purpose: hipaa.Evaluation, DataClasses: []hipaa.DataClass{hipaa.PHI}}}}
	for field, t := range agreement.Recommended() {
		t.Clause = "" // where it stands, the wording says
		draft.Terms[field] = t
	}
	f := doForm{spec: spec, typed: writeForm(draft), key: rand.Text(), next: v.URL.Query().Get("next")}
	if vendor := v.URL.Query().Get("vendor"); vendor != "" {
		f.typed.Set("vendor", vendor)
	}
	return s.composePage(v, f), nil
}

// composePage is the form, without what is made.
func (s *server) composePage(v *visit, f doForm) doPage {
	p := s.doPage(v, f)
	v.call("Write an agreement")
	v.under("Agreements", "/console/agreements")
	p.Action, p.Button, p.Touch = composePath, "See the wording", ""
	p.Must = slices.DeleteFunc(p.Must, func(x actField) bool { return x.Name == "document_sha256" })
	// Folded: one opens what one wants otherwise.
	for i := range p.Must {
		if p.Must[i].Name == "terms" {
			p.Must[i].Help = "They begin as we recommend them. Open one to change what it says."
			for j := range p.Must[i].Fields {
				g := &p.Must[i].Fields[j]
				g.Open = slices.ContainsFunc(g.Fields, func(y actField) bool { return y.Error != "" })
				g.Fields = slices.DeleteFunc(g.Fields, func(y actField) bool { return strings.HasSuffix(y.Name, ".clause") })
			}
		}
	}
	return p
}

func (s *server) composePosted(v *visit) (doPage, error) {
	spec, err := s.mayCompose(v)
	if err != nil {
		return doPage{}, err
	}
	f, err := s.posted(v, spec)
	if err != nil {
		return doPage{}, err
	}
	if f.step == "back" || strings.HasPrefix(f.step, "more:") {
		return s.composePage(v, f), nil
	}
	f.typed.Del("document_sha256")
	a, raw, ok := f.act(v)
	if !ok {
		return s.composePage(v, f), nil
	}
	draft, ok := a.(registry.DraftAgreement)
	if !ok {
		return doPage{}, notFound()
	}
	if f.step == "do" {
		return s.compose(v, f, raw)
	}
	g := &snapshot.Agreement{ID: draft.ID, Kind: draft.Kind, Vendor: draft.Vendor, Subcontractor: draft.Subcontractor, Terms: draft.Terms, PermittedUses: draft.PermittedUses, Regions: draft.Regions,
		EffectiveAt: draft.EffectiveAt.UTC(), EndsAt: draft.EndsAt.UTC()}
	g.Terms, g.PermittedUses = agreement.Located(g)
	// What would be refused is refused before the wording is read: with the digest of
	// nothing in the place of the document's.
	if draft.EffectiveAt.IsZero() {
		f.errs = append(f.errs, fieldError{"effective_at", "is missing", "Write from when it counts"})
	} else {
		tried := draft
		tried.Terms, tried.PermittedUses = g.Terms, g.PermittedUses
		tried.Document = strings.Repeat("0", 64)
		if err := s.Registry.May(v.actor(), tried, registry.Meta{Reason: f.reason}); err != nil {
			f.errs = append(f.errs, problems(problem.From(err))...)
		}
	}
	if len(f.errs) > 0 {
		return s.composePage(v, f), nil
	}
	p := s.composePage(v, f)
	v.status = http.StatusOK
	p.Do = "Write it, and draft the agreement"
	written := *g
	written.Document = strings.Repeat("0", 64) // it will have one
	p.Ahead = &doAhead{Reason: f.reason, Entered: briefly(entered(v.View, spec, raw)), Wording: paragraphsOf(paper.Text(agreement.Draft(g, s.partiesNamed(v, g), g.EffectiveAt))), Lacks: agreement.Check(&written)}
	for _, name := range slices.Sorted(maps.Keys(f.typed)) {
		for _, text := range f.typed[name] {
			p.Hidden = append(p.Hidden, hidden{name, text})
		}
	}
	return p, nil
}

// briefly leaves out what the wording says better.
func briefly(rows []enteredRow) []enteredRow {
	return slices.DeleteFunc(rows, func(r enteredRow) bool { return len(r.Value) > 300 })
}

// compose has the API write the paper, store it and draft the agreement with it.
func (s *server) compose(v *visit, f doForm, raw json.RawMessage) (doPage, error) {
	body := struct {
		Reason string     `json:"reason"`
		Act    api.Fields `json:"act"`
	}{f.reason, api.Fields(bytes.Clone(raw))}
	out, err := s.call(v, http.MethodPost, "/v1/agreements/compose", body, api.IdempotencyHeader, f.key)
	var p *problem.Problem
	switch {
	case errors.As(err, &p) && p.Kind != problem.Internal:
		f.errs = append(f.errs, problems(p)...)
		return s.composePage(v, f), nil
	case err != nil:
		return doPage{}, err
	}
	var done api.Composed
	if err := json.Unmarshal(out.Body.Bytes(), &done); err != nil {
		return doPage{}, err
	}
	to := local(f.next, "/console/agreements/"+url.PathEscape(string(done.Agreement)))
	if done.Drafted != nil {
		to = withDone(to, *done.Drafted)
	}
	v.redirect(to)
	return doPage{}, nil
}

package registry_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

// Whoever defines a role with a profile that the node does not offer is told
// which ones it does; a node that says nothing of its profiles takes any.
func TestARoleNamesAProfileOfTheNode(t *testing.T) {
	w := demoWorld(t)
	other := with(role2, func(a *registry.DefineRole) { a.Profile = "our-own" })
	p := problem.From(w.do("ada", other))
	if p.Field != "profile" || !strings.Contains(p.Title, "our-own") {
		t.Errorf("got %v, want a problem with profile", p)
	}
	for _, known := range registrytest.Settings().Profiles {
		if !strings.Contains(p.NextStep, known.Name) {
			t.Errorf("%q does not name %q", p.NextStep, known.Name)
		}
		w.must("ada", with(role2, func(a *registry.DefineRole) { a.Profile = known.Name }))
	}
	settings := registrytest.Settings()
	settings.Profiles = nil
	w.view = w.view.WithSettings(settings)
	w.must("ada", other)
}

func TestADeterminationThatRanOutIsNotApproved(t *testing.T) {
	w := demoWorld(t)
	w.must("ada", with(expert2, func(a *registry.RecordDetermination) { a.ValidUntil = noon.Add(time.Hour) }))
	w.now = noon.Add(time.Hour)
	if p := problem.From(w.do("grace", registry.ApproveDetermination{ID: "x2"})); p.Kind != problem.Conflict || p.Field != "id" {
		t.Errorf("got %v, want a conflict", p)
	}
}

func TestARevokedDeterminationIsNotApprovedAgain(t *testing.T) {
	w := demoWorld(t)
	w.must("ada", expert2)
	w.must("grace", registry.ApproveDetermination{ID: "x2"})
	d, _ := w.view.Determinations.Get("x2")
	if d.State != snapshot.Approved || d.RequestedBy != "ada" || d.ApprovedBy != "grace" {
		t.Errorf("approved: got %+v", d)
	}
	w.must("eve", registry.RevokeDetermination{ID: "x2"})
	if p := problem.From(w.do("grace", registry.ApproveDetermination{ID: "x2"})); p.Kind != problem.Conflict {
		t.Errorf("got %v, want a conflict", p)
	}
	if p := problem.From(w.do("ada", expert2)); p.Kind != problem.Conflict || p.Field != "id" {
		t.Errorf("the id again: got %v, want a conflict", p)
	}
}

// A determination names a document: it must be on file.
func TestTheMethodsAndResultsMustBeStored(t *testing.T) {
	r, log, _ := ready(t)
	now := time.Now().UTC()
	a := with(expert2, func(a *registry.RecordDetermination) {
		a.DeterminedAt, a.ValidUntil = now.Add(-time.Minute), now.AddDate(1, 0, 0)
	})
	if _, err := do(t, r, registrytest.Ada, a); problem.From(err).Field != "document_sha256" {
		t.Errorf("got %v, want a problem with document_sha256", err)
	}
	paper := registry.NewDocument("text/plain", []byte("methods and results (synthetic)"))
	must(t, r, registrytest.Ada, paper)
	a.Document = paper.Digest
	must(t, r, registrytest.Ada, a)
	must(t, r, registrytest.Grace, registry.ApproveDetermination{ID: a.ID})
	entries := log.Entries()
	if last := entries[len(entries)-1]; last.Kind != "determination.approve" || last.Actor != registrytest.Ada || last.Approver != registrytest.Grace || last.ID != string(a.ID) {
		t.Errorf("the log says %+v", last)
	}
	got, ok := r.View().Determinations.Get(a.ID)
	if !ok || got.Profile != a.Profile || got.Profile256 != a.Profile256 || got.Expert != a.Expert || got.Document != a.Document ||
		!got.DeterminedAt.Equal(a.DeterminedAt) || !got.ValidUntil.Equal(a.ValidUntil) {
		t.Errorf("got %+v, want what was recorded: %+v", got, a)
	}
}

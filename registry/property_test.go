package registry_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

// anAct draws an act on a few ids, so that acts meet.
func anAct(t *rapid.T, v *snapshot.View, now time.Time) registry.Act {
	pick := func(names ...string) string { return rapid.SampledFrom(names).Draw(t, "id") }
	soon := now.Add(time.Duration(rapid.IntRange(1, 1000).Draw(t, "hours")) * time.Hour)
	vendor := id.Vendor(pick("v0", "v1"))
	paper := registry.NewDocument("text/plain", registrytest.Paper)
	acts := []func() registry.Act{
		func() registry.Act { return paper },
		func() registry.Act { return registry.ProposeVendor{ID: vendor, Name: pick("One", "Two")} },
		func() registry.Act { return registry.ApproveVendor{ID: vendor} },
		func() registry.Act {
			return registry.AmendVendor{ID: vendor, Name: pick("One", "Two"), Subcontractors: []id.Vendor{id.Vendor(pick("v0", "v1"))}}
		},
		func() registry.Act { return registry.SuspendVendor{ID: vendor} },
		func() registry.Act { return registry.ResumeVendor{ID: vendor} },
		func() registry.Act {
			return registry.RecordAssessment{Vendor: vendor, Verdict: snapshot.Pass, DecidedAt: now.Add(-time.Hour), ValidUntil: soon}
		},
		func() registry.Act {
			return registry.RecordCertification{ID: id.Certification(pick("c0", "c1")), Vendor: vendor, Type: "INSURANCE", ExpiresAt: soon.In(time.FixedZone("", 3600)),
				Particulars: snapshot.Particulars{Issuer: "Carrier", Limits: "1 M USD", AIExclusion: new(bool)}}
		},
		func() registry.Act {
			return registry.VerifyCertification{ID: id.Certification(pick("c0", "c1")), How: "registry-lookup", Against: "entry 12"}
		},
		func() registry.Act {
			return registry.DraftAgreement{ID: id.Agreement(pick("a0", "a1")), Kind: snapshot.BAA, Vendor: vendor, Terms: registrytest.Terms(), Document: paper.Digest, EffectiveAt: now}
		},
		func() registry.Act {
			return registry.SignAgreement{ID: id.Agreement(pick("a0", "a1")), Party: snapshot.VendorParty, Signer: pick("N", "Ñandú <&> \u2028"), At: now.Add(-time.Minute)}
		},
		func() registry.Act { return registry.ApproveAgreement{ID: id.Agreement(pick("a0", "a1"))} },
		func() registry.Act { return registry.TerminateAgreement{ID: id.Agreement(pick("a0", "a1"))} },
		func() registry.Act {
			return registry.ProposeEngagement{ID: "e", Vendor: vendor, Agreements: []id.Agreement{id.Agreement(pick("a0", "a1"))}, Basis: hipaa.OperationsUnderBAA, Purpose: hipaa.Evaluation,
				Category: hipaa.Operations, Sources: []id.Source{"ehr"}, DataClass: hipaa.PHI, Regions: []string{"US"}, StartsAt: now, EndsAt: now.AddDate(1, 0, 0)}
		},
		func() registry.Act {
			return registry.RecordDetermination{ID: id.Determination(pick("x0", "x1")), Engagement: "e", Profile: "expert-determination", Profile256: paper.Digest, Expert: pick("M", "Ñandú"),
				Document: paper.Digest, DeterminedAt: now.Add(-time.Hour), ValidUntil: soon}
		},
		func() registry.Act {
			return registry.ApproveDetermination{ID: id.Determination(pick("x0", "x1"))}
		},
		func() registry.Act {
			return registry.RevokeDetermination{ID: id.Determination(pick("x0", "x1"))}
		},
		func() registry.Act {
			return registry.ProposePerson{ID: id.Person(pick("p0", "p1")), Vendor: vendor, Name: "P", Classification: hipaa.BusinessAssociate, Basis: "b", Region: "US"}
		},
		func() registry.Act { return registry.ApprovePerson{ID: id.Person(pick("p0", "p1", "eve"))} },
		func() registry.Act {
			return registry.ProposePerson{ID: "eve", Name: "Eve", Classification: hipaa.Workforce, Basis: "b", Duties: registry.Duties[:5]}
		},
		func() registry.Act {
			return registry.RegisterPersonKey{ID: "eve", Key256: registrytest.Key(pick("k", "l"))}
		},
		func() registry.Act {
			return registry.AmendDuties{ID: id.Person(pick("ada", "grace", "eve")), Duties: registry.Duties[:5]}
		},
		func() registry.Act {
			return registry.EnrollDevice{ID: id.Device(pick("d0", "d1")), Vendor: vendor, Key256: registrytest.Key(pick("k", "l")), Region: "US"}
		},
		func() registry.Act {
			return registry.ApproveDevice{ID: id.Device(pick("d0", "d1")), TrustedUntil: soon}
		},
		func() registry.Act {
			return registry.RegisterApp{ID: "x", Vendor: vendor, Name: "X", Kind: snapshot.Agent, Keys: keys2, Owner: id.Person(pick("p0", "p1"))}
		},
		func() registry.Act { return registrytest.Role() },
		func() registry.Act { return registry.ApproveRole{ID: "triage-reader"} },
		func() registry.Act {
			return registry.RequestGrant{ID: id.Grant(pick("g0", "g1")), Engagement: "e", App: "x", Person: id.Person(pick("p0", "p1")), Devices: []id.Device{id.Device(pick("d0", "d1"))},
				Role: "triage-reader", Cohort: snapshot.Cohort{Kind: snapshot.CohortAll}, StartsAt: now.Add(time.Hour), EndsAt: now.AddDate(0, 1, 0), MaxPatients: 1, MaxDailyBytes: 1}
		},
		func() registry.Act { return registry.ApproveGrant{ID: id.Grant(pick("g0", "g1"))} },
		func() registry.Act { return registry.EndEngagement{ID: "e"} },
		func() registry.Act { return registry.RotateKey{ID: "e", Codes: pick("y", "n") == "y"} },
		func() registry.Act { return registry.RequestKeyDestruction{ID: "e"} },
		func() registry.Act { return registry.ApproveKeyDestruction{ID: "e"} },
		func() registry.Act { return registry.WithdrawKeyDestruction{ID: "e"} },
		func() registry.Act {
			return registry.PlaceHold{On: snapshot.Subject{Noun: snapshot.NounVendor, ID: string(vendor)}, Cause: snapshot.HoldFinding}
		},
		func() registry.Act {
			for h := range v.Holds.All() {
				return registry.LiftHold{ID: h}
			}
			return registry.LiftHold{ID: "none"}
		},
	}
	return rapid.SampledFrom(acts).Draw(t, "act")()
}

// organisation begins a registry with two people who have every duty.
func organisation(ctx context.Context, r *registry.Registry) error {
	all := registry.Duties[:5]
	return registrytest.Do(ctx, r, []registrytest.Step{
		{By: "ada", Act: registry.BootstrapOrganisation{ID: "ada", Name: "Ada", Key256: registrytest.Key("ada")}, Reason: "r"},
		{By: "ada", Act: registry.ProposePerson{ID: "grace", Name: "Grace", Classification: hipaa.Workforce, Basis: "b", Duties: all, Key256: registrytest.Key("grace")}, Reason: "r"},
		{By: "ada", Act: registry.AdmitSecondPerson{ID: "grace"}, Reason: "r"},
		{By: "grace", Act: registry.AmendDuties{ID: "ada", Duties: all}, Reason: "r"},
	})
}

// Whatever acts are tried: the view in memory, the rows, the revisions and the
// acts done again from their canonical form are all the same registry.
func TestTheDatabaseIsTheView(t *testing.T) {
	if f := flag.Lookup("rapid.checks"); f != nil && f.Value.String() == f.DefValue {
		if err := flag.Set("rapid.checks", "25"); err != nil {
			t.Fatal(err)
		}
	}
	dir, n := t.TempDir(), 0
	var done, refused atomic.Int64
	rapid.Check(t, func(rt *rapid.T) {
		n++
		log := &registrytest.Log{}
		s := openStore(t, filepath.Join(dir, fmt.Sprintf("%d.db", n)))
		defer s.Close()
		o := options(t, s, log)
		r := open(t, o)
		if err := organisation(t.Context(), r); err != nil {
			rt.Fatal(err)
		}
		for range rapid.IntRange(50, 200).Draw(rt, "acts") {
			by := id.Person(rapid.SampledFrom([]string{"ada", "grace", "ada", "grace", "eve", "lin"}).Draw(rt, "by"))
			before := r.View()
			_, err := r.Do(t.Context(), registry.Actor{Person: by}, anAct(rt, before, time.Now()), registry.Meta{Reason: "r"})
			switch kind := problem.From(err).Kind; {
			case err == nil:
				done.Add(1)
			case kind == problem.Internal || kind == problem.Unavailable:
				rt.Fatalf("%v (%v)", err, errors.Unwrap(err))
			default:
				refused.Add(1)
				if r.View().Version() != before.Version() {
					rt.Fatal("a refused act changed the view")
				}
			}
		}
		v := r.View()
		want := dump(t, v)
		if got := dump(t, open(t, o).View()); got != want {
			rt.Fatalf("rows:\n%s\nwant\n%s", got, want)
		}
		entries, err := r.Acts(t.Context(), 0, 1000)
		if err != nil || uint64(len(entries)) != v.Version() || len(log.Entries()) != len(entries) {
			rt.Fatalf("got %d acts, %d in the log, version %d, %v", len(entries), len(log.Entries()), v.Version(), err)
		}
		revisions, again := (&snapshot.View{}).Edit(), (&snapshot.View{}).WithSettings(registrytest.Settings())
		for i, e := range entries {
			for _, rec := range e.Changed {
				revisions.Put(rec)
			}
			a, err := registry.Decode(e.Kind, e.Body)
			if err != nil {
				rt.Fatal(err)
			}
			if _, document := a.(registry.PutDocument); !document {
				if err := registry.Check(again, registry.Actor{Person: e.Actor}, a, e.At); err != nil {
					rt.Fatalf("act %d done again: %v", e.Seq, err)
				}
			}
			again, _ = registry.Apply(again, a, registry.Stamp{ID: e.ID, By: e.Actor, At: e.At})
			if log.Entries()[i].Act != e.ID || i > 0 && e.At.Before(entries[i-1].At) {
				rt.Fatalf("act %d is out of order", e.Seq)
			}
		}
		if got := dump(t, revisions.Publish(0, 0, time.Time{})); got != want {
			rt.Fatalf("revisions:\n%s\nwant\n%s", got, want)
		}
		if got := dump(t, again); got != want {
			rt.Fatalf("acts done again:\n%s\nwant\n%s", got, want)
		}
		if got, err := r.Verify(t.Context(), logged(log)); err != nil || got != v.Version() {
			rt.Fatalf("verify: got %d, %v", got, err)
		}
		noOneAlone(rt, v)
	})
	if done.Load() < 100 || refused.Load() < 100 {
		t.Errorf("%d acts were done and %d refused: the test tries too little", done.Load(), refused.Load())
	}
}

func logged(l *registrytest.Log) func(context.Context, id.Act) (audit.ActEntry, error) {
	return func(_ context.Context, a id.Act) (audit.ActEntry, error) {
		for _, e := range l.Entries() {
			if e.Act == a {
				return e, nil
			}
		}
		return audit.ActEntry{}, fmt.Errorf("act %s is not in the log", a)
	}
}

// noOneAlone finds an approval by whoever asked; the first two people are the
// known exceptions.
func noOneAlone(t interface{ Errorf(string, ...any) }, v *snapshot.View) {
	check := func(r snapshot.Record, a snapshot.Approval) {
		if a.State == snapshot.Approved && (a.ApprovedBy == "" || a.ApprovedBy == a.RequestedBy) && !slices.Contains([]string{"ada", "grace"}, r.Key()) {
			t.Errorf("%s %s: asked by %q and approved by %q", r.Noun(), r.Key(), a.RequestedBy, a.ApprovedBy)
		}
	}
	for _, r := range v.Vendors.All() {
		check(r, r.Approval)
	}
	for _, r := range v.Agreements.All() {
		check(r, r.Approval)
	}
	for _, r := range v.Persons.All() {
		check(r, r.Approval)
	}
	for _, r := range v.Devices.All() {
		check(r, r.Approval)
	}
	for _, r := range v.Roles.All() {
		check(r, r.Approval)
	}
	for _, r := range v.Grants.All() {
		check(r, r.Approval)
	}
}

func TestAnAlteredRowIsFound(t *testing.T) {
	// What is altered in the present rows has no effect, and Verify finds it.
	harmless := []string{"the present row", "a row is gone"}
	for name, sql := range map[string]string{
		"the present row":      `UPDATE vendors SET body = REPLACE(body, 'suspended', 'approved')`,
		"a revision":           `UPDATE revisions SET body = REPLACE(body, 'suspended', 'approved')`,
		"an act":               `UPDATE acts SET actor = 'ada' WHERE kind = 'vendor.suspend'`,
		"both, and the digest": `UPDATE acts SET digest = '` + strings.Repeat("ab", 32) + `' WHERE kind = 'vendor.suspend'`,
		"a row is gone":        `DELETE FROM grants`,
		"an act is gone":       `DELETE FROM acts WHERE kind = 'document.put'`,
	} {
		t.Run(name, func(t *testing.T) {
			where := filepath.Join(t.TempDir(), "registry.db")
			log := &registrytest.Log{}
			o := options(t, openStore(t, where), log)
			r := open(t, o)
			if err := registrytest.Do(t.Context(), r, demo(t)); err != nil {
				t.Fatal(err)
			}
			must(t, r, "grace", registry.SuspendVendor{ID: "northwind"})
			if _, err := r.Verify(t.Context(), logged(log)); err != nil {
				t.Fatal(err)
			}
			tamper(t, where, sql)
			if _, err := r.Verify(t.Context(), logged(log)); err == nil {
				t.Error("the alteration was not found")
			}
			want := dump(t, r.View())
			again, err := registry.Open(t.Context(), o)
			if slices.Contains(harmless, name) {
				if err != nil || dump(t, again.View()) != want {
					t.Errorf("the alteration had an effect, or stopped the start: %v", err)
				}
			} else if err == nil {
				t.Error("the registry was opened on altered acts")
			}
		})
	}
}

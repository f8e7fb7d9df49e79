package policy_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sallyport/sallyport/gate"
	"github.com/sallyport/sallyport/gate/gatetest"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/snapshot"
)

// moments are times around the request at which dates of random worlds lie:
// in the same second, in the same millisecond, and further away.
var moments = []time.Duration{-400 * 24 * time.Hour, -24 * time.Hour, -time.Second, -time.Millisecond, 0, 300 * time.Microsecond,
	time.Millisecond, 500 * time.Millisecond, time.Second, 30 * time.Second, 24 * time.Hour}

// randomWorld takes a few things away from the world in which all is permitted.
func randomWorld(t *rapid.T) *snapshot.View {
	records := gatetest.Records(now)
	settings := gatetest.Settings()
	date := func() time.Time {
		if rapid.IntRange(0, 5).Draw(t, "zero date") == 0 {
			return time.Time{}
		}
		return now.Add(rapid.SampledFrom(moments).Draw(t, "date"))
	}
	approval := func(a *snapshot.Approval) {
		switch rapid.IntRange(0, 3).Draw(t, "approval") {
		case 0:
			a.State = rapid.SampledFrom([]snapshot.State{"", snapshot.Proposed, snapshot.Suspended, snapshot.Ended, "odd"}).Draw(t, "state")
		case 1:
			a.ApprovedAt = date()
		case 2:
			a.ApprovedBy = rapid.SampledFrom([]id.Person{"", gatetest.Requester, gatetest.Approver}).Draw(t, "approver")
		}
	}
	vendor := func() id.Vendor {
		return rapid.SampledFrom([]id.Vendor{"", gatetest.Vendor, gatetest.Subcontractor}).Draw(t, "vendor")
	}
	for range rapid.IntRange(0, 4).Draw(t, "changes") {
		i := rapid.IntRange(0, len(records)-1).Draw(t, "record")
		if rapid.IntRange(0, 15).Draw(t, "take away") == 0 {
			records = slices.Delete(records, i, i+1)
			continue
		}
		choose := rapid.IntRange(0, 4).Draw(t, "field")
		switch r := records[i].(type) {
		case *snapshot.Vendor:
			approval(&r.Approval)
		case *snapshot.Assessment:
			if choose == 0 {
				r.Verdict = rapid.SampledFrom([]snapshot.Verdict{"", snapshot.Conditional, snapshot.Fail, "odd"}).Draw(t, "verdict")
			} else if choose < 3 {
				r.ValidUntil = date()
			} else {
				r.DecidedAt = date()
			}
		case *snapshot.Certification:
			if choose < 3 {
				r.ExpiresAt = date()
			} else {
				r.VerifiedAt = date()
			}
		case *snapshot.Agreement:
			switch choose {
			case 0:
				approval(&r.Approval)
			case 1:
				r.EndsAt = date()
			case 2:
				r.SuspendedAt = date()
			case 3:
				r.EffectiveAt = date()
			case 4:
				r.Terms["safeguards"] = snapshot.Term{Value: json.RawMessage(rapid.SampledFrom([]string{"true", "false", "null", ""}).Draw(t, "term"))}
			}
		case *snapshot.Engagement:
			switch choose {
			case 0:
				approval(&r.Approval)
			case 1:
				r.EndsAt = date()
			case 2:
				r.DataClass = rapid.SampledFrom(append([]hipaa.DataClass{"", "odd"}, hipaa.DataClasses...)).Draw(t, "class")
			case 3:
				r.Category = rapid.SampledFrom(append([]hipaa.Category{"", "odd"}, hipaa.Categories...)).Draw(t, "category")
			case 4:
				r.Basis = rapid.SampledFrom(append([]hipaa.LegalBasis{"", "odd"}, hipaa.LegalBases...)).Draw(t, "basis")
				r.BasisExpires = date()
			}
		case *snapshot.Determination:
			switch choose {
			case 0:
				approval(&r.Approval)
			case 1:
				r.Profile256 = gatetest.Digest("another")
			case 2:
				r.DeterminedAt = date()
			default:
				r.ValidUntil = date()
			}
		case *snapshot.Person:
			approval(&r.Approval)
			r.Vendor = vendor()
		case *snapshot.Training:
			if choose < 3 {
				r.ExpiresAt = date()
			} else {
				r.RevokedAt = date()
			}
		case *snapshot.Device:
			approval(&r.Approval)
			r.TrustedUntil = date()
		case *snapshot.App:
			approval(&r.Approval)
			r.Vendor = vendor()
		case *snapshot.Role:
			approval(&r.Approval)
			r.Profile = rapid.SampledFrom([]string{"", "odd", "safe-harbor", "limited-data-set", "expert-determination", "minimum-necessary"}).Draw(t, "profile")
		case *snapshot.Grant:
			if choose == 0 {
				approval(&r.Approval)
			} else if choose < 3 {
				r.StartsAt = date()
			} else {
				r.EndsAt = date()
			}
		case *snapshot.Review:
			r.DueAt = date()
		}
	}
	if rapid.IntRange(0, 9).Draw(t, "hold") == 0 {
		records = append(records, &snapshot.Hold{ID: gatetest.Hold, On: snapshot.Subject{Noun: snapshot.NounGrant, ID: string(gatetest.Grant)},
			PlacedAt: now, LiftedBy: gatetest.Approver, LiftedAt: date()})
	}
	return gatetest.Publish(now.Add(-time.Second), settings, records...)
}

func randomRequest(t *rapid.T, v *snapshot.View) policy.Request {
	r := gatetest.Request(v, now.Add(rapid.SampledFrom(moments[2:]).Draw(t, "now")))
	switch rapid.IntRange(0, 9).Draw(t, "ask") {
	case 0:
		r.PageSize = rapid.IntRange(-1, 200).Draw(t, "page")
	case 1:
		r.Reads = []string{rapid.SampledFrom([]string{"Patient.name", "Patient.id", "Observation.valueQuantity", "x"}).Draw(t, "read")}
	case 2:
		r.Interaction = rapid.SampledFrom([]string{"", "read", "vread", "everything", "capabilities", "update"}).Draw(t, "interaction")
	case 3:
		r.Usage = policy.Usage{Known: rapid.Bool().Draw(t, "known"), Patients: rapid.IntRange(-1, 1001).Draw(t, "patients"),
			BytesToday: rapid.Int64Range(0, 1<<31).Draw(t, "bytes")}
	case 4:
		r.Transport.TLSVersion = rapid.SampledFrom([]string{"", "1.2", "1.3"}).Draw(t, "tls")
	case 5:
		r.Device = rapid.SampledFrom([]id.Device{"", "other"}).Draw(t, "device")
	case 6:
		r.Content.HeldPatient = true
	}
	return r
}

// The engine keeps facts and contexts between decisions. Whatever it keeps, it
// must answer as Cedar does on a set of its own with everything made anew, and
// as the rules read in plain Go.
func TestTheEngineAgreesWithCedarAndWithPlainGo(t *testing.T) {
	e := newEngine(t)
	texts := map[string]string{"base": policy.Base()}
	for _, g := range gate.All {
		texts[g.ID] = g.Policy
	}
	plain := policy.NewPlainCedar(texts)
	permitted, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		v := randomWorld(t)
		for range 20 { // several times on one view, forwards and backwards
			r := randomRequest(t, v)
			p, refusal := e.Decide(r)
			if (p == nil) == (refusal == nil) {
				t.Fatal("both or neither")
			}
			allowed, failing := plain.Decide(e, r, policy.AtRequest)
			if allowed != (p != nil) {
				t.Fatalf("engine permits: %v; Cedar alone: %v, refused by %v", p != nil, allowed, failing)
			}
			var got []string
			if refusal != nil {
				refused++
				got = refusal.Gates()
			} else {
				permitted++
			}
			slices.Sort(got)
			slices.Sort(failing)
			if !slices.Equal(got, failing) {
				t.Fatalf("refused by %v; Cedar alone: %v", got, failing)
			}
			if refusal != nil {
				for _, f := range refusal.Failures {
					if f.Code == policy.FactMissing || f.Code == policy.Unexplained {
						t.Fatalf("%s: %s on %v", f.Gate, f.Code, f.Facts)
					}
				}
			}
			for id, holds := range plainGo(r) {
				if holds == slices.Contains(got, id) {
					t.Fatalf("gate %s: plain Go says it holds: %v; the engine refuses for %v", id, holds, got)
				}
			}
			checkReasons(t, e, r)
		}
	})
	if permitted == 0 || refused == 0 {
		t.Errorf("%d permitted, %d refused: the worlds are not random enough", permitted, refused)
	}
}

// checkReasons: a gate gives reasons if and only if it refuses.
func checkReasons(t *rapid.T, e *policy.Engine, r policy.Request) {
	l := policy.Explain(e, r)
	if len(l.Rungs) != len(gate.All) {
		t.Fatalf("%d rungs, want %d", len(l.Rungs), len(gate.All))
	}
	for _, rung := range l.Rungs {
		if rung.Pass && len(rung.WouldFail(e, r)) > 0 {
			t.Fatalf("%s passes but gives reasons %v on %v", rung.Gate, rung.WouldFail(e, r), rung.Facts)
		}
	}
}

// plainGo reads some of the rules straight from the records.
func plainGo(r policy.Request) map[string]bool {
	v := r.View
	in := func(a snapshot.Approval) bool {
		return a.State == snapshot.Approved && a.RequestedBy != "" && a.ApprovedBy != "" && a.RequestedBy != a.ApprovedBy &&
			!a.ApprovedAt.IsZero() && !a.ApprovedAt.After(r.Now)
	}
	// Cedar's clock has milliseconds: starts are rounded up, ends down.
	begun := func(t time.Time) bool {
		return !t.IsZero() && !t.Add(time.Millisecond-time.Nanosecond).Truncate(time.Millisecond).After(r.Now)
	}
	ended := func(t time.Time) bool { return !r.Now.Before(t.Truncate(time.Millisecond)) }
	out := map[string]bool{}

	vendor, ok := v.Vendors.Get(r.Vendor)
	out["vendor"] = ok && in(vendor.Approval)

	g, ok := v.Grants.Get(r.Grant)
	known := ok
	if known {
		_, ok = v.Engagements.Get(g.Engagement)
	}
	out["grant"] = known && ok && in(g.Approval) && g.App == r.App && begun(g.StartsAt) && !ended(g.EndsAt)

	d, ok := v.Devices.Get(r.Device)
	out["device"] = ok && known && in(d.Approval) && d.Vendor == r.Vendor && d.Key256 != "" && !ended(d.TrustedUntil) &&
		slices.Contains(g.Devices, d.ID)

	a, ok := v.Apps.Get(r.App)
	out["app"] = ok && in(a.Approval) && a.Vendor == r.Vendor && len(a.Keys) > 0

	out["training"] = false
	if known {
		if _, ok := v.Persons.Get(g.Person); ok {
			for _, t := range v.TrainingsOf(g.Person) {
				if t.Passed && t.Course == v.Settings.Course && !t.CompletedAt.After(r.Now) && !ended(t.ExpiresAt) &&
					(t.RevokedAt.IsZero() || t.RevokedAt.After(r.Now)) {
					out["training"] = true
				}
			}
		}
	}

	out["assessment"] = false
	for _, x := range v.AssessmentsOf(r.Vendor) {
		if !x.DecidedAt.IsZero() && !x.DecidedAt.After(r.Now) {
			out["assessment"] = (x.Verdict == snapshot.Pass || x.Verdict == snapshot.Conditional) && !ended(x.ValidUntil)
		}
	}

	out["transport"] = r.Transport.TLSVersion == "1.3" && r.Transport.TokenBinding == "mtls" && r.Transport.CertificateSHA256 != ""

	out["volume"] = known && r.Usage.Known && r.Usage.Patients >= 0 && r.Usage.Patients <= g.MaxPatients && r.Usage.BytesToday < g.MaxDailyBytes

	out["fresh"] = r.Now.Sub(v.Confirmed()) < v.Settings.SnapshotFreshness && r.Now.After(v.Confirmed().Add(-3*time.Second))
	return out
}

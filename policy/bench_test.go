package policy_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/sallyport/sallyport/gate"
	"github.com/sallyport/sallyport/gate/gatetest"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/snapshot"
)

// crowd is the world among n records in all.
func crowd(n int) *snapshot.View {
	records := gatetest.Records(now)
	for i := 0; len(records) < n; i++ {
		p := id.Person(fmt.Sprintf("person-%d", i))
		d := id.Device(fmt.Sprintf("device-%d", i))
		records = append(records,
			&snapshot.Person{ID: p, Vendor: gatetest.Vendor, Approval: gatetest.Approved(now)},
			&snapshot.Training{ID: id.Training(fmt.Sprintf("training-%d", i)), Person: p, Course: gatetest.Course},
			&snapshot.Device{ID: d, Vendor: gatetest.Vendor, Owner: p, Key256: snapshot.KeyDigest(gatetest.Digest(string(d)))},
			&snapshot.Grant{ID: id.Grant(fmt.Sprintf("grant-%d", i)), Engagement: gatetest.Engagement, App: gatetest.App, Person: p},
		)
	}
	return gatetest.Publish(now, gatetest.Settings(), records...)
}

func newEngine(tb testing.TB) *policy.Engine {
	tb.Helper()
	e, err := policy.New(gate.All, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

// BenchmarkDecide measures a decision with all gates among 10,000 records and,
// in the same run, cedar-go alone on the same policies with the request at
// hand, interleaved so that both see the same machine. The ratio is the figure.
func BenchmarkDecide(b *testing.B) {
	e := newEngine(b)
	r := gatetest.Request(crowd(10_000), now)
	cedarAlone := e.CedarAlone(r, policy.AtRequest)
	if p, refusal := e.Decide(r); p == nil {
		b.Fatal(refusal.Problem(policy.Owner))
	}
	var ours, theirs time.Duration
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		n++
		const each = 16
		t0 := time.Now()
		for i := range each {
			r.Now = now.Add(time.Duration(n*each+i) % 1000 * time.Millisecond)
			r.Usage.Patients = i
			if p, _ := e.Decide(r); p == nil {
				b.Fatal("refused")
			}
		}
		t1 := time.Now()
		for range each {
			if !cedarAlone() {
				b.Fatal("refused")
			}
		}
		ours += t1.Sub(t0)
		theirs += time.Since(t1)
	}
	each := float64(n * 16)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(ours.Nanoseconds())/each, "ns/decision")
	b.ReportMetric(float64(theirs.Nanoseconds())/each, "ns/cedar")
	b.ReportMetric(float64(ours)/float64(theirs), "ratio")
}

func BenchmarkDecideAlone(b *testing.B) {
	e := newEngine(b)
	r := gatetest.Request(crowd(10_000), now)
	b.ReportAllocs()
	for b.Loop() {
		if p, _ := e.Decide(r); p == nil {
			b.Fatal("refused")
		}
	}
}

func BenchmarkCedarAlone(b *testing.B) {
	e := newEngine(b)
	f := e.CedarAlone(gatetest.Request(crowd(10_000), now), policy.AtRequest)
	b.ReportAllocs()
	for b.Loop() {
		if !f() {
			b.Fatal("refused")
		}
	}
}

// BenchmarkDecideNewView is a decision right after a publication: every fact of
// the registry is found anew.
func BenchmarkDecideNewView(b *testing.B) {
	e := newEngine(b)
	v := crowd(10_000)
	b.ReportAllocs()
	for b.Loop() {
		v = v.Confirm(now)
		if p, _ := e.Decide(gatetest.Request(v, now)); p == nil {
			b.Fatal("refused")
		}
	}
}

// BenchmarkMapLookups finds the caller's records and nothing else: the floor.
func BenchmarkMapLookups(b *testing.B) {
	v := crowd(10_000)
	r := gatetest.Request(v, now)
	b.ReportAllocs()
	for b.Loop() {
		g, ok1 := v.Grants.Get(r.Grant)
		_, ok2 := v.Vendors.Get(r.Vendor)
		_, ok3 := v.Apps.Get(r.App)
		_, ok4 := v.Devices.Get(r.Device)
		_, ok5 := v.Engagements.Get(g.Engagement)
		_, ok6 := v.Persons.Get(g.Person)
		_, ok7 := v.Roles.Get(g.Role)
		if !(ok1 && ok2 && ok3 && ok4 && ok5 && ok6 && ok7) {
			b.Fatal("not found")
		}
	}
}

func BenchmarkStill(b *testing.B) {
	e := newEngine(b)
	v := gatetest.View(now)
	p, _ := e.Decide(gatetest.Request(v, now))
	b.ReportAllocs()
	for b.Loop() {
		if p.Still(v, now) != nil {
			b.Fatal("refused")
		}
	}
}

func BenchmarkAdmit(b *testing.B) {
	e := newEngine(b)
	v := gatetest.View(now)
	p, _ := e.Decide(gatetest.Request(v, now))
	usage, content := policy.Usage{Known: true}, gatetest.Content()
	b.ReportAllocs()
	for b.Loop() {
		if a, _ := p.Admit(v, now, usage, content); !a.Admitted() {
			b.Fatal("refused")
		}
	}
}

// BenchmarkDecideNewViewJudged is the same where the vendor was judged on its answers,
// others work for the organisation too, and incidents have been: what the gate
// "assessment" reads beyond the vendor's own records.
func BenchmarkDecideNewViewJudged(b *testing.B) {
	e := newEngine(b)
	records := gatetest.Records(now)
	for _, r := range records {
		if a, ok := r.(*snapshot.Assessment); ok {
			a.Basis = &snapshot.AssessmentBasis{Questionnaire: "q", Risk: "unknown", Subcontractors: []id.Vendor{gatetest.Subcontractor}}
		}
	}
	records = append(records, &snapshot.Questionnaire{ID: "q", Vendor: gatetest.Vendor, Stage: snapshot.QuestionsClosed})
	for i := range 2_000 {
		records = append(records, &snapshot.Engagement{ID: id.Engagement(fmt.Sprintf("other-%d", i)), Vendor: "other"})
	}
	for i := range 200 {
		records = append(records, &snapshot.Incident{ID: id.Incident(fmt.Sprintf("incident-%d", i)), Vendor: "other"})
	}
	v := gatetest.Publish(now, gatetest.Settings(), records...)
	b.ReportAllocs()
	for b.Loop() {
		v = v.Confirm(now)
		if p, refusal := e.Decide(gatetest.Request(v, now)); p == nil {
			b.Fatal(refusal.Problem(policy.Owner))
		}
	}
}

package reminder_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/gate"
	"github.com/sallyport/sallyport/gate/gatetest"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/reminder"
	"github.com/sallyport/sallyport/snapshot"
)

var now = time.Date(2028, 1, 31, 12, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

func engine(t *testing.T) *policy.Engine {
	t.Helper()
	e, err := policy.New(gate.All, nil)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// lapsing is the world in which only one training ends soon.
func lapsing(at time.Time, more ...snapshot.Record) *snapshot.View {
	records := gatetest.Records(now)
	for _, r := range records {
		if x, ok := r.(*snapshot.Training); ok {
			x.ExpiresAt = at
		}
	}
	return gatetest.Publish(now, gatetest.Settings(), append(records, more...)...)
}

func steps(ns []reminder.Notice) string {
	var out []string
	for _, n := range ns {
		out = append(out, n.Step)
	}
	return strings.Join(out, " ")
}

// TestOneNoticeOfEachDate: whenever it is asked, of a date only the newest step is due,
// and its key is the same all the while.
func TestOneNoticeOfEachDate(t *testing.T) {
	e, ends := engine(t), now.Add(60*day)
	v := lapsing(ends)
	keys := map[string]string{}
	for _, tt := range []struct {
		before time.Duration
		want   string
	}{
		{31 * day, ""}, {30*day + time.Second, ""}, {30 * day, "30d"}, {8 * day, "30d"}, {7 * day, "7d"}, {25 * time.Hour, "7d"},
		{day, "1d"}, {time.Microsecond, "1d"}, {0, "lapsed"}, {-day, "lapsed"}, {-90 * day, "lapsed"},
	} {
		due := reminder.Due(e, v, ends.Add(-tt.before))
		var training []reminder.Notice
		for _, n := range due {
			if strings.Contains(n.Key, "/training/") {
				training = append(training, n)
			}
		}
		if got := steps(training); got != tt.want {
			t.Errorf("%s before its end: got %q, want %q", tt.before, got, tt.want)
			continue
		}
		for _, n := range training {
			if old, ok := keys[n.Step]; ok && old != n.Key {
				t.Errorf("the step %s has two keys: %s and %s", n.Step, old, n.Key)
			}
			keys[n.Step] = n.Key
			if n.Urgent != (n.Step == reminder.Lapsed) || !reminder.FromDate(n.Key) || !n.ForVendor || n.Vendor != gatetest.Vendor || n.Class != reminder.Lapses {
				t.Errorf("the notice is %+v", n)
			}
		}
	}
	if len(keys) != 4 {
		t.Errorf("the steps are %v, want four", keys)
	}
}

// TestWhatIsMendedIsNotDue: a renewal ends the reason, and a renewed date is another.
func TestWhatIsMendedIsNotDue(t *testing.T) {
	e, ends := engine(t), now.Add(-3*day)
	v := lapsing(ends)
	if got := reminder.Due(e, v, now); steps(got) != "lapsed" {
		t.Fatalf("got %v, want a lapse", got)
	}
	again := &snapshot.Training{ID: "again", Person: gatetest.Person, Course: gatetest.Course, Version: "2026.2", Passed: true, CompletedAt: now.Add(-day), ExpiresAt: now.Add(29 * day)}
	got := reminder.Due(e, lapsing(ends, again), now)
	if steps(got) != "30d" || !strings.Contains(got[0].Key, "2028-02-29") {
		t.Errorf("after the renewal: got %+v, want its own date's first step", got)
	}
}

// TestACertificateThatEnds: the vendor is told on which page it sends the next one.
func TestACertificateThatEnds(t *testing.T) {
	records := gatetest.Records(now)
	for _, r := range records {
		if c, ok := r.(*snapshot.Certification); ok {
			c.ExpiresAt = now.Add(6 * day)
		}
	}
	got := reminder.Due(engine(t), gatetest.Publish(now, gatetest.Settings(), records...), now)
	if len(got) != 1 || got[0].Step != "7d" || !got[0].ForVendor || got[0].Subject.ID != string(gatetest.Certification) || got[0].Page != "/console/my/certificates" || !strings.Contains(got[0].Text, "Send the renewed report or certificate") {
		t.Errorf("got %+v", got)
	}
	v := gatetest.Publish(now, gatetest.Settings(), records...)
	for kind, vendor := range map[string]bool{"certification.record": false, "certification.verify": true, "certification.revoke": true} {
		n, ok := reminder.OfAct(v, reminder.Act{ID: "01A", Kind: kind, Subject: snapshot.Subject{Noun: snapshot.NounCertification, ID: string(gatetest.Certification)}, Actor: "grace", At: now})
		if !ok || n.ForVendor != vendor || n.Page == "" {
			t.Errorf("%s: got %+v", kind, n)
		}
	}
}

// TestActsThatAreTold: every kind of the list is an act, now or of a chapter to come, is told
// without a word that a person typed, and names its subject.
func TestActsThatAreTold(t *testing.T) {
	v := lapsing(now.Add(60 * day))
	known := 0
	for _, kind := range reminder.ToldKinds() {
		if _, ok := registry.Lookup(registry.Kind(kind)); ok {
			known++
		}
		n, ok := reminder.OfAct(v, reminder.Act{ID: "01A", Kind: kind, Subject: snapshot.Subject{Noun: snapshot.NounGrant, ID: string(gatetest.Grant)}, Actor: "grace", RequestedBy: "ada", At: now})
		if !ok || n.Key != "act/01A" || n.Vendor != gatetest.Vendor || !strings.Contains(n.Title, string(gatetest.Grant)) || strings.Contains(n.Text, "grace") || !strings.Contains(n.By, "grace, asked for by ada") {
			t.Errorf("%s: %v %+v", kind, ok, n)
		}
	}
	if known < 15 {
		t.Errorf("only %d of the told kinds are acts: were they renamed?", known)
	}
	if _, ok := reminder.OfAct(v, reminder.Act{ID: "01A", Kind: "session.see"}); ok {
		t.Error("a session in use is told")
	}
}

// TestChores: the clock's acts are due at their time and not before, each under one key.
func TestChores(t *testing.T) {
	at := now.Add(day)
	v := lapsing(now.Add(60*day), &snapshot.Request{ID: "r1", Stage: snapshot.RequestOpen, ExpiresAt: at}, &snapshot.Request{ID: "r2", Stage: snapshot.RequestApproved, ExpiresAt: at},
		&snapshot.Link{ID: "l1", ExpiresAt: at}, &snapshot.Link{ID: "l2", ExpiresAt: at, RevokedAt: now}, &snapshot.Campaign{ID: "c1", DueAt: at},
		&snapshot.Review{ID: "v1", Grant: gatetest.Grant, DueAt: at}, &snapshot.Review{ID: "v2", Grant: "gone", DueAt: at})
	if got := reminder.Chores(v, at.Add(-1)); len(got) != 0 {
		t.Errorf("before their time: %v", got)
	}
	var got []string
	for _, c := range reminder.Chores(v, at.Add(time.Hour)) {
		got = append(got, c.Key)
	}
	want := "clock/request.lapse/r1/2028-02-01T12:00:00Z clock/review.lapse/v1/2028-02-01T12:00:00Z clock/campaign.close/c1/2028-02-01T12:00:00Z clock/link.revoke/l1/2028-02-01T12:00:00Z"
	if strings.Join(got, " ") != want {
		t.Errorf("got %v", got)
	}
	// A late review opens a grant again as long as the policy says, and campaigns begin by its schedule.
	s := v.Settings
	s.Access = snapshot.AccessRule{ReviewGrace: 2 * time.Hour, CampaignEvery: 90 * day, CampaignRuns: 14 * day}
	got = nil
	for _, c := range reminder.Chores(v.WithSettings(s), at.Add(time.Hour)) {
		got = append(got, c.Kind+" "+c.ID)
	}
	if strings.Join(got, ", ") != "request.lapse r1, campaign.close c1, campaign.begin reviews-2028-02-01, link.revoke l1" {
		t.Errorf("under the policy: got %v", got)
	}
}

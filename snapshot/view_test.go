package snapshot

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/id"
)

var now = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

func TestAViewNeverChanges(t *testing.T) {
	e := new(View).Edit()
	e.Put(&Vendor{ID: "northwind", Name: "before"})
	e.Put(&Device{ID: "gpu", Key256: "k1"})
	before := e.Publish(1, 10, now)

	e = before.Edit()
	e.Put(&Vendor{ID: "northwind", Name: "after"})
	e.Put(&Vendor{ID: "southwind"})
	e.Put(&Device{ID: "gpu", Key256: "k2"})
	after := e.Publish(2, 11, now.Add(time.Second))

	if v, _ := before.Vendors.Get("northwind"); v.Name != "before" || before.Vendors.Len() != 1 {
		t.Errorf("the old view changed: %+v, %d vendors", v, before.Vendors.Len())
	}
	if _, ok := before.DeviceByKey("k1"); !ok {
		t.Error("the old view lost its index")
	}
	if _, ok := after.DeviceByKey("k1"); ok {
		t.Error("the new view finds a device by a key that it no longer has")
	}
	if d, ok := after.DeviceByKey("k2"); !ok || d.ID != "gpu" {
		t.Errorf("by the new key: got %v, %v", d, ok)
	}
	if after.Version() != 2 || after.LogIndex() != 11 || !after.Confirmed().Equal(now.Add(time.Second)) {
		t.Errorf("got version %d, index %d, confirmed %v", after.Version(), after.LogIndex(), after.Confirmed())
	}
	if c := after.Confirm(now.Add(time.Hour)); !after.Confirmed().Equal(now.Add(time.Second)) || !c.Confirmed().Equal(now.Add(time.Hour)) {
		t.Error("Confirm changed the view it was called on")
	}
}

func TestChangedListsEachRecordOnce(t *testing.T) {
	e := new(View).Edit()
	e.Put(&Hold{ID: "h", Cause: HoldIncident})
	e.Put(&Vendor{ID: "h"}) // the same key, another noun
	e.Put(&Hold{ID: "h", Cause: HoldLegal})
	got := e.Changed()
	if len(got) != 2 {
		t.Fatalf("got %d records, want 2", len(got))
	}
	if h, ok := got[0].(*Hold); !ok || h.Cause != HoldLegal {
		t.Errorf("got %+v first, want the hold as last put", got[0])
	}
}

func TestIndexes(t *testing.T) {
	e := new(View).Edit()
	e.Put(&Assessment{ID: "b", Vendor: "v", DecidedAt: now.Add(time.Hour)})
	e.Put(&Assessment{ID: "c", Vendor: "v", DecidedAt: now})
	e.Put(&Determination{ID: "d2", Engagement: "w", DeterminedAt: now.Add(time.Hour)})
	e.Put(&Determination{ID: "d1", Engagement: "w", DeterminedAt: now})
	e.Put(&Training{ID: "t2", Person: "p", CompletedAt: now.Add(time.Hour)})
	e.Put(&Training{ID: "t1", Person: "p", CompletedAt: now})
	e.Put(&Review{ID: "r2", Grant: "g", DueAt: now.Add(time.Hour)})
	e.Put(&Review{ID: "r1", Grant: "g", DueAt: now})
	e.Put(&Hold{ID: "h", On: Subject{NounVendor, "v"}})
	e.Put(&Grant{ID: "g", App: "a"})
	e.Put(&Certification{ID: "soc", Vendor: "v"})
	e.Put(&Agreement{ID: "baa", Vendor: "v"})
	e.Put(&Person{ID: "ada", Key256: "k"})
	e.Put(&Person{ID: "nokey"})
	v := e.Publish(1, 1, now)
	for what, got := range map[string][]string{
		"assessments, oldest first": {string(v.AssessmentsOf("v")[0].ID), string(v.AssessmentsOf("v")[1].ID), "c", "b"},
		"determinations, oldest":    {string(v.DeterminationsOf("w")[0].ID), string(v.DeterminationsOf("w")[1].ID), "d1", "d2"},
		"trainings, oldest first":   {string(v.TrainingsOf("p")[0].ID), string(v.TrainingsOf("p")[1].ID), "t1", "t2"},
		"reviews, earliest first":   {string(v.ReviewsOf("g")[0].ID), string(v.ReviewsOf("g")[1].ID), "r1", "r2"},
	} {
		if !reflect.DeepEqual(got[:2], got[2:]) {
			t.Errorf("%s: got %v, want %v", what, got[:2], got[2:])
		}
	}
	if len(v.HoldsOn(Subject{NounVendor, "v"})) != 1 || len(v.HoldsOn(Subject{NounApp, "v"})) != 0 {
		t.Error("holds are not found by their subject")
	}
	if len(v.GrantsOfApp("a")) != 1 || len(v.CertificationsOf("v")) != 1 || len(v.AgreementsOf("v")) != 1 {
		t.Error("a record is not found by what it belongs to")
	}
	if _, ok := v.PersonByKey(""); ok {
		t.Error("a person without a key is found by none")
	}
}

// Every noun can be put, found and listed: a new one that is forgotten
// somewhere fails here.
func TestEveryNoun(t *testing.T) {
	records := []Record{&Vendor{ID: "x"}, &Assessment{ID: "x"}, &Certification{ID: "x"}, &Agreement{ID: "x"}, &Engagement{ID: "x"}, &Determination{ID: "x"}, &Person{ID: "x"},
		&Training{ID: "x"}, &Device{ID: "x"}, &App{ID: "x"}, &Role{ID: "x"}, &Grant{ID: "x"}, &Review{ID: "x"}, &Hold{ID: "x"}, &Connector{ID: "x"},
		&Session{ID: "x"}, &Posture{Device: "x"}, &Attestation{ID: "x"}, &Key{Engagement: "x"},
		&Questionnaire{ID: "x"}, &Link{ID: "x"}, &Finding{ID: "x"}, &Course{ID: "x"}, &Attempt{ID: "x"}, &Request{ID: "x"}, &Campaign{ID: "x"}, &Emergency{ID: "x"}, &Incident{ID: "x"}, &Offboarding{ID: "x"}}
	if got, want := len(records), len(Nouns); got != want {
		t.Fatalf("%d records for %d nouns", got, want)
	}
	e := new(View).Edit()
	for i, r := range records {
		if r.Noun() != Nouns[i] || r.Key() != "x" {
			t.Errorf("%T: got %s %s, want %s x", r, r.Noun(), r.Key(), Nouns[i])
		}
		e.Put(r)
	}
	v := reflect.ValueOf(*e.Publish(1, 1, now))
	tables := 0
	for i := range v.NumField() {
		if length := v.Field(i).MethodByName("Len"); length.IsValid() && v.Type().Field(i).IsExported() {
			tables++
			if got := length.Call(nil)[0].Int(); got != 1 {
				t.Errorf("%s holds %d records, want 1", v.Type().Field(i).Name, got)
			}
		}
	}
	if tables != len(Nouns) {
		t.Errorf("%d tables for %d nouns", tables, len(Nouns))
	}
}

func TestAllIsInOrder(t *testing.T) {
	e := new(View).Edit()
	for _, k := range []id.Vendor{"c", "a", "b"} {
		e.Put(&Vendor{ID: k})
	}
	var got []id.Vendor
	for k := range e.Publish(1, 1, now).Vendors.All() {
		got = append(got, k)
	}
	if want := []id.Vendor{"a", "b", "c"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestNoProfileHasAnEmptyName(t *testing.T) {
	s := Settings{Profiles: []Profile{{}, {Name: "strict", Basis: BasisSafeHarbor}}}
	if p, ok := s.ProfileNamed("strict"); !ok || p.Basis != BasisSafeHarbor {
		t.Errorf("got %+v, %v", p, ok)
	}
	for _, name := range []string{"", "Strict", "other"} {
		if p, ok := s.ProfileNamed(name); ok {
			t.Errorf("%q: got %+v, want none", name, p)
		}
	}
}

// TestRecordsStayInOrder: whatever was put before or after somebody asked, in the edit
// or in the views around it, a table lists all of its own records in order.
func TestRecordsStayInOrder(t *testing.T) {
	list := func(v *View) string {
		var out []string
		for k, p := range v.Vendors.All() {
			out = append(out, string(k)+p.Name)
		}
		return strings.Join(out, " ")
	}
	if got := list(&View{}); got != "" {
		t.Errorf("the empty view lists %q", got)
	}
	e := (&View{}).Edit()
	e.Put(&Vendor{ID: "m"})
	e.Put(&Vendor{ID: "c"})
	one := e.Publish(1, 1, time.Time{})
	e = one.Edit()
	e.Put(&Vendor{ID: "m", Name: "2"}) // changed only
	if got := list(e.View()); got != "c m2" {
		t.Errorf("in the edit: %q", got)
	}
	e.Put(&Vendor{ID: "a"})
	e.Put(&Vendor{ID: "z"})
	if got := list(e.View()); got != "a c m2 z" {
		t.Errorf("in the edit, after more: %q", got)
	}
	e.Put(&Vendor{ID: "d"})
	two := e.Publish(2, 2, time.Time{})
	if got := list(two); got != "a c d m2 z" {
		t.Errorf("the second view: %q", got)
	}
	if got := list(one); got != "c m" {
		t.Errorf("the first view: %q", got)
	}
	if got := len(e.Changed()); got != 4 {
		t.Errorf("%d records changed, want each once", got)
	}
}

package snapshot

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/sallyport/sallyport/id"
)

// plain is the registry as maps that are walked.
type plain struct {
	devices  map[id.Device]*Device
	persons  map[id.Person]*Person
	apps     map[id.App]*App
	grants   map[id.Grant]*Grant
	sessions map[id.Session]*Session
	reviews  map[id.Review]*Review
}

func (p plain) clone() plain {
	return plain{maps.Clone(p.devices), maps.Clone(p.persons), maps.Clone(p.apps), maps.Clone(p.grants), maps.Clone(p.sessions), maps.Clone(p.reviews)}
}

// put is one random record, most often one that is there already.
func (p plain) put(r *rand.Rand, many int) Record {
	few := func(n int) int { return r.IntN(n) }
	person := func() id.Person { return id.Person(fmt.Sprint("p", few(9))) }
	state := []State{Proposed, Approved, Ended}[few(3)]
	digest := []KeyDigest{"", "k1", "k2", "k3"}[few(4)]
	vendor := id.Vendor([]string{"", "v1", "v2"}[few(3)])
	at := now.Add(time.Duration(few(5)) * time.Hour)
	switch few(6) {
	case 0:
		x := &Device{ID: id.Device(fmt.Sprint("d", few(many))), Vendor: vendor, Owner: []id.Person{"", person()}[few(2)], Key256: digest, SPIFFE: []string{"", "s1", "s2"}[few(3)], Approval: Approval{State: state}}
		p.devices[x.ID] = x
		return x
	case 1:
		x := &Person{ID: id.Person(fmt.Sprint("p", few(many))), Vendor: vendor, Key256: digest, Login: []Login{{}, {Connector: "c", Subject: "s"}, {Connector: "c", Subject: "t"}}[few(3)], Approval: Approval{State: state}}
		for range few(3) {
			x.Passkeys = append(x.Passkeys, Passkey{ID: []byte{byte('a' + few(4))}})
		}
		x.Directory.Connector = []id.Connector{"", "scim"}[few(2)]
		p.persons[x.ID] = x
		return x
	case 2:
		x := &App{ID: id.App(fmt.Sprint("a", few(many))), Vendor: vendor, Owner: person()}
		p.apps[x.ID] = x
		return x
	case 3:
		x := &Grant{ID: id.Grant(fmt.Sprint("g", few(many))), App: id.App(fmt.Sprint("a", few(9))), Person: person(), Engagement: id.Engagement(fmt.Sprint("e", few(3)))}
		for range few(4) { // the same one twice, too
			x.Devices = append(x.Devices, id.Device(fmt.Sprint("d", few(4))))
		}
		p.grants[x.ID] = x
		return x
	case 4:
		x := &Session{ID: id.Session(fmt.Sprint("s", few(many))), Person: person(), StartedAt: at, Secret256: fmt.Sprint("secret", few(many))}
		if few(2) == 0 {
			x.EndedAt = at.Add(time.Hour)
		}
		p.sessions[x.ID] = x
		return x
	default:
		x := &Review{ID: id.Review(fmt.Sprint("r", few(many))), Grant: id.Grant(fmt.Sprint("g", few(9))), DueAt: at}
		p.reviews[x.ID] = x
		return x
	}
}

// walked are the records that are found by something, by a walk through all of them.
func walked[K ~string, S comparable, V any](all map[K]*V, order func(a, b *V) int, of func(*V) []S) map[S][]*V {
	out := map[S][]*V{}
	for _, k := range slices.Sorted(maps.Keys(all)) {
		var none S
		seen := map[S]bool{none: reflect.TypeFor[S]() != reflect.TypeFor[id.Vendor]()} // our own are of no vendor
		for _, s := range of(all[k]) {
			if !seen[s] {
				seen[s] = true
				out[s] = append(out[s], all[k])
			}
		}
	}
	for _, g := range out {
		if order != nil {
			slices.SortStableFunc(g, order)
		}
	}
	return out
}

func sameGroups[S comparable, V any](t *testing.T, what string, want map[S][]*V, got func(S) []*V, never ...S) {
	t.Helper()
	for s, w := range want {
		if g := got(s); !slices.Equal(g, w) {
			t.Errorf("%s of %v: got %d records, want %d, or in another order", what, s, len(g), len(w))
		}
	}
	for _, s := range never {
		if g := got(s); len(g) > 0 && want[s] == nil {
			t.Errorf("%s of %v: got %d records, want none", what, s, len(g))
		}
	}
}

func sameTable[K ~string, V any](t *testing.T, what string, table Table[K, V], want map[K]*V, r *rand.Rand) {
	t.Helper()
	if table.Len() != len(want) {
		t.Errorf("%s: got %d records, want %d", what, table.Len(), len(want))
	}
	keys := slices.Sorted(maps.Keys(want))
	var got []K
	for k, v := range table.All() {
		got = append(got, k)
		if one, ok := table.Get(k); !ok || v != want[k] || one != v {
			t.Errorf("%s: %s is not what was put last", what, k)
		}
	}
	if !slices.Equal(got, keys) {
		t.Errorf("%s: got %d keys, want the %d in their order", what, len(got), len(keys))
	}
	for _, after := range append([]K{"", "~", "d5!"}, keys[:min(len(keys), 3)]...) {
		i, ok := slices.BinarySearch(keys, after)
		if ok {
			i++
		}
		for k := range table.After(after) {
			if i >= len(keys) || k != keys[i] {
				t.Errorf("%s after %q: got %s", what, after, k)
				break
			}
			if i++; r.IntN(10) == 0 {
				break
			}
		}
	}
	if _, ok := table.Get("nobody"); ok {
		t.Errorf("%s: found what was never put", what)
	}
}

func (p plain) compare(t *testing.T, v *View, r *rand.Rand) {
	t.Helper()
	sameTable(t, "devices", v.Devices, p.devices, r)
	sameTable(t, "persons", v.Persons, p.persons, r)
	sameTable(t, "apps", v.Apps, p.apps, r)
	sameTable(t, "grants", v.Grants, p.grants, r)
	sameTable(t, "sessions", v.Sessions, p.sessions, r)
	sameTable(t, "reviews", v.Reviews, p.reviews, r)
	sameGroups(t, "devices", walked(p.devices, nil, func(d *Device) []id.Vendor { return []id.Vendor{d.Vendor} }), v.DevicesOf, "", "v1", "v2")
	sameGroups(t, "devices owned", walked(p.devices, nil, func(d *Device) []id.Person { return []id.Person{d.Owner} }), v.DevicesOwnedBy, "", "p1")
	sameGroups(t, "apps", walked(p.apps, nil, func(a *App) []id.Vendor { return []id.Vendor{a.Vendor} }), v.AppsOf, "", "v1")
	sameGroups(t, "apps owned", walked(p.apps, nil, func(a *App) []id.Person { return []id.Person{a.Owner} }), v.AppsOwnedBy, "", "p1")
	sameGroups(t, "persons", walked(p.persons, nil, func(x *Person) []id.Vendor { return []id.Vendor{x.Vendor} }), v.PersonsOf, "", "v1")
	sameGroups(t, "people of a directory", walked(p.persons, nil, func(x *Person) []id.Connector { return []id.Connector{x.Directory.Connector} }), v.PersonsOfDirectory, "", "scim")
	sameGroups(t, "grants of an app", walked(p.grants, nil, func(g *Grant) []id.App { return []id.App{g.App} }), v.GrantsOfApp, "", "a1")
	sameGroups(t, "grants of a person", walked(p.grants, nil, func(g *Grant) []id.Person { return []id.Person{g.Person} }), v.GrantsOfPerson, "", "p1")
	sameGroups(t, "grants", walked(p.grants, nil, func(g *Grant) []id.Engagement { return []id.Engagement{g.Engagement} }), v.GrantsOf, "", "e1")
	sameGroups(t, "grants of a device", walked(p.grants, nil, func(g *Grant) []id.Device { return g.Devices }), v.GrantsOfDevice, "", "d1", "d2", "d3")
	sameGroups(t, "sessions", walked(p.sessions, func(a, b *Session) int { return a.StartedAt.Compare(b.StartedAt) },
		func(s *Session) []id.Person { return []id.Person{s.Person} }), v.SessionsOf, "", "p1")
	sameGroups(t, "reviews", walked(p.reviews, func(a, b *Review) int { return cmp.Or(a.DueAt.Compare(b.DueAt), cmp.Compare(a.ID, b.ID)) },
		func(x *Review) []id.Grant { return []id.Grant{x.Grant} }), v.ReviewsOf, "", "g1")

	sameOne(t, "device by key", walked(p.devices, nil, func(d *Device) []KeyDigest {
		if d.SPIFFE != "" {
			return nil
		}
		return []KeyDigest{d.Key256}
	}), nil, v.DeviceByKey, "", "k1", "k2", "k3")
	sameOne(t, "device by SPIFFE", walked(p.devices, nil, func(d *Device) []string {
		if d.Key256 != "" {
			return nil
		}
		return []string{d.SPIFFE}
	}), func(d *Device) bool { return d.State == Ended }, v.DeviceBySPIFFE, "", "s1", "s2")
	sameOne(t, "person by key", walked(p.persons, nil, func(x *Person) []KeyDigest { return []KeyDigest{x.Key256} }), nil, v.PersonByKey, "", "k1", "k2", "k3")
	sameOne(t, "person by login", walked(p.persons, nil, func(x *Person) []Login { return []Login{x.Login} }), func(x *Person) bool { return x.State == Ended },
		v.PersonByLogin, Login{}, Login{Connector: "c", Subject: "s"})
	sameOne(t, "person by passkey", walked(p.persons, nil, func(x *Person) (out []string) {
		for _, k := range x.Passkeys {
			out = append(out, string(k.ID))
		}
		return out
	}), nil, func(s string) (*Person, bool) { return v.PersonByPasskey([]byte(s)) }, "a", "b", "c", "d", "e")
	for s, g := range walked(p.sessions, nil, func(s *Session) []string { return []string{s.Secret256} }) {
		live := slices.ContainsFunc(g, func(s *Session) bool { return s.EndedAt.IsZero() })
		got, ok := v.SessionBySecret(s)
		if ok != live || ok && !got.EndedAt.IsZero() {
			t.Errorf("session by secret %s: got %v, want %v", s, ok, live)
		}
	}
}

// sameOne compares what finds one of several: the first that is not over, else the last;
// where nothing is ever over, the last.
func sameOne[S comparable, V any](t *testing.T, what string, want map[S][]*V, over func(*V) bool, got func(S) (*V, bool), keys ...S) {
	t.Helper()
	for _, s := range keys {
		var w *V
		for _, v := range want[s] {
			if w == nil || over == nil || over(w) {
				w = v
			}
		}
		if g, ok := got(s); g != w || ok != (w != nil) {
			t.Errorf("%s %v: got %v, want %v", what, s, g, w)
		}
	}
}

// Whatever is put, in edits small and large, tables and lookups have what a walk finds;
// and the views of before stay as they were.
func TestIndexesAreWhatAWalkFinds(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	many := 3 * runMost
	now := plain{map[id.Device]*Device{}, map[id.Person]*Person{}, map[id.App]*App{}, map[id.Grant]*Grant{}, map[id.Session]*Session{}, map[id.Review]*Review{}}
	v := new(View)
	type moment struct {
		v *View
		p plain
	}
	past := []moment{{v, now.clone()}}
	for i := range 36 {
		e := v.Edit()
		size := 1 + r.IntN(4)
		if i%12 == 0 {
			size = 2500
		}
		for range size {
			e.Put(now.put(r, many))
		}
		v = e.Publish(uint64(i), uint64(i), time.Time{})
		e.Put(now.clone().put(r, many)) // into an edit that has ended: nothing of it may be seen
		now.compare(t, v, r)
		if i%7 == 0 {
			past = append(past, moment{v, now.clone()})
		}
	}
	for _, m := range past {
		m.p.compare(t, m.v, r)
	}
}

// Acts put records while they walk through the same table.
func TestAWalkSeesTheTableAsItBegan(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	e := new(View).Edit()
	for range 1000 {
		e.Put(&Hold{ID: id.Hold(fmt.Sprint(r.IntN(5000)))})
	}
	for range 8 {
		want := map[id.Hold]*Hold{}
		for k, h := range e.View().Holds.All() {
			want[k] = h
		}
		seen := 0
		for k, h := range e.View().Holds.All() {
			if want[k] != h {
				t.Fatalf("%s was put after the walk began", k)
			}
			seen++
			e.Put(&Hold{ID: k, Cause: HoldLegal})
			if r.IntN(5) == 0 {
				e.Put(&Hold{ID: k + "x"})
				e.Put(&Hold{ID: id.Hold(fmt.Sprint(r.IntN(5000)))})
			}
		}
		if seen != len(want) {
			t.Fatalf("saw %d records, want %d", seen, len(want))
		}
		if r.IntN(3) == 0 {
			e = e.Publish(1, 1, now).Edit()
		}
	}
}

// BenchmarkPublish is what one act costs the registry's view where there is much.
func BenchmarkPublish(b *testing.B) {
	for _, n := range []int{1000, 50_000} {
		e := new(View).Edit()
		for i := range n {
			e.Put(&Session{ID: id.Session(fmt.Sprint("s", i)), Person: id.Person(fmt.Sprint("p", i)), Secret256: fmt.Sprint("x", i)})
		}
		v := e.Publish(1, 1, now)
		b.Run(fmt.Sprint("sessions=", n), func(b *testing.B) {
			b.ReportAllocs()
			for i := range b.N {
				e := v.Edit()
				e.Put(&Session{ID: id.Session(fmt.Sprint("s", i%n)), Person: id.Person(fmt.Sprint("p", i%n)), Secret256: fmt.Sprint("x", i%n), SeenAt: now})
				v = e.Publish(2, 2, now)
			}
		})
	}
}

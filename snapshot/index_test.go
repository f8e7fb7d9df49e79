package snapshot

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/id"
)

// plain is the registry in the simplest way: maps, and lookups that are made by a walk
// through all of them. What it finds is right; tables and indexes are compared with it.
type plain struct {
	assessments    rows[id.Assessment, Assessment]
	certifications rows[id.Certification, Certification]
	agreements     rows[id.Agreement, Agreement]
	engagements    rows[id.Engagement, Engagement]
	determinations rows[id.Determination, Determination]
	persons        rows[id.Person, Person]
	trainings      rows[id.Training, Training]
	devices        rows[id.Device, Device]
	apps           rows[id.App, App]
	grants         rows[id.Grant, Grant]
	reviews        rows[id.Review, Review]
	holds          rows[id.Hold, Hold]
	sessions       rows[id.Session, Session]
	attestations   rows[id.Attestation, Attestation]
	questionnaires rows[id.Questionnaire, Questionnaire]
	links          rows[id.Link, Link]
	findings       rows[id.Finding, Finding]
	attempts       rows[id.Attempt, Attempt]
}

type rows[K ~string, V any] map[K]*V

func (t rows[K, V]) All() iter.Seq2[K, *V] {
	return func(yield func(K, *V) bool) {
		for _, k := range slices.Sorted(maps.Keys(t)) {
			if !yield(k, t[k]) {
				return
			}
		}
	}
}

// with are the rows with one more; the rows themselves stay as they are.
func (t rows[K, V]) with(key K, v *V) rows[K, V] {
	next := make(rows[K, V], len(t)+1)
	maps.Copy(next, t)
	next[key] = v
	return next
}

func (p *plain) put(r Record) {
	switch r := r.(type) {
	case *Assessment:
		p.assessments = p.assessments.with(r.ID, r)
	case *Certification:
		p.certifications = p.certifications.with(r.ID, r)
	case *Agreement:
		p.agreements = p.agreements.with(r.ID, r)
	case *Engagement:
		p.engagements = p.engagements.with(r.ID, r)
	case *Determination:
		p.determinations = p.determinations.with(r.ID, r)
	case *Person:
		p.persons = p.persons.with(r.ID, r)
	case *Training:
		p.trainings = p.trainings.with(r.ID, r)
	case *Device:
		p.devices = p.devices.with(r.ID, r)
	case *App:
		p.apps = p.apps.with(r.ID, r)
	case *Grant:
		p.grants = p.grants.with(r.ID, r)
	case *Review:
		p.reviews = p.reviews.with(r.ID, r)
	case *Hold:
		p.holds = p.holds.with(r.ID, r)
	case *Session:
		p.sessions = p.sessions.with(r.ID, r)
	case *Attestation:
		p.attestations = p.attestations.with(r.ID, r)
	case *Questionnaire:
		p.questionnaires = p.questionnaires.with(r.ID, r)
	case *Link:
		p.links = p.links.with(r.ID, r)
	case *Finding:
		p.findings = p.findings.with(r.ID, r)
	case *Attempt:
		p.attempts = p.attempts.with(r.ID, r)
	default:
		panic(r.Noun())
	}
}

// randomRecord is one of all kinds that are looked up, most often one that is there.
func randomRecord(r *rand.Rand, many int) Record {
	key := func() string { return fmt.Sprint(r.IntN(many)) }
	of := func(none bool, some ...string) string {
		if none && r.IntN(4) == 0 {
			return ""
		}
		return some[r.IntN(len(some))]
	}
	at := func() time.Time {
		t := now.Add(time.Duration(r.IntN(4)) * time.Hour)
		if r.IntN(2) == 0 {
			t = t.In(time.FixedZone("elsewhere", 3600)) // the same moment
		}
		return t
	}
	never := func() time.Time {
		if r.IntN(2) == 0 {
			return time.Time{}
		}
		return at()
	}
	vendor := func() id.Vendor { return id.Vendor(of(true, "v1", "v2", "v3")) }
	person := func() id.Person { return id.Person(of(false, "1", "2", "3")) }
	approval := func() Approval {
		return Approval{State: []State{Proposed, Approved, Suspended, Ended, Ended}[r.IntN(5)]}
	}
	switch r.IntN(18) {
	case 0:
		return &Assessment{ID: id.Assessment(key()), Vendor: vendor(), DecidedAt: at()}
	case 1:
		return &Certification{ID: id.Certification(key()), Vendor: vendor()}
	case 2:
		return &Agreement{ID: id.Agreement(key()), Vendor: vendor()}
	case 3:
		return &Engagement{ID: id.Engagement(key()), Vendor: vendor()}
	case 4:
		return &Determination{ID: id.Determination(key()), Engagement: id.Engagement(of(false, "1", "2")), DeterminedAt: at()}
	case 5:
		p := &Person{ID: id.Person(key()), Vendor: vendor(), Key256: KeyDigest(of(true, "k1", "k2")), Approval: approval(),
			Login: []Login{{}, {Connector: "c"}, {Connector: "c", Subject: "s"}, {Connector: "d", Subject: "s"}}[r.IntN(4)]}
		for range r.IntN(4) { // the same one twice, too, and one without an id
			p.Passkeys = append(p.Passkeys, Passkey{ID: []byte(of(true, "a", "b", "c"))})
		}
		p.Directory.Connector = id.Connector(of(true, "scim", "other"))
		return p
	case 6:
		return &Training{ID: id.Training(key()), Person: person(), CompletedAt: at()}
	case 7: // with both keys, and with neither, too
		return &Device{ID: id.Device(key()), Vendor: vendor(), Owner: id.Person(of(true, "1", "2")), Key256: KeyDigest(of(true, "k1", "k2")), SPIFFE: of(true, "s1", "s2"), Approval: approval()}
	case 8:
		return &App{ID: id.App(key()), Vendor: vendor(), Owner: id.Person(of(true, "1", "2"))}
	case 9:
		g := &Grant{ID: id.Grant(key()), App: id.App(of(true, "1", "2")), Person: id.Person(of(true, "1", "2")), Engagement: id.Engagement(of(true, "1", "2"))}
		for range r.IntN(4) {
			g.Devices = append(g.Devices, id.Device(of(true, "1", "2", "3")))
		}
		return g
	case 10:
		return &Review{ID: id.Review(key()), Grant: id.Grant(of(false, "1", "2")), DueAt: at()}
	case 11:
		return &Hold{ID: id.Hold(key()), On: Subject{Noun: Noun(of(false, string(NounVendor), string(NounPerson))), ID: of(true, "1", "2")}, LiftedAt: never()}
	case 12:
		return &Session{ID: id.Session(key()), Person: person(), StartedAt: at(), EndedAt: never(), Secret256: of(true, "x", "y", "z")}
	case 13:
		return &Attestation{ID: id.Attestation(key()), Device: id.Device(of(false, "1", "2")), At: at()}
	case 14:
		return &Questionnaire{ID: id.Questionnaire(key()), Vendor: vendor(), SentAt: at()}
	case 15:
		return &Link{ID: id.Link(key()), RevokedAt: never(), Secret256: of(true, "x", "y", "z")}
	case 16:
		return &Finding{ID: id.Finding(key()), Vendor: vendor(), RaisedAt: at()}
	default:
		return &Attempt{ID: id.Attempt(key()), Person: person(), StartedAt: at()}
	}
}

func group[K ~string, V any, S comparable](t rows[K, V], by func(*V) S, order func(a, b *V) int) map[S][]*V {
	return groups(t, func(v *V) []S { return []S{by(v)} }, order)
}

func groups[K ~string, V any, S comparable](t rows[K, V], by func(*V) []S, order func(a, b *V) int) map[S][]*V {
	m := map[S][]*V{}
	for _, v := range t.All() {
		for _, s := range by(v) {
			if !slices.Contains(m[s], v) {
				m[s] = append(m[s], v)
			}
		}
	}
	if order != nil {
		for _, vs := range m {
			slices.SortStableFunc(vs, order)
		}
	}
	return m
}

// but are the groups without the one of those that have nothing.
func but[S comparable, V any](none S, m map[S][]*V) map[S][]*V {
	delete(m, none)
	return m
}

// compare looks for whatever a view finds otherwise than a walk does.
func (p *plain) compare(t *testing.T, v *View) {
	t.Helper()
	sameTable(t, "assessments", v.Assessments, p.assessments)
	sameTable(t, "certifications", v.Certifications, p.certifications)
	sameTable(t, "agreements", v.Agreements, p.agreements)
	sameTable(t, "engagements", v.Engagements, p.engagements)
	sameTable(t, "determinations", v.Determinations, p.determinations)
	sameTable(t, "persons", v.Persons, p.persons)
	sameTable(t, "trainings", v.Trainings, p.trainings)
	sameTable(t, "devices", v.Devices, p.devices)
	sameTable(t, "apps", v.Apps, p.apps)
	sameTable(t, "grants", v.Grants, p.grants)
	sameTable(t, "reviews", v.Reviews, p.reviews)
	sameTable(t, "holds", v.Holds, p.holds)
	sameTable(t, "sessions", v.Sessions, p.sessions)
	sameTable(t, "attestations", v.Attestations, p.attestations)
	sameTable(t, "questionnaires", v.Questionnaires, p.questionnaires)
	sameTable(t, "links", v.Links, p.links)
	sameTable(t, "findings", v.Findings, p.findings)
	sameTable(t, "attempts", v.Attempts, p.attempts)

	x := &v.index
	same(t, "assessments", x.assessments, v.AssessmentsOf, group(p.assessments, func(a *Assessment) id.Vendor { return a.Vendor },
		func(a, b *Assessment) int { return a.DecidedAt.Compare(b.DecidedAt) }))
	same(t, "certifications", x.certifications, v.CertificationsOf, group(p.certifications, func(c *Certification) id.Vendor { return c.Vendor }, nil))
	same(t, "agreements", x.agreements, v.AgreementsOf, group(p.agreements, func(a *Agreement) id.Vendor { return a.Vendor }, nil))
	same(t, "engagements", x.engagements, v.EngagementsOf, group(p.engagements, func(e *Engagement) id.Vendor { return e.Vendor }, nil))
	same(t, "determinations", x.determinations, v.DeterminationsOf, group(p.determinations, func(d *Determination) id.Engagement { return d.Engagement },
		func(a, b *Determination) int { return a.DeterminedAt.Compare(b.DeterminedAt) }))
	same(t, "persons", x.persons, v.PersonsOf, group(p.persons, func(p *Person) id.Vendor { return p.Vendor }, nil))
	same(t, "directories", x.directories, v.PersonsOfDirectory, but("", group(p.persons, func(p *Person) id.Connector { return p.Directory.Connector }, nil)))
	same(t, "trainings", x.trainings, v.TrainingsOf, group(p.trainings, func(t *Training) id.Person { return t.Person },
		func(a, b *Training) int { return a.CompletedAt.Compare(b.CompletedAt) }))
	same(t, "devices", x.devices, v.DevicesOf, group(p.devices, func(d *Device) id.Vendor { return d.Vendor }, nil))
	same(t, "devices owned", x.devicesOwned, v.DevicesOwnedBy, but("", group(p.devices, func(d *Device) id.Person { return d.Owner }, nil)))
	same(t, "apps", x.apps, v.AppsOf, group(p.apps, func(a *App) id.Vendor { return a.Vendor }, nil))
	same(t, "apps owned", x.appsOwned, v.AppsOwnedBy, but("", group(p.apps, func(a *App) id.Person { return a.Owner }, nil)))
	same(t, "grants of an app", x.grantsByApp, v.GrantsOfApp, group(p.grants, func(g *Grant) id.App { return g.App }, nil))
	same(t, "grants of a person", x.grantsByPerson, v.GrantsOfPerson, but("", group(p.grants, func(g *Grant) id.Person { return g.Person }, nil)))
	same(t, "grants of a device", x.grantsByDevice, v.GrantsOfDevice, groups(p.grants, func(g *Grant) []id.Device { return g.Devices }, nil))
	same(t, "grants", x.grants, v.GrantsOf, group(p.grants, func(g *Grant) id.Engagement { return g.Engagement }, nil))
	same(t, "reviews", x.reviews, v.ReviewsOf, group(p.reviews, func(r *Review) id.Grant { return r.Grant },
		func(a, b *Review) int { return cmp.Or(a.DueAt.Compare(b.DueAt), cmp.Compare(a.ID, b.ID)) }))
	same(t, "holds", x.holds, v.HoldsOn, group(p.holds, func(h *Hold) Subject { return h.On }, nil))
	same(t, "sessions", x.sessions, v.SessionsOf, group(p.sessions, func(s *Session) id.Person { return s.Person },
		func(a, b *Session) int { return a.StartedAt.Compare(b.StartedAt) }))
	same(t, "attestations", x.attestations, v.AttestationsOf, group(p.attestations, func(a *Attestation) id.Device { return a.Device },
		func(a, b *Attestation) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID)) }))
	same(t, "questionnaires", x.questionnaires, v.QuestionnairesOf, group(p.questionnaires, func(q *Questionnaire) id.Vendor { return q.Vendor },
		func(a, b *Questionnaire) int { return a.SentAt.Compare(b.SentAt) }))
	same(t, "findings", x.findings, v.FindingsOf, group(p.findings, func(f *Finding) id.Vendor { return f.Vendor },
		func(a, b *Finding) int { return a.RaisedAt.Compare(b.RaisedAt) }))
	same(t, "attempts", x.attempts, v.AttemptsOf, group(p.attempts, func(a *Attempt) id.Person { return a.Person },
		func(a, b *Attempt) int { return a.StartedAt.Compare(b.StartedAt) }))
	p.compareOnes(t, v)
}

// compareOnes is the same of what finds one record: written here as it reads, each rule
// in its own words.
func (p *plain) compareOnes(t *testing.T, v *View) {
	deviceByKey, deviceBySPIFFE := map[KeyDigest]*Device{}, map[string]*Device{}
	for _, d := range p.devices.All() {
		// One of both: a record with neither, or with both, is found by nothing.
		if d.Key256 != "" && d.SPIFFE == "" {
			deviceByKey[d.Key256] = d
		}
		if d.SPIFFE != "" && d.Key256 == "" {
			if old, ok := deviceBySPIFFE[d.SPIFFE]; !ok || old.State == Ended {
				deviceBySPIFFE[d.SPIFFE] = d
			}
		}
	}
	personByKey, personByLogin, personByPasskey := map[KeyDigest]*Person{}, map[Login]*Person{}, map[string]*Person{}
	for _, x := range p.persons.All() {
		if x.Key256 != "" {
			personByKey[x.Key256] = x
		}
		if old, ok := personByLogin[x.Login]; x.Login != (Login{}) && (!ok || old.State == Ended) {
			personByLogin[x.Login] = x
		}
		for _, k := range x.Passkeys {
			personByPasskey[string(k.ID)] = x
		}
	}
	sessionBySecret := map[string]*Session{}
	for _, s := range p.sessions.All() {
		if old, ok := sessionBySecret[s.Secret256]; s.Secret256 != "" && (!ok || !old.EndedAt.IsZero()) {
			sessionBySecret[s.Secret256] = s
		}
	}
	live := maps.Clone(sessionBySecret)
	maps.DeleteFunc(live, func(_ string, s *Session) bool { return !s.EndedAt.IsZero() })
	linkBySecret := map[string]*Link{}
	for _, l := range p.links.All() {
		if l.RevokedAt.IsZero() && l.Secret256 != "" {
			linkBySecret[l.Secret256] = l
		}
	}
	sameOne(t, "device by key", v.DeviceByKey, deviceByKey, "", "k1", "k2")
	sameOne(t, "device by SPIFFE", v.DeviceBySPIFFE, deviceBySPIFFE, "", "s1", "s2")
	sameOne(t, "person by key", v.PersonByKey, personByKey, "", "k1", "k2")
	sameOne(t, "person by login", v.PersonByLogin, personByLogin, Login{}, Login{Connector: "c"}, Login{Connector: "c", Subject: "s"}, Login{Connector: "d", Subject: "s"})
	sameOne(t, "person by passkey", func(s string) (*Person, bool) { return v.PersonByPasskey([]byte(s)) }, personByPasskey, "", "a", "b", "c")
	sameOne(t, "session ever", v.SessionEver, sessionBySecret, "", "x", "y", "z")
	sameOne(t, "session by secret", v.SessionBySecret, live, "", "x", "y", "z")
	sameOne(t, "link by secret", v.LinkBySecret, linkBySecret, "", "x", "y", "z")
}

func sameOne[S comparable, V any](t *testing.T, what string, find func(S) (*V, bool), want map[S]*V, keys ...S) {
	for _, s := range keys {
		if got, ok := find(s); got != want[s] || ok != (want[s] != nil) {
			t.Errorf("%s %v: got %+v, %v, want %+v", what, s, got, ok, want[s])
		}
	}
}

// same compares a lookup, whole, with the groups that a walk makes.
func same[S comparable, V any](t *testing.T, what string, x lookup[S, V], find func(S) []*V, want map[S][]*V) {
	n := 0
	for i, p := range x.groups.parts {
		for s, g := range p.rows {
			n++
			if len(g) == 0 || !slices.Equal(g, want[s]) || !slices.Equal(find(s), g) || x.groups.part(s) != i {
				t.Errorf("%s of %v: got %d records, want %d, or in another order", what, s, len(g), len(want[s]))
			}
			if g := find(s); cap(g) != len(g) {
				t.Errorf("%s of %v: whoever appends to them writes into the view", what, s)
			}
		}
	}
	if n != len(want) || n != x.groups.n {
		t.Errorf("%s: got %d groups, counted as %d, want %d", what, n, x.groups.n, len(want))
	}
}

func sameTable[K ~string, V any](t *testing.T, what string, table Table[K, V], want rows[K, V]) {
	keys := slices.Sorted(maps.Keys(want))
	if table.Len() != len(want) {
		t.Errorf("%s: got %d records, want %d", what, table.Len(), len(want))
	}
	i := 0
	for k, v := range table.All() {
		if i >= len(keys) || k != keys[i] || v != want[k] {
			t.Fatalf("%s: the record at %d is %s, or not as it was put last", what, i, k)
		}
		if got, ok := table.Get(k); !ok || got != v {
			t.Errorf("%s: %s is found otherwise than it is listed", what, k)
		}
		i++
	}
	if i != len(keys) {
		t.Errorf("%s: got %d records in all, want %d", what, i, len(keys))
	}
	for _, r := range table.runs {
		if len(r.keys) == 0 || len(r.keys) > runMost || len(r.keys) != len(r.rows) {
			t.Errorf("%s: a run has %d keys and %d records", what, len(r.keys), len(r.rows))
		}
	}
	if _, ok := table.Get("nobody"); ok {
		t.Errorf("%s: found what was never put", what)
	}
}

// Whatever is put, in edits small and large, tables and lookups have what a walk finds;
// an edit that is given up leaves nothing; and the views of before stay as they were.
func TestIndexesAreWhatAWalkFinds(t *testing.T) {
	const many = 24
	type moment struct {
		v *View
		p plain
	}
	var begin moment
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 2))
		put := func(e *Edit, p *plain) {
			x := randomRecord(r, many)
			e.Put(x)
			p.put(x)
		}
		if seed%60 == 0 {
			e, p := new(View).Edit(), plain{}
			for range 1 + r.IntN(500) {
				put(e, &p)
			}
			begin = moment{e.Publish(1, 1, now), p}
			begin.p.compare(t, begin.v)
		}
		past := []moment{begin}
		for range 4 {
			from := past[len(past)-1]
			if r.IntN(4) == 0 {
				from = past[r.IntN(len(past))] // another was published since
			}
			e, p, given, nobody := from.v.Edit(), from.p, from.v.Edit(), from.p
			for range []int{0, 1, 1, 1, 2, 5, 12}[r.IntN(7)] {
				put(e, &p)
				switch r.IntN(8) {
				case 0: // an edit beside it is given up
					put(given, &nobody)
				case 1: // a walk ends a turn
					e.View().Persons.All()
				case 2: // put again as it was
					if d, ok := e.View().Devices.Get("1"); ok {
						e.Put(d)
					}
				}
			}
			past = append(past, moment{e.Publish(1, 1, now), p})
			for range r.IntN(3) {
				put(e, &nobody) // into an edit that has ended
			}
		}
		for _, m := range []moment{past[len(past)-1], past[r.IntN(len(past))]} {
			m.p.compare(t, m.v)
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// Tables of many runs, and lookups of many parts.
func TestLargeTables(t *testing.T) {
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 3))
		key := []func(i int) string{
			func(i int) string { return fmt.Sprintf("%06d", i) },
			func(i int) string { return fmt.Sprintf("%06d", 999_999-i) },
			func(int) string { return fmt.Sprint(r.IntN(20_000)) },
			func(i int) string { // full runs, and then what comes between them
				switch {
				case i < 3500:
					return fmt.Sprintf("%06d", 2*i)
				case i%2 == 0:
					return fmt.Sprintf("%06d", 2*runMost*(1+r.IntN(13))-1)
				}
				return fmt.Sprintf("%06d", 1+2*r.IntN(3500))
			},
		}[seed%4]
		type moment struct {
			v *View
			p plain
		}
		var past []moment
		v, p := new(View), plain{holds: rows[id.Hold, Hold]{}}
		n := 0
		for _, size := range []int{1, runMost - 1, 1, 1, runMost, 5, 3000, 1, 40, 400, 1} {
			e := v.Edit()
			p.holds = maps.Clone(p.holds)
			for range size {
				h := &Hold{ID: id.Hold(key(n)), On: Subject{ID: fmt.Sprint(r.IntN(1500))}}
				n++
				e.Put(h)
				p.holds[h.ID] = h
				if r.IntN(500) == 0 {
					e.View().Holds.All()
				}
			}
			v = e.Publish(1, 1, now)
			past = append(past, moment{v, p})
		}
		for _, m := range past {
			sameTable(t, "holds", m.v.Holds, m.p.holds)
			same(t, "holds", m.v.index.holds, m.v.HoldsOn, group(m.p.holds, func(h *Hold) Subject { return h.On }, nil))
		}
		keys := slices.Sorted(maps.Keys(p.holds))
		for _, after := range []id.Hold{"", "~", keys[0], keys[len(keys)/2], keys[len(keys)/2] + "!", keys[len(keys)-1]} {
			i, ok := slices.BinarySearch(keys, after)
			if ok {
				i++
			}
			var got []id.Hold
			for k := range v.Holds.After(after) {
				got = append(got, k)
			}
			if !slices.Equal(got, keys[i:]) {
				t.Errorf("after %q: got %d records, want %d", after, len(got), len(keys)-i)
			}
		}
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
			next := &Hold{ID: k, Cause: HoldLegal}
			e.Put(next)
			if got, _ := e.View().Holds.Get(k); got != next {
				t.Fatalf("%s is not as it was put", k)
			}
			if r.IntN(5) == 0 {
				e.Put(&Hold{ID: k + "x"})
				e.Put(&Hold{ID: id.Hold(fmt.Sprint(r.IntN(5000)))})
			}
			if r.IntN(100) == 0 { // a walk within a walk
				n := 0
				for k := range e.View().Holds.After(k) {
					e.Put(&Hold{ID: k})
					if n++; n == 3 {
						break
					}
				}
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

// Decisions read while the registry publishes, and pages try acts on what they see.
func TestReadersBesideEdits(t *testing.T) {
	var at atomic.Pointer[View]
	at.Store(new(View))
	var done atomic.Bool
	var readers sync.WaitGroup
	for i := range 3 {
		readers.Go(func() {
			for n := 0; n == 0 || !done.Load(); n++ {
				v := at.Load()
				listed := 0
				for k, h := range v.Holds.All() {
					listed++
					if got, ok := v.Holds.Get(k); !ok || got != h || !slices.Contains(v.HoldsOn(h.On), h) {
						t.Errorf("%s is listed, and not found", k)
					}
				}
				if listed != v.Holds.Len() {
					t.Errorf("got %d holds, want %d", listed, v.Holds.Len())
				}
				e := v.Edit()
				mine := &Hold{ID: id.Hold(fmt.Sprint("tried-", i)), On: Subject{ID: "tried"}}
				e.Put(mine)
				if got := e.Publish(1, 1, now).HoldsOn(mine.On); len(got) != 1 || got[0] != mine {
					t.Errorf("what was tried finds %d holds", len(got))
				}
				if len(v.HoldsOn(mine.On)) != 0 {
					t.Error("what was tried is seen by others")
				}
			}
		})
	}
	for n := range 300 {
		e := at.Load().Edit()
		for i := range 1 + n%3 {
			e.Put(&Hold{ID: id.Hold(fmt.Sprint((7*n + i) % 400)), On: Subject{ID: fmt.Sprint(n % 5)}})
		}
		at.Store(e.Publish(1, 1, now))
	}
	done.Store(true)
	readers.Wait()
}

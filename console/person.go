package console

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/course"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// personPage is everything about one person that is on record.
type personPage struct {
	*snapshot.Person
	Stands    string
	Training  trained
	Track     string
	Missing   []string
	Done      []personDone // newest first
	OnCourse  *snapshot.Attempt
	Sessions  []*snapshot.Session // live ones, and the newest that ended
	Live      int
	LastSeen  time.Time
	Devices   []*snapshot.Device
	Apps      []*snapshot.App
	Grants    []*snapshot.Grant
	Ended     int // grants that are over, which are not listed
	Prints    []personPasskey
	Login     ref
	Connector ref
	Holds     []*snapshot.Hold
	Findings  []*snapshot.Finding
	Acts      []personAct
	ActsBack  int // how many acts were looked through
	Self      bool
	Admit     bool // the second person, whom the first may admit alone, once
}

// personDone is a completion of a course.
type personDone struct {
	*snapshot.Training
	Share string
}

// personPasskey is a passkey, with what two people compare.
type personPasskey struct {
	snapshot.Passkey
	Print      string
	Credential string // as acts name it
}

// personAct is an act that the person did, or that was about them.
type personAct struct {
	registry.Entry
	Says  string
	About ref
	Did   bool
}

const (
	personSessions = 10
	personActs     = 25
	// personLook is how many of the newest acts are looked through for a page; the
	// search of the record looks through all.
	personLook = 1000
)

func noSuch(what, list string) error {
	return problem.New(problem.NotFound, "There is no "+what+" with this id", "Look for it in the list: "+list)
}

// onlyOne reports whether one person was ever admitted.
func onlyOne(v *snapshot.View) bool {
	n := 0
	for _, p := range v.Persons.All() {
		if !p.ApprovedAt.IsZero() {
			if n++; n > 1 {
				return false
			}
		}
	}
	return n == 1
}

func (s *server) person(v *visit) (personPage, error) {
	p, ok := v.View.Persons.Get(id.Person(v.PathValue("id")))
	if !ok {
		return personPage{}, noSuch("person", "/console/people")
	}
	v.call(cmp.Or(p.Name, string(p.ID)))
	v.under("People", "/console/people")
	out := personPage{Person: p, Stands: personStands(p), Training: trainingOf(v.View, p, v.Now), LastSeen: lastSeen(v.View, p.ID), Self: p.ID == v.Person.ID}
	if t, ok := course.TrackOf(p.Track); ok {
		out.Track = t.Title
	}
	out.Admit = p.State == snapshot.Proposed && p.Vendor == "" && !out.Self && onlyOne(v.View)
	for _, m := range out.Training.Missing {
		out.Missing = append(out.Missing, moduleName(m))
	}
	for _, t := range slices.Backward(v.View.TrainingsOf(p.ID)) {
		out.Done = append(out.Done, personDone{t, share(t.Score)})
	}
	for _, a := range v.View.AttemptsOf(p.ID) {
		if a.Stage == snapshot.AttemptOpen {
			out.OnCourse = a
		}
	}
	out.Sessions, out.Live = personsSessions(v.View, p.ID, v.Now)
	out.Devices, out.Apps = v.View.DevicesOwnedBy(p.ID), v.View.AppsOwnedBy(p.ID)
	for _, g := range v.View.GrantsOfPerson(p.ID) {
		switch {
		case g.State == snapshot.Ended || !v.Now.Before(g.EndsAt):
			out.Ended++
		default:
			out.Grants = append(out.Grants, g)
		}
	}
	for _, k := range p.Passkeys {
		out.Prints = append(out.Prints, personPasskey{k, cmp.Or(k.Fingerprint, snapshot.FingerprintOf(k.PublicKey)), base64.StdEncoding.EncodeToString(k.ID)})
	}
	out.Login, out.Connector = connectorRef(v.View, p.Login.Connector), connectorRef(v.View, p.Directory.Connector)
	for _, h := range v.View.HoldsOn(snapshot.Subject{Noun: snapshot.NounPerson, ID: string(p.ID)}) {
		if h.LiftedAt.IsZero() {
			out.Holds = append(out.Holds, h)
		}
	}
	for _, f := range v.View.FindingsOf(p.Vendor) {
		if f.About.Noun == snapshot.NounPerson && f.About.ID == string(p.ID) && f.SettledAt.IsZero() {
			out.Findings = append(out.Findings, f)
		}
	}
	return out, s.personsActs(v, p.ID, &out)
}

// share is a part of one, in hundredths.
func share(x float64) string { return fmt.Sprintf("%.0f %%", 100*x) }

func moduleName(key string) string {
	for _, m := range course.Modules {
		if m.ID == key {
			return m.ID + " " + m.Title
		}
	}
	return key
}

func connectorRef(v *snapshot.View, key id.Connector) ref {
	if c, ok := v.Connectors.Get(key); ok {
		return ref{Label: cmp.Or(c.Name, string(key)), Help: string(key)}
	}
	return ref{Label: string(key)}
}

// personsSessions are the live ones, then those that ended last, the newest first.
func personsSessions(v *snapshot.View, p id.Person, now time.Time) (out []*snapshot.Session, live int) {
	all := slices.Clone(v.SessionsOf(p))
	slices.SortStableFunc(all, func(a, b *snapshot.Session) int {
		if la, lb := a.Live(now), b.Live(now); la != lb {
			if la {
				return -1
			}
			return 1
		}
		return b.StartedAt.Compare(a.StartedAt)
	})
	for _, x := range all {
		if x.Live(now) {
			live++
		}
	}
	return all[:min(len(all), personSessions)], live
}

// personsActs looks through the newest acts for those by the person and about them.
func (s *server) personsActs(v *visit, p id.Person, out *personPage) error {
	from := uint64(0)
	if n := v.View.Version(); n > personLook {
		from = n - personLook
	}
	all, err := s.Registry.Told(v.Context(), from, personLook)
	if err != nil {
		return err
	}
	out.ActsBack = len(all)
	for i := len(all) - 1; i >= 0 && len(out.Acts) < personActs; i-- {
		e := all[i]
		about := e.Subject.Noun == snapshot.NounPerson && e.Subject.ID == string(p)
		if e.Actor != p && !about || strings.HasPrefix(string(e.Kind), "session.") {
			continue // signing in and out is told above
		}
		out.Acts = append(out.Acts, personAct{Entry: e, Says: actSays(e.Kind), About: refOfSubject(v.View, e.Subject), Did: e.Actor == p})
	}
	return nil
}

// actSays is what an act of a kind does, in words.
func actSays(k registry.Kind) string {
	if spec, ok := registry.Lookup(k); ok {
		return spec.Summary
	}
	return words(string(k))
}

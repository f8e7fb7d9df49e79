package console

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/course"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

func peopleScreens() []screen {
	imported := on("training-import", "Bring completions in", "POST /console/training/import", ours, (*server).trainingImported)
	imported.Max = course.MaxBytes + 1<<16
	return []screen{
		on("training-import", "Bring completions in", "GET /console/training/import", ours, (*server).trainingImport), imported,
		on("people", "People", "GET /console/people", ours, (*server).people),
		on("person", "Person", "GET /console/people/{id}", ours, (*server).person),
		on("training", "Training", "GET /console/training", ours, (*server).training),
		{Title: "Certificate", Pattern: "GET /console/training/{id}/certificate", For: ours, show: (*server).trainingCertificate},
		{Title: "Badge", Pattern: "GET /console/training/{id}/badge", For: ours, show: (*server).trainingBadge},
		{Title: "Completions", Pattern: "GET /console/training/export", For: ours, show: (*server).trainingExport},
	}
}

// maxChoices is how many vendors a filter offers; beyond it only the chosen one stands
// there, and the search field finds the others.
const maxChoices = 60

type peoplePage struct {
	List    list
	Waiting int // for approval
}

func (s *server) people(v *visit) (peoplePage, error) {
	var out peoplePage
	asks := v.URL.Query().Get("training")
	out.List = listOf(v, listing[*snapshot.Person]{
		Caption: "People",
		Rows: func(yield func(*snapshot.Person) bool) {
			for _, p := range v.View.Persons.All() {
				if p.State == snapshot.Proposed {
					out.Waiting++
				}
				if !yield(p) {
					return
				}
			}
		},
		Search: func(p *snapshot.Person) string {
			return string(p.ID) + "\n" + p.Name + "\n" + string(p.Vendor) + "\n" + vendorName(v.View, p.Vendor)
		},
		Filters: []filter[*snapshot.Person]{
			vendorFilter(v, func(p *snapshot.Person) id.Vendor { return p.Vendor }),
			{Key: "state", Label: "State", Of: func(p *snapshot.Person) []string { return []string{string(p.State)} }, Options: stateOptions(snapshot.Proposed, snapshot.Approved, snapshot.Suspended, snapshot.Ended)},
			{Key: "duty", Label: "Duty", Of: func(p *snapshot.Person) []string { return p.Duties }, Options: wordOptions(registry.Duties)},
			{Key: "training", Label: "Training", Options: trainingOptions(), Of: func(p *snapshot.Person) []string {
				if asks == "" {
					return nil // it is worked out only for who asks
				}
				return []string{trainingOf(v.View, p, v.Now).Key}
			}},
		},
		Columns: []column[*snapshot.Person]{
			{Key: "name", Label: "Name", Cell: func(p *snapshot.Person) cell {
				return cell{Text: cmp.Or(p.Name, string(p.ID)), Href: "/console/people/" + string(p.ID), Help: string(p.ID)}
			}, Sort: func(p *snapshot.Person) string { return cmp.Or(p.Name, string(p.ID)) }},
			{Key: "vendor", Label: "Works for", Cell: func(p *snapshot.Person) cell {
				if p.Vendor == "" {
					return text("Us")
				}
				r := refIn(v.View, p.Vendor)
				return cell{Text: r.Label, Href: r.Href}
			}, Sort: func(p *snapshot.Person) string {
				if p.Vendor == "" {
					return "Us"
				}
				return vendorName(v.View, p.Vendor)
			}},
			{Key: "state", Label: "State", Cell: func(p *snapshot.Person) cell { return marked(p.State) }, Sort: func(p *snapshot.Person) string { return string(p.State) }},
			{Key: "duties", Label: "Duties or standing", Cell: func(p *snapshot.Person) cell { return text(personStands(p)) }},
			{Key: "training", Label: "Training", Cell: func(p *snapshot.Person) cell {
				t := trainingOf(v.View, p, v.Now)
				return cell{Text: t.Mark.Word, Mark: &t.Mark, Help: t.Until(v.Now)}
			}, Sort: func(p *snapshot.Person) string { return trainingOf(v.View, p, v.Now).order() }},
			{Key: "passkeys", Label: "Passkeys", Num: true, Cell: func(p *snapshot.Person) cell { return text(number(len(p.Passkeys))) }},
			{Key: "seen", Label: "Last seen", Cell: func(p *snapshot.Person) cell { return text(ago(v.Now, lastSeen(v.View, p.ID))) },
				Time: func(p *snapshot.Person) time.Time { return lastSeen(v.View, p.ID) }},
		},
		Empty: empty{Title: "Nobody is enrolled", Text: "Everybody who decides here, and everybody of a vendor who works with data, is a person of their own. Ask to enrol the first; another of you approves them.", Act: mayDo(s, v, "person.propose")},
	})
	return out, nil
}

// mayDo is the way to an act, for lists that have none yet.
func mayDo(s *server, v *visit, kind string, pairs ...any) *actLink {
	return s.frame(v).May(kind, pairs...)
}

// ourselves is what stands in an address for the organisation's own.
const ourselves = "us"

// vendorFilter narrows a list by vendor. Where there are many only the chosen one is
// offered: the search field finds the others.
func vendorFilter[R any](v *visit, of func(R) id.Vendor) filter[R] {
	f := filter[R]{Key: "vendor", Label: "Vendor", Of: func(r R) []string { return []string{cmp.Or(string(of(r)), ourselves)} }}
	f.Options = append(f.Options, option{Value: ourselves, Label: "None: our own"})
	if v.View.Vendors.Len() <= maxChoices {
		for k, w := range v.View.Vendors.All() {
			f.Options = append(f.Options, option{Value: string(k), Label: w.Name})
		}
	} else if w, ok := v.View.Vendors.Get(id.Vendor(v.URL.Query().Get("vendor"))); ok {
		f.Options = append(f.Options, option{Value: string(w.ID), Label: w.Name})
	}
	return f
}

func stateOptions(states ...snapshot.State) []option { return wordOptions(states) }

func wordOptions[K ~string](all []K) []option {
	var out []option
	for _, x := range all {
		out = append(out, option{Value: string(x), Label: words(x)})
	}
	return out
}

// personStands is what a person may do: duties of ours, the standing of others.
func personStands(p *snapshot.Person) string {
	if p.Vendor != "" {
		return classified(p.Classification)
	}
	var out []string
	for _, d := range p.Duties {
		out = append(out, words(d))
	}
	if len(out) == 0 {
		return "None"
	}
	return strings.Join(out, ", ")
}

// classified is what 45 CFR 160.103 makes of a person.
func classified(c hipaa.Classification) string {
	if c == "" {
		return "Not classified"
	}
	return words(string(c))
}

// lastSeen is when a person's sessions were last in use.
func lastSeen(v *snapshot.View, p id.Person) time.Time {
	var last time.Time
	for _, x := range v.SessionsOf(p) {
		for _, t := range []time.Time{x.StartedAt, x.SeenAt, x.SteppedUpAt} {
			if t.After(last) {
				last = t
			}
		}
	}
	return last
}

// trained is how a person's training stands, for a list.
type trained struct {
	course.Standing
	Key  string // of trainingKeys
	Mark mark
	Ends time.Time // when it lapses, or lapsed
}

// dueSoon is how long before a lapse a person is shown as due.
const dueSoon = 60 * 24 * time.Hour

// The states of training, as the address has them.
const (
	trainingCurrent = "current"
	trainingDue     = "due"
	trainingLapsed  = "lapsed"
	trainingCourse  = "on-course"
	trainingNone    = "none"
	trainingNot     = "not-needed"
)

func trainingOptions() []option {
	return []option{{Value: trainingCurrent, Label: "Current"}, {Value: trainingDue, Label: "Due in 60 days"}, {Value: trainingLapsed, Label: "Lapsed"},
		{Value: trainingCourse, Label: "On course"}, {Value: trainingNone, Label: "None that counts"}, {Value: trainingNot, Label: "Not asked for"}}
}

// trainingOf is where a person stands by the record, as the gate sees it but for what a
// contract asks beyond.
func trainingOf(v *snapshot.View, p *snapshot.Person, now time.Time) trained {
	done := v.TrainingsOf(p.ID)
	open := slices.ContainsFunc(v.AttemptsOf(p.ID), func(a *snapshot.Attempt) bool { return a.Stage == snapshot.AttemptOpen })
	switch {
	case p.State == snapshot.Ended:
		return trained{Key: trainingNot, Mark: mark{"Has left", "off"}}
	case len(done) == 0 && open:
		return trained{Key: trainingCourse, Mark: mark{"On course", "wait"}}
	case len(done) == 0 && p.Vendor == "":
		return trained{Key: trainingNot, Mark: mark{"Not recorded here", "off"}}
	case len(done) == 0:
		return trained{Key: trainingNone, Mark: mark{"None", "bad"}}
	}
	passed := func(t time.Time) bool { return !t.IsZero() && !now.Before(t) }
	t := trained{Standing: course.Assess(v, p, nil, passed)}
	t.Ends = t.ExpiresAt
	// State law gives a time to work without its statement; that ends sooner.
	if t.State != "" && !t.StateSigned && !t.StateEndsAt.IsZero() && (t.Ends.IsZero() || t.StateEndsAt.Before(t.Ends)) {
		t.Ends = t.StateEndsAt
	}
	current := t.Current(passed)
	switch {
	case current && !t.Ends.IsZero() && t.Ends.Sub(now) < dueSoon:
		t.Key, t.Mark = trainingDue, mark{"Due", "warn"}
	case current:
		t.Key, t.Mark = trainingCurrent, mark{"Current", "good"}
	case open:
		t.Key, t.Mark = trainingCourse, mark{"On course", "wait"}
	case t.Completed && passed(t.Ends):
		t.Key, t.Mark = trainingLapsed, mark{"Lapsed", "bad"}
	default:
		t.Key, t.Mark = trainingNone, mark{"None that counts", "bad"}
	}
	return t
}

// Until says when it lapses, or lapsed.
func (t trained) Until(now time.Time) string {
	switch {
	case t.Ends.IsZero():
		return ""
	case t.Ends.After(now):
		return "until " + day(t.Ends)
	}
	return "since " + day(t.Ends)
}

// order sorts by how soon somebody must do something.
func (t trained) order() string {
	switch t.Key {
	case trainingNone:
		return "1"
	case trainingNot:
		return "9"
	case trainingCourse:
		return "2"
	}
	return "5" + iso(t.Ends)
}

package console

import (
	"slices"
	"time"

	"github.com/sallyport/sallyport/disclosure"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// vendorFile is everything about one vendor on one page, for an auditor to print.
type vendorFile struct {
	Vendor      *snapshot.Vendor
	State       mark
	Since       string
	Until       string
	Wrong       string
	From, To    time.Time
	Assessments []*snapshot.Assessment
	Certs       []certLine
	Agreements  []agreementLine
	Engagements []*snapshot.Engagement
	People      []personLine
	Devices     []*snapshot.Device
	Apps        []*snapshot.App
	Grants      []*snapshot.Grant
	Holds       []*snapshot.Hold
	Findings    []*snapshot.Finding
	Incidents   []*snapshot.Incident
	Partings    []*snapshot.Offboarding
	Counts      map[string]int // how many there are of each, where not all are shown
	Sums        dayCount
	Ways        []vendorWay
	Releases    []releaseListRow
	More        string // the other releases
	CSV         string
	Acts        []actShownRow
}

// fileRows is how many rows of one kind a file shows.
const fileRows = 200

type certLine struct {
	C     *snapshot.Certification
	State mark
}

type agreementLine struct {
	A     *snapshot.Agreement
	State mark
	Terms int
}

type personLine struct {
	P       *snapshot.Person
	State   mark
	Trained time.Time // until when the newest completion counts; zero: none
	Current bool
}

// vendorWay is what went to an engagement.
type vendorWay struct {
	Engagement ref
	N          dayCount
}

func (s *server) evidenceVendor(v *visit) (vendorFile, error) {
	x, err := vendorKnown(v, v.PathValue("id"))
	if err != nil {
		return vendorFile{}, err
	}
	v.under("Search the record", "/console/evidence")
	v.call("The file of " + x.Name)
	q := v.URL.Query()
	p := vendorFile{Vendor: x, State: stateOf(string(x.State)), Since: q.Get("since"), Until: q.Get("until"), Counts: map[string]int{}}
	from, to, err := period(p.Since, p.Until)
	if err != nil {
		p.Wrong, from, to = problemText(err), time.Time{}, time.Time{}
	}
	p.From, p.To = from, to
	p.papers(v)
	p.people(v)
	p.trouble(v)
	within := func(t time.Time) bool { return (from.IsZero() || !t.Before(from)) && (to.IsZero() || t.Before(to)) }
	for _, d := range s.history.About(x.ID, 50, func(d *done) bool { return within(d.At) }) {
		p.Acts = append(p.Acts, actRowOf(v.View, d))
	}
	return p, p.data(s, v)
}

// some are the first of a list, and how many there are is noted.
func some[T any](p *vendorFile, what string, all []T) []T {
	p.Counts[what] = len(all)
	return all[:min(len(all), fileRows)]
}

// papers are the vendor's standing and what was signed.
func (p *vendorFile) papers(v *visit) {
	view, now, key := v.View, v.Now, p.Vendor.ID
	p.Assessments = some(p, "assessments", slices.Clone(view.AssessmentsOf(key)))
	for _, c := range some(p, "certifications", view.CertificationsOf(key)) {
		state := mark{"Not verified", "warn"}
		switch {
		case !c.RevokedAt.IsZero():
			state = mark{"Revoked", "bad"}
		case !c.ExpiresAt.After(now):
			state = mark{"Expired", "bad"}
		case c.VerifiedHow != "":
			state = mark{"Verified", "good"}
		}
		p.Certs = append(p.Certs, certLine{c, state})
	}
	for _, a := range some(p, "agreements", view.AgreementsOf(key)) {
		state := stateOf(string(a.State))
		switch {
		case !a.TerminatedAt.IsZero():
			state = mark{"Terminated", "bad"}
		case !a.EndsAt.IsZero() && !a.EndsAt.After(now):
			state = mark{"Ended", "off"}
		case a.State == snapshot.Approved && a.EffectiveAt.After(now):
			state = mark{"Not in effect yet", "wait"}
		case a.State == snapshot.Approved:
			state = mark{"In force", "good"}
		}
		p.Agreements = append(p.Agreements, agreementLine{a, state, len(a.Terms)})
	}
	p.Engagements = some(p, "engagements", view.EngagementsOf(key))
}

// people are the vendor's people, machines, programs, and what they may use.
func (p *vendorFile) people(v *visit) {
	view, now, key := v.View, v.Now, p.Vendor.ID
	for _, x := range some(p, "people", view.PersonsOf(key)) {
		line := personLine{P: x, State: stateOf(string(x.State))}
		for _, t := range view.TrainingsOf(x.ID) {
			if t.Passed && t.RevokedAt.IsZero() && t.ExpiresAt.After(line.Trained) {
				line.Trained = t.ExpiresAt
			}
		}
		line.Current = line.Trained.After(now)
		p.People = append(p.People, line)
	}
	var grants []*snapshot.Grant
	for _, a := range view.AppsOf(key) {
		grants = append(grants, view.GrantsOfApp(a.ID)...)
	}
	p.Devices, p.Apps, p.Grants = some(p, "devices", view.DevicesOf(key)), some(p, "apps", view.AppsOf(key)), some(p, "grants", grants)
}

// trouble is what went wrong, and how one parted.
func (p *vendorFile) trouble(v *visit) {
	view, key := v.View, p.Vendor.ID
	var holds []*snapshot.Hold
	for _, h := range view.Holds.All() {
		if view.VendorOf(h.On) == key {
			holds = append(holds, h)
		}
	}
	var incidents []*snapshot.Incident
	for _, i := range view.Incidents.All() {
		if i.Vendor == key {
			incidents = append(incidents, i)
		}
	}
	var partings []*snapshot.Offboarding
	for _, o := range view.Offboardings.All() {
		if o.Vendor == key {
			partings = append(partings, o)
		}
	}
	p.Holds, p.Incidents, p.Partings = some(p, "holds", holds), some(p, "incidents", incidents), some(p, "partings", partings)
	p.Findings = some(p, "findings", view.FindingsOf(key))
}

// data is what was asked and what went out.
func (p *vendorFile) data(s *server, v *visit) error {
	since, until := p.From, v.Now
	if since.IsZero() {
		since = time.Unix(0, 0)
	}
	if !p.To.IsZero() && p.To.Before(until) {
		until = p.To.Add(-time.Second)
	}
	of := map[id.Engagement]dayCount{}
	for w := range s.activity.Ways(since, func(w way) bool { return w.Vendor == p.Vendor.ID }) {
		of[w.Engagement] = dayCount{}
	}
	if p.From.IsZero() { // the picture of days begins with the first engagement
		since = v.Now
		for _, e := range p.Engagements {
			if e.RequestedAt.Before(since) {
				since = e.RequestedAt
			}
		}
		since = since.AddDate(0, 0, -1)
	}
	for key := range of {
		var sum dayCount
		for _, d := range s.activity.Days(since, until, func(w way) bool { return w.Vendor == p.Vendor.ID && w.Engagement == key }) {
			sum.add(d)
		}
		if sum != (dayCount{}) {
			p.Ways = append(p.Ways, vendorWay{refIn(v.View, key), sum})
			p.Sums.add(sum)
		}
	}
	slices.SortFunc(p.Ways, func(a, b vendorWay) int {
		if a.Engagement.Label < b.Engagement.Label {
			return -1
		}
		return 1
	})
	query := disclosure.Query{Vendors: []id.Vendor{p.Vendor.ID}, Since: p.From, Until: p.To}
	page, err := s.Disclosures.Newest(v.Context(), query, 25, nil, releasedKinds...)
	if err != nil {
		return err
	}
	for _, r := range page.Items {
		p.Releases = append(p.Releases, releaseListOf(v.View, r))
	}
	search := with(v.URL, "vendor", string(p.Vendor.ID))[len(v.URL.Path):]
	p.CSV = "/console/evidence" + search + "&format=csv"
	if page.Next > 0 {
		p.More = "/console/evidence" + search
	}
	return nil
}

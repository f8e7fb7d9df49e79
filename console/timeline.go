package console

import (
	"cmp"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"time"

	"github.com/sallyport/sallyport/console/draw"
	"github.com/sallyport/sallyport/diligence"
	"github.com/sallyport/sallyport/forecast"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// timeline is an engagement over time, drawn and as a table.
type timeline struct {
	Picture template.HTML
	Rows    []timeRow
}

// timeRow is something that lasts or happens. A zero To has no end; To equal to From
// happens once.
type timeRow struct {
	What     string
	From, To time.Time
	Note     string
}

// Once reports whether it happens rather than lasts.
func (r timeRow) Once() bool { return r.From.Equal(r.To) }

const (
	timelineBack   = 366 * 24 * time.Hour
	timelineAhead  = 366 * 24 * time.Hour
	timelineGrants = 6
	timelinePeople = 4
)

// timelineOf draws the papers, the grants, what closed and what is to come.
func (s *server) timelineOf(v *visit, e *snapshot.Engagement, grants []*snapshot.Grant) timeline {
	var c chart
	c.lasting("Engagement", "door", words(string(e.State)), e.StartsAt, e.EndsAt)
	c.papers(v, e)
	c.vendors(v, e.Vendor)
	for _, d := range v.View.DeterminationsOf(e.ID) {
		c.lasting("Determination", "good", d.Expert, d.DeterminedAt, d.ValidUntil)
	}
	c.access(v, grants)
	from, to := timelineSpan(e, v.Now)
	closed := draw.Row{Label: "What was closed"}
	for _, d := range s.history.About(e.Vendor, keepOfVendor, func(d *done) bool { return d.Closes() && d.At.After(from) && aboutEngagement(v.View, d, e, grants) }) {
		closed.Marks = append(closed.Marks, draw.Mark{At: d.At, Class: "bad", Tip: d.Summary() + ", " + when(d.At)})
		c.table = append(c.table, timeRow{"Closed: " + d.Summary(), d.At, d.At, refIn(v.View, d.Actor).Label})
	}
	come, own := draw.Row{Label: "To come, if nobody acts"}, []*snapshot.Engagement{e}
	for _, x := range s.ahead.about(v.Now, func(x forecast.Stop) bool { return stopTouches(x, own) && x.At.Before(to) }) {
		class := "wait"
		if x.Kind == forecast.Stops {
			class = "warn"
		}
		come.Marks = append(come.Marks, draw.Mark{At: x.At, Class: class, Tip: x.Message + ", " + day(x.At)})
		c.table = append(c.table, timeRow{"To come: " + x.Message, x.At, x.At, x.Next})
	}
	for _, r := range []draw.Row{closed, come} {
		if len(r.Marks) > 0 {
			c.rows = append(c.rows, r)
		}
	}
	var band []draw.Band
	for _, d := range s.activity.Days(from, v.Now, func(x way) bool { return x.Engagement == e.ID }) {
		if d.Permitted+d.Refused > 0 {
			band = append(band, draw.Band{At: dayTime(d.Day), Good: d.Permitted, Bad: d.Refused, Tip: fmt.Sprintf("%s: %d permitted, %d refused", day(dayTime(d.Day)), d.Permitted, d.Refused)})
		}
	}
	slices.SortStableFunc(c.table, func(a, b timeRow) int { return cmp.Or(a.From.Compare(b.From), cmp.Compare(a.What, b.What)) })
	desc := fmt.Sprintf("From %s to %s: %s, %s that closed something and %s to come. The table below has each.", day(from), day(to),
		plural(len(c.rows), "line"), plural(len(closed.Marks), "act"), plural(len(come.Marks), "date"))
	return timeline{Picture: draw.Timeline("timeline", "The engagement over time", desc, from, to, v.Now, c.rows, band), Rows: c.table}
}

// timelineSpan is from when to when the timeline shows: the engagement and a little more, as
// far as a year from now, and the next three months at least.
func timelineSpan(e *snapshot.Engagement, now time.Time) (from, to time.Time) {
	from, to = e.StartsAt.AddDate(0, 0, -45), e.EndsAt.AddDate(0, 0, 14)
	if least := now.Add(-timelineBack); from.Before(least) {
		from = least
	}
	if most := now.Add(timelineAhead); to.After(most) {
		to = most
	}
	if least := now.AddDate(0, 0, 90); to.Before(least) {
		to = least
	}
	return from, to
}

// chart is what a timeline draws, and the table that says the same.
type chart struct {
	rows  []draw.Row
	table []timeRow
}

// lasting adds what lasts from one time to another (zero: without end). What follows on
// something of the same name stands on its line.
func (c *chart) lasting(label, class, note string, from, to time.Time) {
	if from.IsZero() {
		return
	}
	end := "no end"
	if !to.IsZero() {
		end = day(to)
	}
	span := draw.Span{From: from, To: to, Class: class, Tip: fmt.Sprintf("%s: %s to %s", label, day(from), end)}
	if n := len(c.rows); n > 0 && c.rows[n-1].Label == label {
		c.rows[n-1].Spans = append(c.rows[n-1].Spans, span)
	} else {
		c.rows = append(c.rows, draw.Row{Label: label, Spans: []draw.Span{span}})
	}
	c.table = append(c.table, timeRow{label, from, to, note})
}

func (c *chart) papers(v *visit, e *snapshot.Engagement) {
	for _, key := range e.Agreements {
		a, ok := v.View.Agreements.Get(key)
		if !ok {
			continue
		}
		p := paperOf(a, v.Now)
		to := p.Until
		if !a.TerminatedAt.IsZero() {
			to = a.TerminatedAt
		}
		c.lasting(p.Name, "good", p.State.Word, a.EffectiveAt, to)
	}
}

// vendors adds what is known of the vendor: assessments, certifications that are required,
// the screening.
func (c *chart) vendors(v *visit, vendor id.Vendor) {
	for _, a := range v.View.AssessmentsOf(vendor) {
		class := "good"
		switch a.Verdict {
		case snapshot.Fail:
			class = "bad"
		case snapshot.Conditional:
			class = "warn"
		}
		c.lasting("Assessment", class, words(string(a.Verdict)), a.DecidedAt, a.ValidUntil)
	}
	w, ok := v.View.Vendors.Get(vendor)
	if !ok {
		return
	}
	for _, x := range v.View.CertificationsOf(vendor) {
		if !slices.Contains(w.RequiredCertifications, x.Type) || x.VerifiedAt.IsZero() || !x.RevokedAt.IsZero() {
			continue
		}
		until := x.ExpiresAt
		if j := diligence.Judge(x, v.View, v.Now); j.Counts {
			until = j.Until
		}
		c.lasting(certificationName(x.Type), "good", "verified by "+refIn(v.View, x.VerifiedBy).Label, x.VerifiedAt, until)
	}
	if w.Screening.Done() {
		c.lasting("Screening", "good", "28 CFR Part 202", w.Screening.At, w.Screening.ValidUntil)
	}
}

// access adds the newest grants, and the training of the first people who have them.
func (c *chart) access(v *visit, grants []*snapshot.Grant) {
	people := map[id.Person]bool{}
	shown := 0
	for _, g := range slices.Backward(grants) {
		if g.ApprovedAt.IsZero() {
			continue
		}
		if !people[g.Person] && len(people) < timelinePeople {
			people[g.Person] = true
			for _, x := range v.View.TrainingsOf(g.Person) {
				if x.Passed && x.RevokedAt.IsZero() && x.Course == v.View.Settings.Course {
					c.lasting("Training, "+refIn(v.View, g.Person).Label, "wait", x.Version, x.CompletedAt, x.ExpiresAt)
				}
			}
		}
		if shown++; shown <= timelineGrants {
			to := g.EndsAt
			if !g.EndedAt.IsZero() {
				to = g.EndedAt
			}
			c.lasting("Grant "+string(g.ID), "door", refIn(v.View, g.Person).Label, g.StartsAt, to)
		}
	}
}

func (t *timeline) csv(w http.ResponseWriter) error {
	asFile(w, "text/csv; charset=utf-8", "engagement-over-time.csv")
	return writeTable(w, []string{"what", "from", "to", "note"}, len(t.Rows), func(i int) []string {
		r := t.Rows[i]
		to := ""
		if !r.To.IsZero() {
			to = iso(r.To)
		}
		return []string{r.What, iso(r.From), to, r.Note}
	})
}

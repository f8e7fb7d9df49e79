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
	var t timeline
	var rows []draw.Row
	lasting := func(label, class, note string, from, to time.Time) {
		if from.IsZero() {
			return
		}
		end := "no end"
		if !to.IsZero() {
			end = day(to)
		}
		tip := fmt.Sprintf("%s: %s to %s", label, day(from), end)
		if n := len(rows); n > 0 && rows[n-1].Label == label { // one after another on one line
			rows[n-1].Spans = append(rows[n-1].Spans, draw.Span{From: from, To: to, Class: class, Tip: tip})
		} else {
			rows = append(rows, draw.Row{Label: label, Spans: []draw.Span{{From: from, To: to, Class: class, Tip: tip}}})
		}
		t.Rows = append(t.Rows, timeRow{label, from, to, note})
	}
	lasting("Engagement", "door", words(string(e.State)), e.StartsAt, e.EndsAt)
	for _, key := range e.Agreements {
		if a, ok := v.View.Agreements.Get(key); ok {
			p := paperOf(a, v.Now)
			to := p.Until
			if !a.TerminatedAt.IsZero() {
				to = a.TerminatedAt
			}
			lasting(p.Name, "good", p.State.Word, a.EffectiveAt, to)
		}
	}
	for _, a := range v.View.AssessmentsOf(e.Vendor) {
		class := "good"
		if a.Verdict == snapshot.Fail {
			class = "bad"
		} else if a.Verdict == snapshot.Conditional {
			class = "warn"
		}
		lasting("Assessment", class, words(string(a.Verdict)), a.DecidedAt, a.ValidUntil)
	}
	if w, ok := v.View.Vendors.Get(e.Vendor); ok {
		for _, c := range v.View.CertificationsOf(e.Vendor) {
			if slices.Contains(w.RequiredCertifications, c.Type) && !c.VerifiedAt.IsZero() && c.RevokedAt.IsZero() {
				until := c.ExpiresAt
				if j := diligence.Judge(c, v.View, v.Now); j.Counts {
					until = j.Until
				}
				lasting(certificationName(c.Type), "good", "verified by "+refIn(v.View, c.VerifiedBy).Label, c.VerifiedAt, until)
			}
		}
		if w.Screening.Done() {
			lasting("Screening", "good", "28 CFR Part 202", w.Screening.At, w.Screening.ValidUntil)
		}
	}
	for _, d := range v.View.DeterminationsOf(e.ID) {
		lasting("Determination", "good", d.Expert, d.DeterminedAt, d.ValidUntil)
	}
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
					lasting("Training, "+refIn(v.View, g.Person).Label, "wait", x.Version, x.CompletedAt, x.ExpiresAt)
				}
			}
		}
		if shown++; shown <= timelineGrants {
			to := g.EndsAt
			if !g.EndedAt.IsZero() {
				to = g.EndedAt
			}
			lasting("Grant "+string(g.ID), "door", refIn(v.View, g.Person).Label, g.StartsAt, to)
		}
	}
	from, to := e.StartsAt.AddDate(0, 0, -45), e.EndsAt.AddDate(0, 0, 14)
	if least := v.Now.Add(-timelineBack); from.Before(least) {
		from = least
	}
	if most := v.Now.Add(timelineAhead); to.After(most) {
		to = most
	}
	if least := v.Now.AddDate(0, 0, 90); to.Before(least) {
		to = least
	}
	own := []*snapshot.Engagement{e}
	closed := draw.Row{Label: "What was closed"}
	for _, d := range s.history.About(e.Vendor, keepOfVendor, func(d *done) bool { return d.Closes() && d.At.After(from) && aboutEngagement(v.View, d, e, grants) }) {
		closed.Marks = append(closed.Marks, draw.Mark{At: d.At, Class: "bad", Tip: d.Summary() + ", " + when(d.At)})
		t.Rows = append(t.Rows, timeRow{"Closed: " + d.Summary(), d.At, d.At, refIn(v.View, d.Actor).Label})
	}
	come := draw.Row{Label: "To come, if nobody acts"}
	for _, x := range s.ahead.about(v.Now, func(x forecast.Stop) bool { return stopTouches(x, own) && x.At.Before(to) }) {
		class := "wait"
		if x.Kind == forecast.Stops {
			class = "warn"
		}
		come.Marks = append(come.Marks, draw.Mark{At: x.At, Class: class, Tip: x.Message + ", " + day(x.At)})
		t.Rows = append(t.Rows, timeRow{"To come: " + x.Message, x.At, x.At, x.Next})
	}
	for _, r := range []draw.Row{closed, come} {
		if len(r.Marks) > 0 {
			rows = append(rows, r)
		}
	}
	var band []draw.Band
	for _, d := range s.activity.Days(from, v.Now, func(x way) bool { return x.Engagement == e.ID }) {
		if d.Permitted+d.Refused > 0 {
			band = append(band, draw.Band{At: dayTime(d.Day), Good: d.Permitted, Bad: d.Refused, Tip: fmt.Sprintf("%s: %d permitted, %d refused", day(dayTime(d.Day)), d.Permitted, d.Refused)})
		}
	}
	t.Picture = draw.Timeline("timeline", "The engagement over time", fmt.Sprintf("From %s to %s: %s, %s that closed something and %s to come. The table below has each.", day(from), day(to),
		plural(len(rows), "line"), plural(len(closed.Marks), "act"), plural(len(come.Marks), "date")), from, to, v.Now, rows, band)
	slices.SortStableFunc(t.Rows, func(a, b timeRow) int { return cmp.Or(a.From.Compare(b.From), cmp.Compare(a.What, b.What)) })
	return t
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

package registry

import (
	"fmt"
	"slices"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// OpenCampaign asks for a review of every grant that it is over, by one date. It
// brings reviews forward and puts none off.
type OpenCampaign struct {
	ID         id.Campaign   `json:"id"`
	Title      string        `json:"title"`
	Vendor     id.Vendor     `json:"vendor,omitempty"`     // only grants of this vendor
	Engagement id.Engagement `json:"engagement,omitempty"` // only grants on this engagement
	DueAt      time.Time     `json:"due_at"`
}

func (a OpenCampaign) Subject() snapshot.Subject { return subject(snapshot.NounCampaign, a.ID) }

func (a OpenCampaign) check(v *snapshot.View, _ Actor, now time.Time) error {
	if err := first(fresh("id", v.Campaigns, a.ID), required("title", a.Title, `"Autumn 2026"`), set("due_at", a.DueAt), future("due_at", a.DueAt, now)); err != nil {
		return err
	}
	if a.Vendor != "" {
		if err := exists("vendor", v.Vendors, a.Vendor); err != nil {
			return err
		}
	}
	if a.Engagement != "" {
		if err := exists("engagement", v.Engagements, a.Engagement); err != nil {
			return err
		}
	}
	if len(a.grants(v, now)) == 0 {
		return conflict("", "There is no grant in force that it would be over", "Widen it, or leave it")
	}
	return nil
}

// grants are those in force, in the order of their ids. An elevation ends within
// hours, before anybody could review it.
func (a OpenCampaign) grants(v *snapshot.View, now time.Time) []*snapshot.Grant {
	var out []*snapshot.Grant
	for _, g := range v.Grants.All() {
		w, ok := v.Engagements.Get(g.Engagement)
		if !ok || g.State != snapshot.Approved || g.Elevates != "" || !now.Before(g.EndsAt) ||
			a.Vendor != "" && w.Vendor != a.Vendor || a.Engagement != "" && w.ID != a.Engagement {
			continue
		}
		out = append(out, g)
	}
	return out
}

func (a OpenCampaign) apply(e *snapshot.Edit, s Stamp) {
	c := &snapshot.Campaign{ID: a.ID, Title: a.Title, Vendor: a.Vendor, Engagement: a.Engagement, OpenedBy: s.By, OpenedAt: s.At, DueAt: a.DueAt.UTC()}
	for i, g := range a.grants(e.View(), s.At) {
		r := snapshot.Review{ID: id.Review(fmt.Sprintf("%s-%d", s.ID, i)), Grant: g.ID, DueAt: c.DueAt}
		for _, open := range e.View().ReviewsOf(g.ID) { // earliest due first
			if open.CompletedAt.IsZero() {
				r = *open
				break
			}
		}
		if r.DueAt.After(c.DueAt) {
			r.DueAt = c.DueAt
		}
		r.Campaign = c.ID
		e.Put(&r)
		c.Reviews = append(c.Reviews, r.ID)
	}
	e.Put(c)
}

// BeginCampaign opens the campaign over every grant that the organisation's schedule
// has due (policy): the clock does it, and people open any other.
type BeginCampaign struct {
	ID id.Campaign `json:"id"` // as snapshot.View.DueCampaign names it
}

func (a BeginCampaign) Subject() snapshot.Subject { return subject(snapshot.NounCampaign, a.ID) }

// open is the campaign that is due.
func (a BeginCampaign) open(v *snapshot.View, now time.Time) OpenCampaign {
	due, _ := v.DueCampaign(now)
	return OpenCampaign{ID: due.ID, Title: due.Title, DueAt: due.DueAt}
}

func (a BeginCampaign) check(v *snapshot.View, by Actor, now time.Time) error {
	due, ok := v.DueCampaign(now)
	if !ok || due.ID != a.ID {
		return conflict("id", "No campaign of this name is due by the schedule", "Wait until one is, or open another: sallyport campaign open")
	}
	return a.open(v, now).check(v, by, now)
}

func (a BeginCampaign) apply(e *snapshot.Edit, s Stamp) { a.open(e.View(), s.At).apply(e, s) }

// CloseCampaign ends a campaign in which nothing is left to decide: the last
// decision does so by itself, and this where the last grants ended otherwise.
type CloseCampaign struct {
	ID id.Campaign `json:"id"`
}

func (a CloseCampaign) Subject() snapshot.Subject { return subject(snapshot.NounCampaign, a.ID) }

func (a CloseCampaign) check(v *snapshot.View, _ Actor, _ time.Time) error {
	c, ok := v.Campaigns.Get(a.ID)
	switch {
	case !ok:
		return found("id", v.Campaigns, a.ID)
	case !c.ClosedAt.IsZero():
		return conflict("id", "The campaign is closed", "Nothing is left to do")
	}
	if left := undecided(v, c); len(left) > 0 {
		return conflict("id", fmt.Sprintf("%d reviews of the campaign are not done", len(left)), "Complete them: sallyport campaign items "+string(a.ID))
	}
	return nil
}

func (a CloseCampaign) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Campaigns, a.ID, func(c *snapshot.Campaign) { c.ClosedAt = s.At })
}

// undecided are the reviews of a campaign whose grants go on and wait.
func undecided(v *snapshot.View, c *snapshot.Campaign) []id.Review {
	return slices.DeleteFunc(slices.Clone(c.Reviews), func(key id.Review) bool {
		r, ok := v.Reviews.Get(key)
		if !ok || !r.CompletedAt.IsZero() {
			return true
		}
		g, ok := v.Grants.Get(r.Grant)
		return !ok || g.State == snapshot.Ended
	})
}

func closeIfDone(e *snapshot.Edit, key id.Campaign, s Stamp) {
	c, ok := e.View().Campaigns.Get(key)
	if ok && c.ClosedAt.IsZero() && len(undecided(e.View(), c)) == 0 {
		CloseCampaign{ID: key}.apply(e, s)
	}
}

// CampaignReport is how a campaign was carried out. It is pure arithmetic on what
// the record says; a flag is a reason to look, and no verdict.
type CampaignReport struct {
	Campaign id.Campaign `json:"campaign"`
	Items    int         `json:"items"`
	Decided  int         `json:"decided"`
	Kept     int         `json:"kept"`
	CutDown  int         `json:"cut_down"`
	Revoked  int         `json:"revoked"`
	Lapsed   int         `json:"lapsed"`
	Unopened int         `json:"unopened"` // decided by somebody who had not opened them
	// ShareKept is kept over decided by people, 0 to 1.
	ShareKept float64 `json:"share_kept"`
	// MedianSeconds is how long a reviewer had an item before them. What was not
	// opened counts as nothing; of items opened together only the time since the
	// reviewer's last decision counts.
	MedianSeconds float64          `json:"median_seconds"`
	Reviewers     []ReviewerReport `json:"reviewers"`
	Flags         []string         `json:"flags"` // "hasty", "all-kept", "unopened"; empty: none
}

// ReviewerReport is one reviewer's part.
type ReviewerReport struct {
	Person        id.Person `json:"person"`
	Decided       int       `json:"decided"`
	Kept          int       `json:"kept"`
	MedianSeconds float64   `json:"median_seconds"`
}

// ReportOf makes the report of a campaign, by the view alone. The thresholds are
// the organisation's (policy).
func ReportOf(v *snapshot.View, c *snapshot.Campaign) CampaignReport {
	out := CampaignReport{Campaign: c.ID, Items: len(c.Reviews), Flags: []string{}, Reviewers: []ReviewerReport{}}
	var done []*snapshot.Review
	for _, key := range c.Reviews {
		r, ok := v.Reviews.Get(key)
		switch {
		case !ok || r.CompletedAt.IsZero():
			continue
		case r.Outcome == snapshot.Lapsed:
			out.Lapsed++
			continue
		case r.Outcome == snapshot.Keep:
			out.Kept++
		case r.Outcome == snapshot.CutDown:
			out.CutDown++
		default:
			out.Revoked++
		}
		done = append(done, r)
	}
	slices.SortStableFunc(done, func(a, b *snapshot.Review) int { return a.CompletedAt.Compare(b.CompletedAt) })
	last := map[id.Person]time.Time{}
	of := map[id.Person][]float64{}
	kept := map[id.Person]int{}
	var all []float64
	for _, r := range done {
		took := time.Duration(0)
		if r.OpenedBy == r.CompletedBy {
			began := r.OpenedAt
			if before := last[r.CompletedBy]; before.After(began) {
				began = before
			}
			took = r.CompletedAt.Sub(began)
		} else {
			out.Unopened++
		}
		last[r.CompletedBy] = r.CompletedAt
		of[r.CompletedBy] = append(of[r.CompletedBy], took.Seconds())
		all = append(all, took.Seconds())
		if r.Outcome == snapshot.Keep {
			kept[r.CompletedBy]++
		}
	}
	out.Decided, out.MedianSeconds = len(done), median(all)
	if len(done) > 0 {
		out.ShareKept = float64(out.Kept) / float64(len(done))
	}
	rule := v.Settings.Access
	people := make([]id.Person, 0, len(of))
	for p := range of {
		people = append(people, p)
	}
	slices.Sort(people)
	hasty, allKept := false, false
	for _, p := range people {
		m := median(of[p])
		out.Reviewers = append(out.Reviewers, ReviewerReport{Person: p, Decided: len(of[p]), Kept: kept[p], MedianSeconds: m})
		hasty = hasty || m < rule.Hasty.Seconds()
		allKept = allKept || rule.AllKeepFrom > 0 && len(of[p]) >= rule.AllKeepFrom && kept[p] == len(of[p])
	}
	for _, f := range []struct {
		flag string
		is   bool
	}{{"hasty", hasty}, {"all-kept", allKept}, {"unopened", out.Unopened > 0}} {
		if f.is {
			out.Flags = append(out.Flags, f.flag)
		}
	}
	return out
}

func median(of []float64) float64 {
	if len(of) == 0 {
		return 0
	}
	of = slices.Sorted(slices.Values(of))
	if n := len(of); n%2 == 0 {
		return (of[n/2-1] + of[n/2]) / 2
	}
	return of[len(of)/2]
}

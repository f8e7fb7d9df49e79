package console

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/disclosure"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

type reviewsPage struct {
	List    list
	Overdue int // reviews that nobody did in time, in campaigns or not
	Next    time.Time
}

func (s *server) reviews(v *visit) (reviewsPage, error) {
	var out reviewsPage
	for _, r := range v.View.Reviews.All() {
		if !r.CompletedAt.IsZero() {
			continue
		}
		g, ok := v.View.Grants.Get(r.Grant)
		if !ok || g.State != snapshot.Approved {
			continue
		}
		if v.Now.After(r.DueAt) {
			out.Overdue++
		} else if out.Next.IsZero() || r.DueAt.Before(out.Next) {
			out.Next = r.DueAt
		}
	}
	out.List = listOf(v, listing[*snapshot.Campaign]{
		Caption: "Review campaigns", Rows: values(v.View.Campaigns.All()),
		Search: func(c *snapshot.Campaign) string { return string(c.ID) + "\n" + c.Title + "\n" + string(c.Vendor) },
		Filters: []filter[*snapshot.Campaign]{
			{Key: "state", Label: "State", Of: func(c *snapshot.Campaign) []string { return []string{campaignMark(c, v.Now).Word} }},
		},
		Columns: []column[*snapshot.Campaign]{
			{Key: "title", Label: "Campaign", Cell: func(c *snapshot.Campaign) cell {
				return cell{Text: c.Title, Href: "/console/reviews/" + string(c.ID), Help: campaignOver(v.View, c)}
			}},
			{Key: "done", Label: "Decided", Cell: func(c *snapshot.Campaign) cell {
				n := 0
				for _, k := range c.Reviews {
					if r, ok := v.View.Reviews.Get(k); ok && !r.CompletedAt.IsZero() {
						n++
					}
				}
				return text(fmt.Sprintf("%d of %d", n, len(c.Reviews)))
			}, Fixed: true},
			{Key: "opened", Label: "Opened", Cell: func(c *snapshot.Campaign) cell { return text(day(c.OpenedAt)) }, Sort: func(c *snapshot.Campaign) string { return iso(c.OpenedAt) }},
			{Key: "due", Label: "Due", Cell: func(c *snapshot.Campaign) cell { return cell{Text: day(c.DueAt), Help: ago(v.Now, c.DueAt)} }, Sort: func(c *snapshot.Campaign) string { return iso(c.DueAt) }},
			{Key: "state", Label: "State", Cell: func(c *snapshot.Campaign) cell {
				m := campaignMark(c, v.Now)
				return cell{Text: m.Word, Mark: &m}
			}},
		},
		Sort:  "-opened",
		Empty: empty{Title: "No campaign yet", Text: "In a campaign you look at many grants together: what each was used for since last time, and what could be taken away. A grant whose review is overdue is shut by itself, and ends for good after the grace that your policy gives.", Act: mayDo(s, v, "campaign.open")},
	})
	return out, nil
}

func campaignMark(c *snapshot.Campaign, now time.Time) mark {
	switch {
	case !c.ClosedAt.IsZero():
		return mark{"Closed", "off"}
	case now.After(c.DueAt):
		return mark{"Overdue", "bad"}
	}
	return mark{"Running", "wait"}
}

func campaignOver(v *snapshot.View, c *snapshot.Campaign) string {
	switch {
	case c.Engagement != "":
		return "grants on " + string(c.Engagement)
	case c.Vendor != "":
		return "grants of " + vendorName(v, c.Vendor)
	}
	return "every grant"
}

// reviewPage is a campaign: a few items at a time, each decided by itself.
type reviewPage struct {
	*snapshot.Campaign
	Mark   mark
	Over   string
	Report registry.CampaignReport
	Share  int // decided, in hundredths
	Flags  []reviewFlag
	People []reviewPerson
	Grace  time.Duration
	Items  []reviewItem
	Show   string // "open", "done" or "all"
	Tabs   careTabs
	First  int
	Last   int
	Of     int
	Before string
	After  string
	EndsAt time.Time // when what is not reviewed ends for good
}

type reviewFlag struct{ Title, Says string }

// reviewPerson is what one reviewer did.
type reviewPerson struct {
	registry.ReviewerReport
	Median string
	Hasty  bool
	All    bool // kept everything
}

// reviewItem is one grant, with what a reviewer needs.
type reviewItem struct {
	api.CampaignItem
	Role    string
	Holder  string
	Used    string
	Last    time.Time
	Propose string
	Why     string
	Cut     []careField // the resources that are left, as the act takes them
	CutWhy  string
	Fields  int
	Left    int
	More    int // of Unused, which are not listed
	Peers   []api.Peer
	PeersOf int
	Done    bool
	Result  mark
	By      id.Person
	Took    string
	Apart   bool
}

const (
	reviewItems = 5
	reviewChips = 24
	reviewPeers = 4
)

func (s *server) review(v *visit) (reviewPage, error) {
	c, ok := v.View.Campaigns.Get(id.Campaign(v.PathValue("id")))
	if !ok {
		return reviewPage{}, noSuch("campaign", "/console/reviews")
	}
	v.call(c.Title)
	v.under("Reviews", "/console/reviews")
	access := v.View.Settings.Access
	out := reviewPage{Campaign: c, Mark: campaignMark(c, v.Now), Over: campaignOver(v.View, c), Report: registry.ReportOf(v.View, c), Grace: access.ReviewGrace, EndsAt: c.DueAt.Add(access.ReviewGrace)}
	if out.Report.Items > 0 {
		out.Share = 100 * (out.Report.Decided + out.Report.Lapsed) / out.Report.Items
	}
	out.Flags = reviewFlags(out.Report, access)
	for _, p := range out.Report.Reviewers {
		out.People = append(out.People, reviewPerson{p, seconds(p.MedianSeconds), p.MedianSeconds < access.Hasty.Seconds(), p.Kept == p.Decided && p.Decided >= access.AllKeepFrom})
	}
	out.Show = cmp.Or(v.URL.Query().Get("show"), "open")
	var keys []id.Review
	open := 0
	for _, k := range c.Reviews {
		r, ok := v.View.Reviews.Get(k)
		if !ok {
			continue
		}
		done := !r.CompletedAt.IsZero()
		if !done {
			open++
		}
		if out.Show == "all" || done == (out.Show == "done") {
			keys = append(keys, k)
		}
	}
	at := func(show string) string { return with(v.URL, "show", show, "page", "") }
	out.Tabs = careTabs{"Items of the campaign", []careTab{{"To decide", at("open"), out.Show == "open", open}, {"Decided", at("done"), out.Show == "done", 0}, {"All", at("all"), out.Show == "all", 0}}}
	out.page(v, len(keys))
	for _, k := range keys[out.First-min(out.First, 1) : out.Last] {
		item, err := s.reviewItem(v, c, k)
		if err != nil {
			return out, err
		}
		out.Items = append(out.Items, item)
	}
	return out, nil
}

// page chooses which items are shown: few, because each asks the log.
func (p *reviewPage) page(v *visit, n int) {
	pages := max(1, (n+reviewItems-1)/reviewItems)
	at := 1
	if x, err := strconv.Atoi(v.URL.Query().Get("page")); err == nil {
		at = min(max(x, 1), pages)
	}
	p.Of, p.Last = n, min(at*reviewItems, n)
	if n > 0 {
		p.First = (at-1)*reviewItems + 1
	}
	if at > 1 {
		p.Before = with(v.URL, "page", strconv.Itoa(at-1))
	}
	if at < pages {
		p.After = with(v.URL, "page", strconv.Itoa(at+1))
	}
}

// reviewItem is one item, asked of the API by where it stands in the campaign.
func (s *server) reviewItem(v *visit, c *snapshot.Campaign, key id.Review) (reviewItem, error) {
	var got api.List[api.CampaignItem]
	at := slices.Index(c.Reviews, key)
	q := url.Values{"limit": {"1"}}
	if at > 0 {
		q.Set("after", string(c.Reviews[at-1]))
	}
	if err := s.read(v, "/v1/campaigns/"+url.PathEscape(string(c.ID))+"/items?"+q.Encode(), &got); err != nil {
		return reviewItem{}, err
	}
	if len(got.Items) != 1 {
		return reviewItem{}, noSuch("review", "/console/reviews")
	}
	x := reviewItem{CampaignItem: got.Items[0]}
	x.say(v)
	return x, nil
}

// say puts the item in words.
func (x *reviewItem) say(v *visit) {
	x.Role, x.Holder = roleTitle(v.View, x.Grant.Role), personName(v.View, x.Grant.Person)
	x.Apart = v.Person.ID == x.Grant.Person || v.Person.ID == x.Grant.RequestedBy
	for _, t := range x.Scope.Types {
		x.Fields += len(t.Elements)
	}
	x.Left = x.Fields
	if used := x.CampaignItem.Used; used == nil {
		x.Used = "What it was used for is not known on this server, so nothing is proposed."
	} else {
		x.Used, x.Last = usedWords(*used), used.LastUsed
	}
	x.Propose, x.Why = proposed(x.CampaignItem)
	if len(x.Proposed) > 0 {
		x.Left = 0
		for _, typ := range slices.Sorted(maps.Keys(x.Proposed)) {
			scope := x.Proposed[typ]
			x.Left += len(scope.Elements)
			x.Cut = append(x.Cut, careField{"resources." + typ + ".interactions", strings.Join(scope.Interactions, "\n")}, careField{"resources." + typ + ".elements", strings.Join(scope.Elements, "\n")})
		}
	}
	x.CutWhy = plural(len(x.Unused), "right") + " not used since " + day(x.Since)
	if n := len(x.Unused); n > reviewChips {
		x.Unused, x.More = x.Unused[:reviewChips], n-reviewChips
	}
	x.Unused = slices.Clone(x.Unused)
	for i, text := range x.Unused {
		x.Unused[i] = rightUnused(text)
	}
	x.PeersOf = len(x.CampaignItem.Peers)
	x.Peers = x.CampaignItem.Peers[:min(x.PeersOf, reviewPeers)]
	r := x.Review
	if r.CompletedAt.IsZero() {
		return
	}
	x.Done, x.By = true, r.CompletedBy
	x.Result = map[snapshot.ReviewOutcome]mark{snapshot.Keep: {"Kept", "good"}, snapshot.CutDown: {"Cut down", "good"}, snapshot.Revoke: {"Revoked", "bad"}, snapshot.Lapsed: {"Lapsed by itself", "bad"}}[r.Outcome]
	switch {
	case r.Outcome == snapshot.Lapsed:
	case r.OpenedAt.IsZero() || r.OpenedBy != r.CompletedBy:
		x.Took = "without having opened it"
	default:
		x.Took = "after " + seconds(r.CompletedAt.Sub(r.OpenedAt).Seconds())
	}
}

func usedWords(u disclosure.Usage) string {
	if u.Decisions == 0 && u.Refusals == 0 {
		return "Not used at all."
	}
	text := fmt.Sprintf("Asked %s, of which %s refused.", plural(int(u.Decisions+u.Refusals), "time"), number(u.Refusals))
	if u.Releases > 0 {
		text += fmt.Sprintf(" %s left: %s, %s.", plural(int(u.Releases), "release"), plural(int(u.Patients), "patient"), humanBytes(u.Bytes))
	}
	return text
}

func proposed(x api.CampaignItem) (what, why string) {
	switch x.Propose {
	case snapshot.Revoke:
		return "Revoke", "nobody used it"
	case snapshot.CutDown:
		return "Cut down", plural(len(x.Unused), "right") + " that nobody used can go"
	}
	return "Keep", "all of it was used"
}

// seconds is a short time in words.
func seconds(s float64) string {
	switch {
	case s < 1:
		return "no time"
	case s < 120:
		return plural(int(s), "second")
	case s < 2*60*60:
		return plural(int(s/60), "minute")
	case s < 48*60*60:
		return plural(int(s/3600), "hour")
	}
	return plural(int(s/86400), "day")
}

// reviewFlags says in words what looks like a rubber stamp.
func reviewFlags(r registry.CampaignReport, access snapshot.AccessRule) []reviewFlag {
	var out []reviewFlag
	for _, f := range r.Flags {
		switch f {
		case "hasty":
			out = append(out, reviewFlag{"Hasty", fmt.Sprintf("half of the items were decided within %s; less than %s is shown (policy)", seconds(r.MedianSeconds), seconds(access.Hasty.Seconds()))})
		case "all-kept":
			out = append(out, reviewFlag{"All kept", fmt.Sprintf("all of the %s were kept; from %d on that is shown (policy)", plural(r.Decided, "item"), access.AllKeepFrom)})
		case "unopened":
			out = append(out, reviewFlag{"Unopened", plural(r.Unopened, "item") + " decided by somebody who had not opened them"})
		default:
			out = append(out, reviewFlag{words(f), ""})
		}
	}
	return out
}

package console

import (
	"cmp"
	"net/url"
	"time"

	"github.com/sallyport/sallyport/diligence"
	"github.com/sallyport/sallyport/forecast"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// vendorRow is a vendor in the list.
type vendorRow struct {
	*snapshot.Vendor
	Risk    diligence.Level
	Work    int // engagements that are approved and not over
	Papers  int // in force
	Held    bool
	Next    forecast.Stop // what stops next
	HasNext bool
	Last    int64 // the newest day on which it asked
}

type vendorsPage struct{ List list }

func (s *server) vendors(v *visit) (vendorsPage, error) {
	v.call("Vendors")
	next, _ := s.ahead.Within(v.Context(), v.Now, aheadFor)
	first := make(map[id.Vendor]forecast.Stop)
	for _, x := range next {
		if _, ok := first[x.Vendor]; !ok && x.Kind == forecast.Stops {
			first[x.Vendor] = x
		}
	}
	last := s.activity.lastDays()
	rows := func(yield func(vendorRow) bool) {
		for key, w := range v.View.Vendors.All() {
			r := vendorRow{Vendor: w, Risk: diligence.InherentRisk(w.Profile, len(diligence.Below(v.View, key))).Level, Last: last[key], Held: heldNow(v.View, snapshot.Subject{Noun: snapshot.NounVendor, ID: string(key)})}
			for _, e := range v.View.EngagementsOf(key) {
				if e.State == snapshot.Approved && e.EndsAt.After(v.Now) {
					r.Work++
				}
			}
			for _, a := range v.View.AgreementsOf(key) {
				if paperInForce(a, v.Now) {
					r.Papers++
				}
			}
			r.Next, r.HasNext = first[key]
			if !yield(r) {
				return
			}
		}
	}
	f := s.frame(v)
	return vendorsPage{listOf(v, listing[vendorRow]{
		Caption: "Vendors", Rows: rows, Sort: "name",
		Search: func(r vendorRow) string { return r.Name + " " + string(r.ID) + " " + r.Contact },
		Columns: []column[vendorRow]{
			{Key: "name", Label: "Vendor", Cell: func(r vendorRow) cell {
				return cell{Text: r.Name, Href: vendorPath(r.ID, ""), Help: string(r.ID)}
			}},
			{Key: "state", Label: "State", Cell: func(r vendorRow) cell {
				if r.Held {
					return marked("held")
				}
				return marked(string(r.State))
			}},
			{Key: "risk", Label: "Risk", Cell: func(r vendorRow) cell { return markOf(riskMark(r.Risk)) }, Sort: func(r vendorRow) string { return riskOrder(r.Risk) }},
			{Key: "engagements", Label: "Engagements", Num: true, Cell: func(r vendorRow) cell { return text(number(r.Work)) }},
			{Key: "papers", Label: "Papers in force", Num: true, Cell: func(r vendorRow) cell { return text(number(r.Papers)) }},
			{Key: "next", Label: "Next stop", Cell: func(r vendorRow) cell {
				if !r.HasNext {
					return text(map[bool]string{true: "none in a year", false: "no data flows"}[r.Work > 0])
				}
				return cell{Text: day(r.Next.At), Href: vendorPath(r.ID, "ahead"), Help: words(r.Next.Gate) + ", " + ago(v.Now, r.Next.At)}
			}, Sort: func(r vendorRow) string {
				if !r.HasNext {
					return "9999"
				}
				return iso(r.Next.At)
			}},
			{Key: "asked", Label: "Last asked", Wide: true, Cell: func(r vendorRow) cell {
				if r.Last == 0 {
					return text("never")
				}
				return cell{Text: day(dayTime(r.Last)), Help: agoDays(v.Now, r.Last)}
			}, Sort: func(r vendorRow) string { return time.Unix(r.Last*86400, 0).UTC().Format(time.DateOnly) }},
		},
		Filters: []filter[vendorRow]{
			{Key: "state", Label: "State", Of: func(r vendorRow) []string { return []string{string(r.State)} }},
			{Key: "risk", Label: "Risk", Of: func(r vendorRow) []string { return []string{string(r.Risk)} }},
		},
		Empty: empty{"No vendor yet", "A vendor is an outside firm that is to have data. One person asks to take it on, another approves; its papers and people follow, and only then its programs.", f.May("vendor.propose")},
	})}, nil
}

// agoDays is how long ago a day was.
func agoDays(now time.Time, last int64) string {
	if n := int(dayOf(now) - last); n > 0 {
		return plural(n, "day") + " ago"
	}
	return "today"
}

// vendorPath is a vendor's page, at one of its tabs.
func vendorPath(key id.Vendor, tab string) string {
	path := "/console/vendors/" + url.PathEscape(string(key))
	if tab != "" {
		path += "?tab=" + tab
	}
	return path
}

func heldNow(v *snapshot.View, x snapshot.Subject) bool {
	for _, h := range v.HoldsOn(x) {
		if h.LiftedAt.IsZero() {
			return true
		}
	}
	return false
}

// paperInForce reports whether a paper is in force by its own record. Whether it is
// enough for a class of data, the gates say.
func paperInForce(a *snapshot.Agreement, now time.Time) bool {
	return a.State == snapshot.Approved && !a.OverBy(now) && a.SuspendedAt.IsZero() && !a.EffectiveAt.After(now) && (a.EndsAt.IsZero() || a.EndsAt.After(now)) &&
		a.SignedBy(snapshot.VendorParty, now) && (a.SignedBy(snapshot.Organisation, now) || a.SignedBy(snapshot.SubcontractorParty, now))
}

// riskMark is a level of risk as a mark.
func riskMark(l diligence.Level) mark {
	tone := map[diligence.Level]string{diligence.Low: "good", diligence.Moderate: "off", diligence.High: "warn", diligence.Critical: "bad"}
	return mark{words(string(l)), cmp.Or(tone[l], "off")}
}

func riskOrder(l diligence.Level) string {
	for i, x := range diligence.Levels {
		if x == l {
			return string(rune('0' + i))
		}
	}
	return "9"
}

func markOf(m mark) cell { return cell{Text: m.Word, Mark: &m} }

// certificationName is what a type of report or certificate is called.
func certificationName(key string) string {
	for _, t := range hipaa.CertificationTypes() {
		if t.ID == key {
			return t.Name
		}
	}
	return key
}

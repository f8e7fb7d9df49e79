package console

import (
	"cmp"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/sallyport/sallyport/diligence"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

func partnerScreens() []screen {
	return []screen{
		on("vendors", "Vendors", "GET /console/vendors", ours, (*server).vendors),
		on("vendor", "Vendor", "GET /console/vendors/{id}", ours, (*server).vendor),
		on("engagements", "Engagements", "GET /console/engagements", ours, (*server).engagements),
		on("engagement", "Engagement", "GET /console/engagements/{id}", ours, (*server).engagement),
		on("grant", "Grant", "GET /console/grants/{id}", ours, (*server).grant),
		on("role", "Role", "GET /console/roles/{id}", ours, (*server).role),
		{Title: "A stored paper", Pattern: "GET /console/documents/{sha256}", For: ours, show: func(s *server, v *visit) (any, error) {
			digest := v.PathValue("sha256")
			return nil, s.pass(v, "/v1/documents/"+url.PathEscape(digest), "paper-"+digest[:min(len(digest), 12)])
		}},
	}
}

// partners keeps what takes long to find out about the registry. It is made anew for each
// version, once.
type partners struct {
	mu sync.Mutex

	waitsVersion uint64
	waitsAt      time.Time
	waits        []waiting
	own          map[*snapshot.Person][]waiting // of them, those for each who asked

	judgedVersion uint64
	judged        map[id.Certification]diligence.Judgement
}

// judge is what a report is worth now. A page judges thousands, and each leans on others.
func (p *partners) judge(v *snapshot.View, c *snapshot.Certification, now time.Time) diligence.Judgement {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.judged == nil || p.judgedVersion != v.Version() {
		p.judged, p.judgedVersion = map[id.Certification]diligence.Judgement{}, v.Version()
	}
	j, ok := p.judged[c.ID]
	if !ok || now.Before(j.Since) || !j.Change.IsZero() && !now.Before(j.Change) {
		j = diligence.Judge(c, v, now)
		p.judged[c.ID] = j
	}
	return j
}

// grantsOf are the grants on a vendor's engagements, ended ones too, in the order of
// their ids.
func grantsOf(v *snapshot.View, vendor id.Vendor) []*snapshot.Grant {
	var out []*snapshot.Grant
	for _, e := range v.EngagementsOf(vendor) {
		out = append(out, v.GrantsOf(e.ID)...)
	}
	slices.SortFunc(out, func(a, b *snapshot.Grant) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// lastDays are the newest day on which each vendor asked for anything, counted as
// dayCount counts.
func (a *activity) lastDays() map[id.Vendor]int64 {
	out := map[id.Vendor]int64{}
	a.mu.RLock()
	defer a.mu.RUnlock()
	for w, days := range a.ways {
		if n := len(days); n > 0 && days[n-1].Day > out[w.Vendor] {
			out[w.Vendor] = days[n-1].Day
		}
	}
	return out
}

func dayTime(day int64) time.Time { return time.Unix(day*86400, 0).UTC() }

// vendorName is what a vendor is called.
func vendorName(v *snapshot.View, key id.Vendor) string {
	if x, ok := v.Vendors.Get(key); ok {
		return x.Name
	}
	return string(key)
}

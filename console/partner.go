package console

import (
	"net/url"
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

// partners keeps what is looked up in the registry in a way that the view has no index
// for. It is made anew for each version, once.
type partners struct {
	mu      sync.Mutex
	version uint64
	index   *partnerIndex

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

type partnerIndex struct {
	grants  map[id.Engagement][]*snapshot.Grant
	devices map[id.Vendor][]*snapshot.Device
	apps    map[id.Vendor][]*snapshot.App
}

// of is the index of the view that the visitor looks at.
func (p *partners) of(v *snapshot.View) *partnerIndex {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.index != nil && p.version == v.Version() {
		return p.index
	}
	x := &partnerIndex{grants: map[id.Engagement][]*snapshot.Grant{}, devices: map[id.Vendor][]*snapshot.Device{}, apps: map[id.Vendor][]*snapshot.App{}}
	for _, g := range v.Grants.All() {
		x.grants[g.Engagement] = append(x.grants[g.Engagement], g)
	}
	for _, d := range v.Devices.All() {
		x.devices[d.Vendor] = append(x.devices[d.Vendor], d)
	}
	for _, a := range v.Apps.All() {
		x.apps[a.Vendor] = append(x.apps[a.Vendor], a)
	}
	p.version, p.index = v.Version(), x
	return x
}

// grantsOf are the grants on engagements, ended ones too.
func (s *server) grantsOf(v *visit, engagements []*snapshot.Engagement) []*snapshot.Grant {
	index := s.partners.of(v.View)
	var out []*snapshot.Grant
	for _, e := range engagements {
		out = append(out, index.grants[e.ID]...)
	}
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

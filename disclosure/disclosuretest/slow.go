package disclosuretest

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"maps"
	"slices"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/disclosure"
	"github.com/sallyport/sallyport/hipaa"
)

// Slow works out radii from the entries of the log alone: one pass from its first
// entry to through, and no code in common with the index but the types of the answer.
func Slow(ctx context.Context, log *audit.Log, through uint64, queries ...disclosure.Query) ([]disclosure.Radius, error) {
	intents := map[uint64]*audit.Intent{}
	var waiting []string
	number := map[string]int{} // of pseudonyms
	all := make([]*slow, len(queries))
	for i, q := range queries {
		if q.Through == 0 || q.Through > through {
			q.Through = through
		}
		all[i] = newSlow(log.Origin(), q)
	}
	err := log.Scan(ctx, 0, through, func(at uint64, e audit.Entry) error {
		switch {
		case e.Intent != nil:
			intents[at] = e.Intent
		case e.Patients != nil:
			waiting = append(waiting, e.Patients.Patients...)
			return nil
		case e.Outcome != nil:
			in := intents[e.Outcome.Ticket]
			if in == nil {
				return fmt.Errorf("entry %d has no intent", at)
			}
			var who []int
			for _, p := range append(waiting, e.Outcome.Patients...) {
				n, ok := number[p]
				if !ok {
					n = len(number)
					number[p] = n
				}
				who = append(who, n)
			}
			for _, s := range all {
				s.outcome(at, e.Time, in, e.Outcome, who)
			}
			if e.Outcome.Final {
				delete(intents, e.Outcome.Ticket)
			}
		}
		waiting = nil
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := make([]disclosure.Radius, len(all))
	for i, s := range all {
		out[i] = s.radius()
	}
	return out, nil
}

// people is a set of patients.
type people []uint64

func (p *people) add(n int) {
	for n/64 >= len(*p) {
		*p = append(*p, 0)
	}
	(*p)[n/64] |= 1 << (n % 64)
}

func (p people) count() (n uint64) {
	for _, w := range p {
		for ; w != 0; w >>= 1 {
			n += w & 1
		}
	}
	return n
}

type counted struct {
	disclosure.Total
	people
}

func (c *counted) total() disclosure.Total {
	t := c.Total
	t.Patients = c.count()
	return t
}

type slow struct {
	r      disclosure.Radius
	all    counted
	clear  counted
	groups map[string]map[string]*counted
	forms  map[disclosure.Form]*counted
	digest hash.Hash
}

func newSlow(origin string, q disclosure.Query) *slow {
	s := &slow{groups: map[string]map[string]*counted{}, forms: map[disclosure.Form]*counted{}, digest: sha256.New()}
	for _, g := range []string{"class", "type", "sealing", "vendor", "engagement", "person", "device", "source"} {
		s.groups[g] = map[string]*counted{}
	}
	slices.Sort(q.Vendors)
	slices.Sort(q.Engagements)
	slices.Sort(q.Persons)
	slices.Sort(q.Devices)
	slices.Sort(q.Grants)
	s.r.Log, s.r.Query = origin, q
	text, err := json.Marshal(q)
	if err != nil {
		panic(err) // a struct of strings and times
	}
	fmt.Fprintf(s.digest, "sallyport disclosure radius 1\n%s\n%s\n", origin, text)
	return s
}

func has[T comparable](list []T, v T) bool { return len(list) == 0 || slices.Contains(list, v) }

func (s *slow) outcome(at uint64, t time.Time, in *audit.Intent, o *audit.OutcomeRecord, who []int) {
	q := &s.r.Query
	if at >= q.Through || in.Direction != audit.Out || in.Action == "reveal" || !has(q.Vendors, in.Vendor) || !has(q.Engagements, in.Engagement) || !has(q.Persons, in.Person) ||
		!has(q.Devices, in.Device) || !has(q.Apps, in.App) || !has(q.Grants, in.Grant) || !has(q.Sources, in.Source) ||
		!q.Since.IsZero() && t.Before(q.Since) || !q.Until.IsZero() && !t.Before(q.Until) {
		return
	}
	switch o.Result {
	case audit.Withheld:
		s.r.Withheld++
		return
	case audit.Incomplete:
		s.r.Incomplete++
		return
	}
	var index [8]byte
	binary.BigEndian.PutUint64(index[:], at)
	s.digest.Write(index[:])
	if o.Chunk == 0 {
		s.r.Decisions++
	}
	if s.r.First.IsZero() {
		s.r.First = t
	}
	s.r.Last = t
	sealing, resources := "none", uint64(0)
	for _, c := range o.Resources {
		resources += c.N
	}
	add := func(c *counted, n, bytes uint64) {
		c.Releases++
		c.Resources += n
		c.Bytes += bytes
		for _, w := range who {
			c.people.add(w)
		}
	}
	if o.Sealed != nil {
		sealing = o.Sealed.Mode
	} else {
		add(&s.clear, resources, o.Bytes)
	}
	add(&s.all, resources, o.Bytes)
	group := func(name, key string) *counted {
		c, ok := s.groups[name][key]
		if !ok {
			c = new(counted)
			s.groups[name][key] = c
		}
		return c
	}
	for name, key := range map[string]string{"class": string(in.DataClass), "sealing": sealing, "vendor": string(in.Vendor), "engagement": string(in.Engagement),
		"person": string(in.Person), "device": string(in.Device), "source": string(in.Source)} {
		add(group(name, key), resources, o.Bytes)
	}
	for _, c := range o.Resources {
		add(group("type", c.Type), c.N, 0)
	}
	form := disclosure.Form{DataClass: in.DataClass, Profile: in.Profile, ProfileDigest: hexed(in.ProfileDigest), ScopeDigest: hexed(in.ScopeDigest), Identified: in.DataClass != hipaa.DeIdentified}
	c, ok := s.forms[form]
	if !ok {
		c = new(counted)
		s.forms[form] = c
	}
	add(c, resources, o.Bytes)
}

func hexed(d audit.Digest) string {
	if d == (audit.Digest{}) {
		return ""
	}
	return hex.EncodeToString(d[:])
}

func (s *slow) radius() disclosure.Radius {
	list := func(name string) []disclosure.Group {
		out := []disclosure.Group{}
		for _, k := range slices.Sorted(maps.Keys(s.groups[name])) {
			out = append(out, disclosure.Group{Key: k, Total: s.groups[name][k].total()})
		}
		return out
	}
	r := s.r
	r.Total, r.Unsealed = s.all.total(), s.clear.total()
	r.DataClasses, r.Types, r.Sealing, r.Vendors = list("class"), list("type"), list("sealing"), list("vendor")
	r.Engagements, r.Persons, r.Devices, r.Sources = list("engagement"), list("person"), list("device"), list("source")
	r.Forms = []disclosure.Form{}
	for f, c := range s.forms {
		f.Total = c.total()
		r.Forms = append(r.Forms, f)
	}
	slices.SortFunc(r.Forms, func(a, b disclosure.Form) int {
		return cmp.Or(cmp.Compare(a.DataClass, b.DataClass), cmp.Compare(a.Profile, b.Profile), cmp.Compare(a.ProfileDigest, b.ProfileDigest), cmp.Compare(a.ScopeDigest, b.ScopeDigest))
	})
	r.Digest = hex.EncodeToString(s.digest.Sum(nil))
	return r
}

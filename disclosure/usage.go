package disclosure

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"slices"
	"time"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
)

// Usage is what a grant was used for, for its review (45 CFR 164.308(a)(4)(ii)(C)).
type Usage struct {
	Grant        id.Grant          `json:"grant"`
	Since        time.Time         `json:"since,omitzero"`
	Through      uint64            `json:"through"`   // the log's entries before this index were looked at
	Decisions    uint64            `json:"decisions"` // permitted requests
	Refusals     uint64            `json:"refusals"`
	Releases     uint64            `json:"releases"`
	Patients     uint64            `json:"patients"`
	Bytes        uint64            `json:"bytes"`
	Types        map[string]uint64 `json:"types"`        // resources that were released, by R4 type
	Interactions map[string]uint64 `json:"interactions"` // permitted requests, by "Observation.read"
	Shown        []Shown           `json:"shown"`        // which elements appeared, by view and R4 type
	LastUsed     time.Time         `json:"last_used,omitzero"`
}

// Usage answers what a grant was used for since a time.
func (x *Index) Usage(ctx context.Context, grant id.Grant, since time.Time) (Usage, error) {
	if id.Check(grant) != nil {
		return Usage{}, problem.BadField("grant", "is not an id", "List them: sallyport grant list")
	}
	f, done, err := x.sum(ctx, Query{Grants: []id.Grant{grant}, Since: since})
	if err != nil {
		return Usage{}, err
	}
	defer done()
	u := Usage{Grant: grant, Since: f.q.Since, Through: f.q.Through, Types: map[string]uint64{}, Interactions: map[string]uint64{}}
	all, elements := newTally(len(f.patients)), showing{}
	var o release
	err = f.inOrder(ctx, false, func(r row, _ uint64, hot, _ []byte) error {
		t := &f.tuples[r.facts]
		switch r.kind {
		case kindIntent:
			u.Decisions++
			action := f.strings[t[fAction]]
			if typ := f.strings[t[fResource]]; typ != "" {
				action = typ + "." + action
			}
			u.Interactions[action]++
			u.LastUsed = time.Unix(0, r.time).UTC()
		case kindRefusal:
			u.Refusals++
		case kindReleased:
			if err := o.read(r, hot, &f.words); err != nil {
				return err
			}
			all.add(&o, 0, o.bytes)
			for _, c := range o.types {
				u.Types[f.strings[c.typ]] += c.n
			}
			if err := elements.add(r, &o, &f.words); err != nil {
				return err
			}
			u.LastUsed = time.Unix(0, r.time).UTC()
		}
		return nil
	})
	if err != nil {
		return Usage{}, f.damaged(ctx, err)
	}
	sum := all.total()
	u.Shown = elements.list()
	u.Releases, u.Patients, u.Bytes = sum.Releases, sum.Patients, sum.Bytes
	return u, nil
}

// inOrder calls fn for the rows that match, in the order of the log.
func (f *search) inOrder(ctx context.Context, cold bool, fn func(r row, index uint64, hot, cold []byte) error) error {
	for _, s := range f.segments {
		if !f.may(s, 0) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		rows, hot, rest, err := s.load(cold)
		if err != nil {
			return err
		}
		var failed error
		f.each(s, rows, ^kinds(0), 0, func(r row, index uint64) bool {
			failed = fn(r, index, hot, rest)
			return failed == nil
		})
		if failed != nil {
			return failed
		}
	}
	return nil
}

// Inventory is what a vendor, or one engagement, was given: what must come back or be
// destroyed (45 CFR 164.504(e)(2)(ii)(J)).
type Inventory struct {
	Log   string `json:"log"`
	Query Query  `json:"query"`
	Total
	// List is the SHA-256 of the digests of all releases, in hex, one a line in the
	// order of the log: what the list of files of an attestation can be checked by.
	List        string          `json:"list_sha256"`
	DataClass   hipaa.DataClass `json:"data_class,omitempty"` // the most identifiable that was released
	First       time.Time       `json:"first,omitzero"`
	Last        time.Time       `json:"last,omitzero"`
	Engagements []id.Engagement `json:"engagements"`
	Items       []Item          `json:"items"`
}

// Item is what was released in one form to one machine.
type Item struct {
	Engagement    id.Engagement   `json:"engagement"`
	DataClass     hipaa.DataClass `json:"data_class"`
	Profile       string          `json:"profile"`
	ProfileDigest string          `json:"profile_digest,omitempty"`
	ScopeDigest   string          `json:"scope_digest,omitempty"`
	Sealing       string          `json:"sealing"` // "none", or how it was sealed
	Device        id.Device       `json:"device"`
	App           id.App          `json:"app"`
	Total
	Types []Count   `json:"types"`
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
	List  string    `json:"list_sha256"` // as Inventory's, of these alone
}

// item is one that is being counted.
type item struct {
	*tally
	types       map[uint32]uint64
	first, last int64
	list        hash.Hash
}

// itemKey is engagement, class, profile, its digest, scope digest, sealing, device, app.
type itemKey [8]uint32

// Inventory answers what was given under a query.
func (x *Index) Inventory(ctx context.Context, q Query) (Inventory, error) {
	f, done, err := x.sum(ctx, q)
	if err != nil {
		return Inventory{}, err
	}
	defer done()
	f.outward()
	all, whole := newTally(len(f.patients)), sha256.New()
	items := map[itemKey]*item{}
	var o release
	var line [65]byte
	line[64] = '\n'
	err = f.inOrder(ctx, true, func(r row, _ uint64, hot, cold []byte) error {
		if r.kind != kindReleased {
			return nil
		}
		if err := o.read(r, hot, &f.words); err != nil {
			return err
		}
		digest, err := digestAt(r, cold)
		if err != nil {
			return err
		}
		t := &f.tuples[r.facts]
		key := itemKey{t[fEngagement], t[fDataClass], t[fProfile], t[fProfileDigest], t[fScopeDigest], o.mode, t[fDevice], t[fApp]}
		i, ok := items[key]
		if !ok {
			i = &item{tally: newTally(len(f.patients)), types: map[uint32]uint64{}, first: r.time, list: sha256.New()}
			items[key] = i
		}
		n := uint64(0)
		for _, c := range o.types {
			i.types[c.typ] += c.n
			n += c.n
		}
		i.add(&o, n, o.bytes)
		all.add(&o, n, o.bytes)
		i.last = r.time
		hex.Encode(line[:], digest)
		i.list.Write(line[:])
		whole.Write(line[:])
		return nil
	})
	if err != nil {
		return Inventory{}, f.damaged(ctx, err)
	}
	out := Inventory{Log: f.origin, Query: f.q, Total: all.total(), List: hex.EncodeToString(whole.Sum(nil)), Engagements: []id.Engagement{}, Items: []Item{}}
	for k, i := range items {
		out.Items = append(out.Items, f.item(k, i))
	}
	slices.SortFunc(out.Items, func(a, b Item) int {
		return cmp.Or(cmp.Compare(a.Engagement, b.Engagement), cmp.Compare(a.DataClass, b.DataClass), cmp.Compare(a.Profile, b.Profile), cmp.Compare(a.ProfileDigest, b.ProfileDigest),
			cmp.Compare(a.ScopeDigest, b.ScopeDigest), cmp.Compare(a.Sealing, b.Sealing), cmp.Compare(a.Device, b.Device), cmp.Compare(a.App, b.App))
	})
	for n, i := range out.Items {
		if !slices.Contains(out.Engagements, i.Engagement) {
			out.Engagements = append(out.Engagements, i.Engagement)
		}
		if out.First.IsZero() || i.First.Before(out.First) {
			out.First = i.First
		}
		if i.Last.After(out.Last) {
			out.Last = i.Last
		}
		if n == 0 || rank(i.DataClass) < rank(out.DataClass) {
			out.DataClass = hipaa.DataClasses[rank(i.DataClass)]
		}
	}
	return out, nil
}

func (f *search) item(k itemKey, i *item) Item {
	s := func(n int) string { return f.strings[k[n]] }
	out := Item{id.Engagement(s(0)), hipaa.DataClass(s(1)), s(2), s(3), s(4), cmp.Or(s(5), "none"), id.Device(s(6)), id.App(s(7)), i.total(), []Count{},
		time.Unix(0, i.first).UTC(), time.Unix(0, i.last).UTC(), hex.EncodeToString(i.list.Sum(nil))}
	for typ, n := range i.types {
		out.Types = append(out.Types, Count{f.strings[typ], n})
	}
	slices.SortFunc(out.Types, func(a, b Count) int { return cmp.Compare(a.What, b.What) })
	return out
}

// rank orders classes, the most identifiable first. What is not known counts as PHI.
func rank(c hipaa.DataClass) int { return max(0, slices.Index(hipaa.DataClasses, c)) }

var errCold = errors.New("its digest does not read")

// digestAt is the digest of a row's release.
func digestAt(r row, cold []byte) ([]byte, error) {
	if int(r.cold) > len(cold) {
		return nil, errors.Join(errDamaged, errCold)
	}
	in := reader{b: cold[r.cold:]}
	in.text() // decision
	in.text() // release
	in.uvarint()
	in.uvarint()
	in.uvarint()
	digest := in.take(32)
	if in.bad {
		return nil, errors.Join(errDamaged, errCold)
	}
	return digest, nil
}

package disclosure

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/bits"
	"slices"
	"time"

	"github.com/sallyport/sallyport/hipaa"
)

// Radius is what was disclosed under a query: the blast radius of an incident
// (45 CFR 164.402, 164.404(c)(1), 164.410(c)(1)).
type Radius struct {
	// Log is the name of the log, and Query the question with the place in the log up
	// to which it was answered.
	Log   string `json:"log"`
	Query Query  `json:"query"`
	// Digest binds the answer: SHA-256 over the log's name, the query and the log
	// index of every release that counts. Each of those entries has a proof.
	Digest string `json:"radius_sha256"`
	Total
	Decisions  uint64    `json:"decisions"`            // under which something left; of those whose first release is among these
	Incomplete uint64    `json:"incomplete,omitempty"` // streams that broke off; what had left before counts above
	Withheld   uint64    `json:"withheld,omitempty"`   // prepared, and nothing left
	First      time.Time `json:"first,omitzero"`
	Last       time.Time `json:"last,omitzero"`
	// Unsealed is what left in the clear inside TLS: not sealed to its recipient.
	Unsealed    Total   `json:"unsealed"`
	DataClasses []Group `json:"data_classes"`
	Types       []Group `json:"types"`
	Forms       []Form  `json:"forms"`
	Sealing     []Group `json:"sealing"`
	Vendors     []Group `json:"vendors"`
	Engagements []Group `json:"engagements"`
	Persons     []Group `json:"persons"`
	Devices     []Group `json:"devices"`
	Sources     []Group `json:"sources"`
}

// Total counts releases.
type Total struct {
	Releases  uint64 `json:"releases"`
	Patients  uint64 `json:"patients"`  // distinct pseudonyms
	Resources uint64 `json:"resources"` // as often as they left
	Bytes     uint64 `json:"bytes"`     // as they left; sealed with their wrapping
}

// Group is what has one key in common. An empty key: the log does not say. Beside a
// resource type, Releases and Patients are those of releases that hold some of it,
// Resources are of the type alone, and Bytes are not known.
type Group struct {
	Key string `json:"key"`
	Total
}

// Form is what was done to the data before it left: in which class of the regulation,
// by which profile's rules, and what of a record the role showed under them. The log
// has the rules by digest; the registry and the profile's file say what they were.
type Form struct {
	DataClass     hipaa.DataClass `json:"data_class"`
	Profile       string          `json:"profile"`
	ProfileDigest string          `json:"profile_digest,omitempty"`
	ScopeDigest   string          `json:"scope_digest,omitempty"`
	Identified    bool            `json:"identified"` // anything but de-identified, 45 CFR 164.514(a): PHI, a limited data set, or not known
	Total
}

// tally counts, with the set of patients.
type tally struct {
	Total
	seen []uint64
	// late are patients that are not in seen yet. Hundreds of sets of a million patients
	// do not fit into a processor's cache: each takes in many at once.
	late []uint32
}

const lateLen = 8192

func newTally(patients int) *tally { return &tally{seen: make([]uint64, (patients+63)/64)} }

func (t *tally) add(o *release, resources, bytes uint64) {
	t.Releases++
	t.Resources += resources
	t.Bytes += bytes
	if len(t.late)+len(o.patients) > lateLen {
		t.settle()
	}
	t.late = append(t.late, o.patients...)
}

func (t *tally) settle() {
	for _, p := range t.late {
		t.seen[p>>6] |= 1 << (p & 63)
	}
	t.late = t.late[:0]
}

func (t *tally) join(o *tally) {
	t.settle()
	o.settle()
	t.Releases, t.Resources, t.Bytes = t.Releases+o.Releases, t.Resources+o.Resources, t.Bytes+o.Bytes
	for i, w := range o.seen {
		t.seen[i] |= w
	}
}

func (t *tally) total() Total {
	t.settle()
	out := t.Total
	for _, w := range t.seen {
		out.Patients += uint64(bits.OnesCount64(w))
	}
	return out
}

// dimensions by which a radius is divided, by fact.
var dimensions = [...]int{fDataClass, fVendor, fEngagement, fPerson, fDevice, fSource}

type formKey [4]uint32 // class, profile, its digest, scope digest

// sums is what one worker counts.
type sums struct {
	all, unsealed                   *tally
	by                              [len(dimensions)]map[uint32]*tally
	types, sealing                  map[uint32]*tally
	forms                           map[formKey]*tally
	decisions, incomplete, withheld uint64
	first, last                     int64
	patients                        int

	// What a row adds to, by its facts and by its types: looked up once.
	ofFacts []*[len(dimensions) + 1]*tally
	ofType  []*tally
	o       release
}

func newSums(w *words) *sums {
	n := len(w.patients)
	s := &sums{all: newTally(n), unsealed: newTally(n), types: map[uint32]*tally{}, sealing: map[uint32]*tally{}, forms: map[formKey]*tally{}, patients: n,
		ofFacts: make([]*[len(dimensions) + 1]*tally, len(w.tuples)), ofType: make([]*tally, len(w.strings))}
	for i := range s.by {
		s.by[i] = map[uint32]*tally{}
	}
	return s
}

// in is the tally of a key.
func in[K comparable](m map[K]*tally, k K, patients int) *tally {
	t, ok := m[k]
	if !ok {
		t = newTally(patients)
		m[k] = t
	}
	return t
}

// seen is what a radius counts: releases, and beside them what did not leave.
var seen = of(kindReleased, kindIncomplete, kindWithheld)

func (s *sums) add(r row, hot []byte, w *words) (counts bool, err error) {
	switch r.kind {
	case kindIncomplete:
		s.incomplete++
		return false, nil
	case kindWithheld:
		s.withheld++
		return false, nil
	}
	o := &s.o
	if err := o.read(r, hot, w); err != nil {
		return false, err
	}
	n := uint64(0)
	for _, c := range o.types {
		n += c.n
		t := s.ofType[c.typ]
		if t == nil {
			t = in(s.types, c.typ, s.patients)
			s.ofType[c.typ] = t
		}
		t.add(o, c.n, 0)
	}
	s.all.add(o, n, o.bytes)
	if r.flags&flagSealed == 0 {
		s.unsealed.add(o, n, o.bytes)
	}
	in(s.sealing, o.mode, s.patients).add(o, n, o.bytes)
	list := s.ofFacts[r.facts]
	if list == nil {
		list = s.lists(&w.tuples[r.facts])
		s.ofFacts[r.facts] = list
	}
	for _, t := range list {
		t.add(o, n, o.bytes)
	}
	if r.flags&flagLater == 0 {
		s.decisions++
	}
	if s.first == 0 || r.time < s.first {
		s.first = r.time
	}
	s.last = max(s.last, r.time)
	return true, nil
}

// lists are the tallies of what has these facts.
func (s *sums) lists(t *tuple) *[len(dimensions) + 1]*tally {
	out := new([len(dimensions) + 1]*tally)
	for i, fact := range dimensions {
		out[i] = in(s.by[i], t[fact], s.patients)
	}
	out[len(dimensions)] = in(s.forms, formKey{t[fDataClass], t[fProfile], t[fProfileDigest], t[fScopeDigest]}, s.patients)
	return out
}

func (s *sums) join(o *sums) {
	s.all.join(o.all)
	s.unsealed.join(o.unsealed)
	for i := range s.by {
		joinAll(s.by[i], o.by[i], s.patients)
	}
	joinAll(s.types, o.types, s.patients)
	joinAll(s.sealing, o.sealing, s.patients)
	joinAll(s.forms, o.forms, s.patients)
	s.decisions, s.incomplete, s.withheld = s.decisions+o.decisions, s.incomplete+o.incomplete, s.withheld+o.withheld
	if s.first == 0 || o.first != 0 && o.first < s.first {
		s.first = o.first
	}
	s.last = max(s.last, o.last)
}

func joinAll[K comparable](into, from map[K]*tally, patients int) {
	for k, t := range from {
		in(into, k, patients).join(t)
	}
}

// Radius answers what was disclosed.
func (x *Index) Radius(ctx context.Context, q Query) (Radius, error) {
	f, done, err := x.sum(ctx, q)
	if err != nil {
		return Radius{}, err
	}
	defer done()
	s, counted, err := f.outward().sum(ctx)
	if err != nil {
		return Radius{}, f.damaged(ctx, err)
	}
	out := Radius{Log: f.origin, Query: f.q, Total: s.all.total(), Decisions: s.decisions, Incomplete: s.incomplete, Withheld: s.withheld,
		Unsealed: s.unsealed.total(), Types: f.groups(s.types), Sealing: f.groups(s.sealing),
		DataClasses: f.groups(s.by[0]), Vendors: f.groups(s.by[1]), Engagements: f.groups(s.by[2]), Persons: f.groups(s.by[3]), Devices: f.groups(s.by[4]), Sources: f.groups(s.by[5]),
		Forms: f.forms(s.forms)}
	for i, g := range out.Sealing {
		out.Sealing[i].Key = cmp.Or(g.Key, "none")
	}
	slices.SortFunc(out.Sealing, byKey)
	if s.first != 0 {
		out.First, out.Last = time.Unix(0, s.first).UTC(), time.Unix(0, s.last).UTC()
	}
	out.Digest, err = radiusDigest(f.origin, f.q, counted)
	return out, err
}

// sum counts; counted are the log indexes of the releases, eight bytes each.
func (f *search) sum(ctx context.Context) (*sums, [][]byte, error) {
	counted := make([][]byte, len(f.segments))
	each := make([]*sums, 8)
	workers, err := f.all(ctx, func(w, place int, seg *segment, rows, hot []byte) error {
		if each[w] == nil {
			each[w] = newSums(&f.words)
		}
		var failed error
		f.each(seg, rows, seen, 0, func(r row, index uint64) bool {
			var counts bool
			if counts, failed = each[w].add(r, hot, &f.words); counts {
				counted[place] = binary.BigEndian.AppendUint64(counted[place], index)
			}
			return failed == nil
		})
		return failed
	})
	if err != nil {
		return nil, nil, err
	}
	s := newSums(&f.words)
	for _, o := range each[:workers] {
		if o != nil {
			s.join(o)
		}
	}
	return s, counted, nil
}

func radiusDigest(origin string, q Query, counted [][]byte) (string, error) {
	text, err := q.canonical()
	if err != nil {
		return "", err
	}
	h := sha256.New()
	h.Write([]byte("sallyport disclosure radius 1\n" + origin + "\n"))
	h.Write(append(text, '\n'))
	for _, c := range counted {
		h.Write(c)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func (w *words) groups(m map[uint32]*tally) []Group {
	out := make([]Group, 0, len(m))
	for k, t := range m {
		out = append(out, Group{w.strings[k], t.total()})
	}
	slices.SortFunc(out, byKey)
	return out
}

func byKey(a, b Group) int { return cmp.Compare(a.Key, b.Key) }

func (w *words) forms(m map[formKey]*tally) []Form {
	out := make([]Form, 0, len(m))
	for k, t := range m {
		f := Form{DataClass: hipaa.DataClass(w.strings[k[0]]), Profile: w.strings[k[1]], ProfileDigest: w.strings[k[2]], ScopeDigest: w.strings[k[3]], Total: t.total()}
		f.Identified = f.DataClass != hipaa.DeIdentified
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b Form) int {
		return cmp.Or(cmp.Compare(a.DataClass, b.DataClass), cmp.Compare(a.Profile, b.Profile), cmp.Compare(a.ProfileDigest, b.ProfileDigest), cmp.Compare(a.ScopeDigest, b.ScopeDigest))
	})
	return out
}

// Patients calls fn with the pseudonym of each patient of a radius, once, in the order
// in which they first stand in the log.
func (x *Index) Patients(ctx context.Context, q Query, fn func(pseudonym string) error) error {
	f, done, err := x.sum(ctx, q)
	if err != nil {
		return err
	}
	defer done()
	each := make([]*tally, 8)
	_, err = f.outward().all(ctx, func(w, _ int, seg *segment, rows, hot []byte) error {
		if each[w] == nil {
			each[w] = newTally(len(f.patients))
		}
		var failed error
		var o release
		f.each(seg, rows, of(kindReleased), 0, func(r row, _ uint64) bool {
			if failed = o.read(r, hot, &f.words); failed == nil {
				each[w].add(&o, 0, 0)
			}
			return failed == nil
		})
		return failed
	})
	if err != nil {
		return f.damaged(ctx, err)
	}
	all := newTally(len(f.patients))
	for _, t := range each {
		if t != nil {
			all.join(t)
		}
	}
	for i, w := range all.seen {
		for ; w != 0; w &= w - 1 {
			if err := fn(f.patient(uint32(i*64 + bits.TrailingZeros64(w)))); err != nil {
				return err
			}
		}
	}
	return nil
}

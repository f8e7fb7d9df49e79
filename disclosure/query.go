package disclosure

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
)

// Query says which requests are meant: those that have one of each list that is not
// empty, from Since on and before Until. The zero Query means all.
type Query struct {
	Vendors     []id.Vendor     `json:"vendors,omitempty"`
	Engagements []id.Engagement `json:"engagements,omitempty"`
	Persons     []id.Person     `json:"persons,omitempty"`
	Devices     []id.Device     `json:"devices,omitempty"`
	Apps        []id.App        `json:"apps,omitempty"`
	Grants      []id.Grant      `json:"grants,omitempty"`
	Sources     []id.Source     `json:"sources,omitempty"`
	Since       time.Time       `json:"since,omitzero"`
	Until       time.Time       `json:"until,omitzero"` // not included; zero: no end
	// Through bounds it by the log: entries before this index. 0 is the log's end, and
	// in an answer where that was, so that the same question gets the same answer later.
	Through uint64 `json:"through,omitempty"`
}

// maxNames bounds each list.
const maxNames = 10_000

// Check refuses what cannot be meant.
func (q Query) Check() error {
	if !q.Since.IsZero() && !q.Until.IsZero() && !q.Since.Before(q.Until) {
		return problem.BadField("until", "is not after since", "Give the end of the time that is meant, or leave it out")
	}
	for field, n := range map[string]int{"vendors": len(q.Vendors), "engagements": len(q.Engagements), "persons": len(q.Persons), "devices": len(q.Devices),
		"apps": len(q.Apps), "grants": len(q.Grants), "sources": len(q.Sources)} {
		if n > maxNames {
			return problem.BadField(field, "names too many", fmt.Sprintf("Give at most %d", maxNames))
		}
	}
	return errors.Join(checkIDs("vendors", q.Vendors), checkIDs("engagements", q.Engagements), checkIDs("persons", q.Persons),
		checkIDs("devices", q.Devices), checkIDs("apps", q.Apps), checkIDs("grants", q.Grants), checkIDs("sources", q.Sources))
}

func checkIDs[T ~string](field string, list []T) error {
	for _, v := range list {
		if id.Check(v) != nil {
			return problem.BadField(field, "holds what is not an id", "Write ids as the registry has them")
		}
	}
	return nil
}

// settled is the query in the one form in which it is written down: lists sorted,
// times in UTC, with its end in the log.
func (q Query) settled(through uint64) Query {
	q.Vendors, q.Engagements, q.Persons, q.Devices = sorted(q.Vendors), sorted(q.Engagements), sorted(q.Persons), sorted(q.Devices)
	q.Apps, q.Grants, q.Sources = sorted(q.Apps), sorted(q.Grants), sorted(q.Sources)
	if !q.Since.IsZero() {
		q.Since = q.Since.UTC()
	}
	if !q.Until.IsZero() {
		q.Until = q.Until.UTC()
	}
	if q.Through == 0 || q.Through > through {
		q.Through = through
	}
	return q
}

func sorted[T ~string](list []T) []T {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}

// canonical is the query as it goes into a digest.
func (q Query) canonical() ([]byte, error) { return json.Marshal(q) }

// search is a query against one shot.
type search struct {
	*shot
	q            Query
	match        []bool // by the number of the facts
	since, until int64
}

// find prepares a question.
func (x *Index) find(ctx context.Context, q Query) (*search, error) {
	if err := q.Check(); err != nil {
		return nil, err
	}
	s, err := x.shot(ctx)
	if err != nil {
		return nil, err
	}
	if q.Through > s.through {
		return nil, problem.BadField("through", fmt.Sprintf("is beyond the log, which has %d entries", s.through), "Ask the node whose log is meant")
	}
	f := &search{shot: s, q: q.settled(s.through), since: -1 << 63, until: 1<<63 - 1}
	if !q.Since.IsZero() {
		f.since = q.Since.UnixNano()
	}
	if !q.Until.IsZero() {
		f.until = q.Until.UnixNano()
	}
	f.match = make([]bool, len(s.tuples))
	type filter struct {
		fact int
		any  map[uint32]bool
	}
	var filters []filter
	add := func(fact int, any map[uint32]bool) {
		if any != nil {
			filters = append(filters, filter{fact, any})
		}
	}
	add(fVendor, codes(s.strings, f.q.Vendors))
	add(fEngagement, codes(s.strings, f.q.Engagements))
	add(fPerson, codes(s.strings, f.q.Persons))
	add(fDevice, codes(s.strings, f.q.Devices))
	add(fApp, codes(s.strings, f.q.Apps))
	add(fGrant, codes(s.strings, f.q.Grants))
	add(fSource, codes(s.strings, f.q.Sources))
	for i := range s.tuples {
		f.match[i] = !slices.ContainsFunc(filters, func(x filter) bool { return !x.any[s.tuples[i][x.fact]] })
	}
	return f, nil
}

// sum is find for an answer that adds up much; done lets the next one in.
func (x *Index) sum(ctx context.Context, q Query) (f *search, done func(), err error) {
	select {
	case x.adding <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, problem.New(problem.Unavailable, "Others ask about disclosures, and took too long", "Ask again in a moment").Because(ctx.Err())
	}
	done = func() { <-x.adding }
	if f, err = x.find(ctx, q); err != nil {
		done()
	}
	return f, done, err
}

// codes are the numbers of names; nil for an empty list, which means every one.
func codes[T ~string](words []string, list []T) map[uint32]bool {
	if len(list) == 0 {
		return nil
	}
	names := make(map[string]bool, len(list))
	for _, v := range list {
		names[string(v)] = true
	}
	out := map[uint32]bool{}
	for i, w := range words {
		if names[w] {
			out[uint32(i)] = true
		}
	}
	return out
}

// revealed is the action by which the organisation's own people are told who somebody
// is: a use, and no disclosure.
const revealed = "reveal"

// outward leaves only what goes out of the organisation.
func (f *search) outward() *search {
	for i, m := range f.match {
		t := &f.tuples[i]
		f.match[i] = m && f.strings[t[fDirection]] == string(audit.Out) && f.strings[t[fAction]] != revealed
	}
	return f
}

// kinds is a set of kinds.
type kinds uint8

func of(list ...kind) (k kinds) {
	for _, v := range list {
		k |= 1 << v
	}
	return k
}

// may reports whether a segment can hold what is looked for.
func (f *search) may(s *segment, after uint64) bool {
	return s.n > 0 && s.base < f.q.Through && s.base+s.span > after && s.last >= f.since && s.first < f.until && anyOf(s.has, f.match)
}

// each calls fn for the rows of a segment that match, in their order, until it says
// that it has enough.
func (f *search) each(s *segment, rows []byte, want kinds, after uint64, fn func(r row, index uint64) bool) bool {
	for at := 0; at+rowLen <= len(rows); at += rowLen {
		b := rows[at : at+rowLen]
		if want>>b[2]&1 == 0 || !f.match[binary.LittleEndian.Uint32(b[4:])] {
			continue
		}
		r := readRow(b)
		index := s.base + uint64(r.off)
		if r.time < f.since || r.time >= f.until || index < after || index >= f.q.Through {
			continue
		}
		if !fn(r, index) {
			return false
		}
	}
	return true
}

// all visits every segment that may hold something, several at a time. visit is told
// which worker it is, and the segment's place.
func (f *search) all(ctx context.Context, visit func(worker, place int, s *segment, rows, hot []byte) error) (workers int, err error) {
	workers = max(1, min(runtime.GOMAXPROCS(0), 8))
	var places []int
	for i, s := range f.segments {
		if f.may(s, 0) {
			places = append(places, i)
		}
	}
	var mu sync.Mutex
	next := 0
	errs := make([]error, workers)
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			for {
				mu.Lock()
				i := next
				next++
				mu.Unlock()
				if i >= len(places) || errs[w] != nil {
					return
				}
				if errs[w] = ctx.Err(); errs[w] != nil {
					return
				}
				s := f.segments[places[i]]
				rows, hot, _, err := s.load(false)
				if err == nil {
					err = visit(w, places[i], s, rows, hot)
				}
				errs[w] = err
			}
		})
	}
	group.Wait()
	return workers, errors.Join(errs...)
}

// release is the hot part of an outcome.
type release struct {
	bytes, clear uint64 // clear: before it was sealed; equal to bytes where it was not
	mode         uint32
	types        []typeCount
	patients     []uint32
	rest         []byte // of hot, behind the patients
}

type typeCount struct {
	typ uint32
	n   uint64
}

// read reads the hot part of a row into o, whose slices it uses again.
func (o *release) read(r row, hot []byte, w *words) error {
	if int(r.hot) > len(hot) {
		return errDamaged
	}
	in := reader{b: hot[r.hot:]}
	o.bytes, o.mode = in.uvarint(), 0
	o.clear = o.bytes
	if r.flags&flagSealed != 0 {
		o.clear, o.mode = in.uvarint(), uint32(in.uvarint())
	}
	o.types = o.types[:0]
	for range in.count() {
		t := in.uvarint()
		o.types = append(o.types, typeCount{uint32(t), in.uvarint()})
		if t >= uint64(len(w.strings)) {
			return errDamaged
		}
	}
	o.patients = o.patients[:0]
	code := uint64(0)
	for range in.count() {
		code += in.uvarint()
		if code >= uint64(len(w.patients)) {
			return errDamaged
		}
		o.patients = append(o.patients, uint32(code))
	}
	o.rest = in.b
	if in.bad || int(o.mode) >= len(w.strings) {
		return errDamaged
	}
	return nil
}

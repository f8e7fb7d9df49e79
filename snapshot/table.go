package snapshot

import (
	"hash/maphash"
	"iter"
	"maps"
	"slices"
	"sync/atomic"
)

// Table is an immutable map from ids to records, in the order of the ids. The next table
// shares with it all but a piece around each one that was put, so that an
// act costs the same however much there is.
type Table[K ~string, V any] struct {
	rows shared[K, *V]
	runs []*run[K, V] // the records in the order of their ids, in pieces; none is empty
	of   *turn        // may change runs in place
}

// run is a piece of a table.
type run[K ~string, V any] struct {
	of   *turn
	keys []K
	rows []*V
}

// runMost is how many records a piece holds: it is copied for one that is put.
const runMost = 256

// turn is a part of an edit. What it made itself it may change in place, until it is over:
// when the edit is published, or somebody begins to walk through what it made. A walk
// sees a table as it was when it began, whatever is put meanwhile.
type turn struct{ over atomic.Bool }

// Get finds a record. The record must not be changed.
func (t Table[K, V]) Get(key K) (*V, bool) { return t.rows.get(key) }

// Len is the number of records.
func (t Table[K, V]) Len() int { return t.rows.n }

// All yields the records in the order of their ids.
func (t Table[K, V]) All() iter.Seq2[K, *V] { return t.from(0, 0) }

// After yields the records whose ids come after key, in their order.
func (t Table[K, V]) After(key K) iter.Seq2[K, *V] {
	i, j, ok := t.place(key)
	if ok {
		j++
	}
	return t.from(i, j)
}

func (t Table[K, V]) from(i, j int) iter.Seq2[K, *V] {
	if t.of != nil && !t.of.over.Load() {
		t.of.over.Store(true)
	}
	return func(yield func(K, *V) bool) {
		j := j
		for _, r := range t.runs[min(i, len(t.runs)):] {
			for ; j < len(r.keys); j++ {
				if !yield(r.keys[j], r.rows[j]) {
					return
				}
			}
			j = 0
		}
	}
}

// place is where a record is, or would be put: the run, and the place in it.
func (t Table[K, V]) place(key K) (i, j int, ok bool) {
	i, ok = slices.BinarySearchFunc(t.runs, key, func(r *run[K, V], key K) int {
		switch {
		case r.keys[0] < key:
			return -1
		case r.keys[0] > key:
			return 1
		}
		return 0
	})
	if ok {
		return i, 0, true
	}
	if i = max(i-1, 0); i == len(t.runs) {
		return i, 0, false
	}
	j, ok = slices.BinarySearch(t.runs[i].keys, key)
	return i, j, ok
}

// put adds or replaces a record.
func (t *Table[K, V]) put(by *turn, key K, v *V) {
	t.rows.set(by, key, v)
	if t.of != by {
		t.runs, t.of = slices.Clone(t.runs), by
	}
	i, j, ok := t.place(key)
	if i == len(t.runs) {
		t.runs = append(t.runs, &run[K, V]{of: by})
	}
	r := t.runs[i]
	if !ok && j == runMost && i == len(t.runs)-1 { // as records come when a registry is opened: full runs
		t.runs = append(t.runs, &run[K, V]{of: by, keys: []K{key}, rows: []*V{v}})
		return
	}
	if r.of != by {
		r = &run[K, V]{of: by, keys: slices.Clone(r.keys), rows: slices.Clone(r.rows)}
		t.runs[i] = r
	}
	if ok {
		r.rows[j] = v
		return
	}
	r.keys, r.rows = slices.Insert(r.keys, j, key), slices.Insert(r.rows, j, v)
	if half := runMost / 2; len(r.keys) > runMost {
		t.runs = slices.Insert(t.runs, i+1, &run[K, V]{of: by, keys: slices.Clone(r.keys[half:]), rows: slices.Clone(r.rows[half:])})
		r.keys, r.rows = slices.Clone(r.keys[:half]), slices.Clone(r.rows[:half])
	}
}

// shared is an immutable map; the next one shares with it all parts but those in which
// something changed.
type shared[K comparable, V any] struct {
	parts []*part[K, V] // a power of two; a key is in the one that its hash names
	n     int
	of    *turn // may change parts in place
}

type part[K comparable, V any] struct {
	of   *turn
	rows map[K]V
}

// partMost is how many keys there are in a part, on the average and at the most: a part
// is copied for one that changes.
const partMost = 64

var hashSeed = maphash.MakeSeed()

// sharedFor is an empty map with room for n keys.
func sharedFor[K comparable, V any](by *turn, n int) shared[K, V] {
	many := 1
	for many*partMost <= n {
		many *= 2
	}
	m := shared[K, V]{parts: make([]*part[K, V], many), of: by}
	for i := range m.parts {
		m.parts[i] = &part[K, V]{of: by, rows: make(map[K]V, n/many)}
	}
	return m
}

func (m *shared[K, V]) part(key K) int {
	if len(m.parts) == 1 {
		return 0
	}
	return int(maphash.Comparable(hashSeed, key) & uint64(len(m.parts)-1))
}

func (m *shared[K, V]) get(key K) (v V, ok bool) {
	if len(m.parts) == 0 {
		return v, false
	}
	v, ok = m.parts[m.part(key)].rows[key]
	return v, ok
}

func (m *shared[K, V]) set(by *turn, key K, v V) {
	if m.n >= len(m.parts)*partMost {
		m.grow(by)
	}
	p := m.own(by, key)
	before := len(p.rows)
	p.rows[key] = v
	m.n += len(p.rows) - before
}

func (m *shared[K, V]) drop(by *turn, key K) {
	if _, ok := m.get(key); ok {
		delete(m.own(by, key).rows, key)
		m.n--
	}
}

// own is the part of a key, to be changed.
func (m *shared[K, V]) own(by *turn, key K) *part[K, V] {
	if m.of != by {
		m.parts, m.of = slices.Clone(m.parts), by
	}
	i := m.part(key)
	if p := m.parts[i]; p.of != by {
		m.parts[i] = &part[K, V]{of: by, rows: maps.Clone(p.rows)}
	}
	return m.parts[i]
}

// grow doubles the number of parts.
func (m *shared[K, V]) grow(by *turn) {
	old := m.parts
	*m = sharedFor[K, V](by, len(old)*partMost)
	for _, p := range old {
		for k, v := range p.rows {
			m.parts[m.part(k)].rows[k] = v
			m.n++
		}
	}
}

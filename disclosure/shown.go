package disclosure

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
)

// Shown is which elements of an R4 type appeared with data under one view of a role.
type Shown struct {
	ScopeDigest string `json:"scope_digest"` // of the view; hex
	Type        string `json:"type"`
	// Elements are the numbers of those that appeared, from 0, in the sorted list of
	// the elements that the role names for the type.
	Elements []int `json:"elements"`
	// Partly says that the log does not tell it of every release that held the type:
	// it is older than that, or is not whole. Any element may have appeared then.
	Partly bool `json:"partly,omitempty"`
}

// showing adds up what appeared.
type showing map[showKey]*Shown

// showKey is a scope digest and a type.
type showKey [2]uint32

var errShown = errors.New("what it showed does not read")

// add takes in a release that was read.
func (s showing) add(r row, o *release, w *words) error {
	view := w.tuples[r.facts][fScopeDigest]
	of := func(typ uint32) *Shown {
		k := showKey{view, typ}
		if s[k] == nil {
			s[k] = &Shown{ScopeDigest: w.strings[view], Type: w.strings[typ], Elements: []int{}}
		}
		return s[k]
	}
	told := make([]uint32, 0, 8)
	if r.flags&flagShown != 0 {
		in := reader{b: o.rest}
		for range in.count() {
			typ, bits := in.uvarint(), in.text()
			if in.bad || typ >= uint64(len(w.strings)) || !of(uint32(typ)).take(bits) {
				return errors.Join(errDamaged, errShown)
			}
			told = append(told, uint32(typ))
		}
		if in.bad {
			return errors.Join(errDamaged, errShown)
		}
	}
	for _, c := range o.types {
		if c.n > 0 && !slices.Contains(told, c.typ) {
			of(c.typ).Partly = true
		}
	}
	return nil
}

// take adds the elements of a number in hexadecimal.
func (s *Shown) take(bits string) bool {
	for i := range len(bits) {
		digit, err := strconv.ParseUint(bits[len(bits)-1-i:len(bits)-i], 16, 8)
		if err != nil {
			return false
		}
		for k := range 4 {
			if digit&(1<<k) != 0 {
				if at, has := slices.BinarySearch(s.Elements, 4*i+k); !has {
					s.Elements = slices.Insert(s.Elements, at, 4*i+k)
				}
			}
		}
	}
	return bits != ""
}

// list is all of it, in order.
func (s showing) list() []Shown {
	out := make([]Shown, 0, len(s))
	for _, v := range s {
		out = append(out, *v)
	}
	slices.SortFunc(out, func(a, b Shown) int {
		return cmp.Or(cmp.Compare(a.ScopeDigest, b.ScopeDigest), cmp.Compare(a.Type, b.Type))
	})
	return out
}

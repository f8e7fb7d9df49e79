package msconfig

import (
	"errors"
	"strconv"
	"strings"
	"unicode"
)

// equal compares two collections in order. named says that names count too, as
// they do for the children of complex elements.
func equal(l, r seq, named bool) truth {
	for i, it := range l {
		if i == len(r) {
			return no
		}
		if t := equalItems(it, r[i], named); t != yes {
			return t
		}
	}
	if len(r) > len(l) {
		return no
	}
	return yes
}

func equalItems(a, b item, named bool) truth {
	if named && a.n.name != b.n.name {
		return no
	}
	x, y := a.val(), b.val()
	if q, ok := quantityIn(a); ok {
		x = q
	}
	if q, ok := quantityIn(b); ok {
		y = q
	}
	switch {
	case x.kind != none && y.kind != none:
		return equalValues(x, y)
	case x.kind == none && y.kind == none:
		return equal(kidItems(a), kidItems(b), true)
	default:
		return no
	}
}

func quantityIn(it item) (value, bool) {
	if it.n == nil || it.n.typ != "Quantity" {
		return value{}, false
	}
	return quantityOf(it.n)
}

func kidItems(it item) seq {
	kids := it.kids()
	out := make(seq, len(kids))
	for i, k := range kids {
		out[i].n = k
	}
	return out
}

func equalValues(x, y value) truth {
	as := func(b bool) truth {
		if b {
			return yes
		}
		return no
	}
	switch {
	case x.kind == text && y.kind == text, x.kind == boolean && y.kind == boolean:
		return as(x.s == y.s)
	case x.kind == quantity || y.kind == quantity, x.numeric() && y.numeric():
		if !(x.numeric() || x.kind == quantity) || !(y.numeric() || y.kind == quantity) {
			return no
		}
		a, ok1 := x.dec()
		b, ok2 := y.dec()
		// Eight digits after the point count.
		return as(ok1 && ok2 && x.unit == y.unit && a.round(8).cmp(b.round(8)) == 0)
	}
	c, ok, err := order(x, y)
	switch {
	case err != nil: // different types
		return no
	case !ok:
		return unknown
	default:
		return as(c == 0)
	}
}

var errLetters = errors.New("~ cannot compare letters beyond ASCII")

// equivalent compares without regard to order: every item of one side must have
// its like on the other, and there must be as many.
func equivalent(l, r seq, named bool) (bool, error) {
	if len(l) != len(r) {
		return false, nil
	}
	for _, a := range l {
		found := false
		for _, b := range r {
			same, err := equivalentItems(a, b, named)
			if err != nil {
				return false, err
			}
			if found = same; found {
				break
			}
		}
		if !found {
			return false, nil
		}
	}
	return true, nil
}

func equivalentItems(a, b item, named bool) (bool, error) {
	if named && a.n.name != b.n.name {
		return false, nil
	}
	x, y := a.val(), b.val()
	switch {
	case x.kind == none && y.kind == none:
		return equivalent(kidItems(a), kidItems(b), true)
	case x.kind == text && y.kind == text:
		if !ascii(x.s) || !ascii(y.s) {
			return x.s == y.s, differ(x.s != y.s)
		}
		blank := func(c rune) rune {
			if unicode.IsSpace(c) {
				return ' '
			}
			return c
		}
		return strings.EqualFold(strings.Map(blank, x.s), strings.Map(blank, y.s)), nil
	case x.numeric() && y.numeric():
		c, ok1 := x.dec()
		d, ok2 := y.dec()
		if !ok1 || !ok2 {
			return false, errOverflow
		}
		// As many digits as the shorter one has, without zeros at the end.
		n := min(c.strip().scale, d.strip().scale)
		return c.round(n).cmp(d.round(n)) == 0, nil
	case x.kind == none || y.kind == none:
		return false, nil
	default:
		return equalValues(x, y) == yes, nil
	}
}

func differ(b bool) error {
	if b {
		return errLetters
	}
	return nil
}

func set(e *env, x seq, c *call, f func(*env, seq, seq) (seq, error)) (seq, error) {
	y, err := c.args[0].eval(e)
	if err != nil {
		return nil, err
	}
	return f(e, x, y)
}

func combine(e *env, x, y seq) (seq, error) {
	return append(append(make(seq, 0, len(x)+len(y)), x...), y...), e.spend(len(x) + len(y))
}

// union leaves out what is equal to something before it. That goes by value, not
// by place in the tree: of two addresses in one State, "address.state | ..."
// holds only the first. The tool's rules with "|" act on that alone, and so must
// these; see Differences.
func union(e *env, x, y seq) (seq, error) {
	out := make(seq, 0, len(x)+len(y))
	seen := make(map[string][]item, len(x)+len(y))
	for _, s := range []seq{x, y} {
		for _, it := range s {
			k := bucket(it)
			if err := e.spend((len(seen[k]) + 1) * size(seq{it})); err != nil {
				return nil, err
			}
			known := false
			for _, o := range seen[k] {
				if known = equalItems(it, o, false) == yes; known {
					break
				}
			}
			if !known {
				seen[k] = append(seen[k], it)
				out = append(out, it)
			}
		}
	}
	return out, nil
}

func evalIsDistinct(e *env, x seq, _ *call) (seq, error) {
	u, err := union(e, x, nil)
	return one(boolValue(len(u) == len(x))), err
}

// bucket tells apart what the tool's set finds different before it compares: a
// value's type and amount, and the names of the children.
func bucket(it item) string {
	var b strings.Builder
	v := it.val()
	switch v.kind {
	case none:
	case date, dateTime:
		m, _ := parseMoment(v.s, true)
		b.WriteString("@" + strconv.FormatInt(m.at.UnixNano(), 10))
		if m.at.Year() < 1700 || m.at.Year() > 2250 {
			b.WriteString(m.at.String()) // beyond what UnixNano can tell
		}
	case number:
		if d, ok := v.dec(); ok {
			s := d.String()
			if d.scale > 0 {
				s = strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
			}
			b.WriteString("#" + s)
		}
	default:
		b.WriteByte('0' + byte(v.kind))
		b.WriteString(v.s)
	}
	for _, k := range it.kids() {
		b.WriteByte(0)
		b.WriteString(k.name)
	}
	return b.String()
}

package table

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"github.com/sallyport/sallyport/deid"
	"github.com/sallyport/sallyport/deid/table/risk"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/problem"
)

// Shifter says by how many days the dates of a subject move: the same number
// for the same subject, within 36,500 either way. An error stops the release.
type Shifter interface {
	Days(subject []byte) (int, error)
}

// Scrubber writes text to dst without what it finds, and returns dst. subject
// is the row's, or nil where the rules name none. An error stops the release.
type Scrubber interface {
	Scrub(dst, text, subject []byte) ([]byte, error)
}

// Options is what the methods need besides the rules. What is nil is not
// there: a rule that needs it is refused.
type Options struct {
	// Comma separates the fields of CSV; 0 is ','.
	Comma byte
	// Codes are assigned at random, and the way back is kept apart.
	Codes deid.Codes
	// Pseudonyms are derived from the value under a key.
	Pseudonyms deid.Codes
	Shift      Shifter
	Scrub      Scrubber
	// Hierarchies are those that the rules name.
	Hierarchies map[string]*risk.Hierarchy
	// ZIP says which prefixes may stay; nil is Census2020.
	ZIP func(prefix int) bool
}

// fate is what happened to a value.
type fate uint8

const (
	removed fate = iota // it became empty
	kept                // as it was
	changed
	empty  // there was none
	vetoed // it became empty, for it looks like an identifier
	fates
)

// method writes what a value becomes to dst.
type method func(dst, v, subject []byte) ([]byte, fate, error)

// compile makes the method of a column's rule.
func (r *Rules) compile(c *Column, o *Options) (method, error) {
	m, err := r.method(c, o)
	if err != nil {
		return nil, err
	}
	return func(dst, v, subject []byte) ([]byte, fate, error) {
		if len(bytes.TrimSpace(v)) == 0 {
			return dst, empty, nil
		}
		return m(dst, v, subject)
	}, nil
}

func (r *Rules) method(c *Column, o *Options) (method, error) {
	switch c.Method {
	case Keep:
		return r.keep(func([]byte) bool { return true }), nil
	case KeepIfShape:
		return r.keep(shapes[c.Shape]), nil
	case Year:
		last := r.AsOf.Year() - 90 // who was born then may be 90
		return func(dst, v, _ []byte) ([]byte, fate, error) {
			d, ok := parseDate(bytes.TrimSpace(v), NoOrder)
			if !ok || d.year <= last {
				return dst, removed, nil
			}
			return strconv.AppendInt(dst, int64(d.year), 10), changed, nil
		}, nil
	case DateShift:
		if o.Shift == nil {
			return nil, lacks(c, "a shift for each subject")
		}
		return shiftBy(o.Shift, c.Order), nil
	case AgeCap:
		return ageCap, nil
	case ZIP3:
		permitted := o.ZIP
		if permitted == nil {
			permitted = Census2020
		}
		return func(dst, v, _ []byte) ([]byte, fate, error) {
			p, ok := zip3(bytes.TrimSpace(v))
			if !ok {
				return dst, removed, nil
			}
			if !permitted(p) {
				p = 0
			}
			return append(dst, '0'+byte(p/100), '0'+byte(p/10%10), '0'+byte(p%10)), changed, nil
		}, nil
	case Code:
		if o.Codes == nil {
			return nil, lacks(c, "codes that are assigned at random")
		}
		return coded(o.Codes, c), nil
	case Pseudonym:
		if o.Pseudonyms == nil {
			return nil, lacks(c, "a key for pseudonyms")
		}
		return coded(o.Pseudonyms, c), nil
	case Scrub:
		if o.Scrub == nil {
			return nil, lacks(c, "a scrubber for free text")
		}
		return func(dst, v, subject []byte) ([]byte, fate, error) {
			start := len(dst)
			dst, err := o.Scrub.Scrub(dst, v, subject)
			if err != nil || len(dst) < start {
				return nil, removed, failed("scrubbing free text", err)
			}
			if bytes.Equal(dst[start:], v) {
				return dst, kept, nil
			}
			return dst, changed, nil
		}, nil
	case Generalise:
		return generalise(c, o)
	case Bin:
		return bin(*c.Width, c.Origin), nil
	case TopBottom:
		return topBottom(c.Top, c.Bottom), nil
	case Map:
		return func(dst, v, _ []byte) ([]byte, fate, error) {
			to, ok := c.Map[string(v)]
			if !ok {
				return dst, removed, nil
			}
			return append(dst, to...), changed, nil
		}, nil
	}
	return nil, problem.BadField("columns", "has a method that cannot be carried out", "Use one of those that docs/deid.md shows")
}

func lacks(c *Column, what string) error {
	return problem.New(problem.Invalid, fmt.Sprintf("the rule %s for column %s needs %s, and there is none", c.Method, c.Name, what), "Give it, or remove the column")
}

// failed stops a release. The cause may quote a value, so it does not go on.
func failed(doing string, err error) error {
	p := problem.New(problem.Unavailable, doing+" failed; what was written so far must not be used", "Look for the cause where the codes, the shifts or the text engine live, and run it again")
	var is *problem.Problem
	if errors.As(err, &is) {
		p.Title += ": " + is.Title // written for a reader, as a problem is
	}
	return p
}

// keep passes a value that fits, unless it looks like an identifier that the
// basis keeps out: a column is what its values are, in every row.
func (r *Rules) keep(fits func([]byte) bool) method {
	return func(dst, v, _ []byte) ([]byte, fate, error) {
		if fits == nil || !fits(v) {
			return dst, removed, nil
		}
		if k := holds(v); k != UnknownKind {
			if _, ok := r.Basis.ruling(k, Keep, nil); !ok {
				return dst, vetoed, nil
			}
		}
		return append(dst, v...), kept, nil
	}
}

var shapes = map[Shape]func([]byte) bool{
	ShapeInteger: func(v []byte) bool {
		if len(v) > 0 && (v[0] == '-' || v[0] == '+') {
			v = v[1:]
		}
		return digits(v) && len(v) <= 12
	},
	ShapeDecimal: func(v []byte) bool {
		_, ok := parseDecimal(v)
		return ok
	},
	ShapeBoolean: func(v []byte) bool {
		switch string(bytes.ToLower(v)) {
		case "true", "false", "yes", "no", "t", "f", "y", "n", "0", "1":
			return true
		}
		return false
	},
	ShapeCode: func(v []byte) bool {
		for _, c := range v {
			if !(c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || c == '.' || c == '_' || c == '/' || c == '-') {
				return false
			}
		}
		return len(v) > 0 && len(v) <= 32
	},
}

const maxShift = 36_500

func shiftBy(s Shifter, order Order) method {
	return func(dst, v, subject []byte) ([]byte, fate, error) {
		if len(bytes.TrimSpace(subject)) == 0 {
			return dst, removed, nil
		}
		v = bytes.TrimSpace(v)
		d, ok := parseDate(v, order)
		if !ok {
			return dst, removed, nil
		}
		days, err := s.Days(subject)
		if err != nil || days < -maxShift || days > maxShift {
			return nil, removed, failed("finding a subject's shift", err)
		}
		start := len(dst)
		dst, ok = d.shift(dst, v, days)
		if !ok {
			return dst[:start], removed, nil
		}
		return dst, changed, nil
	}
}

// ageCap keeps an age of at most 89 whole years, in years or with its unit.
func ageCap(dst, v, _ []byte) ([]byte, fate, error) {
	text := bytes.ToLower(bytes.TrimSpace(v))
	switch {
	case bytes.HasSuffix(text, []byte("+")) || bytes.HasPrefix(text, []byte(">")):
		n, ok := parseDecimal(bytes.TrimSpace(bytes.Trim(text, "+>")))
		if !ok || n.cmp(Decimal{89, 0}) < 0 {
			return dst, removed, nil
		}
		return append(dst, "90+"...), changed, nil
	}
	i := 0
	for i < len(text) && (text[i] >= '0' && text[i] <= '9' || text[i] == '.') {
		i++
	}
	n, ok := parseDecimal(text[:i])
	if !ok {
		return dst, removed, nil
	}
	perYear := int64(1)
	switch string(bytes.TrimSpace(bytes.Trim(text[i:], " -."))) {
	case "", "y", "yr", "yrs", "year", "years", "yo", "y/o", "years old", "year old", "year-old":
	case "m", "mo", "mos", "month", "months", "months old", "month old":
		perYear = 12
	case "w", "wk", "wks", "week", "weeks", "weeks old", "week old":
		perYear = 52
	case "d", "day", "days", "days old", "day old":
		perYear = 365
	default:
		return dst, removed, nil
	}
	if n.cmp(Decimal{90 * perYear, 0}) >= 0 {
		return append(dst, "90+"...), changed, nil
	}
	return append(dst, v...), kept, nil
}

// coded asks for the code of a value. Columns of one domain share their codes:
// what is asked is domain/value.
func coded(codes deid.Codes, c *Column) method {
	domain := c.Domain
	if domain == "" {
		domain = c.Name
	}
	return func(dst, v, _ []byte) ([]byte, fate, error) {
		code, err := codes.Code(domain + "/" + string(bytes.TrimSpace(v)))
		if err != nil || code == "" {
			return nil, removed, failed("coding an identifier", err)
		}
		return append(dst, code...), changed, nil
	}
}

func generalise(c *Column, o *Options) (method, error) {
	h := o.Hierarchies[c.Hierarchy]
	if h == nil {
		return nil, lacks(c, "its hierarchy")
	}
	if c.Level > h.Height() {
		return nil, problem.BadField(c.Name, fmt.Sprintf("is generalised to level %d, but the hierarchy ends at %d", c.Level, h.Height()), "Choose a level that there is")
	}
	return func(dst, v, _ []byte) ([]byte, fate, error) {
		label, ok := h.Generalise(v, c.Level)
		if !ok {
			return dst, removed, nil
		}
		return append(dst, label...), changed, nil
	}, nil
}

func bin(width Decimal, from *Decimal) method {
	var origin Decimal
	if from != nil {
		origin = *from
	}
	return func(dst, v, _ []byte) ([]byte, fate, error) {
		n, ok := parseDecimal(bytes.TrimSpace(v))
		if !ok {
			return dst, removed, nil
		}
		k := n.steps(origin, width)
		dst = append(dst, '[')
		dst = origin.add(width, k).append(dst)
		dst = append(dst, ',')
		dst = origin.add(width, k+1).append(dst)
		return append(dst, ')'), changed, nil
	}
}

func topBottom(top, bottom *Decimal) method {
	return func(dst, v, _ []byte) ([]byte, fate, error) {
		n, ok := parseDecimal(bytes.TrimSpace(v))
		switch {
		case !ok:
			return dst, removed, nil
		case top != nil && n.cmp(*top) > 0:
			return top.append(append(dst, '>')), changed, nil
		case bottom != nil && n.cmp(*bottom) < 0:
			return bottom.append(append(dst, '<')), changed, nil
		}
		return append(dst, v...), kept, nil
	}
}

// notSafeHarbor is what a manifest says where free text was kept.
var notSafeHarbor = "free text was scrubbed, which is not Safe Harbor by itself (" + hipaa.MustCite("P-514-b-2-i-R").Text + "): its recall must be measured"

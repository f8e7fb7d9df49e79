package msconfig

import (
	"math/big"
	"strconv"
	"strings"
)

// decimal is the number type that the tool computes with: .NET's System.Decimal,
// a coefficient below 2^96 with 0 to 28 digits after the point. The number of
// digits is part of the value (1.0 is written "1.0"), so results of arithmetic
// come out with the same text.
type decimal struct {
	c     *big.Int
	scale int
}

const maxScale = 28

var (
	maxCoefficient = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 96), big.NewInt(1))
	ten            = big.NewInt(10)
)

func fromInt(i int64) decimal { return decimal{c: big.NewInt(i)} }

func pow10(n int) *big.Int { return new(big.Int).Exp(ten, big.NewInt(int64(n)), nil) }

// parseDecimal reads a JSON number. Digits beyond what a decimal can hold are
// rounded away half to even; a number that is too large is none.
func parseDecimal(s string) (decimal, bool) {
	if !isNumber(s) {
		return decimal{}, false
	}
	mantissa, exp := s, 0
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		var err error
		mantissa = s[:i]
		if exp, err = strconv.Atoi(s[i+1:]); err != nil || exp > 60 || exp < -60 {
			return decimal{}, false
		}
	}
	whole, frac, _ := strings.Cut(mantissa, ".")
	if len(whole)+len(frac) > 200 {
		return decimal{}, false
	}
	c, ok := new(big.Int).SetString(whole+frac, 10)
	if !ok {
		return decimal{}, false
	}
	scale := len(frac) - exp
	if scale < 0 {
		c.Mul(c, pow10(-scale))
		scale = 0
	}
	return fit(c, scale)
}

// isNumber says whether s is a JSON number.
func isNumber(s string) bool {
	i := 0
	digits := func() bool {
		start := i
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			i++
		}
		return i > start
	}
	if i < len(s) && s[i] == '-' {
		i++
	}
	start := i
	if !digits() || s[start] == '0' && i > start+1 {
		return false
	}
	if i < len(s) && s[i] == '.' {
		i++
		if !digits() {
			return false
		}
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		i++
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		if !digits() {
			return false
		}
	}
	return i == len(s)
}

// fit makes a coefficient and scale into a decimal, with as few digits cut off
// as it takes.
func fit(c *big.Int, scale int) (decimal, bool) {
	d := decimal{c: c, scale: scale}
	if scale > maxScale {
		d = d.round(maxScale)
	}
	for d.c.CmpAbs(maxCoefficient) > 0 {
		if d.scale == 0 {
			return decimal{}, false
		}
		// One digit at a time would round twice; find the scale first.
		cut := 1
		for q := new(big.Int).Quo(c, pow10(scale-d.scale+cut)); q.CmpAbs(maxCoefficient) > 0; {
			cut++
			if cut > d.scale {
				return decimal{}, false
			}
			q.Quo(c, pow10(scale-d.scale+cut))
		}
		d = decimal{c: c, scale: scale}.round(d.scale - cut)
	}
	return d, true
}

// round keeps at most n digits after the point, half to even. A number with
// fewer digits stays as it is.
func (d decimal) round(n int) decimal {
	if d.scale <= n {
		return d
	}
	div := pow10(d.scale - n)
	q, r := new(big.Int).QuoRem(d.c, div, new(big.Int))
	twice := new(big.Int).Lsh(new(big.Int).Abs(r), 1)
	switch twice.Cmp(div) {
	case 1:
		q.Add(q, big.NewInt(int64(d.c.Sign())))
	case 0:
		if q.Bit(0) == 1 {
			q.Add(q, big.NewInt(int64(d.c.Sign())))
		}
	}
	return decimal{c: q, scale: n}
}

// String writes all digits of the scale, as decimal.ToString does.
func (d decimal) String() string {
	s := new(big.Int).Abs(d.c).String()
	if d.scale > 0 {
		if len(s) <= d.scale {
			s = strings.Repeat("0", d.scale-len(s)+1) + s
		}
		s = s[:len(s)-d.scale] + "." + s[len(s)-d.scale:]
	}
	if d.c.Sign() < 0 {
		s = "-" + s
	}
	return s
}

func align(a, b decimal) (x, y *big.Int, scale int) {
	scale = max(a.scale, b.scale)
	return new(big.Int).Mul(a.c, pow10(scale-a.scale)), new(big.Int).Mul(b.c, pow10(scale-b.scale)), scale
}

func (d decimal) cmp(b decimal) int {
	x, y, _ := align(d, b)
	return x.Cmp(y)
}

func (d decimal) add(b decimal) (decimal, bool) {
	x, y, scale := align(d, b)
	return fit(x.Add(x, y), scale)
}

func (d decimal) neg() decimal { return decimal{c: new(big.Int).Neg(d.c), scale: d.scale} }

func (d decimal) mul(b decimal) (decimal, bool) {
	return fit(new(big.Int).Mul(d.c, b.c), d.scale+b.scale)
}

// quo divides, as exactly as a decimal can. The caller has checked that b is
// not zero.
func (d decimal) quo(b decimal) (decimal, bool) {
	preferred := max(d.scale-b.scale, 0)
	// 40 digits more than the preferred scale are enough for fit to round right.
	const extra = 40
	n := new(big.Int).Mul(d.c, pow10(preferred+extra+b.scale))
	n.Quo(n, pow10(d.scale))
	q, r := n.QuoRem(n, b.c, new(big.Int))
	if r.Sign() != 0 && q.Bit(0) == 0 {
		// Never exactly half way.
		sign := int64(1)
		if (d.c.Sign() < 0) != (b.c.Sign() < 0) {
			sign = -1
		}
		q.Add(q, big.NewInt(sign))
	}
	out, ok := fit(q, preferred+extra)
	if ok {
		out = out.stripTo(preferred)
	}
	return out, ok
}

// strip takes zeros at the end of the fraction away.
func (d decimal) strip() decimal { return d.stripTo(0) }

func (d decimal) stripTo(scale int) decimal {
	for d.scale > scale {
		q, r := new(big.Int).QuoRem(d.c, ten, new(big.Int))
		if r.Sign() != 0 {
			break
		}
		d = decimal{c: q, scale: d.scale - 1}
	}
	return d
}

// rem is the remainder with the sign of d. The caller has checked that b is
// not zero.
func (d decimal) rem(b decimal) (decimal, bool) {
	x, y, scale := align(d, b)
	return fit(x.Rem(x, y), scale)
}

// trunc is the whole part.
func (d decimal) trunc() *big.Int { return new(big.Int).Quo(d.c, pow10(d.scale)) }

// floor and ceiling have no digits after the point.
func (d decimal) floor() decimal {
	q := d.trunc()
	if d.c.Sign() < 0 && new(big.Int).Mul(q, pow10(d.scale)).Cmp(d.c) != 0 {
		q.Sub(q, big.NewInt(1))
	}
	return decimal{c: q}
}

// float is the nearest float64.
func (d decimal) float() float64 {
	f, _ := strconv.ParseFloat(d.String(), 64)
	return f
}

// fromFloat converts as .NET's (decimal)double does: 15 significant digits, no
// trailing zeros.
func fromFloat(f float64) (decimal, bool) {
	d, ok := parseDecimal(strings.Replace(strconv.FormatFloat(f, 'e', 14, 64), "e+", "e", 1))
	if !ok {
		if f < 1e-28 && f > -1e-28 {
			return fromInt(0), true
		}
		return decimal{}, false
	}
	return d.strip(), true
}

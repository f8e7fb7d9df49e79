package table

import (
	"strconv"
)

// Decimal is an exact decimal number: Mantissa / 10^Scale. Binary floating
// point would put a value that stands on a boundary on either side of it.
type Decimal struct {
	Mantissa int64
	Scale    uint8
}

// The range within which every product and sum below fits in 64 bits.
const (
	maxScale    = 6
	maxMantissa = 1_000_000_000_000
)

var tens = [...]int64{1, 10, 100, 1_000, 10_000, 100_000, 1_000_000}

// parseDecimal reads [+-]digits[.digits]: no exponent, no separators, at most
// six decimal places and under 10^12 in absolute value.
func parseDecimal(b []byte) (Decimal, bool) {
	var d Decimal
	neg := false
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		neg = b[0] == '-'
		b = b[1:]
	}
	digits, point := 0, false
	for _, c := range b {
		switch {
		case c >= '0' && c <= '9':
			digits++
			if point {
				if d.Scale == maxScale {
					if c != '0' {
						return Decimal{}, false
					}
					continue
				}
				d.Scale++
			}
			d.Mantissa = d.Mantissa*10 + int64(c-'0')
			if d.Mantissa > maxMantissa*tens[d.Scale] {
				return Decimal{}, false
			}
		case c == '.' && !point && digits > 0:
			point = true
		default:
			return Decimal{}, false
		}
	}
	if digits == 0 || b[len(b)-1] == '.' {
		return Decimal{}, false
	}
	if neg {
		d.Mantissa = -d.Mantissa
	}
	return d, true
}

// at is the mantissa at scale s, not under the number's own.
func (d Decimal) at(s uint8) int64 { return d.Mantissa * tens[s-d.Scale] }

func (d Decimal) cmp(o Decimal) int {
	s := max(d.Scale, o.Scale)
	a, b := d.at(s), o.at(s)
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// add is d + n*step.
func (d Decimal) add(step Decimal, n int64) Decimal {
	s := max(d.Scale, step.Scale)
	return Decimal{d.at(s) + n*step.at(s), s}
}

// steps is how many whole steps lie between origin and d, rounded down.
func (d Decimal) steps(origin, step Decimal) int64 {
	s := max(d.Scale, origin.Scale, step.Scale)
	diff, w := d.at(s)-origin.at(s), step.at(s)
	n := diff / w
	if diff%w < 0 {
		n--
	}
	return n
}

// append writes the shortest form.
func (d Decimal) append(dst []byte) []byte {
	for d.Scale > 0 && d.Mantissa%10 == 0 {
		d.Mantissa /= 10
		d.Scale--
	}
	m := d.Mantissa
	if m < 0 {
		dst = append(dst, '-')
		m = -m
	}
	dst = strconv.AppendInt(dst, m/tens[d.Scale], 10)
	if d.Scale > 0 {
		dst = append(dst, '.')
		rest := strconv.FormatInt(tens[d.Scale]+m%tens[d.Scale], 10)
		dst = append(dst, rest[1:]...)
	}
	return dst
}

// String is the shortest form.
func (d Decimal) String() string { return string(d.append(nil)) }

// MarshalText is the shortest form.
func (d Decimal) MarshalText() ([]byte, error) { return d.append(nil), nil }

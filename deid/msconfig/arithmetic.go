package msconfig

import (
	"math"
	"math/big"
)

func arithmetic(l, r seq, op string) (seq, error) {
	a, err := primitive(l)
	if err != nil {
		return nil, err
	}
	b, err := primitive(r)
	if err != nil {
		return nil, err
	}
	if op == "+" && a.kind == text && b.kind == text {
		return one(textValue(a.s + b.s)), nil
	}
	if !a.numeric() || !b.numeric() {
		return nil, errType
	}
	x, ok1 := a.dec()
	y, ok2 := b.dec()
	if !ok1 || !ok2 {
		return nil, errOverflow
	}
	// The type of the result: integer, else long, else decimal.
	k := max(a.kind, b.kind)
	if (op == "/" || op == "div" || op == "mod") && y.c.Sign() == 0 {
		return nil, nil
	}
	var out decimal
	ok := true
	switch op {
	case "+":
		out, ok = x.add(y)
	case "-":
		out, ok = x.add(y.neg())
	case "*":
		out, ok = x.mul(y)
	case "/":
		k = number
		out, ok = x.quo(y)
	case "div":
		if k == number {
			k = long
		}
		if out, ok = x.quo(y); ok {
			out = decimal{c: out.trunc()}
		}
	case "mod":
		out, ok = x.rem(y)
	}
	if !ok || k == integer && !fits(out.c, math.MinInt32, math.MaxInt32) || k == long && !fits(out.c, math.MinInt64, math.MaxInt64) {
		return nil, errOverflow
	}
	return one(value{kind: k, s: out.String()}), nil
}

func fits(c *big.Int, lo, hi int64) bool {
	return c.IsInt64() && c.Int64() >= lo && c.Int64() <= hi
}

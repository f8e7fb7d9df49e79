package score_test

import (
	"math"
	"testing"

	"github.com/sallyport/sallyport/deid/text/score"
)

// Of all or nothing the bound is a formula: p^n = .05. In between it is the p at
// which hits or more have a probability of 5 %, summed here term by term.
func TestLowerBound(t *testing.T) {
	for _, n := range []int{1, 11, 400, 20_000} {
		if got, want := score.LowerBound(n, n), math.Pow(.05, 1/float64(n)); math.Abs(got-want) > 1e-9 {
			t.Errorf("%d of %d: got %.9f, want %.9f", n, n, got, want)
		}
	}
	for _, c := range []struct{ hits, of int }{{4, 5}, {1, 2}, {390, 400}, {1, 50}} {
		p := score.LowerBound(c.hits, c.of)
		sum, term := 0.0, math.Pow(p, float64(c.of)) // of all
		for k := c.of; k >= c.hits; k-- {
			sum += term
			term *= float64(k) / float64(c.of-k+1) * (1 - p) / p
		}
		if math.Abs(sum-.05) > 1e-6 {
			t.Errorf("%d of %d: at %.6f the probability is %.6f, want .05", c.hits, c.of, p, sum)
		}
	}
	for _, c := range []struct{ hits, of int }{{0, 0}, {0, 10}, {-1, 3}, {1, 0}} {
		if got := score.LowerBound(c.hits, c.of); got != 0 {
			t.Errorf("%d of %d promises %.3f", c.hits, c.of, got)
		}
	}
}

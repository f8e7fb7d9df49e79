package score

import "math"

// LowerBound is the one-sided 95 % lower bound of Clopper and Pearson (1934) on a
// share of which hits of n were seen: the share at which so many hits or more have
// a probability of 5 %. It never promises more than 95 % say; Wilson's can, near 1.
// It is 0 where nothing was seen.
func LowerBound(hits, of int) float64 {
	if hits <= 0 || of <= 0 {
		return 0
	}
	hits = min(hits, of)
	low, high := 0.0, 1.0
	for range 60 { // to the last bit of a float
		mid := (low + high) / 2
		if tail(hits, of, mid) < .05 {
			low = mid
		} else {
			high = mid
		}
	}
	return low
}

// tail is the probability of hits or more of n at a share p.
func tail(hits, of int, p float64) float64 {
	if p <= 0 {
		return 0
	}
	if p >= 1 {
		return 1
	}
	lg := func(n int) float64 { v, _ := math.Lgamma(float64(n) + 1); return v }
	sum := 0.0
	for k := hits; k <= of; k++ {
		sum += math.Exp(lg(of) - lg(k) - lg(of-k) + float64(k)*math.Log(p) + float64(of-k)*math.Log1p(-p))
	}
	return math.Min(1, sum)
}

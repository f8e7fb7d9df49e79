// Package nearest finds what somebody may have meant by a name that there is not.
package nearest

import (
	"slices"
	"strings"
)

// maxName bounds what is compared: a longer name is like none.
const maxName = 64

// Name is the name with the fewest edits from got, whatever their case; of several the
// first in order. Empty: none takes less than limit edits.
func Name(got string, names []string, limit int) (best string) {
	got = strings.ToLower(got)
	for _, n := range slices.Sorted(slices.Values(names)) {
		if d := distance(got, strings.ToLower(n), limit); d < limit {
			best, limit = n, d
		}
	}
	return best
}

// distance is the Levenshtein distance, or limit where it is at least that.
func distance(a, b string, limit int) int {
	if len(a) > maxName || len(b) > maxName || len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			d := diagonal
			if a[i] != b[j] {
				d = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], d
		}
	}
	return min(row[len(b)], limit)
}

package forecast

import (
	"time"

	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/snapshot"
)

// Refusal asks the policy about a grant as it is now, with the small question that
// forecasts ask: nil, it is open from one of its devices at least; otherwise why it is
// closed from the first.
func Refusal(e *policy.Engine, v *snapshot.View, g *snapshot.Grant, now time.Time) *policy.Refusal {
	var first *policy.Refusal
	for _, d := range devicesOf(g) {
		q := Question(v, g, d)
		q.Now = now
		permit, refusal := e.Decide(q)
		if permit != nil && refusal == nil {
			return nil
		}
		if first == nil {
			first = refusal
		}
	}
	return first
}

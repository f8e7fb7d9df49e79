package seal

import (
	"testing"

	"github.com/sallyport/sallyport/deid"
)

// What deid did not make is not sealed.
func TestClearNeedsARelease(t *testing.T) {
	if s := Clear(deid.Release{}); s.Valid() || s.Sealing() != "" || s.Len() != 0 {
		t.Error("the zero Release was sealed")
	}
	if (Sealed{}).Valid() {
		t.Error("the zero Sealed is valid")
	}
}

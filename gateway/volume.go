package gateway

import (
	"sync"
	"time"

	"github.com/sallyport/sallyport/id"
)

// Volume counts the bytes that each grant has received in the current UTC day,
// so that its daily cap holds across requests that run at once. Like
// vault.Usage it lives in memory, is rebuilt from the audit log at start
// (Recount), and refuses until then. The zero value is ready for Load.
type Volume struct {
	mu     sync.Mutex
	loaded bool
	day    int64 // since 1970
	bytes  map[id.Grant]int64
}

const daySeconds = 24 * 60 * 60

func dayOf(t time.Time) int64 { return t.Unix() / daySeconds }

// Load adds bytes that the audit log says have left under the grant at t.
func (v *Volume) Load(grant id.Grant, t time.Time, bytes int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.turn(t) {
		v.bytes[grant] += bytes
	}
}

// Loaded says that the whole log has been read.
func (v *Volume) Loaded() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.loaded = true
}

// turn begins a new day where t is in one; false: t is in a day gone by.
func (v *Volume) turn(t time.Time) bool {
	day := dayOf(t)
	if day > v.day || v.bytes == nil {
		v.day, v.bytes = day, map[id.Grant]int64{}
	}
	return day == v.day
}

// Today is how many bytes the grant has had; ok is false while that is not known.
func (v *Volume) Today(grant id.Grant, now time.Time) (bytes int64, ok bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.today(grant, now), v.loaded
}

// today: on a clock that went back a day, the day that was counted still counts.
func (v *Volume) today(grant id.Grant, now time.Time) int64 {
	v.turn(now)
	return v.bytes[grant]
}

// Reserve adds bytes unless that would pass limit; all or nothing, so that two
// releases at once cannot pass it together. A reservation stays if the release
// then fails, which errs to the safe side until the next start.
func (v *Volume) Reserve(grant id.Grant, now time.Time, bytes, limit int64) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	had := v.today(grant, now)
	if !v.loaded || bytes < 0 || bytes > limit-had {
		return false
	}
	v.bytes[grant] = had + bytes
	return true
}

package console

import (
	"time"

	"github.com/sallyport/sallyport/forecast"
)

func homeScreens() []screen {
	return []screen{on("today", "Today", "GET /console", everyone, (*server).today)}
}

// today is what the visitor opens every morning.
type today struct {
	Stops []forecast.Stop
	Made  time.Time
}

func (s *server) today(v *visit) (today, error) {
	v.call("Today")
	var t today
	t.Stops, t.Made = s.ahead.Within(v.Context(), v.Now, 30*24*time.Hour)
	return t, nil
}

package console

import (
	"strings"
	"time"

	"github.com/sallyport/sallyport/api"
)

// whatIf is another world to judge a request in: another time, or an act imagined.
type whatIf struct {
	At      string    // as it was written
	Time    time.Time // zero: none was
	Kind    string    // of the act
	Summary string
	With    []api.WithAct
	Wrong   string
}

// readWhatIf reads the form of a judgement.
func (s *server) readWhatIf(v *visit, _ caller) whatIf {
	q := v.URL.Query()
	w := whatIf{At: strings.TrimSpace(q.Get("at"))}
	if w.At == "" {
		return w
	}
	var err error
	for _, form := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", time.RFC3339, time.DateOnly} {
		if w.Time, err = time.Parse(form, w.At); err == nil {
			w.Time = w.Time.UTC()
			return w
		}
	}
	w.Wrong = "A time is written as 2026-03-31T14:00."
	return w
}

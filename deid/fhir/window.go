package fhir

import (
	"strings"
	"time"

	"github.com/sallyport/sallyport/deid"
	"github.com/sallyport/sallyport/fhir/spec"
)

// inWindow reports whether the resource at start lies in the scope's date
// window. It must lie there as a whole: a date that is known to the year or to
// the day stands for all of it, in UTC where it has no zone. A period counts by
// its start, and by its end if it has one. A resource that has no clinical date
// is outside.
func (m *Minimiser) inWindow(typ string, start int) bool {
	if !m.o.Scope.Windowed() {
		return true
	}
	elements, timeless := deid.ClinicalDates(typ)
	if timeless {
		return true
	}
	for _, e := range elements {
		stem, choice := strings.CutSuffix(e, "[x]")
		for i := start + 1; ; {
			name, v, ok := next(m.raw, i, &m.names)
			if !ok {
				break
			}
			i = valueEnd(m.raw, v)
			if string(name) == stem || (choice && isDated(name, stem)) {
				return m.within(v)
			}
		}
	}
	return false
}

// isDated: the choices that hold a time. An age or a text does not.
func isDated(name []byte, stem string) bool {
	if len(name) <= len(stem) || string(name[:len(stem)]) != stem {
		return false
	}
	switch string(name[len(stem):]) {
	case "DateTime", "Date", "Instant", "Period", "Timing":
		return true
	}
	return false
}

// within judges a date, an instant, a Period, or a Timing by its events or bounds.
func (m *Minimiser) within(v int) bool {
	switch m.raw[v] {
	case '"':
		from, to, ok := interval(m.raw[v+1 : stringEnd(m.raw, v)-1])
		return ok && m.contains(from, to)
	case '[': // Timing.event
		any := false
		for i := v + 1; ; {
			at, ok := item(m.raw, i)
			if !ok {
				return any
			}
			i = valueEnd(m.raw, at)
			if m.raw[at] == '{' || !m.within(at) {
				return false
			}
			any = true
		}
	case '{':
		begun, dated := false, false
		for i := v + 1; ; {
			name, at, ok := next(m.raw, i, &m.names)
			if !ok {
				return begun || dated
			}
			i = valueEnd(m.raw, at)
			switch string(name) {
			case "start":
				begun = true
			case "end":
			case "event", "repeat", "boundsPeriod":
				dated = true
			default:
				continue
			}
			if string(name) == "repeat" && m.raw[at] != '{' {
				return false
			}
			if !m.within(at) {
				return false
			}
		}
	}
	return false
}

func (m *Minimiser) contains(from, to time.Time) bool {
	s := m.o.Scope.Spec()
	if !s.Since.IsZero() && from.Before(s.Since) {
		return false
	}
	return s.Until.IsZero() || !to.After(s.Until)
}

// interval is what a date, dateTime or instant stands for: [from, to).
func interval(b []byte) (from, to time.Time, ok bool) {
	if len(b) > 48 || !spec.Valid("dateTime", string(b)) {
		return from, to, false
	}
	s := string(b)
	var err error
	switch len(s) {
	case 4:
		from, err = time.Parse("2006", s)
		return from, from.AddDate(1, 0, 0), err == nil
	case 7:
		from, err = time.Parse("2006-01", s)
		return from, from.AddDate(0, 1, 0), err == nil
	case 10:
		from, err = time.Parse("2006-01-02", s)
		return from, from.AddDate(0, 0, 1), err == nil
	}
	from, err = time.Parse(time.RFC3339Nano, s)
	return from, from, err == nil
}

package fhir

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport/sallyport/deid"
	"github.com/sallyport/sallyport/fhir"
	"github.com/sallyport/sallyport/fhir/spec"
	"github.com/sallyport/sallyport/problem"
)

// dated writes a date, dateTime or instant that has its shape, by the scope's
// rule. Where ages are judged, a year that could tell one over 89 goes: of
// AsOf's year less 90 or before, whoever's date it is, for whoever lived then is
// 90 by now; and one after AsOf's year, at which somebody whose year of birth
// stays could be 90. That he may have died before is not looked at: it would
// need his whole record.
func (m *Minimiser) dated(dst, value []byte, f *deid.Field) ([]byte, error) {
	plain := value[1 : len(value)-1]
	if m.o.Scope.Judges() {
		year, err := strconv.Atoi(string(plain[:4]))
		if err != nil || year <= m.oldest || year > m.newest {
			m.tally[deid.AgeOver89]++
			return dst, nil
		}
	}
	switch {
	case f.Years:
	case m.o.Scope.Shifts():
		days, ok, err := m.shift()
		if err != nil {
			return dst, err
		}
		if ok {
			out, ok := shifted(append(dst, '"'), plain, days)
			if !ok {
				m.tally[deid.BadShape]++
				return dst, nil
			}
			m.tally[deid.DateShifted]++
			return append(out, '"'), nil
		}
	case !m.o.Scope.CutsDates():
		return append(dst, value...), nil
	}
	if f.Shape == deid.Instant { // it cannot say just a year
		m.tally[deid.ClockTime]++
		return dst, nil
	}
	if len(plain) > 4 {
		m.tally[deid.DateToYear]++
	}
	return quote(dst, string(plain[:4])), nil
}

// shifted appends a date moved by whole days. The time of day and the zone stay
// as they are written, so that intervals stay exact. A date that is known to the
// month moves by the whole months nearest to the days, one that is known to the
// year by the whole years: intervals between two that are equally precise stay
// exact to what they say. Between a date and a month they can be off by half a
// month, between a date and a year by half a year.
func shifted(dst, plain []byte, days int) ([]byte, bool) {
	year, err := strconv.Atoi(string(plain[:4]))
	if err != nil {
		return dst, false
	}
	month, day := 1, 1
	switch len(plain) {
	case 4:
		year += int(math.Round(float64(days) / 365.25))
	case 7:
		month, _ = strconv.Atoi(string(plain[5:7]))
		month += int(math.Round(float64(days) / (365.25 / 12)))
	default:
		month, _ = strconv.Atoi(string(plain[5:7]))
		day, _ = strconv.Atoi(string(plain[8:10]))
		day += days
	}
	t := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	if t.Year() < 1 || t.Year() > 9999 {
		return dst, false
	}
	layout := time.DateOnly
	if n := len(plain); n < len(layout) {
		layout = layout[:n]
	}
	dst = t.AppendFormat(dst, layout)
	if len(plain) > len(time.DateOnly) {
		dst = append(dst, plain[len(time.DateOnly):]...)
	}
	return dst, true
}

// about is what is known of the resource at hand besides its plan. The patient
// is looked for only when he is asked for.
type about struct {
	typ     string
	start   int
	fullURL []byte
	ages    bool // an observation of an age
	asked   bool // patient and days are known
	patient string
	days    int
	err     error
}

func (m *Minimiser) begin(typ string, start int, fullURL []byte) {
	m.about = about{typ: typ, start: start, fullURL: fullURL}
	m.text.stands = false
	if m.o.Scope.Judges() && (typ == "Observation" || bytes.Contains(m.raw, containedName)) {
		m.about.ages = ofAge(m.raw)
	}
}

// shift is the number of days of the resource's patient; ok is false where it is
// not one patient's.
func (m *Minimiser) shift() (days int, ok bool, err error) {
	a := m.subject()
	return a.days, a.patient != "", a.err
}

// subject finds whose the resource is.
func (m *Minimiser) subject() *about {
	a := &m.about
	if a.asked {
		return a
	}
	a.asked = true
	a.patient = m.whose(a.typ, a.start)
	if a.patient != "" && m.o.Scope.Shifts() {
		if a.days, a.err = m.o.Shifts.Days(a.patient); a.err != nil {
			a.err = problem.New(problem.Unavailable, "the patient's shift of dates is not to be had", "Nothing was released; try again, and tell the operator if it goes on").Because(a.err)
		}
	}
	return a
}

// owners are the elements that say whose a resource is, where there are several
// references to patients.
var owners = []string{"patient", "subject", "for", "beneficiary", "individual"}

// whose gives the patient's id, or "" where it is none or more than one. In a
// Bundle whose entries call each other by urn:uuid it is that UUID.
func (m *Minimiser) whose(typ string, start int) string {
	if typ == "Patient" {
		if uuid, ok := bytes.CutPrefix(m.about.fullURL, []byte(urnUUID)); ok && spec.ValidID(uuid) {
			return strings.ToLower(string(uuid))
		}
		_, id := m.identify(start)
		if !spec.ValidID(id) {
			return ""
		}
		return string(id)
	}
	tree := spec.PatientTree(typ)
	if tree == nil {
		return ""
	}
	for _, owner := range owners {
		if n := tree.Next[owner]; n != nil && n.Reference {
			if found := m.patients(start, owner, n, nil); len(found) > 0 {
				return one(found)
			}
		}
	}
	var found []string
	for name, n := range tree.Next {
		found = m.patients(start, name, n, found)
	}
	return one(found)
}

func one(ids []string) string {
	for _, id := range ids {
		if id != ids[0] {
			return ""
		}
	}
	if len(ids) == 0 {
		return ""
	}
	return ids[0]
}

// patients collects the patients that are referred to in the member called name.
func (m *Minimiser) patients(object int, name string, n *spec.PatientNode, found []string) []string {
	for i := object + 1; ; {
		key, v, ok := next(m.raw, i, &m.names)
		if !ok {
			return found
		}
		i = valueEnd(m.raw, v)
		if string(key) != name {
			continue
		}
		each := func(at int) {
			if m.raw[at] != '{' {
				return
			}
			if n.Reference {
				if id := m.patient(at, name); id != "" {
					found = append(found, id)
				}
				return
			}
			for below, sub := range n.Next {
				found = m.patients(at, below, sub, found)
			}
		}
		if m.raw[v] != '[' {
			each(v)
			return found
		}
		for k := v + 1; ; {
			at, ok := item(m.raw, k)
			if !ok {
				return found
			}
			k = valueEnd(m.raw, at)
			each(at)
		}
	}
}

// patient reads one Reference. A urn:uuid does not say what it is of: it counts
// where its element is an owner's, unless the reference gives another type.
func (m *Minimiser) patient(at int, element string) string {
	var ref fhir.Ref
	other := false
	for i := at + 1; ; {
		name, v, ok := next(m.raw, i, &m.names)
		if !ok {
			break
		}
		i = valueEnd(m.raw, v)
		if m.raw[v] != '"' || i-v > maxRef {
			continue
		}
		switch string(name) {
		case "reference":
			ref = m.parse(string(text(m.raw[v:i], &m.words)))
		case "type":
			other = string(m.raw[v:i]) != `"Patient"`
		}
	}
	switch {
	case ref.Kind == fhir.Literal && ref.Type == "Patient":
		return ref.ID
	case ref.Kind == fhir.Conditional && ref.Type == "Patient" && m.o.Targets != nil:
		id, _ := m.o.Targets.ID(ref.Type, ref.Query)
		return id
	case ref.Kind == fhir.URN && !other:
		for _, o := range owners {
			if o == element {
				uuid, _ := strings.CutPrefix(ref.URN, urnUUID)
				return strings.ToLower(uuid)
			}
		}
	}
	return ""
}

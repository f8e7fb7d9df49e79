package fhir

import (
	"bytes"
	"math"
	"strconv"
	"strings"

	"github.com/sallyport/sallyport/deid"
	"github.com/sallyport/sallyport/hipaa"
)

// 45 CFR 164.514(b)(2)(i)(C): all ages over 89, and all elements of dates that
// tell one, go into a single category of 90 or older. Ages are counted in whole
// years, as people count them: who is 89 and a half is 89.
const oldAge = 90

// The category, as a quantity (R4: an Age has a UCUM code and may have a
// comparator) and as the low end of a Range (whose ends have none; a Range
// without a high is open).
const (
	ninetyOrOver = `{"value":90,"comparator":">=","unit":"years","system":"http://unitsofmeasure.org","code":"a"}`
	fromNinety   = `{"value":90,"unit":"years","system":"http://unitsofmeasure.org","code":"a"}`
)

// aged judges the quantity at i. done is false where it is no age over 89 and is
// copied as any other. Any quantity of time can be an age: Observation.valueQuantity
// is one as well as Condition.onsetAge.
func (m *Minimiser) aged(dst []byte, i int, f *deid.Field) (out []byte, done bool) {
	var number, comparator []byte
	years, time, words := 0.0, false, false
	for k := i + 1; ; {
		name, v, ok := next(m.raw, k, &m.names)
		if !ok {
			break
		}
		k = valueEnd(m.raw, v)
		switch string(name) {
		case "value":
			number = m.raw[v:k]
		case "comparator":
			comparator = m.raw[v:k]
		case "unit", "code":
			if m.raw[v] != '"' {
				continue
			}
			u := text(m.raw[v:k], &m.words)
			words = words || len(u) > 0
			if y, ok := yearsOf(u); ok {
				time, years = true, max(years, y)
			}
		}
	}
	isAge := f.Node.Path == "Age"
	switch {
	case len(number) == 0 || number[0] != '-' && !isDigit(number[0]):
		return dst, false // without a number there is no age; the rest is judged by its parts
	case time:
	case isAge && words:
		m.tally[deid.AgeOver89]++ // a unit that nobody here knows
		return dst, true
	case !isAge && (words || !m.about.ages):
		return dst, false
	default:
		years = 1 // an age that has no unit is one of years
	}
	n, err := strconv.ParseFloat(string(number), 64)
	if err != nil && !math.IsInf(n, 1) {
		return dst, false
	}
	if math.Floor(n*years+1e-9) < oldAge {
		return dst, false
	}
	m.tally[deid.AgeOver89]++
	switch {
	case len(comparator) > 1 && comparator[1] == '<', f.Age == deid.AgeHigh:
		return dst, true // less than something over 89: that it is not 90 is not known
	case !time && !isAge:
		return dst, true // a number beside an age: that it is one is not known
	case f.Age == deid.AgeLow:
		m.showed(f.Node, "value", "unit", "system", "code")
		return append(dst, fromNinety...), true
	}
	m.showed(f.Node, "value", "comparator", "unit", "system", "code")
	return append(dst, ninetyOrOver...), true
}

// showed marks members that were written at once.
func (m *Minimiser) showed(n *deid.Node, names ...string) {
	for _, name := range names {
		if f := n.Field([]byte(name)); f != nil {
			m.shown = append(m.shown, f.Shown...)
		}
	}
}

// yearsOf is how many years a unit of time is, in UCUM or in English.
func yearsOf(unit []byte) (years float64, ok bool) {
	if len(unit) == 0 || len(unit) > 16 {
		return 0, false
	}
	switch strings.TrimSpace(string(bytes.ToLower(unit))) {
	case "a", "a_j", "a_g", "a_t", "ann", "{years}", "{year}", "y", "yr", "yrs", "yo", "y/o", "year", "years", "year(s)", "years old", "year old":
		return 1, true
	case "mo", "mo_j", "mo_g", "mo_s", "mon", "mos", "mth", "mths", "month", "months", "month(s)":
		return 1.0 / 12, true
	case "wk", "wks", "w", "week", "weeks", "week(s)":
		return 7 / 365.25, true
	case "d", "dy", "day", "days", "day(s)":
		return 1 / 365.25, true
	case "h", "hr", "hrs", "hour", "hours":
		return 1 / 365.25 / 24, true
	case "min", "minute", "minutes":
		return 1 / 365.25 / 24 / 60, true
	case "s", "sec", "second", "seconds":
		return 1 / 365.25 / 24 / 3600, true
	}
	return 0, false
}

// ofAge reports whether one of an observation's codes says that its value is
// somebody's age, which then need not say so with a unit.
func ofAge(raw []byte) bool {
	member := []byte(`"code"`)
	for {
		i := bytes.Index(raw, member)
		if i < 0 {
			return false
		}
		raw = raw[i+len(member):]
		i = 0
		for i < len(raw) && (raw[i] <= ' ' || raw[i] == ':') {
			i++
		}
		if i == len(raw) || raw[i] != '"' {
			continue
		}
		raw = raw[i+1:]
		end := bytes.IndexByte(raw[:min(len(raw), 12)], '"')
		if end < 0 {
			continue
		}
		switch string(raw[:end]) {
		case "30525-0", // LOINC: age
			"21611-9", "21612-7", "29553-5", "63900-5", // estimated, reported, calculated, current reported
			"35659-2", "39016-1", "63932-8", "67186-7", // at specimen collection, at death, at diagnosis, category
			"424144002", "397669002": // SNOMED CT: current chronological age, age
			return true
		}
		raw = raw[end:]
	}
}

// isAge reports whether a bare number in an observation of an age is over 89.
func (m *Minimiser) isAge(value []byte, shape deid.Shape) bool {
	if shape != deid.Integer && shape != deid.Decimal {
		return false
	}
	n, err := strconv.ParseFloat(string(value), 64)
	return err != nil || math.Floor(n) >= oldAge
}

// zip writes what may stand of a ZIP code: its first three digits where more
// than 20,000 people live under them, and 000 for all else.
func (m *Minimiser) zip(dst, code []byte) []byte {
	prefix := "000"
	if isZIP(code) || len(code) == 3 {
		prefix = hipaa.ZIP3(code[:3])
	}
	return quote(dst, prefix)
}

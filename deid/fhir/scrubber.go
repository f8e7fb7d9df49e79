package fhir

import (
	"github.com/sallyport/sallyport/deid"
	deidtext "github.com/sallyport/sallyport/deid/text"
	"github.com/sallyport/sallyport/hipaa"
)

// scrubber is deid/text as the profiles ask for it.
type scrubber struct {
	engine *deidtext.Engine
	key    []byte
}

// NewScrubber makes deid/text's engine a deid.Scrubber. key is what surrogates
// are made with, of 32 bytes and used for nothing else; without it they are masks.
func NewScrubber(engine *deidtext.Engine, key []byte) deid.Scrubber {
	return &scrubber{engine: engine, key: append([]byte(nil), key...)}
}

func (s *scrubber) NewRecord() deid.Record { return &record{deidtext.NewRecord()} }

func (s *scrubber) Category(c uint8) string { return deidtext.Category(c).String() }

func (s *scrubber) Find(dst []deid.Found, doc []byte, r deid.Record) ([]deid.Found, error) {
	var buf [64]deidtext.Span
	spans, err := s.engine.Find(buf[:0], doc, dictionary(r))
	if err != nil {
		return dst, err
	}
	for _, x := range spans {
		dst = append(dst, deid.Found{Start: x.Start, End: x.End, Category: uint8(x.Category)})
	}
	return dst, nil
}

func dictionary(r deid.Record) *deidtext.Record {
	if own, ok := r.(*record); ok {
		return own.r
	}
	return nil
}

func (s *scrubber) Replacer(r deid.Record, m deid.Manner) (deid.Replacer, error) {
	switch m.Style {
	case deid.YearsOnly:
		return replacer{deidtext.YearsOnly{AsOf: m.AsOf, Populous: func(zip3 string) bool { return hipaa.ZIP3(zip3) != "000" }}}, nil
	case deid.Surrogates:
		if len(s.key) > 0 && m.ShiftDays != 0 { // the dates in nobody's text are not known to be moved
			return replacer{deidtext.NewSurrogates(s.key, m.ShiftDays, dictionary(r))}, nil
		}
	}
	return replacer{deidtext.Masks{}}, nil
}

type replacer struct{ by deidtext.Replacer }

func (r replacer) Replace(dst, value []byte, f deid.Found) ([]byte, error) {
	return r.by.Replace(dst, value, deidtext.Span{Start: f.Start, End: f.End, Category: deidtext.Category(f.Category)})
}

// record is deid/text's dictionary of one patient.
type record struct{ r *deidtext.Record }

var roles = [...]deidtext.Role{deid.Other: deidtext.Other, deid.Patient: deidtext.Patient, deid.Relative: deidtext.Relative, deid.Practitioner: deidtext.Practitioner}

var ids = [...]deidtext.Category{
	deid.OtherID: deidtext.OtherID, deid.SSN: deidtext.SSN, deid.MRN: deidtext.MRN, deid.HealthPlan: deidtext.HealthPlan,
	deid.Account: deidtext.Account, deid.License: deidtext.License, deid.Device: deidtext.Device,
}

func (r *record) Name(role deid.Role, given []string, family, gender string) {
	g := deidtext.AnyGender
	switch gender {
	case "female":
		g = deidtext.Female
	case "male":
		g = deidtext.Male
	}
	r.r.Name(roles[min(int(role), len(roles)-1)], given, family, g)
}

func (r *record) Address(lines []string, city, state, zip string) {
	r.r.Address(lines, city, state, zip)
}
func (r *record) Phone(s string)            { r.r.Phone(s) }
func (r *record) Email(s string)            { r.r.Email(s) }
func (r *record) Date(year, month, day int) { r.r.Date(year, month, day) }
func (r *record) Facility(name string)      { r.r.Facility(name) }
func (r *record) ID(kind deid.IDKind, value string) {
	r.r.ID(ids[min(int(kind), len(ids)-1)], value)
}

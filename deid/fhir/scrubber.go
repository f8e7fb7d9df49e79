package fhir

import (
	"time"

	"github.com/sallyport/sallyport/deid"
	deidtext "github.com/sallyport/sallyport/deid/text"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/problem"
)

// Scrubber is a text.Engine as a deid.Scrubber: for one engagement, or one set of
// files, under its key and as of a day. It is immutable.
type Scrubber struct {
	engine *deidtext.Engine
	key    []byte
	asOf   time.Time
}

// NewScrubber makes a Scrubber. key, of 32 bytes that are used for nothing else,
// is for deid.Surrogates: without it those are masks. asOf is for deid.YearsOnly:
// without it no year stands.
func NewScrubber(engine *deidtext.Engine, key []byte, asOf time.Time) *Scrubber {
	return &Scrubber{engine: engine, key: append([]byte(nil), key...), asOf: asOf}
}

// dictionary is a deidtext.Record as a deid.Record.
type dictionary struct{ *deidtext.Record }

var roles = map[deid.Role]deidtext.Role{
	deid.Other: deidtext.Other, deid.Patient: deidtext.Patient, deid.Relative: deidtext.Relative, deid.Practitioner: deidtext.Practitioner,
}

var idKinds = map[deid.IDKind]deidtext.Category{
	deid.OtherID: deidtext.OtherID, deid.SSN: deidtext.SSN, deid.MRN: deidtext.MRN, deid.HealthPlan: deidtext.HealthPlan,
	deid.Account: deidtext.Account, deid.License: deidtext.License, deid.Device: deidtext.Device,
}

// Name implements deid.Record.
func (d dictionary) Name(role deid.Role, given []string, family, gender string) {
	g := deidtext.AnyGender
	switch gender { // AdministrativeGender
	case "female":
		g = deidtext.Female
	case "male":
		g = deidtext.Male
	}
	d.Record.Name(roles[role], given, family, g)
}

// ID implements deid.Record.
func (d dictionary) ID(kind deid.IDKind, value string) { d.Record.ID(idKinds[kind], value) }

// NewRecord implements deid.Scrubber.
func (s *Scrubber) NewRecord() deid.Record { return dictionary{deidtext.NewRecord()} }

// Find implements deid.Scrubber.
func (s *Scrubber) Find(dst []deid.Found, doc []byte, r deid.Record) ([]deid.Found, error) {
	if s == nil || s.engine == nil {
		return dst, problem.New(problem.Internal, "there is nothing to scrub text with", "Nothing was released; tell the operator")
	}
	spans, err := s.engine.Find(nil, doc, dictionaryOf(r))
	if err != nil {
		return dst, err
	}
	for _, x := range spans {
		dst = append(dst, deid.Found{Start: x.Start, End: x.End, Category: uint8(x.Category)})
	}
	return dst, nil
}

func dictionaryOf(r deid.Record) *deidtext.Record {
	if d, ok := r.(dictionary); ok {
		return d.Record
	}
	return nil
}

// replacer is a deidtext.Replacer as a deid.Replacer.
type replacer struct{ deidtext.Replacer }

// Replace implements deid.Replacer.
func (r replacer) Replace(dst, value []byte, f deid.Found) ([]byte, error) {
	return r.Replacer.Replace(dst, value, deidtext.Span{Start: f.Start, End: f.End, Category: deidtext.Category(f.Category)})
}

// Replacer implements deid.Scrubber.
func (s *Scrubber) Replacer(r deid.Record, style deid.Style, shiftDays int) (deid.Replacer, error) {
	switch style {
	case deid.YearsOnly:
		return replacer{deidtext.YearsOnly{AsOf: s.asOf, Populous: func(zip3 string) bool { return hipaa.ZIP3(zip3) == zip3 && zip3 != "000" }}}, nil
	case deid.Surrogates:
		return replacer{deidtext.NewSurrogates(s.key, shiftDays, dictionaryOf(r))}, nil
	default:
		return replacer{deidtext.Masks{}}, nil
	}
}

// Category implements deid.Scrubber.
func (s *Scrubber) Category(c uint8) string { return deidtext.Category(c).String() }

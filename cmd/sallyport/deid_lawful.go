package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/big"
	"os"
	"slices"
	"time"

	"github.com/sallyport/sallyport/internal/yamldoc"

	"github.com/sallyport/sallyport/deid"
	"github.com/sallyport/sallyport/deid/dicom"
	deidfhir "github.com/sallyport/sallyport/deid/fhir"
	"github.com/sallyport/sallyport/deid/hl7v2"
	"github.com/sallyport/sallyport/deid/table"
	"github.com/sallyport/sallyport/deid/text"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/problem"
)

// lawful is a profile as each engine can carry it out. A profile speaks of FHIR
// elements; the other engines have a basis and a few switches. What a switch
// becomes is read from the profile's ruling for the FHIR element that is the same
// thing (see rulingOf). Where an engine cannot be as strict as the profile, it is
// refused; where it can only be stricter, it is.
type lawful struct {
	profile *deid.Profile
	scope   *deid.Scope
	asOf    time.Time
	ruling  map[string]string
	secrets *secrets
	shifts  deid.Shifts  // nil: dates are not shifted
	engine  *text.Engine // nil: no text stands
}

// The FHIR elements whose rulings decide for the other formats.
const (
	rulingDates = "Patient.birthDate"
	rulingZIP   = "Address.postalCode"
	rulingCity  = "Address.city"
	rulingText  = "Annotation.text"
)

// readProfile is a built-in profile by its name, or the site's from a file.
func readProfile(name string) (*deid.Profile, error) {
	for _, p := range deid.BuiltIn() {
		if p.Name() == name {
			return p, nil
		}
	}
	raw, err := os.ReadFile(name)
	if err != nil {
		return nil, problem.BadField("profile", fmt.Sprintf("%q is neither a built-in profile nor a file", name),
			"List them: sallyport deid profiles").Because(err)
	}
	return deid.LoadProfile(raw)
}

// newLawful makes ready what the profile needs.
func newLawful(p *deid.Profile, asOf time.Time, s *secrets) (*lawful, error) {
	if p.Template() {
		return nil, cited(problem.Refused, "The profile "+p.Name()+" is a template", "Copy it, fill in the determination, set template to false: sallyport deid profiles "+p.Name()+" --yaml",
			"45 CFR 164.514(b)(1)")
	}
	if p.Expired(asOf) {
		return nil, cited(problem.Refused, "The determination of "+p.Name()+" does not hold on "+asOf.Format(time.DateOnly), "Have the expert determine anew, or check --as-of", "45 CFR 164.514(b)(1)")
	}
	l := &lawful{profile: p, asOf: asOf, secrets: s, ruling: map[string]string{}}
	for _, r := range p.Rulings() {
		switch path := r.Owner + "." + r.Name; path {
		case rulingDates, rulingZIP, rulingCity, rulingText:
			l.ruling[path] = r.What
		}
	}
	spec := deid.Spec{All: true, Profile: p.Name(), Dates: deid.AsProfile}
	if !slices.Contains(deid.BuiltIn(), p) {
		spec.Profiles = []*deid.Profile{p}
	}
	var err error
	if l.scope, err = deid.NewScope(spec); err != nil {
		return nil, err
	}
	if days, ok := p.Shifts(); ok {
		if s.derive == nil {
			return nil, problem.BadField("key", "is needed: the profile shifts dates", "Make one with `sallyport deid key FILE` and give --key FILE, or give --config and --engagement")
		}
		if l.shifts, err = deid.NewKeyedShifts(s.derive(useShift), days); err != nil {
			return nil, err
		}
	}
	if p.Scrubs() {
		if p.Style() == deid.Surrogates && s.derive == nil {
			return nil, problem.BadField("key", "is needed: the profile puts surrogates into text", "Make one with `sallyport deid key FILE` and give --key FILE, or give --config and --engagement")
		}
		if l.engine, err = text.New(text.Options{}); err != nil {
			return nil, err
		}
	}
	return l, nil
}

func cited(kind problem.Kind, title, next, citation string) *problem.Problem {
	p := problem.New(kind, title, next)
	p.Citation = citation
	return p
}

func (l *lawful) digest() string {
	d := l.profile.Digest()
	return hex.EncodeToString(d[:])
}

func (l *lawful) textKey() []byte {
	if l.secrets.derive == nil {
		return nil
	}
	return l.secrets.derive(useText)
}

// scrubber is the text engine for FHIR; nil where no text stands.
func (l *lawful) scrubber() deid.Scrubber {
	if l.engine == nil {
		return nil
	}
	return deidfhir.NewScrubber(l.engine, l.textKey())
}

// fhir are the options of deid/fhir, which carries a profile out as it is.
func (l *lawful) fhir(bases []string, records deid.Records, targets deidfhir.Targets) deidfhir.Options {
	return deidfhir.Options{Scope: l.scope, Codes: l.secrets.codes, Bases: bases, URNs: true, AsOf: l.asOf,
		Shifts: l.shifts, Scrubber: l.scrubber(), Records: records, Targets: targets}
}

// messages are the options of deid/hl7v2, cda, x12 and ncpdp. Their limited data
// set keeps city, ZIP code and dates: a profile that keeps less is carried out as
// Safe Harbor's would be, if it cuts dates to the year.
func (l *lawful) messages() (hl7v2.Options, error) {
	o := hl7v2.Options{AsOf: l.asOf, Codes: l.secrets.codes, ZIP3: populous, Dates: hl7v2.YearsOnly}
	switch l.ruling[rulingDates] {
	case "year", "role":
	case "shifted":
		o.Dates, o.Shift = hl7v2.DatesShifted, l.shifts
	case "kept":
		o.Dates = hl7v2.DatesKept
	default:
		o.AsOf = time.Time{} // no date stands
	}
	switch l.profile.Basis() {
	case deid.SafeHarbor:
		o.Basis = hl7v2.SafeHarbor
	case deid.LimitedDataSet:
		o.Basis = hl7v2.LimitedDataSet
		if l.ruling[rulingCity] != "kept" || l.ruling[rulingZIP] != "zip" {
			if o.Dates != hl7v2.YearsOnly {
				return o, cited(problem.Unsupported, "Messages cannot be a limited data set without city or ZIP code but with dates",
					"Keep city and ZIP code in the profile, or set dates to year", "45 CFR 164.514(e)(2)(ii)")
			}
			o.Basis = hl7v2.SafeHarbor
		}
	case deid.ExpertDetermination:
		o.Basis = hl7v2.ExpertDetermination
	case deid.BasisMinimum:
		o.Basis = hl7v2.MinimumNecessary
	default:
		return o, noBasis(l.profile, "messages")
	}
	if l.ruling[rulingZIP] == "removed" {
		o.ZIP3 = nil
	}
	if l.prose() {
		o.Text = messageText{l}
	}
	return o, nil
}

// prose says whether text outside FHIR stands: where a note's does.
func (l *lawful) prose() bool { return l.engine != nil && l.ruling[rulingText] == "scrubbed" }

func noBasis(p *deid.Profile, what string) error {
	return cited(problem.Unsupported, fmt.Sprintf("The basis %s is not one that %s can be given away under here", p.Basis(), what),
		"Use a profile of another basis: sallyport deid profiles", "45 CFR 164.514")
}

// images are the options of deid/dicom, from the profile and, where a site has
// one, its own file of options and masks.
func (l *lawful) images(file string) (dicom.Options, error) {
	o := dicom.Options{UIDs: codedUIDs{l.secrets.codes}, Codes: l.secrets.codes}
	basis, ok := map[deid.Basis]dicom.Basis{deid.SafeHarbor: dicom.SafeHarbor, deid.LimitedDataSet: dicom.LimitedDataSet,
		deid.ExpertDetermination: dicom.ExpertDetermination}[l.profile.Basis()]
	if !ok {
		return o, cited(problem.Unsupported, "DICOM is not cut to a role: PS3.15 has profiles for data that is given away without identity",
			"Use a profile of another basis: sallyport deid profiles", "45 CFR 164.502(b); DICOM PS3.15 Annex E")
	}
	p := &o.Profile
	if file != "" {
		raw, err := os.ReadFile(file)
		if err != nil {
			return o, unreadable("masks", "", err)
		}
		if err := yamldoc.New(raw).First(p); err != nil {
			return o, problem.BadField("masks", yamldoc.Explain(err), "Mend the line that is marked").Because(err)
		}
		if p.Basis != "" && p.Basis != basis {
			return o, cited(problem.Invalid, fmt.Sprintf("The file of --masks is for %s and the profile for %s", p.Basis, basis),
				"Leave basis out of the file, or give the other --profile", "45 CFR 164.514")
		}
	}
	p.Basis = basis
	switch l.ruling[rulingDates] {
	case "shifted":
		p.RetainModifiedDates = true
		o.Shifts = l.shifts
	case "kept":
		p.RetainFullDates = true
	default: // PS3.15 keeps no year alone
		if p.RetainFullDates || p.RetainModifiedDates {
			return o, cited(problem.Refused, "The profile cuts dates, and --masks keeps them", "Turn the option off, or use a profile that keeps or shifts dates", "45 CFR 164.514(b)(2)(i)(C)")
		}
	}
	if l.prose() && !l.profile.NeedsRecord() {
		p.CleanDescriptors = true
		o.Cleaner = imageText{l}
	}
	return o, nil
}

// uidOf is a UID under 2.25 (PS3.5 section B.2) from a code.
func uidOf(code string) string {
	sum := sha256.Sum256([]byte("dicom-uid\x00" + code))
	u := sum[:16]
	u[6], u[8] = u[6]&0x0f|0x80, u[8]&0x3f|0x80
	return "2.25." + new(big.Int).SetBytes(u).String()
}

// rows are a table's rules, which must be of the profile's basis, and their options.
func (l *lawful) rows(rules *table.Rules, pinned bool) (table.Options, error) {
	o := table.Options{Codes: l.secrets.codes, Pseudonyms: l.secrets.codes}
	if string(rules.Basis) != string(l.profile.Basis()) {
		return o, cited(problem.Invalid, fmt.Sprintf("The rules are for %s and the profile for %s", rules.Basis, l.profile.Basis()),
			"Give the --profile of the rules' basis", "45 CFR 164.514")
	}
	if d, ok := l.profile.Determination(); ok && rules.Expert != nil && (rules.Expert.Name != d.Expert || rules.Expert.Recipient != d.Recipient) {
		return o, cited(problem.Refused, "The rules carry out another determination than the profile", "Let rules and profile name one expert and one recipient", "45 CFR 164.514(b)(1)")
	}
	if pinned && !rules.AsOf.Equal(l.asOf) {
		return o, problem.BadField("as-of", "is another day than the rules' as_of, "+rules.AsOf.String(), "Leave --as-of out, or change the rules")
	}
	if !deid.AreAssigned(l.secrets.codes) {
		o.Codes = nil // derived codes are pseudonyms, and a rule that asks for others is refused
	} else {
		o.Pseudonyms = nil
	}
	if l.shifts != nil {
		o.Shift = rowShifts{l.shifts}
	}
	if l.prose() && !l.profile.NeedsRecord() {
		o.Scrub = rowText{l}
	}
	return o, nil
}

type rowShifts struct{ shifts deid.Shifts }

// Days implements table.Shifter.
func (r rowShifts) Days(subject []byte) (int, error) {
	return r.shifts.Days(string(bytes.TrimSpace(subject)))
}

// populous is the Census's word on a ZIP prefix (164.514(b)(2)(i)(B)).
func populous(prefix string) bool { return prefix != "000" && hipaa.ZIP3(prefix) == prefix }

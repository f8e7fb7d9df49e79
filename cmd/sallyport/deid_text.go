package main

import (
	"io"
	"strings"

	"github.com/sallyport/sallyport/deid"
	"github.com/sallyport/sallyport/deid/hl7v2"
	"github.com/sallyport/sallyport/deid/text"
	"github.com/sallyport/sallyport/problem"
)

// The text engine behind the small interfaces of the other engines. A surrogate
// moves dates by the patient's days, which are not known here: outside FHIR text
// gets masks in its place, which tell less.

func (l *lawful) replacer() text.Replacer {
	if l.profile.Style() == deid.YearsOnly {
		return text.YearsOnly{AsOf: l.asOf, Populous: populous}
	}
	return text.Masks{}
}

// messageText scrubs the texts of a message with what its own fields say.
type messageText struct{ l *lawful }

// Scrubber implements hl7v2.Text.
func (m messageText) Scrubber(f hl7v2.Facts) (hl7v2.Scrubber, error) {
	if m.l.profile.NeedsRecord() && len(f.People) == 0 && len(f.IDs) == 0 {
		return nothing{}, nil
	}
	r := text.NewRecord()
	for _, p := range f.People {
		r.Name(text.Role(p.Role), p.Given, p.Family, text.AnyGender)
	}
	for _, a := range f.Places {
		r.Address(a.Lines, a.City, a.State, a.ZIP)
	}
	for _, s := range f.Phones {
		if strings.Contains(s, "@") {
			r.Email(s)
		} else {
			r.Phone(s)
		}
	}
	for _, s := range f.IDs {
		r.ID(text.OtherID, s)
	}
	for _, d := range f.Dates {
		r.Date(d[0], d[1], d[2])
	}
	for _, s := range f.Facilities {
		r.Facility(s)
	}
	return scrubbing{m.l, r}, nil
}

// nothing leaves no text.
type nothing struct{}

// Scrub implements hl7v2.Scrubber.
func (nothing) Scrub(dst, _ []byte) ([]byte, error) { return dst, nil }

type scrubbing struct {
	l *lawful
	r *text.Record
}

// Scrub implements hl7v2.Scrubber.
func (s scrubbing) Scrub(dst, doc []byte) ([]byte, error) {
	out, _, err := s.l.engine.Scrub(dst, doc, s.r, s.l.replacer())
	return out, err
}

// imageText cleans the descriptors of an image.
type imageText struct{ l *lawful }

// Clean implements dicom.Cleaner.
func (i imageText) Clean(dst, doc []byte) ([]byte, error) { return scrubbing{l: i.l}.Scrub(dst, doc) }

// rowText scrubs a column.
type rowText struct{ l *lawful }

// Scrub implements table.Scrubber.
func (r rowText) Scrub(dst, doc, _ []byte) ([]byte, error) { return scrubbing{l: r.l}.Scrub(dst, doc) }

// note scrubs a file that is text and nothing else. It is nobody's: there is no
// record, so a profile that asks for one refuses it.
func (l *lawful) note(dst io.Writer, doc []byte) (map[string]int64, error) {
	switch {
	case !l.prose():
		return nil, cited(problem.Refused, "The profile "+l.profile.Name()+" removes free text: nothing would be left", "Use a profile with text: scrub; what it leaves is not Safe Harbor by itself", "45 CFR 164.514(b)(2)(i)")
	case l.profile.NeedsRecord():
		return nil, cited(problem.Refused, "The profile lets text stand only where the patient's own record is known, and a text file names none", "Give the notes in FHIR beside the Patient, or use a profile with record: optional", "45 CFR 164.514(b)(1)")
	}
	out, n, err := l.engine.Scrub(nil, doc, nil, l.replacer())
	if err != nil {
		return nil, err
	}
	found := map[string]int64{}
	for c, k := range n {
		if k > 0 {
			found[text.Category(c).String()] = int64(k)
		}
	}
	_, err = dst.Write(out)
	return found, err
}

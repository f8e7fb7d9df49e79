// Package ncpdp de-identifies transmissions of the NCPDP Telecommunication
// Standard (5.1 and D.0): pharmacy claims and their answers.
//
// Everything is removed that the table (table.go) does not know: a segment, or
// a field by its two-character id. What it knows is ruled by what it is: a
// name, an address, an identifier, a date, an amount, a code, a message.
// Separators, groups and the order of segments and fields stay; the header
// keeps its width.
//
// A date has no shorter form here than CCYYMMDD. Where only the year may stay,
// the first of January stands for it; in the header, where a date must stand,
// zeros stand for one that is gone. With the zero Codes, YearsOnly and no
// scrubber a second pass changes nothing.
//
// What it does not do: it does not read version F6, whose header differs, nor
// check a transmission against the standard; a code is trusted to be one if it
// is one word of at most 20 characters with fewer than nine digits, and of more
// than four letters only with a digit in it, or from a list.
package ncpdp

import (
	"bytes"
	"fmt"
	"io"

	"github.com/sallyport/sallyport/deid/internal/message"
	"github.com/sallyport/sallyport/problem"
)

// Deidentifier de-identifies transmissions. Unless Options hold something that
// is not, it is safe for many goroutines.
type Deidentifier struct {
	o     Options
	table map[string]ruling
}

// New checks o against its legal basis.
func New(o Options) (*Deidentifier, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	return &Deidentifier{o, fields()}, nil
}

// Copy reads one transmission from r and writes it to w. It is held in memory,
// up to Options.MaxBytes. On an error nothing is written.
func (d *Deidentifier) Copy(w io.Writer, r io.Reader) (Manifest, error) {
	return message.Copy(w, r, d.o.MaxBytes, d.Append)
}

// The separators of the standard.
const (
	fieldSep   = 0x1C
	groupSep   = 0x1D
	segmentSep = 0x1E
)

const masked = "MASKED"

// run is the work on one transmission.
type run struct {
	*message.Case
	d *Deidentifier
}

// Append de-identifies one transmission and appends it to dst. On an error dst
// is returned as it was.
func (d *Deidentifier) Append(dst, in []byte, m *Manifest) ([]byte, error) {
	if len(in) > d.o.MaxBytes {
		return dst, problem.New(problem.TooLarge, "the transmission is larger than the limit", "Raise max_bytes")
	}
	one := Manifest{Messages: 1}
	r := &run{message.NewCase(&d.o, &one), d}
	width := headerWidth(in)
	if width == 0 {
		return dst, problem.BadField("header", "the transmission does not begin with a header of version 5.1 or D.0", "Give whole transmissions of the NCPDP Telecommunication Standard")
	}
	body := in[width:]
	if err := r.survey(body); err != nil {
		return dst, err
	}
	out := r.header(dst, in[:width])
	for segment := 1; len(body) > 0; segment++ {
		end := bytes.IndexAny(body, "\x1d\x1e")
		if end < 0 {
			end = len(body)
		}
		var err error
		if out, err = r.segment(out, body[:end], segment); err != nil {
			return dst, err
		}
		if body = body[end:]; len(body) > 0 {
			if k := len(out); body[0] != segmentSep || k == 0 || out[k-1] != segmentSep {
				out = append(out, body[0]) // two separators of segments have nothing between them
			}
			body = body[1:]
		}
	}
	m.Add(&one)
	return out, nil
}

// headerWidth is 56 for a request, 31 for an answer, 0 for neither.
func headerWidth(in []byte) int {
	version := func(i int) bool {
		return len(in) >= i+2 && (string(in[i:i+2]) == "D0" || string(in[i:i+2]) == "51")
	}
	width := 0
	switch {
	case version(6) && len(in) >= 56:
		width = 56
	case version(0) && len(in) >= 31:
		width = 31
	}
	for _, b := range in[:width] {
		if b < ' ' || b > '~' {
			return 0
		}
	}
	return width
}

// header writes the fixed header, each part in its width.
func (r *run) header(dst, h []byte) []byte {
	put := func(v []byte, width int) { dst = fmt.Appendf(dst, "%-*s", width, v)[:len(dst)+width] }
	word := func(i, n int) []byte {
		v := bytes.TrimSpace(h[i : i+n])
		if !message.Token(v) && len(v) > 0 {
			r.Count(message.Malformed)
			return nil
		}
		return v
	}
	place := func(i, n int) []byte { // a pharmacy or its software
		v := word(i, n)
		if len(v) == 0 && len(bytes.TrimSpace(h[i:i+n])) == 0 || string(v) == masked {
			return v
		}
		if b := r.d.o.Basis; b == SafeHarbor || b == ExpertDetermination || len(v) == 0 {
			r.Count(message.Organisation)
			return []byte(masked)
		}
		return v
	}
	day := func(i int) []byte {
		if v := r.date(nil, h[i:i+8]); len(v) == 8 {
			return v
		}
		return []byte("00000000")
	}
	if len(h) == 56 {
		put(word(0, 6), 6)    // BIN: the payer's processor
		put(word(6, 2), 2)    // version
		put(word(8, 2), 2)    // transaction
		put(word(10, 10), 10) // processor control number
		put(word(20, 1), 1)   // count
		put(word(21, 2), 2)   // qualifier of the pharmacy's id
		put(place(23, 15), 15)
		put(day(38), 8)
		put(place(46, 10), 10)
		return dst
	}
	put(word(0, 2), 2)
	put(word(2, 2), 2)
	put(word(4, 1), 1)
	put(word(5, 1), 1)
	put(word(6, 2), 2)
	put(place(8, 15), 15)
	put(day(23), 8)
	return dst
}

// segment writes a segment, which begins with its own id, with or without a
// field separator before it.
func (r *run) segment(dst, seg []byte, number int) ([]byte, error) {
	if len(seg) == 0 {
		return dst, nil
	}
	parts := bytes.Split(seg, []byte{fieldSep})
	lead := len(parts[0]) == 0 && len(parts) > 1
	if lead {
		parts = parts[1:]
	}
	id := string(parts[0])
	if !segments[id] {
		r.M.Dropped++
		return dst, nil
	}
	r.M.Part(id)
	if lead {
		dst = append(dst, fieldSep)
	}
	dst = append(dst, id...)
	for _, f := range parts[1:] {
		if len(f) < 2 {
			continue
		}
		as, known := r.d.table[string(f[:2])]
		if !known {
			r.Count(message.Unknown)
			continue
		}
		v := bytes.TrimRight(f[2:], " ")
		if len(v) == 0 {
			continue
		}
		out, err := r.value(nil, as, v)
		if err != nil {
			p := *problem.From(err)
			p.Field = fmt.Sprintf("segment %d (%s), field %s", number, id, f[:2])
			return dst, &p
		}
		if len(out) > 0 {
			dst = append(append(append(dst, fieldSep), f[:2]...), out...)
		}
	}
	return dst, nil
}

func (r *run) value(dst []byte, as ruling, v []byte) ([]byte, error) {
	gone := func(why message.Rule) ([]byte, error) {
		r.Count(why)
		return dst, nil
	}
	switch as {
	case code:
		if !message.Bare(v) {
			return gone(message.Malformed)
		}
		return append(dst, v...), nil
	case amount:
		if !overpunched(v) {
			return gone(message.Malformed)
		}
		return append(dst, v...), nil
	case drug:
		if s, _ := message.Public("NDC"); !s.Fits(v) && !message.Bare(v) {
			return gone(message.Malformed)
		}
		return append(dst, v...), nil
	case identifier:
		return r.ID(dst, "NCPDP", "", string(bytes.TrimSpace(v)))
	case date:
		return r.date(dst, v), nil
	case name:
		return gone(message.Name)
	case address:
		return gone(message.Address)
	case telephone:
		return gone(message.Telecom)
	case city:
		return r.clean(dst, r.City(nil, v)), nil
	case state:
		return r.State(dst, v), nil
	case zip:
		return r.ZIP(dst, v), nil
	case words:
		text, err := r.Free(nil, v)
		if err != nil {
			return dst, err
		}
		return r.clean(dst, text), nil
	}
	return gone(message.Identifier)
}

// clean appends text without separators.
func (r *run) clean(dst, text []byte) []byte {
	for _, b := range text {
		if b < ' ' {
			b = ' '
		}
		dst = append(dst, b)
	}
	return bytes.TrimRight(dst, " ")
}

// overpunched is an amount of the standard: digits, of which the last may carry
// the sign (A to R, { and }), at most nine of them.
func overpunched(v []byte) bool {
	if len(v) == 0 || len(v) > 9 || len(v) == 9 && digit(v[8]) {
		return false // nine plain digits are a social security number
	}
	for _, b := range v[:len(v)-1] {
		if !digit(b) {
			return false
		}
	}
	last := v[len(v)-1]
	return digit(last) || last >= 'A' && last <= 'R' || last == '{' || last == '}'
}

func digit(b byte) bool { return b >= '0' && b <= '9' }

// date appends CCYYMMDD, with the first of January where only the year may stay.
func (r *run) date(dst, v []byte) []byte {
	if len(v) != 8 {
		r.Count(message.Malformed)
		return dst
	}
	start := len(dst)
	dst = r.When(dst, v)
	if len(dst)-start == 4 {
		dst = append(dst, "0101"...)
	}
	return dst
}

// survey finds whose transmission it is, and what it says of people.
func (r *run) survey(body []byte) error {
	var f message.Facts
	var person, holder message.Person
	var home message.Place
	patient := ""
	for part := range bytes.FieldsFuncSeq(body, func(c rune) bool { return c == fieldSep || c == groupSep || c == segmentSep }) {
		if len(part) < 3 {
			continue
		}
		v := string(bytes.TrimSpace(part[2:]))
		switch id := string(part[:2]); id {
		case "CA":
			person.Given = append(person.Given, v)
		case "CB":
			person.Family = v
		case "CC":
			holder.Given = append(holder.Given, v)
		case "CD":
			holder.Family = v
		case "DR", "4E":
			f.People = append(f.People, message.Person{Role: message.Practitioner, Family: v})
		case "CM":
			home.Lines = append(home.Lines, v)
		case "CN":
			home.City = v
		case "CO":
			home.State = v
		case "CP":
			home.ZIP = v
		case "C4":
			if d, ok := message.ParseDate([]byte(v)); ok {
				if day, ok := d.Civil(); ok {
					f.Dates = append(f.Dates, day)
				}
			}
		case "CY", "C2":
			if patient == "" || id == "CY" {
				patient = message.Key("", v)
			}
			f.IDs = append(f.IDs, v)
		default:
			switch r.d.table[id] {
			case telephone:
				f.Phones = append(f.Phones, v)
			case identifier, secret:
				f.IDs = append(f.IDs, v)
			}
		}
	}
	if err := r.SetPatient(patient); err != nil {
		return err
	}
	if !r.Wants() {
		return nil
	}
	person.Role, holder.Role = message.Patient, message.Relative
	f.People = append(f.People, person, holder)
	f.Places = append(f.Places, home)
	return r.Learn(f)
}

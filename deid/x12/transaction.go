package x12

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/sallyport/sallyport/deid/internal/message"
	"github.com/sallyport/sallyport/problem"
)

// transaction writes the segments from ST to SE.
func (r *run) transaction(dst []byte, set [][]byte) ([]byte, error) {
	if len(set) == 0 {
		return dst, nil
	}
	if err := r.learn(set); err != nil {
		return dst, err
	}
	r.Renumber()
	r.segments = 0
	for i, whole := range set {
		r.number++
		end := bytes.IndexByte(whole, r.by)
		e := bytes.Split(whole[:end], []byte{r.element})
		name := string(e[0])
		switch name {
		case "ST":
			r.st++
			r.M.Messages++
			if err := r.SetPatient(r.patient(set[i+1:])); err != nil {
				return dst, r.at(err, name, 0)
			}
		case "HL":
			// The dates of a loop are those of whom its NM1 names.
			if err := r.SetPatient(r.patient(set[i+1:])); err != nil {
				return dst, r.at(err, name, 0)
			}
		}
		rules, ok := r.d.table[name]
		if !ok {
			r.M.Dropped++
			continue
		}
		start, numbered := len(dst), r.Numbered()
		r.segments++
		var kept bool
		var err error
		if dst, kept, err = r.segment(dst, name, rules, e[1:]); err != nil {
			return dst, err
		}
		if !kept {
			r.segments--
			r.Unnumber(numbered)
			r.M.Dropped++
			dst = dst[:start]
			continue
		}
		r.M.Part(name)
		dst = append(dst, whole[end:]...)
	}
	return dst, nil
}

func (r *run) at(err error, name string, element int) error {
	p := *problem.From(err)
	p.Field = "segment " + strconv.Itoa(r.number) + " (" + name + "), element " + strconv.Itoa(element)
	return &p
}

func (r *run) segment(dst []byte, name string, rules []string, e [][]byte) ([]byte, bool, error) {
	dst = append(dst, name...)
	qualifier, at := "", 0
	need, must := needs[name]
	left := false
	for i, v := range e {
		dst = append(dst, r.element)
		rule := "--"
		if i < len(rules) {
			rule = rules[i]
		}
		if rule == "QU" {
			qualifier, at = string(v), len(dst)
		}
		start := len(dst)
		var err error
		if dst, err = r.value(dst, rule, v, qualifier, rules, i); err != nil {
			return dst, false, r.at(err, name, i+1)
		}
		if i > 0 && i < len(rules) && rules[i-1] == "QU" && len(dst) == start && rule != "QU" && rule != "ND" {
			dst = append(dst[:at], r.element) // a qualifier does not stand alone
		}
		if len(dst) > start && (need == 0 || need == i+1) {
			left = true
		}
	}
	return trim(dst, r.element), left || !must, nil
}

func (r *run) value(dst []byte, rule string, v []byte, qualifier string, rules []string, i int) ([]byte, error) {
	if len(v) == 0 {
		return dst, nil
	}
	gone := func(why message.Rule) ([]byte, error) {
		r.Count(why)
		return dst, nil
	}
	switch rule {
	case "ID", "QU":
		if rule == "QU" && stateNumbers[qualifier] && i+1 < len(rules) && rules[i+1] == "CX" {
			return gone(message.Identifier) // its number goes too
		}
		if !message.Bare(v) || bytes.IndexByte(v, r.comp) >= 0 {
			return gone(message.Malformed)
		}
		return append(dst, v...), nil
	case "NM":
		if !message.Number(v) || wholeDigits(v) > 8 {
			return gone(message.Malformed)
		}
		return append(dst, v...), nil
	case "ND":
		if s, _ := message.Public("NDC"); qualifier == "N4" && s.Fits(v) || message.Bare(v) && bytes.IndexByte(v, r.comp) < 0 {
			return append(dst, v...), nil
		}
		return gone(message.Malformed)
	case "CX":
		if stateNumbers[qualifier] && i > 0 && rules[i-1] == "QU" {
			return gone(message.Identifier)
		}
		return r.ID(dst, "X12", "", string(bytes.TrimSpace(v)))
	case "NA":
		return gone(message.Name)
	case "AD":
		return gone(message.Address)
	case "TE":
		return gone(message.Telecom)
	case "CI":
		return r.clean(dst, r.City(nil, v)), nil
	case "ST":
		return r.State(dst, v), nil
	case "ZP":
		if len(v) == 9 && r.d.o.Basis == LimitedDataSet || !bytes.Contains(v, []byte{r.comp}) {
			return r.ZIP(dst, v), nil
		}
		return gone(message.Malformed)
	case "TX":
		return r.text(dst, v)
	case "DT":
		return r.dated(dst, v, qualifier, i > 0 && rules[i-1] == "QU"), nil
	case "TI":
		return append(dst, r.clock(v, 4)...), nil
	case "CO":
		return r.components(dst, v, nil), nil
	case "PR":
		return r.components(dst, v, map[int]string{6: "--", 7: "--"}), nil
	case "HI":
		return r.components(dst, v, map[int]string{3: "DT", 4: "NM", 5: "NM", 6: "ID", 7: "ID"}), nil
	case "VR":
		if !version(v) {
			return gone(message.Malformed)
		}
		return append(dst, v...), nil
	case "CN":
		return fmt.Appendf(dst, "%04d", r.st), nil
	case "SC":
		return strconv.AppendInt(dst, int64(r.segments), 10), nil
	}
	return gone(message.Unknown)
}

// version is that of a guide: "005010X222A1", "004010".
func version(v []byte) bool {
	if n := len(v); n != 6 && n != 10 && n != 12 || v[0] != '0' || v[1] != '0' {
		return false
	}
	for i, c := range v {
		if mark := i == 6 || i == 10; mark != (c < '0' || c > '9') || mark && c != "X   A"[i-6] && (i != 10 || c != 'E') {
			return false
		}
	}
	return true
}

func wholeDigits(v []byte) int {
	whole, _, _ := bytes.Cut(bytes.TrimLeft(v, "+-"), []byte("."))
	return len(whole)
}

// dated appends a date by its qualifier.
func (r *run) dated(dst, v []byte, qualifier string, qualified bool) []byte {
	if !qualified {
		return r.date(dst, v)
	}
	switch qualifier {
	case "D8":
		return r.date(dst, v)
	case "RD8":
		from, to, ok := bytes.Cut(v, []byte("-"))
		if !ok {
			r.Count(message.Malformed)
			return dst
		}
		a, b := r.date(nil, from), r.date(nil, to)
		if len(a) == 0 || len(b) == 0 {
			return dst
		}
		return append(append(append(dst, a...), '-'), b...)
	case "DT":
		if len(v) != 12 {
			r.Count(message.Malformed)
			return dst
		}
		day := r.date(nil, v[:8])
		if len(day) == 0 {
			return dst
		}
		return append(append(dst, day...), r.clock(v[8:], 4)...)
	}
	r.Count(message.Malformed)
	return dst
}

// components appends a composite, each part by others[its index], or a code.
// A repeated composite is read as its repetitions.
func (r *run) components(dst, v []byte, others map[int]string) []byte {
	start := len(dst)
	for k, one := range splitOn(v, r.rep) {
		if k > 0 {
			dst = append(dst, r.rep)
		}
		from := len(dst)
		form := ""
		for i, p := range bytes.Split(one, []byte{r.comp}) {
			if i > 0 {
				dst = append(dst, r.comp)
			}
			rule := others[i]
			switch {
			case len(p) == 0:
			case i > 12 || rule == "--":
				r.Count(message.Unknown)
			case rule == "DT":
				dst = r.dated(dst, p, form, true)
			case rule == "NM" && message.Number(p) && wholeDigits(p) <= 8, rule != "NM" && message.Bare(p):
				dst = append(dst, p...)
				form = string(p)
			default:
				r.Count(message.Malformed)
			}
		}
		dst = trimFrom(dst, from, r.comp)
	}
	if r.rep != 0 {
		dst = trimFrom(dst, start, r.rep)
	}
	return dst
}

func trimFrom(dst []byte, from int, by byte) []byte {
	for len(dst) > from && dst[len(dst)-1] == by {
		dst = dst[:len(dst)-1]
	}
	return dst
}

func splitOn(v []byte, by byte) [][]byte {
	if by == 0 {
		return [][]byte{v}
	}
	return bytes.Split(v, []byte{by})
}

// text appends scrubbed text.
func (r *run) text(dst, v []byte) ([]byte, error) {
	clean, err := r.Free(nil, v)
	if err != nil {
		return dst, err
	}
	return r.clean(dst, clean), nil
}

// clean appends text without delimiters: X12 has no escapes.
func (r *run) clean(dst, text []byte) []byte {
	for _, b := range text {
		if b == r.element || b == r.comp || b == r.by || b == r.rep && b != 0 || b < ' ' {
			b = ' '
		}
		dst = append(dst, b)
	}
	return dst
}

// patient is the key of the patient (or else the subscriber) of a loop: it ends
// at the next HL.
func (r *run) patient(set [][]byte) string {
	key := ""
	for _, whole := range set {
		e := bytes.Split(whole[:bytes.IndexByte(whole, r.by)], []byte{r.element})
		switch {
		case string(e[0]) == "HL":
			return key
		case string(e[0]) == "NM1" && len(e) > 9 && len(e[9]) > 0 && (string(e[1]) == "QC" || string(e[1]) == "IL" && key == ""):
			key = message.Key("", string(bytes.TrimSpace(e[9])))
		}
	}
	return key
}

// learn collects what a transaction says of people, for the scrubber.
func (r *run) learn(set [][]byte) error {
	if !r.Wants() {
		return nil
	}
	var f message.Facts
	for _, whole := range set {
		e := bytes.Split(whole[:bytes.IndexByte(whole, r.by)], []byte{r.element})
		str := func(i int) string {
			if i < len(e) {
				return string(e[i])
			}
			return ""
		}
		switch str(0) {
		case "NM1":
			if str(2) == "2" {
				f.Facilities = append(f.Facilities, str(3))
				break
			}
			role := message.Practitioner
			switch str(1) {
			case "IL", "QC", "74":
				role = message.Patient
			}
			p := message.Person{Role: role, Family: str(3)}
			for _, g := range []string{str(4), str(5)} {
				if g != "" {
					p.Given = append(p.Given, g)
				}
			}
			f.People = append(f.People, p)
			if str(9) != "" {
				f.IDs = append(f.IDs, str(9))
			}
		case "N3":
			f.Places = append(f.Places, message.Place{Lines: []string{str(1)}})
		case "N4":
			f.Places = append(f.Places, message.Place{City: str(1), State: str(2), ZIP: str(3)})
		case "PER":
			for _, i := range []int{4, 6, 8} {
				if str(i) != "" {
					f.Phones = append(f.Phones, str(i))
				}
			}
		case "REF", "CLM":
			if i := map[string]int{"REF": 2, "CLM": 1}[str(0)]; str(i) != "" {
				f.IDs = append(f.IDs, str(i))
			}
		case "DMG":
			if d, ok := message.ParseDate([]byte(str(2))); ok {
				if day, ok := d.Civil(); ok {
					f.Dates = append(f.Dates, day)
				}
			}
		}
	}
	return r.Learn(f)
}

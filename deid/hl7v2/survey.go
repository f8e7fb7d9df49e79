package hl7v2

import (
	"github.com/sallyport/sallyport/deid/internal/message"
)

// survey looks through a message before anything is written: whose dates are
// to be shifted, and what its fields say of people, for the scrubber.
func (r *run) survey(msg []byte) error {
	if !r.Wants() && r.O.Dates != message.DatesShifted {
		return nil
	}
	var facts message.Facts
	found := false
	for rest := msg; len(rest) > 0; {
		var line []byte
		line, _, rest = nextLine(rest)
		s := r.lookup(line)
		if s == nil {
			continue
		}
		if s.name == "PID" && !found {
			found = true
			if err := r.SetPatient(r.patient(line)); err != nil {
				return err
			}
		}
		if r.Wants() && !isHeader(line) {
			r.learn(&facts, s, line)
		}
	}
	if !r.Wants() {
		return nil
	}
	return r.Learn(facts)
}

// patient is the key of a PID segment's patient: the first of PID-3, or else of
// PID-2 or PID-4, with its assigning authority.
func (r *run) patient(line []byte) string {
	var f [5][]byte
	rest, more := line, true
	for i := 0; i < len(f) && more; i++ {
		f[i], rest, more = cut(rest, r.d.field)
	}
	for _, i := range []int{3, 2, 4} {
		rep, _, _ := cut(f[i], r.d.rep)
		p := r.d.split(rep, 0)
		if v, ok := r.d.decode(p.at(0)); ok && len(v) > 0 && string(v) != `""` {
			return message.Key(string(p.at(3)), string(v))
		}
	}
	return ""
}

// pieces are the parts of a value.
type pieces [][]byte

func (p pieces) at(i int) []byte {
	if i < len(p) {
		return p[i]
	}
	return nil
}

func (d *delimiters) split(b []byte, depth int) pieces {
	var p pieces
	for more := true; more && len(p) < 32; {
		var part []byte
		part, b, more = cut(b, d.splitter(depth))
		p = append(p, part)
	}
	return p
}

// roles says whose names a segment holds.
var roles = map[string]message.Role{"PID": message.Patient, "MRG": message.Patient, "NK1": message.Relative, "GT1": message.Relative,
	"IN1": message.Relative, "IN2": message.Relative, "STF": message.Practitioner, "PRD": message.Practitioner, "ROL": message.Practitioner}

func (r *run) learn(facts *message.Facts, s *segment, line []byte) {
	_, rest, more := cut(line, r.d.field)
	for n := 0; more; n++ {
		var f []byte
		f, rest, more = cut(rest, r.d.field)
		if n >= len(s.fields) || len(f) == 0 {
			continue
		}
		for again := true; again; {
			var rep []byte
			rep, f, again = cut(f, r.d.rep)
			r.fact(facts, s, n+1, s.fields[n], r.d.split(rep, 0))
		}
	}
}

func (r *run) fact(facts *message.Facts, s *segment, n int, as rule, p pieces) {
	str := func(i int) string {
		v, _ := r.first(p.at(i), 1)
		v, _ = r.d.decode(v)
		return string(v)
	}
	switch as {
	case xpn:
		facts.People = append(facts.People, message.Person{Role: roles[s.name], Family: str(0), Given: some(str(1), str(2))})
	case xcn, ppn:
		facts.People = append(facts.People, message.Person{Role: message.Practitioner, Family: str(1), Given: some(str(2), str(3))})
		facts.IDs = append(facts.IDs, some(str(0))...)
	case xad:
		facts.Places = append(facts.Places, message.Place{Lines: some(str(0), str(1)), City: str(2), State: str(3), ZIP: str(4)})
	case xtn:
		facts.Phones = append(facts.Phones, some(str(0), str(3), str(11))...)
		if local := str(5) + str(6); local != "" {
			facts.Phones = append(facts.Phones, local)
		}
	case cx, ei, idn, pln:
		facts.IDs = append(facts.IDs, some(str(0))...)
	case hd, xon:
		facts.Facilities = append(facts.Facilities, some(str(0))...)
	case dtm:
		if d, ok := message.ParseDate([]byte(str(0))); ok && s.name == "PID" {
			if day, ok := d.Civil(); ok {
				facts.Dates = append(facts.Dates, day)
			}
		}
	}
}

// some leaves out empty strings and HL7's null.
func some(list ...string) []string {
	var out []string
	for _, s := range list {
		if s != "" && s != `""` {
			out = append(out, s)
		}
	}
	return out
}

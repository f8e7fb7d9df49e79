package score_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/deid/text"
)

// variants are the ways in which people write the values of a patient's record.
func variants(p patient) []string {
	var out []string
	only := func(s, keep string) string {
		return strings.Map(func(r rune) rune {
			if strings.ContainsRune(keep, r) {
				return r
			}
			return -1
		}, s)
	}
	const ten = "0123456789"
	for _, n := range p.Name {
		g, f := n.Given[0], n.Family
		out = append(out, g+" "+f, f+", "+g, strings.ToUpper(f+", "+g), strings.ToLower(g+" "+f), strings.ToUpper(g+" "+f), g[:len(string([]rune(g)[:1]))]+". "+f, f+" "+g)
		if len(n.Given) > 1 {
			m := n.Given[1]
			out = append(out, g+" "+m+" "+f, g+" "+m+". "+f, strings.ToUpper(f+", "+g+" "+m), f+", "+g+" "+m+".")
		}
	}
	for _, i := range p.Identifier {
		out = append(out, i.Value, strings.ToLower(i.Value))
		if d := only(i.Value, ten); len(d) == 9 && strings.Contains(i.Value, "-") {
			out = append(out, d, d[:3]+" "+d[3:5]+" "+d[5:])
		}
		out = append(out, strings.ReplaceAll(i.Value, "-", ""), strings.ReplaceAll(i.Value, "-", " "))
	}
	for _, x := range p.Telecom {
		out = append(out, x.Value)
		if x.System != "phone" {
			out = append(out, strings.ToUpper(x.Value))
			continue
		}
		d := only(x.Value, ten)
		d = d[len(d)-10:]
		a, b, c := d[:3], d[3:6], d[6:]
		out = append(out, d, a+"-"+b+"-"+c, "("+a+") "+b+"-"+c, a+"."+b+"."+c, a+" "+b+" "+c, "("+a+")"+b+"-"+c, "1-"+a+"-"+b+"-"+c, "+1 "+a+" "+b+" "+c, "+1"+d)
	}
	for _, a := range p.Address {
		for _, l := range a.Line {
			out = append(out, l, strings.ToUpper(l), strings.ToLower(l))
		}
		out = append(out, a.City, strings.ToUpper(a.City), a.PostalCode)
	}
	var y, m, d int
	if n, _ := fmt.Sscanf(p.BirthDate, "%d-%d-%d", &y, &m, &d); n == 3 {
		months := []string{"", "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"}
		w := months[m]
		out = append(out,
			fmt.Sprintf("%02d/%02d/%d", m, d, y), fmt.Sprintf("%d/%d/%d", m, d, y), fmt.Sprintf("%d/%d/%02d", m, d, y%100), fmt.Sprintf("%02d-%02d-%d", m, d, y),
			fmt.Sprintf("%02d.%02d.%d", d, m, y), p.BirthDate, strings.ReplaceAll(p.BirthDate, "-", ""), fmt.Sprintf("%s %d, %d", w, d, y), fmt.Sprintf("%s %d, %d", w[:3], d, y),
			fmt.Sprintf("%d %s %d", d, w, y), fmt.Sprintf("%d-%s-%d", d, strings.ToUpper(w[:3]), y), fmt.Sprintf("%02d%s%d", d, strings.ToUpper(w[:3]), y), fmt.Sprintf("%s %d", w, d), fmt.Sprintf("%d/%d", m, d),
			p.BirthDate+"T00:00:00Z", strings.ToLower(fmt.Sprintf("%s %d, %d", w, d, y)),
		)
	}
	return out
}

// Every variant of every value is masked whole, in a sentence that gives no other
// hint: the record alone must do it.
func TestVariantsOfEveryRecord(t *testing.T) {
	e, err := text.New(text.Options{})
	if err != nil {
		t.Fatal(err)
	}
	total, missed := 0, 0
	for _, d := range read(t, "mts-inject-dev/notes.jsonl") {
		r := recordOf(t, d.Patient)
		for _, v := range variants(patientOf(t, d.Patient)) {
			for _, frame := range [][2]string{{"the pain near ", " got worse after surgery."}, {"Then ", ", with edema."}, {"(", ")"}} {
				doc := frame[0] + v + frame[1]
				spans, err := e.Find(nil, []byte(doc), r)
				if err != nil {
					t.Fatal(err)
				}
				total++
				hit := make([]bool, len(doc))
				for _, s := range spans {
					for i := s.Start; i < s.End; i++ {
						hit[i] = true
					}
				}
				for i := range len(v) {
					c := v[i]
					word := c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= 0x80
					if word && !hit[len(frame[0])+i] {
						missed++
						if missed <= 20 {
							t.Errorf("note %s: %q is not masked whole in %q", d.ID, v, doc)
						}
						break
					}
				}
			}
		}
	}
	t.Logf("%d of %d variants missed", missed, total)
}

// The middle of every family name of five letters and more, and a letter that makes
// no word: a set of its own, kept since the first measurement.
func TestTyposOfFamilyNames(t *testing.T) {
	e, err := text.New(text.Options{})
	if err != nil {
		t.Fatal(err)
	}
	total, missed := 0, 0
	for _, d := range read(t, "mts-inject-dev/notes.jsonl") {
		r := recordOf(t, d.Patient)
		for _, n := range patientOf(t, d.Patient).Name {
			f := []rune(n.Family)
			if len(f) < 5 || strings.ContainsAny(n.Family, " -'") {
				continue
			}
			k := len(f) / 2
			swap := append([]rune{}, f...)
			swap[k], swap[k+1] = swap[k+1], swap[k]
			for _, v := range []string{string(swap), string(f[:k]) + string(f[k+1:]), string(f[:k]) + "q" + string(f[k:]), string(f[:k]) + "q" + string(f[k+1:])} {
				doc := "The surgery of " + n.Given[0] + " " + v + " went well, without pain."
				out, _, err := e.Scrub(nil, []byte(doc), r, text.Masks{})
				if err != nil {
					t.Fatal(err)
				}
				total++
				if strings.Contains(string(out), v) {
					missed++
				}
			}
		}
	}
	t.Logf("%d of %d misspelt names missed", missed, total)
	if missed > 0 {
		t.Errorf("%d of %d misspelt names are not found", missed, total)
	}
}

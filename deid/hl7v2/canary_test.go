package hl7v2

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/sallyport/sallyport/deid/internal/message"
)

// tokenStays says in which parts a code may stand that names no code system.
func tokenStays(tb *table, as rule, comp, sub int) bool {
	switch as {
	case id, set:
		return as == id && comp == 1 && sub == 1
	case cwe, cod:
		switch comp {
		case 1, 3, 4, 6, 10:
			return sub == 1
		}
		return false
	case unit:
		return (comp == 1 || comp == 4 || comp == 10) && sub == 1
	case pl:
		return (comp == 5 || comp == 6) && sub == 1
	case cx:
		return false // the type of an identifier has at most five letters
	case xcn, ppn:
		return comp == 13 && sub == 1
	}
	if as >= composite {
		parts := tb.parts[as-composite]
		if comp > len(parts) {
			return false
		}
		switch part := parts[comp-1]; {
		case part == id:
			return sub == 1
		case part == cwe, part == unit:
			return sub == 1 || sub == 4
		case part >= composite:
			in := tb.parts[part-composite]
			return sub <= len(in) && (in[sub-1] == id || in[sub-1] == cwe || in[sub-1] == unit)
		}
	}
	return false
}

// TestCanaries plants a canary in every component and subcomponent of every
// field of every segment, one position beyond each table too: it is left only
// where a code may stand, and in no shape but a code's.
func TestCanaries(t *testing.T) {
	d := safeHarbor(t)
	tb := d.t
	planted, left := 0, 0
	var dst []byte
	for name, s := range tb.segments {
		if isHeader([]byte(name)) {
			continue
		}
		for n := 1; n <= len(s.fields)+1; n++ {
			as := drop
			if n <= len(s.fields) {
				as = s.fields[n-1]
			}
			for comp := 1; comp <= 26; comp++ {
				for sub := 1; sub <= 7; sub++ {
					if sub > 1 && comp > 6 {
						break // beyond, no type has parts of parts
					}
					for _, shape := range []string{"ZQ7CNR", "ZQCANARY", "Zq Canary", "900000001", "5555550100", "20240229"} {
						// An identifier type stands only beside an identifier.
						beside := ""
						if comp > 1 && (as == xcn || as == ppn) {
							beside = "I"
						} else if comp == 3 || comp == 6 || sub == 3 || sub == 6 {
							continue // a code system alone goes with its missing code: see TestCodeSystems
						}
						v := beside + strings.Repeat("^", comp-1) + strings.Repeat("&", sub-1) + shape
						kinds := []string{""}
						if as == vary {
							kinds = []string{"ST", "TX", "FT", "ED", "RP", "XPN", "XAD", "XTN", "CX", "QQ", "ZZ"}
						}
						for _, kind := range kinds {
							line := name + strings.Repeat("|", n) + v
							if as == vary {
								line = "OBX|1|" + kind + "|1-1^^LN||" + v
							}
							var m Manifest
							out, err := d.Append(dst[:0], []byte("MSH|^~\\&|\r"+line+"\r"), &m)
							if err != nil {
								t.Fatal(err)
							}
							dst = out
							planted++
							stays := bytes.Contains(out, []byte(shape))
							want := shape == "ZQ7CNR" && tokenStays(tb, as, comp, sub) ||
								shape == "ZQCANARY" && wordStays(tb, as, comp, sub) ||
								shape == "20240229" && numeric(tb, as, comp, sub)
							if stays {
								left++
							}
							if stays != want {
								t.Errorf("%s-%d.%d.%d (%v) %s %q: left is %v, want %v: %q", name, n, comp, sub, as, kind, shape, stays, want, out)
							}
						}
					}
				}
			}
			if t.Failed() {
				return
			}
		}
	}
	t.Logf("%d canaries planted, %d left, all in codes and numbers", planted, left)
}

// wordStays says where a long word may stand that names no code system: where
// the table expects a code of the sender's own, and as a unit.
func wordStays(tb *table, as rule, comp, sub int) bool {
	inner := func(parts []rule, n int) rule {
		if n > len(parts) {
			return drop
		}
		return parts[n-1]
	}
	switch {
	case as == cod, as == unit:
		return (comp == 1 || comp == 4 || comp == 10) && sub == 1
	case as >= composite:
		part := inner(tb.parts[as-composite], comp)
		if part >= composite {
			return inner(tb.parts[part-composite], sub) == unit
		}
		return part == unit && (sub == 1 || sub == 4)
	}
	return false
}

// numeric reports whether a number of eight digits may stand there.
func numeric(tb *table, as rule, comp, sub int) bool {
	switch as {
	case nm:
		return comp == 1 && sub == 1
	}
	if as >= composite {
		parts := tb.parts[as-composite]
		if comp > len(parts) {
			return false
		}
		switch part := parts[comp-1]; {
		case part == nm:
			return sub == 1
		case part >= composite:
			in := tb.parts[part-composite]
			return sub <= len(in) && in[sub-1] == nm
		}
	}
	return false
}

// TestCodeSystems: the name of a system stays beside its code, if it is one.
func TestCodeSystems(t *testing.T) {
	for in, want := range map[string]string{
		"A^x^99ZQ":                       "A^^99ZQ",
		"JONES^x^ZQ":                     "",
		"A^x^ZQ":                         "A",
		"^x^ZQ":                          "",
		"A^x^Ann Smith":                  "A",
		"A^x^2.16.840.1.113883.6.1":      "A^^2.16.840.1.113883.6.1",
		"2951-2^x^2.16.840.1.113883.6.1": "2951-2^x^2.16.840.1.113883.6.1",
	} {
		out, _ := pass(t, safeHarbor(t), "MSH|^~\\&|\rRXR|"+in+"\r")
		if got := strings.TrimPrefix(strings.TrimSuffix(out, "\r"), "MSH|^~\\&\rRXR"); strings.TrimPrefix(got, "|") != want {
			t.Errorf("%s: got %q, want %q", in, got, want)
		}
	}
}

// TestTableIsWhole: every name in the tables is one that is known.
func TestTableIsWhole(t *testing.T) {
	known := func(name string) bool {
		_, a := primitives[name]
		_, b := composites[name]
		return a || b
	}
	for _, list := range []map[string]string{segments, composites} {
		for name, fields := range list {
			for f := range strings.FieldsSeq(fields) {
				if !known(f) {
					t.Errorf("%s: no ruling is called %s", name, f)
				}
			}
		}
	}
	for name, as := range observed {
		if !known(as) {
			t.Errorf("%s: no ruling is called %s", name, as)
		}
	}
	for at := range masks {
		var s string
		var n int
		if _, err := fmt.Sscanf(strings.Replace(at, ".", " ", 1), "%s %d", &s, &n); err != nil || tables().segments[s].fields[n-1] != xpn {
			t.Errorf("the mask at %s stands on no name", at)
		}
	}
}

// TestProperties: whatever a message of known segments holds, a second pass
// changes nothing, delimiters stay, and no line is longer in fields than before.
func TestProperties(t *testing.T) {
	d := safeHarbor(t)
	var names []string
	for name := range d.t.segments {
		if !isHeader([]byte(name)) {
			names = append(names, name)
		}
	}
	value := rapid.OneOf(rapid.StringMatching(`[A-Za-z0-9 ^&~\\.<>:/+-]{0,24}`), rapid.SampledFrom([]string{`""`, "2951-2^Sodium^LN", "20240229", "1&mg^", `\X41\`, `\.br\`, `\S\`, "Positive", "M^^^H^MR"}))
	rapid.Check(t, func(t *rapid.T) {
		in := "MSH|^~\\&|A|B|||2024||ORU^R01|X|P|2.5\r"
		for range rapid.IntRange(1, 6).Draw(t, "segments") {
			in += rapid.SampledFrom(names).Draw(t, "name")
			for range rapid.IntRange(0, 12).Draw(t, "fields") {
				in += "|" + value.Draw(t, "value")
			}
			in += "\r"
		}
		var m, n Manifest
		out, err := d.Append(nil, []byte(in), &m)
		if err != nil {
			t.Fatal(err)
		}
		again, err := d.Append(nil, out, &n)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(out, again) {
			t.Fatalf("in     %q\nout    %q\nagain  %q", in, out, again)
		}
		a, b := strings.Split(in, "\r"), strings.Split(string(out), "\r")
		if len(a) != len(b)+m.Dropped {
			t.Fatalf("%d segments became %d", len(a), len(b))
		}
		for i := range a {
			if m.Dropped == 0 && strings.Count(b[i], "|") > strings.Count(a[i], "|") {
				t.Fatalf("%q became %q", a[i], b[i])
			}
		}
	})
}

// FuzzAppend: whatever comes in, what comes out is accepted, and unchanged, by
// a second pass; and errors say nothing of the input.
func FuzzAppend(f *testing.F) {
	for _, seed := range []string{basic, "", "MSH", "MSH|^~\\&", "MSH|^~\\&#|\rOBX|1|TX|1-1^^LN||a#b\\P\\", "FHS|^~\\&\rBHS|^~\\&\r" + basic, "\x0b" + basic + "\x1c\r",
		"MSH|^|\rPID|a^b", "MSH|^~\\&|\rOBX|1|NM|30525-0||1e9|a\rOBX|1|SN|||>^5", "MSH|^~\\&|\rNTE|||\\X\\\\\\Xzz\\\\.\\"} {
		f.Add([]byte(seed))
	}
	strict := safeHarbor(f)
	loose := made(f, Options{Basis: message.LimitedDataSet, Dates: message.DatesKept, Text: &scrubber{}})
	f.Fuzz(func(t *testing.T, raw []byte) {
		var out, again bytes.Buffer
		if _, err := strict.Copy(&out, bytes.NewReader(raw)); err == nil {
			if _, err := strict.Copy(&again, bytes.NewReader(out.Bytes())); err != nil && out.Len() > 0 {
				t.Fatalf("the second pass: %v: %q", err, out.Bytes())
			}
			if !bytes.Equal(out.Bytes(), again.Bytes()) {
				t.Fatalf("a second pass changes %q to %q", out.Bytes(), again.Bytes())
			}
		}
		out.Reset()
		_, _ = loose.Copy(&out, bytes.NewReader(raw))
	})
}

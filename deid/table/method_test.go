package table

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sallyport/sallyport/deid/table/risk"
	"github.com/sallyport/sallyport/internal/need"
)

func day(s string) Day {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return Day{t}
}

func dec(s string) *Decimal {
	d, ok := parseDecimal([]byte(s))
	if !ok {
		panic(s)
	}
	return &d
}

// counter gives codes in order, as a vault would give random ones.
type counter map[string]string

func (c counter) Code(s string) (string, error) {
	if c[s] == "" {
		c[s] = fmt.Sprintf("c%d", len(c)+1)
	}
	return c[s], nil
}

type byLength struct{}

func (byLength) Days(subject []byte) (int, error) { return len(subject) * 10, nil }

type lower struct{}

func (lower) Scrub(dst, text, _ []byte) ([]byte, error) {
	return append(dst, strings.ToLower(string(text))...), nil
}

func options(t testing.TB) Options {
	h, err := risk.ReadHierarchy(strings.NewReader("a;vowel;*\nb;consonant;*\nc;consonant;*\n"))
	if err != nil {
		t.Fatal(err)
	}
	return Options{Codes: counter{}, Pseudonyms: counter{}, Shift: byLength{}, Scrub: lower{}, Hierarchies: map[string]*risk.Hierarchy{"abc": h}}
}

const gone = "(gone)"

// TestMethods: what each method makes of each value. The rows of deid.json's
// test vectors are among them.
func TestMethods(t *testing.T) {
	o := options(t)
	for _, c := range []struct {
		rule    Column
		in, out string
	}{
		{Column{Method: Keep}, " as it is ", " as it is "},
		{Column{Method: Keep}, "123-45-6789", gone},
		{Column{Method: Keep}, "call 617-555-0199 now", gone},
		{Column{Method: Keep}, "write to ann@example.org.", gone},
		{Column{Method: Keep}, "10.1.2.3", gone},
		{Column{Method: Keep}, "2026-03-14", gone},
		{Column{Method: Keep}, "3.14", "3.14"},
		{Column{Method: Keep}, "99213", "99213"},
		{Column{Method: KeepIfShape, Shape: ShapeInteger}, "-12", "-12"},
		{Column{Method: KeepIfShape, Shape: ShapeInteger}, "1.2", gone},
		{Column{Method: KeepIfShape, Shape: ShapeDecimal}, "1.25", "1.25"},
		{Column{Method: KeepIfShape, Shape: ShapeDecimal}, "1e5", gone},
		{Column{Method: KeepIfShape, Shape: ShapeBoolean}, "Yes", "Yes"},
		{Column{Method: KeepIfShape, Shape: ShapeBoolean}, "Ann", gone},
		{Column{Method: KeepIfShape, Shape: ShapeCode}, "E11.9", "E11.9"},
		{Column{Method: KeepIfShape, Shape: ShapeCode}, "Ann Lee", gone},
		{Column{Method: KeepIfShape, Shape: ShapeCode}, "123-45-6789", gone},

		{Column{Method: Year}, "2026-03-14", "2026"},
		{Column{Method: Year}, "1933-04-02", gone},
		{Column{Method: Year}, "1936-12-31", gone}, // 89 at most today, but 1936 is also who is 90
		{Column{Method: Year}, "1937-01-01", "1937"},
		{Column{Method: Year}, "3/14/2026", "2026"},
		{Column{Method: Year}, "14/3/2026 08:15", "2026"},
		{Column{Method: Year}, "03/04/26", gone},
		{Column{Method: Year}, "14-MAR-2026", "2026"},
		{Column{Method: Year}, "14MAR2026", "2026"},
		{Column{Method: Year}, "March 14, 2026", "2026"},
		{Column{Method: Year}, "Mar 14th, 2026", "2026"},
		{Column{Method: Year}, "March 2026", "2026"},
		{Column{Method: Year}, "2026-03", "2026"},
		{Column{Method: Year}, "2026", "2026"},
		{Column{Method: Year}, "20260314", "2026"},
		{Column{Method: Year}, "20260314081500.123+0100", "2026"},
		{Column{Method: Year}, "2026-03-14T08:15:00.5Z", "2026"},
		{Column{Method: Year}, "2026-03-14 8:15 PM", "2026"},
		{Column{Method: Year}, "2026-02-30", gone},
		{Column{Method: Year}, "2026-03-14 Ann", gone},
		{Column{Method: Year}, "14", gone},
		{Column{Method: Year}, "2026-13-01", gone},
		{Column{Method: Year}, "two days after Thanksgiving 2025", gone},

		{Column{Method: DateShift}, "2026-02-27", "2026-03-09"}, // subject "p": 10 days
		{Column{Method: DateShift}, "2026-12-27T23:59:00Z", "2027-01-06T23:59:00Z"},
		{Column{Method: DateShift}, "2/27/2026", "3/9/2026"},
		{Column{Method: DateShift}, "02/03/2026", gone}, // which is the month?
		{Column{Method: DateShift, Order: MonthFirst}, "02/03/2026", "02/13/2026"},
		{Column{Method: DateShift, Order: DayFirst}, "02/03/2026", "12/03/2026"},
		{Column{Method: DateShift}, "27-FEB-2026", "09-MAR-2026"},
		{Column{Method: DateShift}, "February 27, 2026", "March 9, 2026"},
		{Column{Method: DateShift}, "20260227", "20260309"},
		{Column{Method: DateShift}, "202602272359", "202603092359"},
		{Column{Method: DateShift}, "2026-02", gone},
		{Column{Method: DateShift}, "2026", gone},
		{Column{Method: DateShift}, "yesterday", gone},

		{Column{Method: AgeCap}, "89", "89"},
		{Column{Method: AgeCap}, "90", "90+"},
		{Column{Method: AgeCap}, "89.9", "89.9"},
		{Column{Method: AgeCap}, "103 years", "90+"},
		{Column{Method: AgeCap}, "93yo", "90+"},
		{Column{Method: AgeCap}, "18 months", "18 months"},
		{Column{Method: AgeCap}, "1100 months", "90+"},
		{Column{Method: AgeCap}, "90+", "90+"},
		{Column{Method: AgeCap}, ">89", "90+"},
		{Column{Method: AgeCap}, ">85", gone},
		{Column{Method: AgeCap}, "85-94", gone},
		{Column{Method: AgeCap}, "-3", gone},
		{Column{Method: AgeCap}, "ninety", gone},

		{Column{Method: ZIP3}, "82190", "000"},
		{Column{Method: ZIP3}, "10001", "100"},
		{Column{Method: ZIP3}, "96910", "000"},
		{Column{Method: ZIP3}, "02139-4307", "021"},
		{Column{Method: ZIP3}, "021394307", "021"},
		{Column{Method: ZIP3}, "021", "021"},
		{Column{Method: ZIP3}, "2139", gone},
		{Column{Method: ZIP3}, "SW1A 1AA", gone},
		{Column{Method: ZIP3}, "02139-43", gone},

		{Column{Method: Map, Map: map[string]string{"M": "male"}}, "M", "male"},
		{Column{Method: Map, Map: map[string]string{"M": "male"}}, "Ann", gone},
		{Column{Method: Generalise, Hierarchy: "abc", Level: 1}, "b", "consonant"},
		{Column{Method: Generalise, Hierarchy: "abc", Level: 2}, "b", "*"},
		{Column{Method: Generalise, Hierarchy: "abc", Level: 1}, "d", gone},
		{Column{Method: Bin, Width: dec("10")}, "39", "[30,40)"},
		{Column{Method: Bin, Width: dec("10")}, "40", "[40,50)"},
		{Column{Method: Bin, Width: dec("0.1")}, "0.3", "[0.3,0.4)"},
		{Column{Method: Bin, Width: dec("10"), Origin: dec("5")}, "-12.5", "[-15,-5)"},
		{Column{Method: Bin, Width: dec("10")}, "Ann", gone},
		{Column{Method: TopBottom, Top: dec("89")}, "90", ">89"},
		{Column{Method: TopBottom, Top: dec("89"), Bottom: dec("18")}, "3", "<18"},
		{Column{Method: TopBottom, Top: dec("89")}, "89.0", "89.0"},
		{Column{Method: TopBottom, Top: dec("89")}, "Ann", gone},
		{Column{Method: Code}, "A1", "c1"},
		{Column{Method: Code}, " A1 ", "c1"},
		{Column{Method: Code}, "A2", "c2"},
		{Column{Method: Scrub}, "Ann", "ann"},
	} {
		c.rule.Name = "x"
		r := &Rules{Version: 1, Basis: SafeHarbor, AsOf: day("2026-11-23"), Subject: "s", Columns: []Column{c.rule}}
		m, err := r.compile(&c.rule, &o)
		if err != nil {
			t.Fatalf("%s: %v", c.rule.Method, err)
		}
		got, what, err := m([]byte("|"), []byte(c.in), []byte("p"))
		if err != nil {
			t.Fatalf("%s of %q: %v", c.rule.Method, c.in, err)
		}
		want := c.out
		if want == gone {
			want = ""
		}
		if string(got) != "|"+want || (c.out == gone) != (what == removed || what == vetoed) {
			t.Errorf("%s of %q: got %q (%d), want %q", c.rule.Method, c.in, got[1:], what, c.out)
		}
	}
}

// TestCensus: the ranges are the Census table's, and nothing besides.
func TestCensus(t *testing.T) {
	file := filepath.Join(need.Data(t), "..", "law", "zip3-census2020.json")
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Skip("the Census table is not beside the sample data")
	}
	var doc struct {
		Populations map[string]int `json:"populations"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil || len(doc.Populations) < 800 {
		t.Fatalf("the table does not read: %v", err)
	}
	for p := range 1000 {
		if got, want := Census2020(p), doc.Populations[fmt.Sprintf("%03d", p)] > 20_000; got != want {
			t.Errorf("%03d: got %v, want %v", p, got, want)
		}
	}
	if Census2020(-1) || Census2020(1000) {
		t.Error("a prefix out of range may stay")
	}
}

// TestBinHolds: a number lies in its bin, whose ends are whole steps from the
// origin: by rational arithmetic.
func TestBinHolds(t *testing.T) {
	number := rapid.Custom(func(t *rapid.T) string {
		s := strconv.FormatInt(rapid.Int64Range(-maxMantissa, maxMantissa).Draw(t, "n"), 10)
		if rapid.Bool().Draw(t, "fraction") {
			s += "." + rapid.StringMatching(`[0-9]{1,6}`).Draw(t, "f")
		}
		return s
	})
	rapid.Check(t, func(t *rapid.T) {
		v, origin := number.Draw(t, "value"), number.Draw(t, "origin")
		width := strings.TrimPrefix(number.Draw(t, "width"), "-")
		w, ok := parseDecimal([]byte(width))
		from, ok2 := parseDecimal([]byte(origin))
		if !ok || !ok2 || w.Mantissa <= 0 {
			t.Skip()
		}
		out, what, err := bin(w, &from)(nil, []byte(v), nil)
		if _, ok := parseDecimal([]byte(v)); !ok {
			if what != removed {
				t.Fatalf("what is no number has a bin: %q", out)
			}
			return
		}
		if err != nil || what != changed {
			t.Fatalf("%d, %v", what, err)
		}
		a, b, _ := strings.Cut(strings.Trim(string(out), "[)"), ",")
		low, high := rat(t, a), rat(t, b)
		if x := rat(t, v); x.Cmp(low) < 0 || x.Cmp(high) >= 0 {
			t.Fatalf("%s is not in %s", v, out)
		}
		if d := new(big.Rat).Sub(high, low); d.Cmp(rat(t, width)) != 0 {
			t.Fatalf("%s is not %s wide", out, width)
		}
		if k := new(big.Rat).Quo(new(big.Rat).Sub(low, rat(t, origin)), rat(t, width)); !k.IsInt() {
			t.Fatalf("%s does not begin at a step from %s", out, origin)
		}
	})
}

func rat(t *rapid.T, s string) *big.Rat {
	r, ok := new(big.Rat).SetString(strings.TrimPrefix(s, "+"))
	if !ok {
		t.Fatalf("%q is no number", s)
	}
	return r
}

// TestShiftKeepsIntervals: in every form a shift moves a date by its days, and
// what was read from one form is written in it.
func TestShiftKeepsIntervals(t *testing.T) {
	forms := []string{time.DateOnly, "2006/01/02", "20060102", "2006-01-02T15:04:05Z07:00", "01/02/2006", "1/2/2006", "02-Jan-2006", "02Jan2006", "January 2, 2006", "Jan 2, 2006", "2 January 2006", "200601021504"}
	rapid.Check(t, func(t *rapid.T) {
		form := rapid.SampledFrom(forms).Draw(t, "form")
		at := time.Date(rapid.IntRange(1850, 2150).Draw(t, "year"), 1, rapid.IntRange(1, 366).Draw(t, "day"), 13, 7, 9, 0, time.UTC)
		days := rapid.IntRange(-3650, 3650).Draw(t, "days")
		in := at.Format(form)
		if rapid.Bool().Draw(t, "capitals") {
			in = strings.ToUpper(in)
		}
		d, ok := parseDate([]byte(in), MonthFirst)
		if !ok {
			t.Fatalf("%q is not read", in)
		}
		out, ok := d.shift(nil, []byte(in), days)
		if !ok {
			t.Fatalf("%q is not shifted", in)
		}
		again, ok := parseDate(out, MonthFirst)
		if !ok {
			t.Fatalf("%q, from %q, is not read", out, in)
		}
		got := time.Date(again.year, time.Month(again.month), again.day, 13, 7, 9, 0, time.UTC)
		if n := int(math.Round(got.Sub(at).Hours() / 24)); n != days {
			t.Fatalf("%q to %q is %d days, want %d", in, out, n, days)
		}
	})
}

// FuzzDate: no crash; a date that is read and can be shifted comes back by the
// opposite shift.
func FuzzDate(f *testing.F) {
	for _, s := range []string{"2026-03-14", "14/3/2026", "March 14, 2026", "14MAR2026", "20260314081500.1+0100", "3rd May 2020", "2026-Mar-14", "1/2/", "9999-99-99", "Sept 3 2020"} {
		f.Add([]byte(s), 10)
	}
	f.Fuzz(func(t *testing.T, raw []byte, days int) {
		for _, order := range []Order{NoOrder, MonthFirst, DayFirst} {
			d, ok := parseDate(raw, order)
			if !ok {
				continue
			}
			if d.year < minYear || d.year > maxYear || d.month < 0 || d.month > 12 || d.day < 0 || d.day > 31 {
				t.Fatalf("%+v", d)
			}
			if days < -10_000 || days > 10_000 {
				continue
			}
			out, ok := d.shift(nil, raw, days)
			if !ok {
				continue
			}
			e, ok := parseDate(out, order)
			if !ok {
				if y := d.year + days/365; y > minYear+1 && y < maxYear-1 && order != NoOrder {
					t.Fatalf("a shifted date is not read")
				}
				continue
			}
			if e.swap {
				continue
			}
			from := time.Date(d.year, time.Month(d.month), d.day, 0, 0, 0, 0, time.UTC)
			to := time.Date(e.year, time.Month(e.month), e.day, 0, 0, 0, 0, time.UTC)
			if order != NoOrder && int(to.Sub(from).Hours()/24) != days {
				t.Fatalf("shifted by %v, want %d", to.Sub(from), days)
			}
		}
	})
}

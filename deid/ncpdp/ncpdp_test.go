package ncpdp

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sallyport/sallyport/deid/internal/message"
	"github.com/sallyport/sallyport/internal/need"
	"github.com/sallyport/sallyport/problem"
)

var today = time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)

func made(t testing.TB, o Options) *Deidentifier {
	t.Helper()
	d, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func safeHarbor(t testing.TB) *Deidentifier {
	return made(t, Options{AsOf: today, ZIP3: func(string) bool { return true }})
}

func pass(t testing.TB, d *Deidentifier, in string) (string, Manifest) {
	t.Helper()
	var out bytes.Buffer
	m, err := d.Copy(&out, strings.NewReader(in))
	if err != nil {
		t.Fatal(err)
	}
	return out.String(), m
}

// wire writes separators as they can be read: | for fields, ~ for segments, = for groups.
func wire(s string) string {
	return strings.NewReplacer("|", "\x1c", "~", "\x1e", "=", "\x1d").Replace(s)
}

const (
	head  = "999999D0B1PCN01     101PHARM123       20260115          "
	clean = "999999D0B1PCN01     101MASKED         20260101          "
)

func TestFixture(t *testing.T) {
	raw, err := os.ReadFile(need.DataFile(t, "cosyte-fixtures/test/fixtures/ncpdp/telecom-b1.ncpdp"))
	if err != nil {
		t.Fatal(err)
	}
	d := safeHarbor(t)
	out, m := pass(t, d, string(raw))
	for _, leak := range []string{"ZZ", "5550000301", "19850302", "PHARM", "0260115", "FQ", "FY", "RX0000001"} {
		if strings.Contains(out, leak) {
			t.Errorf("%q is left in %q", leak, out)
		}
	}
	for _, kept := range []string{clean, "|C419850101|C5M", "|COOH|CP441", "AM03|EZ01", "|C301", "|4C1|5C1|6C03", "|E820260101|DV1000", "|E103|D700071015527|D300|D530|E730000|D80", "AM08|E4TD"} {
		if !strings.Contains(out, wire(kept)) {
			t.Errorf("%s is gone from %q", kept, out)
		}
	}
	if m.Dropped != 1 || len(m.Parts) != 6 {
		t.Errorf("got %+v", m)
	}
	if again, _ := pass(t, d, out); again != out {
		t.Errorf("a second pass changes the transmission:\n%q\n%q", out, again)
	}
}

func TestOneRule(t *testing.T) {
	for in, want := range map[string]string{
		"~|AM01|CX01|CY123|CASMITH":                   "~|AM01|CX01|CY1",
		"~|AM01|C419330402|C52":                       "~|AM01|C52",
		"~|AM01|QQANN":                                "~|AM01",
		"~|AM99|C52~|AM01|C52":                        "~|AM01|C52",
		"~|AM04|C2A1=~|AM07|EM1|D2A1=~|AM07|EM1|D2B2": "~|AM04|C21=~|AM07|EM1|D21=~|AM07|EM1|D22",
		"~|AM11|D9123{|DU900000001|DQ00000012}":       "~|AM11|D9123{|DQ00000012}",
		"~|AM13|VE1|WE02|DOE11.9|ZE20240302|H4ANN B":  "~|AM13|VE1|WE02|DOE11.9|ZE20240101",
		"~|AM16|BMANN IS ILL":                         "~|AM16",
		"~|AM07|D7ANN SMITH":                          "~|AM07",
	} {
		got, _ := pass(t, safeHarbor(t), head+wire(in))
		if w := clean + wire(want); got != w {
			t.Errorf("%s:\ngot  %q\nwant %q", in, got, w)
		}
	}
	got, _ := pass(t, safeHarbor(t), "D0B11A01PHARM123       20260115"+wire("~|AM20|F4ANN~|AM21|ANP|F3X1"))
	if want := "D0B11A01MASKED         20260101" + wire("~|AM20~|AM21|ANP|F31"); got != want {
		t.Errorf("an answer:\ngot  %q\nwant %q", got, want)
	}
}

type shift int

func (s shift) Days(patient string) (int, error) {
	if patient != "|P1" {
		return 0, errors.New("another patient")
	}
	return int(s), nil
}

func TestBases(t *testing.T) {
	in := head + wire("~|AM01|CYP1|C419630402|CNBOSTON|COMA|CP021151234")
	for want, o := range map[string]Options{
		"20251231          ~|AM01|CY1|C419630318|COMA|CP000":                {Basis: ExpertDetermination, Dates: DatesShifted, Shift: shift(-15)},
		"20260115          ~|AM01|CY1|C419630402|CNBOSTON|COMA|CP021151234": {Basis: LimitedDataSet, Dates: DatesKept},
		"00000000          ~|AM01|CY1|COMA|CP000":                           {},
		"PHARM123       20260115          ~|AM01|CY1|C419630402":            {Basis: MinimumNecessary, Dates: DatesKept},
	} {
		if out, _ := pass(t, made(t, o), in); !strings.HasSuffix(out, wire(want)) {
			t.Errorf("got %q, want it to end in %q", out, wire(want))
		}
	}
}

func TestRefused(t *testing.T) {
	for _, in := range []string{"", "ANN", "999999F6B1" + strings.Repeat(" ", 60), head[:50], strings.Replace(head, "PCN01", "PCN\x1c1", 1)} {
		if _, err := safeHarbor(t).Append(nil, []byte(in), &Manifest{}); problem.From(err).Kind != problem.Invalid || strings.Contains(err.Error(), "ANN") {
			t.Errorf("%q: got %v", in, err)
		}
	}
	_, err := made(t, Options{Codes: failing{}}).Append(nil, []byte(head+wire("~|AM01|CYANN")), &Manifest{})
	if err == nil || strings.Contains(err.Error(), "ANN") || problem.From(err).Field != "segment 2 (AM01), field CY" {
		t.Errorf("got %v", err)
	}
}

type failing struct{}

func (failing) Code(id string) (string, error) { return "", errors.New("no code for " + id) }

// TestCanaries plants canaries in every field that an id can name.
func TestCanaries(t *testing.T) {
	d := safeHarbor(t)
	const chars = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	planted, left := 0, 0
	for i := range len(chars) * len(chars) {
		id := string([]byte{chars[i/len(chars)], chars[i%len(chars)]})
		as, known := d.table[id]
		for _, canary := range []string{"ZQ7CNR", "ZQCANARY", "ZQ CANARY", "900000001", "5555550100", "20240229"} {
			out, err := d.Append(nil, []byte(head+wire("~|AM01|"+id+canary)), &Manifest{})
			if err != nil {
				t.Fatal(err)
			}
			planted++
			want := known && (canary == "ZQ7CNR" && (as == code || as == drug) || canary == "20240229" && as == amount)
			if as == drug && known && (canary == "900000001" || canary == "5555550100" || canary == "20240229") {
				want = true // a drug's number has as many digits
			}
			has := bytes.Contains(out, []byte(canary))
			if has {
				left++
			}
			if has != want {
				t.Errorf("%s %q: left is %v, want %v: %q", id, canary, has, want, out)
			}
		}
	}
	t.Logf("%d canaries planted, %d left, all in codes, amounts and drugs", planted, left)
}

func TestTableIsWhole(t *testing.T) {
	n := 0
	for _, list := range fieldsOf {
		for id := range strings.FieldsSeq(list) {
			n++
			if len(id) != 2 {
				t.Errorf("%s is no field id", id)
			}
		}
	}
	if got := len(fields()); got != n {
		t.Errorf("%d ids have two rulings", n-got)
	}
}

func TestProperties(t *testing.T) {
	d := safeHarbor(t)
	part := rapid.SampledFrom([]string{"~", "=", "|", "|AM01", "|AM07", "|AM99", "|CY", "|CYA1", "|D2A1", "|C419630402", "|C5M", "|DV12{", "|ZZANN", "|F4ANN", "|E7 1", "|CP02115"})
	rapid.Check(t, func(t *rapid.T) {
		in := head + wire(strings.Join(rapid.SliceOfN(part, 0, 20).Draw(t, "parts"), ""))
		out, err := d.Append(nil, []byte(in), &Manifest{})
		if err != nil {
			t.Fatal(err)
		}
		again, err := d.Append(nil, out, &Manifest{})
		if err != nil || !bytes.Equal(out, again) {
			t.Fatalf("%v\nin    %q\nout   %q\nagain %q", err, in, out, again)
		}
	})
}

type upper struct{}

func (upper) Scrubber(message.Facts) (message.Scrubber, error) { return upper{}, nil }
func (upper) Scrub(dst, doc []byte) ([]byte, error)            { return append(dst, bytes.ToUpper(doc)...), nil }

// FuzzAppend: whatever comes in, what comes out is unchanged by a second pass.
func FuzzAppend(f *testing.F) {
	for _, seed := range []string{"", head, head + wire("~|AM01|CYP1|C419630402=~|AM07|D2X"), "D0B11A01PHARM123       20260115" + wire("AM20|F4x")} {
		f.Add([]byte(seed))
	}
	strict, loose := safeHarbor(f), made(f, Options{Basis: LimitedDataSet, Dates: DatesKept, Text: upper{}})
	f.Fuzz(func(t *testing.T, raw []byte) {
		out, err := strict.Append(nil, raw, &Manifest{})
		if err == nil {
			again, err := strict.Append(nil, out, &Manifest{})
			if err != nil || !bytes.Equal(out, again) {
				t.Fatalf("%v: a second pass changes %q to %q", err, out, again)
			}
		}
		_, _ = loose.Append(nil, raw, &Manifest{})
	})
}

// BenchmarkAppend measures a claim against splitting and joining it.
func BenchmarkAppend(b *testing.B) {
	in := []byte(head + wire("~|AM01|CX01|CYP1|C419630402|C5M|CAANN|CBSMITH|CM1 ELM ST|CNBOSTON|COMA|CP02115~|AM04|C2A1|C301|C61"+
		strings.Repeat("=~|AM07|EM1|D2RX1|E103|D700071015527|E730000|D300|D530|D60|D80|DE20260101~|AM11|D9123{|DC20{|DU143{", 4)))
	d := safeHarbor(b)
	b.SetBytes(int64(len(in)))
	var plain time.Duration
	var dst []byte
	for b.Loop() {
		var err error
		for range 100 {
			if dst, err = d.Append(dst[:0], in, &Manifest{}); err != nil {
				b.Fatal(err)
			}
		}
		b.StopTimer()
		start := time.Now()
		n := 0
		for range 100 {
			for seg := range bytes.SplitSeq(in, []byte{segmentSep}) {
				n += len(bytes.Join(bytes.Split(seg, []byte{fieldSep}), []byte{fieldSep}))
			}
		}
		plain += time.Since(start)
		b.StartTimer()
	}
	b.SetBytes(int64(100 * len(in)))
	b.ReportMetric(100*float64(len(in))*float64(b.N)/1e6/plain.Seconds(), "split-join-MB/s")
	b.ReportMetric(plain.Seconds()/b.Elapsed().Seconds(), "of-split-join")
}

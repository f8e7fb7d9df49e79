package x12

import (
	"bytes"
	"errors"
	"os"
	"strconv"
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

const (
	head = "ISA*00*          *00*          *ZZ*SENDER         *ZZ*RECEIVER       *260615*0930*^*00501*000000077*0*P*:~GS*HC*SENDER*RECEIVER*20260615*0930*9*X*005010X222A1~ST*837*0009*005010X222A1~"
	foot = "SE*3*0009~GE*1*9~IEA*1*000000077~"
	// The same, de-identified.
	cleanHead = "ISA*00*          *00*          *ZZ*MASKED         *ZZ*MASKED         *260101*0000*^*00501*000000001*0*P*:~GS*HC*MASKED*MASKED*20260101*0000*1*X*005010X222A1~ST*837*0001*005010X222A1~"
)

func cleanFoot(segments int) string {
	return "SE*" + strconv.Itoa(segments) + "*0001~GE*1*1~IEA*1*000000001~"
}

func TestFixture(t *testing.T) {
	raw, err := os.ReadFile(need.DataFile(t, "cosyte-fixtures/test/fixtures/x12/837p.edi"))
	if err != nil {
		t.Fatal(err)
	}
	d := safeHarbor(t)
	out, m := pass(t, d, string(raw))
	for _, leak := range []string{"ZZSUB", "ZZPAT", "ZZPOL", "ZZGR", "ZZMEM", "ZZLOC", "ZZCHA", "ZZACC", "ZZUNK", "ZZNTE", "ZZMSG", "ZZIII", "ZZK3", "ZZWEIRD", "5550", "900000201", "990000111", "1999999999", "LLC",
		"19850302", "20211130", "20260601", "260615", "PROVIDER", "REF01"} {
		if strings.Contains(out, leak) {
			t.Errorf("%q is left", leak)
		}
	}
	for _, kept := range []string{"GS*HC*", "*X*005010X222A2~", "HL*3*2*23*0~", "SBR*P*18*5******CI~", "DMG*D8*19850101*M~", "CLM*9*100.00***11:B:1*Y*A*Y*Y~", "HI*ABK:E1165~", "SV1*HC:99213*100.00*UN*1***1~",
		"DTP*472*D8*20260101~", "N4**OH*441*US~", "PAT*19~", "NM1*QC*1******MI*8~", "III*ZZ*21~", "ST*837*0001~"} {
		if !strings.Contains(out, kept) {
			t.Errorf("%s is gone", kept)
		}
	}
	from, to := strings.Index(out, "ST*"), strings.Index(out, "SE*")
	if n := strings.Count(out[from:to], "~") + 1; !strings.Contains(out, "SE*"+strconv.Itoa(n)+"*0001~") {
		t.Errorf("SE does not count %d segments: %s", n, out[to:])
	}
	if again, _ := pass(t, d, out); again != out {
		t.Errorf("a second pass changes the interchange:\n%s\n%s", out, again)
	}
	if m.Messages != 1 || m.Parts["HL"] != 3 {
		t.Errorf("got %+v", m)
	}
}

func TestOneRule(t *testing.T) {
	for in, want := range map[string]string{
		"NM1*IL*1*SMITH*ANN*Q**JR*MI*M1":            "NM1*IL*1******MI*1",
		"NM1*IL*1*SMITH*ANN****34*900000001":        "NM1*IL*1",
		"REF*SY*900000001":                          "",
		"REF*6R*LINE1*ANN":                          "REF*6R*1",
		"N3*1 ELM ST":                               "",
		"N4*BOSTON*MA*021151234":                    "N4**MA*021",
		"PER*IC*ANN*TE*5551234567*EM*ann@x.org":     "PER*IC",
		"DMG*D8*19330402*F":                         "DMG***F",
		"DMG*D8*19630402*F*M*RET:2106-3^RET:2054-5": "DMG*D8*19630101*F*M*RET:2106-3^RET:2054-5",
		"DTP*434*RD8*20240105-20240213":             "DTP*434*RD8*20240101-20240101",
		"DTP*435*DT*202401051030":                   "DTP*435*DT*202401010000",
		"DTP*439*D8*19300105":                       "",
		"DTP*439*ZZ*ANN":                            "",
		"HI*BBR:0DTJ4ZZ:D8:20240105*ABK:E1165":      "HI*BBR:0DTJ4ZZ:D8:20240101*ABK:E1165",
		"SV1*HC:99213:25:59:::ANN SMITH*100*UN*1":   "SV1*HC:99213:25:59*100*UN*1",
		"LIN**N4*00071015527":                       "LIN**N4*00071015527",
		"LIN**N4*ANN SMITH":                         "",
		"SBR*P*18*GRP1*ACME*****CI":                 "SBR*P*18*1******CI",
		"CLM*A1*100.5***11:B:1*Y*A*Y*Y**AA:::MA":    "CLM*1*100.5***11:B:1*Y*A*Y*Y**AA:::MA",
		"NTE*ADD*ANN":                               "",
		"PWK*OZ*BM***AC*CTRL1":                      "PWK*OZ*BM***AC*1",
		"CAS*CO*45*10.00**ANN":                      "CAS*CO*45*10.00**ANN", // one word may be a code
		"CAS*CO*45*ANN":                             "CAS*CO*45",
		"HL*1**20*1*ANN":                            "HL*1**20*1",
		"ZZZ*ANN":                                   "",
		"AMT*T*6175551234":                          "AMT*T",
	} {
		got, _ := pass(t, safeHarbor(t), head+in+"~"+foot)
		n := 2
		if want != "" {
			want += "~"
			n = 3
		}
		if w := cleanHead + want + cleanFoot(n); got != w {
			t.Errorf("%s:\ngot  %s\nwant %s", in, strings.TrimPrefix(got, cleanHead), strings.TrimPrefix(w, cleanHead))
		}
	}
}

type shift map[string]int

func (s shift) Days(patient string) (int, error) {
	n, ok := s[patient]
	if !ok {
		return 0, errors.New("another patient")
	}
	return n, nil
}

// TestShiftByLoop: each loop's dates move by its own patient's days.
func TestShiftByLoop(t *testing.T) {
	in := head + "HL*1**22*0~NM1*IL*1*A*****MI*M1~DTP*472*D8*20240105~HL*2**22*0~NM1*IL*1*B*****MI*M2~DTP*472*D8*20240105~HL*3**23*0~DTP*472*D8*20240105~" + foot
	out, _ := pass(t, made(t, Options{Basis: ExpertDetermination, Dates: DatesShifted, Shift: shift{"|M1": -5, "|M2": 10}}), in)
	for _, want := range []string{"MI*1~DTP*472*D8*20231231~", "MI*2~DTP*472*D8*20240115~", "HL*3**23*0~DTP*472*D8*20240101~"} {
		if !strings.Contains(out, want) {
			t.Errorf("there is no %s in %s", want, out)
		}
	}
}

func TestRefused(t *testing.T) {
	for what, in := range map[string]string{
		"no ISA":           "GS*HC*ANN~",
		"short":            "ISA*00*ANN~",
		"wide":             strings.Replace(head, "SENDER         ", "SENDER          ", 1) + foot,
		"letters":          strings.ReplaceAll(head+foot, "*", "a"),
		"no terminator":    head + "NM1*IL*1*ANN",
		"something before": "ANN" + head + foot,
	} {
		var out bytes.Buffer
		_, err := safeHarbor(t).Copy(&out, strings.NewReader(in))
		if problem.From(err).Kind != problem.Invalid || out.Len() != 0 || strings.Contains(err.Error(), "ANN") {
			t.Errorf("%s: got %v and %q", what, err, out.String())
		}
	}
	if _, err := made(t, Options{MaxBytes: 10}).Append(nil, []byte(head), &Manifest{}); problem.From(err).Kind != problem.TooLarge {
		t.Errorf("got %v", err)
	}
	if _, err := made(t, Options{Codes: failing{}}).Append(nil, []byte(head+"REF*6R*ANN~"+foot), &Manifest{}); err == nil || strings.Contains(err.Error(), "ANN") || problem.From(err).Field != "segment 4 (REF), element 2" {
		t.Errorf("got %v", err)
	}
}

type failing struct{}

func (failing) Code(id string) (string, error) { return "", errors.New("no code for " + id) }

func TestOtherDelimitersAndLines(t *testing.T) {
	in := head + "NM1*IL*1*SMITH*ANN****MI*M1~HI*ABK:E1165~" + foot
	want, _ := pass(t, safeHarbor(t), in)
	there := strings.NewReplacer("*", "|", ":", ">", "~", "\n", "^", "!")
	back := strings.NewReplacer("|", "*", ">", ":", "\n", "~", "!", "^")
	if out, _ := pass(t, safeHarbor(t), there.Replace(in)); back.Replace(out) != want {
		t.Errorf("got %q, want %q", back.Replace(out), want)
	}
	if out, _ := pass(t, safeHarbor(t), strings.ReplaceAll(in, "~", "~\r\n")); strings.ReplaceAll(out, "~\r\n", "~") != want {
		t.Errorf("got %q", out)
	}
}

// TestCanaries plants canaries in every element and component of every segment
// and one element beyond: words are left only as codes, numbers only as amounts.
func TestCanaries(t *testing.T) {
	d := safeHarbor(t)
	stays := map[string]bool{"ID": true, "QU": true, "CO": true, "PR": true, "HI": true, "ND": true}
	planted, left := 0, 0
	for name, rules := range d.table {
		if name == "ST" || name == "SE" {
			continue
		}
		for i := 0; i <= len(rules); i++ {
			rule := "--"
			if i < len(rules) {
				rule = rules[i]
			}
			for comp := range 14 {
				for _, canary := range []string{"ZQ7CNR", "ZQCANARY", "ZQ CANARY", "900000001", "5555550100", "20240229"} {
					v := name + strings.Repeat("*", i+1) + strings.Repeat(":", comp) + canary
					out, err := d.Append(nil, []byte(head+v+"~"+foot), &Manifest{})
					if err != nil {
						t.Fatal(err)
					}
					planted++
					part := comp == 0 || rule == "CO" && comp < 13 || rule == "PR" && comp < 13 && comp != 6 && comp != 7 || rule == "HI" && comp < 13 && comp != 3 && comp != 4 && comp != 5
					// Where the element that a segment needs is not there, the canary goes too.
					_, must := needs[name]
					want := canary == "ZQ7CNR" && stays[rule] && part && (!must || needs[name] == i+1 || needs[name] == 0)
					if canary == "20240229" {
						want = comp == 0 && rule == "NM" && !must || rule == "HI" && (comp == 4 || comp == 5)
					}
					has := bytes.Contains(out, []byte(canary))
					if has {
						left++
					}
					if has != want {
						t.Errorf("%s-%d.%d (%s) %q: left is %v, want %v: %s", name, i+1, comp+1, rule, canary, has, want, bytes.TrimPrefix(out, []byte(cleanHead)))
					}
				}
			}
		}
	}
	t.Logf("%d canaries planted, %d left, all in codes and amounts", planted, left)
}

func TestTableIsWhole(t *testing.T) {
	known := words(`ID NM CX QU NA AD CI ST ZP TE TX DT TI CO PR HI CN SC VR ND --`)
	for name, rules := range segments {
		for r := range strings.FieldsSeq(rules) {
			if !known[r] {
				t.Errorf("%s: no ruling is called %s", name, r)
			}
		}
	}
}

// TestProperties: a second pass changes nothing, and SE counts what is there.
func TestProperties(t *testing.T) {
	d := safeHarbor(t)
	var names []string
	for name := range d.table {
		if name != "ST" && name != "SE" {
			names = append(names, name)
		}
	}
	value := rapid.SampledFrom([]string{"", "A", "D8", "RD8", "DT", "20240229", "20240101-20240301", "MI", "34", "M1", "1.5", "ANN SMITH", "HC:99213:25", "A^B", "02115", "MA", "1030"})
	rapid.Check(t, func(t *rapid.T) {
		in := head
		for range rapid.IntRange(0, 8).Draw(t, "segments") {
			in += rapid.SampledFrom(names).Draw(t, "name")
			for range rapid.IntRange(0, 10).Draw(t, "elements") {
				in += "*" + value.Draw(t, "value")
			}
			in += "~"
		}
		out, err := d.Append(nil, []byte(in+foot), &Manifest{})
		if err != nil {
			t.Fatal(err)
		}
		again, err := d.Append(nil, out, &Manifest{})
		if err != nil || !bytes.Equal(out, again) {
			t.Fatalf("%v\nin    %s\nout   %s\nagain %s", err, in, out, again)
		}
		n := bytes.Count(out[bytes.Index(out, []byte("ST*837")):bytes.Index(out, []byte("SE*"))], []byte("~")) + 1
		if !bytes.Contains(out, []byte("SE*"+strconv.Itoa(n)+"*")) {
			t.Fatalf("SE does not count %d: %s", n, out)
		}
	})
}

type upper struct{}

func (upper) Scrubber(message.Facts) (message.Scrubber, error) { return upper{}, nil }
func (upper) Scrub(dst, doc []byte) ([]byte, error)            { return append(dst, bytes.ToUpper(doc)...), nil }

// FuzzAppend: whatever comes in, what comes out is unchanged by a second pass.
func FuzzAppend(f *testing.F) {
	for _, seed := range []string{"", head + foot, head + "NM1*IL*1*SMITH*ANN****MI*M1~DMG*D8*19330402*F~HI*BBR:X:D8:20240105~" + foot + "\r\n" + head + foot, "ISA", head} {
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

// BenchmarkAppend measures claims against splitting and joining them.
func BenchmarkAppend(b *testing.B) {
	claim := "HL*2*1*22*0~SBR*P*18*GRP1******CI~NM1*IL*1*SMITH*ANN****MI*M1~N3*1 ELM ST~N4*BOSTON*MA*02115~DMG*D8*19630402*F~CLM*A1*100***11:B:1*Y*A*Y*Y~HI*ABK:E1165*ABF:I10~LX*1~SV1*HC:99213*100*UN*1***1~DTP*472*D8*20260601~"
	in := []byte(head + strings.Repeat(claim, 3000) + foot)
	d := safeHarbor(b)
	b.SetBytes(int64(len(in)))
	var plain time.Duration
	var dst []byte
	for b.Loop() {
		var err error
		if dst, err = d.Append(dst[:0], in, &Manifest{}); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		start := time.Now()
		n := 0
		for seg := range bytes.SplitSeq(in, []byte("~")) {
			e := bytes.Split(seg, []byte("*"))
			for i, v := range e {
				e[i] = bytes.Join(bytes.Split(v, []byte(":")), []byte(":"))
			}
			n += len(bytes.Join(e, []byte("*")))
		}
		plain += time.Since(start)
		b.StartTimer()
	}
	b.ReportMetric(float64(len(in))*float64(b.N)/1e6/plain.Seconds(), "split-join-MB/s")
	b.ReportMetric(plain.Seconds()/b.Elapsed().Seconds(), "of-split-join")
}

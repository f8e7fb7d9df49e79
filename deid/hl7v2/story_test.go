package hl7v2

import (
	"bytes"
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/sallyport/sallyport/deid/internal/message"
	"github.com/sallyport/sallyport/internal/need"
	"github.com/sallyport/sallyport/problem"
)

// today is the day by which ages are judged in these tests.
var today = time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)

func zip3(p string) bool { return p != "036" && p != "559" }

func safeHarbor(t testing.TB) *Deidentifier { return made(t, Options{AsOf: today, ZIP3: zip3}) }

func made(t testing.TB, o Options) *Deidentifier {
	t.Helper()
	d, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return d
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

// at is field n of the k-th segment of a name.
func field(t testing.TB, msg, segment string, k, n int) string {
	t.Helper()
	for line := range strings.SplitSeq(strings.ReplaceAll(msg, "\n", "\r"), "\r") {
		if strings.HasPrefix(line, segment) {
			if k--; k == 0 {
				f := strings.Split(line, "|")
				if n < len(f) {
					return f[n]
				}
				return ""
			}
		}
	}
	t.Fatalf("there is no %s left", segment)
	return ""
}

// TestFixtures: no canary is left, each segment of the standard is, and what
// is not a person's stays as it was.
func TestFixtures(t *testing.T) {
	type at struct {
		segment string
		k, n    int
		want    string
	}
	kept := map[string][]at{
		"adt-a01": {{"MSH", 1, 8, "ADT^A01"}, {"MSH", 1, 10, "P"}, {"MSH", 1, 11, "2.5"}, {"EVN", 1, 1, "A01"}, {"PID", 1, 8, "M"}, {"PV1", 1, 2, "I"},
			{"PID", 1, 7, "1990"}, {"PID", 1, 11, "^^^MA^902"}, {"PID", 1, 5, "^^^^^^S"}, {"NK1", 1, 3, "SPO"}, {"NK1", 1, 4, "^^^MA^000"}, {"GT1", 1, 11, "SEL"}, {"IN1", 1, 2, "PLAN001"}},
		"adt-a03": {{"ORC", 1, 1, "NW"}, {"OBR", 1, 4, "2951-2^Sodium^LN"}, {"OBX", 1, 5, "140"}, {"OBX", 1, 6, "mmol/L"}, {"OBX", 1, 7, "135-145"}, {"OBX", 1, 8, "N"},
			{"OBX", 1, 11, "F"}, {"DG1", 1, 3, "E11.9^Type 2 diabetes mellitus^I10"}, {"DG1", 1, 2, "I10"}, {"PV1", 1, 44, "2020"}},
		"oru-r01": {{"OBX", 2, 3, "2823-3^Potassium^LN"}, {"OBX", 2, 5, "4.2"}, {"OBX", 3, 5, "O^O positive^L"}, {"OBX", 4, 5, "Within normal limits"}, {"OBX", 5, 3, "1234-5^Pathology note^LN"},
			{"OBX", 5, 5, ""}, {"NTE", 1, 2, "L"}, {"NTE", 1, 3, ""}},
		"orm-o01-retained-dates": {{"OBX", 6, 5, "20241231"}, {"OBX", 2, 5, "2024"}, {"OBX", 4, 5, "2024^2024"}, {"OBX", 5, 5, ""}, {"SPM", 1, 4, "BLD^Blood^HL70487"}, {"RXA", 1, 7, "mL^milliliter^UCUM"},
			{"RXA", 1, 5, "CODE^^L"}, {"FT1", 1, 6, "CG"}, {"OBR", 1, 32, "^2024^2024"}, {"TXA", 1, 8, "2024~2024"}},
	}
	for name, fields := range kept {
		raw, err := os.ReadFile(need.DataFile(t, "cosyte-fixtures/test/fixtures/hl7/"+name+".hl7"))
		if err != nil {
			t.Fatal(err)
		}
		d := safeHarbor(t)
		out, m := pass(t, d, string(raw))
		for _, leak := range []string{"ZZ", "90000000", "55500000", "DOCFAMILY", "WARD", "19900215", "19850302", "2030405"} {
			if strings.Contains(out, leak) {
				t.Errorf("%s: %q is left", name, leak)
			}
		}
		for _, w := range fields {
			if got := field(t, out, w.segment, w.k, w.n); got != w.want {
				t.Errorf("%s: %s(%d)-%d: got %q, want %q", name, w.segment, w.k, w.n, got, w.want)
			}
		}
		left := strings.Count(out, "\r") + strings.Count(out, "\n")
		if want := strings.Count(string(raw), "\r") + strings.Count(string(raw), "\n") - m.Dropped; left != want {
			t.Errorf("%s: %d segments are left, want %d", name, left, want)
		}
		if again, _ := pass(t, d, out); again != out {
			t.Errorf("%s: a second pass changes the message:\n%s\n%s", name, out, again)
		}
	}
}

const basic = "MSH|^~\\&|APP|FAC|||20240315103000+0100||ORU^R01^ORU_R01|X1|P|2.5.1|||||USA|UNICODE UTF-8\r" +
	"PID|1||M1^^^HOSP^MR~S1^^^SSA^SS||Smith^Ann^Q||19330402|F|||1 Elm St^^Boston^MA^02115-1234^USA^H||5551234567\r" +
	"ORC|RE|P1^APP|F1^LAB\rOBR|1|P1^APP|F1^LAB|2951-2^Sodium^LN|||202403141200\r"

func TestOneRule(t *testing.T) {
	for _, c := range []struct{ what, in, want string }{
		{"a local display goes, the code stays", "OBX|1|NM|NA^Sodium Serum^99LAB||1|mmol/L", "OBX|1|NM|NA^^99LAB||1|mmol/L"},
		{"words beside a code that its system cannot have", "OBX|1|NM|SMITH^Ann Smith^LN||1", "OBX|1|NM|SMITH^^LN||1"},
		{"words without a code", "OBX|1|CWE|2951-2^^LN||^Ann Smith", "OBX|1|CWE|2951-2^^LN"},
		{"two codes", "DG1|1||E11.9^Diabetes^I10^250.00^Diabetes NOS^I9C^2024^1^Ann has it", "DG1|1||E11.9^Diabetes^I10^250.00^Diabetes NOS^I9C^2024^1"},
		{"a number that is none", "OBX|1|NM|1-1^^LN||Ann", "OBX|1|NM|1-1^^LN"},
		{"a structured number", "OBX|1|SN|1-1^^LN||>^100^-^200|mg/dL", "OBX|1|SN|1-1^^LN||>^100^-^200|mg/dL"},
		{"a structured number with words", "OBX|1|SN|1-1^^LN||Ann^100", "OBX|1|SN|1-1^^LN||^100"},
		{"an answer", "OBX|1|ST|1-1^^LN||Not detected", "OBX|1|ST|1-1^^LN||Not detected"},
		{"a titre, not a time", "OBX|1|ST|1-1^^LN||1:40~10:30", "OBX|1|ST|1-1^^LN||1:40"},
		{"a sentence", "OBX|1|TX|1-1^^LN||Ann was positive", "OBX|1|TX|1-1^^LN"},
		{"repetitions", "OBX|1|ST|1-1^^LN||Ann~Trace~Smith", "OBX|1|ST|1-1^^LN||Trace"},
		{"no type", "OBX|1||1-1^^LN||1", "OBX|1||1-1^^LN"},
		{"an attachment", "OBX|1|ED|1-1^^LN||A^TEXT^PDF^Base64^QW5u", "OBX|1|ED|1-1^^LN"},
		{"a pointer", "OBX|1|RP|1-1^^LN||https://x/y?ann", "OBX|1|RP|1-1^^LN"},
		{"a name as an observation", "OBX|1|XPN|1-1^^LN||Smith^Ann", "OBX|1|XPN|1-1^^LN"},
		{"an age of 89", "OBX|1|NM|30525-0^Age^LN||89|a", "OBX|1|NM|30525-0^Age^LN||89|a"},
		{"an age over 89", "OBX|1|NM|30525-0^Age^LN||93|a", "OBX|1|NM|30525-0^Age^LN||90|a"},
		{"an age without a unit", "OBX|1|NM|30525-0^Age^LN||104", "OBX|1|NM|30525-0^Age^LN||90"},
		{"an age in months", "OBX|1|NM|30525-0^Age^LN||1200|mo", "OBX|1|NM|30525-0^Age^LN||1080|mo"},
		{"an age as text", "OBX|1|ST|30525-0^Age^LN||93", "OBX|1|ST|30525-0^Age^LN||90"},
		{"93 of something else", "OBX|1|NM|2951-2^Sodium^LN||93|mmol/L", "OBX|1|NM|2951-2^Sodium^LN||93|mmol/L"},
		{"years of a local code", "OBX|1|NM|AGE^^L||93|years", "OBX|1|NM|AGE^^L||90|years"},
		{"an escaped unit", "OBX|1|NM|1-1^^LN||1|10\\S\\3/uL", "OBX|1|NM|1-1^^LN||1|10\\S\\3/uL"},
		{"the same, in hexadecimal", "OBX|1|NM|1-1^^LN||1|10\\X5E\\3/uL", "OBX|1|NM|1-1^^LN||1|10\\S\\3/uL"},
		{"a range with words", "OBX|1|NM|1-1^^LN||1||3.5-5.1 mmol/L", "OBX|1|NM|1-1^^LN||1||3.5-5.1 mmol/L"},
		{"a range with a name", "OBX|1|NM|1-1^^LN||1||Ann 3.5", "OBX|1|NM|1-1^^LN||1"},
		{"a year that shows an age", "DG1|1||E11.9^^I10||19360101", "DG1|1||E11.9^^I10"},
		{"a year that does not", "DG1|1||E11.9^^I10||19370101", "DG1|1||E11.9^^I10||1937"},
		{"a day that is none", "DG1|1||E11.9^^I10||20241399", "DG1|1||E11.9^^I10"},
		{"a name for a date", "DG1|1||E11.9^^I10||ANN", "DG1|1||E11.9^^I10"},
		{"null", `PID|1||M^^^H^MR||""|""|""`, `PID|1||1^^^^MR||""|""|""`},
		{"a social security number", "PID|1||900000001^^^SSA^SS", "PID|1"},
		{"a field that no version has", strings.Repeat("|Ann", 0) + "NTE|1|L|||||||Ann", "NTE|1|L"},
		{"a component that no version has", "MSA|AA^Ann", "MSA|AA"},
		{"a Z-segment", "ZPI|Ann", ""},
		{"a line that is no segment", "Ann Smith", ""},
		{"lower case", "pid|1", ""},
		{"another separator", "NTE*1", ""},
		{"an order's parts", "ORC|RE|P1^APP|F1^LAB|G1|CM", "ORC|RE|1|2|3|CM"},
		{"a doctor", "ORC|RE|||||||||A1^Doc^Tom^^^^MD^^NPI&1.2&ISO^L^^^NPI", "ORC|RE|||||||||1^^^^^^^^^^^^NPI"},
		{"a ward", "PV1|1|I|W^R^B^F^^N", "PV1|1|I|^^^^^N"},
		{"a timing", "ORC|NW||||||1^Q6H&0600^D10^20240101^20240201^R^as Ann likes", "ORC|NW||||||1^Q6H^D10^2024^2024^R"},
		{"a price", "FT1|1|||20240101||CG|99213^Visit^C4||||100.00&USD", "FT1|1|||2024||CG|99213^Visit^C4||||100.00&USD"},
		{"two specimens", "SPM|1|A&X^B&Y|C", "SPM|1|1^2|3"},
	} {
		in := "MSH|^~\\&|||||2024||ORU^R01|1|P|2.5\r" + c.in + "\r"
		got, _ := pass(t, safeHarbor(t), in)
		want := "MSH|^~\\&|||||2024||ORU^R01|1|P|2.5\r"
		if c.want != "" {
			want += c.want + "\r"
		}
		if got != want {
			t.Errorf("%s:\ngot  %q\nwant %q", c.what, got, want)
		}
	}
}

// TestBases: what each legal basis lets stay of the same message.
func TestBases(t *testing.T) {
	for _, c := range []struct {
		name           string
		o              Options
		address, birth string
		observed       string
	}{
		{"the zero Options", Options{}, "^^^MA^000^USA^H", "", ""},
		{"Safe Harbor", Options{AsOf: today, ZIP3: zip3}, "^^^MA^021^USA^H", "", "2024"},
		{"a limited data set", Options{Basis: message.LimitedDataSet, Dates: message.DatesKept}, "^^Boston^MA^02115-1234^USA^H", "19330402", "202403141200"},
		{"an expert", Options{Basis: message.ExpertDetermination, Dates: message.DatesShifted, Shift: shift(-10), ZIP3: zip3, AsOf: today}, "^^^MA^021^USA^H", "", "202403041200"},
		{"the minimum necessary", Options{Basis: message.MinimumNecessary, Dates: message.DatesKept}, "^^^^^^H", "19330402", "202403141200"},
	} {
		out, _ := pass(t, made(t, c.o), basic)
		if got := field(t, out, "PID", 1, 11); got != c.address {
			t.Errorf("%s: the address is %q, want %q", c.name, got, c.address)
		}
		if got := field(t, out, "PID", 1, 7); got != c.birth {
			t.Errorf("%s: the birth date is %q, want %q", c.name, got, c.birth)
		}
		if got := field(t, out, "OBR", 1, 7); got != c.observed {
			t.Errorf("%s: the observation's date is %q, want %q", c.name, got, c.observed)
		}
		for _, leak := range []string{"Smith", "Ann", "Elm", "555123", "M1", "S1", "P1"} {
			if strings.Contains(out, leak) {
				t.Errorf("%s: %q is left in %q", c.name, leak, out)
			}
		}
	}
}

type shift int

func (s shift) Days(patient string) (int, error) {
	if patient != "HOSP|M1" {
		return 0, errors.New("another patient")
	}
	return int(s), nil
}

// TestShiftKeepsForm: the whole form but the day stays, in the header too,
// which stands before the patient's segment.
func TestShiftKeepsForm(t *testing.T) {
	out, _ := pass(t, made(t, Options{Basis: message.ExpertDetermination, Dates: message.DatesShifted, Shift: shift(20)}), basic+"OBX|1|TM|1-1^^LN||1030\r")
	if got, want := field(t, out, "MSH", 1, 6), "20240404103000+0100"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := field(t, out, "OBX", 1, 5); got != "1030" {
		t.Errorf("a time of day became %q", got)
	}
}

func TestRefusedOptions(t *testing.T) {
	for _, o := range []Options{
		{Dates: message.DatesKept},
		{Dates: message.DatesShifted, Shift: shift(1)},
		{Basis: message.ExpertDetermination, Dates: message.DatesKept},
		{Basis: message.ExpertDetermination, Dates: message.DatesShifted},
		{Basis: 9}, {Dates: 9, Basis: 1}, {MaxBytes: -1},
	} {
		if _, err := New(o); problem.From(err).Kind != problem.Invalid {
			t.Errorf("%+v: got %v, want it refused", o, err)
		}
	}
}

// TestDelimiters: the same message in other delimiters, line ends and frames
// comes out the same.
func TestDelimiters(t *testing.T) {
	body := basic + "OBX|1|NM|1-1^^LN||1|10*3/uL\rNTE|1|L|Ann\r"
	d := safeHarbor(t)
	want, _ := pass(t, d, body)
	swap := strings.NewReplacer("|", "#", "^", "$", "~", "@", "\\", "!", "&", "%", "#", "|")
	back := strings.NewReplacer("#", "|", "$", "^", "@", "~", "!", "\\", "%", "&")
	if out, _ := pass(t, d, swap.Replace(body)); back.Replace(out) != want {
		t.Errorf("got  %q\nwant %q", back.Replace(out), want)
	}
	for _, end := range []string{"\n", "\r\n"} {
		out, _ := pass(t, d, strings.ReplaceAll(body, "\r", end))
		if got := strings.ReplaceAll(out, end, "\r"); got != want {
			t.Errorf("line end %q: got %q", end, got)
		}
	}
	out, m := pass(t, d, "\x0b"+body+"\x1c\r\x0b"+body+"\x1c\r")
	second := strings.Replace(want, "|1|P|2.5.1", "|2|P|2.5.1", 1)
	if w := "\x0b" + want + "\x1c\r\x0b" + second + "\x1c\r"; out != w || m.Messages != 2 {
		t.Errorf("MLLP: got %q\nwant %q", out, w)
	}
}

// TestEmptyLines: before, between and after messages they stay.
func TestEmptyLines(t *testing.T) {
	d := safeHarbor(t)
	want, _ := pass(t, d, basic)
	second := strings.Replace(want, "|1|P|2.5.1", "|2|P|2.5.1", 1)
	if out, m := pass(t, d, "\r\n"+basic+"\n\n"+basic+"\r\r"); out != "\r\n"+want+"\n\n"+second+"\r\r" || m.Messages != 2 {
		t.Errorf("got %q", out)
	}
	if out, m := pass(t, d, "\r\n"); out != "\r\n" || m.Messages != 0 {
		t.Errorf("got %q", out)
	}
}

func TestBatch(t *testing.T) {
	in := "FHS|^~\\&|Ann|||||||Ann|F1\rBHS|^~\\&||||||||Ann|B1\r" + basic + basic + "BTS|2|Ann\rFTS|1|Ann\r"
	for _, r := range []bool{false, true} {
		var out bytes.Buffer
		reader := strings.NewReader(in)
		d := safeHarbor(t)
		var err error
		var m Manifest
		if r {
			m, err = d.Copy(&out, iotest.OneByteReader(reader))
		} else {
			m, err = d.Copy(&out, reader)
		}
		if err != nil || m.Messages != 2 {
			t.Fatalf("%d messages, %v", m.Messages, err)
		}
		if s := out.String(); strings.Contains(s, "Ann") || !strings.HasPrefix(s, "FHS|^~\\&|||||||||1\rBHS|^~\\&|||||||||1\rMSH|") || !strings.HasSuffix(s, "BTS|2\rFTS|1\r") {
			t.Errorf("got %q", s)
		}
	}
}

// TestErrorsTellPlaces: an error says where, and nothing of what is there; of
// the failing message nothing is written.
func TestErrorsTellPlaces(t *testing.T) {
	bad := made(t, Options{Codes: failing{}})
	var out bytes.Buffer
	_, err := bad.Copy(&out, strings.NewReader(basic))
	if err == nil || out.Len() != 0 || strings.Contains(err.Error(), "M1") || strings.Contains(err.Error(), "X1") {
		t.Errorf("got %v and %d bytes", err, out.Len())
	}
	if got, want := problem.From(err).Field, "message 1, segment 1 (MSH), field 10"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, in := range []string{"Ann Smith", "PID|1\r", "MSH", "MSHA^~\\&|", "MSH|^^\\&|", "MSH||", "MSH|AB\\&|", "M\x00S\x00H\x00"} {
		out.Reset()
		_, err := safeHarbor(t).Copy(&out, strings.NewReader(in))
		if problem.From(err).Kind != problem.Invalid || out.Len() != 0 || strings.Contains(err.Error(), "Ann") {
			t.Errorf("%q: got %v and %q", in, err, out.String())
		}
	}
	small := made(t, Options{MaxBytes: 100})
	if _, err := small.Copy(&out, strings.NewReader(basic)); problem.From(err).Kind != problem.TooLarge {
		t.Errorf("got %v, want too large", err)
	}
}

type failing struct{}

func (failing) Code(id string) (string, error) { return "", errors.New("no code for " + id) }

type counted map[string]string

func (c counted) Code(id string) (string, error) {
	if c[id] == "" {
		c[id] = "code-" + strconv.Itoa(len(c)+1)
	}
	return c[id], nil
}

// TestCodes: the same identifier has the same code in every field and message,
// and another authority's is another.
func TestCodes(t *testing.T) {
	codes := counted{}
	out, _ := pass(t, made(t, Options{Codes: codes}), basic+basic)
	if a, b := field(t, out, "ORC", 1, 2), field(t, out, "OBR", 2, 2); a == "" || a != b {
		t.Errorf("the order is %q here and %q there", a, b)
	}
	for _, key := range []string{"HOSP|M1", "APP|P1", "LAB|F1"} {
		if codes[key] == "" {
			t.Errorf("no code was asked for %s: %v", key, codes)
		}
	}
	if codes["SSA|S1"] != "" {
		t.Error("a social security number was given a code")
	}
}

// scrubber replaces what the facts say.
type scrubber struct{ words []string }

func (s *scrubber) Scrubber(f message.Facts) (message.Scrubber, error) {
	s.words = nil
	for _, p := range f.People {
		s.words = append(append(s.words, p.Given...), p.Family)
	}
	s.words = append(append(s.words, f.Phones...), f.IDs...)
	return s, nil
}

func (s *scrubber) Scrub(dst, doc []byte) ([]byte, error) {
	for _, w := range s.words {
		if w != "" {
			doc = bytes.ReplaceAll(doc, []byte(w), []byte("[X|^]"))
		}
	}
	return append(dst, doc...), nil
}

// TestText: text is unescaped, scrubbed with the message's own names, and
// escaped again.
func TestText(t *testing.T) {
	out, m := pass(t, made(t, Options{AsOf: today, Text: &scrubber{}}), basic+
		"OBX|1|TX|1-1^^LN||A\\X6E\\n \\T\\ Smi\\H\\th\\.br\\5551234567~Dr. Quinn\rNTE|1|L|\\C2842\\Ann\r")
	if got, want := field(t, out, "OBX", 1, 5), `[X\F\\S\] \T\ [X\F\\S\]\.br\[X\F\\S\]~Dr. [X\F\\S\]uinn`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := field(t, out, "NTE", 1, 3); got != "" {
		t.Errorf("text in a character set that nobody reads is left: %q", got)
	}
	if m.Tally[message.TextScrubbed] != 2 || m.Tally[message.Malformed] != 1 {
		t.Errorf("got %v", m.Tally)
	}
}

package table

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/deid/table/csv"
	"github.com/sallyport/sallyport/deid/table/risk"
	"github.com/sallyport/sallyport/internal/need"
	"github.com/sallyport/sallyport/problem"
)

func mustRules(t testing.TB, yaml string) *Rules {
	t.Helper()
	r, err := ReadRules([]byte(yaml))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const visits = `mrn,last_name,sex,dob,zip,age,note,glucose,secret
A-100,Lee,F,1950-02-03,02139,76,Ann Lee felt well,101.5,ZQX
A-100,Lee,F,1950-02-03,02139,76,"She said ""fine""",99,ZQX
B-200,"O'Hara, jr",M,1931-07-08,82190,95,,high,ZQX
`

// TestStory: a file goes in, and out comes what the rules say, and a manifest
// that says what was done.
func TestStory(t *testing.T) {
	rules := mustRules(t, `
version: 1
basis: safe-harbor
as_of: 2026-11-23
columns:
  - {name: MRN, method: code, domain: Patient}
  - {name: last_name, method: remove}
  - {name: sex, method: keep}
  - {name: dob, method: year}
  - {name: zip, method: zip3}
  - {name: age, method: age-cap}
  - {name: note, method: scrub}
  - {name: glucose, method: keep-if-shape, shape: decimal}
`)
	codes := counter{}
	o := options(t)
	o.Codes = codes
	var out bytes.Buffer
	m, err := Transform(context.Background(), strings.NewReader(visits), &out, rules, o)
	if err != nil {
		t.Fatal(err)
	}
	want := "MRN,sex,dob,zip,age,note,glucose\r\n" +
		"c1,F,1950,021,76,ann lee felt well,101.5\r\n" +
		"c1,F,1950,021,76,\"she said \"\"fine\"\"\",99\r\n" +
		"c2,M,,000,90+,,\r\n"
	if out.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", out.String(), want)
	}
	if codes["Patient/A-100"] == "" {
		t.Error("the code is not asked in its domain")
	}
	in, sum := sha256.Sum256([]byte(visits)), sha256.Sum256(out.Bytes())
	if m.Input != hex.EncodeToString(in[:]) || m.Output != hex.EncodeToString(sum[:]) || m.Rules != rules.Digest() {
		t.Errorf("the digests are not those of the files: %+v", m)
	}
	if m.Rows != 3 || m.Released != 3 || m.Dropped != 1 || m.Unruled != 1 || !strings.Contains(m.Statement, "not Safe Harbor") {
		t.Errorf("got %+v", m)
	}
	if c := m.Columns[2]; c != (ColumnCount{Name: "dob", Method: Year, Kind: BirthDate, Changed: 2, Removed: 1}) {
		t.Errorf("dob: %+v", c)
	}
	if c := m.Columns[5]; c.Empty != 1 || c.Changed != 2 {
		t.Errorf("note: %+v", c)
	}
	raw, err := json.Marshal(m)
	if err != nil || strings.Contains(string(raw), "Lee") || strings.Contains(string(raw), "secret") {
		t.Errorf("the manifest tells too much: %s, %v", raw, err)
	}
}

// TestRefusesTable: what cannot be carried out stops before a byte has left.
func TestRefusesTable(t *testing.T) {
	full := options(t)
	for _, c := range []struct{ name, columns, in, says string }{
		{"rule without a column", "{name: x, method: keep}", "a\n1\n", "not a column"},
		{"nothing leaves", "{name: a, method: remove}", "a\n1\n", "every column"},
		{"ragged", "{name: a, method: keep}", "a,b\nZQX\n", "fewer columns"},
		{"SSNs by their form", "{name: a, method: keep}", "a\n" + strings.Repeat("123-45-6789\n", 3), "kind ssn"},
		{"names by frequent ones", "{name: a, method: keep}", "a\n\"ZQX, Mary\"\n\"ZQX, James\"\n\"ZQX, Linda\"\n", "kind name"},
		{"unique codes", "{name: a, method: keep}", "a\n" + series("ZQX%06d\n", 50), "kind other-id"},
		{"prose", "{name: a, method: keep}", "a\n" + strings.Repeat("ZQX was seen again and said that all was well at home now\n", 3), "kind free-text"},
		{"dates", "{name: a, method: keep}", "a\n2020-01-02\n", "kind date"},
		{"no hierarchy", "{name: a, method: generalise, hierarchy: none, level: 1}", "a\nZQX\n", "needs its hierarchy"},
		{"level too high", "{name: a, method: generalise, hierarchy: abc, level: 9}", "a\nZQX\n", "ends at 2"},
		{"codes fail", "{name: a, method: code}", "a\nZQX\n", "failed"},
		{"scrubber fails", "{name: a, method: scrub}", "a\nZQX\n", "failed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			rules := mustRules(t, "version: 1\nbasis: safe-harbor\nas_of: 2026-11-23\ncolumns:\n  - "+c.columns+"\n")
			o := full
			if strings.HasSuffix(c.name, "fail") || strings.HasSuffix(c.name, "fails") {
				o.Codes, o.Scrub = broken{}, broken{}
			}
			var out bytes.Buffer
			_, err := Transform(context.Background(), strings.NewReader(c.in), &out, rules, o)
			var p *problem.Problem
			if !errors.As(err, &p) || !strings.Contains(p.Error(), c.says) {
				t.Fatalf("got %v, want a problem that says %q", err, c.says)
			}
			if strings.Contains(fmt.Sprintf("%v %+v", err, p), "ZQX") || (p.Unwrap() != nil && strings.Contains(p.Unwrap().Error(), "ZQX")) {
				t.Errorf("the error holds a value: %v", err)
			}
			if out.Len() > 0 {
				t.Errorf("%d bytes have left", out.Len())
			}
		})
	}
	if _, err := Transform(context.Background(), strings.NewReader("a\n1\n"), io.Discard, nil, full); err == nil {
		t.Error("no rules are taken for rules")
	}
	if _, err := Transform(context.Background(), strings.NewReader("a\n1\n"), io.Discard, &Rules{}, full); err == nil {
		t.Error("the zero rules are taken for rules")
	}
	for _, need := range []string{"code", "scrub", "date-shift", "pseudonym"} {
		rules := mustRules(t, "version: 1\nbasis: minimum-necessary\nsubject: a\ncolumns:\n  - {name: a, method: "+need+"}\n")
		if _, err := Transform(context.Background(), strings.NewReader("a\n1\n"), io.Discard, rules, Options{}); err == nil {
			t.Errorf("%s is carried out without what it needs", need)
		}
	}
}

func series(form string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, form, i)
	}
	return b.String()
}

// broken fails, and quotes what it was given.
type broken struct{}

func (broken) Code(s string) (string, error)           { return "", errors.New(s) }
func (broken) Scrub(_, text, _ []byte) ([]byte, error) { return nil, errors.New(string(text)) }

// TestLateIdentifier: one that comes after the sample becomes empty, and is counted.
func TestLateIdentifier(t *testing.T) {
	in := "a\n" + strings.Repeat("yes\n", sampleRows+10) + "ZQX 123-45-6789\nno\n"
	rules := mustRules(t, "version: 1\nbasis: safe-harbor\ncolumns:\n  - {name: a, method: keep}\n")
	var out bytes.Buffer
	m, err := Transform(context.Background(), strings.NewReader(in), &out, rules, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "ZQX") || m.Columns[0].Vetoed != 1 || m.Columns[0].Kept != sampleRows+11 || !strings.HasSuffix(out.String(), "\r\n\"\"\r\nno\r\n") {
		t.Errorf("got %+v", m)
	}
}

// TestCanaries: a canary in every cell and every way to be wrong; nothing of
// it is in an error, a manifest or an output that the rules do not let it into.
func TestCanaries(t *testing.T) {
	for _, method := range Methods {
		col := fmt.Sprintf("{name: a, method: %s%s}", method, map[Method]string{
			KeepIfShape: ", shape: integer", Generalise: ", hierarchy: abc, level: 1", Bin: ", width: 1", TopBottom: ", top: 1", Map: ", map: {x: y}",
		}[method])
		rules := mustRules(t, "version: 1\nbasis: minimum-necessary\nas_of: 2026-11-23\nsubject: b\ncolumns:\n  - "+col+"\n  - {name: c, method: keep-if-shape, shape: integer}\n")
		for _, cell := range []string{"ZQXV", "ZQXV 2020-01-02", "2020-01-02 ZQXV", "\"ZQXV\"", "ZQXV\"", "ZQXV\x00", "ZQXV\xff", "12 ZQXV", "ZQXV@zqxv.org", "90+ZQXV"} {
			var out bytes.Buffer
			m, err := Transform(context.Background(), strings.NewReader("a,b,c,ZQXV\n"+cell+",ZQXV,1,ZQXV\n"), &out, rules, options(t))
			told := fmt.Sprintf("%v %+v", err, m)
			if raw, e := json.Marshal(m); e == nil {
				told += string(raw)
			}
			if method != Keep && method != Scrub {
				told += out.String()
			}
			if strings.Contains(strings.ToUpper(told), "ZQXV") {
				t.Errorf("%s of %q: %s", method, cell, told)
			}
		}
	}
}

// TestReleaseRisk: Adult with its ages: refused above the risk, reached by
// generalisation, and the file that left is counted again from its text.
func TestReleaseRisk(t *testing.T) {
	raw, err := os.ReadFile(need.DataFile(t, "tabular-adult/adult.csv"))
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Comma: ';', Hierarchies: map[string]*risk.Hierarchy{}}
	for _, name := range []string{"age", "education", "marital-status", "race", "sex"} {
		h, err := os.ReadFile(need.DataFile(t, "tabular-adult/adult_hierarchy_"+name+".csv"))
		if err != nil {
			t.Fatal(err)
		}
		if o.Hierarchies[name], err = risk.ReadHierarchy(bytes.NewReader(h)); err != nil {
			t.Fatal(err)
		}
	}
	const head = `
version: 1
basis: expert-determination
as_of: 2026-11-23
expert: {name: E, date: 2026-01-01, recipient: R, expires: 2027-01-01}
columns:
  - {name: sex, method: keep}
  - {name: age, method: keep-if-shape, shape: integer}
  - {name: education, method: keep}
  - {name: race, method: keep}
  - {name: occupation, method: keep}
risk:
  quasi: [sex, Age, race, education]
  sensitive: [occupation]
  k: 5
  l: 2
`
	var out bytes.Buffer
	_, err = Transform(context.Background(), bytes.NewReader(raw), &out, mustRules(t, head), o)
	var p *problem.Problem
	if !errors.As(err, &p) || p.Kind != problem.Refused || out.Len() > 0 {
		t.Fatalf("got %v and %d bytes, want a refusal", err, out.Len())
	}
	for _, reach := range []string{"  reach: suppress\n  suppression_limit: 0.5\n", "  reach: generalise\n  suppression_limit: 0.03\n  hierarchies: {sex: sex, Age: age, race: race, education: education}\n"} {
		out.Reset()
		m, err := Transform(context.Background(), bytes.NewReader(raw), &out, mustRules(t, head+reach), o)
		if err != nil {
			t.Fatal(err)
		}
		count, diverse := map[string]int{}, map[string]map[string]bool{}
		lines := strings.Split(strings.TrimSpace(out.String()), "\r\n")
		if lines[0] != "sex;age;race;education;occupation" && lines[0] != "sex;age;race;marital-status;education;occupation" {
			t.Fatalf("the header is %q", lines[0])
		}
		for _, line := range lines[1:] {
			f := strings.Split(line, ";")
			key := strings.Join(f[:4], "|")
			count[key]++
			if diverse[key] == nil {
				diverse[key] = map[string]bool{}
			}
			diverse[key][f[4]] = true
		}
		least, uniform := len(lines), len(lines)
		for key, n := range count {
			least, uniform = min(least, n), min(uniform, len(diverse[key]))
		}
		if least < 5 || uniform < 2 || m.Risk.K != least || m.Risk.Classes != len(count) || m.Risk.Sensitive[0].DistinctL != uniform {
			t.Errorf("k %d, l %d in %d classes; the manifest says %v", least, uniform, len(count), m.Risk)
		}
		if m.Released != len(lines)-1 || m.Rows-m.Released != m.Reached.Suppressed || float64(m.Reached.Suppressed) > 0.5*float64(m.Rows) {
			t.Errorf("%d of %d left, %d suppressed", m.Released, m.Rows, m.Reached.Suppressed)
		}
	}
}

// rowsOf makes a file as large as one likes, without holding it.
type rowsOf struct {
	header, row string
	n           int
	left        []byte
}

func (r *rowsOf) Read(p []byte) (int, error) {
	for len(r.left) < len(p) && r.n > 0 {
		if r.header != "" {
			r.left = append(r.left, r.header...)
			r.header = ""
		}
		r.left = append(r.left, r.row...)
		r.n--
	}
	n := copy(p, r.left)
	r.left = r.left[:copy(r.left, r.left[n:])]
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

const manyRules = `
version: 1
basis: safe-harbor
as_of: 2026-11-23
columns:
  - {name: sex, method: keep}
  - {name: dob, method: year}
  - {name: zip, method: zip3}
  - {name: age, method: age-cap}
  - {name: unit, method: keep}
  - {name: glucose, method: keep-if-shape, shape: decimal}
  - {name: weight, method: bin, width: 5}
`

const (
	manyHeader = "mrn,sex,dob,zip,age,unit,glucose,weight,name\n"
	manyRow    = "A-10023,F,1950-02-03,02139,76,Cardiology west,101.5,72.5,\"Lee, Ann\"\n"
)

// TestMemory: what is held does not grow with the file.
func TestMemory(t *testing.T) {
	rules := mustRules(t, manyRules)
	held := func(n int) uint64 {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		src := &rowsOf{header: manyHeader, row: manyRow, n: n}
		peak := uint64(0)
		writes := 0
		w := writer(func(p []byte) (int, error) {
			if writes++; writes%16 == 0 { // it stops the world
				runtime.ReadMemStats(&after)
				peak = max(peak, after.Sys-before.Sys)
			}
			return len(p), nil
		})
		if m, err := Transform(context.Background(), src, w, rules, Options{}); err != nil || m.Released != n {
			t.Fatalf("%v: %d rows", err, m.Released)
		}
		return peak
	}
	held(10_000) // the heap grows to its size
	if extra := held(250_000); extra > 24<<20 {
		t.Errorf("17 MB of rows, over 50 as slices, took %d bytes more", extra)
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

func BenchmarkTransform(b *testing.B) {
	rules := mustRules(b, manyRules)
	const n = 100_000
	b.SetBytes(int64(len(manyHeader) + n*len(manyRow)))
	for b.Loop() {
		if _, err := Transform(context.Background(), &rowsOf{header: manyHeader, row: manyRow, n: n}, io.Discard, rules, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzTransform: no crash; what comes out is CSV with the columns of the rules
// and as many rows as the manifest says; a column that no rule names does not
// leave; no error quotes a canary.
func FuzzTransform(f *testing.F) {
	f.Add([]byte(visits))
	f.Add([]byte("sex,dob,zip,age\nF,1/2/2020,02139,91\n,,,\n"))
	f.Add([]byte("sex,dob,zip,age,ZQXV\n\"\"\"\",x,12345-6789,>89,ZQXV\n"))
	rules := mustRules(f, `
version: 1
basis: safe-harbor
as_of: 2026-11-23
columns:
  - {name: sex, method: keep}
  - {name: dob, method: year}
  - {name: zip, method: zip3}
  - {name: age, method: age-cap}
`)
	f.Fuzz(func(t *testing.T, raw []byte) {
		var out bytes.Buffer
		m, err := Transform(context.Background(), bytes.NewReader(raw), &out, rules, Options{})
		if err != nil {
			if strings.Contains(err.Error(), "ZQXV") {
				t.Fatalf("quotes a value: %v", err)
			}
			return
		}
		r := csv.NewReader(&out, ',')
		names, err := r.Header()
		if err != nil || len(names) != 4 {
			t.Fatalf("%v, %v", names, err)
		}
		at := func(name string) int {
			return slices.IndexFunc(names, func(n string) bool { return sameName(n, name) })
		}
		rows := 0
		for {
			row, err := r.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			rows++
			if y := row[at("dob")]; len(y) != 0 && (len(y) != 4 || !digits(y) || atoi(y) < 1937) {
				t.Fatal("a year that may not stay")
			}
			if z := row[at("zip")]; len(z) != 0 && (len(z) != 3 || !digits(z) || (string(z) != "000" && !Census2020(atoi(z)))) {
				t.Fatal("a prefix that may not stay")
			}
			if k := holds(row[at("sex")]); k != UnknownKind && k.control() != "" {
				t.Fatalf("a %s has left", k)
			}
		}
		if rows != m.Released || rows != m.Rows {
			t.Fatalf("%d rows, and the manifest says %d", rows, m.Released)
		}
	})
}

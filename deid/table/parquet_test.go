package table

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/sallyport/sallyport/deid/table/risk"
	"github.com/sallyport/sallyport/problem"
)

type visit struct {
	MRN     string    `parquet:"mrn"`
	Born    int32     `parquet:"dob,date"`
	Seen    time.Time `parquet:"seen,timestamp(microsecond)"`
	Sex     *string   `parquet:"sex,optional"`
	Age     int32     `parquet:"age"`
	Glucose float64   `parquet:"glucose"`
	Cost    int64     `parquet:"cost,decimal(2:18)"`
	Smoker  *bool     `parquet:"smoker,optional"`
	Unit    string    `parquet:"unit,dict"`
	Note    string    `parquet:"note"`
	Secret  string    `parquet:"secret"`
	Tags    []string  `parquet:"tags,list"`
	UID     [16]byte  `parquet:"uid,uuid"`
	Serial  [8]byte   `parquet:"raw"`
}

func ptr[T any](v T) *T { return &v }

func daysOf(s string) int32 { return int32(day(s).Unix() / 86_400) }

func parquetFile(t testing.TB, rows []visit) []byte {
	var b bytes.Buffer
	w := parquet.NewGenericWriter[visit](&b, parquet.MaxRowsPerRowGroup(3), parquet.KeyValueMetadata("patient", "ZQX"))
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func someVisits() []visit {
	return []visit{
		{MRN: "ZQX1", Born: daysOf("1950-02-03"), Seen: time.Date(2026, 3, 14, 8, 15, 0, 500_000, time.UTC), Sex: ptr("F"), Age: 76, Glucose: 101.5, Cost: 12345, Smoker: ptr(true), Unit: "west", Note: "ZQX well", Secret: "ZQX", Tags: []string{"ZQX", "b"}},
		{MRN: "ZQX1", Born: daysOf("1931-02-03"), Seen: time.Date(1931, 3, 14, 8, 15, 0, 0, time.UTC), Age: 95, Glucose: 99, Cost: -5, Unit: "", Note: "", Secret: "ZQX"},
		{MRN: "ZQX2", Born: daysOf("1990-12-31"), Seen: time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC), Sex: ptr("M"), Age: 35, Glucose: 0.1, Smoker: ptr(false), Unit: "123-45-6789", Note: "ok"},
		{MRN: "ZQX3", Born: daysOf("1990-12-31"), Seen: time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC), Sex: ptr("M"), Age: 35, Glucose: 3, Unit: "east", Note: "ok"},
	}
}

const visitRules = `
version: 1
basis: minimum-necessary
as_of: 2026-11-23
subject: mrn
columns:
  - {name: MRN, method: pseudonym}
  - {name: dob, method: year}
  - {name: seen, method: date-shift}
  - {name: sex, method: keep}
  - {name: age, method: age-cap}
  - {name: glucose, method: keep-if-shape, shape: decimal}
  - {name: cost, method: bin, width: 100}
  - {name: smoker, method: keep}
  - {name: unit, method: keep-if-shape, shape: code}
  - {name: note, method: scrub}
  - {name: uid, method: keep-if-shape, shape: code}
`

// readParquet gives the header, then the rows with their values as text; a
// null is a dash.
func readParquet(t testing.TB, raw []byte) (names []string, types []string, rows [][]string) {
	f, err := parquet.OpenFile(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range f.Schema().Fields() {
		names = append(names, c.Name())
		types = append(types, c.Type().String())
	}
	r := parquet.NewReader(bytes.NewReader(raw))
	defer r.Close()
	buf := make([]parquet.Row, 1)
	for {
		n, err := r.ReadRows(buf)
		if n == 1 {
			var row []string
			for _, v := range buf[0] {
				if v.IsNull() {
					row = append(row, "-")
				} else {
					row = append(row, v.String())
				}
			}
			rows = append(rows, row)
		}
		if err == io.EOF {
			return names, types, rows
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestParquetStory: the same rules carry a Parquet file; what is kept keeps its
// type, and nothing else of the file comes along.
func TestParquetStory(t *testing.T) {
	raw := parquetFile(t, someVisits())
	var out bytes.Buffer
	o := options(t)
	m, err := TransformParquet(context.Background(), bytes.NewReader(raw), int64(len(raw)), &out, mustRules(t, visitRules), o)
	if err != nil {
		t.Fatal(err)
	}
	names, types, rows := readParquet(t, out.Bytes())
	if got, want := strings.Join(names, " "), "MRN dob seen sex age glucose cost smoker unit note uid"; got != want {
		t.Errorf("got columns %s, want %s", got, want)
	}
	if got, want := strings.Join(types, " "), "STRING STRING STRING STRING STRING DOUBLE STRING BOOLEAN STRING STRING UUID"; got != want {
		t.Errorf("got types %s, want %s", got, want)
	}
	want := [][]string{
		{"c1", "1950", "2026-04-23T08:15:00.0005Z", "F", "76", "101.5", "[100,200)", "true", "west", "zqx well", "-"},
		{"c1", "-", "1931-04-23T08:15:00Z", "-", "90+", "99", "[-100,0)", "-", "", "-", "-"},
		{"c2", "1990", "2025-02-10T00:00:00Z", "M", "35", "0.1", "[0,100)", "false", "123-45-6789", "ok", "-"},
		{"c3", "1990", "2025-02-10T00:00:00Z", "M", "35", "3", "[0,100)", "-", "east", "ok", "-"},
	}
	for i, row := range rows {
		if got := strings.Join(row, "|"); got != strings.Join(want[i], "|") {
			t.Errorf("row %d: got %s, want %s", i, got, strings.Join(want[i], "|"))
		}
	}
	if len(rows) != 4 || m.Rows != 4 || m.Released != 4 || m.Unruled != 3 || len(m.Input) != 64 || len(m.Output) != 64 {
		t.Errorf("%d rows; %+v", len(rows), m)
	}
	if bytes.Contains(out.Bytes(), []byte("ZQX")) {
		t.Error("a removed value or the file's metadata is in the output")
	}
	safe := strings.Replace(strings.Replace(visitRules, "minimum-necessary", "safe-harbor", 1), "{name: seen, method: date-shift}", "{name: seen, method: keep}", 1)
	safe = strings.Replace(strings.Replace(safe, "pseudonym", "code", 1), "{name: uid, method: keep-if-shape, shape: code}", "{name: uid, method: code}", 1)
	_, err = TransformParquet(context.Background(), bytes.NewReader(raw), int64(len(raw)), io.Discard, mustRules(t, safe), o)
	if err == nil || !strings.Contains(err.Error(), "kind date") {
		t.Errorf("timestamps are kept under Safe Harbor: %v", err)
	}
}

// TestParquetRefuses: what is not flat, not read or damaged.
func TestParquetRefuses(t *testing.T) {
	raw := parquetFile(t, someVisits())
	for name, says := range map[string]string{"tags": "nested", "raw": "type", "none": "not a column"} {
		rules := mustRules(t, "version: 1\nbasis: minimum-necessary\ncolumns:\n  - {name: "+name+", method: keep}\n  - {name: sex, method: keep}\n")
		var out bytes.Buffer
		_, err := TransformParquet(context.Background(), bytes.NewReader(raw), int64(len(raw)), &out, rules, Options{})
		var p *problem.Problem
		if !errors.As(err, &p) || !strings.Contains(p.Error(), says) || out.Len() > 0 || strings.Contains(p.Error(), "ZQX") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	rules := mustRules(t, "version: 1\nbasis: minimum-necessary\ncolumns:\n  - {name: sex, method: keep}\n")
	for _, cut := range []int{0, 3, 100, len(raw) / 2, len(raw) - 1} {
		if _, err := TransformParquet(context.Background(), bytes.NewReader(raw[:cut]), int64(cut), io.Discard, rules, Options{}); err == nil {
			t.Errorf("a file cut at %d is read", cut)
		}
	}
	type two struct {
		A string `parquet:"a"`
		B string `parquet:"A "`
	}
	var b bytes.Buffer
	w := parquet.NewGenericWriter[two](&b)
	if _, err := w.Write([]two{{"ZQX", "ZQX"}}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	rules = mustRules(t, "version: 1\nbasis: minimum-necessary\ncolumns:\n  - {name: a, method: keep}\n")
	if _, err := TransformParquet(context.Background(), bytes.NewReader(b.Bytes()), int64(b.Len()), io.Discard, rules, Options{}); err == nil {
		t.Error("two columns of one name are told apart")
	}
}

// TestParquetRisk: the risk is reached in Parquet as in CSV.
func TestParquetRisk(t *testing.T) {
	h, err := risk.ReadHierarchy(strings.NewReader(series("%d;all\n", 100)))
	if err != nil {
		t.Fatal(err)
	}
	var rows []visit
	for i := range 40 {
		rows = append(rows, visit{MRN: fmt.Sprint("ZQX", i), Sex: ptr([]string{"F", "M"}[i%2]), Age: int32(i), Unit: []string{"a", "b", "c"}[i%3]})
	}
	rows = append(rows, visit{Sex: ptr("X"), Age: 50, Unit: "a"})
	raw := parquetFile(t, rows)
	const rules = `
version: 1
basis: minimum-necessary
columns:
  - {name: age, method: keep-if-shape, shape: integer}
  - {name: sex, method: keep}
  - {name: unit, method: keep}
risk: {quasi: [sex, age], sensitive: [unit], k: 5, l: 3, suppression_limit: 0.05, reach: generalise, hierarchies: {age: age}}
`
	var out bytes.Buffer
	m, err := TransformParquet(context.Background(), bytes.NewReader(raw), int64(len(raw)), &out, mustRules(t, rules), Options{Hierarchies: map[string]*risk.Hierarchy{"age": h}})
	if err != nil {
		t.Fatal(err)
	}
	_, _, got := readParquet(t, out.Bytes())
	count := map[string]int{}
	for _, row := range got {
		count[row[0]+row[1]]++
	}
	if len(got) != 40 || count["Fall"] != 20 || count["Mall"] != 20 || m.Risk.K != 20 || m.Reached.Suppressed != 1 || m.Columns[0].Kept != 41 {
		t.Errorf("%v of %d rows; %+v", count, len(got), m)
	}
	if _, err := TransformParquet(context.Background(), bytes.NewReader(raw), int64(len(raw)), io.Discard, mustRules(t, strings.Replace(rules, "reach: generalise, ", "", 1)), Options{Hierarchies: map[string]*risk.Hierarchy{"age": h}}); err == nil {
		t.Error("a table above its risk leaves")
	}
}

// FuzzParquet: a damaged file is refused or read, and neither stops the program
// nor has its values in an error.
func FuzzParquet(f *testing.F) {
	raw := parquetFile(f, someVisits())
	f.Add(raw, 0, byte(0))
	f.Add(raw, len(raw)-20, byte(7))
	f.Add(raw[:len(raw)/2], 1, byte(1))
	rules := mustRules(f, visitRules)
	f.Fuzz(func(t *testing.T, in []byte, at int, flip byte) {
		if len(in) > 1<<16 {
			return
		}
		in = bytes.Clone(in)
		if at >= 0 && at < len(in) {
			in[at] ^= flip
		}
		_, err := TransformParquet(context.Background(), bytes.NewReader(in), int64(len(in)), io.Discard, rules, options(t))
		if err != nil && strings.Contains(err.Error(), "ZQX") {
			t.Fatalf("quotes a value: %v", err)
		}
	})
}

func BenchmarkTransformParquet(b *testing.B) {
	var rows []visit
	for range 25_000 {
		rows = append(rows, someVisits()...)
	}
	for i := range rows {
		rows[i].Unit = "east"
	}
	var file bytes.Buffer
	w := parquet.NewGenericWriter[visit](&file)
	if _, err := w.Write(rows); err != nil {
		b.Fatal(err)
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	rules := mustRules(b, visitRules)
	for b.Loop() {
		if _, err := TransformParquet(context.Background(), bytes.NewReader(file.Bytes()), int64(file.Len()), io.Discard, rules, options(b)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*float64(len(rows))/b.Elapsed().Seconds()/1e6, "Mrows/s")
}

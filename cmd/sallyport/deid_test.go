package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/sallyport/sallyport/deid"
	"github.com/sallyport/sallyport/internal/need"
)

const studyYAML = `profile: our-study
version: 1
title: Our study
basis: expert-determination
extends: expert-determination
template: false
determination:
  expert: Dr. M. Example
  determined_on: 2026-01-31
  recipient: Northwind
  valid_until: 2027-01-31
  method: study-17
`

// study is a folder with a profile and a key.
func study(t testing.TB) (profile, key string) {
	t.Helper()
	dir := t.TempDir()
	profile, key = filepath.Join(dir, "study.yaml"), filepath.Join(dir, "key")
	for file, text := range map[string]string{profile: studyYAML, key: strings.Repeat("0123456789abcdef", 2)} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return profile, key
}

// sallyport runs the real program.
func sallyport(t testing.TB, args ...string) (stderr string, err error) {
	t.Helper()
	program, err := exec.LookPath("sallyport")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, args...)
	var b bytes.Buffer
	cmd.Stdout, cmd.Stderr = io.Discard, &b
	err = cmd.Run()
	return b.String(), err
}

func files(t testing.TB, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		raw, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out[e.Name()] = string(raw)
	}
	return out
}

func readManifest(t testing.TB, file string) (m manifest) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// bulk is Synthea's export, without the file that is no FHIR.
func bulk(t testing.TB, times int) string {
	t.Helper()
	from, dir := need.DataFile(t, "synthea-bulk-10"), t.TempDir()
	entries, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if filepath.Ext(e.Name()) != ".ndjson" || e.Name() == "log.ndjson" {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(from, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		for n := range times {
			name := strings.Replace(e.Name(), ".000.", fmt.Sprintf(".%03d.", n), 1)
			if err := os.WriteFile(filepath.Join(dir, name), raw, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

// With a key, the same comes out whatever does it: one goroutine or several.
func TestParallelIsSerial(t *testing.T) {
	in := bulk(t, 1)
	profile, key := study(t)
	outs := make([]map[string]string, 2)
	for i, jobs := range []string{"1", "5"} {
		out := filepath.Join(t.TempDir(), "out")
		if said, err := sallyport(t, "deid", in, "--out", out, "--profile", profile, "--key", key, "--as-of", "2026-06-01", "-j", jobs); err != nil {
			t.Fatalf("%v\n%s", err, said)
		}
		m := readManifest(t, filepath.Join(out, "manifest.json"))
		if m.Totals.Released["Patient"] == 0 || m.Totals.Released["DocumentReference"] != 1215 || len(m.Totals.Withheld) > 0 {
			t.Errorf("%s jobs: got %v released, %v withheld", jobs, m.Totals.Released, m.Totals.Withheld)
		}
		outs[i] = files(t, out)
	}
	for name, text := range outs[0] {
		if outs[1][name] != text {
			t.Errorf("%s differs: %d and %d bytes", name, len(text), len(outs[1][name]))
		}
	}
	if len(outs[0]) != len(outs[1]) || len(outs[0]) < 10 {
		t.Errorf("got %d and %d files", len(outs[0]), len(outs[1]))
	}
}

// A run that is killed leaves whole files only, and one that goes on ends where
// one that was not killed does.
func TestKilledAndResumed(t *testing.T) {
	in := bulk(t, 4)
	_, key := study(t)
	profile := deid.LimitedDataSetProfile // codes by the key, and no text: quick
	args := func(out string, more ...string) []string {
		return append([]string{"deid", in, "--out", out, "--profile", profile, "--key", key, "--as-of", "2026-06-01"}, more...)
	}
	whole, broken := filepath.Join(t.TempDir(), "out"), ""
	if said, err := sallyport(t, args(whole)...); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	want := files(t, whole)
	program, err := exec.LookPath("sallyport")
	if err != nil {
		t.Fatal(err)
	}
	// On a busy machine it may be done before anybody has looked: then once more.
	var left map[string]string
	for try, caught := 0, false; !caught; try++ {
		if broken = filepath.Join(t.TempDir(), "out"); try == 20 {
			t.Fatal("it was done each time before it was killed")
		}
		cmd := exec.CommandContext(t.Context(), program, args(broken)...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
			got, _ := filepath.Glob(filepath.Join(broken, "*.ndjson"))
			if len(got) >= 3 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("there are %d files", len(got))
			}
		}
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
		left = files(t, broken)
		_, finished := left["manifest.json"]
		caught = !finished && len(left) < len(want)-1
	}
	for name, text := range left {
		if filepath.Ext(name) == ".ndjson" && want[name] != text {
			t.Errorf("%s has its name and is not whole", name)
		}
	}

	// One output was changed since: it is made again.
	changed := filepath.Join(broken, "AllergyIntolerance.000.ndjson")
	if _, ok := left[filepath.Base(changed)]; ok {
		if err := os.WriteFile(changed, []byte("{}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// Under another day it does not go on.
	if said, err := sallyport(t, append(args(broken), "--as-of", "2026-06-02", "--resume")...); err == nil || !strings.Contains(said, "another profile, day, key") {
		t.Errorf("another day: got %v, %s", err, said)
	}
	said, err := sallyport(t, args(broken, "--resume")...)
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	if !strings.Contains(said, "files are done already") {
		t.Errorf("nothing was skipped: %s", said)
	}
	got := files(t, broken)
	for name, text := range want {
		if got[name] != text {
			t.Errorf("%s differs", name)
		}
	}
	if len(got) != len(want) {
		t.Errorf("got %d files, want %d", len(got), len(want))
	}
}

// No value of any input is in a manifest, on standard error or in an output.
func TestCanariesInEveryFormat(t *testing.T) {
	in := need.DataFile(t, "cosyte-fixtures/test/fixtures")
	out := filepath.Join(t.TempDir(), "out")
	said, err := sallyport(t, "deid", in, "--out", out, "--as-of", "2026-06-01")
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	m := readManifest(t, filepath.Join(out, "manifest.json"))
	formats := map[string]int{}
	for _, f := range m.Files {
		formats[f.Format]++
	}
	if formats["hl7v2"] != 4 || formats["cda"] != 1 || formats["fhir"] != 1 || formats["ncpdp"] != 1 || formats["x12"] != 1 {
		t.Errorf("got %v", formats)
	}
	for name, text := range files(t, out) {
		for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return r < 'A' || r > 'Z' }) {
			if len(word) > 2 && strings.HasPrefix(word, "ZZ") { // ZZ alone is a qualifier of X12
				t.Errorf("%s holds a canary", name)
			}
		}
	}
	if strings.Contains(said, "ZZ") {
		t.Errorf("said: %s", said)
	}
}

// Images come out, or are refused with the reason; the same study is the same study.
func TestImages(t *testing.T) {
	in := need.DataFile(t, "dicom-pydicom")
	out := filepath.Join(t.TempDir(), "out")
	said, err := sallyport(t, "deid", in, "--out", out, "--format", "auto", "--as-of", "2026-06-01")
	if err == nil {
		t.Error("broken and burned-in images: got no error")
	}
	m := readManifest(t, filepath.Join(out, "manifest.json"))
	images := 0
	for _, f := range m.Files {
		if f.Format == "dicom" {
			images++
		}
	}
	if images < 40 || len(m.Failed) == 0 || m.Complete {
		t.Errorf("%d images, %d failed, complete %v\n%s", images, len(m.Failed), m.Complete, said)
	}
	for _, f := range m.Failed {
		if _, err := os.Stat(filepath.Join(out, fmt.Sprintf("%06d.dcm", f.Number))); err == nil {
			t.Errorf("file %d failed and is there", f.Number)
		}
	}
	// Cut to a role there are none.
	if said, err := sallyport(t, "deid", filepath.Join(in, "CT_small.dcm"), "--out", filepath.Join(t.TempDir(), "x.dcm"), "--profile", "minimum-necessary"); err == nil || !strings.Contains(said, "45 CFR 164.502(b)") {
		t.Errorf("minimum necessary: got %v, %s", err, said)
	}
}

// A table reaches the risk that its rules demand, and the manifest has the figures.
func TestTableReachesItsRisk(t *testing.T) {
	adult := need.DataFile(t, "tabular-adult/adult.csv")
	dir := t.TempDir()
	hierarchies := filepath.Join(dir, "h")
	if err := os.Mkdir(hierarchies, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"age", "race", "sex"} {
		raw, err := os.ReadFile(need.DataFile(t, "tabular-adult/adult_hierarchy_"+name+".csv"))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(hierarchies, name+".csv"), raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	rules := filepath.Join(dir, "rules.yaml")
	if err := os.WriteFile(rules, []byte(`version: 1
basis: expert-determination
as_of: 2026-06-01
expert: {name: Dr. M. Example, date: 2026-01-31, recipient: Northwind, expires: 2027-01-31}
columns:
  - {name: sex, method: keep}
  - {name: age, method: keep}
  - {name: race, method: keep}
  - {name: salary-class, method: keep}
risk:
  quasi: [sex, age, race]
  k: 5
  suppression_limit: 0.04
  reach: generalise
  hierarchies: {age: age, race: race, sex: sex}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	profile, key := study(t)
	out := filepath.Join(dir, "out.csv")
	if said, err := sallyport(t, "deid", adult, "--out", out, "--comma", ";", "--profile", profile, "--key", key, "--rules", rules, "--hierarchies", hierarchies); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	m := readManifest(t, out+".manifest.json")
	if len(m.Files) != 1 || m.Files[0].Risk == nil || m.Files[0].Risk.K < 5 {
		t.Fatalf("got %+v", m.Files)
	}
	raw, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	classes, rows := map[string]int{}, 0 // counted again, from what came out
	for i, line := range strings.Split(strings.TrimSpace(string(raw)), "\n") {
		if f := strings.Split(strings.TrimSuffix(line, "\r"), ";"); i > 0 {
			classes[strings.Join(f[:3], ";")]++
			rows++
		}
	}
	for _, n := range classes {
		if n < 5 {
			t.Errorf("a class of %d", n)
		}
	}
	if int64(rows) != m.Files[0].Released["row"] || rows < 28_000 {
		t.Errorf("%d rows, the manifest says %v", rows, m.Files[0].Released)
	}
	if said, err := sallyport(t, "deid", adult, "--out", filepath.Join(dir, "o2.csv"), "--comma", ";", "--rules", rules); err == nil || !strings.Contains(said, "45 CFR 164.514") {
		t.Errorf("another basis: got %v, %s", err, said)
	}
}

func TestNamesOfOutputs(t *testing.T) {
	lines, _ := formatNamed("ndjson")
	for name, want := range map[string]string{
		"Observation.000.ndjson": "Observation.000.ndjson", "Patient.ndjson": "Patient.ndjson", "Patient_1.ndjson": "Patient_1.ndjson",
		"Levin.000.ndjson": "000007.ndjson", "ward/Patient.000.ndjson": "000007.ndjson", "Patient.000.ndjson.bak": "000007.ndjson",
		"Patient-Ann.ndjson": "000007.ndjson", "Patient.Levin": "000007.ndjson",
	} {
		if got := outputName(&item{number: 7, name: name, format: lines}, false); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

func TestFormats(t *testing.T) {
	for _, c := range []struct{ name, head, want string }{
		{"a.json", `{"resourceType":"Patient"}`, "fhir"},
		{"", "{\"a\":1}\n{\"b\":2}\n", "ndjson"},
		{"", "{\"a\":1}\n", "fhir"},
		{"a.ndjson", "{\"a\":1}", "ndjson"},
		{"a.json", "\xef\xbb\xbf {\"a\":", "fhir"},
		{"a.txt", "MSH|^~\\&|A|B", "hl7v2"},
		{"a.csv", "a,b\n", "csv"},
		{"", "a,b\n", ""},
		{"a.txt", "words", "text"},
		{"a.dat", strings.Repeat("\x00", 128) + "DICM\x02\x00\x00\x00", "dicom"},
		{"a.csv", "PAR1xxxx", "parquet"},
		{"a.xml", "<?xml?><ClinicalDocument>", "cda"},
		{"a.xml", "<html>", ""},
		{"a.json", "rubbish", ""},
		{"", "", ""},
	} {
		if got, _ := formatOf(c.name, []byte(c.head)); got.name != c.want {
			t.Errorf("%q %.20q: got %q, want %q", c.name, c.head, got.name, c.want)
		}
	}
}

// Chunks are whole lines that together are the input, and a line over the limit is
// one that is too long for whoever reads it.
func TestSplit(t *testing.T) {
	long := strings.Repeat("x", maxLine+chunkSize+17)
	for name, text := range map[string]string{
		"nothing": "", "one": "a", "ends": "a\nb\n", "many": strings.Repeat("0123456789\n", 300_000), "wide": strings.Repeat("y", 3*chunkSize) + "\nz\n",
		"long": "first\n" + long + "\nlast\n", "long at the end": "first\n" + long,
	} {
		var all []byte
		chunks := 0
		err := split(strings.NewReader(text), func(b []byte) error {
			if len(all) > 0 && all[len(all)-1] != '\n' && !strings.HasPrefix(name, "long") {
				t.Errorf("%s: a chunk begins within a line", name)
			}
			all = append(all, b...)
			chunks++
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(name, "long") {
			if len(all) <= maxLine || len(all) > len(text) || !bytes.HasPrefix(all, []byte("first\n")) || name == "long" && !bytes.HasSuffix(all, []byte("last\n")) {
				t.Errorf("%s: got %d bytes of %d", name, len(all), len(text))
			}
			continue
		}
		if string(all) != text {
			t.Errorf("%s: got %d bytes, want %d", name, len(all), len(text))
		}
		if name == "many" && chunks < 3 {
			t.Errorf("%d chunks", chunks)
		}
	}
}

// testRun is a run without files.
func testRun(t testing.TB, profile string, jobs int) *deidRun {
	t.Helper()
	c := &deidRunCmd{Jobs: jobs}
	p, err := readProfile(profile)
	if err != nil {
		t.Fatal(err)
	}
	s, err := openSecrets(t.Context(), c, p)
	if err != nil {
		t.Fatal(err)
	}
	l, err := newLawful(p, time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC), s)
	if err != nil {
		t.Fatal(err)
	}
	return &deidRun{c: c, ctx: t.Context(), lawful: l, known: &known{}}
}

// A line that is refused is named by its number in the file, also where another
// goroutine had it; nothing of it is quoted; the others come out in their order.
func TestRefusedLinesAreCounted(t *testing.T) {
	var in bytes.Buffer
	const lines, bad = 40_000, 33_333
	for n := 1; n <= lines; n++ {
		if n == bad || n == bad+5 {
			in.WriteString(`{"resourceType":"ZZLevin"}` + "\n")
			continue
		}
		fmt.Fprintf(&in, `{"resourceType":"Observation","id":"o%d","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"8480-6"}]},"valueQuantity":{"value":%d}}`+"\n", n, n)
	}
	r := testRun(t, deid.SafeHarborProfile, 3)
	w := &worker{r: r, spool: new(bytes.Buffer)}
	format, _ := formatNamed("ndjson")
	rec, err := w.do(&item{number: 1, stdin: in.Bytes(), size: int64(in.Len()), format: format})
	if err != nil {
		t.Fatal(err)
	}
	if rec.Released["Observation"] != lines-2 || rec.Withheld["refused"] != 2 || !strings.Contains(rec.firstBad, fmt.Sprintf("line %d:", bad)) || strings.Contains(rec.firstBad, "ZZ") {
		t.Errorf("got %v, %v, %q", rec.Released, rec.Withheld, rec.firstBad)
	}
	last := 0
	for line := range bytes.Lines(w.spool.Bytes()) {
		var o struct {
			ValueQuantity struct{ Value int }
		}
		if err := json.Unmarshal(line, &o); err != nil || o.ValueQuantity.Value <= last {
			t.Fatalf("after %d came %d, %v", last, o.ValueQuantity.Value, err)
		}
		last = o.ValueQuantity.Value
	}
	if last != lines {
		t.Errorf("the last is %d", last)
	}
}

// What an engine cannot do as strictly as the profile is refused, and what it can is
// never laxer.
func TestWhatEnginesMakeOfAProfile(t *testing.T) {
	for _, name := range []string{deid.SafeHarborProfile, deid.LimitedDataSetProfile, deid.MinimumNecessary} {
		l := testRun(t, name, 1).lawful
		o, err := l.messages()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if o.Text != nil || o.Codes == nil {
			t.Errorf("%s: text %v, codes %v", name, o.Text, o.Codes)
		}
		if got, want := fmt.Sprint(o.Dates), map[string]string{deid.SafeHarborProfile: "0", deid.LimitedDataSetProfile: "2", deid.MinimumNecessary: "0"}[name]; got != want {
			t.Errorf("%s: dates %s, want %s", name, got, want)
		}
		images, err := l.images("")
		if (err != nil) != (name == deid.MinimumNecessary) {
			t.Errorf("%s: images: %v", name, err)
		}
		if images.Profile.RetainFullDates != (name == deid.LimitedDataSetProfile) || err == nil && images.UIDs.Derived() {
			t.Errorf("%s: got %+v", name, images.Profile)
		}
	}
	dir := t.TempDir()
	narrow := filepath.Join(dir, "narrow.yaml")
	if err := os.WriteFile(narrow, []byte("profile: narrow\nversion: 1\ntitle: Less\nbasis: limited-data-set\nextends: limited-data-set\nelements:\n  Address.city: remove\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := testRun(t, narrow, 1).lawful.messages(); err == nil || !strings.Contains(err.Error(), "without city") {
		t.Errorf("a limited data set without cities: got %v", err)
	}
	if got := uidOf("rabc"); !strings.HasPrefix(got, "2.25.") || len(got) > 64 || got == uidOf("rabd") {
		t.Errorf("got %s", got)
	}
}

// BenchmarkLines measures NDJSON with one goroutine and with two, in one run.
func BenchmarkLines(b *testing.B) {
	raw, err := os.ReadFile(need.DataFile(b, "synthea-bulk-10/Procedure.000.ndjson"))
	if err != nil {
		b.Fatal(err)
	}
	in := bytes.Repeat(raw, 20)
	one, two := testRun(b, deid.SafeHarborProfile, 1), testRun(b, deid.SafeHarborProfile, 2)
	var took [2]time.Duration
	b.SetBytes(int64(2 * len(in)))
	for b.Loop() {
		for i, r := range []*deidRun{one, two} {
			start := time.Now()
			w := &worker{r: r}
			if _, err := w.lines(io.Discard, bytes.NewReader(in), i+1, new(refusals)); err != nil {
				b.Fatal(err)
			}
			took[i] += time.Since(start)
		}
	}
	n := float64(len(in)) * float64(b.N) / 1e6
	b.ReportMetric(n/took[0].Seconds(), "one-MB/s")
	b.ReportMetric(n/took[1].Seconds(), "two-MB/s")
	b.ReportMetric(took[0].Seconds()/took[1].Seconds(), "two/one")
}

// A Parquet file is told by its first bytes, and by its rules only what they name
// comes out.
func TestParquetFile(t *testing.T) {
	type row struct {
		Name string `parquet:"name"`
		Sex  string `parquet:"sex"`
		Age  int64  `parquet:"age"`
	}
	dir := t.TempDir()
	var raw bytes.Buffer
	w := parquet.NewGenericWriter[row](&raw)
	if _, err := w.Write([]row{{"ZZLevin", "F", 95}, {"ZZMoreau", "M", 60}}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	in, rules, out := filepath.Join(dir, "export.dat"), filepath.Join(dir, "rules.yaml"), filepath.Join(dir, "out.parquet")
	for file, text := range map[string]string{in: raw.String(), rules: "version: 1\nbasis: safe-harbor\nas_of: 2026-06-01\ncolumns:\n  - {name: sex, method: keep}\n  - {name: age, method: age-cap}\n"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if said, err := sallyport(t, "deid", in, "--out", out, "--rules", rules); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	got, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(got, []byte("ZZ")) || !bytes.Contains(got, []byte("90+")) || !bytes.HasPrefix(got, []byte("PAR1")) {
		t.Errorf("got %d bytes with a name, or without 90+", len(got))
	}
	m := readManifest(t, out+".manifest.json")
	if len(m.Files) != 1 || m.Files[0].Format != "parquet" || m.Files[0].Released["row"] != 2 || m.Files[0].Rules["column-unruled"] != 1 || m.Files[0].InputBytes != int64(raw.Len()) {
		t.Errorf("got %+v", m.Files)
	}
}

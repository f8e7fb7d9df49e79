package scan

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
)

// Everything here is invented.
const (
	plantedName  = "Marguerite Halvorsen"
	plantedMRN   = "48812907"
	plantedSSN   = "412-68-1907"
	plantedBirth = "1951-07-22"
	plantedPhone = "617-482-9917"
	plantedEmail = "m.halvorsen@gmail.com"
)

var planted = []string{plantedName, "Halvorsen", "Marguerite", plantedMRN, plantedSSN, "412681907", plantedBirth, plantedPhone, plantedEmail, "Quarry Hill"}

var now = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// files are one of each form, with what must be found in them.
var files = []struct {
	name, text string
	want       []string // categories, each at least once
}{
	{"app.log", "2026-03-04T10:22:31Z INFO start id=8f14e45f-ceea-467f-a8f1-90b7a4c1d2aa\n2026-03-04T10:22:32Z DEBUG loaded patient " + plantedName + " (MRN " + plantedMRN + ") DOB 07/22/1951\n2026-03-04T10:22:33Z WARN retry email=" + plantedEmail + "\n",
		[]string{"NAME", "MRN", "DATE", "EMAIL"}},
	{"claims.log", "INFO claim member_id=W8829104471 name=\"Halvorsen, Marguerite\" dob=1951-07-22\nINFO ssn=412-68-1907 accepted\n", []string{"HEALTH_PLAN", "NAME", "DATE", "SSN"}},
	{"load.py", "p = {\n  \"first_name\": \"Marguerite\",\n  \"last_name\": \"Halvorsen\",\n  \"dob\": \"1951-07-22\",\n  \"mrn\": \"48812907\",\n  \"phone\": \"617-482-9917\",\n}\n", []string{"NAME", "DATE", "MRN", "PHONE"}},
	{"prompt.txt", "Summarise for the referring doctor:\n\nMrs. Marguerite Halvorsen, a 72-year-old woman, was admitted on 03/02/2024 with chest pain and dyspnea. She takes metformin 500 mg. Her daughter can be reached at 617-482-9917.\n", []string{"NAME", "DATE", "PHONE"}},
	{"appeal.md", "Write an appeal for my patient Marguerite Halvorsen, born 22 July 1951, whose insurer denied her MRI. Her member ID is W8829104471.\n", []string{"NAME", "DATE", "HEALTH_PLAN"}},
	{"note.txt", "DISCHARGE SUMMARY\nPatient Name: HALVORSEN, MARGUERITE\nMRN: 4881-2907    DOB: 7/22/51\nAddress: 14 Quarry Hill Road, Quincy, MA 02169\nPhone: (617) 482-9917\n\nHPI: 72 yo F presented with chest pain.\n", []string{"NAME", "MRN", "DATE", "ADDRESS", "PHONE"}},
	{"patients.csv", "mrn,first_name,last_name,dob,diagnosis\n48812907,Marguerite,Halvorsen,1951-07-22,I10\n51120934,Tobias,Renner,1960-11-03,E11.9\n", []string{"MRN", "NAME", "DATE"}},
	{"bare.csv", "48812907,Marguerite,Halvorsen,1951-07-22,412-68-1907\n51120934,Tobias,Renner,1960-11-03,418-22-9071\n", []string{"SSN", "DATE", "NAME"}},
	{"chat.jsonl", `{"messages":[{"role":"user","content":"Patient Marguerite Halvorsen (DOB 07/22/1951, MRN 48812907) complains of nausea after metformin."}]}` + "\n", []string{"NAME", "DATE", "MRN"}},
	{"api.json", `{"patient":{"name":"Marguerite Halvorsen","birthDate":"1951-07-22","ssn":"412681907"}}`, []string{"NAME", "DATE", "SSN"}},
	{"bundle.json", `{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Patient","name":[{"family":"Halvorsen","given":["Marguerite"]}],"birthDate":"1951-07-22"}}]}`, []string{"RECORD"}},
	{"adt.hl7", "MSH|^~\\&|A|B|C|D|20240304||ADT^A01|1|P|2.5\rPID|1||48812907^^^X^MR||Halvorsen^Marguerite||19510722|F\r", []string{"RECORD"}},
	{"hl7_test.go", "package x\n\nconst m = \"MSH|^~\\\\&|A|B\\rPID|1||48812907^^^X^MR||Halvorsen^Marguerite||19510722|F\\r\"\n", []string{"RECORD"}},
	{"seed.sql", "INSERT INTO patients (mrn, last_name, dob, ssn) VALUES\n ('48812907', 'Halvorsen', '1951-07-22', '412-68-1907'),\n ('51120934', 'Renner', '1960-11-03', '418-22-9071');\n", []string{"MRN", "NAME", "DATE", "SSN"}},
	{"dump.sql", "COPY public.patients (mrn, last_name, dob) FROM stdin;\n48812907\tHalvorsen\t1951-07-22\n51120934\tRenner\t1960-11-03\n\\.\n", []string{"MRN", "NAME", "DATE"}},
	{"README.md", "| MRN | Name | DOB |\n|-----|------|-----|\n| 48812907 | Marguerite Halvorsen | 1951-07-22 |\n", []string{"MRN", "NAME", "DATE"}},
	{"ccda.xml", "<patient><name><given>Marguerite</given><family>Halvorsen</family></name><birthTime value=\"19510722\"/></patient>\n", []string{"NAME", "DATE"}},
	{".env", "DEFAULT_PATIENT_SSN=412681907\n", []string{"SSN"}},
	{"claim.x12", "NM1*IL*1*HALVORSEN*MARGUERITE****MI*W8829104471~DMG*D8*19510722*F~\n", []string{"RECORD"}},
	{"chart.html", "<b>Name:</b> Marguerite Halvorsen <b>DOB:</b> 07/22/1951<br>\n<table><tr><td>MRN</td><td>48812907</td></tr></table>\n", []string{"NAME", "DATE", "MRN"}},
	{"header.txt", "(0010, 0010) Patient's Name                      PN: 'Halvorsen^Marguerite'\n(0010, 0020) Patient ID                          LO: '48812907'\n(0010, 0030) Patient's Birth Date                DA: '19510722'\n", []string{"NAME", "MRN", "DATE"}},
	{"conditions.csv", "name,diagnosis\nMarguerite Halvorsen,breast cancer\n", []string{"NAME"}},
	{"refills.csv", "email,medication\nm.halvorsen@gmail.com,metformin\n", []string{"EMAIL"}},
	{"access.log", "GET /fhir/Patient?family=Halvorsen&given=Marguerite&birthdate=1951-07-22 200 12ms\n", []string{"NAME", "DATE"}},
	{"lines.log", `{"level":"info","msg":"patient Marguerite Halvorsen MRN 48812907"}` + "\n", []string{"NAME", "MRN"}},
	{"weight.ndjson", `{"resourceType":"Observation","subject":{"reference":"Patient/1","display":"Marguerite Halvorsen"},"note":[{"text":"She reports fatigue and headache since 3/2/2024; call 617-482-9917."}]}` + "\n", []string{"NAME", "PHONE"}},
	{"query.sql", "UPDATE patient SET phone = '617-482-9917' WHERE mrn = '48812907' AND last_name = 'Halvorsen';\n", []string{"PHONE", "MRN", "NAME"}},
	{"Main.java", "new Patient(\"Marguerite\", \"Halvorsen\", \"MRN48812907\");\n", []string{"MRN"}},
	{"cohort.ipynb", notebookFile, []string{"MRN", "NAME", "DATE", "SSN"}},
}

const notebookFile = `{
 "cells": [
  {"cell_type": "markdown", "metadata": {}, "source": ["# Cohort\n", "Nothing here."]},
  {"cell_type": "code", "execution_count": 1, "metadata": {},
   "outputs": [{"data": {
     "image/png": "iVBORw0KGgoAAAANSUhEUgAA",
     "text/plain": [
      "        mrn                  name         dob\n",
      "0  48812907  Marguerite Halvorsen  1951-07-22\n",
      "1  51120934         Tobias Renner  1960-11-03"]}, "output_type": "execute_result"}],
   "source": ["df = read()\n",
    "print('412-68-1907')"]}
 ], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
`

// innocent files look like the others and hold nobody's data.
var innocent = map[string]string{
	"package.json": `{"name":"x","version":"1.2.3","author":{"name":"Jane Smith","email":"jane@corp.com","phone":"617-482-9917"}}`,
	"main.go": `// Copyright 2021 Margaret Hamilton <mhamilton@mit.edu>. All rights reserved. Call 617-482-9917.
// UUID 123e4567-e89b-12d3-a456-426614174000, commit d605119a8b, 10.1.2.3, 127.0.0.1, v1.22.3
package main
// TODO(jsmith): patient.name is John Doe, mrn: 12345, ssn 123-45-6789 or 078-05-1120 or 000-00-0000
var p = Patient{Name: "John Doe", MRN: "MRN12345", DOB: "1970-01-01", Email: "john@example.com", Phone: "555-0123"}
func (p *Patient) validate() error { if p.MRN == "" { return errors.New("mrn: is missing") }; return nil }
`,
	"README.md": `# Gateway
A gateway for patient data in a hospital. Written by Ada Lovelace and Grace Hopper, contact ada@corp.com.
It reads diagnosis, medication and encounter. Hypertension is I10; diabetes E11.9; insulin; asthma. Released 2024-03-02.
`,
	"stats.csv":     "date,age,sex,diagnosis,count\n2024-01-01,34,F,I10,3\n2024-01-02,36,M,E11,5\n",
	"users.csv":     "username,email,phone\njsmith,jsmith@corp.com,617-482-9917\nbjones,bjones@corp.com,617-482-9918\n",
	"svc.log":       "2024-03-04T10:22:31Z INFO addr=10.0.0.4:8080 pid=48812907 version=1.22.3 user=jsmith txn=412681907 took=412681907ns\n",
	"LICENSE":       "MIT License\nCopyright (c) 2024 " + plantedName + " <" + plantedEmail + ">\n",
	"patient.py":    "p = make(first_name=\"Test\", last_name=\"Patient\", dob=\"2000-01-01\", mrn=\"000000\", ssn=\"999-99-9999\")\nassert \"{{ patient.name }}\" and f\"MRN: {mrn}\" and \"DOB: %s\"\n",
	"go.sum":        "github.com/x/y v1.0.0 h1:412-68-1907\n",
	"valueset.json": `{"resourceType":"ValueSet","status":"active","description":"Codes for chest pain, dyspnea and fever that a patient denies or reports, by Ada Lovelace at Mercy Hospital."}`,
	"hospitals.csv": "hospital_name,email,phone\nMercy General,office@mercy.org,617-482-9917\n",
	"deid.json":     `{"resourceType":"Patient","id":"p-1","gender":"female"}`,
}

func write(t testing.TB, dir, name, text string) string {
	t.Helper()
	file := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func newScanner(t testing.TB, o Options) *Scanner {
	t.Helper()
	o.Now = now
	sc, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return sc
}

func scanPaths(t testing.TB, o Options, paths ...string) *Report {
	t.Helper()
	o.All = true
	rep, err := newScanner(t, o).Paths(context.Background(), paths)
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

func categoriesOf(rep *Report) []string {
	var out []string
	for _, f := range rep.Findings {
		out = append(out, f.Category)
	}
	return out
}

func TestFinds(t *testing.T) {
	for _, c := range files {
		t.Run(c.name, func(t *testing.T) {
			rep := scanPaths(t, Options{}, write(t, t.TempDir(), c.name, c.text))
			got := categoriesOf(rep)
			for _, want := range c.want {
				if !slices.Contains(got, want) {
					t.Errorf("got %v, want %s among them", got, want)
				}
			}
		})
	}
}

func TestLeavesAlone(t *testing.T) {
	for name, text := range innocent {
		t.Run(name, func(t *testing.T) {
			rep := scanPaths(t, Options{}, write(t, t.TempDir(), name, text))
			for _, f := range rep.Findings {
				t.Errorf("got %s at %d:%d (%s, %.2f), want nothing", f.Category, f.Line, f.Column, f.Reason, f.Confidence)
			}
		})
	}
}

// No output, of whatever kind and confidence, holds a planted value.
func TestNoOutputHoldsAValue(t *testing.T) {
	dir := t.TempDir()
	for _, c := range files {
		write(t, dir, c.name, c.text)
	}
	for name, text := range innocent {
		write(t, dir, "innocent/"+name, text)
	}
	write(t, dir, "broken.json", `{"patient": {"name": "`+plantedName+`", "mrn": "`+plantedMRN+`"`)
	write(t, dir, "broken.ipynb", `{"cells": [{"source": ["MRN: `+plantedMRN+`"`)
	write(t, dir, "broken.gz", "\x1f\x8b"+plantedName)
	write(t, dir, "keys.json", `{"Halvorsen":{"48812907":{"mrn":"48812907","dob":"1951-07-22","name":"Marguerite Halvorsen"}}}`)
	write(t, dir, "image.dcm", string(dicomFile(plantedName, plantedMRN)))
	rep := scanPaths(t, Options{Least: .01, Key: bytes.Repeat([]byte{7}, MinKey)}, dir)
	if len(rep.Findings) < 40 {
		t.Fatalf("got %d findings, want at least 40: the test looks at nothing", len(rep.Findings))
	}
	for name, out := range map[string]func(*bytes.Buffer) error{
		"table": func(b *bytes.Buffer) error { return rep.WriteTable(b) },
		"json":  func(b *bytes.Buffer) error { return rep.WriteJSON(b) },
		"sarif": func(b *bytes.Buffer) error { return rep.WriteSARIF(b, "test") },
	} {
		var b bytes.Buffer
		if err := out(&b); err != nil {
			t.Fatal(err)
		}
		for _, v := range planted {
			if i := strings.Index(b.String(), v); i >= 0 {
				t.Errorf("%s holds a planted value: ...%s", name, b.String()[max(0, i-80):i])
			}
		}
	}
}

// dicomFile is the start of an explicit little-endian file.
func dicomFile(name, id string) []byte {
	out := append(make([]byte, 128), "DICM"...)
	add := func(elem uint16, vr, v string) {
		if len(v)%2 == 1 {
			v += " "
		}
		out = append(out, 0x10, 0, byte(elem), byte(elem>>8), vr[0], vr[1], byte(len(v)), byte(len(v)>>8))
		out = append(out, v...)
	}
	add(0x10, "PN", name)
	add(0x20, "LO", id)
	add(0x30, "DA", "")
	return out
}

func TestDICOM(t *testing.T) {
	dir := t.TempDir()
	rep := scanPaths(t, Options{}, write(t, dir, "im0001", string(dicomFile("Halvorsen^Marguerite", plantedMRN))))
	if len(rep.Findings) != 1 || rep.Findings[0].Category != Record || !strings.Contains(rep.Findings[0].Reason, "patient's name, id") {
		t.Errorf("got %+v, want one record with the patient's name and id", rep.Findings)
	}
	if rep := scanPaths(t, Options{}, write(t, dir, "im0002", string(dicomFile("", "")))); len(rep.Findings) != 0 {
		t.Errorf("an image without a patient: got %+v", rep.Findings)
	}
}

func TestNotebookSaysTheCell(t *testing.T) {
	rep := scanPaths(t, Options{}, write(t, t.TempDir(), "a.ipynb", notebookFile))
	for _, f := range rep.Findings {
		if f.Cell != 2 {
			t.Errorf("%s: got cell %d, want 2", f.Category, f.Cell)
		}
		switch f.Category {
		case "MRN":
			if f.Line != 9 || f.Count != 2 {
				t.Errorf("MRN: got line %d, count %d, want line 9, count 2", f.Line, f.Count)
			}
		case "SSN":
			if f.Line != 12 {
				t.Errorf("SSN: got line %d, want 12", f.Line)
			}
		}
	}
}

func TestAColumnIsOneFinding(t *testing.T) {
	var b strings.Builder
	b.WriteString("id,\"patient, full name\",mrn\n")
	for i := range 5000 {
		fmt.Fprintf(&b, "%d,\"Halvorsen, Ingrid\",%d\n", i, 48812907+i*7)
	}
	rep := scanPaths(t, Options{}, write(t, t.TempDir(), "x.csv", b.String()))
	for _, f := range rep.Findings {
		if f.Category == "MRN" {
			if f.Count < 4990 || f.Line != 2 || f.Place != "column 3 (mrn)" {
				t.Errorf("got count %d, line %d, place %q; want nearly 5000 from line 2 in column 3 (mrn)", f.Count, f.Line, f.Place)
			}
		}
	}
	if len(rep.Findings) != 2 {
		t.Errorf("got %v, want one finding for each of two columns", categoriesOf(rep))
	}
}

// A value is found once, wherever the edges of the windows fall, and memory
// does not grow with a line.
func TestWindows(t *testing.T) {
	for _, line := range []string{"", "\n"} {
		for _, pad := range []int{windowSize - 5, windowSize - overlap/2 - 4, windowSize - overlap, windowSize, 3*windowSize - 2*overlap - 7} {
			filler := strings.Repeat("x ", pad/2)
			rep := scanPaths(t, Options{}, write(t, t.TempDir(), "a.log", filler+line+" ssn: "+plantedSSN+" "+line+filler))
			if len(rep.Findings) != 1 || rep.Findings[0].Category != "SSN" {
				t.Errorf("pad %d: got %v, want one SSN", pad, categoriesOf(rep))
				continue
			}
			want := len(filler) + 7
			if line != "" {
				want = 7
			}
			if rep.Findings[0].Column != want {
				t.Errorf("pad %d: got column %d, want %d", pad, rep.Findings[0].Column, want)
			}
		}
	}
}

func TestManyInALogAreCounted(t *testing.T) {
	var b strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&b, "INFO opened MRN %d\n", 48812907+i*13)
	}
	rep := scanPaths(t, Options{}, write(t, t.TempDir(), "a.log", b.String()))
	sum := 0
	for _, f := range rep.Findings {
		sum += f.Count
	}
	if len(rep.Findings) != aloneMost+1 || sum < 2990 {
		t.Errorf("got %d findings of %d values, want %d of nearly 3000", len(rep.Findings), sum, aloneMost+1)
	}
}

func TestCompressedAndUTF16(t *testing.T) {
	dir := t.TempDir()
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	fmt.Fprint(w, files[6].text)
	w.Close()
	var wide []byte
	for _, u := range utf16.Encode([]rune("\ufeff" + files[6].text)) {
		wide = append(wide, byte(u), byte(u>>8))
	}
	for name, raw := range map[string]string{"patients.csv.gz": z.String(), "wide.csv": string(wide)} {
		rep := scanPaths(t, Options{}, write(t, dir, name, raw))
		if got := categoriesOf(rep); !slices.Contains(got, "MRN") || !slices.Contains(got, "DATE") {
			t.Errorf("%s: got %v, want MRN and DATE", name, got)
		}
	}
	// A bomb is read up to the limit, and that is said.
	z.Reset()
	w = gzip.NewWriter(&z)
	fmt.Fprint(w, "ssn: "+plantedSSN+"\n"+strings.Repeat("x \n", 1<<20))
	w.Close()
	rep := scanPaths(t, Options{MaxSize: 1 << 20}, write(t, dir, "bomb.gz", z.String()))
	if len(rep.Failed) != 1 || !strings.Contains(rep.Failed[0].Why, "unpacks to more") {
		t.Errorf("got %+v, want it said that only a part was read", rep.Failed)
	}
	if !slices.Contains(categoriesOf(rep), "SSN") {
		t.Errorf("got %v, want the SSN of the part that was read", categoriesOf(rep))
	}
}

func TestSkipsAreCounted(t *testing.T) {
	dir := t.TempDir()
	outside := write(t, t.TempDir(), "secret.txt", "ssn: "+plantedSSN)
	if err := os.Symlink(outside, filepath.Join(dir, "link.txt")); err != nil {
		t.Skip("no symbolic links here")
	}
	if err := os.Symlink(filepath.Dir(outside), filepath.Join(dir, "folder")); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "a.bin", "ab\x00cd")
	write(t, dir, "go.sum", "x")
	write(t, dir, "big.txt", strings.Repeat("x", 2000))
	rep := scanPaths(t, Options{MaxSize: 1000}, dir)
	want := map[string]int{skipLink: 2, skipBinary: 1, skipGenerated: 1, skipLarge: 1}
	for why, n := range want {
		if rep.Skipped[why] != n {
			t.Errorf("%s: got %d, want %d", why, rep.Skipped[why], n)
		}
	}
	if len(rep.Findings) != 0 {
		t.Errorf("got %v: a link was followed outside", categoriesOf(rep))
	}
}

// Files that vanish, or change each time they are read, are said.
func TestChangingFiles(t *testing.T) {
	dir := t.TempDir()
	sc := newScanner(t, Options{})
	file := write(t, dir, "a.log", "ssn: "+plantedSSN+"\n")
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	growing := fileItem("a.log", file, info, func() (*os.File, error) {
		n++
		write(t, dir, "a.log", "ssn: "+plantedSSN+"\n"+strings.Repeat("x", n))
		return os.Open(file)
	})
	res := sc.one(growing)
	if !strings.Contains(res.fail, "changed each time") || len(res.list) != 1 {
		t.Errorf("got %q and %d findings, want it said, and one finding", res.fail, len(res.list))
	}
	gone := fileItem("b.log", filepath.Join(dir, "b.log"), info, func() (*os.File, error) { return os.Open(filepath.Join(dir, "b.log")) })
	if res := sc.one(gone); !res.gone {
		t.Errorf("got %+v, want it gone", res)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for name, o := range map[string]Options{
		"no time":   {},
		"too sure":  {Now: now, Least: 1.5},
		"short key": {Now: now, Key: []byte("short")},
		"negative":  {Now: now, MaxSize: -1},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}

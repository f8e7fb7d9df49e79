package fhir

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/sallyport/sallyport/deid"
	"github.com/sallyport/sallyport/internal/need"
)

// page is resources of half a megabyte together, as an ordinary server writes
// them: some 1.2 kB each, indented not at all.
func page() (raws [][]byte, size int) {
	for i := 0; size < 500_000; i++ {
		var b []byte
		if i%3 == 0 {
			b = fmt.Appendf(nil, `{"resourceType":"Condition","id":"8b0484cd-3dbd-8b8d-1b72-%012d","meta":{"versionId":"1","lastUpdated":"2023-05-04T09:12:33.123+00:00","profile":["http://hl7.org/fhir/us/core/StructureDefinition/us-core-condition"]},"text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>Ann Levin, 12 Elm Street, was seen for essential hypertension (disorder) by Dr. Moreau on May 4th.</p></div>"},"identifier":[{"use":"official","system":"https://ehr.example/conditions","value":"C-%d"}],"clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"active"}]},"verificationStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-ver-status","code":"confirmed"}]},"category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-category","code":"encounter-diagnosis","display":"Encounter Diagnosis"}]}],"code":{"coding":[{"system":"http://snomed.info/sct","code":"59621000","display":"Essential hypertension (disorder)"}],"text":"Essential hypertension (disorder)"},"subject":{"reference":"Patient/3d1f2a5e-0000-4000-8000-%012d","display":"Ann Levin"},"encounter":{"reference":"Encounter/77b1f0a2-0000-4000-8000-%012d"},"onsetDateTime":"2019-03-11T14:22:33+01:00","recordedDate":"2019-03-11T14:22:33+01:00","note":[{"text":"Patient prefers mornings; call 555-0100."}]}`, i, i, i%40, i/5)
		} else {
			b = fmt.Appendf(nil, `{"resourceType":"Observation","id":"0a94d6f0-aaaa-4bbb-8ccc-%012d","meta":{"versionId":"1","lastUpdated":"2023-05-04T09:12:33.123+00:00","profile":["http://hl7.org/fhir/StructureDefinition/bp"]},"identifier":[{"use":"official","system":"https://ehr.example/obs","value":"O-%d"}],"status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs","display":"vital-signs"}]}],"code":{"coding":[{"system":"http://loinc.org","code":"85354-9","display":"Blood Pressure"}],"text":"Blood Pressure"},"subject":{"reference":"Patient/3d1f2a5e-0000-4000-8000-%012d","display":"Ann Levin"},"encounter":{"reference":"Encounter/77b1f0a2-0000-4000-8000-%012d"},"effectiveDateTime":"2019-03-11T14:22:33+01:00","issued":"2019-03-11T14:22:33.123+01:00","performer":[{"reference":"Practitioner/99aa","display":"Dr. Moreau"}],"component":[{"code":{"coding":[{"system":"http://loinc.org","code":"8462-4","display":"Diastolic Blood Pressure"}],"text":"Diastolic Blood Pressure"},"valueQuantity":{"value":84.%d,"unit":"mm[Hg]","system":"http://unitsofmeasure.org","code":"mm[Hg]"}},{"code":{"coding":[{"system":"http://loinc.org","code":"8480-6","display":"Systolic Blood Pressure"}],"text":"Systolic Blood Pressure"},"valueQuantity":{"value":121,"unit":"mm[Hg]","system":"http://unitsofmeasure.org","code":"mm[Hg]"}}]}`, i, i, i%40, i/5, i%100)
		}
		raws = append(raws, b)
		size += len(b)
	}
	return raws, size
}

func benchScope(b testing.TB, checked bool) *Minimiser {
	return minimiser(b, deid.Spec{Resources: map[string][]string{
		"Observation": {"status", "category", "code", "subject", "encounter", "effective[x]", "value[x]", "component"},
		"Condition":   {"clinicalStatus", "verificationStatus", "code", "subject", "encounter", "onset[x]"},
	}}, func(o *Options) { o.Checked = checked })
}

// BenchmarkPage minimises half a megabyte, next to jsontext reading and writing
// the same bytes and encoding/json decoding and encoding them, in one run.
func BenchmarkPage(b *testing.B) {
	b.Run("checked-here", func(b *testing.B) { benchPage(b, false) })
	b.Run("checked-by-the-reader", func(b *testing.B) { benchPage(b, true) })
}

func benchPage(b *testing.B, checked bool) {
	raws, size := page()
	m := benchScope(b, checked)
	var dst []byte
	b.SetBytes(int64(size))
	b.ReportAllocs()
	own := time.Hour
	for b.Loop() {
		start := time.Now()
		clear(m.codes) // every release looks its codes up anew
		clear(m.refs)
		dst = dst[:0]
		for _, raw := range raws {
			out, info, err := m.Append(dst, raw)
			if err != nil || info.Outcome != Released {
				b.Fatal(info, err)
			}
			dst = out
		}
		own = min(own, time.Since(start))
	}
	b.StopTimer()
	best := func(f func()) time.Duration {
		least := time.Hour
		for range 20 {
			start := time.Now()
			f()
			least = min(least, time.Since(start))
		}
		return least
	}
	copied := best(func() {
		for _, raw := range raws {
			dec := jsontext.NewDecoder(bytes.NewBuffer(raw))
			enc := jsontext.NewEncoder(io.Discard)
			for {
				tok, err := dec.ReadToken()
				if err == io.EOF {
					break
				}
				if err == nil {
					err = enc.WriteToken(tok)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	decoded := best(func() {
		for _, raw := range raws {
			var v any
			if err := json.Unmarshal(raw, &v); err != nil {
				b.Fatal(err)
			}
			if _, err := json.Marshal(v); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.ReportMetric(float64(size)/1e6/own.Seconds(), "best-MB/s") // the machine may be shared: so are the peers' figures
	b.ReportMetric(float64(copied)/float64(own), "x-jsontext-copy")
	b.ReportMetric(float64(decoded)/float64(own), "x-encoding/json")
	b.ReportMetric(float64(len(dst))/float64(size), "out/in")
}

// BenchmarkResource is the cost for one resource of 2 kB in one request.
func BenchmarkResource(b *testing.B) {
	raws, _ := page()
	raw := raws[1]
	raw = append(raw[:len(raw)-1:len(raw)-1], `,"extension":[{"url":"http://ehr.example/x","valueString":"`...)
	for len(raw) < 2040 {
		raw = append(raw, "Ann "...)
	}
	raw = append(raw, `"}]}`...)
	m := benchScope(b, false)
	var dst []byte
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		clear(m.codes)
		clear(m.refs)
		out, info, err := m.Append(dst[:0], raw)
		if err != nil || info.Outcome != Released {
			b.Fatal(info, err)
		}
		dst = out
	}
}

// BenchmarkScope is the cost of compiling a role, which happens once a role
// version.
func BenchmarkScope(b *testing.B) {
	spec := deid.Spec{Resources: map[string][]string{"Patient": {"*"}, "Observation": {"*"}, "Condition": {"*"}, "Encounter": {"*"}, "MedicationRequest": {"*"}}}
	for b.Loop() {
		if _, err := deid.NewScope(spec); err != nil {
			b.Fatal(err)
		}
	}
}

// ndjson is a file of about n bytes: the page over and over.
func ndjson(n int) []byte {
	raws, size := page()
	out := make([]byte, 0, n+size)
	for len(out) < n {
		for _, raw := range raws {
			out = append(append(out, raw...), '\n')
		}
	}
	return out
}

// BenchmarkFiles de-identifies NDJSON as the command line does, checked and
// with its patients counted, next to jsontext reading and writing the same file
// token by token, in one run on one core: the ratio is to be .4 at least.
func BenchmarkFiles(b *testing.B) {
	old := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(old)
	benchFiles(b, ndjson(8<<20))
}

// BenchmarkBulk is BenchmarkFiles on the sample data's bulk export, without its
// notes: what an ordinary generator writes.
func BenchmarkBulk(b *testing.B) {
	old := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(old)
	var in []byte
	for _, name := range []string{"Condition", "Encounter", "MedicationRequest", "Procedure", "Immunization", "Patient"} {
		raw, err := os.ReadFile(need.DataFile(b, "synthea-bulk-10/"+name+".000.ndjson"))
		if err != nil {
			b.Fatal(err)
		}
		in = append(in, raw...)
	}
	benchFiles(b, in)
}

func benchFiles(b *testing.B, in []byte) {
	for _, profile := range []string{deid.SafeHarborProfile, deid.LimitedDataSetProfile, "study", deid.MinimumNecessary} {
		b.Run(profile, func(b *testing.B) {
			m := under(b, profile, func(o *Options) { o.Records = recordOf{} })
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			var own []time.Duration
			out := int64(0)
			for b.Loop() {
				f := NewFiles(m, nil)
				start := time.Now()
				if err := f.NDJSON(io.Discard, bytes.NewReader(in)); err != nil {
					b.Fatal(err)
				}
				own = append(own, time.Since(start))
				out = f.Manifest().BytesOut
			}
			b.StopTimer()
			var copies []time.Duration
			for range 5 {
				start := time.Now()
				dec, enc := jsontext.NewDecoder(bytes.NewReader(in)), jsontext.NewEncoder(io.Discard)
				for {
					tok, err := dec.ReadToken()
					if err == io.EOF {
						break
					}
					if err == nil {
						err = enc.WriteToken(tok)
					}
					if err != nil {
						b.Fatal(err)
					}
				}
				copies = append(copies, time.Since(start))
			}
			slices.Sort(own)
			slices.Sort(copies)
			mid, copied := own[len(own)/2], copies[2]
			b.ReportMetric(float64(len(in))/1e6/mid.Seconds(), "median-MB/s")
			b.ReportMetric(float64(len(in))/1e6/copied.Seconds(), "jsontext-MB/s")
			b.ReportMetric(float64(copied)/float64(mid), "x-jsontext-copy")
			b.ReportMetric(float64(out)/float64(len(in)), "out/in")
		})
	}
}

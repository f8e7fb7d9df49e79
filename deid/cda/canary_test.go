package cda

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// stays says in which attributes a canary that is one word may be left, by the
// kind of the element: where a code stands.
var stays = map[kind][]string{
	cd: {"code"},
	pq: {"unit"},
}

// TestCanaries plants a canary in the text and in every attribute, known or
// not, of every element of the table and of some that it does not have, below
// every class.
func TestCanaries(t *testing.T) {
	d := safeHarbor(t)
	attrs := []string{"classCode", "moodCode", "typeCode", "contextControlCode", "contextConductionInd", "determinerCode", "negationInd", "inversionInd", "independentInd",
		"nullFlavor", "use", "root", "extension", "assigningAuthorityName", "displayable", "code", "codeSystem", "codeSystemName", "codeSystemVersion", "displayName", "value", "unit",
		"operator", "institutionSpecified", "alignment", "inclusive", "currency", "mediaType", "representation", "language", "compression", "integrityCheck", "ID", "styleCode", "partType",
		"qualifier", "xsi:type", "xsi:nil", "xsi:schemaLocation", "xml:lang", "sdtc:valueSet", "sdtc:identifiedBy", "xmlns:q", "xsi:Zq"}
	all := map[string]kind{"vendorNote": gone, "sdtc:patientID": gone, "observationMedia": gone, "regionOfInterest": gone, "sdtc:asPatientRelationship": gone, "script": gone}
	for n, k := range elements {
		all[n] = k
	}
	for n, k := range extensions {
		all["sdtc:"+n] = k
	}
	planted, left := 0, 0
	for name, k := range all {
		for _, parent := range []string{"section", "patient", "observation", "nonXMLBody", "observationMedia", "assignedAuthor"} {
			for i, canary := range []string{"ZQ7CNR", "ZQCANARY", "Zq Canary", "900-00-0001", "19900215", "555-555-0100"} {
				if i > 0 && parent != "patient" && parent != "observation" {
					continue // the place makes no difference to the shape of a value
				}
				for _, a := range append(attrs, "", "given", "low", "reference") {
					inner := "<" + name + " " + a + `="` + canary + `"/>`
					switch a {
					case "":
						inner = "<" + name + ">" + canary + "</" + name + ">"
					case "given", "low", "reference":
						inner = "<" + name + "><" + a + ` value="` + canary + `">` + canary + "</" + a + "></" + name + ">"
					}
					var m Manifest
					out, err := d.Append(nil, []byte(within("<"+parent+">"+inner+"</"+parent+">")), &m)
					if err != nil {
						t.Fatal(err)
					}
					planted++
					has := bytes.Contains(out, []byte(canary))
					want := false
					if parent != "observationMedia" && (canary == "ZQ7CNR" || canary == "ZQCANARY" && k == pq) {
						for _, s := range stays[k] {
							want = want || s == a
						}
					}
					if canary == "19900215" && parent != "observationMedia" {
						// Eight digits can be a quantity; a class's word they cannot be.
						want = k == pq && (a == "value" || a == "low")
					}
					if has {
						left++
					}
					if has != want {
						t.Errorf("%s/%s@%s %q: left is %v, want %v: %s", parent, name, a, canary, has, want, out)
					}
				}
			}
		}
	}
	t.Logf("%d canaries planted, %d left, all in codes, units and numbers", planted, left)
}

// TestProperties: whatever a document of known elements holds, the output is
// well-formed, of known elements only, and a second pass changes nothing.
func TestProperties(t *testing.T) {
	d := safeHarbor(t)
	var names []string
	for n := range elements {
		names = append(names, n)
	}
	names = append(names, "sdtc:deceasedInd", "vendorNote", "low", "high", "translation", "originalText", "given", "city", "state", "postalCode", "table")
	value := rapid.SampledFrom([]string{"1", "a b", "2951-2", "2.16.840.1.113883.6.1", "20240229", "mg/dL", "true", "MSK", "HP", "&lt;x&gt;", "Positive", "02115", "MA", ""})
	var element func(t *rapid.T, depth int) string
	element = func(t *rapid.T, depth int) string {
		n := rapid.SampledFrom(names).Draw(t, "name")
		s := "<" + n
		for _, a := range []string{"code", "codeSystem", "value", "xsi:type", "displayName", "nullFlavor", "extension", "root", "unit", "use", "classCode"} {
			if rapid.IntRange(0, 3).Draw(t, "has") == 0 {
				v := value.Draw(t, "value")
				if a == "xsi:type" {
					v = rapid.SampledFrom([]string{"PQ", "CD", "ST", "IVL_TS", "II", "AD", "ZZ"}).Draw(t, "type")
				}
				s += " " + a + `="` + v + `"`
			}
		}
		s += ">"
		for range rapid.IntRange(0, 3).Draw(t, "kids") {
			if depth < 5 && rapid.Bool().Draw(t, "element") {
				s += element(t, depth+1)
			} else {
				s += rapid.SampledFrom([]string{"\n ", "Ann &amp; Bob", "Positive", "MA", "<!-- x -->", "<![CDATA[x]]>"}).Draw(t, "text")
			}
		}
		return s + "</" + n + ">"
	}
	rapid.Check(t, func(rt *rapid.T) {
		in := within(element(rt, 0) + element(rt, 0))
		var m, n Manifest
		out, err := d.Append(nil, []byte(in), &m)
		if err != nil {
			rt.Fatal(err)
		}
		wellFormed(t, string(out))
		again, err := d.Append(nil, out, &n)
		if err != nil || !bytes.Equal(out, again) {
			rt.Fatalf("%v\nin    %s\nout   %s\nagain %s", err, in, out, again)
		}
	})
}

// FuzzAppend: whatever comes in, what comes out is well-formed and unchanged by
// a second pass.
func FuzzAppend(f *testing.F) {
	for _, seed := range []string{"", within(patient), `<?xml version="1.0"?>` + within(`<component><section><text>x<br/>y</text><entry><observation><code code="30525-0"/><value xsi:type="PQ" value="91" unit="a"/></observation></entry></section></component>`),
		`<a:ClinicalDocument xmlns:a="urn:hl7-org:v3"><a:id root="1.2"/></a:ClinicalDocument>`, within("<!-- -->"), within("<title>]]&gt;&#9;&#13;</title>"), "\xef\xbb\xbf" + within("\r\n<x/>")} {
		f.Add([]byte(seed))
	}
	strict := safeHarbor(f)
	loose := made(f, Options{Basis: LimitedDataSet, Dates: DatesKept, Text: &scrubber{}})
	f.Fuzz(func(t *testing.T, raw []byte) {
		var m Manifest
		out, err := strict.Append(nil, raw, &m)
		if err == nil {
			wellFormed(t, string(out))
			again, err := strict.Append(nil, out, &m)
			if err != nil || !bytes.Equal(out, again) {
				t.Fatalf("%v: a second pass changes %q to %q", err, out, again)
			}
		}
		if out, err = loose.Append(nil, raw, &m); err == nil {
			wellFormed(t, string(out))
		}
	})
}

// BenchmarkAppend measures a document, and how its speed compares with only
// reading the tokens of the same document in the same run.
func BenchmarkAppend(b *testing.B) {
	entry := `<entry typeCode="DRIV"><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.2" extension="2015-08-01"/><id root="1.2.3" extension="R1"/>
 <code code="2951-2" codeSystem="2.16.840.1.113883.6.1" displayName="Sodium"/><statusCode code="completed"/><effectiveTime value="20190505"/><value xsi:type="PQ" value="140" unit="mmol/L"/></observation></entry>
`
	doc := []byte(within(patient + `<component><structuredBody><component><section>` + strings.Repeat(entry, 1000) + `</section></component></structuredBody></component>`))
	d := safeHarbor(b)
	b.SetBytes(int64(len(doc)))
	var plain time.Duration
	var dst []byte
	for b.Loop() {
		var m Manifest
		var err error
		if dst, err = d.Append(dst[:0], doc, &m); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		start := time.Now()
		x := xml.NewDecoder(bytes.NewReader(doc))
		for {
			if _, err := x.RawToken(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
		plain += time.Since(start)
		b.StartTimer()
	}
	b.ReportMetric(float64(len(doc))*float64(b.N)/1e6/plain.Seconds(), "tokens-MB/s")
	b.ReportMetric(plain.Seconds()/b.Elapsed().Seconds(), "of-tokens")
}

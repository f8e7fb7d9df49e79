package cda

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

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
	return made(t, Options{AsOf: today, ZIP3: func(p string) bool { return p != "036" }})
}

func pass(t testing.TB, d *Deidentifier, in string) (string, Manifest) {
	t.Helper()
	var out bytes.Buffer
	m, err := d.Copy(&out, strings.NewReader(in))
	if err != nil {
		t.Fatal(err)
	}
	wellFormed(t, out.String())
	return out.String(), m
}

// wellFormed reads a document as any reader of XML does, and lists its elements.
func wellFormed(t testing.TB, doc string) (names []string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(doc))
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			return names
		}
		if err != nil {
			t.Fatalf("%v in %s", err, doc)
		}
		if s, ok := tok.(xml.StartElement); ok {
			if s.Name.Space != nsV3 && s.Name.Space != nsSDTC {
				t.Fatalf("an element of the namespace %q is left", s.Name.Space)
			}
			names = append(names, s.Name.Local)
		}
	}
}

// within is a document around a section's entries.
func within(inner string) string {
	return `<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:sdtc="urn:hl7-org:sdtc">` + inner + `</ClinicalDocument>`
}

func TestFixture(t *testing.T) {
	raw, err := os.ReadFile(need.DataFile(t, "cosyte-fixtures/test/fixtures/ccda/ccd.xml"))
	if err != nil {
		t.Fatal(err)
	}
	d := safeHarbor(t)
	out, m := pass(t, d, string(raw))
	for _, leak := range []string{"ZZ", "555-000", "19900215", "DOC-0001", "SET-0001", "20200102", "<!--", "20190505"} {
		if strings.Contains(out, leak) {
			t.Errorf("%q is left", leak)
		}
	}
	for _, kept := range []string{
		`<typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>`,
		`<templateId root="2.16.840.1.113883.10.20.22.4.2" extension="2015-08-01"/>`,
		`<code code="34133-9" codeSystem="2.16.840.1.113883.6.1" displayName="Summarization of Episode Note"/>`,
		`<title>Continuity of Care Document</title>`, `<title>Medications</title>`, `<effectiveTime value="2020"/>`,
		`<languageCode code="en-US"/>`, `<state>MA</state>`, `<postalCode>902</postalCode>`, `<postalCode>000</postalCode>`,
		`<birthTime value="1990"/>`, `<administrativeGenderCode code="F" codeSystem="2.16.840.1.113883.5.1"/>`, `<raceCode code="2106-3" codeSystem="2.16.840.1.113883.6.238"/>`,
		`<observation classCode="OBS" moodCode="EVN">`, `<code code="2951-2" codeSystem="2.16.840.1.113883.6.1" displayName="Sodium"/>`, `<statusCode code="completed"/>`,
		`<value xsi:type="PQ" value="140" unit="mmol/L"/>`, `<period value="24" unit="h"/>`, `<code code="314076" codeSystem="2.16.840.1.113883.6.88" displayName="Lisinopril 10 MG"/>`,
		`<effectiveTime xsi:type="PIVL_TS" operator="A" institutionSpecified="true">`, `<relatedEntity classCode="PRS">`,
	} {
		if !strings.Contains(out, kept) {
			t.Errorf("%s is gone", kept)
		}
	}
	if m.Parts["section"] != 2 || m.Parts["observation"] != 1 || m.Dropped != 2 {
		t.Errorf("got %+v", m)
	}
	if again, _ := pass(t, d, out); again != out {
		t.Errorf("a second pass changes the document:\n%s\n%s", out, again)
	}
}

func TestOneRule(t *testing.T) {
	obs := func(v string) string {
		return `<component><section><entry><observation classCode="OBS" moodCode="EVN">` + v + `</observation></entry></section></component>`
	}
	for _, c := range []struct{ what, in, want string }{
		{"a local display", obs(`<code code="NA" codeSystem="1.2.3" displayName="Ann"/>`), obs(`<code code="NA" codeSystem="1.2.3"/>`)},
		{"a code that its system cannot have", obs(`<code code="Ann" codeSystem="2.16.840.1.113883.6.1" displayName="Ann"/>`), obs(`<code code="Ann" codeSystem="2.16.840.1.113883.6.1"/>`)},
		{"a code of two words", obs(`<code code="Ann Smith"/>`), obs(`<code nullFlavor="MSK"/>`)},
		{"a translation", obs(`<code code="1-1" codeSystem="2.16.840.1.113883.6.1"><originalText>Ann<reference value="#x"/></originalText><translation code="I10" codeSystem="2.16.840.1.113883.6.90" displayName="Hypertension"/></code>`),
			obs(`<code code="1-1" codeSystem="2.16.840.1.113883.6.1"><translation code="I10" codeSystem="2.16.840.1.113883.6.90" displayName="Hypertension"/></code>`)},
		{"an answer", obs(`<value xsi:type="ST">Not detected</value>`), obs(`<value xsi:type="ST">Not detected</value>`)},
		{"a sentence", obs(`<value xsi:type="ST">Ann is well</value>`), obs(`<value xsi:type="ST" nullFlavor="MSK"/>`)},
		{"an attachment", obs(`<value xsi:type="ED" representation="B64" mediaType="image/png">QW5u</value>`), obs(`<value xsi:type="ED" nullFlavor="MSK"/>`)},
		{"a type that is none", obs(`<value xsi:type="Ann">Ann</value>`), obs(``)},
		{"a type of another namespace", obs(`<value xmlns:q="urn:q" xsi:type="q:PQ" value="1"/>`), obs(``)},
		{"a ratio", obs(`<value xsi:type="RTO_PQ_PQ"><numerator value="1" unit="mg"/><denominator value="2" unit="Ann Smith"/></value>`), obs(`<value xsi:type="RTO_PQ_PQ"><numerator value="1" unit="mg"/><denominator value="2"/></value>`)},
		{"an interval", obs(`<value xsi:type="IVL_PQ"><low value="1" unit="mg/dL" inclusive="false"/></value>`), obs(`<value xsi:type="IVL_PQ"><low inclusive="false" value="1" unit="mg/dL"/></value>`)},
		{"a name as a value", obs(`<value xsi:type="PN"><given>Ann</given></value>`), obs(`<value xsi:type="PN" nullFlavor="MSK"/>`)},
		{"an age", obs(`<code code="30525-0" codeSystem="2.16.840.1.113883.6.1"/><value xsi:type="PQ" value="93" unit="a"/>`), obs(`<code code="30525-0" codeSystem="2.16.840.1.113883.6.1"/><value xsi:type="PQ" value="90" unit="a"/>`)},
		{"an age as a number", obs(`<code code="445518008" codeSystem="2.16.840.1.113883.6.96"/><value xsi:type="INT" value="93"/>`), obs(`<code code="445518008" codeSystem="2.16.840.1.113883.6.96"/><value xsi:type="INT" value="90"/>`)},
		{"a telephone number as a quantity", obs(`<value xsi:type="INT" value="6175551234"/>`), obs(`<value xsi:type="INT" nullFlavor="MSK"/>`)},
		{"a year that shows an age", obs(`<effectiveTime><low value="19300101"/><high value="202401"/></effectiveTime>`), obs(`<effectiveTime><low nullFlavor="MSK"/><high value="2024"/></effectiveTime>`)},
		{"an entry's text", obs(`<text>Ann</text>`), obs(``)},
		{"an attribute", obs(`<statusCode code="active" x="Ann"/>`), obs(`<statusCode code="active"/>`)},
		{"text between", obs(`Ann`), obs(``)},
		{"a class's attribute", `<component ID="Ann" typeCode="COMP" x="Ann"></component>`, `<component typeCode="COMP"/>`},
		{"a root alone", `<id root="1.2.3.4"/>`, `<id root="` + nilUUID + `" extension="1"/>`},
		{"an extension element", `<recordTarget><patientRole><patient><sdtc:deceasedInd value="true"/><sdtc:deceasedTime value="20240101"/><sdtc:x>Ann</sdtc:x></patient></patientRole></recordTarget>`,
			`<recordTarget><patientRole><patient><sdtc:deceasedInd value="true"/><sdtc:deceasedTime value="2024"/></patient></patientRole></recordTarget>`},
		{"a name in a prefix", `<Ann:component xmlns:Ann="urn:hl7-org:v3"><Ann:section><Ann:title>Results</Ann:title></Ann:section></Ann:component>`, `<component><section><title>Results</title></section></component>`},
		{"another namespace", `<component xmlns="urn:ann"><section>Ann</section></component>`, ``},
		{"a title of other words", `<title>Ann Smith: Results</title>`, `<title nullFlavor="MSK"/>`},
		{"CDATA", obs(`<value xsi:type="ST"><![CDATA[Ann]]> positive</value>`), obs(`<value xsi:type="ST" nullFlavor="MSK"/>`)},
		{"a comment, an instruction", `<?ann ann?><!-- Ann --><component/>`, `<component/>`},
		{"a name hidden in references", obs(`<value xsi:type="ST">&#65;nn</value>`), obs(`<value xsi:type="ST" nullFlavor="MSK"/>`)},
		{"a body that is no XML", `<component><nonXMLBody><text mediaType="application/pdf" representation="B64">QW5u</text></nonXMLBody></component>`, `<component><nonXMLBody><text nullFlavor="MSK"/></nonXMLBody></component>`},
	} {
		got, _ := pass(t, safeHarbor(t), within(c.in))
		want := strings.NewReplacer(`moodCode="EVN"></observation>`, `moodCode="EVN"/>`, `sdtc"></ClinicalDocument>`, `sdtc"/>`).Replace(within(c.want))
		if got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.what, got, want)
		}
	}
}

// TestRefused: what is not a plain document is refused, with nothing of it in
// the error.
func TestRefused(t *testing.T) {
	deep := strings.Repeat("<component>", 200) + strings.Repeat("</component>", 200)
	for what, in := range map[string]string{
		"a document type":             `<!DOCTYPE x [<!ENTITY ann SYSTEM "file:///ann">]>` + within(`<title>&ann;</title>`),
		"one inside":                  within(`<x><!DOCTYPE ann></x>`),
		"an entity":                   within(`<title>&ann;</title>`),
		"a second root":               within("") + within(""),
		"another root":                `<Ann xmlns="urn:hl7-org:v3"/>`,
		"no namespace":                `<ClinicalDocument/>`,
		"crossed tags":                within(`<component><section></component></section>`),
		"crossed tags in a data type": within(`<code><a></code></a>`),
		"crossed tags in what goes":   within(`<ann><a></ann></a>`),
		"an attribute twice":          within(`<code code="ann" code="x"/>`),
		"an end that is missing":      within("")[:60],
		"too deep":                    within(deep),
		"too deep in a data type":     within("<code>" + strings.Repeat("<translation>", 200) + strings.Repeat("</translation>", 200) + "</code>"),
		"another encoding":            `<?xml version="1.0" encoding="ISO-8859-1"?>` + within(""),
		"not UTF-8":                   within("<title>\xff</title>"),
		"text outside":                within("") + "Ann",
		"nothing":                     "",
		"no XML":                      "MSH|^~\\&|ann",
	} {
		var out bytes.Buffer
		_, err := safeHarbor(t).Copy(&out, strings.NewReader(in))
		if problem.From(err).Kind != problem.Invalid || out.Len() != 0 {
			t.Errorf("%s: got %v and %q", what, err, out.String())
			continue
		}
		for e := err; e != nil; e = errors.Unwrap(e) {
			if strings.Contains(strings.ToLower(e.Error()), "ann") {
				t.Errorf("%s: the error tells: %v", what, e)
			}
		}
	}
	if _, err := made(t, Options{MaxBytes: 10}).Copy(io.Discard, strings.NewReader(within(""))); problem.From(err).Kind != problem.TooLarge {
		t.Errorf("got %v, want too large", err)
	}
}

const patient = `<recordTarget><patientRole><id root="1.2.3" extension="M1"/><addr><streetAddressLine>1 Elm St</streetAddressLine><city>Boston</city><state>MA</state><postalCode>02115-1234</postalCode></addr>` +
	`<patient><name><given>Ann</given><family>Smith</family></name><birthTime value="19330402"/></patient></patientRole></recordTarget><effectiveTime value="20240314103000-0500"/>`

func TestBases(t *testing.T) {
	for _, c := range []struct {
		name string
		o    Options
		want []string
	}{
		{"the zero Options", Options{}, []string{`<birthTime nullFlavor="MSK"/>`, `<postalCode>000</postalCode>`, `<effectiveTime nullFlavor="MSK"/>`}},
		{"a limited data set", Options{Basis: LimitedDataSet, Dates: DatesKept}, []string{`<city>Boston</city>`, `<postalCode>02115-1234</postalCode>`, `<birthTime value="19330402"/>`}},
		{"an expert", Options{Basis: ExpertDetermination, Dates: DatesShifted, Shift: shift(-14)}, []string{`<effectiveTime value="20240229103000-0500"/>`, `<state>MA</state>`}},
		{"the minimum necessary", Options{Basis: MinimumNecessary, Dates: DatesKept}, []string{`<addr nullFlavor="MSK"/>`, `<birthTime value="19330402"/>`}},
	} {
		out, _ := pass(t, made(t, c.o), within(patient))
		for _, want := range c.want {
			if !strings.Contains(out, want) {
				t.Errorf("%s: there is no %s in %s", c.name, want, out)
			}
		}
		for _, leak := range []string{"Ann", "Smith", "Elm", "M1", "1.2.3"} {
			if strings.Contains(out, leak) {
				t.Errorf("%s: %s is left", c.name, leak)
			}
		}
	}
}

type shift int

func (s shift) Days(patient string) (int, error) {
	if patient != "1.2.3|M1" {
		return 0, errors.New("another patient")
	}
	return int(s), nil
}

type scrubber struct{ words []string }

func (s *scrubber) Scrubber(f message.Facts) (message.Scrubber, error) {
	s.words = nil
	for _, p := range f.People {
		s.words = append(append(s.words, p.Given...), p.Family)
	}
	return s, nil
}

func (s *scrubber) Scrub(dst, doc []byte) ([]byte, error) {
	for _, w := range s.words {
		doc = bytes.ReplaceAll(doc, []byte(w), []byte("<X>"))
	}
	return append(dst, doc...), nil
}

// TestNarrative: markup does not hide a name from the scrubber, which knows the
// document's own names before it reads the first text.
func TestNarrative(t *testing.T) {
	in := within(`<title>Ann's record</title>` + patient + `<component><section><text><table><tr><td>A<b>n</b>n</td><td>140</td></tr></table><list><item>S&#109;ith</item></list></text></section></component>`)
	out, _ := pass(t, made(t, Options{AsOf: today, Text: &scrubber{}}), in)
	for _, want := range []string{"<title>&lt;X&gt;'s record</title>", "<text>&lt;X&gt;\t140\t\n\n&lt;X&gt;</text>"} {
		if !strings.Contains(out, want) {
			t.Errorf("there is no %q in %s", want, out)
		}
	}
}

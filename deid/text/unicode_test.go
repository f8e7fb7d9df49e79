package text_test

import (
	"strings"
	"testing"

	"github.com/sallyport/sallyport/deid/text"
)

// What is written to deceive the eye or the machine is found, to the byte.
func TestUnicode(t *testing.T) {
	for name, want := range map[string]string{
		"zero width in an SSN":       "SSN [123\u200b-45\u200c-6789] on file",
		"zero width in a name":       "Dr. [Jo\u200bhn Sm\u00adith] saw the patient",
		"Cyrillic look-alikes":       "Patient Name: [Jоhn Ѕmіth]",
		"combining marks":            "Patient: [Jose\u0301 Nun\u0303ez]",
		"full-width digits":          "Phone: [３０５-５５５-０１１４]",
		"full-width letters":         "Email: [ｊｏｈｎ＠ｅｘａｍｐｌｅ.ｏｒｇ]",
		"Arabic digits":              "on [١٤/٠٣/٢٠٢٦] pain",
		"en dashes":                  "SSN [123–45–6789] on file",
		"no-break spaces":            "Tel. [(305)\u00a0555-0114]",
		"mathematical letters":       "Dr. [𝐉𝐨𝐡𝐧 𝐒𝐦𝐢𝐭𝐡] saw the patient",
		"right-to-left override":     "MRN: [\u202e0999366]",
		"curly apostrophe":           "Dr. [O’Brien] saw the patient",
		"Windows-1252 in a name":     "Dr. [Jos\xe9 Nu\xf1ez] saw the patient",
		"a stray byte in a number":   "SSN [123-45-6\xff789] on file",
		"precomposed and Vietnamese": "Dr. [Nguyễn Thị Hà] saw the patient",
		"Chinese":                    "合成病历：患者[王芳]，出生日期[1985年3月15日]，病历号[CN123456]。",
		"Japanese":                   "患者 [山田太郎] は [2026年3月14日] に受診し、マイナンバー [1234 5678 9012] を提示",
	} {
		t.Run(name, func(t *testing.T) {
			doc := strings.NewReplacer("[", "", "]", "").Replace(want)
			got := marked(doc, find(t, doc, nil))
			// A mark without width may stand on either side of a span's start.
			if strip(got) != strip(want) {
				t.Errorf("got  %q\nwant %q", got, want)
			}
		})
	}
}

func strip(s string) string { return strings.ReplaceAll(s, "\u202e", "") }

func TestOffsetsAreOfTheGivenBytes(t *testing.T) {
	doc := "é\u200bДе 中 Patient Name: Jo\u0301se\u0301 García, SSN 123-45-6789."
	want := []string{"Jo\u0301se\u0301 García", "123-45-6789"}
	var got []string
	for _, s := range find(t, doc, nil) {
		got = append(got, doc[s.Start:s.End])
	}
	if len(got) < 2 || got[len(got)-2] != want[0] || got[len(got)-1] != want[1] {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNumbersSaidInvalid(t *testing.T) {
	for _, want := range []string{
		"valid CPF [456.378.921-64], invalid CPF 456.378.921-65 in the test",
		"Steuer-ID [38449725069] gültig, 12345678901 ungültig",
		"SSN [123-45-6789] and SSN 000-00-0000",
	} {
		doc := strings.NewReplacer("[", "", "]", "").Replace(want)
		if got := marked(doc, find(t, doc, nil)); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// A sentence may say that it speaks of nobody, but not of the record's values.
func TestDenial(t *testing.T) {
	doc := "Nora Patel signed the fictional provider roster, not the patient chart. MRN-0007 labeled a simulator bin, not a patient record."
	if got := marked(doc, find(t, doc, nil)); got != doc {
		t.Errorf("got %s, want nothing marked", got)
	}
	r := text.NewRecord()
	r.Name(text.Patient, []string{"Nora"}, "Patel", text.Female)
	if got := marked(doc, find(t, doc, r)); !strings.HasPrefix(got, "[Nora Patel] signed") {
		t.Errorf("the record's own name was let stand: %s", got)
	}
	other := "Nora Patel, not the patient, called Dr. Weiss about the biopsy."
	if got := marked(other, find(t, other, nil)); !strings.Contains(got, "[Nora Patel]") {
		t.Errorf("a name was let stand without a word of fiction: %s", got)
	}
}

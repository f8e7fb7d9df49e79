package hl7v2

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/need"
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

func TestFixtures(t *testing.T) {
	for _, name := range []string{"adt-a01", "adt-a03", "oru-r01", "orm-o01-retained-dates"} {
		raw, err := os.ReadFile(need.DataFile(t, "cosyte-fixtures/test/fixtures/hl7/"+name+".hl7"))
		if err != nil {
			t.Fatal(err)
		}
		out, m := pass(t, safeHarbor(t), string(raw))
		t.Log("\n" + strings.ReplaceAll(out, "\r", "\n"))
		t.Logf("%+v", m)
	}
}

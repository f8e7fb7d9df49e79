package sealed_test

import (
	"bytes"
	"crypto/fips140"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/seal/sealed"
)

// TestUnderFIPS runs this test binary again in the modes of Go's FIPS 140-3
// module. fips140=on is the mode that is supported: all formats work, hpke-p256
// by approved algorithms alone. Under fips140=only age is refused, by name and at
// once, where its library would fail or never return.
func TestUnderFIPS(t *testing.T) {
	if os.Getenv("SALLYPORT_TEST_FIPS") != "" {
		t.Skip("this is the run inside")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for mode, tests := range map[string]string{"on": "^(TestInsideFIPS|TestWhatWasSealedOpens|TestChunksOfBodies|TestBodiesOfOthers|TestAnyByteOfAManifest)$", "only": "^TestInsideFIPS$"} {
		c := exec.Command(self, "-test.run", tests, "-test.v")
		c.Env = append(os.Environ(), "GODEBUG=fips140="+mode, "SALLYPORT_TEST_FIPS="+mode)
		out, err := c.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "--- PASS: TestInsideFIPS") {
			t.Errorf("fips140=%s: %v\n%s", mode, err, out)
		}
	}
}

// TestInsideFIPS is what TestUnderFIPS runs.
func TestInsideFIPS(t *testing.T) {
	mode := os.Getenv("SALLYPORT_TEST_FIPS")
	if mode == "" {
		t.Skip("TestUnderFIPS runs this")
	}
	if !fips140.Enabled() || fips140.Enforced() != (mode == "only") {
		t.Fatalf("FIPS 140-3: enabled %t, enforced %t, want mode %s", fips140.Enabled(), fips140.Enforced(), mode)
	}
	e := newEnd(t, sealed.HPKE)
	want := random(8, 3*chunk+5)
	a := e.seal(t, "one", want)
	if got, err := open(a.body, e.expect(a)); err != nil || !bytes.Equal(got, want) {
		t.Errorf("hpke-p256: got %d bytes, %v", len(got), err)
	}
	for _, f := range []sealed.Format{sealed.Age, sealed.AgeX25519} {
		if _, err := sealed.NewIdentity(f); errors.Is(err, sealed.ErrFIPS) != (mode == "only") {
			t.Errorf("%s: got %v", f, err)
		}
	}
}

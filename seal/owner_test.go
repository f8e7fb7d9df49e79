package seal

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"testing"

	"pgregory.net/rapid"

	"github.com/sallyport/sallyport/id"
)

// The pseudonym must be what any HMAC gives, for as long as the log is kept:
// six years from now another program may have to compute it.
func TestPatientIsPlainHMAC(t *testing.T) {
	key := make([]byte, 32)
	for i := range key {
		key[i] = byte(i)
	}
	k := newOwnerKey(key)
	m := hmac.New(sha256.New, key)
	m.Write([]byte("p\x04epicpatient-1"))
	want := base64.RawURLEncoding.EncodeToString(m.Sum(nil)[:16])
	for range 3 {
		if got := k.Patient("epic", "patient-1"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestPatientsAreToldApart(t *testing.T) {
	k, _ := newKeyring(t)
	seen := map[string]string{}
	for _, p := range [][2]string{{"epic", "1"}, {"epi", "c1"}, {"epic1", ""}, {"", "epic1"}, {"epic", "11"}, {"cerner", "1"}} {
		got := k.Owner().Patient(id.Source(p[0]), p[1])
		if len(got) != 22 {
			t.Errorf("%q has %d characters, want 22", got, len(got))
		}
		if other, taken := seen[got]; taken {
			t.Errorf("%v and %s share a pseudonym", p, other)
		}
		seen[got] = p[0] + "/" + p[1]
	}
	other, _ := newKeyring(t)
	if k.Owner().Patient("epic", "1") == other.Owner().Patient("epic", "1") {
		t.Error("two owners share a pseudonym")
	}
	if k.Owner().Index("epic", []byte("1")) == k.Owner().PatientKey("epic", "1") {
		t.Error("an index is a pseudonym")
	}
}

func TestPatientKeyAsText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := PatientKey(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "key"))
		if got, ok := ParsePatientKey(want.String()); !ok || got != want {
			t.Fatalf("ParsePatientKey(%s) = %s, %v", want, got, ok)
		}
	})
	for _, v := range []string{"", "AAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAB", "AAAAAAAAAAAAAAAAAAAAA\n", "AAAAAAAAAAAAAAAAAAAAA="} {
		if k, ok := ParsePatientKey(v); ok || k != (PatientKey{}) {
			t.Errorf("%q was read as a key", v)
		}
	}
}

func TestPatientAllocatesOnce(t *testing.T) {
	k, _ := newKeyring(t)
	owner := k.Owner()
	if got := testing.AllocsPerRun(200, func() { owner.Patient("epic", "0f9b4e1c-6f6c-4b0e-9d34-8a1f7d3c2b10") }); got > 1 && !raceEnabled {
		t.Errorf("Patient allocates %v times, want the text alone", got)
	}
}

func BenchmarkPatient(b *testing.B) {
	k, _ := newKeyring(b)
	b.ReportAllocs()
	for b.Loop() {
		k.Owner().Patient("epic", "0f9b4e1c-6f6c-4b0e-9d34-8a1f7d3c2b10")
	}
}

package audit

import (
	"reflect"
	"testing"
	"time"

	"github.com/sallyport/sallyport/id"
)

// everything has every field that an entry of a kind can have.
func everything() map[Kind]func(*encoder) {
	in := Intent{Decision: "d1", Vendor: "v", Engagement: "e", App: "a", Device: "dev", Person: "p", Grant: "g", Role: "r", Agent: AI, Direction: Out,
		Destination: "v", Source: "s", Action: "read", Resource: "Patient", Purpose: "evaluation", Category: "operations", LegalBasis: "waiver", DataClass: "phi",
		Profile: "x", ProfileDigest: Digest{1}, ScopeDigest: Digest{2}, Policy: Digest{3}, Snapshot: 1<<64 - 1, SnapshotIndex: 9, Clauses: []string{"a/BAA-M01", "b"},
		DerivesFrom: []id.Release{"r1", "r2"}, Transport: Transport{"1.3", "X25519MLKEM768", Digest{4}, "mtls", "age"}, Region: "US-MA", RegionBy: ByAddress}
	return map[Kind]func(*encoder){
		KindIntent:  func(e *encoder) { e.intent("n", &in) },
		KindRefusal: func(e *encoder) { e.refusal("n", &Refusal{in, []Failing{{"baa", "expired"}, {"hold", "x"}}}) },
		KindOutcome: func(e *encoder) {
			e.outcome("n", &OutcomeRecord{Outcome: Outcome{Release: "r", Result: Released, Final: true, Status: 200, Upstream: 206, Leg: Leg{"1.2", "X25519", Digest{5}},
				Digest: Digest{6}, Bytes: 7, Sealed: &Sealing{"age", []Digest{{7}, {8}}, Digest{9}, 10}, Patients: []string{"pseudonym-of-a-patient-01", "pseudonym-of-a-patient-02"},
				Resources: []TypeCount{{"Patient", 3}, {"Observation", 0}}, Shown: []TypeShown{{"Patient", "1f"}, {"Observation", "0"}}, Removed: []Removal{{"patient-hold", 2}}, Changed: []Removal{{"date", 1}, {"text-name", 4}}},
				Decision: "d1", Ticket: 4, Chunk: 1, Parts: 2, PatientCount: 5})
		},
		KindPatients: func(e *encoder) {
			e.patients("n", &PatientsRecord{"d1", 4, 1, 1, []string{"pseudonym-of-a-patient-03"}})
		},
		KindAct: func(e *encoder) {
			e.act("n", &ActEntry{"a1", "agreement.sign", "p", "q", "agreement", "b", Digest{1}, 8})
		},
		KindRecovery: func(e *encoder) { e.recovery("n", &Recovery{3, 4}) },
	}
}

// What the fast reader accepts is what encoding/json reads, and it reads whatever the
// log writes: no field of the schema is missing in it.
func TestTheFastReaderReadsTheSame(t *testing.T) {
	set := map[int]bool{}
	for kind, write := range everything() {
		var e encoder
		write(&e)
		if e.err != nil {
			t.Fatal(e.err)
		}
		stamp(e.b, time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC))
		var w wire
		if !w.fast(e.b) {
			t.Errorf("%s: the fast reader gave up on %s", kind, e.b)
		}
		v := reflect.ValueOf(w)
		for i := range v.NumField() {
			set[i] = set[i] || !v.Field(i).IsZero()
		}
		got, err := w.entry(3, e.b)
		if err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		want, err := decodeJSON(3, e.b)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", kind, got, want)
		}
	}
	for i := range reflect.TypeFor[wire]().NumField() {
		if f := reflect.TypeFor[wire]().Field(i); !set[i] {
			t.Errorf("no entry sets %s: the test does not know whether the fast reader reads it", f.Name)
		}
	}
}

// However an entry is changed, both readers say the same of it.
func TestTheFastReaderIsNoLessStrict(t *testing.T) {
	for kind, write := range everything() {
		var e encoder
		write(&e)
		stamp(e.b, time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC))
		for at := range e.b {
			for _, by := range []byte{'"', ',', '0', '\\', ' ', '}', 'x', 0x80} {
				b := append([]byte(nil), e.b...)
				b[at] = by
				got, failed := Decode(3, b)
				want, err := decodeJSON(3, b)
				if (failed == nil) != (err == nil) || !reflect.DeepEqual(got, want) {
					t.Fatalf("%s with %q at %d: got %v, want %v", kind, by, at, failed, err)
				}
			}
			if _, err := Decode(3, e.b[:at]); err == nil {
				t.Fatalf("%s cut at %d was read", kind, at)
			}
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	for kind, write := range everything() {
		var e encoder
		write(&e)
		stamp(e.b, time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC))
		b.Run(string(kind), func(b *testing.B) {
			for b.Loop() {
				if _, err := Decode(3, e.b); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(string(kind)+"/json", func(b *testing.B) {
			for b.Loop() {
				if _, err := decodeJSON(3, e.b); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

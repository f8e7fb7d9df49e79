package audit

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
)

func BenchmarkEncodeIntent(b *testing.B) {
	in := fullIntent()
	l := &Log{origin: "hospital.example/node1", now: time.Now}
	b.ReportAllocs()
	for b.Loop() {
		e := getEncoder()
		e.intent(l.origin, &in)
		if e.err != nil {
			b.Fatal(e.err)
		}
		stamp(e.b, l.now())
		encoders.Put(e)
	}
}

func fullIntent() Intent {
	return Intent{
		Decision: id.New[id.Decision](time.Now()), Vendor: "northwind-ai", Engagement: "readmissions", App: "nw-batch",
		Device: "nw-worker-1", Person: "jordan", Grant: "grant-1", Role: "cardiology-read", Agent: Workload,
		Direction: Out, Destination: "nw-batch", Source: "epic-east", Action: "read", Resource: "Observation",
		Purpose: hipaa.Inference, Category: hipaa.Operations, LegalBasis: hipaa.OperationsUnderBAA, DataClass: "phi", Profile: "minimum-necessary", ProfileDigest: sha256.Sum256([]byte("a")), ScopeDigest: sha256.Sum256([]byte("s")),
		Policy: sha256.Sum256([]byte("b")), Snapshot: 17, SnapshotIndex: 3, Clauses: []string{"BAA-M01", "baa-2026/BAA-M02"},
		DerivesFrom: []id.Release{"release-1"},
		Transport:   Transport{"1.3", "X25519MLKEM768", sha256.Sum256([]byte("c")), "mtls", "none"},
		Region:      "US-MA", RegionBy: ByAddress,
	}
}

// allSound is one entry of each kind, as the log would write it.
func allSound(tb testing.TB) [][]byte {
	tb.Helper()
	const origin = "hospital.example/node1"
	var all [][]byte
	add := func(fill func(*encoder)) {
		var e encoder
		fill(&e)
		if e.err != nil {
			tb.Fatal(e.err)
		}
		stamp(e.b, time.Unix(1_700_000_000, 123))
		all = append(all, e.b)
	}
	in := fullIntent()
	digest := Digest(sha256.Sum256([]byte("x")))
	add(func(e *encoder) { e.intent(origin, &in) })
	add(func(e *encoder) {
		e.refusal(origin, &Refusal{in, []Failing{{"baa", "terminated"}, {"device", "absent"}}})
	})
	add(func(e *encoder) {
		e.refusal(origin, &Refusal{Intent{Decision: "d"}, []Failing{{"app", "unknown"}}})
	})
	add(func(e *encoder) {
		e.outcome(origin, &OutcomeRecord{Outcome: Outcome{Release: "r", Result: Released, Final: true, Status: 200, Upstream: 200, Leg: Leg{"1.2", "CurveP256", digest}, Digest: digest,
			Bytes: 12, Patients: []string{"abcdefghijklmnopqrstuvwxyz"}, Resources: []TypeCount{{"Patient", 1}, {"Observation", 3}}, Shown: []TypeShown{{"Medication", "0"}, {"Observation", "1f"}}},
			Decision: "d", Ticket: 1, Chunk: 2, Parts: 3, PatientCount: 4})
	})
	add(func(e *encoder) {
		e.outcome(origin, &OutcomeRecord{Outcome: Outcome{Release: "r", Result: Released, Digest: digest, Bytes: 90,
			Sealed: &Sealing{Mode: "age", Recipients: []Digest{digest, {1}}, Digest: digest, Bytes: 12}}, Decision: "d", Ticket: 1})
	})
	add(func(e *encoder) {
		e.outcome(origin, &OutcomeRecord{Outcome: Outcome{Release: "r", Result: Incomplete, Final: true}, Decision: "d"})
	})
	add(func(e *encoder) {
		e.patients(origin, &PatientsRecord{"d", 1, 2, 3, []string{"abcdefghijklmnopqrstuvwxyz"}})
	})
	add(func(e *encoder) {
		e.act(origin, &ActEntry{"a", "agreement.sign", "sam", "alex", "agreement", "baa-1", digest, 9})
	})
	add(func(e *encoder) { e.recovery(origin, &Recovery{3, 4}) })
	return all
}

func TestEntriesComeBackAsTheyWere(t *testing.T) {
	for i, b := range allSound(t) {
		e, err := Decode(uint64(i), b)
		if err != nil {
			t.Errorf("%s: %v", b, err)
			continue
		}
		if !e.Time.Equal(time.Unix(1_700_000_000, 123)) {
			t.Errorf("time came back as %v", e.Time)
		}
		if e.Kind == KindIntent {
			if got, want := fmt.Sprint(*e.Intent), fmt.Sprint(fullIntentOf(e)); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
		if o := e.Outcome; o != nil && o.Upstream == 200 && o.Leg != (Leg{"1.2", "CurveP256", sha256.Sum256([]byte("x"))}) {
			t.Errorf("the leg came back as %+v", o.Leg)
		}
	}
}

// fullIntentOf is fullIntent with the decision of e, which is new each time.
func fullIntentOf(e Entry) Intent {
	in := fullIntent()
	in.Decision = e.Intent.Decision
	return in
}

// How a release was sealed is a way that is known, to keys that are named by
// digests; what did not leave was not sealed.
func TestSealingIsOfTheClosedList(t *testing.T) {
	one := Digest{1}
	good := Sealing{Mode: "hpke-p256", Recipients: []Digest{one}, Digest: one}
	for name, tc := range map[string]struct {
		result Result
		f      func(*Sealing)
		ok     bool
	}{
		"good":                 {Released, func(*Sealing) {}, true},
		"withheld":             {Withheld, func(*Sealing) {}, false},
		"none":                 {Released, func(s *Sealing) { s.Mode = "none" }, false},
		"no mode":              {Released, func(s *Sealing) { s.Mode = "" }, false},
		"another mode":         {Released, func(s *Sealing) { s.Mode = "rot13" }, false},
		"no recipient":         {Released, func(s *Sealing) { s.Recipients = nil }, false},
		"a zero recipient":     {Released, func(s *Sealing) { s.Recipients = []Digest{one, {}} }, false},
		"too many":             {Released, func(s *Sealing) { s.Recipients = slices.Repeat([]Digest{one}, maxRecipients+1) }, false},
		"no digest of content": {Released, func(s *Sealing) { s.Digest = Digest{} }, false},
	} {
		s := good
		tc.f(&s)
		var e encoder
		e.outcome("o", &OutcomeRecord{Outcome: Outcome{Release: "r", Result: tc.result, Final: true, Digest: one, Sealed: &s}, Decision: "d"})
		if got := e.err == nil; got != tc.ok {
			t.Errorf("%s: taken %v, want %v: %v", name, got, tc.ok, e.err)
		}
	}
}

// TestNoFreeText tries to put what a patient's record holds into every string.
func TestNoFreeText(t *testing.T) {
	phi := []string{
		"Doe, Jane", "Jane Doe", "1980-02-29T00:00", "(555) 010-4477", "jane@example.org", "12 Elm Street",
		"Jürgen", "a\"b", "a\nb", "<div>", strings.Repeat("x", 200), "\x00", "\u202e", "",
	}
	words := append([]string{"JaneDoe", "Doe.Jane", "123-45-6789", "mrn00123456", "19800229"}, phi...)
	texts := map[string]func(*Intent, string){
		"decision":     func(in *Intent, v string) { in.Decision = id.Decision(v) },
		"vendor":       func(in *Intent, v string) { in.Vendor = id.Vendor(v) },
		"engagement":   func(in *Intent, v string) { in.Engagement = id.Engagement(v) },
		"app":          func(in *Intent, v string) { in.App = id.App(v) },
		"device":       func(in *Intent, v string) { in.Device = id.Device(v) },
		"person":       func(in *Intent, v string) { in.Person = id.Person(v) },
		"grant":        func(in *Intent, v string) { in.Grant = id.Grant(v) },
		"role":         func(in *Intent, v string) { in.Role = id.Role(v) },
		"destination":  func(in *Intent, v string) { in.Destination = v },
		"source":       func(in *Intent, v string) { in.Source = id.Source(v) },
		"profile":      func(in *Intent, v string) { in.Profile = v },
		"clauses":      func(in *Intent, v string) { in.Clauses = []string{"BAA-M01", v + " "} },
		"derives_from": func(in *Intent, v string) { in.DerivesFrom = []id.Release{id.Release(v + " ")} },
	}
	closed := map[string]func(*Intent, string){
		"agent":         func(in *Intent, v string) { in.Agent = Agent(v) },
		"direction":     func(in *Intent, v string) { in.Direction = Direction(v) },
		"action":        func(in *Intent, v string) { in.Action = v },
		"resource":      func(in *Intent, v string) { in.Resource = v },
		"purpose":       func(in *Intent, v string) { in.Purpose = hipaa.Purpose(v) },
		"data_class":    func(in *Intent, v string) { in.DataClass = hipaa.DataClass(v) },
		"tls":           func(in *Intent, v string) { in.Transport.TLS = v },
		"key_exchange":  func(in *Intent, v string) { in.Transport.KeyExchange = v },
		"token_binding": func(in *Intent, v string) { in.Transport.Binding = v },
		"sealing":       func(in *Intent, v string) { in.Transport.Sealing = v },
	}
	try := func(field, v string, set func(*Intent, string)) {
		t.Helper()
		in := fullIntent()
		set(&in, v)
		var e encoder
		e.intent("hospital.example/node1", &in)
		if e.err == nil && v != "" {
			t.Errorf("%s took %q", field, v)
		}
		if e.err != nil && len(v) > 4 && bytes.Contains([]byte(e.err.Error()), []byte(v)) {
			t.Errorf("the error about %s quotes its value: %v", field, e.err)
		}
	}
	for field, set := range texts {
		for _, v := range phi {
			try(field, v, set)
		}
	}
	for field, set := range closed {
		for _, v := range words {
			try(field, v, set)
		}
	}
	for _, v := range words {
		for _, r := range []Refusal{{Intent{Decision: "d"}, []Failing{{v, "absent"}}}, {Intent{Decision: "d"}, []Failing{{"baa", v}}}} {
			var e encoder
			if e.refusal("o", &r); e.err == nil {
				t.Errorf("a refusal took %+v", r.Failing)
			}
		}
		var e encoder
		if e.patients("o", &PatientsRecord{"d", 1, 0, 0, []string{v}}); e.err == nil {
			t.Errorf("pseudonyms took %q", v)
		}
		e = encoder{}
		if e.act("o", &ActEntry{"a", v, "sam", "", "agreement", "x", Digest{1}, 1}); e.err == nil {
			t.Errorf("an act's kind took %q", v)
		}
	}
}

// What elements appeared is a number of each type, in one form, and always fits.
func TestShownIsANumberOfAType(t *testing.T) {
	for _, list := range [][]TypeShown{{{"Patient", ""}}, {{"Patient", "01"}}, {{"Patient", "00"}}, {{"Patient", "1F"}}, {{"Patient", "0x1"}}, {{"Patient", "jane"}},
		{{"Patient", strings.Repeat("f", maxShown+1)}}, {{"Jane", "1"}}, {{"Patient", "1"}, {"Patient", "2"}}} {
		var e encoder
		if e.outcome("o", &OutcomeRecord{Outcome: Outcome{Release: "r", Result: Released, Digest: Digest{1}, Shown: list}, Decision: "d"}); !errors.Is(e.err, ErrEntry) {
			t.Errorf("%q: %v", list, e.err)
		}
	}
	longest := []TypeShown{{"Patient", strings.Repeat("f", maxShown)}}
	var e encoder
	if e.outcome("o", &OutcomeRecord{Outcome: Outcome{Release: "r", Result: Released, Digest: Digest{1}, Shown: longest}, Decision: "d"}); e.err != nil {
		t.Error(e.err)
	}
	if got, want := shownLen(longest), len(`"Patient":"",`)+maxShown; got != want {
		t.Errorf("%d bytes, want %d", got, want)
	}
}

// FuzzNoFreeText smuggles: whatever goes into the fields, an entry that is
// written reads back strictly and holds no byte that free text would need.
func FuzzNoFreeText(f *testing.F) {
	f.Add("Jane Doe", "read", "baa", 1, uint64(7))
	f.Add("vendor", "operations", `x","kind":"act`, 200, uint64(0))
	f.Add("\xff\u2028", "everything", "a.b", 599, ^uint64(0))
	f.Fuzz(func(t *testing.T, name, word, other string, status int, n uint64) {
		in := fullIntent()
		in.Vendor, in.Person, in.Destination, in.Clauses = id.Vendor(name), id.Person(other), other, []string{name}
		in.Action, in.Purpose, in.DataClass, in.Resource = word, hipaa.Purpose(word), hipaa.DataClass(other), name
		in.Snapshot = n
		entries := []func(*encoder){
			func(e *encoder) { e.intent("o", &in) },
			func(e *encoder) { e.refusal("o", &Refusal{in, []Failing{{word, other}}}) },
			func(e *encoder) {
				e.refusal("o", &Refusal{Intent{Decision: "d", Vendor: id.Vendor(name)}, []Failing{{word, other}}})
			},
			func(e *encoder) {
				e.outcome("o", &OutcomeRecord{Outcome: Outcome{Release: id.Release(name), Result: Result(word), Final: n%2 == 0, Status: status,
					Patients: []string{other}, Resources: []TypeCount{{name, n}}, Shown: []TypeShown{{"Patient", word}, {name, "1"}}, Digest: Digest{1}}, Decision: id.Decision(other), PatientCount: 1})
			},
			func(e *encoder) {
				e.act("o", &ActEntry{id.Act(name), word, id.Person(other), id.Person(name), other, word, Digest{1}, n})
			},
			func(e *encoder) { e.patients("o", &PatientsRecord{id.Decision(name), n, n, n, []string{word, other}}) },
		}
		for _, fill := range entries {
			var e encoder
			if fill(&e); e.err != nil {
				continue
			}
			stamp(e.b, time.Unix(1_700_000_000, 0))
			if i := bytes.IndexFunc(e.b, func(r rune) bool { return r <= ' ' || r > '~' || r == '\\' || r == '<' || r == '@' }); i >= 0 {
				t.Fatalf("byte %d is none that an entry needs: %q", i, e.b)
			}
			if _, err := Decode(0, e.b); err != nil {
				t.Fatalf("%s does not read back: %v", e.b, err)
			}
		}
	})
}

// FuzzDecode: what reads is in the one form that the log writes, or is refused; and the
// fast reader says the same as the strict one.
func FuzzDecode(f *testing.F) {
	for _, b := range allSound(f) {
		f.Add(b)
		f.Add(bytes.Replace(b, []byte(`,"`), []byte(`, "`), 1))
		f.Add(bytes.Replace(b, []byte(`}`), []byte(`,"note":"Jane"}`), 1))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := Decode(0, b)
		if strict, failed := decodeJSON(0, b); (err == nil) != (failed == nil) || !reflect.DeepEqual(e, strict) {
			t.Fatalf("%q: read as %+v (%v), strictly as %+v (%v)", b, e, err, strict, failed)
		}
		if err == nil && (e.Kind == "" || e.Time.IsZero() && e.Time.Year() == 0) {
			t.Fatalf("%q reads as nothing", b)
		}
		if err == nil && bytes.ContainsAny(b, " \\\n\t") {
			t.Fatalf("%q reads", b)
		}
	})
}

// FuzzJournal: whatever lies in a segment, recovery ends, hands on whole frames
// only, and either cuts the end, or finds zeros there, or refuses.
func FuzzJournal(f *testing.F) {
	frame := func(first uint64, entries ...string) []byte {
		b := &batch{first: first, buf: make([]byte, frameHead)}
		for _, e := range entries {
			b.add([]byte(e))
		}
		b.seal()
		return b.buf
	}
	two := append(frame(0, "one", "two"), frame(2, "three")...)
	f.Add(two)
	f.Add(two[:len(two)-3])
	f.Add(append(bytes.Clone(two), make([]byte, 100)...))
	f.Add(append(frame(0, "one"), frame(7, "eight")...))
	f.Add([]byte(frameMagic + "\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		next := uint64(0)
		whole, err := readFrames(data, 0, func(at uint64, entry []byte) error {
			if at != next {
				t.Fatalf("entry %d after %d", at, next)
			}
			next++
			return nil
		})
		if whole < 0 || whole > int64(len(data)) || err == nil && !onlyZeros(data[whole:]) {
			t.Fatalf("%d of %d bytes read: %v", whole, len(data), err)
		}
		again := uint64(0)
		if w, err := readFrames(data[:whole], 0, func(uint64, []byte) error { again++; return nil }); err != nil || w != whole || again != next {
			t.Fatalf("what is left after the cut does not read: %v", err)
		}
	})
}

// What was negotiated and where a caller was are words of closed lists.
func TestWordsOfLayersAreClosed(t *testing.T) {
	for v, ok := range map[string]bool{"US": true, "US-MA": true, "GB-ENG": true, "DE-1": true, "": false, "U": false, "us": false, "USA": false, "US-": false,
		"US-MASS": false, "US_MA": false, "198.51.100.7": false, "US-M\"": false} {
		if got := Region(v); got != ok {
			t.Errorf("region %q: got %v", v, got)
		}
	}
	for _, change := range []func(*Intent){
		func(in *Intent) { in.Region = "198.51.100.7" }, func(in *Intent) { in.RegionBy = "guess" }, func(in *Intent) { in.Region = "Boston" },
	} {
		in := fullIntent()
		change(&in)
		var e encoder
		if e.intent("o", &in); e.err == nil {
			t.Errorf("written: %s", e.b)
		}
	}
	for _, leg := range []Leg{{TLS: "1.1"}, {TLS: "1.3", KeyExchange: "RSA"}} {
		var e encoder
		if e.outcome("o", &OutcomeRecord{Outcome: Outcome{Release: "r", Result: Withheld, Final: true, Leg: leg}, Decision: "d"}); e.err == nil {
			t.Errorf("written: %s", e.b)
		}
	}
}

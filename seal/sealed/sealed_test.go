package sealed_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/seal/sealed"
)

var now = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// signer is an organisation's key, as package seal has it.
type signer struct{ key *ecdsa.PrivateKey }

func newSigner(t testing.TB) signer {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return signer{k}
}

// KeyID implements sealed.Signer.
func (s signer) KeyID() string { kid, _ := sealed.Thumbprint(&s.key.PublicKey); return kid }

// SignES256 implements sealed.Signer.
func (s signer) SignES256(data []byte) ([]byte, error) {
	sum := sha256.Sum256(data)
	r, x, err := ecdsa.Sign(rand.Reader, s.key, sum[:])
	if err != nil {
		return nil, err
	}
	out := make([]byte, 64)
	r.FillBytes(out[:32])
	x.FillBytes(out[32:])
	return out, nil
}

func (s signer) keys(t testing.TB) sealed.Keys {
	t.Helper()
	set, err := sealed.MarshalKeys(&s.key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	k, err := sealed.ParseKeys(set)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

var formats = []sealed.Format{sealed.Age, sealed.AgeX25519, sealed.HPKE}

// answer is a sealed body with what was said beside it.
type answer struct {
	body              []byte
	opening, manifest string
	parts             []int // where the releases end
}

// end is what sealed bodies are made at and opened with.
type end struct {
	org      signer
	keys     sealed.Keys
	identity sealed.Identity
	sealer   *sealed.Sealer
}

func newEnd(t testing.TB, f sealed.Format) *end {
	t.Helper()
	e := &end{org: newSigner(t)}
	e.keys = e.org.keys(t)
	var err error
	if e.identity, err = sealed.NewIdentity(f); err != nil {
		t.Fatal(err)
	}
	if e.sealer, err = sealed.NewSealer(e.identity.Recipient()); err != nil {
		t.Fatal(err)
	}
	return e
}

// seal seals releases under a decision, as the gateway does.
func (e *end) seal(t testing.TB, decision string, releases ...[]byte) answer {
	t.Helper()
	b, err := e.sealer.Begin(now)
	if err != nil {
		t.Fatal(err)
	}
	key := e.identity.Recipient().ID()
	preamble := sha256.Sum256(b.Preamble())
	m := sealed.Manifest{Decision: id.Decision(decision), Ticket: 7, Log: "hospital.example/test", Engagement: "readmission", Vendor: "northwind", Device: "laptop",
		Format: e.sealer.Format(), Recipients: []string{hex.EncodeToString(key[:])}, ContentType: "application/fhir+json",
		Preamble: hex.EncodeToString(preamble[:]), Created: now, Nonce: "0123456789abcdef"}
	var a answer
	if a.opening, err = m.Sign(e.org); err != nil {
		t.Fatal(err)
	}
	for i, r := range releases {
		if a.body, err = b.Append(a.body, r, i == len(releases)-1); err != nil {
			t.Fatal(err)
		}
		m.Clear += int64(len(r))
		a.parts = append(a.parts, len(a.body))
	}
	sum := sha256.Sum256(a.body)
	m.Final, m.SHA256, m.Bytes, m.Releases, m.Outcome = true, hex.EncodeToString(sum[:]), int64(len(a.body)), len(releases), 9
	if a.manifest, err = m.Sign(e.org); err != nil {
		t.Fatal(err)
	}
	return a
}

func (e *end) expect(a answer) sealed.Expect {
	return sealed.Expect{Identities: []sealed.Identity{e.identity}, Keys: e.keys, Opening: a.opening, Manifest: func() string { return a.manifest }}
}

// open gives what was handed on, and how it ended: nil if it is final.
func open(body []byte, e sealed.Expect) ([]byte, error) {
	r, err := sealed.Open(bytes.NewReader(body), e)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

func random(seed uint64, n int) []byte {
	b := make([]byte, n)
	r := mathrand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
	r.Read(b)
	return b
}

const chunk = 64 << 10

// Whatever the releases' lengths, what comes out is what went in, whether the
// manifest is there from the start or comes at the end.
func TestWhatWasSealedOpens(t *testing.T) {
	sizes := [][]int{{0}, {1}, {500}, {chunk - 1}, {chunk}, {chunk + 1}, {3 * chunk}, {3*chunk + 17},
		{0, 0}, {10, 0}, {0, 10}, {chunk, 0}, {chunk, chunk}, {chunk - 1, 1}, {chunk - 1, 2, chunk}, {100, 100, 100}, {5 * chunk, 1, 2*chunk + 5}}
	for _, f := range formats {
		e := newEnd(t, f)
		for _, list := range sizes {
			var releases [][]byte
			for i, n := range list {
				releases = append(releases, random(uint64(i), n))
			}
			want := bytes.Join(releases, nil)
			a := e.seal(t, "one", releases...)
			got, err := open(a.body, e.expect(a))
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s %v: got %d bytes, %v, want %d", f, list, len(got), err, len(want))
			}
			whole := e.expect(a)
			whole.Opening, whole.Manifest = a.manifest, nil
			if got, err := open(a.body, whole); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s %v with the manifest first: got %d bytes, %v, want %d", f, list, len(got), err, len(want))
			}
			if n := bytes.Count(a.body, want[:min(len(want), 16)]); len(want) >= 16 && n > 0 {
				t.Errorf("%s %v: the plaintext is in the body", f, list)
			}
		}
	}
}

// limit says how much may be handed on of a body that was changed at byte at:
// what is inside the chunks before that byte's.
func limit(f sealed.Format, a answer, at int) int {
	if f == sealed.HPKE {
		off := lines(a.body, 3)
		given := 0
		for off < len(a.body) {
			n := int(a.body[off]&0x7f)<<24 | int(a.body[off+1])<<16 | int(a.body[off+2])<<8 | int(a.body[off+3])
			if at < off+4+n {
				return given
			}
			off, given = off+4+n, given+n-16
		}
		return given
	}
	off := bytes.Index(a.body, []byte("\n---")) + 1
	off += lines(a.body[off:], 1) + 16
	if at < off {
		return 0
	}
	return (at - off) / (chunk + 16) * chunk
}

func lines(b []byte, n int) (at int) {
	for range n {
		at += bytes.IndexByte(b[at:], '\n') + 1
	}
	return at
}

// check opens a body that was tampered with.
func (e *end) check(t interface{ Errorf(string, ...any) }, what string, body []byte, x sealed.Expect, want []byte, most int) {
	got, err := open(body, x)
	if err == nil {
		t.Errorf("%s: it is final", what)
	}
	if len(got) > most || !bytes.HasPrefix(want, got) {
		t.Errorf("%s: %d bytes were handed on, and %d are before the change", what, len(got), most)
	}
}

// Every byte of a small body, and every cut of it.
func TestAnyByteChanged(t *testing.T) {
	for _, f := range formats {
		e := newEnd(t, f)
		want := random(1, 300)
		a := e.seal(t, "one", want[:100], want[100:])
		for at := range a.body {
			for _, mask := range []byte{1, 0x80} {
				b := bytes.Clone(a.body)
				b[at] ^= mask
				e.check(t, fmt.Sprintf("%s: byte %d of %d", f, at, len(b)), b, e.expect(a), want, limit(f, a, at))
			}
		}
		for at := range a.body {
			e.check(t, fmt.Sprintf("%s: cut at %d of %d", f, at, len(a.body)), a.body[:at], e.expect(a), want, limit(f, a, at))
		}
		e.check(t, string(f)+": with a byte more", append(bytes.Clone(a.body), 'x'), e.expect(a), want, len(want))
		e.check(t, string(f)+": twice", append(bytes.Clone(a.body), a.body...), e.expect(a), want, len(want))
	}
}

// Large bodies: random places, cuts, and pieces moved.
func TestLargeBodiesChanged(t *testing.T) {
	for _, f := range formats {
		e := newEnd(t, f)
		want := random(2, 9*chunk+777)
		a := e.seal(t, "one", want[:4*chunk+5], want[4*chunk+5:5*chunk], want[5*chunk:])
		rapid.Check(t, func(t *rapid.T) {
			at := rapid.IntRange(0, len(a.body)-1).Draw(t, "at")
			b := bytes.Clone(a.body)
			switch rapid.IntRange(0, 3).Draw(t, "how") {
			case 0:
				b[at] ^= byte(rapid.IntRange(1, 255).Draw(t, "mask"))
			case 1:
				b = b[:at]
			case 2: // a piece is left out
				n := rapid.IntRange(1, len(b)-at).Draw(t, "n")
				b = append(b[:at], b[at+n:]...)
			case 3: // a piece comes twice
				n := rapid.IntRange(1, len(b)-at).Draw(t, "n")
				b = append(bytes.Clone(b[:at+n]), a.body[at:]...)
				at += n
			}
			first := 0
			for first < len(b) && first < len(a.body) && b[first] == a.body[first] {
				first++
			}
			e.check(t, string(f), b, e.expect(a), want, limit(f, a, first)+len(want)*boolInt(first >= len(a.body)))
		})
	}
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// frames cuts a body into its head and its chunks.
func frames(f sealed.Format, body []byte) (out [][]byte) {
	if f == sealed.HPKE {
		off := lines(body, 3)
		out = append(out, body[:off])
		for off < len(body) {
			n := 4 + (int(body[off]&0x7f)<<24 | int(body[off+1])<<16 | int(body[off+2])<<8 | int(body[off+3]))
			out = append(out, body[off:off+n])
			off += n
		}
		return out
	}
	off := bytes.Index(body, []byte("\n---")) + 1
	off += lines(body[off:], 1) + 16
	out = append(out, body[:off])
	for body = body[off:]; len(body) > 0; {
		n := min(len(body), chunk+16)
		out, body = append(out, body[:n]), body[n:]
	}
	return out
}

// Whole chunks are swapped, left out, repeated, or taken from another body that
// was sealed to the same recipient in the same minute, under the same file key.
func TestChunksOfBodies(t *testing.T) {
	for _, f := range formats {
		e := newEnd(t, f)
		want := random(3, 4*chunk)
		a := e.seal(t, "one", want)
		b := e.seal(t, "two", random(4, 4*chunk))
		one, two := frames(f, a.body), frames(f, b.body)
		if len(one) != 5 {
			t.Fatalf("%s: %d pieces, want a head and 4 chunks", f, len(one))
		}
		for _, tc := range []struct {
			name   string
			pieces [][]byte
			chunks int // before the change
		}{
			{"swapped", [][]byte{one[0], one[2], one[1], one[3], one[4]}, 0},
			{"left out", [][]byte{one[0], one[1], one[3], one[4]}, 1},
			{"repeated", [][]byte{one[0], one[1], one[2], one[2], one[3], one[4]}, 2},
			{"without the last", one[:4], 3},
			{"the last of another", [][]byte{one[0], one[1], one[2], one[3], two[4]}, 3},
			{"one of another", [][]byte{one[0], one[1], two[2], one[3], one[4]}, 1},
			{"the head of another", [][]byte{two[0], one[1], one[2], one[3], one[4]}, 0},
			{"another from its first chunk", [][]byte{one[0], two[1], two[2], two[3], two[4]}, 0},
			{"only a head", one[:1], 0},
			{"nothing", nil, 0},
		} {
			e.check(t, string(f)+": "+tc.name, bytes.Join(tc.pieces, nil), e.expect(a), want, tc.chunks*chunk)
		}
	}
}

// A whole body in another's place, with or without what was signed for it.
func TestBodiesOfOthers(t *testing.T) {
	for _, f := range formats {
		e, other := newEnd(t, f), newEnd(t, f)
		want := random(5, 2*chunk+9)
		a, old := e.seal(t, "one", want), e.seal(t, "older", random(6, 2*chunk+9))
		x := e.expect(a)
		e.check(t, "an older body in its place", old.body, x, nil, 0)

		x.Manifest = func() string { return old.manifest }
		e.check(t, "the manifest of another body", a.body, x, want, len(want))
		x.Manifest = func() string { return a.opening }
		e.check(t, "an opening for a manifest", a.body, x, want, len(want))
		x.Manifest = func() string { return "" }
		e.check(t, "no manifest", a.body, x, want, len(want))
		x.Manifest = nil
		e.check(t, "nobody to ask for the manifest", a.body, x, nil, 0)

		x = e.expect(old)
		x.Decision = "one"
		e.check(t, "an older body with all that belongs to it, under another decision", old.body, x, nil, 0)
		x = e.expect(old)
		x.Nonce = "fedcba9876543210"
		e.check(t, "the answer to another nonce", old.body, x, nil, 0)
		x = e.expect(old)
		x.NotBefore = now.Add(time.Second)
		e.check(t, "from before the request", old.body, x, nil, 0)

		x = e.expect(a)
		x.Keys = other.keys
		e.check(t, "another signer", a.body, x, nil, 0)
		x.Keys = sealed.Keys{}
		e.check(t, "no keys", a.body, x, nil, 0)
		x = e.expect(a)
		x.Identities = []sealed.Identity{other.identity}
		e.check(t, "another recipient", a.body, x, nil, 0)
		if _, err := open(a.body, x); !errors.Is(err, sealed.ErrNotMine) {
			t.Errorf("another recipient: got %v, want ErrNotMine", err)
		}
		x.Identities = nil
		e.check(t, "no identity", a.body, x, nil, 0)
		x.Identities = []sealed.Identity{other.identity, e.identity}
		if got, err := open(a.body, x); err != nil || !bytes.Equal(got, want) {
			t.Errorf("one of two identities: got %d bytes, %v", len(got), err)
		}
		// Who knows the recipient's public key can seal to it, and not sign.
		forged := other
		forged.identity, forged.sealer = e.identity, e.sealer
		fake := forged.seal(t, "one", []byte("forged"))
		e.check(t, "sealed by another with another's signature", fake.body, e.expect(fake), nil, 0)
		mixed := e.expect(a)
		e.check(t, "sealed by another beside the true opening", fake.body, mixed, nil, 0)
	}
}

// Every byte of what is signed.
func TestAnyByteOfAManifest(t *testing.T) {
	e := newEnd(t, sealed.HPKE)
	a := e.seal(t, "one", []byte("hello"))
	for at := range a.manifest {
		b := []byte(a.manifest)
		b[at] ^= 1
		if m, err := e.keys.Verify(string(b)); err == nil {
			t.Errorf("byte %d: verifies, %+v", at, m)
		}
	}
	file, err := sealed.ManifestFile(a.manifest)
	if err != nil {
		t.Fatal(err)
	}
	one, err1 := e.keys.Verify(a.manifest)
	two, err2 := e.keys.Verify(string(file))
	if err1 != nil || err2 != nil || fmt.Sprint(one) != fmt.Sprint(two) {
		t.Errorf("the file of a manifest says %v, %v, want %v, %v", two, err2, one, err1)
	}
}

func TestSignIsStrict(t *testing.T) {
	e := newEnd(t, sealed.Age)
	good, err := e.keys.Verify(e.seal(t, "one", []byte("hello")).manifest)
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]func(*sealed.Manifest){
		"no decision":      func(m *sealed.Manifest) { m.Decision = "" },
		"no vendor":        func(m *sealed.Manifest) { m.Vendor = "" },
		"no format":        func(m *sealed.Manifest) { m.Format = "" },
		"no recipient":     func(m *sealed.Manifest) { m.Recipients = nil },
		"a recipient":      func(m *sealed.Manifest) { m.Recipients = []string{"x"} },
		"no preamble":      func(m *sealed.Manifest) { m.Preamble = "" },
		"no time":          func(m *sealed.Manifest) { m.Created = time.Time{} },
		"a short nonce":    func(m *sealed.Manifest) { m.Nonce = "x" },
		"no digest":        func(m *sealed.Manifest) { m.SHA256 = "" },
		"no bytes":         func(m *sealed.Manifest) { m.Bytes = 0 },
		"an opening's end": func(m *sealed.Manifest) { m.Final = false },
		"a line break":     func(m *sealed.Manifest) { m.ContentType = "a\nb" },
	} {
		m := good
		f(&m)
		if s, err := m.Sign(e.org); err == nil {
			t.Errorf("%s: signed: %s", name, s)
		}
	}
}

func TestKeysAsText(t *testing.T) {
	for _, f := range formats {
		id, err := sealed.NewIdentity(f)
		if err != nil {
			t.Fatal(err)
		}
		again, err := sealed.ParseIdentities(append([]byte("# a comment\n\n"), id.Secret()...))
		if err != nil || len(again) != 1 || again[0].Recipient().String() != id.Recipient().String() {
			t.Errorf("%s: read again: %v, %v", f, again, err)
		}
		r, err := sealed.ParseRecipient(id.Recipient().String())
		if err != nil || r.Format() != f || r.ID() != id.Recipient().ID() {
			t.Errorf("%s: recipient read again: %v, %v", f, r, err)
		}
		for _, text := range []string{fmt.Sprint(id), fmt.Sprintf("%+v %#v", id, &id)} {
			if strings.Contains(text, strings.TrimSpace(string(id.Secret()))) {
				t.Errorf("%s: the identity prints", f)
			}
		}
		if _, err := json.Marshal(id); err == nil {
			t.Errorf("%s: the identity marshals", f)
		}
		// A secret given where a public key belongs is not quoted back.
		if _, err := sealed.ParseRecipient(strings.TrimSpace(string(id.Secret()))); err == nil || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: a secret as a recipient: %v", f, err)
		}
	}
	for _, bad := range []string{"", "age1", "age1pq1", "hpke-p256:", "hpke-p256:AAAA", "ssh-ed25519 AAAA", strings.Repeat("age1", 1000)} {
		if _, err := sealed.ParseRecipient(bad); err == nil {
			t.Errorf("recipient %.20q was taken", bad)
		}
		if _, err := sealed.ParseIdentities([]byte(bad)); err == nil {
			t.Errorf("identity %.20q was taken", bad)
		}
	}
}

func TestRecipientsOfOneKind(t *testing.T) {
	pq, old, p256 := newEnd(t, sealed.Age).identity.Recipient(), newEnd(t, sealed.AgeX25519).identity.Recipient(), newEnd(t, sealed.HPKE).identity.Recipient()
	for name, list := range map[string][]sealed.Recipient{
		"none": {}, "zero": {{}}, "hybrid and X25519": {pq, old}, "age and hpke": {pq, p256}, "two of hpke": {p256, p256}, "five": {pq, pq, pq, pq, pq},
	} {
		if _, err := sealed.NewSealer(list...); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	// Several of age: each opens it.
	one, two := newEnd(t, sealed.Age), newEnd(t, sealed.Age)
	var err error
	if one.sealer, err = sealed.NewSealer(one.identity.Recipient(), two.identity.Recipient()); err != nil {
		t.Fatal(err)
	}
	a := one.seal(t, "one", []byte("for both"))
	for _, e := range []*end{one, two} {
		x := one.expect(a)
		x.Identities = []sealed.Identity{e.identity}
		if got, err := open(a.body, x); err != nil || string(got) != "for both" {
			t.Errorf("got %q, %v", got, err)
		}
	}
}

// A wrapped file key serves for a while, and every body has a nonce of its own.
func TestFileKeysChange(t *testing.T) {
	e := newEnd(t, sealed.Age)
	head := func(at time.Time) (string, string) {
		b, err := e.sealer.Begin(at)
		if err != nil {
			t.Fatal(err)
		}
		p := string(b.Preamble())
		return p[:len(p)-16], p[len(p)-16:]
	}
	h1, n1 := head(now)
	h2, n2 := head(now.Add(30 * time.Second))
	h3, _ := head(now.Add(61 * time.Second))
	h4, _ := head(now)
	if h1 != h2 || n1 == n2 {
		t.Error("within a minute: want one header, two nonces")
	}
	if h1 == h3 || h3 == h4 {
		t.Error("after a minute, and when the clock went back: want another header")
	}
}

func TestToFile(t *testing.T) {
	e := newEnd(t, sealed.HPKE)
	want := random(7, 5*chunk)
	a := e.seal(t, "one", want)
	dir := t.TempDir()
	path := filepath.Join(dir, "out.json")
	write := func(body []byte) error {
		r, err := sealed.Open(bytes.NewReader(body), e.expect(a))
		if err != nil {
			return err
		}
		seen := int64(0)
		err = r.ToFile(path, func(n int64) {
			seen = n
			if _, err := os.Stat(path); err == nil {
				t.Error("the file has its name before it is whole")
			}
		})
		if err == nil && (seen != int64(len(want)) || r.Manifest().Clear != seen) {
			t.Errorf("progress said %d, the manifest %d, want %d", seen, r.Manifest().Clear, len(want))
		}
		return err
	}
	if err := write(a.body[:len(a.body)-1]); !errors.Is(err, sealed.ErrTampered) {
		t.Errorf("cut off: got %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("of a body that was cut off %v is left", left)
	}
	if err := write(a.body); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, want 0600", info.Mode())
	}
	if err := write(a.body); err == nil {
		t.Error("a file that was there was replaced")
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("%d files, want one", len(left))
	}
}

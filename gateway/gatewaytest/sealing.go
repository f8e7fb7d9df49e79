package gatewaytest

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/gate/gatetest"
	"github.com/sallyport/sallyport/hospital"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/seal/sealed"
	"github.com/sallyport/sallyport/snapshot"
)

// Sealing is the vendor's end of sealed releases: what its agent holds.
type Sealing struct {
	Identity sealed.Identity
	Keys     sealed.Keys
}

// Seal makes the world's engagement demand sealed releases, in the mode of the
// format, and gives the world's device a key of that format.
func (w *World) Seal(f sealed.Format) Sealing {
	w.T.Helper()
	s := Sealing{Identity: must[sealed.Identity](w.T)(sealed.NewIdentity(f))}
	mode := snapshot.SealAge
	if f == sealed.HPKE {
		mode = snapshot.SealHPKE
	}
	w.Demand(mode, s.Identity.Recipient().String())
	key, err := w.Keys.ReleaseKey()
	if err != nil {
		w.T.Fatal(err)
	}
	set := must[[]byte](w.T)(key.PublicKeys())
	s.Keys = must[sealed.Keys](w.T)(sealed.ParseKeys(set))
	return s
}

// Demand sets what the engagement demands and which keys the device has for it.
func (w *World) Demand(mode snapshot.Sealing, recipients ...string) {
	w.Edit(func(e *snapshot.Edit) {
		old, _ := w.View().Engagements.Get(gatetest.Engagement)
		engagement := *old
		engagement.Sealing = mode
		e.Put(&engagement)
		was, _ := w.View().Devices.Get(gatetest.Device)
		device := *was
		device.SealTo = recipients
		e.Put(&device)
	})
}

// Open opens a sealed answer, and checks all that was signed about it.
func (s Sealing) Open(r Response) ([]byte, sealed.Manifest, error) {
	x := sealed.Expect{Identities: []sealed.Identity{s.Identity}, Keys: s.Keys, Decision: id.Decision(r.Header.Get("Sallyport-Decision"))}
	x.FromHeaders(r.Header, func() map[string][]string { return r.Trailer })
	reader, err := sealed.Open(bytes.NewReader(r.Body), x)
	if err != nil {
		return nil, sealed.Manifest{}, err
	}
	plain, err := io.ReadAll(reader)
	return plain, reader.Manifest(), err
}

// What a protocol's answers must be under a sealed engagement.

func (c Case) sealed(t *testing.T) {
	for _, f := range []sealed.Format{sealed.Age, sealed.AgeX25519, sealed.HPKE} {
		t.Run(string(f), func(t *testing.T) {
			w, code := c.box(t, Options{})
			clear := map[string]Response{"short": ask(w, c.Short(code)), "long": ask(w, c.Long(code))}
			s := w.Seal(f)
			for name, a := range map[string]Ask{"short": c.Short(code), "long": c.Long(code)} {
				r := ask(w, a)
				plain, _, err := s.Open(r)
				if r.Status != 200 || err != nil || len(plain) != len(clear[name].Body) || !bytes.Equal(plain[:20], clear[name].Body[:20]) { // links and times differ
					t.Fatalf("%s: got %d, %v, %d bytes, want the %d bytes that leave without sealing", name, r.Status, err, len(plain), len(clear[name].Body))
				}
			}
			w.Hospital.Misbehave(c.Longest(6<<20, 0))
			w.isSealed(s, ask(w, c.Long(code)), 2)
			w.Client = w.HTTP1()
			w.isSealed(s, ask(w, c.Long(code)), 2)
			w.Hospital.Misbehave(hospital.Fault{})
			w.isSealed(s, ask(w, c.Short(code)), 1)
		})
	}
}

func (c Case) sealedWithoutKey(t *testing.T) {
	w, code := c.box(t, Options{})
	other := must[sealed.Identity](t)(sealed.NewIdentity(sealed.Age))
	for name, recipients := range map[string][]string{"no key": nil, "a key of another kind": {other.Recipient().String()}} {
		w.Demand(snapshot.SealHPKE, recipients...)
		r := ask(w, c.Short(code))
		if r.Status != 403 || !w.refused(r.Header.Get("Sallyport-Decision"), "sealing") {
			t.Errorf("%s: got %d, want a refusal by sealing", name, r.Status)
		}
	}
	w.Demand(snapshot.SealAge, "age1pq1thisisnokey")
	if r := ask(w, c.Short(code)); r.Status != 403 || !w.refused(r.Header.Get("Sallyport-Decision"), "sealing") {
		t.Errorf("a key that is none: got %d, want a refusal by sealing", r.Status)
	}
	if n := w.Hospital.Served().Requests; n != 0 {
		t.Errorf("the source was asked %d times", n)
	}
}

func (c Case) sealedUnderWay(t *testing.T) {
	mine, next := must[sealed.Identity](t)(sealed.NewIdentity(sealed.Age)), must[sealed.Identity](t)(sealed.NewIdentity(sealed.Age))
	for name, x := range map[string]struct {
		before, after snapshot.Sealing
		key           string
	}{
		"sealing is demanded":    {"", snapshot.SealAge, mine.Recipient().String()},
		"the key is replaced":    {snapshot.SealAge, snapshot.SealAge, next.Recipient().String()},
		"sealing is given up":    {snapshot.SealAge, "", mine.Recipient().String()},
		"the key is taken away":  {snapshot.SealAge, snapshot.SealAge, ""},
		"another mode is wanted": {snapshot.SealAge, snapshot.SealHPKE, mine.Recipient().String()},
	} {
		t.Run(name, func(t *testing.T) {
			w, code := c.box(t, Options{})
			w.Demand(x.before, mine.Recipient().String())
			w.Hospital.Misbehave(c.Longest(256<<20, 2_000_000))
			resp := begin(t.Context(), t, w.Client, w, c.Long(code))
			defer resp.Body.Close()
			if _, err := io.ReadFull(resp.Body, make([]byte, 1000)); err != nil {
				t.Fatal(err)
			}
			w.Demand(x.after, x.key)
			began := time.Now()
			if _, err := io.Copy(io.Discard, resp.Body); err == nil {
				t.Error("the answer came to its end")
			}
			if took := time.Since(began); took > time.Minute {
				t.Errorf("it took %v", took)
			}
			if resp.Trailer.Get("Sallyport-Manifest") != "" {
				t.Error("half an answer has a manifest")
			}
		})
	}
}

func (c Case) nonce(t *testing.T) {
	w, code := c.box(t, Options{})
	s := w.Seal(sealed.HPKE)
	a := c.Short(code)
	const nonce = "0123456789abcdef-_AZ"
	r := w.Do(a.Method, a.Path, a.Body, append(a.Header, "Sallyport-Nonce", nonce)...)
	if _, m, err := s.Open(r); err != nil || m.Nonce != nonce {
		t.Errorf("got %q, %v", m.Nonce, err)
	}
	if r := w.Do(a.Method, a.Path, a.Body, append(a.Header, "Sallyport-Nonce", "short")...); r.Status != 400 {
		t.Errorf("a nonce that is none: got %d, want 400", r.Status)
	}
}

// isSealed checks an answer of at least so many releases against the log.
func (w *World) isSealed(s Sealing, r Response, least int) {
	t := w.T
	t.Helper()
	plain, m, err := s.Open(r)
	if r.Status != 200 || r.Err != nil || err != nil {
		t.Fatalf("got %d, %v, %v", r.Status, r.Err, err)
	}
	for at := 0; at+64 <= len(plain); at += len(plain)/16 + 64 {
		if bytes.Contains(r.Body, plain[at:at+64]) {
			t.Fatalf("byte %d of what is inside is in the body", at)
		}
	}
	if got, want := r.Header.Get("Content-Type"), m.Format.MediaType(); got != want || m.ContentType == "" || m.ContentType == got {
		t.Errorf("the body's type is %q, and inside %q; want %q outside", got, m.ContentType, want)
	}
	key := s.Identity.Recipient().ID()
	at, inside, chunks := uint64(0), uint64(0), 0
	for _, e := range w.Decision(r) {
		if in := e.Intent; in != nil {
			if in.Transport.Sealing != string(m.Format) || e.Index != m.Ticket || in.Engagement != m.Engagement || e.Origin != m.Log {
				t.Errorf("the intent %d says %q, and the manifest %+v", e.Index, in.Transport.Sealing, m)
			}
		}
		o := e.Outcome
		if o == nil {
			continue
		}
		if at+o.Bytes > uint64(len(r.Body)) || o.Digest != audit.Digest(sha256.Sum256(r.Body[at:at+o.Bytes])) {
			t.Fatalf("chunk %d is not what was recorded", o.Chunk)
		}
		at += o.Bytes
		x := o.Sealed
		if x == nil || x.Mode != string(m.Format) || len(x.Recipients) != 1 || x.Recipients[0] != audit.Digest(key) ||
			x.Digest != audit.Digest(sha256.Sum256(plain[inside:inside+x.Bytes])) {
			t.Fatalf("chunk %d: the log says of its sealing %+v", o.Chunk, x)
		}
		inside += x.Bytes
		chunks++
		if o.Final && e.Index != m.Outcome {
			t.Errorf("the last outcome is %d, and the manifest says %d", e.Index, m.Outcome)
		}
	}
	sum := sha256.Sum256(r.Body)
	if at != uint64(len(r.Body)) || inside != uint64(len(plain)) || chunks < least || m.Releases != chunks || m.SHA256 != hex.EncodeToString(sum[:]) {
		t.Errorf("%d chunks cover %d of %d bytes; the manifest says %d", chunks, at, len(r.Body), m.Releases)
	}
	if streamed := r.Header.Get("Sallyport-Seal") != ""; streamed != (chunks > 1) {
		t.Errorf("%d chunks, and an opening: %t", chunks, streamed)
	}
	if got := cmp.Or(r.Header.Get("Cache-Control"), "none"); got != "no-store" {
		t.Errorf("Cache-Control is %q", got)
	}
}

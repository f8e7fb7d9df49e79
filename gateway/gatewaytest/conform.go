package gatewaytest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/gateway"
	"github.com/sallyport/sallyport/hospital"
	"github.com/sallyport/sallyport/snapshot"
)

// Ask is one request below the source's address.
type Ask struct {
	Method, Path string
	Body         []byte
	Header       []string
}

// Case is what the suite needs to know of a protocol.
type Case struct {
	Protocol func() gateway.Protocol
	// Short asks for something small about the patient with this code.
	Short func(code string) Ask
	// Long asks for something that the source answers with Observations of the
	// patient, as many as it likes.
	Long func(code string) Ask
	// Longest is a fault that makes the source answer Long with so many bytes, so
	// many a second (0: as fast as it can).
	Longest func(size int64, rate int) hospital.Fault
}

// Conform is the suite that every protocol passes.
func Conform(t *testing.T, c Case) {
	for _, x := range []struct {
		name string
		run  func(Case, *testing.T)
	}{
		{"a permitted question is answered, and what leaves is what was recorded", Case.permitted},
		{"an unknown caller gets a bare 401", Case.unknownCaller},
		{"a refusal asks no source, names the gate and is recorded", Case.refusal},
		{"without the log nothing leaves", Case.withoutLog},
		{"no canary leaves or is written down", Case.noCanaries},
		{"a caller who goes away is let go, and the record says incomplete", Case.goneAway},
		{"more than one release goes in chunks, each recorded before it", Case.chunks},
		{"an answer that breaks off is never complete", Case.brokenOff},
		{"a revocation stops a release that is under way", Case.revoked},
		{"under a sealed engagement nothing but the device's key opens what leaves", Case.sealed},
		{"a device without a key is refused under a sealed engagement", Case.sealedWithoutKey},
		{"a stream stops when sealing is demanded, or its key is taken off the device", Case.sealedUnderWay},
		{"the manifest answers the request's nonce", Case.nonce},
	} {
		t.Run(x.name, func(t *testing.T) { x.run(c, t) })
	}
}

// box is a world with this protocol, and the code of a patient.
func (c Case) box(t *testing.T, o Options) (*World, string) {
	w := New(t, c.Protocol(), o)
	return w, w.Code(w.Records.IDs("Patient")[0])
}

func ask(w *World, a Ask) Response {
	w.T.Helper()
	return w.Do(a.Method, a.Path, a.Body, a.Header...)
}

// begin asks, and leaves the answer's body to be read.
func begin(ctx context.Context, t *testing.T, hc *http.Client, w *World, a Ask) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, a.Method, w.URL+a.Path, bytes.NewReader(a.Body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(a.Header); i += 2 {
		req.Header.Set(a.Header[i], a.Header[i+1])
	}
	resp, err := hc.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

func (c Case) permitted(t *testing.T) {
	w, code := c.box(t, Options{})
	for name, a := range map[string]Ask{"short": c.Short(code), "long": c.Long(code)} {
		r := ask(w, a)
		if r.Status != 200 || r.Err != nil || len(r.Body) == 0 {
			t.Fatalf("%s: got %d, %v, %d bytes", name, r.Status, r.Err, len(r.Body))
		}
		outcomes := 0
		for _, e := range w.Decision(r) {
			if e.Outcome != nil {
				outcomes++
				if e.Outcome.Digest != audit.Digest(sha256.Sum256(r.Body)) {
					t.Errorf("%s: the digest in the log is not that of what left", name)
				}
			}
		}
		if outcomes != 1 {
			t.Errorf("%s: got %d outcomes, want 1", name, outcomes)
		}
	}
}

func (c Case) unknownCaller(t *testing.T) {
	w, code := c.box(t, Options{})
	a := c.Short(code)
	req, _ := http.NewRequest(a.Method, w.URL+a.Path, bytes.NewReader(a.Body))
	bare := w.Bare()
	r := w.send(bare, req)
	if r.Status != 401 || len(r.Body) != 0 || r.Header.Get("Sallyport-Decision") != "" {
		t.Errorf("got %d and %q", r.Status, r.Body)
	}
	if n := w.Hospital.Served().Requests; n != 0 {
		t.Errorf("the source was asked %d times", n)
	}
}

func (c Case) refusal(t *testing.T) {
	w, code := c.box(t, Options{})
	w.TerminateBAA()
	r := ask(w, c.Short(code))
	if r.Status != 403 {
		t.Fatalf("got %d, want 403", r.Status)
	}
	if n := w.Hospital.Served().Requests; n != 0 {
		t.Errorf("the source was asked %d times", n)
	}
	entries := w.Decision(r)
	if len(entries) != 1 || entries[0].Refusal == nil || !hasGate(entries[0].Refusal, "agreement") {
		t.Errorf("got entries %+v, want a refusal by agreement", entries)
	}
}

func (c Case) withoutLog(t *testing.T) {
	broken := &brokenFS{}
	w, code := c.box(t, Options{FS: func(dir string) audit.FS {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		broken.FS = audit.DirFS(dir)
		return broken
	}})
	if r := ask(w, c.Short(code)); r.Status != 200 {
		t.Fatalf("got %d before the fault", r.Status)
	}
	broken.broken.Store(true)
	for range 2 {
		r := ask(w, c.Short(code))
		if r.Status != 503 || bytes.Contains(r.Body, []byte(code)) {
			t.Errorf("got %d: %s", r.Status, r.Body)
		}
	}
}

func (c Case) noCanaries(t *testing.T) {
	w, code := c.box(t, Options{Records: hospital.GenerateCanaries(7, 4), Hospital: hospital.Options{QuoteInput: true}})
	for _, a := range []Ask{c.Short(code), c.Long(code), c.Short("ZZCANARYNONE1Q"), c.Long("ZZCANARYNONE1Q")} {
		w.NoCanaries("the answer", ask(w, a).Body)
	}
	w.Hospital.Misbehave(hospital.Fault{Status: 500})
	w.NoCanaries("the answer", ask(w, c.Short(code)).Body)
	w.Hospital.Misbehave(hospital.Fault{Status: 400})
	w.NoCanaries("the answer", ask(w, c.Long(code)).Body)
	w.NothingLeaked()
}

func (c Case) goneAway(t *testing.T) {
	w, code := c.box(t, Options{})
	w.Hospital.Misbehave(c.Longest(64<<20, 2<<20))
	ctx, cancel := context.WithCancel(t.Context())
	resp := begin(ctx, t, w.Client, w, c.Long(code))
	if _, err := io.ReadFull(resp.Body, make([]byte, 10_000)); err != nil {
		t.Fatal(err)
	}
	cancel()
	resp.Body.Close()
	decision := resp.Header.Get("Sallyport-Decision")
	Eventually(t, "an outcome that says incomplete", func() bool { return w.incomplete(decision) })
}

func (c Case) chunks(t *testing.T) {
	w, code := c.box(t, Options{})
	w.Hospital.Misbehave(c.Longest(6<<20, 0))
	r := ask(w, c.Long(code))
	if r.Status != 200 || r.Err != nil || len(r.Body) <= 4<<20 {
		t.Fatalf("got %d, %v, %d bytes", r.Status, r.Err, len(r.Body))
	}
	at := uint64(0)
	chunks := 0
	for _, e := range w.Decision(r) {
		if o := e.Outcome; o != nil {
			if at+o.Bytes > uint64(len(r.Body)) || o.Digest != audit.Digest(sha256.Sum256(r.Body[at:at+o.Bytes])) {
				t.Fatalf("chunk %d is not what was recorded", o.Chunk)
			}
			at += o.Bytes
			chunks++
			if want := at == uint64(len(r.Body)); o.Final != want {
				t.Errorf("chunk %d: final is %t", o.Chunk, o.Final)
			}
		}
	}
	if chunks < 2 || at != uint64(len(r.Body)) {
		t.Errorf("%d chunks cover %d of %d bytes", chunks, at, len(r.Body))
	}
}

func (c Case) brokenOff(t *testing.T) {
	w, code := c.box(t, Options{})
	f := c.Longest(20<<20, 0)
	f.Truncate = 12 << 20
	w.Hospital.Misbehave(f)
	if r := ask(w, c.Long(code)); r.Err == nil {
		t.Errorf("got a whole answer of %d bytes", len(r.Body))
	}
	// Before anything has left it is a clear refusal. On a slow machine something of a
	// megabyte has left by then: a chunk leaves before it is full when that takes long.
	for _, size := range []int{300, 1 << 20} {
		f.Truncate = size
		w.Hospital.Misbehave(f)
		r := ask(w, c.Long(code))
		if began := r.Status == 200 && r.Err != nil && size > 300; !began && (r.Status != 502 || r.Err != nil || bytes.Contains(r.Body, []byte(code))) {
			t.Errorf("of %d bytes: got %d, %v, %d bytes, want a clear 502", size, r.Status, r.Err, len(r.Body))
		}
	}
}

func (c Case) revoked(t *testing.T) {
	for _, x := range []struct {
		name  string
		rate  int
		http1 bool
	}{
		{"slow source, HTTP/2", 300_000, false}, {"slow source, HTTP/1.1", 300_000, true},
		{"slow caller, HTTP/2", 0, false}, {"slow caller, HTTP/1.1", 0, true},
	} {
		t.Run(x.name, func(t *testing.T) {
			w, code := c.box(t, Options{})
			rate, hc := x.rate, w.Client
			if x.http1 {
				hc = w.HTTP1()
			}
			w.Hospital.Misbehave(c.Longest(256<<20, rate))
			resp := begin(t.Context(), t, hc, w, c.Long(code))
			defer resp.Body.Close()
			if want := map[bool]int{true: 1, false: 2}[x.http1]; resp.ProtoMajor != want {
				t.Fatalf("got HTTP/%d", resp.ProtoMajor)
			}
			if _, err := io.ReadFull(resp.Body, make([]byte, 1000)); err != nil {
				t.Fatal(err)
			}
			decision := resp.Header.Get("Sallyport-Decision")
			w.TerminateBAA()
			began := time.Now()
			if rate == 0 {
				// The caller reads nothing: the write that waits for it must end.
				Eventually(t, "an outcome that says incomplete", func() bool { return w.incomplete(decision) })
			} else if _, err := io.Copy(io.Discard, resp.Body); err == nil {
				t.Error("the answer came to its end")
			}
			took := time.Since(began)
			t.Logf("cut after %v", took)
			if took > time.Minute { // bench measures how soon; the answer's own end is minutes away
				t.Errorf("it took %v", took)
			}
			Eventually(t, "a log that says that it is incomplete, and who refused", func() bool { return w.incomplete(decision) && w.refused(decision, "agreement") })
		})
	}
}

func hasGate(r *audit.Refusal, gate string) bool {
	for _, f := range r.Failing {
		if f.Gate == gate {
			return true
		}
	}
	return false
}

// Eventually asks until ok, for what is in the log a little after the answer.
func Eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for until := time.Now().Add(time.Minute); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("%s did not come about", what)
		}
	}
}

// incomplete: the newest outcome of the decision says that the answer broke off.
func (w *World) incomplete(decision string) bool {
	result := audit.Result("")
	for _, e := range w.Entries() {
		if e.Outcome != nil && string(e.Decision()) == decision {
			result = e.Outcome.Result
		}
	}
	return result == audit.Incomplete
}

func (w *World) refused(decision, gate string) bool {
	for _, e := range w.Entries() {
		if e.Refusal != nil && string(e.Decision()) == decision && hasGate(e.Refusal, gate) {
			return true
		}
	}
	return false
}

// Bare is a client with the device's certificate and no token.
func (w *World) Bare() *http.Client {
	return &http.Client{Transport: w.tls()}
}

// brokenFS fails to write once it is broken.
type brokenFS struct {
	audit.FS
	broken atomic.Bool
}

var errBroken = errors.New("the disk is gone")

type brokenFile struct {
	audit.File
	fs *brokenFS
}

// OpenFile implements audit.FS.
func (b *brokenFS) OpenFile(name string, flag int, mode fs.FileMode) (audit.File, error) {
	if b.broken.Load() {
		return nil, errBroken
	}
	f, err := b.FS.OpenFile(name, flag, mode)
	if err != nil {
		return nil, err
	}
	return &brokenFile{f, b}, nil
}

// Write implements audit.File.
func (f *brokenFile) Write(p []byte) (int, error) {
	if f.fs.broken.Load() {
		return 0, errBroken
	}
	return f.File.Write(p)
}

// Sync implements audit.File.
func (f *brokenFile) Sync() error {
	if f.fs.broken.Load() {
		return errBroken
	}
	return f.File.Sync()
}

// NoCanaries fails if b holds a canary of the hospital, in the open, in base64
// or in hexadecimal digits.
func (w *World) NoCanaries(where string, b []byte) {
	w.T.Helper()
	if len(b) == 0 {
		return
	}
	w.canaries.Do(func() { w.needles = needles(w.Records.Canaries()) })
	for _, form := range forms("ZZCANARY") { // what most begin with, in each writing
		if bytes.Contains(b, form) {
			w.report(where, b, w.needles.begun)
			break
		}
	}
	w.report(where, b, w.needles.others)
}

func (w *World) report(where string, b []byte, all []needle) {
	w.T.Helper()
	for _, n := range all {
		if slices.ContainsFunc(n.forms, func(form []byte) bool { return bytes.Contains(b, form) }) {
			w.T.Errorf("%s holds the canary of %s (%s)", where, n.Path, n.Kind)
		}
	}
}

// needle is a canary and what it looks like.
type needle struct {
	hospital.Canary
	forms [][]byte
}

// canaryNeedles are a hospital's canaries, those that begin as most do apart: hundreds of
// them are looked for in thousands of answers.
type canaryNeedles struct{ begun, others []needle }

func needles(all []hospital.Canary) (out canaryNeedles) {
	seen := map[string]bool{}
	for _, c := range all {
		switch {
		case seen[c.Value]:
		case strings.HasPrefix(c.Value, "ZZCANARY"):
			out.begun = append(out.begun, needle{c, forms(c.Value)})
		default:
			out.others = append(out.others, needle{c, forms(c.Value)})
		}
		seen[c.Value] = true
	}
	return out
}

// forms are what a value looks like in the open, in hexadecimal digits and in base64,
// wherever that is long enough to mean something.
func forms(value string) [][]byte {
	out := [][]byte{[]byte(value), []byte(hex.EncodeToString([]byte(value)))}
	for _, form := range (hospital.Canary{Value: value}).Base64() {
		if len(form) >= 10 {
			out = append(out, []byte(form))
		}
	}
	return out
}

// NothingLeaked searches all that the gateway wrote: logs, metrics, the audit
// directory, the vault and the keys, for canaries.
func (w *World) NothingLeaked() {
	w.T.Helper()
	w.NoCanaries("the log of requests", []byte(w.Logs()))
	families, err := w.Metrics.Gather()
	if err != nil {
		w.T.Fatal(err)
	}
	for _, f := range families {
		w.NoCanaries("metric "+f.GetName(), []byte(f.String()))
	}
	err = filepath.WalkDir(w.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // tidied away meanwhile
		}
		if err != nil {
			return err
		}
		w.NoCanaries("file "+strings.TrimPrefix(path, w.Dir), b)
		return nil
	})
	if err != nil {
		w.T.Fatal(err)
	}
}

// ReachOnly gives the world's grant the cohort of these patients. A name that
// was used before keeps its members: give another with Reach.
func (w *World) ReachOnly(patients ...string) { w.Reach("only", patients...) }

// Reach is ReachOnly with a name for the list.
func (w *World) Reach(name string, patients ...string) {
	c := w.List(name, patients...)
	w.EditGrant(func(g *snapshot.Grant) { g.Cohort = c })
}

package fhirapi

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/gateway/gatewaytest"
	"github.com/sallyport/sallyport/hospital"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/internal/need"
	"github.com/sallyport/sallyport/seal/sealed"
	"github.com/sallyport/sallyport/snapshot"
)

// What a vendor does who has nothing but the age tool: a small answer and a
// stream of many releases open with it, and what is inside is FHIR.
func TestTheStockAgeToolOpensAnswers(t *testing.T) {
	tool := filepath.Join(need.Age(t), "age")
	for _, f := range []sealed.Format{sealed.Age, sealed.AgeX25519} {
		t.Run(string(f), func(t *testing.T) {
			w := gatewaytest.New(t, New("test", ""), gatewaytest.Options{})
			s := w.Seal(f)
			dir := t.TempDir()
			key := filepath.Join(dir, "key")
			if err := os.WriteFile(key, s.Identity.Secret(), 0o600); err != nil {
				t.Fatal(err)
			}
			age := func(body []byte) ([]byte, error) {
				file := filepath.Join(dir, "body.age")
				if err := os.WriteFile(file, body, 0o600); err != nil {
					t.Fatal(err)
				}
				var out bytes.Buffer
				c := exec.Command(tool, "--decrypt", "--identity", key, file)
				c.Stdout = &out
				err := c.Run()
				return out.Bytes(), err
			}
			patient := w.Code(w.Records.IDs("Patient")[0])
			for _, path := range []string{"/Patient/" + patient, "/Observation?patient=" + patient} {
				r := w.Get(path)
				if got, want := r.Header.Get("Content-Type"), "application/age"; got != want {
					t.Errorf("the type is %q, want %q", got, want)
				}
				plain, err := age(r.Body)
				if err != nil || !json.Valid(plain) || !bytes.Contains(plain, []byte(patient)) {
					t.Errorf("%s: age gives %d bytes, %v", path, len(plain), err)
				}
				if mine, _, err := s.Open(r); err != nil || !bytes.Equal(mine, plain) {
					t.Errorf("%s: age and we do not agree, %v", path, err)
				}
			}
			// Three releases in the one format, and two in the other.
			huge, least := int64(30<<20), 3
			if f == sealed.AgeX25519 {
				huge, least = 14<<20, 2
			}
			w.Hospital.Misbehave(hospital.Fault{Path: "Observation", Huge: huge})
			r := w.Get("/Observation?patient=" + patient)
			plain, err := age(r.Body)
			if err != nil || len(plain) <= (least-1)*4<<20 || !json.Valid(plain) {
				t.Fatalf("a stream: age gives %d bytes of %d, %v", len(plain), len(r.Body), err)
			}
			if _, m, err := s.Open(r); err != nil || m.Releases < least {
				t.Errorf("it was no stream: %d releases, %v", m.Releases, err)
			}
			r.Body[len(r.Body)/2] ^= 1
			if _, err := age(r.Body); err == nil {
				t.Error("age takes a stream with one bit changed")
			}
		})
	}
}

// middlebox is a proxy that ends TLS with the vendor's own certificates, as the
// worst one could, and sees what is inside.
type middlebox struct {
	mu     sync.Mutex
	seen   bytes.Buffer
	change atomic.Pointer[func(*http.Response)]
}

func (m *middlebox) between(t *testing.T, w *gatewaytest.World) *http.Client {
	t.Helper()
	gw, err := url.Parse(w.URL)
	if err != nil {
		t.Fatal(err)
	}
	up := &http.Transport{TLSClientConfig: identity.ClientTLS(w.Device, w.Authority.Pool())}
	t.Cleanup(up.CloseIdleConnections)
	p := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "https", Host: gw.Host})
	p.Transport = up
	p.FlushInterval = -1
	p.ModifyResponse = func(r *http.Response) error {
		_ = r.Header.Write(&locked{m}) // a Buffer takes all
		r.Body = struct {
			io.Reader
			io.Closer
		}{io.TeeReader(r.Body, &locked{m}), r.Body}
		if change := m.change.Load(); change != nil {
			(*change)(r)
		}
		return nil
	}
	box := httptest.NewTLSServer(p)
	t.Cleanup(box.Close)
	hc := box.Client()
	hc.Transport = w.Tokens.Transport(rerouted{hc.Transport, box.Listener.Addr().String()})
	return hc
}

type locked struct{ m *middlebox }

// Write implements io.Writer.
func (l *locked) Write(p []byte) (int, error) {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	return l.m.seen.Write(p)
}

// rerouted sends requests to another host.
type rerouted struct {
	http.RoundTripper
	host string
}

// RoundTrip implements http.RoundTripper.
func (r rerouted) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.URL.Host, req.Host = r.host, ""
	return r.RoundTripper.RoundTrip(req)
}

// A proxy that ends TLS, and a capture of the packets, see every byte of every
// answer, and no word of a patient's.
func TestWhoeverIsBetweenSeesCiphertext(t *testing.T) {
	for _, f := range []sealed.Format{sealed.Age, sealed.HPKE} {
		t.Run(string(f), func(t *testing.T) {
			w := gatewaytest.New(t, New("test", ""), gatewaytest.Options{})
			patient := w.Code(w.Records.IDs("Patient")[0])
			paths := []string{"/Patient/" + patient, "/Observation?patient=" + patient, "/Patient/" + patient + "/$everything?_count=50", "/Encounter?patient=" + patient}
			batch := `{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"Patient/` + patient + `"}},` +
				`{"request":{"method":"GET","url":"Condition?patient=` + patient + `"}},{"request":{"method":"GET","url":"Patient/nobody"}}]}`
			box := new(middlebox)
			hc := box.between(t, w)
			// Words that patients' answers hold and that neither requests nor headers do.
			words := []string{`"resourceType":"Patient"`, `"birthDate"`, `"valueQuantity"`, `"gender"`, `"http://loinc.org"`, `"clinicalStatus"`, `"effectiveDateTime"`}
			all := func(s *gatewaytest.Sealing) (n int) {
				for _, path := range paths {
					r := w.DoAs(hc, w.URL+path)
					if r.Status != 200 || r.Err != nil {
						t.Fatalf("%s: %d, %v", path, r.Status, r.Err)
					}
					if s != nil {
						plain, _, err := s.Open(r)
						if err != nil {
							t.Fatalf("%s through the proxy: %v", path, err)
						}
						n += len(plain)
					}
				}
				req, err := http.NewRequest(http.MethodPost, w.URL+"/", strings.NewReader(batch))
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Content-Type", "application/fhir+json")
				resp, err := hc.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				body, err := io.ReadAll(resp.Body)
				if err != nil || resp.StatusCode != 200 {
					t.Fatalf("batch: %d, %v: %s", resp.StatusCode, err, body)
				}
				return n
			}
			saw := func() (found []string) {
				for _, word := range words {
					if bytes.Contains(box.seen.Bytes(), []byte(word)) {
						found = append(found, word)
					}
				}
				return found
			}
			all(nil)
			if got := saw(); len(got) < 6 {
				t.Fatalf("without sealing the proxy sees only %q: this test looks for the wrong words", got)
			}
			box.seen.Reset()
			s := w.Seal(f)
			if n := all(&s); n < 10_000 {
				t.Fatalf("only %d bytes came", n)
			}
			if got := saw(); len(got) > 0 {
				t.Errorf("with sealing the proxy sees %q", got)
			}
		})
	}
}

// The packets on the way hold nothing either.
func TestACaptureHoldsNothing(t *testing.T) {
	w := gatewaytest.New(t, New("test", ""), gatewaytest.Options{})
	s := w.Seal(sealed.Age)
	gw, _ := url.Parse(w.URL)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var captured bytes.Buffer
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", gw.Host)
			if err != nil {
				t.Error(err)
				in.Close()
				return
			}
			pipe := func(to, from net.Conn) {
				defer to.Close()
				buf := make([]byte, 32<<10)
				for {
					n, err := from.Read(buf)
					mu.Lock()
					captured.Write(buf[:n])
					mu.Unlock()
					if _, werr := to.Write(buf[:n]); err != nil || werr != nil {
						return
					}
				}
			}
			wg.Go(func() { pipe(out, in) })
			wg.Go(func() { pipe(in, out) })
		}
	})
	tr := &http.Transport{TLSClientConfig: identity.ClientTLS(w.Device, w.Authority.Pool())}
	hc := &http.Client{Transport: w.Tokens.Transport(rerouted{tr, l.Addr().String()})}
	patient := w.Code(w.Records.IDs("Patient")[0])
	r := w.DoAs(hc, w.URL+"/Observation?patient="+patient)
	plain, _, err := s.Open(r)
	if err != nil {
		t.Fatal(err)
	}
	tr.CloseIdleConnections()
	l.Close()
	wg.Wait()
	if captured.Len() < len(plain) {
		t.Fatalf("%d bytes were captured of an answer of %d", captured.Len(), len(plain))
	}
	for _, word := range []string{patient, "resourceType", "valueQuantity", "Bundle"} {
		if !bytes.Contains(plain, []byte(word)) {
			t.Errorf("the answer has no %q: this test looks for the wrong words", word)
		}
		if bytes.Contains(captured.Bytes(), []byte(word)) {
			t.Errorf("%q is in the packets", word)
		}
	}
}

// A proxy that changes, cuts or exchanges answers gets nothing past the opener.
func TestAProxyThatTampers(t *testing.T) {
	w := gatewaytest.New(t, New("test", ""), gatewaytest.Options{})
	s := w.Seal(sealed.Age)
	box := new(middlebox)
	hc := box.between(t, w)
	w.Hospital.Misbehave(hospital.Fault{Path: "Observation", Huge: 14 << 20})
	patient := w.Code(w.Records.IDs("Patient")[0])
	ask := func() ([]byte, error) {
		r := w.DoAs(hc, w.URL+"/Observation?patient="+patient)
		if r.Status != 200 {
			t.Fatalf("got %d", r.Status)
		}
		plain, _, err := s.Open(r)
		return plain, err
	}
	whole, err := ask()
	if err != nil {
		t.Fatal(err)
	}
	// Another answer, as a proxy would keep it.
	old := w.DoAs(hc, w.URL+"/Observation?patient="+patient+"&_count=1")
	const at = 3 << 20
	for name, tc := range map[string]struct {
		change func(*http.Response)
		most   int
	}{
		"one bit":  {func(r *http.Response) { r.Body = body{&flipper{r: r.Body, at: at}, r.Body} }, at},
		"cut off":  {func(r *http.Response) { r.Body = body{io.LimitReader(r.Body, at), r.Body} }, at},
		"exchange": {func(r *http.Response) { r.Body = body{bytes.NewReader(old.Body), r.Body} }, 0},
		"no manifest": {func(r *http.Response) {
			r.Trailer = nil
			r.Header.Del("Trailer")
			b, _ := io.ReadAll(r.Body)
			r.Trailer = nil
			r.Body = body{bytes.NewReader(b), r.Body}
		}, len(whole)},
		"no opening":      {func(r *http.Response) { r.Header.Del("Sallyport-Seal") }, 0},
		"another opening": {func(r *http.Response) { r.Header.Set("Sallyport-Seal", old.Header.Get("Sallyport-Seal")) }, 0},
	} {
		box.change.Store(&tc.change)
		got, err := ask()
		if err == nil {
			t.Errorf("%s: it is final", name)
		}
		if len(got) > tc.most {
			t.Errorf("%s: %d bytes were handed on, want at most %d", name, len(got), tc.most)
		}
	}
}

type body struct {
	io.Reader
	io.Closer
}

// flipper changes a bit of one byte.
type flipper struct {
	r     io.Reader
	n, at int
}

// Read implements io.Reader.
func (f *flipper) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	if f.at >= f.n && f.at < f.n+n {
		p[f.at-f.n] ^= 4
	}
	f.n += n
	return n, err
}

// Each answer of a batch is sealed by itself, and has its own decision.
func TestABatchIsSealed(t *testing.T) {
	w := gatewaytest.New(t, New("test", ""), gatewaytest.Options{})
	s := w.Seal(sealed.HPKE)
	patient := w.Code(w.Records.IDs("Patient")[0])
	r := w.Do(http.MethodPost, "/", []byte(`{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"Patient/`+patient+`"}},`+
		`{"request":{"method":"GET","url":"Patient/nobody"}},{"request":{"method":"GET","url":"metadata"}},`+
		`{"request":{"method":"GET","url":"Observation?patient=`+patient+`"}}]}`), "Content-Type", "application/fhir+json")
	if r.Status != 200 || r.Err != nil {
		t.Fatalf("got %d, %v: %s", r.Status, r.Err, r.Body)
	}
	var bundle struct {
		Entry []struct {
			Resource struct {
				ResourceType, ContentType string
				Data                      []byte
			}
			Response struct {
				Status    string
				Extension []struct{ URL, ValueString string }
			}
		}
	}
	if err := json.Unmarshal(r.Body, &bundle); err != nil || len(bundle.Entry) != 4 {
		t.Fatalf("%v: %s", err, r.Body)
	}
	for i, inside := range map[int]string{0: `"resourceType":"Patient"`, 3: `"resourceType":"Bundle"`} {
		e := bundle.Entry[i]
		if e.Resource.ResourceType != "Binary" || e.Resource.ContentType != sealed.HPKE.MediaType() || len(e.Response.Extension) != 1 || e.Response.Extension[0].URL != ManifestURL {
			t.Fatalf("entry %d: %+v", i, e)
		}
		reader, err := sealed.Open(bytes.NewReader(e.Resource.Data), sealed.Expect{Identities: []sealed.Identity{s.Identity}, Keys: s.Keys, Opening: e.Response.Extension[0].ValueString})
		if err != nil {
			t.Fatal(err)
		}
		plain, err := io.ReadAll(reader)
		if err != nil || !bytes.Contains(plain, []byte(inside)) {
			t.Errorf("entry %d: %v: %.80s", i, err, plain)
		}
		found := false
		for _, a := range w.Entries() {
			if a.Outcome != nil && a.Outcome.Decision == reader.Manifest().Decision {
				found = a.Outcome.Result == audit.Released && a.Outcome.Bytes == uint64(len(e.Resource.Data))
			}
		}
		if !found {
			t.Errorf("entry %d: its outcome is not in the log", i)
		}
	}
	if got := bundle.Entry[1].Response.Status; got != "404" {
		t.Errorf("nobody: got %s", got)
	}
}

// With canaries in every element, nothing that the vendor's key does not open
// holds one, whatever the role shows.
func TestNoCanaryOutsideTheSeal(t *testing.T) {
	records := hospital.GenerateCanaries(13, 2)
	w := gatewaytest.New(t, New("test", ""), gatewaytest.Options{Records: records,
		Role: func(r *snapshot.Role) {
			for _, typ := range records.Types() {
				r.Resources[typ] = snapshot.ResourceScope{Interactions: []string{"read", "search-type"}, Elements: []string{"*"}}
			}
		}})
	s := w.Seal(sealed.Age)
	opened := 0
	for r := range records.All() {
		a := w.Get("/" + r.Type + "/" + w.Code(r.ID))
		w.NoCanaries("an answer", a.Body)
		for name, values := range a.Header {
			w.NoCanaries("header "+name, []byte(strings.Join(values, ",")))
		}
		if a.Status == 200 {
			if a.Header.Get("Content-Type") != "application/age" {
				t.Errorf("%s is of type %q", r.Type, a.Header.Get("Content-Type"))
			}
			if _, _, err := s.Open(a); err == nil {
				opened++
			}
		}
	}
	if opened < records.Len()/3 {
		t.Errorf("only %d of %d resources were opened", opened, records.Len())
	}
	w.NothingLeaked()
}

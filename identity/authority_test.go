package identity

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/problem"
)

func TestAuthorityIsMadeOnceAndOpens(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ca")
	made := must[*Authority](t)(CreateAuthority(dir, "Mercy Hospital", start))
	opened := must[*Authority](t)(OpenAuthority(dir))
	if !bytes.Equal(made.CertificatePEM(), opened.CertificatePEM()) {
		t.Error("what was opened is not what was made")
	}
	before := must[[]byte](t)(os.ReadFile(filepath.Join(dir, authorityKeyFile)))
	if _, err := CreateAuthority(dir, "Again", start); problem.From(err).Kind != problem.Conflict {
		t.Errorf("made over an existing one: %v", err)
	}
	if after := must[[]byte](t)(os.ReadFile(filepath.Join(dir, authorityKeyFile))); !bytes.Equal(before, after) {
		t.Error("the key was overwritten")
	}
	for name, want := range map[string]os.FileMode{authorityKeyFile: 0o600, ".": 0o700 | os.ModeDir} {
		info := must[os.FileInfo](t)(os.Stat(filepath.Join(dir, name)))
		if info.Mode() != want {
			t.Errorf("%s: mode %v, want %v", name, info.Mode(), want)
		}
	}
}

// A key that others may read is refused, with the command that mends it.
func TestKeyFilePermissions(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ca")
	must[*Authority](t)(CreateAuthority(dir, "Mercy Hospital", start))
	path := filepath.Join(dir, authorityKeyFile)
	for _, mode := range []os.FileMode{0o640, 0o604, 0o660, 0o602, 0o610, 0o777} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := OpenAuthority(dir)
		if err == nil {
			t.Errorf("mode %04o was accepted", mode)
			continue
		}
		if p := problem.From(err); p.Field != path || !strings.Contains(p.NextStep, "chmod 600 "+path) {
			t.Errorf("mode %04o: the problem does not name the file and the fix: %v", mode, err)
		}
	}
	for _, mode := range []os.FileMode{0o600, 0o400} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenAuthority(dir); err != nil {
			t.Errorf("mode %04o: %v", mode, err)
		}
	}
}

// Files that are not what they should be stop the start and say which and why.
func TestDamagedFiles(t *testing.T) {
	dir := t.TempDir()
	a := must[*Authority](t)(CreateAuthority(filepath.Join(dir, "a"), "A", start))
	must[*Authority](t)(CreateAuthority(filepath.Join(dir, "b"), "B", start))
	leaf := must[*Credential](t)(a.IssueServer([]string{"localhost"}, start))
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	keyPEM := must[[]byte](t)(os.ReadFile(filepath.Join(dir, "a", authorityKeyFile)))
	bCert := must[[]byte](t)(os.ReadFile(filepath.Join(dir, "b", authorityCertFile)))
	for name, f := range map[string]func() error{
		"missing":            func() error { _, err := ReadKey(filepath.Join(dir, "none")); return err },
		"folder":             func() error { _, err := ReadKey(dir); return err },
		"empty":              func() error { _, err := ReadKey(write("k1", nil)); return err },
		"certificate as key": func() error { _, err := ReadKey(write("k2", leaf.CertificatePEM())); return err },
		"two keys":           func() error { _, err := ReadKey(write("k3", append(bytes.Clone(keyPEM), keyPEM...))); return err },
		"key cut off":        func() error { _, err := ReadKey(write("k4", keyPEM[:len(keyPEM)/2])); return err },
		"garbage in the key": func() error {
			_, err := ReadKey(write("k5", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")})))
			return err
		},
		"huge":                       func() error { _, err := ReadKey(write("k6", make([]byte, maxPEM+1))); return err },
		"no authorities":             func() error { _, err := PoolFromFiles(); return err },
		"pool: missing file":         func() error { _, err := PoolFromFiles(filepath.Join(dir, "none")); return err },
		"pool: empty":                func() error { _, err := PoolFromFiles(write("p1", nil)); return err },
		"pool: a leaf":               func() error { _, err := PoolFromFiles(write("p2", leaf.CertificatePEM())); return err },
		"pool: a private key beside": func() error { _, err := PoolFromFiles(write("p3", append(a.CertificatePEM(), keyPEM...))); return err },
		"certificate of another key": func() error {
			_, err := ReadCredential(write("c1", leaf.CertificatePEM()), write("c2", keyPEM))
			return err
		},
		"authority with another's certificate": func() error {
			write("a/"+authorityCertFile, bCert)
			_, err := OpenAuthority(filepath.Join(dir, "a"))
			return err
		},
		"authority without its certificate": func() error {
			if err := os.Remove(filepath.Join(dir, "b", authorityCertFile)); err != nil {
				t.Fatal(err)
			}
			_, err := OpenAuthority(filepath.Join(dir, "b"))
			return err
		},
	} {
		err := f()
		var p *problem.Problem
		if !errors.As(err, &p) || p.Field == "" || p.NextStep == "" {
			t.Errorf("%s: got %v, want a problem with a field and a next step", name, err)
		}
	}
	if pool, err := PoolFromFiles(write("p4", a.CertificatePEM())); err != nil || pool == nil {
		t.Errorf("a good pool: %v", err)
	}
}

// A device keeps its key to itself, and keeps it when its certificate is
// renewed: the identity in the registry stays.
func TestSignRequestAndRenewal(t *testing.T) {
	a := must[*Authority](t)(CreateAuthority(filepath.Join(t.TempDir(), "ca"), "Mercy Hospital", start))
	key := must2(NewKey(384))
	csr := must2(NewRequest(key))
	first, digest, err := a.SignRequest(csr, DeviceSubject("mac-7"), 24*time.Hour, start)
	if err != nil {
		t.Fatal(err)
	}
	second, again, err := a.SignRequest(csr, DeviceSubject("mac-7"), 24*time.Hour, start.Add(20*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if digest != again || digest != must2(KeyDigestOf(key.Public())) {
		t.Errorf("digest changed with the renewal: %s, %s", digest, again)
	}
	if bytes.Equal(first, second) {
		t.Error("the renewal is the old certificate")
	}
	cred := must[*Credential](t)(NewCredential(second, key))
	if got, want := cred.NotAfter(), start.Add(44*time.Hour); !got.Equal(want) {
		t.Errorf("ends %v, want %v", got, want)
	}
	if len(cred.leaf.URIs) != 1 || cred.leaf.URIs[0].String() != "urn:sallyport:device:mac-7" {
		t.Errorf("name: %v", cred.leaf.URIs)
	}
	if cred.leaf.IsCA || len(cred.leaf.DNSNames) != 0 {
		t.Error("the certificate is good for more than a client")
	}
	tampered, _ := pem.Decode(csr)
	tampered.Bytes[len(tampered.Bytes)-1] ^= 1
	for name, f := range map[string]func() error{
		"not PEM": func() error { _, _, err := a.SignRequest([]byte("x"), DeviceSubject("d"), 0, start); return err },
		"signature changed": func() error {
			_, _, err := a.SignRequest(pem.EncodeToMemory(tampered), DeviceSubject("d"), 0, start)
			return err
		},
		"two requests": func() error {
			_, _, err := a.SignRequest(append(bytes.Clone(csr), csr...), DeviceSubject("d"), 0, start)
			return err
		},
		"nobody":             func() error { _, _, err := a.SignRequest(csr, Subject{}, 0, start); return err },
		"a name that is odd": func() error { _, _, err := a.SignRequest(csr, DeviceSubject("../x"), 0, start); return err },
		"too long a life": func() error {
			_, _, err := a.SignRequest(csr, DeviceSubject("d"), MaxClientLife+1, start)
			return err
		},
		"authority ended": func() error {
			_, _, err := a.SignRequest(csr, DeviceSubject("d"), 0, start.Add(AuthorityLife))
			return err
		},
		"clock before the authority": func() error {
			_, _, err := a.SignRequest(csr, DeviceSubject("d"), 0, start.Add(-time.Hour))
			return err
		},
	} {
		if f() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	late, _, err := a.SignRequest(csr, DeviceSubject("d"), 0, start.Add(AuthorityLife-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if c := must[*Credential](t)(NewCredential(late, key)); !c.NotAfter().Equal(a.cert.NotAfter) {
		t.Errorf("a leaf outlives its authority: %v, %v", c.NotAfter(), a.cert.NotAfter)
	}
}

// What the authority signs cannot sign in its turn.
func TestLeafCannotIssue(t *testing.T) {
	w := newWorld(t)
	key := must2(NewKey(256))
	forged := &x509.Certificate{SerialNumber: must2(serial()), NotBefore: start.Add(-time.Hour), NotAfter: start.Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, KeyUsage: x509.KeyUsageDigitalSignature}
	der, err := x509.CreateCertificate(rand.Reader, forged, w.device.leaf, key.Public(), w.device.key)
	if err != nil {
		t.Fatal(err)
	}
	c := must[*Credential](t)(NewCredential(append(encodeChain([][]byte{der}), w.device.CertificatePEM()...), key))
	if status, _ := w.get(w.http(c), w.mint(c, nil)); status != 401 || w.lastReason() != CertificateUntrusted {
		t.Errorf("got %d, %s", status, w.lastReason())
	}
}

// Keys that are too weak are accepted nowhere, even if registered and certified.
func TestWeakKeys(t *testing.T) {
	p224 := must2(ecdsa.GenerateKey(elliptic.P224(), rand.Reader))
	short := &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 1023), E: 65537}
	_, ed := must3(ed25519.GenerateKey(rand.Reader))
	for name, tc := range map[string]struct {
		key  any
		want bool
	}{
		"P-224": {p224.Public(), false}, "RSA 1024": {short, false}, "nothing": {nil, false}, "a secret": {[]byte("x"), false},
		"RSA 2048": {&rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 2047), E: 65537}, true},
		"Ed25519":  {ed.Public(), true}, "P-384": {must2(NewKey(384)).Public(), true},
	} {
		if got := strongKey(tc.key); got != tc.want {
			t.Errorf("%s: got %v, want %v", name, got, tc.want)
		}
	}
	w := newWorld(t)
	der := must2(w.ca.sign(must2(clientTemplate(DeviceSubject("weak"))), p224.Public(), time.Hour, start))
	leaf := must2(x509.ParseCertificate(der))
	r := w.request(w.device, "")
	r.TLS.PeerCertificates = []*x509.Certificate{leaf}
	_, err := w.verifier.Caller(r, w.view.Load())
	if reason, _ := ReasonOf(err); reason != CertificateKeyWeak {
		t.Errorf("a certificate with a P-224 key: got %v", reason)
	}
	csr := must2(x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, p224))
	if _, _, err := w.ca.SignRequest(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: csr}), DeviceSubject("d"), 0, start); err == nil {
		t.Error("a request with a P-224 key was signed")
	}
	if _, err := NewTokens("https://a", "https://a", must2(NewKey(384))); err == nil {
		t.Error("ES256 with a P-384 key")
	}
	if _, err := NewTokens("http://a", "https://a", must2(NewKey(256))); err == nil {
		t.Error("an issuer without TLS")
	}
}

func must3[A, B any](a A, b B, err error) (A, B) {
	if err != nil {
		panic(err)
	}
	return a, b
}

func TestReadOrMakeKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token.key")
	first := must2(ReadOrMakeKey(path, 256))
	second := must2(ReadOrMakeKey(path, 256))
	if must2(KeyDigestOf(first.Public())) != must2(KeyDigestOf(second.Public())) {
		t.Error("the key was made twice")
	}
	if err := os.WriteFile(path, []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadOrMakeKey(path, 256); err == nil {
		t.Error("a damaged key was replaced silently")
	}
}

func FuzzSignRequest(f *testing.F) {
	a := must2(CreateAuthority(filepath.Join(f.TempDir(), "ca"), "Mercy Hospital", start))
	good := must2(NewRequest(must2(NewKey(256))))
	f.Add(good)
	f.Add(good[:100])
	f.Add([]byte("-----BEGIN CERTIFICATE REQUEST-----\n-----END CERTIFICATE REQUEST-----\n"))
	f.Fuzz(func(t *testing.T, csr []byte) {
		out, digest, err := a.SignRequest(csr, DeviceSubject("d"), 0, start)
		if (err == nil) != (len(digest) == 64) || (err == nil) != (len(out) > 0) {
			t.Fatalf("error %v with a result", err)
		}
	})
}

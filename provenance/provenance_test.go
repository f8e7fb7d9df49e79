package provenance

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/need"
)

const (
	image   = "4bf5122f344554c53bde2ebb8cd2b7e3d1600ad631c385a5d7cce23c7785459a"
	builder = "https://github.com/actions/runner/github-hosted"
	repo    = "https://github.com/northwind/triage"
)

// signer signs the way that openssl does, so that a table needs no program.
type signer struct {
	key  crypto.Signer
	text []byte // PEM
}

func newSigner(t testing.TB, kind string) signer {
	t.Helper()
	var s signer
	var err error
	switch kind {
	case "p256":
		s.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "p384":
		s.key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "p521":
		s.key, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "ed25519":
		_, s.key, err = ed25519.GenerateKey(rand.Reader)
	case "rsa":
		s.key, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.text = publicPEM(t, s.key.Public())
	return s
}

func publicPEM(t testing.TB, public crypto.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func (s signer) sign(t testing.TB, message []byte) []byte {
	t.Helper()
	digest, hash := message, crypto.Hash(0)
	if _, ok := s.key.(ed25519.PrivateKey); !ok {
		sum := sha256.Sum256(message)
		digest, hash = sum[:], crypto.SHA256
	}
	sig, err := s.key.Sign(rand.Reader, digest, hash)
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

func (s signer) pinned(t testing.TB) Key {
	t.Helper()
	k, err := ParseKey(s.text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// pae is written from the specification a second time, apart from the code.
func pae(payloadType, body string) []byte {
	return fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(payloadType), payloadType, len(body), body)
}

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func envelope(payloadType, payload string, sigs ...[]byte) string {
	var list []string
	for _, s := range sigs {
		list = append(list, fmt.Sprintf(`{"keyid":"","sig":%q}`, b64(s)))
	}
	return fmt.Sprintf(`{"payloadType":%q,"payload":%q,"signatures":[%s]}`, payloadType, b64([]byte(payload)), strings.Join(list, ","))
}

func (s signer) dsse(t testing.TB, payload string) string {
	return envelope(inTotoType, payload, s.sign(t, pae(inTotoType, payload)))
}

func (s signer) cosign(t testing.TB, payload string) string {
	return fmt.Sprintf(`{"Base64Signature":%q,"Payload":%q,"Cert":null,"Chain":null,"Bundle":null}`, b64(s.sign(t, []byte(payload))), b64([]byte(payload)))
}

func simple(digest, kind string) string {
	return fmt.Sprintf(`{"critical":{"identity":{"docker-reference":"ghcr.io/northwind/triage"},"image":{"docker-manifest-digest":"sha256:%s"},"type":%q},"optional":null}`, digest, kind)
}

func inToto(digest, predicateType, predicate string) string {
	return fmt.Sprintf(`{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"ghcr.io/northwind/triage","digest":{"sha256":%q}}],"predicateType":%q,"predicate":%s}`, digest, predicateType, predicate)
}

func built(external, dependencies, by string) string {
	return inToto(image, slsaPredicate, fmt.Sprintf(`{"buildDefinition":{"buildType":"https://actions.github.io/buildtypes/workflow/v1","externalParameters":%s,"resolvedDependencies":%s},
		"runDetails":{"builder":{"id":%q},"metadata":{"invocationId":"1"}}}`, external, dependencies, by))
}

const (
	workflow = `{"workflow":{"ref":"refs/heads/main","repository":"https://github.com/northwind/triage","path":".github/workflows/build.yml"}}`
	commit   = `[{"uri":"git+https://github.com/northwind/triage@refs/heads/main","digest":{"gitCommit":"2fd4e1c67a2d28fced849ee1bb76e7391b93eb12"}}]`
)

func wantFault(t *testing.T, err error, want Fault) {
	t.Helper()
	var got Fault
	if want == "" {
		if err != nil {
			t.Errorf("got %v, want proof", err)
		}
		return
	}
	if !errors.As(err, &got) || got != want {
		t.Errorf("got %v, want %v", err, want)
	}
}

func TestWhatIsSignedByAPinnedKeyCounts(t *testing.T) {
	for _, kind := range []string{"p256", "p384", "ed25519", "rsa"} {
		s := newSigner(t, kind)
		images := Demand{Kind: Image, Keys: []Key{newSigner(t, "p256").pinned(t), s.pinned(t)}, Images: []string{image}}
		slsa := Demand{Kind: SLSA, Keys: images.Keys, Builders: []string{builder}, Sources: []string{"https://github.com/northwind"}}
		signed := inToto(image, imagePredicate, `{}`)
		for name, c := range map[string]struct {
			d      Demand
			bundle string
		}{
			"cosign 2":                    {images, s.cosign(t, simple(image, simpleType))},
			"cosign 3":                    {images, `{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":{"hint":"x"},"tlogEntries":[]},"dsseEnvelope":` + s.dsse(t, signed) + `}`},
			"an envelope":                 {images, s.dsse(t, signed)},
			"provenance":                  {slsa, s.dsse(t, built(workflow, commit, builder))},
			"provenance, statement v0.1":  {slsa, s.dsse(t, strings.Replace(built(workflow, commit, builder), "Statement/v1", "Statement/v0.1", 1))},
			"provenance, GitLab":          {slsa, s.dsse(t, built(`{"source":"https://github.com/northwind/triage","entryPoint":"build"}`, `[]`, builder))},
			"provenance, BuildKit":        {slsa, s.dsse(t, built(`{"configSource":{"uri":"https://github.com/northwind/triage.git#main","digest":{"sha1":"2fd4"}}}`, `[]`, builder))},
			"base64 for URLs":             {images, strings.NewReplacer("+", "-", "/", "_").Replace(s.cosign(t, simple(image, simpleType)))},
			"a stranger signed it too":    {images, envelope(inTotoType, signed, newSigner(t, "p256").sign(t, pae(inTotoType, signed)), s.sign(t, pae(inTotoType, signed)))},
			"a signature that is rubbish": {images, envelope(inTotoType, signed, []byte("rubbish"), s.sign(t, pae(inTotoType, signed)))},
		} {
			got, err := Verify(c.d, "sha256:"+image, []byte(c.bundle))
			if err != nil {
				t.Errorf("%s, %s: %v", kind, name, err)
				continue
			}
			if got.Key != s.pinned(t).SHA256() || got.Image != image || got.Kind != c.d.Kind || len(got.Statement) != 64 {
				t.Errorf("%s, %s: got %+v", kind, name, got)
			}
			if c.d.Kind == SLSA && (got.Builder != builder || got.Source != repo) {
				t.Errorf("%s, %s: got builder %q, source %q", kind, name, got.Builder, got.Source)
			}
		}
	}
}

// Whatever was changed, left out, or made for another purpose proves nothing,
// and says why.
func TestWhatProvesNothing(t *testing.T) {
	s, other := newSigner(t, "p256"), newSigner(t, "p256")
	images := Demand{Kind: Image, Keys: []Key{s.pinned(t)}}
	slsa := Demand{Kind: SLSA, Keys: images.Keys, Builders: []string{builder}, Sources: []string{repo}}
	signed := inToto(image, imagePredicate, `{}`)
	good := s.dsse(t, built(workflow, commit, builder))
	elsewhere := strings.Repeat("0", 64)
	var nine [][]byte
	for range 9 {
		nine = append(nine, s.sign(t, pae(inTotoType, signed)))
	}
	with := func(d Demand, f func(*Demand)) Demand { f(&d); return d }
	for name, c := range map[string]struct {
		d      Demand
		bundle string
		want   Fault
	}{
		"nothing demanded":                 {Demand{Keys: images.Keys}, good, KindUnknown},
		"no key pinned":                    {Demand{Kind: SLSA, Builders: slsa.Builders}, good, NoKeys},
		"the zero demand":                  {Demand{}, good, NoKeys},
		"a zero key":                       {Demand{Kind: SLSA, Keys: []Key{{}}, Builders: slsa.Builders}, good, NotSigned},
		"another key":                      {with(slsa, func(d *Demand) { d.Keys = []Key{other.pinned(t)} }), good, NotSigned},
		"the signature is over the body":   {images, envelope(inTotoType, signed, s.sign(t, []byte(signed))), NotSigned},
		"the encoding lacks a length":      {images, envelope(inTotoType, signed, s.sign(t, []byte("DSSEv1 "+inTotoType+" "+signed))), NotSigned},
		"the encoding is of another type":  {images, envelope(inTotoType, signed, s.sign(t, pae("text/plain", signed))), NotSigned},
		"another type, signed as such":     {images, envelope("text/plain", signed, s.sign(t, pae("text/plain", signed))), WrongPayloadType},
		"the signature is cut":             {images, envelope(inTotoType, signed, s.sign(t, pae(inTotoType, signed))[:60]), NotSigned},
		"an empty signature":               {images, envelope(inTotoType, signed, nil), NotSigned},
		"no signature":                     {images, envelope(inTotoType, signed), TooManySigners},
		"nine signatures":                  {images, envelope(inTotoType, signed, nine...), TooManySigners},
		"an envelope's body as cosign's":   {images, s.cosign(t, signed), WrongStatement},
		"cosign's body in an envelope":     {images, s.dsse(t, simple(image, simpleType)), BadStatement},
		"cosign where slsa is demanded":    {slsa, s.cosign(t, simple(image, simpleType)), WrongStatement},
		"an image where slsa is demanded":  {slsa, s.dsse(t, signed), WrongStatement},
		"slsa where an image is demanded":  {images, good, WrongStatement},
		"another predicate":                {slsa, s.dsse(t, inToto(image, "https://slsa.dev/provenance/v0.2", `{}`)), WrongStatement},
		"another simple type":              {images, s.cosign(t, simple(image, "atomic container signature")), WrongStatement},
		"another image, cosign":            {images, s.cosign(t, simple(elsewhere, simpleType)), OtherImage},
		"another image, envelope":          {images, s.dsse(t, inToto(elsewhere, imagePredicate, `{}`)), OtherImage},
		"the digest as a name":             {images, s.dsse(t, strings.Replace(signed, `"sha256":"`+image+`"`, `"sha512":"`+image+`"`, 1)), OtherImage},
		"no subject":                       {images, s.dsse(t, `{"_type":"https://in-toto.io/Statement/v1","subject":[],"predicateType":"`+imagePredicate+`"}`), BadStatement},
		"another statement":                {images, s.dsse(t, strings.Replace(signed, "Statement/v1", "Statement/v2", 1)), BadStatement},
		"a name twice in the statement":    {images, s.dsse(t, strings.Replace(signed, `"subject"`, `"predicateType":"`+imagePredicate+`","subject"`, 1)), BadStatement},
		"a name twice, deep":               {slsa, s.dsse(t, built(strings.Replace(workflow, `"ref"`, `"repository":"https://github.com/northwind/triage","ref"`, 1), commit, builder)), BadStatement},
		"a name twice in the bundle":       {images, strings.Replace(s.dsse(t, signed), `{`, `{"payload":"",`, 1), Malformed},
		"two forms at once":                {images, strings.Replace(s.dsse(t, signed), `{`, `{"Base64Signature":"",`, 1), Malformed},
		"two documents":                    {images, s.dsse(t, signed) + s.dsse(t, signed), Malformed},
		"bad UTF-8":                        {images, s.cosign(t, "\xff"+simple(image, simpleType)), BadStatement},
		"no bundle":                        {images, ``, Malformed},
		"an array":                         {images, `[]`, Malformed},
		"not base64":                       {images, strings.Replace(s.dsse(t, signed), `"payload":"`, `"payload":"*`, 1), Malformed},
		"base64 over two lines":            {images, strings.Replace(s.dsse(t, signed), `"payload":"`, `"payload":"\n`, 1), Malformed},
		"huge":                             {images, s.dsse(t, signed) + strings.Repeat(" ", MaxBundle), TooLarge},
		"keyless, cosign 2":                {images, strings.Replace(s.cosign(t, simple(image, simpleType)), `"Cert":null`, `"Cert":{"Raw":"AA=="}`, 1), Keyless},
		"keyless, cosign 3":                {images, `{"verificationMaterial":{"certificate":{"rawBytes":"AA=="}},"dsseEnvelope":` + s.dsse(t, signed) + `}`, Keyless},
		"an image that is not listed":      {with(images, func(d *Demand) { d.Images = []string{elsewhere} }), s.dsse(t, signed), ImageNotListed},
		"another builder":                  {slsa, s.dsse(t, built(workflow, commit, builder+"/")), OtherBuilder},
		"no builder":                       {slsa, s.dsse(t, built(workflow, commit, "")), OtherBuilder},
		"no builder is allowed":            {with(slsa, func(d *Demand) { d.Builders = nil }), good, OtherBuilder},
		"no builder, and that is allowed?": {with(slsa, func(d *Demand) { d.Builders = nil }), s.dsse(t, built(workflow, commit, "")), OtherBuilder},
		"no predicate":                     {slsa, s.dsse(t, `{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":"`+image+`"}}],"predicateType":"`+slsaPredicate+`"}`), BadStatement},
		"another repository":               {slsa, s.dsse(t, built(strings.ReplaceAll(workflow, "triage", "triage-evil"), commit, builder)), OtherSource},
		"another repository beside it":     {slsa, s.dsse(t, built(workflow, strings.ReplaceAll(commit, "triage@", "evil@"), builder)), OtherSource},
		"no repository":                    {slsa, s.dsse(t, built(`{}`, `[]`, builder)), OtherSource},
		"a repository in another shape":    {slsa, s.dsse(t, built(`{"source":{"git":"https://github.com/northwind/triage"}}`, commit, builder)), OtherSource},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Verify(c.d, image, []byte(c.bundle))
			wantFault(t, err, c.want)
		})
	}
	for _, name := range []string{"", "sha256:", "sha512:" + image, "ghcr.io/northwind/triage:latest", strings.ToUpper(image), "sha256:sha256:" + image, image + "00"} {
		_, err := Verify(images, name, []byte(s.dsse(t, signed)))
		wantFault(t, err, NotADigest)
	}
}

func TestRepositories(t *testing.T) {
	for uri, want := range map[string]string{
		"git+https://github.com/northwind/triage@refs/heads/main":  repo,
		"https://github.com/northwind/triage.git#main":             repo,
		"https://GitHub.com/northwind/triage/":                     repo,
		"https://github.com/northwind/triage/../evil":              "",
		"https://github.com/northwind/%2e%2e/evil":                 "",
		"https://github.com/northwind//triage":                     "",
		"https://github.com@evil.example/northwind/triage":         "",
		"http://github.com/northwind/triage":                       "",
		"git+ssh://git@github.com/northwind/triage":                "",
		"https://github.com/northwind/triage?x=":                   "",
		"https://github.com":                                       "",
		"pkg:docker/alpine@3.20":                                   "",
		"?":                                                        "",
		"https://evil.example/https://github.com/northwind/triage": "",
		"https://github.com/northwind/triage\\evil":                "",
	} {
		if got, ok := repository(uri); got != want || ok != (want != "") {
			t.Errorf("%s: got %q %v, want %q", uri, got, ok, want)
		}
	}
	for prefix, ok := range map[string]bool{
		"https://github.com/northwind": true, repo: true, "https://github.com": false, "https://github.com/": false, repo + "/": false,
		"git+" + repo: false, "": false, "northwind/triage": false, repo + "@v1": false,
	} {
		if err := CheckPrefix(prefix); (err == nil) != ok {
			t.Errorf("prefix %q: got %v", prefix, err)
		}
	}
	if under(repo+"-evil", repo) || !under(repo, "https://github.com/northwind") || under(repo, "https://github.com/north") {
		t.Error("prefixes are not compared by whole segments")
	}
}

func TestKeys(t *testing.T) {
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		// Go refuses to make one: a modulus of that size is enough here.
		big, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		big.N.Rsh(big.N, 1024)
		big.N.SetBit(big.N, 0, 1)
		weak = big
	}
	s := newSigner(t, "p256")
	private, err := x509.MarshalPKCS8PrivateKey(s.key)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{
		"nothing": nil, "text": []byte("key"), "P-521": newSigner(t, "p521").text, "RSA of 1024 bits": publicPEM(t, &weak.PublicKey),
		"two keys":          append(bytes.Clone(s.text), s.text...),
		"text before it":    append([]byte("key:\n"), s.text...),
		"a private key":     pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
		"a wrong label":     bytes.ReplaceAll(s.text, []byte("PUBLIC KEY"), []byte("CERTIFICATE")),
		"text that is huge": append(bytes.Clone(s.text), bytes.Repeat([]byte("\n"), maxKey)...),
	} {
		if _, err := ParseKey(text); !errors.Is(err, BadKey) {
			t.Errorf("%s: got %v, want %v", name, err, BadKey)
		}
	}
}

func TestPreAuthenticationEncoding(t *testing.T) {
	// The example of DSSE's protocol.md.
	got := string(preAuthentication("http://example.com/HelloWorld", []byte("hello world")))
	if want := "DSSEv1 29 http://example.com/HelloWorld 11 hello world"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := string(preAuthentication("t", []byte("é"))), "DSSEv1 1 t 2 é"; got != want {
		t.Errorf("got %q, want %q: lengths are in bytes", got, want)
	}
}

// openssl makes keys and signs: nothing of ours takes part but the check.
func TestSignaturesOfOpenSSL(t *testing.T) {
	openssl := need.Tool(t, "openssl")
	dir := t.TempDir()
	run := func(args ...string) []byte {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), openssl, args...)
		cmd.Dir = dir
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("openssl %v: %v: %s", args, err, stderr.String())
		}
		return out
	}
	statement := built(workflow, commit, builder)
	write := func(name string, data []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("pae", pae(inTotoType, statement))
	write("simple", []byte(simple(image, simpleType)))
	dgst := func(extra ...string) func(key, file string) []byte {
		return func(key, file string) []byte {
			return run(append(append([]string{"dgst", "-sign", key}, extra...), file)...)
		}
	}
	for _, c := range []struct {
		name string
		make []string
		sign func(key, file string) []byte
	}{
		{"P-256", []string{"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"}, dgst("-sha256")},
		{"P-384 with SHA-256", []string{"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"}, dgst("-sha256")},
		{"P-384 with SHA-384", []string{"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"}, dgst("-sha384")},
		{"RSA, PKCS #1", []string{"-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"}, dgst("-sha256")},
		{"RSA, PSS", []string{"-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"}, dgst("-sha256", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32")},
		{"Ed25519", []string{"-algorithm", "ED25519"}, func(key, file string) []byte { return run("pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", file) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			run(append([]string{"genpkey", "-out", "key.pem"}, c.make...)...)
			k, err := ParseKey(run("pkey", "-in", "key.pem", "-pubout"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Verify(Demand{Kind: SLSA, Keys: []Key{k}, Builders: []string{builder}, Sources: []string{repo}}, image,
				[]byte(envelope(inTotoType, statement, c.sign("key.pem", "pae")))); err != nil {
				t.Errorf("an envelope: %v", err)
			}
			sig := c.sign("key.pem", "simple")
			bundle, err := json.Marshal(map[string]any{"Base64Signature": b64(sig), "Payload": b64([]byte(simple(image, simpleType)))})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Verify(Demand{Kind: Image, Keys: []Key{k}}, image, bundle); err != nil {
				t.Errorf("an image: %v", err)
			}
			_, err = Verify(Demand{Kind: SLSA, Keys: []Key{k}, Builders: []string{builder}}, image, []byte(envelope(inTotoType, statement, sig)))
			wantFault(t, err, NotSigned)
		})
	}
}

// Any one byte changed, in any part of what is signed, proves nothing.
func TestEveryByteCounts(t *testing.T) {
	s := newSigner(t, "ed25519")
	d := Demand{Kind: SLSA, Keys: []Key{s.pinned(t)}, Builders: []string{builder}}
	payload := built(workflow, commit, builder)
	sig := s.sign(t, pae(inTotoType, payload))
	if _, err := Verify(d, image, []byte(envelope(inTotoType, payload, sig))); err != nil {
		t.Fatal(err)
	}
	for i := range payload {
		changed := []byte(payload)
		changed[i] ^= 1
		_, err := Verify(d, image, []byte(envelope(inTotoType, string(changed), sig)))
		wantFault(t, err, NotSigned)
	}
	for i := range sig {
		changed := bytes.Clone(sig)
		changed[i] ^= 0x40
		_, err := Verify(d, image, []byte(envelope(inTotoType, payload, changed)))
		wantFault(t, err, NotSigned)
	}
}

// Whatever stands in a bundle: no panic, and no proof without the key.
func FuzzBundle(f *testing.F) {
	s, other := newSigner(f, "ed25519"), newSigner(f, "ed25519")
	f.Add([]byte(other.dsse(f, built(workflow, commit, builder))))
	f.Add([]byte(other.cosign(f, simple(image, simpleType))))
	f.Add([]byte(`{"dsseEnvelope":` + other.dsse(f, inToto(image, imagePredicate, `{}`)) + `}`))
	pinned := []Key{s.pinned(f)}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, kind := range Kinds {
			if v, err := Verify(Demand{Kind: kind, Keys: pinned, Builders: []string{builder}}, image, raw); err == nil {
				t.Fatalf("proof without the key: %+v", v)
			}
		}
	})
}

// Whatever is passed off as a key: no panic, and what is accepted is of the kinds
// that are accepted.
func FuzzKey(f *testing.F) {
	for _, kind := range []string{"p256", "p384", "ed25519", "rsa", "p521"} {
		f.Add(newSigner(f, kind).text)
	}
	f.Add([]byte("-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		k, err := ParseKey(text)
		if (err == nil) != (len(k.SHA256()) == 64) {
			t.Fatalf("got %v with digest %q", err, k.SHA256())
		}
		if k.verifies(text, text) {
			t.Fatal("a key verified what nobody signed")
		}
	})
}

// Whatever a signed statement says: no panic, and only the demanded builder and
// sources pass.
func FuzzStatement(f *testing.F) {
	f.Add([]byte(built(workflow, commit, builder)))
	f.Add([]byte(built(`{"source":{"uri":"https://github.com/northwind/triage"}}`, `[]`, builder)))
	f.Add([]byte(inToto(image, imagePredicate, `{}`)))
	d := Demand{Kind: SLSA, Builders: []string{builder}, Sources: []string{repo}}
	f.Fuzz(func(t *testing.T, payload []byte) {
		_ = simpleSigning(payload, image)
		s, err := parseStatement(payload) // as if the signature were good
		if err != nil || s.about(image) != nil {
			return
		}
		by, source, err := s.build(d)
		if err == nil && (by != builder || source == "" || !under(source, repo)) {
			t.Fatalf("accepted: %q %q", by, source)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	for _, kind := range []string{"p256", "p384", "ed25519", "rsa"} {
		s := newSigner(b, kind)
		d := Demand{Kind: SLSA, Keys: []Key{s.pinned(b)}, Builders: []string{builder}, Sources: []string{repo}}
		bundle := []byte(s.dsse(b, built(workflow, commit, builder)))
		b.Run(kind, func(b *testing.B) {
			for b.Loop() {
				if _, err := Verify(d, image, bundle); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(bundle)), "bundle-bytes")
		})
	}
}

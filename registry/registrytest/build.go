package registrytest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
)

// Build is a vendor's build system, which signs what it makes.
type Build struct{ key *ecdsa.PrivateKey }

// NewBuild makes one with a new P-256 key.
func NewBuild() (Build, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return Build{key}, err
}

// Key is its public key in PEM, as cosign.pub has it.
func (b Build) Key() (string, error) {
	der, err := x509.MarshalPKIXPublicKey(b.key.Public())
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), err
}

func (b Build) sign(message []byte) (string, error) {
	sum := sha256.Sum256(message)
	sig, err := ecdsa.SignASN1(rand.Reader, b.key, sum[:])
	return base64.StdEncoding.EncodeToString(sig), err
}

// SignImage signs an image's digest (64 hex digits), in the form that `cosign
// download signature` prints.
func (b Build) SignImage(digest string) (json.RawMessage, error) {
	payload := fmt.Appendf(nil, `{"critical":{"identity":{"docker-reference":"registry.example/triage"},"image":{"docker-manifest-digest":"sha256:%s"},"type":"cosign container image signature"},"optional":null}`, digest)
	sig, err := b.sign(payload)
	if err != nil {
		return nil, err
	}
	return json.Marshal(map[string]string{"Base64Signature": sig, "Payload": base64.StdEncoding.EncodeToString(payload)})
}

// Provenance signs SLSA provenance v1 about the image, in a DSSE envelope.
func (b Build) Provenance(digest, builder, repository string) (json.RawMessage, error) {
	const payloadType = "application/vnd.in-toto+json"
	payload := fmt.Sprintf(`{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"registry.example/triage","digest":{"sha256":%q}}],"predicateType":"https://slsa.dev/provenance/v1","predicate":{"buildDefinition":{"buildType":"https://build.example/v1","externalParameters":{"source":%q},"resolvedDependencies":[]},"runDetails":{"builder":{"id":%q}}}}`,
		digest, repository, builder)
	sig, err := b.sign(fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(payloadType), payloadType, len(payload), payload))
	if err != nil {
		return nil, err
	}
	return json.Marshal(map[string]any{"payloadType": payloadType, "payload": base64.StdEncoding.EncodeToString([]byte(payload)),
		"signatures": []map[string]string{{"sig": sig}}})
}

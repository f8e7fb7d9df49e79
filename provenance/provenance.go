// Package provenance checks what a vendor's build system signed about a
// container image: a signature over the image's digest, in either form that
// cosign writes, or SLSA provenance, which says which builder made the image and
// from which repository.
//
// It answers one question: did one of the pinned keys sign that statement about
// that digest, and does the statement say what is demanded? It needs no network:
// the keys are the vendor's, pinned in the demand, and neither a certificate
// authority nor a transparency log is asked. A signature that rests on those
// (cosign's "keyless" signing) proves nothing here.
//
// What it does not answer is where the image runs, or whether it runs at all.
// Provenance says what was built. That a machine runs it is what somebody
// declares, unless remote attestation (RFC 9334) shows it, which this package
// does not do and does not pretend to do.
//
// Sources: DSSE 1.0.2 (protocol.md, envelope.md), in-toto Statement v0.1 and v1,
// SLSA provenance v1, containers/image "simple signing" as cosign uses it.
package provenance

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

// Kind is what is demanded.
type Kind string

// The kinds. The zero Kind is met by nothing.
const (
	Image Kind = "image" // a signature over the image's digest
	SLSA  Kind = "slsa"  // SLSA provenance v1 about the image's digest
)

// Kinds lists them.
var Kinds = []Kind{Image, SLSA}

// Limits of what is read.
const (
	MaxBundle   = 256 << 10 // bytes of a bundle
	maxSigners  = 8         // signatures of an envelope
	maxSubjects = 1024      // subjects of a statement
	maxSources  = 1024      // dependencies of a build
)

// Demand is what a statement must say to count.
type Demand struct {
	Kind     Kind
	Keys     []Key    // any one of which must have signed
	Builders []string // slsa: builder.id must be one of these, to the letter
	Sources  []string // slsa: https prefixes; every repository of the build must lie under one; empty: any
	Images   []string // SHA-256 in hex that may run; empty: any that is signed
}

// Verified is what a bundle proved.
type Verified struct {
	Kind      Kind
	Image     string // SHA-256 of the image's manifest, hex
	Statement string // SHA-256 of the signed payload, hex
	Key       string // Key.SHA256 of the key that signed it
	Builder   string // slsa: builder.id
	Source    string // slsa: the first repository that the build names
}

// Verify checks that the bundle proves, under the demand, something about the
// image with this digest ("sha256:" and 64 hex digits, or the digits alone). Its
// error is a Fault.
func Verify(d Demand, image string, bundle []byte) (Verified, error) {
	want, err := ImageDigest(image)
	if err != nil {
		return Verified{}, err
	}
	if len(d.Keys) == 0 {
		return Verified{}, NoKeys
	}
	if !slices.Contains(Kinds, d.Kind) {
		return Verified{}, KindUnknown
	}
	if len(d.Images) > 0 && !slices.Contains(d.Images, want) {
		return Verified{}, ImageNotListed
	}
	b, err := parseBundle(bundle)
	if err != nil {
		return Verified{}, err
	}
	// The signature first: nothing of an unsigned payload is looked at.
	key, ok := b.signer(d.Keys)
	if !ok {
		return Verified{}, NotSigned
	}
	sum := sha256.Sum256(b.payload)
	v := Verified{Kind: d.Kind, Image: want, Statement: hex.EncodeToString(sum[:]), Key: key.sha256}
	switch {
	case d.Kind == SLSA && b.form != inTotoForm:
		return Verified{}, WrongStatement
	case b.form == simpleForm:
		return v, simpleSigning(b.payload, want)
	}
	s, err := parseStatement(b.payload)
	if err != nil {
		return Verified{}, err
	}
	if err := s.about(want); err != nil {
		return Verified{}, err
	}
	if d.Kind == Image {
		if s.PredicateType != imagePredicate {
			return Verified{}, WrongStatement
		}
		return v, nil
	}
	if s.PredicateType != slsaPredicate {
		return Verified{}, WrongStatement
	}
	if v.Builder, v.Source, err = s.build(d); err != nil {
		return Verified{}, err
	}
	return v, nil
}

// ImageDigest takes "sha256:<64 lower-case hex>" or the digits alone to the
// digits.
func ImageDigest(image string) (string, error) {
	digits := strings.TrimPrefix(image, "sha256:")
	if raw, err := hex.DecodeString(digits); err != nil || len(raw) != sha256.Size || digits != strings.ToLower(digits) {
		return "", NotADigest
	}
	return digits, nil
}

// Fault says why a bundle proves nothing. The list is closed; nothing of the
// bundle is in it.
type Fault string

// The faults.
const (
	NotADigest       Fault = "the image is not named by a SHA-256 digest"
	NoKeys           Fault = "no key is pinned, so nothing can be proved"
	KindUnknown      Fault = "what is demanded is neither image nor slsa"
	ImageNotListed   Fault = "the image is not among those that are demanded"
	TooLarge         Fault = "the bundle is larger than 256 KiB"
	Malformed        Fault = "the bundle is not one JSON document of a form that is read here, or holds a name twice"
	Keyless          Fault = "the bundle rests on a certificate; only a pinned key counts here"
	WrongPayloadType Fault = "the envelope's payload is not an in-toto statement"
	TooManySigners   Fault = "the envelope has no signature, or more than 8"
	NotSigned        Fault = "no pinned key signed it"
	BadStatement     Fault = "the signed statement cannot be read"
	WrongStatement   Fault = "the signed statement is of another kind than is demanded"
	OtherImage       Fault = "the signed statement is about another image"
	OtherBuilder     Fault = "the builder is not one that is allowed"
	OtherSource      Fault = "the build names no repository, or one that is not allowed"
	BadKey           Fault = "it is not a public key of an accepted kind: ECDSA on P-256 or P-384, Ed25519, or RSA of 2048 to 8192 bits"
	BadPrefix        Fault = "it is not the https address of a repository or of an owner of repositories"
)

// Error makes a Fault an error.
func (f Fault) Error() string { return string(f) }

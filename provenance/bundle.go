package provenance

import (
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// form is what was signed, and over which bytes.
type form uint8

const (
	simpleForm form = iota + 1 // cosign's "simple signing": the signature is over the payload itself
	inTotoForm                 // DSSE: the signature is over the pre-authentication encoding
)

// bundle is a payload with the signatures that came with it.
type bundle struct {
	form       form
	payload    []byte
	signatures [][]byte
}

// inTotoType is the one payload type that is read. The signature covers it, so a
// signed payload of another type cannot be passed off as a statement.
const inTotoType = "application/vnd.in-toto+json"

// wireBundle is each form that is read, told apart by the members that are there:
//
//   - a DSSE envelope: payloadType, payload, signatures;
//   - a Sigstore bundle (v0.3, cosign 3) that holds one, as dsseEnvelope;
//   - what `cosign download signature` prints for an image: Base64Signature, Payload.
//
// Members that are not named here are passed over, as the formats ask; whoever
// adds one changes nothing that is signed.
type wireBundle struct {
	PayloadType *string         `json:"payloadType"`
	Payload     *string         `json:"payload"`
	Signatures  []wireSignature `json:"signatures"`

	Envelope     jsontext.Value `json:"dsseEnvelope"`
	Verification struct {
		Certificate jsontext.Value `json:"certificate"`
		Chain       jsontext.Value `json:"x509CertificateChain"`
	} `json:"verificationMaterial"`

	CosignSignature *string        `json:"Base64Signature"`
	CosignPayload   *string        `json:"Payload"`
	CosignCert      jsontext.Value `json:"Cert"`
}

// wireSignature: a keyid is a hint that anybody can write, and is not read.
type wireSignature struct {
	Sig string `json:"sig"`
}

func parseBundle(raw []byte) (*bundle, error) {
	if len(raw) > MaxBundle {
		return nil, TooLarge
	}
	var w wireBundle
	// Names that stand twice and bad UTF-8 are errors of this decoder.
	if json.Unmarshal(raw, &w) != nil {
		return nil, Malformed
	}
	envelope, wrapped, cosign := w.PayloadType != nil || w.Payload != nil || w.Signatures != nil, given(w.Envelope), w.CosignSignature != nil || w.CosignPayload != nil
	switch {
	case envelope && !wrapped && !cosign:
		return w.envelope()
	case wrapped && !envelope && !cosign:
		if given(w.Verification.Certificate) || given(w.Verification.Chain) {
			return nil, Keyless
		}
		var inner wireBundle
		if json.Unmarshal(w.Envelope, &inner) != nil {
			return nil, Malformed
		}
		return inner.envelope()
	case cosign && !envelope && !wrapped:
		if given(w.CosignCert) {
			return nil, Keyless
		}
		return w.cosign()
	}
	return nil, Malformed
}

// given reports whether an optional member is there and says something.
func given(v jsontext.Value) bool {
	switch strings.TrimSpace(string(v)) {
	case "", "null", `""`, "{}":
		return false
	}
	return true
}

func (w *wireBundle) envelope() (*bundle, error) {
	if w.PayloadType == nil || w.Payload == nil {
		return nil, Malformed
	}
	if *w.PayloadType != inTotoType {
		return nil, WrongPayloadType
	}
	if n := len(w.Signatures); n == 0 || n > maxSigners {
		return nil, TooManySigners
	}
	b := &bundle{form: inTotoForm}
	var err error
	if b.payload, err = decode64(*w.Payload); err != nil {
		return nil, Malformed
	}
	for _, s := range w.Signatures {
		sig, err := decode64(s.Sig)
		if err != nil {
			return nil, Malformed
		}
		b.signatures = append(b.signatures, sig)
	}
	return b, nil
}

func (w *wireBundle) cosign() (*bundle, error) {
	if w.CosignSignature == nil || w.CosignPayload == nil {
		return nil, Malformed
	}
	payload, err1 := decode64(*w.CosignPayload)
	sig, err2 := decode64(*w.CosignSignature)
	if err1 != nil || err2 != nil {
		return nil, Malformed
	}
	return &bundle{form: simpleForm, payload: payload, signatures: [][]byte{sig}}, nil
}

// decode64 reads standard or URL-safe base64 with padding: DSSE leaves it to the
// writer which.
func decode64(text string) ([]byte, error) {
	if strings.ContainsAny(text, "-_") {
		return base64.URLEncoding.Strict().DecodeString(strip(text))
	}
	return base64.StdEncoding.Strict().DecodeString(strip(text))
}

// strip is text without what base64 would skip over silently: with it the text
// is not base64.
func strip(text string) string {
	if strings.ContainsAny(text, "\r\n") {
		return "!"
	}
	return text
}

// signer finds the pinned key that signed. One is enough; signatures of keys
// that are not pinned count for nothing, as in DSSE.
func (b *bundle) signer(keys []Key) (Key, bool) {
	message := b.payload
	if b.form == inTotoForm {
		message = preAuthentication(inTotoType, b.payload)
	}
	for _, sig := range b.signatures {
		for _, k := range keys {
			if k.verifies(message, sig) {
				return k, true
			}
		}
	}
	return Key{}, false
}

// preAuthentication is DSSE's PAE: "DSSEv1" SP LEN(type) SP type SP LEN(body) SP
// body, lengths in bytes as decimal numbers.
func preAuthentication(payloadType string, body []byte) []byte {
	out := make([]byte, 0, len(body)+len(payloadType)+64)
	out = append(out, "DSSEv1 "...)
	out = strconv.AppendInt(out, int64(len(payloadType)), 10)
	out = append(out, ' ')
	out = append(out, payloadType...)
	out = append(out, ' ')
	out = strconv.AppendInt(out, int64(len(body)), 10)
	out = append(out, ' ')
	return append(out, body...)
}

package wire

import (
	"encoding/json"
	"time"
)

// Attest is where a device sends what its vendor's build signed about the image
// that it runs: POST AttestRequest, over mutual TLS: Attested.
const Attest = "/attest"

// AttestRequest is a statement of the device about itself, with the signature
// that is verified.
type AttestRequest struct {
	Engagement string          `json:"engagement"`
	Image      string          `json:"image"`  // "sha256:" and 64 hex digits
	Bundle     json.RawMessage `json:"bundle"` // see registry.AttestWorkload
	ExpiresAt  time.Time       `json:"expires_at"`
}

// Attested is what was recorded.
type Attested struct {
	ID        string    `json:"id"`
	Image     string    `json:"image"`
	Key       string    `json:"key_sha256"` // that signed it
	Builder   string    `json:"builder,omitempty"`
	Source    string    `json:"source,omitempty"`
	ExpiresAt time.Time `json:"expires_at"`
}

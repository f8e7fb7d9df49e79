package posture

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/problem"
)

// Report is a posture as it is signed and sent. A check is "pass", "fail" or
// "unknown"; only "pass" passes.
type Report struct {
	Device            string    `json:"device"`
	At                time.Time `json:"at"`    // by the device's clock
	Nonce             string    `json:"nonce"` // new in each report
	Source            string    `json:"source"`
	OS                string    `json:"os"`
	OSVersion         string    `json:"os_version"`
	UpdateAge         int       `json:"update_age_days"` // -1: not known
	DiskEncryption    string    `json:"disk_encryption"`
	ScreenLock        string    `json:"screen_lock"`
	Firewall          string    `json:"firewall"`
	MalwareProtection string    `json:"malware_protection"`
	HardwareKey       string    `json:"hardware_key"`
}

// Skew is how far a report's time may be from the server's.
const Skew = 5 * time.Minute

const (
	reportType = "sallyport-posture+jws"
	maxReport  = 16 << 10
	minNonce   = 16
)

// word is a state in the report's words.
func (s State) word() string {
	switch s {
	case On:
		return "pass"
	case Off:
		return "fail"
	default:
		return "unknown"
	}
}

// Report makes the report of what was found. hardware says whether the device's
// key is in hardware, as the key store knows.
func (f *Found) Report(device string, hardware bool, now time.Time) Report {
	r := Report{Device: device, At: now.UTC().Truncate(time.Second), Nonce: rand.Text(), Source: f.Source, OS: f.OS, OSVersion: f.OSVersion, UpdateAge: -1,
		DiskEncryption: f.States[DiskEncryption].word(), ScreenLock: f.States[ScreenLock].word(), Firewall: f.States[Firewall].word(),
		MalwareProtection: f.States[MalwareProtection].word(), HardwareKey: Off.word()}
	if days, ok := f.UpdateAgeDays(now); ok {
		r.UpdateAge = days
	}
	if hardware {
		r.HardwareKey = On.word()
	}
	return r
}

// Same reports whether two reports say the same, at whatever time.
func (r Report) Same(o Report) bool {
	r.At, r.Nonce, o.At, o.Nonce = time.Time{}, "", time.Time{}, ""
	return r == o
}

// Sign signs a report with the device's key: a compact JWS (RFC 7515), ES256.
func Sign(r Report, key crypto.Signer) (string, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return "", fmt.Errorf("write a report: %w", err)
	}
	k, err := identity.SigningKey(key, "")
	if err != nil {
		return "", err
	}
	signer, err := jose.NewSigner(k, (&jose.SignerOptions{}).WithType(reportType))
	if err != nil {
		return "", fmt.Errorf("sign a report: %w", err)
	}
	signed, err := signer.Sign(body)
	if err != nil {
		return "", fmt.Errorf("sign a report: %w", err)
	}
	return signed.CompactSerialize()
}

// Open verifies a report by the public key that is registered for the device, its
// form and its time. Its problem quotes nothing of it.
func Open(raw string, device string, key crypto.PublicKey, now time.Time) (Report, error) {
	bad := problem.BadField("report", "is not a report that this device signed", "Run the agent of this device: sallyport agent report")
	if len(raw) > maxReport {
		return Report{}, bad
	}
	signed, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.ES256, jose.ES384, jose.RS384})
	if err != nil || len(signed.Signatures) != 1 || signed.Signatures[0].Header.ExtraHeaders[jose.HeaderType] != reportType {
		return Report{}, bad.Because(err)
	}
	body, err := signed.Verify(key)
	if err != nil {
		return Report{}, bad.Because(err)
	}
	var r Report
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&r); err != nil || dec.More() {
		return Report{}, problem.BadField("report", "has an unknown form", "Use an agent of the server's version").Because(err)
	}
	switch {
	case r.Device != device:
		return Report{}, problem.BadField("report.device", "is another device", "Report each device by its own agent")
	case r.At.Before(now.Add(-Skew)) || r.At.After(now.Add(Skew)):
		return Report{}, problem.BadField("report.at", "is more than five minutes from the server's time", "Set this machine's clock, and report again")
	case len(r.Nonce) < minNonce || len(r.Nonce) > 128:
		return Report{}, problem.BadField("report.nonce", "is too short or too long", "Use an agent of the server's version")
	}
	return r, nil
}

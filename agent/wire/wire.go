// Package wire is what a vendor's agent and the server say to each other, beside
// OAuth and FHIR: enrolment, renewal, posture, standing. All is JSON over TLS 1.3
// on the gateway's listener, and none of it holds patient data.
//
// Enrolment. Who was invited holds "DEVICE.CODE.PIN" (see Invite). The agent
//
//  1. fetches the server's authority (Authority) over TLS that it cannot verify
//     yet, and goes on only if its digest begins with PIN: the first contact is
//     pinned, not trusted;
//  2. connects again, verifying the server by that authority, and showing a
//     certificate that its own key signed. The handshake proves the key, so there
//     is no certificate signing request (RFC 2986): it would prove the same, less
//     freshly. It posts the code (Enrol);
//  3. asks with the same key (GET Enrol) until a person has approved the machine,
//     and gets its certificate.
//
// Renewal (Renew) is over mutual TLS with the present certificate, for the same
// key, and only while the device is approved.
package wire

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"github.com/sallyport/sallyport/problem"
)

// The paths, below the gateway's address.
const (
	Authority = "/enrol/authority" // GET: PEM
	Enrol     = "/enrol"           // POST EnrolRequest, or GET: Enrolment
	Renew     = "/renew"           // POST: Enrolment
	Posture   = "/posture"         // POST: a signed report (package posture)
	Fleet     = "/posture/fleet"   // POST FleetReport: FleetResult
	Standing  = "/standing"        // GET: Stand
)

// ReportType is the media type of a signed report.
const ReportType = "application/jose"

// MaxBody bounds what either side reads, in bytes.
const MaxBody = 1 << 20

// Invite is what a person who invites hands over, in one word.
type Invite struct {
	Device string
	Code   string // at least 128 random bits
	Pin    string // of the server's authority: see PinOf
}

// pinLen is 128 bits in hex: to find another certificate with the same pin would
// take 2^128 tries.
const pinLen = 32

// PinOf is the beginning of the SHA-256 of a certificate in DER.
func PinOf(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])[:pinLen]
}

// CodeDigest is what the registry keeps of a code.
func CodeDigest(code string) string {
	sum := sha256.Sum256([]byte("sallyport-invitation-v1\x00" + code))
	return hex.EncodeToString(sum[:])
}

// String is the invitation as it is handed over. It is a secret.
func (i Invite) String() string { return i.Device + "." + i.Code + "." + i.Pin }

// ParseInvite reads what String wrote.
func ParseInvite(s string) (Invite, error) {
	bad := problem.BadField("invite", "is not an invitation", "Copy the whole word that `sallyport device invite` printed")
	s = strings.TrimSpace(s)
	last := strings.LastIndexByte(s, '.')
	if last < 0 || len(s) > 256 {
		return Invite{}, bad
	}
	middle := strings.LastIndexByte(s[:last], '.')
	if middle < 1 {
		return Invite{}, bad
	}
	i := Invite{Device: s[:middle], Code: s[middle+1 : last], Pin: s[last+1:]}
	if len(i.Code) < 26 || len(i.Pin) != pinLen || strings.Trim(i.Pin, "0123456789abcdef") != "" {
		return Invite{}, bad
	}
	for _, c := range []byte(i.Device + i.Code) {
		if c <= ' ' || c >= 0x7f {
			return Invite{}, bad
		}
	}
	return i, nil
}

// EnrolRequest uses an invitation.
type EnrolRequest struct {
	Device   string   `json:"device"`
	Code     string   `json:"code"`
	KeyStore string   `json:"key_store"` // tpm, os, file: what the machine says
	Region   string   `json:"region"`    // ISO 3166: where the machine is, as declared
	SealTo   []string `json:"seal_to,omitempty"`
	AppKeys  []byte   `json:"app_keys,omitempty"` // the JWK Set of the owner's program
}

// Enrolment is where a machine stands, for the holder of its key.
type Enrolment struct {
	Device       string    `json:"device"`
	Vendor       string    `json:"vendor"`
	Owner        string    `json:"owner,omitempty"`
	State        string    `json:"state"` // proposed, approved, suspended, ended
	App          string    `json:"app,omitempty"`
	AppState     string    `json:"app_state,omitempty"`
	TrustedUntil time.Time `json:"trusted_until,omitzero"`
	// Server is the address at which the agent finds the server from now on, and
	// which links in answers begin with.
	Server string `json:"server"`
	// Certificate is there once the device is approved; Authority vouches for the
	// server from now on.
	Certificate string `json:"certificate,omitempty"`
	Authority   string `json:"authority,omitempty"`
	// PostureEvery is how often the agent should report, in seconds.
	PostureEvery int `json:"posture_every,omitempty"`
	// Next says what is waited for, and who can do it.
	Next string `json:"next,omitempty"`
}

// Stand says why a device does, or does not, get in. Nothing was released and no
// decision is in the record: it is what the gates would say.
type Stand struct {
	At              time.Time `json:"at"`
	Device          string    `json:"device"`
	Vendor          string    `json:"vendor"`
	Owner           string    `json:"owner,omitempty"`
	State           string    `json:"state"`
	TrustedUntil    time.Time `json:"trusted_until,omitzero"`
	KeyStore        string    `json:"key_store,omitempty"` // as the machine said; not attested
	CertificateEnds time.Time `json:"certificate_ends"`
	// ReportedAt is when the device's state was last reported, FreshUntil how long
	// that counts; zero: never.
	ReportedAt time.Time `json:"reported_at,omitzero"`
	FreshUntil time.Time `json:"fresh_until,omitzero"`
	Source     string    `json:"source,omitempty"` // who read it: agent, osquery, fleet
	Grants     []Grant   `json:"grants"`
	Assumed    []string  `json:"assumed"`
}

// Grant is one grant that names the device.
type Grant struct {
	Grant      string           `json:"grant"`
	App        string           `json:"app"`
	Person     string           `json:"person"`
	Engagement string           `json:"engagement"`
	Sealing    string           `json:"sealing,omitempty"`
	Source     string           `json:"source"`
	Asked      string           `json:"asked"` // "search-type Patient": what was tried
	Open       bool             `json:"open"`
	Reasons    []problem.Reason `json:"reasons,omitempty"`
}

// FleetReport is what a vendor's fleet manager sends, of any of its devices.
type FleetReport struct {
	Devices []FleetDevice `json:"devices"` // at most MaxFleet
}

// MaxFleet is how many devices one report may name.
const MaxFleet = 500

// FleetDevice is the state of one device. A check is "pass", "fail" or "unknown";
// one that is left out is unknown.
type FleetDevice struct {
	ID                string `json:"id"`
	OS                string `json:"os"`
	OSVersion         string `json:"os_version"`
	UpdateAge         *int   `json:"update_age_days"`
	DiskEncryption    string `json:"disk_encryption"`
	ScreenLock        string `json:"screen_lock"`
	Firewall          string `json:"firewall"`
	MalwareProtection string `json:"malware_protection"`
	HardwareKey       string `json:"hardware_key"`
}

// FleetResult says what was recorded, in the order of the report.
type FleetResult struct {
	Devices []FleetRecorded `json:"devices"`
}

// FleetRecorded is what became of one device's state. A device that is not there
// and one of another vendor are alike.
type FleetRecorded struct {
	ID       string `json:"id"`
	Recorded bool   `json:"recorded"`
	Problem  string `json:"problem,omitempty"`
}

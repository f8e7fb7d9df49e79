package snapshot

import (
	"strings"
	"time"

	"github.com/sallyport/sallyport/id"
)

// KeyStore is where a device keeps its private key.
type KeyStore string

// The key stores.
const (
	InTPM     KeyStore = "tpm"  // a TPM 2.0
	InOSStore KeyStore = "os"   // the operating system's key store
	InFile    KeyStore = "file" // an encrypted file
)

// KeyStores lists every key store.
var KeyStores = []KeyStore{InTPM, InOSStore, InFile}

// Sealing is how a release is sealed to its recipient inside TLS.
type Sealing string

// The ways.
const (
	SealAge  Sealing = "age"       // age v1, hybrid post-quantum recipient
	SealHPKE Sealing = "hpke-p256" // HPKE (RFC 9180), P-256 and AES-256-GCM: for FIPS 140-3
)

// Sealings lists every way.
var Sealings = []Sealing{SealAge, SealHPKE}

// Recipient is the public key on record to which releases for the device are
// sealed in a way; of two for age the post-quantum one. Whether it is a key at
// all is for the sealing to see.
func (d *Device) Recipient(s Sealing) (recipient string, ok bool) {
	if d == nil {
		return "", false
	}
	prefixes := []string{"age1pq1", "age1"}
	switch s {
	case SealAge:
	case SealHPKE:
		prefixes = []string{"hpke-p256:"}
	default:
		return "", false
	}
	for _, p := range prefixes {
		for _, r := range d.SealTo {
			if strings.HasPrefix(r, p) {
				return r, true
			}
		}
	}
	return "", false
}

// PostureSource says who read a device's state.
type PostureSource string

// The sources. All are the device's word or its manager's; none is attested.
const (
	FromAgent   PostureSource = "agent"   // the agent's own collectors, signed by the device's key
	FromOSQuery PostureSource = "osquery" // osquery, asked by the agent, signed by the device's key
	FromFleet   PostureSource = "fleet"   // the fleet manager of the vendor
)

// PostureSources lists every source.
var PostureSources = []PostureSource{FromAgent, FromOSQuery, FromFleet}

// Check is what one look at a device found. The zero Check, like every word that
// is not "pass", fails: what cannot be read does not count as in order.
type Check string

// The findings.
const (
	CheckPass    Check = "pass"
	CheckFail    Check = "fail"
	CheckUnknown Check = "unknown" // it could not be read
)

// Checks lists every finding.
var Checks = []Check{CheckPass, CheckFail, CheckUnknown}

// PostureChecks lists the checks of a Posture by their JSON names.
var PostureChecks = []string{"disk_encryption", "screen_lock", "firewall", "malware_protection", "hardware_key", "update_age_days"}

// Posture is the newest report of a device's state. It is self-reported.
type Posture struct {
	Device     id.Device     `json:"device"`
	Source     PostureSource `json:"source"`
	ReportedAt time.Time     `json:"reported_at"`
	OS         string        `json:"os"` // "linux", "macos", "windows"
	OSVersion  string        `json:"os_version"`
	// UpdateAge is the number of days since updates were last installed; -1: not
	// known, which fails.
	UpdateAge         int   `json:"update_age_days"`
	DiskEncryption    Check `json:"disk_encryption"`
	ScreenLock        Check `json:"screen_lock"`
	Firewall          Check `json:"firewall"`
	MalwareProtection Check `json:"malware_protection"`
	HardwareKey       Check `json:"hardware_key"` // the device's key is in hardware
}

// PostureRule is what the organisation asks of devices (policy; 45 CFR
// 164.310(b)-(c) and 164.312 ask for workstation security and leave the how to
// the organisation). The zero rule asks for everything.
type PostureRule struct {
	// Waived lists checks that need not pass, by their JSON name.
	Waived []string `json:"waived,omitempty"`
	// MaxUpdateAge is the most days since the last update; 0: 30.
	MaxUpdateAge int `json:"max_update_age_days,omitempty"`
	// WorkloadsExempt lets devices of programs of kind workload go without a report:
	// servers without a screen or a user are judged by their provenance.
	WorkloadsExempt bool `json:"workloads_exempt,omitempty"`
}

// defaultUpdateAge is the most days since a device's last update where the rule says
// nothing.
const defaultUpdateAge = 30

// Updated reports whether updates that were installed so many days ago are recent
// enough; -1, not known, is not.
func (r PostureRule) Updated(days int) bool {
	most := r.MaxUpdateAge
	if most <= 0 {
		most = defaultUpdateAge
	}
	return days >= 0 && days <= most
}

// DeviceApproval says who approves a device that a person of a vendor enrolled.
type DeviceApproval string

// Who approves. The zero value is the organisation.
const (
	ByOrganisation DeviceApproval = "organisation"
	ByVendor       DeviceApproval = "vendor" // another person of the same vendor may, too
)

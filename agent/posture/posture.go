// Package posture says how a machine is kept: whether its disk is encrypted, its
// screen locks, a firewall and malware protection run, how old its last update is.
//
// A posture is what a machine says of itself. Its signature proves which machine
// said it, and when; not that it is true: who controls the machine can make the
// agent say anything. It finds what was forgotten, not who lies. The record says
// so wherever it shows one.
//
// What cannot be read is Unknown, and Unknown does not pass. Nothing here needs
// root; what only root may read is Unknown for others.
//
// Linux is tested on real machines' files and on this one. The collectors of macOS
// and Windows were written from their vendors' documentation and are tested
// against recorded outputs of the programs that they run, and on no such machine.
package posture

import (
	"context"
	"strings"
	"time"
)

// State is what was found of a check. The zero State does not pass.
type State string

// The states.
const (
	Unknown State = ""    // could not be read
	Off     State = "off" // read, and not so
	On      State = "on"
)

// Check names what is looked at. The words are those of the registry.
type Check string

// The checks.
const (
	OS                Check = "os" // its name and version
	DiskEncryption    Check = "disk_encryption"
	ScreenLock        Check = "screen_lock"
	Firewall          Check = "firewall"
	MalwareProtection Check = "malware_protection"
	UpdateAge         Check = "update_age_days"
	HardwareKey       Check = "hardware_key"
)

// Checks is every check, in the order in which they are shown.
var Checks = []Check{OS, DiskEncryption, ScreenLock, Firewall, MalwareProtection, UpdateAge, HardwareKey}

// Sources of a report.
const (
	FromAgent   = "agent"
	FromOsquery = "osquery" // at least one check was read by osquery
)

// Found is what was read, before it is reported.
type Found struct {
	Source    string
	OS        string // "debian", "macos", "windows"
	OSVersion string
	States    map[Check]State // of the checks that are a State
	UpdatedAt time.Time       // when the last update was installed or found needless; zero: unknown
	// How says by what each check was read, or why it was not, for the terminal of
	// the machine's owner: "dm-crypt under /", "needs root".
	How map[Check]string
}

func (f *Found) set(c Check, s State, how string) {
	f.States[c], f.How[c] = s, how
}

// UpdateAgeDays is the whole days since the last update; ok is false where that is
// not known, or lies ahead.
func (f *Found) UpdateAgeDays(now time.Time) (days int, ok bool) {
	// A log in local time without its zone may be up to a day ahead.
	if f.UpdatedAt.IsZero() || f.UpdatedAt.After(now.Add(24*time.Hour)) {
		return 0, false
	}
	return max(0, int(now.Sub(f.UpdatedAt)/(24*time.Hour))), true
}

// System is what collectors look at: this machine, or a recording of one. Paths
// are absolute.
type System interface {
	// ReadFile reads a file of at most a megabyte.
	ReadFile(path string) ([]byte, error)
	// Glob lists the names that match, sorted; none is no error.
	Glob(pattern string) []string
	// Readlink is what a symbolic link names.
	Readlink(path string) (string, error)
	// Modified is when a file was last changed.
	Modified(path string) (time.Time, error)
	// Run runs a program without a shell, and gives what it wrote to both outputs,
	// up to a megabyte. An error is a program that is not there, did not end in
	// time or could not be started; its exit code is no error.
	Run(ctx context.Context, name string, args ...string) (Output, error)
	// Getenv is an environment variable.
	Getenv(name string) string
}

// Output is what a program wrote.
type Output struct {
	Stdout, Stderr string
	Code           int
}

// Collect looks at a system, as its operating system (GOOS) needs.
func Collect(ctx context.Context, goos string, sys System) *Found {
	f := &Found{Source: FromAgent, States: map[Check]State{}, How: map[Check]string{}}
	switch goos {
	case "linux":
		linux(ctx, sys, f)
	case "darwin":
		darwin(ctx, sys, f)
	case "windows":
		windows(ctx, sys, f)
	default:
		for _, c := range Checks {
			f.How[c] = "no collector for " + goos
		}
	}
	osquery(ctx, goos, sys, f)
	return f
}

// line is the first line, trimmed.
func line(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	return strings.TrimSpace(s)
}

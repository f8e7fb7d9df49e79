package posture

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// darwin reads a Mac by the programs that Apple ships. Written from their manual
// pages; tested against recorded outputs only.
func darwin(ctx context.Context, sys System, f *Found) {
	ask := func(name string, args ...string) (string, bool) {
		out, err := sys.Run(ctx, name, args...)
		if err != nil || out.Code != 0 {
			return "", false
		}
		return strings.TrimSpace(out.Stdout + "\n" + out.Stderr), true // sysadminctl answers on the second
	}
	word := func(c Check, name string, args []string, on, off string) {
		text, ok := ask(name, args...)
		switch {
		case ok && strings.Contains(text, on):
			f.set(c, On, name)
		case ok && strings.Contains(text, off):
			f.set(c, Off, name)
		default:
			f.set(c, Unknown, name+" does not say")
		}
	}
	if v, ok := ask("/usr/bin/sw_vers", "-productVersion"); ok {
		f.OS, f.OSVersion = "macos", line(v)
		f.How[OS] = "sw_vers"
	}
	word(DiskEncryption, "/usr/bin/fdesetup", []string{"status"}, "FileVault is On.", "FileVault is Off.")
	word(Firewall, "/usr/libexec/ApplicationFirewall/socketfilterfw", []string{"--getglobalstate"}, "Firewall is enabled", "Firewall is disabled")
	// XProtect is part of the system and has no switch; Gatekeeper, which has one,
	// stands for both.
	word(MalwareProtection, "/usr/sbin/spctl", []string{"--status"}, "assessments enabled", "assessments disabled")
	darwinScreen(ask, f)
	if text, ok := ask("/usr/sbin/system_profiler", "SPInstallHistoryDataType", "-json"); ok {
		f.UpdatedAt = darwinUpdated(text)
	}
	f.How[UpdateAge] = "system_profiler"
}

// darwinScreen wants a password within a minute of the screen saver, and the
// screen saver within a quarter of an hour.
func darwinScreen(ask func(string, ...string) (string, bool), f *Found) {
	const lock, idle = "/usr/sbin/sysadminctl", "/usr/bin/defaults"
	text, ok := ask(lock, "-screenLock", "status")
	if !ok {
		f.set(ScreenLock, Unknown, lock+" does not say")
		return
	}
	switch {
	case strings.Contains(text, "screenLock is off"):
		f.set(ScreenLock, Off, "no password is asked after the screen saver")
		return
	case strings.Contains(text, "screenLock delay is immediate"):
	default:
		_, after, found := strings.Cut(text, "screenLock delay is ")
		seconds, err := strconv.Atoi(strings.TrimSuffix(line(after), " seconds"))
		if !found || err != nil {
			f.set(ScreenLock, Unknown, lock+" does not say")
			return
		}
		if seconds > 60 {
			f.set(ScreenLock, Off, "a password is asked later than a minute after the screen saver")
			return
		}
	}
	text, ok = ask(idle, "-currentHost", "read", "com.apple.screensaver", "idleTime")
	seconds, err := strconv.Atoi(line(text))
	switch {
	case !ok || err != nil:
		f.set(ScreenLock, Unknown, idle+" does not say when the screen saver begins")
	case seconds <= 0 || seconds > int(maxIdle/time.Second):
		f.set(ScreenLock, Off, "the screen saver begins never, or later than after 15 minutes")
	default:
		f.set(ScreenLock, On, lock)
	}
}

// darwinUpdated is the newest installation of something of Apple's.
func darwinUpdated(text string) (last time.Time) {
	var doc struct {
		History []struct {
			Date   time.Time `json:"install_date"`
			Source string    `json:"package_source"`
		} `json:"SPInstallHistoryDataType"`
	}
	if i := strings.IndexByte(text, '{'); i < 0 || json.NewDecoder(strings.NewReader(text[i:])).Decode(&doc) != nil {
		return time.Time{}
	}
	for _, h := range doc.History {
		if h.Source == "package_source_apple" && h.Date.After(last) {
			last = h.Date
		}
	}
	return last
}

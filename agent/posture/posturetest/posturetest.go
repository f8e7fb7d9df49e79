// Package posturetest is a machine that was recorded: files, and what programs
// said. Tests of posture change one thing of it and see what is found.
package posturetest

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os/exec"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/agent/posture"
)

// Machine implements posture.System. What it does not hold is not there.
type Machine struct {
	Files    map[string]string
	Times    map[string]time.Time
	Programs map[string]posture.Output // by the command line, words joined by a space
	Env      map[string]string
}

var _ posture.System = (*Machine)(nil)

// ReadFile implements posture.System.
func (m *Machine) ReadFile(name string) ([]byte, error) {
	text, ok := m.Files[name]
	if !ok {
		return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	return []byte(text), nil
}

// Glob implements posture.System: files, and the folders that they are in.
func (m *Machine) Glob(pattern string) (out []string) {
	for name := range m.Files {
		for ; name != "/" && name != "."; name = path.Dir(name) {
			if ok, _ := path.Match(pattern, name); ok && !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	slices.Sort(out)
	return out
}

// Readlink implements posture.System.
func (m *Machine) Readlink(name string) (string, error) {
	return "", fmt.Errorf("%s: %w", name, fs.ErrNotExist)
}

// Modified implements posture.System.
func (m *Machine) Modified(name string) (time.Time, error) {
	at, ok := m.Times[name]
	if !ok {
		return time.Time{}, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	return at, nil
}

// Run implements posture.System.
func (m *Machine) Run(_ context.Context, name string, args ...string) (posture.Output, error) {
	line := strings.Join(append([]string{name}, args...), " ")
	if out, ok := m.Programs[line]; ok {
		return out, nil
	}
	return posture.Output{}, &exec.Error{Name: name, Err: exec.ErrNotFound}
}

// Getenv implements posture.System.
func (m *Machine) Getenv(name string) string { return m.Env[name] }

// Clone is a machine to change.
func (m *Machine) Clone() *Machine {
	return &Machine{Files: maps.Clone(m.Files), Times: maps.Clone(m.Times), Programs: maps.Clone(m.Programs), Env: maps.Clone(m.Env)}
}

// Laptop is a Linux laptop in order: Debian on LVM on LUKS, GNOME that locks, ufw,
// ClamAV, updated a day before now.
func Laptop(now time.Time) *Machine {
	return &Machine{
		Files: map[string]string{
			"/etc/os-release": "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID=\"12\"\nID=debian\n",
			"/proc/self/mountinfo": "22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/mapper/vg-root rw\n" +
				"23 22 0:21 / /proc rw - proc proc rw\n" +
				"40 22 254:2 / /home rw,relatime shared:20 - ext4 /dev/mapper/vg-home rw\n" +
				"41 22 259:2 / /boot rw,relatime shared:21 - ext4 /dev/nvme0n1p2 rw\n",
			"/sys/dev/block/254:1/dm/uuid":               "LVM-abc\n",
			"/sys/dev/block/254:1/dev":                   "254:1\n",
			"/sys/dev/block/254:1/slaves/dm-0/dev":       "254:0\n",
			"/sys/dev/block/254:2/dm/uuid":               "LVM-def\n",
			"/sys/dev/block/254:2/dev":                   "254:2\n",
			"/sys/dev/block/254:2/slaves/dm-0/dev":       "254:0\n",
			"/sys/class/block/dm-0/dm/uuid":              "CRYPT-LUKS2-0123456789abcdef-nvme0n1p3_crypt\n",
			"/sys/class/block/dm-0/dm/name":              "nvme0n1p3_crypt\n",
			"/sys/class/block/dm-0/dev":                  "254:0\n",
			"/sys/class/block/dm-0/slaves/nvme0n1p3/dev": "259:3\n",
			"/sys/class/block/nvme0n1p3/dev":             "259:3\n",
			"/etc/ufw/ufw.conf":                          "# ufw\nENABLED=yes\nLOGLEVEL=low\n",
			"/proc/1/comm":                               "systemd\n",
			"/proc/800/comm":                             "clamd\n",
			"/var/log/apt/history.log": "\nStart-Date: 2026-01-01  10:00:00\nInstall: vim:amd64 (9)\nEnd-Date: 2026-01-01  10:00:05\n" +
				"\nStart-Date: x\nCommandline: apt upgrade\nUpgrade: bash:amd64 (1, 2)\nEnd-Date: " + now.Add(-24*time.Hour).UTC().Format("2006-01-02  15:04:05") + "\n",
		},
		Times: map[string]time.Time{"/proc/uptime": now, "/var/lib/clamav/daily.cld": now.Add(-48 * time.Hour)},
		Programs: map[string]posture.Output{
			"loginctl list-sessions --no-legend":                       {Stdout: " 2 1000 lin seat0 tty2\nc1  110 gdm seat0 tty1\n"},
			"loginctl show-session 2 -p Type -p Remote -p Class":       {Stdout: "Type=wayland\nRemote=no\nClass=user\n"},
			"loginctl show-session c1 -p Type -p Remote -p Class":      {Stdout: "Type=wayland\nRemote=no\nClass=greeter\n"},
			"gsettings get org.gnome.desktop.screensaver lock-enabled": {Stdout: "true\n"},
			"gsettings get org.gnome.desktop.session idle-delay":       {Stdout: "uint32 300\n"},
			"systemctl is-active ufw":                                  {Stdout: "active\n"},
			"systemctl is-active firewalld":                            {Stdout: "inactive\n", Code: 3},
		},
		Env: map[string]string{"HOME": "/home/lin", "XDG_CURRENT_DESKTOP": "GNOME"},
	}
}

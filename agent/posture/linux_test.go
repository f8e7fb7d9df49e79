package posture_test

import (
	"context"
	"testing"
	"time"

	"github.com/sallyport/sallyport/agent/posture"
	"github.com/sallyport/sallyport/agent/posture/posturetest"
)

var now = time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC)

func TestALinuxLaptopInOrder(t *testing.T) {
	f := posture.Collect(t.Context(), "linux", posturetest.Laptop(now))
	r := f.Report("lin-laptop", true, now)
	want := posture.Report{Device: "lin-laptop", Source: "agent", OS: "debian", OSVersion: "12", UpdateAge: 1, DiskEncryption: "pass",
		ScreenLock: "pass", Firewall: "pass", MalwareProtection: "pass", HardwareKey: "pass"}
	if !r.Same(want) {
		t.Errorf("got %+v\nwant %+v\nhow %v", r, want, f.How)
	}
}

// An empty machine says nothing, and nothing passes.
func TestWhatCannotBeReadDoesNotPass(t *testing.T) {
	for _, goos := range []string{"linux", "darwin", "windows", "plan9"} {
		f := posture.Collect(t.Context(), goos, &posturetest.Machine{})
		r := f.Report("x", false, now)
		for name, got := range map[string]string{"disk": r.DiskEncryption, "screen": r.ScreenLock, "firewall": r.Firewall, "malware": r.MalwareProtection, "key": r.HardwareKey} {
			if got == "pass" {
				t.Errorf("%s: %s passes though nothing could be read", goos, name)
			}
		}
		if r.UpdateAge != -1 {
			t.Errorf("%s: the age of updates is %d though nothing could be read", goos, r.UpdateAge)
		}
	}
}

func TestLinuxChecks(t *testing.T) {
	const nft = "nft -j list ruleset"
	out := func(s string) posture.Output { return posture.Output{Stdout: s} }
	noFirewall := func(m *posturetest.Machine) { delete(m.Files, "/etc/ufw/ufw.conf") }
	for _, tc := range []struct {
		name   string
		change func(*posturetest.Machine)
		check  posture.Check
		want   posture.State
	}{
		{"root on a bare partition", func(m *posturetest.Machine) {
			m.Files["/proc/self/mountinfo"] = "22 1 259:2 / / rw - ext4 /dev/nvme0n1p2 rw\n"
			m.Files["/sys/dev/block/259:2/dev"] = "259:2"
		}, posture.DiskEncryption, posture.Off},
		{"home on a bare partition", func(m *posturetest.Machine) {
			m.Files["/proc/self/mountinfo"] += "50 22 8:1 / /home/lin rw - ext4 /dev/sda1 rw\n"
			m.Files["/sys/dev/block/8:1/dev"] = "8:1"
		}, posture.DiskEncryption, posture.Off},
		{"one leg of a RAID is not encrypted", func(m *posturetest.Machine) {
			m.Files["/sys/dev/block/254:1/slaves/sdb1/dev"] = "8:17"
			m.Files["/sys/class/block/sdb1/dev"] = "8:17"
		}, posture.DiskEncryption, posture.Off},
		{"btrfs on LUKS", func(m *posturetest.Machine) {
			m.Files["/proc/self/mountinfo"] = "22 1 0:30 /@ / rw - btrfs /dev/mapper/nvme0n1p3_crypt rw\n"
		}, posture.DiskEncryption, posture.On},
		{"btrfs on a partition", func(m *posturetest.Machine) {
			m.Files["/proc/self/mountinfo"] = "22 1 0:30 /@ / rw - btrfs /dev/nvme0n1p3 rw\n"
		}, posture.DiskEncryption, posture.Off},
		{"a container's overlay", func(m *posturetest.Machine) {
			m.Files["/proc/self/mountinfo"] = "22 1 0:30 / / rw - overlay overlay rw\n"
		}, posture.DiskEncryption, posture.Unknown},
		{"files on a network", func(m *posturetest.Machine) {
			m.Files["/proc/self/mountinfo"] += "50 22 0:44 / /home rw - nfs server:/home rw\n"
		}, posture.DiskEncryption, posture.Unknown},
		{"zfs, encrypted", func(m *posturetest.Machine) {
			m.Files["/proc/self/mountinfo"] = "22 1 0:30 / / rw - zfs rpool/root rw\n"
			m.Programs["zfs get -H -o value encryption rpool/root"] = out("aes-256-gcm\n")
		}, posture.DiskEncryption, posture.On},
		{"zfs, not encrypted", func(m *posturetest.Machine) {
			m.Files["/proc/self/mountinfo"] = "22 1 0:30 / / rw - zfs rpool/root rw\n"
			m.Programs["zfs get -H -o value encryption rpool/root"] = out("off\n")
		}, posture.DiskEncryption, posture.Off},
		{"a loop of devices", func(m *posturetest.Machine) {
			m.Files["/sys/class/block/dm-0/dm/uuid"] = "LVM-x"
			m.Files["/sys/class/block/nvme0n1p3/slaves/dm-0/dev"] = "254:0"
		}, posture.DiskEncryption, posture.Unknown},

		{"the screen does not lock", func(m *posturetest.Machine) {
			m.Programs["gsettings get org.gnome.desktop.screensaver lock-enabled"] = out("false\n")
		}, posture.ScreenLock, posture.Off},
		{"the screen never sleeps", func(m *posturetest.Machine) {
			m.Programs["gsettings get org.gnome.desktop.session idle-delay"] = out("uint32 0\n")
		}, posture.ScreenLock, posture.Off},
		{"the screen locks after an hour", func(m *posturetest.Machine) {
			m.Programs["gsettings get org.gnome.desktop.session idle-delay"] = out("uint32 3600\n")
		}, posture.ScreenLock, posture.Off},
		{"a desktop that is not known", func(m *posturetest.Machine) { m.Env["XDG_CURRENT_DESKTOP"] = "sway" }, posture.ScreenLock, posture.Unknown},
		{"KDE, by its defaults", func(m *posturetest.Machine) {
			m.Env["XDG_CURRENT_DESKTOP"] = "KDE"
			m.Programs["kreadconfig6 --file kscreenlockerrc --group Daemon --key Autolock --default true"] = out("true\n")
			m.Programs["kreadconfig6 --file kscreenlockerrc --group Daemon --key Timeout --default 5"] = out("5\n")
		}, posture.ScreenLock, posture.On},
		{"a server with a distant user", func(m *posturetest.Machine) {
			m.Programs["loginctl list-sessions --no-legend"] = out("7 1000 lin\n")
			m.Programs["loginctl show-session 7 -p Type -p Remote -p Class"] = out("Type=tty\nRemote=yes\nClass=user\n")
		}, posture.ScreenLock, posture.On},
		{"a text console that is signed in", func(m *posturetest.Machine) {
			m.Programs["loginctl list-sessions --no-legend"] = out("7 0 root seat0 tty1\n")
			m.Programs["loginctl show-session 7 -p Type -p Remote -p Class"] = out("Type=tty\nRemote=no\nClass=user\n")
		}, posture.ScreenLock, posture.Off},

		{"ufw is configured and does not run", func(m *posturetest.Machine) {
			m.Programs["systemctl is-active ufw"] = posture.Output{Stdout: "inactive\n", Code: 3}
		}, posture.Firewall, posture.Unknown},
		{"firewalld", func(m *posturetest.Machine) {
			noFirewall(m)
			m.Programs["systemctl is-active firewalld"] = out("active\n")
		}, posture.Firewall, posture.On},
		{"nftables that drops", func(m *posturetest.Machine) {
			noFirewall(m)
			m.Programs[nft] = out(`{"nftables":[{"metainfo":{"version":"1.0.6"}},{"table":{"family":"inet","name":"filter"}},{"chain":{"family":"inet","table":"filter","name":"input","hook":"input","policy":"drop"}}]}`)
		}, posture.Firewall, posture.On},
		{"nftables whose last rule rejects", func(m *posturetest.Machine) {
			noFirewall(m)
			m.Programs[nft] = out(`{"nftables":[{"chain":{"family":"inet","table":"filter","name":"input","hook":"input","policy":"accept"}},{"rule":{"family":"inet","table":"filter","chain":"input","expr":[{"match":{}},{"accept":null}]}},{"rule":{"family":"inet","table":"filter","chain":"input","expr":[{"counter":{}},{"reject":{}}]}}]}`)
		}, posture.Firewall, posture.On},
		{"nftables that drops one port", func(m *posturetest.Machine) {
			noFirewall(m)
			m.Programs[nft] = out(`{"nftables":[{"chain":{"family":"inet","table":"filter","name":"input","hook":"input","policy":"accept"}},{"rule":{"family":"inet","table":"filter","chain":"input","expr":[{"match":{}},{"drop":null}]}}]}`)
		}, posture.Firewall, posture.Off},
		{"nftables without a chain", func(m *posturetest.Machine) {
			noFirewall(m)
			m.Programs[nft] = out(`{"nftables":[{"metainfo":{}}]}`)
		}, posture.Firewall, posture.Off},
		{"nftables for root only", func(m *posturetest.Machine) {
			noFirewall(m)
			m.Programs[nft] = posture.Output{Stderr: "Operation not permitted (you must be root)\n", Code: 1}
		}, posture.Firewall, posture.Unknown},
		{"iptables that drops", func(m *posturetest.Machine) {
			noFirewall(m)
			m.Programs["iptables -S INPUT"] = out("-P INPUT DROP\n-A INPUT -i lo -j ACCEPT\n")
		}, posture.Firewall, posture.On},
		{"iptables that accepts", func(m *posturetest.Machine) {
			noFirewall(m)
			m.Programs["iptables -S INPUT"] = out("-P INPUT ACCEPT\n-A INPUT -p tcp --dport 23 -j DROP\n")
		}, posture.Firewall, posture.Off},

		{"old signatures", func(m *posturetest.Machine) {
			m.Times["/var/lib/clamav/daily.cld"] = now.Add(-8 * 24 * time.Hour)
		}, posture.MalwareProtection, posture.Off},
		{"old signatures, and another protection", func(m *posturetest.Machine) {
			m.Times["/var/lib/clamav/daily.cld"] = now.Add(-8 * 24 * time.Hour)
			m.Files["/proc/900/comm"] = "falcon-sensor\n"
		}, posture.MalwareProtection, posture.On},
		{"no protection", func(m *posturetest.Machine) { m.Files["/proc/800/comm"] = "cron\n" }, posture.MalwareProtection, posture.Off},
		{"no processes to be seen", func(m *posturetest.Machine) {
			delete(m.Files, "/proc/800/comm")
		}, posture.MalwareProtection, posture.Unknown},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := posturetest.Laptop(now).Clone()
			tc.change(m)
			f := posture.Collect(t.Context(), "linux", m)
			if got := f.States[tc.check]; got != tc.want {
				t.Errorf("%s: got %q (%s), want %q", tc.check, got, f.How[tc.check], tc.want)
			}
			if f.How[tc.check] == "" {
				t.Error("it does not say how it was read")
			}
		})
	}
}

func TestLinuxUpdates(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*posturetest.Machine)
		want   int // days; -1: unknown
	}{
		{"apt upgraded yesterday", func(*posturetest.Machine) {}, 1},
		{"apt only installed", func(m *posturetest.Machine) {
			m.Files["/var/log/apt/history.log"] = "Start-Date: 2026-11-25  10:00:00\nInstall: vim:amd64 (9)\nEnd-Date: 2026-11-25  10:00:05\n"
		}, -1},
		{"unattended-upgrades found nothing to do today", func(m *posturetest.Machine) {
			m.Times["/var/lib/apt/periodic/unattended-upgrades-stamp"] = now.Add(-time.Hour)
		}, 0},
		{"a log from the future", func(m *posturetest.Machine) {
			m.Files["/var/log/apt/history.log"] = "Upgrade: bash (1)\nEnd-Date: 2027-11-25  10:00:05\n"
		}, -1},
		{"pacman", func(m *posturetest.Machine) {
			delete(m.Files, "/var/log/apt/history.log")
			m.Files["/var/log/pacman.log"] = "[2026-11-16T10:00:00+0100] [ALPM] upgraded linux (1 -> 2)\n[2026-11-25T10:00:00+0100] [ALPM] installed vim (1)\n"
		}, 10},
		{"rpm", func(m *posturetest.Machine) {
			delete(m.Files, "/var/log/apt/history.log")
			m.Files["/var/lib/rpm/rpmdb.sqlite"] = "x"
			m.Programs[`rpm -qa --qf %{INSTALLTIME}\n`] = posture.Output{Stdout: "1700000000\n1794700000\nx\n"} // 2026-11-14T22:26:40Z
		}, 11},
		{"no package manager", func(m *posturetest.Machine) { delete(m.Files, "/var/log/apt/history.log") }, -1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := posturetest.Laptop(now).Clone()
			tc.change(m)
			if got := posture.Collect(t.Context(), "linux", m).Report("x", false, now).UpdateAge; got != tc.want {
				t.Errorf("got %d days, want %d", got, tc.want)
			}
		})
	}
}

// The real machine that this runs on: whatever it is, collecting ends and says how
// each check was read.
func TestThisMachine(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	f := posture.Collect(ctx, "linux", posture.Host{})
	for _, c := range posture.Checks {
		if f.How[c] == "" && c != posture.HardwareKey {
			t.Errorf("%s: it does not say how it was read", c)
		}
		t.Logf("%s: %q by %s", c, f.States[c], f.How[c])
	}
	if f.OS == "" {
		t.Error("this machine has no os-release")
	}
}

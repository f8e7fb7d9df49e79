package posture

import (
	"context"
	"encoding/json"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

func linux(ctx context.Context, sys System, f *Found) {
	linuxOS(sys, f)
	linuxDisk(ctx, sys, f)
	linuxScreen(ctx, sys, f)
	linuxFirewall(ctx, sys, f)
	linuxMalware(sys, f)
	linuxUpdates(ctx, sys, f)
}

// linuxOS reads os-release(5).
func linuxOS(sys System, f *Found) {
	raw, err := sys.ReadFile("/etc/os-release")
	if err != nil {
		if raw, err = sys.ReadFile("/usr/lib/os-release"); err != nil {
			f.How[OS] = "no os-release"
			return
		}
	}
	fields := map[string]string{}
	for l := range strings.Lines(string(raw)) {
		if k, v, ok := strings.Cut(strings.TrimSpace(l), "="); ok {
			fields[k] = strings.Trim(v, `"'`)
		}
	}
	f.OS, f.OSVersion = fields["ID"], fields["VERSION_ID"]
	if f.OSVersion == "" {
		f.OSVersion = fields["BUILD_ID"] // Arch: "rolling"
	}
	if f.OSVersion == "" {
		f.OSVersion = fields["VERSION_CODENAME"] // Debian before its release
	}
	f.How[OS] = "os-release"
}

// maxIdle is the longest that a screen may stay open, unattended (policy).
const maxIdle = 15 * time.Minute

// linuxScreen asks logind which sessions stand open at this machine's own screens,
// and the desktop whether it locks. A machine without any has no screen to lock.
func linuxScreen(ctx context.Context, sys System, f *Found) {
	out, err := sys.Run(ctx, "loginctl", "list-sessions", "--no-legend")
	if err != nil || out.Code != 0 {
		f.set(ScreenLock, Unknown, "loginctl does not answer")
		return
	}
	graphical, console := false, false
	for l := range strings.Lines(out.Stdout) {
		fields := strings.Fields(l)
		if len(fields) == 0 {
			continue
		}
		show, err := sys.Run(ctx, "loginctl", "show-session", fields[0], "-p", "Type", "-p", "Remote", "-p", "Class")
		if err != nil || show.Code != 0 {
			f.set(ScreenLock, Unknown, "loginctl does not show a session")
			return
		}
		switch p := properties(show.Stdout); {
		case p["Class"] == "greeter" || p["Class"] == "manager" || p["Class"] == "background" || p["Remote"] == "yes":
		case p["Type"] == "x11" || p["Type"] == "wayland" || p["Type"] == "mir":
			graphical = true
		case p["Type"] == "tty":
			console = true
		}
	}
	switch {
	case graphical:
		desktopLock(ctx, sys, f)
	case console:
		f.set(ScreenLock, Off, "someone is signed in at the text console, which does not lock")
	default:
		f.set(ScreenLock, On, "nobody is signed in at this machine's own screen")
	}
}

func properties(s string) map[string]string {
	out := map[string]string{}
	for l := range strings.Lines(s) {
		if k, v, ok := strings.Cut(strings.TrimSpace(l), "="); ok {
			out[k] = v
		}
	}
	return out
}

func desktopLock(ctx context.Context, sys System, f *Found) {
	desktop := strings.ToLower(sys.Getenv("XDG_CURRENT_DESKTOP"))
	ask := func(name string, args ...string) string {
		out, err := sys.Run(ctx, name, args...)
		if err != nil || out.Code != 0 {
			return ""
		}
		return line(out.Stdout)
	}
	var locks string
	var idle time.Duration
	switch {
	case strings.Contains(desktop, "kde"):
		locks = ask("kreadconfig6", "--file", "kscreenlockerrc", "--group", "Daemon", "--key", "Autolock", "--default", "true")
		minutes, _ := strconv.Atoi(ask("kreadconfig6", "--file", "kscreenlockerrc", "--group", "Daemon", "--key", "Timeout", "--default", "5"))
		idle = time.Duration(minutes) * time.Minute
	case strings.Contains(desktop, "gnome") || strings.Contains(desktop, "ubuntu") || strings.Contains(desktop, "unity") || strings.Contains(desktop, "budgie"):
		locks = ask("gsettings", "get", "org.gnome.desktop.screensaver", "lock-enabled")
		seconds, _ := strconv.Atoi(strings.TrimPrefix(ask("gsettings", "get", "org.gnome.desktop.session", "idle-delay"), "uint32 "))
		idle = time.Duration(seconds) * time.Second
	default:
		f.set(ScreenLock, Unknown, "this desktop is not known here")
		return
	}
	switch {
	case locks == "":
		f.set(ScreenLock, Unknown, "the desktop's settings do not answer")
	case locks != "true":
		f.set(ScreenLock, Off, "the screen does not lock by itself")
	case idle <= 0 || idle > maxIdle:
		f.set(ScreenLock, Off, "the screen locks never, or later than after 15 minutes")
	default:
		f.set(ScreenLock, On, "the screen locks by itself")
	}
}

// linuxFirewall takes the first that says yes: ufw, firewalld, then the rules in
// the kernel, which only root may read.
func linuxFirewall(ctx context.Context, sys System, f *Found) {
	if raw, err := sys.ReadFile("/etc/ufw/ufw.conf"); err == nil && properties(string(raw))["ENABLED"] == "yes" && active(ctx, sys, "ufw") {
		f.set(Firewall, On, "ufw")
		return
	}
	if active(ctx, sys, "firewalld") {
		f.set(Firewall, On, "firewalld")
		return
	}
	read := false
	if out, err := sys.Run(ctx, "nft", "-j", "list", "ruleset"); err == nil && out.Code == 0 {
		read = true
		if nftFilters(out.Stdout) {
			f.set(Firewall, On, "nftables")
			return
		}
	}
	if out, err := sys.Run(ctx, "iptables", "-S", "INPUT"); err == nil && out.Code == 0 {
		read = true
		if iptablesFilters(out.Stdout) {
			f.set(Firewall, On, "iptables")
			return
		}
	}
	if read {
		f.set(Firewall, Off, "nothing drops what comes in")
	} else {
		f.set(Firewall, Unknown, "neither ufw nor firewalld runs, and only root may read the kernel's rules")
	}
}

func active(ctx context.Context, sys System, unit string) bool {
	out, err := sys.Run(ctx, "systemctl", "is-active", unit)
	return err == nil && out.Code == 0 && line(out.Stdout) == "active"
}

// nftFilters reports whether what comes in is dropped unless a rule lets it in:
// by the policy of a chain, or by a last rule without a condition.
func nftFilters(text string) bool {
	var doc struct {
		Nftables []struct {
			Chain *struct {
				Family, Table, Name, Hook, Policy string
			}
			Rule *struct {
				Family, Table, Chain string
				Expr                 []map[string]json.RawMessage
			}
		}
	}
	if json.Unmarshal([]byte(text), &doc) != nil {
		return false
	}
	input := map[[3]string]bool{} // chain: its last rule drops everything
	for _, x := range doc.Nftables {
		if c := x.Chain; c != nil && c.Hook == "input" {
			if c.Policy == "drop" {
				return true
			}
			input[[3]string{c.Family, c.Table, c.Name}] = false
		}
		if r := x.Rule; r != nil {
			key := [3]string{r.Family, r.Table, r.Chain}
			if _, ok := input[key]; ok {
				input[key] = dropsAll(r.Expr)
			}
		}
	}
	for _, drops := range input {
		if drops {
			return true
		}
	}
	return false
}

func dropsAll(expr []map[string]json.RawMessage) bool {
	drops := false
	for _, e := range expr {
		for k := range e {
			switch k {
			case "drop", "reject":
				drops = true
			case "counter", "log":
			default:
				return false // a condition
			}
		}
	}
	return drops
}

func iptablesFilters(text string) bool {
	last := ""
	for l := range strings.Lines(text) {
		l = strings.TrimSpace(l)
		if l == "-P INPUT DROP" || l == "-P INPUT REJECT" {
			return true
		}
		if strings.HasPrefix(l, "-A INPUT") {
			last = l
		}
	}
	return last == "-A INPUT -j DROP" || strings.HasPrefix(last, "-A INPUT -j REJECT")
}

// protectors are processes of malware protection, by the 15 bytes that the kernel
// keeps of a name.
var protectors = map[string]string{
	"clamd": "ClamAV", "falcon-sensor": "CrowdStrike Falcon", "falcon-sensor-b": "CrowdStrike Falcon", "wdavdaemon": "Microsoft Defender",
	"s1-agent": "SentinelOne", "cbagentd": "Carbon Black", "cbdaemon": "Carbon Black", "ds_agent": "Trend Micro", "xagt": "Trellix",
	"pmd": "Cortex XDR", "elastic-endpoin": "Elastic Defend", "savd": "Sophos", "sophos_threat_d": "Sophos", "oaeventd": "ESET", "cylancesvc": "Cylance",
	"wazuh-agentd": "Wazuh", "bdsecd": "Bitdefender",
}

// clamFresh is how old ClamAV's signatures may be (policy).
const clamFresh = 7 * 24 * time.Hour

func linuxMalware(sys System, f *Found) {
	seen := 0
	for _, name := range sys.Glob("/proc/[0-9]*/comm") {
		raw, err := sys.ReadFile(name)
		if err != nil {
			continue // it ended
		}
		seen++
		what, ok := protectors[line(string(raw))]
		if !ok {
			continue
		}
		if what == "ClamAV" && !clamUpdated(sys) {
			f.set(MalwareProtection, Off, "ClamAV runs on signatures older than a week")
			continue
		}
		f.set(MalwareProtection, On, what)
		return
	}
	if f.How[MalwareProtection] != "" {
		return
	}
	if seen < 2 {
		f.set(MalwareProtection, Unknown, "the processes of others cannot be seen")
		return
	}
	f.set(MalwareProtection, Off, "no protection that is known here runs")
}

// clamUpdated compares the signatures' file with the newest thing that certainly
// was written today: the kernel's own clock file. The collector has no clock.
func clamUpdated(sys System) bool {
	now, err := sys.Modified("/proc/uptime")
	if err != nil {
		return false
	}
	for _, name := range []string{"/var/lib/clamav/daily.cld", "/var/lib/clamav/daily.cvd"} {
		if at, err := sys.Modified(name); err == nil && now.Sub(at) < clamFresh {
			return true
		}
	}
	return false
}

// linuxUpdates finds when packages were last brought up to date, or were found to
// be so.
func linuxUpdates(ctx context.Context, sys System, f *Found) {
	how := "no package manager that is known here"
	newest := func(t time.Time, by string) {
		if t.After(f.UpdatedAt) {
			f.UpdatedAt, how = t, by
		}
	}
	if names := sys.Glob("/var/log/apt/history.log"); len(names) > 0 {
		how = "apt has upgraded nothing that its history shows"
		raw, err := sys.ReadFile(names[0])
		if err == nil {
			newest(aptUpgraded(string(raw)), "apt's history")
		}
		// What unattended-upgrades touches when it has run, also when there was
		// nothing to do.
		for _, stamp := range []string{"/var/lib/apt/periodic/upgrade-stamp", "/var/lib/apt/periodic/unattended-upgrades-stamp"} {
			if at, err := sys.Modified(stamp); err == nil {
				newest(at, "unattended-upgrades")
			}
		}
	}
	if raw, err := sys.ReadFile("/var/log/pacman.log"); err == nil {
		how = "pacman has upgraded nothing that its log shows"
		newest(pacmanUpgraded(string(raw)), "pacman's log")
	}
	if len(sys.Glob("/var/lib/rpm/*"))+len(sys.Glob("/usr/lib/sysimage/rpm/*")) > 0 {
		if out, err := sys.Run(ctx, "rpm", "-qa", "--qf", `%{INSTALLTIME}\n`); err == nil && out.Code == 0 {
			var last int64
			for l := range strings.Lines(out.Stdout) {
				if n, err := strconv.ParseInt(strings.TrimSpace(l), 10, 64); err == nil {
					last = max(last, n)
				}
			}
			if last > 0 {
				newest(time.Unix(last, 0), "rpm's database")
			}
		}
	}
	f.How[UpdateAge] = how
}

// aptUpgraded reads apt's history, in which times are local: the newest end of a
// run that upgraded something.
func aptUpgraded(text string) (last time.Time) {
	for run := range strings.SplitSeq(text, "\n\n") {
		upgraded := false
		var end time.Time
		for l := range strings.Lines(run) {
			if strings.HasPrefix(l, "Upgrade: ") {
				upgraded = true
			}
			if v, ok := strings.CutPrefix(strings.TrimSpace(l), "End-Date: "); ok {
				end, _ = time.ParseInLocation("2006-01-02 15:04:05", strings.Join(strings.Fields(v), " "), time.UTC)
			}
		}
		if upgraded && end.After(last) {
			last = end
		}
	}
	return last
}

// pacmanUpgraded reads pacman's log: the newest upgrade of a package.
func pacmanUpgraded(text string) (last time.Time) {
	for l := range strings.Lines(text) {
		if !strings.Contains(l, "[ALPM] upgraded ") {
			continue
		}
		stamp, _, _ := strings.Cut(strings.TrimPrefix(l, "["), "]")
		if t, err := time.Parse("2006-01-02T15:04:05-0700", stamp); err == nil && t.After(last) {
			last = t
		}
	}
	return last
}

// linuxDisk follows the root file system, and that of the user's files, down to
// what they stand on: every way must lead through encryption.
func linuxDisk(ctx context.Context, sys System, f *Found) {
	raw, err := sys.ReadFile("/proc/self/mountinfo")
	if err != nil {
		f.set(DiskEncryption, Unknown, "mountinfo cannot be read")
		return
	}
	mounts := parseMounts(string(raw))
	wanted := []string{"/"}
	if home := sys.Getenv("HOME"); path.IsAbs(home) {
		wanted = append(wanted, path.Clean(home))
	} else {
		wanted = append(wanted, "/home")
	}
	for _, dir := range wanted {
		m, ok := mountOf(mounts, dir)
		if !ok {
			f.set(DiskEncryption, Unknown, "nothing is mounted on "+dir)
			return
		}
		switch s := encrypted(ctx, sys, m); s {
		case On:
		default:
			why := "what holds " + m.point + " cannot be seen through (" + m.kind + ")"
			if s == Off {
				why = "what holds " + m.point + " is not encrypted"
			}
			f.set(DiskEncryption, s, why)
			return
		}
	}
	f.set(DiskEncryption, On, "dm-crypt or ZFS under "+strings.Join(slices.Compact(wanted), " and "))
}

// mount is a line of mountinfo, proc_pid_mountinfo(5).
type mount struct{ device, point, kind, source string }

func parseMounts(text string) (out []mount) {
	for l := range strings.Lines(text) {
		before, after, ok := strings.Cut(l, " - ")
		a, b := strings.Fields(before), strings.Fields(after)
		if !ok || len(a) < 5 || len(b) < 2 {
			continue
		}
		out = append(out, mount{device: a[2], point: a[4], kind: b[0], source: b[1]})
	}
	return out
}

// mountOf is the mount that dir is on. A later mount covers an earlier one.
func mountOf(mounts []mount, dir string) (best mount, ok bool) {
	for _, m := range mounts {
		under := m.point == "/" || m.point == dir || strings.HasPrefix(dir, m.point+"/")
		if under && (!ok || len(m.point) >= len(best.point)) {
			best, ok = m, true
		}
	}
	return best, ok
}

// maxDepth bounds how many layers of block devices are followed.
const maxDepth = 16

func encrypted(ctx context.Context, sys System, m mount) State {
	if m.kind == "zfs" {
		out, err := sys.Run(ctx, "zfs", "get", "-H", "-o", "value", "encryption", m.source)
		switch v := line(out.Stdout); {
		case err != nil || out.Code != 0 || v == "" || v == "-":
			return Unknown
		case v == "off":
			return Off
		default:
			return On
		}
	}
	device := "/sys/dev/block/" + m.device
	if strings.HasPrefix(m.device, "0:") { // btrfs and others have a device number of no device
		if device = blockDevice(sys, m.source); device == "" {
			return Unknown
		}
	}
	return through(sys, device, 0)
}

// blockDevice finds the kernel's folder of a device by the name under which it was
// mounted.
func blockDevice(sys System, source string) string {
	name, ok := strings.CutPrefix(source, "/dev/")
	if !ok {
		return ""
	}
	if mapped, ok := strings.CutPrefix(name, "mapper/"); ok {
		for _, n := range sys.Glob("/sys/class/block/dm-*/dm/name") {
			if raw, err := sys.ReadFile(n); err == nil && line(string(raw)) == mapped {
				return path.Dir(path.Dir(n))
			}
		}
		return ""
	}
	if strings.Contains(name, "/") || strings.Contains(name, "..") || len(sys.Glob("/sys/class/block/"+name+"/dev")) == 0 {
		return ""
	}
	return "/sys/class/block/" + name
}

// through follows a block device to those below it.
func through(sys System, device string, depth int) State {
	if depth > maxDepth {
		return Unknown
	}
	if raw, err := sys.ReadFile(device + "/dm/uuid"); err == nil && strings.HasPrefix(line(string(raw)), "CRYPT-") {
		return On
	}
	slaves := sys.Glob(device + "/slaves/*")
	if len(slaves) == 0 {
		// The bottom: a disk or partition, if it is one at all. A disk that encrypts
		// itself looks the same, and nothing here could tell whether it is locked.
		if len(sys.Glob(device+"/dev")) == 0 {
			return Unknown
		}
		return Off
	}
	for _, s := range slaves {
		if state := through(sys, "/sys/class/block/"+path.Base(s), depth+1); state != On {
			return state
		}
	}
	return On
}

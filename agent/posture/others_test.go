package posture_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/sallyport/sallyport/agent/posture"
	"github.com/sallyport/sallyport/agent/posture/posturetest"
	"github.com/sallyport/sallyport/problem"
)

func said(s string) posture.Output { return posture.Output{Stdout: s} }

// mac is what a Mac in order says, as recorded from the manuals' examples.
func mac() *posturetest.Machine {
	return &posturetest.Machine{Programs: map[string]posture.Output{
		"/usr/bin/sw_vers -productVersion":                                   said("15.1\n"),
		"/usr/bin/fdesetup status":                                           said("FileVault is On.\n"),
		"/usr/libexec/ApplicationFirewall/socketfilterfw --getglobalstate":   said("Firewall is enabled. (State = 1) \n"),
		"/usr/sbin/spctl --status":                                           said("assessments enabled\n"),
		"/usr/sbin/sysadminctl -screenLock status":                           {Stderr: "2026-11-26 09:00:00.000 sysadminctl[1:2] screenLock delay is immediate\n"},
		"/usr/bin/defaults -currentHost read com.apple.screensaver idleTime": said("300\n"),
		"/usr/sbin/system_profiler SPInstallHistoryDataType -json":           said(`{"SPInstallHistoryDataType":[{"_name":"macOS 15.1","install_date":"2026-11-20T08:03:20Z","package_source":"package_source_apple"},{"_name":"Game","install_date":"2026-11-25T08:03:20Z","package_source":"package_source_other"}]}`),
	}}
}

func TestMacOSRecorded(t *testing.T) {
	r := posture.Collect(t.Context(), "darwin", mac()).Report("m", false, now)
	want := posture.Report{Device: "m", Source: "agent", OS: "macos", OSVersion: "15.1", UpdateAge: 6, DiskEncryption: "pass", ScreenLock: "pass",
		Firewall: "pass", MalwareProtection: "pass", HardwareKey: "fail"}
	if !r.Same(want) {
		t.Errorf("got %+v\nwant %+v", r, want)
	}
	for _, tc := range []struct {
		name, program string
		out           posture.Output
		check         posture.Check
		want          posture.State
	}{
		{"FileVault off", "/usr/bin/fdesetup status", said("FileVault is Off.\n"), posture.DiskEncryption, posture.Off},
		{"FileVault being made", "/usr/bin/fdesetup status", said("Encryption in progress: Percent completed = 12\n"), posture.DiskEncryption, posture.Unknown},
		{"firewall off", "/usr/libexec/ApplicationFirewall/socketfilterfw --getglobalstate", said("Firewall is disabled. (State = 0)\n"), posture.Firewall, posture.Off},
		{"Gatekeeper off", "/usr/sbin/spctl --status", said("assessments disabled\n"), posture.MalwareProtection, posture.Off},
		{"no lock", "/usr/sbin/sysadminctl -screenLock status", posture.Output{Stderr: "screenLock is off\n"}, posture.ScreenLock, posture.Off},
		{"a late lock", "/usr/sbin/sysadminctl -screenLock status", posture.Output{Stderr: "screenLock delay is 300 seconds\n"}, posture.ScreenLock, posture.Off},
		{"a soon lock", "/usr/sbin/sysadminctl -screenLock status", posture.Output{Stderr: "screenLock delay is 5 seconds\n"}, posture.ScreenLock, posture.On},
		{"another answer", "/usr/sbin/sysadminctl -screenLock status", posture.Output{Stderr: "?\n"}, posture.ScreenLock, posture.Unknown},
		{"no screen saver", "/usr/bin/defaults -currentHost read com.apple.screensaver idleTime", said("0\n"), posture.ScreenLock, posture.Off},
	} {
		m := mac()
		m.Programs[tc.program] = tc.out
		if got := posture.Collect(t.Context(), "darwin", m).States[tc.check]; got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
	}
}

func pc(json string) *posturetest.Machine {
	m := &windowsMachine{json: json}
	return m.machine()
}

// windowsMachine answers to any PowerShell script: the script is the collector's
// own business.
type windowsMachine struct{ json string }

func (w *windowsMachine) machine() *posturetest.Machine {
	return &posturetest.Machine{Programs: map[string]posture.Output{"powershell.exe -NoProfile -NonInteractive -Command " + posture.WindowsScript: said("\ufeff" + w.json + "\r\n")}}
}

const pcInOrder = `{"version":"10.0.26100","bitlocker":1,"firewall":[1,1,1],"antivirus":true,"realtime":true,"signatures":0,"saver":"1","secure":"1","timeout":"600","inactivity":null,"updated":["2026-11-12T00:00:00.0000000Z"]}`

func TestWindowsRecorded(t *testing.T) {
	r := posture.Collect(t.Context(), "windows", pc(pcInOrder)).Report("w", true, now)
	want := posture.Report{Device: "w", Source: "agent", OS: "windows", OSVersion: "10.0.26100", UpdateAge: 14, DiskEncryption: "pass", ScreenLock: "pass",
		Firewall: "pass", MalwareProtection: "pass", HardwareKey: "pass"}
	if !r.Same(want) {
		t.Errorf("got %+v\nwant %+v", r, want)
	}
	for _, tc := range []struct {
		name, old, new string
		check          posture.Check
		want           posture.State
	}{
		{"BitLocker off", `"bitlocker":1`, `"bitlocker":2`, posture.DiskEncryption, posture.Off},
		{"BitLocker suspended", `"bitlocker":1`, `"bitlocker":5`, posture.DiskEncryption, posture.Off},
		{"BitLocker not to be seen", `"bitlocker":1`, `"bitlocker":null`, posture.DiskEncryption, posture.Unknown},
		{"one profile without a firewall", `[1,1,1]`, `[1,0,1]`, posture.Firewall, posture.Off},
		{"one profile alone", `[1,1,1]`, `[1]`, posture.Firewall, posture.Off},
		{"no profiles", `[1,1,1]`, `[]`, posture.Firewall, posture.Unknown},
		{"old signatures", `"signatures":0`, `"signatures":8`, posture.MalwareProtection, posture.Off},
		{"Defender that says nothing", `"realtime":true`, `"realtime":null`, posture.MalwareProtection, posture.Unknown},
		{"realtime off", `"realtime":true`, `"realtime":false`, posture.MalwareProtection, posture.Off},
		{"screen saver without password", `"secure":"1"`, `"secure":"0"`, posture.ScreenLock, posture.Off},
		{"screen saver after an hour", `"timeout":"600"`, `"timeout":"3600"`, posture.ScreenLock, posture.Off},
		{"lock by policy alone", `"saver":"1","secure":"1","timeout":"600","inactivity":null`, `"saver":null,"secure":null,"timeout":null,"inactivity":900`, posture.ScreenLock, posture.On},
		{"nothing about the screen", `"saver":"1"`, `"saver":null`, posture.ScreenLock, posture.Unknown},
	} {
		text := strings.Replace(pcInOrder, tc.old, tc.new, 1)
		if text == pcInOrder {
			t.Fatalf("%s changes nothing", tc.name)
		}
		if got := posture.Collect(t.Context(), "windows", pc(text)).States[tc.check]; got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
	}
}

func TestOsqueryRecorded(t *testing.T) {
	m := mac()
	q := func(sql, rows string) { m.Programs["osqueryi --json "+sql] = said(rows) }
	q("SELECT platform, version FROM os_version", `[{"platform":"darwin","version":"15.1"}]`)
	q("SELECT d.encrypted FROM mounts m JOIN disk_encryption d ON m.device = d.name WHERE m.path = '/'", `[{"encrypted":"0"}]`)
	q("SELECT global_state FROM alf", `[{"global_state":"1"}]`)
	q("SELECT assessments_enabled FROM gatekeeper", `[]`)
	f := posture.Collect(t.Context(), "darwin", m)
	if f.Source != posture.FromOsquery {
		t.Errorf("got source %q", f.Source)
	}
	for check, want := range map[posture.Check]posture.State{posture.DiskEncryption: posture.Off, posture.Firewall: posture.On, posture.MalwareProtection: posture.On} {
		if f.States[check] != want {
			t.Errorf("%s: got %q, want %q", check, f.States[check], want)
		}
	}
	q("SELECT platform, version FROM os_version", `not json`)
	if f := posture.Collect(t.Context(), "darwin", m); f.Source != posture.FromAgent {
		t.Errorf("an osquery that answers rubbish was used")
	}
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestAReportIsItsDevicesOwnAndFresh(t *testing.T) {
	key := newKey(t)
	r := posture.Collect(t.Context(), "linux", posturetest.Laptop(now)).Report("lin-laptop", true, now)
	raw, err := posture.Sign(r, key)
	if err != nil {
		t.Fatal(err)
	}
	got, err := posture.Open(raw, "lin-laptop", key.Public(), now.Add(time.Minute))
	if err != nil || got != r {
		t.Fatalf("got %+v, %v", got, err)
	}
	part := strings.Split(raw, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"sallyport-posture+jws"}`)) + "." + part[1] + "."
	hmac, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: []byte("0123456789abcdef0123456789abcdef")}, (&jose.SignerOptions{}).WithType("sallyport-posture+jws"))
	if err != nil {
		t.Fatal(err)
	}
	body, _ := json.Marshal(r)
	confused, err := hmac.Sign(body)
	if err != nil {
		t.Fatal(err)
	}
	symmetric, _ := confused.CompactSerialize()
	jwt, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		t.Fatal(err)
	}
	other, err := jwt.Sign(body)
	if err != nil {
		t.Fatal(err)
	}
	wrongType, _ := other.CompactSerialize()
	for _, tc := range []struct {
		name, raw, device string
		key               *ecdsa.PrivateKey
		at                time.Time
	}{
		{"another device's key", raw, "lin-laptop", newKey(t), now},
		{"another device", raw, "other", key, now},
		{"old", raw, "lin-laptop", key, now.Add(posture.Skew + 2*time.Second)},
		{"from the future", raw, "lin-laptop", key, now.Add(-posture.Skew - 2*time.Second)},
		{"changed", part[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(body), `"fail"`, `"pass"`, 1)+" ")) + "." + part[2], "lin-laptop", key, now},
		{"alg none", none, "lin-laptop", key, now},
		{"a shared key", symmetric, "lin-laptop", key, now},
		{"another kind of token", wrongType, "lin-laptop", key, now},
		{"nothing", "", "lin-laptop", key, now},
		{"too long", strings.Repeat("a", 20000), "lin-laptop", key, now},
	} {
		if _, err := posture.Open(tc.raw, tc.device, tc.key.Public(), tc.at); problem.From(err).Kind != problem.Invalid || err == nil {
			t.Errorf("%s: got %v, want a refusal", tc.name, err)
		}
	}
}

func FuzzOpenReport(f *testing.F) {
	key := newKey(f)
	r := posture.Report{Device: "d", At: now, Nonce: "0123456789abcdef"}
	raw, err := posture.Sign(r, key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, s string) {
		if got, err := posture.Open(s, "d", key.Public(), now); err == nil && got != r {
			t.Errorf("a report that the key did not sign: %+v", got)
		}
	})
}

// What programs and files say may be anything; collecting never panics, and rubbish
// alone never passes a check that it does not name.
func FuzzCollect(f *testing.F) {
	f.Add("22 1 254:1 / / rw - ext4 /dev/mapper/x rw\n", "Upgrade: x\nEnd-Date: 2026-01-01  00:00:00", `{"nftables":[{"chain":{"hook":"input"}}]}`)
	f.Add("", "[2026-11-16T10:00:00+0100] [ALPM] upgraded", `{"nftables":[{"rule":{"expr":[{}]}}]}`)
	f.Fuzz(func(t *testing.T, mounts, history, rules string) {
		m := &posturetest.Machine{Files: map[string]string{"/proc/self/mountinfo": mounts, "/var/log/apt/history.log": history, "/var/log/pacman.log": history, "/etc/os-release": mounts},
			Programs: map[string]posture.Output{"nft -j list ruleset": said(rules), "loginctl list-sessions --no-legend": said(history),
				"powershell.exe -NoProfile -NonInteractive -Command " + posture.WindowsScript: said(rules), "/usr/sbin/system_profiler SPInstallHistoryDataType -json": said(rules)}}
		for _, goos := range []string{"linux", "darwin", "windows"} {
			r := posture.Collect(t.Context(), goos, m).Report("x", false, now)
			if goos == "linux" && (r.DiskEncryption == "pass" || r.MalwareProtection == "pass") {
				t.Errorf("rubbish passes: %+v", r)
			}
		}
	})
}

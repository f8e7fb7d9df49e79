package posture

import (
	"context"
	"encoding/json"
	"strings"
	"time"
)

// WindowsScript asks Windows once, in PowerShell 5.1, and answers in JSON whatever
// the system's language is. What the user may not read stays null.
const WindowsScript = `$ErrorActionPreference='SilentlyContinue'
$os=Get-CimInstance Win32_OperatingSystem
$d=Get-ItemProperty 'HKCU:\Control Panel\Desktop'
$p=Get-ItemProperty 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System'
$m=Get-MpComputerStatus
@{
version=$os.Version
bitlocker=(New-Object -ComObject Shell.Application).NameSpace($env:SystemDrive).Self.ExtendedProperty('System.Volume.BitLockerProtection')
firewall=@(Get-NetFirewallProfile|ForEach-Object{[int]$_.Enabled})
antivirus=$m.AntivirusEnabled
realtime=$m.RealTimeProtectionEnabled
signatures=$m.AntivirusSignatureAge
saver=$d.ScreenSaveActive
secure=$d.ScreenSaverIsSecure
timeout=$d.ScreenSaveTimeOut
inactivity=$p.InactivityTimeoutSecs
updated=@(Get-HotFix|Where-Object{$_.InstalledOn}|Sort-Object InstalledOn|Select-Object -Last 1|ForEach-Object{$_.InstalledOn.ToUniversalTime().ToString('o')})
}|ConvertTo-Json -Compress`

// windows reads a Windows machine. Written from Microsoft's documentation of the
// commands; tested against recorded outputs only.
func windows(ctx context.Context, sys System, f *Found) {
	const how = "PowerShell"
	var w struct {
		Version    string
		BitLocker  *int // System.Volume.BitLockerProtection: 1 on, 2 off, 3 encrypting, 4 decrypting, 5 suspended, 6 locked
		Firewall   []int
		Antivirus  *bool
		RealTime   *bool
		Signatures *int64 // days
		Saver      *string
		Secure     *string
		Timeout    *string // seconds
		Inactivity *int64  // seconds
		Updated    []time.Time
	}
	out, err := sys.Run(ctx, "powershell.exe", "-NoProfile", "-NonInteractive", "-Command", WindowsScript)
	if err != nil || out.Code != 0 || json.Unmarshal([]byte(strings.TrimPrefix(out.Stdout, "\ufeff")), &w) != nil {
		for _, c := range Checks {
			f.How[c] = how + " does not answer"
		}
		return
	}
	f.OS, f.OSVersion = "windows", w.Version
	f.How[OS], f.How[UpdateAge] = how, "Get-HotFix"
	is := func(c Check, known, on bool, by string) {
		switch {
		case !known:
			f.set(c, Unknown, by+" does not say")
		case on:
			f.set(c, On, by)
		default:
			f.set(c, Off, by)
		}
	}
	is(DiskEncryption, w.BitLocker != nil && *w.BitLocker != 0, w.BitLocker != nil && *w.BitLocker == 1, "BitLocker")
	all := len(w.Firewall) >= 3 // domain, private, public
	for _, enabled := range w.Firewall {
		all = all && enabled == 1
	}
	is(Firewall, len(w.Firewall) > 0, all, "Get-NetFirewallProfile")
	is(MalwareProtection, w.Antivirus != nil && w.RealTime != nil && w.Signatures != nil,
		w.Antivirus != nil && *w.Antivirus && w.RealTime != nil && *w.RealTime && w.Signatures != nil && *w.Signatures >= 0 && *w.Signatures <= 7, "Microsoft Defender")
	limit := int64(maxIdle / time.Second)
	byPolicy := w.Inactivity != nil && *w.Inactivity > 0 && *w.Inactivity <= limit
	bySaver := w.Saver != nil && *w.Saver == "1" && w.Secure != nil && *w.Secure == "1" && w.Timeout != nil && withinSeconds(*w.Timeout, limit)
	is(ScreenLock, w.Inactivity != nil || w.Saver != nil, byPolicy || bySaver, "the registry")
	if len(w.Updated) > 0 {
		f.UpdatedAt = w.Updated[len(w.Updated)-1]
	}
}

func withinSeconds(text string, limit int64) bool {
	var n json.Number
	if json.Unmarshal([]byte(text), &n) != nil {
		return false
	}
	v, err := n.Int64()
	return err == nil && v > 0 && v <= limit
}

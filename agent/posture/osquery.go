package posture

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
)

// osquery lets osquery answer where it is installed and knows; what it does not
// answer stays as the agent's own collectors found it. Its tables are those of
// osquery 5's schema. Tested against recorded outputs only.
func osquery(ctx context.Context, goos string, sys System, f *Found) {
	ask := func(query string) []map[string]string {
		out, err := sys.Run(ctx, "osqueryi", "--json", query)
		var rows []map[string]string
		if err != nil || out.Code != 0 || json.Unmarshal([]byte(out.Stdout), &rows) != nil {
			return nil
		}
		return rows
	}
	rows := ask("SELECT platform, version FROM os_version")
	if len(rows) != 1 || rows[0]["version"] == "" {
		return // not there
	}
	const by = "osquery"
	f.Source = FromOsquery
	if f.OSVersion == "" {
		f.OS, f.OSVersion, f.How[OS] = rows[0]["platform"], rows[0]["version"], by
	}
	// all wants rows, and the column to be so in each.
	all := func(c Check, query, column string, so func(string) bool) {
		rows := ask(query)
		if len(rows) == 0 {
			return
		}
		for _, r := range rows {
			if !so(r[column]) {
				f.set(c, Off, by)
				return
			}
		}
		f.set(c, On, by)
	}
	is := func(want string) func(string) bool { return func(v string) bool { return v == want } }
	switch goos {
	case "linux":
		if f.States[DiskEncryption] == On {
			break // our own collector follows LVM and RAID down to dm-crypt; this table does not
		}
		all(DiskEncryption, "SELECT d.encrypted FROM mounts m JOIN disk_encryption d ON m.device = d.name WHERE m.path = '/'", "encrypted", is("1"))
	case "darwin":
		all(DiskEncryption, "SELECT d.encrypted FROM mounts m JOIN disk_encryption d ON m.device = d.name WHERE m.path = '/'", "encrypted", is("1"))
		all(Firewall, "SELECT global_state FROM alf", "global_state", func(v string) bool { n, err := strconv.Atoi(v); return err == nil && n >= 1 })
		all(MalwareProtection, "SELECT assessments_enabled FROM gatekeeper", "assessments_enabled", is("1"))
	case "windows":
		all(DiskEncryption, "SELECT protection_status FROM bitlocker_info WHERE drive_letter = 'C:'", "protection_status", is("1"))
		good := func(v string) bool { return strings.EqualFold(v, "Good") }
		all(Firewall, "SELECT firewall FROM windows_security_center", "firewall", good)
		all(MalwareProtection, "SELECT antivirus FROM windows_security_center", "antivirus", good)
	}
}

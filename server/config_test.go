package server

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"text/template"
	"time"

	"github.com/sallyport/sallyport/problem"
)

func written(t *testing.T, s Setup) string {
	t.Helper()
	var out bytes.Buffer
	if err := template.Must(template.New("").Funcs(template.FuncMap{"yaml": quoteYAML}).Parse(configTemplate)).Execute(&out, s); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

var setup = Setup{Organisation: "Mercy Valley Health", Node: "gateway-1", SourceID: "ehr", SourceURL: "https://fhir.example.org/r4",
	Host: "gw.example.org", GatewayPort: 8443, APIPort: 8444, HealthPort: 8445, PeoplePort: 8446}

func TestWhatInitWritesIsRead(t *testing.T) {
	s := setup
	s.Organisation = "St. \"Quote\": #1 \\ Co\nLtd"
	c, err := parse([]byte(written(t, s)), "/somewhere")
	if err != nil {
		t.Fatal(err)
	}
	if c.Organisation != s.Organisation || c.PublicURL != "https://gw.example.org:8443" || c.Sources[0].ID != "ehr" {
		t.Errorf("got %q, %q, %+v", c.Organisation, c.PublicURL, c.Sources)
	}
	if got, want := c.Data("audit"), "/somewhere/data/audit"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if !reflect.DeepEqual(c.Policy, DefaultPolicy) {
		t.Errorf("policy: got %+v, want the defaults", c.Policy)
	}
	if len(c.Digest()) != 64 {
		t.Errorf("digest: got %q", c.Digest())
	}
}

func TestABadConfigurationNamesTheFieldAndTheFix(t *testing.T) {
	good := written(t, setup)
	for _, tc := range []struct{ name, old, new, want string }{
		{"unknown key", "node:", "nodes:", "nodes"},
		{"not YAML", "node:", "\tnode:", "config"},
		{"no organisation", `organisation: "Mercy Valley Health"`, "organisation: ''", "organisation"},
		{"two scanners", "node:", "documents: {clamd: 'unix:/x', scan_command: [/x]}\nnode:", "documents"},
		{"a scanner without a path", "node:", "documents: {scan_command: [scan]}\nnode:", "documents.scan_command"},
		{"a scanner elsewhere", "node:", "documents: {clamd: 'tcp:192.0.2.1:3310'}\nnode:", "documents.clamd"},
		{"a scan of hours", "node:", "documents: {scan_timeout: 1h}\nnode:", "documents.scan_timeout"},
		{"notices without routes", "node:", "notify: {}\nnode:", "notify.routes"},
		{"mail without a server", "node:", "notify: {routes: [{classes: [lapse], to: [a@example.org]}]}\nnode:", "notify.routes[0].to"},
		{"mail without TLS", "node:", "notify: {from: a@example.org, smtp: {server: 'mail:25', tls: none}}\nnode:", "notify.smtp.tls"},
		{"mail from nobody", "node:", "notify: {smtp: {server: 'mail:25'}}\nnode:", "notify.from"},
		{"a user without a password", "node:", "notify: {from: a@example.org, smtp: {server: 'mail:25', username: u}}\nnode:", "notify.smtp"},
		{"another class of notices", "node:", "notify: {routes: [{classes: [gossip], to: [a@example.org]}]}\nnode:", "notify.routes[0].classes"},
		{"an unknown webhook", "node:", "notify: {routes: [{classes: [lapse], to: ['hook:x']}]}\nnode:", "notify.routes[0].to"},
		{"a webhook in the clear", "node:", "notify: {webhooks: [{name: x, url: 'http://x.example', secret_file: f}]}\nnode:", "notify.webhooks[0].url"},
		{"a webhook without a secret", "node:", "notify: {webhooks: [{name: x, url: 'https://x.example'}]}\nnode:", "notify.webhooks[0].secret_file"},
		{"another duty", "node:", "notify: {duties: {janitor: [a@example.org]}}\nnode:", "notify.duties"},
		{"nobody has the duty", "node:", "notify: {routes: [{classes: [lapse], to: [auditor]}]}\nnode:", "notify.routes[0].to"},
		{"another zone", "node:", "notify: {zone: Mars/Olympus}\nnode:", "notify.zone"},
		{"no time of day", "node:", "notify: {digest_at: noon}\nnode:", "notify.digest_at"},
		{"quiet for ever", "node:", "notify: {quiet_hours: {from: '07:00', to: '07:00'}}\nnode:", "notify.quiet_hours"},
		{"another root", "node:", "root_key: keychain\nnode:", "root_key"},
		{"a service of another scheme", "node:", "root_key: https://kms.example.org/k\nnode:", "root_key"},
		{"a passphrase without its file", "node:", "root_key: passphrase\nnode:", "passphrase_file"},
		{"a service and a passphrase", "node:", "root_key: hashivault://k\npassphrase_file: p\nnode:", "root_key"},
		{"a file and a passphrase", "node:", "root_key: file\npassphrase_file: p\nnode:", "root_key"},
		{"a mirror in the key store", "node:", "generation_mirror: data/keys/mirror\nnode:", "generation_mirror"},
		{"a zone that is none", "node:", "time_zone: America/Boston\nnode:", "time_zone"},
		{"the machine's zone", "node:", "time_zone: Local\nnode:", "time_zone"},
		{"incidents ignored for ever", "incident_ignored_after: 72h", "incident_ignored_after: 10000h", "policy.incident_ignored_after"},
		{"bad node", `"gateway-1"`, `"Gateway 1"`, "node"},
		{"no sources", "sources: ", "sources: []\nx: ", "x"},
		{"plain http to another machine", "https://fhir.example.org/r4", "http://fhir.example.org/r4", "sources[0].url"},
		{"user in the url", "https://fhir.example.org/r4", "https://u:p@fhir.example.org/r4", "sources[0].url"},
		{"data class", "[phi]", "[phy]", "sources[0].data_classes"},
		{"no data class", "[phi]", "[]", "sources[0].data_classes"},
		{"health elsewhere", "127.0.0.1:8445", "0.0.0.0:8445", "listen.health"},
		{"public url", "https://gw.example.org:8443", "http://gw.example.org:8443", "public_url"},
		{"pages by address", "https://gw.example.org:8446", "https://192.0.2.1:8446", "people_url"},
		{"pages in the clear", "https://gw.example.org:8446", "http://gw.example.org:8446", "people_url"},
		{"pages without a listener", `  people: "127.0.0.1:8446"`, "  #", "listen.people"},
		{"a listener without pages", `people_url: "https://gw.example.org:8446"`, "#", "people_url"},
		{"sessions without an end", "session_life: 8h", "session_life: 48h", "policy.session_life"},
		{"idle for longer than they last", "session_idle: 30m", "session_idle: 9h", "policy.session_idle"},
		{"a step-up that lasts", "step_up_life: 5m", "step_up_life: 8h", "policy.step_up_life"},
		{"a secret without a file", "# policy_dir: policy", "connectors: {client_secret_files: {idp: ''}}\n#", "connectors.client_secret_files.idp"},
		{"freshness", "snapshot_freshness: 60s", "snapshot_freshness: 0s", "policy.snapshot_freshness"},
		{"token lifetime", "token_lifetime: 5m", "token_lifetime: 1h", "policy.token_lifetime"},
		{"not a duration", "token_lifetime: 5m", "token_lifetime: soon", "config"},
		{"database with a password", "# database: postgres://sallyport@db", "database: postgres://sallyport:secret@db", "database"},
		{"not postgres", "# database: postgres://", "database: mysql://", "database"},
		{"two ways in", "    # ca_file: ehr-ca.pem", "    credentials: {bearer_file: a, basic: {username: u, password_file: p}}\n    #", "sources[0].credentials"},
		{"half a way", "    # ca_file: ehr-ca.pem", "    credentials: {basic: {username: u}}\n    #", "sources[0].credentials.basic"},
		{"a pin that is none", "    # ca_file: ehr-ca.pem", "    pin_sha256: [abc]\n    #", "sources[0].pin_sha256[0]"},
		{"a pin in capitals", "    # ca_file: ehr-ca.pem", "    pin_sha256: [" + strings.Repeat("AB", 32) + "]\n    #", "sources[0].pin_sha256[0]"},
		{"a trust domain without a bundle", "# policy_dir:", "spiffe: [{trust_domain: a.example, vendor: a}]\n#", "spiffe[0].bundle_file"},
		{"a trust domain of nobody", "# policy_dir:", "spiffe: [{trust_domain: a.example, bundle_file: a.pem}]\n#", "spiffe[0].vendor"},
		{"a trust domain of two vendors", "# policy_dir:", "spiffe: [{trust_domain: a.example, vendor: a, bundle_file: a.pem}, {trust_domain: a.example, vendor: b, bundle_file: a.pem}]\n#", "spiffe[1].trust_domain"},
		{"a region that is none", "# policy_dir:", "regions: [{region: Boston, cidrs: [198.51.100.0/24]}]\n#", "regions[0].region"},
		{"a region without a range", "# policy_dir:", "regions: [{region: US}]\n#", "regions[0].cidrs"},
		{"an address for a range", "# policy_dir:", "regions: [{region: US, cidrs: [198.51.100.7]}]\n#", "regions[0].cidrs[0]"},
		{"a range with host bits", "# policy_dir:", "regions: [{region: US, cidrs: [198.51.100.7/24]}]\n#", "regions[0].cidrs[0]"},
		{"a range in two regions", "# policy_dir:", "regions: [{region: US, cidrs: [198.51.100.0/24]}, {region: DE, cidrs: [198.51.100.0/24]}]\n#", "regions[1].cidrs[0]"},
		{"a region demanded without a table", "require_network_region: false", "require_network_region: true", "policy.require_network_region"},
		{"half a certificate", "  # cert_file: server.crt", "  cert_file: server.crt\n  #", "certificates"},
	} {
		text := strings.Replace(good, tc.old, tc.new, 1)
		if text == good {
			t.Fatalf("%s: the template has no %q", tc.name, tc.old)
		}
		_, err := parse([]byte(text), "/")
		var p *problem.Problem
		if !errors.As(err, &p) {
			t.Errorf("%s: got %v, want a problem", tc.name, err)
			continue
		}
		if !strings.Contains(p.Error(), tc.want) || p.NextStep == "" {
			t.Errorf("%s: got %q (next %q), want it to name %q and a fix", tc.name, p.Error(), p.NextStep, tc.want)
		}
		if strings.Contains(p.Error(), ":secret@") {
			t.Errorf("%s: the error shows the password", tc.name)
		}
	}
}

func FuzzConfig(f *testing.F) {
	f.Add([]byte("organisation: x\nnode: y\n"))
	f.Add([]byte("sources:\n  - id: ehr\n    url: https://x/y\n"))
	f.Add([]byte("a: &a [*a]"))
	f.Add([]byte("spiffe: [{trust_domain: a.example, vendor: a, bundle_file: b}]\nregions: [{region: US, cidrs: [\"::ffff:1.2.3.4/100\", 0.0.0.0/0]}]\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := parse(raw, "/")
		if err == nil && (c.Organisation == "" || len(c.Sources) == 0) {
			t.Errorf("a configuration without its parts was accepted: %q", raw)
		}
	})
}

func TestInitNeverOverwritesAndLeavesAWholeInstallation(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	s := setup
	s.Dir, s.Person, s.PersonName, s.Now = dir, "ada", "Ada Example", time.Now
	file, err := Init(context.Background(), s)
	if err != nil {
		t.Fatal(err)
	}
	c, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{c.Data(logKeyFile), c.Data(tokenKeyFile), c.Data(peopleDir, "ada.key"), c.Data(keysDir, "root.key"), c.Data(authorityDir, "authority.key")} {
		info, err := os.Stat(secret)
		if err != nil {
			t.Errorf("missing: %v", err)
			continue
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: mode %v, want it private", secret, info.Mode().Perm())
		}
	}
	if _, err := Init(context.Background(), s); err == nil {
		t.Error("init into a folder that holds an installation succeeded")
	}
	if again, err := Load(file); err != nil || again.Digest() != c.Digest() {
		t.Errorf("the second init changed the first's file: %v", err)
	}
}

func TestAMissingFileSaysWhatToDo(t *testing.T) {
	_, err := Load(filepath.Join(t.TempDir(), "none.yaml"))
	if err == nil || !strings.Contains(err.Error(), "sallyport init") {
		t.Errorf("got %v, want it to name sallyport init", err)
	}
}

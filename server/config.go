package server

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // deadlines end by the organisation's zone, wherever it runs

	"github.com/sallyport/sallyport/internal/yamldoc"

	"github.com/sallyport/sallyport/breach"
	"github.com/sallyport/sallyport/deid"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

// Config is the one file that `sallyport serve` reads. It holds no secret:
// each is in a file of its own, named here. An unknown key stops the start.
type Config struct {
	// Organisation is the covered entity's name, as vendors see it.
	Organisation string `yaml:"organisation"`
	// Node names this process's audit log; it is in every entry. Letters,
	// digits, '.', '-'.
	Node string `yaml:"node"`
	// DataDir holds the log, the keys, the vault and, unless Database is set,
	// the registry. Relative paths are relative to the file.
	DataDir string `yaml:"data_dir"`
	// Database is a PostgreSQL URL. Empty: SQLite in DataDir.
	Database string `yaml:"database"`
	// RootKey is what protects every key: "file" (root.key in the key store),
	// "file:PATH", "passphrase", or the URL of a key service (see seal/kms). Empty:
	// passphrase, if PassphraseFile is set, or else file.
	RootKey string `yaml:"root_key"`
	// PassphraseFile holds the passphrase.
	PassphraseFile string `yaml:"passphrase_file"`
	// KeyStore is the folder of the keys. Empty: keys in DataDir. Nodes that serve
	// one registry share it; backups of the databases must not hold it.
	KeyStore string `yaml:"key_store"`
	// GenerationMirror is a second folder for the key of the key store's backups, on
	// another disk or machine, and in no backup. Empty: none, and then a lost disk
	// takes the key of its backups along.
	GenerationMirror string `yaml:"generation_mirror"`

	// TimeZone is the IANA name of the organisation's time zone, in which the days of
	// legal deadlines begin and end. Empty: UTC.
	TimeZone string `yaml:"time_zone"`

	// PublicURL is how vendors reach the gateway: the issuer and audience of
	// access tokens, and the base of every link that it gives out.
	PublicURL string `yaml:"public_url"`
	// PeopleURL is how people's browsers reach their pages. Its host is what passkeys
	// are made for (WebAuthn, relying party id): if it changes, everybody needs new
	// ones. Empty, with listen.people: there are no pages.
	PeopleURL string `yaml:"people_url"`

	Listen       Listen       `yaml:"listen"`
	Certificates Certificates `yaml:"certificates"`
	Connectors   Connectors   `yaml:"connectors"`
	Sources      []Source     `yaml:"sources"`
	// SPIFFE are the vendors' trust domains: whose X.509-SVIDs count, and for whom.
	SPIFFE []TrustDomain `yaml:"spiffe"`
	// Regions is the organisation's table of networks. Where it has ranges, the
	// address of a caller must lie in an agreed region.
	Regions []Network `yaml:"regions"`
	// PolicyDir holds the site's Cedar files, which can only forbid.
	PolicyDir string `yaml:"policy_dir"`
	// ProfilesDir holds the site's de-identification profiles, beside the built-in
	// ones: *.yaml, each of which must satisfy its legal basis.
	ProfilesDir string `yaml:"profiles_dir"`
	UDAP        UDAP   `yaml:"udap"`
	Policy      Policy `yaml:"policy"`
	// Notify is who is told of what.
	Notify *Notify `yaml:"notify"`
	// Documents is how papers are looked at before they are stored.
	Documents Documents `yaml:"documents"`

	dir      string // of the file
	digest   string
	profiles []*deid.Profile
}

// Listen is where the doors are. All but health speak TLS 1.3 only.
type Listen struct {
	Gateway string `yaml:"gateway"` // vendors: token endpoint and FHIR
	API     string `yaml:"api"`     // the organisation's people: acts and reads
	People  string `yaml:"people"`  // people with browsers: sign-in, sessions; no client certificate is needed
	Health  string `yaml:"health"`  // plain HTTP: /healthz, /readyz, /metrics; loopback only
}

// Certificates says who vouches for whom.
type Certificates struct {
	// Names are the host names and addresses on the server's certificate.
	Names []string `yaml:"names"`
	// ClientCAFile is an authority that issues client certificates, besides the
	// built-in one.
	ClientCAFile string `yaml:"client_ca_file"`
	// CertFile and KeyFile are the server's own. Empty: the built-in authority
	// issues one.
	CertFile string `yaml:"cert_file"`
	KeyFile  string `yaml:"key_file"`
}

// UDAP is this server's certificate in a trust community, for its metadata.
// Without one no client registers by itself.
type UDAP struct {
	CertFile string `yaml:"cert_file"` // names public_url/fhir/SOURCE as a URI, for each source that is offered
	KeyFile  string `yaml:"key_file"`
	// Community is the community's URI, as clients name it.
	Community string `yaml:"community"`
}

// Connectors is how the vendors' own systems are reached: where their keys are not
// pinned, and where they publish those of their programs.
type Connectors struct {
	CAFile string `yaml:"ca_file"` // vouches for them; empty: the system's authorities
	// PrivateNetworks may be reached, too, in CIDR notation: else public addresses
	// only, so that no vendor's issuer can lead inside.
	PrivateNetworks []netip.Prefix `yaml:"private_networks"`
	// ClientSecretFiles hold our secrets at the identity providers that want one, by
	// the connector's id. Without: a public client, by PKCE alone.
	ClientSecretFiles map[id.Connector]string `yaml:"client_secret_files"`
}

// Source is an upstream healthcare system.
type Source struct {
	ID          id.Source         `yaml:"id"`
	URL         string            `yaml:"url"` // FHIR base
	DataClasses []hipaa.DataClass `yaml:"data_classes"`
	Region      string            `yaml:"region"`
	CAFile      string            `yaml:"ca_file"` // pins the authority of its certificate
	// PinSHA256 pins its certificate, or a key of its chain: SHA-256 in hex of a
	// certificate or of a SubjectPublicKeyInfo, any one of which must be there.
	PinSHA256   []string    `yaml:"pin_sha256"`
	Credentials Credentials `yaml:"credentials"`
	// EmergencyProcedure tells clinicians how to reach the source in an emergency.
	EmergencyProcedure string `yaml:"emergency_procedure"`
}

// TrustDomain is a SPIFFE trust domain of one vendor.
type TrustDomain struct {
	Name       string    `yaml:"trust_domain"` // without spiffe://
	Vendor     id.Vendor `yaml:"vendor"`
	BundleFile string    `yaml:"bundle_file"` // PEM; followed while the server runs
}

// Network is which addresses are in a region.
type Network struct {
	Region string   `yaml:"region"` // ISO 3166: US, US-MA
	CIDRs  []string `yaml:"cidrs"`
}

// Credentials is how the gateway shows itself to a source: at most one.
type Credentials struct {
	BearerFile string     `yaml:"bearer_file"`
	Basic      *Basic     `yaml:"basic"`
	MutualTLS  *MutualTLS `yaml:"mutual_tls"`
	SMART      *SMART     `yaml:"smart"`
}

// Basic is a user name and a file with the password.
type Basic struct {
	Username     string `yaml:"username"`
	PasswordFile string `yaml:"password_file"`
}

// MutualTLS is a client certificate.
type MutualTLS struct {
	CertFile string `yaml:"cert_file"`
	KeyFile  string `yaml:"key_file"`
}

// SMART is a backend services client (private_key_jwt).
type SMART struct {
	ClientID string `yaml:"client_id"`
	KeyFile  string `yaml:"key_file"` // PEM, P-256 or P-384
	KeyID    string `yaml:"key_id"`
	TokenURL string `yaml:"token_url"`
	Scope    string `yaml:"scope"`
}

// Policy holds the numbers that HIPAA leaves to the organisation.
type Policy struct {
	SnapshotFreshness time.Duration `yaml:"snapshot_freshness"`
	Course            string        `yaml:"course"`
	CourseVersion     string        `yaml:"course_version"`
	CourseRefresh     time.Duration `yaml:"course_refresh"` // how long a completion of the product's course counts
	RequireTrack      bool          `yaml:"require_track"`  // refuse who has no role track assigned
	ReviewEvery       time.Duration `yaml:"review_every"`
	TokenLifetime     time.Duration `yaml:"token_lifetime"`
	// SessionLife is how long a sign-in lasts, and StepUpLife how long ago a
	// passkey may have been touched for a decision.
	SessionLife time.Duration `yaml:"session_life"`
	// SessionIdle is how long a session may be unused before it is over.
	SessionIdle time.Duration `yaml:"session_idle"`
	StepUpLife  time.Duration `yaml:"step_up_life"`
	// PostureFreshness is how old a device's report of its state may be, and
	// Posture which checks must pass.
	PostureFreshness time.Duration `yaml:"posture_freshness"`
	Posture          Posture       `yaml:"posture"`
	// RequireNetworkRegion refuses an address that is in no range of Regions.
	RequireNetworkRegion bool `yaml:"require_network_region"`
	// MaxPromptRetentionDays is how long a model provider may keep prompts and outputs
	// (BAA-R06); 0: not at all.
	MaxPromptRetentionDays int `yaml:"max_prompt_retention_days"`
	// DeviceCertificate is how long the certificate of an enrolled device lasts; its
	// agent renews it in time.
	DeviceCertificate time.Duration `yaml:"device_certificate"`
	// DeviceApproval says who approves an enrolled device: organisation, or vendor.
	DeviceApproval snapshot.DeviceApproval `yaml:"device_approval"`
	Access         Access                  `yaml:"access"`
	// IncidentIgnoredAfter is how long nobody may have done anything about an open
	// incident or finding before it is shown as ignored.
	IncidentIgnoredAfter time.Duration `yaml:"incident_ignored_after"`
}

// Posture is what the organisation asks of devices; see snapshot.PostureRule.
type Posture struct {
	Waived          []string `yaml:"waived"`
	MaxUpdateAge    int      `yaml:"max_update_age_days"`
	WorkloadsExempt bool     `yaml:"workloads_exempt"`
}

// DefaultPolicy is what `sallyport init` writes.
var DefaultPolicy = Policy{
	SnapshotFreshness: 60 * time.Second,
	Course:            "hipaa-for-ai-teams",
	CourseVersion:     "2026",
	CourseRefresh:     365 * 24 * time.Hour,
	ReviewEvery:       90 * 24 * time.Hour,
	TokenLifetime:     5 * time.Minute,
	SessionLife:       8 * time.Hour,
	SessionIdle:       30 * time.Minute,
	StepUpLife:        5 * time.Minute,
	PostureFreshness:  24 * time.Hour,
	Posture:           Posture{Waived: []string{}, MaxUpdateAge: 30, WorkloadsExempt: true},
	DeviceCertificate: 7 * 24 * time.Hour,
	DeviceApproval:    snapshot.ByOrganisation,
	Access:            Access(snapshot.DefaultAccess()),

	IncidentIgnoredAfter: 72 * time.Hour,
}

// Load reads and checks the file. Its errors name the key and the fix.
func Load(file string) (*Config, error) {
	raw, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, problem.BadField("config", file+" does not exist", "Run `sallyport init` to make one, or name another with --config").Because(err)
	}
	if err != nil {
		return nil, problem.BadField("config", "cannot read "+file, "Check its permissions").Because(err)
	}
	abs, err := filepath.Abs(file)
	if err != nil {
		return nil, fmt.Errorf("finding the folder of %s: %w", file, err)
	}
	c, err := parse(raw, filepath.Dir(abs))
	if err != nil {
		return nil, err
	}
	c.profiles, err = readProfiles(c.path(c.ProfilesDir))
	return c, err
}

func parse(raw []byte, dir string) (*Config, error) {
	c := &Config{Policy: DefaultPolicy, dir: dir}
	dec := yamldoc.New(raw)
	if err := dec.Decode(c); err != nil && !errors.Is(err, io.EOF) {
		// goccy/go-yaml names the line and shows it; the file holds no secret.
		return nil, problem.BadField("config", "the file does not read as configuration:\n"+yamldoc.Explain(err), "Mend the line that is marked; `sallyport init` shows every key").Because(err)
	}
	if err := dec.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, problem.BadField("config", "the file holds more than one document", "Keep one")
	}
	sum := sha256.Sum256(raw)
	c.digest = hex.EncodeToString(sum[:])
	if err := c.check(); err != nil {
		return nil, err
	}
	return c, nil
}

// Digest is the SHA-256 of the file; it is logged at start.
func (c *Config) Digest() string { return c.digest }

// path resolves a name in the file.
func (c *Config) path(p string) string {
	if p == "" || filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(c.dir, p)
}

// Data is a path below the data directory.
func (c *Config) Data(elem ...string) string {
	return filepath.Join(append([]string{c.path(c.DataDir)}, elem...)...)
}

var nodeName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,62}$`)

func (c *Config) check() error {
	if c.Organisation == "" {
		return problem.BadField("organisation", "is empty", "Write the covered entity's name")
	}
	if !nodeName.MatchString(c.Node) {
		return problem.BadField("node", "is not a name", "Use lower-case letters, digits, '.' and '-', such as gateway-1")
	}
	if c.DataDir == "" {
		return problem.BadField("data_dir", "is empty", "Name a folder that only Sallyport's user can read")
	}
	if err := c.checkRoot(); err != nil {
		return err
	}
	if _, err := breach.Zone(c.TimeZone); err != nil {
		return err
	}
	if c.Database != "" {
		u, err := url.Parse(c.Database)
		if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
			return problem.BadField("database", "is not a PostgreSQL URL", "Write postgres://user@host/name, or leave it out for SQLite")
		}
		if _, has := u.User.Password(); has {
			return problem.BadField("database", "holds a password", "Leave it out of the file: use PGPASSFILE or the environment's PGPASSWORD")
		}
	}
	if u, err := url.Parse(c.PublicURL); err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Path != "" {
		return problem.BadField("public_url", "is not the https address of the gateway", "Write https://host:port, without a path")
	}
	for field, addr := range map[string]string{"listen.gateway": c.Listen.Gateway, "listen.api": c.Listen.API, "listen.health": c.Listen.Health} {
		if _, _, err := net.SplitHostPort(addr); err != nil {
			return problem.BadField(field, "is not an address", "Write host:port, such as 127.0.0.1:8443").Because(err)
		}
	}
	if err := c.checkPeople(); err != nil {
		return err
	}
	if host, _, _ := net.SplitHostPort(c.Listen.Health); !loopback(host) {
		return problem.BadField("listen.health", "is not a loopback address", "It is plain HTTP: listen on 127.0.0.1, and let a local collector read it")
	}
	if len(c.Certificates.Names) == 0 {
		return problem.BadField("certificates.names", "is empty", "List the host names that vendors use to reach this server")
	}
	if (c.Certificates.CertFile == "") != (c.Certificates.KeyFile == "") {
		return problem.BadField("certificates", "names a certificate without its key, or the reverse", "Set both cert_file and key_file, or neither")
	}
	if (c.UDAP.CertFile == "") != (c.UDAP.KeyFile == "") {
		return problem.BadField("udap", "names a certificate without its key, or the reverse", "Set both cert_file and key_file, or neither")
	}
	if err := c.Policy.check(); err != nil {
		return err
	}
	if err := c.Notify.check(); err != nil {
		return err
	}
	if err := c.Documents.check(); err != nil {
		return err
	}
	if len(c.Sources) == 0 {
		return problem.BadField("sources", "is empty", "Add at least one FHIR server")
	}
	if err := c.checkWorkloads(); err != nil {
		return err
	}
	seen := map[id.Source]bool{}
	for i, s := range c.Sources {
		if err := s.check(fmt.Sprintf("sources[%d]", i)); err != nil {
			return err
		}
		if seen[s.ID] {
			return problem.BadField(fmt.Sprintf("sources[%d].id", i), "is used twice", "Give each source an id of its own")
		}
		seen[s.ID] = true
	}
	return nil
}

// checkPeople wants the pages' address to be one for which browsers make passkeys.
func (c *Config) checkPeople() error {
	if c.Listen.People == "" && c.PeopleURL == "" {
		if len(c.Connectors.ClientSecretFiles) > 0 {
			return problem.BadField("connectors.client_secret_files", "is for the pages for people, and there are none", "Set people_url and listen.people, or leave it out")
		}
		return nil
	}
	if _, _, err := net.SplitHostPort(c.Listen.People); err != nil {
		return problem.BadField("listen.people", "is not an address", "Write host:port, such as 127.0.0.1:8446; or leave people_url out too").Because(err)
	}
	for name, file := range c.Connectors.ClientSecretFiles {
		if err := id.Check(name); err != nil || file == "" {
			return problem.BadField("connectors.client_secret_files."+string(name), "is not an id, or names no file", "Write the connector's id and the file with the secret")
		}
	}
	u, err := url.Parse(c.PeopleURL)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Path != "" || u.Host != strings.ToLower(u.Host) {
		return problem.BadField("people_url", "is not the https address of the pages for people", "Write https://host:port in lower case, without a path")
	}
	if net.ParseIP(u.Hostname()) != nil {
		return problem.BadField("people_url", "has an address for a host", "Write a name: browsers make no passkeys for addresses")
	}
	return nil
}

func (p Policy) check() error {
	switch {
	case p.SnapshotFreshness < time.Second || p.SnapshotFreshness > time.Hour:
		return problem.BadField("policy.snapshot_freshness", "is not between 1s and 1h", "60s is usual")
	case p.Course == "" || p.CourseVersion == "":
		return problem.BadField("policy.course", "is empty", "Name the training course, and in course_version the oldest version, that count")
	case p.CourseRefresh < 24*time.Hour || p.CourseRefresh > 5*365*24*time.Hour:
		return problem.BadField("policy.course_refresh", "is not between a day and five years", "8760h (a year) is usual; HIPAA sets no interval")
	case p.ReviewEvery < 24*time.Hour:
		return problem.BadField("policy.review_every", "is under a day", "2160h (90 days) is usual; HIPAA sets no interval")
	case p.TokenLifetime < 30*time.Second || p.TokenLifetime > 5*time.Minute:
		return problem.BadField("policy.token_lifetime", "is not between 30s and 5m", "SMART backend services advises at most 5m")
	case p.SessionLife < time.Minute || p.SessionLife > 24*time.Hour:
		return problem.BadField("policy.session_life", "is not between 1m and 24h", "8h is usual")
	case p.SessionIdle < time.Minute || p.SessionIdle > p.SessionLife:
		return problem.BadField("policy.session_idle", "is not between 1m and session_life", "30m is usual")
	case p.StepUpLife < 10*time.Second || p.StepUpLife > time.Hour:
		return problem.BadField("policy.step_up_life", "is not between 10s and 1h", "5m is usual")
	case p.PostureFreshness < time.Minute || p.PostureFreshness > 30*24*time.Hour:
		return problem.BadField("policy.posture_freshness", "is not between 1m and 720h", "24h is usual")
	case p.MaxPromptRetentionDays < 0 || p.MaxPromptRetentionDays > 365:
		return problem.BadField("policy.max_prompt_retention_days", "is not between 0 and 365", "0 is usual: a provider keeps no prompts")
	case p.Posture.MaxUpdateAge < 1 || p.Posture.MaxUpdateAge > 365:
		return problem.BadField("policy.posture.max_update_age_days", "is not between 1 and 365", "30 is usual")
	case p.DeviceCertificate < 10*time.Minute || p.DeviceCertificate > 30*24*time.Hour:
		return problem.BadField("policy.device_certificate", "is not between 10m and 720h", "168h (7 days) is usual")
	case p.IncidentIgnoredAfter < time.Hour || p.IncidentIgnoredAfter > 30*24*time.Hour:
		return problem.BadField("policy.incident_ignored_after", "is not between 1h and 720h", "72h is usual; no law sets it, and what is known is not to be ignored (45 CFR 164.504(e)(1)(ii))")
	case p.DeviceApproval != snapshot.ByOrganisation && p.DeviceApproval != snapshot.ByVendor:
		return problem.BadField("policy.device_approval", "is not known", "Write organisation or vendor")
	}
	if err := p.Access.check(); err != nil {
		return err
	}
	for i, name := range p.Posture.Waived {
		if !slices.Contains(snapshot.PostureChecks, name) {
			return problem.BadField(fmt.Sprintf("policy.posture.waived[%d]", i), "is not a check", "Use one of "+strings.Join(snapshot.PostureChecks, ", "))
		}
	}
	return nil
}

func (s Source) check(at string) error {
	if err := id.Check(s.ID); err != nil {
		return problem.BadField(at+".id", err.Error(), "Use a short name such as ehr")
	}
	u, err := url.Parse(s.URL)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || u.RawQuery != "" || u.User != nil {
		return problem.BadField(at+".url", "is not the base URL of a FHIR server", "Write https://host/path, without a user or a query")
	}
	if u.Scheme == "http" && !loopback(u.Hostname()) {
		return problem.BadField(at+".url", "is plain HTTP to another machine", "Use https: patient data would cross the network in the clear (45 CFR 164.312(e)(1))")
	}
	if len(s.DataClasses) == 0 {
		return problem.BadField(at+".data_classes", "is empty", "List what may be released from it: phi, limited-data-set, de-identified")
	}
	for _, dc := range s.DataClasses {
		switch dc {
		case hipaa.PHI, hipaa.LimitedDataSet, hipaa.DeIdentified:
		default:
			return problem.BadField(at+".data_classes", fmt.Sprintf("%q is not a data class", dc), "Use phi, limited-data-set or de-identified")
		}
	}
	for i, pin := range s.PinSHA256 {
		if raw, err := hex.DecodeString(pin); err != nil || len(raw) != sha256.Size || pin != strings.ToLower(pin) {
			return problem.BadField(fmt.Sprintf("%s.pin_sha256[%d]", at, i), "is not a SHA-256", "Write 64 lower-case hex digits, of the certificate or of its public key")
		}
		if u.Scheme != "https" {
			return problem.BadField(at+".pin_sha256", "pins a certificate, and the address has none", "Use https, or leave the pins out")
		}
	}
	if err := checkProcedure(at+".emergency_procedure", s.EmergencyProcedure); err != nil {
		return err
	}
	if s.Region == "" {
		return problem.BadField(at+".region", "is empty", "Write where the data is, such as US or US-MA (ISO 3166)")
	}
	ways := 0
	cr := s.Credentials
	for _, set := range []bool{cr.BearerFile != "", cr.Basic != nil, cr.MutualTLS != nil, cr.SMART != nil} {
		if set {
			ways++
		}
	}
	if ways > 1 {
		return problem.BadField(at+".credentials", "names more than one way", "Keep one of bearer_file, basic, mutual_tls, smart")
	}
	switch {
	case cr.Basic != nil && (cr.Basic.Username == "" || cr.Basic.PasswordFile == ""):
		return problem.BadField(at+".credentials.basic", "lacks username or password_file", "Set both")
	case cr.MutualTLS != nil && (cr.MutualTLS.CertFile == "" || cr.MutualTLS.KeyFile == ""):
		return problem.BadField(at+".credentials.mutual_tls", "lacks cert_file or key_file", "Set both")
	case cr.SMART != nil && (cr.SMART.ClientID == "" || cr.SMART.KeyFile == "" || cr.SMART.TokenURL == "" || cr.SMART.Scope == ""):
		return problem.BadField(at+".credentials.smart", "lacks client_id, key_file, token_url or scope", "Set all four")
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// Settings is the policy's part of the configuration.
func (c *Config) Settings() snapshot.Settings {
	s := snapshot.Settings{
		SnapshotFreshness: c.Policy.SnapshotFreshness,
		Course:            c.Policy.Course,
		CourseVersion:     c.Policy.CourseVersion,
		CourseRefresh:     c.Policy.CourseRefresh,
		RequireTrack:      c.Policy.RequireTrack,
		ReviewEvery:       c.Policy.ReviewEvery,
		Profiles:          offered(c.profiles),
		SessionLife:       c.Policy.SessionLife,
		SessionIdle:       c.Policy.SessionIdle,
		StepUpLife:        c.Policy.StepUpLife,
		PostureFreshness:  c.Policy.PostureFreshness,
		Posture: snapshot.PostureRule{Waived: c.Policy.Posture.Waived, MaxUpdateAge: c.Policy.Posture.MaxUpdateAge,
			WorkloadsExempt: c.Policy.Posture.WorkloadsExempt},
		DeviceApproval:         c.Policy.DeviceApproval,
		MaxPromptRetentionDays: c.Policy.MaxPromptRetentionDays,
		Access:                 snapshot.AccessRule(c.Policy.Access),
		TimeZone:               c.TimeZone, IncidentIgnoredAfter: c.Policy.IncidentIgnoredAfter,
	}
	for _, d := range c.SPIFFE {
		s.TrustDomains = append(s.TrustDomains, snapshot.TrustDomain{Name: d.Name, Vendor: d.Vendor})
	}
	for _, n := range c.Regions {
		s.NetworkRegions = append(s.NetworkRegions, n.settings())
	}
	s.RequireNetworkRegion = c.Policy.RequireNetworkRegion
	for _, src := range c.Sources {
		s.Sources = append(s.Sources, snapshot.Source{ID: src.ID, Classes: src.DataClasses, Region: src.Region, EmergencyProcedure: src.EmergencyProcedure})
	}
	return s
}

package server

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"text/template"
	"time"

	"golang.org/x/mod/sumdb/note"

	_ "embed" // the commented configuration

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/seal"
	"github.com/sallyport/sallyport/snapshot"
	"github.com/sallyport/sallyport/vault"
)

// Setup is what `sallyport init` asks for.
type Setup struct {
	Dir          string // made if need be; must be empty
	Organisation string
	Node         string
	Person       id.Person // the first of the organisation's people
	PersonName   string
	SourceID     id.Source
	SourceURL    string
	Host         string // name on the server's certificate
	GatewayPort  int
	APIPort      int
	HealthPort   int
	PeoplePort   int    // pages for people with browsers; 0: none
	Database     string // a PostgreSQL URL; empty: SQLite
	// RootKey says what protects the keys, as Config.RootKey; PassphraseFile names a
	// passphrase. Both empty: a key file in the data folder.
	RootKey        string
	PassphraseFile string
	Now            func() time.Time
}

// ConfigFile is the name of the file that Init writes.
const ConfigFile = "sallyport.yaml"

// PersonLife is how long a person's first certificate lasts (policy).
const PersonLife = 365 * 24 * time.Hour

//go:embed sallyport.yaml.tmpl
var configTemplate string

// files below the data directory
const (
	authorityDir    = "authority"
	keysDir         = "keys"
	auditDir        = "audit"
	disclosureDir   = "disclosure" // derived from the log: see package disclosure
	peopleDir       = "people"
	tokenKeyFile    = "token.key"
	logKeyFile      = "log.key"
	logPubFile      = "log.pub"
	releaseKeysFile = "release-keys.json"
	registryFile    = "registry.db"
	vaultFile       = "vault.db"
	replaysFile     = "replays"
	firstRunFile    = "first-run"
)

// Init makes a new installation: the configuration, the certificate authority,
// the keys, and the first person, by the one act that an empty registry allows.
// It returns the configuration file's path. It never overwrites.
func Init(ctx context.Context, s Setup) (_ string, err error) {
	if err := s.check(); err != nil {
		return "", err
	}
	file := filepath.Join(s.Dir, ConfigFile)
	if entries, err := os.ReadDir(s.Dir); err == nil && len(entries) > 0 {
		return "", problem.BadField("dir", s.Dir+" is not empty", "Name a new folder; init never overwrites")
	} else if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", problem.BadField("dir", "cannot be read", "Check its permissions").Because(err)
	}
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return "", problem.BadField("dir", s.Dir+" cannot be made", "Name a folder where you may write, on a disk with room").Because(err)
	}
	var text bytes.Buffer
	t, err := template.New(ConfigFile).Funcs(template.FuncMap{"yaml": quoteYAML}).Parse(configTemplate)
	if err != nil {
		return "", fmt.Errorf("reading the configuration's template: %w", err)
	}
	if err := t.Execute(&text, s); err != nil {
		return "", fmt.Errorf("writing the configuration: %w", err)
	}
	abs, err := filepath.Abs(s.Dir)
	if err != nil {
		return "", fmt.Errorf("finding the folder: %w", err)
	}
	c, err := parse(text.Bytes(), abs)
	if err != nil {
		return "", err
	}
	root, err := c.rootKey()
	if err != nil {
		return "", err
	}
	// The folder was empty: what is there now was made here, and half an
	// installation is none.
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(c.Data()))
		}
	}()
	if err := makeKeys(c, root, s.Now()); err != nil {
		return "", err
	}
	if err := makeVault(ctx, c, root); err != nil {
		return "", err
	}
	if err := firstPerson(ctx, c, s); err != nil {
		return "", err
	}
	// Last, so that a folder with a configuration is a whole installation.
	if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
		return "", fmt.Errorf("writing the configuration: %w", err)
	}
	return file, nil
}

// check finds what the configuration's own check would not, or not before keys
// are made.
func (s Setup) check() error {
	if err := id.Check(s.Person); err != nil {
		return problem.BadField("person", err.Error(), "Use a short id such as ada")
	}
	for _, p := range []int{s.GatewayPort, s.APIPort, s.HealthPort, s.PeoplePort} {
		if p < 0 || p < 1 && p != s.PeoplePort || p > 65535 {
			return problem.BadField("port", fmt.Sprintf("%d is not a port", p), "Choose one from 1 to 65532: the API, health and the pages for people take the next three")
		}
	}
	return nil
}

// quoteYAML writes text as a double-quoted YAML scalar.
func quoteYAML(v any) string {
	r := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`, "\r", `\r`)
	return `"` + r.Replace(fmt.Sprint(v)) + `"`
}

// Address joins host and port, for the template.
func (s Setup) Address(port int) string { return net.JoinHostPort("127.0.0.1", fmt.Sprint(port)) }

func makeKeys(c *Config, root seal.Root, now time.Time) error {
	if _, err := identity.CreateAuthority(c.Data(authorityDir), c.Organisation, now); err != nil {
		return err
	}
	if err := seal.Create(c.keyStore(), root); err != nil {
		return err
	}
	if _, err := identity.ReadOrMakeKey(c.Data(tokenKeyFile), 256); err != nil {
		return err
	}
	private, public, err := note.GenerateKey(rand.Reader, c.Origin())
	if err != nil {
		return fmt.Errorf("making the log's key: %w", err)
	}
	if err := os.WriteFile(c.Data(logKeyFile), []byte(private+"\n"), 0o600); err != nil {
		return fmt.Errorf("writing the log's key: %w", err)
	}
	if err := os.WriteFile(c.Data(logPubFile), []byte(public+"\n"), 0o644); err != nil {
		return fmt.Errorf("writing the log's public key: %w", err)
	}
	return nil
}

// makeVault makes the vault, which is made only here: see openVault.
func makeVault(ctx context.Context, c *Config, root seal.Root) error {
	keys, err := c.openKeysUnder(root)
	if err != nil {
		return err
	}
	if err := writeReleaseKeys(c, keys); err != nil {
		return err
	}
	v, err := vault.Open(ctx, c.Data(vaultFile), keys)
	if err != nil {
		return fmt.Errorf("making the vault: %w", err)
	}
	return v.Close()
}

// writeReleaseKeys writes the public keys with which vendors verify sealed
// releases. The gateway serves the same; a file that came by another way is
// what a middlebox cannot exchange.
func writeReleaseKeys(c *Config, keys *seal.Keyring) error {
	key, err := keys.ReleaseKey()
	if err != nil {
		return err
	}
	set, err := key.PublicKeys()
	if err != nil {
		return err
	}
	if err := os.WriteFile(c.Data(releaseKeysFile), set, 0o644); err != nil {
		return fmt.Errorf("writing the release keys: %w", err)
	}
	return nil
}

// openVault opens the vault that makeVault made. A vault that is lost must not
// be replaced by an empty one: no patient would be on hold any more (45 CFR
// 164.522(a)).
func openVault(ctx context.Context, c *Config, keys *seal.Keyring) (*vault.Vault, error) {
	file := c.Data(vaultFile)
	if info, err := os.Stat(file); err != nil || info.Size() == 0 {
		return nil, problem.BadField("data_dir/"+vaultFile, "the vault is missing or empty", "Restore it from a backup: it holds who is on hold").Because(err)
	}
	v, err := vault.Open(ctx, file, keys)
	if err != nil {
		return nil, fmt.Errorf("opening the vault: %w", err)
	}
	return v, nil
}

// firstPerson issues a certificate and does the act organisation.bootstrap.
func firstPerson(ctx context.Context, c *Config, s Setup) (err error) {
	cred, err := IssuePerson(c, s.Person, s.Now())
	if err != nil {
		return err
	}
	rec, err := openRecord(ctx, c, s.Now, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rec.close()) }()
	_, err = rec.registry.Do(ctx, registry.Actor{Person: s.Person},
		registry.BootstrapOrganisation{ID: s.Person, Name: s.PersonName, Key256: cred.KeyDigest()},
		registry.Meta{Reason: "sallyport init"})
	return err
}

// IssuePerson makes a key and a certificate for one of the organisation's
// people, in data_dir/people. Until the key is registered by an act, it opens
// nothing.
func IssuePerson(c *Config, p id.Person, now time.Time) (*identity.Credential, error) {
	a, err := identity.OpenAuthority(c.Data(authorityDir))
	if err != nil {
		return nil, err
	}
	if err := id.Check(p); err != nil {
		return nil, problem.BadField("person", err.Error(), "Use a short id such as ada")
	}
	cred, err := a.IssueClient(identity.PersonSubject(p), PersonLife, now)
	if err != nil {
		return nil, err
	}
	return cred, writeCredential(c, cred, c.Data(peopleDir), string(p))
}

// writeCredential writes name.crt, name.key and ca.crt into dir.
func writeCredential(c *Config, cred *identity.Credential, dir, name string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making %s: %w", dir, err)
	}
	if err := cred.Write(filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key")); err != nil {
		return err
	}
	a, err := identity.OpenAuthority(c.Data(authorityDir))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "ca.crt"), a.CertificatePEM(), 0o644); err != nil {
		return fmt.Errorf("writing the authority's certificate: %w", err)
	}
	return nil
}

// SignDevice signs a vendor device's request with the built-in authority. Until
// the key is enrolled and approved by acts, it opens nothing.
func SignDevice(c *Config, d id.Device, csrPEM []byte, life time.Duration, now time.Time) (certPEM []byte, digest snapshot.KeyDigest, err error) {
	a, err := identity.OpenAuthority(c.Data(authorityDir))
	if err != nil {
		return nil, "", err
	}
	if err := id.Check(d); err != nil {
		return nil, "", problem.BadField("device", err.Error(), "Use a short id such as northwind-gpu-1")
	}
	return a.SignRequest(csrPEM, identity.DeviceSubject(d), life, now)
}

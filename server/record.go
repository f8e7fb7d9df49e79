package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/seal"
	"github.com/sallyport/sallyport/store"
)

// record is what keeps: keys, log, registry.
type record struct {
	keys     *seal.Keyring
	log      *audit.Log
	verifier string // the log's public key, in note form
	store    *store.Store
	acts     *policy.ActEngine
	registry *registry.Registry
}

// Origin is the log's name: it is in every checkpoint and in every entry.
func (c *Config) Origin() string { return c.Node }

// root is the key that protects all others.
func (c *Config) root(phrase string) seal.Root {
	if phrase != "" {
		return seal.Passphrase(phrase)
	}
	return seal.KeyFile("")
}

func readSecret(field, file string) (string, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return "", problem.BadField(field, "cannot be read", "Check the path and that Sallyport's user may read it").Because(err)
	}
	text := strings.TrimRight(string(raw), "\r\n")
	if text == "" {
		return "", problem.BadField(field, "is an empty file", "Write the secret into it")
	}
	return text, nil
}

// openRecord opens keys, log and registry, in this order, and closes what it
// opened if one fails.
func openRecord(ctx context.Context, c *Config, now func() time.Time, logger *slog.Logger) (_ *record, err error) {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	r := new(record)
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	phrase := ""
	if c.PassphraseFile != "" {
		if phrase, err = readSecret("passphrase_file", c.path(c.PassphraseFile)); err != nil {
			return nil, err
		}
	}
	if r.keys, err = seal.Open(c.Data(keysDir), c.root(phrase)); err != nil {
		return nil, err
	}
	private, err := readSecret("data_dir/"+logKeyFile, c.Data(logKeyFile))
	if err != nil {
		return nil, err
	}
	if r.verifier, err = readSecret("data_dir/"+logPubFile, c.Data(logPubFile)); err != nil {
		return nil, err
	}
	signer, err := note.NewSigner(private)
	if err != nil {
		return nil, fmt.Errorf("reading the log's key: %w", err)
	}
	verifier, err := note.NewVerifier(r.verifier)
	if err != nil {
		return nil, fmt.Errorf("reading the log's public key: %w", err)
	}
	if r.log, err = audit.Open(audit.Options{Dir: c.Data(auditDir), Origin: c.Origin(), Signer: signer, Verifier: verifier, Now: now, Logger: logger}); err != nil {
		return nil, fmt.Errorf("opening the audit log: %w", err)
	}
	where := c.Database
	if where == "" {
		where = c.Data(registryFile)
	}
	if r.store, err = store.Open(ctx, where, r.keys.Documents()); err != nil {
		return nil, fmt.Errorf("opening the registry: %w", err)
	}
	if r.acts, err = registry.NewEngine(); err != nil {
		return nil, fmt.Errorf("loading the policy of acts: %w", err)
	}
	if r.registry, err = registry.Open(ctx, registry.Options{Store: r.store, Log: r.log, Engine: r.acts, Node: c.Node,
		Settings: c.Settings(), Clock: now, Logger: logger}); err != nil {
		return nil, fmt.Errorf("opening the registry: %w", err)
	}
	return r, nil
}

func (r *record) close() error {
	var errs []error
	for _, c := range []io.Closer{closer(r.store != nil, r.store), closer(r.log != nil, r.log)} {
		if c != nil {
			errs = append(errs, c.Close())
		}
	}
	return errors.Join(errs...)
}

// closer is c, or nil where it was never opened.
func closer(opened bool, c io.Closer) io.Closer {
	if !opened {
		return nil
	}
	return c
}

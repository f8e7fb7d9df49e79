package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/disclosure"
	"github.com/sallyport/sallyport/internal/secretfile"
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

	disclosures *disclosure.Index // nil but in a server
}

// Origin is the log's name: it is in every checkpoint and in every entry.
func (c *Config) Origin() string { return c.Node }

// readSecret reads a file that only its owner may read: the same rule as for
// keys (identity.ReadKey).
func readSecret(field, file string) (string, error) {
	f, err := secretfile.Open(file)
	if shared := (*secretfile.SharedError)(nil); errors.As(err, &shared) {
		return "", problem.BadField(field, fmt.Sprintf("can be used by others: its permissions are %04o", shared.Mode),
			"If nobody else has read it, run: chmod 600 "+file+". Otherwise make a new secret")
	}
	return textOf(field, f, err)
}

// readText reads a file that need not be secret.
func readText(field, file string) (string, error) {
	f, err := os.Open(file)
	return textOf(field, f, err)
}

// textOf reads what was opened, and closes it.
func textOf(field string, f *os.File, err error) (string, error) {
	var raw []byte
	if err == nil {
		defer f.Close()
		raw, err = io.ReadAll(f)
	}
	if err != nil {
		return "", problem.BadField(field, "cannot be read", "Check the path and that Sallyport's user may read it").Because(err)
	}
	text := strings.TrimRight(string(raw), "\r\n")
	if text == "" {
		return "", problem.BadField(field, "is an empty file", "Write the text into it")
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
	if r.keys, err = c.openKeys(); err != nil {
		return nil, err
	}
	private, err := readSecret("data_dir/"+logKeyFile, c.Data(logKeyFile))
	if err != nil {
		return nil, err
	}
	if r.verifier, err = readText("data_dir/"+logPubFile, c.Data(logPubFile)); err != nil {
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
	recorded, err := lastAct(ctx, r.log)
	if err != nil {
		return nil, fmt.Errorf("reading the audit log: %w", err)
	}
	where := c.Database
	if where == "" {
		where = c.Data(registryFile)
	}
	if r.store, err = store.Open(ctx, where, r.keys.Documents(), store.WithEngagements(documentsOf(r.keys))); err != nil {
		return nil, fmt.Errorf("opening the registry: %w", err)
	}
	if r.acts, err = registry.NewEngine(); err != nil {
		return nil, fmt.Errorf("loading the policy of acts: %w", err)
	}
	scan, scannedBy := c.Documents.scanner()
	if r.registry, err = registry.Open(ctx, registry.Options{Store: r.store, Log: r.log, Engine: r.acts, Node: c.Node,
		Settings: c.Settings(), Clock: now, Logger: logger, AtLeast: recorded, Scan: scan, ScannedBy: scannedBy}); err != nil {
		return nil, fmt.Errorf("opening the registry: %w", err)
	}
	return r, r.checkLog(ctx, c.Node)
}

// checkLog finds a log that was lost or set back to an older copy: the registry
// knows where in this node's log its newest act stands. With the log the counts
// of what each grant has had would be gone.
func (r *record) checkLog(ctx context.Context, node string) error {
	const step = 100
	for to := r.registry.View().Version(); to > 0; {
		from := to - min(to, step)
		acts, err := r.registry.Acts(ctx, from, int(to-from))
		if err != nil {
			return fmt.Errorf("reading the newest acts: %w", err)
		}
		for _, a := range slices.Backward(acts) {
			if a.LogNode != node {
				continue
			}
			if e, err := r.log.Entry(ctx, a.LogIndex); err != nil || e.Act == nil || e.Act.Act != a.ID {
				return problem.BadField("data_dir/"+auditDir, fmt.Sprintf("the audit log of %s lacks act %s, which the registry saw at entry %d: the log was lost or set back", node, a.ID, a.LogIndex),
					"Restore the newest copy of the log; what it lacks, nobody can prove any more").Because(err)
			}
			return nil
		}
		to = from
	}
	return nil
}

// scanStep is how many entries lastAct looks at before it goes further back.
const scanStep = 4096

// lastAct is the registry's version that the log's newest act left; 0 without
// any. A registry below it was set back, or lost. Acts are rare beside releases
// but frequent in time, so the log is read from its end.
func lastAct(ctx context.Context, log *audit.Log) (version uint64, err error) {
	for to := log.Size(); to > 0 && version == 0; {
		from := to - min(to, scanStep)
		err := log.Scan(ctx, from, to, func(_ uint64, e audit.Entry) error {
			if e.Act != nil {
				version = max(version, e.Act.Registry)
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
		to = from
	}
	return version, nil
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

package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/seal"
	"github.com/sallyport/sallyport/seal/kms"
	"github.com/sallyport/sallyport/snapshot"
	"github.com/sallyport/sallyport/store"
)

// What root_key may say besides the URL of a key service.
const (
	rootIsFile       = "file"
	rootIsFilePrefix = "file:"
	rootIsPassphrase = "passphrase"
)

// keyStore is the folder of the keys.
func (c *Config) keyStore() string {
	if c.KeyStore != "" {
		return c.path(c.KeyStore)
	}
	return c.Data(keysDir)
}

// checkRoot looks at what the configuration says of the keys.
func (c *Config) checkRoot() error {
	if err := checkRoot("root_key", c.RootKey, c.PassphraseFile); err != nil {
		return err
	}
	if c.GenerationMirror != "" {
		mirror, store := c.path(c.GenerationMirror), c.keyStore()
		if rel, err := filepath.Rel(store, mirror); err == nil && (rel == "." || !strings.HasPrefix(rel, "..")) {
			return problem.BadField("generation_mirror", "is in the key store itself", "Name a folder on another disk or machine, outside every backup")
		}
	}
	return nil
}

func checkRoot(field, root, passphrase string) error {
	switch {
	case root == "", root == rootIsFile, strings.HasPrefix(root, rootIsFilePrefix) && len(root) > len(rootIsFilePrefix):
		if root != "" && passphrase != "" {
			return problem.BadField(field, "is a file, and passphrase_file names a passphrase", "Keep one of the two")
		}
	case root == rootIsPassphrase:
		if passphrase == "" {
			return problem.BadField("passphrase_file", "is missing", "Name the file with the passphrase that protects the root key")
		}
	case kms.Known(root):
		if passphrase != "" {
			return problem.BadField(field, "is a key service, and passphrase_file names a passphrase", "Keep one of the two")
		}
	default:
		return problem.BadField(field, "is none that is known", "Write file, file:PATH, passphrase, or the URL of a key service such as hashivault://phi-root or awskms:///ARN?region=REGION")
	}
	return nil
}

// rootKey is the key that protects all others.
func (c *Config) rootKey() (seal.Root, error) { return c.root(c.RootKey, c.PassphraseFile) }

func (c *Config) root(root, passphrase string) (seal.Root, error) {
	if err := checkRoot("root_key", root, passphrase); err != nil {
		return nil, err
	}
	switch path, isFile := strings.CutPrefix(root, rootIsFilePrefix); {
	case isFile:
		return seal.KeyFile(c.path(path)), nil
	case passphrase != "":
		phrase, err := readSecret("passphrase_file", c.path(passphrase))
		if err != nil {
			return nil, err
		}
		return seal.Passphrase(phrase), nil
	case root == "" || root == rootIsFile:
		return seal.KeyFile(""), nil
	}
	svc, err := c.service(root)
	if err != nil {
		return nil, err
	}
	return seal.Service(root, svc), nil
}

// service prepares a key service. It outlives whoever opens it, so it gets no
// context of theirs; each call has a deadline of its own.
func (c *Config) service(text string) (seal.KeyService, error) {
	return kms.Open(context.Background(), text, kms.Options{Getenv: os.Getenv})
}

// openKeys opens the key store.
func (c *Config) openKeys() (*seal.Keyring, error) {
	root, err := c.rootKey()
	if err != nil {
		return nil, err
	}
	return c.openKeysUnder(root)
}

func (c *Config) openKeysUnder(root seal.Root) (*seal.Keyring, error) {
	var options []seal.Option
	if c.GenerationMirror != "" {
		options = append(options, seal.WithMirror(c.path(c.GenerationMirror)))
	}
	return seal.Open(c.keyStore(), root, options...)
}

// Keys is the key store as the commands on its own machine see it. The server may
// be running.
type Keys struct {
	c    *Config
	ring *seal.Keyring
}

// OpenKeys opens the key store that the configuration names.
func OpenKeys(c *Config) (*Keys, error) {
	ring, err := c.openKeys()
	if err != nil {
		return nil, err
	}
	return &Keys{c, ring}, nil
}

// Root is the fingerprint of the root.
func (k *Keys) Root() string { return k.ring.RootID() }

// SplitRoot splits the root and writes each share into a file of its own in dir,
// which must be new or empty. It returns the files.
func (k *Keys) SplitRoot(dir string, shares, threshold int, now time.Time) (files []string, err error) {
	parts, err := k.ring.SplitRoot(k.c.Organisation, shares, threshold, now)
	if err != nil {
		return nil, err
	}
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return nil, problem.BadField("out", dir+" is not empty", "Name a new folder, such as one on a stick for each share's keeper")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, problem.BadField("out", dir+" cannot be made", "Name a folder in one that is there, in which Sallyport's user may write").Because(err)
	}
	defer func() {
		if err != nil { // half a set is none
			for _, f := range files {
				err = errors.Join(err, os.Remove(f))
			}
			files = nil
		}
	}()
	for _, s := range parts {
		name := filepath.Join(dir, fmt.Sprintf("root-%s-share-%d-of-%d.txt", s.Root, s.Index, s.Of))
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return files, problem.BadField("out", name+" cannot be written", "See that the disk has room and that Sallyport's user may write there").Because(err)
		}
		files = append(files, name)
		_, err = f.WriteString(s.Text())
		err = errors.Join(err, f.Sync(), f.Close())
		if err != nil {
			return files, fmt.Errorf("writing a share: %w", err)
		}
	}
	return files, nil
}

// RootKindOf is the word for a root in acts: file, passphrase or service.
func RootKindOf(root string) string {
	switch {
	case root == rootIsPassphrase:
		return rootIsPassphrase
	case root == "", root == rootIsFile, strings.HasPrefix(root, rootIsFilePrefix):
		return rootIsFile
	}
	return "service"
}

// CheckRoot looks at a root and its passphrase as the configuration would.
func CheckRoot(root, passphrase string) error { return checkRoot("to", root, passphrase) }

// RotateRoot puts every key under another root, named as root_key and
// passphrase_file name one. Until FinishRoot the old one opens the keyring too.
// inPlace says that the configuration need not be changed.
func (k *Keys) RotateRoot(root, passphrase string) (inPlace bool, err error) {
	to, err := k.c.root(root, passphrase)
	if err != nil {
		return false, err
	}
	if err := k.ring.RotateRoot(to); err != nil {
		return false, err
	}
	ways := func(root, passphrase string) string {
		if root == rootIsFile || root == "" && passphrase == "" {
			return ""
		}
		return root + "\x00" + passphrase
	}
	return ways(root, passphrase) == ways(k.c.RootKey, k.c.PassphraseFile), nil
}

// FinishRoot ends a rotation of the root, after looking whether the configuration
// names the new one: otherwise the next start would fail. It returns the old
// root's fingerprint; empty: none was under way.
func (k *Keys) FinishRoot(now time.Time) (old string, err error) {
	again, err := k.c.openKeys()
	if err != nil {
		return "", err
	}
	if again.ByOldRoot() {
		return "", problem.BadField("root_key", "names the old root still: the next start would not open the keys",
			"Change root_key (and passphrase_file) in the configuration to the new root, then finish: sallyport key rotate --root --finish")
	}
	retired, err := again.Finish(now)
	if retired == nil {
		return "", err
	}
	return retired.ID, err
}

// BackupStore makes a backup of the key store, in memory.
func (k *Keys) BackupStore(now time.Time) ([]byte, seal.Backup, error) {
	var b bytes.Buffer
	made, err := k.ring.BackupStore(&b, now)
	return b.Bytes(), made, err
}

// RestoreRoot brings the root back from the texts of its shares. out is where; if
// it is empty, where the configuration has a key file.
func RestoreRoot(c *Config, texts [][]byte, out string) (path, fingerprint string, err error) {
	var shares []seal.Share
	for i, text := range texts {
		s, err := seal.ParseShare(text)
		if err != nil {
			p := problem.From(err)
			p.Field = fmt.Sprintf("share %d of those given", i+1)
			return "", "", p
		}
		shares = append(shares, s)
	}
	if out == "" {
		if name, ok := strings.CutPrefix(c.RootKey, rootIsFilePrefix); ok {
			out = c.path(name)
		}
	}
	if path, err = seal.RestoreRoot(c.keyStore(), out, shares); err != nil {
		return "", "", err
	}
	return path, shares[0].Root, nil
}

// RestoreKeyStore brings back what is missing in the key store from a backup.
func RestoreKeyStore(c *Config, from io.Reader) (seal.Restored, error) {
	root, err := c.rootKey()
	if err != nil {
		return seal.Restored{}, err
	}
	mirror := ""
	if c.GenerationMirror != "" {
		mirror = c.path(c.GenerationMirror)
	}
	return seal.RestoreStore(c.keyStore(), mirror, root, from)
}

// documentsOf gives the sealers of documents that are under an engagement's key.
func documentsOf(keys *seal.Keyring) func(id.Engagement) (store.Sealer, error) {
	return func(engagement id.Engagement) (store.Sealer, error) {
		key, err := keys.Engagement(engagement)
		if err != nil {
			return nil, err
		}
		return key.Documents(), nil
	}
}

// carryOut does what the view orders for the keys: rotations and destructions. It
// is idempotent, and every node does it: who shares the key store finds it done.
// What the key store itself says counts too, for nodes that have not heard yet.
func (s *Server) carryOut(ctx context.Context) error {
	errs := []error{s.record.keys.Refresh()}
	for _, k := range s.View().Keys.All() {
		if k.Ordered() {
			errs = append(errs, s.destroyKeys(ctx, k))
			continue
		}
		if to := (seal.Rotation{Keys: k.Rotations, Codes: k.CodeRotations}); s.rotated[k.Engagement] != to {
			err := s.record.keys.Rotate(k.Engagement, to)
			if err == nil {
				s.rotated[k.Engagement] = to
			}
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// destroyKeys carries out an order, or what is pending of it.
func (s *Server) destroyKeys(ctx context.Context, k *snapshot.Key) error {
	if s.destroyed[k.Engagement] {
		return nil
	}
	order := seal.Order{Act: k.Destruction.Act, At: k.Destruction.OrderedAt, Under: map[string]int{}}
	rows, err := s.vault.CountCodes(ctx, k.Engagement)
	if err == nil {
		order.Under["vault_codes"] = rows
	}
	if n, err := s.record.registry.DocumentsOf(ctx, k.Engagement); err == nil {
		order.Under["documents"] = n
	}
	d, err := s.record.keys.Destroy(k.Engagement, order, s.o.Now)
	if err != nil {
		return fmt.Errorf("destroying the keys of engagement %s: %w", k.Engagement, err)
	}
	// Without their key the rows are noise; they go all the same.
	if _, err := s.vault.Forget(ctx, k.Engagement); err != nil {
		return fmt.Errorf("taking out the vault's rows of engagement %s: %w", k.Engagement, err)
	}
	if !d.Done() {
		return fmt.Errorf("the destruction of the keys of engagement %s is pending: %s", k.Engagement, strings.Join(d.Pending, "; "))
	}
	s.destroyed[k.Engagement] = true
	s.o.Logger.InfoContext(ctx, "the keys of an engagement are destroyed", "engagement", string(k.Engagement), "act", string(d.Act), "generation", d.Generation)
	s.warnOfBackups(ctx)
	return nil
}

// warnOfBackups says when no backup of the key store can be read: there was one,
// and a destruction has replaced its key since.
func (s *Server) warnOfBackups(ctx context.Context) {
	switch b, err := s.record.keys.Backups(); {
	case err != nil:
		s.o.Logger.WarnContext(ctx, "the key of the key store's backups cannot be read", "err", err)
	case b.Generation > 0 && b.BackedUpAt.IsZero():
		s.o.Logger.WarnContext(ctx, "no backup of the key store can be read: keys were destroyed since the last one", "generation", b.Generation, "next", "sallyport key backup-store")
	}
}

// keysEvery is how often the key store is looked at without news of the registry:
// the longest that another node's destruction takes to be felt here.
const keysEvery = 2 * time.Second

// watchKeys carries out what is ordered as soon as it is known.
func (s *Server) watchKeys(ctx context.Context) {
	tick := time.NewTicker(keysEvery)
	defer tick.Stop()
	said := ""
	for {
		changed := s.record.registry.Changed()
		if err := s.carryOut(ctx); err != nil && ctx.Err() == nil {
			if err.Error() != said { // once, not every two seconds
				s.o.Logger.ErrorContext(ctx, "the keys are not as they should be", "err", err)
			}
			said = err.Error()
		} else {
			said = ""
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-tick.C:
		}
	}
}

// keyStore is the key store as the API knows it.
type keyStore struct{ s *Server }

// Destruction implements api.Keys.
func (k keyStore) Destruction(engagement id.Engagement) (*api.StoredDestruction, error) {
	d, err := k.s.record.keys.Destruction(engagement)
	if err != nil || d == nil {
		return nil, err
	}
	return &api.StoredDestruction{DoneAt: d.DoneAt, Pending: d.Pending, HadKeys: d.HadKeys, Generation: d.Generation, Media: d.Media, Counted: d.Under}, nil
}

// OldRoots implements api.Keys.
func (k keyStore) OldRoots(ctx context.Context) (out []api.OldRoot) {
	for _, r := range retiredRoots(ctx, k.s.config, k.s.record.keys) {
		out = append(out, api.OldRoot{Root: r.ID, Kind: r.Kind, RetiredAt: r.RetiredAt, State: r.State, DestroyedAt: r.DestroyedAt})
	}
	return out
}

// Codes implements api.Keys.
func (k keyStore) Codes(ctx context.Context, engagement id.Engagement) (int, error) {
	return k.s.vault.CountCodes(ctx, engagement)
}

// KeyStatus says how the key store stands.
type KeyStatus struct {
	Store    string           `json:"store"`
	Root     string           `json:"root"`
	Kind     string           `json:"kind"`
	Rotating bool             `json:"rotating,omitempty"`
	Backups  seal.BackupState `json:"backups"`
	Mirror   string           `json:"mirror,omitempty"`
	Retired  []RetiredRoot    `json:"retired,omitempty"`
}

// RetiredRoot is a root that was rotated away, and what its service says of it.
type RetiredRoot struct {
	seal.RetiredRoot
	seal.ServiceState
}

// Status asks the services of retired roots whether those are gone.
func (k *Keys) Status(ctx context.Context) (KeyStatus, error) {
	s := KeyStatus{Store: k.c.keyStore(), Root: k.ring.RootID(), Kind: k.ring.RootKind(), Rotating: k.ring.Rotating()}
	if k.c.GenerationMirror != "" {
		s.Mirror = k.c.path(k.c.GenerationMirror)
	}
	var err error
	if s.Backups, err = k.ring.Backups(); err != nil {
		return s, err
	}
	s.Retired = retiredRoots(ctx, k.c, k.ring)
	return s, nil
}

// retiredRoots says of each retired root whether it still exists, as far as that
// can be told.
func retiredRoots(ctx context.Context, c *Config, ring *seal.Keyring) (out []RetiredRoot) {
	for _, r := range ring.Retired() {
		one := RetiredRoot{r, seal.ServiceState{State: seal.StateUnknown}}
		if r.Service != "" {
			if svc, err := c.service(r.Service); err == nil {
				ctx, cancel := context.WithTimeout(ctx, serviceWait)
				if state, err := svc.State(ctx); err == nil {
					one.ServiceState = state
				}
				cancel()
			}
		}
		out = append(out, one)
	}
	return out
}

// serviceWait is how long a status waits for one key service.
const serviceWait = 5 * time.Second

// JSON is the status for a machine.
func (s KeyStatus) JSON() ([]byte, error) { return json.MarshalIndent(s, "", "  ") }

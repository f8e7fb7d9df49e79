// Package seal holds the keys of an organisation, and the few things that are
// done with them: codes for resource ids, pseudonyms for patients, sealed
// documents, opaque tokens.
//
// A Keyring is a directory of its own, the key store, outside the databases and
// their backups:
//
//	root.key              the root, unless it is elsewhere, a passphrase or a key service's
//	keyring.json          the organisation's own keys: owner, documents, tokens
//	engagements/<id>.json the keys of one engagement
//	made/<id>             says that the engagement has keys: what is lost is not made anew
//	destroyed/<id>.json   says that they were destroyed, and by which act
//	release-<n>.json      the keys that sign sealed releases, one generation a file
//	credential-<n>.json   the keys that sign badges of training, likewise
//	generation.json       the key of the key store's own backups
//
// The root wraps every other key, with what the key is for as associated data:
// a file under another name does not open. An engagement's keys are in one file
// and nowhere else, so that destroying them takes what was sealed under them
// along (45 CFR 164.504(e)(2)(ii)(J), return or destroy); see Keyring.Destroy for
// what that rests on. The owner's key, under which patients are named in the audit
// log, is separate and must outlive them: accounting of disclosures and breach
// notice reach back six years (45 CFR 164.528, 164.404).
//
// Keys are Tink keysets: the newest key of a set encrypts, all decrypt. See
// Keyring.Rotate and RotateRoot.
//
// Several processes, on several machines, may share a key store. Writers take
// turns by a lock; readers look again when something does not open, and at
// Refresh.
//
// Nothing here prints: %v of a key says what it is and no more.
package seal

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/aead/xaesgcm"
	"github.com/tink-crypto/tink-go/v2/daead/aessiv"
	"github.com/tink-crypto/tink-go/v2/insecuresecretdataaccess"
	"github.com/tink-crypto/tink-go/v2/key"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/mac/hmac"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
)

const (
	keyringFile    = "keyring.json"
	engagementsDir = "engagements"
	madeDir        = "made"
	destroyedDir   = "destroyed"
	generationFile = "generation.json"
	lockFile       = "lock"
	version        = 2 // 1 had neither generations nor keys for each use
)

// storeDirs are the folders of a key store.
var storeDirs = []string{engagementsDir, madeDir, destroyedDir}

// Keyring is the open keys. It is safe for concurrent use.
type Keyring struct {
	silent
	dir       string
	mirror    string // a second folder for generation.json; empty: none
	byOld     bool   // opened with the root before
	owner     *OwnerKey
	documents *Sealer
	tokens    *Tokens
	own       atomic.Pointer[organisation]

	mu          sync.RWMutex
	engagements map[id.Engagement]*EngagementKey
	ordered     map[id.Engagement]bool // their destruction was ordered in this process
	making      sync.Mutex             // held while files are read or made: one at a time
}

// organisation is what keyring.json held when it was read last.
type organisation struct {
	root      *rootKey
	before    *rootKey // while a rotation of the root is under way
	documents tink.AEAD
	tokens    tink.AEAD
	doc       keyringDoc
	seen      seen
}

// keyringDoc is keyring.json. It is written whole, so a keyring is there or it is
// not.
type keyringDoc struct {
	Version   int        `json:"version"`
	Root      rootParams `json:"root"`
	RootID    string     `json:"root_id,omitempty"` // its fingerprint
	Check     []byte     `json:"check"`             // opens under the right root only
	Owner     []byte     `json:"owner"`
	Documents []byte     `json:"documents"`
	Tokens    []byte     `json:"tokens"`
	// Before is there while a rotation of the root is under way.
	Before  *rootBefore   `json:"before,omitempty"`
	Retired []RetiredRoot `json:"retired,omitempty"` // oldest first
}

// Create makes a keyring in dir, which is made where it does not exist. It
// fails with a Conflict where there is a keyring already.
func Create(dir string, root Root) error {
	if root == nil {
		return errNoRoot
	}
	if _, err := os.Lstat(filepath.Join(dir, keyringFile)); err == nil {
		return errExists(dir)
	}
	for _, sub := range storeDirs {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return fmt.Errorf("create keyring: %w", err)
		}
	}
	if err := checkDirs(dir); err != nil {
		return err
	}
	unlock, err := lockStore(dir)
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := os.Lstat(filepath.Join(dir, keyringFile)); err == nil {
		return errExists(dir)
	}
	params, key, err := root.create(dir)
	if err != nil {
		return err
	}
	doc := keyringDoc{Version: version, Root: params, RootID: key.id}
	if doc.Check, err = key.Encrypt(nil, purpose("check")); err != nil {
		return err
	}
	if doc.Owner, err = makeKeyset(key, ownerParams, "owner"); err != nil {
		return err
	}
	if doc.Documents, err = makeKeyset(key, sealerParams, "documents"); err != nil {
		return err
	}
	if doc.Tokens, err = makeKeyset(key, sealerParams, "tokens"); err != nil {
		return err
	}
	if err := writeJSON(filepath.Join(dir, keyringFile), doc); err != nil {
		return fmt.Errorf("create keyring: %w", err)
	}
	return syncDir(filepath.Dir(filepath.Clean(dir)))
}

// An Option changes how a keyring is opened.
type Option func(*Keyring)

// WithMirror keeps the generation key in a second folder too, so that backups of
// the key store can be read when its disk is lost. The folder should be on
// another machine or disk, and never in a backup.
func WithMirror(dir string) Option { return func(k *Keyring) { k.mirror = dir } }

// Open opens the keyring in dir. It refuses files that others can read, and
// any root but the one that it was made with or rotated to.
func Open(dir string, root Root, options ...Option) (*Keyring, error) {
	if root == nil {
		return nil, errNoRoot
	}
	if err := checkDirs(dir); err != nil {
		return nil, err
	}
	for _, d := range []string{dir, filepath.Join(dir, engagementsDir), filepath.Join(dir, destroyedDir)} {
		if err := sweep(d, false); err != nil {
			return nil, err
		}
	}
	k := &Keyring{dir: dir, engagements: map[id.Engagement]*EngagementKey{}}
	for _, o := range options {
		o(k)
	}
	o, err := k.read(func(doc *keyringDoc) (key *rootKey, err error) {
		key, k.byOld, err = rootOf(dir, root, doc)
		return key, err
	})
	if err != nil {
		return nil, err
	}
	if k.owner, err = openOwner(o.root, o.doc.Owner); err != nil {
		return nil, errDamaged(keyringFile, err)
	}
	k.own.Store(o)
	k.documents = &Sealer{now: func() (tink.AEAD, error) { return k.own.Load().documents, nil }, again: k.renewed}
	k.tokens = &Tokens{sealer: &Sealer{now: func() (tink.AEAD, error) { return k.own.Load().tokens, nil }, again: k.renewed}}
	return k, nil
}

// rootOf opens the root that keyring.json names, or the one before while a
// rotation is under way, and says which.
func rootOf(dir string, root Root, doc *keyringDoc) (key *rootKey, old bool, err error) {
	key, err = root.open(dir, doc.Root)
	if err == nil {
		if _, checkErr := key.Decrypt(doc.Check, purpose("check")); checkErr == nil {
			return key, false, nil
		}
		err = problem.BadField("keyring.root", "this is not the root that the keyring was made with",
			"Give the passphrase, the key file or the service that was set when the keyring was made, or when its root was rotated")
	}
	if doc.Before == nil {
		return nil, false, err
	}
	before, beforeErr := root.open(dir, doc.Before.Root)
	if beforeErr != nil {
		return nil, false, err
	}
	key, err = doc.Before.cross(before)
	return key, true, err
}

// read reads keyring.json and opens what it holds under the root that find gives.
func (k *Keyring) read(find func(*keyringDoc) (*rootKey, error)) (*organisation, error) {
	path := filepath.Join(k.dir, keyringFile)
	o := new(organisation)
	var err error
	o.seen, err = readWhole(path, func() error {
		o.doc = keyringDoc{}
		if err := readJSON(path, &o.doc); err != nil {
			return err
		}
		if o.doc.Version < 1 || o.doc.Version > version {
			return errDamaged(path, fmt.Errorf("version %d", o.doc.Version))
		}
		if o.root, err = find(&o.doc); err != nil {
			return err
		}
		o.doc.RootID = o.root.id // version 1 had none
		o.before = nil
		if o.doc.Before != nil {
			if o.before, err = o.doc.Before.open(o.root); err != nil {
				return errDamaged(path, err)
			}
		}
		if o.documents, err = openAEAD(o.root, o.doc.Documents, "documents"); err != nil {
			return errDamaged(path, err)
		}
		if o.tokens, err = openAEAD(o.root, o.doc.Tokens, "tokens"); err != nil {
			return errDamaged(path, err)
		}
		return nil
	})
	return o, err
}

// renewed looks whether another process has changed keyring.json, and reads it
// again if so.
func (k *Keyring) renewed() bool {
	was := k.own.Load()
	now, err := look(filepath.Join(k.dir, keyringFile))
	if err != nil || was.seen.same(now) {
		return false
	}
	k.making.Lock()
	defer k.making.Unlock()
	return k.reread() == nil
}

// reread reads keyring.json again if it was changed; k.making is held.
func (k *Keyring) reread() error {
	was := k.own.Load()
	now, err := look(filepath.Join(k.dir, keyringFile))
	if err != nil {
		return fileProblem(filepath.Join(k.dir, keyringFile), err)
	}
	if was.seen.same(now) {
		return nil
	}
	o, err := k.read(func(doc *keyringDoc) (*rootKey, error) {
		if _, err := was.root.Decrypt(doc.Check, purpose("check")); err == nil {
			return was.root, nil
		}
		if doc.Before != nil {
			return doc.Before.cross(was.root)
		}
		return nil, problem.New(problem.Unavailable, "the root of the keyring was rotated while this process did not look",
			"Start the process again with the new root")
	})
	if err != nil {
		return err
	}
	k.own.Store(o)
	return nil
}

// Refresh takes up what other processes changed in the key store: rotated keys,
// and keys that were destroyed, which are forgotten. Who runs for long calls it
// every few seconds; it costs one look at each file that is in use. What cannot
// be read is an error, and what is in memory stays, but for keys whose file is
// gone.
func (k *Keyring) Refresh() error {
	k.making.Lock()
	defer k.making.Unlock()
	errs := []error{k.reread()}
	k.mu.RLock()
	open := make([]*EngagementKey, 0, len(k.engagements))
	for _, e := range k.engagements {
		open = append(open, e)
	}
	k.mu.RUnlock()
	for _, e := range open {
		errs = append(errs, k.refresh(e))
	}
	return errors.Join(errs...)
}

// Owner is the organisation's key for naming patients in its own records.
func (k *Keyring) Owner() *OwnerKey { return k.owner }

// Documents seals the registry's documents and secrets, and the vault's lists.
func (k *Keyring) Documents() *Sealer { return k.documents }

// Tokens seals opaque tokens. Every node with this keyring opens them.
func (k *Keyring) Tokens() *Tokens { return k.tokens }

// RootID is the fingerprint of the root: 16 hexadecimal digits. It stands on the
// shares of the root, and is no secret.
func (k *Keyring) RootID() string { return k.own.Load().root.id }

// Sealer seals with authenticated encryption: XAES-256-GCM, whose nonces of 192
// bits can be random for more messages than anyone will seal.
type Sealer struct {
	silent
	now   func() (tink.AEAD, error) // the keys as they are known
	again func() bool               // looks for newer ones; says whether there are any
}

// Seal seals plain. aad is not stored; the same must be given to Open, and
// should say what plain is and where it belongs: two boxes cannot be swapped
// then.
func (s *Sealer) Seal(plain, aad []byte) ([]byte, error) {
	if s == nil || s.now == nil {
		return nil, errNoKey
	}
	a, err := s.now()
	if err != nil {
		return nil, err
	}
	return a.Encrypt(plain, aad)
}

// Open opens what Seal made with the same aad.
func (s *Sealer) Open(box, aad []byte) ([]byte, error) {
	if s == nil || s.now == nil {
		return nil, errNoKey
	}
	a, err := s.now()
	if err != nil {
		return nil, err
	}
	plain, err := a.Decrypt(box, aad)
	if err == nil {
		return plain, nil
	}
	// Another process may have sealed it under a key that this one has not seen.
	if s.again != nil && s.again() {
		if a, err = s.now(); err != nil {
			return nil, err
		}
		if plain, err = a.Decrypt(box, aad); err == nil {
			return plain, nil
		}
	}
	return nil, errOpen // Tink's error says no more, and quotes nothing
}

var (
	errNoKey = errors.New("seal: no key")
	errOpen  = errors.New("seal: does not open: changed, moved, or sealed under another key")
)

// purpose is associated data: what a key or a box is for. Ids hold no '/', so
// no two purposes are spelt alike.
func purpose(words ...string) []byte {
	b := []byte("sallyport/seal/1")
	for _, w := range words {
		b = append(append(b, '/'), w...)
	}
	return b
}

// The kinds of key. Codes have no room for Tink's prefix of five bytes.
func sealerParams() (key.Parameters, error) {
	return xaesgcm.NewParameters(xaesgcm.VariantTink, 12)
}

func codeParams() (key.Parameters, error) {
	return aessiv.NewParameters(64, aessiv.VariantNoPrefix)
}

func ownerParams() (key.Parameters, error) {
	return hmac.NewParameters(hmac.ParametersOpts{
		KeySizeInBytes: 32, TagSizeInBytes: 32, HashType: hmac.SHA256, Variant: hmac.VariantNoPrefix,
	})
}

// makeKeyset makes a keyset of one new key and wraps it.
func makeKeyset(root *rootKey, params func() (key.Parameters, error), what ...string) ([]byte, error) {
	h, err := addKey(keyset.NewManager(), params)
	if err != nil {
		return nil, fmt.Errorf("make %v key: %w", what, err)
	}
	return wrap(root, h, what...)
}

// addKey adds a new key to a keyset, and makes it the one that encrypts.
func addKey(m *keyset.Manager, params func() (key.Parameters, error)) (*keyset.Handle, error) {
	p, err := params()
	if err != nil {
		return nil, err
	}
	kid, err := m.AddNewKeyFromParameters(p)
	if err != nil {
		return nil, err
	}
	if err := m.SetPrimary(kid); err != nil {
		return nil, err
	}
	return m.Handle()
}

func wrap(root *rootKey, h *keyset.Handle, what ...string) ([]byte, error) {
	var b bytes.Buffer
	if err := h.WriteWithAssociatedData(keyset.NewBinaryWriter(&b), root, purpose(what...)); err != nil {
		return nil, fmt.Errorf("wrap %v key: %w", what, err)
	}
	return b.Bytes(), nil
}

func unwrap(root *rootKey, wrapped []byte, what ...string) (*keyset.Handle, error) {
	h, err := keyset.ReadWithAssociatedData(keyset.NewBinaryReader(bytes.NewReader(wrapped)), root, purpose(what...))
	if err != nil {
		return nil, fmt.Errorf("unwrap %v key: %w", what, err)
	}
	return h, nil
}

// rewrap takes a wrapped keyset from one root to another.
func rewrap(from, to *rootKey, wrapped []byte, what ...string) ([]byte, error) {
	h, err := unwrap(from, wrapped, what...)
	if err != nil {
		return nil, err
	}
	return wrap(to, h, what...)
}

func openAEAD(root *rootKey, wrapped []byte, what ...string) (tink.AEAD, error) {
	h, err := unwrap(root, wrapped, what...)
	if err != nil {
		return nil, err
	}
	return aead.New(h)
}

func openOwner(root *rootKey, wrapped []byte) (*OwnerKey, error) {
	h, err := unwrap(root, wrapped, "owner")
	if err != nil {
		return nil, err
	}
	entry, err := h.Primary()
	if err != nil {
		return nil, err
	}
	key, ok := entry.Key().(*hmac.Key)
	if !ok || key.KeyBytes().Len() < 32 {
		return nil, errors.New("not an HMAC key of 256 bits")
	}
	return newOwnerKey(key.KeyBytes().Data(insecuresecretdataaccess.Token{})), nil
}

func checkDirs(dir string) error {
	for _, d := range []string{dir, filepath.Join(dir, engagementsDir), filepath.Join(dir, madeDir), filepath.Join(dir, destroyedDir)} {
		info, err := os.Stat(d)
		if errors.Is(err, fs.ErrNotExist) && d != dir && filepath.Base(d) != engagementsDir {
			continue // version 1 had none
		}
		if err != nil {
			return fileProblem(d, err)
		}
		if !info.IsDir() {
			return problem.BadField("keyring.dir", d+" is not a directory", "Name the keyring's directory")
		}
		if err := private(d, info); err != nil {
			return err
		}
	}
	return nil
}

var errNoRoot error = problem.BadField("keyring.root", "is missing", "Give a key file or a passphrase")

func errExists(dir string) error {
	return problem.New(problem.Conflict, "there is a keyring in "+dir+" already",
		"Use it, or name another directory. A keyring is never replaced: what it sealed could not be opened again")
}

// silent keeps what embeds it from printing.
type silent struct{}

const redacted = "[key]"

// Format implements fmt.Formatter.
func (silent) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(redacted)) }

// LogValue implements slog.LogValuer.
func (silent) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON fails: a key is not a value for a document.
func (silent) MarshalJSON() ([]byte, error) { return nil, errors.New("a key cannot be marshalled") }

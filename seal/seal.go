// Package seal holds the keys of an organisation, and the few things that are
// done with them: codes for resource ids, pseudonyms for patients, sealed
// documents, opaque tokens.
//
// A Keyring is a directory of its own, outside the database and its backups:
//
//	root.key              the root, unless it is elsewhere or a passphrase
//	keyring.json          the organisation's own keys: owner, documents, tokens
//	engagements/<id>.json the keys of one engagement
//
// The root wraps every other key, with what the key is for as associated data:
// a file under another name does not open. An engagement's keys are in one file
// and nowhere else, so that destroying them takes what was sealed under them
// along (45 CFR 164.504(e)(2)(ii)(J), return or destroy). The owner's key, under
// which patients are named in the audit log, is separate and must outlive them:
// accounting of disclosures and breach notice reach back six years (45 CFR
// 164.528, 164.404).
//
// Keys are Tink keysets, each with one key for now. A keyset can hold several,
// and a form letter begins every code, which is what rotation will need.
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
	version        = 1
)

// Keyring is the open keys. It is safe for concurrent use.
type Keyring struct {
	silent
	dir       string
	root      *rootKey
	owner     *OwnerKey
	documents *Sealer
	tokens    *Tokens

	mu          sync.RWMutex
	engagements map[id.Engagement]*EngagementKey
	making      sync.Mutex // held while a file is read or made: one at a time
}

// keyringDoc is keyring.json. It is written whole and once, so a keyring is
// there or it is not.
type keyringDoc struct {
	Version   int        `json:"version"`
	Root      rootParams `json:"root"`
	Check     []byte     `json:"check"` // opens under the right root only
	Owner     []byte     `json:"owner"`
	Documents []byte     `json:"documents"`
	Tokens    []byte     `json:"tokens"`
}

// engagementDoc is engagements/<id>.json.
type engagementDoc struct {
	Version    int           `json:"version"`
	Engagement id.Engagement `json:"engagement"`
	Data       []byte        `json:"data"`
	Codes      []byte        `json:"codes"`
}

// EngagementKey is the keys of one engagement. It is safe for concurrent use.
// The zero value has no codes and seals nothing.
type EngagementKey struct {
	silent
	engagement id.Engagement
	data       *Sealer
	siv        *siv
	codes      sivAD
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
	if err := os.MkdirAll(filepath.Join(dir, engagementsDir), 0o700); err != nil {
		return fmt.Errorf("create keyring: %w", err)
	}
	if err := checkDirs(dir); err != nil {
		return err
	}
	params, key, err := root.create(dir)
	if err != nil {
		return err
	}
	doc := keyringDoc{Version: version, Root: params}
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
	err = writeJSON(filepath.Join(dir, keyringFile), doc)
	if errors.Is(err, fs.ErrExist) {
		return errExists(dir)
	}
	if err != nil {
		return fmt.Errorf("create keyring: %w", err)
	}
	return syncDir(filepath.Dir(filepath.Clean(dir)))
}

// Open opens the keyring in dir. It refuses files that others can read, and
// any root but the one that it was made with.
func Open(dir string, root Root) (*Keyring, error) {
	if root == nil {
		return nil, errNoRoot
	}
	if err := checkDirs(dir); err != nil {
		return nil, err
	}
	for _, d := range []string{dir, filepath.Join(dir, engagementsDir)} {
		if err := sweep(d); err != nil {
			return nil, err
		}
	}
	path := filepath.Join(dir, keyringFile)
	var doc keyringDoc
	if err := readJSON(path, &doc); err != nil {
		return nil, err
	}
	if doc.Version != version {
		return nil, errDamaged(path, fmt.Errorf("version %d", doc.Version))
	}
	key, err := root.open(dir, doc.Root)
	if err != nil {
		return nil, err
	}
	if _, err := key.Decrypt(doc.Check, purpose("check")); err != nil {
		return nil, problem.BadField("keyring.root", "this is not the root that the keyring was made with",
			"Give the passphrase or the key file that was set when the keyring was made.").Because(err)
	}
	k := &Keyring{dir: dir, root: key, engagements: map[id.Engagement]*EngagementKey{}}
	if k.owner, err = openOwner(key, doc.Owner); err != nil {
		return nil, errDamaged(path, err)
	}
	if k.documents, err = openSealer(key, doc.Documents, "documents"); err != nil {
		return nil, errDamaged(path, err)
	}
	tokens, err := openSealer(key, doc.Tokens, "tokens")
	if err != nil {
		return nil, errDamaged(path, err)
	}
	k.tokens = &Tokens{sealer: tokens}
	return k, nil
}

// Owner is the organisation's key for naming patients in its own records.
func (k *Keyring) Owner() *OwnerKey { return k.owner }

// Documents seals the registry's documents and secrets, and the vault's lists.
func (k *Keyring) Documents() *Sealer { return k.documents }

// Tokens seals opaque tokens. Every node with this keyring opens them.
func (k *Keyring) Tokens() *Tokens { return k.tokens }

// Engagement gives the keys of an engagement, and makes them at first use. They
// are durable before they are returned, and two processes that ask at once get
// the same ones.
func (k *Keyring) Engagement(engagement id.Engagement) (*EngagementKey, error) {
	k.mu.RLock()
	key := k.engagements[engagement]
	k.mu.RUnlock()
	if key != nil {
		return key, nil
	}
	if err := id.Check(engagement); err != nil {
		return nil, fmt.Errorf("engagement key: %w", err)
	}
	k.making.Lock()
	defer k.making.Unlock()
	k.mu.RLock()
	key = k.engagements[engagement]
	k.mu.RUnlock()
	if key != nil {
		return key, nil
	}
	key, err := k.load(engagement)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	k.engagements[engagement] = key
	k.mu.Unlock()
	return key, nil
}

// load reads the engagement's file, and makes it where there is none.
func (k *Keyring) load(engagement id.Engagement) (*EngagementKey, error) {
	dir := filepath.Join(k.dir, engagementsDir)
	path := filepath.Join(dir, string(engagement)+".json")
	var doc engagementDoc
	err := readJSON(path, &doc)
	if errors.Is(err, fs.ErrNotExist) {
		doc = engagementDoc{Version: version, Engagement: engagement}
		if doc.Data, err = makeKeyset(k.root, sealerParams, "engagement", string(engagement), "data"); err != nil {
			return nil, err
		}
		if doc.Codes, err = makeKeyset(k.root, codeParams, "engagement", string(engagement), "codes"); err != nil {
			return nil, err
		}
		err = writeJSON(path, doc)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("make engagement key: %w", err)
		}
		// What is on disk counts, whoever wrote it.
		doc = engagementDoc{}
		err = readJSON(path, &doc)
	}
	if err != nil {
		return nil, err
	}
	// Another process may have made the name and not yet synced it. A key must
	// not be used before it would survive a power cut.
	if err := syncDir(dir); err != nil {
		return nil, fmt.Errorf("make engagement key durable: %w", err)
	}
	if doc.Version != version || doc.Engagement != engagement {
		return nil, errDamaged(path, fmt.Errorf("version %d, engagement %q", doc.Version, doc.Engagement))
	}
	key := &EngagementKey{engagement: engagement}
	if key.data, err = openSealer(k.root, doc.Data, "engagement", string(engagement), "data"); err != nil {
		return nil, errDamaged(path, err)
	}
	if key.siv, err = openCodes(k.root, doc.Codes, engagement); err != nil {
		return nil, errDamaged(path, err)
	}
	key.codes = key.siv.bind(purpose("code", string(engagement)))
	return key, nil
}

// Engagement is whose keys these are.
func (k *EngagementKey) Engagement() id.Engagement { return k.engagement }

// Seal seals plain under the engagement's key. aad is not stored; the same must
// be given to Open, and should say what plain is and where it belongs.
func (k *EngagementKey) Seal(plain, aad []byte) ([]byte, error) { return k.data.Seal(plain, aad) }

// Open opens what Seal made with the same aad.
func (k *EngagementKey) Open(box, aad []byte) ([]byte, error) { return k.data.Open(box, aad) }

// Index gives 128 keyed bits for value: the same for the same label and value,
// unrelated to everything else, and meaningless without the engagement's key.
// It is how something sealed is found again.
func (k *EngagementKey) Index(label string, value []byte) [16]byte {
	ad := k.siv.bind(purpose("index", string(k.engagement), label))
	w := k.siv.scratch()
	defer k.siv.done(w)
	k.siv.s2v(w, &ad, value)
	return w.tag
}

// Derive gives 32 bytes for a use that has a key of its own: a pseudo-random
// function of the label under the engagement's key, in counter mode (NIST SP
// 800-108r1 section 4.1, on S2V). They are gone with the engagement's key.
func (k *EngagementKey) Derive(label string) []byte {
	one, two := k.Index("derive/"+label, []byte{1}), k.Index("derive/"+label, []byte{2})
	return append(one[:], two[:]...)
}

// Sealer seals with authenticated encryption: XAES-256-GCM, whose nonces of 192
// bits can be random for more messages than anyone will seal.
type Sealer struct {
	silent
	aead tink.AEAD
}

// Seal seals plain. aad is not stored; the same must be given to Open, and
// should say what plain is and where it belongs: two boxes cannot be swapped
// then.
func (s *Sealer) Seal(plain, aad []byte) ([]byte, error) {
	if s == nil || s.aead == nil {
		return nil, errNoKey
	}
	return s.aead.Encrypt(plain, aad)
}

// Open opens what Seal made with the same aad.
func (s *Sealer) Open(box, aad []byte) ([]byte, error) {
	if s == nil || s.aead == nil {
		return nil, errNoKey
	}
	plain, err := s.aead.Decrypt(box, aad)
	if err != nil {
		return nil, errOpen // Tink's error says no more, and quotes nothing
	}
	return plain, nil
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
	h, err := newKeyset(params)
	if err != nil {
		return nil, fmt.Errorf("make %v key: %w", what, err)
	}
	var b bytes.Buffer
	if err := h.WriteWithAssociatedData(keyset.NewBinaryWriter(&b), root, purpose(what...)); err != nil {
		return nil, fmt.Errorf("wrap %v key: %w", what, err)
	}
	return b.Bytes(), nil
}

func newKeyset(params func() (key.Parameters, error)) (*keyset.Handle, error) {
	p, err := params()
	if err != nil {
		return nil, err
	}
	m := keyset.NewManager()
	kid, err := m.AddNewKeyFromParameters(p)
	if err != nil {
		return nil, err
	}
	if err := m.SetPrimary(kid); err != nil {
		return nil, err
	}
	return m.Handle()
}

func unwrap(root *rootKey, wrapped []byte, what ...string) (*keyset.Handle, error) {
	h, err := keyset.ReadWithAssociatedData(keyset.NewBinaryReader(bytes.NewReader(wrapped)), root, purpose(what...))
	if err != nil {
		return nil, fmt.Errorf("unwrap %v key: %w", what, err)
	}
	return h, nil
}

func openSealer(root *rootKey, wrapped []byte, what ...string) (*Sealer, error) {
	h, err := unwrap(root, wrapped, what...)
	if err != nil {
		return nil, err
	}
	a, err := aead.New(h)
	if err != nil {
		return nil, err
	}
	return &Sealer{aead: a}, nil
}

func openCodes(root *rootKey, wrapped []byte, engagement id.Engagement) (*siv, error) {
	h, err := unwrap(root, wrapped, "engagement", string(engagement), "codes")
	if err != nil {
		return nil, err
	}
	entry, err := h.Primary()
	if err != nil {
		return nil, err
	}
	key, ok := entry.Key().(*aessiv.Key)
	if !ok || len(key.OutputPrefix()) != 0 {
		return nil, errors.New("not an AES-SIV key without prefix")
	}
	return newSIV(key.KeyBytes().Data(insecuresecretdataaccess.Token{}))
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
	for _, d := range []string{dir, filepath.Join(dir, engagementsDir)} {
		info, err := os.Stat(d)
		if err != nil {
			return fileProblem(d, err)
		}
		if !info.IsDir() {
			return problem.BadField("keyring.dir", d+" is not a directory", "Name the keyring's directory.")
		}
		if err := private(d, info); err != nil {
			return err
		}
	}
	return nil
}

var errNoRoot error = problem.BadField("keyring.root", "is missing", "Give a key file or a passphrase.")

func errExists(dir string) error {
	return problem.New(problem.Conflict, "there is a keyring in "+dir+" already",
		"Use it, or name another directory. A keyring is never replaced: what it sealed could not be opened again.")
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

package seal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/tink-crypto/tink-go/v2/daead/aessiv"
	"github.com/tink-crypto/tink-go/v2/insecuresecretdataaccess"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
)

// EngagementKey is the keys of one engagement. It is safe for concurrent use, and
// may be held for long: it follows rotation, and after destruction it does
// nothing. The zero value has no codes and seals nothing.
type EngagementKey struct {
	silent
	engagement id.Engagement
	ring       *Keyring
	now        atomic.Pointer[engagementKeys] // nil: destroyed, or gone
}

// engagementKeys is what the engagement's file held when it was read last.
type engagementKeys struct {
	data      tink.AEAD // the vault's rows
	documents tink.AEAD
	cache     tink.AEAD
	base      *siv      // index and derive: the first key of the codes, for ever
	codes     []codeKey // the newest first
	doc       engagementDoc
	seen      seen
}

// codeKey is one generation of codes.
type codeKey struct {
	siv *siv
	ad  sivAD
}

// engagementDoc is engagements/<id>.json.
type engagementDoc struct {
	Version    int           `json:"version"`
	Engagement id.Engagement `json:"engagement"`
	RootID     string        `json:"root_id,omitempty"` // of the root that wraps it
	// Rotations counts how often data, documents and cache got a new key. Codes
	// have generations of their own, for a new one changes what a vendor sees.
	Rotations int    `json:"rotations,omitempty"`
	Data      []byte `json:"data"`
	Documents []byte `json:"documents,omitempty"`
	Cache     []byte `json:"cache,omitempty"`
	Codes     []byte `json:"codes"`
}

// The uses of an engagement's keys, each of which has a keyset.
const (
	useData      = "data"
	useDocuments = "documents"
	useCache     = "cache"
	useCodes     = "codes"
)

// sealed are the keysets that seal, by use.
func (d *engagementDoc) sealed() map[string]*[]byte {
	return map[string]*[]byte{useData: &d.Data, useDocuments: &d.Documents, useCache: &d.Cache}
}

func (d *engagementDoc) what(use string) []string {
	return []string{"engagement", string(d.Engagement), use}
}

// make makes what the document lacks.
func (d *engagementDoc) make(root *rootKey) (err error) {
	for use, box := range d.sealed() {
		if *box != nil {
			continue
		}
		if *box, err = makeKeyset(root, sealerParams, d.what(use)...); err != nil {
			return err
		}
	}
	if d.Codes == nil {
		d.Codes, err = makeKeyset(root, codeParams, d.what(useCodes)...)
	}
	return err
}

// Engagement gives the keys of an engagement, and makes them at first use. They
// are durable before they are returned, and two processes that ask at once get
// the same ones. Keys that were destroyed, and keys that were made and are gone,
// are an error and are never made again; see IsDestroyed.
func (k *Keyring) Engagement(engagement id.Engagement) (*EngagementKey, error) {
	return k.find(engagement, k.makeEngagement)
}

// Find gives the keys of an engagement that has some, and makes none: fs.ErrNotExist
// where there are none.
func (k *Keyring) Find(engagement id.Engagement) (*EngagementKey, error) {
	return k.find(engagement, nil)
}

// find gives the keys of an engagement; those that were never made are made by
// missing, unless it is nil.
func (k *Keyring) find(engagement id.Engagement, missing func(id.Engagement) (*engagementKeys, error)) (*EngagementKey, error) {
	if e := k.held(engagement); e != nil {
		return e, nil
	}
	if err := id.Check(engagement); err != nil {
		return nil, fmt.Errorf("engagement key: %w", err)
	}
	k.making.Lock()
	defer k.making.Unlock()
	if e := k.held(engagement); e != nil {
		return e, nil
	}
	keys, err := k.load(engagement, false)
	if errors.Is(err, fs.ErrNotExist) && missing != nil {
		keys, err = missing(engagement)
	}
	if err != nil {
		return nil, err
	}
	return k.hold(engagement, keys), nil
}

// hold remembers keys that were read or made. k.making is held.
func (k *Keyring) hold(engagement id.Engagement, keys *engagementKeys) *EngagementKey {
	e := &EngagementKey{engagement: engagement, ring: k}
	e.now.Store(keys)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.engagements[engagement] = e
	return e
}

func (k *Keyring) held(engagement id.Engagement) *EngagementKey {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.engagements[engagement]
}

func (k *Keyring) file(dir string, engagement id.Engagement) string {
	name := string(engagement)
	if dir != madeDir {
		name += ".json"
	}
	return filepath.Join(k.dir, dir, name)
}

// load reads the engagement's file; fs.ErrNotExist: it has none and never had.
// k.making is held, and with locked the store's lock.
func (k *Keyring) load(engagement id.Engagement, locked bool) (*engagementKeys, error) {
	if err := k.destroyedOrNil(engagement); err != nil {
		return nil, err
	}
	keys, err := k.current(engagement)
	switch {
	case err == nil:
	case !errors.Is(err, fs.ErrNotExist):
		if gone := k.destroyedOrNil(engagement); gone != nil { // while it was read
			return nil, gone
		}
		return nil, err
	default:
		if _, statErr := os.Lstat(k.file(madeDir, engagement)); errors.Is(statErr, fs.ErrNotExist) {
			return nil, err
		} else if statErr != nil {
			return nil, statErr
		}
		// Made, or destroyed, by another process since it was looked for? The file is
		// written before the mark, and the note of a destruction before the file goes.
		if keys, err = k.readEngagement(engagement); errors.Is(err, fs.ErrNotExist) {
			if err = k.destroyedOrNil(engagement); err == nil {
				err = errMissing(engagement)
			}
		}
		if err != nil {
			return nil, err
		}
	}
	// Another process may have made the name and not yet synced it. A key must
	// not be used before it would survive a power cut.
	if err := syncDir(filepath.Join(k.dir, engagementsDir)); err != nil {
		return nil, fmt.Errorf("make engagement key durable: %w", err)
	}
	if keys.doc.Version == version {
		return keys, k.mark(engagement)
	}
	// Version 1 had no keys for documents and cached data, and no mark.
	if !locked {
		unlock, err := k.lock()
		if err != nil {
			return nil, err
		}
		defer unlock()
		if keys, err = k.readEngagement(engagement); err != nil {
			return nil, err
		}
	}
	doc := keys.doc
	doc.Version = version
	if err := doc.make(k.own.Load().root); err != nil {
		return nil, err
	}
	if err := k.putEngagement(doc); err != nil {
		return nil, err
	}
	return k.readEngagement(engagement)
}

// destroyedOrNil refuses keys that were destroyed, or are about to be.
func (k *Keyring) destroyedOrNil(engagement id.Engagement) error {
	k.mu.RLock()
	ordered := k.ordered[engagement]
	k.mu.RUnlock()
	if ordered {
		return (&Destruction{Engagement: engagement}).refusal()
	}
	t, err := k.tombstone(engagement)
	if err == nil && t != nil {
		err = t.refusal()
	}
	return err
}

// lock takes the store's lock, and then knows the newest root.
func (k *Keyring) lock() (unlock func(), err error) {
	for _, sub := range storeDirs {
		if err := os.MkdirAll(filepath.Join(k.dir, sub), 0o700); err != nil {
			return nil, fmt.Errorf("key store: %w", err)
		}
	}
	unlock, err = lockStore(k.dir)
	if err != nil {
		return nil, err
	}
	if err := k.reread(); err != nil {
		unlock()
		return nil, err
	}
	return unlock, nil
}

// makeEngagement makes the engagement's file. k.making is held.
func (k *Keyring) makeEngagement(engagement id.Engagement) (*engagementKeys, error) {
	if _, err := os.Stat(filepath.Join(k.dir, engagementsDir)); err != nil {
		return nil, fileProblem(filepath.Join(k.dir, engagementsDir), err)
	}
	unlock, err := k.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	// What is on disk counts, whoever wrote it.
	if keys, err := k.load(engagement, true); !errors.Is(err, fs.ErrNotExist) {
		return keys, err
	}
	doc := engagementDoc{Version: version, Engagement: engagement, RootID: k.own.Load().root.id}
	if err := doc.make(k.own.Load().root); err != nil {
		return nil, err
	}
	if err := writeJSON(k.file(engagementsDir, engagement), doc); err != nil {
		return nil, fmt.Errorf("make engagement key: %w", err)
	}
	if err := k.mark(engagement); err != nil {
		return nil, err
	}
	return k.readEngagement(engagement)
}

// mark notes that the engagement has keys, so that they are missed if they go.
func (k *Keyring) mark(engagement id.Engagement) error {
	path := k.file(madeDir, engagement)
	if _, err := os.Lstat(path); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("note that an engagement has keys: %w", err)
	}
	if err := writeOnce(path, nil); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("note that an engagement has keys: %w", err)
	}
	return nil
}

// putEngagement replaces the engagement's file. The store's lock is held.
func (k *Keyring) putEngagement(doc engagementDoc) error {
	doc.RootID = k.own.Load().root.id
	if err := replaceJSON(k.file(engagementsDir, doc.Engagement), doc); err != nil {
		return fmt.Errorf("replace engagement key: %w", err)
	}
	return k.mark(doc.Engagement)
}

// current reads the engagement's file; if it is wrapped under a root that this process has
// not seen yet, after it has looked for one. k.making is held.
func (k *Keyring) current(engagement id.Engagement) (*engagementKeys, error) {
	keys, err := k.readEngagement(engagement)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && k.reread() == nil {
		keys, err = k.readEngagement(engagement)
	}
	return keys, err
}

func (k *Keyring) readEngagement(engagement id.Engagement) (*engagementKeys, error) {
	path := k.file(engagementsDir, engagement)
	var keys *engagementKeys
	at, err := readWhole(path, func() error {
		var doc engagementDoc
		if err := readJSON(path, &doc); err != nil {
			return err
		}
		if doc.Version < 1 || doc.Version > version || doc.Engagement != engagement {
			return errDamaged(path, fmt.Errorf("version %d, engagement %q", doc.Version, doc.Engagement))
		}
		o := k.own.Load()
		var err error
		if keys, err = openEngagement(o.root, doc); err != nil && o.before != nil {
			keys, err = openEngagement(o.before, doc)
		}
		if err != nil {
			return errDamaged(path, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	keys.seen = at
	return keys, nil
}

func openEngagement(root *rootKey, doc engagementDoc) (*engagementKeys, error) {
	keys := &engagementKeys{doc: doc}
	for use, into := range map[string]*tink.AEAD{useData: &keys.data, useDocuments: &keys.documents, useCache: &keys.cache} {
		box := *doc.sealed()[use]
		if box == nil && doc.Version == 1 {
			continue
		}
		var err error
		if *into, err = openAEAD(root, box, doc.what(use)...); err != nil {
			return nil, err
		}
	}
	h, err := unwrap(root, doc.Codes, doc.what(useCodes)...)
	if err != nil {
		return nil, err
	}
	for i := range h.Len() {
		entry, err := h.Entry(i)
		if err != nil {
			return nil, err
		}
		s, err := sivOf(entry)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			keys.base = s
		}
		c := codeKey{s, s.bind(purpose("code", string(doc.Engagement)))}
		if i == h.Len()-1 && !entry.IsPrimary() {
			return nil, errors.New("the newest key of the codes is not the one that encrypts")
		}
		keys.codes = append([]codeKey{c}, keys.codes...)
	}
	return keys, nil
}

func sivOf(entry *keyset.Entry) (*siv, error) {
	key, ok := entry.Key().(*aessiv.Key)
	if !ok || len(key.OutputPrefix()) != 0 {
		return nil, errors.New("not an AES-SIV key without prefix")
	}
	return newSIV(key.KeyBytes().Data(insecuresecretdataaccess.Token{}))
}

// refresh takes up what became of an engagement's file. k.making is held.
func (k *Keyring) refresh(e *EngagementKey) error {
	keys := e.now.Load()
	if keys == nil {
		return nil
	}
	now, err := look(k.file(engagementsDir, e.engagement))
	if err == nil && keys.seen.same(now) {
		return nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		if _, dirErr := os.Stat(filepath.Join(k.dir, engagementsDir)); dirErr != nil {
			return fmt.Errorf("the key store is away: %w", dirErr) // and nothing is known of the key
		}
		k.forget(e)
		if t, tombErr := k.tombstone(e.engagement); tombErr != nil || t == nil {
			return errors.Join(errMissing(e.engagement), tombErr)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at engagement key: %w", err)
	}
	next, err := k.current(e.engagement)
	if err != nil {
		if IsDestroyed(k.destroyedOrNil(e.engagement)) { // while it was read
			k.forget(e)
			return nil
		}
		return err
	}
	e.now.Store(next)
	return nil
}

// forget ends the use of keys that are destroyed or gone.
func (k *Keyring) forget(e *EngagementKey) {
	e.now.Store(nil)
	k.mu.Lock()
	if k.engagements[e.engagement] == e {
		delete(k.engagements, e.engagement)
	}
	k.mu.Unlock()
}

// Engagement is whose keys these are.
func (e *EngagementKey) Engagement() id.Engagement { return e.engagement }

// Err says why the keys do nothing: they were destroyed, or are gone; nil where
// they work.
func (e *EngagementKey) Err() error {
	_, err := e.keys()
	return err
}

// CodeGeneration counts how often the engagement's codes were begun anew: what
// remembers codes must forget them when it rises.
func (e *EngagementKey) CodeGeneration() int {
	keys, err := e.keys()
	if err != nil {
		return 0
	}
	return len(keys.codes)
}

func (e *EngagementKey) keys() (*engagementKeys, error) {
	if e == nil {
		return nil, errNoKey
	}
	if keys := e.now.Load(); keys != nil {
		return keys, nil
	}
	if e.ring == nil {
		return nil, errNoKey
	}
	if err := e.ring.destroyedOrNil(e.engagement); err != nil {
		return nil, err
	}
	return nil, errMissing(e.engagement)
}

// sealer is one of the keysets that seal.
func (e *EngagementKey) sealer(pick func(*engagementKeys) tink.AEAD) *Sealer {
	return &Sealer{
		now: func() (tink.AEAD, error) {
			keys, err := e.keys()
			if err != nil {
				return nil, err
			}
			a := pick(keys)
			if a == nil {
				return nil, errNoKey
			}
			return a, nil
		},
		again: func() bool {
			if e.ring == nil {
				return false
			}
			e.ring.making.Lock()
			defer e.ring.making.Unlock()
			was := e.now.Load()
			return e.ring.refresh(e) == nil && e.now.Load() != was
		},
	}
}

// Seal seals plain under the engagement's key. aad is not stored; the same must
// be given to Open, and should say what plain is and where it belongs.
func (e *EngagementKey) Seal(plain, aad []byte) ([]byte, error) {
	return e.sealer(func(k *engagementKeys) tink.AEAD { return k.data }).Seal(plain, aad)
}

// Open opens what Seal made with the same aad.
func (e *EngagementKey) Open(box, aad []byte) ([]byte, error) {
	return e.sealer(func(k *engagementKeys) tink.AEAD { return k.data }).Open(box, aad)
}

// Documents seals what is stored for the engagement alone.
func (e *EngagementKey) Documents() *Sealer {
	return e.sealer(func(k *engagementKeys) tink.AEAD { return k.documents })
}

// Cache seals what is kept of the engagement for a while.
func (e *EngagementKey) Cache() *Sealer {
	return e.sealer(func(k *engagementKeys) tink.AEAD { return k.cache })
}

// Tokens makes opaque tokens that nobody opens once the keys are destroyed.
func (e *EngagementKey) Tokens() *Tokens { return &Tokens{sealer: e.Cache()} }

// Index gives 128 keyed bits for value: the same for the same label and value,
// unrelated to everything else, and meaningless without the engagement's key.
// It is how something sealed is found again, so rotation does not change it. It
// is zero where the keys do nothing: ask Err.
func (e *EngagementKey) Index(label string, value []byte) [16]byte {
	keys, err := e.keys()
	if err != nil {
		return [16]byte{}
	}
	ad := keys.base.bind(purpose("index", string(e.engagement), label))
	w := keys.base.scratch()
	defer keys.base.done(w)
	keys.base.s2v(w, &ad, value)
	return w.tag
}

// Derive gives 32 bytes for a use that has a key of its own: a pseudo-random
// function of the label under the engagement's key, in counter mode (NIST SP
// 800-108r1 section 4.1, on S2V). They are gone with the engagement's key, and
// rotation does not change them. Where the keys do nothing it gives nil.
func (e *EngagementKey) Derive(label string) []byte {
	if e.Err() != nil {
		return nil
	}
	one, two := e.Index("derive/"+label, []byte{1}), e.Index("derive/"+label, []byte{2})
	if one == [16]byte{} || two == [16]byte{} { // destroyed between
		return nil
	}
	return append(one[:], two[:]...)
}

func errMissing(engagement id.Engagement) error {
	return problem.New(problem.Unavailable, fmt.Sprintf("the keys of engagement %q were made, and are not in the key store", string(engagement)),
		"Restore the key store from its newest backup: sallyport key restore-store. New keys would make every code that was given out unreadable")
}

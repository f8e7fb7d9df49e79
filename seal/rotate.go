package seal

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tink-crypto/tink-go/v2/key"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
)

// Rotation says how far an engagement's keys are to be rotated: counts, not
// steps, so that to ask twice, or from two machines, does it once.
type Rotation struct {
	// Keys is how often the keysets of data, documents and cache have got a new
	// key. What was sealed under the older ones opens as before.
	Keys int
	// Codes is how often codes were begun anew. A code that was given out stays
	// reversible; the same patient gets another code from here on, which breaks
	// the vendor's own links between old releases and new ones.
	Codes int
}

// maxRotations bounds the keys of one keyset, all of which are tried.
const maxRotations = 1000

// Rotate brings an engagement's keys to r. An engagement without keys gets none.
func (k *Keyring) Rotate(engagement id.Engagement, r Rotation) error {
	if r.Keys > maxRotations || r.Codes > maxRotations {
		return problem.New(problem.Conflict, fmt.Sprintf("the keys of engagement %q were rotated %d times, which is all that one file can hold", string(engagement), maxRotations),
			"Go on with the keys as they are, or begin a new engagement")
	}
	if err := id.Check(engagement); err != nil {
		return fmt.Errorf("rotate engagement key: %w", err)
	}
	k.making.Lock()
	defer k.making.Unlock()
	if e := k.held(engagement); e != nil {
		if keys := e.now.Load(); keys != nil && keys.doc.Rotations >= r.Keys && len(keys.codes) > r.Codes {
			return nil
		}
	}
	unlock, err := k.lock()
	if err != nil {
		return err
	}
	defer unlock()
	keys, err := k.load(engagement, true)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	doc, root := keys.doc, k.own.Load().root
	for use, box := range doc.sealed() {
		if *box, err = k.grow(root, *box, r.Keys-keys.doc.Rotations, sealerParams, doc.what(use)...); err != nil {
			return err
		}
	}
	doc.Rotations = max(doc.Rotations, r.Keys)
	if doc.Codes, err = k.grow(root, doc.Codes, r.Codes+1-len(keys.codes), codeParams, doc.what(useCodes)...); err != nil {
		return err
	}
	if err := k.putEngagement(doc); err != nil {
		return err
	}
	if e := k.held(engagement); e != nil {
		return k.refresh(e)
	}
	return nil
}

// grow adds n keys to a wrapped keyset, and wraps it under the newest root.
func (k *Keyring) grow(root *rootKey, wrapped []byte, n int, params func() (key.Parameters, error), what ...string) ([]byte, error) {
	h, err := unwrap(root, wrapped, what...)
	if before := k.own.Load().before; err != nil && before != nil {
		h, err = unwrap(before, wrapped, what...)
	}
	if err != nil {
		return nil, err
	}
	for range n {
		if h, err = addKey(keyset.NewManagerFromHandle(h), params); err != nil {
			return nil, err
		}
	}
	return wrap(root, h, what...)
}

// rootBefore is how a rotation of the root is crossed: whoever knows one of the
// two roots gets the other, until the rotation is finished.
type rootBefore struct {
	Root   rootParams `json:"root"`
	RootID string     `json:"root_id"`
	Key    []byte     `json:"key"`    // the root before, under the root of now
	Bridge []byte     `json:"bridge"` // the root of now, under the root before
}

// RetiredRoot is a root that no longer opens the keyring. Copies of the key store
// from its time open under it, as long as it exists anywhere.
type RetiredRoot struct {
	ID        string    `json:"id"`                // its fingerprint
	Kind      string    `json:"kind"`              // "file", "passphrase" or "service"
	Service   string    `json:"service,omitempty"` // its URL
	RetiredAt time.Time `json:"retired_at"`
}

func (b *rootBefore) open(now *rootKey) (*rootKey, error) {
	raw, err := now.Decrypt(b.Key, purpose("root-before", b.RootID))
	if err != nil {
		return nil, fmt.Errorf("unwrap the root before: %w", err)
	}
	return newRootKey(raw)
}

// cross gives the root of now to who has the root before.
func (b *rootBefore) cross(before *rootKey) (*rootKey, error) {
	raw, err := before.Decrypt(b.Bridge, purpose("root-bridge", b.RootID))
	if err != nil {
		return nil, fmt.Errorf("cross from the root before: %w", err)
	}
	return newRootKey(raw)
}

// RotateRoot puts every key under another root. It returns when all is re-wrapped;
// until Finish both roots open the keyring, so that other processes that share it
// go on, and those that call Refresh meanwhile need not be started again. The
// owner's key, and what other keys can open, does not change.
//
// A rotation that was broken off is taken up by the next RotateRoot, with the
// root that it had begun to rotate to.
func (k *Keyring) RotateRoot(to Root) error {
	if to == nil {
		return errNoRoot
	}
	if f, ok := to.(keyFile); ok && f.path == "" {
		var b [4]byte
		rand.Read(b[:])
		f.name = "root-" + hex.EncodeToString(b[:]) + ".key"
		to = f
	}
	k.making.Lock()
	defer k.making.Unlock()
	unlock, err := k.lock()
	if err != nil {
		return err
	}
	defer unlock()
	o := k.own.Load()
	if o.doc.Before != nil {
		return k.resume(to)
	}
	if err := k.mirrorThere(); err != nil {
		return err
	}
	params, next, err := to.create(k.dir)
	if err != nil {
		return err
	}
	if next.id == o.root.id {
		return problem.New(problem.Conflict, "this is the root that the keyring has", "Name another file, passphrase or key")
	}
	doc := o.doc
	doc.Version, doc.Root, doc.RootID = version, params, next.id
	doc.Before = &rootBefore{Root: o.doc.Root, RootID: o.root.id}
	if doc.Before.Key, err = next.Encrypt(o.root.raw(), purpose("root-before", o.root.id)); err != nil {
		return err
	}
	if doc.Before.Bridge, err = o.root.Encrypt(next.raw(), purpose("root-bridge", o.root.id)); err != nil {
		return err
	}
	if doc.Check, err = next.Encrypt(nil, purpose("check")); err != nil {
		return err
	}
	for what, box := range map[string]*[]byte{"owner": &doc.Owner, "documents": &doc.Documents, "tokens": &doc.Tokens} {
		if *box, err = rewrap(o.root, next, *box, what); err != nil {
			return err
		}
	}
	if err := replaceJSON(filepath.Join(k.dir, keyringFile), doc); err != nil {
		return fmt.Errorf("rotate root: %w", err)
	}
	if err := k.reread(); err != nil {
		return err
	}
	return k.rewrapAll()
}

// resume goes on with a rotation that was broken off.
func (k *Keyring) resume(to Root) error {
	o := k.own.Load()
	if f, ok := to.(keyFile); ok && f.path == "" {
		f.name = o.doc.Root.File
		to = f
	}
	key, err := to.open(k.dir, o.doc.Root)
	if err != nil || key.id != o.root.id {
		return problem.New(problem.Conflict, "a rotation to another root was begun and is not finished",
			"Finish it first: name the root that it rotates to").Because(err)
	}
	return k.rewrapAll()
}

// rewrapAll puts what keyring.json does not hold under the newest root. Both locks
// are held.
func (k *Keyring) rewrapAll() error {
	all, err := k.engagementsOnDisk()
	if err != nil {
		return err
	}
	for _, engagement := range all {
		// Keys whose destruction has begun get no new life, and their file may be
		// overwritten already.
		if t, err := k.tombstone(engagement); err != nil {
			return fmt.Errorf("rotate root: engagement %s: %w", engagement, err)
		} else if t != nil {
			continue
		}
		keys, err := k.readEngagement(engagement)
		if err != nil {
			return fmt.Errorf("rotate root: engagement %s: %w", engagement, err)
		}
		doc, o := keys.doc, k.own.Load()
		if doc.RootID == o.root.id {
			continue
		}
		for use, box := range doc.sealed() {
			if *box == nil {
				continue // version 1
			}
			if *box, err = k.grow(o.root, *box, 0, sealerParams, doc.what(use)...); err != nil {
				return err
			}
		}
		if doc.Codes, err = k.grow(o.root, doc.Codes, 0, codeParams, doc.what(useCodes)...); err != nil {
			return err
		}
		if err := k.putEngagement(doc); err != nil {
			return err
		}
	}
	g, err := k.generation()
	if err != nil || g == nil {
		return err
	}
	return k.putGeneration(g)
}

// engagementsOnDisk lists the engagements that have a file.
func (k *Keyring) engagementsOnDisk() (out []id.Engagement, err error) {
	entries, err := os.ReadDir(filepath.Join(k.dir, engagementsDir))
	if err != nil {
		return nil, fileProblem(filepath.Join(k.dir, engagementsDir), err)
	}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".json")
		if ok && id.Check(id.Engagement(name)) == nil {
			out = append(out, id.Engagement(name))
		}
	}
	return out, nil
}

// Finish ends a rotation of the root: from here on the root before opens nothing
// in this key store. A root file that the keyring itself named is overwritten and
// removed; one elsewhere is the caller's to destroy.
// at is the time of now. Where no rotation is under way it does nothing.
func (k *Keyring) Finish(at time.Time) (retired *RetiredRoot, err error) {
	k.making.Lock()
	defer k.making.Unlock()
	unlock, err := k.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	o := k.own.Load()
	if o.doc.Before == nil {
		return nil, k.tidy() // one that was broken off after its end may have left something
	}
	if err := k.rewrapAll(); err != nil { // a key that was made meanwhile is under the new root already
		return nil, err
	}
	doc, before := o.doc, o.doc.Before
	retired = &RetiredRoot{ID: before.RootID, Kind: before.Root.Kind, Service: before.Root.Service, RetiredAt: at.UTC()}
	doc.Before, doc.Retired = nil, append(slices.Clone(doc.Retired), *retired)
	if err := replaceJSON(filepath.Join(k.dir, keyringFile), doc); err != nil {
		return nil, fmt.Errorf("finish rotation: %w", err)
	}
	if err := k.reread(); err != nil {
		return nil, err
	}
	return retired, k.tidy()
}

// tidy removes what opens, or is, a root that was retired: root files of the
// keyring's own, and what an interrupted write left of keyring.json, in which the
// root before opens the one of now. Both locks are held.
func (k *Keyring) tidy() error {
	for _, dir := range []string{k.dir, filepath.Join(k.dir, engagementsDir)} {
		if err := sweep(dir, true); err != nil {
			return err
		}
	}
	o := k.own.Load()
	named, err := filepath.Glob(filepath.Join(k.dir, "root*.key"))
	if err != nil {
		return err
	}
	for _, path := range named {
		root, err := keyFile{path: path}.open("", rootParams{Kind: kindFile})
		if err != nil || root.id == o.root.id || !slices.ContainsFunc(o.doc.Retired, func(r RetiredRoot) bool { return r.ID == root.id }) {
			continue // not a root, or none that was retired
		}
		if err := shred(path); err != nil {
			return fmt.Errorf("remove the old root's file: %w", err)
		}
	}
	return nil
}

// Rotating reports whether a rotation of the root is begun and not finished.
func (k *Keyring) Rotating() bool { return k.own.Load().doc.Before != nil }

// ByOldRoot reports whether the keyring was opened with the root before, while a
// rotation is under way: when that is finished, the same root will not open it.
func (k *Keyring) ByOldRoot() bool { return k.byOld }

// RootKind is "file", "passphrase" or "service".
func (k *Keyring) RootKind() string { return k.own.Load().doc.Root.Kind }

// Retired lists the roots that were rotated away, oldest first.
func (k *Keyring) Retired() []RetiredRoot { return slices.Clone(k.own.Load().doc.Retired) }

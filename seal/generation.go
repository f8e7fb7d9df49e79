package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
)

// generationDoc is generation.json: the key under which the key store's own
// backups are sealed. It is in no backup. A destruction replaces it, and then
// nobody can read the backups from before. It opens with the root alone, so that
// a lost key store can be made again from its newest backup, the mirror's copy of
// this file, and the root.
type generationDoc struct {
	Version int        `json:"version"`
	Number  int        `json:"number"` // from 1
	Root    rootParams `json:"root"`
	RootID  string     `json:"root_id"`
	Key     []byte     `json:"key"` // under the root
	// BackedUpAt is when the newest backup under this key was made.
	BackedUpAt time.Time `json:"backed_up_at,omitzero"`
	Backup     string    `json:"backup_sha256,omitempty"`
}

// generation is an open generationDoc.
type generation struct {
	doc generationDoc
	raw func() []byte
}

func (d *generationDoc) what() []string { return []string{"generation", strconv.Itoa(d.Number)} }

func newGeneration(number int) *generation {
	key := make([]byte, rootSize)
	rand.Read(key) // never fails
	return &generation{generationDoc{Version: 1, Number: number}, func() []byte { return key }}
}

func (g *generation) aead() (cipher.AEAD, error) {
	block, err := aes.NewCipher(g.raw())
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// generation reads the store's; nil: it has none yet.
func (k *Keyring) generation() (*generation, error) {
	path := filepath.Join(k.dir, generationFile)
	doc, err := readGeneration(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	o := k.own.Load()
	raw, err := o.root.Decrypt(doc.Key, purpose(doc.what()...))
	if err != nil && o.before != nil {
		raw, err = o.before.Decrypt(doc.Key, purpose(doc.what()...))
	}
	if err != nil || len(raw) != rootSize {
		return nil, errDamaged(path, err)
	}
	return &generation{doc, func() []byte { return raw }}, nil
}

func readGeneration(path string) (doc generationDoc, err error) {
	_, err = readWhole(path, func() error {
		doc = generationDoc{}
		if err := readJSON(path, &doc); err != nil {
			return err
		}
		if doc.Version != 1 || doc.Number < 1 {
			return errDamaged(path, fmt.Errorf("version %d", doc.Version))
		}
		return nil
	})
	return doc, err
}

// putGeneration writes the generation under the newest root, here and in the
// mirror, and overwrites the one before. The store's lock is held.
func (k *Keyring) putGeneration(g *generation) error {
	if err := k.putGenerationIn(g, k.dir); err != nil || k.mirror == "" {
		return err
	}
	return k.putGenerationIn(g, k.mirror)
}

func (k *Keyring) putGenerationIn(g *generation, dir string) (err error) {
	o := k.own.Load()
	g.doc.Version, g.doc.Root, g.doc.RootID = 1, o.doc.Root, o.root.id
	if g.doc.Key, err = o.root.Encrypt(g.raw(), purpose(g.doc.what()...)); err != nil {
		return err
	}
	if err := replaceJSON(filepath.Join(dir, generationFile), g.doc); err != nil {
		return fmt.Errorf("replace the generation key in %s: %w", dir, err)
	}
	return nil
}

// mirrorThere wants the mirror's folder to be there, private and writable.
func (k *Keyring) mirrorThere() error {
	if k.mirror == "" {
		return nil
	}
	info, err := os.Stat(k.mirror)
	if err != nil {
		return fileProblem(k.mirror, err)
	}
	if !info.IsDir() {
		return problem.BadField("generation_mirror", k.mirror+" is not a folder", "Name a folder on another disk")
	}
	return private(k.mirror, info)
}

// backupHead is what a backup says in clear.
type backupHead struct {
	Format     string    `json:"format"`
	Generation int       `json:"generation"`
	Keyring    string    `json:"keyring"` // whose, by a keyed hash
	MadeAt     time.Time `json:"made_at"`
}

type backup struct {
	backupHead
	Sealed []byte `json:"sealed"` // AES-256-GCM under the generation key; the head is its associated data
}

const (
	backupFormat = "sallyport-key-store-backup/1"
	maxBackup    = 256 << 20
)

// Backup is what BackupStore made.
type Backup struct {
	Generation  int    `json:"generation"`
	Engagements int    `json:"engagements"`
	SHA256      string `json:"sha256"`
}

// BackupStore writes a backup of the key store: every key, still under the root,
// sealed once more under the generation key, which is not in it. When an
// engagement's keys are destroyed the generation key is replaced, and this backup
// can never be read again: then make a new one.
func (k *Keyring) BackupStore(w io.Writer, at time.Time) (Backup, error) {
	k.making.Lock()
	defer k.making.Unlock()
	unlock, err := k.lock()
	if err != nil {
		return Backup{}, err
	}
	defer unlock()
	if k.own.Load().doc.Before != nil {
		return Backup{}, problem.New(problem.Conflict, "a rotation of the root is under way", "Finish it first, then make the backup")
	}
	if err := k.mirrorThere(); err != nil {
		return Backup{}, err
	}
	g, err := k.generation()
	if err != nil {
		return Backup{}, err
	}
	if g == nil {
		if k.mirror != "" {
			if _, err := look(filepath.Join(k.mirror, generationFile)); !errors.Is(err, fs.ErrNotExist) {
				return Backup{}, problem.New(problem.Conflict, "the key store has no generation key, and its mirror has one",
					"Bring the key store back from its newest backup first: sallyport key restore-store")
			}
		}
		g = newGeneration(1)
	}
	files := map[string][]byte{}
	add := func(name string) error {
		content, err := readSecret(filepath.Join(k.dir, filepath.FromSlash(name)))
		files[name] = content
		return err
	}
	top, err := os.ReadDir(k.dir)
	if err != nil {
		return Backup{}, fileProblem(k.dir, err)
	}
	for _, e := range top {
		if storeFile(e.Name()) { // keyring.json, and the keys that sign releases
			if err := add(e.Name()); err != nil {
				return Backup{}, err
			}
		}
	}
	for _, dir := range storeDirs {
		entries, err := os.ReadDir(filepath.Join(k.dir, dir))
		if err != nil {
			return Backup{}, fileProblem(filepath.Join(k.dir, dir), err)
		}
		for _, e := range entries {
			if storeFile(dir + "/" + e.Name()) {
				// Keys that were destroyed, and whose file could not be removed yet, stay out:
				// the generation key is replaced once, and this one may be the new one.
				if dir == engagementsDir {
					if _, err := os.Lstat(filepath.Join(k.dir, destroyedDir, e.Name())); !errors.Is(err, fs.ErrNotExist) {
						continue
					}
				}
				if err := add(dir + "/" + e.Name()); err != nil {
					return Backup{}, err
				}
			}
		}
	}
	b := backup{backupHead: backupHead{Format: backupFormat, Generation: g.doc.Number, Keyring: k.name(), MadeAt: at.UTC().Truncate(time.Second)}}
	plain, err := json.Marshal(files)
	if err != nil {
		return Backup{}, err
	}
	aead, err := g.aead()
	if err != nil {
		return Backup{}, err
	}
	b.Sealed = aead.Seal(nil, nil, plain, b.aad())
	text, err := json.Marshal(b)
	if err != nil {
		return Backup{}, err
	}
	text = append(text, '\n')
	if len(text) > maxBackup {
		return Backup{}, problem.New(problem.TooLarge, "the key store is too large for one backup", "Report it to the makers of Sallyport: a key store of so many engagements was not foreseen")
	}
	// The key first: a backup whose key is not durable is none.
	sum := sha256.Sum256(text)
	out := Backup{Generation: g.doc.Number, SHA256: hex.EncodeToString(sum[:])}
	for name := range files {
		if strings.HasPrefix(name, engagementsDir+"/") {
			out.Engagements++
		}
	}
	g.doc.BackedUpAt, g.doc.Backup = b.MadeAt, out.SHA256
	if err := k.putGeneration(g); err != nil {
		return Backup{}, err
	}
	_, err = w.Write(text)
	return out, err
}

// name says which keyring it is, to who has it.
func (k *Keyring) name() string {
	index := k.owner.Index("seal/keyring", nil)
	return hex.EncodeToString(index[:8])
}

func (b *backup) aad() []byte {
	return purpose("backup", strconv.Itoa(b.Generation), b.Keyring, strconv.FormatInt(b.MadeAt.Unix(), 10))
}

// releaseName is the name of a generation of the key that signs releases.
var releaseName = regexp.MustCompile(`^(release|credential)-[1-9][0-9]?\.json$`)

// storeFile reports whether a name, with slashes, is one of a key store's.
func storeFile(name string) bool {
	if name == keyringFile || releaseName.MatchString(name) {
		return true
	}
	dir, file, ok := strings.Cut(name, "/")
	if !ok {
		return false
	}
	switch dir {
	case "":
		return false
	case engagementsDir, destroyedDir:
		file, ok = strings.CutSuffix(file, ".json")
		return ok && id.Check(id.Engagement(file)) == nil
	case madeDir:
		return id.Check(id.Engagement(file)) == nil
	}
	return false
}

// Restored is what RestoreStore did.
type Restored struct {
	Generation int      `json:"generation"`
	Written    []string `json:"written"`             // names in the key store
	Kept       int      `json:"kept"`                // files that were there, which it leaves alone
	Destroyed  []string `json:"destroyed,omitempty"` // engagements that it did not bring back
}

// RestoreStore brings back what is missing in the key store in dir from a backup
// that BackupStore made. It needs the generation key of that backup, which is in
// the key store or in its mirror and nowhere else, and the root. It replaces
// nothing, and an engagement whose keys were destroyed stays without.
func RestoreStore(dir, mirror string, root Root, from io.Reader) (Restored, error) {
	text, err := io.ReadAll(io.LimitReader(from, maxBackup+1))
	if err != nil {
		return Restored{}, fmt.Errorf("read backup: %w", err)
	}
	b, err := parseBackup(text)
	if err != nil {
		return Restored{}, err
	}
	g, err := generationFor(dir, mirror, root, b)
	if err != nil {
		return Restored{}, err
	}
	aead, err := g.aead()
	if err != nil {
		return Restored{}, err
	}
	plain, err := aead.Open(nil, nil, b.Sealed, b.aad())
	if err != nil {
		return Restored{}, errBackup(err)
	}
	var files map[string][]byte
	if err := json.Unmarshal(plain, &files); err != nil {
		return Restored{}, errBackup(err)
	}
	for name := range files {
		if !storeFile(name) {
			return Restored{}, errBackup(fmt.Errorf("it holds a file of another kind"))
		}
	}
	if root == nil || len(files[keyringFile]) == 0 {
		return Restored{}, errBackup(errors.New("it holds no keyring"))
	}
	for _, sub := range storeDirs {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return Restored{}, fmt.Errorf("restore key store: %w", err)
		}
	}
	unlock, err := lockStore(dir)
	if err != nil {
		return Restored{}, err
	}
	defer unlock()
	out, err := restoreFiles(dir, g, files)
	if err != nil {
		return out, err
	}
	return out, settleRoot(dir, root)
}

func restoreFiles(dir string, g *generation, files map[string][]byte) (Restored, error) {
	out := Restored{Generation: g.doc.Number}
	put := func(name string, content []byte) error {
		err := writeOnce(filepath.Join(dir, filepath.FromSlash(name)), content)
		if errors.Is(err, fs.ErrExist) {
			out.Kept++
			return nil
		}
		if err == nil {
			out.Written = append(out.Written, name)
		}
		return err
	}
	// What is destroyed comes first, so that it is never there without.
	for _, sub := range []string{destroyedDir, madeDir, "", engagementsDir} {
		for name, content := range files {
			if at, _, ok := strings.Cut(name, "/"); ok != (sub != "") || ok && at != sub {
				continue
			}
			if sub == engagementsDir {
				engagement := strings.TrimSuffix(strings.TrimPrefix(name, engagementsDir+"/"), ".json")
				if _, err := os.Lstat(filepath.Join(dir, destroyedDir, engagement+".json")); err == nil {
					out.Destroyed = append(out.Destroyed, engagement)
					continue
				}
			}
			if err := put(name, content); err != nil {
				return out, fmt.Errorf("restore %s: %w", name, err)
			}
		}
	}
	text, err := json.MarshalIndent(g.doc, "", "  ")
	if err != nil {
		return out, err
	}
	return out, put(generationFile, append(text, '\n'))
}

func parseBackup(text []byte) (*backup, error) {
	if len(text) > maxBackup {
		return nil, errBackup(errors.New("it is too long"))
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	b := new(backup)
	if err := d.Decode(b); err != nil {
		return nil, errBackup(err)
	}
	if b.Format != backupFormat || b.Generation < 1 {
		return nil, errBackup(errors.New("it has another form"))
	}
	return b, nil
}

// generationFor finds the generation key of a backup.
func generationFor(dir, mirror string, root Root, b *backup) (*generation, error) {
	if root == nil {
		return nil, errNoRoot
	}
	newest := 0
	for _, at := range []string{dir, mirror} {
		if at == "" {
			continue
		}
		doc, err := readGeneration(filepath.Join(at, generationFile))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		newest = max(newest, doc.Number)
		if doc.Number != b.Generation {
			continue
		}
		key, err := openRestored(dir, root, doc.Root)
		if err != nil {
			return nil, err
		}
		raw, err := key.Decrypt(doc.Key, purpose(doc.what()...))
		if err != nil || len(raw) != rootSize {
			return nil, problem.BadField("keyring.root", "this is not the root that the generation key is under", "Give the root of the key store").Because(err)
		}
		return &generation{doc, func() []byte { return raw }}, nil
	}
	switch {
	case newest == 0:
		return nil, problem.New(problem.Unavailable, "the generation key of the backup is neither in the key store nor in its mirror",
			"Mount the folder that generation_mirror names. Without the generation key no backup of the key store can be read")
	case newest > b.Generation:
		return nil, problem.New(problem.Unavailable, fmt.Sprintf("the backup is of generation %d, whose key was destroyed; the key store is at generation %d", b.Generation, newest),
			"Use a backup that was made since the last destruction. This one can never be read again: that is what the destruction was for")
	}
	return nil, problem.New(problem.Unavailable, fmt.Sprintf("the backup is of generation %d, and the generation key that was found is older (%d)", b.Generation, newest),
		"Look for the newest generation.json: in the key store or in its mirror")
}

func errBackup(err error) error {
	return problem.New(problem.Invalid, "this is not a whole backup of a key store", "Use a file that `sallyport key backup-store` wrote, unchanged").Because(err)
}

// openRestored opens a root by the parameters of its time, or as the key file that
// RestoreRoot has made of it since.
func openRestored(dir string, root Root, p rootParams) (*rootKey, error) {
	key, err := root.open(dir, p)
	if _, ok := root.(keyFile); ok && err != nil {
		if restored, fileErr := root.open(dir, rootParams{Kind: kindFile}); fileErr == nil {
			return restored, nil
		}
	}
	return key, err
}

// settleRoot has keyring.json name the root that opens it, where that has become a
// key file. The store's lock is held.
func settleRoot(dir string, root Root) error {
	path := filepath.Join(dir, keyringFile)
	var doc keyringDoc
	if err := readJSON(path, &doc); err != nil {
		return err
	}
	if _, err := root.open(dir, doc.Root); err == nil {
		return nil
	}
	key, err := openRestored(dir, root, doc.Root)
	if err != nil {
		return err
	}
	if _, err := key.Decrypt(doc.Check, purpose("check")); err != nil {
		return problem.BadField("keyring.root", "this is not the root of the keyring in the backup", "Give the root of that time").Because(err)
	}
	doc.Root = rootParams{Kind: kindFile}
	return replaceJSON(path, doc)
}

// BackupState says how the key store's backups stand.
type BackupState struct {
	Generation int       `json:"generation"` // 0: there never was a backup
	BackedUpAt time.Time `json:"backed_up_at,omitzero"`
	SHA256     string    `json:"sha256,omitempty"`
}

// Backups says which generation the store is at, and when it was backed up under
// it: never, if the last backup is older than the last destruction.
func (k *Keyring) Backups() (BackupState, error) {
	doc, err := readGeneration(filepath.Join(k.dir, generationFile))
	if errors.Is(err, fs.ErrNotExist) {
		return BackupState{}, nil
	}
	return BackupState{doc.Number, doc.BackedUpAt, doc.Backup}, err
}

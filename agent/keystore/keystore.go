// Package keystore keeps the private keys and secrets of a vendor's machine: in
// its TPM 2.0 where there is one, else in encrypted files.
//
// A key in a TPM cannot be copied off the machine: the folder then holds blobs
// that only that TPM can load. A key in an encrypted file can be copied by who
// has the file and what opens it. The organisation's record says which it is, and
// it is what this machine says of itself unless the TPM has attested it.
//
// The keychains of macOS (Security framework) and Windows (CNG) need C or system
// DLLs that a build without C does not reach; on those systems keys are in
// encrypted files, or, on Windows, in the TPM through TBS, which was compiled
// but not tested. So Kind never says "os" today.
//
// A store is made once and is of one kind for good: where the TPM does not answer
// later, the keys are not available, and nothing takes their place.
package keystore

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/sallyport/sallyport/internal/secretfile"
	"github.com/sallyport/sallyport/problem"
)

// Kind says where keys are. The words are those of snapshot.Device.KeyStore.
type Kind string

// The kinds.
const (
	TPM  Kind = "tpm"  // TPM 2.0: keys cannot leave the machine
	OS   Kind = "os"   // the operating system's key store; not in this build
	File Kind = "file" // files, encrypted under a passphrase or a key file
)

// Options say how to make or open a store.
type Options struct {
	// TPM is the device (/dev/tpmrm0) or the Unix socket of a TPM 2.0. Empty: the
	// system's, where there is one.
	TPM string
	// Passphrase protects a store of files. Empty: a key file beside them, which
	// protects copies of the folder that lack it and no more.
	Passphrase []byte
}

// Store holds keys and secrets by name. It is safe for concurrent use.
type Store struct {
	dir    string
	record record
	wrap   []byte // opens the secrets: 32 bytes
	tpm    *chip  // nil: a store of files

	mu sync.Mutex // one writer at a time
}

// record is the file store.json: how to open the rest.
type record struct {
	Version    int    `json:"version"`
	Kind       Kind   `json:"kind"`
	Device     string `json:"device,omitempty"`     // tpm: as Options.TPM
	Sealed     *blob  `json:"sealed,omitempty"`     // tpm: the wrapping key
	Salt       []byte `json:"salt,omitempty"`       // file: of PBKDF2, where there is a passphrase
	Iterations int    `json:"iterations,omitempty"` // file: of PBKDF2
}

const (
	recordFile  = "store.json"
	keyFile     = "store.key"
	version     = 1
	wrapLen     = 32
	maxFile     = 64 << 10
	secretExt   = ".secret"
	keyExt      = ".tpmkey"
	tempExt     = ".new"
	derivations = 600_000 // PBKDF2-HMAC-SHA-256; NIST SP 800-132 leaves the count to us
)

// Create makes a store in dir, a new folder. want "" takes the TPM where one
// answers, and files otherwise; why then says what was wrong with the TPM.
func Create(dir string, want Kind, o Options) (s *Store, why error, err error) {
	switch want {
	case "", TPM, File:
	case OS:
		return nil, nil, problem.BadField("key-store", "the operating system's key store is not in this build", "Use tpm or file")
	default:
		return nil, nil, problem.BadField("key-store", "is not a kind of key store", "Use tpm or file")
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !unfinished(dir, err) {
		return nil, nil, problem.BadField("dir", dir+" cannot be made, or holds keys", "Name a new folder; keys are never overwritten").Because(err)
	}
	s = &Store{dir: dir, record: record{Version: version}, wrap: make([]byte, wrapLen)}
	if _, err := rand.Read(s.wrap); err != nil {
		return nil, nil, fmt.Errorf("draw a key: %w", err)
	}
	if want != File {
		if why = s.createTPM(o); why == nil {
			return s, nil, s.writeRecord()
		}
		if want == TPM {
			return nil, nil, errors.Join(problem.New(problem.Unavailable, "There is no TPM 2.0 here that can be used",
				"Check that /dev/tpmrm0 exists and that you may use it (group tss), or choose --key-store file").Because(why), os.Remove(dir))
		}
	}
	s.record.Kind = File
	if len(o.Passphrase) > 0 {
		s.record.Salt, s.record.Iterations = make([]byte, 16), derivations
		if _, err := rand.Read(s.record.Salt); err != nil {
			return nil, nil, fmt.Errorf("draw a salt: %w", err)
		}
		if s.wrap, err = pbkdf2.Key(sha256.New, string(o.Passphrase), s.record.Salt, derivations, wrapLen); err != nil {
			return nil, nil, fmt.Errorf("derive a key: %w", err)
		}
	} else if err := s.write(keyFile, s.wrap); err != nil {
		return nil, nil, err
	}
	// Opening proves the passphrase by this.
	if err := s.Put("check", []byte("check")); err != nil {
		return nil, nil, err
	}
	return s, why, s.writeRecord()
}

// unfinished reports whether dir is what a Create left that was killed: the record
// is written last, and nothing else is put into a store before.
func unfinished(dir string, err error) bool {
	if !errors.Is(err, fs.ErrExist) {
		return false
	}
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() || info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" {
		return false
	}
	_, err = os.Stat(filepath.Join(dir, recordFile))
	return errors.Is(err, fs.ErrNotExist)
}

// Open opens a store that Create made.
func Open(dir string, o Options) (*Store, error) {
	s := &Store{dir: dir}
	raw, err := s.read(recordFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, problem.BadField("dir", dir+" holds no keys", "Enrol first: sallyport agent enroll, or name the folder with --dir").Because(err)
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(raw, &s.record); err != nil || s.record.Version != version {
		return nil, problem.BadField(filepath.Join(dir, recordFile), "cannot be read", "Restore the folder, or enrol again in a new one").Because(err)
	}
	switch s.record.Kind {
	case TPM:
		if o.TPM == "" {
			o.TPM = s.record.Device
		}
		if err := s.openTPM(o); err != nil {
			return nil, problem.New(problem.Unavailable, "The TPM that holds this machine's keys does not open them",
				"Check /dev/tpmrm0 and that you may use it; if the TPM was cleared or this is another machine, enrol again").Because(err)
		}
		return s, nil
	case File:
		return s, s.openFiles(o)
	}
	return nil, problem.BadField(filepath.Join(dir, recordFile), "names no kind of key store", "Restore the folder, or enrol again in a new one")
}

func (s *Store) openFiles(o Options) (err error) {
	if len(s.record.Salt) == 0 {
		if s.wrap, err = s.read(keyFile); err != nil || len(s.wrap) != wrapLen {
			return problem.BadField(filepath.Join(s.dir, keyFile), "cannot be used", "Restore it; without it the keys are lost, and you enrol again").Because(err)
		}
	} else {
		if len(o.Passphrase) == 0 {
			return problem.BadField("passphrase", "the keys are protected by a passphrase", "Give --passphrase-file, or set SALLYPORT_AGENT_PASSPHRASE_FILE")
		}
		if s.record.Iterations < 100_000 || s.record.Iterations > 100_000_000 {
			return problem.BadField(filepath.Join(s.dir, recordFile), "was changed", "Restore the folder")
		}
		if s.wrap, err = pbkdf2.Key(sha256.New, string(o.Passphrase), s.record.Salt, s.record.Iterations, wrapLen); err != nil {
			return fmt.Errorf("derive a key: %w", err)
		}
	}
	if _, err := s.Get("check"); err != nil {
		return problem.BadField("passphrase", "does not open the keys", "Give the passphrase, or the key file, that they were made with").Because(err)
	}
	return nil
}

// Kind is where the keys are.
func (s *Store) Kind() Kind { return s.record.Kind }

// Dir is the store's folder.
func (s *Store) Dir() string { return s.dir }

// Close lets go of the TPM.
func (s *Store) Close() error {
	if s.tpm == nil {
		return nil
	}
	return s.tpm.close()
}

// Make makes a P-256 signing key under a name that is not taken.
func (s *Store) Make(name string) (crypto.Signer, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if s.tpm != nil {
		return s.makeTPM(name)
	}
	return s.makeFile(name)
}

// Key is a signing key that Make made. It signs with SHA-256; the error of one
// that is not there is fs.ErrNotExist.
func (s *Store) Key(name string) (crypto.Signer, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if s.tpm != nil {
		return s.keyTPM(name)
	}
	return s.keyOfFile(name)
}

// Put keeps a secret, encrypted; what was there under the name is replaced.
func (s *Store) Put(name string, secret []byte) error {
	if err := checkName(name); err != nil {
		return err
	}
	aead, err := s.aead()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	// The name is bound in, so that two files cannot be swapped.
	return s.write(name+secretExt, aead.Seal(nil, nil, secret, []byte(name)))
}

// Get reads a secret.
func (s *Store) Get(name string) ([]byte, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	raw, err := s.read(name + secretExt)
	if err != nil {
		return nil, err
	}
	aead, err := s.aead()
	if err != nil {
		return nil, err
	}
	out, err := aead.Open(nil, nil, raw, []byte(name))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name+secretExt, err)
	}
	return out, nil
}

func (s *Store) aead() (cipher.AEAD, error) {
	block, err := aes.NewCipher(s.wrap)
	if err != nil {
		return nil, fmt.Errorf("use the wrapping key: %w", err)
	}
	return cipher.NewGCMWithRandomNonce(block) // SP 800-38D, 8.2.2: also in FIPS mode
}

// checkName keeps a name from being a path.
func checkName(name string) error {
	if name == "" || len(name) > 64 {
		return fmt.Errorf("a key's name has 1 to 64 letters, digits and '-'")
	}
	for _, c := range []byte(name) {
		if ('a' > c || c > 'z') && ('0' > c || c > '9') && c != '-' {
			return fmt.Errorf("a key's name has 1 to 64 letters, digits and '-'")
		}
	}
	return nil
}

func (s *Store) writeRecord() error {
	raw, err := json.MarshalIndent(s.record, "", "  ")
	if err != nil {
		return fmt.Errorf("write the key store's record: %w", err)
	}
	return s.write(recordFile, raw)
}

// write puts a file in place whole or not at all.
func (s *Store) write(name string, data []byte) error {
	return WriteFile(filepath.Join(s.dir, name), data)
}

// WriteFile puts a file of the owner's alone in place, whole or not at all: a
// machine that loses power keeps the old one or has the new one.
func WriteFile(path string, data []byte) error {
	tmp := path + tempExt
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), errors.Join(err, os.Remove(tmp)))
	}
	if runtime.GOOS == "windows" {
		return nil // a folder cannot be synced there
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	return errors.Join(d.Sync(), d.Close())
}

// read reads a file that only its owner may read.
func (s *Store) read(name string) ([]byte, error) {
	path := filepath.Join(s.dir, name)
	raw, err := secretfile.Read(path, maxFile)
	var shared *secretfile.SharedError
	switch {
	case errors.As(err, &shared):
		return nil, problem.BadField(path, fmt.Sprintf("others may use this secret: its permissions are %04o", shared.Mode),
			"If nobody else has read it, run: chmod 600 "+path+". Otherwise enrol again in a new folder")
	case errors.Is(err, secretfile.ErrIrregular), errors.Is(err, secretfile.ErrLong):
		return nil, problem.BadField(path, "is not what was written there", "Restore the folder, or enrol again in a new one")
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return raw, nil
}

package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/sallyport/sallyport/problem"
)

// Root is what protects every other key: a key file, a passphrase or a key of a
// key service. The set is closed.
//
//sumtype:decl
type Root interface {
	// create makes the root where it does not exist yet, and the parameters
	// that open needs and that are no secret.
	create(dir string) (rootParams, *rootKey, error)
	open(dir string, p rootParams) (*rootKey, error)
}

// rootParams is what keyring.json says about the root.
type rootParams struct {
	Kind       string `json:"kind"`                 // "file", "passphrase" or "service"
	File       string `json:"file,omitempty"`       // file: its name in the keyring's directory, if not root.key
	KDF        string `json:"kdf,omitempty"`        // passphrase: "PBKDF2-HMAC-SHA256"
	Iterations int    `json:"iterations,omitempty"` //
	Salt       []byte `json:"salt,omitempty"`       //
	Service    string `json:"service,omitempty"`    // service: its URL, which holds no secret
	Wrapped    []byte `json:"wrapped,omitempty"`    // service: the root key, as the service encrypted it
}

const (
	rootFile   = "root.key"
	rootSize   = 32
	kindFile   = "file"
	kindPhrase = "passphrase"
	kindKMS    = "service"
	kdfName    = "PBKDF2-HMAC-SHA256"

	// SP 800-132 asks for a salt of 128 bits and as many iterations as can be
	// borne; 600,000 is OWASP's figure for SHA-256, and takes about .1 s.
	iterations    = 600_000
	minIterations = 1_000
	maxIterations = 50_000_000
	saltSize      = 32

	// MinPassphrase is the shortest passphrase, in bytes: an HMAC key under 112
	// bits is not approved (SP 800-131A section 10).
	MinPassphrase = 14
)

// KeyFile is a root key of 256 bits in a file that only its owner can read.
// An empty path means root.key in the keyring's directory; a path elsewhere
// keeps the key apart from what it protects, which is better. Create makes the
// file where there is none.
func KeyFile(path string) Root { return keyFile{path: path} }

// Passphrase is a root key derived from a passphrase, by PBKDF2 with
// HMAC-SHA256 (SP 800-132). Nothing of it is stored.
func Passphrase(phrase string) Root {
	return passphrase{phrase: func() string { return phrase }, iterations: iterations}
}

type keyFile struct {
	path string
	name string // in the keyring's directory, for one that takes another's place
}

func (r keyFile) at(dir string, p rootParams) string {
	switch {
	case r.path != "":
		return r.path
	case p.File != "" && filepath.IsLocal(p.File):
		return filepath.Join(dir, filepath.Base(p.File))
	}
	return filepath.Join(dir, rootFile)
}

func (r keyFile) create(dir string) (rootParams, *rootKey, error) {
	params := rootParams{Kind: kindFile, File: r.name}
	path := r.at(dir, params)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		key := make([]byte, rootSize)
		rand.Read(key) // never fails: crypto/rand
		// A loser of a race finds the winner's key, and uses it.
		if err := writeOnce(path, keyLine(key)); err != nil && !errors.Is(err, fs.ErrExist) {
			return rootParams{}, nil, fmt.Errorf("write root key: %w", err)
		}
	}
	// Whoever made it, it must survive a power cut before it wraps a key.
	if err := syncDir(filepath.Dir(path)); err != nil {
		return rootParams{}, nil, fmt.Errorf("make root key durable: %w", err)
	}
	key, err := r.open(dir, params)
	return params, key, err
}

func (r keyFile) open(dir string, p rootParams) (*rootKey, error) {
	if p.Kind != kindFile {
		return nil, errOtherKind(p.Kind)
	}
	path := r.at(dir, p)
	text, err := readSecret(path)
	if err != nil {
		return nil, err
	}
	key, err := base64.StdEncoding.Strict().DecodeString(strings.TrimSuffix(string(text), "\n"))
	if err != nil || len(key) != rootSize {
		// Neither the content nor the decoder's complaint, which quotes it.
		return nil, problem.BadField("keyring.root", fmt.Sprintf("%s is not a root key: it must hold %d bytes in base64 on one line", path, rootSize),
			"Restore the file from its backup. A new key cannot open what the old one sealed")
	}
	return newRootKey(key)
}

// keyLine is a key file's content.
func keyLine(key []byte) []byte {
	return []byte(base64.StdEncoding.EncodeToString(key) + "\n")
}

// passphrase holds the phrase in a closure: fmt looks into fields.
type passphrase struct {
	phrase     func() string
	iterations int
}

func (r passphrase) create(string) (rootParams, *rootKey, error) {
	if n := len(r.phrase()); n < MinPassphrase {
		return rootParams{}, nil, problem.BadField("keyring.root", fmt.Sprintf("the passphrase has %d bytes", n),
			fmt.Sprintf("Choose one of at least %d; six random words are good.", MinPassphrase))
	}
	salt := make([]byte, saltSize)
	rand.Read(salt)
	p := rootParams{Kind: kindPhrase, KDF: kdfName, Iterations: r.iterations, Salt: salt}
	key, err := r.open("", p)
	return p, key, err
}

func (r passphrase) open(_ string, p rootParams) (*rootKey, error) {
	if p.Kind != kindPhrase {
		return nil, errOtherKind(p.Kind)
	}
	if p.KDF != kdfName || p.Iterations < minIterations || p.Iterations > maxIterations || len(p.Salt) < 16 {
		return nil, errDamaged(keyringFile, errors.New("parameters of the passphrase"))
	}
	key, err := pbkdf2.Key(sha256.New, r.phrase(), p.Salt, p.Iterations, rootSize)
	if err != nil {
		return nil, fmt.Errorf("derive root key: %w", err)
	}
	return newRootKey(key)
}

// errOtherKind: the configuration says another kind of root than the keyring.
func errOtherKind(kind string) error {
	words := map[string]string{kindFile: "a key file", kindPhrase: "a passphrase", kindKMS: "a key service"}
	is, ok := words[kind]
	if !ok {
		return errDamaged(keyringFile, errors.New("a root of a kind that is not known"))
	}
	return problem.BadField("keyring.root", "this keyring is protected by "+is+", and something else was given",
		"Give "+is+": root_key in the configuration")
}

// rootKey wraps the other keys: AES-256-GCM with random nonces, in the form
// that the FIPS module approves. It wraps few enough keys for 96-bit nonces.
// It is a tink.AEAD.
type rootKey struct {
	silent
	gcm cipher.AEAD
	id  string        // its fingerprint
	raw func() []byte // in a closure: fmt looks into fields
}

func newRootKey(key []byte) (*rootKey, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	return &rootKey{gcm: gcm, id: fingerprint(key), raw: func() []byte { return key }}, nil
}

// fingerprint names a root key: 64 bits of a hash, in hexadecimal digits. The key
// has 256 random bits, or is derived at the cost of a passphrase, so the
// fingerprint gives nothing that the wrapped keys beside it do not.
func fingerprint(key []byte) string {
	h := sha256.New()
	h.Write(purpose("root-fingerprint"))
	h.Write(key)
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// Encrypt implements tink.AEAD.
func (k *rootKey) Encrypt(plain, ad []byte) ([]byte, error) {
	return k.gcm.Seal(nil, nil, plain, ad), nil
}

// Decrypt implements tink.AEAD.
func (k *rootKey) Decrypt(box, ad []byte) ([]byte, error) {
	return k.gcm.Open(nil, nil, box, ad)
}

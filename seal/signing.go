package seal

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/sallyport/sallyport/seal/sealed"
)

// ReleaseKey signs the manifests of sealed releases: ECDSA with P-256 and
// SHA-256. Vendors verify with its public half, long after the release. It is
// the organisation's, and no engagement's: what was signed stays signed when an
// engagement's keys are destroyed. It is safe for concurrent use.
type ReleaseKey struct {
	silent
	private *ecdsa.PrivateKey
	id      string
	public  []*ecdsa.PublicKey // of every generation, the newest first
}

// releaseDoc is release-N.json: one generation, made once and never changed. The
// highest N signs.
type releaseDoc struct {
	Version int    `json:"version"`
	ID      string `json:"id"`  // its thumbprint (RFC 7638)
	Key     []byte `json:"key"` // PKCS #8, sealed under the keyring's key for documents
}

const (
	releaseVersion = 1
	maxGenerations = 32
)

// The signing keys, by what they are for: a key of one purpose never opens as another's.
const (
	forReleases    = "release"
	forCredentials = "credential"
)

func (k *Keyring) signingFile(what string, n int) string {
	return filepath.Join(k.dir, fmt.Sprintf("%s-%d.json", what, n))
}

// ReleaseKey gives the key that signs releases, and makes it at first use. It is
// durable before it is returned. It reads files: keep what it returns.
func (k *Keyring) ReleaseKey() (*ReleaseKey, error) {
	return k.signing(forReleases)
}

// CredentialKey signs what says that a person passed something, such as badges: ECDSA
// with P-256 and SHA-256, and by another key than releases, so that neither can be
// taken for the other. It is made and kept as ReleaseKey is.
type CredentialKey struct{ *ReleaseKey }

// CredentialKey gives the key that signs credentials, and makes it at first use.
func (k *Keyring) CredentialKey() (CredentialKey, error) {
	key, err := k.signing(forCredentials)
	return CredentialKey{key}, err
}

func (k *Keyring) signing(what string) (*ReleaseKey, error) {
	key, n, err := k.signers(what)
	if err == nil && n == 0 {
		if err = k.makeSigner(what, 1); err == nil {
			key, _, err = k.signers(what)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s key: %w", what, err)
	}
	return key, nil
}

// RotateReleaseKey makes a new key, which signs from now on in processes that
// open the keyring or ask for the key again. The public halves of those before
// stay published, because what they signed must still verify.
func (k *Keyring) RotateReleaseKey() (*ReleaseKey, error) {
	_, n, err := k.signers(forReleases)
	if err == nil && n == maxGenerations {
		err = errors.New("too many generations")
	}
	if err == nil {
		err = k.makeSigner(forReleases, n+1)
	}
	if err != nil {
		return nil, fmt.Errorf("rotate release key: %w", err)
	}
	return k.ReleaseKey()
}

// signers reads every generation; n is how many there are.
func (k *Keyring) signers(what string) (*ReleaseKey, int, error) {
	var key ReleaseKey
	for n := 1; n <= maxGenerations; n++ {
		var doc releaseDoc
		err := readJSON(k.signingFile(what, n), &doc)
		if errors.Is(err, fs.ErrNotExist) {
			// Another process may have made the name and not yet synced it.
			return &key, n - 1, syncDir(k.dir)
		}
		if err != nil {
			return nil, 0, err
		}
		damaged := func(err error) (*ReleaseKey, int, error) { return nil, 0, errDamaged(k.signingFile(what, n), err) }
		if doc.Version != releaseVersion {
			return damaged(fmt.Errorf("version %d", doc.Version))
		}
		der, err := k.Documents().Open(doc.Key, purpose(what, doc.ID))
		if err != nil {
			return damaged(err)
		}
		parsed, err := x509.ParsePKCS8PrivateKey(der)
		clear(der)
		private, ok := parsed.(*ecdsa.PrivateKey)
		if err != nil || !ok {
			return damaged(errors.New("not a key")) // not the cause: it may quote
		}
		if kid, err := sealed.Thumbprint(&private.PublicKey); err != nil || kid != doc.ID {
			return damaged(errors.New("not the key that it says"))
		}
		key.private, key.id = private, doc.ID
		key.public = append([]*ecdsa.PublicKey{&private.PublicKey}, key.public...)
	}
	return &key, maxGenerations, syncDir(k.dir)
}

// makeSigner makes generation n. Who loses a race uses the winner's. It takes the
// store's lock, for who has that clears away files that are being written.
func (k *Keyring) makeSigner(what string, n int) error {
	unlock, err := lockStore(k.dir)
	if err != nil {
		return err
	}
	defer unlock()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	doc := releaseDoc{Version: releaseVersion}
	if doc.ID, err = sealed.Thumbprint(&private.PublicKey); err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return err
	}
	doc.Key, err = k.Documents().Seal(der, purpose(what, doc.ID))
	clear(der)
	if err != nil {
		return err
	}
	if err := writeJSON(k.signingFile(what, n), doc); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// KeyID implements sealed.Signer.
func (k *ReleaseKey) KeyID() string { return k.id }

// SignES256 implements sealed.Signer.
func (k *ReleaseKey) SignES256(data []byte) ([]byte, error) {
	if k == nil || k.private == nil {
		return nil, errNoKey
	}
	sum := sha256.Sum256(data)
	r, s, err := ecdsa.Sign(rand.Reader, k.private, sum[:])
	if err != nil {
		return nil, err
	}
	out := make([]byte, 64)
	r.FillBytes(out[:32])
	s.FillBytes(out[32:])
	return out, nil
}

// PublicKeys is the JWK Set with which vendors verify, every generation's key in it.
func (k *ReleaseKey) PublicKeys() ([]byte, error) { return sealed.MarshalKeys(k.public...) }

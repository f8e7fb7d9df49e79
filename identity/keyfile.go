package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/sallyport/sallyport/internal/secretfile"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

// maxPEM bounds what is read of a key or certificate file.
const maxPEM = 1 << 20

// KeyDigestOf is the digest by which a public key is registered.
func KeyDigestOf(pub crypto.PublicKey) (snapshot.KeyDigest, error) {
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return "", fmt.Errorf("digest a public key: %w", err)
	}
	return digestSPKI(der), nil
}

// digestSPKI is the digest of a SubjectPublicKeyInfo in DER.
func digestSPKI(der []byte) snapshot.KeyDigest {
	sum := sha256.Sum256(der)
	return snapshot.KeyDigest(hex.EncodeToString(sum[:]))
}

// strongKey reports whether a certificate's key is of a type and size that FIPS
// 186-5 approves and that this product accepts.
func strongKey(pub crypto.PublicKey) bool {
	switch k := pub.(type) {
	case *ecdsa.PublicKey:
		return k.Curve == elliptic.P256() || k.Curve == elliptic.P384() || k.Curve == elliptic.P521()
	case *rsa.PublicKey:
		return k.N.BitLen() >= 2048 && k.N.BitLen() <= 8192
	case ed25519.PublicKey:
		return true
	default:
		return false
	}
}

// WriteKey writes a private key as PKCS #8 in PEM, readable by its owner only.
// It never replaces a file: a key that is overwritten is lost.
func WriteKey(path string, key crypto.Signer) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("encode a private key: %w", err)
	}
	return writeNew(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
}

// ReadKey reads a private key that WriteKey wrote. A file that others may read
// is refused: a key that others could have read is not a secret.
func ReadKey(path string) (crypto.Signer, error) {
	data, err := readSecret(path)
	if err != nil {
		return nil, err
	}
	block, rest := pem.Decode(data)
	if block == nil || len(trimSpace(rest)) != 0 {
		return nil, problem.BadField(path, "It does not hold exactly one PEM block", "Put the one private key there, in PEM, as PKCS #8")
	}
	var key any
	switch block.Type {
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		return nil, problem.BadField(path, "Its PEM block is not a private key", `Convert the key to PKCS #8, unencrypted ("BEGIN PRIVATE KEY")`)
	}
	if err != nil {
		return nil, problem.BadField(path, "The private key in it cannot be read", "Convert the key to PKCS #8, unencrypted").Because(err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok || !strongKey(signer.Public()) {
		return nil, problem.BadField(path, "Its key is not of an accepted kind", "Use ECDSA on P-256 or P-384, or RSA of at least 2048 bits")
	}
	return signer, nil
}

// ReadOrMakeKey reads a private key, or makes one with so many bits where there
// is no file yet: for a key that nobody registers, such as that of Tokens.
func ReadOrMakeKey(path string, bits int) (crypto.Signer, error) {
	key, err := ReadKey(path)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	made, err := NewKey(bits)
	if err != nil {
		return nil, err
	}
	if err := WriteKey(path, made); err != nil {
		return nil, err
	}
	return made, nil
}

func trimSpace(b []byte) []byte {
	for len(b) > 0 && (b[0] == '\n' || b[0] == '\r' || b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	return b
}

// readSecret reads a file that only its owner may read.
func readSecret(path string) ([]byte, error) {
	raw, err := secretfile.Read(path, maxPEM)
	var shared *secretfile.SharedError
	switch {
	case errors.As(err, &shared):
		return nil, problem.BadField(path, fmt.Sprintf("Others may use this secret: its permissions are %04o", shared.Mode),
			fmt.Sprintf("If nobody else has read it, run: chmod 600 %s. Otherwise make a new key", path))
	case errors.Is(err, secretfile.ErrIrregular):
		return nil, problem.BadField(path, "It is not a regular file", "Name the file that holds the key")
	case errors.Is(err, secretfile.ErrLong):
		return nil, tooLarge(path)
	case err != nil:
		return nil, missing(path, err)
	}
	return raw, nil
}

// readPublic reads a file that need not be secret.
func readPublic(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, missing(path, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxPEM+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if len(data) > maxPEM {
		return nil, tooLarge(path)
	}
	return data, nil
}

func tooLarge(path string) error {
	return problem.BadField(path, "It is larger than 1 MiB", "Name a PEM file of keys or certificates")
}

func missing(path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return problem.BadField(path, "There is no such file", "Check the path, or create the file").Because(err)
	}
	return problem.BadField(path, "It cannot be opened", "Check who owns it and who may read it").Because(err)
}

// writeNew writes a file that must not exist yet, durably.
func writeNew(path string, data []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) {
		return problem.New(problem.Conflict, path+" exists already", "Move it away if it is no longer wanted; it will not be overwritten").Because(err)
	}
	if err != nil {
		return fmt.Errorf("create %s: %w", path, err)
	}
	// An umask can only narrow the mode; a surprising file system could widen it.
	err = errors.Join(f.Chmod(mode), write(f, data))
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, errors.Join(err, os.Remove(path)))
	}
	return syncDir(filepath.Dir(path))
}

func write(f *os.File, data []byte) error {
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Sync()
}

// syncDir makes a created or renamed entry durable. Windows cannot sync a
// directory and does not need to.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	return nil
}

// parseCertificates reads every certificate of a PEM file. Anything else in it
// is refused: a private key among public certificates is a leak.
func parseCertificates(path string, data []byte) ([]*x509.Certificate, error) {
	var certs []*x509.Certificate
	for len(trimSpace(data)) > 0 {
		block, rest := pem.Decode(data)
		if block == nil {
			break
		}
		data = rest
		if block.Type != "CERTIFICATE" {
			return nil, problem.BadField(path, "It holds something other than certificates", "Keep only CERTIFICATE blocks in it; a private key belongs in a file of its own")
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, problem.BadField(path, fmt.Sprintf("Its certificate number %d cannot be read", len(certs)+1), "Export the certificate again, in PEM").Because(err)
		}
		certs = append(certs, cert)
	}
	if len(certs) == 0 {
		return nil, problem.BadField(path, "It holds no certificate", "Put at least one certificate there, in PEM")
	}
	return certs, nil
}

package keystore

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/asn1"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"sync"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// blob is an object that only the TPM which made it can load.
type blob struct {
	Public  []byte `json:"public"`  // TPM2B_PUBLIC
	Private []byte `json:"private"` // TPM2B_PRIVATE, encrypted by the TPM
}

// chip is a TPM 2.0 with its storage key. The storage key is the TCG's standard
// one (ECC P-256, owner hierarchy), which a TPM derives anew from its seed, so
// nothing of ours has to stay in its little memory.
type chip struct {
	mu     sync.Mutex // a TPM does one thing at a time
	t      transport.TPMCloser
	parent tpm2.NamedHandle
	public tpm2.TPMTPublic // of the parent
}

func openChip(path string) (*chip, error) {
	t, err := openTransport(path)
	if err != nil {
		return nil, err
	}
	c := &chip{t: t}
	made, err := tpm2.CreatePrimary{PrimaryHandle: tpm2.TPMRHOwner, InPublic: tpm2.New2B(tpm2.ECCSRKTemplate)}.Execute(t)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make the storage key: %w", err), t.Close())
	}
	c.parent = tpm2.NamedHandle{Handle: made.ObjectHandle, Name: made.Name}
	public, err := made.OutPublic.Contents()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read the storage key: %w", err), c.close())
	}
	c.public = *public
	return c, nil
}

func (c *chip) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err := tpm2.FlushContext{FlushHandle: c.parent.Handle}.Execute(c.t)
	return errors.Join(err, c.t.Close())
}

// session authorises a use of the storage key. It is salted to that key and
// encrypts the first parameter, so that a listener on the wire between processor
// and TPM hears no secret.
func (c *chip) session(dir func() tpm2.AuthOption) tpm2.Session {
	return tpm2.HMAC(tpm2.TPMAlgSHA256, 16, tpm2.Salted(c.parent.Handle, c.public), dir())
}

func encryptIn() tpm2.AuthOption  { return tpm2.AESEncryption(128, tpm2.EncryptIn) }
func encryptOut() tpm2.AuthOption { return tpm2.AESEncryption(128, tpm2.EncryptOut) }

// attributes are those of everything that is kept: it cannot leave this TPM.
// Without a password there is nothing to guess, so the lockout for guessing does
// not apply (NoDA).
func attributes() tpm2.TPMAObject {
	return tpm2.TPMAObject{FixedTPM: true, FixedParent: true, UserWithAuth: true, NoDA: true}
}

func signingTemplate() tpm2.TPMTPublic {
	a := attributes()
	a.SensitiveDataOrigin, a.SignEncrypt = true, true
	return tpm2.TPMTPublic{
		Type: tpm2.TPMAlgECC, NameAlg: tpm2.TPMAlgSHA256, ObjectAttributes: a,
		Parameters: tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, &tpm2.TPMSECCParms{
			CurveID: tpm2.TPMECCNistP256,
			Scheme: tpm2.TPMTECCScheme{Scheme: tpm2.TPMAlgECDSA,
				Details: tpm2.NewTPMUAsymScheme(tpm2.TPMAlgECDSA, &tpm2.TPMSSigSchemeECDSA{HashAlg: tpm2.TPMAlgSHA256})},
		}),
		Unique: tpm2.NewTPMUPublicID(tpm2.TPMAlgECC, &tpm2.TPMSECCPoint{}),
	}
}

func (c *chip) create(public tpm2.TPMTPublic, secret []byte) (*blob, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	cmd := tpm2.Create{
		ParentHandle: tpm2.AuthHandle{Handle: c.parent.Handle, Name: c.parent.Name, Auth: c.session(encryptIn)},
		InPublic:     tpm2.New2B(public),
	}
	if secret != nil {
		cmd.InSensitive = tpm2.TPM2BSensitiveCreate{Sensitive: &tpm2.TPMSSensitiveCreate{
			Data: tpm2.NewTPMUSensitiveCreate(&tpm2.TPM2BSensitiveData{Buffer: secret})}}
	}
	made, err := cmd.Execute(c.t)
	if err != nil {
		return nil, fmt.Errorf("make an object in the TPM: %w", err)
	}
	return &blob{Public: tpm2.Marshal(made.OutPublic), Private: tpm2.Marshal(made.OutPrivate)}, nil
}

// with loads an object for the time of one use.
func (c *chip) with(b *blob, use func(h tpm2.NamedHandle) error) (err error) {
	public, err := tpm2.Unmarshal[tpm2.TPM2BPublic](b.Public)
	if err != nil {
		return fmt.Errorf("read an object's public part: %w", err)
	}
	private, err := tpm2.Unmarshal[tpm2.TPM2BPrivate](b.Private)
	if err != nil {
		return fmt.Errorf("read an object's private part: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	loaded, err := tpm2.Load{
		ParentHandle: tpm2.AuthHandle{Handle: c.parent.Handle, Name: c.parent.Name, Auth: tpm2.PasswordAuth(nil)},
		InPrivate:    *private, InPublic: *public,
	}.Execute(c.t)
	if err != nil {
		return fmt.Errorf("load an object into the TPM: %w", err)
	}
	defer func() {
		_, flushed := tpm2.FlushContext{FlushHandle: loaded.ObjectHandle}.Execute(c.t)
		err = errors.Join(err, flushed)
	}()
	return use(tpm2.NamedHandle{Handle: loaded.ObjectHandle, Name: loaded.Name})
}

func (c *chip) unseal(b *blob) (out []byte, err error) {
	err = c.with(b, func(h tpm2.NamedHandle) error {
		got, err := tpm2.Unseal{ItemHandle: tpm2.AuthHandle{Handle: h.Handle, Name: h.Name, Auth: c.session(encryptOut)}}.Execute(c.t)
		if err != nil {
			return fmt.Errorf("unseal: %w", err)
		}
		out = got.OutData.Buffer
		return nil
	})
	return out, err
}

// tpmKey is a signing key in a TPM.
type tpmKey struct {
	chip   *chip
	blob   *blob
	public *ecdsa.PublicKey
}

// Public implements crypto.Signer.
func (k *tpmKey) Public() crypto.PublicKey { return k.public }

// Sign implements crypto.Signer: ECDSA on P-256 over a SHA-256 digest, in ASN.1.
// The randomness is the TPM's own.
func (k *tpmKey) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) (out []byte, err error) {
	if opts == nil || opts.HashFunc() != crypto.SHA256 || len(digest) != crypto.SHA256.Size() {
		return nil, errors.New("a key in the TPM signs SHA-256 digests only")
	}
	err = k.chip.with(k.blob, func(h tpm2.NamedHandle) error {
		got, err := tpm2.Sign{
			KeyHandle: tpm2.AuthHandle{Handle: h.Handle, Name: h.Name, Auth: tpm2.PasswordAuth(nil)},
			Digest:    tpm2.TPM2BDigest{Buffer: digest},
			InScheme: tpm2.TPMTSigScheme{Scheme: tpm2.TPMAlgECDSA,
				Details: tpm2.NewTPMUSigScheme(tpm2.TPMAlgECDSA, &tpm2.TPMSSchemeHash{HashAlg: tpm2.TPMAlgSHA256})},
			Validation: tpm2.TPMTTKHashCheck{Tag: tpm2.TPMSTHashCheck, Hierarchy: tpm2.TPMRHNull},
		}.Execute(k.chip.t)
		if err != nil {
			return fmt.Errorf("sign in the TPM: %w", err)
		}
		sig, err := got.Signature.Signature.ECDSA()
		if err != nil {
			return fmt.Errorf("read the TPM's signature: %w", err)
		}
		out, err = asn1.Marshal(struct{ R, S *big.Int }{
			new(big.Int).SetBytes(sig.SignatureR.Buffer), new(big.Int).SetBytes(sig.SignatureS.Buffer)})
		return err
	})
	return out, err
}

func publicKey(b *blob) (*ecdsa.PublicKey, error) {
	p, err := tpm2.Unmarshal[tpm2.TPM2BPublic](b.Public)
	if err != nil {
		return nil, fmt.Errorf("read a key's public part: %w", err)
	}
	public, err := p.Contents()
	if err != nil {
		return nil, fmt.Errorf("read a key's public part: %w", err)
	}
	return pointOf(public)
}

// pointOf is the P-256 key of a public area; a point that is not on the curve is
// an error.
func pointOf(public *tpm2.TPMTPublic) (*ecdsa.PublicKey, error) {
	point, err := public.Unique.ECC()
	if err != nil {
		return nil, fmt.Errorf("the key is not elliptic: %w", err)
	}
	if len(point.X.Buffer) > 32 || len(point.Y.Buffer) > 32 {
		return nil, errors.New("the key's point is too long for P-256")
	}
	raw := make([]byte, 65) // SEC 1, 2.3.3: uncompressed
	raw[0] = 4
	copy(raw[33-len(point.X.Buffer):33], point.X.Buffer)
	copy(raw[65-len(point.Y.Buffer):], point.Y.Buffer)
	return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), raw)
}

func (s *Store) createTPM(o Options) error {
	c, err := openChip(o.TPM)
	if err != nil {
		return err
	}
	sealed, err := c.create(tpm2.TPMTPublic{Type: tpm2.TPMAlgKeyedHash, NameAlg: tpm2.TPMAlgSHA256, ObjectAttributes: attributes(),
		Parameters: tpm2.NewTPMUPublicParms(tpm2.TPMAlgKeyedHash, &tpm2.TPMSKeyedHashParms{Scheme: tpm2.TPMTKeyedHashScheme{Scheme: tpm2.TPMAlgNull}}),
		Unique:     tpm2.NewTPMUPublicID(tpm2.TPMAlgKeyedHash, &tpm2.TPM2BDigest{})}, s.wrap)
	if err != nil {
		return errors.Join(err, c.close())
	}
	s.tpm, s.record.Kind, s.record.Device, s.record.Sealed = c, TPM, o.TPM, sealed
	return nil
}

func (s *Store) openTPM(o Options) error {
	if s.record.Sealed == nil {
		return errors.New("the record has no sealed key")
	}
	c, err := openChip(o.TPM)
	if err != nil {
		return err
	}
	if s.wrap, err = c.unseal(s.record.Sealed); err == nil && len(s.wrap) != wrapLen {
		err = errors.New("the TPM's secret has a wrong length")
	}
	if err != nil {
		return errors.Join(err, c.close())
	}
	s.tpm = c
	return nil
}

func (s *Store) makeTPM(name string) (crypto.Signer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := os.Stat(filepath.Join(s.dir, name+keyExt)); !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the key %s exists already: %w", name, errors.Join(err, fs.ErrExist))
	}
	b, err := s.tpm.create(signingTemplate(), nil)
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("write the key %s: %w", name, err)
	}
	if err := s.write(name+keyExt, raw); err != nil {
		return nil, err
	}
	return s.signerOf(b)
}

func (s *Store) signerOf(b *blob) (crypto.Signer, error) {
	public, err := publicKey(b)
	if err != nil {
		return nil, err
	}
	return &tpmKey{chip: s.tpm, blob: b, public: public}, nil
}

func (s *Store) keyTPM(name string) (crypto.Signer, error) {
	raw, err := s.read(name + keyExt)
	if err != nil {
		return nil, err
	}
	b := new(blob)
	if err := json.Unmarshal(raw, b); err != nil {
		return nil, fmt.Errorf("read the key %s: %w", name, err)
	}
	return s.signerOf(b)
}

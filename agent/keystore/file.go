package keystore

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// softKey is the prefix of a signing key among the secrets of a store of files.
const softKey = "key-"

func (s *Store) makeFile(name string) (crypto.Signer, error) {
	if _, err := os.Stat(filepath.Join(s.dir, softKey+name+secretExt)); !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the key %s exists already: %w", name, errors.Join(err, fs.ErrExist))
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode a key: %w", err)
	}
	return key, s.Put(softKey+name, der)
}

func (s *Store) keyOfFile(name string) (crypto.Signer, error) {
	der, err := s.Get(softKey + name)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("read the key %s: %w", name, err)
	}
	signer, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("the key %s is a %T", name, key)
	}
	return signer, nil
}

// Package kmstest is two key services for tests: one that speaks the HTTP API of
// Vault's Transit engine, and one that speaks AWS KMS's. They keep real AES keys
// and really encrypt, check who asks, and can be away, disabled, or destroy a key.
// What only a real service shows (policies, regions, throttling) they do not.
package kmstest

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// Service is a key service with keys by name.
type Service struct {
	URL   string
	Token string // what Vault's callers show

	mu    sync.Mutex
	keys  map[string]*key
	away  bool
	Calls []string // verb and key, of every call that was let in
}

type key struct {
	versions [][]byte
	state    string // AWS: "" is enabled
	deletion time.Time
}

func start(t testing.TB, h func(*Service) http.Handler) *Service {
	s := &Service{Token: "s." + base64.RawURLEncoding.EncodeToString(random(18)), keys: map[string]*key{}}
	handler := h(s)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		away := s.away
		s.mu.Unlock()
		if away {
			panic(http.ErrAbortHandler)
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	s.URL = srv.URL
	return s
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// Make makes a key.
func (s *Service) Make(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys[name] = &key{versions: [][]byte{random(32)}}
}

// Rotate gives a key a new version; the older ones decrypt.
func (s *Service) Rotate(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys[name].versions = append(s.keys[name].versions, random(32))
}

// Destroy destroys a key; with at in the future, as AWS does it: first it waits.
func (s *Service) Destroy(name string, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at.IsZero() {
		delete(s.keys, name)
		return
	}
	s.keys[name].state, s.keys[name].deletion = "PendingDeletion", at
}

// Away has the service break off every connection, or no longer.
func (s *Service) Away(away bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = away
}

func gcm(k []byte) cipher.AEAD {
	block, err := aes.NewCipher(k)
	if err != nil {
		panic(err)
	}
	g, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return g
}

// Env is what a client of the Vault finds in its environment.
func (s *Service) Env(name string) string {
	return map[string]string{"VAULT_ADDR": s.URL, "VAULT_TOKEN": s.Token}[name]
}

// Vault is a Transit engine at /v1/transit: encrypt, decrypt, rewrap and keys, as
// Vault's API documentation has them.
func Vault(t testing.TB) *Service {
	return start(t, func(s *Service) http.Handler { return http.HandlerFunc(s.vault) })
}

func (s *Service) vault(w http.ResponseWriter, r *http.Request) {
	fail := func(code int, why string) {
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(map[string][]string{"errors": {why}})
	}
	if r.Header.Get("X-Vault-Token") != s.Token {
		fail(http.StatusForbidden, "permission denied")
		return
	}
	rest, ok := strings.CutPrefix(r.URL.Path, "/v1/transit/")
	verb, name, named := strings.Cut(rest, "/")
	if !ok || !named {
		fail(http.StatusNotFound, "no handler for route")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Calls = append(s.Calls, verb+" "+name)
	k := s.keys[name]
	if k == nil {
		code := http.StatusBadRequest // what Vault says of an unknown key
		if verb == "keys" {
			code = http.StatusNotFound
		}
		fail(code, "encryption key not found")
		return
	}
	var in struct {
		Plaintext  string `json:"plaintext"`
		Ciphertext string `json:"ciphertext"`
	}
	if r.Method == http.MethodPost {
		if err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&in); err != nil {
			fail(http.StatusBadRequest, "bad JSON")
			return
		}
	}
	answer := func(data any) { _ = json.NewEncoder(w).Encode(map[string]any{"data": data}) }
	switch {
	case verb == "encrypt" && r.Method == http.MethodPost:
		plain, err := base64.StdEncoding.DecodeString(in.Plaintext)
		if err != nil {
			fail(http.StatusBadRequest, "plaintext is not base64")
			return
		}
		answer(map[string]any{"ciphertext": k.wrap(plain), "key_version": len(k.versions)})
	case verb == "decrypt" && r.Method == http.MethodPost, verb == "rewrap" && r.Method == http.MethodPost:
		plain, err := k.unwrap(in.Ciphertext)
		if err != nil {
			fail(http.StatusBadRequest, "invalid ciphertext: unable to decrypt")
			return
		}
		if verb == "rewrap" {
			answer(map[string]any{"ciphertext": k.wrap(plain), "key_version": len(k.versions)})
			return
		}
		answer(map[string]any{"plaintext": base64.StdEncoding.EncodeToString(plain)})
	case verb == "keys" && r.Method == http.MethodGet:
		answer(map[string]any{"name": name, "type": "aes256-gcm96", "latest_version": len(k.versions)})
	default:
		fail(http.StatusMethodNotAllowed, "unsupported operation")
	}
}

func (k *key) wrap(plain []byte) string {
	v := len(k.versions)
	return fmt.Sprintf("vault:v%d:%s", v, base64.StdEncoding.EncodeToString(gcm(k.versions[v-1]).Seal(nil, nil, plain, nil)))
}

func (k *key) unwrap(text string) ([]byte, error) {
	var v int
	var body string
	if _, err := fmt.Sscanf(text, "vault:v%d:%s", &v, &body); err != nil || v < 1 || v > len(k.versions) {
		return nil, fmt.Errorf("ciphertext of another form")
	}
	box, err := base64.StdEncoding.DecodeString(body)
	if err != nil {
		return nil, err
	}
	return gcm(k.versions[v-1]).Open(nil, nil, box, nil)
}

// AWS is a KMS: TrentService.Encrypt, Decrypt and DescribeKey over JSON 1.1. It
// wants a signature (SigV4) and does not check it.
func AWS(t testing.TB) *Service {
	return start(t, func(s *Service) http.Handler { return http.HandlerFunc(s.aws) })
}

func (s *Service) aws(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	fail := func(code int, kind string) {
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(map[string]string{"__type": kind, "message": kind})
	}
	if !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ") {
		fail(http.StatusBadRequest, "MissingAuthenticationTokenException")
		return
	}
	var in struct {
		KeyID             string `json:"KeyId"`
		Plaintext         []byte
		CiphertextBlob    []byte
		EncryptionContext map[string]string
	}
	if err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&in); err != nil {
		fail(http.StatusBadRequest, "SerializationException")
		return
	}
	verb, _ := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "TrentService.")
	s.mu.Lock()
	defer s.mu.Unlock()
	context, _ := json.Marshal(in.EncryptionContext) // maps are sorted
	name := in.KeyID
	if verb == "Decrypt" && name == "" {
		name, _, _ = strings.Cut(string(in.CiphertextBlob), "\x00") // a blob names its key
	}
	s.Calls = append(s.Calls, verb+" "+name)
	k := s.keys[name]
	if k == nil {
		fail(http.StatusBadRequest, "NotFoundException")
		return
	}
	if k.state != "" && verb != "DescribeKey" {
		fail(http.StatusBadRequest, "KMSInvalidStateException")
		return
	}
	switch verb {
	case "Encrypt":
		box := gcm(k.versions[0]).Seal(nil, nil, in.Plaintext, context)
		_ = json.NewEncoder(w).Encode(map[string]any{"KeyId": name, "CiphertextBlob": append([]byte(name+"\x00"), box...)})
	case "Decrypt":
		_, box, _ := strings.Cut(string(in.CiphertextBlob), "\x00")
		plain, err := gcm(k.versions[0]).Open(nil, nil, []byte(box), context)
		if err != nil {
			fail(http.StatusBadRequest, "InvalidCiphertextException")
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"KeyId": name, "Plaintext": plain})
	case "DescribeKey":
		meta := map[string]any{"KeyId": name, "KeyState": "Enabled"}
		if k.state != "" {
			meta["KeyState"], meta["DeletionDate"] = k.state, float64(k.deletion.Unix())
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"KeyMetadata": meta})
	default:
		fail(http.StatusBadRequest, "UnknownOperationException")
	}
}

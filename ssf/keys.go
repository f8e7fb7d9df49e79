package ssf

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

const (
	maxMetadata = 64 << 10
	// keysLife is how long keys are used before they are read again, and keysLast how
	// long they are used at most if they cannot be.
	keysLife = time.Hour
	keysLast = 24 * time.Hour
	// keysEvery is how often an unknown key's name makes us look again.
	keysEvery = time.Minute
)

// Metadata finds transmitters' keys by their own metadata (SSF 1.0, "Transmitter
// Configuration Metadata"). It is safe for concurrent use.
type Metadata struct {
	client *http.Client
	now    func() time.Time

	mu   sync.Mutex
	sets map[string]*keySet
}

type keySet struct {
	mu    sync.Mutex
	keys  []byte
	read  time.Time // when they were read
	tried time.Time // when it was last tried
}

// NewMetadata asks by a client that reaches outside addresses only; see
// identity.NewOutwardClient.
func NewMetadata(client *http.Client, now func() time.Time) *Metadata {
	return &Metadata{client: client, now: now, sets: map[string]*keySet{}}
}

// Keys implements KeySource. Issuers are those of registered connectors, so there
// are few.
func (m *Metadata) Keys(ctx context.Context, issuer string, fresh bool) ([]byte, error) {
	m.mu.Lock()
	s := m.sets[issuer]
	if s == nil {
		s = new(keySet)
		m.sets[issuer] = s
	}
	m.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	now := m.now()
	age := now.Sub(s.read)
	due := s.keys == nil || fresh || age >= keysLife || age < 0
	if wait := now.Sub(s.tried); due && (wait >= keysEvery || wait < 0) {
		s.tried = now
		keys, err := m.fetch(ctx, issuer)
		if err == nil {
			s.keys, s.read = keys, now
			return keys, nil
		}
	}
	if s.keys == nil || now.Sub(s.read) >= keysLast || now.Before(s.read) {
		return nil, errors.New("ssf: the transmitter's keys cannot be had")
	}
	return s.keys, nil
}

func (m *Metadata) fetch(ctx context.Context, issuer string) ([]byte, error) {
	u, err := url.Parse(issuer)
	if err != nil || u.Scheme != "https" {
		return nil, errors.New("ssf: the issuer is not an https address")
	}
	path := strings.TrimSuffix(u.Path, "/")
	u.Path = "/.well-known/ssf-configuration" + path
	raw, err := m.get(ctx, u.String())
	if err != nil {
		return nil, fmt.Errorf("ssf: metadata: %w", err)
	}
	var doc struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil || doc.Issuer != issuer {
		return nil, errors.New("ssf: the metadata is not the issuer's")
	}
	if k, err := url.Parse(doc.Keys); err != nil || k.Scheme != "https" || k.User != nil {
		return nil, errors.New("ssf: jwks_uri is not an https address")
	}
	if raw, err = m.get(ctx, doc.Keys); err != nil {
		return nil, fmt.Errorf("ssf: keys: %w", err)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(raw, &set); err != nil || len(set.Keys) == 0 {
		return nil, errors.New("ssf: jwks_uri holds no JWK Set")
	}
	return raw, nil
}

func (m *Metadata) get(ctx context.Context, where string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, where, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	resp, err := m.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if resp.StatusCode != http.StatusOK || !strings.HasSuffix(kind, "json") {
		return nil, fmt.Errorf("status %d", resp.StatusCode)
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxMetadata+1))
	if err != nil || len(raw) > maxMetadata {
		return nil, errors.New("the answer is cut off or too long")
	}
	return raw, nil
}

package server

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/seal"
	"github.com/sallyport/sallyport/snapshot"
	"github.com/sallyport/sallyport/store"
	"github.com/sallyport/sallyport/vault"
)

// Codes gives ids their codes of an engagement outside the gateway, for files:
// the same ones as the gateway's, so that a vendor can join the two and the owner
// can turn both back. It is safe for concurrent use.
type Codes struct {
	ctx      context.Context
	keys     *seal.Keyring
	looked   time.Time // when the key store was looked at last
	key      *seal.EngagementKey
	vault    *vault.Vault
	mu       sync.Mutex      // Assigned is for one goroutine
	assigned *vault.Assigned // nil: codes are the key's
}

// OpenCodes opens the keys and the vault of an installation, which may be serving.
// assigned asks for codes from a random source (45 CFR 164.514(c)). The engagement
// must be in the registry: a name that was mistyped would make a key of its own.
func OpenCodes(ctx context.Context, c *Config, engagement id.Engagement, assigned bool) (_ *Codes, err error) {
	keys, err := c.openKeys()
	if err != nil {
		return nil, err
	}
	if err := c.hasEngagement(ctx, keys, engagement); err != nil {
		return nil, err
	}
	out := &Codes{ctx: ctx, keys: keys, looked: time.Now()}
	if out.key, err = keys.Engagement(engagement); err != nil {
		return nil, err
	}
	if out.vault, err = openVault(ctx, c, keys); err != nil {
		return nil, err
	}
	if assigned {
		if out.assigned, err = out.vault.Assign(engagement); err != nil {
			return nil, errors.Join(err, out.vault.Close())
		}
	}
	return out, nil
}

// hasEngagement looks the engagement up in the registry.
func (c *Config) hasEngagement(ctx context.Context, keys *seal.Keyring, engagement id.Engagement) (err error) {
	where := c.Database
	if where == "" {
		where = c.Data(registryFile)
	}
	s, err := store.Open(ctx, where, keys.Documents(), store.WithEngagements(documentsOf(keys)))
	if err != nil {
		return fmt.Errorf("opening the registry: %w", err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	head, err := s.Head(ctx)
	if err != nil {
		return fmt.Errorf("reading the registry: %w", err)
	}
	records, err := s.Load(ctx, head.Seq)
	if err != nil {
		return fmt.Errorf("reading the registry: %w", err)
	}
	found := false
	for _, r := range records {
		if e, ok := r.(*snapshot.Engagement); ok && e.ID == engagement {
			found = true
		}
		if k, ok := r.(*snapshot.Key); ok && k.Engagement == engagement && k.Ordered() {
			return problem.BadField("engagement", "its keys were destroyed", "Nothing can be coded or turned back under it any more")
		}
	}
	if found {
		return nil
	}
	return problem.BadField("engagement", "is not in the registry", "List them: sallyport engagement list")
}

// Assigned implements deid.Assigned.
func (c *Codes) Assigned() bool { return c.assigned != nil }

// Code implements deid.Codes. resourceID need be no FHIR id: one of a message or
// a table is written as one first, see FHIRID.
func (c *Codes) Code(resourceID string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	// A large batch may outlive the key: destroyed elsewhere, it is forgotten here.
	if now := time.Now(); now.Sub(c.looked) >= keysEvery && c.keys != nil {
		c.looked = now
		if err := c.keys.Refresh(); err != nil {
			return "", err
		}
	}
	if err := c.key.Err(); err != nil {
		return "", err
	}
	resourceID = c.fhirID(resourceID)
	if c.assigned != nil {
		return c.assigned.Code(c.ctx, resourceID)
	}
	if code, ok := c.key.Code(resourceID); ok {
		return code, nil
	}
	return c.vault.CodeFor(c.ctx, c.key.Engagement(), resourceID)
}

// Settle makes every code that was given durable. Nothing that holds one may
// leave before.
func (c *Codes) Settle(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.assigned == nil {
		return nil
	}
	return c.assigned.Settle(ctx)
}

// Derive gives 32 bytes for a use of its own. "shift" and "text" are the
// gateway's: the same patient gets the same shift here and there.
func (c *Codes) Derive(label string) []byte { return c.key.Derive(label) }

// Close closes the vault.
func (c *Codes) Close() error { return c.vault.Close() }

// The forms of an id that FHIR does not allow, as one that it does.
const (
	escapedID = "x.."
	hashedID  = "h.."
	maxID     = 64
)

// fhirID is the id itself, or one that stands for it: its letters, digits and dots,
// and every other byte as - and two hexadecimal digits. What is too long for that is
// known by a keyed hash, from which nobody leads back.
func (c *Codes) fhirID(s string) string {
	if seal.IsID(s) && !strings.HasPrefix(s, escapedID) && !strings.HasPrefix(s, hashedID) {
		return s
	}
	out := []byte(escapedID)
	for i := range len(s) {
		switch b := s[i]; {
		case 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || b == '.':
			out = append(out, b)
		default:
			out = append(append(out, '-'), hex.EncodeToString([]byte{b})...)
		}
	}
	if len(out) <= maxID {
		return string(out)
	}
	index := c.key.Index("deid/long-id", []byte(s))
	return hashedID + hex.EncodeToString(index[:])
}

// PlainID is the id that Codes was given, from the one that the vault reveals. ok
// is false where only a hash of it was kept.
func PlainID(s string) (plain string, ok bool) {
	if strings.HasPrefix(s, hashedID) {
		return s, false
	}
	rest, escaped := strings.CutPrefix(s, escapedID)
	if !escaped {
		return s, true
	}
	var out []byte
	for i := 0; i < len(rest); i++ {
		if rest[i] != '-' {
			out = append(out, rest[i])
			continue
		}
		if i+3 > len(rest) {
			return s, false
		}
		b, err := hex.DecodeString(rest[i+1 : i+3])
		if err != nil {
			return s, false
		}
		out = append(out, b...)
		i += 2
	}
	return string(out), true
}

package signin

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"sync"
	"time"
)

// ceremonyLife is how long a sign-in may take from its first page to its last.
const ceremonyLife = 5 * time.Minute

// box seals what a ceremony must remember between two requests. The browser carries
// it, so that strangers who begin ceremonies and never end them cost no memory. The
// key is the process's own: a ceremony begins and ends on one node, within minutes.
type box struct {
	aead cipher.AEAD
	now  func() time.Time

	mu   sync.Mutex
	used map[string]time.Time // challenges that were answered, until when they could be again
}

func newBox(now func() time.Time) (*box, error) {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails: crypto/rand ends the program instead
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("ceremonies: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("ceremonies: %w", err)
	}
	return &box{aead: aead, now: now, used: map[string]time.Time{}}, nil
}

type sealed struct {
	Until time.Time       `json:"until"`
	Value json.RawMessage `json:"value"`
}

// seal gives v to browser, for one purpose.
func (b *box) seal(purpose, browser string, v any) (string, error) {
	value, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("ceremony: %w", err)
	}
	raw, err := json.Marshal(sealed{b.now().Add(ceremonyLife), value})
	if err != nil {
		return "", fmt.Errorf("ceremony: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b.aead.Seal(nil, nil, raw, aad(purpose, browser))), nil
}

// maxSealed bounds what a browser may send back: the longest address to go on to is
// in it.
const maxSealed = 64 << 10

// open reads what seal gave to the same browser for the same purpose.
func (b *box) open(purpose, browser, text string, into any) Reason {
	if len(text) > maxSealed {
		return CeremonyForged
	}
	cipherText, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return CeremonyForged
	}
	raw, err := b.aead.Open(nil, nil, cipherText, aad(purpose, browser))
	if err != nil {
		return CeremonyForged
	}
	var s sealed
	if err := json.Unmarshal(raw, &s); err != nil {
		return CeremonyForged
	}
	if now := b.now(); !now.Before(s.Until) || now.Before(s.Until.Add(-ceremonyLife-time.Minute)) {
		return CeremonyOver
	}
	if err := json.Unmarshal(s.Value, into); err != nil {
		return CeremonyForged
	}
	return ""
}

// once says that what a ceremony is known by, its challenge, leads to something now
// and never again. Only who has proved something comes here, so a stranger cannot
// fill the memory. The sealed text will not do: the same bytes have many spellings
// in base64.
func (b *box) once(challenge string) Reason {
	key := digest(challenge)
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	for k, until := range b.used {
		if !now.Before(until) {
			delete(b.used, k)
		}
	}
	if _, seen := b.used[key]; seen {
		return CeremonyUsed
	}
	b.used[key] = now.Add(2 * ceremonyLife)
	return ""
}

func aad(purpose, browser string) []byte { return []byte(purpose + "\x00" + browser) }

package vault

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/base32"
	"errors"
	"maps"
	"sync"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/seal"
)

// A code of the vault is 'v' and 160 random bits as 32 lower-case letters and
// digits: a FHIR id that says nothing, and that no code of package seal (64
// symbols, 's' first) can be taken for.
const (
	codeMark   = 'v'
	codeRandom = 20
	codeLen    = 1 + 32
	maxID      = 64 // the longest FHIR id
)

var codeText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// IsCode reports whether s has the form of a code of the vault.
func IsCode(s string) bool {
	if len(s) != codeLen || s[0] != codeMark {
		return false
	}
	for i := 1; i < len(s); i++ {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '2' || c > '7') {
			return false
		}
	}
	return true
}

// CodeFor gives the code of a resource id inside an engagement: always the same
// one. Ids that package seal has a code for never touch the database.
func (v *Vault) CodeFor(ctx context.Context, engagement id.Engagement, resourceID string) (string, error) {
	codes, err := v.Codes(ctx, engagement, []string{resourceID})
	if err != nil {
		return "", err
	}
	return codes[0], nil
}

// Codes gives the codes of many ids, in their order. New ones are written in
// one transaction and are durable when it returns.
func (v *Vault) Codes(ctx context.Context, engagement id.Engagement, resourceIDs []string) ([]string, error) {
	key, err := v.keys.Engagement(engagement)
	if err != nil {
		return nil, err
	}
	codes := make([]string, len(resourceIDs))
	var missing []int
	for i, resourceID := range resourceIDs {
		if code, ok := key.Code(resourceID); ok {
			codes[i] = code
		} else if !seal.IsID(resourceID) {
			return nil, errNoID(resourceID)
		} else if code, ok := v.cache.code(engagement, resourceID); ok {
			codes[i] = code
		} else {
			missing = append(missing, i)
		}
	}
	if len(missing) == 0 {
		return codes, nil
	}
	if err := v.makeCodes(ctx, key, resourceIDs, missing, codes); err != nil {
		return nil, err
	}
	for _, i := range missing {
		v.cache.put(engagement, resourceIDs[i], codes[i])
	}
	return codes, nil
}

// makeCodes fills in codes[i] for each i of missing, from the database or new.
// Of two that make a code for one id at once, in two processes, the second
// finds the first's: the transactions come one after the other.
func (v *Vault) makeCodes(ctx context.Context, key *seal.EngagementKey, ids []string, missing []int, codes []string) error {
	v.writing.Lock()
	defer v.writing.Unlock()
	tx, err := v.db.BeginTx(ctx, nil)
	if err != nil {
		return unavailable(err)
	}
	defer tx.Rollback()
	for _, i := range missing {
		if codes[i], err = v.codeOf(ctx, tx, key, ids[i]); err != nil {
			return err
		}
		if codes[i] != "" {
			continue
		}
		codes[i] = newCode()
		if err := v.insertCode(ctx, tx, key, ids[i], codes[i]); err != nil {
			return err
		}
	}
	if err := tx.Commit(); err != nil {
		return unavailable(err)
	}
	return nil
}

// Reveal gives the resource id behind a code of this engagement, whether it is
// seal's or the vault's. ok is false for what is no code of this engagement.
func (v *Vault) Reveal(ctx context.Context, engagement id.Engagement, code string) (resourceID string, ok bool, err error) {
	if !seal.IsCode(code) && !IsCode(code) {
		return "", false, nil
	}
	key, err := v.keys.Engagement(engagement)
	if err != nil {
		return "", false, err
	}
	if seal.IsCode(code) {
		resourceID, ok = key.Reveal(code)
		return resourceID, ok, nil
	}
	if resourceID, ok := v.cache.id(engagement, code); ok {
		return resourceID, true, nil
	}
	index := key.Index("vault/code", []byte(code))
	var byID, sealed []byte
	err = v.db.QueryRowContext(ctx, "SELECT by_id, sealed FROM codes WHERE engagement = ? AND by_code = ?", v.engagement(engagement), index[:]).Scan(&byID, &sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	if err != nil {
		return "", false, unavailable(err)
	}
	resourceID, got, err := openCode(key, byID, index[:], sealed)
	if err != nil || got != code {
		return "", false, errTampered("codes", err)
	}
	v.cache.put(engagement, resourceID, code)
	return resourceID, true, nil
}

// engagement is how rows name their engagement: so that they can be found when
// its key is destroyed, and so that the file does not say whom it is about.
func (v *Vault) engagement(engagement id.Engagement) []byte {
	index := v.keys.Owner().Index("vault/engagement", []byte(engagement))
	return index[:]
}

// CountCodes counts the rows that are sealed under an engagement's key.
func (v *Vault) CountCodes(ctx context.Context, engagement id.Engagement) (n int, err error) {
	err = v.db.QueryRowContext(ctx, "SELECT COUNT(*) FROM codes WHERE engagement = ?", v.engagement(engagement)).Scan(&n)
	if err != nil {
		return 0, unavailable(err)
	}
	return n, nil
}

// Forget takes out what is kept of an engagement whose keys were destroyed: its
// rows, which nobody can open any more, and what is in memory. It returns how many
// rows there were. Copies of the file keep theirs, unreadable.
func (v *Vault) Forget(ctx context.Context, engagement id.Engagement) (rows int64, err error) {
	v.cache.forget(engagement)
	v.pending.forget(engagement)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeLimit)
	defer cancel()
	v.writing.Lock()
	defer v.writing.Unlock()
	done, err := v.db.ExecContext(ctx, "DELETE FROM codes WHERE engagement = ?", v.engagement(engagement))
	if err == nil {
		rows, err = done.RowsAffected()
	}
	if err != nil {
		return 0, unavailable(err)
	}
	return rows, nil
}

func newCode() string {
	var b [codeRandom]byte
	rand.Read(b[:]) // never fails
	return string(codeMark) + codeText.EncodeToString(b[:])
}

// sealCode seals an id with its code. Every box has the same length.
func sealCode(key *seal.EngagementKey, byID, byCode []byte, resourceID, code string) ([]byte, error) {
	plain := make([]byte, 1+maxID+codeLen)
	plain[0] = byte(copy(plain[1:1+maxID], resourceID))
	copy(plain[1+maxID:], code)
	return key.Seal(plain, codeAAD(byID, byCode))
}

func openCode(key *seal.EngagementKey, byID, byCode, sealed []byte) (resourceID, code string, err error) {
	plain, err := key.Open(sealed, codeAAD(byID, byCode))
	if err != nil {
		return "", "", err
	}
	if len(plain) != 1+maxID+codeLen || plain[0] > maxID {
		return "", "", errors.New("a sealed code of another form")
	}
	return string(plain[1 : 1+plain[0]]), string(plain[1+maxID:]), nil
}

func codeAAD(byID, byCode []byte) []byte {
	return append(append([]byte("vault/code/"), byID...), byCode...)
}

// cache remembers codes in both directions. It keeps between half and all of
// its size: when the young half is full, the old half is forgotten.
type cache struct {
	mu         sync.RWMutex
	young, old half
}

type half struct {
	codes map[cacheKey]string // by resource id
	ids   map[cacheKey]string // by code
}

type cacheKey struct {
	engagement id.Engagement
	text       string
}

const cacheHalf = 32_768

func (c *cache) code(e id.Engagement, resourceID string) (string, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	k := cacheKey{e, resourceID}
	if code, ok := c.young.codes[k]; ok {
		return code, true
	}
	code, ok := c.old.codes[k]
	return code, ok
}

func (c *cache) id(e id.Engagement, code string) (string, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	k := cacheKey{e, code}
	if resourceID, ok := c.young.ids[k]; ok {
		return resourceID, true
	}
	resourceID, ok := c.old.ids[k]
	return resourceID, ok
}

// forget drops what is remembered of an engagement.
func (c *cache) forget(e id.Engagement) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, h := range []*half{&c.young, &c.old} {
		for _, m := range []map[cacheKey]string{h.codes, h.ids} {
			maps.DeleteFunc(m, func(k cacheKey, _ string) bool { return k.engagement == e })
		}
	}
}

func (c *cache) put(e id.Engagement, resourceID, code string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.young.codes == nil || len(c.young.codes) >= cacheHalf {
		c.old = c.young
		c.young = half{map[cacheKey]string{}, map[cacheKey]string{}}
	}
	c.young.codes[cacheKey{e, resourceID}] = code
	c.young.ids[cacheKey{e, code}] = resourceID
}

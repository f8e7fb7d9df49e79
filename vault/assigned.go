package vault

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"sync"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/seal"
)

// Assigned gives the resource ids of one engagement codes that come from a random
// source and nothing else: what 45 CFR 164.514(c)(1) asks of a code, and HHS's
// preamble of 2002 of one that must not be a keyed hash. Code answers at once, and
// what is new is in memory only until Settle has written it, in one transaction
// for all. Until then nothing that holds such a code may leave.
//
// Codes may be given for the next release while Settle works for this one, and
// any number of Assigned may be at work on one Vault.
type Assigned struct {
	v   *Vault
	key *seal.EngagementKey

	mu    sync.Mutex
	fresh map[string]string // codes, by id, that are not known to be durable
}

// Assign makes an Assigned for an engagement.
func (v *Vault) Assign(engagement id.Engagement) (*Assigned, error) {
	key, err := v.keys.Engagement(engagement)
	if err != nil {
		return nil, err
	}
	return &Assigned{v: v, key: key, fresh: map[string]string{}}, nil
}

// pending are codes that were given and not yet written, so that two at once
// give an id the same one. What it forgets, Settle notices.
type pending struct {
	mu    sync.Mutex
	codes map[cacheKey]string
}

const maxPending = 1 << 17

// give returns the code that waits for the id, or the one that make makes.
func (p *pending) give(k cacheKey, make func() string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if code, ok := p.codes[k]; ok {
		return code
	}
	if p.codes == nil || len(p.codes) >= maxPending {
		p.codes = map[cacheKey]string{}
	}
	code := make()
	p.codes[k] = code
	return code
}

func (p *pending) of(k cacheKey) (string, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	code, ok := p.codes[k]
	return code, ok
}

func (p *pending) drop(k cacheKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.codes, k)
}

// forget drops what waits of an engagement.
func (p *pending) forget(e id.Engagement) {
	p.mu.Lock()
	defer p.mu.Unlock()
	maps.DeleteFunc(p.codes, func(k cacheKey, _ string) bool { return k.engagement == e })
}

// Code gives the id's code: the one that it always had, or a new one.
func (a *Assigned) Code(ctx context.Context, resourceID string) (string, error) {
	if !seal.IsID(resourceID) {
		return "", errNoID(resourceID)
	}
	engagement := a.key.Engagement()
	if err := a.key.Err(); err != nil {
		return "", err
	}
	if code, ok := a.v.cache.code(engagement, resourceID); ok {
		return code, nil
	}
	k := cacheKey{engagement, resourceID}
	if _, waiting := a.v.pending.of(k); !waiting {
		code, err := a.v.codeOf(ctx, a.v.db, a.key, resourceID)
		if err != nil {
			return "", err
		}
		if code != "" {
			a.v.cache.put(engagement, resourceID, code)
			return code, nil
		}
	}
	code := a.v.pending.give(k, newCode)
	// The one that waited may have been settled since it was looked for.
	if settled, ok := a.v.cache.code(engagement, resourceID); ok && settled != code {
		a.v.pending.drop(k)
		return settled, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fresh[resourceID] = code
	return code, nil
}

var errOtherCode = errors.New("another process gave an id another code meanwhile")

// Settle makes every code that was given before it durable. On an error nothing
// that holds one of them may leave: somebody else may have given the id another.
func (a *Assigned) Settle(ctx context.Context) error {
	a.mu.Lock()
	codes := a.fresh
	a.fresh = map[string]string{}
	a.mu.Unlock()
	for resourceID, code := range codes {
		// A neighbour may have settled it meanwhile.
		switch settled, ok := a.v.cache.code(a.key.Engagement(), resourceID); {
		case ok && settled == code:
			delete(codes, resourceID)
		case ok:
			a.v.pending.drop(cacheKey{a.key.Engagement(), resourceID})
			return unavailable(errOtherCode)
		}
	}
	if len(codes) == 0 {
		return nil
	}
	if err := a.v.writeCodes(ctx, a.key, codes); err != nil {
		return err
	}
	for resourceID, code := range codes {
		a.v.cache.put(a.key.Engagement(), resourceID, code)
		a.v.pending.drop(cacheKey{a.key.Engagement(), resourceID})
	}
	return nil
}

// writeCodes writes codes by id in one transaction. An id that has the same code
// already is left alone, and one that has another is an error.
func (v *Vault) writeCodes(ctx context.Context, key *seal.EngagementKey, codes map[string]string) error {
	v.writing.Lock()
	defer v.writing.Unlock()
	tx, err := v.db.BeginTx(ctx, nil)
	if err != nil {
		return unavailable(err)
	}
	defer tx.Rollback()
	for resourceID, code := range codes {
		old, err := v.codeOf(ctx, tx, key, resourceID)
		if err != nil {
			return err
		}
		if old == code {
			continue
		}
		if old != "" {
			v.pending.drop(cacheKey{key.Engagement(), resourceID})
			return unavailable(errOtherCode)
		}
		if err := v.insertCode(ctx, tx, key, resourceID, code); err != nil {
			return err
		}
	}
	if err := tx.Commit(); err != nil {
		return unavailable(err)
	}
	return nil
}

// codeOf reads an id's code; empty if it has none.
func (v *Vault) codeOf(ctx context.Context, q querier, key *seal.EngagementKey, resourceID string) (string, error) {
	byID := key.Index("vault/id", []byte(resourceID))
	var byCode, sealed []byte
	err := q.QueryRowContext(ctx, "SELECT by_code, sealed FROM codes WHERE engagement = ? AND by_id = ?", v.engagement(key.Engagement()), byID[:]).Scan(&byCode, &sealed)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return "", nil
	case err != nil:
		return "", unavailable(err)
	}
	got, code, err := openCode(key, byID[:], byCode, sealed)
	if err != nil || got != resourceID {
		return "", errTampered("codes", err)
	}
	return code, nil
}

func (v *Vault) insertCode(ctx context.Context, tx *sql.Tx, key *seal.EngagementKey, resourceID, code string) error {
	byID, byCode := key.Index("vault/id", []byte(resourceID)), key.Index("vault/code", []byte(code))
	sealed, err := sealCode(key, byID[:], byCode[:], resourceID, code)
	if err != nil {
		return fmt.Errorf("seal code: %w", err)
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO codes (engagement, by_id, by_code, sealed) VALUES (?, ?, ?, ?)", v.engagement(key.Engagement()), byID[:], byCode[:], sealed); err != nil {
		return unavailable(err)
	}
	return nil
}

// errNoID does not quote: what is no id may be anything.
func errNoID(s string) error {
	return problem.New(problem.UpstreamFail, fmt.Sprintf("a resource id of %d bytes is not a FHIR id", len(s)),
		"The healthcare system must give ids of 1 to 64 letters, digits, '-' and '.' (FHIR R4, type id)")
}

package gateway

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/sallyport/sallyport/deid"
	deidfhir "github.com/sallyport/sallyport/deid/fhir"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/seal"
	"github.com/sallyport/sallyport/snapshot"
	"github.com/sallyport/sallyport/vault"
)

// sight is a role's view in an engagement at a source, compiled once.
type sight struct {
	role  *snapshot.Role
	scope *deid.Scope
	err   error
	key   atomic.Pointer[seal.EngagementKey]
	pool  sync.Pool // of *worker
}

// open opens the engagement's key. Only a permitted question does, because the
// key is made at its first use.
func (s *sight) open(keys *seal.Keyring, engagement id.Engagement) (*seal.EngagementKey, error) {
	if k := s.key.Load(); k != nil && k.Err() == nil {
		return k, nil
	}
	k, err := keys.Engagement(engagement)
	if err == nil {
		s.key.Store(k)
	}
	return k, err
}

type sightKey struct {
	role       *snapshot.Role // records are never changed, so a pointer says which version
	engagement id.Engagement
	source     id.Source
}

// maxSights bounds the cache; roles and engagements are few.
const maxSights = 4096

func (g *Gateway) sight(role *snapshot.Role, engagement id.Engagement, source id.Source) *sight {
	k := sightKey{role, engagement, source}
	g.mu.RLock()
	s := g.sights[k]
	g.mu.RUnlock()
	if s != nil {
		return s
	}
	s = &sight{role: role}
	s.scope, s.err = ScopeOf(role, g.Profiles)
	g.mu.Lock()
	defer g.mu.Unlock()
	if old := g.sights[k]; old != nil {
		return old
	}
	if len(g.sights) >= maxSights {
		clear(g.sights)
	}
	g.sights[k] = s
	return s
}

// ScopeOf compiles a role's view, under a built-in profile or one of the site's.
func ScopeOf(role *snapshot.Role, profiles []*deid.Profile) (*deid.Scope, error) {
	spec := deid.Spec{
		Resources:         make(map[string][]string, len(role.Resources)),
		Dates:             deid.DateRule(role.Dates),
		Identifiers:       deid.IdentifierRule(role.Identifiers),
		DirectIdentifiers: role.DirectIdentifiers,
		Since:             role.Since, Until: role.Until,
		Profile: role.Profile, Profiles: profiles,
	}
	for typ, r := range role.Resources {
		spec.Resources[typ] = r.Elements
	}
	return deid.NewScope(spec)
}

// worker minimises for one question at a time. Its Minimiser remembers codes
// between questions, all of one engagement and source.
type worker struct {
	codes   codes
	records records
	writer  *deidfhir.Writer
	mini    *deidfhir.Minimiser
	spoilt  bool // it remembers codes that may not be durable
	begun   int  // the generation of codes that it remembers
}

// codes gives ids their codes: the engagement's own, or for long ids the vault's.
// Where the profile wants codes that come from nobody's id, all are the vault's.
type codes struct {
	ctx      context.Context
	key      *seal.EngagementKey
	vault    *vault.Vault
	assigned *vault.Assigned
}

// Assigned implements deid.Assigned.
func (c *codes) Assigned() bool { return c.assigned != nil }

// Code implements deid.Codes.
func (c *codes) Code(resourceID string) (string, error) {
	if c.assigned != nil {
		return c.assigned.Code(c.ctx, resourceID)
	}
	if code, ok := c.key.Code(resourceID); ok {
		return code, nil
	}
	return c.vault.CodeFor(c.ctx, c.key.Engagement(), resourceID)
}

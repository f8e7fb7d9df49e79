package identity

import (
	"crypto/sha256"
	"crypto/x509"
	"net/http"
	"sync"
	"time"
	"unsafe"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

// Caller is an outside application on a device of the same vendor. Only a
// Verifier makes one; the zero Caller is nobody.
type Caller struct {
	vendor id.Vendor
	app    id.App
	kind   snapshot.AgentKind
	device id.Device
	token  *token
	peer   *peer
}

// Known reports whether the caller is anybody at all.
func (c Caller) Known() bool { return c.token != nil && c.peer != nil }

// Vendor is the organisation to which app and device belong.
func (c Caller) Vendor() id.Vendor { return c.vendor }

// App is the application.
func (c Caller) App() id.App { return c.app }

// AgentKind says whether a human, a workload or an agent acts through App.
func (c Caller) AgentKind() snapshot.AgentKind { return c.kind }

// Device is the machine that holds the client certificate.
func (c Caller) Device() id.Device { return c.device }

// Grant is what the caller acts under, as its token says; empty where the
// application had no grant when it asked for the token.
func (c Caller) Grant() id.Grant {
	if c.token == nil {
		return ""
	}
	return c.token.grant
}

// Scopes bound what the token may do. They narrow the grant, never widen it.
func (c Caller) Scopes() Scopes {
	if c.token == nil {
		return Scopes{}
	}
	return c.token.scopes
}

// TokenID is the token's jti, to find its issue in the log.
func (c Caller) TokenID() string {
	if c.token == nil {
		return ""
	}
	return c.token.id
}

// Expires is when the token, or the certificate if earlier, ends. A stream
// under way must not outlive it.
func (c Caller) Expires() time.Time {
	if !c.Known() {
		return time.Time{}
	}
	return earliest(c.token.expires, c.peer.until)
}

// Transport is how the request arrived.
func (c Caller) Transport() Transport {
	if c.peer == nil {
		return Transport{}
	}
	return c.peer.transport
}

// Verifier identifies callers. It is safe for concurrent use.
type Verifier struct {
	clients *x509.CertPool
	domains *TrustDomains // nil: no SPIFFE workload is known
	tokens  *Tokens
	now     func() time.Time
	seen    seenTokens
}

// NewVerifier trusts client certificates of the pool and access tokens of
// tokens. It remembers as many as remember tokens (0: 16,384) that it has
// verified, so that a signature is checked once and not at each request.
func NewVerifier(clients *x509.CertPool, tokens *Tokens, now func() time.Time, remember int) (*Verifier, error) {
	if clients == nil || tokens == nil || now == nil {
		return nil, problem.New(problem.Internal, "The verifier lacks its authorities, its token keys or its clock", "Pass all three")
	}
	v := &Verifier{clients: clients, tokens: tokens, now: now}
	if remember <= 0 {
		remember = 16 << 10
	}
	v.seen.max = max(1, remember/len(v.seen.shards))
	for i := range v.seen.shards {
		v.seen.shards[i].tokens = map[[sha256.Size]byte]*token{}
	}
	return v, nil
}

// Caller identifies an outside application: the device by the certificate of
// this connection, the application by a token that is bound to it. An error is
// a problem of kind Unknown, whose Reason is for the log only.
//
// Whether device, application and grant are approved is not asked here. The
// gates ask, and their refusal says why.
func (v *Verifier) Caller(r *http.Request, view *snapshot.View) (Caller, error) {
	now := v.now()
	p, err := v.peer(r, now)
	if err != nil {
		return Caller{}, err
	}
	device, err := deviceOf(p, view)
	if err != nil {
		return Caller{}, err
	}
	raw, reason := bearer(r.Header)
	if reason != "" {
		return Caller{}, unknown(reason)
	}
	tok, reason := v.token(raw, now)
	if reason != "" {
		return Caller{}, unknown(reason)
	}
	if tok.binding != p.binding {
		return Caller{}, unknown(TokenBoundElsewhere)
	}
	app, ok := view.Apps.Get(tok.app)
	if !ok {
		return Caller{}, unknown(AppUnknown)
	}
	if app.Vendor != device.Vendor {
		return Caller{}, unknown(AppVendorMismatch)
	}
	if tok.grant != "" {
		if g, ok := view.Grants.Get(tok.grant); !ok || g.App != app.ID {
			return Caller{}, unknown(GrantMismatch)
		}
	}
	return Caller{vendor: app.Vendor, app: app.ID, kind: app.Kind, device: device.ID, token: tok, peer: p}, nil
}

// Person identifies one of the organisation's own people by the key of a
// personal client certificate. A stranger and a vendor's person are Unknown.
//
// Unlike a caller of the gateway a person is refused here when not approved or
// on hold: no gates stand behind this door to do it.
func (v *Verifier) Person(r *http.Request, view *snapshot.View) (id.Person, error) {
	p, err := v.peer(r, v.now())
	if err != nil {
		return "", err
	}
	if view == nil {
		return "", noView()
	}
	person, ok := view.PersonByKey(p.key)
	if !ok || person.ID == "" || p.spiffe != "" { // a workload is no person
		return "", unknown(PersonUnknown)
	}
	if person.Vendor != "" {
		return "", unknown(PersonOfVendor)
	}
	const next = "Ask another of the organisation's people to look into it"
	if person.State != snapshot.Approved {
		return "", problem.New(problem.Refused, "Your registration is not approved now", next)
	}
	for _, h := range view.HoldsOn(snapshot.Subject{Noun: snapshot.NounPerson, ID: string(person.ID)}) {
		if h.LiftedAt.IsZero() {
			return "", problem.New(problem.Refused, "You are on hold", next)
		}
	}
	return person.ID, nil
}

// deviceOf finds the registered device that holds the connection's key, or the
// registered workload that its SPIFFE id names.
func deviceOf(p *peer, view *snapshot.View) (*snapshot.Device, error) {
	if view == nil {
		return nil, noView()
	}
	var d *snapshot.Device
	var ok bool
	if p.spiffe != "" {
		d, ok = view.DeviceBySPIFFE(p.spiffe)
	} else {
		d, ok = view.DeviceByKey(p.key)
	}
	if !ok || d.ID == "" || d.Vendor == "" {
		return nil, unknown(DeviceUnknown)
	}
	// The domain is the vendor's by configuration, whatever was registered.
	if p.spiffe != "" && (p.domain == nil || p.domain.vendor != d.Vendor) {
		return nil, unknown(SPIFFEOtherVendor)
	}
	return d, nil
}

func noView() error {
	return problem.New(problem.Unavailable, "The registry is not loaded yet", "Try again in a moment")
}

// bearer takes the token out of the Authorization header (RFC 6750, section
// 2.1). Query and form parameters are not looked at: they end up in logs.
func bearer(h http.Header) (string, Reason) {
	values := h["Authorization"]
	switch {
	case len(values) == 0:
		return "", TokenAbsent
	case len(values) > 1:
		return "", TokenMalformed
	}
	const scheme = "bearer "
	v := values[0]
	if len(v) <= len(scheme) || len(v) > len(scheme)+maxToken {
		return "", TokenMalformed
	}
	for i := range len(scheme) {
		c := v[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != scheme[i] {
			return "", TokenMalformed
		}
	}
	v = v[len(scheme):]
	dots := 0
	for i := range len(v) {
		switch c := v[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		case c == '.':
			dots++
		default:
			return "", TokenMalformed
		}
	}
	if dots != 2 {
		return "", TokenMalformed
	}
	return v, ""
}

// token verifies a token's text, or remembers that it has, and checks its time.
func (v *Verifier) token(raw string, now time.Time) (*token, Reason) {
	// The bytes of a string are read, not changed: this spares a copy of each
	// token at each request.
	key := sha256.Sum256(unsafe.Slice(unsafe.StringData(raw), len(raw)))
	t := v.seen.get(key)
	if t == nil {
		var reason Reason
		if t, reason = v.tokens.verify(raw); reason != "" {
			return nil, reason
		}
		v.seen.put(key, t, now)
	}
	switch {
	case !now.Before(t.expires): // no tolerance: the clock that set it is ours
		return nil, TokenExpired
	case t.issued.After(now.Add(skew)):
		return nil, TokenFromFuture
	}
	return t, ""
}

// seenTokens remembers verified tokens by the SHA-256 of their text; the text
// itself is not kept. Only what was verified gets in, so a stranger cannot push
// anything out.
type seenTokens struct {
	max    int // per shard
	shards [16]struct {
		sync.RWMutex
		tokens map[[sha256.Size]byte]*token
	}
}

func (s *seenTokens) get(key [sha256.Size]byte) *token {
	shard := &s.shards[key[0]%uint8(len(s.shards))]
	shard.RLock()
	t := shard.tokens[key]
	shard.RUnlock()
	return t
}

func (s *seenTokens) put(key [sha256.Size]byte, t *token, now time.Time) {
	shard := &s.shards[key[0]%uint8(len(s.shards))]
	shard.Lock()
	defer shard.Unlock()
	if len(shard.tokens) >= s.max {
		for k, old := range shard.tokens {
			if !now.Before(old.expires) {
				delete(shard.tokens, k)
			}
		}
	}
	// Forgetting a live token costs its owner one more verification.
	for k := range shard.tokens {
		if len(shard.tokens) < s.max {
			break
		}
		delete(shard.tokens, k)
	}
	shard.tokens[key] = t
}

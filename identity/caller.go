package identity

import (
	"crypto/sha256"
	"crypto/x509"
	"net/http"
	"net/netip"
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
	// until is when the person's session ends, if one acts.
	until time.Time

	address netip.Addr
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

// Person is the human for whom the application acts, signed in to us; empty where
// it acts by itself.
func (c Caller) Person() id.Person {
	if c.token == nil {
		return ""
	}
	return c.token.person
}

// Session is that human's sign-in.
func (c Caller) Session() id.Session {
	if c.token == nil {
		return ""
	}
	return c.token.session
}

// Still reports whether what Verifier.Caller found holds in a newer view: a token
// that was revoked, a session that has ended, a device or an application that has
// gone stop what is under way. It is an error of kind Unknown, or nil.
func (c Caller) Still(view *snapshot.View, now time.Time) error {
	if !c.Known() {
		return unknown(TokenAbsent)
	}
	if view == nil {
		return noView()
	}
	if d, err := deviceOf(c.peer, view); err != nil || d.ID != c.device {
		return unknown(DeviceUnknown)
	}
	// The bundle that vouched for a workload is another by now: what is under way
	// stops, and the next request is judged by the new one.
	if c.peer.stale() {
		return unknown(CertificateUntrusted)
	}
	if _, _, reason := c.token.standing(view, c.device, now); reason != "" {
		return unknown(reason)
	}
	return nil
}

// TokenID is the token's jti, to find its issue in the log.
func (c Caller) TokenID() string {
	if c.token == nil {
		return ""
	}
	return c.token.id
}

// Expires is when the token ends, or the certificate or the session if earlier. A stream
// under way must not outlive it.
func (c Caller) Expires() time.Time {
	if !c.Known() {
		return time.Time{}
	}
	t := earliest(c.token.expires, c.peer.until)
	if !c.until.IsZero() {
		t = earliest(t, c.until)
	}
	return t
}

// Address is the other end of the connection: the caller's machine, or whatever
// stands before it. What a header says of it is not looked at. The zero Addr is
// unknown.
func (c Caller) Address() netip.Addr { return c.address }

// Transport is how the request arrived.
func (c Caller) Transport() Transport {
	if c.peer == nil {
		return Transport{}
	}
	t := c.peer.transport
	if c.token != nil {
		t.TokenBinding = string(c.token.bound())
	}
	return t
}

// Verifier identifies callers. It is safe for concurrent use.
type Verifier struct {
	clients *x509.CertPool
	domains *TrustDomains // nil: no SPIFFE workload is known
	tokens  *Tokens
	now     func() time.Time
	dpop    *dpop
	seen    seenTokens
}

// NewVerifier trusts client certificates of the pool and access tokens of
// tokens. It remembers as many as remember tokens (0: 16,384) that it has
// verified, so that a signature is checked once and not at each request.
func NewVerifier(clients *x509.CertPool, tokens *Tokens, now func() time.Time, remember int) (*Verifier, error) {
	if clients == nil || tokens == nil || now == nil {
		return nil, problem.New(problem.Internal, "The verifier lacks its authorities, its token keys or its clock", "Pass all three")
	}
	proofs, err := newDPoP(tokens.issuer, now())
	if err != nil {
		return nil, err
	}
	v := &Verifier{clients: clients, tokens: tokens, now: now, dpop: proofs}
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
// this connection, the application by a token that is bound to it, or to a key
// with which it signed this very request. An error is a problem of kind Unknown,
// whose Reason is for the log only: answer it with WriteUnknownCaller.
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
	raw, scheme, reason := credentials(r.Header)
	if reason != "" {
		return Caller{}, unknown(reason)
	}
	tok, digest, reason := v.token(raw, now)
	if reason != "" {
		return Caller{}, unknown(reason)
	}
	if reason := tok.fits(p, scheme); reason != "" {
		return Caller{}, unknown(reason)
	}
	if tok.jkt != "" {
		if err := v.proven(r, tok, &digest, now); err != nil {
			return Caller{}, unproven(err)
		}
	}
	app, until, reason := tok.standing(view, device.ID, now)
	if reason != "" {
		return Caller{}, unknown(reason)
	}
	if app.Vendor != device.Vendor {
		return Caller{}, unknown(AppVendorMismatch)
	}
	return Caller{vendor: app.Vendor, app: app.ID, kind: app.Kind, device: device.ID, token: tok, peer: p, until: until, address: addressOf(r)}, nil
}

// standing looks up what the token rests on, and that it was not taken back: the
// application, the grant, and for a person the session and the authorization.
// It returns when the session ends, if there is one.
func (k *token) standing(view *snapshot.View, device id.Device, now time.Time) (app *snapshot.App, until time.Time, _ Reason) {
	app, ok := view.Apps.Get(k.app)
	if !ok {
		return nil, until, AppUnknown
	}
	if k.grant != "" {
		g, ok := view.Grants.Get(k.grant)
		if !ok || g.App != app.ID || k.person != "" && g.Person != k.person {
			return nil, until, GrantMismatch
		}
	}
	if !app.Accepts(k.id, k.issued) {
		return nil, until, TokenRevoked
	}
	if k.session == "" {
		return app, until, ""
	}
	s, ok := view.Sessions.Get(k.session)
	if !ok || !sessionCounts(view, s, now) || s.Person != k.person || s.Vendor != app.Vendor {
		return nil, until, TokenSession
	}
	a, ok := s.Authorization(k.authorization)
	if !ok || !a.Live() || a.App != app.ID || a.Grant != k.grant || a.Device != device {
		return nil, until, TokenSession
	}
	return app, s.ExpiresAt, ""
}

// addressOf is the address that the server saw the connection come from.
func addressOf(r *http.Request) netip.Addr {
	a, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return a.Addr().Unmap()
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

// proven checks the DPoP proof of a request with a token that is bound to a key.
func (v *Verifier) proven(r *http.Request, tok *token, digest *[sha256.Size]byte, now time.Time) error {
	p, err := v.dpop.read(r.Header, asked{r.Method, r.URL.EscapedPath(), digest}, now)
	if err != nil {
		return err
	}
	if p.jkt != tok.jkt {
		return TokenBoundElsewhere
	}
	return v.dpop.fresh(p, tok.app, now)
}

// The schemes of the Authorization header.
type scheme string

const (
	bearerScheme scheme = "bearer" // RFC 6750
	dpopScheme   scheme = "dpop"   // RFC 9449, section 7.1
)

// credentials takes the token out of the Authorization header (RFC 6750,
// section 2.1; RFC 9449, section 7.1). Query and form parameters are not looked
// at: they end up in logs.
func credentials(h http.Header) (string, scheme, Reason) {
	values := h["Authorization"]
	switch {
	case len(values) == 0:
		return "", "", TokenAbsent
	case len(values) > 1:
		return "", "", TokenMalformed
	}
	by := bearerScheme
	v, ok := afterScheme(values[0], bearerScheme)
	if !ok {
		by = dpopScheme
		v, ok = afterScheme(values[0], dpopScheme)
	}
	if !ok || len(v) > maxToken {
		return "", "", TokenMalformed
	}
	dots := 0
	for i := range len(v) {
		switch c := v[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		case c == '.':
			dots++
		default:
			return "", "", TokenMalformed
		}
	}
	if dots != 2 {
		return "", "", TokenMalformed
	}
	return v, by, ""
}

// afterScheme is what follows the scheme's name, in any case, and one space.
func afterScheme(v string, s scheme) (string, bool) {
	if len(v) <= len(s)+1 || v[len(s)] != ' ' {
		return "", false
	}
	for i := range len(s) {
		c := v[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != s[i] {
			return "", false
		}
	}
	return v[len(s)+1:], true
}

// token verifies a token's text, or remembers that it has, and checks its time.
// It returns the SHA-256 of the text too.
func (v *Verifier) token(raw string, now time.Time) (*token, [sha256.Size]byte, Reason) {
	// The bytes of a string are read, not changed: this spares a copy of each
	// token at each request.
	key := sha256.Sum256(unsafe.Slice(unsafe.StringData(raw), len(raw)))
	t := v.seen.get(key)
	if t == nil {
		var reason Reason
		if t, reason = v.tokens.verify(raw); reason != "" {
			return nil, key, reason
		}
		v.seen.put(key, t, now)
	}
	switch {
	case !now.Before(t.expires): // no tolerance: the clock that set it is ours
		return nil, key, TokenExpired
	case t.issued.After(now.Add(skew)):
		return nil, key, TokenFromFuture
	}
	return t, key, ""
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

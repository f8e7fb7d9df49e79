package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
)

// Demonstrating proof of possession (RFC 9449), beside certificate binding.
//
// The TLS connection proves the device. Where the application's key lives in
// another process than the one that ends TLS (behind a local agent, a proxy of
// the vendor), the connection does not prove the application: whoever may speak
// through that agent could use the token. So an application can sign each
// request with a key of its own. A token is bound
//
//	mtls       to the certificate of the connection it was issued on,
//	mtls+dpop  to that certificate and to the key of the proof that came with
//	           the token request; what a proof gets by default, or
//	dpop       to that key alone, on any registered device of the vendor that the
//	           grant names: only for an application that is registered so;
//
// and never to nothing. A registered device's certificate is required in all
// three.
const (
	proofType = "dpop+jwt"
	maxProof  = 4 << 10
	// ProofLife is how old a proof may be (policy; RFC 9449, section 11.1: "a
	// brief period"), besides the skew of two clocks.
	ProofLife = 30 * time.Second
	// nonceLife is how long a nonce is given out. It is accepted for one such
	// time more.
	nonceLife = time.Minute
	// proofMemory is how long a proof must be remembered: from the earliest moment
	// at which it is accepted to the latest.
	proofMemory = skew + ProofLife + skew
	// Limits on what is remembered, as with Replays: an application that is
	// registered but hostile can use up its own share, not another's.
	maxProofs       = 500_000
	maxProofsPerApp = 100_000
)

// dpop checks proofs. Which it has seen is in memory alone: to write each to
// the disk would cost a request more than everything else in it. What a restart
// forgets is made up for by a nonce: a proof that could have been made before
// this process began is accepted with a nonce of this process only (RFC 9449,
// section 8). Several nodes do not share what they have seen: a proof that is
// copied within its life can be used once at each, over a device of the same
// vendor, for the same method and URL.
type dpop struct {
	origin string // "https://host", normal
	born   time.Time
	secret [32]byte
	seen   proofs
}

func newDPoP(base string, now time.Time) (*dpop, error) {
	u, err := url.Parse(base)
	if err != nil {
		return nil, err
	}
	d := &dpop{origin: originOf(u), born: now}
	d.seen = proofs{max: maxProofs, maxApp: maxProofsPerApp}
	rand.Read(d.secret[:]) // never fails
	return d, nil
}

// proof is what a valid proof says. Whether it is new is for fresh to say.
type proof struct {
	jkt    string // RFC 7638 thumbprint of its key, base64url
	jti    string
	issued time.Time
}

// asked is what a proof must be about.
type asked struct {
	method, path string             // path: escaped, as on the wire
	token        *[sha256.Size]byte // of the access token's text; nil at the token endpoint
}

// proofClaims is the proof on the wire (RFC 9449, section 4.2).
type proofClaims struct {
	ID     string           `json:"jti"`
	Method string           `json:"htm"`
	URL    string           `json:"htu"`
	Issued *jwt.NumericDate `json:"iat"`
	Token  string           `json:"ath"`
	Nonce  string           `json:"nonce"`
}

var proofAlgorithms = []jose.SignatureAlgorithm{jose.ES256}

// read checks a proof by RFC 9449, section 4.3. What is cheap comes before the
// signature.
func (d *dpop) read(h http.Header, a asked, now time.Time) (proof, error) {
	values := h["Dpop"] // canonical form of DPoP
	switch {
	case len(values) == 0:
		return proof{}, ProofAbsent
	case len(values) > 1 || len(values[0]) > maxProof:
		return proof{}, ProofMalformed
	}
	jws, err := jose.ParseSignedCompact(values[0], proofAlgorithms)
	if err != nil || len(jws.Signatures) != 1 {
		return proof{}, ProofMalformed
	}
	header := jws.Signatures[0].Protected
	key, ok := proofKey(header)
	if !ok {
		return proof{}, ProofMalformed
	}
	var c proofClaims
	if err := json.Unmarshal(jws.UnsafePayloadWithoutVerification(), &c); err != nil {
		return proof{}, ProofMalformed
	}
	if c.ID == "" || len(c.ID) > maxJTI || c.Issued == nil {
		return proof{}, ProofMalformed
	}
	if c.Method != a.method || !d.sameURL(c.URL, a.path) {
		return proof{}, ProofElsewhere
	}
	if a.token == nil {
		if c.Token != "" {
			return proof{}, ProofElsewhere
		}
	} else if c.Token != base64.RawURLEncoding.EncodeToString(a.token[:]) {
		return proof{}, ProofElsewhere
	}
	iat := c.Issued.Time()
	switch {
	case iat.After(now.Add(skew)):
		return proof{}, ProofFromFuture
	case !now.Before(iat.Add(ProofLife + skew)):
		return proof{}, ProofStale
	}
	if _, err := jws.Verify(key); err != nil {
		return proof{}, ProofSignature
	}
	if c.Nonce != "" && !d.goodNonce(c.Nonce, now) || c.Nonce == "" && !iat.After(d.born.Add(skew)) {
		return proof{}, &nonceNeeded{d.nonce(now)}
	}
	sum, err := header.JSONWebKey.Thumbprint(crypto.SHA256)
	if err != nil {
		return proof{}, ProofMalformed
	}
	return proof{base64.RawURLEncoding.EncodeToString(sum), c.ID, iat}, nil
}

// fresh marks the proof as used by the application: ProofReplayed, or
// ReplayCacheFull.
func (d *dpop) fresh(p proof, app id.App, now time.Time) error {
	return d.seen.use(app, sha256.Sum256([]byte(p.jkt+"\x00"+p.jti)), p.issued, now)
}

// proofKey is the public key in the proof's own header: P-256, for ES256, and
// no private part. A proof that names keys by address, or lists extensions, is
// not one.
func proofKey(h jose.Header) (*ecdsa.PublicKey, bool) {
	if h.ExtraHeaders[jose.HeaderType] != proofType || h.JSONWebKey == nil || !h.JSONWebKey.IsPublic() || hasChain(h) {
		return nil, false
	}
	for name := range h.ExtraHeaders {
		switch name {
		case "jku", "x5u", "crit", "b64":
			return nil, false
		}
	}
	key, ok := h.JSONWebKey.Key.(*ecdsa.PublicKey)
	return key, ok && key.Curve == elliptic.P256()
}

// sameURL compares htu with what was asked, after normalisation, and without
// query and fragment (RFC 9449, section 4.3, 9; RFC 3986, sections 6.2.2 and
// 6.2.3). The origin is the public one, whatever Host says.
func (d *dpop) sameURL(htu, path string) bool {
	u, err := url.Parse(htu)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.Opaque != "" || originOf(u) != d.origin {
		return false
	}
	return normalPath(u.EscapedPath()) == normalPath(path)
}

func originOf(u *url.URL) string {
	return u.Scheme + "://" + strings.TrimSuffix(strings.ToLower(u.Host), ":443")
}

// normalPath writes escapes in one way: unreserved characters bare, hex digits
// in upper case. Dot segments stay, since the gateway does not resolve them.
func normalPath(p string) string {
	if p == "" {
		return "/"
	}
	if strings.IndexByte(p, '%') < 0 {
		return p
	}
	var b strings.Builder
	for i := 0; i < len(p); i++ {
		if p[i] != '%' || i+2 >= len(p) {
			b.WriteByte(p[i])
			continue
		}
		hi, lo := unhex(p[i+1]), unhex(p[i+2])
		if hi < 0 || lo < 0 {
			b.WriteByte(p[i])
			continue
		}
		switch c := byte(hi<<4 | lo); {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.', c == '_', c == '~':
			b.WriteByte(c)
		default:
			b.WriteString("%" + strings.ToUpper(p[i+1:i+3]))
		}
		i += 2
	}
	return b.String()
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// nonce is what a proof may carry now. It is a MAC over the time, so that none
// need be remembered.
func (d *dpop) nonce(now time.Time) string {
	return d.nonceAt(now.Unix() / int64(nonceLife/time.Second))
}

func (d *dpop) nonceAt(slot int64) string {
	mac := hmac.New(sha256.New, d.secret[:])
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(slot))
	mac.Write(b[:])
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:16])
}

func (d *dpop) goodNonce(n string, now time.Time) bool {
	slot := now.Unix() / int64(nonceLife/time.Second)
	return hmac.Equal([]byte(n), []byte(d.nonceAt(slot))) || hmac.Equal([]byte(n), []byte(d.nonceAt(slot-1)))
}

// nonceNeeded says that everything about a proof is right but its nonce.
type nonceNeeded struct{ nonce string }

func (n *nonceNeeded) Error() string { return string(ProofNonce) }
func (n *nonceNeeded) Unwrap() error { return ProofNonce }

// WriteUnknownCaller answers a caller whom Verifier.Caller did not know:
// WriteUnknown, but that a caller whose proof lacks nothing but a nonce is given
// one (RFC 9449, section 9).
func WriteUnknownCaller(w http.ResponseWriter, err error) {
	var n *nonceNeeded
	if !errors.As(err, &n) {
		WriteUnknown(w)
		return
	}
	h := w.Header()
	h.Set("DPoP-Nonce", n.nonce)
	h.Set("WWW-Authenticate", `DPoP error="use_dpop_nonce", algs="ES256"`)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", "0")
	w.WriteHeader(http.StatusUnauthorized)
}

// unproven is the problem for a caller whose proof was not accepted.
func unproven(err error) error {
	if errors.Is(err, ReplayCacheFull) {
		return problem.New(problem.Unavailable, "Too many proofs are remembered now", "Try again in a minute, and send fewer requests at a time").Because(err)
	}
	return problem.New(problem.Unknown, "The caller is not known", "").Because(err)
}

// proofs remembers the proofs of the last while in two generations: the older
// is dropped as a whole, so that no request waits for a sweep. When there is no
// room it refuses.
type proofs struct {
	mu       sync.Mutex
	max      int
	maxApp   int
	began    time.Time // when the newer generation did
	newest   time.Time // the latest time seen: a clock that goes back brings nothing forgotten back
	now, old generation
}

type generation struct {
	used  map[[sha256.Size]byte]struct{}
	count map[id.App]int
}

func (p *proofs) use(app id.App, key [sha256.Size]byte, issued, now time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.newest = latest(p.newest, now)
	if !p.newest.Before(issued.Add(ProofLife + skew)) {
		return ProofStale
	}
	switch age := p.newest.Sub(p.began); {
	case p.began.IsZero() || age >= 2*proofMemory:
		p.old = generation{}
		p.now, p.began = newGeneration(), p.newest
	case age >= proofMemory:
		p.old = p.now
		p.now, p.began = newGeneration(), p.newest
	}
	if _, ok := p.now.used[key]; ok {
		return ProofReplayed
	}
	if _, ok := p.old.used[key]; ok {
		return ProofReplayed
	}
	if len(p.now.used)+len(p.old.used) >= p.max || p.now.count[app]+p.old.count[app] >= p.maxApp {
		return ReplayCacheFull
	}
	p.now.used[key] = struct{}{}
	p.now.count[app]++
	return nil
}

func newGeneration() generation {
	return generation{map[[sha256.Size]byte]struct{}{}, map[id.App]int{}}
}

package identity

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/sallyport/sallyport/snapshot"
)

// maxChain bounds the certificates that a client may send.
const maxChain = 8

// peer is the other end of one connection. It is worked out once, since a chain
// takes a tenth of a millisecond to verify; what changes with time is checked
// at each request.
type peer struct {
	leaf      *x509.Certificate
	refused   Reason // not empty: this connection will never be trusted
	binding   [sha256.Size]byte
	key       snapshot.KeyDigest // empty for a SPIFFE workload, which is known by its id alone
	from      time.Time
	until     time.Time
	transport Transport

	spiffe string // "spiffe://domain/path", of an X.509-SVID
	domain *trustDomain
	bundle *x509bundle.Bundle // by which it was verified
}

// stale reports whether the peer's trust domain has another bundle by now.
func (p *peer) stale() bool { return p.domain != nil && p.domain.bundle.Load() != p.bundle }

// Transport is how a request arrived. Its fields are those of
// policy.Transport, so that the one converts to the other.
type Transport struct {
	TLSVersion        string // "1.3"
	KeyExchange       string // "X25519MLKEM768"
	CertificateSHA256 string // hex; of the client's certificate
	TokenBinding      string // "mtls" (RFC 8705), "dpop" (RFC 9449), "mtls+dpop"; empty: unbound
}

// connection remembers the peer of a connection between its requests.
type connection struct{ peer atomic.Pointer[peer] }

// connectionKey is the context key. It holds the verifier, so that what one
// verifier found says nothing to another with other authorities.
type connectionKey struct{ v *Verifier }

// ConnContext is for http.Server.ConnContext. Without it everything works, but
// the client's certificate chain is verified at every request.
func (v *Verifier) ConnContext(ctx context.Context, _ net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{v}, &connection{})
}

// peer finds who is at the other end of the request's connection.
func (v *Verifier) peer(r *http.Request, now time.Time) (*peer, error) {
	if r.TLS == nil || !r.TLS.HandshakeComplete {
		return nil, unknown(NotTLS)
	}
	if len(r.TLS.PeerCertificates) == 0 {
		return nil, unknown(NoCertificate)
	}
	conn, _ := r.Context().Value(connectionKey{v}).(*connection)
	var p *peer
	if conn != nil {
		p = conn.peer.Load()
	}
	// The leaf is compared so that a request whose context and TLS state come
	// from two connections can never borrow the one's trust for the other.
	if p == nil || p.leaf != r.TLS.PeerCertificates[0] || p.stale() {
		p = v.inspect(r.TLS, now)
		if conn != nil {
			conn.peer.Store(p)
		}
	}
	if p.refused != "" {
		return nil, unknown(p.refused)
	}
	// A connection can outlive its certificate, and a clock can go backwards.
	if now.Before(p.from) || !now.Before(p.until) {
		return nil, unknown(CertificateExpired)
	}
	return p, nil
}

// inspect verifies the client's chain. The handshake has proved already that
// the client holds the leaf's key (RFC 8446, section 4.4.3).
func (v *Verifier) inspect(state *tls.ConnectionState, now time.Time) *peer {
	leaf := state.PeerCertificates[0]
	p := &peer{leaf: leaf, binding: sha256.Sum256(leaf.Raw), key: digestSPKI(leaf.RawSubjectPublicKeyInfo)}
	p.transport = Transport{
		TLSVersion:        tlsVersion(state.Version),
		KeyExchange:       state.CurveID.String(),
		CertificateSHA256: hex.EncodeToString(p.binding[:]),
	}
	if now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
		p.refused = CertificateExpired
		return p
	}
	if len(state.PeerCertificates) > maxChain {
		p.refused = CertificateUntrusted
		return p
	}
	var chains [][]*x509.Certificate
	if isSVID(leaf) {
		p.key = ""
		var of spiffeid.ID
		if of, p.domain, p.bundle, chains, p.refused = v.domains.svid(state.PeerCertificates, now); p.refused != "" {
			return p
		}
		p.spiffe = of.String()
	} else if chains, p.refused = v.chains(state.PeerCertificates, now); p.refused != "" {
		return p
	}
	p.refused = CertificateKeyWeak
	for _, chain := range chains {
		from, until, strong := time.Time{}, leaf.NotAfter, true
		for _, c := range chain {
			strong = strong && strongKey(c.PublicKey)
			from, until = latest(from, c.NotBefore), earliest(until, c.NotAfter)
		}
		if strong && until.After(p.until) {
			p.from, p.until, p.refused = from, until, ""
		}
	}
	return p
}

// chains leads from a client's certificate to the authorities of devices and
// people.
func (v *Verifier) chains(certs []*x509.Certificate, now time.Time) ([][]*x509.Certificate, Reason) {
	leaf, intermediates := certs[0], x509.NewCertPool()
	for _, c := range certs[1:] {
		intermediates.AddCert(c)
	}
	chains, err := leaf.Verify(x509.VerifyOptions{
		Roots:         v.clients,
		Intermediates: intermediates,
		CurrentTime:   now,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil || leaf.IsCA {
		return nil, CertificateUntrusted
	}
	return chains, ""
}

func tlsVersion(v uint16) string {
	switch v {
	case tls.VersionTLS13:
		return "1.3"
	case tls.VersionTLS12:
		return "1.2"
	default:
		return "other"
	}
}

package gateway

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"net/http"
	"slices"

	"github.com/sallyport/sallyport/audit"
)

// legOf is what protected an answer on its way from the source.
func legOf(resp *http.Response) audit.Leg {
	s := resp.TLS
	if s == nil {
		return audit.Leg{TLS: "none"} // NewSource lets plain HTTP stay on this machine
	}
	l := audit.Leg{TLS: "1.2"}
	if s.Version >= tls.VersionTLS13 {
		l.TLS = "1.3"
	}
	if name := s.CurveID.String(); s.CurveID != 0 && audit.KeyExchange(name) {
		l.KeyExchange = name
	}
	if len(s.PeerCertificates) > 0 {
		l.Certificate = sha256.Sum256(s.PeerCertificates[0].Raw)
	}
	return l
}

// came remembers the leg of an answer. A release may be put together from
// several, over several connections: the record says the weakest of them, and of
// equals the last.
func (d *Desk) came(l audit.Leg) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.leg.TLS == "" || strength(l) <= strength(d.leg) {
		d.leg = l
	}
}

// upstreamLeg is the weakest leg so far; the zero Leg before the first answer.
func (d *Desk) upstreamLeg() audit.Leg {
	if d == nil {
		return audit.Leg{}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.leg
}

func strength(l audit.Leg) int {
	return slices.Index([]string{"none", "1.2", "1.3"}, l.TLS)
}

var errPinned = errors.New("the source's certificate is none of those that are pinned")

// pinned wants one of the pins in the connection: the SHA-256 of the source's
// certificate, or of the public key (SubjectPublicKeyInfo) of a certificate in a
// chain that was verified. Pins come on top of that: they never replace it.
func pinned(pins []string, s tls.ConnectionState) error {
	if len(pins) == 0 {
		return nil
	}
	has := func(b []byte) bool {
		sum := sha256.Sum256(b)
		return slices.Contains(pins, hex.EncodeToString(sum[:]))
	}
	if len(s.PeerCertificates) > 0 && has(s.PeerCertificates[0].Raw) {
		return nil
	}
	for _, chain := range s.VerifiedChains {
		if slices.ContainsFunc(chain, func(c *x509.Certificate) bool { return has(c.RawSubjectPublicKeyInfo) }) {
			return nil
		}
	}
	return errPinned
}

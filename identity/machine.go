package identity

import (
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net/http"
	"time"

	"github.com/sallyport/sallyport/snapshot"
)

// Machine is a registered device at the other end of a connection, without an
// application: for what is the device's own, such as its renewal.
type Machine struct {
	Device    *snapshot.Device
	Key       crypto.PublicKey // of its certificate, which is the registered one
	Until     time.Time        // when its certificate ends
	Transport Transport
}

// Machine identifies a device by the certificate of this connection. As with
// Caller, whether the device is approved is not asked here. An error is a problem
// of kind Unknown, whose Reason is for the log only.
func (v *Verifier) Machine(r *http.Request, view *snapshot.View) (Machine, error) {
	p, err := v.peer(r, v.now())
	if err != nil {
		return Machine{}, err
	}
	d, err := deviceOf(p, view)
	if err != nil {
		return Machine{}, err
	}
	return Machine{Device: d, Key: p.leaf.PublicKey, Until: p.until, Transport: p.transport}, nil
}

// Whose says to whom the credentials of a request belong, whether or not they still
// count: the device by the certificate of this connection, and the application by a token
// of ours that is bound to it, or nil. It admits nobody: it is for the record of what was
// tried after the end.
func (v *Verifier) Whose(r *http.Request, view *snapshot.View) (*snapshot.Device, *snapshot.App) {
	m, err := v.Machine(r, view)
	if err != nil {
		return nil, nil
	}
	raw, scheme, reason := credentials(r.Header)
	if reason != "" {
		return m.Device, nil
	}
	tok, reason := v.tokens.verify(raw)
	if reason != "" {
		return m.Device, nil
	}
	p, err := v.peer(r, v.now())
	if err != nil || tok.fits(p, scheme) != "" {
		return m.Device, nil
	}
	if app, ok := view.Apps.Get(tok.app); ok && app.Vendor == m.Device.Vendor {
		return m.Device, app
	}
	return m.Device, nil
}

// HeldKey is the public key that the other end of this connection has proved to
// hold, in the handshake (RFC 8446, section 4.4.3), and its digest. Nobody vouches
// for it and its certificate counts for nothing: it says who is the same as
// before, not who they are.
func HeldKey(r *http.Request) (crypto.PublicKey, snapshot.KeyDigest, error) {
	if r.TLS == nil || !r.TLS.HandshakeComplete || r.TLS.Version < tls.VersionTLS13 {
		return nil, "", unknown(NotTLS)
	}
	if len(r.TLS.PeerCertificates) == 0 {
		return nil, "", unknown(NoCertificate)
	}
	leaf := r.TLS.PeerCertificates[0]
	if !strongKey(leaf.PublicKey) {
		return nil, "", unknown(CertificateKeyWeak)
	}
	return leaf.PublicKey, digestSPKI(leaf.RawSubjectPublicKeyInfo), nil
}

// SelfSigned is a credential that nobody vouches for, to prove a key: see HeldKey.
func SelfSigned(key crypto.Signer, now time.Time) (*Credential, error) {
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: "not enrolled"},
		NotBefore:   now.Add(-backdate),
		NotAfter:    now.Add(ClientLife),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	var err error
	if template.SerialNumber, err = serial(); err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make a certificate of one's own: %w", err)
	}
	return NewCredential(encodeChain([][]byte{der}), key)
}

// IssueTo issues a client certificate for a public key whose holder has proved to
// hold it on this connection: see HeldKey and Machine. A zero life is ClientLife.
func (a *Authority) IssueTo(pub crypto.PublicKey, s Subject, life time.Duration, now time.Time) ([]byte, error) {
	template, err := clientTemplate(s)
	if err != nil {
		return nil, err
	}
	if !strongKey(pub) {
		return nil, unknown(CertificateKeyWeak)
	}
	if life, err = clientLife(life); err != nil {
		return nil, err
	}
	der, err := a.sign(template, pub, life, now)
	if err != nil {
		return nil, err
	}
	return encodeChain([][]byte{der}), nil
}

// Anchor is the certificate, in PEM, by which clients verify this server: the
// built-in authority's, or the last of the chain that was configured.
func (s *ServerCertificate) Anchor() ([]byte, error) {
	if s.authority != nil {
		return s.authority.CertificatePEM(), nil
	}
	c := s.current.Load()
	if c == nil {
		return nil, errNoServerCertificate
	}
	return encodeChain(c.chain[len(c.chain)-1:]), nil
}

package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

// How long certificates live. These are policy: neither HIPAA nor NIST SP
// 800-57 sets them. Revocation does not wait for them, since each request looks
// its key up in the newest snapshot.
const (
	AuthorityLife = 10 * 365 * 24 * time.Hour
	ServerLife    = 30 * 24 * time.Hour
	ClientLife    = 30 * 24 * time.Hour
	MaxClientLife = 397 * 24 * time.Hour

	// backdate covers a peer whose clock is a little behind.
	backdate = 5 * time.Minute
)

const (
	authorityKeyFile  = "authority.key"
	authorityCertFile = "authority.pem"
)

// Authority is the built-in certificate authority: one P-384 key in one
// folder, that signs leaf certificates only. Its word is not trusted alone: a
// client's certificate counts only when its key is registered too.
type Authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// CreateAuthority makes a new authority in dir, which it creates if need be.
// It never overwrites one.
func CreateAuthority(dir, name string, now time.Time) (*Authority, error) {
	if name == "" || len(name) > 64 {
		return nil, problem.BadField("name", "The authority needs a name of 1 to 64 bytes", "Name it after the organisation")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create the authority's folder: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the authority's key: %w", err)
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(AuthorityLife),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true, // it signs leaves, never another authority
	}
	if template.SerialNumber, err = serial(); err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make the authority's certificate: %w", err)
	}
	if err := WriteKey(filepath.Join(dir, authorityKeyFile), key); err != nil {
		return nil, err
	}
	if err := writeNew(filepath.Join(dir, authorityCertFile), encodeChain([][]byte{der}), 0o644); err != nil {
		return nil, err
	}
	return OpenAuthority(dir)
}

// OpenAuthority opens the authority in dir.
func OpenAuthority(dir string) (*Authority, error) {
	key, err := ReadKey(filepath.Join(dir, authorityKeyFile))
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, authorityCertFile)
	data, err := readPublic(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, problem.BadField(path, "The authority has a key but no certificate: its making was interrupted",
				"Restore the file from a backup; if the authority is new, remove "+filepath.Join(dir, authorityKeyFile)+" and create it again").Because(err)
		}
		return nil, err
	}
	certs, err := parseCertificates(path, data)
	if err != nil {
		return nil, err
	}
	if len(certs) != 1 || !certs[0].IsCA || certs[0].KeyUsage&x509.KeyUsageCertSign == 0 {
		return nil, problem.BadField(path, "It is not the one certificate of an authority", "Restore the file that was written together with the key")
	}
	if pub, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool }); !ok || !pub.Equal(certs[0].PublicKey) {
		return nil, problem.BadField(path, "The authority's certificate and key do not belong together", "Restore both from the same backup")
	}
	return &Authority{cert: certs[0], key: key}, nil
}

// Pool trusts this authority, and only it.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// CertificatePEM is the authority's own certificate, to hand to clients.
func (a *Authority) CertificatePEM() []byte { return encodeChain([][]byte{a.cert.Raw}) }

// PoolFromFiles trusts the authorities in PEM files: an authority that the
// organisation runs itself. Every certificate must be an authority's.
func PoolFromFiles(paths ...string) (*x509.CertPool, error) {
	if len(paths) == 0 {
		return nil, problem.BadField("client_authorities", "No file is named, so no client could be trusted", "Name at least one PEM file of an authority")
	}
	pool := x509.NewCertPool()
	for _, path := range paths {
		data, err := readPublic(path)
		if err != nil {
			return nil, err
		}
		certs, err := parseCertificates(path, data)
		if err != nil {
			return nil, err
		}
		for i, c := range certs {
			if !c.IsCA || !c.BasicConstraintsValid {
				return nil, problem.BadField(path, fmt.Sprintf("Its certificate number %d is not an authority's", i+1), "Name the authority that issues the certificates, not one of the certificates that it issued")
			}
			pool.AddCert(c)
		}
	}
	return pool, nil
}

// Subject is whom a client certificate names. The name is for people who read
// it; what identifies the client is its key (see snapshot.KeyDigest).
type Subject struct{ kind, id string }

// DeviceSubject names a vendor's machine.
func DeviceSubject(d id.Device) Subject { return Subject{"device", string(d)} }

// PersonSubject names one of the organisation's people.
func PersonSubject(p id.Person) Subject { return Subject{"person", string(p)} }

// URN is the subject as the certificate's URI name: "urn:sallyport:device:mac-7".
func (s Subject) URN() string { return "urn:sallyport:" + s.kind + ":" + s.id }

func (s Subject) check() error {
	if s.kind == "" {
		return problem.BadField("subject", "The certificate names nobody", "Name a device or a person")
	}
	if err := id.Check(s.id); err != nil {
		return problem.BadField("subject."+s.kind, "The id has a wrong form", err.Error())
	}
	return nil
}

// Credential is a certificate with its private key.
type Credential struct {
	chain  [][]byte // DER, leaf first
	leaf   *x509.Certificate
	key    crypto.Signer
	digest snapshot.KeyDigest
}

// NewCredential pairs a certificate (PEM, leaf first) with its key.
func NewCredential(certPEM []byte, key crypto.Signer) (*Credential, error) {
	certs, err := parseCertificates("certificate", certPEM)
	if err != nil {
		return nil, err
	}
	if pub, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool }); !ok || !pub.Equal(certs[0].PublicKey) {
		return nil, problem.BadField("certificate", "The certificate is for another key", "Name the certificate and the key that belong together")
	}
	c := &Credential{leaf: certs[0], key: key, digest: digestSPKI(certs[0].RawSubjectPublicKeyInfo)}
	for _, cert := range certs {
		c.chain = append(c.chain, cert.Raw)
	}
	return c, nil
}

// ReadCredential reads a certificate file and its key file.
func ReadCredential(certFile, keyFile string) (*Credential, error) {
	key, err := ReadKey(keyFile)
	if err != nil {
		return nil, err
	}
	data, err := readPublic(certFile)
	if err != nil {
		return nil, err
	}
	c, err := NewCredential(data, key)
	if p := (*problem.Problem)(nil); errors.As(err, &p) && p.Field == "certificate" {
		q := *p
		q.Field = certFile
		return nil, &q
	}
	return c, err
}

// Write puts the certificate and the key into two new files.
func (c *Credential) Write(certFile, keyFile string) error {
	if err := WriteKey(keyFile, c.key); err != nil {
		return err
	}
	return writeNew(certFile, c.CertificatePEM(), 0o644)
}

// KeyDigest is what the registry must hold for this client to be known.
func (c *Credential) KeyDigest() snapshot.KeyDigest { return c.digest }

// CertificatePEM is the certificate with its chain.
func (c *Credential) CertificatePEM() []byte { return encodeChain(c.chain) }

// NotAfter is when the certificate ends.
func (c *Credential) NotAfter() time.Time { return c.leaf.NotAfter }

// Key is the private key.
func (c *Credential) Key() crypto.Signer { return c.key }

// TLS is the credential in the standard library's form.
func (c *Credential) TLS() tls.Certificate {
	return tls.Certificate{Certificate: c.chain, PrivateKey: c.key, Leaf: c.leaf}
}

// IssueServer makes a key and a server certificate for DNS names and IP
// addresses, valid for ServerLife.
func (a *Authority) IssueServer(names []string, now time.Time) (*Credential, error) {
	if len(names) == 0 {
		return nil, problem.BadField("names", "A server certificate needs a name", "List the DNS names and IP addresses that clients use")
	}
	template := &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else if name != "" {
			template.DNSNames = append(template.DNSNames, name)
		} else {
			return nil, problem.BadField("names", "One of the server's names is empty", "List the DNS names and IP addresses that clients use")
		}
	}
	return a.issueWithKey(template, ServerLife, now)
}

// IssueClient makes a key and a client certificate. It suits the demo and the
// first person; a vendor's device keeps its key to itself and sends a request
// (see SignRequest). A zero life is ClientLife.
func (a *Authority) IssueClient(s Subject, life time.Duration, now time.Time) (*Credential, error) {
	template, err := clientTemplate(s)
	if err != nil {
		return nil, err
	}
	if life, err = clientLife(life); err != nil {
		return nil, err
	}
	return a.issueWithKey(template, life, now)
}

// SignRequest issues a client certificate for the key of a certificate signing
// request (PKCS #10, PEM) and returns it in PEM with the key's digest. Of the
// request only the key is used: whom the certificate names is the caller's
// decision. A renewal is the same call with the same key.
func (a *Authority) SignRequest(csrPEM []byte, s Subject, life time.Duration, now time.Time) ([]byte, snapshot.KeyDigest, error) {
	block, rest := pem.Decode(csrPEM)
	if block == nil || block.Type != "CERTIFICATE REQUEST" || len(trimSpace(rest)) != 0 || len(csrPEM) > maxPEM {
		return nil, "", problem.BadField("csr", "It is not one certificate signing request in PEM", `Send one "CERTIFICATE REQUEST" block`)
	}
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, "", problem.BadField("csr", "The certificate signing request cannot be read", "Make the request again (PKCS #10)").Because(err)
	}
	if !strongKey(csr.PublicKey) {
		return nil, "", problem.BadField("csr", "Its key is not of an accepted kind", "Use ECDSA on P-256 or P-384, or RSA of at least 2048 bits")
	}
	// The signature proves that who asks holds the key.
	if err := csr.CheckSignature(); err != nil {
		return nil, "", problem.BadField("csr", "The request is not signed with its own key", "Make the request again with the key that it names").Because(err)
	}
	template, err := clientTemplate(s)
	if err != nil {
		return nil, "", err
	}
	if life, err = clientLife(life); err != nil {
		return nil, "", err
	}
	der, err := a.sign(template, csr.PublicKey, life, now)
	if err != nil {
		return nil, "", err
	}
	return encodeChain([][]byte{der}), digestSPKI(csr.RawSubjectPublicKeyInfo), nil
}

// NewRequest makes a certificate signing request for a key: the vendor's half
// of SignRequest.
func NewRequest(key crypto.Signer) ([]byte, error) {
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		return nil, fmt.Errorf("make a certificate signing request: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), nil
}

// NewKey makes a private key for a device, a person or an application: P-256
// for 256, P-384 for 384.
func NewKey(bits int) (*ecdsa.PrivateKey, error) {
	switch bits {
	case 256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case 384:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	}
	return nil, problem.BadField("bits", "A key has 256 or 384 bits here", "Ask for 256 or 384")
}

func clientTemplate(s Subject) (*x509.Certificate, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	uri, err := url.Parse(s.URN())
	if err != nil {
		return nil, fmt.Errorf("name a client: %w", err)
	}
	return &x509.Certificate{
		Subject:     pkix.Name{CommonName: s.id},
		URIs:        []*url.URL{uri},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, nil
}

func clientLife(life time.Duration) (time.Duration, error) {
	if life == 0 {
		return ClientLife, nil
	}
	if life < 0 || life > MaxClientLife {
		return 0, problem.BadField("life", "A client certificate lives for at most 397 days", "Ask for a shorter life; renewal keeps the key")
	}
	return life, nil
}

func (a *Authority) issueWithKey(template *x509.Certificate, life time.Duration, now time.Time) (*Credential, error) {
	key, err := NewKey(256)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	der, err := a.sign(template, key.Public(), life, now)
	if err != nil {
		return nil, err
	}
	return NewCredential(encodeChain([][]byte{der}), key)
}

func (a *Authority) sign(template *x509.Certificate, pub crypto.PublicKey, life time.Duration, now time.Time) ([]byte, error) {
	if now.Before(a.cert.NotBefore) || !now.Before(a.cert.NotAfter) {
		return nil, problem.New(problem.Unavailable, "The certificate authority is outside its validity", "Check the clock; if the authority has ended, create another and register the clients again")
	}
	var err error
	if template.SerialNumber, err = serial(); err != nil {
		return nil, err
	}
	// A leaf that outlived its authority could not be verified anyway.
	template.NotBefore = latest(now.Add(-backdate), a.cert.NotBefore)
	template.NotAfter = earliest(now.Add(life), a.cert.NotAfter)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.BasicConstraintsValid = true // and not an authority
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, pub, a.key)
	if err != nil {
		return nil, fmt.Errorf("sign a certificate: %w", err)
	}
	return der, nil
}

// serial is a random serial number of 159 bits (RFC 5280, 4.1.2.2: at most 20
// octets, positive).
func serial() (*big.Int, error) {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 159))
	if err != nil {
		return nil, fmt.Errorf("draw a serial number: %w", err)
	}
	return n.Add(n, big.NewInt(1)), nil
}

func encodeChain(chain [][]byte) []byte {
	var out []byte
	for _, der := range chain {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return slices.Clip(out)
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

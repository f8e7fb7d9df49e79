package identity

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
)

// TrustDomainConfig is a vendor's SPIFFE trust domain: the authorities in the
// bundle may name workloads of that domain, and a workload of that domain can
// only be the vendor's.
type TrustDomainConfig struct {
	Name       string // "prod.northwind.example", without the scheme
	Vendor     id.Vendor
	BundleFile string // PEM, the X.509 authorities of the domain
}

// TrustDomains are the SPIFFE trust domains whose X.509-SVIDs are accepted as
// client certificates. Each has its own authorities, and they vouch for nothing
// else: neither for another domain nor for a device that is known by its key.
type TrustDomains struct {
	domains map[spiffeid.TrustDomain]*trustDomain
}

// trustDomain is one of them. Its bundle is replaced as a whole; nil is a bundle
// that cannot be read, and trusts nobody.
type trustDomain struct {
	name   spiffeid.TrustDomain
	vendor id.Vendor
	file   string
	bundle atomic.Pointer[x509bundle.Bundle]

	mu   sync.Mutex // one refresh at a time
	seen [sha256.Size]byte
}

// maxBundle bounds a bundle file, and maxAuthorities what it may hold.
const (
	maxBundle      = 1 << 20
	maxAuthorities = 64
)

// OpenTrustDomains reads the bundle of every domain. A domain stands there once,
// for one vendor.
func OpenTrustDomains(list []TrustDomainConfig) (*TrustDomains, error) {
	t := &TrustDomains{domains: map[spiffeid.TrustDomain]*trustDomain{}}
	for _, c := range list {
		name, err := spiffeid.TrustDomainFromString(c.Name)
		if err != nil || name.Name() != c.Name {
			return nil, problem.BadField("spiffe.trust_domain", "is not a SPIFFE trust domain", "Write it as in the ids, without spiffe://, such as prod.vendor.example").Because(err)
		}
		if _, twice := t.domains[name]; twice {
			return nil, problem.BadField("spiffe.trust_domain", "stands there twice: "+c.Name, "A trust domain belongs to one vendor; keep one entry")
		}
		if err := id.Check(c.Vendor); err != nil {
			return nil, problem.BadField("spiffe.vendor", "is not a vendor's id", "Name the vendor whose domain it is").Because(err)
		}
		d := &trustDomain{name: name, vendor: c.Vendor, file: c.BundleFile}
		if err := d.refresh(); err != nil {
			return nil, err
		}
		t.domains[name] = d
	}
	return t, nil
}

// Refresh takes up bundles that have changed. A bundle that cannot be read
// trusts nobody until it can, so a file is replaced by renaming a whole one over
// it.
func (t *TrustDomains) Refresh() error {
	if t == nil {
		return nil
	}
	var errs []error
	for _, d := range t.domains {
		errs = append(errs, d.refresh())
	}
	return errors.Join(errs...)
}

// Watch refreshes every so often until ctx ends, and logs what goes wrong.
func (t *TrustDomains) Watch(ctx context.Context, every time.Duration, log *slog.Logger) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := t.Refresh(); err != nil {
				log.Error("a SPIFFE bundle cannot be used; its trust domain is refused until it can", "err", err)
			}
		}
	}
}

func (d *trustDomain) refresh() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	bundle, sum, err := d.read()
	if err != nil {
		d.bundle.Store(nil)
		d.seen = [sha256.Size]byte{}
		return err
	}
	if d.bundle.Load() == nil || sum != d.seen {
		d.bundle.Store(bundle)
		d.seen = sum
	}
	return nil
}

func (d *trustDomain) read() (*x509bundle.Bundle, [sha256.Size]byte, error) {
	bad := func(title string, err error) (*x509bundle.Bundle, [sha256.Size]byte, error) {
		return nil, [sha256.Size]byte{}, problem.BadField("spiffe.bundle_file", title+": "+d.file,
			"Name a PEM file with the X.509 authorities of "+d.name.Name()+", as `spire-server bundle show` prints").Because(err)
	}
	if info, err := os.Stat(d.file); err != nil || info.Size() > maxBundle {
		return bad("cannot be read, or is larger than 1 MiB", err)
	}
	raw, err := os.ReadFile(d.file)
	if err != nil {
		return bad("cannot be read", err)
	}
	bundle, err := x509bundle.Parse(d.name, raw)
	if err != nil {
		return bad("is not a bundle in PEM", err)
	}
	authorities := bundle.X509Authorities()
	if len(authorities) == 0 || len(authorities) > maxAuthorities {
		return bad("holds no authority, or more than 64", nil)
	}
	for _, a := range authorities {
		if !a.IsCA || !a.BasicConstraintsValid || !strongKey(a.PublicKey) {
			return bad("holds a certificate that is not an authority's, or has a weak key", nil)
		}
		// An authority of a domain may carry its id; then it must be this one.
		for _, u := range a.URIs {
			if of, err := spiffeid.FromURI(u); err != nil || of.TrustDomain() != d.name {
				return bad("holds an authority of another trust domain", nil)
			}
		}
	}
	return bundle, sha256.Sum256(bytes.TrimSpace(raw)), nil
}

// TrustSPIFFE makes the verifier accept X.509-SVIDs of these domains. It is
// called before the first request.
func (v *Verifier) TrustSPIFFE(t *TrustDomains) { v.domains = t }

// isSVID reports whether a certificate names a SPIFFE id. Such a certificate is
// an SVID or nothing: it is never looked up by its key, whoever issued it.
func isSVID(c *x509.Certificate) bool {
	for _, u := range c.URIs {
		if strings.EqualFold(u.Scheme, spiffeScheme) {
			return true
		}
	}
	return false
}

const spiffeScheme = "spiffe"

// svid verifies an X.509-SVID by the bundle of the trust domain that its id
// names, and of no other (X509-SVID, sections 2 to 5). The chains are those that
// lead to that bundle.
func (t *TrustDomains) svid(certs []*x509.Certificate, now time.Time) (_ spiffeid.ID, _ *trustDomain, _ *x509bundle.Bundle, chains [][]*x509.Certificate, _ Reason) {
	leaf := certs[0]
	of, err := x509svid.IDFromCert(leaf)
	// More than one URI, another scheme, dot segments, escapes, a port or a user
	// are no SPIFFE id; without a path it is an authority's.
	if err != nil || of.Path() == "" || len(leaf.URIs) != 1 || leaf.URIs[0].String() != of.String() {
		return of, nil, nil, nil, SPIFFEInvalid
	}
	if t == nil {
		return of, nil, nil, nil, SPIFFEDomainUnknown
	}
	d, ok := t.domains[of.TrustDomain()]
	if !ok {
		return of, nil, nil, nil, SPIFFEDomainUnknown
	}
	// The domain and its bundle are told with a refusal too: when the bundle
	// changes, the connection is looked at anew.
	bundle := d.bundle.Load()
	if bundle == nil {
		return of, d, nil, nil, SPIFFEBundleUnreadable
	}
	if leaf.KeyUsage&x509.KeyUsageDigitalSignature == 0 ||
		len(leaf.ExtKeyUsage)+len(leaf.UnknownExtKeyUsage) > 0 && !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageClientAuth) {
		return of, d, bundle, nil, CertificateUntrusted
	}
	_, chains, err = x509svid.Verify(certs, bundle, x509svid.WithTime(now))
	if err != nil {
		return of, d, bundle, nil, CertificateUntrusted
	}
	return of, d, bundle, chains, ""
}

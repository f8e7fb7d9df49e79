package identity

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"syscall"
	"time"
)

// errInside is the refusal to call an address inside.
var errInside = errors.New("identity: the address is not a public one")

// outwardLimit is how long a call to an outsider's address may take in all.
const outwardLimit = 5 * time.Second

// OutwardOptions say what an outward client may reach.
type OutwardOptions struct {
	Roots *x509.CertPool // who vouches for the far end; nil: the system's
	// Networks are ranges that count as public although they are not.
	Networks []netip.Prefix
}

// NewOutwardClient makes an HTTP client for addresses that an outsider had a say
// in: an issuer, a jwks_uri. It follows no redirects, takes no proxy, and connects
// to public addresses only, judged after the name was looked up, so that nobody can
// have the server ask its own neighbours. The caller bounds what it reads.
func NewOutwardClient(o OutwardOptions) *http.Client {
	networks := slices.Clone(o.Networks)
	d := &net.Dialer{Timeout: outwardLimit, Control: func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil || !isPublic(at.Addr(), networks) {
			return errInside
		}
		return nil
	}}
	return &http.Client{
		Timeout: outwardLimit,
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				return d.DialContext(ctx, network, addr)
			},
			TLSClientConfig:        &tls.Config{RootCAs: o.Roots, MinVersion: tls.VersionTLS12},
			ForceAttemptHTTP2:      true,
			TLSHandshakeTimeout:    outwardLimit,
			ResponseHeaderTimeout:  outwardLimit,
			MaxResponseHeaderBytes: 32 << 10,
			MaxIdleConnsPerHost:    2,
			IdleConnTimeout:        30 * time.Second,
		},
		CheckRedirect: noRedirect,
	}
}

// notPublic are ranges that lead into a house, or nowhere, and that netip does not
// call private (IANA special-purpose address registries), or that lead to IPv4
// addresses by translation, which then would not be judged.
var notPublic = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("192.88.99.0/24"), netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("::/96"), netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"),
	netip.MustParsePrefix("100::/64"), netip.MustParsePrefix("2001::/23"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2002::/16"),
	netip.MustParsePrefix("fec0::/10"),
}

// isPublic reports whether an address is a public one, or of networks that count as
// public.
func isPublic(a netip.Addr, networks []netip.Prefix) bool {
	a = a.Unmap().WithZone("")
	within := func(ps []netip.Prefix) bool {
		return slices.ContainsFunc(ps, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	return within(networks) || a.IsGlobalUnicast() && !a.IsPrivate() && !within(notPublic)
}

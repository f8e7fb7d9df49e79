package identity

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

func TestOutwardAddresses(t *testing.T) {
	vpn := []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}
	for _, c := range []struct {
		addr string
		ok   bool
	}{
		{"8.8.8.8", true}, {"2606:4700::1111", true}, {"::ffff:8.8.8.8", true}, {"10.1.2.3", true}, {"::ffff:10.1.2.3", true},
		{"10.2.0.1", false}, {"127.0.0.1", false}, {"::1", false}, {"::ffff:127.0.0.1", false}, {"0.0.0.0", false}, {"::", false}, {"0.1.2.3", false},
		{"169.254.169.254", false}, {"fe80::1", false}, {"fd00::1", false}, {"fec0::1", false}, {"172.16.0.1", false}, {"192.168.1.1", false},
		{"100.64.0.1", false}, {"198.18.0.1", false}, {"224.0.0.1", false}, {"255.255.255.255", false}, {"ff02::1", false},
		{"64:ff9b::7f00:1", false}, {"2002:7f00:1::", false}, {"2001:db8::1", false},
	} {
		if got := isPublic(netip.MustParseAddr(c.addr), vpn); got != c.ok {
			t.Errorf("%s: got %v, want %v", c.addr, got, c.ok)
		}
	}
}

// The address is judged when it is dialled, so a name that leads inside leads
// nowhere; a redirect is not followed.
func TestOutwardClientStaysOutside(t *testing.T) {
	asked := 0
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		http.Redirect(w, r, "https://localhost:1/", http.StatusFound)
	}))
	defer srv.Close()
	roots := srv.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	if _, err := NewOutwardClient(OutwardOptions{Roots: roots}).Get(srv.URL); !errors.Is(err, errInside) || asked != 0 {
		t.Errorf("a loopback address: got %v, asked %d times", err, asked)
	}
	resp, err := NewOutwardClient(OutwardOptions{Roots: roots, Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}).Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusFound || asked != 1 {
		t.Errorf("got %d, asked %d times; want the redirect itself, once", resp.StatusCode, asked)
	}
}

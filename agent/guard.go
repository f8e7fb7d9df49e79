package agent

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"net"
	"net/http"
	"strings"

	"github.com/sallyport/sallyport/problem"
)

// guard lets in the local clients of this machine's own user.
type guard struct {
	hosts  []string // that a request may be for: names of loopback with the port
	secret string   // that every client must send; empty: none
	uid    int      // whose connections are served; -1: the system does not say whose they are
}

// connOwner is the context key of a connection's owner.
type connOwner struct{}

// connContext notes whose a connection is, once: its owner does not change.
func connContext(ctx context.Context, c net.Conn) context.Context {
	if ownerOf == nil {
		return ctx
	}
	if uid, ok := ownerOf(c.RemoteAddr(), c.LocalAddr()); ok {
		return context.WithValue(ctx, connOwner{}, uid)
	}
	return ctx
}

// newSecret is a secret of one run: 130 random bits.
func newSecret() string { return rand.Text() }

// check says why a request is not let in.
func (g *guard) check(r *http.Request) *problem.Problem {
	// A page in a browser that reaches this address by a name of its own (DNS
	// rebinding) gives that name here; a page of another origin says so.
	known := false
	for _, h := range g.hosts {
		known = known || strings.EqualFold(r.Host, h)
	}
	if !known {
		return problem.New(problem.Refused, "This address is for clients on this machine", "Use the address that the agent printed, as it is: "+g.hosts[0])
	}
	if r.Header.Get("Origin") != "" || !oneOf(r.Header.Get("Sec-Fetch-Site"), "", "none") {
		return problem.New(problem.Refused, "Pages in a browser may not use the agent", "Use a program that is not a page in a browser")
	}
	if g.uid >= 0 {
		if uid, ok := r.Context().Value(connOwner{}).(int); !ok || uid != g.uid && uid != 0 {
			return strangersConnection()
		}
	}
	if g.secret != "" && !g.hasSecret(r) {
		return problem.New(problem.Unknown, "The agent's secret is missing or wrong", "Send it as a bearer token, or as the API key: the agent printed it when it started")
	}
	return nil
}

func strangersConnection() *problem.Problem {
	return problem.New(problem.Refused, "The agent serves only the user who started it", "Start an agent of your own: sallyport agent connect")
}

// hasSecret takes the secret as a bearer token, or as the password of basic
// authentication, which clients without tokens have.
func (g *guard) hasSecret(r *http.Request) bool {
	got, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		_, got, _ = r.BasicAuth()
	}
	return subtle.ConstantTimeCompare([]byte(got), []byte(g.secret)) == 1
}

func oneOf(s string, all ...string) bool {
	for _, a := range all {
		if s == a {
			return true
		}
	}
	return false
}

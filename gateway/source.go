package gateway

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/problem"
)

// SourceConfig is an upstream healthcare system and the credentials for it: at
// most one of Bearer, Username, Certificate and SMART, though a Certificate may
// accompany any.
type SourceConfig struct {
	ID          id.Source
	BaseURL     string // FHIR base, https; http only on loopback
	Bearer      string
	Username    string
	Password    string
	Certificate *tls.Certificate
	SMART       *identity.Client
	// RootCAs pins who may vouch for the server; nil is the system's.
	RootCAs *x509.CertPool
	// Pins are SHA-256 digests in hex, of the server's certificate or of a public
	// key in its chain; one of them must be there. Empty: no pin.
	Pins []string
	// HeaderTimeout is how long the source, and its token endpoint, may think before
	// an answer's head is there (0: 30 s), IdleTimeout how
	// long it may pause in the middle of an answer (0: 30 s).
	HeaderTimeout, IdleTimeout time.Duration
	Logger                     *slog.Logger
}

// Source is an upstream healthcare system. Its credentials live here and are
// sent nowhere else. Nothing of a caller's request reaches it but the question,
// in the gateway's own words.
type Source struct {
	id        id.Source
	base      *url.URL // path without a slash at the end
	text      string
	conns     *conns
	transport http.RoundTripper // conns, with a token where the source wants one
	auth      []string          // the Authorization header; nil: none
}

// NewSource checks c and opens no connection yet.
func NewSource(c SourceConfig) (*Source, error) {
	field := "sources." + string(c.ID)
	if err := id.Check(c.ID); err != nil {
		return nil, problem.BadField("sources.id", err.Error(), "Give the source a name of that form")
	}
	base, err := url.Parse(strings.TrimRight(c.BaseURL, "/"))
	if err != nil || base.Host == "" || base.User != nil || base.RawQuery != "" || base.Fragment != "" || base.RawPath != "" {
		return nil, problem.BadField(field+".url", "is not a FHIR base address", "Write https://host/path, without user, query or fragment")
	}
	switch base.Scheme {
	case "https":
	case "http":
		if host := base.Hostname(); host != "localhost" && !net.ParseIP(host).IsLoopback() {
			return nil, problem.BadField(field+".url", "is not https", "Patient data crosses networks encrypted only (45 CFR 164.312(e)); http is for this machine itself")
		}
	default:
		return nil, problem.BadField(field+".url", "is not https", "Write https://host/path")
	}
	ways := 0
	for _, set := range []bool{c.Bearer != "", c.Username != "", c.SMART != nil} {
		if set {
			ways++
		}
	}
	if ways > 1 {
		return nil, problem.BadField(field+".credentials", "names more than one way", "Keep one of bearer, basic and smart")
	}
	s := &Source{id: c.ID, base: base, text: base.String()}
	s.conns = &conns{dial: dialer(), tls: upstreamTLS(c), header: c.headerTimeout(), idle: cmp.Or(max(c.IdleTimeout, 0), 30*time.Second)}
	s.transport = s.conns
	switch {
	case c.Bearer != "":
		s.auth = []string{"Bearer " + c.Bearer}
	case c.Username != "":
		s.auth = []string{"Basic " + base64.StdEncoding.EncodeToString([]byte(c.Username+":"+c.Password))}
	case c.SMART != nil:
		s.transport = c.SMART.Transport(s.transport)
	}
	return s, nil
}

// upstreamTLS is TLS 1.2 at least, with a warning below 1.3, and the authority
// pinned where one is configured.
func upstreamTLS(c SourceConfig) *tls.Config {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	var old sync.Once
	config := &tls.Config{
		MinVersion: tls.VersionTLS12,
		RootCAs:    c.RootCAs,
		VerifyConnection: func(cs tls.ConnectionState) error {
			if cs.Version < tls.VersionTLS13 {
				old.Do(func() {
					c.Logger.Warn("the source speaks TLS 1.2 at best; ask its operator for TLS 1.3", "source", c.ID)
				})
			}
			return pinned(c.Pins, cs)
		},
	}
	if c.Certificate != nil {
		config.Certificates = []tls.Certificate{*c.Certificate}
	}
	return config
}

func dialer() *net.Dialer {
	return &net.Dialer{Timeout: connectTimeout, KeepAlive: 30 * time.Second}
}

// TokenTransport is how a source's token endpoint is reached: with the source's
// TLS, no proxy, whatever the environment says.
func TokenTransport(c SourceConfig) *http.Transport {
	return &http.Transport{
		DialContext:            dialer().DialContext,
		TLSClientConfig:        upstreamTLS(c),
		TLSHandshakeTimeout:    connectTimeout,
		ResponseHeaderTimeout:  c.headerTimeout(),
		IdleConnTimeout:        keptFor,
		MaxResponseHeaderBytes: maxAnswerHead,
		DisableCompression:     true,
	}
}

func (c SourceConfig) headerTimeout() time.Duration {
	return cmp.Or(max(c.HeaderTimeout, 0), 30*time.Second)
}

// ID is the source's name.
func (s *Source) ID() id.Source { return s.id }

// Base is its FHIR base address, without a slash at the end.
func (s *Source) Base() string { return s.text }

// accept and agent are the request headers that a source sees, besides its own
// credentials and those that HTTP needs.
var (
	accept = []string{"application/fhir+json"}
	agent  = []string{"Sallyport"}
)

// get asks for what is at rel, a path and query below the base, already
// encoded. The body, whose reads have a deadline each, must be closed.
func (s *Source) get(ctx context.Context, rel string) (*http.Response, error) {
	u, err := url.Parse(s.text + rel)
	if err != nil || !s.owns(u) {
		return nil, problem.New(problem.Internal, "a question to the source could not be written", "Tell the operator")
	}
	// No compression is asked for, so a few bytes cannot become gigabytes.
	req := &http.Request{
		Method: http.MethodGet, URL: u, Host: u.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Accept": accept, "User-Agent": agent},
	}
	if s.auth != nil {
		req.Header["Authorization"] = s.auth
	}
	resp, err := s.transport.RoundTrip(req.WithContext(ctx))
	if err != nil {
		return nil, unreachable(err)
	}
	if resp.Header.Get("Content-Encoding") != "" {
		resp.Body.Close()
		return nil, odd(errors.New("it compressed its answer, which was not asked for"))
	}
	if resp.StatusCode/100 == 3 {
		resp.Body.Close()
		return nil, odd(fmt.Errorf("it redirects (status %d), and redirects are not followed", resp.StatusCode))
	}
	return resp, nil
}

// owns says whether u is on the source's base: a link that a source gives must
// not lead its credentials elsewhere.
func (s *Source) owns(u *url.URL) bool {
	if u.Scheme != s.base.Scheme || u.Host != s.base.Host || u.User != nil || u.Opaque != "" || u.Fragment != "" {
		return false
	}
	if u.Path != s.base.Path && !strings.HasPrefix(u.Path, s.base.Path+"/") {
		return false
	}
	rest := strings.TrimPrefix(u.Path, s.base.Path)
	for seg := range strings.SplitSeq(rest, "/") {
		if seg == "." || seg == ".." || strings.ContainsAny(seg, "\\%") {
			return false
		}
	}
	return true
}

// below turns an absolute link of the source into what get takes.
func (s *Source) below(link string) (rel string, ok bool) {
	u, err := url.Parse(link)
	if err != nil {
		return "", false
	}
	if u.Host == "" && u.Scheme == "" {
		u = s.base.JoinPath("/").ResolveReference(u)
	}
	if !s.owns(u) {
		return "", false
	}
	return strings.TrimPrefix(u.String(), s.text), true
}

var errSlow = errors.New("the source took too long")

var errNotHTTP = errors.New("the connection broke, or what the source sent is not HTTP")

// inOurWords keeps an error of the network or of TLS, which name addresses and
// certificates, and replaces every other: those of net/http quote the source, and
// what a source sends instead of HTTP can be a patient's name.
func inOurWords(err error) error {
	var network *net.OpError
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	switch {
	case errors.As(err, &network):
		return network
	case errors.As(err, &certificate):
		return certificate
	case errors.Is(err, errPinned):
		return errPinned
	case errors.As(err, &alert):
		return alert
	case errors.As(err, &record):
		return errors.New("the source does not speak TLS there")
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return context.DeadlineExceeded
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return io.ErrUnexpectedEOF
	}
	return errNotHTTP
}

// unreachable: the cause goes to the log without the address, which holds ids.
func unreachable(err error) *problem.Problem {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return problem.New(problem.UpstreamFail, "The healthcare system did not answer",
		"Nothing was released. Try again; if it goes on, tell the organisation").Because(err)
}

func odd(err error) *problem.Problem {
	return problem.New(problem.UpstreamFail, "The healthcare system's answer was not as it must be",
		"Nothing was released. Try again; if it goes on, tell the organisation").Because(err)
}

package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/sallyport/sallyport/bench/site"
)

// ProxyConfig is a proxy of ours: what it stands before, and its certificates.
type ProxyConfig struct {
	PKI      string
	Upstream string // base URL
}

// ProxyReady is what it says when it listens.
type ProxyReady struct{ Addr string }

// serveReverse is the plain one: the standard library's reverse proxy with
// mutual TLS on both sides, connections kept, buffers used again.
func serveReverse(c ProxyConfig) error {
	return serveProxy(c, func(u *url.URL, t http.RoundTripper) http.Handler {
		return &httputil.ReverseProxy{
			Rewrite: func(r *httputil.ProxyRequest) {
				r.SetURL(&url.URL{Scheme: u.Scheme, Host: u.Host})
				r.Out.Host = u.Host
			},
			Transport:  t,
			BufferPool: &buffers{sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}},
		}
	})
}

type buffers struct{ p sync.Pool }

func (b *buffers) Get() []byte  { return *b.p.Get().(*[]byte) }
func (b *buffers) Put(x []byte) { b.p.Put(&x) }

// serveJSON is what a proxy costs that looks into the data in the usual way: it
// decodes each answer with encoding/json and encodes it again.
func serveJSON(c ProxyConfig) error {
	return serveProxy(c, func(u *url.URL, t http.RoundTripper) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			out := r.Clone(r.Context())
			out.URL.Scheme, out.URL.Host, out.Host, out.RequestURI = u.Scheme, u.Host, u.Host, ""
			resp, err := t.RoundTrip(out)
			if err != nil {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			defer resp.Body.Close()
			raw, err := io.ReadAll(resp.Body)
			var v any
			if err == nil {
				d := json.NewDecoder(bytes.NewReader(raw))
				d.UseNumber() // FHIR decimals keep their digits
				err = d.Decode(&v)
			}
			var body []byte
			if err == nil {
				body, err = json.Marshal(v)
			}
			if err != nil {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			w.Header().Set("Content-Type", resp.Header.Get("Content-Type"))
			w.Header().Set("Content-Length", strconv.Itoa(len(body)))
			w.WriteHeader(resp.StatusCode)
			_, _ = w.Write(body) // the client has gone: nothing to do
		})
	})
}

func serveProxy(c ProxyConfig, handler func(*url.URL, http.RoundTripper) http.Handler) error {
	pki, err := site.OpenPKI(c.PKI)
	if err != nil {
		return err
	}
	u, err := url.Parse(c.Upstream)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	t := &http.Transport{TLSClientConfig: pki.ClientTLS(), MaxIdleConnsPerHost: 256, IdleConnTimeout: time.Minute, DisableCompression: true}
	return pki.Serve(l, handler(u, t), ProxyReady{l.Addr().String()})
}

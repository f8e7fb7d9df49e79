package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sallyport/sallyport/agent/wire"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/seal/sealed"
)

// ConnectOptions say how local clients reach the agent.
type ConnectOptions struct {
	Port   int    // on 127.0.0.1; 0: any that is free
	Source string // that /fhir stands for; empty: the only one that the grants name
	Secret bool   // require a secret of every client also where connections' owners are known
}

// Local is the agent's endpoint for local clients.
type Local struct {
	agent  *Agent
	guard  *guard
	base   string // http://127.0.0.1:8090
	source string
	proxy  *httputil.ReverseProxy
	gate   tokenGate
	opener opener

	listener net.Listener

	mu   sync.Mutex
	said map[string]time.Time // refusals that the terminal was told lately
	// seen is what was last heard of the machine's standing.
	grants []wire.Grant
}

const (
	// maxRefusal is how much of a refusal is read, to explain it.
	maxRefusal = 256 << 10
	// maxFormBody bounds a search by POST.
	maxFormBody = 64 << 10
	// sayAgain is how long the terminal is not told the same refusal again.
	sayAgain = 30 * time.Second
	maxSaid  = 64
)

// Listen opens the endpoint. Only loopback, and only a numeric address of it: a
// name could be made to lead elsewhere.
func (a *Agent) Listen(ctx context.Context, o ConnectOptions) (*Local, error) {
	if !a.Ready() {
		return nil, errWaiting
	}
	if a.link.Load().tokens == nil {
		return nil, problem.BadField("app", "this machine was enrolled without a program", "Name one: sallyport agent connect --app ID --app-key FILE")
	}
	if o.Port < 0 || o.Port > 65535 {
		return nil, problem.BadField("port", "is not a port", "Use 0 to 65535")
	}
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", o.Port))
	if err != nil {
		return nil, problem.BadField("port", fmt.Sprintf("cannot listen on 127.0.0.1:%d", o.Port), "Free the port, or choose another with --port").Because(err)
	}
	addr := listener.Addr().String()
	_, port, _ := net.SplitHostPort(addr)
	l := &Local{agent: a, base: "http://" + addr, source: o.Source, listener: listener, said: map[string]time.Time{},
		gate:  tokenGate{turn: make(chan struct{}, 1)},
		guard: &guard{hosts: []string{addr, "localhost:" + port}, uid: -1}}
	if ownerOf != nil {
		l.guard.uid = os.Getuid()
	}
	if ownerOf == nil || o.Secret {
		l.guard.secret = newSecret()
	}
	quiet := log.New(io.Discard, "", 0) // ReverseProxy would log addresses; what matters is said in words
	l.proxy = &httputil.ReverseProxy{Rewrite: l.outgoing, Transport: l, ModifyResponse: l.incoming, ErrorHandler: l.failed,
		FlushInterval: -1, ErrorLog: quiet, BufferPool: new(buffers)}
	if err := l.learn(ctx); err != nil {
		a.say("Your standing is not known yet: " + err.Error())
	}
	return l, nil
}

// Base is the endpoint's address, and Secret what every client must send with it,
// if anything.
func (l *Local) Base() string   { return l.base }
func (l *Local) Secret() string { return l.guard.secret }

// Source is what /fhir stands for; empty: nothing, and clients name it as
// /fhir/SOURCE.
func (l *Local) Source() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.source
}

// Grants are the grants that name this machine, as last heard.
func (l *Local) Grants() []wire.Grant {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.grants)
}

// demandsSealing reports whether answers from a source to this program must be
// sealed, as far as is known.
func (l *Local) demandsSealing(source string) bool {
	for _, g := range l.Grants() {
		if g.Source == source && g.App == l.agent.App() && (l.agent.o.Grant == "" || l.agent.o.Grant == g.Grant) && g.Sealing != "" {
			return true
		}
	}
	return false
}

// learn asks the server what this machine may do, to know the source that clients
// mean. Without an answer everything works but that.
func (l *Local) learn(ctx context.Context) error {
	s, err := l.agent.Standing(ctx)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.grants = s.Grants
	if l.source == "" {
		var sources []string
		for _, g := range s.Grants {
			if g.Source != "" && g.App == l.agent.App() && !slices.Contains(sources, g.Source) {
				sources = append(sources, g.Source)
			}
		}
		if len(sources) == 1 {
			l.source = sources[0]
		}
	}
	return nil
}

// Serve serves until ctx ends; it keeps the certificate and the posture fresh
// meanwhile.
func (l *Local) Serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	srv := &http.Server{Handler: l, ConnContext: connContext, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 32 << 10, ErrorLog: log.New(io.Discard, "", 0)}
	kept := make(chan struct{})
	go func() {
		defer close(kept)
		var group sync.WaitGroup
		group.Go(func() { l.agent.Upkeep(ctx) })
		group.Go(func() {
			// Listen has asked just now.
			if wait(ctx, lookEvery) == nil {
				l.agent.repeat(ctx, lookEvery, "asking for your standing", l.learn)
			}
		})
		group.Wait()
	}()
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if srv.Shutdown(grace) != nil {
			_ = srv.Close() // what is under way is cut, and is not final
		}
	}()
	err := srv.Serve(l.listener)
	cancel()
	<-kept
	<-stopped
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serving %s: %w", l.base, err)
}

// Close closes an endpoint that is not served.
func (l *Local) Close() error { return l.listener.Close() }

// ServeHTTP implements http.Handler.
func (l *Local) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if p := l.guard.check(r); p != nil {
		writeProblem(w, r, p)
		return
	}
	switch path := r.URL.Path; {
	case strings.HasSuffix(path, "/.well-known/smart-configuration"):
		// The agent signs in by itself: a client that tried to would send a secret
		// to nowhere.
		writeProblem(w, r, problem.New(problem.NotFound, "No sign-in is needed here: the agent does it", "Use the endpoint without authentication"))
	case path == fhirPath || strings.HasPrefix(path, fhirPath+"/"):
		if p := l.address(r); p != nil {
			writeProblem(w, r, p)
			return
		}
		l.proxy.ServeHTTP(w, r)
	case path == "/llm" || strings.HasPrefix(path, "/llm/"):
		writeProblem(w, r, notOffered("Language models"))
	case path == "/datasets" || strings.HasPrefix(path, "/datasets/"):
		writeProblem(w, r, notOffered("Data sets"))
	default:
		writeProblem(w, r, problem.NotThere("Use "+l.base+fhirPath))
	}
}

func notOffered(what string) *problem.Problem {
	return problem.New(problem.Unsupported, what+" are not offered by this server yet", "Use /fhir; ask the organisation when more will be offered")
}

// place says which source a request is for, and by which base its client calls it.
type place struct {
	local, remote string
	source        string
	batch         bool // posted to the base: its answer's entries are sealed, not the whole
	sealed        bool // the grant's engagement demands that the answer is sealed
}

type placeKey struct{}

// address finds the source of a request: /fhir/SOURCE/..., or /fhir/... where one
// source is meant.
func (l *Local) address(r *http.Request) *problem.Problem {
	rest := strings.TrimPrefix(r.URL.EscapedPath(), fhirPath)
	if strings.Contains(r.URL.Path, "/../") || strings.HasSuffix(r.URL.Path, "/..") || strings.Contains(r.URL.Path, "//") {
		return problem.New(problem.Invalid, "The path is not a FHIR path", "Write it without '..' and '//'")
	}
	source := l.Source()
	first, _, _ := strings.Cut(strings.TrimPrefix(rest, "/"), "/")
	named := l.isSource(first)
	switch {
	case named:
		source = first
	case source == "":
		return problem.New(problem.Invalid, "It is not known which source you mean", "Name it in the address, "+l.base+fhirPath+"/SOURCE, or with --source; `sallyport agent status` lists what you may use")
	}
	link := l.agent.link.Load()
	at := place{source: source, local: l.base + fhirPath, remote: link.origin + fhirPath + "/" + source}
	if named {
		at.local += "/" + source
		rest = strings.TrimPrefix(rest, "/"+source)
	}
	if rest == "" || rest == "/" {
		rest, at.batch = "", true
	}
	// A statement about the server holds no patient data, and is not sealed.
	if !at.batch && rest != "/metadata" {
		at.sealed = l.demandsSealing(source)
	}
	ctx := context.WithValue(r.Context(), placeKey{}, &at)
	*r = *r.WithContext(context.WithValue(ctx, nonceKey{}, newNonce()))
	u, err := url.Parse(at.remote + rest)
	if err != nil {
		return problem.New(problem.Invalid, "The path is not a FHIR path", "Write it as FHIR does")
	}
	u.RawQuery = rewriteQuery(r.URL.RawQuery, at.local, at.remote)
	r.URL.Scheme, r.URL.Host, r.URL.Path, r.URL.RawPath, r.URL.RawQuery = u.Scheme, u.Host, u.Path, u.RawPath, u.RawQuery
	return nil
}

// isSource reports whether the first part of a path names a source. Resource types
// begin with a capital letter, operations with $ or _.
func (l *Local) isSource(first string) bool {
	if first == "" || first == "metadata" {
		return false
	}
	if first == l.Source() || slices.ContainsFunc(l.Grants(), func(g wire.Grant) bool { return g.Source == first }) {
		return true
	}
	return 'a' <= first[0] && first[0] <= 'z' || '0' <= first[0] && first[0] <= '9'
}

// passed are the request headers that go on to the server. What a client sends to
// authenticate itself to the agent, and what a browser adds, stays here.
var passed = []string{"Accept", "Accept-Language", "Content-Type", "If-Match", "If-Modified-Since", "If-None-Exist", "If-None-Match", "Prefer", "X-Request-Id"}

// outgoing makes the server's request of a client's.
func (l *Local) outgoing(p *httputil.ProxyRequest) {
	h := http.Header{}
	for _, name := range passed {
		if v := p.In.Header.Values(name); len(v) > 0 {
			h[name] = slices.Clone(v)
		}
	}
	h.Set("User-Agent", "sallyport-agent")
	if nonce, ok := p.In.Context().Value(nonceKey{}).(string); ok {
		h.Set(nonceHeader, nonce)
	}
	p.Out.Header = h
	p.Out.Host = p.Out.URL.Host
	at, ok := p.In.Context().Value(placeKey{}).(*place)
	if !ok || p.Out.Body == nil || p.Out.Body == http.NoBody {
		return
	}
	// Links that the client learned from the agent lead back to the server.
	switch kind := mediaType(p.In.Header); {
	case strings.HasSuffix(kind, "json"):
		p.Out.Body = readCloser{newLinkReader(p.In.Body, at.local, at.remote), p.In.Body}
		p.Out.ContentLength = -1
	case kind == "application/x-www-form-urlencoded":
		raw, err := io.ReadAll(io.LimitReader(p.In.Body, maxFormBody+1))
		if err != nil || len(raw) > maxFormBody {
			p.Out.Body = readCloser{errorReader{errTooLong}, p.In.Body}
			return
		}
		form := rewriteQuery(string(raw), at.local, at.remote)
		p.Out.Body, p.Out.ContentLength = io.NopCloser(strings.NewReader(form)), int64(len(form))
	}
}

var errTooLong = problem.New(problem.TooLarge, "The search is too long", "Send at most 64 KB")

type readCloser struct {
	io.Reader
	io.Closer
}

type errorReader struct{ err error }

func (e errorReader) Read([]byte) (int, error) { return 0, e.err }

func mediaType(h http.Header) string {
	kind, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	return strings.ToLower(strings.TrimSpace(kind))
}

// RoundTrip sends a request with a token, by the newest way to the server. A token
// that the server does not know (it was restarted, or set back) is replaced once,
// for questions that can be asked twice.
func (l *Local) RoundTrip(r *http.Request) (*http.Response, error) {
	link := l.agent.link.Load()
	again := r.Body == nil || r.Body == http.NoBody
	for try := 0; ; try++ {
		if err := l.gate.pass(r.Context(), link); err != nil {
			return nil, err
		}
		resp, err := link.tokens.Transport(link.http.Transport).RoundTrip(r)
		if err != nil || resp.StatusCode != http.StatusUnauthorized || !again || try > 0 {
			return resp, err
		}
		_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxRefusal)) // so that the connection can be used again
		_ = resp.Body.Close()
	}
}

// incoming makes the client's answer of the server's.
func (l *Local) incoming(resp *http.Response) error {
	h := resp.Header
	for _, name := range []string{"Set-Cookie", "Strict-Transport-Security", "Alt-Svc", "Www-Authenticate", "Server", openedHeader} {
		h.Del(name)
	}
	at, ok := resp.Request.Context().Value(placeKey{}).(*place)
	if !ok {
		return errors.New("a request without its place")
	}
	if resp.StatusCode/100 == 3 && resp.StatusCode != http.StatusNotModified {
		return problem.New(problem.UpstreamFail, "The server leads elsewhere, where the agent does not go", "Ask the organisation")
	}
	for _, name := range []string{"Location", "Content-Location"} {
		if rest, ok := under(h.Get(name), at.remote); ok {
			h.Set(name, at.local+rest)
		}
	}
	if resp.StatusCode >= 400 {
		return l.refused(resp)
	}
	if err := l.unseal(resp); err != nil {
		return err
	}
	demanded := func() bool { return l.stillDemands(resp.Request.Context(), at.source) }
	switch opened := h.Get(openedHeader) != ""; {
	case !at.batch || opened || resp.StatusCode/100 != 2 || resp.Request.Method == http.MethodHead:
	case !strings.HasSuffix(mediaType(h), "json"):
		if demanded() {
			return errNotSealed
		}
	default:
		raw, err := io.ReadAll(io.LimitReader(resp.Body, maxBatch+1))
		if err != nil || len(raw) > maxBatch {
			return problem.New(problem.Unavailable, "The batch's answer was cut off, or is too long", "Ask again, for less at a time").Because(err)
		}
		_ = resp.Body.Close()
		if raw, err = l.openEntries(resp.Request.Context(), raw, demanded); err != nil {
			return err
		}
		resp.Body = io.NopCloser(bytes.NewReader(raw))
	}
	if kind := mediaType(h); strings.HasSuffix(kind, "json") && h.Get("Content-Encoding") == "" && resp.Body != http.NoBody && resp.Request.Method != http.MethodHead {
		resp.Body = readCloser{newLinkReader(resp.Body, at.remote, at.local), resp.Body}
		resp.ContentLength = -1
		h.Del("Content-Length")
	}
	resp.Body = &watched{ReadCloser: resp.Body, l: l, ctx: resp.Request.Context()}
	return nil
}

// watched says at the terminal that an answer was cut off. The client sees it too:
// its connection is cut, so that half an answer never looks whole.
type watched struct {
	io.ReadCloser
	l   *Local
	ctx context.Context
}

// Read implements io.Reader.
func (w *watched) Read(p []byte) (int, error) {
	n, err := w.ReadCloser.Read(p)
	if err != nil && err != io.EOF && w.ctx.Err() == nil {
		why := "the server stopped it, or the connection broke"
		if errors.Is(err, sealed.ErrTampered) || errors.Is(err, sealed.ErrNotSigned) || errors.Is(err, sealed.ErrReplayed) {
			why = err.Error()
		}
		w.l.tell("An answer was cut off before its end: "+why+". Ask again: a refusal then says why.", nil)
	}
	return n, err
}

// refused turns a refusal into words, for the client and for the terminal.
func (l *Local) refused(resp *http.Response) error {
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxRefusal))
	if err != nil {
		return problem.New(problem.Unavailable, "The server's answer was cut off", "Ask again").Because(err)
	}
	if resp.StatusCode == http.StatusUnauthorized {
		return unknownHere(l.agent.CertificateEnds(), l.agent.o.Now(), errors.New("the server answered 401"))
	}
	if strings.HasSuffix(mediaType(resp.Header), "json") {
		var o outcome
		raw, o = l.agent.whose().explainOutcome(raw)
		if gates := o.gates(); len(gates) > 0 {
			l.tell(o.summary(resp.StatusCode), l.agent.whose().advice(gates))
		}
	}
	_ = resp.Body.Close()
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(raw)), int64(len(raw))
	resp.Header.Set("Content-Length", fmt.Sprint(len(raw)))
	return nil
}

// whose is as whom this agent asks.
func (a *Agent) whose() whose {
	c := a.settings()
	return whose{device: c.Device, vendor: c.Vendor, owner: c.Owner, app: a.App(), grant: a.o.Grant}
}

// tell says something at the terminal, unless it was said a moment ago: a client
// that asks in a loop must not flood it.
func (l *Local) tell(summary string, advice []string) {
	now := time.Now()
	l.mu.Lock()
	last, ok := l.said[summary]
	quiet := ok && now.Sub(last) < sayAgain
	if !quiet {
		if len(l.said) >= maxSaid {
			clear(l.said)
		}
		l.said[summary] = now
	}
	l.mu.Unlock()
	if quiet {
		return
	}
	l.agent.say(summary)
	for _, line := range advice {
		l.agent.say("  " + line)
	}
}

// failed answers where there is no answer of the server's.
func (l *Local) failed(w http.ResponseWriter, r *http.Request, err error) {
	var p *problem.Problem
	switch {
	case errors.Is(err, context.Canceled):
		panic(http.ErrAbortHandler) // the client is gone
	case errors.As(err, &p):
	default:
		p = l.agent.whose().noToken(err)
	}
	l.tell(p.Error(), nil)
	writeProblem(w, l.local(r), p)
}

// local is the request as its client sent it, as far as its path goes.
func (l *Local) local(r *http.Request) *http.Request {
	out := r.Clone(r.Context())
	out.URL.Path = fhirPath + "/"
	return out
}

// buffers implements httputil.BufferPool.
type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte {
	if p, ok := b.pool.Get().(*[]byte); ok {
		return *p
	}
	return make([]byte, 32<<10)
}

func (b *buffers) Put(p []byte) { b.pool.Put(&p) }

// tokenGate keeps clients from storming the token endpoint: after a failure nobody
// asks again for a while, which grows; meanwhile all hear the same.
type tokenGate struct {
	turn  chan struct{} // held by the one who looks; guards the rest
	err   error
	until time.Time
	pause time.Duration
}

const (
	tokenPauseMin = time.Second
	tokenPauseMax = 30 * time.Second
)

// pass gets a token ready, or says why there is none.
func (g *tokenGate) pass(ctx context.Context, l *link) error {
	select {
	case g.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-g.turn }()
	if g.err != nil && time.Now().Before(g.until) {
		return g.err
	}
	_, err := l.tokens.Token(ctx)
	switch {
	case ctx.Err() != nil:
		return ctx.Err() // the client is gone, which says nothing of the server
	case err == nil:
		g.pause = 0
	default:
		g.pause = min(max(2*g.pause, tokenPauseMin), tokenPauseMax)
		g.until = time.Now().Add(g.pause)
	}
	g.err = err
	return err
}

package gateway

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/seal/sealed"
)

// Handler serves a protocol below prefix: prefix + "/{source}/...". The server's
// connections must pass Verifier.ConnContext.
func (g *Gateway) Handler(prefix string, p Protocol) http.Handler {
	prefix = "/" + strings.Trim(prefix, "/") + "/"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.serve(w, r, prefix, p)
	})
}

// maxBatchAnswer is what the answers of one batch may have together: they are
// in memory until the last one is there.
const maxBatchAnswer = ReleaseSize

// serve identifies the caller, has the protocol read what it asks, and takes
// each question through the exchange.
func (g *Gateway) serve(w http.ResponseWriter, r *http.Request, prefix string, p Protocol) {
	began := time.Now()
	view := g.Views.View()
	caller, err := g.Verifier.Caller(r, view)
	if err != nil {
		reason, _ := identity.ReasonOf(err)
		g.metrics.unknown.Inc()
		g.Logger.LogAttrs(r.Context(), slog.LevelWarn, "unknown caller", slog.String("protocol", p.Name()),
			slog.String("reason", string(reason)), slog.String("next", reason.Next()))
		if g.Unknown != nil {
			g.Unknown(r)
		}
		if problem.From(err).Kind == problem.Unknown {
			identity.WriteUnknownCaller(w, err)
			return
		}
		e := &exit{w: w}
		g.explain(e, r, p, err)
		return
	}
	s := g.standing(caller, r, prefix)
	// Nothing outlives the caller's token, however slowly a source answers.
	ctx, expire := context.WithTimeoutCause(r.Context(), caller.Expires().Sub(g.Now()), errExpired)
	defer expire()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	e := &exit{w: w, rc: http.NewResponseController(w), http1: r.ProtoMajor == 1}
	x := &exchange{g: g, s: &s, out: e, cancel: cancel, began: began, nonce: r.Header.Get(sealed.NonceHeader)}
	reading, err := g.read(p, r, s)
	if err == nil && x.nonce != "" && !sealed.IsNonce(x.nonce) {
		err = problem.BadField(sealed.NonceHeader, "is not a nonce", "Send 16 to 64 random letters, digits, '-' or '_', or none")
	}
	switch {
	case err != nil:
		q := problem.From(err)
		err = x.deny(ctx, "request", reasonWord(q.Kind), q)
	case reading.Question != nil:
		x.q = reading.Question
		err = x.run(ctx)
	default:
		g.batch(ctx, r, p, reading, x)
		return
	}
	g.account(ctx, p, x, err)
	if err == nil {
		return
	}
	if e.began {
		// Half an answer must not look like a whole one.
		panic(http.ErrAbortHandler)
	}
	g.explain(e, r, p, err)
}

var errExpired = problem.New(problem.Unknown, "The access token has expired", "")

// standing looks up who asks. It decides nothing.
func (g *Gateway) standing(c identity.Caller, r *http.Request, prefix string) Standing {
	s := Standing{Caller: c, g: g}
	path := r.URL.EscapedPath()
	rest, ok := strings.CutPrefix(path, prefix)
	if ok {
		name, below, _ := strings.Cut(rest, "/")
		s.Rest = below
		s.Source = g.sources[id.Source(name)] // an escaped name is none
		if s.Source != nil {
			s.Public = g.Public + prefix + name
		}
	}
	view := g.Views.View()
	if view == nil {
		return s
	}
	s.Grant, _ = view.Grants.Get(c.Grant())
	if s.Grant == nil {
		return s
	}
	s.Engagement = s.Grant.Engagement
	s.Role, _ = view.Roles.Get(s.Grant.Role)
	if s.Role != nil && s.Source != nil {
		if x := g.sight(s.Role, s.Engagement, s.Source.id); x.err == nil {
			s.Scope = x.scope
		}
	}
	return s
}

// read lets the protocol read, and what it cannot read is a problem.
func (g *Gateway) read(p Protocol, r *http.Request, s Standing) (Reading, error) {
	if s.Source == nil {
		return Reading{}, problem.New(problem.NotFound, "There is no such source", "Ask the organisation for the address of its source")
	}
	reading, err := p.Read(r, s)
	if err == nil && reading.Question == nil && (len(reading.Batch) == 0 || reading.Compose == nil) {
		err = problem.New(problem.Unsupported, "This is not offered", "See what is: GET metadata, below the source's address")
	}
	return reading, err
}

// batch takes each question through the exchange, one after the other, and puts
// the answers together. Each has its own decision, intent and outcome.
func (g *Gateway) batch(ctx context.Context, r *http.Request, p Protocol, reading Reading, frame *exchange) {
	answers := make([]Composed, len(reading.Batch))
	kept := make([]*exchange, len(reading.Batch)) // those whose answer has data
	room := maxBatchAnswer
	for i, item := range reading.Batch {
		e := &exit{room: room}
		x := &exchange{g: g, s: frame.s, out: e, q: item.Question, began: time.Now(), nonce: frame.nonce, entry: i + 1}
		var entryCtx context.Context
		entryCtx, x.cancel = context.WithCancelCause(ctx)
		var err error
		if item.Question == nil {
			q := item.Problem
			if q == nil {
				q = problem.New(problem.Unsupported, "This is not offered", "See what is: GET metadata, below the source's address")
			}
			err = x.deny(entryCtx, "request", reasonWord(q.Kind), q)
		} else {
			err = x.run(entryCtx)
		}
		x.cancel(nil)
		g.account(entryCtx, p, x, err)
		if err != nil {
			q := problem.From(err)
			_, body := p.Explain(r, q)
			answers[i] = Composed{Status: q.Kind.Status(), Body: body}
			continue
		}
		room = e.room
		answers[i] = Composed{Status: http.StatusOK, Body: e.kept, OK: true}
		if e.manifest != "" {
			answers[i].Sealed = &SealedBody{MediaType: e.media, Manifest: e.manifest}
		}
		kept[i] = x
	}
	// The first answer may have waited long for the last: each is decided again,
	// and all are watched until the frame has left.
	var leaving []*exchange
	for i, x := range kept {
		if x == nil || x.permit == nil {
			continue
		}
		if err := x.holds(g.Now()); err != nil {
			x.lose(ctx)
			_, body := p.Explain(r, problem.From(err))
			answers[i] = Composed{Status: problem.From(err).Kind.Status(), Body: body}
			continue
		}
		leaving = append(leaving, x)
	}
	contentType, body := reading.Compose(answers)
	frame.out.contentType = contentType
	stop := watch(ctx, g, frame.out, frame.cancel, leaving)
	defer stop()
	if err := frame.out.allow(writeTimeout); err != nil {
		panic(http.ErrAbortHandler)
	}
	err := frame.out.own(http.StatusOK, body)
	if err == nil {
		err = frame.out.rc.Flush()
	}
	if err == nil {
		err = frame.out.settle()
	}
	if err != nil {
		for _, x := range leaving {
			x.lose(ctx)
		}
		panic(http.ErrAbortHandler)
	}
}

// explain answers with a problem.
func (g *Gateway) explain(e *exit, r *http.Request, p Protocol, err error) {
	q := problem.From(err)
	if q.Kind == problem.Unknown {
		identity.WriteUnknown(e.w)
		return
	}
	if e.decision != "" && q.Decision == "" {
		c := *q
		c.Decision = string(e.decision)
		q = &c
	}
	var body []byte
	e.contentType, body = p.Explain(r, q)
	if q.Kind == problem.Unavailable {
		e.w.Header()["Retry-After"] = []string{"2"}
	}
	_ = e.own(q.Kind.Status(), body) // the caller may be gone
}

// reasonWord is a problem's kind as the log's word.
func reasonWord(k problem.Kind) string {
	if k == "" {
		return string(problem.Internal)
	}
	return string(k)
}

// account writes the request log and the metrics: ids, counts, durations and
// reasons, never a path, a query or an id of a resource.
func (g *Gateway) account(ctx context.Context, p Protocol, x *exchange, err error) {
	took := time.Since(x.began)
	outcome := "released"
	level := slog.LevelInfo
	if err != nil {
		outcome = reasonWord(problem.From(err).Kind)
		if x.out.began {
			outcome = "incomplete"
		}
	}
	g.metrics.observe(p.Name(), x.words.Interaction, outcome, x.gates, took, x.out.written)
	if !g.Logger.Enabled(ctx, level) {
		return
	}
	c := x.s.Caller
	attrs := make([]slog.Attr, 0, 16)
	attrs = append(attrs,
		slog.String("protocol", p.Name()), slog.String("decision", string(x.out.decision)),
		slog.String("app", string(c.App())), slog.String("grant", string(c.Grant())), slog.String("source", string(x.source())),
		slog.String("interaction", x.words.Interaction), slog.String("outcome", outcome),
		slog.Int64("bytes", x.out.written), slog.Int("patients", x.patients), slog.Duration("took", took))
	if len(x.gates) > 0 {
		attrs = append(attrs, slog.Any("gates", x.gates))
	}
	for _, r := range x.removed {
		attrs = append(attrs, slog.Uint64("removed-"+r.Why, r.N))
	}
	if err != nil {
		attrs = append(attrs, slog.String("cause", causeOf(err)))
		if x.out.began {
			level = slog.LevelWarn
		}
	}
	g.Logger.LogAttrs(ctx, level, "request", attrs...)
}

// causeOf is what is behind an error, for the owner's log. Errors of this
// program quote no input; those of net/http quote addresses, which hold ids.
func causeOf(err error) string {
	q := problem.From(err)
	cause := errors.Unwrap(q)
	if cause == nil {
		return q.Title
	}
	var u *url.Error
	if errors.As(cause, &u) {
		cause = u.Err
	}
	return q.Title + ": " + cause.Error()
}

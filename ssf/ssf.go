// Package ssf is the door for shared signals: it receives security event tokens
// (RFC 8417) that a vendor's transmitter pushes (RFC 8935; OpenID Shared Signals
// Framework 1.0), and acts on them at once.
//
// A transmitter is a connector of kind ssf, known by its issuer. A token counts if
// the connector's keys signed it, it is for us, it is of its time, and it was not
// seen before. Then it counts for the connector's own vendor: a subject that is
// another vendor's person, session or device is a subject that we do not know, and
// is acknowledged like one.
//
// What is done:
//
//	session-revoked, sessions-revoked, credential-change (but "create"),
//	credential-compromise, account-credential-change-required,
//	assurance-level-change (but "increase"),
//	risk-level-change (to HIGH or what is no level) . the person's sessions end
//	account-disabled, account-purged ................ the person is suspended
//	account-enabled ................................. that suspension ends
//	device-compliance-change ........................ the device is put on hold; "compliant" lifts that hold
//	verification, stream-updated .................... acknowledged, and in the log
//
// (CAEP 1.0, RISC 1.0.) Other events are acknowledged and not acted upon, as SSF
// asks. An event that says less than it should is read as the worse case.
//
// A device is put on hold rather than given a failing posture, since the event says
// that something is wrong and not what; the hold is one that the organisation sees,
// and can lift.
//
// Not offered: polling (RFC 8936), since it would need credentials of ours at each
// vendor; management of the stream, which is the transmitter's side. Events of one
// subject count in the order of their arrival.
package ssf

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"sync"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

const (
	// maxToken bounds a security event token.
	maxToken = 64 << 10
	// maxAge is how old a token may be: a transmitter that could not reach us for a
	// night still tells us in the morning. For as long each token is remembered.
	maxAge = 24 * time.Hour
	// maxSkew is how far its clock may be ahead of ours.
	maxSkew = time.Minute
	// maxEvents is how many events a token may hold. CAEP's have one.
	maxEvents = 16
	mediaType = "application/secevent+jwt"
)

// Registry is what the door needs of the registry.
type Registry interface {
	View() *snapshot.View
	// Do does an act: when it returns, the act is in the log and in View.
	Do(context.Context, registry.Actor, registry.Act, registry.Meta) (registry.Result, error)
}

// KeySource finds the keys of a transmitter whose connector pins none.
type KeySource interface {
	// Keys is the transmitter's JWK Set (RFC 7517), as its metadata names it. Where
	// fresh is set, what was remembered is not good enough, if it can be helped.
	Keys(ctx context.Context, issuer string, fresh bool) ([]byte, error)
}

// Config is what a Receiver needs; all of it.
type Config struct {
	Registry Registry
	// Replays remembers which tokens were seen; it is the receiver's own.
	Replays *identity.Replays
	Keys    KeySource
	Now     func() time.Time
	Log     *slog.Logger
}

// Receiver receives security event tokens. It is safe for concurrent use.
type Receiver struct {
	c     Config
	mu    sync.Mutex // guards turns
	turns map[id.Connector]*sync.Mutex
}

// New makes a Receiver.
func New(c Config) (*Receiver, error) {
	if c.Registry == nil || c.Replays == nil || c.Keys == nil || c.Now == nil || c.Log == nil {
		return nil, problem.New(problem.Internal, "The receiver of security events lacks its registry, replay memory, keys, clock or log", "Pass all five")
	}
	return &Receiver{c: c, turns: map[id.Connector]*sync.Mutex{}}, nil
}

// refusal is what the transmitter hears (RFC 8935, section 2.4), beside the reason
// that only the owner's log hears.
type refusal struct {
	status    int
	code      string
	connector *snapshot.Connector // nil: not known who sent it
	reason    string
}

func (r *refusal) Error() string { return r.reason }

// stranger is the refusal of a token that no known transmitter signed. All are
// alike, so that nobody learns which issuers are known here.
func stranger(reason string) error {
	return &refusal{http.StatusBadRequest, "authentication_failed", nil, reason}
}

// description are the words to RFC 8935's codes.
var description = map[string]string{
	"invalid_request":       "The token is not a security event token that can be taken: see RFC 8417 and the Shared Signals Framework",
	"invalid_audience":      "The token is for somebody else",
	"authentication_failed": "The token was not signed by a transmitter that is known here",
}

// ServeHTTP receives one token.
func (x *Receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if !problem.Takes(w, r, http.MethodPost) {
		return
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != mediaType {
		x.refuse(w, r, &refusal{http.StatusUnsupportedMediaType, "invalid_request", nil, "not-a-security-event-token"})
		return
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxToken))
	if err != nil {
		x.refuse(w, r, &refusal{http.StatusRequestEntityTooLarge, "invalid_request", nil, "too-long"})
		return
	}
	if err := x.receive(r.Context(), string(raw)); err != nil {
		x.refuse(w, r, err)
		return
	}
	w.WriteHeader(http.StatusAccepted) // RFC 8935, section 2.2
}

func (x *Receiver) refuse(w http.ResponseWriter, r *http.Request, err error) {
	var no *refusal
	if !errors.As(err, &no) {
		// The token is good, and what it says could not be recorded: the transmitter
		// sends it again.
		x.c.Log.LogAttrs(r.Context(), slog.LevelError, "security event not recorded", slog.String("kind", string(problem.From(err).Kind)))
		w.Header().Set("Retry-After", "2")
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	attrs := []slog.Attr{slog.String("reason", no.reason)}
	if no.connector != nil {
		attrs = append(attrs, slog.String("connector", string(no.connector.ID)), slog.String("vendor", string(no.connector.Vendor)))
	}
	x.c.Log.LogAttrs(r.Context(), slog.LevelWarn, "security event token refused", attrs...)
	writeError(w, no.status, no.code)
}

// receive checks a token and acts on its events.
func (x *Receiver) receive(ctx context.Context, raw string) error {
	set, err := x.verify(ctx, raw)
	if err != nil {
		return err
	}
	turn := x.turn(set.connector.ID)
	turn.Lock()
	defer turn.Unlock()
	forget := set.issued.Add(maxAge + maxSkew)
	source := id.App(set.connector.ID)
	if x.c.Replays.Used(source, set.id, forget) {
		// Sent again, since our answer was lost, or by somebody who copied it: it has
		// had its effect, and has none now (RFC 8935, section 2).
		x.c.Log.LogAttrs(ctx, slog.LevelInfo, "security event token seen before", slog.String("connector", string(set.connector.ID)))
		return nil
	}
	// The sender hanging up stops nothing: what was revoked is revoked.
	ctx = context.WithoutCancel(ctx)
	for _, e := range set.events {
		if err := x.act(ctx, set, e); err != nil {
			return err
		}
	}
	// Marked last: a token whose effect is not there yet must work when it is sent
	// again. Who cannot be remembered is asked to come again, too.
	if reason := x.c.Replays.Use(source, set.id, forget, x.c.Now()); reason != "" && reason != identity.AssertionReplayed {
		return problem.New(problem.Unavailable, "The token cannot be remembered", "Try again").Because(reason)
	}
	return nil
}

func (x *Receiver) turn(c id.Connector) *sync.Mutex {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.turns[c] == nil {
		x.turns[c] = new(sync.Mutex)
	}
	return x.turns[c]
}

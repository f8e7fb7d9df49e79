package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// knocks notes in the audit log that a credential of something that has ended was
// tried: a machine's certificate, a program's key or token, a connector's token, a link's
// code, a person's session. The doors turn it
// away as they do any stranger, and say nothing; the dead-man check of an offboarding
// reads the log. What the gateway itself refuses, it notes itself.
//
// One entry a minute for each credential at most: a program that nobody has switched
// off must not fill the log.
type knocks struct {
	log interface {
		Refuse(context.Context, audit.Refusal) (uint64, error)
	}
	s    *Server
	view func() *snapshot.View
	now  func() time.Time
	mu   sync.Mutex
	last map[snapshot.Subject]time.Time
}

const (
	knockEvery = time.Minute
	maxKnocks  = 1024 // a minute, of all together
)

func newKnocks(s *Server) *knocks {
	return &knocks{log: s.record.log, s: s, view: s.View, now: s.o.Now, last: map[snapshot.Subject]time.Time{}}
}

// gone says whether a record, or the vendor that it belongs to, has ended.
func gone(v *snapshot.View, state snapshot.State, vendor id.Vendor) bool {
	w, ok := v.Vendors.Get(vendor)
	return state == snapshot.Ended || ok && w.State == snapshot.Ended
}

// request notes who stands behind a request that was turned away, if they have gone.
func (k *knocks) request(r *http.Request) {
	v := k.view()
	if d, app := k.s.verifier.Whose(r, v); d != nil {
		k.machine(r.Context(), v, d, app)
		return
	}
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") || token == "" || len(token) > 1024 {
		return
	}
	sum := sha256.Sum256([]byte(token))
	digest := hex.EncodeToString(sum[:])
	for _, c := range v.Connectors.All() {
		if c.Token256 == digest && c.Vendor != "" && gone(v, c.State, c.Vendor) {
			k.note(r.Context(), snapshot.Subject{Noun: snapshot.NounConnector, ID: string(c.ID)}, audit.Intent{Vendor: c.Vendor, Person: id.Person("connector." + c.ID)})
		}
	}
}

// machine notes the machine if it has gone, or else its program, if that has.
func (k *knocks) machine(ctx context.Context, v *snapshot.View, d *snapshot.Device, app *snapshot.App) {
	in := audit.Intent{Vendor: d.Vendor, Device: d.ID, Person: d.Owner}
	who := snapshot.Subject{Noun: snapshot.NounDevice, ID: string(d.ID)}
	switch {
	case app != nil && gone(v, app.State, app.Vendor):
		in.App, in.Person = app.ID, app.Owner
		if !gone(v, d.State, d.Vendor) {
			who = snapshot.Subject{Noun: snapshot.NounApp, ID: string(app.ID)}
		}
	case !gone(v, d.State, d.Vendor):
		return
	}
	k.note(ctx, who, in)
}

// program hears of a program that the endpoint for tokens has refused.
func (k *knocks) program(ctx context.Context, d *snapshot.Device, app *snapshot.App) {
	k.machine(ctx, k.view(), d, app)
}

// signedIn notes a session of a vendor's person who has gone.
func (k *knocks) signedIn(r *http.Request) {
	if k.s.sessions == nil {
		return
	}
	if p, ok := k.s.sessions.Whose(r); ok && p.Vendor != "" && gone(k.view(), p.State, p.Vendor) {
		k.note(r.Context(), snapshot.Subject{Noun: snapshot.NounPerson, ID: string(p.ID)}, audit.Intent{Vendor: p.Vendor, Person: p.ID})
	}
}

// people notes, at a door for people, whose sessions have ended.
func (k *knocks) people(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k.signedIn(r)
		next.ServeHTTP(w, r)
	})
}

// code notes whose link has a code that opened nothing, if the link was revoked or its
// vendor has gone. A link to attest what became of the data is none of those that ended:
// it was made for the parting, and is over when that is complete.
func (k *knocks) code(ctx context.Context, code256 string) {
	v := k.view()
	for _, l := range v.Links.All() {
		if code256 != "" && l.Secret256 == code256 && l.For != snapshot.LinkAttestation && (!l.RevokedAt.IsZero() || gone(v, "", l.Vendor)) {
			k.note(ctx, snapshot.Subject{Noun: snapshot.NounLink, ID: string(l.ID)}, audit.Intent{Vendor: l.Vendor, Person: id.Person("link." + l.ID)})
		}
	}
}

func (k *knocks) note(ctx context.Context, who snapshot.Subject, in audit.Intent) {
	now := k.now()
	if !k.first(who, now) {
		return
	}
	v := k.view()
	in.Decision, in.Agent, in.Direction, in.Action = id.New[id.Decision](now), audit.Workload, audit.Out, "authenticate"
	in.Snapshot, in.SnapshotIndex = v.Version(), v.LogIndex()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if _, err := k.log.Refuse(ctx, audit.Refusal{Intent: in, Failing: []audit.Failing{{Gate: "identity", Reason: "ended"}}}); err != nil {
		k.s.o.Logger.ErrorContext(ctx, "an attempt by what has ended could not be noted in the audit log", "noun", who.Noun, "id", who.ID, "err", err)
	}
}

// first says whether nothing was noted of them for a while, and that something is now.
// Of a minute it remembers a bounded number; what is tried beyond it is refused like all
// the rest, and not noted.
func (k *knocks) first(who snapshot.Subject, now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	soon := func(t time.Time) bool { return now.Sub(t) < knockEvery && !now.Before(t) }
	if t, ok := k.last[who]; ok && soon(t) {
		return false
	}
	if _, ok := k.last[who]; !ok && len(k.last) >= maxKnocks {
		maps.DeleteFunc(k.last, func(_ snapshot.Subject, t time.Time) bool { return !soon(t) })
		if len(k.last) >= maxKnocks {
			return false
		}
	}
	k.last[who] = now
	return true
}

// watched notes what a door turned away. The gateway's own door has its own.
func (k *knocks) watched(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, fhirPath+"/") {
			next.ServeHTTP(w, r)
			return
		}
		seen := &statusSeen{ResponseWriter: w}
		next.ServeHTTP(seen, r)
		if seen.status >= http.StatusBadRequest && seen.status < http.StatusInternalServerError {
			k.request(r)
		}
	})
}

// statusSeen remembers the status of an answer.
type statusSeen struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (w *statusSeen) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (w *statusSeen) Unwrap() http.ResponseWriter { return w.ResponseWriter }

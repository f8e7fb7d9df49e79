package signin

import (
	"net/http"
	"strings"
)

// Why a session does not count, for the owner's log alone: the caller hears the
// same of all.
const (
	SessionAbsent    Reason = "session-absent"    // no secret, or none of the form of one
	SessionUnknown   Reason = "session-unknown"   // no session has this secret
	SessionEnded     Reason = "session-ended"     // it was signed out of, or killed
	SessionOver      Reason = "session-over"      // its time is over, or it was not used for too long
	SessionElsewhere Reason = "session-elsewhere" // shown without the key that it is bound to: stolen, or mixed up
	SessionPerson    Reason = "session-person"    // its person may not be signed in now, or the registry is too old to say
)

// WayOut is what to do about a session that does not count, for the owner's log.
func WayOut(r Reason) string {
	switch r {
	case SessionElsewhere:
		return "Sign in on this device; if nobody mixed devices up, look into a theft: sallyport session kill"
	case SessionPerson:
		return "See whether the person, their vendor and their identity provider are approved and on no hold"
	case SessionAbsent, SessionUnknown, SessionEnded, SessionOver:
		return "Sign in again: sallyport login"
	}
	return "Tell the operator: this reason has no way out on record"
}

// Why says why Bearer refused a request. It looks anew, at the newest view.
func (s *Sessions) Why(r *http.Request) Reason {
	_, secret, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	v, now := s.o.View(), s.o.Now()
	if len(secret) != secretLen || v == nil {
		return SessionAbsent
	}
	x, _ := v.SessionEver(digest(secret))
	switch {
	case x == nil:
		return SessionUnknown
	case !x.EndedAt.IsZero():
		return SessionEnded
	case !x.Live(now) || x.Idle(now, v.Settings.SessionIdle):
		return SessionOver
	case x.Key256 != "" && PeerKey(r) != x.Key256:
		return SessionElsewhere
	}
	return SessionPerson
}

package ssf

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// The families of event types.
const (
	caep = "https://schemas.openid.net/secevent/caep/event-type/"
	risc = "https://schemas.openid.net/secevent/risc/event-type/"
	ssf  = "https://schemas.openid.net/secevent/ssf/event-type/"
)

// effect is what an event leads to.
type effect string

const (
	ignore  effect = "ignored"
	kill    effect = "sessions-ended"
	suspend effect = "suspended"
	resume  effect = "resumed"
	hold    effect = "device-held"
	lift    effect = "device-hold-lifted"
	note    effect = "noted"
)

// details are what the events that are acted upon say beyond their type.
type details struct {
	Subject   jsontext.Value `json:"subject"` // where older transmitters name the subject
	Change    string         `json:"change_type"`
	Status    string         `json:"current_status"`
	Direction string         `json:"change_direction"`
	Level     string         `json:"current_level"`
}

// effectOf reads an event. Where it could be harmless and does not say so in the
// words of its standard, it is not.
func effectOf(kind string, d details) effect {
	unless := func(harmless bool, e effect) effect {
		if harmless {
			return ignore
		}
		return e
	}
	switch kind {
	case caep + "session-revoked", risc + "sessions-revoked", risc + "credential-compromise", risc + "account-credential-change-required":
		return kill
	case caep + "credential-change":
		return unless(d.Change == "create", kill)
	case caep + "assurance-level-change":
		return unless(d.Direction == "increase", kill)
	case caep + "risk-level-change":
		return unless(d.Level == "LOW" || d.Level == "MEDIUM", kill)
	case caep + "device-compliance-change":
		if d.Status == "compliant" {
			return lift
		}
		return hold
	case risc + "account-disabled", risc + "account-purged":
		return suspend
	case risc + "account-enabled":
		return resume
	case ssf + "verification", ssf + "stream-updated":
		return note
	}
	return ignore
}

// act acts on one event. The error is one to be sent again for; what cannot be
// done now or ever is in the log.
func (x *Receiver) act(ctx context.Context, t *token, e event) error {
	c := t.connector
	var d details
	if err := jsonv2.Unmarshal(e.body, &d); err != nil {
		return &refusal{http.StatusBadRequest, "invalid_request", c, "event-malformed"}
	}
	subject := t.subject
	if subject == nil {
		subject = d.Subject
	}
	what := effectOf(e.kind, d)
	var acts []registry.Act
	view := x.c.Registry.View()
	who := about{}
	if what != ignore && what != note {
		who = subjects(view, c, subject)
		acts = x.acts(view, c, what, who)
	}
	done := 0
	for _, a := range acts {
		_, err := x.c.Registry.Do(ctx, registry.Actor{Connector: c.ID}, a, registry.Meta{Reason: "a security event of the vendor said so: " + word(e.kind)})
		switch p := problem.From(err); {
		case err == nil:
			done++
		case p.Kind == problem.Conflict || p.Kind == problem.NotFound:
			// It is so already, or the organisation would be left without people.
			x.c.Log.LogAttrs(ctx, slog.LevelWarn, "security event not acted upon", slog.String("connector", string(c.ID)), slog.String("event", word(e.kind)), slog.String("cause", string(p.Kind)))
		case p.Kind == problem.Refused:
			return &refusal{http.StatusBadRequest, "authentication_failed", c, "connector-not-approved"} // since it was checked
		default:
			return err
		}
	}
	level := slog.LevelInfo
	if e.kind == ssf+"stream-updated" {
		level = slog.LevelWarn // the transmitter pauses or ends the stream: signals may be missing
	}
	x.c.Log.LogAttrs(ctx, level, "security event", slog.String("connector", string(c.ID)), slog.String("vendor", string(c.Vendor)), slog.String("event", word(e.kind)),
		slog.String("effect", string(what)), slog.Int("persons", len(who.persons)), slog.Int("devices", len(who.devices)), slog.Int("acts", done))
	return nil
}

// word is an event's name for the log: one that is known, or "other".
func word(kind string) string {
	for _, family := range []string{caep, risc, ssf} {
		if name, ok := strings.CutPrefix(kind, family); ok && (effectOf(kind, details{}) != ignore) {
			return name
		}
	}
	return "other"
}

// acts are what an event leads to, as things stand.
func (x *Receiver) acts(v *snapshot.View, c *snapshot.Connector, what effect, who about) (acts []registry.Act) {
	own := registry.Actor{Connector: c.ID}.Name()
	switch what {
	case kill:
		for _, s := range x.toEnd(v, who) {
			acts = append(acts, registry.KillSession{ID: s.ID})
		}
	case suspend:
		for _, p := range who.persons {
			if !slices.Contains(p.SuspendedBy, own) {
				acts = append(acts, registry.SuspendPerson{ID: p.ID})
			}
		}
	case resume:
		for _, p := range who.persons {
			if slices.Contains(p.SuspendedBy, own) {
				acts = append(acts, registry.ResumePerson{ID: p.ID})
			}
		}
	case hold, lift:
		for _, d := range x.machines(v, what, who) {
			on := snapshot.Subject{Noun: snapshot.NounDevice, ID: string(d.ID)}
			var standing []id.Hold
			for _, h := range v.HoldsOn(on) {
				if h.PlacedBy == own && h.LiftedAt.IsZero() {
					standing = append(standing, h.ID)
				}
			}
			if what == hold && len(standing) == 0 {
				acts = append(acts, registry.PlaceHold{ID: id.New[id.Hold](x.c.Now()), On: on, Cause: snapshot.HoldFinding})
			}
			for _, h := range standing {
				if what == lift {
					acts = append(acts, registry.LiftHold{ID: h})
				}
			}
		}
	}
	return acts
}

// toEnd are the sessions that end: those that are named, or all of the persons.
func (x *Receiver) toEnd(v *snapshot.View, who about) (out []*snapshot.Session) {
	now := x.c.Now()
	add := func(list []*snapshot.Session) {
		for _, s := range list {
			if s.Live(now) && !slices.Contains(out, s) {
				out = append(out, s)
			}
		}
	}
	add(who.sessions)
	if !who.narrow {
		for _, p := range who.persons {
			add(v.SessionsOf(p.ID))
		}
	}
	return out
}

// machines are the devices that are named. Where none that is known here is, they
// are all that the persons own, if they are to be stopped: transmitters have names
// of their own for devices. None is let go on so.
func (x *Receiver) machines(v *snapshot.View, what effect, who about) []*snapshot.Device {
	out := slices.Clone(who.devices)
	if len(out) > 0 || what == lift {
		return out
	}
	for _, d := range v.Devices.All() {
		if d.State != snapshot.Ended && slices.ContainsFunc(who.persons, func(p *snapshot.Person) bool { return d.Owner == p.ID }) {
			out = append(out, d)
		}
	}
	return out
}

// writeError is RFC 8935, section 2.3.
func writeError(w http.ResponseWriter, status int, code string) {
	raw, err := json.Marshal(struct {
		Error       string `json:"err"`
		Description string `json:"description"`
	}{code, description[code]})
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Language", "en")
	w.WriteHeader(status)
	w.Write(raw)
}

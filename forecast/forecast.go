// Package forecast tells what stops, and when, if nobody acts.
//
// It asks the policy itself: each grant is decided anew at every date that a gate was
// told of, on the papers as they are. What a gate will say then is what the forecast
// says now, so it cannot promise more, or less, than the decision will hold. Beside
// the stops it lists what is due and stops nothing by itself yet: a questionnaire, a
// corrective action, a law's clock.
//
// The package is pure: no I/O, no clock.
package forecast

import (
	"cmp"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/snapshot"
)

// Kind is what sort of date it is: a closed set.
type Kind string

// The kinds.
const (
	Stops          Kind = "stop"            // a gate closes, and data stops
	Questionnaire  Kind = "questionnaire"   // answers are due from a vendor
	AccessRequest  Kind = "request"         // a request lapses unanswered
	Campaign       Kind = "campaign"        // reviews are due together
	EmergencyUse   Kind = "emergency"       // the use of a source's emergency procedure waits for its review
	Attestation    Kind = "attestation"     // a vendor's word on return or destruction is due
	Correction     Kind = "correction"      // a corrective action is due
	Retention      Kind = "retention"       // a record may be disposed of
	Infeasible     Kind = "infeasible-form" // data that could not be destroyed was to be gone by then
	IncidentNotice Kind = "incident-notice" // a clock of the law or of a contract about an incident
)

// Kinds lists every kind.
var Kinds = []Kind{Stops, Questionnaire, AccessRequest, Campaign, EmergencyUse, Attestation, Correction, Retention, Infeasible, IncidentNotice}

// Stop is one date. Its words are those of the gates and of this package, never a
// person's: it can be shown, mailed and put into a calendar.
type Stop struct {
	At      time.Time        `json:"at"`
	Kind    Kind             `json:"kind"`
	Gate    string           `json:"gate,omitempty"` // of a stop: which gate closes
	Code    string           `json:"code,omitempty"` // and for which of its reasons
	Subject snapshot.Subject `json:"subject"`        // the record whose date it is
	Vendor  id.Vendor        `json:"vendor,omitempty"`
	// Grants and Engagements are those whose data stops, sorted.
	Grants      []id.Grant      `json:"grants,omitempty"`
	Engagements []id.Engagement `json:"engagements,omitempty"`
	Message     string          `json:"message"`
	Next        string          `json:"next"`
	Who         string          `json:"who"` // "vendor" or "organisation"
	Citation    hipaa.Citation  `json:"citation"`
	// ForVendor says that the vendor may be told of it, too.
	ForVendor bool `json:"for_vendor"`
	// Mended is when the gate opens again within the time looked at; zero: it does not.
	Mended time.Time `json:"mended,omitzero"`
}

// EmergencyReviewWithin is how soon the use of an emergency procedure is reviewed
// (policy).
const EmergencyReviewWithin = 24 * time.Hour

// unpapered are gates about machines and moments rather than papers: an agent reports
// anew by itself, a snapshot is confirmed every second, a volume is counted as it is
// used. Nobody can act on them days ahead, so the forecast leaves them out.
var unpapered = []string{"fresh", "transport", "posture", "volume"}

// Of lists what stops and what is due after from, up to until, the earliest first.
// The papers are those of the view, whatever its own time.
func Of(e *policy.Engine, v *snapshot.View, from, until time.Time) []Stop {
	found := map[key]*Stop{}
	for _, g := range v.Grants.All() {
		if g.State != snapshot.Approved || !g.EndsAt.After(from) {
			continue
		}
		for _, d := range devicesOf(g) {
			follow(e, v, g, d, from, until, found)
		}
	}
	out := slices.Collect(func(yield func(Stop) bool) {
		for _, s := range found {
			slices.Sort(s.Grants)
			slices.Sort(s.Engagements)
			s.Grants, s.Engagements = slices.Compact(s.Grants), slices.Compact(s.Engagements)
			if !yield(*s) {
				return
			}
		}
	})
	out = append(out, due(v, from, until)...)
	slices.SortFunc(out, func(a, b Stop) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Gate, b.Gate), cmp.Compare(a.Code, b.Code),
			cmp.Compare(a.Subject.Noun, b.Subject.Noun), cmp.Compare(a.Subject.ID, b.Subject.ID))
	})
	return out
}

// key joins what is one event: a training that lapses closes every grant of its person.
type key struct {
	at         int64
	gate, code string
	subject    snapshot.Subject
}

// devicesOf are the grant's machines; a grant for any has one that is not named.
func devicesOf(g *snapshot.Grant) []id.Device {
	if len(g.Devices) == 0 {
		return []id.Device{""}
	}
	return g.Devices
}

// maxSteps bounds how many dates of one grant are looked at: a record with thousands
// of dates must not keep the server busy.
const maxSteps = 400

// follow decides one grant on one machine at each of its dates.
func follow(e *policy.Engine, v *snapshot.View, g *snapshot.Grant, d id.Device, from, until time.Time, found map[key]*Stop) {
	r := Question(v, g, d)
	closed := map[string]*Stop{} // gates that are shut, with the stop that said so
	opened := false
	at := from
	for range maxSteps {
		r.Now = at
		seen := e.Foresee(r, unpapered...)
		for gate, s := range closed {
			if !slices.Contains(seen.Gates, gate) {
				if s != nil && s.Mended.IsZero() {
					s.Mended = at.UTC()
				}
				delete(closed, gate)
			}
		}
		if slices.ContainsFunc(seen.Gates, func(gate string) bool { _, known := closed[gate]; return !known }) {
			for _, f := range seen.Failures() {
				if _, known := closed[f.Gate]; known {
					continue
				}
				closed[f.Gate] = nil
				if opened {
					closed[f.Gate] = note(v, g, d, at, f, found)
				}
			}
		}
		next := seen.Until
		opened = opened || len(seen.Gates) == 0
		if next.IsZero() || next.After(until) || !next.After(at) || !at.Before(g.EndsAt) {
			return
		}
		at = next
	}
}

// Question is what the grant is for, in small: the first of its resource types, read on
// the machine, over a connection and with a token that every gate accepts. Its time is
// the asker's to set.
func Question(v *snapshot.View, g *snapshot.Grant, d id.Device) policy.Request {
	who := policy.CallerOf(v, policy.Caller{Grant: g.ID, Device: d})
	r := policy.Request{View: v, Vendor: who.Vendor, App: who.App, Device: who.Device, Grant: who.Grant, Source: who.Source,
		Direction: policy.Out, Usage: policy.Usage{Known: true},
		Transport: policy.Transport{TLSVersion: "1.3", KeyExchange: "X25519MLKEM768",
			CertificateSHA256: hex.EncodeToString(make([]byte, 32)), TokenBinding: "mtls+dpop"}}
	if role, ok := v.Roles.Get(g.Role); ok {
		for _, resource := range slices.Sorted(maps.Keys(role.Resources)) {
			if in := role.Resources[resource].Interactions; len(in) > 0 {
				r.Resources, r.Interaction = []string{resource}, in[0]
				break
			}
		}
	}
	if device, ok := v.Devices.Get(who.Device); ok {
		for _, n := range v.Settings.NetworkRegions {
			if n.Region == device.Region || strings.HasPrefix(device.Region, n.Region+"-") {
				r.Region = n.Region
			}
		}
	}
	return r
}

// note writes a stop down, with those of other grants that have the same cause.
func note(v *snapshot.View, g *snapshot.Grant, d id.Device, at time.Time, f policy.Failure, found map[key]*Stop) *Stop {
	s := Stop{At: at.UTC(), Kind: Stops, Gate: f.Gate, Code: f.Code, Message: f.Message, Next: f.NextStep, Who: string(f.Who), Citation: f.Citation,
		ForVendor: f.Audience == policy.VendorToo, Subject: subjectOf(v, g, d, at, f.Gate)}
	if eng, ok := v.Engagements.Get(g.Engagement); ok {
		s.Vendor = eng.Vendor
	}
	k := key{at.UnixMicro(), f.Gate, f.Code, s.Subject}
	if found[k] == nil {
		found[k] = &s
	}
	found[k].Grants = append(found[k].Grants, g.ID)
	found[k].Engagements = append(found[k].Engagements, g.Engagement)
	return found[k]
}

// subjectOf is the record whose date closes a gate, as far as the gate is about one:
// else the grant itself.
func subjectOf(v *snapshot.View, g *snapshot.Grant, d id.Device, at time.Time, gate string) snapshot.Subject {
	of := func(noun snapshot.Noun, key string) snapshot.Subject { return snapshot.Subject{Noun: noun, ID: key} }
	engagement, _ := v.Engagements.Get(g.Engagement)
	if engagement == nil {
		return of(snapshot.NounGrant, string(g.ID))
	}
	ends := func(times ...time.Time) bool {
		return slices.ContainsFunc(times, func(t time.Time) bool { return !t.IsZero() && t.Equal(at) })
	}
	switch gate {
	case "vendor", "screening", "assessment":
		return of(snapshot.NounVendor, string(engagement.Vendor))
	case "certification":
		for _, c := range v.CertificationsOf(engagement.Vendor) {
			if !c.VerifiedAt.IsZero() && ends(c.ExpiresAt, c.RevokedAt) { // what nobody verified closes nothing by its end
				return of(snapshot.NounCertification, string(c.ID))
			}
		}
		return of(snapshot.NounVendor, string(engagement.Vendor))
	case "agreement", "permitted_use", "region", "subcontractors":
		for _, a := range v.AgreementsOf(engagement.Vendor) {
			if ends(a.EndsAt, a.TerminatedAt, a.SuspendedAt, a.NoticesEnd()) {
				return of(snapshot.NounAgreement, string(a.ID))
			}
		}
		return of(snapshot.NounEngagement, string(engagement.ID))
	case "engagement", "basis", "key", "deidentification":
		return of(snapshot.NounEngagement, string(engagement.ID))
	case "person":
		return of(snapshot.NounPerson, string(g.Person))
	case "training":
		return of(snapshot.NounPerson, string(g.Person))
	case "device", "workload", "sealing":
		return of(snapshot.NounDevice, string(d))
	case "app":
		return of(snapshot.NounApp, string(g.App))
	case "role":
		return of(snapshot.NounRole, string(g.Role))
	case "review":
		for _, r := range v.ReviewsOf(g.ID) {
			if ends(r.DueAt) {
				return of(snapshot.NounReview, string(r.ID))
			}
		}
	}
	return of(snapshot.NounGrant, string(g.ID))
}

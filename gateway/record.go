package gateway

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/deid"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/seal"
	"github.com/sallyport/sallyport/snapshot"
)

// intent is what the log says before anything leaves.
func (x *exchange) intent(d *Desk) audit.Intent {
	p := x.permit
	in := x.facts(p.Decision(), p.Basis(), p.Transport())
	in.Snapshot, in.SnapshotIndex = p.SnapshotVersion(), p.SnapshotLogIndex()
	in.ProfileDigest = audit.Digest(d.sight.scope.Profile().Digest())
	in.ScopeDigest = audit.Digest(d.sight.scope.Digest())
	in.Transport.Sealing = x.sealing()
	return in
}

// facts are those that an intent and a refusal have in common.
func (x *exchange) facts(decision id.Decision, b policy.Basis, t policy.Transport) audit.Intent {
	c := x.s.Caller
	in := audit.Intent{
		Decision: decision,
		Vendor:   c.Vendor(), App: c.App(), Device: c.Device(), Grant: c.Grant(),
		Engagement: b.Engagement, Person: b.Person, Role: b.Role,
		Agent: audit.Agent(cmpOr(b.AgentKind, c.AgentKind())), Direction: audit.Out,
		Destination: string(c.Vendor()), Source: x.source(),
		Purpose: b.Purpose, DataClass: b.DataClass, Profile: b.Profile,
		Policy: x.g.policy, Clauses: clauses(b.Clauses),
		Transport: audit.Transport{TLS: known(t.TLSVersion, "1.2", "1.3"), KeyExchange: t.KeyExchange,
			Certificate: digest(t.CertificateSHA256), Binding: t.TokenBinding},
	}
	if view := x.g.Views.View(); view != nil {
		in.Region, in.RegionBy = x.region(view)
		if e, ok := view.Engagements.Get(b.Engagement); ok {
			in.Category, in.LegalBasis = e.Category, e.Basis
		}
	}
	in.Action = x.words.Interaction
	if x.words.Action != "" {
		in.Action = x.words.Action
	}
	if !audit.Action(in.Action) {
		in.Action = ""
	}
	if len(x.words.Resources) > 0 && audit.Resource(x.words.Resources[0]) {
		in.Resource = x.words.Resources[0]
	}
	return in
}

// region is where the caller is, and how that is known.
func (x *exchange) region(view *snapshot.View) (string, audit.RegionBy) {
	if r := view.Settings.RegionOfAddress(x.s.Caller.Address()); audit.Region(r) {
		return r, audit.ByAddress
	}
	if d, ok := view.Devices.Get(x.s.Caller.Device()); ok && audit.Region(d.Region) {
		return d.Region, audit.ByDeclaration
	}
	return "", ""
}

func cmpOr(a, b snapshot.AgentKind) snapshot.AgentKind {
	if a != "" {
		return a
	}
	return b
}

func known(v string, words ...string) string {
	if slices.Contains(words, v) {
		return v
	}
	return ""
}

func digest(text string) (d audit.Digest) {
	if len(text) == 2*len(d) {
		if _, err := hex.Decode(d[:], []byte(text)); err != nil {
			return audit.Digest{}
		}
	}
	return d
}

// clauses writes "agreement/term" with a dot, which the log's ids allow; where
// that would be too long for an id, the term alone.
func clauses(list []string) []string {
	out := make([]string, 0, len(list))
	for _, c := range list {
		agreement, term, ok := strings.Cut(c, "/")
		switch {
		case !ok:
			c = agreement
		case len(c) > id.MaxLen:
			c = term
		default:
			c = agreement + "." + term
		}
		out = append(out, c)
	}
	return out
}

// outcome is what the log says of one release.
func (x *exchange) outcome(r deid.Release, s seal.Sealed, keys []seal.PatientKey, last bool) audit.Outcome {
	o := audit.Outcome{
		Release: id.New[id.Release](x.g.Now()), Result: audit.Released, Final: last,
		Status: http.StatusOK, Upstream: x.upstream, Leg: x.desk.upstreamLeg(), Digest: s.Digest(), Bytes: uint64(s.Len()), Sealed: x.sealed(s),
	}
	if len(keys) > 0 {
		o.Patients = make([]string, len(keys))
		for i, k := range keys {
			o.Patients[i] = k.String()
		}
	}
	o.Removed, o.Changed = x.removals(), x.desk.changed(r)
	for _, c := range r.Counts() {
		o.Resources = append(o.Resources, audit.TypeCount{Type: c.Type, N: uint64(c.N)})
	}
	o.Shown = shown(r.Shown())
	return o
}

// shown writes which of the role's elements a release shows as the log does.
func shown(list []deid.Shown) []audit.TypeShown {
	if len(list) == 0 {
		return nil
	}
	out := make([]audit.TypeShown, len(list))
	var digits [deid.MaxMarks / 4]byte
	for i, s := range list {
		text := digits[:0]
		for n := len(s.Bits) - 1; n >= 0; n-- {
			switch {
			case len(text) > 0:
				text = fmt.Appendf(text, "%016x", s.Bits[n])
			case s.Bits[n] != 0 || n == 0:
				text = strconv.AppendUint(text, s.Bits[n], 16)
			}
		}
		out[i] = audit.TypeShown{Type: s.Type, Bits: string(text)}
	}
	return out
}

// removals is what was left out since the last outcome; it is added up for the
// log of requests.
func (x *exchange) removals() []audit.Removal {
	list := x.desk.withheld()
	for _, r := range list {
		i := slices.IndexFunc(x.removed, func(y audit.Removal) bool { return y.Why == r.Why })
		if i < 0 {
			x.removed = append(x.removed, r)
		} else {
			x.removed[i].N += r.N
		}
	}
	return list
}

// refuse records a refusal and returns it in the caller's words. Not recorded,
// it is a failure of the gateway's own, and refuses all the same.
func (x *exchange) refuse(ctx context.Context, r *policy.Refusal) error {
	x.gates = r.Gates()
	x.out.decision = r.Decision
	in := x.facts(r.Decision, r.Basis, r.Transport)
	in.Snapshot, in.SnapshotIndex = r.SnapshotVersion, r.SnapshotLogIndex
	out := audit.Refusal{Intent: in}
	for _, f := range r.Failures {
		out.Failing = append(out.Failing, audit.Failing{Gate: gateWord(f.Gate), Reason: f.Code})
	}
	p := r.Problem(policy.VendorToo)
	if r.Stage == policy.AtContent && slices.ContainsFunc(r.Failures, aboutAPatient) {
		p = NotFound()
		p.Decision = string(r.Decision)
	}
	return x.recordRefusal(ctx, out, p)
}

// aboutAPatient: that somebody is outside the cohort, is on hold, or has a
// record of a protected kind is itself about them (42 CFR 2.13(c)(2): an answer
// must not reveal that such a record is there). The vendor hears what it would
// hear of a record that does not exist; the owner's log says which gate it was.
//
// Where the volume ran out between decision and release the content was not
// looked at, and these gates fail without telling anything.
func aboutAPatient(f policy.Failure) bool {
	return (f.Gate == "cohort" || f.Gate == "patient_hold" || f.Gate == "labels") && f.Code != "not-inspected"
}

// gateWord: a site's gate is "site:<id>", and the log's words have no colon.
func gateWord(gate string) string { return strings.ReplaceAll(gate, ":", ".") }

// deny refuses, and records, what never came to the policy: a question that
// cannot be read, or that the token's scopes do not cover.
func (x *exchange) deny(ctx context.Context, gate, reason string, p *problem.Problem) error {
	return x.denyAs(ctx, id.New[id.Decision](x.g.Now()), gate, reason, p)
}

// denyAs is deny under a decision that was made before.
func (x *exchange) denyAs(ctx context.Context, decision id.Decision, gate, reason string, p *problem.Problem) error {
	x.gates = []string{gate}
	x.out.decision = decision
	q := *p
	q.Decision = string(decision)
	view := x.g.Views.View()
	in := x.facts(decision, policy.Basis{}, policy.Transport(x.s.Caller.Transport()))
	in.Engagement = x.s.Engagement
	if view != nil {
		in.Snapshot, in.SnapshotIndex = view.Version(), view.LogIndex()
	}
	if x.s.Grant != nil {
		in.Role, in.Person = x.s.Grant.Role, x.s.Grant.Person
	}
	return x.recordRefusal(ctx, audit.Refusal{Intent: in, Failing: []audit.Failing{{Gate: gate, Reason: reason}}}, &q)
}

func (x *exchange) recordRefusal(ctx context.Context, r audit.Refusal, p *problem.Problem) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	if _, err := x.g.Log.Refuse(ctx, r); err != nil {
		return unrecorded(err)
	}
	return p
}

// scopes checks the token's SMART scopes: they narrow the grant.
func (x *exchange) scopes(ctx context.Context) error {
	for _, n := range x.words.Needs {
		if !allows(x.s.Caller.Scopes(), n) {
			context := "system/"
			if x.s.Caller.Person() != "" {
				context = "user/"
			}
			p := problem.New(problem.Refused, "The access token's scopes do not cover this", "Ask for a token with the scope that is named")
			p.Reasons = []problem.Reason{{Gate: "scope", Who: "vendor", Citation: "SMART App Launch 2, scopes for FHIR resources",
				Message: "The token may not " + n.Interaction + " " + n.Resource, NextStep: "Ask for a token with " + context + n.Resource + "." + letter(n.Interaction)}}
			return x.deny(ctx, "scope", "insufficient", p)
		}
	}
	return nil
}

func allows(s identity.Scopes, n Need) bool { return s.Allows(n.Resource, n.Interaction) }

func letter(interaction string) string {
	if interaction == "search-type" {
		return "s"
	}
	return "r"
}

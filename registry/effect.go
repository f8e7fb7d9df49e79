package registry

import (
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

// Effect is what an act about an agreement would do, before anybody does it: to the
// grants that rest on it, and to the decisions of the past.
type Effect struct {
	Agreement id.Agreement `json:"agreement"`
	// StopsAtOnce are grants that run now and would not as soon as the act is done: an
	// amendment takes the signatures and the approval away until they are there again.
	StopsAtOnce []id.Grant `json:"stops_at_once"`
	// Stops and Starts are once the paper is signed by both sides, approved and in effect.
	Stops  []id.Grant    `json:"stops"`
	Starts []id.Grant    `json:"starts"`
	Grants []GrantEffect `json:"grants"`
	Replay *Replay       `json:"replay,omitempty"`
	// Assumed says what was taken for granted.
	Assumed []string `json:"assumed"`
}

// GrantEffect is one grant under the agreement: how many of its questions would be
// permitted, now, as soon as the act is done, and once the paper is in force. A question
// is one type of resource, asked as the role allows.
type GrantEffect struct {
	Grant      id.Grant      `json:"grant"`
	Engagement id.Engagement `json:"engagement"`
	Questions  int           `json:"questions"`
	Now        int           `json:"now"`
	AtOnce     int           `json:"at_once"`
	Then       int           `json:"then"`
	Gates      []string      `json:"gates,omitempty"` // that refuse then, and do not now
}

// Past is a decision that was made, with the papers as they stood; that the view was
// known to be the newest then is taken for granted.
type Past struct {
	Request    policy.Request
	Engagement id.Engagement
	Permitted  bool
}

// Replay is what the past would have been, had the paper been in force then.
type Replay struct {
	From      time.Time `json:"from"`
	Decisions int       `json:"decisions"` // about engagements that rest on the agreement
	Same      int       `json:"same"`
	Refused   int       `json:"refused"`   // were permitted, and would have been refused
	Permitted int       `json:"permitted"` // were refused, and would have been permitted
	// Unclear were decided by what the log does not keep, such as the volume or the
	// content: judged again by the papers of their time, they come out otherwise than they
	// did, so nothing can be said.
	Unclear int `json:"unclear"`
	// Unread were beyond the bound on how much is judged again; older than the others.
	Unread int           `json:"unread"`
	Groups []ReplayGroup `json:"groups"`
}

// ReplayGroup counts decisions of an engagement that would have been otherwise, by the
// gate that refuses, then or now. A decision that several gates refuse counts for each.
type ReplayGroup struct {
	Engagement id.Engagement `json:"engagement"`
	Gate       string        `json:"gate"`
	Refused    int           `json:"refused"`
	Permitted  int           `json:"permitted"`
}

// maxQuestions bounds the questions of one grant.
const maxQuestions = 12

// assumedPeople stand for two people who have signed and approved.
const assumedAsker, assumedApprover = id.Person("assumed.asker"), id.Person("assumed.approver")

// EffectOf judges an act about an agreement that is there: amend, renew, suspend, resume
// or terminate. It is pure: nothing is done. The act must pass Check.
func EffectOf(e *policy.Engine, v *snapshot.View, by Actor, a Act, now time.Time) (Effect, *snapshot.Agreement, error) {
	a = deref(a)
	on := id.Agreement(a.Subject().ID)
	switch a.(type) {
	case AmendAgreement, RenewAgreement, SuspendAgreement, ResumeAgreement, TerminateAgreement:
	default:
		return Effect{}, nil, problem.BadField("kind", "has no effect that can be shown", "Use agreement.amend, renew, suspend, resume or terminate")
	}
	if err := Check(v, by, a, now); err != nil {
		return Effect{}, nil, err
	}
	confirmed := v.Confirmed()
	atOnce, _ := Apply(v, a, Stamp{ID: "effect", By: by.Name(), At: now})
	atOnce = atOnce.Confirm(confirmed)
	g, ok := atOnce.Agreements.Get(on)
	if !ok {
		return Effect{}, nil, found("id", v.Agreements, on)
	}
	out := Effect{Agreement: on, StopsAtOnce: []id.Grant{}, Stops: []id.Grant{}, Starts: []id.Grant{},
		Assumed: []string{"each grant is asked, of each type of resource in its role, as the role allows, up to 12 types", "TLS 1.3 with a token bound to the device's certificate, from a region that the device declares",
			"the grants' volume is unused, and the content is not inspected"}}
	assumed := *g
	if _, ok := a.(AmendAgreement); ok {
		assume(&assumed, now)
		out.Assumed = append(out.Assumed, "both sides have signed the amended paper, a second person has approved it, and it is in effect")
	}
	if r, ok := a.(RenewAgreement); ok {
		assumed.EndsAt = r.EndsAt.UTC()
		out.Assumed = append(out.Assumed, "a second person has approved the renewal")
	}
	then := withAgreement(v, &assumed)
	for _, grant := range v.Grants.All() {
		eng, ok := v.Engagements.Get(grant.Engagement)
		if !ok || !slices.Contains(eng.Agreements, on) || grant.State == snapshot.Ended {
			continue
		}
		x := GrantEffect{Grant: grant.ID, Engagement: eng.ID}
		for _, q := range questions(v, grant, now) {
			x.Questions++
			is := policy.Explain(e, q)
			q.View = atOnce
			soon := policy.Explain(e, q)
			q.View = then
			will := policy.Explain(e, q)
			x.Now, x.AtOnce, x.Then = x.Now+one(is.Permitted), x.AtOnce+one(soon.Permitted), x.Then+one(will.Permitted)
			for i, r := range will.Rungs {
				if !r.Pass && i < len(is.Rungs) && is.Rungs[i].Pass && !slices.Contains(x.Gates, r.Gate) {
					x.Gates = append(x.Gates, r.Gate)
				}
			}
		}
		if x.Now > 0 && x.AtOnce == 0 {
			out.StopsAtOnce = append(out.StopsAtOnce, x.Grant)
		}
		if x.Now > 0 && x.Then == 0 {
			out.Stops = append(out.Stops, x.Grant)
		}
		if x.Now == 0 && x.Then > 0 {
			out.Starts = append(out.Starts, x.Grant)
		}
		out.Grants = append(out.Grants, x)
	}
	return out, &assumed, nil
}

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}

// assume signs and approves a copy of the paper.
func assume(g *snapshot.Agreement, now time.Time) {
	g.Signatures = nil
	for _, p := range parties(g.Kind) {
		g.Signatures = append(g.Signatures, snapshot.Signature{Party: p, Signer: "assumed", At: now, By: assumedAsker})
	}
	g.Approval = snapshot.Approval{State: snapshot.Approved, RequestedBy: assumedAsker, RequestedAt: now, ApprovedBy: assumedApprover, ApprovedAt: now}
	if g.EffectiveAt.After(now) {
		g.EffectiveAt = now
	}
}

// withAgreement is the view with another form of an agreement.
func withAgreement(v *snapshot.View, g *snapshot.Agreement) *snapshot.View {
	e := v.Edit()
	e.Put(g)
	return e.Publish(v.Version(), v.LogIndex(), v.Confirmed()).Confirm(v.Confirmed())
}

// questions are what the grant's holder might ask now.
func questions(v *snapshot.View, g *snapshot.Grant, now time.Time) []policy.Request {
	role, ok := v.Roles.Get(g.Role)
	if !ok {
		return nil
	}
	who := policy.CallerOf(v, policy.Caller{Grant: g.ID})
	var region string
	if d, ok := v.Devices.Get(who.Device); ok {
		for _, n := range v.Settings.NetworkRegions {
			if n.Region == d.Region || strings.HasPrefix(d.Region, n.Region+"-") {
				region = n.Region
			}
		}
	}
	var out []policy.Request
	for _, typ := range sortedKeys(role.Resources) {
		allowed := role.Resources[typ].Interactions
		if len(allowed) == 0 || len(out) == maxQuestions {
			continue
		}
		interaction := slices.Min(allowed)
		if slices.Contains(allowed, "read") {
			interaction = "read"
		}
		out = append(out, policy.Request{View: v, Now: now, Region: region, Vendor: who.Vendor, App: who.App, Device: who.Device, Grant: who.Grant,
			Direction: policy.Out, Source: who.Source, Interaction: interaction, Resources: []string{typ}, Usage: policy.Usage{Known: true},
			Transport: policy.Transport{TLSVersion: "1.3", KeyExchange: "X25519MLKEM768", CertificateSHA256: hex.EncodeToString(make([]byte, 32)), TokenBinding: "mtls"}})
	}
	return out
}

// Replayed judges past decisions again, as if the agreement had been in force then in
// this form. Each is judged first by the papers of its own time: where that does not give
// what the log has, it is unclear.
func Replayed(e *policy.Engine, past []Past, g *snapshot.Agreement, from time.Time) Replay {
	out := Replay{From: from, Decisions: len(past), Groups: []ReplayGroup{}}
	at := map[[2]string]int{}
	count := func(p Past, gate string, refused bool) {
		key := [2]string{string(p.Engagement), gate}
		i, ok := at[key]
		if !ok {
			i = len(out.Groups)
			at[key] = i
			out.Groups = append(out.Groups, ReplayGroup{Engagement: p.Engagement, Gate: gate})
		}
		if refused {
			out.Groups[i].Refused++
		} else {
			out.Groups[i].Permitted++
		}
	}
	last, as := (*snapshot.View)(nil), (*snapshot.View)(nil)
	for _, p := range past {
		q := p.Request
		q.View = p.Request.View.Confirm(q.Now)
		was, before := refusing(e, q)
		if was != p.Permitted {
			out.Unclear++
			continue
		}
		if p.Request.View != last {
			last, as = p.Request.View, withAgreement(p.Request.View, inForceAt(g, from))
		}
		q.View = as.Confirm(q.Now)
		is, after := refusing(e, q)
		switch {
		case is == was:
			out.Same++
		case was:
			out.Refused++
			for _, gate := range after {
				count(p, gate, true)
			}
		default:
			out.Permitted++
			for _, gate := range before {
				count(p, gate, false)
			}
		}
	}
	slices.SortFunc(out.Groups, func(a, b ReplayGroup) int {
		return strings.Compare(string(a.Engagement)+" "+a.Gate, string(b.Engagement)+" "+b.Gate)
	})
	return out
}

// refusing says whether the request is permitted, and else by which gates not.
func refusing(e *policy.Engine, q policy.Request) (permitted bool, gates []string) {
	permit, refusal := e.Decide(q)
	if permit == nil || refusal != nil {
		return false, refusal.Gates()
	}
	return true, nil
}

// inForceAt is the paper as if it had begun, been signed and approved by t.
func inForceAt(g *snapshot.Agreement, t time.Time) *snapshot.Agreement {
	c := *g
	early := func(at *time.Time) {
		if at.After(t) {
			*at = t
		}
	}
	early(&c.EffectiveAt)
	early(&c.RequestedAt)
	early(&c.ApprovedAt)
	for _, at := range []*time.Time{&c.SuspendedAt, &c.TerminatedAt} {
		if !at.IsZero() {
			early(at)
		}
	}
	c.Signatures = slices.Clone(c.Signatures)
	for i := range c.Signatures {
		early(&c.Signatures[i].At)
	}
	return &c
}

// GrantChange is what an act makes of running grants.
type GrantChange struct {
	Stops  []id.Grant // run before, and not after
	Starts []id.Grant // run after, and not before
	Asked  int        // how many grants were asked
	Beyond bool       // there were more than that
}

// Difference asks grants before and after a change, each of every type of resource in its
// role, as EffectOf does: a grant runs if one of its questions is permitted. It is pure.
func Difference(e *policy.Engine, before, after *snapshot.View, among func(*snapshot.Grant) bool, now time.Time, most int) GrantChange {
	var out GrantChange
	runs := func(v *snapshot.View, g *snapshot.Grant) bool {
		return slices.ContainsFunc(questions(v, g, now), func(q policy.Request) bool { return policy.Explain(e, q).Permitted })
	}
	for key, next := range after.Grants.All() {
		old, was := before.Grants.Get(key)
		if !was {
			old = next
		}
		if old.State == snapshot.Ended || !among(next) {
			continue
		}
		if out.Asked == most {
			out.Beyond = true
			break
		}
		out.Asked++
		switch is, will := was && runs(before, old), runs(after, next); {
		case is && !will:
			out.Stops = append(out.Stops, key)
		case !is && will:
			out.Starts = append(out.Starts, key)
		}
	}
	return out
}

package api

import (
	"cmp"
	"context"
	"encoding/hex"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sallyport/sallyport/agreement"
	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/disclosure"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// EffectRequest is an act about an agreement that is imagined.
type EffectRequest struct {
	Kind registry.Kind `json:"kind,omitempty" doc:"agreement.amend (the default), renew, suspend, resume or terminate"`
	Act  Fields        `json:"act,omitempty" doc:"Its fields; the id is that of the path"`
	Days int           `json:"days,omitempty" minimum:"0" maximum:"90" doc:"How many days of decisions to judge again; 0: 30"`
}

// Evidence is what happened under an agreement: ids, counts and digests alone.
type Evidence struct {
	Agreement id.Agreement           `json:"agreement"`
	Kind      snapshot.AgreementKind `json:"kind"`
	State     snapshot.State         `json:"state"`
	Document  string                 `json:"document_sha256"`
	// Opened: the term audit_rights lets a person of the other side read this, too.
	Opened     bool                  `json:"audit_rights"`
	Reports    []string              `json:"reports,omitempty" doc:"What the term promises besides"`
	Signatures []snapshot.Signature  `json:"signatures"`
	Notices    []snapshot.CureNotice `json:"notices"`
	Survives   []Surviving           `json:"survives" doc:"What goes on after the end"`
	// Acts are those about the agreement, with their place in the log.
	Acts        []EvidenceAct        `json:"acts"`
	Engagements []EvidenceEngagement `json:"engagements"`
	From        time.Time            `json:"from" doc:"Decisions are counted from here"`
	Complete    bool                 `json:"complete" doc:"False: there were more acts than are read at once; the newest are left out"`
	Checkpoint  string               `json:"checkpoint"`
}

// Surviving is a clause that outlives the agreement.
type Surviving struct {
	Term   string `json:"term"`
	Clause string `json:"clause,omitempty"`
}

// EvidenceAct is an act about the agreement. Its proof: GET /v1/log/proofs/{log_index}.
type EvidenceAct struct {
	Act      id.Act        `json:"act"`
	Kind     registry.Kind `json:"kind"`
	At       time.Time     `json:"at"`
	Digest   string        `json:"digest"`
	Log      string        `json:"log"`
	LogIndex uint64        `json:"log_index"`
}

// EvidenceEngagement counts what was decided and released under the agreement.
type EvidenceEngagement struct {
	Engagement id.Engagement `json:"engagement"`
	Permitted  int           `json:"permitted"`
	Refused    int           `json:"refused"`
	Releases   int           `json:"releases"`
	Bytes      uint64        `json:"bytes"`
}

// The bounds on what one read looks at: entries of the log, acts of the registry,
// decisions judged again, and registries of other days loaded for it.
const (
	maxScan    = 200_000
	maxActs    = 20_000
	maxReplay  = 5_000
	maxReplays = 40
)

func (s *server) agreementReads() {
	huma.Register(s.api, huma.Operation{OperationID: "agreement-effect", Method: http.MethodPost, Path: "/v1/agreements/{id}/effect", Tags: []string{"agreements"},
		Summary: "What an act about the agreement would do: to running grants, and to the last 30 days of decisions", Description: "Nothing is done. Ids and counts alone."},
		func(ctx context.Context, in *struct {
			ID   string `path:"id"`
			Body EffectRequest
		}) (*struct{ Body *registry.Effect }, error) {
			ctx, cancel := context.WithTimeout(ctx, readTimeout)
			defer cancel()
			done, err := s.oneAtATime(ctx)
			if err != nil {
				return nil, s.asProblem(ctx, err)
			}
			defer done()
			out, err := s.effect(ctx, in.ID, in.Body)
			if err != nil {
				return nil, s.asProblem(ctx, err)
			}
			return &struct{ Body *registry.Effect }{out}, nil
		})
	huma.Register(s.api, huma.Operation{OperationID: "agreement-evidence", Method: http.MethodGet, Path: "/v1/agreements/{id}/evidence", Tags: []string{"agreements"},
		Summary: "What happened under the agreement: acts with their place in the log, decisions and releases counted", Description: "The organisation's people read it; a person of the other side does where the agreement's term audit_rights opens it."},
		func(ctx context.Context, in *struct {
			ID   string `path:"id"`
			Days int    `query:"days" minimum:"1" maximum:"366" default:"90"`
		}) (*struct{ Body *Evidence }, error) {
			ctx, cancel := context.WithTimeout(ctx, readTimeout)
			defer cancel()
			out, err := s.evidenceOf(ctx, id.Agreement(in.ID), in.Days)
			if err != nil {
				return nil, s.asProblem(ctx, err)
			}
			return &struct{ Body *Evidence }{out}, nil
		})
}

// oneAtATime lets each of the organisation's people, and each vendor, have the log looked
// through once at a time: decisions wait for the same machine.
func (s *server) oneAtATime(ctx context.Context) (done func(), err error) {
	who := "person " + string(caller(ctx))
	if p, ok := s.Registry.View().Persons.Get(caller(ctx)); ok && p.Vendor != "" {
		who = "vendor " + string(p.Vendor)
	}
	if _, busy := s.looking.LoadOrStore(who, true); busy {
		return nil, problem.New(problem.Unavailable, "The log is being looked through for you, or for your colleague, already", "Wait for that answer, and ask again")
	}
	return func() { s.looking.Delete(who) }, nil
}

func (s *server) effect(ctx context.Context, key string, in EffectRequest) (*registry.Effect, error) {
	a, err := s.actOf(cmp.Or(in.Kind, "agreement.amend"), key, in.Act)
	if err != nil {
		return nil, err
	}
	view, now := s.Registry.View(), s.Now()
	by := actor(ctx)
	if err := registry.Authorize(s.Acts, view, registry.Actor{Person: by.Person}, a, now); err != nil {
		return nil, err // who may not do it need not imagine it; the passkey is for doing it
	}
	out, assumed, err := registry.EffectOf(s.Policy, view, by, a, now)
	if err != nil {
		return nil, err
	}
	days := time.Duration(cmp.Or(in.Days, 30)) * 24 * time.Hour
	past, unread, err := s.past(ctx, view, id.Agreement(key), now.Add(-days))
	if err != nil {
		return nil, err
	}
	r := registry.Replayed(s.Policy, past, assumed, now.Add(-days))
	r.Unread, r.Decisions = unread, r.Decisions+unread
	out.Replay = &r
	out.Assumed = append(out.Assumed, "past requests are judged by the papers of their time, with this one in force in its new form; the log keeps no query, so elements that a search read are not judged again")
	return &out, nil
}

// newest calls f for the log's decisions since a time, newest last, within the bound; not
// complete: older ones were left out.
func (s *server) newest(ctx context.Context, since time.Time, f func(audit.Entry)) (complete bool, err error) {
	size := s.Log.Size()
	from := size - min(size, maxScan)
	complete = from == 0
	err = s.Log.Scan(ctx, from, size, func(_ uint64, e audit.Entry) error {
		if e.Time.Before(since) {
			complete = true // the bound reaches back far enough
			return nil
		}
		f(e)
		return nil
	})
	return complete, err
}

// past reads decisions about engagements that rest on the agreement, with the papers as
// they stood.
func (s *server) past(ctx context.Context, view *snapshot.View, on id.Agreement, since time.Time) ([]registry.Past, int, error) {
	resting := map[id.Engagement]bool{}
	for _, e := range view.Engagements.All() {
		resting[e.ID] = slices.Contains(e.Agreements, on)
	}
	var found []audit.Entry
	if _, err := s.newest(ctx, since, func(e audit.Entry) {
		if in, _ := intentOf(e); in != nil && resting[in.Engagement] {
			found = append(found, e)
		}
	}); err != nil {
		return nil, 0, err
	}
	unread := max(0, len(found)-maxReplay)
	found = found[unread:]
	views := map[uint64]*snapshot.View{}
	var out []registry.Past
	for _, e := range slices.Backward(found) {
		in, permitted := intentOf(e)
		v, ok := views[in.Snapshot]
		if !ok {
			if len(views) == maxReplays {
				unread++
				continue
			}
			var err error
			if v, err = s.Registry.AtVersion(ctx, in.Snapshot); err != nil {
				return nil, 0, err
			}
			views[in.Snapshot] = v
		}
		out = append(out, registry.Past{Request: requestOf(in, v, e.Time), Engagement: in.Engagement, Permitted: permitted})
	}
	return out, unread, nil
}

// intentOf is what the entry decided; nil: it is no decision.
func intentOf(e audit.Entry) (in *audit.Intent, permitted bool) {
	switch {
	case e.Intent != nil:
		return e.Intent, true
	case e.Refusal != nil:
		return &e.Refusal.Intent, false
	}
	return nil, false
}

func (s *server) evidenceOf(ctx context.Context, key id.Agreement, days int) (*Evidence, error) {
	g, err := s.ownAgreement(ctx, key)
	if err != nil {
		return nil, err
	}
	view, now := s.Registry.View(), s.Now()
	reports, open := agreement.AuditRights(g)
	if p, ok := view.Persons.Get(caller(ctx)); !ok || p.Vendor != "" && (!open || g.State != snapshot.Approved) {
		return nil, problem.New(problem.Refused, "This agreement opens no view of what happens under it", "Its term audit_rights would, once it is approved; ask the organisation")
	}
	out := &Evidence{Agreement: g.ID, Kind: g.Kind, State: g.State, Document: g.Document, Opened: open, Reports: reports, Signatures: g.Signatures, Notices: g.Notices,
		Survives: []Surviving{}, Acts: []EvidenceAct{}, Engagements: []EvidenceEngagement{}, From: now.AddDate(0, 0, -days), Complete: true, Checkpoint: string(s.Log.Checkpoint())}
	for _, x := range agreement.Survives(g) {
		out.Survives = append(out.Survives, Surviving{x, g.Terms[x].Clause})
	}
	itself := snapshot.Subject{Noun: snapshot.NounAgreement, ID: string(key)}
	for at, read := uint64(0), 0; ; {
		entries, err := s.Registry.Acts(ctx, at, 1000)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			at = e.Seq
			if e.Subject == itself {
				out.Acts = append(out.Acts, EvidenceAct{Act: e.ID, Kind: e.Kind, At: e.At, Digest: e.Digest, Log: e.LogNode, LogIndex: e.LogIndex})
			}
		}
		if read += len(entries); len(entries) < 1000 {
			break
		}
		if read >= maxActs {
			out.Complete = false
			break
		}
	}
	counts := map[id.Engagement]*EvidenceEngagement{}
	for _, e := range view.Engagements.All() {
		if slices.Contains(e.Agreements, key) {
			counts[e.ID] = &EvidenceEngagement{Engagement: e.ID}
		}
	}
	about := disclosure.Query{Engagements: slices.Sorted(maps.Keys(counts)), Since: out.From}
	if len(about.Engagements) > 0 { // none would mean all
		index, err := s.index()
		if err != nil {
			return nil, err
		}
		err = index.Rows(ctx, about, 0, func(r disclosure.Row) error {
			c := counts[r.Engagement]
			switch r.Kind {
			case disclosure.Permitted:
				c.Permitted++
			case disclosure.Refused:
				c.Refused++
			default:
				c.Releases++
				c.Bytes += r.Bytes
			}
			return nil
		}, disclosure.Permitted, disclosure.Refused, disclosure.Released)
		if err != nil {
			return nil, err
		}
	}
	for _, k := range about.Engagements {
		out.Engagements = append(out.Engagements, *counts[k])
	}
	return out, nil
}

// requestOf is a past decision's request, as far as the log has it.
func requestOf(in *audit.Intent, v *snapshot.View, at time.Time) policy.Request {
	q := policy.Request{View: v, Now: at, Vendor: in.Vendor, App: in.App, Device: in.Device, Grant: in.Grant,
		Direction: policy.Direction(in.Direction), Source: in.Source, Interaction: in.Action, Usage: policy.Usage{Known: true},
		Transport: policy.Transport{TLSVersion: in.Transport.TLS, KeyExchange: in.Transport.KeyExchange,
			CertificateSHA256: hex.EncodeToString(in.Transport.Certificate[:]), TokenBinding: in.Transport.Binding}}
	if in.RegionBy == audit.ByAddress {
		q.Region = in.Region
	}
	if in.Resource != "" {
		q.Resources = []string{in.Resource}
	}
	return q
}

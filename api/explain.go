package api

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// ExplainRequest asks why: of a decision that was made, or of one that might
// be. At and With change the world that it is judged in.
type ExplainRequest struct {
	Decision id.Decision `json:"decision,omitempty" doc:"A decision that was made; leave the question out"`
	Question *Question   `json:"question,omitempty" doc:"A request that might be made"`
	At       time.Time   `json:"at,omitzero" doc:"Judge by the papers as they stood at this time"`
	With     []WithAct   `json:"with,omitempty" doc:"Judge as if these acts had been done, in this order, by you"`
}

// Question is a request that a vendor's application might make. What it leaves
// out is taken from the grant.
type Question struct {
	Grant       id.Grant  `json:"grant"`
	App         id.App    `json:"app,omitempty"`
	Device      id.Device `json:"device,omitempty"`
	Source      id.Source `json:"source,omitempty"`
	Interaction string    `json:"interaction" doc:"read, vread, search-type, everything"`
	Resources   []string  `json:"resources" doc:"FHIR resource types that the answer may hold"`
	Reads       []string  `json:"reads,omitempty" doc:"Elements that the query reads, such as Patient.birthDate"`
	PageSize    int       `json:"page_size,omitempty"`
}

// WithAct is an act that is imagined, not done.
type WithAct struct {
	Kind registry.Kind `json:"kind"`
	Act  Fields        `json:"act"`
}

// Explanation is every gate's part in the decision.
type Explanation struct {
	policy.Ladder
	// Recorded is what the log says of a decision that was made.
	Recorded *Recorded `json:"recorded,omitempty"`
	// Assumed says what the question left open and how it was filled in.
	Assumed []string `json:"assumed,omitempty"`
}

// Recorded is a decision as the log has it.
type Recorded struct {
	Decision  id.Decision `json:"decision"`
	At        time.Time   `json:"at"`
	Permitted bool        `json:"permitted"`
	Failing   []Failing   `json:"failing,omitempty"`
	Releases  int         `json:"releases"`
	Bytes     uint64      `json:"bytes"`
	Patients  uint64      `json:"patients" doc:"Summed over the releases"`
	Clauses   []string    `json:"clauses,omitempty"`
	Layers    Layers      `json:"layers" doc:"What protected it, layer by layer"`
	LogIndex  uint64      `json:"log_index"`
}

// Layers are what protected a request and its answer on their way, and where the
// caller was. What is not known is left out.
type Layers struct {
	Agent        string     `json:"agent,omitempty" doc:"human, workload or agent"`
	TLS          string     `json:"tls,omitempty" doc:"Version"`
	KeyExchange  string     `json:"key_exchange,omitempty"`
	Certificate  string     `json:"certificate_sha256,omitempty" doc:"Of the client"`
	TokenBinding string     `json:"token_binding,omitempty" doc:"none, mtls (RFC 8705) or dpop (RFC 9449)"`
	Sealing      string     `json:"sealing,omitempty" doc:"Of the release to its recipient"`
	Region       string     `json:"region,omitempty"`
	RegionBy     string     `json:"region_by,omitempty" doc:"declared, or address: the organisation's table of networks"`
	Upstream     []Upstream `json:"upstream,omitempty" doc:"Each way from the source that was used, once"`
}

// Upstream is what protected the way from the source.
type Upstream struct {
	TLS         string `json:"tls" doc:"Version; none is plain, on the gateway's own machine"`
	KeyExchange string `json:"key_exchange,omitempty"`
	Certificate string `json:"certificate_sha256,omitempty" doc:"Of the source"`
}

func layersOf(in *audit.Intent) Layers {
	t := in.Transport
	return Layers{Agent: string(in.Agent), TLS: t.TLS, KeyExchange: t.KeyExchange, Certificate: hexOf(t.Certificate), TokenBinding: t.Binding,
		Sealing: t.Sealing, Region: in.Region, RegionBy: string(in.RegionBy)}
}

// came adds a leg, each once.
func (l *Layers) came(leg audit.Leg) {
	u := Upstream{TLS: leg.TLS, KeyExchange: leg.KeyExchange, Certificate: hexOf(leg.Certificate)}
	if leg.TLS != "" && !slices.Contains(l.Upstream, u) {
		l.Upstream = append(l.Upstream, u)
	}
}

func hexOf(d audit.Digest) string {
	if d == (audit.Digest{}) {
		return ""
	}
	return hex.EncodeToString(d[:])
}

// Failing is a gate that refused, and why.
type Failing struct {
	Gate   string `json:"gate"`
	Reason string `json:"reason"`
}

func (s *server) explain() {
	huma.Register(s.api, huma.Operation{OperationID: "explain", Method: http.MethodPost, Path: "/v1/explain", Tags: []string{"decisions"},
		Summary: "Why a request was, or would be, permitted or refused"},
		func(ctx context.Context, in *struct{ Body ExplainRequest }) (*struct{ Body *Explanation }, error) {
			ctx, cancel := context.WithTimeout(ctx, readTimeout)
			defer cancel()
			out, err := s.explanation(ctx, in.Body)
			if err != nil {
				return nil, s.asProblem(ctx, err)
			}
			return &struct{ Body *Explanation }{out}, nil
		})
}

func (s *server) explanation(ctx context.Context, in ExplainRequest) (*Explanation, error) {
	if (in.Decision == "") == (in.Question == nil) {
		return nil, problem.BadField("decision", "give a decision or a question, not both", "Name a decision id, or describe a request")
	}
	var (
		out Explanation
		q   policy.Request
		err error
	)
	if in.Decision != "" {
		q, err = s.recorded(ctx, in.Decision, !in.At.IsZero(), &out)
	} else {
		q, err = s.asked(s.Registry.View(), *in.Question, &out)
	}
	if err != nil {
		return nil, err
	}
	if !in.At.IsZero() {
		if in.At.After(s.Now()) {
			// The papers of today, judged at a time to come: what will have lapsed.
			q.View = s.Registry.View().Confirm(in.At)
			out.Assumed = append(out.Assumed, "no act is done between now and then")
		} else {
			v, err := s.Registry.At(ctx, in.At)
			if err != nil {
				return nil, err
			}
			q.View = v.Confirm(in.At)
		}
		q.Now = in.At
	}
	for i, w := range in.With {
		if q.View, err = s.imagine(ctx, q.View, w, q.Now); err != nil {
			return nil, fmt.Errorf("with[%d]: %w", i, err)
		}
	}
	out.Ladder = policy.Explain(s.Policy, q)
	return &out, nil
}

// recorded is the request of a past decision, as far as the log has it; judged says
// that it is judged by the papers of another time.
func (s *server) recorded(ctx context.Context, d id.Decision, judged bool, out *Explanation) (policy.Request, error) {
	if _, err := id.Time(d); err != nil {
		return policy.Request{}, problem.BadField("decision", "is not a decision id", "Copy it from the refusal or from the log: 26 letters and digits").Because(err)
	}
	entries, err := s.Log.Decision(ctx, d)
	if err != nil {
		return policy.Request{}, err
	}
	rec := &Recorded{Decision: d}
	var in *audit.Intent
	var legs []audit.Leg
	for _, e := range entries {
		switch {
		case e.Intent != nil:
			in, rec.At, rec.LogIndex, rec.Permitted = e.Intent, e.Time, e.Index, true
		case e.Refusal != nil:
			in, rec.At, rec.LogIndex, rec.Permitted = &e.Refusal.Intent, e.Time, e.Index, false
			for _, f := range e.Refusal.Failing {
				rec.Failing = append(rec.Failing, Failing{f.Gate, f.Reason})
			}
		case e.Outcome != nil:
			legs = append(legs, e.Outcome.Leg)
			if e.Outcome.Result == audit.Released {
				rec.Releases++
				rec.Bytes += e.Outcome.Bytes
				rec.Patients += e.Outcome.PatientCount
			}
		}
	}
	if in == nil {
		return policy.Request{}, problem.New(problem.NotFound, "The log has no such decision", "Check the id, and that you ask the node that decided")
	}
	rec.Clauses, rec.Layers = in.Clauses, layersOf(in)
	for _, leg := range legs {
		rec.Layers.came(leg)
	}
	out.Recorded = rec
	out.Assumed = append(out.Assumed,
		"the log keeps no query: elements that a search read are not judged again",
		"the grant's volume is judged as unused, and the content as not inspected")
	v := s.Registry.View()
	if judged || v.Version() == in.Snapshot { // judged by another view, or by the one that is at hand
		return requestOf(in, v.Confirm(rec.At), rec.At), nil
	}
	v, err = s.Registry.AtVersion(ctx, in.Snapshot)
	if err != nil {
		return policy.Request{}, err
	}
	return requestOf(in, v.Confirm(rec.At), rec.At), nil
}

// asked is a request that might be made now.
func (s *server) asked(v *snapshot.View, q Question, out *Explanation) (policy.Request, error) {
	if q.Grant == "" {
		return policy.Request{}, problem.BadField("question.grant", "is empty", "Name the grant: sallyport grant list")
	}
	if q.Interaction == "" || len(q.Resources) == 0 {
		return policy.Request{}, problem.BadField("question", "lacks interaction or resources", `Say what is asked, such as "read" and ["Patient"]`)
	}
	if _, ok := v.Grants.Get(q.Grant); !ok {
		return policy.Request{}, problem.BadField("question.grant", "there is no grant with this id", "List them: sallyport grant list")
	}
	who := policy.CallerOf(v, policy.Caller{App: q.App, Device: q.Device, Grant: q.Grant, Source: q.Source})
	out.Assumed = append(out.Assumed, "TLS 1.3 with a token bound to the device's certificate",
		"the grant's volume is unused, and the content is not inspected")
	var region string
	if d, ok := v.Devices.Get(who.Device); ok && len(v.Settings.NetworkRegions) > 0 {
		for _, n := range v.Settings.NetworkRegions {
			if n.Region == d.Region || strings.HasPrefix(d.Region, n.Region+"-") {
				region = n.Region
			}
		}
		out.Assumed = append(out.Assumed, "the request comes from a network in the region that the device declares")
	}
	return policy.Request{View: v, Now: s.Now(), Region: region, Vendor: who.Vendor, App: who.App, Device: who.Device, Grant: who.Grant,
		Direction: policy.Out, Source: who.Source, Interaction: q.Interaction, Resources: q.Resources, Reads: q.Reads, PageSize: q.PageSize,
		Usage: policy.Usage{Known: true},
		Transport: policy.Transport{TLSVersion: "1.3", KeyExchange: "X25519MLKEM768",
			CertificateSHA256: hex.EncodeToString(make([]byte, 32)), TokenBinding: "mtls"}}, nil
}

// imagine gives the view as the act would leave it. Nothing is done.
func (s *server) imagine(ctx context.Context, v *snapshot.View, w WithAct, now time.Time) (*snapshot.View, error) {
	fields := jsontext.Value(w.Act)
	if len(fields) == 0 {
		fields = jsontext.Value("{}")
	}
	a, err := registry.Decode(w.Kind, fields)
	if err != nil {
		return nil, err
	}
	if spec, ok := registry.SpecOf(a); ok && !spec.Routed() {
		return nil, problem.BadField("with.kind", "cannot be imagined: it changes the vault and not the registry", "Leave it out")
	}
	by := actor(ctx)
	if err := registry.Check(v, by, a, now); err != nil {
		return nil, err
	}
	next, _ := registry.Apply(v, a, registry.Stamp{ID: id.New[id.Act](now), By: by.Person, At: now})
	return next.Confirm(v.Confirmed()), nil
}

package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	jsonv2 "github.com/go-json-experiment/json"

	"github.com/sallyport/sallyport/agreement"
	"github.com/sallyport/sallyport/diligence"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// AgreementCheck is what is wrong with an agreement, and the clocks that it sets.
type AgreementCheck struct {
	Version      uint64                 `json:"version"`
	Agreement    id.Agreement           `json:"agreement"`
	Deficiencies agreement.Deficiencies `json:"deficiencies"`
	// PromptRetention says that the paper lets prompts be kept for longer than the
	// organisation allows, which denies everything (BAA-R06).
	PromptRetention bool              `json:"prompt_retention_above_policy,omitempty"`
	Clocks          []agreement.Clock `json:"clocks"`
}

// Judged is what a certification is worth now.
type Judged struct {
	Version       uint64           `json:"version"`
	Certification id.Certification `json:"certification"`
	Counts        bool             `json:"counts"`
	Until         time.Time        `json:"until,omitzero"`
	Score         int              `json:"score" doc:"0 to 3"`
	Reasons       []JudgedReason   `json:"reasons"`
	Rule          string           `json:"rule" doc:"The catalogue's words for the type"`
	Verified      string           `json:"verified" doc:"How far that rule was checked"`
}

// papers are the reads about agreements' terms and certifications' worth.
func (s *server) papers() {
	huma.Register(s.api, huma.Operation{OperationID: "check-agreement", Method: http.MethodGet, Path: "/v1/agreements/{id}/check", Tags: []string{"agreements"},
		Summary: "What is missing or weak in an agreement, and what that switches off"},
		func(ctx context.Context, in *struct {
			ID string `path:"id"`
		}) (*struct{ Body AgreementCheck }, error) {
			v := s.Registry.View()
			a, ok := v.Agreements.Get(id.Agreement(in.ID))
			if !ok {
				return nil, s.asProblem(ctx, problem.New(problem.NotFound, "There is no agreement with this id", "List them: GET /v1/agreements"))
			}
			return &struct{ Body AgreementCheck }{CheckAgreement(a, &v.Settings, v.Version())}, nil
		})
	huma.Register(s.api, huma.Operation{OperationID: "agreements-report", Method: http.MethodGet, Path: "/v1/reports/agreements", Tags: []string{"agreements"},
		Summary: "What is missing, weak or overdue under the agreements that run"},
		func(context.Context, *struct{}) (*struct{ Body List[agreement.Warning] }, error) {
			v, now := s.Registry.View(), s.Now()
			out := List[agreement.Warning]{Version: v.Version(), Items: agreement.Report(v, now, func(c *snapshot.Certification) bool {
				return diligence.Judge(c, v, now).Counts
			})}
			return &struct{ Body List[agreement.Warning] }{out}, nil
		})
	huma.Register(s.api, huma.Operation{OperationID: "judge-certification", Method: http.MethodGet, Path: "/v1/certifications/{id}/judgement", Tags: []string{"certifications"},
		Summary: "What a report or certificate is worth now, and why"},
		func(ctx context.Context, in *struct {
			ID string `path:"id"`
		}) (*struct{ Body Judged }, error) {
			v := s.Registry.View()
			c, ok := v.Certifications.Get(id.Certification(in.ID))
			if !ok {
				return nil, s.asProblem(ctx, problem.New(problem.NotFound, "There is no certification with this id", "List them: GET /v1/certifications"))
			}
			j := diligence.Judge(c, v, s.Now())
			out := Judged{Version: v.Version(), Certification: c.ID, Counts: j.Counts, Until: j.Until, Score: j.Score, Reasons: judgedReasons(j.Reasons)}
			for _, t := range hipaa.CertificationTypes() {
				if t.ID == c.Type {
					out.Rule, out.Verified = t.ValidRule, t.Verified
				}
			}
			return &struct{ Body Judged }{out}, nil
		})
	huma.Register(s.api, huma.Operation{OperationID: "alike-certifications", Method: http.MethodGet, Path: "/v1/certifications/alike", Tags: []string{"certifications"},
		Summary: "Reports of different vendors whose texts are alike"},
		func(_ context.Context, in *struct {
			Least float64 `query:"least" minimum:"0" maximum:"1" default:"0.6" doc:"From how much on, 0 to 1"`
		}) (*struct{ Body List[diligence.Pair] }, error) {
			v := s.Registry.View()
			out := List[diligence.Pair]{Version: v.Version(), Items: append([]diligence.Pair{}, diligence.AlikeCertifications(v, in.Least)...)}
			return &struct{ Body List[diligence.Pair] }{out}, nil
		})
}

// CheckDocument checks an agreement as apply would read it, without a server and under
// the default policy.
func CheckDocument(d Document) (AgreementCheck, error) {
	var a snapshot.Agreement
	if err := jsonv2.Unmarshal(d.Fields, &a); err != nil {
		return AgreementCheck{}, problem.BadField("file", "holds what cannot be read as an agreement", "See docs/examples/engagement.yaml").Because(err)
	}
	if err := registry.ReadableTerms(a.Terms); err != nil {
		return AgreementCheck{}, err
	}
	return CheckAgreement(&a, &snapshot.Settings{}, 0), nil
}

// CheckAgreement checks an agreement under the organisation's settings.
func CheckAgreement(a *snapshot.Agreement, s *snapshot.Settings, version uint64) AgreementCheck {
	out := AgreementCheck{Version: version, Agreement: a.ID, Deficiencies: append(agreement.Deficiencies{}, agreement.Check(a)...), Clocks: append([]agreement.Clock{}, agreement.Clocks(a)...)}
	if c, ok := agreement.ClockOf(a, agreement.PromptsGone); ok {
		out.PromptRetention = c.Days > s.MaxPromptRetentionDays
	}
	return out
}

// JudgedReason is a diligence.Reason under a name of its own: in the description of the
// API a name is used once.
type JudgedReason diligence.Reason

func judgedReasons(rs []diligence.Reason) []JudgedReason {
	out := make([]JudgedReason, len(rs))
	for i, r := range rs {
		out[i] = JudgedReason(r)
	}
	return out
}

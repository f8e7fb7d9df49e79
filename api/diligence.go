package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sallyport/sallyport/diligence"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

// VendorStanding is how a vendor's due diligence stands now.
type VendorStanding struct {
	Vendor     id.Vendor            `json:"vendor"`
	At         time.Time            `json:"at"`
	Assessment *snapshot.Assessment `json:"assessment,omitempty" doc:"The newest decision; none: the vendor was never assessed"`
	Standing   DiligenceStanding    `json:"standing"`
}

// VendorTree is to whom a vendor passes data on.
type VendorTree struct {
	Root      diligence.Node `json:"root"`
	Uncovered [][2]id.Vendor `json:"uncovered" doc:"Links without an agreement in force, parent first"`
}

// DiligenceStanding is a diligence.Standing under a name of its own.
type DiligenceStanding diligence.Standing

// DiligenceQuestion is a hipaa.Question under a name of its own: in the description of
// the API a name is used once.
type DiligenceQuestion hipaa.Question

// QuestionnaireShown is a questionnaire with its questions in words.
type QuestionnaireShown struct {
	Questionnaire snapshot.Questionnaire `json:"questionnaire"`
	Questions     []DiligenceQuestion    `json:"questions" doc:"Those that apply"`
	Missing       []string               `json:"missing" doc:"Asked, and without an answer"`
	Excluded      []diligence.Exclusion  `json:"excluded" doc:"Those that do not apply, and why"`
}

// diligenceReads are what a person reads before deciding on a vendor.
func (s *server) diligenceReads() {
	about(s, "vendor-risk", "/v1/vendors/{id}/risk", "A vendor's inherent risk, with its working", func(v *snapshot.View, w *snapshot.Vendor, _ time.Time) diligence.Risk {
		return diligence.InherentRisk(w.Profile, len(diligence.Below(v, w.ID)))
	})
	about(s, "vendor-tree", "/v1/vendors/{id}/tree", "To whom a vendor passes data on, and which links lack an agreement", func(v *snapshot.View, w *snapshot.Vendor, now time.Time) VendorTree {
		root := diligence.Tree(v, w.ID, now)
		return VendorTree{Root: root, Uncovered: append([][2]id.Vendor{}, root.Uncovered()...)}
	})
	about(s, "vendor-standing", "/v1/vendors/{id}/standing", "How a vendor's due diligence stands: what it relies on, and what reopens it", func(v *snapshot.View, w *snapshot.Vendor, now time.Time) VendorStanding {
		out := VendorStanding{Vendor: w.ID, At: now.UTC(), Assessment: diligence.Latest(v, w.ID, diligence.At(now))}
		if out.Assessment != nil {
			out.Standing = DiligenceStanding(diligence.Stand(v, out.Assessment, diligence.At(now)))
		}
		return out
	})
	type byID struct {
		ID id.Questionnaire `path:"id"`
	}
	huma.Register(s.api, huma.Operation{OperationID: "questionnaire-score", Method: http.MethodGet, Path: "/v1/questionnaires/{id}/score", Summary: "What a questionnaire's answers come to, with the working", Tags: []string{"questionnaire"}},
		func(ctx context.Context, in *byID) (*struct{ Body diligence.Working }, error) {
			q, err := s.questionnaire(in.ID)
			if err != nil {
				return nil, s.asProblem(ctx, err)
			}
			return &struct{ Body diligence.Working }{diligence.Score(q, s.Now())}, nil
		})
	huma.Register(s.api, huma.Operation{OperationID: "questionnaire-shown", Method: http.MethodGet, Path: "/v1/questionnaires/{id}/questions", Summary: "A questionnaire with its questions in words", Tags: []string{"questionnaire"}},
		func(ctx context.Context, in *byID) (*struct{ Body QuestionnaireShown }, error) {
			q, err := s.questionnaire(in.ID)
			if err != nil {
				return nil, s.asProblem(ctx, err)
			}
			out := QuestionnaireShown{Questionnaire: *q, Missing: append([]string{}, diligence.Unanswered(q)...)}
			apply, not := diligence.Applies(q.DataClasses)
			for _, key := range apply {
				x, _ := hipaa.LookupQuestion(key)
				out.Questions = append(out.Questions, DiligenceQuestion(x))
			}
			out.Excluded = append([]diligence.Exclusion{}, not...)
			return &struct{ Body QuestionnaireShown }{out}, nil
		})
	huma.Register(s.api, huma.Operation{OperationID: "questions", Method: http.MethodGet, Path: "/v1/questions", Summary: "The questions of due diligence", Tags: []string{"questionnaire"}},
		func(context.Context, *struct{}) (*struct{ Body []DiligenceQuestion }, error) {
			var out []DiligenceQuestion
			for _, q := range hipaa.Questions() {
				out = append(out, DiligenceQuestion(q))
			}
			return &struct{ Body []DiligenceQuestion }{out}, nil
		})
}

func (s *server) questionnaire(key id.Questionnaire) (*snapshot.Questionnaire, error) {
	q, ok := s.Registry.View().Questionnaires.Get(key)
	if !ok {
		return nil, problem.New(problem.NotFound, "There is no such questionnaire", "List them: sallyport questionnaire list")
	}
	return q, nil
}

// about registers a read about one vendor.
func about[T any](s *server, operation, path, summary string, f func(*snapshot.View, *snapshot.Vendor, time.Time) T) {
	huma.Register(s.api, huma.Operation{OperationID: operation, Method: http.MethodGet, Path: path, Summary: summary, Tags: []string{"vendor"}},
		func(ctx context.Context, in *struct {
			ID id.Vendor `path:"id"`
		}) (*struct{ Body T }, error) {
			v := s.Registry.View()
			w, ok := v.Vendors.Get(in.ID)
			if !ok {
				return nil, s.asProblem(ctx, problem.New(problem.NotFound, "There is no such vendor", "List them: sallyport vendor list"))
			}
			return &struct{ Body T }{f(v, w, s.Now())}, nil
		})
}

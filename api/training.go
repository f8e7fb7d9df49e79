package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sallyport/sallyport/course"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/paper"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

// Badges signs what says that a person passed. It holds the key out of the API's reach.
type Badges interface {
	// Badge is the Open Badge 3.0 of a completion, as a JWT.
	Badge(*snapshot.Training) (string, error)
	// Base is the address under which people have their accounts here.
	Base() string
}

// TrainingFile is a file of a learning management system, to look at.
type TrainingFile struct {
	Format  string `json:"format" enum:"xapi,csv"`
	Content []byte `json:"content" doc:"In base64"`
}

func (s *server) trainings() {
	type byID struct {
		ID string `path:"id" doc:"The completion"`
	}
	huma.Register(s.api, huma.Operation{OperationID: "training-certificate", Method: http.MethodGet, Path: "/v1/trainings/{id}/certificate", Tags: []string{"training"},
		Summary: "The certificate of a completion, as a PDF"},
		func(ctx context.Context, in *byID) (*file, error) {
			t, err := s.training(in.ID)
			if err != nil {
				return nil, s.asProblem(ctx, err)
			}
			doc, err := course.Certificate(s.Organisation, s.Registry.View(), t)
			if err != nil {
				return nil, s.asProblem(ctx, problem.New(problem.Conflict, "The completion is no pass, or was revoked", "A certificate is for a completion that counts: pass the course again").Because(err))
			}
			raw, err := paper.PDF(doc)
			if err != nil {
				return nil, s.asProblem(ctx, err)
			}
			return attachment("application/pdf", "certificate.pdf", raw), nil
		})
	huma.Register(s.api, huma.Operation{OperationID: "training-badge", Method: http.MethodGet, Path: "/v1/trainings/{id}/badge", Tags: []string{"training"},
		Summary: "The badge of a completion: an Open Badge 3.0 credential as a JWT, to verify offline"},
		func(ctx context.Context, in *byID) (*file, error) {
			t, err := s.training(in.ID)
			if err != nil {
				return nil, s.asProblem(ctx, err)
			}
			badge, err := s.Badges.Badge(t)
			if err != nil {
				return nil, s.asProblem(ctx, err)
			}
			return attachment("application/jwt", "badge.jwt", []byte(badge+"\n")), nil
		})
	huma.Register(s.api, huma.Operation{OperationID: "training-export", Method: http.MethodGet, Path: "/v1/training-export", Tags: []string{"training"},
		Summary: "Every completion, as xAPI statements or CSV"},
		func(ctx context.Context, in *struct {
			Format string `query:"format" enum:"xapi,csv" default:"csv"`
		}) (*file, error) {
			if in.Format == "xapi" {
				raw, err := course.WriteStatements(s.Registry.View(), s.Badges.Base())
				if err != nil {
					return nil, s.asProblem(ctx, err)
				}
				return attachment("application/json", "trainings.json", raw), nil
			}
			raw, err := course.WriteCSV(s.Registry.View())
			if err != nil {
				return nil, s.asProblem(ctx, err)
			}
			return attachment("text/csv; charset=utf-8", "trainings.csv", raw), nil
		})
	huma.Register(s.api, huma.Operation{OperationID: "training-preview", Method: http.MethodPost, Path: "/v1/training-preview", Tags: []string{"training"},
		Summary: "What a file of a learning management system says, and what is wrong in it; nothing is recorded"},
		func(_ context.Context, in *struct{ Body TrainingFile }) (*struct{ Body course.Told }, error) {
			v, now := s.Registry.View(), s.Now()
			if in.Body.Format == "xapi" {
				return &struct{ Body course.Told }{course.ReadStatements(in.Body.Content, v, "", s.Badges.Base(), now)}, nil
			}
			return &struct{ Body course.Told }{course.ReadCSV(in.Body.Content, v, now)}, nil
		})
}

func (s *server) training(key string) (*snapshot.Training, error) {
	t, ok := s.Registry.View().Trainings.Get(id.Training(key))
	if !ok {
		return nil, problem.New(problem.NotFound, "There is no such completion", "List them: sallyport training list")
	}
	return t, nil
}

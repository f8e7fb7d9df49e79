package api

import (
	"context"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// ApplyRequest says how records shall be. Applying twice changes nothing.
type ApplyRequest struct {
	Reason    string     `json:"reason,omitempty" doc:"Why, in a sentence. Never patient data. Needed unless dry_run." maxLength:"2000"`
	DryRun    bool       `json:"dry_run,omitempty" doc:"Say what would be done, and do nothing"`
	Documents []Document `json:"documents" minItems:"1" maxItems:"1000"`
}

// Document is a record as it shall be: the fields of the act that makes it, and
// besides them approve, and signatures for an agreement.
type Document struct {
	Record string `json:"record" doc:"The noun: vendor, agreement, engagement ..."`
	Fields Fields `json:"fields"`
}

// Fields are an act's or a record's own, as they came: a JSON object that the
// registry reads, strictly.
type Fields jsontext.Value

// Schema implements huma.SchemaProvider: an object, not the bytes that it is
// kept in. Which members it may have is in the schema of each act's own route.
func (Fields) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}
}

// MarshalJSON gives the object as it came.
func (f Fields) MarshalJSON() ([]byte, error) { return jsontext.Value(f).MarshalJSON() }

// UnmarshalJSON keeps the object as it came.
func (f *Fields) UnmarshalJSON(b []byte) error { return (*jsontext.Value)(f).UnmarshalJSON(b) }

// Applied is what was, or would be, done.
type Applied struct {
	Diff registry.Diff `json:"diff"`
	Text string        `json:"text" doc:"The diff for a person"`
	Done []*ActResult  `json:"done,omitempty"`
}

func (s *server) apply() {
	huma.Register(s.api, huma.Operation{OperationID: "apply", Method: http.MethodPost, Path: "/v1/apply", Tags: []string{"acts"}, MaxBodyBytes: maxBody,
		Summary: "Bring the registry to what the documents say", Description: "Every act is authorised and checked before the first is done."},
		func(ctx context.Context, in *struct{ Body ApplyRequest }) (*struct{ Body *Applied }, error) {
			out, err := s.applied(ctx, in.Body)
			if err != nil {
				return nil, s.asProblem(ctx, err)
			}
			return &struct{ Body *Applied }{out}, nil
		})
}

func (s *server) applied(ctx context.Context, in ApplyRequest) (*Applied, error) {
	desired := make([]registry.Desired, len(in.Documents))
	for i, d := range in.Documents {
		var err error
		if desired[i], err = registry.DecodeDesired(snapshot.Noun(d.Record), jsontext.Value(d.Fields)); err != nil {
			return nil, at(i, err)
		}
	}
	by := actor(ctx)
	view, now := s.Registry.View(), s.Now()
	acts, diff, err := registry.Plan(view, by, now, desired)
	if err != nil {
		return nil, err
	}
	for _, a := range acts {
		if err := registry.Authorize(s.Acts, view, by, a, s.Now()); err != nil {
			return nil, err
		}
		view, _ = registry.Apply(view, a, registry.Stamp{ID: id.New[id.Act](now), By: by.Person, At: now})
	}
	out := &Applied{Diff: diff, Text: diff.String()}
	if in.DryRun {
		return out, nil
	}
	for i, a := range acts {
		done, err := s.Registry.Do(ctx, by, a, registry.Meta{Reason: in.Reason})
		if err != nil {
			p := *problem.From(err)
			if i > 0 {
				p.NextStep = fmt.Sprintf("%s. %d of %d acts were done; apply again for the rest", p.NextStep, i, len(acts))
			}
			return nil, &p
		}
		out.Done = append(out.Done, result(done))
	}
	return out, nil
}

// at puts a problem's field below a document's.
func at(i int, err error) error {
	p := *problem.From(err)
	p.Field = fmt.Sprintf("documents[%d].%s", i, p.Field)
	return &p
}

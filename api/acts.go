package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/go-json-experiment/json/jsontext"

	jsonv2 "github.com/go-json-experiment/json"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// ActBody is what a client posts to an act's route.
type ActBody struct {
	Reason string         `json:"reason" doc:"Why, in a sentence. Never patient data." maxLength:"2000"`
	Act    jsontext.Value `json:"act,omitempty" doc:"The act's own fields"`
}

// ActResult says that an act was done.
type ActResult struct {
	Act      id.Act           `json:"act" doc:"The act's id"`
	Kind     registry.Kind    `json:"kind"`
	Subject  snapshot.Subject `json:"subject"`
	At       time.Time        `json:"at"`
	Log      string           `json:"log" doc:"The node whose audit log has the act"`
	LogIndex uint64           `json:"log_index" doc:"Its index there"`
	Version  uint64           `json:"version" doc:"The registry's version after it"`
	Repeated bool             `json:"repeated,omitempty" doc:"The idempotency key was seen before: nothing was done now"`
}

// IdempotencyHeader names the act for a repetition that does nothing twice.
const IdempotencyHeader = "Idempotency-Key"

func (s *server) acts() {
	schemas := s.api.OpenAPI().Components.Schemas
	for _, spec := range registry.Acts {
		if !spec.Routed() {
			continue // custody answers, on the data path: it is told patients' ids
		}
		fields := schemas.Schema(reflect.TypeOf(spec.New()).Elem(), true, "")
		op := huma.Operation{
			OperationID: string(spec.Name), Method: http.MethodPost, Path: spec.Path,
			Summary: spec.Summary, Tags: []string{spec.Noun},
			Description: "Needs one of the duties " + joinDuties(spec.Duties) + ".",
			Parameters: []*huma.Param{{Name: IdempotencyHeader, In: "header", Schema: schemas.Schema(reflect.TypeFor[string](), true, ""),
				Description: "A repetition with the same key and the same act is harmless"}},
			RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: &huma.Schema{
				Type:       huma.TypeObject,
				Properties: map[string]*huma.Schema{"reason": {Type: huma.TypeString, Description: "Why, in a sentence. Never patient data."}, "act": fields},
				Required:   []string{"reason"},
			}}}},
			Responses: map[string]*huma.Response{
				"200": {Description: "Done, and in the audit log", Content: map[string]*huma.MediaType{
					"application/json": {Schema: schemas.Schema(reflect.TypeFor[ActResult](), true, "")}}},
			},
		}
		hasID := strings.Contains(spec.Path, "{id}")
		if hasID {
			op.Parameters = append(op.Parameters, &huma.Param{Name: "id", In: "path", Required: true, Schema: schemas.Schema(reflect.TypeFor[string](), true, "")})
		}
		s.api.OpenAPI().AddOperation(&op)
		s.api.Adapter().Handle(&op, func(ctx huma.Context) {
			out, err := s.act(ctx.Context(), spec, ctx.Param("id"), ctx.Header(IdempotencyHeader), ctx.BodyReader())
			writeHuma(ctx, out, s, err)
		})
	}
}

func joinDuties(ds []registry.Duty) string {
	words := make([]string, len(ds))
	for i, d := range ds {
		words[i] = string(d)
	}
	return strings.Join(words, ", ")
}

func (s *server) act(ctx context.Context, spec registry.Spec, pathID, key string, body io.Reader) (*ActResult, error) {
	var in ActBody
	if err := decodeStrict(body, &in); err != nil {
		return nil, err
	}
	fields := in.Act
	if len(fields) == 0 {
		fields = jsontext.Value("{}")
	}
	if pathID != "" {
		var err error
		if fields, err = withID(fields, pathID); err != nil {
			return nil, err
		}
	}
	a, err := registry.Decode(spec.Name, fields)
	if err != nil {
		return nil, err
	}
	done, err := s.Registry.Do(ctx, actor(ctx), a, registry.Meta{Reason: in.Reason, IdempotencyKey: key})
	if err != nil {
		return nil, err
	}
	return result(done), nil
}

func result(d registry.Result) *ActResult {
	return &ActResult{Act: d.Act, Kind: d.Kind, Subject: d.Subject, At: d.At, Log: d.LogNode, LogIndex: d.LogIndex,
		Version: d.View.Version(), Repeated: d.Repeated}
}

// withID puts the id of the path into the act, where it may stand already but
// not be another.
func withID(fields jsontext.Value, pathID string) (jsontext.Value, error) {
	var m map[string]jsontext.Value
	if err := jsonv2.Unmarshal(fields, &m); err != nil {
		return nil, problem.BadField("act", "is not a JSON object", "Send the act's fields in an object").Because(err)
	}
	quoted, err := json.Marshal(pathID)
	if err != nil {
		return nil, problem.BadField("id", "is not text", "Use the id of the subject").Because(err)
	}
	if own, ok := m["id"]; ok && string(own) != string(quoted) {
		return nil, problem.BadField("act.id", "differs from the id in the path", "Leave it out")
	}
	if m == nil {
		m = map[string]jsontext.Value{}
	}
	m["id"] = quoted
	out, err := jsonv2.Marshal(m, jsonv2.Deterministic(true))
	if err != nil {
		return nil, problem.BadField("act", "cannot be read", "Send the act's fields in an object").Because(err)
	}
	return out, nil
}

func decodeStrict(body io.Reader, into any) error {
	err := jsonv2.UnmarshalRead(body, into, jsonv2.RejectUnknownMembers(true))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return problem.New(problem.TooLarge, "The request is too large", "Send at most 32 MB").Because(err)
	case err != nil:
		var at *jsonv2.SemanticError
		field := "body"
		if errors.As(err, &at) && at.JSONPointer != "" {
			field = strings.ReplaceAll(strings.TrimPrefix(string(at.JSONPointer), "/"), "/", ".")
		}
		return problem.BadField(field, "cannot be read", "Send one JSON object with the names of /openapi.json").Because(err)
	}
	return nil
}

func writeHuma(ctx huma.Context, out any, s *server, err error) {
	status, kind := http.StatusOK, "application/json"
	if err != nil {
		p := s.asProblem(ctx.Context(), err).(statusProblem)
		status, kind, out = p.Status, problem.MediaType, p
	}
	ctx.SetHeader("Content-Type", kind)
	ctx.SetStatus(status)
	_ = json.NewEncoder(ctx.BodyWriter()).Encode(out) // the client has gone: nothing to do
}

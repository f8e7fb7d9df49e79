package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// List is one page of records.
type List[T any] struct {
	Version uint64 `json:"version" doc:"The registry's version that was read"`
	Items   []T    `json:"items"`
}

func (s *server) reads() {
	s.diligenceReads()
	s.you()
	s.actReads()
	s.documents()
	noun(s, "vendors", func(v *snapshot.View) snapshot.Table[id.Vendor, snapshot.Vendor] { return v.Vendors })
	noun(s, "assessments", func(v *snapshot.View) snapshot.Table[id.Assessment, snapshot.Assessment] { return v.Assessments })
	noun(s, "certifications", func(v *snapshot.View) snapshot.Table[id.Certification, snapshot.Certification] {
		return v.Certifications
	})
	noun(s, "agreements", func(v *snapshot.View) snapshot.Table[id.Agreement, snapshot.Agreement] { return v.Agreements })
	noun(s, "engagements", func(v *snapshot.View) snapshot.Table[id.Engagement, snapshot.Engagement] { return v.Engagements })
	noun(s, "determinations", func(v *snapshot.View) snapshot.Table[id.Determination, snapshot.Determination] {
		return v.Determinations
	})
	noun(s, "persons", func(v *snapshot.View) snapshot.Table[id.Person, snapshot.Person] { return v.Persons })
	noun(s, "trainings", func(v *snapshot.View) snapshot.Table[id.Training, snapshot.Training] { return v.Trainings })
	noun(s, "devices", func(v *snapshot.View) snapshot.Table[id.Device, snapshot.Device] { return v.Devices })
	noun(s, "apps", func(v *snapshot.View) snapshot.Table[id.App, snapshot.App] { return v.Apps })
	noun(s, "roles", func(v *snapshot.View) snapshot.Table[id.Role, snapshot.Role] { return v.Roles })
	noun(s, "grants", func(v *snapshot.View) snapshot.Table[id.Grant, snapshot.Grant] { return v.Grants })
	noun(s, "reviews", func(v *snapshot.View) snapshot.Table[id.Review, snapshot.Review] { return v.Reviews })
	noun(s, "connectors", func(v *snapshot.View) snapshot.Table[id.Connector, snapshot.Connector] { return v.Connectors })
	noun(s, "sessions", func(v *snapshot.View) snapshot.Table[id.Session, snapshot.Session] { return v.Sessions })
	noun(s, "attestations", func(v *snapshot.View) snapshot.Table[id.Attestation, snapshot.Attestation] { return v.Attestations })
	noun(s, "keys", func(v *snapshot.View) snapshot.Table[id.Engagement, snapshot.Key] { return v.Keys })
	noun(s, "postures", func(v *snapshot.View) snapshot.Table[id.Device, snapshot.Posture] { return v.Postures })
	noun(s, "questionnaires", func(v *snapshot.View) snapshot.Table[id.Questionnaire, snapshot.Questionnaire] {
		return v.Questionnaires
	})
	noun(s, "links", func(v *snapshot.View) snapshot.Table[id.Link, snapshot.Link] { return v.Links })
	noun(s, "findings", func(v *snapshot.View) snapshot.Table[id.Finding, snapshot.Finding] { return v.Findings })
	noun(s, "courses", func(v *snapshot.View) snapshot.Table[id.Course, snapshot.Course] { return v.Courses })
	noun(s, "attempts", func(v *snapshot.View) snapshot.Table[id.Attempt, snapshot.Attempt] { return v.Attempts })
	noun(s, "requests", func(v *snapshot.View) snapshot.Table[id.Request, snapshot.Request] { return v.Requests })
	noun(s, "campaigns", func(v *snapshot.View) snapshot.Table[id.Campaign, snapshot.Campaign] { return v.Campaigns })
	noun(s, "incidents", func(v *snapshot.View) snapshot.Table[id.Incident, snapshot.Incident] { return v.Incidents })
	noun(s, "offboardings", func(v *snapshot.View) snapshot.Table[id.Offboarding, snapshot.Offboarding] { return v.Offboardings })
	noun(s, "holds", func(v *snapshot.View) snapshot.Table[id.Hold, snapshot.Hold] { return v.Holds })
}

// you are reads of who the caller is, and where their machines enrol.
func (s *server) you() {
	huma.Register(s.api, huma.Operation{OperationID: "whoami", Method: http.MethodGet, Path: "/v1/whoami", Summary: "Who the caller is", Tags: []string{"you"}},
		func(ctx context.Context, _ *struct{}) (*struct{ Body snapshot.Person }, error) {
			p, ok := s.Registry.View().Persons.Get(caller(ctx))
			if !ok {
				return nil, s.asProblem(ctx, problem.New(problem.NotFound, "You are not in the registry", "Ask to be enrolled"))
			}
			return &struct{ Body snapshot.Person }{*p}, nil
		})

	huma.Register(s.api, huma.Operation{OperationID: "enrolment", Method: http.MethodGet, Path: "/v1/enrolment", Summary: "Where vendors' machines enrol, and by which certificate they verify the server", Tags: []string{"you"}},
		func(ctx context.Context, _ *struct{}) (*struct{ Body Enrolment }, error) {
			pem, err := s.Anchor()
			if err != nil {
				return nil, s.asProblem(ctx, problem.New(problem.Unavailable, "The server has no certificate now", "Try again in a moment").Because(err))
			}
			return &struct{ Body Enrolment }{Enrolment{Gateway: s.Gateway, People: s.People, Authority: string(pem)}}, nil
		})
}

func (s *server) actReads() {
	huma.Register(s.api, huma.Operation{OperationID: "acts", Method: http.MethodGet, Path: "/v1/acts", Summary: "What was done, oldest first", Tags: []string{"acts"}},
		func(ctx context.Context, in *struct {
			After uint64 `query:"after" doc:"The registry version after which to begin"`
			Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
		}) (*struct{ Body List[actEntry] }, error) {
			ctx, cancel := context.WithTimeout(ctx, readTimeout)
			defer cancel()
			entries, err := s.Registry.Told(ctx, in.After, in.Limit)
			if err != nil {
				return nil, s.asProblem(ctx, err)
			}
			out := List[actEntry]{Version: s.Registry.View().Version(), Items: make([]actEntry, len(entries))}
			for i, e := range entries {
				out.Items[i] = actEntry{Version: e.Seq, Act: e.ID, Kind: e.Kind, Subject: e.Subject, Actor: e.Actor,
					RequestedBy: e.RequestedBy, At: e.At, Reason: e.Reason, Fields: e.Body, Log: e.LogNode, LogIndex: e.LogIndex}
			}
			return &struct{ Body List[actEntry] }{out}, nil
		})

	huma.Register(s.api, huma.Operation{OperationID: "act-kinds", Method: http.MethodGet, Path: "/v1/act-kinds", Summary: "Every act there is", Tags: []string{"acts"}},
		func(context.Context, *struct{}) (*struct{ Body []actKind }, error) {
			out := make([]actKind, len(registry.Acts))
			for i, spec := range registry.Acts {
				out[i] = actKind{Kind: spec.Name, Summary: spec.Summary, Path: spec.Path, Duties: spec.Duties}
			}
			return &struct{ Body []actKind }{out}, nil
		})
}

func (s *server) documents() {
	huma.Register(s.api, huma.Operation{OperationID: "document", Method: http.MethodGet, Path: "/v1/documents/{sha256}", Summary: "A stored paper", Tags: []string{"document"}},
		func(ctx context.Context, in *struct {
			SHA256 string `path:"sha256" doc:"In hex"`
		}) (*struct {
			ContentType string `header:"Content-Type"`
			Disposition string `header:"Content-Disposition"`
			Body        []byte
		}, error) {
			ctx, cancel := context.WithTimeout(ctx, readTimeout)
			defer cancel()
			d, err := s.Registry.Document(ctx, in.SHA256)
			if err != nil {
				return nil, s.asProblem(ctx, err)
			}
			return &struct {
				ContentType string `header:"Content-Type"`
				Disposition string `header:"Content-Disposition"`
				Body        []byte
			}{d.MediaType, `attachment; filename="` + d.Digest + `"`, d.Content}, nil
		})
}

type actKind struct {
	Kind    registry.Kind   `json:"kind"`
	Summary string          `json:"summary"`
	Path    string          `json:"path"`
	Duties  []registry.Duty `json:"duties"`
}

type actEntry struct {
	Version     uint64           `json:"version"`
	Act         id.Act           `json:"act"`
	Kind        registry.Kind    `json:"kind"`
	Subject     snapshot.Subject `json:"subject"`
	Actor       id.Person        `json:"actor"`
	RequestedBy id.Person        `json:"requested_by,omitempty"`
	At          time.Time        `json:"at"`
	Reason      string           `json:"reason"`
	Fields      json.RawMessage  `json:"fields"`
	Log         string           `json:"log"`
	LogIndex    uint64           `json:"log_index"`
}

// noun registers the list and the read of one kind of record.
func noun[K ~string, V any](s *server, plural string, table func(*snapshot.View) snapshot.Table[K, V]) {
	s.collections[plural] = collectionOf(table)
	huma.Register(s.api, huma.Operation{OperationID: "list-" + plural, Method: http.MethodGet, Path: "/v1/" + plural, Summary: "List " + plural, Tags: []string{plural}},
		func(_ context.Context, in *struct {
			After string `query:"after" doc:"The id after which to begin"`
			Limit int    `query:"limit" minimum:"1" maximum:"10000" default:"1000"`
		}) (*struct{ Body List[*V] }, error) {
			v := s.Registry.View()
			out := List[*V]{Version: v.Version(), Items: []*V{}}
			for _, row := range table(v).After(K(in.After)) {
				if len(out.Items) == in.Limit {
					break
				}
				out.Items = append(out.Items, row)
			}
			return &struct{ Body List[*V] }{out}, nil
		})
	huma.Register(s.api, huma.Operation{OperationID: "get-" + plural, Method: http.MethodGet, Path: "/v1/" + plural + "/{id}", Summary: "One of the " + plural, Tags: []string{plural}},
		func(ctx context.Context, in *struct {
			ID string `path:"id"`
		}) (*struct{ Body *V }, error) {
			row, ok := table(s.Registry.View()).Get(K(in.ID))
			if !ok {
				return nil, s.asProblem(ctx, problem.New(problem.NotFound, "There is nothing with this id among the "+plural, "List them: GET /v1/"+plural))
			}
			return &struct{ Body *V }{row}, nil
		})
}

// Enrolment is what an invitation must name beside its code.
type Enrolment struct {
	Gateway   string `json:"gateway"`
	People    string `json:"people,omitempty" doc:"Where people's browsers reach their pages; empty: there are none"`
	Authority string `json:"authority" doc:"The certificate, in PEM, by which the gateway is verified"`
}

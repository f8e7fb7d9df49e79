package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sallyport/sallyport/disclosure"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
)

// exportTimeout bounds an export, which may be of millions of lines.
const exportTimeout = 10 * time.Minute

// maxAttempts is how many attempts are listed; all are counted.
const maxAttempts = 1000

// About is a question about disclosures, as a query string has it.
type About struct {
	Vendor     []id.Vendor     `query:"vendor,explode" doc:"Any of these vendors"`
	Engagement []id.Engagement `query:"engagement,explode"`
	Person     []id.Person     `query:"person,explode"`
	Device     []id.Device     `query:"device,explode"`
	App        []id.App        `query:"app,explode"`
	Grant      []id.Grant      `query:"grant,explode"`
	Source     []id.Source     `query:"source,explode"`
	Since      time.Time       `query:"since" doc:"From this time on (RFC 3339)"`
	Until      time.Time       `query:"until" doc:"Before this time"`
	Through    uint64          `query:"through" doc:"Entries of the log before this index; 0 for all"`
}

func (a *About) query() disclosure.Query {
	return disclosure.Query{Vendors: a.Vendor, Engagements: a.Engagement, Persons: a.Person, Devices: a.Device, Apps: a.App, Grants: a.Grant, Sources: a.Source,
		Since: a.Since, Until: a.Until, Through: a.Through}
}

// Attempts are the requests of somebody who should make none.
type Attempts struct {
	Attempts uint64           `json:"attempts"`
	Items    []disclosure.Row `json:"items" doc:"The first of them"`
}

// disclosed registers an answer about disclosures, which the index gives.
func disclosed[I, O any](s *server, operation, path, summary, description string, answer func(context.Context, *disclosure.Index, *I) (O, error)) {
	huma.Register(s.api, huma.Operation{OperationID: operation, Method: http.MethodGet, Path: path, Summary: summary, Description: description, Tags: []string{"disclosures"}},
		func(ctx context.Context, in *I) (*struct{ Body O }, error) {
			ctx, cancel := context.WithTimeout(ctx, readTimeout)
			defer cancel()
			index, err := s.index()
			if err != nil {
				return nil, s.asProblem(ctx, err)
			}
			out, err := answer(ctx, index, in)
			if err != nil {
				return nil, s.asProblem(ctx, err)
			}
			return &struct{ Body O }{out}, nil
		})
}

func (s *server) index() (*disclosure.Index, error) {
	if s.Disclosures == nil {
		return nil, problem.New(problem.Unavailable, "This server keeps no index of disclosures", "Ask the node whose log is meant")
	}
	return s.Disclosures, nil
}

func (s *server) disclosures() {
	disclosed(s, "disclosures", "/v1/disclosures", "Who was given what, from the audit log",
		"Rows of requests, refusals and releases, in the order of the log. Each has its log index, of which /v1/log/proofs gives a proof. For the next page give `after` as `next` says, and `through` as the first page says.",
		func(ctx context.Context, x *disclosure.Index, in *struct {
			About
			Kind   []string `query:"kind,explode" doc:"permitted, refused, released, withheld, incomplete; none means released"`
			After  uint64   `query:"after" doc:"The log index from which on"`
			Limit  int      `query:"limit" minimum:"1" maximum:"10000" default:"100"`
			Newest bool     `query:"newest" doc:"The newest first; a page then looks back over a bounded part of the log, and for the next one give through as next says"`
		}) (disclosure.Page, error) {
			kinds, err := listed(in.Kind)
			if err != nil {
				return disclosure.Page{}, err
			}
			if in.Newest {
				return x.Newest(ctx, in.query(), in.Limit, nil, kinds...)
			}
			return x.List(ctx, in.query(), in.After, in.Limit, kinds...)
		})
	disclosed(s, "disclosure-radius", "/v1/disclosures/radius", "The blast radius: everything that was disclosed, counted",
		"Distinct patients, releases, resources and bytes, by data class, form, type, sealing and recipient. `radius_sha256` binds the question and the log index of every release.",
		func(ctx context.Context, x *disclosure.Index, in *struct{ About }) (disclosure.Radius, error) {
			return x.Radius(ctx, in.query())
		})
	disclosed(s, "disclosure-standing", "/v1/disclosures/standing", "How far the index of the log is", "",
		func(_ context.Context, x *disclosure.Index, _ *struct{}) (standing, error) {
			covered, size := x.Standing()
			return standing{covered, size}, nil
		})
	disclosed(s, "disclosure-attempts", "/v1/disclosures/attempts", "What was tried after a time, permitted or refused", "The first thousand are listed, all are counted.",
		func(ctx context.Context, x *disclosure.Index, in *struct {
			About
			After time.Time `query:"after" required:"true" doc:"Attempts later than this"`
		}) (Attempts, error) {
			first, n, err := x.Attempts(ctx, in.query(), in.After, maxAttempts)
			if first == nil {
				first = []disclosure.Row{}
			}
			return Attempts{n, first}, err
		})
	disclosed(s, "grant-usage", "/v1/grants/{id}/usage", "What a grant was used for", "",
		func(ctx context.Context, x *disclosure.Index, in *struct {
			ID    id.Grant  `path:"id"`
			Since time.Time `query:"since"`
		}) (disclosure.Usage, error) {
			if _, ok := s.Registry.View().Grants.Get(in.ID); !ok {
				return disclosure.Usage{}, problem.New(problem.NotFound, "There is no grant with this id", "List them: sallyport grant list (GET /v1/grants)")
			}
			return x.Usage(ctx, in.ID, in.Since)
		})
	disclosed(s, "vendor-inventory", "/v1/vendors/{id}/inventory", "What a vendor was given, by form and recipient: what must come back or be destroyed", "",
		func(ctx context.Context, x *disclosure.Index, in *struct {
			ID id.Vendor `path:"id"`
		}) (disclosure.Inventory, error) {
			if _, ok := s.Registry.View().Vendors.Get(in.ID); !ok {
				return disclosure.Inventory{}, problem.New(problem.NotFound, "There is no vendor with this id", "List them: sallyport vendor list (GET /v1/vendors)")
			}
			return x.Inventory(ctx, disclosure.Query{Vendors: []id.Vendor{in.ID}})
		})
	disclosed(s, "engagement-inventory", "/v1/engagements/{id}/inventory", "What was given under an engagement, by form and recipient", "",
		func(ctx context.Context, x *disclosure.Index, in *struct {
			ID id.Engagement `path:"id"`
		}) (disclosure.Inventory, error) {
			if _, ok := s.Registry.View().Engagements.Get(in.ID); !ok {
				return disclosure.Inventory{}, problem.New(problem.NotFound, "There is no engagement with this id", "List them: sallyport engagement list (GET /v1/engagements)")
			}
			return x.Inventory(ctx, disclosure.Query{Engagements: []id.Engagement{in.ID}})
		})
	s.disclosureExport()
	s.disclosureRebuild()
}

type standing struct {
	Covered uint64 `json:"covered" doc:"Entries of the log that the index covers"`
	Log     uint64 `json:"log" doc:"Entries that the log has"`
}

// listed are the kinds of rows that a list or an export shows.
func listed(names []string) ([]disclosure.Kind, error) {
	if len(names) == 0 {
		return []disclosure.Kind{disclosure.Released}, nil
	}
	return disclosure.Kinds(names)
}

// disclosureExport streams rows. What fails half-way is cut off, so that nobody takes
// a part for the whole.
func (s *server) disclosureExport() {
	huma.Register(s.api, huma.Operation{OperationID: "disclosure-export", Method: http.MethodGet, Path: "/v1/disclosures/export", Tags: []string{"disclosures"},
		Summary: "Rows as CSV or JSON lines, with their log indexes; no patient", Description: "If something fails half-way the connection is cut."},
		func(ctx context.Context, in *struct {
			About
			Kind   []string          `query:"kind,explode"`
			Format disclosure.Format `query:"format" enum:"csv,jsonl" default:"csv"`
		}) (*huma.StreamResponse, error) {
			index, err := s.index()
			if err != nil {
				return nil, s.asProblem(ctx, err)
			}
			kinds, err := listed(in.Kind)
			if err != nil {
				return nil, s.asProblem(ctx, err)
			}
			q := in.query()
			if err := q.Check(); err != nil {
				return nil, s.asProblem(ctx, err)
			}
			return &huma.StreamResponse{Body: func(hc huma.Context) {
				ctx, cancel := context.WithTimeout(hc.Context(), exportTimeout)
				defer cancel()
				begun := &began{w: hc.BodyWriter(), first: func() {
					hc.SetHeader("Content-Disposition", `attachment; filename="disclosures.`+string(in.Format)+`"`)
					hc.SetHeader("Content-Type", map[disclosure.Format]string{disclosure.CSV: "text/csv; charset=utf-8", disclosure.Lines: "application/jsonl"}[in.Format])
					hc.SetStatus(http.StatusOK)
				}}
				err := index.Export(ctx, q, begun, in.Format, kinds...)
				switch {
				case err == nil && begun.first == nil:
				case err == nil:
					begun.first()
				case begun.first != nil: // nothing was written: there is room for a problem
					p := wire(problem.From(err))
					hc.SetHeader("Content-Type", problem.MediaType)
					hc.SetStatus(p.Status)
					_ = json.NewEncoder(hc.BodyWriter()).Encode(p) // the client has gone: nothing to do
				default:
					s.Logger.ErrorContext(ctx, "an export of disclosures broke off", "err", err)
					panic(http.ErrAbortHandler)
				}
			}}, nil
		})
}

// began writes the head before the first byte.
type began struct {
	w     io.Writer
	first func() // nil: written
}

func (b *began) Write(p []byte) (int, error) {
	if b.first != nil {
		b.first()
		b.first = nil
	}
	return b.w.Write(p)
}

// rebuilders are who may have the index thrown away: questions are refused until it
// is made again.
var rebuilders = []registry.Duty{registry.SecurityOfficer, registry.PrivacyOfficer, registry.Operator}

func (s *server) disclosureRebuild() {
	huma.Register(s.api, huma.Operation{OperationID: "disclosure-rebuild", Method: http.MethodPost, Path: "/v1/disclosures/rebuild", Tags: []string{"disclosures"},
		Summary: "Throw the index away and make it again from the log", Description: "Nothing of the record changes: the index is derived. Questions are refused until it is made."},
		func(ctx context.Context, _ *struct{}) (*struct{ Body standing }, error) {
			index, err := s.index()
			if err != nil {
				return nil, s.asProblem(ctx, err)
			}
			who := caller(ctx)
			p, ok := s.Registry.View().Persons.Get(who)
			if !ok || !slices.ContainsFunc(rebuilders, func(d registry.Duty) bool { return slices.Contains(p.Duties, string(d)) }) {
				return nil, s.asProblem(ctx, problem.New(problem.Refused, "You may not have the index made again", fmt.Sprintf("Ask somebody with one of the duties %v", rebuilders)))
			}
			s.Logger.WarnContext(ctx, "the index of disclosures is thrown away and made again", "by", who)
			index.Rebuild()
			covered, size := index.Standing()
			return &struct{ Body standing }{standing{covered, size}}, nil
		})
}

package api

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sallyport/sallyport/breach"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/paper"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

// Clocks is what runs for an incident, and what it rests on.
type Clocks struct {
	Version  uint64      `json:"version" doc:"The registry's version that was read"`
	Incident id.Incident `json:"incident"`
	TimeZone string      `json:"time_zone" doc:"In which days begin and end"`
	// Discovery is when the organisation counts as having discovered it.
	Discovery    time.Time         `json:"discovery"`
	DiscoveryWhy string            `json:"discovery_why"`
	Conclusion   breach.Conclusion `json:"conclusion"`
	Deadlines    []breach.Deadline `json:"deadlines"`
}

// Drafted is what a draft holds and lacks, when it is asked for as JSON.
type Drafted struct {
	To       snapshot.NoticeTo      `json:"to"`
	Text     string                 `json:"text" doc:"The draft in Markdown"`
	Fields   []string               `json:"fields,omitempty" doc:"Of the mail merge"`
	Elements []breach.NoticeElement `json:"elements" doc:"What the rule demands; one with a gap is missing"`
}

// Questions are those of the guided assessment.
type Questions struct {
	Unsecured  string                      `json:"unsecured"`
	Citation   hipaa.Citation              `json:"citation"`
	Exceptions []breach.Exception          `json:"exceptions"`
	Factors    []breach.AssessmentQuestion `json:"factors"`
}

// incidents registers what is read about incidents, besides the records themselves.
func (s *server) incidents() {
	huma.Register(s.api, huma.Operation{OperationID: "incident-clocks", Method: http.MethodGet, Path: "/v1/incidents/{id}/clocks", Summary: "Every clock that runs for an incident, the earliest first", Tags: []string{"incidents"}},
		func(ctx context.Context, in *struct {
			ID string `path:"id"`
		}) (*struct{ Body Clocks }, error) {
			v, x, zone, err := s.incident(in.ID)
			if err != nil {
				return nil, s.asProblem(ctx, err)
			}
			out := Clocks{Version: v.Version(), Incident: x.ID, TimeZone: zone.String(), Conclusion: breach.Conclude(x.Assessment),
				Deadlines: breach.Due(x, breach.ContractOf(v, x), zone, s.Now())}
			out.Discovery, out.DiscoveryWhy = breach.Discovery(x)
			return &struct{ Body Clocks }{out}, nil
		})

	huma.Register(s.api, huma.Operation{OperationID: "incident-notice", Method: http.MethodGet, Path: "/v1/incidents/{id}/notice", Summary: "A draft of a notice, or the data of its mail merge", Tags: []string{"incidents"}},
		func(ctx context.Context, in *struct {
			ID     string `path:"id"`
			To     string `query:"to" required:"true" doc:"individuals, media, secretary or covered-entity"`
			Region string `query:"region" doc:"media: of which State, such as US-MA"`
			Format string `query:"format" default:"json" doc:"json, md, docx, pdf, or csv (individuals: the fields of the mail merge)"`
		}) (*file, error) {
			v, x, zone, err := s.incident(in.ID)
			if err != nil {
				return nil, s.asProblem(ctx, err)
			}
			scene := s.scene(v, x, zone)
			scene.Region = in.Region
			n, err := breach.Draft(snapshot.NoticeTo(in.To), x, scene)
			if err != nil {
				return nil, s.asProblem(ctx, err)
			}
			out, err := render(n, x, scene, in.Format)
			if err != nil {
				return nil, s.asProblem(ctx, err)
			}
			return out, nil
		})

	huma.Register(s.api, huma.Operation{OperationID: "incident-story", Method: http.MethodGet, Path: "/v1/incidents/{id}/story", Summary: "An incident told from its beginning, out of its record and the acts", Tags: []string{"incidents"}},
		func(ctx context.Context, in *struct {
			ID     string `path:"id"`
			Format string `query:"format" default:"md" doc:"md, docx or pdf"`
		}) (*file, error) {
			ctx, cancel := context.WithTimeout(ctx, readTimeout)
			defer cancel()
			v, x, zone, err := s.incident(in.ID)
			if err != nil {
				return nil, s.asProblem(ctx, err)
			}
			events, err := s.events(ctx, x)
			if err != nil {
				return nil, s.asProblem(ctx, err)
			}
			d := breach.Story(x, events, breach.ContractOf(v, x), s.scene(v, x, zone), func(p id.Person) string {
				if who, ok := v.Persons.Get(p); ok {
					return who.Name + " (" + string(p) + ")"
				}
				return string(p)
			})
			out, err := drawn(d, in.Format)
			if err != nil {
				return nil, s.asProblem(ctx, err)
			}
			return out, nil
		})

	huma.Register(s.api, huma.Operation{OperationID: "incident-questions", Method: http.MethodGet, Path: "/v1/incident-questions", Summary: "The questions of a breach assessment: unsecured PHI, the three exceptions, the four factors", Tags: []string{"incidents"}},
		func(context.Context, *struct{}) (*struct{ Body Questions }, error) {
			return &struct{ Body Questions }{Questions{Unsecured: "Was it PHI that was not rendered unusable, unreadable or indecipherable to unauthorized persons?", Citation: hipaa.MustCite("D-UNSEC"),
				Exceptions: breach.Exceptions(), Factors: breach.Factors()}}, nil
		})

	huma.Register(s.api, huma.Operation{OperationID: "neglected", Method: http.MethodGet, Path: "/v1/neglected", Summary: "Open incidents and findings about which nobody does anything", Tags: []string{"incidents"}},
		func(context.Context, *struct{}) (*struct{ Body List[breach.Neglect] }, error) {
			v := s.Registry.View()
			out := List[breach.Neglect]{Version: v.Version(), Items: breach.Ignored(v, s.Now())}
			if out.Items == nil {
				out.Items = []breach.Neglect{}
			}
			return &struct{ Body List[breach.Neglect] }{out}, nil
		})
}

func (s *server) incident(key string) (*snapshot.View, *snapshot.Incident, *time.Location, error) {
	v := s.Registry.View()
	x, ok := v.Incidents.Get(id.Incident(key))
	if !ok {
		return nil, nil, nil, problem.New(problem.NotFound, "There is no incident with this id", "List them: sallyport incident list (GET /v1/incidents)")
	}
	zone, err := breach.Zone(v.Settings.TimeZone)
	return v, x, zone, err
}

func (s *server) scene(v *snapshot.View, x *snapshot.Incident, zone *time.Location) breach.Scene {
	out := breach.Scene{Organisation: s.Organisation, Zone: zone, Now: s.Now()}
	if vendor, ok := v.Vendors.Get(x.Vendor); ok {
		out.Vendor, out.VendorContact = vendor.Name, vendor.Contact
	}
	return out
}

// events are the acts about the incident and about the holds that contain it.
func (s *server) events(ctx context.Context, x *snapshot.Incident) ([]breach.Event, error) {
	version, err := s.Registry.VersionAt(ctx, x.OpenedAt.Add(-time.Microsecond))
	if err != nil {
		return nil, err
	}
	var out []breach.Event
	for {
		const page = 1000
		acts, err := s.Registry.Acts(ctx, version, page)
		if err != nil {
			return nil, err
		}
		for _, e := range acts {
			version = e.Seq
			about := e.Subject.Noun == snapshot.NounIncident && e.Subject.ID == string(x.ID) ||
				e.Subject.Noun == snapshot.NounHold && slices.Contains(x.Holds, id.Hold(e.Subject.ID))
			if about {
				out = append(out, breach.Event{At: e.At, Kind: string(e.Kind), By: e.Actor, Reason: e.Reason, Log: e.LogNode, Index: e.LogIndex})
			}
		}
		if len(acts) < page {
			return out, nil
		}
	}
}

func render(n breach.Notice, x *snapshot.Incident, scene breach.Scene, format string) (*file, error) {
	switch format {
	case "json":
		raw, err := json.Marshal(Drafted{To: n.To, Text: breach.Markdown(n.Document), Fields: n.Fields, Elements: n.Elements})
		return &file{ContentType: "application/json", Body: raw}, err
	case "csv":
		if n.To != snapshot.ToIndividuals {
			return nil, problem.BadField("format", "is csv, which is for letters to individuals", "Use md, docx or pdf")
		}
		text, err := breach.MergeCSV(x, scene)
		return &file{ContentType: "text/csv; charset=utf-8", Disposition: `attachment; filename="merge.csv"`, Body: []byte(text)}, err
	}
	return drawn(n.Document, format)
}

// drawn is a document as a file.
func drawn(d paper.Document, format string) (*file, error) {
	switch format {
	case "md":
		return &file{ContentType: "text/markdown; charset=utf-8", Body: []byte(breach.Markdown(d))}, nil
	case "docx":
		raw, err := paper.DOCX(d)
		return &file{ContentType: docxType, Disposition: `attachment; filename="incident.docx"`, Body: raw}, err
	case "pdf":
		raw, err := paper.PDF(d)
		return &file{ContentType: "application/pdf", Disposition: `attachment; filename="incident.pdf"`, Body: raw}, err
	}
	return nil, problem.BadField("format", "is not known", "Use md, docx or pdf")
}

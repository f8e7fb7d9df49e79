// Package alert is the door for systems that report incidents: a vendor's, or the
// organisation's own (a SIEM, a ticket system). One POST of JSON is one report, and
// becomes the act incident.report.
//
//	POST /incidents
//	Authorization: Bearer TOKEN
//	Content-Type: application/json
//
//	{"reference": "SOC-4711", "title": "Notebook in a public repository",
//	 "occurred_at": "2026-03-01T10:00:00Z", "discovered_at": "2026-03-03T09:00:00Z",
//	 "individuals": 40, "about": [{"noun": "app", "id": "triage"}]}
//
// A system is a connector of kind alert, known by the digest of its bearer token. A
// vendor's reports for that vendor alone; one of the organisation's names the vendor, or
// none. A report that is sent again, with its reference, is not a second incident. Only
// reference and title are needed. A time that is left out is the time of the report.
//
// 201 says that the incident is on the record, with its id and when the organisation
// counts as told; 200 that it was before. Whoever is not known hears 401 and nothing
// else. Nothing is logged but ids and kinds: a title can hold what it should not.
package alert

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strings"
	"sync"
	"time"

	jsonv2 "github.com/go-json-experiment/json"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

const (
	// maxBody bounds a report.
	maxBody = 64 << 10
	// maxReference bounds its reference, in bytes.
	maxReference = 100
	// each and burst bound the reports of one system (policy): an alarm that rings on and
	// on is one incident, and belongs together on its side.
	each  = time.Minute
	burst = 30
)

// Registry is what the door needs of the registry.
type Registry interface {
	View() *snapshot.View
	// Do does an act: when it returns, the act is in the log and in View.
	Do(context.Context, registry.Actor, registry.Act, registry.Meta) (registry.Result, error)
}

// Config is what a Receiver needs; all of it.
type Config struct {
	Registry Registry
	Now      func() time.Time
	Log      *slog.Logger
}

// Receiver receives reports. It is safe for concurrent use.
type Receiver struct {
	c  Config
	mu sync.Mutex // guards full
	// full is until when each system has used up its reports: a bucket that one
	// report fills by a minute.
	full map[id.Connector]time.Time
}

// New makes a Receiver.
func New(c Config) (*Receiver, error) {
	if c.Registry == nil || c.Now == nil || c.Log == nil {
		return nil, problem.New(problem.Internal, "The receiver of incident reports lacks its registry, clock or log", "Pass all three")
	}
	return &Receiver{c: c, full: map[id.Connector]time.Time{}}, nil
}

// Report is what a system sends.
type Report struct {
	Reference    string             `json:"reference"`
	Vendor       id.Vendor          `json:"vendor,omitempty"`
	Title        string             `json:"title"`
	About        []snapshot.Subject `json:"about,omitempty"`
	OccurredAt   time.Time          `json:"occurred_at,omitzero"`
	DiscoveredAt time.Time          `json:"discovered_at,omitzero"`
	Individuals  int                `json:"individuals,omitempty"`
}

// Receipt is the answer.
type Receipt struct {
	Incident   string    `json:"incident"`
	ReportedAt time.Time `json:"reported_at"` // when the organisation counts as told
	Repeated   bool      `json:"repeated"`
}

// ServeHTTP receives one report.
func (x *Receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	c, err := identity.BearerConnector(r.Header, x.c.Registry.View(), snapshot.AlertSender)
	if err != nil {
		attrs := []slog.Attr{slog.String("reason", err.Error())}
		if c != nil {
			attrs = append(attrs, slog.String("connector", string(c.ID)))
		}
		x.c.Log.LogAttrs(r.Context(), slog.LevelWarn, "incident report of a stranger", attrs...)
		identity.WriteUnknown(w)
		return
	}
	if !problem.Takes(w, r, http.MethodPost) {
		return
	}
	if !x.allow(c.ID) {
		problem.New(problem.TooMany, "There were too many reports from this system", "Send this one again in a minute").After(time.Minute).Write(w)
		return
	}
	receipt, err := x.receive(w, r, c)
	if err != nil {
		x.refuse(w, r, c, err)
		return
	}
	x.c.Log.LogAttrs(r.Context(), slog.LevelInfo, "incident reported", slog.String("connector", string(c.ID)), slog.String("vendor", string(c.Vendor)),
		slog.String("incident", receipt.Incident), slog.Bool("repeated", receipt.Repeated))
	status := http.StatusCreated
	if receipt.Repeated {
		status = http.StatusOK
	}
	write(w, status, "application/json", receipt)
}

func (x *Receiver) receive(w http.ResponseWriter, r *http.Request, c *snapshot.Connector) (Receipt, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return Receipt{}, problem.New(problem.Invalid, "The report is not application/json", "Send one JSON object, with its Content-Type")
	}
	in, err := Read(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return Receipt{}, err
	}
	vendor := in.Vendor
	if c.Vendor != "" {
		if vendor != "" && vendor != c.Vendor {
			return Receipt{}, problem.BadField("vendor", "is not yours", "Leave it out: you report for your own")
		}
		vendor = c.Vendor
	}
	act := registry.ReportIncident{Vendor: vendor, Title: in.Title, About: in.About, OccurredAt: in.OccurredAt, DiscoveredAt: in.DiscoveredAt, Individuals: in.Individuals}
	// Whoever reports and hangs up has reported.
	done, err := x.c.Registry.Do(context.WithoutCancel(r.Context()), registry.Actor{Connector: c.ID}, act,
		registry.Meta{Reason: "reported by the system " + string(c.ID), IdempotencyKey: "alert " + in.Reference})
	if err != nil {
		return Receipt{}, err
	}
	return Receipt{Incident: done.Subject.ID, ReportedAt: done.At, Repeated: done.Repeated}, nil
}

// Read reads a report strictly: one object, no name that is not known or stands there
// twice.
func Read(body io.Reader) (Report, error) {
	var in Report
	err := jsonv2.UnmarshalRead(body, &in, jsonv2.RejectUnknownMembers(true))
	var long *http.MaxBytesError
	var at *jsonv2.SemanticError
	switch {
	case errors.As(err, &long):
		return in, problem.New(problem.TooLarge, "The report is too long", "Send what happened in a sentence, never the data itself")
	case errors.As(err, &at) && at.JSONPointer != "":
		return in, problem.BadField(strings.ReplaceAll(strings.TrimPrefix(string(at.JSONPointer), "/"), "/", "."), "is not known, or of the wrong type", "Use reference, title, vendor, about, occurred_at, discovered_at, individuals")
	case err != nil:
		return in, problem.New(problem.Invalid, "The report cannot be read as JSON", "Send one JSON object without double names")
	case strings.TrimSpace(in.Reference) == "" || len(in.Reference) > maxReference:
		return in, problem.BadField("reference", "is missing or too long", "Write your own number of the incident, so that sending it again does not open a second one")
	}
	for _, c := range in.Reference {
		if c < ' ' || c == 0x7f || c == 0xfffd {
			return in, problem.BadField("reference", "holds a control character or is not UTF-8", "Use plain text")
		}
	}
	return in, nil
}

// allow takes one report out of a system's bucket. Only known systems have one.
func (x *Receiver) allow(c id.Connector) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	now := x.c.Now()
	full := x.full[c]
	if full.Before(now) {
		full = now
	}
	if full.Sub(now) > (burst-1)*each {
		return false
	}
	x.full[c] = full.Add(each)
	return true
}

func (x *Receiver) refuse(w http.ResponseWriter, r *http.Request, c *snapshot.Connector, err error) {
	p := problem.From(err)
	level := slog.LevelWarn
	if p.Kind.Status() >= http.StatusInternalServerError {
		level = slog.LevelError
		w.Header().Set("Retry-After", "2")
	}
	x.c.Log.LogAttrs(r.Context(), level, "incident report refused", slog.String("connector", string(c.ID)), slog.String("kind", string(p.Kind)), slog.String("field", fieldWord(p.Field)))
	p.Write(w)
}

// fieldWord keeps a sender's own words, which a name of a field can be, out of the log.
func fieldWord(field string) string {
	name, _, _ := strings.Cut(field, ".")
	name, _, _ = strings.Cut(name, "[")
	switch name {
	case "reference", "title", "vendor", "about", "occurred_at", "discovered_at", "individuals", "":
		return name
	}
	return "other"
}

func write(w http.ResponseWriter, status int, kind string, v any) {
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the sender has gone: nothing to do
}

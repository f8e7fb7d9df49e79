package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sallyport/sallyport/disclosure"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/offboarding"
	"github.com/sallyport/sallyport/paper"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// Remaining is what is left to do before an offboarding is complete.
type Remaining struct {
	Offboarding snapshot.Offboarding `json:"offboarding"`
	Left        []registry.Left      `json:"left"`
}

// Checked is a dead-man check.
type Checked struct {
	Tried     int              `json:"tried"`
	Permitted int              `json:"permitted,omitempty" doc:"Of them, what was let through; must be zero"`
	LastTried time.Time        `json:"last_tried,omitzero"`
	First     []disclosure.Row `json:"first" doc:"Of each machine, program and person the first, from the log; at most 20"`
	Recorded  *ActResult       `json:"recorded"`
}

func (s *server) offboardings() {
	type byID struct {
		ID string `path:"id"`
	}
	type why struct {
		ID   string `path:"id"`
		Body struct {
			Reason string `json:"reason" doc:"Why, in a sentence. Never patient data." maxLength:"2000"`
		}
	}
	huma.Register(s.api, huma.Operation{OperationID: "offboarding-left", Method: http.MethodGet, Path: "/v1/offboardings/{id}/left", Tags: []string{"offboardings"},
		Summary: "What is left to do before an offboarding is complete"},
		func(ctx context.Context, in *byID) (*struct{ Body Remaining }, error) {
			v := s.Registry.View()
			o, err := anOffboarding(v, in.ID)
			if err != nil {
				return nil, s.asProblem(ctx, err)
			}
			left := registry.OffboardingLeft(v, o)
			if left == nil {
				left = []registry.Left{}
			}
			return &struct{ Body Remaining }{Remaining{*o, left}}, nil
		})
	huma.Register(s.api, huma.Operation{OperationID: "offboarding-inventory", Method: http.MethodPost, Path: "/v1/offboardings/{id}/inventory", Tags: []string{"offboardings"},
		Summary: "Count what was released, from the audit log, store the list and record it", Description: "Two acts: document.put and offboarding.record-inventory."},
		func(ctx context.Context, in *why) (*struct{ Body *ActResult }, error) {
			out, err := s.countReleased(ctx, in.ID, in.Body.Reason)
			if err != nil {
				return nil, s.asProblem(ctx, err)
			}
			return &struct{ Body *ActResult }{out}, nil
		})
	huma.Register(s.api, huma.Operation{OperationID: "offboarding-check", Method: http.MethodPost, Path: "/v1/offboardings/{id}/check", Tags: []string{"offboardings"},
		Summary: "Look whether anything of what ended was tried since, and record it"},
		func(ctx context.Context, in *why) (*struct{ Body *Checked }, error) {
			out, err := s.lookForAttempts(ctx, in.ID, in.Body.Reason)
			if err != nil {
				return nil, s.asProblem(ctx, err)
			}
			return &struct{ Body *Checked }{out}, nil
		})
	huma.Register(s.api, huma.Operation{OperationID: "offboarding-certificate", Method: http.MethodGet, Path: "/v1/offboardings/{id}/certificate", Tags: []string{"offboardings"},
		Summary: "The certificate of return and destruction: a draft, until the offboarding is complete"},
		func(ctx context.Context, in *struct {
			ID     string `path:"id"`
			Format string `query:"format" enum:"pdf,docx,text" default:"pdf"`
		}) (*file, error) {
			v := s.Registry.View()
			o, err := anOffboarding(v, in.ID)
			if err != nil {
				return nil, s.asProblem(ctx, err)
			}
			if o.Certificate != "" && in.Format == "pdf" {
				ctx, cancel := context.WithTimeout(ctx, readTimeout)
				defer cancel()
				d, err := s.Registry.Document(ctx, o.Certificate)
				if err != nil {
					return nil, s.asProblem(ctx, err)
				}
				return attachment(d.MediaType, in.ID+"-certificate.pdf", d.Content), nil
			}
			out, err := rendered(offboarding.Certificate(s.certificateFacts(v, o)), in.Format, in.ID+"-certificate")
			if err != nil {
				return nil, s.asProblem(ctx, err)
			}
			return out, nil
		})
	huma.Register(s.api, huma.Operation{OperationID: "offboarding-finish", Method: http.MethodPost, Path: "/v1/offboardings/{id}/finish", Tags: []string{"offboardings"},
		Summary: "Write the certificate, store it and complete the offboarding", Description: "Two acts: document.put and offboarding.complete."},
		func(ctx context.Context, in *why) (*struct{ Body *ActResult }, error) {
			out, err := s.finishOffboarding(ctx, in.ID, in.Body.Reason)
			if err != nil {
				return nil, s.asProblem(ctx, err)
			}
			return &struct{ Body *ActResult }{out}, nil
		})
}

func anOffboarding(v *snapshot.View, key string) (*snapshot.Offboarding, error) {
	o, ok := v.Offboardings.Get(id.Offboarding(key))
	if !ok {
		return nil, problem.New(problem.NotFound, "There is no Offboarding with this id", "List them: GET /v1/offboardings")
	}
	return o, nil
}

// scopeOf is what an offboarding is about, as a question to the log.
func scopeOf(o *snapshot.Offboarding) disclosure.Query {
	if o.Engagement == "" {
		return disclosure.Query{Vendors: []id.Vendor{o.Vendor}}
	}
	return disclosure.Query{Vendors: []id.Vendor{o.Vendor}, Engagements: o.Of}
}

func (s *server) countReleased(ctx context.Context, key, reason string) (*ActResult, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	o, err := anOffboarding(s.Registry.View(), key)
	if err != nil {
		return nil, err
	}
	index, err := s.index()
	if err != nil {
		return nil, err
	}
	found, err := index.Inventory(ctx, scopeOf(o))
	if err != nil {
		return nil, err
	}
	raw, err := json.MarshalIndent(found, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing the inventory: %w", err)
	}
	act := registry.RecordInventory{ID: o.ID, Inventory: snapshot.ReleasedInventory{Releases: int(found.Releases), Bytes: int64(found.Bytes), Patients: int(found.Patients),
		Digests: found.List, At: s.Now().UTC()}}
	doc := registry.NewDocument("application/json", append(raw, '\n'))
	act.Inventory.Document = doc.Digest
	return s.putAndDo(ctx, doc, act, reason)
}

// putAndDo stores a paper that the server wrote, and does the act that rests on it.
func (s *server) putAndDo(ctx context.Context, doc registry.PutDocument, act registry.Act, reason string) (*ActResult, error) {
	meta := registry.Meta{Reason: reason}
	if _, err := s.Registry.Do(ctx, actor(ctx), doc, meta); err != nil {
		return nil, err
	}
	done, err := s.Registry.Do(ctx, actor(ctx), act, meta)
	if err != nil {
		return nil, err
	}
	return result(done), nil
}

func (s *server) lookForAttempts(ctx context.Context, key, reason string) (*Checked, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	v := s.Registry.View()
	o, err := anOffboarding(v, key)
	if err != nil {
		return nil, err
	}
	index, err := s.index()
	if err != nil {
		return nil, err
	}
	found, err := Attempted(ctx, index, v, o)
	if err != nil {
		return nil, err
	}
	done, err := s.Registry.Do(ctx, actor(ctx), found.Act(o.ID, s.Node), registry.Meta{Reason: reason})
	if err != nil {
		return nil, err
	}
	return &Checked{Tried: found.Tried, Permitted: found.Permitted, LastTried: found.Last, First: found.First, Recorded: result(done)}, nil
}

// Tries are what was tried since an offboarding began, as a log has it.
type Tries struct {
	First     []disclosure.Row // of each machine, program and person the first; a few
	Tried     int
	Permitted int // of them; must be zero
	Last      time.Time
	To        uint64 // the log's entries before this index were looked at
	Days      []TriedDay
}

// TriedDay is what was tried on one day in UTC.
type TriedDay struct {
	Day              time.Time
	Tried, Permitted int
}

// Act is the act that notes it.
func (x Tries) Act(o id.Offboarding, log string) registry.CheckOffboarding {
	return registry.CheckOffboarding{ID: o, Log: log, To: x.To, Tried: x.Tried, Permitted: x.Permitted, LastTried: x.Last}
}

// firstAttempts is how many attempts are shown; all are counted.
const firstAttempts = 20

// Attempted finds in the log what was tried since an offboarding began, by anything that
// ended with it. Where one engagement ended, what the vendor does for another does not
// count: a credential that was refused at the door names no engagement, and counts if
// what it belongs to has ended.
func Attempted(ctx context.Context, index *disclosure.Index, v *snapshot.View, o *snapshot.Offboarding) (Tries, error) {
	var x Tries
	_, x.To = index.Standing()
	ended := func(r disclosure.Row) bool {
		if o.Engagement == "" || o.Covers(r.Engagement) {
			return true
		}
		d, known := v.Devices.Get(r.Device)
		if known && d.State == snapshot.Ended {
			return r.Engagement == ""
		}
		p, known := v.Apps.Get(r.App)
		if known && p.State == snapshot.Ended {
			return r.Engagement == ""
		}
		w, known := v.Persons.Get(r.Person)
		return known && w.State == snapshot.Ended && r.Engagement == ""
	}
	q := disclosure.Query{Vendors: []id.Vendor{o.Vendor}, Since: o.BegunAt.Add(time.Nanosecond), Through: x.To}
	shown := map[[3]string]bool{}
	err := index.Rows(ctx, q, 0, func(r disclosure.Row) error {
		if !ended(r) || wasUnderWay(r, o.BegunAt) {
			return nil
		}
		x.Tried++
		// The log is in the order of time, but for what came together.
		if day := r.Time.UTC().Truncate(24 * time.Hour); len(x.Days) == 0 || day.After(x.Days[len(x.Days)-1].Day) {
			x.Days = append(x.Days, TriedDay{Day: day})
		}
		x.Days[len(x.Days)-1].Tried++
		if r.Kind == disclosure.Permitted {
			x.Permitted++
			x.Days[len(x.Days)-1].Permitted++
		}
		if r.Time.After(x.Last) {
			x.Last = r.Time
		}
		who := [3]string{string(r.Device), string(r.App), string(r.Person)}
		if !shown[who] && len(x.First) < firstAttempts {
			shown[who] = true
			x.First = append(x.First, r)
		}
		return nil
	}, disclosure.Permitted, disclosure.Refused)
	return x, err
}

// wasUnderWay says that a refusal is of a question that was asked before the parting began:
// it cut the answer, and nobody tried anything. A decision's id has its time, to the
// millisecond.
func wasUnderWay(r disclosure.Row, begun time.Time) bool {
	asked, err := id.Time(r.Decision)
	return err == nil && r.Kind == disclosure.Refused && asked.Before(begun.Truncate(time.Millisecond))
}

func (s *server) certificateFacts(v *snapshot.View, o *snapshot.Offboarding) offboarding.Facts {
	f := offboarding.Facts{Organisation: s.Organisation, Vendor: &snapshot.Vendor{ID: o.Vendor, Name: string(o.Vendor)}, Offboarding: o,
		Keys: map[id.Engagement]*snapshot.Key{}, At: s.Now().UTC().Truncate(time.Second)}
	if w, ok := v.Vendors.Get(o.Vendor); ok {
		f.Vendor = w
	}
	for _, key := range o.Of {
		if e, ok := v.Engagements.Get(key); ok {
			f.Engagements = append(f.Engagements, e)
		}
		if k, ok := v.Keys.Get(key); ok {
			f.Keys[key] = k
		}
	}
	for _, key := range o.Agreements {
		if a, ok := v.Agreements.Get(key); ok {
			f.Agreements = append(f.Agreements, a)
		}
	}
	return f
}

func (s *server) finishOffboarding(ctx context.Context, key, reason string) (*ActResult, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	v, by := s.Registry.View(), actor(ctx)
	o, err := anOffboarding(v, key)
	if err != nil {
		return nil, err
	}
	// Asked first, so that nothing is stored that completes nothing.
	sum := sha256.Sum256(nil)
	if err := s.Registry.May(by, registry.CompleteOffboarding{ID: o.ID, Certificate: hex.EncodeToString(sum[:])}, registry.Meta{Reason: reason}); err != nil {
		return nil, err
	}
	f := s.certificateFacts(v, o)
	done := *o
	done.CompletedBy, done.CompletedAt, done.RetainUntil = by.Name(), f.At, f.At.AddDate(registry.RetentionYears, 0, 0)
	f.Offboarding = &done
	pdf, err := paper.PDF(offboarding.Certificate(f))
	if err != nil {
		return nil, fmt.Errorf("drawing the certificate: %w", err)
	}
	doc := registry.NewDocument(pdfType, pdf)
	return s.putAndDo(ctx, doc, registry.CompleteOffboarding{ID: o.ID, Certificate: doc.Digest}, reason)
}

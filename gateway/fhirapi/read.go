package fhirapi

import (
	"context"
	"io"
	"net/http"
	"sync"

	"github.com/sallyport/sallyport/deid"
	deidfhir "github.com/sallyport/sallyport/deid/fhir"
	"github.com/sallyport/sallyport/fhir"
	"github.com/sallyport/sallyport/gateway"
	"github.com/sallyport/sallyport/problem"
)

// read is a read or a vread.
type read struct {
	typ, code, version string
}

func newRead(typ, code, version, query string) (gateway.Question, error) {
	// The parameters that shape an answer are accepted where they change
	// nothing: the role's view is all there is to see of a resource.
	s, err := fhir.ParseSearch(typ, query)
	if err != nil {
		return nil, err
	}
	if len(s.Params) > 0 || len(s.Sort) > 0 || len(s.Include) > 0 || s.Count >= 0 || s.Total != "" || s.Contained != "" ||
		s.ContainedType != "" || s.Elements != nil || s.Summary != "" && s.Summary != "false" {
		return nil, problem.BadField("query", "A read takes no parameters but _format and _pretty", "Leave them out")
	}
	return &read{typ: typ, code: code, version: version}, nil
}

// Words implements gateway.Question.
func (q *read) Words() gateway.Words {
	w := gateway.Words{Interaction: "read", Resources: []string{q.typ}, Needs: []gateway.Need{{Resource: q.typ, Interaction: "read"}}}
	if q.version != "" {
		w.Interaction = "vread"
	}
	return w
}

// Fetch implements gateway.Question.
func (q *read) Fetch(ctx context.Context, d *gateway.Desk) (gateway.Answer, error) {
	resourceID, err := d.Reveal(ctx, q.code)
	if err != nil {
		return nil, err
	}
	rel := "/" + q.typ + "/" + resourceID
	if q.version != "" {
		version, err := revealVersion(ctx, d, q.version)
		if err != nil {
			return nil, err
		}
		rel += "/_history/" + version
	}
	resp, err := d.Get(ctx, rel)
	if err != nil {
		return nil, err
	}
	return &single{d: d, typ: q.typ, id: resourceID, resp: resp}, nil
}

// revealVersion: the minimiser leaves small numbers as they are.
func revealVersion(ctx context.Context, d *gateway.Desk, v string) (string, error) {
	if len(v) <= 9 && digits(v) {
		return v, nil
	}
	return d.Reveal(ctx, v)
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// single is the answer to a read: one resource, one release.
type single struct {
	d       *gateway.Desk
	typ, id string
	resp    *http.Response
}

// Upstream implements gateway.Answer.
func (a *single) Upstream() int { return a.resp.StatusCode }

// ContentType implements gateway.Answer.
func (a *single) ContentType() string { return fhirJSON }

// Close implements gateway.Answer.
func (a *single) Close() { _ = a.resp.Body.Close() }

// inspector reads documents and says what is in them.
type inspector struct {
	reader *fhir.Reader
	facts  fhir.Facts
}

var inspectors = sync.Pool{New: func() any { return &inspector{reader: fhir.NewReader(nothing{}, fhir.Limits{})} }}

type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, io.EOF }

// inspect takes an inspector for one document; done gives it back.
func inspect(body io.Reader) *inspector {
	in := inspectors.Get().(*inspector)
	in.reader.Reset(body, fhir.Limits{})
	in.facts.Reset()
	return in
}

func (in *inspector) done() {
	in.reader.Reset(nothing{}, fhir.Limits{})
	clear(in.facts.Patients[:cap(in.facts.Patients)])
	in.facts.Reset()
	inspectors.Put(in)
}

// Next implements gateway.Answer.
func (a *single) Next(context.Context) (deid.Release, bool, error) {
	if err := status(a.d, a.resp, true); err != nil {
		return deid.Release{}, true, err
	}
	in := inspect(a.resp.Body)
	defer in.done()
	item, err := in.reader.Next()
	if err != nil {
		return deid.Release{}, true, malformed(err)
	}
	if item.Part != fhir.Whole || item.Type != a.typ {
		return deid.Release{}, true, unexpected("another resource than the one that was asked for")
	}
	raw := item.Resource.Open()
	if err := in.facts.Inspect(raw, a.d.Source().Base()); err != nil {
		return deid.Release{}, true, malformed(err)
	}
	if in.facts.ID != a.id {
		return deid.Release{}, true, unexpected("another resource than the one that was asked for")
	}
	if !a.d.Require(subject(&in.facts)) {
		return deid.Release{}, true, nil // the policy says why
	}
	w, err := a.d.Writer()
	if err != nil {
		return deid.Release{}, true, err
	}
	info, err := w.Resource(raw)
	if err != nil {
		return deid.Release{}, true, err
	}
	if info.Outcome != deidfhir.Released {
		a.d.Removed(a.typ)
		return deid.Release{}, true, gateway.NotFound()
	}
	for _, p := range in.facts.Patients {
		w.Patient(p)
	}
	if _, err := in.reader.Next(); err != io.EOF {
		return deid.Release{}, true, malformed(err)
	}
	return w.Take(), true, nil
}

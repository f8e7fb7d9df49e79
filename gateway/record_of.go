package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/sallyport/sallyport/deid"
	deidfhir "github.com/sallyport/sallyport/deid/fhir"
	"github.com/sallyport/sallyport/seal"
)

// records are what the source says about who a patient is, as a dictionary for
// the patient's free text. They are asked for when text stands under the profile,
// once a patient and question, and never leave.
type records struct {
	ctx       context.Context
	d         *Desk
	scrubber  deid.Scrubber
	collector *deidfhir.Collector
	asked     map[string]bool
	err       error // the source did not say: nothing that was scrubbed without it leaves
}

// Sizes of what is asked for.
const (
	maxRecord  = 4 << 20 // of a Patient, or a page of RelatedPersons
	maxRecords = 256     // patients whose record a question remembers
)

// begin is for another question.
func (r *records) begin(ctx context.Context, d *Desk) {
	*r = records{ctx: ctx, d: d, scrubber: r.scrubber}
}

// end forgets everybody.
func (r *records) end() { *r = records{scrubber: r.scrubber} }

// Of implements deid.Records.
func (r *records) Of(patientID string) (deid.Record, bool) {
	if r.d == nil || r.err != nil || !seal.IsID(patientID) {
		return nil, false
	}
	if !r.asked[patientID] {
		if r.collector == nil || len(r.asked) >= maxRecords {
			r.collector = deidfhir.NewCollector(r.scrubber, r.d.s.Source.text)
			r.asked = map[string]bool{}
		}
		r.asked[patientID] = true
		var known bool
		// Without the Patient there is no record, whatever relatives say.
		if known, r.err = r.ask("/Patient/" + patientID); known {
			_, r.err = r.ask("/RelatedPerson?patient=" + patientID)
		}
		if r.err != nil {
			return nil, false
		}
	}
	return r.collector.Of(patientID)
}

var errRecord = errors.New("the source's answer about a patient is too large or cannot be read")

// ask takes in a resource, or those of a Bundle's first page. A source that does
// not have the resource, or the type, says nothing: that is no error.
func (r *records) ask(rel string) (known bool, err error) {
	resp, err := r.d.Get(r.ctx, rel)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound, http.StatusGone, http.StatusBadRequest, http.StatusNotImplemented:
		return false, nil
	default:
		return false, odd(errors.New("it does not say who a patient is"))
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxRecord+1))
	switch {
	case err != nil:
		return false, unreachable(err)
	case len(raw) > maxRecord, r.collector.AddAll(raw) != nil:
		return false, odd(errRecord)
	}
	return true, nil
}

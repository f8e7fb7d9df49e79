package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

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

	mu  sync.Mutex // err's: a release is told of it while the next one is being written
	err error      // the source did not say: nothing that was scrubbed without it leaves
}

// Sizes of what is asked for.
const (
	maxRecord  = 4 << 20 // of a Patient, or a page of RelatedPersons
	maxPages   = 10      // of RelatedPersons
	maxRecords = 256     // patients whose record a question remembers
	// recordPatience is how long the source may take for one of them: whoever waits
	// for the note waits for it too.
	recordPatience = 30 * time.Second
)

// begin is for another question.
func (r *records) begin(ctx context.Context, d *Desk) {
	r.ctx, r.d, r.collector, r.asked = ctx, d, nil, nil
	r.fail(nil)
}

// end forgets everybody.
func (r *records) end() { r.begin(context.Background(), nil) }

func (r *records) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = err
}

func (r *records) failed() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// Of implements deid.Records.
func (r *records) Of(patientID string) (deid.Record, bool) {
	if r.d == nil || r.failed() != nil || !seal.IsID(patientID) {
		return nil, false
	}
	if !r.asked[patientID] {
		if r.collector == nil || len(r.asked) >= maxRecords {
			r.collector = deidfhir.NewCollector(r.scrubber, r.d.s.Source.text)
			r.asked = map[string]bool{}
		}
		r.asked[patientID] = true
		// Without the Patient there is no record, whatever relatives say.
		known, _, err := r.ask("/Patient/"+patientID, patientID)
		if known {
			err = r.relatives("/RelatedPerson?patient=" + patientID)
		}
		if err != nil {
			r.fail(err)
			return nil, false
		}
	}
	return r.collector.Of(patientID)
}

var errRecord = errors.New("the source's answer about a patient is too large, cannot be read or is another resource")

// relatives asks page after page. A dictionary without the last of them would
// leave their names standing, so too many are an error.
func (r *records) relatives(rel string) error {
	for range maxPages {
		_, next, err := r.ask(rel, "")
		if err != nil || next == "" {
			return err
		}
		var ok bool
		if rel, ok = r.d.Below(next); !ok {
			return odd(errRecord)
		}
	}
	return odd(errRecord)
}

// ask takes in a resource, or those of a Bundle. A source that does not have the
// resource, or the type, says nothing: that is no error. Where patient is given, the
// answer must be that Patient: with another's record, or an OperationOutcome in its
// place, the patient's own names would stand.
func (r *records) ask(rel, patient string) (known bool, next string, err error) {
	ctx, cancel := context.WithTimeoutCause(r.ctx, recordPatience, errSlow)
	defer cancel()
	resp, err := r.d.Get(ctx, rel)
	if err != nil {
		return false, "", err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound, http.StatusGone, http.StatusBadRequest, http.StatusNotImplemented:
		return false, "", nil
	default:
		return false, "", odd(errors.New("it does not say who a patient is"))
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxRecord+1))
	if err != nil {
		return false, "", unreachable(err)
	}
	if len(raw) > maxRecord {
		return false, "", odd(errRecord)
	}
	if patient != "" {
		if err := r.collector.AddPatient(raw, patient); err != nil {
			return false, "", odd(errRecord)
		}
		return true, "", nil
	}
	if next, err = r.collector.AddAll(raw); err != nil {
		return false, "", odd(errRecord)
	}
	return true, next, nil
}

// Package fhirapi is the FHIR R4 REST API as a protocol of the gateway: read,
// vread, search by GET and POST, paging, includes, $everything, batches of
// these, and metadata. Everything else is refused, and recorded.
//
// What it reads it reads strictly, because what the policy understood must be
// what the source does: no escapes in a path, no parameter that R4 does not
// define, no value that does not have its parameter's form. The question that
// goes to the source is written anew out of what was understood.
package fhirapi

import (
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/sallyport/sallyport/fhir"
	"github.com/sallyport/sallyport/fhir/spec"
	"github.com/sallyport/sallyport/gateway"
	"github.com/sallyport/sallyport/problem"
)

// Protocol is FHIR R4 over HTTP.
type Protocol struct{ version, tokenURL string }

// New makes the protocol. version is the software's, and tokenURL where a client
// gets its tokens, both for metadata.
func New(version, tokenURL string) *Protocol { return &Protocol{version, tokenURL} }

// Name implements gateway.Protocol.
func (*Protocol) Name() string { return "fhir" }

const (
	maxForm  = 64 << 10
	maxBatch = 1 << 20
	fhirJSON = "application/fhir+json; charset=utf-8"
)

// Read implements gateway.Protocol.
func (p *Protocol) Read(r *http.Request, s gateway.Standing) (gateway.Reading, error) {
	if err := accepts(r); err != nil {
		return gateway.Reading{}, err
	}
	if s.Rest == "" && r.Method == http.MethodPost {
		body, err := readBody(r, maxBatch, "application/fhir+json", "application/json")
		if err != nil {
			return gateway.Reading{}, err
		}
		return p.batch(body, s)
	}
	query := r.URL.RawQuery
	if r.Method == http.MethodPost && strings.HasSuffix(s.Rest, "/_search") {
		form, err := readBody(r, maxForm, "application/x-www-form-urlencoded")
		if err != nil {
			return gateway.Reading{}, err
		}
		// Parameters in the address and in the form count alike (R4 3.2.0.1.2).
		if query != "" && len(form) > 0 {
			query += "&"
		}
		q, err := p.search(strings.TrimSuffix(s.Rest, "/_search"), query+string(form), s)
		return gateway.Reading{Question: q}, err
	}
	if r.Method != http.MethodGet {
		return gateway.Reading{}, notOffered()
	}
	q, err := p.get(s.Rest, query, s)
	return gateway.Reading{Question: q}, err
}

// get reads the path and query of a GET, of a request or of a batch's entry.
func (p *Protocol) get(path, query string, s gateway.Standing) (gateway.Question, error) {
	if strings.ContainsAny(path, "%\\;") {
		// Two readers of an escaped path can disagree, and no path here needs one.
		return nil, problem.BadField("path", "The path has characters that are never needed in one", "Write it without percent-encoding")
	}
	parts := strings.Split(path, "/")
	switch {
	case path == "metadata":
		return &capabilities{p: p, s: s}, nil
	case parts[0] == "_page" && len(parts) == 3 && query == "":
		return p.page(parts[1], parts[2], s)
	case !spec.IsResource(parts[0]):
		return nil, notOffered()
	case len(parts) == 1:
		return p.search(parts[0], query, s)
	case len(parts) == 2 && !special(parts[1]):
		return newRead(parts[0], parts[1], "", query)
	case len(parts) == 3 && parts[0] == "Patient" && parts[2] == "$everything" && !special(parts[1]):
		return p.everything(parts[1], query, s)
	case len(parts) == 4 && parts[2] == "_history" && !special(parts[1]) && !special(parts[3]):
		return newRead(parts[0], parts[1], parts[3], query)
	}
	return nil, notOffered()
}

// special: operations and the like are no ids.
func special(segment string) bool {
	return !spec.ValidID(segment) || segment == "." || segment == ".."
}

func notOffered() error {
	return problem.New(problem.Unsupported, "This interaction is not offered", "See what is: GET metadata, below the source's address")
}

// accepts refuses who wants XML or anything else that is not spoken here.
func accepts(r *http.Request) error {
	for _, a := range r.Header["Accept"] {
		for part := range strings.SplitSeq(a, ",") {
			t, _, _ := strings.Cut(part, ";")
			switch strings.TrimSpace(t) {
			case "", "*/*", "application/*", "application/fhir+json", "application/json", "application/json+fhir", "application/problem+json":
				return nil
			}
		}
	}
	if len(r.Header["Accept"]) == 0 {
		return nil
	}
	return problem.BadField("Accept", "leaves out JSON, in which alone this answers", "Write Accept: application/fhir+json")
}

func readBody(r *http.Request, limit int64, types ...string) ([]byte, error) {
	t, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	ok := err == nil && (params["charset"] == "" || strings.EqualFold(params["charset"], "utf-8"))
	if ok {
		ok = false
		for _, want := range types {
			ok = ok || t == want
		}
	}
	if !ok {
		return nil, problem.BadField("Content-Type", "is not the type of content that this takes", "Send "+types[0])
	}
	if r.Header.Get("Content-Encoding") != "" {
		return nil, problem.BadField("Content-Encoding", "is not taken: content cannot come compressed", "Send it uncompressed, without this header")
	}
	b, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	if err != nil {
		return nil, problem.BadField("body", "The body broke off", "Send it again")
	}
	if int64(len(b)) > limit {
		return nil, problem.New(problem.TooLarge, "The body is too large", "Ask in several requests")
	}
	return b, nil
}

// subject is what a resource says about itself, in the gateway's terms.
func subject(f *fhir.Facts) gateway.Subject {
	s := gateway.Subject{Type: f.Type, Patients: f.Patients, Unresolved: f.Unresolved > 0, Impersonal: impersonal[f.Type]}
	for _, l := range f.Labels {
		s.Labels = append(s.Labels, l.System+"|"+l.Code)
	}
	if f.Unlabelled > 0 {
		s.Labels = append(s.Labels, "|")
	}
	return s
}

// impersonal are the types whose resources are about nobody's health, and which
// a role may show though no patient is in them. None of them can name a patient
// (spec.PatientElements is empty; a test sees to it). All others need a patient.
var impersonal = map[string]bool{
	"CodeSystem": true, "ConceptMap": true, "DeviceDefinition": true, "Endpoint": true, "HealthcareService": true,
	"InsurancePlan": true, "Location": true, "Medication": true, "MedicationKnowledge": true, "Organization": true,
	"OrganizationAffiliation": true, "Practitioner": true, "PractitionerRole": true, "Substance": true, "ValueSet": true,
}

package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/seal"
	"github.com/sallyport/sallyport/snapshot"
	"github.com/sallyport/sallyport/vault"
)

// membership says whether a patient belongs to a cohort.
type membership interface {
	Has(patient seal.PatientKey) bool
}

type everyone struct{}

func (everyone) Has(seal.PatientKey) bool { return true }

type members map[seal.PatientKey]struct{}

func (m members) Has(p seal.PatientKey) bool { _, ok := m[p]; return ok }

// cohorts keeps the members of cohorts that a source defines, as pseudonyms.
type cohorts struct {
	mu    sync.Mutex
	known map[cohortKey]*cohortEntry
}

type cohortKey struct {
	source id.Source
	kind   snapshot.CohortKind
	ref    string
}

type cohortEntry struct {
	turn    chan struct{} // held by the one who asks the source; guards the rest
	members members
	err     error // why they are not known
	until   time.Time
}

const (
	maxCohorts     = 1024
	maxMembers     = 1_000_000
	maxCohortPages = 2000
	maxGroup       = 64 << 20
	// cohortRetry is how long a failure is taken for granted, so that a slow
	// source is not asked by everybody who waits for it, one after the other.
	cohortRetry = 2 * time.Second
)

// membership finds the members of a grant's cohort. What cannot be found out is
// an error, and nothing is released.
func (g *Gateway) membership(ctx context.Context, s *Source, c snapshot.Cohort) (membership, error) {
	switch c.Kind {
	case snapshot.CohortAll:
		return everyone{}, nil
	case snapshot.CohortList:
		set, ok := g.Vault.Cohort(vault.Ref(c.Ref))
		if !ok || c.Digest == "" || !strings.EqualFold(strings.TrimPrefix(set.Digest(), "sha256:"), c.Digest) {
			return nil, noCohort(errors.New("the vault has no list of that name and digest"))
		}
		return set, nil
	case snapshot.CohortGroup, snapshot.CohortSearch:
	default:
		return nil, noCohort(errors.New("a kind of cohort that is not known"))
	}
	k := cohortKey{s.id, c.Kind, c.Ref}
	g.cohorts.mu.Lock()
	e := g.cohorts.known[k]
	if e == nil {
		if g.cohorts.known == nil || len(g.cohorts.known) >= maxCohorts {
			g.cohorts.known = map[cohortKey]*cohortEntry{}
		}
		e = &cohortEntry{turn: make(chan struct{}, 1)}
		g.cohorts.known[k] = e
	}
	g.cohorts.mu.Unlock()
	// A source may take long, and who waits for its answer may go away meanwhile.
	select {
	case e.turn <- struct{}{}:
		defer func() { <-e.turn }()
	case <-ctx.Done():
		return nil, noCohort(context.Cause(ctx))
	}
	now := g.Now()
	if now.Before(e.until) && e.until.Sub(now) <= max(g.CohortLife, cohortRetry) {
		if e.err != nil {
			return nil, e.err
		}
		if e.members != nil {
			return e.members, nil
		}
	}
	e.members, e.err = nil, nil
	var m members
	var err error
	if c.Kind == snapshot.CohortGroup {
		m, err = g.group(ctx, s, c.Ref, now)
	} else {
		m, err = g.search(ctx, s, c.Ref)
	}
	if err != nil {
		if ctx.Err() != nil {
			return nil, noCohort(err) // the caller went away; that says nothing of the source
		}
		e.err, e.until = noCohort(err), g.Now().Add(cohortRetry)
		return nil, e.err
	}
	e.members, e.until = m, now.Add(g.CohortLife)
	return m, nil
}

func noCohort(err error) error {
	return problem.New(problem.Unavailable, "Who belongs to the grant's cohort cannot be found out now",
		"Nothing was released. Try again; if it goes on, ask the organisation").Because(err)
}

type reference struct {
	Reference string `json:"reference"`
}

// period is a time of membership (R4, datatypes.html#Period).
type period struct {
	Start string `json:"start"`
	End   string `json:"end"`
}

// holds reports whether the time lies in the period: from the first moment of its
// start to the last one of its end. A date without a time is one of the organisation's
// days. What cannot be read holds never.
func (p period) holds(now time.Time, zone *time.Location) bool {
	if p.Start != "" {
		first, _, ok := moments(p.Start, zone)
		if !ok || now.Before(first) {
			return false
		}
	}
	if p.End == "" {
		return true
	}
	_, after, ok := moments(p.End, zone)
	return ok && now.Before(after)
}

// moments are the first moment of a FHIR date or dateTime, and the one after its last.
func moments(s string, zone *time.Location) (first, after time.Time, ok bool) {
	if at, err := time.Parse(time.RFC3339, s); err == nil {
		return at, at.Add(time.Second), true
	}
	for layout, next := range map[string][3]int{"2006": {1, 0, 0}, "2006-01": {0, 1, 0}, time.DateOnly: {0, 0, 1}} {
		if at, err := time.ParseInLocation(layout, s, zone); err == nil {
			return at, at.AddDate(next[0], next[1], next[2]), true
		}
	}
	return first, after, false
}

// groupDoc is what a Group says of its members (R4, group.html).
type groupDoc struct {
	ResourceType string `json:"resourceType"`
	ID           string `json:"id"`
	Type         string `json:"type"`
	Actual       bool   `json:"actual"`
	Member       []struct {
		Entity   reference `json:"entity"`
		Inactive bool      `json:"inactive"`
		Period   period    `json:"period"`
	} `json:"member"`
}

func (g *Gateway) group(ctx context.Context, s *Source, ref string, now time.Time) (members, error) {
	if !seal.IsID(ref) {
		return nil, errors.New("the cohort's Group has no FHIR id")
	}
	var doc groupDoc
	if err := s.document(ctx, "/Group/"+ref, &doc); err != nil {
		return nil, err
	}
	if doc.ResourceType != "Group" || doc.ID != ref || !doc.Actual || doc.Type != "person" {
		return nil, errors.New("the cohort's Group is not an actual group of persons")
	}
	m := members{}
	zone := time.UTC
	if v := g.Views.View(); v != nil && v.Settings.TimeZone != "" {
		var err error
		if zone, err = time.LoadLocation(v.Settings.TimeZone); err != nil {
			return nil, errors.New("the organisation's time zone is not known here")
		}
	}
	for _, x := range doc.Member {
		if x.Inactive || !x.Period.holds(now, zone) {
			continue
		}
		if patientID, ok := s.patient(x.Entity.Reference); ok {
			m[g.Keys.Owner().PatientKey(s.id, patientID)] = struct{}{}
		}
	}
	return m, nil
}

// patient reads a reference to a Patient of this source.
func (s *Source) patient(ref string) (patientID string, ok bool) {
	ref = strings.TrimPrefix(ref, s.text+"/")
	patientID, ok = strings.CutPrefix(ref, "Patient/")
	return patientID, ok && seal.IsID(patientID)
}

type searchDoc struct {
	ResourceType string `json:"resourceType"`
	Link         []struct {
		Relation string `json:"relation"`
		URL      string `json:"url"`
	} `json:"link"`
	Entry []struct {
		Resource struct {
			ResourceType string `json:"resourceType"`
			ID           string `json:"id"`
		} `json:"resource"`
		Search struct {
			Mode string `json:"mode"`
		} `json:"search"`
	} `json:"entry"`
}

// search runs the search that defines a cohort, over all of its pages.
func (g *Gateway) search(ctx context.Context, s *Source, ref string) (members, error) {
	query, ok := strings.CutPrefix(ref, "Patient?")
	if !ok || query == "" {
		return nil, errors.New("the cohort's search is not one of Patient")
	}
	m := members{}
	err := s.patients(ctx, "/"+ref, maxCohortPages, func(patientID string) error {
		if len(m) >= maxMembers {
			return errors.New("the cohort's search has too many patients")
		}
		m[g.Keys.Owner().PatientKey(s.id, patientID)] = struct{}{}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

// patients calls fn with the id of each Patient that a search finds, over at most so
// many pages.
func (s *Source) patients(ctx context.Context, rel string, pages int, fn func(patientID string) error) error {
	for range pages {
		var doc searchDoc
		if err := s.document(ctx, rel, &doc); err != nil {
			return err
		}
		if doc.ResourceType != "Bundle" {
			return errors.New("the search for patients was not answered by a Bundle")
		}
		for _, e := range doc.Entry {
			if e.Resource.ResourceType == "Patient" && seal.IsID(e.Resource.ID) && (e.Search.Mode == "match" || e.Search.Mode == "") {
				if err := fn(e.Resource.ID); err != nil {
					return err
				}
			}
		}
		rel = ""
		for _, l := range doc.Link {
			if l.Relation == "next" {
				var ok bool
				if rel, ok = s.below(l.URL); !ok {
					return errors.New("the search for patients goes on off the source's base")
				}
			}
		}
		if rel == "" {
			return nil
		}
	}
	return errors.New("the search for patients has too many pages")
}

// maxPatientPages bounds how long a source is asked for all of its patients.
const maxPatientPages = 50_000

// Patients calls fn with the id of every Patient that the source has now. It is for the
// organisation's own people: see gateway/custody.
func (s *Source) Patients(ctx context.Context, fn func(patientID string) error) error {
	if err := s.patients(ctx, "/Patient?_elements=id&_count=500", maxPatientPages, fn); err != nil {
		return problem.New(problem.UpstreamFail, "The source did not say which patients it has",
			"Try again, or give the ids yourself: an export of the source's patients, one a line").Because(err)
	}
	return nil
}

// document reads a document that the gateway needs for itself.
func (s *Source) document(ctx context.Context, rel string, into any) error {
	resp, err := s.get(ctx, rel)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the source answered %d", resp.StatusCode)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxGroup+1))
	if err != nil {
		return errors.New("the source's answer broke off")
	}
	if len(b) > maxGroup {
		return errors.New("the source's answer is too large")
	}
	if err := json.Unmarshal(b, into); err != nil {
		return errors.New("the source's answer is not the JSON that was asked for") // err would quote it
	}
	return nil
}

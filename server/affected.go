package server

import (
	"context"
	"crypto/sha256"

	"github.com/sallyport/sallyport/disclosure"
	"github.com/sallyport/sallyport/gateway/custody"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// affected is what custody needs in order to name the patients of an incident.
func (s *Server) affected() *custody.Affected {
	return &custody.Affected{Pseudonyms: s.pseudonyms, Patients: s.patientsOf, Log: s.record.log, Policy: sha256.Sum256([]byte(registry.ActPolicy())), Now: s.o.Now}
}

// pseudonyms gives those of one source under an approved list, after the radius was
// worked out again and is the one that was approved.
func (s *Server) pseudonyms(ctx context.Context, list *snapshot.PatientList, source id.Source, fn func(string) error) error {
	if list.Log != s.record.log.Origin() {
		return problem.New(problem.Conflict, "The radius is of another node's log: "+list.Log, "Ask the node that keeps that log, or count the radius again here")
	}
	q := disclosure.Query{Vendors: list.Vendors, Engagements: list.Engagements, Persons: list.Persons, Devices: list.Devices, Apps: list.Apps, Grants: list.Grants,
		Sources: list.Sources, Since: list.Since, Until: list.Until, Through: list.Through}
	radius, err := s.record.disclosures.Radius(ctx, q)
	if err != nil {
		return err
	}
	if radius.Digest != list.Radius || radius.Patients != list.Patients {
		return problem.New(problem.Conflict, "The radius that was approved is not what the log says about this question",
			"Ask for the radius again, and for a list with what it answers: sallyport disclosure radius --json")
	}
	q.Sources = []id.Source{source}
	return s.record.disclosures.Patients(ctx, q, fn)
}

// patientsOf asks a source for all its patients.
func (s *Server) patientsOf(ctx context.Context, source id.Source, fn func(string) error) error {
	for _, u := range s.upstreams {
		if u.ID() == source {
			return u.Patients(ctx, fn)
		}
	}
	return problem.BadField("source", "is not configured on this node", "List them: sources in the configuration")
}

package custody

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/seal"
	"github.com/sallyport/sallyport/snapshot"
)

// The patients of an incident, for the notices (45 CFR 164.404). The log names them by
// keyed pseudonyms, which nobody can turn back; but who holds the owner's key can make
// the pseudonym of each patient that the source has, or that an older list names, and
// keep those that are in the log. What is given is a release of its own: an intent
// before, an outcome with digest and pseudonyms before its first byte.

// Affected is what custody needs in order to name the patients of an incident.
type Affected struct {
	// Pseudonyms calls fn with each pseudonym of one source under an approved list. It is
	// an error if the list's radius is not what the log says.
	Pseudonyms func(ctx context.Context, list *snapshot.PatientList, source id.Source, fn func(pseudonym string) error) error
	// Patients calls fn with the id of every patient that a source has now.
	Patients func(ctx context.Context, source id.Source, fn func(patientID string) error) error
	Log      *audit.Log
	Policy   audit.Digest // of the rules of acts
	Now      func() time.Time
}

// AffectedRequest asks for the patients of a list of an incident, at one source.
type AffectedRequest struct {
	Incident id.Incident `json:"incident"`
	List     id.Act      `json:"list"`
	Source   id.Source   `json:"source"`
	// Patients are ids to compare with, such as those of a backup: they find who has left
	// the source since, or was merged into another record. Empty: all that the source has.
	Patients []string `json:"patients,omitempty"`
	Reason   string   `json:"reason"`
}

// The head of an answer says how many of the radius were found, and how many not, and
// under which decision the log has it.
const (
	headerFound    = "Sallyport-Patients"
	headerMissing  = "Sallyport-Not-Found"
	headerDecision = "Sallyport-Decision"
)

const (
	affectedTimeout = 30 * time.Minute
	perRelease      = 50_000 // patients of one outcome
)

// affected writes the list as CSV, or returns why not before anything was written.
func (c *custody) affected(w http.ResponseWriter, r *http.Request, who id.Person) error {
	a := c.Affected
	if a == nil || a.Pseudonyms == nil || a.Patients == nil || a.Log == nil || a.Now == nil {
		return problem.New(problem.Unsupported, "This node does not name the patients of an incident", "Ask the node whose log the radius is of")
	}
	var in AffectedRequest
	if err := read(r, &in, "incident, list, source, reason and, if you give candidates, patients"); err != nil {
		return err
	}
	if len(in.Patients) > MaxCohort {
		return problem.BadField("patients", "is too long", "Give at most a million at a time")
	}
	if len(in.Patients) > 0 {
		if err := checkPatients(in.Patients, in.Reason); err != nil {
			return err
		}
	}
	fields, err := json.Marshal(map[string]any{"incident": in.Incident, "list": in.List, "source": in.Source, "candidates": len(in.Patients) > 0})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), affectedTimeout)
	defer cancel()
	if err := c.Registry.May(ctx, who, ActList, fields, in.Reason); err != nil {
		return err
	}
	wanted, err := a.wanted(ctx, c.View(), in)
	if err != nil {
		return err
	}
	act, err := c.Registry.Do(ctx, who, ActList, fields, in.Reason)
	if err != nil {
		return err
	}
	view := c.View()
	decision := id.New[id.Decision](a.Now())
	ticket, err := a.Log.Intend(ctx, audit.Intent{Decision: decision, Person: who, Agent: audit.Human, Direction: audit.Out, Destination: string(who),
		Source: in.Source, Action: "reveal", Resource: "Patient", DataClass: hipaa.PHI, Policy: a.Policy, Snapshot: view.Version(), SnapshotIndex: view.LogIndex()})
	if err != nil {
		return err
	}
	found, err := c.find(ctx, in, wanted)
	if err != nil {
		return withheld(ctx, ticket, a.Now(), err)
	}
	c.Logger.InfoContext(ctx, "custody names the patients of an incident", "who", who, "act", act, "incident", in.Incident, "decision", decision, "patients", len(found), "not_found", len(wanted)-len(found))
	h := w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="affected.csv"`)
	h.Set(headerFound, strconv.Itoa(len(found)))
	h.Set(headerMissing, strconv.Itoa(len(wanted)-len(found)))
	h.Set(headerDecision, string(decision))
	return c.give(ctx, w, ticket, in.Source, found)
}

// wanted are the pseudonyms of one source under the list.
func (a *Affected) wanted(ctx context.Context, v *snapshot.View, in AffectedRequest) (map[seal.PatientKey]struct{}, error) {
	incident, ok := v.Incidents.Get(in.Incident)
	if !ok {
		return nil, problem.BadField("incident", "is not in the registry", "List them: sallyport incident list")
	}
	list := incident.PatientListOf(in.List)
	if list == nil {
		return nil, problem.BadField("list", "is none of the incident's lists", "See: sallyport incident get "+string(in.Incident))
	}
	wanted := map[seal.PatientKey]struct{}{}
	err := a.Pseudonyms(ctx, list, in.Source, func(pseudonym string) error {
		k, ok := seal.ParsePatientKey(pseudonym)
		if !ok {
			return problem.New(problem.Internal, "The log has a pseudonym that this product did not write", "Tell the operator: nobody can be found by it")
		}
		wanted[k] = struct{}{}
		return nil
	})
	return wanted, err
}

// find gives the ids whose pseudonyms are wanted, sorted.
func (c *custody) find(ctx context.Context, in AffectedRequest, wanted map[seal.PatientKey]struct{}) ([]string, error) {
	var found []string
	look := func(patientID string) error {
		if _, ok := wanted[c.Owner.PatientKey(in.Source, patientID)]; ok {
			found = append(found, patientID)
		}
		return nil
	}
	if len(in.Patients) == 0 {
		if err := c.Affected.Patients(ctx, in.Source, look); err != nil {
			return nil, err
		}
	}
	for _, p := range in.Patients {
		if err := look(p); err != nil {
			return nil, err
		}
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

// withheld records that nothing was given, and why is err.
func withheld(ctx context.Context, ticket *audit.Ticket, now time.Time, err error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	o := audit.Outcome{Release: id.New[id.Release](now), Result: audit.Withheld, Final: true, Status: problem.From(err).Kind.Status()}
	if _, failed := ticket.Complete(ctx, o); failed != nil {
		return failed
	}
	return err
}

// give writes the list, in parts of which each is in the log before its first byte.
// What fails after the first is cut off, so that nobody takes a part for the whole.
func (c *custody) give(ctx context.Context, w http.ResponseWriter, ticket *audit.Ticket, source id.Source, found []string) error {
	for at, written := 0, false; ; written = true {
		part := found[at:min(at+perRelease, len(found))]
		at += len(part)
		last := at == len(found)
		var b bytes.Buffer
		if !written {
			b.WriteString("source,patient_id\n")
		}
		o := audit.Outcome{Release: id.New[id.Release](c.Affected.Now()), Result: audit.Released, Final: last, Status: http.StatusOK, Upstream: http.StatusOK}
		for _, p := range part {
			fmt.Fprintf(&b, "%s,%s\n", source, p) // neither can hold a comma or a quote
			o.Patients = append(o.Patients, c.Owner.Patient(source, p))
		}
		if len(part) > 0 {
			o.Resources = []audit.TypeCount{{Type: "Patient", N: uint64(len(part))}}
		}
		o.Digest, o.Bytes = sha256.Sum256(b.Bytes()), uint64(b.Len())
		receipt, err := ticket.Complete(ctx, o)
		if err == nil && !receipt.Covers(o.Digest, o.Bytes) {
			err = problem.New(problem.Internal, "The log did not record what is to be given", "Tell the operator")
		}
		if err != nil && !written {
			return err
		}
		if err == nil {
			_, err = w.Write(b.Bytes())
		}
		switch {
		case err != nil:
			if !last { // the log says that it broke off; if that fails too, that no end came
				ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
				_, failed := ticket.Complete(ctx, audit.Outcome{Release: id.New[id.Release](c.Affected.Now()), Result: audit.Incomplete, Final: true, Status: http.StatusOK})
				cancel()
				err = errors.Join(err, failed)
			}
			c.Logger.ErrorContext(ctx, "a list of patients broke off", "err", problem.From(err).Title)
			panic(http.ErrAbortHandler)
		case last:
			return nil
		}
	}
}

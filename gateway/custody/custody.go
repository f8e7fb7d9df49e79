// Package custody is where the organisation's own people tell the gateway about
// patients: restrictions and opt-outs (45 CFR 164.522), and lists of patients
// that define cohorts. It is also where they ask whose a code is that a vendor
// was given (45 CFR 164.514(c)): no vendor can, and each answer is an act with a
// reason, in the log before it is given.
//
// It stands on the data path because it is told patients' ids, which nothing
// that governs may hold. The vault keeps them sealed; the registry's act and
// the audit log get the owner's keyed pseudonym, or a list's digest and size.
//
// The order fails closed: a hold is in the vault before its act is recorded,
// and the release of a hold is recorded before it leaves the vault. What broke
// off half-way is mended by asking again.
package custody

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"

	jsonv2 "github.com/go-json-experiment/json"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/phi"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/seal"
	"github.com/sallyport/sallyport/snapshot"
	"github.com/sallyport/sallyport/vault"
)

// The acts that custody does.
const (
	ActHold    = "patient.hold"
	ActRelease = "patient.release"
	ActCohort  = "cohort.define"
	ActReveal  = "code.reveal"
	ActList    = "patient.list-affected"
)

// Registry is what custody needs of the registry.
type Registry interface {
	// May says whether the person may do the act and whether it can be done,
	// its reason with it; nothing is changed. An error is a problem.
	May(ctx context.Context, who id.Person, kind string, fields json.RawMessage, reason string) error
	// Do does it. It is in the log when Do returns; after an error that is
	// Unavailable it may be.
	Do(ctx context.Context, who id.Person, kind string, fields json.RawMessage, reason string) (id.Act, error)
}

// Identity says which of the organisation's approved people asks.
type Identity interface {
	Person(r *http.Request, view *snapshot.View) (id.Person, error)
}

// Config is what custody stands on; all but Affected are required.
type Config struct {
	Registry Registry
	View     func() *snapshot.View
	Identity Identity
	Vault    *vault.Vault
	Owner    *seal.OwnerKey
	Logger   *slog.Logger
	// Affected is what it needs to name the patients of an incident; nil: it does not.
	Affected *Affected
}

// HoldRequest puts patients on hold, or ends it.
type HoldRequest struct {
	Source   id.Source  `json:"source"`
	Patients []string   `json:"patients"` // ids at the source, without "Patient/"
	Kind     vault.Kind `json:"kind"`     // restriction, opt-out
	Reason   string     `json:"reason"`
}

// CohortRequest defines a cohort by its patients. A cohort never changes: a
// new list is a new cohort under a new name.
type CohortRequest struct {
	Ref      vault.Ref `json:"ref"`
	Source   id.Source `json:"source"`
	Patients []string  `json:"patients"`
	Reason   string    `json:"reason"`
}

// RevealRequest asks for the ids behind codes that an engagement was given.
type RevealRequest struct {
	Engagement id.Engagement `json:"engagement"`
	Codes      []string      `json:"codes"`
	Reason     string        `json:"reason"`
}

// Answer says what was done. It names no patient, but where somebody asked whose
// a code is.
type Answer struct {
	Patients int `json:"patients"` // put on hold, released, or of the cohort
	// Unchanged counts those who were on hold already, or were on none.
	Unchanged int    `json:"unchanged,omitempty"`
	Digest    string `json:"digest_sha256,omitempty"` // of a cohort; grants name it
	Act       id.Act `json:"act,omitempty"`           // the last
	// IDs are those behind the codes of a RevealRequest, in its order: patient data.
	IDs []string `json:"ids,omitempty"`
}

const (
	// MaxPatients is how many patients one request may hold or release: each is
	// an act of its own, durable before the next.
	MaxPatients = 100
	// MaxCohort is how many patients a list may have.
	MaxCohort = 1_000_000
	maxBody   = 80 << 20 // a million ids of 64 characters
)

// pending is what a hold in the vault refers to until its act is recorded.
const pending = "custody-pending"

type custody struct {
	Config
	one sync.Mutex // keeps vault and log in the same order, patient by patient
}

// New answers POST on hold, release, cohort, reveal and affected, below prefix. Who is not one
// of the organisation's approved people gets a bare 401, wherever they ask.
func New(prefix string, config Config) (http.Handler, error) {
	if config.Registry == nil || config.View == nil || config.Identity == nil || config.Vault == nil || config.Owner == nil || config.Logger == nil {
		return nil, errors.New("custody: every part of the configuration is required")
	}
	c := &custody{Config: config}
	routes := map[string]func(context.Context, id.Person, *http.Request) (Answer, error){
		prefix + "/hold": c.hold, prefix + "/release": c.release, prefix + "/cohort": c.cohort, prefix + "/reveal": c.reveal,
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		who, err := c.Identity.Person(r, c.View())
		if err != nil {
			c.Logger.InfoContext(r.Context(), "unknown caller of custody", "err", err)
			identity.WriteUnknown(w)
			return
		}
		if r.URL.Path == prefix+"/affected" && r.Method == http.MethodPost {
			r.Body = http.MaxBytesReader(w, r.Body, maxBody)
			if err := c.affected(w, r, who); err != nil {
				c.refuse(w, r, who, err)
			}
			return
		}
		do, ok := routes[r.URL.Path]
		switch {
		case !ok:
			problem.NotThere("Custody has hold, release, cohort, reveal and affected: sallyport patient --help").Write(w)
			return
		case !problem.Takes(w, r, http.MethodPost):
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		out, err := do(r.Context(), who, r)
		if err != nil {
			c.refuse(w, r, who, err)
			return
		}
		c.Logger.InfoContext(r.Context(), "custody changed", "who", who, "act", out.Act, "patients", out.Patients, "unchanged", out.Unchanged)
		write(w, http.StatusOK, "application/json", out)
	}), nil
}

func (c *custody) refuse(w http.ResponseWriter, r *http.Request, who id.Person, err error) {
	p := problem.From(err)
	if p.Kind.Status() >= http.StatusInternalServerError {
		// Nothing below is given ids but the vault, which quotes none.
		c.Logger.ErrorContext(r.Context(), "custody failed", "who", who, "kind", string(p.Kind), "title", p.Title, "err", p.Unwrap())
	} else { // the title could quote what was sent
		c.Logger.WarnContext(r.Context(), "custody refused", "who", who, "kind", string(p.Kind), "field", p.Field)
	}
	p.Write(w)
}

func write(w http.ResponseWriter, status int, contentType string, v any) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client has gone: nothing to do
}

func read(r *http.Request, into any, members string) error {
	err := jsonv2.UnmarshalRead(r.Body, into, jsonv2.RejectUnknownMembers(true))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return problem.New(problem.TooLarge, "The list is too long", "Split it")
	case err != nil: // the cause is dropped: it can quote an id
		return problem.BadField("body", "cannot be read", "Send one JSON object with "+members)
	}
	return nil
}

func readHold(r *http.Request) (in HoldRequest, err error) {
	if err := read(r, &in, "source, patients, kind and reason"); err != nil {
		return in, err
	}
	if in.Kind != vault.Restriction && in.Kind != vault.OptOut {
		return in, problem.BadField("kind", "is not a kind of hold", "Write restriction or opt-out")
	}
	if len(in.Patients) > MaxPatients {
		return in, problem.BadField("patients", "is too long", fmt.Sprintf("Give at most %d at a time", MaxPatients))
	}
	return in, checkPatients(in.Patients, in.Reason)
}

// checkPatients wants ids, and a reason that names none of them: reasons are
// for people to read, and are shown where no patient may be.
func checkPatients(patients []string, reason string) error {
	if len(patients) == 0 {
		return problem.BadField("patients", "is empty", "Give at least one id")
	}
	words := map[string]bool{}
	for word := range strings.FieldsFuncSeq(reason, func(r rune) bool { return r > 0x7f || !seal.IsID(string(r)) && r != '.' }) {
		words[strings.TrimRight(word, ".")] = true
	}
	for i, p := range patients {
		if !seal.IsID(p) {
			return problem.BadField(fmt.Sprintf("patients[%d]", i), "is not a FHIR id", `Give bare ids, without "Patient/"`)
		}
		if words[strings.TrimRight(p, ".")] && len(p) >= shortestTelling {
			return problem.BadField("reason", "names one of the patients", "Say why without naming anybody")
		}
	}
	return nil
}

// shortestTelling is the length from which an id is not taken for a word or a
// number of a reason by accident.
const shortestTelling = 4

// act is the fields of the act about one patient.
func (c *custody) act(in HoldRequest, patient string) (json.RawMessage, error) {
	return json.Marshal(map[string]string{"source": string(in.Source), "hold": string(in.Kind), "patient": c.Owner.Patient(in.Source, patient)})
}

func (c *custody) hold(ctx context.Context, who id.Person, r *http.Request) (out Answer, err error) {
	in, err := readHold(r)
	if err != nil {
		return out, err
	}
	for _, p := range in.Patients {
		if err := c.holdOne(ctx, who, in, p, &out); err != nil {
			return out, err
		}
	}
	return out, nil
}

func (c *custody) holdOne(ctx context.Context, who id.Person, in HoldRequest, patient string, out *Answer) error {
	fields, err := c.act(in, patient)
	if err != nil {
		return err
	}
	c.one.Lock()
	defer c.one.Unlock()
	if err := c.Registry.May(ctx, who, ActHold, fields, in.Reason); err != nil {
		return err
	}
	switch ref, held, err := c.Vault.Ref(ctx, in.Source, patient, in.Kind); {
	case err != nil:
		return err
	case held && ref != pending:
		out.Unchanged++
		return nil
	}
	if err := c.Vault.SetHold(ctx, in.Source, patient, in.Kind, pending); err != nil {
		return err
	}
	act, err := c.Registry.Do(ctx, who, ActHold, fields, in.Reason)
	if err != nil {
		return err // the patient is held, and the next attempt records it
	}
	if err := c.Vault.SetHold(ctx, in.Source, patient, in.Kind, string(act)); err != nil {
		return err
	}
	out.Patients, out.Act = out.Patients+1, act
	return nil
}

func (c *custody) release(ctx context.Context, who id.Person, r *http.Request) (out Answer, err error) {
	in, err := readHold(r)
	if err != nil {
		return out, err
	}
	for _, p := range in.Patients {
		if err := c.releaseOne(ctx, who, in, p, &out); err != nil {
			return out, err
		}
	}
	return out, nil
}

func (c *custody) releaseOne(ctx context.Context, who id.Person, in HoldRequest, patient string, out *Answer) error {
	fields, err := c.act(in, patient)
	if err != nil {
		return err
	}
	c.one.Lock()
	defer c.one.Unlock()
	// Before the vault is asked: who may not do it does not learn who is held.
	if err := c.Registry.May(ctx, who, ActRelease, fields, in.Reason); err != nil {
		return err
	}
	switch _, held, err := c.Vault.Ref(ctx, in.Source, patient, in.Kind); {
	case err != nil:
		return err
	case !held:
		out.Unchanged++
		return nil
	}
	act, err := c.Registry.Do(ctx, who, ActRelease, fields, in.Reason)
	if err != nil {
		return err
	}
	if err := c.Vault.Release(ctx, in.Source, patient, in.Kind); err != nil {
		return err // the patient stays held, and the next attempt ends it
	}
	out.Patients, out.Act = out.Patients+1, act
	return nil
}

func (c *custody) cohort(ctx context.Context, who id.Person, r *http.Request) (out Answer, err error) {
	var in CohortRequest
	if err := read(r, &in, "ref, source, patients and reason"); err != nil {
		return out, err
	}
	if len(in.Patients) > MaxCohort {
		return out, problem.BadField("patients", "is too long", "Give at most a million, or use a FHIR Group")
	}
	if err := checkPatients(in.Patients, in.Reason); err != nil {
		return out, err
	}
	slices.Sort(in.Patients)
	in.Patients = slices.Compact(in.Patients)
	if _, found := slices.BinarySearch(in.Patients, string(in.Ref)); found {
		return out, problem.BadField("ref", "is one of the patients' ids", "Name the cohort by what it is for")
	}
	describe := func(digest string) (json.RawMessage, error) {
		return json.Marshal(map[string]any{"id": in.Ref, "source": in.Source, "digest_sha256": digest, "patients": len(in.Patients)})
	}
	fields, err := describe(strings.Repeat("0", 64)) // the digest is not known yet
	if err != nil {
		return out, err
	}
	if err := c.Registry.May(ctx, who, ActCohort, fields, in.Reason); err != nil {
		return out, err
	}
	members := make([]vault.Member, len(in.Patients))
	for i, p := range in.Patients {
		members[i] = vault.Member{Source: in.Source, ID: phi.New([]byte(p))}
	}
	// A list that no grant names has no effect, so it may come first.
	digest, err := c.Vault.PutCohort(ctx, in.Ref, members)
	if err != nil {
		return out, err
	}
	out.Digest = strings.TrimPrefix(digest, "sha256:") // as grants write it
	if fields, err = describe(out.Digest); err != nil {
		return out, err
	}
	if out.Act, err = c.Registry.Do(ctx, who, ActCohort, fields, in.Reason); err != nil {
		return out, err
	}
	out.Patients = len(in.Patients)
	return out, nil
}

func (c *custody) reveal(ctx context.Context, who id.Person, r *http.Request) (out Answer, err error) {
	var in RevealRequest
	if err := read(r, &in, "engagement, codes and reason"); err != nil {
		return out, err
	}
	if len(in.Codes) == 0 || len(in.Codes) > MaxPatients {
		return out, problem.BadField("codes", "is empty or too long", fmt.Sprintf("Give 1 to %d at a time", MaxPatients))
	}
	fields := make([]json.RawMessage, len(in.Codes))
	for i, code := range in.Codes {
		if fields[i], err = json.Marshal(map[string]any{"engagement": in.Engagement, "code": code}); err != nil {
			return out, err
		}
		// Before the vault is asked: who may not do it does not learn which codes exist.
		if err := c.Registry.May(ctx, who, ActReveal, fields[i], in.Reason); err != nil {
			return out, err
		}
	}
	ids := make([]string, len(in.Codes))
	for i, code := range in.Codes {
		resourceID, ok, err := c.Vault.Reveal(ctx, in.Engagement, code)
		if err != nil {
			return out, err
		}
		if !ok {
			return out, problem.BadField(fmt.Sprintf("codes[%d]", i), "is no code of this engagement", "Give the id as the vendor has it, and the engagement that it works in")
		}
		ids[i] = resourceID
	}
	for i := range in.Codes {
		if out.Act, err = c.Registry.Do(ctx, who, ActReveal, fields[i], in.Reason); err != nil {
			return Answer{}, err
		}
	}
	out.IDs, out.Patients = ids, len(ids)
	return out, nil
}

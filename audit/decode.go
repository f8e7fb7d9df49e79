package audit

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
)

// wire is every field that an entry can have.
type wire struct {
	V             int              `json:"v"`
	Time          string           `json:"time"`
	Kind          Kind             `json:"kind"`
	Origin        string           `json:"origin"`
	Decision      id.Decision      `json:"decision"`
	Vendor        id.Vendor        `json:"vendor"`
	Engagement    id.Engagement    `json:"engagement"`
	App           id.App           `json:"app"`
	Device        id.Device        `json:"device"`
	Person        id.Person        `json:"person"`
	Grant         id.Grant         `json:"grant"`
	Role          id.Role          `json:"role"`
	Agent         Agent            `json:"agent"`
	Direction     Direction        `json:"direction"`
	Destination   string           `json:"destination"`
	Source        id.Source        `json:"source"`
	Action        string           `json:"action"`
	Resource      string           `json:"resource"`
	Purpose       hipaa.Purpose    `json:"purpose"`
	Category      hipaa.Category   `json:"category"`
	LegalBasis    hipaa.LegalBasis `json:"legal_basis"`
	DataClass     hipaa.DataClass  `json:"data_class"`
	Profile       string           `json:"profile"`
	ProfileDigest hexDigest        `json:"profile_digest"`
	ScopeDigest   hexDigest        `json:"scope_digest"`
	Policy        hexDigest        `json:"policy"`
	Snapshot      uint64           `json:"snapshot"`
	SnapshotIndex uint64           `json:"snapshot_index"`
	Clauses       []string         `json:"clauses"`
	DerivesFrom   []id.Release     `json:"derives_from"`
	TLS           string           `json:"tls"`
	KeyExchange   string           `json:"key_exchange"`
	Certificate   hexDigest        `json:"certificate"`
	Binding       string           `json:"token_binding"`
	Sealing       string           `json:"sealing"`
	Region        string           `json:"region"`
	RegionBy      RegionBy         `json:"region_by"`
	Failing       []struct {
		Gate   string `json:"gate"`
		Reason string `json:"reason"`
	} `json:"failing"`
	Ticket       uint64      `json:"ticket"`
	Chunk        uint64      `json:"chunk"`
	Part         uint64      `json:"part"`
	Parts        uint64      `json:"parts"`
	Release      id.Release  `json:"release"`
	Result       Result      `json:"result"`
	Final        bool        `json:"final"`
	Status       int         `json:"status"`
	Upstream     int         `json:"upstream_status"`
	LegTLS       string      `json:"upstream_tls"`
	LegExchange  string      `json:"upstream_key_exchange"`
	LegCert      hexDigest   `json:"upstream_certificate"`
	Digest       hexDigest   `json:"digest"`
	Bytes        uint64      `json:"bytes"`
	Recipients   []hexDigest `json:"recipients"`
	ClearDigest  hexDigest   `json:"clear_digest"`
	ClearBytes   uint64      `json:"clear_bytes"`
	PatientCount uint64      `json:"patient_count"`
	Patients     []string    `json:"patients"`
	Resources    counts      `json:"resources"`
	Shown        shown       `json:"shown"`
	Removed      counts      `json:"removed"`
	Changed      counts      `json:"changed"`
	Act          id.Act      `json:"act"`
	ActKind      string      `json:"act_kind"`
	Actor        id.Person   `json:"actor"`
	Approver     id.Person   `json:"approver"`
	Subject      string      `json:"subject"`
	ID           string      `json:"id"`
	Registry     uint64      `json:"registry"`
	Replayed     uint64      `json:"replayed"`
	Cut          uint64      `json:"cut"`
}

type hexDigest Digest

func (d *hexDigest) UnmarshalText(b []byte) error {
	if hex.DecodedLen(len(b)) != len(d) {
		return errors.New("a digest has 64 hexadecimal digits")
	}
	_, err := hex.Decode(d[:], b)
	return err
}

// counts keeps the order of the object's names, which a map would lose.
type counts []TypeCount

func (c *counts) UnmarshalJSON(b []byte) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return errors.New("resources must be an object")
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return err
		}
		var n uint64
		if err := dec.Decode(&n); err != nil {
			return err
		}
		*c = append(*c, TypeCount{name.(string), n})
	}
	return nil
}

// shown keeps the order of the object's names.
type shown []TypeShown

func (s *shown) UnmarshalJSON(b []byte) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return errors.New("shown must be an object")
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return err
		}
		var bits string
		if err := dec.Decode(&bits); err != nil {
			return err
		}
		*s = append(*s, TypeShown{name.(string), bits})
	}
	return nil
}

func (c counts) removals() []Removal {
	var out []Removal
	for _, x := range c {
		out = append(out, Removal{Why: x.Type, N: x.N})
	}
	return out
}

// Decode reads an entry, strictly: only bytes that this package would write for
// the same entry are accepted, so what was read is all that was there.
func Decode(index uint64, b []byte) (Entry, error) {
	var w wire
	if w.fast(b) {
		if e, err := w.entry(index, b); err == nil {
			return e, nil
		}
	}
	return decodeJSON(index, b)
}

// decodeJSON reads an entry as any reader of JSON does, and says what is wrong with it.
func decodeJSON(index uint64, b []byte) (Entry, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	var w wire
	if err := dec.Decode(&w); err != nil {
		err = fmt.Errorf("not of the schema: %T", err) // its text may quote the entry
		return Entry{}, fmt.Errorf("audit: entry %d cannot be read: %w", index, err)
	}
	return w.entry(index, b)
}

// entry is what was read from b, which must be what is written for it.
func (w *wire) entry(index uint64, b []byte) (Entry, error) {
	bad := func(err error) (Entry, error) {
		return Entry{}, fmt.Errorf("audit: entry %d cannot be read: %w", index, err)
	}
	if w.V != SchemaVersion {
		return bad(fmt.Errorf("schema version %d is not known here", w.V))
	}
	t, err := time.Parse(timeLayout, w.Time)
	if err != nil {
		return bad(errors.New("its time is not RFC 3339 with nanoseconds in UTC"))
	}
	if !CheckOrigin(w.Origin) {
		return bad(errors.New("its origin is not a name"))
	}
	e := Entry{Index: index, Time: t, Kind: w.Kind, Origin: w.Origin}
	again := getEncoder()
	defer encoders.Put(again)
	switch w.Kind {
	case KindIntent:
		e.Intent = w.intent()
		again.intent(e.Origin, e.Intent)
	case KindRefusal:
		e.Refusal = &Refusal{Intent: *w.intent()}
		for _, f := range w.Failing {
			e.Refusal.Failing = append(e.Refusal.Failing, Failing{f.Gate, f.Reason})
		}
		again.refusal(e.Origin, e.Refusal)
	case KindOutcome:
		e.Outcome = &OutcomeRecord{
			Outcome: Outcome{Release: w.Release, Result: w.Result, Final: w.Final, Status: w.Status,
				Upstream: w.Upstream, Leg: Leg{w.LegTLS, w.LegExchange, Digest(w.LegCert)}, Digest: Digest(w.Digest), Bytes: w.Bytes, Sealed: w.sealed(),
				Patients: w.Patients, Resources: w.Resources, Shown: w.Shown, Removed: w.Removed.removals(), Changed: w.Changed.removals()},
			Decision: w.Decision, Ticket: w.Ticket, Chunk: w.Chunk, Parts: w.Parts, PatientCount: w.PatientCount,
		}
		again.outcome(e.Origin, e.Outcome)
	case KindPatients:
		e.Patients = &PatientsRecord{w.Decision, w.Ticket, w.Chunk, w.Part, w.Patients}
		again.patients(e.Origin, e.Patients)
	case KindAct:
		e.Act = &ActEntry{w.Act, w.ActKind, w.Actor, w.Approver, w.Subject, w.ID, Digest(w.Digest), w.Registry}
		again.act(e.Origin, e.Act)
	case KindRecovery:
		e.Recovery = &Recovery{w.Replayed, w.Cut}
		again.recovery(e.Origin, e.Recovery)
	default:
		return bad(errors.New("its kind is not known here"))
	}
	if again.err != nil {
		return bad(again.err)
	}
	stamp(again.b, t)
	if !bytes.Equal(again.b, b) {
		return bad(errors.New("it is not in the one form that the log writes"))
	}
	return e, nil
}

// sealed is how an outcome was sealed; nil if it was not.
func (w *wire) sealed() *Sealing {
	if w.Sealing == "" {
		return nil // fields that stand without it are found by encoding again
	}
	s := &Sealing{Mode: w.Sealing, Digest: Digest(w.ClearDigest), Bytes: w.ClearBytes}
	for _, d := range w.Recipients {
		s.Recipients = append(s.Recipients, Digest(d))
	}
	return s
}

func (w *wire) intent() *Intent {
	return &Intent{
		Decision: w.Decision, Vendor: w.Vendor, Engagement: w.Engagement, App: w.App, Device: w.Device,
		Person: w.Person, Grant: w.Grant, Role: w.Role, Agent: w.Agent, Direction: w.Direction,
		Destination: w.Destination, Source: w.Source, Action: w.Action, Resource: w.Resource,
		Purpose: w.Purpose, Category: w.Category, LegalBasis: w.LegalBasis, DataClass: w.DataClass, Profile: w.Profile, ProfileDigest: Digest(w.ProfileDigest), ScopeDigest: Digest(w.ScopeDigest),
		Policy: Digest(w.Policy), Snapshot: w.Snapshot, SnapshotIndex: w.SnapshotIndex,
		Clauses: w.Clauses, DerivesFrom: w.DerivesFrom,
		Transport: Transport{w.TLS, w.KeyExchange, Digest(w.Certificate), w.Binding, w.Sealing},
		Region:    w.Region, RegionBy: w.RegionBy,
	}
}

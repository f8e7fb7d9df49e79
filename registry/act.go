package registry

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	jsonv2 "github.com/go-json-experiment/json"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

// Act is one change of the registry: a closed set, the structs in the table
// Acts. Its two unexported methods are pure; Check, Apply and Do call them.
type Act interface {
	// Subject is what the act is about. Its id is empty where the registry
	// makes it.
	Subject() snapshot.Subject

	check(v *snapshot.View, by Actor, now time.Time) error
	apply(e *snapshot.Edit, s Stamp)
}

// Actor is who acts, as the caller has authenticated them: a person, a connector, a
// device, who holds a link, or the registry's own clock, exactly one. What they may
// do is looked up in the view, never taken from the caller.
type Actor struct {
	Person    id.Person
	Connector id.Connector
	Device    id.Device
	Link      id.Link
	// Clock is the product itself, when a time has come: it can only close what people
	// let lapse, and note what it sent.
	Clock bool
	// Session is the sign-in through which the person acts; empty: a client
	// certificate of their own.
	Session id.Session
}

// Programs act under names that no person can have: see notReserved.
const (
	connectorPrefix = "connector."
	devicePrefix    = "device."
	linkPrefix      = "link."
	clockPrefix     = "clock."
	clockName       = clockPrefix + id.Person("sallyport")
)

// Name is the actor as acts, records and the audit log write it: the person's id,
// "connector.ID", "device.ID", "link.ID" or "clock.sallyport". It is empty unless
// exactly one is set.
func (a Actor) Name() id.Person {
	var names []id.Person
	add := func(set bool, name id.Person) {
		if set {
			names = append(names, name)
		}
	}
	add(a.Person != "", a.Person)
	add(a.Connector != "", connectorPrefix+id.Person(a.Connector))
	add(a.Device != "", devicePrefix+id.Person(a.Device))
	add(a.Link != "", linkPrefix+id.Person(a.Link))
	add(a.Clock, clockName)
	if len(names) != 1 || a.Session != "" && a.Person == "" {
		return ""
	}
	return names[0]
}

// Stamp is what the registry adds to an act: its id, who and when.
type Stamp struct {
	ID id.Act
	By id.Person
	At time.Time // UTC, to the microsecond; never before the act before it
	// Session is the sign-in through which the person acted; empty: none.
	Session id.Session
}

// detaching is an act that brings a document along, which is looked at by the scanner,
// if there is one, and stored sealed and apart; detach gives no document where none came.
type detaching interface {
	Act
	detach() (Act, *Document)
	scannedBy() string
	withScan(by string) Act
}

// documented is an act that names documents by digest, which must be stored.
type documented interface{ documents() []string }

// Spec is one row of the table of acts: everything that route, command, audit
// kind and policy need to know about it.
type Spec struct {
	Name    Kind   // "agreement.sign": also the audit kind and the Cedar action
	Noun    string // "agreement": the command's first word
	Verb    string // "sign": its second
	Summary string
	// Path is the route, by POST. Where it holds {id}, that is the act's "id".
	Path   string
	Duties []Duty // any one of which the actor needs, unless it is admitted otherwise
	New    func() Act
	// Admits names who else may do it, besides the organisation's people who have
	// one of the duties.
	Admits []Admission
}

// Admission is a way in which somebody without a duty may do an act.
type Admission string

// The admissions. What an act is about is what its about method says.
const (
	Self         Admission = "self"          // the person that the act is about, a vendor's or the organisation's
	VendorPeople Admission = "vendor-people" // an approved person of the vendor that the act is about
	OwnDevice    Admission = "own-device"    // the device that the act is about, by its key
	Connectors   Admission = "connector"     // a connector of the vendor that the act is about
	LinkHolder   Admission = "link"          // who holds an open link about what the act is about
	Clock        Admission = "clock"         // the registry's own clock
	OwnPeople    Admission = "own-people"    // any approved person of the organisation
	Invited      Admission = "invited"       // the person that the act is about, not approved yet, by the code of their open invitation
)

// party is what an act is about, for its admissions: as far as it says, the
// person, the device, the vendor, and the kinds of connector that may do it.
type party struct {
	person     id.Person
	device     id.Device
	vendor     id.Vendor
	connectors []snapshot.ConnectorKind
	invitation string // the digest of the code that was shown
	// link is what a link must be about, and for, to do the act.
	link    snapshot.Subject
	linkFor snapshot.LinkPurpose
}

// admitting is an act that somebody without a duty may do.
type admitting interface {
	about(v *snapshot.View, by Actor) party
}

// StepUp reports whether a person who acts through a session must have touched a
// passkey just now: decisions, what opens, and what changes how somebody signs in.
func (s Spec) StepUp() bool {
	return slices.Contains(stepUpVerbs, s.Verb) || slices.Contains(stepUpActs, s.Name)
}

// stepUpActs open a gate by one person's word, though others of their verb only ask.
var stepUpActs = []Kind{
	"incident.approve-patients",
	"patient.list-affected",
	"assessment.record",
	"training.record",
	"training.import",
	"person.assign-training",
	"vendor.screen",
	"agreement.sign-here",
	"agreement.check-terms",
	"agreement.cured",
	"agreement.approve-renewal",
	"person.name-signatory",
	"incident.approve-assessment",
	"assessment.accept-risk",
	"assessment.meet-condition",
	// What these take back had stopped a vendor: a change of its profile, an incident, a
	// finding, an answer that failed (diligence.Stand).
	"vendor.profile",
	"incident.amend-facts",
	"finding.settle",
	"questionnaire.close",
}

var stepUpVerbs = []string{"approve", "approve-keys", "verify", "second-person", "amend-duties", "register-key", "link-login", "invite", "add-passkey", "resume", "lift", "reveal", "complete", "release", "accept", "lift-legal-hold",
	"request-destruction", "approve-destruction", "rotate-root", "backup-root"}

// Custody reports whether the act is done by the gateway's custody alone, which
// changes the vault with it. API and commands offer no route of their own for
// it.
func (s Spec) Custody() bool { return strings.HasPrefix(s.Path, custodyPath) }

// doorPath is below which acts have their path that a door of the server does by
// itself, after it has seen the proof: a sign-in, a signed report.
const doorPath = "/door/"

// Routed reports whether API and commands offer the act. What custody or a door
// does, nobody asks for by its fields.
func (s Spec) Routed() bool { return !s.Custody() && !strings.HasPrefix(s.Path, doorPath) }

// Kind is an act's name: noun.verb.
type Kind string

var index = sync.OnceValue(func() (m struct {
	byType map[reflect.Type]*Spec
	byName map[Kind]*Spec
}) {
	m.byType, m.byName = map[reflect.Type]*Spec{}, map[Kind]*Spec{}
	for i := range Acts {
		s := &Acts[i]
		m.byType[reflect.TypeOf(s.New()).Elem()] = s
		m.byName[s.Name] = s
	}
	return m
})

// SpecOf is the table's row for an act.
func SpecOf(a Act) (*Spec, bool) {
	t := reflect.TypeOf(a)
	if t == nil {
		return nil, false
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	s, ok := index().byType[t]
	return s, ok
}

// Lookup is the table's row for a name.
func Lookup(k Kind) (*Spec, bool) {
	s, ok := index().byName[k]
	return s, ok
}

// deref takes *T, as New makes it, to T, so that a switch over acts needs one
// case for each.
func deref(a Act) Act {
	if v := reflect.ValueOf(a); v.Kind() == reflect.Pointer && !v.IsNil() {
		if d, ok := v.Elem().Interface().(Act); ok {
			return d
		}
	}
	return a
}

// Decode reads an act of the kind from JSON: names that the act does not have,
// and names that stand there twice, are refused.
func Decode(k Kind, data []byte) (Act, error) {
	spec, ok := Lookup(k)
	if !ok {
		var names []string
		for i := range Acts {
			names = append(names, string(Acts[i].Name))
		}
		return nil, badField("kind", fmt.Sprintf("%q is not an act", string(k)), meant(string(k), names, "See the list: sallyport acts"))
	}
	a := spec.New()
	if len(bytes.TrimSpace(data)) == 0 {
		data = []byte("{}")
	}
	if err := jsonv2.Unmarshal(data, a, jsonv2.RejectUnknownMembers(true)); err != nil {
		return nil, decodeProblem(a, err)
	}
	return deref(a), nil
}

func decodeProblem(a Act, err error) error {
	var sem *jsonv2.SemanticError
	if errors.As(err, &sem) {
		field := strings.ReplaceAll(strings.TrimPrefix(string(sem.JSONPointer), "/"), "/", ".")
		if errors.Is(err, jsonv2.ErrUnknownName) {
			last := field[strings.LastIndexByte(field, '.')+1:]
			return problem.BadField(field, "is not known", meant(last, fieldNames(reflect.TypeOf(a)), "Leave it out")).Because(err)
		}
		want := "another type"
		if sem.GoType != nil {
			want = jsonWord(sem.GoType)
		}
		return problem.BadField(field, "is of the wrong type", "Write "+want).Because(err)
	}
	return problem.New(problem.Invalid, "The act cannot be read as JSON", "Send one JSON object without double names").Because(err)
}

func jsonWord(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return "a time such as 2026-01-31T00:00:00Z"
	case t == reflect.TypeFor[[]byte]():
		return "base64"
	}
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "a list"
	case reflect.Map, reflect.Struct, reflect.Pointer:
		return "an object"
	default:
		return "a number"
	}
}

// fieldNames are the JSON names of a struct, and of the structs below it.
func fieldNames(t reflect.Type) []string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t == reflect.TypeFor[time.Time]() {
		return nil
	}
	var out []string
	for i := range t.NumField() {
		f := t.Field(i)
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
			out = append(out, name)
		}
		out = append(out, fieldNames(f.Type)...)
	}
	return out
}

// Encode gives the act's canonical JSON (RFC 8785).
func Encode(a Act) ([]byte, error) {
	raw, err := json.Marshal(a)
	if err != nil {
		return nil, fmt.Errorf("encode act: %w", err)
	}
	return canonical(raw)
}

func canonical(raw []byte) ([]byte, error) {
	v := jsontext.Value(raw)
	if err := v.Canonicalize(); err != nil {
		return nil, fmt.Errorf("canonical JSON: %w", err)
	}
	return v, nil
}

func digestOf(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

func subject[T ~string](noun snapshot.Noun, key T) snapshot.Subject {
	return snapshot.Subject{Noun: noun, ID: string(key)}
}

func asked(s Stamp) snapshot.Approval {
	return snapshot.Approval{State: snapshot.Proposed, RequestedBy: s.By, RequestedAt: s.At}
}

func approved(a snapshot.Approval, s Stamp) snapshot.Approval {
	a.State, a.ApprovedBy, a.ApprovedAt = snapshot.Approved, s.By, s.At
	return a
}

// amendable wants a record that is approved, or that the actor proposed: what
// one person proposed, another may not rewrite and leave them to approve.
func amendable(what string, a snapshot.Approval, by Actor) error {
	switch {
	case a.State == snapshot.Approved, a.State == snapshot.Proposed && a.RequestedBy == by.Name():
		return nil
	case a.State == snapshot.Proposed:
		return conflict("", what+" waits for approval, and another person proposed it", "Have the proposer amend it, or approve it first")
	}
	return inState(what, a.State, snapshot.Approved)
}

// change puts a changed copy of a record that Check found.
func change[K ~string, V any, P interface {
	*V
	snapshot.Record
}](e *snapshot.Edit, t snapshot.Table[K, V], key K, f func(P)) {
	old, ok := t.Get(key)
	if !ok {
		return
	}
	next := *old
	f(&next)
	e.Put(P(&next))
}

package registry

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// Log is where acts are recorded for good.
//
// Append returns once the entry is durable, with its index. It is idempotent by
// act id, across restarts too: a second Append of an act returns the index of
// the first. After an error the entry may be durable or not; the caller appends
// it again.
type Log interface {
	Append(ctx context.Context, e audit.ActEntry) (index uint64, err error)
}

// Store is the durable form of the registry. It is safe for concurrent use, and
// by several processes on one database. Every method fails when the database
// does; none waits beyond its context.
type Store interface {
	// Head says where the sequence of acts stands.
	Head(ctx context.Context) (Head, error)
	// Load reads every record as it was after act seq. seq 0 is the empty
	// registry.
	Load(ctx context.Context, seq uint64) ([]snapshot.Record, error)
	// Since reads, in order, up to limit acts after seq that are in a log, with
	// the records they changed, up to the first that is not.
	Since(ctx context.Context, seq uint64, limit int) ([]Entry, error)
	// Told reads the same acts without the records, which are nearly all that there is
	// to read of most.
	Told(ctx context.Context, seq uint64, limit int) ([]Entry, error)
	// SeqAt is the last act done at or before t, or 0.
	SeqAt(ctx context.Context, t time.Time) (uint64, error)

	// Commit writes act e.Seq, its records, its document and its outbox row in
	// one transaction, or nothing. It fails with ErrBehind unless the sequence
	// stands at e.Seq-1. After another error the act may be committed or not;
	// ByID tells.
	Commit(ctx context.Context, e *Entry) error
	// ByID and ByKey find an act by its id, or by actor and idempotency key;
	// ok is false if there is none.
	ByID(ctx context.Context, act id.Act) (e Entry, ok bool, err error)
	ByKey(ctx context.Context, actor id.Person, key string) (e Entry, ok bool, err error)

	// Outbox reads, in order, the acts that are in no log yet, with the records
	// they changed.
	Outbox(ctx context.Context) ([]Entry, error)
	// Claim makes node the one that appends an act of the outbox, if owner still
	// is; it reports whether it did.
	Claim(ctx context.Context, seq uint64, owner, node string) (bool, error)
	// MarkLogged says that node's log has the act at index, and takes it out of
	// the outbox. It fails with ErrClaimed if the act is another node's by now.
	MarkLogged(ctx context.Context, seq uint64, node string, index uint64) error

	// Document reads a document by its digest; ok is false if there is none.
	Document(ctx context.Context, digest string) (d Document, ok bool, err error)
	// DocumentsOf counts the documents that are under an engagement's key.
	DocumentsOf(ctx context.Context, engagement id.Engagement) (int, error)
	// HasDocument says whether a document is stored, and under which engagement's
	// key; empty: the organisation's. Commit moves one that is under an engagement's
	// key to the organisation's when it is stored again without engagement, and
	// never the other way.
	HasDocument(ctx context.Context, digest string) (under id.Engagement, ok bool, err error)

	// Changes yields when another process may have done an act, until the
	// context ends. It is a hint: a store without such news returns nil.
	Changes(ctx context.Context) <-chan struct{}
}

// Errors of a Store.
var (
	ErrBehind  = errors.New("another act came first")
	ErrClaimed = errors.New("another node took the act over")
)

// Head is where the sequence of acts stands.
type Head struct {
	Seq      uint64    // the last act committed
	At       time.Time // when it was done
	Logged   uint64    // the last act such that it and all before it are in a log
	LogIndex uint64    // of act Logged
}

// Entry is an act as it was done: what the acts table holds.
type Entry struct {
	Seq         uint64 // the registry's version after it
	ID          id.Act
	Kind        Kind
	Subject     snapshot.Subject
	Actor       id.Person
	RequestedBy id.Person // who asked for what this act approves
	At          time.Time
	Reason      string          // sealed at rest, bound to ID and Digest
	Key         string          // idempotency key; "" for none
	Body        json.RawMessage // the act's canonical JSON
	Digest      string          // see digest
	Node        string          // who committed it, or took it over
	LogNode     string          // whose log has it; "" while it is in the outbox
	LogIndex    uint64

	Changed  []snapshot.Record
	Document *Document // only towards Commit
}

// Document is a stored paper.
type Document struct {
	Digest    string // SHA-256, hex
	MediaType string
	Content   []byte // sealed at rest
	// Engagement is under whose key; empty: the organisation's.
	Engagement id.Engagement
}

// digest is the SHA-256 of the canonical JSON of the act with who did it, when
// and why, and of the records as it left them. The audit entry carries it, so a
// row that was altered in the database is found: see check and Verify. The store
// seals the reason with the digest, so nobody without its key can make a row
// that opens.
func (e *Entry) digest() (string, error) {
	raw, err := e.Canonical()
	if err != nil {
		return "", err
	}
	return digestOf(raw), nil
}

// Canonical is what the audit entry's digest is of: who has it can check with any SHA-256
// what the act said, and then by a proof that the log has it.
func (e *Entry) Canonical() ([]byte, error) {
	changed := slices.SortedFunc(slices.Values(e.Changed), func(a, b snapshot.Record) int {
		return cmp.Or(cmp.Compare(a.Noun(), b.Noun()), cmp.Compare(a.Key(), b.Key()))
	})
	raw, err := json.Marshal(struct {
		Seq     uint64            `json:"seq"`
		ID      id.Act            `json:"id"`
		Kind    Kind              `json:"kind"`
		Actor   id.Person         `json:"actor"`
		At      time.Time         `json:"at"`
		Reason  string            `json:"reason"`
		Act     json.RawMessage   `json:"act"`
		Changed []snapshot.Record `json:"changed"`
	}{e.Seq, e.ID, e.Kind, e.Actor, e.At.UTC(), e.Reason, e.Body, changed})
	if err != nil {
		return nil, fmt.Errorf("digest of act: %w", err)
	}
	return canonical(raw)
}

// SetDigest gives an entry the digest that check asks for. Do sets it before it commits;
// others who do, such as a benchmark's database with more in it than acts made, say what
// they add to the record, and nothing is proved by it: the log has the digests that count.
func (e *Entry) SetDigest() error {
	digest, err := e.digest()
	e.Digest = digest
	return err
}

// check refuses an act whose row, or what it changed, is not as it was
// committed.
func (e *Entry) check() error {
	digest, err := e.digest()
	if err != nil {
		return err
	}
	if digest != e.Digest {
		return fmt.Errorf("act %d (%s) or what it changed was altered in the database: it does not have its digest", e.Seq, e.ID)
	}
	return nil
}

// auditEntry is what the log is told: words, ids and a digest, no free text.
func (e *Entry) auditEntry() (audit.ActEntry, error) {
	d, err := parseDigest(e.Digest)
	if err != nil {
		return audit.ActEntry{}, err
	}
	a := audit.ActEntry{Act: e.ID, Kind: string(e.Kind), Actor: e.Actor,
		Subject: string(e.Subject.Noun), ID: e.Subject.ID, Digest: d, Registry: e.Seq}
	if e.RequestedBy != "" {
		a.Actor, a.Approver = e.RequestedBy, e.Actor
	}
	return a, nil
}

// DecodeRecord reads a record of the noun from its JSON.
func DecodeRecord(noun snapshot.Noun, body []byte) (snapshot.Record, error) {
	r, ok := newRecord(noun)
	if !ok {
		return nil, fmt.Errorf("no noun %q", noun)
	}
	if err := json.Unmarshal(body, r); err != nil {
		return nil, fmt.Errorf("%s record: %w", noun, err)
	}
	return r, nil
}

func newRecord(noun snapshot.Noun) (snapshot.Record, bool) {
	switch noun {
	case snapshot.NounVendor:
		return new(snapshot.Vendor), true
	case snapshot.NounAssessment:
		return new(snapshot.Assessment), true
	case snapshot.NounCertification:
		return new(snapshot.Certification), true
	case snapshot.NounAgreement:
		return new(snapshot.Agreement), true
	case snapshot.NounEngagement:
		return new(snapshot.Engagement), true
	case snapshot.NounDetermination:
		return new(snapshot.Determination), true
	case snapshot.NounPerson:
		return new(snapshot.Person), true
	case snapshot.NounTraining:
		return new(snapshot.Training), true
	case snapshot.NounDevice:
		return new(snapshot.Device), true
	case snapshot.NounApp:
		return new(snapshot.App), true
	case snapshot.NounRole:
		return new(snapshot.Role), true
	case snapshot.NounGrant:
		return new(snapshot.Grant), true
	case snapshot.NounReview:
		return new(snapshot.Review), true
	case snapshot.NounHold:
		return new(snapshot.Hold), true
	case snapshot.NounConnector:
		return new(snapshot.Connector), true
	case snapshot.NounSession:
		return new(snapshot.Session), true
	case snapshot.NounKey:
		return new(snapshot.Key), true
	case snapshot.NounPosture:
		return new(snapshot.Posture), true
	case snapshot.NounAttestation:
		return new(snapshot.Attestation), true
	case snapshot.NounQuestionnaire:
		return new(snapshot.Questionnaire), true
	case snapshot.NounLink:
		return new(snapshot.Link), true
	case snapshot.NounFinding:
		return new(snapshot.Finding), true
	case snapshot.NounCourse:
		return new(snapshot.Course), true
	case snapshot.NounAttempt:
		return new(snapshot.Attempt), true
	case snapshot.NounRequest:
		return new(snapshot.Request), true
	case snapshot.NounCampaign:
		return new(snapshot.Campaign), true
	case snapshot.NounEmergency:
		return new(snapshot.Emergency), true
	case snapshot.NounIncident:
		return new(snapshot.Incident), true
	case snapshot.NounOffboarding:
		return new(snapshot.Offboarding), true
	}
	return nil, false
}

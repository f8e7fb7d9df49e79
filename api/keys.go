package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sallyport/sallyport/disclosure"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

// Keys is the key store, as far as a statement tells of it. It holds the keys
// themselves out of the API's reach.
type Keys interface {
	// Destruction says what became of an order; nil: the store knows of none.
	Destruction(engagement id.Engagement) (*StoredDestruction, error)
	// OldRoots lists the roots that no longer open the store, and what their
	// services say of them. It asks those services, within the context.
	OldRoots(ctx context.Context) []OldRoot
	// Codes counts the vault's rows that are under an engagement's keys.
	Codes(ctx context.Context, engagement id.Engagement) (int, error)
}

// StoredDestruction is what the key store did.
type StoredDestruction struct {
	DoneAt     time.Time      `json:"done_at,omitzero" doc:"When the keys and the key of the key store's older backups were gone; absent while something is pending"`
	Pending    []string       `json:"pending,omitempty" doc:"What is not done yet, and is tried again"`
	HadKeys    bool           `json:"had_keys" doc:"False: nothing was ever sealed or coded"`
	Generation int            `json:"generation,omitempty" doc:"Of the key store since: backups of an older generation cannot be read"`
	Media      string         `json:"media" doc:"What the disk may keep of an overwritten file"`
	Counted    map[string]int `json:"counted,omitempty" doc:"What was known to be sealed under the keys"`
}

// OldRoot is a root that was rotated away.
type OldRoot struct {
	Root        string    `json:"root" doc:"Its fingerprint"`
	Kind        string    `json:"kind"`
	RetiredAt   time.Time `json:"retired_at"`
	State       string    `json:"state" doc:"enabled, disabled, pending, destroyed, or unknown"`
	DestroyedAt time.Time `json:"destroyed_at,omitzero" doc:"When a pending destruction takes effect at its service"`
}

// KeyStatement says what was under an engagement's keys and what was not, and what
// became of them.
type KeyStatement struct {
	Engagement  id.Engagement            `json:"engagement"`
	Vendor      id.Vendor                `json:"vendor"`
	MadeAt      time.Time                `json:"made_at"`
	State       string                   `json:"state" doc:"kept, requested, pending or destroyed"`
	Requested   *snapshot.KeyDestruction `json:"requested,omitempty"`
	Act         *StatementAct            `json:"act,omitempty" doc:"The approval that made it an order"`
	Destruction *StoredDestruction       `json:"destruction,omitempty"`
	Under       []StatementLine          `json:"under"`
	NotUnder    []StatementLine          `json:"not_under"`
	Releases    StatementReleases        `json:"releases"`
	OldRoots    []OldRoot                `json:"old_roots,omitempty"`
}

// StatementAct is where the order stands in the record.
type StatementAct struct {
	Act      id.Act `json:"act"`
	Log      string `json:"log"`
	LogIndex uint64 `json:"log_index"`
	Digest   string `json:"digest" doc:"SHA-256 of the act, as the log has it"`
}

// StatementLine is one kind of thing.
type StatementLine struct {
	What  string `json:"what"`
	Count *int   `json:"count,omitempty"`
	Then  string `json:"then" doc:"What the destruction does to it, or what else ends it"`
}

// StatementReleases counts what left under the engagement, from this node's log.
type StatementReleases struct {
	Log      string    `json:"log" doc:"Other nodes have logs of their own"`
	Entries  uint64    `json:"entries" doc:"How many entries of the log were read"`
	Releases int       `json:"releases"`
	Bytes    uint64    `json:"bytes" doc:"As they left; sealed with their wrapping"`
	Sealed   int       `json:"sealed" doc:"Of them, sealed to a key of the vendor's device"`
	Patients int       `json:"patients" doc:"Distinct"`
	First    time.Time `json:"first,omitzero"`
	Last     time.Time `json:"last,omitzero"`
}

func (s *server) keys() {
	huma.Register(s.api, huma.Operation{OperationID: "key-statement", Method: http.MethodGet, Path: "/v1/keys/{id}/statement", Tags: []string{"keys"},
		Summary: "What was under an engagement's keys and what was not, and what became of them"},
		func(ctx context.Context, in *struct {
			ID string `path:"id" doc:"The engagement"`
		}) (*struct{ Body *KeyStatement }, error) {
			ctx, cancel := context.WithTimeout(ctx, readTimeout)
			defer cancel()
			out, err := s.statement(ctx, id.Engagement(in.ID))
			if err != nil {
				return nil, s.asProblem(ctx, err)
			}
			return &struct{ Body *KeyStatement }{out}, nil
		})
}

func (s *server) statement(ctx context.Context, engagement id.Engagement) (*KeyStatement, error) {
	v := s.Registry.View()
	e, ok := v.Engagements.Get(engagement)
	if !ok {
		return nil, problem.New(problem.NotFound, "There is no engagement with this id", "List them: sallyport engagement list")
	}
	out := &KeyStatement{Engagement: engagement, Vendor: e.Vendor, MadeAt: s.Now().UTC().Truncate(time.Second), State: "kept"}
	k, _ := v.Keys.Get(engagement)
	if k != nil && k.Destruction != nil {
		out.State, out.Requested = "requested", k.Destruction
	}
	var err error
	if out.Destruction, err = s.Keys.Destruction(engagement); err != nil {
		return nil, err
	}
	if k.Ordered() || out.Destruction != nil {
		out.State = "pending"
		if out.Destruction != nil && !out.Destruction.DoneAt.IsZero() {
			out.State = "destroyed"
		}
		if out.Act, err = s.orderOf(ctx, k); err != nil {
			return nil, err
		}
	}
	codes, err := s.Keys.Codes(ctx, engagement)
	if err != nil {
		return nil, err
	}
	documents, err := s.Registry.DocumentsOf(ctx, engagement)
	if err != nil {
		return nil, err
	}
	if out.Destruction != nil {
		codes = out.Destruction.Counted["vault_codes"]
	}
	if out.Releases, err = s.releases(ctx, engagement); err != nil {
		return nil, err
	}
	out.OldRoots = s.Keys.OldRoots(ctx)
	out.lines(codes, documents)
	return out, nil
}

// orderOf finds the order in the record: in the log of the node that did the act.
func (s *server) orderOf(ctx context.Context, k *snapshot.Key) (*StatementAct, error) {
	if !k.Ordered() {
		return nil, nil
	}
	e, err := s.Registry.Act(ctx, k.Destruction.Act)
	if err != nil {
		return nil, err
	}
	return &StatementAct{Act: e.ID, Log: e.LogNode, LogIndex: e.LogIndex, Digest: e.Digest}, nil
}

// releases counts what left under the engagement.
func (s *server) releases(ctx context.Context, engagement id.Engagement) (StatementReleases, error) {
	index, err := s.index()
	if err != nil {
		return StatementReleases{}, err
	}
	r, err := index.Radius(ctx, disclosure.Query{Engagements: []id.Engagement{engagement}})
	return StatementReleases{Log: s.Node, Entries: r.Query.Through, Releases: int(r.Releases), Bytes: r.Bytes, Sealed: int(r.Releases - r.Unsealed.Releases),
		Patients: int(r.Patients), First: r.First, Last: r.Last}, err
}

// lines says what was under the keys and what was not.
func (s *KeyStatement) lines(codes, documents int) {
	gone, kept := "cannot be turned back by anybody, from backups either", "can be turned back by the organisation's people, each time by an act"
	sealed, open := "cannot be read by anybody, from backups either", "can be read with the engagement's keys"
	code, rows := kept, open
	if s.State == "pending" || s.State == "destroyed" {
		code, rows = gone, sealed
	}
	if s.State == "pending" {
		code, rows = code+", once what is pending is done", rows+", once what is pending is done"
	}
	s.Under = []StatementLine{
		{What: "codes that stand for resource ids (64 symbols, 's' first), in releases and wherever the vendor keeps them", Then: code},
		{What: "the vault's rows of codes that come from a random source or stand for long ids", Count: &codes, Then: rows},
		{What: "the keys by which dates were shifted and found text was replaced", Then: code},
		{What: "documents that were stored for this engagement alone (document put engagement=...)", Count: &documents, Then: rows},
		{What: "links to the next page of a search", Then: "open for a quarter of an hour, and not at all once the keys are destroyed"},
	}
	s.NotUnder = []StatementLine{
		{What: "releases: what left for the vendor, in clear or sealed to the vendor's own key", Count: &s.Releases.Releases, Then: "is with the vendor; return or destruction is the vendor's to certify (45 CFR 164.504(e)(2)(ii)(J))"},
		{What: "copies that the vendor or its subcontractors made", Then: "are not known here; the same"},
		{What: "the data at the healthcare system", Then: "is untouched"},
		{What: "patients' pseudonyms in the audit log, under the owner's key", Count: &s.Releases.Patients, Then: "stay, for accounting of disclosures and breach notice (45 CFR 164.528, 164.404)"},
		{What: "agreements, determinations and the registry's records", Then: "stay, for six years (45 CFR 164.530(j))"},
		{What: "cohorts and holds in the vault, under the organisation's keys", Then: "stay; they belong to sources and not to an engagement"},
		{What: "copies of the key store's folder that were made in another way than by sallyport key backup-store", Then: "open under the root of their time, as long as that exists anywhere"},
	}
}

// Text is the statement for a reader.
func (s *KeyStatement) Text() string {
	var b strings.Builder
	line := func(format string, a ...any) { fmt.Fprintf(&b, format+"\n", a...) }
	line("STATEMENT ON THE KEYS OF ENGAGEMENT %s (vendor %s)", s.Engagement, s.Vendor)
	line("made %s", s.MadeAt.Format(time.RFC3339))
	line("")
	switch s.State {
	case "kept":
		line("The keys are kept. Nobody has asked that they be destroyed.")
	case "requested":
		line("The keys are kept. %s asked on %s that they be destroyed; %d of %d approvals are there.", s.Requested.RequestedBy,
			s.Requested.RequestedAt.Format(time.RFC3339), len(s.Requested.Approvals), snapshot.KeyApprovals)
	case "pending":
		line("The destruction of the keys is ordered and PENDING. No process uses them any more.")
	case "destroyed":
		line("The keys were destroyed on %s.", s.Destruction.DoneAt.Format(time.RFC3339))
	}
	if s.Requested != nil && s.State != "requested" {
		line("asked for by %s, %s", s.Requested.RequestedBy, s.Requested.RequestedAt.Format(time.RFC3339))
		for _, a := range s.Requested.Approvals {
			line("approved by %s, %s", a.By, a.At.Format(time.RFC3339))
		}
	}
	if s.Act != nil {
		line("act %s, entry %d of log %s, sha256 %s", s.Act.Act, s.Act.LogIndex, s.Act.Log, s.Act.Digest)
	}
	if d := s.Destruction; d != nil {
		for _, p := range d.Pending {
			line("pending: %s", p)
		}
		if !d.HadKeys {
			line("no keys had ever been made: nothing was sealed or coded")
		}
		if d.Generation > 0 {
			line("backups of the key store before generation %d cannot be read", d.Generation)
		}
		line("the disk: %s", d.Media)
	}
	part := func(title string, lines []StatementLine) {
		line("")
		line("%s", title)
		for _, l := range lines {
			count := ""
			if l.Count != nil {
				count = fmt.Sprintf(" (%d)", *l.Count)
			}
			line("- %s%s\n  %s", l.What, count, l.Then)
		}
	}
	part("UNDER THE KEYS", s.Under)
	part("NOT UNDER THE KEYS", s.NotUnder)
	line("")
	line("RELEASES UNDER THE ENGAGEMENT, by the %d entries of log %s", s.Releases.Entries, s.Releases.Log)
	line("%d releases, %d of them sealed to the vendor's key; %d bytes; %d patients", s.Releases.Releases, s.Releases.Sealed, s.Releases.Bytes, s.Releases.Patients)
	if !s.Releases.First.IsZero() {
		line("from %s to %s", s.Releases.First.Format(time.RFC3339), s.Releases.Last.Format(time.RFC3339))
	}
	if len(s.OldRoots) > 0 {
		line("")
		line("OLD ROOTS OF THE KEY STORE")
		for _, r := range s.OldRoots {
			until := ""
			if r.State == "pending" {
				until = ", destroyed at its service on " + r.DestroyedAt.Format(time.RFC3339)
			}
			line("- %s (%s), until %s: %s%s", r.Root, r.Kind, r.RetiredAt.Format(time.RFC3339), r.State, until)
		}
	}
	return b.String()
}

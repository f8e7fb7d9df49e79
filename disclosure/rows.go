package disclosure

import (
	"context"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/sheet"
)

// Kind is what a row stands for.
type Kind string

// The kinds.
const (
	Permitted  Kind = "permitted"  // an intent: the policy permitted a request
	Refused    Kind = "refused"    // the policy refused it
	Released   Kind = "released"   // bytes might leave
	Withheld   Kind = "withheld"   // prepared, and nothing left
	Incomplete Kind = "incomplete" // a stream that broke off here
)

var kindOf = map[Kind]kind{Permitted: kindIntent, Refused: kindRefusal, Released: kindReleased, Withheld: kindWithheld, Incomplete: kindIncomplete}

var nameOf = map[kind]Kind{kindIntent: Permitted, kindRefusal: Refused, kindReleased: Released, kindWithheld: Withheld, kindIncomplete: Incomplete}

// Row is one intent, refusal or outcome, with the facts of the request. It names its
// entry, of which the log gives a proof.
type Row struct {
	Index    uint64      `json:"log_index"`
	Time     time.Time   `json:"time"`
	Kind     Kind        `json:"kind"`
	Decision id.Decision `json:"decision"`
	Facts
	Snapshot uint64       `json:"registry,omitempty"` // the registry's version that was decided on; of Permitted and Refused
	Failing  []FailedGate `json:"failing,omitempty"`  // of Refused

	// Of outcomes.
	Release  id.Release `json:"release,omitempty"`
	Ticket   uint64     `json:"intent_index,omitempty"` // of its intent
	Chunk    uint64     `json:"chunk,omitempty"`
	Final    bool       `json:"final,omitempty"`
	Status   int        `json:"status,omitempty"`
	Digest   string     `json:"digest,omitempty"` // SHA-256 of what left; hex
	Bytes    uint64     `json:"bytes,omitempty"`
	Patients uint64     `json:"patients,omitempty"` // how many
	Types    []Count    `json:"types,omitempty"`
	Removed  []Count    `json:"removed,omitempty"`
	Changed  []Count    `json:"changed,omitempty"`
	Sealed   *Sealed    `json:"sealed,omitempty"` // nil: it was not
}

// Sealed is how a release was sealed.
type Sealed struct {
	Mode       string   `json:"mode"`
	Recipients []string `json:"recipients"` // SHA-256 of their keys
	Digest     string   `json:"clear_digest"`
	Bytes      uint64   `json:"clear_bytes"`
}

// FailedGate is a gate that refused.
type FailedGate struct {
	Gate   string `json:"gate"`
	Reason string `json:"reason"`
}

// Count is how much of something.
type Count struct {
	What string `json:"what"`
	N    uint64 `json:"n"`
}

// Rows calls fn for the rows of a query from the log index after on, in the order of
// the log, until fn fails; it returns that error. No kinds means all.
func (x *Index) Rows(ctx context.Context, q Query, after uint64, fn func(Row) error, want ...Kind) error {
	f, err := x.find(ctx, q)
	if err != nil {
		return err
	}
	return f.rows(ctx, after, fn, want...)
}

func (f *search) rows(ctx context.Context, after uint64, fn func(Row) error, want ...Kind) error {
	set, err := setOf(want)
	if err != nil {
		return err
	}
	for _, s := range f.segments {
		if !f.may(s, after) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		rows, hot, cold, err := s.load(true)
		if err != nil {
			return f.damaged(ctx, err)
		}
		var failed error
		f.each(s, rows, set, after, func(r row, index uint64) bool {
			var out Row
			if out, failed = f.row(r, index, hot, cold); failed != nil {
				failed = f.damaged(ctx, failed)
				return false
			}
			failed = fn(out)
			return failed == nil
		})
		if failed != nil {
			return failed
		}
	}
	return nil
}

// setOf is the set of kinds that are wanted; no kinds means all.
func setOf(want []Kind) (set kinds, err error) {
	if len(want) == 0 {
		return ^kinds(0), nil
	}
	for _, k := range want {
		n, ok := kindOf[k]
		if !ok {
			return 0, problem.BadField("kind", "is not a kind of row", "Write permitted, refused, released, withheld or incomplete")
		}
		set |= of(n)
	}
	return set, nil
}

// row spells a row out.
func (f *search) row(r row, index uint64, hot, cold []byte) (Row, error) {
	out := Row{Index: index, Time: time.Unix(0, r.time).UTC(), Kind: nameOf[r.kind]}
	if int(r.cold) > len(cold) || int(r.facts) >= len(f.tuples) || out.Kind == "" {
		return out, errDamaged
	}
	out.Facts = f.facts(r.facts)
	in := reader{b: cold[r.cold:]}
	word := func() string {
		n := in.uvarint()
		if n >= uint64(len(f.strings)) {
			in.bad = true
			return ""
		}
		return f.strings[n]
	}
	counts := func() (list []Count) {
		for range in.count() {
			c := Count{What: word()}
			c.N = in.uvarint()
			list = append(list, c)
		}
		return list
	}
	out.Decision = id.Decision(in.text())
	switch r.kind {
	case kindIntent, kindRefusal:
		out.Snapshot = in.uvarint()
		if r.kind == kindRefusal {
			for range in.count() {
				g := FailedGate{Gate: word()}
				g.Reason = word()
				out.Failing = append(out.Failing, g)
			}
		}
	default:
		var o release
		if err := o.read(r, hot, &f.words); err != nil {
			return out, err
		}
		out.Bytes, out.Patients, out.Final = o.bytes, uint64(len(o.patients)), r.flags&flagFinal != 0
		for _, c := range o.types {
			out.Types = append(out.Types, Count{f.strings[c.typ], c.n})
		}
		out.Release = id.Release(in.text())
		out.Ticket, out.Chunk, out.Status = in.uvarint(), in.uvarint(), int(in.uvarint())
		out.Digest = hexOf(audit.Digest(in.take(32)))
		if r.flags&flagSealed != 0 {
			out.Sealed = &Sealed{Mode: f.strings[o.mode], Digest: hex.EncodeToString(in.take(32)), Bytes: o.clear}
			for range in.count() {
				out.Sealed.Recipients = append(out.Sealed.Recipients, word())
			}
		}
		out.Removed, out.Changed = counts(), counts()
	}
	if in.bad {
		return out, errDamaged
	}
	return out, nil
}

// Page is a page of rows.
type Page struct {
	Log     string `json:"log"`
	Through uint64 `json:"through"` // the log's entries before this index were looked at
	Items   []Row  `json:"items"`
	// Next is the log index to go on from; 0: there are no more.
	Next uint64 `json:"next,omitempty"`
}

// List is a page of at most limit rows from the log index after on. For the pages that
// follow, ask with Through as the first page says it.
func (x *Index) List(ctx context.Context, q Query, after uint64, limit int, want ...Kind) (Page, error) {
	f, err := x.find(ctx, q)
	if err != nil {
		return Page{}, err
	}
	page := Page{Log: f.origin, Through: f.q.Through, Items: []Row{}}
	err = f.rows(ctx, after, func(r Row) error {
		if len(page.Items) == limit {
			page.Next = r.Index
			return errEnough
		}
		page.Items = append(page.Items, r)
		return nil
	}, want...)
	if err == errEnough {
		err = nil
	}
	return page, err
}

var errEnough = problem.New(problem.Internal, "enough", "") // never leaves the package

// Decisions calls fn for every permitted and refused request since a time.
func (x *Index) Decisions(ctx context.Context, since time.Time, fn func(Row) error) error {
	return x.Rows(ctx, Query{Since: since}, 0, fn, Permitted, Refused)
}

// Attempts are what was tried under a query after a time: each request, permitted or
// refused, the first of them at most limit, and how many there were.
func (x *Index) Attempts(ctx context.Context, q Query, after time.Time, limit int) (first []Row, n uint64, err error) {
	if after.After(q.Since) {
		q.Since = after.Add(time.Nanosecond)
	}
	err = x.Rows(ctx, q, 0, func(r Row) error {
		if n++; len(first) < limit {
			first = append(first, r)
		}
		return nil
	}, Permitted, Refused)
	return first, n, err
}

// Format is how an export is written.
type Format string

// The formats.
const (
	CSV   Format = "csv"
	Lines Format = "jsonl" // one JSON object a line
)

// Export writes the rows of a query with their log indexes, and no patient: counts only.
func (x *Index) Export(ctx context.Context, q Query, w io.Writer, format Format, want ...Kind) error {
	switch format {
	case Lines:
		enc := json.NewEncoder(w)
		return x.Rows(ctx, q, 0, func(r Row) error { return enc.Encode(r) }, want...)
	case CSV:
		c := csv.NewWriter(w)
		if err := c.Write(columns); err != nil {
			return err
		}
		if err := x.Rows(ctx, q, 0, func(r Row) error { return c.Write(sheet.Texts(r.record()...)) }, want...); err != nil {
			return err
		}
		c.Flush()
		return c.Error()
	}
	return problem.BadField("format", "is not known", "Write csv or jsonl")
}

var columns = []string{"log_index", "time", "kind", "decision", "release", "vendor", "engagement", "app", "device", "person", "grant", "role", "source",
	"action", "resource", "purpose", "data_class", "profile", "profile_digest", "scope_digest", "sealing", "status", "bytes", "patients", "digest", "types", "failing"}

func (r *Row) record() []string {
	n := func(v uint64) string { return strconv.FormatUint(v, 10) }
	sealing, types, failing := "", "", ""
	if kindOf[r.Kind] != kindIntent && kindOf[r.Kind] != kindRefusal {
		sealing = "none"
		if r.Sealed != nil {
			sealing = r.Sealed.Mode
		}
	}
	for i, t := range r.Types {
		if i > 0 {
			types += " "
		}
		types += t.What + "=" + n(t.N)
	}
	for i, g := range r.Failing {
		if i > 0 {
			failing += " "
		}
		failing += g.Gate + ":" + g.Reason
	}
	return []string{n(r.Index), r.Time.Format(time.RFC3339Nano), string(r.Kind), string(r.Decision), string(r.Release), string(r.Vendor), string(r.Engagement), string(r.App),
		string(r.Device), string(r.Person), string(r.Grant), string(r.Role), string(r.Source), r.Action, r.Resource, string(r.Purpose), string(r.DataClass), r.Profile,
		r.ProfileDigest, r.ScopeDigest, sealing, strconv.Itoa(r.Status), n(r.Bytes), n(r.Patients), r.Digest, types, failing}
}

// Kinds reads names of kinds.
func Kinds(names []string) ([]Kind, error) {
	var out []Kind
	for _, n := range names {
		if _, ok := kindOf[Kind(n)]; !ok {
			return nil, problem.BadField("kind", "is not a kind of row", "Write permitted, refused, released, withheld or incomplete")
		}
		if !slices.Contains(out, Kind(n)) {
			out = append(out, Kind(n))
		}
	}
	return out, nil
}

package audit

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
)

// ErrEntry is wrapped by every error about a value that an entry cannot hold.
// The value itself is never in the error: it may be what must not be logged.
var ErrEntry = errors.New("audit: entry refused")

const (
	head       = `{"v":1,"time":"`
	timeLayout = "2006-01-02T15:04:05.000000000Z"
	noTime     = `0000-00-00T00:00:00.000000000Z` // the log stamps it when it gives the index

	maxList     = 256     // clauses, sources of derivation
	maxFailing  = 128     // failing gates
	maxRemoved  = 64      // reasons for leaving something out, or rules for changing it
	maxShown    = 128     // hexadecimal digits of the elements that appeared: what audit/verify reads
	maxPatients = 100_000 // pseudonyms of one release: with the longest ones they fit into the queue
	partBytes   = 56 << 10
)

// encoder appends one entry as JSON. The first value that does not fit its form
// is kept as the error; what is appended after it does not matter.
type encoder struct {
	b   []byte
	err error
}

func (e *encoder) refuse(field, want string) {
	if e.err == nil {
		e.err = fmt.Errorf("%w: %s must be %s", ErrEntry, field, want)
	}
}

func (e *encoder) start(kind Kind, origin string) {
	e.b = append(e.b, head...)
	e.b = append(e.b, noTime...)
	e.b = append(e.b, `","kind":"`...)
	e.b = append(e.b, kind...)
	e.b = append(e.b, `","origin":"`...)
	e.b = append(e.b, origin...)
	e.b = append(e.b, '"')
}

func (e *encoder) key(k string) {
	e.b = append(e.b, ',', '"')
	e.b = append(e.b, k...)
	e.b = append(e.b, '"', ':')
}

// text appends a string that is known to need no escape.
func (e *encoder) text(k, v string) {
	e.key(k)
	e.b = append(e.b, '"')
	e.b = append(e.b, v...)
	e.b = append(e.b, '"')
}

func (e *encoder) num(k string, v uint64) {
	e.key(k)
	e.b = strconv.AppendUint(e.b, v, 10)
}

func (e *encoder) flag(k string, v bool) {
	e.key(k)
	e.b = strconv.AppendBool(e.b, v)
}

func (e *encoder) digest(k string, v *Digest) {
	if *v == (Digest{}) {
		return
	}
	e.key(k)
	e.b = append(e.b, '"')
	e.b = hex.AppendEncode(e.b, v[:])
	e.b = append(e.b, '"')
}

// opt appends v if it is not empty and has the form of an id.
func opt[T ~string](e *encoder, k string, v T) {
	if v != "" {
		must(e, k, v)
	}
}

func must[T ~string](e *encoder, k string, v T) {
	if id.Check(v) != nil {
		e.refuse(k, "an id: 1 to 64 letters, digits, '-', '.' or '_'")
		return
	}
	e.text(k, string(v))
}

// closed appends v if it is not empty and ok says that it is on its list.
func (e *encoder) closed(k, v string, ok bool) {
	if v == "" {
		return
	}
	if !ok {
		e.refuse(k, "a word of its closed list")
		return
	}
	e.text(k, v)
}

func isID[T ~string](v T) bool { return id.Check(v) == nil }

// clause reports whether v names a term, alone or with its agreement.
func clause(v string) bool {
	if agreement, term, ok := strings.Cut(v, "/"); ok {
		return isID(agreement) && isID(term)
	}
	return isID(v)
}

func list[T ~string](e *encoder, k string, vs []T, ok func(T) bool) {
	if len(vs) == 0 {
		return
	}
	if len(vs) > maxList {
		e.refuse(k, "at most "+strconv.Itoa(maxList)+" ids")
		return
	}
	e.key(k)
	sep := byte('[')
	for _, v := range vs {
		if !ok(v) {
			e.refuse(k, "a list of ids")
			return
		}
		e.b = append(e.b, sep, '"')
		e.b = append(e.b, v...)
		e.b = append(e.b, '"')
		sep = ','
	}
	e.b = append(e.b, ']')
}

func (e *encoder) pseudonyms(vs []string) {
	if len(vs) == 0 {
		return
	}
	e.key("patients")
	sep := byte('[')
	for _, v := range vs {
		if !pseudonym(v) {
			e.refuse("patients", "keyed pseudonyms: 20 to 128 letters, digits, '-' or '_'")
			return
		}
		e.b = append(e.b, sep, '"')
		e.b = append(e.b, v...)
		e.b = append(e.b, '"')
		sep = ','
	}
	e.b = append(e.b, ']')
}

func (e *encoder) status(k string, v int) {
	if v == 0 {
		return
	}
	if v < 100 || v > 599 {
		e.refuse(k, "an HTTP status")
		return
	}
	e.num(k, uint64(v))
}

func (e *encoder) end() {
	e.b = append(e.b, '}')
	if len(e.b) > MaxEntry && e.err == nil {
		e.err = fmt.Errorf("%w: it would have %d bytes, and %d is the most", ErrEntry, len(e.b), MaxEntry)
	}
}

// facts appends what intents and refusals have in common.
func (e *encoder) facts(in *Intent) {
	must(e, "decision", in.Decision)
	opt(e, "vendor", in.Vendor)
	opt(e, "engagement", in.Engagement)
	opt(e, "app", in.App)
	opt(e, "device", in.Device)
	opt(e, "person", in.Person)
	opt(e, "grant", in.Grant)
	opt(e, "role", in.Role)
	e.closed("agent", string(in.Agent), knownAgent(in.Agent))
	e.closed("direction", string(in.Direction), knownDirection(in.Direction))
	opt(e, "destination", in.Destination)
	opt(e, "source", in.Source)
	e.closed("action", in.Action, Action(in.Action))
	e.closed("resource", in.Resource, in.Resource == "" || Resource(in.Resource))
	e.closed("purpose", string(in.Purpose), slices.Contains(hipaa.Purposes, in.Purpose))
	e.closed("category", string(in.Category), slices.Contains(hipaa.Categories, in.Category))
	e.closed("legal_basis", string(in.LegalBasis), slices.Contains(hipaa.LegalBases, in.LegalBasis))
	e.closed("data_class", string(in.DataClass), slices.Contains(hipaa.DataClasses, in.DataClass))
	opt(e, "profile", in.Profile)
	e.digest("profile_digest", &in.ProfileDigest)
	e.digest("scope_digest", &in.ScopeDigest)
	e.digest("policy", &in.Policy)
	e.num("snapshot", in.Snapshot)
	e.num("snapshot_index", in.SnapshotIndex)
	list(e, "clauses", in.Clauses, clause)
	list(e, "derives_from", in.DerivesFrom, isID[id.Release])
	t := &in.Transport
	e.closed("tls", t.TLS, knownTLS(t.TLS))
	e.closed("key_exchange", t.KeyExchange, KeyExchange(t.KeyExchange))
	e.digest("certificate", &t.Certificate)
	e.closed("token_binding", t.Binding, knownBinding(t.Binding))
	e.closed("sealing", t.Sealing, knownSealing(t.Sealing))
	e.closed("region", in.Region, Region(in.Region))
	e.closed("region_by", string(in.RegionBy), knownRegionBy(in.RegionBy))
}

func (e *encoder) intent(origin string, in *Intent) {
	e.start(KindIntent, origin)
	e.facts(in)
	switch {
	case in.Agent == "":
		e.refuse("agent", "human, workload or agent")
	case in.Direction == "":
		e.refuse("direction", "out or in")
	case in.Action == "":
		e.refuse("action", "a word of its closed list")
	case in.Policy == Digest{}:
		e.refuse("policy", "the digest of the policies that decided")
	}
	e.end()
}

func (e *encoder) refusal(origin string, r *Refusal) {
	e.start(KindRefusal, origin)
	e.facts(&r.Intent)
	if n := len(r.Failing); n == 0 || n > maxFailing {
		e.refuse("failing", "1 to "+strconv.Itoa(maxFailing)+" gates")
		return
	}
	e.key("failing")
	sep := byte('[')
	for _, f := range r.Failing {
		if !word(f.Gate) || !word(f.Reason) {
			e.refuse("failing", "gate ids and reason codes")
			return
		}
		e.b = append(e.b, sep)
		e.b = append(e.b, `{"gate":"`...)
		e.b = append(e.b, f.Gate...)
		e.b = append(e.b, `","reason":"`...)
		e.b = append(e.b, f.Reason...)
		e.b = append(e.b, `"}`...)
		sep = ','
	}
	e.b = append(e.b, ']')
	e.end()
}

func (e *encoder) outcome(origin string, o *OutcomeRecord) {
	e.start(KindOutcome, origin)
	must(e, "decision", o.Decision)
	e.num("ticket", o.Ticket)
	e.num("chunk", o.Chunk)
	must(e, "release", o.Release)
	if !knownResult(o.Result) {
		e.refuse("result", "released, withheld or incomplete")
	}
	if o.Result == Released && o.Digest == (Digest{}) {
		e.refuse("digest", "the SHA-256 of what is released")
	}
	if o.Result == Withheld && o.Chunk != 0 {
		e.refuse("result", "incomplete, since a chunk of this ticket has left")
	}
	if o.Result != Released && !o.Final {
		e.refuse("final", "true when nothing is released, since the ticket ends there")
	}
	e.text("result", string(o.Result))
	e.flag("final", o.Final)
	e.status("status", o.Status)
	e.status("upstream_status", o.Upstream)
	e.closed("upstream_tls", o.Leg.TLS, knownLeg(o.Leg.TLS))
	e.closed("upstream_key_exchange", o.Leg.KeyExchange, KeyExchange(o.Leg.KeyExchange))
	e.digest("upstream_certificate", &o.Leg.Certificate)
	e.digest("digest", &o.Digest)
	e.num("bytes", o.Bytes)
	if s := o.Sealed; s != nil {
		e.sealing(o.Result, s)
	}
	e.num("patient_count", o.PatientCount)
	if o.Parts > 0 {
		e.num("parts", o.Parts)
	}
	e.pseudonyms(o.Patients)
	if len(o.Resources) > 0 {
		e.key("resources")
		sep := byte('{')
		for i, c := range o.Resources {
			if !Resource(c.Type) {
				e.refuse("resources", "counts of R4 resource types")
				return
			}
			for _, before := range o.Resources[:i] {
				if before.Type == c.Type {
					e.refuse("resources", "one count for each type")
					return
				}
			}
			e.b = append(e.b, sep, '"')
			e.b = append(e.b, c.Type...)
			e.b = append(e.b, '"', ':')
			e.b = strconv.AppendUint(e.b, c.N, 10)
			sep = ','
		}
		e.b = append(e.b, '}')
	}
	e.shown(o.Shown)
	e.tally("removed", o.Removed)
	e.tally("changed", o.Changed)
	e.end()
}

func (e *encoder) shown(list []TypeShown) {
	if len(list) == 0 {
		return
	}
	e.key("shown")
	sep := byte('{')
	for i, s := range list {
		if !Resource(s.Type) || slices.ContainsFunc(list[:i], func(x TypeShown) bool { return x.Type == s.Type }) {
			e.refuse("shown", "R4 resource types, each once")
			return
		}
		if !shownBits(s.Bits) {
			e.refuse("shown", "numbers of 1 to "+strconv.Itoa(maxShown)+" hexadecimal digits")
			return
		}
		e.b = append(e.b, sep, '"')
		e.b = append(e.b, s.Type...)
		e.b = append(e.b, `":"`...)
		e.b = append(e.b, s.Bits...)
		e.b = append(e.b, '"')
		sep = ','
	}
	e.b = append(e.b, '}')
}

// shownLen is about how long that gets: of all R4 types less than half of partBytes.
func shownLen(list []TypeShown) (n int) {
	for _, s := range list {
		n += len(s.Type) + len(s.Bits) + len(`"":"",`)
	}
	return n
}

// shownBits reports whether v is a hexadecimal number in its one form.
func shownBits(v string) bool {
	for i := range len(v) {
		if c := v[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return v != "" && len(v) <= maxShown && (v[0] != '0' || v == "0")
}

// maxRecipients bounds the keys that a release is sealed to.
const maxRecipients = 8

func (e *encoder) sealing(r Result, s *Sealing) {
	if r != Released || !seals(s.Mode) {
		e.refuse("sealing", "a way of sealing, of what is released")
		return
	}
	e.text("sealing", s.Mode)
	if n := len(s.Recipients); n == 0 || n > maxRecipients || slices.Contains(s.Recipients, Digest{}) {
		e.refuse("recipients", "digests of 1 to "+strconv.Itoa(maxRecipients)+" keys")
		return
	}
	if s.Digest == (Digest{}) {
		e.refuse("clear_digest", "the SHA-256 of what is inside")
		return
	}
	e.key("recipients")
	sep := byte('[')
	for _, d := range s.Recipients {
		e.b = append(e.b, sep, '"')
		e.b = hex.AppendEncode(e.b, d[:])
		e.b = append(e.b, '"')
		sep = ','
	}
	e.b = append(e.b, ']')
	e.digest("clear_digest", &s.Digest)
	e.num("clear_bytes", s.Bytes)
}

func (e *encoder) tally(name string, list []Removal) {
	if len(list) == 0 {
		return
	}
	if len(list) > maxRemoved {
		e.refuse(name, "at most "+strconv.Itoa(maxRemoved)+" reasons")
		return
	}
	e.key(name)
	sep := byte('{')
	for i, r := range list {
		if !word(r.Why) || slices.ContainsFunc(list[:i], func(x Removal) bool { return x.Why == r.Why }) {
			e.refuse(name, "one count for each reason")
			return
		}
		e.b = append(e.b, sep, '"')
		e.b = append(e.b, r.Why...)
		e.b = append(e.b, '"', ':')
		e.b = strconv.AppendUint(e.b, r.N, 10)
		sep = ','
	}
	e.b = append(e.b, '}')
}

func (e *encoder) patients(origin string, p *PatientsRecord) {
	e.start(KindPatients, origin)
	must(e, "decision", p.Decision)
	e.num("ticket", p.Ticket)
	e.num("chunk", p.Chunk)
	e.num("part", p.Part)
	if len(p.Patients) == 0 {
		e.refuse("patients", "at least one pseudonym")
	}
	e.pseudonyms(p.Patients)
	e.end()
}

func (e *encoder) act(origin string, a *ActEntry) {
	e.start(KindAct, origin)
	must(e, "act", a.Act)
	if !word(a.Kind) {
		e.refuse("act_kind", "a word")
	}
	e.text("act_kind", a.Kind)
	must(e, "actor", a.Actor)
	opt(e, "approver", a.Approver)
	if !word(a.Subject) {
		e.refuse("subject", "a word")
	}
	e.text("subject", a.Subject)
	must(e, "id", a.ID)
	if a.Digest == (Digest{}) {
		e.refuse("digest", "the SHA-256 of the act's canonical JSON")
	}
	e.digest("digest", &a.Digest)
	e.num("registry", a.Registry)
	e.end()
}

func (e *encoder) recovery(origin string, r *Recovery) {
	e.start(KindRecovery, origin)
	e.num("replayed", r.Replayed)
	e.num("cut", r.Cut)
	e.end()
}

// stamp writes the time into an entry that start began.
func stamp(entry []byte, t time.Time) {
	t.UTC().AppendFormat(entry[len(head):len(head)], timeLayout)
}

// split cuts pseudonyms into parts of at most so many bytes, which fit an entry each;
// the last part goes into the outcome itself.
func split(patients []string, most int) (parts [][]string) {
	size, from := 0, 0
	for i, p := range patients {
		size += len(p) + 3
		if size > most {
			parts = append(parts, patients[from:i])
			from, size = i, len(p)+3
		}
	}
	return append(parts, patients[from:])
}

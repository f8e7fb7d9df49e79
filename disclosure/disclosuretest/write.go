// Package disclosuretest writes large audit logs from a seed, and works out slowly,
// from the entries alone, what the index of disclosures must answer.
package disclosuretest

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
)

// Origin is the name of the logs that this package writes.
const Origin = "hospital.example/sallyport/bulk"

// Clock is the time of a log that is being written.
type Clock struct{ nanos atomic.Int64 }

// NewClock is a clock that stands at t.
func NewClock(t time.Time) *Clock {
	c := new(Clock)
	c.nanos.Store(t.UnixNano())
	return c
}

// Now is the time.
func (c *Clock) Now() time.Time { return time.Unix(0, c.nanos.Load()).UTC() }

// Advance moves it on.
func (c *Clock) Advance(d time.Duration) { c.nanos.Add(int64(d)) }

// Key is a log key made from fixed bytes.
func Key() (note.Signer, note.Verifier, error) {
	secret, public, err := note.GenerateKey(strings.NewReader(strings.Repeat("k", 64)), Origin)
	if err != nil {
		return nil, nil, err
	}
	s, err := note.NewSigner(secret)
	if err != nil {
		return nil, nil, err
	}
	v, err := note.NewVerifier(public)
	return s, v, err
}

// Unsynced is the log's file layer without waiting for the disk: for a bulk writer
// that begins anew after a power cut. Everything else is the real one.
func Unsynced(dir string) audit.FS { return unsynced{audit.DirFS(dir)} }

type unsynced struct{ audit.FS }

func (u unsynced) OpenFile(name string, flag int, perm fs.FileMode) (audit.File, error) {
	f, err := u.FS.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return unsyncedFile{f}, nil
}

func (unsynced) SyncDir(string) error { return nil }

type unsyncedFile struct{ audit.File }

func (unsyncedFile) Sync() error { return nil }

// Plan says what is written.
type Plan struct {
	Seed     uint64
	Entries  uint64 // about how many
	Patients int    // of the population
	Span     time.Duration
}

// The world of a log: three vendors, each with about a third of everything.
const (
	vendors     = 3
	engagements = 4 // of each vendor
	devices     = 5 // of each engagement
)

// Vendor and Engagement name what a log is about.
func Vendor(n int) id.Vendor            { return id.Vendor(fmt.Sprintf("vendor-%d", n)) }
func Engagement(v, n int) id.Engagement { return id.Engagement(fmt.Sprintf("vendor-%d-work-%d", v, n)) }

// Patient is the pseudonym of the n-th patient.
func Patient(n int) string {
	var k [16]byte
	binary.BigEndian.PutUint64(k[:], uint64(n)*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint64(k[8:], uint64(n))
	return base64.RawURLEncoding.EncodeToString(k[:])
}

// atOnce is how many decisions are under way together. The set of entries depends on
// the seed alone; the order of those that overlap does not.
const atOnce = 1024

// Write writes into a log whose clock is given.
func Write(ctx context.Context, log *audit.Log, clock *Clock, p Plan) error {
	r := rand.New(rand.NewPCG(p.Seed, 0x5a11))
	step := time.Duration(1)
	if p.Entries > 0 {
		step = max(1, p.Span/time.Duration(p.Entries/2+1))
	}
	slots := make(chan struct{}, atOnce)
	var group sync.WaitGroup
	var mu sync.Mutex
	var failed error
	fail := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		failed = errors.Join(failed, err)
	}
	broken := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return failed != nil
	}
	for n := uint64(0); n < p.Entries && !broken() && ctx.Err() == nil; {
		clock.Advance(step)
		in := request(r, n, clock.Now())
		slots <- struct{}{}
		if r.IntN(100) < 5 {
			n++
			gates := []audit.Failing{{Gate: "baa", Reason: "expired"}, {Gate: "training", Reason: "missing"}, {Gate: "cohort", Reason: "outside"}}
			refusal := audit.Refusal{Intent: in, Failing: gates[r.IntN(3):]}
			group.Go(func() {
				defer func() { <-slots }()
				if _, err := log.Refuse(ctx, refusal); err != nil {
					fail(err)
				}
			})
			continue
		}
		ticket, err := log.Begin(in).Ticket()
		if err != nil {
			fail(err)
			<-slots
			break
		}
		outcomes := answers(r, in, clock.Now(), p.Patients)
		n += 1 + uint64(len(outcomes))
		group.Go(func() {
			defer func() { <-slots }()
			for _, o := range outcomes {
				if _, err := ticket.Complete(ctx, o); err != nil {
					fail(err)
					return
				}
			}
		})
	}
	group.Wait()
	return errors.Join(failed, ctx.Err())
}

var (
	actions = []string{"read", "read", "read", "search-type", "search-type", "export", "next-page", "reveal"}
	types   = []string{"Patient", "Observation", "Condition", "Encounter", "MedicationRequest", "DocumentReference"}
)

// pick is the id of the n-th thing of a kind.
func pick(what string, n int) string { return fmt.Sprintf("%s-%d", what, n) }

// newID is an id as id.New makes it, out of the seed.
func newID(r *rand.Rand, n uint64) string {
	const digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	b := []byte("01")
	for i := range 12 {
		b = append(b, digits[n>>(5*(11-i))&31])
	}
	for range 12 {
		b = append(b, digits[r.IntN(32)])
	}
	return string(b)
}

func request(r *rand.Rand, n uint64, now time.Time) audit.Intent {
	v, e, d := r.IntN(vendors), r.IntN(engagements), r.IntN(devices)
	engagement := Engagement(v, e)
	class := hipaa.DataClasses[(v+e)%len(hipaa.DataClasses)]
	profile := map[hipaa.DataClass]string{hipaa.PHI: "minimum-necessary", hipaa.LimitedDataSet: "limited-data-set", hipaa.DeIdentified: "safe-harbor"}[class]
	version := byte(1 + now.Year()%4) // rules change from year to year
	return audit.Intent{
		Decision: id.Decision(newID(r, n)), Vendor: Vendor(v), Engagement: engagement,
		App: id.App(pick(string(engagement)+"-app", d%2)), Device: id.Device(pick(string(engagement)+"-device", d)),
		Person: id.Person(pick(string(Vendor(v))+"-person", r.IntN(6))), Grant: id.Grant(pick(string(engagement)+"-grant", d%2)),
		Role: id.Role(pick("role", e)), Agent: audit.Workload, Direction: audit.Out, Destination: string(Vendor(v)), Source: id.Source(pick("source", e%2)),
		Action: actions[r.IntN(len(actions))], Resource: types[r.IntN(len(types))],
		Purpose: hipaa.Evaluation, Category: hipaa.Operations, LegalBasis: hipaa.OperationsUnderBAA, DataClass: class, Profile: profile,
		ProfileDigest: audit.Digest{version, byte(len(profile))}, ScopeDigest: audit.Digest{version, byte(e), 9}, Policy: audit.Digest{7},
		Snapshot: n / 1000, SnapshotIndex: n / 1000, Clauses: []string{string(Vendor(v)) + "-baa/BAA-M01", string(Vendor(v)) + "-contract"},
		Transport: audit.Transport{TLS: "1.3", KeyExchange: "X25519MLKEM768", Certificate: audit.Digest{3}, Binding: "mtls", Sealing: "none"},
	}
}

// answers are the outcomes of a request. A few break off, a few are withheld, a few
// have more patients than fit into one entry, a few never come.
func answers(r *rand.Rand, in audit.Intent, now time.Time, population int) []audit.Outcome {
	chunks := 1
	switch p := r.IntN(1000); {
	case p < 2:
		return nil
	case p < 32:
		chunks = 2 + r.IntN(3)
	}
	var out []audit.Outcome
	for c := range chunks {
		o := audit.Outcome{Release: id.Release(newID(r, uint64(now.Unix()))), Result: audit.Released, Final: c == chunks-1, Status: 200, Upstream: 200}
		fill(r, &o, population, in.Resource)
		switch p := r.IntN(1000); {
		case p < 10 && c == 0:
			o.Result, o.Final = audit.Withheld, true
		case p < 100 && c > 0:
			o.Result, o.Final = audit.Incomplete, true
		case in.DataClass == hipaa.PHI && p%3 > 0:
			o.Sealed = &audit.Sealing{Mode: "age", Recipients: []audit.Digest{{byte(len(in.Device)), 1}}, Digest: o.Digest, Bytes: o.Bytes}
			o.Digest[31]++
			o.Bytes += 200
		}
		out = append(out, o)
		if o.Final {
			break
		}
	}
	return out
}

func fill(r *rand.Rand, o *audit.Outcome, population int, typ string) {
	binary.BigEndian.PutUint64(o.Digest[:], r.Uint64())
	o.Digest[8] = 1
	o.Bytes = 500 + uint64(r.IntN(20_000))
	n := 1 + r.IntN(3)
	switch r.IntN(10_000) {
	case 0:
		n = min(population, 2500+r.IntN(3000)) // in parts
	case 1, 2, 3:
		n = 0
	}
	if n > 3 {
		from := r.IntN(population - n + 1)
		for i := range n {
			o.Patients = append(o.Patients, Patient(from+i))
		}
	} else {
		for range n {
			// Some patients are seen far more often than others.
			o.Patients = append(o.Patients, Patient(int(float64(population)*r.Float64()*r.Float64())))
		}
	}
	o.Resources = []audit.TypeCount{{Type: typ, N: uint64(1 + r.IntN(50))}}
	if r.IntN(4) == 0 && typ != "Practitioner" {
		o.Resources = append(o.Resources, audit.TypeCount{Type: "Practitioner", N: 1})
	}
	if r.IntN(8) > 0 {
		for _, c := range o.Resources {
			o.Shown = append(o.Shown, audit.TypeShown{Type: c.Type, Bits: strconv.FormatUint(r.Uint64()&r.Uint64()&r.Uint64(), 16)})
		}
	}
	if r.IntN(5) == 0 {
		o.Removed = []audit.Removal{{Why: "patient-hold", N: 1}}
		o.Changed = []audit.Removal{{Why: "date-shift", N: uint64(r.IntN(9))}}
	}
}

package vault

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math/bits"
	"slices"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/phi"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/seal"
)

// Ref names a cohort. Who belongs to it never changes: a list that changes is a
// new cohort under a new name, and the registry's act says when it took over.
type Ref string

// Member is one patient of a cohort.
type Member struct {
	Source id.Source
	ID     phi.Data // the patient's id at the source
}

// Set is the patients of a cohort. It never changes. The zero value and nil are
// empty.
//
// It is a sorted array, 16 bytes a patient, and an index into it by leading
// bits: keys are keyed hashes, hence spread evenly, so that a look-up reads
// about one key.
type Set struct {
	keys   []seal.PatientKey
	starts []uint32 // starts[b] is the first key whose leading bits are b or more
	shift  int
	digest string
}

func newSet(keys []seal.PatientKey) *Set {
	slices.SortFunc(keys, func(a, b seal.PatientKey) int { return bytes.Compare(a[:], b[:]) })
	keys = slices.Clip(slices.Compact(keys))
	width := max(1, bits.Len(uint(len(keys)/2))) // one to four keys a bucket
	s := &Set{keys: keys, shift: 64 - width, starts: make([]uint32, 1<<width+1)}
	at := 0
	for b := range s.starts {
		for at < len(keys) && int(lead(keys[at])>>s.shift) < b {
			at++
		}
		s.starts[b] = uint32(at)
	}
	h := sha256.New()
	h.Write([]byte("sallyport/vault/cohort/1\n"))
	for i := range keys {
		h.Write(keys[i][:])
	}
	s.digest = "sha256:" + hex.EncodeToString(h.Sum(nil))
	return s
}

func lead(k seal.PatientKey) uint64 { return binary.BigEndian.Uint64(k[:]) }

// Has says whether the patient belongs to the cohort.
func (s *Set) Has(patient seal.PatientKey) bool {
	if s == nil || len(s.keys) == 0 {
		return false
	}
	b := lead(patient) >> s.shift
	for i := s.starts[b]; i < s.starts[b+1]; i++ {
		if s.keys[i] == patient {
			return true
		}
	}
	return false
}

// Len is how many patients belong to it.
func (s *Set) Len() int {
	if s == nil {
		return 0
	}
	return len(s.keys)
}

// Digest is the SHA-256 of the sorted keyed hashes of the members, as
// "sha256:" and hexadecimal digits. The registry keeps it, and a decision
// compares the two.
func (s *Set) Digest() string {
	if s == nil {
		return ""
	}
	return s.digest
}

// Cohort is the cohort of that name: one load of a pointer.
func (v *Vault) Cohort(ref Ref) (*Set, bool) {
	p := v.picture.Load()
	if p == nil {
		return nil, false
	}
	s, ok := p.cohorts[ref]
	return s, ok
}

// partKeys is how many keys are sealed together: 64 KiB.
const partKeys = 4096

// PutCohort stores a cohort and returns its digest for the registry. To store
// the same members again changes nothing; other members under a name that is
// taken are a Conflict.
func (v *Vault) PutCohort(ctx context.Context, ref Ref, members []Member) (digest string, err error) {
	if err := id.Check(ref); err != nil {
		return "", problem.BadField("cohort", err.Error(), "Give the cohort a name of that form")
	}
	keys := make([]seal.PatientKey, len(members))
	for i, m := range members {
		if err := id.Check(m.Source); err != nil {
			return "", problem.BadField(fmt.Sprintf("members[%d].source", i), err.Error(), "Give the id of a configured source")
		}
		patientID := string(m.ID.Open())
		if err := checkPatient(fmt.Sprintf("members[%d].id", i), patientID); err != nil {
			return "", err
		}
		keys[i] = v.keys.Owner().PatientKey(m.Source, patientID)
	}
	if len(keys) == 0 {
		return "", problem.BadField("members", "is empty", "Give at least one patient; a cohort of nobody releases nothing")
	}
	set := newSet(keys)
	index := v.cohortIndex(ref)
	err = v.change(ctx, func(ctx context.Context, tx *sql.Tx, _ *meta) (func(*picture), error) {
		sealed, err := readSealed(ctx, tx, "SELECT sealed FROM cohorts WHERE cohort = ?", index)
		if err == nil {
			return nil, v.sameCohort(index, sealed, set)
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return nil, unavailable(err)
		}
		if err := v.writeCohort(ctx, tx, ref, index, set); err != nil {
			return nil, err
		}
		return func(p *picture) {
			p.cohorts = maps.Clone(p.cohorts)
			p.cohorts[ref] = set
		}, nil
	})
	if err != nil {
		return "", err
	}
	return set.digest, nil
}

// sameCohort refuses another list under a name that is taken.
func (v *Vault) sameCohort(index, sealed []byte, set *Set) error {
	_, digest, _, err := v.openCohort(index, sealed)
	if err != nil {
		return err
	}
	if digest != set.digest {
		return problem.New(problem.Conflict, "there is a cohort of that name with other members",
			"Give the new list a new name. Who belongs to a cohort never changes")
	}
	return nil
}

func (v *Vault) writeCohort(ctx context.Context, tx *sql.Tx, ref Ref, index []byte, set *Set) error {
	head := binary.BigEndian.AppendUint32(nil, uint32(len(set.keys)))
	head = append(head, byte(len(ref)))
	head = append(append(head, ref...), make([]byte, id.MaxLen-len(ref))...)
	head = append(head, set.digest...)
	sealed, err := v.keys.Documents().Seal(head, cohortAAD(index, -1))
	if err != nil {
		return fmt.Errorf("seal cohort: %w", err)
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO cohorts (cohort, sealed) VALUES (?, ?)", index, sealed); err != nil {
		return unavailable(err)
	}
	part := 0
	for keys := range slices.Chunk(set.keys, partKeys) {
		plain := make([]byte, 0, 16*len(keys))
		for i := range keys {
			plain = append(plain, keys[i][:]...)
		}
		if sealed, err = v.keys.Documents().Seal(plain, cohortAAD(index, part)); err != nil {
			return fmt.Errorf("seal cohort: %w", err)
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO cohort_parts (cohort, part, sealed) VALUES (?, ?, ?)", index, part, sealed); err != nil {
			return unavailable(err)
		}
		part++
	}
	return nil
}

// readCohorts reads every cohort, and refuses one whose members are not those
// that were stored.
func (v *Vault) readCohorts(ctx context.Context, tx *sql.Tx) (map[Ref]*Set, error) {
	type head struct{ index, sealed []byte }
	var heads []head
	rows, err := tx.QueryContext(ctx, "SELECT cohort, sealed FROM cohorts")
	if err != nil {
		return nil, unavailable(err)
	}
	defer rows.Close()
	for rows.Next() {
		var h head
		if err := rows.Scan(&h.index, &h.sealed); err != nil {
			return nil, unavailable(err)
		}
		heads = append(heads, h)
	}
	if err := rows.Err(); err != nil {
		return nil, unavailable(err)
	}
	cohorts := make(map[Ref]*Set, len(heads))
	for _, h := range heads {
		ref, digest, n, err := v.openCohort(h.index, h.sealed)
		if err != nil {
			return nil, err
		}
		old, ok := v.Cohort(Ref(ref))
		if ok && old.digest == digest {
			cohorts[Ref(ref)] = old // members never change
			continue
		}
		keys, err := v.readParts(ctx, tx, h.index, n)
		if err != nil {
			return nil, err
		}
		set := newSet(keys)
		if set.digest != digest {
			return nil, errTampered("cohorts", errors.New("digest differs"))
		}
		cohorts[Ref(ref)] = set
	}
	return cohorts, nil
}

func (v *Vault) readParts(ctx context.Context, tx *sql.Tx, index []byte, n int) ([]seal.PatientKey, error) {
	rows, err := tx.QueryContext(ctx, "SELECT part, sealed FROM cohort_parts WHERE cohort = ? ORDER BY part", index)
	if err != nil {
		return nil, unavailable(err)
	}
	defer rows.Close()
	keys := make([]seal.PatientKey, 0, n)
	for rows.Next() {
		var part int
		var sealed []byte
		if err := rows.Scan(&part, &sealed); err != nil {
			return nil, unavailable(err)
		}
		plain, err := v.keys.Documents().Open(sealed, cohortAAD(index, part))
		if err != nil || len(plain)%16 != 0 {
			return nil, errTampered("cohorts", err)
		}
		for b := range slices.Chunk(plain, 16) {
			keys = append(keys, seal.PatientKey(b))
		}
	}
	if err := rows.Err(); err != nil {
		return nil, unavailable(err)
	}
	return keys, nil
}

// openCohort opens the row that says what a cohort is.
func (v *Vault) openCohort(index, sealed []byte) (ref, digest string, n int, err error) {
	head, err := v.keys.Documents().Open(sealed, cohortAAD(index, -1))
	if err != nil || len(head) < 5+id.MaxLen || int(head[4]) > id.MaxLen {
		return "", "", 0, errTampered("cohorts", err)
	}
	return string(head[5 : 5+head[4]]), string(head[5+id.MaxLen:]), int(binary.BigEndian.Uint32(head)), nil
}

func (v *Vault) cohortIndex(ref Ref) []byte {
	index := v.keys.Owner().Index("vault/cohort", []byte(ref))
	return index[:]
}

func cohortAAD(index []byte, part int) []byte {
	return binary.BigEndian.AppendUint64(append([]byte("vault/cohort/"), index...), uint64(part))
}

package vault

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"errors"
	"fmt"
	"maps"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/seal"
)

// Kind is why a patient's data is held back.
type Kind string

// The kinds of hold.
const (
	Restriction Kind = "restriction" // agreed with the patient: 45 CFR 164.522(a)
	OptOut      Kind = "opt-out"     // the patient does not take part
)

// kinds is a set of them.
type kinds byte

func (k Kind) bit() (kinds, error) {
	switch k {
	case Restriction:
		return 1, nil
	case OptOut:
		return 2, nil
	}
	return 0, problem.BadField("kind", "is not a kind of hold", `Give "restriction" or "opt-out"`)
}

// Holds is the patients on hold at one moment. It never changes. The zero value
// and nil hold everybody.
type Holds struct {
	patients map[seal.PatientKey]kinds
}

// Held says whether the patient is on hold, and the weightiest reason.
func (h *Holds) Held(patient seal.PatientKey) (Kind, bool) {
	if h == nil || h.patients == nil {
		return Restriction, true
	}
	switch k := h.patients[patient]; {
	case k&1 != 0:
		return Restriction, true
	case k != 0:
		return OptOut, true
	}
	return "", false
}

// Len is how many patients are on hold.
func (h *Holds) Len() int {
	if h == nil {
		return 0
	}
	return len(h.patients)
}

// Holds is the newest picture of the patients on hold: one load of a pointer.
func (v *Vault) Holds() *Holds {
	p := v.picture.Load()
	if p == nil {
		return nil
	}
	return p.holds
}

// Held says whether the patient of that source is on hold.
func (v *Vault) Held(source id.Source, patientID string) (Kind, bool) {
	return v.Holds().Held(v.keys.Owner().PatientKey(source, patientID))
}

// SetHold puts a patient on hold. ref names the act that ordered it, and holds
// no PHI. When it returns, the hold is durable and every decision from here on
// sees it. To set it again replaces ref.
func (v *Vault) SetHold(ctx context.Context, source id.Source, patientID string, kind Kind, ref string) error {
	bit, err := kind.bit()
	if err != nil {
		return err
	}
	if err := checkPatient("patient", patientID); err != nil {
		return err
	}
	if err := id.Check(source); err != nil {
		return problem.BadField("source", err.Error(), "Give the id of a configured source")
	}
	if err := id.Check(ref); err != nil {
		return problem.BadField("ref", err.Error(), "Give the id of the act that orders the hold")
	}
	patient := v.keys.Owner().PatientKey(source, patientID)
	index := v.holdIndex(kind, patient)
	return v.change(ctx, func(ctx context.Context, tx *sql.Tx, m *meta) (func(*picture), error) {
		sealed, err := v.keys.Documents().Seal(holdPlain(patient, bit, ref), holdAAD(index))
		if err != nil {
			return nil, fmt.Errorf("seal hold: %w", err)
		}
		old, err := readSealed(ctx, tx, "SELECT sealed FROM holds WHERE patient = ?", index)
		switch {
		case err == nil:
			v.count(m, index, old, -1)
		case !errors.Is(err, sql.ErrNoRows):
			return nil, unavailable(err)
		}
		v.count(m, index, sealed, 1)
		if _, err := tx.ExecContext(ctx, "INSERT INTO holds (patient, sealed) VALUES (?, ?) ON CONFLICT (patient) DO UPDATE SET sealed = excluded.sealed", index, sealed); err != nil {
			return nil, unavailable(err)
		}
		return func(p *picture) { p.holds = p.holds.with(patient, bit, 0) }, nil
	})
}

// Release ends a hold; there being none is no error.
func (v *Vault) Release(ctx context.Context, source id.Source, patientID string, kind Kind) error {
	bit, err := kind.bit()
	if err != nil {
		return err
	}
	patient := v.keys.Owner().PatientKey(source, patientID)
	index := v.holdIndex(kind, patient)
	return v.change(ctx, func(ctx context.Context, tx *sql.Tx, m *meta) (func(*picture), error) {
		old, err := readSealed(ctx, tx, "SELECT sealed FROM holds WHERE patient = ?", index)
		if errors.Is(err, sql.ErrNoRows) {
			return nil, nil
		}
		if err != nil {
			return nil, unavailable(err)
		}
		v.count(m, index, old, -1)
		if _, err := tx.ExecContext(ctx, "DELETE FROM holds WHERE patient = ?", index); err != nil {
			return nil, unavailable(err)
		}
		return func(p *picture) { p.holds = p.holds.with(patient, 0, bit) }, nil
	})
}

// Ref is the act that ordered a hold, for evidence.
func (v *Vault) Ref(ctx context.Context, source id.Source, patientID string, kind Kind) (ref string, ok bool, err error) {
	if _, err := kind.bit(); err != nil {
		return "", false, err
	}
	index := v.holdIndex(kind, v.keys.Owner().PatientKey(source, patientID))
	sealed, err := readSealed(ctx, v.db, "SELECT sealed FROM holds WHERE patient = ?", index)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	if err != nil {
		return "", false, unavailable(err)
	}
	plain, err := v.keys.Documents().Open(sealed, holdAAD(index))
	if err != nil || len(plain) != holdSize || plain[17] > id.MaxLen {
		return "", false, errTampered("patient holds", err)
	}
	return string(plain[18 : 18+plain[17]]), true, nil
}

// checkPatient refuses what no patient's id can be: a hold on "Patient/1" would
// be accepted and hold nobody. What was given is not quoted.
func checkPatient(field, patientID string) error {
	if seal.IsID(patientID) {
		return nil
	}
	return problem.BadField(field, fmt.Sprintf("is not a FHIR id: %d bytes", len(patientID)),
		"Give the id of the Patient resource at the source: 1 to 64 letters, digits, '-' and '.', without \"Patient/\"")
}

// with is a copy with kinds of one patient added and taken away.
func (h *Holds) with(patient seal.PatientKey, add, drop kinds) *Holds {
	next := &Holds{maps.Clone(h.patients)}
	if k := next.patients[patient]&^drop | add; k != 0 {
		next.patients[patient] = k
	} else {
		delete(next.patients, patient)
	}
	return next
}

// readHolds reads every hold, and refuses if one was taken out of the file.
func (v *Vault) readHolds(ctx context.Context, tx *sql.Tx, m *meta) (*Holds, error) {
	rows, err := tx.QueryContext(ctx, "SELECT patient, sealed FROM holds")
	if err != nil {
		return nil, unavailable(err)
	}
	defer rows.Close()
	h := &Holds{make(map[seal.PatientKey]kinds, m.holds)}
	var seen meta
	for rows.Next() {
		var index, sealed []byte
		if err := rows.Scan(&index, &sealed); err != nil {
			return nil, unavailable(err)
		}
		plain, err := v.keys.Documents().Open(sealed, holdAAD(index))
		if err != nil || len(plain) != holdSize {
			return nil, errTampered("patient holds", err)
		}
		h.patients[seal.PatientKey(plain)] |= kinds(plain[16])
		v.count(&seen, index, sealed, 1)
	}
	if err := rows.Err(); err != nil {
		return nil, unavailable(err)
	}
	if seen.holds != m.holds || subtle.ConstantTimeCompare(seen.tally[:], m.tally[:]) != 1 {
		return nil, errTampered("patient holds", fmt.Errorf("%d rows, %d expected", seen.holds, m.holds))
	}
	return h, nil
}

// holdIndex is the row's name: not the patient's pseudonym itself, which is in
// the audit log, so that file and log together say nothing more.
func (v *Vault) holdIndex(kind Kind, patient seal.PatientKey) []byte {
	index := v.keys.Owner().Index("vault/hold/"+string(kind), patient[:])
	return index[:]
}

const holdSize = 16 + 1 + 1 + id.MaxLen

func holdPlain(patient seal.PatientKey, bit kinds, ref string) []byte {
	b := make([]byte, holdSize)
	copy(b, patient[:])
	b[16] = byte(bit)
	b[17] = byte(copy(b[18:], ref))
	return b
}

func holdAAD(index []byte) []byte { return append([]byte("vault/hold/"), index...) }

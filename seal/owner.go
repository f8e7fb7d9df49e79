package seal

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash"
	"sync"

	"github.com/sallyport/sallyport/id"
)

// OwnerKey names patients in the organisation's own records: the audit log, the
// vault, the count of distinct patients. Who has the log and not the key can
// count patients and cannot name one, nor try out names.
type OwnerKey struct {
	silent
	pool sync.Pool
}

// PatientKey is the pseudonym of one patient of one source: HMAC-SHA256 under
// the owner's key, cut to 128 bits. It serves as a map key.
type PatientKey [16]byte

// patientKeyLen is the length of a PatientKey as text.
const patientKeyLen = 22

// ownerScratch is what one call works on, in the heap because a hash is an
// interface.
type ownerScratch struct {
	mac  hash.Hash
	body []byte
	sum  [sha256.Size]byte
}

func newOwnerKey(key []byte) *OwnerKey {
	return &OwnerKey{pool: sync.Pool{New: func() any {
		return &ownerScratch{mac: hmac.New(sha256.New, key), body: make([]byte, 0, 192)}
	}}}
}

// Patient is the pseudonym of a patient as an audit entry carries it: 22
// characters of base64url.
func (k *OwnerKey) Patient(source id.Source, patientID string) string {
	return k.PatientKey(source, patientID).String()
}

// PatientKey is the same pseudonym as a value.
func (k *OwnerKey) PatientKey(source id.Source, patientID string) PatientKey {
	return k.sum('p', string(source), patientID)
}

// Index gives 128 keyed bits for value, by which something sealed is found
// again; see EngagementKey.Index.
func (k *OwnerKey) Index(label string, value []byte) [16]byte {
	return k.sum('i', label, string(value))
}

// sum is HMAC-SHA256 of what, the length of a, a and b: no two inputs are
// spelt alike.
func (k *OwnerKey) sum(what byte, a, b string) (out [16]byte) {
	w := k.pool.Get().(*ownerScratch)
	w.body = append(w.body[:0], what)
	w.body = binary.AppendUvarint(w.body, uint64(len(a)))
	w.body = append(w.body, a...)
	w.body = append(w.body, b...)
	w.mac.Reset()
	w.mac.Write(w.body)
	w.mac.Sum(w.sum[:0])
	copy(out[:], w.sum[:])
	clear(w.body)
	k.pool.Put(w)
	return out
}

// String is the key as text, as it stands in the audit log.
func (k PatientKey) String() string {
	var text [patientKeyLen]byte
	base64.RawURLEncoding.Encode(text[:], k[:])
	return string(text[:])
}

// ParsePatientKey reads what String writes.
func ParsePatientKey(text string) (k PatientKey, ok bool) {
	if len(text) != patientKeyLen {
		return k, false
	}
	n, err := base64.RawURLEncoding.Strict().Decode(k[:], []byte(text))
	if err != nil || n != len(k) {
		return PatientKey{}, false
	}
	return k, true
}

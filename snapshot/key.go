package snapshot

import (
	"time"

	"github.com/sallyport/sallyport/id"
)

// Key is what was ordered for the keys of an engagement. The keys themselves are
// in the key store, which carries the orders out; counts rather than steps, so
// that each is carried out once.
type Key struct {
	Engagement    id.Engagement `json:"id"`
	Rotations     int           `json:"rotations,omitempty"`      // new keys for sealing; nothing changes for the vendor
	CodeRotations int           `json:"code_rotations,omitempty"` // codes begun anew
	RotatedAt     time.Time     `json:"rotated_at,omitzero"`
	// Destruction is there once somebody asked for it.
	Destruction *KeyDestruction `json:"destruction,omitempty"`
}

// KeyDestruction is a request to destroy an engagement's keys, and how far it is.
type KeyDestruction struct {
	RequestedBy id.Person     `json:"requested_by"`
	RequestedAt time.Time     `json:"requested_at"`
	Approvals   []KeyApproval `json:"approvals,omitempty"`
	// OrderedAt is when the last approval made it an order, and Act that approval.
	OrderedAt time.Time `json:"ordered_at,omitzero"`
	Act       id.Act    `json:"act,omitempty"`
}

// KeyApproval is one person's.
type KeyApproval struct {
	By id.Person `json:"by"`
	At time.Time `json:"at"`
}

// KeyApprovals is how many people must approve the destruction of a key, none of
// whom asked for it (policy).
const KeyApprovals = 2

// Ordered reports whether the keys are to be destroyed, or were.
func (k *Key) Ordered() bool {
	return k != nil && k.Destruction != nil && !k.Destruction.OrderedAt.IsZero()
}

// Noun implements Record.
func (*Key) Noun() Noun { return NounKey }

// Key implements Record.
func (k *Key) Key() string { return string(k.Engagement) }

func (*Key) record() {}

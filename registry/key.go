package registry

import (
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// The keys of engagements are in the key store, apart from the registry and its
// backups. Acts order what becomes of them; each node carries out what its view
// says. The root is replaced and split on the machine that holds it: those acts
// say that it is about to be done, and change no record.

// RotateKey gives an engagement new keys for what is sealed from here on; what was
// sealed before opens as before. Codes are begun anew only if that is asked for:
// then each patient gets another code, and the vendor cannot join what it has with
// what comes. Codes that were given out stay reversible.
type RotateKey struct {
	ID    id.Engagement `json:"id"`
	Codes bool          `json:"codes,omitempty"`
}

// Subject implements Act.
func (a RotateKey) Subject() snapshot.Subject { return subject(snapshot.NounKey, a.ID) }

// maxRotations is what package seal can keep in one file.
const maxRotations = 1000

func (a RotateKey) check(v *snapshot.View, _ Actor, _ time.Time) error {
	if err := found("id", v.Engagements, a.ID); err != nil {
		return err
	}
	k, _ := v.Keys.Get(a.ID)
	if k.Ordered() {
		return errKeyDestroyed(a.ID)
	}
	if k != nil && (k.Rotations >= maxRotations || k.CodeRotations >= maxRotations) {
		return conflict("id", "The keys were rotated as often as can be", "Begin a new engagement")
	}
	return nil
}

func (a RotateKey) apply(e *snapshot.Edit, s Stamp) {
	changeKey(e, a.ID, func(k *snapshot.Key) {
		k.Rotations++
		if a.Codes {
			k.CodeRotations++
		}
		k.RotatedAt = s.At
	})
}

// changeKey puts a changed copy of an engagement's record, or its first one.
func changeKey(e *snapshot.Edit, engagement id.Engagement, f func(*snapshot.Key)) {
	next := snapshot.Key{Engagement: engagement}
	if old, ok := e.View().Keys.Get(engagement); ok {
		next = *old
	}
	f(&next)
	e.Put(&next)
}

func errKeyDestroyed(engagement id.Engagement) error {
	return conflict("id", fmt.Sprintf("The keys of engagement %q are destroyed", engagement), "Nothing can bring them back; see sallyport key statement "+string(engagement))
}

// RequestKeyDestruction asks that an engagement's keys are destroyed: its codes
// can then never be turned back, and what is sealed under the keys never read,
// from backups either (45 CFR 164.504(e)(2)(ii)(J)). It takes effect when two
// others have approved it. The engagement must be over.
type RequestKeyDestruction struct {
	ID id.Engagement `json:"id"`
}

// Subject implements Act.
func (a RequestKeyDestruction) Subject() snapshot.Subject { return subject(snapshot.NounKey, a.ID) }

func (a RequestKeyDestruction) check(v *snapshot.View, _ Actor, _ time.Time) error {
	if err := destroyable(v, a.ID); err != nil {
		return err
	}
	if k, ok := v.Keys.Get(a.ID); ok && k.Destruction != nil {
		return conflict("id", "The destruction is asked for already", "Approve it: sallyport key approve-destruction "+string(a.ID))
	}
	return nil
}

// destroyable wants an engagement that is over, whose records nobody must keep.
func destroyable(v *snapshot.View, engagement id.Engagement) error {
	g, ok := v.Engagements.Get(engagement)
	if !ok {
		return found("id", v.Engagements, engagement)
	}
	if k, _ := v.Keys.Get(engagement); k.Ordered() {
		return errKeyDestroyed(engagement)
	}
	if g.State != snapshot.Ended {
		return conflict("id", fmt.Sprintf("Engagement %q is not over", engagement), "End it first: sallyport engagement end "+string(engagement))
	}
	for _, on := range []snapshot.Subject{{Noun: snapshot.NounEngagement, ID: string(engagement)}, {Noun: snapshot.NounVendor, ID: string(g.Vendor)}} {
		for _, h := range v.HoldsOn(on) {
			if h.LiftedAt.IsZero() && h.Cause == snapshot.HoldLegal {
				return conflict("id", fmt.Sprintf("Hold %q says that records must be kept", h.ID), "Wait until the legal hold is lifted: sallyport hold lift")
			}
		}
	}
	if o, ok := legalHold(v, engagement); ok {
		return conflict("id", fmt.Sprintf("Offboarding %q is under a legal hold", o.ID), "Wait until it is lifted: sallyport offboarding lift-legal-hold "+string(o.ID))
	}
	return nil
}

func (a RequestKeyDestruction) apply(e *snapshot.Edit, s Stamp) {
	changeKey(e, a.ID, func(k *snapshot.Key) {
		k.Destruction = &snapshot.KeyDestruction{RequestedBy: s.By, RequestedAt: s.At}
	})
}

// ApproveKeyDestruction is one of the two approvals that it takes. The second is
// the order, which the key store carries out at once, and which nothing undoes.
type ApproveKeyDestruction struct {
	ID id.Engagement `json:"id"`
}

// Subject implements Act.
func (a ApproveKeyDestruction) Subject() snapshot.Subject { return subject(snapshot.NounKey, a.ID) }

// apart: neither who asked for it, nor who approved it already.
func (a ApproveKeyDestruction) apart(v *snapshot.View) []id.Person {
	k, ok := v.Keys.Get(a.ID)
	if !ok || k.Destruction == nil {
		return nil
	}
	out := []id.Person{k.Destruction.RequestedBy}
	for _, p := range k.Destruction.Approvals {
		out = append(out, p.By)
	}
	return out
}

func (a ApproveKeyDestruction) check(v *snapshot.View, _ Actor, _ time.Time) error {
	if err := destroyable(v, a.ID); err != nil {
		return err
	}
	return destructionAsked(v, a.ID)
}

func destructionAsked(v *snapshot.View, engagement id.Engagement) error {
	if k, ok := v.Keys.Get(engagement); !ok || k.Destruction == nil {
		return conflict("id", "Nobody has asked that these keys are destroyed", "Ask first: sallyport key request-destruction "+string(engagement))
	}
	return nil
}

func (a ApproveKeyDestruction) apply(e *snapshot.Edit, s Stamp) {
	changeKey(e, a.ID, func(k *snapshot.Key) {
		d := *k.Destruction
		d.Approvals = append(slices.Clone(d.Approvals), snapshot.KeyApproval{By: s.By, At: s.At})
		if len(d.Approvals) >= snapshot.KeyApprovals {
			d.OrderedAt, d.Act = s.At, s.ID
		}
		k.Destruction = &d
	})
}

// WithdrawKeyDestruction ends a request before it is an order. One person is
// enough: to keep is the safe side.
type WithdrawKeyDestruction struct {
	ID id.Engagement `json:"id"`
}

// Subject implements Act.
func (a WithdrawKeyDestruction) Subject() snapshot.Subject { return subject(snapshot.NounKey, a.ID) }

func (a WithdrawKeyDestruction) check(v *snapshot.View, _ Actor, _ time.Time) error {
	if err := found("id", v.Engagements, a.ID); err != nil {
		return err
	}
	if k, _ := v.Keys.Get(a.ID); k.Ordered() {
		return errKeyDestroyed(a.ID)
	}
	return destructionAsked(v, a.ID)
}

func (a WithdrawKeyDestruction) apply(e *snapshot.Edit, _ Stamp) {
	changeKey(e, a.ID, func(k *snapshot.Key) { k.Destruction = nil })
}

// RotateRootKey says that the root is about to be replaced. Root is the
// fingerprint of the one that goes, Kind what the next one is.
type RotateRootKey struct {
	Root string `json:"root"`
	Kind string `json:"kind"`
}

// RootKinds are what a root can be.
var RootKinds = []string{"file", "passphrase", "service"}

// Subject implements Act.
func (a RotateRootKey) Subject() snapshot.Subject { return subject(snapshot.NounKey, a.Root) }

func (a RotateRootKey) check(*snapshot.View, Actor, time.Time) error {
	return first(rootFingerprint(a.Root), oneOf("kind", a.Kind, RootKinds))
}

func (a RotateRootKey) apply(*snapshot.Edit, Stamp) {}

func rootFingerprint(v string) error {
	if raw, err := hex.DecodeString(v); err != nil || len(raw) != 8 || hex.EncodeToString(raw) != v {
		return badField("root", "is not the fingerprint of a root", "Copy the 16 hex digits that sallyport key status prints")
	}
	return nil
}

// BackUpRootKey says that the root is about to be split into shares.
type BackUpRootKey struct {
	Root      string `json:"root"`
	Shares    int    `json:"shares"`
	Threshold int    `json:"threshold"`
}

// Subject implements Act.
func (a BackUpRootKey) Subject() snapshot.Subject { return subject(snapshot.NounKey, a.Root) }

func (a BackUpRootKey) check(*snapshot.View, Actor, time.Time) error {
	if err := rootFingerprint(a.Root); err != nil {
		return err
	}
	if a.Threshold < 2 || a.Shares < a.Threshold || a.Shares > 64 {
		return badField("threshold", fmt.Sprintf("%d of %d cannot be made", a.Threshold, a.Shares), "Make 2 to 64 shares, and a threshold of 2 to as many")
	}
	return nil
}

func (a BackUpRootKey) apply(*snapshot.Edit, Stamp) {}

// BackUpKeyStore says that the key store was backed up, under which generation.
type BackUpKeyStore struct {
	Generation int    `json:"generation"`
	SHA256     string `json:"sha256"` // of the backup
}

// Subject implements Act.
func (a BackUpKeyStore) Subject() snapshot.Subject { return subject(snapshot.NounKey, a.SHA256) }

func (a BackUpKeyStore) check(*snapshot.View, Actor, time.Time) error {
	if a.Generation < 1 {
		return badField("generation", "is not one", "Use sallyport key backup-store, which fills it in")
	}
	return sha256Hex("sha256", a.SHA256)
}

func (a BackUpKeyStore) apply(*snapshot.Edit, Stamp) {}

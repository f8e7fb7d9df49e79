package seal

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/sallyport/sallyport/problem"
)

// KeyService is a key that another system keeps, and never gives out: a cloud's
// key management service, a Vault. Package seal/kms opens one by its URL.
//
// Both methods ask that system over the network. They must obey the context's
// deadline and bound what they read. An error means that nothing is known of the
// key: it may be away, disabled or destroyed.
type KeyService interface {
	Encrypt(ctx context.Context, plain []byte) ([]byte, error)
	Decrypt(ctx context.Context, box []byte) ([]byte, error)
	// State says whether the key still exists.
	State(ctx context.Context) (ServiceState, error)
}

// ServiceState is what a key service says of a key.
type ServiceState struct {
	// State is "enabled", "disabled", "pending" (its destruction is ordered and
	// waits), "destroyed", or "unknown" where the service was not asked.
	State string `json:"state"`
	// DestroyedAt is when a pending destruction takes effect.
	DestroyedAt time.Time `json:"destroyed_at,omitzero"`
}

// The states of a key at a service.
const (
	StateEnabled   = "enabled"
	StateDisabled  = "disabled"
	StatePending   = "pending"
	StateDestroyed = "destroyed"
	StateUnknown   = "unknown"
)

// serviceTimeout bounds one call of a key service.
const serviceTimeout = 15 * time.Second

// Service is a root key that only the key service can unwrap: 256 random bits,
// which the service encrypted, stand in keyring.json. The service is asked once,
// when the keyring is opened, and not while it is open: if it goes away then, the
// keys that are unwrapped go on working and nothing new can be opened after a
// restart. url is kept in keyring.json and must hold no secret.
func Service(url string, svc KeyService) Root { return service{url, svc} }

type service struct {
	url string
	svc KeyService
}

func (r service) create(string) (rootParams, *rootKey, error) {
	key := make([]byte, rootSize)
	rand.Read(key) // never fails
	ctx, cancel := context.WithTimeout(context.Background(), serviceTimeout)
	defer cancel()
	box, err := r.svc.Encrypt(ctx, key)
	if err != nil {
		return rootParams{}, nil, errService(err)
	}
	p := rootParams{Kind: kindKMS, Service: r.url, Wrapped: box}
	// What cannot be opened again must not wrap anything.
	opened, err := r.open("", p)
	if err != nil {
		return rootParams{}, nil, err
	}
	if opened.id != fingerprint(key) {
		return rootParams{}, nil, errService(errors.New("it gave back another key than it was given"))
	}
	return p, opened, nil
}

func (r service) open(_ string, p rootParams) (*rootKey, error) {
	if p.Kind != kindKMS {
		return nil, errOtherKind(p.Kind)
	}
	ctx, cancel := context.WithTimeout(context.Background(), serviceTimeout)
	defer cancel()
	key, err := r.svc.Decrypt(ctx, p.Wrapped)
	if err != nil {
		return nil, errService(err)
	}
	if len(key) != rootSize {
		return nil, errService(errors.New("what it decrypted is no root key"))
	}
	return newRootKey(key)
}

func errService(err error) error {
	return problem.New(problem.Unavailable, "the key service does not give the root key, and without it no key opens",
		"See that the service answers, that this machine may use the key, and that the key is neither disabled nor destroyed").Because(err)
}

package gateway

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/deid"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/seal"
	"github.com/sallyport/sallyport/seal/sealed"
	"github.com/sallyport/sallyport/snapshot"
)

// SealedBody is how the answer to one question of a batch was sealed.
type SealedBody struct {
	MediaType string // of Body
	Manifest  string // signed
}

// sealers keeps the keys of recipients that were read.
type sealers = bounded[string, *sealed.Sealer]

// sealer is what seals to a recipient.
func (g *Gateway) sealer(recipient string) (*sealed.Sealer, error) {
	if s, ok := g.sealers.get(recipient); ok {
		return s, nil
	}
	s, err := seal.To(recipient)
	if err == nil {
		g.sealers.put(recipient, s)
	}
	return s, err
}

// demand is what was decided about sealing: what the engagement asks for, and the
// device's key for it.
type demand struct {
	mode      snapshot.Sealing
	recipient string
}

// envelope begins the answer's sealed body, where the engagement demands one.
func (x *exchange) envelope(ctx context.Context, l policy.Limits) error {
	x.demand = demand{l.Sealing, l.Recipient}
	if _, ok := x.q.(Statement); ok || l.Sealing == "" {
		return nil // a statement holds no patient data
	}
	s, err := x.g.sealer(l.Recipient)
	if err != nil || !s.Format().Serves(string(l.Sealing)) {
		p := problem.New(problem.Refused, "The device's key for sealed releases cannot be used", "Send the device's public key again: `sallyport agent enroll`, or device set-recipients")
		if err != nil {
			p = p.Because(err)
		}
		return x.deny(ctx, "sealing", "unusable-recipient", p)
	}
	if x.env, err = seal.NewEnvelope(s, x.g.Now()); err == nil {
		x.signer, err = x.g.releaseKey()
	}
	if err != nil {
		return x.deny(ctx, "gateway", "unavailable",
			problem.New(problem.Unavailable, "The answer cannot be sealed", "Nothing was released. Try again; if it goes on, tell the operator").Because(err))
	}
	x.out.media = x.env.MediaType()
	return nil
}

// signer is the key that signs manifests, and when it was read.
type signer struct {
	key *seal.ReleaseKey
	at  time.Time
}

// signerLife is how soon a rotation by another process is seen.
const signerLife = time.Minute

// releaseKey is the key that signs manifests.
func (g *Gateway) releaseKey() (*seal.ReleaseKey, error) {
	now := g.Now()
	if s := g.signer.Load(); s != nil && now.Sub(s.at) < signerLife && !now.Before(s.at) {
		return s.key, nil
	}
	k, err := g.Keys.ReleaseKey()
	if err != nil {
		return nil, err
	}
	g.signer.Store(&signer{k, now})
	return k, nil
}

// ServeReleaseKeys serves the public keys that verify manifests, as a JWK Set. It
// asks nobody who they are: they are public, and worth no more than the way by
// which they came.
func (g *Gateway) ServeReleaseKeys(w http.ResponseWriter, r *http.Request) {
	if !problem.Takes(w, r, http.MethodGet, http.MethodHead) {
		return
	}
	k, err := g.releaseKey()
	var set []byte
	if err == nil {
		set, err = k.PublicKeys()
	}
	if err != nil {
		g.Logger.LogAttrs(r.Context(), slog.LevelError, "release keys", slog.String("cause", err.Error()))
		problem.New(problem.Unavailable, "The keys of releases cannot be read now", "Try again in a minute").Write(w)
		return
	}
	w.Header().Set("Content-Type", "application/jwk-set+json")
	w.Header().Set("Cache-Control", "max-age=300")
	_, _ = w.Write(set) // the caller may be gone
}

// sealing is the audit log's word.
func (x *exchange) sealing() string {
	if x.env == nil {
		return "none"
	}
	return x.env.Sealing()
}

// seal puts a release into the form in which it leaves. Where the engagement
// demands sealing there is no way from here to the clear form.
func (x *exchange) seal(r deid.Release, last bool) (seal.Sealed, error) {
	switch {
	case x.env != nil:
		return x.env.Seal(r, last)
	case x.demand.mode != "":
		return seal.Sealed{}, errSealing
	}
	return seal.Clear(r), nil
}

// sealed is what the outcome says of it.
func (x *exchange) sealed(s seal.Sealed) *audit.Sealing {
	if x.env == nil {
		return nil
	}
	digest, n := s.Inside()
	out := &audit.Sealing{Mode: s.Sealing(), Digest: digest, Bytes: uint64(n)}
	for _, r := range x.env.Recipients() {
		out.Recipients = append(out.Recipients, r)
	}
	return out
}

// sign signs what goes beside the release at hand: in front of a stream its
// opening, with the last release the manifest.
func (x *exchange) sign(contentType string, ticket *audit.Ticket, r audit.Receipt, last bool) (err error) {
	if x.env == nil || !last && r.Chunk() > 0 {
		return nil
	}
	c := x.s.Caller
	m := sealed.Manifest{Decision: x.permit.Decision(), Log: x.g.Log.Origin(), Ticket: ticket.Index(), Engagement: x.permit.Basis().Engagement,
		Vendor: c.Vendor(), Device: c.Device(), ContentType: contentType, Nonce: x.nonce, Entry: x.entry}
	if last {
		m.Outcome = r.Index()
		x.out.manifest, err = x.env.Manifest(x.signer, m)
	} else {
		x.out.opening, err = x.env.Opening(x.signer, m)
	}
	if err != nil {
		return problem.New(problem.Unavailable, "The manifest of the sealed answer could not be signed", "Nothing more was released. Try again; if it goes on, tell the operator").Because(err)
	}
	return nil
}

var errSealing = problem.New(problem.Refused, "How the engagement's releases are sealed, or the key that they are sealed to, was changed", "Ask again")

// sealedAsDecided reports whether the newest view still demands what the answer is
// sealed with: a key that was taken off the device stops what is under way, and so
// does an engagement that demands sealing from now on.
func (x *exchange) sealedAsDecided(v *snapshot.View) bool {
	if v == nil {
		return false
	}
	e, ok := v.Engagements.Get(x.permit.Basis().Engagement)
	if !ok {
		return false
	}
	d, _ := v.Devices.Get(x.s.Caller.Device())
	recipient, _ := d.Recipient(e.Sealing)
	return x.demand == demand{e.Sealing, recipient}
}

// letGo gives back what the envelope took.
func (x *exchange) letGo() {
	if x.env != nil {
		x.env.Close()
	}
}

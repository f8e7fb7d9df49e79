package server

import (
	"context"
	"net/http"

	"github.com/sallyport/sallyport/agent/wire"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// attest takes what a vendor's build signed about the image that this device
// runs, from the device itself. The act verifies the signature; that the device
// runs the image is its word.
func (d *devices) attest(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), actTimeout)
	defer cancel()
	view := d.registry.View()
	m, ok := d.caller(w, r, view, http.MethodPost)
	if !ok {
		return
	}
	if !stands(view, m.Device, d.now()) {
		d.fail(w, r, problem.New(problem.Refused, "The device is not approved now, so it attests nothing", "Ask the organisation to approve it (device approve)"))
		return
	}
	var in wire.AttestRequest
	if err := readBody(w, r, &in); err != nil {
		d.fail(w, r, err)
		return
	}
	act := registry.AttestWorkload{Device: m.Device.ID, Engagement: id.Engagement(in.Engagement), Image: in.Image, Bundle: in.Bundle, ExpiresAt: in.ExpiresAt}
	// A program that attests at each start must not fill the record.
	if list := view.AttestationsOf(m.Device.ID); len(list) > 0 && d.now().Before(list[len(list)-1].At.Add(minReport)) {
		d.fail(w, r, problem.New(problem.Conflict, "The device attested just now", "Attest again in ten seconds"))
		return
	}
	done, err := d.registry.Do(ctx, registry.Actor{Device: m.Device.ID}, act, registry.Meta{Reason: "the device's own statement of what it runs; the signature was verified"})
	if err != nil {
		d.fail(w, r, err)
		return
	}
	out := wire.Attested{ID: string(done.Act)}
	if a, ok := done.View.Attestations.Get(id.Attestation(done.Act)); ok {
		out = attested(a)
	}
	d.write(w, r, out)
}

func attested(a *snapshot.Attestation) wire.Attested {
	return wire.Attested{ID: string(a.ID), Image: "sha256:" + a.Image256, Key: a.Key256, Builder: a.Builder, Source: a.Source, ExpiresAt: a.ExpiresAt}
}

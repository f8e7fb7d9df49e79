package server

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/agent/wire"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

// boundByTLS is how a token is bound to this connection's certificate (RFC 8705).
const boundByTLS = "mtls"

// maxStanding bounds how many grants one answer explains.
const maxStanding = 50

// standing answers "why can't I get in?" for a device: what each gate that a
// vendor may hear of would say about each grant that names it. It decides nothing:
// no decision is recorded, since nothing could be released by it.
func (d *devices) standing(w http.ResponseWriter, r *http.Request) {
	view := d.registry.View()
	m, ok := d.caller(w, r, view, http.MethodGet)
	if !ok {
		return
	}
	now, dev := d.now(), m.Device
	out := wire.Stand{At: now.UTC(), Device: string(dev.ID), Vendor: string(dev.Vendor), Owner: string(dev.Owner), State: string(dev.State),
		TrustedUntil: dev.TrustedUntil, KeyStore: string(dev.KeyStore), CertificateEnds: m.Until.UTC(), Grants: []wire.Grant{},
		Assumed: []string{"a small question of the first kind that the role allows, with a token bound to this machine's certificate", "the grant's volume as unused, and the content as not inspected"}}
	if p, ok := view.Postures.Get(dev.ID); ok {
		out.ReportedAt, out.FreshUntil, out.Source = p.ReportedAt, p.ReportedAt.Add(view.Settings.PostureFreshness), string(p.Source)
	}
	for _, g := range view.GrantsOfDevice(dev.ID) {
		if g.State == snapshot.Ended {
			continue
		}
		e, ok := view.Engagements.Get(g.Engagement)
		if !ok || e.Vendor != dev.Vendor { // another vendor's grant is none of its business
			continue
		}
		if len(out.Grants) == maxStanding {
			out.Assumed = append(out.Assumed, "more grants name the device than are shown")
			break
		}
		out.Grants = append(out.Grants, d.about(view, g, e, m))
	}
	slices.SortFunc(out.Grants, func(a, b wire.Grant) int { return cmp.Compare(a.Grant, b.Grant) })
	d.log.InfoContext(r.Context(), "standing was asked", "device", out.Device, "vendor", out.Vendor, "grants", len(out.Grants))
	d.write(w, r, out)
}

// about asks the gates a small question under a grant.
func (d *devices) about(v *snapshot.View, g *snapshot.Grant, e *snapshot.Engagement, m identity.Machine) wire.Grant {
	out := wire.Grant{Grant: string(g.ID), App: string(g.App), Person: string(g.Person), Engagement: string(e.ID), Sealing: string(e.Sealing)}
	var source id.Source
	if len(e.Sources) > 0 {
		source = e.Sources[0]
	}
	out.Source = string(source)
	interaction, resources := "read", []string{"Patient"}
	if role, ok := v.Roles.Get(g.Role); ok {
		for _, typ := range slices.Sorted(maps.Keys(role.Resources)) {
			if can := role.Resources[typ].Interactions; len(can) > 0 {
				interaction, resources = can[0], []string{typ}
				break
			}
		}
	}
	out.Asked = interaction + " " + strings.Join(resources, ",")
	transport := policy.Transport(m.Transport)
	transport.TokenBinding = boundByTLS // as the program's token would be
	permit, refusal := d.policy.Decide(policy.Request{View: v, Now: d.now(), Vendor: m.Device.Vendor, App: g.App, Device: m.Device.ID, Grant: g.ID,
		Direction: policy.Out, Source: source, Interaction: interaction, Resources: resources, Transport: transport,
		Usage: policy.Usage{Known: true}})
	out.Open = permit != nil && refusal == nil
	if refusal != nil {
		out.Reasons = refusal.For(policy.VendorToo)
	}
	return out
}

// readBody reads one JSON value of a known form.
func readBody(w http.ResponseWriter, r *http.Request, into any) error {
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, wire.MaxBody))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return tooLong(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return problem.New(problem.Invalid, "The body holds more than one JSON value", "Send one")
	}
	return nil
}

func tooLong(err error) error {
	if big := (*http.MaxBytesError)(nil); errors.As(err, &big) {
		return problem.New(problem.TooLarge, "The body is too long", "Send less at a time").Because(err)
	}
	return problem.New(problem.Invalid, "The body cannot be read as what this address takes", "Send one JSON object with the fields that docs/agent.md shows, and no others").Because(err)
}

func (d *devices) write(w http.ResponseWriter, r *http.Request, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		d.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(append(body, '\n')) // the caller may be gone
}

// fail answers with a problem, and tells the owner's log why. Of a stranger's
// request the log holds a reason, and nothing that the stranger wrote.
func (d *devices) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := problem.From(err)
	level := d.log.InfoContext
	if p.Kind.Status() >= http.StatusInternalServerError {
		level = d.log.ErrorContext
	}
	reason, _ := identity.ReasonOf(err)
	level(context.WithoutCancel(r.Context()), "a device's request was not done", "kind", string(p.Kind), "field", p.Field, "reason", string(reason))
	if p.Kind == problem.Unknown {
		identity.WriteUnknown(w)
		return
	}
	p.Write(w)
}

func sha256Hex(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

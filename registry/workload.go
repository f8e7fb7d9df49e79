package registry

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/provenance"
	"github.com/sallyport/sallyport/snapshot"
)

// checkSPIFFE wants the SPIFFE id of a workload in a trust domain that is pinned
// to the vendor, which no other device has.
func checkSPIFFE(v *snapshot.View, field, spiffe string, vendor id.Vendor) error {
	of, err := spiffeid.FromString(spiffe)
	if err != nil || of.Path() == "" || of.String() != spiffe || len(spiffe) > maxSPIFFE {
		return badField(field, "is not the SPIFFE id of a workload", "Write it as the SVID has it, such as spiffe://prod.vendor.example/ns/ml/sa/triage")
	}
	owner, ok := v.Settings.VendorOfTrustDomain(of.TrustDomain().Name())
	if !ok {
		return badField(field, fmt.Sprintf("the trust domain %q is not configured", of.TrustDomain().Name()), "Have the operator add it with its bundle under spiffe in the configuration")
	}
	if owner != vendor {
		return badField(field, "the trust domain is pinned to another vendor", "Name a workload of a trust domain of this vendor")
	}
	if d, taken := v.DeviceBySPIFFE(spiffe); taken && d.State != snapshot.Ended {
		return conflict(field, "The workload is registered", "Use what is there")
	}
	return nil
}

// maxSPIFFE is the longest SPIFFE id here, in bytes; the standard allows 2,048.
const maxSPIFFE = 512

// Bounds of a demand, and of what is attested under it.
const (
	maxDemandKeys  = 8
	maxDemandList  = 64
	MaxAttestation = 90 * 24 * time.Hour // policy
)

// checkDemand wants a demand that something could meet.
func checkDemand(field string, d *snapshot.WorkloadDemand) error {
	if d == nil {
		return nil
	}
	if err := oneOf(field+".kind", d.Kind, snapshot.DemandKinds); err != nil {
		return err
	}
	if n := len(d.Keys); n == 0 || n > maxDemandKeys {
		return badField(field+".keys", fmt.Sprintf("names %d keys", n), fmt.Sprintf("Pin 1 to %d public keys of the vendor, in PEM", maxDemandKeys))
	}
	for _, l := range []struct {
		name string
		list []string
	}{{"builders", d.Builders}, {"sources", d.Sources}, {"images", d.Images}} {
		if len(l.list) > maxDemandList {
			return badField(field+"."+l.name, "is too long", fmt.Sprintf("Keep at most %d", maxDemandList))
		}
		if err := unique(field+"."+l.name, l.list); err != nil {
			return err
		}
	}
	if d.Kind == snapshot.DemandSLSA && len(d.Builders) == 0 {
		return badField(field+".builders", "is empty", "Name the builder ids that count, as the provenance has them")
	}
	if d.Kind == snapshot.DemandImage && len(d.Builders)+len(d.Sources) > 0 {
		return badField(field+".builders", "does not go with kind image: a signature over an image names no builder and no source", "Leave builders and sources out, or demand slsa")
	}
	return first(
		each(field+".keys", d.Keys, func(f, k string) error {
			if _, err := provenance.ParseKey([]byte(k)); err != nil {
				return badField(f, err.Error(), `Write the PEM block "PUBLIC KEY" alone, such as cosign.pub`)
			}
			return nil
		}),
		unique(field+".keys", d.Keys),
		each(field+".builders", d.Builders, func(f, b string) error { return required(f, b, "https://github.com/actions/runner/github-hosted") }),
		each(field+".sources", d.Sources, func(f, s string) error {
			if err := provenance.CheckPrefix(s); err != nil {
				return badField(f, err.Error(), "Write https://host/owner or https://host/owner/repository")
			}
			return nil
		}),
		each(field+".images", d.Images, func(f, digest string) error { return sha256Hex(f, digest) }))
}

// demandOf is the demand in the words of package provenance.
func demandOf(d *snapshot.WorkloadDemand) (provenance.Demand, error) {
	out := provenance.Demand{Kind: provenance.Kind(d.Kind), Builders: d.Builders, Sources: d.Sources, Images: d.Images}
	for _, text := range d.Keys {
		k, err := provenance.ParseKey([]byte(text))
		if err != nil {
			return out, err
		}
		out.Keys = append(out.Keys, k)
	}
	return out, nil
}

// AttestWorkload records what the vendor's build signed about the image that a
// device is declared to run. The signature is verified here, against the keys
// that the engagement pins. That the device runs this image is the word of who
// does the act: a person with the duty, or the device itself.
type AttestWorkload struct {
	ID         id.Attestation `json:"id,omitempty"` // made if left out
	Device     id.Device      `json:"device"`
	Engagement id.Engagement  `json:"engagement"`
	Image      string         `json:"image"` // the digest: "sha256:" and 64 hex digits
	// Bundle is a DSSE envelope, a Sigstore bundle that holds one, or what `cosign
	// download signature` prints.
	Bundle    json.RawMessage `json:"bundle"`
	ExpiresAt time.Time       `json:"expires_at"`
}

// Subject implements Act.
func (a AttestWorkload) Subject() snapshot.Subject { return subject(snapshot.NounAttestation, a.ID) }

func (a AttestWorkload) about(v *snapshot.View, _ Actor) party {
	d, ok := v.Devices.Get(a.Device)
	if !ok {
		return party{}
	}
	return party{device: d.ID}
}

func (a AttestWorkload) check(v *snapshot.View, _ Actor, now time.Time) error {
	if err := first(freshOrNone("id", v.Attestations, a.ID), exists("device", v.Devices, a.Device), formed("engagement", a.Engagement)); err != nil {
		return err
	}
	// Another vendor's engagement and none are alike: a device of a vendor asks.
	e, ok := v.Engagements.Get(a.Engagement)
	if d, _ := v.Devices.Get(a.Device); !ok || d.Vendor != e.Vendor {
		return badField("engagement", "is not one of the device's vendor", "Name the engagement for which the device works")
	}
	if e.Workload == nil {
		return conflict("engagement", fmt.Sprintf("Engagement %q demands no proof of its workload", a.Engagement), "Nothing is to be attested; or amend the engagement first")
	}
	if a.ExpiresAt.After(now.Add(MaxAttestation)) {
		return badField("expires_at", "is too far ahead", "Write a time within 90 days (policy)")
	}
	if err := first(set("expires_at", a.ExpiresAt), future("expires_at", a.ExpiresAt, now)); err != nil {
		return err
	}
	_, err := a.verify(e.Workload)
	return err
}

// verify gives what the bundle proves under the demand.
func (a AttestWorkload) verify(d *snapshot.WorkloadDemand) (provenance.Verified, error) {
	demand, err := demandOf(d)
	if err != nil {
		return provenance.Verified{}, conflict("engagement", "The engagement pins a key that cannot be used", "Amend the engagement")
	}
	proved, err := provenance.Verify(demand, a.Image, a.Bundle)
	if err == nil {
		return proved, nil
	}
	var f provenance.Fault
	if !errors.As(err, &f) {
		return proved, err
	}
	switch f {
	case provenance.NotADigest, provenance.ImageNotListed:
		return proved, badField("image", string(f), "Give the digest of the image's manifest, one that the engagement allows")
	default:
		return proved, badField("bundle", string(f), "Have the vendor's build sign the image or its provenance with a key that the engagement pins, and send that")
	}
}

func (a AttestWorkload) apply(e *snapshot.Edit, s Stamp) {
	work, ok := e.View().Engagements.Get(a.Engagement)
	if !ok || work.Workload == nil {
		return
	}
	proved, err := a.verify(work.Workload)
	if err != nil {
		return // check found it in order on this view
	}
	r := &snapshot.Attestation{ID: cmp.Or(a.ID, id.Attestation(s.ID)), Device: a.Device, Engagement: a.Engagement, Demand256: work.Workload.Digest(),
		Kind: work.Workload.Kind, Image256: proved.Image, Statement256: proved.Statement, Key256: proved.Key, Builder: proved.Builder, Source: proved.Source,
		LocationBy: snapshot.Declared, DeclaredBy: s.By, At: s.At, ExpiresAt: a.ExpiresAt.UTC()}
	if d, ok := e.View().Devices.Get(a.Device); ok {
		r.Location = d.Region
	}
	e.Put(r)
}

// RevokeAttestation says that an attestation no longer counts.
type RevokeAttestation struct {
	ID id.Attestation `json:"id"`
}

// Subject implements Act.
func (a RevokeAttestation) Subject() snapshot.Subject { return subject(snapshot.NounAttestation, a.ID) }

func (a RevokeAttestation) check(v *snapshot.View, _ Actor, _ time.Time) error {
	r, ok := v.Attestations.Get(a.ID)
	if !ok {
		return found("id", v.Attestations, a.ID)
	}
	if !r.RevokedAt.IsZero() {
		return conflict("id", "The attestation was revoked", "Nothing is left to do")
	}
	return nil
}

func (a RevokeAttestation) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Attestations, a.ID, func(r *snapshot.Attestation) { r.RevokedAt = s.At })
}

// ScreenVendor records how a vendor stands under 28 CFR Part 202. Whoever asked
// for the vendor does not screen it. A yes is recorded too: it closes the gate.
type ScreenVendor struct {
	ID         id.Vendor       `json:"id"`
	Ownership  snapshot.Answer `json:"ownership"` // owned at 50 % or more by a country of concern or covered persons
	Access     snapshot.Answer `json:"access"`    // covered persons would reach the data
	ScreenedAt time.Time       `json:"screened_at"`
	ValidUntil time.Time       `json:"valid_until"` // policy: the rule sets no interval
	Report     string          `json:"report_sha256,omitempty"`
}

// Subject implements Act.
func (a ScreenVendor) Subject() snapshot.Subject { return subject(snapshot.NounVendor, a.ID) }

func (a ScreenVendor) apart(v *snapshot.View) []id.Person { return vendorAskedBy(v, a.ID) }

func (a ScreenVendor) documents() []string { return []string{a.Report} }

func (a ScreenVendor) check(v *snapshot.View, _ Actor, now time.Time) error {
	if err := vendorIn(v, a.ID, snapshot.Proposed, snapshot.Approved, snapshot.Suspended); err != nil {
		return err
	}
	if w, _ := v.Vendors.Get(a.ID); a.ScreenedAt.Before(w.Screening.At) {
		return badField("screened_at", "is before the screening that is recorded", "A later screening replaces an earlier one")
	}
	return first(
		oneOf("ownership", a.Ownership, snapshot.Answers),
		oneOf("access", a.Access, snapshot.Answers),
		set("screened_at", a.ScreenedAt), past("screened_at", a.ScreenedAt, now),
		set("valid_until", a.ValidUntil), after("valid_until", a.ValidUntil, "screened_at", a.ScreenedAt),
		optionalDigest("report_sha256", a.Report))
}

func (a ScreenVendor) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Vendors, a.ID, func(w *snapshot.Vendor) {
		w.Screening = snapshot.Screening{Ownership: a.Ownership, Access: a.Access, By: s.By, At: a.ScreenedAt.UTC(), ValidUntil: a.ValidUntil.UTC(), Report: a.Report}
	})
}

// ownedByApproved wants the owner of an agent, who answers for what it does, to
// be a person whom two people let in (45 CFR 164.312(a)(1): persons or software
// programs). For another program the vendor's word is enough.
func ownedByApproved(v *snapshot.View, kind snapshot.AgentKind, owner id.Person) error {
	if kind != snapshot.Agent {
		return nil
	}
	if p, ok := v.Persons.Get(owner); !ok || p.State != snapshot.Approved {
		return conflict("owner", fmt.Sprintf("The agent's owner %q is not an approved person", owner), "Approve the person first (person approve): somebody must answer for what an agent does")
	}
	return nil
}

// notBoth wants exactly one of a key and a SPIFFE id.
func notBoth(v *snapshot.View, a EnrollDevice) error {
	switch {
	case a.SPIFFE == "":
		return freshKey(v, "key_sha256", a.Key256, false)
	case a.Key256 != "":
		return badField("key_sha256", "stands beside a SPIFFE id", "Leave one out: a workload is known by its id, and its keys change by the hour")
	case a.KeyStore != "":
		return badField("key_store", "stands beside a SPIFFE id", "Leave it out: the workload's keys come and go")
	}
	return checkSPIFFE(v, "spiffe_id", a.SPIFFE, a.Vendor)
}

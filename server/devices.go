package server

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/sallyport/sallyport/agent/posture"
	"github.com/sallyport/sallyport/agent/wire"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// devices is the door of the vendors' machines, on the gateway's listener, beside
// the data path: enrolment, renewal, posture, standing (see agent/wire). What it
// changes, it changes by acts. It has no way to a source.
type devices struct {
	registry  *registry.Registry
	policy    *policy.Engine
	authority *identity.Authority
	anchor    func() ([]byte, error)
	verifier  *identity.Verifier
	replays   *identity.Replays
	life      time.Duration // of a device's certificate
	fresh     time.Duration // how old a report may be
	public    string        // the gateway's address
	now       func() time.Time
	log       *slog.Logger
}

const (
	// minReport is how often a device's state may change.
	minReport = 10 * time.Second
	// actTimeout bounds one act of a device.
	actTimeout = 15 * time.Second
)

// handler is the door's handler of a path; nil: not one of its own.
func (d *devices) handler(path string) http.HandlerFunc {
	switch path {
	case wire.Authority:
		return d.giveAuthority
	case wire.Enrol:
		return d.enrolment
	case wire.Renew:
		return d.renew
	case wire.Posture:
		return d.posture
	case wire.Attest:
		return d.attest
	case wire.Fleet:
		return d.fleet
	case wire.Standing:
		return d.standing
	}
	return nil
}

// elsewhere answers what the gateway's listener does not have: a machine is told so, and
// a stranger nothing, not even that it is not there.
func (d *devices) elsewhere(w http.ResponseWriter, r *http.Request) {
	if _, err := d.machine(r, d.registry.View()); err != nil {
		identity.WriteUnknown(w)
		return
	}
	problem.NotThere("Data is below " + d.public + fhirPath + "/, then the source's name").Write(w)
}

// giveAuthority answers anybody: it is public, and who asks knows its digest.
func (d *devices) giveAuthority(w http.ResponseWriter, r *http.Request) {
	if !problem.Takes(w, r, http.MethodGet) {
		return
	}
	pem, err := d.anchor()
	if err != nil {
		d.fail(w, r, problem.New(problem.Unavailable, "The server has no certificate now", "Try again in a moment").Because(err))
		return
	}
	w.Header().Set("Content-Type", "application/pem-certificate-chain")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(pem) // the caller may be gone
}

// enrolment takes an invitation (POST), and says how it stands with a machine
// whose key the caller holds (GET). Who is not known hears no more than any
// stranger: not whether the device, the code or the key was wrong.
func (d *devices) enrolment(w http.ResponseWriter, r *http.Request) {
	if !problem.Takes(w, r, http.MethodGet, http.MethodPost) {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), actTimeout)
	defer cancel()
	pub, key, err := identity.HeldKey(r)
	if err != nil {
		d.fail(w, r, err)
		return
	}
	view := d.registry.View()
	dev, known := view.DeviceByKey(key)
	known = known && !gone(view, "", dev.Vendor)
	if r.Method == http.MethodPost {
		var in wire.EnrolRequest
		if err := readBody(w, r, &in); err != nil {
			d.fail(w, r, err)
			return
		}
		if view, err = d.accept(ctx, view, in, key); err != nil {
			d.fail(w, r, err)
			return
		}
		dev, known = view.DeviceByKey(key)
	}
	if !known {
		identity.WriteUnknown(w)
		return
	}
	out := describe(view, dev)
	now := d.now()
	// A first certificate is given for as long after the approval, or after a new
	// invitation was used, as it would last. Later it is renewed, by its holder.
	since := dev.ApprovedAt
	if dev.Invitation.UsedAt.After(since) {
		since = dev.Invitation.UsedAt
	}
	switch {
	case !trusted(view, dev, now):
	case now.After(since.Add(d.life)):
		out.Next = "The time to fetch the first certificate is over. Ask for a new invitation for this device: sallyport device invite " + string(dev.ID)
	default:
		pem, err := d.authority.IssueTo(pub, identity.DeviceSubject(dev.ID), d.life, now)
		if err != nil {
			d.fail(w, r, err)
			return
		}
		d.issued(ctx, dev, "first")
		out.Certificate = string(pem)
	}
	d.write(w, r, d.withAnchor(out))
}

// accept uses the invitation, and asks for the owner's program where the
// invitation names one, both in the name of who invited. To do it again with the
// same key is harmless: an agent may have been killed before it heard.
func (d *devices) accept(ctx context.Context, view *snapshot.View, in wire.EnrolRequest, key snapshot.KeyDigest) (*snapshot.View, error) {
	dev, ok := view.Devices.Get(id.Device(in.Device))
	digest := wire.CodeDigest(in.Code)
	if !ok || dev.Invitation.Code256 == "" || subtle.ConstantTimeCompare([]byte(digest), []byte(dev.Invitation.Code256)) != 1 {
		return nil, errNotInvited
	}
	by := registry.Actor{Person: dev.Invitation.By}
	why := registry.Meta{Reason: "the invitation was used by who holds its code and this key"}
	if dev.Invitation.UsedAt.IsZero() || dev.Key256 != key {
		done, err := d.registry.Do(ctx, by, registry.AcceptInvitation{ID: dev.ID, Code256: digest, Key256: key,
			KeyStore: snapshot.KeyStore(in.KeyStore), Region: in.Region, SealTo: in.SealTo}, why)
		if err != nil {
			return nil, inviterProblem(err)
		}
		view = done.View
		d.log.InfoContext(ctx, "a device was enrolled", "device", string(dev.ID), "vendor", string(dev.Vendor), "act", string(done.Act))
	}
	app := dev.Invitation.App
	if app == "" || len(in.AppKeys) == 0 {
		return view, nil
	}
	var act registry.Act
	switch p, ok := view.Apps.Get(app); {
	case !ok:
		act = registry.RegisterApp{ID: app, Vendor: dev.Vendor, Name: string(app), Kind: snapshot.Human, Owner: dev.Owner, Keys: in.AppKeys}
	case sameJSON(p.Keys, in.AppKeys):
		return view, nil
	case !appOpen(view, id.Device(in.Device), p):
		return nil, errNotInvited
	default:
		act = registry.RotateAppKeys{ID: app, Keys: in.AppKeys}
	}
	done, err := d.registry.Do(ctx, by, act, why)
	if err != nil {
		return nil, inviterProblem(err)
	}
	return done.View, nil
}

// appOpen reports whether the invitation of the device has not yet brought the
// program its keys: an invitation brings them once, in the name of who invited.
func appOpen(v *snapshot.View, device id.Device, p *snapshot.App) bool {
	d, ok := v.Devices.Get(device)
	return ok && p.RequestedAt.Before(d.Invitation.UsedAt)
}

var errNotInvited = problem.New(problem.Unknown, "The caller is not known", "").Because(errors.New("no such invitation"))

// inviterProblem is a refusal of an act in the inviter's name, for the machine
// that used the invitation: what the inviter lacks is not its business.
func inviterProblem(err error) error {
	if p := problem.From(err); p.Kind == problem.Refused {
		return problem.New(problem.Refused, "Who invited you may not do so any more", "Ask another person for an invitation: sallyport device invite").Because(err)
	}
	return err
}

func sameJSON(a, b []byte) bool {
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return false
	}
	p, err1 := json.Marshal(x)
	q, err2 := json.Marshal(y)
	return err1 == nil && err2 == nil && string(p) == string(q)
}

// trusted reports whether the device may have a certificate now.
func trusted(v *snapshot.View, d *snapshot.Device, now time.Time) bool {
	// A workload that its SPIFFE id identifies has certificates of its own domain.
	return d.Key256 != "" && d.SPIFFE == "" && stands(v, d, now)
}

// stands reports whether the device is approved, trusted still and not on hold.
func stands(v *snapshot.View, d *snapshot.Device, now time.Time) bool {
	if d.State != snapshot.Approved || !now.Before(d.TrustedUntil) {
		return false
	}
	for _, on := range []snapshot.Subject{{Noun: snapshot.NounDevice, ID: string(d.ID)}, {Noun: snapshot.NounVendor, ID: string(d.Vendor)}} {
		for _, h := range v.HoldsOn(on) {
			if h.LiftedAt.IsZero() {
				return false
			}
		}
	}
	return true
}

// describe is where a device stands, in its own words.
func describe(v *snapshot.View, d *snapshot.Device) wire.Enrolment {
	out := wire.Enrolment{Device: string(d.ID), Vendor: string(d.Vendor), Owner: string(d.Owner), State: string(d.State), TrustedUntil: d.TrustedUntil,
		PostureEvery: int(max(v.Settings.PostureFreshness/4, time.Minute) / time.Second)}
	who := "a person of the organisation, but not who invited"
	if v.Settings.DeviceApproval == snapshot.ByVendor {
		who = "a person of the organisation or of " + string(d.Vendor) + ", but not who invited, nor its owner"
	}
	switch d.State {
	case snapshot.Proposed:
		out.Next = "Waits for approval by " + who + ": sallyport device approve " + string(d.ID) + " trusted_until=90d"
	case snapshot.Ended:
		out.Next = "The trust in this device has ended for good. Ask for an invitation for a new one: sallyport device invite"
	}
	if p, ok := v.Apps.Get(d.Invitation.App); ok && p.Vendor == d.Vendor {
		out.App, out.AppState = string(p.ID), string(p.State)
		if d.State == snapshot.Approved && p.State == snapshot.Proposed {
			out.Next = "The program waits for approval: sallyport app approve " + string(p.ID)
		}
	}
	return out
}

func (d *devices) withAnchor(e wire.Enrolment) wire.Enrolment {
	e.Server = d.public
	if pem, err := d.anchor(); err == nil {
		e.Authority = string(pem)
	}
	return e
}

func (d *devices) issued(ctx context.Context, dev *snapshot.Device, what string) {
	d.log.InfoContext(ctx, "certificate issued", "device", string(dev.ID), "vendor", string(dev.Vendor), "which", what, "key_sha256", string(dev.Key256))
}

// machine identifies a device, of a vendor that goes on: of one that has been parted from
// every machine is a stranger.
func (d *devices) machine(r *http.Request, view *snapshot.View) (identity.Machine, error) {
	m, err := d.verifier.Machine(r, view)
	if err == nil && gone(view, "", m.Device.Vendor) {
		return identity.Machine{}, problem.New(problem.Unknown, "The caller is not known", "").Because(errVendorGone)
	}
	return m, err
}

// caller identifies the machine that asks, by the one method that its address takes: of an
// address for machines, a stranger hears nothing. Not ok: it is answered.
func (d *devices) caller(w http.ResponseWriter, r *http.Request, view *snapshot.View, method string) (identity.Machine, bool) {
	m, err := d.machine(r, view)
	if err != nil {
		d.fail(w, r, err)
		return m, false
	}
	return m, problem.Takes(w, r, method)
}

var errVendorGone = errors.New("the vendor has been parted from")

// renew gives the holder of a certificate that still counts the next one, for the
// same key.
func (d *devices) renew(w http.ResponseWriter, r *http.Request) {
	view := d.registry.View()
	m, ok := d.caller(w, r, view, http.MethodPost)
	if !ok {
		return
	}
	if m.Device.SPIFFE != "" {
		d.fail(w, r, problem.New(problem.Refused, "The workload's certificates come from its own SPIFFE issuer", "Nothing is renewed here: fetch the next SVID from the Workload API"))
		return
	}
	now := d.now()
	if !trusted(view, m.Device, now) {
		e := describe(view, m.Device)
		next := e.Next
		if next == "" {
			next = "Ask the organisation: sallyport device get " + e.Device
		}
		d.fail(w, r, problem.New(problem.Refused, "The device is not approved now, so its certificate is not renewed", next))
		return
	}
	pem, err := d.authority.IssueTo(m.Key, identity.DeviceSubject(m.Device.ID), d.life, now)
	if err != nil {
		d.fail(w, r, err)
		return
	}
	d.issued(r.Context(), m.Device, "renewed")
	out := d.withAnchor(describe(view, m.Device))
	out.Certificate = string(pem)
	d.write(w, r, out)
}

// posture takes a device's signed report of its own state. It is the device's word.
func (d *devices) posture(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), actTimeout)
	defer cancel()
	view := d.registry.View()
	m, ok := d.caller(w, r, view, http.MethodPost)
	if !ok {
		return
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, wire.MaxBody))
	if err != nil {
		d.fail(w, r, tooLong(err))
		return
	}
	if m.Device.State == snapshot.Ended {
		d.fail(w, r, problem.New(problem.Refused, "The trust in this device has ended for good", "Ask for an invitation for a new one: sallyport device invite"))
		return
	}
	now := d.now()
	report, err := posture.Open(strings.TrimSpace(string(raw)), string(m.Device.ID), m.Key, now)
	if err != nil {
		d.fail(w, r, err)
		return
	}
	if why := d.replays.Use(id.App("device."+string(m.Device.ID)), report.Nonce, report.At.Add(2*posture.Skew), now); why != "" {
		kind := problem.Invalid
		if why != identity.AssertionReplayed {
			kind = problem.Unavailable
		}
		d.fail(w, r, problem.New(kind, "The report was seen before, or cannot be remembered", "Report again: sallyport agent report").Because(why))
		return
	}
	act := registry.ReportPosture{Device: m.Device.ID, Source: snapshot.PostureSource(report.Source), OS: report.OS, OSVersion: report.OSVersion,
		UpdateAge: report.UpdateAge, DiskEncryption: snapshot.Check(report.DiskEncryption), ScreenLock: snapshot.Check(report.ScreenLock),
		Firewall: snapshot.Check(report.Firewall), MalwareProtection: snapshot.Check(report.MalwareProtection), HardwareKey: hardware(m.Device, report.HardwareKey)}
	if report.Source != posture.FromAgent && report.Source != posture.FromOsquery {
		d.fail(w, r, problem.BadField("report.source", "is not a source", "Use an agent of the server's version"))
		return
	}
	if err := d.report(ctx, view, registry.Actor{Device: m.Device.ID}, act, now); err != nil {
		d.fail(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// hardware is the check of a key that the record says is in hardware; the report
// alone does not make it so.
func hardware(d *snapshot.Device, said string) snapshot.Check {
	if snapshot.Check(said) == snapshot.CheckPass && d.KeyStore != snapshot.InTPM && d.KeyStore != snapshot.InOSStore {
		return snapshot.CheckFail
	}
	return snapshot.Check(said)
}

// report records a state. One that says the same as the last is recorded again
// only when a good part of its time is over, so that a machine that reports each
// minute does not fill the log.
func (d *devices) report(ctx context.Context, v *snapshot.View, by registry.Actor, a registry.ReportPosture, now time.Time) error {
	if last, ok := v.Postures.Get(a.Device); ok {
		age := now.Sub(last.ReportedAt)
		same := *last == snapshot.Posture{Device: a.Device, Source: a.Source, ReportedAt: last.ReportedAt, OS: a.OS, OSVersion: a.OSVersion, UpdateAge: a.UpdateAge,
			DiskEncryption: a.DiskEncryption, ScreenLock: a.ScreenLock, Firewall: a.Firewall, MalwareProtection: a.MalwareProtection, HardwareKey: a.HardwareKey}
		switch {
		case age < 0: // the clock went back: to say it anew makes it count from now
		case same && age < d.fresh/8:
			return nil
		case !same && age < minReport && !worse(v.Settings.Posture, last, a):
			return problem.New(problem.Conflict, "The device's state was reported just now", "Report again in ten seconds")
		}
	}
	_, err := d.registry.Do(ctx, by, a, registry.Meta{Reason: "the device's own report; not attested"})
	return err
}

// worse reports whether a check that passed does not any more, and none that did not
// pass does now. That is never put off: it stops what is under way. It can go on for
// as many times as there are checks, so a device cannot fill the log by it.
func worse(rule snapshot.PostureRule, last *snapshot.Posture, a registry.ReportPosture) bool {
	some := false
	for _, c := range [][2]bool{
		{last.DiskEncryption == snapshot.CheckPass, a.DiskEncryption == snapshot.CheckPass},
		{last.ScreenLock == snapshot.CheckPass, a.ScreenLock == snapshot.CheckPass},
		{last.Firewall == snapshot.CheckPass, a.Firewall == snapshot.CheckPass},
		{last.MalwareProtection == snapshot.CheckPass, a.MalwareProtection == snapshot.CheckPass},
		{last.HardwareKey == snapshot.CheckPass, a.HardwareKey == snapshot.CheckPass},
		{rule.Updated(last.UpdateAge), rule.Updated(a.UpdateAge)},
	} {
		switch {
		case !c[0] && c[1]:
			return false
		case c[0] && !c[1]:
			some = true
		}
	}
	return some
}

// fleet takes the states of a vendor's devices from its fleet manager, a connector
// that is known by its bearer token.
func (d *devices) fleet(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*actTimeout)
	defer cancel()
	view := d.registry.View()
	c, ok := fleetManager(view, r.Header)
	if !ok {
		d.fail(w, r, problem.New(problem.Unknown, "The caller is not known", "").Because(errors.New("no fleet manager has this token")))
		return
	}
	if !problem.Takes(w, r, http.MethodPost) {
		return
	}
	var in wire.FleetReport
	if err := readBody(w, r, &in); err != nil {
		d.fail(w, r, err)
		return
	}
	if len(in.Devices) == 0 || len(in.Devices) > wire.MaxFleet {
		d.fail(w, r, problem.BadField("devices", "is empty or too long", "Send 1 to 500 devices at a time"))
		return
	}
	out := wire.FleetResult{Devices: make([]wire.FleetRecorded, len(in.Devices))}
	for i, x := range in.Devices {
		out.Devices[i] = d.fromFleet(ctx, c, x)
	}
	d.write(w, r, out)
}

func (d *devices) fromFleet(ctx context.Context, c *snapshot.Connector, x wire.FleetDevice) wire.FleetRecorded {
	out := wire.FleetRecorded{ID: x.ID}
	view := d.registry.View()
	dev, ok := view.Devices.Get(id.Device(x.ID))
	if !ok || dev.Vendor != c.Vendor {
		out.Problem = "not a device of yours"
		return out
	}
	check := func(s string) snapshot.Check {
		if s == "" {
			return snapshot.CheckUnknown
		}
		return snapshot.Check(s)
	}
	a := registry.ReportPosture{Device: dev.ID, Source: snapshot.FromFleet, OS: x.OS, OSVersion: x.OSVersion, UpdateAge: -1,
		DiskEncryption: check(x.DiskEncryption), ScreenLock: check(x.ScreenLock), Firewall: check(x.Firewall),
		MalwareProtection: check(x.MalwareProtection), HardwareKey: check(x.HardwareKey)}
	if x.UpdateAge != nil {
		a.UpdateAge = *x.UpdateAge
	}
	a.HardwareKey = hardware(dev, string(a.HardwareKey))
	if err := d.report(ctx, view, registry.Actor{Connector: c.ID}, a, d.now()); err != nil {
		out.Problem = problem.From(err).Error()
		return out
	}
	out.Recorded = true
	return out
}

// fleetManager finds the approved fleet manager that has the request's token.
func fleetManager(v *snapshot.View, h http.Header) (*snapshot.Connector, bool) {
	token, ok := strings.CutPrefix(h.Get("Authorization"), "Bearer ")
	if !ok || len(h["Authorization"]) != 1 || token == "" || len(token) > 1024 {
		return nil, false
	}
	digest := sha256Hex(token)
	for _, c := range v.Connectors.All() {
		if c.Kind == snapshot.FleetManager && c.State == snapshot.Approved && c.Vendor != "" && subtle.ConstantTimeCompare([]byte(c.Token256), []byte(digest)) == 1 {
			return c, true
		}
	}
	return nil, false
}

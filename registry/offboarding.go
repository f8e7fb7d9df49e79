package registry

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sallyport/sallyport/agreement"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// BeginOffboarding parts from a vendor, or ends one engagement: in one act every
// credential, grant, session, program, machine, connector and link that rests on it
// alone ends for good. What follows is about the data: what was released, and what
// became of it.
type BeginOffboarding struct {
	ID         id.Offboarding            `json:"id,omitempty"` // made if left out
	Vendor     id.Vendor                 `json:"vendor"`
	Engagement id.Engagement             `json:"engagement,omitempty"` // leave out to part from the vendor
	Cause      snapshot.OffboardingCause `json:"cause"`
	DueAt      time.Time                 `json:"due_at"` // until when the vendor attests return or destruction
}

// Subject implements Act.
func (a BeginOffboarding) Subject() snapshot.Subject {
	return subject(snapshot.NounOffboarding, a.ID)
}

func (a BeginOffboarding) check(v *snapshot.View, _ Actor, now time.Time) error {
	if err := first(freshOrNone("id", v.Offboardings, a.ID), exists("vendor", v.Vendors, a.Vendor),
		oneOf("cause", a.Cause, snapshot.OffboardingCauses), set("due_at", a.DueAt), future("due_at", a.DueAt, now)); err != nil {
		return err
	}
	for _, o := range v.Offboardings.All() {
		if o.Vendor == a.Vendor && (o.Engagement == "" || a.Engagement != "" && o.Engagement == a.Engagement) {
			return conflict("vendor", fmt.Sprintf("Offboarding %q is about this already", o.ID), "Go on with it: sallyport offboarding get "+string(o.ID))
		}
	}
	if c, ok := exitClock(v, a.Vendor, a.Engagement, now); ok && a.DueAt.After(c.Due(now)) {
		return badField("due_at", fmt.Sprintf("is later than the %d days that %s gives (%s)", c.Days, c.Agreement, c.Term), "Write at the latest "+c.Due(now).UTC().Format(time.RFC3339))
	}
	if a.Engagement == "" {
		return nil
	}
	e, ok := v.Engagements.Get(a.Engagement)
	if !ok {
		return exists("engagement", v.Engagements, a.Engagement)
	}
	if e.Vendor != a.Vendor {
		return badField("engagement", "is another vendor's", "Name an engagement of the vendor, or leave it out to part from the vendor")
	}
	return nil
}

// exitClock is the shortest time that the papers of what ends give for return or
// destruction (BAA-R33).
func exitClock(v *snapshot.View, vendor id.Vendor, engagement id.Engagement, now time.Time) (agreement.Clock, bool) {
	var papers []*snapshot.Agreement
	for _, p := range v.AgreementsOf(vendor) {
		if p.State == snapshot.Proposed {
			continue // it never bound anybody
		}
		e, ok := v.Engagements.Get(engagement)
		if engagement == "" || ok && slices.Contains(e.Agreements, p.ID) {
			papers = append(papers, p)
		}
	}
	back, returns := agreement.Shortest(papers, agreement.ReturnDue, now)
	gone, destroys := agreement.Shortest(papers, agreement.DestructionDue, now)
	if !destroys || returns && back.Due(now).Before(gone.Due(now)) {
		return back, returns
	}
	return gone, destroys
}

func (a BeginOffboarding) apply(e *snapshot.Edit, s Stamp) {
	o := &snapshot.Offboarding{ID: cmp.Or(a.ID, id.Offboarding(s.ID)), Vendor: a.Vendor, Engagement: a.Engagement,
		Cause: a.Cause, BegunBy: s.By, BegunAt: s.At, DueAt: a.DueAt.UTC()}
	for _, g := range e.View().Engagements.All() {
		if g.Vendor == a.Vendor && (a.Engagement == "" || g.ID == a.Engagement) {
			o.Of = append(o.Of, g.ID)
			for _, p := range g.Agreements {
				if !slices.Contains(o.Agreements, p) {
					o.Agreements = append(o.Agreements, p)
				}
			}
		}
	}
	e.Put(o)
	endAll(e, s, o)
}

// endAll ends what rests on the offboarding's subject and on nothing else.
func endAll(e *snapshot.Edit, s Stamp, o *snapshot.Offboarding) {
	v := e.View()
	whole := o.Engagement == ""
	for _, key := range o.Of {
		change(e, v.Engagements, key, func(g *snapshot.Engagement) { g.State = snapshot.Ended })
	}
	lives := living(v, o)
	for _, g := range v.Grants.All() {
		if o.Covers(g.Engagement) && g.State != snapshot.Ended {
			change(e, v.Grants, g.ID, func(g *snapshot.Grant) { g.State = snapshot.Ended })
		}
	}
	ends := func(vendor id.Vendor, used, elsewhere bool) bool {
		return vendor == o.Vendor && (whole || used && !elsewhere)
	}
	for _, p := range v.Apps.All() {
		if ends(p.Vendor, lives.apps[p.ID].here, lives.apps[p.ID].elsewhere) {
			change(e, v.Apps, p.ID, func(p *snapshot.App) {
				p.State, p.TokensAfter, p.PendingKeys = snapshot.Ended, s.At, nil
			})
		}
	}
	for _, d := range v.Devices.All() {
		if ends(d.Vendor, lives.devices[d.ID].here, lives.devices[d.ID].elsewhere) {
			change(e, v.Devices, d.ID, func(d *snapshot.Device) { d.State = snapshot.Ended })
		}
	}
	for _, p := range v.Persons.All() {
		if ends(p.Vendor, lives.persons[p.ID].here, lives.persons[p.ID].elsewhere) {
			change(e, v.Persons, p.ID, func(p *snapshot.Person) { p.State = snapshot.Ended })
		}
	}
	endSessions(e, s, func(x *snapshot.Session) bool {
		p, ok := e.View().Persons.Get(x.Person)
		return ok && p.Vendor == o.Vendor && p.State == snapshot.Ended
	})
	endAuthorizations(e, s, func(x snapshot.Authorization) bool {
		g, ok := e.View().Grants.Get(x.Grant)
		return ok && o.Covers(g.Engagement)
	})
	for _, q := range v.Requests.All() {
		if q.Vendor == o.Vendor && q.Stage == snapshot.RequestOpen && (whole || o.Covers(q.Engagement)) {
			change(e, v.Requests, q.ID, func(q *snapshot.Request) { q.Stage = snapshot.RequestLapsed })
		}
	}
	if !whole {
		return
	}
	for _, c := range v.Connectors.All() {
		if c.Vendor == o.Vendor {
			change(e, v.Connectors, c.ID, func(c *snapshot.Connector) { c.State = snapshot.Ended })
		}
	}
	for _, l := range v.Links.All() {
		if l.Vendor == o.Vendor && l.RevokedAt.IsZero() {
			change(e, v.Links, l.ID, func(l *snapshot.Link) { l.RevokedAt = s.At })
		}
	}
	for _, x := range v.Attestations.All() {
		if d, ok := v.Devices.Get(x.Device); ok && d.Vendor == o.Vendor && x.RevokedAt.IsZero() {
			change(e, v.Attestations, x.ID, func(x *snapshot.Attestation) { x.RevokedAt = s.At })
		}
	}
	for _, p := range v.Agreements.All() {
		if p.Vendor == o.Vendor && p.TerminatedAt.IsZero() {
			change(e, v.Agreements, p.ID, func(p *snapshot.Agreement) { p.TerminatedAt, p.State = s.At, snapshot.Ended })
		}
	}
	change(e, v.Vendors, o.Vendor, func(w *snapshot.Vendor) { w.State = snapshot.Ended })
}

// use is where a program, a machine or a person has grants that run.
type use struct{ here, elsewhere bool }

type uses struct {
	apps    map[id.App]use
	devices map[id.Device]use
	persons map[id.Person]use
}

// living says, of each program, machine and person, whether it has grants on what
// the offboarding is about, and whether it has any that go on.
func living(v *snapshot.View, o *snapshot.Offboarding) uses {
	u := uses{map[id.App]use{}, map[id.Device]use{}, map[id.Person]use{}}
	for _, g := range v.Grants.All() {
		here := o.Covers(g.Engagement)
		if !here && g.State == snapshot.Ended {
			continue
		}
		note(u.apps, g.App, here)
		note(u.persons, g.Person, here)
		for _, d := range g.Devices {
			note(u.devices, d, here)
		}
	}
	return u
}

func note[K comparable](m map[K]use, key K, here bool) {
	x := m[key]
	x.here, x.elsewhere = x.here || here, x.elsewhere || !here
	m[key] = x
}

// endAuthorizations ends what programs may do in people's sessions.
func endAuthorizations(e *snapshot.Edit, s Stamp, match func(snapshot.Authorization) bool) {
	for _, x := range e.View().Sessions.All() {
		if !slices.ContainsFunc(x.Apps, func(a snapshot.Authorization) bool { return a.EndedAt.IsZero() && match(a) }) {
			continue
		}
		change(e, e.View().Sessions, x.ID, func(x *snapshot.Session) {
			x.Apps = slices.Clone(x.Apps)
			for i := range x.Apps {
				if x.Apps[i].EndedAt.IsZero() && match(x.Apps[i]) {
					x.Apps[i].EndedAt = s.At
				}
			}
		})
	}
}

// RecordInventory notes what was released, as the log's index counts it.
type RecordInventory struct {
	ID        id.Offboarding             `json:"id"`
	Inventory snapshot.ReleasedInventory `json:"inventory"`
}

// Subject implements Act.
func (a RecordInventory) Subject() snapshot.Subject { return subject(snapshot.NounOffboarding, a.ID) }

func (a RecordInventory) documents() []string { return []string{a.Inventory.Document} }

func (a RecordInventory) check(v *snapshot.View, _ Actor, now time.Time) error {
	x := a.Inventory
	if _, err := openOffboarding(v, a.ID); err != nil {
		return err
	}
	if x.Releases < 0 || x.Bytes < 0 || x.Patients < 0 {
		return badField("inventory", "has a negative count", "Take the counts as sallyport offboarding inventory prints them")
	}
	return first(sha256Hex("inventory.document_sha256", x.Document), sha256Hex("inventory.digests_sha256", x.Digests),
		set("inventory.at", x.At), past("inventory.at", x.At, now))
}

func (a RecordInventory) apply(e *snapshot.Edit, _ Stamp) {
	change(e, e.View().Offboardings, a.ID, func(o *snapshot.Offboarding) {
		o.Inventory = a.Inventory
		o.Inventory.At = a.Inventory.At.UTC()
	})
}

func openOffboarding(v *snapshot.View, key id.Offboarding) (*snapshot.Offboarding, error) {
	o, ok := v.Offboardings.Get(key)
	if !ok {
		return nil, found("id", v.Offboardings, key)
	}
	if !o.CompletedAt.IsZero() {
		return nil, conflict("id", "The offboarding is complete", "Its certificate says what was found: sallyport offboarding certificate "+string(key))
	}
	return o, nil
}

// AttestDisposition is the vendor's word on one form of the data. Who holds the
// link that was sent for it attests by themselves; the organisation's people record
// what came on paper.
type AttestDisposition struct {
	ID          id.Offboarding    `json:"id"`
	Form        snapshot.DataForm `json:"form"`
	Outcome     snapshot.Outcome  `json:"outcome"`
	Method      string            `json:"method,omitempty"`    // destroyed: clear, purge or destroy (NIST SP 800-88)
	Technique   string            `json:"technique,omitempty"` // destroyed: how
	Items       string            `json:"items,omitempty"`     // which stores, models, backups; never patient data
	Why         string            `json:"why,omitempty"`       // infeasible
	Protections string            `json:"protections,omitempty"`
	ReviewAt    time.Time         `json:"review_at,omitzero"`
	Document    string            `json:"document_sha256,omitempty"`
	Sanitized   string            `json:"sanitized_by,omitempty"` // name and title of who did it
	Verified    string            `json:"verified_by,omitempty"`  // name and title of who looked
	Attester    string            `json:"attester,omitempty"`     // name and title of who says this, by a link
	// MediaType, Size and Content are of a file that comes along, as in AttachEvidence;
	// its digest is Document. Without content, Document is of a paper that is stored.
	MediaType string `json:"media_type,omitempty"`
	Size      int64  `json:"size,omitempty"`
	Content   []byte `json:"content,omitempty"` // base64
	// ScannedBy is as in PutDocument.
	ScannedBy string `json:"scanned_by,omitempty"`
}

// With is the attestation with a file that comes along.
func (a AttestDisposition) With(mediaType string, content []byte) AttestDisposition {
	d := NewDocument(mediaType, content)
	a.Document, a.MediaType, a.Size, a.Content = d.Digest, mediaType, d.Size, content
	return a
}

func (a AttestDisposition) scannedBy() string { return a.ScannedBy }

func (a AttestDisposition) withScan(by string) Act {
	a.ScannedBy = by
	return a
}

// detach takes the content out of the act, as of a document's; nil: none came along.
func (a AttestDisposition) detach() (Act, *Document) {
	if len(a.Content) == 0 {
		return a, nil
	}
	d := &Document{Digest: a.Document, MediaType: a.MediaType, Content: a.Content}
	a.Content = nil
	return a, d
}

// Subject implements Act.
func (a AttestDisposition) Subject() snapshot.Subject {
	return subject(snapshot.NounOffboarding, a.ID)
}

func (a AttestDisposition) documents() []string {
	if len(a.Content) > 0 {
		return nil // it is stored with the act
	}
	return []string{a.Document}
}

func (a AttestDisposition) about(v *snapshot.View, _ Actor) party {
	o, ok := v.Offboardings.Get(a.ID)
	if !ok {
		return party{}
	}
	return party{vendor: o.Vendor, link: a.Subject(), linkFor: snapshot.LinkAttestation}
}

// Methods and techniques of destruction: NIST SP 800-88, and what it does not speak
// of, the deletion of rows in a service.
var (
	Sanitizations = []string{"clear", "purge", "destroy"}
	Techniques    = []string{"cryptographic-erase", "overwrite", "block-erase", "degauss", "shred", "incinerate", "delete-and-expire"}
)

// checkFile is about the file that comes along, or the paper that is named instead.
func (a AttestDisposition) checkFile(by Actor, had snapshot.Disposition) error {
	switch {
	case len(a.Content) == 0 && (a.MediaType != "" || a.Size != 0):
		return badField("content", "is missing", "Send the file, or leave its type and size out")
	case len(a.Content) == 0 && by.Link != "" && a.Document != "" && a.Document != had.Document:
		return badField("document_sha256", "is not what was sent for this form before", "Send the file itself")
	case len(a.Content) == 0:
		return optionalDigest("document_sha256", a.Document)
	}
	return checkAttached("document_sha256", a.Document, a.MediaType, a.Size, a.Content, MaxEvidence)
}

func (a AttestDisposition) check(v *snapshot.View, by Actor, now time.Time) error {
	o, err := openOffboarding(v, a.ID)
	if err != nil {
		return err
	}
	if err := first(oneOf("form", a.Form, snapshot.DataForms), oneOf("outcome", a.Outcome, snapshot.Outcomes), shortText("items", a.Items),
		shortText("why", a.Why), shortText("protections", a.Protections), shortText("sanitized_by", a.Sanitized), shortText("verified_by", a.Verified),
		shortText("attester", a.Attester), a.checkFile(by, o.Dispositions[a.Form])); err != nil {
		return err
	}
	if len(a.Content) > 0 && o.Attached >= maxAttached {
		return conflict("content", fmt.Sprintf("%d files were sent already, with those that were replaced", maxAttached), "Send the rest to the organisation itself")
	}
	if by.Link != "" { // a link names a function's address, and whoever signs is a person
		if err := required("attester", a.Attester, `"T. Example, privacy officer"`); err != nil {
			return err
		}
	}
	switch a.Outcome {
	case snapshot.Destroyed:
		if err := first(oneOf("method", a.Method, Sanitizations), oneOf("technique", a.Technique, Techniques), required("items", a.Items, `"bucket readmission, volume 7"`),
			required("sanitized_by", a.Sanitized, `"R. Example, operations lead"`), required("verified_by", a.Verified, `"S. Example, security lead"`)); err != nil {
			return err
		}
		if a.Sanitized == a.Verified {
			return badField("verified_by", "is who did it", "Name another person, who looked")
		}
		return nil
	case snapshot.Returned:
		return required("items", a.Items, `"the export of 3 June, on the sealed disk"`)
	case snapshot.Cleared:
		if a.Form != snapshot.ModelWeights {
			return badField("outcome", "is for weights only", "Say returned, destroyed or infeasible")
		}
		return first(required("items", a.Items, `"adapter triage-v3"`), sha256Hex("document_sha256", a.Document))
	case snapshot.Infeasible:
		return first(required("items", a.Items, `"backups until 12 August"`), required("why", a.Why, `"the backup service deletes by date alone"`),
			required("protections", a.Protections, `"encrypted, restored for nothing else"`), set("review_at", a.ReviewAt), future("review_at", a.ReviewAt, now))
	}
	return nil
}

func (a AttestDisposition) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Offboardings, a.ID, func(o *snapshot.Offboarding) {
		o.Dispositions = maps.Clone(o.Dispositions)
		if a.MediaType != "" {
			o.Attached++
		}
		if o.Dispositions == nil {
			o.Dispositions = map[snapshot.DataForm]snapshot.Disposition{}
		}
		d := snapshot.Disposition{Outcome: a.Outcome, Method: a.Method, Technique: a.Technique, Items: a.Items, Why: a.Why, Protections: a.Protections,
			Document: a.Document, Sanitized: a.Sanitized, Verified: a.Verified, Attester: a.Attester, By: s.By, At: s.At}
		if !a.ReviewAt.IsZero() {
			d.ReviewAt = a.ReviewAt.UTC()
		}
		o.Dispositions[a.Form] = d
	})
}

// AcceptDisposition accepts, for the organisation, that a form cannot be destroyed,
// or that weights hold no PHI. Not by whoever recorded it.
type AcceptDisposition struct {
	ID   id.Offboarding    `json:"id"`
	Form snapshot.DataForm `json:"form"`
}

// Subject implements Act.
func (a AcceptDisposition) Subject() snapshot.Subject {
	return subject(snapshot.NounOffboarding, a.ID)
}

func (a AcceptDisposition) apart(v *snapshot.View) []id.Person {
	o, ok := v.Offboardings.Get(a.ID)
	if !ok {
		return nil
	}
	return actors(v, o.Dispositions[a.Form].By)
}

func (a AcceptDisposition) check(v *snapshot.View, _ Actor, _ time.Time) error {
	o, err := openOffboarding(v, a.ID)
	if err != nil {
		return err
	}
	if err := oneOf("form", a.Form, snapshot.DataForms); err != nil {
		return err
	}
	switch d := o.Dispositions[a.Form]; {
	case d.Outcome != snapshot.Infeasible && d.Outcome != snapshot.Cleared:
		return conflict("form", "There is nothing to accept: only what is infeasible or cleared needs it", "See sallyport offboarding get "+string(a.ID))
	case !d.AcceptedAt.IsZero():
		return conflict("form", "It is accepted already", "Nothing is left to do")
	}
	return nil
}

func (a AcceptDisposition) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Offboardings, a.ID, func(o *snapshot.Offboarding) {
		o.Dispositions = maps.Clone(o.Dispositions)
		d := o.Dispositions[a.Form]
		d.AcceptedBy, d.AcceptedAt = s.By, s.At
		o.Dispositions[a.Form] = d
	})
}

package policy

import (
	"time"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// Gate is one condition of a release: a Cedar policy that forbids, the facts
// that it reads, and the reasons that it gives.
type Gate struct {
	ID     string // lower case, also the policy's @id and the name of its facts
	Title  string // one line, what must hold
	Policy string // Cedar text: one forbid with @id
	// Cites are ids of hipaa's catalogue of controls, or "policy" where no law
	// sets the rule. The first one is quoted in refusals.
	Cites    []string
	Audience Audience
	Stage    Stage
	// Known writes facts out of the registry, as principal.<gate>.<fact>. They
	// are kept while the snapshot is the newest and no date that Facts was
	// told of is passed, so Known looks at nothing but the Case, and at the
	// time only through Facts.
	Known func(*Case, *Facts)
	// Asked writes facts of the request, as context.<gate>.<fact>. It is
	// called for every decision and must not look at the time.
	Asked func(*Case, *Request, Stage, *Facts)
	// Reasons is the closed list of what can be wrong. At least one holds
	// whenever the policy forbids, and none otherwise.
	Reasons []Reason
}

// Reason is one way in which a gate refuses.
type Reason struct {
	Code     string // "expired"
	Message  string // plain English, for the one who is refused
	NextStep string
	Who      Who
	// Detail is the name of the notes that say which one, if any: their values
	// follow the message ("The agreement lacks terms: BAA-M04").
	Detail string
	Fails  func(Values) bool
}

// Who can mend it.
type Who string

const (
	ByVendor       Who = "vendor"
	ByOrganisation Who = "organisation"
)

// Audience is who may see a reason. The zero Audience is the owner, who sees
// all.
type Audience string

const (
	Owner      Audience = ""       // the organisation's own people only
	VendorToo  Audience = "vendor" // the vendor that it is about, too
	ownerLabel          = "owner"
)

// String names the audience.
func (a Audience) String() string {
	if a == Owner {
		return ownerLabel
	}
	return string(a)
}

// Stage is when a gate can be decided.
type Stage string

const (
	AtRequest Stage = "request" // before the fetch
	AtContent Stage = "content" // after it, once for each release
)

// Case is who asks, looked up in the registry. What is not found is nil.
type Case struct {
	View *snapshot.View // never nil
	Caller
	VendorRecord     *snapshot.Vendor
	AppRecord        *snapshot.App
	DeviceRecord     *snapshot.Device
	GrantRecord      *snapshot.Grant
	EngagementRecord *snapshot.Engagement
	Person           *snapshot.Person
	Role             *snapshot.Role
	SourceRecord     *snapshot.Source
	Agreements       []*snapshot.Agreement // those of the engagement that exist
	Gates            int                   // how many gates the engine loaded, without the site's

	once map[string]any
}

// Once gives what make makes, and makes it once for the case: gates that ask the same
// of its papers share the answer. It is for Known alone, which runs gate after gate. The
// dates that were looked at on the way are noted by the gate that asked first, and hold
// for the caller as a whole.
func Once[T any](c *Case, key string, make func() T) T {
	if kept, ok := c.once[key].(T); ok {
		return kept
	}
	made := make()
	if c.once == nil {
		c.once = map[string]any{}
	}
	c.once[key] = made
	return made
}

// Caller is who asks and for which source, by id.
type Caller struct {
	Vendor id.Vendor
	App    id.App
	Device id.Device
	Grant  id.Grant
	Source id.Source
}

func (r *Request) caller() Caller {
	return Caller{Vendor: r.Vendor, App: r.App, Device: r.Device, Grant: r.Grant, Source: r.Source}
}

func newCase(v *snapshot.View, who Caller, gates int) *Case {
	if v == nil {
		v = &snapshot.View{}
	}
	c := &Case{View: v, Caller: who, Gates: gates}
	c.VendorRecord, _ = v.Vendors.Get(who.Vendor)
	c.AppRecord, _ = v.Apps.Get(who.App)
	c.DeviceRecord, _ = v.Devices.Get(who.Device)
	c.GrantRecord, _ = v.Grants.Get(who.Grant)
	for i := range v.Settings.Sources {
		if s := &v.Settings.Sources[i]; s.ID == who.Source && s.ID != "" {
			c.SourceRecord = s
		}
	}
	if c.GrantRecord == nil {
		return c
	}
	c.EngagementRecord, _ = v.Engagements.Get(c.GrantRecord.Engagement)
	c.Person, _ = v.Persons.Get(c.GrantRecord.Person)
	c.Role, _ = v.Roles.Get(c.GrantRecord.Role)
	if c.EngagementRecord == nil {
		return c
	}
	for _, a := range c.EngagementRecord.Agreements {
		if rec, ok := v.Agreements.Get(a); ok {
			c.Agreements = append(c.Agreements, rec)
		}
	}
	return c
}

// basis is what a permit for the case rests on.
func (c *Case) basis(relies []Clause) Basis {
	b := Basis{}
	if g := c.GrantRecord; g != nil {
		b.Engagement, b.Role, b.Person = g.Engagement, g.Role, g.Person
	}
	if e := c.EngagementRecord; e != nil {
		b.Purpose, b.DataClass = e.Purpose, e.DataClass
	}
	if c.Role != nil {
		b.Profile = c.Role.Profile
	}
	if c.AppRecord != nil {
		b.AgentKind = c.AppRecord.Kind
	}
	b.Agreements, b.Clauses = clauses(relies)
	return b
}

// Limits is how far a permit reaches.
type Limits struct {
	PageSize     int   // most resources in a page
	PatientsLeft int   // distinct patients that the grant may still see for the first time
	BytesLeft    int64 // in the current UTC day
	Role         *snapshot.Role
	Cohort       snapshot.Cohort
	Labels       []string // security labels that may be released, "system|code"
	Since, Until time.Time
	DataClass    hipaa.DataClass
	// Sealing is what the engagement demands, and Recipient the device's key for it.
	Sealing   snapshot.Sealing
	Recipient string
}

package console

import (
	"encoding/base64"
	"iter"
	"reflect"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/fhir/spec"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// What a field can be chosen from. A vendor's person is offered what is their own firm's,
// and nothing else: what a list holds is told by it.

// candidate is a record that a field could name.
type candidate struct {
	id, label, more string
	vendor          id.Vendor
	state           snapshot.State
	shut            bool // over: nothing is left to do about it
}

// candidates are the records that a field could name, by the type of its id; all: there are
// no others. Nil: the field names no record.
func (f *actForm) candidates(name string, t reflect.Type) (out []option, all bool) {
	known := f.known(name, t)
	if known == nil {
		return nil, false
	}
	theirs := !f.v.ours()
	vendor := f.vendorOf()
	top := name == "id"
	// Another vendor can stand in a field beside the one that the act is about.
	any := t == of[id.Vendor]() || t == of[id.Source]() || t == of[id.Role]() || t == of[id.Person]() && f.v.ours() && ownPerson(f.spec.Name, name)
	out = []option{}
	for c := range known {
		switch {
		case theirs && c.vendor != f.v.Person.Vendor:
			continue
		case !theirs && !any && vendor != "" && c.vendor != "" && c.vendor != vendor:
			continue
		case c.shut || top && !f.fitsState(c.state) || !top && c.state == snapshot.Ended:
			continue
		}
		if len(out) == maxOffered {
			return out, false
		}
		text := c.id
		if c.label != "" && c.label != c.id {
			text = c.label + " (" + c.id + ")"
		}
		if c.more != "" {
			text += ", " + c.more
		} else if x, ok := f.v.View.Vendors.Get(c.vendor); ok && vendor == "" && t != of[id.Vendor]() {
			text += ", " + x.Name
		}
		out = append(out, option{Value: c.id, Label: text})
	}
	return out, true
}

// vendorOf is the vendor that the act is about, as far as the form says.
func (f *actForm) vendorOf() id.Vendor {
	v := f.v.View
	if x := id.Vendor(f.typed.Get("vendor")); x != "" {
		return x
	}
	if e, ok := v.Engagements.Get(id.Engagement(f.typed.Get("engagement"))); ok {
		return e.Vendor
	}
	if p, ok := v.Persons.Get(id.Person(f.typed.Get("person"))); ok {
		return p.Vendor
	}
	return ""
}

// of1 makes the candidates of a table.
func of1[K ~string, V any](t snapshot.Table[K, V], f func(*V) candidate) iter.Seq[candidate] {
	return func(yield func(candidate) bool) {
		for k, r := range t.All() {
			c := f(r)
			c.id = string(k)
			if !yield(c) {
				return
			}
		}
	}
}

// known are all records of the type; nil: it is no record's.
func (f *actForm) known(name string, t reflect.Type) iter.Seq[candidate] {
	v := f.v.View
	vendorOfPerson := func(p id.Person) id.Vendor {
		if x, ok := v.Persons.Get(p); ok {
			return x.Vendor
		}
		return ""
	}
	vendorOfWork := func(e id.Engagement) id.Vendor {
		if x, ok := v.Engagements.Get(e); ok {
			return x.Vendor
		}
		return ""
	}
	vendorOfGrant := func(g id.Grant) id.Vendor {
		if x, ok := v.Grants.Get(g); ok {
			return vendorOfWork(x.Engagement)
		}
		return ""
	}
	switch t {
	case of[id.Vendor]():
		return of1(v.Vendors, func(x *snapshot.Vendor) candidate {
			c := candidate{label: x.Name, vendor: x.ID, state: x.State}
			if own, ok := v.Vendors.Get(f.v.Person.Vendor); ok && name == "carve_outs" { // those below the visitor's own
				if c.vendor = ""; slices.Contains(own.Subcontractors, x.ID) {
					c.vendor = own.ID
				}
			}
			return c
		})
	case of[id.Engagement]():
		return of1(v.Engagements, func(x *snapshot.Engagement) candidate { return candidate{vendor: x.Vendor, state: x.State} })
	case of[id.Agreement]():
		return of1(v.Agreements, func(x *snapshot.Agreement) candidate { return candidate{vendor: x.Vendor, state: x.State} })
	case of[id.Device]():
		return of1(v.Devices, func(x *snapshot.Device) candidate { return candidate{vendor: x.Vendor, state: x.State} })
	case of[id.App]():
		return of1(v.Apps, func(x *snapshot.App) candidate { return candidate{label: x.Name, vendor: x.Vendor, state: x.State} })
	case of[id.Person]():
		own := ownPerson(f.spec.Name, name)
		return of1(v.Persons, func(x *snapshot.Person) candidate {
			return candidate{label: x.Name, vendor: x.Vendor, state: x.State, shut: f.v.ours() && name != "id" && own != (x.Vendor == "") || f.v.ours() && own && x.Vendor != ""}
		})
	case of[id.Role]():
		return of1(v.Roles, func(x *snapshot.Role) candidate {
			c := candidate{label: x.Title, state: x.State, shut: x.DerivedFrom != "" && name != "id"}
			for _, e := range x.OfferedTo { // to a vendor's people roles are known that are offered to them
				if vendorOfWork(e) == f.v.Person.Vendor && f.v.Person.Vendor != "" {
					c.vendor = f.v.Person.Vendor
				}
			}
			return c
		})
	case of[id.Grant]():
		return of1(v.Grants, func(x *snapshot.Grant) candidate {
			return candidate{more: string(x.Person) + " on " + string(x.Engagement), vendor: vendorOfWork(x.Engagement), state: x.State}
		})
	case of[id.Review]():
		return of1(v.Reviews, func(x *snapshot.Review) candidate {
			return candidate{label: string(x.Grant), more: "due " + day(x.DueAt), vendor: vendorOfGrant(x.Grant), shut: !x.CompletedAt.IsZero()}
		})
	case of[id.Request]():
		return of1(v.Requests, func(x *snapshot.Request) candidate {
			return candidate{label: string(x.Person) + ", " + string(x.Role), vendor: x.Vendor, shut: x.Grant != "" || !x.DecidedAt.IsZero() || !f.v.ours() && x.Person != f.v.Person.ID}
		})
	case of[id.Source]():
		return func(yield func(candidate) bool) {
			for _, x := range v.Settings.Sources {
				c := candidate{id: string(x.ID)}
				for _, e := range v.Engagements.All() {
					if !f.v.ours() && e.Vendor == f.v.Person.Vendor && slices.Contains(e.Sources, x.ID) {
						c.vendor = e.Vendor
					}
				}
				if !yield(c) {
					return
				}
			}
		}
	case of[id.Assessment]():
		return of1(v.Assessments, func(x *snapshot.Assessment) candidate {
			return candidate{label: string(x.Verdict) + ", " + day(x.DecidedAt), vendor: x.Vendor}
		})
	case of[id.Certification]():
		return of1(v.Certifications, func(x *snapshot.Certification) candidate {
			done := !x.RevokedAt.IsZero() || !x.VerifiedAt.IsZero() && (f.spec.Verb == "verify" || !f.v.ours()) || !f.v.ours() && !v.SentByVendor(x)
			return candidate{label: certificationName(x.Type), vendor: x.Vendor, shut: name == "id" && done}
		})
	case of[id.Questionnaire]():
		return of1(v.Questionnaires, func(x *snapshot.Questionnaire) candidate { return candidate{vendor: x.Vendor} })
	case of[id.Determination]():
		return of1(v.Determinations, func(x *snapshot.Determination) candidate {
			return candidate{label: x.Profile, vendor: vendorOfWork(x.Engagement), state: x.State}
		})
	case of[id.Training]():
		return of1(v.Trainings, func(x *snapshot.Training) candidate {
			return candidate{label: string(x.Person) + ", " + x.Course, vendor: vendorOfPerson(x.Person), shut: !x.RevokedAt.IsZero()}
		})
	case of[id.Attempt]():
		return of1(v.Attempts, func(x *snapshot.Attempt) candidate {
			return candidate{label: string(x.Person) + ", " + x.Track, vendor: x.Vendor, shut: x.Stage != snapshot.AttemptOpen || !f.v.ours() && x.Person != f.v.Person.ID}
		})
	case of[id.Offboarding]():
		return of1(v.Offboardings, func(x *snapshot.Offboarding) candidate { return candidate{label: string(x.Vendor), vendor: x.Vendor} })
	case of[id.Attestation]():
		return of1(v.Attestations, func(x *snapshot.Attestation) candidate {
			return candidate{label: string(x.Device), vendor: vendorOfWork(x.Engagement)}
		})
	case of[id.Session]():
		return of1(v.Sessions, func(x *snapshot.Session) candidate {
			return candidate{label: string(x.Person), vendor: x.Vendor, shut: !x.Live(f.v.Now) || !f.v.ours() && x.Person != f.v.Person.ID}
		})
	}
	switch {
	case t.PkgPath() != of[id.Vendor]().PkgPath():
		return nil // no id
	case !f.v.ours():
		return func(func(candidate) bool) {} // of the organisation alone
	}
	switch t {
	case of[id.Incident]():
		return of1(v.Incidents, func(x *snapshot.Incident) candidate { return candidate{label: x.Title, vendor: x.Vendor} })
	case of[id.Finding]():
		return of1(v.Findings, func(x *snapshot.Finding) candidate {
			return candidate{label: x.Title, vendor: x.Vendor, shut: x.Settled != "" && name == "id"}
		})
	case of[id.Hold]():
		return of1(v.Holds, func(x *snapshot.Hold) candidate {
			return candidate{label: words(string(x.On.Noun)) + " " + x.On.ID, shut: !x.LiftedAt.IsZero()}
		})
	case of[id.Link]():
		return of1(v.Links, func(x *snapshot.Link) candidate {
			return candidate{label: x.Contact, vendor: x.Vendor, shut: !x.RevokedAt.IsZero()}
		})
	case of[id.Emergency]():
		return of1(v.Emergencies, func(x *snapshot.Emergency) candidate {
			return candidate{label: string(x.Source) + ", " + day(x.UsedAt), shut: x.ReviewedBy != ""}
		})
	case of[id.Connector]():
		return of1(v.Connectors, func(x *snapshot.Connector) candidate {
			return candidate{label: x.Name, vendor: x.Vendor, state: x.State}
		})
	case of[id.Campaign]():
		return of1(v.Campaigns, func(x *snapshot.Campaign) candidate { return candidate{label: x.Title} })
	case of[id.Course]():
		return of1(v.Courses, func(x *snapshot.Course) candidate { return candidate{label: x.Title, state: x.State} })
	}
	return nil
}

// fitsState reports whether the act could be about a record that stands so.
func (f *actForm) fitsState(s snapshot.State) bool {
	switch f.spec.Verb {
	case "approve":
		return s == snapshot.Proposed || s == ""
	case "resume", "suspend":
		return s != snapshot.Ended && s != snapshot.Proposed
	}
	return s != snapshot.Ended
}

// picked are the values of a field that follow from what else the form says; nil: none do.
func (f *actForm) picked(name string) []option {
	v := f.v.View
	last := name[strings.LastIndexByte(name, '.')+1:]
	about := f.typed.Get("id")
	if !f.v.ours() && about != string(f.v.Person.ID) {
		about = ""
	}
	switch {
	case f.spec.Name == "person.approve" && name == "passkeys":
		if p, ok := v.Persons.Get(id.Person(about)); ok {
			out := []option{}
			for _, k := range p.Passkeys {
				out = append(out, option{Value: k.Fingerprint, Label: strings.TrimSpace(k.Fingerprint + " " + k.Name)})
			}
			return out
		}
	case f.spec.Name == "person.remove-passkey" && name == "credential":
		if p, ok := v.Persons.Get(id.Person(about)); ok {
			out := []option{{Value: "", Label: "Choose"}}
			for _, k := range p.Passkeys {
				out = append(out, option{Value: base64.StdEncoding.EncodeToString(k.ID), Label: strings.TrimSpace(k.Name + " " + k.Fingerprint)})
			}
			return out
		}
	case last == "elements" && strings.Contains(name, "resources."):
		return f.elements(name)
	}
	return nil
}

// elements are those of a resource type at its top, to pick from; of what a role has,
// where the form names one.
func (f *actForm) elements(name string) []option {
	typ := name[:strings.LastIndexByte(name, '.')]
	typ = typ[strings.LastIndexByte(typ, '.')+1:]
	if r, ok := f.v.View.Roles.Get(id.Role(f.typed.Get("role"))); ok && (f.v.ours() || f.offered(r)) {
		out := []option{}
		for _, e := range r.Resources[typ].Elements {
			out = append(out, option{Value: e, Label: e})
		}
		return out
	}
	t, ok := spec.Lookup(typ)
	if !ok || !f.v.ours() {
		return nil
	}
	out := []option{}
	for _, e := range t.Elements {
		path := e.Name
		if e.Choice {
			path += "[x]"
		}
		if slices.Contains([]string{"id", "meta", "implicitRules", "language", "contained", "extension", "modifierExtension"}, e.Name) || slices.ContainsFunc(out, func(o option) bool { return o.Value == path }) {
			continue
		}
		out = append(out, option{Value: path, Label: path + " (" + e.Type.Name + ")"})
	}
	return out
}

// offered reports whether the role is offered to the visitor's firm.
func (f *actForm) offered(r *snapshot.Role) bool {
	return slices.ContainsFunc(r.OfferedTo, func(e id.Engagement) bool {
		x, ok := f.v.View.Engagements.Get(e)
		return ok && x.Vendor == f.v.Person.Vendor
	})
}

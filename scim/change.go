package scim

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// claimed is the basis of a classification that a directory did not give. It is
// the directory's word; who approves the person stands by it.
const claimed = "provisioned by the vendor's directory"

// ownName is the name under which a connector acts.
func ownName(c id.Connector) id.Person { return registry.Actor{Connector: c}.Name() }

func (x *exchange) actor() registry.Actor { return registry.Actor{Connector: x.c.ID} }

func (x *exchange) meta() registry.Meta {
	return registry.Meta{Reason: "the directory said so (SCIM " + methodWord(x.r.Method) + ")"}
}

// create proposes a person (RFC 7644, section 3.3). They have no access until the
// organisation approves them; the extension's state says so.
func (x *exchange) create() answer {
	o, bad := x.read()
	if bad != nil {
		return *bad
	}
	turn := x.s.turn(x.c.ID)
	turn.Lock()
	defer turn.Unlock()
	a := new(account)
	if err := a.take(o, false); err != nil {
		return x.refused(err)
	}
	if err := a.limit(); err != nil {
		return x.refused(err)
	}
	region := a.place()
	if region == "" && x.c.Vendor != "" {
		return x.refused(invalidValue("The region", "is missing: where the person works decides what they may see. Map "+Extension+":region, or addresses.country, to an ISO 3166 code such as US or US-MA"))
	}
	v := x.s.c.Registry.View()
	people := v.PersonsOfDirectory(x.c.ID)
	if len(people) >= maxPeople {
		return failed(http.StatusForbidden, "tooMany", "The directory has as many people here as it may have")
	}
	for _, p := range people {
		if p.State != snapshot.Ended && (strings.EqualFold(p.Directory.UserName, a.UserName) || a.ExternalID != "" && p.Directory.ExternalID == a.ExternalID) {
			return failed(http.StatusConflict, "uniqueness", "Another person has this userName or externalId; accounts are not shared")
		}
	}
	class := hipaa.BusinessAssociate
	if x.c.Vendor == "" {
		class = hipaa.Workforce
	}
	if a.classification != "" {
		class = hipaa.Classification(a.classification)
	}
	a.Connector = x.c.ID
	act := registry.ProposePerson{ID: id.New[id.Person](x.s.c.Now()), Vendor: x.c.Vendor, Name: a.name(), Classification: class, Basis: cmp.Or(a.basis, claimed),
		Region: region, Directory: a.Directory, Login: x.login(v, a, snapshot.Login{}), Suspended: a.active != nil && !*a.active}
	if err := x.do(act); err != nil {
		return x.refused(err)
	}
	p, ok := x.find(act.ID)
	if !ok {
		return x.refused(problem.New(problem.Internal, "The person was proposed and is not there", ""))
	}
	return x.show(http.StatusCreated, p, nil, nil)
}

// login is who the person is to the vendor's identity provider, if the vendor has
// exactly one and the directory says by which subject it knows the person: in the
// extension, or else by externalId. An address is never taken for a subject.
func (x *exchange) login(v *snapshot.View, a *account, old snapshot.Login) snapshot.Login {
	subject := a.subject
	if subject == "" || subject == old.Subject {
		subject = a.ExternalID
		if old.Subject != "" {
			return old // it was linked, by the organisation or the extension
		}
	}
	var providers []id.Connector
	for _, c := range v.Connectors.All() {
		if c.Kind == snapshot.OIDCProvider && c.Vendor == x.c.Vendor && c.State == snapshot.Approved {
			providers = append(providers, c.ID)
		}
	}
	if len(providers) != 1 || subject == "" || strings.ContainsRune(subject, '@') {
		return old
	}
	return snapshot.Login{Connector: providers[0], Subject: subject}
}

// change is PUT, PATCH and DELETE on a person.
func (x *exchange) change(key id.Person) answer {
	if x.r.Method == http.MethodDelete {
		return x.remove(key)
	}
	o, bad := x.read()
	if bad != nil {
		return *bad
	}
	turn := x.s.turn(x.c.ID)
	turn.Lock()
	defer turn.Unlock()
	p, bad := x.unchanged(key)
	if bad != nil {
		return *bad
	}
	a := said(p)
	var err error
	if x.r.Method == http.MethodPatch {
		err = a.patch(o)
	} else {
		// What is kept for good, and whether the person is active, is not undone by
		// leaving it out.
		a = &account{old: p.Region, subject: p.Login.Subject}
		err = a.take(o, false)
	}
	if err == nil {
		err = a.limit()
	}
	if err != nil {
		return x.refused(err)
	}
	acts, err := x.acts(p, a)
	if err != nil {
		return x.refused(err)
	}
	// All are looked at before the first is done.
	for _, act := range acts {
		if err := x.s.c.Registry.May(x.actor(), act, x.meta()); err != nil {
			return x.refused(err)
		}
	}
	for _, act := range acts {
		if err := x.do(act); err != nil {
			return x.refused(err)
		}
	}
	p, ok := x.find(key)
	if !ok {
		return notFound()
	}
	q := x.r.URL.Query()
	return x.show(http.StatusOK, p, names(q.Get("attributes")), names(q.Get("excludedAttributes")))
}

// acts are what leads from the person to what the directory says. Stopping comes
// first and letting go on last.
func (x *exchange) acts(p *snapshot.Person, a *account) (acts []registry.Act, err error) {
	if class := a.classification; class != "" && class != string(p.Classification) || a.basis != "" && a.basis != p.Basis {
		return nil, &requestError{scimType: "mutability", detail: "How a person is classified is the organisation's to change"}
	}
	own := slices.Contains(p.SuspendedBy, ownName(x.c.ID))
	if a.active != nil && !*a.active && !own {
		acts = append(acts, registry.SuspendPerson{ID: p.ID})
	}
	if name, region := a.name(), a.place(); name != p.Name || region != p.Region {
		acts = append(acts, registry.AmendPerson{ID: p.ID, Name: name, Classification: p.Classification, Basis: p.Basis, Region: region})
	}
	a.Connector = x.c.ID
	if a.Directory != p.Directory {
		acts = append(acts, registry.LinkDirectory{ID: p.ID, Directory: a.Directory})
	}
	if l := x.login(x.s.c.Registry.View(), a, p.Login); l != p.Login {
		acts = append(acts, registry.LinkLogin{ID: p.ID, Login: l})
	}
	if a.active == nil || !*a.active || p.State != snapshot.Suspended {
		return acts, nil
	}
	if !own {
		return nil, &requestError{status: http.StatusConflict, detail: "The person is suspended, and not by this directory: only who suspended them can end that"}
	}
	return append(acts, registry.ResumePerson{ID: p.ID}), nil
}

// unchanged is a person whom this directory knows, as the directory knows them.
func (x *exchange) unchanged(key id.Person) (*snapshot.Person, *answer) {
	p, ok := x.find(key)
	if !ok {
		a := notFound()
		return nil, &a
	}
	if m := x.r.Header.Get("If-Match"); m != "" && !matches(m, x.version(p)) {
		a := failed(http.StatusPreconditionFailed, "", "The person has changed since: read them again")
		return nil, &a
	}
	return p, nil
}

func (x *exchange) remove(key id.Person) answer {
	turn := x.s.turn(x.c.ID)
	turn.Lock()
	defer turn.Unlock()
	p, bad := x.unchanged(key)
	if bad != nil {
		return *bad
	}
	if err := x.do(registry.DeactivatePerson{ID: p.ID}); err != nil {
		return x.refused(err)
	}
	return answer{status: http.StatusNoContent}
}

// do does an act. The directory hanging up does not stop it: a leaver is a leaver.
func (x *exchange) do(a registry.Act) error {
	_, err := x.s.c.Registry.Do(context.WithoutCancel(x.r.Context()), x.actor(), a, x.meta())
	return err
}

// refused words a failure for the directory (RFC 7644, section 3.12).
func (x *exchange) refused(err error) answer {
	var bad *requestError
	if errors.As(err, &bad) {
		a := failed(cmp.Or(bad.status, http.StatusBadRequest), bad.scimType, bad.detail)
		a.cause = problem.New(problem.Invalid, bad.scimType, "")
		return a
	}
	p := problem.From(err)
	a := failed(p.Kind.Status(), "", p.Title)
	a.cause = p
	switch p.Kind {
	case problem.Invalid:
		// The registry's words about a field of the account, which is the sender's own.
		a = failed(http.StatusBadRequest, "invalidValue", strings.TrimSpace(p.Field+" "+p.Title+". "+p.NextStep))
	case problem.Conflict:
		scimType := ""
		if strings.HasPrefix(p.Field, "directory.") || p.Field == "login" {
			scimType = "uniqueness"
		}
		a = failed(http.StatusConflict, scimType, p.Title+". "+p.NextStep)
	case problem.Refused:
		a = failed(http.StatusForbidden, "", "The directory may not do this now: its own approval, or who the person belongs to, does not allow it")
	case problem.Unavailable:
		a = failed(http.StatusServiceUnavailable, "", "It could not be recorded, so it has no effect yet: try again")
		a.header = http.Header{"Retry-After": {"2"}}
	case problem.NotFound:
		a = notFound()
	default:
		a = failed(http.StatusInternalServerError, "", "Something went wrong here: try again")
	}
	a.cause = p
	return a
}

# The peer's policy: what Sallyport's gates ask for, as Rego over the same
# records, so that OPA decides the same question. It does not look at data, keep
# volumes or say why it refuses; Sallyport's gates do, so this peer does less.
package sallyport

now := time.now_ns()

past(t) if time.parse_rfc3339_ns(t) <= now

future(t) if time.parse_rfc3339_ns(t) > now

device := data.devices[data.keys[input.certificate]]

app := data.apps[input.app]

grant := data.grants[input.grant]

engagement := data.engagements[grant.engagement]

vendor := data.vendors[engagement.vendor]

person := data.persons[grant.person]

role := data.roles[grant.role]

approved(x) if {
	x.state == "approved"
	x.requested_by != x.approved_by
}

parts := split(trim_prefix(split(input.uri, "?")[0], "/fhir/"), "/")

interaction := "read" if {
	input.method == "GET"
	count(parts) == 2
}

interaction := "search-type" if {
	input.method == "GET"
	count(parts) == 1
}

transport if {
	input.verified == "SUCCESS"
	input.tls == "TLSv1.3"
}

vendor_approved if approved(vendor)

assessment if {
	some a in data.assessments
	a.vendor == vendor.id
	a.verdict == "pass"
	past(a.decided_at)
	future(a.valid_until)
}

certified(type) if {
	some c in data.certifications
	c.vendor == vendor.id
	c.type == type
	c.verified_by
	past(c.verified_at)
	future(c.expires_at)
}

certification if every type in vendor.required_certifications {
	certified(type)
}

signed(g) if {
	parties := {s.party | some s in g.signatures; past(s.at)}
	count(parties) == 2
}

in_force(g) if {
	approved(g)
	signed(g)
	past(g.effective_at)
	not g.terminated_at
	not g.suspended_at
}

papers := [g | some key in engagement.agreements; g := data.agreements[key]]

agreement if {
	some g in papers
	g.kind == "baa"
	in_force(g)
	every field in data.mandatory_terms {
		g.terms[field].value == true
		g.terms[field].clause != ""
	}
}

permitted_use if every g in papers {
	some use in g.permitted_uses
	use.purpose == engagement.purpose
	engagement.data_class in use.data_classes
}

subcontractors if every s in vendor.subcontractors {
	approved(data.vendors[s])
	some g in data.agreements
	g.kind == "subcontractor-baa"
	g.subcontractor == s
	in_force(g)
}

region_within(r, wide) if r == wide

region_within(r, wide) if startswith(r, concat("", [wide, "-"]))

region if every g in papers {
	every r in g.regions {
		region_within(device.region, r)
		region_within(person.region, r)
	}
}

person_active if {
	approved(person)
	person.classification == "business-associate"
	person.vendor == vendor.id
}

training if {
	some t in data.trainings
	t.person == person.id
	t.course == data.settings.course
	t.version >= data.settings.course_version
	t.passed
	future(t.expires_at)
}

device_trusted if {
	approved(device)
	device.vendor == vendor.id
	device.id in grant.devices
	future(device.trusted_until)
}

app_registered if {
	approved(app)
	app.vendor == vendor.id
	grant.app == app.id
}

grant_active if {
	approved(grant)
	past(grant.starts_at)
	future(grant.ends_at)
}

engagement_active if {
	approved(engagement)
	past(engagement.starts_at)
	future(engagement.ends_at)
	data.settings.source in engagement.sources
}

basis if engagement.basis == "operations-under-baa"

review if {
	some r in data.reviews
	r.grant == grant.id
	future(r.due_at)
}

role_covers if {
	approved(role)
	interaction in role.resources[parts[0]].interactions
}

subjects := {["vendor", vendor.id], ["engagement", engagement.id], ["person", person.id], ["device", device.id], ["app", app.id], ["grant", grant.id]}

held if {
	some h in data.holds
	not h.lifted_at
	[h.on.noun, h.on.id] in subjects
}

allow if {
	transport
	vendor_approved
	assessment
	certification
	agreement
	permitted_use
	subcontractors
	region
	person_active
	training
	device_trusted
	app_registered
	grant_active
	engagement_active
	basis
	review
	role_covers
	not held
}

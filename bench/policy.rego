# The peer's policy: what Sallyport's gates ask of the papers, in Rego, written
# for speed. The records come joined into one document for each grant, with times
# as numbers and lists as objects, as an operator would push them to OPA. It does
# not look at data, keep volumes, say why it refuses or record anything, all of
# which Sallyport's gates do: this peer is asked for less.
package sallyport

allow if {
	now := time.now_ns()
	g := data.grants[input.grant]

	# transport
	input.verified == "SUCCESS"
	input.tls == "TLSv1.3"

	# grant
	g.state == "approved"
	g.requested_by != g.approved_by
	g.starts_at <= now
	now < g.ends_at
	g.review_due > now

	# app
	g.app.id == input.app
	g.app.state == "approved"
	g.app.vendor == g.vendor.id

	# device
	device := g.devices[input.certificate]
	device.state == "approved"
	device.vendor == g.vendor.id
	device.trusted_until > now
	g.regions[device.region]

	# person and training
	g.person.state == "approved"
	g.person.classification == "business-associate"
	g.person.vendor == g.vendor.id
	g.regions[g.person.region]
	g.training.course == data.settings.course
	g.training.version >= data.settings.course_version
	g.training.passed
	g.training.expires_at > now

	# vendor, assessment, certifications
	g.vendor.state == "approved"
	g.assessment.verdict == "pass"
	g.assessment.decided_at <= now
	g.assessment.valid_until > now
	g.certification.verified_at <= now
	g.certification.expires_at > now

	# screening (28 CFR Part 202)
	g.vendor.ownership == "no"
	g.vendor.access == "no"
	g.vendor.screened_at <= now
	g.vendor.screening_until > now

	# engagement
	g.engagement.state == "approved"
	g.engagement.starts_at <= now
	g.engagement.ends_at > now
	g.engagement.basis == "operations-under-baa"
	g.engagement.sources[data.settings.source]

	# agreements: in force, complete, and for this purpose and data class
	g.baa.state == "approved"
	g.baa.signatures == 2
	g.baa.terms_missing == 0
	g.baa.effective_at <= now
	not g.baa.ended
	g.baa.uses[g.engagement.purpose][g.engagement.data_class]
	g.contract.state == "approved"
	g.contract.signatures == 2
	g.contract.effective_at <= now
	g.contract.ends_at > now
	not g.contract.ended
	g.contract.uses[g.engagement.purpose][g.engagement.data_class]

	# subcontractor
	g.subcontract.state == "approved"
	g.subcontract.signatures == 2
	g.subcontract.effective_at <= now
	not g.subcontract.ended

	# role: type and interaction of the request
	input.method == "GET"
	parts := split(input.uri, "/")
	type := split(parts[2], "?")[0]
	interaction := {3: "search-type", 4: "read"}[count(parts)]
	g.role.state == "approved"
	g.role.resources[type][interaction]

	# de-identification: the role's profile satisfies the class of data, and an
	# expert's determination is in force where the profile rests on one
	profile := data.settings.profiles[g.role.profile]
	satisfies[g.engagement.data_class][profile.basis]
	determined(g, profile, now)

	# holds on any of them
	not data.holds.vendor[g.vendor.id]
	not data.holds.engagement[g.engagement.id]
	not data.holds.person[g.person.id]
	not data.holds.device[device.id]
	not data.holds.app[g.app.id]
	not data.holds.grant[input.grant]
}

satisfies := {
	"phi": {"minimum-necessary": true, "limited-data-set": true, "safe-harbor": true, "expert-determination": true},
	"limited-data-set": {"limited-data-set": true, "safe-harbor": true, "expert-determination": true},
	"de-identified": {"safe-harbor": true, "expert-determination": true},
}

determined(_, profile, _) if profile.basis != "expert-determination"

determined(g, profile, now) if {
	profile.basis == "expert-determination"
	d := g.determinations[profile.name]
	d.state == "approved"
	d.requested_by != d.approved_by
	d.profile_sha256 == profile.sha256
	d.determined_at <= now
	now < d.valid_until
}

package snapshot

import "github.com/sallyport/sallyport/id"

// VendorOf is whose a subject is, as far as its record says: a vendor's own, or what was
// agreed with it, asked of it or given to it. Empty: the organisation's, or not known.
func (v *View) VendorOf(s Subject) id.Vendor {
	switch s.Noun {
	case NounVendor:
		return id.Vendor(s.ID)
	case NounAssessment:
		return whose(v.Assessments, s, func(r *Assessment) id.Vendor { return r.Vendor })
	case NounCertification:
		return whose(v.Certifications, s, func(r *Certification) id.Vendor { return r.Vendor })
	case NounAgreement:
		return whose(v.Agreements, s, func(r *Agreement) id.Vendor { return r.Vendor })
	case NounEngagement, NounKey:
		return whose(v.Engagements, s, func(r *Engagement) id.Vendor { return r.Vendor })
	case NounDetermination:
		return whose(v.Determinations, s, func(r *Determination) id.Vendor { return v.vendorOf(NounEngagement, string(r.Engagement)) })
	case NounPerson:
		return whose(v.Persons, s, func(r *Person) id.Vendor { return r.Vendor })
	case NounTraining:
		return whose(v.Trainings, s, func(r *Training) id.Vendor { return v.vendorOf(NounPerson, string(r.Person)) })
	case NounAttempt:
		return whose(v.Attempts, s, func(r *Attempt) id.Vendor { return v.vendorOf(NounPerson, string(r.Person)) })
	case NounSession:
		return whose(v.Sessions, s, func(r *Session) id.Vendor { return r.Vendor })
	case NounDevice, NounPosture:
		return whose(v.Devices, s, func(r *Device) id.Vendor { return r.Vendor })
	case NounAttestation:
		return whose(v.Attestations, s, func(r *Attestation) id.Vendor { return v.vendorOf(NounDevice, string(r.Device)) })
	case NounApp:
		return whose(v.Apps, s, func(r *App) id.Vendor { return r.Vendor })
	case NounGrant:
		return whose(v.Grants, s, func(r *Grant) id.Vendor { return v.vendorOf(NounEngagement, string(r.Engagement)) })
	case NounReview:
		return whose(v.Reviews, s, func(r *Review) id.Vendor { return v.vendorOf(NounGrant, string(r.Grant)) })
	case NounHold:
		return whose(v.Holds, s, func(r *Hold) id.Vendor {
			if r.On.Noun == NounHold {
				return "" // no hold is on a hold; one that were could be on itself
			}
			return v.VendorOf(r.On)
		})
	case NounConnector:
		return whose(v.Connectors, s, func(r *Connector) id.Vendor { return r.Vendor })
	case NounQuestionnaire:
		return whose(v.Questionnaires, s, func(r *Questionnaire) id.Vendor { return r.Vendor })
	case NounLink:
		return whose(v.Links, s, func(r *Link) id.Vendor { return r.Vendor })
	case NounFinding:
		return whose(v.Findings, s, func(r *Finding) id.Vendor { return r.Vendor })
	case NounRequest:
		return whose(v.Requests, s, func(r *Request) id.Vendor { return r.Vendor })
	case NounIncident:
		return whose(v.Incidents, s, func(r *Incident) id.Vendor { return r.Vendor })
	case NounOffboarding:
		return whose(v.Offboardings, s, func(r *Offboarding) id.Vendor { return r.Vendor })
	}
	return "" // roles, courses, campaigns, emergencies: the organisation's own
}

func (v *View) vendorOf(noun Noun, key string) id.Vendor { return v.VendorOf(Subject{noun, key}) }

func whose[K ~string, V any](t Table[K, V], s Subject, of func(*V) id.Vendor) id.Vendor {
	if r, ok := t.Get(K(s.ID)); ok {
		return of(r)
	}
	return ""
}

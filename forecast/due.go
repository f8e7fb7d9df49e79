package forecast

import (
	"maps"
	"slices"
	"time"

	"github.com/sallyport/sallyport/breach"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/snapshot"
)

// due lists the dates, after from and up to until, that stop nothing by themselves.
func due(v *snapshot.View, from, until time.Time) []Stop {
	var out []Stop
	add := func(at time.Time, kind Kind, noun snapshot.Noun, key string, vendor id.Vendor, code, message, next string, who policy.Who, cite hipaa.Citation) {
		if at.After(from) && !at.After(until) {
			out = append(out, Stop{At: at.UTC(), Kind: kind, Code: code, Subject: snapshot.Subject{Noun: noun, ID: key}, Vendor: vendor,
				Message: message, Next: next, Who: string(who), Citation: cite, ForVendor: who == policy.ByVendor})
		}
	}
	for _, q := range v.Questionnaires.All() {
		if q.Stage == snapshot.QuestionsSent {
			add(q.DueAt, Questionnaire, snapshot.NounQuestionnaire, string(q.ID), q.Vendor, "",
				"The vendor's answers to a questionnaire are due", "Answer and submit the questionnaire", policy.ByVendor, hipaa.MustCite("S-308-b-1"))
		}
	}
	for _, r := range v.Requests.All() {
		if r.Stage == snapshot.RequestOpen {
			add(r.ExpiresAt, AccessRequest, snapshot.NounRequest, string(r.ID), r.Vendor, "",
				"A request for access lapses unanswered", "Approve or deny the request", policy.ByOrganisation, hipaa.MustCite("S-308-a-4-ii-B"))
		}
	}
	for _, c := range v.Campaigns.All() {
		if c.ClosedAt.IsZero() {
			add(c.DueAt, Campaign, snapshot.NounCampaign, string(c.ID), "", "",
				"Access reviews are due; a grant whose review is overdue is closed", "Complete the reviews of the campaign", policy.ByOrganisation, hipaa.MustCite("S-308-a-4-ii-C"))
		}
	}
	for _, m := range v.Emergencies.All() {
		if m.ReviewedAt.IsZero() {
			due := m.DueAt
			if due.IsZero() {
				due = m.ReportedAt.Add(EmergencyReviewWithin)
			}
			add(due, EmergencyUse, snapshot.NounEmergency, string(m.ID), "", "",
				"The use of an emergency access procedure waits for its review", "Review the use", policy.ByOrganisation, hipaa.MustCite("S-312-a-2-ii"))
		}
	}
	for _, o := range v.Offboardings.All() {
		if o.CompletedAt.IsZero() {
			add(o.DueAt, Attestation, snapshot.NounOffboarding, string(o.ID), o.Vendor, "",
				"The vendor's attestations of return or destruction are due", "Attest what became of each form of the data", policy.ByVendor, hipaa.MustCite("P-504-e-2-ii-J"))
		}
		for _, form := range slices.Sorted(maps.Keys(o.Dispositions)) {
			if d := o.Dispositions[form]; d.Outcome == snapshot.Infeasible {
				add(d.ReviewAt, Infeasible, snapshot.NounOffboarding, string(o.ID), o.Vendor, string(form),
					"Data whose return or destruction was not feasible is to be looked at again", "Have the vendor attest anew", policy.ByVendor, hipaa.MustCite("P-504-e-2-ii-J"))
			}
		}
		if o.LegalHold == "" {
			add(o.RetainUntil, Retention, snapshot.NounOffboarding, string(o.ID), o.Vendor, "",
				"The record of a parting need not be kept any longer", "Decide whether to keep it", policy.ByOrganisation, hipaa.MustCite("P-530-j-2"))
		}
	}
	zone, err := breach.Zone(v.Settings.TimeZone)
	if err != nil {
		zone = time.UTC // the configuration was checked; a day too early is better than none
	}
	for _, in := range v.Incidents.All() {
		if !in.Open() {
			continue
		}
		// Which clocks run is reckoned as of the date looked up to, so that one that starts
		// meanwhile is seen.
		for _, d := range breach.Due(in, breach.ContractOf(v, in), zone, until) {
			if !d.Pending() {
				continue
			}
			kind, message, next := IncidentNotice, "A notice about an incident is due: "+string(d.To), "Give it, and note that it was given: incident note-notice"
			if d.Kind == breach.Correct {
				kind, message, next = Correction, "A corrective action after an incident is due", "Do it, and say so on the incident"
			}
			who := policy.ByOrganisation
			if d.Who == snapshot.VendorParty {
				who = policy.ByVendor
			}
			add(d.Due, kind, snapshot.NounIncident, string(in.ID), in.Vendor, d.Key(), message, next, who, d.Citation)
		}
	}
	// What the organisation knows of an incident is its own to tell.
	for i := range out {
		if out[i].Subject.Noun == snapshot.NounIncident {
			out[i].ForVendor = false
		}
	}
	return out
}

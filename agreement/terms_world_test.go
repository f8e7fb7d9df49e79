package agreement_test

import (
	"encoding/json"
	"time"

	"github.com/sallyport/sallyport/gate/gatetest"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/snapshot"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// world is the world of gatetest, in which every gate opens, with what the report
// looks for on file. Its BAA has every recommended term.
type world struct {
	records  []snapshot.Record
	settings snapshot.Settings
	content  policy.Content
}

func newWorld() *world {
	none, no := 0, false
	w := &world{records: gatetest.Records(now), settings: gatetest.Settings(), content: gatetest.Content()}
	file := func(key id.Certification, typ string, p snapshot.Particulars) {
		w.records = append(w.records, &snapshot.Certification{ID: key, Vendor: gatetest.Vendor, Type: typ, PeriodEnd: p.AsOf, ExpiresAt: now.AddDate(0, 6, 0), Particulars: p,
			RecordedBy: gatetest.Requester, VerifiedBy: gatetest.Approver, VerifiedAt: now.AddDate(0, -1, 0), VerifiedHow: "report-read", VerifiedAgainst: "all of it"})
	}
	file("scan", "VULNSCAN", snapshot.Particulars{AsOf: now.AddDate(0, -1, 0)})
	file("pentest", "PENTEST", snapshot.Particulars{AsOf: now.AddDate(0, -2, 0), Issuer: "Testers", Scope: []string{"api"}, OpenHigh: &none})
	file("verification", "RISKANALYSIS", snapshot.Particulars{AsOf: now.AddDate(0, -2, 0), Scope: []string{"all"}, Issuer: "CISO"})
	file("insurance", "INSURANCE", snapshot.Particulars{Issuer: "Carrier", Limits: "10 M USD", AIExclusion: &no})
	w.set("ssdf", `{"sbom": true, "model_provenance": "in-toto, with each version", "weights_hash": "sha256", "red_team": true}`)
	return w
}

func record[P snapshot.Record](w *world, key string) P {
	for _, r := range w.records {
		if p, ok := r.(P); ok && r.Key() == key {
			return p
		}
	}
	panic("no record " + key)
}

func (w *world) baa() *snapshot.Agreement {
	return record[*snapshot.Agreement](w, string(gatetest.BAA))
}

func (w *world) contract() *snapshot.Agreement {
	return record[*snapshot.Agreement](w, string(gatetest.Contract))
}

func (w *world) engagement() *snapshot.Engagement {
	return record[*snapshot.Engagement](w, string(gatetest.Engagement))
}

func (w *world) set(field, value string) {
	w.baa().Terms[field] = snapshot.Term{Value: json.RawMessage(value), Clause: "§ " + field}
}

// purpose makes the engagement one for the purpose, which both papers permit.
func (w *world) purpose(p hipaa.Purpose) {
	w.engagement().Purpose = p
	for _, a := range []*snapshot.Agreement{w.baa(), w.contract()} {
		a.PermittedUses = []snapshot.PermittedUse{{Purpose: p, DataClasses: hipaa.DataClasses, Clause: "§ 2"}}
	}
	if p != hipaa.ManagementAdmin {
		w.set("purpose_matrix", `{"`+string(p)+`": "allow"}`)
	}
}

// deidentified makes the engagement one with de-identified data.
func (w *world) deidentified() {
	w.engagement().DataClass, w.engagement().Basis = hipaa.DeIdentified, hipaa.BasisDeIdentified
	record[*snapshot.Role](w, string(gatetest.Role)).Profile = "safe-harbor"
}

func (w *world) view() *snapshot.View {
	return gatetest.Publish(now, w.settings, w.records...)
}

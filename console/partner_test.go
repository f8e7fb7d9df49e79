package console_test

import (
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

// peopled is a world with several vendors, each at another point of the way.
func peopled(t *testing.T) *world {
	w := start(t)
	ada, grace := registrytest.Ada, registrytest.Grace
	now := w.b.Clock.Now().UTC().Truncate(time.Second)
	w.b.Act(grace, registry.ProfileVendor{ID: "northwind", Services: []string{"evaluation of triage models"}, Purposes: []hipaa.Purpose{hipaa.Evaluation},
		DataClasses: []hipaa.DataClass{hipaa.PHI}, Locations: []string{"US-MA"}, Staff: 4, Patients: 5000, Keeps: snapshot.KeepsSession, AI: snapshot.VendorAI{Generative: true}})
	// A vendor that is asked for, and one below the first.
	w.b.Act(ada, registry.ProposeVendor{ID: "lumen", Name: "Lumen Radiology AI", Contact: "compliance@lumen.example", RequiredCertifications: []string{"SOC2_T2"}})
	w.b.Act(ada, registry.ProposeVendor{ID: "cloudrack", Name: "Cloudrack Hosting", Contact: "trust@cloudrack.example"})
	w.b.Act(grace, registry.ApproveVendor{ID: "cloudrack"})
	w.b.Act(ada, registry.ProfileVendor{ID: "lumen", Services: []string{"reading of chest films"}, DataClasses: []hipaa.DataClass{hipaa.PHI}, Locations: []string{"US"}, Staff: 9, Patients: 20000, Keeps: snapshot.KeepsStored, AI: snapshot.VendorAI{TrainsShared: true, DecidesOnCare: true}})
	w.b.Act(ada, registry.RecordCertification{ID: "lumen-soc2", Vendor: "lumen", Type: "SOC2_T2", PeriodStart: now.AddDate(0, -9, 0), PeriodEnd: now.AddDate(0, -1, 0), ExpiresAt: now.AddDate(0, 5, 0), Particulars: registrytest.SOC2()})
	w.b.Act(ada, registry.SendQuestionnaire{ID: "lumen-2027", Vendor: "lumen", DataClasses: []hipaa.DataClass{hipaa.PHI}, DueAt: now.AddDate(0, 0, 21)})
	w.b.Act(ada, registry.RaiseFinding{ID: "northwind-pen", Kind: "diligence", Vendor: "northwind", About: snapshot.Subject{Noun: snapshot.NounVendor, ID: "northwind"}, Title: "The penetration test is older than a year"})
	w.b.Act(ada, registry.RequestGrant{ID: "triage-more", Engagement: "triage-eval", App: "triage", Person: registrytest.Lin, Devices: []id.Device{"northwind-gpu-1"}, Role: "triage-reader",
		Cohort: snapshot.Cohort{Kind: snapshot.CohortAll}, StartsAt: now, EndsAt: now.AddDate(0, 2, 0), MaxPatients: 500, MaxDailyBytes: 1 << 20})
	for range 3 {
		if got := w.b.Get("/Patient?_count=2"); got.Status != http.StatusOK {
			t.Fatalf("the door is not open: %s", got)
		}
	}
	w.b.Act(ada, registry.PlaceHold{ID: "pause", On: snapshot.Subject{Noun: snapshot.NounEngagement, ID: "triage-eval"}, Cause: snapshot.HoldOwner})
	w.b.Refusal("/Patient?_count=2")
	w.b.Act(grace, registry.LiftHold{ID: "pause"})
	return w
}

// partnerPages are the screens of this part, each with something that it must say.
var partnerPages = []struct{ name, path, says string }{
	{"today", "/console", "What needs you"},
	{"vendors", "/console/vendors", "Northwind AI, Inc."},
	{"vendor", "/console/vendors/northwind", "Both doors are open"},
	{"vendor-papers", "/console/vendors/northwind?tab=papers", "28 CFR Part 202"},
	{"vendor-diligence", "/console/vendors/northwind?tab=diligence", "Inherent risk"},
	{"vendor-people", "/console/vendors/northwind?tab=people", "Lin Example"},
	{"vendor-ahead", "/console/vendors/northwind?tab=ahead", "if nobody acts"},
	{"vendor-traffic", "/console/vendors/northwind?tab=traffic", "The newest decisions"},
	{"vendor-acts", "/console/vendors/northwind?tab=acts", "What was done about this vendor"},
	{"vendor-new", "/console/vendors/lumen", "Nobody passes now"},
	{"engagements", "/console/engagements", "triage-eval"},
	{"engagement", "/console/engagements/triage-eval", "Over time"},
	{"engagement-access", "/console/engagements/triage-eval?tab=access", "People behind the grants"},
	{"engagement-acts", "/console/engagements/triage-eval?tab=acts", "What was done about it"},
	{"grant", "/console/grants/triage-grant", "Every patient of the source"},
	{"role", "/console/roles/triage-reader", "Observation"},
	{"diligence", "/console/diligence", "lumen-2027"},
	{"diligence-reports", "/console/diligence?tab=reports", "SOC 2 Type 2"},
	{"diligence-decisions", "/console/diligence?tab=decisions", "Northwind AI, Inc."},
	{"diligence-risks", "/console/diligence?tab=risks", "risk"},
	{"diligence-findings", "/console/diligence?tab=findings", "older than a year"},
	{"questionnaire", "/console/questionnaires/lumen-2027", "With the vendor"},
	{"certification", "/console/certifications/lumen-soc2", "It does not count"},
}

// The pages of vendors and their papers, in the real browser: light, dark, on a phone.
func TestPartnerPages(t *testing.T) {
	w := peopled(t)
	b := w.browser(registrytest.Grace)
	for _, p := range partnerPages {
		b.Narrow(1280, false)
		b.Open(w.b.Pages + p.path)
		b.Await(p.says)
		b.Picture(p.name, 1280, false)
		if os.Getenv("SALLYPORT_PICTURES") != "" { // colours change over a tenth of a second
			b.Narrow(1280, true)
			time.Sleep(200 * time.Millisecond)
			b.Picture(p.name+"-dark", 1280, true)
		}
		b.Narrow(320, false)
		b.Picture(p.name+"-phone", 320, false)
		b.Narrow(320, false)
		if got := b.Value(`String(document.documentElement.scrollWidth)`); got != "320" {
			t.Errorf("%s is %s wide on a phone of 320", p.path, got)
		}
	}
	b.Errors()
}

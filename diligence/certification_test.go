package diligence_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/diligence"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

func day(s string) time.Time {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return t
}

func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t
}

// good is a paper of each type that can count, as of 2026-06-15.
func good(typ string) *snapshot.Certification {
	none, no := 0, false
	c := &snapshot.Certification{ID: "c", Vendor: "northwind", Type: typ, RecordedBy: "ada",
		VerifiedBy: "grace", VerifiedAt: day("2025-01-05"), VerifiedHow: "report-read", VerifiedAgainst: "the report, sections 1 to 4"}
	switch typ {
	case "SOC2_T2":
		c.PeriodStart, c.PeriodEnd = day("2025-01-01"), day("2025-12-31")
		c.Issuer, c.Criteria, c.Scope, c.Opinion, c.Subservice = "CPA LLP", []string{"security"}, []string{"triage"}, snapshot.Unqualified, snapshot.NoSubservice
	case "SOC2_T1":
		c.AsOf, c.NextUnderWay = day("2026-03-31"), true
		c.Issuer, c.Criteria, c.Scope, c.Opinion, c.Subservice = "CPA LLP", []string{"security"}, []string{"triage"}, snapshot.Unqualified, snapshot.NoSubservice
	case "SOC3":
		c.PeriodEnd = day("2025-12-31")
	case "ISO27001":
		c.Issuer, c.Accreditation, c.Number, c.Standard, c.Scope, c.SoAVersion = "Body", "ANAB", "IS 1", "ISO/IEC 27001:2022", []string{"all"}, "7"
		c.IssuedAt, c.ExpiresAt, c.LastSurveillance = day("2024-03-10"), day("2027-03-09"), day("2025-03-01")
	case "ISO27701":
		c.IssuedAt, c.ExpiresAt = day("2024-03-10"), day("2027-03-09")
	case "ISO42001":
		c.IssuedAt, c.ExpiresAt, c.Scope, c.LastSurveillance = day("2024-03-10"), day("2027-03-09"), []string{"all"}, day("2025-03-01")
	case "HITRUST_R2":
		c.IssuedAt, c.Standard, c.Scope, c.InterimAt = day("2025-02-28"), "v11.3", []string{"platform"}, day("2026-02-20")
	case "HITRUST_I1", "HITRUST_E1":
		c.IssuedAt = day("2026-01-31")
	case "HITRUST_AI":
		c.IssuedAt, c.Underlying = day("2026-02-01"), "below"
	case "FEDRAMP":
		c.Level, c.Status, c.Number, c.AssessedAt = "Moderate", "Authorized", "FR123", day("2025-09-01")
	case "PENTEST":
		c.Issuer, c.PeriodEnd, c.Scope, c.OpenHigh = "Testers", day("2025-08-31"), []string{"api"}, &none
	case "VULNSCAN":
		c.AsOf = day("2026-05-01")
	case "RISKANALYSIS":
		c.AsOf, c.Scope, c.Issuer = day("2025-10-01"), []string{"all ePHI"}, "CISO"
	case "TRAINING":
		c.Person, c.CourseVersion, c.AsOf, c.Score = "pat", "2026", day("2026-01-15"), 0.9
	case "INSURANCE":
		c.Issuer, c.Limits, c.ExpiresAt, c.AIExclusion = "Carrier", "10 M USD", day("2027-01-01"), &no
	case "PCI_AOC":
		c.AsOf = day("2026-01-31")
	case "NAID_AAA":
		c.Status, c.ExpiresAt = "listed", day("2026-12-31")
	}
	return c
}

// below is the certificate under the add-on, and papers of an organisation below.
func world(extra ...snapshot.Record) *snapshot.View {
	e := (&snapshot.View{}).Edit()
	b := good("HITRUST_I1")
	b.ID = "below"
	e.Put(b)
	for _, r := range extra {
		e.Put(r)
	}
	return e.Publish(1, 0, day("2026-06-15"))
}

func carved(vendor id.Vendor, edit func(*snapshot.Certification)) *snapshot.Certification {
	c := good("SOC2_T2")
	c.ID, c.Vendor = "theirs", vendor
	if edit != nil {
		edit(c)
	}
	return c
}

func subBAA(edit func(*snapshot.Agreement)) *snapshot.Agreement {
	a := &snapshot.Agreement{ID: "sub", Kind: snapshot.SubcontractorBAA, Vendor: "northwind", Subcontractor: "cloud", Document: "d",
		EffectiveAt: day("2025-01-01"), Approval: snapshot.Approval{State: snapshot.Approved, RequestedBy: "ada", ApprovedBy: "grace", ApprovedAt: day("2025-01-01")},
		Signatures: []snapshot.Signature{{Party: snapshot.VendorParty, Signer: "a", At: day("2025-01-01")}, {Party: snapshot.SubcontractorParty, Signer: "b", At: day("2025-01-01")}}}
	if edit != nil {
		edit(a)
	}
	return a
}

type judged struct {
	name  string
	at    string // RFC 3339; empty: 2026-06-15
	edit  func(*snapshot.Certification)
	with  []snapshot.Record
	why   string // empty: it counts
	score int    // where it counts and a score is of interest
	until string
}

// Every type of the catalogue: what counts and what does not, at the boundaries.
var judgements = map[string][]judged{
	"SOC2_T2": {
		{name: "a year's period", score: 3, until: "2027-01-01"},
		{name: "the last day of the twelve months", at: "2026-12-31T23:59:59Z"},
		{name: "the day after", at: "2027-01-01T00:00:00Z", why: diligence.Expired},
		{name: "just three months", score: 2, edit: func(c *snapshot.Certification) { c.PeriodStart = day("2025-10-01") }},
		{name: "a day short of three", edit: func(c *snapshot.Certification) { c.PeriodStart = day("2025-10-02") }, why: diligence.ShortPeriod},
		{name: "qualified and accepted", score: 2, edit: func(c *snapshot.Certification) {
			c.Opinion, c.Exceptions = snapshot.Qualified, []snapshot.AuditException{{What: "CC6.1", Accepted: "mended in May, seen"}}
		}},
		{name: "qualified and not accepted", edit: func(c *snapshot.Certification) {
			c.Opinion, c.Exceptions = snapshot.Qualified, []snapshot.AuditException{{What: "CC6.1"}}
		}, why: diligence.BadOpinion},
		{name: "qualified, for what nobody says", edit: func(c *snapshot.Certification) { c.Opinion = snapshot.Qualified }, why: diligence.BadOpinion},
		{name: "adverse", edit: func(c *snapshot.Certification) { c.Opinion = snapshot.Adverse }, why: diligence.BadOpinion},
		{name: "a disclaimer", edit: func(c *snapshot.Certification) { c.Opinion = snapshot.Disclaimer }, why: diligence.BadOpinion},
		{name: "without security", edit: func(c *snapshot.Certification) { c.Criteria = []string{"privacy"} }, why: diligence.NoSecurity},
		{name: "no auditor", edit: func(c *snapshot.Certification) { c.Issuer = " " }, why: diligence.FieldMissing},
		{name: "a carve-out with a report of its own", edit: func(c *snapshot.Certification) {
			c.Subservice, c.CarveOuts = snapshot.CarveOut, []id.Vendor{"cloud"}
		}, with: []snapshot.Record{carved("cloud", nil)}, until: "2027-01-01"},
		{name: "a carve-out with an agreement of its own", edit: func(c *snapshot.Certification) {
			c.Subservice, c.CarveOuts = snapshot.CarveOut, []id.Vendor{"cloud"}
		}, with: []snapshot.Record{subBAA(nil)}},
		{name: "a carve-out whose agreement ends", edit: func(c *snapshot.Certification) {
			c.Subservice, c.CarveOuts = snapshot.CarveOut, []id.Vendor{"cloud"}
		}, with: []snapshot.Record{subBAA(func(a *snapshot.Agreement) { a.EndsAt = day("2026-07-01") })}, until: "2026-07-01"},
		{name: "a carve-out whose agreement was broken and not cured", edit: func(c *snapshot.Certification) {
			c.Subservice, c.CarveOuts = snapshot.CarveOut, []id.Vendor{"cloud"}
		}, with: []snapshot.Record{subBAA(func(a *snapshot.Agreement) {
			a.Notices = []snapshot.CureNotice{{ID: "n", At: day("2025-01-01"), CureUntil: day("2025-02-01")}}
		})}, why: diligence.CarvedOut},
		{name: "a carve-out without", edit: func(c *snapshot.Certification) {
			c.Subservice, c.CarveOuts = snapshot.CarveOut, []id.Vendor{"cloud"}
		}, why: diligence.CarvedOut},
		{name: "a carve-out whose report is unverified", edit: func(c *snapshot.Certification) {
			c.Subservice, c.CarveOuts = snapshot.CarveOut, []id.Vendor{"cloud"}
		}, with: []snapshot.Record{carved("cloud", func(c *snapshot.Certification) { c.VerifiedBy = "" })}, why: diligence.CarvedOut},
		{name: "carve-outs in a ring", edit: func(c *snapshot.Certification) {
			c.Subservice, c.CarveOuts = snapshot.CarveOut, []id.Vendor{"cloud"}
		}, with: []snapshot.Record{carved("cloud", func(c *snapshot.Certification) {
			c.Subservice, c.CarveOuts = snapshot.CarveOut, []id.Vendor{"cloud"}
		})}, why: diligence.CarvedOut},
		{name: "carved out, and who is not said", edit: func(c *snapshot.Certification) { c.Subservice = snapshot.CarveOut }, why: diligence.CarvedOut},
		{name: "carried by a bridge letter", at: "2027-02-01T00:00:00Z", edit: bridged("2027-01-10", "2027-03-31"), score: 1, until: "2027-04-01"},
		{name: "the letter's last day", at: "2027-03-31T23:59:59Z", edit: bridged("2027-01-10", "2027-03-31")},
		{name: "after the letter", at: "2027-04-01T00:00:00Z", edit: bridged("2027-01-10", "2027-03-31"), why: diligence.Expired},
		{name: "a letter that reaches too far", at: "2027-02-01T00:00:00Z", edit: bridged("2026-12-01", "2027-03-02"), why: diligence.BadBridge},
		{name: "a letter without the next examination", at: "2027-02-01T00:00:00Z", edit: func(c *snapshot.Certification) {
			bridged("2027-01-10", "2027-03-31")(c)
			c.NextUnderWay = false
		}, why: diligence.BadBridge},
		{name: "its own end is sooner", edit: func(c *snapshot.Certification) { c.ExpiresAt = day("2026-06-15") }, why: diligence.Expired},
		{name: "unverified", edit: func(c *snapshot.Certification) { c.VerifiedBy = "" }, why: diligence.Unverified},
		{name: "verified by who recorded it", edit: func(c *snapshot.Certification) { c.VerifiedBy = "ada" }, why: diligence.Unverified},
		{name: "verified against nothing", edit: func(c *snapshot.Certification) { c.VerifiedAgainst = " " }, why: diligence.Unverified},
		{name: "verified somehow", edit: func(c *snapshot.Certification) { c.VerifiedHow = "looked fine" }, why: diligence.Unverified},
		{name: "verified tomorrow", edit: func(c *snapshot.Certification) { c.VerifiedAt = day("2026-06-16") }, why: diligence.Unverified},
		{name: "revoked", edit: func(c *snapshot.Certification) { c.RevokedAt = day("2026-06-15") }, why: diligence.Revoked},
	},
	"SOC2_T1": {
		{name: "while a Type 2 is under way", score: 1, until: "2026-10-01"},
		{name: "the last day of six months", at: "2026-09-30T23:59:59Z"},
		{name: "after six months", at: "2026-10-01T00:00:00Z", why: diligence.Expired},
		{name: "twelve with a letter", at: "2027-03-31T12:00:00Z", edit: bridged("2026-09-01", "2026-11-01")},
		{name: "after twelve", at: "2027-04-01T00:00:00Z", edit: bridged("2026-09-01", "2026-11-01"), why: diligence.Expired},
		{name: "no Type 2 under way", edit: func(c *snapshot.Certification) { c.NextUnderWay = false }, why: diligence.NoSuccessor},
		{name: "adverse", edit: func(c *snapshot.Certification) { c.Opinion = snapshot.Adverse }, why: diligence.BadOpinion},
		{name: "as of tomorrow", edit: func(c *snapshot.Certification) { c.AsOf = day("2026-06-16") }, why: diligence.NotYet},
	},
	"SOC3": {
		{name: "fresh", why: diligence.NeverCounts},
		{name: "with everything else", edit: func(c *snapshot.Certification) { *c = *carved("northwind", nil); c.Type = "SOC3" }, why: diligence.NeverCounts},
		{name: "old", at: "2030-01-01T00:00:00Z", why: diligence.NeverCounts},
	},
	"ISO27001": {
		{name: "surveyed last year", score: 3, until: "2027-01-01"},
		{name: "the year's last moment", at: "2026-12-31T23:59:59Z"},
		{name: "a calendar year without surveillance", at: "2027-01-01T00:00:00Z", why: diligence.NoSurveillance},
		{name: "surveyed this year, until its own end", at: "2027-03-08T23:59:59Z", edit: func(c *snapshot.Certification) { c.LastSurveillance = day("2026-11-30") }},
		{name: "its three years are over", at: "2027-03-11T00:00:00Z", edit: func(c *snapshot.Certification) {
			c.LastSurveillance, c.ExpiresAt = day("2026-11-30"), day("2028-01-01")
		}, why: diligence.Expired},
		{name: "young, within the first twelve months", edit: func(c *snapshot.Certification) {
			c.IssuedAt, c.ExpiresAt, c.LastSurveillance = day("2025-06-15"), day("2028-06-14"), time.Time{}
		}, until: "2026-06-16"},
		{name: "twelve months without the first", edit: func(c *snapshot.Certification) {
			c.IssuedAt, c.ExpiresAt, c.LastSurveillance = day("2025-06-14"), day("2028-06-13"), time.Time{}
		}, why: diligence.NoSurveillance},
		{name: "surveyed before it was issued", edit: func(c *snapshot.Certification) { c.LastSurveillance = day("2024-01-01") }, why: diligence.NoSurveillance},
		{name: "of 2013", edit: func(c *snapshot.Certification) { c.Standard = "ISO/IEC 27001:2013" }, why: diligence.NotAccredited},
		{name: "nobody accredited the body", edit: func(c *snapshot.Certification) { c.Accreditation = "" }, why: diligence.FieldMissing},
	},
	"ISO27701": {
		{name: "in its cycle", until: "2027-03-09"},
		{name: "the last moment", at: "2027-03-08T23:59:59Z"},
		{name: "its end", at: "2027-03-09T00:00:00Z", why: diligence.Expired},
		{name: "a cycle of more than three years", at: "2027-03-11T00:00:00Z", edit: func(c *snapshot.Certification) { c.ExpiresAt = day("2029-01-01") }, why: diligence.Expired},
		{name: "no date of issue", edit: func(c *snapshot.Certification) { c.IssuedAt = time.Time{} }, why: diligence.FieldMissing},
	},
	"ISO42001": {
		{name: "surveyed last year", score: 3, until: "2027-01-01"},
		{name: "surveyed this year", at: "2027-01-15T00:00:00Z", edit: func(c *snapshot.Certification) { c.LastSurveillance = day("2026-01-02") }},
		{name: "a year without surveillance", at: "2027-01-01T00:00:00Z", why: diligence.NoSurveillance},
		{name: "no scope", edit: func(c *snapshot.Certification) { c.Scope = nil }, why: diligence.FieldMissing},
		{name: "over", at: "2027-03-09T00:00:00Z", edit: func(c *snapshot.Certification) { c.LastSurveillance = day("2026-01-02") }, why: diligence.Expired},
	},
	"HITRUST_R2": {
		{name: "with its interim", score: 3, until: "2027-03-01"},
		{name: "the last day of two years", at: "2027-02-28T23:59:59Z"},
		{name: "two years over", at: "2027-03-01T00:00:00Z", why: diligence.Expired},
		{name: "in the first year without", at: "2026-02-28T23:59:59Z", edit: func(c *snapshot.Certification) { c.InterimAt = time.Time{} }},
		{name: "a year over without", at: "2026-03-01T00:00:00Z", edit: func(c *snapshot.Certification) { c.InterimAt = time.Time{} }, why: diligence.NoInterim},
		{name: "an interim too soon", edit: func(c *snapshot.Certification) { c.InterimAt = day("2025-11-27") }, why: diligence.NoInterim},
		{name: "an interim too late", edit: func(c *snapshot.Certification) { c.InterimAt = day("2026-06-14") }, why: diligence.NoInterim},
		{name: "suspended", edit: func(c *snapshot.Certification) { c.Status = "Suspended" }, why: diligence.NotListed},
	},
	"HITRUST_I1": {
		{name: "in its year", score: 2, until: "2027-02-01"},
		{name: "its last day", at: "2027-01-31T23:59:59Z"},
		{name: "over", at: "2027-02-01T00:00:00Z", why: diligence.Expired},
		{name: "suspended", edit: func(c *snapshot.Certification) { c.Status = "suspended" }, why: diligence.NotListed},
		{name: "no date", edit: func(c *snapshot.Certification) { c.IssuedAt = time.Time{} }, why: diligence.FieldMissing},
	},
	"HITRUST_E1": {
		{name: "in its year", score: 1},
		{name: "of 29 February, to the 28th", at: "2025-02-28T23:59:59Z", edit: func(c *snapshot.Certification) {
			c.IssuedAt, c.VerifiedAt = day("2024-02-29"), day("2024-03-01")
		}, until: "2025-03-01"},
		{name: "of 29 February, and no longer", at: "2025-03-01T00:00:00Z", edit: func(c *snapshot.Certification) {
			c.IssuedAt, c.VerifiedAt = day("2024-02-29"), day("2024-03-01")
		}, why: diligence.Expired},
		{name: "of tomorrow", edit: func(c *snapshot.Certification) { c.IssuedAt = day("2026-06-16") }, why: diligence.NotYet},
		{name: "no date", edit: func(c *snapshot.Certification) { c.IssuedAt = time.Time{} }, why: diligence.FieldMissing},
	},
	"HITRUST_AI": {
		{name: "with an i1 below", score: 2, until: "2027-02-01"},
		{name: "the last day of what is below", at: "2027-01-31T23:59:59Z"},
		{name: "no longer than what is below", at: "2027-02-01T00:00:00Z", why: diligence.NotUnderlying},
		{name: "nothing below", edit: func(c *snapshot.Certification) { c.Underlying = "elsewhere" }, why: diligence.NotUnderlying},
		{name: "another type below", edit: func(c *snapshot.Certification) { c.Underlying = "theirs" }, with: []snapshot.Record{carved("northwind", nil)}, why: diligence.NotUnderlying},
		{name: "another vendor's below", edit: func(c *snapshot.Certification) { c.Vendor = "southwind" }, why: diligence.NotUnderlying},
	},
	"FEDRAMP": {
		{name: "authorized", score: 3, until: "2026-09-02"},
		{name: "the last day of the annual assessment", at: "2026-09-01T23:59:59Z"},
		{name: "no annual assessment since", at: "2026-09-02T00:00:00Z", why: diligence.Expired},
		{name: "in process", edit: func(c *snapshot.Certification) { c.Status = "In Process" }, why: diligence.NotListed},
		{name: "revoked by its issuer", edit: func(c *snapshot.Certification) { c.Status = "Revoked" }, why: diligence.NotListed},
		{name: "no marketplace id", edit: func(c *snapshot.Certification) { c.Number = "" }, why: diligence.FieldMissing},
	},
	"PENTEST": {
		{name: "nothing overdue", score: 3, until: "2026-09-01"},
		{name: "the last day", at: "2026-08-31T23:59:59Z"},
		{name: "a year over", at: "2026-09-01T00:00:00Z", why: diligence.Expired},
		{name: "an overdue high finding", edit: func(c *snapshot.Certification) { one := 1; c.OpenHigh = &one }, why: diligence.OpenFindings},
		{name: "it is not said whether", edit: func(c *snapshot.Certification) { c.OpenHigh = nil }, why: diligence.FieldMissing},
		{name: "nobody tested", edit: func(c *snapshot.Certification) { c.Issuer = "" }, why: diligence.FieldMissing},
	},
	"VULNSCAN": {
		{name: "of last month", until: "2026-07-31"},
		{name: "the 90th day", at: "2026-07-30T23:59:59Z"},
		{name: "the 91st", at: "2026-07-31T00:00:00Z", why: diligence.Expired},
		{name: "of tomorrow", edit: func(c *snapshot.Certification) { c.AsOf = day("2026-06-16") }, why: diligence.NotYet},
		{name: "no date", edit: func(c *snapshot.Certification) { c.AsOf = time.Time{} }, why: diligence.FieldMissing},
	},
	"RISKANALYSIS": {
		{name: "of the last year", until: "2026-10-02"},
		{name: "the last day", at: "2026-10-01T23:59:59Z"},
		{name: "a year over", at: "2026-10-02T00:00:00Z", why: diligence.Expired},
		{name: "nobody signed", edit: func(c *snapshot.Certification) { c.Issuer = "" }, why: diligence.FieldMissing},
		{name: "of what", edit: func(c *snapshot.Certification) { c.Scope = nil }, why: diligence.FieldMissing},
		{name: "revoked after a material change", edit: func(c *snapshot.Certification) { c.RevokedAt = day("2026-06-01") }, why: diligence.Revoked},
	},
	"TRAINING": {
		{name: "of this year", score: 2, until: "2027-01-16"},
		{name: "the last day", at: "2027-01-15T23:59:59Z"},
		{name: "a year over", at: "2027-01-16T00:00:00Z", why: diligence.Expired},
		{name: "the 91st day after hire", score: 1, edit: func(c *snapshot.Certification) { c.HiredAt = day("2025-10-15") }},
		{name: "a year after the law changed", at: "2026-07-02T00:00:00Z", edit: func(c *snapshot.Certification) {
			c.AsOf, c.LawChangedAt = day("2025-07-01").AddDate(0, 0, 5), day("2025-07-01").AddDate(0, 0, 6)
		}, until: "2026-07-07"},
		{name: "nobody's", edit: func(c *snapshot.Certification) { c.Person = "" }, why: diligence.FieldMissing},
		{name: "a score of nothing", edit: func(c *snapshot.Certification) { c.Score = 0 }, why: diligence.FieldMissing},
	},
	"INSURANCE": {
		{name: "in force", score: 3, until: "2027-01-01"},
		{name: "its last moment", at: "2026-12-31T23:59:59Z"},
		{name: "its end", at: "2027-01-01T00:00:00Z", why: diligence.Expired},
		{name: "claims-made with a tail", edit: func(c *snapshot.Certification) {
			c.ClaimsMade, c.RetroDate, c.TailMonths = true, day("2020-01-01"), 36
		}},
		{name: "claims-made without a tail", edit: func(c *snapshot.Certification) { c.ClaimsMade, c.RetroDate = true, day("2020-01-01") }, why: diligence.NoTail},
		{name: "claims-made without a date", edit: func(c *snapshot.Certification) { c.ClaimsMade, c.TailMonths = true, 36 }, why: diligence.FieldMissing},
		{name: "AI excluded", edit: func(c *snapshot.Certification) { yes := true; c.AIExclusion = &yes }, why: diligence.ExcludesAI},
		{name: "it is not said whether", edit: func(c *snapshot.Certification) { c.AIExclusion = nil }, why: diligence.FieldMissing},
	},
	"HIPAA_SEAL": {
		{name: "a seal", why: diligence.NeverCounts},
		{name: "verified", edit: func(c *snapshot.Certification) { c.ExpiresAt = day("2030-01-01") }, why: diligence.NeverCounts},
		{name: "with a SOC 2 report's fields", edit: func(c *snapshot.Certification) { *c = *carved("northwind", nil); c.Type = "HIPAA_SEAL" }, why: diligence.NeverCounts},
	},
	"PCI_AOC": {
		{name: "of this year", score: 0, until: "2027-02-01"},
		{name: "the last day", at: "2027-01-31T23:59:59Z"},
		{name: "a year over", at: "2027-02-01T00:00:00Z", why: diligence.Expired},
		{name: "of tomorrow", edit: func(c *snapshot.Certification) { c.AsOf = day("2026-06-16") }, why: diligence.NotYet},
		{name: "no date", edit: func(c *snapshot.Certification) { c.AsOf = time.Time{} }, why: diligence.FieldMissing},
	},
	"NAID_AAA": {
		{name: "listed", score: 2, until: "2026-12-31"},
		{name: "its last moment", at: "2026-12-30T23:59:59Z"},
		{name: "its end", at: "2026-12-31T00:00:00Z", why: diligence.Expired},
		{name: "delisted", edit: func(c *snapshot.Certification) { c.Status = "withdrawn" }, why: diligence.NotListed},
		{name: "no end", edit: func(c *snapshot.Certification) { c.ExpiresAt = time.Time{} }, why: diligence.FieldMissing},
	},
}

func bridged(from, until string) func(*snapshot.Certification) {
	return func(c *snapshot.Certification) {
		c.NextUnderWay = true
		c.Bridge = &snapshot.BridgeLetter{By: "C. Officer, CISO", At: day(from), Until: day(until), Document: "letter"}
	}
}

func TestEachTypeCountsAsItsRuleSays(t *testing.T) {
	for _, typ := range hipaa.CertificationTypes() {
		accepts, rejects := 0, 0
		for _, x := range judgements[typ.ID] {
			t.Run(typ.ID+"/"+x.name, func(t *testing.T) {
				c, now := good(typ.ID), day("2026-06-15")
				if x.edit != nil {
					x.edit(c)
				}
				if x.at != "" {
					now = at(x.at)
				}
				got := diligence.Judge(c, world(x.with...), now)
				if x.why == "" {
					accepts++
					if !got.Counts || len(got.Reasons) > 0 && got.Score == 3 {
						t.Fatalf("got %+v, want it to count", got)
					}
					if x.score != 0 && got.Score != x.score {
						t.Errorf("score %d, want %d: %v", got.Score, x.score, got.Reasons)
					}
					if x.until != "" && !got.Until.Equal(day(x.until)) {
						t.Errorf("counts until %v, want %s", got.Until, x.until)
					}
					// At the moment it ends it no longer counts, and just before it does.
					if diligence.Judge(c, world(x.with...), got.Until).Counts {
						t.Errorf("still counts at its end, %v", got.Until)
					}
					if !diligence.Judge(c, world(x.with...), got.Until.Add(-time.Microsecond)).Counts {
						t.Errorf("does not count just before its end, %v", got.Until)
					}
					return
				}
				rejects++
				if got.Counts || !got.Until.IsZero() || got.Score != 0 || !got.Why(x.why) {
					t.Errorf("got %+v, want it not to count for %q", got, x.why)
				}
			})
		}
		never := typ.ID == "SOC3" || typ.ID == "HIPAA_SEAL"
		if !never && accepts < 2 || rejects < 3 {
			t.Errorf("%s: %d accepted and %d rejected cases", typ.ID, accepts, rejects)
		}
	}
	if len(judgements) != len(hipaa.CertificationTypes()) {
		t.Errorf("cases for %d types, and the catalogue has %d", len(judgements), len(hipaa.CertificationTypes()))
	}
}

// Between Since and Change the answer is the same: what is kept for that long is right.
func TestTheAnswerHoldsUntilItSaysItChanges(t *testing.T) {
	for typ, cases := range judgements {
		for _, x := range cases {
			c, now := good(typ), day("2026-06-15")
			if x.edit != nil {
				x.edit(c)
			}
			if x.at != "" {
				now = at(x.at)
			}
			v := world(x.with...)
			got := diligence.Judge(c, v, now)
			for _, m := range []time.Time{got.Since, got.Change.Add(-time.Microsecond), now.AddDate(0, 0, 1), now.AddDate(0, 3, 0), now.AddDate(0, -5, 0)} {
				if m.Before(got.Since) || !got.Change.IsZero() && !m.Before(got.Change) || got.Since.IsZero() && m.Before(day("2020-01-01")) {
					continue
				}
				other := diligence.Judge(c, v, m)
				if other.Counts != got.Counts || !other.Until.Equal(got.Until) {
					t.Errorf("%s/%s: %v at %v and %v at %v, though it was said to hold from %v to %v", typ, x.name, got.Counts, now, other.Counts, m, got.Since, got.Change)
				}
			}
		}
	}
}

func TestWhatATypeNeedsIsInTheRecord(t *testing.T) {
	for _, typ := range hipaa.CertificationTypes() {
		for _, field := range diligence.Needs(typ.ID) {
			if missing := diligence.Lacks(&snapshot.Certification{Type: typ.ID}); !slices.Contains(missing, field) {
				t.Errorf("%s: an empty record does not lack %q: %v", typ.ID, field, missing)
			}
			if missing := diligence.Lacks(good(typ.ID)); len(missing) > 0 {
				t.Errorf("%s: lacks %v, and has it", typ.ID, missing)
			}
		}
	}
	if got := diligence.Judge(&snapshot.Certification{Type: "DIPLOMA"}, nil, day("2026-06-15")); got.Counts || !got.Why(diligence.UnknownType) {
		t.Errorf("an unknown type: %+v", got)
	}
	if got := diligence.Judge(&snapshot.Certification{}, nil, time.Time{}); got.Counts {
		t.Errorf("the zero certification counts: %+v", got)
	}
}

// Whatever can change what a paper is worth is among what its type can say: who is asked for
// these fields alone is asked for all that counts.
func TestWhatCountsIsAmongWhatATypeTells(t *testing.T) {
	now, v := day("2026-06-15"), world(carved("cloud", nil))
	always := []string{"id", "vendor", "type", "expires_at", "document_sha256", "recorded_by", "verified_by", "verified_at", "verified_how", "verified_against", "revoked_at", "fingerprint"}
	looked := 0
	var fields func(reflect.Type) []string
	fields = func(of reflect.Type) (out []string) {
		for i := range of.NumField() {
			if of.Field(i).Anonymous {
				out = append(out, fields(of.Field(i).Type)...)
			} else if name, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ","); !slices.Contains(always, name) {
				out = append(out, of.Field(i).Name)
			}
		}
		return out
	}
	for _, typ := range hipaa.CertificationTypes() {
		tells := diligence.Tells(typ.ID)
		if needs := diligence.Needs(typ.ID); len(needs) > len(tells) {
			t.Errorf("%s needs %v, and tells %v", typ.ID, needs, tells)
		}
		want := diligence.Judge(good(typ.ID), v, now)
		for _, name := range fields(reflect.TypeFor[snapshot.Certification]()) {
			of, _ := reflect.TypeFor[snapshot.Certification]().FieldByName(name)
			field, _, _ := strings.Cut(of.Tag.Get("json"), ",")
			for _, other := range others(of.Type) {
				c := good(typ.ID)
				at := reflect.ValueOf(c).Elem().FieldByName(name)
				at.Set(other)
				looked++
				if got := diligence.Judge(c, v, now); !reflect.DeepEqual(got, want) && !slices.Contains(tells, field) {
					t.Errorf("%s: %s = %v makes %v of %v, and is not among %v", typ.ID, field, other, got, want, tells)
				}
			}
		}
	}
	if looked < 1000 {
		t.Errorf("only %d changes were looked at", looked)
	}
}

// others are values of the type, the zero one too.
func others(of reflect.Type) []reflect.Value {
	some, yes := 7, true
	all := []any{day("2020-01-01"), day("2026-06-01"), day("2030-01-01"), "x", true, 7, 0.5, []string{"x"}, &some, &yes, snapshot.Adverse, snapshot.Qualified, snapshot.CarveOut, snapshot.Inclusive,
		[]snapshot.AuditException{{What: "x"}}, []id.Vendor{"nobody"}, []id.Vendor{"cloud"}, &snapshot.BridgeLetter{By: "x"},
		&snapshot.BridgeLetter{By: "x", Document: "d", At: day("2026-01-15"), Until: day("2026-03-31")}, id.Certification("below"), id.Person("pat")}
	out := []reflect.Value{reflect.Zero(of)}
	for _, x := range all {
		if v := reflect.ValueOf(x); v.Type() == of {
			out = append(out, v)
		}
	}
	return out
}

package diligence

import (
	"strings"
	"time"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/snapshot"
)

// rule is how a type counts. None of the numbers is law; see Verified of the type.
type rule struct {
	never string   // why no such paper satisfies anything; empty: it can count
	needs []string // fields, by their names in records
	may   []string // fields that it can say beside them
	score int      // the most that it can show
	// ofSecurity: it says something about an organisation's security, so that it can
	// stand for an organisation that another's report carves out.
	ofSecurity bool
	judge      func(*judging)
}

// rules has one rule for each of the 19 types of the catalogue.
var rules = map[string]rule{
	"SOC2_T2": {needs: []string{"issuer", "criteria", "scope", "period_start", "period_end", "opinion", "subservice_method"}, may: []string{"issued_at", "exceptions", "carve_outs", "bridge", "next_under_way"}, score: 3, ofSecurity: true, judge: socType2},
	"SOC2_T1": {needs: []string{"issuer", "criteria", "scope", "as_of", "opinion", "subservice_method"}, may: []string{"issued_at", "exceptions", "carve_outs", "bridge", "next_under_way"}, score: 1, ofSecurity: true, judge: socType1},
	"SOC3":    {never: "a general-use summary is never enough alone: ask for the SOC 2 report", may: []string{"issuer", "scope", "period_start", "period_end"}},
	"ISO27001": {needs: []string{"issuer", "accreditation_body", "cert_no", "standard", "scope", "soa_version", "issued_at", "expires_at"}, may: []string{"last_surveillance"}, score: 3, ofSecurity: true,
		judge: func(j *judging) {
			version := strings.TrimSpace(j.c.Standard)
			if !strings.HasSuffix(version, ":2022") {
				j.fail(NotAccredited, "only ISO/IEC 27001:2022 counts: the transition from 2013 ended on 31 October 2025")
			}
			j.threeYears()
			j.surveillance()
		}},
	"ISO27701": {needs: []string{"issued_at", "expires_at"}, may: []string{"issuer", "accreditation_body", "cert_no", "standard", "scope"}, score: 2,
		judge: func(j *judging) { j.threeYears() }},
	"ISO42001": {needs: []string{"issued_at", "expires_at", "scope"}, may: []string{"issuer", "accreditation_body", "cert_no", "standard", "soa_version", "last_surveillance"}, score: 3,
		judge: func(j *judging) {
			j.threeYears()
			j.surveillance()
		}},
	"HITRUST_R2": {needs: []string{"issued_at", "standard", "scope"}, may: []string{"issuer", "cert_no", "interim_at", "status"}, score: 3, ofSecurity: true, judge: hitrustR2},
	"HITRUST_I1": {needs: []string{"issued_at"}, may: []string{"issuer", "cert_no", "standard", "scope", "status"}, score: 2, ofSecurity: true, judge: hitrustYear},
	"HITRUST_E1": {needs: []string{"issued_at"}, may: []string{"issuer", "cert_no", "standard", "scope", "status"}, score: 1, ofSecurity: true, judge: hitrustYear},
	"HITRUST_AI": {needs: []string{"issued_at", "underlying"}, may: []string{"issuer", "cert_no", "standard", "scope", "status"}, score: 2, judge: hitrustAI},
	"FEDRAMP": {needs: []string{"level", "status", "cert_no", "assessed_at"}, may: []string{"issuer", "scope"}, score: 3, ofSecurity: true,
		judge: func(j *judging) {
			j.listed("authorized")
			j.began(j.c.AssessedAt)
			j.until(monthsFrom(j.c.AssessedAt, 12))
		}},
	"PENTEST": {needs: []string{"issuer", "period_end", "scope", "open_high"}, may: []string{"period_start"}, score: 3,
		judge: func(j *judging) {
			if *j.c.OpenHigh != 0 {
				j.fail(OpenFindings, "high findings are overdue")
			}
			j.began(j.c.PeriodEnd)
			j.until(monthsFrom(j.c.PeriodEnd, 12))
		}},
	"VULNSCAN": {needs: []string{"as_of"}, may: []string{"issuer", "scope"}, score: 2,
		judge: func(j *judging) {
			j.began(j.c.AsOf)
			j.until(dayAfter(j.c.AsOf.AddDate(0, 0, 90)))
		}},
	"RISKANALYSIS": {needs: []string{"as_of", "scope", "issuer"}, score: 2,
		judge: func(j *judging) {
			j.began(j.c.AsOf)
			j.until(monthsFrom(j.c.AsOf, 12))
		}},
	"TRAINING":   {needs: []string{"person", "course_version", "as_of", "score"}, may: []string{"issuer", "hired_at", "law_changed_at"}, score: 2, judge: training},
	"INSURANCE":  {needs: []string{"issuer", "limits", "expires_at", "ai_exclusion"}, may: []string{"cert_no", "claims_made", "retro_date", "tail_months"}, score: 3, judge: insurance},
	"HIPAA_SEAL": {never: "HHS recognises no private HIPAA certification: a seal is information only", may: []string{"issuer", "cert_no", "status"}},
	"PCI_AOC": {needs: []string{"as_of"}, may: []string{"issuer", "scope", "level", "standard"}, score: 0,
		judge: func(j *judging) {
			j.note(NotForPHI, "it is about payment cards, and no evidence for PHI", 0)
			j.began(j.c.AsOf)
			j.until(monthsFrom(j.c.AsOf, 12))
		}},
	"NAID_AAA": {needs: []string{"status", "expires_at"}, may: []string{"issuer", "cert_no", "scope"}, score: 2,
		judge: func(j *judging) {
			j.listed("listed")
			j.until(j.c.ExpiresAt)
		}},
}

// socType2: today at the latest twelve months after the period's end; a period of
// three months at least; the opinion; the carve-outs. After the twelve months
// management's letter carries it for three more at the most, while the next
// examination is under way (custom, and nobody audits the letter).
func socType2(j *judging) {
	c := j.c
	end := dayAfter(c.PeriodEnd)
	j.began(c.PeriodEnd)
	switch {
	case hipaa.AddMonths(c.PeriodStart, 3).After(end):
		j.fail(ShortPeriod, "a period under three months shows too little")
	case hipaa.AddMonths(c.PeriodStart, 6).After(end):
		j.note(ShortSOC, "six months or more are better", 2)
	}
	j.soc()
	last := monthsFrom(c.PeriodEnd, 12)
	if b := c.Bridge; b != nil {
		switch {
		case b.By == "" || b.Document == "" || !c.NextUnderWay:
			j.fail(BadBridge, "a bridge letter needs who signed it, the letter, and the next examination under way")
		case b.At.Before(c.PeriodEnd) || b.Until.Before(b.At) || hipaa.AddMonths(b.At, 3).Before(b.Until):
			j.fail(BadBridge, "a bridge letter is of after the period, and reaches three months at the most")
		case (j.latest || j.passed(b.At)) && !b.Until.Before(last):
			// It carries beyond the twelve months.
			if j.passed(last) {
				j.note(Bridged, "the twelve months are over: only management's letter carries it", 1)
			}
			if bridged := dayAfter(b.Until); bridged.After(last) {
				last = bridged
			}
			if limit := monthsFrom(c.PeriodEnd, 15); last.After(limit) {
				last = limit
			}
		}
	}
	j.until(last)
}

// socType1 is of one moment: an interim while a Type 2 is under way, for six months;
// with a letter about that on file, for twelve.
func socType1(j *judging) {
	c := j.c
	j.began(c.AsOf)
	j.soc()
	j.note(Interim, "a point in time", 1)
	if !c.NextUnderWay {
		j.fail(NoSuccessor, "a Type 1 report counts only while a Type 2 is under way")
	}
	months := 6
	if b := c.Bridge; b != nil && b.By != "" && b.Document != "" && (j.latest || j.passed(b.At)) {
		months = 12
	}
	j.until(monthsFrom(c.AsOf, months))
}

// soc is what both SOC 2 reports must say.
func (j *judging) soc() {
	c := j.c
	if !containsFold(c.Criteria, "security") {
		j.fail(NoSecurity, "the security criteria are not covered")
	}
	switch c.Opinion {
	case snapshot.Unqualified:
		for _, x := range c.Exceptions {
			if strings.TrimSpace(x.Accepted) == "" {
				j.fail(BadOpinion, "an exception that nobody has accepted: "+x.What)
			}
		}
	case snapshot.Qualified:
		j.note(Qualified, "the opinion is qualified", 2)
		if len(c.Exceptions) == 0 {
			j.fail(BadOpinion, "the opinion is qualified, and what for is not recorded")
		}
		for _, x := range c.Exceptions {
			if strings.TrimSpace(x.Accepted) == "" {
				j.fail(BadOpinion, "the opinion is qualified, and an exception is not accepted: "+x.What)
			}
		}
	default:
		j.fail(BadOpinion, "the opinion is adverse, a disclaimer, or not known")
	}
	switch c.Subservice {
	case snapshot.CarveOut:
		if len(c.CarveOuts) == 0 {
			j.fail(CarvedOut, "organisations below are carved out, and which is not recorded")
		}
		for _, v := range c.CarveOuts {
			if !j.ownPaper(v) {
				j.fail(CarvedOut, "carved out, and without a paper of its own: "+string(v))
			}
		}
	case snapshot.Inclusive, snapshot.NoSubservice:
	default:
		j.fail(CarvedOut, "it is not known how organisations below are treated")
	}
}

// threeYears is the cycle of a certificate: three years from its decision.
func (j *judging) threeYears() {
	j.began(j.c.IssuedAt)
	j.until(monthsFrom(j.c.IssuedAt, 36))
}

// surveillance is due within twelve months of the decision at first, and then in each
// calendar year (ISO/IEC 17021-1, clause 9.1.3.3).
func (j *judging) surveillance() {
	c := j.c
	if j.latest {
		return // this year's audit, and the next, are to come
	}
	due := monthsFrom(c.IssuedAt, 12)
	if last := c.LastSurveillance; !last.IsZero() && !last.Before(c.IssuedAt) {
		if j.passed(last) {
			due = time.Date(last.UTC().Year()+2, 1, 1, 0, 0, 0, 0, time.UTC)
		}
	}
	if j.passed(due) {
		j.fail(NoSurveillance, "the surveillance audit that was due by "+due.UTC().AddDate(0, 0, -1).Format(time.DateOnly)+" is not recorded")
	}
	j.until(due)
}

// hitrustR2: two years, if the interim assessment was made at about one; three months
// to either side are taken for "about" (policy).
func hitrustR2(j *judging) {
	c := j.c
	j.began(c.IssuedAt)
	j.notSuspended()
	switch {
	case j.latest: // the interim assessment is to come
	case c.InterimAt.IsZero() || !j.passed(c.InterimAt):
		last := monthsFrom(c.IssuedAt, 12)
		if j.passed(last) {
			j.fail(NoInterim, "the first year is over, and no interim assessment is recorded")
		}
		j.until(last)
	case c.InterimAt.Before(hipaa.AddMonths(c.IssuedAt, 9)) || c.InterimAt.After(monthsFrom(c.IssuedAt, 15)):
		j.fail(NoInterim, "the interim assessment was not made at about one year")
	}
	j.until(monthsFrom(c.IssuedAt, 24))
}

func hitrustYear(j *judging) {
	j.began(j.c.IssuedAt)
	j.notSuspended()
	j.until(monthsFrom(j.c.IssuedAt, 12))
}

// hitrustAI is valid with the e1, i1 or r2 below it, and no longer than that.
func hitrustAI(j *judging) {
	c := j.c
	j.began(c.IssuedAt)
	j.notSuspended()
	if j.v == nil {
		// By its own dates alone: no certificate below is longer than two years.
		j.until(monthsFrom(c.IssuedAt, 24))
		if !j.latest {
			j.fail(NotUnderlying, "nothing is known of the certificate below it")
		}
		return
	}
	below, ok := j.v.Certifications.Get(c.Underlying)
	if !ok || below.Vendor != c.Vendor || below.Type != "HITRUST_R2" && below.Type != "HITRUST_I1" && below.Type != "HITRUST_E1" {
		j.fail(NotUnderlying, "the certificate below it is not an e1, i1 or r2 of this vendor")
		return
	}
	of := j.again(below, j.v, j.now, j.depth+1)
	j.lean(of)
	if !of.Counts {
		j.fail(NotUnderlying, "the certificate below it does not count")
		return
	}
	j.until(of.Until)
}

// insurance: in its dates, with a retroactive date and a tail where it covers claims
// made while it runs, and AI not excluded.
func insurance(j *judging) {
	c := j.c
	if *c.AIExclusion {
		j.fail(ExcludesAI, "claims about AI are excluded")
	}
	if c.ClaimsMade {
		if c.RetroDate.IsZero() {
			j.fail(FieldMissing, "not recorded: retro_date, of a claims-made policy")
		} else {
			j.began(c.RetroDate)
		}
		if c.TailMonths <= 0 {
			j.fail(NoTail, "claims that come after the exit are not covered: record the tail (tail_months)")
		}
	}
	j.until(c.ExpiresAt)
}

// training of one person: twelve months (policy). Where a date of hire is recorded it
// was within 90 days of it, and where the law has changed since, a new one within a
// year of that (Tex. Health & Safety Code 181.101).
func training(j *judging) {
	c := j.c
	j.began(c.AsOf)
	if !c.HiredAt.IsZero() && c.AsOf.After(dayAfter(c.HiredAt.AddDate(0, 0, 90))) {
		j.note(LateTraining, "more than 90 days after hire", 1)
	}
	if !c.LawChangedAt.IsZero() && c.AsOf.Before(c.LawChangedAt) {
		j.until(monthsFrom(c.LawChangedAt, 12))
	}
	if c.Score <= 0 || c.Score > 1 {
		j.fail(FieldMissing, "not recorded: a score above 0, up to 1")
	}
	j.until(monthsFrom(c.AsOf, 12))
}

func (j *judging) listed(as string) {
	if !strings.EqualFold(strings.TrimSpace(j.c.Status), as) {
		j.fail(NotListed, "its issuer does not list it as "+as)
	}
}

// notSuspended: HITRUST can suspend a certificate after a security event.
func (j *judging) notSuspended() {
	if s := strings.ToLower(strings.TrimSpace(j.c.Status)); s != "" && s != "certified" {
		j.fail(NotListed, "its issuer lists it as "+s)
	}
}

func containsFold(list []string, s string) bool {
	for _, x := range list {
		if strings.EqualFold(strings.TrimSpace(x), s) {
			return true
		}
	}
	return false
}

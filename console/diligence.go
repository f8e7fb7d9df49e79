package console

import (
	"slices"
	"time"

	"github.com/sallyport/sallyport/diligence"
	"github.com/sallyport/sallyport/snapshot"
)

func diligenceScreens() []screen {
	return []screen{
		on("diligence", "Diligence", "GET /console/diligence", ours, (*server).diligence),
		on("questionnaire", "Questionnaire", "GET /console/questionnaires/{id}", ours, (*server).questionnaire),
		on("certification", "Report", "GET /console/certifications/{id}", ours, (*server).certification),
	}
}

// vendorDiligence is how a vendor's due diligence stands.
type vendorDiligence struct {
	Assessment     *snapshot.Assessment // nil: never assessed
	Verdict        mark
	Standing       diligence.Standing
	Reopened       []reopening
	Acceptances    []acceptance
	Older          int
	Questionnaires []questionnaireRow
	Certifications []certificationRow
	Findings       []*snapshot.Finding
	Required       []requiredReport
}

type reopening struct{ Text, About string }

// acceptance is a risk that somebody answers for.
type acceptance struct {
	snapshot.RiskAcceptance
	State mark
}

// requiredReport is a report that the organisation demands of the vendor.
type requiredReport struct {
	Type, Name string
	Met        bool
}

// questionnaireRow is a questionnaire in a list.
type questionnaireRow struct {
	*snapshot.Questionnaire
	VendorName string
	State      mark
	Answered   int
	Score      float64
	Verdict    snapshot.Verdict
}

// certificationRow is a report or certificate in a list.
type certificationRow struct {
	*snapshot.Certification
	VendorName string
	Name       string
	Judgement  diligence.Judgement
	State      mark
}

func diligenceOf(v *visit, w *snapshot.Vendor) vendorDiligence {
	var d vendorDiligence
	at := diligence.At(v.Now)
	if a := diligence.Latest(v.View, w.ID, at); a != nil {
		d.Assessment, d.Verdict = a, verdictMark(a, v.Now)
		d.Older = len(v.View.AssessmentsOf(w.ID)) - 1
		d.Standing = diligence.Stand(v.View, a, at)
		for _, x := range d.Standing.Reopened {
			d.Reopened = append(d.Reopened, reopening{reopenText(x.Cause), x.About})
		}
		for _, x := range a.Acceptances {
			d.Acceptances = append(d.Acceptances, acceptance{x, acceptanceMark(x, v.Now)})
		}
	}
	for _, q := range v.View.QuestionnairesOf(w.ID) {
		d.Questionnaires = append(d.Questionnaires, rowOfQuestionnaire(v.View, q, v.Now))
	}
	slices.Reverse(d.Questionnaires) // newest first
	counts := map[string]bool{}
	for _, c := range v.View.CertificationsOf(w.ID) {
		r := rowOfCertification(v, c)
		counts[c.Type] = counts[c.Type] || r.Judgement.Counts
		d.Certifications = append(d.Certifications, r)
	}
	for _, x := range w.RequiredCertifications {
		d.Required = append(d.Required, requiredReport{x, certificationName(x), counts[x]})
	}
	d.Findings = slices.Clone(v.View.FindingsOf(w.ID))
	slices.Reverse(d.Findings)
	return d
}

func verdictMark(a *snapshot.Assessment, now time.Time) mark {
	switch {
	case !a.ValidUntil.After(now):
		return mark{"Out of date", "bad"}
	case a.Verdict == snapshot.Pass:
		return mark{"Pass", "good"}
	case a.Verdict == snapshot.Conditional:
		return mark{"Conditional", "warn"}
	case a.Verdict == snapshot.Fail:
		return mark{"Fail", "bad"}
	}
	return mark{words(string(a.Verdict)), "off"}
}

func acceptanceMark(x snapshot.RiskAcceptance, now time.Time) mark {
	switch {
	case x.AcceptedBy == "":
		return mark{"Nobody has accepted it", "wait"}
	case !x.Until.After(now):
		return mark{"Lapsed", "bad"}
	case x.Until.Sub(now) < 30*24*time.Hour:
		return mark{"Lapses soon", "warn"}
	}
	return mark{"Accepted", "good"}
}

var reopenTexts = map[diligence.Cause]string{
	diligence.ByAct: "somebody reopened it", diligence.ByIncident: "an incident at the vendor, or below it, that is not shown to be no breach", diligence.BySubcontractor: "a subcontractor that was not there",
	diligence.ByDataClass: "a class of data that was not there", diligence.ByLocation: "a place that was not there", diligence.ByRisk: "the inherent risk is higher than it was",
	diligence.ByCertification: "a report that it relies on no longer stands", diligence.ByAnswer: "a newer answer to a critical question fails", diligence.ByQuestionnaireGone: "the questionnaire that it rests on was withdrawn",
}

func reopenText(c diligence.Cause) string {
	if text, ok := reopenTexts[c]; ok {
		return text
	}
	return words(string(c))
}

// open reports whether it waits for the vendor, or for its scores.
func (r questionnaireRow) open() bool {
	return !r.Withdrawn && (r.Stage == snapshot.QuestionsSent || r.Stage == snapshot.QuestionsSubmitted)
}

func rowOfQuestionnaire(v *snapshot.View, q *snapshot.Questionnaire, now time.Time) questionnaireRow {
	r := questionnaireRow{Questionnaire: q, VendorName: vendorName(v, q.Vendor), Answered: len(q.Asked) - len(diligence.Unanswered(q))}
	switch {
	case q.Withdrawn:
		r.State = mark{"Withdrawn", "off"}
	case q.Stage == snapshot.QuestionsSent && !q.DueAt.After(now):
		r.State = mark{"Overdue", "bad"}
	case q.Stage == snapshot.QuestionsSent:
		r.State = mark{"With the vendor", "wait"}
	case q.Stage == snapshot.QuestionsSubmitted:
		r.State = mark{"To be scored", "wait"}
	default:
		r.State = mark{"Scored", "off"}
	}
	return r
}

func rowOfCertification(v *visit, c *snapshot.Certification) certificationRow {
	now := v.Now
	r := certificationRow{Certification: c, VendorName: vendorName(v.View, c.Vendor), Name: certificationName(c.Type), Judgement: v.s.partners.judge(v.View, c, now)}
	switch {
	case r.Judgement.Counts && r.Judgement.Until.Sub(now) < 60*24*time.Hour:
		r.State = mark{"Counts, ends soon", "warn"}
	case r.Judgement.Counts:
		r.State = mark{"Counts", "good"}
	case !c.RevokedAt.IsZero():
		r.State = mark{"Revoked", "off"}
	case r.Judgement.Why(diligence.Expired):
		r.State = mark{"Expired", "bad"}
	case r.Judgement.Why(diligence.Unverified) && c.VerifiedAt.IsZero():
		r.State = mark{"To be verified", "wait"}
	default:
		r.State = mark{"Does not count", "bad"}
	}
	return r
}

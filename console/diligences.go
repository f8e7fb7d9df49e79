package console

import (
	"fmt"
	"math"
	"time"

	"github.com/sallyport/sallyport/diligence"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// diligenceTabs are what is listed across vendors.
var diligenceTabs = []tabOf{{"", "Questionnaires"}, {"reports", "Reports and certificates"}, {"decisions", "Decisions"}, {"risks", "Risks and conditions"}, {"findings", "Findings"}}

// diligencePage is one list across all vendors.
type diligencePage struct {
	Tabs []tab
	Tab  string
	Help string
	List list
}

func (s *server) diligence(v *visit) (diligencePage, error) {
	v.call("Diligence")
	var p diligencePage
	p.Tabs, p.Tab = tabsOf(v, diligenceTabs)
	f := s.frame(v)
	switch p.Tab {
	case "reports":
		p.Help, p.List = "What vendors hold, and what each is worth now by the rule of its type. A report counts once a second person has verified it with its issuer.", reportList(v, f)
	case "decisions":
		p.Help, p.List = "The newest decision on each vendor, and whether it stands. One that does not stops the vendor.", verdictList(v, f)
	case "risks":
		p.Help, p.List = "What somebody answers for, until a date, and what a conditional decision still asks for.", riskList(v)
	case "findings":
		p.Help, p.List = "What a person must look at, until somebody says that it was mended, was mistaken, is accepted or became an incident.", findingList(v, f)
	default:
		p.Help, p.List = "The questions put to vendors before they may have data, and again when answers go stale.", questionnaireList(v, f)
	}
	return p, nil
}

func vendorCell(v *visit, key id.Vendor) cell {
	return cell{Text: vendorName(v.View, key), Href: vendorPath(key, "diligence")}
}

func questionnaireList(v *visit, f Frame) list {
	rows := func(yield func(questionnaireRow) bool) {
		for _, q := range v.View.Questionnaires.All() {
			if !yield(rowOfQuestionnaire(v.View, q, v.Now)) {
				return
			}
		}
	}
	return listOf(v, listing[questionnaireRow]{
		Caption: "Questionnaires", Rows: rows, Sort: "state", Keep: []string{"tab"},
		Search: func(r questionnaireRow) string { return string(r.ID) + " " + r.VendorName },
		Columns: []column[questionnaireRow]{
			{Key: "questionnaire", Label: "Questionnaire", Cell: func(r questionnaireRow) cell { return cell{Text: string(r.ID), Href: refIn(v.View, r.ID).Href} }},
			{Key: "vendor", Label: "Vendor", Cell: func(r questionnaireRow) cell { return vendorCell(v, r.Vendor) }},
			{Key: "state", Label: "State", Cell: func(r questionnaireRow) cell { return markOf(r.State) }, Sort: questionnaireOrder},
			{Key: "answered", Label: "Answered", Num: true, Cell: func(r questionnaireRow) cell { return text(fmt.Sprintf("%d of %d", r.Answered, len(r.Asked))) },
				Sort: func(r questionnaireRow) string { return fmt.Sprintf("%03d", r.Answered*100/max(len(r.Asked), 1)) }},
			{Key: "sent", Label: "Sent", Wide: true, Cell: func(r questionnaireRow) cell { return text(day(r.SentAt)) }, Sort: func(r questionnaireRow) string { return iso(r.SentAt) }},
			{Key: "due", Label: "Due", Wide: true, Cell: func(r questionnaireRow) cell {
				if !r.open() {
					return text(day(r.DueAt))
				}
				return cell{Text: day(r.DueAt), Help: ago(v.Now, r.DueAt)}
			}, Sort: func(r questionnaireRow) string { return iso(r.DueAt) }},
		},
		Filters: []filter[questionnaireRow]{{Key: "state", Label: "State", Of: func(r questionnaireRow) []string { return []string{r.State.Word} }}},
		Empty:   empty{"No questions were sent yet", "Record what the vendor does first; then the questions that fit its data are chosen and sent, by a link or to its own people.", f.May("questionnaire.send")},
	})
}

// questionnaireOrder puts first what somebody has to do something about, the earliest due
// first, and then what is done, the newest first.
func questionnaireOrder(r questionnaireRow) string {
	if r.open() {
		return "0" + iso(r.DueAt)
	}
	return fmt.Sprintf("1%020d", math.MaxInt64-r.SentAt.Unix())
}

func reportList(v *visit, f Frame) list {
	rows := func(yield func(certificationRow) bool) {
		for _, c := range v.View.Certifications.All() {
			if !yield(rowOfCertification(v, c)) {
				return
			}
		}
	}
	return listOf(v, listing[certificationRow]{
		Caption: "Reports and certificates", Rows: rows, Sort: "until", Keep: []string{"tab"},
		Search: func(r certificationRow) string {
			return string(r.ID) + " " + r.VendorName + " " + r.Name + " " + r.Issuer
		},
		Columns: []column[certificationRow]{
			{Key: "report", Label: "Report", Cell: func(r certificationRow) cell {
				return cell{Text: r.Name, Href: refIn(v.View, r.ID).Href, Help: string(r.ID)}
			}},
			{Key: "vendor", Label: "Vendor", Cell: func(r certificationRow) cell { return vendorCell(v, r.Vendor) }},
			{Key: "worth", Label: "Worth now", Cell: func(r certificationRow) cell {
				c := markOf(r.State)
				if len(r.Judgement.Reasons) > 0 {
					c.Help = r.Judgement.Reasons[0].Text
				}
				return c
			}},
			{Key: "until", Label: "Counts until", Wide: true, Cell: func(r certificationRow) cell { return text(day(r.until())) }, Sort: func(r certificationRow) string { return iso(r.until()) }},
			{Key: "issuer", Label: "By whom", Cell: func(r certificationRow) cell { return text(r.Issuer) }},
		},
		Filters: []filter[certificationRow]{
			{Key: "worth", Label: "Worth", Of: func(r certificationRow) []string { return []string{r.State.Word} }},
			{Key: "type", Label: "Type", Of: func(r certificationRow) []string { return []string{r.Name} }},
		},
		Empty: empty{"No report is recorded", "A vendor's SOC 2 report, certificate or insurance is recorded by one person and verified with its issuer by another.", f.May("certification.record")},
	})
}

// until is when it stops to count, or would have.
func (r certificationRow) until() time.Time {
	if r.Judgement.Counts {
		return r.Judgement.Until
	}
	return r.ExpiresAt
}

// verdictRow is the newest decision on a vendor.
type verdictRow struct {
	*snapshot.Assessment
	VendorName string
	Verdict    mark
	Reopened   []diligence.Reopening
	Open       int // conditions and risks that are open
}

func verdictList(v *visit, f Frame) list {
	at := diligence.At(v.Now)
	rows := func(yield func(verdictRow) bool) {
		for key, w := range v.View.Vendors.All() {
			a := diligence.Latest(v.View, key, at)
			if a == nil {
				continue
			}
			stands := diligence.Stand(v.View, a, at)
			if !yield(verdictRow{a, w.Name, verdictMark(a, v.Now), stands.Reopened, len(stands.OpenConditions) + len(stands.Open)}) {
				return
			}
		}
	}
	return listOf(v, listing[verdictRow]{
		Caption: "Decisions on vendors", Rows: rows, Sort: "until", Keep: []string{"tab"},
		Search: func(r verdictRow) string { return string(r.ID) + " " + r.VendorName },
		Columns: []column[verdictRow]{
			{Key: "vendor", Label: "Vendor", Cell: func(r verdictRow) cell { return vendorCell(v, r.Assessment.Vendor) }},
			{Key: "verdict", Label: "Verdict", Cell: func(r verdictRow) cell { return markOf(r.Verdict) }},
			{Key: "stands", Label: "Stands", Cell: func(r verdictRow) cell {
				if len(r.Reopened) > 0 {
					return cell{Mark: &mark{"To be made anew", "bad"}, Text: "To be made anew", Help: reopenText(r.Reopened[0].Cause)}
				}
				return markOf(mark{"Yes", "good"})
			}},
			{Key: "open", Label: "Open conditions", Num: true, Cell: func(r verdictRow) cell { return text(number(r.Open)) }},
			{Key: "decided", Label: "Decided", Wide: true, Cell: func(r verdictRow) cell {
				return cell{Text: day(r.DecidedAt), Help: "by " + refIn(v.View, r.DecidedBy).Label}
			}, Sort: func(r verdictRow) string { return iso(r.DecidedAt) }},
			{Key: "until", Label: "Valid until", Wide: true, Cell: func(r verdictRow) cell { return text(day(r.ValidUntil)) }, Sort: func(r verdictRow) string { return iso(r.ValidUntil) }},
		},
		Filters: []filter[verdictRow]{{Key: "verdict", Label: "Verdict", Of: func(r verdictRow) []string { return []string{r.Verdict.Word} }}},
		Empty:   empty{"Nobody has decided on a vendor yet", "A due-diligence decision rests on scored answers and verified reports; without one that stands, nothing is released to the vendor.", f.May("assessment.record")},
	})
}

// riskRow is a risk that is accepted, or a condition.
type riskRow struct {
	Kind, What, Why string
	Vendor          id.Vendor
	Owner           id.Person
	Until           time.Time
	State           mark
	By              id.Person // who accepted it, or met it
}

func riskList(v *visit) list {
	at := diligence.At(v.Now)
	rows := func(yield func(riskRow) bool) {
		for key := range v.View.Vendors.All() {
			a := diligence.Latest(v.View, key, at)
			if a == nil {
				continue
			}
			for _, x := range a.Acceptances {
				if !yield(riskRow{"Accepted risk", x.For, x.Why, key, x.Owner, x.Until, acceptanceMark(x, v.Now), x.AcceptedBy}) {
					return
				}
			}
			for _, x := range a.Conditions {
				m := mark{"Open", "wait"}
				switch {
				case !x.MetAt.IsZero():
					m = mark{"Met", "good"}
				case !x.DueAt.After(v.Now):
					m = mark{"Overdue", "bad"}
				}
				if !yield(riskRow{"Condition", x.Text, "", key, x.Owner, x.DueAt, m, x.MetBy}) {
					return
				}
			}
		}
	}
	return listOf(v, listing[riskRow]{
		Caption: "Risks and conditions", Rows: rows, Sort: "until", Keep: []string{"tab"},
		Search: func(r riskRow) string { return r.What + " " + r.Why + " " + vendorName(v.View, r.Vendor) },
		Columns: []column[riskRow]{
			{Key: "kind", Label: "Is", Cell: func(r riskRow) cell { return text(r.Kind) }},
			{Key: "what", Label: "What", Cell: func(r riskRow) cell { return cell{Text: r.What, Help: r.Why} }},
			{Key: "vendor", Label: "Vendor", Cell: func(r riskRow) cell { return vendorCell(v, r.Vendor) }},
			{Key: "owner", Label: "Answers for it", Cell: func(r riskRow) cell {
				x := refIn(v.View, r.Owner)
				return cell{Text: x.Label, Href: x.Href}
			}},
			{Key: "state", Label: "State", Cell: func(r riskRow) cell {
				c := markOf(r.State)
				if r.By != "" {
					c.Help = "by " + refIn(v.View, r.By).Label
				}
				return c
			}},
			{Key: "until", Label: "Until", Wide: true, Cell: func(r riskRow) cell { return text(day(r.Until)) }, Sort: func(r riskRow) string { return iso(r.Until) }},
		},
		Filters: []filter[riskRow]{
			{Key: "kind", Label: "Is", Of: func(r riskRow) []string { return []string{r.Kind} }},
			{Key: "state", Label: "State", Of: func(r riskRow) []string { return []string{r.State.Word} }},
		},
		Empty: empty{"No risk is accepted, and no condition is open", "Where a decision on a vendor is conditional, each risk has a person who answers for it and a date on which that ends.", nil},
	})
}

func findingList(v *visit, f Frame) list {
	rows := func(yield func(*snapshot.Finding) bool) {
		for _, x := range v.View.Findings.All() {
			if !yield(x) {
				return
			}
		}
	}
	state := func(r *snapshot.Finding) mark {
		switch {
		case r.Settled == "" && v.Now.Sub(r.RaisedAt) > v.View.Settings.IncidentIgnoredAfter:
			return mark{"Left lying", "bad"}
		case r.Settled == "":
			return mark{"Open", "wait"}
		}
		return mark{words(string(r.Settled)), "off"}
	}
	return listOf(v, listing[*snapshot.Finding]{
		Caption: "Findings", Rows: rows, Sort: "-raised", Keep: []string{"tab"},
		Search: func(r *snapshot.Finding) string {
			return r.Title + " " + string(r.ID) + " " + vendorName(v.View, r.Vendor)
		},
		Columns: []column[*snapshot.Finding]{
			{Key: "finding", Label: "Finding", Cell: func(r *snapshot.Finding) cell {
				c := cell{Text: r.Title, Help: string(r.ID)}
				if link := f.May("finding.settle", "id", r.ID); r.Settled == "" && link != nil {
					c.Href = link.Href
				}
				return c
			}},
			{Key: "vendor", Label: "Vendor", Cell: func(r *snapshot.Finding) cell {
				if r.Vendor == "" {
					return text("the organisation's own")
				}
				return vendorCell(v, r.Vendor)
			}},
			{Key: "kind", Label: "Found in", Cell: func(r *snapshot.Finding) cell { return text(words(string(r.Kind))) }},
			{Key: "state", Label: "State", Cell: func(r *snapshot.Finding) cell { return markOf(state(r)) }},
			{Key: "raised", Label: "Raised", Wide: true, Cell: func(r *snapshot.Finding) cell {
				return cell{Text: day(r.RaisedAt), Help: "by " + refIn(v.View, r.RaisedBy).Label}
			}, Sort: func(r *snapshot.Finding) string { return iso(r.RaisedAt) }},
		},
		Filters: []filter[*snapshot.Finding]{
			{Key: "state", Label: "State", Of: func(r *snapshot.Finding) []string { return []string{state(r).Word} }},
			{Key: "kind", Label: "Found in", Of: func(r *snapshot.Finding) []string { return []string{string(r.Kind)} }},
		},
		Empty: empty{"Nothing was found", "Whoever sees something that a person must look at raises it as a finding; the product raises some by itself.", f.May("finding.raise")},
	})
}

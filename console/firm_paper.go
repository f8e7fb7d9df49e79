package console

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/diligence"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

func firmPaperScreens() []screen {
	return []screen{
		on("firm_papers", "Papers", "GET "+firmPath+"/papers", theirs, (*server).firmPapers),
		on("firm_certificates", "Certificates", "GET "+firmPath+"/certificates", theirs, (*server).firmCertificates),
		on("firm_questionnaires", "Questionnaires", "GET "+firmPath+"/questionnaires", theirs, (*server).firmQuestionnaires),
		fileOn("GET "+firmPath+"/papers/{id}/signed", theirs, func(s *server, v *visit) error { // the API asks whose it is
			return s.pass(v, "/v1/agreements/"+url.PathEscape(v.PathValue("id"))+"/signed", "signed.pdf")
		}),
	}
}

// firmAgreementStanding is how an agreement stands at a time, in a word.
func firmAgreementStanding(a *snapshot.Agreement, now time.Time) string {
	signed := func(p snapshot.Party) bool { return a.SignedBy(p, now) }
	theirs := snapshot.VendorParty
	switch {
	case a.OverBy(now):
		return "ended"
	case !a.EndsAt.IsZero() && !now.Before(a.EndsAt):
		return "expired"
	case a.State == snapshot.Suspended || !a.SuspendedAt.IsZero() && !now.Before(a.SuspendedAt):
		return "suspended"
	case !signed(theirs):
		return "to sign"
	case a.State != snapshot.Approved || len(a.Signatures) < 2:
		return "waits for approval"
	case now.Before(a.EffectiveAt):
		return "not yet in force"
	}
	return "in force"
}

var firmAgreementKinds = map[snapshot.AgreementKind]string{snapshot.BAA: "Business associate agreement", snapshot.SubcontractorBAA: "Subcontractor business associate agreement",
	snapshot.ServicesContract: "Services contract", snapshot.DataUseAgreement: "Data use agreement"}

// firmTabs are the pages of the firm's papers.
func firmTabs(here string) []firmTab {
	out := []firmTab{{"Agreements", firmPath + "/papers", false}, {"Certificates", firmPath + "/certificates", false}, {"Questionnaires", firmPath + "/questionnaires", false}}
	for i := range out {
		out[i].Here = out[i].Href == here
	}
	return out
}

type firmPapers struct {
	Tabs     []firmTab
	List     list
	Partings []firmParting
	Signs    bool     // the visitor may sign
	Signers  []string // who may
}

// firmParting is the end of the work with the firm, or of a part of it.
type firmParting struct {
	What       string
	Href       string
	Mark       mark
	DueAt      time.Time
	Done, Left int
}

func (s *server) firmPapers(v *visit) (firmPapers, error) {
	f, err := firmOf(v)
	if err != nil {
		return firmPapers{}, err
	}
	out := firmPapers{Tabs: firmTabs(firmPath + "/papers"), Signs: v.Person.Signatory.By != ""}
	for _, p := range v.View.PersonsOf(f.vendor.ID) {
		if p.Signatory.By != "" && p.State == snapshot.Approved {
			out.Signers = append(out.Signers, cmp.Or(p.Name, string(p.ID))+" ("+p.Signatory.Title+")")
		}
	}
	out.List = listOf(v, listing[*snapshot.Agreement]{
		Caption: "Agreements", Rows: slices.Values(v.View.AgreementsOf(f.vendor.ID)),
		Columns: []column[*snapshot.Agreement]{
			{Key: "kind", Label: "Agreement", Cell: func(a *snapshot.Agreement) cell {
				return cell{Text: cmp.Or(firmAgreementKinds[a.Kind], string(a.Kind)), Href: "/portal/agreements/" + url.PathEscape(string(a.ID)), Help: string(a.ID)}
			}},
			{Key: "state", Label: "State", Cell: func(a *snapshot.Agreement) cell { return f.agreementCell(a) }},
			{Key: "effective", Label: "In force from", Cell: func(a *snapshot.Agreement) cell { return text(day(a.EffectiveAt)) }, Sort: func(a *snapshot.Agreement) string { return iso(a.EffectiveAt) }},
			{Key: "ends", Label: "Ends", Cell: func(a *snapshot.Agreement) cell { return f.agreementEnd(a) }, Sort: func(a *snapshot.Agreement) string { return iso(a.EndsAt) }},
			{Key: "permits", Label: "Permits", Cell: func(a *snapshot.Agreement) cell { return text(firmPermits(a)) }, Fixed: true},
		},
		Filters: []filter[*snapshot.Agreement]{{Key: "state", Label: "State", Of: func(a *snapshot.Agreement) []string { return []string{firmAgreementStanding(a, v.Now)} }}},
		Empty:   empty{Title: "There is no agreement yet", Text: "The organisation drafts a business associate agreement (45 CFR 164.504(e)) and puts it here. You read it, and who may sign for your firm signs it with a passkey."},
	})
	for _, o := range v.View.Offboardings.All() {
		if o.Vendor != f.vendor.ID {
			continue
		}
		p := firmParting{What: "The whole work with your firm", Href: "/portal/offboardings/" + url.PathEscape(string(o.ID)), DueAt: o.DueAt, Done: len(o.Dispositions)}
		if o.Engagement != "" {
			p.What = "The work " + string(o.Engagement)
		}
		p.Left = max(len(snapshot.DataForms)-p.Done, 0)
		switch {
		case !o.CompletedAt.IsZero():
			p.Mark = mark{"Complete", "good"}
		case p.Left == 0:
			p.Mark = mark{"Attested", "wait"}
		case v.Now.After(o.DueAt):
			p.Mark = mark{"Overdue", "bad"}
		default:
			p.Mark = mark{"Waits for you", "wait"}
		}
		out.Partings = append(out.Partings, p)
	}
	return out, nil
}

// agreementCell says how an agreement stands, and what the firm can do about it.
func (f firm) agreementCell(a *snapshot.Agreement) cell {
	word := firmAgreementStanding(a, f.v.Now)
	c := marked(word)
	switch word {
	case "to sign":
		c.Mark.Tone, c.Help = "wait", "Who may sign for your firm has not signed yet."
		if side, ok := registry.SideOf(f.v.View, a.ID, f.v.Person.ID); ok && side == snapshot.VendorParty && f.v.Person.Signatory.By != "" {
			c.Help = "It waits for your signature."
			c.Href = "/portal/agreements/" + url.PathEscape(string(a.ID))
		}
	case "waits for approval":
		c.Mark.Tone, c.Help = "wait", "The organisation signs and approves it."
	case "in force":
		for _, n := range a.Notices {
			if !n.Ends().IsZero() {
				c = cell{Text: "Notice given", Mark: &mark{"Notice given", "bad"}, Help: "Cure the breach by " + day(n.Ends()) + ", or the agreement ends."}
			}
		}
	}
	return c
}

func (f firm) agreementEnd(a *snapshot.Agreement) cell {
	if a.EndsAt.IsZero() {
		return text("No end is set")
	}
	c := text(day(a.EndsAt))
	if firmAgreementStanding(a, f.v.Now) == "in force" {
		c.Help = ago(f.v.Now, a.EndsAt)
	}
	if n, ok := a.Waiting(); ok {
		c.Help = "A renewal until " + day(n.EndsAt) + " waits for approval."
	}
	return c
}

// firmPermits is what an agreement permits. Silence is no.
func firmPermits(a *snapshot.Agreement) string {
	var out []string
	for _, u := range a.PermittedUses {
		out = append(out, strings.ToLower(words(string(u.Purpose)))+" ("+u.Clause+")")
	}
	if len(out) == 0 {
		return "No use is permitted"
	}
	return strings.Join(out, ", ")
}

type firmCertificates struct {
	Tabs     []firmTab
	Required []string // types that the organisation asks for
	List     list
	Send     *actLink
}

// firmCertificate is a certificate with what it is worth now. Why one does not count is
// told only where it is about the paper itself, not about another firm's.
type firmCertificate struct {
	*snapshot.Certification
	Judged diligence.Judgement
}

func (s *server) firmCertificates(v *visit) (firmCertificates, error) {
	f, err := firmOf(v)
	if err != nil {
		return firmCertificates{}, err
	}
	out := firmCertificates{Tabs: firmTabs(firmPath + "/certificates")}
	names := map[string]string{}
	for _, t := range hipaa.CertificationTypes() {
		names[t.ID] = t.Name
	}
	for _, t := range f.vendor.RequiredCertifications {
		out.Required = append(out.Required, cmp.Or(names[t], t))
	}
	frame := Frame{Person: v.Person, Ours: v.ours(), Path: pathOf(v.URL), v: v}
	out.Send = frame.May("certification.record", "vendor", f.vendor.ID)
	var rows []firmCertificate
	for _, c := range v.View.CertificationsOf(f.vendor.ID) {
		rows = append(rows, firmCertificate{c, diligence.Judge(c, v.View, v.Now)})
	}
	out.List = listOf(v, listing[firmCertificate]{
		Caption: "Certificates", Rows: slices.Values(rows),
		Columns: []column[firmCertificate]{
			{Key: "type", Label: "Certificate", Cell: func(c firmCertificate) cell { return cell{Text: cmp.Or(names[c.Type], c.Type), Help: string(c.ID)} }},
			{Key: "state", Label: "State", Cell: func(c firmCertificate) cell { return f.certificateCell(c) }},
			{Key: "issuer", Label: "Issuer", Cell: func(c firmCertificate) cell { return text(c.Issuer) }},
			{Key: "until", Label: "Counts until", Cell: func(c firmCertificate) cell {
				switch {
				case c.Waits(v.Now):
					return cell{Text: day(c.ExpiresAt), Help: "at the latest, once it is verified"}
				case !c.RevokedAt.IsZero():
					return cell{}
				}
				end := cmp.Or(c.Judged.Until, c.ExpiresAt)
				return cell{Text: day(end), Help: ago(v.Now, end)}
			}, Sort: func(c firmCertificate) string { return iso(cmp.Or(c.Judged.Until, c.ExpiresAt)) }},
			{Key: "next", Label: "Next", Fixed: true, Cell: func(c firmCertificate) cell {
				switch {
				case c.Waits(v.Now) && v.View.SentByVendor(c.Certification):
					return linked(frame.May("certification.revoke", "id", c.ID).As("Take it back"))
				case c.Type != "" && c.RevokedAt.IsZero() && !c.Waits(v.Now) && c.endsBefore(v.Now.AddDate(0, 2, 0)):
					return linked(frame.May("certification.record", "vendor", f.vendor.ID, "type", c.Type).As("Send the next one"))
				}
				return cell{}
			}},
		},
		Empty: empty{Title: "No certificate is on record", Text: "Send a report or certificate, such as SOC 2 or ISO 27001, or a penetration test. It counts once one of the organisation's people has verified it.", Act: out.Send.As("Send a certificate")},
	})
	return out, nil
}

// endsBefore reports whether it will have stopped to count by then, or has.
func (c firmCertificate) endsBefore(then time.Time) bool {
	return cmp.Or(c.Judged.Until, c.ExpiresAt).Before(then)
}

// certificateCell is how a certificate stands, as whoever sent it asks.
func (f firm) certificateCell(c firmCertificate) cell {
	say := func(word, tone, help string) cell { return cell{Text: word, Mark: &mark{word, tone}, Help: help} }
	sent := f.v.View.SentByVendor(c.Certification)
	by, _ := f.v.View.Persons.Get(c.RevokedBy)
	switch {
	case c.Judged.Counts && c.endsBefore(f.v.Now.AddDate(0, 2, 0)):
		return say("Expiring", "warn", "Send the next one before it ends.")
	case c.Judged.Counts:
		return say("Counts", "good", "")
	case !c.RevokedAt.IsZero() && sent && by != nil && by.Vendor == f.vendor.ID:
		return say("Taken back", "off", "By "+f.name(c.RevokedBy)+", on "+day(c.RevokedAt)+".")
	case !c.RevokedAt.IsZero() && sent && c.VerifiedAt.IsZero():
		return say("Not accepted", "bad", sentence("Because: "+c.RevokedWhy))
	case !c.RevokedAt.IsZero():
		return say("Revoked", "bad", sentence(cmp.Or(c.RevokedWhy, "The organisation no longer counts it")))
	case c.Waits(f.v.Now) && sent:
		return say("Sent, not looked at yet", "wait", "By "+f.name(c.RecordedBy)+", on "+day(c.RecordedAt)+". It counts for nothing until the organisation has verified it.")
	case !diligence.Verified(c.Certification):
		return say("Waits for verification", "wait", "Another of the organisation's people verifies it.")
	}
	out := say("Does not count", "bad", "")
	for _, r := range c.Judged.Reasons {
		if r.Code == diligence.CarvedOut { // about another firm's papers
			out.Help = "It leaves out an organisation below yours that has no paper of its own here."
			continue
		}
		out.Help = sentence(words(r.Text))
		break
	}
	return out
}

// linked is a way to an act as a cell.
func linked(a *actLink) cell {
	if a == nil {
		return cell{}
	}
	return cell{Text: a.Label, Href: a.Href}
}

type firmQuestionnaires struct {
	Tabs []firmTab
	List list
}

func (s *server) firmQuestionnaires(v *visit) (firmQuestionnaires, error) {
	f, err := firmOf(v)
	if err != nil {
		return firmQuestionnaires{}, err
	}
	answered := func(q *snapshot.Questionnaire) int { return len(q.Asked) - len(diligence.Unanswered(q)) }
	return firmQuestionnaires{firmTabs(firmPath + "/questionnaires"), listOf(v, listing[*snapshot.Questionnaire]{
		Caption: "Questionnaires", Rows: slices.Values(v.View.QuestionnairesOf(f.vendor.ID)), Sort: "-due",
		Columns: []column[*snapshot.Questionnaire]{
			{Key: "id", Label: "Questionnaire", Cell: func(q *snapshot.Questionnaire) cell {
				return cell{Text: string(q.ID), Href: "/portal/questionnaires/" + url.PathEscape(string(q.ID))}
			}},
			{Key: "state", Label: "State", Cell: func(q *snapshot.Questionnaire) cell { return firmQuestionnaireCell(q, v.Now) }},
			{Key: "answered", Label: "Answered", Cell: func(q *snapshot.Questionnaire) cell {
				return cell{Text: fmt.Sprintf("%d of %d", answered(q), len(q.Asked)), Help: firmGivenTo(q, v.Person)}
			}, Sort: func(q *snapshot.Questionnaire) string { return fmt.Sprintf("%06d", answered(q)) }},
			{Key: "due", Label: "Due", Cell: func(q *snapshot.Questionnaire) cell {
				if q.Withdrawn || q.Stage != snapshot.QuestionsSent {
					return text(day(q.DueAt))
				}
				return cell{Text: day(q.DueAt), Help: ago(v.Now, q.DueAt)}
			}, Sort: func(q *snapshot.Questionnaire) string { return iso(q.DueAt) }},
		},
		Empty: empty{Title: "Nothing was asked yet", Text: "Before the organisation shares data it asks how your firm protects it. The questions come here, are answered a part at a time, by several of you if you like, and answers that are still true are carried over to the next time."},
	})}, nil
}

func firmQuestionnaireCell(q *snapshot.Questionnaire, now time.Time) cell {
	switch {
	case q.Withdrawn:
		return cell{Text: "Withdrawn", Mark: &mark{"Withdrawn", "off"}, Help: "It counts for nothing, and nothing is to do."}
	case q.Stage == snapshot.QuestionsSent && now.After(q.DueAt):
		return cell{Text: "Overdue", Mark: &mark{"Overdue", "bad"}, Help: "Answer what is open, then hand it in."}
	case q.Stage == snapshot.QuestionsSent:
		return cell{Text: "Waits for you", Mark: &mark{"Waits for you", "wait"}, Help: "Answer what is open, then hand it in."}
	case q.Stage == snapshot.QuestionsSubmitted:
		return cell{Text: "Handed in", Mark: &mark{"Handed in", "good"}, Help: "On " + day(q.SubmittedAt) + ". The organisation reads your answers."}
	}
	return markOf(mark{"Answered", "off"})
}

// firmGivenTo says how many open questions a colleague has given to the visitor.
func firmGivenTo(q *snapshot.Questionnaire, p *snapshot.Person) string {
	if q.Stage != snapshot.QuestionsSent {
		return ""
	}
	n := 0
	for _, question := range q.Asked {
		if q.Delegated[question] == p.ID && q.Answers[question].Value == "" {
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return plural(n, "question") + " given to you"
}

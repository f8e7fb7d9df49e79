package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/diligence"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity/signin"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
)

// newLink makes the code of a link, unless a digest was given, and notes the digest in
// the act. A questionnaire that is sent to nobody's address is for the vendor's own
// people, and has no link.
func (c connection) newLink(ctx context.Context, kind registry.Kind, fields map[string]any) (onceTold, error) {
	if fields["secret_sha256"] != nil || kind == "questionnaire.send" && fields["contact"] == nil {
		return nil, nil
	}
	if kind == "questionnaire.send" && fields["expires_at"] == nil {
		fields["expires_at"] = fields["due_at"]
	}
	var e api.Enrolment
	if err := c.call(ctx, http.MethodGet, "/v1/enrolment", nil, &e); err != nil {
		return nil, err
	}
	if e.People == "" {
		return nil, problem.New(problem.Conflict, "The server has no pages for people, so a link would lead nowhere", "Set people_url and listen.people in the configuration")
	}
	code := signin.NewCode()
	fields["secret_sha256"], _ = signin.CodeDigest(code)
	return link(e.People + "/portal/in#" + code), nil
}

// link is the address of a link, with its code.
type link string

// tell prints the link alone on standard output, for a script, and what to do with it
// beside it.
func (l link) tell() {
	fmt.Println(string(l))
	fmt.Fprintln(os.Stderr, "\nSend this link to the vendor's contact, and to nobody else: who has it can do what it is for. It is shown this once.")
}

type vendorRiskCmd struct {
	ID   string `arg:"" help:"The vendor."`
	JSON bool   `name:"json" help:"Print JSON."`
	connection
}

// Run prints the risk and its working.
func (c *vendorRiskCmd) Run(ctx context.Context) error {
	var r diligence.Risk
	if err := c.call(ctx, http.MethodGet, "/v1/vendors/"+url.PathEscape(c.ID)+"/risk", nil, &r); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(r)
	}
	fmt.Printf("Inherent risk of %s: %s, %d points (policy; no law sets these weights)\n", c.ID, r.Level, r.Points)
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	for _, f := range r.Facts {
		fmt.Fprintf(w, "  +%d\t%s = %s\t%s\n", f.Weight, f.Fact, f.Value, f.Why)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if r.Floor != "" {
		fmt.Printf("  %s\n", r.Floor)
	}
	fmt.Printf("An assessment that rests on a questionnaire may be valid for at most %d months (policy).\n", r.Renew)
	return nil
}

type vendorTreeCmd struct {
	ID   string `arg:"" help:"The vendor."`
	JSON bool   `name:"json" help:"Print JSON."`
	connection
}

// Run prints the tree.
func (c *vendorTreeCmd) Run(ctx context.Context) error {
	var t api.VendorTree
	if err := c.call(ctx, http.MethodGet, "/v1/vendors/"+url.PathEscape(c.ID)+"/tree", nil, &t); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(t)
	}
	printNode(os.Stdout, t.Root, "", true)
	switch n := len(t.Uncovered); n {
	case 0:
		fmt.Println("Every link has an agreement in force.")
	default:
		fmt.Printf("%d links lack an agreement in force (45 CFR 164.502(e)(1)(ii)):\n", n)
		for _, l := range t.Uncovered {
			fmt.Printf("  %s passes data to %s\n", l[0], l[1])
		}
	}
	return nil
}

func printNode(w io.Writer, n diligence.Node, indent string, root bool) {
	line := fmt.Sprintf("%s (%s)", n.Vendor, cmp.Or(string(n.State), "not registered"))
	switch {
	case root:
	case n.Agreement != "":
		line += ", covered by " + string(n.Agreement)
	default:
		line += ", NOT COVERED: " + strings.Join(n.Lacks, ", ")
	}
	if n.Again {
		line += " (shown above)"
	}
	fmt.Fprintln(w, indent+line)
	for _, x := range n.Below {
		printNode(w, x, indent+"  ", false)
	}
}

type vendorStandingCmd struct {
	ID   string `arg:"" help:"The vendor."`
	JSON bool   `name:"json" help:"Print JSON."`
	connection
}

// Run prints what a vendor's decision relies on, and what has become of it.
func (c *vendorStandingCmd) Run(ctx context.Context) error {
	var s api.VendorStanding
	if err := c.call(ctx, http.MethodGet, "/v1/vendors/"+url.PathEscape(c.ID)+"/standing", nil, &s); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(s)
	}
	a := s.Assessment
	if a == nil {
		fmt.Printf("%s was never assessed.\n", c.ID)
		return nil
	}
	fmt.Printf("%s: %s by %s, valid until %s\n", a.ID, a.Verdict, a.DecidedBy, a.ValidUntil.Format("2006-01-02"))
	for _, x := range s.Standing.Reopened {
		fmt.Printf("  REOPENED: %s %s\n", x.Cause, x.About)
	}
	for _, x := range s.Standing.Open {
		fmt.Printf("  OPEN GAP: %s, accepted by nobody\n", x)
	}
	for _, x := range a.Acceptances {
		if slices.Contains(s.Standing.Accepted, x.For) {
			fmt.Printf("  accepted risk: %s until %s; %s answers for it, %s accepted it: %s\n", x.For, x.Until.Format("2006-01-02"), x.Owner, x.AcceptedBy, x.Why)
		}
	}
	for _, x := range a.Conditions {
		if slices.Contains(s.Standing.OpenConditions, x.ID) {
			fmt.Printf("  open condition %s, due %s, %s: %s\n", x.ID, x.DueAt.Format("2006-01-02"), x.Owner, x.Text)
		}
	}
	if s.Standing.StaleFirst != "" {
		fmt.Printf("  first critical answer to go stale: %s on %s\n", s.Standing.StaleFirst, s.Standing.AnswersUntil.Format("2006-01-02"))
	}
	return nil
}

type questionnaireScoreCmd struct {
	ID      string `arg:"" help:"The questionnaire."`
	Working bool   `help:"Show each question, weight and point."`
	JSON    bool   `name:"json" help:"Print JSON."`
	connection
}

// Run prints what the answers come to.
func (c *questionnaireScoreCmd) Run(ctx context.Context) error {
	var w diligence.Working
	if err := c.call(ctx, http.MethodGet, "/v1/questionnaires/"+url.PathEscape(c.ID)+"/score", nil, &w); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(w)
	}
	fmt.Printf("%s: %s, %d of %d points (%.2f)\n", w.Questionnaire, w.Verdict, w.Points, w.Of, w.Overall)
	fmt.Printf("Rule (%s): %s\n", w.Label, w.Rule)
	for _, r := range w.Reasons {
		fmt.Printf("  %s, so %s at best: %s\n", r.Code, r.Verdict, r.Text)
	}
	if len(w.Unscored) > 0 {
		fmt.Printf("Not scored yet: %s\n", strings.Join(w.Unscored, ", "))
	}
	t := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	for _, d := range w.Domains {
		fmt.Fprintf(t, "%s\t%s\t%d/%d\t%.2f\n", d.ID, d.Name, d.Points, d.Of, d.Score)
		if !c.Working {
			continue
		}
		for _, q := range w.Questions {
			if q.Domain != d.ID {
				continue
			}
			critical := ""
			if q.Critical {
				critical = " critical"
			}
			fmt.Fprintf(t, "  %s\tweight %d x score %d%s\t%d/%d\t%s\n", q.ID, q.Weight, q.Counts, critical, q.Points, q.Of, q.Note)
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, x := range w.Excluded {
		fmt.Printf("not asked: %s: %s\n", x.Question, x.Why)
	}
	return nil
}

type questionnaireShowCmd struct {
	ID   string `arg:"" help:"The questionnaire."`
	JSON bool   `name:"json" help:"Print JSON."`
	connection
}

// Run prints the questions and answers.
func (c *questionnaireShowCmd) Run(ctx context.Context) error {
	var s api.QuestionnaireShown
	if err := c.call(ctx, http.MethodGet, "/v1/questionnaires/"+url.PathEscape(c.ID)+"/questions", nil, &s); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(s)
	}
	q := s.Questionnaire
	fmt.Printf("%s to %s: %s, due %s, %d asked, %d without an answer\n", q.ID, q.Vendor, q.Stage, q.DueAt.Format("2006-01-02"), len(q.Asked), len(s.Missing))
	for _, shown := range s.Questions {
		x := hipaa.Question(shown)
		a, ok := q.Answers[x.ID]
		fmt.Printf("\n%s %s\n", x.ID, x.Text)
		switch {
		case !ok || !diligence.Answered(x, a):
			fmt.Println("  no answer")
			continue
		case a.Carried != "":
			fmt.Printf("  carried over from %s\n", a.Carried)
		case a.Imported != "":
			fmt.Printf("  a claim out of a %s, no evidence\n", strings.ToUpper(a.Imported))
		}
		fmt.Printf("  %s\n", strings.ReplaceAll(strings.TrimSpace(a.Value+"\n"+a.Detail), "\n", "\n  "))
		for _, e := range a.Evidence {
			fmt.Printf("  evidence %s\n", e)
		}
		score := "not scored"
		if !a.ScoredAt.IsZero() {
			score = fmt.Sprintf("score %d by %s %s", a.Score, a.ScoredBy, a.Note)
		}
		fmt.Printf("  answered by %s on %s, %s\n", a.AnsweredBy, a.AnsweredAt.Format("2006-01-02"), strings.TrimSpace(score))
	}
	return nil
}

type questionnaireQuestionsCmd struct {
	ID   string `arg:"" optional:"" help:"One question."`
	JSON bool   `name:"json" help:"Print JSON."`
}

// Run prints the catalogue, which is in the program.
func (c *questionnaireQuestionsCmd) Run() error {
	list := hipaa.Questions()
	if c.ID != "" {
		q, ok := hipaa.LookupQuestion(strings.ToUpper(c.ID))
		if !ok {
			return problem.New(problem.NotFound, "There is no such question", "List them: sallyport questionnaire questions")
		}
		list = []hipaa.Question{q}
	}
	if c.JSON {
		return printJSON(list)
	}
	for _, q := range list {
		critical := ""
		if q.Critical {
			critical = ", critical"
		}
		fmt.Printf("%s (weight %d%s) %s\n", q.ID, q.Weight, critical, q.Text)
		if c.ID == "" {
			continue
		}
		for _, s := range []string{"0", "1", "2", "3"} {
			fmt.Printf("  %s: %s\n", s, q.Scoring[s])
		}
		fmt.Printf("  evidence: %s\n  controls: %s\n", strings.Join(q.Evidence, "; "), strings.Join(q.Controls, ", "))
		if o := q.Options(); o != nil {
			fmt.Printf("  answers: %s\n", strings.Join(o, ", "))
		}
		if q.FreshnessDays > 0 {
			fmt.Printf("  an answer counts for %d days (policy)\n", q.FreshnessDays)
		}
	}
	return nil
}

type questionnaireImportCmd struct {
	ID     string `arg:"" help:"The questionnaire."`
	File   string `arg:"" help:"The vendor's CAIQ v4 (CSV or JSON) or HECVAT 4 (CSV); - is standard input."`
	DryRun bool   `name:"dry-run" help:"Only show what it would fill in."`
	Reason string `short:"m" help:"Why, in a sentence." default:"import of the vendor's export"`
	connection
}

// Run reads the export here and sends what it claims about questions that have no
// answer.
func (c *questionnaireImportCmd) Run(ctx context.Context) error {
	raw, err := readInput(c.File)
	if err != nil {
		return err
	}
	format, lines, err := diligence.ReadExport(raw)
	if err != nil {
		return err
	}
	var s api.QuestionnaireShown
	if err := c.call(ctx, http.MethodGet, "/v1/questionnaires/"+url.PathEscape(c.ID)+"/questions", nil, &s); err != nil {
		return err
	}
	act := registry.ImportClaims{ID: id.Questionnaire(c.ID), From: format, Source: registry.NewDocument("text/csv", raw).Digest}
	for _, m := range diligence.MapClaims(format, lines) {
		if slices.Contains(s.Questionnaire.Asked, m.Question) && s.Questionnaire.Answers[m.Question].Value == "" {
			act.Claims = append(act.Claims, registry.Claim{Question: m.Question, Value: m.Value, Detail: m.Detail})
			fmt.Printf("%s from %s\n", m.Question, strings.Join(m.From, ", "))
		}
	}
	if len(act.Claims) == 0 {
		return problem.New(problem.Conflict, "Nothing in the file answers a question that is asked and has no answer", "See what is missing: sallyport questionnaire show "+c.ID)
	}
	if c.DryRun {
		fmt.Printf("%d claims of %d answered lines; nothing was sent\n", len(act.Claims), len(lines))
		return nil
	}
	done, err := c.note(ctx, "questionnaire.import", c.ID, c.Reason, act)
	if err != nil {
		return err
	}
	fmt.Printf("questionnaire.import %s: %d claims out of a %s, none of them evidence; entry %d of log %s\n", c.ID, len(act.Claims), strings.ToUpper(format), done.LogIndex, done.Log)
	return nil
}

type questionnaireFillCmd struct {
	ID     string `arg:"" help:"The questionnaire."`
	File   string `arg:"" help:"A CSV with the columns question, value and detail; - is standard input."`
	Reason string `short:"m" help:"Why, in a sentence." default:"answers as the vendor sent them"`
	connection
}

// Run saves the answers of a file, one by one, as whoever runs it: for a vendor that
// sent its answers, or its people who like a sheet better than pages.
func (c *questionnaireFillCmd) Run(ctx context.Context) error {
	raw, err := readInput(c.File)
	if err != nil {
		return err
	}
	rows, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(raw, []byte("\ufeff")))).ReadAll()
	if err != nil || len(rows) < 2 || len(rows[0]) < 2 || rows[0][0] != "question" || rows[0][1] != "value" {
		return problem.BadField("file", "is not a CSV with the columns question, value and detail", "Write the header question,value,detail and one answer a line").Because(err)
	}
	n := 0
	for _, row := range rows[1:] {
		a := registry.AnswerQuestion{ID: id.Questionnaire(c.ID), Question: row[0], Value: row[1]}
		if len(row) > 2 {
			a.Detail = row[2]
		}
		if a.Value == "" {
			continue
		}
		if _, err := c.note(ctx, "questionnaire.answer", c.ID, c.Reason, a); err != nil {
			return fmt.Errorf("%s: %w", row[0], err)
		}
		n++
	}
	fmt.Printf("questionnaire.answer %s: %d answers saved\n", c.ID, n)
	return nil
}

type questionnaireAttachCmd struct {
	ID       string `arg:"" help:"The questionnaire."`
	Question string `arg:"" help:"The question."`
	File     string `arg:"" help:"The file: PDF, PNG, JPEG, text, CSV, DOCX or XLSX, at most 5 MB."`
	Reason   string `short:"m" help:"Why, in a sentence." default:"evidence"`
	connection
}

// Run attaches a file to an answer.
func (c *questionnaireAttachCmd) Run(ctx context.Context) error {
	raw, err := readInput(c.File)
	if err != nil {
		return err
	}
	media, _, err := mime.ParseMediaType(mime.TypeByExtension(strings.ToLower(filepath.Ext(c.File))))
	if err != nil {
		media = "application/octet-stream" // refused by name
	}
	if fixed, ok := evidenceTypes[strings.ToLower(filepath.Ext(c.File))]; ok {
		media = fixed // whatever this machine calls it
	}
	act := registry.NewEvidence(id.Questionnaire(c.ID), c.Question, media, raw)
	done, err := c.note(ctx, "questionnaire.attach", c.ID, c.Reason, act)
	if err != nil {
		return err
	}
	fmt.Printf("questionnaire.attach %s %s: %s, entry %d of log %s\n", c.ID, c.Question, act.Digest, done.LogIndex, done.Log)
	return nil
}

var evidenceTypes = map[string]string{".pdf": "application/pdf", ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".txt": "text/plain", ".csv": "text/csv",
	".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document", ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}

type questionnaireScoreAnswersCmd struct {
	ID     string   `arg:"" help:"The questionnaire."`
	Scores []string `arg:"" help:"QUESTION=SCORE, or QUESTION=SCORE:what was seen."`
	Reason string   `short:"m" help:"Why, in a sentence." default:"scored"`
	connection
}

// Run gives answers their score.
func (c *questionnaireScoreAnswersCmd) Run(ctx context.Context) error {
	act := registry.ScoreAnswers{ID: id.Questionnaire(c.ID)}
	for _, arg := range c.Scores {
		question, rest, ok := strings.Cut(arg, "=")
		number, note, _ := strings.Cut(rest, ":")
		s := registry.AnswerScore{Question: question, Note: strings.TrimSpace(note)}
		if !ok || json.Unmarshal([]byte(number), &s.Score) != nil {
			return problem.BadField(arg, "is not QUESTION=SCORE", `Write such as GOV-01=2:"designation letter read"`)
		}
		act.Scores = append(act.Scores, s)
	}
	done, err := c.note(ctx, "questionnaire.score-answers", c.ID, c.Reason, act)
	if err != nil {
		return err
	}
	fmt.Printf("questionnaire.score-answers %s: %s, entry %d of log %s\n", c.ID, numbered(len(act.Scores), "answer"), done.LogIndex, done.Log)
	return nil
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/sallyport/sallyport/agreement"
	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/diligence"
	"github.com/sallyport/sallyport/problem"
)

type agreementCheckCmd struct {
	ID   string `arg:"" optional:"" help:"The agreement."`
	File string `short:"f" help:"Check agreements in a file instead, as apply reads it, without a server; - is standard input." placeholder:"FILE"`
	JSON bool   `name:"json" help:"Print JSON."`
	connection
}

// Run prints what is wrong with the agreement and what that switches off. It fails
// if something denies or blocks.
func (c *agreementCheckCmd) Run(ctx context.Context) error {
	if (c.ID == "") == (c.File == "") {
		return problem.BadField("id", "is missing, or stands beside --file", "Name an agreement, or give a file with -f")
	}
	var checks []api.AgreementCheck
	if c.File != "" {
		var err error
		if checks, err = checkFile(c.File); err != nil {
			return err
		}
	} else {
		var one api.AgreementCheck
		if err := c.call(ctx, http.MethodGet, "/v1/agreements/"+url.PathEscape(c.ID)+"/check", nil, &one); err != nil {
			return err
		}
		checks = append(checks, one)
	}
	if c.JSON {
		return printJSON(checks)
	}
	bad, unsigned := 0, 0
	for _, x := range checks {
		bad += tellCheck(x)
		for _, d := range x.Deficiencies {
			if d.Field == "instrument" && d.Fault == agreement.Missing {
				unsigned++
			}
		}
	}
	if bad > 0 {
		next := "Amend the paper: docs/terms.md says what each term does"
		if bad == unsigned {
			next = "Have it signed by both sides: sallyport agreement sign, or sign-here"
		}
		return problem.New(problem.Conflict, numbered(bad, "fault")+" in the paper, and what each switches off is above", next)
	}
	return nil
}

// numbered is a number with its noun: "1 grant", "2 grants".
func numbered(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

// tellCheck prints one check, and counts what denies or blocks.
func tellCheck(x api.AgreementCheck) (bad int) {
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintf(w, "Agreement %s\n", x.Agreement)
	if len(x.Deficiencies) == 0 {
		fmt.Fprintln(w, "Nothing is missing or weak.")
	} else {
		fmt.Fprintln(w, "TERM\tFIELD\tFAULT\tSWITCHES OFF\tWHAT\tCITATION\tCHECKED")
	}
	for _, d := range x.Deficiencies {
		off := string(d.Effect)
		switch d.Effect {
		case agreement.DenyAll:
			off = "all data"
		case agreement.BlockOnboarding:
			off = "approvals, reviews"
		case agreement.Warn:
			off = "nothing"
		case agreement.DenyPurpose:
			var ps []string
			for _, p := range d.Purposes {
				ps = append(ps, string(p))
			}
			off = strings.Join(ps, ", ")
		}
		if d.Effect != agreement.Warn {
			bad++
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", d.Term, d.Field, d.Fault, off, d.Says, d.Citation.Text, d.Citation.Verified)
	}
	if x.PromptRetention {
		bad++
		fmt.Fprintln(w, "BAA-R06\tprompt_retention_days\tabove policy\tall data\tlonger than policy.max_prompt_retention_days\tpolicy\tpolicy")
	}
	if len(x.Clocks) > 0 {
		fmt.Fprintln(w, "\nCLOCK\tFIELD\tFROM\tTIME\tCLAUSE")
	}
	for _, c := range x.Clocks {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", c.ID, c.Field, c.Trigger, span(c), c.Clause)
	}
	w.Flush()
	return bad
}

func span(c agreement.Clock) string {
	out := fmt.Sprintf("%d days", c.Days)
	switch {
	case c.Hours > 0:
		out = fmt.Sprintf("%d hours", c.Hours)
	case c.Months > 0:
		out = fmt.Sprintf("%d months", c.Months)
	}
	if c.Before {
		out += " before"
	}
	return out
}

// checkFile checks each agreement of a file that apply would read. Nothing is sent
// anywhere; whether it is signed is not asked where the file does not say.
func checkFile(file string) ([]api.AgreementCheck, error) {
	raw, err := readInput(file)
	if err != nil {
		return nil, err
	}
	docs, err := readDocuments(raw)
	if err != nil {
		return nil, err
	}
	var out []api.AgreementCheck
	for i, d := range docs {
		if d.Record != "agreement" {
			continue
		}
		check, err := api.CheckDocument(d)
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", i+1, err)
		}
		out = append(out, check)
	}
	if len(out) == 0 {
		return nil, problem.BadField("file", "holds no agreement", "Begin a document with record: agreement")
	}
	return out, nil
}

type agreementReportCmd struct {
	JSON bool `name:"json" help:"Print JSON."`
	connection
}

// Run prints what is missing, weak or overdue under the agreements that run.
func (c *agreementReportCmd) Run(ctx context.Context) error {
	var out api.List[agreement.Warning]
	if err := c.call(ctx, http.MethodGet, "/v1/reports/agreements", nil, &out); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(out.Items)
	}
	if len(out.Items) == 0 {
		fmt.Println("Nothing is missing, weak or overdue.")
		return nil
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "AGREEMENT\tVENDOR\tTERM\tEFFECT\tWHAT")
	for _, x := range out.Items {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s: %s\n", x.Agreement, x.Vendor, x.Term, x.Effect, x.Title, x.Says)
	}
	return w.Flush()
}

type certificationJudgeCmd struct {
	ID   string `arg:"" help:"The certification."`
	JSON bool   `name:"json" help:"Print JSON."`
	connection
}

// Run prints what a certification is worth now.
func (c *certificationJudgeCmd) Run(ctx context.Context) error {
	var out api.Judged
	if err := c.call(ctx, http.MethodGet, "/v1/certifications/"+url.PathEscape(c.ID)+"/judgement", nil, &out); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(out)
	}
	if out.Counts {
		fmt.Printf("It counts until %s, score %d of 3.\n", out.Until.UTC().Format("2006-01-02 15:04 UTC"), out.Score)
	} else {
		fmt.Println("It does not count.")
	}
	for _, r := range out.Reasons {
		fmt.Printf("  %s: %s\n", r.Code, r.Text)
	}
	fmt.Printf("Rule: %s (checked: %s)\n", out.Rule, out.Verified)
	return nil
}

type certificationAlikeCmd struct {
	Least float64 `help:"From how much on, 0 to 1." default:"0.6"`
	JSON  bool    `name:"json" help:"Print JSON."`
	connection
}

// Run lists reports of different vendors whose texts are alike.
func (c *certificationAlikeCmd) Run(ctx context.Context) error {
	var out api.List[diligence.Pair]
	if err := c.call(ctx, http.MethodGet, fmt.Sprintf("/v1/certifications/alike?least=%g", c.Least), nil, &out); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(out.Items)
	}
	if len(out.Items) == 0 {
		fmt.Println("No reports of different vendors are alike.")
		return nil
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "ALIKE\tTYPE\tVENDOR\tCERTIFICATION\tVENDOR\tCERTIFICATION")
	for _, p := range out.Items {
		how := fmt.Sprintf("%.0f %%", 100*p.Alike)
		if p.SameDocument {
			how = "same file"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", how, p.Type, p.VendorA, p.A, p.VendorB, p.B)
	}
	return w.Flush()
}

type certificationCompareCmd struct {
	Files []string `arg:"" help:"Texts of reports (UTF-8; of a PDF: pdftotext report.pdf report.txt)." type:"existingfile"`
	JSON  bool     `name:"json" help:"Print the fingerprints as JSON: the field fingerprint of certification record."`
}

// Run compares texts here, without a server, or prints their fingerprints.
func (c *certificationCompareCmd) Run() error {
	prints := make([][]uint32, len(c.Files))
	for i, file := range c.Files {
		text, err := readText(file)
		if err != nil {
			return err
		}
		if prints[i] = diligence.Fingerprint(text); prints[i] == nil {
			return problem.BadField("files", filepath.Base(file)+" is too short to be compared", "Give the whole text of the report")
		}
	}
	if c.JSON {
		for _, p := range prints {
			raw, err := json.Marshal(p)
			if err != nil {
				return err
			}
			fmt.Println(string(raw))
		}
		return nil
	}
	if len(c.Files) < 2 {
		return problem.BadField("files", "is one file", "Name two or more, or print its fingerprint with --json")
	}
	for i := range c.Files {
		for k := i + 1; k < len(c.Files); k++ {
			a := diligence.Alike(prints[i], prints[k])
			mark := ""
			if a >= diligence.Suspicious {
				mark = "  alike"
			}
			fmt.Printf("%3.0f %%  %s  %s%s\n", 100*a, c.Files[i], c.Files[k], mark)
		}
	}
	return nil
}

// readText reads the text of a report. What is a PDF, or no text, is refused: its
// letters would not be what a person reads.
func readText(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", problem.BadField("files", "cannot be opened: "+filepath.Base(file), "Name a text file").Because(err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, diligence.MaxFingerprintText+1))
	if err != nil {
		return "", problem.BadField("files", "cannot be read: "+filepath.Base(file), "Name a text file").Because(err)
	}
	switch {
	case len(raw) > diligence.MaxFingerprintText:
		err = errors.New("larger than 16 MB")
	case strings.HasPrefix(string(raw), "%PDF-"):
		err = errors.New("a PDF")
	case !utf8.Valid(raw):
		err = errors.New("not UTF-8")
	}
	if err != nil {
		return "", problem.BadField("files", filepath.Base(file)+" is "+err.Error(), "Give its text: pdftotext report.pdf report.txt").Because(err)
	}
	return string(raw), nil
}

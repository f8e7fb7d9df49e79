package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
)

var agreementCommands = []extraCommand{
	{"compose", "Write an agreement in the product's own words from its terms, store the PDF and draft the agreement with it.", composeCmd{}},
	{"render", "The agreement in the product's own words, as PDF or DOCX.", renderCmd{}},
	{"document", "The document that the agreement is.", agreementFileCmd{What: "document"}},
	{"amend", "Replace a paper by its amended form, or (--effect) show what that would do; it must be signed again.", amendCmd{actCmd: actCmd{Kind: "agreement.amend"}}},
	{"effect", "What an act about the agreement would do: to running grants, and to the last 30 days of decisions. Nothing is done.", effectCmd{}},
	{"sign-here", "Sign a paper in the product, for your side, by your passkey.", signHereCmd{}},
	{"signed", "The signed paper as PDF, with its signature page and its audit proofs attached.", agreementFileCmd{What: "signed"}},
	{"evidence", "What happened under the agreement: acts with their place in the log, decisions and releases counted.", evidenceCmd{}},
}

func agreementPath(id, what string) string {
	return "/v1/agreements/" + url.PathEscape(id) + "/" + what
}

type composeCmd struct {
	actCmd
}

// AfterApply says which act's fields the command line has.
func (c *composeCmd) AfterApply(now clock) error {
	c.Kind = "agreement.draft"
	return c.connection.AfterApply(now)
}

// Run writes, stores and drafts.
func (c *composeCmd) Run(ctx context.Context) error {
	spec, ok := registry.Lookup("agreement.draft")
	if !ok {
		return problem.New(problem.Invalid, "There is no such act", "List them: sallyport acts")
	}
	fields, err := c.fields(spec)
	if err != nil {
		return err
	}
	for _, name := range []string{"document_sha256", "approve", "signatures"} {
		delete(fields, name) // of an apply file: the paper is to be written
	}
	raw, err := json.Marshal(fields)
	if err != nil {
		return fmt.Errorf("writing the act: %w", err)
	}
	var out api.Composed
	if err := c.call(ctx, http.MethodPost, "/v1/agreements/compose", map[string]any{"reason": c.Reason, "act": json.RawMessage(raw)}, &out); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(out)
	}
	fmt.Printf("agreement.draft %s: done, entry %d of log %s\nIts document has the SHA-256 %s\nRead it: sallyport agreement document %s --out FILE.pdf\n",
		out.Agreement, out.Drafted.LogIndex, out.Drafted.Log, out.Document, out.Agreement)
	return nil
}

type renderCmd struct {
	ID  string `arg:"" help:"Which agreement."`
	Out string `short:"o" help:"Where to write it; .pdf, .docx or .txt says the form." required:"" placeholder:"FILE" type:"path"`
	connection
}

// Run fetches the rendering.
func (c *renderCmd) Run(ctx context.Context) error {
	format, err := paperFormat(c.Out)
	if err != nil {
		return err
	}
	var raw []byte
	if err := c.call(ctx, http.MethodGet, agreementPath(c.ID, "paper?format="+format), nil, &raw); err != nil {
		return err
	}
	return output(c.Out, raw)
}

type agreementFileCmd struct {
	What string `kong:"-"`
	ID   string `arg:"" help:"Which agreement."`
	Out  string `short:"o" help:"Where to write it." required:"" placeholder:"FILE" type:"path"`
	connection
}

// Run fetches the file.
func (c *agreementFileCmd) Run(ctx context.Context) error {
	var raw []byte
	if err := c.call(ctx, http.MethodGet, agreementPath(c.ID, c.What), nil, &raw); err != nil {
		return err
	}
	return output(c.Out, raw)
}

type signHereCmd struct {
	ID       string `arg:"" help:"Which agreement."`
	Document string `help:"The document as you have it: it must be the one to be signed." placeholder:"FILE" type:"path"`
	Agree    bool   `help:"You agree to the sentences that are shown without it."`
	Reason   string `short:"m" help:"Why, in a sentence; never patient data." placeholder:"TEXT"`
	JSON     bool   `name:"json" help:"Print JSON."`
	connection
}

// Run shows what would be signed, and with --agree signs it.
func (c *signHereCmd) Run(ctx context.Context) error {
	var s api.Signing
	if err := c.call(ctx, http.MethodGet, agreementPath(c.ID, "signing"), nil, &s); err != nil {
		return err
	}
	if c.Document != "" {
		raw, err := os.ReadFile(c.Document)
		if err != nil {
			return unreadable("document", c.Document, err)
		}
		if sum := sha256.Sum256(raw); hex.EncodeToString(sum[:]) != s.Document {
			return problem.BadField("document", "is not the agreement's document", "Read what is to be signed: sallyport agreement document "+c.ID+" --out FILE")
		}
	}
	if !c.Agree {
		fmt.Printf("%s (%s). By signing you agree to these sentences:\n\n  %s\n  %s\n\nRead the document (sallyport agreement document %s --out FILE), touch your passkey (sallyport step-up), then: sallyport agreement sign-here %s --agree -m REASON\n",
			s.Agreement, s.Kind, s.Intent, s.Consent, c.ID, c.ID)
		return nil
	}
	done, err := c.note(ctx, "agreement.sign-here", c.ID, c.Reason, registry.SignHere{ID: s.Agreement, Document: s.Document, Intent: s.Intent, Consent: s.Consent})
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(done)
	}
	fmt.Printf("Signed: entry %d of log %s. Once both sides have: sallyport agreement signed %s --out FILE.pdf\n", done.LogIndex, done.Log, c.ID)
	return nil
}

type amendCmd struct {
	actCmd
	Effect bool `help:"Show what the amendment would do, and do nothing."`
}

// AfterApply says which act it is.
func (c *amendCmd) AfterApply(now clock) error {
	c.Kind = "agreement.amend"
	return c.connection.AfterApply(now)
}

// Run amends, or shows what that would do.
func (c *amendCmd) Run(ctx context.Context) error {
	if !c.Effect {
		return c.actCmd.Run(ctx)
	}
	return c.actCmd.effect(ctx)
}

type effectCmd struct {
	Act    string   `help:"amend, renew, suspend, resume or terminate." default:"amend"`
	Fields []string `arg:"" help:"The id, then field=value, as for the act."`
	File   string   `short:"f" help:"Read the fields from a YAML file; - is standard input." placeholder:"FILE"`
	JSON   bool     `name:"json" help:"Print JSON."`
	connection
}

// Run shows the effect.
func (c *effectCmd) Run(ctx context.Context) error {
	return (&actCmd{Kind: registry.Kind("agreement." + c.Act), Fields: c.Fields, File: c.File, JSON: c.JSON, connection: c.connection}).effect(ctx)
}

// effect asks what the act would do.
func (c *actCmd) effect(ctx context.Context) error {
	spec, ok := registry.Lookup(c.Kind)
	if !ok {
		return problem.BadField("act", "is no act of agreements", "Use amend, renew, suspend, resume or terminate")
	}
	fields, err := c.fields(spec)
	if err != nil {
		return err
	}
	for _, name := range []string{"approve", "signatures"} {
		delete(fields, name) // of an apply file: acts of their own
	}
	on, _ := fields["id"].(string)
	if on == "" {
		return problem.BadField("id", "is missing", "Name it first: sallyport agreement effect ID")
	}
	raw, err := json.Marshal(fields)
	if err != nil {
		return fmt.Errorf("writing the act: %w", err)
	}
	var e registry.Effect
	if err := c.call(ctx, http.MethodPost, agreementPath(on, "effect"), map[string]any{"kind": c.Kind, "act": json.RawMessage(raw)}, &e); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(e)
	}
	tellEffect(e)
	return nil
}

func tellEffect(e registry.Effect) {
	fmt.Printf("%s: nothing was done.\n", e.Agreement)
	for _, x := range []struct {
		what string
		n    int
		ids  string
	}{{"stop at once", len(e.StopsAtOnce), words(e.StopsAtOnce)}, {"stop for good", len(e.Stops), words(e.Stops)}, {"start", len(e.Starts), words(e.Starts)}} {
		fmt.Printf("  %s would %s%s\n", numbered(x.n, "grant"), x.what, x.ids)
	}
	if r := e.Replay; r != nil {
		fmt.Printf("Decisions since %s: %d. As before %d, refused instead %d, permitted instead %d, unclear %d, not read %d\n",
			r.From.UTC().Format("2006-01-02"), r.Decisions, r.Same, r.Refused, r.Permitted, r.Unclear, r.Unread)
		w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
		for i, g := range r.Groups {
			if i == 0 {
				fmt.Fprintln(w, "  ENGAGEMENT\tGATE\tREFUSED INSTEAD\tPERMITTED INSTEAD")
			}
			fmt.Fprintf(w, "  %s\t%s\t%d\t%d\n", g.Engagement, g.Gate, g.Refused, g.Permitted)
		}
		_ = w.Flush() // standard output
	}
	for _, a := range e.Assumed {
		fmt.Println("  Assumed: " + a)
	}
}

func words[T ~string](ids []T) string {
	if len(ids) == 0 {
		return ""
	}
	out := make([]string, len(ids))
	for i, x := range ids {
		out[i] = string(x)
	}
	return ": " + strings.Join(out, ", ")
}

type evidenceCmd struct {
	ID   string `arg:"" help:"Which agreement."`
	Days int    `help:"How many days of decisions to count." default:"90"`
	JSON bool   `name:"json" help:"Print JSON."`
	connection
}

// Run shows the evidence.
func (c *evidenceCmd) Run(ctx context.Context) error {
	var e api.Evidence
	if err := c.call(ctx, http.MethodGet, agreementPath(c.ID, fmt.Sprintf("evidence?days=%d", c.Days)), nil, &e); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(e)
	}
	fmt.Printf("%s (%s, %s), document %s\n", e.Agreement, e.Kind, e.State, e.Document)
	for _, s := range e.Signatures {
		how := "recorded from outside"
		if s.Here != nil {
			how = "in the product, act " + string(s.Here.Act)
		}
		fmt.Printf("  signed for the %s by %s, %s\n", s.Party, s.Signer, how)
	}
	for _, a := range e.Acts {
		fmt.Printf("  %s  %s  entry %d of log %s\n", a.At.UTC().Format("2006-01-02 15:04"), a.Kind, a.LogIndex, a.Log)
	}
	for _, x := range e.Engagements {
		fmt.Printf("  engagement %s since %s: permitted %d, refused %d, releases %d of %d bytes\n", x.Engagement, e.From.UTC().Format("2006-01-02"), x.Permitted, x.Refused, x.Releases, x.Bytes)
	}
	for _, s := range e.Survives {
		fmt.Println("  survives the end: " + strings.TrimSpace(s.Term+" "+s.Clause))
	}
	if !e.Complete {
		fmt.Println("  There is more, older, than was read.")
	}
	return nil
}

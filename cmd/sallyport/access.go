package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/registry"
)

// roleFieldsCmd shows what there is to pick from.
type roleFieldsCmd struct {
	ID   string `arg:"" help:"Which role."`
	JSON bool   `name:"json" help:"Print JSON."`
	connection
}

// Run prints a line for each element.
func (c *roleFieldsCmd) Run(ctx context.Context) error {
	var out api.RoleFields
	if err := c.call(ctx, http.MethodGet, "/v1/roles/"+url.PathEscape(c.ID)+"/fields", nil, &out); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(out)
	}
	fmt.Printf("%s (%s), profile %s, dates %s, identifiers %s\n", out.Role, out.Title, out.Profile, out.Dates, out.IDs)
	printFields(out)
	return nil
}

func printFields(out api.RoleFields) {
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "ELEMENT\tTYPE\tBECOMES\t")
	for _, t := range out.Types {
		fmt.Fprintf(w, "%s (%s)\t\t\t\n", t.Type, strings.Join(t.Interactions, ", "))
		for _, f := range t.Elements {
			note := ""
			switch {
			case f.Removed:
				note = "nothing of it leaves"
			case f.Direct:
				note = "direct identifier or free text"
			}
			fmt.Fprintf(w, "  %s\t%s\t%s\t%s\n", f.Element, f.Type, strings.Join(f.Becomes, ", "), note)
		}
	}
	_ = w.Flush() // standard output: nothing to do about it
}

// requestPreviewCmd asks what a request would cost, before it is made.
type requestPreviewCmd struct {
	Fields []string `arg:"" optional:"" help:"field=value, as for request make."`
	File   string   `short:"f" help:"Read the fields from a YAML file; - is standard input." placeholder:"FILE"`
	All    bool     `help:"Show the gates that would pass, too."`
	JSON   bool     `name:"json" help:"Print JSON."`
	connection
}

// preview is api.RequestPreview as a client reads it.
type preview struct {
	Open    bool           `json:"open"`
	EndsAt  time.Time      `json:"ends_at"`
	Role    api.RoleFields `json:"role"`
	Asked   int            `json:"asked"`
	Assumed []string       `json:"assumed"`
	rungs
}

// Run prints the ladder of gates.
func (c *requestPreviewCmd) Run(ctx context.Context) error {
	spec, _ := registry.Lookup("request.make")
	act := actCmd{Kind: spec.Name, Fields: c.Fields, File: c.File, connection: c.connection}
	fields, err := act.fields(spec)
	if err != nil {
		return err
	}
	var raw []byte
	if err := c.call(ctx, http.MethodPost, "/v1/requests/preview", fields, &raw); err != nil {
		return err
	}
	if c.JSON {
		fmt.Println(strings.TrimSpace(string(raw)))
		return nil
	}
	var out preview
	if err := json.Unmarshal(raw, &out); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	fmt.Println("It would show:")
	printFields(out.Role)
	if out.Open {
		fmt.Printf("Approved now, it would open, until %s.\n", out.EndsAt.Format(time.RFC3339))
	} else {
		fmt.Println("Approved now, it would not open:")
	}
	out.print(c.All)
	for _, a := range out.Assumed {
		fmt.Println("Assumed:", a)
	}
	return nil
}

// requestMineCmd shows what the caller has and may ask for.
type requestMineCmd struct{ connection }

// Run prints it as JSON, which also shows what a request can name.
func (c *requestMineCmd) Run(ctx context.Context) error {
	var out any
	if err := c.call(ctx, http.MethodGet, "/v1/my-access", nil, &out); err != nil {
		return err
	}
	return printJSON(out)
}

// emergencyProceduresCmd names how each source is reached in an emergency.
type emergencyProceduresCmd struct{ connection }

// Run prints a paragraph for each source.
func (c *emergencyProceduresCmd) Run(ctx context.Context) error {
	var out []api.Procedure
	if err := c.call(ctx, http.MethodGet, "/v1/emergency-procedures", nil, &out); err != nil {
		return err
	}
	fmt.Println("In an emergency use the source's own procedure. Sallyport is never in the path of care.")
	for _, p := range out {
		fmt.Printf("%s: %s (%s)\n", p.Source, cmp.Or(p.Procedure, "none is configured: set emergency_procedure of the source"), p.Citation)
	}
	return nil
}

// emergencyListCmd is list, with what nobody reviewed in time.
type emergencyListCmd struct {
	Overdue bool `help:"Only those that nobody reviewed in time."`
	listCmd
}

// Run lists.
func (c *emergencyListCmd) Run(ctx context.Context) error {
	c.Plural = "emergencies"
	if c.Overdue {
		c.Plural += "?overdue=true"
	}
	return c.listCmd.Run(ctx)
}

// campaignReportCmd shows how a campaign was carried out.
type campaignReportCmd struct {
	ID   string `arg:"" help:"Which campaign."`
	JSON bool   `name:"json" help:"Print JSON."`
	connection
}

var flagged = map[string]string{
	"hasty":    "decided faster than anybody can look (policy)",
	"all-kept": "a reviewer kept every item (policy)",
	"unopened": "items were decided by somebody who had not opened them",
}

// Run prints the report.
func (c *campaignReportCmd) Run(ctx context.Context) error {
	var out registry.CampaignReport
	if err := c.call(ctx, http.MethodGet, "/v1/campaigns/"+url.PathEscape(c.ID)+"/report", nil, &out); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(out)
	}
	fmt.Printf("%s: %d of %d items decided: %d kept, %d cut down, %d revoked; %d lapsed\n", out.Campaign, out.Decided, out.Items, out.Kept, out.CutDown, out.Revoked, out.Lapsed)
	fmt.Printf("median %.0f seconds an item, %.0f %% kept\n", out.MedianSeconds, 100*out.ShareKept)
	for _, r := range out.Reviewers {
		fmt.Printf("  %s: %d decided, %d kept, median %.0f seconds\n", r.Person, r.Decided, r.Kept, r.MedianSeconds)
	}
	for _, f := range out.Flags {
		fmt.Printf("! %s: %s\n", f, cmp.Or(flagged[f], "look into it"))
	}
	return nil
}

// campaignItemsCmd shows what a reviewer needs to decide.
type campaignItemsCmd struct {
	ID    string `arg:"" help:"Which campaign."`
	After string `help:"The review after which to begin." placeholder:"ID"`
	JSON  bool   `name:"json" help:"Print JSON."`
	connection
}

// Run prints a paragraph for each item.
func (c *campaignItemsCmd) Run(ctx context.Context) error {
	var out api.List[api.CampaignItem]
	path := "/v1/campaigns/" + url.PathEscape(c.ID) + "/items?after=" + url.QueryEscape(c.After)
	if err := c.call(ctx, http.MethodGet, path, nil, &out); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(out.Items)
	}
	for _, i := range out.Items {
		done := cmp.Or(string(i.Review.Outcome), "due "+i.Review.DueAt.Format(time.RFC3339))
		fmt.Printf("%s  grant %s: %s of %s, app %s, role %s (%s)\n", i.Review.ID, i.Grant.ID, i.Grant.Person, i.Vendor, i.Grant.App, i.Grant.Role, done)
		printUse(i)
		for _, p := range i.Peers {
			fmt.Printf("    peer %s (%s, role %s): has %d rights more, %d less\n", p.Grant, p.Person, p.Role, len(p.More), len(p.Less))
		}
		for _, f := range i.Findings {
			fmt.Printf("    finding %s: %s\n", f.ID, f.Title)
		}
		for _, h := range i.Holds {
			fmt.Printf("    hold %s on %s %s\n", h.ID, h.On.Noun, h.On.ID)
		}
	}
	return nil
}

func printUse(i api.CampaignItem) {
	if i.Used == nil {
		fmt.Println("    this node does not know what it was used for, so nothing is proposed")
		return
	}
	u := i.Used
	fmt.Printf("    since %s: %d requests, %d releases, %d patients, %d bytes", i.Since.Format(time.DateOnly), u.Decisions, u.Releases, u.Patients, u.Bytes)
	if !u.LastUsed.IsZero() {
		fmt.Printf(", last %s", u.LastUsed.Format(time.RFC3339))
	}
	fmt.Println()
	for _, name := range slices.Sorted(maps.Keys(u.Interactions)) {
		fmt.Printf("      %s: %d\n", name, u.Interactions[name])
	}
	fmt.Printf("    by use alone: %s", i.Propose)
	if len(i.Unused) > 0 {
		fmt.Printf("; not used: %s", strings.Join(i.Unused, ", "))
	}
	fmt.Println()
}

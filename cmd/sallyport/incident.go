package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/breach"
	"github.com/sallyport/sallyport/problem"
)

// incidentPath is the address of something about an incident.
func incidentPath(key, what string, q url.Values) string {
	path := "/v1/incidents/" + url.PathEscape(key) + "/" + what
	if len(q) > 0 {
		path += "?" + q.Encode()
	}
	return path
}

type incidentClocksCmd struct {
	ID   string `arg:"" help:"Which incident."`
	JSON bool   `name:"json" help:"Print JSON."`
	connection
}

// Run lists the clocks of an incident.
func (c *incidentClocksCmd) Run(ctx context.Context) error {
	var got api.Clocks
	if err := c.call(ctx, http.MethodGet, incidentPath(c.ID, "clocks", nil), nil, &got); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(got)
	}
	zone, err := breach.Zone(got.TimeZone)
	if err != nil {
		return err
	}
	word := "no breach"
	if got.Conclusion.Breach {
		word = "a breach"
	}
	fmt.Printf("It counts as %s (%s): %s. %s [%s]\n", word, got.Conclusion.Basis, got.Conclusion.Why, got.Conclusion.Citation.Text, got.Conclusion.Citation.Verified)
	fmt.Printf("Discovered %s: %s. Days are days in %s.\n\n", got.Discovery.In(zone).Format("2006-01-02 15:04 MST"), got.DiscoveryWhy, got.TimeZone)
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "UNTIL\tSTANDS\tWHO\tWHAT\tCLOCK\tSET BY")
	outer := false
	for _, d := range got.Deadlines {
		outer = outer || d.Outer
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", d.Until(zone), d.Standing(zone), d.Who, d.What, d.Key(), d.SetBy())
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if outer {
		fmt.Println("\n" + breach.WithoutDelay + ".")
	}
	for _, d := range got.Deadlines {
		for _, note := range d.Notes {
			if note != breach.WithoutDelay {
				fmt.Printf("%s: %s.\n", d.Key(), note)
			}
		}
	}
	return nil
}

type incidentNoticeCmd struct {
	ID     string `arg:"" help:"Which incident."`
	To     string `required:"" help:"To whom: individuals, media, secretary or covered-entity." placeholder:"WHO"`
	Region string `help:"Media: of which State, such as US-MA." placeholder:"STATE"`
	Out    string `short:"o" help:"Where to write it: .docx, .pdf or .md; .csv for the fields of the mail merge. Without it Markdown is printed." placeholder:"FILE" type:"path"`
	connection
}

// Run drafts a notice.
func (c *incidentNoticeCmd) Run(ctx context.Context) error {
	q := url.Values{"to": {c.To}}
	if c.Region != "" {
		q.Set("region", c.Region)
	}
	// What is missing is told first: a draft with gaps is not a notice.
	var drafted api.Drafted
	if err := c.call(ctx, http.MethodGet, incidentPath(c.ID, "notice", q), nil, &drafted); err != nil {
		return err
	}
	for _, e := range drafted.Elements {
		if e.Gap != "" {
			fmt.Fprintf(os.Stderr, "Missing: %s (%s). Write: %s\n", e.What, e.Citation.Text, e.Gap)
		}
	}
	if c.Out == "" {
		fmt.Print(drafted.Text)
		return nil
	}
	format, err := endingOf(c.Out, "docx", "pdf", "md", "csv")
	if err != nil {
		return err
	}
	q.Set("format", format)
	return c.save(ctx, incidentPath(c.ID, "notice", q), c.Out)
}

type incidentStoryCmd struct {
	ID  string `arg:"" help:"Which incident."`
	Out string `short:"o" help:"Where to write it: .docx, .pdf or .md. Without it Markdown is printed." placeholder:"FILE" type:"path"`
	connection
}

// Run tells an incident.
func (c *incidentStoryCmd) Run(ctx context.Context) error {
	if c.Out == "" {
		var raw []byte
		if err := c.call(ctx, http.MethodGet, incidentPath(c.ID, "story", nil), nil, &raw); err != nil {
			return err
		}
		_, err := os.Stdout.Write(raw)
		return err
	}
	format, err := endingOf(c.Out, "docx", "pdf", "md")
	if err != nil {
		return err
	}
	return c.save(ctx, incidentPath(c.ID, "story", url.Values{"format": {format}}), c.Out)
}

type incidentNeglectedCmd struct {
	JSON bool `name:"json" help:"Print JSON."`
	connection
}

// Run lists what nobody looks at.
func (c *incidentNeglectedCmd) Run(ctx context.Context) error {
	var got api.List[breach.Neglect]
	if err := c.call(ctx, http.MethodGet, "/v1/neglected", nil, &got); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(got.Items)
	}
	if len(got.Items) == 0 {
		fmt.Println("Somebody looks at every open incident and finding.")
		return nil
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "SINCE\tWHAT\tID\tVENDOR\tTITLE")
	for _, n := range got.Items {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", n.Since.UTC().Format("2006-01-02 15:04Z"), n.Subject.Noun, n.Subject.ID, n.Vendor, n.Title)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Printf("\nUntouched for longer than %s (policy). What is known is not to be ignored: %s [%s].\n", got.Items[0].Limit, got.Items[0].Citation.Text, got.Items[0].Citation.Verified)
	return nil
}

// endingOf is the format that a file's name asks for.
func endingOf(file string, formats ...string) (string, error) {
	ext := strings.TrimPrefix(strings.ToLower(filepath.Ext(file)), ".")
	for _, f := range formats {
		if ext == f {
			return f, nil
		}
	}
	return "", problem.BadField("out", "does not say by its ending what to write", "End it with ."+strings.Join(formats, ", ."))
}

// save writes what the API answers into a file that others on the machine cannot read.
func (c connection) save(ctx context.Context, path, file string) error {
	var raw []byte
	if err := c.call(ctx, http.MethodGet, path, nil, &raw); err != nil {
		return err
	}
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		return problem.BadField("out", file+" cannot be written", "Check the folder").Because(err)
	}
	fmt.Println("Written to " + file)
	return nil
}

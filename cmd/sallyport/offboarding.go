package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/snapshot"
)

func offboardingPath(id, what string) string {
	return "/v1/offboardings/" + url.PathEscape(id) + "/" + what
}

type offboardingLeftCmd struct {
	ID   string `arg:"" help:"Which offboarding."`
	JSON bool   `name:"json" help:"Print JSON."`
	connection
}

// Run lists what is left, with the command that does it.
func (c *offboardingLeftCmd) Run(ctx context.Context) error {
	var out api.Remaining
	if err := c.call(ctx, http.MethodGet, offboardingPath(c.ID, "left"), nil, &out); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(out)
	}
	if len(out.Left) == 0 {
		fmt.Println("Nothing is left to do.")
		return nil
	}
	for i, l := range out.Left {
		fmt.Printf("%2d. %s\n    %s\n", i+1, l.What, l.Next)
	}
	return nil
}

type offboardingStepCmd struct {
	Step   string `kong:"-"`
	ID     string `arg:"" help:"Which offboarding."`
	Reason string `short:"m" help:"Why, in a sentence; never patient data." required:"" placeholder:"TEXT"`
	JSON   bool   `name:"json" help:"Print JSON."`
	connection
}

// Run has the server do the step.
func (c *offboardingStepCmd) Run(ctx context.Context) error {
	var out api.ActResult
	if err := c.call(ctx, http.MethodPost, offboardingPath(c.ID, c.Step), map[string]any{"reason": c.Reason}, &out); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(out)
	}
	fmt.Printf("%s %s: done, entry %d of log %s\n", out.Kind, out.Subject.ID, out.LogIndex, out.Log)
	return nil
}

type offboardingCheckCmd struct {
	offboardingStepCmd
}

// Run looks, and says what was found.
func (c *offboardingCheckCmd) Run(ctx context.Context) error {
	var out api.Checked
	if err := c.call(ctx, http.MethodPost, offboardingPath(c.ID, "check"), map[string]any{"reason": c.Reason}, &out); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(out)
	}
	if out.Tried == 0 {
		fmt.Printf("Nothing was tried since it began. Recorded as entry %d of log %s.\n", out.Recorded.LogIndex, out.Recorded.Log)
		return nil
	}
	ends := "All were refused"
	if out.Permitted > 0 {
		ends = fmt.Sprintf("%d WERE PERMITTED", out.Permitted)
	}
	fmt.Printf("Tried %s, last at %s. %s; a finding was raised, unless it was before.\n", numbered(out.Tried, "time"), out.LastTried.UTC().Format(time.RFC3339), ends)
	for _, r := range out.First {
		fmt.Printf("  %s  entry %d  %s %s\n", r.Time.UTC().Format(time.RFC3339), r.Index, r.Kind, strings.TrimSpace(string(r.Device)+" "+string(r.App)+" "+string(r.Person)))
	}
	return nil
}

type offboardingCertificateCmd struct {
	ID  string `arg:"" help:"Which offboarding."`
	Out string `short:"o" help:"Where to write it; .pdf, .docx or .txt says the form." required:"" placeholder:"FILE" type:"path"`
	connection
}

// Run fetches the certificate.
func (c *offboardingCertificateCmd) Run(ctx context.Context) error {
	format, err := paperFormat(c.Out)
	if err != nil {
		return err
	}
	var raw []byte
	if err := c.call(ctx, http.MethodGet, offboardingPath(c.ID, "certificate?format="+format), nil, &raw); err != nil {
		return err
	}
	return output(c.Out, raw)
}

type offboardingAskCmd struct {
	ID      string `arg:"" help:"Which offboarding."`
	Contact string `help:"A function's address at the vendor; left out: the vendor's own." placeholder:"ADDRESS"`
	Reason  string `short:"m" help:"Why, in a sentence; never patient data." required:"" placeholder:"TEXT"`
	connection
}

// Run issues the link and prints it once.
func (c *offboardingAskCmd) Run(ctx context.Context) error {
	var o api.Remaining
	if err := c.call(ctx, http.MethodGet, offboardingPath(c.ID, "left"), nil, &o); err != nil {
		return err
	}
	contact := c.Contact
	if contact == "" {
		var v snapshot.Vendor
		if err := c.call(ctx, http.MethodGet, "/v1/vendors/"+url.PathEscape(string(o.Offboarding.Vendor)), nil, &v); err != nil {
			return err
		}
		contact = v.Contact
	}
	fields := map[string]any{"vendor": o.Offboarding.Vendor, "for": snapshot.LinkAttestation, "contact": contact,
		"about": snapshot.Subject{Noun: snapshot.NounOffboarding, ID: c.ID}, "expires_at": o.Offboarding.DueAt}
	told, err := c.newLink(ctx, "link.issue", fields)
	if err != nil {
		return err
	}
	if err := c.call(ctx, http.MethodPost, "/v1/links", map[string]any{"reason": c.Reason, "act": fields}, nil); err != nil {
		return err
	}
	told.tell()
	return nil
}

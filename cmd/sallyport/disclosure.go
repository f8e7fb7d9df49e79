package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/disclosure"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
)

// disclosureCmd asks the index of the audit log who was given what.
type disclosureCmd struct {
	Radius    radiusCmd          `cmd:"" help:"The blast radius: everything that was disclosed, counted."`
	List      disclosuresCmd     `cmd:"" help:"Releases, one a line, with their log indexes."`
	Export    disclosureFileCmd  `cmd:"" help:"All of them as CSV or JSON lines; no patient."`
	Usage     usageCmd           `cmd:"" help:"What a grant was used for."`
	Inventory inventoryCmd       `cmd:"" help:"What a vendor or an engagement was given: what must come back or be destroyed."`
	Attempts  attemptsCmd        `cmd:"" help:"What was tried after a time, permitted or refused."`
	Rebuild   disclosureAnewCmd  `cmd:"" help:"Throw the index away and make it again from the log."`
	Standing  disclosureStandCmd `cmd:"" help:"How far the index is."`
}

// about says which requests are meant.
type about struct {
	Vendor     []string `help:"Of this vendor; several: any of them." placeholder:"ID"`
	Engagement []string `help:"Under this engagement." placeholder:"ID"`
	Person     []string `help:"By this person." placeholder:"ID"`
	Device     []string `help:"To this machine." placeholder:"ID"`
	App        []string `help:"To this program." placeholder:"ID"`
	Grant      []string `help:"Under this grant." placeholder:"ID"`
	Source     []string `help:"From this source." placeholder:"ID"`
	Since      string   `help:"From then on: 2026-01-31, a time, or -30d." placeholder:"TIME"`
	Until      string   `help:"Before then." placeholder:"TIME"`
	Through    uint64   `help:"Entries of the log before this index." placeholder:"INDEX"`
}

func (a *about) values() (url.Values, error) {
	v := url.Values{}
	for name, list := range map[string][]string{"vendor": a.Vendor, "engagement": a.Engagement, "person": a.Person, "device": a.Device, "app": a.App, "grant": a.Grant, "source": a.Source} {
		if len(list) > 0 {
			v[name] = list
		}
	}
	for name, text := range map[string]string{"since": a.Since, "until": a.Until} {
		if err := setTime(v, name, text); err != nil {
			return nil, err
		}
	}
	if a.Through > 0 {
		v.Set("through", strconv.FormatUint(a.Through, 10))
	}
	return v, nil
}

// setTime writes a time as the API reads it.
func setTime(v url.Values, name, text string) error {
	if text == "" {
		return nil
	}
	at, err := parseTime(name, text, time.Now())
	if err != nil {
		return err
	}
	v.Set(name, at)
	return nil
}

type radiusCmd struct {
	about
	JSON     bool   `name:"json" help:"Print JSON."`
	Incident string `help:"Ask for the list of these patients, for this incident; another person approves it." placeholder:"ID"`
	Reason   string `short:"m" help:"With --incident: why, in a sentence; never patient data."`
	connection
}

// Run asks.
func (c *radiusCmd) Run(ctx context.Context) error {
	v, err := c.values()
	if err != nil {
		return err
	}
	var r disclosure.Radius
	if err := c.call(ctx, http.MethodGet, "/v1/disclosures/radius?"+v.Encode(), nil, &r); err != nil {
		return err
	}
	if c.Incident != "" {
		return c.request(ctx, &r)
	}
	if c.JSON {
		return printJSON(r)
	}
	fmt.Printf("%s, in %s of %s (%s), under %s.\n", numbered(int(r.Patients), "patient"), numbered(int(r.Releases), "release"), numbered(int(r.Resources), "resource"), size(int64(r.Bytes)), numbered(int(r.Decisions), "decision"))
	if r.Releases > 0 {
		fmt.Printf("From %s to %s.\n", r.First.Format(time.RFC3339), r.Last.Format(time.RFC3339))
		fmt.Printf("Not sealed to a recipient: %s, of %s.\n", numbered(int(r.Unsealed.Releases), "release"), numbered(int(r.Unsealed.Patients), "patient"))
	}
	if r.Withheld+r.Incomplete > 0 {
		fmt.Printf("Withheld, and not counted: %d. Streams that broke off: %d; what had left before is counted.\n", r.Withheld, r.Incomplete)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	table := func(title string, list []disclosure.Group) {
		if len(list) == 0 {
			return
		}
		fmt.Fprintf(w, "\n%s\tpatients\treleases\tresources\n", title)
		for _, g := range list {
			key := g.Key
			if key == "" {
				key = "(not known)"
			}
			fmt.Fprintf(w, "  %s\t%d\t%d\t%d\n", key, g.Patients, g.Releases, g.Resources)
		}
	}
	table("data class", r.DataClasses)
	if len(r.Forms) > 0 {
		fmt.Fprint(w, "\nform\tpatients\treleases\tresources\n")
		for _, f := range r.Forms {
			identified := "de-identified"
			if f.Identified {
				identified = "identifiable"
			}
			fmt.Fprintf(w, "  %s %.12s, role %.12s, %s\t%d\t%d\t%d\n", f.Profile, f.ProfileDigest, f.ScopeDigest, identified, f.Patients, f.Releases, f.Resources)
		}
	}
	table("type (patients of releases that hold it)", r.Types)
	table("sealing", r.Sealing)
	table("vendor", r.Vendors)
	table("engagement", r.Engagements)
	table("person", r.Persons)
	table("device", r.Devices)
	table("source", r.Sources)
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Printf("\nOf log %s, entries before %d.\nradius_sha256=%s\n", r.Log, r.Query.Through, r.Digest)
	return nil
}

// request asks for the list of a radius: what it was asked, and what it answered.
func (c *radiusCmd) request(ctx context.Context, r *disclosure.Radius) error {
	a := registry.RequestPatientList{ID: id.Incident(c.Incident), Radius: r.Digest, Log: r.Log, Through: r.Query.Through, Patients: r.Patients, Vendors: r.Query.Vendors,
		Engagements: r.Query.Engagements, Persons: r.Query.Persons, Devices: r.Query.Devices, Apps: r.Query.Apps, Grants: r.Query.Grants, Sources: r.Query.Sources,
		Since: r.Query.Since, Until: r.Query.Until}
	raw, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("writing the request: %w", err)
	}
	var done api.ActResult
	if err := c.call(ctx, http.MethodPost, "/v1/incidents/"+url.PathEscape(c.Incident)+"/request-patients", api.ActBody{Reason: c.Reason, Act: raw}, &done); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(done)
	}
	fmt.Printf("%s; the list is %s. Another person approves it:\n  sallyport incident approve-patients %s list=%s -m WHY\nThen, you alone:\n  sallyport patient affected --incident %s --list %s --source ID -m WHY -o FILE\n",
		numbered(int(r.Patients), "patient"), done.Act, c.Incident, done.Act, c.Incident, done.Act)
	return nil
}

type disclosuresCmd struct {
	about
	Kind  []string `help:"permitted, refused, released, withheld, incomplete; released if left out."`
	Limit int      `help:"How many at most." default:"1000"`
	JSON  bool     `name:"json" help:"Print JSON lines."`
	connection
}

// Run asks page after page, all as of the first.
func (c *disclosuresCmd) Run(ctx context.Context) error {
	v, err := c.values()
	if err != nil {
		return err
	}
	if len(c.Kind) > 0 {
		v["kind"] = c.Kind
	}
	for left := c.Limit; left > 0; {
		v.Set("limit", strconv.Itoa(min(left, 1000)))
		var page disclosure.Page
		if err := c.call(ctx, http.MethodGet, "/v1/disclosures?"+v.Encode(), nil, &page); err != nil {
			return err
		}
		for _, r := range page.Items {
			if c.JSON {
				if err := printLine(r); err != nil {
					return err
				}
				continue
			}
			sealing := "clear"
			if r.Sealed != nil {
				sealing = r.Sealed.Mode
			}
			fmt.Printf("%8d  %s  %-10s  %s  %s  %s  %d patients  %s  %s\n", r.Index, r.Time.Format(time.RFC3339), r.Kind, r.Engagement, r.Device, r.DataClass, r.Patients, size(int64(r.Bytes)), sealing)
		}
		left -= len(page.Items)
		if page.Next == 0 {
			return nil
		}
		v.Set("after", strconv.FormatUint(page.Next, 10))
		v.Set("through", strconv.FormatUint(page.Through, 10))
	}
	fmt.Fprintf(os.Stderr, "There are more than %d; give --limit, or use: sallyport disclosure export\n", c.Limit)
	return nil
}

type disclosureFileCmd struct {
	about
	Kind   []string `help:"permitted, refused, released, withheld, incomplete; released if left out."`
	Format string   `enum:"csv,jsonl" default:"csv" help:"csv or jsonl."`
	Out    string   `short:"o" help:"Write it here instead of printing it." placeholder:"FILE" type:"path"`
	connection
}

// Run fetches the export.
func (c *disclosureFileCmd) Run(ctx context.Context) (failed error) {
	v, err := c.values()
	if err != nil {
		return err
	}
	if len(c.Kind) > 0 {
		v["kind"] = c.Kind
	}
	v.Set("format", c.Format)
	resp, err := c.stream(ctx, http.MethodGet, "/v1/disclosures/export?"+v.Encode(), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	out := os.Stdout
	if c.Out != "" {
		if out, err = os.OpenFile(c.Out, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600); err != nil {
			return problem.BadField("out", c.Out+" cannot be written", "Give the name of a new file").Because(err)
		}
		defer func() {
			if err := out.Close(); failed == nil && err != nil {
				failed = fmt.Errorf("writing %s: %w", c.Out, err)
			}
		}()
	}
	if _, err := io.Copy(out, resp.Body); err != nil {
		return problem.New(problem.Unavailable, "The export broke off: what was written is a part of it", "Ask again").Because(err)
	}
	return nil
}

// exportTimeout is for the whole of an export, which may be of millions of lines.
const exportTimeout = 30 * time.Minute

// stream is call for an answer that is too large to hold; whoever gets it closes it.
func (c connection) stream(ctx context.Context, method, path string, in any) (*http.Response, error) {
	hc, secret, err := c.as()
	if err != nil {
		return nil, err
	}
	hc.Timeout = exportTimeout
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("writing the request: %w", err)
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.at(), "/")+path, body)
	if err != nil {
		return nil, problem.BadField("server", "is not an address", "Write https://host:port").Because(err)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if secret != "" {
		req.Header.Set("Authorization", "Bearer "+secret)
	}
	resp, err := hc.Do(req)
	if err != nil {
		return nil, problem.New(problem.Unavailable, "The server does not answer: "+plain(err), "Check the address and that `sallyport serve` runs").Because(err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	return nil, answered(resp.StatusCode, raw)
}

type usageCmd struct {
	Grant string `arg:"" help:"The grant."`
	Since string `help:"From then on: 2026-01-31, a time, or -90d." placeholder:"TIME"`
	connection
}

// Run asks.
func (c *usageCmd) Run(ctx context.Context) error {
	v := url.Values{}
	if err := setTime(v, "since", c.Since); err != nil {
		return err
	}
	var u disclosure.Usage
	if err := c.call(ctx, http.MethodGet, "/v1/grants/"+url.PathEscape(c.Grant)+"/usage?"+v.Encode(), nil, &u); err != nil {
		return err
	}
	return printJSON(u)
}

type inventoryCmd struct {
	Vendor     string `xor:"of" required:"" help:"Of this vendor." placeholder:"ID"`
	Engagement string `xor:"of" required:"" help:"Or of this engagement." placeholder:"ID"`
	JSON       bool   `name:"json" help:"Print JSON."`
	connection
}

// Run asks.
func (c *inventoryCmd) Run(ctx context.Context) error {
	path := "/v1/vendors/" + url.PathEscape(c.Vendor) + "/inventory"
	if c.Engagement != "" {
		path = "/v1/engagements/" + url.PathEscape(c.Engagement) + "/inventory"
	}
	var i disclosure.Inventory
	if err := c.call(ctx, http.MethodGet, path, nil, &i); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(i)
	}
	fmt.Printf("%d releases of %d patients, %s.\n", i.Releases, i.Patients, size(int64(i.Bytes)))
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	if len(i.Items) > 0 {
		fmt.Fprint(w, "engagement\tclass\tprofile\tsealing\tdevice\tapp\tpatients\treleases\tbytes\n")
	}
	for _, x := range i.Items {
		fmt.Fprintf(w, "%s\t%s\t%s %.12s\t%s\t%s\t%s\t%d\t%d\t%d\n", x.Engagement, x.DataClass, x.Profile, x.ProfileDigest, x.Sealing, x.Device, x.App, x.Patients, x.Releases, x.Bytes)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Printf("Of log %s, entries before %d.\nlist_sha256=%s\n", i.Log, i.Query.Through, i.List)
	return nil
}

type attemptsCmd struct {
	about
	After string `required:"" help:"Later than then." placeholder:"TIME"`
	connection
}

// Run asks, and fails if anything was tried, so that a script can watch.
func (c *attemptsCmd) Run(ctx context.Context) error {
	v, err := c.values()
	if err != nil {
		return err
	}
	if err := setTime(v, "after", c.After); err != nil {
		return err
	}
	var out struct {
		Attempts uint64           `json:"attempts"`
		Items    []disclosure.Row `json:"items"`
	}
	if err := c.call(ctx, http.MethodGet, "/v1/disclosures/attempts?"+v.Encode(), nil, &out); err != nil {
		return err
	}
	for _, r := range out.Items {
		if err := printLine(r); err != nil {
			return err
		}
	}
	if out.Attempts == 0 {
		fmt.Println("Nothing was tried.")
		return nil
	}
	fmt.Fprintf(os.Stderr, "%d attempts.\n", out.Attempts)
	return errTold
}

type disclosureAnewCmd struct{ connection }

// Run orders it.
func (c *disclosureAnewCmd) Run(ctx context.Context) error {
	if err := c.call(ctx, http.MethodPost, "/v1/disclosures/rebuild", nil, nil); err != nil {
		return err
	}
	fmt.Println("The index is being made again. See: sallyport disclosure standing")
	return nil
}

type disclosureStandCmd struct{ connection }

// Run asks.
func (c *disclosureStandCmd) Run(ctx context.Context) error {
	var out any
	if err := c.call(ctx, http.MethodGet, "/v1/disclosures/standing", nil, &out); err != nil {
		return err
	}
	return printJSON(out)
}

// printLine writes v as one line of JSON.
func printLine(v any) error { return json.NewEncoder(os.Stdout).Encode(v) }

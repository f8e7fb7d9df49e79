package main

import (
	"encoding/hex"
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/sallyport/sallyport/deid"
	"github.com/sallyport/sallyport/problem"
)

type deidProfilesCmd struct {
	Name  string `arg:"" optional:"" help:"Which; all by default."`
	YAML  bool   `name:"yaml" help:"Print the profile, to start your own from."`
	Check string `help:"Say what basis a profile of yours satisfies, or why not." placeholder:"FILE"`
}

// basisOf is what each basis is, with its citation.
var basisOf = map[deid.Basis]string{
	deid.SafeHarbor:          "45 CFR 164.514(b)(2)",
	deid.LimitedDataSet:      "45 CFR 164.514(e)",
	deid.ExpertDetermination: "45 CFR 164.514(b)(1)",
	deid.BasisMinimum:        "45 CFR 164.502(b), 164.514(d)",
}

// Run lists, prints or checks.
func (c *deidProfilesCmd) Run() error {
	if c.Check != "" {
		raw, err := os.ReadFile(c.Check)
		if err != nil {
			return unreadable("check", "", err)
		}
		p, err := deid.LoadProfile(raw)
		if err != nil {
			return err
		}
		fmt.Printf("%s satisfies %s (%s). At most it is %s.\n", p.Name(), p.Basis(), basisOf[p.Basis()], p.DataClass())
		if p.Template() {
			fmt.Println("It is a template: nothing can be released under it yet.")
		}
		if p.Scrubs() {
			fmt.Println("Scrubbed text can stand under it, which is not Safe Harbor by itself.")
		}
		digest := p.Digest()
		fmt.Println("sha256", hex.EncodeToString(digest[:]))
		return nil
	}
	if c.YAML {
		raw, ok := deid.BuiltInYAML(c.Name)
		if !ok {
			return problem.BadField("name", "is no built-in profile", "List them: sallyport deid profiles")
		}
		_, err := os.Stdout.Write(raw)
		return err
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tBASIS\tTITLE\tSHA256")
	found := false
	for _, p := range deid.BuiltIn() {
		if c.Name != "" && c.Name != p.Name() {
			continue
		}
		found = true
		title := p.Title()
		if p.Template() {
			title += " (template)"
		}
		digest := p.Digest()
		fmt.Fprintf(w, "%s\t%s\t%s\t%x\n", p.Name(), basisOf[p.Basis()], title, digest)
	}
	if !found {
		return problem.BadField("name", "is no built-in profile", "List them: sallyport deid profiles")
	}
	return w.Flush()
}

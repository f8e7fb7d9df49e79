package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/internal/yamldoc"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
)

type explainCmd struct {
	Decision  string    `arg:"" optional:"" help:"A decision id, as a refusal or the log shows it."`
	Grant     id.Grant  `help:"Or a question: under this grant," placeholder:"ID"`
	Action    string    `help:"this interaction," default:"read" placeholder:"CODE"`
	Resources []string  `help:"these resource types," placeholder:"TYPE"`
	Reads     []string  `help:"reading these elements," placeholder:"Patient.birthDate"`
	Device    id.Device `help:"from this device." placeholder:"ID"`
	At        string    `help:"As the papers stood, or will stand, at this time: RFC 3339, a date, or 30d for 30 days ahead." placeholder:"TIME"`
	With      []string  `help:"As if these acts had been done: YAML files with kind and act." placeholder:"FILE" type:"path"`
	All       bool      `help:"Show the gates that passed, too."`
	JSON      bool      `name:"json" help:"Print JSON."`
	connection
}

// Run asks the server and prints the ladder of gates.
func (c *explainCmd) Run(ctx context.Context) error {
	in := api.ExplainRequest{Decision: id.Decision(c.Decision)}
	if c.Decision == "" {
		if c.Grant == "" || len(c.Resources) == 0 {
			return problem.BadField("decision", "is missing", "Give a decision id, or ask: sallyport explain --grant ID --resources Patient")
		}
		in.Question = &api.Question{Grant: c.Grant, Device: c.Device, Interaction: c.Action, Resources: c.Resources, Reads: c.Reads}
	}
	if c.At != "" {
		text, err := parseTime("at", c.At, c.now())
		if err != nil {
			return err
		}
		if in.At, err = time.Parse(time.RFC3339Nano, text); err != nil {
			return fmt.Errorf("reading the time: %w", err)
		}
	}
	for _, file := range c.With {
		w, err := readWith(file)
		if err != nil {
			return err
		}
		in.With = append(in.With, w)
	}
	var raw []byte
	if err := c.call(ctx, http.MethodPost, "/v1/explain", in, &raw); err != nil {
		return err
	}
	if c.JSON {
		fmt.Println(strings.TrimSpace(string(raw)))
		return nil
	}
	var out explanation
	if err := json.Unmarshal(raw, &out); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	out.print(c.All)
	return nil
}

// explanation is api.Explanation as a client reads it.
type explanation struct {
	At              time.Time     `json:"at"`
	Permitted       bool          `json:"permitted"`
	SnapshotVersion uint64        `json:"snapshot_version"`
	Recorded        *api.Recorded `json:"recorded"`
	Assumed         []string      `json:"assumed"`
	rungs
}

// rungs are the gates of a ladder.
type rungs struct {
	Rungs []rung `json:"rungs"`
}

type rung struct {
	Gate     string                         `json:"gate"`
	Title    string                         `json:"title"`
	Pass     bool                           `json:"pass"`
	Facts    []struct{ Name, Value string } `json:"facts"`
	Failures []struct {
		Message  string `json:"message"`
		NextStep string `json:"next_step"`
		Who      string `json:"who"`
	} `json:"failures"`
	Citations []struct{ Text, Verified string } `json:"citations"`
}

// reliances are facts of a gate that passed which are always shown: what somebody
// answers for, and what is still to be done.
var reliances = map[string]string{"accepted_risk": "an accepted risk", "open_condition": "an open condition"}

func (r rung) printReliance() {
	for _, f := range r.Facts {
		if what, ok := reliances[f.Name]; ok {
			fmt.Printf("  pass  %-15s relies on %s: %s\n", r.Gate, what, f.Value)
		}
	}
}

func readWith(file string) (api.WithAct, error) {
	raw, err := readInput(file)
	if err != nil {
		return api.WithAct{}, err
	}
	var doc struct {
		Kind registry.Kind  `yaml:"kind"`
		Act  map[string]any `yaml:"act"`
	}
	if err := yamldoc.New(raw).First(&doc); err != nil {
		return api.WithAct{}, problem.BadField(file, yamldoc.Explain(err), "Write kind: agreement.terminate and act: {id: ...}").Because(err)
	}
	act, err := json.Marshal(doc.Act)
	if err != nil {
		return api.WithAct{}, fmt.Errorf("writing the act: %w", err)
	}
	return api.WithAct{Kind: doc.Kind, Act: act}, nil
}

// layers prints what protected the request and its answer.
type layers api.Layers

func (l layers) print() {
	line := func(name string, parts ...string) {
		if text := strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), ", "); text != "" {
			fmt.Printf("  %-12s %s\n", name, text)
		}
	}
	short := func(name, digest string) string {
		if digest == "" {
			return ""
		}
		return name + " sha256:" + digest
	}
	way := func(version, exchange string) string {
		switch version {
		case "":
			return ""
		case "none":
			return "plain, on the gateway's own machine"
		}
		return strings.TrimSpace("TLS " + version + " " + exchange)
	}
	line("transport", way(l.TLS, l.KeyExchange), short("client certificate", l.Certificate))
	line("token", cmp.Or(l.TokenBinding, "not bound"))
	line("sealing", cmp.Or(l.Sealing, "not recorded"))
	if l.Region != "" {
		line("region", l.Region+" by "+map[string]string{"address": "the address, by the organisation's table", "declared": "declaration"}[l.RegionBy])
	}
	for _, u := range l.Upstream {
		line("upstream", way(u.TLS, u.KeyExchange), short("certificate", u.Certificate))
	}
}

func (e *explanation) print(all bool) {
	if r := e.Recorded; r != nil {
		was := "refused"
		if r.Permitted {
			was = fmt.Sprintf("permitted: %d releases, %d bytes", r.Releases, r.Bytes)
		}
		fmt.Printf("The log says (entry %d, %s): %s\n", r.LogIndex, r.At.Format(time.RFC3339), was)
		layers(r.Layers).print()
		for _, f := range r.Failing {
			fmt.Printf("  %s: %s\n", f.Gate, f.Reason)
		}
	}
	verdict := "refused"
	if e.Permitted {
		verdict = "permitted"
	}
	fmt.Printf("Judged at %s on registry version %d: %s\n", e.At.Format(time.RFC3339), e.SnapshotVersion, verdict)
	e.rungs.print(all)
	for _, a := range e.Assumed {
		fmt.Println("Assumed:", a)
	}
}

// print shows the gates that refuse, or all.
func (e *rungs) print(all bool) {
	for _, rung := range e.Rungs {
		mark := "pass"
		if !rung.Pass {
			mark = "FAIL"
		} else if !all {
			rung.printReliance()
			continue
		}
		fmt.Printf("  %s  %-15s %s\n", mark, rung.Gate, rung.Title)
		for _, f := range rung.Failures {
			fmt.Printf("        %s\n        Next (%s): %s\n", f.Message, f.Who, f.NextStep)
		}
		if !rung.Pass || all {
			for _, f := range rung.Facts {
				fmt.Printf("        fact %s = %s\n", f.Name, f.Value)
			}
			for _, cit := range rung.Citations {
				fmt.Printf("        %s (%s)\n", cit.Text, cit.Verified)
			}
		}
	}
}

package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"unicode"
)

type checkpointCmd struct {
	Out string `short:"o" help:"Write it here instead of printing it." placeholder:"FILE" type:"path"`
	connection
}

// Run fetches the checkpoint.
func (c *checkpointCmd) Run(ctx context.Context) error {
	var text []byte
	if err := c.call(ctx, http.MethodGet, "/v1/log/checkpoint", nil, &text); err != nil {
		return err
	}
	return output(c.Out, text)
}

type proofCmd struct {
	Index uint64 `arg:"" help:"The entry's index, as acts and explain print it."`
	Out   string `short:"o" help:"Write it here instead of printing it." placeholder:"FILE" type:"path"`
	connection
}

// Run fetches a proof.
func (c *proofCmd) Run(ctx context.Context) error {
	var text []byte
	if err := c.call(ctx, http.MethodGet, "/v1/log/proofs/"+strconv.FormatUint(c.Index, 10), nil, &text); err != nil {
		return err
	}
	return output(c.Out, text)
}

func output(file string, text []byte) error {
	if file == "" {
		_, err := os.Stdout.Write(text)
		return err
	}
	if err := os.WriteFile(file, text, 0o644); err != nil {
		return unwritable("out", file, err)
	}
	return nil
}

type whoamiCmd struct{ connection }

// Run shows the caller's record.
func (c *whoamiCmd) Run(ctx context.Context) error {
	var me any
	if err := c.call(ctx, http.MethodGet, "/v1/whoami", nil, &me); err != nil {
		return err
	}
	return printJSON(me)
}

type actsCmd struct {
	Done  bool   `help:"The acts that were done, instead of the kinds that there are."`
	After uint64 `help:"Begin after this registry version." placeholder:"VERSION"`
	JSON  bool   `name:"json" help:"Print JSON."`
	connection
}

// Run lists acts.
func (c *actsCmd) Run(ctx context.Context) error {
	if !c.Done {
		return printKinds(c.JSON)
	}
	var page struct {
		Items []struct {
			Version  uint64 `json:"version"`
			Kind     string `json:"kind"`
			Actor    string `json:"actor"`
			At       string `json:"at"`
			Reason   string `json:"reason"`
			LogIndex uint64 `json:"log_index"`
			Subject  struct {
				ID string `json:"id"`
			} `json:"subject"`
		} `json:"items"`
	}
	for after := c.After; ; {
		page.Items = nil
		if err := c.call(ctx, http.MethodGet, fmt.Sprintf("/v1/acts?limit=1000&after=%d", after), nil, &page); err != nil {
			return err
		}
		if len(page.Items) == 0 {
			return nil
		}
		for _, a := range page.Items {
			after = a.Version
			if c.JSON {
				if err := printJSON(a); err != nil {
					return err
				}
				continue
			}
			fmt.Printf("%5d  %s  %-24s %-20s by %s: %s\n", a.Version, a.At, a.Kind, a.Subject.ID, a.Actor, onALine(a.Reason))
		}
	}
}

// onALine is what somebody typed, as a list shows it: a second line would look like an
// entry of the list.
func onALine(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
}
